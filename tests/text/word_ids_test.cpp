// The word that each token is a part of: what the pinned tokenizers crate says of the same texts.
#include <axiform/text/tokenizer.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

// -1 for tokens without a word.
std::vector<int> words_of(Tokenizer const& tokenizer, Encoding const& encoding) {
  std::vector<int> result;
  for (auto const& word : tokenizer.word_ids(encoding)) result.push_back(word ? static_cast<int>(*word) : -1);
  return result;
}

}  // namespace

TEST_CASE("word ids: WordPiece has one for each word and each punctuation mark, and none for special tokens") {
  CHECK(words_of(minilm(), minilm().encode("unaffable [MASK]s, 東京 don't")) == std::vector<int>{-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, -1});
  CHECK(words_of(minilm(), minilm().encode_pair("a b", "unaffable")) == std::vector<int>{-1, 0, 1, -1, 2, 2, 2, -1});
  CHECK(words_of(minilm(), minilm().encode("")) == std::vector<int>{-1, -1});
  CHECK(minilm().marks_continuations());
}

TEST_CASE("word ids: byte-level BPE has one for each match of its expression, whatever the merges made of it") {
  CHECK(words_of(byte_bpe(), byte_bpe().encode("zq  zq\n\n<|endoftext|>zq'll42")) ==
        std::vector<int>{0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7, 7});
  CHECK_FALSE(byte_bpe().marks_continuations());
}

TEST_CASE("word ids: a cut encoding, invalid UTF-8 and absurd ids give words or an error") {
  auto const whole = byte_bpe().encode("👍🏽 \xF0\x9F");
  for (std::size_t first = 0; first < whole.size(); ++first) {
    Encoding part;
    part.ids.assign(whole.ids.begin() + static_cast<std::ptrdiff_t>(first), whole.ids.end());
    CHECK(words_of(byte_bpe(), part).size() == part.ids.size());
  }
  Encoding absurd;
  for (TokenId const id : {-1, 1 << 30}) {
    absurd.ids = {id};
    CHECK_THROWS_AS(byte_bpe().word_ids(absurd), ArgumentError);
    CHECK_THROWS_AS(minilm().word_ids(absurd), ArgumentError);
  }
}
