/// @file
/// The regular expressions by which tokenizers split text, matched without a regular-expression engine.
///
/// Published tokenizers use a small set of them, all of one form: alternatives that are runs of characters of a class. Those of the set are
/// compiled and others refused, since an expression that is read a little differently than Hugging Face's engine (Oniguruma) reads it would
/// give wrong ids in silence. Each was compared with it over all of Unicode.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/io/printable.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/unicode.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// GPT-2's expression, the one of the pre-tokenizer `ByteLevel`.
inline constexpr std::string_view gpt2_expression = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// GPT-4's (cl100k), Llama 3's.
inline constexpr std::string_view llama3_expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// Qwen 2's: digits one by one.
inline constexpr std::string_view qwen2_expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// Mistral NeMo's (Tekken).
inline constexpr std::string_view tekken_expression =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// Those that are known.
inline constexpr std::string_view known_expressions[] = {
    gpt2_expression,
    // GPT-4 (cl100k), Llama 3, OLMo 2, Phi-4; Qwen 2 with digits one by one, Qwen 3.5 with marks in words; GPT-4 as tiktoken writes it.
    llama3_expression,
    qwen2_expression,
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)",
    // GPT-4o (o200k), gpt-oss, Llama 4; Mistral NeMo (Tekken).
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    tekken_expression,
    // DeepSeek: V3's and R1's three, the first coder's four.
    R"(\p{N}{1,3})",
    "[一-龥぀-ゟ゠-ヿ]+",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"([\r\n])",
    R"(\s?\p{L}+)",
    R"(\s?\p{P}+)",
    "[一-龥ࠀ-一가-퟿]+",
    // BLOOM and its kin.
    R"( ?[^(\s|[.,!?…。，、।۔،])]+)",
    R"( ?[^(\s|.,!?…。，、।۔،)]+)",
    // Digits and whitespace.
    R"(\p{N})",
    R"(\p{N}+)",
    R"([0-9])",
    R"([0-9]+)",
    R"([0-9]{1,3})",
    R"([0-9][0-9][0-9])",
    R"(\d)",
    R"(\d+)",
    R"(\d{1,3})",
    R"(\s)",
    R"(\s+)",
    R"( +)",
    R"([\r\n]+)",
};

/// A set of code points: general classes and ranges, or all others.
class CodePointSet {
 public:
  void add_classes(std::uint32_t classes) { classes_ |= classes; }
  void add_range(char32_t first, char32_t last) { ranges_.push_back({first, last}); }
  void negate() { is_negated_ = true; }
  /// To be called when all is added.
  void finish() {
    for (char32_t c = 0; c < 128; ++c) ascii_[c] = find(c);
  }

  bool contains(char32_t c) const noexcept { return c < 128 ? ascii_[c] : find(c); }

 private:
  struct Range {
    char32_t first;
    char32_t last;
  };
  bool find(char32_t c) const noexcept {
    bool is_in = (classes_ >> properties_of(c).general_class() & 1) != 0;
    for (Range const& range : ranges_) is_in |= range.first <= c && c <= range.last;
    return is_in != is_negated_;
  }

  std::uint32_t classes_ = 0;
  bool is_negated_ = false;
  std::array<bool, 128> ascii_{};
  std::vector<Range> ranges_;
};

/// Characters of valid UTF-8.
struct Utf8Characters {
  static DecodedCodePoint at(char const* p) noexcept { return decode_valid_utf8(p); }
  static char const* previous(char const* p) noexcept {
    do --p;
    while (!begins_character(*p));
    return p;
  }
};

/// The characters by which byte-level tokens write bytes.
struct ByteCharacters {
  static DecodedCodePoint at(char const* p) noexcept { return {byte_characters[static_cast<unsigned char>(*p)], 1}; }
  static char const* previous(char const* p) noexcept { return p - 1; }
};

/// An expression of the set, compiled.
class SplitExpression {
 public:
  /// @throws CheckpointError for one that is not known; `where` says in the message where it comes from.
  AXIFORM_COLD SplitExpression(std::string_view expression, std::string const& where) {
    std::string spelling;  // Some files have line ends themselves for `\r` and `\n`.
    for (char const c : expression) c == '\r' ? spelling.append("\\r") : c == '\n' ? spelling.append("\\n") : spelling.append(1, c);
    auto const* const known = std::find(std::begin(known_expressions), std::end(known_expressions), spelling);
    if (known == std::end(known_expressions))
      throw_checkpoint_error({where, ": the regular expression ", in_quotes(expression), " is not one of those that are known"});
    rest_ = *known;
    do alternatives_.push_back(parse_alternative());
    while (skip("|"));
    for (char32_t c = 0; c < 128; ++c)
      for (std::size_t i = 0; i < alternatives_.size(); ++i) starts_[c] |= can_begin(alternatives_[i], c) ? 1u << i : 0u;
  }

  /// The end of the match that begins at `p` < `end`, or null. Matches are not empty.
  template <class Characters>
  char const* match(char const* p, char const* end) const {
    char32_t const first = Characters::at(p).value;
    std::uint32_t candidates = first < 128 ? starts_[first] : ~0u;
    for (std::size_t i = 0; i < alternatives_.size(); ++i, candidates >>= 1)
      if ((candidates & 1) != 0)
        if (char const* const matched = match_runs<Characters>(alternatives_[i], 0, p, end)) return matched;
    return nullptr;
  }

 private:
  static constexpr std::uint32_t unbounded = std::numeric_limits<std::uint32_t>::max();

  /// Characters of a set, as many as there are, fewer where what follows would not match otherwise.
  struct Run {
    CodePointSet set;
    std::uint32_t least = 1;
    std::uint32_t most = 1;
    bool gives_back = true;
  };
  struct Alternative {
    std::vector<Run> runs;
    std::vector<std::vector<Run>> tails;  // One of them follows, the first that matches.
    bool needs_tail = false;
    bool ends_before_space = false;  // `(?!\S)`: no character but whitespace follows.
  };

  static bool can_begin(Alternative const& alternative, char32_t c) {
    for (Run const& run : alternative.runs) {
      if (run.set.contains(c)) return true;
      if (run.least > 0) return false;
    }
    for (std::vector<Run> const& tail : alternative.tails)
      if (tail.front().set.contains(c)) return true;
    return false;
  }

  template <class Characters>
  static char const* match_runs(Alternative const& alternative, std::size_t index, char const* p, char const* end) {
    if (index == alternative.runs.size()) return match_tail<Characters>(alternative, p, end);
    Run const& run = alternative.runs[index];
    std::uint32_t count = 0;
    char const* q = p;
    while (count < run.most && q != end) {
      auto const [c, length] = Characters::at(q);
      if (!run.set.contains(c)) break;
      q += length;
      ++count;
    }
    for (; count >= run.least; --count, q = Characters::previous(q)) {
      if (char const* const matched = match_runs<Characters>(alternative, index + 1, q, end)) return matched;
      if (count == run.least || !run.gives_back) break;
    }
    return nullptr;
  }

  template <class Characters>
  static char const* match_tail(Alternative const& alternative, char const* p, char const* end) {
    if (alternative.ends_before_space)
      return p == end || properties_of(Characters::at(p).value).regex_class() == RegexClass::space ? p : nullptr;
    for (std::vector<Run> const& tail : alternative.tails) {
      char const* q = p;
      for (Run const& run : tail) {
        if (q != nullptr && (q == end || !run.set.contains(Characters::at(q).value))) q = nullptr;
        if (q != nullptr) q += Characters::at(q).length;
      }
      if (q != nullptr) return q;
    }
    return alternative.needs_tail ? nullptr : p;
  }

  bool skip(std::string_view text) {
    bool const is_there = rest_.starts_with(text);
    if (is_there) rest_.remove_prefix(text.size());
    return is_there;
  }
  char32_t next() {
    auto const [c, length] = decode_valid_utf8(rest_.data());
    rest_.remove_prefix(length);
    return c;
  }

  AXIFORM_COLD Alternative parse_alternative() {
    Alternative result;
    while (!rest_.empty() && rest_.front() != '|') {
      if (skip("(?!\\S)")) {
        result.ends_before_space = true;
      } else if (skip("(?i:")) {
        do {
          auto& tail = result.tails.emplace_back();
          while (rest_.front() != '|' && rest_.front() != ')') tail.push_back({.set = parse_set(true)});
        } while (skip("|"));
        skip(")");
        result.needs_tail = !skip("?");
      } else {
        Run run{.set = parse_set(false)};
        parse_repetition(run);
        result.runs.push_back(std::move(run));
      }
    }
    return result;
  }

  void parse_repetition(Run& run) {
    if (skip("{1,3}")) {
      run.most = 3;
    } else if (skip("?")) {
      run.least = 0;
      run.gives_back = !skip("+");
    } else if (skip("*")) {
      run.least = 0, run.most = unbounded;
    } else if (skip("+")) {
      run.most = unbounded;
      run.gives_back = !skip("+");
    }
  }

  /// A character, a class, or a bracket of them; `folds` adds the other case.
  AXIFORM_COLD CodePointSet parse_set(bool folds) {
    CodePointSet set;
    if (skip("[")) {
      if (skip("^")) set.negate();
      while (!skip("]")) parse_member(set, folds);
    } else {
      parse_member(set, folds);
    }
    set.finish();
    return set;
  }

  AXIFORM_COLD void parse_member(CodePointSet& set, bool folds) {
    using namespace general_classes;
    static constexpr std::pair<std::string_view, std::uint32_t> classes[] = {
        {"\\s", space},     {"\\d", digit},     {"\\p{L}", letter}, {"\\p{N}", number}, {"\\p{M}", mark},      {"\\p{P}", punctuation},
        {"\\p{S}", symbol}, {"\\p{Lu}", upper}, {"\\p{Ll}", lower}, {"\\p{Lt}", title}, {"\\p{Lm}", modifier}, {"\\p{Lo}", other_letter}};
    for (auto const& [name, bits] : classes)
      if (skip(name)) return set.add_classes(bits);
    if (skip("[")) {  // A bracket within a bracket adds its members.
      while (!skip("]")) parse_member(set, folds);
      return;
    }
    char32_t const first = parse_character();
    char32_t last = first;
    if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
      skip("-");
      last = parse_character();
    }
    set.add_range(first, last);
    if (!folds || first < U'a' || first > U'z') return;
    set.add_range(first - 32, first - 32);
    if (first == U's') set.add_range(0x17F, 0x17F);  // The long s folds to s.
  }

  char32_t parse_character() {
    if (skip("\\r")) return U'\r';
    if (skip("\\n")) return U'\n';
    skip("\\");
    return next();
  }

  std::string_view rest_;  // What is not parsed yet.
  std::vector<Alternative> alternatives_;
  std::array<std::uint32_t, 128> starts_{};  // By ASCII character, the alternatives that can begin with it.
};

}  // namespace axiform::detail
