#!/usr/bin/env python3
"""Takes the pictures of the attention page for docs/images, from what the example writes about MiniLM-L6 and the notebook's sentence:

    docs/images/attention_view_png.py [PROGRAM]        # build/release/examples/bert_attention_view

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


def take(browser, name):
    """A picture of 128 colours: a third of the bytes, and no difference that one sees."""
    path = ROOT / "docs/images" / name
    browser.screenshot(path)
    subprocess.run(["pngquant", "--force", "--speed", "1", "--strip", "--output", path, "128", path], check=True)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/examples/bert_attention_view"
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        page = Path(folder) / "attention.html"
        subprocess.run([program, "--output", page, SENTENCE], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)

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


if __name__ == "__main__":
    main()
