/// @file
/// Beam search with a model: the beams of several prompts in one key-value cache.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/beam_search.hpp>
#include <axiform/generate/causal_model.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/stopping.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

/// Runs the beams of some prompts. Each prompt has `num_beams` slots of the cache, and a beam has any of them: of the beams that continue
/// one text the first keeps its slot, and the others copy it to slots of texts that are followed no more. Only what differs is copied,
/// for beams share most of their past, and equal tokens have equal bits.
template <CausalLanguageModel Model>
class BeamGeneration {
 public:
  BeamGeneration(Model const& model, PromptRange range, std::span<std::span<TokenId const> const> prompts, std::size_t first_sequence,
                 GenerateOptions const& options, Stopping const& stopping, typename Model::Cache& cache, Context& context)
      : model_(model),
        options_(options),
        stopping_(stopping),
        cache_(cache),
        context_(context),
        cached_(prompts.size() * options.num_beams) {
    searches_.reserve(prompts.size());
    for (auto const prompt : prompts)
      searches_.emplace_back(prompt, source_of_prompt(model, range.first + searches_.size(), prompt), options,
                             options.checked_length(prompt.size(), model.positions()), stopping,
                             first_sequence + searches_.size() * options.num_return_sequences);
    slots_.resize(prompts.size());
    for (std::size_t p = 0; p < prompts.size(); ++p) slots_[p] = {p * options.num_beams};
  }

  std::vector<GeneratedSequence> run() {
    Context::Pass const pass(context_);
    std::optional<FinishReason> end;
    while (!(end = stopping_.all()) && std::ranges::any_of(searches_, [](BeamSearch const& search) { return !search.is_done(); })) step();
    std::vector<GeneratedSequence> results;
    for (BeamSearch& search : searches_) {
      if (end && !search.is_done()) search.stop(*end);
      for (auto& text : search.results()) results.push_back(std::move(text));
    }
    return results;
  }

 private:
  void step() {
    auto logits = feed();
    std::vector<std::span<float>> rows;
    for (std::size_t p = 0; p < searches_.size(); ++p) {
      if (searches_[p].is_done()) continue;
      rows.clear();
      for (std::size_t const slot : slots_[p]) rows.push_back(logits.row(slot));
      searches_[p].step(rows);
      if (!searches_[p].is_done()) assign_slots(p);
    }
  }

  // Runs what the cache lacks of every beam: the prompt, later the last token.
  auto feed() {
    std::vector<std::span<TokenId const>> missing(cached_.size());
    std::size_t end = 0;
    for (std::size_t p = 0; p < searches_.size(); ++p) {
      if (searches_[p].is_done()) continue;
      for (std::size_t b = 0; b < slots_[p].size(); ++b) {
        std::size_t const slot = slots_[p][b];
        auto const& ids = searches_[p].beams()[b].ids;
        missing[slot] = std::span(ids).subspan(cache_.lengths()[slot]);
        cached_[slot] = ids;
        end = std::max(end, slot + 1);
      }
    }
    next_.clear();
    SequenceOffsets<axes::Tokens> offsets;
    for (auto const ids : std::span(missing).first(end)) {
      next_.insert(next_.end(), ids.begin(), ids.end());
      offsets.append(ids.size());
    }
    return model_.last_logits(next_, offsets, cache_, context_);
  }

  // Gives each of the new beams a slot with the past of its parent.
  void assign_slots(std::size_t p) {
    auto const beams = searches_[p].beams();
    std::vector<std::size_t> const before = std::exchange(slots_[p], std::vector<std::size_t>(beams.size()));
    std::vector<char> taken(options_.num_beams, 0);
    std::vector<char> kept(beams.size(), 0);
    std::size_t const base = p * options_.num_beams;
    for (std::size_t b = 0; b < beams.size(); ++b) {
      std::size_t const slot = before[beams[b].parent];
      if (taken[slot - base]) continue;
      taken[slot - base] = kept[b] = 1;
      slots_[p][b] = slot;
    }
    for (std::size_t b = 0; b < beams.size(); ++b) {
      if (kept[b]) continue;
      std::size_t const from = before[beams[b].parent];
      std::size_t const to = base + static_cast<std::size_t>(std::ranges::find(taken, 0) - taken.begin());
      taken[to - base] = 1;
      cache_.fork(from, to, static_cast<std::size_t>(std::ranges::mismatch(cached_[from], cached_[to]).in1 - cached_[from].begin()));
      cached_[to] = cached_[from];
      slots_[p][b] = to;
    }
  }

  Model const& model_;
  GenerateOptions const& options_;
  Stopping const& stopping_;
  typename Model::Cache& cache_;
  Context& context_;
  std::vector<BeamSearch> searches_;                // of each prompt
  std::vector<std::vector<std::size_t>> slots_;     // of each prompt's beams
  std::vector<std::vector<TokenId>> cached_;        // the tokens of each slot of the cache
  std::vector<TokenId> next_;
};

}  // namespace axiform::inline AXIFORM_ARCH::internal
