#!/usr/bin/env python3
"""Takes the weights of a transformer out of an ONNX file, and gives them the names that Hugging Face's checkpoint has:

    scripts/convert/onnx_to_safetensors.py MODEL.onnx MODEL.safetensors

For what PyTorch exported of a Hugging Face encoder, in float32, float16, or with weights of 8 or 4 bits by ONNX Runtime's quantization. Exporting renames a
weight that is multiplied with (`onnx::MatMul_1525`) and transposes it; quantization replaces it by integers, scales and zero points. The graph still
says what each one is:

  - what a MatMul, MatMulInteger, MatMulNBits or Gemm multiplies with is the weight of a linear layer: it belongs to the bias that is added to the
    product, or where there is none to the module that the operator's name spells ("/encoder/layer.0/attention/self/query/MatMul"), and is stored
    as [in, out] (by MatMulNBits as [out, in]), which is [out, in] in a checkpoint;
  - what a Gather picks from is a table of embeddings, as it is;
  - other weights and biases have kept their names.

Integers become float32: (integer - zero point) * scale. (Where ONNX Runtime multiplies with 8 bits it rounds the activations to 8 bits too, so that its
results differ a little from those of these weights.) A float that belongs to no operator known here is an error, not left out.
"""

import array
import itertools
import re
import struct
import sys
from typing import NamedTuple, Optional

from protobuf import read_fields, read_numbers, read_text
from safetensors_writer import ConversionError, Tensor, number_of_elements, reading, run_converter, transposed, write_safetensors

FLOATS = {1: "F32", 10: "F16", 16: "BF16"}  # TensorProto.DataType
UINT8, INT8 = 2, 3
PARAMETER = re.compile(r"[A-Za-z_]\w*(\.\w+)*\.(weight|bias|gamma|beta)")
PRODUCTS = ("MatMul", "MatMulInteger", "MatMulNBits", "Gemm")

# ---- the file ------------------------------------------------------------------------------------------------------------------------


class Initializer(NamedTuple):
    """A tensor that is stored in the file."""

    name: str
    type: int
    shape: tuple
    data: memoryview  # little-endian

    @classmethod
    def read(cls, message):
        name, kind, shape, data, integers = "", 0, [], b"", []
        for number, value in read_fields(message):
            if number == 1:
                shape += read_numbers(value)
            elif number == 2:
                kind = value
            elif number in (4, 9):  # floats, or whatever it is as bytes
                data = b"".join((data, value)) if len(data) else value
            elif number == 5:
                integers += read_numbers(value)
            elif number == 8:
                name = read_text(value)
            elif number == 14 and value != 0:
                raise ConversionError(f"{name or 'a tensor'}: its numbers are in a file of their own, which is not read here")
        if integers and kind in (UINT8, INT8):
            data = bytes(number & 255 for number in integers)
        tensor = cls(name, kind, tuple(shape), data)
        expected = number_of_elements(shape) * {1: 4, 10: 2, 16: 2, UINT8: 1, INT8: 1}.get(kind, 0)
        if expected and len(tensor.data) != expected:
            raise ConversionError(f"{name}: found {len(tensor.data)} bytes, expected {expected} for the shape {shape}")
        return tensor

    def floats(self):
        if self.type != 1:
            raise ConversionError(f"{self.name}: found the type {self.type}, expected 1, float32")
        return struct.unpack(f"<{len(self.data) // 4}f", self.data)

    def integers(self):
        return struct.unpack(f"{len(self.data)}{'b' if self.type == INT8 else 'B'}", self.data)


class Node(NamedTuple):
    """An operator."""

    name: str
    op: str
    inputs: list
    outputs: list
    attributes: dict  # numbers, lists of numbers, and tensors

    @classmethod
    def read(cls, message):
        name, op, inputs, outputs, attributes = "", "", [], [], {}
        for number, value in read_fields(message):
            if number == 1:
                inputs.append(read_text(value))
            elif number == 2:
                outputs.append(read_text(value))
            elif number == 3:
                name = read_text(value)
            elif number == 4:
                op = read_text(value)
            elif number == 5:
                attributes.update([cls.read_attribute(value)])
        return cls(name, op, inputs, outputs, attributes)

    @staticmethod
    def read_attribute(message):
        name, result, numbers = "", None, []
        for number, value in read_fields(message):
            if number == 1:
                name = read_text(value)
            elif number == 3:
                result = value if value < 1 << 63 else value - (1 << 64)
            elif number == 5:
                result = Initializer.read(value)
            elif number == 8:
                numbers += read_numbers(value)
        return name, numbers or result


class Graph:
    """What an ONNX file holds, and who makes and uses each value of it."""

    def __init__(self, model):
        self.nodes, self.initializers = [], {}
        graphs = [value for number, value in read_fields(model) if number == 7]
        if len(graphs) != 1 or isinstance(graphs[0], int):
            raise ValueError(f"found {len(graphs)} graphs, expected 1")
        for number, value in read_fields(graphs[0]):
            if number == 1:
                self.nodes.append(Node.read(value))
            elif number == 5:
                tensor = Initializer.read(value)
                self.initializers[tensor.name] = tensor
        self.maker, self.users = {}, {}
        for node in self.nodes:
            for name in node.outputs:
                self.maker[name] = node
            for name in node.inputs:
                self.users.setdefault(name, []).append(node)
            if node.op == "Constant" and isinstance(node.attributes.get("value"), Initializer):
                self.initializers[node.outputs[0]] = node.attributes["value"]._replace(name=node.outputs[0])

    def follow(self, name, *ops):
        """The only operator that uses a value, where it is one of these."""
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 and users[0].op in ops else None

    def other_input(self, node, name):
        return node.inputs[1] if node.inputs[0] == name else node.inputs[0]


# ---- what the graph says of its tensors -------------------------------------------------------------------------------------------------


class Weight(NamedTuple):
    """A stored tensor as the model uses it: made floats, turned round."""

    stored: Initializer
    scale: Optional[Initializer] = None
    zero_point: Optional[Initializer] = None
    axis: int = 1              # along which there is a scale each, where there are several
    is_transposed: bool = False

    @reading("an ONNX file")
    def tensor(self):
        shape = self.stored.shape
        if self.is_transposed and len(shape) != 2:
            raise ConversionError(f"{self.stored.name}: found the shape {list(shape)}, expected a matrix")
        if self.scale and self.stored.type not in (UINT8, INT8):
            raise ConversionError(f"{self.stored.name}: found a scale for integers of type {self.stored.type}, expected {UINT8} or {INT8}, of 8 bits")
        return Tensor("F32" if self.scale else FLOATS[self.stored.type], shape[::-1] if self.is_transposed else shape, self.numbers)

    @reading("an ONNX file")
    def numbers(self):
        shape, data = self.stored.shape, bytes(self.stored.data)
        if self.scale is None:
            return transposed(data, *shape, 2 if self.stored.type != 1 else 4) if self.is_transposed else data
        scales = self.scale.floats()
        zeros = self.zero_point.integers() if self.zero_point else (0,) * len(scales)
        if len(scales) == 1:
            return self.floats(transposed(data, *shape, 1) if self.is_transposed else data, scales[0], zeros[0])
        axis = self.axis % len(shape)
        if len(shape) != 2 or len(scales) != shape[axis] or len(zeros) != len(scales):
            raise ConversionError(f"{self.stored.name}: found {len(scales)} scales and {len(zeros)} zero points for the shape {list(shape)}")
        rows, columns = shape
        channels = [data[i::columns] if axis == 1 else data[i * columns : (i + 1) * columns] for i in range(len(scales))]
        result = b"".join(self.floats(*channel) for channel in zip(channels, scales, zeros))
        channels_first = (axis == 1) == self.is_transposed
        return result if channels_first else transposed(result, len(scales), len(data) // len(scales), 4)

    def floats(self, data, scale, zero):
        """(integer - zero) * scale of each byte, rounded to float32: byte by byte from a table of the 256 results."""
        values = range(256) if self.stored.type == UINT8 else [*range(128), *range(-128, 0)]
        table = struct.pack("<256f", *((value - zero) * scale for value in values))
        result = bytearray(4 * len(data))
        for i in range(4):
            result[i::4] = data.translate(table[i::4])
        return bytes(result)


def nibbles(data):
    """The 4-bit integers of bytes, the lower half of each byte first."""
    result = bytearray(2 * len(data))
    result[0::2] = data.translate(bytes(byte & 15 for byte in range(256)))
    result[1::2] = data.translate(bytes(byte >> 4 for byte in range(256)))
    return bytes(result)


class BlockWeight(NamedTuple):
    """A matrix [out, in] in 4 bits, with a scale and a zero point for so many numbers of a row. The last block of a row is filled up."""

    stored: Initializer
    scale: Initializer
    zero_point: Optional[Initializer]  # a row's in 4 bits too; 8 where there are none
    shape: tuple
    block: int

    @reading("an ONNX file")
    def tensor(self):
        rows, columns = self.shape
        expected = rows * -(-columns // self.block)
        if self.stored.type != UINT8 or 2 * len(self.stored.data) != expected * self.block or len(self.scale.floats()) != expected:
            raise ConversionError(f"{self.stored.name}: found {len(self.stored.data)} bytes and {len(self.scale.floats())} scales, "
                                  f"expected {expected} blocks of {self.block} numbers in 4 bits")
        return Tensor("F32", self.shape, self.numbers)

    @reading("an ONNX file")
    def numbers(self):
        rows, columns = self.shape
        in_row = -(-columns // self.block)
        integers, scales = nibbles(bytes(self.stored.data)), self.scale.floats()
        zeros = itertools.repeat(8)
        if self.zero_point:
            packed = nibbles(bytes(self.zero_point.data))
            zeros = [zero for row in range(rows) for zero in packed[row * (in_row + in_row % 2) :][:in_row]]
        result = array.array("f")
        for i, (scale, zero) in enumerate(zip(scales, zeros)):
            values = [(integer - zero) * scale for integer in range(16)]
            begin, left = i * self.block, columns - i % in_row * self.block
            result.extend([values[integer] for integer in integers[begin : begin + min(self.block, left)]])
        if sys.byteorder == "big":
            result.byteswap()
        return result.tobytes()


def weight_of(graph, name):
    """The stored tensor behind a value, through what only turns it round or makes it floats; None for what the model computes."""
    stored, node = graph.initializers.get(name), graph.maker.get(name)
    if stored is not None:
        return Weight(stored) if stored.type in FLOATS else None
    if node is None or not node.inputs:
        return None
    if node.op == "DequantizeLinear":
        tensors = [graph.initializers.get(each) for each in node.inputs]
        return Weight(*tensors, axis=node.attributes.get("axis", 1)) if tensors[0] else None
    weight = weight_of(graph, node.inputs[0]) if node.op in ("Identity", "Cast", "Transpose") else None
    if weight and node.op == "Transpose":
        if node.attributes.get("perm", [1, 0]) != [1, 0]:
            return None
        weight = weight._replace(is_transposed=not weight.is_transposed)
    return weight


def integer_weight_of(graph, node):
    """What a MatMulInteger multiplies with. Its scale is multiplied with that of the activations, and that with the product."""
    stored = graph.initializers.get(node.inputs[1])
    if stored is None:
        return None
    zero_point = graph.initializers.get(node.inputs[3]) if len(node.inputs) > 3 else None
    cast = graph.follow(node.outputs[0], "Cast")
    product = cast and graph.follow(cast.outputs[0], "Mul")
    scales = product and graph.maker.get(graph.other_input(product, cast.outputs[0]))
    scale = next((graph.initializers[name] for name in scales.inputs if name in graph.initializers), None) if scales else None
    if scale is None:
        raise ConversionError(f"{stored.name}: found no scale of it behind {node.name or node.op}")
    return Weight(stored, scale, zero_point)


def block_weight_of(graph, node):
    """What a MatMulNBits multiplies with."""
    stored, scale, zero_point = (graph.initializers.get(name) for name in [*node.inputs[1:4], ""][:3])
    bits, rows, columns, block = (node.attributes.get(name) for name in ("bits", "N", "K", "block_size"))
    if bits != 4 or zero_point and zero_point.type != UINT8 or any(node.inputs[4:5]):
        raise ConversionError(f"{node.inputs[1]}: found {bits} bits, or zero points or an order of columns of a kind not known here; expected 4 bits")
    return BlockWeight(stored, scale, zero_point, (rows, columns), block)


def table_of(graph, node):
    """What a Gather picks from; its integers become floats once they are picked."""
    weight, stored = weight_of(graph, node.inputs[0]), graph.initializers.get(node.inputs[0])
    later = graph.follow(node.outputs[0], "DequantizeLinear")
    if weight is None and stored is not None and later:
        return Weight(stored, *(graph.initializers.get(name) for name in later.inputs[1:]))
    return weight


def bias_added_to(graph, name):
    """The name of the bias that is added to a product, behind what makes a product of integers floats, or rounds one of floats."""
    for _ in range(3):
        node = graph.follow(name, "Cast", "Mul", "QuantizeLinear", "DequantizeLinear", "Add")
        if node is None:
            return None
        if node.op == "Add":
            other = graph.other_input(node, name)
            return other if other in graph.initializers and PARAMETER.fullmatch(other) else None
        name = node.outputs[0]
    return None


def name_of(graph, weight, node, kind):
    """The checkpoint's name of what an operator uses as a weight or a bias."""
    name = re.sub(r"_quantized$", "", weight.stored.name)
    if PARAMETER.fullmatch(name):
        return name
    bias = bias_added_to(graph, node.outputs[0]) if node.op in PRODUCTS else None
    if bias:
        return re.sub(r"\.\w+$", ".weight", bias)
    path = [part for part in node.name.split("/") if part]
    if len(path) > 1:
        return ".".join(path[:-1]) + f".{kind}"
    raise ConversionError(f"{weight.stored.name}: found no name for it: neither it nor {node.op} {node.name!r} says which module it belongs to")


def weights_used(graph):
    """(operator, weight or bias, Weight) of whatever is stored."""
    for node in graph.nodes:
        if node.op == "MatMulInteger":
            weight = integer_weight_of(graph, node)
            found = [("weight", weight and weight._replace(is_transposed=True))]
        elif node.op == "MatMulNBits":
            found = [("weight", block_weight_of(graph, node))]
        elif node.op in ("MatMul", "Gemm"):
            weight = weight_of(graph, node.inputs[1])
            if weight and not node.attributes.get("transB"):
                weight = weight._replace(is_transposed=not weight.is_transposed)
            found = [("weight", weight)] + [("bias", weight_of(graph, name)) for name in node.inputs[2:]]
        elif node.op == "Gather":
            found = [("weight", table_of(graph, node))]
        elif node.op == "LayerNormalization":
            found = [(kind, weight_of(graph, name)) for kind, name in zip(("weight", "bias"), node.inputs[1:])]
        elif node.op in ("Add", "Mul"):
            found = [("bias" if node.op == "Add" else "weight", weight_of(graph, name)) for name in node.inputs]
        else:
            continue
        yield from ((node, kind, weight) for kind, weight in found if weight)


def is_number(tensor):
    return number_of_elements(tensor.shape) <= 1


@reading("an ONNX file")
def read_onnx(model):
    """{name: Tensor} of an ONNX file's bytes."""
    graph = Graph(memoryview(model))
    found = list(weights_used(graph))
    scales = {tensor.name for _, _, weight in found for tensor in (weight.scale, weight.zero_point) if tensor}
    result, used = {}, set(scales)
    for node, kind, weight in found:
        name = weight.stored.name
        used.add(name)
        if name in scales or is_number(weight.stored) and not PARAMETER.fullmatch(name):
            continue  # belongs to a weight, or is a constant of the graph, such as the root of 2 in GELU
        name = name_of(graph, weight, node, kind)
        if result.setdefault(name, weight) != weight:
            raise ConversionError(f"{name}: found it twice, as {result[name].stored.name} and as {weight.stored.name}")
    for tensor in graph.initializers.values():
        if tensor.name not in used and tensor.type in (*FLOATS, UINT8, INT8) and not is_number(tensor):
            raise ConversionError(f"{tensor.name}: found no operator known here that uses it")
    if not result:
        raise ConversionError("found no weights")
    return {name: weight.tensor() for name, weight in result.items()}


def convert(source, target):
    """Writes the weights of the ONNX file `source` to `target`."""
    with open(source, "rb") as file:
        write_safetensors(target, read_onnx(file.read()))


if __name__ == "__main__":
    sys.exit(run_converter("onnx_to_safetensors", convert, __doc__))
