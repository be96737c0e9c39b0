/// @file
/// `TextEmbedder`: an embedding model behind a small value that any unit can include: nothing of the library's templates is in this header.
///
///     // model.cpp, the one unit that compiles a model
///     TextEmbedder load_embedder(std::string const& directory) {
///       auto context = Context::with_threads(2);
///       auto model = SentenceEmbedding<>::from_directory(directory, context);
///       return TextEmbedder(std::move(model), std::move(context));
///     }
///
///     // anywhere else: #include <axiform/tasks/text_embedder.hpp>
///     std::vector<float> const vector = embedder.embed("A man is eating food.");
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

#include <axiform/tasks/embed_options.hpp>

namespace axiform {

/// Texts to vectors, by a model whose type is not seen. Copies share the model. Any number of threads may call it: one at a time
/// computes, with the context's own threads; so a progress callback must not call it again.
class TextEmbedder {
 public:
  /// Takes over a `SentenceEmbedding`, or anything with its `embed`, `dimensions` and `max_length`, and the context that it runs in.
  template <class Model, class Context>
  TextEmbedder(Model model, Context context) : model_(std::make_shared<Owned<Model, Context>>(std::move(model), std::move(context))) {}

  /// One vector of `dimensions()` numbers for each text, in their order. @throws As `SentenceEmbedding::embed`.
  std::vector<std::vector<float>> embed(std::span<std::string_view const> texts, EmbedOptions const& options = {}) const {
    return model_->embed(texts, options);
  }
  /// The same for strings.
  std::vector<std::vector<float>> embed(std::span<std::string const> texts, EmbedOptions const& options = {}) const {
    return embed(std::vector<std::string_view>(texts.begin(), texts.end()), options);
  }
  /// The same for a list.
  std::vector<std::vector<float>> embed(std::initializer_list<std::string_view> texts, EmbedOptions const& options = {}) const {
    return embed(std::span(texts.begin(), texts.size()), options);
  }
  /// The vector of one text.
  std::vector<float> embed(std::string_view text, EmbedOptions const& options = {}) const {
    return std::move(embed(std::span(&text, 1), options).front());
  }

  std::size_t dimensions() const { return model_->dimensions(); }  ///< Numbers of a vector.
  std::size_t max_length() const { return model_->max_length(); }  ///< Tokens at which a text is cut.

 private:
  struct Interface {
    virtual ~Interface() = default;
    virtual std::vector<std::vector<float>> embed(std::span<std::string_view const> texts, EmbedOptions const& options) = 0;
    virtual std::size_t dimensions() const = 0;
    virtual std::size_t max_length() const = 0;
  };

  template <class Model, class Context>
  struct Owned final : Interface {
    Owned(Model own_model, Context own_context) : model(std::move(own_model)), context(std::move(own_context)) {}

    std::vector<std::vector<float>> embed(std::span<std::string_view const> texts, EmbedOptions const& options) override {
      std::lock_guard const lock(mutex);
      auto const embeddings = model.embed(texts, options, context);
      std::vector<std::vector<float>> result(texts.size());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        auto const row = embeddings.row(i);
        result[i].assign(row.begin(), row.end());
      }
      return result;
    }
    std::size_t dimensions() const override { return model.dimensions(); }
    std::size_t max_length() const override { return model.max_length(); }

    Model const model;
    Context context;
    std::mutex mutex;
  };

  std::shared_ptr<Interface> model_;
};

}  // namespace axiform
