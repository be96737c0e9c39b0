/// @file
/// Decoding: from tokens back to text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/text/utf8.hpp>

namespace axiform {

/// How tokens become text, under Hugging Face's names.
struct DecoderOptions {
  /// How tokens are joined.
  enum class Kind : std::uint8_t {
    spaces,      ///< No decoder: tokens with spaces between.
    word_piece,  ///< Spaces between words; continuing tokens lose their prefix.
    byte_level,  ///< The bytes that the tokens stand for.
  };
  Kind kind = Kind::spaces;                   ///< How tokens are joined.
  std::string prefix = "##";                  ///< Of `word_piece`.
  bool cleanup = true;                        ///< Of `word_piece`: closes gaps before punctuation and contractions, token by token.
  bool clean_up_tokenization_spaces = false;  ///< Closes them in the whole text.
};

namespace detail {

inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
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
  }
}

}  // namespace detail

}  // namespace axiform
