/// @file
/// The attention page's HTML and style, and the JavaScript of its controls.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// HTML of the attention page. The script fills what is empty.
inline constexpr std::string_view attention_page_body = R"html(
<header>
  <h1 id="title"></h1>
  <p class="subtitle" id="subtitle"></p>
</header>
<main>
  <section class="card controls" aria-label="What is shown">
    <fieldset id="view"><legend>View</legend></fieldset>
    <fieldset id="part"><legend>Attention</legend></fieldset>
    <fieldset id="filter"><legend>Texts</legend></fieldset>
    <fieldset id="layer"><legend>Layer</legend></fieldset>
    <div id="heads" role="group" aria-label="Heads">
      <span class="quiet" aria-hidden="true">Heads</span>
      <div id="squares"></div>
      <button type="button" class="plain" id="all-heads">All</button>
      <button type="button" class="plain" id="no-heads">None</button>
    </div>
    <label id="strength"><span class="quiet">Strength</span>
      <input type="range" aria-describedby="strength-help" min="0" max="8" step="1" value="0"></label>
  </section>
  <section class="card stage" id="stage" aria-label="Attention">
    <p id="failure" role="alert" hidden></p>
    <p id="status" role="status"></p>
    <div id="heads-view"></div>
    <div id="model-view"></div>
    <div id="table-view"></div>
  </section>
  <details class="help"><summary>How to use this page</summary>
    <p>Point at a token to see what it attends to (left) or what attends to it (right); click it to keep it. Arrow keys go from token to
    token and from column to column, Escape gives the token up. Click a head's square to show or hide it; double-click it, or press
    Shift and Enter, to show it alone. <span id="strength-help">A line's opacity is its weight,
    and a cell's colour goes with it, times a power of two that the strength slider chooses: for long texts, whose weights are
    small.</span></p>
    <p id="precision">This page is so large that its weights are rounded. Numbers of one head, and of the mean over all heads, are right to the last
    decimal; those of the mean over some heads may be off by one in it.</p></details>
</main>
<dialog id="enlarged" aria-labelledby="enlarged-title">
  <div class="dialog-head"><h2 id="enlarged-title"></h2>
    <button type="button" class="plain" id="open-in-heads">Open in the head view</button>
    <button type="button" class="plain" id="close">Close</button></div>
  <p id="enlarged-status" role="status"></p>
  <div id="enlarged-view"></div>
</dialog>
)html";

/// CSS of the attention page.
inline constexpr std::string_view attention_page_style = R"css(
header { margin-bottom: 18px }
.controls { display: flex; flex-wrap: wrap; gap: 12px 26px; padding: 14px 18px; margin-bottom: 14px }
#heads { display: flex; flex-wrap: wrap; align-items: center; gap: 10px }
#squares { display: flex; flex-wrap: wrap; gap: 4px }
.head {
  width: 28px; height: 28px; padding: 0; border: 2px solid var(--head); border-radius: 7px; background: transparent; color: var(--soft);
  font-size: 12px; line-height: 1; cursor: pointer; touch-action: manipulation;
}
.head[aria-pressed=true] { background: var(--head); color: var(--on-head); font-weight: 650 }
@media (forced-colors: active) { .head { forced-color-adjust: none } }
#strength { display: flex; align-items: center; gap: 10px }
#strength input { width: 110px; accent-color: var(--accent) }
.stage { padding: 8px 20px 20px }
/* Of one height whatever is said, so that nothing moves under the pointer. */
#status, #enlarged-status { height: 62px; padding: 9px 0; overflow: hidden auto; overflow-wrap: anywhere }
#status:empty::before { content: attr(data-hint); color: var(--soft) }
#status[data-hint=""] { height: 12px; padding: 0 }
#failure { padding: 10px 0; font-weight: 650 }
.help { margin: 16px 4px; color: var(--soft); font-size: 13.5px; max-width: 76ch }

.lines {
  display: grid; grid-template-columns: minmax(0, max-content) minmax(90px, 1fr) minmax(0, max-content); column-gap: 10px;
  max-width: 940px; margin: 0 auto;
}
.column-name { color: var(--soft); font-size: 12.5px; padding: 0 8px 6px }
.column-name.query { text-align: right }
.middle { position: relative; min-width: 0 }
.middle canvas { position: absolute; left: 0 }
.token {
  display: flex; justify-content: space-between; align-items: center; gap: 10px; height: 25px; padding: 0 8px; border-radius: 6px;
  cursor: default;
  background: rgba(var(--tint), calc(var(--weight, 0) * 0.5)); white-space: nowrap;
}
.token { min-width: 96px }
.tokens.query .token { flex-direction: row-reverse }
.token-text { overflow: hidden; text-overflow: ellipsis; max-width: 210px }
.token .number { min-width: 40px; font-size: 12.5px; color: var(--soft) }
.tokens.query .number { text-align: left }
.tokens.key .number { text-align: right }
.token.active { background: var(--accent); color: var(--on-accent) }
.token[aria-selected=true] { box-shadow: inset 0 0 0 2px var(--accent) }
.token:focus-visible { outline-offset: 1px }
.many .token { height: 18px; font-size: 12.5px; border-radius: 4px }
.note { grid-column: 1 / -1; padding-top: 10px; text-align: center }
.note:empty { display: none }

.model { overflow-x: auto }
.model th { padding: 2px 6px; font-size: 12.5px; text-align: center }
.model thead th { border: 0 }
.model td { padding: 3px }
.thumb { display: block; padding: 0; border: 1px solid var(--rule); border-radius: 8px; background: var(--surface); cursor: zoom-in }
.thumb:hover { border-color: var(--accent); background: var(--hover) }
.thumb canvas { display: block }

.heat { overflow-x: auto; padding: 3px }
.heat canvas { display: block; touch-action: pan-x pan-y; border-radius: 3px }
.legend { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 14px 3px }
.legend .bar { width: 130px; height: 10px; border-radius: 5px; border: 1px solid var(--rule) }

@media (max-width: 720px) {
  .stage { padding: 6px 10px 14px }
  .token-text { max-width: 72px }
  #status, #enlarged-status { height: 110px }
}

dialog {
  width: min(860px, 94vw); max-height: 92vh; padding: 18px 22px 22px; border: 1px solid var(--rule); border-radius: 14px;
  background: var(--surface); color: var(--ink); box-shadow: 0 18px 60px rgba(0, 0, 0, 0.35);
}
dialog::backdrop { background: rgba(10, 12, 16, 0.5) }
.dialog-head { display: flex; align-items: center; gap: 10px }
.dialog-head h2 { flex: 1 }
)css";

/// JavaScript of the controls, and what ties the views together.
inline constexpr std::string_view attention_page_script = R"js(
// ---- what is chosen -------------------------------------------------------------------------------------------------

const allHeads = (count) => Array.from({ length: count }, (_, head) => head);
const state = {
  view: page.view, part: 0, layer: page.layer, filter: "all", gain: 1,
  heads: page.chosenHeads.length ? page.chosenHeads : allHeads(page.parts[0].heads),
};
const chosenPart = () => page.parts[state.part];

/** What the reader chose is kept behind the # of the address: the page can be reloaded, and a link leads to what it shows. */
function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (["heads", "model", "table"].includes(given.get("view"))) state.view = given.get("view");
  const part = Number(given.get("part") ?? state.part);
  if (part in page.parts) state.part = part;
  if (given.has("layer")) state.layer = Number(given.get("layer"));
  if (given.has("heads")) state.heads = given.get("heads").split(",").filter((text) => text !== "").map(Number);
  if (/^[AB]{2}$/.test(given.get("texts") ?? "")) state.filter = given.get("texts");
}
function writeAddress() {
  const { view, part, layer, heads, filter } = state;
  const text = new URLSearchParams({ view, ...(part && { part }), layer, ...(heads.length < chosenPart().heads && { heads: heads.join() }),
                                     ...(filter !== "all" && { texts: filter }) });
  try { history.replaceState(null, "", "#" + text.toString().replaceAll("%2C", ",")); } catch { /* a page without an address of its own */ }
}

/** Makes the state one that the chosen part has. */
function settle() {
  const { layers, heads, secondText } = chosenPart();
  if (!layers.includes(state.layer)) state.layer = layers[0];
  state.heads = [...new Set(state.heads)].filter((head) => Number.isInteger(head) && head >= 0 && head < heads).sort((a, b) => a - b);
  if (secondText === null) state.filter = "all";
}

function selection() {
  const { queries, keys, secondText } = chosenPart();
  const range = (tokens, text) => (text === "A" ? [0, secondText] : text === "B" ? [secondText, tokens.length] : [0, tokens.length]);
  const [from, to] = state.filter === "all" ? ["", ""] : state.filter;
  const { part, layer, heads: chosen, gain } = state;
  return { partIndex: part, layer, heads: chosen, gain, queries: range(queries, from), keys: range(keys, to) };
}

// ---- the views ------------------------------------------------------------------------------------------------------

const hints = { heads: "Point at a token, or use the arrow keys, to see its numbers.", model: "",
                table: "Point at a cell, or use the arrow keys, to read its number." };
const say = (text) => { if (byId("status").textContent !== text) byId("status").textContent = text; };
const sayInDialog = (text) => { byId("enlarged-status").textContent = text; };

/** Says that there are no numbers to show. */
function fail(error) {
  let canUnpack = true;
  try { new DecompressionStream("deflate-raw"); } catch { canUnpack = false; }
  byId("failure").textContent = canUnpack
    ? `The numbers of this page cannot be unpacked: the file is damaged. (${error.message})`
    : "This browser cannot unpack the numbers of this page. Browsers of 2023 and later can: Chrome 103, Firefox 113, Safari 16.4.";
  byId("failure").hidden = false;
}

let loads = 0;
const asked = {};  // by place: the last that is to be shown there
/** Calls `show(selection)` when the selection's numbers are there, unless something else is to be shown in that place by then. */
async function showLoaded(place, selection, show) {
  const mine = (asked[place] = {});
  const setBusy = (change) => {
    loads += change;
    document.documentElement.dataset.ready = String(loads === 0);
    byId("stage").setAttribute("aria-busy", String(loads > 0));
  };
  setBusy(1);
  try {
    await load(selection);
    if (asked[place] === mine) show(selection);
    await new Promise(requestAnimationFrame);  // and is drawn
  } catch (error) {
    fail(error);
  }
  setBusy(-1);
}
const views = {
  heads: new LineView(byId("heads-view"), say),
  model: new ModelView(byId("model-view"), enlarge, fail),
  table: new TableView(byId("table-view"), say),
};
const enlarged = new LineView(byId("enlarged-view"), sayInDialog);

function enlarge(layer, head) {
  byId("enlarged-title").textContent = `Layer ${layer}, head ${head}`;
  byId("open-in-heads").onclick = () => {
    Object.assign(state, { view: "heads", layer, heads: [head] });
    byId("enlarged").close();
    fillControls();
    update();
    document.querySelector("#layer input:checked").focus();
  };
  byId("enlarged").showModal();
  showLoaded("dialog", { ...selection(), layer, heads: [head] }, (now) => enlarged.show(now));
}
byId("close").addEventListener("click", () => byId("enlarged").close());

// ---- the controls ---------------------------------------------------------------------------------------------------

const set = (name) => (value) => {
  state[name] = value;
  if (name === "part") fillControls();
  update();
};

function fillControls() {
  settle();
  const { layers, heads, secondText, name } = chosenPart();
  radios(byId("view"), [["heads", "Heads"], ["model", "Model"], ["table", "Table"]], state.view, set("view"));
  radios(byId("part"), page.parts.map((part, i) => [i, part.name || `Part ${i}`]), state.part, set("part"));
  byId("part").hidden = page.parts.length < 2;
  radios(byId("layer"), layers.map((layer) => [layer, String(layer)]), state.layer, set("layer"));
  radios(byId("filter"), [["all", "All"], ["AA", "A→A"], ["AB", "A→B"], ["BA", "B→A"], ["BB", "B→B"]], state.filter, set("filter"));
  byId("filter").hidden = secondText === null;
  byId("squares").replaceChildren(...allHeads(heads).map((head) => make("button",
    { type: "button", className: "head", tabIndex: -1, "data-head": head, "aria-label": `Head ${head}`,
      title: `Head ${head}: click to show or hide it, double-click to show it alone` }, String(head))));
  squares.reset();
  paintSquares();
}

const squares = rove(byId("squares"), ".head", () => 1);
function paintSquares() {
  const colours = headColours(chosenPart().heads), dark = matchMedia("(prefers-color-scheme: dark)").matches;
  for (const square of byId("squares").children) {
    const head = Number(square.dataset.head);
    square.style.setProperty("--head", colours[head]);
    square.style.setProperty("--on-head", dark || head % 2 ? "#0d1117" : "#ffffff");
    square.setAttribute("aria-pressed", String(state.heads.includes(head)));
  }
}
onTheme(paintSquares);

const chooseHeads = (heads) => { state.heads = heads; update(); };
const alone = (head) => chooseHeads(headsBefore.length === 1 && headsBefore[0] === head ? allHeads(chosenPart().heads) : [head]);
let headsBefore = state.heads;  // what was chosen before the first click of a double-click
byId("squares").addEventListener("click", (event) => {
  const square = event.target.closest(".head");
  if (!square) return;
  const head = Number(square.dataset.head);
  if (event.detail <= 1) headsBefore = state.heads;
  if (event.shiftKey) return alone(head);
  chooseHeads(state.heads.includes(head) ? state.heads.filter((other) => other !== head) : [...state.heads, head]);
});
byId("squares").addEventListener("dblclick", (event) => {
  const square = event.target.closest(".head");
  if (square && !event.shiftKey) alone(Number(square.dataset.head));
});
byId("all-heads").addEventListener("click", () => chooseHeads(allHeads(chosenPart().heads)));
byId("no-heads").addEventListener("click", () => chooseHeads([]));
byId("strength").querySelector("input").addEventListener("input", (event) => set("gain")(2 ** Number(event.target.value)));

/** Shows the state. */
function update() {
  settle();
  paintSquares();
  const { queries, keys, heads, layers } = chosenPart();
  const isCross = queries.length !== keys.length || queries.some((token, i) => token !== keys[i]);
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  byId("subtitle").textContent = [count(layers.length, "layer"), count(heads, "head"),
    isCross ? `${count(queries.length, "token")} to ${keys.length}` : count(queries.length, "token")].join(" · ");
  byId("layer").hidden = byId("heads").hidden = state.view === "model";
  for (const name in views) byId(name + "-view").hidden = name !== state.view;
  byId("heads-view").classList.toggle("many", queries.length > 60);
  byId("enlarged-view").classList.toggle("many", queries.length > 60);
  byId("status").dataset.hint = hints[state.view];
  if (state.view === "model") say("");
  const now = selection();
  showLoaded("stage", state.view === "model" ? { ...now, heads: [] } : now, () => views[state.view].show(now));
  writeAddress();
}

byId("title").textContent = page.title || "Attention";
byId("title").dir = "auto";
readAddress();
byId("precision").hidden = page.scale === finestScale;
fillControls();
update();
)js";

}  // namespace axiform::detail
