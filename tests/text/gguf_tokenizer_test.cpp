// Tokenizers from the metadata of GGUF files give the ids of the tokenizer.json, or vocab.txt, of the same model.
#include <doctest/doctest.h>
#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/gguf_tokenizer.hpp>
#include <axiform/text/split_expression.hpp>
#include <axiform/text/tokenizer_files.hpp>
#include <axiform/text/tokenizer_json.hpp>

#include <string>
#include <vector>

#include "support/files.hpp"
#include "text_test.hpp"

using namespace axiform;
using namespace axiform::test;
using detail::llama3_expression, detail::qwen2_expression, detail::tekken_expression;

namespace {

// The byte-level tokenizer of the fixtures with other parts.
Tokenizer patched(Json const& parts, bool ignores_merges = false) {
  Json description = read_json(fixtures / "byte_bpe/tokenizer.json");
  description.update(parts);
  description["model"]["ignore_merges"] = ignores_merges;
  return Tokenizer(detail::parts_from_tokenizer_json(description, "patched"));
}

Json split_at(std::string_view expression) {
  return {{"type", "Sequence"},
          {"pretokenizers",
           Json::array({{{"type", "Split"}, {"pattern", {{"Regex", std::string(expression)}}}, {"behavior", "Isolated"}, {"invert", false}},
                        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}})}};
}

void check_same_ids(std::string const& name, Tokenizer const& expected) {
  CAPTURE(name);
  auto const found = Tokenizer::from_directory(fixtures / "gguf" / (name + ".gguf"));
  REQUIRE(found.vocabulary_size() == expected.vocabulary_size());
  for (std::string const& text : recorded_texts()) {
    CAPTURE(text);
    auto const ids = found.encode(text).ids;
    REQUIRE(ids == expected.encode(text).ids);
    REQUIRE(found.decode(ids) == expected.decode(ids));
  }
}

std::string refusal(std::filesystem::path const& file) {
  try {
    Tokenizer::from_directory(file);
  } catch (Error const& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("GGUF tokenizers: byte-level ones split text as the pre-tokenizer that the file names does in tokenizer.json") {
  check_same_ids("gpt-2", byte_bpe());
  Json const digits = {{"type", "Sequence"},
                       {"pretokenizers", Json::array({{{"type", "Digits"}, {"individual_digits", true}},
                                                      {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}})}};
  check_same_ids("smollm", patched({{"pre_tokenizer", digits}}));
  check_same_ids("llama-bpe", patched({{"pre_tokenizer", split_at(llama3_expression)}}, true));
  check_same_ids("qwen2", patched({{"pre_tokenizer", split_at(qwen2_expression)}, {"normalizer", {{"type", "NFC"}}}}));
  check_same_ids("tekken", patched({{"pre_tokenizer", split_at(tekken_expression)}}, true));
}

TEST_CASE("GGUF tokenizers: what SentencePiece trained has the ids of tokenizer.json, with merges that follow from its scores") {
  auto const parts_of = [](std::string const& name) {
    return detail::parts_from_gguf(GgufFile::open(fixtures / "gguf" / (name + ".gguf")));
  };
  Json description = read_json(fixtures / "character_bpe/tokenizer.json");
  auto const merges = detail::parts_from_tokenizer_json(description, "json").merges;
  for (auto const name : {"llama", "gemma"}) CHECK(parts_of(name).merges == merges);
  check_same_ids("llama", character_bpe());

  // Where scores say nothing, the order of tokens does.
  description["model"]["merges"] = read_json(fixtures / "character_bpe/scores.json")["merges_without"];
  auto const unranked = detail::parts_from_tokenizer_json(description, "json").merges;
  CHECK(unranked != merges);
  CHECK(parts_of("unranked").merges == unranked);
}

TEST_CASE("GGUF tokenizers: without a space before texts, and with tokens that users defined, they are Gemma's") {
  Json description = read_json(fixtures / "character_bpe/tokenizer.json");
  description["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
  description["decoder"]["decoders"][3]["start"] = 0;
  for (std::string const token : {"\n\n", "\u2581\u2581"})
    description["added_tokens"].push_back({{"id", description["model"]["vocab"][token]}, {"content", token}, {"normalized", false}});
  auto parts = detail::parts_from_tokenizer_json(description, "gemma");
  parts.post_processor = PostProcessor::between({1}, {2});
  check_same_ids("gemma", Tokenizer(std::move(parts)));
}

TEST_CASE("GGUF tokenizers: WordPiece tokens are those of vocab.txt") {
  check_same_ids("bert", Tokenizer::from_vocab_txt(fixtures / "../models/bert-tiny/vocab.txt"));
}

TEST_CASE("GGUF tokenizers: control tokens are special, and found in the text") {
  auto const tokenizer = Tokenizer::from_directory(fixtures / "gguf/smollm.gguf");
  auto const id = tokenizer.token_to_id("<|endoftext|>");
  REQUIRE(id.has_value());
  CHECK(tokenizer.is_special(*id));
  CHECK(tokenizer.encode("<|endoftext|>").ids == std::vector<TokenId>{*id});
}

TEST_CASE("GGUF tokenizers: scores that cannot be are found") {
  std::string bytes = read_bytes(fixtures / "gguf/llama.gguf");
  TemporaryDirectory const directory;
  std::string const key = "tokenizer.ggml.scores";
  auto const place = bytes.find(key) + key.size() + 4 + 4 + 8;  // Behind the types of the array and of its elements, and their number.
  bytes.replace(place + 4 * 300, 4, std::string("\0\0\xC0\x7F", 4));
  write_bytes(directory / "changed.gguf", bytes);
  CHECK(refusal(directory / "changed.gguf").find("tokenizer.ggml.scores: the score of token 300 is no number") != std::string::npos);
}

TEST_CASE("GGUF tokenizers: what is not known is refused by name, and lies are found") {
  std::string const bytes = read_bytes(fixtures / "gguf/smollm.gguf");
  TemporaryDirectory const directory;
  auto const refusal_with = [&](std::string_view what, std::string_view in_its_place) {
    std::string changed = bytes;
    auto const place = changed.find(what);
    REQUIRE(place != changed.npos);
    changed.replace(place, what.size(), in_its_place);
    write_bytes(directory / "changed.gguf", changed);
    return refusal(directory / "changed.gguf");
  };
  CHECK(refusal_with("smollm", "smallm")
            .find("tokenizer.ggml.pre: found \"smallm\", which is not supported; expected \"gpt-2\", \"smollm\"") != std::string::npos);
  CHECK(refusal_with("tokenizer.ggml.model", "tokenizer.ggml.modem").find("tokenizer.ggml.model") != std::string::npos);
  CHECK(refusal_with("tokenizer.ggml.merges", "tokenizer.ggml.nerges").find("tokenizer.ggml.merges") != std::string::npos);
  CHECK(refusal_with("gpt2", "gpt9").find("tokenizer.ggml.model: found \"gpt9\"") != std::string::npos);
  CHECK(refusal_with("gpt2", "rwkv").find("\"llama\" (BPE as SentencePiece has it)") != std::string::npos);
  CHECK(refusal_with("Ġ t", "Ġ_t").find("expected two tokens with one space between") != std::string::npos);
}

TEST_CASE("GGUF tokenizers: Unigram has the scores and the character map of its file, and XLM-R's forms") {
  Json description = read_json(fixtures / "unigram/tokenizer.json");
  Json const runs = {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", "\u2581"}};
  description["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers", Json::array({description["normalizer"], {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}}, runs})}};
  description["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}, {"split", true}};
  Tokenizer const expected(detail::parts_from_tokenizer_json(description, "unigram"));
  check_same_ids("unigram", expected);
  auto const found = Tokenizer::from_directory(fixtures / "gguf/unigram.gguf");
  CHECK(found.encode_pair("a b", "c").ids == expected.encode_pair("a b", "c").ids);
  CHECK(found.special_tokens().unk == expected.special_tokens().unk);
}
