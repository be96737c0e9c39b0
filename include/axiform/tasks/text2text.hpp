/// @file
/// `Text2Text`: texts that a model writes about texts that it reads, whatever it was trained for.
///
///     auto const model = Text2Text<>::from_directory("models/flan-t5-small", context);
///     std::cout << model.generate("Is the sky blue? Answer yes or no.", context).front().text;
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

namespace axiform {

/// How texts are written.
struct Text2TextOptions {
  /// How tokens are chosen; when not given, as the checkpoint wants it (`Text2Text::options`). What is not said there of the tokens that begin and end a
  /// text, and of words that must not be in it, is the checkpoint's in any case.
  std::optional<GenerateOptions> generation = {};
  LongText long_text = LongText::refuse;  ///< What becomes of a text that has more tokens than the model has positions.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Texts to texts, as transformers' `text2text-generation` pipeline (4.57) does, with a T5, a BART or another encoder-decoder: the prefix that the
/// checkpoint names, the text, and what the model writes, without special tokens. An empty text is one that has only special tokens. Constant once
/// made: one object serves any number of threads, each with a context of its own.
template <SequenceToSequenceModel ModelType = AnySequenceToSequence>
class Text2Text {
 public:
  using Model = ModelType;  ///< What reads and writes.

  /// From its parts. @param config What the checkpoint asks for: `decoder_start` and `end_of_text` at least.
  Text2Text(SequenceToSequenceTokenizers tokenizers, Model model, TextTaskConfig config)
      : Text2Text({"text to text", std::move(tokenizers), std::move(model), std::move(config)}) {}

  /// From a Hugging Face directory, or a GGUF file.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of an encoder-decoder with a head.
  static Text2Text from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    return Text2Text(internal::SequenceToSequenceTask<Model>::from_directory("text to text", directory, loading, context));
  }
  /// The same with weights in f32.
  static Text2Text from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// How the checkpoint wants to write.
  GenerateOptions const& options() const { return settings().options; }

  /// What the model writes about a text: `num_return_sequences` texts; those of beams best first, with their scores.
  /// @throws ArgumentError when the text is too long, and as `axiform::generate`.
  std::vector<WrittenText> generate(std::string_view text, Text2TextOptions const& options, Context& context) const {
    return std::move(generate(std::span(&text, 1), options, context).front());
  }
  /// The same with the defaults of all options.
  std::vector<WrittenText> generate(std::string_view text, Context& context) const { return generate(text, Text2TextOptions{}, context); }
  /// The same for many texts, in their order. A text's results do not depend on the others.
  template <TextRange Texts>
  std::vector<std::vector<WrittenText>> generate(Texts const& texts, Text2TextOptions const& options, Context& context) const {
    std::vector<std::vector<TokenId>> sources;
    for (std::string_view const text : texts) sources.push_back(read(text, options, sources.size(), std::ranges::size(texts)));
    return task_.write(tokenizers().target(), sources, complete(options), context);
  }
  /// The same for a list.
  std::vector<std::vector<WrittenText>> generate(std::initializer_list<std::string_view> texts, Text2TextOptions const& options,
                                                 Context& context) const {
    return generate(std::span(texts.begin(), texts.size()), options, context);
  }

  /// Writes about a text, and tells what it writes piece by piece.
  /// @throws As `generate`; ArgumentError also with beams, which have nothing to tell before they end.
  std::vector<WrittenText> stream(std::string_view text, Text2TextOptions const& options, FunctionRef<void(TextPiece)> on_text,
                                  Context& context) const {
    return task_.stream(tokenizers().target(), read(text, options, 0, 1), complete(options), on_text, context);
  }

  SequenceToSequenceTokenizers const& tokenizers() const noexcept { return task_.tokenizers(); }  ///< What cuts and joins the texts.
  Model const& model() const noexcept { return task_.model(); }                                   ///< What reads and writes.
  TextTaskConfig const& config() const noexcept { return task_.config(); }                        ///< What the checkpoint says of tasks.
  /// Tokens at which a text is cut, where that is asked for.
  std::size_t max_length() const { return task_.max_length(); }

 private:
  explicit Text2Text(internal::SequenceToSequenceTask<Model> task) : task_(std::move(task)) {
    settings();  // Params that cannot be read are an error now, not with the first text.
  }

  TextTaskSettings const& settings() const { return config().of("text2text-generation"); }
  GenerateOptions complete(Text2TextOptions const& options) const {
    return task_.complete(options.generation, settings().options, tokenizers().target());
  }
  std::vector<TokenId> read(std::string_view text, Text2TextOptions const& options, std::size_t index, std::size_t count) const {
    return task_.read(tokenizers().source(), (settings().prefix + std::string(text)), options.long_text, index, count);
  }

  internal::SequenceToSequenceTask<Model> task_;
};

}  // namespace axiform::inline AXIFORM_ARCH
