/// @file
/// The added tokens of a tokenizer while its files are read: which come first, which ids they get.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/tokenizer_parts.hpp>

namespace axiform::detail {

/// Writes `TokenizerParts::added_tokens`, each content once, and numbers them as the `tokenizers` crate does: a token of the model keeps its
/// id, any other gets the next id, whatever its file says. Files that were written by another program, or for a tokenizer that numbers
/// otherwise, then disagree, and a note says so.
///
/// In one case the crate is not followed: where ids have holes, its next id may be another token's, and two tokens would share one. Such a token
/// keeps the id of its file if that is free, else gets the first id beyond all.
class AddedTokenList {
 public:
  /// Of the parts, whose vocabulary is complete.
  explicit AddedTokenList(TokenizerParts& parts) : parts_(parts) {
    for (std::size_t i = 0; i < parts.added_tokens.size(); ++i) note_place(i);
  }

  /// The token that reads so, or null.
  AddedToken* find(std::string_view content) {
    TokenId const place = places_.find(content);
    return place == StringTable::absent ? nullptr : &parts_.added_tokens[static_cast<std::size_t>(place)];
  }

  /// The id of the token that reads so, of the model or added.
  std::optional<TokenId> id_of(std::string_view content) const {
    TokenId const place = places_.find(content);
    if (place == StringTable::absent) return parts_.vocabulary.find(content);
    return parts_.added_tokens[static_cast<std::size_t>(place)].id;
  }

  /// Adds a token whose file gives it `token.id`, or none when that is negative; one that is there already stays as it is. Empty ones are
  /// passed over, as the crate does.
  AXIFORM_COLD void add(AddedToken token, std::string const& where) {
    if (token.content.empty() || find(token.content) != nullptr) return;
    TokenId const given = token.id;
    token.id = id_for(token);
    if (given >= 0 && given != token.id && !has_noted_) {
      has_noted_ = true;
      parts_.notes.push_back(where + ": the added token " + in_quotes(token.content) + " has the id " + std::to_string(token.id) +
                             ", not its file's " + std::to_string(given) +
                             ": ids of added tokens follow one another, and tokens of the model keep theirs");
    }
    parts_.added_tokens.push_back(std::move(token));
    note_place(parts_.added_tokens.size() - 1);
  }

  /// Adds a token; how one that is there already is found changes to what this one says.
  AXIFORM_COLD void replace(AddedToken token, std::string const& where) {
    if (AddedToken* const known = find(token.content)) {
      token.id = known->id;
      *known = std::move(token);
    } else {
      add(std::move(token), where);
    }
  }

  /// Adds a token that has a part to play; one that is there already becomes special, and stays as it is otherwise.
  AXIFORM_COLD void add_special(AddedToken token, std::string const& where) {
    token.special = true;
    if (AddedToken* const known = find(token.content))
      known->special = true;
    else
      add(std::move(token), where);
  }

 private:
  AXIFORM_COLD TokenId id_for(AddedToken const& token) const {
    if (auto const id = parts_.vocabulary.find(token.content)) return *id;
    auto const count = static_cast<TokenId>(parts_.vocabulary.count());
    auto const is_free = [&](TokenId id) { return !parts_.vocabulary.has(id) && !is_taken(id); };
    TokenId const next = greatest_ < count ? count : greatest_ + 1;
    if (is_free(next)) return next;
    TokenId const end = std::max(static_cast<TokenId>(parts_.vocabulary.size()), greatest_ + 1);
    return token.id >= 0 && token.id <= end && is_free(token.id) ? token.id : end;
  }

  void note_place(std::size_t place) {
    AddedToken const& token = parts_.added_tokens[place];
    if (!token.content.empty()) places_.insert(token.content, static_cast<TokenId>(place));
    if (token.id < 0) return;
    auto const id = static_cast<std::size_t>(token.id);
    if (id >= taken_.size()) taken_.resize(std::max(id + 1, 2 * taken_.size()));
    taken_[id] = true;
    greatest_ = std::max(greatest_, token.id);
  }

  bool is_taken(TokenId id) const noexcept { return static_cast<std::size_t>(id) < taken_.size() && taken_[static_cast<std::size_t>(id)]; }

  TokenizerParts& parts_;
  StringTable places_;       // By content, in `added_tokens`.
  std::vector<bool> taken_;  // Their ids.
  TokenId greatest_ = -1;
  bool has_noted_ = false;
};

}  // namespace axiform::detail
