/// @file
/// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): GPT-2's and RoBERTa's model.
///
/// Each piece of text begins as its bytes; the pair of neighbours with the lowest rank is merged, the leftmost first, until none has one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/bpe_merges.hpp>
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

/// The model. Immutable but for notes of which words are tokens, which change no result; buffers are the caller's.
class ByteBpe {
 public:
  /// Buffers of one thread.
  struct Scratch {
    explicit Scratch(ByteBpe const&) {}
    std::string spaced;  // The text with a space before it.
    BpeSymbols symbols;
    std::vector<std::uint32_t> places;  // For each byte of a piece as tokens write it, its byte of the text.
  };

  /// @throws FormatError when a merge names what is no token, or `unk_token` is none.
  ByteBpe(Vocabulary const& vocabulary, BpeMerges const& merges, ByteBpeOptions options, std::string const& name)
      : options_(std::move(options)),
        merges_(merges.size()),
        words_(vocabulary.size()),
        is_word_(std::make_unique<std::atomic<std::uint8_t>[]>(vocabulary.size())) {
    unknown_ = find_unknown(vocabulary, options_.unk_token, name);
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
    add_merges(merges_, vocabulary, merges, name, [&](TokenId left, TokenId right, MergeTable::Merge merge) {
      auto const left_byte = byte_of[static_cast<std::size_t>(left)];
      auto const right_byte = byte_of[static_cast<std::size_t>(right)];
      if (left_byte >= 0 && right_byte >= 0) byte_pairs_[static_cast<std::size_t>(left_byte << 8 | right_byte)] = merge;
    });
  }

  ByteBpeOptions const& options() const noexcept { return options_; }

  /// Appends the tokens of `text`, which is valid UTF-8, not empty, and lies at byte `base` of the original. No space is put before one that
  /// goes on with another.
  void encode(std::string_view text, std::size_t base, TextBefore before, Scratch& scratch, TokenSink& sink) const {
    bool const is_spaced = options_.add_prefix_space && before != TextBefore::text && text.front() != ' ';
    if (is_spaced) {
      scratch.spaced.assign(1, ' ').append(text);
      text = scratch.spaced;
    }
    std::size_t const first_token = sink.ids.size();
    char const* const first = text.data();
    char const* const end = first + text.size();
    for (char const* p = first; p != end;) {
      char const* const q = options_.use_regex ? end_of_piece(p, end) : end;
      add_piece(text, static_cast<std::size_t>(p - first), static_cast<std::size_t>(q - p), scratch, sink);
      p = q;
    }
    // A token that holds part of a character reports all of it. The space that was put in front shares the first character's place.
    auto const is_inside = [text](std::size_t i) { return i < text.size() && (text[i] & '\xC0') == '\x80'; };
    for (std::size_t i = first_token; i < sink.places.size(); ++i) {
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
      for (std::size_t i = 0; i < length; ++i) scratch.symbols.add(byte_ids_[static_cast<unsigned char>(text[begin + i])], 1);
      scratch.symbols.merge(merges_);
      scratch.symbols.for_each([&](BpeSymbol const& symbol) { sink.add(symbol.id, begin + symbol.begin, begin + symbol.end); });
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
        symbols.add(byte_ids_[byte], written);
      else if (was_unknown && options_.fuse_unk && unknown_ != StringTable::absent)
        symbols.widen(written);
      else if (unknown_ != StringTable::absent)
        symbols.add(unknown_, written);
      was_unknown = is_unknown;
    }
    symbols.merge(merges_);
    symbols.for_each([&](BpeSymbol const& symbol) { sink.add(symbol.id, places[symbol.begin], places[symbol.end - 1] + 1); });
  }

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
