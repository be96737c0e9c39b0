#!/usr/bin/env python3
"""Writes what the peers run into a folder, in each peer's own format, and what all results are compared with.

    make_models.py FOLDER MODELS [NAME...]        NAME: texts bert_base mpnet minilm e5 gpt2 smollm2 marian tokenizers; all without

MODELS is the repository's models/, where scripts/fetch-model has put what it fetched. What is not there is made with random weights (BERT base), or left
out with a line that says so. GPT-2 124M and the Marian always have random weights.

A reference is computed in float64 by transformers: of an encoder the hidden states of 128 tokens, of an embedder 200 sentences, of a causal model the
logits behind 128 tokens.
"""
import ctypes
import gettext
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

FOLDER, MODELS = (pathlib.Path(word).resolve() for word in sys.argv[1:3])


class Hidden(torch.nn.Module):
    """Ids and mask in, the last layer's hidden states out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask)[0]


def link(name, source):
    target = FOLDER / name
    if target.is_symlink():
        target.unlink()
    target.symlink_to(source.resolve())


def write_ids(name, ids):
    (FOLDER / f"{name}.ids.txt").write_text(" ".join(str(int(token)) for token in ids) + "\n")


def write_reference(name, values):
    np.asarray(values, dtype=np.float32).ravel().tofile(FOLDER / f"{name}.reference")


def ids_of_prose(directory, count=128):
    """Of as many lines as it takes."""
    from tokenizers import Tokenizer
    text = " ".join((FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()[:40])
    if (directory / "tokenizer.json").exists():
        return Tokenizer.from_file(str(directory / "tokenizer.json")).encode(text).ids[:count]
    return AutoTokenizer.from_pretrained(directory)(text)["input_ids"][:count]


def write_onnx(model, name, heads, width):
    """Plain for OpenVINO, which fuses by itself; fused by ONNX Runtime's own optimiser for ONNX Runtime, and that with int8 weights; int8 by NNCF."""
    path = FOLDER / f"{name}.onnx"
    ids = torch.randint(1000, 20000, (2, 128))
    names = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}, "hidden": {0: "batch", 1: "tokens"}}
    torch.onnx.export(Hidden(model.eval()), (ids, torch.ones_like(ids)), str(path), input_names=["ids", "mask"], output_names=["hidden"],
                      dynamic_axes=names, dynamo=False)
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    fused = optimizer.optimize_model(str(path), model_type="bert", num_heads=heads, hidden_size=width)
    fused.save_model_to_file(str(path.with_suffix(".fused.onnx")))
    print(path.name, fused.get_fused_operator_statistics())
    quantize_dynamic(str(path.with_suffix(".fused.onnx")), str(path.with_suffix(".int8.onnx")), weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"DefaultTensorType": 1})
    import nncf
    import openvino
    samples = [{"ids": one.numpy()[None], "mask": np.ones((1, 64), np.int64)} for one in calibration(name, 64)]
    quantised = nncf.quantize(openvino.Core().read_model(path), nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER, subset_size=64)
    openvino.save_model(quantised, FOLDER / f"{name}.int8.xml")


def calibration(name, length):
    """Ids of real prose, in 64 pieces."""
    text = " ".join((FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines())
    from tokenizers import Tokenizer
    directory = FOLDER / name if (FOLDER / name / "tokenizer.json").exists() else MODELS / "minilm-l6"
    ids = Tokenizer.from_file(str(directory / "tokenizer.json"))
    ids.no_truncation()
    return torch.tensor(ids.encode(text).ids[1:64 * length + 1]).reshape(64, length)


def write_ctranslate2(source, target, vocabulary, **special):
    """Its converter wants a tokenizer; the ids are what counts."""
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    with tempfile.TemporaryDirectory() as folder:
        for file in source.iterdir():
            if file.name == "config.json" or file.suffix == ".safetensors":
                shutil.copyfile(file, pathlib.Path(folder) / file.name)
        PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab=vocabulary, merges=[])), **special).save_pretrained(folder)
        TransformersConverter(folder).convert(str(target), force=True)


def placeholders(count, named):
    names = {i: token for token, i in named.items()}
    return {names.get(i, f"t{i}"): i for i in range(count)}


def make_encoder(name, model, source):
    """`source` is the directory that all sides read."""
    link(name, source)
    ids = ids_of_prose(source)
    write_ids(name, ids)
    with torch.inference_mode():
        write_reference(name, model.double()(input_ids=torch.tensor([ids])).last_hidden_state)
    write_onnx(model.float(), name, 12, 768)


def make_bert_base():
    source = MODELS / "bert-base-uncased"
    if not source.exists():
        print("bert-base-uncased was not fetched: random weights", flush=True)
        source = FOLDER / "bert-random"
        torch.manual_seed(0)
        BertModel(BertConfig(), add_pooling_layer=False).save_pretrained(source)
        shutil.copyfile(MODELS / "minilm-l6/tokenizer.json", source / "tokenizer.json")
    make_encoder("bert_base", BertModel.from_pretrained(source, attn_implementation="eager", add_pooling_layer=False).eval(), source)
    plain = FOLDER / "bert-plain"  # without the heads of a checkpoint, for CTranslate2
    BertModel.from_pretrained(source).save_pretrained(plain)
    write_ctranslate2(plain, FOLDER / "bert_base-ctranslate2", placeholders(30522, {"[UNK]": 100, "[CLS]": 101, "[SEP]": 102}), unk_token="[UNK]",
                      cls_token="[CLS]", sep_token="[SEP]")


def make_mpnet():
    source = MODELS / "all-mpnet-base-v2"
    make_encoder("mpnet", AutoModel.from_pretrained(source, add_pooling_layer=False).eval(), source)


def make_embedder(name, source, prompt, longest):
    """Embeddings of 200 sentences, a sentence at a time."""
    from tokenizers import Tokenizer
    link(name, source)
    model = BertModel.from_pretrained(source, attn_implementation="eager", add_pooling_layer=False).eval()
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    rows = []
    with torch.inference_mode():
        model.double()
        for line in (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()[:200]:
            states = model(input_ids=torch.tensor([tokenizer.encode(prompt + line).ids])).last_hidden_state[0].mean(0)
            rows.append(states / states.norm())
    write_reference(name, torch.stack(rows))
    write_onnx(model.float(), name, 12, 384)


def make_gpt2():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    model.save_pretrained(FOLDER / "gpt2")
    ids = np.random.default_rng(1).integers(0, 50000, 128)
    write_ids("gpt2", ids)
    write_gpt2_gguf(model.state_dict(), FOLDER / "gpt2-f32.gguf")
    quantise("gpt2", ("bf16", "q8_0", "q4_0", "q4_1", "q4_k"))
    with torch.inference_mode():
        write_reference("gpt2", model.double()(input_ids=torch.tensor([ids])).logits[0, -1])
    write_ctranslate2(FOLDER / "gpt2", FOLDER / "gpt2-ctranslate2", placeholders(50257, {"<|endoftext|>": 50256}), bos_token="<|endoftext|>",
                      eos_token="<|endoftext|>", unk_token="<|endoftext|>")


def write_gpt2_gguf(state, path):
    """GPT-2 in float32 as llama.cpp reads it, with a vocabulary of placeholders."""
    import gguf
    writer = gguf.GGUFWriter(str(path), "gpt2")
    writer.add_block_count(12)
    writer.add_context_length(1024)
    writer.add_embedding_length(768)
    writer.add_feed_forward_length(3072)
    writer.add_head_count(12)
    writer.add_layer_norm_eps(1e-5)
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{i}".encode() for i in range(50257)])
    writer.add_token_types([1] * 50257)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(50256)
    writer.add_eos_token_id(50256)

    def add(name, key, transposed=False):
        value = state["transformer." + key].numpy()
        writer.add_tensor(name, np.ascontiguousarray(value.T if transposed else value, dtype=np.float32))

    add("token_embd.weight", "wte.weight")
    add("output.weight", "wte.weight")
    add("position_embd.weight", "wpe.weight")
    add("output_norm.weight", "ln_f.weight")
    add("output_norm.bias", "ln_f.bias")
    parts = {"attn_norm": "ln_1", "ffn_norm": "ln_2", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj", "ffn_up": "mlp.c_fc",
             "ffn_down": "mlp.c_proj"}
    for layer in range(12):
        for ours, theirs in parts.items():
            add(f"blk.{layer}.{ours}.weight", f"h.{layer}.{theirs}.weight", transposed="norm" not in ours)
            add(f"blk.{layer}.{ours}.bias", f"h.{layer}.{theirs}.bias")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantise(name, formats, source=None):
    """By llama.cpp itself: all matrices in one format, or in the mixture that most published files are."""
    import llama_cpp
    kinds = {"f32": llama_cpp.LLAMA_FTYPE_ALL_F32, "bf16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16, "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
             "q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, "q4_1": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_1,
             "q4_k": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_S, "q4_k_m": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M}
    for format in formats:
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype, parameters.allow_requantize, parameters.pure, parameters.nthread = kinds[format], True, format != "q4_k_m", 1
        target = FOLDER / f"{name}-{format}.gguf"
        if llama_cpp.llama_model_quantize(str(source or FOLDER / f"{name}-f32.gguf").encode(), str(target).encode(), ctypes.byref(parameters)) != 0:
            raise SystemExit(f"{target}: cannot be written")


def make_smollm2():
    """The file as it was published, in 4 bits, and its weights in other formats. The reference are those weights in float64."""
    source = next((MODELS / "smollm2-135m-instruct").glob("*.gguf"))
    link("smollm2-q4_1.gguf", source)
    quantise("smollm2", ("f32",), source)
    quantise("smollm2", ("bf16", "q8_0", "q4_0", "q4_k_m"))
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    ids = tokenizer(" ".join((FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()[:40]))["input_ids"][:128]
    write_ids("smollm2", ids)
    model = LlamaForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32).eval()
    with torch.inference_mode():
        write_reference("smollm2", model.double()(input_ids=torch.tensor([ids])).logits[0, -1])


def make_tokenizers():
    """The same tokenizer.json for both sides: BERT's WordPiece, SmolLM2's byte-level BPE, XLM-R's Unigram."""
    folder = FOLDER / "tokenizers"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(MODELS / "minilm-l6/tokenizer.json", folder / "word_piece.json")
    gguf = next((MODELS / "smollm2-135m-instruct").glob("*.gguf"))
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).backend_tokenizer.save(str(folder / "byte_bpe.json"))
    shutil.copyfile(MODELS / "multilingual-e5-small/tokenizer.json", folder / "unigram.json")


def download(name, *words):
    folder = FOLDER / "downloads" / name
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder), *words], check=True)
    return next(folder.iterdir())


def make_texts():
    """2 000 snippets of film reviews out of vaderSentiment's source package; a megabyte each of Python's own library, and of Django's translations."""
    name = "movieReviewSnippets_GroundTruth.txt"

    def snippets(archive):
        with archive as opened:
            names = opened.getnames() if isinstance(opened, tarfile.TarFile) else opened.namelist()
            read = lambda member: opened.extractfile(member) if isinstance(opened, tarfile.TarFile) else opened.open(member)
            for member in names:
                if member.endswith(name):
                    return read(member).read()
                if member.endswith((".tar.gz", ".tgz")):
                    return snippets(tarfile.open(fileobj=read(member)))
                if member.endswith(".zip"):
                    return snippets(zipfile.ZipFile(read(member)))
        return None

    source = download("vader", "--no-binary", ":all:", "--no-build-isolation", "vaderSentiment==3.3.2")
    lines = [line.split("\t")[2].strip() for line in snippets(tarfile.open(source)).decode("utf-8", "replace").splitlines()]
    (FOLDER / "sentences.txt").write_text("\n".join(lines[:2000]) + "\n", encoding="utf-8")
    folder = FOLDER / "texts"
    folder.mkdir(exist_ok=True)
    write = lambda name, lines: (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write("prose", lines)
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    code = "".join(file.read_text(encoding="utf-8") for file in sorted(library.glob("[a-m]*.py")))[:1_000_000]
    write("code", code.splitlines())
    django = zipfile.ZipFile(download("django", "django==5.2"))
    translated = []
    for member in sorted(django.namelist()):
        if member.startswith("django/conf/locale/") and member.endswith("/django.mo") and "/en" not in member:
            with django.open(member) as file:
                values = gettext.GNUTranslations(file)._catalog.values()
            translated += [" ".join(value.split()) for value in values if value]
    kept, size = [], 0
    for line in translated:
        size += len(line.encode())
        kept.append(line)
        if size > 1_000_000:
            break
    write("multilingual", kept)


def make_marian():
    """opus-mt's shape: 6 + 6 layers of 512 with 8 heads, 2 048 inside, 58 101 tokens in one table. Weights have sizes at which a text does not stand
    still: attention that chooses, parts that do not drown the token, and signs in the last norm, without which the head, being the table, says the
    last token again."""
    from transformers import MarianConfig, MarianMTModel
    torch.manual_seed(0)
    entries, width = 58101, 512
    config = MarianConfig(vocab_size=entries, d_model=width, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
                          decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, activation_function="swish", init_std=0.06,
                          scale_embedding=True, max_position_embeddings=512, pad_token_id=entries - 1, decoder_start_token_id=entries - 1,
                          eos_token_id=0, forced_eos_token_id=None, bad_words_ids=[[entries - 1]])
    marian = MarianMTModel(config).eval()
    with torch.no_grad():
        for name, value in marian.named_parameters():
            if "norm" in name and name.endswith("weight"):
                value.uniform_(0.7, 1.3)
            elif name.endswith("bias"):
                value.normal_(0, 0.05)
            for part, scale in {"q_proj.weight": 3, "k_proj.weight": 3, "self_attn.out_proj.weight": 0.1, "encoder_attn.out_proj.weight": 0.2,
                                "fc2.weight": 0.25}.items():
                if name.endswith(part):
                    value.mul_(scale)
        marian.model.decoder.layers[-1].final_layer_norm.weight.mul_(torch.randint(0, 2, (width,)) * 2 - 1)
        marian.model.shared.weight[-1] = 0  # CTranslate2 takes it that the first token has no row
    marian.save_pretrained(FOLDER / "marian")
    named = {"</s>": 0, "<unk>": 1, "<pad>": entries - 1}
    write_ctranslate2(FOLDER / "marian", FOLDER / "marian-ctranslate2", placeholders(entries, named), eos_token="</s>", unk_token="<unk>",
                      pad_token="<pad>")
    sources = np.random.default_rng(0).integers(2, entries - 1, (256, 64))
    sources[:, -1] = 0
    (FOLDER / "marian-sources.txt").write_text("\n".join(" ".join(map(str, line)) for line in sources) + "\n")


MAKERS = {
    "texts": make_texts,
    "bert_base": make_bert_base,
    "mpnet": make_mpnet,
    "minilm": lambda: make_embedder("minilm", MODELS / "minilm-l6", "", 256),
    "e5": lambda: make_embedder("e5", MODELS / "multilingual-e5-small", "passage: ", 512),
    "gpt2": make_gpt2,
    "smollm2": make_smollm2,
    "marian": make_marian,
    "tokenizers": make_tokenizers,
}


def main():
    """A model that cannot be made is reported, and the others are made."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in sys.argv[3:] or MAKERS:
        print(f"making {name}", flush=True)
        try:
            MAKERS[name]()
        except Exception as error:
            failed.append(name)
            print(f"{name} cannot be made: {type(error).__name__}: {error}", flush=True)
    return f"not made: {' '.join(failed)}" if failed else 0


sys.exit(main())
