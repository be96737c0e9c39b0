// A packed ragged batch for the tests of attention, and what double loops make of it.
#pragma once

#include <axiform/kernels/attention.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "support/executor.hpp"

namespace attention_tests {

using namespace axiform;
using kernels::AttentionKeys;
using kernels::AttentionMask;
using kernels::AttentionQueries;
using kernels::CachedKeys;
using kernels::KeyValueLayout;

// What attention does besides the plain products.
struct Form {
  std::size_t group = 1, window = 0;
  bool biased = false;
  std::size_t positions = 210;  // that a bias has
};

// A batch with its queries, keys and values, each with a row stride and an offset of its own.
struct Batch {
  std::size_t heads, head_size;
  AttentionMask mask;
  Form form;
  std::vector<std::size_t> query_offsets, key_offsets;
  std::size_t query_stride, key_stride, value_stride;
  std::vector<float> query, key, value;
  std::vector<float> bias;  // [heads, positions, positions], NaN where the mask or the window hides the key

  Batch(std::size_t heads_, std::size_t head_size_, AttentionMask mask_, std::vector<std::size_t> const& query_lengths,
        std::vector<std::size_t> const& key_lengths, unsigned seed = 1, Form form_ = {})
      : heads(heads_), head_size(head_size_), mask(mask_), form(form_), query_offsets{0}, key_offsets{0} {
    for (std::size_t length : query_lengths) query_offsets.push_back(query_offsets.back() + length);
    for (std::size_t length : key_lengths) key_offsets.push_back(key_offsets.back() + length);
    query_stride = width() + 1;
    key_stride = key_heads() * head_size + 2;
    value_stride = key_heads() * head_size * 3;
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    query.resize(query_offsets.back() * query_stride);
    key.resize(key_offsets.back() * key_stride);
    value.resize(key_offsets.back() * value_stride);
    for (auto* values : {&query, &key, &value})
      for (float& x : *values) x = normal(generator);
    if (!form.biased) return;
    generator.seed(7), normal.reset();  // any batch has the same bias
    std::size_t const positions = form.positions;
    bias.resize(heads * positions * positions);
    for (float& x : bias) x = normal(generator);
    for (std::size_t i = 0; i < bias.size(); ++i)
      if (!sees(i / positions % positions, i % positions)) bias[i] = std::numeric_limits<float>::quiet_NaN();
  }

  std::size_t width() const { return heads * head_size; }
  std::size_t key_heads() const { return heads / form.group; }
  std::size_t sequences() const { return query_offsets.size() - 1; }
  std::size_t queries(std::size_t s) const { return query_offsets[s + 1] - query_offsets[s]; }
  std::size_t keys(std::size_t s) const { return key_offsets[s + 1] - key_offsets[s]; }
  // Where query i of a sequence stands, from 0; below where it stands before the first key.
  std::ptrdiff_t position(std::size_t s, std::size_t i) const {
    auto const behind = mask == AttentionMask::causal ? std::ptrdiff_t(keys(s)) - std::ptrdiff_t(queries(s)) : 0;
    return behind + std::ptrdiff_t(i);
  }
  bool sees(std::size_t query_position, std::size_t key_position) const {
    if (mask == AttentionMask::causal && key_position > query_position) return false;
    auto const distance = std::max(query_position, key_position) - std::min(query_position, key_position);
    return form.window == 0 || distance < form.window;
  }
  bool query_sees(std::size_t s, std::size_t i, std::size_t key_position) const {
    return position(s, i) >= 0 && sees(std::size_t(position(s, i)), key_position);
  }
  AttentionQueries operands(float* output) const {
    auto const stride = std::ptrdiff_t(form.positions);
    return {.sequences = sequences(),
            .heads = heads,
            .head_size = head_size,
            .scale = 1.0f / std::sqrt(float(head_size)),
            .mask = mask,
            .group = form.group,
            .window = form.window,
            .bias = {form.biased ? bias.data() : nullptr, stride * stride, stride},
            .offsets = query_offsets.data(),
            .query = query.data(),
            .query_stride = query_stride,
            .output = output,
            .output_stride = width() + 3};
  }
  // The rows of one sequence by themselves.
  Batch alone(std::size_t s) const {
    Batch one(heads, head_size, mask, {queries(s)}, {keys(s)}, 1, form);
    std::copy_n(query.data() + query_offsets[s] * query_stride, one.query.size(), one.query.data());
    std::copy_n(key.data() + key_offsets[s] * key_stride, one.key.size(), one.key.data());
    std::copy_n(value.data() + key_offsets[s] * value_stride, one.value.size(), one.value.data());
    return one;
  }
  AttentionKeys key_operands() const { return {key_offsets.data(), {key.data(), key_stride, value.data(), value_stride}}; }
  // The keys and values of a sequence from `first` on.
  kernels::KeyValueRows rows_from(std::size_t s, std::size_t first) const {
    std::size_t const row = key_offsets[s] + first;
    return {key.data() + row * key_stride, key_stride, value.data() + row * value_stride, value_stride};
  }
};

// [queries, width + 3]; the three columns between rows keep the guard.
constexpr float guard = -777.0f;

template <class Keys>
std::vector<float> run(AttentionQueries queries, Keys const& keys, Executor& executor) {
  std::vector<float> output(queries.offsets[queries.sequences] * queries.output_stride, guard);
  std::vector<float> scratch(kernels::attention_scratch_floats(queries, keys, executor.concurrency()),
                             std::numeric_limits<float>::quiet_NaN());
  queries.output = output.data();
  kernels::attention(queries, keys, scratch.data(), executor);
  return output;
}

inline std::vector<float> run(Batch const& batch, Executor& executor) {
  return run(batch.operands(nullptr), batch.key_operands(), executor);
}

// Results and probabilities in float64.
struct Reference {
  std::vector<double> output;
  std::vector<std::vector<double>> probabilities;  // for each sequence [heads, queries, keys]
};

inline Reference reference(Batch const& b) {
  Reference result{std::vector<double>(b.query_offsets.back() * b.width()), {}};
  for (std::size_t s = 0; s < b.sequences(); ++s) {
    std::vector<double> map(b.heads * b.queries(s) * b.keys(s));
    for (std::size_t h = 0; h < b.heads; ++h)
      for (std::size_t i = 0; i < b.queries(s); ++i) {
        double* const row = map.data() + (h * b.queries(s) + i) * b.keys(s);
        std::vector<std::size_t> seen;
        for (std::size_t j = 0; j < b.keys(s); ++j)
          if (b.query_sees(s, i, j)) seen.push_back(j);
        float const* const q = b.query.data() + (b.query_offsets[s] + i) * b.query_stride + h * b.head_size;
        std::size_t const key_column = h / b.form.group * b.head_size;
        double most = -1e300;
        for (std::size_t j : seen) {
          float const* const k = b.key.data() + (b.key_offsets[s] + j) * b.key_stride + key_column;
          for (std::size_t d = 0; d < b.head_size; ++d) row[j] += double(q[d]) * double(k[d]);
          row[j] /= std::sqrt(double(b.head_size));
          if (b.form.biased) row[j] += double(b.bias[(h * b.form.positions + std::size_t(b.position(s, i))) * b.form.positions + j]);
          most = std::max(most, row[j]);
        }
        double sum = 0.0;
        for (std::size_t j : seen) sum += row[j] = std::exp(row[j] - most);
        for (std::size_t j : seen) {
          row[j] /= sum;
          float const* const v = b.value.data() + (b.key_offsets[s] + j) * b.value_stride + key_column;
          for (std::size_t d = 0; d < b.head_size; ++d)
            result.output[(b.query_offsets[s] + i) * b.width() + h * b.head_size + d] += row[j] * double(v[d]);
        }
      }
    result.probabilities.push_back(map);
  }
  return result;
}

inline bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// How far results are from the reference, and whether the columns between their rows are as they were.
struct Deviation {
  double worst = 0.0;
  bool guards_hold = true;

  void add(double error) { worst = error <= worst ? worst : error; }  // a NaN becomes the worst
};

inline Deviation deviation(std::vector<float> const& found, Batch const& batch, Reference const& expected) {
  Deviation result;
  for (std::size_t i = 0; i < batch.query_offsets.back(); ++i) {
    float const* const row = found.data() + i * (batch.width() + 3);
    for (std::size_t j = 0; j < batch.width(); ++j) result.add(std::fabs(double(row[j]) - expected.output[i * batch.width() + j]));
    for (std::size_t j = 0; j < 3; ++j) result.guards_hold = result.guards_hold && row[batch.width() + j] == guard;
  }
  return result;
}
// The same of the probabilities of a sequence, behind which there may be more.
inline Deviation deviation(std::vector<float> const& map, std::vector<double> const& expected) {
  Deviation result;
  for (std::size_t i = 0; i < expected.size(); ++i) result.add(std::fabs(double(map[i]) - expected[i]));
  return result;
}

inline void check_batch(Batch const& batch) {
  CAPTURE(batch.head_size);
  CAPTURE(batch.heads);
  CAPTURE(batch.form.group);
  CAPTURE(batch.form.window);
  CAPTURE(batch.form.biased);
  SerialExecutor executor;
  auto const expected = reference(batch);
  auto const found = run(batch, executor);
  auto const [worst, guards_hold] = deviation(found, batch, expected);
  CHECK(worst < 4e-6);  // scores of up to about 5, rounded to 24 bits at each of head_size steps; values of up to about 4
  CHECK(guards_hold);

  // The same with capture: the bits of the output do not change, and the probabilities are the reference's.
  std::vector<std::vector<float>> maps;
  std::vector<float*> targets;
  for (std::size_t s = 0; s < batch.sequences(); ++s) {
    maps.emplace_back(batch.heads * batch.queries(s) * batch.keys(s) + 1, guard);
    targets.push_back(s % 3 == 2 ? nullptr : maps.back().data());
  }
  auto queries = batch.operands(nullptr);
  queries.probabilities = targets.data();
  CHECK(same_bits(run(queries, batch.key_operands(), executor), found));
  for (std::size_t s = 0; s < batch.sequences(); ++s) {
    CHECK(maps[s].back() == guard);
    if (targets[s] == nullptr) continue;
    CHECK(deviation(maps[s], expected.probabilities[s]).worst < 2e-6);
  }
}

}  // namespace attention_tests
