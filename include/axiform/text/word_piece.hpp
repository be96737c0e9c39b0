/// @file
/// WordPiece with BERT's normaliser and pre-tokeniser (Devlin et al. 2019; Hugging Face's `BertTokenizer`).
///
/// Text is split at whitespace and round punctuation; each word becomes the longest tokens that it begins with, one after another.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_tokens.hpp>
#include <axiform/text/bert_normalizer.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform {

/// The settings of a WordPiece model, under Hugging Face's names.
struct WordPieceOptions {
  BertNormalizerOptions normalizer = {};         ///< What is done to the text first.
  std::string unk_token = "[UNK]";               ///< What a word becomes when a part of it is in no token.
  std::string continuing_subword_prefix = "##";  ///< Marks the tokens that continue a word.
  std::size_t max_input_chars_per_word = 100;    ///< A longer word is `unk_token`.
};

namespace detail {

/// The model. Immutable; buffers are the caller's.
class WordPiece {
 public:
  /// Buffers of one thread.
  struct Scratch {
    explicit Scratch(WordPiece const& model) : normalizer(model.options_.normalizer) {}
    BertNormalizer normalizer;
    std::string word;                         // The bytes of a word, and some more that may be read.
    std::vector<std::uint32_t> index;         // For each byte of it, the code point that it belongs to.
    std::vector<NormalizedCodePoint> points;  // Of a word that was found step by step.
  };

  /// `unknown` is the id of `unk_token`.
  WordPiece(Vocabulary const& vocabulary, WordPieceOptions options, TokenId unknown)
      : options_(std::move(options)), unknown_(unknown), words_(vocabulary.table()) {
    std::string_view const prefix = options_.continuing_subword_prefix;
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
      std::string_view const token = vocabulary.tokens()[id];
      if (token.size() > prefix.size() && token.starts_with(prefix))
        continuations_.insert(token.substr(prefix.size()), static_cast<TokenId>(id));
    }
    classify_ascii();
  }

  WordPieceOptions const& options() const noexcept { return options_; }
  TokenId unknown() const noexcept { return unknown_; }

  /// Appends the tokens of `text`, which is valid UTF-8 and lies at byte `base` of the original. `added` are the tokens to find in the
  /// normalised text.
  void encode(std::string_view text, std::size_t base, AddedTokenMatcher const& added, Scratch& scratch, TokenSink& sink) const {
    if (!added.empty()) {
      encode_with_added(text, base, added, scratch, sink);
      return;
    }
    char const* const first = text.data();
    char const* const end = first + text.size();
    auto const kind = [this](char const* p) { return kinds_[static_cast<unsigned char>(*p)]; };
    for (char const* p = first; p != end;) {
      std::size_t const place = base + static_cast<std::size_t>(p - first);
      switch (kind(p)) {
        case Kind::space:
          ++p;
          break;
        case Kind::punctuation:
          sink.add(punctuation_[static_cast<unsigned char>(*p)], place, place + 1), ++p;
          break;
        case Kind::word: {
          char const* q = p + 1;
          while (q != end && kind(q) == Kind::word) ++q;
          if (q == end || kind(q) != Kind::other) {
            add_ascii_word(p, static_cast<std::size_t>(q - p), static_cast<std::size_t>(end - p), place, scratch, sink);
            p = q;
            break;
          }
          [[fallthrough]];
        }
        case Kind::other: {  // Up to the next ASCII space, no normalisation reaches across which.
          char const* q = p;
          while (q != end && kind(q) != Kind::space) ++q;
          std::string_view const part(p, static_cast<std::size_t>(q - p));
          auto const& points = scratch.normalizer.normalize(part, static_cast<std::uint32_t>(place));
          add_words(points.data(), points.data() + points.size(), scratch, sink);
          p = q;
        }
      }
    }
  }

  /// Appends the tokens of one word, the bytes [begin, end) of `text`.
  void encode_word(AlignedText const& text, std::size_t begin, std::size_t end, Scratch& scratch, TokenSink& sink) const {
    scratch.points.clear();
    while (begin < end) {
      auto const [c, length] = decode_valid_utf8(text.text.data() + begin);
      Offset const place = text.place(begin, begin + length);
      scratch.points.push_back({c, place.begin, place.end});
      begin += length;
    }
    add_word(scratch.points.data(), scratch.points.data() + scratch.points.size(), scratch, sink);
  }

 private:
  enum class Kind : std::uint8_t { other, space, punctuation, word };

  /// What normalisation makes of ASCII is a matter of the byte alone; `other` is what the fast path leaves to the normaliser.
  void classify_ascii() {
    for (unsigned c = 0; c < 128; ++c) {
      auto const properties = properties_of(c);
      if (options_.normalizer.clean_text && properties.is_dropped()) continue;
      kinds_[c] = properties.is_whitespace() ? Kind::space : properties.is_punctuation() ? Kind::punctuation : Kind::word;
      if (kinds_[c] != Kind::punctuation) continue;
      char const byte = static_cast<char>(c);
      TokenId const id = words_.find({&byte, 1});
      punctuation_[c] = id == StringTable::absent || options_.max_input_chars_per_word == 0 ? unknown_ : id;
    }
  }

  /// Lower case of eight ASCII bytes at once.
  static std::uint64_t lower_eight(std::uint64_t bytes) noexcept {
    constexpr std::uint64_t each = 0x0101010101010101u;
    std::uint64_t const from_a = bytes + (0x80 - 'A') * each;
    std::uint64_t const above_z = bytes + (0x7F - 'Z') * each;
    return bytes | ((from_a ^ above_z) & 0x80 * each) >> 2;
  }

  /// A word of `length` ASCII letters and digits; `readable` bytes may be read from `p`.
  void add_ascii_word(char const* p, std::size_t length, std::size_t readable, std::size_t place, Scratch& scratch, TokenSink& sink) const {
    bool const lowers = options_.normalizer.lowercase;
    if (length > options_.max_input_chars_per_word) {
      sink.add(unknown_, place, place + length);
      return;
    }
    if (length <= 15 && readable >= 16) {  // The common case: the word is compared where it stands.
      StringKey key = padded_key(p, length);
      if (lowers) key.low = lower_eight(key.low), key.high = lower_eight(key.high);
      if (TokenId const id = words_.find(key, {p, length}); id != StringTable::absent) {
        sink.add(id, place, place + length);
        return;
      }
    }
    if (scratch.word.size() < length + 16) scratch.word.resize(2 * length + 32);
    char* const word = scratch.word.data();
    for (std::size_t i = 0; i < length; ++i) {
      char const c = p[i];
      word[i] = lowers && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    add_pieces(word, length, sink, [place](std::size_t begin, std::size_t end) { return std::pair(place + begin, place + end); });
  }

  /// Greedy longest match. `original(begin, end)` gives the place of bytes of the word in the text; sixteen bytes beyond it may be read.
  template <class Original>
  void add_pieces(char const* word, std::size_t length, TokenSink& sink, Original original) const {
    std::size_t const before = sink.ids.size();
    for (std::size_t done = 0; done < length;) {
      auto const [id, piece] = (done == 0 ? words_ : continuations_).find_longest(word + done, length - done);
      if (id == StringTable::absent) {
        sink.ids.resize(before);
        sink.places.resize(before);
        auto const [begin, end] = original(0, length);
        sink.add(unknown_, begin, end);
        return;
      }
      auto const [begin, end] = original(done, done + piece);
      sink.add(id, begin, end);
      done += piece;
    }
  }

  /// Splits normalised text into words.
  void add_words(NormalizedCodePoint const* first, NormalizedCodePoint const* last, Scratch& scratch, TokenSink& sink) const {
    auto const* word = first;
    for (auto const* point = first; point != last; ++point) {
      auto const properties = properties_of(point->value);
      bool const is_space = properties.is_whitespace();
      if (!is_space && !properties.is_punctuation()) continue;
      add_word(word, point, scratch, sink);
      if (!is_space) add_word(point, point + 1, scratch, sink);
      word = point + 1;
    }
    add_word(word, last, scratch, sink);
  }

  void add_word(NormalizedCodePoint const* first, NormalizedCodePoint const* last, Scratch& scratch, TokenSink& sink) const {
    if (first == last) return;
    if (static_cast<std::size_t>(last - first) > options_.max_input_chars_per_word) {
      sink.add(unknown_, first->begin, last[-1].end);
      return;
    }
    write_utf8(first, last, scratch);
    std::size_t const length = scratch.word.size();
    scratch.word.append(16, '\0');
    add_pieces(scratch.word.data(), length, sink, [&](std::size_t begin, std::size_t end) {
      return std::pair(first[scratch.index[begin]].begin, first[scratch.index[end - 1]].end);
    });
  }

  static void write_utf8(NormalizedCodePoint const* first, NormalizedCodePoint const* last, Scratch& scratch) {
    scratch.word.clear();
    scratch.index.clear();
    for (auto const* point = first; point != last; ++point) {
      append_utf8(scratch.word, point->value);
      scratch.index.resize(scratch.word.size(), static_cast<std::uint32_t>(point - first));
    }
  }

  void encode_with_added(std::string_view text, std::size_t base, AddedTokenMatcher const& added, Scratch& scratch, TokenSink& sink) const {
    auto const points = scratch.normalizer.normalize(text, static_cast<std::uint32_t>(base));
    write_utf8(points.data(), points.data() + points.size(), scratch);
    auto const normalized = scratch.word;
    auto const index = scratch.index;
    added.split(
        normalized,
        [&](std::size_t begin, std::size_t end) {
          add_words(points.data() + index[begin], points.data() + index[end - 1] + 1, scratch, sink);
        },
        [&](AddedTokenMatcher::Match const& match) {
          if (match.begin == match.end) return;
          if (match.is_widened) sink.spellings.push_back({sink.ids.size(), normalized.substr(match.begin, match.end - match.begin)});
          sink.add(match.id, points[index[match.begin]].begin, points[index[match.end - 1]].end);
        });
  }

  WordPieceOptions options_;
  TokenId unknown_ = 0;
  StringTable words_;
  StringTable continuations_;
  std::array<Kind, 256> kinds_{};
  std::array<TokenId, 128> punctuation_{};
};

}  // namespace detail

}  // namespace axiform
