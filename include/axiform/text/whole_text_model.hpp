/// @file
/// A model that takes texts as they are, for which a tokenizer has no steps: it normalises, splits and cuts by itself, and is chosen when a program runs.
#pragma once

#include <cstddef>
#include <string_view>

#include <axiform/text/encoding.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform::detail {

/// The model. Immutable: any number of threads encode at once.
class WholeTextModel {
 public:
  virtual ~WholeTextModel() = default;

  /// Appends the tokens of `text`, valid UTF-8 that lies at byte `base` of what is encoded, between two added tokens or the ends. `vocabulary` is the
  /// tokenizer's.
  virtual void encode(std::string_view text, std::size_t base, Vocabulary const& vocabulary, TokenSink& sink) const = 0;
};

}  // namespace axiform::detail
