"""Measures works, one after another, and keeps what came out in a file, so that it can go on after being stopped."""
import array
import datetime
import hashlib
import json
import math
import subprocess
import sys
import time

import building
import protocol
import report
import setting_up
import works

# model: numbers in a row of its result, of which cosines are taken.
WIDTHS = {"bert_base": 768, "mpnet": 768, "minilm": 384, "e5": 384, "gpt2": 50257, "smollm2": 49152}


def floats_of(file):
    values = array.array("f")
    values.frombytes(file.read_bytes())
    return values


def errors(width, found, reference):
    """How far a result is from the reference: the least cosine of its rows, and the greatest error beside the greatest number. The reference may have more
    rows. Raises ValueError for what is no result: other than whole rows, or not finite."""
    if not found or len(found) % width or len(found) > len(reference):
        raise ValueError(f"its result has {len(found)} numbers, expected rows of {width}, at most {len(reference)} numbers")
    if not all(map(math.isfinite, found)):
        raise ValueError("its result is not finite")
    cosine, difference, greatest = 1.0, 0.0, 0.0
    for first in range(0, len(found), width):
        row, expected = found[first:first + width], reference[first:first + width]
        both, one, other = (sum(a * b for a, b in zip(*pair)) for pair in ((row, expected), (row, row), (expected, expected)))
        cosine = min(cosine, both / math.sqrt(max(one * other, 1e-300)))
        difference = max(difference, *(abs(a - b) for a, b in zip(row, expected)))
        greatest = max(greatest, *map(abs, expected))
    return {"cosine": cosine, "error": difference / max(greatest, 1e-300)}


def equal_share(found, ours):
    """What share of the tokens is ours; those that one side has more count as unequal."""
    return sum(a == b for a, b in zip(found, ours)) / max(len(found), len(ours), 1)


def merged(old, new):
    """Rounds of both, where the sides are the same; what is no round is the new one's. Where they are not, the one with more sides, or rounds."""
    if old is None or set(old["times"]) != set(new["times"]):
        return max((record for record in (new, old) if record), key=lambda record: (len(record["times"]), len(record["limits"])))
    times = {side: old["times"][side] + values for side, values in new["times"].items()}
    return new | {"limits": old["limits"] + new["limits"], "times": times, "spent": old["spent"] + new["spent"]}


class Comparison:
    def __init__(self, options, set_up, respond):
        self.options, self.set_up, self.respond = options, set_up, respond
        self.file = options.folder / "results.json"
        self.results = json.loads(self.file.read_text()) if self.file.exists() else {"works": {}}
        self.signature = hashlib.sha256(respond.read_bytes() + json.dumps([options.threads, options.seconds]).encode()).hexdigest()[:16]
        self.sides, self.said = {}, set()

    def side(self, name):
        if name not in self.sides:
            if name == "axiform":
                command, environment, directory = [str(self.respond), str(self.options.threads), str(self.set_up.models)], {}, None
            else:
                command, environment, directory = self.set_up.command(name, self.options.threads)
            with open(self.options.folder / "peers.log", "a") as log:
                try:
                    self.sides[name] = protocol.Side(name, command, environment, directory, log)
                except OSError:
                    raise protocol.SideFailed(f"{name} was not set up") from None
            self.sides[name].pause()
        return self.sides[name]

    def end(self, name=None):
        for one in [name] if name else list(self.sides):
            self.sides.pop(one).end()

    def peers_of(self, work):
        return self.options.peers.split(",") if self.options.peers else list(work.peers)

    def result(self, side, work):
        file = self.options.folder / "result"
        side.resume()
        try:
            side.ask("result", work, file)
        finally:
            side.pause()
        return floats_of(file)

    def agreement(self, work, sides):
        """Of each side: beside the reference; of tokens, what share is ours."""
        reference = self.set_up.models / f"{work.model}.reference"
        found, answer = {}, {}
        for side in sides:
            try:
                found[side.name] = self.result(side, work.name)
            except protocol.SideFailed as failure:
                print(f"    {failure}", flush=True)
        for name, values in found.items():
            if reference.exists() and work.model in WIDTHS:
                try:
                    answer[name] = errors(WIDTHS[work.model], values, floats_of(reference))
                except ValueError as error:
                    answer[name] = {"wrong": str(error)}
                    print(f"    {name}: {error}", flush=True)
            elif work.model in ("tokenizer", "marian") and name != "axiform" and len(values):
                answer[name] = {"equal": equal_share(values, found.get("axiform", []))}
        return answer

    def sides_for(self, work, failed):
        sides = []
        for name in self.peers_of(work):
            try:
                sides.append(self.side(name))
            except protocol.SideFailed as failure:
                failed[name] = str(failure)
        return sides

    def measure(self, work):
        failed = {}
        threads = 1 if work.model == "tokenizer" else self.options.threads
        ours, peers = self.side("axiform"), self.sides_for(work, failed)
        limit = works.limit(work)[0] or "fma"
        repetitions = 64 if work.parts[-1] == "one" else None
        rounds = self.options.rounds - len((self.kept(work) or {"limits": []})["limits"])
        found = protocol.measure(ours, peers, work.name, limit, rounds, self.options.seconds,
                                 self.options.budget, repetitions, lambda index: self.progress(work, index))
        record = {"limit": limit, "limits": found["limits"], "times": found["times"], "failed": failed | found["failed"], "threads": threads}
        kept, _ = protocol.steady_rounds(found["limits"])
        if work.parts[-1] == "one" and work.model != "start":
            pooled = {name: [value for i in kept for value in every[i]] for name, every in found["all"].items()}
            record["percentiles"] = {name: {share: protocol.percentile(values, share / 100) for share in (50, 90, 99)}
                                     for name, values in pooled.items() if values}
        record["agreement"] = self.agreement(work, [side for side in [ours, *peers] if side.name in found["times"]])
        return record

    def start(self, work):
        """Processes from their beginnings to their first results: seconds, and the most memory that they had."""
        first = works.first_work(work.name)
        times, memory, failed, limits = {}, {}, {}, []
        names = ["axiform", *self.peers_of(work)]

        def once(name):
            began = time.perf_counter()
            side = self.side(name)
            try:
                self.result(side, first)
                return time.perf_counter() - began
            finally:
                memory[name] = max(memory.get(name, 0), self.sides.pop(name).end())

        self.end()
        for name in list(names):
            try:
                once(name)  # its files are in memory from now on
            except protocol.SideFailed as failure:
                failed[name] = str(failure)
                names.remove(name)
        rounds, began = min(self.options.rounds, 10), time.monotonic()
        for index in range(rounds):
            if index >= 3 and time.monotonic() - began > self.options.budget:
                break
            taken = {name: [] for name in names}
            order = names if index % 2 == 0 else names[::-1]
            for name in order + order[::-1]:
                taken[name].append(once(name))
            for name in names:
                times.setdefault(name, []).append(min(taken[name]))
            limits.append([1.0, 1.0])
            self.progress(work, index, rounds)
        return {"limit": None, "limits": limits, "times": times, "failed": failed, "memory": memory, "threads": self.options.threads}

    def progress(self, work, index, rounds=None):
        if sys.stdout.isatty():
            print(f"\r  {work.name} {index + 1}/{rounds or self.options.rounds}", end="", flush=True)

    def save(self):
        self.results |= {"machine": setting_up.machine(), "date": datetime.date.today().isoformat(), "versions": self.set_up.versions()}
        partial = self.file.with_suffix(".partial")
        partial.write_text(report.as_json(self.results))
        partial.replace(self.file)

    def kept(self, work):
        """What was measured before with this program and these options, which further rounds are added to; None where there is nothing."""
        record = self.results["works"].get(work.name)
        fits = record and not self.options.again and record["signature"] == self.signature
        tried = set(record["times"]) | {name for name, why in record["failed"].items() if "not set up" not in why} if fits else set()
        return record if fits and tried >= set(self.peers_of(work)) else None

    def is_done(self, work):
        if work.model == "build":
            return self.results.get("build", {}).get("signature") == self.signature and not self.options.again
        record = self.kept(work)
        return record is not None and (len(record["limits"]) >= self.options.rounds or record["spent"] >= self.options.budget)

    def all(self, wanted):
        group = None
        for number, work in enumerate(wanted):
            if self.is_done(work):
                print(f"[{number + 1}/{len(wanted)}] {work.name}: was measured", flush=True)
                continue
            if (work.model, work.format) != group:
                self.end()  # the models of one group at a time are in memory
                group = (work.model, work.format)
            print(f"[{number + 1}/{len(wanted)}] {work.name}", flush=True)
            if work.model == "build":
                self.results["build"] = report.rounded(building.measure() | {"signature": self.signature})
                self.save()
                continue
            began = time.monotonic()
            try:
                record = self.start(work) if work.model == "start" else self.measure(work)
            except protocol.SideFailed as failure:
                print(f"  not measured: {failure}", flush=True)
                self.end()
                continue
            if not record["limits"]:
                print(f"  not measured: {'; '.join(record['failed'].values())}", flush=True)
                continue
            for name, why in record["failed"].items():
                if why not in self.said:
                    self.said.add(why)
                    print(f"  {name} cannot: {why}", flush=True)
                if name in self.sides:
                    self.end(name)
            record |= {"signature": self.signature, "spent": time.monotonic() - began, "revision": revision(),
                       "date": datetime.datetime.now().isoformat(timespec="minutes")}
            self.results["works"][work.name] = report.rounded(merged(self.kept(work), record))
            self.results["command"] = " ".join(["bench/compare/run", *sys.argv[1:]])
            self.save()
            print("\r" + report.line(work, self.results["works"][work.name]), flush=True)


def revision():
    """Of what is measured: the commit that changed it last, and whether it has changed since."""
    sources = ("include", "bench/respond", "bench/respond.cpp", "bench/limits.hpp", "bench/inputs.hpp")
    git = lambda *words: subprocess.run(["git", *words, "--", *sources], capture_output=True, text=True, cwd=setting_up.REPOSITORY).stdout.strip()
    return (git("log", "-1", "--format=%h") or "unknown") + ("-dirty" if git("status", "--porcelain") else "")
