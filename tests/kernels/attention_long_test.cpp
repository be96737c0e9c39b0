// Attention to more keys than a tile has, which is 1024: against float64, and the promise that where a query's tiles are joined depends on nothing but the
// positions of the keys that it sees.
#include <doctest/doctest.h>
#include <axiform/kernels/attention.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

namespace {

// Rows [first, first + count) of what `run` gave.
std::vector<float> long_rows(std::vector<float> const& all, Batch const& batch, std::size_t first, std::size_t count) {
  std::size_t const row = batch.width() + 3;
  return {all.begin() + std::ptrdiff_t(first * row), all.begin() + std::ptrdiff_t((first + count) * row)};
}

// The keys and values of a batch's only sequence, in a cache.
struct LongCache {
  KeyValueLayout layout;
  std::vector<float> data;
  explicit LongCache(Batch const& batch)
      : layout(KeyValueLayout::for_keys(batch.key_heads(), batch.head_size, batch.keys(0))),
        data(layout.floats(), std::numeric_limits<float>::quiet_NaN()) {
    kernels::append_keys_values(layout, data.data(), 0, batch.keys(0), batch.key_operands().rows, 0, batch.key_heads());
  }
  CachedKeys keys(std::size_t count) const { return {layout, data.data(), count}; }
};

}  // namespace

TEST_CASE("attention: queries that see several tiles of keys agree with float64, with and without capture") {
  check_batch({2, 64, AttentionMask::causal, {70, 1, 0, 3}, {1100, 2600, 7, 600}});
  check_batch({2, 20, AttentionMask::none, {13, 2}, {2050, 1025}});
  check_batch({4, 32, AttentionMask::causal, {9, 1, 66}, {3000, 4096, 1024}, 2, {.group = 2}});
  for (auto mask : {AttentionMask::none, AttentionMask::causal})
    for (std::size_t window : {5, 300, 700}) {
      check_batch({2, 16, mask, {130, 1}, {1100, 2100}, 3, {.window = window}});
      check_batch({2, 16, mask, {1100}, {1100}, 4, {.window = window}});
    }
}

TEST_CASE("attention: 8192 and 32768 keys agree with float64") {
  check_batch({1, 64, AttentionMask::causal, {40, 1}, {8192, 8192}});
  check_batch({2, 32, AttentionMask::causal, {1}, {32768}, 1, {.group = 2}});
}

TEST_CASE("attention: a bias on many queries that see several tiles of keys agrees with float64, and changes no promise of bits") {
  std::size_t const tokens = 1090;
  for (Form const form :
       {Form{.biased = true, .positions = tokens}, Form{.group = 2, .window = 700, .biased = true, .positions = tokens}}) {
    CAPTURE(form.window);
    check_batch({2, 12, AttentionMask::none, {70, 1}, {1090, 1030}, 5, form});
    check_batch({2, 12, AttentionMask::causal, {40, 3, 1}, {1060, 1027, 1090}, 4, form});
    Batch const batch(2, 12, AttentionMask::causal, {tokens}, {tokens}, 3, form);
    check_batch(batch);
    SerialExecutor serial;
    TestExecutor several(3);
    auto const whole = run(batch, serial);
    CHECK(same_bits(run(batch, several), whole));
    LongCache const cache(batch);
    for (std::size_t step : {std::size_t{1}, std::size_t{5}, std::size_t{40}, std::size_t{130}, tokens}) {
      CAPTURE(step);
      std::size_t const offsets[]{0, step};
      auto queries = batch.operands(nullptr);
      queries.offsets = offsets;
      queries.query += (tokens - step) * batch.query_stride;
      CachedKeys const cached = cache.keys(tokens);
      CHECK(same_bits(run(queries, &cached, several), long_rows(whole, batch, tokens - step, step)));
    }
  }
}

TEST_CASE("attention: over many keys prefill, prefill in parts and token by token have the same bits, on any threads and in any batch") {
  std::size_t const tokens = 2100, head_size = 24;
  for (Form const form :
       {Form{}, Form{.group = 3}, Form{.group = 3, .window = 400}, Form{.group = 1, .window = 30}, Form{.group = 1, .window = 1023}}) {
    CAPTURE(form.group);
    CAPTURE(form.window);
    Batch const batch(3, head_size, AttentionMask::causal, {tokens}, {tokens}, 9, form);
    SerialExecutor serial;
    auto const whole = run(batch, serial);
    TestExecutor several(3);
    CHECK(same_bits(run(batch, several), whole));
    LongCache const cache(batch);
    for (std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{64}, std::size_t{333}, tokens})
      for (std::size_t end : {std::size_t{1023}, std::size_t{1024}, std::size_t{1025}, std::size_t{1500}, std::size_t{2048}, tokens}) {
        if (step > end) continue;
        CAPTURE(step);
        CAPTURE(end);
        std::size_t const offsets[]{0, step}, key_offsets[]{0, end};
        auto queries = batch.operands(nullptr);
        queries.offsets = offsets;
        queries.query += (end - step) * batch.query_stride;
        auto const expected = long_rows(whole, batch, end - step, step);
        CachedKeys const cached = cache.keys(end);
        TestExecutor threads(1 + step % 4);
        CHECK(same_bits(run(queries, &cached, threads), expected));
        AttentionKeys const rows{key_offsets, batch.rows_from(0, 0)};
        CHECK(same_bits(run(queries, rows, threads), expected));
      }
    // Several sequences, of one query and of more, in one call.
    std::vector<CachedKeys> const caches{cache.keys(2060), cache.keys(40), cache.keys(1200), cache.keys(1040), cache.keys(tokens)};
    std::vector<std::size_t> const counts{1, 1, 5, 30, 1};
    std::vector<std::size_t> offsets{0};
    std::vector<float> query, expected;
    for (std::size_t s = 0; s < caches.size(); ++s) {
      offsets.push_back(offsets.back() + counts[s]);
      std::size_t const first = caches[s].count - counts[s];
      auto const begin = batch.query.begin() + std::ptrdiff_t(first * batch.query_stride);
      query.insert(query.end(), begin, begin + std::ptrdiff_t(counts[s] * batch.query_stride));
      auto const rows = long_rows(whole, batch, first, counts[s]);
      expected.insert(expected.end(), rows.begin(), rows.end());
    }
    auto queries = batch.operands(nullptr);
    queries.sequences = caches.size();
    queries.offsets = offsets.data();
    queries.query = query.data();
    CHECK(same_bits(run(queries, caches.data(), serial), expected));
    CHECK(same_bits(run(queries, caches.data(), several), expected));
  }
}

TEST_CASE("attention: a tile whose scores are far below or above those of the others is joined without loss") {
  std::size_t const tokens = 1100, size = 16;
  for (float const weight : {-40.0F, 40.0F})
    for (std::size_t heavy : {3, 1023, 1024, 1099}) {
      Batch batch(1, size, AttentionMask::causal, {tokens}, {tokens}, 5);
      for (std::size_t j = 0; j < size; ++j) batch.key[heavy * batch.key_stride + j] = weight * batch.query[1099 * batch.query_stride + j];
      SerialExecutor serial;
      auto const found = run(batch, serial);
      auto const expected = reference(batch);
      double worst = 0.0;
      for (std::size_t i = 0; i < tokens; ++i)
        for (std::size_t j = 0; j < size; ++j)
          worst = std::max(worst, std::fabs(double(found[i * (size + 3) + j]) - expected.output[i * size + j]));
      CHECK(worst < 2e-4);  // scores of up to 200, of which float keeps 1e-5
    }
}

TEST_CASE("attention: a tile all of whose keys a bias hides adds nothing, and one with NaN gives NaN") {
  std::size_t const keys = 2100;
  Batch const batch(1, 8, AttentionMask::none, {3}, {keys}, 6);
  constexpr float hidden = -std::numeric_limits<float>::infinity();
  std::vector<float> bias(3 * keys);
  std::fill_n(bias.begin(), 1024, hidden);                // of query 0 the first tile
  std::fill_n(bias.begin() + keys + 1024, 1024, hidden);  // of query 1 the second
  std::fill_n(bias.begin() + 2 * keys, keys, hidden);     // of query 2 all
  auto queries = batch.operands(nullptr);
  queries.bias = {bias.data(), 0, std::ptrdiff_t(keys)};
  SerialExecutor serial;
  auto const found = run(queries, batch.key_operands(), serial);
  auto const attend = [&](std::size_t query, std::size_t first, std::size_t second) {
    std::vector<double> sums(8);
    double total = 0.0;
    for (std::size_t k = 0; k < keys; ++k) {
      if (k >= first && k < second) continue;
      double score = 0.0;
      for (std::size_t d = 0; d < 8; ++d)
        score += double(batch.query[query * batch.query_stride + d]) * double(batch.key[k * batch.key_stride + d]);
      double const weight = std::exp(score / std::sqrt(8.0));
      total += weight;
      for (std::size_t d = 0; d < 8; ++d) sums[d] += weight * double(batch.value[k * batch.value_stride + d]);
    }
    for (double& sum : sums) sum /= total;
    return sums;
  };
  auto const first = attend(0, 0, 1024), second = attend(1, 1024, 2048);
  for (std::size_t d = 0; d < 8; ++d) {
    CHECK(found[d] == doctest::Approx(first[d]).epsilon(1e-5));
    CHECK(found[11 + d] == doctest::Approx(second[d]).epsilon(1e-5));
    CHECK(found[22 + d] == 0.0F);
  }
  bias[2 * keys + 1700] = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(run(queries, batch.key_operands(), serial)[22]));
}
