// Stacks whose layers run more than once.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/kv_cache.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "support/files.hpp"

using namespace axiform;

// A decoder's block.
struct SharedRecipe : BlockRecipe {
  static constexpr char const* name = "SharedBlock";
  static constexpr char const* stack_name = "SharedStack";
  static constexpr auto placement = NormPlacement::before;
  static constexpr auto mask = AttentionMask::causal;
};

namespace {

using SharedStack = Stack<DynamicDimensions, SharedRecipe>;

DynamicDimensions const shared_dimensions{.hidden = 24, .heads = 3, .head_size = 8, .inner = 40};

SharedStack seeded_stack(std::size_t layers, Context& context) {
  auto stack = SharedStack::create(shared_dimensions, layers, {.activation = Activation::gelu});
  initialize(stack, {.seed = 3}, context);
  return stack;
}

Tensor<float, axes::Tokens, axes::Hidden> shared_states(std::size_t rows) {
  Tensor<float, axes::Tokens, axes::Hidden> states(rows, 24);
  for (std::size_t i = 0; i < rows * 24; ++i) states.data()[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  return states;
}

// A stack with a copy of a layer for each step.
SharedStack spelled_out(SharedStack const& shared, Context& context) {
  auto stack = seeded_stack(shared.steps(), context);
  for (std::size_t step = 0; step < shared.steps(); ++step) {
    std::vector<ConstParameterRef> source;
    for_each_parameter(shared.layer(step), [&](std::string_view, ConstParameterRef const& parameter) { source.push_back(parameter); });
    std::size_t next = 0;
    for_each_parameter(stack.layers[step], [&](std::string_view, ParameterRef const& parameter) {
      std::vector<float> row(parameter.columns());
      for (std::size_t i = 0; i < parameter.rows(); ++i) {
        source[next].read_row(i, row);
        parameter.write_rows(i, row);
      }
      ++next;
    });
  }
  return stack;
}

}  // namespace

TEST_CASE("shared layers: a layer that runs again has the bits of a copy of it, with and without a cache") {
  Context context = Context::with_threads(2);
  auto shared = seeded_stack(2, context);
  shared.run_in({.layers = 2, .of_step = {1, 0, 1, 1}});
  CHECK(shared.steps() == 4);
  CHECK(shared.runs_of(0) == 1);
  CHECK(shared.runs_of(1) == 3);
  auto const copies = spelled_out(shared, context);
  auto const states = shared_states(7);
  auto const sequences = SequenceOffsets<axes::Tokens>::single(7);
  auto const expected = copies(states, sequences, context), found = shared(states, sequences, context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));

  CHECK(shared.cache_widths().layers == 4);
  KeyValueCache cache(shared.cache_widths(), 1, 7);
  for (std::size_t token = 0; token < 7; ++token) {
    Tensor<float, axes::Tokens, axes::Hidden> row(1, 24);
    std::ranges::copy(states.row(token), row.data());
    auto const next = shared(row, {.sequences = SequenceOffsets<axes::Tokens>::single(1), .cache = &cache}, context);
    CHECK(std::ranges::equal(next.row(0), found.row(token)));
  }
}

TEST_CASE("shared layers: an order that names a layer that is not there is refused, and leaves the stack as it was") {
  Context context;
  auto stack = seeded_stack(2, context);
  CHECK(test::message_of<ArgumentError>([&] {
          stack.run_in({.layers = 2, .of_step = {0, 2}});
        }) == "SharedStack: found layer 2 at a step, expected less than 2");
  CHECK(stack.steps() == 2);
  CHECK(&stack.layer(1) == &stack.layers[1]);
}
