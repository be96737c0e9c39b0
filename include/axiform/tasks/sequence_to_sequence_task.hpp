/// @file
/// What tasks that read a text and write another have in common.
#pragma once

#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/model_head.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/generated_text.hpp>
#include <axiform/tasks/stream_pieces.hpp>
#include <axiform/tasks/text_task_config.hpp>
#include <axiform/tasks/texts.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/sequence_to_sequence_tokenizers.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

/// Tokenizers, a model, and what its checkpoint says of tasks. `name` is how messages call the task.
template <SequenceToSequenceModel Model>
class SequenceToSequenceTask {
 public:
  SequenceToSequenceTask(char const* name, SequenceToSequenceTokenizers tokenizers, Model model, TextTaskConfig config)
      : name_(name), tokenizers_(std::move(tokenizers)), model_(std::move(model)), config_(std::move(config)) {
    axiform::detail::fit_lengths(config_.common.options, model_.positions());
    for (auto& [task, settings] : config_.tasks) axiform::detail::fit_lengths(settings.options, model_.positions());
  }

  static SequenceToSequenceTask from_directory(char const* name, ModelDirectory const& directory, LoadOptions const& loading,
                                               Context& context) {
    axiform::detail::expect_head(directory, {ModelHead::conditional_generation}, name);
    auto config = read_text_task_config(directory);
    return {name, SequenceToSequenceTokenizers::from_directory(directory), load<Model>(directory, loading, context), std::move(config)};
  }

  char const* name() const noexcept { return name_; }
  SequenceToSequenceTokenizers const& tokenizers() const noexcept { return tokenizers_; }
  Model const& model() const noexcept { return model_; }
  TextTaskConfig const& config() const noexcept { return config_; }
  /// Tokens at which a text is cut.
  std::size_t max_length() const { return axiform::detail::longest_text(tokenizers_.source(), model_.source_positions()); }

  /// What was asked for, with what the checkpoint cannot do without; or else what the checkpoint says.
  GenerateOptions complete(std::optional<GenerateOptions> const& asked, GenerateOptions const& checkpoint, Tokenizer const& target) const {
    GenerateOptions options = asked.value_or(checkpoint);
    if (!options.decoder_start) options.decoder_start = checkpoint.decoder_start;
    if (!options.forced_bos) options.forced_bos = checkpoint.forced_bos;
    if (options.forced_eos.empty()) options.forced_eos = checkpoint.forced_eos;
    if (options.end_of_text.empty()) options.end_of_text = checkpoint.end_of_text;
    if (options.bad_words.empty()) options.bad_words = checkpoint.bad_words;
    if (!options.decode) options.decode = axiform::detail::text_of_ids(target);
    return options;
  }

  /// The tokens of one text of several. A model without learned positions (T5) reads one of any length, unless it is to be cut.
  std::vector<TokenId> read(Tokenizer const& source, std::string_view text, LongText long_text, std::size_t index,
                            std::size_t count) const {
    EncodeOptions how;
    if (long_text == LongText::cut) how.max_length = max_length();
    Encoding encoding = source.encode(text, how);
    axiform::detail::check_length(encoding, model_.source_positions(), name_, index, count);
    return std::move(encoding.ids);
  }

  /// Texts for sources, in their order. They run longest first, so that those that run together are alike.
  std::vector<std::vector<WrittenText>> write(Tokenizer const& target, std::span<std::vector<TokenId> const> sources,
                                              GenerateOptions options, Context& context) const {
    std::vector<std::size_t> order(sources.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    axiform::detail::stable_sort(order, [&](std::size_t a, std::size_t b) { return sources[a].size() > sources[b].size(); });
    // Callbacks are told of the sequences as the caller counts them.
    std::size_t const each = options.num_return_sequences;
    auto const place = [&order, each](std::size_t sequence) { return order[sequence / each] * each + sequence % each; };
    if (options.on_token)
      options.on_token = [place, tell = std::move(options.on_token)](GeneratedToken token) {
        token.sequence = place(token.sequence);
        tell(token);
      };
    if (options.stop_when)
      options.stop_when = [place, ask = std::move(options.stop_when)](std::size_t sequence, std::span<TokenId const> ids) {
        return ask(place(sequence), ids);
      };
    if (options.on_beams)
      options.on_beams = [&order, tell = std::move(options.on_beams)](BeamStep step) {
        step.prompt = order[step.prompt];
        tell(step);
      };
    std::vector<std::span<TokenId const>> ordered;
    for (std::size_t const source : order) ordered.emplace_back(sources[source]);
    auto found = generate_batch(model_, ordered, options, context);
    std::vector<std::vector<WrittenText>> texts(sources.size());
    for (std::size_t i = 0; i < order.size(); ++i) texts[order[i]] = texts_of(target, std::move(found[i]));
    return texts;
  }

  /// Texts for one source, told piece by piece.
  std::vector<WrittenText> stream(Tokenizer const& target, std::vector<TokenId> const& source, GenerateOptions const& options,
                                  FunctionRef<void(TextPiece)> on_text, Context& context) const {
    TokenId const start = options.checked_decoder_start(model_.vocabulary());
    auto const run = [&](GenerateOptions const& how) { return generate_sequences(model_, source, how, context); };
    return texts_of(target, axiform::detail::stream_pieces(target, std::span(&start, 1), options, on_text, run));
  }

 private:
  static std::vector<WrittenText> texts_of(Tokenizer const& target, std::vector<GeneratedSequence> sequences) {
    std::vector<WrittenText> texts;
    for (GeneratedSequence& sequence : sequences) {
      std::string text = target.decode(axiform::detail::known_ids(target, sequence.ids),
                                       {.skip_special_tokens = true, .clean_up_tokenization_spaces = CleanUp::no});
      texts.push_back({std::move(text), std::move(sequence)});
    }
    return texts;
  }

  char const* name_;
  SequenceToSequenceTokenizers tokenizers_;
  Model model_;
  TextTaskConfig config_;
};

}  // namespace axiform::inline AXIFORM_ARCH::internal
