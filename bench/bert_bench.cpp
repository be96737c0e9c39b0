// BERT base with seeded weights: one sentence, a paragraph, a batch, a page.
#include <string>

#include <benchmark/benchmark.h>

#include <axiform/models/bert.hpp>
#include <axiform/nn/initialize.hpp>

#include "inputs.hpp"
#include "limits.hpp"

namespace {

using namespace axiform;
using Model = Bert<BertBase>;

Model const& model() {
  static Model const bert = [] {
    auto made = Model::create();
    auto context = Context::with_threads(2);
    initialize(made, {.seed = 1}, context);
    return made;
  }();
  return bert;
}

void forward(benchmark::State& state, std::size_t batch, std::size_t tokens, std::size_t threads) {
  Model const& bert = model();
  auto context = Context::with_threads(threads);
  bench::TokenSource source(BertBase::sizes.vocabulary);
  auto const sequences = bench::equal_sequences(batch, tokens);
  double const flops = double(Model::flops_per_token({}, BertBase::sizes, tokens)) * double(batch * tokens);
  auto const run = [&] {
    auto const states = bert({.ids = source.next(batch * tokens), .sequences = sequences}, context);
    benchmark::DoNotOptimize(states.data());
  };
  run();  // the pool of activations grows here
  bench::against_peak(state, context.executor(), flops, run);
  state.counters["tokens/s"] = double(batch * tokens) / state.counters["least ms"] * 1e3;
}

[[maybe_unused]] int const registered = [] {
  struct Case {
    std::size_t batch, tokens;
  };
  for (std::size_t threads : {1, 2})
    for (Case one : {Case{1, 16}, Case{1, 128}, Case{8, 128}, Case{1, 512}}) {
      auto const name =
          "bert_base/f32/" + std::to_string(one.batch) + "x" + std::to_string(one.tokens) + "/threads:" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { forward(state, one.batch, one.tokens, threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    }
  return 0;
}();

}  // namespace
