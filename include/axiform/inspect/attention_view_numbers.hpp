/// @file
/// How an attention page carries its weights: rounded down to parts of 1, their bytes compressed, in base64.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/inspect/deflate.hpp>
#include <axiform/io/base64.hpp>

namespace axiform::detail {

/// Into how many parts a weight of 1 may be divided. Weights are rounded down to them. Each scale is an even number of thousandths, so that the
/// boundaries between numbers of three decimals, which lie half-way between thousandths, are boundaries between parts: what is shown with three
/// decimals is what the weight itself would be shown as. At multiples of 20 000 four decimals are, too.
inline constexpr std::array<std::uint32_t, 6> weight_scales{60000, 20000, 10000, 6000, 4000, 2000};

/// The scale of the mean over all heads, and of what the others are made from.
inline constexpr std::uint32_t finest_scale = weight_scales.front();

/// A weight in parts of `finest_scale`. The product is exact: 24 bits by 11.
inline std::uint16_t fixed_point(double weight) { return static_cast<std::uint16_t>(std::clamp(weight, 0.0, 1.0) * finest_scale); }

/// Estimates how many bytes weights take in a page at each scale: the entropy of their bytes, which Huffman codes come close to.
class WeightEntropy {
 public:
  /// Adds the weights of a head, in parts of `finest_scale`.
  void add(std::span<std::uint16_t const> numbers) {
    std::fill(counts_.begin(), counts_.end(), 0u);
    for (std::uint16_t const number : numbers) ++counts_[number];
    for (std::size_t s = 0; s < weight_scales.size(); ++s) {
      std::array<std::uint32_t, 512> bytes{};  // how often each is a low byte, a high byte
      for (std::uint32_t number = 0; number <= finest_scale; ++number) {
        std::uint32_t const part = number / (finest_scale / weight_scales[s]), count = counts_[number];
        if (count == 0) continue;
        bytes[part & 255] += count;
        bytes[256 + (part >> 8)] += count;
      }
      double bits = 2 * weighted_log(numbers.size());
      for (std::uint32_t const count : bytes) bits -= weighted_log(count);
      bytes_[s] += bits / 8 * 4 / 3 + per_element;  // base64 has four characters for three bytes
    }
  }

  /// Bytes at `weight_scales[s]`.
  double bytes(std::size_t s) const { return bytes_[s]; }

  /// The finest scale at which the weights take no more than `most` bytes, or the last. @return Its index.
  std::size_t finest_within(double most) const {
    auto const found = std::ranges::find_if(bytes_, [&](double bytes) { return bytes <= most; });
    return found == bytes_.end() ? bytes_.size() - 1 : static_cast<std::size_t>(found - bytes_.begin());
  }

 private:
  static constexpr double per_element = 100;  // the element round the numbers, and the lengths of the codes
  static double weighted_log(std::size_t count) {
    return count == 0 ? 0 : static_cast<double>(count) * std::log2(static_cast<double>(count));
  }

  std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(finest_scale + 1);
  std::array<double, weight_scales.size()> bytes_{};
};

/// Weights of a layer's heads, as they come, for the mean over all of them: what the page can reckon from the heads, and how the mean differs.
class LayerMean {
 public:
  LayerMean(std::size_t weights, std::size_t heads, std::uint32_t scale) : sums_(weights), parts_(weights), heads_(heads), scale_(scale) {}

  /// Adds a weight of a head, and its number at the page's scale.
  void add(std::size_t index, double weight, std::uint16_t number) {
    sums_[index] += weight;
    if (number > 0) parts_[index] += 2u * number + 1;  // the middle of a part, in halves of one; a weight of 0 parts is taken for 0
  }

  /// How far each mean, in parts of `finest_scale`, is from what the page reckons: 0, -1, 1, -2, … as 0, 1, 2, 3, …
  std::vector<std::uint16_t> differences() const {
    std::vector<std::uint16_t> result(sums_.size());
    for (std::size_t i = 0; i < result.size(); ++i) {
      auto const reckoned = static_cast<std::int64_t>(finest_scale / 2 * std::uint64_t{parts_[i]} / (std::uint64_t{scale_} * heads_));
      std::int64_t const difference = fixed_point(sums_[i] / static_cast<double>(heads_)) - reckoned;
      result[i] = static_cast<std::uint16_t>(difference < 0 ? -2 * difference - 1 : 2 * difference);
    }
    return result;
  }

 private:
  std::vector<double> sums_;
  std::vector<std::uint32_t> parts_;
  std::size_t heads_;
  std::uint32_t scale_;
};

/// An element that holds numbers: their low bytes, then their high bytes, which are mostly 0, as a DEFLATE stream in base64.
inline std::string numbers_element(std::string_view id, std::span<std::uint16_t const> numbers) {
  Deflater deflater;
  std::vector<std::uint8_t> bytes(numbers.size());
  for (int const shift : {0, 8}) {
    std::ranges::transform(numbers, bytes.begin(), [&](std::uint16_t number) { return static_cast<std::uint8_t>(number >> shift); });
    deflater.add(bytes);
  }
  std::string element = "<script type=\"text/plain\" id=\"" + std::string(id) + "\">";
  append_base64(element, deflater.finish());
  return element + "</script>\n";
}

}  // namespace axiform::detail
