/// @file
/// SentencePiece's precompiled character map: texts of a few bytes, and what stands for them in normalised text.
///
/// The file has the length of a trie in bytes, the trie, and texts that zeros end. The trie is a double array of 32-bit words as Darts-clone writes
/// them (https://github.com/s-yata/darts-clone); its values are places among the texts. What is read here is what the crate `spm_precompiled` reads,
/// of any bytes: what leads out of the file leads nowhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/io/printable.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// The map. Immutable.
class Charsmap {
 public:
  /// @throws FormatError when `bytes` have no trie, or texts that are not UTF-8. `where` says in messages where they come from.
  Charsmap(std::string_view bytes, std::string const& where) {
    auto const refuse = [&](std::string const& found) { throw_format_error({where, ": the precompiled character map ", found}); };
    if (bytes.size() < 4) refuse("has " + std::to_string(bytes.size()) + " bytes, expected at least 4");
    std::size_t const length = word_at(bytes, 0) / 4;
    bytes.remove_prefix(4);
    if (length == 0) refuse("has an empty trie");
    if (length > bytes.size() / 4)
      refuse("says that its trie has " + std::to_string(length) + " words, and " + std::to_string(bytes.size()) + " bytes follow");
    units_.reserve(length);
    for (std::size_t i = 0; i < length; ++i) units_.push_back(word_at(bytes, 4 * i));
    texts_ = bytes.substr(4 * length);
    if (!is_valid_utf8(texts_)) refuse("has texts that are not UTF-8");
  }

  /// What stands for `text`: for its shortest prefix that the map has, as in the crate. Nothing when the map has none.
  std::optional<std::string_view> find(std::string_view text) const noexcept {
    std::optional<std::string_view> found;
    for_each_prefix(text, [&](std::size_t, std::size_t place) {
      found = text_at(place);
      return false;
    });
    return found;
  }

  /// A prefix and what stands for it.
  struct Rule {
    std::size_t length;  ///< Of the prefix, in bytes; 0 when there is none.
    std::string_view text;
  };
  /// The longest prefix of `text` that the map has, as in SentencePiece.
  Rule find_longest(std::string_view text) const noexcept {
    Rule found{};
    for_each_prefix(text, [&](std::size_t length, std::size_t place) {
      if (auto const stands_for = text_at(place)) found = {length, *stands_for};
      return true;
    });
    return found;
  }

 private:
  static std::uint32_t word_at(std::string_view bytes, std::size_t begin) noexcept {
    std::uint32_t word = 0;
    for (std::size_t i = 4; i-- > 0;) word = word << 8 | static_cast<unsigned char>(bytes[begin + i]);
    return word;
  }
  static std::size_t offset(std::uint32_t unit) noexcept { return static_cast<std::size_t>(unit >> 10) << ((unit >> 9 & 1) * 8); }

  /// Calls `visit(length, place)` for each prefix of `text` that the trie has, the shortest first, until it returns false.
  template <class Visit>
  void for_each_prefix(std::string_view text, Visit visit) const noexcept {
    std::size_t node = offset(units_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto const label = static_cast<unsigned char>(text[i]);
      if (label == 0) return;
      node ^= label;
      if (node >= units_.size()) return;
      std::uint32_t const unit = units_[node];
      if ((unit & 0x800000FFu) != label) return;
      node ^= offset(unit);
      if ((unit >> 8 & 1) == 0) continue;
      if (node >= units_.size() || !visit(i + 1, units_[node] & 0x7FFFFFFFu)) return;
    }
  }

  std::optional<std::string_view> text_at(std::size_t begin) const noexcept {
    std::string_view text = texts_;
    if (begin > text.size() || (begin < text.size() && !begins_character(text[begin]))) return std::nullopt;
    text.remove_prefix(begin);
    return text.substr(0, text.find('\0'));
  }

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

}  // namespace axiform::detail
