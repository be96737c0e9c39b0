/// @file
/// Decoding: from tokens back to text.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// How tokens become text, under Hugging Face's names.
struct DecoderOptions {
  /// How tokens are joined.
  enum class Kind : std::uint8_t {
    spaces,      ///< No decoder: tokens with spaces between.
    word_piece,  ///< Spaces between words; continuing tokens lose their prefix.
    byte_level,  ///< The bytes that the tokens stand for.
    marks,       ///< Tokens as they are, with spaces where they have `mark`.
  };
  Kind kind = Kind::spaces;     ///< How tokens are joined.
  std::string prefix = "##";    ///< Of `word_piece`.
  bool cleanup = true;          ///< Of `word_piece`: closes gaps before punctuation and contractions, token by token.
  bool byte_fallback = false;   ///< Of `marks`: tokens such as `<0xE2>` are bytes, each of them U+FFFD where a run is not UTF-8.
  std::size_t strip_left = 0;   ///< Of `marks`: spaces that the text loses at its begin, at most.
  std::string mark = "\u2581";  ///< Of `marks`: how tokens write a space.
  bool drops_first = false;     ///< Of `marks`: the first token loses its marks, wherever they stand in it.
  bool strips_ends = false;     ///< Of `marks`: the text loses the whitespace at both ends, and what is no UTF-8 is replaced byte by byte.
  bool drops_mark_behind_special = false;     ///< Where `strips_ends`: text behind a special token loses the mark that it begins with.
  std::string behind_special = {};            ///< Where `strips_ends`: what follows each special token.
  bool clean_up_tokenization_spaces = false;  ///< Closes gaps in the whole text.
};

namespace detail {

/// How vocabularies that SentencePiece made write a space.
inline constexpr std::string_view space_mark = "\u2581";

[[gnu::noinline]] inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t i = text.find(from); i != text.npos; i = text.find(from, i + to.size())) text.replace(i, from.size(), to);
}

/// Hugging Face's `clean_up_tokenization`: one replacement after another, in this order.
inline void clean_up_spaces(std::string& text, bool is_word_piece_decoder) {
  if (text.find(' ') == text.npos) return;
  for (auto const& [from, to] : {std::pair<std::string_view, std::string_view>{" .", "."},
                                 {" ?", "?"},
                                 {" !", "!"},
                                 {" ,", ","},
                                 {" ' ", "'"},
                                 {" n't", "n't"},
                                 {" 'm", "'m"}})
    replace_all(text, from, to);
  if (is_word_piece_decoder) replace_all(text, " do not", " don't");
  for (auto const& [from, to] : {std::pair<std::string_view, std::string_view>{" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}})
    replace_all(text, from, to);
}

/// The code points by which byte-level tokenizers write the bytes: themselves where they print, else U+0100 and on.
inline constexpr std::array<char32_t, 256> byte_characters = [] {
  std::array<char32_t, 256> result{};
  char32_t next = 256;
  for (unsigned b = 0; b < 256; ++b) {
    bool const prints = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    result[b] = prints ? b : next++;
  }
  return result;
}();

/// The byte that a code point stands for, or -1.
inline constexpr std::array<std::int16_t, 324> bytes_of_characters = [] {
  std::array<std::int16_t, 324> result{};
  result.fill(-1);
  for (unsigned b = 0; b < 256; ++b) result[byte_characters[b]] = static_cast<std::int16_t>(b);
  return result;
}();

/// The bytes that a byte-level token stands for. A token with any other character (an added one) stands for itself.
inline std::string bytes_of_token(std::string_view token) {
  std::string bytes;
  for (char const *p = token.data(), *const end = p + token.size(); p != end;) {
    auto const [c, length] = decode_valid_utf8(p);
    if (c >= bytes_of_characters.size() || bytes_of_characters[c] < 0) return std::string(token);
    bytes.push_back(static_cast<char>(bytes_of_characters[c]));
    p += length;
  }
  return bytes;
}

/// Whether every character of `token` stands for a byte.
inline bool is_byte_level(std::string_view token) {
  for (char const *p = token.data(), *const end = p + token.size(); p != end;) {
    auto const [c, length] = decode_valid_utf8(p);
    if (c >= bytes_of_characters.size() || bytes_of_characters[c] < 0) return false;
    p += length;
  }
  return true;
}

/// Appends what one token adds to a text; bytes of a character may come in parts.
inline void decode_token(DecoderOptions const& options, std::string_view token, bool is_first, std::string& text) {
  switch (options.kind) {
    case DecoderOptions::Kind::spaces:
      if (!is_first) text.push_back(' ');
      text.append(token);
      break;
    case DecoderOptions::Kind::word_piece: {
      std::string piece;
      if (is_first)
        piece = token;
      else if (token.starts_with(options.prefix))
        piece = token.substr(options.prefix.size());
      else
        piece.append(" ").append(token);
      if (options.cleanup) clean_up_spaces(piece, true);
      text.append(piece);
      break;
    }
    case DecoderOptions::Kind::byte_level:
      text.append(bytes_of_token(token));
      break;
    case DecoderOptions::Kind::marks: {
      std::size_t const before = text.size();
      std::string_view const space = is_first && options.drops_first ? "" : " ";
      text.append(token);
      for (std::size_t i = text.find(options.mark, before); i != text.npos; i = text.find(options.mark, i + space.size()))
        text.replace(i, options.mark.size(), space);
      break;
    }
  }
}

/// The token of a byte in a vocabulary that is not byte-level: `<0xE2>`.
inline std::string byte_token(unsigned char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
}

/// The byte that a token stands for, where it is that of one: as Rust reads two hexadecimal digits, of which the first may be a plus sign.
inline std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  char const* const last = token.data() + 5;
  char const* const first = token.data() + (token[3] == '+' ? 4 : 3);
  unsigned value = 0;
  auto const [end, error] = std::from_chars(first, last, value, 16);
  if (error != std::errc{} || end != last) return std::nullopt;
  return static_cast<unsigned char>(value);
}

/// Puts a text together, token by token: what the decoder must know of the tokens before.
class TokenDecoder {
 public:
  explicit TokenDecoder(DecoderOptions const& options)
      : spaces_to_strip_(options.kind == DecoderOptions::Kind::marks ? options.strip_left : 0),
        strips_ends_(options.kind == DecoderOptions::Kind::marks && options.strips_ends) {}

  /// Appends what `token` completes. A run of bytes is complete with the token that ends it: not before is it known to be UTF-8.
  void add(DecoderOptions const& options, std::string_view token, bool is_special, std::string& text) {
    if (options.kind == DecoderOptions::Kind::marks && options.byte_fallback) {
      if (auto const byte = byte_of_token(token)) {
        bytes_.push_back(static_cast<char>(*byte));
        is_first_ = false;
        return;
      }
      finish(text);
    }
    std::size_t const before = text.size();
    if (strips_ends_ && options.drops_mark_behind_special) {
      if (begins_part_ && !is_special && token.starts_with(options.mark)) token.remove_prefix(options.mark.size());
      begins_part_ = is_special || (begins_part_ && token.empty());
    }
    decode_token(options, token, is_first_, text);
    if (strips_ends_ && is_special) text.append(options.behind_special);
    is_first_ = false;
    strip(text, before);
  }
  /// Appends a run of bytes with which the tokens end.
  void finish(std::string& text) {
    if (bytes_.empty()) return;
    std::size_t const before = text.size();
    for (std::string_view rest = bytes_; !rest.empty();) {
      auto [valid, invalid] = scan_utf8(rest);
      if (invalid != 0 && !strips_ends_) {  // The crate replaces the whole run, SentencePiece what is wrong in it.
        valid = 0;
        invalid = rest.size();
      }
      text.append(rest.substr(0, valid));
      for (std::size_t i = 0; i < invalid; ++i) text.append("\xEF\xBF\xBD");
      rest.remove_prefix(valid + invalid);
    }
    bytes_.clear();
    begins_part_ = false;
    strip(text, before);
  }
  /// Whether the tokens so far no longer matter, once `finish` has been called.
  bool is_under_way() const noexcept { return !is_first_ && spaces_to_strip_ == 0 && !strips_ends_; }

 private:
  void strip(std::string& text, std::size_t begin) {
    if (strips_ends_) hold_whitespace(text, begin);
    if (spaces_to_strip_ == 0 || begin == text.size()) return;
    std::size_t const spaces = std::min(text.find_first_not_of(' ', begin), text.size()) - begin;
    text.erase(begin, std::min(spaces, spaces_to_strip_));
    spaces_to_strip_ = begin == text.size() ? spaces_to_strip_ - spaces : 0;
  }

  static bool is_python_whitespace(char32_t c) noexcept { return properties_of(c).is_whitespace() || (c >= 0x1C && c <= 0x1F); }

  /// Takes whitespace away from `begin` on where the text begins there, and at its end; the latter comes back when something follows.
  void hold_whitespace(std::string& text, std::size_t begin) {
    text.insert(begin, held_);
    held_.clear();
    std::size_t place = begin, end_of_words = begin;
    while (place < text.size()) {
      auto const [c, length] = decode_valid_utf8(text.data() + place);
      place += length;
      if (!is_python_whitespace(c)) {
        end_of_words = place;
        has_words_ = true;
      } else if (!has_words_) {
        text.erase(begin, length);
        place = begin;
      }
    }
    if (!has_words_) return;
    held_ = text.substr(end_of_words);
    text.resize(end_of_words);
  }

  std::string bytes_;  // A run of bytes that no other token has ended.
  std::string held_;   // Whitespace that the text so far ends with.
  std::size_t spaces_to_strip_;
  bool strips_ends_;
  bool has_words_ = false;
  bool begins_part_ = true;  // Nothing stands before, or a special token.
  bool is_first_ = true;
};

}  // namespace detail

}  // namespace axiform
