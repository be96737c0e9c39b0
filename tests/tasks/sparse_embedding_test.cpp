// Sparse embeddings against sentence-transformers' SparseEncoder in float64 (tests/fixtures/retrieval/make_splade.py).
#include <doctest/doctest.h>
#include <axiform/tasks/sparse_embedding.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;

namespace {

std::filesystem::path const sparse_fixtures = std::filesystem::path(AXIFORM_FIXTURES) / "retrieval";

// ../models/bert-mlm with the modules over it.
struct SpladeDirectory {
  SpladeDirectory() {
    using enum std::filesystem::copy_options;
    std::filesystem::copy(goldens::models / "bert-mlm", directory.path(), recursive);
    std::filesystem::copy(sparse_fixtures / "splade", directory.path(), recursive | overwrite_existing);
  }
  axiform::test::TemporaryDirectory directory;
};

// The greatest difference, and the same words.
void check_weights(std::vector<SparseVector> const& found, goldens::Goldens const& golden, std::string const& name) {
  CAPTURE(name);
  auto const expected = golden.reals(name);
  std::size_t const vocabulary = golden.shape(name).at(1);
  REQUIRE(found.size() == golden.shape(name).at(0));
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::vector<double> weights(vocabulary, 0);
    for (TokenWeight const& word : found[i]) weights[static_cast<std::size_t>(word.id)] = static_cast<double>(word.weight);
    CHECK(std::ranges::is_sorted(found[i], {}, &TokenWeight::id));
    for (std::size_t id = 0; id < vocabulary; ++id) worst = std::max(worst, std::abs(weights[id] - expected[i * vocabulary + id]));
  }
  CHECK(worst < 2e-5);
}

}  // namespace

TEST_CASE("sparse embedding: weights are those of sentence-transformers, all or the heaviest, with and without modules") {
  auto context = Context::with_threads(2);
  goldens::Goldens const golden(sparse_fixtures / "splade.safetensors");
  auto const texts = read_json(sparse_fixtures / "splade.json")["texts"].get<std::vector<std::string>>();
  SpladeDirectory const assembled;
  auto const model = SparseEmbedding<>::from_directory(assembled.directory.path(), context);
  CHECK(model.max_length() == 18);
  auto const found = model.embed(texts, {.batch_size = 2}, context);
  check_weights(found, golden, "splade");
  check_weights(model.embed(texts, {.max_words = 5}, context), golden, "splade.some");
  Context alone;
  CHECK(model.embed({texts[2]}, {}, alone).front() == found[2]);
  auto const plain = SparseEmbedding<>::from_directory(goldens::models / "bert-mlm", context);
  check_weights(plain.embed(texts, {}, context), golden, "plain");
}

TEST_CASE("sparse embedding: how long texts are, in which case, and how many words, is as sentence-transformers reads it") {
  Context context;
  SpladeDirectory const assembled;
  auto const write = [&](char const* file, std::string const& text) { axiform::test::write_bytes(assembled.directory / file, text); };
  auto const length = [&] { return SparseEmbedding<>::from_directory(assembled.directory.path(), context).max_length(); };
  auto const refused = [&](char const* file, std::string const& what) {
    CHECK_THROWS_WITH_AS(SparseEmbedding<>::from_directory(assembled.directory.path(), context),
                         ((assembled.directory / file).string() + what).c_str(), CheckpointError);
  };
  // The directory's own word counts, be the tokenizer's greater or less.
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "do_lower_case": true, "model_max_length": 20})");
  write("sentence_bert_config.json", R"({"max_seq_length": 25, "do_lower_case": true, "transformer_task": "fill-mask"})");
  CHECK(length() == 25);
  write("sentence_bert_config.json", R"({"max_seq_length": null})");
  CHECK(length() == 20);
  write("sentence_bert_config.json", R"({"max_seq_length": 1000})");
  CHECK(length() == 32);
  write("sentence_bert_config.json", R"({"transformer_task": "feature-extraction"})");
  refused("sentence_bert_config.json", ": transformer_task: found the string \"feature-extraction\", expected the string \"fill-mask\"");
  std::filesystem::remove(assembled.directory / "sentence_bert_config.json");
  write("sentence_roberta_config.json", R"({"max_seq_length": 9, "do_lower_case": true})");
  CHECK(length() == 9);
  CHECK(read_sparse_config(assembled.directory.path()).settings == assembled.directory / "sentence_roberta_config.json");
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false})");
  refused("sentence_roberta_config.json", ": do_lower_case: found true for a tokenizer that keeps capitals, which is not supported");

  SpladeDirectory const limited;
  auto const write_settings = [&](std::string const& text) {
    axiform::test::write_bytes(limited.directory / "config_sentence_transformers.json", text);
  };
  write_settings(R"({"model_type": "SparseEncoder", "max_active_dims": 5, "prompts": {"query": "", "document": null, "other": "x"},
                     "default_prompt_name": null, "similarity_fn_name": null})");
  goldens::Goldens const golden(sparse_fixtures / "splade.safetensors");
  auto const texts = read_json(sparse_fixtures / "splade.json")["texts"].get<std::vector<std::string>>();
  auto const model = SparseEmbedding<>::from_directory(limited.directory.path(), context);
  check_weights(model.embed(texts, {}, context), golden, "splade.some");
  CHECK(model.embed(texts, {.max_words = 2}, context)[0].size() == 2);  // what is asked for counts
  auto const refused_settings = [&](std::string const& settings, std::string const& what) {
    write_settings("{" + settings + "}");
    std::string const message = axiform::test::message_of<Error>([&] { read_sparse_config(limited.directory.path()); });
    CHECK(message == (limited.directory / "config_sentence_transformers.json").string() + ": " + what);
  };
  refused_settings(R"("max_active_dims": 0)", "max_active_dims: found 0, expected at least 1");
  refused_settings(R"("default_prompt_name": "query", "prompts": {"query": "q: "})", "default_prompt_name: found \"query\", expected none");
  refused_settings(R"("prompts": {"query": "q: "})", "prompts: query: found \"q: \", expected none");
  refused_settings(R"("prompts": {"passage": "p: "})", "prompts: passage: found \"p: \", expected none");
  refused_settings(R"("prompts": ["query"])", "prompts: found an array of 1, expected an object");
  refused_settings(R"("similarity_fn_name": "cosine")", "similarity_fn_name: found \"cosine\", expected \"dot\"");
  refused_settings(R"("model_type": "SentenceTransformer")",
                   "model_type: found the string \"SentenceTransformer\", expected the string \"SparseEncoder\"");
}

TEST_CASE("sparse embedding: modules and models that are something else are refused") {
  Context context;
  SpladeDirectory const assembled;
  auto const write = [&](char const* file, std::string const& text) { axiform::test::write_bytes(assembled.directory / file, text); };
  write("1_SpladePooling/config.json", R"({"pooling_strategy": "sum"})");
  CHECK_THROWS_AS(read_sparse_config(assembled.directory.path()), CheckpointError);
  write("1_SpladePooling/config.json", R"({"activation_function": "gelu"})");
  CHECK_THROWS_AS(read_sparse_config(assembled.directory.path()), CheckpointError);
  write("modules.json", R"([{"type": "a.Transformer", "path": ""}])");
  CHECK_THROWS_WITH_AS(
      read_sparse_config(assembled.directory.path()),
      ((assembled.directory / "modules.json").string() + ": found 1 modules, expected a Transformer and a SpladePooling").c_str(),
      CheckpointError);
  CHECK_THROWS_AS(SparseEmbedding<>::from_directory(goldens::models / "bert-qa", context), CheckpointError);
  auto const plain = SparseEmbedding<>::from_directory(goldens::models / "bert-mlm", context);
  CHECK_THROWS_WITH_AS(plain.embed({"a"}, {.max_words = 0}, context), "max_words: found 0, expected at least 1", ArgumentError);
}

TEST_CASE("sparse vectors: products are those of common tokens, and search finds the greatest") {
  SparseVector const a{{1, 0.5f}, {4, 2.0f}, {9, 1.0f}}, b{{0, 3.0f}, {4, 0.25f}, {9, 4.0f}, {12, 1.0f}}, none;
  CHECK(sparse_dot(a, b) == 4.5f);
  CHECK(sparse_dot(b, a) == 4.5f);
  CHECK(sparse_dot(a, none) == 0);
  auto context = Context::with_threads(2);
  std::vector<SparseVector> const queries{a, none}, documents{b, a, none, {{1, 100.0f}}, a};
  auto const scores = sparse_scores(queries, documents, context);
  auto const hits = sparse_search(queries, documents, {.top_k = 4}, context);
  REQUIRE(hits.size() == 2);
  std::vector<std::size_t> order;
  for (SearchHit const& hit : hits[0]) {
    order.push_back(hit.index);
    CHECK(hit.score == scores(0, hit.index));
  }
  CHECK(order == std::vector<std::size_t>{3, 1, 4, 0});
  CHECK(hits[1].size() == 4);
  CHECK_THROWS_AS(sparse_search(queries, documents, {.top_k = 0}, context), ArgumentError);
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(sparse_search(queries, documents, {.stop = source.get_token()}, context), StoppedError);
}
