/// @file
/// Lines of a printed module tree, in PyTorch's words.
#pragma once

#include <cstddef>
#include <sstream>
#include <string>
#include <string_view>

#include <axiform/inspect/module_node.hpp>
#include <axiform/nn/bias.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/rms_norm.hpp>
#include <axiform/nn/token_embedding.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// "Linear(in_features=768, out_features=3072, bias=True)"
inline ModuleNode linear_leaf(std::size_t inputs, std::size_t outputs, Bias bias) {
  return module_leaf("Linear(in_features=" + std::to_string(inputs) + ", out_features=" + std::to_string(outputs) +
                     (bias == Bias::present ? ", bias=True)" : ", bias=False)"));
}

/// "GELUActivation()": a class that PyTorch and transformers have for it. For some functions they have several.
inline ModuleNode activation_leaf(Activation activation) {
  switch (activation) {
    case Activation::gelu: return module_leaf("GELUActivation()");
    case Activation::gelu_tanh: return module_leaf("NewGELUActivation()");
    case Activation::relu: return module_leaf("ReLU()");
    case Activation::tanh: return module_leaf("Tanh()");
    case Activation::silu: return module_leaf("SiLU()");
    case Activation::none: break;
  }
  return module_leaf("Identity()");
}

/// "Linear(in_features=768, out_features=3072, bias=True)"
template <Axis In, Axis Out, Bias bias>
ModuleNode describe(Linear<In, Out, bias> const& linear) {
  return linear_leaf(linear.inputs(), linear.outputs(), bias);
}

/// "Linear(in_features=768, out_features=50257, bias=False)"
template <Axis In, Axis Entries>
ModuleNode describe(VocabularyHead<In, Entries> const& head) {
  return linear_leaf(head.inputs(), head.outputs(), head.bias());
}

/// "RMSNorm((768,), eps=1e-05)"
template <Axis Columns>
ModuleNode describe(RmsNorm<Columns> const& norm) {
  std::ostringstream text;
  text << "RMSNorm((" << norm.columns() << ",), eps=" << norm.epsilon() << ")";
  return module_leaf(std::move(text).str());
}

/// "LayerNorm((768,), eps=1e-12, elementwise_affine=True)", and ", bias=False" where it has none.
template <Axis Columns, Bias bias>
ModuleNode describe(LayerNorm<Columns, bias> const& norm) {
  std::ostringstream text;
  text << "LayerNorm((" << norm.columns() << ",), eps=" << norm.epsilon() << ", elementwise_affine=True"
       << (bias == Bias::present ? ")" : ", bias=False)");
  return module_leaf(std::move(text).str());
}

namespace internal {

struct DescribeMembers {
  ModuleNode& node;

  template <class T>
  void operator()(std::string_view name, T const& member) const {
    if constexpr (requires { describe(member); }) {
      node.add(std::string(name), describe(member));
    } else if constexpr (std::is_same_v<T, Activation>) {
      node.add(std::string(name), activation_leaf(member));
    } else if constexpr (Layer<T const>) {
      if (name.empty()) return visit_members(member, *this);  // its members are those of the whole
      node.add(std::string(name), describe_layer(member));
    } else if constexpr (requires { member.has_value(); }) {
      if (member.has_value()) (*this)(name, *member);
    } else if constexpr (requires { member.begin(); member.size(); }) {
      ModuleNode list{{}, "ModuleList", {}};
      std::size_t index = 0;
      for (auto const& element : member) DescribeMembers{list}(std::to_string(index++), element);
      node.add(std::string(name), std::move(list));
    }
  }

  // What the class calls itself; else "axiform::avx2::LayerNorm<…>" is "LayerNorm" in the tree.
  template <class T>
  static std::string class_name() {
    if constexpr (requires { T::class_name; }) return T::class_name;
    std::string_view const function = std::source_location::current().function_name();  // "… [with T = …; …"
    std::string_view name = function.substr(function.find("T = ") + 4);
    name = name.substr(0, name.find_first_of("<;,]"));
    return std::string(name.substr(name.rfind("::") == std::string_view::npos ? 0 : name.rfind("::") + 2));
  }

  template <Layer T>
  static ModuleNode describe_layer(T const& layer) {
    ModuleNode result{{}, class_name<T>(), {}};
    visit_members(layer, DescribeMembers{result});
    return result;
  }
};

}  // namespace internal

/// The module tree of any layer, from its type and `visit`. (inspect/module_tree.hpp has those of known families in Hugging Face's words.)
template <Layer L>
ModuleNode describe_modules(L const& layer) {
  return internal::DescribeMembers::describe_layer(layer);
}

}  // namespace axiform::inline AXIFORM_ARCH
