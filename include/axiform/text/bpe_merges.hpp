/// @file
/// What byte-pair encodings share, be their symbols bytes or characters: pairs of tokens with their ranks, and merging by them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform::detail {

/// The id of `unk_token`, or `StringTable::absent` where it is empty. @throws FormatError when it is not in the vocabulary.
inline TokenId find_unknown(Vocabulary const& vocabulary, std::string const& unk_token, std::string const& name) {
  if (unk_token.empty()) return StringTable::absent;
  auto const unknown = vocabulary.find(unk_token);
  if (!unknown) throw_format_error({name, ": the unknown token ", in_quotes(unk_token), " is not in the vocabulary"});
  return *unknown;
}

/// Pairs of tokens that become one, by rank.
using BpeMerges = std::vector<std::pair<std::string, std::string>>;

/// Ranks of pairs of tokens, and what they merge into. As in `StringTable`, four bytes a slot lead to entries in order of rank: most pairs
/// have no merge, and are turned down by a slot alone.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = none;
    TokenId id = 0;
  };
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  explicit MergeTable(std::size_t expected) : index_(std::bit_ceil(2 * expected + 16)) { entries_.reserve(expected); }

  /// A pair that is there already takes the later rank, as Hugging Face has it. No more than were expected.
  void insert(TokenId left, TokenId right, Merge merge) {
    Place const place = find_place(left, right);
    if (place.entry != no_entry) {
      entries_[place.entry].merge = merge;
      return;
    }
    index_[place.slot] = place.tag | static_cast<std::uint32_t>(entries_.size() + 1);
    entries_.push_back({left, right, merge});
  }

  Merge find(TokenId left, TokenId right) const noexcept {
    Place const place = find_place(left, right);
    return place.entry == no_entry ? Merge{} : entries_[place.entry].merge;
  }

 private:
  struct Entry {
    TokenId left;
    TokenId right;
    Merge merge;
  };
  struct Place {
    std::size_t slot;
    std::size_t entry;
    std::uint32_t tag;
  };
  static constexpr std::size_t no_entry = std::numeric_limits<std::size_t>::max();

  Place find_place(TokenId left, TokenId right) const noexcept {
    std::uint64_t const pair = std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
    std::uint64_t const mixed = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15u;
    std::size_t const mask = index_.size() - 1;
    std::uint32_t const tag = static_cast<std::uint32_t>(mixed >> 8) & ~static_cast<std::uint32_t>(mask);
    for (std::size_t i = mixed >> 40 & mask;; i = (i + 1) & mask) {
      std::uint32_t const slot = index_[i];
      if (slot == 0) return {i, no_entry, tag};
      if ((slot & ~mask) != tag) continue;
      std::size_t const entry = (slot & mask) - 1;
      if (entries_[entry].left == left && entries_[entry].right == right) return {i, entry, tag};
    }
  }

  std::vector<std::uint32_t> index_;
  std::vector<Entry> entries_;
};

/// Fills `table`, and calls `also(left, right, merge)` for each merge. @throws FormatError when one names what is no token.
template <class Also>
void add_merges(MergeTable& table, Vocabulary const& vocabulary, BpeMerges const& merges, std::string const& name, Also also) {
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    auto const& [left, right] = merges[rank];
    auto const id = [&](std::string const& token) {
      if (auto const found = vocabulary.find(token)) return *found;
      throw_format_error({name, ": merge ", std::to_string(rank), ", ", in_quotes(left), " and ", in_quotes(right), ": the token ",
                          in_quotes(token), " is not in the vocabulary"});
    };
    TokenId const left_id = id(left);
    TokenId const right_id = id(right);
    MergeTable::Merge const merge{static_cast<std::uint32_t>(rank), id(left + right)};
    table.insert(left_id, right_id, merge);
    also(left_id, right_id, merge);
  }
}

/// A stretch of text that is one token so far.
struct BpeSymbol {
  TokenId id;
  std::uint32_t begin;
  std::uint32_t end;
  std::uint32_t next;  // The symbol on the right, or `BpeSymbols::none`.
  std::uint32_t previous;
};

/// A list of symbols, one behind the other in the text, while they are merged. A buffer: what it has allocated it keeps.
class BpeSymbols {
 public:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

  /// Forgets the symbols; the next begins at `begin`.
  void clear(std::uint32_t begin = 0) {
    symbols_.clear();
    end_ = begin;
  }
  /// Adds a symbol of `length` behind the last.
  void add(TokenId id, std::uint32_t length) {
    auto const index = static_cast<std::uint32_t>(symbols_.size());
    if (!symbols_.empty()) symbols_.back().next = index;
    symbols_.push_back({id, end_, end_ + length, none, symbols_.empty() ? none : index - 1});
    end_ += length;
  }
  /// Makes the last symbol longer.
  void widen(std::uint32_t length) { symbols_.back().end = end_ += length; }
  /// Where the last symbol ends.
  std::uint32_t end() const noexcept { return end_; }

  /// Merges the pair of the lowest rank, the leftmost first, until there is none: in n log n steps.
  void merge(MergeTable const& merges) {
    found_.clear();
    auto const find = [&](std::uint32_t left, auto put) {
      if (left == none || symbols_[left].next == none) return;
      BpeSymbol const& right = symbols_[symbols_[left].next];
      if (auto const merge = merges.find(symbols_[left].id, right.id); merge.rank != MergeTable::none)
        put(Candidate{merge.rank, left, right.end - symbols_[left].begin, merge.id});
    };
    auto const push = [&](Candidate const& candidate) {
      found_.push_back(candidate);
      std::push_heap(found_.begin(), found_.end());
    };
    for (std::uint32_t i = 0; i < symbols_.size(); ++i) find(i, [&](Candidate const& candidate) { found_.push_back(candidate); });
    std::make_heap(found_.begin(), found_.end());
    while (!found_.empty()) {
      std::pop_heap(found_.begin(), found_.end());
      Candidate const best = found_.back();
      found_.pop_back();
      BpeSymbol& left = symbols_[best.left];
      if (left.id == removed || left.next == none) continue;
      BpeSymbol& right = symbols_[left.next];
      if (right.end - left.begin != best.size) continue;
      left.id = best.id;
      left.end = right.end;
      left.next = right.next;
      right.id = removed;
      if (left.next != none) symbols_[left.next].previous = best.left;
      find(left.previous, push);
      find(best.left, push);
    }
  }

  /// Calls `visit` for each symbol in order. The first that was added is always the first.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t i = symbols_.empty() ? none : 0; i != none; i = symbols_[i].next) visit(symbols_[i]);
  }

 private:
  static constexpr TokenId removed = -1;

  struct Candidate {
    std::uint32_t rank;
    std::uint32_t left;
    std::uint32_t size;  // Of the pair when it was found: symbols only grow, so a pair that has changed is longer.
    TokenId id;
    bool operator<(Candidate const& other) const noexcept { return rank != other.rank ? rank > other.rank : left > other.left; }
  };

  std::vector<BpeSymbol> symbols_;
  std::vector<Candidate> found_;  // A heap, the best on top.
  std::uint32_t end_ = 0;
};

}  // namespace axiform::detail
