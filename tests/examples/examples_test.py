"""Runs the built examples as a user does, and looks at what comes out: values, exit statuses, one line of error, one JSON document.

    python3 examples_test.py FOLDER_OF_PROGRAMS FIXTURES MODELS [PROGRAM]     # PROGRAM: one example's tests alone
"""

import array
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

PROGRAMS, FIXTURES, MODELS = (Path(argument).resolve() for argument in sys.argv[1:4])
MINILM = MODELS / "minilm-l6"
DEMO_GPT2, DEMO_BERT = (FIXTURES / "models" / name for name in ("gpt2-demo", "bert-demo"))
CHAT_TINY = FIXTURES / "models" / "gguf" / "chat-tiny.gguf"
TINY_GPT2, PREFIXED_GPT2, TINY_BERT = (FIXTURES / "models" / name for name in ("gpt2-tiny", "gpt2-prefixed", "bert-tiny"))
SENTENCE = "My friend told me about this class and I love it so far. She was right."
SENTENCE_IDS = [101, 2026, 2767, 2409, 2033, 2055, 2023, 2465, 1998, 1045, 2293, 2009, 2061, 2521, 1012, 2016, 2001, 2157, 1012, 102]


def read_safetensors(path):
    """The tensors of a file, flat."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            tensors[name] = array.array({"F64": "d", "F32": "f", "I64": "q", "U8": "B"}[entry["dtype"]], data[8 + length + begin : 8 + length + end])
    return tensors


class ExampleTest(unittest.TestCase):
    """`run` runs the class's program, or a command of one: "axiform tokenize"."""

    program = None

    def command(self):
        program, *command = self.program.split()
        return [PROGRAMS / program, *command]

    def run_raw(self, *arguments, stdin=b"", **options):
        command = [*self.command(), *arguments]
        return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, **options)

    def output(self, *arguments, **options):
        """What a successful run prints."""
        result = self.run_raw(*arguments, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), arguments)
        return result.stdout.decode()  # valid UTF-8, or an error

    def json(self, *arguments, **options):
        return json.loads(self.output("--json", *arguments, **options))

    def check_error(self, status, text, *arguments, **options):
        """One line on stderr that names the program and has `text`, nothing on stdout, the status."""
        result = self.run_raw(*arguments, **options)
        message = result.stderr.decode()
        self.assertEqual(result.returncode, status, message)
        self.assertRegex(message, rf"\A{self.program}: [^\n]+\n\Z")
        self.assertIn(text, message)
        self.assertEqual(result.stdout, b"")

    def check_close(self, found, expected, tolerance):
        self.assertEqual(len(found), len(expected))
        self.assertLess(max(abs(a - b) for a, b in zip(found, expected)), tolerance)

    def check_common(self, *valid):
        """What holds for every program; `valid` are arguments that it runs with."""
        self.assertIn("--threads", self.output("--help"))
        self.check_error(2, "--nonsense", *valid, "--nonsense")
        self.check_error(1, "threads: found 0", *valid, "--threads", "0")
        self.check_error(2, "--threads", *valid, "--threads", "-1")
        self.check_error(2, "--threads", *valid, "--threads", "two")
        self.check_error(1, "threads: found 1000000", *valid, "--threads", "1000000")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([*self.command(), *valid], stdout=full, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual((result.returncode, result.stderr.decode()), (1, f"{self.program}: standard output: cannot be written\n"))

    def check_models(self, *valid):
        """Directories that are none, or no model; `valid` are arguments but for --model."""
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            self.check_error(1, "nowhere", *valid, "--model", folder / "nowhere")
            self.check_error(1, str(folder), *valid, "--model", folder)
            (folder / "config.json").write_text("{ this is not JSON")
            (folder / "tokenizer.json").write_text("{}")
            self.check_error(1, str(folder), *valid, "--model", folder)

    def check_truncated(self, model, *valid):
        """Weights that end too early, and a config that is another model's."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(model, Path(folder) / "model"))
            weights = copy / "model.safetensors"
            complete = weights.read_bytes()
            weights.write_bytes(complete[: len(complete) // 2])
            self.check_error(1, "model.safetensors", *valid, "--model", copy)
            weights.write_bytes(b"")
            self.check_error(1, "model.safetensors", *valid, "--model", copy)
            weights.unlink()
            self.check_error(1, "model.safetensors", *valid, "--model", copy)
            weights.write_bytes(complete)
            (copy / "config.json").write_text('{"model_type": "mamba"}')
            self.check_error(1, "mamba", *valid, "--model", copy)


class Tokenize(ExampleTest):
    program = "axiform tokenize"

    def test_the_notebooks_sentence_has_the_notebooks_ids(self):
        (encoding,) = self.json("--model", MINILM, SENTENCE)
        self.assertEqual(encoding["ids"], SENTENCE_IDS)
        self.assertEqual(encoding["tokens"][:4], ["[CLS]", "my", "friend", "told"])
        self.assertEqual(encoding["offsets"][:3], [[0, 0], [0, 2], [3, 9]])
        readable = self.output("--model", MINILM, SENTENCE).split()
        self.assertTrue({"2767", "friend", "[SEP]"} <= set(readable))

    def test_texts_are_taken_as_they_are(self):
        for text in ["[MASK]", "{}", "[a,b]", "[a", "[a]\x01", "a]", "[]", "[", "%%", "", "--", "-x", "a\nb", "a\tb"]:
            (encoding,) = self.json("--model", MINILM, "--no-special", "--", text)
            lines = self.output("--model", MINILM, "--jsonl", "--no-special", stdin=json.dumps(text).encode()).splitlines()
            self.assertEqual([encoding], [json.loads(line) for line in lines], text)
        self.assertEqual(self.json("--model", MINILM, "[MASK]")[0]["ids"], [101, 103, 102])
        self.assertEqual(self.json("--model", MINILM, "")[0]["ids"], [101, 102])
        self.assertEqual([e["ids"] for e in self.json("--model", MINILM, "--no-special", "a", "b")], [[1037], [1038]])

    def test_lengths_padding_and_units(self):
        text = "\N{GRINNING FACE} naïve"
        for unit, places in (("characters", [[0, 1], [2, 7]]), ("bytes", [[0, 4], [5, 11]]), ("utf16", [[0, 2], [3, 8]])):
            (encoding,) = self.json("--model", MINILM, "--no-special", "--offsets", unit, text)
            self.assertEqual(encoding["offsets"], places)
        padded = self.json("--model", MINILM, "--max-length", "5", "--pad-to", "6", SENTENCE, "hi")
        self.assertEqual(padded[0]["ids"], [*SENTENCE_IDS[:4], 102, 0])
        self.assertEqual(padded[1]["attention_mask"], [1, 1, 1, 0, 0, 0])
        self.assertEqual(padded[1]["tokens"], ["[CLS]", "hi", "[SEP]", "[PAD]", "[PAD]", "[PAD]"])
        self.assertEqual(padded[1]["offsets"][3:], [[0, 0]] * 3)
        self.assertIn("[PAD]", self.output("--model", MINILM, "--pad-to", "6", "hi"))
        self.check_error(1, "encoding 1 has 20 tokens", "--model", MINILM, "--pad-to", "6", "hi", SENTENCE)
        self.check_error(1, "max_length: found 1", "--model", MINILM, "--max-length", "1", "hi")
        self.check_error(2, "--offsets", "--model", MINILM, "--offsets", "words", "hi")

    def test_lines_are_what_arguments_are(self):
        texts = [SENTENCE, "", "naïve café", "\N{GRINNING FACE} 日本", "a\u0000b"]
        lines = self.output("--model", MINILM, "--jsonl", stdin="".join(json.dumps(text) + "\n" for text in texts).encode()).splitlines()
        self.assertEqual(len(lines), len(texts))
        self.assertEqual(json.loads(lines[0])["ids"], SENTENCE_IDS)
        self.assertEqual(json.loads(lines[1])["ids"], [101, 102])
        self.assertEqual(json.loads(lines[2])["offsets"][1:3], [[0, 5], [6, 10]])

    def test_lines_are_answered_as_they_come(self):
        process = subprocess.Popen([*self.command(), "--model", MINILM, "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for word in ("one", "two"):
            process.stdin.write(json.dumps(word).encode() + b"\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline())["tokens"][1], word)  # it would wait forever otherwise
        process.communicate()
        self.assertEqual(process.returncode, 0)

    def test_a_wrong_line_is_named_behind_the_answers_to_those_before(self):
        for wrong in (b"{}", b"not json", b'"a" "b"', b"3", b'"\\ud800"', b"[" * 100000):
            result = self.run_raw("--model", MINILM, "--jsonl", stdin=b'"good"\n' + wrong + b'\n"later"\n')
            self.assertEqual(result.returncode, 1)
            self.assertEqual(len(result.stdout.splitlines()), 1)
            self.assertRegex(result.stderr.decode(), r"\Aaxiform tokenize: standard input: line 2: [^\n]{1,400}\n\Z")

    def test_blank_lines_and_byte_order_marks_are_nothing(self):
        mark = b"\xef\xbb\xbf"
        first, second = self.json("--model", MINILM, "one", "two")
        lines = self.output("--model", MINILM, "--jsonl", stdin=mark + b'"one"\n\n \t\r\n"two"\r\n\n').splitlines()
        self.assertEqual([json.loads(line) for line in lines], [first, second])
        result = self.run_raw("--model", MINILM, "--jsonl", stdin=b'\n"one"\n\n5\n')
        self.assertEqual((len(result.stdout.splitlines()), b"line 4: " in result.stderr), (1, True))
        text = mark + "\n \t\r\none\n\u00a0\u3000\ntwo\n\n".encode()
        self.assertEqual(self.json("--model", MINILM, "--file", "-", stdin=text), [first, second])
        self.assertEqual(self.json("--model", MINILM, "--file", "-", stdin=mark + b"\n \n"), [])
        with tempfile.TemporaryDirectory() as folder:  # GPT-2 would give the mark three tokens
            file = Path(folder) / "texts.txt"
            file.write_bytes(mark + b"one\n")
            self.assertEqual(self.json("--model", PREFIXED_GPT2, "--file", file), self.json("--model", PREFIXED_GPT2, "one"))

    def test_a_blank_line_does_not_hold_answers_back(self):
        process = subprocess.Popen([*self.command(), "--model", MINILM, "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b'"one"\n\n')
        process.stdin.flush()
        self.assertEqual(json.loads(process.stdout.readline())["tokens"][1], "one")  # it would wait forever otherwise
        process.communicate()

    def test_objects_are_taken_as_strings_are(self):
        lines = ['"one"', '{"text": "one", "label": 3}', '{"sentence": "one", "idx": 0}', '{"text": "one", "sentence": "two"}', '{"text": "one", "text_pair": null}']
        answers = self.output("--model", MINILM, "--jsonl", stdin="\n".join(lines).encode()).splitlines()
        self.assertEqual([json.loads(line) for line in answers], self.json("--model", MINILM, "one") * 5)
        for wrong, message in [
            ('{"label": 3, "title": "a"}', 'line 2: found an object with "label" and "title", expected a string or an object with "text" or "sentence"'),
            ("{}", 'line 2: found an object of 0 keys, expected a string or an object with "text" or "sentence"'),
            ('{"text": 5}', "line 2: text: found the number 5, expected a string"),
            ('{"text": "a", "text_pair": "b"}', 'line 2: found "text_pair", expected one text'),
            ("[1]", "line 2: found an array of 1, expected a string or an object"),
        ]:
            result = self.run_raw("--model", MINILM, "--jsonl", stdin=b'{"text": "good"}\n' + wrong.encode() + b"\n")
            self.assertEqual((result.returncode, len(result.stdout.splitlines())), (1, 1), wrong)
            self.assertIn(message, result.stderr.decode())

    def test_invalid_utf8_is_replaced(self):
        (encoding,) = self.json("--model", MINILM, b"caf\xff\xc3 \xed\xa0\x80 x")
        self.assertIn("caf", encoding["tokens"])
        line = self.output("--model", MINILM, "--jsonl", stdin=b'"caf\xff\xc3 \xed\xa0\x80 x"\n')
        self.assertEqual(json.loads(line), encoding)
        self.assertIn("�", self.output("--model", MINILM, "--lookup", b"\xff"))

    def test_long_texts(self):
        text = "The quick brown fox. " * 5000
        self.assertEqual(len(self.json("--model", MINILM, text)[0]["ids"]), 25002)
        lines = self.output("--model", MINILM, "--jsonl", stdin=(json.dumps(text) + "\n").encode() * 3).splitlines()
        self.assertEqual(len(json.loads(lines[2])["ids"]), 25002)

    def test_lookup(self):
        self.assertEqual(self.json("--model", MINILM, "--lookup", "friend"), {"word": "friend", "in_vocabulary": True, "id": 2767})
        for arguments in (["--lookup", "[MASK]"], ["--lookup=[MASK]"]):
            self.assertEqual(self.json("--model", MINILM, *arguments), {"word": "[MASK]", "in_vocabulary": True, "id": 103})
        self.assertEqual(self.json("--model", MINILM, "--lookup", "{}")["word"], "{}")
        self.assertEqual(self.json("--model", MINILM, "--lookup", "Friend"), {"word": "Friend", "in_vocabulary": False, "id": None})
        self.assertIn("not in the vocabulary", self.output("--model", MINILM, "--lookup", "qwertyuiop"))

    def test_byte_level_bpe(self):
        (encoding,) = self.json("--model", PREFIXED_GPT2, "a\N{GRINNING FACE}")
        self.assertEqual(encoding["offsets"][-1], [1, 2])

    def test_usage_and_models(self):
        self.check_common("--model", MINILM, "a")
        for arguments in ([], ["a", "--jsonl"], ["--jsonl", "--lookup", "a"], ["a", "--lookup", "b"], ["--lookup"]):
            self.check_error(2, "", *arguments)
        self.check_models("a")

    def test_the_default_model_is_found_from_anywhere(self):
        if MODELS.parent not in PROGRAMS.parents:
            self.skipTest("the programs are not in the repository")
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(json.loads(self.output("--json", SENTENCE, cwd=folder))[0]["ids"], SENTENCE_IDS)


class Embed(ExampleTest):
    program = "axiform embed"

    def cosine(self, a, b):
        return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

    def test_the_two_eating_sentences_are_similar(self):
        found = self.json("--model", MINILM, "A man is eating food.", "A man eats a meal.")
        self.assertEqual(found["dimensions"], 384)
        self.assertEqual([len(row) for row in found["embeddings"]], [384, 384])
        self.assertAlmostEqual(self.cosine(*found["embeddings"]), 0.9082, delta=5e-5)
        self.assertAlmostEqual(sum(x * x for x in found["embeddings"][0]), 1, delta=1e-5)
        readable = self.output("--model", MINILM, "A man is eating food.", "A man eats a meal.")
        self.assertIn("0.908", readable)
        self.assertIn("A man eats a meal.", readable)

    def test_embeddings_are_the_references(self):
        golden = read_safetensors(FIXTURES / "models" / "minilm" / "goldens.safetensors")
        texts = json.loads((FIXTURES / "models" / "minilm" / "sentences.json").read_text())
        found = self.json("--model", MINILM, "--", *texts)["embeddings"]
        for i, row in enumerate(found):
            self.check_close(row, golden[f"sentence{i}.embedding"], 2e-5)

    def test_weights_in_other_formats_are_close_and_an_unknown_format_is_refused(self):
        texts = ["A man is eating food.", SENTENCE]
        expected = self.json("--model", MINILM, *texts)["embeddings"]
        self.assertEqual(self.json("--model", MINILM, "--weights", "f32", *texts)["embeddings"], expected)
        for format, least in {"bf16": 0.9995, "f16": 0.9995, "q8_0": 0.999, "q4_0": 0.95, "q4_1": 0.95, "q4_k": 0.95}.items():
            found = self.json("--model", MINILM, "--weights", format, *texts)["embeddings"]
            self.assertNotEqual(found, expected)
            for a, b in zip(found, expected):
                self.assertGreater(self.cosine(a, b), least)
        self.check_error(2, "f8", "--model", MINILM, "--weights", "f8", *texts)

    def test_bits_do_not_depend_on_batch_threads_or_neighbours(self):
        texts = ["one", SENTENCE, "", "A man is eating food. " * 40, "two words"]
        lines = "".join(json.dumps(text) + "\n" for text in texts).encode()
        whole = self.output("--model", MINILM, "--jsonl", stdin=lines)
        for arguments in (["--batch", "1"], ["--batch", "2", "--threads", "1"], ["--threads", "3"]):
            self.assertEqual(self.output("--model", MINILM, "--jsonl", *arguments, stdin=lines), whole)
        rows = [json.loads(line)["embedding"] for line in whole.splitlines()]
        self.assertEqual(self.json("--model", MINILM, "--", *texts)["embeddings"], rows)
        self.assertEqual(self.json("--model", MINILM, SENTENCE)["embeddings"][0], rows[1])

    def test_absurd_texts(self):
        self.assertEqual(self.output("--model", MINILM, "--jsonl"), "")
        self.assertEqual(len(self.json("--model", MINILM, "")["embeddings"]), 1)
        self.assertIn("1.000", self.output("--model", MINILM, b"\xff\xfe\n", "x" * 100000, "日本語" * 10000))
        self.check_error(1, "line 1", "--model", MINILM, "--jsonl", stdin=b"5\n")

    def test_usage_and_models(self):
        self.check_common("--model", MINILM, "a")
        self.check_error(1, "batch_size: found 0", "--model", MINILM, "a", "--batch", "0")
        for arguments in ([], ["a", "--jsonl"], ["a", "--batch", "many"]):
            self.check_error(2, "", *arguments)
        self.check_models("a")
        self.check_truncated(TINY_BERT, "a")


class Attention(ExampleTest):
    program = "axiform attention"

    def test_the_last_layers_mean_is_the_references(self):
        golden = read_safetensors(FIXTURES / "models" / "minilm" / "goldens.safetensors")
        text = json.loads((FIXTURES / "models" / "minilm" / "sentences.json").read_text())[2]
        found = self.json("--model", MINILM, "--hidden-states", text)
        self.assertEqual(found["ids"], list(golden["sentence2.ids"]))
        self.check_close(sum(found["attention"], []), golden["sentence2.last_attention_mean"], 2e-5)
        self.assertEqual(len(found["hidden_states"]), 7)
        self.check_close(sum(found["hidden_states"][6], []), golden["sentence2.last_hidden_state"], 1e-4)

    def test_layers_and_heads(self):
        everything = [[self.json("--model", MINILM, "hi there", "--layer", str(layer), "--head", head)["attention"] for head in ("mean", "0", "11")]
                      for layer in (-6, 0, 5, -1)]
        self.assertEqual(everything[0], everything[1])
        self.assertEqual(everything[2], everything[3])
        self.assertNotEqual(everything[0], everything[2])
        self.assertEqual(everything[3][0], self.json("--model", MINILM, "hi there")["attention"])
        for row in sum(sum(everything, []), []):
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
        self.check_error(1, "layer: found 99, expected -6 to 5", "--model", MINILM, "a", "--layer", "99")
        self.check_error(1, "layer: found -7", "--model", MINILM, "a", "--layer", "-7")
        self.check_error(1, "head: found 12, expected 0 to 11", "--model", MINILM, "a", "--head", "12")
        for head in ("-1", "some", "", "1x"):
            self.check_error(1, "head: found", "--model", MINILM, "a", "--head", head)
        self.check_error(2, "--layer", "--model", MINILM, "a", "--layer", "last")

    def test_steps_and_statistics(self):
        told = self.output("--model", MINILM, "hi there", "--explain", "1", "--head", "3", "--layer", "0")
        self.assertIn('what "hi" (token 1) looks at', told)
        self.check_error(1, "head", "--model", MINILM, "hi", "--explain", "0")
        self.check_error(1, "", "--model", MINILM, "hi", "--explain", "9", "--head", "0")
        lines = [json.loads(line) for line in self.output("--json", "--model", MINILM, "hi there", "--statistics").splitlines()]
        self.assertTrue(len(lines) > 12 and all("mean" in line for line in lines))
        self.output("--model", MINILM, "hi there", "--statistics")

    def test_the_table_is_labelled_and_rounded(self):
        lines = self.output("--model", MINILM, "hi there").splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["[CLS]", "[CLS]", "hi", "there", "[SEP]"])
        for line in lines[1:]:
            self.assertRegex(line, r"^ *\S+( +[01]\.\d{3}){4}$")
        self.assertIn("[4, 384]", self.output("--model", MINILM, "hi there", "--hidden-states"))

    def test_absurd_texts(self):
        self.assertEqual(self.json("--model", MINILM, "")["tokens"], ["[CLS]", "[SEP]"])
        self.assertEqual(self.json("--model", MINILM, "[MASK]")["tokens"], ["[CLS]", "[MASK]", "[SEP]"])
        self.json("--model", MINILM, b"\xff\xfe \xc3")
        self.check_error(1, "512 positions", "--model", MINILM, "word " * 20000)

    def test_usage_and_models(self):
        self.check_common("--model", MINILM, "a")
        self.check_error(2, "", "--model", MINILM)
        self.check_error(2, "", "--model", MINILM, "a", "b")
        self.check_models("a")
        self.check_truncated(TINY_BERT, "a")


class BertAttentionView(ExampleTest):
    """What the page shows is tested in tests/views."""

    program = "bert_attention_view"

    def test_a_text_and_a_pair_make_a_page(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            for texts, tokens, second_text in (["hi there"], 4, "null"), (["hi there", "[MASK]"], 6, "4"), ([""], 2, "null"), ([b"<b>\xff"], 5, "null"):
                found = self.json("--model", MINILM, "--output", page, *texts)
                self.assertEqual((found["output"], len(found["tokens"]), found["layers"]), (str(page), tokens, 6))
                text = page.read_text()
                self.assertIn(f'"secondText":{second_text}', text)
                self.assertEqual(text.count('<script type="text/plain"'), 6 * (12 + 1))  # the heads, and their mean
            self.assertIn("6 layers", self.output("--model", MINILM, "--output", page, "a"))
            self.assertEqual(len(list(Path(folder).iterdir())), 1)
            self.check_error(1, "nowhere", "--model", MINILM, "--output", Path(folder) / "nowhere" / "page.html", "a")

    def test_usage_and_models(self):
        with tempfile.TemporaryDirectory() as folder:
            page = ["--output", Path(folder) / "page.html"]
            self.check_common("--model", MINILM, *page, "a")
            self.check_error(2, "", "--model", MINILM, *page)
            self.check_error(2, "", "--model", MINILM, *page, "a", "b", "c")
            self.check_error(1, "512 positions", "--model", MINILM, *page, "word " * 20000)
            self.check_models(*page, "a")
            self.check_truncated(TINY_BERT, *page, "a")
            self.assertLessEqual(len(list(Path(folder).iterdir())), 1)


class Gpt2Attention(ExampleTest):
    program = "axiform attention"

    def test_token_types_add_rows_of_the_token_table(self):
        golden = read_safetensors(TINY_GPT2 / "goldens.safetensors")
        for name in ("token_types_zero", "token_types"):
            ids, types = (",".join(map(str, golden[f"{name}.{what}"])) for what in ("ids", "token_types"))
            size = len(golden[f"{name}.ids"])
            found = self.json("--model", TINY_GPT2, "--ids", ids, "--token-types", types, "--layer", "1", "--head", "0")["attention"]
            self.check_close(sum(found, []), golden[f"{name}.attentions.1"][: size * size], 1e-5)

    def test_attention_is_the_references(self):
        golden = read_safetensors(TINY_GPT2 / "goldens.safetensors")
        ids = list(golden["case2.ids"])
        size = len(ids)
        for layer in (0, 1, 2):
            for head in (0, 2):
                found = self.json("--model", TINY_GPT2, "--ids", ",".join(map(str, ids)), "--layer", str(layer), "--head", str(head))
                expected = golden[f"case2.attentions.{layer}"][head * size * size : (head + 1) * size * size]
                self.check_close(sum(found["attention"], []), expected, 1e-5)
                self.assertEqual(found["ids"], ids)
        states = self.json("--model", TINY_GPT2, "--ids", ",".join(map(str, ids)), "--hidden-states")["hidden_states"]
        self.check_close(sum(states[3], []), golden["case2.last_hidden_state"], 5e-5)

    def test_a_text(self):
        found = self.json("--model", PREFIXED_GPT2, "the cat")
        self.assertEqual(len(found["tokens"]), len(found["attention"]))
        self.assertIn("0.000", self.output("--model", PREFIXED_GPT2, "the cat"))
        self.json("--model", PREFIXED_GPT2, b"\xff\xc3")
        self.check_error(1, "no tokens", "--model", PREFIXED_GPT2, "")
        self.check_error(1, "an encoder-decoder's", "--model", PREFIXED_GPT2, "the cat", "--kind", "cross")
        self.check_error(1, "an encoder-decoder's", "--model", PREFIXED_GPT2, "the cat", "--target", "sat")
        self.check_error(1, "16 positions", "--model", PREFIXED_GPT2, "x" * 100000)

    def test_usage_and_models(self):
        self.check_common("--model", TINY_GPT2, "--ids", "1,2")
        self.check_error(1, "layer: found 9, expected -3 to 2", "--model", TINY_GPT2, "--ids", "1", "--layer", "9")
        self.check_error(1, "head: found 3, expected 0 to 2", "--model", TINY_GPT2, "--ids", "1", "--head", "3")
        self.check_error(2, "", "--model", TINY_GPT2)
        self.check_error(2, "", "--model", TINY_GPT2, "a", "--ids", "1")
        self.check_models("--ids", "1")
        self.check_truncated(TINY_GPT2, "--ids", "1")


class EncoderDecoderAttention(ExampleTest):
    program = "axiform attention"
    dates = MODELS / "transformer-dates"

    def test_each_kind_is_the_references(self):
        for name in ("bart-tiny", "t5-tiny"):
            model = FIXTURES / "models" / name
            golden = read_safetensors(model / "goldens.safetensors")
            source, target = (list(golden[f"case1.{side}"]) for side in ("source", "target"))
            ids = ["--model", model, "--ids", ",".join(map(str, source)), "--target-ids", ",".join(map(str, target))]
            for kind, key, queries, keys in (("encoder", "encoder", source, source), ("decoder", "decoder", target, target), ("cross", "cross", target, source)):
                expected = golden.get(f"case1.{key}_attentions.0") or golden[f"case1.{key}.attentions.0"]
                found = self.json(*ids, "--kind", kind, "--layer", "0", "--head", "1")
                size = len(queries) * len(keys)
                self.check_close(sum(found["attention"], []), expected[size : 2 * size], 2e-5)
                self.assertEqual((found["source"]["ids"], found["target"]["ids"]), (source, target))
            self.assertEqual(self.json(*ids, "--layer", "0")["attention"], self.json(*ids, "--layer", "0", "--kind", "cross")["attention"])
            told = self.output(*ids, "--explain", "1", "--head", "0", "--layer", "0")
            self.assertIn(f'what "{target[1]}" (token 1) looks at in the source', told)
            self.assertEqual(len(self.output(*ids, "--statistics").splitlines()), len(self.output(*ids, "--statistics", "--kind", "decoder").splitlines()))
        self.check_error(1, "a bias by distance", *ids, "--explain", "1", "--head", "0", "--kind", "encoder")

    def test_texts_of_a_trained_model(self):
        found = self.json("--model", self.dates, "the fourth of July 1776", "--layer", "-1")
        self.assertEqual("".join(found["target"]["tokens"]), "<s>1776-07-04</s>")
        given = self.json("--model", self.dates, "the fourth of July 1776", "--layer", "-1", "--target", "1776-07-04")
        self.assertEqual(given, found)
        for row in found["attention"]:
            self.assertEqual(len(row), len(found["source"]["tokens"]))
            self.assertAlmostEqual(sum(row), 1, delta=1e-5)
        lines = self.output("--model", self.dates, "the fourth of July 1776").splitlines()
        self.assertEqual(lines[0].split(), found["source"]["tokens"])
        self.assertEqual([line.split()[0] for line in lines[1:]], found["target"]["tokens"])
        states = self.json("--model", self.dates, "1776", "--kind", "encoder", "--hidden-states")
        self.assertEqual((len(states["hidden_states"]), len(states["hidden_states"][0])), (3, len(states["source"]["tokens"])))

    def test_languages_are_told_as_translate_tells_them(self):
        writers = FIXTURES / "models"
        marian = ["--model", writers / "marian-writer", "the man"]
        self.assertEqual(self.json(*marian, "--to", "fra")["source"]["tokens"][0], ">>fra<<")
        self.check_error(1, "nonsense", *marian, "--from", "nonsense")
        mbart50 = ["--model", writers / "mbart-writer", "the man", "--from", "en_XX"]
        self.assertEqual(self.json(*mbart50, "--to", "ro_RO")["target"]["tokens"][:2], ["</s>", "ro_RO"])
        self.assertEqual(self.json(*mbart50, "--to", "ro_RO", "--target", "a")["target"]["tokens"][:2], ["</s>", "ro_RO"])
        self.check_error(1, "no target language", *mbart50)
        with tempfile.TemporaryDirectory() as folder:
            mbart = shutil.copytree(writers / "mbart-writer", Path(folder) / "mbart")
            for name, changes in next(case["changes"] for case in text_tasks("mbart") if "changes" in case).items():
                (mbart / name).write_text(json.dumps(json.loads((mbart / name).read_text()) | changes))
            tokens = self.json("--model", mbart, "the man", "--from", "en_XX", "--to", "ro_RO", "--target", "a")
            self.assertEqual((tokens["source"]["tokens"][-2:], tokens["target"]["tokens"][0], tokens["target"]["tokens"][-1]), (["</s>", "en_XX"], "ro_RO", "</s>"))
        self.check_error(1, "does not say between which", "--model", self.dates, "1776", "--to", "de")
        self.check_error(1, "--from", "--model", TINY_GPT2, "--ids", "1", "--from", "en")

    def test_what_is_refused(self):
        self.check_error(1, "leave out --pair", "--model", self.dates, "1776", "--pair", "1777")
        self.check_error(2, "--target-ids", "--model", self.dates, "1776", "--target", "a", "--target-ids", "1")
        self.check_error(1, "layer: found 2, expected -2 to 1", "--model", self.dates, "1776", "--layer", "2")
        self.check_error(1, "positions", "--model", self.dates, "1776 " * 100)
        self.check_error(2, "--kind", "--model", self.dates, "1776", "--kind", "sideways")


class Inspect(ExampleTest):
    program = "axiform inspect"

    def test_the_head_is_that_of_the_architecture(self):
        found = self.json("--model", FIXTURES / "models" / "bert-mlm", "--tree", "full")
        self.assertEqual((found["architecture"], found["family"]), ("BertForMaskedLM", "bert"))
        trees = (FIXTURES / "models" / "expected" / "heads.txt").read_text()
        self.assertIn(f"# bert-mlm\n{found['tree']}\n", trees)
        self.assertNotIn("tree", self.json("--model", TINY_BERT, "--tree", "none"))
        self.assertIn("(0-5): 6 x BertLayer(", self.output("--model", MINILM))
        self.assertIn("22 713 216 parameters", self.output("--model", MINILM))
        self.assertRegex(self.output("--model", TINY_BERT), r"\nComputed with (SSE|AVX|NEON).*optimised.* (GCC|Clang) ")
        self.assertIn("encoder", self.output("--model", MINILM, "--tree", "none", "--summary", "128"))
        self.assertEqual(self.json("--model", MINILM, "--summary", "128")["summary"][0]["parameters"], 22713216)

    def test_what_was_loaded_and_what_was_not_is_listed(self):
        legacy = FIXTURES / "models" / "bert-legacy"
        found = self.json("--model", legacy, "--tree", "none")
        self.assertEqual(found["weights"], str(legacy / "model.safetensors"))
        reasons = {tensor["name"]: tensor["why"] for tensor in found["ignored"]}
        self.assertEqual(len(reasons), 3)
        self.assertIn("a buffer", reasons["bert.embeddings.position_ids"])
        text = self.output("--model", legacy, "--tree", "none")
        self.assertIn(f"loaded: {len(found['loaded'])} parameters from {legacy}/model.safetensors\nignored: ", text)
        self.assertIn("bert.embeddings.position_ids (a buffer", text)

    def test_a_cache_and_pytorch_weights_are_models_too(self):
        with tempfile.TemporaryDirectory() as folder:
            hub = Path(folder)
            snapshot = hub / "models--someone--bert" / "snapshots" / "0123abcd"
            snapshot.mkdir(parents=True)
            shutil.copy(FIXTURES / "models" / "bert-f16" / "config.json", snapshot)
            for form in ("zip", "legacy"):
                shutil.copy(FIXTURES / "models" / "pickled" / "bert-f16" / f"{form}.bin", snapshot / "pytorch_model.bin")
                for model in (hub, hub / "models--someone--bert", snapshot):
                    self.assertEqual(self.json("--model", model)["weights"], str(snapshot / "pytorch_model.bin"))
            (hub / "models--someone--bert" / "snapshots" / "4567cdef").mkdir()
            self.check_error(1, "found the snapshots 0123abcd, 4567cdef, and no refs/main", "--model", hub)
            (hub / "models--a--b").mkdir()
            self.check_error(1, "is a cache of several models (models--a--b, models--someone--bert)", "--model", hub)

    def test_tied_weights_are_counted_once_as_transformers_counts_them(self):
        for fixture, parameters in (("bert-mlm", 6083), ("distilbert-mlm-untied", 7507), ("gpt2-tiny", 44688), ("gpt2-untied", 7776)):
            self.assertEqual(self.json("--model", FIXTURES / "models" / fixture, "--tree", "none")["parameters"], parameters, fixture)

    def test_usage_and_models(self):
        self.check_common("--model", TINY_BERT)
        self.check_error(2, "--tree", "--model", TINY_BERT, "--tree", "sideways")
        self.check_models()
        self.check_truncated(TINY_BERT)


class Search(ExampleTest):
    program = "axiform search"

    def test_the_closest_line_comes_first(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.txt"
            corpus.write_text("A man is eating food.\nThe stock market fell.\r\n\nSomeone plays the violin.\n")
            ((found,),) = [self.json("--model", MINILM, "--corpus", corpus, "--top-k", "2", "Who makes music?")]
            self.assertEqual([hit["line"] for hit in found["hits"]][0], 4)
            self.assertEqual(len(found["hits"]), 2)
            self.assertEqual(found["hits"][0]["text"], "Someone plays the violin.")
            line = self.output("--model", MINILM, "--corpus", corpus, "--top-k", "2", "--jsonl", stdin=b'"Who makes music?"\n')
            self.assertEqual(json.loads(line), found)
            self.assertIn("violin", self.output("--model", MINILM, "--corpus", corpus, "Who makes music?"))
            self.check_error(1, "top_k", "--model", MINILM, "--corpus", corpus, "--top-k", "0", "a")
            self.check_error(1, "nowhere", "--model", MINILM, "--corpus", Path(folder) / "nowhere", "a")
            self.check_common("--model", MINILM, "--corpus", corpus, "a")
            for key in ("query", "question", "text"):
                self.assertEqual(self.output("--model", MINILM, "--corpus", corpus, "--top-k", "2", "--jsonl", stdin=json.dumps({key: "Who makes music?"}).encode()), line)
            for nothing in ("", "\n \n\t\r\n"):
                corpus.write_text(nothing)
                self.assertEqual(self.json("--model", MINILM, "--corpus", corpus, "a")[0]["hits"], [])

    def test_a_blank_line_is_no_document_and_line_numbers_are_those_of_the_file(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.txt"
            corpus.write_bytes("\ufeff\n\nA man is eating food.\n  \t\r\n\u00a0\u3000\n\nSomeone plays the violin.\n\n".encode())
            for options in ([], ["--rerank", FIXTURES / "models" / "bert-regression"]):
                (found,) = self.json("--model", MINILM, "--corpus", corpus, "--top-k", "9", *options, "violin")
                self.assertEqual(sorted((hit["line"], hit["text"]) for hit in found["hits"]), [(3, "A man is eating food."), (7, "Someone plays the violin.")])
            lines = self.output("--model", MINILM, "--corpus", corpus, "--top-k", "9", "Who makes music?").splitlines()
            self.assertEqual([line.split()[1] for line in lines], ["7", "3"])

    def test_a_folder_is_searched_by_vectors_by_words_and_by_both(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "sub").mkdir()
            (folder / "sub" / "one.md").write_text("# The man\n\nthe man is eating food .\n\n# Paris\n\nshe was in paris .\n")
            (folder / "two.txt").write_text("one\n\nshe was eating\n")
            (folder / "picture.png").write_bytes(b"\x89PNG\0\0")
            search = ["--model", TINY_BERT, "--corpus", folder, "--glob", "*.md", "--glob", "*.txt", "--top-k", "2"]
            for mode in ("dense", "bm25", "hybrid"):
                (found,) = self.json(*search, "--mode", mode, "# Paris she was in paris .")
                first, second = found["hits"]
                self.assertEqual((first["file"], first["line"], first["text"]), ("sub/one.md", 5, "# Paris\n\nshe was in paris ."), mode)
                self.assertEqual((folder / first["file"]).read_bytes()[first["begin"] : first["end"]].decode(), first["text"])
                self.assertGreater(first["score"], second["score"])
                line = self.output(*search, "--mode", mode, "# Paris she was in paris .").splitlines()[0]
                self.assertIn(f"{folder / 'sub/one.md'}:7  she was in paris .", line)  # the line that has most of the words
            self.assertAlmostEqual(self.json(*search, "--mode", "dense", "# Paris she was in paris .")[0]["hits"][0]["score"], 1, delta=1e-5)
            self.assertEqual(self.json(*search, "--mode", "bm25", "nobody says this")[0]["hits"], [])
            (found,) = self.json(*search, "--mode", "hybrid", "--rerank", FIXTURES / "models" / "bert-regression", "eating")
            self.assertEqual(len(found["hits"]), 2)
            lines = self.json("--model", TINY_BERT, "--corpus", folder, "--glob", "sub/*", "--split", "lines", "--top-k", "9", "man")[0]["hits"]
            self.assertEqual(sorted(hit["line"] for hit in lines), [1, 3, 5, 7])
            noted = self.run_raw("--model", TINY_BERT, "--corpus", folder, "--mode", "bm25", "paris")
            self.assertEqual(noted.stderr, b"axiform search: note: picture.png: is no text: it has a zero byte; left out\n")

    def test_an_index_is_kept_up_to_date_and_is_its_models(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus, index = Path(folder) / "corpus", Path(folder) / "saved.index"
            corpus.mkdir()
            (corpus / "a.txt").write_text("the man is eating food .")
            (corpus / "b.txt").write_text("she was in paris .")
            model = ["--model", TINY_BERT]
            kept = [*model, "--corpus", corpus, "--index", index]
            self.check_error(1, "there is no index", *model, "--index", index, "paris")
            self.check_error(1, "there is no index", *kept, "--no-update", "paris")
            self.assertEqual(self.json(*kept), {"files": 2, "passages": 2})
            self.assertEqual(self.output(*model, "--index", index), "2 passages of 2 files\n")
            before = index.read_bytes()
            (found,) = self.json(*kept, "she was in paris .")
            self.assertEqual([hit["file"] for hit in found["hits"]], ["b.txt", "a.txt"])
            self.assertEqual(index.read_bytes(), before)
            (corpus / "b.txt").unlink()
            (corpus / "c.txt").write_text("she was in london .")
            self.assertEqual(self.json(*kept, "--no-update", "paris")[0]["hits"][1]["file"], "b.txt")  # as it was, the text too
            self.assertEqual([hit["file"] for hit in self.json(*kept, "she was in london .")[0]["hits"]], ["c.txt", "a.txt"])
            self.assertEqual(sorted(path.name for path in Path(folder).iterdir()), ["corpus", "saved.index"])
            self.check_error(1, "found embeddings of the model bert-tiny", *kept[2:], "--model", FIXTURES / "models" / "distilbert", "a")
            for _ in range(2):  # when nothing has changed, and when something has
                self.check_error(1, "expected one of paragraphs of 64 tokens", *kept, "--passage-tokens", "64", "a")
                self.check_error(1, "expected one of lines", *kept, "--split", "lines", "a")
                (corpus / "a.txt").write_text("the man was eating food .")
            (Path(folder) / "other").mkdir()
            self.check_error(1, "is it another corpus's?", *model, "--corpus", Path(folder) / "other", "--index", index, "a")
            index.write_bytes(before[: len(before) // 2])
            self.check_error(1, "saved.index", *kept, "a")
            index.write_bytes(b"no index")
            self.check_error(1, "saved.index", *kept, "a")
            # Of words alone: no model is loaded for it, and none can search it by vectors.
            words = Path(folder) / "words.index"
            self.assertEqual(self.json(*model, "--corpus", corpus, "--index", words, "--mode", "bm25", "london")[0]["hits"][0]["file"], "c.txt")
            self.assertEqual(self.json("--model", "nowhere", "--index", words, "--mode", "bm25", "london")[0]["hits"][0]["file"], "c.txt")
            self.check_error(1, "found an index of words alone", *model, "--index", words, "london")

    def test_codes_find_what_floats_find_and_say_their_recall(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus, index = Path(folder) / "corpus.txt", Path(folder) / "saved.index"
            corpus.write_text("".join(f"the man {a} {b} food .\n" for a in ("is", "was", "in") for b in ("eating", "paris", "she", "and")))
            kept = ["--model", TINY_BERT, "--corpus", corpus, "--index", index, "--top-k", "3"]
            expected = self.json(*kept, "the man was eating food .")
            for precision in ("int8", "binary", "int8"):
                self.assertEqual(self.json(*kept, "--precision", precision, "the man was eating food ."), expected)
                said = self.run_raw(*kept, "--precision", precision, "--recall", "the man was eating food .")
                self.assertEqual(said.stderr, b"axiform search: recall 1.0000 of the closest vectors\n")
            graph = self.run_raw(*kept, "--approximate", "--recall", "--json", "the man was eating food .")
            if graph.returncode == 0:
                self.assertEqual(json.loads(graph.stdout), expected)
                self.check_graph(index, lambda: self.json(*kept, "--approximate", "the man was eating food ."), expected)
            else:
                self.assertIn(b"built without hnswlib", graph.stderr)

    def check_graph(self, index, search, expected):
        """The graph of neighbours is beside the index, is found again, and made again when any of its bytes have changed."""
        (graph,) = index.parent.glob("saved.index.*.hnsw")
        whole, when = graph.read_bytes(), graph.stat().st_mtime_ns
        self.assertEqual(search(), expected)
        self.assertEqual(graph.stat().st_mtime_ns, when)
        for place in (0, 8, 60, len(whole) // 2, len(whole) - 1):
            graph.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
            self.assertEqual(search(), expected)
            (graph,) = index.parent.glob("saved.index.*.hnsw")
        graph.write_bytes(whole[: len(whole) // 2])
        self.assertEqual(search(), expected)
        self.assertEqual(len(list(index.parent.glob("saved.index.*"))), 1)

    def test_nothing_to_search_is_said_and_finds_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "empty").mkdir()
            for options in ([], ["--mode", "hybrid"], ["--precision", "binary", "--recall"], ["--index", folder / "index"], ["--index", folder / "index"]):
                result = self.run_raw("--model", TINY_BERT, "--corpus", folder / "empty", "--json", *options, "paris")
                self.assertEqual((result.returncode, json.loads(result.stdout)), (0, [{"question": "paris", "hits": []}]), options)
                self.assertEqual(result.stderr.decode(), f"axiform search: note: {folder / 'empty'}: there is no file to search\n")
            self.assertEqual(self.json("--model", TINY_BERT, "--index", folder / "index", "paris")[0]["hits"], [])
            self.check_error(1, "/dev/null: is not a regular file", "--model", TINY_BERT, "--corpus", "/dev/null", "paris")

    def test_without_updates_nothing_is_written(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "corpus").mkdir()
            (folder / "corpus" / "a.txt").write_text("the man is eating food .\n\nshe was in paris .")
            kept = ["--model", TINY_BERT, "--corpus", folder / "corpus", "--index", folder / "saved.index"]
            self.json(*kept)
            (folder / "corpus" / "b.txt").write_text("she was in london .")
            there = lambda: {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
            before = there()
            for options in ([], ["--mode", "hybrid"], ["--precision", "int8"], ["--precision", "binary"]):
                (found,) = self.json(*kept, "--no-update", *options, "she was in london .")
                self.assertEqual({hit["file"] for hit in found["hits"]}, {"a.txt"})
                self.assertEqual(there(), before, options)
            self.run_raw(*kept, "--no-update", "--approximate", "london")
            self.assertEqual(there(), before)

    def test_ctrl_c_keeps_what_is_done_and_the_next_call_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "corpus").mkdir()
            (folder / "corpus" / "a.txt").write_text("A man is eating food.")
            past = time.time() - 3600  # a file that was just written would be looked at again
            os.utime(folder / "corpus" / "a.txt", (past, past))
            kept = ["--model", MINILM, "--corpus", folder / "corpus", "--index", folder / "saved.index"]
            self.json(*kept)
            before = (folder / "saved.index").read_bytes()
            many = folder / "corpus" / "many.txt"
            many.write_text("".join(f"{n} " + "the quick brown fox jumps over the lazy dog " * 13 + "\n\n" for n in range(12000)))
            process = subprocess.Popen([*self.command(), *kept, "food"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(3)
            process.send_signal(signal.SIGINT)
            printed, message = process.communicate(timeout=60)
            self.assertEqual((process.returncode, printed, message), (130, b"", b"axiform search: stopped\n"))
            # No passage of the new file is in it, for not all are.
            self.assertEqual((folder / "saved.index").read_bytes(), before)
            self.assertEqual(sorted(path.name for path in folder.iterdir()), ["corpus", "saved.index"])
            many.write_text("The stock market fell.")
            self.assertEqual(self.json(*kept, "food")[0]["hits"][0]["file"], "a.txt")
            self.assertEqual(self.json(*kept), {"files": 2, "passages": 2})

    def test_folders_that_may_not_be_read_are_named(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            folder.chmod(0o755)
            (folder / "locked").mkdir()
            (folder / "locked" / "a.txt").write_text("she was in paris .")
            (folder / "b.txt").write_text("the man is eating food .")
            # Root reads everything: it asks as nobody, if nobody may read the programs and the model.
            nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
            try:
                allowed = self.run_raw("--model", TINY_BERT, "--corpus", folder, "paris", **nobody)
            except (PermissionError, subprocess.SubprocessError):
                self.skipTest("nobody may not run the programs")
            if allowed.returncode != 0:
                self.skipTest("nobody may not read the model")
            (folder / "locked").chmod(0)
            try:
                result = self.run_raw("--model", TINY_BERT, "--corpus", folder, "--json", "paris", **nobody)
                self.assertEqual((result.returncode, result.stderr), (0, b"axiform search: note: locked: the folder cannot be read; left out\n"))
                self.assertEqual([hit["file"] for hit in json.loads(result.stdout)[0]["hits"]], ["b.txt"])
                self.check_error(1, "locked: the folder cannot be read", "--model", TINY_BERT, "--corpus", folder / "locked", "paris", **nobody)
            finally:
                (folder / "locked").chmod(0o755)

    def test_wrong_usage(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus.txt"
            corpus.write_text("the man\n")
            model = ["--model", TINY_BERT]
            self.check_error(2, "--corpus", *model, "a")
            self.check_error(2, "expected one of: texts", *model, "--corpus", corpus)
            self.check_error(2, "--index", *model, "--corpus", "-", "--index", Path(folder) / "i", "a")
            self.check_error(2, "--no-update", *model, "--corpus", corpus, "--no-update", "a")
            self.check_error(2, "--recall", *model, "--corpus", corpus, "--recall", "a")
            for option, value in (("--glob", "*.md"), ("--split", "lines"), ("--passage-tokens", "9"), ("--overlap", "1")):
                self.check_error(2, f"{option}: says what is read of --corpus", *model, "--index", corpus, option, value, "a")
            self.check_error(1, "candidates: found 0", *model, "--corpus", corpus, "--mode", "hybrid", "--candidates", "0", "a")
            self.check_error(2, "--mode", *model, "--corpus", corpus, "--mode", "best", "a")
            self.check_error(2, "--precision", *model, "--corpus", corpus, "--approximate", "--precision", "int8", "a")
            self.check_error(1, "chunk length: found 1000", *model, "--corpus", corpus, "--passage-tokens", "1000", "a")


class Rerank(ExampleTest):
    program = "axiform rerank"

    def test_the_order_is_that_of_the_scores(self):
        cases = json.loads((FIXTURES / "sentences" / "cases.json").read_text())
        golden = read_safetensors(FIXTURES / "sentences" / "goldens.safetensors")
        model, query, passages = ["--model", FIXTURES / "models" / "bert-regression"], cases["texts"][0], cases["passages"]
        found = self.json(*model, "--query", query, "--", *passages)
        self.assertEqual([hit["line"] - 1 for hit in found], list(golden["reranker.order"]))
        self.check_close([hit["score"] for hit in found], [golden["reranker.scores"][i] for i in golden["reranker.order"]], 1e-5)
        self.assertEqual(self.json(*model, "--query", query, "--top-k", "2", "--", *passages), found[:2])
        lines = "".join(json.dumps({"query": query, "passage": passage}) + "\n" for passage in passages)
        scores = [json.loads(line)["score"] for line in self.output(*model, "--jsonl", stdin=lines.encode()).splitlines()]
        self.check_close(scores, golden["reranker.scores"], 1e-5)

    def test_files_usage_and_models(self):
        model = ["--model", FIXTURES / "models" / "bert-regression"]
        lines = self.output(*model, "--query", "the man", "--file", "-", stdin=b"she was\n\nthe man is eating\n").splitlines()
        self.assertEqual(sorted(line.split()[1] for line in lines), ["1", "3"])
        self.check_error(2, "--query", *model, "a")
        self.check_error(2, "--query", *model, "--jsonl", "--query", "a")
        self.check_error(1, "line 1: found the string", *model, "--jsonl", stdin=b'"a"\n')
        self.check_error(1, "top_k", *model, "--query", "a", "--top-k", "0", "b")
        self.check_error(1, "3 labels", "--model", FIXTURES / "models" / "bert-single-label", "--query", "a", "b")
        self.check_common(*model, "--query", "a", "b")
        self.check_models("--query", "a", "b")


class Similarity(ExampleTest):
    program = "axiform similarity"

    def test_a_cosine_all_pairs_and_a_stream_of_pairs(self):
        texts = ["the man is eating food .", "she was in paris .", "the man was in paris ."]
        model = ["--model", TINY_BERT]
        found = self.json(*model, *texts)
        self.assertEqual(sorted((pair["first"], pair["second"]) for pair in found), [(1, 2), (1, 3), (2, 3)])
        self.assertEqual([pair["score"] for pair in found], sorted((pair["score"] for pair in found), reverse=True))
        subprocess_rows = json.loads(subprocess.run([PROGRAMS / "axiform", "embed", "--json", *model, *texts], stdout=subprocess.PIPE, timeout=120).stdout)["embeddings"]
        cosine = lambda a, b: sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        for pair in found:
            self.assertAlmostEqual(pair["score"], cosine(subprocess_rows[pair["first"] - 1], subprocess_rows[pair["second"] - 1]), delta=1e-5)
        two = next(pair["score"] for pair in found if (pair["first"], pair["second"]) == (1, 2))
        self.assertEqual(self.output(*model, *texts[:2]), f"{two:.4f}\n")
        lines = (json.dumps({"text": texts[0], "text_pair": texts[1]}) + "\n" + json.dumps({"sentence1": texts[0], "sentence2": texts[0]})).encode()
        scores = [json.loads(line)["score"] for line in self.output(*model, "--jsonl", stdin=lines).splitlines()]
        self.check_close(scores, [two, 1], 1e-5)
        self.assertEqual(self.json(*model, "--top-k", "1", "--file", "-", stdin="\n".join(["", *texts]).encode()),
                         [{"first": found[0]["first"] + 1, "second": found[0]["second"] + 1, "score": found[0]["score"]}])
        self.assertIn("  |  ", self.output(*model, *texts))

    def test_usage_and_models(self):
        model = ["--model", TINY_BERT]
        self.check_error(1, "found one text", *model, "a")
        self.check_error(1, "found no text", *model, "--file", "/dev/null")
        self.check_error(1, "max_pairs", *model, "--top-k", "0", "a", "b")
        self.check_common(*model, "a", "b")
        self.check_models("a", "b")


class FillMask(ExampleTest):
    program = "axiform fill-mask"

    def test_guesses_are_those_of_the_pipeline(self):
        cases = [json.loads(line) for line in (FIXTURES / "tasks" / "fill_mask.jsonl").read_text().splitlines()]
        cases = [case for case in cases if not case["options"]][:5]
        self.assertTrue(cases)
        for case in cases:
            (found,) = self.json("--model", FIXTURES / "models" / case["model"], case["text"])
            self.assertEqual(len(found), len(case["result"]))
            for guesses, references in zip(found, case["result"]):
                self.assertEqual([g["token"] for g in guesses], [r["token"] for r in references])
                self.check_close([g["score"] for g in guesses], [r["score"] for r in references], 1e-5)

    def test_lines_and_errors(self):
        model = ["--model", FIXTURES / "models" / "bert-mlm"]
        text = "the man [MASK] food ."
        line = self.output(*model, "--jsonl", "--top-k", "2", stdin=json.dumps(text).encode())
        self.assertEqual([json.loads(line)], self.json(*model, "--top-k", "2", text))
        self.assertIn("the man", self.output(*model, text))
        self.check_error(1, "mask", *model, "no such thing")
        texts = [text] * 70 + ["no such thing", text]
        result = self.run_raw(*model, "--jsonl", stdin="".join(json.dumps(each) + "\n" for each in texts).encode())
        self.assertEqual((result.returncode, len(result.stdout.splitlines())), (1, 70))
        self.assertIn("line 71: ", result.stderr.decode())
        self.assertEqual(len(self.json(*model, text, "--targets", "man", "--targets", "[MASK]")[0][0]), 2)
        self.check_error(1, "top_k", *model, "--top-k", "0", text)
        self.check_error(1, "masked language modelling", "--model", FIXTURES / "models" / "bert-qa", text)
        self.check_common(*model, text)
        self.check_models(text)


class NextSentence(ExampleTest):
    program = "axiform next-sentence"

    def test_a_probability(self):
        model = ["--model", DEMO_BERT]
        found = self.json(*model, "the man is eating", "she was in paris")["probability"]
        self.assertTrue(0 < found < 1)
        self.assertIn("follow", self.output(*model, "the man is eating", "she was in paris"))
        lines = b'{"text": "the man is eating", "text_pair": "she was in paris"}\n{"sentence1": "a", "sentence2": "b"}\n'
        first, second = map(json.loads, self.output(*model, "--jsonl", stdin=lines).splitlines())
        self.assertEqual((first["probability"], second), (found, self.json(*model, "a", "b")))
        self.check_error(1, 'line 1: found the string "a", expected an object with "text" and "text_pair" or', *model, "--jsonl", stdin=b'"a"')
        self.check_error(2, "second", *model, "one", "two", "--jsonl")
        self.check_error(2, "second", *model, "one")
        self.check_error(1, "expected at most", *model, "word " * 200, "x")
        self.check_common(*model, "a", "b")
        self.check_models("a", "b")


class Answer(ExampleTest):
    program = "axiform answer"

    def test_answers_are_those_of_the_pipeline(self):
        cases = [json.loads(line) for line in (FIXTURES / "tasks" / "question_answering.jsonl").read_text().splitlines()]
        cases = [case for case in cases if not case["options"]][:4]
        self.assertTrue(cases)
        for case in cases:
            (found,) = self.json("--model", FIXTURES / "models" / case["model"], "--question", case["question"], "--context", case["context"])
            (expected,) = case["result"]
            self.assertEqual((found["start"], found["end"], found["answer"]), (expected["start"], expected["end"], expected["answer"]))
            self.assertAlmostEqual(found["score"], expected["score"], delta=1e-5)

    def test_files_and_errors(self):
        model = ["--model", FIXTURES / "models" / "roberta-qa"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "context.txt"
            file.write_text("the man was in paris and she was in it . " * 10)
            whole = self.json(*model, "--question", "who?", "--file", file, "--top-k", "2", "--impossible")
            self.assertLessEqual(len(whole), 2)
            self.assertEqual(self.json(*model, "--question", "who?", "--file", "-", "--top-k", "2", "--impossible", stdin=file.read_bytes()), whole)
            self.output(*model, "--question", "who?", "--file", file)
            file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())  # a byte order mark is no character of the text
            self.assertEqual(self.json(*model, "--question", "who?", "--file", file, "--top-k", "2", "--impossible"), whole)
            lines = json.dumps({"question": "who?", "context": file.read_text(encoding="utf-8-sig"), "id": "7"}) + "\n"
            self.assertEqual(json.loads(self.output(*model, "--jsonl", "--top-k", "2", "--impossible", stdin=lines.encode())), whole)
        self.check_error(1, 'line 1: found an object with "question", expected an object with "question" and "context"', *model, "--jsonl", stdin=b'{"question": "a"}')
        self.check_error(1, "line 1: ", *model, "--jsonl", stdin=b'{"question": "", "context": "a"}')
        self.check_error(2, "--question", *model, "--jsonl", "--question", "a")
        self.check_error(2, "--jsonl", *model, "--context", "a", "--jsonl")
        self.check_error(1, "question is empty", *model, "--question", "", "--context", "a")
        self.check_error(1, "empty", *model, "--question", "a", "--context", "")
        self.check_error(1, "nowhere", *model, "--question", "a", "--file", "nowhere")
        self.check_error(2, "--context", *model, "--question", "a")
        self.check_error(1, "top_k", *model, "--question", "a", "--context", "b", "--top-k", "0")
        self.check_common(*model, "--question", "a", "--context", "b")
        self.check_models("--question", "a", "--context", "b")


class Classify(ExampleTest):
    program = "axiform classify"

    def test_the_head_says_what_is_labelled(self):
        texts = self.json("--model", FIXTURES / "models" / "bert-single-label", "--top-k", "0", "the man", "she was eating")
        self.assertEqual(len(texts), 2)
        self.assertAlmostEqual(sum(each["score"] for each in texts[0]), 1, delta=1e-6)
        (tokens,) = self.json("--model", FIXTURES / "models" / "bert-tokens", "--aggregation", "none", "the man in paris")
        self.assertTrue(all(set(token) == {"label", "score", "word", "start", "end"} for token in tokens))
        for model in ("bert-single-label", "bert-multi-label", "bert-regression", "roberta-classifier", "gpt2-classifier", "bert-tokens", "roberta-tokens"):
            self.output("--model", FIXTURES / "models" / model, "the man in paris")
            line = self.output("--model", FIXTURES / "models" / model, "--jsonl", stdin=b'"the man"\n"she"\n')
            self.assertEqual(len(line.splitlines()), 2)

    def test_pairs_are_those_of_the_pipeline(self):
        cases = [json.loads(line) for line in (FIXTURES / "tasks" / "text_classification.jsonl").read_text().splitlines()]
        pairs = [case for case in cases if case["second"] is not None and set(case["options"]) <= {"top_k"}]
        self.assertGreaterEqual(len({case["model"] for case in pairs}), 2)
        for case in pairs:
            model, first, second = ["--model", FIXTURES / "models" / case["model"], "--top-k", str(case["options"].get("top_k", 1) or 0)], case["first"], case["second"]
            (found,) = self.json(*model, first, "--pair", second)
            self.assertEqual([each["label"] for each in found], [each["label"] for each in case["result"]])
            self.check_close([each["score"] for each in found], [each["score"] for each in case["result"]], 2e-5)
            keys = ("text", "text_pair"), ("sentence1", "sentence2"), ("premise", "hypothesis")
            lines = [json.dumps({key: first, other: second}) for key, other in keys] + [json.dumps(first), json.dumps({"text": first}), json.dumps({"text": first, "text_pair": second})]
            alone = self.json(*model, first)[0]
            answers = self.output(*model, "--jsonl", stdin="\n".join(lines).encode()).splitlines()
            self.assertEqual([json.loads(answer) for answer in answers], [found, found, found, alone, alone, found])
        self.assertEqual(self.json(*model, first, "a", "--pair", second, "--pair", "b")[0], found)
        self.assertIn(" | ", self.output(*model, first, "--pair", second))
        self.check_error(2, "--pair: found 1, expected one for each of 2 texts", *model, "a", "b", "--pair", "c")
        self.check_error(2, "--pair", *model, "--pair", "c", "--jsonl")
        tokens = ["--model", FIXTURES / "models" / "bert-tokens"]
        self.check_error(1, "the model labels tokens", *tokens, "a", "--pair", "b")
        self.check_error(1, "line 1: found a pair of texts", *tokens, "--jsonl", stdin=b'{"text": "a", "text_pair": "b"}')

    def test_usage_and_models(self):
        self.check_common("--model", FIXTURES / "models" / "bert-single-label", "a")
        self.check_error(1, "classification", "--model", FIXTURES / "models" / "bert-qa", "a")
        self.check_error(2, "--aggregation", "--model", FIXTURES / "models" / "bert-tokens", "--aggregation", "some", "a")
        self.check_models("a")


def text_tasks(*names, **wanted):
    """Recorded cases of ../fixtures/tasks/text_tasks.jsonl on a checkpoint as it is, with what else is `wanted` of them."""
    cases = [json.loads(line) for line in (FIXTURES / "tasks" / "text_tasks.jsonl").read_text().splitlines()]
    return [case for case in cases if case["name"] in names and all(case[key] == value for key, value in wanted.items())]


class ZeroShot(ExampleTest):
    program = "axiform zero-shot"

    def test_scores_are_those_of_the_pipeline(self):
        cases = [json.loads(line) for line in (FIXTURES / "tasks" / "zero_shot.jsonl").read_text().splitlines()]
        for case in cases[:4] + cases[-3:]:
            options = ["--truncate", *(["--independent"] if case["options"].get("multi_label") else [])]
            if "hypothesis_template" in case["options"]:
                options += ["--template", case["options"]["hypothesis_template"]]
            (found,) = self.json("--model", FIXTURES / "models" / case["model"], "--labels", ", ".join(case["labels"]), *options, "--", case["text"])
            self.assertEqual([each["label"] for each in found], [each["label"] for each in case["result"]])
            self.check_close([each["score"] for each in found], [each["score"] for each in case["result"]], 1e-5)

    def test_usage_and_models(self):
        model = ["--model", FIXTURES / "models" / "bert-nli", "--labels", "fun, food"]
        (one,) = self.json(*model, "the man")
        self.assertEqual(self.json(*model[:2], "--labels", "fun", "--labels", "food,,", "the man"), [one])
        self.assertEqual([json.loads(line) for line in self.output(*model, "--jsonl", stdin=b'"the man"\n{"text": "the man"}\n').splitlines()], [one, one])
        self.assertIn("food", self.output(*model, "the man", "she"))
        self.check_error(2, "--labels", *model[:2], "the man")
        self.check_error(1, "candidate labels: found none", *model[:2], "--labels", " , ", "the man")
        self.check_error(1, "hypothesis_template", *model, "--template", "It is.", "the man")
        self.check_error(1, "found an empty text", *model, "")
        self.check_error(1, "expected at most the model's 64", *model, "!" * 100000)
        self.output(*model, "--truncate", "!" * 100000)
        self.run_raw(*model, b"\xff\xfe").check_returncode()
        self.check_error(1, "natural language inference", "--model", FIXTURES / "models" / "bert-single-label", "--labels", "a", "b")
        self.check_error(1, "classification", "--model", FIXTURES / "models" / "bert-qa", "--labels", "a", "b")
        self.check_common(*model, "a")
        self.check_models("--labels", "a", "b")


class TranslateCommand(ExampleTest):
    program = "axiform translate"

    def test_translations_are_those_of_the_pipeline(self):
        for case in text_tasks("marian", "mbart50", options={}) + text_tasks("marian", "mbart50", options={"num_beams": 1, "max_new_tokens": 12}):
            model = ["--model", FIXTURES / "models" / case["model"], *(["--beams", "1", "--max-new-tokens", "12"] if case["options"] else [])]
            if case["languages"]:
                model += ["--from", case["languages"][0], "--to", case["languages"][1]]
            (found,) = self.json(*model, "--", case["text"])
            self.assertEqual(found["translation_text"], case["result"][0])
            self.assertEqual("score" in found, not case["options"])
            self.assertEqual(self.output(*model, "--", case["text"]), case["result"][0] + "\n")  # greedily as it comes
            lines = self.output(*model, "--jsonl", stdin=(json.dumps(case["text"]) + "\n").encode() * 2).splitlines()
            self.assertEqual([json.loads(line) for line in lines], [[found], [found]])

    def test_a_trained_model(self):
        model = ["--model", MODELS / "transformer-dates"]
        self.assertEqual(self.output(*model, "the fourth of July 1776", "4,012"), "1776-07-04\nfour thousand and twelve\n")
        self.assertEqual(self.output(*model, "--beams", "1", "the fourth of July 1776"), "1776-07-04\n")

    def test_options_and_languages(self):
        model = ["--model", FIXTURES / "models" / "marian-writer"]
        found = self.json(*model, "--beams", "3", "--num-return-sequences", "2", "--max-new-tokens", "5", "the man", "food")
        self.assertEqual(len(found), 4)
        self.assertGreaterEqual(found[0]["score"], found[1]["score"])
        self.assertNotEqual(self.json(*model, "--to", "fra", "the man")[0]["ids"], self.json(*model, "--to", "deu", "the man")[0]["ids"])
        drawn = [self.json(*model, "--sample", "--seed", seed, "--max-new-tokens", "12", "the man")[0]["ids"] for seed in "112"]
        self.assertEqual(drawn[0], drawn[1])
        self.assertNotEqual(drawn[0], drawn[2])
        for status, text, *arguments in [
            (1, "spa", "--to", "spa"),
            (1, 'found from "nonsense", expected from "en"', "--from", "nonsense"),
            (1, "num_beams", "--beams", "0"),
            (1, "num_return_sequences", "--num-return-sequences", "9"),
            (1, "num_return_sequences", "--beams", "1", "--num-return-sequences", "2"),
            (1, "positions", "--max-new-tokens", "18446744073709551615"),
            (1, "temperature: found 0", "--sample", "--temperature", "0"),
            (2, "--beams", "--beams", "-1"),
        ]:
            self.check_error(status, text, *model, "the man", *arguments)
        self.check_error(1, "no target language", "--model", FIXTURES / "models" / "mbart-writer", "the man")

    def test_usage_and_models(self):
        model = ["--model", FIXTURES / "models" / "marian-writer", "--max-new-tokens", "4"]
        self.check_error(1, "expected at most the model's 64", *model, "a" * 100000)
        self.output(*model, "--truncate", "a" * 100000)
        self.output(*model, "")
        self.run_raw(*model, b"\xff\xfe \xf0\x9f").check_returncode()
        result = self.run_raw(*model, "--jsonl", stdin=json.dumps("a").encode() + b"\n" + json.dumps("a" * 1000).encode())
        self.assertEqual((result.returncode, len(result.stdout.splitlines())), (1, 1))
        self.assertIn("line 2: translation: found 73 tokens, expected at most the model's 64", result.stderr.decode())
        self.check_error(1, "expected a model for translation", "--model", FIXTURES / "models" / "bert-mlm", "a")
        self.check_error(1, "found a BERT, which is not supported; expected a BART", "--model", TINY_BERT, "a")  # no word of its head
        self.check_common(*model, "a")
        self.check_models("a")
        self.check_truncated(FIXTURES / "models" / "marian-writer", "a")


class Text2Text(ExampleTest):
    program = "axiform text2text"

    def test_texts_are_those_of_the_pipeline(self):
        cases = text_tasks("bart", task="text2text-generation", options={}) + text_tasks("bart", task="text2text-generation", options={"truncation": True})
        self.assertTrue(cases)
        for case in cases:
            (found,) = self.json("--model", FIXTURES / "models" / case["model"], *(["--truncate"] if case["options"] else []), "--", case["text"])
            self.assertEqual(found["generated_text"], case["result"][0])

    def test_usage_and_models(self):
        model = ["--model", FIXTURES / "models" / "bart-writer", "--max-new-tokens", "4"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "texts.txt"
            file.write_text("the man\n\nfood\n" * 50)
            found = self.output(*model, "--file", file)
            one, two = (self.output(*model, text) for text in ("the man", "food"))
            self.assertEqual(found, (one + two) * 50)
        self.check_error(1, "a model for text to text", "--model", DEMO_GPT2, "a")
        self.check_common(*model, "a")
        self.check_models("a")


class Summarize(ExampleTest):
    program = "axiform summarize"

    def test_summaries_are_those_of_the_pipeline(self):
        cases = text_tasks("bart", task="summarization", options={}) + text_tasks("bart", task="summarization", options={"truncation": True})
        self.assertTrue(cases)
        for case in cases:
            (found,) = self.json("--model", FIXTURES / "models" / case["model"], *(["--long", "cut"] if case["options"] else []), "--", case["text"])
            self.assertEqual(found, {"summary_text": case["result"][0], "parts": 1, "rounds": 1})

    def test_documents(self):
        model = ["--model", FIXTURES / "models" / "bart-writer", "--max-new-tokens", "7"]
        text = "the man was in paris. she was in it.\n" * 12
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "document.txt"
            file.write_text(text)
            (found,) = self.json(*model, "--document", file)
            self.assertGreater(found["parts"], 4)
            self.assertEqual(self.json(*model, "--document", "-", stdin=text.encode()), [found])
            self.assertEqual(self.json(*model, text), [found])
            self.assertEqual(self.output(*model, "--document", file).rstrip("\n"), found["summary_text"].rstrip("\n"))
            smaller = self.json(*model, "--part-length", "40", "--document", file)[0]
            self.assertGreater(smaller["parts"], found["parts"])
        self.check_error(1, "expected at most the model's 64", *model, "--long", "refuse", text)
        self.check_error(1, "chunk length: found 65", *model, "--part-length", "65", text)

    def test_usage_and_models(self):
        model = ["--model", FIXTURES / "models" / "bart-writer", "--max-new-tokens", "4"]
        self.check_error(2, "expected one of: texts, --document", *model)
        self.check_error(2, "--long", *model, "--long", "somehow", "a")
        self.check_error(1, "nowhere", *model, "--document", "nowhere")
        self.check_error(2, "--num-return-sequences", *model, "--num-return-sequences", "2", "a")
        self.check_error(1, "min_length: found 9", *model, "--min-length", "9", "a")
        self.check_common(*model, "a")
        self.check_models("a")


class Generate(ExampleTest):
    program = "axiform generate"

    def test_streamed_and_whole_texts_are_the_same(self):
        arguments = ["--model", DEMO_GPT2, "the man", "--max-new-tokens", "12", "--seed", "3"]
        (found,) = self.json(*arguments)
        self.assertTrue(found["generated_text"].startswith("the man"))
        self.assertEqual(self.output(*arguments), found["generated_text"] + "\n")
        self.assertEqual(self.json(*arguments, "--threads", "1"), [found])
        self.assertEqual(self.json("--model", DEMO_GPT2, "--prompt", "the man", "--max-new-tokens", "12", "--seed", "3"), [found])
        lines = self.output("--model", DEMO_GPT2, "--max-new-tokens", "12", "--seed", "3", "--jsonl", stdin=b'"the man"\n"a"\n').splitlines()
        self.assertEqual(json.loads(lines[0]), [found])

    def test_every_option_is_heard(self):
        model = ["--model", DEMO_GPT2, "the man"]
        self.assertEqual(len(self.json(*model, "--beams", "4", "--num-return-sequences", "2", "--max-new-tokens", "5")), 2)
        for option in (["--greedy"], ["--temperature", "0.5"], ["--top-k", "3"], ["--top-p", "0.5"], ["--min-p", "0.2"], ["--typical-p", "0.4"],
                       ["--repetition-penalty", "1.5"], ["--no-repeat-ngram", "2"], ["--profile", "transformers-5"], ["--stop", "e"], ["--bad-word", "e"],
                       ["--min-new-tokens", "3"], ["--beams", "2", "--length-penalty", "2"]):
            self.assertEqual(len(self.json(*model, "--max-new-tokens", "6", *option)), 1, option)
        plain = self.json(*model, "--max-new-tokens", "20", "--greedy")[0]
        self.assertEqual(self.json(*model, "--max-new-tokens", "20", "--greedy", "--prompt-lookup", "0")[0], plain)
        found = self.json(*model, "--max-new-tokens", "20", "--greedy", "--prompt-lookup", "6")[0]
        self.assertLessEqual(found.pop("accepted"), found.pop("proposed"))
        self.assertEqual(found, plain)
        probabilities = self.json(*model, "--max-new-tokens", "4", "--log-probabilities")[0]["log_probabilities"]
        self.assertTrue(len(probabilities) == 4 and all(value <= 0 for value in probabilities))
        self.assertIn("logits", self.output(*model, "--logits"))
        self.assertEqual(len(self.json(*model, "a", "--logits")), 2)
        for option in (["--stop", "[e]"], ["--stop=[e]", "--stop", "x"], ["--bad-word", "[e]"]):
            self.assertTrue(self.output(*model, "--max-new-tokens", "4", *option).startswith("the man"))

    def test_a_head_that_is_not_the_token_table_is_a_matrix_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(PREFIXED_GPT2, Path(folder) / "model"))
            weights = copy / "model.safetensors"
            data = bytearray(weights.read_bytes())
            (length,) = struct.unpack_from("<Q", data)
            begin, end = json.loads(data[8 : 8 + length])["lm_head.weight"]["data_offsets"]
            data[8 + length + begin : 8 + length + begin + 4] = struct.pack("<f", 3.0)
            weights.write_bytes(data)
            own, tied = (self.json("--model", model, "the", "--logits")[0]["logits"] for model in (copy, PREFIXED_GPT2))
            self.assertNotEqual(own[0], tied[0])
            self.assertEqual(own[1:], tied[1:])
            self.assertEqual(len(self.json("--model", copy, "the", "--max-length", "8")), 1)

    def test_absurd_options(self):
        for status, text, *arguments in [
            (1, "temperature: found 0", "--temperature", "0"),
            (1, "top_p", "--top-p", "2"),
            (1, "positions", "--max-length", "18446744073709551615"),
            (1, "max_new_tokens", "--max-new-tokens", "0"),
            (1, "greedy", "--greedy", "--num-return-sequences", "2"),
            (1, "num_beams", "--beams", "1"),
            (1, "num_return_sequences", "--beams", "2", "--num-return-sequences", "3"),
            (1, "repetition_penalty", "--repetition-penalty", "0"),
            (2, "--max-length", "--max-length", "-5"),
            (2, "--profile", "--profile", "mine"),
        ]:
            self.check_error(status, text, "--model", DEMO_GPT2, "the man", *arguments)
        self.check_error(1, "tokens", "--model", DEMO_GPT2, "a" * 100000)

    def test_usage_and_models(self):
        self.check_common("--model", DEMO_GPT2, "a", "--max-new-tokens", "2")
        self.check_error(2, "--model", "a")
        self.check_error(2, "--prompt", "--model", DEMO_GPT2)
        self.check_models("a")
        self.check_truncated(DEMO_GPT2, "a")


class Chat(ExampleTest):
    """On random weights: answers are strings of characters, line breaks among them, so that they are compared and not read."""

    program = "axiform chat"
    GREEDY = ("--model", CHAT_TINY, "--max-new-tokens", "8", "--greedy")

    def talk(self, *lines, arguments=GREEDY, said=""):
        """What is on stdout for these lines of stdin; `said` is what stderr has to match."""
        result = self.run_raw(*arguments, stdin="".join(line + "\n" for line in lines).encode())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr.decode(), rf"\A{said}\Z")
        return result.stdout.decode()

    def test_answers_follow_questions(self):
        one = self.talk("Hello")
        self.assertGreater(len(one), 1)
        two = self.talk("Hello", "", "  ", "And now?")  # blank lines are nothing
        self.assertTrue(two.startswith(one))
        self.assertNotEqual(two, one + self.talk("And now?"))  # what was said before is read too
        self.assertEqual(self.talk("Hello", "/quit", "And now?"), one)
        self.assertEqual(self.talk(), "")
        self.assertEqual(self.talk("Hello", arguments=(*self.GREEDY, "--threads", "1")), one)
        self.assertEqual(self.talk("Hello", arguments=(*self.GREEDY, "--prompt-lookup", "4")), one)
        self.run_raw(*self.GREEDY, stdin=b"\xff\xfe \0 {{ x }}\r\nlast line without an end").check_returncode()

    def test_turns_are_taken_back_and_asked_again(self):
        one, two = self.talk("Hello"), self.talk("Hello", "And now?")
        self.assertEqual(self.talk("Hello", "/undo", "Hello", "And now?"), one + two)
        self.assertEqual(self.talk("Hello", "And now?", "/undo", "/undo", "Hello"), two + one)
        self.assertEqual(self.talk("Hello", "/retry", "And now?"), one + two)  # greedily the same
        drawn = ("--model", CHAT_TINY, "--max-new-tokens", "8", "--seed", "5")
        first, both = self.talk("Hello", arguments=drawn), self.talk("Hello", "/retry", arguments=drawn)
        self.assertTrue(both.startswith(first))
        self.assertNotEqual(both, first + first)  # another draw
        self.assertEqual(self.talk("Hello", "/retry", arguments=drawn), both)
        for command in "/undo", "/retry":
            self.assertEqual(self.talk(command, "Hello", said="axiform chat: .*no turn to take back\n"), one)

    def test_history_and_system(self):
        one = self.talk("Hello")
        self.assertEqual(self.talk("Hello", "/history"), f"{one}user: Hello\nassistant: {one}")
        self.assertEqual(self.talk("Hello", "/undo", "/history"), one)
        system = self.talk("Hello", arguments=(*self.GREEDY, "--system", "Be brief."))
        self.assertNotEqual(system, one)
        self.assertEqual(self.talk("Hello", "/system Be brief.", "/history", "Hello"), f"{one}system: Be brief.\n{system}")
        self.assertEqual(self.talk("/system Be brief.", "/system", "/history", "Hello"), one)
        self.assertEqual(self.talk("/text", "Hello", said="axiform chat: found /text, expected /undo, /retry, /system TEXT, /history or /quit\n"), one)

    def test_stdout_has_the_answers_alone(self):
        found = self.talk("Hello", arguments=(*self.GREEDY, "--statistics"), said=r"8 tokens, [\d.]+ a second with their questions; at most \d+ MiB of memory\n")
        self.assertEqual(found, self.talk("Hello"))

    def test_a_full_context(self):
        small = (*self.GREEDY, "--context", "70")
        forgetful = self.talk("Hello", "Hello", "Hello", "/history", arguments=small, said=r"(\(the context is full: the oldest 2 messages are forgotten\)\n)+")
        self.assertLess(forgetful.count("user: Hello\n"), 3)
        strict = self.talk("Hello", "x" * 60, "/history", arguments=(*small, "--when-full", "refuse"), said="axiform chat: chat: the conversation has .* for the answer\n")
        self.assertEqual(strict, self.talk("Hello", "/history"))

    def test_templates(self):
        gpt2 = ("--model", DEMO_GPT2, "--max-new-tokens", "4", "--greedy")
        self.check_error(1, "has no chat template", *gpt2)
        self.check_error(2, "--json", *gpt2, "--template", "chatml", "--json")
        self.check_error(1, "a template can be named: chatml", *gpt2)
        answer = self.talk("the man", arguments=(*gpt2, "--template", "chatml"))
        self.assertGreater(len(answer), 1)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "mine.jinja"
            file.write_text("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
                            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
            self.assertEqual(self.talk("the man", arguments=(*gpt2, "--template", file)), answer)
            self.assertEqual(self.talk("Hello", arguments=(*self.GREEDY, "--template", file)), self.talk("Hello"))
            file.write_text("{% for m in messages %}")
            self.check_error(1, "for", *gpt2, "--template", file)
            self.check_error(1, "nowhere.jinja", *gpt2, "--template", Path(folder) / "nowhere.jinja")
        self.check_error(1, "chatml", *gpt2, "--template", "nonsense")
        refused = self.talk("the man", arguments=(*gpt2, "--template", "gemma", "--system", "x"), said="axiform chat: .*System role not supported.*\n")
        self.assertEqual(refused, "")

    def test_ctrl_c_ends_an_answer_and_not_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            data = bytearray(CHAT_TINY.read_bytes())  # in which an answer may take minutes
            key = b"llama.context_length" + struct.pack("<I", 4)
            struct.pack_into("<I", data, data.index(key) + len(key), 1 << 20)
            model = Path(folder) / "long.gguf"
            model.write_bytes(data)
            tokens = str(1 << 17)
            process = subprocess.Popen([*self.command(), "--model", model, "--context", str(1 << 18), "--max-new-tokens", tokens, "--min-new-tokens", tokens],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
            try:
                process.stdin.write(b"Hello\n")
                self.assertTrue(process.stdout.read(1))
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.stderr.readline(), b"(stopped)\n")
                process.stdin.write(b"/system x\n/history\nAgain\n")
                printed = b""
                while b"\nsystem: x\n" not in printed or printed.endswith(b"\nsystem: x\n"):
                    printed += process.stdout.read(1)
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.stderr.readline(), b"(stopped)\n")
                process.stdin.write(b"/history\n")
                printed, message = process.communicate(timeout=60)
            finally:
                process.kill()
            self.assertEqual((process.returncode, message), (0, b""))
            self.assertIn(b"\nsystem: x\nuser: Again\nassistant: ", printed)  # what there was of the answer stays

    def test_ctrl_c_ends_a_program_that_waits(self):
        process = subprocess.Popen([*self.command(), *self.GREEDY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b"Hello\n")
        process.stdin.flush()
        self.assertTrue(process.stdout.read(1))
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        self.assertIn(process.wait(timeout=20), (-signal.SIGINT, 130))
        process.communicate()

    def test_usage_and_models(self):
        for option in "--threads", "--template", "--when-full", "--prompt-lookup":
            self.assertIn(option, self.output("--help"))
        for option in "--nonsense", "--context=-1", "--context=some", "--when-full=sometimes", "--threads=two", "--weights=q3_k", "--cache=f16", "--max-new-tokens=few":
            self.check_error(2, option.partition("=")[0], *self.GREEDY, option)
        self.check_error(1, "threads: found 0", *self.GREEDY, "--threads", "0")
        for length in "0", "513":  # the model reads 512
            self.check_error(1, f"a capacity of {length} tokens", *self.GREEDY, "--context", length)
        with open("/dev/full", "wb") as full:
            result = subprocess.run([*self.command(), *self.GREEDY], input=b"Hello\n", stdout=full, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual((result.returncode, result.stderr), (1, b"axiform chat: standard output: cannot be written\n"))
        self.check_models()
        self.check_error(1, "", "--model", MINILM, "--template", "chatml")  # no causal model
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "short.gguf"
            data = CHAT_TINY.read_bytes()
            for length in 0, 100, len(data) // 2, len(data) - 1:
                file.write_bytes(data[:length])
                self.check_error(1, "short.gguf", "--model", file)


class Perplexity(ExampleTest):
    program = "axiform perplexity"

    def test_texts_and_documents(self):
        (found,) = self.json("--model", DEMO_GPT2, "the man was right")
        self.assertGreater(found["perplexity"], 1)
        self.assertAlmostEqual(math.log(found["perplexity"]), -found["mean_log_probability"], delta=1e-9)
        long = self.json("--model", DEMO_GPT2, "--document", "-", stdin=b"the man was right. " * 300)
        self.assertGreater(long[0]["tokens"], 1000)
        self.assertIn("tokens", self.output("--model", DEMO_GPT2, "the man"))
        self.check_error(1, "", "--model", DEMO_GPT2, "")
        self.check_error(1, "stride", "--model", DEMO_GPT2, "--stride", "0", "the man")
        self.check_common("--model", DEMO_GPT2, "the man")


class Evaluate(ExampleTest):
    program = "axiform evaluate"
    TEXTS = ["the man was right", "a man was wrong", "the man was righter", "a dog", "the dog was right"]
    QUICK = "--passes", "1"

    def test_embeddings_are_compared_with_those_of_floats(self):
        found = self.json(*self.QUICK, "--model", DEMO_BERT, "--weights", "bf16,q8_0,f32,bf16", "--neighbours", "2", *self.TEXTS)
        self.assertEqual([one["weights"] for one in found], ["f32", "bf16", "q8_0"])
        exact, half, _ = found
        self.assertEqual((exact["neighbours"], exact["neighbours_kept"]), (2, 1))
        self.assertAlmostEqual(exact["least_cosine"], 1, delta=1e-6)
        self.assertLess(half["weight_bytes"], exact["weight_bytes"])
        for one in found:
            self.assertTrue(0.9 < one["least_cosine"] <= one["mean_cosine"] < 1.000001, one)
            self.assertGreater(min(one["tokens_per_second"], one["load_seconds"]), 0)

    def test_predictions_are_those_of_perplexity(self):
        found = self.json(*self.QUICK, "--model", DEMO_GPT2, "the man was right")
        self.assertEqual([one["weights"] for one in found], ["f32", "bf16", "f16", "q8_0", "q4_0", "q4_1", "q4_k"])
        for one in found:
            self.assertEqual(one["tokens"], found[0]["tokens"])
            self.assertLessEqual(one["same_token"], 1)
        self.assertEqual(found[0]["same_token"], 1)
        program, self.program = self.program, "axiform perplexity"
        (one,) = self.json("--model", DEMO_GPT2, "the man was right")
        self.program = program
        self.assertAlmostEqual(found[0]["perplexity"], one["perplexity"], delta=1e-9 * one["perplexity"])

    def test_the_table_and_usage(self):
        lines = self.output(*self.QUICK, "--model", DEMO_GPT2, "--weights", "q8_0", "--document", "-", stdin=b"the man was right. " * 30).splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["weights", "f32", "q8_0"])
        self.check_error(1, "texts: found \"a\", expected texts of at least 2 tokens", "--model", DEMO_GPT2, "the man was", "a")
        self.check_error(2, "--weights", "--model", DEMO_GPT2, "--weights", "q3_k", "the man")
        self.check_error(2, "expected one of", "--model", DEMO_GPT2)
        self.check_error(1, "texts: found none", "--model", DEMO_GPT2, "--file", "-", stdin=b"\n")
        self.check_common(*self.QUICK, "--model", DEMO_GPT2, "the man")
        self.check_models("the man")


class Quantize(ExampleTest):
    program = "axiform quantize"

    def test_a_prepared_model_gives_what_its_original_gives_in_the_format(self):
        with tempfile.TemporaryDirectory() as folder:
            for model, command, *arguments in (MINILM, "embed", "a man"), (CHAT_TINY, "perplexity", "Hello there, how are you?"):
                for weights in "q8_0", "bf16":
                    target = Path(folder) / f"{model.name}-{weights}"
                    self.program = "axiform quantize"
                    made = self.json("--model", model, "--weights", weights, "--output", target)
                    self.assertEqual((made["directory"], made["weights"]), (str(target), weights))
                    self.assertEqual((target / "model.safetensors").is_file(), weights == "bf16")
                    self.check_error(1, "is there already", "--model", model, "--weights", weights, "--output", target)
                    self.program = f"axiform {command}"
                    self.assertEqual(self.json("--model", target, *arguments), self.json("--model", model, "--weights", weights, *arguments))
            self.program = "axiform quantize"
            self.assertTrue((Path(folder) / "minilm-l6-q8_0" / "1_Pooling" / "config.json").is_file())
            self.assertLess(made["bytes"], CHAT_TINY.stat().st_size + 10**6)

    def test_usage_and_models(self):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "target"
            self.check_error(2, "--weights", "--model", DEMO_BERT, "--output", target)
            self.check_error(2, "--output", "--model", DEMO_BERT, "--weights", "q8_0")
            self.check_error(2, "--weights", "--model", DEMO_BERT, "--weights", "q3_k", "--output", target)
            self.check_error(1, "cannot be written", "--model", DEMO_BERT, "--weights", "q8_0", "--output", "/proc/nowhere/target")
            self.check_models("--weights", "q8_0", "--output", target)
            self.assertFalse(target.exists())


class View(ExampleTest):
    """What the pages show is tested in tests/views."""

    program = "axiform view"

    def test_every_kind_of_page(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            for model, kinds in (MINILM, ("head", "model", "heat-map")), (DEMO_GPT2, ("head", "generation")):
                for kind in kinds:
                    found = self.json("--model", model, "--kind", kind, "--output", page, "hi <b>", "--max-new-tokens", "3")
                    self.assertEqual(found["bytes"], len(page.read_bytes()))
                    self.assertNotIn("hi <b>", page.read_text())
            self.output("--model", MINILM, "--output", page, "hi", "--pair", "there")
            self.output("--model", MINILM, "--output", "[o].html", "hi", cwd=folder)
            self.assertTrue((Path(folder) / "[o].html").is_file())
            self.check_error(1, "nowhere", "--model", MINILM, "--output", Path(folder) / "nowhere" / "page.html", "a")
            self.check_error(2, "--kind", "--model", MINILM, "--kind", "pie", "a")

    def data(self, page):
        """What a page was given."""
        return json.loads(re.search('<script type="application/json" id="page">(.*?)</script>', page.read_text())[1])

    def test_an_encoder_decoder_has_three_attentions(self):
        dates, text = MODELS / "transformer-dates", "the fourth of July 1776"
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            for more in [], ["--target", "1776-07-04"], ["--kind", "model"]:
                self.output("--model", dates, "--output", page, *more, text)
                data = self.data(page)
                self.assertEqual(data["title"], "the fourth of July 1776 → 1776-07-04")
                self.assertEqual([(part["name"], part["layers"], part["heads"], part["causal"]) for part in data["parts"]],
                                 [("Encoder", [0, 1], 4, False), ("Decoder", [0, 1], 4, True), ("Cross-attention", [0, 1], 4, False)])
                source, target, cross = data["parts"]
                self.assertEqual((cross["queries"], cross["keys"]), (target["queries"], source["keys"]))
                self.assertEqual("".join(cross["queries"]), "<s>1776-07-04</s>")
            self.check_error(1, "--pair", "--model", dates, "--output", page, text, "--pair", "b")
            self.check_error(1, "--target", "--model", MINILM, "--output", page, "a", "--target", "b")
            self.check_error(1, "--target", "--model", dates, "--output", page, "a", "--target", "b", "--kind", "generation")

    def test_beams(self):
        dates = MODELS / "transformer-dates"
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.html"
            self.output("--model", dates, "--output", page, "--kind", "generation", "--beams", "3", "4,012")
            data = self.data(page)
            self.assertEqual((data["beams"], len(data["results"])), (3, 3))
            scores = [result["score"] for result in data["results"]]
            self.assertEqual(scores, sorted(scores, reverse=True))
            at, place, tokens = data["results"][0]["at"], data["results"][0]["place"], []
            while at >= 0:
                parent, token, *_ = data["steps"][at][place]
                tokens.insert(0, token)
                at, place = at - 1, parent
            self.assertEqual("".join(tokens), "four thousand and twelve</s>")
            self.output("--model", dates, "--output", page, "--kind", "generation", "4,012")
            self.assertEqual("".join(step["token"] for step in self.data(page)["steps"]), "four thousand and twelve</s>")
            forbidding = ["--model", dates, "--output", page, "--kind", "generation", "4,012"]
            self.output(*forbidding, "--bad-word", "thousand")
            self.assertNotIn("thousand", "".join(step["token"] for step in self.data(page)["steps"]))
            self.check_error(1, "--profile", *forbidding, "--profile", "notebook")
            strict = shutil.copytree(dates, Path(folder) / "strict")
            settings = json.loads((strict / "generation_config.json").read_text())
            for least in {"min_length": 12}, {"min_new_tokens": 12}:
                (strict / "generation_config.json").write_text(json.dumps(settings | least))
                self.output("--model", strict, "--output", page, "--kind", "generation", "--max-new-tokens", "3", "4,012")
                self.assertEqual(len(self.data(page)["steps"]), 3)
            self.output("--model", DEMO_GPT2, "--output", page, "--kind", "generation", "--beams", "2", "--max-new-tokens", "3", "the world")
            data = self.data(page)
            self.assertEqual((data["prompt"], data["beams"], len(data["steps"]), len(data["results"])), ("the world", 2, 3, 2))


class Axiform(ExampleTest):
    """The program around the commands."""

    program = "axiform"

    def test_commands_are_listed_and_others_refused(self):
        self.assertIn("perplexity", self.output("--help"))
        self.assertRegex(self.output("--version"), r"^\d+\.\d+\.\d+ \((SSE|AVX|NEON).*optimised, with(out)? assertions, (GCC|Clang) .+\)\n")
        self.check_error(2, "not a command", "dance")
        self.assertEqual(self.run_raw().returncode, 2)

    def test_ctrl_c_ends_work(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "texts.txt"
            file.write_text("the quick brown fox jumps over the lazy dog " * 8 + "\n")
            file.write_text(file.read_text() * 20000)
            process = subprocess.Popen([*self.command(), "embed", "--model", MINILM, "--json", "--file", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(3)
            process.send_signal(signal.SIGINT)
            printed, message = process.communicate(timeout=60)
            self.assertEqual((process.returncode, printed, message), (130, b"", b"axiform embed: stopped\n"))

    def test_ctrl_c_ends_a_program_that_waits(self):
        process = subprocess.Popen([*self.command(), "tokenize", "--model", MINILM, "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(b'"one"\n')
        process.stdin.flush()
        self.assertIn(b"one", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        self.assertIn(process.wait(timeout=20), (-signal.SIGINT, 130))
        process.communicate()


class Tokens(ExampleTest):
    program = "tokens"

    def test_the_notebooks_ids(self):
        lines = self.output(MINILM).splitlines()
        self.assertEqual(lines[0], '"puru" is not in the vocabulary')
        self.assertEqual([int(word) for word in lines[1].split()], SENTENCE_IDS)
        self.assertEqual(self.run_raw("nowhere").returncode, 1)


class TokenizerExample(ExampleTest):
    program = "tokenizer"

    def test_words_that_take_most_tokens(self):
        lines = self.output(MINILM, stdin="The unaffable tokenizer\n\nis naïve.".encode()).splitlines()
        self.assertEqual(lines, ["3 lines, 6 words, 9 tokens", "3  unaffable", "2  tokenizer"])
        self.assertEqual(self.output(MINILM), "0 lines, 0 words, 0 tokens\n")
        self.assertEqual(self.run_raw("nowhere").returncode, 1)


class AttentionTableExample(ExampleTest):
    program = "attention_table"

    def test_it_is_what_the_command_prints(self):
        table = self.output(MINILM)
        self.assertTrue(table.startswith("6 layers of [12, 20, 20]\n"))
        command = subprocess.run([PROGRAMS / "axiform", "attention", "--model", MINILM, SENTENCE], stdout=subprocess.PIPE, check=True)
        self.assertEqual(table.split("\n", 1)[1], command.stdout.decode())


class ModuleTreeExample(ExampleTest):
    program = "module_tree"

    def test_any_directory(self):
        trees = (FIXTURES / "models" / "expected" / "heads.txt").read_text()
        for name in ("roberta-qa", "distilbert-mlm"):
            self.assertIn(f"# {name}\n{self.output(FIXTURES / 'models' / name)}", trees)
        self.assertEqual(self.run_raw(FIXTURES).returncode, 1)


class Gpt2AttentionTable(ExampleTest):
    program = "gpt2_attention_table"

    def test_ids_of_a_bert_go_in_as_in_the_notebook(self):
        with tempfile.TemporaryDirectory() as folder:  # a BERT's tokenizer whose ids GPT-2 knows
            (Path(folder) / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "my", "friend"]))
            lines = self.output(TINY_GPT2, folder).splitlines()
        self.assertEqual(lines[1].split()[0], "[CLS]")
        self.assertIn("4 hidden states", lines[-1])
        self.assertEqual(self.run_raw().returncode, 1)


class Cell(ExampleTest):
    """A short example that takes a directory and prints."""

    directory = None

    def test_it_prints_what_it_says(self):
        self.check(self.output(self.directory))
        self.assertEqual(self.run_raw("nowhere").returncode, 1)


class TextGeneration(Cell):
    program, directory = "text_generation", DEMO_GPT2

    def check(self, printed):
        self.assertEqual(printed.count("Hello, I am a computer engineer and I"), 3)


class BiasProbes(Cell):
    program, directory = "bias_probes", DEMO_GPT2

    def check(self, printed):
        self.assertEqual(printed.count("-> The earth is"), 10)


class FewShot(Cell):
    program, directory = "few_shot", DEMO_GPT2

    def check(self, printed):
        self.assertIn("Sentiment: Negative\n###", printed)


class QuestionAnsweringExample(Cell):
    program, directory = "question_answering", FIXTURES / "models" / "roberta-qa"

    def check(self, printed):
        self.assertRegex(printed, r"^\S+  \d+ to \d+  \S")


class MaskedWords(Cell):
    program, directory = "masked_words", DEMO_BERT

    def check(self, printed):
        self.assertEqual(len(printed.splitlines()), 5)


class SentencePairs(Cell):
    program, directory = "sentence_pairs", DEMO_BERT

    def check(self, printed):
        self.assertEqual(len(printed.splitlines()), 2)


class SimilarSentences(Cell):
    program, directory = "similar_sentences", MINILM

    def check(self, printed):
        self.assertIn("0.908  A man is eating food. | A man eats a meal.", printed)


class LateInteractionExample(Cell):
    program, directory = "late_interaction", FIXTURES / "retrieval" / "colbert"

    def check(self, printed):
        question, *hits = printed.splitlines()[:4]
        self.assertEqual(question, "Where was she eating?")
        self.assertEqual([float(line.split()[0]) for line in hits], sorted((float(line.split()[0]) for line in hits), reverse=True))
        self.assertIn("[unused0] -> ", printed)


class ThreeScores(Cell):
    program, directory = "three_scores", FIXTURES / "retrieval" / "m3"

    def check(self, printed):
        rows = [[float(number) for number in line.split()[:4]] for line in printed.splitlines()[2:5]]
        for dense, sparse, vectors, mean in rows:
            self.assertAlmostEqual(0.4 * dense + 0.2 * sparse + 0.4 * vectors, mean, delta=0.002)


class Gpt2Assemble(ExampleTest):
    program = "gpt2_assemble"

    def test_what_the_type_knows_and_the_notebooks_tree(self):
        found = self.json("--max-new-tokens", "2")
        self.assertEqual(found["parameters"], 124439808)
        self.assertEqual(found["key_value_bytes_per_token"], 2 * 12 * 768 * 4)
        self.assertEqual(found["module_tree"], (FIXTURES / "models" / "expected" / "gpt2_small_notebook.txt").read_text().rstrip("\n"))
        self.assertEqual(len(found["ids"]), 5)
        self.assertGreater(found["tokens_per_second"], 0)

    def test_usage(self):
        self.assertIn("folded", self.output("--help"))
        self.check_error(2, "--tree", "--tree", "sideways")
        self.check_error(1, "threads: found 0", "--threads", "0")
        self.check_error(2, "--ids", "--ids", "a")


class OwnModel(ExampleTest):
    program = "own_model"

    def test_it_runs_and_prints_itself(self):
        found = self.json("--ids", "5,6,7", "--max-length", "9")
        self.assertEqual(found["sources"][0]["ids"], [5, 6, 7])
        (target,) = found["sources"][0]["targets"]
        self.assertTrue(2 <= len(target["ids"]) <= 9)
        self.assertEqual(self.json("--ids", "5,6,7", "--max-length", "9", "--threads", "1"), found)
        readable = self.output()
        self.assertIn("2 x DecoderLayer", readable)
        self.assertIn(f"{found['parameters']} parameters", readable)

    def test_sources_of_a_batch_have_the_texts_that_they_have_alone_with_beams_too(self):
        beams = "--beams", "3", "--texts", "2"
        first, second = (self.json("--ids", ids, *beams)["sources"][0] for ids in ("5,6,7", "80,2"))
        self.assertEqual(self.json("--ids", "5,6,7", "--ids", "80,2", *beams)["sources"], [first, second])
        scores = [target["score"] for target in first["targets"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertNotEqual(*(target["ids"] for target in first["targets"]))
        self.assertEqual(self.output(*beams).count("score -"), 2)

    def test_usage(self):
        self.check_common()
        self.check_error(1, "token id", "--ids", "100")
        self.check_error(1, "max_length", "--max-length", "1")
        self.check_error(1, "positions", "--max-length", "65")
        self.check_error(1, "num_return_sequences", "--beams", "2", "--texts", "3")


class TorchTransformer(ExampleTest):
    program = "torch_transformer"

    def test_state_dicts_give_torchs_greedy_tokens(self):
        for name in "transformer-tiny", "transformer-pre-norm", "transformer-renamed":
            directory = FIXTURES / "models" / name
            golden = read_safetensors(directory / "goldens.safetensors")
            for case in range(3):
                ids = ",".join(map(str, golden[f"case{case}.source_ids"]))
                (text,) = self.json("--model", directory, "--ids", ids, "--max-length", "12")["texts"]
                self.assertEqual(text["ids"], list(golden[f"case{case}.greedy"]))

    def test_the_command_line_counts_more_than_the_directorys_settings(self):
        model = FIXTURES / "models" / "transformer-tiny"
        expected = self.json("--model", model, "--max-length", "9")["texts"]
        with tempfile.TemporaryDirectory() as folder:
            other = shutil.copytree(model, Path(folder) / "model")
            file = other / "generation_config.json"
            own = json.loads((file if file.exists() else other / "config.json").read_text())
            file.write_text(json.dumps(own | {"num_beams": 3, "do_sample": True, "max_new_tokens": 2}))
            self.assertEqual(self.json("--model", other, "--max-length", "9")["texts"], expected)

    def test_beams_and_what_is_printed(self):
        model = "--model", FIXTURES / "models" / "transformer-pre-norm"
        scores = [text["score"] for text in self.json(*model, "--beams", "4", "--texts", "3")["texts"]]
        self.assertEqual(scores, sorted(scores, reverse=True))
        readable = self.output(*model)
        for part in "parameters from", "positional_encoding.pos_embedding (a buffer", "target: 1 ", "Cross-attention":
            self.assertIn(part, readable)

    def test_usage(self):
        model = "--model", FIXTURES / "models" / "transformer-pre-norm"
        self.check_common(*model)
        self.check_error(1, "token id 31 at position 0: expected 0 to 30", *model, "--ids", "31")
        self.check_error(1, "expected a pre-norm Transformer or Transformer", "--model", FIXTURES / "models" / "bert-tiny")


class Translate(ExampleTest):
    program = "translate"

    def test_dates_and_numbers(self):
        dates = MODELS / "transformer-dates"
        lines = b"the fourth of July 1776\n\n1994-03-23\nFour thousand and twelve\n4,012\n"
        expected = ["1776-07-04", "the twenty-third of March, nineteen ninety-four", "4012", "four thousand and twelve"]
        self.assertEqual(self.output(dates, stdin=lines).splitlines(), expected)
        self.assertEqual(self.output(dates), "")
        self.check_error(1, "nowhere", "nowhere")


class LlamaBlock(ExampleTest):
    program = "llama_block"
    TINY = FIXTURES / "models" / "llama-tiny"

    def test_a_checkpoint_gives_transformers_logits_and_greedy_tokens(self):
        golden = read_safetensors(self.TINY / "goldens.safetensors")
        for case in range(5):
            found = self.json("--model", self.TINY, "--ids", ",".join(map(str, golden[f"case{case}.ids"])))
            self.check_close(found["logits"], golden[f"case{case}.last_logits"], 2e-5)
        for case in range(3):
            prompt, new_ids = list(golden[f"greedy{case}.prompt"]), list(golden[f"greedy{case}.ids"])
            for threads in "12":
                found = self.json("--model", self.TINY, "--ids", ",".join(map(str, prompt)), "--threads", threads)
                self.assertEqual(found["ids"], prompt + new_ids)

    def test_random_weights_are_their_seeds(self):
        found = self.json("--ids", "5,6,7", "--max-new-tokens", "9")
        self.assertEqual((found["ids"][:3], len(found["ids"])), ([5, 6, 7], 12))
        self.assertEqual(self.json("--ids", "5,6,7", "--max-new-tokens", "9", "--threads", "1"), found)
        self.assertNotEqual(self.json("--ids", "5,6,7", "--max-new-tokens", "9", "--seed", "1")["logits"], found["logits"])
        readable = self.output()
        for part in ("2 x LlamaBlock", "RMSNorm((32,), eps=1e-05)", f"{found['parameters']} parameters"):
            self.assertIn(part, readable)

    def test_usage(self):
        self.check_common()
        self.check_error(1, "token id", "--ids", "96")
        self.check_error(1, "nowhere", "--model", "nowhere")
        self.check_error(1, "model.embed_tokens.weight: found shape [40, 16], expected [96, 32]", "--model", FIXTURES / "models" / "qwen2-tiny")


class Tensors(ExampleTest):
    program = "tensors"

    def test_the_tour_prints_what_numpy_would(self):
        lines = self.output().splitlines()
        self.assertTrue(lines[0].startswith("Degrees: [[13.1902 13.0365"))
        numbers = "\n".join(lines)
        for part in ("Means of the cities: [16.4994 13.3215  7.4856] [Cities: 3]", "Warmer than 12 degrees on [14 10  0] [Cities: 3] days",
                     "Heights on the way: [1565    4    4] [Visits: 3]", "Three weeks: [Cities: 3, Days: 21]", "[Cities: 3, Neighbours: 3]",
                     "Read again: 1"):
            self.assertIn(part, numbers)


class Gpt2ByHand(ExampleTest):
    program = "gpt2_by_hand"

    def test_the_algebra_and_the_model_agree(self):
        for model, ids in ("gpt2-tiny", "1,2,3,4,5"), ("gpt2-tiny", "7"), ("gpt2-demo", "27,1,2,3,4,5,6,7"), ("gpt2-prefixed", "1,2"), ("gpt2-f16", "5,4,3"):
            found = self.json("--model", FIXTURES / "models" / model, "--ids", ids)
            self.assertLess(found["difference"], 1e-5)
            self.assertEqual(len(found["next"]), len(ids.split(",")))
        readable = self.output("--model", TINY_GPT2)
        for part in ("Logits:        [Tokens: 5, Vocabulary: ", "Most probable:", "Difference:"):
            self.assertIn(part, readable)

    def test_usage_and_errors(self):
        self.check_common("--model", TINY_GPT2)
        self.check_models()
        self.check_error(1, "expected 0 to", "--model", TINY_GPT2, "--ids", "100000")


class AttentionByHand(ExampleTest):
    program = "attention_by_hand"

    def test_the_algebra_and_the_fused_operation_agree(self):
        for tokens in "1", "33", "128":
            found = self.json("--tokens", tokens, "--seed", tokens)
            self.assertEqual(found["tokens"], int(tokens))
            self.assertLess(found["difference"], 1e-6)
        readable = self.output("--tokens", "5")
        for part in ("By hand:", "[5, 12, 64]", "[5, 768]", "Difference:"):
            self.assertIn(part, readable)

    def test_usage(self):
        self.check_common()
        self.check_error(1, "found no element, expected at least one", "--tokens", "0")


class Vit(ExampleTest):
    program = "vit"
    TINY = FIXTURES / "models" / "vit-tiny"

    def test_a_checkpoint_gives_transformers_logits_and_attention(self):
        golden = read_safetensors(self.TINY / "goldens.safetensors")
        heads, tokens = 4, 17
        mean = [sum(golden["attentions.1"][(image * heads + head) * tokens**2 + i] for head in range(heads)) / heads
                for image in range(2) for i in range(tokens**2)]
        for threads in "12":
            found = self.json("--model", self.TINY, "--images", self.TINY / "goldens.safetensors", "--threads", threads)
            self.check_close(sum(found["logits"], []), golden["logits"], 2e-5)
            self.check_close([number for image in found["attention"] for row in image for number in row], mean, 1e-6)

    def test_random_weights_are_their_seeds(self):
        found = self.json()
        self.assertEqual(len(found["logits"]), 1)
        self.assertEqual(self.json("--threads", "1"), found)
        self.assertNotEqual(self.json("--seed", "1")["logits"], found["logits"])
        readable = self.output()
        for part in (f"{found['parameters']} parameters", "image 0, logits:"):
            self.assertIn(part, readable)

    def test_usage(self):
        self.check_common()
        self.check_error(1, "nowhere", "--model", "nowhere")
        self.check_error(1, "nowhere", "--images", "nowhere")
        self.check_error(1, "tests/fixtures/models/vit-tiny/model.safetensors: expected a tensor \"images\"", "--images", self.TINY / "model.safetensors")
        self.check_error(1, "not fit this vision transformer", "--model", FIXTURES / "models" / "bert-tiny")


class OwnCheckpoint(ExampleTest):
    program = "own_checkpoint"

    def test_a_directory_of_its_shape_runs_and_others_are_refused_by_name(self):
        golden = read_safetensors(FIXTURES / "models" / "minilm" / "goldens.safetensors")
        text = json.loads((FIXTURES / "models" / "minilm" / "sentences.json").read_text())[2]
        found = self.json("--model", MINILM, text)
        self.check_close(sum(found["hidden_states"], []), golden["sentence2.last_hidden_state"], 1e-4)
        self.assertIn("22713216", self.output("--model", MINILM))
        self.check_error(1, "found hidden size 40 instead of 384, heads 5 instead of 12", "--model", TINY_BERT)
        self.check_error(1, "GPT-2", "--model", TINY_GPT2)

    def test_usage_and_models(self):
        self.check_common("--model", MINILM)
        self.check_models()


if __name__ == "__main__":
    tests = [test for test in ExampleTest.__subclasses__() + Cell.__subclasses__() if test.program]
    chosen = [test for test in tests if not sys.argv[4:] or test.program.split()[0] in sys.argv[4:]]
    if not chosen:
        sys.exit(f"{sys.argv[4:]}: an example without tests")
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(test) for test in chosen)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(not (result.wasSuccessful() and result.testsRun))
