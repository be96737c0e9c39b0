// Tensors and Eigen's matrices look at the same elements.
#include <cstddef>

#include <doctest/doctest.h>
#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/eigen.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/views.hpp>

#include "algebra/recorded.hpp"

using namespace axiform;

TEST_CASE("eigen: maps of tensors and of views") {
  auto m = from_list<float, B, A>({{1, 2, 3}, {4, 5, 6}});
  auto matrix = to_eigen(m);
  CHECK(matrix.rows() == 2);
  CHECK(matrix(1, 2) == 6);
  matrix *= 2;
  CHECK(m(1, 2) == 12);
  CHECK(to_eigen(permute<A, B>(m))(2, 1) == 12);
  CHECK(to_eigen(at<A>(m, 1)).sum() == 14);
  auto const& constant = m;
  CHECK((to_eigen(constant) * to_eigen(constant).transpose())(0, 1) == contract<A>(m, relabel<B, E>(m))(0, 1));
}

TEST_CASE("eigen: views of matrices, columns and blocks") {
  Eigen::MatrixXf matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  auto const view = view_of_eigen<B, A>(matrix);
  CHECK(view(1, 0) == 4);
  view(0, 2) = 9;
  CHECK(matrix(0, 2) == 9);
  auto block = matrix.block(0, 1, 2, 2);
  CHECK(view_of_eigen<B, E>(block)(1, 1) == 6);
  Eigen::Matrix<double, 2, 2, Eigen::RowMajor> const rows{{1, 2}, {3, 4}};
  CHECK(view_of_eigen<D, B>(rows)(1, 0) == 3);
  Eigen::VectorXd const column = Eigen::VectorXd::LinSpaced(4, 0, 3);
  CHECK(sum(view_of_eigen<B>(column)) == 6);
  Eigen::MatrixXf const three(3, 1);
  CHECK_THROWS_WITH_AS((view_of_eigen<D, B>(three)), "axis D: found length 3, expected 2", ShapeError);
}
