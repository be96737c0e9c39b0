/// @file
/// Added tokens: those that are found in the text itself, before the model splits it. `[MASK]` and `<|endoftext|>` are such tokens.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/function_ref.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// A token that is found in the text itself.
struct AddedToken {
  std::string content = {};  ///< As it stands in the text.
  TokenId id = 0;            ///< In the vocabulary.
  bool single_word = false;  ///< Only where no letter, mark, digit or underscore stands beside it.
  bool lstrip = false;       ///< Takes the whitespace on its left along.
  bool rstrip = false;       ///< Takes the whitespace on its right along.
  bool normalized = false;   ///< Found in the normalised text, by its own normalised form.
  bool special = false;      ///< Left out by `DecodeOptions::skip_special_tokens`.
};

namespace detail {

/// Finds patterns in a text: leftmost first, of several at one place the longest, without overlap.
class AddedTokenMatcher {
 public:
  struct Match {
    std::size_t begin;
    std::size_t end;
    TokenId id;
    bool is_widened;  ///< It took whitespace along.
  };

  struct Entry {
    std::string pattern;  ///< `AddedToken::content`, or its normalised form; not empty.
    TokenId id;
    bool single_word;
    bool lstrip;
    bool rstrip;
  };

  AddedTokenMatcher() = default;

  /// Of entries with one pattern the first counts.
  AXIFORM_COLD explicit AddedTokenMatcher(std::vector<Entry> entries) : entries_(std::move(entries)) {
    stable_sort(entries_, [](Entry const& a, Entry const& b) { return a.pattern < b.pattern; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (kept == 0 || entries_[i].pattern != entries_[kept - 1].pattern) std::swap(entries_[kept++], entries_[i]);
    entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(kept), entries_.end());
    for (Entry const& entry : entries_) starts_[static_cast<unsigned char>(entry.pattern.front())] = true;
    if (std::count(starts_.begin(), starts_.end(), true) == 1) only_start_ = entries_.front().pattern.front();
  }

  bool empty() const noexcept { return entries_.empty(); }

  /// Bytes of the whitespace that valid UTF-8 ends with.
  static std::size_t trailing_space(std::string_view text) noexcept { return text.size() - begin_of_space(text, text.size()); }

  /// Calls `text_part(begin, end)` and `token(match)` for the parts of `text`, in order; parts of the text are not empty. `may_be(begin, end)` says
  /// whether a token may stand there.
  [[gnu::noinline]] void split(std::string_view text, FunctionRef<void(std::size_t, std::size_t)> text_part,
                               FunctionRef<void(Match const&)> token, FunctionRef<bool(std::size_t, std::size_t)> may_be) const {
    std::size_t done = 0;
    std::size_t from = 0;
    while (true) {
      Entry const* const entry = entries_.empty() ? nullptr : find(text, from);
      if (entry == nullptr) break;
      std::size_t begin = from;  // find() moved `from` to the match
      std::size_t end = begin + entry->pattern.size();
      if (!may_be(begin, end)) {
        ++from;
        continue;
      }
      from = end;
      if (entry->single_word && (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end)))) continue;
      if (entry->lstrip) begin = std::max(begin_of_space(text, begin), done);
      if (entry->rstrip) end = end_of_space(text, end);
      if (done < begin) text_part(done, begin);
      end = std::max(begin, end);
      token(Match{begin, end, entry->id, end - begin != entry->pattern.size()});
      done = std::max(done, end);
    }
    if (done < text.size()) text_part(done, text.size());
  }
  /// The same where tokens may stand anywhere.
  void split(std::string_view text, FunctionRef<void(std::size_t, std::size_t)> text_part, FunctionRef<void(Match const&)> token) const {
    split(text, text_part, token, [](std::size_t, std::size_t) { return true; });
  }

 private:
  /// The first match at or after `from`, which is moved to its begin.
  Entry const* find(std::string_view text, std::size_t& from) const noexcept {
    while (from < text.size()) {
      if (only_start_ != '\0') {
        void const* const found = std::memchr(text.data() + from, only_start_, text.size() - from);
        if (found == nullptr) return nullptr;
        from = static_cast<std::size_t>(static_cast<char const*>(found) - text.data());
      } else if (!starts_[static_cast<unsigned char>(text[from])]) {
        ++from;
        continue;
      }
      if (Entry const* const entry = longest_at(text.substr(from))) return entry;
      ++from;
    }
    return nullptr;
  }

  /// Narrows the sorted patterns to those that share ever more bytes with the text.
  Entry const* longest_at(std::string_view text) const noexcept {
    auto first = entries_.begin();
    auto last = entries_.end();
    Entry const* longest = nullptr;
    for (std::size_t depth = 0; first != last; ++depth) {
      if (first->pattern.size() == depth) {
        longest = &*first;
        ++first;
      }
      if (depth == text.size()) break;
      auto const byte = static_cast<unsigned char>(text[depth]);
      first = std::lower_bound(first, last, byte,
                               [depth](Entry const& e, unsigned char b) { return static_cast<unsigned char>(e.pattern[depth]) < b; });
      last = std::upper_bound(first, last, byte,
                              [depth](unsigned char b, Entry const& e) { return b < static_cast<unsigned char>(e.pattern[depth]); });
    }
    return longest;
  }

  /// The begin of the character that ends at `end` > 0.
  static std::size_t previous(std::string_view text, std::size_t end) noexcept {
    do --end;
    while (end > 0 && (text[end] & '\xC0') == '\x80');
    return end;
  }
  static bool ends_with_word(std::string_view text) noexcept {
    return !text.empty() && properties_of(decode_valid_utf8(text.data() + previous(text, text.size())).value).is_word();
  }
  static bool starts_with_word(std::string_view text) noexcept {
    return !text.empty() && properties_of(decode_valid_utf8(text.data()).value).is_word();
  }
  static std::size_t begin_of_space(std::string_view text, std::size_t end) noexcept {
    while (end > 0) {
      std::size_t const begin = previous(text, end);
      if (!properties_of(decode_valid_utf8(text.data() + begin).value).is_whitespace()) break;
      end = begin;
    }
    return end;
  }
  static std::size_t end_of_space(std::string_view text, std::size_t begin) noexcept {
    while (begin < text.size()) {
      auto const [c, length] = decode_valid_utf8(text.data() + begin);
      if (!properties_of(c).is_whitespace()) break;
      begin += length;
    }
    return begin;
  }

  std::vector<Entry> entries_;  // By pattern.
  std::array<bool, 256> starts_{};
  char only_start_ = '\0';  // The first byte of every pattern, when they agree.
};

}  // namespace detail

}  // namespace axiform
