// The algebra of tensors, operation by operation, beside Eigen and xtensor where CMake finds them.
//
// `axiform` gives results that lie on the heap, new each time; `axiform_context` gives them in a context's memory, which is reused. Peers write over a result
// that is there already, but for `add/new`. Everything runs on one thread. Bytes are those of operands and result, each once, whatever an operation touches.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <axiform/algebra/arithmetic.hpp>
#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/order.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/views.hpp>
#include <axiform/core/context.hpp>

#include "limits.hpp"
#include "peers/tensor_peer.hpp"

namespace {

using namespace axiform;
using bench::Cases, bench::Lengths, bench::Work;

struct Rows : DynamicAxis {};
struct Columns : DynamicAxis {};
struct Inner : DynamicAxis {};
struct Heads : Const<bench::heads> {};
struct Queries : DynamicAxis {};
struct Keys : DynamicAxis {};
struct Features : Const<bench::features> {};
struct Blocks : DynamicAxis {};
struct Words : DynamicAxis {};
struct Vocabulary : DynamicAxis {};
struct Width : Const<bench::width> {};
struct FixedRows : Const<bench::looped> {};
struct FixedColumns : Const<bench::looped> {};

template <Axis... Axes, class... L>
auto tensor(std::uint32_t seed, L... lengths) {
  auto result = std::make_shared<Tensor<float, Axes...>>(lengths...);
  bench::fill(result->data(), result->size(), seed);
  return result;
}

template <class X>
float last(X const& x) {
  if constexpr (TensorOperand<X>) {
    return static_cast<float>(x.data()[x.size() - 1]);
  } else {
    return static_cast<float>(x);
  }
}

struct Algebra {
  Cases on_heap, in_context;

  // `make()` makes the operands and gives the operation, which takes a context or nothing.
  template <class Make>
  void add(std::string const& name, Make const& make) {
    add_on_heap(name, make);
    in_context[name] = [make]() -> Work {
      return [operation = make(), context = std::make_shared<Context>()] { return last(operation(*context)); };
    };
  }
  // Of what takes no context.
  template <class Make>
  void add_on_heap(std::string const& name, Make const& make) {
    on_heap[name] = [make]() -> Work { return [operation = make()] { return last(operation()); }; };
  }
};

void add_products(Algebra& algebra) {
  for (std::size_t const n : bench::products)
    algebra.add("product/" + std::to_string(n), [n] {
      return [x = tensor<Rows, Inner>(1, n, n), y = tensor<Inner, Columns>(2, n, n)](auto&... context) {
        return contract<Inner>(*x, *y, context...);
      };
    });
  algebra.add("product/768/transposed", [] {
    return [x = tensor<Inner, Rows>(1, 768, 768), y = tensor<Inner, Columns>(2, 768, 768)](auto&... context) {
      return contract<Inner>(permute<Rows, Inner>(*x), *y, context...);
    };
  });
  algebra.add("product/scores", [] {
    return [x = tensor<Heads, Queries, Features>(1, bench::queries),
            y = tensor<Heads, Keys, Features>(2, bench::queries)](auto&... context) { return contract<Features>(*x, *y, context...); };
  });
  algebra.add("product/output", [] {
    return [x = tensor<Heads, Queries, Keys>(1, bench::queries, bench::queries),
            y = tensor<Heads, Keys, Features>(2, bench::queries)](auto&... context) { return contract<Keys>(*x, *y, context...); };
  });
}

// A function of elements, written as an operator where there is no context.
template <class F, class... X>
auto with_context(F const& f, Context& context, X const&... x) {
  return elementwise(context, f, x...);
}
template <class F, class... X>
auto with_context(F const& f, X const&... x) {
  return f(x...);
}

void add_elementwise(Algebra& algebra, Lengths const& of) {
  auto const x_of = [of](std::uint32_t seed) { return tensor<Rows, Columns>(seed, of.rows, of.columns); };
  auto const row_of = [of] { return tensor<Columns>(3, of.columns); };
  auto const column_of = [of] { return tensor<Rows>(4, of.rows); };
  auto const name = [&](char const* operation) { return bench::name_of(operation, of); };
  constexpr auto plus = [](auto const& a, auto const& b) { return a + b; };
  constexpr auto scale_shift = [](auto const& a) { return a * 2.0f + 1.0f; };

  algebra.add_on_heap(name("add/new"), [=] { return [x = x_of(1), y = x_of(2)] { return *x + *y; }; });
  algebra.add(name("add"),
              [=] { return [=, x = x_of(1), y = x_of(2)](auto&... context) { return with_context(plus, context..., *x, *y); }; });
  algebra.add_on_heap(name("add_assign"), [=] {
    return [x = x_of(1), y = x_of(2)] {
      *x += *y;
      return last(*x);
    };
  });
  algebra.add(name("scale_shift"),
              [=] { return [=, x = x_of(1)](auto&... context) { return with_context(scale_shift, context..., *x); }; });
  algebra.add_on_heap(name("scale_shift/elementwise"), [=] { return [=, x = x_of(1)] { return elementwise(scale_shift, *x); }; });
  algebra.add(name("add_row"),
              [=] { return [=, x = x_of(1), row = row_of()](auto&... context) { return with_context(plus, context..., *x, *row); }; });
  algebra.add(name("add_column"), [=] {
    return [=, x = x_of(1), column = column_of()](auto&... context) { return with_context(plus, context..., *x, *column); };
  });
  algebra.add(name("exp"), [=] { return [x = x_of(1)](auto&... context) { return exp(*x, context...); }; });
  algebra.add_on_heap(name("where"), [=] { return [x = x_of(1), y = x_of(2)] { return where(*x > 1.0f, *x, *y); }; });
  algebra.add_on_heap(name("where/elementwise"), [=] {
    return [x = x_of(1), y = x_of(2)] { return elementwise([](float a, float b) { return a > 1.0f ? a : b; }, *x, *y); };
  });
  algebra.add(name("gelu"), [=] { return [x = x_of(1)](auto&... context) { return gelu(*x, context...); }; });
}

void add_reductions(Algebra& algebra) {
  auto const add = [&](char const* name, auto const& operation) {
    algebra.add(name, [operation] {
      return [operation, x = tensor<Rows, Columns>(1, bench::in_memory.rows, bench::in_memory.columns)](auto&... context) {
        return operation(*x, context...);
      };
    });
  };
  add("sum/all", [](auto const& x, auto&... context) { return sum(x, context...); });
  add("sum/last", [](auto const& x, auto&... context) { return sum<Columns>(x, context...); });
  add("sum/first", [](auto const& x, auto&... context) { return sum<Rows>(x, context...); });
  add("max/last", [](auto const& x, auto&... context) { return max<Columns>(x, context...); });
  add("argmax/last", [](auto const& x, auto&... context) { return argmax<Columns>(x, context...); });
  add("argmax/first", [](auto const& x, auto&... context) { return argmax<Rows>(x, context...); });
  add("softmax/last", [](auto const& x, auto&... context) { return softmax<Columns>(x, context...); });
  add("softmax/first", [](auto const& x, auto&... context) { return softmax<Rows>(x, context...); });
  add("layer_norm", [](auto const& x, auto&... context) { return layer_norm<Columns>(x, 1e-5f, context...); });
  algebra.add("sum/middle", [] {
    return [x = tensor<Blocks, Rows, Columns>(1, bench::blocks, bench::block_rows, bench::block_columns)](auto&... context) {
      return sum<Rows>(*x, context...);
    };
  });
}

void add_copies(Algebra& algebra) {
  algebra.add("permute/10", [] {
    return [x = tensor<Rows, Columns>(1, bench::turned, bench::turned)](auto&... context) {
      return dense(permute<Columns, Rows>(*x), context...);
    };
  });
  auto const add = [&](char const* name, auto const& turn) {
    algebra.add(name, [turn] {
      return [turn, x = tensor<Blocks, Rows, Columns>(1, bench::blocks, bench::block_rows, bench::block_columns)](auto&... context) {
        return dense(turn(*x), context...);
      };
    });
  };
  add("permute/021", [](auto const& x) { return permute<Blocks, Columns, Rows>(x); });
  add("permute/102", [](auto const& x) { return permute<Rows, Blocks, Columns>(x); });
  add("permute/120", [](auto const& x) { return permute<Rows, Columns, Blocks>(x); });
  add("permute/201", [](auto const& x) { return permute<Columns, Blocks, Rows>(x); });
  add("permute/210", [](auto const& x) { return permute<Columns, Rows, Blocks>(x); });
  algebra.add("gather", [] {
    auto ids = std::make_shared<Tensor<std::int64_t, Words>>(bench::words);
    for (std::size_t i = 0; i < bench::words; ++i) (*ids)(i) = static_cast<std::int64_t>(bench::id_of(i));
    return [ids, table = tensor<Vocabulary, Width>(1, bench::vocabulary)](auto&... context) {
      return gather<Vocabulary>(*table, *ids, context...);
    };
  });
}

template <class X>
float sum_of_squares(X const& x) {
  float sum = 0;
  for (std::size_t i = 0; i < x.rows(); ++i)
    for (std::size_t j = 0; j < x.columns(); ++j) sum += x(i, j) * x(i, j);
  return sum;
}
template <class X>
void write_double(X const& x, X& y) {
  for (std::size_t i = 0; i < x.rows(); ++i)
    for (std::size_t j = 0; j < x.columns(); ++j) y(i, j) = 2 * x(i, j);
}

// The same through a pointer.
struct Pointer {
  float* data;
  std::size_t row_count, column_count;

  std::size_t rows() const { return row_count; }
  std::size_t columns() const { return column_count; }
  float& operator()(std::size_t i, std::size_t j) const { return data[i * column_count + j]; }
};

void add_loops(Algebra& algebra) {
  auto const add = [&](std::string const& kind, auto const& make, auto const& seen) {
    algebra.add_on_heap("loop/sum_of_squares/" + kind, [=] { return [x = make(1), seen] { return sum_of_squares(seen(*x)); }; });
    algebra.add_on_heap("loop/double/" + kind, [=] {
      return [x = make(1), y = make(2), seen] {
        auto&& out = seen(*y);
        write_double(seen(*x), out);
        return last(*y);
      };
    });
  };
  auto const dynamic = [](std::uint32_t seed) { return tensor<Rows, Columns>(seed, bench::looped, bench::looped); };
  auto const itself = [](auto& x) -> auto& { return x; };
  add("fixed", [](std::uint32_t seed) { return tensor<FixedRows, FixedColumns>(seed); }, itself);
  add("fixed_view", [](std::uint32_t seed) { return tensor<FixedRows, FixedColumns>(seed); }, [](auto& x) { return x.view(); });
  add("dynamic", dynamic, itself);
  add("pointer", dynamic, [](auto& x) { return Pointer{x.data(), x.rows(), x.columns()}; });
}

enum class Limit { fma, streaming, none };

// What a case is measured in: operations or bytes.
struct Measure {
  Limit limit;
  double amount;
};

Measure measure_of(std::string const& name) {
  auto const begins = [&](char const* with) { return name.starts_with(with); };
  auto const bytes = [](double elements) { return Measure{Limit::streaming, 4 * elements}; };
  if (begins("product/")) {
    double const batched = 2.0 * bench::heads * bench::queries * bench::queries * bench::features;
    if (begins("product/scores") || begins("product/output")) return {Limit::fma, batched};
    double const n = std::stod(name.substr(8));
    return {Limit::fma, 2 * n * n * n};
  }
  if (begins("loop/sum")) return {Limit::none, 4.0 * bench::looped * bench::looped};
  if (begins("loop/")) return {Limit::none, 8.0 * bench::looped * bench::looped};
  if (name == "permute/10") return bytes(2.0 * bench::turned * bench::turned);
  double const block = double(bench::blocks * bench::block_rows) * bench::block_columns;
  if (begins("permute/")) return bytes(2 * block);
  if (begins("sum/middle")) return bytes(block);
  if (begins("gather")) return bytes(2.0 * bench::words * bench::width);
  double const large = double(bench::in_memory.rows * bench::in_memory.columns);
  if (begins("sum/") || begins("max/") || begins("argmax/")) return bytes(large);
  if (begins("softmax/") || begins("layer_norm")) return bytes(2 * large);
  double const operands = begins("scale_shift") || begins("exp") || begins("gelu") || begins("add_row") || begins("add_column") ? 2 : 3;
  if (name.ends_with(bench::name_of("", bench::in_memory))) return bytes(operands * large);
  return {Limit::none, 4 * operands * double(bench::in_cache.rows * bench::in_cache.columns)};
}

// What the first side of a case returned, which the others must return too.
std::map<std::string, float> results;

void run(benchmark::State& state, std::string const& name, std::function<Work()> const& prepare) {
  Measure const measure = measure_of(name);
  Work const work = prepare();
  float const result = work();
  if (auto const [known, is_new] = results.try_emplace(name, result);
      !is_new && !(std::abs(result - known->second) <= 1e-3f * std::max(1.0f, std::abs(known->second)))) {
    state.SkipWithError(("returned " + std::to_string(result) + ", another " + std::to_string(known->second)).c_str());
    return;
  }
  SerialExecutor executor;
  auto const once = [&] { benchmark::DoNotOptimize(work()); };
  if (measure.limit == Limit::fma) {
    bench::against_peak(state, executor, measure.amount, once);
  } else if (measure.limit == Limit::streaming) {
    bench::against_streaming(state, executor, measure.amount, once);
  } else {
    double least = std::numeric_limits<double>::infinity();
    for (auto _ : state) {
      double const taken = bench::seconds(once);
      state.SetIterationTime(taken);
      least = std::min(least, taken);
    }
    state.counters["least ms"] = least * 1e3;
    state.counters["GB/s"] = measure.amount * 1e-9 / least;
  }
}

[[maybe_unused]] int const registered = [] {
  Algebra algebra;
  add_products(algebra);
  add_elementwise(algebra, bench::in_memory);
  add_elementwise(algebra, bench::in_cache);
  add_reductions(algebra);
  add_copies(algebra);
  add_loops(algebra);

  std::vector<std::pair<char const*, Cases>> sides{{"axiform", algebra.on_heap}, {"axiform_context", algebra.in_context}};
#if defined(BENCH_EIGEN)
  sides.emplace_back("eigen", bench::eigen_cases());
#endif
#if defined(BENCH_XTENSOR)
  sides.emplace_back("xtensor", bench::xtensor_cases());
#endif
  // All sides of a case one after another: a neighbour of the machine that comes or goes meets all of them.
  for (auto const& [name, unused] : algebra.on_heap)
    for (auto const& [side, cases] : sides)
      if (auto const found = cases.find(name); found != cases.end())
        benchmark::RegisterBenchmark((name + "/" + side).c_str(),
                                     [name = name, prepare = found->second](benchmark::State& state) { run(state, name, prepare); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
  return 0;
}();

}  // namespace
