// Semantic search and paraphrase mining over embeddings as wide as MiniLM's, whose numbers mean nothing.
#include <string>

#include <benchmark/benchmark.h>

#include <axiform/tasks/semantic_search.hpp>

#include "limits.hpp"

namespace {

using namespace axiform;

constexpr std::size_t width = 384;

View<axes::Sequences, axes::Hidden> rows(Buffer& buffer) {
  return {bench::data(buffer), Shape<axes::Sequences, axes::Hidden>(buffer.bytes() / sizeof(float) / width, width)};
}

// One query is bound by reading the corpus, many are by arithmetic.
void search(benchmark::State& state, std::size_t queries, std::size_t threads) {
  Context context = Context::with_threads(threads);
  auto corpus = bench::floats(100'000 * width), asked = bench::floats(queries * width);
  auto const work = [&] { benchmark::DoNotOptimize(semantic_search(rows(asked), rows(corpus), {}, context)); };
  if (queries == 1) {
    bench::against_streaming(state, context.executor(), double(corpus.bytes()), work);
  } else {
    bench::against_peak(state, context.executor(), 2.0 * double(queries) * 100'000 * width, work);
  }
}

void mine(benchmark::State& state, std::size_t threads) {
  Context context = Context::with_threads(threads);
  auto corpus = bench::floats(10'000 * width);
  bench::against_peak(state, context.executor(), 2.0 * 10'000 * 10'000 * width,
                      [&] { benchmark::DoNotOptimize(paraphrase_mining(rows(corpus), {}, context)); });
}

[[maybe_unused]] int const registered = [] {
  for (std::size_t threads : {1, 2}) {
    auto const add = [&](std::string const& name, auto const& run) {
      benchmark::RegisterBenchmark((name + "/threads:" + std::to_string(threads)).c_str(), run)
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond);
    };
    for (std::size_t queries : {1, 100})
      add("search/" + std::to_string(queries) + "x100000x384", [=](benchmark::State& state) { search(state, queries, threads); });
    add("mine/10000x384", [=](benchmark::State& state) { mine(state, threads); });
  }
  return 0;
}();

}  // namespace
