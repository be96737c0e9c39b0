/// @file
/// What ends a sequence: `StopStrings` finds texts across the borders of tokens, `Stopping` asks all that can end one.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/result.hpp>

namespace axiform {

/// Texts that end a sequence with the token that completes one of them, wherever tokens begin and end (Hugging Face's StopStringCriteria).
/// The token may go on behind the text, and the text may have begun in the prompt.
///
///     StopStrings const stop({"\n\n"}, [&](std::span<TokenId const> ids) { return tokenizer.decode(ids); });
///     bool const is_end = stop(ids);
class StopStrings {
 public:
  using Decode = std::function<std::string(std::span<TokenId const>)>;  ///< The text of tokens.

  /// @param texts  Not empty.
  /// @param decode The text of tokens, called with the last tokens of a sequence.
  StopStrings(std::vector<std::string> texts, Decode decode);

  bool empty() const noexcept { return texts_.empty(); }  ///< Whether nothing is looked for.

  /// Whether the last of `ids` completes one of the texts.
  bool operator()(std::span<TokenId const> ids) const;

 private:
  std::vector<std::string> texts_;
  Decode decode_;
  std::size_t longest_ = 0;
};

/// Asks all that can end the sequences of one call. Refers to the options, which must outlive it.
class Stopping {
 public:
  /// `max_time` begins now.
  explicit Stopping(GenerateOptions const& options);

  /// Whether everything ends now: a stop was requested, or the time is up.
  std::optional<FinishReason> all() const;
  /// Whether the sequence ends with its last token. @param sequence The number that `stop_when` is told. @param ids Prompt included.
  /// @param max_length The length at which it ends in any case.
  std::optional<FinishReason> one(std::size_t sequence, std::span<TokenId const> ids, std::size_t max_length) const;

 private:
  GenerateOptions const& options_;
  StopStrings strings_;
  std::chrono::steady_clock::time_point begin_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE StopStrings::StopStrings(std::vector<std::string> texts, Decode decode)
    : texts_(std::move(texts)), decode_(std::move(decode)) {
  for (auto const& text : texts_) longest_ = std::max(longest_, text.size());
}

AXIFORM_INLINE bool StopStrings::operator()(std::span<TokenId const> ids) const {
  if (texts_.empty() || ids.empty()) return false;
  // Only the end is decoded: so many tokens that what came before the last is longer than any text, cut characters at its begin aside.
  std::size_t const enough = longest_ + 16;
  std::size_t count = std::min<std::size_t>(ids.size(), 17);
  std::string before = decode_(ids.last(count).first(count - 1));
  while (before.size() < enough && count < ids.size()) {
    count = std::min(ids.size(), 2 * count);
    before = decode_(ids.last(count).first(count - 1));
  }
  std::string const text = decode_(ids.last(count));
  // A character whose first bytes were there reads otherwise now: what is new begins where the two differ.
  auto const old = static_cast<std::size_t>(std::ranges::mismatch(before, text).in2 - text.begin());
  return std::ranges::any_of(texts_, [&](std::string const& stop) {
    return text.find(stop, old + 1 > stop.size() ? old + 1 - stop.size() : 0) != std::string::npos;
  });
}

AXIFORM_INLINE Stopping::Stopping(GenerateOptions const& options)
    : options_(options), strings_(options.stop_strings, options.decode), begin_(std::chrono::steady_clock::now()) {}

AXIFORM_INLINE std::optional<FinishReason> Stopping::all() const {
  if (options_.stop.stop_requested()) return FinishReason::stopped;
  if (options_.max_time && std::chrono::steady_clock::now() - begin_ >= *options_.max_time) return FinishReason::time;
  return std::nullopt;
}

AXIFORM_INLINE std::optional<FinishReason> Stopping::one(std::size_t sequence, std::span<TokenId const> ids, std::size_t max_length) const {
  if (std::ranges::find(options_.end_of_text, ids.back()) != options_.end_of_text.end()) return FinishReason::end_of_text;
  if (strings_(ids)) return FinishReason::stop_string;
  if (options_.stop_when && options_.stop_when(sequence, ids)) return FinishReason::stop_when;
  if (ids.size() >= max_length) return FinishReason::length;
  return std::nullopt;
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
