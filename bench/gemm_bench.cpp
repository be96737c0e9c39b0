// The packed product on BERT base's shapes, and the one-row product on weights that no cache holds.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <axiform/core/thread_pool.hpp>
#include <axiform/kernels/gemm.hpp>

#include "limits.hpp"

namespace {

using namespace axiform;

void gemm(benchmark::State& state, std::size_t m, std::size_t n, std::size_t k, kernels::Activation activation, std::size_t threads) {
  ThreadPool executor(threads);
  auto a = bench::floats(m * k);
  auto b = bench::floats(kernels::packed_floats(k, n));
  auto c = bench::floats(m * n);
  auto bias = bench::floats(n);
  kernels::Epilogue const epilogue{.bias = bench::data(bias), .activation = activation};
  bench::against_peak(state, executor, 2.0 * double(m) * double(n) * double(k),
                      [&] { kernels::gemm(m, n, k, bench::data(a), k, bench::data(b), bench::data(c), n, epilogue, executor); });
}

// Few rows against a row of matrices that together are larger than any cache, as the layers of a model are.
void few_rows(benchmark::State& state, std::size_t m, std::size_t n, std::size_t k, std::size_t threads) {
  ThreadPool executor(threads);
  std::size_t const size = kernels::packed_floats(k, n);
  std::size_t const matrices = (std::size_t{64} << 20) / size + 1;
  auto a = bench::floats(m * k);
  auto b = bench::floats(matrices * size);
  auto c = bench::floats(m * n);
  bench::against_streaming(state, executor, double(matrices * size * sizeof(float)), [&] {
    for (std::size_t i = 0; i < matrices; ++i)
      kernels::gemm(m, n, k, bench::data(a), k, bench::data(b) + i * size, bench::data(c), n, {}, executor);
  });
}

[[maybe_unused]] int const registered = [] {
  for (std::size_t threads : {1, 2}) {
    struct Shape {
      std::size_t n, k;
    };
    std::vector<Shape> const bert{{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}};
    std::vector<Shape> const mini{{384, 384}, {1152, 384}, {1536, 384}, {384, 1536}};
    auto const add = [&](std::size_t m, Shape shape, kernels::Activation activation, char const* suffix) {
      auto const name = "gemm/f32/" + std::to_string(m) + "x" + std::to_string(shape.n) + "x" + std::to_string(shape.k) + suffix +
                        "/threads:" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { gemm(state, m, shape.n, shape.k, activation, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    };
    for (std::size_t m : {16, 128, 512, 1024})
      for (Shape shape : bert) add(m, shape, kernels::Activation::none, "");
    add(128, {3072, 768}, kernels::Activation::gelu, "/gelu");
    add(128, {3072, 768}, kernels::Activation::gelu_tanh, "/gelu_tanh");
    for (Shape shape : mini) add(128, shape, kernels::Activation::none, "");
    for (std::size_t m : {1, 2, 3, 4, 8})
      for (Shape shape : bert) {
        auto const name = "few_rows/f32/" + std::to_string(m) + "x" + std::to_string(shape.n) + "x" + std::to_string(shape.k) +
                          "/threads:" + std::to_string(threads);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { few_rows(state, m, shape.n, shape.k, threads); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
  }
  return 0;
}();

}  // namespace
