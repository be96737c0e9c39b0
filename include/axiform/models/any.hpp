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
Loaded<AnyModel> load_as(ModelDirectory const& directory, Context& context) {
  auto [model, report] = load_with_report<Model>(directory, context);
  return {std::move(model), std::move(report)};
}

}  // namespace internal

/// Loads what config.json's `architectures` names, and says what became of each tensor; without a name, the family's model alone.
/// @throws As `load`; CheckpointError, by name, for a head that the library does not have.
inline Loaded<AnyModel> load_any_with_report(ModelDirectory const& directory, Context& context) {
  using internal::load_as;
  auto const path = directory / "config.json";
  Json const config = read_json(path);
  ModelHead const head = model_head(config, path.string());
  bool const is_gpt2 = model_family(config, path.string()) == ModelFamily::gpt2;
  switch (head) {
    case ModelHead::none:
      if (is_gpt2) return load_as<Gpt2<>>(directory, context);
      return load_as<Bert<>>(directory, context);
    case ModelHead::masked_lm: return load_as<BertForMaskedLm<>>(directory, context);
    case ModelHead::next_sentence: return load_as<BertForNextSentence<>>(directory, context);
    case ModelHead::pre_training: return load_as<BertForPreTraining<>>(directory, context);
    case ModelHead::question_answering: return load_as<BertForQuestionAnswering<>>(directory, context);
    case ModelHead::sequence_classification:
      if (is_gpt2) return load_as<Gpt2ForSequenceClassification<>>(directory, context);
      return load_as<BertForSequenceClassification<>>(directory, context);
    case ModelHead::token_classification: return load_as<BertForTokenClassification<>>(directory, context);
    case ModelHead::causal_lm: return load_as<Gpt2<>>(directory, context);
  }
  throw ArgumentError(path.string() + ": found no head of that number");
}

/// Loads what config.json's `architectures` names; without a name, the family's model alone.
///
///     std::visit([](auto const& model) { std::cout << to_string(model.module_tree()); }, load_any(directory, context));
///
/// @throws As `load_any_with_report`.
inline AnyModel load_any(ModelDirectory const& directory, Context& context) { return load_any_with_report(directory, context).model; }

}  // namespace axiform::inline AXIFORM_ARCH
