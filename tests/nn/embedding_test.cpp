// Embeddings: rows that are not there and targets of another shape are refused.
#include <axiform/nn/embedding.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace axiform;

TEST_CASE("embedding: what lies beyond the table or the target is refused") {
  Embedding<axes::Positions, axes::Hidden> const table({4}, {3});
  Tensor<float, axes::Tokens, axes::Hidden> target(std::size_t{2}, std::size_t{3});
  Tensor<float, axes::Tokens, axes::Hidden> narrow(std::size_t{2}, std::size_t{2});
  std::vector<TokenId> const ids{0, 3};
  std::vector<TokenId> const beyond{0, 4};
  auto const two = SequenceOffsets<axes::Tokens>::single(2);
  std::vector<std::size_t> const past{3};
  CHECK_NOTHROW(table.write_rows(ids, target.view(), "id"));
  CHECK_NOTHROW(table.add_positions(two, target.view()));
  CHECK_THROWS_AS(table.write_rows(beyond, target.view(), "id"), ArgumentError);
  CHECK_THROWS_AS(table.write_rows(ids, narrow.view(), "id"), ShapeError);
  CHECK_THROWS_AS(table.write_rows(std::vector<TokenId>{1}, target.view(), "id"), ShapeError);
  CHECK_THROWS_AS(table.add_row(4, target.view()), ArgumentError);
  CHECK_THROWS_AS(table.add_positions(two, target.view(), past), ArgumentError);
  CHECK_THROWS_AS(table.add_positions(SequenceOffsets<axes::Tokens>::single(3), target.view()), ShapeError);
}

// <cmath>'s functions stay usable beside `using namespace axiform`.
TEST_CASE("names: the library's do not hide those of <cmath>") {
  CHECK(tanh(0.0) == 0);
  CHECK(exp(0.0) == 1);
}
