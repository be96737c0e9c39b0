// Tensors and results that NumPy recorded (fixtures/algebra/make_*.py), and how results are compared with them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <axiform/algebra/dense.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/safetensors.hpp>

// Axes as the letters of the recorded names: some are free, some fixed.
struct A : axiform::Const<3> {};
struct B : axiform::DynamicAxis {};
struct C : axiform::Const<7> {};
struct D : axiform::Const<2> {};
struct E : axiform::DynamicAxis {};
struct N : axiform::DynamicAxis {};

// The results of one type of elements in one file.
class Recorded {
 public:
  Recorded(std::string const& file, std::string type)
      : file_(axiform::SafetensorsFile::open(std::filesystem::path(AXIFORM_FIXTURES) / "algebra" / (file + ".safetensors"))),
        type_(std::move(type)) {}

  template <class Element>
  std::vector<Element> elements(std::string const& name) {
    axiform::TensorInfo const* const info = file_.find(type_ + "/" + name);
    REQUIRE_MESSAGE(info != nullptr, type_, "/", name);
    compared_.insert(name);
    std::vector<Element> result(info->element_count());
    if constexpr (std::is_same_v<Element, float>) {
      file_.read_floats(*info, 0, result);
    } else if constexpr (std::is_same_v<Element, double>) {
      file_.read_doubles(*info, 0, result);
    } else {
      file_.read_integers(*info, 0, result);
    }
    return result;
  }
  // `result` with the elements of an input.
  template <class Tensor>
  Tensor tensor(std::string const& name, Tensor result) {
    return read("in/" + name, std::move(result));
  }
  template <class Tensor>
  Tensor read(std::string const& name, Tensor result) {
    auto const values = elements<typename Tensor::element_type>(name);
    REQUIRE(values.size() == result.size());
    std::copy(values.begin(), values.end(), result.data());
    return result;
  }
  // Names of results that were not asked for.
  std::vector<std::string> others() const {
    std::vector<std::string> result;
    for (axiform::TensorInfo const& info : file_.tensors())
      if (info.name.starts_with(type_ + "/") && !info.name.starts_with(type_ + "/in/") && !compared_.contains(info.name.substr(type_.size() + 1)))
        result.push_back(info.name);
    return result;
  }

 private:
  axiform::SafetensorsFile file_;
  std::string type_;
  std::set<std::string> compared_;
};

inline bool is_close(double a, double b, double tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::abs(a - b) <= tolerance * (1 + std::abs(b));
}

// compare(name, found, tolerance): a tensor, a view or a number beside the recorded result. Numbers of bool are recorded as integers.
struct Compare {
  Recorded& recorded;

  template <class Found>
  void operator()(std::string const& name, Found const& found, double tolerance = 0) const {
    if constexpr (std::is_arithmetic_v<Found>) {
      check(name, std::span<Found const>(&found, 1), tolerance);
    } else if constexpr (axiform::TensorLike<Found>) {
      check(name, std::span<typename Found::element_type const>(found.view().data(), found.size()), tolerance);
    } else {
      (*this)(name, axiform::dense(found), tolerance);
    }
  }

 private:
  template <class Element>
  void check(std::string const& name, std::span<Element const> found, double tolerance) const {
    using Read = std::conditional_t<std::is_integral_v<Element>, std::int64_t, Element>;
    auto const expected = recorded.elements<Read>(name);
    CAPTURE(name);
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      auto const a = static_cast<double>(found[i]), b = static_cast<double>(expected[i]);
      if (!is_close(a, b, tolerance)) FAIL_CHECK("element ", i, ": found ", a, ", expected ", b);
    }
  }
};

// How near the elements of a type come to NumPy's in float64.
template <class Element>
inline constexpr double precision = std::is_same_v<Element, double> ? 1e-14 : 2e-6;

template <class T, class U>
bool same_elements(T const& a, U const& b) {
  return a.lengths() == b.lengths() && std::equal(a.elements().begin(), a.elements().end(), b.elements().begin());
}
