/// @file
/// Printing a model's module tree, in the layout of PyTorch's `print(model)` with every block spelled out.
#pragma once

#include <ostream>
#include <sstream>
#include <string>

#include <axiform/core/module_node.hpp>

namespace axiform {

/// A model that tells its modules.
template <class M>
concept DescribesModules = requires(M const& model) {
  { model.module_tree() } -> std::convertible_to<ModuleNode>;
};

/// Writes the tree below `node`:
///
///     Mlp(
///       (up): Linear(in_features=768, out_features=3072, bias=True)
///       (down): Linear(in_features=3072, out_features=768, bias=True)
///     )
inline void print_module_tree(std::ostream& out, ModuleNode const& node, std::size_t indent = 0) {
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

/// The module tree of a model as text.
template <DescribesModules M>
std::string module_tree(M const& model) {
  std::ostringstream out;
  print_module_tree(out, model.module_tree());
  return std::move(out).str();
}

}  // namespace axiform
