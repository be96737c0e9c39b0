/// @file
/// `LateInteraction`: ColBERT (Khattab and Zaharia 2020; Santhanam et al. 2022), which compares texts token by token. It finds what a single vector blurs, and
/// documents are still embedded before anybody asks.
///
///     auto const model = LateInteraction<>::from_directory("models/colbertv2.0", context);
///     for (SearchHit const& hit : model.rank("How tall is the tower?", passages, {.top_k = 3}, context))
///       std::cout << hit.score << "  " << passages[hit.index] << "\n";
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/late_interaction_config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/late_interaction_tokens.hpp>
#include <axiform/tasks/multi_vectors.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_dense.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// How texts are embedded token by token, and ranked.
struct LateInteractionOptions {
  std::size_t batch_size = 32;         ///< Texts that run together. It changes speed and memory, never a bit of the result.
  std::optional<std::size_t> top_k{};  ///< Hits of `rank` at most; all when not given.
  std::stop_token stop{};              ///< Ends the call with a `StoppedError`.
  ProgressCallback progress{};         ///< Is told how many texts are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Texts to vectors of their tokens, as ColBERT and PyLate: markers behind [CLS], queries that are filled up with [MASK], documents without the vectors of
/// punctuation, a projection, and unit length. Constant once made: one object serves any number of threads, each with a context of its own.
///
/// A text's vectors have the same bits whatever else is embedded with it, on any number of threads.
template <EncoderModel Encoder = Bert<>>
class LateInteraction {
 public:
  using Model = Encoder;  ///< What reads the tokens.

  /// From its parts. Projections are loaded from the folders that `config` names.
  /// @throws CheckpointError when the parts do not fit together; ArgumentError when queries or documents have fewer than 3 tokens.
  LateInteraction(Tokenizer tokenizer, Model model, LateInteractionConfig config, Context& context)
      : tokens_(std::move(tokenizer), config, model.positions()), model_(std::move(model)), config_(std::move(config)) {
    if (config_.expansion == QueryExpansion::unattended && !heeds_attended<Model>)
      throw CheckpointError("late interaction: found queries with tokens that nothing attends to, which this encoder does not have");
    width_ = model_.hidden_size();
    for (DenseConfig const& projection : config_.projections) {
      if (projection.inputs != width_)
        throw CheckpointError("late interaction: the module Dense takes vectors of " + std::to_string(projection.inputs) + ", expected " +
                              std::to_string(width_));
      projections_.push_back(SentenceDense::load(projection, context));
      width_ = projection.outputs;
    }
  }

  /// From a directory in either of ColBERT's formats; see `read_late_interaction_config`.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static LateInteraction from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    auto config = read_late_interaction_config(directory);
    auto tokenizer = Tokenizer::from_directory(config.transformer);
    auto model = load<Model>(config.transformer, loading, context);
    return {std::move(tokenizer), std::move(model), std::move(config), context};
  }
  /// The same with weights in f32.
  static LateInteraction from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// The vectors of each query's tokens, those included that it is filled up with. Long queries are cut at `query_length()`.
  /// @throws ArgumentError when the batch size is 0; StoppedError when told to stop; what the progress callback throws.
  template <TextRange Texts>
  MultiVectors embed_queries(Texts const& queries, LateInteractionOptions const& options, Context& context) const {
    return embed(queries, options, context, [&](std::string_view text) { return tokens_.query(text); });
  }
  /// The same for a list.
  MultiVectors embed_queries(std::initializer_list<std::string_view> queries, LateInteractionOptions const& options,
                             Context& context) const {
    return embed_queries(std::span(queries.begin(), queries.size()), options, context);
  }

  /// The vectors of each document's tokens, those left out that the model skips. Long documents are cut at `document_length()`.
  /// @throws As `embed_queries`.
  template <TextRange Texts>
  MultiVectors embed_documents(Texts const& documents, LateInteractionOptions const& options, Context& context) const {
    return embed(documents, options, context, [&](std::string_view text) { return tokens_.document(text); });
  }
  /// The same for a list.
  MultiVectors embed_documents(std::initializer_list<std::string_view> documents, LateInteractionOptions const& options,
                               Context& context) const {
    return embed_documents(std::span(documents.begin(), documents.size()), options, context);
  }

  /// The passages by their scores, best first, equals by index. To ask more than once, embed the passages once and use `multi_vector_search`.
  /// @throws As `embed_queries`; ArgumentError also when `top_k` is 0.
  template <TextRange Texts>
  std::vector<SearchHit> rank(std::string_view query, Texts const& passages, LateInteractionOptions const& options,
                              Context& context) const {
    auto const documents = embed_documents(passages, options, context);
    if (documents.count() == 0) return {};
    auto const asked = embed_queries({query}, {.batch_size = options.batch_size, .stop = options.stop}, context);
    return std::move(
        multi_vector_search(asked, documents, {.top_k = options.top_k.value_or(documents.count()), .stop = options.stop}, context).front());
  }
  /// The same with the defaults of all options.
  template <TextRange Texts>
  std::vector<SearchHit> rank(std::string_view query, Texts const& passages, Context& context) const {
    return rank(query, passages, {}, context);
  }

  LateInteractionTokens const& tokens() const noexcept { return tokens_; }            ///< What the model reads of a text.
  Model const& model() const noexcept { return model_; }                              ///< What reads the tokens.
  LateInteractionConfig const& config() const noexcept { return config_; }            ///< What its directory says.
  std::size_t dimensions() const noexcept { return width_; }                          ///< Numbers of a vector.
  std::size_t query_length() const noexcept { return tokens_.query_length(); }        ///< Tokens of a query.
  std::size_t document_length() const noexcept { return tokens_.document_length(); }  ///< Tokens of a document at most.

 private:
  template <class Texts, class Prepare>
  MultiVectors embed(Texts const& texts, LateInteractionOptions const& options, Context& context, Prepare const& prepare) const {
    std::size_t const count = std::ranges::size(texts);
    std::vector<MarkedTokens> prepared(count);
    context.executor().parallel_for(
        count, [&](std::size_t i) { prepared[i] = prepare(std::ranges::begin(texts)[static_cast<std::ptrdiff_t>(i)]); });
    MultiVectors result;
    std::vector<std::size_t> lengths(count);
    for (std::size_t i = 0; i < count; ++i) {
      lengths[i] = prepared[i].ids.size();
      result.texts.append(prepared[i].kept.size());
    }
    result.vectors = Tensor<float, axes::Tokens, axes::Hidden>(result.texts.total(), width_);
    internal::BatchRun const how{
        .what = "late interaction", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress};
    internal::for_each_batch(lengths, how, context, [&](std::span<std::size_t const> indices, Context& own) {
      internal::PackedEncodings packed(model_.token_types());
      std::vector<std::size_t> attended;
      bool is_partly_attended = false;
      for (std::size_t const i : indices) {
        packed.append(prepared[i].ids, prepared[i].type_ids);
        attended.push_back(prepared[i].attended);
        is_partly_attended = is_partly_attended || prepared[i].attended != lengths[i];
      }
      TokenBatch batch = packed.batch();
      if (is_partly_attended) batch.attended = attended;
      auto const vectors = project(model_(batch, own), own);
      for (std::size_t s = 0; s < indices.size(); ++s) {
        std::size_t row = result.texts.offset(indices[s]);
        for (std::size_t const token : prepared[indices[s]].kept) {
          auto const target = result.vectors.row(row++);
          std::ranges::copy(vectors.row(packed.sequences().offset(s) + token), target.begin());
          kernels::normalize_row(target.data(), target.size());
        }
      }
    });
    return result;
  }

  // Rows are rows to a linear map, be they texts or tokens.
  template <class States>
  Tensor<float, axes::Sequences, axes::Hidden> project(States states, Context& context) const {
    auto vectors = std::move(states).template with_axes<axes::Sequences, axes::Hidden>();
    for (SentenceDense const& projection : projections_) vectors = projection(vectors, context);
    return vectors;
  }

  LateInteractionTokens tokens_;
  Model model_;
  LateInteractionConfig config_;
  std::vector<SentenceDense> projections_;
  std::size_t width_ = 0;
};

}  // namespace axiform::inline AXIFORM_ARCH
