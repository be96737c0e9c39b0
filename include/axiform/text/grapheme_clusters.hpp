/// @file
/// Grapheme clusters: what a reader takes for one character, as Unicode's annex 29 cuts text (extended clusters).
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>

#include <axiform/text/grapheme_tables.hpp>

namespace axiform::detail {

/// What a code point does to the clusters round it.
enum class GraphemeClass : std::uint8_t {
  other,
  control,          // Stands alone; line ends, too.
  extend,           // Goes with what stands before it.
  conjunct_extend,  // The same, also between the consonants of a conjunct.
  linker,           // The same, and makes a conjunct of the consonants that it stands between.
  joiner,           // The zero-width joiner.
  regional,         // Half a flag.
  prepend,          // Goes with what stands behind it.
  spacing,          // Goes with what stands before it.
  leading,          // Jamo.
  vowel,
  trailing,
  pictograph,
  consonant,       // That may be part of a conjunct.
  open_syllable,   // A Hangul syllable that a trailing consonant may follow.
  closed_syllable  // One that has it.
};

/// Cuts text into clusters, code point by code point.
class GraphemeClusters {
 public:
  /// Whether a cluster begins with `c`, which follows all that was asked before.
  bool begins(char32_t c) noexcept {
    GraphemeClass const kind = class_of(c);
    bool const result = is_first_ || is_break(kind, c);
    advance(kind);
    previous_ = kind;
    was_return_ = c == U'\r';
    is_first_ = false;
    return result;
  }

 private:
  static bool is_extend(GraphemeClass kind) noexcept {
    return kind == GraphemeClass::extend || kind == GraphemeClass::conjunct_extend || kind == GraphemeClass::linker;
  }

  bool is_break(GraphemeClass kind, char32_t c) const noexcept {
    using enum GraphemeClass;
    if (kind == other && previous_ == other) return true;  // What most text is.
    if (was_return_ && c == U'\n') return false;
    if (previous_ == control || kind == control) return true;
    bool const is_syllable = kind == open_syllable || kind == closed_syllable;
    if (previous_ == leading && (kind == leading || kind == vowel || is_syllable)) return false;
    if ((previous_ == open_syllable || previous_ == vowel) && (kind == vowel || kind == trailing)) return false;
    if ((previous_ == closed_syllable || previous_ == trailing) && kind == trailing) return false;
    if (is_extend(kind) || kind == joiner || kind == spacing || previous_ == prepend) return false;
    if (kind == consonant) return conjunct_ != Conjunct::linked;
    if (kind == pictograph && previous_ == joiner) return pictographs_ != Pictographs::joined;
    if (kind == regional && previous_ == regional) return !has_half_flag_;
    return true;
  }

  void advance(GraphemeClass kind) noexcept {
    using enum GraphemeClass;
    if (kind == consonant)
      conjunct_ = Conjunct::begun;
    else if (kind == linker)
      conjunct_ = conjunct_ == Conjunct::none ? Conjunct::none : Conjunct::linked;
    else if (kind != conjunct_extend && kind != joiner)
      conjunct_ = Conjunct::none;
    if (kind == pictograph)
      pictographs_ = Pictographs::begun;
    else if (kind == joiner && pictographs_ == Pictographs::begun)
      pictographs_ = Pictographs::joined;
    else if (!is_extend(kind) || pictographs_ != Pictographs::begun)
      pictographs_ = Pictographs::none;
    has_half_flag_ = kind == regional && !has_half_flag_;
  }

  /// Runs of text are of one script: its range is kept.
  GraphemeClass class_of(char32_t c) noexcept {
    if (c - 0x20 < 0x5F) return GraphemeClass::other;
    if (char32_t const syllable = c - 0xAC00; syllable < 11172)
      return syllable % 28 == 0 ? GraphemeClass::open_syllable : GraphemeClass::closed_syllable;
    if (c < first_ || c >= last_) {
      auto const* const next = std::upper_bound(std::begin(grapheme_tables::ranges), std::end(grapheme_tables::ranges), c,
                                                [](char32_t value, std::uint32_t range) { return value < range >> 4; });
      first_ = *(next - 1) >> 4;
      last_ = next == std::end(grapheme_tables::ranges) ? 0x110000 : *next >> 4;
      kind_ = static_cast<GraphemeClass>(*(next - 1) & 15);
    }
    return kind_;
  }

  enum class Conjunct : std::uint8_t { none, begun, linked };     // A consonant, and a linker behind it.
  enum class Pictographs : std::uint8_t { none, begun, joined };  // A pictograph, and a joiner behind it.

  GraphemeClass previous_ = GraphemeClass::control;
  bool is_first_ = true;
  bool was_return_ = false;
  bool has_half_flag_ = false;
  Conjunct conjunct_ = Conjunct::none;
  Pictographs pictographs_ = Pictographs::none;
  char32_t first_ = 1;  // The range that was found last, and its class.
  char32_t last_ = 0;
  GraphemeClass kind_ = GraphemeClass::other;
};

}  // namespace axiform::detail
