/// @file
/// What the machine can do, measured beside the work: fma without memory, and reading without arithmetic.
///
/// A time by itself says little on a shared machine. Each benchmark here takes the least time of its repetitions, and says which part that is
/// of a limit measured just before and just after.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>
#include <vector>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include <benchmark/benchmark.h>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/memory.hpp>
#include <axiform/core/weight_blocks.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/packed_blocks.hpp>
#include <axiform/kernels/packing.hpp>
#include <axiform/kernels/weights.hpp>
#include <axiform/simd/batch.hpp>
#include <axiform/simd/tiles.hpp>
#include <axiform/simd/words.hpp>

namespace bench {

using namespace axiform;

template <class Work>
double seconds(Work const& work) {
  auto const begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline constexpr std::size_t peak_sums = 12;  // more than latency times throughput, fewer than the registers
inline constexpr std::size_t peak_steps = 100'000;

/// 1e9 operations a second of `run`, which does `peak_steps` times `peak_sums` instructions of so many operations, on all threads of the executor.
template <class Run>
double peak(Executor& executor, std::size_t operations, Run const& run) {
  PassScope const pass(executor);
  double const taken = seconds([&] { executor.parallel_for(executor.concurrency(), run); });
  return double(executor.concurrency()) * double(peak_sums * peak_steps * operations) / taken * 1e-9;
}

/// GFLOP/s of independent fma on registers, on all threads of the executor.
inline double fma_peak(Executor& executor) {
  constexpr std::size_t sums = peak_sums, steps = peak_steps;
  return peak(executor, simd::lanes * 2, [](std::size_t) {
    simd::Floats sum[sums];
    for (auto& one : sum) one = simd::broadcast(0.0f);
    // Volatile, so that nothing is computed beforehand. (Of a float that is handed to Benchmark 1.7's DoNotOptimize GCC 12 forgets the value: it was whatever lay
    // on the stack, at times a number below the normal ones, with which Intel's processors take 250 times as long.)
    float const volatile one = 1.0f, small = 1e-9f;
    simd::Floats const a = simd::broadcast(one), b = simd::broadcast(small);
    for (std::size_t i = 0; i < steps; ++i)
#pragma GCC unroll 12
      for (std::size_t j = 0; j < sums; ++j) sum[j] = simd::fma(a, b, sum[j]);
    for (auto const& result : sum) {
      float kept = result.get(0);
      benchmark::DoNotOptimize(kept);
    }
  });
}

#if defined(AXIFORM_HAS_AMX)
// Products of tiles: four sums, as kernels have them. `add.operator()<Sum>()` adds the product of tiles 4 and 6 to tile `Sum`.
template <class Add>
double tile_peak(Executor& executor, std::size_t operations, Add const& add) {
  static_assert(peak_sums % 4 == 0);
  return peak(executor, operations, [&](std::size_t) {
    simd::TileScope const scope(simd::tile_height, simd::tile_words);
    simd::zero_tile<4>();
    simd::zero_tile<6>();
    for (std::size_t i = 0; i < peak_steps; ++i)
#pragma GCC unroll 3
      for (std::size_t j = 0; j < peak_sums; j += 4) {
        add.template operator()<0>();
        add.template operator()<1>();
        add.template operator()<2>();
        add.template operator()<3>();
      }
  });
}
#endif

/// The same of products of bf16: of tiles with AMX, else 32 a vector and instruction; without AVX512-BF16 that of fma.
inline double bf16_peak(Executor& executor) {
#if defined(AXIFORM_HAS_AMX)
  if (simd::may_use_tiles()) return tile_peak(executor, 16 * 16 * 32 * 2, []<int Sum>() { simd::add_products_of_pairs<Sum, 4, 6>(); });
#endif
#if defined(__AVX512BF16__)
  return peak(executor, 64, [](std::size_t) {
    auto ones = _mm512_set1_epi16(0x3f80);
    benchmark::DoNotOptimize(ones);
    auto const a = reinterpret_cast<__m512bh>(ones);
    __m512 sum[peak_sums] = {};
    for (std::size_t i = 0; i < peak_steps; ++i)
#pragma GCC unroll 12
      for (std::size_t j = 0; j < peak_sums; ++j) asm volatile("vdpbf16ps %1, %1, %0" : "+v"(sum[j]) : "v"(a));
#pragma GCC unroll 12
    for (std::size_t j = 0; j < peak_sums; ++j) {  // a copy: a sum whose address is taken would be kept in memory
      float kept = _mm512_cvtss_f32(sum[j]);
      benchmark::DoNotOptimize(kept);
    }
  });
#else
  return fma_peak(executor);
#endif
}

/// The same of products of 8 bits, 64 or with AVX-VNNI 32 a vector and instruction; without VNNI that of fma.
inline double int8_peak(Executor& executor) {
#if defined(AXIFORM_HAS_AMX)
  if (simd::may_use_tiles()) return tile_peak(executor, 16 * 16 * 64 * 2, []<int Sum>() { simd::add_products_of_bytes<Sum, 4, 6>(); });
#endif
#if defined(AXIFORM_HAS_VNNI)
  return peak(executor, 8 * simd::lanes, [](std::size_t) {
    simd::Ints const a(0x01010101);
    simd::Ints sum[peak_sums];
#pragma GCC unroll 12
    for (std::size_t j = 0; j < peak_sums; ++j) sum[j] = simd::Ints(static_cast<int>(j));  // equal ones would be one to the compiler
    for (std::size_t i = 0; i < peak_steps; ++i)
#pragma GCC unroll 12
      for (std::size_t j = 0; j < peak_sums; ++j) simd::add_products_of_four(sum[j], a, a);
#pragma GCC unroll 12
    for (std::size_t j = 0; j < peak_sums; ++j) {  // a copy, as above
      simd::Ints const result = sum[j];
      int kept = result.get(0);
      benchmark::DoNotOptimize(kept);
    }
  });
#else
  return fma_peak(executor);
#endif
}

/// GB/s of reading memory that no cache holds, each thread its own part, on all threads of the executor.
inline double streaming_read(Executor& executor) {
  constexpr std::size_t bytes = std::size_t{256} << 20;
  static Buffer const buffer = [] {
    Buffer filled(bytes);
    std::fill_n(static_cast<float*>(filled.data()), bytes / sizeof(float), 1.0f);
    return filled;
  }();
  float const* const data = static_cast<float const*>(buffer.data());
  // Four streams a thread: one alone does not keep every prefetcher busy.
  constexpr std::size_t streams = 4;
  constexpr std::size_t step = 2 * simd::lanes;
  std::size_t const stream = bytes / sizeof(float) / executor.concurrency() / streams / step * step;
  PassScope const pass(executor);
  double const taken = seconds([&] {
    executor.parallel_for(executor.concurrency(), [&](std::size_t thread) {
      float const* const from = data + thread * streams * stream;
      simd::Floats sum[streams][2];
      for (auto& pair : sum) pair[0] = pair[1] = simd::broadcast(0.0f);
      for (std::size_t i = 0; i < stream; i += step)
#pragma GCC unroll 8
        for (std::size_t j = 0; j < streams; ++j) {
          sum[j][0] += simd::load(from + j * stream + i);
          sum[j][1] += simd::load(from + j * stream + i + simd::lanes);
        }
      for (auto const& pair : sum) {
        float kept = pair[0].get(0) + pair[1].get(0);
        benchmark::DoNotOptimize(kept);
      }
    });
  });
  return double(streams * stream * sizeof(float) * executor.concurrency()) / taken * 1e-9;
}

/// Runs `work` for each iteration of `state`, and reports the least time, what `amount` (in 1e9 units) that makes a second, and its share of `limit`,
/// which is measured before, after, and every now and then between: the neighbours on a shared machine come and go. The greatest counts.
template <class Work, class Limit>
void against_limit(benchmark::State& state, char const* unit, char const* share, double amount, Work const& work, Limit const& limit) {
  constexpr double between = 0.05;  // seconds
  double best = 0.0;
  double least = std::numeric_limits<double>::infinity();
  double since = between;
  for (auto _ : state) {
    if (since >= between) {
      best = std::max(best, limit());
      since = 0.0;
    }
    double const taken = seconds(work);
    state.SetIterationTime(taken);
    least = std::min(least, taken);
    since += taken;
  }
  best = std::max(best, limit());
  state.counters["least ms"] = least * 1e3;
  state.counters[unit] = amount * 1e-9 / least;
  state.counters[share] = 100.0 * amount * 1e-9 / least / best;
}

/// The share of the peak of fma that `flops` floating-point operations reach.
template <class Work>
void against_peak(benchmark::State& state, Executor& executor, double flops, Work const& work) {
  PassScope const pass(executor);
  against_limit(state, "GFLOP/s", "% of FMA peak", flops, work, [&] { return fma_peak(executor); });
}

/// The share of the streaming rate at which `bytes` bytes are read.
template <class Work>
void against_streaming(benchmark::State& state, Executor& executor, double bytes, Work const& work) {
  PassScope const pass(executor);
  against_limit(state, "GB/s", "% of streaming read", bytes, work, [&] { return streaming_read(executor); });
}

/// A buffer of floats that are neither equal nor denormal.
inline Buffer floats(std::size_t count) {
  Buffer buffer(std::max<std::size_t>(count, 1) * sizeof(float));
  float* const values = static_cast<float*>(buffer.data());
  for (std::size_t i = 0; i < count; ++i) values[i] = (float(i * 2654435761u % 65537) - 32768.0f) * 3e-5f;
  return buffer;
}
inline float* data(Buffer& buffer) { return static_cast<float*>(buffer.data()); }

/// The bytes of a packed matrix of `n` outputs and `k` inputs in a format.
inline std::size_t packed_bytes(std::size_t k, std::size_t n, WeightFormat format) {
  return bytes_of(format, is_in_blocks(format) ? kernels::packed_block_weights(k, n) : kernels::packed_floats(k, n));
}

/// A packed matrix of `n` outputs and `k` inputs as weights in a format.
inline Buffer packed_weights(std::size_t k, std::size_t n, WeightFormat format) {
  Buffer buffer(std::max<std::size_t>(packed_bytes(k, n, format), 1));
  if (is_in_blocks(format)) {
    Buffer values = floats(k);
    std::vector<std::byte> blocks(bytes_of(format, k));
    write_blocks(format, data(values), k, blocks.data());
    for (std::size_t output = 0; output < n; ++output)
      pack_blocks(format, blocks.data(), kernels::BlockLayout{k, n}.panels(format, static_cast<std::byte*>(buffer.data())), output, 0,
                  k / weights_of_block(format));
  } else {
    std::size_t const count = kernels::packed_floats(k, n);
    Buffer values = floats(count);
    kernels::write_weights(format, data(values), buffer.data(), count);
  }
  return buffer;
}

}  // namespace bench
