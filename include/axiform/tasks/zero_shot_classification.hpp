/// @file
/// `ZeroShotClassification`: which of any labels fits a text, by a model that says whether one sentence follows from another.
///
///     auto const model = ZeroShotClassification<>::from_directory("models/bart-large-mnli", context);
///     auto const [label, score] = model.classify("The team won again.", {"sports", "politics"}, context).front();   // sports, 0.98
#pragma once

#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/hypotheses.hpp>
#include <axiform/tasks/label_logits.hpp>
#include <axiform/tasks/label_score.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/tasks/texts.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// How the candidate labels of a text go together.
enum class CandidateLabels {
  exclusive,   ///< One of them fits: their scores add up to 1.
  independent  ///< Each fits or does not, whatever the others do (transformers' `multi_label`).
};

/// How texts are classified by labels that the model has never seen.
struct ZeroShotOptions {
  /// The sentence that is said of a text; `{}` stands for the label. At least one is needed.
  std::string hypothesis_template = "This example is {}.";
  CandidateLabels labels = CandidateLabels::exclusive;  ///< How the labels go together. A single one is judged by itself.
  LongText long_text = LongText::refuse;                ///< What becomes of a text that is too long. Labels are never cut.
  std::size_t batch_size = 32;     ///< Texts with a label each that run together. It changes speed and memory, never a bit of the result.
  std::stop_token stop = {};       ///< Ends the call with a `StoppedError`.
  ProgressCallback progress = {};  ///< Is told how many texts with a label each are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Classifies texts as transformers' `zero-shot-classification` pipeline (5.24) does, with any classifier of sentence pairs that was trained on
/// natural language inference (Yin et al. 2019): the text is the first sentence, `hypothesis_template` with a label the second, and the label's
/// score is how well the second follows from the first. Constant once made: one object serves any number of threads, each with a context of its
/// own.
template <TextLabelModel ModelType = AnyModelWith<ModelHead::sequence_classification>>
class ZeroShotClassification {
 public:
  using Model = ModelType;  ///< What reads the texts.

  /// From its parts.
  /// @throws CheckpointError when the model has not as many labels as `labels`, or none of these begins with "entail".
  ZeroShotClassification(Tokenizer tokenizer, Model model, LabelConfig const& labels)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), entailment_(detail::entailment_label(labels.labels)) {
    if (std::size_t const found = model_.labels(); found != labels.labels.size())
      throw CheckpointError("zero-shot classification: found a model of " + std::to_string(found) + " labels, expected the " +
                            std::to_string(labels.labels.size()) + " that are named");
    contradiction_ = entailment_ == 0 ? labels.labels.size() - 1 : 0;
  }

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static ZeroShotClassification from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    detail::expect_head(directory, {ModelHead::sequence_classification}, "sequence classification");
    auto const labels = read_label_config(directory);
    detail::entailment_label(labels.labels);  // before the weights are read
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context), labels};
  }
  /// The same with weights in f32.
  static ZeroShotClassification from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// How well each of the labels fits a text, best first.
  /// @throws ArgumentError when the text is empty or too long, there is no label, or an option is absurd; StoppedError; what the callback throws.
  std::vector<LabelScore> classify(std::string_view text, std::vector<std::string> const& labels, ZeroShotOptions const& options,
                                   Context& context) const {
    return std::move(classify(std::span(&text, 1), labels, options, context).front());
  }
  /// The same with the defaults of all options.
  std::vector<LabelScore> classify(std::string_view text, std::vector<std::string> const& labels, Context& context) const {
    return classify(text, labels, ZeroShotOptions{}, context);
  }
  /// The same for many texts, in their order.
  template <TextRange Texts>
  std::vector<std::vector<LabelScore>> classify(Texts const& texts, std::vector<std::string> const& labels, ZeroShotOptions const& options,
                                                Context& context) const {
    auto const hypotheses = detail::hypotheses(options.hypothesis_template, labels);
    std::vector<std::string_view> const all(std::ranges::begin(texts), std::ranges::end(texts));
    auto const encodings = encode(all, hypotheses, options, context);
    std::vector<float> entailed(encodings.size()), contradicted(encodings.size());
    internal::for_each_logits(
        model_, encodings,
        {.what = "zero-shot classification", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress}, context,
        [&](std::size_t i, std::span<float const> logits) {
          entailed[i] = logits[entailment_];
          contradicted[i] = logits[contradiction_];
        });
    std::vector<std::vector<LabelScore>> results;
    for (std::size_t first = 0; first < encodings.size(); first += labels.size()) {
      std::vector<double> scores;
      if (options.labels == CandidateLabels::exclusive && labels.size() > 1) {
        scores = internal::softmax(std::span(entailed).subspan(first, labels.size()));
      } else {
        for (std::size_t i = first; i < first + labels.size(); ++i)
          scores.push_back(internal::sigmoid(static_cast<double>(entailed[i]) - static_cast<double>(contradicted[i])));
      }
      auto& result = results.emplace_back();
      for (std::size_t const label : axiform::detail::greatest_indices(scores, scores.size()))
        result.push_back({labels[label], scores[label]});
    }
    return results;
  }
  /// The same for a list of texts.
  std::vector<std::vector<LabelScore>> classify(std::initializer_list<std::string_view> texts, std::vector<std::string> const& labels,
                                                ZeroShotOptions const& options, Context& context) const {
    return classify(std::span(texts.begin(), texts.size()), labels, options, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads them.
  /// Tokens of the longest text, with what is said of it and special ones.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  // Each text with each hypothesis.
  std::vector<Encoding> encode(std::span<std::string_view const> texts, std::span<std::string const> hypotheses,
                               ZeroShotOptions const& options, Context& context) const {
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (texts[i].empty())
        throw ArgumentError("zero-shot classification: " + detail::text_name(i, texts.size()) +
                            "found an empty text, expected at least one character");
    EncodeOptions how{.truncation = Truncation::only_first};
    if (options.long_text == LongText::cut) how.max_length = max_length();
    std::vector<Encoding> encodings(texts.size() * hypotheses.size());
    context.executor().parallel_for(encodings.size(), [&](std::size_t i) {
      std::size_t const text = i / hypotheses.size();
      encodings[i] = tokenizer_.encode_pair(texts[text], hypotheses[i % hypotheses.size()], how);
      detail::check_length(encodings[i], max_length(), "zero-shot classification", text, texts.size());
    });
    return encodings;
  }

  Tokenizer tokenizer_;
  Model model_;
  std::size_t entailment_;
  std::size_t contradiction_ = 0;
};

}  // namespace axiform::inline AXIFORM_ARCH
