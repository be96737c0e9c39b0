/// @file
/// `FunctionRef`: a callable passed by reference, without allocation (C++26 has `std::function_ref`).
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <axiform/core/config.hpp>

namespace axiform {

template <class Signature>
class FunctionRef;

/// Refers to a callable for the length of a call. It does not own: never store one.
template <class Result, class... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  /// Refers to `callable`, which must outlive this object.
  template <class Callable>
    requires(!std::is_same_v<std::remove_cvref_t<Callable>, FunctionRef> && std::is_invocable_r_v<Result, Callable&, Arguments...>)
  FunctionRef(Callable&& callable) noexcept
      : object_(const_cast<void*>(static_cast<void const*>(std::addressof(callable)))),
        call_([](void* object, Arguments... arguments) -> Result {
          return (*static_cast<std::remove_reference_t<Callable>*>(object))(std::forward<Arguments>(arguments)...);
        }) {}

  /// Calls it.
  Result operator()(Arguments... arguments) const { return call_(object_, std::forward<Arguments>(arguments)...); }

 private:
  void* object_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace axiform
