/// @file
/// The beam page's HTML, style and JavaScript.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// HTML of the beam page. The script fills what is empty.
inline constexpr std::string_view beam_page_body = R"html(
<header>
  <h1 id="title"></h1>
  <p class="subtitle" id="subtitle"></p>
</header>
<main class="search">
  <section class="card steps" aria-label="Steps">
    <div class="steps-head"><fieldset id="shown"><legend>Show</legend></fieldset>
      <p class="quiet">Each column is a step, best text first. A cell has a token, its log-probability and the score of the text so far; ■ is the
        final score of one that ended.</p></div>
    <div class="frame" id="frame">
      <div class="tree" id="tree" role="listbox" aria-label="Texts that were looked at" aria-orientation="horizontal"></div>
      <canvas aria-hidden="true"></canvas>
    </div>
  </section>
  <section class="card text" aria-label="Text">
    <p id="status" role="status"></p>
    <p class="running"><span id="prompt"></span><span id="path"></span></p>
    <dl id="facts"></dl>
  </section>
  <section class="card results" aria-label="Results">
    <div class="scroll" tabindex="0" role="region" aria-label="Results"><table id="results"><caption>What was returned, best first</caption>
      <thead><tr><th scope="col">place</th><th scope="col">score</th><th scope="col">log-probability</th><th scope="col">tokens</th>
        <th scope="col">why it ended</th><th scope="col">text</th></tr></thead><tbody></tbody></table></div>
  </section>
  <details class="all-steps" id="all-steps"><summary>All steps as a table</summary>
    <div class="scroll card" tabindex="0" role="region" aria-label="All steps"></div></details>
</main>
)html";

/// CSS of the beam page.
inline constexpr std::string_view beam_page_style = R"css(
header { margin-bottom: 18px }
.search { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.3fr); gap: 16px; align-items: start }
@media (max-width: 860px) { .search { grid-template-columns: minmax(0, 1fr) } }
.steps, .all-steps { grid-column: 1 / -1 }
.steps, .search .text, .results { padding: 16px 20px 20px }
.steps-head { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: center; margin-bottom: 12px }
.frame { position: relative }
.frame canvas { position: absolute; inset: 0; pointer-events: none }
.tree { position: relative; display: flex; gap: 44px; padding: 3px 3px 12px; overflow-x: auto }
.column { display: flex; flex: none; flex-direction: column; gap: 6px; width: 124px }
.column-name { color: var(--soft); font-size: 12.5px; text-align: center }
.cell {
  height: 46px; padding: 3px 8px; border: 1px solid var(--rule); border-radius: 8px; cursor: default;
  background: rgba(var(--tint), calc(var(--share, 0) * 0.45)); line-height: 19px;
}
.cell .token-text { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 550 }
.cell .number { display: flex; justify-content: space-between; color: var(--soft); font-size: 12px }
.cell.ended { border-width: 2px; padding: 2px 7px; border-color: var(--ink) }
.cell.dropped { border-style: dashed; opacity: 0.62 }
.cell.path { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); opacity: 1 }
.cell.active { background: var(--accent); color: var(--on-accent) }
.cell.active .number { color: inherit }
#status { height: 84px; margin-bottom: 8px; overflow: hidden auto; overflow-wrap: anywhere; font-size: 14px }
.running { margin: 0 0 16px; font-size: 17px; line-height: 1.8; white-space: pre-wrap; overflow-wrap: anywhere }
#prompt { color: var(--soft) }
.mark { opacity: 0.55 }
#facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 8px; margin: 0 }
#facts div { padding: 8px 10px; border: 1px solid var(--rule); border-radius: 9px }
#facts dt { color: var(--soft); font-size: 12px }
#facts dd { margin: 0; font-size: 17px; font-weight: 600 }
@media (max-width: 720px) { #facts { grid-template-columns: repeat(2, 1fr) } }
#results td:nth-child(n + 5), #results th:nth-child(n + 5) { text-align: left }
#results tr.chosen th { font-weight: 650; color: var(--accent) }
#results .plain { text-align: left; white-space: pre-wrap; overflow-wrap: anywhere; min-width: 120px }
.all-steps .scroll { padding: 12px 16px }
.all-steps td:last-child, .all-steps th:last-child { text-align: left }
)css";

/// JavaScript of the beam page.
inline constexpr std::string_view beam_page_script = R"js(
const fates = ["followed", "ended", "dropped"];
const endings = ["full length", "end of text", "stop string", "criterion", "time was up", "stopped"];
const steps = page.steps.map((step, at) => step.map(([parent, token, logProbability, score, fate, finalScore], place) =>
  ({ at, place, parent: at ? [at - 1, parent] : null, token, logProbability, score, fate: fates[fate], finalScore })));
const parentOf = (text) => (text.parent ? steps[text.parent[0]][text.parent[1]] : null);
const pathOf = (text) => { const path = []; for (let each = text; each; each = parentOf(each)) path.unshift(each); return path; };
const childrenOf = ({ at, place }) => (steps[at + 1] ?? []).filter(({ parent }) => parent[1] === place);
const share = (text) => Math.min(1, Math.exp(text.logProbability));
const place = (number) => `place ${number + 1}`;
let showsDropped = false, pointed = null, chosen = null;
const isShown = (text) => showsDropped || text.fate !== "dropped";

// ---- the steps: every text is an option of a list -------------------------------------------------------------------

const tree = byId("tree"), canvas = document.querySelector("#frame canvas");
function describe(text) {
  const before = parentOf(text), fate = text.fate === "ended" ? `ended, final score ${text.finalScore.toFixed(3)}` : text.fate;
  return `Step ${text.at + 1}, ${place(text.place)}: ${brief(text.token)}, log-probability ${text.logProbability.toFixed(3)}, ` +
    `score ${text.score.toFixed(3)}, ${fate}` + (before ? `, behind ${brief(before.token)} at ${place(before.place)}` : "");
}
const cells = steps.map((step) => step.map((text) => {
  const cell = make("div", { className: `cell ${text.fate}`, role: "option", tabIndex: -1, "data-at": text.at, "data-place": text.place,
    "aria-selected": "false", "aria-label": describe(text) }, tokenElement(text.token),
    make("span", { className: "number" }, make("span", {}, text.logProbability.toFixed(2)),
         make("span", {}, text.fate === "ended" ? `■ ${text.finalScore.toFixed(2)}` : text.score.toFixed(2))));
  cell.style.setProperty("--share", share(text).toFixed(4));
  return cell;
}));
steps.forEach((_, at) => tree.append(make("div", { className: "column", role: "group", "aria-label": `Step ${at + 1}` },
  make("div", { className: "column-name", "aria-hidden": "true" }, String(at + 1)), ...cells[at])));
const cellOf = (text) => cells[text.at][text.place];
const textAt = (element) => {
  const cell = element.closest?.(".cell");
  return cell ? steps[Number(cell.dataset.at)][Number(cell.dataset.place)] : null;
};
tree.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") point(textAt(event.target)); });
tree.addEventListener("pointerleave", () => point(null));
tree.addEventListener("click", (event) => { const text = textAt(event.target); if (text) cellOf(text).focus(); });
tree.addEventListener("focusin", (event) => choose(textAt(event.target) ?? chosen));
const stops = rove(tree, ".cell:not([hidden])", () => 1, (event, index, all) => {
  const text = textAt(all[index]), indexOf = (other) => (other ? all.indexOf(cellOf(other)) : -1);
  if (event.key === "ArrowLeft") return indexOf(parentOf(text));
  if (event.key === "ArrowRight") return indexOf(childrenOf(text).find(isShown));
  const next = { ArrowUp: index - 1, ArrowDown: index + 1 }[event.key];
  return next === undefined ? undefined : all[next] && textAt(all[next]).at === text.at ? next : -1;
});

// ---- one text -------------------------------------------------------------------------------------------------------

function point(text) {
  if (text === pointed) return;
  pointed = text;
  update();
}
function choose(text) {
  chosen = text;
  update();
}

let marked = [];
function update() {
  const active = pointed ?? chosen;
  for (const cell of marked) {
    cell.classList.remove("path", "active");
    cell.setAttribute("aria-selected", "false");
  }
  marked = active ? pathOf(active).map(cellOf) : [];
  for (const cell of marked) cell.classList.add("path");
  if (active) cellOf(active).classList.add("active");
  if (chosen) {
    cellOf(chosen).setAttribute("aria-selected", "true");
    marked.push(cellOf(chosen));
  }
  for (const [i, row] of [...byId("results").tBodies[0].rows].entries()) row.classList.toggle("chosen", results[i].last === active && !!active);
  show(active);
  redraw();
}

function show(text) {
  const fact = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  byId("path").replaceChildren(...(text ? pathOf(text).flatMap(({ token }) => (token === "" ? ["∅"] : runningText(token))) : []));
  if (!text) {
    byId("status").textContent = "No step was taken.";
    return;
  }
  const on = childrenOf(text).filter(({ fate }) => fate !== "dropped").length;
  byId("status").textContent = describe(text) + "." +
    (text.fate === "followed" && text.at + 1 < steps.length ? ` ${on} text${on === 1 ? " goes" : "s go"} on from here.` : "");
  byId("facts").replaceChildren(fact("probability", percent(share(text))), fact("log-probability", text.logProbability.toFixed(3)),
    fact("score so far", text.score.toFixed(3)), fact("final score", text.fate === "ended" ? text.finalScore.toFixed(3) : "–"));
}

// ---- the lines from each text to those that continue it ------------------------------------------------------------

const redraw = oncePerFrame(() => {
  const width = tree.clientWidth, pen = fitCanvas(canvas, width, tree.clientHeight), path = new Set(marked);
  const [soft, accent] = ["--soft", "--accent"].map(colour);
  for (const [at, step] of steps.entries()) {
    const column = tree.children[at], right = column.offsetLeft - tree.scrollLeft;
    if (at === 0 || right < 0 || right - 44 > width) continue;
    for (const text of step) {
      const to = cellOf(text), from = cellOf(parentOf(text));
      if (to.hidden || from.hidden) continue;
      const isPath = path.has(to) && path.has(from);
      const [x, y, left, height] = [right - 44, from.offsetTop + from.offsetHeight / 2, right, to.offsetTop + to.offsetHeight / 2];
      pen.strokeStyle = isPath ? accent : soft;
      pen.lineWidth = isPath ? 2.5 : 1.3;
      pen.globalAlpha = isPath ? 1 : text.fate === "dropped" ? 0.25 : 0.35 + 0.5 * Math.sqrt(share(text));
      pen.setLineDash(text.fate === "dropped" ? [3, 3] : []);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.bezierCurveTo(x + 22, y, left - 22, height, left, height);
      pen.stroke();
    }
  }
});
tree.addEventListener("scroll", redraw, { passive: true });
new ResizeObserver(redraw).observe(tree);
onTheme(redraw);

// ---- the results ----------------------------------------------------------------------------------------------------

const results = page.results.map(({ at, place, score, finish }) => ({ last: at === null ? null : steps[at][place], score, finish }));
byId("results").tBodies[0].append(...results.map(({ last, score, finish }, i) => {
  const cell = (text) => make("td", {}, text), tokens = last ? pathOf(last).map(({ token }) => token) : [];
  const button = make("button", { type: "button", className: "plain", dir: "auto", disabled: !last }, ...runningText(tokens.join("")));
  button.addEventListener("click", () => {
    choose(last);
    cellOf(last).scrollIntoView({ block: "nearest", inline: "center" });
  });
  return make("tr", {}, make("th", { scope: "row" }, String(i + 1)), cell(score.toFixed(4)), cell(last ? last.score.toFixed(4) : "–"),
    cell(String(tokens.length)), cell(endings[finish]), make("td", {}, button));
}));

// ---- all of it ------------------------------------------------------------------------------------------------------

function hideDropped() {
  for (const [at, step] of steps.entries())
    for (const text of step) cells[at][text.place].hidden = !isShown(text);
  if (chosen && !isShown(chosen)) chosen = results[0]?.last ?? null;
  stops.reset();
  update();
}
radios(byId("shown"), [["kept", "Followed and ended"], ["all", "All that were looked at"]], "kept", (value) => {
  showsDropped = value === "all";
  hideDropped();
});
byId("all-steps").addEventListener("toggle", () => {
  const host = byId("all-steps").lastElementChild;
  if (host.firstChild) return;
  const head = ["step", "place", "behind place", "token", "log-probability", "score", "final score", "what became of it"];
  const cell = (text) => make("td", {}, text);
  const row = (text) => make("tr", {}, cell(String(text.at + 1)), cell(String(text.place + 1)), cell(text.parent ? String(text.parent[1] + 1) : "–"),
    make("th", { scope: "row" }, tokenElement(text.token)), cell(text.logProbability.toFixed(4)), cell(text.score.toFixed(4)),
    cell(text.fate === "ended" ? text.finalScore.toFixed(4) : "–"), cell(text.fate));
  host.append(make("table", {}, make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
                   make("tbody", {}, ...steps.flat().map(row))));
});
byId("title").textContent = page.title || "Beam search";
byId("title").dir = "auto";
byId("prompt").append(...runningText(page.prompt));
const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
byId("subtitle").textContent = [count(page.beams, "beam"), count(steps.length, "step"), count(results.length, "result")].join(" · ");
chosen = results[0]?.last ?? steps.at(-1)?.[0] ?? null;
hideDropped();
document.documentElement.dataset.ready = "true";
)js";

}  // namespace axiform::detail
