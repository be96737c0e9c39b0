/// @file
/// `M3Embedding`: BGE-M3 (Chen et al. 2024), which gives a vector of a text, weights of its words and vectors of its tokens, all from one pass.
///
///     auto const model = M3Embedding<>::from_directory("models/bge-m3", context);
///     auto const queries = model.embed({"How tall is the tower?"}, {}, context), documents = model.embed(passages, {}, context);
///     auto const scores = combine(m3_scores(queries, documents, context), {.dense = 0.4, .sparse = 0.2, .vectors = 0.4});
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
#include <axiform/core/progress.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/m3_heads.hpp>
#include <axiform/tasks/m3_scores.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// Whether one of the three is computed.
enum class M3Part {
  computed,  ///< It is.
  left_out   ///< It is not, and is empty.
};

/// How texts are embedded.
struct M3Options {
  std::size_t batch_size = 32;              ///< Texts that run together. It changes speed and memory, never a bit of the result.
  std::optional<std::size_t> max_length{};  ///< Tokens at which a text is cut, special ones included; the model's longest when not given.
  M3Part dense = M3Part::computed;          ///< The vector of a text.
  M3Part sparse = M3Part::computed;         ///< The weights of its words.
  M3Part vectors = M3Part::computed;        ///< The vectors of its tokens.
  std::stop_token stop{};                   ///< Ends the call with a `StoppedError`.
  ProgressCallback progress{};              ///< Is told how many texts are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Texts to what BGE-M3 gives for them, as FlagEmbedding's `BGEM3FlagModel`. Constant once made: one object serves any number of threads, each with a
/// context of its own.
///
/// - dense: the first token's hidden state, of unit length;
/// - sparse: relu of a linear map of each token's, the greatest for each id; those of [CLS], the end, padding and unknown words are left out;
/// - vectors: a linear map of each token's but the first, of unit length.
///
/// A text's result has the same bits whatever else is embedded with it, on any number of threads.
template <EncoderModel Encoder = Bert<>>
class M3Embedding {
 public:
  using Model = Encoder;  ///< What reads the tokens.

  /// From its parts.
  M3Embedding(Tokenizer tokenizer, Model model, M3Heads heads)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), heads_(std::move(heads)) {
    SpecialTokens const& special = tokenizer_.special_tokens();
    for (auto const& id : {special.cls, special.eos ? special.eos : special.sep, special.pad, special.unk})
      if (id) left_out_.push_back(*id);
  }

  /// From a directory: the encoder and its tokenizer as Hugging Face has them, and the two maps beside them.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static M3Embedding from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    auto model = load<Model>(directory, loading, context);
    auto heads = M3Heads::load(directory, model.hidden_size());
    return {Tokenizer::from_directory(directory), std::move(model), std::move(heads)};
  }
  /// The same with weights in f32.
  static M3Embedding from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// All three of each text, in their order; queries and documents are embedded alike.
  /// @throws ArgumentError when the batch size is 0, or the length leaves no room; StoppedError when told to stop; what the progress callback throws.
  template <TextRange Texts>
  M3Embeddings embed(Texts const& texts, M3Options const& options, Context& context) const {
    auto const encodings = tokenizer_.encode_batch(texts, {.max_length = std::min(options.max_length.value_or(max_length()), max_length())},
                                                   context.executor());
    M3Embeddings result;
    std::vector<std::size_t> lengths(encodings.size());
    for (std::size_t i = 0; i < encodings.size(); ++i) {
      lengths[i] = encodings[i].size();
      if (options.vectors == M3Part::computed) result.vectors.texts.append(lengths[i] == 0 ? 0 : lengths[i] - 1);
    }
    if (options.dense == M3Part::computed)
      result.dense = Tensor<float, axes::Sequences, axes::Hidden>(encodings.size(), model_.hidden_size());
    if (options.sparse == M3Part::computed) result.sparse.resize(encodings.size());
    if (options.vectors == M3Part::computed)
      result.vectors.vectors = Tensor<float, axes::Tokens, axes::Hidden>(result.vectors.texts.total(), heads_.vectors.outputs());
    internal::BatchRun const how{.what = "embed", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress};
    internal::for_each_batch(lengths, how, context, [&](std::span<std::size_t const> batch, Context& own) {
      internal::PackedEncodings packed(model_.token_types());
      for (std::size_t const i : batch) packed.append(encodings[i]);
      auto const states = model_(packed.batch(), own).template with_axes<axes::Tokens, axes::Hidden>();
      SequenceOffsets<axes::Tokens> const& sequences = packed.sequences();
      if (options.dense == M3Part::computed)
        for (std::size_t s = 0; s < batch.size(); ++s)
          if (sequences.length(s) != 0) copy_normal(states.row(sequences.offset(s)), result.dense.row(batch[s]));
      if (options.sparse == M3Part::computed) {
        auto const weights = heads_.sparse(states, own);
        for (std::size_t s = 0; s < batch.size(); ++s)
          result.sparse[batch[s]] = weights_of(encodings[batch[s]], weights, sequences.offset(s));
      }
      if (options.vectors == M3Part::computed) {
        auto const vectors = heads_.vectors(states, own);
        for (std::size_t s = 0; s < batch.size(); ++s)
          for (std::size_t token = 1; token < sequences.length(s); ++token)
            copy_normal(vectors.row(sequences.offset(s) + token),
                        result.vectors.vectors.row(result.vectors.texts.offset(batch[s]) + token - 1));
      }
    });
    return result;
  }
  /// The same for a list.
  M3Embeddings embed(std::initializer_list<std::string_view> texts, M3Options const& options, Context& context) const {
    return embed(std::span(texts.begin(), texts.size()), options, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads the tokens.
  M3Heads const& heads() const noexcept { return heads_; }            ///< The maps behind it.
  /// Tokens of the longest text, special ones included.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  static void copy_normal(std::span<float const> source, std::span<float> target) {
    std::ranges::copy(source, target.begin());
    kernels::normalize_row(target.data(), target.size());
  }

  SparseVector weights_of(Encoding const& encoding, View<axes::Tokens, axes::Hidden> weights, std::size_t first) const {
    internal::GreatestWeights greatest;
    for (std::size_t i = 0; i < encoding.size(); ++i)
      if (std::ranges::find(left_out_, encoding.ids[i]) == left_out_.end()) greatest.offer(encoding.ids[i], weights(first + i, 0));
    return greatest.take();
  }

  Tokenizer tokenizer_;
  Model model_;
  M3Heads heads_;
  std::vector<TokenId> left_out_;
};

}  // namespace axiform::inline AXIFORM_ARCH
