// What the pinned reference computed in float64, read from tests/fixtures/models (see README.md there).
#pragma once

#include <doctest/doctest.h>
#include <axiform/core/observer.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/nn/visit.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "support/files.hpp"

namespace goldens {

inline std::filesystem::path const models = std::filesystem::path(AXIFORM_FIXTURES) / "models";
inline std::filesystem::path const operations = std::filesystem::path(AXIFORM_FIXTURES) / "nn" / "operations.safetensors";

// A file of named arrays.
class Goldens {
 public:
  explicit Goldens(std::filesystem::path const& path) : file_(axiform::SafetensorsFile::open(path)) {}

  bool has(std::string const& name) const { return file_.find(name) != nullptr; }
  std::vector<std::size_t> shape(std::string const& name) const { return info(name).shape; }
  std::vector<double> reals(std::string const& name) const {
    std::vector<double> values(info(name).element_count());
    file_.read_doubles(info(name), 0, values);
    return values;
  }
  double real(std::string const& name) const { return reals(name).at(0); }
  // An array of floats on two axes.
  template <axiform::Axis Rows, axiform::Axis Columns>
  axiform::Tensor<float, Rows, Columns> tensor(std::string const& name) const {
    auto const lengths = shape(name);
    axiform::Tensor<float, Rows, Columns> result(lengths.at(0), lengths.at(1));
    auto const values = reals(name);
    std::ranges::transform(values, result.data(), [](double value) { return static_cast<float>(value); });
    return result;
  }
  std::vector<axiform::TokenId> ids(std::string const& name) const {
    std::vector<axiform::TokenId> values;
    for (std::int64_t value : integers(name)) values.push_back(static_cast<axiform::TokenId>(value));
    return values;
  }
  // Offsets of a batch as lengths of its sequences.
  std::vector<std::size_t> lengths(std::string const& name) const {
    auto const offsets = integers(name);
    std::vector<std::size_t> result;
    for (std::size_t i = 1; i < offsets.size(); ++i) result.push_back(static_cast<std::size_t>(offsets[i] - offsets[i - 1]));
    return result;
  }
  std::size_t number(std::string const& name) const { return static_cast<std::size_t>(integers(name).at(0)); }

 private:
  axiform::TensorInfo const& info(std::string const& name) const {
    axiform::TensorInfo const* const found = file_.find(name);
    if (!found) throw axiform::ArgumentError("the goldens have no " + name);
    return *found;
  }
  std::vector<std::int64_t> integers(std::string const& name) const {
    std::vector<std::int64_t> values(info(name).element_count());
    file_.read_integers(info(name), 0, values);
    return values;
  }

  axiform::SafetensorsFile file_;
};

// Writes to every parameter of a layer the array that `name_of` calls it.
template <class L, class NameOf>
void fill_parameters(L& layer, Goldens const& golden, NameOf const& name_of) {
  axiform::for_each_parameter(layer, [&](std::string_view name, axiform::ParameterRef const& parameter) {
    auto const values = golden.reals(name_of(name));
    REQUIRE(values.size() == parameter.size());
    parameter.write_rows(0, std::vector<float>(values.begin(), values.end()));
  });
}

// A copy of a fixture whose config.json says something else; it is gone with the object.
class ChangedFixture {
 public:
  ChangedFixture(std::string const& fixture, axiform::Json const& changes) {
    std::filesystem::copy(models / fixture, directory_.path());
    auto config = axiform::read_json(directory_ / "config.json");
    config.update(changes);
    std::ofstream(directory_ / "config.json") << axiform::dump_json(config);
  }

  std::filesystem::path const& directory() const noexcept { return directory_.path(); }

 private:
  axiform::test::TemporaryDirectory directory_;
};

// The greatest difference of any element.
inline double largest_difference(std::span<float const> found, std::span<double const> expected) {
  REQUIRE(found.size() == expected.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    REQUIRE(std::isfinite(found[i]));
    largest = std::max(largest, std::abs(found[i] - expected[i]));
  }
  return largest;
}
// The same of a tensor, which may be a temporary.
template <class Element, class... Axes>
double largest_difference(axiform::Tensor<Element, Axes...> const& found, std::span<double const> expected) {
  return largest_difference(found.elements(), expected);
}

// Hidden states and attentions of a case, as far as the goldens have them, against what an observer saw.
inline void check_captured(axiform::Capture const& capture, Goldens const& golden, std::string const& name, std::size_t layers,
                           double tolerance) {
  for (std::size_t layer = 0; layer <= layers; ++layer) {
    std::string const hidden = name + ".hidden_states." + std::to_string(layer);
    if (golden.has(hidden)) CHECK(largest_difference(capture.all_hidden_states().at(layer).elements(), golden.reals(hidden)) < tolerance);
    std::string const attention = name + ".attentions." + std::to_string(layer);
    if (golden.has(attention)) CHECK(largest_difference(capture.attention(layer).elements(), golden.reals(attention)) < tolerance);
  }
}

}  // namespace goldens
