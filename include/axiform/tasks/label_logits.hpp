/// @file
/// The logits that a classifier gives for many encodings.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/text/encoding.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

/// Runs a classifier on encodings in batches, and calls `use(i, logits)` with the logits of each; on several threads at once.
/// @throws As `for_each_batch`.
template <TextLabelModel Model>
void for_each_logits(Model const& model, std::span<Encoding const> encodings, BatchRun const& how, Context& context,
                     FunctionRef<void(std::size_t, std::span<float const>)> use) {
  std::vector<std::size_t> lengths;
  for (Encoding const& encoding : encodings) lengths.push_back(encoding.size());
  for_each_batch(lengths, how, context, [&](std::span<std::size_t const> batch, Context& own) {
    PackedEncodings packed(model.token_types());
    for (std::size_t const i : batch) packed.append(encodings[i]);
    auto const logits = model(packed.batch(), own);
    for (std::size_t row = 0; row < batch.size(); ++row) use(batch[row], logits.row(row));
  });
}

}  // namespace axiform::inline AXIFORM_ARCH::internal
