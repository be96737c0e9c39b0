/// @file
/// The style that all HTML pages of this room have: colours in light and dark, type, controls.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// CSS. Colours are custom properties, so that what is drawn on a canvas can read them.
inline constexpr std::string_view page_style = R"css(
:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --surface: #ffffff; --ink: #1a1d21; --soft: #59626e; --rule: #dde1e7; --hover: #eef1f5;
  --accent: #2353cc; --on-accent: #ffffff; --tint: 35, 83, 204;
  --heat-0: #f3f6fb; --heat-1: #c9d9f6; --heat-2: #7ea5ea; --heat-3: #2f60c9; --heat-4: #0b2363;
  --head-even: 0.56; --head-odd: 0.72; --head-chroma: 0.17;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0d0f13; --surface: #15181e; --ink: #e8eaed; --soft: #9aa3af; --rule: #2b303a; --hover: #1f242d;
    --accent: #86aaff; --on-accent: #0d1320; --tint: 110, 155, 255;
    --heat-0: #1a1e26; --heat-1: #1f3768; --heat-2: #2f62c4; --heat-3: #79a5ff; --heat-4: #eaf1ff;
    --head-even: 0.66; --head-odd: 0.82; --head-chroma: 0.15;
  }
}
* { box-sizing: border-box }
[hidden] { display: none !important }
html { scrollbar-gutter: stable }
body {
  margin: 0 auto; padding: 28px 32px 56px; max-width: 1240px; background: var(--ground); color: var(--ink);
  font: 15px/1.45 Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
h1 { margin: 0 0 4px; font-size: 22px; line-height: 1.3; font-weight: 650; letter-spacing: -0.012em; overflow-wrap: anywhere }
h2 { margin: 0; font-size: 15px; font-weight: 650 }
p { margin: 0 }
button, input, select { font: inherit; color: inherit }
.subtitle { color: var(--soft) }
.card { background: var(--surface); border: 1px solid var(--rule); border-radius: 12px }
.quiet { color: var(--soft); font-size: 13px }

/* Focus is seen wherever it is. */
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }

/* A row of radio buttons that looks like one control. The inputs stay, for keyboards and screen readers. */
fieldset { display: flex; align-items: center; gap: 10px; margin: 0; padding: 0; border: 0; min-width: 0 }
legend { float: left; padding: 0; color: var(--soft); font-size: 13px }
.choices {
  display: inline-flex; flex-wrap: wrap; gap: 2px; padding: 3px; border: 1px solid var(--rule); border-radius: 9px; background: var(--ground);
}
.choices label { position: relative; display: block }
.choices input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer }
.choices span {
  display: block; min-width: 30px; padding: 3px 10px; border-radius: 6px; text-align: center; font-size: 13.5px; line-height: 20px;
  white-space: nowrap;
}
.choices input:hover + span { background: var(--hover) }
.choices input:checked + span { background: var(--accent); color: var(--on-accent); font-weight: 600 }
.choices input:focus-visible + span { outline: 2px solid var(--accent); outline-offset: 2px }
.plain {
  padding: 4px 11px; border: 1px solid var(--rule); border-radius: 8px; background: var(--surface); font-size: 13px; line-height: 20px;
  cursor: pointer;
}
.plain:hover { background: var(--hover) }

table { border-collapse: collapse; font-size: 13px }
caption { padding: 0 0 8px; text-align: left; color: var(--soft) }
th { font-weight: 500; color: var(--soft); white-space: nowrap }
td, th { padding: 2px 7px; text-align: right }
thead th { border-bottom: 1px solid var(--rule) }
.scroll { overflow: auto; max-height: 70vh }
details > summary { cursor: pointer; color: var(--soft); font-size: 13px }
details[open] > summary { margin-bottom: 10px }
.away { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
@media (max-width: 720px) { body { padding: 16px 12px 40px } }
@media (forced-colors: active) { .choices input:checked + span { forced-color-adjust: none } }
)css";

}  // namespace axiform::detail
