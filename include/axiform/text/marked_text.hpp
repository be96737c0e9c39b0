/// @file
/// `MarkedText`: text that knows of each byte whether it came from a message, and Python's string methods on it.
///
/// A chat template puts texts of users between control tokens of its own. Which is which must outlast all that a template does to a text
/// (trimming, splitting, joining, replacing), so that `<|im_end|>` in a message never becomes the token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// Thrown by what a template does when it cannot be done. The interpreter knows the line, and makes a FormatError of it.
struct TemplateFault {
  std::string words;
};

/// What rendering may still cost. A template is somebody's program: without a limit it could run for ever, or fill the memory.
class TemplateBudget {
 public:
  // What the tests have of hostile templates takes 2.5 s and 510 MiB at most (one core of a shared Zen 4) until all is spent; a prompt of 20 MB spends a half.
  static constexpr std::size_t step = 100;     ///< A node that is evaluated.
  static constexpr std::size_t string = 300;   ///< A string that is made, besides its bytes.
  static constexpr std::size_t byte = 4;       ///< A byte that is copied.
  static constexpr std::size_t element = 100;  ///< An element of a list.

  void spend(std::size_t units) {
    if (units > left_) throw TemplateFault{"takes more work than a template may"};
    left_ -= units;
  }
  /// What looking for `needle` bytes in `text` bytes costs.
  void spend_search(std::size_t text, std::size_t needle) {
    if (needle <= text) spend((text - needle + 1) * (1 + needle / 16));
  }

 private:
  std::size_t left_ = 1'000'000'000;
};

/// Where text came from.
enum class TextOrigin : char { from_template, from_message };

/// Text, and the origin of each of its bytes. Valid UTF-8.
class MarkedText {
 public:
  static constexpr std::size_t size_limit = std::size_t{64} << 20;  ///< Bytes; more is a fault.

  MarkedText() = default;
  MarkedText(std::string text, TextOrigin origin) : text_(std::move(text)), marks_(text_.size(), static_cast<char>(origin)) { check(0); }

  std::string_view text() const noexcept { return text_; }
  std::size_t size() const noexcept { return text_.size(); }
  bool empty() const noexcept { return text_.empty(); }
  TextOrigin origin(std::size_t place) const noexcept { return static_cast<TextOrigin>(marks_[place]); }
  /// Whether any of it came from a message.
  bool has_message() const noexcept { return marks_.find(static_cast<char>(TextOrigin::from_message)) != std::string::npos; }

  /// Whether the filter `safe` made it: jinja2 would escape HTML in what is added to it.
  bool is_safe() const noexcept { return is_safe_; }
  /// The same text, which `is_safe()`. No other text is: what is made of this one is not.
  MarkedText as_safe() const {
    MarkedText result = *this;
    result.is_safe_ = true;
    return result;
  }

  void append(MarkedText const& other) { append(other, 0, other.size()); }
  /// The bytes [begin, end) of `other`.
  void append(MarkedText const& other, std::size_t begin, std::size_t end) {
    check(end - begin);
    text_.append(other.text_, begin, end - begin);
    marks_.append(other.marks_, begin, end - begin);
  }
  void append(std::string_view text, TextOrigin origin) {
    check(text.size());
    text_.append(text);
    marks_.append(text.size(), static_cast<char>(origin));
  }
  void append(char32_t code_point, TextOrigin origin) {
    std::size_t const before = text_.size();
    append_utf8(text_, code_point);
    marks_.append(text_.size() - before, static_cast<char>(origin));
    check(0);
  }
  /// The bytes [begin, end).
  MarkedText part(std::size_t begin, std::size_t end) const {
    MarkedText result;
    result.append(*this, begin, end);
    return result;
  }

 private:
  void check(std::size_t more) const {
    if (text_.size() > size_limit || more > size_limit - text_.size()) throw TemplateFault{"makes a text of more than 64 MiB"};
  }

  std::string text_;
  std::string marks_;
  bool is_safe_ = false;
};

// ---- characters as Python has them ----------------------------------------------------------------------------------------------------

/// `str.isspace` of one character, and what `\s` matches.
inline bool is_python_space(char32_t c) noexcept {
  return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/// Whether `str.splitlines` ends a line at it.
inline bool is_python_line_end(char32_t c) noexcept {
  return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

inline bool is_of_class(char32_t c, std::uint32_t classes) noexcept { return (classes >> properties_of(c).general_class() & 1) != 0; }

inline bool is_cased(char32_t c) noexcept {
  return is_of_class(c, general_classes::upper | general_classes::lower | general_classes::title);
}

/// The places where the characters of valid UTF-8 begin, and the end.
inline std::vector<std::size_t> character_places(std::string_view text) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (begins_character(text[i])) places.push_back(i);
  places.push_back(text.size());
  return places;
}

/// Calls `visit(code point, place, next place)` for each character.
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  for (std::size_t i = 0; i < text.size();) {
    auto const [c, length] = decode_valid_utf8(text.data() + i);
    visit(c, i, i + length);
    i += length;
  }
}

/// The one character that `c` is upper-cased to. Where Unicode writes several, or the tables of lower case do not tell, that is a fault.
inline char32_t upper_case(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  namespace tables = unicode_tables;
  using Pair = std::pair<char32_t, char32_t>;
  static std::vector<Pair> const uppers =
      [] {  // By lower case; of several the first, which is the one that is not a compatibility character.
        std::vector<Pair> pairs;
        for (std::size_t i = 0; i < std::size(tables::lower_case_keys); ++i)
          pairs.emplace_back(static_cast<char32_t>(tables::lower_case_values[i]), static_cast<char32_t>(tables::lower_case_keys[i]));
        std::ranges::sort(pairs);
        return pairs;
      }();
  auto const found = std::ranges::lower_bound(uppers, c, {}, &Pair::first);
  bool const has_upper = found != uppers.end() && found->first == c;
  bool const has_several = c == 0xDF || (c >= 0x1F80 && c <= 0x1FFF && has_upper && is_of_class(found->second, general_classes::title));
  if (has_upper && !has_several) return found->second;
  if (!is_of_class(c, general_classes::lower | general_classes::title) && c != 0x345) return c;
  std::string code;
  for (int shift = c > 0xFFFF ? 16 : 12; shift >= 0; shift -= 4) code += "0123456789ABCDEF"[c >> shift & 15];
  throw TemplateFault{"the upper case of U+" + code + " is not supported"};
}

/// How `change_case` treats a character.
enum class LetterCase { lower, upper, title, capitalized };

/// `str.lower`, `str.upper`, `str.title` or `str.capitalize`.
inline MarkedText change_case(MarkedText const& text, LetterCase letter_case) {
  MarkedText result;
  bool follows_letter = false, ends_word = false, is_first = true;  // `ends_word`: a letter, and then nothing but marks.
  for_each_character(text.text(), [&](char32_t c, std::size_t begin, std::size_t end) {
    bool const raises = letter_case == LetterCase::upper || (letter_case == LetterCase::title && !follows_letter) ||
                        (letter_case == LetterCase::capitalized && is_first);
    TextOrigin const origin = text.origin(begin);
    if (raises) {
      result.append(upper_case(c), origin);
    } else if (c == 0x3A3) {  // Sigma at the end of a word is another letter.
      bool const goes_on = end < text.size() && is_cased(decode_valid_utf8(text.text().data() + end).value);
      result.append(ends_word && !goes_on ? U'\u03C2' : U'\u03C3', origin);
    } else if (properties_of(c).has_lower_case()) {
      lower_case(c, [&](char32_t lower) { result.append(lower, origin); });
    } else {
      result.append(text, begin, end);
    }
    follows_letter = is_cased(c);
    ends_word = follows_letter || (ends_word && properties_of(c).is_mark());
    is_first = false;
  });
  return result;
}

// ---- Python's string methods ----------------------------------------------------------------------------------------------------------

/// Which ends of a text a method works on.
enum class TextEnds { left, right, both };

/// `str.strip`, `lstrip`, `rstrip`: of whitespace, or of the characters of `characters`.
inline MarkedText strip(MarkedText const& text, TextEnds ends, std::string_view const* characters, TemplateBudget& budget) {
  if (characters != nullptr) budget.spend_search(text.size(), characters->size());
  auto const goes = [&](std::size_t place) {
    auto const [c, length] = decode_valid_utf8(text.text().data() + place);
    if (characters == nullptr) return is_python_space(c);
    std::string_view const character = text.text().substr(place, length);
    return characters->find(character) != std::string_view::npos;  // UTF-8 is self-synchronizing.
  };
  std::size_t begin = 0, end = text.size();
  while (ends != TextEnds::right && begin < end && goes(begin)) begin += decode_valid_utf8(text.text().data() + begin).length;
  while (ends != TextEnds::left && begin < end) {
    std::size_t last = end - 1;
    while (!begins_character(text.text()[last])) --last;
    if (!goes(last)) break;
    end = last;
  }
  return text.part(begin, end);
}

/// A number of splits or replacements that is no limit.
inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// `str.replace`.
inline MarkedText replace(MarkedText const& text, MarkedText const& old, MarkedText const& with, std::size_t count,
                          TemplateBudget& budget) {
  budget.spend_search(text.size(), old.size());
  MarkedText result;
  std::size_t done = 0;
  auto const put = [&] {
    budget.spend(with.size() * TemplateBudget::byte);
    result.append(with);
    --count;
  };
  if (old.empty()) {  // Before each character, and at the end.
    for_each_character(text.text(), [&](std::uint32_t, std::size_t begin, std::size_t end) {
      if (count > 0) put();
      result.append(text, begin, end);
    });
    if (count > 0) put();
    return result;
  }
  while (count > 0) {
    std::size_t const place = text.text().find(old.text(), done);
    if (place == std::string_view::npos) break;
    result.append(text, done, place);
    put();
    done = place + old.size();
  }
  result.append(text, done, text.size());
  return result;
}

/// `str.split` at whitespace (no `separator`) or at a separator, at most `most` times; `rsplit` counts from the right.
inline std::vector<MarkedText> split(MarkedText const& text, std::string_view const* separator, std::size_t most, TextEnds from,
                                     TemplateBudget& budget) {
  std::string_view const all = text.text();
  std::vector<std::pair<std::size_t, std::size_t>> parts;  // From the side that is counted from.
  auto const add = [&](std::size_t begin, std::size_t end) {
    budget.spend(TemplateBudget::string + TemplateBudget::element);
    parts.emplace_back(begin, end);
  };
  auto const previous = [&](std::size_t place) {
    do --place;
    while (!begins_character(all[place]));
    return place;
  };
  auto const is_space = [&](std::size_t place) { return is_python_space(decode_valid_utf8(all.data() + place).value); };
  auto const length = [&](std::size_t place) { return decode_valid_utf8(all.data() + place).length; };
  bool const is_right = from == TextEnds::right;
  budget.spend_search(all.size(), separator == nullptr ? 1 : separator->size());
  if (separator != nullptr) {
    if (separator->empty()) throw TemplateFault{"splits a text at an empty separator"};
    std::size_t begin = 0, end = all.size();
    for (; most > 0; --most) {
      std::string_view const rest = all.substr(begin, end - begin);
      std::size_t const place = is_right ? rest.rfind(*separator) : rest.find(*separator);
      if (place == std::string_view::npos) break;
      if (is_right) {
        add(begin + place + separator->size(), end);
        end = begin + place;
      } else {
        add(begin, begin + place);
        begin += place + separator->size();
      }
    }
    add(begin, end);
  } else if (!is_right) {
    std::size_t place = 0;
    while (true) {
      while (place < all.size() && is_space(place)) place += length(place);
      if (place == all.size()) break;
      std::size_t end = place;
      if (most == 0) {
        add(place, all.size());
        break;
      }
      while (end < all.size() && !is_space(end)) end += length(end);
      add(place, end);
      place = end;
      --most;
    }
  } else {
    std::size_t place = all.size();
    while (true) {
      while (place > 0 && is_space(previous(place))) place = previous(place);
      if (place == 0) break;
      std::size_t begin = place;
      if (most == 0) {
        add(0, place);
        break;
      }
      while (begin > 0 && !is_space(previous(begin))) begin = previous(begin);
      add(begin, place);
      place = begin;
      --most;
    }
  }
  if (is_right) std::ranges::reverse(parts);
  budget.spend(text.size() * TemplateBudget::byte);
  std::vector<MarkedText> result;
  for (auto const& [begin, end] : parts) result.push_back(text.part(begin, end));
  return result;
}

/// Whether lines keep what ends them.
enum class LineEnds { dropped, kept };

/// `str.splitlines`.
inline std::vector<MarkedText> split_lines(MarkedText const& text, LineEnds line_ends, TemplateBudget& budget) {
  std::vector<MarkedText> result;
  std::string_view const all = text.text();
  std::size_t begin = 0;
  budget.spend(all.size() * TemplateBudget::byte);
  for (std::size_t i = 0; i < all.size();) {
    auto const [c, length] = decode_valid_utf8(all.data() + i);
    std::size_t const next = i + length + (c == '\r' && i + 1 < all.size() && all[i + 1] == '\n' ? 1 : 0);
    if (is_python_line_end(c)) {
      budget.spend(TemplateBudget::string + TemplateBudget::element);
      result.push_back(text.part(begin, line_ends == LineEnds::kept ? next : i));
      begin = next;
    }
    i = next;
  }
  if (begin < all.size()) result.push_back(text.part(begin, all.size()));
  return result;
}

}  // namespace axiform::detail
