#!/usr/bin/env python3
"""Takes the pictures of the pages for docs/images: of attention, from what the example writes about MiniLM-L6 and the notebook's sentence, and of beams,
from what models/transformer-dates writes about a date.

    docs/images/attention_view_png.py [PROGRAMS]        # build/release/examples

It needs a headless Chromium (`scripts/setup browser`) and pngquant. Debian's fonts-inter was installed when the pictures here were taken.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/views"))
from browser import Browser  # noqa: E402

SENTENCE = "My friend told me about this class and I love it so far. She was right."
DATE = "1776-07-04"


def take(browser, name):
    """A picture of 128 colours: a third of the bytes, and no difference that one sees."""
    path = ROOT / "docs/images" / name
    browser.screenshot(path)
    subprocess.run(["pngquant", "--force", "--speed", "1", "--strip", "--output", path, "128", path], check=True)


def main():
    programs = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "build/release/examples"
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        page = Path(folder) / "attention.html"
        subprocess.run([programs / "bert_attention_view", "--output", page, SENTENCE], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)

        browser.scheme("dark")
        browser.resize(1180, 850)
        browser.open(page, "#view=heads&layer=5&heads=0,3,7,8,10")
        browser.hover("#heads-view .tokens.query .token:nth-child(16)")  # she
        take(browser, "attention_heads.png")

        browser.scheme("light")
        browser.resize(1080, 770)
        browser.open(page, "#view=model")
        browser.wait("!document.querySelector('.thumb:not([data-drawn])')")
        take(browser, "attention_model.png")

        subprocess.run([programs / "axiform", "view", "--model", "models/transformer-dates", "--kind", "generation", "--beams", "3", "--output", page, DATE],
                       check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        browser.resize(1180, 820)
        browser.open(page)
        take(browser, "beams.png")


if __name__ == "__main__":
    main()
