/// @file
/// `load_any`: the model that a directory's `architectures` names, whichever it is; and for each head the models that have it.
#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/bart_heads.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/gpt2_heads.hpp>
#include <axiform/models/known.hpp>
#include <axiform/models/llama.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/load_options.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/models/modernbert_heads.hpp>
#include <axiform/models/one_of.hpp>
#include <axiform/models/t5.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <class... Models>
struct OnlyOrOneOf {
  using Type = OneOf<Models...>;
};
template <class Model>
struct OnlyOrOneOf<Model> {
  using Type = Model;
};

template <class... Models>
struct ModelSet {
  using Variant = std::variant<Models...>;
  using Only = OnlyOrOneOf<Models...>;
  // With one more, unless it is there already.
  template <class Model>
  using With = std::conditional_t<(std::is_same_v<Model, Models> || ...), ModelSet, ModelSet<Models..., Model>>;
};

// A set with the models of a family's heads, from `Head` on; with all, or with those whose head is `wanted` where the family has one of the heads
// `beside` and `other`.
template <class Set, class Family, std::size_t Head = 0>
constexpr auto add_all() {
  if constexpr (Head == std::size(Family::heads)) {
    return Set{};
  } else {
    return add_all<typename Set::template With<typename Family::template Model<Family::heads[Head].head>>, Family, Head + 1>();
  }
}
template <class Set, class Family, ModelHead wanted, ModelHead beside, ModelHead other>
constexpr auto add_one() {
  if constexpr (has_head<Family>(wanted) && (has_head<Family>(beside) || has_head<Family>(other))) {
    return typename Set::template With<typename Family::template Model<wanted>>{};
  } else {
    return Set{};
  }
}

template <class List>
struct KnownModels;
template <class... Families>
struct KnownModels<FamilyList<Families...>> {
  template <class Set, class First, class... Others>
  static constexpr auto all() {
    using With = decltype(add_all<Set, First>());
    if constexpr (sizeof...(Others) == 0) {
      return With{};
    } else {
      return all<With, Others...>();
    }
  }
  template <ModelHead wanted, ModelHead beside, ModelHead other, class Set, class First, class... Others>
  static constexpr auto with_head() {
    using With = decltype(add_one<Set, First, wanted, beside, other>());
    if constexpr (sizeof...(Others) == 0) {
      return With{};
    } else {
      return with_head<wanted, beside, other, With, Others...>();
    }
  }

  using All = decltype(all<ModelSet<>, Families...>());
  template <ModelHead wanted, ModelHead beside, ModelHead other = beside>
  using With = decltype(with_head<wanted, beside, other, ModelSet<>, Families...>());
};

}  // namespace internal

/// Any model that a checkpoint can be, in the dimensions that the checkpoint has: the models of `KnownFamilies`.
using AnyModel = typename internal::KnownModels<KnownFamilies>::All::Variant;

/// The models of `KnownFamilies` with that head: one of them, where there are several. Tasks take it, and then any family that they can serve:
///
///     auto const model = FillMask<AnyModelWith<ModelHead::masked_lm>>::from_directory(directory, context);
template <ModelHead head>
using AnyModelWith = typename internal::KnownModels<KnownFamilies>::template With<head, head>::Only::Type;

/// The same of encoders alone: of the families that can guess masked tokens.
template <ModelHead head>
using AnyEncoderWith = typename internal::KnownModels<KnownFamilies>::template With<head, ModelHead::masked_lm>::Only::Type;
/// An encoder without a head: of these families, or of an encoder-decoder whose encoder is a model of its own (T5).
using AnyEncoder = typename internal::KnownModels<KnownFamilies>::template With<ModelHead::none, ModelHead::masked_lm,
                                                                                ModelHead::conditional_generation>::Only::Type;
using AnyBody = AnyModelWith<ModelHead::none>;       ///< An encoder or a decoder without its head.
using AnyCausalModel = AnyModelWith<ModelHead::causal_lm>;  ///< A decoder that continues texts.
using AnySequenceToSequence = AnyModelWith<ModelHead::conditional_generation>;  ///< An encoder-decoder that answers texts with texts.

namespace internal {

template <class Model>
Loaded<AnyModel> load_as(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  auto [model, report] = load_with_report<Model>(directory, options, context);
  return {std::move(model), std::move(report)};
}

// Calls the function that loads the model of family F with that head; with its first where none is named, and the family has no model without.
template <class F, std::size_t Head = 0>
Loaded<AnyModel> load_of_family(ModelHead head, ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  if constexpr (Head < std::size(F::heads)) {
    bool const stands_for_none = Head == 0 && head == ModelHead::none && !has_head<F>(ModelHead::none);
    if (F::heads[Head].head == head || stands_for_none)
      return load_as<typename F::template Model<F::heads[Head].head>>(directory, options, context);
    return load_of_family<F, Head + 1>(head, directory, options, context);
  } else {
    throw ArgumentError((directory / "config.json").string() + ": found no head of that number");
  }
}

}  // namespace internal

/// Loads what config.json's `architectures` names, and says what became of each tensor; without a name, the family's model alone.
/// @throws As `load`; CheckpointError, by name, for a head that the library does not have.
Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, LoadOptions const& options, Context& context);
/// The same in f32.
Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, Context& context);

/// Loads what config.json's `architectures` names; without a name, the family's model alone.
///
///     std::visit([](auto const& model) { std::cout << module_tree(model); }, load_any(directory, context));
///
/// @throws As `load_any_with_report`.
AnyModel load_any(ModelDirectory const& directory, LoadOptions const& options, Context& context);
/// The same in f32.
AnyModel load_any(ModelDirectory const& directory, Context& context);

#if defined(AXIFORM_COMPILED)
AXIFORM_INSTANCE(models) Tensor<float, axes::Tokens, axes::Hidden> Mpnet<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::VocabularyEntries> BertForMaskedLm<DynamicDimensions, MpnetRecipe>::operator()(TokenBatch const&,
                                                                                                                 Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, Const<2>> BertForQuestionAnswering<DynamicDimensions, MpnetRecipe>::operator()(TokenBatch const&,
                                                                                                           Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::Labels> BertForSequenceClassification<DynamicDimensions, MpnetRecipe>::operator()(TokenBatch const&,
                                                                                                                       Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::Labels> BertForTokenClassification<DynamicDimensions, MpnetRecipe>::operator()(TokenBatch const&,
                                                                                                                 Context&) const;
AXIFORM_INSTANCE(models) Tensor<float, axes::Tokens, axes::Hidden> NomicBert<>::operator()(TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::VocabularyEntries> BertForMaskedLm<DynamicDimensions, NomicBertRecipe>::operator()(TokenBatch const&,
                                                                                                                     Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Sequences, axes::Labels> BertForSequenceClassification<DynamicDimensions, NomicBertRecipe>::operator()(
    TokenBatch const&, Context&) const;
AXIFORM_INSTANCE(models)
Tensor<float, axes::Tokens, axes::Labels> BertForTokenClassification<DynamicDimensions, NomicBertRecipe>::operator()(TokenBatch const&,
                                                                                                                     Context&) const;
AXIFORM_INSTANCE(models) Loaded<AnyEncoder> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<AnyBody> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<AnyModelWith<ModelHead::masked_lm>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<AnyModelWith<ModelHead::question_answering>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<AnyModelWith<ModelHead::sequence_classification>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<AnyEncoderWith<ModelHead::sequence_classification>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<AnyModelWith<ModelHead::token_classification>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<AnySequenceToSequence> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
#endif

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

AXIFORM_INLINE Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  ModelHead const head = model_head(config, file);
  Family const* const family = model_family(config, file).family;
  std::optional<Loaded<AnyModel>> result;
  KnownFamilies::for_each([&]<class F>() {
    if (family == &F::family) result.emplace(internal::load_of_family<F>(head, directory, options, context));
  });
  return std::move(result.value());
}

AXIFORM_INLINE Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, Context& context) {
  return load_any_with_report(directory, {}, context);
}

AXIFORM_INLINE AnyModel load_any(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  return load_any_with_report(directory, options, context).model;
}

AXIFORM_INLINE AnyModel load_any(ModelDirectory const& directory, Context& context) { return load_any(directory, {}, context); }

#endif  // AXIFORM_DEFINES(models)

}  // namespace axiform::inline AXIFORM_ARCH
