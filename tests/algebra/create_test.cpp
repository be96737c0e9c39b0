// How tensors come to be, small ones in constants, ranges over them, and neighbours: spans and mdspans.
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/mdspan.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/views.hpp>
#include <axiform/core/inline_tensor.hpp>

#include "algebra/recorded.hpp"

using namespace axiform;

namespace {

struct One : Const<1> {};

// In constant expressions.
constexpr InlineTensor<int, D, A> x{{1, 2, 3}, {4, 5, 6}};
static_assert(sum(x) == 21);
static_assert(all(sum<D>(x) == InlineTensor<int, A>{5, 7, 9}));
static_assert(all(max<A>(x) == InlineTensor<int, D>{3, 6}));
static_assert(min(x) == 1 && x(1, 2) == 6 && x.size() == 6);
static_assert(all(x * InlineTensor<int, A>{1, 0, 2} + 1 == InlineTensor<int, D, A>{{2, 1, 7}, {5, 1, 13}}));
static_assert(all(where(x > 3, x, 0) == InlineTensor<int, D, A>{{0, 0, 0}, {4, 5, 6}}));
static_assert(all(contract<A>(x, x) == contract<Const<3>>(x, x)));
static_assert(std::is_same_v<decltype(contract<A>(x, InlineTensor<int, A, C>{})), InlineTensor<int, D, C>>);
static_assert(matmul(x, InlineTensor<int, A, One>{{1}, {2}, {3}})(1, 0) == 4 + 10 + 18);
constexpr InlineTensor<double, D> v{1, 3};
static_assert(mean(v) == 2 && variance(v) == 1 && all(abs(v - 4) == InlineTensor<double, D>{3, 1}));
constexpr auto changed = [] {
  auto y = x;
  y += x;
  y(0, 0) = 9;
  return y;
}();
static_assert(changed(0, 0) == 9 && changed(1, 1) == 10);

}  // namespace

TEST_CASE("create: lists give their lengths, and are all as long") {
  auto const m = from_list<float, B, A>({{1, 2, 3}, {4, 5, 6}});
  CHECK(m.lengths() == std::array<std::size_t, 2>{2, 3});
  CHECK(m(1, 0) == 4);
  CHECK((from_list<float, B, E>({})).size() == 0);
  CHECK_THROWS_WITH_AS((from_list<float, B, A>({{1, 2}})), "axis A: found length 2, expected 3", ShapeError);
  CHECK_THROWS_WITH_AS((from_list<float, B, E>({{1, 2}, {1}})), "a nested list: found 1 places on axis 1, expected 2", ShapeError);
  CHECK_THROWS_AS((InlineTensor<int, D, A>{{1, 2, 3}}), ShapeError);
}

TEST_CASE("create: functions of the indices, and numbers in order") {
  auto const f = from_function<int, A, B>([](std::size_t i, std::size_t j) { return 10 * i + j; }, 4);
  CHECK(f(2, 3) == 23);
  CHECK(sum(full<float, A>(2)) == 6);
  CHECK(sum(ones<double, B, C>(3)) == 21);
  CHECK(sum(eye<int, A, C>()) == 3);
  CHECK((arange<int, B>(3, 3)).size() == 0);
  CHECK((arange<int, A>(0, 5, 2))(2) == 4);
  CHECK_THROWS_WITH_AS((arange<int, A>(0, 5)), "axis A: found length 5, expected 3", ShapeError);
  CHECK_THROWS_WITH_AS((arange<float, B>(0, 1, 0)), "arange: step: found 0, expected another number", ArgumentError);
  CHECK_THROWS_AS((arange<float, B>(0, std::numeric_limits<float>::infinity())), ArgumentError);
  CHECK((linspace<double, B>(1, 2, 1))(0) == 1);
  CHECK_THROWS_AS((zeros<float, B, E>(std::numeric_limits<std::size_t>::max(), 2)), ShapeError);
}

TEST_CASE("create: random numbers are those of the generator, whatever the shape") {
  auto const line = uniform<float, B>(Philox(7), 101);
  auto const table = uniform<float, B, C>(Philox(7), 20);
  CHECK(table(3, 2) == line(23));
  CHECK(min(line) >= 0);
  CHECK(max(line) < 1);
  auto const numbers = normal<double, B>(Philox(1), 20000);
  CHECK(std::abs(mean(numbers)) < 0.02);
  CHECK(std::abs(variance(numbers) - 1) < 0.03);
  CHECK(numbers(5) == normals_from(Philox(1)(0, 1))[1]);
  CHECK(uniform<double, B>(Philox(2), 3)(2) == uniform_from(Philox(2)(0, 1)[0], Philox(2)(0, 1)[1]));
}

TEST_CASE("create: an InlineTensor is an operand like any other") {
  Tensor<float, B, A> y(2);
  constexpr InlineTensor<float, A> row{1, 2, 3};
  y += row;
  auto const z = y * row;
  static_assert(std::is_same_v<std::remove_const_t<decltype(z)>, Tensor<float, B, A>>);
  CHECK(z(1, 2) == 9);
  CHECK(contract<A>(y, row)(0) == 14);
  CHECK(softmax<A>(row)(2) == doctest::Approx(0.66524));
  InlineTensor<float, D, A> w{{1, 2, 3}, {4, 5, 6}};
  at<D>(w, 1) *= 2;
  CHECK(w(1, 2) == 12);
  std::ostringstream out;
  out << w;
  CHECK(out.str() == "[[ 1  2  3]\n [ 8 10 12]] [D: 2, A: 3]");
}

TEST_CASE("create: ranges over an axis, and over the elements of a view") {
  auto m = from_function<float, B, A>([](auto i, auto j) { return static_cast<float>(10 * i + j); }, 3);
  for (auto row : along<B>(m)) row -= mean(row);
  CHECK(sum(abs(sum<A>(m))) == 0);
  CHECK(along<A>(m).size() == 3);
  for (float& element : permute<A, B>(m)) element += 1;
  CHECK(m(2, 2) == 2);
  float total = 0;
  for (auto const column : along<A>(m))
    for (float const element : column) total += element;
  CHECK(total == sum(m));
  auto const view = slice<B>(m, 0, 3, 2);
  static_assert(std::forward_iterator<decltype(view.begin())>);
  CHECK(std::vector<float>(view.begin(), view.end()) == std::vector<float>{0, 1, 2, 0, 1, 2});
  for (auto const& nothing : slice<B>(m, 1, 1)) FAIL_CHECK(nothing);
}

TEST_CASE("create: elements that lie elsewhere are looked at, not copied") {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  auto m = view_of<B, A>(numbers, 2);
  m *= 2;
  CHECK(numbers[5] == 12);
  float const array[]{1, 2, 3};
  CHECK(sum(view_of<A>(array)) == 6);
  CHECK_THROWS_WITH_AS((view_of<B, A>(numbers, 3)), "view_of: found 6 elements for the shape [B: 3, A: 3]", ShapeError);
  CHECK_THROWS_AS((view_of<B, E>(numbers, std::size_t(1) << 63, 2)), ShapeError);
}

TEST_CASE("create: mdspans, both ways") {
  auto m = from_list<float, B, A>({{1, 2, 3}, {4, 5, 6}});
  auto const span = to_mdspan(permute<A, B>(m));
  static_assert(MdspanLike<decltype(span)>);
  CHECK(span(2, 1) == 6);
  CHECK(span.extent(0) == 3);
  CHECK(span.stride(0) == 1);
  CHECK(span.size() == 6);
  auto const back = view_of_mdspan<A, B>(span);
  back(2, 1) = 7;
  CHECK(m(1, 2) == 7);
  CHECK_THROWS_WITH_AS((view_of_mdspan<B, A>(span)), "axis A: found length 2, expected 3", ShapeError);
}

TEST_CASE("create: indices that are none") {
  auto m = from_list<float, B, A>({{1, 2, 3}, {4, 5, 6}});
  CHECK_THROWS_WITH_AS(m(2, 0), "index 2 on axis 0 of a tensor [2, 3]", ArgumentError);
  CHECK_THROWS_WITH_AS(m(0, -1), "index -1 on axis 1 of a tensor [2, 3]", ArgumentError);
  CHECK_THROWS_WITH_AS(at<B>(m, std::size_t(-1)), "at: found place -1 of the axis B, expected one below 2", ArgumentError);
  CHECK_THROWS_WITH_AS(slice<B>(m, 2, 0, std::size_t(-1)), "slice: found [2, 0) of the axis B, expected a range within its length, 2", ArgumentError);
  CHECK_THROWS_WITH_AS(slice<B>(m, 0, 2, std::size_t(-1)), "slice: step: found -1, expected at least 1 (flip<Axis>(x) is the other way round)",
                       ArgumentError);
}
