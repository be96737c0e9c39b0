/// @file
/// Text from a file made fit for an error message: bounded, on one line, with no control characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace axiform::detail {

/// `text` with every byte that is not printable ASCII as `\xNN`, cut after `limit` bytes. Names and values in a hostile file
/// may hold anything and be megabytes long; a message that quotes them must stay a line.
inline std::string printable(std::string_view text, std::size_t limit = 160) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == limit) return result + "... (" + std::to_string(text.size()) + " bytes)";
    auto const byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte < 0x7f) {
      result += text[i];
    } else {
      result += "\\x";
      result += digits[byte >> 4];
      result += digits[byte & 15];
    }
  }
  return result;
}

/// `printable`, in double quotes.
inline std::string in_quotes(std::string_view text) { return '"' + printable(text) + '"'; }

}  // namespace axiform::detail
