// Which lines of a file, or passages of a folder, answer a question best? Every passage and every question becomes a vector, and the closest
// passages are the answer (--mode dense); or those that share rare words with the question (bm25); or both (hybrid). With --index what was found out
// about the files is kept in a file, and only what has changed is read again. With --rerank, a cross-encoder then reads question and passage
// together and orders the best once more.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include <axiform/io/sentence_config.hpp>
#include <axiform/models/any.hpp>
#include <axiform/search/corpus.hpp>
#include <axiform/search/fusion.hpp>
#include <axiform/search/index_codes.hpp>
#include <axiform/search/model_identity.hpp>
#include <axiform/search/passage_index.hpp>
#include <axiform/search/update_index.hpp>
#include <axiform/search/words.hpp>
#include <axiform/tasks/quantized_search.hpp>
#include <axiform/tasks/reranker.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include "approximate.hpp"
#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

using PassageReranker = Reranker<AnyEncoderWith<ModelHead::sequence_classification>>;

struct SearchSettings {
  std::string corpus, index, reranker, mode = "dense", precision = "float32", split;
  std::vector<std::string> patterns;
  std::size_t top_k = 5, candidates = 50, length = 0, overlap = 0;
  CLI::Option *given_length = nullptr, *given_overlap = nullptr;
  bool is_updated = true, is_approximate = false, shows_recall = false;

  bool is_folder() const {
    std::error_code ignored;
    return std::filesystem::is_directory(corpus, ignored);
  }
  bool reads_words() const { return mode != "dense"; }
  bool reads_embeddings() const { return mode != "bm25"; }
};

// What is searched in, and how: the index, made or opened and brought up to date, and the models, loaded when they are asked for.
class Searcher {
 public:
  Searcher(Command& command, SearchSettings const& settings, Context& context) : command_(command), settings_(settings), context_(context) {
    command.stop();  // what follows heeds it
    std::error_code ignored;
    bool const is_there = !settings.index.empty() && std::filesystem::exists(settings.index, ignored);
    if (is_there) {
      index_ = PassageIndex::open(settings.index);
      check_index();
    } else if (settings.corpus.empty() || !settings.is_updated) {
      throw FileError(settings.index + ": there is no index; --corpus says what to make it of");
    }
    if (!settings.corpus.empty() && settings.is_updated) command.work([&] { update(); });
    if (!settings.reads_embeddings() || index_.size() == 0) return;
    if (settings.precision != "float32") add_codes();
    if (settings.is_approximate)
      command.work([&] { graph_.emplace(index_, settings.index, settings.is_updated, context.executor(), command.stop()); });
  }

  PassageIndex const& index() const { return index_; }
  // Where a file of the index is, as far as --corpus says it.
  std::string path_of(std::string_view file) const {
    return settings_.is_folder() ? (std::filesystem::path(settings_.corpus) / file).lexically_normal().string() : std::string(file);
  }
  // Whether the corpus is one file of lines, whose name goes without saying.
  bool is_of_lines() const { return index_.manifest().split == PassageSplit::lines && index_.file_count() <= 1; }

  // The best passages for each question, and which share of those that a search of everything finds by embeddings was found (--recall).
  std::vector<std::vector<SearchHit>> search(std::vector<std::string> const& questions) {
    std::size_t const wanted =
        settings_.reranker.empty() && settings_.mode != "hybrid" ? settings_.top_k : std::max(settings_.top_k, settings_.candidates);
    std::vector<std::vector<SearchHit>> by_embeddings, result(questions.size());
    if (index_.size() == 0) return result;
    if (settings_.reads_embeddings()) by_embeddings = search_embeddings(questions, wanted);
    for (std::size_t q = 0; q < questions.size(); ++q) {
      std::vector<std::vector<SearchHit>> rankings;
      if (settings_.reads_embeddings()) rankings.push_back(std::move(by_embeddings[q]));
      if (settings_.reads_words()) rankings.push_back(index_.words().search(questions[q], {.top_k = wanted}));
      result[q] = rankings.size() == 1 ? std::move(rankings.front()) : reciprocal_rank_fusion(rankings, {.top_k = wanted});
      if (!settings_.reranker.empty()) result[q] = rerank(questions[q], result[q]);
      result[q].resize(std::min(result[q].size(), settings_.top_k));
    }
    return result;
  }
  std::optional<double> recall() const { return asked_ == 0 ? std::nullopt : std::optional(recall_ / static_cast<double>(asked_)); }

 private:
  SentenceEmbedding<AnyEncoder> const& model() {
    if (!model_) model_ = SentenceEmbedding<AnyEncoder>::from_directory(command_.model(), command_.loading(), context_);
    return *model_;
  }

  void check_index() const {
    if (settings_.reads_embeddings() && index_.file_count() != 0) index_.check_model(identify_model(command_.model(), command_.loading()));
  }

  void update() {
    bool const saves = !settings_.index.empty();
    Corpus const corpus =
        settings_.corpus == "-"
            ? corpus_of_text("-", Command::read_text("-"))
            : read_corpus(settings_.corpus, index_, {.patterns = settings_.patterns, .left_out = settings_.index}, context_.executor());
    for (CorpusNote const& note : corpus.notes)
      std::cerr << command_.get_name() << ": note: " << label(note.file, 1000) << ": " << label(note.what, 1000) << '\n';
    if (corpus.files.empty())
      std::cerr << command_.get_name() << ": note: " << label(settings_.corpus, 1000) << ": there is no file to search\n";
    auto const options = index_options();
    if (index_.file_count() != 0) index_.check_passages(options.passages);
    if (corpus.is_as_indexed() && (index_.file_count() != 0 || !saves)) return;
    auto const update = update_index(index_, corpus, passage_model_for(corpus), options, context_.executor());
    index_ = update.index;
    if (!saves) return;
    index_.save(settings_.index);
    index_ = PassageIndex::open(settings_.index);  // what was in memory goes
    if (isatty(STDERR_FILENO) != 0)
      std::cerr << command_.get_name() << ": " << settings_.index << ": " << corpus.added << " new files, " << corpus.changed
                << " changed, " << corpus.removed << " gone; " << update.passages_embedded << " of " << index_.size()
                << " passages are new\n";
  }

  IndexOptions index_options() {
    bool const are_lines = !settings_.split.empty()   ? settings_.split == "lines"
                           : index_.file_count() != 0 ? index_.manifest().split == PassageSplit::lines
                                                      : !settings_.is_folder();
    IndexOptions options{.passages = {.split = are_lines ? PassageSplit::lines : PassageSplit::paragraphs},
                         .stop = command_.stop(),
                         .progress = command_.progress()};
    if (*settings_.given_length) options.passages.chunks.length = settings_.length;
    if (*settings_.given_overlap) options.passages.chunks.overlap = settings_.overlap;
    return options;
  }

  // An index of words alone wants the tokenizer, an index whose files have not changed but in name neither.
  PassageModel passage_model_for(Corpus const& corpus) {
    bool const is_new = index_.file_count() == 0,
               has_embeddings = is_new ? settings_.reads_embeddings() : !index_.manifest().model.hash.empty();
    bool const is_known = !is_new && std::ranges::all_of(corpus.files, [](CorpusFile const& file) { return file.known.has_value(); });
    if (is_known)
      return {.identity = index_.manifest().model, .max_length = index_.manifest().length, .dimensions = index_.manifest().dimensions};
    if (has_embeddings) return passage_model(model(), identify_model(command_.model(), command_.loading()), context_);
    auto const config = read_sentence_config(command_.model());
    tokenizer_ = Tokenizer::from_directory(config.transformer);
    return {.tokenizer = &*tokenizer_, .max_length = config.max_sequence_length.value_or(tokenizer_->model_max_length().value_or(512))};
  }

  void add_codes() {
    auto const precision = settings_.precision == "int8" ? CodePrecision::int8 : CodePrecision::binary;
    bool const has_codes = precision == CodePrecision::int8 ? !index_.arrays().codes.empty() : !index_.arrays().bits.empty();
    if (has_codes) return;
    index_ = with_codes(index_, precision, model().config().score.value_or(ScoreFunction::cosine), context_);
    if (!settings_.index.empty() && settings_.is_updated) index_.save(settings_.index);
  }

  std::vector<std::vector<SearchHit>> search_embeddings(std::vector<std::string> const& questions, std::size_t wanted) {
    auto const asked = model().embed(questions, {.role = TextRole::query, .stop = command_.stop()}, context_);
    auto const score = model().config().score.value_or(ScoreFunction::cosine);
    SearchOptions const exact{.top_k = wanted, .score = score, .stop = command_.stop()};
    bool const has_bytes = settings_.precision == "int8" && !index_.arrays().codes.empty();
    bool const has_bits = settings_.precision == "binary" && !index_.arrays().bits.empty();
    auto const rows = index_.embeddings();
    if (!has_bytes && !has_bits && !graph_) return semantic_search(asked, rows, exact, context_);

    // Signs say less than bytes: more of their candidates are scored again.
    QuantizedSearchOptions const coded{
        .top_k = wanted, .rescore_multiplier = has_bytes ? std::size_t{4} : std::size_t{10}, .score = score, .stop = command_.stop()};
    auto const found = graph_      ? graph_->search(asked, rows, score, wanted)
                       : has_bytes ? quantized_search(asked, index_.int8_embeddings(), rows, coded, context_)
                                   : quantized_search(asked, index_.binary_embeddings(), rows, coded, context_);
    if (settings_.shows_recall) {
      recall_ += search_recall(found, semantic_search(asked, rows, exact, context_)) * static_cast<double>(questions.size());
      asked_ += questions.size();
    }
    return found;
  }

  std::vector<SearchHit> rerank(std::string const& question, std::vector<SearchHit> const& hits) {
    if (!reranker_) reranker_ = PassageReranker::from_directory(settings_.reranker, command_.loading(), context_);
    std::vector<std::string_view> texts;
    for (SearchHit const& hit : hits) texts.push_back(index_.passage(hit.index).text);
    std::vector<SearchHit> ranked;
    for (auto const& [index, score] : reranker_->rank(question, texts, {.stop = command_.stop()}, context_))
      ranked.push_back({hits[index].index, score});
    return ranked;
  }

  Command& command_;
  SearchSettings const& settings_;
  Context& context_;
  PassageIndex index_;
  std::optional<SentenceEmbedding<AnyEncoder>> model_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<PassageReranker> reranker_;
  std::optional<ApproximateSearch> graph_;
  double recall_ = 0;
  std::size_t asked_ = 0;
};

// The line of a passage that has most of a question's words, the first of equals, and its number.
std::pair<std::size_t, std::string_view> best_line(IndexedPassage const& passage, std::vector<std::string> const& question) {
  std::pair<std::size_t, std::string_view> best{passage.line, passage.text.substr(0, passage.text.find('\n'))};
  std::size_t most = 0, number = passage.line;
  for (std::size_t begin = 0; begin < passage.text.size(); ++number) {
    std::size_t const end = std::min(passage.text.find('\n', begin), passage.text.size());
    std::string_view const line = passage.text.substr(begin, end - begin);
    auto const words = words_of(line);
    auto const count = static_cast<std::size_t>(
        std::ranges::count_if(question, [&](std::string const& word) { return std::ranges::find(words, word) != words.end(); }));
    if (count > most) most = count, best = {number, line};
    begin = end + 1;
  }
  return best;
}

Json json_of(SearchHit const& hit, Searcher const& searcher) {
  IndexedPassage const passage = searcher.index().passage(hit.index);
  Json json = {{"line", passage.line}, {"score", hit.score}, {"text", replace_invalid_utf8(passage.text)}};
  if (!searcher.is_of_lines()) json.update({{"file", replace_invalid_utf8(passage.file)}, {"begin", passage.begin}, {"end", passage.end}});
  return json;
}

// Fused scores are small numbers: 1/61 for who is first in one of two rankings.
void print_hits(std::string const& question, std::vector<SearchHit> const& hits, int decimals, Searcher const& searcher) {
  std::vector<std::string> words = words_of(question);
  std::ranges::sort(words);
  words.erase(std::ranges::unique(words).begin(), words.end());
  for (SearchHit const& hit : hits) {
    IndexedPassage const passage = searcher.index().passage(hit.index);
    std::cout << std::fixed << std::setprecision(decimals) << std::setw(8) << hit.score;
    if (searcher.is_of_lines()) {
      std::cout << std::setw(7) << passage.line << "  " << label(passage.text) << '\n';
    } else {
      auto const [line, text] = best_line(passage, words);
      std::cout << "  " << label(searcher.path_of(passage.file), 1000) << ':' << line << "  "
                << label(text.substr(std::min(text.find_first_not_of(" \t"), text.size()))) << '\n';
    }
  }
}

}  // namespace

int search(int argc, char** argv) {
  Command command("search", "Finds the lines of a file, or the passages of a folder's files, that are closest to a question.");
  SearchSettings settings;
  command.add_bert_option();
  command.add_weights_option();
  command.add_inputs("Questions", Command::Needed::no, {{"query"}, {"question"}, {"text"}});
  command
      .add_text("--corpus", settings.corpus, "What to search: a file, each line of which is a passage, or a folder of files; - is stdin")
      ->type_name("PATH");
  command
      .add_text("--index", settings.index, "File that keeps what was found out about the corpus: made, and brought up to date, by itself")
      ->type_name("FILE");
  command.add_flag_callback(
      "--no-update", [&] { settings.is_updated = false; }, "Search the index as it is");
  command.add_texts("--glob", settings.patterns, "Files of the folder to search, such as *.md; several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  command.add_option("--split", settings.split, "Where texts are cut: at blank lines (folders) or into lines (files), unless given")
      ->check(CLI::IsMember({"paragraphs", "lines"}));
  settings.given_length =
      command.add_number("--passage-tokens", settings.length, "Tokens of a passage at most; 128 for paragraphs unless given");
  settings.given_overlap = command.add_number("--overlap", settings.overlap, "Tokens that the parts of a longer paragraph have in common");
  command.add_option("--mode", settings.mode, "What is compared: vectors, words, or both by reciprocal rank fusion; dense unless given")
      ->check(CLI::IsMember({"dense", "bm25", "hybrid"}));
  command.add_number("--top-k", settings.top_k, "How many passages for each question; 5 unless given");
  command.add_number("--candidates", settings.candidates, "How many of each kind are fused or reranked; 50 unless given");
  command.add_text("--rerank", settings.reranker, "Directory of a cross-encoder that orders the candidates once more")->type_name("DIR");
  command.add_option("--precision", settings.precision, "What vectors are first compared in; the best are compared again in float32")
      ->check(CLI::IsMember({"float32", "int8", "binary"}));
  command.add_flag("--approximate", settings.is_approximate, "Look along a graph of neighbours instead of at every vector (hnswlib)");
  command.add_flag("--recall", settings.shows_recall, "Say which share of the closest vectors --precision or --approximate found");

  return command.run(argc, argv, [&](Context& context) {
    if (settings.corpus.empty() && settings.index.empty()) throw CLI::ValidationError("expected --corpus, --index or both");
    if (settings.corpus == "-" && command.reads_stdin())
      throw CLI::ValidationError("--corpus", "stdin cannot be both the corpus and the questions");
    if (settings.corpus == "-" && !settings.index.empty()) throw CLI::ValidationError("--index", "stdin is no corpus to come back to");
    if (!settings.is_updated && settings.index.empty()) throw CLI::ValidationError("--no-update", "there is no --index");
    if (command.input_count() > 1 || (command.input_count() == 0 && settings.index.empty()))
      throw CLI::ValidationError("expected one of: texts, --file, --jsonl");
    if (settings.is_approximate && settings.precision != "float32")
      throw CLI::ValidationError("--approximate", "does not go with --precision");
    bool const looks_at_all = !settings.reads_embeddings() || (settings.precision == "float32" && !settings.is_approximate);
    if (settings.shows_recall && looks_at_all)
      throw CLI::ValidationError("--recall", "every vector is looked at: expected --precision or --approximate");
    for (char const* option : {"--glob", "--split", "--passage-tokens", "--overlap"})
      if (settings.corpus.empty() && command.count(option) != 0)
        throw CLI::ValidationError(option, "says what is read of --corpus, and there is none");
    axiform::detail::check_positive(settings.top_k, "top_k");
    axiform::detail::check_positive(settings.candidates, "candidates");
    Searcher searcher(command, settings, context);
    if (command.input_count() == 0) {
      std::cout << (command.json() ? dump_json({{"files", searcher.index().file_count()}, {"passages", searcher.index().size()}})
                                   : grouped(searcher.index().size()) + " passages of " + grouped(searcher.index().file_count()) + " files")
                << '\n';
      return;
    }
    JsonResults results(command);
    int const decimals = settings.mode == "hybrid" && settings.reranker.empty() ? 4 : 3;
    bool is_first = true;
    command.for_each_block([&](std::vector<std::string> const& questions) {
      auto const hits = searcher.search(questions);
      for (std::size_t q = 0; q < questions.size(); ++q) {
        if (results.wanted()) {
          Json found = Json::array();
          for (SearchHit const& hit : hits[q]) found.push_back(json_of(hit, searcher));
          results.add({{"question", questions[q]}, {"hits", found}});
          continue;
        }
        if (questions.size() > 1) std::cout << (is_first ? "" : "\n") << label(questions[q]) << '\n';
        is_first = false;
        print_hits(questions[q], hits[q], decimals, searcher);
      }
    });
    results.finish();
    if (auto const recall = searcher.recall())
      std::cerr << command.get_name() << ": recall " << std::fixed << std::setprecision(4) << *recall << " of the closest vectors\n";
  });
}
