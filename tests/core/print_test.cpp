// Tensors are written as people expect: brackets, aligned columns, large ones abridged.
#include <doctest/doctest.h>
#include <axiform/core/tensor.hpp>

#include <cmath>
#include <cstdint>
#include <iomanip>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

using namespace axiform;

namespace {

template <class T>
std::string written(T const& tensor) {
  std::ostringstream out;
  out << tensor;
  return out.str();
}

Tensor<float, axes::Queries, axes::Keys> matrix(std::size_t rows, std::size_t columns, std::vector<float> const& values) {
  Tensor<float, axes::Queries, axes::Keys> x(rows, columns);
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

}  // namespace

TEST_CASE("print: an axis is a bracket, columns are aligned, numbers have four decimals") {
  CHECK(written(matrix(2, 3, {1.0f, 0.908231f, -0.0170213f, 0.908231f, 1.0f, 12.5f})) ==
        "[[ 1.0000  0.9082 -0.0170]\n"
        " [ 0.9082  1.0000 12.5000]] [Queries: 2, Keys: 3]");
  Tensor<float, Const<3>> row;
  row(1) = 0.5f;
  CHECK(written(row) == "[0.0000 0.5000 0.0000] [3]");
  Tensor<float, axes::Heads, axes::Queries, axes::Keys> cube(2, 2, 2);
  for (std::size_t i = 0; i < 8; ++i) cube.data()[i] = static_cast<float>(i);
  CHECK(written(cube) ==
        "[[[0 1]\n"
        "  [2 3]]\n"
        "\n"
        " [[4 5]\n"
        "  [6 7]]] [Heads: 2, Queries: 2, Keys: 2]");
}

TEST_CASE("print: a view is written as it lies, a temporary as well, and what is empty") {
  auto const x = matrix(2, 4, {0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(written(View<axes::Queries, axes::Keys>(x.data() + 1, {2, 2}, 4)) == "[[1 2]\n [5 6]] [Queries: 2, Keys: 2]");
  CHECK(written(matrix(1, 2, {-1, 1})) == "[[-1  1]] [Queries: 1, Keys: 2]");
  CHECK(written(Tensor<float, axes::Tokens, Const<768>>(0)) == "[] [Tokens: 0, 768]");
}

TEST_CASE("print: whole numbers, very large and very small ones, and those that are none") {
  float const infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(written(matrix(1, 3, {1, -infinity, nan})) == "[[   1 -inf  nan]] [Queries: 1, Keys: 3]");
  CHECK(written(matrix(1, 2, {0.25f, -nan})) == "[[0.2500    nan]] [Queries: 1, Keys: 2]");
  CHECK(written(matrix(1, 2, {1234567.5f, 0.25f})) == "[[1.2346e+06 2.5000e-01]] [Queries: 1, Keys: 2]");
  CHECK(written(matrix(1, 2, {1e-6f, 0})) == "[[1.0000e-06 0.0000e+00]] [Queries: 1, Keys: 2]");
  Tensor<std::int64_t, axes::Tokens> ids(3);
  ids(0) = 101, ids(1) = std::int64_t{1} << 60, ids(2) = -1;
  CHECK(written(ids) == "[                101 1152921504606846976                  -1] [Tokens: 3]");
  Tensor<double, axes::Tokens> reals(1);
  reals(0) = 0.125;
  CHECK(written(reals) == "[0.1250] [Tokens: 1]");
}

TEST_CASE("print: the stream's own format is kept") {
  auto const x = matrix(1, 2, {1.0f, 2.0f / 3});
  std::ostringstream fixed, scientific, precise;
  fixed << std::fixed << std::setprecision(2) << x;
  scientific << std::scientific << std::setprecision(1) << x;
  precise << std::setprecision(3) << x;
  CHECK(fixed.str() == "[[1.00 0.67]] [Queries: 1, Keys: 2]");
  CHECK(scientific.str() == "[[1.0e+00 6.7e-01]] [Queries: 1, Keys: 2]");
  CHECK(precise.str() == "[[    1 0.667]] [Queries: 1, Keys: 2]");
}

TEST_CASE("print: long rows go on in the next line, and large tensors show the ends of their axes") {
  Tensor<float, axes::Tokens> numbers(40);
  for (std::size_t i = 0; i < 40; ++i) numbers(i) = static_cast<float>(i);
  CHECK(written(numbers) ==
        "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25\n"
        " 26 27 28 29 30 31 32 33 34 35 36 37 38 39] [Tokens: 40]");
  Tensor<float, axes::Tokens, axes::Hidden> states(100, 384);
  for (std::size_t i = 0; i < states.size(); ++i) states.data()[i] = static_cast<float>(i);
  CHECK(written(states) ==
        "[[    0     1     2 ...   381   382   383]\n"
        " [  384   385   386 ...   765   766   767]\n"
        " [  768   769   770 ...  1149  1150  1151]\n"
        " ...\n"
        " [37248 37249 37250 ... 37629 37630 37631]\n"
        " [37632 37633 37634 ... 38013 38014 38015]\n"
        " [38016 38017 38018 ... 38397 38398 38399]] [Tokens: 100, Hidden: 384]");
  Tensor<float, axes::Tokens, Const<2>> pairs(501);
  CHECK(written(pairs) == "[[0 0]\n [0 0]\n [0 0]\n ...\n [0 0]\n [0 0]\n [0 0]] [Tokens: 501, 2]");
}
