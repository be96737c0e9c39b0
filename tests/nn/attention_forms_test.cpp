// Attention with fewer heads of keys, windows, biases and a scale of its own, as torch computes it in float64 (tests/fixtures/nn).
#include <axiform/core/context.hpp>
#include <axiform/ops/attention.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double tolerance = 2e-5;

struct Mask {
  char const* name;  // in the fixture
  AttentionMask mask;
  std::size_t window;
};
// The fixture's reach N is |query - key| <= N.
constexpr Mask masks[]{{"", AttentionMask::none, 0},           {"causal.", AttentionMask::causal, 0},
                       {"window1.", AttentionMask::causal, 1}, {"window4.", AttentionMask::causal, 4},
                       {"window9.", AttentionMask::causal, 9}, {"reach1.", AttentionMask::none, 2},
                       {"reach3.", AttentionMask::none, 4}};

// A case of the fixture. Its queries stand at the last of their keys' positions. So do attention's with the mask `causal`; without it query i
// stands at key i, which matters to windows and biases where there are more keys than queries.
struct Case {
  Goldens const& golden;
  std::string name;
  Tensor<float, axes::Queries, axes::Hidden> query = golden.tensor<axes::Queries, axes::Hidden>(name + ".query");
  Tensor<float, axes::Keys, axes::Hidden> key = golden.tensor<axes::Keys, axes::Hidden>(name + ".key");
  Tensor<float, axes::Keys, axes::Hidden> value = golden.tensor<axes::Keys, axes::Hidden>(name + ".value");
  std::vector<std::size_t> query_lengths = golden.lengths(name + ".query_offsets"), key_lengths = golden.lengths(name + ".key_offsets");
  std::size_t heads = golden.number(name + ".heads");
  std::vector<double> bias = golden.has(name + ".bias") ? golden.reals(name + ".bias") : std::vector<double>{};
  std::vector<float> bias_table = std::vector<float>(bias.begin(), bias.end());  // [heads, 2 * reach + 1]

  // What is added for queries that stand `behind` keys further back than attention takes them to stand.
  AttentionSettings options(Mask const& mask, std::size_t behind) const {
    AttentionSettings result{.mask = mask.mask, .window = mask.window, .scale = static_cast<float>(golden.real(name + ".scale"))};
    std::size_t const columns = bias_table.size() / heads;
    if (columns != 0) result.bias = {bias_table.data() + columns / 2 - behind, static_cast<std::ptrdiff_t>(columns), -1};
    return result;
  }
  Tensor<float, axes::Queries, axes::Hidden> run(Mask const& mask, Context& context) const {
    return grouped_attention(query, key, value, heads, SequenceOffsets<axes::Queries>::of_lengths(query_lengths),
                             SequenceOffsets<axes::Keys>::of_lengths(key_lengths), AttentionKind::self, options(mask, 0), context);
  }
  // One sequence by itself, whose queries stand where the fixture has them.
  Tensor<float, axes::Queries, axes::Hidden> run_alone(std::size_t first_query, std::size_t queries, std::size_t first_key,
                                                       std::size_t keys, Mask const& mask, Context& context) const {
    auto const rows = [](auto const& tensor, auto axis, std::size_t first, std::size_t count) {
      return View<decltype(axis), axes::Hidden>(tensor.row(first).data(), Shape<decltype(axis), axes::Hidden>(count, tensor.columns()));
    };
    return grouped_attention(rows(query, axes::Queries{}, first_query, queries), rows(key, axes::Keys{}, first_key, keys),
                             rows(value, axes::Keys{}, first_key, keys), heads, SequenceOffsets<axes::Queries>::single(queries),
                             SequenceOffsets<axes::Keys>::single(keys), AttentionKind::self, options(mask, keys - queries), context);
  }
};

void check_mask(Case const& c, Mask const& mask, Context& context) {
  std::string const name = c.name + "." + mask.name;
  Capture capture;
  context.observe(&capture);
  auto const output = c.run(mask, context);
  context.observe(nullptr);
  auto const expected = c.golden.reals(name + "output");
  std::size_t const width = output.columns();
  std::size_t compared = 0;
  for (std::size_t s = 0, query = 0, key = 0; s < c.query_lengths.size(); query += c.query_lengths[s], key += c.key_lengths[s], ++s) {
    std::size_t const queries = c.query_lengths[s], keys = c.key_lengths[s];
    std::span const wanted(expected.data() + query * width, queries * width);
    bool const stands_there = mask.mask == AttentionMask::causal || queries == keys || (mask.window == 0 && c.bias.empty());
    if (stands_there) {
      CHECK(largest_difference(std::span(output.row(query).data(), queries * width), wanted) < tolerance);
    } else if (mask.window == 0) {
      CHECK(largest_difference(c.run_alone(query, queries, key, keys, mask, context), wanted) < tolerance);
    } else {
      continue;
    }
    ++compared;
  }
  CHECK(compared >= c.query_lengths.size() - 2);  // of `grouped`, two sequences have more keys than queries
  CHECK(largest_difference(capture.attention(0), c.golden.reals(name + "probabilities.0")) < 1e-6);
}

}  // namespace

TEST_CASE("attention: grouped and biased heads with every mask and window give torch's outputs and probabilities") {
  Goldens const golden(goldens::operations);
  std::size_t cases = 0;
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    for (std::string const name : {"grouped", "one_key_head", "wide", "biased", "biased_grouped"}) {
      Case const c{golden, "attention." + name};
      for (Mask const& mask : masks) {
        if (!golden.has(c.name + "." + mask.name + "output")) continue;
        CAPTURE(name);
        CAPTURE(mask.name);
        check_mask(c, mask, context);
        ++cases;
      }
    }
  }
  CHECK(cases == 2 * 16);
}

TEST_CASE("attention: a scale that is not above 0 is refused") {
  Context context;
  Tensor<float, axes::Tokens, axes::Hidden> const x(std::size_t{3}, std::size_t{8});
  auto const sequences = SequenceOffsets<axes::Tokens>::single(3);
  auto const attend = [&](float scale) {
    grouped_attention(x, x, x, 2, sequences, sequences, AttentionKind::self, {.scale = scale}, context);
  };
  CHECK_NOTHROW(attend(1e-3F));
  for (float const scale : {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN()}) CHECK_THROWS_AS(attend(scale), ArgumentError);
}

TEST_CASE("attention: heads that key heads do not divide are refused, and so is a cache of other heads") {
  Context context;
  Tensor<float, axes::Tokens, axes::Hidden> const query(std::size_t{3}, std::size_t{24});  // 6 heads of 4
  auto const sequences = SequenceOffsets<axes::Tokens>::single(3);
  auto const attend = [&](std::size_t key_columns) {
    Tensor<float, axes::Tokens, axes::Hidden> const key(std::size_t{3}, key_columns);
    grouped_attention(query, key, key, 6, sequences, sequences, AttentionKind::self, {}, context);
  };
  for (std::size_t key_heads : {1, 2, 3, 6}) CHECK_NOTHROW(attend(4 * key_heads));
  for (std::size_t columns : {0, 2, 6, 16, 20, 28, 48}) CHECK_THROWS_AS(attend(columns), ShapeError);
}
