/// @file
/// `load_any`: the model that a directory's `architectures` names, whichever it is.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/load.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Any model that a checkpoint can be, in the dimensions that the checkpoint has.
using AnyModel = std::variant<Bert<>, BertForMaskedLm<>, BertForNextSentence<>, BertForPreTraining<>, BertForQuestionAnswering<>,
                              BertForSequenceClassification<>, BertForTokenClassification<>, Gpt2<>, Gpt2ForSequenceClassification<>>;

namespace internal {

template <class Model>
Loaded<AnyModel> load_as(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  auto [model, report] = load_with_report<Model>(directory, options, context);
  return {std::move(model), std::move(report)};
}

}  // namespace internal

/// Loads what config.json's `architectures` names, and says what became of each tensor; without a name, the family's model alone.
/// @throws As `load`; CheckpointError, by name, for a head that the library does not have.
inline Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  using internal::load_as;
  auto const path = directory / "config.json";
  Json const config = read_json(path);
  ModelHead const head = model_head(config, path.string());
  bool const is_gpt2 = model_family(config, path.string()) == ModelFamily::gpt2;
  switch (head) {
    case ModelHead::none:
      if (is_gpt2) return load_as<Gpt2<>>(directory, options, context);
      return load_as<Bert<>>(directory, options, context);
    case ModelHead::masked_lm: return load_as<BertForMaskedLm<>>(directory, options, context);
    case ModelHead::next_sentence: return load_as<BertForNextSentence<>>(directory, options, context);
    case ModelHead::pre_training: return load_as<BertForPreTraining<>>(directory, options, context);
    case ModelHead::question_answering: return load_as<BertForQuestionAnswering<>>(directory, options, context);
    case ModelHead::sequence_classification:
      if (is_gpt2) return load_as<Gpt2ForSequenceClassification<>>(directory, options, context);
      return load_as<BertForSequenceClassification<>>(directory, options, context);
    case ModelHead::token_classification: return load_as<BertForTokenClassification<>>(directory, options, context);
    case ModelHead::causal_lm: return load_as<Gpt2<>>(directory, options, context);
  }
  throw ArgumentError(path.string() + ": found no head of that number");
}
/// The same in f32.
inline Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, Context& context) {
  return load_any_with_report(directory, {}, context);
}

/// Loads what config.json's `architectures` names; without a name, the family's model alone.
///
///     std::visit([](auto const& model) { std::cout << to_string(model.module_tree()); }, load_any(directory, context));
///
/// @throws As `load_any_with_report`.
inline AnyModel load_any(ModelDirectory const& directory, LoadOptions const& options, Context& context) {
  return load_any_with_report(directory, options, context).model;
}
/// The same in f32.
inline AnyModel load_any(ModelDirectory const& directory, Context& context) { return load_any(directory, {}, context); }

}  // namespace axiform::inline AXIFORM_ARCH
