// Functions of elements, reductions and orders against NumPy: the results of fixtures/algebra/make_functions.py.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/order.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/half.hpp>

#include "algebra/recorded.hpp"

using namespace axiform;

namespace {

struct Best : DynamicAxis {};

template <class Element>
void compare_all(std::string const& type) {
  constexpr bool is_real = std::is_floating_point_v<Element>;
  constexpr double precision = ::precision<Element>;
  Recorded recorded("functions", type);
  Compare const compare{recorded};
  auto const x = recorded.tensor("x", Tensor<Element, A, B, C>(5));
  auto const abc = recorded.tensor("abc", Tensor<Element, A, B, C>(5));
  auto const bc = recorded.tensor("bc", Tensor<Element, B, C>(5));
  auto const ties = recorded.tensor("ties", Tensor<Element, A, B, C>(5));
  auto const abcde = recorded.tensor("abcde", Tensor<Element, A, B, C, D, E>(5, 4));

  compare("clamp/x", clamp(x, -2, 3));
  compare("equal/number", ties == 2);
  compare("not_equal/number", x != x(0, 1, 4));
  compare("not_equal/x", x != x);
  auto backwards = Tensor<Element, A, B, C>(5);
  for (std::size_t i = 0; i < 3; ++i) at<A>(backwards, i) += at<A>(ties, 2 - i);
  compare("equal/ties", ties == backwards);
  auto const positive = x > 0, beyond = at<D>(broadcast<D>(bc), 1) > 2;
  compare("and/masks", positive && beyond);
  compare("or/masks", positive || beyond);
  compare("not/mask", !positive);
  if constexpr (is_real) {
    for (auto const& [name, t] : {std::pair{"x", &x}, std::pair{"abc", &abc}}) {
      std::string const suffix = std::string("/") + name;
      compare("sigmoid" + suffix, sigmoid(*t), precision);
      compare("relu" + suffix, relu(*t));
      compare("silu" + suffix, silu(*t), precision);
      compare("gelu" + suffix, gelu(*t), precision);
      compare("gelu_tanh" + suffix, gelu_tanh(*t), precision);
    }
    compare("pow/number", pow(x, 3), precision);
    compare("pow/bc", pow(abs(abc), bc), precision);
    compare("convert/int", convert<std::int64_t>(abc));
    auto const half = convert<Float16>(convert<float>(abc)), other = convert<Float16>(convert<float>(bc));
    static_assert(std::is_same_v<decltype(half * other), Tensor<float, A, B, C>>);
    if constexpr (std::is_same_v<Element, float>) {
      compare("half/round", convert<float>(half));
      compare("half/product", half * other);
    } else {
      recorded.elements<float>("half/round"), recorded.elements<float>("half/product");
    }
  }

  auto const reduce = [&]<class... Axes>(std::string const& axes, AxisList<Axes...>) {
    compare("any/" + axes, any<Axes...>(positive));
    compare("all/" + axes, all<Axes...>(ties > -3));
    if constexpr (is_real) {
      auto const finite = recorded.tensor("finite", Tensor<Element, A, B, C>(5));
      compare("variance/" + axes, variance<Axes...>(finite), precision);
      compare("variance1/" + axes, variance<Axes...>(finite, 1), precision);
      compare("norm/" + axes, norm<Axes...>(finite), precision);
      compare("logsumexp/" + axes, logsumexp<Axes...>(abc), precision);
      compare("layer_norm/" + axes, layer_norm<Axes...>(finite, 1e-5), 2 * precision);
      compare("rms_norm/" + axes, rms_norm<Axes...>(finite, 1e-5), precision);
    }
  };
  reduce("a", AxisList<A>{});
  reduce("c", AxisList<C>{});
  reduce("bc", AxisList<B, C>{});
  reduce("ac", AxisList<C, A>{});
  reduce("abc", AxisList<A, B, C>{});

  auto const order = [&]<class Axis>(std::string const& name, auto const& t, std::string const& axis, AxisList<Axis>) {
    std::string const suffix = name + "/" + axis;
    compare("argmax/" + suffix, argmax<Axis>(t));
    compare("argmin/" + suffix, argmin<Axis>(t));
    compare("sort/" + suffix, sort<Axis>(t));
    compare("argsort/" + suffix, argsort<Axis>(t));
    if (name != "x") {
      compare("cumulative_sum/" + suffix, cumulative_sum<Axis>(t), 4 * precision);
      auto const [greatest, places] = top_k<Axis, Best>(t, 2);
      compare("top_k/" + suffix + "/values", greatest);
      compare("top_k/" + suffix + "/places", places);
    }
  };
  for (auto const& [name, t] : {std::pair<std::string, decltype(x)*>{"x", &x}, {"ties", &ties}}) {
    order(name, *t, "a", AxisList<A>{});
    order(name, *t, "b", AxisList<B>{});
    order(name, *t, "c", AxisList<C>{});
  }
  order("abcde", abcde, "a", AxisList<A>{});
  order("abcde", abcde, "b", AxisList<B>{});
  order("abcde", abcde, "c", AxisList<C>{});
  order("abcde", abcde, "d", AxisList<D>{});
  order("abcde", abcde, "e", AxisList<E>{});

  CHECK_MESSAGE(recorded.others().empty(), recorded.others().front());
}

}  // namespace

TEST_CASE("functions: floats are NumPy's") { compare_all<float>("f32"); }
TEST_CASE("functions: doubles are NumPy's") { compare_all<double>("f64"); }
TEST_CASE("functions: integers are NumPy's") { compare_all<std::int64_t>("i64"); }

TEST_CASE("functions: any number of threads gives the same bits, in the context's memory") {
  auto const x = normal<float, B, C, E>(Philox(3), 401, 123);
  auto const turned = permute<E, B, C>(x);
  for (std::size_t const threads : {1, 2, 3, 5}) {
    auto context = Context::with_threads(threads);
    CHECK(same_elements(gelu(x, context), gelu(x)));
    CHECK(same_elements(dense(turned, context), dense(turned)));
    CHECK(same_elements(softmax<E>(x, context), softmax<E>(x)));
    CHECK(same_elements(softmax<B>(turned, context), softmax<B>(turned)));
    CHECK(same_elements(layer_norm<C>(x, 1e-5F, context), layer_norm<C>(x, 1e-5F)));
    CHECK(same_elements(variance<B>(x, context), variance<B>(x)));
    CHECK(same_elements(argmax<B>(x, context), argmax<B>(x)));
    CHECK(same_elements(argmax<E>(x, context), argmax<E>(x)));
    CHECK(same_elements(sort<B>(x, context), sort<B>(x)));
    CHECK(same_elements(cumulative_sum<B>(x, context), cumulative_sum<B>(x)));
    CHECK(same_elements(cumulative_sum<E>(x, context), cumulative_sum<E>(x)));
    CHECK(sum(x, context) == sum(x));
    CHECK(context.memory()->capacity() > 0);
  }
}

TEST_CASE("functions: numbers of two bytes are stored, and computed with as floats") {
  auto x = convert<BFloat16>(arange<float, B>(0, 300));
  static_assert(std::is_same_v<decltype(x), Tensor<BFloat16, B>>);
  CHECK(x(257) == 256);  // of two equally near the even one
  CHECK(x(259) == 260);
  static_assert(std::is_same_v<decltype(sum(x)), float>);
  CHECK(sum(slice<B>(x, 0, 4)) == 6);
  x += 1;  // in float, then rounded
  CHECK(x(0) == 1);
  CHECK(argmax<B>(x) == 298);  // the first of equal ones
  CHECK(max<B>(x) == 300);
  CHECK(x.data()[1].bits == 0x4000);
  CHECK(sort<B>(x)(0) == 1);
}

TEST_CASE("functions: what is converted to an integer beyond its range is the nearest, and NaN is 0") {
  double const infinity = std::numeric_limits<double>::infinity();
  auto const x = from_list<double, B>({infinity, -infinity, std::numeric_limits<double>::quiet_NaN(), 2147483647.9, -2147483649.0, -1.9});
  auto const n = convert<std::int32_t>(x);
  CHECK(n(0) == 2147483647);
  CHECK(n(1) == -2147483647 - 1);
  CHECK(n(2) == 0);
  CHECK(n(3) == 2147483647);
  CHECK(n(4) == -2147483647 - 1);
  CHECK(n(5) == -1);
  CHECK(convert<std::int64_t>(x)(0) == std::numeric_limits<std::int64_t>::max());
  CHECK(sum(convert<int>(x > 0)) == 2);
}

TEST_CASE("functions: NaN of two bytes sorts behind all numbers") {
  float const nan = std::numeric_limits<float>::quiet_NaN();
  auto const x = convert<Float16>(from_list<float, B>({3, nan, 1, 2, nan, 0}));
  auto const sorted = sort<B>(x);
  CHECK(sorted(3) == 3);
  CHECK(std::isnan(static_cast<float>(sorted(4))));
  CHECK(argsort<B>(x)(5) == 4);
  CHECK(std::isnan(static_cast<float>(top_k<B, Best>(x, 2).values(1))));
}

TEST_CASE("functions: a number that no element can be is refused, one beyond an integer is the nearest when it is converted") {
  auto const x = from_list<int, B>({1, 2});
  CHECK_THROWS_WITH_AS(x + 4294967296, "found the number 4294967296, which no element of the tensor can be: convert the tensor first",
                       ArgumentError);
  CHECK_THROWS_AS(x > 5'000'000'000, ArgumentError);
  CHECK_THROWS_AS(x < std::size_t(-1), ArgumentError);
  CHECK_THROWS_AS((x > 1) == 2, ArgumentError);
  CHECK(convert<std::int32_t>(from_list<std::int64_t, B>({5'000'000'000, -5'000'000'000}))(1) == std::numeric_limits<std::int32_t>::min());
  CHECK(sum(where(x > 1, 1, 0)) == 1);
  CHECK(where(x > 1, 1.5F, 0)(1) == 1.5F);
}

TEST_CASE("functions: what was moved from lends nothing") {
  Tensor<float, C> x;
  auto const y = std::move(x);
  CHECK_THROWS_AS(std::move(x) + 1, ArgumentError);
  CHECK(sum(y) == 0);
  CHECK_THROWS_WITH_AS(softmax<B>(zeros<float, B>(0)), "softmax: found no element, expected at least one", ArgumentError);
}

TEST_CASE("functions: orders of nothing, and of more than there is") {
  Tensor<float, B, N> const none(3, 0);
  CHECK_THROWS_WITH_AS(argmax<N>(none), "argmax: found no element, expected at least one", ArgumentError);
  CHECK(argmax<B>(none).size() == 0);
  CHECK(sort<N>(none).size() == 0);
  CHECK(cumulative_sum<B>(none).size() == 0);
  CHECK_THROWS_WITH_AS((top_k<N, Best>(none, 1)), "top_k: found 1, expected at most the length of the axis N, 0", ArgumentError);
  CHECK_THROWS_WITH_AS((top_k<B, Best>(none, std::size_t(-1))), "top_k: found -1, expected at most the length of the axis B, 3", ArgumentError);
  CHECK(std::isnan(variance<N>(none)(0)));
}
