/// @file
/// `BeamSearch`: which texts are followed, from rows of logits alone. It is transformers' (5.24, generation/utils.py), choice for choice.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/beam_step.hpp>
#include <axiform/generate/log_probabilities.hpp>
#include <axiform/generate/logits_processors.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/sampler.hpp>
#include <axiform/generate/score_rows.hpp>
#include <axiform/generate/stopping.hpp>

namespace axiform {

/// The beams of one prompt. Refers to the options, the source and to what ends a text, which must outlive it.
///
///     Stopping const stopping(options);
///     BeamSearch search(prompt, prompt, options, max_length, stopping);
///     while (!search.is_done()) search.step(rows);   // rows[i]: the logits behind search.beams()[i]
///     auto const best = search.results();
class BeamSearch {
 public:
  /// A text that is followed.
  struct Beam {
    std::vector<TokenId> ids;          ///< The prompt and what was chosen.
    double score;                      ///< The sum of its processed log-probabilities.
    std::size_t parent;                ///< Which of the beams of the step before it continues.
    std::vector<TokenReport> reports;  ///< Of the tokens that were chosen, where the options ask for it.
  };

  /// @param source   What the texts are written beside; the prompt, where that is all.
  /// @param sequence The number that `stop_when` is told.
  BeamSearch(std::span<TokenId const> prompt, std::span<TokenId const> source, GenerateOptions const& options, std::size_t max_length,
             Stopping const& stopping, std::size_t sequence = 0);

  /// The texts that are followed, best first: one at the beginning, `num_beams` later on.
  std::span<Beam const> beams() const& noexcept { return beams_; }
  void beams() const&& = delete;  ///< The span would dangle: give the owner a name.
  /// Whether nothing better can come, as far as `early_stopping` looks.
  bool is_done() const noexcept { return done_; }

  /// Goes on by one token.
  /// @param rows For each beam [VocabularyEntries]: the logits behind its last token, overwritten.
  /// @throws ArgumentError when a logit is not a number, no token is possible, or there is not a row for each beam.
  void step(std::span<std::span<float> const> rows);

  /// Half of a step: finds the best continuations of a beam. Several threads may read rows of different beams at once; what comes of it is the same.
  /// @param beam Of `beams()`.
  /// @param row  [VocabularyEntries]: the logits behind its last token, overwritten.
  /// @throws ArgumentError when there is no such beam, or a logit is not a number.
  void read(std::size_t beam, std::span<float> row);
  /// The other half, when a row of every beam has been read: chooses among their continuations.
  /// @throws ArgumentError when no token is possible, or a beam's row was not read.
  void advance();

  /// Ends all that still grows, for the given reason.
  void stop(FinishReason reason);

  /// The `num_return_sequences` best texts, best first; those that still grow come last, if there are not enough others.
  std::vector<GeneratedSequence> results();

 private:
  struct Candidate {
    double key;    // what it is chosen by: the score, and noise where it is drawn
    double score;  // of the text
    std::size_t beam;
    TokenId id;
    // Equal ones have an order too, so that it does not matter who is looked at first.
    bool operator>(Candidate const& other) const noexcept {
      return key > other.key || (key == other.key && std::pair(beam, id) < std::pair(other.beam, other.id));
    }
  };
  // What was read of a beam's row.
  struct Continuations {
    Greatest<Candidate> best;
    TokenReport report;            // id and log-probability to be filled in
    std::vector<float> model_row;  // the model's log-probabilities, before processing
    Sampler sampler;               // of beams that are drawn
  };

  // So many continuations of a beam are looked at that enough go on when all the best end.
  std::size_t candidates() const noexcept { return std::max<std::size_t>(2, 1 + options_.end_of_text.size()) * options_.num_beams; }

  std::vector<Candidate> best_continuations();

  // Tells `on_beams` of the candidates of the present beams, with what became of each.
  void tell(std::span<Candidate const> candidates, std::span<BeamFate const> fates, std::size_t length) const;

  // The greatest of score + Gumbel noise are a draw without replacement (Kool et al. 2019, "Stochastic beams and where to find them").
  void offer_drawn(std::size_t b, std::span<Sampler::Candidate const> drawn, std::size_t vocabulary);

  Beam continued(Candidate const& candidate) const;

  void finish(Beam beam, FinishReason reason, std::size_t length);

  // By which texts of any length are compared.
  double final_score(double score, std::size_t length) const;

  // Whether a text that grows may still be better than one that is finished, as transformers estimates it.
  bool can_improve(std::size_t length) const;

  GenerateOptions const& options_;
  Stopping const& stopping_;
  LogitsProcessors process_;
  std::size_t prompt_length_;
  std::size_t max_length_;
  std::size_t sequence_;
  std::vector<Beam> beams_;
  std::vector<GeneratedSequence> finished_;   // best first, at most num_beams
  std::vector<Continuations> continuations_;  // of each beam
  bool done_ = false;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE BeamSearch::BeamSearch(std::span<TokenId const> prompt, std::span<TokenId const> source, GenerateOptions const& options,
                                      std::size_t max_length, Stopping const& stopping, std::size_t sequence)
    : options_(options),
      stopping_(stopping),
      process_(options, source, prompt.size(), max_length),
      prompt_length_(prompt.size()),
      max_length_(max_length),
      sequence_(sequence),
      continuations_(options.num_beams) {
  beams_.push_back({{prompt.begin(), prompt.end()}, 0, 0, {}});
}

AXIFORM_INLINE void BeamSearch::step(std::span<std::span<float> const> rows) {
  if (beams_.empty() || rows.size() != beams_.size())
    throw ArgumentError("beam search: found " + std::to_string(rows.size()) + " rows of logits for " + std::to_string(beams_.size()) +
                        " beams");
  for (std::size_t b = 0; b < rows.size(); ++b) read(b, rows[b]);
  advance();
}

AXIFORM_INLINE void BeamSearch::advance() {
  if (beams_.empty()) throw ArgumentError("beam search: found no beam to go on with");
  std::size_t const length = beams_[0].ids.size() + 1;  // of the texts that this step makes
  auto const candidates = best_continuations();
  std::vector<Beam> next;
  std::vector<BeamFate> fates(options_.on_beams ? candidates.size() : 0, BeamFate::dropped);
  auto const note = [&](std::size_t rank, BeamFate fate) {
    if (!fates.empty()) fates[rank] = fate;
  };
  for (std::size_t rank = 0; rank < candidates.size(); ++rank) {
    Candidate const& candidate = candidates[rank];
    if (rank >= options_.num_beams && next.size() == options_.num_beams) break;
    Beam beam = continued(candidate);
    if (auto const reason = stopping_.one(sequence_, beam.ids, max_length_)) {
      // Only the first `num_beams` may end: the others are there to go on instead of these.
      if (rank < options_.num_beams) finish(std::move(beam), *reason, length), note(rank, BeamFate::ended);
    } else if (next.size() < options_.num_beams) {
      next.push_back(std::move(beam));
      note(rank, BeamFate::followed);
    }
  }
  if (options_.on_beams) tell(candidates, fates, length);
  detail::stable_sort(finished_, std::ranges::greater(), &GeneratedSequence::beam_score);
  if (finished_.size() > options_.num_beams) finished_.resize(options_.num_beams);
  beams_ = std::move(next);
  done_ = beams_.empty() || !can_improve(length);
}

AXIFORM_INLINE void BeamSearch::stop(FinishReason reason) {
  for (Beam& beam : std::exchange(beams_, {})) {
    std::size_t const length = beam.ids.size();
    finish(std::move(beam), reason, length);
  }
  detail::stable_sort(finished_, std::ranges::greater(), &GeneratedSequence::beam_score);
  done_ = true;
}

AXIFORM_INLINE std::vector<GeneratedSequence> BeamSearch::results() {
  if (finished_.size() < options_.num_return_sequences) stop(FinishReason::stopped);
  // Without enough texts (a vocabulary of one token) the last is repeated.
  auto best = finished_;
  best.resize(options_.num_return_sequences, finished_.back());
  return best;
}

AXIFORM_INLINE void BeamSearch::read(std::size_t b, std::span<float> row) {
  if (b >= beams_.size())
    throw ArgumentError("beam search: found beam " + std::to_string(b) + ", expected one of " + std::to_string(beams_.size()));
  Continuations& read = continuations_[b];
  if (options_.report) read.report = report_token(row, 0, options_.report->alternatives);
  to_log_probabilities(row);
  if (options_.report) read.model_row.assign(row.begin(), row.end());
  process_(beams_[b].ids, row);
  // A beam that nothing may continue has nothing to sum up.
  if (options_.processed_scores == ProcessedScores::renormalized &&
      std::ranges::any_of(row, [](float score) { return score != impossible; }))
    to_log_probabilities(row);
  read.best.restart(candidates());
  if (options_.decoding == Decoding::beam_sample) {
    std::size_t const least = std::max<std::size_t>(2, options_.end_of_text.size() + 1);  // one that goes on among them
    return offer_drawn(b, read.sampler.distribution(row, options_.sampling, least), row.size());
  }
  double const so_far = beams_[b].score;
  auto const is_better = [&](float score) { return !read.best.full() || so_far + score > read.best.least().key; };
  // Most parts of a row have nothing that counts.
  constexpr std::size_t most = 64;
  for (std::size_t first = 0; first < row.size(); first += most) {
    auto const part = row.subspan(first, std::min(most, row.size() - first));
    if (!is_better(detail::greatest_of(part))) continue;
    for (std::size_t i = 0; i < part.size(); ++i)
      if (is_better(part[i])) read.best.offer({so_far + part[i], so_far + part[i], b, static_cast<TokenId>(first + i)});
  }
}

AXIFORM_INLINE std::vector<BeamSearch::Candidate> BeamSearch::best_continuations() {
  Greatest<Candidate> best(candidates());
  for (std::size_t b = 0; b < beams_.size(); ++b) {
    auto const of_beam = continuations_[b].best.take();
    if (of_beam.empty()) throw ArgumentError("beam search: found no row of logits of beam " + std::to_string(b));
    for (Candidate const& candidate : of_beam) best.offer(candidate);
  }
  auto found = best.take();
  detail::stable_sort(found, [](Candidate const& a, Candidate const& b) {
    return a.score > b.score || (a.score == b.score && std::pair(a.beam, a.id) < std::pair(b.beam, b.id));
  });
  std::erase_if(found, [](Candidate const& candidate) { return std::isinf(candidate.score); });
  if (found.empty()) throw ArgumentError("logits: found no possible token");
  return found;
}

AXIFORM_INLINE void BeamSearch::offer_drawn(std::size_t b, std::span<Sampler::Candidate const> drawn, std::size_t vocabulary) {
  Philox const random(options_.seed);
  for (auto const& candidate : drawn) {
    if (candidate.probability <= 0) continue;
    auto const words = random(b * vocabulary + static_cast<std::size_t>(candidate.id), beams_[b].ids.size());
    double const uniform = std::max(uniform_from(words[0], words[1]), 0x1p-54);  // in (0, 1)
    bool const renormalized = options_.processed_scores == ProcessedScores::renormalized;
    double const score = beams_[b].score + (renormalized ? std::log(candidate.probability) : candidate.score);
    continuations_[b].best.offer({score - std::log(-std::log(uniform)), score, b, candidate.id});
  }
}

AXIFORM_INLINE BeamSearch::Beam BeamSearch::continued(Candidate const& candidate) const {
  Beam const& parent = beams_[candidate.beam];
  Beam beam{{}, candidate.score, candidate.beam, {}};
  beam.ids.reserve(max_length_);
  beam.ids = parent.ids;
  beam.ids.push_back(candidate.id);
  if (options_.report) {
    beam.reports = parent.reports;
    Continuations const& read = continuations_[candidate.beam];
    TokenReport& report = beam.reports.emplace_back(read.report);
    report.id = candidate.id;
    report.log_probability = read.model_row[static_cast<std::size_t>(candidate.id)];
  }
  return beam;
}

AXIFORM_INLINE void BeamSearch::tell(std::span<Candidate const> candidates, std::span<BeamFate const> fates, std::size_t length) const {
  BeamStep step{.prompt = sequence_ / options_.num_return_sequences, .candidates = {}};
  step.candidates.reserve(candidates.size());
  for (std::size_t rank = 0; rank < candidates.size(); ++rank) {
    Candidate const& candidate = candidates[rank];
    step.candidates.push_back({.beam = candidate.beam,
                               .id = candidate.id,
                               .log_probability = candidate.score - beams_[candidate.beam].score,
                               .score = candidate.score,
                               .fate = fates[rank],
                               .final_score = fates[rank] == BeamFate::ended ? final_score(candidate.score, length) : 0});
  }
  options_.on_beams(step);
}

AXIFORM_INLINE double BeamSearch::final_score(double score, std::size_t length) const {
  double const tokens = static_cast<double>(std::max<std::size_t>(length - prompt_length_, 1));
  return score / std::pow(tokens, options_.length_penalty);
}

AXIFORM_INLINE void BeamSearch::finish(Beam beam, FinishReason reason, std::size_t length) {
  finished_.push_back({.ids = std::move(beam.ids),
                       .prompt_length = prompt_length_,
                       .finish = reason,
                       .beam_score = final_score(beam.score, length),
                       .reports = std::move(beam.reports)});
}

AXIFORM_INLINE bool BeamSearch::can_improve(std::size_t length) const {
  if (finished_.size() < options_.num_beams) return true;
  if (options_.early_stopping == EarlyStopping::when_full) return false;
  bool const looks_ahead = options_.early_stopping == EarlyStopping::never && options_.length_penalty > 0;
  double const tokens = static_cast<double>((looks_ahead ? max_length_ : length) - prompt_length_);
  return beams_[0].score / std::pow(tokens, options_.length_penalty) > finished_.back().beam_score;
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
