// Tokenizer::from_directory understands the paths that every reader of a model's directory does (tests/io/model_directory_test.cpp).
#include <doctest/doctest.h>
#include <axiform/text/tokenizer_files.hpp>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

TEST_CASE("tokenizer: the root of a model in a Hugging Face cache, and a cache of one model, are directories of a tokenizer") {
  TemporaryDirectory cache;
  auto const root = cache / "models--someone--bert", snapshot = root / "snapshots" / "0123abcd";
  std::filesystem::create_directories(snapshot);
  write_bytes(snapshot / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n");
  for (auto const& directory : {cache.path(), root, snapshot})
    CHECK(Tokenizer::from_directory(directory).encode("hello").ids == std::vector<TokenId>{2, 5, 3});
  std::filesystem::create_directories(root / "snapshots" / "4567cdef");
  CHECK(contains(message_of<FileError>([&] { Tokenizer::from_directory(root); }), "found the snapshots 0123abcd, 4567cdef"));
}
