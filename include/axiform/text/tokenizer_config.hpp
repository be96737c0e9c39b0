/// @file
/// tokenizer_config.json and special_tokens_map.json: what they change in a tokenizer's parts.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_json.hpp>

namespace axiform::detail {

// Keys that say nothing of ids or text, and keys of truncation and padding, which are the caller's.
inline constexpr std::string_view ignored_config_keys[] = {"name_or_path",
                                                           "tokenizer_class",
                                                           "special_tokens_map_file",
                                                           "tokenizer_file",
                                                           "full_tokenizer_file",
                                                           "vocab_file",
                                                           "merges_file",
                                                           "_commit_hash",
                                                           "use_fast",
                                                           "processor_class",
                                                           "auto_map",
                                                           "chat_template",
                                                           "model_input_names",
                                                           "backend",
                                                           "is_local",
                                                           "local_files_only",
                                                           "transformers_version",
                                                           "model_type",
                                                           "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
                                                           "padding_side",
                                                           "truncation_side",
                                                           "max_length",
                                                           "max_len",
                                                           "stride",
                                                           "truncation_strategy",
                                                           "truncation",
                                                           "padding",
                                                           "pad_to_multiple_of",
                                                           "pad_token_type_id",
                                                           "pad_to_max_length"};
// Keys that are read apart from the rest.
inline constexpr std::string_view token_keys[] = {"added_tokens_decoder", "additional_special_tokens", "extra_special_tokens"};

struct SpecialTokenKey {
  std::string_view key;
  std::optional<TokenId> SpecialTokens::*member;
};
inline constexpr SpecialTokenKey special_token_keys[] = {{"cls_token", &SpecialTokens::cls}, {"sep_token", &SpecialTokens::sep},
                                                         {"pad_token", &SpecialTokens::pad}, {"mask_token", &SpecialTokens::mask},
                                                         {"unk_token", &SpecialTokens::unk}, {"bos_token", &SpecialTokens::bos},
                                                         {"eos_token", &SpecialTokens::eos}};

/// Adds a token to the parts, or puts it in the place of the one that reads the same; gives its id.
inline TokenId put_added_token(TokenizerParts& parts, AddedToken token) {
  auto const same = std::ranges::find(parts.added_tokens, token.content, &AddedToken::content);
  if (same != parts.added_tokens.end()) {
    token.id = same->id;
    *same = std::move(token);
    return same->id;
  }
  TokenId next = static_cast<TokenId>(parts.vocabulary.size());
  for (AddedToken const& other : parts.added_tokens) next = std::max(next, other.id + 1);
  token.id = parts.vocabulary.find(token.content).value_or(next);
  parts.added_tokens.push_back(std::move(token));
  return parts.added_tokens.back().id;
}

/// The id of a special token that a configuration names: a string, or an object with `content`. What an earlier file said of how the token
/// is found stays, where this one says only its content.
inline TokenId special_token_from(Json const& json, std::string const& where, TokenizerParts& parts) {
  if (json.is_string()) {
    auto const& content = json.get_ref<Json::string_t const&>();
    auto const known = std::ranges::find(parts.added_tokens, content, &AddedToken::content);
    if (known != parts.added_tokens.end()) {
      known->special = true;
      return known->id;
    }
    return put_added_token(parts, {.content = content, .special = true});
  }
  Section const token(json, where);
  AddedToken result = added_token_from(token, 0);
  result.special = true;
  result.normalized = token.get_or<bool>("normalized", false);
  return put_added_token(parts, std::move(result));
}

inline void read_special_tokens(Json const& json, std::string const& name, TokenizerParts& parts) {
  for (auto const& [key, member] : special_token_keys) {
    Json const* const value = find_member(json, key, name);
    if (value == nullptr || value->is_null() || *value == "") continue;
    parts.special_tokens.*member = special_token_from(*value, name + ": " + std::string(key), parts);
  }
  for (std::string_view const key : {token_keys[1], token_keys[2]}) {
    Json const* const value = find_member(json, key, name);
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_array() && !value->is_object()) throw_json_type(*value, std::string(key), "an array", name);
    for (Json const& token : *value) special_token_from(token, name + ": " + std::string(key), parts);
  }
}

/// `added_tokens_decoder`: {"0": {"content": "[PAD]", …}, …}, in order of ids.
inline void read_added_tokens_decoder(Section const& tokens, TokenizerParts& parts) {
  std::vector<AddedToken> by_id;
  for (auto const& [key, value] : tokens.json().items()) {
    TokenId id = 0;
    auto const [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc{} || end != key.data() + key.size() || id < 0)
      throw FormatError(tokens.where() + ": found the key " + in_quotes(key) + ", expected an id");
    by_id.push_back(added_token_from(Section(value, tokens.where() + ": " + key), id));
  }
  std::ranges::sort(by_id, {}, &AddedToken::id);
  for (AddedToken& token : by_id) {
    TokenId const id = token.id;
    std::string const content = token.content;
    if (TokenId const given = put_added_token(parts, std::move(token)); given != id)
      throw FormatError(tokens.where() + ": token " + in_quotes(content) + ": found id " + std::to_string(id) + ", expected " +
                        std::to_string(given));
  }
}

/// Honours tokenizer_config.json, which in Hugging Face's loading prevails over tokenizer.json.
inline void apply_tokenizer_config(Json const& json, std::string const& name, TokenizerParts& parts) {
  Section const config(json, name);
  auto* const word_piece = std::get_if<WordPieceOptions>(&parts.model);
  auto* const bpe = std::get_if<ByteBpeOptions>(&parts.model);
  if (auto const tokens = config.optional_section("added_tokens_decoder")) read_added_tokens_decoder(*tokens, parts);
  read_special_tokens(json, name, parts);
  for (auto const& [key, value] : json.items()) {
    bool const is_read = std::ranges::find(ignored_config_keys, key) != std::end(ignored_config_keys) ||
                         std::ranges::find(token_keys, key) != std::end(token_keys) ||
                         std::ranges::find(special_token_keys, key, &SpecialTokenKey::key) != std::end(special_token_keys);
    bool const is_unset = value.is_null() || value == false || value == "" || ((value.is_array() || value.is_object()) && value.empty());
    if (is_read) continue;
    if (key == "model_max_length") {  // Hugging Face writes 1e30 for "no limit".
      auto const length = integer_from<std::size_t>(value);
      if (length && *length < 1'000'000'000)
        parts.model_max_length = *length;
      else if (!value.is_number() && !value.is_null())
        throw_json_type(value, key, "a number", name);
    } else if (key == "clean_up_tokenization_spaces") {
      parts.decoder.clean_up_tokenization_spaces = config.get_or<bool>(key, false) && bpe == nullptr;  // Byte-level text has no such gaps.
    } else if (word_piece != nullptr && key == "do_lower_case") {
      word_piece->normalizer.lowercase = config.get_or<bool>(key, true);
    } else if (word_piece != nullptr && key == "strip_accents") {
      word_piece->normalizer.strip_accents = config.get<bool>(key);
    } else if (word_piece != nullptr && key == "tokenize_chinese_chars") {
      word_piece->normalizer.handle_chinese_chars = config.get_or<bool>(key, true);
    } else if (word_piece != nullptr && key == "do_basic_tokenize") {
      if (!config.get_or<bool>(key, true)) config.refuse(key, value);
    } else if (bpe != nullptr && key == "add_prefix_space") {
      bpe->add_prefix_space = config.get_or<bool>(key, false);
      parts.post_processor.add_prefix_space = bpe->add_prefix_space;
    } else if (bpe != nullptr && key == "trim_offsets") {
      parts.post_processor.trim_offsets = config.get_or<bool>(key, true);
    } else if (bpe != nullptr && key == "errors") {
      if (config.get_or<std::string>(key, "replace") != "replace") config.refuse(key, value);
    } else if (!is_unset) {
      config.refuse(key, value);
    }
  }
}

}  // namespace axiform::detail
