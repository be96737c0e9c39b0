/// @file
/// Speculative decoding (Leviathan et al. 2023, "Fast inference from transformers via speculative decoding"): a small model proposes some
/// tokens, and the large one checks them all in one pass.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/random.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/generate/causal_model.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/stopping.hpp>
#include <axiform/generate/token_chooser.hpp>

namespace axiform {

/// How far the small model goes ahead.
struct SpeculationOptions {
  std::size_t tokens = 4;  ///< Proposed at once, at least 1.
};

/// A text, and how well the small model guessed.
struct SpeculativeSequence {
  GeneratedSequence sequence;  ///< The text.
  std::size_t proposed = 0;    ///< Tokens that the small model proposed.
  std::size_t accepted = 0;    ///< Those that the large model took.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

template <class Model, class Draft>
class Speculation {
 public:
  Speculation(Model const& model, Draft const& draft, std::span<TokenId const> prompt, GenerateOptions const& options,
              SpeculationOptions const& speculation, Context& context)
      : model_(model),
        draft_(draft),
        options_(options),
        most_(speculation.tokens),
        context_(context),
        length_(options.checked_length(prompt.size(), model.positions())),
        stopping_(options),
        chooser_(options, source_of_prompt(model, 0, prompt), prompt.size(), length_),
        draft_chooser_(options, source_of_prompt(model, 0, prompt), prompt.size(), length_),
        cache_(model.make_cache(1, length_)),
        draft_cache_(draft.make_cache(1, std::min(length_, draft.positions()))),
        ids_(result_.sequence.ids) {
    ids_.reserve(length_);
    ids_.assign(prompt.begin(), prompt.end());
    result_.sequence.prompt_length = prompt.size();
  }

  SpeculativeSequence run() {
    Context::Pass const pass(context_);
    std::optional<FinishReason> end = stopping_.all();
    if (!end && ids_.size() > 1) {  // the prompt needs no logits of every position
      auto const known = std::span<TokenId const>(ids_).first(ids_.size() - 1);
      model_.last_logits(known, SequenceOffsets<axes::Tokens>::single(known.size()), cache_, context_);
    }
    while (!end) {
      propose();
      end = verify();
      cache_.truncate(0, std::min(cache_.lengths()[0], ids_.size() - 1));
      draft_cache_.truncate(0, std::min(draft_cache_.lengths()[0], ids_.size() - 1));
      if (!end) end = stopping_.all();
    }
    result_.sequence.finish = *end;
    return std::move(result_);
  }

 private:
  struct Proposal {
    TokenId id;
    std::vector<Sampler::Candidate> candidates;  // what it was drawn from
  };

  void propose() {
    proposals_.clear();
    std::vector<TokenId> ahead = ids_;
    std::size_t const room = std::min(length_ - 1, draft_.positions() + 1);
    while (proposals_.size() < most_ && ahead.size() < room) {
      auto const missing = std::span<TokenId const>(ahead).subspan(draft_cache_.lengths()[0]);
      auto logits = draft_.last_logits(missing, SequenceOffsets<axes::Tokens>::single(missing.size()), draft_cache_, context_);
      draft_chooser_.read(logits.row(0), ahead);
      TokenId const id = draft_chooser_.choose(0, ahead.size());
      auto const candidates = draft_chooser_.candidates();
      proposals_.push_back({id, {candidates.begin(), candidates.end()}});
      ahead.push_back(id);
    }
    result_.proposed += proposals_.size();
  }

  // Takes proposals up to the first that the large model would not have made, and one token of its own.
  std::optional<FinishReason> verify() {
    std::vector<TokenId> missing(ids_.begin() + static_cast<std::ptrdiff_t>(cache_.lengths()[0]), ids_.end());
    std::size_t const first = missing.size() - 1;
    for (Proposal const& proposal : proposals_) missing.push_back(proposal.id);
    auto logits = model_.all_logits(missing, SequenceOffsets<axes::Tokens>::single(missing.size()), cache_, context_);
    for (std::size_t i = 0; i <= proposals_.size(); ++i) {
      chooser_.read(logits.row(first + i), ids_);
      bool const is_own = i == proposals_.size();
      TokenId const id = is_own ? chooser_.choose(0, ids_.size()) : check(proposals_[i]);
      bool const is_accepted = !is_own && id == proposals_[i].id;
      result_.accepted += is_accepted;
      if (auto const end = add(id)) return end;
      if (!is_accepted) break;
    }
    return std::nullopt;
  }

  // The proposed token with the probability p / q, else another from what p has more than q (the paper's algorithm 1).
  TokenId check(Proposal const& proposal) const {
    if (options_.decoding == Decoding::greedy) return chooser_.choose(0, ids_.size());
    auto const words = Philox(options_.seed)(0, ids_.size());
    double const p = probability(chooser_.candidates(), proposal.id);
    double const q = probability(proposal.candidates, proposal.id);
    if (uniform_from(words[2], words[3]) * q < p) return proposal.id;
    return draw_rest(proposal);
  }

  TokenId draw_rest(Proposal const& proposal) const {
    double sum = 0;
    auto const rest = [&](Sampler::Candidate const& candidate) {
      return std::max(candidate.probability - probability(proposal.candidates, candidate.id), 0.0);
    };
    for (auto const& candidate : chooser_.candidates()) sum += rest(candidate);
    auto const words = Philox(options_.seed)(1, ids_.size());
    double const target = uniform_from(words[0], words[1]) * sum;
    double cumulated = 0;
    std::optional<TokenId> last;
    for (auto const& candidate : chooser_.candidates()) {
      if (rest(candidate) == 0) continue;
      last = candidate.id;
      if ((cumulated += rest(candidate)) > target) break;
    }
    return last ? *last : chooser_.choose(1, ids_.size());  // rounding left nothing: p and q are the same
  }

  // Candidates are in the order of their ids.
  static double probability(std::span<Sampler::Candidate const> candidates, TokenId id) {
    auto const found = std::ranges::lower_bound(candidates, id, {}, &Sampler::Candidate::id);
    return found != candidates.end() && found->id == id ? found->probability : 0.0;
  }

  std::optional<FinishReason> add(TokenId id) {
    ids_.push_back(id);
    if (auto report = chooser_.report(id)) result_.sequence.reports.push_back(*std::move(report));
    if (options_.on_token) options_.on_token({0, id});
    if (auto const end = stopping_.one(0, ids_, length_)) return end;
    return options_.stop.stop_requested() ? std::optional(FinishReason::stopped) : std::nullopt;
  }

  Model const& model_;
  Draft const& draft_;
  GenerateOptions const& options_;
  std::size_t most_;
  Context& context_;
  std::size_t length_;
  Stopping stopping_;
  TokenChooser chooser_;
  TokenChooser draft_chooser_;
  typename Model::Cache cache_;
  typename Draft::Cache draft_cache_;
  std::vector<Proposal> proposals_;
  SpeculativeSequence result_;
  std::vector<TokenId>& ids_;
};

}  // namespace internal

/// Continues `prompt` with a large model, helped by a small one of the same vocabulary. Greedily the tokens are those of the large model
/// alone; drawn, they have the distribution of the large model alone, though a seed gives others than `generate`.
///
///     auto const text = generate_speculatively(gpt2_large, distil_gpt2, prompt, {.decoding = Decoding::greedy}, {.tokens = 4}, context);
///
/// @throws ArgumentError as `generate`, and when the vocabularies differ, or the options ask for beams, for several sequences or for prompt lookup.
template <RewindableLanguageModel Model, RewindableLanguageModel Draft>
SpeculativeSequence generate_speculatively(Model const& model, Draft const& draft, TokenIds const& prompt, GenerateOptions const& options,
                                           SpeculationOptions const& speculation, Context& context) {
  options.check(model.vocabulary());
  if (options.has_beams() || options.num_return_sequences != 1)
    throw ArgumentError("speculative decoding: makes one text, expected num_return_sequences 1 and no beams");
  if (options.prompt_lookup) throw ArgumentError("speculative decoding: the small model proposes the tokens, expected no prompt_lookup");
  if (draft.vocabulary() != model.vocabulary())
    throw ArgumentError("speculative decoding: found a small model of " + std::to_string(draft.vocabulary()) +
                        " tokens and a large one of " + std::to_string(model.vocabulary()) + ", expected one vocabulary");
  if (speculation.tokens == 0) throw ArgumentError("speculative decoding: found 0 tokens to propose, expected at least 1");
  return internal::Speculation<Model, Draft>(model, draft, prompt, options, speculation, context).run();
}

}  // namespace axiform::inline AXIFORM_ARCH
