/// @file
/// `TextClassification`: labels of texts and of pairs of texts.
///
///     auto const model = TextClassification<>::from_directory("models/distilbert-sst2", context);
///     auto const [label, score] = model.classify("I love this class.", context).front();   // POSITIVE, 0.999
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/gpt2_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/one_of.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/label_logits.hpp>
#include <axiform/tasks/label_score.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/tasks/texts.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// What makes scores of logits.
enum class ClassifierFunction {
  of_problem_type,  ///< As the config's `problem_type` says; without it, `sigmoid` for a single label and `softmax` for several.
  softmax,          ///< One label out of several: the scores add up to 1.
  sigmoid,          ///< Each label by itself.
  none              ///< The logits themselves.
};

/// How texts are classified.
struct TextClassificationOptions {
  std::optional<std::size_t> top_k = 1;                               ///< Labels a text, best first; all when empty.
  ClassifierFunction function = ClassifierFunction::of_problem_type;  ///< What makes scores of logits.
  LongText long_text = LongText::refuse;                              ///< What becomes of a text that is too long.
  std::size_t batch_size = 32;     ///< Texts that run together. It changes speed and memory, never a bit of the result.
  std::stop_token stop = {};       ///< Ends the call with a `StoppedError`.
  ProgressCallback progress = {};  ///< Is told how many texts are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Labels texts as transformers' `text-classification` pipeline (5.24) does, with a BERT, RoBERTa, DistilBERT or GPT-2 for sequence
/// classification. Constant once made: one object serves any number of threads, each with a context of its own.
template <TextLabelModel ModelType = OneOf<BertForSequenceClassification<>, Gpt2ForSequenceClassification<>>>
class TextClassification {
 public:
  using Model = ModelType;  ///< What reads the texts.

  /// From its parts.
  /// @throws CheckpointError when the model has not as many labels as `labels`.
  TextClassification(Tokenizer tokenizer, Model model, LabelConfig labels)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), config_(std::move(labels)) {
    if (std::size_t const found = model_.labels(); found != config_.labels.size())
      throw CheckpointError("text classification: found a model of " + std::to_string(found) + " labels, expected the " +
                            std::to_string(config_.labels.size()) + " that are named");
  }

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static TextClassification from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    detail::expect_head(directory, {ModelHead::sequence_classification}, "sequence classification");
    auto const labels = read_label_config(directory);
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context), labels};
  }
  /// The same with weights in f32.
  static TextClassification from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// The best labels of one text, best first.
  /// @throws ArgumentError when the text has no token or too many, or an option is absurd; StoppedError; what the callback throws.
  std::vector<LabelScore> classify(std::string_view text, TextClassificationOptions const& options, Context& context) const {
    return std::move(classify(std::span(&text, 1), options, context).front());
  }
  /// The same with the defaults of all options.
  std::vector<LabelScore> classify(std::string_view text, Context& context) const {
    return classify(text, TextClassificationOptions{}, context);
  }
  /// The best labels of two texts that are read together, best first.
  std::vector<LabelScore> classify(TextPair const& pair, TextClassificationOptions const& options, Context& context) const {
    return std::move(classify(std::span(&pair, 1), options, context).front());
  }
  /// The same for many texts, in their order.
  template <TextRange Texts>
  std::vector<std::vector<LabelScore>> classify(Texts const& texts, TextClassificationOptions const& options, Context& context) const {
    return classify_encodings(tokenizer_.encode_batch(texts, encode_options(options), context.executor()), options, context);
  }
  /// The same for a list of texts. Two that are read together are a `TextPair`.
  std::vector<std::vector<LabelScore>> classify(std::initializer_list<std::string_view> texts, TextClassificationOptions const& options,
                                                Context& context) const {
    return classify(std::span(texts.begin(), texts.size()), options, context);
  }
  /// The same for many pairs, in their order.
  std::vector<std::vector<LabelScore>> classify(std::span<TextPair const> pairs, TextClassificationOptions const& options,
                                                Context& context) const {
    std::vector<Encoding> encodings;
    for (auto const& [first, second] : pairs) encodings.push_back(tokenizer_.encode_pair(first, second, encode_options(options)));
    return classify_encodings(encodings, options, context);
  }

  /// The labels, by the place of their logits.
  std::vector<std::string> const& labels() const noexcept { return config_.labels; }
  /// The place of a label. @throws ArgumentError, with the names of all, when there is none of that name.
  std::size_t label_index(std::string_view label) const {
    auto const place = std::ranges::find(config_.labels, label);
    if (place == config_.labels.end())
      throw ArgumentError("label: found " + detail::in_quotes(label) + ", expected " + detail::one_of(config_.labels));
    return static_cast<std::size_t>(place - config_.labels.begin());
  }
  LabelConfig const& config() const noexcept { return config_; }      ///< Labels, and what they are.
  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads them.
  /// Tokens of the longest text, special ones included.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  EncodeOptions encode_options(TextClassificationOptions const& options) const {
    EncodeOptions encode;
    if (options.long_text == LongText::cut) encode.max_length = max_length();
    return encode;
  }

  ClassifierFunction function_of(TextClassificationOptions const& options) const {
    if (options.function != ClassifierFunction::of_problem_type) return options.function;
    switch (config_.problem_type) {
      case ProblemType::regression:
        return ClassifierFunction::none;
      case ProblemType::multi_label:
        return ClassifierFunction::sigmoid;
      case ProblemType::single_label:
      case ProblemType::unspecified:
        break;
    }
    return config_.labels.size() == 1 ? ClassifierFunction::sigmoid : ClassifierFunction::softmax;
  }

  std::vector<std::vector<LabelScore>> classify_encodings(std::span<Encoding const> encodings, TextClassificationOptions const& options,
                                                          Context& context) const {
    if (options.top_k) detail::check_positive(*options.top_k, "top_k");
    for (std::size_t i = 0; i < encodings.size(); ++i)
      detail::check_length(encodings[i], max_length(), "text classification", i, encodings.size());
    ClassifierFunction const function = function_of(options);
    std::vector<std::vector<LabelScore>> result(encodings.size());
    internal::for_each_logits(
        model_, encodings,
        {.what = "text classification", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress}, context,
        [&](std::size_t i, std::span<float const> logits) { result[i] = best(logits, function, options.top_k); });
    return result;
  }

  std::vector<LabelScore> best(std::span<float const> logits, ClassifierFunction function, std::optional<std::size_t> top_k) const {
    std::vector<double> scores(logits.begin(), logits.end());
    if (function == ClassifierFunction::softmax) scores = internal::softmax(logits);
    if (function == ClassifierFunction::sigmoid) std::ranges::transform(scores, scores.begin(), internal::sigmoid);
    std::vector<LabelScore> result;
    for (std::size_t const label : axiform::detail::greatest_indices(scores, top_k.value_or(scores.size())))
      result.push_back({config_.labels[label], scores[label]});
    return result;
  }

  Tokenizer tokenizer_;
  Model model_;
  LabelConfig config_;
};

}  // namespace axiform::inline AXIFORM_ARCH
