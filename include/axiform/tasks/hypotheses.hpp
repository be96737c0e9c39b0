/// @file
/// What zero-shot classification says of a text, and which label of a model says that it is so.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform::detail {

/// The label that says that the second sentence follows from the first: the first whose name begins with "entail", in any case.
/// @throws CheckpointError when there is none, or no other label.
std::size_t entailment_label(std::vector<std::string> const& labels);

/// What a template says of each label.
/// @throws ArgumentError when there is no label, or no `{}` in the template.
std::vector<std::string> hypotheses(std::string_view hypothesis_template, std::vector<std::string> const& labels);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE std::size_t entailment_label(std::vector<std::string> const& labels) {
  auto const is_entailment = [](std::string_view label) {
    constexpr std::string_view begin = "entail";
    auto const same_letter = [](char letter, char lower) { return letter == lower || letter == lower - 'a' + 'A'; };
    return label.size() >= begin.size() && std::ranges::equal(label.substr(0, begin.size()), begin, same_letter);
  };
  auto const place = std::ranges::find_if(labels, is_entailment);
  if (place == labels.end() || labels.size() < 2) {
    std::string found;
    for (std::string const& label : labels) found += (found.empty() ? "" : ", ") + in_quotes(label);
    throw CheckpointError("zero-shot classification: found the labels " + found +
                          ", expected those of natural language inference, one of which begins with \"entail\"");
  }
  return static_cast<std::size_t>(place - labels.begin());
}

AXIFORM_INLINE std::vector<std::string> hypotheses(std::string_view hypothesis_template, std::vector<std::string> const& labels) {
  constexpr std::string_view gap = "{}";
  if (labels.empty()) throw ArgumentError("candidate labels: found none, expected at least one");
  if (hypothesis_template.find(gap) == hypothesis_template.npos)
    throw ArgumentError("hypothesis_template: found " + in_quotes(hypothesis_template) + ", expected {} where the label goes");
  std::vector<std::string> result;
  for (std::string const& label : labels) {
    std::string& hypothesis = result.emplace_back();
    std::string_view rest = hypothesis_template;
    for (auto place = rest.find(gap); place != rest.npos; place = rest.find(gap)) {
      hypothesis.append(rest.substr(0, place)).append(label);
      rest.remove_prefix(place + gap.size());
    }
    hypothesis += rest;
  }
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::detail
