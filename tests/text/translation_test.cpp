// The tokenizers of encoder-decoders against transformers: tests/fixtures/text/make_translation.py. Then languages, and what is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/sequence_to_sequence_tokenizers.hpp>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::string translation_model(std::string const& name) { return read_bytes(fixtures / "sentencepiece" / (name + ".model")); }

/// Files of a directory: names of models for what SentencePiece has written, tokens by id for vocabularies.
void write_translation_files(TemporaryDirectory const& folder, Json const& files, Json const& config) {
  for (auto const& [name, content] : files.items()) {
    if (content.is_string()) {
      write_bytes(folder / name, translation_model(content.get<std::string>()));
      continue;
    }
    Json ids = Json::object();
    for (std::size_t id = 0; id < content.size(); ++id) ids[content[id].get<std::string>()] = static_cast<std::int64_t>(id);
    write_bytes(folder / name, dump_json(ids));
  }
  write_bytes(folder / "tokenizer_config.json", dump_json(config));
}

SequenceToSequenceTokenizers translation_directory(Json const& files, Json const& config, LanguagePair const& languages = {}) {
  TemporaryDirectory const folder;
  write_translation_files(folder, files, config);
  return SequenceToSequenceTokenizers::from_directory(folder.path(), languages);
}

/// The text `i` as `slow_case` of make_translation.py has it: transformers' own tokenizers have no offsets.
std::uint32_t slow_case(Tokenizer const& tokenizer, std::string const& text) {
  Encoding const encoding = tokenizer.encode(text);
  bool const lie_in_text = std::all_of(encoding.byte_offsets.begin(), encoding.byte_offsets.end(),
                                       [&](Offset const& place) { return place.begin <= place.end && place.end <= text.size(); });
  CHECK(lie_in_text);
  std::string tokens;
  for (std::string const& token : tokenizer.tokens(encoding)) (tokens += tokens.empty() ? "" : "\x1f") += token;
  return crc32(numbers(encoding.ids) + '\x1e' + tokens + '\x1e' + tokenizer.decode(encoding.ids) + '\x1e' +
               tokenizer.decode(encoding.ids, {.skip_special_tokens = true}));
}

bool is_slow(Json const& recorded) {
  auto const name = recorded["config"]["tokenizer_class"].get<std::string>();
  return name == "MarianTokenizer" || name == "M2M100Tokenizer";
}

LanguagePair languages_of_line(Json const& recorded) {
  Json const& languages = recorded["languages"];
  if (languages.is_null()) return {};
  return {languages[0].get<std::string>(), languages[1].get<std::string>()};
}

Json marian_files() {
  for (Json const& one : json_lines("translation.jsonl"))
    if (one["name"] == "Marian, source") return one["files"];
  return {};
}
Json const marian_config = {{"tokenizer_class", "MarianTokenizer"}};

}  // namespace

TEST_CASE("translation: both sides of every family give transformers' ids, tokens and text") {
  auto const recorded = json_lines("translation.jsonl");
  CHECK(recorded.size() >= 12);
  static constexpr std::string_view beginnings[] = {">>fra<<",  ">>deu<< ",       ">>xx<< ",          ">> a << b", ">><<",
                                                    " >>fra<<", ">>fra<<>>deu<<", "</s>>>zh_Hant<< ", "__en__ ",   "a__zu__",
                                                    "ro_RO",    " zul_Latn ",     "<pad> ",           "<unk>"};
  std::vector<std::string> texts = all_texts();
  for (std::size_t i = 3; i < texts.size(); i += 7) texts[i].insert(0, beginnings[i / 7 % std::size(beginnings)]);
  for (Json const& one : recorded) {
    CAPTURE(one["name"].get<std::string>());
    auto const both = translation_directory(one["files"], one["config"], languages_of_line(one));
    Tokenizer const& tokenizer = one["side"] == "source" ? both.source() : both.target();
    auto const groups = one["groups"].get<std::vector<std::uint32_t>>();
    std::size_t const size = 64;
    REQUIRE(groups.size() == (texts.size() + size - 1) / size);
    for (std::size_t group = 0; group < groups.size(); ++group) {
      CAPTURE(texts[size * group]);
      std::vector<std::uint32_t> sums;
      for (std::size_t i = size * group; i < std::min(size * (group + 1), texts.size()); ++i)
        sums.push_back(is_slow(one) ? slow_case(tokenizer, texts[i]) : piece_case(tokenizer, texts, i));
      CHECK(crc32(numbers(sums)) == groups[group]);
    }
  }
}

TEST_CASE("translation: text that comes token by token is the text that all of them give") {
  auto const marian = translation_directory(marian_files(), marian_config).source();
  for (std::string const& text :
       {std::string("a  b </s> </s>the \u00e9 <unk>, <pad>"), all_texts()[30], std::string("</s> a "), std::string(" ")}) {
    auto const ids = marian.encode(text).ids;
    for (bool const skips : {false, true}) {
      StreamingDecoder decoder(marian, {.skip_special_tokens = skips});
      std::string pieces;
      for (TokenId const id : ids) pieces += decoder.push(id);
      pieces += decoder.finish();
      CHECK(pieces == marian.decode(ids, {.skip_special_tokens = skips}));
    }
    auto const before = std::span(ids).first(ids.size() / 2), rest = std::span(ids).subspan(ids.size() / 2);
    CHECK(marian.decode(before) + marian.decode_after(before, rest) == marian.decode(ids));
  }
}

TEST_CASE("translation: languages are chosen by their codes, and the vocabulary is shared") {
  Json const files = {{"sentencepiece.bpe.model", "xlm_roberta"}};
  auto const both = translation_directory(files, {{"tokenizer_class", "MBart50Tokenizer"}});
  CHECK(both.languages().size() == 52);
  CHECK(both.languages().front() == "ar_AR");
  CHECK(both.languages().back() == "sl_SI");
  CHECK_FALSE(both.target_language());
  auto const id = [&](char const* token) { return both.source().token_to_id(token).value(); };
  CHECK(both.source().encode("").ids == std::vector{id("en_XX"), id("</s>")});
  CHECK(both.target().encode("").ids == both.source().encode("").ids);

  auto const told = both.between({.source = "de_DE", .target = "fr_XX"});
  CHECK(told.target_language() == id("fr_XX"));
  CHECK(told.source().encode("").ids == std::vector{id("de_DE"), id("</s>")});
  CHECK(told.target().encode("").ids == std::vector{id("fr_XX"), id("</s>")});
  CHECK(told.source().encode_pair("", "").ids == std::vector{id("de_DE"), id("</s>")});
  CHECK(&told.source().id_to_token(7) == &both.source().id_to_token(7));
  auto const again = told.between({.target = "ja_XX"});
  CHECK(again.source().encode("").ids == told.source().encode("").ids);
  CHECK(again.target_language() == id("ja_XX"));

  auto const unknown = message_of<ArgumentError>([&] { both.between({.target = "xx_YY"}); });
  CHECK(contains(unknown,
                 "target language: found \"xx_YY\", expected one of the 52 languages of the vocabulary, such as ar_AR, cs_CZ, de_DE, "));
  auto const no_code = message_of<ArgumentError>([&] { both.between({.source = "<s>"}); });
  CHECK(contains(no_code, "source language: found \"<s>\", expected one of the 52"));
  auto const configured = message_of<ArgumentError>([&] {
    translation_directory(files, {{"tokenizer_class", "MBartTokenizer"}, {"src_lang", "fra"}});
  });
  CHECK(contains(configured, "src_lang: found \"fra\", expected one of the 25 languages"));
  CHECK(translation_directory({{"sentencepiece.bpe.model", "nllb"}}, {{"tokenizer_class", "NllbTokenizer"}}).languages().size() == 202);
}

TEST_CASE("translation: Marian's models of several languages are asked for one, and those of two for none") {
  auto const many = translation_directory(marian_files(), marian_config, {.source = "en", .target = "deu"});
  auto const code = many.source().token_to_id(">>deu<<").value();
  CHECK(many.languages() == std::vector<std::string>{"fra", "deu", "zh_Hant"});
  CHECK(many.source().encode("the").ids == many.target().with_post_processor(many.source().post_processor()).encode("the").ids);
  CHECK(many.source().encode("").ids == std::vector<TokenId>{code, 0});
  CHECK(many.target().encode("").ids == std::vector<TokenId>{0});
  CHECK(many.target_language() == code);
  CHECK(many.between({.target = ">>fra<<"}).target_language() == many.source().token_to_id(">>fra<<"));

  Json files = marian_files();
  Json without = Json::array();
  for (Json const& token : files["vocab.json"])
    if (!token.get<std::string>().starts_with(">>")) without.push_back(token);
  files["vocab.json"] = without;
  auto const two = message_of<ArgumentError>([&] { translation_directory(files, marian_config, {.target = "deu"}); });
  CHECK(contains(two, "target language: found \"deu\", expected none: the vocabulary has no language codes"));
  auto const none = message_of<ArgumentError>([] {
    translation_directory({{"spiece.model", "t5"}}, {{"tokenizer_class", "T5Tokenizer"}}, {.source = "en"});
  });
  CHECK(contains(none, "languages: found \"en\", expected none: the tokenizer has no language codes"));
}

TEST_CASE("translation: a tokenizer.json is told the languages as well, and what it says holds until then") {
  Json description = read_json(fixtures / "unigram/tokenizer.json");
  auto const first = static_cast<std::int64_t>(description["model"]["vocab"].size());
  Json const codes = {"en_XX", "fr_XX"};
  for (std::size_t i = 0; i < codes.size(); ++i)
    description["added_tokens"].push_back({{"id", first + static_cast<std::int64_t>(i)}, {"content", codes[i]}, {"special", true}});
  TemporaryDirectory const folder;
  write_bytes(folder / "tokenizer.json", dump_json(description));
  auto const open = [&](Json const& config) {
    write_bytes(folder / "tokenizer_config.json", dump_json(config));
    return SequenceToSequenceTokenizers::from_directory(folder.path());
  };
  auto const plain = open({{"tokenizer_class", "MBartTokenizerFast"}, {"eos_token", "</s>"}});
  CHECK(plain.source().encode("").ids == Tokenizer::from_tokenizer_json(folder / "tokenizer.json").encode("").ids);
  auto const told = open({{"tokenizer_class", "MBartTokenizerFast"}, {"eos_token", "</s>"}, {"src_lang", "en_XX"}, {"tgt_lang", "fr_XX"}});
  auto const end = told.source().token_to_id("</s>").value();
  CHECK(told.source().encode("").ids == std::vector{end, static_cast<TokenId>(first)});
  CHECK(told.target().encode("").ids == std::vector{end, static_cast<TokenId>(first + 1)});
  CHECK(told.languages() == std::vector<std::string>{"en_XX", "fr_XX"});
}

TEST_CASE("translation: T5 has its sentinels at the end, mT5 none of its own, BART's texts are RoBERTa's") {
  auto const t5 = translation_directory({{"spiece.model", "t5"}}, {{"tokenizer_class", "T5Tokenizer"}}).source();
  auto const size = static_cast<TokenId>(t5.vocabulary_size());
  auto const ids = t5.encode("<extra_id_0><extra_id_99>").ids;
  CHECK(ids == std::vector<TokenId>{size - 1, size - 100, *t5.special_tokens().eos});
  CHECK(t5.decode(ids, {.skip_special_tokens = true}).empty());
  CHECK(t5.decode(ids) == "<extra_id_0><extra_id_99></s>");
  CHECK(t5.encode_pair("", "").ids == std::vector{*t5.special_tokens().eos, *t5.special_tokens().eos});
  auto const mt5 = translation_directory({{"spiece.model", "t5"}}, {{"tokenizer_class", "MT5Tokenizer"}, {"extra_ids", 0}});
  CHECK(mt5.target().vocabulary_size() == t5.vocabulary_size() - 100);
  CHECK(mt5.source().notes().empty());

  TemporaryDirectory const folder;
  write_bytes(folder / "vocab.json",
              R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5, "\u0120": 6, "\u0120b": 7, "<mask>": 8})");
  write_bytes(folder / "merges.txt", "#version: 0.2\n\u0120 b\n");
  write_bytes(folder / "tokenizer_config.json", R"({"tokenizer_class": "BartTokenizer"})");
  auto const bart = SequenceToSequenceTokenizers::from_directory(folder.path());
  CHECK(bart.source().encode("a b").ids == std::vector<TokenId>{0, 4, 7, 2});
  CHECK(bart.target().encode_pair("a", " b").ids == std::vector<TokenId>{0, 4, 2, 2, 7, 2});
  CHECK(bart.languages().empty());
}

TEST_CASE("translation: files that do not fit together are refused with what was found") {
  Json const whole = marian_files();
  auto const refusal = [&](std::string const& file, std::string const& content) {
    TemporaryDirectory const folder;
    write_translation_files(folder, whole, marian_config);
    content.empty() ? void(std::filesystem::remove(folder / file)) : write_bytes(folder / file, content);
    return message_of<Error>([&] { SequenceToSequenceTokenizers::from_directory(folder.path()); });
  };
  CHECK(contains(refusal("vocab.json", ""), "has no vocab.json: expected source.spm, which cuts texts, and vocab.json, which has the ids"));
  CHECK(contains(refusal("source.spm", ""), "has no tokenizer: expected"));
  CHECK(contains(refusal("target.spm", ""), "has no target.spm: expected target.spm, which cuts texts, and vocab.json, which has the ids"));
  CHECK(contains(refusal("vocab.json", "[]"), "found an array of 0, expected an object of tokens and their ids"));
  CHECK(contains(refusal("vocab.json", "{}"), "has no tokens"));
  CHECK(contains(refusal("vocab.json", R"({"</s>": 0, "<unk>": 0})"), "have one id, 0"));
  CHECK(contains(refusal("vocab.json", R"({"</s>": 0, "<unk>": -1})"), "token \"<unk>\": found the number -1, expected an id"));
  CHECK(contains(refusal("vocab.json", R"({"</s>": 0, "<unk>": 1.5})"), "found the number 1.5, expected an id"));
  CHECK(contains(refusal("vocab.json", R"({"</s>": 0, "<unk>": 2000000000})"), "and there are only 1 tokens below it"));
  CHECK(contains(refusal("vocab.json", R"({"</s>": 0})"), "the token \"<unk>\" is missing"));
  CHECK(contains(refusal("vocab.json", R"({"<unk>": 0})"), "the token \"</s>\" is missing"));
  std::string const model = translation_model("xlm_roberta");
  CHECK(contains(refusal("source.spm", model.substr(0, model.size() / 2)), "source.spm: "));
  CHECK(contains(refusal("target.spm", "no model"), "target.spm: "));
  CHECK(contains(refusal("source.spm", std::string("\x0a\x03\x0a\x01\x61", 5)), "no piece is the unknown one, expected one"));
  CHECK(contains(refusal("source.spm", std::string("\x0a\x03\x0a\x01\x61\x0a\x03\x0a\x01\x61", 10)), "piece 1: found \"a\" twice"));
  CHECK(contains(refusal("source.spm", std::string("\x0a\x02\x18\x02", 4)), "piece 0 is empty"));
  CHECK(contains(refusal("source.spm", std::string("\x0a\x05\x0a\x01\x61\x18\x02", 7)), "no piece can stand for text"));
  // The vocabulary may lack pieces: they are unknown.
  TemporaryDirectory const folder;
  write_translation_files(folder, whole, marian_config);
  write_bytes(folder / "vocab.json", R"({"</s>": 0, "<unk>": 1})");
  CHECK(Tokenizer::from_directory(ModelDirectory(folder.path())).encode("the").ids == std::vector<TokenId>{1, 0});
  auto const codes = message_of<CheckpointError>([] {
    translation_directory({{"sentencepiece.bpe.model", "own_bpe"}, {"vocab.json", {"<s>", "<pad>", "</s>", "<unk>"}}},
                          {{"tokenizer_class", "M2M100Tokenizer"}, {"language_codes", "klingon"}});
  });
  CHECK(contains(codes, "the setting \"language_codes\", here the string \"klingon\", is not supported"));
  auto const no_unknown = message_of<FormatError>([] {
    translation_directory({{"spiece.model", "xlm_roberta"}}, {{"tokenizer_class", "PegasusTokenizer"}});
  });
  CHECK(contains(no_unknown, "unk_id: found 0, expected a piece from the third on"));
  auto const few = message_of<FormatError>([] {
    translation_directory({{"sentencepiece.bpe.model", ""}}, {{"tokenizer_class", "NllbTokenizer"}});
  });
  CHECK(contains(few, "SentencePiece model without pieces"));
}

TEST_CASE("translation: models changed at random give a tokenizer or an error, and nothing else") {
  std::mt19937 random(11);
  auto const below = [&random](std::size_t limit) { return random() % limit; };
  std::size_t loaded = 0, refused = 0;
  for (auto const& [model, of_class] : {std::pair{"xlm_roberta", "MarianTokenizer"},
                                        {"own_bpe", "MarianTokenizer"},
                                        {"own_unigram", "MarianTokenizer"},
                                        {"nllb", "NllbTokenizer"},
                                        {"t5", "PegasusTokenizer"},
                                        {"xlm_roberta", "MBartTokenizer"}}) {
    bool const is_marian = of_class == std::string_view("MarianTokenizer");
    Json files = is_marian ? Json{{"source.spm", model}, {"target.spm", "t5"}, {"vocab.json", {"</s>", "<unk>", "a", "\u2581the", "<pad>"}}}
                           : Json{{"sentencepiece.bpe.model", model}};
    TemporaryDirectory const folder;
    write_translation_files(folder, files, {{"tokenizer_class", of_class}});
    std::string const name = is_marian ? "source.spm" : "sentencepiece.bpe.model";
    std::string const bytes = read_bytes(folder / name);
    for (int round = 0; round < 150; ++round) {
      std::string changed = bytes;
      for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
        std::size_t const begin = below(2) == 0 ? 0 : changed.size() - std::min<std::size_t>(changed.size(), 3000);
        std::size_t const at = begin + below(changed.size() - begin);
        switch (below(3)) {
          case 0:
            changed[at] = static_cast<char>(below(256));
            break;
          case 1:
            changed.erase(at, 1 + below(4));
            break;
          default:
            changed.insert(at, 1 + below(4), static_cast<char>(below(2) == 0 ? 0xFF : below(256)));
        }
      }
      write_bytes(folder / name, changed);
      try {
        Tokenizer const tokenizer = Tokenizer::from_directory(ModelDirectory(folder.path()));
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
  CHECK(loaded > 50);
  CHECK(refused > 100);
}
