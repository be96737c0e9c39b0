// Compiled once for each instruction set, into one program: the function has the set's name, and what it computes goes through the whole library.
#include "unit.hpp"

#include <cstddef>
#include <span>
#include <string_view>

#include <axiform/models/bert.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/linear.hpp>

namespace {

using namespace axiform;

// Lengths that no vector width divides.
struct Small : Dimensions<Const<57>, Const<3>, Const<19>, Const<83>> {
  static constexpr ModelSizes sizes{.layers = 2, .vocabulary = 31, .positions = 16, .token_types = 2};
};

// Whole numbers over 64, uneven: every instruction set rounds them alike, to blocks and to numbers of 8 bits.
void fill(std::span<float> values) {
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * i % 113) / 64.0F - 0.75F;
}

}  // namespace

std::vector<float> AXIFORM_TEST_UNIT() {
  Context context;
  auto bert = Bert<Small>::create();
  initialize(bert, {.seed = 1, .standard_deviation = 0.1}, context);
  std::vector<TokenId> const ids{1, 30, 0, 7, 7, 12, 29};
  auto const hidden_states = bert(ids, context);
  std::vector<float> result{hidden_states.elements().begin(), hidden_states.elements().end()};

  // Products of integers, for which each set has another form and another layout of rows.
  for (WeightFormat format : {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1}) {
    Linear<Const<96>, Const<83>> layer;
    for_each_parameter(layer, [format](std::string_view, ParameterRef const& parameter) {
      std::vector<float> values(parameter.rows() * parameter.columns());
      fill(values);
      parameter.write_rows(0, values);
      parameter.set_format(format);
    });
    Tensor<float, axes::Tokens, Const<96>> rows(7);
    fill(rows.elements());
    auto const products = layer(rows, context);
    result.insert(result.end(), products.elements().begin(), products.elements().end());
  }
  return result;
}
