// Attention to a key-value cache in bf16 and in int8: what it is the same as, in floats, and the promise that a query's result depends on nothing
// but what it attends to.
#include <doctest/doctest.h>
#include <axiform/core/weight_format.hpp>
#include <axiform/kernels/attention.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

namespace {

// A cache of one sequence that grows as tokens come.
struct GrowingCache {
  KeyValueLayout layout;
  std::vector<float> data;

  GrowingCache(Batch const& batch, std::size_t capacity, CacheFormat format)
      : layout(KeyValueLayout::for_keys(batch.key_heads(), batch.head_size, capacity, format)), data(layout.floats()) {}

  void append(Batch const& batch, std::size_t past, std::size_t count) {
    if (past + count > layout.capacity) {
      auto const larger = KeyValueLayout::for_keys(layout.heads, layout.head_size, past + count, layout.format);
      std::vector<float> moved(larger.floats());
      kernels::copy_keys_values(layout, data.data(), larger, moved.data(), 0, past);
      data = moved;
      layout = larger;
    }
    kernels::append_keys_values(layout, data.data(), past, count, batch.rows_from(0, past), 0, layout.heads);
  }
  CachedKeys keys(std::size_t count) const { return {layout, data.data(), count}; }
};

// The queries at positions [first, first + count) of a batch's only sequence.
std::vector<float> run_part(Batch const& batch, GrowingCache const& cache, std::size_t first, std::size_t count, Executor& executor) {
  std::size_t const offsets[]{0, count};
  auto queries = batch.operands(nullptr);
  queries.offsets = offsets;
  queries.query += (first + batch.queries(0) - batch.keys(0)) * batch.query_stride;
  CachedKeys const keys = cache.keys(first + count);
  return run(queries, &keys, executor);
}

std::vector<float> run_whole(Batch const& batch, CacheFormat format, Executor& executor) {
  GrowingCache cache(batch, batch.keys(0), format);
  cache.append(batch, 0, batch.keys(0));
  return run_part(batch, cache, batch.keys(0) - batch.queries(0), batch.queries(0), executor);
}

// Calls change(head's first number) for each head of each row of keys and of values.
template <class Change>
void for_each_head(Batch& batch, Change change) {
  for (std::size_t row = 0; row < batch.key_offsets.back(); ++row)
    for (std::size_t head = 0; head < batch.key_heads(); ++head) {
      change(batch.key.data() + row * batch.key_stride + head * batch.head_size);
      change(batch.value.data() + row * batch.value_stride + head * batch.head_size);
    }
}

// What a format makes of a head's numbers, in plain C++.
void round_heads(Batch& batch, CacheFormat format) {
  for_each_head(batch, [&](float* numbers) {
    float most = 0.0F;
    for (std::size_t i = 0; i < batch.head_size; ++i) most = std::max(most, std::fabs(numbers[i]));
    float const inverse = 127.0F / most, scale = most / 127.0F;
    for (std::size_t i = 0; i < batch.head_size; ++i)
      numbers[i] =
          format == CacheFormat::bf16 ? float_from_bfloat16(bfloat16_from_float(numbers[i])) : std::nearbyint(numbers[i] * inverse) * scale;
  });
}

// Attention to caches in the format, of all sequences of a batch in one call: against float64 on keys and values that are rounded so, with and without
// capture, on one thread and on several.
void check_narrow(Batch const& batch, CacheFormat format) {
  CAPTURE(name_of(format));
  CAPTURE(batch.form.group);
  CAPTURE(batch.form.window);
  CAPTURE(batch.form.biased);
  Batch rounded = batch;
  round_heads(rounded, format);
  auto const expected = reference(rounded);
  std::vector<std::vector<float>> data, maps;
  std::vector<CachedKeys> keys;
  std::vector<float*> targets;
  for (std::size_t s = 0; s < batch.sequences(); ++s) {
    auto const layout = KeyValueLayout::for_keys(batch.key_heads(), batch.head_size, batch.keys(s) + 3 * s, format);
    data.emplace_back(layout.floats(), std::numeric_limits<float>::quiet_NaN());
    kernels::append_keys_values(layout, data.back().data(), 0, batch.keys(s), batch.rows_from(s, 0), 0, layout.heads);
    keys.push_back({layout, data.back().data(), batch.keys(s)});
    maps.emplace_back(batch.heads * batch.queries(s) * batch.keys(s) + 1, guard);
    targets.push_back(maps.back().data());
  }
  SerialExecutor serial;
  TestExecutor several(3);
  auto queries = batch.operands(nullptr);
  auto const found = run(queries, keys.data(), serial);
  CHECK(same_bits(run(queries, keys.data(), several), found));
  queries.probabilities = targets.data();
  CHECK(same_bits(run(queries, keys.data(), several), found));
  double worst = 0.0, worst_probability = 0.0;
  for (std::size_t i = 0; i < batch.query_offsets.back(); ++i)
    for (std::size_t j = 0; j < batch.width(); ++j) {
      double const error = std::fabs(double(found[i * (batch.width() + 3) + j]) - expected.output[i * batch.width() + j]);
      worst = error <= worst ? worst : error;  // a NaN becomes the worst
    }
  for (std::size_t s = 0; s < batch.sequences(); ++s) {
    CHECK(maps[s].back() == guard);
    for (std::size_t i = 0; i < expected.probabilities[s].size(); ++i) {
      double const error = std::fabs(double(maps[s][i]) - expected.probabilities[s][i]);
      worst_probability = error <= worst_probability ? worst_probability : error;
    }
  }
  CHECK(worst < 4e-6);  // as for floats: the rounding of keys and values is in both
  CHECK(worst_probability < 2e-6);
}

constexpr CacheFormat narrow_formats[]{CacheFormat::bf16, CacheFormat::int8};

}  // namespace

TEST_CASE("attention: a cache in bf16 has the bits of floats that were rounded to it") {
  SerialExecutor serial;
  for (std::size_t head_size : {3, 16, 33, 64, 130})
    for (std::size_t queries : {1, 2, 9, 70}) {
      Batch batch(2, head_size, AttentionMask::causal, {queries}, {200}, 3);
      auto const found = run_whole(batch, CacheFormat::bf16, serial);
      for_each_head(batch, [&](float* numbers) {
        for (std::size_t i = 0; i < head_size; ++i) numbers[i] = float_from_bfloat16(bfloat16_from_float(numbers[i]));
      });
      CHECK(same_bits(found, run_whole(batch, CacheFormat::f32, serial)));
    }
}

TEST_CASE(
    "attention: a cache in int8 is near to floats that were rounded to numbers of a byte times a scale for each key and value of a head") {
  SerialExecutor serial;
  for (std::size_t head_size : {3, 16, 33, 64, 130})
    for (std::size_t queries : {1, 2, 9, 70}) {
      Batch batch(2, head_size, AttentionMask::causal, {queries}, {200}, 4);
      auto const found = run_whole(batch, CacheFormat::int8, serial);
      for_each_head(batch, [&](float* numbers) {
        double most = 0.0;
        for (std::size_t i = 0; i < head_size; ++i) most = std::max(most, std::fabs(double(numbers[i])));
        for (std::size_t i = 0; i < head_size; ++i) numbers[i] = float(std::nearbyint(double(numbers[i]) / most * 127.0) * most / 127.0);
      });
      auto const expected = run_whole(batch, CacheFormat::f32, serial);
      double worst = 0.0;
      for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::fabs(double(found[i]) - double(expected[i])));
      CHECK(worst < 1e-5);  // a number that lies between two of a byte may be rounded to the other: none of these does
    }
}

TEST_CASE(
    "attention: in every format of the cache prefill, parts and token by token have the same bits, on any threads, in a cache that grows") {
  for (CacheFormat format : narrow_formats)
    for (Form const form : {Form{}, Form{.group = 3, .window = 40}}) {
      CAPTURE(name_of(format));
      std::size_t const tokens = 150;
      Batch const batch(3, 40, AttentionMask::causal, {tokens}, {tokens}, 5, form);
      SerialExecutor serial;
      auto const whole = run_whole(batch, format, serial);
      for (std::size_t step : {1, 2, 7, 64, 150}) {
        CAPTURE(step);
        GrowingCache cache(batch, 1, format);
        std::vector<float> joined;
        for (std::size_t past = 0; past < tokens; past += step) {
          std::size_t const count = std::min(step, tokens - past);
          cache.append(batch, past, count);
          TestExecutor executor(1 + past % 3);
          auto const part = run_part(batch, cache, past, count, executor);
          joined.insert(joined.end(), part.begin(), part.end());
        }
        CHECK(same_bits(joined, whole));
      }
    }
}

TEST_CASE("attention: in every format of the cache many keys are attended to tile by tile, and probabilities change no bit") {
  for (CacheFormat format : narrow_formats) {
    CAPTURE(name_of(format));
    std::size_t const tokens = 2100, last = 75;
    Batch const batch(2, 32, AttentionMask::causal, {last}, {tokens}, 6);
    SerialExecutor serial;
    TestExecutor several(3);
    auto const whole = run_whole(batch, format, serial);
    GrowingCache cache(batch, tokens, format);
    cache.append(batch, 0, tokens);
    for (std::size_t i : {0, 40, 74}) {
      std::size_t const offsets[]{0, 1};
      auto queries = batch.operands(nullptr);
      queries.offsets = offsets;
      queries.query += i * batch.query_stride;
      CachedKeys const keys = cache.keys(tokens - last + i + 1);
      std::vector<float> map(2 * keys.count);
      float* const target = map.data();
      auto const row = whole.begin() + std::ptrdiff_t(i * (batch.width() + 3));
      std::vector<float> const expected(row, row + std::ptrdiff_t(batch.width() + 3));
      CHECK(same_bits(run(queries, &keys, several), expected));
      queries.probabilities = &target;
      CHECK(same_bits(run(queries, &keys, serial), expected));
      double sum = 0.0;
      for (float p : map) sum += double(p);
      CHECK(sum == doctest::Approx(2.0).epsilon(1e-5));
    }
    // Near to what floats give: keys of about 1 in size are rounded to 1 part in 256 and in 250.
    auto const floats = run_whole(batch, CacheFormat::f32, serial);
    double worst = 0.0;
    for (std::size_t i = 0; i < whole.size(); ++i) worst = std::max(worst, std::fabs(double(whole[i]) - double(floats[i])));
    CHECK(worst > 0.0);
    CHECK(worst < 0.02);
  }
}

TEST_CASE(
    "attention: in every format of the cache windows, shared heads and biases over borders of tiles agree with float64 on rounded numbers, "
    "captured or not") {
  for (CacheFormat format : narrow_formats) {
    for (std::size_t window : {0, 5, 300, 1023, 1500})
      check_narrow({3, 24, AttentionMask::causal, {1, 6, 35}, {1025, 2050, 2100}, 8, {.group = 3, .window = window}}, format);
    check_narrow({2, 40, AttentionMask::causal, {5, 1, 0, 131}, {1024, 3100, 1, 1100}, 9, {.window = 1030}}, format);
    check_narrow({2, 64, AttentionMask::causal, {1100}, {1100}, 10, {.group = 2, .window = 90}}, format);
    check_narrow({2, 16, AttentionMask::none, {9, 1}, {2050, 1030}, 11, {.group = 2}}, format);
    for (std::size_t window : {0, 700})
      check_narrow(
          {1, 20, AttentionMask::causal, {130, 3, 1}, {1100, 1030, 1090}, 12, {.window = window, .biased = true, .positions = 1100}},
          format);
  }
}

TEST_CASE("attention: in every format of the cache any number may be written, and is seen by those alone that see its token") {
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  std::size_t const tokens = 30, spoilt = 17;
  SerialExecutor serial;
  for (CacheFormat format : narrow_formats) {
    CAPTURE(name_of(format));
    Batch const clean(2, 9, AttentionMask::causal, {tokens}, {tokens}, 7);
    auto const expected = run_whole(clean, format, serial);
    for (float bad : {infinity, -infinity, nan, 1e-45F, 3e-39F, 3.4e38F, 0.0F}) {
      CAPTURE(bad);
      for (bool everywhere : {true, false}) {
        Batch batch = clean;
        for (std::size_t j = 0; j < (everywhere ? batch.width() : 1); ++j)
          batch.key[spoilt * batch.key_stride + j] = batch.value[spoilt * batch.value_stride + j] = bad;
        auto const found = run_whole(batch, format, serial);
        std::size_t const row = batch.width() + 3;
        CHECK(std::equal(found.begin(), found.begin() + std::ptrdiff_t(spoilt * row), expected.begin()));
        if (!std::isfinite(bad)) CHECK(std::isnan(found[spoilt * row]));
        if (bad == 0.0F) CHECK(std::isfinite(found[spoilt * row]));
      }
    }
  }
}

TEST_CASE("attention: caches take half and a quarter of the memory of floats, and int8 a scale for each key and value of a head") {
  auto const floats = [](CacheFormat format) { return KeyValueLayout::for_keys(3, 64, 1024, format).floats(); };
  CHECK(floats(CacheFormat::bf16) * 2 == floats(CacheFormat::f32));
  CHECK(floats(CacheFormat::int8) == floats(CacheFormat::f32) / 4 + 3 * 2 * 1024);
}
