/// @file
/// An encoding that is too long for a model, in windows that overlap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/text/encoding.hpp>

namespace axiform::detail {

/// Windows over the tokens [body_begin, body_end) of an encoding, with all tokens before and behind them in each: as the tokenizers crate's
/// truncation with a stride gives them (the last one may be short).
class WindowedEncoding {
 public:
  /// Tokens of the encoding.
  struct Window {
    std::size_t begin;  // The first.
    std::size_t end;    // Behind the last.
  };

  /// @param length  Tokens of a window, those round the body included.
  /// @param overlap Tokens of the body that a window has in common with the next.
  /// @throws ArgumentError when a window has no room for more of the body than the overlap. What fits needs no room.
  WindowedEncoding(Encoding encoding, std::size_t body_begin, std::size_t body_end, std::size_t length, std::size_t overlap);

  Encoding const& encoding() const noexcept { return encoding_; }
  std::vector<Window> const& windows() const noexcept { return windows_; }
  std::size_t before() const noexcept { return begin_; }  // Tokens that stand before each window: its rows begin with them.
  /// Tokens of each window, those round the body included.
  std::vector<std::size_t> lengths() const;
  std::vector<TokenId> ids(std::size_t window) const { return wrapped(encoding_.ids, windows_[window]); }
  std::vector<TokenId> type_ids(std::size_t window) const { return wrapped(encoding_.type_ids, windows_[window]); }

 private:
  std::vector<TokenId> wrapped(std::span<TokenId const> all, Window const& window) const;

  Encoding encoding_;
  std::size_t begin_;
  std::size_t end_;
  std::vector<Window> windows_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE WindowedEncoding::WindowedEncoding(Encoding encoding, std::size_t body_begin, std::size_t body_end, std::size_t length,
                                                  std::size_t overlap)
    : encoding_(std::move(encoding)), begin_(body_begin), end_(body_end) {
  if (encoding_.size() <= length) {
    windows_.push_back({begin_, end_});
    return;
  }
  std::size_t const around = encoding_.size() - (end_ - begin_);
  std::size_t const room = length - std::min(length, around);
  if (room <= overlap)
    throw ArgumentError("windows of " + std::to_string(length) + " tokens: found room for " + std::to_string(room) + " beside " +
                        std::to_string(around) + " others, expected more than the overlap, " + std::to_string(overlap));
  for (std::size_t first = begin_, last = 0; last != end_; first += room - overlap) {
    last = std::min(first + room, end_);
    windows_.push_back({first, last});
  }
}

AXIFORM_INLINE std::vector<std::size_t> WindowedEncoding::lengths() const {
  std::vector<std::size_t> result;
  for (Window const& window : windows_) result.push_back(encoding_.size() - (end_ - begin_) + (window.end - window.begin));
  return result;
}

AXIFORM_INLINE std::vector<TokenId> WindowedEncoding::wrapped(std::span<TokenId const> all, Window const& window) const {
  std::vector<TokenId> result(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(begin_));
  auto const body = all.subspan(window.begin, window.end - window.begin);
  result.insert(result.end(), body.begin(), body.end());
  auto const tail = all.subspan(end_);
  result.insert(result.end(), tail.begin(), tail.end());
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform::detail
