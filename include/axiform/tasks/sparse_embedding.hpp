/// @file
/// `SparseEmbedding`: SPLADE (Formal et al. 2021), which writes a text as weights of words: its own, and others that a masked-LM model expects beside them.
/// Such vectors are searched as words are, and one can read what was found.
///
///     auto const model = SparseEmbedding<>::from_directory("models/splade-v3", context);
///     auto const queries = model.embed({"How tall is the tower?"}, {}, context), documents = model.embed(passages, {}, context);
///     for (SearchHit const& hit : sparse_search(queries, documents, {.top_k = 3}, context).front()) std::cout << passages[hit.index] << "\n";
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/sparse_config.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/sparse_vectors.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// How texts are embedded.
struct SparseOptions {
  std::size_t batch_size = 32;             ///< Texts that run together. It changes speed and memory, never a bit of the result.
  std::optional<std::size_t>
      max_words{};  ///< Words of a text at most, the heaviest; as many as the directory says, else all, when not given.
  std::stop_token stop{};                  ///< Ends the call with a `StoppedError`.
  ProgressCallback progress{};             ///< Is told how many texts are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Texts to weights of words, as sentence-transformers' SparseEncoder with SpladePooling: of each word of the vocabulary the greatest logit that any token has
/// for it, through a logarithm. Constant once made: one object serves any number of threads, each with a context of its own.
///
/// A text's weights have the same bits whatever else is embedded with it, on any number of threads.
template <MaskedLmModel ModelType = BertForMaskedLm<>>
class SparseEmbedding {
 public:
  using Model = ModelType;  ///< What reads the tokens, and expects words.

  /// From its parts.
  /// @throws CheckpointError when texts must be put in lower case, and the tokenizer keeps capitals.
  SparseEmbedding(Tokenizer tokenizer, Model model, SparseConfig config)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), config_(std::move(config)) {
    detail::check_lower_case(tokenizer_, config_.lower_case, config_.settings);
  }

  /// From a directory of sentence-transformers, or that of a model for masked language modelling alone.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static SparseEmbedding from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    auto config = read_sparse_config(directory);
    detail::expect_head(config.transformer, {ModelHead::masked_lm, ModelHead::pre_training}, "masked language modelling");
    auto tokenizer = Tokenizer::from_directory(config.transformer);
    auto model = load<Model>(config.transformer, loading, context);
    return {std::move(tokenizer), std::move(model), std::move(config)};
  }
  /// The same with weights in f32.
  static SparseEmbedding from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// The weights of each text's words, in the order of the texts; queries and documents are embedded alike. Long texts are cut.
  /// @throws ArgumentError when the batch size or `max_words` is 0; StoppedError when told to stop; what the progress callback throws.
  template <TextRange Texts>
  std::vector<SparseVector> embed(Texts const& texts, SparseOptions const& options, Context& context) const {
    auto const max_words = options.max_words ? options.max_words : config_.max_words;
    if (max_words) detail::check_positive(*max_words, "max_words");
    auto const encodings = tokenizer_.encode_batch(texts, {.max_length = max_length()}, context.executor());
    std::vector<std::size_t> lengths(encodings.size());
    std::ranges::transform(encodings, lengths.begin(), &Encoding::size);
    std::vector<SparseVector> result(encodings.size());
    internal::BatchRun const how{.what = "embed", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress};
    internal::for_each_batch(lengths, how, context, [&](std::span<std::size_t const> batch, Context& own) {
      internal::PackedEncodings packed(model_.token_types());
      for (std::size_t const i : batch) packed.append(encodings[i]);
      auto const states = model_.hidden_states(packed.batch(), own);
      for (std::size_t s = 0; s < batch.size(); ++s)
        result[batch[s]] = detail::sparse_of_logits(
            greatest_logits(states, packed.sequences().offset(s), packed.sequences().offset(s + 1), own), config_.activation, max_words);
    });
    return result;
  }
  /// The same for a list.
  std::vector<SparseVector> embed(std::initializer_list<std::string_view> texts, SparseOptions const& options, Context& context) const {
    return embed(std::span(texts.begin(), texts.size()), options, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts, and has the words that weights are of.
  Model const& model() const noexcept { return model_; }              ///< What reads the tokens, and expects words.
  SparseConfig const& config() const noexcept { return config_; }     ///< What its directory says.
  /// Tokens at which a text is cut, special ones included: what the model's files say, and no more than it has positions.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions(), config_.max_sequence_length); }

 private:
  // Logits are as wide as the vocabulary, so that only those of some tokens are in memory.
  template <class States>
  std::vector<float> greatest_logits(States const& states, std::size_t begin, std::size_t end, Context& context) const {
    constexpr std::size_t tokens_at_a_time = 16;
    std::vector<float> greatest(model_.vocabulary(), 0), of_some(greatest.size());
    for (std::size_t first = begin; first < end; first += tokens_at_a_time) {
      std::size_t const count = std::min(tokens_at_a_time, end - first);
      using HiddenAxis = LastAxis<States>;
      View<axes::Tokens, HiddenAxis> const rows(states.data() + first * states.row_stride(),
                                                Shape<axes::Tokens, HiddenAxis>::of({count, states.columns()}), states.row_stride());
      auto const logits = model_.logits(rows, context);
      kernels::maximum_of_rows(logits.data(), logits.row_stride(), count, greatest.size(), of_some.data());
      std::ranges::transform(greatest, of_some, greatest.begin(), [](float a, float b) { return b > a ? b : a; });
    }
    return greatest;
  }

  Tokenizer tokenizer_;
  Model model_;
  SparseConfig config_;
};

}  // namespace axiform::inline AXIFORM_ARCH
