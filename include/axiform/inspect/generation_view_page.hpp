/// @file
/// The generation page's HTML, style and JavaScript.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// HTML of the generation page. The script fills what is empty.
inline constexpr std::string_view generation_page_body = R"html(
<header>
  <h1 id="title"></h1>
  <p class="subtitle" id="subtitle"></p>
</header>
<main class="generation">
  <section class="card text" aria-label="Text">
    <div class="text-head"><fieldset id="colour"><legend>Colour by</legend></fieldset><div class="legend quiet" id="legend"></div></div>
    <div class="running"><span id="prompt"></span><span id="tokens" role="listbox" aria-label="Generated tokens"
      aria-orientation="horizontal"></span></div>
    <h2 class="chart-name" id="chart-name">Entropy of each step, in nats</h2>
    <div class="chart"><canvas id="chart" role="img" aria-labelledby="chart-name"></canvas></div>
  </section>
  <section class="card step" aria-label="Step">
    <p id="status" role="status"></p>
    <dl id="facts"></dl>
    <table id="alternatives"><caption>What else could have come</caption>
      <thead class="away"><tr><th scope="col">token</th><th scope="col">probability</th></tr></thead><tbody></tbody></table>
  </section>
  <details class="all-steps" id="all-steps"><summary>All steps as a table</summary>
    <div class="scroll card" tabindex="0" role="region" aria-label="All steps"></div></details>
</main>
)html";

/// CSS of the generation page.
inline constexpr std::string_view generation_page_style = R"css(
header { margin-bottom: 18px }
:root { --unsure: 214, 98, 24 }
@media (prefers-color-scheme: dark) { :root { --unsure: 255, 143, 64 } }
.generation { display: grid; grid-template-columns: minmax(0, 1fr) 350px; gap: 16px; align-items: start }
@media (max-width: 860px) { .generation { grid-template-columns: minmax(0, 1fr) } }
.text, .step { padding: 16px 20px 20px }
.step { position: sticky; top: 16px }
.text-head { display: flex; flex-wrap: wrap; gap: 10px 24px; align-items: center; margin-bottom: 14px }
.legend { display: flex; align-items: center; gap: 8px }
.legend .bar {
  width: 90px; height: 10px; border-radius: 5px; border: 1px solid var(--rule);
  background: linear-gradient(to right, rgba(var(--unsure), 0), rgba(var(--unsure), 0.75));
}
.running { font-size: 17px; line-height: 2; white-space: pre-wrap; overflow-wrap: anywhere }
#prompt { color: var(--soft) }
.token {
  padding: 4px 0; border-radius: 4px; cursor: default; background: rgba(var(--unsure), calc(var(--doubt, 0) * 0.6));
  box-shadow: inset 0 -2px rgba(var(--unsure), calc(var(--doubt, 0) * 0.9));
}
.token + .token { margin-left: 1px }
.token.active { background: var(--accent); color: var(--on-accent); box-shadow: none }
.token[aria-selected=true]:not(.active) { outline: 2px solid var(--accent) }
.mark { opacity: 0.55 }
.chart-name { margin: 22px 0 8px; color: var(--soft); font-size: 13px; font-weight: 500 }
.chart canvas { display: block; width: 100% }
#status { height: 74px; margin-bottom: 10px; overflow: hidden auto; overflow-wrap: anywhere; font-size: 14px }
#facts { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin: 0 0 18px }
#facts div { padding: 8px 10px; border: 1px solid var(--rule); border-radius: 9px }
#facts dt { color: var(--soft); font-size: 12px }
#facts dd { margin: 0; font-size: 18px; font-weight: 600 }
#alternatives { width: 100% }
#alternatives td, #alternatives th { padding: 3px 0 }
#alternatives th {
  width: 42%; max-width: 130px; padding-right: 12px; overflow: hidden; text-align: left; text-overflow: ellipsis; color: var(--ink);
  font-weight: 400;
}
#alternatives tr.came th { font-weight: 650; color: var(--accent) }
#alternatives td { position: relative }
#alternatives .bar { position: absolute; inset: 4px 58px 4px 0; border-radius: 4px; overflow: hidden; background: var(--hover) }
#alternatives .bar span { display: block; height: 100%; width: calc(var(--share) * 100%); border-radius: 4px; background: var(--soft) }
#alternatives .came .bar span { background: var(--accent) }
.all-steps { grid-column: 1 / -1 }
.all-steps .scroll { padding: 12px 16px }
.all-steps td:last-child, .all-steps th:last-child { text-align: left }
)css";

/// JavaScript of the generation page.
inline constexpr std::string_view generation_page_script = R"js(
const steps = page.steps;
let colouring = "probability", pointed = null, chosen = steps.length ? 0 : null;
const mostEntropy = Math.max(1e-9, ...steps.map((step) => step.entropy));
/** 0 where the model was sure, 1 where it was least so. */
const doubt = (step) => (colouring === "probability" ? 1 - step.probability : step.entropy / mostEntropy);
/** Which of the alternatives came, or -1. */
const rank = (step) => step.alternatives.findIndex(([token, share]) => token === step.token && Math.abs(share - step.probability) < 1e-9);

// ---- the text: every token is an option of a list, as wide as its text ----------------------------------------------

const list = byId("tokens");
byId("prompt").append(...runningText(page.prompt));
steps.forEach((step, i) => list.append(make("span",
  { className: "token", role: "option", tabIndex: i ? -1 : 0, "data-index": i, "aria-selected": "false",
    "aria-label": `${brief(step.token)}, ${percent(step.probability)}` }, ...(step.token === "" ? ["∅"] : runningText(step.token)))));
const tokens = [...list.querySelectorAll(".token")];
const indexOf = (event) => { const token = event.target.closest?.(".token"); return token ? Number(token.dataset.index) : null; };
list.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") point(indexOf(event)); });
list.addEventListener("pointerleave", () => point(null));
list.addEventListener("click", (event) => { const index = indexOf(event); if (index !== null) tokens[index].focus(); });
list.addEventListener("focusin", (event) => { chosen = indexOf(event); update(); });
rove(list, ".token", () => 1);

function point(index) {
  if (index === pointed) return;
  pointed = index;
  update();
}

// ---- one step -------------------------------------------------------------------------------------------------------

function update() {
  const active = pointed ?? chosen;
  list.querySelectorAll(".active, [aria-selected=true]").forEach((token) => {
    token.classList.remove("active");
    token.setAttribute("aria-selected", "false");
  });
  if (active !== null) tokens[active].classList.add("active");
  if (chosen !== null) tokens[chosen].setAttribute("aria-selected", "true");
  showStep(active);
  redraw();
}

function showStep(index) {
  if (index === null) {
    byId("status").textContent = "Nothing was generated.";
    return;
  }
  const step = steps[index], place = rank(step);
  const others = step.alternatives.filter((_, i) => i !== place).slice(0, 3).map(([token, share]) => `${brief(token)} ${percent(share)}`);
  byId("status").textContent = `Step ${index + 1} of ${steps.length}: ${brief(step.token)}, ${percent(step.probability)}, ` +
    `entropy ${step.entropy.toFixed(3)} nats.` + (others.length ? ` Else: ${others.join(", ")}.` : "");
  const fact = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  byId("facts").replaceChildren(fact("probability", percent(step.probability)), fact("entropy", step.entropy.toFixed(3)),
    fact("rank", place < 0 ? `> ${step.alternatives.length}` : String(place + 1)));
  const row = ([token, share], came) => {
    const fill = make("span");
    fill.style.setProperty("--share", share);
    return make("tr", { className: came ? "came" : "" }, make("th", { scope: "row", title: visible(token) }, tokenElement(token)),
                make("td", {}, make("span", { className: "bar", "aria-hidden": "true" }, fill), percent(share)));
  };
  const rows = step.alternatives.map((alternative, i) => row(alternative, i === place));
  if (place < 0) rows.push(row([step.token, step.probability], true));
  byId("alternatives").tBodies[0].replaceChildren(...rows);
}

// ---- entropy over the steps -----------------------------------------------------------------------------------------

const chart = byId("chart"), height = 96;
const stepWidth = () => Math.min(42, chart.parentElement.clientWidth / Math.max(steps.length, 1));
const stepAt = (event) => clamp(Math.floor((event.clientX - chart.getBoundingClientRect().left) / stepWidth()), 0, steps.length - 1);
chart.addEventListener("pointermove", (event) => { if (steps.length) point(stepAt(event)); });
chart.addEventListener("pointerleave", () => point(null));
chart.addEventListener("click", (event) => { if (steps.length) tokens[stepAt(event)].focus(); });
const redraw = oncePerFrame(() => {
  const width = chart.parentElement.clientWidth, pen = fitCanvas(chart, width, height), active = pointed ?? chosen;
  const [soft, accent, rule, doubtful] = ["--soft", "--accent", "--rule", "--unsure"].map(colour);
  const step = stepWidth(), gap = step > 5 ? 2 : 0;
  pen.fillStyle = rule;
  pen.fillRect(0, height - 1, width, 1);
  steps.forEach(({ entropy }, i) => {
    const tall = Math.max(1, (entropy / mostEntropy) * (height - 16));
    pen.fillStyle = i === active ? accent : `rgba(${doubtful}, ${0.25 + 0.6 * (entropy / mostEntropy)})`;
    pen.fillRect(i * step, height - 1 - tall, Math.max(0.5, step - gap), tall);
  });
  pen.fillStyle = soft;
  pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  if (steps.length) pen.fillText(`highest ${mostEntropy.toFixed(2)}`, 0, 10);
});
new ResizeObserver(redraw).observe(chart.parentElement);
onTheme(redraw);

// ---- all of it ------------------------------------------------------------------------------------------------------

function paint() {
  steps.forEach((step, i) => tokens[i].style.setProperty("--doubt", doubt(step).toFixed(4)));
  const [least, most] = colouring === "probability" ? ["probable", "improbable"] : ["sure", `${mostEntropy.toFixed(2)} nats`];
  const bar = make("span", { className: "bar", "aria-hidden": "true" });
  byId("legend").replaceChildren(make("span", {}, least), bar, make("span", {}, most));
}
radios(byId("colour"), [["probability", "Probability"], ["entropy", "Entropy"]], colouring, (value) => { colouring = value; paint(); });
byId("all-steps").addEventListener("toggle", () => {
  const host = byId("all-steps").lastElementChild;
  if (host.firstChild) return;
  const head = ["step", "token", "probability", "entropy", "alternatives"].map((name) => make("th", { scope: "col" }, name));
  const cell = (text) => make("td", {}, text);
  const others = (step) => step.alternatives.map(([token, share]) => `${visible(token)} ${share.toFixed(4)}`).join(", ");
  const row = (step, i) => make("tr", {}, cell(String(i + 1)), make("th", { scope: "row" }, tokenElement(step.token)),
    cell(step.probability.toFixed(4)), cell(step.entropy.toFixed(4)), cell(others(step)));
  host.append(make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...steps.map(row))));
});
byId("title").textContent = page.title || "Generation";
byId("title").dir = "auto";
const perplexity = Math.exp(-steps.reduce((sum, step) => sum + Math.log(step.probability), 0) / Math.max(steps.length, 1));
byId("subtitle").textContent = `${steps.length} token${steps.length === 1 ? "" : "s"} generated` +
  (steps.length && Number.isFinite(perplexity) ? ` · perplexity ${perplexity.toFixed(2)}` : "");
paint();
update();
document.documentElement.dataset.ready = "true";
)js";

}  // namespace axiform::detail
