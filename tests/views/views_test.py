"""Opens the HTML pages of axiform/inspect in a headless Chromium and uses them as a reader does: mouse, keyboard, screen reader.

    python3 views_test.py PAGES [ATTENTION_EXAMPLE FIXTURES MODELS]
        PAGES: the program built from pages.cpp. The other three: examples/bert_attention_view, to compare its page with transformers' numbers.

Ends with 77 (skipped) only where no browser is there and scripts/setup cannot install one.
"""

import array
import base64
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path

from browser import Browser, find_browser

MORE = sys.argv[2:5]
FIXED_POINT = 0.5 / 65535  # half a step of the weights in a page
SENTENCE = 2  # of fixtures/models/minilm/sentences.json


def setUpModule():
    global folder, pages, browser
    folder = tempfile.TemporaryDirectory()
    pages = Path(folder.name)
    subprocess.run([sys.argv[1], pages], check=True)
    browser = Browser().__enter__()


def tearDownModule():
    browser.__exit__()
    folder.cleanup()


def numbers_of(page):
    return json.loads((pages / page).with_suffix(".json").read_text())


def inflated(text):
    """The bytes of an element with numbers, unpacked by zlib."""
    stream = zlib.decompressobj(-15)
    numbers = stream.decompress(base64.b64decode(text, validate=True))
    assert stream.eof and not stream.unused_data
    return numbers


def mean(*rows):
    return [sum(column) / len(column) for column in zip(*rows)]


def decimals(count):
    return 0.5 * 10**-count + FIXED_POINT + 1e-9


class ViewTest(unittest.TestCase):
    def tearDown(self):
        self.assertEqual(browser.errors, [])
        self.assertTrue(all(re.match("file:///|about:", url) for url in browser.requests), browser.requests)  # nothing but the page itself
        browser.scheme("light")
        browser.resize(1280, 900)

    def open(self, page, fragment=""):
        return browser.open(pages / page, fragment)

    def texts(self, selector):
        return browser.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)")

    def text(self, selector):
        return browser.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")

    def tokens(self, side, view="#heads-view"):
        return self.texts(f"{view} .tokens.{side} .token-text")

    def numbers(self, side, view="#heads-view"):
        return [float(text) for text in self.texts(f"{view} .tokens.{side} .number")]

    def token(self, side, index, view="#heads-view"):
        return f'{view} .tokens.{side} .token[data-index="{index}"]'

    def status(self):
        return self.text("#status")

    def check_close(self, found, expected, tolerance):
        self.assertEqual(len(found), len(expected))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(found, expected)), tolerance)

    def choose(self, group, value):
        browser.click(f'#{group} input[value="{value}"]')

    def pressed(self):
        return [int(text) for text in self.texts(".head[aria-pressed=true]")]

    def focused(self):
        return browser.evaluate("(({tagName, className, id, textContent, dataset}) => ({tag: tagName, class: className, id, text: textContent, index: dataset.index}))(document.activeElement)")

    def ink(self, selector):
        """The share of a canvas that is drawn on, and the most frequent opaque colours, coarsely."""
        return browser.evaluate(f"""(() => {{ const c = document.querySelector({json.dumps(selector)}), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let inked = 0; for (let i = 3; i < d.length; i += 4) inked += d[i] > 0; return inked / (d.length / 4); }})()""")


class HeadView(ViewTest):
    def setUp(self):
        self.expected = numbers_of("pair.html")[0]
        self.open("pair.html")

    def test_it_opens_as_the_options_say(self):
        self.assertEqual(self.text("h1"), "The cat sat. She purrs.")
        self.assertEqual(browser.evaluate("document.title"), "The cat sat. She purrs.")
        self.assertEqual(self.text("#subtitle"), "3 layers · 5 heads · 9 tokens")
        self.assertEqual(browser.evaluate("document.querySelector('#layer input:checked').value"), "2")
        self.assertEqual(self.pressed(), [0, 1, 2, 3, 4])
        self.assertGreater(self.ink("#heads-view canvas"), 0.05)
        self.open("pair-options.html")
        self.assertEqual(self.pressed(), [1, 3])
        self.assertEqual(self.texts("#layer label"), ["0", "2"])
        self.assertTrue(browser.evaluate("document.querySelector('#heads-view').hidden && !document.querySelector('#table-view').hidden"))

    def test_a_token_pointed_at_shows_what_it_attends_to(self):
        self.choose("layer", 1)
        browser.click('.head[data-head="3"]', times=2)
        self.assertEqual(self.pressed(), [3])
        for query in (0, 5, 8):
            browser.hover(self.token("query", query))
            self.check_close(self.numbers("key"), self.expected[1][3][query], decimals(3))
            self.assertEqual(self.numbers("query") if any(self.texts(".tokens.query .number")) else [], [])
            best = max(range(9), key=lambda key: self.expected[1][3][query][key])
            self.assertIn(f"{self.tokens('key')[best]} {self.expected[1][3][query][best]:.3f}", self.status())
            self.assertIn("(layer 1, head 3)", self.status())
        browser.away()
        self.assertEqual(set(self.texts(".tokens.key .number")), {""})
        self.assertEqual(self.status(), "")

    def test_a_key_shows_what_attends_to_it(self):
        self.choose("layer", 0)
        browser.hover(self.token("key", 6))
        self.check_close(self.numbers("query"), mean(*[[row[6] for row in head] for head in self.expected[0]]), decimals(3))
        self.assertIn("purr gets most from: ", self.status())

    def test_heads_are_shown_and_hidden_and_the_numbers_are_their_mean(self):
        layer = self.expected[2]
        browser.click('.head[data-head="1"]')
        self.assertEqual(self.pressed(), [0, 2, 3, 4])
        browser.click('.head[data-head="4"]')
        browser.hover(self.token("query", 3))
        self.check_close(self.numbers("key"), mean(*[layer[head][3] for head in (0, 2, 3)]), decimals(3))
        browser.click('.head[data-head="2"]', times=2)  # alone
        self.assertEqual(self.pressed(), [2])
        browser.click('.head[data-head="2"]', times=2)  # and all again
        self.assertEqual(self.pressed(), [0, 1, 2, 3, 4])
        browser.click("#no-heads")
        self.assertEqual((self.pressed(), self.ink("#heads-view canvas"), self.status()), ([], 0, "No head is chosen."))
        browser.click("#all-heads")
        self.assertEqual(self.pressed(), [0, 1, 2, 3, 4])

    def test_lines_have_the_colour_of_their_head_and_the_opacity_of_their_weight(self):
        browser.click('.head[data-head="0"]', times=2)
        browser.hover(self.token("query", 4))
        found = browser.evaluate("""(() => { const c = document.querySelector("#heads-view canvas"), p = c.getContext("2d");
            const x = Math.round(c.width * 0.97), rows = [...document.querySelectorAll("#heads-view .tokens.key .token")].map((t) => t.offsetTop + t.offsetHeight / 2);
            const top = document.querySelector("#heads-view .middle").offsetTop;
            return rows.map((y) => Math.max(...[-3, -2, -1, 0, 1, 2, 3].map((d) => p.getImageData(x, Math.round(y - top + d), 1, 1).data[3]))); })()""")
        weights = self.expected[2][0][4]
        for alpha, weight in zip(found, weights):
            self.assertAlmostEqual(alpha / 255, weight, delta=0.1 * weight + 0.06)
        order = sorted(range(9), key=lambda key: weights[key])
        self.assertGreater(found[order[-1]], found[order[0]])
        same = browser.evaluate("""(() => { const probe = document.createElement("canvas").getContext("2d"); const at = (style) => { probe.fillStyle = style; probe.fillRect(0, 0, 1, 1);
            return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3); }; return [at(headColour(0, 5)), at(getComputedStyle(document.querySelector(".head")).backgroundColor)]; })()""")
        self.check_close(*same, 2)

    def test_a_click_keeps_a_token_until_the_next(self):
        browser.click(self.token("query", 2))
        browser.away()
        self.check_close(self.numbers("key"), mean(*[head[2] for head in self.expected[2]]), decimals(3))
        self.choose("layer", 0)  # goes on with the token
        browser.away()
        self.check_close(self.numbers("key"), mean(*[head[2] for head in self.expected[0]]), decimals(3))
        browser.hover(self.token("query", 4))  # looked at meanwhile
        self.check_close(self.numbers("key"), mean(*[head[4] for head in self.expected[0]]), decimals(3))
        browser.click(self.token("query", 2))
        browser.away()
        self.assertEqual(self.status(), "")

    def test_the_pairs_filters(self):
        tokens = self.tokens("query")
        texts = {"A": range(0, 5), "B": range(5, 9)}
        for name in ("AA", "AB", "BA", "BB"):
            self.choose("filter", name)
            queries, keys = (texts[letter] for letter in name)
            self.assertEqual(self.tokens("query"), [tokens[i] for i in queries])
            self.assertEqual(self.tokens("key"), [tokens[i] for i in keys])
            browser.hover(self.token("query", queries[1]))
            self.check_close(self.numbers("key"), mean(*[[head[queries[1]][key] for key in keys] for head in self.expected[2]]), decimals(3))
            browser.hover(self.token("key", keys[2]))
            self.check_close(self.numbers("query"), mean(*[[head[query][keys[2]] for query in queries] for head in self.expected[2]]), decimals(3))
        self.choose("filter", "all")
        self.assertEqual(self.tokens("query"), tokens)
        self.open("causal.html")
        self.assertTrue(browser.evaluate("document.querySelector('#filter').hidden && document.querySelector('#part').hidden"))

    def test_the_keyboard_alone(self):
        browser.evaluate("document.activeElement.blur()")
        stops = []
        for _ in range(12):
            browser.press("Tab")
            stops.append(self.focused())
            if "token" in stops[-1]["class"]:
                break
        self.assertTrue(any(stop["tag"] == "INPUT" for stop in stops) and any(stop["class"] == "head" for stop in stops), stops)
        self.assertEqual(stops[-1]["index"], "0")
        self.check_close(self.numbers("key"), mean(*[head[0] for head in self.expected[2]]), decimals(3))
        browser.press("ArrowDown")
        browser.press("ArrowDown")
        self.assertEqual(self.focused()["index"], "2")
        self.check_close(self.numbers("key"), mean(*[head[2] for head in self.expected[2]]), decimals(3))
        browser.press("ArrowRight")
        self.check_close(self.numbers("query"), mean(*[[row[2] for row in head] for head in self.expected[2]]), decimals(3))
        browser.press("End")
        self.assertEqual(self.focused()["index"], "8")
        browser.press("ArrowLeft")
        browser.press("Home")
        self.assertEqual(self.focused()["index"], "0")
        self.assertEqual(browser.evaluate("document.querySelectorAll('#heads-view .tokens.query .token[tabindex=\"0\"]').length"), 1)
        browser.press("Escape")
        self.assertEqual(self.status(), "")
        # layers by arrow keys, heads by arrow keys and the space bar
        browser.evaluate("document.querySelector('#layer input:checked').focus()")
        browser.press("ArrowLeft")
        self.assertEqual(browser.evaluate("document.querySelector('#layer input:checked').value"), "1")
        browser.evaluate("document.querySelector('.head').focus()")
        browser.press("ArrowRight")
        browser.press(" ")
        self.assertEqual(self.pressed(), [0, 2, 3, 4])
        browser.press("ArrowRight")
        browser.press("Enter", shift=True)
        self.assertEqual(self.pressed(), [2])

    def test_the_address_leads_back_to_what_was_shown(self):
        self.choose("layer", 0)
        self.choose("filter", "AB")
        browser.click('.head[data-head="3"]', times=2)
        fragment = browser.evaluate("location.hash")
        self.assertEqual(fragment, "#view=heads&layer=0&heads=3&texts=AB")
        self.open("pair.html", fragment)
        self.assertEqual((self.pressed(), len(self.tokens("query")), len(self.tokens("key"))), ([3], 5, 4))
        self.open("pair.html", "#view=nonsense&layer=99&heads=-1,x,77,1&texts=<b>&part=12")
        self.assertEqual((self.pressed(), len(self.tokens("query"))), ([1], 9))

    def test_what_a_screen_reader_is_given(self):
        for fragment in ("", "#view=model", "#view=table"):
            self.open("pair.html", fragment)
            nodes = browser.accessible()
            for role, name, focusable in nodes:
                self.assertTrue(name or not focusable or role in ("RootWebArea", "listbox"), (role, name))
            names = [(role, name) for role, name, _ in nodes]
            self.assertIn(("radio", "Model"), names)
            if not fragment:
                self.assertTrue({("group", "Layer"), ("button", "Head 3"), ("listbox", "Tokens that attend"), ("option", "cat, token 2")} <= set(names))
                self.assertTrue(any(role == "status" for role, _ in names))

    def test_light_and_dark(self):
        luminance = """(() => { const [r, g, b] = getComputedStyle(document.body).%s.match(/\\d+/g).map(Number).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; })()"""
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            ground, ink = browser.evaluate(luminance % "backgroundColor"), browser.evaluate(luminance % "color")
            self.assertEqual(ground > ink, scheme == "light")
            self.assertGreater((max(ground, ink) + 0.05) / (min(ground, ink) + 0.05), 7)


class ModelView(ViewTest):
    def setUp(self):
        self.expected = numbers_of("pair.html")[0]
        self.open("pair.html", "#view=model")
        browser.wait("document.querySelectorAll('.thumb').length && !document.querySelector('.thumb:not([data-drawn])')")

    def test_every_head_has_a_picture_and_a_click_enlarges_it(self):
        self.assertEqual(browser.evaluate("document.querySelectorAll('.thumb').length"), 15)
        self.assertTrue(all(self.ink(f'.thumb[data-layer="{layer}"][data-head="{head}"] canvas') > 0.02 for layer in range(3) for head in range(5)))
        pictures = browser.evaluate("[...document.querySelectorAll('.thumb canvas')].map((canvas) => canvas.toDataURL())")
        self.assertEqual(len(set(pictures)), 15)
        browser.click('.thumb[data-layer="1"][data-head="4"]')
        self.assertEqual(self.text("#enlarged-title"), "Layer 1, head 4")
        browser.hover(self.token("query", 7, "#enlarged-view"))
        self.check_close(self.numbers("key", "#enlarged-view"), self.expected[1][4][7], decimals(3))
        self.assertIn("##s attends most to: ", self.text("#enlarged-status"))
        browser.click("#open-in-heads")
        self.assertEqual((self.pressed(), browser.evaluate("document.querySelector('#layer input:checked').value")), ([4], "1"))
        self.assertFalse(browser.evaluate("document.querySelector('#heads-view').hidden || document.querySelector('dialog').open"))

    def test_the_keyboard_alone(self):
        browser.evaluate("document.querySelector('.thumb').focus()")
        for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
            browser.press(key)
        self.assertEqual(self.text("#enlarged-title"), "Layer 1, head 2")
        browser.evaluate("document.querySelector('#enlarged-view .token').focus()")
        self.check_close(self.numbers("key", "#enlarged-view"), self.expected[1][2][0], decimals(3))
        browser.press("Escape")  # gives the token up
        self.assertTrue(browser.evaluate("document.querySelector('dialog').open"))
        browser.press("Escape")
        self.assertFalse(browser.evaluate("document.querySelector('dialog').open"))
        self.assertEqual(browser.evaluate("document.activeElement.getAttribute('aria-label')"), "Layer 1, head 2")


class TableView(ViewTest):
    def setUp(self):
        self.expected = numbers_of("pair.html")[0]
        self.open("pair.html", "#view=table&layer=1&heads=0,2")

    def test_numbers_on_hover(self):
        left, top, cell = browser.evaluate("[views.table.layout.left, views.table.layout.top, views.table.layout.cell]")
        for row, column in ((0, 0), (3, 7), (8, 8)):
            corner = browser.place("#table-view canvas", 0, 0)
            browser.mouse("mouseMoved", (corner[0] + left + cell * (column + 0.5), corner[1] + top + cell * (row + 0.5)))
            browser.settle()
            value = (self.expected[1][0][row][column] + self.expected[1][2][row][column]) / 2
            found = re.fullmatch(r"\S+ → \S+: (\S+) \(layer 1, mean of 2 heads; tokens (\d+) and (\d+)\)", self.status())
            self.assertEqual((int(found[2]), int(found[3])), (row, column))
            self.assertAlmostEqual(float(found[1]), value, delta=decimals(4))
        browser.away()
        self.assertEqual(self.status(), "")

    def test_the_arrow_keys(self):
        browser.evaluate("document.querySelector('#table-view canvas').focus()")
        for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "ArrowLeft", "End", "PageUp"):
            browser.press(key)
        self.assertIn("[CLS] → [SEP]: ", self.status())
        self.assertIn("tokens 0 and 8", self.status())

    def test_the_table_behind_it(self):
        browser.click("details:has(.scroll) summary")
        rows = browser.evaluate("[...document.querySelectorAll('#table-view tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))")
        self.assertEqual([row[0] for row in rows], self.texts("#table-view thead th"))
        for row, first, second in zip(rows, self.expected[1][0], self.expected[1][2]):
            self.check_close([float(text) for text in row[1:]], mean(first, second), decimals(3))
        browser.click('.head[data-head="0"]')
        self.check_close([float(text) for text in self.texts("#table-view tbody tr:nth-child(4) td")], self.expected[1][2][3], decimals(3))


class OtherPages(ViewTest):
    def test_a_causal_map_has_its_triangle_and_zeros(self):
        (expected,) = numbers_of("causal.html")
        self.open("causal.html")
        self.assertEqual(self.tokens("query"), ["It", "Ġwas", "Ġa", "␣dark", "↵", "Ġnight"])
        for layer in range(2):
            self.choose("layer", layer)
            for query in range(6):
                browser.hover(self.token("query", query))
                self.check_close(self.numbers("key"), mean(*[head[query] for head in expected[layer]]), decimals(3))
        kept = inflated(browser.evaluate("document.getElementById('w0-0-0').textContent"))
        self.assertEqual(len(kept), 6 * 7 / 2 * 2)  # half of the map

    def test_encoder_decoder_and_cross_attention(self):
        expected = numbers_of("translation.html")
        self.open("translation.html")
        self.assertEqual(self.texts("#part label"), ["Encoder", "Decoder", "Cross-attention"])
        for part, (queries, keys) in enumerate([(5, 5), (3, 3), (3, 5)]):
            self.choose("part", part)
            self.assertEqual((len(self.tokens("query")), len(self.tokens("key"))), (queries, keys))
            self.choose("layer", 1)
            heads = len(expected[part][1])
            self.assertEqual(len(self.texts(".head")), heads)
            browser.click("#all-heads")
            browser.hover(self.token("query", 2))
            self.check_close(self.numbers("key"), mean(*[head[2] for head in expected[part][1]]), decimals(3))
            browser.hover(self.token("key", keys - 1))
            self.check_close(self.numbers("query"), mean(*[[row[keys - 1] for row in head] for head in expected[part][1]]), decimals(3))
        self.assertEqual(self.tokens("query"), ["<s>", "die", "Katze"])
        self.assertEqual(self.tokens("key"), ["the", "cat", "sat", "down", "</s>"])
        self.choose("view", "model")
        browser.wait("document.querySelectorAll('.thumb[data-drawn]').length === 12")
        self.choose("view", "table")
        browser.click("details:has(.scroll) summary")
        self.assertEqual(len(self.texts("#table-view tbody td")), 15)

    def test_texts_that_are_after_the_page_are_text(self):
        for page in ("hostile.html", "hostile-beams.html", "hostile-generation.html"):
            self.open(page)
            self.assertEqual(browser.evaluate("document.title"), "</title></script><img src=x onerror=\"document.title='broken'\">")
            self.assertEqual(self.text("h1"), "</title></script><img src=x onerror=\"document.title='broken'\">")
            self.assertEqual(browser.evaluate("document.querySelectorAll('img, .token script, h1 *, #alternatives script').length"), 0)
        self.assertEqual(self.texts("#alternatives th[scope=row]")[0], "</script><img src=x onerror=\"document.title='broken'\">")
        self.open("hostile.html")
        tokens = self.tokens("query")
        self.assertEqual(tokens[1:9], ["<!--<script>", "\"'&amp;\\u003c]]>", "⟨202E⟩evil", "∅", "\ufffd\ufffd", "a⟨0000⟩b⟨000D⟩↵", "日本語\N{GRINNING FACE}", "שלום"])
        self.assertEqual(tokens[9:], ["x" * 3000, "</script <img src=x onerror=\"document.title='broken'\">"])
        browser.hover(self.token("query", 0))
        self.assertIn("</script><img src=x onerror", self.status())
        for view in ("model", "table"):
            self.choose("view", view)
        browser.click("details:has(.scroll) summary")
        self.assertEqual(self.texts("#table-view tbody th"), tokens)
        self.assertEqual(browser.evaluate("document.querySelectorAll('img').length"), 0)

    def test_a_script_that_were_in_the_text_would_not_run(self):
        page = (pages / "pair.html").read_text().replace("<h1 id=", "<img src=x onerror=\"window.ran = 1\"><script>window.ran = 2</script><h1 id=", 1)
        (pages / "broken.html").write_text(page)
        self.open("broken.html")
        self.assertIsNone(browser.evaluate("window.ran"))
        self.assertTrue(any("Content Security Policy" in error for error in browser.errors), browser.errors)
        browser.errors.clear()

    def test_a_narrow_screen(self):
        browser.resize(390, 800)
        for fragment in ("", "#view=model", "#view=table"):
            self.open("pair.html", fragment)
            self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), 390)
        for page in ("generation.html", "beams.html"):
            self.open(page)
            self.assertLessEqual(browser.evaluate("document.documentElement.scrollWidth"), 390)


class Generation(ViewTest):
    def setUp(self):
        self.expected = json.loads((pages / "generation.json").read_text())
        self.open("generation.html")

    def distribution(self, step):
        weights = [math.exp(logit) for logit in self.expected["steps"][step]["logits"]]
        return [weight / sum(weights) for weight in weights]

    def check_step(self, step):
        shares, chosen = self.distribution(step), self.expected["steps"][step]["chosen"]
        entropy = -sum(share * math.log(share) for share in shares if share)
        probability, shown_entropy, rank = self.texts("#facts dd")
        self.assertAlmostEqual(float(probability.split()[0]) / 100, shares[chosen], delta=5.1e-4)
        self.assertAlmostEqual(float(shown_entropy), entropy, delta=5.1e-4)
        order = sorted(range(len(shares)), key=lambda id: -shares[id])
        self.assertEqual(rank, str(order.index(chosen) + 1) if chosen in order[:5] else "> 5")
        visible = lambda token: token.replace(" ", "␣").replace("\n", "↵")
        expected = order[:5] + ([] if chosen in order[:5] else [chosen])
        self.assertEqual(self.texts("#alternatives tbody th"), [visible(self.expected["vocabulary"][id]) for id in expected])
        self.check_close([float(text.split()[0]) / 100 for text in self.texts("#alternatives tbody td")], [shares[id] for id in expected], 5.1e-4)
        self.assertIn(f"Step {step + 1} of 8: {visible(self.expected['vocabulary'][chosen])}, ", self.text("#status"))

    def test_every_step_by_mouse_and_keyboard(self):
        self.check_step(0)
        for step in (3, 7):
            browser.hover(f'.token[data-index="{step}"]')
            self.check_step(step)
        browser.away()
        browser.click('.token[data-index="2"]')
        browser.press("ArrowRight")
        browser.away()
        self.check_step(3)
        browser.press("End")
        self.check_step(7)
        browser.hover("#chart", 0.01)
        self.check_step(0)

    def test_the_text_the_colours_and_the_table(self):
        self.assertEqual(self.text("#prompt") + self.text("#tokens"), "It was a dark and stormy night.↵\n!")
        shares = [self.distribution(i)[step["chosen"]] for i, step in enumerate(self.expected["steps"])]
        perplexity = math.exp(-sum(map(math.log, shares)) / 8)
        self.assertEqual(self.text("#subtitle"), f"8 tokens generated · perplexity {perplexity:.2f}")
        doubts = lambda: [float(text) for text in browser.evaluate("[...document.querySelectorAll('.token')].map((t) => t.style.getPropertyValue('--doubt'))")]
        self.check_close(doubts(), [1 - share for share in shares], 1e-4)
        self.choose("colour", "entropy")
        entropies = [-sum(p * math.log(p) for p in self.distribution(i) if p) for i in range(8)]
        self.check_close(doubts(), [entropy / max(entropies) for entropy in entropies], 1e-4)
        self.assertGreater(self.ink("#chart"), 0.05)
        browser.click("#all-steps summary")
        self.check_close([float(text) for text in self.texts("#all-steps td:nth-child(3)")], shares, decimals(4))
        self.assertTrue(all(name or not focusable or role == "RootWebArea" for role, name, focusable in browser.accessible()))

    def test_nothing_was_generated(self):
        self.open("nothing.html")
        self.assertEqual(self.text("#status"), "Nothing was generated.")


class Beams(ViewTest):
    def setUp(self):
        recorded = json.loads((pages / "beams.json").read_text())
        self.steps, self.results = recorded["steps"], recorded["results"]
        before = [None]
        for step in self.steps:  # what each continues, by its place in the step before
            for place, one in enumerate(step):
                one["parent"] = before[one["beam"]]
            before = [place for place, one in enumerate(step) if one["fate"] == 0]
        self.open("beams.html")

    def cell(self, at, place):
        return f'.cell[data-at="{at}"][data-place="{place}"]'

    def visible(self, token):
        return token.replace(" ", "␣").replace("\n", "↵")

    def path(self, at, place):
        """The texts from the first step to one, as (step, place)."""
        places = []
        while at >= 0:
            places.insert(0, [at, place])
            at, place = at - 1, self.steps[at][place]["parent"]
        return places

    def marked(self):
        return sorted(browser.evaluate("[...document.querySelectorAll('.cell.path')].map((c) => [+c.dataset.at, +c.dataset.place])"))

    def check_active(self, at, place):
        one = self.steps[at][place]
        self.assertEqual(self.marked(), self.path(at, place))
        self.assertEqual(browser.evaluate("[...document.querySelectorAll('.cell.active')].map((c) => [+c.dataset.at, +c.dataset.place])"), [[at, place]])
        self.assertIn(f"Step {at + 1}, place {place + 1}: {self.visible(one['token'])}, log-probability {one['logProbability']:.3f}, score {one['score']:.3f}", self.status())
        facts = self.texts("#facts dd")
        self.assertAlmostEqual(float(facts[0].split()[0]) / 100, math.exp(one["logProbability"]), delta=5.1e-4)
        self.check_close([float(text) for text in facts[1:3]], [one["logProbability"], one["score"]], 5.1e-4)
        self.assertEqual(facts[3], f"{one['finalScore']:.3f}" if one["fate"] == 1 else "–")
        self.assertEqual(self.text("#path").replace("↵", ""), "".join(self.steps[s][p]["token"] for s, p in self.path(at, place)))
        if one["fate"] == 0 and at + 1 < len(self.steps):
            on = sum(other["parent"] == place and other["fate"] != 2 for other in self.steps[at + 1])
            self.assertIn(f"{on} text{' goes' if on == 1 else 's go'} on from here", self.status())

    def last_of(self, result):
        """Where a result ends."""
        at = result["tokens"] - 1
        texts = ["".join(self.steps[s][p]["token"] for s, p in self.path(at, place)) for place in range(len(self.steps[at]))]
        return at, texts.index(result["text"])

    def test_it_opens_on_the_best_text_and_shows_what_lived_and_what_ended(self):
        self.assertEqual(self.text("#subtitle"), f"3 beams · {len(self.steps)} steps · 3 results")
        self.check_active(*self.last_of(self.results[0]))
        for at, step in enumerate(self.steps):
            shown = browser.evaluate(f"[...document.querySelectorAll('.cell[data-at=\"{at}\"]:not([hidden])')].map((c) => +c.dataset.place)")
            self.assertEqual(shown, [place for place, one in enumerate(step) if one["fate"] != 2])
        self.assertTrue(any(one["fate"] == 1 for step in self.steps for one in step))
        self.assertGreater(self.ink("#frame canvas"), 0.005)
        self.choose("shown", "all")
        self.assertEqual(len(self.texts(".cell:not([hidden])")), sum(map(len, self.steps)))
        self.assertEqual(self.texts(".cell .token-text"), [self.visible(one["token"]) for step in self.steps for one in step])
        self.assertTrue(all(name or not focusable or role == "RootWebArea" for role, name, focusable in browser.accessible()))

    def test_every_text_by_mouse_and_keyboard(self):
        self.choose("shown", "all")
        for at, step in enumerate(self.steps):
            for place in (0, len(step) - 1):
                browser.hover(self.cell(at, place))
                self.check_active(at, place)
        browser.away()
        self.check_active(*self.last_of(self.results[0]))
        child = next(place for place, one in enumerate(self.steps[2]))
        browser.click(self.cell(2, child))
        browser.away()
        self.check_active(2, child)
        browser.press("ArrowLeft")
        self.check_active(1, self.steps[2][child]["parent"])
        browser.press("ArrowRight")
        self.check_active(2, next(place for place, one in enumerate(self.steps[2]) if one["parent"] == self.steps[2][child]["parent"]))
        browser.click(self.cell(2, 0))
        browser.away()
        browser.press("ArrowUp")
        self.check_active(2, 0)  # the first of its step
        browser.press("ArrowDown")
        self.check_active(2, 1)
        dropped = next(place for place, one in enumerate(self.steps[2]) if one["fate"] == 2)
        browser.click(self.cell(2, dropped))
        self.choose("shown", "kept")
        browser.away()
        self.check_active(*self.last_of(self.results[0]))

    def test_the_results_and_the_table(self):
        self.assertEqual([text.replace("↵", "") for text in self.texts("#results button")], [result["text"] for result in self.results])
        self.check_close([float(text) for text in self.texts("#results tbody td:nth-child(2)")], [result["score"] for result in self.results], 5.1e-5)
        for i, result in enumerate(self.results):
            browser.click(f"#results tbody tr:nth-child({i + 1}) button")
            browser.away()
            self.check_active(*self.last_of(result))
            self.assertEqual(browser.evaluate("[...document.querySelectorAll('#results tr.chosen')].map((r) => r.rowIndex)"), [i + 1])
        browser.click("#all-steps summary")
        everything = [one for step in self.steps for one in step]
        self.check_close([float(text) for text in self.texts("#all-steps td:nth-child(6)")], [one["score"] for one in everything], 5.1e-5)
        self.assertEqual(self.texts("#all-steps td:nth-child(3)"), [str(one["parent"] + 1) if one["parent"] is not None else "–" for one in everything])
        self.assertEqual(self.texts("#all-steps td:last-child"), [["followed", "ended", "dropped"][one["fate"]] for one in everything])

    def test_no_step_was_taken(self):
        self.open("no-beams.html")
        self.assertEqual(self.status(), "No step was taken.")


class Large(ViewTest):
    def test_twelve_layers_of_twelve_heads_and_512_tokens(self):
        page = pages / "large.html"
        self.assertLess(page.stat().st_size, 25e6)
        times = {"load": self.open("large.html")}

        def measure(name, action):
            begin = time.monotonic()
            action()
            browser.settle()
            times[name] = time.monotonic() - begin

        measure("hover, 12 heads", lambda: browser.hover(self.token("query", 20)))
        measure("another layer", lambda: self.choose("layer", 7))
        browser.click('.head[data-head="3"]', times=2)
        measure("scroll", lambda: browser.evaluate("scrollTo(0, 1500)"))
        measure("hover, one head", lambda: browser.hover(self.token("query", 100)))
        self.check_close(self.numbers("key"), numbers_of("large.html")[3], decimals(3))
        measure("table", lambda: self.choose("view", "table"))
        browser.evaluate("document.querySelector('#table-view canvas').focus()")
        measure("a step in the table", lambda: browser.press("ArrowDown"))

        def grid():
            self.choose("view", "model")
            browser.wait("document.querySelectorAll('.thumb[data-drawn]').length === 144")

        measure("all 144 pictures", grid)
        measure("again", lambda: (self.choose("view", "heads"), self.choose("view", "model")))
        print("\nseconds, 12 x 12 x 512 x 512:", ", ".join(f"{name} {seconds:.2f}" for name, seconds in times.items()))
        self.assertLess(times["load"], 30)  # that it ends; what it takes on a machine at rest is in docs/decisions/0011
        self.assertLess(times["hover, one head"], 5)


    def test_a_large_page_is_small_and_right_to_the_last_decimal(self):
        for name in ("large.html", "largest.html"):
            self.assertLess((pages / name).stat().st_size, 25e6, name)
        heads, token = numbers_of("large.html"), self.token("query", 100)
        rounded = lambda weights, places: [f"{weight:.{places}f}" for weight in weights]
        self.open("large.html", "#view=heads&layer=7")
        browser.hover(token)
        self.assertEqual(self.texts(".tokens.key .number"), rounded(mean(*heads), 3))
        for head in (0, 3, 11):
            browser.click(f'.head[data-head="{head}"]', times=2)
            browser.hover(token)
            self.assertEqual(self.texts(".tokens.key .number"), rounded(heads[head], 3))
            browser.click(f'.head[data-head="{head}"]', times=2)
        browser.click('.head[data-head="5"]')  # of chosen heads, the last decimal may be off by one
        browser.hover(token)
        self.check_close(self.numbers("key"), mean(*heads[:5], *heads[6:]), 1e-3)
        self.assertTrue(browser.evaluate("!document.querySelector('#precision').hidden"))
        self.open("large.html", "#view=table&layer=7")
        for weight, which in (f"{mean(*heads)[0]:.4f}", "mean of 12 heads"), (f"{heads[3][0]:.3f}", "head 3"):
            browser.evaluate("document.querySelector('#table-view canvas').focus()")
            for _ in range(10):
                browser.press("PageDown")
            self.assertIn(f": {weight} (layer 7, {which}; tokens 100 and 0)", self.status())
            browser.click('.head[data-head="3"]', times=2)

    def test_every_weight_of_a_head_is_right_to_three_decimals(self):
        page = (pages / "large.html").read_text()
        scale = int(re.search(r'"scale":(\d+)', page)[1])
        planes = inflated(re.search(r'id="w0-7-3">([^<]+)<', page)[1])
        weights = array.array("f", (pages / "large.f32").read_bytes())
        self.assertEqual((len(weights), len(planes)), (512 * 512, 2 * 512 * 512))
        numbers = (low + 256 * high for low, high in zip(planes, planes[512 * 512:]))
        self.assertEqual([f"{number and (number + 0.5) / scale:.3f}" for number in numbers], [f"{weight:.3f}" for weight in weights])


class WithoutNumbers(ViewTest):
    def failure(self):
        return browser.evaluate("document.querySelector('#failure').hidden ? '' : document.querySelector('#failure').textContent")

    def test_a_browser_that_cannot_unpack_is_told_so(self):
        self.open("pair.html")
        self.assertEqual(self.failure(), "")
        script = browser.send("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.DecompressionStream")["identifier"]
        try:
            for fragment in ("", "#view=model", "#view=table"):
                self.open("pair.html", fragment)
                browser.wait("!document.querySelector('#failure').hidden")
                self.assertIn("Firefox 113", self.failure())
                self.assertEqual(self.text("h1"), "The cat sat. She purrs.")
        finally:
            browser.send("Page.removeScriptToEvaluateOnNewDocument", identifier=script)

    def test_a_damaged_page_says_so(self):
        text = (pages / "pair.html").read_text()
        for name, broken in ("cut", r"\1"), ("changed", r"\1!!!!"), ("gone", ""):
            damaged = re.sub(r'(id="w0-0-2">.{40})[^<]*', broken, text, count=1)
            self.assertNotEqual(damaged, text)
            (pages / "damaged.html").write_text(damaged)
            self.open("damaged.html")
            self.choose("layer", 0)
            self.assertIn("damaged", self.failure(), name)
            self.choose("layer", 1)  # the rest is still there
            browser.hover(self.token("query", 5))
            self.check_close(self.numbers("key"), mean(*[head[5] for head in numbers_of("pair.html")[0][1]]), decimals(3))


class RealModel(ViewTest):
    def test_a_page_of_minilm_has_transformers_numbers(self):
        if not MORE:
            self.skipTest("the examples are not built")
        example, fixtures, models = map(Path, MORE)
        text = json.loads((fixtures / "models" / "minilm" / "sentences.json").read_text())[SENTENCE]
        data = (fixtures / "models" / "minilm" / "goldens.safetensors").read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        begin, end = json.loads(data[8:8 + length])[f"sentence{SENTENCE}.last_attention_mean"]["data_offsets"]
        golden = array.array("d", data[8 + length + begin:8 + length + end])
        subprocess.run([example, "--model", models / "minilm-l6", "--output", pages / "minilm.html", "--", text], check=True, stdout=subprocess.DEVNULL)
        self.open("minilm.html", "#view=table&layer=5")
        browser.click("details:has(.scroll) summary")
        self.check_close([float(text) for text in self.texts("#table-view tbody td")], golden, decimals(3) + 2e-5)
        self.choose("view", "heads")
        tokens = self.tokens("query")
        for query in (0, len(tokens) // 2):
            browser.hover(self.token("query", query))
            self.check_close(self.numbers("key"), golden[query * len(tokens):(query + 1) * len(tokens)], decimals(3) + 2e-5)


if __name__ == "__main__":
    if find_browser() is None:
        release = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
        if re.search(r"^ID=debian$", release, re.MULTILINE):
            sys.exit("found no Chromium; `scripts/setup browser` installs one")
        print("SKIPPED: found no Chromium, and this is no Debian on which scripts/setup could install one; AXIFORM_BROWSER names one")
        sys.exit(77)
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
    sys.exit(not (result.wasSuccessful() and result.testsRun))
