"""Checks the rules about files that no compiler checks: `layout.py REPOSITORY`

- A header's includes point one way: each room may use the rooms below it (see ROOMS), and no other.
- Only simd/ and kernels/ include xsimd.
- Every header begins with `/// @file` and has `#pragma once`; its own includes are written <axiform/room/name.hpp>.
- Every header but core/config.hpp includes another of axiform's, so that what a compiler was told wrong is refused before all else, once.
- What simd/ and kernels/ declare stands between AXIFORM_BEGIN_KERNELS and AXIFORM_END_KERNELS.
- axiform.hpp reaches every header but that for Eigen's matrices.
- What is offered as a library of its own reaches no header that it could do without (see ALONE).
- Test cases are in *_test.cpp: elsewhere no ctest entry would run them.
- A page of docs/decisions/ is called NNNN-its-subject.md, has a title, and says **Context.**, **Choice.** and **Given up.** in this order.
"""

import re
import sys
from pathlib import Path

# room: the rooms that it may include directly; what those may include, it may too.
ROOMS = {
    "core": [],
    "simd": ["core"],
    "kernels": ["simd"],
    "ops": ["kernels"],
    "algebra": ["kernels"],
    "nn": ["ops"],
    "io": ["core"],
    "text": ["io"],
    "models": ["nn", "io"],
    "generate": ["core"],
    "tasks": ["models", "text", "generate"],
    "search": ["tasks"],
    "train": ["models", "text"],
    "inspect": ["models", "text", "generate"],
}
# library: the rooms that may include it.
LIBRARIES = {"xsimd": ["simd", "kernels"], "Eigen": ["algebra"]}

# header: what a program that includes it alone is spared.
ALONE = {
    "axiform/text/tokenizer.hpp": re.compile(r"axiform/core/(tensor|view|memory|context|weight_\w+)\.hpp|axiform/io/(tensor_file|gguf|model_directory)\.hpp|axiform/text/(gguf_|sentencepiece_|template_|chat_).*"),
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def below(room):
    """The room and all rooms that it may include."""
    return {room}.union(*(below(other) for other in ROOMS[room]))


def check_headers(root):
    include = root / "include"
    headers = sorted(include.rglob("*.hpp"))
    if not headers:
        yield f"{include}: found no header"
    graph = {}
    for header in headers:
        name = header.relative_to(include).as_posix()
        text = header.read_text(encoding="utf-8")
        if not text.startswith("/// @file\n"):
            yield f"{name}: does not begin with `/// @file`"
        if not re.search(r"^#pragma once$", text, re.MULTILINE):
            yield f"{name}: has no `#pragma once`"

        parts = name.split("/")
        room = parts[1] if len(parts) > 2 else None  # axiform.hpp and version.hpp stand outside the rooms
        if room is not None and room not in ROOMS:
            yield f"{name}: room `{room}` is not known; the rooms are {', '.join(ROOMS)}"
            continue

        if name != "axiform/core/config.hpp" and "#include <axiform/" not in text:
            yield f"{name}: includes no header of axiform; every header includes <axiform/core/config.hpp> or one that does"
        if room in ("simd", "kernels"):
            begin, end = text.find("\nAXIFORM_BEGIN_KERNELS\n"), text.find("\nAXIFORM_END_KERNELS\n")
            if begin < 0 or end < begin:
                yield f"{name}: does not stand between AXIFORM_BEGIN_KERNELS and AXIFORM_END_KERNELS, and would crawl in debug builds"

        graph[name] = []
        for quote, path in INCLUDE.findall(text):
            library = path.split("/")[0]
            if quote == '"':
                yield f'{name}: includes "{path}"; write <axiform/room/name.hpp>'
            elif library == "axiform":
                graph[name].append(path)
                other = path.split("/")[1] if path.count("/") > 1 else None
                if not (include / path).is_file():
                    yield f"{name}: includes <{path}>, which does not exist"
                elif room is not None and other is not None and other not in below(room):
                    yield f"{name}: includes <{path}>, but {room}/ may use only {', '.join(sorted(below(room)))}"
            elif library in LIBRARIES and room not in LIBRARIES[library]:
                yield f"{name}: includes <{path}>; only {', '.join(LIBRARIES[library])} may"

    def reached_from(header):
        reached, todo = set(), [header]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo += graph.get(name, [])
        return reached

    for header, spared in ALONE.items():
        for name in sorted(filter(spared.fullmatch, reached_from(header))):
            yield f"{header}: reaches <{name}>, which a program that includes it alone is to be spared"

    everything = "axiform/axiform.hpp"
    if everything in graph:
        reached = reached_from(everything)
        for name in sorted(graph.keys() - reached - {"axiform/algebra/eigen.hpp"}):  # whoever has Eigen does not pay for it unasked
            yield f"{everything}: does not reach <{name}>"
    else:
        yield f"{everything}: does not exist"


def check_tests(root):
    for file in sorted((root / "tests").rglob("*.[ch]pp")):
        if not file.name.endswith("_test.cpp") and re.search(r"^\s*TEST_CASE", file.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{file.relative_to(root)}: has a TEST_CASE, but ctest runs only those in *_test.cpp"


def check_decisions(root):
    for file in sorted((root / "docs/decisions").glob("*.md")):
        name, text = file.relative_to(root), file.read_text(encoding="utf-8")
        if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", file.name):
            yield f"{name}: is not called NNNN-its-subject.md"
        if not re.match(r"# [^\d\n][^\n]*\n\n\*\*Context\.\*\* [^\n]", text):
            yield f"{name}: does not begin with a title and **Context.**"
        said = [word for word in re.findall(r"^\*\*([^*]+)\.\*\*", text, re.MULTILINE) if word in ("Context", "Choice", "Given up")]
        if said != ["Context", "Choice", "Given up"]:
            yield f"{name}: says {', '.join(said)}; expected Context, Choice, Given up"


def main(repository):
    root = Path(repository)
    problems = [*check_headers(root), *check_tests(root), *check_decisions(root)]
    print("\n".join(problems) or "every rule is kept")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
