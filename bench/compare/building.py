"""What a program that embeds sentences costs its author: seconds to compile it, by headers alone and with axiform::compiled, and the bytes of the program."""
import pathlib
import re
import subprocess
import tempfile
import time

import setting_up

PROGRAM = setting_up.REPOSITORY / "docs/snippets/embed.cpp"


def measure():
    build = setting_up.REPOSITORY / "build/release"
    xsimd = re.search(r"^xsimd_INCLUDE_DIR:PATH=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)[1]
    flags = ["-std=c++20", "-O3", "-DNDEBUG", "-march=native", "-ffp-contract=off", f"-I{setting_up.REPOSITORY}/include", "-isystem", xsimd, "-pthread"]
    found = {}
    for kind, more in {"headers alone": [], "axiform::compiled": ["-DAXIFORM_COMPILED", str(build / "libaxiform_compiled.a")]}.items():
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder) / "embed"
            began = time.perf_counter()
            subprocess.run(["c++", *flags, str(PROGRAM), *more, "-o", str(program)], check=True)
            taken = time.perf_counter() - began
            subprocess.run(["strip", str(program)], check=True)
            found[kind] = {"seconds": taken, "bytes": program.stat().st_size}
    return found
