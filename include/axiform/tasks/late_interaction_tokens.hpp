/// @file
/// `LateInteractionTokens`: what a ColBERT reads of queries and of documents, and which of the tokens are compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/late_interaction_config.hpp>
#include <axiform/text/tokenizer.hpp>

#if AXIFORM_DEFINES(tasks)
#include <algorithm>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/tasks/checks.hpp>
#endif

namespace axiform {

/// One text as a ColBERT reads it.
struct MarkedTokens {
  std::vector<TokenId> ids;         ///< [CLS], the marker, the text, [SEP], and what a query is filled up with.
  std::vector<TokenId> type_ids;    ///< The segment of each.
  std::size_t attended = 0;         ///< How many of them, the first, are attended to.
  std::vector<std::uint32_t> kept;  ///< Those whose vectors are compared.
};

/// The tokenizer of a ColBERT: its tokens with markers, expansion and a list of marks that are left out. Constant once made.
class LateInteractionTokens {
 public:
  /// @param positions Tokens of the longest sequence that the model reads.
  /// @throws ArgumentError when queries or documents have fewer than 3 tokens; CheckpointError when the tokenizer lacks a marker, or a token to fill
  ///         queries up with.
  LateInteractionTokens(Tokenizer tokenizer, LateInteractionConfig const& config, std::size_t positions);

  MarkedTokens query(std::string_view text) const;     ///< A query, cut or filled up to the length of queries.
  MarkedTokens document(std::string_view text) const;  ///< A document, cut at the length of documents.

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }         ///< What cuts the texts.
  std::size_t query_length() const noexcept { return query_length_; }        ///< Tokens of a query.
  std::size_t document_length() const noexcept { return document_length_; }  ///< Tokens of a document at most.

 private:
  std::optional<TokenId> marker(std::string const& token) const;
  MarkedTokens marked(std::string_view text, std::optional<TokenId> marker, std::size_t length) const;

  Tokenizer tokenizer_;
  std::size_t query_length_, document_length_;
  QueryExpansion expansion_;
  std::optional<TokenId> query_marker_, document_marker_;
  TokenId filler_ = 0;
  std::vector<TokenId> skipped_;  // in order
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(tasks)

AXIFORM_INLINE LateInteractionTokens::LateInteractionTokens(Tokenizer tokenizer, LateInteractionConfig const& config, std::size_t positions)
    : tokenizer_(std::move(tokenizer)),
      query_length_(std::min(config.query_length, positions)),
      document_length_(std::min(config.document_length, positions)),
      expansion_(config.expansion),
      query_marker_(marker(config.query_marker)),
      document_marker_(marker(config.document_marker)) {
  constexpr std::size_t least = 3;  // [CLS], the marker and [SEP]
  if (std::min(query_length_, document_length_) < least)
    throw ArgumentError("late interaction: found queries of " + std::to_string(query_length_) + " tokens and documents of " +
                        std::to_string(document_length_) + ", expected at least " + std::to_string(least) + " of either");
  detail::check_lower_case(tokenizer_, config.lower_case, config.settings);
  SpecialTokens const& special = tokenizer_.special_tokens();
  auto const filler = special.mask ? special.mask : special.eos;
  if (expansion_ != QueryExpansion::none && !filler)
    throw CheckpointError("late interaction: the tokenizer has no mask token to fill queries up with");
  filler_ = filler.value_or(0);
  for (std::string const& word : config.skipped_words)
    if (auto const id = tokenizer_.token_to_id(word); id && id != special.unk) skipped_.push_back(*id);
  std::ranges::sort(skipped_);
}

AXIFORM_INLINE MarkedTokens LateInteractionTokens::query(std::string_view text) const {
  MarkedTokens tokens = marked(text, query_marker_, query_length_);
  if (expansion_ != QueryExpansion::none) {
    tokens.ids.resize(query_length_, filler_);
    tokens.type_ids.resize(query_length_, 0);
    if (expansion_ == QueryExpansion::attended) tokens.attended = query_length_;
  }
  for (std::uint32_t i = 0; i < tokens.ids.size(); ++i) tokens.kept.push_back(i);
  return tokens;
}

AXIFORM_INLINE MarkedTokens LateInteractionTokens::document(std::string_view text) const {
  MarkedTokens tokens = marked(text, document_marker_, document_length_);
  for (std::uint32_t i = 0; i < tokens.ids.size(); ++i)
    if (!std::ranges::binary_search(skipped_, tokens.ids[i])) tokens.kept.push_back(i);
  return tokens;
}

AXIFORM_INLINE std::optional<TokenId> LateInteractionTokens::marker(std::string const& token) const {
  if (token.empty()) return std::nullopt;
  auto const id = tokenizer_.token_to_id(token);
  if (!id || id == tokenizer_.special_tokens().unk)
    throw CheckpointError("late interaction: the tokenizer has no token " + detail::in_quotes(token) +
                          ", which marks queries or documents");
  return id;
}

AXIFORM_INLINE MarkedTokens LateInteractionTokens::marked(std::string_view text, std::optional<TokenId> marker, std::size_t length) const {
  Encoding encoding = tokenizer_.encode(text, {.max_length = length - (marker ? 1 : 0)});
  MarkedTokens tokens{.ids = std::move(encoding.ids), .type_ids = std::move(encoding.type_ids), .attended = 0, .kept = {}};
  if (marker) {
    std::ptrdiff_t const place = tokens.ids.empty() ? 0 : 1;
    tokens.ids.insert(tokens.ids.begin() + place, *marker);
    tokens.type_ids.insert(tokens.type_ids.begin() + place, 0);
  }
  tokens.attended = tokens.ids.size();
  return tokens;
}

#endif  // AXIFORM_DEFINES(tasks)

}  // namespace axiform
