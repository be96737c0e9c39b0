/// @file
/// How layers show their observer what they compute.
#pragma once

#include <axiform/core/context.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/core/tensor.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

/// Shows `values`, [rows, columns], to the observer, if there is one.
template <class X>
void observe_operation(Context const& context, LayerOperation operation, X const& values) {
  if (Observer* const observer = context.observer())
    observer->operation(operation, View<axes::Tokens, axes::Hidden>(values.data(), Shape<axes::Tokens, axes::Hidden>::of(values.lengths()),
                                                                    values.row_stride()));
}

}  // namespace axiform::inline AXIFORM_ARCH::internal
