// GPT-2 124M with seeded weights in each format: token by token behind a short context, which is bound by memory, and a prompt, which is bound by
// arithmetic.
#include <map>
#include <string>

#include <benchmark/benchmark.h>

#include <axiform/models/gpt2.hpp>

#include "inputs.hpp"
#include "limits.hpp"

namespace {

using namespace axiform;
using Model = Gpt2<Gpt2Small>;
constexpr std::size_t hidden = Gpt2Small::Hidden::length;

Model const& model(WeightFormat format) {
  static std::map<WeightFormat, Model> models;
  return bench::seeded(models, format);
}

// The tokens [first, last) of a sequence, one at a time. Each reads every weight once, the token embedding as the head, and the keys and
// values of what came before it.
void decode(benchmark::State& state, WeightFormat format, std::size_t first, std::size_t last, std::size_t threads) {
  Model const& gpt2 = model(format);
  auto context = Context::with_threads(threads);
  bench::TokenSource source(Gpt2Small::sizes.vocabulary);
  auto cache = gpt2.make_cache(1, last);
  gpt2.last_logits(source.next(first), bench::equal_sequences(1, first), cache, context);
  auto const one = bench::equal_sequences(1, 1);

  std::size_t const weights = Model::parameter_count({}, Gpt2Small::sizes) - Gpt2Small::sizes.positions * hidden;
  std::size_t bytes = 0;
  for (std::size_t past = first; past < last; ++past)
    bytes += bytes_of(format, weights) + (past + 1) * Model::key_value_bytes_per_token({}, Gpt2Small::sizes);
  bench::against_streaming(state, context.executor(), double(bytes), [&] {
    cache.truncate(0, first);
    for (std::size_t past = first; past < last; ++past)
      benchmark::DoNotOptimize(gpt2.last_logits(source.next(1), one, cache, context).data());
  });
  state.counters["tokens/s"] = double(last - first) / state.counters["least ms"] * 1e3;
}

// A prompt, and the logits behind its last token.
void prefill(benchmark::State& state, WeightFormat format, std::size_t tokens, std::size_t threads) {
  Model const& gpt2 = model(format);
  auto context = Context::with_threads(threads);
  bench::TokenSource source(Gpt2Small::sizes.vocabulary);
  auto cache = gpt2.make_cache(1, tokens);
  auto const sequences = bench::equal_sequences(1, tokens);
  auto const run = [&] {
    cache.truncate(0, 0);
    benchmark::DoNotOptimize(gpt2.last_logits(source.next(tokens), sequences, cache, context).data());
  };
  run();
  // The head runs for one row; a token sees half of the keys on average.
  double const head = 2.0 * double(Gpt2Small::sizes.vocabulary * hidden);
  double const token = double(Model::flops_per_token({}, Gpt2Small::sizes, (tokens + 1) / 2)) - head;
  bench::against_peak(state, context.executor(), token * double(tokens) + head, run);
  state.counters["tokens/s"] = double(tokens) / state.counters["least ms"] * 1e3;
}

[[maybe_unused]] int const registered = [] {
  for (std::size_t threads : {1, 2}) {
    auto const suffix = "/threads:" + std::to_string(threads);
    for (WeightFormat format : weight_formats) {
      auto const name = "gpt2/" + std::string(name_of(format)) + "/decode/context:16-80" + suffix;
      benchmark::RegisterBenchmark(name.c_str(), [=](auto& state) { decode(state, format, 16, 80, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
    for (WeightFormat format : weight_formats) {
      auto const name = "gpt2/" + std::string(name_of(format)) + "/prefill/512" + suffix;
      benchmark::RegisterBenchmark(name.c_str(), [=](auto& state) { prefill(state, format, 512, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
  return 0;
}();

}  // namespace
