#!/usr/bin/env python3
"""Takes the weights of a BERT out of a TensorFlow checkpoint, and gives them the names that Hugging Face's checkpoint has:

    scripts/convert/tf_bundle_to_safetensors.py PREFIX MODEL.safetensors

PREFIX is what the checkpoint's files begin with: bert_model.ckpt of bert_model.ckpt.index and bert_model.ckpt.data-00000-of-00001, or
variables/variables of a saved model.

The index is a sorted table as LevelDB writes it (blocks of keys that share prefixes, then a block that says where those are, then a footer). Its
values are BundleEntryProto: type, shape, and where the numbers lie in the data file, as they are. Google's names become those of PyTorch:

    bert/encoder/layer_0/attention/self/query/kernel [in, out]    bert.encoder.layer.0.attention.self.query.weight [out, in]
    bert/embeddings/word_embeddings                               bert.embeddings.word_embeddings.weight
    bert/embeddings/LayerNorm/gamma, beta                         bert.embeddings.LayerNorm.weight, bias
    cls/predictions/output_bias                                   cls.predictions.bias
    cls/seq_relationship/output_weights, output_bias              cls.seq_relationship.weight, bias
    cls/squad/output_weights, output_bias                         qa_outputs.weight, bias
    output_weights, output_bias                                   classifier.weight, bias

Whatever stands before bert/ and cls/ is cut off (TensorFlow Hub has module/). The optimizer's variables are left out; a variable of another form is an error.
"""

import re
import struct
import sys

from protobuf import read_fields, read_varint
from safetensors_writer import ConversionError, Tensor, number_of_elements, reading, run_converter, transposed, write_safetensors

MAGIC = 0xDB4775248B80FB57
FOOTER_BYTES = 48
FLOAT32 = 1  # DataType
OF_OPTIMIZER = re.compile(r"(^|/)(global_step|adam_[mv]|beta[12]_power|Adam(_1)?)$")
# What is written differently in TensorFlow and in PyTorch; of the ends of a name, the first that matches.
ENDS = [
    (r"/kernel$", ".weight"), (r"/gamma$", ".weight"), (r"/beta$", ".bias"), (r"/bias$", ".bias"), (r"_embeddings$", "_embeddings.weight"),
    (r"^cls/squad/output_weights$", "qa_outputs.weight"), (r"^cls/squad/output_bias$", "qa_outputs.bias"),
    (r"/output_weights$", ".weight"), (r"/output_bias$", ".bias"), (r"^output_weights$", "classifier.weight"), (r"^output_bias$", "classifier.bias"),
]


# ---- the index -------------------------------------------------------------------------------------------------------------------------


def read_block(index, offset, size):
    """(key, value) of a block. A key says how many bytes it shares with the one before it."""
    if offset + size + 5 > len(index):
        raise ValueError(f"found a block that ends at byte {offset + size + 5} of {len(index)}")
    if index[offset + size] != 0:
        raise ValueError("found a compressed block, which TensorFlow does not write")
    block = index[offset : offset + size]
    restarts = struct.unpack_from("<I", block, size - 4)[0] if size >= 4 else size
    end, at, key = size - 4 * (restarts + 1), 0, b""
    if end < 0:
        raise ValueError(f"found {restarts} restarts in a block of {size} bytes")
    while at < end:
        shared, at = read_varint(block, at)
        rest, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or at + rest + length > end:
            raise ValueError("found a key that goes beyond its block")
        key = key[:shared] + bytes(block[at : at + rest])
        at += rest
        yield key, block[at : at + length]
        at += length


def read_handle(data, at=0):
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return offset, size, at


def read_index(index):
    """{name: (shape, offset in the data file)} of the float variables."""
    if len(index) < FOOTER_BYTES or struct.unpack_from("<Q", index, len(index) - 8)[0] != MAGIC:
        raise ValueError("found no footer")
    footer = index[-FOOTER_BYTES:]
    _, _, at = read_handle(footer)  # of a block about blocks, which is empty
    offset, size, _ = read_handle(footer, at)
    variables = {}
    for _, handle in read_block(index, offset, size):
        for key, value in read_block(index, *read_handle(handle)[:2]):
            if key:  # the first entry, without a name, is about the bundle
                variables[key.decode("utf-8")] = value
    return {name: read_entry(name, value) for name, value in variables.items() if not OF_OPTIMIZER.search(name)}


def read_entry(name, value):
    kind, shape, shard, offset, size = 0, [], 0, 0, 0
    for number, field in read_fields(value):
        if number == 1:
            kind = field
        elif number == 2:
            for _, dimension in (each for each in read_fields(field) if each[0] == 2):
                shape += [size for number, size in read_fields(dimension) if number == 1] or [0]
        elif number == 3:
            shard = field
        elif number == 4:
            offset = field
        elif number == 5:
            size = field
    if kind != FLOAT32 or shard != 0:
        raise ConversionError(f"{name}: found type {kind} in data file {shard}, expected type {FLOAT32}, float32, in a single file")
    if size != 4 * number_of_elements(shape):
        raise ConversionError(f"{name}: found {size} bytes, expected {4 * number_of_elements(shape)} for the shape {shape}")
    return tuple(shape), offset


# ---- names -----------------------------------------------------------------------------------------------------------------------------


def name_of(variable):
    """Hugging Face's name of a variable."""
    name = re.sub(r"^.*?/?\b(?=(bert|cls)/)", "", variable)
    for end, replacement in ENDS:
        if re.search(end, name):
            return re.sub(r"/layer_(\d+)/", r".layer.\1.", re.sub(end, replacement, name)).replace("/", ".")
    raise ConversionError(f"{variable}: found a variable that no BERT has")


@reading("the index of a TensorFlow checkpoint")
def read_bundle(index, data):
    """{name: Tensor} of the bytes of an index and its data file, which is read from when a tensor is asked for."""

    def read(shape, offset, is_kernel):
        size = 4 * number_of_elements(shape)
        data.seek(offset)
        found = data.read(size)
        if len(found) != size:
            raise ConversionError(f"found {len(found)} bytes at {offset}, expected {size}: the data file is cut off")
        return transposed(found, *shape, 4) if is_kernel else found

    result = {}
    for variable, (shape, offset) in read_index(index).items():
        is_kernel = variable.endswith("/kernel")
        if is_kernel and len(shape) != 2:
            raise ConversionError(f"{variable}: found the shape {list(shape)}, expected a matrix")
        tensor = Tensor("F32", shape[::-1] if is_kernel else shape, lambda a=shape, b=offset, c=is_kernel: read(a, b, c))
        if result.setdefault(name_of(variable), tensor) is not tensor:
            raise ConversionError(f"{variable}: found {name_of(variable)} twice")
    if not result:
        raise ConversionError("found no variables")
    return result


def convert(prefix, target):
    """Writes the weights of a checkpoint whose files begin with `prefix` to `target`."""
    with open(f"{prefix}.index", "rb") as file:
        index = file.read()
    with open(f"{prefix}.data-00000-of-00001", "rb") as data:
        write_safetensors(target, read_bundle(index, data))


if __name__ == "__main__":
    sys.exit(run_converter("tf_bundle_to_safetensors", convert, __doc__))
