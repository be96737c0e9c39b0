/// @file
/// `fold_equal_modules`: a module tree that fits a screen, as newer PyTorch prints it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <axiform/inspect/module_node.hpp>

namespace axiform {

/// Whether two modules print alike, their own names apart.
inline bool equal_modules(ModuleNode const& a, ModuleNode const& b) {
  return a.description == b.description && std::ranges::equal(a.children, b.children, [](ModuleNode const& x, ModuleNode const& y) {
           return x.name == y.name && equal_modules(x, y);
         });
}

namespace detail {

/// Calls `use(first, last)` for the runs of `nodes`: neighbours that are `equal` and numbered ("0", "1", …) are one run, every other node is its own.
template <class Node, class Equal, class Use>
void for_each_equal_run(std::vector<Node> const& nodes, Equal const& equal, Use const& use) {
  auto const is_numbered = [](Node const& node) {
    return !node.name.empty() && std::ranges::all_of(node.name, [](char c) { return c >= '0' && c <= '9'; });
  };
  for (std::size_t first = 0, last; first < nodes.size(); first = last + 1) {
    last = first;
    while (is_numbered(nodes[first]) && last + 1 < nodes.size() && is_numbered(nodes[last + 1]) && equal(nodes[first], nodes[last + 1])) ++last;
    use(first, last);
  }
}

}  // namespace detail

/// The tree with neighbours that print alike as one: `(0-11): 12 x GPT2Block(…)`. Only the numbered modules of a list are folded.
///
///     print_module_tree(std::cout, fold_equal_modules(hugging_face_modules(gpt2)));
inline ModuleNode fold_equal_modules(ModuleNode const& node) {
  ModuleNode folded{node.name, node.description, {}};
  detail::for_each_equal_run(node.children, equal_modules, [&](std::size_t first, std::size_t last) {
    ModuleNode child = fold_equal_modules(node.children[first]);
    if (last > first) {
      child.name += "-" + node.children[last].name;
      child.description.insert(0, std::to_string(last - first + 1) + " x ");
    }
    folded.children.push_back(std::move(child));
  });
  return folded;
}

}  // namespace axiform
