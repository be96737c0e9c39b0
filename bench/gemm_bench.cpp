// The packed product on the shapes of BERT base, MiniLM and SmolLM2, and of few rows on weights that no cache holds, with weights in each format.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <axiform/core/thread_pool.hpp>
#include <axiform/kernels/gemm.hpp>

#include "limits.hpp"

namespace {

using namespace axiform;

void gemm(benchmark::State& state, std::size_t m, std::size_t n, std::size_t k, WeightFormat format, Activation activation,
          std::size_t threads) {
  ThreadPool executor(threads);
  auto a = bench::floats(m * k);
  auto const b = bench::packed_weights(k, n, format);
  auto c = bench::floats(m * n);
  auto bias = bench::floats(n);
  Buffer scratch(kernels::gemm_scratch_bytes(format, m, k));
  kernels::Epilogue const epilogue{.bias = bench::data(bias), .activation = activation};
  bench::against_peak(state, executor, 2.0 * double(m) * double(n) * double(k), [&] {
    kernels::gemm(m, n, k, bench::data(a), k, {b.data(), format}, bench::data(c), n, epilogue, executor,
                  static_cast<std::byte*>(scratch.data()));
  });
}

// Few rows against a row of matrices that together are larger than any cache, as the layers of a model are.
void few_rows(benchmark::State& state, std::size_t m, std::size_t n, std::size_t k, WeightFormat format, std::size_t threads) {
  ThreadPool executor(threads);
  std::size_t const bytes = (bench::packed_bytes(k, n, format) + 63) / 64 * 64;
  std::size_t const matrices = (std::size_t{256} << 20) / (kernels::packed_floats(k, n) * sizeof(float)) + 1;
  auto a = bench::floats(m * k);
  Buffer const one = bench::packed_weights(k, n, format), b(matrices * bytes), scratch(kernels::gemm_scratch_bytes(format, m, k));
  for (std::size_t i = 0; i < matrices; ++i)
    std::copy_n(static_cast<std::byte const*>(one.data()), bench::packed_bytes(k, n, format),
                static_cast<std::byte*>(b.data()) + i * bytes);
  auto c = bench::floats(m * n);
  bench::against_streaming(state, executor, double(matrices * bytes), [&] {
    for (std::size_t i = 0; i < matrices; ++i)
      kernels::gemm(m, n, k, bench::data(a), k, {static_cast<std::byte const*>(b.data()) + i * bytes, format}, bench::data(c), n, {},
                    executor, static_cast<std::byte*>(scratch.data()));
  });
}

[[maybe_unused]] int const registered = [] {
  struct Shape {
    std::size_t n, k;
  };
  std::vector<Shape> const bert{{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}};
  std::vector<Shape> const mini{{384, 384}, {1152, 384}, {1536, 384}, {384, 1536}},
      smol{{960, 576}, {1536, 576}, {576, 1536}, {49152, 576}};
  auto const name = [](char const* kind, WeightFormat format, std::size_t m, Shape shape, char const* suffix, std::size_t threads) {
    return std::string(kind) + "/" + std::string(name_of(format)) + "/" + std::to_string(m) + "x" + std::to_string(shape.n) + "x" +
           std::to_string(shape.k) + suffix + "/threads:" + std::to_string(threads);
  };
  // q4_k has no rows of 384 or 576.
  auto const formats_of = [](Shape shape) {
    std::vector<WeightFormat> formats(weight_formats.begin(), weight_formats.end());
    std::erase_if(formats, [=](WeightFormat format) { return format_of_rows(format, shape.k) != format; });
    return formats;
  };
  // The formats one after another for each shape: a neighbour of the machine that comes or goes meets all of them.
  for (std::size_t threads : {1, 2}) {
    auto const add = [&](std::size_t m, Shape shape, Activation activation, char const* suffix) {
      for (WeightFormat format : formats_of(shape))
        benchmark::RegisterBenchmark(name("gemm", format, m, shape, suffix, threads).c_str(),
                                     [=](benchmark::State& state) { gemm(state, m, shape.n, shape.k, format, activation, threads); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
    };
    for (std::size_t m : {16, 128, 512, 1024})
      for (Shape shape : bert) add(m, shape, Activation::none, "");
    add(128, {3072, 768}, Activation::gelu, "/gelu");
    add(128, {3072, 768}, Activation::gelu_tanh, "/gelu_tanh");
    for (Shape shape : mini) add(128, shape, Activation::none, "");
    for (std::size_t m : {64, 256})
      for (Shape shape : smol)
        if (shape.n < 10'000) add(m, shape, Activation::none, "");
    std::vector<Shape> shapes = bert;
    shapes.insert(shapes.end(), smol.begin(), smol.end());
    for (std::size_t m : {1, 2, 3, 4, 6, 8})
      for (Shape shape : shapes)
        for (WeightFormat format : formats_of(shape))
          benchmark::RegisterBenchmark(name("few_rows", format, m, shape, "", threads).c_str(),
                                       [=](benchmark::State& state) { few_rows(state, m, shape.n, shape.k, format, threads); })
              ->UseManualTime()
              ->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

}  // namespace
