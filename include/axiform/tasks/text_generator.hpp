/// @file
/// `TextGenerator`: a generating model behind a small value that any unit can include: the library's templates are not in this header.
///
///     // model.cpp, the one unit that compiles a model
///     TextGenerator load_generator(std::string const& directory) {
///       auto context = Context::with_threads(2);
///       auto model = TextGeneration<>::from_directory(directory, context);
///       return TextGenerator(std::move(model), std::move(context));
///     }
///
///     // anywhere else: #include <axiform/tasks/text_generator.hpp>
///     std::string const text = generator.generate("The earth is", {.max_length = 12, .seed = 42})[0].text;
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/function_ref.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/options.hpp>
#include <axiform/generate/profiles.hpp>
#include <axiform/generate/result.hpp>
#include <axiform/tasks/generated_text.hpp>

namespace axiform {

/// Texts to longer texts, by a model whose type is not seen. Copies share the model. Any number of threads may call it: one at a time
/// computes, with the context's own threads. A callback must not call it again.
class TextGenerator {
 public:
  /// Takes over a `TextGeneration`, or anything with its methods, and the context that it runs in.
  template <class Model, class Context>
  TextGenerator(Model model, Context context) : model_(std::make_shared<Owned<Model, Context>>(std::move(model), std::move(context))) {}

  /// A profile's options with the checkpoint's own settings on top.
  GenerateOptions options(GenerationProfile profile = GenerationProfile::notebook) const { return model_->options(profile); }

  /// Continues a text. @return `num_return_sequences` texts. @throws As `TextGeneration::generate`.
  std::vector<GeneratedText> generate(std::string_view text, GenerateOptions const& options) const {
    return std::move(model_->generate(std::span(&text, 1), options).front());
  }
  /// Continues each of several texts. @return For each `num_return_sequences` texts. @throws As `TextGeneration::generate`.
  std::vector<std::vector<GeneratedText>> generate(std::span<std::string_view const> texts, GenerateOptions const& options) const {
    return model_->generate(texts, options);
  }
  /// The same for strings.
  std::vector<std::vector<GeneratedText>> generate(std::span<std::string const> texts, GenerateOptions const& options) const {
    return generate(std::vector<std::string_view>(texts.begin(), texts.end()), options);
  }
  /// The same for a list.
  std::vector<std::vector<GeneratedText>> generate(std::initializer_list<std::string_view> texts, GenerateOptions const& options) const {
    return generate(std::span(texts.begin(), texts.size()), options);
  }
  /// Continues a text, and tells its continuation piece by piece. @throws As `TextGeneration::stream`.
  std::vector<GeneratedText> stream(std::string_view text, GenerateOptions const& options, FunctionRef<void(TextPiece)> on_text) const {
    return model_->stream(text, options, on_text);
  }

  /// How probable a text is. @throws As `TextGeneration::perplexity`.
  Perplexity perplexity(std::string_view text, PerplexityOptions const& options = {}) const { return model_->perplexity(text, options); }
  /// What the model says of each token of a text but the first. @throws As `TextGeneration::report`.
  std::vector<TokenReport> report(std::string_view text, std::size_t alternatives) const { return model_->report(text, alternatives); }

  /// Words as `GenerateOptions::bad_words` has them. @throws As `TextGeneration::bad_words`.
  std::vector<std::vector<TokenId>> bad_words(std::span<std::string_view const> words) const { return model_->bad_words(words); }
  /// The same for a list.
  std::vector<std::vector<TokenId>> bad_words(std::initializer_list<std::string_view> words) const {
    return bad_words(std::span(words.begin(), words.size()));
  }
  /// The text of tokens, special ones included. @throws ArgumentError for an id that the vocabulary lacks.
  std::string decode(std::span<TokenId const> ids) const { return model_->decode(ids); }
  std::size_t positions() const { return model_->positions(); }  ///< The longest text, in tokens.

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual GenerateOptions options(GenerationProfile profile) const = 0;
    virtual std::vector<std::vector<GeneratedText>> generate(std::span<std::string_view const> texts, GenerateOptions const& options) = 0;
    virtual std::vector<GeneratedText> stream(std::string_view text, GenerateOptions const& options,
                                              FunctionRef<void(TextPiece)> on_text) = 0;
    virtual Perplexity perplexity(std::string_view text, PerplexityOptions const& options) = 0;
    virtual std::vector<TokenReport> report(std::string_view text, std::size_t alternatives) = 0;
    virtual std::vector<std::vector<TokenId>> bad_words(std::span<std::string_view const> words) const = 0;
    virtual std::string decode(std::span<TokenId const> ids) const = 0;
    virtual std::size_t positions() const = 0;
  };

  template <class Model, class Context>
  struct Owned final : Interface {
    Owned(Model own_model, Context own_context) : model(std::move(own_model)), context(std::move(own_context)) {}

    GenerateOptions options(GenerationProfile profile) const override { return model.options(profile); }
    std::vector<std::vector<GeneratedText>> generate(std::span<std::string_view const> texts, GenerateOptions const& how) override {
      std::lock_guard const lock(mutex);
      return model.generate(texts, how, context);
    }
    std::vector<GeneratedText> stream(std::string_view text, GenerateOptions const& how, FunctionRef<void(TextPiece)> on_text) override {
      std::lock_guard const lock(mutex);
      return model.stream(text, how, on_text, context);
    }
    Perplexity perplexity(std::string_view text, PerplexityOptions const& how) override {
      std::lock_guard const lock(mutex);
      return model.perplexity(text, how, context);
    }
    std::vector<TokenReport> report(std::string_view text, std::size_t alternatives) override {
      std::lock_guard const lock(mutex);
      return model.report(text, alternatives, context);
    }
    std::vector<std::vector<TokenId>> bad_words(std::span<std::string_view const> words) const override { return model.bad_words(words); }
    std::string decode(std::span<TokenId const> ids) const override { return model.tokenizer().decode(ids); }
    std::size_t positions() const override { return model.positions(); }

    Model const model;
    Context context;
    std::mutex mutex;
  };

  std::shared_ptr<Interface> model_;
};

}  // namespace axiform
