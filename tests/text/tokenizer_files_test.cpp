#include <axiform/io/json.hpp>
#include <axiform/text/tokenizer_files.hpp>
#include <axiform/text/tokenizer_json.hpp>

#include <doctest/doctest.h>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

Json const small_bert = parse_json(R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
  "pre_tokenizer": {"type": "BertPreTokenizer"},
  "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
  "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3, "##b": 4}}})",
                                   "test");

Json const small_bpe = parse_json(R"({
  "version": "1.0", "added_tokens": [], "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
  "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "", "fuse_unk": false,
            "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})",
                                  "test");

Json const small_characters = parse_json(R"({
  "version": "1.0", "added_tokens": [{"id": 4, "content": "<s>", "special": true}], "normalizer": null,
  "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": false},
  "post_processor": null,
  "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
                                               {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
  "model": {"type": "BPE", "dropout": null, "unk_token": "a", "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": true,
            "byte_fallback": true, "ignore_merges": false, "vocab": {"a": 0, "\u2581": 1, "\u2581a": 2, "<0xCC>": 3, "<s>": 4, "<0x81>": 5},
            "merges": [["\u2581", "a"]]}})",
                                         "test");

Tokenizer load(Json const& json) { return Tokenizer(detail::parts_from_tokenizer_json(json, "t.json"), "t.json"); }

Json patched(Json json, char const* patch) {
  merge_patch(json, parse_json(patch, "patch"));
  return json;
}

/// The values in a value, at any depth.
std::size_t count_places(Json const& json) {
  std::size_t count = 0;
  if (json.is_array())
    for (Json const& element : json) count += 1 + count_places(element);
  if (json.is_object())
    for (auto const& [key, element] : json.items()) count += 1 + count_places(element);
  return count;
}

/// Replaces one of them; `place` counts down to it. @return Whether it was met.
bool put_at(Json& json, std::size_t& place, Json const& value) {
  auto const put = [&](Json& element) {
    if (place == 0) return element = value, true;
    --place;
    return put_at(element, place, value);
  };
  if (json.is_array())
    for (Json& element : json)
      if (put(element)) return true;
  if (!json.is_object()) return false;
  Json const before = json;
  for (auto const& [key, element] : before.items())
    if (put(json[key])) return true;
  return false;
}

template <class Expected>
std::string refusal(Json const& json) {
  return message_of<Expected>([&] { load(json); });
}

}  // namespace

TEST_CASE("tokenizer files: the small descriptions of these tests load") {
  CHECK(load(small_bert).encode("ab").ids == std::vector<TokenId>{1, 3, 4, 2});
  CHECK(load(small_bpe).encode("abba").ids == std::vector<TokenId>{2, 1, 0});
  CHECK(load(small_characters).encode("a\u0301 a").ids == std::vector<TokenId>{2, 3, 5, 2});
}

TEST_CASE("tokenizer files: a setting that is not supported is refused by name") {
  struct Case {
    Json const& base;
    char const* patch;
    char const* message;
  };
  for (auto const& [base, patch, message] : std::vector<Case>{
           {small_bert, R"({"novelty": 1})", "\"novelty\""},
           {small_bert, R"({"version": "2.0"})", "version: found \"2.0\""},
           {small_bert, R"({"model": {"type": "WordLevel"}})", "\"WordLevel\" is not supported, expected WordPiece or BPE or Unigram"},
           {small_bert, R"({"model": {"type": "Unigram"}})", "\"continuing_subword_prefix\""},
           {small_bert, R"({"model": {"novelty": true}})", "t.json: model: the setting \"novelty\", here true, is not supported"},
           {small_bert, R"({"normalizer": {"type": "ByteLevel"}})",
            "t.json: normalizer: the type \"ByteLevel\" is not supported, expected BertNormalizer or NFC or"},
           {small_bert, R"({"normalizer": {"novelty": 1}})", "\"novelty\""},
           {small_bert, R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "_", "prepend_scheme": "often"}})",
            "t.json: pre_tokenizer: the prepend_scheme \"often\" is not supported, expected always, first or never"},
           {small_bert, R"({"pre_tokenizer": {"type": "Novel"}})", "\"Novel\""},
           {small_bert, R"({"pre_tokenizer": {"type": "Whitespace", "novelty": 1}})", "\"novelty\""},
           {small_bert, R"({"pre_tokenizer": {"type": "Sequence", "pretokenizers": []}})", "WordPiece without any"},
           {small_bert, R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}})",
            "ByteLevel is not supported with WordPiece"},
           {small_bert, R"({"decoder": {"type": "Sequence", "decoders": [], "prefix": null, "cleanup": null}})", "\"decoders\""},
           {small_bert, R"({"post_processor": {"type": "Novel"}})", "\"Novel\""},
           {small_bert, R"({"post_processor": {"novelty": 1}})", "\"novelty\""},
           {small_bert, R"({"decoder": {"type": "CTC"}})", "\"CTC\""},
           {small_bpe, R"({"model": {"dropout": 0.1}})", "\"dropout\""},
           {small_bpe, R"({"model": {"continuing_subword_prefix": "@@"}})", "\"continuing_subword_prefix\""},
           {small_bpe, R"({"model": {"end_of_word_suffix": "</w>"}})", "\"end_of_word_suffix\""},
           {small_bpe, R"({"model": {"byte_fallback": true}})", "\"byte_fallback\""},
           {small_bpe, R"({"normalizer": {"type": "ByteLevel"}})", "\"ByteLevel\""},
           {small_bpe, R"({"normalizer": {"type": "Prepend", "prepend": ""}})", "\"prepend\""},
           {small_bpe, R"({"normalizer": {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}})",
            "t.json: normalizer: replacing the regular expression \"\\s+\" is not supported"},
           {small_bpe, R"({"decoder": {"type": "Metaspace"}})", "\"trim_offsets\""},
           {small_bpe, R"({"decoder": {"type": "BPEDecoder"}})", "\"BPEDecoder\""},
       }) {
    CAPTURE(patch);
    auto const found = refusal<CheckpointError>(patched(base, patch));
    CAPTURE(found);
    CHECK(contains(found, message));
  }
}

TEST_CASE("tokenizer files: added tokens get the ids that the crate gives them, and a note says where the file has others") {
  struct Case {
    char const* patch;
    std::vector<TokenId> ids;  // Of "x a".
    char const* note;
  };
  for (auto const& [patch, ids, note] : std::vector<Case>{
           {R"({"added_tokens": [{"id": 7, "content": "x"}]})", {5, 3}, "the added token \"x\" has the id 5, not its file's 7"},
           {R"({"added_tokens": [{"id": 2, "content": "a"}]})", {0, 3}, "the added token \"a\" has the id 3, not its file's 2"},
           {R"({"added_tokens": [{"id": 5, "content": "x"}, {"id": 6, "content": "x"}]})", {5, 3}, nullptr},
           {R"({"added_tokens": [{"id": 5, "content": "X", "normalized": true}, {"id": 6, "content": "x", "normalized": true}]})",
            {5, 3},
            "the added token \"x\" is never found"}}) {
    CAPTURE(patch);
    auto const tokenizer = load(patched(small_bert, patch));
    CHECK(tokenizer.encode("x a", {.add_special_tokens = false}).ids == ids);
    REQUIRE(tokenizer.notes().size() == (note == nullptr ? 0 : 1));
    if (note != nullptr) CHECK(contains(tokenizer.notes()[0], note));
  }
}

TEST_CASE("tokenizer files: parts that a program fills may not give two tokens one id") {
  auto parts = detail::parts_from_tokenizer_json(small_bert, "t.json");
  parts.added_tokens = {{.content = "x", .id = 3}};
  CHECK(contains(message_of<FormatError>([&] { Tokenizer(parts, "mine"); }),
                 "mine: added token \"x\": found id 3, expected one that is free"));
  parts.added_tokens = {{.content = "a", .id = 2}};
  CHECK(contains(message_of<FormatError>([&] { Tokenizer(parts, "mine"); }),
                 "added token \"a\": found id 2, expected 3, its id in the vocabulary"));
  parts.added_tokens = {{.content = "x", .id = -1}};
  CHECK(contains(message_of<FormatError>([&] { Tokenizer(parts, "mine"); }), "found id -1"));
}

TEST_CASE("tokenizer files: a sequence is refused by the member that is not supported, and absurd ones are errors") {
  Json const bytes = parse_json(R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})", "test");
  Json const split = parse_json(R"({"type": "Split", "pattern": {"Regex": "\\p{N}"}, "behavior": "Isolated", "invert": false})", "test");
  auto const with = [](char const* key, char const* members, std::vector<Json> pieces) {
    Json json = small_bpe;
    json[key] = {{"type", "Sequence"}, {members, pieces}};
    return json;
  };
  auto const splitting = [&](char const* patch) { return with("pre_tokenizer", "pretokenizers", {patched(split, patch), bytes}); };
  CHECK(load(splitting("{}")).encode("ab").ids == std::vector<TokenId>{2});
  CHECK(contains(refusal<CheckpointError>(splitting(R"({"pattern": {"Regex": "a|b"}})")),
                 R"(t.json: pre_tokenizer: pretokenizers[0]: the regular expression "a|b" is not one of those that are known)"));
  CHECK(contains(refusal<CheckpointError>(splitting(R"({"behavior": "Novel"})")), "the behavior \"Novel\" is not supported"));
  CHECK(contains(refusal<FormatError>(splitting(R"({"pattern": {"Regex": null, "String": ""}})")), "found the empty text"));
  CHECK(contains(refusal<FormatError>(splitting(R"({"pattern": "a"})")), "expected an object with \"String\" or \"Regex\""));
  CHECK(contains(refusal<CheckpointError>(with("pre_tokenizer", "pretokenizers", {bytes, bytes})), "ByteLevel twice is not supported"));
  CHECK(contains(refusal<CheckpointError>(with("pre_tokenizer", "pretokenizers", std::vector<Json>(65, split))), "more than 64 steps"));
  Json nested = bytes;
  for (int i = 0; i < 9; ++i) nested = {{"type", "Sequence"}, {"pretokenizers", std::vector<Json>{nested}}};
  Json json = small_bpe;
  json["pre_tokenizer"] = nested;
  CHECK(contains(refusal<CheckpointError>(json), "more than 8 sequences one in another"));

  // A decoder that puts spaces for marks has its steps in one order.
  auto const decoding = [&](std::initializer_list<char const*> steps) {
    std::vector<Json> decoders;
    for (char const* const step : steps) decoders.push_back(parse_json(step, "test"));
    return with("decoder", "decoders", decoders);
  };
  char const* const spaces = R"({"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "})";
  char const* const fallback = R"({"type": "ByteFallback"})";
  char const* const fuse = R"({"type": "Fuse"})";
  char const* const strip = R"({"type": "Strip", "content": " ", "start": 1, "stop": 0})";
  CHECK(load(decoding({spaces, fallback, fuse, strip})).decode(std::vector<TokenId>{0, 1}) == "ab");
  CHECK(contains(refusal<CheckpointError>(decoding({fuse})), "the type \"Fuse\" is not supported"));
  for (auto const& steps :
       {decoding({spaces, strip}), decoding({spaces, fuse, fallback}), decoding({fallback, spaces}), decoding({spaces, spaces}),
        decoding({R"({"type": "Replace", "pattern": {"String": "_"}, "content": " "})", fuse}),
        decoding({spaces, fuse, R"({"type": "Strip", "content": " ", "start": 1, "stop": 1})"}),
        decoding({spaces, fuse, R"({"type": "Strip", "content": "_", "start": 1, "stop": 0})"})})
    CHECK(contains(refusal<CheckpointError>(steps), "the setting \"decoders\""));

  Json const doubles = parse_json(R"({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})", "test");
  CHECK(contains(refusal<FormatError>(with("normalizer", "normalizers", {patched(doubles, R"({"pattern": {"String": ""}})")})),
                 "empty text"));
  auto const doubling = load(with("normalizer", "normalizers", std::vector<Json>(64, doubles)));
  CHECK(contains(message_of<ArgumentError>([&] { doubling.encode("ba"); }), "the tokenizer's normalizer makes more than"));
  CHECK(doubling.encode("b").ids == std::vector<TokenId>{1});

  // A text that almost has a long pattern at each place, and one that is whitespace alone: neither takes quadratic time.
  std::string const many(50'000, 'a');
  auto const searching =
      load(with("normalizer", "normalizers", {patched(doubles, ("{\"pattern\": {\"String\": \"" + many + "b\"}}").c_str())}));
  CHECK(searching.encode(many + many).size() == 100'000);
  for (std::string_view const expression : detail::known_expressions) {
    Json one = split;
    one["pattern"]["Regex"] = expression;
    auto const tokenizer = load(with("pre_tokenizer", "pretokenizers", {one, bytes}));
    for (char const* const part : {" ", "\n ", "A", "aA", "1", "'", "é"}) {
      std::string text;
      while (text.size() < 100'000) text += part;
      tokenizer.encode(text);
    }
  }
}

TEST_CASE("tokenizer files: truncation and padding alone are left to the caller") {
  Json json = small_bert;
  json["truncation"] = {{"max_length", 3}, {"strategy", "LongestFirst"}, {"stride", 0}};
  json["padding"] = {{"strategy", {{"Fixed", 9}}}, {"pad_id", 0}};
  CHECK(load(json).encode("ab ab ab").ids.size() == 8);
}

TEST_CASE("tokenizer files: content that makes no sense is a FormatError that says where") {
  struct Case {
    Json const& base;
    char const* patch;
    char const* message;
  };
  for (auto const& [base, patch, message] : std::vector<Case>{
           {small_bert, R"({"model": null})", "the key \"model\" is missing"},
           {small_bert, R"({"model": []})", "expected an object"},
           {small_bert, R"({"model": {"vocab": null}})", "the key \"vocab\" is missing"},
           {small_bert, R"({"model": {"vocab": {"x": 3}}})", "the tokens \"a\" and \"x\" have one id, 3"},
           {small_bert, R"({"model": {"vocab": {"x": -1}}})", "token \"x\": found the number -1, expected an id"},
           {small_bert, R"({"model": {"vocab": {"x": "5"}}})", "token \"x\": found the string \"5\", expected an id"},
           {small_bert, R"({"model": {"vocab": {"x": 99999999999}}})", "expected an id"},
           {small_bert, R"({"model": {"unk_token": "<unk>"}})", "the unknown token \"<unk>\" is not in the vocabulary"},
           {small_bert, R"({"model": {"unk_token": 5}})", "expected a string"},
           {small_bert, R"({"model": {"max_input_chars_per_word": -1}})", "max_input_chars_per_word"},
           {small_bert, R"({"normalizer": {"lowercase": "yes"}})",
            "t.json: normalizer: lowercase: found the string \"yes\", expected true or false"},
           {small_bert, R"({"added_tokens": 3})", "expected an array"},
           {small_bert, R"({"added_tokens": [3]})", "added_tokens[0]: found the number 3, expected an object"},
           {small_bert, R"({"added_tokens": [{"content": "x"}]})", "the key \"id\" is missing"},
           {small_bert, R"({"post_processor": {"cls": ["[CLS]", 77]}})", "special token id 77 is outside of the vocabulary of 5"},
           {small_bert, R"({"post_processor": {"cls": "[CLS]"}})", "cls"},
           {small_bpe, R"({"model": {"merges": ["a b c"]}})", "merges[0]"},
           {small_bpe, R"({"model": {"merges": ["ab"]}})", "merges[0]"},
           {small_bpe, R"({"model": {"merges": [["a", 1]]}})", "merges[0]"},
           {small_bpe, R"({"model": {"merges": ["b a"]}})", "merge 0, \"b\" and \"a\": the token \"ba\" is not in the vocabulary"},
           {small_bpe, R"({"model": {"merges": ["a x"]}})", "the token \"x\" is not in the vocabulary"},
           {small_bpe, R"({"model": {"unk_token": "<unk>"}})", "<unk>"},
       }) {
    CAPTURE(patch);
    auto const found = refusal<FormatError>(patched(base, patch));
    CAPTURE(found);
    CHECK(contains(found, message));
  }
  Json json = small_bert;
  json["model"]["vocab"] = Json::object();
  CHECK(contains(refusal<FormatError>(json), "has no tokens"));
  json = small_bert;
  json["post_processor"] = parse_json(
      R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {}, "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}]})",
      "test");
  CHECK(contains(refusal<FormatError>(json), "the key \"[CLS]\" is missing"));
  json["post_processor"] = parse_json(
      R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {}, "single": [{"Sequence": {"id": "C", "type_id": 0}}]})", "test");
  CHECK(contains(refusal<FormatError>(json), "expected \"A\" or \"B\""));
  json["post_processor"] = parse_json(
      R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {}, "single": [{"Sequence": {"id": "B", "type_id": 0}}]})", "test");
  CHECK(contains(refusal<FormatError>(json), "expected a template with the first text once"));
}

TEST_CASE("tokenizer files: any value in any place is an error of ours or a tokenizer that works") {
  for (Json const& base : {small_bert, small_bpe, small_characters}) {
    for (std::size_t place = 0; place < count_places(base); ++place) {
      for (char const* const value : {"null", "true", "-1", "1e300", "2147483648", "\"\"", "\"x\"", "[]", "[[]]", "{}", "{\"id\":{}}"}) {
        Json json = base;
        std::size_t left = place;
        put_at(json, left, parse_json(value, "test"));
        CAPTURE(dump_json(json));
        CAPTURE(value);
        try {
          auto const tokenizer = load(json);
          auto const encoding = tokenizer.encode_pair("ab a\u0301 [CLS]x", "b");
          tokenizer.decode(encoding.ids);
          tokenizer.word_ids(encoding);
        } catch (Error const&) {
        }
      }
    }
  }
}

TEST_CASE("tokenizer files: files that are not there or are no JSON are errors that name them") {
  TemporaryDirectory const directory;
  CHECK(contains(message_of<FileError>([&] { Tokenizer::from_directory(directory.path()); }),
                 "has no tokenizer: expected tokenizer.json, vocab.txt"));
  CHECK(contains(message_of<FileError>([&] { Tokenizer::from_directory(directory / "absent"); }), "absent: is not a directory"));
  CHECK(contains(message_of<FileError>([&] { Tokenizer::from_tokenizer_json(directory / "t.json"); }), "t.json"));
  write_bytes(directory / "tokenizer.json", "{\"version\": ");
  CHECK(contains(message_of<FormatError>([&] { Tokenizer::from_directory(directory.path()); }), "tokenizer.json: is not valid JSON"));
  write_bytes(directory / "tokenizer.json", "{\"model\": {}, \"model\": {}}");
  CHECK(contains(message_of<FormatError>([&] { Tokenizer::from_directory(directory.path()); }), "\"model\" appears twice"));
  write_bytes(directory / "tokenizer.json", "[]");
  CHECK(contains(message_of<FormatError>([&] { Tokenizer::from_directory(directory.path()); }), "expected an object"));
}

TEST_CASE("tokenizer files: vocab.txt has one token a line, and BERT's special tokens") {
  TemporaryDirectory const directory;
  auto const path = directory / "vocab.txt";
  auto const refused = [&](std::string_view content) {
    write_bytes(path, content);
    return message_of<FormatError>([&] { Tokenizer::from_vocab_txt(path); });
  };
  CHECK(contains(refused(""), "vocab.txt: has no tokens"));
  CHECK(contains(refused("[UNK]\n[CLS]\na\n"), "the token \"[SEP]\" is missing"));
  CHECK(contains(refused("[UNK]\n[CLS]\n[SEP]\n\xFF\n"), "is not UTF-8"));
  write_bytes(path, "[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n##b");
  auto const tokenizer = Tokenizer::from_vocab_txt(path);
  CHECK(tokenizer.encode("Äb").ids == std::vector<TokenId>{1, 3, 4, 2});
  CHECK_FALSE(tokenizer.special_tokens().mask.has_value());
  CHECK(Tokenizer::from_vocab_txt(path, {.do_lower_case = false}).encode("Ab").ids == std::vector<TokenId>{1, 0, 2});
}

TEST_CASE("tokenizer files: merges.txt has two tokens a line") {
  TemporaryDirectory const directory;
  write_bytes(directory / "vocab.json", R"({"a": 0, "b": 1, "ab": 2})");
  write_bytes(directory / "merges.txt", "#version: 0.2\na b\n");
  auto const gpt2 = Tokenizer::from_directory(directory.path());
  CHECK(gpt2.encode("ab<|endoftext|>a").ids == std::vector<TokenId>{2, 3, 0});
  CHECK(gpt2.special_tokens().eos == 3);
  for (auto const& [line, message] : std::vector<std::pair<std::string, std::string>>{
           {"ab", "line 2: found \"ab\""}, {"a b c", "line 2"}, {"", "line 2"}, {"a c", "\"c\" is not in"}}) {
    write_bytes(directory / "merges.txt", "#version: 0.2\n" + line + "\na b\n");
    CHECK(contains(message_of<FormatError>([&] { Tokenizer::from_directory(directory.path()); }), message));
  }
}

TEST_CASE("tokenizer files: tokenizer_config.json is honoured or refused by name") {
  TemporaryDirectory const directory;
  write_bytes(directory / "vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n##b\nA\nÄ\nä\n[MASK]\n");
  auto const load_with = [&](std::string_view config) {
    write_bytes(directory / "tokenizer_config.json", config);
    return Tokenizer::from_directory(directory.path());
  };
  CHECK(load_with("{}").encode("Ä").ids[1] == 3);
  CHECK(load_with(R"({"do_lower_case": false})").encode("Ä").ids[1] == 6);
  CHECK(load_with(R"({"do_lower_case": false, "strip_accents": true})").encode("Ä").ids[1] == 5);
  CHECK(load_with(R"({"strip_accents": false})").encode("Ä").ids[1] == 7);
  CHECK(load_with(R"({"model_max_length": 77, "tokenizer_class": "BertTokenizerFast", "name_or_path": "x"})").model_max_length() ==
        std::size_t{77});
  CHECK_FALSE(load_with(R"({"model_max_length": 1000000000000000019884624838656})").model_max_length().has_value());
  CHECK(load_with(R"({"additional_special_tokens": ["<x>"]})").encode("a<x>", {.add_special_tokens = false}).ids ==
        std::vector<TokenId>{3, 9});
  CHECK(load_with(R"({"mask_token": {"content": "[MASK]", "lstrip": true}})").encode("a  [MASK]").offsets[2] == Offset{1, 9});
  CHECK(load_with(R"({"clean_up_tokenization_spaces": true})").decode(std::vector<TokenId>{3, 3}) == "a a");
  CHECK(load_with(R"({"added_tokens_decoder": {"9": {"content": "<y>", "special": true}}})").encode("<y>").ids[1] == 9);
  for (auto const& [config, message] :
       std::vector<std::pair<std::string, std::string>>{{R"({"never_split": ["a"]})", "\"never_split\""},
                                                        {R"({"do_basic_tokenize": false})", "\"do_basic_tokenize\""},
                                                        {R"({"tokenizer_class": "T5Tokenizer"})", "T5Tokenizer"}}) {
    CAPTURE(config);
    CHECK(contains(message_of<CheckpointError>([&] { load_with(config); }), message));
  }
  CHECK(contains(message_of<FormatError>([&] { load_with(R"({"do_lower_case": "no"})"); }), "do_lower_case"));
  CHECK(contains(message_of<FormatError>([&] { load_with(R"({"added_tokens_decoder": {"x": {"content": "<y>"}}})"); }), "expected an id"));
  CHECK(contains(message_of<FormatError>([&] { load_with("[]"); }), "expected an object"));
}

TEST_CASE("tokenizer files: RoBERTa is known by its tokenizer class, and its mask strips the space on its left") {
  TemporaryDirectory const directory;
  write_bytes(directory / "vocab.json", R"({"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "Ġ": 5, "Ġa": 6, "<mask>": 7})");
  write_bytes(directory / "merges.txt", "#version: 0.2\nĠ a\n");
  write_bytes(directory / "tokenizer_config.json", R"({"tokenizer_class": "RobertaTokenizer"})");
  auto const roberta = Tokenizer::from_directory(directory.path());
  auto const encoding = roberta.encode("a a <mask> a");
  CHECK(encoding.ids == std::vector<TokenId>{0, 4, 6, 7, 6, 2});
  CHECK(encoding.offsets == std::vector<Offset>{{0, 0}, {0, 1}, {2, 3}, {4, 10}, {11, 12}, {0, 0}});
  CHECK(roberta.encode_pair("a", "a").ids == std::vector<TokenId>{0, 4, 2, 2, 4, 2});
  CHECK(roberta.special_tokens().mask == 7);
}
