// Directories as users have them, against what transformers made of them: tests/fixtures/text/make_directories.py. Then what is refused, and what
// is passed over with a note.
#include <chrono>

#include <doctest/doctest.h>

#include <axiform/io/json.hpp>
#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// The tokenizer of a directory with these files: strings as they are, other values as JSON.
Tokenizer load(Json const& files) {
  TemporaryDirectory const folder;
  for (auto const& [name, content] : files.items())
    write_bytes(folder / name, content.is_string() ? content.get<std::string>() : dump_json(content));
  return Tokenizer::from_directory(folder.path());
}

std::string const vocab_txt = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nvirus\na\nb\n";
Json const roberta_vocab = {{"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}, {"<mask>", 4}, {"a", 5}, {"b", 6}, {"\u0120", 7}};
std::string const no_merges = "#version: 0.2\n";

template <class Expected>
std::string refusal(Json const& files) {
  return message_of<Expected>([&] { load(files); });
}

}  // namespace

TEST_CASE("directories: ids and text are those of transformers") {
  auto const cases = json_lines("directories.jsonl");
  CHECK(cases.size() >= 35);
  for (Json const& recorded : cases) {
    CAPTURE(recorded["name"].get<std::string>());
    Tokenizer const tokenizer = load(recorded["files"]);
    auto const texts = recorded["texts"].get<std::vector<std::string>>();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CAPTURE(texts[i]);
      auto const ids = tokenizer.encode(texts[i]).ids;
      CHECK(ids == recorded["ids"][i].get<std::vector<TokenId>>());
      CHECK(tokenizer.decode(ids, {.skip_special_tokens = true, .clean_up_tokenization_spaces = CleanUp::no}) ==
            recorded["plain"][i].get<std::string>());
    }
    CHECK(tokenizer.encode_pair(texts[0], texts[1 % texts.size()]).ids == recorded["pair"].get<std::vector<TokenId>>());
  }
}

TEST_CASE("directories: RoBERTa is never taken for GPT-2, nor the other way round") {
  Json const files = {{"vocab.json", roberta_vocab}, {"merges.txt", no_merges}};
  auto const with = [&](Json const& more) {
    Json all = files;
    all.update(more);
    return all;
  };
  std::vector<TokenId> const in_roberta{0, 5, 6, 2};
  CHECK(load(with({{"config.json", {{"architectures", Json::array({"RobertaForMaskedLM"})}}}})).encode("ab").ids == in_roberta);
  CHECK(load(with({{"config.json", {{"model_type", "roberta"}}},
                   {"tokenizer_config.json", {{"tokenizer_class", "PreTrainedTokenizerFast"}}}}))
            .encode("ab")
            .ids == in_roberta);
  CHECK(contains(refusal<CheckpointError>(files), "vocab.json: has \"<s>\" and \"</s>\", so it may be RoBERTa's"));
  CHECK(contains(refusal<CheckpointError>(with({{"config.json", {{"model_type", "xlm-roberta"}}}})),
                 "config.json: the model_type \"xlm-roberta\": expected tokenizer.json, or a SentencePiece model"));
  CHECK(contains(refusal<CheckpointError>(with({{"config.json", {{"architectures", Json::array({"XLMRobertaModel"})}}}})),
                 "config.json: the architecture \"XLMRobertaModel\": expected tokenizer.json, or a SentencePiece model"));
  CHECK(contains(refusal<CheckpointError>(with({{"config.json", {{"model_type", "camembert"}}}})),
                 "config.json: the model_type \"camembert\" has no tokenizer that is supported without tokenizer.json"));
  CHECK(contains(refusal<CheckpointError>(with({{"config.json", {{"model_type", "bert"}}}})), "expected tokenizer.json or vocab.txt in"));
  CHECK(
      contains(refusal<FormatError>({{"vocab.json", {{"a", 0}}}, {"merges.txt", no_merges}, {"config.json", {{"model_type", "roberta"}}}}),
               "the token \"<unk>\" is missing"));
}

TEST_CASE("directories: a class that is not supported is refused by name, whichever file names it") {
  for (char const* const file : {"tokenizer_config.json", "config.json"}) {
    auto const message = refusal<CheckpointError>(
        {{"vocab.txt", vocab_txt}, {file, {{"model_type", "bert"}, {"tokenizer_class", "BertJapaneseTokenizer"}}}});
    CAPTURE(message);
    CHECK(contains(message, std::string(file) + ": the tokenizer_class \"BertJapaneseTokenizer\" is not supported without tokenizer.json"));
  }
  CHECK(contains(refusal<CheckpointError>({{"vocab.txt", vocab_txt}, {"config.json", {{"model_type", "mpnet"}}}}),
                 "the model_type \"mpnet\""));
  CHECK(contains(refusal<CheckpointError>({{"vocab.txt", vocab_txt}, {"config.json", {{"model_type", "gpt2"}}}}),
                 "expected tokenizer.json, or vocab.json and merges.txt, in"));
  CHECK(contains(refusal<FormatError>({{"vocab.txt", vocab_txt}, {"config.json", "[]"}}),
                 "config.json: found an array of 0, expected an object"));
  CHECK(contains(refusal<FormatError>({{"vocab.txt", vocab_txt}, {"config.json", {{"model_type", 3}}}}), "model_type"));
}

TEST_CASE("directories: GPT-2's first files are its vocabulary too") {
  Json const vocabulary = {{"a", 0}, {"b", 1}, {"ab", 2}};
  CHECK(load({{"encoder.json", vocabulary}, {"vocab.bpe", "#version: 0.2\na b\n"}}).encode("abb<|endoftext|>").ids ==
        std::vector<TokenId>{2, 1, 3});
}

TEST_CASE("directories: settings with an effect that is missing are refused, unknown ones noted, others passed over") {
  auto const with = [](Json const& config) { return Json{{"vocab.txt", vocab_txt}, {"tokenizer_config.json", config}}; };
  Json const lacking = {{"never_split", Json::array({"a"})},     {"do_basic_tokenize", false}, {"word_tokenizer_type", "mecab"},
                        {"subword_tokenizer_type", "character"}, {"normalization", true},      {"wordpieces_prefix", "@@"},
                        {"split_special_tokens", true}};
  for (auto const& [key, value] : lacking.items()) {
    CAPTURE(key);
    CHECK(contains(refusal<CheckpointError>(with({{key, value}})), "the setting \"" + key + "\", here "));
  }
  CHECK(load(with({{"errors", "strict"}, {"wordpieces_prefix", "##"}, {"max_seq_length", 3}, {"use_fast", true}})).notes().empty());
  auto const notes = load(with({{"novelty", 3}, {"nothing", nullptr}})).notes();
  REQUIRE(notes.size() == 1);
  CHECK(contains(notes[0], "tokenizer_config.json: the setting \"novelty\", here the number 3, is not known and was passed over"));
}

TEST_CASE("directories: no two tokens share an id where ids have holes, and a hole is no token") {
  // The crate would give the added token 9, the number of tokens and the id of the second "the".
  auto const tokenizer = load({{"vocab.txt", vocab_txt + "the\n"}, {"added_tokens.json", {{"covid", 10}, {"[E]", 11}}}});
  CHECK(tokenizer.encode("the covid [E]", {.add_special_tokens = false}).ids == std::vector<TokenId>{9, 10, 11});
  CHECK(tokenizer.vocabulary_size() == 12);
  CHECK(tokenizer.token_to_id("the") == 9);
  CHECK(tokenizer.id_to_token(5).empty());
  CHECK_FALSE(tokenizer.is_special(5));
  CHECK(tokenizer.decode(std::vector<TokenId>{5, 9, 5, 6}) == "the virus");
  StreamingDecoder streaming(tokenizer);
  std::string streamed;
  for (TokenId const id : {5, 9, 5, 6}) streamed += streaming.push(id);
  CHECK(streamed + streaming.finish() == "the virus");
  CHECK_THROWS_AS(tokenizer.id_to_token(12), ArgumentError);

  auto const far = load({{"vocab.txt", vocab_txt + "the\n"}, {"added_tokens.json", {{"covid", 2000000000}}}});
  CHECK(far.token_to_id("covid") == 10);
  REQUIRE(far.notes().size() == 1);
  CHECK(contains(far.notes()[0], "the added token \"covid\" has the id 10, not its file's 2000000000"));
  CHECK(contains(refusal<FormatError>({{"vocab.json", {{"a", 0}, {"b", 2000000000}}}, {"merges.txt", no_merges}}),
                 "token \"b\": found id 2000000000, and there are only 1 tokens below it"));
}

TEST_CASE("directories: of added tokens that read the same once normalised the first is found, and a note names the others") {
  auto const tokenizer = load({{"vocab.txt", vocab_txt}, {"added_tokens.json", {{"COVID", 9}, {"Covid", 10}, {"\u0301", 11}}}});
  CHECK(tokenizer.encode("covid CoViD", {.add_special_tokens = false}).ids == std::vector<TokenId>{9, 9});
  REQUIRE(tokenizer.notes().size() == 1);
  CHECK(contains(tokenizer.notes()[0], "the added token \"Covid\" and 1 more are never found"));
}

TEST_CASE("directories: special tokens that stand nowhere are an error, or left out where a model can do without") {
  CHECK(contains(refusal<FormatError>({{"vocab.txt", "[UNK]\n[CLS]\na\n"}}), "the token \"[SEP]\" is missing"));
  CHECK(contains(refusal<FormatError>({{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n"}, {"special_tokens_map.json", {{"unk_token", "<u>"}}}}),
                 "the token \"<u>\" is missing"));
  auto const tokenizer = load({{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n"}});
  CHECK_FALSE(tokenizer.special_tokens().mask.has_value());
  CHECK(tokenizer.vocabulary_size() == 4);
  // An unknown word becomes the unknown token also where only added_tokens_decoder has it, as it did in transformers 4; 5.24 throws.
  auto const added = load({{"vocab.txt", vocab_txt},
                           {"tokenizer_config.json", {{"unk_token", "<u>"}, {"added_tokens_decoder", {{"9", {{"content", "<u>"}}}}}}}});
  CHECK(added.encode("the q", {.add_special_tokens = false}).ids == std::vector<TokenId>{5, 9});
}

TEST_CASE("directories: malformed added tokens are errors that name their file") {
  auto const with = [](char const* file, char const* content) { return Json{{"vocab.txt", vocab_txt}, {file, content}}; };
  CHECK(contains(refusal<FormatError>(with("added_tokens.json", "[]")), "added_tokens.json: found an array of 0, expected an object"));
  CHECK(contains(refusal<FormatError>(with("added_tokens.json", R"({"x": "9"})")),
                 "added_tokens.json: token \"x\": found the string \"9\", expected an id"));
  CHECK(contains(refusal<FormatError>(with("added_tokens.json", R"({"x": -1})")), "expected an id"));
  CHECK(contains(refusal<FormatError>(with("added_tokens.json", R"({"x")")), "added_tokens.json: is not valid JSON"));
  CHECK(contains(refusal<FormatError>(with("special_tokens_map.json", "3")),
                 "special_tokens_map.json: found the number 3, expected an object"));
  CHECK(contains(refusal<FormatError>(with("special_tokens_map.json", R"({"cls_token": 3})")), "special_tokens_map.json: cls_token"));
  CHECK(contains(refusal<FormatError>(with("special_tokens_map.json", R"({"additional_special_tokens": "x"})")), "expected an array"));
}

TEST_CASE("directories: 60 000 added tokens load in a time that grows as they do, whichever file has them") {
  Json added, decoder, list = Json::array();
  for (int i = 0; i < 60000; ++i) {
    std::string const content = "<extra_" + std::to_string(i) + ">";
    added[content] = 9 + i;
    decoder[std::to_string(9 + i)] = {{"content", content}, {"special", true}};
    list.push_back({{"id", 9 + i}, {"content", content}, {"special", true}});
  }
  Json word_piece = {{"type", "WordPiece"}, {"unk_token", "[UNK]"}};
  for (std::string_view rest = vocab_txt; !rest.empty(); rest.remove_prefix(rest.find('\n') + 1))
    word_piece["vocab"][std::string(rest.substr(0, rest.find('\n')))] = word_piece["vocab"].size();
  Json const description = {{"added_tokens", list}, {"pre_tokenizer", {{"type", "BertPreTokenizer"}}}, {"model", word_piece}};
  for (Json const& files : {Json{{"vocab.txt", vocab_txt}, {"added_tokens.json", added}},
                            Json{{"vocab.txt", vocab_txt}, {"tokenizer_config.json", {{"added_tokens_decoder", decoder}}}},
                            Json{{"tokenizer.json", description}, {"added_tokens.json", added}}}) {
    auto const begin = std::chrono::steady_clock::now();
    CHECK(load(files).encode("the <extra_7>", {.add_special_tokens = false}).ids == std::vector<TokenId>{5, 16});
    // Half a second and less; 17 s when each token was looked for among all. Sanitizers and busy machines are slower by ten times.
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(8));
  }
}
