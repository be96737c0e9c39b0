// Attention with shared key heads, windows and biases, alone and together: against float64, and the promise that a query's result depends
// on nothing but what it attends to.
#include <axiform/kernels/attention.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

namespace {

// Calls use(mask, form) for every combination; heads are 4.
template <class Use>
void for_each_form(std::vector<std::size_t> const& windows, Use const& use) {
  for (auto mask : {AttentionMask::none, AttentionMask::causal})
    for (std::size_t group : {1, 2, 4})
      for (std::size_t window : windows)
        for (bool biased : {false, true}) {
          CAPTURE(mask);
          CAPTURE(group);
          CAPTURE(window);
          CAPTURE(biased);
          use(mask, Form{group, window, biased});
        }
}

// The keys of each sequence in a cache of its own, written in parts, with room for more.
struct Caches {
  std::vector<std::vector<float>> data;
  std::vector<CachedKeys> keys;

  explicit Caches(Batch const& batch) {
    for (std::size_t s = 0; s < batch.sequences(); ++s) {
      auto const layout = KeyValueLayout::for_keys(batch.key_heads(), batch.head_size, batch.keys(s) + 20 * s);
      data.emplace_back(layout.floats(), std::numeric_limits<float>::quiet_NaN());
      for (std::size_t first = 0, part = 1 + s; first < batch.keys(s); first += part)
        kernels::append_keys_values(layout, data.back().data(), first, std::min(part, batch.keys(s) - first), batch.rows_from(s, first), 0,
                                    batch.key_heads());
      keys.push_back({layout, data.back().data(), batch.keys(s)});
    }
  }
};

// The outputs of queries [first, first + count) of one sequence's rows, of a run over the whole.
std::vector<float> rows_of(std::vector<float> const& output, Batch const& batch, std::size_t first, std::size_t count) {
  std::size_t const row = batch.width() + 3;
  return {output.begin() + std::ptrdiff_t(first * row), output.begin() + std::ptrdiff_t((first + count) * row)};
}

}  // namespace

TEST_CASE("attention: every form agrees with float64 on ragged batches, with and without capture") {
  std::vector<std::size_t> const lengths{5, 0, 1, 17, 64, 33};
  for_each_form({0, 1, 5, 16, 40, 300}, [&](AttentionMask mask, Form form) {
    for (std::size_t head_size : {5, 24, 64}) check_batch({4, head_size, mask, lengths, lengths, 1, form});
    check_batch({4, 8, mask, {3, 9, 0, 70, 1, 12, 4}, {20, 1, 5, 80, 200, 77, 0}, 2, form});
  });
}

TEST_CASE("attention: forms agree with float64 for heads of 1 to 80 columns") {
  for (std::size_t head_size = 1; head_size <= 80; ++head_size) {
    Form const form{std::size_t{1} << head_size % 3, head_size % 11, head_size % 2 == 0};
    check_batch({4, head_size, AttentionMask::causal, {7, 1, 26}, {7, 30, 26}, unsigned(head_size), form});
    check_batch({4, head_size, AttentionMask::none, {7, 1, 26}, {7, 3, 26}, unsigned(head_size), form});
  }
}

TEST_CASE("attention: forms agree with float64 for any number of queries and keys, and windows of any length") {
  for (std::size_t n = 1; n <= 2 * kernels::panel_width + 2; ++n) {
    Form const form{1 + n % 2, 1 + n % 19, n % 3 == 0};
    check_batch({2, 17, AttentionMask::none, {n}, {n}, unsigned(n), form});
    check_batch({2, 17, AttentionMask::none, {n + 9}, {n}, unsigned(n), form});  // the last queries' windows lie behind the last key
    check_batch({2, 8, AttentionMask::none, {n + 40}, {n}, unsigned(n), {1, 1 + n % 5, false}});  // whole tiles of queries see no key
    check_batch({2, 8, AttentionMask::causal, {n * 5 % 14 + 1}, {n}, unsigned(n), form});
  }
  for (std::size_t window = 1; window <= 70; ++window)
    for (auto mask : {AttentionMask::none, AttentionMask::causal})
      check_batch({1, 16, mask, {67}, {67}, unsigned(window), {1, window, window % 2 == 0}});
}

TEST_CASE("attention: in every form a sequence has the same bits alone, in any batch, on any number of threads and with keys from caches") {
  for_each_form({0, 1, 9, 40}, [&](AttentionMask mask, Form form) {
    Batch const batch(4, 20, mask, {5, 0, 40, 1, 130, 13, 2}, {9, 4, 40, 33, 200, 13, 0}, 3, form);
    SerialExecutor serial;
    auto const whole = run(batch, serial);
    Caches const caches(batch);
    CHECK(same_bits(run(batch.operands(nullptr), caches.keys.data(), serial), whole));
    for (std::size_t threads : {2, 3, 8}) {
      TestExecutor executor(threads);
      CHECK(same_bits(run(batch, executor), whole));
      CHECK(same_bits(run(batch.operands(nullptr), caches.keys.data(), executor), whole));
    }
    for (std::size_t s = 0; s < batch.sequences(); ++s)
      CHECK(same_bits(run(batch.alone(s), serial), rows_of(whole, batch, batch.query_offsets[s], batch.queries(s))));
  });
}

TEST_CASE(
    "attention: in texts of many windows, forms agree with float64 and a sequence has the same bits alone, whatever the longest of the "
    "batch") {
  for (auto mask : {AttentionMask::none, AttentionMask::causal})
    for (std::size_t window : {3U, 65U, 150U}) {
      CAPTURE(mask);
      CAPTURE(window);
      std::vector<std::size_t> const lengths{330, 7, 190, 700};
      Form const form{2, window, false};  // the bias of these tests has fewer positions
      check_batch({2, 12, mask, {330, 7, 190}, {330, 7, 190}, unsigned(window), form});
      Batch const batch(2, 12, mask, lengths, lengths, unsigned(window), form);
      TestExecutor executor(3);
      auto const whole = run(batch, executor);
      SerialExecutor serial;
      for (std::size_t s = 0; s < batch.sequences(); ++s)
        CHECK(same_bits(run(batch.alone(s), serial), rows_of(whole, batch, batch.query_offsets[s], batch.queries(s))));
    }
}

TEST_CASE("attention: in every form a query has the same bits among few queries, by itself, and with all others") {
  for_each_form({0, 1, 7, 33}, [&](AttentionMask mask, Form form) {
    std::size_t const tokens = 75;
    for (std::size_t head_size : {5, 32}) {
      Batch const batch(4, head_size, mask, {tokens}, {tokens}, 4, form);
      SerialExecutor serial;
      auto const whole = run(batch, serial);
      for (std::size_t step : {1, 2, 3, 6, 7, 40}) {
        CAPTURE(step);
        // Causal: in parts, each behind what came before it, keys from rows and from a cache. Else the first queries of the sequence alone.
        for (std::size_t first = 0; first < tokens; first += step) {
          bool const causal = mask == AttentionMask::causal;
          std::size_t const begin = causal ? first : 0, end = std::min(first + step, tokens);
          std::size_t const query_offsets[]{0, end - begin}, key_offsets[]{0, causal ? end : tokens};
          auto queries = batch.operands(nullptr);
          queries.offsets = query_offsets;
          queries.query += begin * batch.query_stride;
          AttentionKeys const rows{key_offsets, batch.rows_from(0, 0)};
          auto const expected = rows_of(whole, batch, begin, end - begin);
          CHECK(same_bits(run(queries, rows, serial), expected));
          Caches caches(batch);
          caches.keys[0].count = key_offsets[1];
          TestExecutor executor(1 + first % 3);
          CHECK(same_bits(run(queries, caches.keys.data(), executor), expected));
        }
      }
    }
  });
}

TEST_CASE("attention: in every form keys and values that a query does not see may hold infinities and NaN") {
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for_each_form({0, 1, 6, 20}, [&](AttentionMask mask, Form form) {
    std::size_t const tokens = 50;
    for (std::size_t head_size : {8, 21}) {
      Batch const clean(4, head_size, mask, {tokens}, {tokens}, 5, form);
      SerialExecutor serial;
      auto const expected = run(clean, serial);
      for (std::size_t spoilt : {0, 1, 5, 15, 16, 31, 32, 47, 49}) {
        CAPTURE(spoilt);
        Batch batch = clean;
        for (std::size_t j = 0; j < batch.key_heads() * head_size; ++j) {
          batch.key[spoilt * batch.key_stride + j] = j % 2 == 0 ? nan : infinity;
          batch.value[spoilt * batch.value_stride + j] = j % 2 == 0 ? infinity : nan;
        }
        auto const found = run(batch, serial);
        Caches const caches(batch);
        CHECK(same_bits(rows_of(run(batch.operands(nullptr), caches.keys.data(), serial), batch, 0, spoilt),
                        rows_of(found, batch, 0, spoilt)));
        bool hidden_keys_are_not_seen = true, seen_keys_are_seen = true;
        for (std::size_t i = 0; i < tokens; ++i) {
          if (batch.query_sees(0, i, spoilt)) {
            seen_keys_are_seen = seen_keys_are_seen && std::isnan(found[i * (batch.width() + 3)]);
          } else {
            hidden_keys_are_not_seen = hidden_keys_are_not_seen && same_bits(rows_of(found, batch, i, 1), rows_of(expected, batch, i, 1));
          }
        }
        CHECK(hidden_keys_are_not_seen);
        CHECK(seen_keys_are_seen);
      }
    }
  });
}

TEST_CASE(
    "attention: a window as long as the sequence, a bias of zeros and a group of one change no bit of what attention gives without them") {
  // The product of score and scale is rounded by itself where a bias is added to it, so the scale is 1 here: then nothing else is rounded.
  for (auto mask : {AttentionMask::none, AttentionMask::causal}) {
    Batch const batch(2, 16, mask, {70, 9}, {70, 9}, 6);
    SerialExecutor serial;
    auto plain = batch.operands(nullptr);
    plain.scale = 1.0f;
    auto const expected = run(plain, batch.key_operands(), serial);
    std::vector<float> const zeros(70);
    auto formed = plain;
    formed.window = 70;
    CHECK(same_bits(run(formed, batch.key_operands(), serial), expected));
    formed.bias = {zeros.data(), 0, 0};
    CHECK(same_bits(run(formed, batch.key_operands(), serial), expected));
  }
}

TEST_CASE("attention: a bias of -infinity hides a key, and a query all of whose keys it hides gets zeros") {
  Batch const batch(2, 12, AttentionMask::none, {3}, {20}, 8);
  std::vector<float> bias(3 * 20);
  constexpr float hidden = -std::numeric_limits<float>::infinity();
  std::fill_n(bias.begin() + 15, 5, hidden);   // of query 0 the last five
  std::fill_n(bias.begin() + 20, 20, hidden);  // of query 1 all
  SerialExecutor serial;
  auto queries = batch.operands(nullptr);
  queries.bias = {bias.data(), 0, 20};
  auto const found = run(queries, batch.key_operands(), serial);
  std::size_t const offsets[]{0, 15};
  AttentionKeys const first_keys{offsets, batch.rows_from(0, 0)};
  std::vector<float> const zeros(60);
  queries.bias.data = zeros.data();
  auto const fewer = run(queries, first_keys, serial);
  for (std::size_t column = 0; column < batch.width(); ++column) {
    CHECK(found[column] == doctest::Approx(fewer[column]).epsilon(1e-5));
    CHECK(found[batch.width() + 3 + column] == 0.0f);
  }
}
