// Eigen's side of tensor_bench.cpp: matrices by rows, as tensors are; Tensor for what has three axes.
#include <cmath>
#include <memory>

#include <Eigen/Dense>
#include <unsupported/Eigen/CXX11/Tensor>
#include <unsupported/Eigen/SpecialFunctions>

#include "tensor_peer.hpp"

namespace bench {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Array = Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::Array<float, 1, Eigen::Dynamic>;
using Column = Eigen::Array<float, Eigen::Dynamic, 1>;
template <class Element, int Rank>
using Tensor = Eigen::Tensor<Element, Rank, Eigen::RowMajor>;
using Eigen::Index;

template <class M>
std::shared_ptr<M> matrix(std::uint32_t seed, std::size_t rows, std::size_t columns) {
  auto result = std::make_shared<M>(static_cast<Index>(rows), static_cast<Index>(columns));
  fill(result->data(), rows * columns, seed);
  return result;
}
template <class... Lengths>
auto tensor(std::uint32_t seed, Lengths... lengths) {
  auto result = std::make_shared<Tensor<float, sizeof...(Lengths)>>(static_cast<Index>(lengths)...);
  fill(result->data(), static_cast<std::size_t>(result->size()), seed);
  return result;
}
template <class X>
float last(X const& x) {
  return static_cast<float>(x.data()[x.size() - 1]);
}

void add_products(Cases& cases) {
  for (std::size_t const n : products)
    cases["product/" + std::to_string(n)] = [n]() -> Work {
      return [x = matrix<Matrix>(1, n, n), y = matrix<Matrix>(2, n, n), z = matrix<Matrix>(3, n, n)] {
        z->noalias() = *x * *y;
        return last(*z);
      };
    };
  cases["product/768/transposed"] = []() -> Work {
    return [x = matrix<Matrix>(1, 768, 768), y = matrix<Matrix>(2, 768, 768), z = matrix<Matrix>(3, 768, 768)] {
      z->noalias() = x->transpose() * *y;
      return last(*z);
    };
  };
  cases["product/scores"] = []() -> Work {
    return [x = matrix<Matrix>(1, heads * queries, features), y = matrix<Matrix>(2, heads * queries, features),
            z = matrix<Matrix>(3, heads * queries, queries)] {
      for (Index head = 0; head < Index(heads); ++head)
        z->middleRows(head * Index(queries), queries).noalias() =
            x->middleRows(head * Index(queries), queries) * y->middleRows(head * Index(queries), queries).transpose();
      return last(*z);
    };
  };
  cases["product/output"] = []() -> Work {
    return [x = matrix<Matrix>(1, heads * queries, queries), y = matrix<Matrix>(2, heads * queries, features),
            z = matrix<Matrix>(3, heads * queries, features)] {
      for (Index head = 0; head < Index(heads); ++head)
        z->middleRows(head * Index(queries), queries).noalias() =
            x->middleRows(head * Index(queries), queries) * y->middleRows(head * Index(queries), queries);
      return last(*z);
    };
  };
}

void add_elementwise(Cases& cases, Lengths const& of) {
  auto const add = [&](char const* name, auto const& write) {
    cases[name_of(name, of)] = [of, write]() -> Work {
      return [write, x = matrix<Array>(1, of.rows, of.columns), y = matrix<Array>(2, of.rows, of.columns),
              row = std::make_shared<Row>(matrix<Array>(3, 1, of.columns)->row(0)),
              column = std::make_shared<Column>(matrix<Array>(4, of.rows, 1)->col(0)),
              z = matrix<Array>(5, of.rows, of.columns)] { return last(write(*z, *x, *y, *row, *column)); };
    };
  };
  using X = Array const&;
  using R = Row const&;
  using C = Column const&;
  add("add/new", [](Array&, X x, X y, R, C) -> Array { return x + y; });
  add("add", [](Array& z, X x, X y, R, C) -> X { return z = x + y; });
  add("add_assign", [](Array&, Array& x, X y, R, C) -> X { return x += y; });
  add("scale_shift", [](Array& z, X x, X, R, C) -> X { return z = x * 2.0f + 1.0f; });
  add("add_row", [](Array& z, X x, X, R row, C) -> X { return z = x.rowwise() + row; });
  add("add_column", [](Array& z, X x, X, R, C column) -> X { return z = x.colwise() + column; });
  add("exp", [](Array& z, X x, X, R, C) -> X { return z = x.exp(); });
  add("where", [](Array& z, X x, X y, R, C) -> X { return z = (x > 1.0f).select(x, y); });
  add("gelu", [](Array& z, X x, X, R, C) -> X { return z = 0.5f * x * (1.0f + (x * float(M_SQRT1_2)).erf()); });
}

void add_reductions(Cases& cases) {
  auto const add = [&](char const* name, auto const& work) {
    cases[name] = [work]() -> Work {
      return [work, x = matrix<Array>(1, in_memory.rows, in_memory.columns), z = matrix<Array>(2, in_memory.rows, in_memory.columns)] {
        return work(*x, *z);
      };
    };
  };
  using X = Array const&;
  add("sum/all", [](X x, Array&) { return x.sum(); });
  add("sum/last", [](X x, Array&) { return last(Column(x.rowwise().sum())); });
  add("sum/first", [](X x, Array&) { return last(Row(x.colwise().sum())); });
  add("max/last", [](X x, Array&) { return last(Column(x.rowwise().maxCoeff())); });
  add("argmax/last", [](X x, Array&) {
    Eigen::Array<Index, Eigen::Dynamic, 1> places(x.rows());
    for (Index i = 0; i < x.rows(); ++i) x.row(i).maxCoeff(&places(i));
    return last(places);
  });
  cases["argmax/first"] = []() -> Work {
    return [x = tensor(1, in_memory.rows, in_memory.columns)] { return last(Tensor<Index, 1>(x->argmax(0))); };
  };
  cases["sum/middle"] = []() -> Work {
    return [x = tensor(1, blocks, block_rows, block_columns)] { return last(Tensor<float, 2>(x->sum(Eigen::array<int, 1>{1}))); };
  };
  add("softmax/last", [](X x, Array& z) {
    for (Index i = 0; i < x.rows(); ++i) {
      z.row(i) = (x.row(i) - x.row(i).maxCoeff()).exp();
      z.row(i) /= z.row(i).sum();
    }
    return last(z);
  });
  add("softmax/first", [](X x, Array& z) {
    Row const most = x.colwise().maxCoeff();
    z = (x.rowwise() - most).exp();
    Row const total = z.colwise().sum();
    z.rowwise() /= total;
    return last(z);
  });
  add("layer_norm", [](X x, Array& z) {
    for (Index i = 0; i < x.rows(); ++i) {
      z.row(i) = x.row(i) - x.row(i).mean();
      z.row(i) *= 1.0f / std::sqrt(z.row(i).square().mean() + 1e-5f);
    }
    return last(z);
  });
}

void add_copies(Cases& cases) {
  cases["permute/10"] = []() -> Work {
    return [x = matrix<Matrix>(1, turned, turned), z = matrix<Matrix>(2, turned, turned)] {
      z->noalias() = x->transpose();
      return last(*z);
    };
  };
  for (auto const order : {Eigen::array<int, 3>{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}})
    cases["permute/" + std::to_string(order[0]) + std::to_string(order[1]) + std::to_string(order[2])] = [order]() -> Work {
      std::size_t const lengths[] = {blocks, block_rows, block_columns};
      return [order, x = tensor(1, blocks, block_rows, block_columns),
              z = tensor(2, lengths[order[0]], lengths[order[1]], lengths[order[2]])] {
        *z = x->shuffle(order);
        return last(*z);
      };
    };
  cases["gather"] = []() -> Work {
    return [table = matrix<Matrix>(1, vocabulary, width), z = matrix<Matrix>(2, words, width)] {
      for (std::size_t i = 0; i < words; ++i) z->row(Index(i)) = table->row(Index(id_of(i)));
      return last(*z);
    };
  };
}

void add_loops(Cases& cases) {
  cases["loop/sum_of_squares/dynamic"] = []() -> Work {
    return [x = matrix<Matrix>(1, looped, looped)] {
      Matrix const& in = *x;
      float sum = 0;
      for (Index i = 0; i < in.rows(); ++i)
        for (Index j = 0; j < in.cols(); ++j) sum += in(i, j) * in(i, j);
      return sum;
    };
  };
  cases["loop/double/dynamic"] = []() -> Work {
    return [x = matrix<Matrix>(1, looped, looped), y = matrix<Matrix>(2, looped, looped)] {
      Matrix const& in = *x;
      Matrix& out = *y;
      for (Index i = 0; i < in.rows(); ++i)
        for (Index j = 0; j < in.cols(); ++j) out(i, j) = 2 * in(i, j);
      return last(out);
    };
  };
}

}  // namespace

Cases eigen_cases() {
  Cases cases;
  add_products(cases);
  add_elementwise(cases, in_memory);
  add_elementwise(cases, in_cache);
  add_reductions(cases);
  add_copies(cases);
  add_loops(cases);
  return cases;
}

}  // namespace bench
