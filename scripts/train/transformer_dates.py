"""models/transformer-dates: a torch.nn.Transformer that reads and writes dates and numbers, trained from nothing on one core.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python transformer_dates.py train build/transformer-dates
    venv/bin/python transformer_dates.py export build/transformer-dates ../../models/transformer-dates
    venv/bin/python transformer_dates.py held-out ../../tests/fixtures/tasks/transformer-dates/held_out.tsv

The model is the paper's, small: post-norm, ReLU, its sinusoids, one table for source, target and output. `train` can be stopped and
goes on from its last checkpoint, with the same numbers as if it had not stopped. `export` rounds the weights to bf16, writes them
under the names of a state dict, and counts how many of the 2 000 held-out inputs the rounded model still gets right.
"""

import argparse
import json
import math
import pathlib
import time

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import nn

from dates_and_numbers import held_out_pairs, pairs

PAD, BOS, EOS = 0, 1, 2
SPECIAL = ["<pad>", "<s>", "</s>"]
WIDTH, HEADS, LAYERS, INNER, POSITIONS = 128, 4, 2, 256, 64
SEED = 20170612
HELD_OUT = 2000


class TokenEmbedding(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        nn.init.normal_(self.embedding.weight, std=WIDTH**-0.5)

    def forward(self, ids):
        return self.embedding(ids) * math.sqrt(WIDTH)


class PositionalEncoding(nn.Module):
    """Vaswani et al. 2017, section 3.5: sines in the even places, cosines in the odd ones."""

    def __init__(self):
        super().__init__()
        rates = torch.exp(-torch.arange(0, WIDTH, 2) * math.log(10000) / WIDTH)
        angles = torch.arange(POSITIONS)[:, None] * rates
        self.register_buffer("pos_embedding", torch.stack((angles.sin(), angles.cos()), -1).flatten(1))

    def forward(self, embedded):
        return embedded + self.pos_embedding[: embedded.size(1)]


class DateTransformer(nn.Module):
    """With the member names of PyTorch's tutorial on translation with nn.Transformer."""

    def __init__(self, vocabulary):
        super().__init__()
        self.transformer = nn.Transformer(WIDTH, HEADS, LAYERS, LAYERS, INNER, dropout=0.0, batch_first=True)
        self.src_tok_emb = TokenEmbedding(vocabulary)
        self.tgt_tok_emb = self.src_tok_emb
        self.positional_encoding = PositionalEncoding()
        self.generator = nn.Linear(WIDTH, vocabulary, bias=False)
        self.generator.weight = self.src_tok_emb.embedding.weight

    def encode(self, source):
        return self.transformer.encoder(self.positional_encoding(self.src_tok_emb(source)), src_key_padding_mask=source == PAD)

    def decode(self, target, states, source):
        mask = torch.ones(target.size(1), target.size(1), dtype=torch.bool).triu(1)
        embedded = self.positional_encoding(self.tgt_tok_emb(target))
        return self.transformer.decoder(embedded, states, tgt_mask=mask, tgt_is_causal=True, memory_key_padding_mask=source == PAD)

    def forward(self, source, target):
        return self.generator(self.decode(target, self.encode(source), source))

    @torch.no_grad()
    def greedy(self, source, longest=40):
        states = self.encode(source)
        target = torch.full((len(source), 1), BOS)
        ended = torch.zeros(len(source), dtype=torch.bool)
        while target.size(1) < longest and not ended.all():
            chosen = self.generator(self.decode(target, states, source)[:, -1]).argmax(-1)
            chosen[ended] = PAD
            target = torch.cat((target, chosen[:, None]), 1)
            ended |= chosen == EOS
        return target


def make_tokenizer():
    """Byte-level BPE with each digit alone, so that whatever text comes in has ids; a source ends in </s>."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=640, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator((text for pair in pairs(40_000, "vocabulary") for text in pair), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", EOS)])
    return tokenizer


def padded(rows):
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def encoded(tokenizer, texts):
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def batches_of(tokenizer, step, count, batch):
    """`count` batches made from `count * batch` new pairs, pairs of like lengths together."""
    made = pairs(count * batch, f"{SEED} {step}")
    sources, targets = (encoded(tokenizer, side) for side in zip(*made))
    order = sorted(range(len(made)), key=lambda i: (len(targets[i]), len(sources[i])))
    chunks = [order[i:i + batch] for i in range(0, len(order), batch)]
    for i in torch.randperm(count, generator=torch.Generator().manual_seed(SEED + step)).tolist():
        source = padded([sources[j] for j in chunks[i]])
        target = padded([[BOS] + targets[j] for j in chunks[i]])
        yield source, target


def exact_matches(model, tokenizer, examples):
    """Those of `examples` that greedy decoding gets wrong, with what it gives."""
    wrong = []
    for start in range(0, len(examples), 250):
        part = examples[start:start + 250]
        ids = model.greedy(padded(encoded(tokenizer, [source for source, _ in part])))
        found = tokenizer.decode_batch(ids.tolist(), skip_special_tokens=True)
        wrong += [(source, target, text) for (source, target), text in zip(part, found) if text != target]
    return wrong


def rate(step, options):
    """Rises to options.rate in options.warm_up steps, stays, and falls to nothing in the last options.fall steps."""
    return options.rate * min(1.0, (step + 1) / options.warm_up, (options.steps - step) / options.fall)


def train(options):
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    options.directory.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    tokenizer.save(str(options.directory / "tokenizer.json"))
    model = DateTransformer(tokenizer.get_vocab_size())
    print(sum(p.numel() for p in model.parameters()), "parameters,", tokenizer.get_vocab_size(), "tokens", flush=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0, betas=(0.9, 0.98), eps=1e-9)
    checkpoint, step = options.directory / "checkpoint.pt", 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    held_out = held_out_pairs(HELD_OUT)
    began, losses = time.monotonic(), []
    if options.steps % 20 != 0:
        raise SystemExit(f"--steps: found {options.steps}, expected a multiple of 20, the steps between two looks at the clock")
    while step < options.steps:
        model.train()
        for source, target in batches_of(tokenizer, step, 20, options.batch):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, options)
            logits = model(source, target[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=0.02)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
            step += 1
        if step % 200 == 0:
            print(f"step {step} loss {sum(losses) / len(losses):.4f} seconds {time.monotonic() - began:.0f}", flush=True)
            losses = []
        if step % 400 == 0 or step == options.steps:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, checkpoint)
            model.eval()
            examples = held_out if step == options.steps else held_out[:300]
            wrong = exact_matches(model, tokenizer, examples)
            print(f"step {step} wrong {len(wrong)} of {len(examples)}", wrong[:2], flush=True)


def config_of(tokenizer):
    return dict(model_type="transformer", architectures=["TransformerForConditionalGeneration"], is_encoder_decoder=True,
                d_model=WIDTH, nhead=HEADS, num_encoder_layers=LAYERS, num_decoder_layers=LAYERS, dim_feedforward=INNER,
                activation="relu", norm_first=False, layer_norm_eps=1e-5, dropout=0.0, vocab_size=tokenizer.get_vocab_size(),
                max_position_embeddings=POSITIONS, scale_embedding=True, share_encoder_decoder_embeddings=True,
                tie_word_embeddings=True, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=BOS,
                torch_dtype="bfloat16")


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def export(options):
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(str(options.directory / "tokenizer.json"))
    model = DateTransformer(tokenizer.get_vocab_size()).eval()
    model.load_state_dict(torch.load(options.directory / "checkpoint.pt")["model"])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
    examples = held_out_pairs(HELD_OUT)
    wrong = exact_matches(model, tokenizer, examples)
    print(f"wrong {len(wrong)} of {len(examples)} with weights in bf16", *wrong, sep="\n")

    options.target.mkdir(parents=True, exist_ok=True)
    shared = {"generator.weight", "tgt_tok_emb.embedding.weight", "positional_encoding.pos_embedding"}
    weights = {name: value.bfloat16().contiguous() for name, value in model.state_dict().items() if name not in shared}
    save_file(weights, options.target / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(options.target / "tokenizer.json"))
    write_json(options.target / "config.json", config_of(tokenizer))
    write_json(options.target / "generation_config.json",
               dict(pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=BOS, do_sample=False, max_length=40))
    write_json(options.target / "tokenizer_config.json",
               dict(tokenizer_class="PreTrainedTokenizerFast", pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                    model_max_length=POSITIONS, clean_up_tokenization_spaces=False))


def write_held_out(options):
    lines = [f"{source}\t{target}\n" for source, target in held_out_pairs(HELD_OUT)]
    options.file.write_text("".join(lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train")
    command.add_argument("directory", type=pathlib.Path)
    command.add_argument("--steps", type=int, default=6800)
    command.add_argument("--batch", type=int, default=128)
    command.add_argument("--rate", type=float, default=1e-3)
    command.add_argument("--warm-up", type=int, default=600)
    command.add_argument("--fall", type=int, default=2800)
    command.set_defaults(run=train)
    command = commands.add_parser("export")
    command.add_argument("directory", type=pathlib.Path, help="what train wrote")
    command.add_argument("target", type=pathlib.Path, help="the model's directory")
    command.set_defaults(run=export)
    command = commands.add_parser("held-out")
    command.add_argument("file", type=pathlib.Path, help="a line for each held-out input: it, a tab, and what is expected")
    command.set_defaults(run=write_held_out)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
