/// @file
/// `Summarization`: texts in fewer words; documents of any length, part by part.
///
///     auto const model = Summarization<>::from_directory("models/bart-large-cnn", context);
///     std::cout << model.summarize(article, context).text;
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
#include <axiform/core/error.hpp>
#include <axiform/models/any.hpp>
#include <axiform/tasks/sequence_to_sequence_task.hpp>
#include <axiform/tasks/text_chunks.hpp>
#include <axiform/tasks/text_range.hpp>

namespace axiform {

/// What becomes of a document that is longer than a part.
enum class LongDocument {
  in_parts,  ///< Each part is summarised, and what the summaries make together too, until it is no longer than a part, or gets no shorter.
  refuse,    ///< It is an ArgumentError where the model cannot read it at once; a model without learned positions (T5) reads any length.
  cut        ///< Its end is left out. What was left out has no say, and nobody is told.
};

/// How texts are summarised.
struct SummarizationOptions {
  /// How tokens are chosen, one text for each; when not given, as the checkpoint wants it (`Summarization::options`). What is not said there of the tokens
  /// that begin and end a text, and of words that must not be in it, is the checkpoint's in any case.
  std::optional<GenerateOptions> generation = {};
  LongDocument long_document = LongDocument::in_parts;  ///< What becomes of a text that is longer than a part.
  /// Tokens of a part, special ones and the prefix included; the model's maximum when not given.
  std::optional<std::size_t> part_length = {};
};

/// A text in fewer words.
struct Summary {
  std::string text;        ///< The summary; of a text in parts, theirs, one behind the other.
  std::size_t parts = 1;   ///< Parts that the text was read in.
  std::size_t rounds = 1;  ///< How often: more than once where the summaries of the parts were still too long together.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Summarises as transformers' `summarization` pipeline (4.57) does, with a BART, a T5 or another encoder-decoder that was trained to: the prefix that the
/// checkpoint names, the text, and what the model writes. The pipeline fails where a text is too long; here it is cut into parts, about equally long and
/// behind the ends of sentences where they can be. Constant once made: one object serves any number of threads, each with a context of its own.
template <SequenceToSequenceModel ModelType = AnySequenceToSequence>
class Summarization {
 public:
  using Model = ModelType;  ///< What summarises.

  /// From its parts. @param config What the checkpoint asks for: `decoder_start` and `end_of_text` at least.
  Summarization(SequenceToSequenceTokenizers tokenizers, Model model, TextTaskConfig config)
      : Summarization({"summarization", std::move(tokenizers), std::move(model), std::move(config)}) {}

  /// From a Hugging Face directory, or a GGUF file; that of a T5 has no prefix, "summarize: " must stand before each text.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of an encoder-decoder with a head.
  static Summarization from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    return Summarization(internal::SequenceToSequenceTask<Model>::from_directory("summarization", directory, loading, context));
  }
  /// The same with weights in f32.
  static Summarization from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// How the checkpoint wants to summarise.
  GenerateOptions const& options() const { return settings().options; }

  /// A text in fewer words.
  /// @throws ArgumentError when the text is too long and not to be cut, a part has no room for a token of it, several texts are asked for, and as
  /// `axiform::generate`; StoppedError when told to stop, and what callbacks throw.
  Summary summarize(std::string_view text, SummarizationOptions const& options, Context& context) const {
    return std::move(summarize(std::span(&text, 1), options, context).front());
  }
  /// The same with the defaults of all options.
  Summary summarize(std::string_view text, Context& context) const { return summarize(text, SummarizationOptions{}, context); }
  /// The same for many texts, in their order. A text's summary does not depend on the others.
  template <TextRange Texts>
  std::vector<Summary> summarize(Texts const& texts, SummarizationOptions const& options, Context& context) const {
    GenerateOptions const how = task_.complete(options.generation, settings().options, tokenizers().target());
    if (how.num_return_sequences != 1)
      throw ArgumentError("summarization: num_return_sequences: found " + std::to_string(how.num_return_sequences) + ", expected 1");
    std::vector<Summary> summaries;
    for (std::string_view const text : texts) summaries.push_back({.text = std::string(text), .parts = 0, .rounds = 0});
    for (std::vector<std::size_t> pending = indices(summaries.size()); !pending.empty();)
      pending = run(summaries, pending, options, how, context);
    return summaries;
  }
  /// The same for a list.
  std::vector<Summary> summarize(std::initializer_list<std::string_view> texts, SummarizationOptions const& options,
                                 Context& context) const {
    return summarize(std::span(texts.begin(), texts.size()), options, context);
  }

  SequenceToSequenceTokenizers const& tokenizers() const noexcept { return task_.tokenizers(); }  ///< What cuts and joins the texts.
  Model const& model() const noexcept { return task_.model(); }                                   ///< What summarises.
  TextTaskConfig const& config() const noexcept { return task_.config(); }                        ///< What the checkpoint says of tasks.
  /// Tokens of the longest part, special ones and the prefix included.
  std::size_t max_length() const { return task_.max_length(); }

 private:
  explicit Summarization(internal::SequenceToSequenceTask<Model> task) : task_(std::move(task)) {
    settings();  // Params that cannot be read are an error now, not with the first text.
  }

  TextTaskSettings const& settings() const { return config().of("summarization"); }

  static std::vector<std::size_t> indices(std::size_t count) {
    std::vector<std::size_t> result(count);
    for (std::size_t i = 0; i < count; ++i) result[i] = i;
    return result;
  }

  // Puts in the place of each pending text its summary. @return Those that are still too long.
  std::vector<std::size_t> run(std::vector<Summary>& texts, std::vector<std::size_t> const& pending, SummarizationOptions const& options,
                               GenerateOptions const& how, Context& context) const {
    std::vector<std::vector<TokenId>> sources;
    std::vector<std::size_t> parts;
    for (std::size_t const i : pending) {
      std::size_t const before = sources.size();
      read(texts[i].text, options, i, texts.size(), sources);
      parts.push_back(sources.size() - before);
    }
    auto const written = task_.write(tokenizers().target(), sources, how, context);
    if (how.stop.stop_requested()) throw StoppedError("summarization: was stopped");
    std::vector<std::size_t> too_long;
    std::size_t next = 0;
    for (std::size_t p = 0; p < pending.size(); ++p) {
      Summary& text = texts[pending[p]];
      std::string joined;
      for (std::size_t const end = next + parts[p]; next != end; ++next)
        (joined += joined.empty() ? "" : " ") += written[next].front().text;
      if (parts[p] > 1 && joined.size() < text.text.size() && length(joined) > options.part_length.value_or(max_length()))
        too_long.push_back(pending[p]);
      text.text = std::move(joined);
      if (text.rounds++ == 0) text.parts = parts[p];
    }
    return too_long;
  }

  // Appends what the model reads of a text.
  void read(std::string const& text, SummarizationOptions const& options, std::size_t index, std::size_t count,
            std::vector<std::vector<TokenId>>& sources) const {
    if (options.long_document == LongDocument::in_parts) {
      ChunkedText const document(tokenizers().source(), settings().prefix, text, {.length = options.part_length, .overlap = 0},
                                 max_length(), ChunkEnds::sentences);
      for (std::size_t part = 0; part < document.chunks().size(); ++part) sources.push_back(document.ids(part));
    } else {
      auto const long_text = options.long_document == LongDocument::cut ? LongText::cut : LongText::refuse;
      sources.push_back(task_.read(tokenizers().source(), settings().prefix + text, long_text, index, count));
    }
  }

  std::size_t length(std::string const& text) const { return tokenizers().source().encode(settings().prefix + text).size(); }

  internal::SequenceToSequenceTask<Model> task_;
};

}  // namespace axiform::inline AXIFORM_ARCH
