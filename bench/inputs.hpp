/// @file
/// Whole models with seeded weights, and inputs for them that do not repeat from one run to the next: what a branch predictor or a cache has seen
/// says nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/visit.hpp>

namespace bench {

using namespace axiform;

/// Token ids, uniform in [0, vocabulary), new ones at each call.
class TokenSource {
 public:
  explicit TokenSource(std::size_t vocabulary) : vocabulary_(vocabulary) {}

  std::span<TokenId const> next(std::size_t count) {
    ids_.resize(count);
    for (std::size_t i = 0; i < count; ++i) ids_[i] = static_cast<TokenId>((std::uint64_t{random_(0, drawn_++)[0]} * vocabulary_) >> 32);
    return ids_;
  }

 private:
  Philox random_{1};
  std::size_t vocabulary_;
  std::uint64_t drawn_ = 0;
  std::vector<TokenId> ids_;
};

/// `count` sequences of `length` tokens.
inline SequenceOffsets<axes::Tokens> equal_sequences(std::size_t count, std::size_t length) {
  SequenceOffsets<axes::Tokens> sequences;
  for (std::size_t s = 0; s < count; ++s) sequences.append(length);
  return sequences;
}

/// The model of that format in `models`, with seeded weights, made when it is first asked for.
template <class Model>
Model const& seeded(std::map<WeightFormat, Model>& models, WeightFormat format) {
  auto found = models.find(format);
  if (found == models.end()) {
    found = models.emplace(format, Model::create()).first;
    auto context = Context::with_threads(2);
    set_weight_format(found->second, format);
    initialize(found->second, {.seed = 1}, context);
  }
  return found->second;
}

}  // namespace bench
