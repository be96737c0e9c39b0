"""PyTorch with transformers, eager, with its fused attention; a cache that is shortened again between repetitions."""
import functools

import torch
from transformers import AutoModel, GPT2LMHeadModel

from . import inputs

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Peer(inputs.Encoder):
    def __init__(self):
        torch.set_num_threads(inputs.THREADS)
        torch.set_grad_enabled(False)

    @functools.cache
    def encoder(self, model, format):
        options = {} if model == "mpnet" else {"attn_implementation": "sdpa"}
        return AutoModel.from_pretrained(inputs.FOLDER / model, dtype=TYPES[format], add_pooling_layer=False, **options).eval()

    @functools.cache
    def gpt2(self, format):
        return GPT2LMHeadModel.from_pretrained(inputs.FOLDER / "gpt2", dtype=TYPES[format]).eval()

    @functools.cache
    def past(self, format, sequences, length):
        return self.gpt2(format)(input_ids=self.ids(sequences, length), use_cache=True, logits_to_keep=1).past_key_values

    def ids(self, sequences, length):
        return torch.tensor(inputs.ids(sequences * length, 50000)).reshape(sequences, length)

    def hidden(self, model, format, ids, mask):
        found = self.encoder(model, format)(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return found.last_hidden_state.float().numpy()

    def prepare(self, parts):
        if parts[0] != "gpt2":
            return super().prepare(parts)
        _, format, task, length = parts
        model, length = self.gpt2(format), int(length)
        if task == "prefill":
            given = self.ids(1, length)
            return lambda: model(input_ids=given, logits_to_keep=1, use_cache=True)
        sequences = 8 if task == "decode8" else 1
        past, given = self.past(format, sequences, length), self.ids(sequences, 16)
        if (added := past.get_seq_length() - length) > 0:
            past.crop(-added)

        def decode():
            for step in range(16):
                model(input_ids=given[:, step:step + 1], past_key_values=past, use_cache=True)

        return decode

    def result(self, parts):
        if parts[0] != "gpt2":
            return super().result(parts)
        given = torch.tensor([inputs.fixed_ids("gpt2")])
        return self.gpt2(parts[1])(input_ids=given, logits_to_keep=1).logits[0, -1].float().numpy()
