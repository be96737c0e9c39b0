// Where texts are cut into passages.
#include <doctest/doctest.h>
#include <axiform/search/passages.hpp>

#include <string>
#include <string_view>
#include <vector>

#include <axiform/text/tokenizer_files.hpp>

#include "support/files.hpp"

using namespace axiform;

namespace {

Tokenizer tokenizer_knowing(std::string_view pieces) {
  test::TemporaryDirectory directory;
  test::write_bytes(directory / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + std::string(pieces));
  test::write_bytes(directory / "config.json", "{\"model_type\": \"bert\"}");
  return Tokenizer::from_directory(directory.path());
}

// It knows no word: each is one token, and so is every mark of punctuation.
Tokenizer const& tokenizer_of_words() {
  static Tokenizer const tokenizer = tokenizer_knowing("");
  return tokenizer;
}

std::vector<std::string> passages_of(std::string_view text, std::size_t length, PassageSplit split = PassageSplit::paragraphs,
                                     std::size_t overlap = 1) {
  std::vector<std::string> result;
  for (auto const& [begin, end, line] : cut_passages(text, tokenizer_of_words(), "", 100, {split, {.length = length, .overlap = overlap}}))
    result.push_back(std::to_string(line) + ":" + std::string(text.substr(begin, end - begin)));
  return result;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("passages: short paragraphs stay together while they fit, and a heading begins a passage") {
  std::string const text =
      "\xEF\xBB\xBF\n\none two\r\nthree\r\n\r\n \t\nfour\n# no heading here\n\n\n# A heading\n\nfive\n\n#no heading\n\u00a0\u3000\nsix";
  // A passage of 100 tokens has two special ones; what stands between paragraphs counts as a token.
  CHECK(passages_of(text, 100) ==
        Strings{"3:one two\r\nthree\r\n\r\n \t\nfour\n# no heading here", "11:# A heading\n\nfive\n\n#no heading\n\u00a0\u3000\nsix"});
  CHECK(passages_of("one two\n\nthree\n\nfour", 2 + 4) == Strings{"1:one two\n\nthree", "5:four"});
  CHECK(passages_of("one two\n\nthree\n\nfour", 2 + 3) == Strings{"1:one two", "3:three\n\nfour"});
  CHECK(passages_of("one two\n\nthree\n\nfour", 2 + 2) == Strings{"1:one two", "3:three", "5:four"});
}

TEST_CASE("passages: what is longer than a passage is cut between tokens, with an overlap, and nothing is joined to it") {
  CHECK(passages_of("a\n\none two three\nfour five\n\nb", 2 + 3) == Strings{"1:a", "3:one two three", "3:three\nfour five", "6:b"});
  CHECK(passages_of("one two three\nfour five", 2 + 3, PassageSplit::paragraphs, 0) == Strings{"1:one two three", "2:four five"});
  std::string long_text;
  for (int i = 0; i < 1000; ++i) long_text += "word" + std::string(i % 10 == 9 ? "\n" : " ");
  auto const found = cut_passages(long_text, tokenizer_of_words(), "", 100, {.chunks = {.overlap = 8}});
  CHECK(found.size() == 12);
  CHECK(found.front() == TextPassage{0, 98 * 5 - 1, 1});
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].line == found[i].begin / 50 + 1);
    if (i > 0) CHECK(found[i - 1].end - found[i].begin == 8 * 5 - 1);
  }
  CHECK(found.back().end == long_text.size() - 1);
}

TEST_CASE("passages: a part does not begin or end within a word that the next, or the one before, has whole") {
  auto const tokenizer = tokenizer_knowing("a\n##a\n");  // a letter is a token
  auto const parts = [&](std::string_view text, std::size_t overlap) {
    std::vector<std::string> result;
    for (auto const& [begin, end, line] : cut_passages(text, tokenizer, "", 100, {.chunks = {.length = 2 + 6, .overlap = overlap}}))
      result.push_back(std::to_string(line) + ":" + std::string(text.substr(begin, end - begin)));
    return result;
  };
  CHECK(parts("aaaa aaaa\naaaa", 3) == Strings{"1:aaaa", "1:aaaa", "2:aaaa"});
  CHECK(parts("aa aa aa aa aa", 2) == Strings{"1:aa aa aa", "1:aa aa aa"});
  CHECK(parts("aaaaaaaaaa", 3) == Strings{"1:aaaaaa", "1:aaaaaa", "1:aaaa"});
  for (std::string const text : {"aaaa aaa\naaaaaaaaaa aa a a", "a aaaaaaaa aaaaaaa", "aaa aaa aaa aaaaaaaaa"})
    for (std::size_t overlap = 0; overlap < 6; ++overlap) {
      std::string seen(text.size(), ' ');
      std::size_t last = 0;
      for (auto const& [begin, end, line] : cut_passages(text, tokenizer, "", 100, {.chunks = {.length = 2 + 6, .overlap = overlap}})) {
        CHECK((begin < end && begin >= last));
        last = begin;
        for (std::size_t i = begin; i < end; ++i) seen[i] = 'a';
      }
      for (std::size_t i = 0; i < text.size(); ++i) CHECK((text[i] != 'a' || seen[i] == 'a'));
    }
  CHECK(parts("aaaa aaaa aaaa", 0) == Strings{"1:aaaa aa", "1:aa aaaa"});  // they have nothing in common, and nothing is lost
}

TEST_CASE("passages: lines are passages, blank ones none, long ones in parts") {
  CHECK(passages_of("one\r\n\n \ntwo three four\nfive", 2 + 2, PassageSplit::lines) ==
        Strings{"1:one", "4:two three", "4:three four", "5:five"});
  CHECK(passages_of("# one\n# two", 100, PassageSplit::lines) == Strings{"1:# one", "2:# two"});
}

TEST_CASE("passages: no text has none, and what is not UTF-8 keeps its place") {
  for (std::string_view const nothing : {"", "\n", " \t\r\n\u2028\n", "\xEF\xBB\xBF"}) CHECK(passages_of(nothing, 10).empty());
  CHECK(passages_of("\xFF one\n\ntwo", 2 + 2) == Strings{"1:\xFF one", "3:two"});
  CHECK(passages_of("one \xE6\x9D two three four", 2 + 3, PassageSplit::paragraphs, 0) == Strings{"1:one \xE6\x9D two three", "1:four"});
}

TEST_CASE("passages: what stands before each of them counts, and absurd lengths are refused") {
  auto const with_prompt = [](std::size_t length) {
    return cut_passages("one two three", tokenizer_of_words(), "the man ", 100, {.chunks = {.length = length, .overlap = 0}}).size();
  };
  CHECK(with_prompt(2 + 2 + 3) == 1);
  CHECK(with_prompt(2 + 2 + 2) == 2);
  CHECK_THROWS_AS(passages_of("one", 101), ArgumentError);
  CHECK_THROWS_AS(passages_of("one", 2), ArgumentError);
  CHECK_THROWS_AS(passages_of("one", 10, PassageSplit::paragraphs, 8), ArgumentError);
}
