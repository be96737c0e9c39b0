"""How two sides and more are measured: alternately, A B C C B A, many rounds.

All sides live as processes from beginning to end and take turns; who waits is stopped, so that nobody's threads spin meanwhile. Each visit runs the work some
times, as often with every side. Of a round counts the least time of each side, and the ratio of the peer's to ours. The machine's limit is measured before
and after each round; rounds in which it fell by more than the tolerance below the best are dropped: a neighbour was at work. What is said is the median of the
ratios, with an interval that holds it with a probability of 95 % (bootstrap).
"""
import contextlib
import json
import math
import os
import pathlib
import random
import signal
import statistics
import subprocess
import threading
import time

PATIENCE = 900  # seconds for an answer, after which a side is given up
LEAST_ROUNDS = 5  # where fewer were steady, all are counted, and it is said
ROUNDS_OF_INTERVAL = 6  # with fewer, what resampling gives is the least and the greatest value, not an interval


class SideFailed(Exception):
    """A side ended, or answered with an error."""


class Side:
    """A process that reads requests and answers with lines of JSON, as bench/respond.cpp does."""

    def __init__(self, name, command, environment=None, directory=None, log=subprocess.DEVNULL):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=directory,
                                        env=os.environ | (environment or {}))
        self.expect("ready")

    @contextlib.contextmanager
    def killed_after(self, seconds):
        """Ends the process where what is done in it takes longer; the event that it yields is set then."""
        late = threading.Event()
        watchdog = threading.Timer(seconds, lambda: (late.set(), self.process.kill()))
        watchdog.start()
        try:
            yield late
        finally:
            watchdog.cancel()

    def answer(self):
        with self.killed_after(PATIENCE) as late:
            line = self.process.stdout.readline()
        if not line:
            raise SideFailed(f"{self.name} did not answer in {PATIENCE} s" if late.is_set() else f"{self.name} ended")
        try:
            value = json.loads(line)
        except ValueError:
            raise SideFailed(f"{self.name}: found {line.strip()[:160]!r}, expected JSON") from None
        if isinstance(value, dict):
            raise SideFailed(f"{self.name}: {value['error']}")
        return value

    def expect(self, wanted):
        try:
            if (found := self.answer()) != wanted:
                raise SideFailed(f"{self.name}: found {found!r}, expected {wanted!r}")
        except SideFailed:
            self.end()
            raise

    def ask(self, *words):
        try:
            print(*words, file=self.process.stdin, flush=True)
        except OSError:
            raise SideFailed(f"{self.name} ended") from None
        return self.answer()

    def run(self, work, repetitions):
        """Seconds of each repetition; of a limit 1e9 operations or bytes a second."""
        return [value * 1e-9 for value in self.ask("run", work, repetitions)]

    def limit(self, name):
        return max(self.run(f"limit/{name}", 5))

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        """@return The most memory that it had, in bytes: of the program alone, where a parent's counts in what wait4 says."""
        memory = self.most_memory()
        self.resume()
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:  # it ended before it had read all
                pass
        with self.killed_after(10):
            self.process.wait()
        return memory

    def most_memory(self):
        try:
            lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def visit(side, work, repetitions):
    side.resume()
    try:
        return side.run(work, repetitions)
    finally:
        side.pause()


def measure(ours, peers, work, limit, rounds, seconds, budget=math.inf, repetitions=None, each_round=lambda index: None):
    """Rounds of one work: as many as are asked for, or fewer, but three, where they take longer than the budget, in seconds. The sides are paused before
    and after. With a number of repetitions those are texts of different lengths, and the mean of a visit counts instead of the least.

    @return {"limits": [[before, after], …], "times": {side: [least of a round, …]}, "all": {side: [[every repetition of a round], …]},
             "failed": {side: why}}, times in seconds.
    """
    once, failed = {}, {}
    for side in [ours, *peers]:
        try:
            once[side] = min(visit(side, work, 1))
            if once[side] < 1:  # what takes longer is warm enough
                once[side] = min(visit(side, work, 1))
        except SideFailed as failure:
            failed[side.name] = str(failure)
            if side is ours:
                raise
    sides = [side for side in [ours, *peers] if side in once]
    of_visit = statistics.mean if repetitions else min
    repetitions = repetitions or max(1, round(seconds / statistics.median(once.values())))
    limits, least, every = [], {side.name: [] for side in sides}, {side.name: [] for side in sides}

    def limit_now():
        ours.resume()
        try:
            return ours.limit(limit)
        finally:
            ours.pause()

    began = time.monotonic()
    for index in range(rounds if len(sides) > 1 or not peers else 0):
        if index >= 3 and time.monotonic() - began > budget:
            break
        before = limit_now()
        taken = {side: [] for side in sides}
        order = sides if index % 2 == 0 else sides[::-1]
        for side in order + order[::-1]:
            taken[side].append(visit(side, work, repetitions))
        limits.append([before, limit_now()])
        for side in sides:
            least[side.name].append(min(map(of_visit, taken[side])))
            every[side.name].append([value for one in taken[side] for value in one])
        each_round(index)
    return {"limits": limits, "times": least, "all": every, "failed": failed}


def steady_rounds(limits, tolerance=0.05):
    """Which rounds count: those in which the limit held; all, where too few did. @return (indices, whether they held)."""
    if not limits:
        return [], False
    best = max(max(pair) for pair in limits)
    held = [i for i, pair in enumerate(limits) if min(pair) >= (1 - tolerance) * best]
    return (held, True) if len(held) >= LEAST_ROUNDS else (list(range(len(limits))), False)


def interval(values, draws=2000, seed=0):
    """Where the median lies with a probability of 95 %, by resampling."""
    source = random.Random(seed)
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def percentile(values, share):
    """Of the sorted values the one below which that share lies, by the nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def compared(own, their):
    """The median of the ratios their / own, above 1 where ours is faster, and its interval."""
    ratios = [there / here for here, there in zip(own, their)]
    low, high = interval(ratios)
    return {"ratio": statistics.median(ratios), "low": low, "high": high}
