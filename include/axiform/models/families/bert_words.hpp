/// @file
/// Parts of printed trees that families on BERT's encoder have alike (`ModuleWords`). A family that uses those of a head says what its `<body>` is.
#pragma once

#include <string_view>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// The feed-forward block of a layer in PyTorch's words, as BERT, RoBERTa and MPNet have it.
inline constexpr std::string_view bert_feed_forward_words = R"(
(intermediate): @Intermediate(
  (dense): Linear(in_features={hidden}, out_features={inner}, bias=True)
  (intermediate_act_fn): {activation}
)
(output): @Output(
  (dense): Linear(in_features={inner}, out_features={hidden}, bias=True)
  (LayerNorm): {norm}
  (dropout): Dropout(p={hidden_dropout}, inplace=False)
))";

/// The encoder in PyTorch's words, as BERT and RoBERTa have it.
inline constexpr std::string_view bert_encoder_words = R"(
(encoder): @Encoder(
  (layer): ModuleList(
    (*): @Layer(
      (attention): @Attention(
        (self): @SelfAttention(
          (query): Linear(in_features={hidden}, out_features={width}, bias=True)
          (key): Linear(in_features={hidden}, out_features={width}, bias=True)
          (value): Linear(in_features={hidden}, out_features={width}, bias=True)
          (dropout): Dropout(p={attention_dropout}, inplace=False)
        )
        (output): @SelfOutput(
          (dense): Linear(in_features={width}, out_features={hidden}, bias=True)
          (LayerNorm): {norm}
          (dropout): Dropout(p={hidden_dropout}, inplace=False)
        )
      )
      <feed_forward>
    )
  )
))";

/// The pooler in PyTorch's words.
inline constexpr std::string_view bert_pooler_words = R"(
(pooler): @Pooler(
  (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
  (activation): Tanh()
))";

/// The head that finds answers, on a `<body>`.
inline constexpr std::string_view bert_answer_words = R"(
@ForQuestionAnswering(
  <body>
  (qa_outputs): Linear(in_features={hidden}, out_features=2, bias=True)
))";

/// The head that labels tokens, on a `<body>`.
inline constexpr std::string_view bert_token_label_words = R"(
@ForTokenClassification(
  <body>
  (dropout): Dropout(p={token_classifier_dropout}, inplace=False)
  (classifier): Linear(in_features={hidden}, out_features={classifier.weight}, bias=True)
))";

/// RoBERTa's head that guesses masked tokens, on a `<body>`.
inline constexpr std::string_view roberta_masked_lm_words = R"(
@ForMaskedLM(
  <body>
  (lm_head): @LMHead(
    (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
    (layer_norm): {norm}
    (decoder): Linear(in_features={hidden}, out_features={vocabulary}, bias=True)
  )
))";

/// RoBERTa's head that labels texts, on a `<body>`.
inline constexpr std::string_view roberta_text_label_words = R"(
@ForSequenceClassification(
  <body>
  (classifier): @ClassificationHead(
    (dense): Linear(in_features={hidden}, out_features={hidden}, bias=True)
    (dropout): Dropout(p={classifier_dropout}, inplace=False)
    (out_proj): Linear(in_features={hidden}, out_features={head.output.weight}, bias=True)
  )
))";

}  // namespace axiform::detail
