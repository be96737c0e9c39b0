"""Reads messages of Protocol Buffers, of which both ONNX files and TensorFlow's checkpoints are made. Malformed ones are a ValueError."""


def read_varint(data, at):
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("found a number without an end")


def read_fields(data):
    """(number of the field, its value) of a message: an int, or a view of the bytes."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        elif kind in (1, 2, 5):
            size = {1: 8, 5: 4}.get(kind)
            if size is None:
                size, at = read_varint(data, at)
            if size > len(data) - at:
                raise ValueError(f"found a field of {size} bytes where {len(data) - at} are left")
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"found a field of kind {kind}, which is not used")
        yield key >> 3, value


def read_text(data):
    return bytes(data).decode("utf-8")


def read_numbers(value):
    """A repeated integer: one of its elements, or all of them packed."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        numbers.append(number)
    return numbers
