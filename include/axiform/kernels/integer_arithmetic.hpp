/// @file
/// How the numbers of a group are multiplied and summed in integers, with what the instruction set has: exactly, so that all forms agree.
///
/// A group's eight words of weights become steps, each a register of numbers of as many outputs as there are lanes; a row has a word of its own numbers for
/// each step, which goes to all lanes. An arithmetic says how many bytes of a row a group has, unpacks weights for the steps, and adds one step's products.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <axiform/core/config.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/words.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

namespace detail {

// Brings the line that lies `ahead` bytes behind an address into L2. There need be nothing.
[[gnu::always_inline]] inline void ask_for(void const* address, std::size_t ahead) noexcept {
  __builtin_prefetch(reinterpret_cast<void const*>(reinterpret_cast<std::uintptr_t>(address) + ahead), 0, 2);
}

// Calls each(w, words) for the words of a group: those of `Vectors` registers of outputs. Asks for the memory `ahead` of them, once for each line.
template <class Blocks, std::size_t Vectors, class Each>
[[gnu::always_inline]] inline void for_words(std::byte const* const (&places)[Vectors], std::size_t ahead, Each const& each) noexcept {
  constexpr std::size_t line = 4 * block_panel_width;
#pragma GCC unroll 8
  for (std::size_t w = 0; w < Blocks::bits; ++w) {
    simd::Ints words[Vectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < Vectors; ++v) {
      words[v] = simd::load_words(places[v] + w * line);
      if (v % (block_panel_width / simd::lanes) == 0) ask_for(places[v] + w * line, ahead);
    }
    each(w, words);
  }
}

// The numbers of 4 bits in the lower and the upper halves of bytes, as bytes.
[[gnu::always_inline]] inline simd::Ints lower_numbers(simd::Ints words) noexcept { return words & simd::Ints(0x0f0f0f0f); }
[[gnu::always_inline]] inline simd::Ints upper_numbers(simd::Ints words) noexcept { return (words >> 4) & simd::Ints(0x0f0f0f0f); }

// Calls each(step, numbers) for a group's eight words of numbers as bytes, whose bits `turned` are turned. Words of 4 bits are loaded again for the upper halves
// where no register is left to keep them in (Clang 19 spilled sums instead: 200 G for 240).
template <class Blocks, std::uint32_t turned = 0, bool again = false, std::size_t Vectors, class Each>
[[gnu::always_inline]] inline void for_bytes(std::byte const* const (&places)[Vectors], std::size_t ahead, Each const& each) noexcept {
  for_words<Blocks>(
      places, ahead, [&](std::size_t w, simd::Ints(&words)[Vectors]) __attribute__((always_inline)) {
        if constexpr (Blocks::bits == 8) {
          if constexpr (turned != 0)
            for (simd::Ints& word : words) word = word ^ simd::Ints(static_cast<std::int32_t>(turned));
          each(w, words);
        } else {
          simd::Ints numbers[Vectors];
#pragma GCC unroll 8
          for (std::size_t v = 0; v < Vectors; ++v) numbers[v] = lower_numbers(words[v]);
          each(w, numbers);
#pragma GCC unroll 8
          for (std::size_t v = 0; v < Vectors; ++v)
            numbers[v] = upper_numbers(again ? simd::load_words_again(places[v] + w * 4 * block_panel_width) : words[v]);
          each(w + 4, numbers);
        }
      });
}

}  // namespace detail

#if defined(__x86_64__) && !defined(AXIFORM_HAS_VNNI)

/// Numbers of 8 bits as 16 bits, two products at once: every other byte of a word in one step, the others in the next.
template <class Blocks>
struct ProductsOfHalves {
  using Number = std::int16_t;         ///< Of a row; of every four the first and third come before the others.
  static constexpr bool keeps = true;  ///< Sums must be told to stay in registers.

  /// A group's sum to begin with.
  [[gnu::always_inline]] static simd::Ints begin(std::int32_t offset) noexcept { return simd::Ints(offset); }
  /// Calls each(step, numbers).
  template <std::size_t Vectors, class Each>
  [[gnu::always_inline]] static void for_steps(std::byte const* const (&places)[Vectors], std::size_t ahead, Each const& each) noexcept {
    detail::for_words<Blocks>(
        places, ahead, [&](std::size_t w, simd::Ints(&words)[Vectors]) __attribute__((always_inline)) {
          simd::Ints numbers[Vectors];
#pragma GCC unroll 8
          for (std::size_t v = 0; v < Vectors; ++v) numbers[v] = words[v] & simd::Ints(0x00ff00ff);
          each(2 * w, numbers);
#pragma GCC unroll 8
          for (std::size_t v = 0; v < Vectors; ++v) numbers[v] = simd::upper_bytes(words[v]);
          each(2 * w + 1, numbers);
        });
  }
  /// Adds one step's products.
  [[gnu::always_inline]] static void add(simd::Ints& sums, simd::Ints numbers, simd::Ints row) noexcept {
    sums += simd::products_of_halves(numbers, row);
  }
  /// A group's sums.
  [[gnu::always_inline]] static simd::Ints end(simd::Ints sums, std::int32_t) noexcept { return sums; }
};

/// Numbers of 4 bits, unsigned, by signed bytes: the sum of a group's eight pairs of products is at most 8 * 2 * 15 * 127 = 30 480, so it waits in 16 bits.
template <class Blocks>
struct ProductsOfNibbles {
  using Number = std::int8_t;          ///< Of a row, in the order of the inputs.
  static constexpr bool keeps = true;  ///< Sums must be told to stay in registers.

  /// A group's sum to begin with.
  [[gnu::always_inline]] static simd::Ints begin(std::int32_t) noexcept { return simd::Ints(0); }
  /// Calls each(step, numbers).
  template <std::size_t Vectors, class Each>
  [[gnu::always_inline]] static void for_steps(std::byte const* const (&places)[Vectors], std::size_t ahead, Each const& each) noexcept {
    detail::for_bytes<Blocks>(places, ahead, each);
  }
  /// Adds one step's products.
  [[gnu::always_inline]] static void add(simd::Ints& sums, simd::Ints numbers, simd::Ints row) noexcept {
    sums = simd::add_halves(sums, simd::products_of_bytes(numbers, row));
  }
  /// A group's sums.
  [[gnu::always_inline]] static simd::Ints end(simd::Ints sums, [[maybe_unused]] std::int32_t offset) noexcept {
    simd::Ints const wide = simd::products_of_halves(sums, simd::Ints(0x00010001));
    return Blocks::has_minimum ? wide : wide + simd::Ints(offset);
  }
};

/// The arithmetic of a format, on this instruction set.
template <class Blocks>
using IntegerArithmetic = std::conditional_t<Blocks::bits == 8, ProductsOfHalves<Blocks>, ProductsOfNibbles<Blocks>>;

#else

/// Four products of bytes at once join a sum of 32 bits.
template <class Blocks>
struct ProductsOfFour {
  using Number = std::int8_t;  ///< Of a row, in the order of the inputs.
  static constexpr bool keeps = simd::lanes < 16;  ///< Whether sums must be told to stay in registers.

  // NEON without I8MM has products of signed bytes alone. Numbers of 4 bits are signed bytes as they are.
  static constexpr bool turns_sign = simd::byte_products == simd::ByteProducts::of_signed && Blocks::bits == 8;

  /// A group's sum to begin with.
  [[gnu::always_inline]] static simd::Ints begin([[maybe_unused]] std::int32_t offset) noexcept {
    return simd::Ints(turns_sign || Blocks::has_minimum ? 0 : offset);
  }
  /// Calls each(step, numbers).
  template <std::size_t Vectors, class Each>
  [[gnu::always_inline]] static void for_steps(std::byte const* const (&places)[Vectors], std::size_t ahead, Each const& each) noexcept {
    detail::for_bytes<Blocks, turns_sign ? 0x80808080u : 0u, simd::registers == 16>(places, ahead, each);
  }
  /// Adds one step's products.
  [[gnu::always_inline]] static void add(simd::Ints& sums, simd::Ints numbers, simd::Ints row) noexcept {
    simd::add_products_of_four(sums, numbers, row);
  }
  /// A group's sums.
  [[gnu::always_inline]] static simd::Ints end(simd::Ints sums, std::int32_t) noexcept { return sums; }
};

/// The arithmetic of a format, on this instruction set.
template <class Blocks>
using IntegerArithmetic = ProductsOfFour<Blocks>;

#endif

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
