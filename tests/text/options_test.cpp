// Windows, padding, words and offsets in UTF-16 against what the pinned crate gave: tests/fixtures/text/make_options.py.
#include <axiform/core/thread_pool.hpp>
#include <axiform/text/padding.hpp>
#include <axiform/text/tokenizer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

constexpr std::size_t option_cases = 360, option_group = 20;

/// Three texts in one, as `of_case` of make_options.py has them.
std::string option_text(std::size_t i) {
  auto const& texts = recorded_texts();
  return texts[i] + ' ' + texts[(i + 200) % texts.size()] + ' ' + texts[(i + 500) % texts.size()];
}
std::string const& second_text(std::size_t i) { return recorded_texts()[(7 * i + 3) % recorded_texts().size()]; }

std::string joined(std::vector<std::string> const& parts, char between) {
  std::string result;
  bool is_first = true;
  for (std::string const& part : parts) {
    if (!is_first) result += between;
    is_first = false;
    result += part;
  }
  return result;
}

/// Whether `one(tokenizer, i)` is what the fixture has, for its cases of this kind and each of its tokenizers.
void check_options(std::string const& kind, std::function<std::string(Tokenizer const&, std::size_t)> const& one) {
  auto const tokenizers = json_lines("options.jsonl");
  REQUIRE(tokenizers.size() == 5);
  for (Json const& line : tokenizers) {
    CAPTURE(line["name"].get<std::string>());
    Tokenizer const tokenizer = variant_of(line);
    auto const sums = line[kind].get<std::vector<std::uint32_t>>();
    REQUIRE(sums.size() == option_cases / option_group);
    for (std::size_t group = 0; group < sums.size(); ++group) {
      CAPTURE(group);
      std::vector<std::string> cases;
      for (std::size_t i = group * option_group; i < (group + 1) * option_group; ++i) cases.push_back(one(tokenizer, i));
      CHECK(crc32(joined(cases, '\x1c')) == sums[group]);
    }
  }
}

std::string padded_of(PaddedBatch<> const& batch) {
  return numbers(batch.ids) + '\x1d' + numbers(batch.type_ids) + '\x1d' + numbers(batch.attention_mask);
}

}  // namespace

TEST_CASE("options: windows are the pinned crate's overflowing parts, of texts and of pairs, from either end") {
  check_options("windows", [](Tokenizer const& tokenizer, std::size_t i) -> std::string {
    bool const is_pair = i % 3 == 1;
    EncodeOptions const options{.add_special_tokens = is_pair || i % 5 != 0,
                                .max_length = 12 + i % 9,
                                .truncation = !is_pair         ? Truncation::longest_first
                                              : i / 3 % 2 == 0 ? Truncation::only_first
                                                               : Truncation::only_second,
                                .truncation_side = i / 12 % 2 == 0 ? TruncationSide::right : TruncationSide::left,
                                .stride = i % 4};
    try {
      auto const windows = is_pair ? tokenizer.encode_pair_windows(option_text(i), second_text(i), options)
                                   : tokenizer.encode_windows(option_text(i), options);
      std::vector<std::string> parts;
      for (Encoding const& window : windows) parts.push_back(all_of(tokenizer, window));
      return joined(parts, '\x1d');
    } catch (ArgumentError const&) {
      return "error";
    }
  });
}

TEST_CASE("options: the first window is what encode gives, and with no need for more it is the only one") {
  for (Tokenizer const* const tokenizer : {&minilm(), &byte_bpe(), &character_bpe()}) {
    for (std::size_t i = 0; i < 100; ++i) {
      EncodeOptions const options{.max_length = 8 + i % 30, .stride = i % 5};
      auto const windows = tokenizer->encode_windows(option_text(i), options);
      REQUIRE_FALSE(windows.empty());
      auto const one = tokenizer->encode(option_text(i), options);
      CHECK(all_of(*tokenizer, windows.front()) == all_of(*tokenizer, one));
      CHECK(windows.front().byte_offsets == one.byte_offsets);
      CHECK((windows.size() == 1) == (tokenizer->encode(option_text(i)).size() <= options.max_length));
    }
  }
}

TEST_CASE("options: a stride that leaves no step, and a pair that is cut on both sides, are an ArgumentError that says why") {
  CHECK(message_of<ArgumentError>([] { minilm().encode_windows("a b c d e", {.max_length = 5, .stride = 3}); }) ==
        "stride: found 3, expected fewer than the 3 tokens of the text that a window has room for");
  CHECK(message_of<ArgumentError>([] { minilm().encode_windows("a b c d e", {.max_length = 2}); }) ==
        "stride: found 0, expected fewer than the 0 tokens of the text that a window has room for");
  CHECK(
      message_of<ArgumentError>([] { minilm().encode_pair_windows("a b c d e", "f g h i j", {.max_length = 9}); }) ==
      "max_length: found 9, and both texts would be cut; expected Truncation::only_first or only_second, to say which goes on in windows");
  CHECK(message_of<ArgumentError>([] { minilm().encode_windows("a", {.max_length = 1}); }) ==
        "max_length: found 1, and the special tokens alone are 2");
}

TEST_CASE("options: padding gives the pinned crate's rows: to the longest or a length, to multiples, on either side") {
  check_options("padding", [](Tokenizer const& tokenizer, std::size_t i) {
    auto const& texts = recorded_texts();
    std::vector<std::string> batch;
    for (std::size_t k = 0; k < 1 + i % 4; ++k) {
      std::string const& text = texts[(i + 37 * k) % texts.size()];
      batch.emplace_back(code_points(text, 0, 40));
    }
    PaddingOptions const options{.length = i % 3 == 2 ? 200 + i : 0,
                                 .multiple_of = std::array<std::size_t, 3>{1, 8, 5}[i / 2 % 3],
                                 .side = i % 2 == 0 ? PaddingSide::right : PaddingSide::left,
                                 .id = static_cast<TokenId>(i % 7),
                                 .type_id = static_cast<TokenId>(i % 5)};
    auto const padded = tokenizer.pad(tokenizer.encode_batch(batch), options);
    CHECK(padded.rows == batch.size());
    CHECK(padded.ids.size() == padded.rows * padded.length);
    return padded_of(padded);
  });
}

TEST_CASE("options: what padding leaves open, the tokenizer's files say, and an error says where they say nothing") {
  auto const encodings = minilm().encode_batch({"a man", "food"});
  auto const padded = minilm().pad<std::int32_t>(encodings);
  CHECK(padded.ids == std::vector<std::int32_t>{101, 1037, 2158, 102, 101, 2833, 102, 0});
  CHECK(padded.type_ids == std::vector<std::int32_t>(8, 0));
  CHECK(padded.attention_mask == std::vector<std::int32_t>{1, 1, 1, 1, 1, 1, 1, 0});
  CHECK(minilm().pad({}).ids.empty());
  CHECK(minilm().pad({}).length == 0);

  CHECK(minilm().configured_options().max_length == 128);
  CHECK(minilm().configured_padding().length == 128);
  CHECK(minilm().pad(encodings, minilm().configured_padding()).length == 128);
  CHECK(byte_bpe().configured_options().max_length == EncodeOptions{}.max_length);
  CHECK_FALSE(byte_bpe().configured_padding().id.has_value());

  auto const message = [](Tokenizer const& tokenizer, PaddingOptions const& options) {
    return message_of<ArgumentError>([&] { tokenizer.pad(tokenizer.encode_batch({"a", "a man"}), options); });
  };
  CHECK(message(byte_bpe(), {}) == "padding: the tokenizer has no padding token; expected PaddingOptions::id, the id to pad with");
  CHECK(message(byte_bpe(), {.id = 3}) == "no exception");
  CHECK(message(minilm(), {.length = 3}) ==
        "padding: encoding 1 has 4 tokens, expected at most the length of 3; EncodeOptions::max_length truncates");
  CHECK(message(minilm(), {.multiple_of = 0}) == "multiple_of: found 0, expected 1 to 4294967295");
  CHECK(contains(message(minilm(), {.length = ~std::size_t{0}}), "length: found 18446744073709551615"));
}

TEST_CASE(
    "options: truncation and padding of tokenizer.json are read, sides of tokenizer_config.json prevail, and what is unknown is refused") {
  TemporaryDirectory const directory;
  Json description = read_json(fixtures / "byte_bpe/tokenizer.json");
  description["truncation"] = parse_json(R"({"direction":"Left","max_length":7,"strategy":"OnlySecond","stride":2})", "truncation");
  description["padding"] = parse_json(
      R"({"strategy":"BatchLongest","direction":"Left","pad_to_multiple_of":4,"pad_id":5,"pad_type_id":1,"pad_token":"x"})", "padding");
  auto const write = [&](Json const& json, std::string const& config) {
    write_bytes(directory / "tokenizer.json", dump_json(json));
    write_bytes(directory / "tokenizer_config.json", config);
    return Tokenizer::from_directory(directory.path());
  };
  for (bool const configures : {false, true}) {
    Tokenizer const tokenizer = write(description, configures ? R"({"padding_side":"right","truncation_side":"right"})" : "{}");
    auto const& options = tokenizer.configured_options();
    CHECK(options.max_length == 7);
    CHECK(options.stride == 2);
    CHECK(options.truncation == Truncation::only_second);
    CHECK(options.truncation_side == (configures ? TruncationSide::right : TruncationSide::left));
    auto const& padding = tokenizer.configured_padding();
    CHECK(padding.length == 0);
    CHECK(padding.multiple_of == 4);
    CHECK(padding.side == (configures ? PaddingSide::right : PaddingSide::left));
    CHECK(padding.id == 5);
    CHECK(padding.type_id == 1);
    CHECK(tokenizer.notes().empty());
    // What is left open is the files'; what the caller says is the caller's.
    auto const encodings = tokenizer.encode_batch({"a"});
    REQUIRE(encodings[0].ids.size() == 1);
    std::int64_t const id = encodings[0].ids[0];
    auto const files = tokenizer.pad(encodings, {.length = 2});
    CHECK(files.ids == (configures ? std::vector<std::int64_t>{id, 5} : std::vector<std::int64_t>{5, id}));
    CHECK(tokenizer.pad(encodings, {.length = 2, .side = PaddingSide::right, .id = 9}).ids == std::vector<std::int64_t>{id, 9});
    CHECK(tokenizer.pad(encodings, padding).length == 4);
  }
  auto const refused = [&](char const* where, char const* key, Json const& value) {
    Json json = description;
    json[where][key] = value;
    return message_of<Error>([&] { write(json, "{}"); });
  };
  CHECK(contains(refused("truncation", "strategy", "Middle"), "tokenizer.json: truncation: the setting \"strategy\""));
  CHECK(contains(refused("truncation", "direction", "Up"), "tokenizer.json: truncation: the setting \"direction\""));
  CHECK(contains(refused("truncation", "max_length", -1), "tokenizer.json: truncation: max_length"));
  CHECK(contains(refused("truncation", "new", 1), "tokenizer.json: truncation: the setting \"new\""));
  CHECK(contains(refused("padding", "strategy", "Longest"), "tokenizer.json: padding: the setting \"strategy\""));
  CHECK(contains(refused("padding", "pad_id", 1000000), "special token id 1000000 is outside of the vocabulary"));
  CHECK(contains(message_of<Error>([&] { write(description, R"({"padding_side":"top"})"); }),
                 "tokenizer_config.json: the setting \"padding_side\""));
}

TEST_CASE("options: texts that are split into words have the pinned crate's ids, offsets in the word, and words") {
  check_options("words", [](Tokenizer const& tokenizer, std::size_t i) {
    std::string const text = option_text(i);
    std::vector<std::string> words(1);
    for (char const c : text) {
      if (c == ' ')
        words.emplace_back();
      else
        words.back() += c;
    }
    EncodeOptions options{.add_special_tokens = i % 2 == 0};
    if (i % 4 == 3) {
      options.max_length = 9;
      options.truncation_side = i / 4 % 2 == 0 ? TruncationSide::right : TruncationSide::left;
    }
    Encoding const encoding = tokenizer.encode_words(words, options);
    std::vector<std::string> places;
    for (auto const& word : tokenizer.word_ids(encoding)) places.push_back(word ? std::to_string(*word) : "");
    return all_of(tokenizer, encoding) + '\x1e' + joined(places, ',');
  });
}

TEST_CASE("options: offsets in UTF-16 are what Python counts in its utf-16 of the text before them") {
  check_options("utf16", [](Tokenizer const& tokenizer, std::size_t i) {
    EncodeOptions const options{.offset_unit = OffsetUnit::utf16};
    return numbers(flat(
        (i % 3 == 1 ? tokenizer.encode_pair(option_text(i), second_text(i), options) : tokenizer.encode(option_text(i), options)).offsets));
  });
}

TEST_CASE("options: the unit of offsets changes nothing else, and bytes that are no text count one") {
  std::string const text = "a \xF0\x9F\x98\x80\xFF b\xF0\x9F\x98";
  for (Tokenizer const* const tokenizer : {&minilm(), &byte_bpe(), &character_bpe()}) {
    Encoding const points = tokenizer->encode(text), units = tokenizer->encode(text, {.offset_unit = OffsetUnit::utf16});
    CHECK(points.ids == units.ids);
    CHECK(points.byte_offsets == units.byte_offsets);
    REQUIRE(points.offsets.size() == units.offsets.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
      auto const unit = [](std::uint32_t place) { return place > 2 ? place + 1 : place; };  // the face is the third character
      CHECK(units.offsets[i] == Offset{unit(points.offsets[i].begin), unit(points.offsets[i].end)});
    }
  }
}

TEST_CASE("options: a batch of pairs gives what the pairs give one by one, on any number of threads") {
  std::vector<std::string> firsts, seconds;
  for (std::size_t i = 0; i < 100; ++i) firsts.push_back(option_text(i)), seconds.push_back(second_text(i));
  EncodeOptions const options{.max_length = 40};
  for (std::size_t const threads : {std::size_t{1}, std::size_t{3}}) {
    ThreadPool pool(threads);
    auto const batch = minilm().encode_pair_batch(firsts, seconds, options, pool);
    REQUIRE(batch.size() == firsts.size());
    for (std::size_t i = 0; i < batch.size(); ++i)
      CHECK(all_of(minilm(), batch[i]) == all_of(minilm(), minilm().encode_pair(firsts[i], seconds[i], options)));
  }
  seconds.pop_back();
  CHECK(message_of<ArgumentError>([&] { minilm().encode_pair_batch(firsts, seconds); }) ==
        "encode_pair_batch: found 100 first texts and 99 second ones, expected as many");
}
