/// @file
/// `load_any`: the model that a directory's `architectures` names, whichever it is.
#pragma once

#include <filesystem>
#include <string>
#include <variant>

#include <axiform/io/config.hpp>
#include <axiform/models/load.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Any model that a checkpoint can be, in the dimensions that the checkpoint has.
using AnyModel = std::variant<Bert<>, BertForMaskedLm<>, BertForNextSentence<>, BertForPreTraining<>, BertForQuestionAnswering<>,
                              BertForSequenceClassification<>, BertForTokenClassification<>, Gpt2<>, Gpt2ForSequenceClassification<>>;

/// Loads what config.json's `architectures` names; without it, the family's model alone.
///
///     std::visit([](auto const& model) { std::cout << to_string(model.module_tree()); }, load_any(directory, context));
///
/// @throws As `load`; CheckpointError, by name, for a head that the library does not have.
inline AnyModel load_any(std::filesystem::path const& directory, Context& context) {
  auto const path = directory / "config.json";
  Json const config = read_json(path);
  ModelHead const head = model_head(config, path.string());
  bool const is_gpt2 = model_family(config, path.string()) == ModelFamily::gpt2;
  switch (head) {
    case ModelHead::none:
      if (is_gpt2) return load<Gpt2<>>(directory, context);
      return load<Bert<>>(directory, context);
    case ModelHead::masked_lm: return load<BertForMaskedLm<>>(directory, context);
    case ModelHead::next_sentence: return load<BertForNextSentence<>>(directory, context);
    case ModelHead::pre_training: return load<BertForPreTraining<>>(directory, context);
    case ModelHead::question_answering: return load<BertForQuestionAnswering<>>(directory, context);
    case ModelHead::sequence_classification:
      if (is_gpt2) return load<Gpt2ForSequenceClassification<>>(directory, context);
      return load<BertForSequenceClassification<>>(directory, context);
    case ModelHead::token_classification: return load<BertForTokenClassification<>>(directory, context);
    case ModelHead::causal_lm: return load<Gpt2<>>(directory, context);
  }
  throw ArgumentError(path.string() + ": found no head of that number");
}

}  // namespace axiform::inline AXIFORM_ARCH
