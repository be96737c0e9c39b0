/// @file
/// The name tables of the families: Hugging Face's names on the right, this library's on the left.
#pragma once

#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/model_family.hpp>
#include <axiform/io/names.hpp>

namespace axiform {

namespace detail {

/// The masked-LM head's matrix and the token table. Tied, they are one tensor, which a file may have under either name, or under both; the
/// model has it once, as the table.
inline std::vector<NameRule> table_rules(HeadWeights weights, char const* own) {
  char const* const table = "embeddings.word_embeddings.weight";
  if (weights == HeadWeights::own) return {{"embeddings.words.weight", table}, {"mlm.decoder.weight", own}};
  return {{.canonical = "embeddings.words.weight", .in_file = table, .otherwise = own}};
}

/// The masked-LM head's bias, which lies in the file under two names, or one of them. transformers adds the decoder's; where head and table
/// are tied, that is the head's own.
inline NameRule decoder_bias_rule(HeadWeights weights, char const* head, char const* decoder) {
  bool const is_tied = weights == HeadWeights::tied;
  return {.canonical = "mlm.decoder.bias", .in_file = is_tied ? head : decoder, .otherwise = is_tied ? decoder : head};
}

/// What BERT and RoBERTa call alike.
inline std::vector<NameRule> bert_body_rules() {
  return {
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
      {"span.*", "qa_outputs.*"},
  };
}

inline NameTable with_rules(NameTable table, std::vector<NameRule> const& tables, std::vector<NameRule> const& heads = {}) {
  for (auto const* const more : {&tables, &heads}) table.rules.insert(table.rules.end(), more->begin(), more->end());
  return table;
}

}  // namespace detail

/// BertModel and what is built on it (BertForMaskedLM, …); also in the spelling of TensorFlow's checkpoints (`gamma`, `beta`).
inline NameTable bert_names(HeadWeights weights = HeadWeights::tied) {
  return detail::with_rules({.family = "BERT",
                             .prefixes = {"", "bert."},
                             .rules = detail::bert_body_rules(),
                             .spellings = {{"**LayerNorm.weight", "**LayerNorm.gamma"}, {"**LayerNorm.bias", "**LayerNorm.beta"}},
                             .body = {"embeddings.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
                            detail::table_rules(weights, "cls.predictions.decoder.weight"),
                            {detail::decoder_bias_rule(weights, "cls.predictions.bias", "cls.predictions.decoder.bias"),
                             {"mlm.dense.*", "cls.predictions.transform.dense.*"},
                             {"mlm.norm.*", "cls.predictions.transform.LayerNorm.*"},
                             {"next_sentence.*", "cls.seq_relationship.*"},
                             {"head.dense.*", "pooler.dense.*"},
                             {"head.output.*", "classifier.*"}});
}

/// RobertaModel and what is built on it; XLM-RoBERTa and CamemBERT have the same names.
inline NameTable roberta_names(HeadWeights weights = HeadWeights::tied) {
  return detail::with_rules({.family = "RoBERTa",
                             .prefixes = {"", "roberta."},
                             .rules = detail::bert_body_rules(),
                             .spellings = {},
                             .body = {"embeddings.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}},
                            detail::table_rules(weights, "lm_head.decoder.weight"),
                            {detail::decoder_bias_rule(weights, "lm_head.bias", "lm_head.decoder.bias"),
                             {"mlm.dense.*", "lm_head.dense.*"},
                             {"mlm.norm.*", "lm_head.layer_norm.*"},
                             {"head.dense.*", "classifier.dense.*"},
                             {"head.output.*", "classifier.out_proj.*"}});
}

/// DistilBertModel and what is built on it.
inline NameTable distilbert_names(HeadWeights weights = HeadWeights::tied) {
  return detail::with_rules({
      .family = "DistilBERT",
      .prefixes = {"", "distilbert."},
      .rules =
          {
              {"embeddings.positions.weight", "embeddings.position_embeddings.weight"},
              {"embeddings.norm.*", "embeddings.LayerNorm.*"},
              {"encoder.layers.*.attention.query.*", "transformer.layer.*.attention.q_lin.*"},
              {"encoder.layers.*.attention.key.*", "transformer.layer.*.attention.k_lin.*"},
              {"encoder.layers.*.attention.value.*", "transformer.layer.*.attention.v_lin.*"},
              {"encoder.layers.*.attention.output.*", "transformer.layer.*.attention.out_lin.*"},
              {"encoder.layers.*.attention_norm.*", "transformer.layer.*.sa_layer_norm.*"},
              {"encoder.layers.*.mlp.up.*", "transformer.layer.*.ffn.lin1.*"},
              {"encoder.layers.*.mlp.down.*", "transformer.layer.*.ffn.lin2.*"},
              {"encoder.layers.*.mlp_norm.*", "transformer.layer.*.output_layer_norm.*"},
              {"mlm.decoder.bias", "vocab_projector.bias"},
              {"mlm.dense.*", "vocab_transform.*"},
              {"mlm.norm.*", "vocab_layer_norm.*"},
              {"span.*", "qa_outputs.*"},
              {"head.dense.*", "pre_classifier.*"},
              {"head.output.*", "classifier.*"},
          },
      .spellings = {},
      .body = {"embeddings.**", "transformer.**"},
      .buffers = {"embeddings.position_ids"},
  }, detail::table_rules(weights, "vocab_projector.weight"));
}

/// GPT2Model and what is built on it; the `lm_head.weight` of GPT2LMHeadModel is the token table again, or the head's own. Matrices are
/// [in, out] (Conv1D), and query, key and value are one.
inline NameTable gpt2_names(HeadWeights weights = HeadWeights::tied) {
  constexpr auto transposed = Arrangement::transposed;
  return {
      .family = "GPT-2",
      .prefixes = {"", "transformer."},
      .rules =
          {
              {.canonical = "tokens.weight", .in_file = "wte.weight", .otherwise = weights == HeadWeights::tied ? "lm_head.weight" : ""},
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

/// The table of a family.
inline NameTable family_names(ModelFamily family, HeadWeights weights = HeadWeights::tied) {
  switch (family) {
    case ModelFamily::bert: return bert_names(weights);
    case ModelFamily::roberta:
    case ModelFamily::xlm_roberta:
    case ModelFamily::camembert: return roberta_names(weights);
    case ModelFamily::distilbert: return distilbert_names(weights);
    case ModelFamily::gpt2: return gpt2_names(weights);
  }
  throw ArgumentError("family_names: found no family of that number");
}

}  // namespace axiform
