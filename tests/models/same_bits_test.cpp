// The first promise of the library: a result has the same bits for any number of threads, any composition of the batch and any state of the
// key-value cache; and in a steady state nothing is allocated.
#include <axiform/core/context.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/initialize.hpp>
#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "support/allocations.hpp"

using namespace axiform;

namespace {

// 48 columns in heads of 12 and an inner width of 100: every kernel has a tail, with registers of any width.
DynamicDimensions const odd{48, 4, 12, 100};
ModelSizes const sizes{.layers = 3, .vocabulary = 211, .positions = 200, .token_types = 2};

Bert<> seeded_bert() {
  Context context;
  auto bert = Bert<>::create(odd, sizes);
  initialize(bert, {.seed = 3, .standard_deviation = 0.2}, context);
  return bert;
}
Gpt2<> seeded_gpt2() {
  Context context;
  auto gpt2 = Gpt2<>::create(odd, sizes);
  initialize(gpt2, {.seed = 4, .standard_deviation = 0.2}, context);
  return gpt2;
}
std::vector<TokenId> random_ids(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(random() % sizes.vocabulary);
  return ids;
}
bool same_bits(std::span<float const> a, std::span<float const> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}
template <class... Axes>
bool same_bits(Tensor<float, Axes...> const& a, std::span<float const> b) {
  return same_bits(a.elements(), b);
}
template <class T>
std::span<float const> rows_of(T const& tensor, std::size_t first, std::size_t count) {
  return std::span<float const>(tensor.data() + first * tensor.columns(), count * tensor.columns());
}

}  // namespace

TEST_CASE("same bits: BERT with 1, 2, 3 and 5 threads") {
  auto const bert = seeded_bert();
  for (std::size_t length : {1, 5, 33, 150}) {
    auto const ids = random_ids(length, 1);
    Context one;
    auto const expected = bert(ids, one);
    for (std::size_t threads : {2, 3, 5}) {
      Context context = Context::with_threads(threads);
      CHECK(same_bits(bert(ids, context), expected.elements()));
    }
  }
}

TEST_CASE("same bits: a sentence alone and among any others") {
  auto const bert = seeded_bert();
  std::vector<std::size_t> const lengths{7, 1, 64, 0, 18, 131, 3};
  std::vector<TokenId> packed;
  SequenceOffsets<axes::Tokens> sequences;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    for (TokenId id : random_ids(lengths[i], static_cast<unsigned>(i))) packed.push_back(id);
    sequences.append(lengths[i]);
  }
  for (std::size_t threads : {1, 3}) {
    Context context = Context::with_threads(threads);
    auto const together = bert({.ids = packed, .sequences = sequences}, context);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      auto const alone = bert(random_ids(lengths[i], static_cast<unsigned>(i)), context);
      CHECK(same_bits(rows_of(together, sequences.offset(i), lengths[i]), alone.elements()));
    }
  }
}

TEST_CASE("same bits: with and without an observer") {
  auto const bert = seeded_bert();
  auto const ids = random_ids(40, 9);
  Context context = Context::with_threads(2);
  auto const expected = bert(ids, context);
  Capture capture;
  context.observe(&capture);
  CHECK(same_bits(bert(ids, context), expected.elements()));
  CHECK(capture.layers() == 3);
}

TEST_CASE("same bits: GPT-2 on a whole sequence, token by token and in chunks through the cache") {
  auto const gpt2 = seeded_gpt2();
  auto const ids = random_ids(150, 2);
  for (std::size_t threads : {1, 2, 3}) {
    Context context = Context::with_threads(threads);
    auto const whole = gpt2(ids, context);
    for (std::size_t chunk : {1, 7, 16, 64}) {
      auto cache = gpt2.make_cache(1, 150);
      for (std::size_t first = 0; first < ids.size(); first += chunk) {
        std::size_t const count = std::min(chunk, ids.size() - first);
        auto const sequences = SequenceOffsets<axes::Tokens>::single(count);
        auto const part = gpt2({.ids = std::span(ids).subspan(first, count), .sequences = sequences}, cache, context);
        REQUIRE(same_bits(part.elements(), rows_of(whole, first, count)));
      }
    }
  }
}

TEST_CASE("same bits: GPT-2 behind a forked and a rolled-back cache") {
  auto const gpt2 = seeded_gpt2();
  auto const ids = random_ids(90, 5);
  Context context = Context::with_threads(2);
  auto const whole = gpt2(ids, context);
  auto cache = gpt2.make_cache(3, 120);
  auto const past = SequenceOffsets<axes::Tokens>::single(60);
  gpt2({.ids = std::span(ids).first(60), .sequences = past}, cache, context);
  cache.fork(0, 2);
  auto const wrong_turn = random_ids(20, 77);
  auto const only_last = SequenceOffsets<axes::Tokens>::of_lengths({0, 0, 20});
  gpt2({.ids = wrong_turn, .sequences = only_last}, cache, context);
  cache.truncate(2, 60);
  auto const rest = SequenceOffsets<axes::Tokens>::of_lengths({0, 0, 30});
  auto const states = gpt2({.ids = std::span(ids).last(30), .sequences = rest}, cache, context);
  CHECK(same_bits(states.elements(), rows_of(whole, 60, 30)));
}

TEST_CASE("same bits: last logits of a batch are those of each sequence") {
  auto const gpt2 = seeded_gpt2();
  Context context = Context::with_threads(2);
  std::vector<std::size_t> const lengths{3, 40, 1};
  std::vector<TokenId> packed;
  SequenceOffsets<axes::Tokens> sequences;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    for (TokenId id : random_ids(lengths[i], static_cast<unsigned>(i))) packed.push_back(id);
    sequences.append(lengths[i]);
  }
  auto cache = gpt2.make_cache(3, 50);
  auto const together = gpt2.last_logits(packed, sequences, cache, context);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    auto alone = gpt2.make_cache(1, 50);
    auto const ids = random_ids(lengths[i], static_cast<unsigned>(i));
    auto const one = SequenceOffsets<axes::Tokens>::single(ids.size());
    CHECK(same_bits(gpt2.last_logits(ids, one, alone, context), together.row(i)));
  }
}

TEST_CASE("steady state: nothing is allocated while BERT runs") {
  auto const bert = seeded_bert();
  auto const ids = random_ids(70, 6);
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({30, 40});
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    for (int i = 0; i < 4; ++i) bert({.ids = ids, .sequences = sequences}, context);
    std::size_t const before = test::allocations;
    for (int i = 0; i < 10; ++i) bert({.ids = ids, .sequences = sequences}, context);
    CHECK(test::allocations == before);
  }
}

TEST_CASE("steady state: nothing is allocated while GPT-2 decodes") {
  auto const gpt2 = seeded_gpt2();
  auto const ids = random_ids(1, 6);
  auto const one = SequenceOffsets<axes::Tokens>::single(1);
  Context context = Context::with_threads(2);
  auto cache = gpt2.make_cache(1, 150);
  for (int i = 0; i < 100; ++i) gpt2.last_logits(ids, one, cache, context);
  // Scores of more keys than before need more scratch, so the pool may still grow by a little now and then; not from token to token.
  cache.truncate(0, 20);
  std::size_t const before = test::allocations;
  for (int i = 0; i < 70; ++i) gpt2.last_logits(ids, one, cache, context);
  CHECK(test::allocations == before);
}
