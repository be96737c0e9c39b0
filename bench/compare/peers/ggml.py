"""llama.cpp and ik_llama.cpp, through the C interface that their Python bindings give: an unpadded batch of one or several sequences, and a memory of
keys and values that is shortened again between repetitions."""
import ctypes
import functools

import numpy as np

from . import inputs

TOKENS = {1: 1024 + 16, 8: 8 * 256}  # of all sequences that a context has


class Peer:
    """`api` is the binding, `load` and `shorten` what the two name otherwise, `model_settings` and `settings` what else is set."""

    def __init__(self, api, load, shorten, model_settings=None, settings=None):
        self.api, self.load, self.shorten = api, load, shorten
        self.model_settings, self.settings = model_settings or {}, settings or {}
        api.llama_backend_init()

    @functools.cache
    def model(self, name, format):
        parameters = self.api.llama_model_default_params()
        for setting, value in self.model_settings.items():
            setattr(parameters, setting, value)
        loaded = self.load(str(inputs.FOLDER / f"{name}-{format}.gguf").encode(), parameters)
        if not loaded:
            raise RuntimeError(f"{name}-{format}.gguf cannot be loaded")
        return loaded

    @functools.cache
    def context(self, name, format, sequences):
        parameters = self.api.llama_context_default_params()
        parameters.n_ctx, parameters.n_batch, parameters.n_ubatch, parameters.n_seq_max = TOKENS[sequences], 1024, 512, sequences
        parameters.n_threads = parameters.n_threads_batch = inputs.THREADS
        for setting, value in self.settings.items():
            setattr(parameters, setting, value)
        made = self.api.llama_init_from_model(self.model(name, format), parameters)
        if not made:
            raise RuntimeError(f"{name}-{format}.gguf: no context")
        self.filled = None
        return made

    @functools.cached_property
    def batch(self):
        return self.api.llama_batch_init(1024, 0, 1)

    def decode(self, context, rows, wanted):
        """Rows are (token, position, sequence); logits of those that are `wanted`."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (token, position, sequence) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, position, 1, sequence, i in wanted
        if self.api.llama_decode(context, batch) != 0:
            raise RuntimeError("llama_decode failed")

    def fill(self, context, sequences, length):
        self.shorten(context, -1, 0)
        for sequence in range(sequences):
            rows = [(token, position, sequence) for position, token in enumerate(inputs.ids(length, 49000))]
            self.decode(context, rows, {length - 1})
        self.filled = context, sequences, length

    def prepare(self, parts):
        model, format, task, length = parts
        sequences, length = 8 if task == "decode8" else 1, int(length)
        context = self.context(model, format, sequences)
        if task == "prefill":
            self.filled = None
            self.shorten(context, -1, 0)
            rows = [(token, position, 0) for position, token in enumerate(inputs.ids(length, 49000))]
            return lambda: self.decode(context, rows, {length - 1})
        if getattr(self, "filled", None) != (context, sequences, length):
            self.fill(context, sequences, length)
        for sequence in range(sequences):
            self.shorten(context, sequence, length)
        steps = [[(token, length + step, sequence) for sequence, token in enumerate(inputs.ids(sequences, 49000))] for step in range(16)]

        def run():
            for rows in steps:
                self.decode(context, rows, set(range(sequences)))

        return run

    def result(self, parts):
        context = self.context(parts[0], parts[1], 1)
        self.filled = None
        self.shorten(context, -1, 0)
        given = inputs.fixed_ids(parts[0])
        self.decode(context, [(token, position, 0) for position, token in enumerate(given)], {len(given) - 1})
        entries = 50257 if parts[0] == "gpt2" else 49152
        logits = ctypes.cast(self.api.llama_get_logits_ith(context, len(given) - 1), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(logits, (entries,)).copy()
