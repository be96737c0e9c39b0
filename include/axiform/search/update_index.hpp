/// @file
/// `update_index`: an index of a folder's files, made anew or brought up to date: only what has changed is embedded.
///
///     ModelIdentity const identity = identify_model("models/minilm-l6");
///     auto const model = SentenceEmbedding<>::from_directory("models/minilm-l6", context);
///     PassageIndex const old = std::filesystem::exists("docs.index") ? PassageIndex::open("docs.index") : PassageIndex();
///     Corpus const corpus = read_corpus("docs", old, {}, context.executor());
///     if (!corpus.is_as_indexed()) update_index(old, corpus, passage_model(model, identity, context), {}, context.executor()).index.save("docs.index");
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <ranges>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/search/corpus.hpp>
#include <axiform/search/passage_index.hpp>
#include <axiform/tasks/embed_options.hpp>
#include <axiform/text/tokenizer.hpp>

#if AXIFORM_DEFINES(search)
#include <algorithm>
#include <memory>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// What an index asks of a model. `passage_model` makes it of a `SentenceEmbedding`.
struct PassageModel {
  ModelIdentity identity = {};           ///< Which it is; without a hash there are no embeddings, and passages are searched by words alone.
  Tokenizer const* tokenizer = nullptr;  ///< By whose tokens texts are cut.
  std::string prompt = {};               ///< What stands before each passage.
  std::size_t max_length = 0;            ///< Tokens that it reads at most.
  std::size_t dimensions = 0;            ///< Numbers of an embedding; 0 for none.
  /// Writes the embeddings of texts, row after row, to the last argument.
  std::function<void(std::span<std::string_view const>, EmbedOptions const&, std::span<float>)> embed = {};
};

/// How an index is made.
struct IndexOptions {
  /// How texts are cut. What is not given is what the index was made with; of a new one, 128 tokens (or the model's maximum) for paragraphs and the
  /// model's maximum for lines, and an overlap of an eighth.
  PassageOptions passages = {};
  std::size_t batch_size = 32;     ///< Passages that run together.
  std::stop_token stop = {};       ///< Ends the work; what was embedded by then is kept.
  ProgressCallback progress = {};  ///< Is told how many passages are embedded.
};

/// An index, and what was done for it.
struct IndexUpdate {
  PassageIndex index = {};            ///< The new index.
  std::size_t passages_embedded = 0;  ///< How many were not in the old one.
  std::size_t files_left = 0;         ///< Files that a stop has left out: the next update sees them as new.
};

/// The index of a corpus: what the old one has of its files, and the rest embedded. It has the same bytes as one that is made anew.
///
/// @param old    The index that the corpus was compared with (`read_corpus`).
/// @throws IndexError when the old index is another model's, or its texts are cut otherwise; ArgumentError as `ChunkedText`; what the model throws, but
///         for a `StoppedError` (see `files_left`).
IndexUpdate update_index(PassageIndex const& old, Corpus const& corpus, PassageModel const& model, IndexOptions const& options,
                         Executor& executor);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

/// Arrays that an index owns while it is not in a file.
struct OwnIndexArrays {
  std::string file_names, texts;
  std::vector<std::uint64_t> file_name_ends, file_sizes, file_passage_ends, text_ends, begins, ends, lines;
  std::vector<std::int64_t> file_times;
  std::vector<std::byte> file_hashes;
  std::vector<float> embeddings;
  Bm25 words;

  void add_file(CorpusFile const& file) {
    file_names += file.name;
    file_name_ends.push_back(file_names.size());
    file_sizes.push_back(file.size);
    file_times.push_back(file.modified);
    file_hashes.insert(file_hashes.end(), file.hash.begin(), file.hash.end());
  }
  void add_passage(TextPassage const& passage, std::string_view text, std::span<float const> embedding) {
    texts += text;
    text_ends.push_back(texts.size());
    begins.push_back(passage.begin);
    ends.push_back(passage.end);
    lines.push_back(passage.line);
    embeddings.insert(embeddings.end(), embedding.begin(), embedding.end());
  }
  IndexArrays arrays() const {
    return {.file_names = file_names,
            .file_name_ends = file_name_ends,
            .file_sizes = file_sizes,
            .file_times = file_times,
            .file_hashes = file_hashes,
            .file_passage_ends = file_passage_ends,
            .texts = texts,
            .text_ends = text_ends,
            .begins = begins,
            .ends = ends,
            .lines = lines,
            .embeddings = embeddings,
            .words = words.arrays()};
  }
};

/// The work of one `update_index`.
class IndexMaker {
 public:
  IndexMaker(PassageIndex const& old, Corpus const& corpus, PassageModel const& model, IndexOptions const& options)
      : old_(old), corpus_(corpus), model_(model), options_(options), manifest_(manifest()) {
    if (old.file_count() != 0 && model.identity.hash != "") old.check_model(model.identity);
    if (old.file_count() != 0 && model.identity.hash.empty() && !old.manifest().model.hash.empty())
      throw IndexError(message({"update_index: found an index with embeddings, and no model to make more of them"}));
  }

  IndexUpdate make(Executor& executor) {
    cut(executor);
    std::size_t const embedded = embed();
    return assemble(embedded);
  }

 private:
  // How it is made: as was asked for, else as the old one, else as is usual.
  IndexManifest manifest() const {
    IndexManifest result{
        .model = model_.identity, .dimensions = model_.identity.hash.empty() ? 0 : model_.dimensions, .split = options_.passages.split};
    bool const is_new = old_.file_count() == 0;
    std::size_t const usual =
        options_.passages.split == PassageSplit::lines ? model_.max_length : std::min<std::size_t>(model_.max_length, 128);
    result.length = options_.passages.chunks.length.value_or(is_new ? usual : old_.manifest().length);
    result.overlap = options_.passages.chunks.overlap.value_or(is_new ? result.length / 8 : old_.manifest().overlap);
    if (!is_new) old_.check_passages(options_.passages);
    return result;
  }

  void cut(Executor& executor) {
    PassageOptions const how{.split = manifest_.split, .chunks = {.length = manifest_.length, .overlap = manifest_.overlap}};
    passages_.resize(corpus_.files.size());
    executor.parallel_for(passages_.size(), [&](std::size_t i) {
      CorpusFile const& file = corpus_.files[i];
      if (!file.known && !options_.stop.stop_requested())
        passages_[i] = cut_passages(file.text, *model_.tokenizer, model_.prompt, model_.max_length, how);
    });
  }

  // How many of the passages that are new have their embeddings: all, or those before a stop.
  std::size_t embed() {
    std::vector<std::string_view> texts;
    for (std::size_t i = 0; i < passages_.size(); ++i)
      for (TextPassage const& passage : passages_[i])
        texts.push_back(std::string_view(corpus_.files[i].text).substr(passage.begin, passage.end - passage.begin));
    std::size_t const width = manifest_.dimensions;
    if (options_.stop.stop_requested()) {
      was_stopped_ = true;
      return 0;
    }
    if (width == 0) return texts.size();
    embeddings_.resize(texts.size() * width);
    constexpr std::size_t group = 1024;  // what a stop costs at most
    for (std::size_t done = 0; done < texts.size(); done += group) {
      auto const some = std::span(texts).subspan(done, std::min(group, texts.size() - done));
      EmbedOptions how{.batch_size = options_.batch_size, .role = TextRole::passage, .stop = options_.stop};
      if (options_.progress)
        how.progress = [&](Progress const& progress) { options_.progress({.done = done + progress.done, .total = texts.size()}); };
      try {
        model_.embed(some, how, std::span(embeddings_).subspan(done * width, some.size() * width));
      } catch (StoppedError const&) {
        was_stopped_ = true;
        return done;
      }
    }
    return texts.size();
  }

  IndexUpdate assemble(std::size_t embedded) {
    auto own = std::make_shared<OwnIndexArrays>();
    IndexUpdate result;
    Bm25Builder words;
    std::vector<std::uint32_t> places(old_.size(), Bm25Builder::left_out);  // of the passages that are kept
    auto const old_embeddings = old_.embeddings();
    std::size_t const width = manifest_.dimensions;
    own->embeddings.reserve(old_.embeddings().size() + embeddings_.size());
    std::size_t next = 0;  // of the new passages
    for (std::size_t i = 0; i < passages_.size(); ++i) {
      CorpusFile const& file = corpus_.files[i];
      if (!file.known && was_stopped_ && (next + passages_[i].size() > embedded || passages_[i].empty())) {
        next += passages_[i].size();
        ++result.files_left;
        continue;
      }
      own->add_file(file);
      if (file.known) {
        IndexedFile const before = old_.file(*file.known);
        for (std::size_t j = before.first_passage; j < before.first_passage + before.passage_count; ++j) {
          IndexedPassage const passage = old_.passage(j);
          places[j] = static_cast<std::uint32_t>(own->text_ends.size());
          own->add_passage({passage.begin, passage.end, passage.line}, passage.text,
                           width == 0 ? std::span<float const>() : old_embeddings.row(j));
        }
      } else {
        for (TextPassage const& passage : passages_[i]) {
          auto const text = std::string_view(file.text).substr(passage.begin, passage.end - passage.begin);
          words.add(own->text_ends.size(), text);
          own->add_passage(passage, text,
                           width == 0 ? std::span<float const>() : std::span<float const>(embeddings_).subspan(next * width, width));
          ++next;
          ++result.passages_embedded;
        }
      }
      own->file_passage_ends.push_back(own->text_ends.size());
    }
    words.add(old_.words(), places);
    own->words = std::move(words).finish(own->text_ends.size());
    IndexArrays const arrays = own->arrays();
    result.index = PassageIndex(manifest_, arrays, std::move(own), "index");
    return result;
  }

  PassageIndex const& old_;
  Corpus const& corpus_;
  PassageModel const& model_;
  IndexOptions const& options_;
  IndexManifest manifest_;
  std::vector<std::vector<TextPassage>> passages_;  // of each file that is new
  std::vector<float> embeddings_;                   // of these, one behind another
  bool was_stopped_ = false;
};

}  // namespace detail

AXIFORM_INLINE IndexUpdate update_index(PassageIndex const& old, Corpus const& corpus, PassageModel const& model,
                                        IndexOptions const& options, Executor& executor) {
  return detail::IndexMaker(old, corpus, model, options).make(executor);
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// What an index asks of a `SentenceEmbedding`. The model and the context must outlive it.
template <class Embedding, class RunContext>
PassageModel passage_model(Embedding const& model, ModelIdentity identity, RunContext& context) {
  return {.identity = std::move(identity),
          .tokenizer = &model.tokenizer(),
          .prompt = model.prompt(TextRole::passage),
          .max_length = model.max_length(),
          .dimensions = model.dimensions(),
          .embed = [&model, &context](std::span<std::string_view const> texts, EmbedOptions const& options, std::span<float> rows) {
            auto const embeddings = model.embed(texts, options, context);
            for (std::size_t i = 0; i < texts.size(); ++i)
              std::ranges::copy(embeddings.row(i), rows.begin() + static_cast<std::ptrdiff_t>(i * embeddings.columns()));
          }};
}

}  // namespace axiform::inline AXIFORM_ARCH
