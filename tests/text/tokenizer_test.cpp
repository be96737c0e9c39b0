#include <axiform/io/json.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_json.hpp>
#include <axiform/text/tokenizer_parts.hpp>
#include <axiform/text/utf8.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <map>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

TEST_CASE("tokenizer: the notebook's words have their ids, offsets and special tokens") {
  Encoding const encoding = minilm().encode("A man is eating food.");
  CHECK(encoding.ids == std::vector<TokenId>{101, 1037, 2158, 2003, 5983, 2833, 1012, 102});
  CHECK(encoding.offsets == std::vector<Offset>{{0, 0}, {0, 1}, {2, 5}, {6, 8}, {9, 15}, {16, 20}, {20, 21}, {0, 0}});
  CHECK(encoding.special_tokens_mask == std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 0, 1});
  CHECK(minilm().tokens(encoding) == std::vector<std::string>{"[CLS]", "a", "man", "is", "eating", "food", ".", "[SEP]"});
  CHECK(minilm().decode(encoding.ids, {.skip_special_tokens = true}) == "a man is eating food.");
}

TEST_CASE("tokenizer: empty text is the special tokens alone") {
  CHECK(minilm().encode("").ids == std::vector<TokenId>{101, 102});
  CHECK(minilm().encode("", {.add_special_tokens = false}).ids.empty());
  CHECK(minilm().encode_pair("", "").ids == std::vector<TokenId>{101, 102, 102});
  CHECK(byte_bpe().encode("").ids.empty());
  CHECK(minilm().decode({}).empty());
  CHECK(minilm().encode_batch(std::vector<std::string>{}).empty());
  CHECK(minilm().encode_batch({"a man", ""}).at(1).ids == std::vector<TokenId>{101, 102});
}

TEST_CASE("tokenizer: a pair has type 1 from its second text on") {
  Encoding const pair = minilm().encode_pair("a man", "food");
  CHECK(pair.ids == std::vector<TokenId>{101, 1037, 2158, 102, 2833, 102});
  CHECK(pair.type_ids == std::vector<TokenId>{0, 0, 0, 0, 1, 1});
  CHECK(pair.offsets[4] == Offset{0, 4});
}

TEST_CASE("tokenizer: truncation keeps the special tokens") {
  CHECK(minilm().encode("a man is eating food", {.max_length = 4}).ids == std::vector<TokenId>{101, 1037, 2158, 102});
  CHECK(minilm().encode("a man is eating food", {.max_length = 4, .truncation_side = TruncationSide::left}).ids ==
        std::vector<TokenId>{101, 5983, 2833, 102});
  CHECK(minilm().encode_pair("a man is eating", "food", {.max_length = 6}).ids == std::vector<TokenId>{101, 1037, 2158, 102, 2833, 102});
  CHECK(minilm().encode("a man", {.max_length = 2}).ids == std::vector<TokenId>{101, 102});
}

TEST_CASE("tokenizer: a length that cannot be reached is an ArgumentError that says why") {
  CHECK(contains(message_of<ArgumentError>([] { minilm().encode("a", {.max_length = 1}); }),
                 "max_length: found 1, and the special tokens alone are 2"));
  CHECK(contains(message_of<ArgumentError>([] { minilm().encode("a b c", {.max_length = 3, .truncation = Truncation::only_second}); }),
                 "pair of texts"));
  CHECK(contains(
      message_of<ArgumentError>([] { minilm().encode_pair("a", "b c d e", {.max_length = 5, .truncation = Truncation::only_first}); }),
      "the first text has 1 tokens, and 3 would have to go"));
}

TEST_CASE("tokenizer: special tokens are known by their parts, and the vocabulary answers both ways") {
  auto const& special = minilm().special_tokens();
  CHECK(special.cls == 101);
  CHECK(special.sep == 102);
  CHECK(special.pad == 0);
  CHECK(special.unk == 100);
  CHECK(special.mask == 103);
  CHECK_FALSE(special.bos.has_value());
  CHECK(minilm().vocabulary_size() == 30522);
  CHECK(minilm().model_max_length() == std::size_t{512});
  CHECK(minilm().token_to_id("##ing") == 2075);
  CHECK(minilm().id_to_token(2075) == "##ing");
  CHECK_FALSE(minilm().token_to_id("no such token").has_value());
  CHECK_FALSE(minilm().token_to_id("").has_value());
  CHECK(minilm().is_special(101));
  CHECK_FALSE(minilm().is_special(1037));
  for (TokenId id = 0; id < 30522; ++id) REQUIRE(minilm().token_to_id(minilm().id_to_token(id)) == id);
  CHECK(byte_bpe().special_tokens().eos == byte_bpe().token_to_id("<|endoftext|>"));
}

TEST_CASE("tokenizer: ids outside of the vocabulary are an ArgumentError") {
  for (TokenId id : {-1, 30522, 2147483647}) {
    CAPTURE(id);
    auto const message = "token id " + std::to_string(id) + " is outside of the vocabulary of 30522";
    CHECK(message_of<ArgumentError>([&] { minilm().decode(std::vector<TokenId>{id}); }) == message);
    CHECK(message_of<ArgumentError>([&] { minilm().id_to_token(id); }) == message);
    CHECK(message_of<ArgumentError>([&] { minilm().is_special(id); }) == message);
    CHECK(message_of<ArgumentError>([&] { StreamingDecoder(minilm()).push(id); }) == message);
  }
}

TEST_CASE("tokenizer: clean-up closes gaps when it is asked for") {
  auto const ids = byte_bpe().encode("it 's here , or is n't it ?").ids;
  CHECK(byte_bpe().decode(ids) == "it 's here , or is n't it ?");
  CHECK(byte_bpe().decode(ids, {.clean_up_tokenization_spaces = CleanUp::yes}) == "it's here, or isn't it?");
  CHECK_THROWS_AS(StreamingDecoder(byte_bpe(), {.clean_up_tokenization_spaces = CleanUp::yes}), ArgumentError);
}

TEST_CASE("tokenizer: a hundred kilobytes of anything take milliseconds a kilobyte at most") {
  // Generous bounds, so that a slow machine with sanitizers passes; what they catch is quadratic work, which would take minutes.
  std::string nothing_but_marks;
  for (int i = 0; i < 50'000; ++i) nothing_but_marks += i % 2 ? "\u0301" : "\u0316";
  std::string half_tokens;
  for (int i = 0; i < 10'000; ++i) half_tokens += "[MASK";
  std::string faces;
  for (int i = 0; i < 25'000; ++i) faces += "\U0001F600";
  for (std::string const& text : {faces, std::string(100'000, 'a'), std::string(100'000, ' '), std::string(100'000, '\0'),
                                  std::string(100'000, '\xFF'), std::string(100'000, '!'), nothing_but_marks, half_tokens}) {
    for (Tokenizer const* const tokenizer : {&minilm(), &byte_bpe(), &character_bpe()}) {
      auto const begin = std::chrono::steady_clock::now();
      Encoding const encoding = tokenizer->encode(text);
      CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
      CHECK(encoding.offsets.size() == encoding.ids.size());
      if (tokenizer != &minilm()) CHECK(tokenizer->decode(encoding.ids, {.skip_special_tokens = true}) == replace_invalid_utf8(text));
    }
  }
}

TEST_CASE("tokenizer: long pieces are merged as short ones are") {
  // Around the length at which merging changes its way of finding the next pair.
  std::string const period = "the tokenizers the ";
  auto parts = [&](bool by_words) {
    TokenizerParts p = detail::parts_from_tokenizer_json(read_json(fixtures / "byte_bpe/tokenizer.json"), "t");
    std::get<ByteBpeOptions>(p.model).use_regex = by_words;
    return p;
  };
  Tokenizer const whole(parts(false));
  for (std::size_t length = 1; length < 80; ++length) {
    std::string text;
    while (text.size() < length) text += period[text.size() % period.size()];
    auto const ids = whole.encode(text).ids;
    // The same by the rule as it is written: the pair of lowest rank, the leftmost first.
    auto const description = read_json(fixtures / "byte_bpe/tokenizer.json");
    static auto const ranks = [&] {
      std::map<std::pair<std::string, std::string>, std::size_t> result;
      for (Json const& merge : description["model"]["merges"]) result.emplace(std::pair(merge[0], merge[1]), result.size());
      return result;
    }();
    std::vector<std::string> symbols;
    for (char const c : text) append_utf8(symbols.emplace_back(), detail::byte_characters[static_cast<unsigned char>(c)]);
    while (true) {
      std::size_t best = symbols.size(), lowest = ranks.size();
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i)
        if (auto const found = ranks.find({symbols[i], symbols[i + 1]}); found != ranks.end() && found->second < lowest)
          best = i, lowest = found->second;
      if (best == symbols.size()) break;
      symbols[best] += symbols[best + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    std::vector<std::string> tokens;
    for (TokenId const id : ids) tokens.push_back(whole.id_to_token(id));
    CHECK(tokens == symbols);
  }
}

TEST_CASE("tokenizer: in plain parts added tokens are text") {
  auto const& tokenizer = byte_bpe();
  std::string const end = "<|endoftext|>", text = "a" + end + " b " + end + "c";
  auto const whole = tokenizer.encode(text).ids;
  auto const id = tokenizer.token_to_id(end).value();
  CHECK(std::ranges::count(whole, id) == 2);
  // The first of the two, by itself or with what stands round it; a part that only touches it does not matter.
  for (Offset const part : {Offset{1, 14}, Offset{0, 16}, Offset{5, 6}, Offset{0, 2}, Offset{13, 14}}) {
    CAPTURE(part.begin);
    std::vector<Offset> const parts{part};
    auto const ids = tokenizer.encode(text, {.plain_parts = parts}).ids;
    CHECK(std::ranges::count(ids, id) == 1);
    CHECK(tokenizer.decode(ids) == text);
  }
  for (Offset const part : {Offset{0, 1}, Offset{14, 17}, Offset{30, 31}, Offset{14, 14}}) {
    std::vector<Offset> const parts{part};
    CHECK(tokenizer.encode(text, {.plain_parts = parts}).ids == whole);
  }
  std::vector<Offset> const both{{1, 14}, {17, 30}};
  CHECK(std::ranges::count(tokenizer.encode(text, {.plain_parts = both}).ids, id) == 0);
  // As if the tokenizer had no added tokens.
  TokenizerParts parts = detail::parts_from_tokenizer_json(read_json(fixtures / "byte_bpe/tokenizer.json"), "byte_bpe");
  parts.added_tokens.clear();
  std::vector<Offset> const all{{0, static_cast<std::uint32_t>(text.size())}};
  CHECK(tokenizer.encode(text, {.plain_parts = all}).ids == Tokenizer(std::move(parts)).encode(text).ids);
}

TEST_CASE("tokenizer: byte-level text that goes on has no space put before it, by the model itself and step by step") {
  for (bool const by_steps : {false, true}) {
    TokenizerParts parts = detail::parts_from_tokenizer_json(read_json(fixtures / "byte_bpe/tokenizer.json"), "t");
    std::get<ByteBpeOptions>(parts.model).add_prefix_space = true;
    if (by_steps) parts.normalizer = {{NormalizerStep::Kind::nfc}};
    Tokenizer const spaced(std::move(parts));
    std::string const end = "<|endoftext|>";
    for (std::string const& text : std::vector<std::string>{"the", " the", "the" + end + "of", end + "of", ""}) {
      CAPTURE(text);
      std::string const behind = text.starts_with("the" + end) ? "the" + end + " of" : text == end + "of" ? end + " of" : text;
      CHECK(spaced.encode(text, {.before = TextBefore::text}).ids == byte_bpe().encode(behind).ids);
      CHECK(spaced.encode(text, {.before = TextBefore::added_token}).ids == spaced.encode(text).ids);
    }
  }
}
