// Attention of BERT base and MiniLM shapes, bidirectional and causal, with shared key heads, a window and a bias, and the decoding of one token from a
// cache.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <axiform/core/thread_pool.hpp>
#include <axiform/kernels/attention.hpp>

#include "limits.hpp"

namespace {

using namespace axiform;

// What an attention has besides its sizes.
struct Form {
  kernels::AttentionMask mask = kernels::AttentionMask::none;
  std::size_t group = 1;   // heads that share one of keys
  std::size_t window = 0;  // 0 for none
  bool has_bias = false;
  bool in_bfloat16 = false;  // rows as an encoder's products leave them
};

// `sequences` sequences of `tokens` tokens, queries, keys and values side by side as the fused projection leaves them.
struct Batch {
  std::size_t heads, head_size, width, rows;
  std::vector<std::size_t> offsets;
  Buffer fused, output, pairs;

  Batch(std::size_t sequences, std::size_t tokens, std::size_t heads_, std::size_t head_size_)
      : heads(heads_),
        head_size(head_size_),
        width(heads * head_size),
        rows(sequences * tokens),
        fused(bench::floats(rows * width * 3)),
        output(bench::floats(rows * width)) {
    for (std::size_t s = 0; s <= sequences; ++s) offsets.push_back(s * tokens);
  }
  kernels::AttentionQueries queries(kernels::AttentionMask mask) {
    return {.sequences = offsets.size() - 1,
            .heads = heads,
            .head_size = head_size,
            .scale = 1.0f / std::sqrt(float(head_size)),
            .mask = mask,
            .offsets = offsets.data(),
            .query = bench::data(fused),
            .query_stride = 3 * width,
            .output = bench::data(output),
            .output_stride = width};
  }
  kernels::PairRows rounded() {
    kernels::PairRows target{rows, 3 * width, nullptr};
    pairs = bench::floats(target.bytes() / sizeof(float));
    target.words = bench::data(pairs);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t chunk = 0; chunk < target.chunks(); ++chunk)
        kernels::round_to_pairs(bench::data(fused) + row * 3 * width + chunk * target.chunk_columns, target.chunk_columns,
                                target.at(row, chunk));
    return target;
  }
  kernels::PairRows rounded_output() { return {rows, width, bench::data(output)}; }
  kernels::KeyValueRows keys() { return {bench::data(fused) + width, 3 * width, bench::data(fused) + 2 * width, 3 * width}; }
};

// The share counts the products' operations alone; the softmax comes on top.
void whole(benchmark::State& state, std::size_t sequences, std::size_t tokens, std::size_t heads, std::size_t head_size, Form const& form,
           std::size_t threads) {
  ThreadPool executor(threads);
  Batch batch(sequences, tokens, heads, head_size);
  auto bias = bench::floats(heads * (2 * tokens - 1));
  auto queries = batch.queries(form.mask);
  queries.group = form.group;
  queries.window = form.window;
  if (form.has_bias) queries.bias = {bench::data(bias) + tokens - 1, static_cast<std::ptrdiff_t>(2 * tokens - 1), -1};
  double pairs = 0;
  for (std::size_t query = 0; query < tokens; ++query) {
    std::size_t const seen = form.mask == kernels::AttentionMask::none ? tokens : query + 1;
    pairs += double(form.window != 0 ? std::min(seen, form.window) : seen);
  }
  auto const run = [&](auto const& rows) {
    auto scratch = bench::floats(kernels::attention_scratch_floats(queries, rows, executor.concurrency()));
    bench::against_peak(state, executor, 4.0 * double(sequences * heads * head_size) * pairs,
                        [&] { kernels::attention(queries, rows, bench::data(scratch), executor); });
  };
  if (form.in_bfloat16) {
    run(kernels::RoundedAttentionRows{batch.rounded(), batch.rounded_output()});
  } else {
    run(kernels::AttentionKeys{batch.offsets.data(), batch.keys()});
  }
}

// One token against `tokens` in the caches of many layers, which together no cache of the processor holds.
void decode(benchmark::State& state, std::size_t tokens, std::size_t heads, std::size_t group, std::size_t head_size, CacheFormat format,
            std::size_t threads) {
  ThreadPool executor(threads);
  Batch batch(1, tokens, heads, head_size);
  std::size_t const key_heads = heads / group;
  auto const layout = kernels::KeyValueLayout::for_keys(key_heads, head_size, tokens, format);
  std::size_t const layers = (std::size_t{64} << 20) / layout.floats() + 1;
  auto caches = bench::floats(layers * layout.floats());
  for (std::size_t i = 0; i < layers; ++i)
    kernels::append_keys_values(layout, bench::data(caches) + i * layout.floats(), 0, tokens, batch.keys(), 0, key_heads);
  auto queries = batch.queries(kernels::AttentionMask::causal);
  queries.group = group;
  std::size_t const offsets[]{0, 1};
  queries.offsets = offsets;
  kernels::CachedKeys cached{layout, bench::data(caches), tokens};
  auto scratch = bench::floats(kernels::attention_scratch_floats(queries, &cached, executor.concurrency()));
  bench::against_streaming(state, executor, double(layers * layout.floats() * sizeof(float)), [&] {
    for (std::size_t i = 0; i < layers; ++i) {
      cached.data = bench::data(caches) + i * layout.floats();
      kernels::attention(queries, &cached, bench::data(scratch), executor);
    }
  });
}

[[maybe_unused]] int const registered = [] {
  for (std::size_t threads : {1, 2}) {
    struct Case {
      char const* name;
      std::size_t sequences, tokens, heads, head_size;
      Form form = {};
    };
    constexpr auto causal = kernels::AttentionMask::causal;
    for (Case one :
         {Case{"bert_base/1x16", 1, 16, 12, 64}, Case{"bert_base/8x128", 8, 128, 12, 64}, Case{"bert_base/1x512", 1, 512, 12, 64},
          Case{"minilm/32x27", 32, 27, 12, 32}, Case{"mpnet_base/1x512/bias", 1, 512, 12, 64, {.has_bias = true}},
          Case{"gpt2/1x512", 1, 512, 12, 64, {causal}}, Case{"gpt2/1x1024", 1, 1024, 12, 64, {causal}},
          Case{"gpt2/1x8192", 1, 8192, 12, 64, {causal}}, Case{"minilm/8x13", 8, 13, 12, 32}, Case{"bert_base/8x33", 8, 33, 12, 64},
          Case{"gpt2/1x1024/groups_of_4", 1, 1024, 12, 64, {causal, 4}},
          Case{"gpt2/1x1024/window_128", 1, 1024, 12, 64, {causal, 1, 128}}}) {
      for (bool in_bfloat16 : {false, true}) {
        one.form.in_bfloat16 = in_bfloat16;
        if (in_bfloat16 && (one.form.mask == causal || simd::bfloat16_products != simd::Bfloat16Products::of_tiles)) continue;
        auto const name = std::string("attention/") + (in_bfloat16 ? "bf16/" : "f32/") + one.name + "/threads:" + std::to_string(threads);
        benchmark::RegisterBenchmark(
            name.c_str(),
            [=](benchmark::State& state) { whole(state, one.sequences, one.tokens, one.heads, one.head_size, one.form, threads); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
    struct Decoder {
      char const* name;
      std::size_t heads, group, tokens;
    };
    for (CacheFormat format : cache_formats)
      for (Decoder one : {Decoder{"gpt2", 12, 1, 128}, Decoder{"gpt2", 12, 1, 1024}, Decoder{"gpt2", 12, 1, 8192},
                          Decoder{"smollm2", 9, 3, 1024}, Decoder{"smollm2", 9, 3, 8192}, Decoder{"smollm2", 9, 3, 32768}}) {
        auto const name = "attention/" + std::string(name_of(format)) + "/" + one.name + "/decode/context:" + std::to_string(one.tokens) +
                          "/threads:" + std::to_string(threads);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [=](benchmark::State& state) { decode(state, one.tokens, one.heads, one.group, 64, format, threads); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
  }
  return 0;
}();

}  // namespace
