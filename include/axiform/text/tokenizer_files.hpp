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
#include <string>
#include <utility>

#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/added_token_list.hpp>
#include <axiform/text/gguf_tokenizer.hpp>
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

/// The tokenizer of a directory that has a SentencePiece model.
AXIFORM_INLINE Tokenizer sentencepiece_of_directory(TokenizerDirectory const& directory, ConfigFile const& config,
                                                    FamilyFound const& found) {
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
  return Tokenizer(std::move(parts), directory.path.string());
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
