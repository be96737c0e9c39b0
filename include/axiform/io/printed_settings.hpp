/// @file
/// `PrintedSettings`: what of a config only a printed module tree shows.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include <axiform/core/config.hpp>

namespace axiform {

/// What a config says that no computation here needs, and that PyTorch prints with the module tree. Rates of dropout are written as the config
/// writes them: PyTorch prints 0 and 0.0 as they came.
struct PrintedSettings {
  std::string embedding_dropout = "0.1";   ///< Of the embeddings' sum: GPT-2's `embd_pdrop`, else as `hidden_dropout`.
  std::string hidden_dropout = "0.1";      ///< Of what a block adds: `hidden_dropout_prob`, `dropout`, `resid_pdrop`.
  std::string attention_dropout = "0.1";   ///< Of probabilities: `attention_probs_dropout_prob`, `attention_dropout`, `attn_pdrop`.
  std::string classifier_dropout = "0.1";  ///< Before a classifier: `classifier_dropout`; of texts, in DistilBERT `seq_classif_dropout`.
  std::string token_classifier_dropout = "0.1";  ///< The same of tokens; in DistilBERT it is `dropout`.
  std::string answer_dropout = "0.1";            ///< DistilBERT's `qa_dropout`.
  std::optional<std::size_t> padding_id = 0;     ///< `pad_token_id`.
  std::string activation = {};                   ///< The activation: "GELUActivation()"; empty where no config says.
};

}  // namespace axiform
