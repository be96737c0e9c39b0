"""CTranslate2: its generator, encoder and translator, in the types that it has; bf16 is not among them on processors of AMD."""
import functools
import time

import ctranslate2
import numpy as np

from . import inputs

TYPES = {"f32": "float32", "q8_0": "int8"}


class Peer:
    def made(self, kind, name, format):
        return kind(str(inputs.FOLDER / f"{name}-ctranslate2"), device="cpu", intra_threads=inputs.THREADS, compute_type=TYPES[format])

    @functools.cache
    def encoder(self, model, format):
        return self.made(ctranslate2.Encoder, model, format)

    @functools.cache
    def generator(self, format):
        return self.made(ctranslate2.Generator, "gpt2", format)

    @functools.cache
    def translator(self, format):
        return self.made(ctranslate2.Translator, "marian", format)

    @functools.cached_property
    def sources(self):
        return [line.split() for line in (inputs.FOLDER / "marian-sources.txt").read_text().splitlines()]

    def hidden(self, model, format, ids):
        return np.array(self.encoder(model, format).forward_batch(ids).last_hidden_state, dtype=np.float32)

    def translate(self, parts, first):
        """No text ends before its length, and all sources run together."""
        _, format, size, length, kind = parts
        batch, tokens = inputs.batch_size(size)
        some = [self.sources[(first + i) % len(self.sources)] for i in range(batch)]
        some = [[f"t{token}" for token in source[:tokens - 1]] + ["</s>"] for source in some]
        return lambda: self.translator(format).translate_batch(some, beam_size=int(kind[4:]) if kind != "greedy" else 1, max_batch_size=0,
                                                               min_decoding_length=int(length), max_decoding_length=int(length))

    def generate(self, parts):
        """It has no call that appends tokens to a cache: 16 tokens last from the moment at which it tells of the first to that of the 17th."""
        _, format, task, length = parts
        tokens = [f"t{token}" for token in inputs.ids(int(length), 50000)]
        generate = lambda count, **more: self.generator(format).generate_batch([tokens], min_length=count, max_length=count, sampling_topk=1,
                                                                               include_prompt_in_result=False, **more)
        if task == "prefill":
            return lambda: generate(1)

        def decode():
            moments = []
            generate(17, callback=lambda step: moments.append(time.perf_counter()))
            return moments[16] - moments[0]

        return decode

    def prepare(self, parts):
        if parts[0] == "gpt2":
            return self.generate(parts)
        if parts[0] == "marian":
            first = self.begun = getattr(self, "begun", 0)
            self.begun += inputs.batch_size(parts[2])[0]
            return self.translate(parts, first)
        batch, length = inputs.batch_size(parts[2])
        given = [inputs.ids(length) for _ in range(batch)]
        return lambda: self.hidden(parts[0], parts[1], given)

    def result(self, parts):
        if parts[0] == "marian":
            named = {"</s>": 0, "<unk>": 1}
            texts = self.translate(parts, 0)()
            return [named[token] if token in named else int(token[1:]) for text in texts for token in text.hypotheses[0]]
        given = inputs.fixed_ids(parts[0])
        if parts[0] == "gpt2":
            return np.array(self.generator(parts[1]).forward_batch([[f"t{token}" for token in given]]))[0, -1]
        return self.hidden(parts[0], parts[1], [given])
