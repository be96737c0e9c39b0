/// @file
/// The merges of a BPE that was written down as tokens alone, by SentencePiece or in a GGUF file: each way to make a token of two others is one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/text/bpe_merges.hpp>
#include <axiform/text/utf8.hpp>
#include <axiform/text/vocabulary.hpp>

namespace axiform::detail {

/// A token and the place at which it falls into two others.
struct DerivedMerge {
  std::size_t id;
  std::size_t split;        // Bytes of the left token.
  std::size_t left, right;  // Characters of both.
};

/// All merges among the tokens for whose ids `is_part` is true, in the order of `is_before`. `name` says in messages what lists the tokens.
/// @throws CheckpointError for a token so long that looking at all of its halves, which takes its length squared, is out of the question.
template <class IsPart, class IsBefore>
BpeMerges derive_merges(Vocabulary const& vocabulary, std::string const& name, IsPart is_part, IsBefore is_before) {
  static constexpr std::size_t longest_token = 1024;
  auto const is_token = [&](std::string_view text) {
    auto const id = vocabulary.find(text);
    return id && is_part(static_cast<std::size_t>(*id));
  };
  std::vector<DerivedMerge> found;
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    std::string_view const token = vocabulary.tokens()[id];
    if (!is_part(id)) continue;
    if (token.size() > longest_token)
      throw CheckpointError(name + ": token " + std::to_string(id) + " has " + std::to_string(token.size()) + " bytes, expected at most " +
                            std::to_string(longest_token) + " where merges follow from the tokens");
    std::size_t const characters = count_code_points(token);
    for (std::size_t split = 1, left = 0; split < token.size(); ++split) {
      if (!begins_character(token[split])) continue;
      ++left;
      if (is_token(token.substr(0, split)) && is_token(token.substr(split))) found.push_back({id, split, left, characters - left});
    }
  }
  stable_sort(found, is_before);
  BpeMerges merges;
  merges.reserve(found.size());
  for (DerivedMerge const& merge : found) {
    std::string const& token = vocabulary.tokens()[merge.id];
    merges.emplace_back(token.substr(0, merge.split), token.substr(merge.split));
  }
  return merges;
}

}  // namespace axiform::detail
