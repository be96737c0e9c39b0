// The model that lies in the repository, trained by scripts/train/transformer_dates.py: it reads and writes dates and numbers that it has never seen.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/generation_config.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/distance.hpp"

using namespace axiform;

namespace {

std::filesystem::path const dates_directory = std::filesystem::path(AXIFORM_MODELS) / "transformer-dates";

struct DateTranslator {
  Context context = Context::with_threads(2);
  Tokenizer tokenizer = Tokenizer::from_directory(dates_directory);
  Transformer<> model = load<Transformer<>>(dates_directory, context);

  GenerateOptions options() const { return read_generation_config(dates_directory, {.decoding = Decoding::greedy}); }

  std::vector<std::string> operator()(std::vector<std::string> const& texts, GenerateOptions const& how) {
    std::vector<std::vector<TokenId>> sources;
    for (std::string const& text : texts) sources.push_back(tokenizer.encode(text).ids);
    std::vector<std::string> translated;
    for (auto const& sequences : generate_batch(model, sources, how, context))
      translated.push_back(tokenizer.decode(sequences.front().ids, {.skip_special_tokens = true}));
    return translated;
  }
};

// Inputs that were held out in training, a fourth of each kind in turns, and what is expected of each.
std::vector<std::pair<std::string, std::string>> held_out_dates() {
  std::vector<std::pair<std::string, std::string>> examples;
  std::ifstream file(std::filesystem::path(AXIFORM_FIXTURES) / "tasks" / "transformer-dates" / "held_out.tsv");
  for (std::string line; std::getline(file, line);) {
    std::size_t const tab = line.find('\t');
    examples.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  }
  return examples;
}

}  // namespace

TEST_CASE("transformer-dates: both directions, in words that it knows") {
  DateTranslator translate;
  std::vector<std::pair<std::string, std::string>> const examples{
      {"the fourth of July 1776", "1776-07-04"}, {"the twenty-third of March, nineteen ninety-four", "1994-03-23"},
      {"March 23rd, 1994", "1994-03-23"},        {"1994-03-23", "the twenty-third of March, nineteen ninety-four"},
      {"four thousand and twelve", "4012"},      {"4,012", "four thousand and twelve"}};
  std::vector<std::string> texts;
  for (auto const& [text, expected] : examples) texts.push_back(text);
  auto const greedy = translate(texts, translate.options());
  auto with_beams = translate.options();
  with_beams.decoding = Decoding::beam_search;
  with_beams.num_beams = 4;
  auto const beams = translate(texts, with_beams);
  for (std::size_t i = 0; i < examples.size(); ++i) {
    CHECK(greedy[i] == examples[i].second);
    CHECK(beams[i] == examples[i].second);
    CHECK(translate({texts[i]}, translate.options()).front() == greedy[i]);  // in a batch as alone
  }
}

TEST_CASE(
    "transformer-dates: weights kept in bf16, as the file has them, give the same text in half the memory, and the same bits where rows "
    "are floats") {
  DateTranslator const f32;
  Context context;
  auto const bf16 = load<Transformer<>>(dates_directory, {.weights = WeightFormat::bf16}, context);
  auto const ids = f32.tokenizer.encode("the fourth of July 1776").ids;
  auto const source = SequenceOffsets<axes::SourceTokens>::single(ids.size());
  auto const in_f32 = f32.model.encode({ids, source}, context), in_bf16 = bf16.encode({ids, source}, context);
  CHECK(std::ranges::equal(in_f32.elements(), in_bf16.elements()) == !simd::has_bfloat16_products);
  CHECK(test::relative_distance(in_bf16.elements(), in_f32.elements()) < 0.02);
  CHECK(generate(f32.model, ids, f32.options(), context) == generate(bf16, ids, f32.options(), context));
}

// Two hundred of the inputs; with AXIFORM_ALL_DATES in the environment all two thousand. The model's card says how many PyTorch gets right.
TEST_CASE("transformer-dates: dates and numbers that were held out in training") {
  auto examples = held_out_dates();
  REQUIRE(examples.size() == 2000);
  if (std::getenv("AXIFORM_ALL_DATES") == nullptr) examples.resize(200);
  DateTranslator translate;
  std::vector<std::string> texts;
  for (auto const& [text, expected] : examples) texts.push_back(text);
  auto const translated = translate(texts, translate.options());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (translated[i] == examples[i].second) continue;
    ++wrong;
    std::string const found = texts[i] + " -> " + translated[i] + ", expected " + examples[i].second;
    MESSAGE(found);
  }
  std::size_t const right = examples.size() - wrong;
  MESSAGE(right << " of " << examples.size() << " are right");
  CHECK(wrong * 1000 <= examples.size());
}
