// How does attention read in the algebra of tensors? Masked multi-head attention in a few lines, and how near it comes to the library's fused operation.
#include <chrono>
#include <cmath>
#include <iostream>
#include <limits>
#include <string>

#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>
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
  auto const sees = lower_triangle<Queries, Keys>(query.length<0>(), key.length<0>());
  auto const scores = contract<Features>(query, key) / std::sqrt(64.0F);  // [Queries, Heads, Keys]
  auto const masked = where(sees, scores, -std::numeric_limits<float>::infinity());
  return contract<Keys>(softmax<Keys>(masked), value);  // [Queries, Heads, Features]
}

// The same numbers as rows of all heads side by side, by the library's operation.
auto fused_attention(Query const& query, Key const& key, Key const& value, Context& context) {
  using Width = Product<Heads, Features>;
  auto const rows = [](auto const& x) { return as_rows(merge<Heads, Features, Width>(x)); };
  auto const queries = rows(query);
  auto const keys = rows(key);
  return attention(queries, keys, rows(value), Heads::length, SequenceOffsets<Queries>::single(queries.rows()),
                   SequenceOffsets<Keys>::single(keys.rows()), AttentionKind::self, {.mask = AttentionMask::causal}, context);
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
    auto const query = normal<float, Queries, Heads, Features>(Philox(3 * seed), tokens);
    auto const key = normal<float, Keys, Heads, Features>(Philox(3 * seed + 1), tokens);
    auto const value = normal<float, Keys, Heads, Features>(Philox(3 * seed + 2), tokens);
    auto const [by_hand, hand_time] = timed([&] { return attention_by_hand(query, key, value); });
    auto const [fused, fused_time] = timed([&] { return fused_attention(query, key, value, context); });
    float const difference = max(abs(by_hand - split<Product<Heads, Features>, Heads, Features>(fused)));

    if (command.json()) {
      std::cout << dump_json({{"tokens", tokens}, {"difference", difference}}) << "\n";
    } else {
      std::cout << "By hand:    " << hand_time << " ms, [" << tokens << ", 12, 64]\nFused:      " << fused_time << " ms, "
                << fused.shape().to_string() << "\nDifference: " << difference << " at most\n";
    }
  });
}
