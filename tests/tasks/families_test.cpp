// Tasks take a model of whichever family the directory holds, chosen when the program runs.
#include <doctest/doctest.h>
#include <axiform/models/any.hpp>
#include <axiform/tasks/fill_mask.hpp>
#include <axiform/tasks/question_answering.hpp>
#include <axiform/tasks/reranker.hpp>
#include <axiform/tasks/sentence_embedding.hpp>
#include <axiform/tasks/text_classification.hpp>
#include <axiform/tasks/token_classification.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;

namespace {

// The lines of a fixture that record what a tokenizer gives, with `ids`, or a pipeline, with `result`.
std::vector<Json> recorded_lines(std::string const& fixture, char const* key) {
  std::vector<Json> lines;
  std::ifstream file(goldens::models / fixture / "tasks.jsonl");
  for (std::string line; std::getline(file, line);)
    if (auto value = parse_json(line, fixture); value.contains(key)) lines.push_back(std::move(value));
  REQUIRE(!lines.empty());
  return lines;
}

void check_recorded_ids(Tokenizer const& tokenizer, std::string const& fixture) {
  for (Json const& line : recorded_lines(fixture, "ids")) {
    auto const text = line["text"].get<std::string>();
    CAPTURE(text);
    auto const found = line.contains("pair") ? tokenizer.encode_pair(text, line["pair"].get<std::string>()) : tokenizer.encode(text);
    CHECK(found.ids == line["ids"].get<std::vector<TokenId>>());
  }
}

template <class Encoder>
void check_mean_embedding(std::string const& fixture) {
  CAPTURE(fixture);
  Context context;
  auto const directory = goldens::models / fixture;
  auto const task = SentenceEmbedding<AnyEncoder>::from_directory(directory, context);
  auto const encoder = load<Encoder>(directory, context);
  for (std::string const text : {"The man is eating food.", "hello"}) {
    CAPTURE(text);
    auto const found = task.embed(text, context);
    auto const states = encoder(task.tokenizer().encode(text).ids, context);
    REQUIRE(found.elements().size() == states.columns());
    for (std::size_t column = 0; column < states.columns(); ++column) {
      double mean = 0;
      for (std::size_t row = 0; row < states.rows(); ++row) mean += static_cast<double>(states(row, column)) / static_cast<double>(states.rows());
      CHECK(found.elements()[column] == doctest::Approx(mean).epsilon(1e-5));
    }
  }
}

}  // namespace

TEST_CASE("families: a sentence embedding of an MPNet, a ModernBERT and a nomic-bert is the mean of its hidden states") {
  check_mean_embedding<Mpnet<>>("mpnet-tiny");
  check_mean_embedding<ModernBert<>>("modernbert-mlm");
  check_mean_embedding<NomicBert<>>("nomic-mlm");
}

TEST_CASE("families: a ModernBERT fills masks and labels texts and tokens as transformers' pipelines, and has their ids") {
  Context context = Context::with_threads(2);
  auto const fill = FillMask<AnyModelWith<ModelHead::masked_lm>>::from_directory(goldens::models / "modernbert-mlm", context);
  check_recorded_ids(fill.tokenizer(), "modernbert-mlm");
  for (Json const& line : recorded_lines("modernbert-mlm", "result")) {
    auto const text = line["text"].get<std::string>();
    CAPTURE(text);
    Json const& result = line["result"];
    bool const is_one = !result[0].is_array();  // of several masks a list each
    auto const masks = fill.fill(text, context).masks;
    REQUIRE(masks.size() == (is_one ? 1 : result.size()));
    for (std::size_t mask = 0; mask < masks.size(); ++mask)
      for (std::size_t i = 0; i < 5; ++i) {
        Json const& expected = is_one ? result[i] : result[mask][i];
        CHECK(masks[mask].at(i).token == expected["token"].get<TokenId>());
        CHECK(std::abs(masks[mask][i].score - expected["score"].get<double>()) < 1e-5);
      }
  }

  auto const classifier = TextClassification<AnyModelWith<ModelHead::sequence_classification>>::from_directory(
      goldens::models / "modernbert-classifier", context);
  check_recorded_ids(classifier.tokenizer(), "modernbert-classifier");
  for (Json const& line : recorded_lines("modernbert-classifier", "result")) {
    auto const found = classifier.classify(line["text"].get<std::string>(), {.top_k = std::nullopt}, context);
    REQUIRE(found.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(found[i].label == line["result"][i]["label"].get<std::string>());
      CHECK(std::abs(found[i].score - line["result"][i]["score"].get<double>()) < 1e-5);
    }
  }

  auto const tagger =
      TokenClassification<AnyModelWith<ModelHead::token_classification>>::from_directory(goldens::models / "modernbert-tokens", context);
  for (Json const& line : recorded_lines("modernbert-tokens", "result")) {
    auto const found = tagger.label(line["text"].get<std::string>(), {.aggregation = Aggregation::none}, context);
    REQUIRE(found.size() == line["result"].size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      Json const& expected = line["result"][i];
      CHECK(found[i].label == expected["entity"].get<std::string>());
      CHECK(found[i].start == expected["start"].get<std::size_t>());
      CHECK(found[i].end == expected["end"].get<std::size_t>());
      CHECK(std::abs(found[i].score - expected["score"].get<double>()) < 1e-5);
    }
  }
}

TEST_CASE("families: a ModernBERT answers questions, and scores passages with transformers' logits") {
  Context context;
  auto const answers =
      QuestionAnswering<AnyModelWith<ModelHead::question_answering>>::from_directory(goldens::models / "modernbert-qa", context);
  std::string const text = "The man is eating food in Paris, and it is so fun.";
  auto const answer = answers.answer("Where is the man?", text, context).at(0);
  CHECK(text.substr(answer.byte_start, answer.byte_end - answer.byte_start) == answer.answer);
  CHECK(answer.score > 0);
  std::string const classifier = "modernbert-classifier-mean";
  auto const ranker = Reranker<AnyModelWith<ModelHead::sequence_classification>>::from_directory(goldens::models / classifier, context);
  for (Json const& line : recorded_lines(classifier, "logits")) {
    std::vector<std::string> const passages{line["pair"].get<std::string>()};
    auto const scores = ranker.scores(line["text"].get<std::string>(), passages, {.activation = ScoreActivation::none}, context);
    CHECK(std::abs(scores.at(0) - line["logits"][0].get<double>()) < 2e-5);
  }
}

TEST_CASE("families: masks are filled by an MPNet and by a BERT, whichever the directory holds") {
  using Task = FillMask<AnyModelWith<ModelHead::masked_lm>>;
  Context context;
  auto const mpnet = Task::from_directory(goldens::models / "mpnet-mlm", context);
  CHECK(mpnet.mask() == "<mask>");
  auto const best = mpnet.fill("she was <mask>.", {.top_k = 1}, context).masks.front().front();
  auto const model = load<BertForMaskedLm<DynamicDimensions, MpnetRecipe>>(goldens::models / "mpnet-mlm", context);
  auto const ids = mpnet.tokenizer().encode("she was <mask>.").ids;
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  auto const logits = model({.ids = ids, .sequences = sequences}, context);
  auto const place = std::ranges::find(ids, *mpnet.tokenizer().special_tokens().mask) - ids.begin();
  auto const row = logits.row(static_cast<std::size_t>(place));
  CHECK(best.token == std::ranges::max_element(row) - row.begin());
  CHECK(Task::from_directory(goldens::models / "bert-demo", context).mask() == "[MASK]");
}

TEST_CASE("families: tasks that take a BERT take an ELECTRA, whose embeddings are narrower than its hidden states") {
  Context context;
  auto const task = FillMask<>::from_directory(goldens::models / "electra-mlm", context);
  auto const best = task.fill("she was [MASK].", {.top_k = 1}, context).masks.front().front();
  auto const model = load<BertForMaskedLm<>>(goldens::models / "electra-mlm", context);
  auto const ids = task.tokenizer().encode("she was [MASK].").ids;
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  auto const logits = model({.ids = ids, .sequences = sequences}, context);
  auto const place = std::ranges::find(ids, *task.tokenizer().special_tokens().mask) - ids.begin();
  auto const row = logits.row(static_cast<std::size_t>(place));
  CHECK(best.token == std::ranges::max_element(row) - row.begin());

  auto const embedding = SentenceEmbedding<>::from_directory(goldens::models / "electra-tokens", context);  // whatever head it has
  CHECK(embedding.dimensions() == 16);
  auto const found = embedding.embed("the man is eating", context);
  auto const states =
      load<Bert<>>(goldens::models / "electra-tokens", context)(embedding.tokenizer().encode("the man is eating").ids, context);
  double mean = 0;
  for (std::size_t i = 0; i < states.rows(); ++i) mean += static_cast<double>(states(i, 3)) / static_cast<double>(states.rows());
  CHECK(found.elements()[3] == doctest::Approx(mean).epsilon(1e-5));
}

TEST_CASE("families: a T5's encoder embeds as sentence-transformers does: the mean, a dense module without a bias, unit length") {
  Context context = Context::with_threads(2);
  auto const directory = goldens::models / "t5-encoder";
  auto const task = SentenceEmbedding<AnyEncoder>::from_directory(directory, context);
  std::ifstream file(directory / "texts.jsonl");
  for (std::string text; std::getline(file, text);) {
    auto const line = parse_json(text, "texts.jsonl");
    CAPTURE(text);
    CHECK(task.tokenizer().encode(line["text"].get<std::string>()).ids == line["ids"].get<std::vector<TokenId>>());
  }
  CHECK(task.max_length() == 24);
  CHECK(task.dimensions() == 10);
  auto const texts = read_json(directory / "sentences.json").get<std::vector<std::string>>();
  auto const found = task.embed(texts, context);
  goldens::Goldens const golden(directory / "goldens.safetensors");
  CHECK(goldens::largest_difference(found.elements(), golden.reals("embeddings")) < 2e-5);
  auto const alone = task.embed(texts.at(1), context);  // nothing but the end
  CHECK(std::ranges::equal(alone.elements(), found.row(1)));
  CHECK(SentenceEmbedding<T5Encoder<>>::from_directory(directory, context).dimensions() == 10);
}

// The weights are 438 MB: `scripts/fetch-model all-mpnet-base-v2` fetches them, and without them this case is skipped.
TEST_CASE("families: all-mpnet-base-v2's own weights give sentence-transformers' embeddings, and its masked-LM form says what it lacks" *
          doctest::skip(!std::filesystem::exists(std::filesystem::path(AXIFORM_MODELS) / "all-mpnet-base-v2" / "model.safetensors"))) {
  Context context = Context::with_threads(2);
  auto const directory = std::filesystem::path(AXIFORM_MODELS) / "all-mpnet-base-v2";
  goldens::Goldens const golden(goldens::models / "all-mpnet" / "goldens.safetensors");
  auto const sentences = read_json(goldens::models / "all-mpnet" / "sentences.json").get<std::vector<std::string>>();
  auto const task = SentenceEmbedding<Mpnet<>>::from_directory(directory, context);
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    auto const expected = golden.ids("sentence" + std::to_string(i) + ".ids");
    if (expected.size() < 384) CHECK(task.tokenizer().encode(sentences[i]).ids == expected);  // the task cuts longer ones
  }
  auto const found = task.embed(sentences, context);
  CHECK(goldens::largest_difference(found.elements(), golden.reals("embeddings")) < 2e-5);
  // The file is of the body alone, though its config names the head.
  CHECK_THROWS_AS((load<BertForMaskedLm<DynamicDimensions, MpnetRecipe>>(directory, context)), CheckpointError);
}
