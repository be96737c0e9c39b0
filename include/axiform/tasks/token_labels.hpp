/// @file
/// From the scores of a text's tokens to its labelled tokens, words or entities: the aggregation strategies of `TokenClassification`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/stable_sort.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// What becomes of the labels of tokens. All but `none` and `simple` let a word have one label only; where tokens that continue a word bear
/// no mark (byte-level BPE), a word is what has no space before it, as in transformers.
enum class Aggregation {
  none,     ///< Each token by itself.
  simple,   ///< Neighbouring tokens of one kind are an entity; a `B-` label begins another.
  first,    ///< As `simple`, of words, which have the label of their first token.
  average,  ///< As `simple`, of words, which have the best label of their tokens' mean scores.
  maximum   ///< As `simple`, of words, which have the label of the token that is surest of its own.
};

/// A labelled token or entity.
struct LabelledToken {
  std::string label = {};                 ///< Of a token, as config.json names it; of an entity without `B-` or `I-`.
  double score = 0;                       ///< Its probability; of an entity the mean over its tokens, or words.
  std::string word = {};                  ///< The token as the vocabulary writes it, or the text of the entity's tokens.
  std::size_t start = 0;                  ///< Its first code point in the text.
  std::size_t end = 0;                    ///< Behind its last code point.
  std::size_t byte_start = 0;             ///< Its first byte in the text.
  std::size_t byte_end = 0;               ///< Behind its last byte.
  std::optional<std::size_t> index = {};  ///< Of a token by itself: its place among the tokens of the text, special ones included.
};

namespace detail {

/// The tokens of a text, or of a window of it, on their way to entities: TokenClassificationPipeline of transformers 5.24, step by step.
class TokenLabels {
 public:
  TokenLabels(Tokenizer const& tokenizer, std::vector<std::string> const& labels, Aggregation aggregation);

  /// @param scores Probabilities of the tokens [first, last) of `encoding`, a row each.
  std::vector<LabelledToken> label(std::string_view text, Encoding const& encoding, std::size_t first, std::size_t last,
                                   std::span<double const> scores) const;

  /// Of entities of overlapping windows, the longest in each place; of equally long ones the surest.
  static std::vector<LabelledToken> merge_overlapping(std::vector<LabelledToken> found);

  /// "B-PER" is of the kind "PER" and begins one; a label without `B-` or `I-` is its own kind.
  static std::pair<bool, std::string_view> kind_of(std::string_view label);

  /// What an entity of tokens with this label is called.
  static std::string_view group_name(std::string_view label);

 private:
  struct Part {
    LabelledToken token;  // Without label.
    std::span<double const> scores;
    bool continues_word;
  };

  Part part(std::string_view text, Encoding const& encoding, std::size_t i, std::span<double const> scores) const;

  static std::size_t best_of(std::span<double const> scores);

  LabelledToken labelled(LabelledToken token, std::span<double const> scores) const;

  std::vector<LabelledToken> label_tokens(std::span<Part const> parts) const;

  std::vector<LabelledToken> label_words(std::span<Part const> parts) const;

  LabelledToken label_word(std::span<Part const> word) const;

  static LabelledToken span_of(LabelledToken const& first, LabelledToken const& last);

  std::vector<LabelledToken> group(std::span<LabelledToken const> tokens) const;

  Tokenizer const& tokenizer_;
  std::vector<std::string> const& labels_;
  Aggregation aggregation_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE TokenLabels::TokenLabels(Tokenizer const& tokenizer, std::vector<std::string> const& labels, Aggregation aggregation)
    : tokenizer_(tokenizer), labels_(labels), aggregation_(aggregation) {}

AXIFORM_INLINE std::vector<LabelledToken> TokenLabels::label(std::string_view text, Encoding const& encoding, std::size_t first,
                                                             std::size_t last, std::span<double const> scores) const {
  std::vector<Part> parts;
  for (std::size_t i = first; i < last; ++i)
    parts.push_back(part(text, encoding, i, scores.subspan((i - first) * labels_.size(), labels_.size())));
  bool const of_words = aggregation_ != Aggregation::none && aggregation_ != Aggregation::simple;
  auto labelled = of_words ? label_words(parts) : label_tokens(parts);
  return aggregation_ == Aggregation::none ? std::move(labelled) : group(labelled);
}

AXIFORM_INLINE std::vector<LabelledToken> TokenLabels::merge_overlapping(std::vector<LabelledToken> found) {
  if (found.empty()) return found;
  detail::stable_sort(found, std::ranges::less{}, &LabelledToken::start);
  std::vector<LabelledToken> result;
  LabelledToken const* kept = &found.front();
  for (LabelledToken const& next : found) {
    if (kept->start <= next.start && next.start < kept->end) {
      std::size_t const length = next.end - next.start;
      std::size_t const kept_length = kept->end - kept->start;
      if (length > kept_length || (length == kept_length && next.score > kept->score)) kept = &next;
    } else {
      if (kept != &next) result.push_back(*kept);
      kept = &next;
    }
  }
  result.push_back(*kept);
  return result;
}

AXIFORM_INLINE std::pair<bool, std::string_view> TokenLabels::kind_of(std::string_view label) {
  bool const begins = label.starts_with("B-");
  return {begins, begins || label.starts_with("I-") ? label.substr(2) : label};
}

AXIFORM_INLINE std::string_view TokenLabels::group_name(std::string_view label) {
  std::size_t const hyphen = label.find('-');
  return hyphen == label.npos ? label : label.substr(hyphen + 1);
}

AXIFORM_INLINE TokenLabels::Part TokenLabels::part(std::string_view text, Encoding const& encoding, std::size_t i,
                                                   std::span<double const> scores) const {
  auto const [begin, end] = encoding.offsets[i];
  auto const [byte_begin, byte_end] = encoding.byte_offsets[i];
  std::string word = tokenizer_.id_to_token(encoding.ids[i]);
  bool continues = false;
  if (tokenizer_.marks_continuations()) {
    continues = count_code_points(word) != end - begin;
  } else {
    bool const has_space = byte_begin > 0 && text.substr(byte_begin - 1, 2).find(' ') != text.npos;
    continues = byte_begin > 0 && !has_space;
  }
  if (encoding.ids[i] == tokenizer_.special_tokens().unk) {
    word = replace_invalid_utf8(text.substr(byte_begin, byte_end - byte_begin));
    continues = false;
  }
  return {
      {.word = std::move(word), .start = begin, .end = end, .byte_start = byte_begin, .byte_end = byte_end, .index = i}, scores, continues};
}

AXIFORM_INLINE std::size_t TokenLabels::best_of(std::span<double const> scores) {
  return static_cast<std::size_t>(std::ranges::max_element(scores) - scores.begin());
}

AXIFORM_INLINE LabelledToken TokenLabels::labelled(LabelledToken token, std::span<double const> scores) const {
  std::size_t const best = best_of(scores);
  token.label = labels_[best];
  token.score = scores[best];
  return token;
}

AXIFORM_INLINE std::vector<LabelledToken> TokenLabels::label_tokens(std::span<Part const> parts) const {
  std::vector<LabelledToken> result;
  for (Part const& part : parts) result.push_back(labelled(part.token, part.scores));
  return result;
}

AXIFORM_INLINE std::vector<LabelledToken> TokenLabels::label_words(std::span<Part const> parts) const {
  std::vector<LabelledToken> result;
  for (std::size_t first = 0, last = 0; first < parts.size(); first = last) {
    for (last = first + 1; last < parts.size() && parts[last].continues_word;) ++last;
    result.push_back(label_word(parts.subspan(first, last - first)));
  }
  return result;
}

AXIFORM_INLINE LabelledToken TokenLabels::label_word(std::span<Part const> word) const {
  LabelledToken token = span_of(word.front().token, word.back().token);
  std::vector<std::string> tokens;
  for (Part const& part : word) tokens.push_back(part.token.word);
  token.word = tokenizer_.decode_tokens(tokens);
  if (aggregation_ == Aggregation::first) return labelled(std::move(token), word.front().scores);
  if (aggregation_ == Aggregation::maximum) {
    auto const surest = std::ranges::max_element(word, {}, [](Part const& part) { return *std::ranges::max_element(part.scores); });
    return labelled(std::move(token), surest->scores);
  }
  std::vector<double> mean(labels_.size());
  for (Part const& part : word)
    for (std::size_t label = 0; label < mean.size(); ++label) mean[label] += part.scores[label] / static_cast<double>(word.size());
  return labelled(std::move(token), mean);
}

AXIFORM_INLINE LabelledToken TokenLabels::span_of(LabelledToken const& first, LabelledToken const& last) {
  return {.start = first.start, .end = last.end, .byte_start = first.byte_start, .byte_end = last.byte_end};
}

AXIFORM_INLINE std::vector<LabelledToken> TokenLabels::group(std::span<LabelledToken const> tokens) const {
  std::vector<LabelledToken> result;
  for (std::size_t first = 0, last = 0; first < tokens.size(); first = last) {
    auto const continues = [&](LabelledToken const& token) {
      auto const [begins, kind] = kind_of(token.label);
      return !begins && kind == kind_of(tokens[first].label).second;
    };
    for (last = first + 1; last < tokens.size() && continues(tokens[last]);) ++last;
    auto const entity = tokens.subspan(first, last - first);
    LabelledToken whole = span_of(entity.front(), entity.back());
    whole.label = group_name(entity.front().label);
    std::vector<std::string> words;
    for (LabelledToken const& token : entity) words.push_back(token.word), whole.score += token.score;
    whole.score /= static_cast<double>(entity.size());
    whole.word = tokenizer_.decode_tokens(words);
    result.push_back(std::move(whole));
  }
  return result;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace detail

}  // namespace axiform
