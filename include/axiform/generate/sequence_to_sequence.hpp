/// @file
/// `generate` with a model that reads one text and writes another: what it asks of such a model, and how sources are encoded once.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/axis.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/generate/causal_model.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/packed_sources.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/stopping.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// An encoder-decoder: its encoder reads a source, and its decoder writes a text token by token, beside what the source became.
///
/// `project_source(ids, sequences, context)` runs the encoder over packed sources and returns what the decoder reads of them, in every layer and for
/// every token: keys and values that are projected once. It copies at the price of a pointer. `make_cache(source, source_of, capacity)` makes a cache
/// with a sequence for each entry of `source_of`, which says which of the sources it is beside. The rest is as of a `RewindableLanguageModel`, and
/// `source_positions()` are the tokens that a source may have.
///
/// A model whose encoder has a vocabulary of its own also has `source_vocabulary()`.
template <class M>
concept SequenceToSequenceModel = std::copyable<typename M::Source> &&
    requires(M const& model, typename M::Source const& source, std::span<std::size_t const> source_of, std::span<TokenId const> ids,
             SequenceOffsets<axes::SourceTokens> const& sources, SequenceOffsets<axes::Tokens> const& sequences, typename M::Cache& cache,
             typename M::Cache const& other, Context& context, std::size_t n) {
  { model.positions() } -> std::convertible_to<std::size_t>;
  { model.source_positions() } -> std::convertible_to<std::size_t>;
  { model.vocabulary() } -> std::convertible_to<std::size_t>;
  { model.project_source(ids, sources, context) } -> std::same_as<typename M::Source>;
  { model.make_cache(source, source_of, n) } -> std::same_as<typename M::Cache>;
  { model.last_logits(ids, sequences, cache, context) } -> std::same_as<Tensor<float, axes::Sequences, axes::VocabularyEntries>>;
  { model.all_logits(ids, sequences, cache, context) } -> std::same_as<Tensor<float, axes::Tokens, axes::VocabularyEntries>>;
  { cache.lengths() } -> std::convertible_to<std::span<std::size_t const>>;
  cache.fork(n, n, n);
  cache.truncate(n, n);
  cache.copy(other, n, n);
};

/// Texts as lists of ids: a vector of vectors, a span of spans.
template <class Range>
concept TokenIdLists = requires(Range const& range) {
  { *std::begin(range) } -> std::convertible_to<std::span<TokenId const>>;
  { std::size(range) } -> std::convertible_to<std::size_t>;
};

/// A sequence-to-sequence model beside sources that it has read: a causal language model, which all of generate/ takes. The sources are encoded when it
/// is made, equal ones once, and however many beams and texts are beside one of them, they share it.
///
///     BesideSources const beside(model, source, context);
///     auto const text = generate(beside, {start, first_word}, options, context)[0];   // goes on from a beginning of the target
///     double const surprise = perplexity(beside, target, {}, context).perplexity;     // of a whole target
///
/// Prompt p of a batch, a beginning of the target, is beside source p. The model must outlive it.
template <SequenceToSequenceModel Model>
class BesideSources {
 public:
  using Cache = typename Model::Cache;  ///< The past of the target's sequences.

  /// @throws ArgumentError when sources cannot be encoded, as the constructors say.
  static void check(Model const& model, std::span<std::span<TokenId const> const> sources) {
    std::size_t vocabulary = model.vocabulary();
    if constexpr (requires { model.source_vocabulary(); }) vocabulary = model.source_vocabulary();
    PackedSources::check(sources, model.source_positions(), vocabulary);
  }

  /// Encodes sources.
  /// @param sources A range of ranges of ids.
  /// @throws ArgumentError when a source is empty, longer than the encoder's positions, or has an id that is not in the vocabulary.
  template <TokenIdLists Sources>
  BesideSources(Model const& model, Sources const& sources, Context& context)
      : BesideSources(model, checked(model, {std::begin(sources), std::end(sources)}), context) {}
  /// Encodes one source.
  /// @throws ArgumentError as above.
  BesideSources(Model const& model, TokenIds const& source, Context& context)
      : BesideSources(model, checked(model, {source.span()}), context) {}

  std::size_t positions() const { return model_->positions(); }       ///< Tokens of the longest target.
  std::size_t vocabulary() const { return model_->vocabulary(); }     ///< Tokens that may be written.
  /// Sources, those that are equal counted as often as they are there.
  std::size_t sources() const noexcept { return packed_.source_of.size(); }
  /// The tokens of one of them.
  /// @throws ArgumentError when there is no such source.
  std::span<TokenId const> source(std::size_t s) const& {
    if (s >= sources()) throw ArgumentError("sources: found source " + std::to_string(s) + ", expected one of " + std::to_string(sources()));
    std::size_t const packed = packed_.source_of[s];
    return std::span(packed_.ids).subspan(packed_.sequences.offset(packed), packed_.sequences.length(packed));
  }
  void source(std::size_t) const&& = delete;  ///< The span would dangle: give the owner a name.

  /// A cache for sequences that belong to the sources in equal shares, in order: of 6 sequences and 2 sources, 3 to each.
  /// @throws ArgumentError when the sequences cannot be shared out.
  Cache make_cache(std::size_t sequences, std::size_t capacity) const {
    return make_cache({.first = 0, .count = sources()}, sequences, capacity);
  }
  /// The same beside the sources of some prompts.
  Cache make_cache(PromptRange prompts, std::size_t sequences, std::size_t capacity) const {
    if (prompts.first > sources() || prompts.count > sources() - prompts.first)
      throw ArgumentError("sources: found prompts " + std::to_string(prompts.first) + " to " +
                          std::to_string(prompts.first + prompts.count) + ", expected some of " + std::to_string(sources()));
    if (prompts.count == 0 || sequences % prompts.count != 0)
      throw ArgumentError("sources: found " + std::to_string(sequences) + " sequences beside " + std::to_string(prompts.count) +
                          " sources, expected as many for each");
    std::vector<std::size_t> source_of(sequences);
    for (std::size_t s = 0; s < sequences; ++s) source_of[s] = packed_.source_of[prompts.first + s / (sequences / prompts.count)];
    return model_->make_cache(source_, source_of, capacity);
  }

  /// As the model's.
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const {
    return model_->last_logits(ids, sequences, cache, context);
  }
  /// As the model's.
  Tensor<float, axes::Tokens, axes::VocabularyEntries> all_logits(std::span<TokenId const> ids,
                                                                  SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                  Context& context) const {
    return model_->all_logits(ids, sequences, cache, context);
  }

 private:
  BesideSources(Model const& model, PackedSources packed, Context& context)
      : model_(&model), packed_(std::move(packed)), source_(model.project_source(packed_.ids, packed_.sequences, context)) {}

  static PackedSources checked(Model const& model, std::vector<std::span<TokenId const>> const& sources) {
    check(model, sources);
    return PackedSources(sources);
  }

  Model const* model_;
  PackedSources packed_;
  typename Model::Source source_;
};

/// Writes a text, or several, for each of some sources of any lengths. Sources run packed, without padding, and equal ones are encoded once; each text
/// is the same, bit for bit, as alone.
///
///     auto const texts = generate_batch(marian, std::vector{first.ids, second.ids}, {.decoder_start = 58100, .end_of_text = {0}}, context);
///     std::vector<TokenId> const& ids = texts[1][0].ids;   // of source 1 the first text, `decoder_start` included
///
/// @param sources A range of ranges of ids, at least one id each.
/// @param options `decoder_start` is needed; lengths count the target's tokens, `decoder_start` included.
/// @return        For each source `num_return_sequences` sequences, as those of a causal model with `decoder_start` as the prompt.
/// @throws ArgumentError when there is no `decoder_start`, a source cannot be encoded, or as for a causal model.
template <SequenceToSequenceModel Model, TokenIdLists Sources>
std::vector<std::vector<GeneratedSequence>> generate_batch(Model const& model, Sources const& sources, GenerateOptions const& options,
                                                           Context& context) {
  options.check(model.vocabulary());
  TokenId const start = options.checked_decoder_start(model.vocabulary());
  std::span<TokenId const> const prompt(&start, 1);
  options.checked_length(prompt.size(), model.positions());
  std::vector<std::span<TokenId const>> const all(std::begin(sources), std::end(sources));
  BesideSources<Model>::check(model, all);
  Stopping const stopping(options);
  return internal::generate_in_parts(all.size(), options, [&](PromptRange part) {
    if (auto const end = stopping.all())  // before the encoder runs
      return std::vector(part.count * options.num_return_sequences,
                         GeneratedSequence{.ids = {start}, .prompt_length = 1, .finish = *end, .reports = {}});
    BesideSources const beside(model, std::span(all).subspan(part.first, part.count), context);
    std::vector const prompts(part.count, prompt);
    return internal::generate_part(beside, {.first = 0, .count = part.count}, prompts, part.first * options.num_return_sequences, options,
                                   stopping, context);
  });
}

/// Writes texts for one source, and tells all about them: why each ended, its score, reports on its tokens where the options ask for them.
///
/// @param source Ids, at least one.
/// @return       `num_return_sequences` sequences, as `generate_batch`.
/// @throws ArgumentError as `generate_batch`.
template <SequenceToSequenceModel Model>
std::vector<GeneratedSequence> generate_sequences(Model const& model, TokenIds const& source, GenerateOptions const& options,
                                                  Context& context) {
  std::span<TokenId const> const ids = source;
  return std::move(generate_batch(model, std::span(&ids, 1), options, context).front());
}

/// Writes texts for one source.
///
///     auto const german = generate(marian, english, {.max_length = 512, .decoding = Decoding::beam_search, .num_beams = 4,
///                                                    .decoder_start = 58100, .end_of_text = {0}}, context)[0];
///
/// @param source Ids, at least one.
/// @return       `num_return_sequences` sequences of ids, `decoder_start` included, each ended by its own end-of-text or at full length.
/// @throws ArgumentError as `generate_batch`.
template <SequenceToSequenceModel Model>
std::vector<std::vector<TokenId>> generate(Model const& model, TokenIds const& source, GenerateOptions const& options, Context& context) {
  std::vector<std::vector<TokenId>> results;
  for (auto& sequence : generate_sequences(model, source, options, context)) results.push_back(std::move(sequence.ids));
  return results;
}

}  // namespace axiform::inline AXIFORM_ARCH
