"""One peer at the service of protocol.py: `python -m peers.serve MODULE`, with COMPARE_FOLDER and COMPARE_THREADS in the environment. It reads and
answers as bench/respond.cpp does: `run WORK REPETITIONS`, `result WORK FILE`. What it cannot do it answers with {"error": why}."""
import importlib
import json
import os
import sys
import time

import numpy as np


class Server:
    def __init__(self, module):
        self.warm = set()
        self.peer = module.Peer()

    def timed(self, parts):
        """Nanoseconds of one repetition, by the clock or as the peer says."""
        once = self.peer.prepare(parts)
        began = time.perf_counter()
        own = once()
        return (own if isinstance(own, float) else time.perf_counter() - began) * 1e9

    def run(self, work, repetitions):
        """A first repetition warms up, and does not count unless it takes a second and more."""
        taken = []
        if work not in self.warm:
            self.warm.add(work)
            taken = [first for first in [self.timed(work.split("/"))] if first >= 1e9]
        while len(taken) < int(repetitions):
            taken.append(self.timed(work.split("/")))
        return taken

    def result(self, work, file):
        values = np.asarray(self.peer.result(work.split("/")), dtype=np.float32).ravel()
        values.tofile(file)
        return values.size


def main():
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints must not disturb the answers
    answer = lambda value: print(json.dumps(value), file=channel, flush=True)
    try:
        server = Server(importlib.import_module(f".{sys.argv[1]}", "peers"))
    except ModuleNotFoundError:
        return answer({"error": "was not set up"})
    except Exception as error:
        return answer({"error": f"{type(error).__name__}: {error}"})
    answer("ready")
    for line in sys.stdin:
        request, *words = line.split()
        try:
            answer({"run": server.run, "result": server.result}[request](*words))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})


main()
