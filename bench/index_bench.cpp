// An index of 100 000 passages as wide as MiniLM's: made (without the embedding itself, which bench/embedding_bench.cpp measures), saved, opened, searched.
// Words are as frequent as in a natural text (Zipf); vectors mean nothing.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <benchmark/benchmark.h>

#include <axiform/core/context.hpp>
#include <axiform/search/corpus.hpp>
#include <axiform/search/fusion.hpp>
#include <axiform/search/index_codes.hpp>
#include <axiform/search/passage_index.hpp>
#include <axiform/search/update_index.hpp>
#include <axiform/tasks/quantized_search.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace {

using namespace axiform;

constexpr std::size_t width = 384, files = 1000, passages_a_file = 100, words_a_passage = 60, vocabulary = 50'000;

// A folder that goes with the program.
struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("axiform-index-bench-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

// It knows no word, and takes each for a token.
Tokenizer word_tokenizer(std::filesystem::path const& folder) {
  std::ofstream(folder / "vocab.txt") << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  std::ofstream(folder / "config.json") << R"({"model_type": "bert"})";
  return Tokenizer::from_directory(folder);
}

std::string word(std::size_t rank) { return "w" + std::to_string(rank); }

struct Setting {
  Folder folder;
  Tokenizer tokenizer = word_tokenizer(folder.path);
  Context context = Context::with_threads(2);
  std::mt19937 random{1};
  Corpus corpus = {};
  PassageModel model = {};
  std::filesystem::path saved = folder.path / "saved.index";
  Tensor<float, axes::Queries, axes::Hidden> query = Tensor<float, axes::Queries, axes::Hidden>(std::size_t{1}, width);

  Setting() {
    std::uniform_real_distribution<double> uniform(0, std::log(double(vocabulary)));  // ranks as exp(u): Zipf's law
    for (std::size_t file = 0; file < files; ++file) {
      std::string text;
      for (std::size_t passage = 0; passage < passages_a_file; ++passage) {
        for (std::size_t i = 0; i < words_a_passage; ++i)
          text += word(std::size_t(std::exp(uniform(random)))) + (i % 12 == 11 ? "\n" : " ");
        text += "\n";
      }
      corpus.files.push_back(std::move(corpus_of_text("file" + std::to_string(100'000 + file), std::move(text)).files.front()));
    }
    model = {.identity = {.name = "bench", .hash = "bench"}, .tokenizer = &tokenizer, .max_length = 100, .dimensions = width};
    model.embed = [this](std::span<std::string_view const>, EmbedOptions const&, std::span<float> rows) { fill(rows); };
    fill(query.elements());
    with_codes(with_codes(make(), CodePrecision::int8, ScoreFunction::cosine, context), CodePrecision::binary, ScoreFunction::cosine,
               context)
        .save(saved);
  }
  void fill(std::span<float> values) {
    for (float& value : values) value = static_cast<float>(int(random() >> 16) - 32768) * 0x1p-15f;
  }
  PassageIndex make() { return update_index({}, corpus, model, {}, context.executor()).index; }
};

Setting& setting() {
  static Setting result;
  return result;
}

// A rare word, two that are less so, and one that is in nearly every passage.
std::string const question = word(30'000) + " " + word(3'000) + " " + word(300) + " " + word(1);

void make(benchmark::State& state) {
  auto& given = setting();
  for (auto _ : state) benchmark::DoNotOptimize(given.make());
}
void save(benchmark::State& state) {
  auto& given = setting();
  auto const index = PassageIndex::open(given.saved);
  for (auto _ : state) index.save(given.folder.path / "again.index");
}
void open(benchmark::State& state) {
  auto& given = setting();
  for (auto _ : state) benchmark::DoNotOptimize(PassageIndex::open(given.saved));
}

enum class Way { floats, bytes, bits, words, both };

std::vector<SearchHit> find(Setting& given, PassageIndex const& index, Way way) {
  QuantizedSearchOptions const options{.top_k = 10, .rescore_multiplier = way == Way::bits ? std::size_t{10} : std::size_t{4}};
  switch (way) {
    case Way::floats:
      return semantic_search(given.query, index.embeddings(), {.top_k = 10}, given.context).front();
    case Way::bytes:
      return quantized_search(given.query, index.int8_embeddings(), index.embeddings(), options, given.context).front();
    case Way::bits:
      return quantized_search(given.query, index.binary_embeddings(), index.embeddings(), options, given.context).front();
    case Way::words:
      return index.words().search(question, {.top_k = 10});
    case Way::both:
      break;
  }
  std::vector const rankings{semantic_search(given.query, index.embeddings(), {.top_k = 50}, given.context).front(),
                             index.words().search(question, {.top_k = 50})};
  return reciprocal_rank_fusion(rankings, {.top_k = 10});
}

void search(benchmark::State& state, Way way) {
  auto& given = setting();
  auto const index = PassageIndex::open(given.saved);
  for (auto _ : state) benchmark::DoNotOptimize(find(given, index, way));
}
// What a program pays that opens the index for one question.
void open_and_search(benchmark::State& state, Way way) {
  auto& given = setting();
  for (auto _ : state) benchmark::DoNotOptimize(find(given, PassageIndex::open(given.saved), way));
}

[[maybe_unused]] int const registered = [] {
  auto const add = [](std::string const& name, auto const& run) {
    benchmark::RegisterBenchmark(("index/100000x384/" + name).c_str(), run)->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  add("make", make);
  add("save", save);
  add("open", open);
  constexpr std::pair<char const*, Way> ways[]{
      {"float32", Way::floats}, {"int8", Way::bytes}, {"binary", Way::bits}, {"bm25", Way::words}, {"hybrid", Way::both}};
  for (auto const& [name, way] : ways) {
    add("search/" + std::string(name), [way = way](benchmark::State& state) { search(state, way); });
    add("open-and-search/" + std::string(name), [way = way](benchmark::State& state) { open_and_search(state, way); });
  }
  return 0;
}();

}  // namespace
