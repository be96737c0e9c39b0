/// @file
/// Byte-pair encoding over characters, with tokens for the bytes of those that are none: the model of Llama 2, Mistral, Phi-3 and Gemma, as
/// Hugging Face's tokenizers write what SentencePiece trained.
///
/// Each piece of text begins as its characters; a character that is no token is the tokens of its bytes, `<0xF0>` and so on, where the vocabulary
/// has them, else the unknown token. Then the pair of neighbours with the lowest rank is merged, the leftmost first, until none has one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/bpe_merges.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/utf8.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform {

/// The settings of a BPE model over characters, under Hugging Face's names.
struct CharacterBpeOptions {
  bool byte_fallback = false;  ///< A character that is no token is the tokens of its bytes, when all of them are there.
  bool ignore_merges = false;  ///< A piece that is a token is that token, whatever the merges say.
  bool fuse_unk = false;       ///< Neighbouring characters that are in no token are one `unk_token`.
  std::string unk_token = {};  ///< For characters that are in no token; none when empty, and such characters are left out.
};

namespace detail {

/// The model. Immutable; buffers are the caller's.
class CharacterBpe {
 public:
  /// Buffers of one thread.
  struct Scratch {
    explicit Scratch(CharacterBpe const&) {}
    BpeSymbols symbols;
  };

  /// @throws FormatError when a merge names what is no token, or `unk_token` is none.
  CharacterBpe(Vocabulary const& vocabulary, BpeMerges const& merges, CharacterBpeOptions options, std::string const& name)
      : options_(std::move(options)), unknown_(find_unknown(vocabulary, options_.unk_token, name)), merges_(merges.size()) {
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
      std::string const& token = vocabulary.tokens()[id];
      bool const is_character = !token.empty() && decode_valid_utf8(token.data()).length == token.size();
      if (is_character || (options_.ignore_merges && !token.empty())) words_.insert(token, static_cast<TokenId>(id));
    }
    for (unsigned b = 0; b < 256; ++b) {
      byte_ids_[b] = vocabulary.find(byte_token(static_cast<unsigned char>(b))).value_or(StringTable::absent);
      char const character = static_cast<char>(b);
      ascii_ids_[b] = b < 128 ? words_.find({&character, 1}) : StringTable::absent;
    }
    splits_at_marks_ = words_.find(space_mark) != StringTable::absent;
    add_merges(merges_, vocabulary, merges, name, [](TokenId, TokenId, MergeTable::Merge) {});
    for (auto const& [left, right] : merges) splits_at_marks_ &= left.ends_with(space_mark) || !right.starts_with(space_mark);
  }

  CharacterBpeOptions const& options() const noexcept { return options_; }

  /// Appends the tokens of one piece, the bytes [begin, end) of `text`.
  void encode_word(AlignedText const& text, std::size_t begin, std::size_t end, Scratch& scratch, TokenSink& sink) const {
    std::string_view const word = text.text.substr(begin, end - begin);
    if (options_.ignore_merges) {
      if (TokenId const id = words_.find(word); id != StringTable::absent) {
        auto const [first, last] = text.place(begin, end);
        sink.add(id, first, last);
        return;
      }
    }
    BpeSymbols& symbols = scratch.symbols;
    symbols.clear();
    auto const merge = [&] {
      symbols.merge(merges_);
      symbols.for_each([&](BpeSymbol const& symbol) {
        auto const [first, last] = text.place(begin + symbol.begin, begin + symbol.end);
        sink.add(symbol.id, first, last);
      });
      symbols.clear(symbols.end());
    };
    // As the crate has it, what is left out does not count in places, and byte tokens overtake an unknown token that is not complete.
    std::uint32_t unknown = 0;  // Bytes of it.
    auto const add_unknown = [&] {
      if (unknown != 0) symbols.add(unknown_, unknown);
      unknown = 0;
    };
    bool was_mark = true;
    for (char const *p = word.data(), *const last = p + word.size(); p != last;) {
      std::uint32_t const length = decode_valid_utf8(p).length;
      std::string_view const character(p, length);
      TokenId const id = length == 1 ? ascii_ids_[static_cast<unsigned char>(*p)] : words_.find(character);
      p += length;
      if (id != StringTable::absent) {
        add_unknown();
        bool const is_mark = character == space_mark;
        if (splits_at_marks_ && is_mark && !was_mark) merge();  // What nothing is merged with begins anew: short lists are merged faster.
        was_mark = is_mark;
        symbols.add(id, length);
        continue;
      }
      if (options_.byte_fallback &&
          std::all_of(character.begin(), character.end(), [&](char byte) { return byte_id(byte) != StringTable::absent; })) {
        for (char const byte : character) symbols.add(byte_id(byte), 1);
        was_mark = false;
      } else if (unknown_ != StringTable::absent) {
        if (!options_.fuse_unk) add_unknown();
        unknown += length;
        was_mark = false;
      }
    }
    add_unknown();
    merge();
  }

 private:
  TokenId byte_id(char byte) const noexcept { return byte_ids_[static_cast<unsigned char>(byte)]; }

  CharacterBpeOptions options_;
  TokenId unknown_;
  std::array<TokenId, 256> byte_ids_{};
  std::array<TokenId, 256> ascii_ids_{};  // Of characters below 0x80.
  StringTable words_;                     // Tokens of one character, and the others where a piece may be one.
  MergeTable merges_;
  bool splits_at_marks_ = false;  // No merge joins anything but a mark to a mark that follows it.
};

}  // namespace detail

}  // namespace axiform
