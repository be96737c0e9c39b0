"""sentence-transformers, as its documentation calls it."""
import functools

import sentence_transformers
import torch

from . import inputs


class Peer(inputs.Encoder):
    def __init__(self):
        torch.set_num_threads(inputs.THREADS)

    @functools.cache
    def model(self, model, format):
        type = {"f32": torch.float32, "bf16": torch.bfloat16}[format]
        return sentence_transformers.SentenceTransformer(str(inputs.FOLDER / model), device="cpu", model_kwargs={"dtype": type})

    def embed(self, model, format, lines):
        return self.model(model, format).encode(lines, batch_size=32)

    def embed_one(self, model, format, line):
        return self.model(model, format).encode(line)
