// Sentences to vectors with MiniLM-L6: tokenizing, encoding, pooling. It needs the fetched model, models/minilm-l6.
//
// AXIFORM_BENCH_TEXT names a file with one sentence a line; without it 2 000 sentences are made from the vocabulary.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <axiform/tasks/sentence_embedding.hpp>

#include "inputs.hpp"
#include "limits.hpp"

namespace {

using namespace axiform;
using Model = SentenceEmbedding<Bert<MiniLmL6>>;

std::filesystem::path const directory = std::filesystem::path(__FILE__).parent_path().parent_path() / "models/minilm-l6";

std::vector<std::string> sentences(Tokenizer const& tokenizer) {
  std::vector<std::string> lines;
  if (char const* const file = std::getenv("AXIFORM_BENCH_TEXT")) {
    std::ifstream input(file);
    for (std::string line; std::getline(input, line);) lines.push_back(line);
    return lines;
  }
  bench::TokenSource words(20000), lengths(43);
  for (std::size_t i = 0; i < 2000; ++i) {
    std::string line;
    for (TokenId id : words.next(4 + static_cast<std::size_t>(lengths.next(1)[0]))) line += tokenizer.id_to_token(2000 + id) + ' ';
    lines.push_back(std::move(line));
  }
  return lines;
}

void embed(benchmark::State& state, std::size_t threads) {
  if (!std::filesystem::exists(directory)) return state.SkipWithError("models/minilm-l6 is not there: scripts/demo fetches it");
  auto context = Context::with_threads(threads);
  auto const model = Model::from_directory(directory, context);
  auto const lines = sentences(model.tokenizer());
  std::size_t tokens = 0;
  double flops = 0;
  for (auto const& encoding : model.tokenizer().encode_batch(lines, {.max_length = model.max_length()}, context.executor())) {
    tokens += encoding.size();
    flops += double(Bert<MiniLmL6>::flops_per_token({}, MiniLmL6::sizes, encoding.size())) * double(encoding.size());
  }
  bench::against_peak(state, context.executor(), flops, [&] { benchmark::DoNotOptimize(model.embed(lines, {}, context).data()); });
  state.counters["tokens/s"] = double(tokens) / state.counters["least ms"] * 1e3;
  state.counters["tokens a sentence"] = double(tokens) / double(lines.size());
}

[[maybe_unused]] int const registered = [] {
  for (std::size_t threads : {1, 2})
    benchmark::RegisterBenchmark(("minilm/f32/sentences/threads:" + std::to_string(threads)).c_str(),
                                 [=](benchmark::State& state) { embed(state, threads); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  return 0;
}();

}  // namespace
