#!/usr/bin/env python3
"""Draws attention as a picture for docs/images, from what the examples print:

    build/release/examples/axiform attention --json TEXT | docs/images/attention_svg.py >docs/images/attention.svg

A cell's colour is the square root of its value, so that small shares can be told apart; values of 0.1 and more are written out.
The picture has its own background, light or dark as the reader's system is.
"""

import json
import sys
from xml.sax.saxutils import escape

CELL, LEFT, TOP, RIGHT, BOTTOM = 27, 76, 70, 26, 38
STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de } .cell { fill: #0b62c4 } .text { fill: #24292f } .faint { fill: #57606a } .on { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d } .cell { fill: #58a6ff } .text { fill: #e6edf3 } .faint { fill: #8b949e } .on { fill: #ffffff }
  }
  text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
  .number { font-size: 9.5px; text-anchor: middle }
"""


def main():
    if len(sys.argv) > 1:
        sys.exit(__doc__.strip())
    document = json.load(sys.stdin)
    tokens, attention = document["tokens"], document["attention"]
    width, height = LEFT + CELL * len(tokens) + RIGHT, TOP + CELL * len(tokens) + BOTTOM
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
             f"<title>Which token attends to which: one row a token, shares that sum to 1</title><style>{STYLE}</style>",
             f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>']
    for i, token in enumerate(tokens):
        x, y = LEFT + CELL * (i + 0.5), TOP + CELL * (i + 0.5)
        lines.append(f'<text class="text" x="{LEFT - 8}" y="{y + 4:g}" text-anchor="end">{escape(token)}</text>')
        lines.append(f'<text class="text" transform="translate({x + 4:g} {TOP - 8}) rotate(-60)">{escape(token)}</text>')
        for j, share in enumerate(attention[i]):
            cell = f'x="{LEFT + CELL * j + 1}" y="{TOP + CELL * i + 1}" width="{CELL - 2}" height="{CELL - 2}" rx="3"'
            strength = min(1.0, share) ** 0.5
            lines.append(f'<rect class="cell" {cell} fill-opacity="{max(strength, 0.04):.2f}"/>')
            if share >= 0.095:
                colour = "on" if strength > 0.55 else "text"
                lines.append(f'<text class="number {colour}" x="{LEFT + CELL * (j + 0.5):g}" y="{y + 3.5:g}">{share:.2f}</text>'.replace(">0.", ">."))
    lines.append(f'<text class="faint" x="{LEFT}" y="{height - 14}">each row sums to 1 · MiniLM-L6, last layer, mean of all heads'
                 "</text></svg>")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
