#include <iostream>

#include <axiform/inspect/module_tree.hpp>
#include <axiform/inspect/describe.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/linear.hpp>

namespace axes = axiform::axes;
using axiform::Axis, axiform::Const, axiform::Context, axiform::gelu, axiform::Linear, axiform::ParameterRef, axiform::RowAxis,
    axiform::RowsOf, axiform::Tensor;

/// A bottleneck with a residual: x + up(gelu(down(x))) (Houlsby et al. 2019).
template <Axis Width, Axis Bottleneck>
struct Adapter {
  Linear<Width, Bottleneck> down;
  Linear<Bottleneck, Width> up;

  /// @param x [Rows, Width].
  /// @return  [Rows, Width].
  template <RowsOf<Width> X>
  Tensor<float, RowAxis<X>, Width> operator()(X const& x, Context& context) const {
    return up(down(x, context, gelu), context, add_residual(x));
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("down", self.down);
    visitor("up", self.up);
  }
};

int main() {
  Context context;
  Adapter<Const<768>, Const<64>> adapter;
  initialize(adapter, {.seed = 1}, context);
  Tensor<float, axes::Tokens, Const<768>> const x(5);
  std::cout << adapter(x, context).shape().to_string() << ", " << count_parameters(adapter) << " parameters\n";
  for_each_parameter(adapter, [](std::string_view name, ParameterRef const&) { std::cout << name << "\n"; });
  print_module_tree(std::cout, describe_modules(adapter));
  std::cout << "\n";

  Adapter<axes::Hidden, axes::Inner> free{{768, 64}, {64, 768}};  // the same layer, its lengths known at run time
  std::cout << free(x, context).shape().to_string() << "\n";
}

// Prints:
// [5, 768], 99136 parameters
// down.weight
// down.bias
// up.weight
// up.bias
// Adapter(
//   (down): Linear(in_features=768, out_features=64, bias=True)
//   (up): Linear(in_features=64, out_features=768, bias=True)
// )
// [5, 768]
