/// @file
/// The k greatest of many: `Greatest` sees them one by one, `greatest_indices` all at once.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>

namespace axiform {

/// Keeps the `count` greatest of the values that it is offered; among equals, those offered first. What is worse than all that are kept
/// costs one comparison: finding 50 of GPT-2's 50 257 logits takes no copy of them.
///
///     Greatest<float> greatest(50);
///     for (float logit : logits) greatest.offer(logit);
///     float const fiftieth = greatest.least();
template <class Value, class Greater = std::greater<Value>>
class Greatest {
 public:
  /// Nothing yet, room for `count`.
  explicit Greatest(std::size_t count = 0, Greater greater = {}) : greater_(std::move(greater)) { restart(count); }

  /// Forgets everything, but keeps its memory. @param count How many are kept from now on.
  void restart(std::size_t count) {
    count_ = count;
    heap_.clear();
  }
  /// Shows it a value.
  void offer(Value const& value) {
    if (heap_.size() < count_) {
      heap_.push_back(value);
      std::ranges::push_heap(heap_, greater_);
    } else if (count_ != 0 && greater_(value, heap_.front())) {
      std::ranges::pop_heap(heap_, greater_);
      heap_.back() = value;
      std::ranges::push_heap(heap_, greater_);
    }
  }
  bool full() const noexcept { return heap_.size() == count_; }  ///< Whether as many are kept as may be.
  std::size_t size() const noexcept { return heap_.size(); }     ///< How many are kept.
  Value const& least() const noexcept { return heap_.front(); }  ///< The least that is kept. @pre size() != 0
  /// Those that are kept, greatest first; nothing is left.
  std::vector<Value> take() {
    std::ranges::sort_heap(heap_, greater_);
    return std::exchange(heap_, {});
  }

 private:
  std::size_t count_ = 0;
  Greater greater_;
  std::vector<Value> heap_;  // the least first
};

namespace detail {

/// The indices of the `count` greatest values, greatest first; of equal ones the first comes first, and what is not a number last.
template <std::floating_point Value>
std::vector<std::size_t> greatest_indices(std::span<Value const> values, std::size_t count) {
  std::vector<std::size_t> order(values.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  count = std::min(count, order.size());
  auto const middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  auto const key = [&](std::size_t i) { return std::isnan(values[i]) ? -std::numeric_limits<Value>::infinity() : values[i]; };
  std::partial_sort(order.begin(), middle, order.end(),
                    [&](std::size_t a, std::size_t b) { return key(a) != key(b) ? key(a) > key(b) : a < b; });
  order.resize(count);
  return order;
}
inline std::vector<std::size_t> greatest_indices(std::vector<double> const& values, std::size_t count) {
  return greatest_indices(std::span<double const>(values), count);
}

}  // namespace detail

}  // namespace axiform
