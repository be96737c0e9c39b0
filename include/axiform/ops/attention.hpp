/// @file
/// Scaled dot-product attention over packed batches, with and without a cache of the past.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/attention.hpp>
#include <axiform/ops/bfloat16_rows.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform::inline AXIFORM_ARCH {

using kernels::AttentionMask;
using kernels::ScoreBias;

/// What attention does besides the products and the softmax.
struct AttentionSettings {
  AttentionMask mask = AttentionMask::none;  ///< Which keys a query sees.
  /// 0, or how far a query sees: the keys less than `window` positions from its own. With the mask `causal` those are the last `window` keys up to
  /// itself (Beltagy et al. 2020; Mistral's `sliding_window`).
  std::size_t window = 0;
  std::optional<float> scale = {};  ///< Of the scores, above 0; 1 / sqrt(head size) where it is not given.
  ScoreBias bias = {};              ///< Added to the scaled scores.
  /// How many keys of each sequence, the first, its queries see; empty for all. With the mask `causal` it is not heeded.
  std::span<std::size_t const> attended = {};
  bool in_bfloat16 = false;  ///< As `kernels::AttentionQueries` has it. Keys in caches, or projected before, do not heed it.
};

/// One layer of a key-value cache, as attention uses it. Nothing is owned.
struct CacheLayer {
  kernels::KeyValueLayout layout;        ///< Of one sequence.
  float* data;                           ///< Of the first sequence.
  std::size_t sequence_stride;           ///< Floats from one sequence to the next.
  std::span<std::size_t const> lengths;  ///< Tokens that each sequence has in the cache.
};

namespace internal {

/// Where the observer wants the probabilities of each sequence, or nothing.
template <class KeyCount>
void ask_observer(Observer* observer, AttentionKind kind, kernels::AttentionQueries const& queries, KeyCount const& key_count,
                  std::span<float*> targets) {
  for (std::size_t s = 0; s < targets.size(); ++s)
    targets[s] = observer->attention_probabilities(kind, s, queries.heads, queries.offsets[s + 1] - queries.offsets[s], key_count(s));
}

/// Runs a kernel with the scratch memory that it needs, and with the observer's targets.
template <class KeyRows, class KeyCount>
void run_attention(kernels::AttentionQueries& queries, KeyRows const& keys, KeyCount const& key_count, AttentionKind kind,
                   Context& context) {
  auto targets = make_tensor<float*>(context, Shape<axes::Sequences>(context.observer() ? queries.sequences : 0));
  if (context.observer()) {
    ask_observer(context.observer(), kind, queries, key_count, targets.elements());
    queries.probabilities = targets.data();
  }
  std::size_t const floats = kernels::attention_scratch_floats(queries, keys, context.executor().concurrency());
  auto scratch = make_tensor<float>(context, Shape<axes::Hidden>(floats));
  kernels::attention(queries, keys, scratch.data(), context.executor());
}

// A part of a fused projection, such as the keys of every row: columns [first, first + width).
template <Axis Width, Axis Rows, Axis Fused>
TensorView<float, Rows, Width> fused_part(Tensor<float, Rows, Fused>& fused, std::size_t first, std::size_t width) {
  return {fused.data() + first, Shape<Rows, Width>::of({fused.rows(), width}), fused.row_stride()};
}

/// @throws ShapeError when the heads do not divide the columns of queries, or those of keys the heads; ArgumentError when the scale is not above 0.
template <Axis Rows>
kernels::AttentionQueries queries_of(std::size_t rows, std::size_t columns, std::size_t heads, std::size_t key_columns,
                                     SequenceOffsets<Rows> const& sequences, AttentionSettings const& options) {
  if (heads == 0 || columns % heads != 0)
    throw ShapeError("attention: found " + std::to_string(columns) + " columns for " + std::to_string(heads) + " heads");
  sequences.check_rows(rows, "attention: queries");
  std::size_t const head_size = columns / heads;
  std::size_t const key_heads = head_size == 0 ? heads : key_columns / head_size;
  if (key_heads == 0 || key_heads * head_size != key_columns || heads % key_heads != 0)
    throw ShapeError("attention: found " + std::to_string(heads) + " heads of " + std::to_string(head_size) + " for " +
                     std::to_string(key_columns) + " columns of keys, expected each head of keys to serve as many heads");
  if (!options.attended.empty() && options.attended.size() != sequences.count())
    throw ShapeError("attention: found " + std::to_string(options.attended.size()) + " numbers of attended keys for " +
                     std::to_string(sequences.count()) + " sequences");
  if (options.scale && !(*options.scale > 0))
    throw ArgumentError("attention: found a scale of " + std::to_string(*options.scale) + ", expected a number above 0");
  return {.sequences = sequences.count(),
          .heads = heads,
          .head_size = head_size,
          .scale = options.scale.value_or(static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_size)))),
          .mask = options.mask,
          .group = heads / key_heads,
          .window = options.window,
          .bias = options.bias,
          .attended = options.attended.empty() ? nullptr : options.attended.data(),
          .in_bfloat16 = options.in_bfloat16,
          .offsets = sequences.data()};
}
// The same, with the rows.
template <Axis Rows, Axis Width>
kernels::AttentionQueries queries_of(View<Rows, Width> query, std::size_t heads, std::size_t key_columns,
                                     SequenceOffsets<Rows> const& sequences, AttentionSettings const& options,
                                     TensorView<float, Rows, Width> output) {
  auto result = queries_of(query.rows(), query.columns(), heads, key_columns, sequences, options);
  result.query = query.data();
  result.query_stride = query.row_stride();
  result.output = output.data();
  result.output_stride = output.row_stride();
  return result;
}

}  // namespace internal

/// Attention in which several heads of queries share a head of keys and values (Ainslie et al. 2023): with g times as many heads of queries,
/// head h attends with head h / g of keys and values.
///
/// @param query        [Rows, Width], packed; Width is heads * head size.
/// @param key,value    [KeyRows, KeyWidth], packed; KeyWidth is key heads * head size.
/// @param heads        Those of queries.
/// @param queries,keys Where each sequence begins on either side; their numbers of sequences must be equal.
/// @param kind         What an observer is told.
/// @return             [Rows, Width]. A query with nothing to attend to gets zeros.
/// @throws ShapeError when the numbers of sequences differ, the sequences do not fill their rows, or the widths do not go together.
template <FloatTensor Query, FloatTensor Key, RowsOf<LastAxis<Key>> Value>
  requires std::same_as<RowAxis<Key>, RowAxis<Value>>
Tensor<float, RowAxis<Query>, LastAxis<Query>> grouped_attention(Query const& query_tensor, Key const& key_tensor,
                                                                 Value const& value_tensor, std::size_t heads,
                                                                 SequenceOffsets<RowAxis<Query>> const& queries,
                                                                 SequenceOffsets<RowAxis<Key>> const& keys, AttentionKind kind,
                                                                 AttentionSettings const& options, Context& context) {
  auto const query = as_view(query_tensor);
  auto const key = as_view(key_tensor);
  auto const value = as_view(value_tensor);
  if (queries.count() != keys.count())
    throw ShapeError("attention: found " + std::to_string(queries.count()) + " sequences of queries and " + std::to_string(keys.count()) +
                     " of keys");
  keys.check_rows(key.rows(), "attention: keys");
  keys.check_rows(value.rows(), "attention: values");
  if (value.columns() != key.columns())
    throw ShapeError("attention: found keys " + key.shape().to_string() + " and values " + value.shape().to_string() +
                     ", expected one width");
  auto output = make_tensor<float>(context, query.shape());
  auto work = internal::queries_of(query, heads, key.columns(), queries, options, output.view());
  kernels::AttentionKeys const rows{
      .offsets = keys.data(),
      .rows = {.key = key.data(), .key_stride = key.row_stride(), .value = value.data(), .value_stride = value.row_stride()}};
  internal::run_attention(work, rows, [&](std::size_t s) { return keys.length(s); }, kind, context);
  return output;
}

/// Attention of a packed batch to itself in bfloat16, from rounded rows to such: the bits of `grouped_attention` with `in_bfloat16`.
///
/// @param fused     [Rows, Width + 2 * KeyWidth]: queries, keys and values side by side.
/// @param width     All heads of queries.
/// @param key_heads Heads of keys.
/// @return          [Rows, Width].
/// @pre `can_attend_to_rounded` of the settings and the head size.
/// @throws ShapeError when the sequences do not fill the rows, or the widths do not go together.
template <Axis Width, Axis Rows, Axis Fused>
Bfloat16Rows<Rows, Width> rounded_attention(Bfloat16Rows<Rows, Fused> const& fused, std::size_t heads, std::size_t key_heads,
                                            Length<Width> width, SequenceOffsets<Rows> const& sequences, AttentionSettings const& options,
                                            Context& context) {
  std::size_t const key_width = heads == 0 ? 0 : width / heads * key_heads;
  if (fused.columns() != width + 2 * key_width)
    throw ShapeError("attention: found " + std::to_string(fused.columns()) + " columns of queries, keys and values, expected " +
                     std::to_string(width + 2 * key_width));
  auto queries = internal::queries_of(fused.rows(), width, heads, key_width, sequences, options);
  Bfloat16Rows<Rows, Width> output(Shape<Rows, Width>::of({fused.rows(), width}), context);
  kernels::RoundedAttentionRows const rows{.fused = fused.pairs(), .output = output.pairs()};
  internal::run_attention(
      queries, rows, [&](std::size_t s) { return sequences.length(s); }, AttentionKind::self, context);
  return output;
}
/// Whether `rounded_attention` can do it: products are by tiles, each query sees all keys, and a head fills chunks.
constexpr bool can_attend_to_rounded(AttentionSettings const& options, std::size_t head_size) noexcept {
  return can_round_results(WeightFormat::bf16) && options.mask == AttentionMask::none && options.window == 0 &&
         head_size % kernels::PairRows::chunk_columns == 0;
}

/// Scaled dot-product attention over a packed batch (Vaswani et al. 2017, eq. 1).
///
/// Every sequence attends within its own tokens only; there is no padding and no mask tensor.
///
/// @param query        [Rows, Width], packed; Width is heads * head size.
/// @param key,value    [KeyRows, Width], packed.
/// @param queries,keys Where each sequence begins on either side; their numbers of sequences must be equal.
/// @param kind         What an observer is told.
/// @param options      With the mask `causal`, of a sequence's queries and keys the last query stands at the last key.
/// @return             [Rows, Width]. A query with nothing to attend to gets zeros.
/// @throws ShapeError when the numbers of sequences differ, or the sequences do not fill their rows.
template <FloatTensor Query, RowsOf<LastAxis<Query>> Key, RowsOf<LastAxis<Query>> Value>
  requires std::same_as<RowAxis<Key>, RowAxis<Value>>
Tensor<float, RowAxis<Query>, LastAxis<Query>> attention(Query const& query_tensor, Key const& key_tensor, Value const& value_tensor,
                                                         std::size_t heads, SequenceOffsets<RowAxis<Query>> const& queries,
                                                         SequenceOffsets<RowAxis<Key>> const& keys, AttentionKind kind,
                                                         AttentionSettings const& options, Context& context) {
  auto const query = as_view(query_tensor);
  auto const key = as_view(key_tensor);
  auto const value = as_view(value_tensor);
  if (key.columns() != query.columns() || value.columns() != query.columns())
    throw ShapeError("attention: found queries " + query.shape().to_string() + ", keys " + key.shape().to_string() + " and values " +
                     value.shape().to_string() + ", expected one width");
  return grouped_attention(query, key, value, heads, queries, keys, kind, options, context);
}

namespace internal {

/// @throws ShapeError when new queries, keys and values do not go with a cache.
template <Axis Rows, Axis Width, Axis KeyWidth>
void check_cache(View<Rows, Width> query, View<Rows, KeyWidth> key, View<Rows, KeyWidth> value, std::size_t heads, std::size_t sequences,
                 CacheLayer const& cache) {
  kernels::KeyValueLayout const& layout = cache.layout;
  std::size_t const head_size = heads == 0 ? 0 : query.columns() / heads;
  std::size_t const key_heads = head_size == 0 ? heads : key.columns() / head_size;
  if (key_heads != layout.heads || key.columns() != layout.heads * layout.head_size)
    throw ShapeError("attention: found a cache of " + std::to_string(layout.heads) + " heads of " + std::to_string(layout.head_size) +
                     ", expected " + std::to_string(key_heads) + " heads in a width of " + std::to_string(key.columns()));
  if (key.rows() != query.rows() || value.rows() != query.rows() || value.columns() != key.columns())
    throw ShapeError("attention: found queries " + query.shape().to_string() + ", keys " + key.shape().to_string() + " and values " +
                     value.shape().to_string() + ", expected one shape");
  if (sequences > cache.lengths.size())
    throw ShapeError("attention: found " + std::to_string(sequences) + " sequences, the cache holds " +
                     std::to_string(cache.lengths.size()));
}

}  // namespace internal

/// Causal attention of new tokens to those in a cache and to themselves. The new keys and values are written to the cache behind the old.
///
/// @param query     [Rows, Width]: the new tokens, packed.
/// @param key,value [Rows, KeyWidth]: theirs, as many heads as the cache has.
/// @param sequences Where the new tokens of each of the cache's first sequences begin.
/// @param cache     Its lengths are those before the new tokens.
/// @param options   The mask is causal, whatever they say.
/// @return          [Rows, Width], the same bits as `grouped_attention` over whole sequences.
/// @throws ShapeError when the cache has fewer sequences, too little room or other heads.
template <FloatTensor Query, FloatTensor Key, RowsOf<LastAxis<Key>> Value>
  requires(std::same_as<RowAxis<Key>, RowAxis<Query>> && std::same_as<RowAxis<Value>, RowAxis<Query>>)
Tensor<float, RowAxis<Query>, LastAxis<Query>> cached_attention(Query const& query_tensor, Key const& key_tensor, Value const& value_tensor,
                                                                std::size_t heads, SequenceOffsets<RowAxis<Query>> const& sequences,
                                                                CacheLayer const& cache, AttentionSettings options, Context& context) {
  auto const query = as_view(query_tensor);
  auto const key = as_view(key_tensor);
  auto const value = as_view(value_tensor);
  kernels::KeyValueLayout const& layout = cache.layout;
  internal::check_cache(query, key, value, heads, sequences.count(), cache);
  auto keys = make_tensor<kernels::CachedKeys>(context, Shape<axes::Sequences>(sequences.count()));
  for (std::size_t s = 0; s < sequences.count(); ++s) {
    std::size_t const count = cache.lengths[s] + sequences.length(s);
    if (count > layout.capacity)
      throw ShapeError("attention: found " + std::to_string(count) + " tokens of sequence " + std::to_string(s) +
                       ", the cache has room for " + std::to_string(layout.capacity));
    keys.data()[s] = {.layout = layout, .data = cache.data + s * cache.sequence_stride, .count = count};
  }
  auto output = make_tensor<float>(context, query.shape());
  options.mask = AttentionMask::causal;
  auto work = internal::queries_of(query, heads, key.columns(), sequences, options, output.view());

  auto const append = [&](std::size_t first_head, std::size_t last_head) {
    for (std::size_t s = 0; s < sequences.count(); ++s)
      kernels::append_keys_values(layout, cache.data + s * cache.sequence_stride, cache.lengths[s], sequences.length(s),
                                  {.key = key.data() + sequences.offset(s) * key.row_stride(),
                                   .key_stride = key.row_stride(),
                                   .value = value.data() + sequences.offset(s) * value.row_stride(),
                                   .value_stride = value.row_stride()},
                                  first_head, last_head);
  };
  for_row_ranges(context.executor(), layout.heads, 2 * layout.head_size * query.rows(), append);
  internal::run_attention(work, keys.data(), [&](std::size_t s) { return keys.data()[s].count; }, AttentionKind::self, context);
  return output;
}

/// Attention to keys and values that were projected before, all of a sequence's to each of its queries: a decoder's, to what its encoder gave.
///
/// @param query     [Rows, Width], packed.
/// @param sequences Where the queries of each sequence begin.
/// @param source    Keys and values, one entry a sequence.
/// @return          [Rows, Width], the same bits as `grouped_attention` in floats over the rows that were projected.
/// @throws ShapeError when the sequences do not fill the rows, or the sources are not as many, or of other heads.
template <FloatTensor Query>
Tensor<float, RowAxis<Query>, LastAxis<Query>> projected_attention(Query const& query_tensor, std::size_t heads,
                                                                   SequenceOffsets<RowAxis<Query>> const& sequences,
                                                                   std::span<kernels::CachedKeys const> source,
                                                                   AttentionSettings const& options, Context& context) {
  auto const query = as_view(query_tensor);
  if (source.size() != sequences.count())
    throw ShapeError("attention: found " + std::to_string(sequences.count()) + " sequences of queries and " +
                     std::to_string(source.size()) + " of keys");
  auto output = make_tensor<float>(context, query.shape());
  std::size_t const key_columns = source.empty() ? query.columns() : source[0].layout.heads * source[0].layout.head_size;
  auto work = internal::queries_of(query, heads, key_columns, sequences, options, output.view());
  internal::run_attention(work, source.data(), [&](std::size_t s) { return source[s].count; }, AttentionKind::cross, context);
  return output;
}

}  // namespace axiform::inline AXIFORM_ARCH
