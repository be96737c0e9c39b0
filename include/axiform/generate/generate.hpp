/// @file
/// `generate`: tokens from any causal language model, with its key-value cache; one prompt or a batch, by sampling, greedily or with beams.
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
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/generate/beam_generation.hpp>
#include <axiform/generate/causal_model.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/prompt_lookup.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/generate/stopping.hpp>
#include <axiform/generate/token_chooser.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

/// The sequences of some prompts while they grow, each token chosen by itself. Sequence r of prompt p has slot p * num_return_sequences + r
/// of the cache. What the cache holds of a prompt already is not run again.
template <CausalLanguageModel Model>
class TokenGeneration {
 public:
  TokenGeneration(Model const& model, PromptRange range, std::span<std::span<TokenId const> const> prompts, std::size_t first_sequence,
                  GenerateOptions const& options, Stopping const& stopping, typename Model::Cache& cache, Context& context)
      : model_(model), options_(options), stopping_(stopping), first_sequence_(first_sequence), cache_(cache), context_(context) {
    choosers_.reserve(prompts.size());
    sequences_.reserve(prompts.size() * options.num_return_sequences);
    for (auto const prompt : prompts) {
      std::size_t const length = options.checked_length(prompt.size(), model.positions());
      choosers_.emplace_back(options, source_of_prompt(model, range.first + choosers_.size(), prompt), prompt.size(), length);
      for (std::size_t r = 0; r < options.num_return_sequences; ++r) {
        Sequence& sequence = sequences_.emplace_back(Sequence{{}, length, FinishReason::length, Growth::growing});
        sequence.text.ids.reserve(length);
        sequence.text.ids.assign(prompt.begin(), prompt.end());
        sequence.text.prompt_length = prompt.size();
      }
    }
  }

  std::vector<GeneratedSequence> run() {
    Context::Pass const pass(context_);
    std::optional<FinishReason> end = stopping_.all();
    if (!end) {
      prefill();
      while (!(end = stopping_.all()) && grows()) decode();
    }
    std::vector<GeneratedSequence> results;
    results.reserve(sequences_.size());
    for (Sequence& sequence : sequences_) {
      sequence.text.finish = sequence.growth == Growth::ended ? sequence.finish : *end;
      results.push_back(std::move(sequence.text));
    }
    return results;
  }

 private:
  enum class Growth { growing, ended };
  struct Sequence {
    GeneratedSequence text;
    std::size_t length;
    FinishReason finish;
    Growth growth;
  };

  // A prompt runs once; all its sequences start from its cache and from its row of logits.
  void prefill() {
    std::size_t const each = options_.num_return_sequences;
    auto logits = feed([&](std::size_t s) { return s % each == 0; });
    for (std::size_t s = 0; s < sequences_.size(); ++s) {
      std::size_t const source = s / each * each;
      if (s == source) {
        choosers_[s / each].read(logits.row(s), sequences_[s].text.ids);
      } else {
        cache_.fork(source, s, 0);
      }
      choose(s);
    }
  }

  void decode() {
    auto const is_growing = [&](std::size_t s) { return sequences_[s].growth == Growth::growing; };
    if constexpr (RewindableLanguageModel<Model>)
      if (std::size_t const most = proposals_each()) return decode_and_verify(is_growing, most);
    auto logits = feed(is_growing);
    for (std::size_t s = 0; s < sequences_.size(); ++s)
      if (is_growing(s)) read_and_choose(s, logits.row(s));
  }

  // As `decode`, but with up to `most` proposals behind the last token of each sequence. What the model says behind them counts as far as
  // they are the tokens that are chosen, and has the bits that it has without them.
  template <class Wanted>
  void decode_and_verify(Wanted wanted, std::size_t most) {
    auto const offsets = pack(wanted, [&](std::size_t s) { propose(s, most); });
    auto logits = model_.all_logits(next_, offsets, cache_, context_);
    for (std::size_t s = 0; s < offsets.count(); ++s) {
      if (!wanted(s)) continue;
      GeneratedSequence& text = sequences_[s].text;
      for (std::size_t row = offsets.offset(s);; ++row) {
        read_and_choose(s, logits.row(row));
        if (row + 1 == offsets.offset(s + 1) || next_[row + 1] != text.ids.back()) break;
        ++text.accepted;
        if (sequences_[s].growth == Growth::ended || stopping_.all()) break;
      }
      cache_.truncate(s, text.ids.size() - 1);
    }
  }

  // How many tokens are proposed for each sequence that grows. While few rows run, they wait for weights, and more of them cost next to
  // nothing; so the sequences share the rows of a pass. GPT-2 124M in f32 on two busy cores of a Zen 4: 20 ms for 1 row, 23 for 5, 26
  // for 9, 32 for 11, 54 for 21.
  std::size_t proposals_each() const {
    if (!options_.prompt_lookup) return 0;
    auto const growing = static_cast<std::size_t>(std::ranges::count(sequences_, Growth::growing, &Sequence::growth));
    std::size_t const tokens = options_.prompt_lookup->tokens;
    return tokens < growing ? 0 : (tokens - (growing - 1)) / growing;  // of tokens + 1 rows, without the sequence's own
  }

  // Appends up to `most` proposals for a sequence to `next_`, fewer where the n-gram is short. None where the text ends in any case: from an
  // end-of-text on, and for the last token.
  void propose(std::size_t s, std::size_t most) {
    auto& [text, length, finish, growth] = sequences_[s];
    std::size_t const longest = options_.prompt_lookup->ngram;
    auto const found = find_earlier_ngram(text.ids, longest);
    if (!found) return;
    std::size_t const trusted = 1 + (std::min(most, length) * found->length - 1) / longest;
    std::size_t const count = std::min(trusted, length - 1 - text.ids.size());
    for (std::size_t i = 0; i < count; ++i) {
      TokenId const id = text.ids[found->end + i % (text.ids.size() - found->end)];  // beyond the end it repeats itself
      if (std::ranges::find(options_.end_of_text, id) != options_.end_of_text.end()) break;
      next_.push_back(id);
      ++text.proposed;
    }
  }

  // Runs what the cache lacks of the sequences that are `wanted`.
  template <class Wanted>
  auto feed(Wanted wanted) {
    auto const offsets = pack(wanted, [](std::size_t) {});
    return model_.last_logits(next_, offsets, cache_, context_);
  }

  // Puts into `next_` what the cache lacks of the sequences that are `wanted`, and behind each what `more` adds. Slots behind the last of
  // these are left out.
  template <class Wanted, class More>
  SequenceOffsets<axes::Tokens> pack(Wanted wanted, More more) {
    next_.clear();
    SequenceOffsets<axes::Tokens> offsets;
    std::size_t end = sequences_.size();
    while (end > 1 && !wanted(end - 1)) --end;
    for (std::size_t s = 0; s < end; ++s) {
      std::size_t const before = next_.size();
      if (wanted(s)) {
        auto const missing = std::span(sequences_[s].text.ids).subspan(cache_.lengths()[s]);
        next_.insert(next_.end(), missing.begin(), missing.end());
        more(s);
      }
      offsets.append(next_.size() - before);
    }
    return offsets;
  }

  void read_and_choose(std::size_t s, std::span<float> logits) {
    choosers_[s / options_.num_return_sequences].read(logits, sequences_[s].text.ids);
    choose(s);
  }

  void choose(std::size_t s) {
    Sequence& sequence = sequences_[s];
    TokenChooser const& chooser = choosers_[s / options_.num_return_sequences];
    TokenId const id = chooser.choose(s % options_.num_return_sequences, sequence.text.ids.size());
    sequence.text.ids.push_back(id);
    if (auto report = chooser.report(id)) sequence.text.reports.push_back(*std::move(report));
    if (options_.on_token) options_.on_token({first_sequence_ + s, id});
    if (auto const reason = stopping_.one(first_sequence_ + s, sequence.text.ids, sequence.length)) {
      sequence.finish = *reason;
      sequence.growth = Growth::ended;
    }
  }

  bool grows() const {
    return std::ranges::any_of(sequences_, [](Sequence const& sequence) { return sequence.growth == Growth::growing; });
  }

  Model const& model_;
  GenerateOptions const& options_;
  Stopping const& stopping_;
  std::size_t first_sequence_;
  typename Model::Cache& cache_;
  Context& context_;
  std::vector<TokenChooser> choosers_;  // one for each prompt
  std::vector<Sequence> sequences_;
  std::vector<TokenId> next_;
};

/// Continues prompts that run together.
/// @param range          Which of the model's prompts they are.
/// @param first_sequence The number of the first of their sequences, as callbacks are told it.
template <CausalLanguageModel Model>
std::vector<GeneratedSequence> generate_part(Model const& model, PromptRange range, std::span<std::span<TokenId const> const> prompts,
                                             std::size_t first_sequence, GenerateOptions const& options, Stopping const& stopping,
                                             Context& context) {
  std::size_t longest = 0;
  for (auto const prompt : prompts) longest = std::max(longest, options.checked_length(prompt.size(), model.positions()));
  auto cache = make_cache_of_prompts(model, range, options.sequences_each(), longest);
  if (options.has_beams()) return BeamGeneration<Model>(model, range, prompts, first_sequence, options, stopping, cache, context).run();
  return TokenGeneration<Model>(model, range, prompts, first_sequence, options, stopping, cache, context).run();
}

/// The sequences of `count` prompts, made in parts of as many as may run together: `run(part)` gives those of a part's prompts.
template <class Run>
std::vector<std::vector<GeneratedSequence>> generate_in_parts(std::size_t count, GenerateOptions const& options, Run run) {
  std::size_t const together = std::max<std::size_t>(options.batch_size / options.sequences_each(), 1);
  std::vector<std::vector<GeneratedSequence>> results;
  results.reserve(count);
  for (std::size_t first = 0; first < count; first += together) {
    PromptRange const part{.first = first, .count = std::min(together, count - first)};
    std::vector<GeneratedSequence> texts = run(part);
    for (std::size_t p = 0; p < part.count; ++p) {
      auto const begin = std::make_move_iterator(texts.begin() + static_cast<std::ptrdiff_t>(p * options.num_return_sequences));
      results.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(options.num_return_sequences));
    }
    if (options.progress) options.progress({.done = results.size(), .total = count});
  }
  return results;
}

}  // namespace internal

/// Continues several prompts of any lengths. They run packed, without padding; each text is the same, bit for bit, as alone.
///
///     auto const texts = generate_batch(gpt2, std::vector{first.ids, second.ids}, {.max_new_tokens = 20, .seed = 1}, context);
///     std::vector<TokenId> const& ids = texts[1][0].ids;   // prompt 1, its first sequence
///
/// @param prompts A range of ranges of ids, at least one id each.
/// @return        For each prompt `num_return_sequences` sequences, the prompt included, each ended by its own end; beams best first.
/// @throws ArgumentError when an option is absurd, options contradict each other or the model, or an id is not in the vocabulary.
template <CausalLanguageModel Model, class Prompts>
std::vector<std::vector<GeneratedSequence>> generate_batch(Model const& model, Prompts const& prompts, GenerateOptions const& options,
                                                           Context& context) {
  options.check(model.vocabulary());
  if (options.prompt_lookup && !RewindableLanguageModel<Model>)
    throw ArgumentError("prompt_lookup: needs a model whose cache can go back (RewindableLanguageModel), which this one's cannot");
  std::vector<std::span<TokenId const>> const all(std::begin(prompts), std::end(prompts));
  for (auto const prompt : all) options.checked_length(prompt.size(), model.positions());
  Stopping const stopping(options);
  return internal::generate_in_parts(all.size(), options, [&](PromptRange part) {
    return internal::generate_part(model, part, std::span(all).subspan(part.first, part.count), part.first * options.num_return_sequences,
                                   options, stopping, context);
  });
}

/// Continues one prompt, and tells all about the texts: why each ended, its score, reports on its tokens where the options ask for them.
///
///     auto const text = generate_sequences(gpt2, prompt, {.decoding = Decoding::greedy, .report = ReportOptions{.alternatives = 5}},
/// context)[0];
///     double const surprise = -text.reports[0].log_probability;
///
/// @param prompt Ids, at least one.
/// @return       `num_return_sequences` sequences, as `generate_batch`.
/// @throws ArgumentError as `generate_batch`.
template <CausalLanguageModel Model>
std::vector<GeneratedSequence> generate_sequences(Model const& model, TokenIds const& prompt, GenerateOptions const& options,
                                                  Context& context) {
  std::span<TokenId const> const ids = prompt;
  return std::move(generate_batch(model, std::span(&ids, 1), options, context).front());
}

/// Continues `prompt` token by token.
///
///     auto sequences = generate(gpt2, prompt, {.max_length = 30, .num_return_sequences = 3, .seed = 42}, context);
///
/// @param prompt Ids, at least one.
/// @return       `num_return_sequences` sequences of ids, the prompt included, each ended by its own end-of-text or at full length.
/// @throws ArgumentError as `generate_batch`.
template <CausalLanguageModel Model>
std::vector<std::vector<TokenId>> generate(Model const& model, TokenIds const& prompt, GenerateOptions const& options, Context& context) {
  std::vector<std::vector<TokenId>> results;
  for (auto& sequence : generate_sequences(model, prompt, options, context)) results.push_back(std::move(sequence.ids));
  return results;
}

}  // namespace axiform::inline AXIFORM_ARCH
