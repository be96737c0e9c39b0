/// @file
/// `ModuleNode`: one line of a model's printed module tree, and what hangs below it; and how it is printed, in the layout of PyTorch's
/// `print(model)` with every block spelled out.
#pragma once

#include <cstddef>
#include <ostream>
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
ModuleNode module_leaf(std::string description);

/// Writes the tree below `node`:
///
///     Mlp(
///       (up): Linear(in_features=768, out_features=3072, bias=True)
///       (down): Linear(in_features=3072, out_features=768, bias=True)
///     )
void print_module_tree(std::ostream& out, ModuleNode const& node, std::size_t indent = 0);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

AXIFORM_INLINE ModuleNode module_leaf(std::string description) { return {{}, std::move(description), {}}; }

AXIFORM_INLINE void print_module_tree(std::ostream& out, ModuleNode const& node, std::size_t indent) {
  out << node.description;
  if (node.children.empty()) return;
  out << "(\n";
  for (ModuleNode const& child : node.children) {
    out << std::string(indent + 2, ' ') << '(' << child.name << "): ";
    print_module_tree(out, child, indent + 2);
    out << '\n';
  }
  out << std::string(indent, ' ') << ')';
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
