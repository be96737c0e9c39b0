/// @file
/// Embeddings in a byte or a bit a number, as sentence-transformers' `quantize_embeddings` makes them: a quarter and a 32nd of the memory of floats.
/// `quantized_search` searches in them.
///
///     Tensor const ranges = column_ranges(some_thousand_embeddings);
///     auto const corpus = quantize_int8(embeddings, ranges, context);      // corpus.codes: [Sequences, Width], std::int8_t
///     auto const signs = quantize_binary(embeddings, context);             // signs.bits: [Sequences, an eighth of Width], std::uint8_t
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/kernels/codes.hpp>
#include <axiform/ops/rows.hpp>

namespace axiform {

namespace axes {
struct PackedBits : DynamicAxis {};  ///< Bytes of a row of bits, where the number of bits is not known before the program runs.
}  // namespace axes

namespace detail {
template <class Width>
struct PackedAxis {
  using Type = axes::PackedBits;
};
template <StaticAxis Width>
struct PackedAxis<Width> {
  using Type = Const<(Width::length + 7) / 8>;
};
}  // namespace detail

/// The axis of a row's bytes that have a bit for each number of `Width`.
template <Axis Width>
using PackedAxis = typename detail::PackedAxis<Width>::Type;

/// Embeddings in a byte a number. Each column's range is cut into 255 steps: a code c, from -128 to 127, stands for
/// lowest + (c + 128) * (highest - lowest) / 255.
template <Axis Width>
struct Int8Embeddings {
  Tensor<std::int8_t, axes::Sequences, Width> codes;  ///< [Sequences, Width].
  Tensor<float, Const<2>, Width> ranges;              ///< [2, Width]: the lowest number of each column, and the highest.
};

/// The same, of codes that somebody else keeps: a file that is mapped.
template <Axis Width>
struct Int8View {
  TensorView<std::int8_t const, axes::Sequences, Width> codes;  ///< [Sequences, Width].
  View<Const<2>, Width> ranges;                                 ///< [2, Width]: the lowest number of each column, and the highest.
};

/// Embeddings in a bit a number: whether it is greater than 0. The first number is the highest bit of the first byte (numpy.packbits).
template <Axis Width>
struct BinaryEmbeddings {
  Tensor<std::uint8_t, axes::Sequences, PackedAxis<Width>> bits;  ///< [Sequences, an eighth of the width, rounded up].
  std::size_t dimensions = 0;                                     ///< Numbers of an embedding.
};

/// The same, of bits that somebody else keeps.
template <Axis Width>
struct BinaryView {
  TensorView<std::uint8_t const, axes::Sequences, PackedAxis<Width>> bits;  ///< [Sequences, an eighth of the width, rounded up].
  std::size_t dimensions = 0;                                               ///< Numbers of an embedding.
};

namespace detail {
template <class T, class Element>
concept HasElements = TensorLike<T> && std::same_as<std::remove_const_t<typename T::element_type>, Element>;
template <class T, class Element>
concept HasRowsOf = HasElements<std::remove_cvref_t<T>, Element> && std::remove_cvref_t<T>::rank == 2;
}  // namespace detail

/// `Int8Embeddings`, `Int8View`, or what else has codes, [Sequences, Width], and ranges, [2, Width].
template <class T>
concept Int8Rows = requires(T const& embeddings) {
  requires detail::HasRowsOf<decltype(embeddings.codes), std::int8_t>;
  requires detail::HasRowsOf<decltype(embeddings.ranges), float>;
};

/// `BinaryEmbeddings`, `BinaryView`, or what else has bits, [Sequences, an eighth of the width].
template <class T>
concept BinaryRows = requires(T const& embeddings) {
  requires detail::HasRowsOf<decltype(embeddings.bits), std::uint8_t>;
  { embeddings.dimensions } -> std::convertible_to<std::size_t>;
};

/// The range of each column: what embeddings are quantised by. Take it of embeddings that are like those to come, some thousand or more.
///
/// @param embeddings [rows, Width].
/// @return           [2, Width]: the lowest number of each column, and the highest.
/// @throws ArgumentError when there are fewer than two rows, whose ranges would be empty.
template <FloatTensor E>
  requires(std::remove_cvref_t<E>::rank == 2)
Tensor<float, Const<2>, LastAxis<E>> column_ranges(E const& embeddings) {
  auto const rows = as_view(embeddings);
  if (rows.rows() < 2)
    throw ArgumentError("column_ranges: found " + std::to_string(rows.rows()) + " embeddings, expected at least 2, better thousands");
  auto ranges = Tensor<float, Const<2>, LastAxis<E>>::uninitialised(Shape<Const<2>, LastAxis<E>>::of({2, rows.columns()}));
  auto const lowest = ranges.row(0), highest = ranges.row(1);
  std::ranges::copy(rows.row(0), lowest.begin());
  std::ranges::copy(rows.row(0), highest.begin());
  for (std::size_t row = 1; row < rows.rows(); ++row) {
    auto const values = rows.row(row);
    for (std::size_t i = 0; i < values.size(); ++i) {
      lowest[i] = std::min(lowest[i], values[i]);
      highest[i] = std::max(highest[i], values[i]);
    }
  }
  return ranges;
}

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// How wide the 255 steps of each column are; 1 where all of its numbers are the same.
std::vector<float> steps_of(float const* lowest, float const* highest, std::size_t columns);

void check_code_width(char const* what, std::size_t found, std::size_t expected);

// The ranges of columns: their lowest numbers, and their highest.
void check_ranges(char const* what, std::size_t rows, std::size_t columns, std::size_t expected_columns);

// Beyond this a product of codes may not fit into 32 bits.
inline constexpr std::size_t longest_codes = 65536;
void check_code_length(char const* what, std::size_t columns);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE std::vector<float> steps_of(float const* lowest, float const* highest, std::size_t columns) {
  std::vector<float> steps(columns);
  for (std::size_t i = 0; i < columns; ++i) {
    float const step = (highest[i] - lowest[i]) / 255.0f;
    steps[i] = step == 0.0f ? 1.0f : step;
  }
  return steps;
}

AXIFORM_INLINE void check_code_width(char const* what, std::size_t found, std::size_t expected) {
  if (found != expected)
    throw ShapeError(std::string(what) + ": found rows of " + std::to_string(found) + ", expected " + std::to_string(expected));
}

AXIFORM_INLINE void check_ranges(char const* what, std::size_t rows, std::size_t columns, std::size_t expected_columns) {
  check_code_width((std::string(what) + ": ranges").c_str(), columns, expected_columns);
  if (rows != 2) throw ShapeError(std::string(what) + ": found ranges of " + std::to_string(rows) + " rows, expected 2");
}

AXIFORM_INLINE void check_code_length(char const* what, std::size_t columns) {
  if (columns > longest_codes)
    throw ShapeError(std::string(what) + ": found rows of " + std::to_string(columns) + " bytes, expected " +
                     std::to_string(longest_codes) + " at most");
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace internal

/// Embeddings in a byte a number (sentence-transformers' `quantize_embeddings` with "int8"). Numbers outside of the ranges get the code of their end.
///
/// @param embeddings [Sequences, Width].
/// @param ranges     [2, Width], as `column_ranges` gives.
/// @throws ShapeError when the ranges are not two rows, as wide as the embeddings.
template <FloatTensor E, FloatTensor R>
  requires(std::remove_cvref_t<E>::rank == 2 && std::remove_cvref_t<R>::rank == 2)
Int8Embeddings<LastAxis<E>> quantize_int8(E const& embeddings, R const& ranges, Context& context) {
  using Width = LastAxis<E>;
  auto const rows = as_view(embeddings);
  auto const bounds = as_view(ranges);
  internal::check_ranges("quantize_int8", bounds.rows(), bounds.columns(), rows.columns());
  auto const steps = internal::steps_of(bounds.row(0).data(), bounds.row(1).data(), rows.columns());
  Int8Embeddings<Width> result{
      Tensor<std::int8_t, axes::Sequences, Width>::uninitialised(Shape<axes::Sequences, Width>::of({rows.rows(), rows.columns()})),
      Tensor<float, Const<2>, Width>(Shape<Const<2>, Width>::of({2, rows.columns()}))};
  for (std::size_t end = 0; end < 2; ++end) std::ranges::copy(bounds.row(end), result.ranges.row(end).begin());
  for_row_ranges(context.executor(), rows.rows(), rows.columns(), [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i)
      kernels::quantize_row(rows.data() + i * rows.row_stride(), bounds.row(0).data(), steps.data(), steps.size(),
                            result.codes.data() + i * steps.size());
  });
  return result;
}
/// The same by the ranges of these very embeddings.
/// @throws ArgumentError when there are fewer than two.
template <FloatTensor E>
  requires(std::remove_cvref_t<E>::rank == 2)
Int8Embeddings<LastAxis<E>> quantize_int8(E const& embeddings, Context& context) {
  auto const ranges = column_ranges(embeddings);
  return quantize_int8(embeddings, ranges, context);
}

/// Embeddings in a bit a number (sentence-transformers' `quantize_embeddings` with "ubinary"). @param embeddings [Sequences, Width].
template <FloatTensor E>
  requires(std::remove_cvref_t<E>::rank == 2)
BinaryEmbeddings<LastAxis<E>> quantize_binary(E const& embeddings, Context& context) {
  using Bytes = PackedAxis<LastAxis<E>>;
  auto const rows = as_view(embeddings);
  std::size_t const bytes = (rows.columns() + 7) / 8;
  BinaryEmbeddings<LastAxis<E>> result{
      Tensor<std::uint8_t, axes::Sequences, Bytes>::uninitialised(Shape<axes::Sequences, Bytes>::of({rows.rows(), bytes})), rows.columns()};
  for_row_ranges(context.executor(), rows.rows(), rows.columns(), [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i)
      kernels::pack_signs(rows.data() + i * rows.row_stride(), rows.columns(), result.bits.data() + i * bytes);
  });
  return result;
}

/// Codes from 0 to 255 in the place of -128 to 127: sentence-transformers' "uint8" of its "int8", and its "ubinary" of its "binary".
template <Axis... Axes>
Tensor<std::uint8_t, Axes...> to_unsigned(Tensor<std::int8_t, Axes...> const& codes) {
  auto result = Tensor<std::uint8_t, Axes...>::uninitialised(codes.shape());
  std::ranges::transform(codes.elements(), result.data(), [](std::int8_t code) { return static_cast<std::uint8_t>(code + 128); });
  return result;
}
/// The other way round.
template <Axis... Axes>
Tensor<std::int8_t, Axes...> to_signed(Tensor<std::uint8_t, Axes...> const& codes) {
  auto result = Tensor<std::int8_t, Axes...>::uninitialised(codes.shape());
  std::ranges::transform(codes.elements(), result.data(), [](std::uint8_t code) { return static_cast<std::int8_t>(code - 128); });
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH
