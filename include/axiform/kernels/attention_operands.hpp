/// @file
/// What attention takes: the queries of a batch, the keys and values of this pass or of caches, and which of them a query sees.
#pragma once

#include <cstddef>

#include <axiform/core/config.hpp>
#include <axiform/kernels/key_value_layout.hpp>
#include <axiform/kernels/packed_pairs.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// Which keys of its sequence a query attends to.
enum class AttentionMask {
  none,  ///< All of them.
  causal  ///< Those up to its own position, the last query's position being the last key's: of q queries and n keys, query i sees n - q + i + 1.
};

/// What is added to a score between scaling and softmax: a number for each head, position of the query and position of the key. With the
/// mask `causal` the last query stands at the last key's position; else query and key i of a sequence both stand at i.
///
/// The number of head h, query q and key k is `data[h * head_stride + q * query_stride + k]`: with a stride of -1 from query to query, and
/// `data` in the middle of a row, it depends on the distance k - q alone.
struct ScoreBias {
  float const* data = nullptr;      ///< Null when nothing is added.
  std::ptrdiff_t head_stride = 0;   ///< From one head to the next.
  std::ptrdiff_t query_stride = 0;  ///< From one query to the next.
};

/// One attention: the queries of a batch, and where the result goes. Strides are in floats.
struct AttentionQueries {
  std::size_t sequences = 0;                 ///< in the batch
  std::size_t heads = 0;                     ///< of each sequence
  std::size_t head_size = 0;                 ///< columns of one head
  float scale = 1.0f;                        ///< of the scores, before the softmax
  AttentionMask mask = AttentionMask::none;  ///< which keys a query sees
  std::size_t group = 1;                     ///< neighbouring heads that share one head of keys and values: head h has that of h / group
  /// 0, or how far a query sees among the keys that the mask leaves: those less than `window` positions from its own
  std::size_t window = 0;
  ScoreBias bias = {};  ///< of the scaled scores
  /// null, or how many keys of each sequence, the first, its queries see; with the mask `causal` it is not heeded
  std::size_t const* attended = nullptr;
  /// Whether queries, keys, exponentials and values are rounded to bfloat16 where tiles multiply it (`simd::bfloat16_products`), the keys are of this pass,
  /// and all queries of a sequence see the same ones (no mask, no window). Else all is in floats.
  bool in_bfloat16 = false;
  std::size_t const* offsets = nullptr;   ///< [sequences + 1], the first row of each sequence
  float const* query = nullptr;           ///< [rows, heads * head_size]
  std::size_t query_stride = 0;           ///< from one query to the next
  float* output = nullptr;                ///< [rows, heads * head_size]; must not overlap queries, keys or values
  std::size_t output_stride = 0;          ///< from one row of the output to the next
  float* const* probabilities = nullptr;  ///< null, or for each sequence null or [heads, queries, keys], written after the softmax
};

/// The keys and values of a batch, rows of this pass.
struct AttentionKeys {
  std::size_t const* offsets = nullptr;  ///< [sequences + 1]
  KeyValueRows rows;                     ///< of all sequences, one after another
};

/// Rows of self-attention as a product has rounded them (`Epilogue::rounded`), and where the results go, rounded for the next.
/// @pre The head size is a multiple of `PairRows::chunk_columns`.
struct RoundedAttentionRows {
  PairRows fused;   ///< [rows, (heads + 2 * heads / group) * head_size]: queries, keys, values.
  PairRows output;  ///< [rows, heads * head_size].
};

/// The keys and values of one sequence, as `append_keys_values` left them.
struct CachedKeys {
  KeyValueLayout layout;        ///< of the cache
  float const* data = nullptr;  ///< of the sequence
  std::size_t count = 0;        ///< those of this pass included
};

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
