"""What the converters beside this file share: they write safetensors, with Python's standard library alone."""

import array
import contextlib
import json
import os
import struct
import sys
from typing import Callable, NamedTuple


class ConversionError(Exception):
    """What a converter found in a file, and what it expected."""


@contextlib.contextmanager
def reading(what):
    """Whatever goes wrong in here is the fault of the file that is read, which should be `what`."""
    try:
        yield
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError, RecursionError, struct.error) as error:
        raise ConversionError(f"not {what}, or a damaged one: {error}") from error


class Tensor(NamedTuple):
    dtype: str                    # as safetensors calls it: "F32"
    shape: tuple
    data: Callable[[], bytes]     # little-endian; called when the tensor is written, so that one tensor at a time is in memory


BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def number_of_elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def write_safetensors(path, tensors):
    """Writes {name: Tensor} in the order of the names, so that the same tensors give the same bytes."""
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in sorted(tensors.items()):
        begin, end = end, end + number_of_elements(tensor.shape) * BYTES[tensor.dtype]
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    try:
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            for name, tensor in sorted(tensors.items()):
                data = tensor.data()
                begin, end = header[name]["data_offsets"]
                if len(data) != end - begin:
                    raise ConversionError(f"{name}: found {len(data)} bytes, expected {end - begin} of {tensor.dtype} {list(tensor.shape)}")
                file.write(data)
    except BaseException:
        if os.path.exists(path):
            os.remove(path)
        raise


def transposed(data, rows, columns, element_bytes):
    """The bytes of a matrix [rows, columns] as those of [columns, rows]."""
    items = array.array({1: "B", 2: "H", 4: "I"}[element_bytes], bytes(data))
    return b"".join(items[column::columns].tobytes() for column in range(columns)) if rows else b""


def run_converter(name, convert, documentation, paths=2):
    """The command line of a converter: so many paths."""
    if len(sys.argv) != 1 + paths or sys.argv[1].startswith("-"):
        print(documentation.strip(), file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 2
    try:
        convert(*sys.argv[1:])
    except (ConversionError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0
