"""Runs `axiform` on those of the fetched models that are here, and compares with what other programs compute (fixtures/scripts/make_real_models.py,
make_real_decoders.py, make_real_classifiers.py, make_real_e5.py).

    python3 real_models_test.py FOLDER_OF_PROGRAMS FIXTURES MODELS

minilm-l6 is what scripts/test fetches; the others are skipped where nobody fetched them. Exit status 77 when none is here.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAMS, FIXTURES, MODELS = (Path(argument).resolve() for argument in sys.argv[1:4])
EXPECTED = {name: value for file in ("real_models.json", "real_decoders.json")
            for name, value in json.loads((FIXTURES / "scripts" / file).read_text(encoding="utf-8")).items()}
CLASSIFIERS = json.loads((FIXTURES / "scripts" / "real_classifiers.json").read_text(encoding="utf-8"))
E5 = json.loads((FIXTURES / "scripts" / "real_e5.json").read_text(encoding="utf-8"))
SMOLLM2 = json.loads((FIXTURES / "scripts" / "smollm2.json").read_text(encoding="utf-8"))  # make_smollm2.py


def is_here(name):
    return (MODELS / name / "config.json").exists() or any((MODELS / name).glob("*.gguf"))


# What transformers says was computed with the floats that SmolLM2's blocks stand for; with the blocks themselves rows are rounded to 8 bits.
AS_FLOATS = ["--weights", "f32"]


class RealModelsTest(unittest.TestCase):
    def need(self, name):
        if not is_here(name):
            self.skipTest(f"scripts/fetch-model {name} fetches it")

    def expected(self, name):
        self.need(name)
        return EXPECTED[name]

    def axiform(self, command, name, *arguments):
        result = subprocess.run([PROGRAMS / "axiform", command, "--json", "--model", MODELS / name, *arguments], capture_output=True, encoding="utf-8")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)

    def check_close(self, found, expected, tolerance):
        self.assertEqual(len(found), len(expected))
        for a, b in zip(found, expected):
            self.assertLess(abs(a - b), tolerance, (found, expected))

    def check_embeddings(self, name):
        expected = self.expected(name)
        found = self.axiform("embed", name, *expected["sentences"])["embeddings"]
        for mine, begin, cosines in zip(found, expected["begin"], expected["cosines"]):
            self.check_close(mine[: len(begin)], begin, 1e-6)  # of float32 programs
            self.check_close([sum(a * b for a, b in zip(mine, other)) for other in found], cosines, 2e-6)

    def test_minilm_embeds_as_sentence_transformers(self):
        self.check_embeddings("minilm-l6")

    def test_bge_embeds_as_onnx_runtime_from_the_file_that_it_was_made_of(self):
        self.check_embeddings("bge-small-en")

    def test_multilingual_e5_embeds_as_sentence_transformers_in_many_scripts(self):
        self.need("multilingual-e5-small")
        for role in "query", "passage":
            cases = [case for case in E5 if case["role"] == role]
            found = self.axiform("embed", "multilingual-e5-small", f"--{role}", "--", *(case["text"] for case in cases))["embeddings"]
            for mine, case in zip(found, cases):
                with self.subTest(case["text"]):
                    self.check_close(mine[: len(case["begin"])], case["begin"], 1e-6)
                    self.assertLess(abs(sum(mine) - case["sum"]), 5e-6)

    def test_the_reranker_scores_as_sentence_transformers_and_nearly_as_onnx_runtime(self):
        expected = self.expected("ms-marco-minilm-reranker")
        self.expected("minilm-l6")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as corpus:
            print(*expected["passages"], sep="\n", file=corpus, flush=True)
            (found,) = self.axiform("search", "minilm-l6", "--corpus", corpus.name, "--rerank", MODELS / "ms-marco-minilm-reranker", expected["question"])
        found = {hit["text"]: hit["score"] for hit in found["hits"]}
        scores = [found[passage] for passage in expected["passages"]]
        self.check_close(scores, expected["scores"], 1e-4)  # of numbers around 10, through 12 layers
        self.check_close(scores, expected["scores_with_activations_in_8_bits"], 0.3)

    def test_the_reranker_scores_many_passages_as_transformers_and_nearly_as_onnx_runtime(self):
        self.need("ms-marco-minilm-reranker")
        self.need("minilm-l6")
        for case in CLASSIFIERS["ms-marco-minilm-reranker"]:
            with self.subTest(case["question"]), tempfile.NamedTemporaryFile("w", suffix=".txt") as corpus:
                print(*case["passages"], sep="\n", file=corpus, flush=True)
                (found,) = self.axiform("search", "minilm-l6", "--corpus", corpus.name, "--rerank", MODELS / "ms-marco-minilm-reranker", "--top-k", "10",
                                        case["question"])
                hits = [hit["text"] for hit in found["hits"]]
                scores = {hit["text"]: hit["score"] for hit in found["hits"]}
                self.check_close([scores[passage] for passage in case["passages"]], case["exact"], 1e-4)
                self.check_close([scores[passage] for passage in case["passages"]], case["rounded"], 0.4)  # 8 bits in 12 layers
                self.assertEqual(hits, [passage for _, passage in sorted(zip(case["rounded"], case["passages"]), reverse=True)])

    def check_many_labels(self, name, rounding):
        """Labels and probabilities of the tokens that have one, against transformers, and against ONNX Runtime as far as it rounds."""
        self.need(name)
        for case in CLASSIFIERS[name]:
            with self.subTest(case["text"]):
                (found,) = self.axiform("classify", name, "--aggregation=none", case["text"])
                chosen = [i for i, (label, _) in enumerate(case["exact"]) if label != "O"]
                for expected, tolerance in ((case["exact"], 2e-6), (case["rounded"], rounding)):
                    self.assertEqual([each["label"] for each in found], [expected[i][0] for i in chosen])
                    self.check_close([each["score"] for each in found], [expected[i][1] for i in chosen], tolerance)

    def test_rampart_labels_tokens_of_many_texts_as_transformers_and_onnx_runtime(self):
        self.check_many_labels("rampart-pii", 2e-6)  # its 4 bits are multiplied as floats

    def test_quire_labels_tokens_of_many_texts_as_transformers_and_nearly_as_onnx_runtime(self):
        self.check_many_labels("quire-grammar", 0.07)

    def check_labels(self, name):
        """Returns the labels of the tokens that have one."""
        expected = self.expected(name)
        (found,) = self.axiform("classify", name, "--aggregation=none", expected["text"])
        labelled = [entry for entry in expected["labels"] if entry[0] != "O"]
        self.assertEqual([each["label"] for each in found], [label for label, _ in labelled])
        self.check_close([each["score"] for each in found], [score for _, score in labelled], 2e-6)
        return [label for label, _ in labelled]

    def test_rampart_labels_tokens_as_onnx_runtime_from_the_file_that_it_was_made_of(self):
        self.check_labels("rampart-pii")

    def test_quire_labels_tokens_as_transformers_and_onnx_runtime(self):
        self.assertEqual(self.check_labels("quire-grammar"), EXPECTED["quire-grammar"]["labels_with_activations_in_8_bits"])

    def test_bert_fills_masks_as_transformers(self):
        for case in self.expected("bert-base-uncased")["masked"]:
            (found,) = self.axiform("fill-mask", "bert-base-uncased", case["text"])[0]
            self.assertEqual([each["token_str"] for each in found], [word for word, _ in case["words"]])
            self.check_close([each["score"] for each in found], [score for _, score in case["words"]], 1e-5)

    def test_bert_attends_as_the_notebook_printed_it(self):
        expected = self.expected("bert-base-uncased")
        found = self.axiform("attention", "bert-base-uncased", "--layer=-1", "--head=mean", expected["text"])["attention"]
        for mine, printed in zip(found, expected["printed_attention"]):
            self.check_close(mine, printed, 0.0005 + 1e-5)  # three decimals

    def test_smollm2_continues_as_transformers_from_the_same_blocks(self):
        expected = self.expected("smollm2-135m-instruct")
        (found,) = self.axiform("generate", "smollm2-135m-instruct", *AS_FLOATS, "--logits", expected["prompt"])
        self.assertEqual(found["ids"], expected["ids"])
        self.check_close(found["logits"][:: expected["logits_every"]], expected["logits"], 1e-4)  # of numbers around 10, through 30 layers
        for more in [], ["--prompt-lookup=8"]:
            (found,) = self.axiform("generate", "smollm2-135m-instruct", *AS_FLOATS, "--greedy", f"--max-new-tokens={len(expected['new_ids'])}", *more, expected["prompt"])
            self.assertEqual(found["ids"], expected["ids"] + expected["new_ids"])

    def test_smollm2_answers_what_the_pages_show_as_transformers(self):
        for conversation in self.expected("smollm2-135m-instruct")["conversations"]:
            result = subprocess.run([PROGRAMS / "axiform", "chat", "--greedy", *AS_FLOATS, "--model", MODELS / "smollm2-135m-instruct"],
                                    input="".join(line + "\n" for line in conversation["questions"]), capture_output=True, encoding="utf-8")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(result.stdout, "".join(line + "\n" for line in conversation["answers"]))

    def test_smollm2_goes_on_with_many_prompts_as_transformers(self):
        self.expected("smollm2-135m-instruct")
        for case in SMOLLM2["prompts"]:
            if not case["new_ids"]:
                continue
            with self.subTest(case["text"]):
                (found,) = self.axiform("generate", "smollm2-135m-instruct", *AS_FLOATS, "--greedy", "--max-new-tokens", str(len(case["new_ids"])), "--", case["text"])
                self.assertEqual(found["ids"], case["ids"] + case["new_ids"])

    def test_smollm2_answers_as_transformers(self):
        self.expected("smollm2-135m-instruct")
        for chat in SMOLLM2["chats"]:
            for options in [], ["--prompt-lookup", "8"]:
                with self.subTest(chat["turns"][0]["question"], options=options):
                    system = ["--system", chat["system"]] if chat["system"] else []
                    talk = "".join(turn["question"] + "\n" for turn in chat["turns"])
                    result = subprocess.run([PROGRAMS / "axiform", "chat", "--model", MODELS / "smollm2-135m-instruct", *AS_FLOATS, "--greedy", "--max-new-tokens",
                                             str(SMOLLM2["longest_answer"]), *system, *options], input=talk, capture_output=True, encoding="utf-8")
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    self.assertEqual(result.stdout, "".join(turn["answer"] + "\n" for turn in chat["turns"]))


if __name__ == "__main__":
    if not any(is_here(name) for name in (*EXPECTED, "multilingual-e5-small")):
        print("no model is here: scripts/fetch-model fetches one")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
