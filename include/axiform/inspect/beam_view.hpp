/// @file
/// Beam search made visible: one HTML page that shows, step by step, which texts were followed, where they forked, which ended, and the scores.
///
/// The page needs no network and nothing beside it; it is used with a mouse, a keyboard or a screen reader.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/generate/beam_step.hpp>
#include <axiform/generate/result.hpp>

#if AXIFORM_DEFINES(inspect)
#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/inspect/beam_view_page.hpp>
#include <axiform/inspect/html.hpp>
#endif

namespace axiform {

/// What a page shows of the beams of one prompt, or of one source.
///
///     BeamView view{.title = prompt, .prompt = prompt, .steps = {}, .results = {}, .text_of = text_of};
///     options.on_beams = [&](BeamStep const& step) { view.steps.push_back(step); };
///     options.num_return_sequences = options.num_beams;   // all that is known at the end
///     view.results = generate_sequences(gpt2, ids, options, context);
///     write_beam_view("beams.html", view);
struct BeamView {
  static constexpr std::size_t most_candidates = 10'000;  ///< More than a browser shows at ease.

  std::string title;                            ///< The heading.
  std::string prompt;                           ///< What the texts began with; nothing behind a source.
  std::vector<BeamStep> steps;                  ///< What `GenerateOptions::on_beams` was told, first to last.
  std::vector<GeneratedSequence> results;       ///< What was returned, best first.
  std::function<std::string(TokenId)> text_of;  ///< The text of a token, as it is in a text: with the space before it.
};

/// The page as one string.
/// @throws ArgumentError when there is no `text_of`, a step is of another prompt than the first or continues a beam that is not there, a score is no
///         number, a result is none of the texts that the steps made, or there are more than `BeamView::most_candidates` texts.
std::string beam_html(BeamView const& view);

/// Writes the page to a file: all of it, or, when anything throws, what the file held before.
/// @throws As `beam_html`; FileError when the file cannot be written.
void write_beam_view(std::filesystem::path const& path, BeamView const& view);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

namespace detail {

/// Which of its step's candidates each beam is that the step follows.
inline std::vector<std::size_t> followed_candidates(BeamStep const& step) {
  std::vector<std::size_t> followed;
  for (std::size_t c = 0; c < step.candidates.size(); ++c)
    if (step.candidates[c].fate == BeamFate::followed) followed.push_back(c);
  return followed;
}

/// Refuses what is no record of one search.
inline void check_beam_view(BeamView const& view) {
  if (!view.text_of) throw ArgumentError("beam view: found no `text_of`, expected one: the page shows tokens by their texts");
  std::size_t beams = 1, count = 0;
  for (std::size_t s = 0; s < view.steps.size(); ++s) {
    BeamStep const& step = view.steps[s];
    std::string const place = "beam view: step " + std::to_string(s) + ": ";
    if (step.prompt != view.steps.front().prompt)
      throw ArgumentError(place + "prompt: found " + std::to_string(step.prompt) + ", expected " +
                          std::to_string(view.steps.front().prompt) + ", as in the first; a page shows one search");
    for (BeamCandidate const& candidate : step.candidates) {
      if (candidate.beam >= beams)
        throw ArgumentError(place + "beam: found " + std::to_string(candidate.beam) + ", expected less than " + std::to_string(beams) +
                            ", the texts that the step before followed");
      for (double const number : {candidate.log_probability, candidate.score, candidate.final_score})
        if (!std::isfinite(number))
          throw ArgumentError(place + "found a score of " + std::to_string(number) + ", expected a finite number");
    }
    count += step.candidates.size();
    beams = followed_candidates(step).size();
  }
  if (count > BeamView::most_candidates)
    throw ArgumentError("beam view: found " + std::to_string(count) + " texts in " + std::to_string(view.steps.size()) +
                        " steps, expected at most " + std::to_string(BeamView::most_candidates) + "; show fewer beams or steps");
}

/// The candidate of a step that ends a text, if there is one.
inline std::optional<std::size_t> last_candidate(BeamView const& view, std::span<TokenId const> ids) {
  if (ids.empty() || ids.size() > view.steps.size()) return std::nullopt;
  // From the first token on: which candidate has it, and which of the beams that is.
  std::size_t beam = 0;
  for (std::size_t s = 0; s < ids.size(); ++s) {
    auto const& candidates = view.steps[s].candidates;
    auto const found = std::ranges::find_if(candidates, [&](BeamCandidate const& candidate) {
      bool const can_be = s + 1 == ids.size() ? candidate.fate != BeamFate::dropped : candidate.fate == BeamFate::followed;
      return can_be && candidate.beam == beam && candidate.id == ids[s];
    });
    if (found == candidates.end()) return std::nullopt;
    auto const index = static_cast<std::size_t>(found - candidates.begin());
    if (s + 1 == ids.size()) return index;
    beam = static_cast<std::size_t>(
        std::count_if(candidates.begin(), found, [](BeamCandidate const& other) { return other.fate == BeamFate::followed; }));
  }
  return std::nullopt;
}

inline std::string beam_page_data(BeamView const& view) {
  auto const number = [](std::size_t value) { return std::to_string(value); };
  std::size_t most_beams = 0;
  std::string steps = "[";
  std::vector<std::size_t> before{0};
  for (BeamStep const& step : view.steps) {
    if (steps.size() > 1) steps += ',';
    steps += script_array(step.candidates, [&](BeamCandidate const& candidate) {
      return "[" + number(before[candidate.beam]) + "," + script_string(view.text_of(candidate.id)) + "," +
             script_number(candidate.log_probability) + "," + script_number(candidate.score) + "," +
             number(static_cast<std::size_t>(candidate.fate)) + "," + script_number(candidate.final_score) + "]";
    });
    before = followed_candidates(step);
    most_beams = std::max(most_beams, before.size());
  }
  steps += ']';
  std::size_t index = 0;
  auto const results = script_array(view.results, [&](GeneratedSequence const& result) {
    auto const last = last_candidate(view, result.new_ids());
    if (!last && !result.new_ids().empty())
      throw ArgumentError("beam view: result " + number(index) + ": found a text of " + number(result.new_ids().size()) +
                          " new tokens that none of the steps ends or follows");
    if (!std::isfinite(result.beam_score))
      throw ArgumentError("beam view: result " + number(index) + ": found a score of " + std::to_string(result.beam_score) +
                          ", expected a finite number");
    ++index;
    return "{\"at\":" + (last ? number(result.new_ids().size() - 1) : "null") + ",\"place\":" + number(last.value_or(0)) +
           ",\"score\":" + script_number(result.beam_score) + ",\"finish\":" + number(static_cast<std::size_t>(result.finish)) + "}";
  });
  return "{\"title\":" + script_string(view.title) + ",\"prompt\":" + script_string(view.prompt) + ",\"beams\":" + number(most_beams) +
         ",\"steps\":" + steps + ",\"results\":" + results + "}";
}

inline void write_beam_page(BeamView const& view, PageSink sink) {
  check_beam_view(view);
  PageParts const page{view.title.empty() ? std::string_view("Beam search") : std::string_view(view.title),
                       beam_page_style,
                       beam_page_body,
                       beam_page_data(view),
                       {beam_page_script}};
  write_page(page, sink, [](PageSink) {});
}

}  // namespace detail

AXIFORM_INLINE std::string beam_html(BeamView const& view) {
  return detail::page_text([&](detail::PageSink sink) { detail::write_beam_page(view, sink); });
}

AXIFORM_INLINE void write_beam_view(std::filesystem::path const& path, BeamView const& view) {
  detail::write_page_file(path, [&](detail::PageSink sink) { detail::write_beam_page(view, sink); });
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
