// Semantic search, in floats, bytes and bits, late interaction, and paraphrase mining, over embeddings as wide as MiniLM's, whose numbers mean nothing.
#include <algorithm>
#include <random>
#include <string>

#include <benchmark/benchmark.h>

#include <axiform/kernels/pooling.hpp>
#include <axiform/tasks/multi_vectors.hpp>
#include <axiform/tasks/quantized_search.hpp>
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

// Rows around a few hundred centres, and queries near rows: something is close to a query, as in a corpus of texts, so that recall means something.
Tensor<float, axes::Sequences, axes::Hidden> clustered(std::size_t count, unsigned seed) {
  std::mt19937 common(7), own(seed);
  std::normal_distribution<float> normal;
  Tensor<float, axes::Sequences, axes::Hidden> centres(300, width), result(count, width);
  for (std::size_t i = 0; i < centres.size(); ++i) centres.data()[i] = normal(common);
  for (std::size_t i = 0; i < count; ++i) {
    auto const row = result.row(i);
    auto const centre = centres.row(own() % 300);
    for (std::size_t k = 0; k < width; ++k) row[k] = centre[k] + normal(own);
    kernels::normalize_row(row.data(), width);
  }
  return result;
}

// One query is bound by reading the codes, if no cache holds them. For many the peak of fma is what there is to compare with: products of bytes and of
// bits have other peaks.
void search_codes(benchmark::State& state, std::size_t queries, std::size_t threads, auto const& quantize, std::size_t bytes_of_row) {
  Context context = Context::with_threads(threads);
  static auto const corpus = clustered(100'000, 1);
  auto const asked = clustered(queries, 2);
  auto const codes = quantize(corpus, context);
  auto const work = [&] { benchmark::DoNotOptimize(quantized_search(asked, codes, corpus, {}, context)); };
  if (queries == 1) {
    bench::against_streaming(state, context.executor(), 1e5 * double(bytes_of_row), work);
  } else {
    bench::against_peak(state, context.executor(), 2.0 * double(queries) * 1e5 * width, work);
  }
  auto const exact = semantic_search(asked, corpus, {}, context);
  for (std::size_t multiplier : {1, 4, 16})
    state.counters["recall x" + std::to_string(multiplier)] =
        search_recall(quantized_search(asked, codes, corpus, {.rescore_multiplier = multiplier}, context), exact);
}

// Vectors as many and as wide as ColBERT's: 32 of a query, 128 of a document, 128 numbers each.
void search_tokens(benchmark::State& state, std::size_t threads) {
  Context context = Context::with_threads(threads);
  constexpr std::size_t dimensions = 128, documents = 1000, length = 128, query = 32;
  auto const vectors = [](std::size_t texts, std::size_t tokens) {
    MultiVectors result;
    for (std::size_t i = 0; i < texts; ++i) result.texts.append(tokens);
    result.vectors = Tensor<float, axes::Tokens, axes::Hidden>(texts * tokens, dimensions);
    auto filled = bench::floats(result.vectors.size());
    std::copy_n(bench::data(filled), result.vectors.size(), result.vectors.data());
    return result;
  };
  auto const asked = vectors(1, query), found = vectors(documents, length);
  bench::against_peak(state, context.executor(), 2.0 * query * documents * length * dimensions,
                      [&] { benchmark::DoNotOptimize(multi_vector_search(asked, found, {}, context)); });
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
    for (std::size_t queries : {1, 100}) {
      std::string const shape = std::to_string(queries) + "x100000x384";
      add("search/" + shape, [=](benchmark::State& state) { search(state, queries, threads); });
      add("search/int8/" + shape, [=](benchmark::State& state) {
        search_codes(
            state, queries, threads, [](auto const& rows, Context& context) { return quantize_int8(rows, context); }, width);
      });
      add("search/binary/" + shape, [=](benchmark::State& state) {
        search_codes(
            state, queries, threads, [](auto const& rows, Context& context) { return quantize_binary(rows, context); }, width / 8);
      });
    }
    add("search/tokens/32x1000x128x128", [=](benchmark::State& state) { search_tokens(state, threads); });
    add("mine/10000x384", [=](benchmark::State& state) { mine(state, threads); });
  }
  return 0;
}();

}  // namespace
