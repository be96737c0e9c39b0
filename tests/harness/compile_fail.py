"""Checks a unit that must not compile: `compile_fail.py UNIT PRECOMPILED COMPILER FLAG...`

PRECOMPILED is the folder with what the build precompiled (precompiled.py), and may be empty.

The unit says what the compiler's message must match, a regular expression a line:

    // expect-error: LastAxisIs<.*Const<1024>.*Const<768>
    // expect-first-error: no match     (the first error, which must be about a line of the unit and not of a header)

and holds, between `#ifdef SHOULD_COMPILE` and `#else`, the same thing done right. With SHOULD_COMPILE defined it must compile: otherwise it
might be refused for a reason of no interest, and the test would never notice.

Two more lines are possible. The unit alone, not its twin, is given these flags ({folder} is the folder of the unit), and then nothing precompiled; and the
compiler says `error:` so often:

    // flags: -std=c++17 -I{folder}/old_xsimd
    // error-lines: 2
"""

import os
import re
import subprocess
import sys

import precompiled


def main(unit, folder, *command):
    with open(unit, encoding="utf-8") as file:
        source = file.read()
    patterns = re.findall(r"^// expect-error: *(.+?) *$", source, re.MULTILINE)
    first_patterns = re.findall(r"^// expect-first-error: *(.+?) *$", source, re.MULTILINE)
    if not patterns and not first_patterns:
        return f"{unit}: has no line `// expect-error: REGEX`"
    if not re.search(r"^#ifdef SHOULD_COMPILE$", source, re.MULTILINE):
        return f"{unit}: has no twin: `#ifdef SHOULD_COMPILE`"

    def compile_with(*flags):
        return subprocess.run([*command, *flags, unit], capture_output=True, text=True, env=None)

    # As a program sees the library that links to axiform::compiled: headers were precompiled so.
    quickly = ["-DAXIFORM_COMPILED", *precompiled.flags_for(folder, source)]
    twin = compile_with(*quickly, "-DSHOULD_COMPILE")
    if twin.returncode != 0:
        return f"{unit}: the twin does not compile:\n{twin.stderr}"
    flags = re.search(r"^// flags: *(.+?) *$", source, re.MULTILINE)
    bad = compile_with(*(flags[1].format(folder=os.path.dirname(unit)).split() if flags else quickly))
    if bad.returncode == 0:
        return f"{unit}: compiles, and must not"
    missing = [pattern for pattern in patterns if not re.search(pattern, bad.stderr)]
    if missing:
        return f"{unit}: the message does not match {missing}:\n{bad.stderr}"
    first = next((line for line in bad.stderr.split("\n") if " error: " in line), "")
    missing = [pattern for pattern in first_patterns if not first.startswith(f"{unit}:") or not re.search(pattern, first)]
    if missing:
        return f"{unit}: the first error is not in the unit or does not match {missing}:\n{bad.stderr}"
    lines = re.search(r"^// error-lines: *(\d+)$", source, re.MULTILINE)
    found = len(re.findall(r"\berror: ", bad.stderr))
    if lines and found != int(lines[1]):
        return f"{unit}: {found} lines of errors instead of {lines[1]}:\n{bad.stderr}"
    print(f"refused as expected: {', '.join(patterns + first_patterns)}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
