"""A compiler's launcher for a project that compiles axiform::compiled again: `as_built.py SOURCE BUILD COMPILER FLAG...`

SOURCE is the library's folder and BUILD what was built of it. Of a unit of the library that has the bytes of the one in SOURCE the object in BUILD is taken, where
it is newer than all headers; core.cpp alone, and the project's own units, are compiled. That the installed headers are those in SOURCE is run.cmake's to check.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def built_object(source, build, command):
    unit = Path(command[-1])
    if "-c" not in command or "-o" not in command or unit.parent.name != "compiled" or unit.name == "core.cpp":
        return None
    original = source / "cmake/compiled" / unit.name
    objects = list(build.glob(f"CMakeFiles/axiform_compiled.dir/cmake/compiled/{unit.name}.o*"))
    if not original.is_file() or original.read_bytes() != unit.read_bytes() or len(objects) != 1:
        return None
    changed = max(path.stat().st_mtime_ns for path in [original, *source.glob("include/**/*.hpp")])
    return objects[0] if objects[0].stat().st_mtime_ns > changed else None


def main(source, build, *command):
    found = built_object(Path(source), Path(build), command)
    if not found:
        return subprocess.run(command, check=False).returncode
    print(f"{Path(command[-1]).name}: as it was built")
    shutil.copyfile(found, command[command.index("-o") + 1])
    if "-MF" in command:
        Path(command[command.index("-MF") + 1]).write_text(f"{command[command.index('-o') + 1]}:\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
