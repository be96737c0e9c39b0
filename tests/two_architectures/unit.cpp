// Compiled once for each instruction set, into one program: the function has the set's name, and what it computes goes through the whole library.
#include "unit.hpp"

#include <axiform/models/bert.hpp>
#include <axiform/nn/initialize.hpp>

namespace {

// Lengths that no vector width divides.
struct Small : axiform::Dimensions<axiform::Const<57>, axiform::Const<3>, axiform::Const<19>, axiform::Const<83>> {
  static constexpr axiform::ModelSizes sizes{.layers = 2, .vocabulary = 31, .positions = 16, .token_types = 2};
};

}  // namespace

std::vector<float> AXIFORM_TEST_UNIT() {
  axiform::Context context;
  auto bert = axiform::Bert<Small>::create();
  axiform::initialize(bert, {.seed = 1, .standard_deviation = 0.1}, context);
  std::vector<axiform::TokenId> const ids{1, 30, 0, 7, 7, 12, 29};
  auto const hidden_states = bert(ids, context);
  return {hidden_states.elements().begin(), hidden_states.elements().end()};
}
