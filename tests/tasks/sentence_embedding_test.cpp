// Sentence embeddings on MiniLM's real weights, against the pinned reference in float64.
#include <axiform/tasks/sentence_embedding.hpp>
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>

#include "models/goldens.hpp"

using namespace axiform;

namespace {

std::filesystem::path const minilm = std::filesystem::path(AXIFORM_MODELS) / "minilm-l6";

}  // namespace

TEST_CASE("sentence embedding: texts give the reference's embeddings, the empty and the long one too") {
  Context context = Context::with_threads(2);
  auto const model = SentenceEmbedding<MiniLmL6>::from_directory(minilm, context);
  CHECK(model.max_length() == 256);
  goldens::Goldens const golden(goldens::models / "minilm" / "goldens.safetensors");
  auto const texts = read_json(goldens::models / "minilm" / "sentences.json").get<std::vector<std::string>>();
  REQUIRE(texts.size() >= 8);
  auto const embeddings = model.embed(texts, {}, context);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(texts[i]);
    std::string const name = "sentence" + std::to_string(i);
    auto const ids = model.tokenizer().encode(texts[i], {.max_length = 256}).ids;
    CHECK(ids == golden.ids(name + ".ids"));
    CHECK(goldens::largest_difference(embeddings.row(i), golden.reals(name + ".embedding")) < 1e-6);
  }
}

TEST_CASE("sentence embedding: the two sentences about eating are close, and the order is that of the texts") {
  Context context = Context::with_threads(2);
  auto const model = SentenceEmbedding<>::from_directory(minilm, context);
  auto const embeddings = model.embed({"A man is eating food.", "The stock market fell.", "A man eats a meal."}, {.batch_size = 2}, context);
  auto const similarity = cos_sim(embeddings, embeddings);
  CHECK(similarity(0, 2) == doctest::Approx(0.9082).epsilon(0.0001));
  CHECK(similarity(0, 1) < 0.2);
  CHECK(similarity(1, 1) == doctest::Approx(1));
}

TEST_CASE("sentence embedding: the same bits for any batch size, and alone") {
  Context context = Context::with_threads(3);
  Context one;
  auto const model = SentenceEmbedding<MiniLmL6>::from_directory(minilm, context);
  std::vector<std::string> const texts{"short", "", "A somewhat longer sentence, with a comma.", "x y z", std::string(5000, 'a')};
  auto const expected = model.embed(texts, {}, context);
  for (std::size_t batch : {1, 2, 3}) {
    auto const found = model.embed(texts, {.batch_size = batch}, context);
    CHECK(std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)) == 0);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const alone = model.embed({texts[i]}, {}, one);
    CHECK(std::memcmp(alone.data(), expected.row(i).data(), 384 * sizeof(float)) == 0);
  }
  CHECK(model.embed({}, {}, context).rows() == 0);
  CHECK_THROWS_WITH_AS(model.embed(texts, {.batch_size = 0}, context), "batch_size: found 0, expected at least 1", ArgumentError);
}

TEST_CASE("sentence embedding: many texts, whose batches threads share out, have the same bits as on one thread, in the same order") {
  Context context = Context::with_threads(3);
  Context one;
  auto const model = SentenceEmbedding<MiniLmL6>::from_directory(minilm, context);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < 41; ++i) texts.push_back("number " + std::to_string(i) + std::string(i % 7 * 3, '!'));
  auto const expected = model.embed(texts, {}, one);
  for (std::size_t batch : {1, 32}) {
    auto const found = model.embed(texts, {.batch_size = batch}, context);
    CHECK(std::memcmp(found.data(), expected.data(), expected.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("sentence embedding: pooling by first token and maximum, and empty sequences") {
  Context context;
  Tensor<float, Tokens, Const<2>> states(3);
  states(0, 0) = 3, states(0, 1) = -4, states(1, 0) = 1, states(1, 1) = 6, states(2, 0) = -2, states(2, 1) = 1;
  auto const sequences = SequenceOffsets<Tokens>::of_lengths({2, 0, 1});
  auto const pooled = [&](Pooling pooling, Normalization normalization) {
    auto const result = pool_sequences(states, sequences, pooling, normalization, context);
    return std::vector<float>(result.elements().begin(), result.elements().end());
  };
  CHECK(pooled(Pooling::mean, Normalization::none) == std::vector<float>{2, 1, 0, 0, -2, 1});
  CHECK(pooled(Pooling::first_token, Normalization::none) == std::vector<float>{3, -4, 0, 0, -2, 1});
  CHECK(pooled(Pooling::maximum, Normalization::none) == std::vector<float>{3, 6, 0, 0, -2, 1});
  auto const unit = pooled(Pooling::first_token, Normalization::unit_length);
  CHECK(unit[0] == doctest::Approx(0.6));
  CHECK(unit[1] == doctest::Approx(-0.8));
  CHECK(unit[2] == 0);
}

TEST_CASE("sentence embedding: what modules.json may not ask for is refused by name") {
  auto const directory = std::filesystem::temp_directory_path() / "axiform_sentence_config";
  std::filesystem::create_directories(directory / "1_Pooling");
  auto const write = [&](char const* name, std::string const& text) {
    write_file_atomically(directory / name, [&](auto& file) { file.write(text); });
  };
  std::string const modules = R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                                  {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"})";
  write("modules.json", modules + "]");
  write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  CHECK(read_sentence_config(directory).pooling == Pooling::first_token);
  CHECK(read_sentence_config(directory).normalization == Normalization::none);
  write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true})");
  CHECK_THROWS_AS(read_sentence_config(directory), CheckpointError);
  write("1_Pooling/config.json", R"({"pooling_mode_lasttoken": true})");
  CHECK_THROWS_AS(read_sentence_config(directory), CheckpointError);
  write("1_Pooling/config.json", R"({})");
  CHECK_THROWS_AS(read_sentence_config(directory), CheckpointError);
  write("1_Pooling/config.json", R"({"pooling_mode_max_tokens": true})");
  write("modules.json", modules + R"(, {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])");
  CHECK_THROWS_AS(read_sentence_config(directory), CheckpointError);
  write("modules.json", "{}");
  CHECK_THROWS_AS(read_sentence_config(directory), FormatError);
  std::filesystem::remove_all(directory);
}
