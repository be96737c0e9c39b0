/// @file
/// The element types of tensors in files. (core/weight_format.hpp has what converts their numbers.)
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <axiform/core/half.hpp>

namespace axiform {

/// The element type of a tensor in a safetensors file. Every value of the format is here, so that a file that holds a tensor we cannot
/// compute with still opens; `name_of` gives the format's own name.
enum class ElementType : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

namespace detail {

struct ElementTypeFacts {
  std::string_view name;
  std::size_t bits;
};

/// In the order of the enumeration.
inline constexpr std::array<ElementTypeFacts, 22> element_types{{
    {"BOOL", 8},    {"F4", 4},          {"F6_E2M3", 6},     {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
    {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16}, {"F16", 16}, {"BF16", 16},   {"I32", 32},
    {"U32", 32},    {"F32", 32},        {"C64", 64},        {"F64", 64},    {"I64", 64}, {"U64", 64},
}};
static_assert(element_types[static_cast<std::size_t>(ElementType::u64)].name == "U64");
static_assert(element_types[static_cast<std::size_t>(ElementType::bf16)].name == "BF16");

}  // namespace detail

/// The name in a safetensors header: "F32".
constexpr std::string_view name_of(ElementType type) noexcept { return detail::element_types[static_cast<std::size_t>(type)].name; }

/// Bits of one element. Elements smaller than a byte are packed.
constexpr std::size_t bits_of(ElementType type) noexcept { return detail::element_types[static_cast<std::size_t>(type)].bits; }

/// The type of that name, or nothing.
constexpr std::optional<ElementType> element_type_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < detail::element_types.size(); ++i)
    if (detail::element_types[i].name == name) return static_cast<ElementType>(i);
  return std::nullopt;
}

namespace detail {

template <class Element>
constexpr std::optional<ElementType> element_type_in_files() noexcept {
  if constexpr (std::same_as<Element, bool>) return ElementType::boolean;
  if constexpr (std::same_as<Element, float>) return ElementType::f32;
  if constexpr (std::same_as<Element, double>) return ElementType::f64;
  if constexpr (std::same_as<Element, std::int32_t>) return ElementType::i32;
  if constexpr (std::same_as<Element, std::int64_t>) return ElementType::i64;
  if constexpr (std::same_as<Element, Float16>) return ElementType::f16;
  if constexpr (std::same_as<Element, BFloat16>) return ElementType::bf16;
  return std::nullopt;
}

}  // namespace detail

/// What typed tensors in files are made of: bool, float, double, int32_t, int64_t, `Float16` or `BFloat16`.
template <class Element>
concept FileElement = detail::element_type_in_files<Element>().has_value();

/// What such an element is called in a file: F32 for float.
template <FileElement Element>
inline constexpr ElementType element_type_of = *detail::element_type_in_files<Element>();

/// Whether the type is F64, F32, F16 or BF16: the ones that weights are read from.
constexpr bool is_floating_point(ElementType type) noexcept {
  return type == ElementType::f64 || type == ElementType::f32 || type == ElementType::f16 || type == ElementType::bf16;
}

}  // namespace axiform
