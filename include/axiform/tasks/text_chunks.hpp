/// @file
/// A long text in overlapping chunks, each of which a model can read as a text of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// A part of a text: three ways to say where it lies.
struct TextChunk {
  Offset tokens;       ///< Among the text's own tokens, special ones and the prompt left out.
  Offset code_points;  ///< Of the text.
  Offset bytes;        ///< Of the text as it was given, invalid ones included.
};

/// Where chunks end.
enum class ChunkEnds {
  anywhere,  ///< Between any two tokens, as late as they can.
  sentences  ///< Behind sentences, or lines, where a chunk has an end of one; and about equally long.
};

/// How a text is cut into chunks.
struct ChunkOptions {
  std::optional<std::size_t> length{};   ///< Tokens a chunk, special ones and the prompt included; the model's maximum when not given.
  std::optional<std::size_t> overlap{};  ///< Tokens that a chunk has in common with the next; an eighth of its own when not given.
};

/// The chunks of one text, and the tokens that a model reads for each: special tokens and the prompt stand round every one of them.
class ChunkedText {
 public:
  /// Cuts `prompt` + `text`; only the text is cut. A text that fits is one chunk, with the very tokens that it has alone; so is an
  /// empty one.
  /// @param longest Tokens that the model takes at most.
  /// @param ends    Where chunks end.
  /// @throws ArgumentError when a chunk would be longer than that, has no room for a token of the text, or no more than the overlap.
  ChunkedText(Tokenizer const& tokenizer, std::string_view prompt, std::string_view text, ChunkOptions const& options, std::size_t longest,
              ChunkEnds ends = ChunkEnds::anywhere);

  /// Where the chunks lie, first to last.
  std::vector<TextChunk> const& chunks() const noexcept { return chunks_; }
  /// The ids that the model reads for chunk `index`.
  std::vector<TokenId> ids(std::size_t index) const { return wrapped(encoding_.ids, index); }
  /// The segment of each of them.
  std::vector<TokenId> type_ids(std::size_t index) const { return wrapped(encoding_.type_ids, index); }
  /// Their number.
  std::size_t length(std::size_t index) const;

 private:
  [[noreturn]] static void refuse(char const* name, std::size_t found, std::string const& expected);

  // The text's own tokens are [begin_, end_): behind the special tokens and the prompt, before the special tokens at the end.
  void find_text(std::size_t prompt_bytes);

  // Where a chunk ends that begins with token `first`, has room for `room` tokens, and as many as `least` at least.
  std::size_t end_of_chunk(std::string_view text, std::size_t first, std::size_t room, std::size_t least) const;
  // Whether a sentence or a line of the text ends before a token.
  bool begins_sentence(std::string_view text, std::size_t token) const;

  static Offset offset(std::size_t begin, std::size_t end) { return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}; }

  // The places of tokens [first, last) without the prompt. (A token may begin in the prompt and end in the text.)
  static Offset place(std::vector<Offset> const& offsets, std::size_t first, std::size_t last, std::size_t prompt);

  std::vector<TokenId> wrapped(std::vector<TokenId> const& all, std::size_t index) const;

  Encoding encoding_;
  std::size_t begin_ = 0, end_ = 0;
  std::vector<TextChunk> chunks_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE ChunkedText::ChunkedText(Tokenizer const& tokenizer, std::string_view prompt, std::string_view text,
                                        ChunkOptions const& options, std::size_t longest, ChunkEnds ends) {
  std::string const whole = std::string(prompt) += text;
  encoding_ = tokenizer.encode(whole);
  std::size_t const length = options.length.value_or(longest);
  if (length > longest) refuse("length", length, "at most the model's maximum, " + std::to_string(longest));
  find_text(prompt.size());
  std::size_t const around = begin_ + (encoding_.size() - end_);
  if (length <= around) refuse("length", length, "more than the " + std::to_string(around) + " special tokens and tokens of the prompt");
  std::size_t const room = length - around;
  std::size_t const overlap = options.overlap.value_or(room / 8);
  if (overlap >= room) refuse("overlap", overlap, "less than the " + std::to_string(room) + " tokens of the text that a chunk has");
  std::string const valid = replace_invalid_utf8(prompt);
  auto const prompt_code_points = std::ranges::count_if(valid, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; });
  for (std::size_t first = begin_, last = first;; first = last - overlap) {
    last = ends == ChunkEnds::anywhere ? std::min(first + room, end_) : end_of_chunk(whole, first, room, overlap + 1);
    chunks_.push_back({.tokens = offset(first - begin_, last - begin_),
                       .code_points = place(encoding_.offsets, first, last, static_cast<std::size_t>(prompt_code_points)),
                       .bytes = place(encoding_.byte_offsets, first, last, prompt.size())});
    if (last == end_) break;
  }
}

AXIFORM_INLINE std::size_t ChunkedText::length(std::size_t index) const {
  auto const [first, last] = chunks_.at(index).tokens;
  return encoding_.size() - (end_ - begin_) + (last - first);
}

AXIFORM_INLINE void ChunkedText::refuse(char const* name, std::size_t found, std::string const& expected) {
  throw ArgumentError(std::string("chunk ") + name + ": found " + std::to_string(found) + ", expected " + expected);
}

AXIFORM_INLINE void ChunkedText::find_text(std::size_t prompt_bytes) {
  auto const& is_special = encoding_.special_tokens_mask;
  while (begin_ < encoding_.size() && is_special[begin_] != 0) ++begin_;
  if (begin_ == encoding_.size()) {  // no token but special ones
    end_ = begin_;
    return;
  }
  end_ = encoding_.size();
  while (is_special[end_ - 1] != 0) --end_;
  while (begin_ < end_ && encoding_.byte_offsets[begin_].end <= prompt_bytes) ++begin_;
}

AXIFORM_INLINE std::size_t ChunkedText::end_of_chunk(std::string_view text, std::size_t first, std::size_t room, std::size_t least) const {
  std::size_t const left = end_ - first;
  if (left <= room) return end_;
  std::size_t const chunks = (left + room - 1) / room;
  std::size_t const even = std::max((left + chunks - 1) / chunks, least);
  for (std::size_t size = even; size <= room; ++size)
    if (begins_sentence(text, first + size)) return first + size;
  for (std::size_t size = even; size-- > least;)
    if (begins_sentence(text, first + size)) return first + size;
  return first + even;
}

AXIFORM_INLINE bool ChunkedText::begins_sentence(std::string_view text, std::size_t token) const {
  // Some tokenizers count the space before a word to its token, and some do not.
  constexpr std::string_view space = " \t\r\n", closing = "\"')]}";
  std::size_t const begin = encoding_.byte_offsets[token].begin;
  std::size_t const next = std::min(text.find_first_not_of(space, begin), text.size());
  std::string_view before = text.substr(0, begin);
  before = before.substr(0, before.find_last_not_of(space) + 1);
  std::string_view const between = text.substr(before.size(), next - before.size());
  if (between.find('\n') != between.npos) return true;
  for (std::string_view const end : {"。", "！", "？"})
    if (before.ends_with(end)) return true;
  for (std::string_view const quote : {"”", "’", "»"})
    if (before.ends_with(quote)) before.remove_suffix(quote.size());
  before = before.substr(0, before.find_last_not_of(closing) + 1);
  return !between.empty() && (before.ends_with('.') || before.ends_with('!') || before.ends_with('?') || before.ends_with("…"));
}

AXIFORM_INLINE Offset ChunkedText::place(std::vector<Offset> const& offsets, std::size_t first, std::size_t last, std::size_t prompt) {
  if (first == last) return {};
  auto const behind_prompt = [&](std::size_t place) { return place - std::min(place, prompt); };
  return offset(behind_prompt(offsets[first].begin), behind_prompt(offsets[last - 1].end));
}

AXIFORM_INLINE std::vector<TokenId> ChunkedText::wrapped(std::vector<TokenId> const& all, std::size_t index) const {
  auto const [first, last] = chunks_.at(index).tokens;
  std::vector<TokenId> result;
  auto const append = [&](std::size_t begin, std::size_t end) {
    result.insert(result.end(), all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end));
  };
  append(0, begin_);
  append(begin_ + first, begin_ + last);
  append(end_, all.size());
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform
