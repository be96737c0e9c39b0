// Tasks take a model of whichever family the directory holds, chosen when the program runs.
#include <doctest/doctest.h>
#include <axiform/models/any.hpp>
#include <axiform/tasks/fill_mask.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;

TEST_CASE("families: a sentence embedding of an MPNet is the mean of its hidden states") {
  Context context;
  auto const directory = goldens::models / "mpnet-tiny";
  auto const task = SentenceEmbedding<AnyEncoder>::from_directory(directory, context);
  auto const mpnet = load<Mpnet<>>(directory, context);
  for (std::string const text : {"The man is eating food.", "hello"}) {
    CAPTURE(text);
    auto const found = task.embed(text, context);
    auto const states = mpnet(task.tokenizer().encode(text).ids, context);
    REQUIRE(found.elements().size() == states.columns());
    for (std::size_t column = 0; column < states.columns(); ++column) {
      double mean = 0;
      for (std::size_t row = 0; row < states.rows(); ++row) mean += static_cast<double>(states(row, column)) / static_cast<double>(states.rows());
      CHECK(found.elements()[column] == doctest::Approx(mean).epsilon(1e-5));
    }
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
