/// @file
/// Tokenizers from files: tokenizer.json, vocab.txt, vocab.json with merges.txt, or a directory that has one of them.
///
///     auto const bert = Tokenizer::from_directory("models/minilm-l6");
///     auto const gpt2 = Tokenizer::from_vocab_and_merges("gpt2/vocab.json", "gpt2/merges.txt");
///
/// This header parses JSON and costs some seconds of compile time; where a tokenizer is only used, text/tokenizer.hpp is enough.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/streaming_decoder.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_config.hpp>
#include <axiform/text/tokenizer_json.hpp>

namespace axiform {

namespace detail {

/// Lines without their ends (`\n` or `\r\n`).
inline std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::size_t const end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

inline TokenId require_token(Vocabulary const& vocabulary, std::string const& token, std::string const& name) {
  if (auto const id = vocabulary.find(token)) return *id;
  throw FormatError(name + ": the token " + in_quotes(token) + " is missing");
}

inline TokenizerParts parts_from_vocab_txt(std::filesystem::path const& path, BertTokenizerOptions const& options) {
  std::string const name = path.string();
  TokenizerParts parts;
  parts.vocabulary = Vocabulary(split_lines(read_file(path)), name);
  if (parts.vocabulary.size() == 0) throw FormatError(name + ": has no tokens");
  SpecialTokens& special = parts.special_tokens;
  special.unk = require_token(parts.vocabulary, options.unk_token, name);
  special.cls = require_token(parts.vocabulary, options.cls_token, name);
  special.sep = require_token(parts.vocabulary, options.sep_token, name);
  special.pad = parts.vocabulary.find(options.pad_token);
  special.mask = parts.vocabulary.find(options.mask_token);
  for (auto const& token : {options.unk_token, options.sep_token, options.pad_token, options.cls_token, options.mask_token})
    if (auto const id = parts.vocabulary.find(token)) put_added_token(parts, {.content = token, .id = *id, .special = true});
  WordPieceOptions model;
  model.normalizer.lowercase = options.do_lower_case;
  model.normalizer.strip_accents = options.strip_accents;
  model.normalizer.handle_chinese_chars = options.tokenize_chinese_chars;
  model.unk_token = options.unk_token;
  parts.model = std::move(model);
  parts.post_processor = PostProcessor::bert(*special.cls, *special.sep);
  parts.decoder.kind = DecoderOptions::Kind::word_piece;
  return parts;
}

inline ByteBpe::Merges merges_from(std::filesystem::path const& path) {
  ByteBpe::Merges merges;
  std::size_t number = 0;
  for (std::string const& line : split_lines(read_file(path))) {
    ++number;
    if (line.starts_with("#version")) continue;
    auto const space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos)
      throw FormatError(path.string() + ": line " + std::to_string(number) + ": found " + in_quotes(line) +
                        ", expected two tokens with one space between");
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

inline TokenizerParts parts_from_vocab_and_merges(std::filesystem::path const& vocabulary, std::filesystem::path const& merges,
                                                  Gpt2TokenizerOptions const& options) {
  TokenizerParts parts;
  parts.vocabulary = vocabulary_from(read_json(vocabulary), vocabulary.string());
  parts.merges = merges_from(merges);
  ByteBpeOptions model;
  model.add_prefix_space = options.add_prefix_space;
  parts.model = std::move(model);
  parts.decoder.kind = DecoderOptions::Kind::byte_level;
  auto const put = [&](std::string const& token) -> std::optional<TokenId> {
    if (token.empty()) return std::nullopt;
    return put_added_token(parts, {.content = token, .special = true});
  };
  SpecialTokens& special = parts.special_tokens;
  special.bos = put(options.bos_token);
  special.eos = put(options.eos_token);
  special.unk = put(options.unk_token);
  special.pad = put(options.pad_token);
  return parts;
}

/// What tells RoBERTa's vocab.json and merges.txt from GPT-2's: the names of its special tokens and what it puts round the text.
inline void make_roberta(TokenizerParts& parts, std::string const& name) {
  SpecialTokens& special = parts.special_tokens;
  special.cls = special.bos = require_token(parts.vocabulary, "<s>", name);
  special.sep = special.eos = require_token(parts.vocabulary, "</s>", name);
  special.unk = require_token(parts.vocabulary, "<unk>", name);
  special.pad = require_token(parts.vocabulary, "<pad>", name);
  special.mask = require_token(parts.vocabulary, "<mask>", name);
  for (char const* const token : {"<s>", "</s>", "<unk>", "<pad>"}) put_added_token(parts, {.content = token, .special = true});
  put_added_token(parts, {.content = "<mask>", .lstrip = true, .special = true});
  parts.post_processor = PostProcessor::roberta(*special.cls, *special.sep);
  parts.post_processor.trim_offsets = true;
}

/// The string that `key` of a configuration holds, itself or as `content`.
inline std::string token_name(Json const& config, std::string_view key, std::string otherwise, std::string const& name) {
  Json const* const value = find_member(config, key, name);
  if (value == nullptr || value->is_null()) return otherwise;
  if (value->is_object()) return require<std::string>(*value, "content", name + ": " + std::string(key));
  return require<std::string>(config, key, name);
}

enum class TokenizerFamily { bert, gpt2, roberta, unknown };

/// The family that `tokenizer_class` names, with or without "Fast".
inline TokenizerFamily family_of(std::string_view tokenizer_class) {
  if (tokenizer_class.ends_with("Fast")) tokenizer_class.remove_suffix(4);
  for (std::string_view const name : {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"})
    if (tokenizer_class == name) return TokenizerFamily::bert;
  if (tokenizer_class == "GPT2Tokenizer") return TokenizerFamily::gpt2;
  if (tokenizer_class == "RobertaTokenizer") return TokenizerFamily::roberta;
  return TokenizerFamily::unknown;
}

inline TokenizerParts parts_from_vocabulary(std::filesystem::path const& directory, Json const& config, std::string const& config_name) {
  auto const tokenizer_class = get_or<std::string>(config, "tokenizer_class", "", config_name);
  bool const is_bert = std::filesystem::exists(directory / "vocab.txt");
  TokenizerFamily family = is_bert ? TokenizerFamily::bert : TokenizerFamily::gpt2;
  if (!tokenizer_class.empty() && tokenizer_class != "PreTrainedTokenizerFast") family = family_of(tokenizer_class);
  if (family == TokenizerFamily::unknown || is_bert != (family == TokenizerFamily::bert))
    throw CheckpointError(config_name + ": the tokenizer_class " + in_quotes(tokenizer_class) + " is not supported with " +
                          (is_bert ? "vocab.txt alone" : "vocab.json and merges.txt alone"));
  if (is_bert) {
    BertTokenizerOptions options;
    options.unk_token = token_name(config, "unk_token", options.unk_token, config_name);
    options.sep_token = token_name(config, "sep_token", options.sep_token, config_name);
    options.pad_token = token_name(config, "pad_token", options.pad_token, config_name);
    options.cls_token = token_name(config, "cls_token", options.cls_token, config_name);
    options.mask_token = token_name(config, "mask_token", options.mask_token, config_name);
    return parts_from_vocab_txt(directory / "vocab.txt", options);
  }
  Gpt2TokenizerOptions options;
  bool const is_roberta = family == TokenizerFamily::roberta;
  if (is_roberta)
    options.unk_token = options.bos_token = options.eos_token = "";
  else
    options.unk_token = token_name(config, "unk_token", options.unk_token, config_name);
  if (!is_roberta) options.bos_token = token_name(config, "bos_token", options.bos_token, config_name);
  if (!is_roberta) options.eos_token = token_name(config, "eos_token", options.eos_token, config_name);
  auto parts = parts_from_vocab_and_merges(directory / "vocab.json", directory / "merges.txt", options);
  if (is_roberta) make_roberta(parts, (directory / "vocab.json").string());
  return parts;
}

}  // namespace detail

inline Tokenizer Tokenizer::from_tokenizer_json(std::filesystem::path const& file) {
  return Tokenizer(detail::parts_from_tokenizer_json(read_json(file), file.string()), file.string());
}

inline Tokenizer Tokenizer::from_vocab_txt(std::filesystem::path const& vocabulary, BertTokenizerOptions const& options) {
  return Tokenizer(detail::parts_from_vocab_txt(vocabulary, options), vocabulary.string());
}

inline Tokenizer Tokenizer::from_vocab_and_merges(std::filesystem::path const& vocabulary, std::filesystem::path const& merges,
                                                  Gpt2TokenizerOptions const& options) {
  return Tokenizer(detail::parts_from_vocab_and_merges(vocabulary, merges, options), vocabulary.string());
}

inline Tokenizer Tokenizer::from_directory(ModelDirectory const& directory) {
  auto const has = [&](char const* name) { return std::filesystem::exists(directory / name); };
  if (!std::filesystem::is_directory(directory)) throw FileError(directory.string() + ": is not a directory");
  bool const has_json = has("tokenizer.json");
  if (!has_json && !has("vocab.txt") && !(has("vocab.json") && has("merges.txt")))
    throw FileError(directory.string() + ": has no tokenizer: expected tokenizer.json, vocab.txt, or vocab.json and merges.txt");
  std::string const config_name = (directory / "tokenizer_config.json").string();
  Json const config = has("tokenizer_config.json") ? read_json(directory / "tokenizer_config.json") : Json::object();
  if (!config.is_object()) throw FormatError(config_name + ": found " + describe_json(config) + ", expected an object");
  std::string const name = (directory / "tokenizer.json").string();
  TokenizerParts parts = has_json ? detail::parts_from_tokenizer_json(read_json(directory / "tokenizer.json"), name)
                                  : detail::parts_from_vocabulary(directory, config, config_name);
  if (has("special_tokens_map.json"))
    detail::read_special_tokens(read_json(directory / "special_tokens_map.json"), (directory / "special_tokens_map.json").string(), parts);
  detail::apply_tokenizer_config(config, config_name, parts);
  return Tokenizer(std::move(parts), has_json ? name : directory.string());
}

}  // namespace axiform
