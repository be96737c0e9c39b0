/// @file
/// `Reranker`: which passages answer a query best, by a model that reads both together (a cross-encoder). It is slower than comparing
/// embeddings, and better: search with those first, and rerank the hits.
///
///     auto const reranker = Reranker<>::from_directory("models/ms-marco-minilm", context);
///     for (SearchHit const& hit : reranker.rank("How tall is the tower?", passages, {.top_k = 3}, context))
///       std::cout << hit.score << "  " << passages[hit.index] << "\n";
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/reranker_config.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/label_logits.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// How passages are scored and ranked.
struct RerankOptions {
  std::optional<std::size_t> top_k{};           ///< Hits at most; all when not given.
  std::size_t batch_size = 32;                  ///< Pairs that run together. It changes speed and memory, never a bit of the result.
  std::optional<ScoreActivation> activation{};  ///< In the place of the one that the model's files name.
  std::stop_token stop{};                       ///< Ends the call with a `StoppedError`.
  ProgressCallback progress{};                  ///< Is told how many passages are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// A query and passages to scores, as sentence-transformers' CrossEncoder: a BERT, RoBERTa or DistilBERT for sequence classification with
/// one label, over pairs. Constant once made: one object serves any number of threads, each with a context of its own.
template <TextLabelModel ModelType = BertForSequenceClassification<>>
class Reranker {
 public:
  using Model = ModelType;  ///< What reads the pairs.

  /// From its parts.
  /// @throws CheckpointError when the model has more than one label.
  Reranker(Tokenizer tokenizer, Model model, ScoreActivation activation)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), activation_(activation) {
    if (std::size_t const labels = model_.labels(); labels != 1)
      throw CheckpointError("reranker: found a model of " + std::to_string(labels) + " labels, expected 1, the score");
  }

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of a cross-encoder with one label.
  static Reranker from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context), read_score_activation(directory)};
  }
  /// The same with weights in f32.
  static Reranker from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// The score of each passage, in their order; `top_k` is not heeded. Pairs that are too long are cut, the longer text first.
  /// @throws ArgumentError when the batch size is 0; StoppedError when told to stop; what the progress callback throws.
  template <TextRange Texts>
  std::vector<float> scores(std::string_view query, Texts const& passages, RerankOptions const& options, Context& context) const {
    std::size_t const count = std::ranges::size(passages);
    std::vector<Encoding> encodings(count);
    EncodeOptions const cut{.max_length = max_length()};
    context.executor().parallel_for(count, [&](std::size_t i) {
      encodings[i] = tokenizer_.encode_pair(query, std::ranges::begin(passages)[static_cast<std::ptrdiff_t>(i)], cut);
    });
    std::vector<float> result(count);
    bool const squash = options.activation.value_or(activation_) == ScoreActivation::sigmoid;
    internal::BatchRun const how{.what = "rerank", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress};
    internal::for_each_logits(model_, encodings, how, context, [&](std::size_t i, std::span<float const> logits) {
      result[i] = squash ? static_cast<float>(internal::sigmoid(logits[0])) : logits[0];
    });
    return result;
  }

  /// The passages by their scores, best first, equals by index.
  /// @throws As `scores`; ArgumentError also when `top_k` is 0.
  template <TextRange Texts>
  std::vector<SearchHit> rank(std::string_view query, Texts const& passages, RerankOptions const& options, Context& context) const {
    if (options.top_k) axiform::detail::check_positive(*options.top_k, "top_k");
    auto const found = scores(query, passages, options, context);
    std::vector<SearchHit> hits;
    for (std::size_t i = 0; i < found.size(); ++i) hits.push_back({.index = i, .score = found[i]});
    std::ranges::sort(hits, [](SearchHit const& a, SearchHit const& b) { return internal::is_better(a, b); });
    hits.resize(std::min(hits.size(), options.top_k.value_or(hits.size())));
    return hits;
  }
  /// The same with the defaults of all options.
  template <TextRange Texts>
  std::vector<SearchHit> rank(std::string_view query, Texts const& passages, Context& context) const {
    return rank(query, passages, {}, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }   ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }               ///< What reads the pairs.
  ScoreActivation activation() const noexcept { return activation_; }  ///< What becomes of the logit.
  /// Tokens at which a pair is cut, special ones included.
  std::size_t max_length() const noexcept {
    return std::min(tokenizer_.model_max_length().value_or(model_.positions()), model_.positions());
  }

 private:
  Tokenizer tokenizer_;
  Model model_;
  ScoreActivation activation_;
};

}  // namespace axiform::inline AXIFORM_ARCH
