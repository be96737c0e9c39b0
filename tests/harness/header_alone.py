"""Checks that a header compiles alone, included twice: `header_alone.py HEADER PRECOMPILED COMPILER FLAG...`

HEADER is as one includes it, axiform/ROOM/NAME.hpp; PRECOMPILED is the folder with what the build precompiled (precompiled.py), and may be empty. What the
header defines is compiled, too. What the others of its room define is not, unless the header needs it: that is an entry of theirs.
"""

import subprocess
import sys

import precompiled


def main(header, folder, *command):
    included_twice = f"#include <{header}>\n" * 2

    def compiles(unit, *flags, **options):
        return subprocess.run([*command, *flags, "-x", "c++", "-"], input=unit, text=True, check=False, **options).returncode == 0

    if header.count("/") == 1:
        return 0 if compiles(included_twice) else 1
    _, room, _ = header.split("/", 2)
    definitions = f"#define AXIFORM_COMPILING_{room} 1\n"
    declarations = "".join(f"#include <{name}>\n" for name in precompiled.includes_of_header(header))
    if compiles(declarations + definitions + included_twice, "-DAXIFORM_COMPILED", *precompiled.flags_for(folder, declarations), capture_output=True):
        return 0
    print("not without what others of the room define")
    return 0 if compiles(definitions + included_twice, "-DAXIFORM_COMPILED", *precompiled.flags_for(folder, declarations, outside=room)) else 1


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
