/// @file
/// The name tables of BERT and GPT-2: Hugging Face's names on the right, this library's on the left.
#pragma once

#include <axiform/io/names.hpp>

namespace axiform {

/// BertModel, by itself or within BertForPreTraining and the like; also in the spelling of TensorFlow's checkpoints (`gamma`, `beta`).
inline NameTable bert_names() {
  return {
      .family = "BERT",
      .prefixes = {"", "bert."},
      .rules =
          {
              {"embeddings.words.weight", "embeddings.word_embeddings.weight"},
              {"embeddings.positions.weight", "embeddings.position_embeddings.weight"},
              {"embeddings.token_types.weight", "embeddings.token_type_embeddings.weight"},
              {"embeddings.norm.*", "embeddings.LayerNorm.*"},
              {"encoder.layers.*.attention.output.*", "encoder.layer.*.attention.output.dense.*"},
              {"encoder.layers.*.attention.*.*", "encoder.layer.*.attention.self.*.*"},  // query, key, value
              {"encoder.layers.*.attention_norm.*", "encoder.layer.*.attention.output.LayerNorm.*"},
              {"encoder.layers.*.mlp.up.*", "encoder.layer.*.intermediate.dense.*"},
              {"encoder.layers.*.mlp.down.*", "encoder.layer.*.output.dense.*"},
              {"encoder.layers.*.mlp_norm.*", "encoder.layer.*.output.LayerNorm.*"},
              {"pooler.*", "pooler.dense.*"},
          },
      .spellings = {{"**LayerNorm.weight", "**LayerNorm.gamma"}, {"**LayerNorm.bias", "**LayerNorm.beta"}},
      .body = {"embeddings.**", "encoder.**"},
      .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"},
  };
}

/// GPT2Model, by itself or within GPT2LMHeadModel, whose `lm_head.weight` is the token table again. Matrices are [in, out] (Conv1D), and
/// query, key and value are one.
inline NameTable gpt2_names() {
  constexpr auto transposed = Arrangement::transposed;
  return {
      .family = "GPT-2",
      .prefixes = {"", "transformer."},
      .rules =
          {
              {"tokens.weight", "wte.weight"},
              {"positions.weight", "wpe.weight"},
              {"layers.*.attention_norm.*", "h.*.ln_1.*"},
              {"layers.*.attention.query.*", "h.*.attn.c_attn.*", transposed, 0, 3},
              {"layers.*.attention.key.*", "h.*.attn.c_attn.*", transposed, 1, 3},
              {"layers.*.attention.value.*", "h.*.attn.c_attn.*", transposed, 2, 3},
              {"layers.*.attention.output.*", "h.*.attn.c_proj.*", transposed},
              {"layers.*.mlp_norm.*", "h.*.ln_2.*"},
              {"layers.*.mlp.up.*", "h.*.mlp.c_fc.*", transposed},
              {"layers.*.mlp.down.*", "h.*.mlp.c_proj.*", transposed},
              {"final_norm.*", "ln_f.*"},
          },
      .spellings = {},
      .body = {"wte.**", "wpe.**", "h.**", "ln_f.**"},
      .buffers = {"h.*.attn.bias", "h.*.attn.masked_bias"},
  };
}

}  // namespace axiform
