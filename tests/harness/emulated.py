"""Compiles tests into one program for another processor, and runs it in an emulator: `emulated.py EMULATOR COMPILER FLAG_OR_FILE...`"""

import subprocess
import sys
import tempfile
from pathlib import Path


def main(emulator, compiler, *flags_and_files):
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "tests")
        compiled = subprocess.run([compiler, "-static", *flags_and_files, "-o", program])
        return compiled.returncode or subprocess.run([emulator, "-cpu", "max", program]).returncode


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
