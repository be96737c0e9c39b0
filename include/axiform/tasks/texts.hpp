/// @file
/// `TextPair` and `LongText`: what tasks take besides single texts, and what they do with those that are too long.
#pragma once

#include <string>

#include <axiform/core/config.hpp>

namespace axiform {

/// Two texts that a model reads together.
struct TextPair {
  std::string first;   ///< In front: a sentence, a premise, a question.
  std::string second;  ///< Behind: the next sentence, a hypothesis, a passage.
};

/// What becomes of a text that has more tokens than the model can read.
enum class LongText {
  refuse,  ///< It is an ArgumentError, which says how long the text is and how long it may be.
  cut      ///< Its end is left out; of a pair, that of the longer text first. What was left out has no say, and nobody is told.
};

}  // namespace axiform
