// xtensor's side of tensor_bench.cpp, on xsimd where that is there. It has no product of matrices of its own.
#if __has_include(<xsimd/xsimd.hpp>)
#define XTENSOR_USE_XSIMD
#endif
#include <array>
#include <cmath>
#include <memory>

#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xsort.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "tensor_peer.hpp"

namespace bench {

namespace {

template <std::size_t Rank>
using Tensor = xt::xtensor<float, Rank>;

template <class... Lengths>
auto tensor(std::uint32_t seed, Lengths... lengths) {
  using X = Tensor<sizeof...(Lengths)>;
  auto result = std::make_shared<X>(X::from_shape({lengths...}));
  fill(result->data(), result->size(), seed);
  return result;
}
template <class X>
float last(X const& x) {
  return static_cast<float>(x.data()[x.size() - 1]);
}
// The elements of a tensor of one axis as a column.
template <class X>
auto as_column(X const& x) {
  return xt::view(x, xt::all(), xt::newaxis());
}
constexpr auto at_once = xt::evaluation_strategy::immediate;

void add_elementwise(Cases& cases, Lengths const& of) {
  auto const add = [&](char const* name, auto const& write) {
    cases[name_of(name, of)] = [of, write]() -> Work {
      return [write, x = tensor(1, of.rows, of.columns), y = tensor(2, of.rows, of.columns), row = tensor(3, of.columns),
              column = tensor(4, of.rows), z = tensor(5, of.rows, of.columns)] { return write(*z, *x, *y, *row, *column); };
    };
  };
  using X = Tensor<2> const&;
  using V = Tensor<1> const&;
  add("add/new", [](Tensor<2>&, X x, X y, V, V) { return last(Tensor<2>(x + y)); });
  add("add", [](Tensor<2>& z, X x, X y, V, V) { return xt::noalias(z) = x + y, last(z); });
  add("add_assign", [](Tensor<2>&, Tensor<2>& x, X y, V, V) { return xt::noalias(x) += y, last(x); });
  add("scale_shift", [](Tensor<2>& z, X x, X, V, V) { return xt::noalias(z) = x * 2.0f + 1.0f, last(z); });
  add("add_row", [](Tensor<2>& z, X x, X, V row, V) { return xt::noalias(z) = x + row, last(z); });
  add("add_column", [](Tensor<2>& z, X x, X, V, V column) { return xt::noalias(z) = x + as_column(column), last(z); });
  add("exp", [](Tensor<2>& z, X x, X, V, V) { return xt::noalias(z) = xt::exp(x), last(z); });
  add("where", [](Tensor<2>& z, X x, X y, V, V) { return xt::noalias(z) = xt::where(x > 1.0f, x, y), last(z); });
  add("gelu", [](Tensor<2>& z, X x, X, V, V) { return xt::noalias(z) = 0.5f * x * (1.0f + xt::erf(x * float(M_SQRT1_2))), last(z); });
}

void add_reductions(Cases& cases) {
  auto const add = [&](char const* name, auto const& work) {
    cases[name] = [work]() -> Work {
      return [work, x = tensor(1, in_memory.rows, in_memory.columns), z = tensor(2, in_memory.rows, in_memory.columns)] {
        return work(*x, *z);
      };
    };
  };
  using X = Tensor<2> const&;
  add("sum/all", [](X x, Tensor<2>&) { return float(xt::sum(x, at_once)()); });
  add("sum/last", [](X x, Tensor<2>&) { return last(Tensor<1>(xt::sum(x, {1}, at_once))); });
  add("sum/first", [](X x, Tensor<2>&) { return last(Tensor<1>(xt::sum(x, {0}, at_once))); });
  add("max/last", [](X x, Tensor<2>&) { return last(Tensor<1>(xt::amax(x, {1}, at_once))); });
  add("argmax/last", [](X x, Tensor<2>&) { return last(xt::eval(xt::argmax(x, 1))); });
  add("argmax/first", [](X x, Tensor<2>&) { return last(xt::eval(xt::argmax(x, 0))); });
  cases["sum/middle"] = []() -> Work {
    return [x = tensor(1, blocks, block_rows, block_columns)] { return last(Tensor<2>(xt::sum(*x, {1}, at_once))); };
  };
  add("softmax/last", [](X x, Tensor<2>& z) {
    Tensor<1> const most = xt::amax(x, {1}, at_once);
    xt::noalias(z) = xt::exp(x - as_column(most));
    Tensor<1> const total = xt::sum(z, {1}, at_once);
    xt::noalias(z) /= as_column(total);
    return last(z);
  });
  add("softmax/first", [](X x, Tensor<2>& z) {
    Tensor<1> const most = xt::amax(x, {0}, at_once);
    xt::noalias(z) = xt::exp(x - most);
    Tensor<1> const total = xt::sum(z, {0}, at_once);
    xt::noalias(z) /= total;
    return last(z);
  });
  add("layer_norm", [](X x, Tensor<2>& z) {
    Tensor<1> const mean = xt::sum(x, {1}, at_once) / float(in_memory.columns);
    xt::noalias(z) = x - as_column(mean);
    Tensor<1> const squares = xt::sum(z * z, {1}, at_once);
    Tensor<1> const scale = 1.0f / xt::sqrt(squares / float(in_memory.columns) + 1e-5f);
    xt::noalias(z) *= as_column(scale);
    return last(z);
  });
}

void add_copies(Cases& cases) {
  cases["permute/10"] = []() -> Work {
    return [x = tensor(1, turned, turned), z = tensor(2, turned, turned)] { return xt::noalias(*z) = xt::transpose(*x), last(*z); };
  };
  for (auto const order : {std::array<std::size_t, 3>{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}})
    cases["permute/" + std::to_string(order[0]) + std::to_string(order[1]) + std::to_string(order[2])] = [order]() -> Work {
      std::size_t const lengths[] = {blocks, block_rows, block_columns};
      return [order, x = tensor(1, blocks, block_rows, block_columns),
              z = tensor(2, lengths[order[0]], lengths[order[1]], lengths[order[2]])] {
        return xt::noalias(*z) = xt::transpose(*x, order), last(*z);
      };
    };
  cases["gather"] = []() -> Work {
    return [table = tensor(1, vocabulary, width), z = tensor(2, words, width)] {
      for (std::size_t i = 0; i < words; ++i) {
        auto row = xt::view(*z, i);
        xt::noalias(row) = xt::view(*table, id_of(i));
      }
      return last(*z);
    };
  };
}

void add_loops(Cases& cases) {
  cases["loop/sum_of_squares/dynamic"] = []() -> Work {
    return [x = tensor(1, looped, looped)] {
      Tensor<2> const& in = *x;
      float sum = 0;
      for (std::size_t i = 0; i < in.shape(0); ++i)
        for (std::size_t j = 0; j < in.shape(1); ++j) sum += in(i, j) * in(i, j);
      return sum;
    };
  };
  cases["loop/double/dynamic"] = []() -> Work {
    return [x = tensor(1, looped, looped), y = tensor(2, looped, looped)] {
      Tensor<2> const& in = *x;
      Tensor<2>& out = *y;
      for (std::size_t i = 0; i < in.shape(0); ++i)
        for (std::size_t j = 0; j < in.shape(1); ++j) out(i, j) = 2 * in(i, j);
      return last(out);
    };
  };
}

}  // namespace

Cases xtensor_cases() {
  Cases cases;
  add_elementwise(cases, in_memory);
  add_elementwise(cases, in_cache);
  add_reductions(cases);
  add_copies(cases);
  add_loops(cases);
  return cases;
}

}  // namespace bench
