/// @file
/// `ModelFamily` and `ModelHead`: what a checkpoint is, in two words.
#pragma once

#include <axiform/core/config.hpp>
#include <axiform/core/head_weights.hpp>

namespace axiform {

/// The families of models that a config can describe.
enum class ModelFamily {
  bert,         ///< BERT (Devlin et al. 2019).
  roberta,      ///< RoBERTa (Liu et al. 2019): BERT whose positions begin behind the padding id.
  xlm_roberta,  ///< XLM-RoBERTa (Conneau et al. 2020): RoBERTa in other sizes.
  camembert,    ///< CamemBERT (Martin et al. 2020): RoBERTa in French.
  distilbert,   ///< DistilBERT (Sanh et al. 2019): BERT without segments and pooler, under other names.
  gpt2          ///< GPT-2 (Radford et al. 2019).
};

/// Whether positions are counted as RoBERTa does.
constexpr bool is_roberta(ModelFamily family) {
  return family == ModelFamily::roberta || family == ModelFamily::xlm_roberta || family == ModelFamily::camembert;
}

/// What stands on a model's hidden states.
enum class ModelHead {
  none,                     ///< The model alone: BertModel, GPT2Model.
  masked_lm,                ///< Guesses masked tokens: BertForMaskedLM.
  next_sentence,            ///< Says whether B follows A: BertForNextSentencePrediction.
  pre_training,             ///< Both: BertForPreTraining.
  question_answering,       ///< Begin and end of an answer: BertForQuestionAnswering.
  sequence_classification,  ///< Labels of a text: BertForSequenceClassification.
  token_classification,     ///< A label for each token: BertForTokenClassification.
  causal_lm                 ///< Guesses the next token: GPT2LMHeadModel.
};

}  // namespace axiform
