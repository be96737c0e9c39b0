/// @file
/// `Vocabulary`: tokens and their ids, both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// Tokens and their ids: every id from 0 to `size() - 1` has one token, and no token has two ids.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// `tokens[id]` is the token of `id`. `name` says in messages where they come from.
  /// @throws FormatError when two are equal, one is not UTF-8, or there are more than ids can number.
  Vocabulary(std::vector<std::string> tokens, std::string const& name) : tokens_(std::move(tokens)), table_(tokens_.size()) {
    if (tokens_.size() > static_cast<std::size_t>(std::numeric_limits<TokenId>::max()))
      throw FormatError(name + ": has " + std::to_string(tokens_.size()) + " tokens, more than ids can number");
    for (std::size_t id = 0; id < tokens_.size(); ++id) insert(tokens_[id], static_cast<TokenId>(id), name);
  }

  std::size_t size() const noexcept { return tokens_.size(); }                 ///< The number of tokens: ids are below it.
  std::vector<std::string> const& tokens() const noexcept { return tokens_; }  ///< All tokens; `tokens()[id]` is that of `id`.

  /// The token of `id`. @throws ArgumentError when there is none.
  std::string const& token(TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size())
      throw ArgumentError("token id " + std::to_string(id) + " is outside of the vocabulary of " + std::to_string(tokens_.size()));
    return tokens_[static_cast<std::size_t>(id)];
  }

  /// The id of `token`, if it has one.
  std::optional<TokenId> find(std::string_view token) const noexcept {
    if (token.empty()) return empty_ == detail::StringTable::absent ? std::nullopt : std::optional(empty_);
    TokenId const id = table_.find(token);
    return id == detail::StringTable::absent ? std::nullopt : std::optional(id);
  }

  /// Gives `token` the next id. @throws FormatError as the constructor does.
  TokenId append(std::string token, std::string const& name) {
    auto const id = static_cast<TokenId>(tokens_.size());
    insert(token, id, name);
    tokens_.push_back(std::move(token));
    return id;
  }

  /// For the models, which look up pieces of words.
  detail::StringTable const& table() const noexcept { return table_; }

 private:
  void insert(std::string const& token, TokenId id, std::string const& name) {
    if (!is_valid_utf8(token))
      throw FormatError(name + ": token " + std::to_string(id) + ", " + detail::in_quotes(token) + ", is not UTF-8");
    std::optional<TokenId> earlier;
    if (token.empty()) {
      if (empty_ != detail::StringTable::absent) earlier = empty_;
      empty_ = id;
    } else {
      earlier = table_.insert(token, id);
    }
    if (earlier)
      throw FormatError(name + ": the token " + detail::in_quotes(token) + " has two ids, " + std::to_string(*earlier) + " and " +
                        std::to_string(id));
  }

  std::vector<std::string> tokens_;
  detail::StringTable table_;
  TokenId empty_ = detail::StringTable::absent;
};

}  // namespace axiform
