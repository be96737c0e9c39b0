// BERT base with seeded weights in each format: one sentence, a paragraph, a batch, a page.
#include <map>
#include <string>

#include <benchmark/benchmark.h>

#include <axiform/models/bert.hpp>

#include "inputs.hpp"
#include "limits.hpp"

namespace {

using namespace axiform;
using Model = Bert<BertBase>;

Model const& model(WeightFormat format) {
  static std::map<WeightFormat, Model> models;
  return bench::seeded(models, format);
}

void forward(benchmark::State& state, WeightFormat format, std::size_t batch, std::size_t tokens, std::size_t threads) {
  Model const& bert = model(format);
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
    for (Case one : {Case{1, 16}, Case{1, 128}, Case{8, 128}, Case{1, 512}})
      for (WeightFormat format : weight_formats) {
        auto const name = "bert_base/" + std::string(name_of(format)) + "/" + std::to_string(one.batch) + "x" + std::to_string(one.tokens) +
                          "/threads:" + std::to_string(threads);
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { forward(state, format, one.batch, one.tokens, threads); })
            ->UseManualTime()
            ->Unit(benchmark::kMillisecond);
      }
  return 0;
}();

}  // namespace
