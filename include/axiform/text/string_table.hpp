/// @file
/// A flat hash table from strings to token ids, for one purpose: telling in a few nanoseconds whether a word is in a vocabulary.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/token_id.hpp>

namespace axiform::detail {

/// A string as the table compares it. Up to sixteen bytes are held as they are, so that a hit costs one cache line and no string is read;
/// of a longer one `low` holds the first eight bytes and `high` a hash of all.
struct StringKey {
  std::uint64_t low;
  std::uint64_t high;
  std::uint32_t length;

  std::uint64_t hash() const noexcept {
    std::uint64_t const mixed = (low ^ 0x9E3779B97F4A7C15u * length) * 0xD6E8FEB86659FD93u ^ (high + length) * 0xA0761D6478BD642Fu;
    return (mixed ^ mixed >> 32) * 0xE7037ED1A0B428DBu;
  }
};

inline std::uint64_t load_eight(char const* p) noexcept {
  static_assert(std::endian::native == std::endian::little, "keys keep the first byte of a string lowest");
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

/// Keeps the lowest `bytes` (1 to 8) bytes.
inline std::uint64_t keep_bytes(std::uint64_t value, std::size_t bytes) noexcept { return value & ~std::uint64_t{0} >> (64 - 8 * bytes); }

/// The hash of a string longer than sixteen bytes.
inline std::uint64_t hash_long(char const* p, std::size_t length) noexcept {
  std::uint64_t h = length;
  auto const add = [&h](std::uint64_t eight) {
    h = (h ^ eight) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  };
  std::size_t i = 0;
  for (; i + 8 <= length; i += 8) add(load_eight(p + i));
  add(load_eight(p + length - 8));
  return h;
}

/// The key of `length` >= 1 bytes at `p`, where sixteen may be read.
inline StringKey padded_key(char const* p, std::size_t length) noexcept {
  auto const n = static_cast<std::uint32_t>(length);
  if (length <= 8) return {keep_bytes(load_eight(p), length), 0, n};
  if (length <= 16) return {load_eight(p), keep_bytes(load_eight(p + 8), length - 8), n};
  return {load_eight(p), hash_long(p, length), n};
}

/// The key of any string that is not empty.
inline StringKey key_of(std::string_view text) noexcept {
  if (text.size() >= 16) return padded_key(text.data(), text.size());
  char padded[16] = {};
  std::memcpy(padded, text.data(), text.size());
  return padded_key(padded, text.size());
}

/// Strings and their ids. Strings are copied into one arena. Not for the empty string, which no table holds.
class StringTable {
 public:
  static constexpr TokenId absent = -1;

  StringTable() : StringTable(0) {}
  explicit StringTable(std::size_t expected) : slots_(std::bit_ceil(std::max<std::size_t>(16, 2 * expected))) {}

  std::size_t size() const noexcept { return size_; }
  std::size_t longest() const noexcept { return longest_; }  ///< Bytes in the longest string.

  /// Adds `text`, which is not empty, or gives the id that it has already.
  std::optional<TokenId> insert(std::string_view text, TokenId id) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    StringKey const key = key_of(text);
    Slot& slot = slots_[place(key, text.data())];
    if (slot.id != absent) return slot.id;
    slot = {key.low, key.high, key.length, id};
    if (key.length > 16) {
      auto const after = std::upper_bound(long_.begin(), long_.end(), id, [](TokenId i, LongString const& l) { return i < l.id; });
      long_.insert(after, {std::string(text), id});
    }
    ++size_;
    longest_ = std::max(longest_, text.size());
    return std::nullopt;
  }

  /// The id of `text`, or `absent`.
  TokenId find(std::string_view text) const noexcept { return text.empty() ? absent : find(key_of(text), text.data()); }

  /// The id of the string with this key, whose bytes are at `text`, or `absent`.
  TokenId find(StringKey const& key, char const* text) const noexcept { return slots_[place(key, text)].id; }

 private:
  struct Slot {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    std::uint32_t length = 0;
    TokenId id = absent;
  };
  struct LongString {
    std::string text;
    TokenId id;
  };

  std::size_t place(StringKey const& key, char const* text) const noexcept {
    std::size_t const mask = slots_.size() - 1;
    for (std::size_t i = key.hash() >> 20 & mask;; i = (i + 1) & mask) {
      Slot const& slot = slots_[i];
      if (slot.id == absent) return i;
      if (slot.low == key.low && slot.high == key.high && slot.length == key.length && (key.length <= 16 || equals_long(slot, text))) return i;
    }
  }

  /// Equal hashes of long strings are almost always equal strings, so this costs only when a long token is met.
  bool equals_long(Slot const& slot, char const* text) const noexcept {
    auto const found = std::lower_bound(long_.begin(), long_.end(), slot.id, [](LongString const& l, TokenId id) { return l.id < id; });
    return found != long_.end() && found->id == slot.id && std::memcmp(found->text.data(), text, slot.length) == 0;
  }

  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    std::size_t const mask = slots_.size() - 1;
    for (Slot const& slot : old) {
      if (slot.id == absent) continue;
      std::size_t i = StringKey{slot.low, slot.high, slot.length}.hash() >> 20 & mask;
      while (slots_[i].id != absent) i = (i + 1) & mask;
      slots_[i] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<LongString> long_;  // Strings of more than sixteen bytes, by id.
  std::size_t size_ = 0;
  std::size_t longest_ = 0;
};

}  // namespace axiform::detail
