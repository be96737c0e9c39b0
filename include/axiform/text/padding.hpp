/// @file
/// Padding: encodings of different lengths as one rectangle, as runtimes of other makers take them (ONNX Runtime, LibTorch, OpenVINO). The models of
/// this library need none: their batches are packed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/text/encoding.hpp>

#if AXIFORM_DEFINES(text)
#include <algorithm>
#include <limits>
#include <string>

#include <axiform/io/printable.hpp>

#endif

namespace axiform {

/// The side on which padding stands.
enum class PaddingSide : std::uint8_t {
  right,  ///< Behind the tokens.
  left,   ///< Before them, as decoders want it that go on at the end.
};

/// How encodings become rows of one length. What is not given is what the tokenizer's files say.
struct PaddingOptions {
  std::size_t length = 0;                          ///< Tokens of each row; 0: as many as the longest encoding has.
  std::size_t multiple_of = 1;                     ///< Rounds the length up to a multiple of this, such as 8.
  std::optional<PaddingSide> side = std::nullopt;  ///< Right where neither this nor a file says so.
  std::optional<TokenId> id = std::nullopt;        ///< Of padding: the padding token's.
  std::optional<TokenId> type_id = std::nullopt;   ///< Of padding; 0 where neither this nor a file says so.
};

/// Rows of one length, one after another: what models elsewhere are given as `input_ids`, `token_type_ids` and `attention_mask`, of shape
/// [rows, length].
template <class Integer = std::int64_t>
struct PaddedBatch {
  std::size_t rows = 0;                 ///< Encodings.
  std::size_t length = 0;               ///< Tokens of each row, padding included.
  std::vector<Integer> ids;             ///< `input_ids`.
  std::vector<Integer> type_ids;        ///< `token_type_ids`.
  std::vector<Integer> attention_mask;  ///< 1 for tokens, 0 for padding.
};

namespace detail {

/// Padding with nothing left open.
struct Padding {
  std::size_t length;
  PaddingSide side;
  TokenId id;
  TokenId type_id;
};

/// What `options`, then the files, then the vocabulary say.
/// @throws ArgumentError when an encoding is longer than the length asked for, when there is no token to pad with, or for a multiple of 0.
Padding padding_of(std::span<Encoding const> encodings, PaddingOptions const& options, PaddingOptions const& configured,
                   std::optional<TokenId> pad_token);

template <class Integer>
PaddedBatch<Integer> pad_to(Padding const& padding, std::span<Encoding const> encodings) {
  PaddedBatch<Integer> batch{encodings.size(), padding.length, {}, {}, {}};
  batch.ids.assign(batch.rows * batch.length, static_cast<Integer>(padding.id));
  batch.type_ids.assign(batch.ids.size(), static_cast<Integer>(padding.type_id));
  batch.attention_mask.assign(batch.ids.size(), Integer{0});
  for (std::size_t row = 0; row < batch.rows; ++row) {
    Encoding const& encoding = encodings[row];
    std::size_t place = row * batch.length + (padding.side == PaddingSide::left ? batch.length - encoding.size() : 0);
    for (std::size_t i = 0; i < encoding.size(); ++i, ++place) {
      batch.ids[place] = static_cast<Integer>(encoding.ids[i]);
      batch.type_ids[place] = static_cast<Integer>(encoding.type_ids[i]);
      batch.attention_mask[place] = Integer{1};
    }
  }
  return batch;
}

}  // namespace detail

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(text)

namespace detail {

AXIFORM_INLINE Padding padding_of(std::span<Encoding const> encodings, PaddingOptions const& options, PaddingOptions const& configured,
                                  std::optional<TokenId> pad_token) {
  constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
  if (options.multiple_of < 1 || options.multiple_of > most)
    throw_argument_error({"multiple_of: found ", std::to_string(options.multiple_of), ", expected 1 to ", std::to_string(most)});
  if (options.length > most)
    throw_argument_error({"length: found ", std::to_string(options.length), ", expected at most ", std::to_string(most)});
  std::size_t longest = 0, longest_row = 0, shortest = encodings.empty() ? 0 : encodings.front().size();
  for (std::size_t row = 0; row < encodings.size(); ++row) {
    std::size_t const size = encodings[row].size();
    if (size > longest) longest = size, longest_row = row;
    shortest = std::min(shortest, size);
  }
  if (options.length != 0 && longest > options.length)
    throw_argument_error({"padding: encoding ", std::to_string(longest_row), " has ", std::to_string(longest),
                          " tokens, expected at most the length of ", std::to_string(options.length),
                          "; EncodeOptions::max_length truncates"});
  std::size_t const length = options.length != 0 ? options.length : longest;
  std::size_t const excess = length % options.multiple_of;
  Padding result{excess == 0 ? length : length + (options.multiple_of - excess), PaddingSide::right, 0, 0};
  result.side = options.side ? *options.side : configured.side.value_or(PaddingSide::right);
  result.type_id = options.type_id ? *options.type_id : configured.type_id.value_or(0);
  auto const id = options.id ? options.id : configured.id ? configured.id : pad_token;
  if (!id && shortest < result.length)
    throw_argument_error({"padding: the tokenizer has no padding token; expected PaddingOptions::id, the id to pad with"});
  result.id = id.value_or(0);
  return result;
}

}  // namespace detail

#endif  // AXIFORM_DEFINES(text)

}  // namespace axiform
