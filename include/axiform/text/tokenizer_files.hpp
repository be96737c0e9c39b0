/// @file
/// Tokenizers from all files that the library reads: those of text/tokenizer.hpp, SentencePiece models, and GGUF files. They are read
/// where a directory is opened as a `ModelDirectory`; a program that links to axiform::compiled or axiform::tokenizers reads them from a path, too.
///
///     auto const smollm = Tokenizer::from_directory(ModelDirectory("models/smollm2.gguf"));
///     auto const llama = Tokenizer::from_sentencepiece_model("models/llama-2/tokenizer.model");
#pragma once

#include <axiform/core/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/text/tokenizer.hpp>

#if AXIFORM_DEFINES(text)
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/added_token_list.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/gguf_tokenizer.hpp>
#include <axiform/text/language_codes.hpp>
#include <axiform/text/sentencepiece_encoder.hpp>
#include <axiform/text/sentencepiece_tokenizer.hpp>
#include <axiform/text/tokenizer_config.hpp>
#include <axiform/text/tokenizer_family.hpp>
#include <axiform/text/tokenizer_loading.hpp>
#include <axiform/text/tokenizer_parts.hpp>

namespace axiform {

namespace detail {

/// Puts the special tokens in their places and what belongs round a text. As in `finish_family`, a default token that stands nowhere is left out.
inline void finish_sentencepiece(TokenizerFamily family, SentencePieceConverter const& converter, NamedTokens tokens,
                                 std::string const& name, AddedTokenList& list, TokenizerParts& parts) {
  NamedTokens const defaults = converter.defaults(family);
  for (auto const& [key, token] : defaults.named)
    if (tokens.find(key) == nullptr && list.id_of(token.content)) tokens.set(key, token);
  tokens.others.insert(tokens.others.begin(), defaults.others.begin(), defaults.others.end());
  add_special_tokens(tokens, name, list, parts);
}

/// The side of a translation that a tokenizer is for.
enum class TranslationSide { source, target };

/// Gives the vocabulary of an M2M100 the languages, whose ids follow, and their tokens to `tokens`.
inline void add_m2m100_languages(Section const& settings, std::string const& name, Vocabulary& vocabulary, NamedTokens& tokens) {
  auto const list = settings.get_or<std::string>("language_codes", "m2m100");
  if (list != "m2m100" && list != "wmt21") settings.refuse("language_codes", Json(list));
  auto next = static_cast<TokenId>(vocabulary.count());
  for (std::string const& code : list == "wmt21" ? words_of(wmt21_language_codes) : language_codes(TokenizerFamily::m2m100)) {
    std::string const token = "__" + code + "__";
    if (vocabulary.has(next))
      throw FormatError(name + ": found the id " + std::to_string(next) + ", expected ids from 0 on without a hole: those of the languages follow");
    if (!vocabulary.find(token)) vocabulary.put(token, next, name);
    ++next;
    tokens.others.push_back({.content = token, .id = -1, .special = true});
  }
}

/// The tokenizer of one side of Marian, or of M2M100, whose sides are one: pieces are SentencePiece's, ids those of vocab.json.
inline Tokenizer mapped_sentencepiece_of_directory(TokenizerDirectory const& directory, ConfigFile const& config, TokenizerFamily family,
                                                   TranslationSide side) {
  Section const settings(config.json, config.name);
  bool const is_marian = family == TokenizerFamily::marian;
  bool const is_target = is_marian && side == TranslationSide::target;
  auto const file = is_marian ? directory.path / (is_target ? "target.spm" : "source.spm") : sentencepiece_file(directory.path);
  std::string const vocabulary = is_target && settings.get_or<bool>("separate_vocabs", false) ? "target_vocab.json" : "vocab.json";
  for (std::string const& needed : {file.filename().string(), vocabulary})
    if (!directory.has(needed))
      throw FileError(directory.path.string() + ": has no " + needed + ": expected " + file.filename().string() +
                      ", which cuts texts, and " + vocabulary + ", which has the ids");
  TokenizerParts parts;
  parts.vocabulary = vocabulary_from(directory.json(vocabulary), directory.name_of(vocabulary));

  NamedTokens defaults = tokens_named({{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}});
  if (!is_marian) {
    defaults.set("bos_token", {.content = "<s>", .id = -1, .special = true});
    defaults.set("sep_token", {.content = "</s>", .id = -1, .special = true});
    add_m2m100_languages(settings, directory.name_of(vocabulary), parts.vocabulary, defaults);
  }

  AddedTokenList list(parts);
  NamedTokens tokens = read_named_tokens(directory, config, list);
  for (auto const& [key, token] : defaults.named)
    if (tokens.find(key) == nullptr && (key == "unk_token" || key == "eos_token" || list.id_of(token.content))) tokens.set(key, token);
  tokens.others.insert(tokens.others.end(), defaults.others.begin(), defaults.others.end());
  TokenId const unknown = require_token(tokens, "unk_token", list, directory.name_of(vocabulary));
  TokenId const end = require_token(tokens, "eos_token", list, directory.name_of(vocabulary));
  add_special_tokens(tokens, directory.path.string(), list, parts);
  for (AddedToken& token : parts.added_tokens) token.normalized = false;  // All are looked for in the text as it is.
  apply_tokenizer_config(settings, TokenizerSource::vocabulary, parts);

  auto const model = read_sentencepiece_model(read_file(file), file.string());
  parts.model = std::make_shared<SentencePieceEncoder const>(model, parts.vocabulary, unknown,
                                                             is_marian ? LanguageCodesInText::yes : LanguageCodesInText::no, file.string());
  parts.decoder = {.kind = DecoderOptions::Kind::marks,
                   .byte_fallback = model.byte_fallback,
                   .strips_ends = true,
                   .drops_mark_behind_special = model.add_dummy_prefix || model.remove_extra_whitespaces,
                   .behind_special = is_marian ? " " : "",
                   .clean_up_tokenization_spaces = parts.decoder.clean_up_tokenization_spaces};
  parts.post_processor = round_texts({}, {end});
  return Tokenizer(std::move(parts), directory.path.string());
}

/// The tokenizer for texts of the language that the settings name.
inline Tokenizer for_configured_language(Tokenizer const& tokenizer, TokenizerFamily family, Section const& settings) {
  auto const scheme = language_scheme(family, settings);
  if (scheme == LanguageScheme::none || scheme == LanguageScheme::asked_for) return tokenizer;
  auto const code = settings.get_or<std::string>("src_lang", std::string(default_language(family)));
  return for_language(tokenizer, scheme, find_language(tokenizer, code, settings.where() + ": src_lang"), settings.where());
}

/// The tokenizer of a directory that has a SentencePiece model.
AXIFORM_INLINE Tokenizer sentencepiece_of_directory(TokenizerDirectory const& directory, ConfigFile const& config,
                                                    FamilyFound const& found) {
  if (found.family == TokenizerFamily::marian || found.family == TokenizerFamily::m2m100)
    return for_configured_language(mapped_sentencepiece_of_directory(directory, config, found.family, TranslationSide::source),
                                   found.family, Section(config.json, config.name));
  auto const file = sentencepiece_file(directory.path);
  Section const settings(config.json, config.name);
  auto const model = read_sentencepiece_model(read_file(file), file.string());
  SentencePieceConverter const converter(model, settings, file.string());
  TokenizerParts parts = converter.parts(found.family);
  AddedTokenList list(parts);
  NamedTokens tokens = read_named_tokens(directory, config, list);
  finish_sentencepiece(found.family, converter, std::move(tokens), directory.path.string(), list, parts);
  apply_tokenizer_config(settings, TokenizerSource::vocabulary, parts);
  converter.put_round_text(found.family, parts);
  return for_configured_language(Tokenizer(std::move(parts), directory.path.string()), found.family, settings);
}

#if defined(AXIFORM_COMPILED)
Tokenizer tokenizer_of_gguf(std::filesystem::path const& path) { return Tokenizer::from_directory(ModelDirectory(path)); }
#endif

}  // namespace detail

AXIFORM_INLINE Tokenizer Tokenizer::from_directory(ModelDirectory const& directory) {
  if (GgufFile const* const file = directory.gguf()) return Tokenizer(detail::parts_from_gguf(*file), directory.string());
  auto const json = [&](std::string const& name) { return directory.has(name) ? directory.json(name) : Json(); };
  return detail::tokenizer_of_directory({directory.path(), json}, detail::sentencepiece_of_directory);
}

AXIFORM_INLINE Tokenizer Tokenizer::from_sentencepiece_model(std::filesystem::path const& file) {
  using enum detail::TokenizerFamily;
  Json const nothing = Json::object();
  detail::Section const settings(nothing, file.string());
  auto const model = detail::read_sentencepiece_model(read_file(file), file.string());
  detail::SentencePieceConverter const converter(model, settings, file.string());
  TokenizerParts parts = converter.parts(sentencepiece);
  detail::AddedTokenList list(parts);
  detail::finish_sentencepiece(sentencepiece, converter, {}, file.string(), list, parts);
  converter.put_round_text(sentencepiece, parts);
  return Tokenizer(std::move(parts), file.string());
}

}  // namespace axiform
#endif
