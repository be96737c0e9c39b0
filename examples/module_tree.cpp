// Cell 81 of the notebook: a model's modules as PyTorch prints them, whichever model the directory holds.
#include <iostream>

#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/any.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  auto context = Context::with_threads(2);
  AnyModel const model = load_any(argc > 1 ? argv[1] : "models/minilm-l6", context);
  std::cout << std::visit([](auto const& each) { return module_tree(each); }, model) << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
