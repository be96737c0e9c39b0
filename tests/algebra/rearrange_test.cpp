// Tensors put together, taken apart and multiplied, against NumPy: the results of fixtures/algebra/make_functions.py.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>
#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/rearrange.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>

#include <axiform/core/half.hpp>

#include "algebra/recorded.hpp"

using namespace axiform;

namespace {

struct Places : DynamicAxis {};
struct Pairs : Const<2> {};
struct Both : Const<14> {};
struct Some : DynamicAxis {};

template <class Element>
void compare_all(std::string const& type) {
  constexpr double precision = ::precision<Element>;
  Recorded recorded("rearrange", type);
  Compare const compare{recorded};
  auto const abc = recorded.tensor("abc", Tensor<Element, A, B, C>(5));
  auto const cab = recorded.tensor("cab", Tensor<Element, C, A, B>(5));
  auto const abcde = recorded.tensor("abcde", Tensor<Element, A, B, C, D, E>(5, 4));
  auto const bc = recorded.tensor("bc", Tensor<Element, B, C>(5));
  auto const ae = recorded.tensor("ae", Tensor<Element, A, E>(4));
  auto const c = recorded.tensor("c", Tensor<Element, C>());
  auto const e = recorded.tensor("e", Tensor<Element, E>(4));
  auto const abn = recorded.tensor("abn", Tensor<Element, A, B, N>(5, 0));

  auto const along = [&]<class Axis>(std::string const& axis, AxisList<Axis>) {
    auto const places = recorded.tensor("places/" + axis, Tensor<std::int64_t, Places>(4));
    auto const taken = gather<Axis>(abc, places);
    compare("gather/" + axis, taken);
    compare("gather/pairs/" + axis, gather<Axis>(abc, recorded.tensor("pairs/" + axis, Tensor<std::int64_t, Pairs, Places>(4))));
    CHECK(same_elements(gather<Axis>(permute<B, C, A>(abc), places), dense(gather<Axis>(dense(permute<B, C, A>(abc)), places))));
    auto added = abc.copy();
    scatter_add<Axis>(added, places, taken);
    compare("scatter_add/" + axis, added, precision);
    auto written = abc.copy();
    scatter<Axis>(written, convert<std::int32_t>(places), taken);
    CHECK(same_elements(written, abc));
    compare("roll/" + axis, roll<Axis>(abc, 2));
    compare("roll_back/" + axis, roll<Axis>(abc, -9));
    compare("flip/" + axis, flip<Axis>(abc));
  };
  along("a", AxisList<A>{});
  along("b", AxisList<B>{});
  along("c", AxisList<C>{});
  compare("gather/along", gather<C>(abc, recorded.tensor("along", Tensor<std::int64_t, A, B, Pairs>(5))));

  compare("concat/b", concat<B>(abc, cab, slice<B>(abc, 1, 3)));
  compare("concat/c", concat<Both, C, C>(abc, cab));
  compare("stack", stack<Pairs>(abc, cab));
  compare("repeat/b", repeat<B>(abc, 3));
  compare("tile/b", tile<B>(abc, 3));
  compare("tile/c", tile<C, Both>(abc, 2));
  compare("pad/b", pad<B>(abc, 2, 1, 9));
  compare("pad/n", pad<N>(abn, 2, 1));

  struct Outer : Const<2> {};
  compare("split/e", split<E, Outer, Some>(abcde));
  compare("split/e", split<E, Some, Outer>(abcde, 2));
  compare("merge/de", merge<D, E>(abcde));
  compare("merge/bcd", merge<B, Product<C, D>, Some>(merge<C, D>(abcde)));
  compare("broadcast", broadcast<A>(bc) * bc);

  compare("permute/abc", permute<A, B, C>(abc));
  compare("permute/acb", permute<A, C, B>(abc));
  compare("permute/bac", permute<B, A, C>(abc));
  compare("permute/bca", permute<B, C, A>(abc));
  compare("permute/cab", permute<C, A, B>(abc));
  compare("permute/cba", permute<C, B, A>(abc));
  auto const order = [&]<class... Axes>(std::string const& axes, AxisList<Axes...>) {
    compare("permute/" + axes, permute<Axes...>(abcde));
    struct Four : Const<4> {};
    auto const some = slice<B>(abcde, 1, 5, 2);
    auto const part = slice<C, Four>(some, 2);
    auto const turned = permute<std::conditional_t<std::is_same_v<Axes, C>, Four, Axes>...>(part);
    compare("part/" + axes, turned);
    compare("part_sum/" + axes, turned + sum<Four>(turned), precision);
  };
  order("edcba", AxisList<E, D, C, B, A>{});
  order("bdaec", AxisList<B, D, A, E, C>{});
  order("cabed", AxisList<C, A, B, E, D>{});
  order("deabc", AxisList<D, E, A, B, C>{});

  compare("contract/three", contract<A, C>(abc, ae, c), 10 * precision);
  compare("contract/batch", contract<C>(permute<A, B, C>(abc), c, ae), 10 * precision);
  compare("outer", outer(abc, e));
  compare("outer/batch", outer(abc, ae));
  compare("matmul", matmul(abc, c), precision);
  compare("none/sum", sum<N>(abn));
  compare("none/outer", outer(abn, e));
  compare("none/contract", contract<B>(abn, bc));
  compare("lower", lower_triangle<A, C>());
  compare("upper", upper_triangle<A, B>(7));
  compare("eye", eye<Element, A, B>(7));
  if constexpr (std::is_floating_point_v<Element>) {
    compare("linspace", linspace<Element, C>(-1, 2), precision);
    compare("arange", arange<Element, B>(0.5, 4, 0.25));
  } else {
    compare("arange", arange<Element, B>(9, -4, -3));
  }
  CHECK_MESSAGE(recorded.others().empty(), recorded.others().front());
}

}  // namespace

TEST_CASE("rearrange: floats are NumPy's") { compare_all<float>("f32"); }
TEST_CASE("rearrange: doubles are NumPy's") { compare_all<double>("f64"); }
TEST_CASE("rearrange: integers are NumPy's") { compare_all<std::int64_t>("i64"); }

TEST_CASE("rearrange: copies of large tensors in any order are what their views are") {
  auto const x = normal<float, A, B, E>(Philox(5), 70, 131);
  auto const check = [&](auto const& view) {
    auto const copy = dense(view);
    auto at = copy.elements().begin();
    bool same = true;
    for (float const element : view) same &= element == *at++;
    CHECK(same);
  };
  check(permute<B, E, A>(x));
  check(permute<E, A, B>(x));
  check(permute<E, B, A>(x));
  check(permute<A, E, B>(x));
  check(slice<E>(permute<E, B, A>(x), 3, 130, 3));
}

TEST_CASE("rearrange: places that an axis does not have are refused before anything is written") {
  auto x = ones<float, B, C>(4);
  auto const outside = from_list<std::int64_t, Places>({0, 4}), below = from_list<std::int64_t, Places>({0, -1});
  CHECK_THROWS_WITH_AS(gather<B>(x, outside), "gather: found place 4 of the axis B, expected 0 to 3", ArgumentError);
  CHECK_THROWS_WITH_AS(gather<C>(x, below), "gather: found place -1 of the axis C, expected 0 to 6", ArgumentError);
  CHECK_THROWS_AS(scatter<B>(x, outside, zeros<float, C>()), ArgumentError);
  CHECK(sum(x) == 28);
  CHECK_THROWS_AS(gather<N>(zeros<float, N, C>(0), from_list<std::int32_t, Places>({0})), ArgumentError);
  scatter_add<B>(x, from_list<std::int64_t, Places>({2, 2}), ones<float, C>());
  CHECK(x(2, 0) == 3);
  auto y = arange<int, B>(0, 4);  // what is put there is what it was before
  scatter<B>(y, from_list<std::int64_t, Places>({1, 2, 3}), relabel<B, Places>(slice<B>(y, 0, 3)));
  CHECK(y(3) == 2);
  CHECK(y(1) == 0);
}

TEST_CASE("rearrange: what is assigned is written through a view") {
  auto x = from_list<float, B, A>({{1, 2, 3}, {4, 5, 6}});
  assign(at<B>(x, 0), at<B>(x, 1));
  CHECK(x(0, 2) == 6);
  assign(slice<B>(x, 1, 2), from_list<float, A>({7, 8, 9}));
  CHECK(x(1, 1) == 8);
  assign(at<A>(x, 0), 0);
  CHECK(sum(x) == 5 + 6 + 8 + 9);
  auto square = from_list<int, A, D>({{1, 2}, {3, 4}, {5, 6}});
  assign(square, flip<A>(square));
  CHECK(square(0, 1) == 6);
  for (auto row : along<B>(x)) assign(row, at<B>(x, 1));
  CHECK(x(0, 1) == 8);
  auto mask = lower_triangle<A, D>();
  assign(at<A>(mask, 2), false);
  CHECK(!mask(2, 0));
  auto half = convert<BFloat16>(x);
  assign(at<B>(half, 0), 1);
  CHECK(sum(half) == 3 + sum(at<B>(x, 1)));
  static_assert(!std::is_assignable_v<decltype(at<B>(x, 0)), decltype(at<B>(x, 0))>);
  CHECK_THROWS_WITH_AS(assign(x, (zeros<float, B, A>(3))), "assign: found the shapes [2, 3] and [3, 3], whose axis B is 2 and 3 long",
                       ShapeError);
}

TEST_CASE("rearrange: rows that lie together are what layers take") {
  auto const x = normal<float, B, A, D>(Philox(2), 4);
  auto const rows = as_rows(merge<A, D>(x));
  static_assert(std::is_same_v<std::remove_const_t<decltype(rows)>, View<B, Product<A, D>>>);
  CHECK(rows(3, 5) == x(3, 2, 1));
  auto const part = as_rows(at<A>(x, 1));
  CHECK(part.row_stride() == 6);
  CHECK(part(2, 1) == x(2, 1, 1));
  CHECK(as_rows(permute<B, A, D>(x)).row(11)[1] == x(3, 2, 1));
  CHECK(as_rows(at<B>(at<A>(x, 2), 3))(1) == x(3, 2, 1));
  CHECK(as_rows(slice<B>(x, 1, 2)).size() == 6);
  CHECK_THROWS_WITH_AS(as_rows(permute<A, B, D>(x)), "as_rows: the rows of a view [A: 3, B: 4, D: 2] do not lie together: dense(view)",
                       ArgumentError);
  CHECK_THROWS_AS(as_rows(at<D>(x, 0)), ArgumentError);
}

TEST_CASE("rearrange: what is scattered may lie in the tensor itself, and so may the places") {
  auto const places = from_list<std::int64_t, B>({1, 2, 0});
  auto x = from_list<float, B>({1, 2, 3});
  scatter<B>(x, places, x);
  CHECK(same_elements(x, from_list<float, B>({3, 1, 2})));
  scatter_add<B>(x, places, x);
  CHECK(same_elements(x, from_list<float, B>({5, 4, 3})));
  auto y = places.copy();
  scatter<B>(y, y, arange<std::int64_t, B>(10, 13));
  CHECK(same_elements(y, from_list<std::int64_t, B>({12, 10, 11})));
  auto half = convert<Float16>(x);
  scatter_add<B>(half, places, half);
  CHECK(sum(half) == 24);
}

TEST_CASE("rearrange: axes of one place, and of none") {
  struct One : Const<1> {};
  auto const x = normal<float, A, One, B, D>(Philox(3), 5);
  CHECK_THROWS_AS(as_rows(slice<B>(x, 0, 3)), ArgumentError);
  CHECK(as_rows(at<A>(slice<B>(x, 1, 3), 2))(0, 1, 1) == x(2, 0, 2, 1));
  auto const y = normal<float, A, B, D>(Philox(4), 5);
  CHECK(as_rows(slice<B>(y, 2, 3))(2, 0, 1) == y(2, 2, 1));
  auto const none = zeros<float, B>(0);
  CHECK((split<B, E, D>(none).lengths() == std::array<std::size_t, 2>{0, 2}));
  CHECK((from_list<float, B, A>({})).lengths()[1] == 3);
  CHECK(slice<B>(y, 0, 5, static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max())).lengths()[1] == 1);
  CHECK_THROWS_AS(broadcast<E>(y, std::size_t{1} << 62), ShapeError);
  CHECK_THROWS_WITH_AS(pad<B>(y, static_cast<std::size_t>(-1), 0), "pad: found -1 and 0 more places, expected no negative number",
                       ArgumentError);
}

TEST_CASE("rearrange: integers wrap around in products, and ranges of them end where they do") {
  CHECK(contract<C>(full<int, B, C>(1 << 30, 2), full<int, C>(4))(0) == 0);
  CHECK((arange<std::int64_t, B>(9007199254740992, 9007199254740995)).size() == 3);
  CHECK((arange<int, B>(-2000000000, 2000000000, 1000000000))(3) == 1000000000);
  CHECK((arange<int, B>(2000000000, -2000000001, -1000000000))(4) == -2000000000);
}

TEST_CASE("rearrange: lengths that do not fit") {
  Tensor<float, B, C> const x(4), y(3);
  CHECK(concat<B>(x, y).lengths()[0] == 7);
  CHECK_THROWS_WITH_AS((stack<D>(x, y)), "stack: found the shapes [4, 7] and [3, 7], whose axis B is 4 and 3 long", ShapeError);
  CHECK_THROWS_WITH_AS((concat<D, C, C>(x, x)), "axis D: found length 14, expected 2", ShapeError);
  CHECK_THROWS_WITH_AS((split<B, E, D>(y)), "split: found 3 places on the axis B, expected E times D: 1 times 2", ShapeError);
  CHECK_THROWS_WITH_AS((split<B, E, N>(x, 3)), "split: found 4 places on the axis B, expected E times N: 3 times a number", ShapeError);
  CHECK_THROWS_WITH_AS((split<B, E, N>(x, 0)), "split: the first length: found 0, expected at least 1", ArgumentError);
  auto const turned = permute<C, B>(x);
  CHECK_THROWS_WITH_AS((merge<C, B>(turned)), "merge: the axes C and B do not follow one another in memory: merge a copy, dense(x)", ArgumentError);
  auto const copy = dense(turned);
  CHECK(merge<C, B>(copy).size() == 28);
  CHECK_THROWS_WITH_AS(squeeze<B>(x), "squeeze: found 4 places on the axis B, expected 1", ShapeError);
  CHECK_THROWS_AS(repeat<B>(x, std::numeric_limits<std::size_t>::max()), ShapeError);
  CHECK_THROWS_AS(pad<B>(x, std::numeric_limits<std::size_t>::max() / 2, std::numeric_limits<std::size_t>::max() / 2), ShapeError);
  CHECK(repeat<B>(x, 0).size() == 0);
  CHECK(roll<N>(zeros<float, N>(0), 3).size() == 0);
}
