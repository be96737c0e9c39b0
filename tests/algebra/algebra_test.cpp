// The algebra of tensors against NumPy: the results of fixtures/algebra/make_algebra.py, over types, pairs of operands, and every set of axes to reduce.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>
#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/views.hpp>
#include <axiform/core/context.hpp>

#include "algebra/recorded.hpp"

using namespace axiform;

namespace {

template <class Element>
void compare_all(std::string const& type) {
  constexpr bool is_real = std::is_floating_point_v<Element>;
  constexpr double precision = ::precision<Element>;
  Recorded recorded("algebra", type);
  Compare const compare{recorded};
  auto const x = recorded.tensor("x", Tensor<Element, A, B, C>(5));
  auto const abc = recorded.tensor("abc", Tensor<Element, A, B, C>(5));
  auto const abcde = recorded.tensor("abcde", Tensor<Element, A, B, C, D, E>(5, 4));

  auto const with = [&](std::string const& axes, auto const& y) {
    auto const both = [&](std::string const& operation, auto const& f) {
      compare(operation + "/" + axes, f(x, y));
      compare(operation + "/" + axes + ".x", f(y, x));
    };
    both("add", [](auto const& a, auto const& b) { return a + b; });
    both("subtract", [](auto const& a, auto const& b) { return a - b; });
    both("multiply", [](auto const& a, auto const& b) { return a * b; });
    if constexpr (is_real) both("divide", [](auto const& a, auto const& b) { return a / b; });
    both("maximum", [](auto const& a, auto const& b) { return maximum(a, b); });
    both("minimum", [](auto const& a, auto const& b) { return minimum(a, b); });
    both("less", [](auto const& a, auto const& b) { return a < b; });
    both("less_equal", [](auto const& a, auto const& b) { return a <= b; });
    both("greater", [](auto const& a, auto const& b) { return a > b; });
    both("greater_equal", [](auto const& a, auto const& b) { return a >= b; });
  };
  with("c", recorded.tensor("c", Tensor<Element, C>()));
  with("ba", recorded.tensor("ba", Tensor<Element, B, A>(5)));
  with("number", 2);

  if constexpr (std::is_same_v<Element, float>) {
    with("abc", abc);
    with("a", recorded.tensor("a", Tensor<Element, Const<3>>()));  // a length without a name takes the name
    with("bc", recorded.tensor("bc", Tensor<Element, B, C>(5)));
    with("cab", recorded.tensor("cab", Tensor<Element, C, A, B>(5)));
  }

  compare("negate/x", -x);
  compare("abs/x", abs(x));
  if constexpr (is_real) {
    compare("sqrt/x", sqrt(x));
    compare("exp/x", exp(x), precision);
    compare("log/x", log(x), precision);
    compare("tanh/x", tanh(x), precision);
    compare("erf/x", erf(x), precision);
  }
  compare("where/abc", where(x > abc, x, abc));
  compare("where/number", where(x > 0, x, -1));

  auto const contracts = [&]<class... Over>(std::string const& name, AxisList<Over...>, auto x_like, auto y_like) {
    auto const left = recorded.read("contract/" + name + "/x", std::move(x_like)), right = recorded.read("contract/" + name + "/y", std::move(y_like));
    auto const result = contract<Over...>(left, right);
    compare("contract/" + name + "/result", result, precision);
    if constexpr (std::is_same_v<Element, float>) {
      auto context = Context::with_threads(3);
      auto const shared = contract<Over...>(left, right, context);
      CHECK(std::equal(shared.elements().begin(), shared.elements().end(), result.elements().begin(), result.elements().end()));
    }
  };
  contracts("ab,bc,b", AxisList<B>{}, Tensor<Element, A, B>(5), Tensor<Element, B, C>(5));
  contracts("ab,cb,b", AxisList<B>{}, Tensor<Element, A, B>(5), Tensor<Element, C, B>(5));
  contracts("ba,bc,b", AxisList<B>{}, Tensor<Element, B, A>(5), Tensor<Element, B, C>(5));
  contracts("ab,b,b", AxisList<B>{}, Tensor<Element, A, B>(5), Tensor<Element, B>(5));
  contracts("b,bc,b", AxisList<B>{}, Tensor<Element, B>(5), Tensor<Element, B, C>(5));
  contracts("abc,acd,c", AxisList<C>{}, Tensor<Element, A, B, C>(5), Tensor<Element, A, C, D>());
  contracts("abc,adc,c", AxisList<C>{}, Tensor<Element, A, B, C>(5), Tensor<Element, A, D, Const<7>>());
  contracts("bac,adc,c", AxisList<C>{}, Tensor<Element, B, A, C>(5), Tensor<Element, A, D, C>());
  contracts("abc,bcd,bc", AxisList<B, C>{}, Tensor<Element, A, B, C>(5), Tensor<Element, B, C, D>(5));
  contracts("abc,cbd,bc", AxisList<B, C>{}, Tensor<Element, A, B, C>(5), Tensor<Element, C, B, D>(5));
  contracts("abc,dbc,bc", AxisList<C, B>{}, Tensor<Element, A, B, C>(5), Tensor<Element, D, B, C>(5));
  contracts("abcd,ce,c", AxisList<C>{}, Tensor<Element, A, B, C, D>(5), Tensor<Element, C, E>(4));
  contracts("abcde,bde,bd", AxisList<B, D>{}, Tensor<Element, A, B, C, D, E>(5, 4), Tensor<Element, B, D, E>(5, 4));
  contracts("cab,acd,c", AxisList<C>{}, Tensor<Element, C, A, B>(5), Tensor<Element, A, C, D>());
  contracts("abc,abc,b", AxisList<B>{}, Tensor<Element, A, B, C>(5), Tensor<Element, A, B, C>(5));

  if constexpr (is_real) {
    compare("softmax/c", softmax<C>(abc), precision);
    compare("softmax/ab", softmax<A, B>(abc), precision);
    compare("log_softmax/c", log_softmax<C>(abc), precision);
    compare("log_softmax/ab", log_softmax<A, B>(abc), precision);
  }

  auto const reduce = [&]<class... Axes>(std::string const& tensor, auto const& t, std::string const& axes, AxisList<Axes...>) {
    compare("sum/" + tensor + "/" + axes, sum<Axes...>(t), precision);
    if constexpr (is_real) compare("mean/" + tensor + "/" + axes, mean<Axes...>(t), precision);
    compare("max/" + tensor + "/" + axes, max<Axes...>(t));
    compare("min/" + tensor + "/" + axes, min<Axes...>(t));
  };
  for (auto const& [name, t] : {std::pair<std::string, decltype(x)*>{"x", &x}, {"abc", &abc}}) {
    reduce(name, *t, "a", AxisList<A>{});
    reduce(name, *t, "b", AxisList<B>{});
    reduce(name, *t, "c", AxisList<C>{});
    reduce(name, *t, "ab", AxisList<B, A>{});
    reduce(name, *t, "ac", AxisList<A, C>{});
    reduce(name, *t, "bc", AxisList<B, C>{});
    reduce(name, *t, "abc", AxisList<>{});
  }
  reduce("abcde", abcde, "a", AxisList<A>{});
  reduce("abcde", abcde, "c", AxisList<C>{});
  reduce("abcde", abcde, "e", AxisList<E>{});
  reduce("abcde", abcde, "ab", AxisList<A, B>{});
  reduce("abcde", abcde, "ce", AxisList<E, C>{});
  reduce("abcde", abcde, "bd", AxisList<B, D>{});
  reduce("abcde", abcde, "ace", AxisList<A, C, E>{});
  reduce("abcde", abcde, "bcd", AxisList<B, C, D>{});
  reduce("abcde", abcde, "abde", AxisList<A, B, D, E>{});
  reduce("abcde", abcde, "abcde", AxisList<A, B, C, D, E>{});

  CHECK_MESSAGE(recorded.others().empty(), recorded.others().front());
}

}  // namespace

TEST_CASE("algebra: floats are NumPy's") { compare_all<float>("f32"); }
TEST_CASE("algebra: doubles are NumPy's") { compare_all<double>("f64"); }
TEST_CASE("algebra: integers are NumPy's") { compare_all<std::int64_t>("i64"); }

TEST_CASE("algebra: in place, of views and of temporaries") {
  Tensor<float, B, C> x(2);
  for (std::size_t i = 0; i < x.size(); ++i) x.elements()[i] = static_cast<float>(i);
  Tensor<float, C> c;
  c(6) = 100;
  auto y = x.copy();
  y += c;
  y *= 2;
  CHECK(y(0, 6) == 212);
  CHECK(y(1, 5) == 24);
  y -= y;
  CHECK(sum(y) == 0);

  // A range of columns: rows lie apart, and what is between stays as it is.
  TensorView<float, B, Const<3>> const middle(x.data() + 2, Shape<B, Const<3>>(2), x.row_stride());
  auto columns = middle;
  columns += 0.5F;
  CHECK(x(0, 1) == 1);
  CHECK(x(0, 2) == 2.5F);
  CHECK(x(1, 4) == 11.5F);
  CHECK(x(1, 5) == 12);
  CHECK(sum(middle) == 39 + 3);

  Tensor<float, B, C> temporary(2);
  float const* const memory = temporary.data();
  auto const reused = std::move(temporary) + x * 2 - c;
  CHECK(reused.data() == memory);
  CHECK(reused(1, 6) == 26 - 100);
  // What is read is not what has just been written.
  auto z = x.copy();
  View<C> const last_row(z.data() + 7, Shape<C>());
  auto const expected = x - View<C>(x.data() + 7, Shape<C>());
  z -= last_row;
  CHECK(std::equal(z.elements().begin(), z.elements().end(), expected.elements().begin()));
  auto w = x.copy();
  View<C> const first_row(w.data(), Shape<C>());
  auto const moved = std::move(w) - first_row;
  CHECK(moved(1, 6) == x(1, 6) - x(0, 6));

  auto const twice = x.copy() * x;  // an operand that is the result's memory
  CHECK(twice(1, 6) == 169);
}

TEST_CASE("algebra: a program's own function") {
  Tensor<float, B, C> x(2);
  x(1, 3) = 4;
  Tensor<std::int32_t, C> n;
  n(3) = 2;
  auto const powers = elementwise([](float a, std::int32_t b) { return static_cast<double>(std::pow(a, b)); }, x, n);
  static_assert(std::is_same_v<std::remove_const_t<decltype(powers)>, Tensor<double, B, C>>);
  CHECK(powers(1, 3) == 16);
  CHECK(powers(0, 0) == 1);
  CHECK_THROWS_WITH(elementwise([](float) -> float { throw ArgumentError("mine"); }, x), "mine");
}

TEST_CASE("algebra: any number of threads gives the same bits") {
  Tensor<float, A, B, C> x(20011);
  for (std::size_t i = 0; i < x.size(); ++i) x.elements()[i] = std::sin(static_cast<float>(i));
  auto const same = [](auto const& one, auto const& other) {
    return std::equal(one.elements().begin(), one.elements().end(), other.elements().begin(), other.elements().end());
  };
  auto const f = [](float a) { return a * a + 1; };
  for (std::size_t threads : {1, 2, 3, 5}) {
    auto context = Context::with_threads(threads);
    CHECK(same(elementwise(context, f, x), elementwise(f, x)));
    CHECK(same(sum<B>(x, context), sum<B>(x)));
    CHECK(same(sum<A>(x, context), sum<A>(x)));
    CHECK(same(sum<C>(x, context), sum<C>(x)));
    CHECK(same(mean<A, C>(x, context), mean<A, C>(x)));
    CHECK(sum(x, context) == sum(x));
    CHECK(max(x, context) == max(x));
  }
}

TEST_CASE("algebra: axes without elements") {
  Tensor<float, A, B> const x(0);
  CHECK((x + 1).size() == 0);
  auto const sums = sum<B>(x);
  CHECK(sums(2) == 0);
  CHECK(std::isnan(mean(x)));
  CHECK_THROWS_WITH_AS(max<B>(x), "max: found no element, expected at least one", ArgumentError);
  CHECK_THROWS_AS(min(x), ArgumentError);
}

TEST_CASE("algebra: a length without a name stands for the axis of that length, and for no other") {
  Tensor<float, B, C> x(2);
  x += 1;
  auto const total = sum<Const<7>>(x);
  static_assert(std::is_same_v<std::remove_const_t<decltype(total)>, Tensor<float, B>>);
  CHECK(total(1) == 7);
  CHECK(at<Const<7>>(x, 3)(1) == 1);

  Tensor<float, C, Const<7>> square;  // one is C, the other only as long
  square(2, 5) = 3;
  auto const rows = sum<C>(square);
  static_assert(std::is_same_v<std::remove_const_t<decltype(rows)>, Tensor<float, Const<7>>>);
  CHECK(rows(5) == 3);
  CHECK(at<C>(square, 2)(5) == 3);
  auto const turned = contract<C>(square, x);
  static_assert(std::is_same_v<std::remove_const_t<decltype(turned)>, Tensor<float, Const<7>, B>>);
  CHECK(turned(5, 1) == 3);
  CHECK(turned(4, 1) == 0);
}

TEST_CASE("algebra: views are what their copies are") {
  Tensor<float, A, B, E> x(6, 10);
  for (std::size_t i = 0; i < x.size(); ++i) x.elements()[i] = std::sin(static_cast<float>(i));
  Tensor<float, E> const e(10);
  auto const check = [&](auto const& view) {
    auto const copy = dense(view);
    for (std::size_t i = 0; i < copy.lengths()[0]; ++i)
      for (std::size_t j = 0; j < copy.lengths()[1]; ++j) CHECK(view(i, j, 2) == copy(i, j, 2));
    CHECK(same_elements(view * 2 + 1, copy * 2 + 1));
    CHECK(same_elements(exp(view), exp(copy)));
    CHECK(same_elements(view + copy, copy + copy));
    CHECK(same_elements(max<B>(view), max<B>(copy)));
    CHECK(sum<B>(view).size() == sum<B>(copy).size());
    auto const product = contract<B>(view, x), expected = contract<B>(copy, x);
    CHECK(product.size() == expected.size());
    for (std::size_t i = 0; i < product.size(); ++i)
      if (std::abs(product.data()[i] - expected.data()[i]) > 1e-5F) FAIL_CHECK(i);
  };
  check(permute<A, B, E>(x));
  check(permute<E, A, B>(x));
  check(permute<E, B, A>(x));
  check(permute<B, E, A>(permute<E, A, B>(x)));
  auto const some = slice<E>(x, 2, 9, 2);
  CHECK(some.lengths() == std::array<std::size_t, 3>{3, 6, 4});
  CHECK(some(1, 2, 3) == x(1, 2, 8));
  CHECK(same_elements(some - 1, dense(some) - 1));
  CHECK(same_elements(softmax<E>(some), softmax<E>(dense(some))));
  auto const row = at<A>(x, 1);
  static_assert(std::is_same_v<std::remove_const_t<decltype(row)>, StridedView<float, B, E>>);
  CHECK(row(3, 4) == x(1, 3, 4));
  CHECK(at<B>(row, 3)(4) == x(1, 3, 4));
  auto const two = slice<A, D>(x, 1);
  static_assert(std::is_same_v<std::remove_const_t<decltype(two)>, StridedView<float, D, B, E>>);
  CHECK(two(0, 5, 9) == x(1, 5, 9));
  CHECK(slice<E>(x, 10, 10).size() == 0);
  CHECK(sum(slice<E>(x, 3, 3)) == 0);
}

TEST_CASE("algebra: what is written through a view is the tensor's") {
  Tensor<float, B, C> x(4);
  slice<B>(x, 1, 3) += 1;
  at<B>(x, 3) += 5;
  permute<C, B>(x)(2, 0) = 7;
  slice<B>(x, 0, 4, 3) *= 2;
  CHECK(x(0, 0) == 0);
  CHECK(x(0, 2) == 14);
  CHECK(x(1, 6) == 1);
  CHECK(x(2, 0) == 1);
  CHECK(x(3, 6) == 10);
  // Of a view onto the same elements in another order, what is read is not what has just been written.
  Tensor<float, B, E> square(2, 2);
  square(0, 1) = 1, square(1, 0) = 2;
  square += StridedView<float const, B, E>(square.data(), square.shape(), {1, 2});
  CHECK(square(0, 1) == 3);
  CHECK(square(1, 0) == 3);
}

TEST_CASE("algebra: places that an axis does not have") {
  Tensor<float, B, C> x(4);
  CHECK_THROWS_WITH_AS(slice<B>(x, 1, 5), "slice: found [1, 5) of the axis B, expected a range within its length, 4", ArgumentError);
  CHECK_THROWS_AS(slice<B>(x, 3, 2), ArgumentError);
  CHECK_THROWS_WITH_AS(slice<B>(x, 0, 2, 0), "slice: step: found 0, expected at least 1 (flip<Axis>(x) is the other way round)", ArgumentError);
  CHECK_THROWS_WITH_AS(at<C>(x, 7), "at: found place 7 of the axis C, expected one below 7", ArgumentError);
  CHECK_THROWS_AS((slice<C, D>(x, 6)), ArgumentError);
  CHECK_THROWS_AS((permute<C, B>(x)(0, 4)), ArgumentError);
}

TEST_CASE("algebra: contractions of nothing are zeros, and of large operands the product of matrices") {
  Tensor<float, A, B> const none(0);
  Tensor<float, B, C> const either(0);
  auto const zeros = contract<B>(none, either);
  CHECK(zeros.size() == 21);
  CHECK(sum(abs(zeros)) == 0);

  Tensor<float, B, E> x(70, 130);
  Tensor<float, E, D> y(130);
  for (std::size_t i = 0; i < x.size(); ++i) x.elements()[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < y.size(); ++i) y.elements()[i] = std::cos(static_cast<float>(i));
  auto const product = contract<E>(x, y);
  auto const turned = contract<E>(y, x);  // [D, B], with the same bits
  for (std::size_t i = 0; i < 70; ++i)
    for (std::size_t j = 0; j < 2; ++j) {
      float expected = 0;
      for (std::size_t k = 0; k < 130; ++k) expected = std::fma(x(i, k), y(k, j), expected);
      if (std::abs(product(i, j) - expected) > 1e-5F) FAIL_CHECK(i, " ", j, ": ", product(i, j), " ", expected);
      CHECK(turned(j, i) == product(i, j));
    }
}

TEST_CASE("algebra: lengths that are known when the program runs are checked, and both shapes named") {
  Tensor<float, B, C> const x(2), y(3);
  CHECK_THROWS_WITH_AS(x + y, "x + y: found the shapes [2, 7] and [3, 7], whose axis B is 2 and 3 long", ShapeError);
  Tensor<float, B> const b(5);
  CHECK_THROWS_WITH_AS(maximum(b, x), "maximum: found the shapes [5] and [2, 7], whose axis B is 5 and 2 long", ShapeError);
  auto z = x.copy();
  CHECK_THROWS_AS(z += y, ShapeError);
}
