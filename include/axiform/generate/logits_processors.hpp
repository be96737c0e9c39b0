/// @file
/// Logits processors: what changes the scores of the next token before it is chosen, each alone and all in their order. They are Hugging
/// Face's (transformers 5.24, generation/logits_process.py).
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <variant>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>

namespace axiform {

/// The score of a token that cannot come.
inline constexpr float impossible = -std::numeric_limits<float>::infinity();

/// Makes tokens that are there already less probable (Keskar et al. 2019): their scores are divided by `penalty`, or multiplied when they
/// are below 0. Each token counts once, however often it is there.
struct RepetitionPenalty {
  double penalty;  ///< > 0; above 1 makes repetition less probable.

  /// @param ids    The tokens so far, prompt included.
  /// @param scores [VocabularyEntries], changed.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;
};

/// Makes every token impossible that would complete a sequence of `size` tokens that is there already.
struct NoRepeatNgram {
  std::size_t size;  ///< Tokens of the sequence, at least 1.

  /// Parameters as those of `RepetitionPenalty`.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;
};

/// Makes tokens of the source more probable: their scores are multiplied by `penalty`, or divided when they are below 0. Each counts once.
struct SourceRepetitionPenalty {
  std::span<TokenId const> source;  ///< The tokens of the source.
  double penalty;                   ///< > 0; above 1 makes tokens of the source more probable.

  /// Parameters as those of `RepetitionPenalty`.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;
};

/// Makes every token impossible that would complete a sequence of `size` tokens that is in the source.
struct NoNgramOfSource {
  std::span<TokenId const> source;  ///< The tokens of the source.
  std::size_t size;                 ///< Tokens of the sequence, at least 1.

  /// Parameters as those of `RepetitionPenalty`.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;
};

/// Makes the last token of a forbidden sequence impossible where the tokens before it are there.
struct NoBadWords {
  std::span<std::vector<TokenId> const> words;  ///< Sequences of at least one token.
  std::span<TokenId const> end_of_text;         ///< A word that is one of these alone is not heeded.

  /// Parameters as those of `RepetitionPenalty`.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;
};

/// Makes every end-of-text impossible below a length.
struct MinimumLength {
  std::size_t length;                    ///< Tokens in all, prompt included.
  std::span<TokenId const> end_of_text;  ///< What would end the text.

  /// Parameters as those of `RepetitionPenalty`.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;
};

/// Leaves only the given tokens possible at one place, with a score of 0 each.
struct ForcedTokens {
  std::size_t position;          ///< The tokens that are there when it applies.
  std::span<TokenId const> ids;  ///< What may come there.

  /// Parameters as those of `RepetitionPenalty`.
  void operator()(std::span<TokenId const> so_far, std::span<float> scores) const;
};

/// The processors that options ask for, in Hugging Face's order. Refers to the options and the source, which must outlive it.
///
///     LogitsProcessors const process(options, prompt, prompt.size(), 50);
///     process(ids, logits.row(0));
class LogitsProcessors {
 public:
  /// @param source        What the text is written beside; the prompt, where that is all.
  /// @param prompt_length Tokens of the prompt.
  /// @param max_length    The length at which the text ends, prompt included.
  LogitsProcessors(GenerateOptions const& options, std::span<TokenId const> source, std::size_t prompt_length, std::size_t max_length);

  bool empty() const noexcept { return list_.empty(); }  ///< Whether nothing would change.

  /// Runs them all. @param ids The tokens so far, prompt included. @param scores [VocabularyEntries], changed.
  void operator()(std::span<TokenId const> ids, std::span<float> scores) const;

 private:
  std::vector<
      std::variant<SourceRepetitionPenalty, RepetitionPenalty, NoRepeatNgram, NoNgramOfSource, NoBadWords, MinimumLength, ForcedTokens>>
      list_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE void RepetitionPenalty::operator()(std::span<TokenId const> ids, std::span<float> scores) const {
  std::vector<TokenId> present(ids.begin(), ids.end());
  std::ranges::sort(present);
  present.erase(std::unique(present.begin(), present.end()), present.end());
  for (TokenId const id : present) {
    if (id < 0 || static_cast<std::size_t>(id) >= scores.size()) continue;
    float& score = scores[static_cast<std::size_t>(id)];
    score = static_cast<float>(score < 0 ? score * penalty : score / penalty);
  }
}

AXIFORM_INLINE void NoRepeatNgram::operator()(std::span<TokenId const> ids, std::span<float> scores) const {
  NoNgramOfSource{ids, size}(ids, scores);
}

AXIFORM_INLINE void SourceRepetitionPenalty::operator()(std::span<TokenId const>, std::span<float> scores) const {
  RepetitionPenalty{1 / penalty}(source, scores);
}

AXIFORM_INLINE void NoNgramOfSource::operator()(std::span<TokenId const> ids, std::span<float> scores) const {
  if (size == 0 || ids.size() + 1 < size) return;
  auto const prefix = ids.last(size - 1);
  for (std::size_t i = 0; i + size <= source.size(); ++i) {
    if (!std::ranges::equal(source.subspan(i, size - 1), prefix)) continue;
    auto const id = static_cast<std::size_t>(source[i + size - 1]);
    if (id < scores.size()) scores[id] = impossible;
  }
}

AXIFORM_INLINE void NoBadWords::operator()(std::span<TokenId const> ids, std::span<float> scores) const {
  for (auto const& word : words) {
    if (word.empty() || (word.size() == 1 && std::ranges::find(end_of_text, word[0]) != end_of_text.end())) continue;
    auto const prefix = std::span(word).first(word.size() - 1);
    if (prefix.size() > ids.size() || !std::ranges::equal(ids.last(prefix.size()), prefix)) continue;
    auto const id = static_cast<std::size_t>(word.back());
    if (id < scores.size()) scores[id] = impossible;
  }
}

AXIFORM_INLINE void MinimumLength::operator()(std::span<TokenId const> ids, std::span<float> scores) const {
  if (ids.size() >= length) return;
  for (TokenId const id : end_of_text)
    if (id >= 0 && static_cast<std::size_t>(id) < scores.size()) scores[static_cast<std::size_t>(id)] = impossible;
}

AXIFORM_INLINE void ForcedTokens::operator()(std::span<TokenId const> so_far, std::span<float> scores) const {
  if (so_far.size() != position) return;
  std::ranges::fill(scores, impossible);
  for (TokenId const id : ids)
    if (id >= 0 && static_cast<std::size_t>(id) < scores.size()) scores[static_cast<std::size_t>(id)] = 0;
}

AXIFORM_INLINE LogitsProcessors::LogitsProcessors(GenerateOptions const& options, std::span<TokenId const> source,
                                                  std::size_t prompt_length, std::size_t max_length) {
  std::span<TokenId const> const end(options.end_of_text);
  if (options.encoder_repetition_penalty != 1.0) list_.emplace_back(SourceRepetitionPenalty{source, options.encoder_repetition_penalty});
  if (options.repetition_penalty != 1.0) list_.emplace_back(RepetitionPenalty{options.repetition_penalty});
  if (options.no_repeat_ngram_size != 0) list_.emplace_back(NoRepeatNgram{options.no_repeat_ngram_size});
  if (options.encoder_no_repeat_ngram_size != 0) list_.emplace_back(NoNgramOfSource{source, options.encoder_no_repeat_ngram_size});
  if (!options.bad_words.empty()) list_.emplace_back(NoBadWords{options.bad_words, end});
  std::size_t const least = options.min_new_tokens ? prompt_length + *options.min_new_tokens : options.min_length;
  if (least > prompt_length && !end.empty()) list_.emplace_back(MinimumLength{least, end});
  if (options.forced_bos) list_.emplace_back(ForcedTokens{1, std::span(&*options.forced_bos, 1)});
  if (!options.forced_eos.empty()) list_.emplace_back(ForcedTokens{max_length - 1, options.forced_eos});
}

AXIFORM_INLINE void LogitsProcessors::operator()(std::span<TokenId const> ids, std::span<float> scores) const {
  for (auto const& processor : list_) std::visit([&](auto const& process) { process(ids, scores); }, processor);
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
