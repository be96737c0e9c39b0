/// @file
/// Post-processing: spaces trimmed from offsets, special tokens put round the texts, and truncation before them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// A part of a template: one of the texts, or special tokens.
struct TemplatePart {
  /// What stands there.
  enum class Kind : std::uint8_t { first_text, second_text, special };
  Kind kind = Kind::first_text;  ///< What stands there.
  std::vector<TokenId> ids;      ///< Of `special`.
  TokenId type_id = 0;           ///< The segment of its tokens.
};

/// What goes round the texts: `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]` in BERT, nothing in GPT-2.
struct PostProcessor {
  /// Round one text.
  std::vector<TemplatePart> single{{TemplatePart::Kind::first_text, {}, 0}};
  /// Round two.
  std::vector<TemplatePart> pair{{TemplatePart::Kind::first_text, {}, 0}, {TemplatePart::Kind::second_text, {}, 1}};
  bool trim_offsets = false;      ///< Leaves the spaces that a byte-level token begins or ends with out of its offsets.
  bool add_prefix_space = false;  ///< Spares the space that the tokenizer put before the text from trimming.

  /// Special tokens that `parts` add.
  static std::size_t count_special(std::vector<TemplatePart> const& parts) noexcept {
    std::size_t count = 0;
    for (TemplatePart const& part : parts) count += part.ids.size();
    return count;
  }

  /// `[CLS] A [SEP]`, and for pairs `[CLS] A [SEP] B [SEP]` with type 1 from B on.
  AXIFORM_COLD static PostProcessor bert(TokenId cls, TokenId sep) {
    using enum TemplatePart::Kind;
    PostProcessor result;
    result.single = {{special, {cls}, 0}, {first_text, {}, 0}, {special, {sep}, 0}};
    result.pair = {{special, {cls}, 0}, {first_text, {}, 0}, {special, {sep}, 0}, {second_text, {}, 1}, {special, {sep}, 1}};
    return result;
  }

  /// `<s> A </s>`, and for pairs `<s> A </s></s> B </s>`, all of type 0.
  AXIFORM_COLD static PostProcessor roberta(TokenId cls, TokenId sep) {
    using enum TemplatePart::Kind;
    PostProcessor result;
    result.single = {{special, {cls}, 0}, {first_text, {}, 0}, {special, {sep}, 0}};
    result.pair = {{special, {cls}, 0}, {first_text, {}, 0}, {special, {sep, sep}, 0}, {second_text, {}, 0}, {special, {sep}, 0}};
    return result;
  }

  /// `bos A eos`, and for pairs `bos A eos bos B eos` with type 1 from the second `bos` on; either may be empty.
  AXIFORM_COLD static PostProcessor between(std::vector<TokenId> const& bos, std::vector<TokenId> const& eos) {
    using enum TemplatePart::Kind;
    PostProcessor result;
    result.single = {{special, bos, 0}, {first_text, {}, 0}, {special, eos, 0}};
    result.pair = result.single;
    result.pair.insert(result.pair.end(), {{special, bos, 1}, {second_text, {}, 1}, {special, eos, 1}});
    return result;
  }
};

namespace detail {

/// One text's tokens with both kinds of offsets.
struct EncodedText {
  TokenSink tokens;             // Places in bytes of the valid text.
  std::vector<Offset> offsets;  // In code points or units of UTF-16.
};

/// What the byte of a valid text adds to offsets in a unit: those of a character are counted with its first.
template <OffsetUnit Unit>
std::uint32_t units_of(char byte) noexcept {
  std::uint32_t const units = begins_character(byte);
  if constexpr (Unit == OffsetUnit::utf16) return units + (static_cast<unsigned char>(byte) >= 0xF0);
  return units;
}

template <OffsetUnit Unit>
void count_offsets(std::string_view text, EncodedText& encoded) {
  auto const& places = encoded.tokens.places;
  encoded.offsets.resize(places.size());
  std::size_t byte = 0;
  std::uint32_t point = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    auto const [begin, end] = places[i];
    for (; byte < begin; ++byte) point += units_of<Unit>(text[byte]);
    std::uint32_t last = point;
    for (std::size_t k = begin; k < end; ++k) last += units_of<Unit>(text[k]);
    encoded.offsets[i] = {point, last};
  }
}

/// Offsets from places in bytes; the begins of places never go back.
inline void count_offsets(std::string_view text, OffsetUnit unit, EncodedText& encoded) {
  if (unit == OffsetUnit::utf16)
    count_offsets<OffsetUnit::utf16>(text, encoded);
  else
    count_offsets<OffsetUnit::code_points>(text, encoded);
}

/// Spaces that a byte-level token begins and ends with.
struct SpaceCounts {
  std::uint32_t leading = 0;
  std::uint32_t trailing = 0;
};

/// Spaces as byte-level tokens write them, or any whitespace, at both ends.
inline SpaceCounts count_spaces(std::string_view token) noexcept {
  auto const is_space = [](char32_t c) { return c == U'\u0120' || properties_of(c).is_whitespace(); };
  SpaceCounts result;
  std::uint32_t run = 0;
  bool is_leading = true;
  for (char const *p = token.data(), *const end = p + token.size(); p != end;) {
    auto const [c, length] = decode_valid_utf8(p);
    p += length;
    run = is_space(c) ? run + 1 : 0;
    is_leading &= run != 0;
    result.leading += is_leading;
  }
  result.trailing = run;
  return result;
}

/// Takes them out of the offsets as the crate does: counted in code points, each of them one byte unless an added token took others along.
template <class SpacesOf>
void trim_offsets(std::string_view text, bool add_prefix_space, OffsetUnit unit, SpacesOf spaces_of, EncodedText& encoded) {
  auto const width = [&](std::uint32_t place) { return unit == OffsetUnit::utf16 ? units_of<OffsetUnit::utf16>(text[place]) : 1; };
  for (std::size_t i = 0; i < encoded.offsets.size(); ++i) {
    auto [leading, trailing] = spaces_of(i);
    Offset& offset = encoded.offsets[i];
    Offset& place = encoded.tokens.places[i];
    if (leading > 0) {
      if ((i == 0 || offset.begin == 0) && add_prefix_space && leading == 1) leading = 0;
      for (; leading > 0 && offset.begin < offset.end; --leading) {
        offset.begin += width(place.begin);
        place.begin += decode_valid_utf8(text.data() + place.begin).length;
      }
    }
    if (offset.end < trailing) continue;
    for (; trailing > 0 && offset.end > offset.begin; --trailing) {
      do --place.end;
      while ((text[place.end] & '\xC0') == '\x80');
      offset.end -= width(place.end);
    }
  }
}

/// The tokens [first, last), with their offsets where they have been counted.
inline EncodedText tokens_between(EncodedText const& text, std::size_t first, std::size_t last) {
  EncodedText part;
  auto const copy = [&](auto const& from, auto& to) {
    if (!from.empty()) to.assign(from.begin() + static_cast<std::ptrdiff_t>(first), from.begin() + static_cast<std::ptrdiff_t>(last));
  };
  copy(text.tokens.ids, part.tokens.ids);
  copy(text.tokens.places, part.tokens.places);
  copy(text.offsets, part.offsets);
  copy(text.tokens.words, part.tokens.words);
  part.tokens.next_word = text.tokens.next_word;
  for (auto const& [index, spelling] : text.tokens.spellings)
    if (first <= index && index < last) part.tokens.spellings.push_back({index - first, spelling});
  return part;
}

/// Keeps `length` tokens, with their offsets where they have been counted.
inline void truncate(EncodedText& text, std::size_t length, TruncationSide side) {
  std::size_t const size = text.tokens.ids.size();
  if (length >= size) return;
  std::size_t const first = side == TruncationSide::left ? size - length : 0;
  auto const cut = [&](auto& values) {
    if (values.empty()) return;
    values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(first));
    values.resize(length);
  };
  cut(text.tokens.ids);
  cut(text.tokens.places);
  cut(text.offsets);
  cut(text.tokens.words);
  std::erase_if(text.tokens.spellings, [&](Encoding::Spelling const& s) { return s.index < first || s.index >= first + length; });
  for (Encoding::Spelling& spelling : text.tokens.spellings) spelling.index -= first;
}

/// How many tokens of each text stay.
struct KeptTokens {
  std::size_t first;
  std::size_t second;
};

/// What of texts of `n` and `m` tokens, or of one text (`is_pair` false), stays within `length` tokens in all.
/// @throws ArgumentError when the strategy cannot reach it.
inline KeptTokens kept_tokens(std::size_t n, bool is_pair, std::size_t m, std::size_t length, Truncation truncation) {
  if (n + m <= length) return {n, m};
  if (length == 0) return {0, 0};
  if (truncation != Truncation::longest_first) {
    bool const cuts_first = truncation == Truncation::only_first;
    if (!cuts_first && !is_pair) throw_argument_error({"Truncation::only_second needs a pair of texts, and there is one text"});
    std::size_t const size = cuts_first ? n : m;
    std::size_t const excess = n + m - length;
    if (size <= excess)
      throw_argument_error({std::string(cuts_first ? "Truncation::only_first: the first" : "Truncation::only_second: the second"),
                            " text has ", std::to_string(size), " tokens, and ", std::to_string(excess), " would have to go"});
    return cuts_first ? KeptTokens{n - excess, m} : KeptTokens{n, m - excess};
  }
  if (!is_pair) return {length, 0};
  std::size_t shorter = std::min(n, m);
  std::size_t longer = shorter > length ? shorter : std::max(shorter, length - shorter);
  if (shorter + longer > length) {
    shorter = length / 2;
    longer = shorter + length % 2;
  }
  return n > m ? KeptTokens{longer, shorter} : KeptTokens{shorter, longer};
}

/// Windows of `length` tokens over `size`, each sharing `stride` of them with the one before; those of a text that is cut at its begin are
/// counted from its end. As the crate has them.
inline std::vector<Offset> windows_over(std::size_t size, std::size_t length, std::size_t stride, TruncationSide side) {
  std::vector<Offset> windows;
  for (std::size_t done = 0;; done += length - stride) {
    std::size_t const end = std::min(done + length, size);
    Offset const window{static_cast<std::uint32_t>(done), static_cast<std::uint32_t>(end)};
    auto const mirrored = [&](std::uint32_t place) { return static_cast<std::uint32_t>(size) - place; };
    windows.push_back(side == TruncationSide::right ? window : Offset{mirrored(window.end), mirrored(window.begin)});
    if (end == size) return windows;
  }
}

/// Whether `parts` have the first text once, then the second `seconds` times; `assemble` takes no others.
inline bool is_template(std::vector<TemplatePart> const& parts, std::ptrdiff_t seconds) noexcept {
  using enum TemplatePart::Kind;
  std::ptrdiff_t found_first = 0, found_second = 0;
  for (TemplatePart const& part : parts) {
    if (part.kind == first_text && found_second > 0) return false;
    found_first += part.kind == first_text;
    found_second += part.kind == second_text;
  }
  return found_first == 1 && found_second == seconds;
}

/// Puts the parts together; takes the first text's tokens away. `second` is null for one text.
inline Encoding assemble(std::vector<TemplatePart> const& parts, EncodedText& first, EncodedText* second, bool add_special_tokens) {
  Encoding result;
  result.ids.swap(first.tokens.ids);
  result.offsets.swap(first.offsets);
  result.byte_offsets.swap(first.tokens.places);
  result.spellings.swap(first.tokens.spellings);
  result.words.swap(first.tokens.words);
  bool const has_words = !result.words.empty() || (second != nullptr && !second->tokens.words.empty());
  std::size_t const size = result.ids.size() + PostProcessor::count_special(parts) + (second == nullptr ? 0 : second->tokens.ids.size());
  result.type_ids.reserve(size);
  result.special_tokens_mask.reserve(size);
  std::size_t done = 0;  // The first text is there already: what comes before it moves it back, what comes after it is appended.
  for (TemplatePart const& part : parts) {
    auto const place = [done](auto& values) { return values.begin() + static_cast<std::ptrdiff_t>(done); };
    std::size_t length = 0;
    switch (part.kind) {
      case TemplatePart::Kind::special:
        if (!add_special_tokens) continue;
        length = part.ids.size();
        result.ids.insert(place(result.ids), part.ids.begin(), part.ids.end());
        result.offsets.insert(place(result.offsets), length, Offset{});
        result.byte_offsets.insert(place(result.byte_offsets), length, Offset{});
        if (has_words) result.words.insert(place(result.words), length, 0);
        for (Encoding::Spelling& spelling : result.spellings) spelling.index += spelling.index >= done ? length : 0;
        break;
      case TemplatePart::Kind::first_text:
        length = result.ids.size() - done;
        break;
      case TemplatePart::Kind::second_text: {
        TokenSink const& tokens = second->tokens;
        length = tokens.ids.size();
        result.ids.insert(result.ids.end(), tokens.ids.begin(), tokens.ids.end());
        result.offsets.insert(result.offsets.end(), second->offsets.begin(), second->offsets.end());
        result.byte_offsets.insert(result.byte_offsets.end(), tokens.places.begin(), tokens.places.end());
        for (std::uint32_t const word : tokens.words) result.words.push_back(first.tokens.next_word + word);
        for (Encoding::Spelling const& spelling : tokens.spellings) result.spellings.push_back({done + spelling.index, spelling.text});
        break;
      }
    }
    done += length;
    result.type_ids.resize(done, part.type_id);
    result.special_tokens_mask.resize(done, part.kind == TemplatePart::Kind::special ? 1 : 0);
  }
  return result;
}

}  // namespace detail

}  // namespace axiform
