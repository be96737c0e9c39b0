// What the pipelines of transformers answered, recorded in tests/fixtures/tasks.
#pragma once

#include <doctest/doctest.h>
#include <axiform/io/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace recorded {

inline std::filesystem::path const models = std::filesystem::path(AXIFORM_FIXTURES) / "models";

// The lines of a file, by the model that they are of.
inline std::map<std::string, std::vector<axiform::Json>> cases(std::string const& task) {
  std::map<std::string, std::vector<axiform::Json>> result;
  std::ifstream file(std::filesystem::path(AXIFORM_FIXTURES) / "tasks" / (task + ".jsonl"));
  REQUIRE(file);
  for (std::string line; std::getline(file, line);) {
    auto value = axiform::parse_json(line, task);
    result[value["model"].get<std::string>()].push_back(std::move(value));
  }
  REQUIRE(!result.empty());
  return result;
}

// Scores of float32 logits of magnitude 20 at most: the bound of the design, 2e-5 of a logit, moves a probability by less.
inline void check_score(double found, axiform::Json const& expected) { CHECK(std::abs(found - expected.get<double>()) < 1e-5); }

}  // namespace recorded
