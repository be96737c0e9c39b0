// Positions as transformers computes them in float64 (tests/fixtures/nn): queries and keys that are turned, biases of scores,
// sines and cosines.
#include <axiform/core/context.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/sinusoids.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::fill_parameters;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

// Every position of a case as a sequence of one token behind that many others.
struct Placed {
  SequenceOffsets<axes::Tokens> sequences;
  std::vector<std::size_t> past;

  explicit Placed(std::vector<TokenId> const& positions) {
    for (TokenId const position : positions) {
      sequences.append(1);
      past.push_back(static_cast<std::size_t>(position));
    }
  }
};

// A head of queries, and of keys, turned by the angles of their positions.
void check_rotary(Goldens const& golden, std::string const& name, Context& context) {
  std::size_t const heads = golden.number(name + ".heads"), key_heads = golden.number(name + ".key_heads");
  auto query = golden.tensor<axes::Tokens, axes::Hidden>(name + ".query");
  auto key = golden.tensor<axes::Tokens, axes::Hidden>(name + ".key");
  std::size_t const head_size = query.columns() / heads;
  std::size_t const columns = golden.has(name + ".rotary_size") ? golden.number(name + ".rotary_size") : 0;
  double const base = golden.real(name + ".base");
  using D = DynamicGroupedDimensions;
  auto const rotary =
      Rotary<D>::create({heads * head_size, heads, head_size, 1, key_heads}, {.rotary_base = base, .rotary_columns = columns});

  auto const frequencies = rotary_frequencies(columns == 0 ? head_size : columns, base);
  CHECK(std::ranges::equal(frequencies, golden.reals(name + ".inverse_frequencies")));  // to the bit

  Placed const placed(golden.ids(name + ".positions"));
  auto const angles = rotary(placed.sequences, placed.past, context);
  Rotary<D>::Places const places(angles);
  places.turn(query.view(), heads, context);
  places.turn(key.view(), key_heads, context);
  CHECK(largest_difference(query, golden.reals(name + ".rotated_query")) < 1e-6);
  CHECK(largest_difference(key, golden.reals(name + ".rotated_key")) < 1e-6);
}

// The bias that attention reads for each head, query and key.
std::vector<double> numbers(ScoreBias const& bias, std::size_t heads, std::size_t first_query, std::size_t queries, std::size_t keys) {
  std::vector<double> result;
  for (std::size_t head = 0; head < heads; ++head)
    for (std::size_t query = first_query; query < first_query + queries; ++query)
      for (std::size_t key = 0; key < keys; ++key)
        result.push_back(
            static_cast<double>(bias.data[static_cast<std::ptrdiff_t>(head) * bias.head_stride +
                                          static_cast<std::ptrdiff_t>(query) * bias.query_stride + static_cast<std::ptrdiff_t>(key)]));
  return result;
}

template <RelativeDirections directions>
void check_relative_bias(std::string const& name) {
  Goldens const golden(goldens::operations);
  Context context;
  using Bias = RelativeBias<DynamicDimensions, directions>;
  auto position = Bias::create({8, 2, 4, 1}, {});
  fill_parameters(position, golden, [&](std::string_view) { return name + ".table"; });

  auto const whole = position(SequenceOffsets<axes::Tokens>::of_lengths({3, 20, 1}), {}, context);
  CHECK(numbers(typename Bias::Places(whole).bias(), 2, 0, 20, 20) == golden.reals(name + ".all"));
  std::vector<std::size_t> const past{148, 7};
  auto const behind = position(SequenceOffsets<axes::Tokens>::of_lengths({2, 1}), past, context);
  CHECK(numbers(typename Bias::Places(behind).bias(), 2, 148, 2, 150) == golden.reals(name + ".last_two_of_150"));
}

}  // namespace

TEST_CASE(
    "rotary positions: near and far positions, two bases, whole heads and parts of heads give Llama's and GPT-NeoX's queries and keys") {
  Goldens const golden(goldens::operations);
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    for (std::string const name :
         {"head8.base10000", "head8.base100000", "head64.base10000", "head64.base100000", "partial4of16", "partial6of10"}) {
      CAPTURE(name);
      check_rotary(golden, "rotary." + name, context);
    }
  }
}

TEST_CASE("rotary positions: neighbours are turned by the angle of their pair, and columns behind the angles stay") {
  Context context;
  for (std::size_t size : {2, 6, 16, 80})
    for (std::size_t columns : {size, size / 4 * 2}) {
      std::size_t const heads = 3;
      auto const frequencies = rotary_frequencies(columns, 10000.0);
      auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({4, 0, 2});
      std::vector<std::size_t> const past{0, 9, 300};
      std::vector<std::size_t> const positions{0, 1, 2, 3, 300, 301};
      Tensor<float, axes::Tokens, axes::Hidden> x(positions.size(), heads * size);
      for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = std::sin(static_cast<float>(i));
      std::vector<double> expected(x.data(), x.data() + x.size());
      for (std::size_t row = 0; row < positions.size(); ++row)
        for (std::size_t head = 0; head < heads; ++head)
          for (std::size_t pair = 0; pair < columns / 2; ++pair) {
            double* const at = expected.data() + (row * heads + head) * size + 2 * pair;
            double const angle = static_cast<double>(static_cast<float>(positions[row]) * frequencies[pair]);
            double const a = at[0], b = at[1];
            at[0] = a * std::cos(angle) - b * std::sin(angle);
            at[1] = a * std::sin(angle) + b * std::cos(angle);
          }
      auto const angles = rotary_angles(frequencies, sequences, past, context);
      rotate(x.view(), heads, angles.view(), RotaryPairs::neighbours, context);
      CHECK(largest_difference(x, expected) < 1e-6);
    }
}

TEST_CASE("rotary positions: whole sequences, and tokens behind a past, are turned alike to the bit") {
  Context context;
  auto const rotary = Rotary<DynamicDimensions>::create({16, 2, 8, 1}, {});
  auto const whole = rotary(SequenceOffsets<axes::Tokens>::single(50), {}, context);
  std::vector<std::size_t> const past{40, 7};
  auto const parts = rotary(SequenceOffsets<axes::Tokens>::of_lengths({10, 1}), past, context);
  for (std::size_t i = 0; i < 10; ++i) CHECK(std::ranges::equal(parts.row(i), whole.row(40 + i)));
  CHECK(std::ranges::equal(parts.row(10), whole.row(7)));
}

TEST_CASE("rotary positions: layers of settings of their own are turned as by these alone") {
  Context context;
  using ByLayer = RotaryByLayer<DynamicDimensions>;
  DynamicDimensions const d{16, 2, 8, 1};
  std::vector<PositionSettings> const layers{{.rotary_base = 500}, {}, {.rotary_base = 500}};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({4, 0, 2});
  std::vector<std::size_t> const past{0, 9, 300};
  auto const by_layer = ByLayer::create(d, layers);
  auto const pass = by_layer(sequences, past, context);
  CHECK(pass.rows() == 2 * 6);  // two settings
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    Tensor<float, axes::Tokens, axes::Hidden> expected(std::size_t{6}, std::size_t{16}), found(std::size_t{6}, std::size_t{16});
    for (std::size_t i = 0; i < expected.size(); ++i) expected.data()[i] = found.data()[i] = std::sin(static_cast<float>(i));
    auto const angles = Rotary<DynamicDimensions>::create(d, layers[layer])(sequences, past, context);
    Rotary<DynamicDimensions>::Places(angles).turn(expected.view(), 2, context);
    by_layer.places(pass, layer).turn(found.view(), 2, context);
    CHECK(std::ranges::equal(found.elements(), expected.elements()));
  }
  std::vector<PositionSettings> const uneven{{}, {.rotary_columns = 4}};
  CHECK_THROWS_AS(ByLayer::create(d, uneven), ArgumentError);
}

TEST_CASE("rotary positions: settings, pasts and angles that do not fit are refused") {
  Context context;
  using Halves = Rotary<DynamicDimensions>;
  DynamicDimensions const d{16, 2, 8, 1};
  CHECK_THROWS_AS(Halves::create(d, {.rotary_columns = 3}), ArgumentError);
  CHECK_THROWS_AS(Halves::create(d, {.rotary_columns = 10}), ArgumentError);
  auto const rotary = Halves::create(d, {});
  std::vector<std::size_t> const past{4};
  CHECK_THROWS_AS(rotary(SequenceOffsets<axes::Tokens>::of_lengths({1, 1}), past, context), ShapeError);
  auto const angles = rotary(SequenceOffsets<axes::Tokens>::single(3), {}, context);
  Tensor<float, axes::Tokens, axes::Hidden> x(std::size_t{2}, std::size_t{16});
  CHECK_THROWS_AS(Halves::Places(angles).turn(x.view(), 2, context), ShapeError);
  CHECK_THROWS_AS(Halves::Places().turn(x.view(), 2, context), ShapeError);
}

TEST_CASE("relative positions: every distance falls into MPNet's and T5's buckets") {
  Goldens const golden(goldens::operations);
  auto const distances = golden.ids("buckets.distances");
  auto const check = [&](std::string const& name, RelativeDirections directions, std::size_t buckets, std::size_t most_distance) {
    auto const expected = golden.ids("buckets." + name);
    for (std::size_t i = 0; i < distances.size(); ++i) {
      CAPTURE(distances[i]);
      CHECK(relative_bucket(static_cast<std::ptrdiff_t>(distances[i]), directions, buckets, most_distance) ==
            static_cast<std::size_t>(expected[i]));
    }
  };
  check("mpnet", RelativeDirections::both, 32, 128);
  check("t5.bidirectional", RelativeDirections::both, 32, 128);
  check("t5.causal", RelativeDirections::past, 32, 128);
  check("t5.bidirectional.8of20", RelativeDirections::both, 8, 20);
  check("t5.causal.8of20", RelativeDirections::past, 8, 20);
}

TEST_CASE("relative positions: the bias of every query and key is T5's, for whole sequences and behind a past") {
  check_relative_bias<RelativeDirections::both>("relative_bias.bidirectional");
  check_relative_bias<RelativeDirections::past>("relative_bias.causal");
}

TEST_CASE("relative positions: too few buckets are refused") {
  DynamicDimensions const d{8, 2, 4, 1};
  using Both = RelativeBias<DynamicDimensions, RelativeDirections::both>;
  CHECK_THROWS_AS(Both::create(d, {.buckets = 3}), ArgumentError);
  CHECK_THROWS_AS(Both::create(d, {.buckets = 32, .most_distance = 8}), ArgumentError);
  CHECK_NOTHROW(Both::create(d, {.buckets = 4, .most_distance = 2}));
}

TEST_CASE("sinusoids: rows of every width are Marian's in halves and Vaswani's interleaved, behind a past, too") {
  auto const check = [](Goldens const& golden, std::string const& name, SinusoidLayout layout) {
    CAPTURE(name);
    auto const positions = golden.ids(name + ".positions");
    auto const expected = golden.reals(name + ".values");
    std::size_t const columns = expected.size() / positions.size();
    Sinusoids<axes::Hidden> const table(static_cast<std::size_t>(positions.back()) + 1, columns, layout);
    Placed const placed(positions);
    Tensor<float, axes::Tokens, axes::Hidden> x(positions.size(), columns);
    table.add_positions(placed.sequences, x.view(), placed.past);
    CHECK(std::ranges::equal(x.elements(), expected, {}, {}, [](double value) { return static_cast<float>(value); }));  // to the bit
  };
  Goldens const operations(goldens::operations), transformer(goldens::models / "transformer.safetensors");
  for (std::string const width : {"6", "7", "64"}) check(operations, "sinusoidal.halves.width" + width, SinusoidLayout::halves);
  for (std::string const name : {"even", "width20", "odd", "far"}) check(transformer, "sinusoidal." + name, SinusoidLayout::interleaved);
}

TEST_CASE("sinusoids: they are added to what is there, from 0 on in each sequence") {
  Sinusoids<Const<6>> const table(4, {}, SinusoidLayout::halves);
  Tensor<float, axes::Tokens, Const<6>> x(std::size_t{6});
  std::ranges::fill(x.elements(), 0.5F);
  table.add_positions(SequenceOffsets<axes::Tokens>::of_lengths({4, 0, 2}), x.view());
  std::size_t const positions[]{0, 1, 2, 3, 0, 1};
  for (std::size_t row = 0; row < 6; ++row)
    for (std::size_t column = 0; column < 6; ++column)
      CHECK(x(row, column) == static_cast<float>(sinusoid(positions[row], column, 6, SinusoidLayout::halves)) + 0.5F);
}

TEST_CASE("sinusoids: what lies beyond the table or the target is refused") {
  Sinusoids<axes::Hidden> const table(4, {3}, SinusoidLayout::interleaved);
  Tensor<float, axes::Tokens, axes::Hidden> target(std::size_t{2}, std::size_t{3});
  auto const two = SequenceOffsets<axes::Tokens>::single(2);
  std::vector<std::size_t> const past{3};
  CHECK_NOTHROW(table.add_positions(two, target.view()));
  CHECK_THROWS_WITH_AS(table.add_positions(two, target.view(), past), "sinusoids: found position 4, expected one of 4", ArgumentError);
  CHECK_THROWS_AS(table.add_positions(SequenceOffsets<axes::Tokens>::single(3), target.view()), ShapeError);
  CHECK_THROWS_AS(table.add_positions(SequenceOffsets<axes::Tokens>::of_lengths({1, 1}), target.view(), past), ShapeError);
}
