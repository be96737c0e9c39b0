"""Plots as SVG, readable on light and dark pages: how much faster than each peer, and what share of the machine's limit."""
import html
import math

STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 14px } .quiet { fill: #59636e } .end { text-anchor: end }
.middle { text-anchor: middle } .grid { stroke: #d1d9e0 } .one { stroke: #59636e; stroke-width: 1.5 } .win { fill: #2f74c0 } .loss { fill: #c4560f }
.peer { fill: #a9b1ba } .whisker { stroke: #1f2328; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d } .one { stroke: #9198a1 }
.win { fill: #58a6ff } .loss { fill: #f0883e } .peer { fill: #656c76 } .whisker { stroke: #f0f6fc } }
</style>"""
NAMES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "pytorch": "PyTorch", "ctranslate2": "CTranslate2", "tokenizers": "HF crate"}
MODELS = {"bert_base": "BERT base", "mpnet": "MPNet", "minilm": "MiniLM", "e5": "multilingual-e5", "gpt2": "GPT-2", "smollm2": "SmolLM2", "marian": "Marian",
          "tokenizer": "tokenizer", "start": "start of"}
# What the README shows, of what there is.
HEADLINES = ("bert_base/f32/1x16", "bert_base/f32/8x128", "bert_base/bf16/1x128", "bert_base/bf16/8x128", "bert_base/q8_0/1x128", "bert_base/q8_0/8x128",
             "minilm/f32/sentences", "minilm/f32/one", "gpt2/f32/decode/512", "gpt2/q8_0/decode/512", "gpt2/f32/prefill/512", "smollm2/q4_1/decode/16",
             "smollm2/q4_k_m/decode/16", "smollm2/q4_1/prefill/512", "smollm2/bf16/prefill/512", "marian/f32/16x64/24/beam4", "tokenizer/word_piece/prose/warm",
             "tokenizer/byte_bpe/code/warm", "start/minilm/f32")


def name_of(work):
    model, *parts = work.split("/")
    return f"{MODELS.get(model, model)} {' '.join(parts)}"


class Svg:
    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
                      f"<title>{html.escape(title)}</title>", STYLE]

    def text(self, x, y, text, kind=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{html.escape(text)}</text>')

    def rect(self, x, y, width, height, kind):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" rx="2" class="{kind}"/>')

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>')

    def __str__(self):
        return "\n".join([*self.parts, "</svg>\n"])


def speed(title, rows):
    """`rows` are (label, peer, ratio, low, high). Bars begin at 1, on a logarithmic scale: to the right where we are faster, to the left where the peer is."""
    left, right, top, step = 240, 110, 56, 22
    width, height = 780, top + step * len(rows) + 34
    least = min(0.5, *(row[3] for row in rows)) if rows else 0.5
    most = max(4.0, *(row[4] for row in rows)) if rows else 4.0
    scale = (width - left - right) / math.log(most / least)
    x = lambda ratio: left + math.log(ratio / least) * scale
    svg = Svg(width, height, title)
    svg.text(12, 22, title, "title")
    svg.text(12, 40, "times as fast as the peer, logarithmic; the line is the interval of 95 %; orange where the peer is faster", "quiet")
    for tick in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64):
        if least <= tick <= most:
            svg.line(x(tick), top - 6, x(tick), height - 26, "one" if tick == 1 else "grid")
            svg.text(x(tick), height - 10, f"{tick:g}", "middle quiet")
    for i, (label, peer, ratio, low, high) in enumerate(rows):
        y = top + i * step
        svg.text(left - 8, y + 13, label, "end")
        svg.rect(min(x(1), x(ratio)), y + 3, abs(x(ratio) - x(1)), 14, "win" if ratio >= 1 else "loss")
        svg.line(x(low), y + 10, x(high), y + 10, "whisker")
        svg.text(max(x(1), x(high)) + 6, y + 14, f"{ratio:.2f} {NAMES.get(peer, peer)}", "quiet")
    return str(svg)


def limits(title, rows):
    """`rows` are (label, kind, our share, [(peer, share)])."""
    left, right, top = 240, 130, 56
    heights = [12 * (1 + len(peers)) + 12 for _, _, _, peers in rows]
    width, height = 780, top + sum(heights) + 34
    most = max(1.0, *(max([share, *(one for _, one in peers)]) for _, _, share, peers in rows)) if rows else 1.0
    x = lambda share: left + share / most * (width - left - right)
    svg = Svg(width, height, title)
    svg.text(12, 22, title, "title")
    svg.text(12, 40, "per cent of what the machine can do: arithmetic of the format (fma, bf16, int8), or reading memory; blue is Axiform", "quiet")
    for tick in (0, 0.25, 0.5, 0.75, 1):
        svg.line(x(tick), top - 6, x(tick), height - 26, "one" if tick == 1 else "grid")
        svg.text(x(tick), height - 10, f"{100 * tick:.0f}", "middle quiet")
    y = top
    for (label, kind, share, peers), taken in zip(rows, heights):
        svg.text(left - 8, y + 12, f"{label}, {kind}", "end")
        for j, (peer, value) in enumerate([("Axiform", share), *peers]):
            svg.rect(x(0), y + 12 * j + 2, x(value) - x(0), 10, "peer" if j else "win")
            svg.text(x(value) + 5, y + 12 * j + 11, f"{100 * value:.0f} {NAMES.get(peer, peer)}", "quiet")
        y += taken
    return str(svg)


def rows_of(summaries, fastest_alone):
    """Of each work its peers, or the fastest of them."""
    rows = []
    for work, found in summaries.items():
        peers = sorted(found["peers"].items(), key=lambda one: one[1]["ratio"])
        for i, (peer, one) in enumerate(peers[:1] if fastest_alone else peers):
            rows.append((name_of(work) if i == 0 else "", peer, one["ratio"], one["low"], one["high"]))
    return rows


def all_plots(summaries):
    """File names without .svg, and what is in them."""
    headlines = {work: summaries[work] for work in HEADLINES if work in summaries}
    found = {"speed": speed("Axiform beside the fastest peer", rows_of(headlines or summaries, True))}
    for model in dict.fromkeys(work.split("/")[0] for work in summaries):
        part = {work: one for work, one in summaries.items() if work.split("/")[0] == model}
        found[f"speed-{model}"] = speed(f"{MODELS.get(model, model)}: Axiform beside each peer", rows_of(part, False))
    shares = [(name_of(work), one["kind"], one["share"], [(peer, value["share"]) for peer, value in one["peers"].items()])
              for work, one in (headlines or summaries).items() if one["share"]]
    found["limits"] = limits("Share of the machine's limit", shares)
    return found
