#include <axiform/text/utf8.hpp>

#include <doctest/doctest.h>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::string from_hex(std::string const& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_CASE("utf8: every scalar value survives the way there and back, and is one code point") {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    auto const [value, length] = detail::decode_valid_utf8(text.data());
    if (!(value == c && length == text.size() && is_valid_utf8(text) && count_code_points(text) == 1))
      FAIL("U+" << std::hex << std::uint32_t{c});
  }
}

TEST_CASE("utf8: surrogates and what lies above U+10FFFF are written as U+FFFD") {
  for (char32_t c : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string text;
    append_utf8(text, c);
    CHECK(text == "\xEF\xBF\xBD");
  }
}

TEST_CASE("utf8: invalid bytes are replaced as Python's errors=replace does") {
  auto const cases = json_lines("invalid_utf8.jsonl");
  CHECK(cases.size() > 300);
  for (Json const& c : cases) {
    auto const hex = c["bytes"].get<std::string>();
    CAPTURE(hex);
    CHECK(replace_invalid_utf8(from_hex(hex)) == c["text"].get<std::string>());
  }
}

TEST_CASE("utf8: a text is tokenized as its replacement is, and its byte offsets are places in the bytes that were given") {
  for (Json const& c : json_lines("invalid_utf8.jsonl")) {
    auto const hex = c["bytes"].get<std::string>();
    CAPTURE(hex);
    std::string const bytes = from_hex(hex);
    auto const text = c["text"].get<std::string>();
    for (Tokenizer const* const tokenizer : {&minilm(), &byte_bpe()}) {
      Encoding const given = tokenizer->encode(bytes);
      Encoding const replaced = tokenizer->encode(text);
      CHECK(given.ids == replaced.ids);
      CHECK(given.offsets == replaced.offsets);
      for (std::size_t i = 0; i < given.size(); ++i) {
        auto const [begin, end] = given.byte_offsets[i];
        REQUIRE(begin <= end);
        REQUIRE(end <= bytes.size());
        CHECK(replace_invalid_utf8(bytes.substr(begin, end - begin)) == code_points(text, given.offsets[i].begin, given.offsets[i].end));
      }
    }
  }
}

TEST_CASE("utf8: what could still become a character is told from what cannot") {
  for (char const* const text : {"\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xED\x9F", "\xF4\x8F\xBF"}) CHECK(is_incomplete_utf8(text));
  for (char const* const text : {"", "a", "\x80", "\xC0", "\xE0\x80", "\xED\xA0", "\xF4\x90", "\xFF", "\xE2\x82\xAC", "\xE2\x28"})
    CHECK_FALSE(is_incomplete_utf8(text));
}
