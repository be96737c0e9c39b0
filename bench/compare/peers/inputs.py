"""What all peers read: the folder that make_models.py wrote, and inputs that are new each time."""
import functools
import os
import pathlib

import numpy as np

FOLDER = pathlib.Path(os.environ.get("COMPARE_FOLDER", "."))
THREADS = int(os.environ.get("COMPARE_THREADS", "1"))
random = np.random.default_rng(0)


def ids(count, vocabulary=30000):
    return [int(token) for token in random.integers(0, vocabulary, count)]


def fixed_ids(model):
    """What the reference was made of."""
    return [int(token) for token in (FOLDER / f"{model}.ids.txt").read_text().split()]


def batch_size(text):
    batch, length = text.split("x")
    return int(batch), int(length)


@functools.cache
def sentences():
    return (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()


def texts(model):
    """Of the larger model a part."""
    return ["passage: " + line for line in sentences()[:100]] if model == "e5" else sentences()


@functools.cache
def tokenizer(model):
    from tokenizers import Tokenizer
    made = Tokenizer.from_file(str(FOLDER / model / "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(512 if model == "e5" else 256)
    return made


def padded(encoded):
    """Ids and mask of some texts."""
    longest = max(map(len, encoded))
    ids, mask = np.zeros((len(encoded), longest), np.int64), np.zeros((len(encoded), longest), np.int64)
    for row, one in enumerate(encoded):
        ids[row, :len(one)] = one
        mask[row, :len(one)] = 1
    return ids, mask


def batches(model, lines, size):
    """Tokenized sentences in padded batches, those of like length together: ids, mask, where they belong."""
    encoded = [one.ids for one in tokenizer(model).encode_batch(lines)]
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
    for first in range(0, len(order), size):
        part = order[first:first + size]
        yield *padded([encoded[i] for i in part]), part


def pooled(hidden, mask):
    means = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


class Encoder:
    """A peer that has `hidden(model, format, ids, mask)` and `embed(model, format, lines)`: the works of encoders and embedders. `one` is a sentence by
    itself."""
    next = 0

    def prepare(self, parts):
        model, format, task = parts
        if task == "sentences":
            return lambda: self.embed(model, format, texts(model))
        if task == "one":
            self.next += 1
            line = texts(model)[(self.next - 1) % len(texts(model))]
            return lambda: self.embed_one(model, format, line)
        batch, length = batch_size(task)
        new = np.array(ids(batch * length)).reshape(batch, length)
        return lambda: self.hidden(model, format, new, np.ones_like(new))

    def embed_one(self, model, format, line):
        found = [tokenizer(model).encode(line).ids]
        given, mask = padded(found)
        return pooled(self.hidden(model, format, given, mask), mask)

    def result(self, parts):
        model, format, task = parts
        if task == "one":
            return self.embed_one(model, format, texts(model)[0])
        if task == "sentences":
            return self.embed(model, format, texts(model)[:200])
        given = np.array([fixed_ids(model)])
        return self.hidden(model, format, given, np.ones_like(given))
