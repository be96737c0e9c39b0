/// @file
/// How `Tokenizer` is read from a directory's files. Include text/tokenizer.hpp, which includes this header wherever the definitions belong.
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_path.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_token_list.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_config.hpp>
#include <axiform/text/tokenizer_family.hpp>
#include <axiform/text/tokenizer_json.hpp>
#include <axiform/text/tokenizer_parts.hpp>

namespace axiform {

namespace detail {

/// Reads a directory whose tokenizer is a SentencePiece model; null in a program that is spared the code.
using SentencePieceReader = Tokenizer (*)(TokenizerDirectory const& directory, ConfigFile const& config, FamilyFound const& found);

#if defined(AXIFORM_COMPILED)
// The compiled library reads all (text/tokenizer_files.hpp).
Tokenizer tokenizer_of_gguf(std::filesystem::path const& path);
Tokenizer sentencepiece_of_directory(TokenizerDirectory const& directory, ConfigFile const& config, FamilyFound const& found);
inline constexpr SentencePieceReader sentencepiece_reader_of_paths = sentencepiece_of_directory;
#else
inline constexpr SentencePieceReader sentencepiece_reader_of_paths = nullptr;
#endif

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

/// The id of a token that the family cannot do without.
AXIFORM_COLD inline TokenId require_token(NamedTokens const& tokens, std::string_view key, AddedTokenList const& list,
                                          std::string const& name) {
  AddedToken const* const token = tokens.find(key);
  if (token != nullptr)
    if (auto const id = list.id_of(token->content)) return *id;
  throw_format_error({name, ": the token ", in_quotes(token != nullptr ? token->content : key), " is missing"});
}

/// Tokens, in the order of their ids, of vocab.txt. Whitespace at the end of a line is no part of its token, as in the crate.
AXIFORM_COLD inline Vocabulary vocabulary_from_lines(std::filesystem::path const& path) {
  std::vector<std::string> lines = split_lines(read_file(path));
  for (std::string& line : lines)
    if (is_valid_utf8(line)) line.resize(line.size() - AddedTokenMatcher::trailing_space(line));
  Vocabulary vocabulary(lines, path.string());
  if (vocabulary.size() == 0) throw_format_error({path.string(), ": has no tokens"});
  return vocabulary;
}

/// What is in vocab.txt, and how BERT's tokenizer takes it; special tokens come later.
AXIFORM_COLD inline TokenizerParts word_piece_parts(std::filesystem::path const& path, BertTokenizerOptions const& options) {
  TokenizerParts parts;
  parts.vocabulary = vocabulary_from_lines(path);
  WordPieceOptions model;
  model.normalizer.lowercase = options.do_lower_case;
  model.normalizer.strip_accents = options.strip_accents;
  model.normalizer.handle_chinese_chars = options.tokenize_chinese_chars;
  parts.model = std::move(model);
  parts.decoder.kind = DecoderOptions::Kind::word_piece;
  return parts;
}

AXIFORM_COLD inline BpeMerges merges_from(std::filesystem::path const& path) {
  BpeMerges merges;
  std::size_t number = 0;
  for (std::string const& line : split_lines(read_file(path))) {
    ++number;
    if (line.starts_with("#version")) continue;
    auto const space = line.find(' ');
    if (space == line.npos || line.find(' ', space + 1) != line.npos)
      throw_format_error(
          {path.string(), ": line ", std::to_string(number), ": found ", in_quotes(line), ", expected two tokens with one space between"});
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

/// What is in vocab.json and merges.txt, and how GPT-2's and RoBERTa's tokenizers take it; special tokens come later.
AXIFORM_COLD inline TokenizerParts byte_bpe_parts(std::filesystem::path const& vocabulary, std::filesystem::path const& merges,
                                                  bool add_prefix_space) {
  TokenizerParts parts;
  parts.vocabulary = vocabulary_from(read_json(vocabulary), vocabulary.string());
  parts.merges = merges_from(merges);
  ByteBpeOptions model;
  model.add_prefix_space = add_prefix_space;
  parts.model = std::move(model);
  parts.decoder.kind = DecoderOptions::Kind::byte_level;
  return parts;
}

/// Special tokens by their keys; a key without a token has none.
AXIFORM_COLD inline NamedTokens tokens_named(std::initializer_list<std::pair<char const*, std::string>> contents) {
  NamedTokens tokens;
  for (auto const& [key, content] : contents)
    if (!content.empty()) tokens.set(key, {.content = content, .id = -1, .special = true});
  return tokens;
}

AXIFORM_COLD inline NamedTokens default_tokens(BertTokenizerOptions const& options) {
  return tokens_named({{"unk_token", options.unk_token},
                       {"sep_token", options.sep_token},
                       {"pad_token", options.pad_token},
                       {"cls_token", options.cls_token},
                       {"mask_token", options.mask_token}});
}

AXIFORM_COLD inline NamedTokens default_tokens(Gpt2TokenizerOptions const& options) {
  return tokens_named({{"bos_token", options.bos_token},
                       {"eos_token", options.eos_token},
                       {"unk_token", options.unk_token},
                       {"pad_token", options.pad_token}});
}

/// RoBERTa's, whose `<mask>` takes the space before it along: so its checkpoints say, and so transformers had it up to version 4; in 5.24 a
/// directory that has neither tokenizer.json nor a word of its own on it loses this.
AXIFORM_COLD inline NamedTokens roberta_tokens() {
  NamedTokens tokens = tokens_named({{"bos_token", "<s>"},
                                     {"eos_token", "</s>"},
                                     {"unk_token", "<unk>"},
                                     {"sep_token", "</s>"},
                                     {"pad_token", "<pad>"},
                                     {"cls_token", "<s>"}});
  tokens.set("mask_token", {.content = "<mask>", .id = -1, .lstrip = true, .special = true});
  return tokens;
}

AXIFORM_COLD inline NamedTokens default_tokens(TokenizerFamily family) {
  if (family == TokenizerFamily::bert) return default_tokens(BertTokenizerOptions{});
  return family == TokenizerFamily::gpt2 ? default_tokens(Gpt2TokenizerOptions{}) : roberta_tokens();
}

/// Puts the special tokens in their places and what belongs round a text. `tokens` are those of the files where they name one, else the
/// family's; a `defaults` token that stands nowhere is left out rather than given an id that no model was trained with, unless it is GPT-2's.
AXIFORM_COLD inline void finish_family(TokenizerFamily family, NamedTokens tokens, NamedTokens const& defaults, std::string const& name,
                                       AddedTokenList& list, TokenizerParts& parts) {
  for (auto const& [key, token] : defaults.named)
    if (tokens.find(key) == nullptr) {
      bool const is_needed = family == TokenizerFamily::gpt2 || key == "unk_token" || key == "cls_token" || key == "sep_token";
      if (is_needed || list.id_of(token.content)) tokens.set(key, token);
    }
  if (family != TokenizerFamily::gpt2) {
    require_token(tokens, "unk_token", list, name);
    TokenId const cls = require_token(tokens, "cls_token", list, name);
    TokenId const sep = require_token(tokens, "sep_token", list, name);
    parts.post_processor = family == TokenizerFamily::bert ? PostProcessor::bert(cls, sep) : PostProcessor::roberta(cls, sep);
    parts.post_processor.trim_offsets = family == TokenizerFamily::roberta;
  }
  if (auto* const word_piece = std::get_if<WordPieceOptions>(&parts.model)) word_piece->unk_token = tokens.find("unk_token")->content;
  add_special_tokens(tokens, name, list, parts);
}

/// The pair of files of a byte-level vocabulary, under today's names or those that OpenAI gave GPT-2's; empty paths when there is none.
AXIFORM_COLD inline std::pair<std::filesystem::path, std::filesystem::path> vocabulary_and_merges(std::filesystem::path const& directory) {
  for (auto const& [vocabulary, merges] : {std::pair{"vocab.json", "merges.txt"}, {"encoder.json", "vocab.bpe"}})
    if (has_file(directory, vocabulary) && has_file(directory, merges)) return {directory / vocabulary, directory / merges};
  return {};
}

/// The SentencePiece model, under one of the names that families give it; an empty path when there is none.
AXIFORM_COLD inline std::filesystem::path sentencepiece_file(std::filesystem::path const& directory) {
  for (char const* const name :
       {"sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "spm.model", "sentencepiece.model", "source.spm"})
    if (has_file(directory, name)) return directory / name;
  return {};
}

/// What the files' names and their tokens say, where no setting says anything.
AXIFORM_COLD inline FamilyFound family_by_files(std::filesystem::path const& directory) {
  if (has_file(directory, "vocab.txt")) return {TokenizerFamily::bert, directory.string() + ": vocab.txt"};
  if (has_file(directory, "source.spm")) return {TokenizerFamily::marian, directory.string() + ": source.spm"};
  auto const path = vocabulary_and_merges(directory).first;
  if (path.empty()) return {TokenizerFamily::sentencepiece, sentencepiece_file(directory).string()};
  Json const vocabulary = read_json(path);
  if (vocabulary.is_object() && vocabulary.contains("<s>") && vocabulary.contains("</s>"))
    throw_checkpoint_error({path.string(),
                            ": has \"<s>\" and \"</s>\", so it may be RoBERTa's or another's; expected tokenizer.json, tokenizer_class ",
                            "in tokenizer_config.json or model_type in config.json, to tell which"});
  return {TokenizerFamily::gpt2, path.string()};
}

/// The family of a directory without tokenizer.json.
AXIFORM_COLD inline FamilyFound family_of_directory(TokenizerDirectory const& directory, ConfigFile const& config) {
  ConfigFile const model = ConfigFile::read(directory, "config.json");
  auto found = family_by_class(config);
  if (!found) found = family_by_class(model);
  if (!found) found = family_by_model(model);
  return found ? *found : family_by_files(directory.path);
}

AXIFORM_COLD inline TokenizerParts parts_from_vocabulary(std::filesystem::path const& directory, FamilyFound const& found) {
  if (found.family == TokenizerFamily::bert) {
    if (has_file(directory, "vocab.txt")) return word_piece_parts(directory / "vocab.txt", {});
    throw_checkpoint_error(
        {found.where, ": expected tokenizer.json or vocab.txt in ", directory.string(), ", found vocab.json and merges.txt"});
  }
  auto const [vocabulary, merges] = vocabulary_and_merges(directory);
  if (!vocabulary.empty()) return byte_bpe_parts(vocabulary, merges, false);
  throw_checkpoint_error(
      {found.where, ": expected tokenizer.json, or vocab.json and merges.txt, in ", directory.string(), ", found vocab.txt"});
}

/// The tokens that a directory's files name besides the vocabulary: those with a part to play are returned, and `list` gets the others.
AXIFORM_COLD inline NamedTokens read_named_tokens(TokenizerDirectory const& directory, ConfigFile const& config, AddedTokenList& list) {
  NamedTokens tokens;
  read_special_tokens(config.json, config.name, tokens);
  if (auto const added = Section(config.json, config.name).optional_section("added_tokens_decoder")) {
    read_added_tokens_decoder(*added, list);
    return tokens;
  }
  // Before there was such a key, two more files said it.
  ConfigFile const map = ConfigFile::read(directory, "special_tokens_map.json");
  ConfigFile const added_tokens = ConfigFile::read(directory, "added_tokens.json");
  NamedTokens of_map;
  read_special_tokens(map.json, map.name, of_map);
  for (auto& [key, token] : of_map.named) tokens.set(key, std::move(token));
  read_added_tokens_json(added_tokens.json, added_tokens.name, tokens, list);
  tokens.others.insert(tokens.others.end(), of_map.others.begin(), of_map.others.end());
  return tokens;
}

/// The tokenizer of a directory that Hugging Face has written.
AXIFORM_COLD inline Tokenizer tokenizer_of_directory(TokenizerDirectory const& directory, SentencePieceReader read_sentencepiece) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory.path, ignored)) throw FileError(message({directory.path.string(), ": is not a directory"}));
  bool const has_json = directory.has("tokenizer.json");
  if (!has_json && !directory.has("vocab.txt") && vocabulary_and_merges(directory.path).first.empty() &&
      sentencepiece_file(directory.path).empty())
    throw FileError(
        message({directory.path.string(),
                 ": has no tokenizer: expected tokenizer.json, vocab.txt, vocab.json and merges.txt, or a SentencePiece model such as "
                 "tokenizer.model"}));
  ConfigFile const config = ConfigFile::read(directory, "tokenizer_config.json");
  std::string const name = has_json ? directory.name_of("tokenizer.json") : directory.path.string();
  std::optional<FamilyFound> found;
  if (!has_json) found = family_of_directory(directory, config);
  if (found && has_sentencepiece_model(found->family)) {
    if (sentencepiece_file(directory.path).empty())
      throw_checkpoint_error({found->where, ": expected tokenizer.json, or a SentencePiece model such as sentencepiece.bpe.model, in ",
                              directory.path.string(), ", found neither"});
    if (read_sentencepiece != nullptr) return read_sentencepiece(directory, config, *found);
    throw FileError(message({directory.path.string(),
                             ": has a SentencePiece model and no tokenizer.json; to read it, include axiform/text/tokenizer_files.hpp "
                             "and open a ModelDirectory"}));
  }
  TokenizerParts parts = found ? parts_from_vocabulary(directory.path, *found) : parts_from_tokenizer_json(read_json(name), name);
  AddedTokenList list(parts);
  NamedTokens tokens = read_named_tokens(directory, config, list);
  if (found)
    finish_family(found->family, std::move(tokens), default_tokens(found->family), name, list, parts);
  else
    add_special_tokens(tokens, config.name, list, parts);
  Section const settings(config.json, config.name);
  apply_tokenizer_config(settings, found ? TokenizerSource::vocabulary : TokenizerSource::tokenizer_json, parts);
  if (found && found->family == TokenizerFamily::gpt2) put_ends_round_text(settings, parts);
  return Tokenizer(std::move(parts), name);
}

}  // namespace detail

AXIFORM_COLD AXIFORM_INLINE Tokenizer Tokenizer::from_path(std::filesystem::path const& given) {
  auto const path = detail::resolve_model_path(given);
  if (detail::is_gguf(path)) {
#if defined(AXIFORM_COMPILED)
    return detail::tokenizer_of_gguf(path);
#else
    throw FileError(detail::message(
        {path.string(), ": is a GGUF file; to read it, include axiform/text/tokenizer_files.hpp and open a ModelDirectory"}));
#endif
  }
  auto const json = [&](std::string const& name) { return detail::has_file(path, name) ? read_json(path / name) : Json(); };
  return detail::tokenizer_of_directory({path, json}, detail::sentencepiece_reader_of_paths);
}

AXIFORM_COLD AXIFORM_INLINE Tokenizer Tokenizer::from_tokenizer_json(std::filesystem::path const& file) {
  return Tokenizer(detail::parts_from_tokenizer_json(read_json(file), file.string()), file.string());
}

AXIFORM_COLD AXIFORM_INLINE Tokenizer Tokenizer::from_vocab_txt(std::filesystem::path const& vocabulary,
                                                                BertTokenizerOptions const& options) {
  TokenizerParts parts = detail::word_piece_parts(vocabulary, options);
  detail::AddedTokenList list(parts);
  detail::finish_family(detail::TokenizerFamily::bert, {}, detail::default_tokens(options), vocabulary.string(), list, parts);
  return Tokenizer(std::move(parts), vocabulary.string());
}

AXIFORM_COLD AXIFORM_INLINE Tokenizer Tokenizer::from_vocab_and_merges(std::filesystem::path const& vocabulary,
                                                                       std::filesystem::path const& merges,
                                                                       Gpt2TokenizerOptions const& options) {
  TokenizerParts parts = detail::byte_bpe_parts(vocabulary, merges, options.add_prefix_space);
  detail::AddedTokenList list(parts);
  detail::finish_family(detail::TokenizerFamily::gpt2, {}, detail::default_tokens(options), vocabulary.string(), list, parts);
  return Tokenizer(std::move(parts), vocabulary.string());
}

}  // namespace axiform
