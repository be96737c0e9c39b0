/// @file
/// A flat hash table from strings to token ids, for one purpose: telling in a few nanoseconds whether a word is in a vocabulary.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/token_id.hpp>

namespace axiform::detail {

/// A string as the table compares it. Up to fifteen bytes are held as they are, with their number in the last byte, so that a hit reads no
/// string; of a longer one `low` holds the first eight bytes and `high` a hash of all.
struct StringKey {
  std::uint64_t low;
  std::uint64_t high;

  bool operator==(StringKey const&) const = default;
  bool is_long() const noexcept { return high >> 56 == 0xFF; }
  std::uint64_t hash() const noexcept {
    std::uint64_t const mixed = low * 0x9E3779B97F4A7C15u ^ std::rotl(high * 0xD6E8FEB86659FD93u, 32);
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

/// The hash of a string of at least eight bytes.
inline std::uint64_t hash_long(char const* p, std::size_t length) noexcept {
  std::uint64_t h = length;
  auto const add = [&h](std::uint64_t eight) {
    h = (h ^ eight) * 0x9E3779B97F4A7C15u;
    h ^= h >> 29;
  };
  for (std::size_t i = 0; i + 8 <= length; i += 8) add(load_eight(p + i));
  add(load_eight(p + length - 8));
  return h;
}

/// The key of `length` >= 1 bytes at `p`, where sixteen may be read.
inline StringKey padded_key(char const* p, std::size_t length) noexcept {
  if (length <= 8) return {keep_bytes(load_eight(p), length), std::uint64_t{length} << 56};
  if (length <= 15) return {load_eight(p), keep_bytes(load_eight(p + 8), length - 8) | std::uint64_t{length} << 56};
  return {load_eight(p), hash_long(p, length) | std::uint64_t{0xFF} << 56};
}

/// The key of any string that is not empty.
inline StringKey key_of(std::string_view text) noexcept {
  if (text.size() >= 16) return padded_key(text.data(), text.size());
  char padded[16] = {};
  std::memcpy(padded, text.data(), text.size());
  return padded_key(padded, text.size());
}

/// Strings and their ids. Not for the empty string, which no table holds.
///
/// An index of four bytes a slot leads to keys in order of insertion: vocabularies begin with what is frequent, so the keys that most
/// words need lie together (with keys in the slots themselves a third of the time went into waiting for memory).
class StringTable {
 public:
  static constexpr TokenId absent = -1;

  explicit StringTable(std::size_t expected = 0) : index_(std::bit_ceil(std::max<std::size_t>(16, 2 * expected))) {
    keys_.reserve(expected);
    ids_.reserve(expected);
  }

  std::size_t size() const noexcept { return keys_.size(); }

  /// Adds `text`, which is not empty, unless it is there already.
  void insert(std::string_view text, TokenId id) {
    StringKey const key = key_of(text);
    if (find_entry(key, text) == no_entry) append(key, text, id);
  }

  /// Adds `text`, which is not empty, or gives it another id.
  void put(std::string_view text, TokenId id) {
    StringKey const key = key_of(text);
    if (std::size_t const entry = find_entry(key, text); entry != no_entry)
      ids_[entry] = id;
    else
      append(key, text, id);
  }

  /// The id of `text`, or `absent`.
  TokenId find(std::string_view text) const noexcept { return text.empty() ? absent : find(key_of(text), text); }

  /// The id of the string with this key, or `absent`.
  TokenId find(StringKey const& key, std::string_view text) const noexcept {
    std::size_t const entry = find_entry(key, text);
    return entry == no_entry ? absent : ids_[entry];
  }

  struct Prefix {
    TokenId id;
    std::size_t length;
  };

  /// The longest string here that the `length` >= 1 bytes at `p` begin with, or `absent`; sixteen bytes beyond them may be read.
  Prefix find_longest(char const* p, std::size_t length) const noexcept {
    auto const find_prefix = [&](std::size_t n) { return find(padded_key(p, n), {p, n}); };
    if (length > 1) {
      std::uint32_t lengths = lengths_[two_bytes(p)];  // Which lengths strings have that begin so; the last bit is for all others.
      if (lengths >> 31 != 0)
        for (std::size_t n = std::min(length, longest_); n >= 31; --n)
          if (TokenId const id = find_prefix(n); id != absent) return {id, n};
      lengths &= ~std::uint32_t{0} >> (31 - std::min<std::size_t>(length, 30));
      while (lengths != 0) {
        auto const n = static_cast<std::size_t>(std::bit_width(lengths) - 1);
        if (TokenId const id = find_prefix(n); id != absent) return {id, n};
        lengths ^= std::uint32_t{1} << n;
      }
    }
    return {find_prefix(1), 1};
  }

 private:
  static constexpr std::size_t no_entry = ~std::size_t{0};

  struct LongString {
    std::uint32_t entry;
    std::string text;
  };

  std::size_t find_entry(StringKey const& key, std::string_view text) const noexcept {
    std::uint64_t const hash = key.hash();
    std::size_t const mask = index_.size() - 1;
    std::uint32_t const tag = tag_of(hash);
    for (std::size_t i = slot_of(hash);; i = (i + 1) & mask) {
      std::uint32_t const slot = index_[i];
      if (slot == 0) return no_entry;
      if ((slot & ~mask) != tag) continue;
      std::size_t const entry = (slot & mask) - 1;
      if (keys_[entry] == key && (!key.is_long() || is_long(entry, text))) return entry;
    }
  }

  void append(StringKey const& key, std::string_view text, TokenId id) {
    if (2 * (size() + 1) > index_.size()) grow();
    if (key.is_long()) long_.push_back({static_cast<std::uint32_t>(size()), std::string(text)});
    keys_.push_back(key);
    ids_.push_back(id);
    place(size() - 1);
    longest_ = std::max(longest_, text.size());
    if (text.size() > 1) lengths_[two_bytes(text.data())] |= std::uint32_t{1} << std::min<std::size_t>(text.size(), 31);
  }

  static std::size_t two_bytes(char const* p) noexcept {
    return static_cast<std::size_t>((static_cast<unsigned char>(p[0]) * 61u + static_cast<unsigned char>(p[1])) & 4095u);
  }
  /// A slot holds an entry's number plus one, as many bits as number the slots, and above them a part of its hash.
  std::uint32_t tag_of(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(hash) & ~static_cast<std::uint32_t>(index_.size() - 1);
  }
  std::size_t slot_of(std::uint64_t hash) const noexcept { return (hash >> 32) & (index_.size() - 1); }

  void place(std::size_t entry) {
    std::uint64_t const hash = keys_[entry].hash();
    std::size_t i = slot_of(hash);
    while (index_[i] != 0) i = (i + 1) & (index_.size() - 1);
    index_[i] = tag_of(hash) | static_cast<std::uint32_t>(entry + 1);
  }

  /// Equal hashes of long strings are almost always equal strings, so this costs only when a long token is met.
  bool is_long(std::size_t entry, std::string_view text) const noexcept {
    auto const found = std::lower_bound(long_.begin(), long_.end(), entry, [](LongString const& l, std::size_t e) { return l.entry < e; });
    return found->text == text;
  }

  void grow() {
    index_.assign(2 * index_.size(), 0);
    for (std::size_t entry = 0; entry < size(); ++entry) place(entry);
  }

  std::vector<std::uint32_t> index_;
  std::vector<StringKey> keys_;
  std::vector<TokenId> ids_;
  std::vector<LongString> long_;  // Strings of more than fifteen bytes, by entry.
  std::size_t longest_ = 0;       // Bytes in the longest string.
  std::array<std::uint32_t, 4096> lengths_{};
};

}  // namespace axiform::detail
