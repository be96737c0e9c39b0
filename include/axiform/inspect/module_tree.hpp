/// @file
/// `module_tree`: what PyTorch prints for a model, in the words of its family; of any other layer, what its types and `visit` say.
///
///     std::cout << module_tree(load<Bert<>>(directory, context)) << "\n";
///     print_module_tree(std::cout, fold_equal_modules(hugging_face_modules(model)));   // equal layers as one; inspect/folded_tree.hpp
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <axiform/core/activation.hpp>
#include <axiform/core/axis.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/inspect/describe.hpp>
#include <axiform/inspect/family_words.hpp>
#include <axiform/inspect/module_node.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/models/known.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/printed_settings.hpp>
#include <axiform/nn/dimensions.hpp>
#include <axiform/nn/sinusoids.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A model that says which head it is, and whose family is among its settings.
template <class M>
concept FamilyModel = Layer<M const> && requires {
  { M::kind } -> std::convertible_to<ModelHead>;
};

namespace internal {

template <class T>
inline constexpr bool is_sinusoids = false;
template <Axis Columns>
inline constexpr bool is_sinusoids<Sinusoids<Columns>> = true;

// Collects what the words of a family name. Of several norms or activations the first counts: within a model they are alike.
struct CollectValues {
  ModelValues& found;
  PrintedSettings& printed;

  template <class T>
  void operator()(std::string_view name, T const& member) const {
    auto& values = found.values;
    auto const number = [&](std::string const& key, std::size_t value) { values.try_emplace(key, std::to_string(value)); };
    if constexpr (std::is_same_v<T, PrintedSettings>) {
      printed = member;
    } else if constexpr (std::is_same_v<T, ModelSizes>) {
      found.layers = member.layers;
      number("vocabulary", member.vocabulary);
      number("positions", member.positions);
      number("token_types", member.token_types);
    } else if constexpr (DimensionsLike<T>) {
      number("hidden", member.hidden);
      number("heads", member.heads);
      number("width", member.width());
      number("key_width", member.key_width());
      number("head_size", member.head_size);
      number("inner", member.inner);
      number("fused_width", member.width() + 2 * member.key_width());
      number("fused_inner", 2 * member.inner);
    } else if constexpr (std::is_same_v<T, Activation>) {
      values.try_emplace("activation", activation_leaf(member).description);
    } else if constexpr (std::is_same_v<T, std::optional<TokenId>>) {
      if (name == "padding_id" && member) number("padding_id", static_cast<std::size_t>(*member));
    } else if constexpr (Layer<T const>) {
      if constexpr (requires { member.stack.layers; }) number(std::string(name) + "_layers", member.stack.layers.size());
      if constexpr (requires { describe(member), member.epsilon(); }) {
        auto const hidden = values.find("hidden");  // embeddings may be narrower
        if (hidden == values.end() || hidden->second == std::to_string(member.columns()))
          values.try_emplace("norm", describe(member).description);
        std::ostringstream epsilon;
        epsilon << member.epsilon();
        values.try_emplace("epsilon", std::move(epsilon).str());
      }
      visit_members(member, *this);
    } else if constexpr (is_sinusoids<T>) {
      number("positions", member.rows());
    } else if constexpr (requires { member.has_value(); }) {
      if (member.has_value()) (*this)(name, *member);
    } else if constexpr (requires { member.front(); }) {
      if (!member.empty()) (*this)(name, member.front());
    }
  }
};

void add_printed(PrintedSettings const& printed, ModelValues& found);

template <FamilyModel Model>
ModelValues values_of(Model const& model) {
  ModelValues found;
  PrintedSettings printed;
  visit_members(model, CollectValues{found, printed});
  add_printed(printed, found);
  for_each_parameter(model, [&](std::string_view path, ConstParameterRef const& parameter) {
    found.values.try_emplace(std::string(path), std::to_string(parameter.shape().front()));
  });
  return found;
}

// The words of the known family whose classes begin so, and how its class with that head ends.
struct FoundWords {
  std::span<ModuleWords const> words;
  std::string_view suffix;
};
FoundWords find_words(std::string_view class_prefix, ModelHead head);

}  // namespace internal

/// The tree that PyTorch prints for Hugging Face's model with that head; the model's own unless another is asked for (GPT2Model for a `Gpt2`:
/// `ModelHead::none`).
/// @throws ArgumentError when the model's family is none of those in models/known.hpp, or has no such head.
template <FamilyModel Model>
ModuleNode hugging_face_modules(Model const& model, ModelHead head = Model::kind) {
  ModelValues const values = internal::values_of(model);
  auto const [words, suffix] = internal::find_words(values.class_prefix, head);
  return fill_words(words, suffix, values);
}
/// The same in the words of a family of your own. @param part The one that stands for the whole model.
template <FamilyModel Model>
ModuleNode hugging_face_modules(Model const& model, std::span<ModuleWords const> words, std::string_view part) {
  return fill_words(words, part, internal::values_of(model));
}

/// The module tree of a model as text: in its family's words where it has a family, else as `describe_modules` has it.
template <Layer M>
std::string module_tree(M const& model) {
  std::ostringstream out;
  if constexpr (FamilyModel<M>) {
    print_module_tree(out, hugging_face_modules(model));
  } else {
    print_module_tree(out, describe_modules(model));
  }
  return std::move(out).str();
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

namespace internal {

AXIFORM_INLINE void add_printed(PrintedSettings const& printed, ModelValues& found) {
  auto& values = found.values;
  found.class_prefix = printed.class_prefix;
  values["embedding_dropout"] = printed.embedding_dropout;
  values["hidden_dropout"] = printed.hidden_dropout;
  values["attention_dropout"] = printed.attention_dropout;
  values["classifier_dropout"] = printed.classifier_dropout;
  values["token_classifier_dropout"] = printed.token_classifier_dropout;
  values["answer_dropout"] = printed.answer_dropout;
  values["layer_groups"] = std::to_string(printed.layer_groups);
  values["inner_layers"] = std::to_string(printed.inner_layers);
  if (std::string_view const activation = printed.activation; !activation.empty()) values["activation"] = activation;
  if (std::string_view const activation = printed.head_activation; !activation.empty()) {
    values["head_activation"] = activation;
  } else if (auto const found_activation = values.find("activation"); found_activation != values.end()) {
    values["head_activation"] = found_activation->second;
  }
  // A module only where there is something to drop, as ModernBERT has it.
  std::string const rate(std::string_view(printed.attention_dropout));
  bool const is_zero = rate.find_first_of("123456789") == rate.npos;
  values["attention_dropout_or_identity"] = is_zero ? "Identity()" : "Dropout(p=" + rate + ", inplace=False)";
  // RoBERTa computes with its padding id, the others only print theirs.
  if (printed.padding_id) values.try_emplace("padding_id", std::to_string(*printed.padding_id));
  auto const padding = values.find("padding_id");
  values["padding"] = padding == values.end() ? "" : ", padding_idx=" + padding->second;
}

AXIFORM_INLINE FoundWords find_words(std::string_view class_prefix, ModelHead head) {
  std::optional<FoundWords> found;
  KnownFamilies::for_each([&]<class F>() {
    for (FamilyClass const& each : F::classes)
      for (FamilyHead const& of_family : F::heads)
        if (each.prefix == class_prefix && of_family.head == head) found = FoundWords{F::words, of_family.suffix};
  });
  if (!found)
    throw ArgumentError("module tree: found no family with that head whose classes begin with " + detail::in_quotes(class_prefix));
  return *found;
}

}  // namespace internal

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform::inline AXIFORM_ARCH
