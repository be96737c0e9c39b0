"""Runs scripts/verify_notebook on tiny.txt as it is, and with one thing wrong at a time; and scripts/make-notebook on small pages.

    python3 notebook_test.py FOLDER_OF_PROGRAMS FIXTURES
"""

import ast
import importlib.machinery
import importlib.util
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parent.parent / "scripts"
PROGRAMS, MODELS = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve() / "models"
NOTEBOOK = (HERE / "tiny.txt").read_text(encoding="utf-8")
DIRECTORIES = {"--bert": MODELS / "bert-pretraining", "--roberta-squad": MODELS / "roberta-qa", "--gpt2": MODELS / "gpt2-prefixed"}
CHECKED = (66, 67, 73, 76, 60, 79, 81, 88, 97, 100)

# The cell, what is written in it instead of what, and what must be said of it.
WRONG = [
    (66, "False", "True", "found 'False', expected 'True'"),
    (73, " 75,", " 74,", "id 1: found 75, expected 74"),
    (73, ",  3]", "]", "number of ids: found 17, expected 16"),
    (76, "\n[CLS],0.064,", "\n[CLS],0.065,", "row '[CLS]', column '[CLS]': found 0.06"),
    (76, "\n[CLS],0.064,", "\n[CLS],nan,", "expected nan"),
    (76, "\n[CLS],0.064,", "\n[CLS],", "length of row '[CLS]': found 17, expected 16"),
    (76, "\nshe,", "\nhe,", "row: found 'she', expected 'he'"),
    (76, ",..1,", ",.,", "columns: found"),
    (60, "0.09845", "0.09825", "score: found 0.09"),
    (60, "'start': 44", "'start': 43", "start: found 44, expected 43"),
    (60, "'end': 64", "'end': 65", "end: found 64, expected 65"),
    (60, "and the man", "And the man", "answer: found \"and the man"),
    (79, "[{'generated_text': 'the world", "[{'generated_text': 'a world", "'a world"),
    (79, " {'generated_text': 'the worldla", " {'other': 1},\n {'generated_text': 'the worldla", "cannot be read"),
    (76, ",0.031,0.047,", ",0.031,0.047x,", "cannot be read"),
    (81, "Embedding(300, 16)", "Embedding(300, 17)", "'    (wte): Embedding(300, 16)', expected '    (wte): Embedding(300, 17)"),
    (81, "        )\n        (ln_2)", "        (ln_2)", "line 14: found"),
    (81, "Dropout(p=0.\n", "Dropout(p=1.\n", "(resid_dropout): Dropout(p=0.1, inplace=False)'"),
    (88, "\nthe,0.433,", "\nthe,0.431,", "row 'the', column '[CLS]': found 0.43"),
    (88, "attentions[1]", "attentions[0]", "row 'the'"),
    (97, "The man 's w", "The man 's w and it was so fun and", "tokens or more, expected 12"),
    (97, '"}]', '"},\n {"generated_text": "The man \'s"}]', "number of texts printed: found 2, expected 3"),
    (100, "777", "77", "behind the prompt: found '777', expected '77'"),
]


def replaced(cell, old, new):
    """The notebook with the first `old` of a cell's output or code replaced."""
    begin = NOTEBOOK.index(f"In [{cell}]:\n")
    at = NOTEBOOK.index(old, begin)
    following = NOTEBOOK.find("\nIn [", begin)
    assert following < 0 or at < following, f"cell {cell} has no {old!r}"
    return NOTEBOOK[:at] + new + NOTEBOOK[at + len(old) :]


class VerifyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_raw(self, *arguments):
        return subprocess.run([sys.executable, SCRIPTS / "verify_notebook", *arguments], capture_output=True, encoding="utf-8")

    def verify(self, notebook, *more, without=()):
        """The exit status, what is printed, and each cell's result."""
        path = self.folder / "notebook.txt"
        path.write_bytes(notebook.encode("utf-8"))
        directories = [word for name, value in DIRECTORIES.items() if name not in without for word in (name, value)]
        result = self.run_raw(path, *directories, "--programs", PROGRAMS, *more)
        self.assertEqual(result.stderr, "")
        rows = re.findall(r"^ *(\d+)  .{42} (verified|differs|failed|not run|-)", result.stdout, re.MULTILINE)
        return result.returncode, result.stdout, {int(cell): found for cell, found in rows}

    def test_every_cell_agrees_with_what_transformers_printed(self):
        status, printed, results = self.verify(NOTEBOOK)
        self.assertEqual(status, 0, printed)
        self.assertEqual({cell: results[cell] for cell in CHECKED}, dict.fromkeys(CHECKED, "verified"), printed)
        self.assertIn("10 verified, 0 not as printed, 0 not run", printed)

    def test_one_thing_wrong_is_found_and_named(self):
        for cell, old, new, expected in WRONG:
            with self.subTest(cell=cell, old=old, new=new):
                status, printed, results = self.verify(replaced(cell, old, new))
                self.assertEqual((status, results[cell]), (1, "differs"), printed)
                self.assertIn(expected, printed)
                self.assertEqual([cell for cell in CHECKED if results[cell] != "verified"], [cell], printed)

    def test_noise_of_float32_is_no_difference(self):
        status, printed, _ = self.verify(replaced(60, "0.09845", "0.09849"))
        self.assertEqual(status, 0, printed)

    def test_directories_may_be_left_out(self):
        for without, cells in ((["--bert"], [66, 67, 73, 76, 88]), (["--roberta-squad"], [60]), (["--gpt2"], [79, 81, 88, 97, 100]),
                               (["--bert", "--gpt2"], [66, 67, 73, 76, 79, 81, 88, 97, 100])):
            status, printed, results = self.verify(NOTEBOOK, without=without)
            self.assertEqual((status, sorted(cell for cell, found in results.items() if found == "not run")), (0, sorted(cells)), printed)

    def test_a_context_that_is_cut_off_comes_from_a_file(self):
        shown = re.search(r"^google_html\n\n(.*)$", NOTEBOOK, re.MULTILINE)[1]
        context = ast.literal_eval(shown)
        for end in ("It is so fun", "café.\\xa", "café."):  # Within an escape, too.
            cut_off = NOTEBOOK.replace(shown, shown[: shown.index(end) + len(end)])
            status, said, results = self.verify(cut_off)
            self.assertEqual((status, results[60]), (0, "not run"), said)
            self.assertIn("the answer stands at 44", said)

            whole = self.folder / "context.txt"
            whole.write_bytes(context.encode("utf-8"))
            self.assertEqual(self.verify(cut_off, "--context", whole)[2][60], "verified")
            whole.write_text("Another context. " + context, encoding="utf-8")
            status, said, results = self.verify(cut_off, "--context", whole)
            self.assertEqual((status, results[60]), (1, "differs"), said)

    def test_what_a_directory_cannot_do_is_said(self):
        status, printed, results = self.verify(NOTEBOOK, "--gpt2", MODELS / "gpt2-tiny")
        self.assertEqual((status, results[79]), (1, "failed"), printed)
        self.assertIn("gpt2-tiny", printed)

    def test_wrong_usage_has_the_status_2(self):
        tiny = HERE / "tiny.txt"
        bert, programs = ["--bert", MODELS], ["--programs", PROGRAMS]
        for arguments, expected in (([tiny], "--roberta-squad"), ([], "NOTEBOOK"),
                                    ([tiny, *bert, "--programs", HERE], "axiform is not there"),
                                    ([HERE / "no.txt", *bert, *programs], "no.txt"), ([Path(__file__), *bert, *programs], "has no cell")):
            result = self.run_raw(*arguments)
            self.assertEqual((result.returncode, expected in result.stderr), (2, True), result.stderr)

    def test_help_says_what_has_not_been_run(self):
        self.assertIn("What has been run", self.run_raw("--help").stdout)

    def test_labels_tokens_and_trees_are_counted_as_their_makers_do(self):
        loader = importlib.machinery.SourceFileLoader("verify_notebook", str(SCRIPTS / "verify_notebook"))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("verify_notebook", loader))
        sys.dont_write_bytecode = True
        loader.exec_module(module)
        self.assertEqual(module.told_apart([".", "a", ".", ".", "a"]), [".", "a", "..1", "..2", "a.1"])
        self.assertEqual(module.told_apart([".", "..1", "."]), [".", "..1", "..2"])
        self.assertEqual(module.told_apart(["a", "a", "a.1", "a"]), ["a", "a.2", "a.1", "a.3"])
        self.assertEqual(module.fewest_tokens("ab é", dict.fromkeys(["a", "b", "ab", "Ġ", "Ã", "©", "ĠÃ", "xyz"])), 3)
        self.assertEqual(module.compare_trees("A(\n  (b): B()\n)", "A(\n  (b): B()\n)")[1], [])
        self.assertEqual(module.fewest_tokens("ab é", dict.fromkeys(["a", "b", "ab", "Ġ", "Ã", "©", "ĠÃ", "xyz"])), 3)
        self.assertEqual(module.compare_trees("A(\n  (b): B()\n)", "A(\n)")[1][0], "number of lines: found 3, expected 2")


class PageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page = Path(folder.name, "page.md")

    def make(self, text, *arguments):
        self.page.write_text(text, encoding="utf-8")
        command = [sys.executable, SCRIPTS / "make-notebook", "--page", self.page, *arguments]
        result = subprocess.run(command, capture_output=True, encoding="utf-8")
        return result.returncode, result.stdout + result.stderr

    def test_outputs_are_written_and_checked(self):
        page = "# Page\n\n```console\n$ printf '%s\\n' 0.250 \"two  words \"\n{}```\n\n```console\n$ echo \\\\1\n```\n"
        self.assertEqual(self.make(page.format("old\n")), (0, ""))
        made = self.page.read_text(encoding="utf-8")
        self.assertEqual(made, page.format("0.250\ntwo  words\n").replace("1\n```", "1\n\\1\n```"))
        for wrong, status in (("0.250", 0), ("0.251", 0), ("0.252", 1), ("0.25", 1), ("old", 1)):
            found, said = self.make(made.replace("\n0.250", "\n" + wrong), "--check")
            self.assertEqual(found, status, said)
            self.assertIn("is not up to date" if status else "2 of 2", said)

    def test_what_needs_a_model_that_is_not_here_is_left_as_it_is(self):
        page = "```console\n$ ls models/no-such-model\nold\n```\n\n```console\n$ echo new\n{}\n```\n"
        status, said = self.make(page.format("new"), "--check")
        self.assertEqual(status, 0)
        self.assertEqual(said, "1 of 2 outputs are not looked at, for want of models: scripts/fetch-model no-such-model\n1 of 1 outputs are as they are printed\n")
        self.assertEqual(self.make(page.format("old"))[0], 0)
        self.assertEqual(self.page.read_text(encoding="utf-8"), page.format("new"))

    def test_a_command_that_fails_and_a_block_without_one_are_errors(self):
        for block, expected in (("$ ls /nowhere\n", "No such file"), ("$ exit 3\n", "exit status 3"), ("no command\n", "of the form")):
            status, said = self.make(f"```console\n{block}```\n")
            self.assertEqual(status, 1)
            self.assertIn(expected, said)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
