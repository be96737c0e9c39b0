#include <axiform/io/json.hpp>
#include <axiform/text/unicode.hpp>

#include <doctest/doctest.h>

#include <axiform/text/bert_normalizer.hpp>
#include <axiform/text/normalizer.hpp>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// Calls `check(block, scalars)` for each block of scalar values, each as UTF-8.
template <class Check>
void for_each_block(std::size_t block_size, Check check) {
  std::size_t block = 0;
  for (char32_t begin = 0; begin < 0x110000; begin += static_cast<char32_t>(block_size)) {
    std::vector<std::string> scalars;
    for (char32_t c = begin; c < begin + block_size; ++c)
      if (c < 0xD800 || c > 0xDFFF) append_utf8(scalars.emplace_back(), c);
    if (!scalars.empty()) check(block++, scalars);
  }
}

std::string normal_form(detail::BertNormalizer& normalizer, std::string const& text) {
  std::string result;
  for (auto const& point : normalizer.normalize(text, 0)) append_utf8(result, point.value);
  return result;
}

}  // namespace

TEST_CASE("unicode: the normal form of every scalar value is the pinned crate's, by itself and among marks that canonical order moves") {
  Json const recorded = read_json(fixtures / "scalars.json");
  auto const block_size = recorded["block"].get<std::size_t>();
  for (auto const& [name, form] : recorded["normal_forms"].items()) {
    CAPTURE(name);
    Json const& settings = form["settings"];
    BertNormalizerOptions options{.clean_text = settings["clean_text"],
                                  .handle_chinese_chars = settings["handle_chinese_chars"],
                                  .strip_accents = {},
                                  .lowercase = settings["lowercase"]};
    if (!settings["strip_accents"].is_null()) options.strip_accents = settings["strip_accents"].get<bool>();
    detail::BertNormalizer normalizer(options);
    auto const sums = form["blocks"].get<std::vector<std::uint32_t>>();
    std::size_t count = 0;
    for_each_block(block_size, [&](std::size_t block, std::vector<std::string> const& scalars) {
      std::string all;
      for (std::string const& c : scalars) {
        if (!all.empty()) all += '\x1e';
        all += normal_form(normalizer, c) + '\x1f' + normal_form(normalizer, "a\u0301" + c + "\u1b44\u0316b");
      }
      CAPTURE(scalars.front());
      CHECK(crc32(all) == sums.at(block));
      ++count;
    });
    CHECK(count == sums.size());
  }
}

TEST_CASE(
    "unicode: NFC, NFD, NFKC, NFKD and stripped accents of every scalar value are the pinned crate's, by itself and among marks and jamo") {
  Json const recorded = read_json(fixtures / "scalars.json");
  using enum NormalizerStep::Kind;
  for (auto const& [name, kind] : std::vector<std::pair<std::string, NormalizerStep::Kind>>{
           {"NFC", nfc}, {"NFD", nfd}, {"NFKC", nfkc}, {"NFKD", nfkd}, {"StripAccents", strip_accents}}) {
    CAPTURE(name);
    detail::Normalizer const normalizer({{kind}}, name);
    detail::Normalizer::Scratch scratch;
    auto const normal = [&](std::string const& text) {
      std::string result;
      normalizer.normalize(text, 0, TextBefore::nothing, scratch);
      for (auto const& point : scratch.points) append_utf8(result, point.value);
      CHECK((!normalizer.keeps(text) || result == text));
      return result;
    };
    auto const sums = recorded["forms"][name].get<std::vector<std::uint32_t>>();
    std::size_t count = 0;
    for_each_block(recorded["block"].get<std::size_t>(), [&](std::size_t block, std::vector<std::string> const& scalars) {
      std::string all;
      for (std::string const& c : scalars) {
        if (!all.empty()) all += '\x1e';
        all += normal(c) + '\x1f' + normal("a\u0301" + c + "\u1b44\u0316e" + c + "\u0323\u0301\u1100\u1161" + c + "\u11a8");
      }
      CAPTURE(scalars.front());
      CHECK(crc32(all) == sums.at(block));
      ++count;
    });
    CHECK(count == sums.size());
  }
}

TEST_CASE("unicode: every scalar value becomes the pinned crate's ids and offsets, by itself and among letters and digits") {
  Json const recorded = read_json(fixtures / "scalars.json");
  for (auto const& [name, blocks] : recorded["tokens"].items()) {
    CAPTURE(name);
    Tokenizer const& tokenizer = name == "minilm" ? minilm() : byte_bpe();
    auto const sums = blocks.get<std::vector<std::uint32_t>>();
    std::size_t count = 0;
    for_each_block(recorded["block"].get<std::size_t>(), [&](std::size_t block, std::vector<std::string> const& scalars) {
      auto encodings = tokenizer.encode_batch(scalars, {.add_special_tokens = false});
      std::string joined;
      for (std::string const& c : scalars) (joined += joined.empty() ? "" : " ") += "a" + c + "b" + c + "1" + c + ".";
      encodings.push_back(tokenizer.encode(joined));
      std::string all;
      for (Encoding const& encoding : encodings) {
        if (&encoding != &encodings.front()) all += '\x1e';
        all += numbers(encoding.ids) + '\x1f' + numbers(flat(encoding.offsets));
      }
      CAPTURE(scalars.front());
      CHECK(crc32(all) == sums.at(block));
      ++count;
    });
    CHECK(count == sums.size());
  }
}

TEST_CASE("unicode: what is no scalar value has no properties") {
  for (char32_t c : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    auto const p = properties_of(c);
    CHECK_FALSE((p.is_dropped() || p.is_whitespace() || p.is_ideograph() || p.is_mark() || p.is_punctuation() || p.decomposes() ||
                 p.has_lower_case() || p.is_word() || p.is_combining() || p.regex_class() != RegexClass::other));
  }
}

static_assert(properties_of(U' ').is_whitespace() && properties_of(U'$').is_punctuation() && properties_of(U'A').has_lower_case());
