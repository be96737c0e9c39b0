/// @file
/// The tokenizers of an encoder-decoder's two sides: texts that are read, and texts that are written. They are one for T5 and BART, two for Marian, and one
/// with a code for each language for mBART, NLLB and M2M100.
///
///     auto const tokenizers = SequenceToSequenceTokenizers::from_directory("models/nllb", {.source = "eng_Latn", .target = "fra_Latn"});
///     auto const ids = tokenizers.source().encode("The cat sleeps.").ids;           // eng_Latn ▁The … </s>
///     auto const labels = tokenizers.target().encode("Le chat dort.").ids;          // fra_Latn ▁Le … </s>
///     auto const text = tokenizers.target().decode(labels, {.skip_special_tokens = true});
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/text/tokenizer.hpp>

#if AXIFORM_DEFINES(text)
#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/text/json_section.hpp>
#include <axiform/text/language_codes.hpp>
#include <axiform/text/tokenizer_family.hpp>
#include <axiform/text/tokenizer_files.hpp>
#endif

namespace axiform {

namespace detail {
enum class LanguageScheme;  // axiform/text/language_codes.hpp
}

/// The languages of a translation, by the codes of the tokenizer's family: "en_XX" (mBART), "eng_Latn" (NLLB), "en" (M2M100), "fra" (Marian's models of
/// several languages). What is empty is as the files say.
struct LanguagePair {
  std::string source = {};  ///< Of the texts that are read. Marian's models are not told, and the tokenizers do not look at it.
  std::string target = {};  ///< Of those that are written.
};

/// Both tokenizers. Cheap to copy; any number of threads may use them at once.
class SequenceToSequenceTokenizers {
 public:
  /// Of a directory that `Tokenizer::from_directory` reads. Languages that are not given are `src_lang` and `tgt_lang` of tokenizer_config.json; where these
  /// say nothing, the source's is the family's own default, or what tokenizer.json has, and the target's is the source's, as in transformers.
  /// A Marian directory has source.spm and target.spm; where it has only a tokenizer.json in their place, that is taken for both sides.
  /// @throws As `Tokenizer::from_directory`; ArgumentError for a language that the vocabulary lacks, naming some that it has.
  static SequenceToSequenceTokenizers from_directory(ModelDirectory const& directory, LanguagePair const& languages = {});

  /// One tokenizer for both sides, without languages.
  explicit SequenceToSequenceTokenizers(Tokenizer both);

  /// The same for other languages; what is empty stays. The vocabulary is shared. @throws ArgumentError for a language that it lacks.
  SequenceToSequenceTokenizers between(LanguagePair const& languages) const;

  /// For texts that the encoder reads.
  Tokenizer const& source() const noexcept { return source_; }
  /// For texts that the decoder writes: decodes them, and encodes those that it learns from.
  Tokenizer const& target() const noexcept { return target_; }
  /// The token of the target's language, where one is known: what mBART-50, NLLB and M2M100 write first (`forced_bos_token_id`), and what mBART's
  /// decoder begins with.
  std::optional<TokenId> target_language() const noexcept { return target_language_; }
  /// The codes of the languages that the vocabulary has, by their ids; none for tokenizers without languages.
  std::vector<std::string> const& languages() const noexcept { return *languages_; }

 private:
  SequenceToSequenceTokenizers(Tokenizer source, Tokenizer target, detail::LanguageScheme scheme);

  Tokenizer source_;
  Tokenizer target_;
  detail::LanguageScheme scheme_;
  std::optional<TokenId> target_language_;
  std::shared_ptr<std::vector<std::string> const> languages_;  // Of a vocabulary of 250 000 tokens they are looked for once.
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(text)

namespace detail {

/// The family that settings name, whether or not it is one that is read without tokenizer.json; BERT's, which has no languages, where none does.
inline TokenizerFamily named_family(ConfigFile const& config, ConfigFile const& model) {
  for (ConfigFile const* const file : {&config, &model}) {
    auto name = get_or<std::string>(file->json, "tokenizer_class", "", file->name);
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    if (auto const family = find_family(tokenizer_classes, name)) return *family;
  }
  return find_family(tokenizer_model_types, get_or<std::string>(model.json, "model_type", "", model.name)).value_or(TokenizerFamily::bert);
}

/// Where a tokenizer puts its language, as far as an empty text shows it: what tokenizer.json does counts more than what config.json calls the model
/// (mBART-50 is an "mbart" there, whose languages stand behind).
inline LanguageScheme scheme_of(Tokenizer const& tokenizer, LanguageScheme otherwise) {
  auto const ids = tokenizer.encode("").ids;
  if (ids.size() < 2 || (otherwise != LanguageScheme::before && otherwise != LanguageScheme::behind)) return otherwise;
  auto const is_language = [&](TokenId id) { return !language_of(tokenizer.id_to_token(id)).empty(); };
  return is_language(ids.front()) ? LanguageScheme::before : is_language(ids.back()) ? LanguageScheme::behind : otherwise;
}

}  // namespace detail

AXIFORM_INLINE SequenceToSequenceTokenizers::SequenceToSequenceTokenizers(Tokenizer source, Tokenizer target, detail::LanguageScheme scheme)
    : source_(std::move(source)),
      target_(std::move(target)),
      scheme_(scheme),
      languages_(std::make_shared<std::vector<std::string> const>(scheme == detail::LanguageScheme::none ? std::vector<std::string>()
                                                                                                         : detail::languages_of(source_))) {
}

AXIFORM_INLINE SequenceToSequenceTokenizers::SequenceToSequenceTokenizers(Tokenizer both)
    : SequenceToSequenceTokenizers(both, both, detail::LanguageScheme::none) {}

AXIFORM_INLINE SequenceToSequenceTokenizers SequenceToSequenceTokenizers::from_directory(ModelDirectory const& directory,
                                                                                         LanguagePair const& languages) {
  using detail::TranslationSide;
  auto const json = [&](std::string const& name) { return directory.has(name) ? directory.json(name) : Json(); };
  detail::TokenizerDirectory const files{directory.path(), json};
  auto const config = detail::ConfigFile::read(files, "tokenizer_config.json");
  auto const family = detail::named_family(config, detail::ConfigFile::read(files, "config.json"));
  detail::Section const settings(config.json, config.name);
  auto const scheme = detail::language_scheme(family, settings);
  bool const has_two = directory.has("source.spm") && (directory.has("target.spm") || !directory.has("tokenizer.json"));
  auto const of_side = [&](TranslationSide side) {
    return detail::mapped_sentencepiece_of_directory(files, config, detail::TokenizerFamily::marian, side);
  };
  Tokenizer const source = has_two ? of_side(TranslationSide::source) : Tokenizer::from_directory(directory);
  SequenceToSequenceTokenizers const made(source, has_two ? of_side(TranslationSide::target) : source,
                                          has_two ? detail::LanguageScheme::asked_for : detail::scheme_of(source, scheme));
  LanguagePair named = languages;
  if (made.scheme_ == detail::LanguageScheme::before || made.scheme_ == detail::LanguageScheme::behind) {
    if (named.source.empty()) named.source = settings.get_or<std::string>("src_lang", "");
    if (named.target.empty()) named.target = settings.get_or<std::string>("tgt_lang", "");
  }
  return made.between(named);
}

AXIFORM_INLINE SequenceToSequenceTokenizers SequenceToSequenceTokenizers::between(LanguagePair const& languages) const {
  using enum detail::LanguageScheme;
  SequenceToSequenceTokenizers result = *this;
  if (scheme_ == none && !(languages.source.empty() && languages.target.empty()))
    throw ArgumentError("languages: found " + detail::in_quotes(languages.source.empty() ? languages.target : languages.source) +
                        ", expected none: the tokenizer has no language codes");
  if (!languages.source.empty() && scheme_ != asked_for) {
    result.source_ =
        detail::for_language(source_, scheme_, detail::find_language(source_, languages.source, "source language"), "tokenizer");
    if (!target_language_) result.target_ = result.source_;
  }
  if (!languages.target.empty()) {
    TokenId const code = detail::find_language(source_, languages.target, "target language");
    Tokenizer& told = scheme_ == asked_for ? result.source_ : result.target_;
    told = detail::for_language(scheme_ == asked_for ? source_ : target_, scheme_, code, "tokenizer");
    result.target_language_ = code;
  }
  return result;
}

#endif  // AXIFORM_DEFINES(text)

}  // namespace axiform
