#include <iostream>
#include <vector>

#include <axiform/generate/generate.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/initialize.hpp>

using axiform::Const, axiform::Context, axiform::Dimensions, axiform::Gpt2, axiform::Gpt2Small, axiform::ModelSizes, axiform::TokenId;
using axiform::flops_per_token, axiform::key_value_bytes_per_token, axiform::parameter_count;

struct Small : Dimensions<Const<256>, Const<4>, Const<64>, Const<1024>> {
  static constexpr ModelSizes sizes{.layers = 4, .vocabulary = 8000, .positions = 256};
};

static_assert(parameter_count<Gpt2<Small>> == 5'273'088);
static_assert(parameter_count<Gpt2<Gpt2Small>> == 124'439'808);
static_assert(key_value_bytes_per_token<Gpt2<Gpt2Small>> == 73'728);
static_assert(flops_per_token<Gpt2<Gpt2Small>, 512> == 265'938'432);

int main() {
  auto context = Context::with_threads(2);
  auto gpt2 = Gpt2<Small>::create();
  initialize(gpt2, {.seed = 1}, context);
  auto const texts = generate(gpt2, std::vector<TokenId>{1, 2, 3}, {.max_length = 10, .seed = 7}, context);
  for (TokenId id : texts[0]) std::cout << id << " ";
  std::cout << "\n";
}

// Prints:
// 1 2 3 3482 2608 2182 6152 2178 206 5219
