/// @file
/// `ModuleCost`: what a part of a model costs in parameters, memory and operations, and what is below it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>

namespace axiform {

/// What a module costs for one sequence, everything below it included.
struct ModuleCost {
  std::string name = {};                  ///< In its parent: "query", "0".
  std::string kind = {};                  ///< Its class: "Linear"; empty for a list.
  std::size_t parameters = 0;             ///< Learned numbers; a head that is tied to the token table has none of its own.
  std::size_t weight_bytes = 0;           ///< Memory of these, the padding of packed matrices left out.
  std::size_t flops = 0;                  ///< Floating-point operations: two for each weight of a product and row, and those of attention.
  std::size_t result_bytes = 0;           ///< Memory of all that it computes, one after another; much of it is used again.
  std::size_t cache_bytes = 0;            ///< Memory in the key-value cache.
  std::vector<ModuleCost> children = {};  ///< In order.

  /// Appends a child, adds what it costs, and returns this node.
  ModuleCost& add(ModuleCost child) {
    parameters += child.parameters;
    weight_bytes += child.weight_bytes;
    flops += child.flops;
    result_bytes += child.result_bytes;
    cache_bytes += child.cache_bytes;
    children.push_back(std::move(child));
    return *this;
  }

  /// Lets each child of the list `list` run as often as `runs` says of its index.
  template <class Runs>
  void repeat(std::string_view list, Runs const& runs) {
    for (ModuleCost& child : children) {
      if (child.name != list) continue;
      for (std::size_t i = 0; i < child.children.size(); ++i) {
        ModuleCost const repeated = child.children[i].times(runs(i));
        for (auto const number : {&ModuleCost::flops, &ModuleCost::result_bytes, &ModuleCost::cache_bytes})
          for (ModuleCost* const whole : {&child, this}) whole->*number += repeated.*number - child.children[i].*number;
        child.children[i] = repeated;
      }
    }
  }

  /// The costs of running so many times: operations and results are as many times as many, what is learned is not.
  ModuleCost times(std::size_t runs) const {
    ModuleCost result = *this;
    for (std::size_t* const number : {&result.flops, &result.result_bytes, &result.cache_bytes}) *number *= runs;
    for (ModuleCost& child : result.children) child = child.times(runs);
    return result;
  }
};

/// Whether two modules cost the same, part by part, their own names apart.
inline bool equal_costs(ModuleCost const& a, ModuleCost const& b) {
  if (a.kind != b.kind || a.parameters != b.parameters || a.weight_bytes != b.weight_bytes || a.flops != b.flops ||
      a.result_bytes != b.result_bytes || a.cache_bytes != b.cache_bytes || a.children.size() != b.children.size())
    return false;
  for (std::size_t i = 0; i < a.children.size(); ++i)
    if (a.children[i].name != b.children[i].name || !equal_costs(a.children[i], b.children[i])) return false;
  return true;
}

}  // namespace axiform
