/// @file
/// A trie over bytes with a score for each string: what the Unigram model walks along.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/text/string_table.hpp>

namespace axiform::detail {

/// Strings, their ids and their scores. A double array (Aoe 1989): the child of a node for a byte stands `byte` behind the node's base, and knows its
/// parent. A node has its score beside it, so that a step reads one place of memory.
class UnigramTrie {
 public:
  struct Entry {
    std::string_view text;  // Not empty; no two are equal.
    TokenId id;
    double score;  // A number.
  };
  using Node = std::uint32_t;
  static constexpr Node root = 0;
  static constexpr Node none = std::numeric_limits<Node>::max();

  UnigramTrie() = default;
  explicit UnigramTrie(std::vector<Entry> entries) { build(std::move(entries)); }

  /// The node behind `node` for `byte`, or `none`.
  Node child(Node node, char byte) const noexcept {
    Node const next = units_[node].base + static_cast<unsigned char>(byte);
    return units_[next].parent == node ? next : none;
  }
  /// The score of the string that ends at `node`; no number where none does.
  double score(Node node) const noexcept { return units_[node].score; }
  /// The id of the string that ends at `node`, or `StringTable::absent`.
  TokenId id(Node node) const noexcept { return ids_[node]; }

  /// The node at the end of `text`, or `none`.
  Node walk(std::string_view text) const noexcept {
    Node node = root;
    for (char const byte : text)
      if (node = child(node, byte); node == none) break;
    return node;
  }
  /// The id of `text`, or `StringTable::absent`.
  TokenId find(std::string_view text) const noexcept {
    Node const node = walk(text);
    return node == none ? StringTable::absent : ids_[node];
  }

 private:
  struct Unit {
    std::uint32_t base = 0;
    Node parent = none;  // Also where there is no node.
    double score = std::numeric_limits<double>::quiet_NaN();
  };
  /// The entries [first, last), which share `depth` bytes, are below `node`.
  struct Range {
    std::size_t first, last, depth;
    Node node;
  };

  void build(std::vector<Entry> entries) {
    sort(entries);
    grow(1);
    FreePlaces free;
    free.grow(1);
    free.take(root);
    std::vector<Range> open{{0, entries.size(), 0, root}};
    std::vector<Range> children;
    while (!open.empty()) {
      auto [first, last, depth, node] = open.back();
      open.pop_back();
      if (first != last && entries[first].text.size() == depth) {
        units_[node].score = entries[first].score;
        ids_[node] = entries[first].id;
        ++first;
      }
      if (first == last) continue;
      children.clear();
      for (std::size_t i = first; i < last;) {
        char const byte = entries[i].text[depth];
        std::size_t const begin = i;
        while (i < last && entries[i].text[depth] == byte) ++i;
        children.push_back({begin, i, depth + 1, static_cast<unsigned char>(byte)});  // Its byte until it has a place.
      }
      std::uint32_t const base = find_base(children, free);
      grow(base + 256);
      free.grow(units_.size());
      units_[node].base = base;
      for (Range& child : children) {
        child.node += base;
        units_[child.node].parent = node;
        free.take(child.node);
      }
      open.insert(open.end(), children.rbegin(), children.rend());
    }
    units_.resize(last_ + 257);  // A step from any node stays inside, be there a child or not: bases are at most `last_`.
    units_.shrink_to_fit();
    ids_.resize(units_.size(), StringTable::absent);
    ids_.shrink_to_fit();
  }

  // By their first eight bytes, then by all: comparing numbers is most of the work.
  static void sort(std::vector<Entry>& entries) {
    std::vector<std::pair<std::uint64_t, Entry>> keyed;
    keyed.reserve(entries.size());
    for (Entry const& entry : entries) {
      std::uint64_t key = 0;
      for (std::size_t i = 0; i < 8; ++i) key = key << 8 | (i < entry.text.size() ? static_cast<unsigned char>(entry.text[i]) : 0u);
      keyed.emplace_back(key, entry);
    }
    std::sort(keyed.begin(), keyed.end(),
              [](auto const& a, auto const& b) { return a.first != b.first ? a.first < b.first : a.second.text < b.second.text; });
    for (std::size_t i = 0; i < entries.size(); ++i) entries[i] = keyed[i].second;
  }

  /// The places without a node, in order: a list, so that looking for one does not go through all that are taken.
  class FreePlaces {
   public:
    bool has(std::size_t place) const noexcept { return place >= next_.size() || is_free_[place]; }
    std::size_t first() const noexcept { return first_; }
    std::size_t next(std::size_t place) const noexcept { return next_[place]; }
    std::size_t size() const noexcept { return next_.size(); }

    void grow(std::size_t size) {
      for (std::size_t place = next_.size(); place < size; ++place) {
        next_.push_back(static_cast<std::uint32_t>(size));  // Behind the last: whoever comes there is at the end.
        previous_.push_back(last_);
        is_free_.push_back(true);
        if (last_ == none)
          first_ = place;
        else
          next_[last_] = static_cast<std::uint32_t>(place);
        last_ = static_cast<std::uint32_t>(place);
      }
    }
    void take(std::size_t place) {
      std::uint32_t const before = previous_[place], after = next_[place];
      before == none ? void(first_ = after) : void(next_[before] = after);
      after >= next_.size() ? void(last_ = before) : void(previous_[after] = before);
      is_free_[place] = false;
    }

   private:
    std::vector<std::uint32_t> next_;
    std::vector<std::uint32_t> previous_;
    std::vector<bool> is_free_;
    std::size_t first_ = 0;
    std::uint32_t last_ = none;
  };

  void grow(std::size_t size) {
    if (size <= units_.size()) return;
    units_.resize(std::max(size, 2 * units_.size()));
    ids_.resize(units_.size(), StringTable::absent);
  }

  // A base from which all children fall on free places. The first that fits, but a search that takes long ends behind all nodes.
  std::uint32_t find_base(std::vector<Range> const& children, FreePlaces const& free) {
    std::size_t const least = children.front().node;
    auto const fits = [&](std::size_t base) {
      return std::all_of(children.begin(), children.end(), [&](Range const& child) { return free.has(base + child.node); });
    };
    std::size_t base = last_ + 1;
    int tries = 64;
    for (std::size_t place = free.first(); place < free.size() && tries > 0; place = free.next(place), --tries)
      if (place >= least && place - least <= last_ && fits(place - least)) {
        base = place - least;
        break;
      }
    last_ = std::max(last_, base + children.back().node);
    return static_cast<std::uint32_t>(base);
  }

  std::vector<Unit> units_;
  std::vector<TokenId> ids_;  // By node.
  std::size_t last_ = 0;  // The last node.
};

}  // namespace axiform::detail
