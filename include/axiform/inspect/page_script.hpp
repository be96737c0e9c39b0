/// @file
/// The JavaScript that all HTML pages of this room have.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// JavaScript: what the page was given, and small helpers. No framework: see docs/decisions/0011-attention-pages-without-a-library.md.
inline constexpr std::string_view page_script = R"js(
"use strict";

/** What the page was given. */
const page = JSON.parse(document.getElementById("page").textContent);

const byId = (id) => document.getElementById(id);
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** A new element with properties (and data-, aria- and role attributes), and children: elements or text, which stays text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(data|aria)-|^(role|scope|for)$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** A token as it can be seen: spaces at its ends, line ends, control and direction characters are drawn as symbols. */
function visible(token) {
  if (token === "") return "∅";
  return token
    .replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length))
    .replace(/\n/g, "↵")
    .replace(/\t/g, "⇥")
    .replace(/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
             (c) => "⟨" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩");
}

/** A token in a sentence: as it can be seen, and no longer than is read out at ease. */
function brief(token) {
  const text = [...visible(token.slice(0, 200))];
  return text.length > 40 ? text.slice(0, 39).join("") + "…" : text.join("");
}

/** A token in an element of its own, so that its direction does not touch what is round it. */
const tokenElement = (token) => make("bdi", { className: "token-text" }, visible(token));

/** A token in running text: line ends break lines and are marked, what cannot be seen is drawn as a symbol. */
function runningText(token) {
  const parts = token.split("\n").flatMap((line, i) => (i ? [make("span", { className: "mark" }, "↵"), "\n", line] : [line]));
  const shown = (part) => part.replace(/\S.*\S|\S/s, visible);  // spaces stay spaces
  return parts.map((part) => (typeof part === "string" && part !== "\n" ? shown(part) : part));
}

/** A share of 1 in hundredths. */
const percent = (share) => (100 * share).toFixed(share < 0.00995 ? 2 : 1) + " %";

/** The value of a colour of the style, as it is now. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Calls `draw` again whenever the system changes between light and dark. */
const onTheme = (draw) => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

/** Fills a fieldset with radio buttons: native ones, which arrow keys and screen readers know. `options` are [value, text] pairs. */
function radios(fieldset, options, chosen, choose) {
  const group = make("div", { className: "choices" });
  for (const [value, text] of options) {
    const input = make("input", { type: "radio", name: fieldset.id, value: String(value), checked: value === chosen });
    input.addEventListener("change", () => choose(value));
    group.append(make("label", {}, input, make("span", {}, text)));
  }
  fieldset.querySelector(".choices")?.remove();
  fieldset.append(group);
}

/**
 * Makes the items of `host` one stop of the Tab key, with arrow keys, Home and End among them. `columns()` is how many stand in a row;
 * `move(event, index, items)` may decide otherwise: the new index, or nothing.
 */
function rove(host, selector, columns, move = () => undefined) {
  const items = () => [...host.querySelectorAll(selector)];
  const setStop = (chosen) => { for (const item of items()) item.tabIndex = item === chosen ? 0 : -1; };
  host.addEventListener("focusin", (event) => { if (event.target.matches(selector)) setStop(event.target); });
  host.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || !event.target.matches(selector)) return;
    const all = items(), index = all.indexOf(event.target), step = columns();
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: step, ArrowUp: -step, PageDown: 10 * step, PageUp: -10 * step };
    let next = move(event, index, all);
    if (next === undefined && event.key in steps) {
      next = index + steps[event.key];
      if (event.key.startsWith("Page")) next = clamp(next, index % step, all.length - step + index % step);
    }
    if (next === undefined && event.key === "Home") next = 0;
    if (next === undefined && event.key === "End") next = all.length - 1;
    if (next === undefined) return;
    event.preventDefault();
    all[next]?.focus();
  });
  return { reset: () => { const all = items(); setStop(all.find((item) => item.tabIndex === 0) ?? all[0]); } };
}

/** Sizes a canvas in CSS pixels for the screen that it is on, and gives a context whose unit is one of them. */
function fitCanvas(canvas, width, height) {
  const ratio = Math.min(devicePixelRatio || 1, 8192 / Math.max(width, height, 1));
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const [columns, rows] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== columns) canvas.width = columns;
  if (canvas.height !== rows) canvas.height = rows;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

/** `draw`, once before the next frame however often it is asked for. */
function oncePerFrame(draw) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => { isWaiting = false; draw(); });
  };
}

/** "#rrggbb" as numbers. */
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** 256 colours from --heat-0 to --heat-4 for the square root of a weight, so that small weights can be told apart. */
function heatColours() {
  const stops = [0, 1, 2, 3, 4].map((i) => rgb(colour("--heat-" + i)));
  return Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * 4, below = Math.min(3, Math.floor(place)), part = place - below;
    return stops[below].map((value, channel) => Math.round(value + (stops[below + 1][channel] - value) * part));
  });
}
)js";

}  // namespace axiform::detail
