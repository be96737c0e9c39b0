#!/usr/bin/env python3
"""Draws the Transformer (Vaswani et al. 2017, figure 1) with the names that its parts have in Axiform, for docs/images:

    docs/images/transformer_svg.py >docs/images/transformer.svg

The picture has its own background, light or dark as the reader's system is.
"""

import sys
from xml.sax.saxutils import escape

STYLE = """
  .card { fill: #ffffff; stroke: #d0d7de } .text { fill: #24292f } .faint { fill: #57606a } .line { stroke: #57606a; fill: none; stroke-width: 1.3 }
  .head { fill: #57606a } .group { fill: none; stroke: #afb8c1; stroke-dasharray: 4 3 }
  .attention { fill: #ffd8a8; stroke: #d9822b } .mlp { fill: #a5d8ff; stroke: #1c7ed6 } .norm { fill: #fff3bf; stroke: #e0b000 }
  .embedding { fill: #ffc9c9; stroke: #e03131 } .linear { fill: #d0bfff; stroke: #7048e8 } .softmax { fill: #b2f2bb; stroke: #2f9e44 }
  .label { fill: #24292f; text-anchor: middle } .name { fill: #495057; text-anchor: middle; font-size: 10.5px }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #30363d } .text { fill: #e6edf3 } .faint { fill: #8b949e } .line { stroke: #8b949e } .head { fill: #8b949e }
    .group { stroke: #484f58 }
  }
  text { font: 12.5px system-ui, "Segoe UI", "DejaVu Sans", sans-serif } .name { font-family: ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace }
"""
BOX, HALF = 196, 98


class Picture:
    def __init__(self):
        self.lines = []

    def box(self, kind, x, y, height, label, name):
        """A box whose lower edge is at y; x is its middle."""
        self.lines.append(f'<rect class="{kind}" x="{x - HALF}" y="{y - height}" width="{BOX}" height="{height}" rx="5"/>')
        self.lines.append(f'<text class="label" x="{x}" y="{y - height / 2 - 2:g}">{escape(label)}</text>')
        self.lines.append(f'<text class="name" x="{x}" y="{y - height / 2 + 12:g}">{escape(name)}</text>')

    def path(self, points):
        data = "M" + " L".join(f"{x} {y}" for x, y in points)
        self.lines.append(f'<path class="line" d="{data}" marker-end="url(#head)"/>')

    def text(self, style, x, y, text, anchor="middle"):
        self.lines.append(f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>')

    def part(self, x, y, kind, label, name, norm, side):
        """A part with its residual and norm, from y upwards; what it reads enters at y. Returns where it ends."""
        self.path([(x, y), (x, y - 22)])
        self.box(kind, x, y - 22, 36, label, name)
        self.path([(x, y - 58), (x, y - 72)])
        self.box("norm", x, y - 72, 36, "Add & norm", norm)
        edge = x + side * (HALF + 16)
        self.path([(x, y - 12), (edge, y - 12), (edge, y - 90), (x + side * HALF, y - 90)])
        return y - 108


def embedding(picture, x, y, ids, name):
    picture.text("text", x, y + 20, ids)
    picture.path([(x, y + 6), (x, y - 8)])
    picture.box("embedding", x, y - 8, 36, "Embedding · √width", name)
    picture.path([(x, y - 44), (x, y - 56)])
    picture.box("embedding", x, y - 56, 36, "+ positional encoding", "Sinusoids")
    return y - 92


def main():
    if len(sys.argv) > 1:
        sys.exit(__doc__.strip())
    width, height, left, right = 660, 628, 180, 480
    picture = Picture()
    y = embedding(picture, left, 588, "source ids", "tokens")
    bottom = y - 3
    y = picture.part(left, y, "attention", "Multi-head attention", "attention", "attention_norm", -1)
    y = picture.part(left, y, "mlp", "Feed forward", "mlp", "mlp_norm", -1)
    encoder_end = y
    picture.lines.append(f'<rect class="group" x="{left - HALF - 32}" y="{y - 8}" width="{BOX + 50}" height="{bottom - y + 6}" rx="8"/>')
    picture.text("faint", left - HALF - 20, y - 16, "encoder: N ×", "start")

    y = embedding(picture, right, 588, "target ids, from the start token on", "tokens")
    y = picture.part(right, y, "attention", "Masked multi-head attention", "attention", "attention_norm", 1)
    cross = y - 40
    y = picture.part(right, y, "attention", "Multi-head attention", "cross_attention", "cross_attention_norm", 1)
    y = picture.part(right, y, "mlp", "Feed forward", "mlp", "mlp_norm", 1)
    picture.lines.append(f'<rect class="group" x="{right - HALF - 18}" y="{y - 8}" width="{BOX + 50}" height="{bottom - y + 6}" rx="8"/>')
    picture.text("faint", right + HALF + 20, y - 16, "decoder: N ×", "end")
    picture.path([(left, encoder_end), (left, encoder_end - 34), (330, encoder_end - 34), (330, cross), (right - HALF, cross)])
    picture.text("faint", 324, encoder_end - 42, "ProjectedSource: keys and values, once", "end")

    picture.path([(right, y), (right, y - 34)])
    picture.box("linear", right, y - 34, 36, "Linear", "lm_head: tokens again")
    picture.path([(right, y - 70), (right, y - 84)])
    picture.box("softmax", right, y - 84, 36, "Softmax", "generate()")
    picture.path([(right, y - 120), (right, y - 138)])
    picture.text("text", right, y - 144, "next token")
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">')
    print(f"<title>The Transformer: an encoder, and a decoder that attends to it</title><style>{STYLE}</style>")
    print('<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
          '<path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>')
    print(f'<rect class="card" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>')
    print("\n".join(picture.lines))
    print("</svg>")


if __name__ == "__main__":
    main()
