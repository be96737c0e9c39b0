#!/usr/bin/env python3
"""Axiform against a peer on the same machine, alternately: A B B A, many rounds.

    compare.py --respond build/release/bench/respond --models FOLDER --minilm DIRECTORY --python PYTHON PEER WORK...

PEER is a name of peer.py's, or the path of another build of `respond`: so a change is compared with what was before it.
Both sides live as processes from beginning to end and take turns; each visit runs the work some times. Of a round counts the least time of
each side, and the ratio of the two. The machine's limit is measured before and after each round; rounds in which it fell by more than the
tolerance below the best are dropped: a neighbour was at work. Printed are the median of the ratios, an interval that holds it with a
probability of 95 % (bootstrap), and the median share of the limit; and of marian/... what share of the tokens both write alike, and the ratio of
the processor times, which says more than the clock's where others use the processors.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time


class Side:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{command[0]} did not start")

    def run(self, work, repetitions):
        print(work, repetitions, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.process.args[0]} ended at {work}")
        return json.loads(answer)

    def processor(self):
        """Seconds of all its threads so far."""
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def interval(values, draws=2000):
    """Where the median lies, by resampling."""
    source = random.Random(0)
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def amount(work):
    """Floating-point operations, or bytes, in 1e9: what the limit is compared with."""
    layer = 2 * (4 * 768 * 768 + 2 * 768 * 3072)
    if work.startswith("bert_base/"):
        batch, tokens = (int(part) for part in work.rsplit("/", 1)[1].split("x"))
        return batch * tokens * 12 * (layer + 4 * tokens * 768) / 1e9
    if work == "gpt2/prefill/512":
        return (512 * 12 * (layer + 4 * 256.5 * 768) + 2 * 50257 * 768) / 1e9
    if work == "gpt2/decode/16-80":
        weights = 4 * (124439808 - 1024 * 768)
        return sum(weights + (past + 1) * 2 * 12 * 768 * 4 for past in range(16, 80)) / 1e9
    if work.startswith("marian/"):
        _, size, target, kind = work.split("/")
        batch, source = (int(part) for part in size.split("x"))
        target, beams = int(target), int(kind[4:]) if kind.startswith("beam") else 1
        encoder = 6 * (4 * 512 * 512 + 2 * 512 * 2048) + 6 * 2 * 512 * 512  # and the keys and values that the decoder's layers make of its output
        decoder = 6 * (6 * 512 * 512 + 2 * 512 * 2048) + 512 * 58101
        if batch == 1:
            return 4 * (encoder + target * decoder) / 1e9
        return 2 * batch * (source * encoder + (1 + (target - 1) * beams) * decoder) / 1e9
    return None


def is_bound_by_memory(work):
    return "decode" in work or work.startswith("marian/1x")


def compare(ours, theirs, work, rounds, visits, tolerance):
    limit = "limit/read" if is_bound_by_memory(work) else "limit/fma"
    pause = lambda: time.sleep(0.02)  # the other side's threads go to sleep
    ours.run(work, 1)
    if not theirs.run(work, 1):
        return None
    kept = []
    for index in range(rounds):
        before = max(ours.run(limit, 5))
        times, processor = {ours: [], theirs: []}, {ours: 0, theirs: 0}
        for side in ((ours, theirs, theirs, ours) if index % 2 == 0 else (theirs, ours, ours, theirs)):
            pause()
            processor[side] -= side.processor()
            times[side] += side.run(work, visits)
            processor[side] += side.processor()
        pause()
        after = max(ours.run(limit, 5))
        kept.append((min(times[ours]), min(times[theirs]), before, after, processor[theirs] / max(processor[ours], 0.01)))
    best = max(max(one[2:4]) for one in kept)
    steady = [one for one in kept if min(one[2:4]) >= (1 - tolerance) * best]
    return kept, steady, best


def agreement(ours, theirs, work):
    """What share of the tokens is equal; None where one of the two has none."""
    own, their = (side.run(f"tokens/{work}", 1) for side in (ours, theirs))
    return sum(a == b for a, b in zip(own, their)) / len(own) if len(own) == len(their) != 0 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--respond", default="build/release/bench/respond", help="the program of bench/respond.cpp")
    parser.add_argument("--models", required=True, help="the folder that make_models.py wrote")
    parser.add_argument("--minilm", default="models/minilm-l6")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.3, help="about how long a visit takes")
    parser.add_argument("--tolerance", type=float, default=0.05)
    parser.add_argument("peer")
    parser.add_argument("work", nargs="+")
    options = parser.parse_args()

    ours = Side([options.respond, str(options.threads), options.minilm, f"{options.models}/sentences.txt"])
    if "/" in options.peer:
        theirs = Side([options.peer, *ours.process.args[1:]])
        options.peer = "other"
    else:
        script = __file__.replace("compare.py", "peer.py")
        theirs = Side([options.python, script, options.peer, options.models, options.minilm, str(options.threads)])
    for work in options.work:
        once = ours.run(work, 1)[0]
        result = compare(ours, theirs, work, options.rounds, max(1, round(options.seconds / once)), options.tolerance)
        if result is None:
            print(f"{work:20} {options.peer}: cannot")
            continue
        kept, steady, best = result
        if len(steady) < 5:
            print(f"{work:20} {options.peer}: only {len(steady)} steady rounds of {len(kept)}; all are shown")
            steady = kept
        ratios = [their / own for own, their, *_ in steady]
        low, high = interval(ratios)
        own, their = (statistics.median(one[i] for one in steady) * 1e3 for i in (0, 1))
        line = (f"{work:20} {options.peer:22} axiform {own:8.1f} ms  {options.peer} {their:8.1f} ms  ratio {statistics.median(ratios):.3f} "
                f"[{low:.3f}, {high:.3f}]  rounds {len(steady)}/{len(kept)}")
        if work.startswith("marian/"):
            equal = agreement(ours, theirs, work)
            line += f"  processor {statistics.median(one[4] for one in steady):.3f}"
            line += "  tokens differ in number" if equal is None else f"  tokens {100 * equal:.1f} % equal"
        total = amount(work)
        if total:
            share = lambda i: 100 * statistics.median(total / one[i] / max(one[2], one[3]) for one in steady)
            line += f"  of limit ({best:.0f}): {share(0):.0f} % and {share(1):.0f} %"
        print(line, flush=True)
    ours.end()
    theirs.end()


main()
