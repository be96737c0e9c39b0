/// @file
/// `SentenceEmbedding`: a vector for each text; the cosine of two says how close their meanings are.
///
///     auto context = Context::with_threads(2);
///     auto const bert = SentenceEmbedding<MiniLmL6>::from_directory("models/minilm-l6", context);
///     auto const embeddings = bert.embed({"A man is eating food.", "A man eats a meal."}, {}, context);
///     float const similarity = cos_sim(embeddings, embeddings)(0, 1);   // 0.908
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/ops/rows.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// How texts are embedded.
struct EmbedOptions {
  std::size_t batch_size = 32;  ///< Texts that run together. It changes speed and memory, never a bit of the result.
};

/// One vector for each sequence of a batch.
///
/// @param hidden_states [Tokens, Columns], packed.
/// @return              [Sequences, Columns], in the context's memory. An empty sequence gets zeros.
/// @throws ShapeError when the sequences do not fill the rows.
template <RowsOf<Hidden> X>
Tensor<float, Sequences, LastAxis<X>> pool_sequences(X const& hidden_states, SequenceOffsets<Tokens> const& sequences, Pooling pooling,
                                                     Normalization normalization, Context& context) {
  auto const states = as_view(hidden_states);
  sequences.check_rows(states.rows(), "pool_sequences");
  std::size_t const columns = states.columns();
  auto result = make_tensor<float>(context, Shape<Sequences, LastAxis<X>>::of({sequences.count(), columns}));
  for_row_ranges(context.executor(), sequences.count(), columns, [&](std::size_t first, std::size_t last) {
    for (std::size_t s = first; s < last; ++s) {
      float const* const rows = states.data() + sequences.offset(s) * states.row_stride();
      float* const target = result.data() + s * columns;
      switch (pooling) {
        case Pooling::mean: kernels::mean_of_rows(rows, states.row_stride(), sequences.length(s), columns, target); break;
        case Pooling::maximum: kernels::maximum_of_rows(rows, states.row_stride(), sequences.length(s), columns, target); break;
        case Pooling::first_token:
          kernels::mean_of_rows(rows, states.row_stride(), std::min<std::size_t>(sequences.length(s), 1), columns, target);
          break;
      }
      if (normalization == Normalization::unit_length) kernels::normalize_row(target, columns);
    }
  });
  return result;
}

/// Texts to vectors, as sentence-transformers: the tokenizer, the encoder, the pooling and the normalisation that a directory names.
/// Constant once made: one object serves any number of threads, each with a context of its own.
template <DimensionsLike D = DynamicDimensions>
class SentenceEmbedding {
 public:
  /// From its parts.
  SentenceEmbedding(Tokenizer tokenizer, Bert<D> bert, SentenceConfig const& config)
      : tokenizer_(std::move(tokenizer)), bert_(std::move(bert)), config_(config) {}

  /// From a Hugging Face directory, with or without `modules.json`.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of a BERT of these dimensions.
  static SentenceEmbedding from_directory(std::filesystem::path const& directory, Context& context) {
    auto const config = read_sentence_config(directory);
    return {Tokenizer::from_directory(directory), load<Bert<D>>(directory, context), config};
  }

  /// One embedding for each text. Long texts are cut at the model's maximum; empty ones are the special tokens alone.
  ///
  /// @return [Sequences, Hidden], on the heap, in the order of the texts. A text's embedding has the same bits whatever else is embedded.
  /// @throws ArgumentError when the batch size is 0.
  Tensor<float, Sequences, typename D::Hidden> embed(std::span<std::string const> texts, EmbedOptions const& options, Context& context) const {
    if (options.batch_size == 0) throw ArgumentError("batch_size: found 0, expected at least 1");
    EncodeOptions const cut{.max_length = max_length()};
    auto const encodings = tokenizer_.encode_batch(texts, cut, context.executor());
    Tensor<float, Sequences, typename D::Hidden> embeddings(
        Shape<Sequences, typename D::Hidden>::of({texts.size(), bert_.dimensions.hidden}));
    // The longest come first: what they need of memory serves all that follow.
    std::vector<std::size_t> order(texts.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return encodings[a].size() > encodings[b].size(); });
    auto const embed_from = [&](std::size_t first, std::size_t size, Context& own) {
      embed_batch(encodings, std::span(order).subspan(first, std::min(size, order.size() - first)), embeddings, own);
    };
    std::size_t const threads = context.executor().concurrency();
    if (threads == 1 || texts.size() < 8 * threads || context.observer()) {
      for (std::size_t first = 0; first < order.size(); first += options.batch_size) embed_from(first, options.batch_size, context);
      return embeddings;
    }
    // Many texts: whole batches to threads, which take the next when they are done and never wait for each other within a layer. 2 000 sentences
    // of 27 tokens took MiniLM-L6 1.18 times as long when two threads shared each operation.
    std::size_t const size = std::clamp<std::size_t>(texts.size() / (4 * threads), 1, options.batch_size);
    std::atomic<std::size_t> next{0};
    context.executor().parallel_for(threads, [&](std::size_t) {
      Context own;
      for (std::size_t first = next.fetch_add(size); first < order.size(); first = next.fetch_add(size)) embed_from(first, size, own);
    });
    return embeddings;
  }
  /// The same for a list.
  Tensor<float, Sequences, typename D::Hidden> embed(std::initializer_list<std::string> texts, EmbedOptions const& options, Context& context) const {
    return embed(std::span(texts.begin(), texts.size()), options, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Bert<D> const& bert() const noexcept { return bert_; }              ///< What reads the tokens.
  SentenceConfig const& config() const noexcept { return config_; }   ///< What makes a vector of the states.
  /// Tokens at which a text is cut, special ones included.
  std::size_t max_length() const noexcept {
    return std::min(config_.max_sequence_length.value_or(bert_.sizes.positions), bert_.sizes.positions);
  }

 private:
  void embed_batch(std::span<Encoding const> encodings, std::span<std::size_t const> batch,
                   Tensor<float, Sequences, typename D::Hidden>& embeddings, Context& context) const {
    std::vector<TokenId> ids;
    SequenceOffsets<Tokens> sequences;
    for (std::size_t index : batch) {
      ids.insert(ids.end(), encodings[index].ids.begin(), encodings[index].ids.end());
      sequences.append(encodings[index].size());
    }
    auto const states = bert_({.ids = ids, .sequences = sequences}, context);
    auto const pooled = pool_sequences(states, sequences, config_.pooling, config_.normalization, context);
    for (std::size_t i = 0; i < batch.size(); ++i) std::ranges::copy(pooled.row(i), embeddings.row(batch[i]).begin());
  }

  Tokenizer tokenizer_;
  Bert<D> bert_;
  SentenceConfig config_;
};

/// The cosine of every row of `a` with every row of `b`. A row of zeros has a cosine of 0 with everything.
///
/// @param a [Sequences, Columns]; @param b [Sequences, Columns].
/// @return  [rows of a, rows of b].
/// @throws ShapeError when the rows differ in length.
template <TensorLike A, TensorLike B>
Tensor<float, Queries, Keys> cos_sim(A const& a, B const& b) {
  auto const left = as_view(a);
  auto const right = as_view(b);
  if (left.columns() != right.columns())
    throw ShapeError("cos_sim: found rows of " + std::to_string(left.columns()) + " and of " + std::to_string(right.columns()));
  auto const length = [](auto const& row) { return std::max(std::sqrt(kernels::dot(row.data(), row.data(), row.size())), 1e-12); };
  std::vector<double> lengths(right.rows());
  for (std::size_t j = 0; j < right.rows(); ++j) lengths[j] = length(right.row(j));
  Tensor<float, Queries, Keys> result(left.rows(), right.rows());
  for (std::size_t i = 0; i < left.rows(); ++i) {
    auto const row = left.row(i);
    double const own = length(row);
    for (std::size_t j = 0; j < right.rows(); ++j)
      result(i, j) = static_cast<float>(kernels::dot(row.data(), right.row(j).data(), row.size()) / (own * lengths[j]));
  }
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
