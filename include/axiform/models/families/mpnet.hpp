/// @file
/// The family MPNet (Song et al. 2020): an encoder as RoBERTa's, without segments, whose attention adds a bias by distance that all layers share.
#pragma once

#include <axiform/core/activation.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/names.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/bert_words.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/position.hpp>

namespace axiform {

/// MPNetModel and what is built on it.
NameTable mpnet_names(HeadWeights weights = HeadWeights::tied);

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// BERT's block with a bias by distance.
struct MpnetRecipe : BertRecipe {
  /// Half of the buckets for keys before the query, half for those behind.
  template <DimensionsLike D>
  using Position = RelativeBias<D, RelativeDirections::both>;
};

/// An MPNet without a task's head (Hugging Face's MPNetModel).
///
///     auto const mpnet = load<Mpnet<>>(directory, context);
///     auto const embedder = SentenceEmbedding<Mpnet<>>::from_directory("models/all-mpnet-base-v2", context);
template <DimensionsLike D = DynamicDimensions>
using Mpnet = Bert<D, MpnetRecipe>;

/// MPNet.
struct MpnetFamily {
  using Config = BertConfig;  ///< What `read_config` gives.
  /// The model with that head.
  template <ModelHead head, DimensionsLike D = DynamicDimensions>
  using Model = BertModel<head, D, MpnetRecipe>;

  static constexpr FamilyClass classes[] = {{"mpnet", "MPNet"}};  ///< Its model type.
  /// Its heads.
  static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"},
                                         {ModelHead::masked_lm, "ForMaskedLM"},
                                         {ModelHead::question_answering, "ForQuestionAnswering"},
                                         {ModelHead::sequence_classification, "ForSequenceClassification"},
                                         {ModelHead::token_classification, "ForTokenClassification"}};
  static constexpr Family family{.name = "MPNet", .article = "an", .classes = classes, .heads = heads};  ///< How configs name it.

  /// @throws As `read_bert_settings`; FormatError also when there is no position behind the padding id.
  static BertConfig read_config(ConfigReader const& reader);
  /// What its checkpoints call their parameters.
  static NameTable names(HeadWeights weights) { return mpnet_names(weights); }

  /// What PyTorch prints.
  static constexpr ModuleWords words[] = {{"body", "(mpnet): <Model>"},
                                          {"feed_forward", detail::bert_feed_forward_words},
                                          {"pooler", detail::bert_pooler_words},
                                          {"Model", R"(
@Model(
  (embeddings): @Embeddings(
    (word_embeddings): Embedding({vocabulary}, {hidden}{padding})
    (position_embeddings): Embedding({positions}, {hidden}{padding})
    (LayerNorm): {norm}
    (dropout): Dropout(p={embedding_dropout}, inplace=False)
  )
  (encoder): @Encoder(
    (layer): ModuleList(
      (*): @Layer(
        (attention): @Attention(
          (attn): @SelfAttention(
            (q): Linear(in_features={hidden}, out_features={width}, bias=True)
            (k): Linear(in_features={hidden}, out_features={width}, bias=True)
            (v): Linear(in_features={hidden}, out_features={width}, bias=True)
            (o): Linear(in_features={width}, out_features={hidden}, bias=True)
            (dropout): Dropout(p={attention_dropout}, inplace=False)
          )
          (LayerNorm): {norm}
          (dropout): Dropout(p={hidden_dropout}, inplace=False)
        )
        <feed_forward>
      )
    )
    (relative_attention_bias): Embedding({encoder.position.weight}, {heads})
  )
  <pooler> where pooler.weight
))"},
                                          {"ForMaskedLM", detail::roberta_masked_lm_words},
                                          {"ForQuestionAnswering", detail::bert_answer_words},
                                          {"ForSequenceClassification", detail::roberta_text_label_words},
                                          {"ForTokenClassification", detail::bert_token_label_words}};
};

}  // namespace axiform::inline AXIFORM_ARCH

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform {

AXIFORM_INLINE NameTable mpnet_names(HeadWeights weights) {
  return detail::with_rules({.family = "MPNet",
                             .prefixes = {"", "mpnet."},
                             .rules = {{"embeddings.positions.weight", "embeddings.position_embeddings.weight"},
                                       {"embeddings.norm.*", "embeddings.LayerNorm.*"},
                                       {"encoder.position.weight", "encoder.relative_attention_bias.weight"},
                                       {"encoder.layers.*.attention.query.*", "encoder.layer.*.attention.attn.q.*"},
                                       {"encoder.layers.*.attention.key.*", "encoder.layer.*.attention.attn.k.*"},
                                       {"encoder.layers.*.attention.value.*", "encoder.layer.*.attention.attn.v.*"},
                                       {"encoder.layers.*.attention.output.*", "encoder.layer.*.attention.attn.o.*"},
                                       {"encoder.layers.*.attention_norm.*", "encoder.layer.*.attention.LayerNorm.*"},
                                       {"encoder.layers.*.mlp.up.*", "encoder.layer.*.intermediate.dense.*"},
                                       {"encoder.layers.*.mlp.down.*", "encoder.layer.*.output.dense.*"},
                                       {"encoder.layers.*.mlp_norm.*", "encoder.layer.*.output.LayerNorm.*"},
                                       {"pooler.*", "pooler.dense.*"},
                                       {"span.*", "qa_outputs.*"}},
                             .spellings = {},
                             .body = {"embeddings.**", "encoder.**"},
                             .buffers = {"embeddings.position_ids"}},
                            detail::table_rules(weights, "lm_head.decoder.weight"), detail::roberta_head_rules(weights));
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INLINE BertConfig MpnetFamily::read_config(ConfigReader const& reader) {
  BertConfig config{.sizes = {.layers = 12, .vocabulary = 30527, .positions = 512, .token_types = 0},
                    .masked_lm_activation = Activation::gelu,  // exact, whatever the config says of the layers
                    .padding_id = 1,
                    .position_start = PositionStart::behind_padding};
  config = read_bert_settings(reader, config, {.classifier_dropout = ""});
  config.padding_id = config.printed.padding_id = 1;  // MPNetEmbeddings has it so, whatever `pad_token_id` says
  config.position.buckets = reader.size({"relative_attention_num_buckets"}, 32, largest_width);
  return config;
}

}  // namespace axiform::inline AXIFORM_ARCH

#endif  // AXIFORM_DEFINES(models)
