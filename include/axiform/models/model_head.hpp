/// @file
/// `ModelHead` and `Pooler`: what stands on a model's hidden states.
#pragma once

#include <axiform/core/config.hpp>

namespace axiform {

/// What stands on a model's hidden states.
enum class ModelHead {
  none,                     ///< The model alone: BertModel, GPT2Model.
  masked_lm,                ///< Guesses masked tokens: BertForMaskedLM.
  next_sentence,            ///< Says whether B follows A: BertForNextSentencePrediction.
  pre_training,             ///< Both: BertForPreTraining.
  question_answering,       ///< Begin and end of an answer: BertForQuestionAnswering.
  sequence_classification,  ///< Labels of a text: BertForSequenceClassification.
  token_classification,     ///< A label for each token: BertForTokenClassification.
  causal_lm,                ///< Guesses the next token: GPT2LMHeadModel.
  encoder_and_decoder,      ///< An encoder-decoder alone: BartModel, T5Model.
  conditional_generation    ///< Guesses the next token beside a source: MarianMTModel, T5ForConditionalGeneration.
};

/// Whether a BERT has the pooler, which some checkpoints leave out.
enum class Pooler { present, absent };

}  // namespace axiform
