/// @file
/// tokenizer_config.json, special_tokens_map.json and added_tokens.json: what they change in a tokenizer's parts, in the order and with the
/// precedence of transformers 5.24 (`PreTrainedTokenizerBase._from_pretrained`).
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

#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_token_list.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/tokenizer_json.hpp>
#include <axiform/text/tokenizer_parts.hpp>

namespace axiform::detail {

/// Where the parts come from: some settings are for tokenizers that are made of their vocabulary, and say nothing beside tokenizer.json.
enum class TokenizerSource { tokenizer_json, vocabulary };

struct SpecialTokenKey {
  std::string_view key;
  std::optional<TokenId> SpecialTokens::* member;
};
/// In the order in which transformers adds them.
inline constexpr SpecialTokenKey special_token_keys[] = {{"bos_token", &SpecialTokens::bos},  {"eos_token", &SpecialTokens::eos},
                                                         {"unk_token", &SpecialTokens::unk},  {"sep_token", &SpecialTokens::sep},
                                                         {"pad_token", &SpecialTokens::pad},  {"cls_token", &SpecialTokens::cls},
                                                         {"mask_token", &SpecialTokens::mask}};

AXIFORM_COLD inline SpecialTokenKey const* find_special_token_key(std::string_view key) noexcept {
  for (SpecialTokenKey const& each : special_token_keys)
    if (each.key == key) return &each;
  return nullptr;
}

/// A token that has a part to play, and the key that names it: `mask_token`, or one of a model's own such as `image_token`.
struct NamedToken {
  std::string key;
  AddedToken token;
};

/// The tokens that the directory's files name, and the rest of its special tokens.
struct NamedTokens {
  std::vector<NamedToken> named;
  std::vector<AddedToken> others;

  AddedToken const* find(std::string_view key) const noexcept {
    for (NamedToken const& one : named)
      if (one.key == key) return &one.token;
    return nullptr;
  }
  void set(std::string_view key, AddedToken token) {
    for (NamedToken& one : named)
      if (one.key == key) return void(one.token = std::move(token));
    named.push_back({std::string(key), std::move(token)});
  }
};

/// A special token as a configuration names it: a string, or an object with `content`.
AXIFORM_COLD inline AddedToken special_token_from(Json const& json, std::string const& where) {
  if (json.is_string()) return {.content = json.get<std::string>(), .id = -1, .special = true};
  Section const token(json, where);
  AddedToken result = added_token_from(token, -1);
  result.special = true;
  result.normalized = token.get_or<bool>("normalized", false);
  return result;
}

/// A key that a model names tokens of its own by, as transformers takes it: `image_token`.
AXIFORM_COLD inline bool names_token(std::string_view key, Json const& value) {
  return key.ends_with("_token") && value.is_string() && value != "";
}

/// Adds what the file names to `tokens`; of keys that both files have, the one that is read last counts.
AXIFORM_COLD inline void read_special_tokens(Json const& json, std::string const& name, NamedTokens& tokens) {
  find_member(json, "extra_special_tokens", name);  // Throws unless it is an object.
  for (auto const& [key, value] : json.items()) {
    bool const is_known = find_special_token_key(key) != nullptr;
    if (is_known ? !value.is_null() && value != "" : names_token(key, value))
      tokens.set(key, special_token_from(value, name + ": " + printable(key)));
  }
  for (std::string const key : {"extra_special_tokens", "additional_special_tokens"}) {
    Json const* const value = find_member(json, key, name);
    if (value == nullptr || value->is_null() || value->empty()) continue;
    if (!value->is_array() && !value->is_object()) throw_json_type(*value, key, "an array", name);
    if (value->is_object()) {
      for (auto const& [own_key, token] : value->items()) tokens.set(own_key, special_token_from(token, name + ": " + key));
    } else {
      for (Json const& token : *value) tokens.others.push_back(special_token_from(token, name + ": " + key));
    }
    return;  // transformers reads the second only without the first.
  }
}

/// `added_tokens_decoder`: {"0": {"content": "[PAD]", …}, …}, in order of ids. It prevails over what tokenizer.json says of the same tokens.
AXIFORM_COLD inline void read_added_tokens_decoder(Section const& tokens, AddedTokenList& list) {
  std::vector<AddedToken> by_id;
  for (auto const& [key, value] : tokens.json().items()) {
    TokenId id = 0;
    auto const [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc{} || end != key.data() + key.size() || id < 0)
      throw_format_error({tokens.where(), ": found the key ", in_quotes(key), ", expected an id"});
    by_id.push_back(added_token_from(Section(value, tokens.where() + ": " + key), id));
  }
  stable_sort(by_id, [](AddedToken const& a, AddedToken const& b) { return a.id < b.id; });
  for (AddedToken& token : by_id) list.replace(std::move(token), tokens.where());
}

/// added_tokens.json, which tokenizers wrote before tokenizer_config.json had `added_tokens_decoder`: {"[E1]": 30522, …}. Those of `special`
/// are special; the additional ones of special_tokens_map.json are not among them, in transformers.
AXIFORM_COLD inline void read_added_tokens_json(Json const& json, std::string const& name, NamedTokens const& special,
                                                AddedTokenList& list) {
  if (!json.is_object()) throw_format_error({name, ": found ", describe_json(json), ", expected an object of tokens and their ids"});
  StringTable special_contents;
  auto const add = [&](std::string const& content) {
    if (!content.empty()) special_contents.insert(content, 0);
  };
  for (NamedToken const& named : special.named) add(named.token.content);
  for (AddedToken const& other : special.others) add(other.content);
  std::vector<AddedToken> by_id;
  for (auto const& [content, value] : json.items()) {
    auto const id = scalar_from<TokenId>(value);
    if (!id || *id < 0) throw_format_error({name, ": token ", in_quotes(content), ": found ", describe_json(value), ", expected an id"});
    bool const is_special = special_contents.find(content) != StringTable::absent;
    by_id.push_back({.content = content, .id = *id, .normalized = !is_special, .special = is_special});
  }
  stable_sort(by_id, [](AddedToken const& a, AddedToken const& b) { return a.id < b.id; });
  for (AddedToken& token : by_id) list.add(std::move(token), name);
}

/// Adds the tokens that have a part to play, and says in the parts which they are.
AXIFORM_COLD inline void add_special_tokens(NamedTokens const& tokens, std::string const& name, AddedTokenList& list,
                                            TokenizerParts& parts) {
  auto const add = [&](AddedToken const& token) {
    list.add_special(token, name);
    return list.find(token.content)->id;
  };
  for (auto const& [key, member] : special_token_keys)
    if (AddedToken const* const token = tokens.find(key)) parts.special_tokens.*member = add(*token);
  for (auto const& [key, token] : tokens.named)
    if (find_special_token_key(key) == nullptr) add(token);
  for (AddedToken const& token : tokens.others) list.add(token, name);
}

/// Keys that change no id, offset or text here: where the file was, which program wrote it, what other programs need; what is the caller's to
/// say (truncation, padding); and what only tokenizers outside of these families heed.
inline constexpr std::string_view keys_without_effect[] = {"_commit_hash",
                                                           "_from_auto",
                                                           "add_bos_token",
                                                           "add_eos_token",
                                                           "add_prefix_space",
                                                           "added_tokens_decoder",
                                                           "additional_special_tokens",
                                                           "auto_map",
                                                           "backend",
                                                           "bos_token_id",
                                                           "chat_template",
                                                           "chat_control_tokens",
                                                           "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
                                                           "cls_token_id",
                                                           "cls_token_segment_id",
                                                           "device",
                                                           "device_map",
                                                           "do_basic_tokenize",
                                                           "do_lower_case",
                                                           "do_word_tokenize",
                                                           "do_subword_tokenize",
                                                           "eos_token_id",
                                                           "errors",
                                                           "extra_ids",
                                                           "extra_special_tokens",
                                                           "files_loaded",
                                                           "from_slow",
                                                           "from_flax",
                                                           "from_pt",
                                                           "from_tf",
                                                           "full_tokenizer_file",
                                                           "init_inputs",
                                                           "is_fast",
                                                           "is_local",
                                                           "keep_accents",
                                                           "language_codes",
                                                           "legacy",
                                                           "legacy_behaviour",
                                                           "local_files_only",
                                                           "mask_token_id",
                                                           "mask_token_sent",
                                                           "max_len",
                                                           "max_length",
                                                           "max_seq_length",
                                                           "mecab_kwargs",
                                                           "merges_file",
                                                           "model_input_names",
                                                           "model_type",
                                                           "name_or_path",
                                                           "never_split",
                                                           "num_madeup_words",
                                                           "offset",
                                                           "pad_to_max_length",
                                                           "pad_to_multiple_of",
                                                           "pad_token_id",
                                                           "pad_token_type_id",
                                                           "padding",
                                                           "pretrained_model_name_or_path",
                                                           "processor_class",
                                                           "remove_space",
                                                           "response_template",
                                                           "return_token_type_ids",
                                                           "revision",
                                                           "sep_token_id",
                                                           "separate_vocabs",
                                                           "sequence_length",
                                                           "slow_tokenizer_class",
                                                           "source_lang",
                                                           "sp_model_kwargs",
                                                           "spaces_between_special_tokens",
                                                           "special_tokens_map_file",
                                                           "spm_file",
                                                           "src_lang",
                                                           "stride",
                                                           "strip_accents",
                                                           "target_lang",
                                                           "target_vocab_file",
                                                           "task_type",
                                                           "tgt_lang",
                                                           "tokenize_chinese_chars",
                                                           "tokenizer_class",
                                                           "tokenizer_file",
                                                           "tokenizer_type",
                                                           "torch_dtype",
                                                           "transformers_version",
                                                           "trim_offsets",
                                                           "truncation",
                                                           "truncation_strategy",
                                                           "trust_remote_code",
                                                           "unk_id",
                                                           "unk_token_id",
                                                           "use_default_system_prompt",
                                                           "use_fast",
                                                           "vocab_file",
                                                           "vocab_size",
                                                           "wordpieces_prefix"};

/// What a key without a meaning for anyone looks like.
AXIFORM_COLD inline bool is_unset(Json const& value) {
  return value.is_null() || value == false || value == "" || ((value.is_array() || value.is_object()) && value.empty());
}

/// Refuses the settings that change ids in a tokenizer made of its vocabulary, and that we lack.
AXIFORM_COLD inline void refuse_lacking_settings(Section const& config) {
  auto const refuse_unless = [&](std::string_view key, auto const& is_usual) {
    Json const* const value = find_member(config.json(), key, config.where());
    if (value != nullptr && !is_unset(*value) && !is_usual(*value)) config.refuse(key, *value);
  };
  auto const never = [](Json const&) { return false; };
  refuse_unless("never_split", never);
  refuse_unless("normalization", never);  // BERTweet's.
  refuse_unless("wordpieces_prefix", [](Json const& value) { return value == "##"; });
  refuse_unless("word_tokenizer_type", [](Json const& value) { return value == "basic"; });  // The Japanese ones'.
  refuse_unless("subword_tokenizer_type", [](Json const& value) { return value == "wordpiece"; });
  if (!config.get_or<bool>("do_basic_tokenize", true)) config.refuse("do_basic_tokenize", false);
}

/// `add_bos_token` and `add_eos_token` of a GPT-2 without tokenizer.json.
AXIFORM_COLD inline void put_ends_round_text(Section const& config, TokenizerParts& parts) {
  auto const ends = [&](std::string_view key, std::optional<TokenId> id, std::string_view token) -> std::vector<TokenId> {
    if (!config.get_or<bool>(key, false)) return {};
    if (!id) throw_format_error({config.where(), ": found ", printable(key), ", and no ", std::string(token)});
    return {*id};
  };
  auto const bos = ends("add_bos_token", parts.special_tokens.bos, "bos_token");
  auto const eos = ends("add_eos_token", parts.special_tokens.eos, "eos_token");
  parts.post_processor = PostProcessor::between(bos, eos);
}

/// Honours the settings of tokenizer_config.json that are not tokens. It prevails over tokenizer.json.
AXIFORM_COLD inline void apply_tokenizer_config(Section const& config, TokenizerSource source, TokenizerParts& parts) {
  auto* const word_piece = std::get_if<WordPieceOptions>(&parts.model);
  auto* const bpe = std::get_if<ByteBpeOptions>(&parts.model);
  if (source == TokenizerSource::vocabulary) refuse_lacking_settings(config);
  for (auto const& [key, value] : config.json().items()) {
    if (key == "model_max_length") {  // Hugging Face writes 1e30 for "no limit".
      auto const length = scalar_from<std::size_t>(value);
      if (length && *length < 1'000'000'000)
        parts.model_max_length = *length;
      else if (!value.is_number() && !value.is_null())
        throw_json_type(value, key, "a number", config.where());
    } else if (key == "clean_up_tokenization_spaces") {
      parts.decoder.clean_up_tokenization_spaces = config.get_or<bool>(key, false) && bpe == nullptr;  // Byte-level text has no such gaps.
    } else if (key == "padding_side" && !is_unset(value)) {
      parts.padding.side = config.is_left(key) ? PaddingSide::left : PaddingSide::right;
    } else if (key == "truncation_side" && !is_unset(value)) {
      parts.options.truncation_side = config.is_left(key) ? TruncationSide::left : TruncationSide::right;
    } else if (key == "split_special_tokens") {
      if (!is_unset(value)) config.refuse(key, value);
    } else if (word_piece != nullptr && key == "do_lower_case") {
      word_piece->normalizer.lowercase = config.get_or<bool>(key, true);
    } else if (word_piece != nullptr && key == "strip_accents") {
      word_piece->normalizer.strip_accents = config.get<bool>(key);
    } else if (word_piece != nullptr && key == "tokenize_chinese_chars") {
      word_piece->normalizer.handle_chinese_chars = config.get_or<bool>(key, true);
    } else if (bpe != nullptr && key == "add_prefix_space") {
      bpe->add_prefix_space = config.get_or<bool>(key, false);
      parts.post_processor.add_prefix_space = bpe->add_prefix_space;
    } else if (bpe != nullptr && key == "trim_offsets") {
      parts.post_processor.trim_offsets = config.get_or<bool>(key, true);
    } else if (!is_unset(value) && !names_token(key, value) && find_special_token_key(key) == nullptr &&
               std::find(std::begin(keys_without_effect), std::end(keys_without_effect), key) == std::end(keys_without_effect)) {
      parts.notes.push_back(config.where() + ": the setting " + in_quotes(key) + ", here " + describe_json(value) +
                            ", is not known and was passed over");
    }
  }
}

}  // namespace axiform::detail
