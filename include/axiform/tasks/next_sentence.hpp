/// @file
/// `NextSentence`: whether one sentence follows another.
///
///     auto const model = NextSentence<>::from_directory("models/bert-base-uncased", context);
///     double const p = model.probability("He opened the door.", "It was dark inside.", context);
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/texts.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// How many pairs are read.
struct NextSentenceOptions {
  LongText long_text = LongText::refuse;  ///< What becomes of a pair that is too long.
  std::size_t batch_size = 32;            ///< Pairs that run together. It changes speed and memory, never a bit of the result.
  std::stop_token stop = {};              ///< Ends the call with a `StoppedError`.
  ProgressCallback progress = {};         ///< Is told how many pairs are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// BERT's next-sentence prediction (Devlin et al. 2019, section 3.1), as BertForNextSentencePrediction of transformers (5.24). Constant
/// once made: one object serves any number of threads, each with a context of its own.
template <NextSentenceModel ModelType = BertForNextSentence<>>
class NextSentence {
 public:
  using Model = ModelType;  ///< What reads the pairs.

  /// From its parts.
  NextSentence(Tokenizer tokenizer, Model model) : tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static NextSentence from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    // bert-base-uncased says that it is for masked language modelling, and has this head too: where it is missing, loading will tell.
    detail::expect_head(directory, {ModelHead::next_sentence, ModelHead::pre_training, ModelHead::masked_lm}, "next-sentence prediction");
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context)};
  }
  /// The same with weights in f32.
  static NextSentence from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// The probability that `second` follows `first`, from 0 to 1.
  /// @throws ArgumentError when the two are too long together.
  double probability(std::string_view first, std::string_view second, Context& context) const {
    TextPair const pair{std::string(first), std::string(second)};
    return probabilities(std::span(&pair, 1), {}, context).front();
  }
  /// The probability of each pair, in their order.
  /// @throws ArgumentError when a pair is too long; StoppedError; what the callback throws.
  std::vector<double> probabilities(std::span<TextPair const> pairs, NextSentenceOptions const& options, Context& context) const {
    EncodeOptions encode;
    if (options.long_text == LongText::cut) encode.max_length = max_length();
    std::vector<Encoding> encodings;
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      encodings.push_back(tokenizer_.encode_pair(pairs[i].first, pairs[i].second, encode));
      detail::check_length(encodings[i], max_length(), "next sentence", i, pairs.size());
      lengths.push_back(encodings[i].size());
    }
    std::vector<double> result(pairs.size());
    internal::for_each_batch(
        lengths, {.what = "next sentence", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress}, context,
        [&](std::span<std::size_t const> batch, Context& own) {
          internal::PackedEncodings packed(model_.token_types());
          for (std::size_t const i : batch) packed.append(encodings[i]);
          auto const logits = model_(packed.batch(), own);
          for (std::size_t i = 0; i < batch.size(); ++i) result[batch[i]] = internal::softmax(logits.row(i)).front();
        });
    return result;
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads the pairs.
  /// Tokens of the longest pair, special ones included.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  Tokenizer tokenizer_;
  Model model_;
};

}  // namespace axiform::inline AXIFORM_ARCH
