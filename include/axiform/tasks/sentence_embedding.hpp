/// @file
/// `SentenceEmbedding`: a vector for each text; the cosine of two says how close their meanings are.
///
///     auto context = Context::with_threads(2);
///     auto const bert = SentenceEmbedding<Bert<MiniLmL6>>::from_directory("models/minilm-l6", context);
///     auto const embeddings = bert.embed({"A man is eating food.", "A man eats a meal."}, context);
///     float const similarity = cos_sim(embeddings, embeddings)(0, 1);   // 0.908
///
/// A long document, in overlapping chunks:
///
///     auto const document = bert.embed_document(text, {.length = 128, .overlap = 16}, context);
///     auto const best = semantic_search(bert.embed("What did they eat?", context), document.embeddings, {.top_k = 1}, context).front();
///     auto const [begin, end] = document.chunks[best.index].bytes;
///     std::cout << text.substr(begin, end - begin);
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/sentence_config.hpp>
#include <axiform/kernels/pooling.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/tasks/embed_options.hpp>
#include <axiform/tasks/pool_sequences.hpp>
#include <axiform/tasks/sentence_dense.hpp>
#include <axiform/tasks/similarity.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/text_chunks.hpp>
#include <axiform/tasks/text_range.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// A document's chunks, and what each means.
template <Axis Width>
struct DocumentEmbedding {
  Tensor<float, axes::Sequences, Width> embeddings;  ///< [chunks, Width].
  std::vector<TextChunk> chunks;               ///< Where each chunk lies in the document.
};

/// Texts to vectors, as sentence-transformers: the tokenizer, the encoder (BERT, RoBERTa, DistilBERT, or what else is an `EncoderModel`), the pooling and the modules behind
/// it that a directory names. Constant once made: one object serves any number of threads, each with a context of its own.
///
/// A text's embedding has the same bits whatever else is embedded with it, on any number of threads.
template <EncoderModel Encoder = Bert<>>
class SentenceEmbedding {
 public:
  using Model = Encoder;                               ///< What reads the tokens.
  using Width = LastAxis<ModelOutput<Model>>;          ///< The axis of an embedding.
  using Embedding = Tensor<float, Width>;              ///< Of one text.
  using Embeddings = Tensor<float, axes::Sequences, Width>;  ///< Of texts, in their order.

  /// From its parts. Dense modules are loaded from the folders that `config` names.
  /// @throws CheckpointError when the parts do not fit together, or the embeddings are not as wide as the type says.
  SentenceEmbedding(Tokenizer tokenizer, Model model, SentenceConfig config, Context& context)
      : tokenizer_(std::move(tokenizer)), model_(std::move(model)), config_(std::move(config)) {
    std::size_t const hidden = model_.hidden_size();
    if (config_.pooling_width && *config_.pooling_width != hidden) refuse_width("Pooling", *config_.pooling_width, hidden);
    width_ = config_.pooling.size() * hidden;
    for (SentenceModule const& module : config_.modules) {
      if (auto const* const dense = std::get_if<DenseConfig>(&module)) {
        if (dense->inputs != width_) refuse_width("Dense", dense->inputs, width_);
        modules_.emplace_back(SentenceDense::load(*dense, context));
        width_ = dense->outputs;
      } else {
        modules_.emplace_back(std::get<Normalization>(module));
      }
    }
    full_width_ = width_;
    width_ = std::min(width_, config_.dimensions.value_or(width_));
    if (StaticAxis<Width> && width_ != hidden)
      throw CheckpointError("sentence embedding: found embeddings of " + std::to_string(width_) + " numbers, expected the " +
                            std::to_string(hidden) + " of the type's hidden size; SentenceEmbedding<> takes any");
    detail::check_lower_case(tokenizer_, config_.lower_case, config_.settings);
  }

  /// From a Hugging Face directory, with or without `modules.json`.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of an encoder of these dimensions.
  static SentenceEmbedding from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    auto const config = read_sentence_config(directory);
    return {Tokenizer::from_directory(config.transformer), load<Model>(config.transformer, loading, context), config, context};
  }
  /// The same with weights in f32.
  static SentenceEmbedding from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// One embedding for each text. Long texts are cut at the model's maximum; empty ones are the special tokens alone.
  ///
  /// @return [Sequences, Width], on the heap, in the order of the texts.
  /// @throws ArgumentError when the batch size is 0, or an embedding has not as many dimensions as are asked for; StoppedError when told to stop; what the progress callback throws.
  template <TextRange Texts>
  Embeddings embed(Texts const& texts, EmbedOptions const& options, Context& context) const {
    std::string const prompt = prompt_of(options);
    EncodeOptions const cut{.max_length = max_length()};
    auto const encodings = prompt.empty() ? tokenizer_.encode_batch(texts, cut, context.executor())
                                          : tokenizer_.encode_batch(with_prompt(prompt, texts), cut, context.executor());
    std::vector<std::size_t> lengths(encodings.size());
    std::ranges::transform(encodings, lengths.begin(), &Encoding::size);
    return embed_sequences(lengths, prompt, options, context,
                           [&](std::size_t i, internal::PackedEncodings& packed) { packed.append(encodings[i]); });
  }
  /// The same with the defaults of all options.
  template <TextRange Texts>
  Embeddings embed(Texts const& texts, Context& context) const {
    return embed(texts, {}, context);
  }
  /// The same for a list.
  Embeddings embed(std::initializer_list<std::string_view> texts, EmbedOptions const& options, Context& context) const {
    return embed(std::span(texts.begin(), texts.size()), options, context);
  }
  /// The same for a list, with the defaults of all options.
  Embeddings embed(std::initializer_list<std::string_view> texts, Context& context) const { return embed(texts, {}, context); }

  /// The embedding of one text, [Width].
  /// @throws As above.
  Embedding embed(std::string_view text, EmbedOptions const& options, Context& context) const {
    auto const row = embed(std::span(&text, 1), options, context);
    Embedding result(Shape<Width>::of({row.columns()}));
    std::ranges::copy(row.row(0), result.data());
    return result;
  }
  /// The same with the defaults of all options.
  Embedding embed(std::string_view text, Context& context) const { return embed(text, {}, context); }

  /// A text of any length, in chunks that overlap. What fits is one chunk, with the bits that `embed` gives.
  ///
  /// @return A row for each chunk, and where it lies.
  /// @throws ArgumentError when the model cannot read chunks of that length, or they are no longer than their overlap; else as `embed`.
  DocumentEmbedding<Width> embed_document(std::string_view text, ChunkOptions const& chunk_options, EmbedOptions const& options,
                                          Context& context) const {
    std::string const prompt = prompt_of(options);
    ChunkedText const chunked(tokenizer_, prompt, text, chunk_options, max_length());
    std::vector<std::size_t> lengths(chunked.chunks().size());
    for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = chunked.length(i);
    auto embeddings = embed_sequences(lengths, prompt, options, context, [&](std::size_t i, internal::PackedEncodings& packed) {
      packed.append(chunked.ids(i), chunked.type_ids(i));
    });
    return {std::move(embeddings), chunked.chunks()};
  }
  /// The same with the defaults of all other options.
  DocumentEmbedding<Width> embed_document(std::string_view text, ChunkOptions const& chunk_options, Context& context) const {
    return embed_document(text, chunk_options, {}, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads the tokens.
  SentenceConfig const& config() const noexcept { return config_; }   ///< What makes a vector of the states.
  std::size_t dimensions() const noexcept { return width_; }          ///< Numbers of an embedding, when the options ask for no other.
  /// Tokens at which a text is cut, special ones included: what the model's files say, and no more than it has positions.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions(), config_.max_sequence_length); }
  /// What is put before a text of that role; empty where the model has nothing.
  ///
  /// sentence-transformers 6 takes the first of "document", "passage" and "corpus" that is there, and puts an empty "document" there
  /// itself; here the empty ones are passed over.
  std::string prompt(TextRole role) const {
    auto const& prompts = config_.prompts;
    auto const find = [&](std::string const& name) {
      auto const place = prompts.find(name);
      return place == prompts.end() ? std::string() : place->second;
    };
    switch (role) {
      case TextRole::text:
        return config_.default_prompt_name ? find(*config_.default_prompt_name) : std::string();
      case TextRole::query:
        return find("query");
      case TextRole::passage:
        for (char const* name : {"document", "passage", "corpus"})
          if (auto const found = find(name); !found.empty()) return found;
    }
    return {};
  }
  /// The prompt of that name. @throws ArgumentError when the model has none.
  std::string const& prompt(std::string const& name) const {
    auto const place = config_.prompts.find(name);
    if (place != config_.prompts.end()) return place->second;
    std::string known;
    for (auto const& [other, text] : config_.prompts) known += (known.empty() ? "" : ", ") + detail::in_quotes(other);
    throw ArgumentError("prompt: found the name " + detail::in_quotes(name) + ", expected " +
                        (known.empty() ? "none: the model has no prompts" : known));
  }

 private:
  using Module = std::variant<Normalization, SentenceDense>;

  [[noreturn]] static void refuse_width(char const* module, std::size_t found, std::size_t expected) {
    throw CheckpointError("sentence embedding: the module " + std::string(module) + " takes vectors of " + std::to_string(found) +
                          ", expected " + std::to_string(expected));
  }

  std::string prompt_of(EmbedOptions const& options) const { return options.prompt ? *options.prompt : prompt(options.role); }

  template <class Texts>
  static std::vector<std::string> with_prompt(std::string const& prompt, Texts const& texts) {
    std::vector<std::string> result;
    result.reserve(std::ranges::size(texts));
    for (std::string_view const text : texts) result.push_back(prompt + std::string(text));
    return result;
  }

  // Tokens before the text, where they do not count. (As sentence-transformers counts them: those of the prompt alone, without the [SEP].)
  std::size_t tokens_skipped(std::string const& prompt) const {
    if (config_.prompt_pooling == PromptPooling::included || prompt.empty()) return 0;
    auto const ids = tokenizer_.encode(prompt, {.max_length = max_length()}).ids;
    return ids.size() - (!ids.empty() && tokenizer_.is_special(ids.back()) ? 1 : 0);
  }

  // A row for each sequence; `append(i, packed)` adds the tokens of sequence i.
  template <class Append>
  Embeddings embed_sequences(std::span<std::size_t const> lengths, std::string const& prompt, EmbedOptions const& options, Context& context,
                             Append const& append) const {
    std::size_t const width = width_of(options);
    Embeddings embeddings(Shape<axes::Sequences, Width>::of({lengths.size(), width}));
    std::size_t const skipped = tokens_skipped(prompt);
    internal::BatchRun const how{.what = "embed", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress};
    internal::for_each_batch(lengths, how, context, [&](std::span<std::size_t const> batch, Context& own) {
      internal::PackedEncodings packed(model_.token_types());
      for (std::size_t const i : batch) append(i, packed);
      auto pooled = pool_sequences(model_(packed.batch(), own), packed.sequences(), config_.pooling, skipped, own);
      bool const is_normal = apply_modules(pooled, options, own) == Normalization::unit_length;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        std::ranges::copy(pooled.row(i).first(width), embeddings.row(batch[i]).begin());
        if (is_normal && width < full_width_) kernels::normalize_row(embeddings.row(batch[i]).data(), width);
      }
    });
    return embeddings;
  }

  // Numbers of an embedding.
  std::size_t width_of(EmbedOptions const& options) const {
    std::size_t const width = options.dimensions.value_or(width_);
    if (width == 0 || width > full_width_)
      throw ArgumentError("embed: dimensions: found " + std::to_string(width) + ", expected 1 to " + std::to_string(full_width_));
    if (StaticAxis<Width> && width != full_width_)
      throw ArgumentError("embed: dimensions: found " + std::to_string(width) + ", expected the " + std::to_string(full_width_) +
                          " of the type; SentenceEmbedding<> gives fewer");
    return width;
  }

  // @return Whether the vectors are of unit length then because somebody asked for it.
  Normalization apply_modules(Tensor<float, axes::Sequences, axes::Hidden>& vectors, EmbedOptions const& options, Context& context) const {
    auto const normalize = [&] {
      for (std::size_t i = 0; i < vectors.rows(); ++i) kernels::normalize_row(vectors.row(i).data(), vectors.columns());
    };
    bool is_normal = false;
    for (std::size_t i = 0; i < modules_.size(); ++i) {
      bool const is_last = i + 1 == modules_.size();
      if (auto const* const dense = std::get_if<SentenceDense>(&modules_[i])) {
        vectors = (*dense)(vectors, context);
      } else if (!is_last || options.normalization != Normalization::none) {
        normalize();
        is_normal = is_last;
      }
    }
    if (options.normalization == Normalization::unit_length && !is_normal) normalize(), is_normal = true;
    return is_normal ? Normalization::unit_length : Normalization::none;
  }

  Tokenizer tokenizer_;
  Model model_;
  SentenceConfig config_;
  std::vector<Module> modules_;
  std::size_t full_width_ = 0;  // of what the modules give
  std::size_t width_ = 0;       // of an embedding
};

}  // namespace axiform::inline AXIFORM_ARCH
