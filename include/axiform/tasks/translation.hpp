/// @file
/// `Translation`: texts in another language.
///
///     auto const model = Translation<>::from_directory("models/opus-mt-en-de", context);
///     std::cout << model.translate("How old are you?", context).front().text;   // Wie alt sind Sie?
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/models/any.hpp>
#include <axiform/tasks/sequence_to_sequence_task.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/tasks/translation_route.hpp>

namespace axiform {

/// How texts are translated.
struct TranslationOptions {
  /// From which language into which, as the checkpoint calls them: "en" and "de" (T5), "en_XX" and "de_DE" (mBART), into "deu" (Marian's models into
  /// several languages). A model of one direction need not be told.
  LanguagePair languages = {};
  /// How tokens are chosen; when not given, as the checkpoint wants it (`Translation::options`). What is not said there of the tokens that begin and end
  /// a text, and of words that must not be in it, is the checkpoint's in any case.
  std::optional<GenerateOptions> generation = {};
  LongText long_text = LongText::refuse;  ///< What becomes of a text that has more tokens than the model has positions.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Translates as transformers' `translation` pipeline (4.57) does, with a Marian, an mBART, a T5 or what else was trained to. How a model is told the
/// languages is the checkpoint's: by the code of the target before the text (Marian), by codes beside the text and as the first token that is written
/// (mBART-50) or that the decoder begins with (mBART), by a prefix that config.json's `task_specific_params` name (T5). A text is
/// translated whole, whatever it is made of: most models were trained on sentences. Constant once made: one object serves any number of threads,
/// each with a context of its own.
template <SequenceToSequenceModel ModelType = AnySequenceToSequence>
class Translation {
 public:
  using Model = ModelType;  ///< What translates.

  /// From its parts. @param config What the checkpoint asks for: `decoder_start` and `end_of_text` at least.
  Translation(SequenceToSequenceTokenizers tokenizers, Model model, TextTaskConfig config)
      : Translation({"translation", std::move(tokenizers), std::move(model), std::move(config)}) {}

  /// From a Hugging Face directory, or a GGUF file; that of a T5 names no languages, "translate English to German: " must stand before each text.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of an encoder-decoder with a head.
  static Translation from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    return Translation(internal::SequenceToSequenceTask<Model>::from_directory("translation", directory, loading, context));
  }
  /// The same with weights in f32.
  static Translation from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// How the checkpoint wants to translate between these languages. @throws ArgumentError when it does not.
  GenerateOptions options(LanguagePair const& languages = {}) const { return route(languages).settings.options; }

  /// A text in the other language: `num_return_sequences` translations; those of beams best first, with their scores.
  /// @throws ArgumentError when the checkpoint does not translate between these languages, or must be told which; when the text is too long; and as
  /// `axiform::generate`.
  std::vector<WrittenText> translate(std::string_view text, TranslationOptions const& options, Context& context) const {
    return std::move(translate(std::span(&text, 1), options, context).front());
  }
  /// The same with the defaults of all options.
  std::vector<WrittenText> translate(std::string_view text, Context& context) const {
    return translate(text, TranslationOptions{}, context);
  }
  /// The same for many texts, in their order. A text's translations do not depend on the others.
  template <TextRange Texts>
  std::vector<std::vector<WrittenText>> translate(Texts const& texts, TranslationOptions const& options, Context& context) const {
    auto const way = route(options.languages);
    std::vector<std::vector<TokenId>> sources;
    for (std::string_view const text : texts) sources.push_back(read(way, text, options, sources.size(), std::ranges::size(texts)));
    return task_.write(way.tokenizers.target(), sources, complete(way, options), context);
  }
  /// The same for a list.
  std::vector<std::vector<WrittenText>> translate(std::initializer_list<std::string_view> texts, TranslationOptions const& options,
                                                  Context& context) const {
    return translate(std::span(texts.begin(), texts.size()), options, context);
  }

  /// Translates a text, and tells the translation piece by piece.
  /// @throws As `translate`; ArgumentError also with beams, which have nothing to tell before they end.
  std::vector<WrittenText> stream(std::string_view text, TranslationOptions const& options, FunctionRef<void(TextPiece)> on_text,
                                  Context& context) const {
    auto const way = route(options.languages);
    return task_.stream(way.tokenizers.target(), read(way, text, options, 0, 1), complete(way, options), on_text, context);
  }

  SequenceToSequenceTokenizers const& tokenizers() const noexcept { return task_.tokenizers(); }  ///< What cuts and joins the texts.
  Model const& model() const noexcept { return task_.model(); }                                   ///< What translates.
  TextTaskConfig const& config() const noexcept { return task_.config(); }                        ///< What the checkpoint says of tasks.
  /// Tokens at which a text is cut, where that is asked for.
  std::size_t max_length() const { return task_.max_length(); }

 private:
  explicit Translation(internal::SequenceToSequenceTask<Model> task) : task_(std::move(task)) {}

  detail::TranslationRoute route(LanguagePair const& languages) const { return detail::find_route(tokenizers(), config(), languages); }

  GenerateOptions complete(detail::TranslationRoute const& way, TranslationOptions const& options) const {
    GenerateOptions result = task_.complete(options.generation, way.settings.options, way.tokenizers.target());
    if (way.names_target) {
      result.decoder_start = way.settings.options.decoder_start;
      result.forced_bos = way.settings.options.forced_bos;
    }
    return result;
  }
  std::vector<TokenId> read(detail::TranslationRoute const& way, std::string_view text, TranslationOptions const& options,
                            std::size_t index, std::size_t count) const {
    return task_.read(way.tokenizers.source(), way.settings.prefix + std::string(text), options.long_text, index, count);
  }

  internal::SequenceToSequenceTask<Model> task_;
};

}  // namespace axiform::inline AXIFORM_ARCH
