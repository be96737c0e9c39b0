"""Checks that the checks beside this file can fail: `self_test.py COMPILER`

Each case is a small tree or unit with one thing wrong (or none), and what must be said of it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HEADER = "/// @file\n/// A header.\n#pragma once\n"
ALL = HEADER + "#include <axiform/core/a.hpp>\n#include <axiform/nn/b.hpp>\n"
CONFIG = "#include <axiform/core/config.hpp>\n"
GOOD = {
    "include/axiform/axiform.hpp": ALL,
    "include/axiform/core/config.hpp": HEADER,
    "include/axiform/core/a.hpp": HEADER + "#include <vector>\n" + CONFIG,
    "include/axiform/nn/b.hpp": HEADER + "#include <axiform/core/a.hpp>\n",
    "tests/core/a_test.cpp": 'TEST_CASE("a") {}\n',
    "docs/decisions/0001-a.md": "# A\n\n**Context.** B.\n\n**Choice.** C.\n\n**Given up.** D.\n",
}
# what is different from GOOD, and what must be said
LAYOUTS = [
    ({}, "every rule is kept"),
    ({"include/axiform/core/a.hpp": HEADER + "#include <axiform/nn/b.hpp>\n"}, "core/ may use only core"),
    ({"include/axiform/core/a.hpp": HEADER + "#include <xsimd/xsimd.hpp>\n"}, "only simd, kernels may"),
    ({"include/axiform/nn/b.hpp": HEADER + "  # include <xsimd/xsimd.hpp>\n"}, "only simd, kernels may"),
    ({"include/axiform/nn/b.hpp": HEADER + '#include "a.hpp"\n'}, "write <axiform/room/name.hpp>"),
    ({"include/axiform/nn/b.hpp": HEADER + "#include <axiform/core/c.hpp>\n"}, "does not exist"),
    ({"include/axiform/nn/b.hpp": "#pragma once\n"}, "does not begin with"),
    ({"include/axiform/nn/b.hpp": "/// @file\n"}, "has no `#pragma once`"),
    ({"include/axiform/core/a.hpp": HEADER + "#include <vector>\n"}, "includes no header of axiform"),
    ({"include/axiform/kernels/c.hpp": HEADER + CONFIG}, "does not stand between"),
    ({"include/axiform/attic/c.hpp": HEADER}, "room `attic` is not known"),
    ({"include/axiform/core/c.hpp": HEADER + CONFIG}, "does not reach <axiform/core/c.hpp>"),
    ({"include/axiform/text/tokenizer.hpp": HEADER + "#include <axiform/core/tensor.hpp>\n", "include/axiform/core/tensor.hpp": HEADER + CONFIG}, "is to be spared"),
    ({"tests/core/helpers.hpp": 'TEST_CASE("b") {}\n'}, "has a TEST_CASE"),
    ({"docs/decisions/0001-a.md": "# 0001 A\n\n**Context.** B.\n\n**Choice.** C.\n\n**Given up.** D.\n"}, "does not begin with a title"),
    ({"docs/decisions/0001-a.md": "# A\n\n**Context.** B.\n\n**Choice.** C.\n"}, "says Context, Choice; expected"),
    ({"docs/decisions/a.md": "# A\n\n**Context.** B.\n\n**Choice.** C.\n\n**Given up.** D.\n"}, "is not called"),
]

BAD = "// expect-error: {}\n#ifdef SHOULD_COMPILE\n{}\n#else\n{}\n#endif\n"
FIRST = "// expect-first-error: one\n" + BAD
COMPILED = [
    (FIRST.format("static assertion.*one is two", "", 'static_assert(1 == 2, "one is two");'), "refused as expected"),
    (BAD.format("one is three", "", 'static_assert(1 == 2, "one is two");'), "the message does not match"),
    (FIRST.format("static assertion", "", 'static_assert(1 == 2, "two"); static_assert(1 == 2, "one");'), "the first error is not in"),
    (BAD.format("one is two", "", ""), "compiles, and must not"),
    (BAD.format("one is two", "nonsense", 'static_assert(1 == 2, "one is two");'), "the twin does not compile"),
    ("// flags: -DWRONG\n// error-lines: 1\n" + BAD.format("one is two", "", '#ifdef WRONG\nstatic_assert(1 == 2, "one is two");\n#endif'), "refused as expected"),
    ("// error-lines: 2\n" + BAD.format("one is two", "", 'static_assert(1 == 2, "one is two");'), "1 lines of errors instead of 2"),
    ("#ifdef SHOULD_COMPILE\n#endif\n", "has no line"),
    ("// expect-error: x\n", "has no twin"),
]

MAX = "inline int larger(int a, int b) { return std::max(a, b); }\n"
DEFINES = "#if AXIFORM_DEFINES(nn)\n{}#endif\n"
ALONE = {
    "core/config": HEADER + "#define AXIFORM_DEFINES(room) AXIFORM_COMPILING_##room\n",
    "core/maximum": HEADER + CONFIG + "#include <algorithm>\n",
    "nn/part": HEADER + CONFIG + DEFINES.format("inline int part() { return 1; }\n"),
}
# a header, whether it compiles alone, and whether core/maximum serves it, precompiled
HEADERS = [
    (HEADER + CONFIG + "#include <algorithm>\n" + MAX, True, False),
    (HEADER + CONFIG + "#include <axiform/core/maximum.hpp>\n" + MAX, True, True),
    (HEADER + CONFIG + MAX, False, False),
    (HEADER + CONFIG + DEFINES.format("#include <axiform/core/maximum.hpp>\n" + MAX), True, False),
    (HEADER + CONFIG + MAX + DEFINES.format("#include <axiform/core/maximum.hpp>\n"), False, False),
    (HEADER + CONFIG + DEFINES.format(MAX), False, False),
    (HEADER + "#include <axiform/nn/part.hpp>\n" + DEFINES.format("inline int whole() { return part(); }\n"), True, False),
    ("/// @file\n" + CONFIG + "inline int twice() { return 2; }\n", False, False),
]

PAGE = "# Page\n\n- a list\n\n  ```cpp\n  int f() {{\n    return {};\n  }}\n  ```\n"
SNIPPET = "int f() {\n  return 1;\n}\n\n// Prints:\n// 0.25 and\n// more\n"
QUOTED = [(PAGE.format(1), "2 pieces of code are"), (PAGE.format(2), "this code is in no file"), ("# Page\n", "found no code")]
PRINTED = [("0.25001 and\nmore", "0.25001"), ("0.26 and more", "expected"), ("0.25 and", "expected"), ("0.25 or more", "expected")]


def run(script, *arguments):
    return subprocess.run([sys.executable, HERE / script, *arguments], capture_output=True, text=True)


def check(what, result, expected, good):
    said = result.stdout + result.stderr
    if expected not in said or (result.returncode == 0) != good:
        return [f"{what}: exit status {result.returncode}, expected to read `{expected}`; found:\n{said}"]
    return []


def headers_alone(root, compiler):
    # The scripts look for headers beside them.
    shutil.copytree(HERE, root / "tests/harness", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in ALONE.items():
        path = root / f"include/axiform/{name}.hpp"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    header = "axiform/core/maximum.hpp"
    unit = root / "precompiled/core/maximum.hpp"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"#include <{header}>\n", encoding="utf-8")
    command = [compiler, "-std=c++20", "-I", root / "include"]
    subprocess.run([*command, "-D", "AXIFORM_COMPILED", "-x", "c++-header", unit, "-o", f"{unit}.gch"], check=True)
    problems = []
    for text, good, served in HEADERS:
        (root / "include/axiform/nn/whole.hpp").write_text(text, encoding="utf-8")
        for folder in (root / "empty", root / "precompiled"):
            result = run(root / "tests/harness/header_alone.py", "axiform/nn/whole.hpp", folder, *command, "-fsyntax-only")
            if (result.returncode == 0) != good:
                problems.append(f"header\n{text}: exit status {result.returncode}; found:\n{result.stderr}")
        flags = subprocess.run([sys.executable, "-c", "import sys, precompiled; print(precompiled.flags_for(*sys.argv[1:]))", root / "precompiled", text],
                               capture_output=True, text=True, cwd=root / "tests/harness", check=True).stdout
        if ("maximum" in flags) != served:
            problems.append(f"header\n{text}: of what is precompiled it is given {flags}")
    return problems


def main(compiler):
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (changes, expected) in enumerate(LAYOUTS):
            root = Path(folder, str(number))
            for path, text in {**GOOD, **changes}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            problems += check(f"layout {changes}", run("layout.py", root), expected, good=not changes)
        for number, (source, expected) in enumerate(COMPILED):
            unit = Path(folder, f"{number}.cpp")
            unit.write_text(source, encoding="utf-8")
            result = run("compile_fail.py", unit, folder, compiler, "-std=c++20", "-fsyntax-only")
            problems += check(f"unit\n{source}", result, expected, good=expected == "refused as expected")
        problems += headers_alone(Path(folder, "alone"), compiler)
        for number, (page, expected) in enumerate(QUOTED):
            root = Path(folder, f"docs{number}")
            (root / "docs/snippets").mkdir(parents=True)
            (root / "docs/snippets/f.cpp").write_text(SNIPPET, encoding="utf-8")
            for path in ("README.md", "docs/architecture.md"):
                (root / path).write_text(page, encoding="utf-8")
            problems += check(f"page\n{page}", run("docs.py", "quotes", root), expected, good=number == 0)
        for number, (output, expected) in enumerate(PRINTED):
            program = Path(folder, f"program{number}")
            program.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\n", encoding="utf-8")
            program.chmod(0o755)
            problems += check(f"output {output}", run("docs.py", "prints", Path(folder, "docs0"), "f", program), expected, good=number == 0)
    print("\n".join(problems) or f"{len(LAYOUTS) + len(COMPILED) + len(HEADERS) + len(QUOTED) + len(PRINTED)} cases are told apart")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
