/// @file
/// `TokenClassification`: labels of the tokens of a text, such as the names of people and places in it.
///
///     auto const model = TokenClassification<>::from_directory("models/bert-ner", context);
///     for (LabelledToken const& entity : model.label(text, {.aggregation = Aggregation::simple}, context))
///       std::cout << entity.label << "  " << text.substr(entity.byte_start, entity.byte_end - entity.byte_start) << "\n";
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/tasks/texts.hpp>
#include <axiform/tasks/token_labels.hpp>
#include <axiform/tasks/windows.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// How tokens are labelled.
struct TokenClassificationOptions {
  Aggregation aggregation = Aggregation::none;  ///< What becomes of the labels of tokens.
  /// Labels, or kinds of entities, that are left out. (GCC 12 breaks down on {"O"} here.)
  std::vector<std::string> ignore_labels = std::vector<std::string>(1, "O");
  /// Texts that are too long are read in windows that overlap by so many tokens; not with `Aggregation::none`. Empty: as `long_text` says.
  std::optional<std::size_t> stride = {};
  LongText long_text = LongText::refuse;  ///< What becomes of a text that is too long. transformers' pipeline cuts.
  std::size_t batch_size = 32;            ///< Windows that run together. It changes speed and memory, never a bit of the result.
  std::stop_token stop = {};              ///< Ends the call with a `StoppedError`.
  ProgressCallback progress = {};         ///< Is told how many windows are done; a text that is not too long is one.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Labels tokens as transformers' `token-classification` pipeline (5.24) does, with a BERT, RoBERTa or DistilBERT for token classification.
/// Constant once made: one object serves any number of threads, each with a context of its own.
template <TokenLabelModel ModelType = BertForTokenClassification<>>
class TokenClassification {
 public:
  using Model = ModelType;  ///< What reads the texts.

  /// From its parts.
  /// @throws CheckpointError when the model has not as many labels as `labels`.
  TokenClassification(Tokenizer tokenizer, Model model, std::vector<std::string> labels)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), labels_(std::move(labels)) {
    if (std::size_t const found = model_.labels(); found != labels_.size())
      throw CheckpointError("token classification: found a model of " + std::to_string(found) + " labels, expected the " +
                            std::to_string(labels_.size()) + " that are named");
  }

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static TokenClassification from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    detail::expect_head(directory, {ModelHead::token_classification}, "token classification");
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context), read_label_config(directory).labels};
  }
  /// The same with weights in f32.
  static TokenClassification from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// The labelled tokens, or entities, of one text, in order.
  /// @throws ArgumentError when the text has too many tokens, or options are absurd, unknown or contradict each other; StoppedError; what
  ///         the callback throws.
  std::vector<LabelledToken> label(std::string_view text, TokenClassificationOptions const& options, Context& context) const {
    return std::move(label(std::span(&text, 1), options, context).front());
  }
  /// The same with the defaults of all options.
  std::vector<LabelledToken> label(std::string_view text, Context& context) const {
    return label(text, TokenClassificationOptions{}, context);
  }
  /// The same for many texts, in their order.
  template <TextRange Texts>
  std::vector<std::vector<LabelledToken>> label(Texts const& texts, TokenClassificationOptions const& options, Context& context) const {
    check(options);
    std::vector<detail::WindowedEncoding> windowed;
    std::vector<Window> windows;
    std::vector<std::size_t> lengths;
    EncodeOptions cut;
    if (options.long_text == LongText::cut) cut.max_length = max_length();
    for (Encoding& encoding : tokenizer_.encode_batch(texts, cut, context.executor())) {
      std::size_t const text = windowed.size();
      std::size_t const begin = windows.size();
      if (!options.stride) detail::check_length(encoding, max_length(), "token classification", text, std::ranges::size(texts));
      auto const [first, last] = body_of(encoding);
      windowed.emplace_back(std::move(encoding), first, last, max_length(), options.stride.value_or(0));
      for (std::size_t const length : windowed.back().lengths()) {
        windows.push_back({text, windows.size() - begin, {}});
        lengths.push_back(length);
      }
    }
    internal::for_each_batch(
        lengths, {.what = "token classification", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress},
        context, [&](std::span<std::size_t const> batch, Context& own) { run(windowed, batch, windows, own); });
    detail::TokenLabels const labels(tokenizer_, labels_, options.aggregation);
    std::vector<std::vector<LabelledToken>> result(windowed.size());
    for (Window const& window : windows) {
      auto const place = windowed[window.text].windows()[window.index];
      std::string_view const text = std::ranges::begin(texts)[static_cast<std::ptrdiff_t>(window.text)];
      for (LabelledToken& token : labels.label(text, windowed[window.text].encoding(), place.begin, place.end, window.scores))
        if (std::ranges::find(options.ignore_labels, token.label) == options.ignore_labels.end())
          result[window.text].push_back(std::move(token));
    }
    for (std::size_t i = 0; i < result.size(); ++i)
      if (windowed[i].windows().size() > 1) result[i] = detail::TokenLabels::merge_overlapping(std::move(result[i]));
    return result;
  }

  /// The same for a list.
  std::vector<std::vector<LabelledToken>> label(std::initializer_list<std::string_view> texts, TokenClassificationOptions const& options,
                                                Context& context) const {
    return label(std::span(texts.begin(), texts.size()), options, context);
  }

  /// The labels, by the place of their logits.
  std::vector<std::string> const& labels() const noexcept { return labels_; }
  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads them.
  /// Tokens of the longest text, or window, special ones included.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  struct Window {
    std::size_t text;            // Which of the texts.
    std::size_t index;           // Which of its windows.
    std::vector<double> scores;  // Probabilities of the text's tokens in it, a row each.
  };

  void check(TokenClassificationOptions const& options) const {
    for (std::string const& label : options.ignore_labels) {
      bool const is_known = label == "O" || std::ranges::any_of(labels_, [&](std::string const& known) {
                              return known == label || detail::TokenLabels::group_name(known) == label;
                            });
      if (!is_known)
        throw ArgumentError("ignore_labels: found " + detail::in_quotes(label) + ", expected the model's " + detail::one_of(labels_) +
                            ", or one without what is before its hyphen");
    }
    if (!options.stride) return;
    if (options.aggregation == Aggregation::none)
      throw ArgumentError("stride: found " + std::to_string(*options.stride) + " with Aggregation::none, expected another aggregation");
    if (options.long_text == LongText::cut)
      throw ArgumentError("stride: found " + std::to_string(*options.stride) + " with LongText::cut, expected one of the two");
    if (std::size_t const room = max_length() - std::min(max_length(), tokenizer_.added_to_text()); *options.stride >= room)
      throw ArgumentError("stride: found " + std::to_string(*options.stride) + ", expected less than the " + std::to_string(room) +
                          " tokens of a window");
  }

  // The tokens of the text: those that are neither in front nor behind.
  static std::pair<std::size_t, std::size_t> body_of(Encoding const& encoding) {
    auto const& is_special = encoding.special_tokens_mask;
    std::size_t first = 0;
    std::size_t last = encoding.size();
    while (first < last && is_special[first] != 0) ++first;
    while (last > first && is_special[last - 1] != 0) --last;
    return {first, last};
  }

  void run(std::span<detail::WindowedEncoding const> windowed, std::span<std::size_t const> batch, std::vector<Window>& windows,
           Context& context) const {
    internal::PackedEncodings packed(model_.token_types());
    for (std::size_t const i : batch) {
      auto const& text = windowed[windows[i].text];
      packed.append(text.ids(windows[i].index), text.type_ids(windows[i].index));
    }
    auto const logits = model_(packed.batch(), context);
    for (std::size_t b = 0; b < batch.size(); ++b) {
      Window& window = windows[batch[b]];
      auto const& text = windowed[window.text];
      auto const [begin, end] = text.windows()[window.index];
      std::size_t const first = packed.sequences().offset(b) + text.before();
      for (std::size_t row = first; row < first + (end - begin); ++row) {
        auto const scores = internal::softmax(logits.row(row));
        window.scores.insert(window.scores.end(), scores.begin(), scores.end());
      }
    }
  }

  Tokenizer tokenizer_;
  Model model_;
  std::vector<std::string> labels_;
};

}  // namespace axiform::inline AXIFORM_ARCH
