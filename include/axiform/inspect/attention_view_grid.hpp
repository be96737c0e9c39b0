/// @file
/// The attention page's JavaScript: the grid of all layers and heads.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// JavaScript: `ModelView`.
inline constexpr std::string_view attention_grid_script = R"js(
// ---- all layers and heads, small ------------------------------------------------------------------------------------

/** A table of thumbnails, a row a layer and a column a head. `enlarge(layer, head)` is called for the one that is clicked, `fail` with an error. */
class ModelView {
  static linesEach = 500;

  constructor(host, enlarge, fail) {
    Object.assign(this, { host, enlarge, fail });
    host.classList.add("model");
    host.addEventListener("click", (event) => {
      const thumb = event.target.closest(".thumb");
      if (thumb) this.enlarge(Number(thumb.dataset.layer), Number(thumb.dataset.head));
    });
    this.roving = rove(host, ".thumb", () => partOf(this.selection).heads);
    this.restart = oncePerFrame(() => this.start());
    new ResizeObserver(() => { if (host.clientWidth !== this.width) this.restart(); }).observe(host);
    onTheme(this.restart);
  }

  show(selection) {
    const isSame = this.selection?.partIndex === selection.partIndex;
    this.selection = selection;
    if (!isSame) this.fill();
    this.restart();
  }

  fill() {
    const { layers, heads } = partOf(this.selection), numbers = Array.from({ length: heads }, (_, head) => head);
    const cell = (layer, head) => make("td", {}, make("button",
      { type: "button", className: "thumb", tabIndex: -1, "data-layer": layer, "data-head": head,
        "aria-label": `Layer ${layer}, head ${head}`, title: `Layer ${layer}, head ${head}` }, make("canvas", { "aria-hidden": "true" })));
    this.host.replaceChildren(make("table", {},
      make("caption", {}, "A picture for each layer (row) and head (column): lines from tokens to those they attend to. Choose one."),
      make("thead", {}, make("tr", {}, make("td"), ...numbers.map((head) => make("th", { scope: "col" }, String(head))))),
      make("tbody", {}, ...layers.map((layer) =>
        make("tr", {}, make("th", { scope: "row" }, String(layer)), ...numbers.map((head) => cell(layer, head)))))));
    this.roving.reset();
  }

  /** Draws the thumbnails, a few in each frame, so that the page answers meanwhile. */
  start() {
    if (!this.selection || !this.host.clientWidth) return;
    this.width = this.host.clientWidth;
    const { heads } = partOf(this.selection);
    const size = clamp(Math.floor((this.width - 40) / heads) - 8, 36, 118);
    const waiting = [...this.host.querySelectorAll(".thumb")];
    for (const thumb of waiting) {
      thumb.firstChild.style.width = thumb.firstChild.style.height = size + "px";
      delete thumb.dataset.drawn;
    }
    const run = (this.run = {});
    const step = async () => {
      let end = performance.now() + 12;
      for (const [i, thumb] of waiting.entries()) {
        for (const next of waiting.slice(i + 1, i + 5)) load(this.selectionOf(next)).catch(() => {});  // so that the browser unpacks several at once
        await load(this.selectionOf(thumb));
        if (this.run !== run) return;
        this.drawThumb(thumb, size);
        if (performance.now() < end) continue;
        await new Promise(requestAnimationFrame);
        end = performance.now() + 12;
      }
    };
    step().catch(this.fail);
  }

  selectionOf(thumb) { return { ...this.selection, layer: Number(thumb.dataset.layer), heads: [Number(thumb.dataset.head)] }; }

  drawThumb(thumb, size) {
    const { queries, keys } = this.selection, selection = this.selectionOf(thumb);
    const y = ([begin, end]) => (index) => 4 + ((index - begin + 0.5) / (end - begin)) * (size - 8);
    const place = { left: 7, right: size - 7, top: 0, bottom: size, query: y(queries), key: y(keys) };
    drawLines(fitCanvas(thumb.firstChild, size, size), strongestWeights(selection, ModelView.linesEach), selection, place, 1);
    thumb.dataset.drawn = "true";
  }
}
)js";

}  // namespace axiform::detail
