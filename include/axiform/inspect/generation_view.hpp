/// @file
/// Generation made visible: one HTML page that shows, token by token, what else could have come, and how sure the model was.
///
/// The page needs no network and nothing beside it; it is used with a mouse, a keyboard or a screen reader.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/function_ref.hpp>
#include <axiform/core/token_id.hpp>

#if AXIFORM_DEFINES(inspect)
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/inspect/generation_view_page.hpp>
#include <axiform/inspect/html.hpp>
#endif

namespace axiform {

/// A token that could have come.
struct GenerationAlternative {
  std::string token;       ///< Its text.
  double probability = 0;  ///< From 0 to 1.
};

/// One step of generation.
struct GenerationStep {
  std::string token;                                ///< The text of the token that came.
  double probability = 0;                           ///< Its probability, from 0 to 1.
  double entropy = 0;                               ///< Of the whole distribution, in nats: -sum p ln p.
  std::vector<GenerationAlternative> alternatives;  ///< The most probable tokens, most probable first; the one that came may be among them.
};

/// What a page shows.
///
///     GenerationView view{.title = "A story", .prompt = "It was", .steps = {}};
///     view.steps.push_back({" a", 0.21, 4.3, {{" the", 0.35}, {" a", 0.21}}});  // or generation_step(logits, id, …)
///     write_generation_view("generation.html", view);
struct GenerationView {
  std::string title;                  ///< The heading.
  std::string prompt;                 ///< What the text began with.
  std::vector<GenerationStep> steps;  ///< First to last.
};

/// A step from the logits that it was drawn from.
///
///     view.steps.push_back(generation_step(logits.row(0), id, [&](TokenId other) { return tokenizer.decode({&other, 1}); }));
///
/// @param logits       [VocabularyEntries], as the sampler had them: behind its processors, or the model's own.
/// @param chosen       The token that came.
/// @param text         The text of a token.
/// @param alternatives How many of the most probable tokens are kept.
/// @return             Probabilities and entropy of softmax(logits), in float64; -infinity is a token that cannot come.
/// @throws ArgumentError when `chosen` is not in the vocabulary, or no token can come.
GenerationStep generation_step(std::span<float const> logits, TokenId chosen, FunctionRef<std::string(TokenId)> text,
                               std::size_t alternatives = 10);

/// The page as one string.
/// @throws ArgumentError when a probability is not from 0 to 1, or an entropy not a number from 0.
std::string generation_html(GenerationView const& view);

/// Writes the page to a file: all of it, or, when anything throws, what the file held before.
/// @throws As `generation_html`; FileError when the file cannot be written.
void write_generation_view(std::filesystem::path const& path, GenerationView const& view);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

namespace detail {

inline std::string probability_text(double probability, char const* what, std::size_t step) {
  if (!(probability >= 0 && probability <= 1 + 1e-9))  // e to the power of a rounded logarithm may be a little more than 1
    throw ArgumentError("generation view: step " + std::to_string(step) + ": " + what + ": found " + std::to_string(probability) +
                        ", expected 0 to 1");
  return script_number(std::min(probability, 1.0));
}

inline void write_generation_page(GenerationView const& view, PageSink sink) {
  std::string data = "{\"title\":" + script_string(view.title) + ",\"prompt\":" + script_string(view.prompt) + ",\"steps\":[";
  for (std::size_t i = 0; i < view.steps.size(); ++i) {
    GenerationStep const& step = view.steps[i];
    if (!(step.entropy >= 0 && std::isfinite(step.entropy)))
      throw ArgumentError("generation view: step " + std::to_string(i) + ": entropy: found " + std::to_string(step.entropy) +
                          ", expected a number from 0");
    data += (i ? ",{\"token\":" : "{\"token\":") + script_string(step.token) +
            ",\"probability\":" + probability_text(step.probability, "probability", i) + ",\"entropy\":" + script_number(step.entropy) +
            ",\"alternatives\":" + script_array(step.alternatives, [i](GenerationAlternative const& other) {
              return "[" + script_string(other.token) + "," + probability_text(other.probability, "probability of an alternative", i) + "]";
            }) + "}";
  }
  data += "]}";
  PageParts const page{view.title.empty() ? std::string_view("Generation") : std::string_view(view.title), generation_page_style,
                       generation_page_body, std::move(data), {generation_page_script}};
  write_page(page, sink, [](PageSink) {});
}

}  // namespace detail

AXIFORM_INLINE GenerationStep generation_step(std::span<float const> logits, TokenId chosen, FunctionRef<std::string(TokenId)> text,
                                              std::size_t alternatives) {
  if (chosen < 0 || static_cast<std::size_t>(chosen) >= logits.size())
    throw ArgumentError("generation step: token id: found " + std::to_string(chosen) + ", expected one below " +
                        std::to_string(logits.size()));
  double const largest = *std::ranges::max_element(logits);
  double sum = 0, weighted = 0;  // of exp(z) and z exp(z), z below the largest logit: entropy = ln(sum) - weighted / sum
  for (float const logit : logits) {
    double const z = logit - largest, e = std::exp(z);
    sum += e;
    if (e > 0) weighted += z * e;
  }
  if (!std::isfinite(sum) || !std::isfinite(largest))
    throw ArgumentError("generation step: found logits that are no numbers, or none that is above -infinity");
  auto const probability = [&](TokenId id) { return std::exp(logits[static_cast<std::size_t>(id)] - largest) / sum; };

  GenerationStep step{text(chosen), probability(chosen), std::max(0.0, std::log(sum) - weighted / sum), {}};
  for (std::size_t const index : detail::greatest_indices(logits, alternatives)) {
    auto const id = static_cast<TokenId>(index);
    step.alternatives.push_back({text(id), probability(id)});
  }
  return step;
}

AXIFORM_INLINE std::string generation_html(GenerationView const& view) {
  return detail::page_text([&](detail::PageSink sink) { detail::write_generation_page(view, sink); });
}

AXIFORM_INLINE void write_generation_view(std::filesystem::path const& path, GenerationView const& view) {
  detail::write_page_file(path, [&](detail::PageSink sink) { detail::write_generation_page(view, sink); });
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
