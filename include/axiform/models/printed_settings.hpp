/// @file
/// `PrintedSettings`: what of a config only a printed module tree shows.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/core/config.hpp>

namespace axiform {

/// A text of a config, or the one that stands where no config says: a literal, so that a model is a constant expression where its type has all its
/// lengths (Clang makes no std::string there).
class PrintedText {
 public:
  /// The text of a literal.
  constexpr PrintedText(char const* literal = "") noexcept : literal_(literal) {}
  /// A text of its own.
  PrintedText(std::string text) : own_(std::move(text)) {}

  /// The text.
  constexpr operator std::string_view() const noexcept { return own_ ? std::string_view(*own_) : std::string_view(literal_); }
  /// Whether two texts are the same.
  friend bool operator==(PrintedText const& a, std::string_view b) noexcept { return std::string_view(a) == b; }

 private:
  char const* literal_ = "";
  std::optional<std::string> own_;
};

/// What a config says that no computation here needs, and that PyTorch prints with the module tree. Rates of dropout are written as the config
/// writes them: PyTorch prints 0 and 0.0 as they came.
struct PrintedSettings {
  PrintedText class_prefix = "Bert";       ///< How the family's classes begin: "Roberta", "GPT2".
  PrintedText embedding_dropout = "0.1";   ///< Of the embeddings' sum: GPT-2's `embd_pdrop`, else as `hidden_dropout`.
  PrintedText hidden_dropout = "0.1";      ///< Of what a block adds: `hidden_dropout_prob`, `dropout`, `resid_pdrop`.
  PrintedText attention_dropout = "0.1";   ///< Of probabilities: `attention_probs_dropout_prob`, `attention_dropout`, `attn_pdrop`.
  PrintedText classifier_dropout = "0.1";  ///< Before a classifier: `classifier_dropout`; of texts, in DistilBERT `seq_classif_dropout`.
  PrintedText token_classifier_dropout = "0.1";  ///< The same of tokens; in DistilBERT it is `dropout`.
  PrintedText answer_dropout = "0.1";            ///< DistilBERT's `qa_dropout`.
  std::optional<std::size_t> padding_id = 0;     ///< `pad_token_id`.
  std::size_t layer_groups = 1;                  ///< ALBERT's `num_hidden_groups`.
  std::size_t inner_layers = 1;                  ///< ALBERT's `inner_group_num`.
  PrintedText activation = {};                   ///< The activation: "GELUActivation()"; empty where no config says.
  PrintedText head_activation = {};              ///< That of a head, where a config has one for it.
};

}  // namespace axiform
