// How does attention read in the algebra of tensors? Masked multi-head attention in a few lines, and how near it comes to the library's fused operation.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <string>

#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/elementwise.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/ops/attention.hpp>

#include "command_line.hpp"

using axiform::axes::Queries, axiform::axes::Keys;
using namespace axiform;

struct Heads : Const<12> {};
struct Features : Const<64> {};
using Query = Tensor<float, Queries, Heads, Features>;
using Key = Tensor<float, Keys, Heads, Features>;

// Softmax(Q Kᵀ / 8) V of every head (Vaswani et al. 2017, eq. 1); a query sees its own place and those before.
auto attention_by_hand(Query const& query, Key const& key, Key const& value) {
  Tensor<bool, Queries, Keys> sees(query.rows() / Heads::length, key.rows() / Heads::length);
  for (std::size_t i = 0; i < sees.rows(); ++i)
    for (std::size_t j = 0; j <= i; ++j) sees(i, j) = true;

  auto const scores = contract<Features>(query, key) / std::sqrt(64.0F);  // [Queries, Heads, Keys]
  auto const masked = where(sees, scores, -std::numeric_limits<float>::infinity());
  return contract<Keys>(softmax<Keys>(masked), value);  // [Queries, Heads, Features]
}

// The same numbers as rows of all heads side by side, by the library's operation.
auto fused_attention(Query const& query, Key const& key, Key const& value, Context& context) {
  using Width = Product<Heads, Features>;
  auto const rows = []<Axis A>(Tensor<float, A, Heads, Features> const& x) {
    return View<A, Width>(x.data(), Shape<A, Width>(x.rows() / Heads::length));
  };
  auto const queries = rows(query);
  auto const keys = rows(key);
  return attention(queries, keys, rows(value), Heads::length, SequenceOffsets<Queries>::single(queries.rows()),
                   SequenceOffsets<Keys>::single(keys.rows()), AttentionKind::self, {.mask = AttentionMask::causal}, context);
}

template <Axis A>
auto random_tensor(std::size_t tokens, std::uint64_t seed) {
  Tensor<float, A, Heads, Features> x(tokens);
  Philox const random(seed);
  for (std::size_t i = 0; i < x.size(); i += 4) {
    auto const normals = normals_from(random(0, i / 4));
    for (std::size_t j = 0; j < 4; ++j) x.elements()[i + j] = static_cast<float>(normals[j]);
  }
  return x;
}

template <class F>
auto timed(F const& f) {
  auto const start = std::chrono::steady_clock::now();
  auto result = f();
  return std::pair(std::move(result), std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
}

int main(int argc, char** argv) {
  CommandLine command("attention_by_hand", "Writes attention in tensor algebra, and compares it with the fused operation.");
  std::size_t tokens = 128;
  std::uint64_t seed = 0;
  command.add_number("--tokens", tokens, "Tokens that attend to each other");
  command.add_number("--seed", seed, "Seed of queries, keys and values");

  return command.run(argc, argv, [&](Context& context) {
    auto const query = random_tensor<Queries>(tokens, 3 * seed);
    auto const key = random_tensor<Keys>(tokens, 3 * seed + 1);
    auto const value = random_tensor<Keys>(tokens, 3 * seed + 2);
    auto const [by_hand, hand_time] = timed([&] { return attention_by_hand(query, key, value); });
    auto const [fused, fused_time] = timed([&] { return fused_attention(query, key, value, context); });
    float difference = 0;
    for (std::size_t i = 0; i < fused.size(); ++i) difference = std::max(difference, std::abs(by_hand.data()[i] - fused.data()[i]));

    if (command.json()) {
      std::cout << dump_json({{"tokens", tokens}, {"difference", difference}}) << "\n";
    } else {
      std::cout << "By hand:    " << hand_time << " ms, [" << tokens << ", 12, 64]\nFused:      " << fused_time << " ms, "
                << fused.shape().to_string() << "\nDifference: " << difference << " at most\n";
    }
  });
}
