/// @file
/// Weights in their format: how a register of them is loaded as floats, and how rows of them are read, added and written.
#pragma once

#include <cstddef>
#include <cstdint>

#include <axiform/core/config.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/simd/batch.hpp>

AXIFORM_BEGIN_KERNELS

namespace axiform::inline AXIFORM_ARCH::kernels {

/// What kernels know of a format: the type of a weight in memory, how `lanes` weights or one become floats, and what a float is rounded to.
template <WeightFormat>
struct Weights;
/// Floats.
template <>
struct Weights<WeightFormat::f32> {
  using Element = float;  ///< A weight in memory.

  [[gnu::always_inline]] static simd::Floats load(Element const* source) noexcept { return simd::load(source); }  ///< `lanes` weights.
  static float widen(Element weight) noexcept { return weight; }                                                  ///< One weight's value.
  static Element narrow(float value) noexcept { return value; }                                                   ///< The nearest weight.
};
/// bfloat16.
template <>
struct Weights<WeightFormat::bf16> {
  using Element = std::uint16_t;  ///< A weight in memory.

  [[gnu::always_inline]] static simd::Floats load(Element const* source) noexcept {
    return simd::load_bfloat16(source);
  }  ///< `lanes` weights.
  static float widen(Element weight) noexcept { return float_from_bfloat16(weight); }  ///< One weight's value.
  static Element narrow(float value) noexcept { return bfloat16_from_float(value); }   ///< The nearest weight.
};
/// IEEE 754 binary16.
template <>
struct Weights<WeightFormat::f16> {
  using Element = std::uint16_t;  ///< A weight in memory.

  [[gnu::always_inline]] static simd::Floats load(Element const* source) noexcept { return simd::load_half(source); }  ///< `lanes` weights.
  static float widen(Element weight) noexcept { return float_from_half(weight); }  ///< One weight's value.
  static Element narrow(float value) noexcept { return half_from_float(value); }   ///< The nearest weight.
};

/// Calls `use(Weights<format>{})`.
/// @pre The format is not one of blocks: kernels/packed_blocks.hpp has those.
template <class Use>
[[gnu::always_inline]] inline void with_weights(WeightFormat format, Use const& use) {
  switch (format) {
    case WeightFormat::f32:
      return use(Weights<WeightFormat::f32>{});
    case WeightFormat::bf16:
      return use(Weights<WeightFormat::bf16>{});
    case WeightFormat::f16:
      return use(Weights<WeightFormat::f16>{});
    default:
      return;
  }
}

namespace detail {

// each(value, target[i]) for i < count, where value is weight i of `source`, `stride` weights apart. Vectors where they lie together.
template <class Format, class Each>
void for_each_weight(typename Format::Element const* source, std::size_t stride, float* target, std::size_t count, Each each) noexcept {
  std::size_t i = 0;
  if (stride == 1)
    for (; i + simd::lanes <= count; i += simd::lanes) simd::store(target + i, each(Format::load(source + i), simd::load(target + i)));
  for (; i < count; ++i) target[i] = each(Format::widen(source[i * stride]), target[i]);
}

}  // namespace detail

/// target[i] = weight i for i < count.
/// @param source Weights in `format`, `stride` weights apart.
void read_weights(WeightFormat format, void const* source, std::size_t stride, float* target, std::size_t count) noexcept;

/// target[i] += weight i for i < count.
/// @param source Weights in `format`, `stride` weights apart.
void add_weights(WeightFormat format, void const* source, std::size_t stride, float* target, std::size_t count) noexcept;

/// Weight i = the nearest of source[i] for i < count.
/// @param target Weights in `format`, one after another.
void write_weights(WeightFormat format, float const* source, void* target, std::size_t count) noexcept;

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(kernels)

AXIFORM_INLINE void read_weights(WeightFormat format, void const* source, std::size_t stride, float* target, std::size_t count) noexcept {
  with_weights(format, [=]<class Format>(Format) {
    detail::for_each_weight<Format>(static_cast<typename Format::Element const*>(source), stride, target, count,
                                    [](auto weight, auto) { return weight; });
  });
}

AXIFORM_INLINE void add_weights(WeightFormat format, void const* source, std::size_t stride, float* target, std::size_t count) noexcept {
  with_weights(format, [=]<class Format>(Format) {
    detail::for_each_weight<Format>(static_cast<typename Format::Element const*>(source), stride, target, count,
                                    [](auto weight, auto value) { return value + weight; });
  });
}

AXIFORM_INLINE void write_weights(WeightFormat format, float const* source, void* target, std::size_t count) noexcept {
  with_weights(format, [=]<class Format>(Format) {
    auto* const weights = static_cast<typename Format::Element*>(target);
    for (std::size_t i = 0; i < count; ++i) weights[i] = Format::narrow(source[i]);
  });
}

#endif  // AXIFORM_DEFINES(kernels)

}  // namespace axiform::inline AXIFORM_ARCH::kernels

AXIFORM_END_KERNELS
