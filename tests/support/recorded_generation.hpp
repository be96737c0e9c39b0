// What transformers recorded, from tests/fixtures/generate (see README.md there).
#pragma once

#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/io/json.hpp>
#include <axiform/tasks/generation_config.hpp>
#include <doctest/doctest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace recorded {

using axiform::Json;
using axiform::TokenId;

inline std::filesystem::path const folder = std::filesystem::path(AXIFORM_FIXTURES) / "generate";

inline Json cases(char const* name) {
  Json json = axiform::read_json(folder / name);
  REQUIRE(json.size() > 1);
  return json;
}

// The options of a case, as generation_config.json has them, where transformers neither samples nor has a top-k unless they say so.
inline axiform::GenerateOptions options(Json const& one) {
  axiform::GenerateOptions defaults;
  defaults.decoding = axiform::Decoding::greedy;
  defaults.sampling.top_k = 0;
  return axiform::read_generation_config(one.at("options"), defaults, "case");
}

inline std::vector<TokenId> ids(Json const& list) { return list.get<std::vector<TokenId>>(); }

// null is minus infinity.
template <class Number>
std::vector<Number> scores(Json const& list) {
  std::vector<Number> values;
  for (Json const& value : list) values.push_back(value.is_null() ? -std::numeric_limits<Number>::infinity() : value.get<Number>());
  return values;
}

}  // namespace recorded
