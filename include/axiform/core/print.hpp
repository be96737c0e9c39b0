/// @file
/// How a tensor is written: nested brackets, columns aligned, large ones abridged. `std::cout << tensor` is in view.hpp and tensor.hpp;
/// here is what it writes, which no stream's header is needed for.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <axiform/core/config.hpp>

namespace axiform::detail {

inline constexpr std::size_t print_at_most = 1000;  // elements; of a larger tensor's long axes only the ends are written
inline constexpr std::size_t print_edge = 3;        // entries at either end
inline constexpr std::size_t print_columns = 80;    // characters of a line; what is longer goes on in the next

// What elements can be written: numbers, and what is one float.
template <class Element>
concept Writable = std::is_arithmetic_v<Element> || std::convertible_to<Element, float>;

// What the stream says of numbers: 'f' for fixed, 'e' for scientific, 'g' for a precision alone, 0 when it says nothing.
struct NumberStyle {
  char notation;
  int precision;
};

struct ShownAxis {
  std::size_t length;
  bool abridged;

  std::size_t shown() const noexcept { return abridged ? 2 * print_edge : length; }
  std::size_t index(std::size_t i) const noexcept { return abridged && i >= print_edge ? length - 2 * print_edge + i : i; }
};

inline std::vector<ShownAxis> shown_axes(std::span<std::size_t const> lengths) {
  std::size_t size = 1;
  for (std::size_t length : lengths) size *= length;
  std::vector<ShownAxis> axes;
  for (std::size_t length : lengths) axes.push_back({length, size > print_at_most && length > 2 * print_edge});
  return axes;
}

// These need no <cmath>, which every header with a tensor would pay for.
inline bool is_finite(double value) noexcept { return value - value == 0; }
inline bool is_whole(double value) noexcept {
  return value < 1e8 && value > -1e8 && value == static_cast<double>(static_cast<long long>(value));
}

// Four decimals unless the stream says otherwise; none where all are whole, and powers of ten where four decimals would show too little or
// too much.
inline NumberStyle style_for(std::span<double const> values, NumberStyle style) {
  if (style.notation != 0) return style;
  double greatest = 0;
  bool whole = true;
  for (double value : values) {
    if (!is_finite(value)) continue;
    greatest = std::max({greatest, value, -value});
    whole &= is_whole(value);
  }
  if (whole) return {'f', 0};
  return {greatest >= 1e5 || greatest < 1e-3 ? 'e' : 'f', 4};
}

inline std::string number_text(double value, NumberStyle style) {
  if (value != value) return "nan";
  auto const format = style.notation == 'f'   ? std::chars_format::fixed
                      : style.notation == 'e' ? std::chars_format::scientific
                                              : std::chars_format::general;
  std::array<char, 400> text;  // the greatest double has 309 digits
  auto const end = std::to_chars(text.data(), text.data() + text.size(), value, format, std::clamp(style.precision, 0, 64)).ptr;
  return std::string(text.data(), end);
}

// The elements that are shown, outermost axis first.
template <class Element>
std::vector<Element> shown_elements(Element const* data, std::span<std::ptrdiff_t const> strides, std::span<ShownAxis const> axes) {
  std::vector<std::ptrdiff_t> places{0};  // of the axes so far
  for (std::size_t axis = 0; axis < axes.size(); ++axis) {
    std::vector<std::ptrdiff_t> next;
    for (std::ptrdiff_t place : places)
      for (std::size_t i = 0; i < axes[axis].shown(); ++i)
        next.push_back(place + static_cast<std::ptrdiff_t>(axes[axis].index(i)) * strides[axis]);
    places = std::move(next);
  }
  std::vector<Element> elements;
  for (std::ptrdiff_t place : places) elements.push_back(data[place]);
  return elements;
}

template <class Element>
std::vector<std::string> element_texts(std::vector<Element> const& elements, NumberStyle style) {
  std::vector<std::string> texts;
  if constexpr (!std::is_integral_v<Element>) {
    std::vector<double> const values(elements.begin(), elements.end());
    NumberStyle const chosen = style_for(values, style);
    for (double value : values) texts.push_back(number_text(value, chosen));
  } else {
    for (auto element : elements) texts.push_back(std::to_string(element));
  }
  return texts;
}

// Writes the axes from `depth` on; `text` is the next element's.
inline void append_nested(std::string& out, std::span<ShownAxis const> axes, std::size_t depth, std::size_t width,
                          std::string const*& text) {
  ShownAxis const axis = axes[depth];
  std::string const indent(depth + 1, ' '), between = std::string(axes.size() - depth - 1, '\n') + indent;
  bool const is_row = depth + 1 == axes.size();
  std::size_t column = depth + 1;
  auto const append = [&](std::string const& word, std::size_t word_width) {
    if (column > depth + 1) {
      bool const fits = column + 1 + word_width < print_columns;
      out += fits ? " " : "\n" + indent;
      column = fits ? column + 1 : depth + 1;
    }
    out.append(word_width - std::min(word_width, word.size()), ' ') += word;
    column += word_width;
  };
  out += '[';
  for (std::size_t i = 0; i < axis.shown(); ++i) {
    if (is_row) {
      if (axis.abridged && i == print_edge) append("...", 3);
      append(*text++, width);
    } else {
      if (axis.abridged && i == print_edge) out += between + "...";
      if (i != 0) out += between;
      append_nested(out, axes, depth + 1, width, text);
    }
  }
  out += ']';
}

inline std::string nested_text(std::span<ShownAxis const> axes, std::vector<std::string> const& texts) {
  if (texts.empty()) return "[] ";
  std::string out;
  std::size_t width = 0;
  for (std::string const& text : texts) width = std::max(width, text.size());
  std::string const* next = texts.data();
  append_nested(out, axes, 0, width, next);
  return out + ' ';
}

// The elements at `data` on axes of the given lengths, each axis with a stride of its own, and a space.
template <class Element>
std::string tensor_text(Element const* data, std::span<std::size_t const> lengths, std::span<std::ptrdiff_t const> strides,
                        NumberStyle style) {
  auto const axes = shown_axes(lengths);
  return nested_text(axes, element_texts(shown_elements(data, strides, axes), style));
}

template <class Stream>
NumberStyle style_of(Stream const& out) {
  auto const notation = out.flags() & Stream::floatfield;
  if (notation == Stream::fixed) return {'f', static_cast<int>(out.precision())};
  if (notation == Stream::scientific) return {'e', static_cast<int>(out.precision())};
  return {out.precision() == 6 ? '\0' : 'g', static_cast<int>(out.precision())};
}

}  // namespace axiform::detail
