// SentencePiece models against what transformers makes of them: tests/fixtures/text/make_sentencepiece.py. Then models and character maps that are
// changed at random, and what is refused.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::filesystem::path const sentencepiece_models = fixtures / "sentencepiece";

/// The tokenizer of a directory with such a model and configuration.
Tokenizer sentencepiece_directory(std::string const& model, std::string const& file, Json const& config) {
  TemporaryDirectory const folder;
  write_bytes(folder / file, model);
  write_bytes(folder / "tokenizer_config.json", dump_json(config));
  return Tokenizer::from_directory(folder.path());
}

std::string sentencepiece_bytes(std::string const& name) { return read_bytes(sentencepiece_models / (name + ".model")); }

/// A field of a protocol buffer that holds bytes.
std::string protobuf_field(unsigned number, std::string const& bytes) {
  std::string field(1, static_cast<char>(number << 3 | 2));
  for (std::size_t length = bytes.size(); length >= 0x80; length >>= 7) field.push_back(static_cast<char>(length | 0x80));
  std::size_t length = bytes.size();
  while (length >= 0x80) length >>= 7;
  field.push_back(static_cast<char>(length));
  return field + bytes;
}

}  // namespace

TEST_CASE("sentencepiece: models of every family give transformers' ids, offsets, words and text, under the settings that its files have") {
  auto const recorded = json_lines("sentencepiece.jsonl");
  CHECK(recorded.size() >= 13);
  for (Json const& one : recorded) {
    CAPTURE(one["name"].get<std::string>());
    Tokenizer const tokenizer =
        sentencepiece_directory(sentencepiece_bytes(one["model"].get<std::string>()), one["file"].get<std::string>(), one["config"]);
    check_groups(tokenizer, one["groups"]);
  }
}

TEST_CASE("sentencepiece: a model by itself is read by its own rules, and has the special tokens that it names") {
  auto const tokenizer = Tokenizer::from_sentencepiece_model(sentencepiece_models / "own_bpe.model");
  auto const in_directory = sentencepiece_directory(sentencepiece_bytes("own_bpe"), "tokenizer.model", Json::object());
  for (std::string const& text : all_texts()) CHECK(tokenizer.encode(text).ids == in_directory.encode(text).ids);
  CHECK(tokenizer.special_tokens().unk == tokenizer.token_to_id("<unk>"));
  CHECK(tokenizer.special_tokens().bos == tokenizer.token_to_id("<s>"));
  CHECK(tokenizer.special_tokens().eos == tokenizer.token_to_id("</s>"));
  CHECK(tokenizer.added_to_text() == 0);
}

TEST_CASE("sentencepiece: the family follows the class, then the model type, then the model itself") {
  auto const model = sentencepiece_bytes("xlm_roberta");
  auto const with = [&](Json const& config) {
    TemporaryDirectory const folder;
    write_bytes(folder / "sentencepiece.bpe.model", model);
    write_bytes(folder / "config.json", dump_json(config));
    return Tokenizer::from_directory(folder.path());
  };
  auto const family = with({{"model_type", "xlm-roberta"}});
  CHECK(family.encode("a").ids.front() == 0);
  CHECK(family.token_to_id("<mask>") == static_cast<TokenId>(family.vocabulary_size() - 1));
  CHECK(family.special_tokens().mask == family.token_to_id("<mask>"));
  CHECK(with({{"architectures", Json::array({"XLMRobertaForMaskedLM"})}}).encode("a b").ids == family.encode("a b").ids);
  CHECK(with(Json::object()).added_to_text() == 0);
  auto const refused = message_of<CheckpointError>([&] { with({{"model_type", "camembert"}}); });
  CHECK(contains(refused, "the model_type \"camembert\" has no tokenizer that is supported without tokenizer.json"));
  auto const of_bert = message_of<CheckpointError>([&] { with({{"model_type", "bert"}}); });
  CHECK(contains(of_bert, "expected tokenizer.json or vocab.txt in"));
}

TEST_CASE("sentencepiece: what is no model, or one of another kind, is refused with what was found") {
  auto const refusal = [](std::string const& bytes) {
    return message_of<FormatError>([&] { sentencepiece_directory(bytes, "tokenizer.model", {{"tokenizer_class", "T5Tokenizer"}}); });
  };
  CHECK(contains(refusal(""), "found a SentencePiece model without pieces"));
  CHECK(contains(refusal("\x07"), "a field of the number 0"));
  CHECK(contains(refusal("\x0b"), "a field of the wire type 3"));
  CHECK(contains(refusal("\x0a\x7f"), "127 bytes announced, and 0 left"));
  CHECK(contains(refusal(std::string(11, '\xff')), "a number of more than ten bytes"));
  CHECK(contains(refusal(protobuf_field(1, protobuf_field(1, "\xff"))), "piece 0: its text: found"));
  CHECK(contains(refusal(protobuf_field(1, protobuf_field(2, "abcd"))), "field 2: found the wire type 2, expected 5"));
  CHECK(contains(refusal(protobuf_field(1, std::string("\x15\x00\x00\xc0\x7f", 5))), "its score is not a finite number"));
  CHECK(contains(refusal(protobuf_field(1, protobuf_field(1, "</s>")) + protobuf_field(3, protobuf_field(2, "xyz"))),
                 "the precompiled character map has 3 bytes, expected at least 4"));
  auto const other_kind = message_of<CheckpointError>([&] {
    sentencepiece_directory(sentencepiece_bytes("own_bpe"), "spiece.model", {{"tokenizer_class", "AlbertTokenizer"}});
  });
  CHECK(contains(other_kind, "found a SentencePiece model of BPE, expected one of Unigram"));
  auto const no_file = message_of<CheckpointError>([] {
    TemporaryDirectory const folder;
    write_bytes(folder / "vocab.txt", "a\n");
    write_bytes(folder / "config.json", R"({"model_type": "t5"})");
    Tokenizer::from_directory(folder.path());
  });
  CHECK(contains(no_file, "the model_type \"t5\": expected tokenizer.json, or a SentencePiece model"));
}

TEST_CASE("sentencepiece: models changed at random give a tokenizer or an error, and nothing else") {
  std::mt19937 random(7);
  auto const below = [&random](std::size_t limit) { return random() % limit; };
  std::size_t loaded = 0, refused = 0;
  for (auto const& [name, file, of_class] : {std::tuple{"xlm_roberta", "sentencepiece.bpe.model", "XLMRobertaTokenizer"},
                                             {"albert", "spiece.model", "AlbertTokenizer"},
                                             {"own_unigram", "tokenizer.model", "TokenizersBackend"},
                                             {"llama", "tokenizer.model", "LlamaTokenizer"}}) {
    std::string const model = sentencepiece_bytes(name);
    for (int round = 0; round < 250; ++round) {
      std::string changed = model;
      // Half of the changes are in the second half of the file, where the map and the settings are.
      for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
        std::size_t const begin = below(2) == 0 ? 0 : changed.size() - std::min<std::size_t>(changed.size(), 3000);
        std::size_t const at = begin + below(changed.size() - begin);
        switch (below(4)) {
          case 0:
            changed[at] = static_cast<char>(changed[at] ^ 1 << below(8));
            break;
          case 1:
            changed[at] = static_cast<char>(below(256));
            break;
          case 2:
            changed.erase(at, 1 + below(4));
            break;
          default:
            changed.insert(at, 1 + below(4), static_cast<char>(below(2) == 0 ? 0xFF : below(256)));
        }
      }
      try {
        Tokenizer const tokenizer = sentencepiece_directory(changed, file, {{"tokenizer_class", of_class}});
        for (std::size_t i = 0; i < 6; ++i) {
          std::string const& text = all_texts()[below(all_texts().size())];
          Encoding const encoding = tokenizer.encode(text);
          for (auto const [begin, end] : encoding.byte_offsets) CHECK((begin <= end && end <= text.size()));
          tokenizer.decode(encoding.ids);
        }
        ++loaded;
      } catch (Error const&) {
        ++refused;
      }
    }
  }
  CHECK(loaded > 100);
  CHECK(refused > 100);
}
