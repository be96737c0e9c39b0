/// @file
/// `GenerationSession`: a text that grows over several turns, and its key-value cache, kept, forked and rolled back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/generate/causal_model.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/stopping.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// One text of a model that is continued turn by turn. What has been run stays in the cache, and is not run again; the tokens are the same,
/// bit for bit, as from scratch.
///
///     GenerationSession session(gpt2);
///     session.append(question);
///     auto const answer = session.generate({.max_new_tokens = 40, .seed = 1}, context);
///     auto other = session.fork();                  // two ways on from here
///     session.roll_back(question.size());           // the answer never happened
///
/// The model must outlive it. Moves; `fork` copies.
template <RewindableLanguageModel Model>
class GenerationSession {
 public:
  /// An empty text. Its cache grows with it: a long capacity costs nothing until it is used.
  /// @param capacity Tokens that it may have; the model's positions unless given.
  /// @throws ArgumentError when the model has fewer positions.
  explicit GenerationSession(Model const& model, std::optional<std::size_t> capacity = std::nullopt)
      : model_(&model),
        capacity_(capacity.value_or(model.positions())),
        cached_capacity_(std::min<std::size_t>(checked_capacity(), least_capacity)),
        cache_(model.make_cache(1, cached_capacity_)) {}

  /// The tokens so far: what was appended, and what was generated.
  std::span<TokenId const> ids() const& noexcept { return ids_; }
  void ids() const&& = delete;                                       ///< The span would dangle: give the owner a name.
  std::size_t size() const noexcept { return ids_.size(); }          ///< The number of tokens so far.
  std::size_t capacity() const noexcept { return capacity_; }        ///< Tokens that it may have.
  /// Tokens that need not be run again.
  std::size_t cached() const noexcept { return cache_.lengths()[0]; }

  /// Adds tokens at the end. They run with the next call that needs them.
  /// @throws ArgumentError when an id is not in the vocabulary, or there is no room; nothing is added then.
  void append(TokenIds const& token_ids) {
    std::span<TokenId const> const ids = token_ids;
    check_ids(ids, model_->vocabulary(), "token id");
    if (ids.size() > capacity_ - ids_.size())
      throw ArgumentError("session: found " + std::to_string(ids_.size()) + " tokens and " + std::to_string(ids.size()) +
                          " more, expected at most " + std::to_string(capacity_));
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }

  /// Continues the text. With `GenerateOptions::prompt_lookup` earlier turns propose tokens as the prompt does.
  /// @return All tokens, those of earlier turns as the prompt.
  /// @throws ArgumentError as `axiform::generate`, and when the options ask for beams or for several sequences; the text is as before then.
  GeneratedSequence generate(GenerateOptions const& options, Context& context) {
    if (options.has_beams() || options.num_return_sequences != 1)
      throw ArgumentError("session: has one text, expected num_return_sequences 1 and no beams; fork it to continue in several ways");
    options.check(model_->vocabulary());
    make_room(options.checked_length(ids_.size(), capacity_));
    forget_last();
    std::span<TokenId const> const prompt(ids_);
    try {
      Stopping const stopping(options);
      auto texts = internal::TokenGeneration<Model>(*model_, {}, std::span(&prompt, 1), 0, options, stopping, cache_, context).run();
      ids_ = texts[0].ids;
      return std::move(texts[0]);
    } catch (...) {
      cache_.truncate(0, std::min(cached(), ids_.size()));
      throw;
    }
  }

  /// The logits of the next token. @return [VocabularyEntries]. @throws ArgumentError when there is no token yet.
  std::vector<float> next_logits(Context& context) {
    if (ids_.empty()) throw ArgumentError("session: found no token, expected at least one");
    make_room(ids_.size());
    forget_last();
    auto const missing = std::span<TokenId const>(ids_).subspan(cached());
    auto const logits = model_->last_logits(missing, SequenceOffsets<axes::Tokens>::single(missing.size()), cache_, context);
    auto const row = logits.row(0);
    return {row.begin(), row.end()};
  }

  /// Forgets what came behind the first `length` tokens. @throws ArgumentError when there are fewer.
  void roll_back(std::size_t length) {
    if (length > ids_.size())
      throw ArgumentError("session: found a length of " + std::to_string(length) + " to roll back to, expected at most the " +
                          std::to_string(ids_.size()) + " tokens that there are");
    ids_.resize(length);
    cache_.truncate(0, std::min(cached(), length));
  }

  /// A second session with the same text and a copy of the cache.
  GenerationSession fork() const {
    GenerationSession other(*model_, capacity_);
    other.make_room(cached());
    other.ids_ = ids_;
    other.cache_.copy(cache_, 0, 0);
    return other;
  }

 private:
  static constexpr std::size_t least_capacity = 256;

  // In the cache, for so many tokens.
  void make_room(std::size_t tokens) {
    if (tokens <= cached_capacity_) return;
    std::size_t const capacity = std::min(capacity_, std::max(tokens, 2 * cached_capacity_));
    auto larger = model_->make_cache(1, capacity);
    larger.copy(cache_, 0, 0);
    cache_ = std::move(larger);
    cached_capacity_ = capacity;
  }
  std::size_t checked_capacity() const {
    if (capacity_ == 0 || capacity_ > model_->positions())
      throw ArgumentError("session: found a capacity of " + std::to_string(capacity_) + " tokens, expected 1 to the model's " +
                          std::to_string(model_->positions()) + " positions");
    return capacity_;
  }
  // The last token must run for its logits to be had.
  void forget_last() {
    if (cached() == ids_.size()) cache_.truncate(0, ids_.size() - 1);
  }

  Model const* model_;
  std::size_t capacity_;
  std::size_t cached_capacity_;  // of the cache: tokens that fit without a larger one
  typename Model::Cache cache_;
  std::vector<TokenId> ids_;
};

}  // namespace axiform::inline AXIFORM_ARCH
