/// @file
/// The attention page's JavaScript: its numbers, and the view with lines between two columns of tokens.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// JavaScript: unpacking of weights, and `LineView`.
inline constexpr std::string_view attention_lines_script = R"js(
// ---- the numbers ----------------------------------------------------------------------------------------------------

/*
 * A selection is what a view shows: {partIndex, layer, heads: [numbers], queries: [begin, end], keys: [begin, end], gain}; `gain` makes
 * lines and colours stronger than their weight.
 */
const partOf = (selection) => page.parts[selection.partIndex];
const hasAllHeads = (selection) => selection.heads.length === partOf(selection).heads;

const finestScale = 60000;
/** A weight, from its number at a scale: the middle of what is rounded down to that number; of the lowest, 0. */
const weightOf = (number, scale) => number && (number + 0.5) / scale;

const unpacked = new Map(), unpacking = new Map();  // by the name of an element: its numbers, [queries, keys] row by row; promises of them
const mapOf = ({ partIndex, layer }, head) => unpacked.get(`w${partIndex}-${layer}-${head}`);
const mapsOf = (selection) => selection.heads.map((head) => mapOf(selection, head));

/** What a mean over the selection's heads is made of: maps and their scale. The mean over all heads is in the page itself, as a map. */
function mapsOfMean(selection) {
  if (!hasAllHeads(selection)) return { maps: mapsOf(selection), scale: page.scale };
  return { maps: [unpacked.get(`m${selection.partIndex}-${selection.layer}`)], scale: finestScale };
}

/** Decimals that are right: in a large page, numbers of chosen heads have but three. */
const decimalsOf = (selection) => (hasAllHeads(selection) || page.scale % 20000 === 0 ? 4 : 3);

/** The numbers of an element, unpacked by the browser: low bytes come before high bytes, and of a causal map only the triangle is there. */
async function unpack(name, { queries, keys, causal }) {
  const text = atob(byId(name).textContent), packed = new Uint8Array(text.length);
  for (let i = 0; i < packed.length; ++i) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const numbers = new Uint16Array(bytes.length / 2);
  for (let i = 0; i < numbers.length; ++i) numbers[i] = bytes[i] | (bytes[i + numbers.length] << 8);
  if (!causal) return numbers;
  const map = new Uint16Array(queries.length * keys.length);
  for (let query = 0, from = 0; query < queries.length; from += ++query)
    map.set(numbers.subarray(from, from + query + 1), query * keys.length);
  return map;
}

/** The mean over all heads of a layer, whose maps are there. The page has how far it is from what can be reckoned from them. */
async function unpackMean(name, selection) {
  const part = partOf(selection), heads = Array.from({ length: part.heads }, (_, head) => mapOf(selection, head));
  const mean = await unpack(name, part);
  for (let i = 0; i < mean.length; ++i) {
    let halves = 0;
    for (const map of heads) halves += map[i] && 2 * map[i] + 1;
    const difference = mean[i];
    mean[i] = Math.floor((finestScale / 2 * halves) / (page.scale * heads.length)) + (difference & 1 ? -(difference + 1) / 2 : difference / 2);
  }
  return mean;
}

/** Unpacks what a selection needs, unless it is there. */
async function load(selection) {
  const once = (name, read) => {
    if (!unpacking.has(name)) unpacking.set(name, read().then((map) => unpacked.set(name, map)));
    return unpacking.get(name);
  };
  const { partIndex, layer, heads } = selection, place = `${partIndex}-${layer}`;
  await Promise.all(heads.map((head) => once(`w${place}-${head}`, () => unpack(`w${place}-${head}`, partOf(selection)))));
  if (hasAllHeads(selection)) await once("m" + place, () => unpackMean("m" + place, selection));
}

/** The mean over the selection's heads: what query `index` gives to each key of the selection, or what key `index` gets from each query. */
function meanWeights(selection, side, index) {
  const { maps, scale } = mapsOfMean(selection), width = partOf(selection).keys.length;
  const [begin, end] = side === "query" ? selection.keys : selection.queries;
  const mean = new Float64Array(end - begin);
  for (const map of maps)
    for (let other = begin; other < end; ++other)
      mean[other - begin] += weightOf(side === "query" ? map[index * width + other] : map[other * width + index], scale);
  return mean.map((sum) => sum / maps.length);
}

/** The `limit` largest weights of a selection, and no smaller ones than can be seen: flat arrays, and of how many they are. */
function strongestWeights(selection, limit) {
  const maps = mapsOf(selection), width = partOf(selection).keys.length;
  const [firstQuery, endQuery] = selection.queries, [firstKey, endKey] = selection.keys;
  const histogram = new Uint32Array(65536);
  for (const map of maps)
    for (let query = firstQuery; query < endQuery; ++query)
      for (let i = query * width + firstKey, end = query * width + endKey; i < end; ++i) ++histogram[map[i]];
  const faintest = Math.max(1, Math.ceil(page.scale * 0.004 / selection.gain));
  let least = 65536, count = 0;
  while (least > faintest && count + histogram[least - 1] <= limit) count += histogram[--least];
  let ties = least > faintest ? limit - count : 0;  // of those just below, as many as there is room for
  const size = count + ties;
  const lines = { heads: new Uint16Array(size), queries: new Uint32Array(size), keys: new Uint32Array(size), weights: new Uint16Array(size),
                  count: 0, visible: 0, all: maps.length * (endQuery - firstQuery) * (endKey - firstKey) };
  for (let value = faintest; value < 65536; ++value) lines.visible += histogram[value];
  maps.forEach((map, position) => {
    for (let query = firstQuery; query < endQuery; ++query)
      for (let key = firstKey; key < endKey; ++key) {
        const weight = map[query * width + key];
        if (weight < least && !(weight === least - 1 && ties-- > 0)) continue;
        lines.heads[lines.count] = selection.heads[position];
        lines.queries[lines.count] = query;
        lines.keys[lines.count] = key;
        lines.weights[lines.count++] = weight;
      }
  });
  return lines;
}

/** The colour of a head: hues round the circle, neighbours of different lightness. */
function headColour(head, heads) {
  const [even, odd, chroma] = ["--head-even", "--head-odd", "--head-chroma"].map(colour);
  return `oklch(${head % 2 ? odd : even} ${chroma} ${(262 + (360 * head) / Math.max(heads, 4)) % 360})`;
}
const headColours = (heads) => Array.from({ length: heads }, (_, head) => headColour(head, heads));

/**
 * Draws lines whose opacity is their weight (times the gain). `place` is {left, right, query(index), key(index), top, bottom}: the ends' x,
 * what gives their y, and between which heights anything can be seen. Lines of nearly one opacity are one path, for speed.
 */
function drawLines(pen, lines, selection, place, lineWidth) {
  const levels = 40, colours = headColours(partOf(selection).heads), paths = new Map();
  const isCurved = lines.count <= 12000, middle = (place.left + place.right) / 2;
  for (let i = 0; i < lines.count; ++i) {
    const from = place.query(lines.queries[i]), to = place.key(lines.keys[i]);
    if (Math.max(from, to) < place.top || Math.min(from, to) > place.bottom) continue;
    const opacity = Math.min(1, weightOf(lines.weights[i], page.scale) * selection.gain);
    const level = Math.min(levels - 1, Math.floor(Math.sqrt(opacity) * levels));
    const name = level * 65536 + lines.heads[i];
    let path = paths.get(name);
    if (!path) paths.set(name, (path = new Path2D()));
    path.moveTo(place.left, from);
    if (isCurved) path.bezierCurveTo(middle, from, middle, to, place.right, to);
    else path.lineTo(place.right, to);
  }
  pen.lineWidth = lineWidth;
  for (const name of [...paths.keys()].sort((a, b) => a - b)) {  // the strongest above
    const level = Math.floor(name / 65536);
    pen.globalAlpha = ((level + 0.5) / levels) ** 2;
    pen.strokeStyle = colours[name % 65536];
    pen.stroke(paths.get(name));
  }
  pen.globalAlpha = 1;
}

/** "layer 5, head 3" or "layer 5, mean of 12 heads". */
function describeHeads({ layer, heads }) {
  return `layer ${layer}, ${heads.length === 1 ? "head " + heads[0] : "mean of " + heads.length + " heads"}`;
}

/** What is read out for a token: the five largest weights. */
function describeToken(selection, side, index, mean) {
  const { queries, keys } = partOf(selection);
  const [own, others] = side === "query" ? [queries, keys] : [keys, queries];
  const begin = (side === "query" ? selection.keys : selection.queries)[0];
  const order = [...mean.keys()].sort((a, b) => mean[b] - mean[a] || a - b).slice(0, 5);
  const list = order.map((i) => `${brief(others[begin + i])} ${mean[i].toFixed(3)}`).join(", ");
  return `${brief(own[index])} ${side === "query" ? "attends most to" : "gets most from"}: ${list} (${describeHeads(selection)})`;
}

// ---- two columns of tokens ------------------------------------------------------------------------------------------

const opposite = { query: "key", key: "query" };

/** Two columns of tokens with lines between them. A token that is pointed at, or chosen (focus, click), shows its lines and numbers. */
class LineView {
  static mostLines = 20000;

  /** `say` is given what a screen reader should say, and a sighted reader sees. */
  constructor(host, say) {
    this.say = say;
    this.pointed = this.chosen = null;  // {side, index} each
    host.classList.add("lines");
    this.columns = { query: this.makeColumn("query", "Tokens that attend"), key: this.makeColumn("key", "Tokens attended to") };
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.middle = make("div", { className: "middle" }, this.canvas);
    this.note = make("p", { className: "quiet note" });
    const heading = (side, text) => make("div", { className: "column-name " + side }, text);
    host.append(heading("query", "attends"), make("div"), heading("key", "is attended to"),
                this.columns.query, this.middle, this.columns.key, this.note);
    host.addEventListener("pointerleave", () => this.point(null));
    this.redraw = oncePerFrame(() => this.draw());
    addEventListener("scroll", this.redraw, { capture: true, passive: true });
    new ResizeObserver(this.redraw).observe(this.middle);
    onTheme(this.redraw);
  }

  makeColumn(side, name) {
    const column = make("div", { className: "tokens " + side, role: "listbox", "aria-label": name });
    const tokenAt = (event) => {
      const token = event.target.closest?.(".token");
      return token ? { side, index: Number(token.dataset.index) } : null;
    };
    column.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") this.point(tokenAt(event)); });
    column.addEventListener("pointerdown", (event) => { this.wasChosen = this.isChosen(tokenAt(event)); });
    column.addEventListener("click", (event) => {
      const token = tokenAt(event);
      if (!token) return;
      if (!this.wasChosen) return this.choose(token);
      this.pointed = null;  // a second click gives the token up
      this.choose(null);
    });
    column.addEventListener("focusin", (event) => this.choose(tokenAt(event)));
    column.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.chosen) return;
      event.preventDefault();  // in a dialog, the first Escape gives the token up
      this.choose(null);
    });
    const across = side === "query" ? "ArrowRight" : "ArrowLeft";
    rove(column, ".token", () => 1, (event, index) => {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return undefined;
      const others = this.columns[opposite[side]].children;
      if (event.key === across) others[Math.min(index, others.length - 1)]?.focus();
      return -1;  // nothing in this column
    });
    return column;
  }

  isChosen(token) { return token !== null && this.chosen?.side === token.side && this.chosen.index === token.index; }
  get active() { return this.pointed ?? this.chosen; }
  point(token) {
    if (this.pointed?.side === token?.side && this.pointed?.index === token?.index) return;
    this.pointed = token;
    this.update();
  }
  choose(token) {
    this.chosen = token;
    this.update();
  }

  show(selection) {
    const before = this.selection;
    this.selection = selection;
    this.lines = null;
    const same = before && before.partIndex === selection.partIndex &&
      [...before.queries, ...before.keys].join() === [...selection.queries, ...selection.keys].join();
    if (!same) {
      this.pointed = this.chosen = null;
      this.fill("query", partOf(selection).queries, selection.queries);
      this.fill("key", partOf(selection).keys, selection.keys);
    }
    this.update();
  }

  fill(side, tokens, [begin, end]) {
    const column = this.columns[side];
    column.replaceChildren(...tokens.slice(begin, end).map((token, i) => make("div",
      { className: "token", role: "option", tabIndex: i ? -1 : 0, title: visible(token), "data-index": begin + i, "aria-selected": "false",
        "aria-label": `${brief(token)}, token ${begin + i}` },
      tokenElement(token), make("span", { className: "number" }))));
  }

  /** The numbers beside the tokens, and what is said; then the lines. */
  update() {
    const { selection, active } = this;
    const mean = active && selection.heads.length ? meanWeights(selection, active.side, active.index) : null;
    for (const side of ["query", "key"]) {
      const hasNumbers = mean !== null && side !== active.side, column = this.columns[side];
      const begin = (side === "query" ? selection.queries : selection.keys)[0];
      if (hasNumbers || column.hasNumbers)
        [...column.children].forEach((token, i) => {
          token.lastChild.textContent = hasNumbers ? mean[i].toFixed(3) : "";
          token.style.setProperty("--weight", hasNumbers ? mean[i].toFixed(4) : "0");
        });
      column.hasNumbers = hasNumbers;
      column.querySelectorAll(".active, [aria-selected=true]").forEach((token) => {
        token.classList.remove("active");
        token.setAttribute("aria-selected", "false");
      });
      if (active?.side === side) column.children[active.index - begin].classList.add("active");
      if (this.chosen?.side === side) column.children[this.chosen.index - begin].setAttribute("aria-selected", "true");
    }
    this.say(!selection.heads.length ? "No head is chosen." : mean ? describeToken(selection, active.side, active.index, mean) : "");
    this.redraw();
  }

  linesToDraw() {
    const { selection, active } = this;
    if (!active) return (this.lines ??= strongestWeights(selection, LineView.mostLines));
    const own = [active.index, active.index + 1];
    return strongestWeights({ ...selection, gain: finestScale, [active.side === "query" ? "queries" : "keys"]: own }, Infinity);
  }

  draw() {
    const { selection, active, middle } = this;
    if (!selection || !middle.isConnected || !middle.clientWidth) return;
    const box = middle.getBoundingClientRect(), row = this.columns.query.firstChild.offsetHeight, width = middle.clientWidth;
    const top = clamp(-box.top, 0, box.height), bottom = clamp(innerHeight - box.top, top, box.height);  // what can be seen
    this.canvas.style.top = top + "px";
    const pen = fitCanvas(this.canvas, width, bottom - top);
    pen.translate(0, -top);
    const lines = selection.heads.length ? this.linesToDraw() : { count: 0, visible: 0 };
    const heads = selection.heads.length;
    const cell = active && heads > 1 && heads <= 32 ? Math.min(7, (width * 0.35) / heads) : 0;
    const strip = cell * heads + (cell ? 6 : 0);
    const y = (first) => (index) => (index - first + 0.5) * row;
    const place = { left: active?.side === "key" ? strip : 0, right: active?.side === "query" ? width - strip : width, top, bottom,
                    query: y(selection.queries[0]), key: y(selection.keys[0]) };
    drawLines(pen, lines, selection, place, active ? 2 : lines.count > 4000 ? 1 : 1.4);
    if (cell) this.drawStrips(pen, lines, place, cell, row, width);
    this.note.textContent = !active && lines.count < lines.visible
      ? `The strongest ${lines.count.toLocaleString("en")} of ${lines.visible.toLocaleString("en")} visible lines are drawn.` : "";
  }

  /** A small square a head beside each token on the other side: which head gives how much. */
  drawStrips(pen, lines, place, cell, row, width) {
    const { heads } = this.selection, isQuery = this.active.side === "query", colours = headColours(partOf(this.selection).heads);
    const position = new Map(heads.map((head, i) => [head, i]));
    const first = isQuery ? width - cell * heads.length - 1 : 1;
    for (let i = 0; i < lines.count; ++i) {
      const y = isQuery ? place.key(lines.keys[i]) : place.query(lines.queries[i]);
      if (y < place.top - row || y > place.bottom + row) continue;
      pen.globalAlpha = Math.sqrt(Math.min(1, weightOf(lines.weights[i], page.scale)));
      pen.fillStyle = colours[lines.heads[i]];
      pen.fillRect(first + cell * position.get(lines.heads[i]), y - row / 2 + 4, cell - 1, row - 8);
    }
    pen.globalAlpha = 1;
  }
}
)js";

}  // namespace axiform::detail
