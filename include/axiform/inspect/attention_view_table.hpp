/// @file
/// The attention page's JavaScript: the heat map, and the table of numbers behind it.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// JavaScript: `TableView`.
inline constexpr std::string_view attention_table_script = R"js(
// ---- a heat map, and its numbers ------------------------------------------------------------------------------------

/** The mean over the selection's heads, [queries, keys] of the selection, row by row. */
function meanMap(selection) {
  const { maps, scale } = mapsOfMean(selection), width = partOf(selection).keys.length;
  const [firstQuery, endQuery] = selection.queries, [firstKey, endKey] = selection.keys;
  const mean = new Float64Array((endQuery - firstQuery) * (endKey - firstKey));
  for (const map of maps)
    for (let query = firstQuery, to = 0; query < endQuery; ++query)
      for (let key = firstKey; key < endKey; ++key) mean[to++] += weightOf(map[query * width + key], scale);
  for (let i = 0; i < mean.length; ++i) mean[i] /= Math.max(1, maps.length);
  return mean;
}

/** A heat map with a cursor that the pointer or the arrow keys move, and a real table of the same numbers below it. */
class TableView {
  static mostCells = 16384;  // in the table of numbers; of larger maps it has the cursor's row

  constructor(host, say) {
    this.say = say;
    host.classList.add("table");
    this.canvas = make("canvas", { tabIndex: 0, role: "application", "aria-roledescription": "heat map" });
    this.legend = make("div", { className: "legend quiet" });
    this.numbers = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "The numbers" });
    this.details = make("details", {}, make("summary", {}, "The numbers as a table"), this.numbers);
    host.append(make("div", { className: "heat" }, this.canvas), this.legend, this.details);
    this.redraw = oncePerFrame(() => this.draw());
    this.canvas.addEventListener("pointermove", (event) => this.moveTo(this.cellAt(event)));
    this.canvas.addEventListener("pointerdown", (event) => this.moveTo(this.cellAt(event)));
    this.canvas.addEventListener("pointerleave", () => { if (document.activeElement !== this.canvas) this.moveTo(null); });
    this.canvas.addEventListener("focus", () => this.moveTo(this.cursor ?? { row: 0, column: 0 }));
    this.canvas.addEventListener("blur", () => this.moveTo(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.details.addEventListener("toggle", () => this.fillNumbers());
    new ResizeObserver(this.redraw).observe(host);
    onTheme(() => { this.picture = null; this.redraw(); });
  }

  show(selection) {
    this.selection = selection;
    this.picture = null;
    this.mean = meanMap(selection);
    this.tokens = { rows: partOf(selection).queries.slice(...selection.queries), columns: partOf(selection).keys.slice(...selection.keys) };
    if (this.cursor && (this.cursor.row >= this.tokens.rows.length || this.cursor.column >= this.tokens.columns.length)) this.cursor = null;
    this.canvas.setAttribute("aria-label", `${describeHeads(selection)}: ${this.tokens.rows.length} tokens that attend, one a row, ` +
      `${this.tokens.columns.length} that are attended to, one a column. Arrow keys read single numbers.`);
    this.fillNumbers();
    this.saySomething();
    this.redraw();
  }

  value(row, column) { return this.mean[row * this.tokens.columns.length + column]; }

  moveTo(cursor) {
    if (!this.selection || (cursor?.row === this.cursor?.row && cursor?.column === this.cursor?.column)) return;
    const hasOtherRow = cursor?.row !== this.cursor?.row;
    this.cursor = cursor;
    if (hasOtherRow && cursor && this.mean.length > TableView.mostCells) this.fillNumbers();
    this.saySomething();
    this.redraw();
  }

  saySomething() {
    if (!this.selection.heads.length) return this.say("No head is chosen.");
    if (!this.cursor) return this.say("");
    const { row, column } = this.cursor;
    this.say(`${brief(this.tokens.rows[row])} → ${brief(this.tokens.columns[column])}: ${this.value(row, column).toFixed(decimalsOf(this.selection))} ` +
      `(${describeHeads(this.selection)}; tokens ${this.selection.queries[0] + row} and ${this.selection.keys[0] + column})`);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.cursor) return;
    const { row, column } = this.cursor, lastRow = this.tokens.rows.length - 1, lastColumn = this.tokens.columns.length - 1;
    const to = { ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1],
                 Home: [row, 0], End: [row, lastColumn], PageUp: [row - 10, column], PageDown: [row + 10, column] }[event.key];
    if (!to) return;
    event.preventDefault();
    this.moveTo({ row: clamp(to[0], 0, lastRow), column: clamp(to[1], 0, lastColumn) });
  }

  cellAt(event) {
    if (!this.layout) return null;
    const box = this.canvas.getBoundingClientRect(), { left, top, cell } = this.layout;
    const column = Math.floor((event.clientX - box.left - left) / cell), row = Math.floor((event.clientY - box.top - top) / cell);
    return row < 0 || column < 0 || row >= this.tokens.rows.length || column >= this.tokens.columns.length ? null : { row, column };
  }

  /** The map as a picture of one pixel a weight. */
  makePicture() {
    const { rows, columns } = this.tokens, colours = heatColours(), { gain } = this.selection;
    const pixels = new ImageData(columns.length, rows.length);
    for (let i = 0; i < this.mean.length; ++i) {
      pixels.data.set(colours[Math.min(255, Math.round(Math.sqrt(this.mean[i] * gain) * 255))], 4 * i);
      pixels.data[4 * i + 3] = 255;
    }
    const picture = make("canvas", { width: columns.length, height: rows.length });
    picture.getContext("2d").putImageData(pixels, 0, 0);
    return picture;
  }

  draw() {
    const host = this.canvas.parentElement;
    if (!this.selection || !host.clientWidth) return;
    this.picture ??= this.makePicture();
    const { rows, columns } = this.tokens, pen = this.canvas.getContext("2d"), font = getComputedStyle(document.body).fontFamily;
    const labelFont = (cell) => `${Math.min(13, cell - 1)}px ${font}`;
    pen.font = labelFont(14);
    const longest = (tokens) => Math.min(130, 14 + Math.max(...tokens.slice(0, 200).map((token) => pen.measureText(visible(token)).width)));
    let left = longest(rows);
    let cell = clamp(Math.floor((host.clientWidth - left - 30) / columns.length), 2, 38);
    if (cell < 9) {  // no room for labels
      left = 1;
      cell = clamp(Math.floor((host.clientWidth - 2) / columns.length), 2, 38);
    }
    const top = cell < 9 ? 1 : longest(columns) * 0.88 + 8, right = cell < 9 ? 1 : 44;
    const width = left + cell * columns.length + right, height = top + cell * rows.length + 1;
    this.layout = { left, top, cell };
    fitCanvas(this.canvas, width, height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.picture, left, top, cell * columns.length, cell * rows.length);
    if (cell >= 9) this.drawLabels(pen, labelFont(cell), left, top, cell);
    if (cell >= 26) this.drawNumbers(pen, font, left, top, cell);
    if (this.cursor) this.drawCursor(pen, left, top, cell);
    this.fillLegend();
  }

  drawLabels(pen, font, left, top, cell) {
    const { rows, columns } = this.tokens, [ink, soft] = [colour("--ink"), colour("--soft")];
    pen.font = font;
    pen.textBaseline = "middle";
    const draw = (token, isActive, x, y, angle, align) => {
      pen.save();
      pen.translate(x, y);
      pen.rotate(angle);
      pen.textAlign = align;
      pen.fillStyle = isActive || !this.cursor ? ink : soft;
      const text = visible(token);
      pen.fillText(text.length > 18 ? text.slice(0, 17) + "…" : text, 0, 0, 118);
      pen.restore();
    };
    rows.forEach((token, i) => draw(token, this.cursor?.row === i, left - 8, top + cell * (i + 0.5), 0, "right"));
    columns.forEach((token, i) => draw(token, this.cursor?.column === i, left + cell * (i + 0.5) + 2, top - 7, -Math.PI / 3, "left"));
  }

  drawNumbers(pen, font, left, top, cell) {
    const surface = colour("--surface"), gap = 1;
    pen.strokeStyle = surface;
    pen.lineWidth = gap;
    pen.font = `${cell >= 34 ? 11 : 9.5}px ${font}`;
    pen.textAlign = "center";
    const colours = heatColours(), { gain } = this.selection, light = (c) => 0.299 * c[0] + 0.587 * c[1] + 0.114 * c[2] > 140;
    this.tokens.rows.forEach((_, row) => this.tokens.columns.forEach((__, column) => {
      const x = left + cell * column, y = top + cell * row, value = this.value(row, column);
      pen.strokeRect(x, y, cell, cell);
      if (value < 0.095) return;
      pen.fillStyle = light(colours[Math.min(255, Math.round(Math.sqrt(value * gain) * 255))]) ? "#10131a" : "#ffffff";
      pen.fillText(value >= 0.995 ? "1.0" : value.toFixed(2).slice(1), x + cell / 2, y + cell / 2 + 0.5);
    }));
  }

  drawCursor(pen, left, top, cell) {
    const { row, column } = this.cursor, { rows, columns } = this.tokens;
    pen.strokeStyle = colour("--accent");
    pen.lineWidth = 1;
    pen.strokeRect(left + 0.5, top + cell * row, cell * columns.length - 1, cell);
    pen.strokeRect(left + cell * column, top + 0.5, cell, cell * rows.length - 1);
    pen.lineWidth = 2.5;
    pen.strokeRect(left + cell * column, top + cell * row, cell, cell);
  }

  fillLegend() {
    const { gain } = this.selection, stops = [0, 1, 2, 3, 4].map((i) => `var(--heat-${i})`).join(", ");
    const bar = make("span", { className: "bar", "aria-hidden": "true" });
    bar.style.background = `linear-gradient(to right, ${stops})`;
    this.legend.replaceChildren(make("span", {}, "0"), bar, make("span", {}, gain === 1 ? "1" : `1/${gain} and more`),
      make("span", {}, "A row is a token that attends; each sums to 1. The colour goes with the square root of the weight."));
  }

  /** The table: whole where that is small enough, else the row of the cursor. */
  fillNumbers() {
    if (!this.details.open || !this.selection) return;
    const { rows, columns } = this.tokens, where = describeHeads(this.selection);
    if (this.mean.length <= TableView.mostCells) {
      this.numbers.replaceChildren(make("table", {}, make("caption", {}, `Attention of ${where}: a row a token that attends`),
        make("thead", {}, make("tr", {}, make("td"), ...columns.map((token) => make("th", { scope: "col" }, tokenElement(token))))),
        make("tbody", {}, ...rows.map((token, row) => make("tr", {}, make("th", { scope: "row" }, tokenElement(token)),
          ...columns.map((_, column) => make("td", {}, this.value(row, column).toFixed(3))))))));
      return;
    }
    const row = this.cursor?.row ?? 0;
    this.numbers.replaceChildren(make("table", {},
      make("caption", {}, `What ${brief(rows[row])}, token ${this.selection.queries[0] + row}, attends to in ${where}. ` +
        "(The whole table is too large for a page; the row is that of the cursor in the heat map.)"),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "token"), make("th", { scope: "col" }, "weight"))),
      make("tbody", {}, ...columns.map((token, column) =>
        make("tr", {}, make("th", { scope: "row" }, tokenElement(token)), make("td", {}, this.value(row, column).toFixed(decimalsOf(this.selection))))))));
  }
}
)js";

}  // namespace axiform::detail
