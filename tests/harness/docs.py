"""Checks that what the documentation shows is true.

docs.py quotes ROOT                   Every ```cpp block of README.md and the pages of docs/ stands, line for line, in a file of
                                      docs/snippets or examples, or in a unit of tests/compile_fail.
docs.py prints ROOT SNIPPET PROGRAM   The program prints what the comment at the end of its snippet says; numbers may differ by 1e-4, or by
                                      one in the third decimal, for the last digit depends on the instruction set.
docs.py names ROOT                    No public name lacks a comment. Needs doxygen, and without it has the exit status 77.
"""

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = ("docs/snippets", "examples", "examples/axiform", "tests/compile_fail")
SKIPPED = 77


def without_indent(text):
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return [line[indent:] for line in lines]


def stands_in(block, source):
    """Whether the lines of `block` are successive lines of `source`, indented alike."""
    lines = source.split("\n")
    return any(without_indent("\n".join(lines[i : i + len(block)])) == block for i in range(len(lines) - len(block) + 1))


def quotes(root):
    files = [file for folder in SOURCES for file in (root / folder).glob("*.cpp")]
    sources = [file.read_text(encoding="utf-8") for file in files]
    problems, count = [], 0
    for page in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        for match in re.finditer(r"^ *```cpp\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            count += 1
            block = without_indent(match[1])
            if not any(stands_in(block, source) for source in sources):
                problems.append(f"{page.relative_to(root)}: this code is in no file of {', '.join(SOURCES)}:\n{match[1]}")
    if count == 0:
        problems.append("found no code in README.md and docs")
    print("\n".join(problems) or f"{count} pieces of code are as they are compiled")
    return 1 if problems else 0


def alike(found, expected):
    if found == expected:
        return True
    decimals = len(expected.partition(".")[2])
    try:
        return math.isclose(float(found), float(expected), rel_tol=1e-4, abs_tol=max(1e-4, 1.5 * 10**-decimals if decimals >= 3 else 0))
    except ValueError:
        return False


def prints(root, snippet, program):
    source = (root / "docs/snippets" / f"{snippet}.cpp").read_text(encoding="utf-8")
    match = re.search(r"^// Prints:\n((?://.*\n)+)\Z", source, re.MULTILINE)
    if not match:
        print(f"{snippet}.cpp: does not end with the comment `// Prints:`")
        return 1
    expected = re.sub(r"^// ?", "", match[1], flags=re.MULTILINE)
    needed = re.search(r"^// Needs: (.+)$", source, re.MULTILINE)
    arguments = [needed[1]] if needed else []
    if needed and not (root / needed[1]).exists():
        print(f"{snippet}: {needed[1]} is not here: scripts/fetch-model fetches the model")
        return SKIPPED
    result = subprocess.run([program, *arguments], cwd=root, capture_output=True, encoding="utf-8", errors="replace")
    words, expected_words = result.stdout.split(), expected.split()
    good = result.returncode == 0 and len(words) == len(expected_words) and all(map(alike, words, expected_words))
    print(result.stdout if good else f"{snippet}: exit status {result.returncode}, expected\n{expected}\nfound\n{result.stdout}{result.stderr}")
    return 0 if good else 1


def names(root):
    doxygen = shutil.which("doxygen")
    if not doxygen:
        print("there is no doxygen")
        return SKIPPED
    settings = (root / "docs/Doxyfile").read_text(encoding="utf-8") + "\nGENERATE_HTML = NO\nOUTPUT_DIRECTORY =\n"
    result = subprocess.run([doxygen, "-"], cwd=root, input=settings, capture_output=True, text=True)
    bare = [line for line in result.stderr.split("\n") if "is not documented" in line]
    if result.returncode != 0:
        bare.append(f"doxygen: exit status {result.returncode}\n{result.stderr}")
    print("\n".join(bare) or "every public name has a comment")
    return 1 if bare else 0


CHECKS = {"quotes": (quotes, 1), "prints": (prints, 3), "names": (names, 1)}

if __name__ == "__main__":
    check, count = CHECKS.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0))
    if not check or len(sys.argv) != 2 + count:
        sys.exit(__doc__)
    sys.exit(check(Path(sys.argv[2]), *sys.argv[3:]))
