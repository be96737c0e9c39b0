// BERT base with seeded weights in each format: one sentence, a paragraph, a batch, a page. ModernBERT base in fp32, which most of its layers see through a
// window: the same, and a long text.
#include <map>
#include <string>

#include <benchmark/benchmark.h>

#include <axiform/models/bert.hpp>
#include <axiform/models/modernbert.hpp>

#include "inputs.hpp"
#include "limits.hpp"

namespace {

using namespace axiform;

template <class Model>
Model const& model(WeightFormat format) {
  static std::map<WeightFormat, Model> models;
  return bench::seeded(models, format);
}

template <class Model>
void forward(benchmark::State& state, WeightFormat format, std::size_t batch, std::size_t tokens, std::size_t threads) {
  using D = typename Model::DimensionsType;
  Model const& encoder = model<Model>(format);
  auto context = Context::with_threads(threads);
  bench::TokenSource source(D::sizes.vocabulary);
  auto const sequences = bench::equal_sequences(batch, tokens);
  double const flops = double(Model::flops_per_token({}, D::sizes, tokens)) * double(batch * tokens);
  auto const run = [&] {
    auto const states = encoder({.ids = source.next(batch * tokens), .sequences = sequences}, context);
    benchmark::DoNotOptimize(states.data());
  };
  run();  // the pool of activations grows here
  bench::against_peak(state, context.executor(), flops, run);
  state.counters["tokens/s"] = double(batch * tokens) / state.counters["least ms"] * 1e3;
}

template <class Model>
void add(std::string const& name, WeightFormat format, std::size_t batch, std::size_t tokens, std::size_t threads) {
  auto const full = name + "/" + std::string(name_of(format)) + "/" + std::to_string(batch) + "x" + std::to_string(tokens) +
                    "/threads:" + std::to_string(threads);
  benchmark::RegisterBenchmark(full.c_str(), [=](benchmark::State& state) { forward<Model>(state, format, batch, tokens, threads); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

[[maybe_unused]] int const registered = [] {
  struct Case {
    std::size_t batch, tokens;
  };
  for (std::size_t threads : {1, 2}) {
    for (Case one : {Case{1, 16}, Case{1, 128}, Case{8, 128}, Case{1, 512}})
      for (WeightFormat format : weight_formats) add<Bert<BertBase>>("bert_base", format, one.batch, one.tokens, threads);
    for (Case one : {Case{1, 16}, Case{1, 128}, Case{8, 128}, Case{1, 512}, Case{1, 8192}})
      add<ModernBert<ModernBertBase>>("modernbert_base", WeightFormat::f32, one.batch, one.tokens, threads);
  }
  return 0;
}();

}  // namespace
