"""What a header or a unit includes of the library, and the precompiled header that may stand for the most of it.

Most of the time that a header takes alone goes to what it includes, and the same few headers are at the bottom of it: half is xsimd. The build precompiles
those (tests/CMakeLists.txt). The compiler reads one of them first, of whatever the header would have included anyway: it sees the same names, in another order.
"""

import re
from functools import lru_cache
from pathlib import Path

INCLUDES = Path(__file__).resolve().parents[2] / "include"
# What only definitions include stands between these two, and counts for nobody: a header's interface must do without.
DEFINITIONS = re.compile(r"^#if AXIFORM_DEFINES\(.*?^#endif", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r"^ *# *include *<(axiform/[^>]+)>", re.MULTILINE)


def includes_of(text):
    return INCLUDE.findall(DEFINITIONS.sub("", text))


def includes_of_header(header):
    return includes_of((INCLUDES / header).read_text(encoding="utf-8"))


@lru_cache(maxsize=None)
def closure(header):
    """The header, and all that it includes of the library."""
    found, waiting = set(), [header]
    while waiting:
        name = waiting.pop()
        if name not in found and (INCLUDES / name).is_file():
            found.add(name)
            waiting += includes_of_header(name)
    return frozenset(found)


def flags_for(folder, text, outside=None):
    """The flags that make the compiler begin `text` with the largest header in `folder` that `text` includes anyway, or none; AXIFORM_COMPILED must be defined.

    A header that was precompiled before it was changed, or one that it includes, does not serve; nor does one of the room `outside`, whose definitions are to
    be compiled: it was precompiled without them.
    """
    reached = frozenset().union(*(closure(name) for name in includes_of(text)))
    serving = []
    for precompiled in Path(folder).rglob("*.gch"):
        header = f"axiform/{precompiled.relative_to(folder).with_suffix('')}"
        if header in reached and header.split("/")[1] != outside and all((INCLUDES / name).stat().st_mtime_ns < precompiled.stat().st_mtime_ns for name in closure(header)):
            serving.append((precompiled.stat().st_size, str(precompiled.with_suffix(""))))
    return ["-Winvalid-pch", "-Wno-error=invalid-pch", "-include", max(serving)[1]] if serving else []
