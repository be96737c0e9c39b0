/// @file
/// What the tests of text/ share: the fixtures' tokenizers and texts, and the checksums of tests/fixtures/text/make_fixtures.py.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <axiform/io/json.hpp>
#include <axiform/text/streaming_decoder.hpp>
#include <axiform/text/tokenizer_files.hpp>
#include <axiform/text/tokenizer_json.hpp>

#include "support/files.hpp"

namespace axiform::test {

inline std::filesystem::path const fixtures = std::filesystem::path(AXIFORM_FIXTURES) / "text";
inline std::filesystem::path const minilm_directory = std::filesystem::path(AXIFORM_MODELS) / "minilm-l6";

inline Tokenizer const& minilm() {
  static Tokenizer const tokenizer = Tokenizer::from_directory(minilm_directory);
  return tokenizer;
}
inline Tokenizer const& byte_bpe() {
  static Tokenizer const tokenizer = Tokenizer::from_tokenizer_json(fixtures / "byte_bpe/tokenizer.json");
  return tokenizer;
}
inline Tokenizer const& character_bpe() {
  static Tokenizer const tokenizer = Tokenizer::from_tokenizer_json(fixtures / "character_bpe/tokenizer.json");
  return tokenizer;
}

/// The JSON values of a file, one a line.
inline std::vector<Json> json_lines(std::string const& name) {
  std::ifstream file(fixtures / name);
  if (!file) throw std::runtime_error("cannot open " + (fixtures / name).string());
  std::vector<Json> values;
  for (std::string line; std::getline(file, line);) values.push_back(parse_json(line, name));
  return values;
}

/// `json` with what `patch` has in its place; null removes (RFC 7396).
inline void merge_patch(Json& json, Json const& patch) {
  if (!patch.is_object()) return void(json = patch);
  if (!json.is_object()) json = Json::object();
  for (auto const& [key, value] : patch.items()) {
    if (value.is_null())
      json.erase(key);
    else
      merge_patch(json[key], value);
  }
}

/// The tokenizer that a line of a fixture describes: another with some settings in the place of its own.
inline Tokenizer variant_of(Json const& variant) {
  auto const base = variant["base"].get<std::string>();
  Json description = read_json((base == "minilm" ? minilm_directory : fixtures / base) / "tokenizer.json");
  if (variant.contains("patch")) merge_patch(description, variant["patch"]);
  if (variant.contains("replace")) description.update(variant["replace"]);
  return Tokenizer(detail::parts_from_tokenizer_json(description, variant["name"]));
}

inline std::vector<std::string> const& recorded_texts() {
  static std::vector<std::string> const texts = [] {
    std::vector<std::string> result;
    for (Json const& text : json_lines("texts.jsonl")) result.push_back(text.get<std::string>());
    return result;
  }();
  return texts;
}

inline std::uint32_t crc32(std::string_view text) {
  static auto const table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t c = ~0u;
  for (char const byte : text) c = table[(c ^ static_cast<unsigned char>(byte)) & 0xFF] ^ c >> 8;
  return ~c;
}

template <class Values>
std::string numbers(Values const& values) {
  std::string result;
  for (auto const value : values) (result += result.empty() ? "" : ",") += std::to_string(value);
  return result;
}

inline std::vector<std::uint32_t> flat(std::vector<Offset> const& offsets) {
  std::vector<std::uint32_t> places;
  for (auto const [begin, end] : offsets) places.push_back(begin), places.push_back(end);
  return places;
}

/// All of an encoding but ids and offsets.
inline std::string rest_of(Tokenizer const& tokenizer, Encoding const& encoding) {
  std::string tokens;
  bool is_first = true;
  for (std::string const& token : tokenizer.tokens(encoding)) {
    if (!is_first) tokens += '\x1f';
    is_first = false;
    tokens += token;
  }
  DecodeOptions const keep{.clean_up_tokenization_spaces = CleanUp::no};
  DecodeOptions const skip{.skip_special_tokens = true, .clean_up_tokenization_spaces = CleanUp::no};
  return numbers(encoding.type_ids) + '\x1e' + numbers(encoding.special_tokens_mask) + '\x1e' + tokens + '\x1e' +
         tokenizer.decode(encoding.ids, keep) + '\x1e' + tokenizer.decode(encoding.ids, skip);
}

inline std::string all_of(Tokenizer const& tokenizer, Encoding const& encoding) {
  return numbers(encoding.ids) + '\x1e' + numbers(flat(encoding.offsets)) + '\x1e' + rest_of(tokenizer, encoding);
}

/// The code points [begin, end) of valid UTF-8.
inline std::string_view code_points(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t place = 0, first = text.size(), last = text.size(), count = 0;
  for (; place < text.size(); ++place) {
    if ((text[place] & '\xC0') == '\x80') continue;
    if (count == begin) first = std::min(first, place);
    if (count == end) last = std::min(last, place);
    ++count;
  }
  return text.substr(first, last - first);
}

/// As `all_texts` of make_unigram.py has them.
inline std::vector<std::string> const& all_texts() {
  static std::vector<std::string> const all = [] {
    static constexpr std::string_view between[] = {" ", "", "  ", "\n", "</s>", "\u00ad", "\u2581", "\u0301"};
    std::vector<std::string> texts = recorded_texts();
    for (Json const& text : json_lines("piece_texts.jsonl")) texts.push_back(text.get<std::string>());
    std::size_t const count = texts.size();
    for (std::size_t i = 0; i < count; ++i) texts.push_back(texts[i] + std::string(between[i % 8]) + texts[(7 * i + 3) % count]);
    return texts;
  }();
  return all;
}

/// The checksum of the text `i` of `texts`, now and then with another, as `piece_case` of make_fixtures.py has it: ids, offsets, text and words.
inline std::uint32_t piece_case(Tokenizer const& tokenizer, std::vector<std::string> const& texts, std::size_t i) {
  EncodeOptions const options{.add_special_tokens = i % 2 == 0};
  Encoding const encoding =
      i % 8 == 1 ? tokenizer.encode_pair(texts[i], texts[(7 * i + 3) % texts.size()], options) : tokenizer.encode(texts[i], options);
  std::string words;
  bool is_first = true;
  for (auto const& word : tokenizer.word_ids(encoding)) {
    (is_first ? words : words += ',') += word ? std::to_string(*word) : "";
    is_first = false;
  }
  return crc32(all_of(tokenizer, encoding) + '\x1e' + words);
}

/// Checks `all_texts`, of which each eight have one checksum.
inline void check_groups(Tokenizer const& tokenizer, Json const& recorded) {
  auto const& texts = all_texts();
  auto const groups = recorded.get<std::vector<std::uint32_t>>();
  REQUIRE(groups.size() == (texts.size() + 7) / 8);
  for (std::size_t group = 0; group < groups.size(); ++group) {
    CAPTURE(texts[8 * group]);
    std::vector<std::uint32_t> sums;
    for (std::size_t i = 8 * group; i < std::min(8 * group + 8, texts.size()); ++i) sums.push_back(piece_case(tokenizer, texts, i));
    CHECK(crc32(numbers(sums)) == groups[group]);
  }
}

}  // namespace axiform::test
