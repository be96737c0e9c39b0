/// @file
/// `BeamStep`: what beam search looked at in one step, for those who want to watch it.
#pragma once

#include <cstddef>
#include <vector>

#include <axiform/core/token_id.hpp>

namespace axiform {

/// What became of a text that a step of beam search looked at.
enum class BeamFate {
  followed,  ///< It goes on: it is one of the next step's beams.
  ended,     ///< It ended here, and has its final score.
  dropped    ///< Others were better.
};

/// A text that a step of beam search looked at: a beam, and one token more.
struct BeamCandidate {
  std::size_t beam = 0;                ///< The beam that it continues: of the texts that the step before followed, which, from 0.
  TokenId id = 0;                      ///< Its last token.
  double log_probability = 0;          ///< Of that token, natural logarithm, as the processors left it.
  double score = 0;                    ///< Of the text: the sum of the log-probabilities of its tokens behind the prompt.
  BeamFate fate = BeamFate::followed;  ///< What became of it.
  double final_score = 0;              ///< Of one that ended: score / (generated tokens)^length_penalty, by which results are ordered.
};

/// One step of beam search: every beam was continued by every token, and these were the best (`GenerateOptions::on_beams`).
struct BeamStep {
  std::size_t prompt = 0;                 ///< Whose beams they are: which of the prompts, or sources, of the batch, from 0.
  std::vector<BeamCandidate> candidates;  ///< Best first. Those that are followed are the next step's beams, in this order.
};

}  // namespace axiform
