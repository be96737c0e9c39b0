/// @file
/// From the scores of a window's tokens to the spans that may be answers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// Tokens [first, last] of a window, both included, and the probability that they are the answer.
struct AnswerSpan {
  std::size_t first;
  std::size_t last;
  double score;

  // Better ones first; of equal ones the first comes first.
  friend bool is_better(AnswerSpan const& a, AnswerSpan const& b) noexcept {
    return a.score != b.score ? a.score > b.score : a.first != b.first ? a.first < b.first : a.last < b.last;
  }
};

/// The `count` best spans of at most `longest` tokens within the tokens [begin, end), best first. What cannot be has no place among them.
/// @param start,stop Probabilities of each token to be the first and the last.
std::vector<AnswerSpan> best_spans(std::span<double const> start, std::span<double const> stop, std::size_t begin, std::size_t end,
                                   std::size_t longest, std::size_t count);

/// Each character in lower case: how answers are compared.
std::string lower_cased(std::string_view text);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE std::vector<AnswerSpan> best_spans(std::span<double const> start, std::span<double const> stop, std::size_t begin,
                                                  std::size_t end, std::size_t longest, std::size_t count) {
  auto const better = [](AnswerSpan const& a, AnswerSpan const& b) { return is_better(a, b); };
  std::vector<AnswerSpan> heap;  // The worst on top.
  for (std::size_t first = begin; first < end; ++first) {
    if (!(start[first] > 0)) continue;
    for (std::size_t last = first; last < end && last - first < longest; ++last) {
      AnswerSpan const span{first, last, start[first] * stop[last]};
      if (!(span.score > 0) || (heap.size() == count && !better(span, heap.front()))) continue;
      if (heap.size() == count) {
        std::ranges::pop_heap(heap, better);
        heap.pop_back();
      }
      heap.push_back(span);
      std::ranges::push_heap(heap, better);
    }
  }
  std::ranges::sort_heap(heap, better);
  return heap;
}

AXIFORM_INLINE std::string lower_cased(std::string_view text) {
  std::string result;
  std::string const valid = replace_invalid_utf8(text);
  for (char const *p = valid.data(), *const end = p + valid.size(); p != end;) {
    auto const [c, length] = decode_valid_utf8(p);
    p += length;
    if (properties_of(c).has_lower_case())
      lower_case(c, [&](char32_t lower) { append_utf8(result, lower); });
    else
      append_utf8(result, c);
  }
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::detail
