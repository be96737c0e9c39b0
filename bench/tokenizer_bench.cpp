// Tokenizers, in bytes of text a second: one text a line, one thread, with ids, offsets and special tokens.
//
// AXIFORM_BENCH_TEXT names a text file; without it the text is made from the vocabulary. AXIFORM_BENCH_BPE names a directory with
// vocab.json and merges.txt, such as GPT-2's, AXIFORM_BENCH_UNIGRAM one with a Unigram model, such as XLM-R's; without them the small ones of the tests
// are used. `batch` is all lines at once, on one thread. `cold` loads the tokenizer before each pass.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include <axiform/core/error.hpp>
#include <axiform/text/tokenizer_files.hpp>

namespace {

using namespace axiform;

std::filesystem::path const root = std::filesystem::path(__FILE__).parent_path().parent_path();

std::string environment(char const* name) {
  char const* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Tokenizer load_word_piece() { return Tokenizer::from_directory(root / "models/minilm-l6"); }
Tokenizer load_byte_bpe() {
  auto const given = environment("AXIFORM_BENCH_BPE");
  return Tokenizer::from_directory(given.empty() ? root / "tests/fixtures/text/byte_bpe" : std::filesystem::path(given));
}

Tokenizer load_unigram() {
  auto const given = environment("AXIFORM_BENCH_UNIGRAM");
  if (!given.empty()) return Tokenizer::from_directory(std::filesystem::path(given));
  return Tokenizer::from_tokenizer_json(root / "tests/fixtures/text/unigram/tokenizer.json");
}

// Lines of words that follow Zipf's law, some of them in pieces, with punctuation.
std::vector<std::string> make_text() {
  Tokenizer const tokenizer = load_word_piece();
  std::vector<std::string> lines;
  std::uint64_t state = 1;
  auto const uniform = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) * 0x1p-53;
  };
  for (std::size_t bytes = 0; bytes < (std::size_t{1} << 20);) {
    std::string line;
    while (line.size() < 80) {
      auto const id = static_cast<TokenId>(1996 + 20000 * std::pow(uniform(), 6));
      std::string word = tokenizer.id_to_token(id);
      bool const continues = word.starts_with("##");
      if (continues) word.erase(0, 2);
      if (!continues && !line.empty()) line += uniform() < 0.1 ? ", " : " ";
      if (line.empty() && !word.empty() && word[0] >= 'a' && word[0] <= 'z') word[0] = static_cast<char>(word[0] - 'a' + 'A');
      line += word;
    }
    line += '.';
    bytes += line.size() + 1;
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> read_lines(std::filesystem::path const& path) {
  std::ifstream file(path);
  if (!file) throw FileError(path.string() + ": cannot be opened");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> const& lines() {
  static std::vector<std::string> const result = [] {
    auto const path = environment("AXIFORM_BENCH_TEXT");
    return path.empty() ? make_text() : read_lines(path);
  }();
  return result;
}

std::size_t pass(Tokenizer const& tokenizer) {
  std::size_t tokens = 0;
  for (std::string const& line : lines()) tokens += tokenizer.encode(line).size();
  return tokens;
}

void report(benchmark::State& state, std::size_t tokens) {
  std::size_t bytes = 0;
  for (std::string const& line : lines()) bytes += line.size() + 1;
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes * state.iterations()));
  state.counters["tokens"] = static_cast<double>(tokens);
}

void warm(benchmark::State& state, Tokenizer (*load)()) {
  Tokenizer const tokenizer = load();
  std::size_t tokens = 0;
  for (auto _ : state) tokens = pass(tokenizer);
  report(state, tokens);
}

void batch(benchmark::State& state, Tokenizer (*load)()) {
  Tokenizer const tokenizer = load();
  std::size_t tokens = 0;
  for (auto _ : state) {
    tokens = 0;
    for (Encoding const& encoding : tokenizer.encode_batch(lines())) tokens += encoding.size();
  }
  report(state, tokens);
}

void cold(benchmark::State& state, Tokenizer (*load)()) {
  std::size_t tokens = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Tokenizer const tokenizer = load();
    state.ResumeTiming();
    tokens = pass(tokenizer);
  }
  report(state, tokens);
}

void loading(benchmark::State& state, Tokenizer (*load)()) {
  for (auto _ : state) benchmark::DoNotOptimize(load().vocabulary_size());
}

[[maybe_unused]] int const registered = [] {
  struct Kind {
    std::string name;
    Tokenizer (*load)();
  };
  for (auto const& [name, load] : {Kind{"word_piece", load_word_piece}, Kind{"byte_bpe", load_byte_bpe}, Kind{"unigram", load_unigram}}) {
    auto const add = [load = load](std::string const& full_name, void (*run)(benchmark::State&, Tokenizer(*)())) {
      benchmark::RegisterBenchmark(full_name.c_str(), [=](benchmark::State& state) { run(state, load); })->Unit(benchmark::kMillisecond);
    };
    add("tokenizer/" + name + "/encode", warm);
    add("tokenizer/" + name + "/encode/batch", batch);
    add("tokenizer/" + name + "/encode/cold", cold);
    add("tokenizer/" + name + "/load", loading);
  }
  return 0;
}();

}  // namespace
