// BGE-M3's three outputs against FlagEmbedding's formulas in float64 (tests/fixtures/retrieval/make_m3.py).
#include <doctest/doctest.h>
#include <axiform/tasks/m3_embedding.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;

namespace {

std::filesystem::path const m3_fixtures = std::filesystem::path(AXIFORM_FIXTURES) / "retrieval";

std::vector<std::string> m3_texts() { return read_json(m3_fixtures / "m3.json")["texts"].get<std::vector<std::string>>(); }

}  // namespace

TEST_CASE("m3 embedding: dense, sparse and multi-vector results and their scores are FlagEmbedding's") {
  auto context = Context::with_threads(2);
  goldens::Goldens const golden(m3_fixtures / "m3.safetensors");
  auto const texts = m3_texts();
  auto const model = M3Embedding<>::from_directory(m3_fixtures / "m3", context);
  CHECK(model.max_length() == 24);
  auto const found = model.embed(texts, {.batch_size = 4}, context);
  CHECK(goldens::largest_difference(found.dense, golden.reals("dense")) < 2e-5);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(texts[i]);
    std::string const name = "text" + std::to_string(i);
    auto const ids = golden.ids(name + ".sparse.ids");
    auto const weights = golden.reals(name + ".sparse.weights");
    REQUIRE(found.sparse[i].size() == ids.size());
    for (std::size_t k = 0; k < ids.size(); ++k) {
      CHECK(found.sparse[i][k].id == ids[k]);
      CHECK(std::abs(static_cast<double>(found.sparse[i][k].weight) - weights[k]) < 2e-5);
    }
    auto const vectors = found.vectors.text(i);
    REQUIRE(golden.shape(name + ".vectors") == std::vector<std::size_t>{vectors.rows(), vectors.columns()});
    CHECK(goldens::largest_difference(std::span(vectors.data(), vectors.size()), golden.reals(name + ".vectors")) < 2e-5);
  }
  auto const scores = m3_scores(found, found, context);
  CHECK(goldens::largest_difference(scores.dense, golden.reals("scores.dense")) < 2e-5);
  CHECK(goldens::largest_difference(scores.sparse, golden.reals("scores.sparse")) < 1e-4);  // up to 100
  CHECK(goldens::largest_difference(scores.vectors, golden.reals("scores.vectors")) < 2e-5);
  CHECK(goldens::largest_difference(combine(scores, {.dense = 0.4f, .sparse = 0.2f, .vectors = 0.4f}), golden.reals("scores.all")) < 2e-5);
  CHECK(goldens::largest_difference(combine(scores, {.dense = 0.4f, .sparse = 0.2f, .vectors = 0}), golden.reals("scores.two")) < 5e-5);
  // Alone and on one thread, the same bits.
  Context alone;
  auto const one = model.embed({texts[3]}, {}, alone);
  CHECK(std::ranges::equal(one.dense.row(0), found.dense.row(3)));
  CHECK(one.sparse[0] == found.sparse[3]);
  CHECK(std::memcmp(one.vectors.vectors.data(), found.vectors.text(3).data(), one.vectors.vectors.size() * sizeof(float)) == 0);
}

TEST_CASE("m3 embedding: parts can be left out, and texts cut") {
  Context context;
  auto const model = M3Embedding<>::from_directory(m3_fixtures / "m3", context);
  auto const texts = m3_texts();
  auto const dense = model.embed(texts, {.sparse = M3Part::left_out, .vectors = M3Part::left_out}, context);
  CHECK(dense.dense.rows() == texts.size());
  CHECK(dense.sparse.empty());
  CHECK(dense.vectors.count() == 0);
  auto const scores = m3_scores(dense, dense, context);
  CHECK(combine(scores, {.sparse = 0, .vectors = 0})(1, 2) == scores.dense(1, 2));
  CHECK_THROWS_WITH_AS(combine(scores, {}), "combine: sparse: found no scores, expected some for a weight above 0", ArgumentError);
  CHECK_THROWS_WITH_AS(combine(scores, {.dense = 0, .sparse = 0, .vectors = 0}), "combine: found no weight above 0, expected at least one",
                       ArgumentError);
  CHECK_THROWS_AS(combine(scores, {.dense = -1}), ArgumentError);
  auto const cut = model.embed(texts, {.max_length = 6, .dense = M3Part::left_out}, context);
  CHECK(cut.dense.rows() == 0);
  CHECK(cut.vectors.texts.length(3) == 5);
}

TEST_CASE("m3 embedding: maps of other shapes are refused") {
  Context context;
  axiform::test::TemporaryDirectory const directory;
  std::filesystem::copy(m3_fixtures / "m3", directory.path());
  std::filesystem::copy_file(directory / "colbert_linear.pt", directory / "sparse_linear.pt",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_THROWS_WITH_AS(M3Embedding<>::from_directory(directory.path(), context),
                       ((directory / "sparse_linear.pt").string() + ": found 10 numbers for each token, expected 1").c_str(),
                       CheckpointError);
  CHECK_THROWS_WITH_AS(
      M3Heads::load(m3_fixtures / "m3", 15),
      ((m3_fixtures / "m3" / "colbert_linear.pt").string() + ": found a weight [10, 16] and a bias [10], expected the weight "
                                                             "[outputs, 15] and the bias [outputs] of a linear map")
          .c_str(),
      CheckpointError);
  // A file of two kilobytes that says that it has 2 097 152 rows.
  std::filesystem::copy_file(m3_fixtures / "m3-wide.pt", directory / "colbert_linear.pt",
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_THROWS_WITH_AS(M3Heads::load(directory.path(), 16),
                       ((directory / "colbert_linear.pt").string() + ": found 2097152 outputs, expected 1 to 1048576").c_str(),
                       CheckpointError);
  std::filesystem::remove(directory / "colbert_linear.pt");
  CHECK_THROWS_AS(M3Embedding<>::from_directory(directory.path(), context), FileError);
}
