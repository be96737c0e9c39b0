#include <axiform/tasks/agreement.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <doctest/doctest.h>
#include <axiform/algebra/create.hpp>

using namespace axiform;

namespace {

using Texts = Tensor<float, axes::Sequences, Const<2>>;

// Unit vectors at these angles.
Texts at_angles(std::vector<double> const& angles) {
  Texts rows(angles.size());
  for (std::size_t i = 0; i < angles.size(); ++i)
    rows(i, 0) = static_cast<float>(std::cos(angles[i])), rows(i, 1) = static_cast<float>(std::sin(angles[i]));
  return rows;
}

}  // namespace

TEST_CASE("agreement: cosines are those of equal rows, and neighbours are counted that both find") {
  Context context;
  Texts const reference = at_angles({0, 0.1, 0.3, 1.0, 1.1});
  auto const same = compare_embeddings(reference, reference, 2, context);
  CHECK(same.mean_cosine == doctest::Approx(1).epsilon(1e-6));
  CHECK(same.least_cosine == doctest::Approx(1).epsilon(1e-6));
  CHECK(same.neighbours_kept == 1);
  CHECK(same.neighbours == 2);

  // The third text has gone over to the last two: its neighbours are lost, and it is none of the first two's any more.
  auto const moved = compare_embeddings(at_angles({0, 0.1, 1.2, 1.0, 1.1}), reference, 2, context);
  CHECK(moved.least_cosine == doctest::Approx(std::cos(0.9)).epsilon(1e-6));
  CHECK(moved.mean_cosine == doctest::Approx((4 + std::cos(0.9)) / 5).epsilon(1e-6));
  CHECK(moved.neighbours_kept == doctest::Approx((1 + 1 + 0 + 2 + 2) / 10.0));
}

TEST_CASE("agreement: few texts have few neighbours, equal texts are each other's, and a NaN is not hidden") {
  Context context;
  auto const alone = compare_embeddings(at_angles({1}), at_angles({1}), 10, context);
  CHECK(alone.neighbours == 0);
  CHECK(alone.neighbours_kept == 1);
  Texts const equal = at_angles({1, 1, 1, 1});
  CHECK(compare_embeddings(equal, equal, 10, context).neighbours == 1);
  CHECK(compare_embeddings(at_angles({0, 1}), at_angles({0, 1}), 1, context).neighbours == 0);
  CHECK(compare_embeddings(equal, equal, 1, context).neighbours_kept == 1);
  for (std::size_t const row : {0u, 1u, 2u}) {
    Texts broken = at_angles({0, 1, 2});
    broken(row, 1) = std::numeric_limits<float>::quiet_NaN();
    auto const found = compare_embeddings(broken, at_angles({0, 1, 2}), 1, context);
    CHECK(std::isnan(found.least_cosine));
    CHECK(std::isnan(found.mean_cosine));
  }
}

TEST_CASE("agreement: what has another shape, or nothing, is refused") {
  Context context;
  CHECK_THROWS_AS(compare_embeddings(at_angles({0, 1}), at_angles({0}), 1, context), ShapeError);
  CHECK_THROWS_AS(compare_embeddings(at_angles({0}), zeros<float, axes::Sequences, Const<3>>(1u), 1, context), ShapeError);
  CHECK_THROWS_AS(compare_embeddings(at_angles({}), at_angles({}), 1, context), ArgumentError);
  std::vector<TokenId> const tokens{1, 2, 3, 4}, others{1, 2, 4, 4};
  CHECK(agreement_of_tokens(others, tokens) == 0.75);
  CHECK_THROWS_AS(agreement_of_tokens(std::span(tokens).first(3), tokens), ShapeError);
  CHECK_THROWS_AS(agreement_of_tokens({}, {}), ArgumentError);
}
