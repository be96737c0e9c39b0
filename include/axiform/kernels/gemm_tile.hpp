/// @file
/// The register tile: a few rows of C = A * B, from packed B, whole K in one pass. Every product of the library ends here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/kernels/weights.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What a tile reads and writes. Strides are in floats; those of B in weights.
struct TileOperands {
  std::size_t k = 0;                ///< length of the sums
  float const* a = nullptr;         ///< [rows, k]; for bf16 with `simd::has_bfloat16_products` words of pairs
  std::size_t a_stride = 0;         ///< from one row to the next
  float const* b = nullptr;         ///< [panels][k][vectors * lanes], in the tile's format: a pointer to halves comes as one to floats
  std::size_t b_step = 0;           ///< from one k to the next
  std::size_t b_panel_stride = 0;   ///< from one panel to the next
  float* c = nullptr;               ///< [rows, panels * vectors * lanes]
  std::size_t c_stride = 0;         ///< from one row to the next
  float const* bias = nullptr;      ///< null, or as many floats as a row of the tile
  float const* residual = nullptr;  ///< null, or as c; may be c
  std::size_t residual_stride = 0;  ///< from one row to the next
  bool resume = false;              ///< whether c holds the sums of the k before these, to go on with
  std::uintptr_t prefetch = 0;      ///< 0, or the address from which to bring memory into L2, in `prefetch_streams`; need not be valid
  std::size_t prefetch_apart = 0;   ///< bytes from one stream to the next
  std::size_t prefetch_step = 0;    ///< bytes that all of them move on for each step
};

/// Streams in which a tile asks for the panel behind its own. One by itself leaves the memory half idle: 4 rows on 9 MB of weights read 8 GB/s without,
/// 8 with one, 20 to 23 with two and 21 to 25 with four (Zen 3); 16 rows on 340 MB with two threads 20 with two and 22 to 23 with four, 8 rows 20 and 25
/// (Granite Rapids).
inline constexpr std::size_t prefetch_streams = 4;

/// C = A * B (+ bias) (+ residual), for Rows rows and Panels panels of Vectors vectors.
///
/// Each element is `fma(a[k], b[k], sum)` for k = 0, 1, … from sum = 0, then + bias, then + residual, whatever the tile's form: a row has
/// the same bits in a tile of six and by itself. (For bf16 with `simd::has_bfloat16_products`, k after k as `simd::multiply_pairs` does it.)
using Tile = void (*)(TileOperands const&) noexcept;

namespace detail {

// Holds a loaded value in its register. GCC 12 otherwise folds the load into every fma that uses it, and a tile of 4x2 loads each value of B
// four times: 12 loads for 8 fma, where a core has two loads a cycle.
[[gnu::always_inline]] inline void keep_in_register([[maybe_unused]] simd::Floats& value) noexcept {
#if defined(__AVX512F__)
  asm("" : "+v"(value.data));
#elif defined(__x86_64__)
  asm("" : "+x"(value.data));
#endif
}

// B is packed so that the vectors of one k lie together: the tile streams it front to back, and for one row (decode) the same layout streams
// at memory speed. A is broadcast element by element; six rows never fight for an L1 set of eight lines, even a multiple of 4 KiB apart.
template <class Format, std::size_t Rows, std::size_t Vectors, std::size_t Panels>
struct TileSums {
  simd::Floats sums[Rows][Panels * Vectors];

  using Element = typename Format::Element;

  [[gnu::always_inline]] void add(float const* const (&a)[Rows], std::size_t k, Element const* b, std::size_t b_panel_stride) noexcept {
    simd::Floats values[Panels * Vectors];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < Panels * Vectors; ++v) {
      values[v] = Format::load(b + v / Vectors * b_panel_stride + v % Vectors * simd::lanes);
      if constexpr (Rows > 1) keep_in_register(values[v]);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      simd::Floats const factor = simd::broadcast(a[r][k]);
#pragma GCC unroll 16
      for (std::size_t v = 0; v < Panels * Vectors; ++v) sums[r][v] = simd::fma(factor, values[v], sums[r][v]);
    }
  }
};

// Weights in bf16 as a matrix has them: two inputs share a word (kernels/packed_pairs.hpp).
struct PairedWeights {
  using Element = std::uint16_t;
};
// What a tile of a matrix in this format reads. (With AMX pairs are multiplied elsewhere, kernels/pair_product.hpp.)
template <class Format>
using MatrixWeights = std::conditional_t<std::is_same_v<Format, Weights<WeightFormat::bf16>>, PairedWeights, Format>;

// Whether a tile of registers multiplies weights that it reads so.
template <class Format>
inline constexpr bool has_register_tiles =
    !(std::is_same_v<Format, PairedWeights> && simd::bfloat16_products == simd::Bfloat16Products::of_tiles);

// Inputs that the tile takes in a step.
template <class Format>
inline constexpr std::size_t inputs_of_step = 1;
template <>
inline constexpr std::size_t inputs_of_step<PairedWeights> = 2;

// Pairs of bf16: both at once where there is such an instruction, else the upper ones as floats, and then the lower ones.
template <std::size_t Rows, std::size_t Vectors, std::size_t Panels>
struct TileSums<PairedWeights, Rows, Vectors, Panels> {
  simd::Floats sums[Rows][Panels * Vectors];

  using Element = PairedWeights::Element;
  static constexpr bool of_pairs = simd::bfloat16_products == simd::Bfloat16Products::of_pairs;

  [[gnu::always_inline]] void add(float const* const (&a)[Rows], std::size_t pair, Element const* b, std::size_t b_panel_stride) noexcept {
    if constexpr (of_pairs) {
      add_values(a, pair, b, b_panel_stride, 2, [](Element const* words) { return simd::load(reinterpret_cast<float const*>(words)); });
    } else {
      add_values(a, 2 * pair, b, b_panel_stride, 2, [](Element const* words) { return simd::load_upper_bfloat16(words); });
      add_values(a, 2 * pair + 1, b, b_panel_stride, 2, [](Element const* words) { return simd::load_lower_bfloat16(words); });
    }
  }

  // The last input of an odd number, whose line has no second one: the lower halves are zeros.
  [[gnu::always_inline]] void add_last(float const* const (&a)[Rows], std::size_t pair, Element const* b,
                                       std::size_t b_panel_stride) noexcept {
    std::size_t const k = of_pairs ? pair : 2 * pair;
    add_values(a, k, b, b_panel_stride, 1, [](Element const* halves) { return simd::load_bfloat16(halves); });
  }

 private:
  template <class Load>
  [[gnu::always_inline]] void add_values(float const* const (&a)[Rows], std::size_t k, Element const* b, std::size_t b_panel_stride,
                                         std::size_t apart, Load const& load) noexcept {
    simd::Floats values[Panels * Vectors];
#pragma GCC unroll 16
    for (std::size_t v = 0; v < Panels * Vectors; ++v) {
      values[v] = load(b + v / Vectors * b_panel_stride + v % Vectors * simd::lanes * apart);
      if constexpr (Rows > 1) keep_in_register(values[v]);
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r) {
      simd::Floats const factor = simd::broadcast(a[r][k]);
#pragma GCC unroll 16
      for (std::size_t v = 0; v < Panels * Vectors; ++v)
        sums[r][v] = of_pairs ? simd::multiply_pairs(factor, values[v], sums[r][v]) : simd::fma(factor, values[v], sums[r][v]);
    }
  }
};

// What a tile begins with: zeros, or the sums to go on with.
template <std::size_t Rows, std::size_t Sums>
[[gnu::always_inline]] inline void begin_tile(simd::Floats (&sums)[Rows][Sums], TileOperands const& operands) noexcept {
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (std::size_t v = 0; v < Sums; ++v) sums[r][v] = simd::broadcast(0.0f);
  if (operands.resume)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
      for (std::size_t v = 0; v < Sums; ++v) sums[r][v] = simd::load(operands.c + r * operands.c_stride + v * simd::lanes);
}

// What comes behind the products of a tile.
template <std::size_t Rows, std::size_t Sums>
[[gnu::always_inline]] inline void finish_tile(simd::Floats (&sums)[Rows][Sums], TileOperands const& operands) noexcept {
  if (operands.bias != nullptr)
#pragma GCC unroll 16
    for (std::size_t v = 0; v < Sums; ++v) {
      simd::Floats const bias = simd::load(operands.bias + v * simd::lanes);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < Rows; ++r) sums[r][v] += bias;
    }
  if (operands.residual != nullptr)
#pragma GCC unroll 8
    for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
      for (std::size_t v = 0; v < Sums; ++v) sums[r][v] += simd::load(operands.residual + r * operands.residual_stride + v * simd::lanes);
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
    for (std::size_t v = 0; v < Sums; ++v) simd::store(operands.c + r * operands.c_stride + v * simd::lanes, sums[r][v]);
}

template <class Format, std::size_t Rows, std::size_t Vectors, std::size_t Panels>
[[gnu::noinline]] void tile(TileOperands const& operands) noexcept {
  TileSums<Format, Rows, Vectors, Panels> tile;
  float const* a[Rows];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < Rows; ++r) a[r] = operands.a + r * operands.a_stride;
  begin_tile(tile.sums, operands);

  constexpr std::size_t inputs = inputs_of_step<Format>;
  std::size_t const count = operands.k / inputs;
  std::size_t const b_step = operands.b_step * inputs;
  std::size_t const b_panel_stride = operands.b_panel_stride;
  auto const* b = reinterpret_cast<typename Format::Element const*>(operands.b);
  std::size_t k = 0;
  constexpr std::size_t of_line = 64 / sizeof(typename Format::Element), ahead = 1536 / sizeof(typename Format::Element);
  [[maybe_unused]] std::uintptr_t prefetch = operands.prefetch != 0 ? operands.prefetch : reinterpret_cast<std::uintptr_t>(b);
  [[maybe_unused]] std::size_t const prefetch_apart = operands.prefetch_apart;
  [[maybe_unused]] std::size_t const prefetch_step = operands.prefetch_step;
  for (; k < count; ++k, b += b_step) {
    tile.add(a, k, b, b_panel_stride);
    // One and two rows read several panels at once, each a stream that the processor's own prefetchers follow, but not far enough: asking for lines 1.5 KiB
    // before they are wanted reads 16.7 GB/s for 15 in floats, and for two rows 14 for 12; in f16 15.5 for 12 (one thread of Granite Rapids; 1 and 2 KiB are
    // as good, 4 KiB gain nothing in floats).
    if constexpr (Rows < 3)
#pragma GCC unroll 8
      for (std::size_t v = 0; v < Panels; ++v)
#pragma GCC unroll 16
        for (std::size_t i = 0; i < inputs * Vectors * simd::lanes; i += of_line)
          __builtin_prefetch(b + v * b_panel_stride + i + ahead, 0, 3);
    // More rows take one panel long enough for the next to come meanwhile.
    if constexpr (Rows >= 3) {
#pragma GCC unroll 4
      for (std::size_t stream = 0; stream < prefetch_streams; ++stream)
        __builtin_prefetch(reinterpret_cast<void const*>(prefetch + stream * prefetch_apart), 0, 2);
      prefetch += prefetch_step;
    }
  }
  if constexpr (inputs > 1)
    if (operands.k % inputs != 0) tile.add_last(a, k, b, b_panel_stride);

  finish_tile(tile.sums, operands);
}

// Panels that a tile of one or two rows takes at once, so that eight sums are in flight to hide the latency of fma (4 cycles, two a cycle).
// Three rows have six of them; two panels would need 17 registers.
constexpr std::size_t panels_at_once(std::size_t rows) noexcept {
  return rows <= 2 ? std::max<std::size_t>(1, 8 / (rows * tile_vectors)) : 1;
}

template <std::size_t... Index>
constexpr auto narrow_tiles(std::index_sequence<Index...>) noexcept {
  return std::array<Tile, sizeof...(Index)>{&tile<Weights<WeightFormat::f32>, Index / tile_vectors + 1, Index % tile_vectors + 1, 1>...};
}
template <class Format, std::size_t... Index>
constexpr auto full_tiles(std::index_sequence<Index...>) noexcept {
  return std::array<Tile, sizeof...(Index)>{&tile<Format, Index + 1, tile_vectors, 1>...};
}
template <class Format, std::size_t... Index>
constexpr auto wide_tiles(std::index_sequence<Index...>) noexcept {
  return std::array<Tile, sizeof...(Index)>{&tile<Format, Index + 1, tile_vectors, panels_at_once(Index + 1)>...};
}

}  // namespace detail

/// The tile of 1 to `tile_rows` rows and one panel of floats, 1 to `tile_vectors` vectors wide.
inline Tile narrow_tile(std::size_t rows, std::size_t vectors) noexcept {
  static constexpr auto tiles = detail::narrow_tiles(std::make_index_sequence<tile_rows * tile_vectors>{});
  return tiles[(rows - 1) * tile_vectors + vectors - 1];
}

/// The tile of 1 to `tile_rows` rows and one full panel of weights.
inline Tile full_tile(WeightFormat format, std::size_t rows) noexcept {
  Tile result = nullptr;
  with_weights(format, [&]<class Format>(Format) {
    if constexpr (detail::has_register_tiles<detail::MatrixWeights<Format>>) {
      static constexpr auto tiles = detail::full_tiles<detail::MatrixWeights<Format>>(std::make_index_sequence<tile_rows>{});
      result = tiles[rows - 1];
    }
  });
  return result;
}

/// A tile of full panels, and how many of them it takes at once.
struct WideTile {
  Tile tile;           ///< The kernel.
  std::size_t panels;  ///< Full panels that it takes at once.
};

/// The tile of 1 to `tile_rows` rows for many full panels.
inline WideTile wide_tile(std::size_t rows, WeightFormat format = WeightFormat::f32) noexcept {
  WideTile result{nullptr, detail::panels_at_once(rows)};
  with_weights(format, [&]<class Format>(Format) {
    if constexpr (detail::has_register_tiles<detail::MatrixWeights<Format>>) {
      static constexpr auto tiles = detail::wide_tiles<detail::MatrixWeights<Format>>(std::make_index_sequence<tile_rows>{});
      result.tile = tiles[rows - 1];
    }
  });
  return result;
}

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
