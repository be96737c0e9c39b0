/// @file
/// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): GPT-2's and RoBERTa's model.
///
/// Each piece of text begins as its bytes; the pair of neighbours with the lowest rank is merged, the leftmost first, until none has one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/byte_level_split.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform {

/// The settings of a byte-level BPE model, under Hugging Face's names.
struct ByteBpeOptions {
  bool add_prefix_space = false;  ///< Puts a space before text that does not begin with one.
  bool use_regex = true;          ///< Splits text into words first.
  bool ignore_merges = false;     ///< A word that is a token is that token, whatever the merges say.
  bool fuse_unk = false;          ///< Neighbouring bytes that are in no token are one `unk_token`.
  std::string unk_token = {};     ///< For bytes that are in no token; none when empty, and such bytes are left out.
};

namespace detail {

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

/// The model. Immutable but for notes of which words are tokens, which change no result; buffers are the caller's.
class ByteBpe {
 public:
  using Merges = std::vector<std::pair<std::string, std::string>>;

  /// A run of bytes that is one token so far.
  struct Symbol {
    TokenId id;
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t next;  // The symbol on the right, or `no_symbol`.
    std::uint32_t previous;
  };

  /// Buffers of one thread.
  struct Scratch {
    explicit Scratch(ByteBpe const&) {}
    std::string spaced;  // The text with a space before it.
    std::vector<Symbol> symbols;
    std::vector<std::uint32_t> places;  // For each byte of a piece as tokens write it, its byte of the text.
  };

  /// @throws FormatError when a merge names what is no token, or `unk_token` is none.
  ByteBpe(Vocabulary const& vocabulary, Merges const& merges, ByteBpeOptions options, std::string const& name)
      : options_(std::move(options)),
        merges_(merges.size()),
        words_(vocabulary.size()),
        is_word_(std::make_unique<std::atomic<std::uint8_t>[]>(vocabulary.size())) {
    if (!options_.unk_token.empty()) {
      auto const unknown = vocabulary.find(options_.unk_token);
      if (!unknown) throw FormatError(name + ": the unknown token " + in_quotes(options_.unk_token) + " is not in the vocabulary");
      unknown_ = *unknown;
    }
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
      std::string const& token = vocabulary.tokens()[id];
      if (!token.empty() && is_byte_level(token)) words_.insert(bytes_of_token(token), static_cast<TokenId>(id));
    }
    for (unsigned b = 0; b < 256; ++b) {
      char const byte = static_cast<char>(b);
      byte_ids_[b] = words_.find({&byte, 1});
      lacks_bytes_ |= byte_ids_[b] == StringTable::absent;
    }
    std::vector<std::int16_t> byte_of(vocabulary.size(), -1);
    for (unsigned b = 0; b < 256; ++b)
      if (byte_ids_[b] != StringTable::absent) byte_of[static_cast<std::size_t>(byte_ids_[b])] = static_cast<std::int16_t>(b);
    byte_pairs_.resize(std::size_t{1} << 16);
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      auto const& [left, right] = merges[rank];
      auto const id = [&](std::string const& token) {
        if (auto const found = vocabulary.find(token)) return *found;
        throw FormatError(name + ": merge " + std::to_string(rank) + ", " + in_quotes(left) + " and " + in_quotes(right) + ": the token " +
                          in_quotes(token) + " is not in the vocabulary");
      };
      TokenId const left_id = id(left);
      TokenId const right_id = id(right);
      MergeTable::Merge const merge{static_cast<std::uint32_t>(rank), id(left + right)};
      merges_.insert(left_id, right_id, merge);
      auto const left_byte = byte_of[static_cast<std::size_t>(left_id)];
      auto const right_byte = byte_of[static_cast<std::size_t>(right_id)];
      if (left_byte >= 0 && right_byte >= 0) byte_pairs_[static_cast<std::size_t>(left_byte << 8 | right_byte)] = merge;
    }
  }

  ByteBpeOptions const& options() const noexcept { return options_; }

  /// Appends the tokens of `text`, which is valid UTF-8, not empty, and lies at byte `base` of the original.
  void encode(std::string_view text, std::size_t base, Scratch& scratch, TokenSink& sink) const {
    bool const is_spaced = options_.add_prefix_space && text.front() != ' ';
    if (is_spaced) {
      scratch.spaced.assign(1, ' ').append(text);
      text = scratch.spaced;
    }
    std::size_t const before = sink.ids.size();
    char const* const first = text.data();
    char const* const end = first + text.size();
    for (char const* p = first; p != end;) {
      char const* const q = options_.use_regex ? end_of_piece(p, end) : end;
      add_piece(text, static_cast<std::size_t>(p - first), static_cast<std::size_t>(q - p), scratch, sink);
      p = q;
    }
    // A token that holds part of a character reports all of it. The space that was put in front shares the first character's place.
    auto const is_inside = [text](std::size_t i) { return i < text.size() && (text[i] & '\xC0') == '\x80'; };
    for (std::size_t i = before; i < sink.places.size(); ++i) {
      std::size_t begin = sink.places[i].begin;
      std::size_t last = sink.places[i].end;
      if (is_spaced && last == 1) last = 2;
      while (is_inside(begin)) --begin;
      while (is_inside(last)) ++last;
      if (is_spaced) begin -= begin != 0, --last;
      sink.places[i] = {static_cast<std::uint32_t>(base + begin), static_cast<std::uint32_t>(base + last)};
    }
  }

  /// Appends the tokens of one word, the bytes [begin, end) of `text`.
  void encode_word(AlignedText const& text, std::size_t begin, std::size_t end, Scratch& scratch, TokenSink& sink) const {
    std::size_t const before = sink.ids.size();
    add_piece(text.text, begin, end - begin, scratch, sink);
    for (std::size_t i = before; i < sink.places.size(); ++i) sink.places[i] = text.place(sink.places[i].begin, sink.places[i].end);
  }

 private:
  static constexpr std::uint32_t no_symbol = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t short_piece = 32;  // Bytes up to which looking at every pair beats keeping a heap of them.
  enum : std::uint8_t { unseen, merges_to_itself, merges_otherwise };

  void add_piece(std::string_view text, std::size_t begin, std::size_t length, Scratch& scratch, TokenSink& sink) const {
    char const* const p = text.data() + begin;
    StringKey const key = text.size() - begin >= 16 ? padded_key(p, length) : key_of({p, length});
    TokenId const word = words_.find(key, {p, length});
    if (word != StringTable::absent) {
      auto& state = is_word_[static_cast<std::size_t>(word)];
      if (options_.ignore_merges || length == 1 || state.load(std::memory_order_relaxed) == merges_to_itself) {
        sink.add(word, begin, begin + length);
        return;
      }
      std::size_t const before = sink.ids.size();
      merge_piece(text, begin, length, scratch, sink);
      bool const same = sink.ids.size() == before + 1 && sink.ids.back() == word;
      state.store(same ? merges_to_itself : merges_otherwise, std::memory_order_relaxed);
      return;
    }
    merge_piece(text, begin, length, scratch, sink);
  }

  void merge_piece(std::string_view text, std::size_t begin, std::size_t length, Scratch& scratch, TokenSink& sink) const {
    if (lacks_bytes_) {
      merge_lacking(text, begin, length, scratch, sink);
    } else if (length <= short_piece) {
      merge_short(text.data() + begin, length, begin, sink);
    } else {
      scratch.symbols.clear();
      for (std::size_t i = 0; i < length; ++i) add_symbol(scratch.symbols, byte_ids_[static_cast<unsigned char>(text[begin + i])], 1);
      merge_long(scratch.symbols);
      for (std::uint32_t i = 0; i != no_symbol; i = scratch.symbols[i].next)
        sink.add(scratch.symbols[i].id, begin + scratch.symbols[i].begin, begin + scratch.symbols[i].end);
    }
  }

  void merge_short(char const* p, std::size_t length, std::size_t begin, TokenSink& sink) const {
    TokenId ids[short_piece];
    std::uint32_t begins[short_piece + 1];
    MergeTable::Merge pairs[short_piece];  // pairs[i] merges ids[i] and ids[i + 1].
    std::size_t count = length;
    for (std::size_t i = 0; i < count; ++i) {
      ids[i] = byte_ids_[static_cast<unsigned char>(p[i])];
      begins[i] = static_cast<std::uint32_t>(i);
    }
    begins[count] = static_cast<std::uint32_t>(count);
    for (std::size_t i = 0; i + 1 < count; ++i)
      pairs[i] = byte_pairs_[static_cast<std::size_t>(static_cast<unsigned char>(p[i]) << 8 | static_cast<unsigned char>(p[i + 1]))];
    while (count > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < count; ++i)
        if (pairs[i].rank < pairs[best].rank) best = i;
      if (pairs[best].rank == MergeTable::none) break;
      ids[best] = pairs[best].id;
      for (std::size_t i = best + 1; i + 1 < count; ++i) ids[i] = ids[i + 1], begins[i] = begins[i + 1], pairs[i - 1] = pairs[i];
      begins[count - 1] = begins[count];
      --count;
      if (best > 0) pairs[best - 1] = merges_.find(ids[best - 1], ids[best]);
      if (best + 1 < count) pairs[best] = merges_.find(ids[best], ids[best + 1]);
    }
    for (std::size_t i = 0; i < count; ++i) sink.add(ids[i], begin + begins[i], begin + begins[i + 1]);
  }

  static void add_symbol(std::vector<Symbol>& symbols, TokenId id, std::uint32_t length) {
    auto const index = static_cast<std::uint32_t>(symbols.size());
    std::uint32_t const begin = symbols.empty() ? 0 : symbols.back().end;
    if (!symbols.empty()) symbols.back().next = index;
    symbols.push_back({id, begin, begin + length, no_symbol, symbols.empty() ? no_symbol : index - 1});
  }

  /// Merges a list of symbols of any length in n log n steps. The first symbol stays the first of the list.
  void merge_long(std::vector<Symbol>& symbols) const {
    struct Candidate {
      std::uint32_t rank;
      std::uint32_t left;
      std::uint32_t size;  // Bytes of the pair when it was found: symbols only grow, so a pair that has changed is longer.
      TokenId id;
      bool operator<(Candidate const& other) const noexcept { return rank != other.rank ? rank > other.rank : left > other.left; }
    };
    std::vector<Candidate> found;
    auto const candidate = [&](std::uint32_t left, auto push) {
      if (left == no_symbol || symbols[left].next == no_symbol) return;
      Symbol const& right = symbols[symbols[left].next];
      if (auto const merge = merges_.find(symbols[left].id, right.id); merge.rank != MergeTable::none)
        push(Candidate{merge.rank, left, right.end - symbols[left].begin, merge.id});
    };
    for (std::uint32_t i = 0; i < symbols.size(); ++i) candidate(i, [&](Candidate const& c) { found.push_back(c); });
    std::priority_queue<Candidate> queue({}, std::move(found));
    while (!queue.empty()) {
      Candidate const best = queue.top();
      queue.pop();
      Symbol& left = symbols[best.left];
      if (left.id == removed || left.next == no_symbol) continue;
      Symbol& right = symbols[left.next];
      if (right.end - left.begin != best.size) continue;
      left.id = best.id;
      left.end = right.end;
      left.next = right.next;
      right.id = removed;
      if (left.next != no_symbol) symbols[left.next].previous = best.left;
      candidate(left.previous, [&](Candidate const& c) { queue.push(c); });
      candidate(best.left, [&](Candidate const& c) { queue.push(c); });
    }
  }

  /// A vocabulary without tokens for some bytes. Such a byte is `unk_token` or nothing; then what follows moves up, as in Hugging Face,
  /// where places count the characters by which tokens write bytes.
  void merge_lacking(std::string_view text, std::size_t begin, std::size_t length, Scratch& scratch, TokenSink& sink) const {
    auto& symbols = scratch.symbols;
    auto& places = scratch.places;
    symbols.clear();
    places.clear();
    bool was_unknown = false;
    for (std::size_t i = 0; i < length; ++i) {
      auto const byte = static_cast<unsigned char>(text[begin + i]);
      std::uint32_t const written = byte_characters[byte] < 0x80 ? 1 : 2;
      places.resize(places.size() + written, static_cast<std::uint32_t>(begin + i));
      bool const is_unknown = byte_ids_[byte] == StringTable::absent;
      if (!is_unknown)
        add_symbol(symbols, byte_ids_[byte], written);
      else if (was_unknown && options_.fuse_unk && unknown_ != StringTable::absent)
        symbols.back().end += written;
      else if (unknown_ != StringTable::absent)
        add_symbol(symbols, unknown_, written);
      was_unknown = is_unknown;
    }
    if (symbols.empty()) return;
    merge_long(symbols);
    for (std::uint32_t i = 0; i != no_symbol; i = symbols[i].next)
      sink.add(symbols[i].id, places[symbols[i].begin], places[symbols[i].end - 1] + 1);
  }

  static constexpr TokenId removed = -1;

  ByteBpeOptions options_;
  TokenId unknown_ = StringTable::absent;
  bool lacks_bytes_ = false;
  std::array<TokenId, 256> byte_ids_{};
  MergeTable merges_;
  std::vector<MergeTable::Merge> byte_pairs_;             // The merges of two bytes, where every piece begins.
  StringTable words_;                                     // By the bytes that tokens stand for.
  std::unique_ptr<std::atomic<std::uint8_t>[]> is_word_;  // By id: whether the merges make this token of its own bytes.
};

}  // namespace detail

}  // namespace axiform
