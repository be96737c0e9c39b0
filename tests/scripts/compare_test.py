"""bench/compare: its statistics, errors, tables and plots on numbers that are known, and its protocol with sides that are small scripts."""
import contextlib
import io
import math
import pathlib
import random
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/compare"))
sys.dont_write_bytecode = True

import comparison
import plots
import protocol
import report
import setting_up
import works

SIDE = """
import json, sys
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    request, work, count = line.split()
    open(sys.argv[1], "a").write(f"{sys.argv[2]} {work}\\n")
    if work == sys.argv[3]:
        print(json.dumps({"error": "not this one"}), flush=True)
    else:
        print(json.dumps([float(sys.argv[2]) * 1e9] * int(count)), flush=True)
"""


class Statistics(unittest.TestCase):
    def test_the_interval_holds_the_median_as_often_as_it_says(self):
        source = random.Random(1)
        held = 0
        for trial in range(200):
            low, high = protocol.interval([source.gauss(3, 1) for _ in range(25)], draws=400, seed=trial)
            held += low <= 3 <= high
        self.assertGreaterEqual(held, 180)
        self.assertLess(held, 200)

    def test_the_interval_of_equal_values_is_that_value(self):
        self.assertEqual(protocol.interval([2.0] * 7), (2.0, 2.0))

    def test_ratios_are_taken_round_by_round(self):
        found = protocol.compared([1.0, 2.0, 4.0], [2.0, 4.0, 8.0])
        self.assertEqual((found["ratio"], found["low"], found["high"]), (2.0, 2.0, 2.0))

    def test_percentiles_are_those_of_the_nearest_rank(self):
        values = [float(value) for value in range(100, 0, -1)]
        self.assertEqual([protocol.percentile(values, share) for share in (0.5, 0.9, 0.99, 1)], [50, 90, 99, 100])
        self.assertEqual(protocol.percentile([7.0], 0.5), 7.0)

    def test_rounds_in_which_the_limit_fell_do_not_count(self):
        limits = [[100, 99], [100, 90], [96, 98], [97, 97], [70, 100], [100, 100], [99, 99]]
        self.assertEqual(protocol.steady_rounds(limits), ([0, 2, 3, 5, 6], True))

    def test_where_too_few_rounds_held_all_count_and_it_is_said(self):
        self.assertEqual(protocol.steady_rounds([[100, 50]] * 6), (list(range(6)), False))
        self.assertEqual(protocol.steady_rounds([]), ([], False))


class Errors(unittest.TestCase):
    def test_the_least_cosine_and_the_greatest_error_count(self):
        found = comparison.errors(2, [1, 0, 3, 4], [1, 0, 4, 3])
        self.assertAlmostEqual(found["cosine"], 24 / 25)
        self.assertAlmostEqual(found["error"], 1 / 4)
        self.assertEqual(comparison.errors(2, [1, 0], [1, 0, 9, 9]), {"cosine": 1.0, "error": 0.0})

    def test_what_is_no_result_is_no_perfect_one(self):
        for found in ([math.nan, 0], [math.inf, 0], [], [1], [1, 0, 1, 0, 1, 0]):
            with self.assertRaises(ValueError):
                comparison.errors(2, found, [1, 0, 1, 0])

    def test_tokens_that_one_side_has_more_are_unequal(self):
        self.assertEqual(comparison.equal_share([1, 2, 3, 4], [1, 2, 5, 4]), 0.75)
        self.assertEqual(comparison.equal_share([1, 2], [1, 2, 3, 4]), 0.5)


class Resuming(unittest.TestCase):
    def test_further_rounds_are_added_where_the_sides_are_the_same(self):
        old = {"limits": [[1, 1]], "times": {"axiform": [1], "b": [2]}, "spent": 3, "agreement": "old"}
        new = {"limits": [[2, 2]], "times": {"axiform": [4], "b": [5]}, "spent": 6, "agreement": "new"}
        self.assertEqual(comparison.merged(old, new), {"limits": [[1, 1], [2, 2]], "times": {"axiform": [1, 4], "b": [2, 5]}, "spent": 9,
                                                       "agreement": "new"})
        self.assertEqual(comparison.merged(None, new), new)
        self.assertEqual(comparison.merged(old | {"times": {"axiform": [1]}}, new), new)
        self.assertEqual(comparison.merged(old, new | {"times": {"axiform": [4]}}), old)


class Protocol(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = pathlib.Path(folder.name) / "log"
        self.log.touch()

    def side(self, name, seconds, refused="none"):
        side = protocol.Side(name, [sys.executable, "-c", SIDE, str(self.log), str(seconds), refused])
        self.addCleanup(side.end)
        side.pause()
        return side

    def test_sides_take_turns_forwards_and_backwards(self):
        sides = [self.side("a", 1), self.side("b", 2), self.side("c", 3)]
        found = protocol.measure(sides[0], sides[1:], "work", "fma", 2, 0.1)
        self.assertEqual(found["times"], {"a": [1, 1], "b": [2, 2], "c": [3, 3]})
        self.assertEqual(found["limits"], [[1, 1], [1, 1]])
        # Each is asked once before, as it takes a second and more.
        visits = [line.split()[0] for line in self.log.read_text().splitlines() if line.endswith("work")]
        self.assertEqual("".join(visits[3:]).replace("1", "a").replace("2", "b").replace("3", "c"), "abccba" + "cbaabc")

    def test_a_work_that_takes_longer_than_its_budget_has_three_rounds(self):
        found = protocol.measure(self.side("a", 1), [self.side("b", 2)], "work", "fma", 9, 0.1, budget=0)
        self.assertEqual(found["times"]["b"], [2, 2, 2])

    def test_a_peer_that_cannot_is_said_and_the_others_go_on(self):
        ours, good, bad = self.side("a", 1), self.side("b", 2), self.side("c", 3, "work")
        found = protocol.measure(ours, [good, bad], "work", "fma", 1, 0.1)
        self.assertEqual(found["failed"], {"c": "c: not this one"})
        self.assertEqual(set(found["times"]), {"a", "b"})

    def test_a_side_that_has_ended_says_what_memory_it_had(self):
        side = protocol.Side("a", [sys.executable, "-c", SIDE, str(self.log), "1", "none"])
        side.pause()
        memory = side.end()
        self.assertGreater(memory, 2**20)
        self.assertLess(memory, 2**30)
        self.assertEqual(side.process.returncode, 0)

    def test_what_is_no_json_is_a_failure(self):
        with self.assertRaisesRegex(protocol.SideFailed, "expected JSON"):
            protocol.Side("odd", [sys.executable, "-c", "print('Error')"])

    def test_texts_of_different_lengths_count_by_their_mean(self):
        script = SIDE.replace("[float(sys.argv[2]) * 1e9] * int(count)", "[1e9, 3e9]")
        sides = []
        for name in "ab":
            sides.append(protocol.Side(name, [sys.executable, "-c", script, str(self.log), "1", "none"]))
            self.addCleanup(sides[-1].end)
            sides[-1].pause()
        self.assertEqual(protocol.measure(sides[0], sides[1:], "work", "fma", 1, 0.1, repetitions=2)["times"], {"a": [2], "b": [2]})

    def test_a_side_that_does_not_answer_is_given_up(self):
        with unittest.mock.patch.object(protocol, "PATIENCE", 0.5):
            with self.assertRaisesRegex(protocol.SideFailed, "sleeper did not answer in 0.5 s"):
                protocol.Side("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])

    def test_a_program_that_ends_at_once_fails(self):
        with self.assertRaises(protocol.SideFailed):
            protocol.Side("gone", [sys.executable, "-c", ""])


class SettingUp(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def steps(self, *steps):
        """Whether each is there; each writes its name to a file, and fails where it is to."""
        set_up = setting_up.SetUp(self.folder)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            there = [set_up.step(name, stamp, set_up.call("sh", "-c", f"echo {name} >> {self.folder}/done; {end}")) for name, stamp, end in steps]
        self.said = said.getvalue()
        return there

    def test_a_step_is_done_once_and_again_when_what_is_asked_for_changes(self):
        for stamp in ("1", "1", "2"):
            self.assertEqual(self.steps(("a", stamp, "true")), [True])
        self.assertEqual((self.folder / "done").read_text(), "a\na\n")

    def test_what_fails_is_said_tried_again_and_the_others_go_on(self):
        self.assertEqual(self.steps(("a", "1", "false"), ("b", "1", "true")), [False, True])
        self.assertIn("a cannot be had", self.said)
        self.assertEqual(self.steps(("a", "1", "true"), ("b", "1", "false")), [True, True])
        self.assertEqual((self.folder / "done").read_text(), "a\nb\na\n")

    def test_every_version_is_exact(self):
        for file in ("requirements.txt", "requirements-native.txt"):
            for line in setting_up.requirements(file):
                self.assertRegex(line, r"^[A-Za-z0-9_.-]+==[0-9][0-9.]*$")
        packages = {line.split("==")[0] for file in ("requirements.txt", "requirements-native.txt") for line in setting_up.requirements(file)}
        self.assertEqual({setting_up.PACKAGES[peer] for peer in setting_up.MODULES} - packages, set())

    def test_every_peer_of_a_work_has_a_module_or_a_program(self):
        peers = {peer for work in works.every_work() for peer in work.peers}
        self.assertEqual(peers - set(setting_up.MODULES) - set(setting_up.RUST), set())
        for module in setting_up.MODULES.values():
            self.assertTrue((ROOT / f"bench/compare/peers/{module}.py").exists(), module)


class Works(unittest.TestCase):
    def test_names_are_different_and_have_titles(self):
        every = works.every_work()
        self.assertEqual(len({work.name for work in every}), len(every))
        self.assertEqual({work.model for work in every} - set(report.TITLES), set())
        self.assertEqual(works.QUICK - {work.name for work in every}, set())
        self.assertEqual(set(plots.HEADLINES) - {work.name for work in every}, set())

    def test_operations_and_bytes_are_those_of_the_models(self):
        self.assertEqual(works.limit(works.Work("bert_base/f32/1x128")), ("fma", 128 * 12 * (2 * 7077888 + 4 * 128 * 768)))
        kind, amount = works.limit(works.Work("gpt2/f32/decode/16"))
        self.assertEqual(kind, "read")
        # 124 million weights of 4 bytes but for the positions' table, 16 times, and the keys and values of 17 to 32 tokens.
        self.assertAlmostEqual(amount, 16 * 4 * (12 * 7077888 + 50257 * 768) + 392 * 12 * 2 * 768 * 4)
        self.assertLess(works.limit(works.Work("gpt2/q8_0/decode/16"))[1], amount / 3)


def results():
    record = lambda ours, theirs, **more: {"limit": "fma", "limits": [[200.0, 200.0]] * 6, "threads": 2, "failed": {}, "revision": "abc",
                                           "times": {"axiform": ours, "openvino": theirs}} | more
    return {"date": "2026-01-02", "versions": {"openvino": "1.2"}, "command": "bench/compare/run",
            "machine": {"processor": "P", "family": "1.2", "instructions": ["avx2"], "cores": 2, "memory GiB": 8, "compiler": "c++"},
            "works": {"bert_base/f32/1x16": record([0.016] * 6, [0.024] * 6, agreement={"axiform": {"cosine": 0.99999, "error": 1e-5}}),
                      "bert_base/bf16/1x16": record([0.016] * 6, [0.012] * 6, failed={"pytorch": "no <bf16>"})}}


class Report(unittest.TestCase):
    def test_a_row_says_time_share_ratio_and_a_loss_is_bold_and_listed(self):
        text = report.markdown(results())
        self.assertIn("| f32/1x16 | 16 ms | 1000 |", text)
        self.assertIn("24 ms, 1.50 [1.50, 1.50]", text)
        self.assertIn("12 ms, **0.75** [0.75, 0.75]", text)
        self.assertIn("Where a peer is faster: bert_base/bf16/1x16 OpenVINO 0.75.", text)
        self.assertIn("PyTorch: no <bf16> (bert_base/bf16)", text)
        share = works.limit(works.Work("bert_base/f32/1x16"))[1] / 0.016 / 200e9
        self.assertIn(f"{100 * share:.0f} % of fma", text)

    def test_few_rounds_have_a_range_and_no_interval(self):
        found = results()
        for record in found["works"].values():
            record["times"] = {side: values[:3] for side, values in record["times"].items()}
            record["limits"] = record["limits"][:3]
        text = report.markdown(found)
        self.assertIn("24 ms, 1.50 (1.50, 1.50)", text)
        self.assertIn("| 3/3 |", text)

    def test_a_result_far_from_the_reference_is_said(self):
        found = results()
        found["works"]["bert_base/f32/1x16"]["agreement"] = {"openvino": {"cosine": 0.3, "error": 1.0}, "axiform": {"wrong": "not finite"}}
        self.assertIn("bert_base/f32 OpenVINO 0.30; bert_base/f32 Axiform not finite", report.markdown(found))

    def test_the_readme_has_the_fastest_peer(self):
        found = results()
        found["works"]["bert_base/f32/1x16"]["times"]["candle"] = [0.1] * 6
        self.assertIn("| BERT base f32 1x16 | 16 ms | OpenVINO 1.2, 24 ms | 1.50x (1.50 to 1.50) |", report.headlines(found))

    def test_the_part_between_the_marks_is_replaced_and_nothing_else(self):
        once = report.replaced("# Results\n\nBy hand.\n", "one\n")
        self.assertTrue(once.startswith("# Results\n\n" + report.BEGIN + "one\n"))
        self.assertEqual(report.replaced(once, "two\n"), once.replace("one", "two"))
        self.assertTrue(once.endswith("By hand.\n"))

    def test_times_have_three_digits(self):
        self.assertEqual([report.time(value) for value in (2.345, 0.01234, 1.5e-5, 123.4)], ["2.35 s", "12.3 ms", "15 us", "123 s"])

    def test_json_comes_back_as_it_was(self):
        import json
        self.assertEqual(json.loads(report.as_json(results())), results())
        self.assertEqual(report.rounded({"a": [1.234567891, 3]}), {"a": [1.2346, 3]})


class Plots(unittest.TestCase):
    def test_plots_are_svg_with_a_bar_for_each_peer_and_a_loss_in_its_own_colour(self):
        found = plots.all_plots(report.summaries_of(results()))
        self.assertEqual(set(found), {"speed", "speed-bert_base", "limits"})
        for text in found.values():
            root = xml.etree.ElementTree.fromstring(text)
            self.assertIn("prefers-color-scheme: dark", text)
            width, height = float(root.get("width")), float(root.get("height"))
            for bar in root.iter("{http://www.w3.org/2000/svg}rect"):
                self.assertGreaterEqual(float(bar.get("x")), 0)
                self.assertLessEqual(float(bar.get("x")) + float(bar.get("width")), width)
                self.assertLessEqual(float(bar.get("y")) + float(bar.get("height")), height)
        kinds = [bar.get("class") for bar in xml.etree.ElementTree.fromstring(found["speed-bert_base"]).iter("{http://www.w3.org/2000/svg}rect")]
        self.assertEqual(sorted(kinds), ["loss", "win"])

    def test_bars_to_the_left_and_right_are_as_long_as_their_logarithms(self):
        text = plots.speed("t", [("a", "p", 2.0, 2.0, 2.0), ("b", "p", 0.5, 0.5, 0.5)])
        widths = [float(bar.get("width")) for bar in xml.etree.ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}rect")]
        self.assertAlmostEqual(widths[0], widths[1], delta=0.11)


if __name__ == "__main__":
    unittest.main()
