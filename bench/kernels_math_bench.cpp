// What a function costs for each element of a row that lies in L1, beside what the machine could do: independent fma, and a load and a
// store for each vector.
//
//   build/release/bench/kernels_math_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only
#include <axiform/kernels/activation.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/layer_norm.hpp>
#include <axiform/kernels/softmax.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

#include <benchmark/benchmark.h>

namespace kernels = axiform::kernels;
namespace simd = axiform::simd;

namespace {

std::vector<float> inputs(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 3.0F * std::sin(static_cast<float>(i) * 1.7F);
  return values;
}

void report_elements(benchmark::State& state, std::size_t elements) {
  state.counters["ns/element"] =
      benchmark::Counter(static_cast<double>(elements) * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

template <class Each>
void over_row(benchmark::State& state, Each each) {
  std::size_t const count = 3072;
  // Half a page lies between what is read and what is written. Whole pages and a few bytes apart, each load would wait
  // for the store before it.
  auto buffer = inputs(2 * count + 512);
  float const* const in = buffer.data();
  float* const out = buffer.data() + count + 512;
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; i += simd::lanes) simd::store(out + i, each(simd::load(in + i)));
    benchmark::DoNotOptimize(out);
    benchmark::ClobberMemory();
  }
  report_elements(state, count);
}

// The limit of arithmetic: ns for one fma of each element, from 16 chains that hide its latency.
void fma_peak(benchmark::State& state) {
  simd::Floats sums[16];
  for (auto& sum : sums) sum = simd::broadcast(1.0F);
  simd::Floats factor = simd::broadcast(0.999F), term = simd::broadcast(0.001F);
  benchmark::DoNotOptimize(factor);
  benchmark::DoNotOptimize(term);
  for (auto _ : state) {
    for (int i = 0; i < 64; ++i)
      for (auto& sum : sums) sum = simd::fma(sum, factor, term);
    benchmark::DoNotOptimize(sums);
  }
  report_elements(state, 64 * 16 * simd::lanes);
}

void softmax(benchmark::State& state) {
  std::size_t const count = static_cast<std::size_t>(state.range(0));
  auto const in = inputs(count);
  auto row = in;
  for (auto _ : state) {
    std::copy(in.begin(), in.end(), row.begin());
    kernels::softmax_row(row.data(), count, count, 0.125F);
    benchmark::DoNotOptimize(row.data());
    benchmark::ClobberMemory();
  }
  report_elements(state, count);
}

void layer_norm(benchmark::State& state) {
  std::size_t const columns = static_cast<std::size_t>(state.range(0)), rows = 8;
  auto const x = inputs(rows * columns), weight = inputs(columns), bias = inputs(columns);
  std::vector<float> y(rows * columns);
  for (auto _ : state) {
    kernels::layer_norm(x.data(), columns, weight.data(), bias.data(), 1e-12F, y.data(), columns, rows, columns);
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
  }
  report_elements(state, rows * columns);
}

void add_row(benchmark::State& state) {
  std::size_t const count = static_cast<std::size_t>(state.range(0));
  auto const source = inputs(count);
  std::vector<float> target(count);
  for (auto _ : state) {
    kernels::add_row(source.data(), target.data(), count);
    benchmark::DoNotOptimize(target.data());
    benchmark::ClobberMemory();
  }
  report_elements(state, count);
}

void scalar_erf_gelu(benchmark::State& state) {
  std::size_t const count = 3072;
  auto const in = inputs(count);
  std::vector<float> out(count);
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i) out[i] = 0.5F * in[i] * (1.0F + std::erf(in[i] * 0.70710678F));
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_elements(state, count);
}

BENCHMARK(fma_peak);
BENCHMARK_CAPTURE(over_row, copy, [](simd::Floats x) { return x; });
BENCHMARK_CAPTURE(over_row, exp, [](simd::Floats x) { return kernels::exp(x); });
BENCHMARK_CAPTURE(over_row, exp_nonpositive, [](simd::Floats x) { return kernels::exp_nonpositive(x); });
BENCHMARK_CAPTURE(over_row, tanh, [](simd::Floats x) { return kernels::tanh(x); });
BENCHMARK_CAPTURE(over_row, erf, [](simd::Floats x) { return kernels::erf(x); });
BENCHMARK_CAPTURE(over_row, erfc, [](simd::Floats x) { return kernels::erfc(x); });
BENCHMARK_CAPTURE(over_row, gelu, [](simd::Floats x) { return kernels::gelu(x); });
BENCHMARK_CAPTURE(over_row, gelu_tanh, [](simd::Floats x) { return kernels::gelu_tanh(x); });
BENCHMARK_CAPTURE(over_row, silu, [](simd::Floats x) { return kernels::silu(x); });
BENCHMARK(scalar_erf_gelu);
BENCHMARK(softmax)->ArgName("keys")->Arg(16)->Arg(128)->Arg(125)->Arg(512);
BENCHMARK(layer_norm)->ArgName("columns")->Arg(384)->Arg(768);
BENCHMARK(add_row)->ArgName("columns")->Arg(768);

}  // namespace
