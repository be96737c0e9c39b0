/// @file
/// `FillMask`: which tokens stand where a text has a mask.
///
///     auto const model = FillMask<>::from_directory("models/bert-base-uncased", context);
///     for (FilledMask const& guess : model.fill("Istanbul is a great [MASK].", {.top_k = 3}, context).masks.front())
///       std::cout << guess.score << "  " << guess.token_str << "  " << guess.sequence << "\n";
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

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform {

/// A guess at what a mask stands for.
struct FilledMask {
  double score;           ///< The probability among all tokens of the vocabulary, chosen targets or not.
  TokenId token;          ///< The token.
  std::string token_str;  ///< Its text.
  std::string sequence;   ///< The whole text with it; where there are several masks, with the others and all special tokens.
};

/// What stands for the masks of a text.
struct FilledText {
  std::vector<std::vector<FilledMask>> masks;  ///< For each mask, in order, the best guesses, best first.
  std::vector<std::string> warnings;           ///< What became of targets that are not in the vocabulary.
};

/// How masks are filled.
struct FillMaskOptions {
  std::size_t top_k = 5;                  ///< Guesses a mask, at most as many as there are tokens or targets.
  std::vector<std::string> targets = {};  ///< Only these are guessed, as the vocabulary writes them; any token when empty.
  std::size_t batch_size = 32;            ///< Texts that run together. It changes speed and memory, never a bit of the result.
  std::stop_token stop = {};              ///< Ends the call with a `StoppedError`.
  ProgressCallback progress = {};         ///< Is told how many texts are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Fills masks as transformers' `fill-mask` pipeline (5.24) does, with a BERT, RoBERTa or DistilBERT for masked language modelling, or what else
/// is a `MaskedLmModel`. The
/// logits of the masks' rows are all that is computed of the head. Constant once made: one object serves any number of threads, each with a
/// context of its own.
template <MaskedLmModel ModelType = BertForMaskedLm<>>
class FillMask {
 public:
  using Model = ModelType;  ///< What guesses.

  /// From its parts.
  /// @throws CheckpointError when the tokenizer has no mask.
  FillMask(Tokenizer tokenizer, Model model) : tokenizer_(std::move(tokenizer)), model_(std::move(model)) {
    if (!tokenizer_.special_tokens().mask) throw CheckpointError("fill mask: the tokenizer has no mask token");
  }

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static FillMask from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    detail::expect_head(directory, {ModelHead::masked_lm, ModelHead::pre_training}, "masked language modelling");
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context)};
  }
  /// The same with weights in f32.
  static FillMask from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// What stands for the masks of one text, which is written with `mask()`.
  /// @throws ArgumentError when the text has no mask or is too long, or an option is absurd; StoppedError; what the callback throws.
  FilledText fill(std::string_view text, FillMaskOptions const& options, Context& context) const {
    return std::move(fill(std::span(&text, 1), options, context).front());
  }
  /// The same with the defaults of all options.
  FilledText fill(std::string_view text, Context& context) const { return fill(text, FillMaskOptions{}, context); }
  /// The same for many texts, in their order.
  template <TextRange Texts>
  std::vector<FilledText> fill(Texts const& texts, FillMaskOptions const& options, Context& context) const {
    detail::check_positive(options.top_k, "top_k");
    FilledText common;
    auto const targets = target_ids(options.targets, common.warnings);
    auto const encodings = tokenizer_.encode_batch(texts, {}, context.executor());
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < encodings.size(); ++i) {
      detail::check_length(encodings[i], max_length(), "fill mask", i, encodings.size());
      if (masks_of(encodings[i]).empty())
        throw ArgumentError("fill mask: " + detail::text_name(i, encodings.size()) + "found no mask, expected at least one " + mask());
      lengths.push_back(encodings[i].size());
    }
    std::vector<FilledText> results(encodings.size(), common);
    internal::for_each_batch(
        lengths, {.what = "fill mask", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress}, context,
        [&](std::span<std::size_t const> batch, Context& own) { fill_batch(encodings, batch, options.top_k, targets, results, own); });
    return results;
  }

  /// The same for a list.
  std::vector<FilledText> fill(std::initializer_list<std::string_view> texts, FillMaskOptions const& options, Context& context) const {
    return fill(std::span(texts.begin(), texts.size()), options, context);
  }

  /// What masks are written as: `[MASK]`, or RoBERTa's `<mask>`.
  std::string const& mask() const { return tokenizer_.id_to_token(*tokenizer_.special_tokens().mask); }
  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What guesses.
  /// Tokens of the longest text, special ones included.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  std::vector<std::size_t> masks_of(Encoding const& encoding) const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < encoding.size(); ++i)
      if (encoding.ids[i] == *tokenizer_.special_tokens().mask) result.push_back(i);
    return result;
  }

  // A target that the vocabulary lacks becomes the first token of its text.
  std::vector<TokenId> target_ids(std::vector<std::string> const& targets, std::vector<std::string>& warnings) const {
    std::vector<TokenId> ids;
    for (std::string const& target : targets) {
      auto id = tokenizer_.token_to_id(target);
      if (!id) {
        auto const pieces = tokenizer_.encode(target, {.add_special_tokens = false}).ids;
        std::string const warning = "target " + detail::in_quotes(target) + " is not in the vocabulary: ";
        if (pieces.empty()) {
          warnings.push_back(warning + "it is left out");
          continue;
        }
        id = pieces.front();
        warnings.push_back(warning + "its first token " + detail::in_quotes(tokenizer_.id_to_token(*id)) + " is taken in its place");
      }
      std::size_t const known = model_.vocabulary();
      if (static_cast<std::size_t>(*id) >= known)
        throw ArgumentError("targets: found " + detail::in_quotes(target) + ", token " + std::to_string(*id) + ", and the model knows " +
                            std::to_string(known) + " tokens");
      if (std::ranges::find(ids, *id) == ids.end()) ids.push_back(*id);
    }
    if (ids.empty() && !targets.empty()) throw ArgumentError("targets: found none that is a token, expected at least one");
    return ids;
  }

  void fill_batch(std::span<Encoding const> encodings, std::span<std::size_t const> batch, std::size_t top_k,
                  std::span<TokenId const> targets, std::vector<FilledText>& results, Context& context) const {
    Context::Pass const pass(context);
    internal::PackedEncodings packed(model_.token_types());
    std::vector<std::size_t> rows;
    for (std::size_t const i : batch) {
      for (std::size_t const place : masks_of(encodings[i])) rows.push_back(packed.sequences().total() + place);
      packed.append(encodings[i]);
    }
    auto const states = model_.hidden_states(packed.batch(), context);
    auto masked = make_tensor<float>(context, Shape<axes::Tokens, LastAxis<decltype(states)>>::of({rows.size(), states.columns()}));
    for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(states.row(rows[i]), masked.row(i).begin());
    auto const logits = model_.logits(masked, context);
    std::size_t row = 0;
    for (std::size_t const i : batch) {
      auto const places = masks_of(encodings[i]);
      for (std::size_t const place : places)
        results[i].masks.push_back(guesses(encodings[i].ids, place, places.size() == 1, logits.row(row++), top_k, targets));
    }
  }

  std::vector<FilledMask> guesses(std::vector<TokenId> ids, std::size_t place, bool is_only_mask, std::span<float const> logits,
                                  std::size_t top_k, std::span<TokenId const> targets) const {
    auto scores = internal::softmax(logits);
    if (!targets.empty()) {
      std::vector<double> chosen;
      for (TokenId const id : targets) chosen.push_back(scores[static_cast<std::size_t>(id)]);
      scores = std::move(chosen);
    }
    std::vector<FilledMask> result;
    for (std::size_t const best : axiform::detail::greatest_indices(scores, top_k)) {
      TokenId const token = targets.empty() ? static_cast<TokenId>(best) : targets[best];
      ids[place] = token;
      result.push_back({scores[best], token, decode({token}, false), decode(ids, is_only_mask)});
    }
    return result;
  }

  // Without padding tokens, and without those that a model knows more than its tokenizer.
  std::string decode(std::vector<TokenId> ids, bool skips_special_tokens) const {
    bool const is_alone = ids.size() == 1;
    std::erase_if(ids, [&](TokenId id) {
      return static_cast<std::size_t>(id) >= tokenizer_.vocabulary_size() || (!is_alone && id == tokenizer_.special_tokens().pad);
    });
    return tokenizer_.decode(ids, {.skip_special_tokens = skips_special_tokens});
  }

  Tokenizer tokenizer_;
  Model model_;
};

}  // namespace axiform::inline AXIFORM_ARCH
