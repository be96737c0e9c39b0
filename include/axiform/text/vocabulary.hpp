/// @file
/// `Vocabulary`: tokens and their ids, both ways.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// Tokens and their ids. No token has two ids and no id two tokens; an id that no token has is a hole, whose token reads as empty.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// `tokens[id]` is the token of `id`. Of a token that stands there twice the last id counts, as in Hugging Face's loading, and the others
  /// are holes. `name` says in messages where they come from.
  /// @throws FormatError when one is not UTF-8, or there are more than ids can number.
  Vocabulary(std::vector<std::string> const& tokens, std::string const& name) : table_(tokens.size()) {
    if (tokens.size() > static_cast<std::size_t>(std::numeric_limits<TokenId>::max()))
      detail::throw_format_error({name, ": has ", std::to_string(tokens.size()), " tokens, more than ids can number"});
    tokens_.reserve(tokens.size());
    for (std::size_t id = 0; id < tokens.size(); ++id) put(tokens[id], static_cast<TokenId>(id), name);
  }

  std::size_t size() const noexcept { return tokens_.size(); }                 ///< One more than the greatest id.
  std::size_t count() const noexcept { return count_; }                        ///< The number of tokens: `size()` without the holes.
  std::vector<std::string> const& tokens() const noexcept { return tokens_; }  ///< `tokens()[id]` is the token of `id`.

  /// Whether a token has this id.
  bool has(TokenId id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < tokens_.size() && (!tokens_[static_cast<std::size_t>(id)].empty() || id == empty_);
  }

  /// The token of `id`, empty for a hole. @throws ArgumentError when `id` is not below `size()`.
  std::string const& token(TokenId id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= tokens_.size())
      detail::throw_argument_error({"token id ", std::to_string(id), " is outside of the vocabulary of ", std::to_string(tokens_.size())});
    return tokens_[static_cast<std::size_t>(id)];
  }

  /// The id of `token`, if it has one.
  std::optional<TokenId> find(std::string_view token) const noexcept {
    if (token.empty()) return empty_ == detail::StringTable::absent ? std::nullopt : std::optional(empty_);
    TokenId const id = table_.find(token);
    return id == detail::StringTable::absent ? std::nullopt : std::optional(id);
  }

  /// Gives `token` the id `id` >= 0, which no other token has; an id that it had before becomes a hole, as do ids up to `id` that are new.
  /// @throws FormatError when it is not UTF-8, or its id is so far beyond the others that it can only be a mistake.
  void put(std::string token, TokenId id, std::string const& name) {
    if (!is_valid_utf8(token))
      detail::throw_format_error({name, ": token ", std::to_string(id), ", ", detail::in_quotes(token), ", is not UTF-8"});
    if (static_cast<std::size_t>(id) >= 16 * count_ + (std::size_t{1} << 20))
      detail::throw_format_error({name, ": token ", detail::in_quotes(token), ": found id ", std::to_string(id), ", and there are only ",
                                  std::to_string(count_), " tokens below it"});
    if (auto const earlier = find(token))
      tokens_[static_cast<std::size_t>(*earlier)].clear();
    else
      ++count_;
    if (token.empty())
      empty_ = id;
    else
      table_.put(token, id);
    if (static_cast<std::size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<std::size_t>(id) + 1);
    tokens_[static_cast<std::size_t>(id)] = std::move(token);
  }

  /// For the models, which look up pieces of words.
  detail::StringTable const& table() const noexcept { return table_; }

 private:
  std::vector<std::string> tokens_;
  std::size_t count_ = 0;
  detail::StringTable table_;
  TokenId empty_ = detail::StringTable::absent;
};

}  // namespace axiform
