/// @file
/// What a text's words are to a search by words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/function_ref.hpp>

#if AXIFORM_DEFINES(search)
#include <axiform/text/normalizer.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>
#endif

namespace axiform {

/// Calls `use` with each word of a text, in order: a run of letters and digits, with the marks that stand on them, in lower case. Ideographs and
/// hiragana, which are written without spaces, are words by themselves. Everything else separates words.
///
/// Texts are composed (Unicode's NFC) before, and a final sigma is a sigma, so that what looks the same is the same. What is not UTF-8
/// separates words.
void for_each_word(std::string_view text, FunctionRef<void(std::string_view)> use);

/// All words of a text.
inline std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> result;
  for_each_word(text, [&](std::string_view word) { result.emplace_back(word); });
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

/// Puts words together, a code point at a time.
class WordCutter {
 public:
  explicit WordCutter(FunctionRef<void(std::string_view)> use) : use_(use) {}

  void take(char32_t c) {
    auto const properties = properties_of(c);
    bool const is_hiragana = c >= 0x3041 && c <= 0x309F;
    if (properties.is_ideograph() || (is_hiragana && properties.regex_class() == RegexClass::letter)) {
      finish();
      append_utf8(word_, c);
      finish();
    } else if (properties.regex_class() == RegexClass::letter || properties.regex_class() == RegexClass::number) {
      append_lower(c, properties);
    } else if (!properties.is_accent()) {
      finish();
    } else if (!word_.empty()) {
      append_utf8(word_, c);
    }
  }
  void finish() {
    if (!word_.empty()) use_(word_);
    word_.clear();
  }

 private:
  void append_lower(char32_t c, CodePointProperties properties) {
    constexpr char32_t sigma = 0x3C3, final_sigma = 0x3C2;
    if (properties.has_lower_case()) {
      lower_case(c, [this](char32_t lower) { append_utf8(word_, lower); });
    } else {
      append_utf8(word_, c == final_sigma ? sigma : c);
    }
  }

  FunctionRef<void(std::string_view)> use_;
  std::string word_;
};

}  // namespace detail

AXIFORM_INLINE void for_each_word(std::string_view text, FunctionRef<void(std::string_view)> use) {
  if (!is_valid_utf8(text)) return for_each_word(replace_invalid_utf8(text), use);
  static detail::Normalizer const composed({{.kind = NormalizerStep::Kind::nfc}}, "words");
  detail::WordCutter cutter(use);
  if (composed.keeps(text)) {
    for (char const *p = text.data(), *const end = p + text.size(); p != end;) {
      auto const [c, length] = detail::decode_valid_utf8(p);
      cutter.take(c);
      p += length;
    }
  } else {
    detail::Normalizer::Scratch scratch;
    composed.normalize(text, 0, TextBefore::nothing, scratch);
    for (auto const& point : scratch.points) cutter.take(point.value);
  }
  cutter.finish();
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
