// Models with heads against what the pinned reference computed in float64: the cases of their fixtures, alone and as a packed batch.
#pragma once

#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/models/load.hpp>

#include <initializer_list>
#include <string>
#include <vector>

#include "support/goldens.hpp"

namespace goldens {

// The end-to-end bound of the design; logits of the fixtures are of magnitude 1 to 20.
inline constexpr double head_tolerance = 2e-5;

// Runs each case of a fixture, alone and as a packed batch; `check(golden, name, outputs, model, sequences, context)` compares.
template <class Model, class Check>
void check_cases(char const* fixture, Check const& check) {
  using namespace axiform;
  CAPTURE(fixture);
  Context context = Context::with_threads(2);
  auto const model = load<Model>(models / fixture, context);
  Goldens const golden(models / fixture / "goldens.safetensors");
  for (std::string const name : {"case0", "case1", "batch"}) {
    CAPTURE(name);
    auto const ids = golden.ids(name + ".ids");
    auto const token_types = golden.has(name + ".token_types") ? golden.ids(name + ".token_types") : std::vector<TokenId>{};
    auto const sequences = name == "batch" ? SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"))
                                           : SequenceOffsets<axes::Tokens>::single(ids.size());
    check(golden, name, model({.ids = ids, .sequences = sequences, .token_types = token_types}, context), model, sequences, context);
  }
}

// The logits of labels or tokens.
template <class Model>
void check_logits(std::initializer_list<char const*> fixtures) {
  for (char const* fixture : fixtures) {
    check_cases<Model>(fixture, [](Goldens const& golden, std::string const& name, auto const& logits, auto const&...) {
      CHECK(largest_difference(logits.elements(), golden.reals(name + ".logits")) < head_tolerance);
    });
  }
}

// Those of the begin and the end of an answer.
template <class Model>
void check_answers(std::initializer_list<char const*> fixtures) {
  for (char const* fixture : fixtures) {
    check_cases<Model>(fixture, [](Goldens const& golden, std::string const& name, auto const& logits, auto const&...) {
      std::vector<float> start, end;
      for (std::size_t i = 0; i < logits.rows(); ++i) start.push_back(logits(i, 0)), end.push_back(logits(i, 1));
      CHECK(largest_difference(start, golden.reals(name + ".start_logits")) < head_tolerance);
      CHECK(largest_difference(end, golden.reals(name + ".end_logits")) < head_tolerance);
    });
  }
}

}  // namespace goldens
