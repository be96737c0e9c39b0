/// @file
/// `DecoderCache`: the past of a decoder's sequences, and what each of them attends to in its encoder's output.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/nn/cross_attention.hpp>
#include <axiform/nn/kv_cache.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A `KeyValueCache` whose sequences know their source, which was projected once. A fork attends to the source of the sequence that it was
/// forked from, so that beams and several continuations of one source share it.
class DecoderCache {
 public:
  /// An empty cache with a sequence for each entry of `source_of`.
  /// @param source_of Which of the sources, of those that were projected together, each sequence attends to.
  /// @param capacity  Tokens that each may have.
  /// @throws ArgumentError when there is no such source; else as `KeyValueCache`.
  DecoderCache(CacheWidths const& widths, std::span<std::size_t const> source_of, std::size_t capacity,
               std::shared_ptr<ProjectedSource const> source)
      : past_(widths, source_of.size(), capacity), projected_(std::move(source)), source_of_(source_of.begin(), source_of.end()) {
    std::size_t const sources = projected_ ? projected_->sequences() : 0;
    for (std::size_t const index : source_of_)
      if (index >= sources)
        throw ArgumentError("decoder cache: found source " + std::to_string(index) + ", expected one of " + std::to_string(sources));
  }
  /// The same beside a source that nobody else needs.
  DecoderCache(CacheWidths const& widths, std::span<std::size_t const> source_of, std::size_t capacity, ProjectedSource&& source)
      : DecoderCache(widths, source_of, capacity, std::make_shared<ProjectedSource const>(std::move(source))) {}

  KeyValueCache& past() noexcept { return past_; }              ///< Keys and values of the sequences' own tokens.
  KeyValueCache const& past() const noexcept { return past_; }  ///< The same.
  /// What each sequence attends to.
  template <DimensionsLike D>
  operator CrossSource<D>() const& noexcept {
    return {*projected_, source_of_};
  }
  template <DimensionsLike D>
  operator CrossSource<D>() const&& = delete;                                      ///< It would dangle: give the owner a name.
  std::span<std::size_t const> source_of() const& noexcept { return source_of_; }  ///< The source of each sequence.
  void source_of() const&& = delete;                                               ///< The span would dangle: give the owner a name.

  /// Tokens that each sequence has.
  std::span<std::size_t const> lengths() const& noexcept { return past_.lengths(); }
  void lengths() const&& = delete;  ///< The span would dangle: give the owner a name.
  /// As `KeyValueCache::fork`; `to` has the source of `from` then. Nothing is common to sequences of different sources.
  void fork(std::size_t from, std::size_t to, std::size_t common = 0) {
    bool const same_source = from < source_of_.size() && to < source_of_.size() && source_of_[from] == source_of_[to];
    past_.fork(from, to, same_source ? common : 0);
    source_of_[to] = source_of_[from];
  }
  /// As `KeyValueCache::copy`, of a cache beside the same sources.
  /// @throws ArgumentError when the other's sources are others.
  void copy(DecoderCache const& other, std::size_t from, std::size_t to) {
    if (other.projected_ != projected_) throw ArgumentError("decoder cache: found one beside other sources, expected the same");
    past_.copy(other.past_, from, to);
    source_of_[to] = other.source_of_[from];
  }
  /// As `KeyValueCache::truncate`.
  void truncate(std::size_t sequence, std::size_t length) { past_.truncate(sequence, length); }

 private:
  KeyValueCache past_;
  std::shared_ptr<ProjectedSource const> projected_;
  std::vector<std::size_t> source_of_;
};

}  // namespace axiform::inline AXIFORM_ARCH
