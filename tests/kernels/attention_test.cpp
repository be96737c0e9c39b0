// Attention on packed ragged batches against float64, and the promise that a query's result depends on nothing but what it attends to.
#include <axiform/kernels/attention.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

TEST_CASE("attention: bidirectional, ragged batches with empty sequences agree with float64, with and without capture") {
  for (std::size_t head_size : {1, 3, 8, 24, 32, 64, 65, 130}) {
    std::vector<std::size_t> const lengths{5, 0, 1, 17, 64, 33, 0, 7};
    check_batch({2, head_size, AttentionMask::none, lengths, lengths});
  }
  check_batch({3, 64, AttentionMask::none, {150}, {150}});
}

TEST_CASE("attention: causal batches agree with float64, with and without a past") {
  for (std::size_t head_size : {3, 24, 32, 64}) {
    std::vector<std::size_t> const lengths{5, 1, 0, 17, 70, 33};
    check_batch({2, head_size, AttentionMask::causal, lengths, lengths});
    check_batch({2, head_size, AttentionMask::causal, {3, 1, 0, 12, 1, 65}, {20, 1, 9, 77, 130, 80}});
  }
}

TEST_CASE("attention: cross-attention with other numbers of keys than of queries agrees with float64, and no key gives zeros") {
  check_batch({2, 32, AttentionMask::none, {3, 9, 0, 70, 1}, {20, 0, 5, 1, 300}});
  check_batch({1, 7, AttentionMask::none, {13}, {0}});
  check_batch({2, 16, AttentionMask::causal, {9, 4}, {3, 0}});  // the first queries see nothing
}

TEST_CASE("attention: the number of queries and keys may have any remainder") {
  for (std::size_t n = 1; n <= 2 * kernels::panel_width + 2; ++n) {
    check_batch({1, 17, AttentionMask::none, {n}, {n}, unsigned(n)});
    check_batch({1, 8, AttentionMask::causal, {(n * 5) % 14 + 1}, {n}, unsigned(n)});
  }
}

TEST_CASE("attention: a sequence has the same bits alone, in any batch and on any number of threads") {
  for (auto mask : {AttentionMask::none, AttentionMask::causal}) {
    Batch const batch(3, 20, mask, {5, 0, 40, 1, 130, 13}, {9, 4, 40, 33, 200, 13});
    SerialExecutor serial;
    auto const whole = run(batch, serial);
    for (std::size_t threads : {2, 3, 8}) {
      TestExecutor executor(threads);
      CHECK(same_bits(run(batch, executor), whole));
    }
    std::size_t const row = batch.width() + 3;
    for (std::size_t s = 0; s < batch.sequences(); ++s) {
      auto const begin = whole.begin() + std::ptrdiff_t(batch.query_offsets[s] * row);
      auto const one = run(batch.alone(s), serial);
      CHECK(same_bits(one, {begin, begin + std::ptrdiff_t(one.size())}));
    }
  }
}

TEST_CASE("attention: prefill, prefill in parts and token by token through a growing cache have the same bits as no cache") {
  for (std::size_t head_size : {5, 32, 64}) {
    std::size_t const tokens = 75, heads = 2, width = heads * head_size;
    Batch const batch(heads, head_size, AttentionMask::causal, {tokens}, {tokens});
    SerialExecutor serial;
    auto const whole = run(batch, serial);
    for (std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{40}, tokens}) {
      CAPTURE(step);
      auto layout = KeyValueLayout::for_keys(heads, head_size, step);
      std::vector<float> cache(layout.floats(), std::numeric_limits<float>::quiet_NaN());
      std::vector<float> joined;
      for (std::size_t past = 0; past < tokens;) {
        std::size_t const count = std::min(step, tokens - past);
        if (past + count > layout.capacity) {
          auto const larger = KeyValueLayout::for_keys(heads, head_size, past + count);
          std::vector<float> moved(larger.floats(), std::numeric_limits<float>::quiet_NaN());
          kernels::copy_keys_values(layout, cache.data(), larger, moved.data(), 0, past);
          cache = moved;
          layout = larger;
        }
        kernels::append_keys_values(layout, cache.data(), past, count,
                                    {batch.key.data() + past * batch.key_stride, batch.key_stride,
                                     batch.value.data() + past * batch.value_stride, batch.value_stride},
                                    0, heads);
        auto queries = batch.operands(nullptr);
        std::size_t const offsets[]{0, count};
        queries.offsets = offsets;
        queries.query += past * batch.query_stride;
        CachedKeys const cached{layout, cache.data(), past + count};
        TestExecutor executor(1 + past % 3);
        auto const part = run(queries, &cached, executor);
        joined.insert(joined.end(), part.begin(), part.end());
        past += count;
      }
      CHECK(joined.size() == tokens * (width + 3));
      CHECK(same_bits(joined, whole));
    }
  }
}

TEST_CASE("attention: a cache that was cut back and written again is like a fresh one") {
  std::size_t const heads = 2, head_size = 12, tokens = 40, kept = 19;
  Batch const batch(heads, head_size, AttentionMask::causal, {tokens}, {tokens}, 5);
  Batch const other(heads, head_size, AttentionMask::causal, {tokens}, {tokens}, 6);
  auto const layout = KeyValueLayout::for_keys(heads, head_size, tokens);
  std::vector<float> cache(layout.floats());
  kernels::append_keys_values(layout, cache.data(), 0, tokens, other.key_operands().rows, 0, heads);
  for (std::size_t first : {std::size_t{0}, kept}) {
    auto rows = batch.key_operands().rows;
    rows.key += first * rows.key_stride;
    rows.value += first * rows.value_stride;
    kernels::append_keys_values(layout, cache.data(), first, (first == 0 ? kept : tokens - kept), rows, 0, heads);
  }
  CachedKeys const cached{layout, cache.data(), tokens};
  SerialExecutor serial;
  CHECK(same_bits(run(batch.operands(nullptr), &cached, serial), run(batch, serial)));
}

TEST_CASE("attention: several caches of different lengths are decoded at once as each by itself") {
  std::size_t const heads = 3, head_size = 16;
  std::vector<std::size_t> const lengths{1, 90, 17, 40};
  Batch const batch(heads, head_size, AttentionMask::causal, {1, 1, 1, 1}, lengths);
  std::vector<std::vector<float>> data;
  std::vector<CachedKeys> caches;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    auto const layout = KeyValueLayout::for_keys(heads, head_size, lengths[s] + 20 * s);
    data.emplace_back(layout.floats());
    auto rows = batch.key_operands().rows;
    rows.key += batch.key_offsets[s] * rows.key_stride;
    rows.value += batch.key_offsets[s] * rows.value_stride;
    kernels::append_keys_values(layout, data.back().data(), 0, lengths[s], rows, 0, 1);
    kernels::append_keys_values(layout, data.back().data(), 0, lengths[s], rows, 1, heads);
    caches.push_back({layout, data.back().data(), lengths[s]});
  }
  SerialExecutor serial;
  TestExecutor threads(3);
  auto const expected = run(batch, serial);
  CHECK(same_bits(run(batch.operands(nullptr), caches.data(), serial), expected));
  CHECK(same_bits(run(batch.operands(nullptr), caches.data(), threads), expected));
}

TEST_CASE("attention: infinities and NaN in later tokens leave earlier ones alone") {
  std::size_t const tokens = 50;
  Batch batch(2, 24, AttentionMask::causal, {tokens}, {tokens});
  SerialExecutor serial;
  auto const clean = run(batch, serial);
  std::size_t const row = batch.width() + 3;
  for (std::size_t spoilt : {49, 48, 33, 16, 7, 2}) {
    for (std::size_t j = 0; j < batch.width(); ++j) {
      batch.value[spoilt * batch.value_stride + j] = std::numeric_limits<float>::infinity();
      batch.key[spoilt * batch.key_stride + j] = std::numeric_limits<float>::quiet_NaN();
    }
    auto const found = run(batch, serial);
    CHECK(std::memcmp(found.data(), clean.data(), spoilt * row * sizeof(float)) == 0);
    CHECK(std::isnan(found[spoilt * row]));
  }
}

TEST_CASE("attention: infinities in one sequence leave the others alone") {
  Batch batch(2, 24, AttentionMask::none, {9, 9}, {9, 9});
  SerialExecutor serial;
  auto const clean = run(batch, serial);
  for (std::size_t i = 9; i < 18; ++i)
    batch.value[i * batch.value_stride] = batch.key[i * batch.key_stride] = std::numeric_limits<float>::infinity();
  CHECK(std::memcmp(run(batch, serial).data(), clean.data(), 9 * (batch.width() + 3) * sizeof(float)) == 0);
}
