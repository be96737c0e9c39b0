// Ids, offsets, tokens and decoded text against what the pinned crate gave: tests/fixtures/text/make_fixtures.py.
#include <doctest/doctest.h>

#include <axiform/core/thread_pool.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/tokenizer_json.hpp>
#include <axiform/text/utf8.hpp>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

void check_recorded(Tokenizer const& tokenizer, std::string const& fixture) {
  auto const cases = json_lines(fixture);
  auto const& texts = recorded_texts();
  REQUIRE(cases.size() == texts.size());
  REQUIRE(cases.size() >= 1000);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(texts[i]);
    Encoding const encoding = tokenizer.encode(texts[i]);
    CHECK(encoding.ids == cases[i]["ids"].get<std::vector<TokenId>>());
    CHECK(flat(encoding.offsets) == cases[i]["offsets"].get<std::vector<std::uint32_t>>());
    CHECK(crc32(rest_of(tokenizer, encoding)) == cases[i]["rest"].get<std::uint32_t>());
    for (std::size_t k = 0; k < encoding.size(); ++k) {
      auto const [begin, end] = encoding.byte_offsets[k];
      CHECK(texts[i].substr(begin, end - begin) == code_points(texts[i], encoding.offsets[k].begin, encoding.offsets[k].end));
    }
  }
}

/// The case `i` as `variant_case` of make_fixtures.py has it.
std::string variant_case(Tokenizer const& tokenizer, std::size_t i) {
  auto const& texts = recorded_texts();
  EncodeOptions options;
  options.add_special_tokens = i % 5 != 0;
  if (i % 4 == 2) {
    options.max_length = 4 + i % 9;
    options.truncation = std::array{Truncation::longest_first, Truncation::only_first, Truncation::only_second}[i / 4 % 3];
    options.truncation_side = std::array{TruncationSide::right, TruncationSide::left}[i / 12 % 2];
  }
  try {
    auto const encoding =
        i % 3 == 1 ? tokenizer.encode_pair(texts[i], texts[(7 * i + 3) % texts.size()], options) : tokenizer.encode(texts[i], options);
    return all_of(tokenizer, encoding);
  } catch (ArgumentError const&) {
    return "error";
  }
}

/// Ids, offsets, tokens, words and text of `texts` by the tokenizers of a fixture, as `piece_case` of make_fixtures.py has them.
void check_pieces(std::vector<std::string> const& texts, std::vector<Json> const& variants) {
  for (Json const& variant : variants) {
    CAPTURE(variant["name"].get<std::string>());
    Tokenizer const tokenizer = variant_of(variant);
    auto const sums = variant["cases"].get<std::vector<std::uint32_t>>();
    REQUIRE(sums.size() == texts.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      CAPTURE(texts[i]);
      EncodeOptions const options{.add_special_tokens = i % 2 == 0};
      bool const is_pair = i % 8 == 1;
      Encoding const encoding =
          is_pair ? tokenizer.encode_pair(texts[i], texts[(7 * i + 3) % texts.size()], options) : tokenizer.encode(texts[i], options);
      std::string words;
      bool is_first = true;
      for (auto const& word : tokenizer.word_ids(encoding)) {
        (is_first ? words : words += ',') += word ? std::to_string(*word) : "";
        is_first = false;
      }
      CHECK(crc32(all_of(tokenizer, encoding) + '\x1e' + words) == sums[i]);
      if (is_pair) continue;
      for (std::size_t k = 0; k < encoding.size(); ++k) {
        auto const [begin, end] = encoding.byte_offsets[k];
        CHECK(texts[i].substr(begin, end - begin) == code_points(texts[i], encoding.offsets[k].begin, encoding.offsets[k].end));
      }
      StreamingDecoder decoder(tokenizer);
      std::string streamed;
      for (TokenId const id : encoding.ids) streamed += decoder.push(id);
      CHECK(streamed + decoder.finish() == tokenizer.decode(encoding.ids, {.clean_up_tokenization_spaces = CleanUp::no}));
    }
  }
}

}  // namespace

TEST_CASE("recorded: MiniLM's tokenizer gives the pinned crate's ids, offsets, tokens and text") {
  check_recorded(minilm(), "minilm.jsonl");
}

TEST_CASE("recorded: byte-level BPE gives the pinned crate's ids, offsets, tokens and text") {
  check_recorded(byte_bpe(), "byte_bpe.jsonl");
}

TEST_CASE("recorded: every setting that is supported does what it does in the pinned crate, for texts, pairs and truncation") {
  auto const variants = json_lines("variants.jsonl");
  CHECK(variants.size() >= 20);
  for (Json const& variant : variants) {
    CAPTURE(variant["name"].get<std::string>());
    Tokenizer const tokenizer = variant_of(variant);
    auto const sums = variant["cases"].get<std::vector<std::uint32_t>>();
    for (std::size_t i = 0; i < sums.size(); ++i) {
      CAPTURE(i);
      CHECK(crc32(variant_case(tokenizer, i)) == sums[i]);
    }
  }
}

TEST_CASE(
    "recorded: every normalizer and pre-tokenizer gives the pinned crate's ids, offsets, words and text, by itself and in sequences") {
  std::vector<std::string> texts;
  for (Json const& text : json_lines("piece_texts.jsonl")) texts.push_back(text.get<std::string>());
  auto const variants = json_lines("pieces.jsonl");
  CHECK(variants.size() >= 70);
  check_pieces(texts, variants);
}

TEST_CASE("recorded: BPE over characters gives the pinned crate's ids, offsets, words and text, in Llama's, Mistral's and Gemma's forms") {
  auto const variants = json_lines("character_bpe.jsonl");
  CHECK(variants.size() >= 20);
  check_pieces(recorded_texts(), variants);
}

TEST_CASE("recorded: tokens of characters and of bytes decode in any order as in the pinned crate, piece by piece and behind others") {
  auto const cases = json_lines("character_decodes.jsonl");
  CHECK(cases.size() >= 400);
  Json description = read_json(fixtures / "character_bpe/tokenizer.json");
  description["decoder"]["decoders"][3]["start"] = 0;
  Tokenizer const plain(detail::parts_from_tokenizer_json(description, "plain"));
  DecodeOptions const skip{.skip_special_tokens = true};
  std::vector<TokenId> const line_end{character_bpe().token_to_id("<0x0A>").value(), character_bpe().token_to_id("a").value()};
  for (Json const& one : cases) {
    auto const ids = one["ids"].get<std::vector<TokenId>>();
    auto const text = one["text"].get<std::string>();
    CAPTURE(text);
    CHECK(character_bpe().decode(ids) == text);
    CHECK(character_bpe().decode(ids, skip) == one["skipped"].get<std::string>());
    CHECK(plain.decode(ids) == one["plain"].get<std::string>());
    CHECK(character_bpe().decode_after(line_end, ids) == one["plain"].get<std::string>());
    CHECK(character_bpe().decode_after({}, ids) == text);
    for (bool const skips : {false, true}) {
      StreamingDecoder decoder(character_bpe(), {.skip_special_tokens = skips});
      StreamingDecoder later = decoder;
      later.start_after(line_end);
      std::string streamed, behind;
      for (TokenId const id : ids) {
        std::string const piece = decoder.push(id);
        CHECK(is_valid_utf8(piece));
        streamed += piece;
        behind += later.push(id);
      }
      CHECK(streamed + decoder.finish() == character_bpe().decode(ids, {.skip_special_tokens = skips}));
      CHECK(behind + later.finish() == character_bpe().decode_after(line_end, ids, {.skip_special_tokens = skips}));
    }
  }
}

TEST_CASE("recorded: text that goes on has the tokens that it has within the whole text") {
  for (Json const& variant : json_lines("character_bpe.jsonl")) {
    auto const name = variant["name"].get<std::string>();
    CAPTURE(name);
    if (name.find("stripped") != name.npos || name.find("missing") != name.npos || name.find("no ") == 0) continue;
    if (name == "special tokens found in the normalised text" || name == "Metaspace behind other pieces") continue;
    Tokenizer const tokenizer = variant_of(variant);
    auto const ids_of = [&](std::string const& text, TextBefore before) {
      return tokenizer.encode(text, {.add_special_tokens = false, .before = before}).ids;
    };
    for (std::string const& text : recorded_texts()) {
      CAPTURE(text);
      // Bytes are merged with nothing, and what follows an added token is a piece of its own.
      for (auto const& [first, before] :
           {std::pair<std::string, TextBefore>{"x\U0001F600", TextBefore::text}, {"x</s>", TextBefore::added_token}}) {
        auto whole = ids_of(first, TextBefore::nothing);
        auto const rest = ids_of(text, before);
        whole.insert(whole.end(), rest.begin(), rest.end());
        CHECK(ids_of(first + text, TextBefore::nothing) == whole);
      }
    }
  }
}

TEST_CASE("recorded: vocab.txt gives what tokenizer.json gives, and vocab.json with merges.txt too") {
  auto const from_text = Tokenizer::from_vocab_txt(minilm_directory / "vocab.txt");
  auto const from_merges = Tokenizer::from_vocab_and_merges(fixtures / "byte_bpe/vocab.json", fixtures / "byte_bpe/merges.txt");
  auto const same = [](Tokenizer const& a, Tokenizer const& b, std::string const& text) {
    return all_of(a, a.encode(text)) == all_of(b, b.encode(text));
  };
  for (std::string const& text : recorded_texts()) {
    CAPTURE(text);
    CHECK(same(from_text, minilm(), text));
    CHECK(same(from_merges, byte_bpe(), text));
  }
}

TEST_CASE("recorded: a batch gives what its texts give one by one, on any number of threads") {
  for (Tokenizer const* const tokenizer : {&minilm(), &byte_bpe(), &character_bpe()}) {
    ThreadPool pool(3);
    auto const batch = tokenizer->encode_batch(recorded_texts(), {.max_length = 40}, pool);
    auto const serial = tokenizer->encode_batch(recorded_texts(), {.max_length = 40});
    REQUIRE(batch.size() == recorded_texts().size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      auto const one = tokenizer->encode(recorded_texts()[i], {.max_length = 40});
      CHECK(all_of(*tokenizer, batch[i]) == all_of(*tokenizer, one));
      CHECK(all_of(*tokenizer, serial[i]) == all_of(*tokenizer, one));
    }
  }
}

TEST_CASE("recorded: streaming gives whole characters, and together what decoding gives") {
  for (Tokenizer const* const tokenizer : {&minilm(), &byte_bpe(), &character_bpe()}) {
    for (bool const skips : {false, true}) {
      DecodeOptions const options{.skip_special_tokens = skips};
      StreamingDecoder decoder(*tokenizer, options);
      for (std::string const& text : recorded_texts()) {
        CAPTURE(text);
        auto const ids = tokenizer->encode(text).ids;
        std::string streamed;
        for (TokenId const id : ids) {
          std::string const part = decoder.push(id);
          CHECK(is_valid_utf8(part));
          streamed += part;
        }
        streamed += decoder.finish();
        CHECK(streamed == tokenizer->decode(ids, options));
      }
    }
  }
}

TEST_CASE("recorded: byte-level ids in any order decode, also where their bytes are no character, and streaming agrees") {
  std::uint32_t state = 7;
  for (int round = 0; round < 300; ++round) {
    std::vector<TokenId> ids;
    for (int i = 0; i < 12; ++i) {
      state = state * 1664525u + 1013904223u;
      ids.push_back(static_cast<TokenId>((state >> 8) % (round % 2 == 0 ? 256 : byte_bpe().vocabulary_size())));
    }
    StreamingDecoder decoder(byte_bpe());
    std::string streamed;
    for (TokenId const id : ids) streamed += decoder.push(id);
    streamed += decoder.finish();
    CHECK(is_valid_utf8(streamed));
    CHECK(streamed == byte_bpe().decode(ids));
  }
}
