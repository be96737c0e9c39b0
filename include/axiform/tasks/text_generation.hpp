/// @file
/// `TextGeneration`: continues texts with a GPT-2, or what else is a causal language model.
///
///     auto context = Context::with_threads(2);
///     auto const gpt2 = TextGeneration<>::from_directory("models/gpt2", context);
///     auto const texts = gpt2.generate("The earth is", {.max_length = 12, .num_return_sequences = 3, .seed = 42}, context);
///     for (GeneratedText const& text : texts) std::cout << text.text << "\n";
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/perplexity.hpp>
#include <axiform/generate/profiles.hpp>
#include <axiform/generate/session.hpp>
#include <axiform/generate/speculative.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/generated_text.hpp>
#include <axiform/tasks/generation_config.hpp>
#include <axiform/tasks/stream_pieces.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A model that continues texts: what sessions and perplexity need (generate/causal_model.hpp), with the logits of whole texts.
template <class M>
concept CausalTextModel =
    RewindableLanguageModel<M> && requires(M const& model, std::span<TokenId const> ids, Context& context) {
      { model.logits(model(ids, context), context) } -> std::same_as<Tensor<float, axes::Tokens, axes::VocabularyEntries>>;
    };

template <CausalTextModel Model>
class TextSession;
template <CausalTextModel Model>
class Conversation;  // axiform/tasks/chat.hpp

/// Texts to longer texts, as Hugging Face's text-generation pipeline: the tokenizer, the model, and the settings of a directory.
/// Constant once made: one object serves any number of threads, each with a context of its own.
///
/// Options that say nothing of end-of-text get the checkpoint's. An empty text is continued from the token that begins documents.
template <CausalTextModel ModelType = AnyCausalModel>
class TextGeneration {
 public:
  using Model = ModelType;  ///< What continues texts.

  /// From its parts. @param config What the checkpoint asks for: its `end_of_text` at least.
  TextGeneration(Tokenizer tokenizer, Model model, Json config)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), config_(std::move(config)), defaults_(options()) {}

  /// From a Hugging Face directory. Its `generation_config.json` is read where it has one, else config.json's `eos_token_id` alone.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of a GPT-2 of these dimensions.
  static TextGeneration from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    detail::expect_head(directory, {ModelHead::causal_lm}, "text generation");
    Json config = Json::object();
    if (directory.has("generation_config.json")) {
      config = directory.json("generation_config.json");
      read_generation_config(config, {}, (directory / "generation_config.json").string());
    }
    if (!config.contains("eos_token_id")) config["eos_token_id"] = detail::end_of_text_ids(directory);
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context), std::move(config)};
  }
  /// The same with weights in f32.
  static TextGeneration from_directory(ModelDirectory const& directory, Context& context) { return from_directory(directory, {}, context); }

  /// A profile's options with the checkpoint's own settings on top.
  GenerateOptions options(GenerationProfile profile = GenerationProfile::notebook) const {
    return read_generation_config(config_, options_of(profile), "generation_config.json");
  }

  /// Continues a text.
  /// @return `num_return_sequences` texts.
  /// @throws ArgumentError as `axiform::generate`: options that contradict each other, a text that is too long for them or for the model.
  std::vector<GeneratedText> generate(std::string_view text, GenerateOptions const& options, Context& context) const {
    std::vector<TokenId> const prompt = encode(text);
    return texts_of(text, generate_sequences(model_, prompt, prepared(options), context));
  }
  /// The same with the checkpoint's options.
  std::vector<GeneratedText> generate(std::string_view text, Context& context) const { return generate(text, defaults_, context); }

  /// Continues each of several texts. A text's continuations do not depend on the others.
  /// @return For each text `num_return_sequences` texts.
  /// @throws As above.
  template <TextRange Texts>
  std::vector<std::vector<GeneratedText>> generate(Texts const& texts, GenerateOptions const& options, Context& context) const {
    std::vector<std::vector<TokenId>> prompts;
    for (std::string_view const text : texts) prompts.push_back(encode(text));
    auto sequences = generate_batch(model_, prompts, prepared(options), context);
    std::vector<std::vector<GeneratedText>> results;
    auto text = std::ranges::begin(texts);
    for (auto& of_text : sequences) results.push_back(texts_of(*text++, std::move(of_text)));
    return results;
  }
  /// The same for a list.
  std::vector<std::vector<GeneratedText>> generate(std::initializer_list<std::string_view> texts, GenerateOptions const& options,
                                                   Context& context) const {
    return generate(std::span(texts.begin(), texts.size()), options, context);
  }

  /// Continues a text, and tells its continuation piece by piece.
  ///
  ///     gpt2.stream("The earth is", {.seed = 1}, [](TextPiece piece) { std::cout << piece.text << std::flush; }, context);
  ///
  /// The pieces of a sequence, put together, are its `continuation` (where the tokenizer cleans up no spaces).
  /// @throws As `generate`; ArgumentError also with beams, which have nothing to tell before they end.
  std::vector<GeneratedText> stream(std::string_view text, GenerateOptions const& options, FunctionRef<void(TextPiece)> on_text,
                                    Context& context) const {
    std::vector<TokenId> const prompt = encode(text);
    auto const run = [&](GenerateOptions const& how) { return generate_sequences(model_, prompt, how, context); };
    return texts_of(text, stream_with(run, prompt, options, on_text));
  }

  /// Continues a text with the help of a small model of the same tokenizer.
  /// @return One text, and how well the small model guessed.
  /// @throws As `axiform::generate_speculatively`.
  template <CausalTextModel Small>
  SpeculativeText generate_speculatively(std::string_view text, TextGeneration<Small> const& draft, GenerateOptions const& options,
                                         SpeculationOptions const& speculation, Context& context) const {
    auto found = axiform::generate_speculatively(model_, draft.model(), encode(text), prepared(options), speculation, context);
    return {text_of(text, std::move(found.sequence)), found.proposed, found.accepted};
  }

  /// How probable a text is; of any length. @throws ArgumentError as `axiform::perplexity`.
  Perplexity perplexity(std::string_view text, PerplexityOptions const& options, Context& context) const {
    return axiform::perplexity(model_, tokenizer_.encode(text).ids, options, context);
  }
  /// What the model says of each token of a text but the first. @throws ArgumentError as `axiform::report_tokens`.
  std::vector<TokenReport> report(std::string_view text, std::size_t alternatives, Context& context) const {
    return report_tokens(model_, encode(text), alternatives, context);
  }
  /// The logits behind every token of a text. @return [Tokens, VocabularyEntries], in the context's memory.
  /// @throws ArgumentError when the text has more tokens than the model has positions.
  Tensor<float, axes::Tokens, axes::VocabularyEntries> logits(std::string_view text, Context& context) const {
    return model_.logits(model_(encode(text), context), context);
  }

  /// A text that is continued turn by turn, and begins empty. This object must outlive it.
  TextSession<Model> session() const { return TextSession<Model>(*this); }

  /// Words as `GenerateOptions::bad_words` has them, each as it stands and with a space before it, as it is in the middle of a text.
  ///
  ///     options.bad_words = gpt2.bad_words({"fool", "idiot"});
  ///
  /// @throws ArgumentError for an empty word.
  template <TextRange Texts>
  std::vector<std::vector<TokenId>> bad_words(Texts const& words) const {
    return detail::ids_of_bad_words(tokenizer_, words);
  }
  /// The same for a list.
  std::vector<std::vector<TokenId>> bad_words(std::initializer_list<std::string_view> words) const {
    return bad_words(std::span(words.begin(), words.size()));
  }

  /// The tokens of a prompt: of an empty one the token that begins documents.
  /// @throws ArgumentError when the text is empty and there is no such token.
  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> ids = tokenizer_.encode(text).ids;
    if (!ids.empty()) return ids;
    auto const begin = tokenizer_.special_tokens().bos;
    if (begin) return {*begin};
    if (!defaults_.end_of_text.empty()) return {defaults_.end_of_text[0]};
    throw ArgumentError("text generation: found an empty text, and no token that begins one; expected at least one character");
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }      ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }                  ///< What continues them.
  std::size_t positions() const noexcept { return model_.positions(); }    ///< The longest text, in tokens.

 private:
  friend class TextSession<Model>;
  friend class Conversation<Model>;

  // With the checkpoint's end-of-text, and what finds stop strings.
  GenerateOptions prepared(GenerateOptions options) const {
    if (options.end_of_text.empty()) options.end_of_text = defaults_.end_of_text;
    if (!options.decode) options.decode = detail::text_of_ids(tokenizer_);
    return options;
  }

  // What a text that follows these tokens, at least one, has before it.
  TextBefore end_of(std::span<TokenId const> ids) const {
    return tokenizer_.is_added(ids.back()) ? TextBefore::added_token : TextBefore::text;
  }

  GeneratedText text_of(std::string_view prompt, GeneratedSequence sequence) const {
    auto const before = std::span(sequence.ids).first(sequence.prompt_length);
    auto const known = axiform::detail::known_ids(tokenizer_, sequence.new_ids());
    std::string continuation = tokenizer_.decode_after(before, known, {.skip_special_tokens = true});
    return {std::string(prompt) + continuation, std::move(continuation), std::move(sequence)};
  }
  std::vector<GeneratedText> texts_of(std::string_view prompt, std::vector<GeneratedSequence> sequences) const {
    std::vector<GeneratedText> texts;
    for (GeneratedSequence& sequence : sequences) texts.push_back(text_of(prompt, std::move(sequence)));
    return texts;
  }

  template <class Run>
  auto stream_with(Run run, std::span<TokenId const> prompt, GenerateOptions const& options, FunctionRef<void(TextPiece)> on_text) const {
    return axiform::detail::stream_pieces(tokenizer_, prompt, prepared(options), on_text, run);
  }

  Tokenizer tokenizer_;
  Model model_;
  Json config_;
  GenerateOptions defaults_;
};

/// A text that grows over several turns: what has been read stays in the key-value cache. Made by `TextGeneration::session`, which must
/// outlive it.
///
///     auto session = gpt2.session();
///     session.append("Question: who wrote Hamlet?\nAnswer:");
///     std::string const answer = session.generate({.max_new_tokens = 20, .stop_strings = {"\n"}}, context).continuation;
template <CausalTextModel Model>
class TextSession {
 public:
  /// An empty text.
  explicit TextSession(TextGeneration<Model> const& task) : task_(&task), session_(task.model()) {}

  /// Adds text at the end; special tokens only where the text begins with it. @throws ArgumentError when there is no room.
  void append(std::string_view text) {
    session_.append(task_->tokenizer()
                        .encode(text, {.add_special_tokens = session_.size() == 0,
                                       .before = text_.empty() ? TextBefore::nothing : task_->end_of(session_.ids())})
                        .ids);
    text_ += text;
  }
  /// Continues the text. @return All of it; the continuation is what is new.
  /// @throws ArgumentError as `GenerationSession::generate`; the text is as before then.
  GeneratedText generate(GenerateOptions const& options, Context& context) {
    return finish(session_.generate(task_->prepared(options), context));
  }
  /// The same, told piece by piece. @throws As `TextGeneration::stream`.
  GeneratedText stream(GenerateOptions const& options, FunctionRef<void(TextPiece)> on_text, Context& context) {
    return finish(
        task_->stream_with([&](GenerateOptions const& how) { return session_.generate(how, context); }, session_.ids(), options, on_text));
  }

  std::string const& text() const noexcept { return text_; }                  ///< The text so far.
  std::span<TokenId const> ids() const& noexcept { return session_.ids(); }   ///< Its tokens.
  void ids() const&& = delete;                                                ///< The span would dangle: give the owner a name.
  std::size_t size() const noexcept { return session_.size(); }               ///< The number of its tokens.
  /// Tokens that it may still grow by.
  std::size_t room() const noexcept { return session_.capacity() - session_.size(); }

  /// Forgets what came behind the first `tokens` tokens; the text is then what these stand for. @throws ArgumentError when there are fewer.
  void roll_back(std::size_t tokens) {
    session_.roll_back(tokens);
    text_ = task_->tokenizer().decode(session_.ids(), {.skip_special_tokens = true});
  }
  /// A second session with the same text.
  TextSession fork() const { return TextSession(task_, session_.fork(), text_); }

 private:
  TextSession(TextGeneration<Model> const* task, GenerationSession<Model> session, std::string text)
      : task_(task), session_(std::move(session)), text_(std::move(text)) {}

  GeneratedText finish(GeneratedSequence sequence) {
    GeneratedText result = task_->text_of(text_, std::move(sequence));
    text_ = result.text;
    return result;
  }

  TextGeneration<Model> const* task_;
  GenerationSession<Model> session_;
  std::string text_;
};

}  // namespace axiform::inline AXIFORM_ARCH
