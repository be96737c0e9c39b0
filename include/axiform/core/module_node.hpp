/// @file
/// `ModuleNode`: one line of a model's printed module tree, and what hangs below it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>

namespace axiform {

/// A module with its children in order. A leaf's `description` is its whole text, "Linear(in_features=768, …)"; that of an inner
/// node is its class alone, "BertLayer".
struct ModuleNode {
  std::string name;                  ///< In its parent: "query", "0".
  std::string description;           ///< Its class, or the whole text of a leaf.
  std::vector<ModuleNode> children;  ///< In order.

  /// Appends a child and returns this node, so that trees read as what they print.
  ModuleNode& add(std::string child_name, ModuleNode child) {
    child.name = std::move(child_name);
    children.push_back(std::move(child));
    return *this;
  }
};

/// A leaf.
inline ModuleNode module_leaf(std::string description) { return {{}, std::move(description), {}}; }

}  // namespace axiform
