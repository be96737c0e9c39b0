// Unigram models against what the pinned crate gave: tests/fixtures/text/make_unigram.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/tokenizer_json.hpp>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

Json const& unigram_json() {
  static Json const json = read_json(fixtures / "unigram/tokenizer.json");
  return json;
}

std::string const& charsmap_in_base64() {
  static std::string const map = unigram_json()["normalizer"]["precompiled_charsmap"].get<std::string>();
  return map;
}

/// The character map where the fixture names it.
void put_charsmap(Json& json) {
  if (json.is_string() && json == "the map") json = charsmap_in_base64();
  if (json.is_object()) {
    Json const old = json;
    for (auto const& [key, value] : old.items()) put_charsmap(json[key]);
  }
  if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i) put_charsmap(json[i]);
}

/// A line of unigram.jsonl.
Tokenizer unigram_variant(Json const& variant) {
  Json description = unigram_json();
  merge_patch(description, variant["patch"]);
  Json replace = variant["replace"];
  put_charsmap(replace);
  description.update(replace);
  Json& vocabulary = description["model"]["vocab"];
  if (variant.contains("dropped")) {
    Json kept = Json::array();
    auto const dropped = variant["dropped"].get<std::vector<std::string>>();
    for (Json const& entry : vocabulary)
      if (std::ranges::find(dropped, entry[0].get<std::string>()) == dropped.end()) kept.push_back(entry);
    vocabulary = kept;
  }
  if (variant.contains("scores"))
    for (std::size_t i = 0; i < vocabulary.size(); ++i) vocabulary[i][1] = variant["scores"][i];
  return Tokenizer(detail::parts_from_tokenizer_json(description, variant["name"].get<std::string>()));
}

Tokenizer unigram_named(std::string const& name) {
  for (Json const& variant : json_lines("unigram.jsonl"))
    if (variant["name"] == name) return unigram_variant(variant);
  throw std::runtime_error("no tokenizer " + name);
}

}  // namespace

TEST_CASE("unigram: ids, offsets, words and text are the pinned crate's, with every normalizer and pre-tokenizer that its files have") {
  CHECK(all_texts().size() > 2500);
  auto const variants = json_lines("unigram.jsonl");
  CHECK(variants.size() >= 18);
  for (Json const& variant : variants) {
    CAPTURE(variant["name"].get<std::string>());
    Tokenizer const tokenizer = unigram_variant(variant);
    check_groups(tokenizer, variant["groups"]);
  }
}

TEST_CASE("unigram: byte places are the code points' places, a batch gives what its texts give, streaming what decoding gives") {
  auto const& texts = all_texts();
  for (std::string const name : {"XLM-R", "bytes for what is unknown", "a space before the first piece"}) {
    CAPTURE(name);
    Tokenizer const tokenizer = unigram_named(name);
    auto const batch = tokenizer.encode_batch(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(texts[i]);
      Encoding const encoding = tokenizer.encode(texts[i]);
      CHECK(all_of(tokenizer, batch[i]) == all_of(tokenizer, encoding));
      if (i % 4 == 0)
        for (std::size_t k = 0; k < encoding.size(); ++k) {
          auto const [begin, end] = encoding.byte_offsets[k];
          CHECK(texts[i].substr(begin, end - begin) == code_points(texts[i], encoding.offsets[k].begin, encoding.offsets[k].end));
        }
      StreamingDecoder decoder(tokenizer);
      std::string streamed;
      for (TokenId const id : encoding.ids) streamed += decoder.push(id);
      CHECK(streamed + decoder.finish() == tokenizer.decode(encoding.ids));
    }
  }
}

TEST_CASE("unigram: ids in any order decode as in the pinned crate") {
  auto const cases = json_lines("unigram_decodes.jsonl");
  CHECK(cases.size() >= 300);
  std::vector<Tokenizer> tokenizers;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (i < 3) tokenizers.push_back(unigram_named(cases[i]["name"].get<std::string>()));
    Tokenizer const& tokenizer = tokenizers[i % 3];
    auto const ids = cases[i]["ids"].get<std::vector<TokenId>>();
    CHECK(tokenizer.decode(ids) == cases[i]["text"].get<std::string>());
    CHECK(tokenizer.decode(ids, {.skip_special_tokens = true}) == cases[i]["skipped"].get<std::string>());
  }
}

TEST_CASE("unigram: every scalar value gives the pinned crate's ids and offsets, by itself and among others that it joins") {
  Json const fixture = read_json(fixtures / "unigram_scalars.json");
  auto const block = static_cast<char32_t>(fixture["block"].get<std::uint32_t>());
  auto const sums = fixture["sums"].get<std::vector<std::uint32_t>>();
  Tokenizer const tokenizer = unigram_named("bytes for what is unknown");
  std::size_t next = 0;
  for (char32_t begin = 0; begin < 0x110000; begin += block) {
    std::vector<std::string> block_texts;
    std::string rare;
    std::size_t count = 0;
    for (char32_t c = begin; c < begin + block; ++c) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      std::string s;
      append_utf8(s, c);
      if (count % 16 == 0) block_texts.emplace_back();
      if (count % 16 != 0) block_texts.back() += ' ';
      block_texts.back() += s + " E" + s + "\u0301 \u0915\u094d" + s + "\u0958\u0301";
      if (count % 7 == 0) rare += (count == 0 ? "\u1100" : " \u1100") + s + "A\u0301\u00a9\u200d" + s + "\u0301\U0001F1E9" + s + "\u00e9";
      ++count;
    }
    if (count == 0) continue;
    block_texts.push_back(rare);
    std::string all;
    for (Encoding const& encoding : tokenizer.encode_batch(block_texts, {.add_special_tokens = false})) {
      if (!all.empty()) all += '\x1e';
      all += numbers(encoding.ids) + '\x1f' + numbers(flat(encoding.offsets));
    }
    CAPTURE(static_cast<std::uint32_t>(begin));
    REQUIRE(next < sums.size());
    CHECK(crc32(all) == sums[next++]);
  }
  CHECK(next == sums.size());
}
