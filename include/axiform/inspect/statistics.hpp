/// @file
/// `Statistics`: an observer that says of everything a pass computes what its numbers look like, to compare with another implementation.
///
///     Statistics statistics;
///     context.observe(&statistics);
///     bert(ids, context);
///     print_statistics(std::cout, statistics.records());         // a table
///     write_statistics_json(std::cout, statistics.records());    // a JSON object a line
///
/// `scripts/pytorch-statistics` gives the same lines from hooks on a PyTorch model, and says where the two part.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/observer.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform {

/// What the numbers of a tensor look like. Sums are in double precision, in the order of the elements; what is not finite counts in
/// `not_finite` and `bits` alone.
struct TensorStatistics {
  std::vector<std::size_t> shape;  ///< The lengths of its axes, outermost first.
  double mean = 0;                 ///< The sum divided by the number of elements.
  double standard_deviation = 0;   ///< Of the population.
  double minimum = 0;              ///< The smallest element; 0 when there is none.
  double maximum = 0;              ///< The greatest element; 0 when there is none.
  double sum = 0;                  ///< Of all elements.
  /// The sum of every element times a weight that follows from its place: element i of all in order has the weight w / 2^31 - 1, where w is
  /// the lower half (32 bits) of i * 2654435761. Transposed or shifted values have the same mean, and another checksum.
  double checksum = 0;
  std::size_t not_finite = 0;  ///< Elements that are infinite or no number.
  std::uint64_t bits = 0;      ///< A hash (FNV-1a) of the elements' bits: equal for equal bits, and only for them, but for chance.
};

/// The statistics of a tensor, or of a view into one.
///
/// @param values Any rows; `shape` is what they are called, by default [rows, columns].
template <TensorLike T>
TensorStatistics tensor_statistics(T const& values) {
  auto const view = as_view(values);
  TensorStatistics result{.shape = {view.lengths().begin(), view.lengths().end()}};
  std::size_t finite = 0, index = 0;
  double lowest = std::numeric_limits<double>::infinity(), greatest = -lowest;
  result.bits = 0xcbf29ce484222325U;
  auto const for_each = [&](auto const& use) {
    for (std::size_t row = 0; row < view.rows(); ++row)
      for (float const value : view.row(row)) use(value);
  };
  for_each([&](float value) {
    auto const bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) result.bits = (result.bits ^ (bits >> shift & 0xFF)) * 0x100000001b3U;
    auto const weight = static_cast<std::uint32_t>(index++ * std::uint64_t{2654435761U});
    if (!std::isfinite(value)) {
      ++result.not_finite;
      return;
    }
    ++finite;
    result.sum += value;
    result.checksum += value * (weight / 2147483648.0 - 1);
    lowest = std::min<double>(lowest, value);
    greatest = std::max<double>(greatest, value);
  });
  if (finite == 0) return result;
  result.minimum = lowest;
  result.maximum = greatest;
  result.mean = result.sum / static_cast<double>(finite);
  double squares = 0;
  for_each([&](float value) {
    if (std::isfinite(value)) squares += (value - result.mean) * (value - result.mean);
  });
  result.standard_deviation = std::sqrt(squares / static_cast<double>(finite));
  return result;
}

/// What was computed: which tensor, where.
struct StatisticsRecord {
  std::string name;                          ///< "layers.3.query", "layers.3.attention_probabilities", "hidden_states.4".
  std::optional<std::size_t> sequence = {};  ///< Of attention probabilities: whose they are. All else is of the whole batch.
  TensorStatistics statistics = {};          ///< What its numbers look like.
};

/// Looks at every pass that it observes, and keeps a record of each tensor in the order in which they are complete: `hidden_states.0`, then
/// layer by layer `query`, `key`, `value`, `attended` (and the same of cross-attention, `cross_query` to `cross_attended`), `inner`,
/// `attention_probabilities` (and `cross_attention_probabilities`), and the next hidden states. Of a source that is projected once, each layer's
/// `cross_key` and `cross_value` are there once.
class Statistics final : public Observer {
 public:
  void begin_layer(std::size_t index) override;
  float* attention_probabilities(AttentionKind kind, std::size_t sequence, std::size_t heads, std::size_t queries,
                                 std::size_t keys) override;
  void hidden_states(std::size_t index, View<axes::Tokens, axes::Hidden> states) override;
  void operation(LayerOperation operation, View<axes::Tokens, axes::Hidden> values) override;

  /// All that was seen since `clear`. Attention probabilities are there once the pass has ended.
  std::vector<StatisticsRecord> const& records() const noexcept { return records_; }
  /// Forgets all that was seen.
  void clear();

 private:
  struct PendingMap {
    std::string name;
    std::size_t sequence;
    Capture::AttentionMap map;
  };

  static char const* name_of(LayerOperation operation);

  // Attention writes its probabilities after it has asked for the memory: they are complete when the layer is.
  void finish_maps();

  std::string layer_;
  std::vector<PendingMap> maps_;
  std::vector<StatisticsRecord> records_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

AXIFORM_INLINE void Statistics::begin_layer(std::size_t index) {
  finish_maps();
  layer_ = "layers." + std::to_string(index) + ".";
}

AXIFORM_INLINE float* Statistics::attention_probabilities(AttentionKind kind, std::size_t sequence, std::size_t heads, std::size_t queries,
                                                          std::size_t keys) {
  char const* const name = kind == AttentionKind::self ? "attention_probabilities" : "cross_attention_probabilities";
  maps_.push_back({layer_ + name, sequence, Capture::AttentionMap(heads, queries, keys)});
  return maps_.back().map.data();
}

AXIFORM_INLINE void Statistics::hidden_states(std::size_t index, View<axes::Tokens, axes::Hidden> states) {
  finish_maps();
  records_.push_back({.name = "hidden_states." + std::to_string(index), .statistics = tensor_statistics(states)});
}

AXIFORM_INLINE void Statistics::operation(LayerOperation operation, View<axes::Tokens, axes::Hidden> values) {
  records_.push_back({.name = layer_ + name_of(operation), .statistics = tensor_statistics(values)});
}

AXIFORM_INLINE void Statistics::clear() {
  records_.clear();
  maps_.clear();
  layer_.clear();
}

AXIFORM_INLINE char const* Statistics::name_of(LayerOperation operation) {
  switch (operation) {
    case LayerOperation::query:
      return "query";
    case LayerOperation::key:
      return "key";
    case LayerOperation::value:
      return "value";
    case LayerOperation::attended:
      return "attended";
    case LayerOperation::cross_query:
      return "cross_query";
    case LayerOperation::cross_key:
      return "cross_key";
    case LayerOperation::cross_value:
      return "cross_value";
    case LayerOperation::cross_attended:
      return "cross_attended";
    case LayerOperation::inner:
      return "inner";
  }
  return "operation";
}

AXIFORM_INLINE void Statistics::finish_maps() {
  for (PendingMap const& pending : maps_)
    records_.push_back({.name = pending.name, .sequence = pending.sequence, .statistics = tensor_statistics(pending.map)});
  maps_.clear();
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
