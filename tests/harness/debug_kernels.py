"""Checks that kernels are optimised in a unit that is compiled without optimisation: `debug_kernels.py COMPILER FLAG...`

No kernel of the assembly that -O0 gives may call xsimd, whose functions are the single instructions of a kernel: with one call for each, a pass takes
hundreds of times as long. (docs/decisions/0016-kernels-in-debug-builds.md)
"""

import re
import subprocess
import sys

UNIT = "#include <axiform/models/bert.hpp>\ntemplate struct axiform::Bert<>;\n"
# xsimd's bit_cast only makes constants. How matrices are turned when a model is loaded may take its time.
KERNEL = re.compile(r"^_ZN7axiform\w*7kernels(?!.*transpose)")


def main(command):
    flags = [*command, "-O0", "-S", "-o", "-", "-x", "c++", "-"]
    result = subprocess.run(flags, input=UNIT, capture_output=True, text=True)
    if result.returncode != 0:
        return result.stderr
    kernels, bad, function = set(), set(), ""
    for line in result.stdout.split("\n"):
        if label := re.match(r"^(_Z\w+):", line):
            function = label[1]
            if KERNEL.match(function):
                kernels.add(function)
        elif function in kernels and (call := re.search(r"\b(?:call|bl)\s+(_ZNK?5xsimd(?!8bit_cast)\w+)", line)):
            bad.add(f"{function} calls {call[1]}")
    if not any("4tile" in kernel for kernel in kernels):
        return "found no register tile in the assembly"
    print("\n".join(sorted(bad)) or f"{len(kernels)} kernels call nothing of xsimd")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
