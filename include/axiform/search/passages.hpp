/// @file
/// A file's text in passages, each of which a model can read whole.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/tasks/text_chunks.hpp>
#include <axiform/text/tokenizer.hpp>

#if AXIFORM_DEFINES(search)
#include <algorithm>
#include <optional>

#include <axiform/text/blank.hpp>
#endif

namespace axiform {

/// Where a text may be cut.
enum class PassageSplit {
  paragraphs,  ///< At blank lines: paragraphs that are short together stay together, and one that begins with `# ` begins a passage (Markdown).
  lines        ///< Each line is a passage; blank ones are none.
};

/// How a text is cut into passages.
struct PassageOptions {
  PassageSplit split = PassageSplit::paragraphs;  ///< Where. What is longer than a passage is cut between tokens, with an overlap.
  ChunkOptions chunks{};  ///< How long a passage is at most, in tokens, and how far the parts of what is longer overlap.
};

/// A part of a text.
struct TextPassage {
  std::size_t begin = 0;  ///< Its first byte.
  std::size_t end = 0;    ///< Behind its last.
  std::size_t line = 0;   ///< That it begins in, from 1.

  bool operator==(TextPassage const&) const = default;  ///< The same place.
};

/// The passages of a text, first to last; they overlap where a paragraph, or a line, is longer than one. Blank lines are in none but between the
/// paragraphs of one, nor are a byte order mark and the ends of lines at the end.
///
/// @param prompt  What the model is given before each passage: it counts.
/// @param longest Tokens that the model takes at most; a passage's length unless the options say less.
/// @throws As `ChunkedText`.
std::vector<TextPassage> cut_passages(std::string_view text, Tokenizer const& tokenizer, std::string_view prompt, std::size_t longest,
                                      PassageOptions const& options);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

/// Whether a paragraph begins with a heading of Markdown: one to six number signs and a space.
inline bool begins_with_heading(std::string_view text) {
  auto const signs = text.find_first_not_of('#');
  return signs != text.npos && signs >= 1 && signs <= 6 && text[signs] == ' ';
}

/// Paragraphs, or lines, of a text.
inline std::vector<TextPassage> cut_lines(std::string_view text, PassageSplit split) {
  std::vector<TextPassage> result;
  bool goes_on = false;
  std::size_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (std::size_t number = 1; begin < text.size(); ++number) {
    std::size_t const next = std::min(text.find('\n', begin), text.size());
    std::size_t const end = next > begin && text[next - 1] == '\r' ? next - 1 : next;
    bool const has_text = !is_blank(text.substr(begin, end - begin));
    if (has_text && goes_on)
      result.back().end = end;
    else if (has_text)
      result.push_back({begin, end, number});
    goes_on = has_text && split == PassageSplit::paragraphs;
    begin = next + 1;
  }
  return result;
}

/// The parts of what is too long. Tokens may end within words, and passages should not: what two parts have in common is given to one of them where
/// it is a part of a word.
inline std::vector<TextPassage> parts_of(std::string_view text, TextPassage const& whole, std::vector<TextChunk> const& chunks) {
  constexpr std::string_view space = " \t\r\n";
  std::vector<TextPassage> parts;
  for (TextChunk const& chunk : chunks) parts.push_back({whole.begin + chunk.bytes.begin, whole.begin + chunk.bytes.end, whole.line});
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::size_t &begin = parts[i].begin, &end = parts[i - 1].end;
    std::string_view const common = text.substr(0, end).substr(std::min(begin, end));
    auto const first = common.find_first_of(space), last = common.find_last_of(space);
    if (first == common.npos) continue;
    bool const begins_word = begin == 0 || space.find(text[begin - 1]) != space.npos,
               ends_word = end < text.size() && space.find(text[end]) != space.npos;
    if (!ends_word) end = begin + last;
    if (!begins_word) begin += first + 1;
  }
  // Where three have the same spaces in common, nothing is left for the one in the middle.
  std::erase_if(parts, [](TextPassage const& part) { return part.begin >= part.end; });
  for (std::size_t i = 1; i < parts.size(); ++i) {
    std::string_view const between = text.substr(parts[i - 1].begin, parts[i].begin - parts[i - 1].begin);
    parts[i].line = parts[i - 1].line + static_cast<std::size_t>(std::ranges::count(between, '\n'));
  }
  return parts;
}

/// Puts paragraphs together while they are short.
class PassageJoiner {
 public:
  PassageJoiner(std::string_view text, std::size_t room) : text_(text), room_(room) {}

  /// A paragraph of so many tokens.
  void add(TextPassage const& paragraph, std::size_t tokens) {
    // What stands between two paragraphs may be tokens: as many as it has bytes at most, and one for an empty line.
    std::size_t const gap = open_ ? std::max<std::size_t>(paragraph.begin - passages_.back().end, 2) - 1 : 0;
    bool const fits =
        open_ && tokens_ + gap + tokens <= room_ && !begins_with_heading(text_.substr(paragraph.begin, paragraph.end - paragraph.begin));
    if (fits) {
      passages_.back().end = paragraph.end;
      tokens_ += gap + tokens;
    } else {
      passages_.push_back(paragraph);
      tokens_ = tokens;
    }
    open_ = true;
  }
  /// A passage that nothing is joined to.
  void add_whole(TextPassage const& passage) {
    passages_.push_back(passage);
    open_ = false;
  }
  std::vector<TextPassage> take() && { return std::move(passages_); }

 private:
  std::string_view text_;
  std::size_t room_, tokens_ = 0;
  bool open_ = false;
  std::vector<TextPassage> passages_;
};

}  // namespace detail

AXIFORM_INLINE std::vector<TextPassage> cut_passages(std::string_view text, Tokenizer const& tokenizer, std::string_view prompt,
                                                     std::size_t longest, PassageOptions const& options) {
  std::optional<detail::PassageJoiner> joiner;
  for (TextPassage const& paragraph : detail::cut_lines(text, options.split)) {
    ChunkedText const chunked(tokenizer, prompt, text.substr(paragraph.begin, paragraph.end - paragraph.begin), options.chunks, longest);
    auto const& chunks = chunked.chunks();
    std::size_t const tokens = chunks.front().tokens.end - chunks.front().tokens.begin;
    if (!joiner) joiner.emplace(text, options.chunks.length.value_or(longest) - (chunked.length(0) - tokens));
    if (chunks.size() == 1 && options.split == PassageSplit::paragraphs) {
      joiner->add(paragraph, tokens);
    } else if (chunks.size() == 1) {
      joiner->add_whole(paragraph);
    } else {
      for (TextPassage const& part : detail::parts_of(text, paragraph, chunks)) joiner->add_whole(part);
    }
  }
  return joiner ? std::move(*joiner).take() : std::vector<TextPassage>();
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
