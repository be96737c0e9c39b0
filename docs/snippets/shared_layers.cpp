#include <iostream>

#include <axiform/inspect/costs.hpp>
#include <axiform/models/forward.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/initialize.hpp>

namespace axes = axiform::axes;
using axiform::BertRecipe, axiform::Context, axiform::DynamicDimensions, axiform::SequenceOffsets, axiform::Stack, axiform::Tensor;

int main() {
  Context context;
  DynamicDimensions const d{.hidden = 64, .heads = 4, .head_size = 16, .inner = 256};

  auto encoder = Stack<DynamicDimensions, BertRecipe>::create(d, 2, {.activation = axiform::Activation::gelu});
  encoder.run_in({.layers = 2, .of_step = {0, 0, 0, 1, 1, 1}});  // two layers, each three times
  initialize(encoder, {.seed = 1}, context);

  Tensor<float, axes::Tokens, axes::Hidden> const x(5, 64);
  auto const states = encoder(x, SequenceOffsets<axes::Tokens>::single(5), context);
  std::cout << states.shape().to_string() << ", " << encoder.steps() << " steps of " << encoder.layers.size() << " layers, "
            << count_parameters(encoder) << " parameters\n";
  auto const costs = module_costs(encoder, {.tokens = 5});
  for (auto const& layer : costs.children.at(0).children)
    std::cout << "layer " << layer.name << ": " << layer.parameters << " parameters, " << layer.flops << " operations\n";
}

// Prints:
// [5, 64], 6 steps of 2 layers, 99968 parameters
// layer 0: 49984 parameters, 1493760 operations
// layer 1: 49984 parameters, 1493760 operations
