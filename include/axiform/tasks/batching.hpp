/// @file
/// What tasks share: many texts in batches, longest first, and probabilities of logits.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/text/encoding.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <numeric>

#include <axiform/core/checks.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/probabilities.hpp>
#include <axiform/core/stable_sort.hpp>
#endif

namespace axiform::inline AXIFORM_ARCH::internal {

/// How `for_each_batch` runs.
struct BatchRun {
  char const* what;                // The call, as errors name it.
  std::size_t batch_size = 32;     // Items that run together; never a bit of the result depends on it.
  std::stop_token stop = {};       // Ends the call with a StoppedError.
  ProgressCallback progress = {};  // Is told after each batch.
};

/// Calls `run(indices, context)` for batches of the items 0 to `lengths.size()`, the longest first: what they need of memory serves all
/// that follow. With many items each thread takes whole batches, with a context of its own, and never waits for another within a layer
/// (2 000 sentences of 27 tokens took MiniLM-L6 1.18 times as long when two threads shared each operation); with few, and when something is
/// observed, threads share each operation.
///
/// @throws ArgumentError when the batch size is 0; StoppedError; what `run` and the callback throw.
void for_each_batch(std::span<std::size_t const> lengths, BatchRun const& how, Context& context,
                    FunctionRef<void(std::span<std::size_t const>, Context&)> run);

/// Encodings one after another, as a model reads them.
class PackedEncodings {
 public:
  /// @param token_types Rows of the model's table of segments: with less than two, segments are left out (DistilBERT has no table).
  explicit PackedEncodings(std::size_t token_types) : has_types_(token_types > 1) {}

  /// Adds a sequence.
  void append(std::span<TokenId const> ids, std::span<TokenId const> types) {
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    if (has_types_) types_.insert(types_.end(), types.begin(), types.end());
    sequences_.append(ids.size());
  }
  /// Adds a text's tokens.
  void append(Encoding const& encoding) { append(encoding.ids, encoding.type_ids); }
  /// What a model reads; it refers to this object.
  TokenBatch batch() const noexcept { return {.ids = ids_, .sequences = sequences_, .token_types = types_}; }
  /// Where each sequence begins.
  SequenceOffsets<axes::Tokens> const& sequences() const noexcept { return sequences_; }

 private:
  bool has_types_;
  std::vector<TokenId> ids_;
  std::vector<TokenId> types_;
  SequenceOffsets<axes::Tokens> sequences_;
};

/// The softmax of a row, in double precision: scores that are compared and multiplied.
std::vector<double> softmax(std::span<float const> logits);

/// The logistic function, which overflows nowhere.
inline double sigmoid(double x) noexcept { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE void for_each_batch(std::span<std::size_t const> lengths, BatchRun const& how, Context& context,
                                   FunctionRef<void(std::span<std::size_t const>, Context&)> run) {
  axiform::detail::check_positive(how.batch_size, "batch_size");
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  detail::stable_sort(order, [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::mutex mutex;
  std::size_t done = 0;
  auto const run_from = [&](std::size_t first, std::size_t size, Context& own) {
    if (how.stop.stop_requested()) {
      std::scoped_lock const lock(mutex);
      throw StoppedError(std::string(how.what) + ": was stopped after " + std::to_string(done) + " of " + std::to_string(order.size()));
    }
    auto const batch = std::span<std::size_t const>(order).subspan(first, std::min(size, order.size() - first));
    run(batch, own);
    std::scoped_lock const lock(mutex);
    done += batch.size();
    if (how.progress) how.progress({.done = done, .total = order.size()});
  };
  std::size_t const threads = context.executor().concurrency();
  if (threads == 1 || order.size() < 8 * threads || context.observer()) {
    for (std::size_t first = 0; first < order.size(); first += how.batch_size) run_from(first, how.batch_size, context);
    return;
  }
  std::size_t const size = std::clamp<std::size_t>(order.size() / (4 * threads), 1, how.batch_size);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> has_failed{false};
  context.executor().parallel_for(threads, [&](std::size_t) {
    Context own;
    try {
      for (std::size_t first = next.fetch_add(size); first < order.size() && !has_failed; first = next.fetch_add(size))
        run_from(first, size, own);
    } catch (...) {
      has_failed = true;  // The other threads need not finish what nobody will see.
      throw;
    }
  });
}

AXIFORM_INLINE std::vector<double> softmax(std::span<float const> logits) {
  std::vector<double> result(logits.begin(), logits.end());
  axiform::detail::to_probabilities(result);
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::inline AXIFORM_ARCH::internal
