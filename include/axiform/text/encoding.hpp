/// @file
/// `Encoding`: what a tokenizer makes of a text, and the options of making it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/token_id.hpp>

namespace axiform {

/// Where a token lies in its text: [begin, end).
struct Offset {
  std::uint32_t begin = 0;  ///< The first.
  std::uint32_t end = 0;    ///< Behind the last.

  bool operator==(Offset const&) const = default;  ///< The same place.
};

/// The tokens of a text, or of a pair of texts; all vectors have one element a token.
struct Encoding {
  std::vector<TokenId> ids;  ///< In the vocabulary, as the model takes them.
  std::vector<TokenId> type_ids;     ///< The segment: 0, or 1 for the second text of a pair (BERT).
  /// In code points of the original text, as Hugging Face gives them, or in the unit of `EncodeOptions::offset_unit`; {0, 0} for special tokens.
  std::vector<Offset> offsets;
  std::vector<Offset> byte_offsets;  ///< The same places in bytes of the original text, invalid ones included.
  std::vector<std::uint8_t> special_tokens_mask;  ///< 1 for tokens that the tokenizer added, 0 for tokens of the text.

  /// A token that is written otherwise than the vocabulary writes it: an added token together with the spaces that it strips.
  struct Spelling {
    std::size_t index;  ///< Of the token in `ids`.
    std::string text;   ///< How it is written.
  };
  std::vector<Spelling> spellings;  ///< In order of `index`; almost always empty. `Tokenizer::tokens` honours it.

  /// The word of each token, 0 for special ones; empty where `Tokenizer::word_ids` tells words by the tokens themselves.
  std::vector<std::uint32_t> words = {};

  std::size_t size() const noexcept { return ids.size(); }  ///< The number of tokens.
};

/// What is cut when an encoding is longer than `EncodeOptions::max_length`.
enum class Truncation : std::uint8_t {
  longest_first,  ///< The longer text of a pair down to the shorter one's length, then both.
  only_first,     ///< The first text.
  only_second,    ///< The second text of a pair.
};

/// The end that is cut.
enum class TruncationSide : std::uint8_t { right, left };

/// What `Encoding::offsets` count. (`Encoding::byte_offsets` are there in any case.)
enum class OffsetUnit : std::uint8_t {
  code_points,  ///< Characters as Python counts them, and Hugging Face.
  utf16,        ///< Units of UTF-16, as JavaScript, Java, C# and Qt count them: two for a character beyond U+FFFF.
};

/// What stands before a text that is encoded. Tokenizers that put a space before texts put none where one goes on.
enum class TextBefore : std::uint8_t {
  nothing,      ///< The text begins.
  text,         ///< Text that it goes on with.
  added_token,  ///< A token such as `</s>`. Some tokenizers put a space behind it, some do not.
};

/// How to encode. The defaults are Hugging Face's, except that nothing is truncated unless `max_length` says so.
struct EncodeOptions {
  bool add_special_tokens = true;                                    ///< `[CLS]`, `[SEP]` and the like round the text.
  std::size_t max_length = std::numeric_limits<std::size_t>::max();  ///< Tokens at most, special ones included.
  Truncation truncation = Truncation::longest_first;                 ///< Which text of a pair is cut.
  TruncationSide truncation_side = TruncationSide::right;            ///< At which end.
  std::size_t stride = 0;                                            ///< Tokens that two windows share; of `encode_windows` alone.
  /// Parts of the text, as bytes and in order, in which added tokens are not found: in what somebody wrote, `<|im_end|>` is ten characters. For
  /// valid UTF-8, and for one text.
  std::span<Offset const> plain_parts = {};
  TextBefore before = TextBefore::nothing;           ///< What the text goes on with; of one text.
  OffsetUnit offset_unit = OffsetUnit::code_points;  ///< What `Encoding::offsets` count.
};

/// Whether decoding closes the gaps that tokenizing English opens: "it 's ." becomes "it's.".
enum class CleanUp : std::uint8_t {
  as_configured,  ///< As the tokenizer's files say.
  yes,
  no,
};

/// How to decode.
struct DecodeOptions {
  bool skip_special_tokens = false;                               ///< Leaves `[CLS]`, `[SEP]` and the like out.
  CleanUp clean_up_tokenization_spaces = CleanUp::as_configured;  ///< Under Hugging Face's name.
};

namespace detail {

/// A text's tokens while they are found: ids and byte places. Reused from text to text so that nothing is allocated anew.
struct TokenSink {
  std::vector<TokenId> ids;
  std::vector<Offset> places;
  std::vector<Encoding::Spelling> spellings;
  std::vector<std::uint32_t> words;  // Of each token, where words are not to be told by the tokens.
  std::uint32_t next_word = 0;

  void add(TokenId id, std::size_t begin, std::size_t end) {
    ids.push_back(id);
    places.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
  }
  void reserve(std::size_t tokens) {
    ids.reserve(tokens);
    places.reserve(tokens);
  }
  void clear() {
    ids.clear();
    places.clear();
    spellings.clear();
    words.clear();
    next_word = 0;
  }
  /// Makes the tokens since the last call one word.
  void end_word() { words.resize(ids.size(), next_word++); }
};

}  // namespace detail

}  // namespace axiform
