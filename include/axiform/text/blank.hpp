/// @file
/// `is_blank`: whether a text has nothing but white space.
#pragma once

#include <string>
#include <string_view>

#include <axiform/core/config.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// Whether nothing but white space is there, as Unicode has it; bytes that are not UTF-8 are something.
inline bool is_blank(std::string_view text) {
  auto const begin = text.find_first_not_of(" \t\r\n\v\f");
  if (begin == text.npos) return true;
  if (static_cast<unsigned char>(text[begin]) < 0x80) return false;
  std::string const rest = replace_invalid_utf8(text.substr(begin));
  for (char const *at = rest.data(), *const end = at + rest.size(); at != end;) {
    auto const [code_point, length] = detail::decode_valid_utf8(at);
    if (properties_of(code_point).regex_class() != RegexClass::space) return false;
    at += length;
  }
  return true;
}

}  // namespace axiform
