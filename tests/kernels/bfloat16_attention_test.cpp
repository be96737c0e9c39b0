// Attention in bfloat16: as two products with rounded operands and a softmax between, bit by bit where tiles multiply it, and in floats elsewhere.
#include <doctest/doctest.h>
#include <axiform/core/thread_pool.hpp>
#include <axiform/kernels/attention.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/kernels/gemm.hpp>
#include <axiform/kernels/softmax.hpp>
#include <axiform/ops/packed_matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

namespace {

constexpr bool has_tiles = simd::bfloat16_products == simd::Bfloat16Products::of_tiles;

// Rounded numbers, so that only the exponentials are rounded on the way.
Batch rounded_batch(std::size_t heads, std::size_t head_size, std::vector<std::size_t> const& lengths, Form form = {}) {
  Batch batch(heads, head_size, AttentionMask::none, lengths, lengths, 3, form);
  for (auto* values : {&batch.query, &batch.key, &batch.value})
    for (float& x : *values) x = rounded_to(WeightFormat::bf16, x);
  return batch;
}

AttentionQueries in_bfloat16(AttentionQueries queries) {
  queries.in_bfloat16 = true;
  return queries;
}

std::vector<float> run_in_bfloat16(Batch const& batch, Executor& executor) {
  return run(in_bfloat16(batch.operands(nullptr)), batch.key_operands(), executor);
}

// Rows of the results of a run, [count, width + 3].
std::vector<float> rows_of(std::vector<float> const& output, Batch const& batch, std::size_t first, std::size_t count) {
  auto const row = std::ptrdiff_t(batch.width() + 3);
  return {output.begin() + std::ptrdiff_t(first) * row, output.begin() + std::ptrdiff_t(first + count) * row};
}

// [m, n] of a product with weights in bf16.
std::vector<float> product(PackedMatrix const& weight, float const* rows, std::size_t stride, std::size_t m) {
  std::vector<float> result(m * weight.outputs());
  SerialExecutor executor;
  Buffer scratch(kernels::gemm_scratch_bytes(weight.format(), m, weight.inputs()));
  kernels::gemm(m, weight.outputs(), weight.inputs(), rows, stride, weight.panels(), result.data(), weight.outputs(), {}, executor,
                static_cast<std::byte*>(scratch.data()));
  return result;
}

// A head of a sequence of up to 1024 tokens by products, [queries, head_size].
std::vector<float> head_by_products(Batch const& b, std::size_t s, std::size_t head, std::size_t attended) {
  std::size_t const size = b.head_size, column = head / b.form.group * size, queries = b.queries(s);
  PackedMatrix keys(size, attended), values(attended, size);
  keys.set_format(WeightFormat::bf16);
  values.set_format(WeightFormat::bf16);
  for (std::size_t key = 0; key < attended; ++key) {
    keys.write_outputs(key, 1, b.key.data() + (b.key_offsets[s] + key) * b.key_stride + column);
    values.write_inputs(key, 1, 0, size, b.value.data() + (b.key_offsets[s] + key) * b.value_stride + column, b.value_stride);
  }
  auto scores = product(keys, b.query.data() + b.query_offsets[s] * b.query_stride + head * size, b.query_stride, queries);
  float const scale = 1.0f / std::sqrt(float(size));
  if (b.form.biased)
    for (std::size_t i = 0; i < queries; ++i)
      kernels::scale_and_add_row(scores.data() + i * attended, scale, b.bias.data() + (head * b.form.positions + i) * b.form.positions,
                                 attended);
  std::vector<kernels::ExponentialSum> sums(queries);
  for (std::size_t i = 0; i < queries; ++i)
    kernels::exponentials(scores.data() + i * attended, 0, 1, attended, attended, b.form.biased ? 1.0f : scale, &sums[i]);
  auto result = product(values, scores.data(), attended, queries);
  for (std::size_t i = 0; i < queries; ++i)
    kernels::scale_row(result.data() + i * size, 1.0f / sums[i].total, result.data() + i * size, size);
  return result;
}

}  // namespace

TEST_CASE("attention in bfloat16: near float64 on numbers that are rounded already, with and without capture") {
  // Over a tile of 1024 keys, and at its edge.
  std::vector<std::size_t> const lengths{5, 0, 1, 17, 64, 33, 130}, long_lengths{1025, 1100};
  SerialExecutor executor;
  for (std::size_t head_size : {16, 24, 32, 64, 80})
    for (std::size_t group : {1, 2})
      for (bool biased : {false, true}) {
        CAPTURE(head_size);
        CAPTURE(group);
        CAPTURE(biased);
        bool const is_long = head_size == 64 && group == 1 && !biased;
        auto const batch = rounded_batch(2, head_size, is_long ? long_lengths : lengths, {.group = group, .biased = biased});
        auto const expected = reference(batch);
        std::vector<std::vector<float>> maps;
        std::vector<float*> targets;
        for (std::size_t s = 0; s < batch.sequences(); ++s) {
          maps.emplace_back(batch.heads * batch.queries(s) * batch.keys(s), guard);
          targets.push_back(maps.back().data());
        }
        auto queries = in_bfloat16(batch.operands(nullptr));
        queries.probabilities = targets.data();
        auto const found = run(queries, batch.key_operands(), executor);
        CHECK(same_bits(run_in_bfloat16(batch, executor), found));
        auto const [worst, guards_hold] = deviation(found, batch, expected);
        CHECK(worst < (has_tiles ? 8e-3 : 4e-6));  // values of up to about 4, whose weights are rounded to 8 bits
        CHECK(guards_hold);
        for (std::size_t s = 0; s < batch.sequences(); ++s) CHECK(deviation(maps[s], expected.probabilities[s]).worst < 2e-6);
      }
}

TEST_CASE("attention in bfloat16: two products with a softmax between have the same bits, of all keys and of the first") {
  if (!has_tiles) return;
  SerialExecutor executor;
  std::vector<std::size_t> const lengths{37, 1, 200, 18, 2, 300, 500};
  for (std::size_t head_size : {24, 32, 64})
    for (bool biased : {false, true}) {
      CAPTURE(head_size);
      CAPTURE(biased);
      Batch batch(4, head_size, AttentionMask::none, lengths, lengths, 5, {.group = 2, .biased = biased, .positions = 500});
      std::vector<std::size_t> const attended{37, 1, 70, 17, 1, 300, 470};
      // What is not attended to may be anything.
      for (std::size_t s = 0; s < batch.sequences(); ++s)
        for (std::size_t key = attended[s]; key < batch.keys(s); ++key)
          std::fill_n(batch.value.data() + (batch.key_offsets[s] + key) * batch.value_stride, batch.key_heads() * head_size,
                      std::numeric_limits<float>::infinity());
      auto queries = in_bfloat16(batch.operands(nullptr));
      queries.attended = attended.data();
      auto const found = run(queries, batch.key_operands(), executor);
      std::size_t wrong = 0;
      for (std::size_t s = 0; s < batch.sequences(); ++s)
        for (std::size_t head = 0; head < batch.heads; ++head) {
          auto const expected = head_by_products(batch, s, head, attended[s]);
          for (std::size_t i = 0; i < batch.queries(s); ++i)
            wrong += std::memcmp(expected.data() + i * head_size,
                                 found.data() + (batch.query_offsets[s] + i) * (batch.width() + 3) + head * head_size,
                                 head_size * sizeof(float)) != 0;
        }
      CHECK(wrong == 0);
    }
}

TEST_CASE("attention in bfloat16: a query's bits depend on no other query, sequence or thread") {
  std::vector<std::size_t> const lengths{40, 3, 1, 129, 0, 64};
  SerialExecutor executor;
  ThreadPool threads(3);
  for (std::size_t head_size : {32, 40}) {
    Batch const batch(4, head_size, AttentionMask::none, lengths, lengths, 2, {.group = 2});
    auto const all = run_in_bfloat16(batch, executor);
    CHECK(same_bits(run_in_bfloat16(batch, threads), all));
    for (std::size_t s = 0; s < batch.sequences(); ++s) {
      CAPTURE(s);
      auto const alone = batch.alone(s);
      CHECK(same_bits(run_in_bfloat16(alone, executor), rows_of(all, batch, batch.query_offsets[s], batch.queries(s))));
      // One, two and more queries of the same keys.
      for (std::size_t count : {1, 2, 3, 17}) {
        if (count > batch.queries(s)) continue;
        auto queries = in_bfloat16(alone.operands(nullptr));
        std::size_t const offsets[]{0, count};
        queries.offsets = offsets;
        CHECK(same_bits(run(queries, alone.key_operands(), executor), rows_of(all, batch, batch.query_offsets[s], count)));
      }
    }
  }
}

TEST_CASE("attention in bfloat16: rounded rows give the bits of floats, rounded, with biases, capture and keys that are not attended to") {
  if (!has_tiles) return;
  using kernels::PairRows;
  std::vector<std::size_t> const lengths{5, 0, 1, 17, 64, 33, 130}, long_lengths{1, 1100};
  std::vector<std::size_t> const attended{4, 0, 1, 0, 64, 17, 129}, long_attended{1, 1050};
  for (std::size_t group : {1, 2})
    for (std::size_t head_size : {32, 64})
      for (bool biased : {false, true}) {
        bool const is_long = group == 1 && head_size == 64 && !biased;
        Batch const batch(4, head_size, AttentionMask::none, is_long ? long_lengths : lengths, is_long ? long_lengths : lengths, 4,
                          {.group = group, .biased = biased});
        std::size_t const rows = batch.query_offsets.back(), key_width = batch.key_heads() * head_size;
        std::size_t const width = batch.width() + 2 * key_width;
        std::vector<float> fused(rows * width);
        for (std::size_t i = 0; i < rows; ++i) {
          std::copy_n(batch.query.data() + i * batch.query_stride, batch.width(), fused.data() + i * width);
          std::copy_n(batch.key.data() + i * batch.key_stride, key_width, fused.data() + i * width + batch.width());
          std::copy_n(batch.value.data() + i * batch.value_stride, key_width, fused.data() + i * width + batch.width() + key_width);
        }
        auto const memory = [&](std::size_t columns) { return Buffer(PairRows{rows, columns, nullptr}.bytes()); };
        Buffer const fused_memory = memory(width), output_memory = memory(batch.width()), expected_memory = memory(batch.width());
        PairRows const rounded{rows, width, static_cast<float*>(fused_memory.data())};
        PairRows const output{rows, batch.width(), static_cast<float*>(output_memory.data())};
        PairRows const expected{rows, batch.width(), static_cast<float*>(expected_memory.data())};
        kernels::detail::round_rows(fused.data(), width, 0, rows, rounded);

        std::vector<std::vector<float>> maps[2];
        std::vector<float*> targets[2];
        for (std::size_t way : {0, 1})
          for (std::size_t s = 0; s < batch.sequences(); ++s) {
            maps[way].emplace_back(batch.heads * batch.queries(s) * batch.keys(s), guard);
            targets[way].push_back(s % 3 == 2 ? nullptr : maps[way].back().data());
          }
        auto queries = in_bfloat16(batch.operands(nullptr));
        queries.attended = (is_long ? long_attended : attended).data();
        queries.probabilities = targets[0].data();
        SerialExecutor serial;
        auto const floats = run(queries, batch.key_operands(), serial);
        kernels::detail::round_rows(floats.data(), batch.width() + 3, 0, rows, expected);
        queries.query = nullptr;
        queries.probabilities = targets[1].data();
        for (std::size_t threads : {1, 3}) {
          ThreadPool executor(threads);
          kernels::RoundedAttentionRows const both{rounded, output};
          std::vector<float> scratch(kernels::attention_scratch_floats(queries, both, executor.concurrency()),
                                     std::numeric_limits<float>::quiet_NaN());
          kernels::attention(queries, both, scratch.data(), executor);
          std::size_t wrong = 0;
          for (std::size_t row = 0; row < rows; ++row)
            for (std::size_t chunk = 0; chunk < output.chunks(); ++chunk)
              wrong += std::memcmp(output.at(row, chunk), expected.at(row, chunk), PairRows::chunk_words * sizeof(float)) != 0;
          CHECK(wrong == 0);
          for (std::size_t s = 0; s < batch.sequences(); ++s) CHECK(same_bits(maps[0][s], maps[1][s]));
        }
      }
}

TEST_CASE("attention in bfloat16: where a query does not see all keys all is in floats") {
  SerialExecutor executor;
  std::vector<std::size_t> const lengths{40, 3, 100};
  for (auto mask : {AttentionMask::none, AttentionMask::causal})
    for (std::size_t window : {0, 7}) {
      if (mask == AttentionMask::none && window == 0) continue;
      Batch const batch(2, 32, mask, lengths, lengths, 6, {.window = window});
      CHECK(same_bits(run_in_bfloat16(batch, executor), run(batch, executor)));
    }
}
