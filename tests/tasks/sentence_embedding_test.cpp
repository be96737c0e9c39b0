// Sentence embeddings: MiniLM's real weights against the pinned reference, and tiny models of every pooling against sentence-transformers.
#include <doctest/doctest.h>
#include <axiform/tasks/sentence_embedding.hpp>
#include <axiform/tasks/text_embedder.hpp>
#include <axiform/tasks/truncate_embeddings.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>

#include "support/goldens.hpp"
#include "tasks/sentence_fixtures.hpp"

using namespace axiform;

namespace {

std::filesystem::path const minilm = std::filesystem::path(AXIFORM_MODELS) / "minilm-l6";

Json const& cases() {
  static Json const json = read_json(sentences::directory / "cases.json");
  return json;
}
std::vector<std::string> texts() { return cases()["texts"].get<std::vector<std::string>>(); }

template <class T>
void check_close(T const& found, goldens::Goldens const& golden, std::string const& name) {
  CAPTURE(name);
  REQUIRE(golden.shape(name) == std::vector<std::size_t>{found.rows(), found.columns()});
  // float32 against float64, through two layers
  CHECK(goldens::largest_difference(found.elements(), golden.reals(name)) < 2e-5);
}

template <class A, class B>
bool same_bits(A const& a, B const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace

TEST_CASE("sentence embedding: texts give the reference's embeddings, the empty and the long one too") {
  Context context = Context::with_threads(2);
  auto const model = SentenceEmbedding<Bert<MiniLmL6>>::from_directory(minilm, context);
  CHECK(model.max_length() == 256);
  CHECK(model.dimensions() == 384);
  goldens::Goldens const golden(goldens::models / "minilm" / "goldens.safetensors");
  auto const sentences = read_json(goldens::models / "minilm" / "sentences.json").get<std::vector<std::string>>();
  REQUIRE(sentences.size() >= 8);
  auto const embeddings = model.embed(sentences, context);
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    CAPTURE(sentences[i]);
    std::string const name = "sentence" + std::to_string(i);
    auto const ids = model.tokenizer().encode(sentences[i], {.max_length = 256}).ids;
    CHECK(ids == golden.ids(name + ".ids"));
    CHECK(goldens::largest_difference(embeddings.row(i), golden.reals(name + ".embedding")) < 1e-6);
  }
}

TEST_CASE("sentence embedding: the two sentences about eating are close, and the order is that of the texts") {
  Context context = Context::with_threads(2);
  auto const model = SentenceEmbedding<>::from_directory(minilm, context);
  auto const embeddings =
      model.embed({"A man is eating food.", "The stock market fell.", "A man eats a meal."}, {.batch_size = 2}, context);
  auto const similarity = cos_sim(embeddings, embeddings);
  CHECK(similarity(0, 2) == doctest::Approx(0.9082).epsilon(0.0001));
  CHECK(similarity(0, 1) < 0.2);
  CHECK(similarity(1, 1) == doctest::Approx(1));
  auto const alone = model.embed("A man is eating food.", context);
  CHECK(same_bits(alone.elements(), embeddings.row(0)));
  CHECK(cos_sim(alone, embeddings)(0, 2) == similarity(0, 2));
}

TEST_CASE("sentence embedding: MiniLM's weights in bf16 and f16 turn no embedding by more than a cosine of 0.9999") {
  Context context = Context::with_threads(2);
  auto const sentences = read_json(goldens::models / "minilm" / "sentences.json").get<std::vector<std::string>>();
  auto const expected = SentenceEmbedding<Bert<MiniLmL6>>::from_directory(minilm, context).embed(sentences, context);
  for (WeightFormat format : {WeightFormat::bf16, WeightFormat::f16}) {
    auto const found = SentenceEmbedding<Bert<MiniLmL6>>::from_directory(minilm, {.weights = format}, context).embed(sentences, context);
    CHECK_FALSE(same_bits(found, expected));
    float least = 1.0f, sum = 0.0f;
    auto const similarity = cos_sim(found, expected);
    for (std::size_t i = 0; i < sentences.size(); ++i) least = std::min(least, similarity(i, i)), sum += similarity(i, i);
    MESSAGE("MiniLM in " << name_of(format) << ": the mean cosine is " << sum / float(sentences.size()) << ", the least " << least);
    CHECK(least >= 0.9999f);
  }
}

TEST_CASE("sentence embedding: MiniLM's embeddings have the same bits for any batch size and alone") {
  Context context = Context::with_threads(3);
  Context one;
  auto const model = SentenceEmbedding<Bert<MiniLmL6>>::from_directory(minilm, context);
  std::vector<std::string> const given{"short", "", "A somewhat longer sentence, with a comma.", "x y z", std::string(5000, 'a')};
  auto const expected = model.embed(given, context);
  for (std::size_t batch : {1, 3}) CHECK(same_bits(model.embed(given, {.batch_size = batch}, context), expected));
  for (std::size_t i = 0; i < given.size(); ++i) CHECK(same_bits(model.embed(given[i], one), expected.row(i)));
}

TEST_CASE(
    "sentence embedding: 100 KB of text, and bytes that are not text, have the same bits in any batch, alone, and on any number of "
    "threads") {
  Context context = Context::with_threads(3);
  Context one;
  sentences::Assembled const directory("several", "bert-mlm");
  auto const model = SentenceEmbedding<>::from_directory(directory, context);
  std::string noise, longest;
  for (int i = 0; i < 4000; ++i) noise += static_cast<char>(i * i % 251 + i % 7);
  while (longest.size() < 100'000) longest += "a man, ";
  std::vector<std::string> given{"she", "", noise, longest, "\xff\xc3"};
  for (std::size_t i = 0; i < 41; ++i) given.push_back("in " + std::to_string(i) + std::string(i % 7 * 3, '!'));
  auto const expected = model.embed(given, one);
  for (std::size_t batch : {1, 2, 32}) CHECK(same_bits(model.embed(given, {.batch_size = batch}, context), expected));
  for (std::size_t i = 0; i < given.size(); ++i) CHECK(same_bits(model.embed(given[i], one), expected.row(i)));
  CHECK(model.embed({}, {}, context).rows() == 0);
  CHECK(model.embed(std::vector<std::string>(), context).rows() == 0);
  CHECK_THROWS_WITH_AS(model.embed(given, {.batch_size = 0}, context), "batch_size: found 0, expected at least 1", ArgumentError);

  auto const document = model.embed_document(longest, {}, context);
  CHECK(document.chunks.size() > 1000);
  CHECK(document.embeddings.rows() == document.chunks.size());
  CHECK(document.chunks.back().bytes.end == longest.size() - 1);  // the space at the end is in no token
  CHECK(same_bits(document.embeddings.row(0), model.embed(longest, one)));
  CHECK(model.embed_document(noise, {}, context).chunks.size() > 1);
}

TEST_CASE("sentence embedding: every pooling, several at once, Dense modules and prompts give sentence-transformers' embeddings") {
  Context context = Context::with_threads(2);
  Context one;
  goldens::Goldens const golden(sentences::directory / "goldens.safetensors");
  auto const given = texts();
  std::string const prompt = cases()["prompt"];
  REQUIRE(cases()["cases"].size() == 15);
  for (auto const& [name, transformer] : cases()["cases"].items()) {
    CAPTURE(name);
    sentences::Assembled const directory(name, transformer);
    auto const model = SentenceEmbedding<>::from_directory(directory, context);
    CHECK(model.max_length() == golden.number(name + ".max_length"));
    auto const embeddings = model.embed(given, context);
    CHECK(embeddings.columns() == model.dimensions());
    check_close(embeddings, golden, name + ".embeddings");
    for (std::size_t batch : {1, 3}) CHECK(same_bits(model.embed(given, {.batch_size = batch}, one), embeddings));
    for (std::size_t i = 0; i < given.size(); ++i) CHECK(same_bits(model.embed(given[i], one), embeddings.row(i)));
    if (golden.has(name + ".query")) {
      check_close(model.embed(given, {.prompt = ""}, context), golden, name + ".none");
      check_close(model.embed(given, {.role = TextRole::query}, context), golden, name + ".query");
      check_close(model.embed(given, {.prompt = prompt}, context), golden, name + ".given");
      CHECK(same_bits(model.embed(given, {.prompt = model.prompt("query")}, context),
                      model.embed(given, {.role = TextRole::query}, context)));
    }
    if (golden.has(name + ".normalized"))
      check_close(model.embed(given, {.normalization = Normalization::unit_length}, context), golden, name + ".normalized");
    if (name == "several") {  // The caller's wish comes before the files'.
      CHECK(same_bits(model.embed(given, {.normalization = Normalization::unit_length}, context), embeddings));
      CHECK_FALSE(same_bits(model.embed(given, {.normalization = Normalization::none}, context), embeddings));
    }
  }
}

TEST_CASE("sentence embedding: a document's chunks have the offsets and embeddings of windows over its tokens, whatever its characters") {
  Context context;
  goldens::Goldens const golden(sentences::directory / "goldens.safetensors");
  sentences::Assembled const directory("mean_tokens", "bert-mlm");
  auto const model = SentenceEmbedding<>::from_directory(directory, context);
  std::string const text = cases()["document"];
  auto const check = [&](std::string const& name, DocumentEmbedding<axes::Hidden> const& found) {
    CAPTURE(name);
    check_close(found.embeddings, golden, name + ".embeddings");
    auto const expected = golden.ids(name + ".chunks");  // begin and end in tokens, begin and end in code points
    REQUIRE(expected.size() == 4 * found.chunks.size());
    for (std::size_t i = 0; i < found.chunks.size(); ++i) {
      auto const& [tokens, code_points, bytes] = found.chunks[i];
      CHECK(tokens == Offset{static_cast<std::uint32_t>(expected[4 * i]), static_cast<std::uint32_t>(expected[4 * i + 1])});
      CHECK(code_points == Offset{static_cast<std::uint32_t>(expected[4 * i + 2]), static_cast<std::uint32_t>(expected[4 * i + 3])});
      auto const code_points_before = [&](std::size_t end) {
        return std::ranges::count_if(text.substr(0, end), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
      };
      CHECK(code_points_before(bytes.begin) == code_points.begin);
      CHECK(code_points_before(bytes.end) == code_points.end);
    }
  };
  check("document", model.embed_document(text, {.overlap = 2}, context));
  check("prompted", model.embed_document(text, {.length = 12, .overlap = 3},
                                         {.batch_size = 2, .prompt = cases()["prompt"].get<std::string>()}, context));

  // What fits is one chunk, and the embedding of the text.
  for (std::string const& each : texts()) {
    if (model.tokenizer().encode(each).size() > model.max_length()) continue;
    auto const whole = model.embed_document(each, {}, context);
    REQUIRE(whole.chunks.size() == 1);
    CHECK(whole.chunks[0].tokens.begin == 0);
    CHECK(same_bits(whole.embeddings.row(0), model.embed(each, context)));
  }
  CHECK(model.embed_document("a\xff\xe6\x9d man", {}, context).chunks[0].bytes.end == 8);
  CHECK(model.embed_document("a\xff\xe6\x9d man", {}, context).chunks[0].code_points.end == 7);
  CHECK_THROWS_WITH_AS(model.embed_document("a", {.length = 21}, context),
                       "chunk length: found 21, expected at most the model's maximum, 20", ArgumentError);
  CHECK_THROWS_WITH_AS(model.embed_document("a", {.length = 2}, context),
                       "chunk length: found 2, expected more than the 2 special tokens and tokens of the prompt", ArgumentError);
  CHECK_THROWS_WITH_AS(model.embed_document("a", {.length = 12, .overlap = 10}, context),
                       "chunk overlap: found 10, expected less than the 10 tokens of the text that a chunk has", ArgumentError);
}

TEST_CASE("sentence embedding: a long call tells how far it is, and stops when it is told to") {
  sentences::Assembled const directory("plain", "bert-mlm");
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    auto const model = SentenceEmbedding<>::from_directory(directory, context);
    std::vector<std::string> const many(50, "she was in paris");
    std::vector<std::size_t> seen;
    model.embed(many,
                {.batch_size = 4,
                 .progress =
                     [&](Progress const& progress) {
                       CHECK(progress.total == 50);
                       seen.push_back(progress.done);
                     }},
                context);
    CHECK(std::ranges::is_sorted(seen));
    CHECK(seen.back() == 50);
    std::stop_source source;
    CHECK_THROWS_AS(
        model.embed(many, {.batch_size = 4, .stop = source.get_token(), .progress = [&](Progress const&) { source.request_stop(); }},
                    context),
        StoppedError);
    CHECK_THROWS_AS(model.embed(many, {.progress = [](Progress const&) { throw FileError("a full disk"); }}, context), FileError);
  }
}

TEST_CASE("sentence embedding: prompts go by role, and a name that is not there is told with those that are") {
  Context context;
  sentences::Assembled const directory("prompt", "bert-mlm");
  auto const model = SentenceEmbedding<>::from_directory(directory, context);
  CHECK(model.prompt(TextRole::text) == "she: ");  // the default is "query"
  CHECK(model.prompt(TextRole::query) == "she: ");
  CHECK(model.prompt(TextRole::passage) == "the man: ");
  CHECK(model.prompt("other").empty());
  CHECK_THROWS_WITH_AS(model.prompt("none"), "prompt: found the name \"none\", expected \"other\", \"passage\", \"query\"", ArgumentError);
  CHECK(same_bits(model.embed("it", {.role = TextRole::passage}, context), model.embed("the man: it", {.prompt = ""}, context)));
}

TEST_CASE("sentence embedding: parts that do not fit together are refused") {
  Context context;
  sentences::Assembled const several("several", "bert-mlm");
  using Tiny = Dimensions<Const<16>, Const<2>, Const<8>, Const<20>>;
  CHECK_THROWS_WITH_AS(
      SentenceEmbedding<Bert<Tiny>>::from_directory(several, context),
      "sentence embedding: found embeddings of 48 numbers, expected the 16 of the type's hidden size; SentenceEmbedding<> takes any",
      CheckpointError);
  several.write("1_Pooling/config.json", R"({"embedding_dimension": 24, "pooling_mode": "mean"})");
  CHECK_THROWS_WITH_AS(SentenceEmbedding<>::from_directory(several, context),
                       "sentence embedding: the module Pooling takes vectors of 24, expected 16", CheckpointError);
  sentences::Assembled const dense("dense", "bert-mlm");
  dense.write("1_Pooling/config.json", R"({"pooling_mode": ["mean", "cls"]})");
  CHECK_THROWS_WITH_AS(SentenceEmbedding<>::from_directory(dense, context),
                       "sentence embedding: the module Dense takes vectors of 16, expected 32", CheckpointError);
  dense.write("1_Pooling/config.json", R"({"pooling_mode": "mean"})");
  dense.remove("2_Dense/model.safetensors");
  CHECK_THROWS_AS(SentenceEmbedding<>::from_directory(dense, context), FileError);
  sentences::Assembled const cased("plain", "bert-mlm");
  cased.write("sentence_bert_config.json", R"({"max_seq_length": 9, "do_lower_case": true})");
  CHECK(SentenceEmbedding<>::from_directory(cased, context).max_length() == 9);  // the tokenizer lower-cases anyway
  cased.write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false})");
  for (char const* name : {"sentence_bert_config.json", "sentence_roberta_config.json"}) {  // The message names the one that is there.
    cased.write(name, R"({"max_seq_length": 9, "do_lower_case": true})");
    std::string const file = (std::filesystem::path(cased) / name).string();
    CHECK_THROWS_WITH_AS(SentenceEmbedding<>::from_directory(cased, context),
                         (file + ": do_lower_case: found true for a tokenizer that keeps capitals, which is not supported").c_str(),
                         CheckpointError);
    cased.remove(name);
  }
}

TEST_CASE("sentence embedding: the first dimensions alone are sentence-transformers' when they are scaled again") {
  Context context;
  goldens::Goldens const golden(std::filesystem::path(AXIFORM_FIXTURES) / "retrieval" / "truncated.safetensors");
  sentences::Assembled const normal("several", "bert-mlm");
  normal.write("config_sentence_transformers.json", R"({"truncate_dim": 7})");
  auto const model = SentenceEmbedding<>::from_directory(normal.path(), context);
  CHECK(model.dimensions() == 7);
  check_close(model.embed(texts(), context), golden, "saved");
  check_close(model.embed(texts(), {.dimensions = 20}, context), golden, "asked");
  auto const whole = model.embed(texts(), {.dimensions = 48}, context);
  check_close(truncate_embeddings(whole, 7, Normalization::none), golden, "saved.unscaled");
  check_close(truncate_embeddings(whole, 7, Normalization::unit_length), golden, "saved");
  CHECK_THROWS_WITH_AS(model.embed(texts(), {.dimensions = 49}, context), "embed: dimensions: found 49, expected 1 to 48", ArgumentError);
  CHECK_THROWS_WITH_AS(truncate_embeddings(whole, 0, Normalization::none), "truncate_embeddings: dimensions: found 0, expected 1 to 48",
                       ArgumentError);
  sentences::Assembled const plain("mean_tokens", "bert-mlm");
  auto const other = SentenceEmbedding<>::from_directory(plain.path(), context);
  CHECK(other.dimensions() == 16);
  check_close(other.embed(texts(), {.dimensions = 5}, context), golden, "plain");
  check_close(other.embed(texts(), {.normalization = Normalization::unit_length, .dimensions = 5}, context), golden, "plain.normalized");
  plain.write("config_sentence_transformers.json", R"({"truncate_dim": 0})");
  CHECK_THROWS_AS(SentenceEmbedding<>::from_directory(plain.path(), context), FormatError);
}

TEST_CASE("text embedder: gives the bits of the model that it hides") {
  Context context;
  sentences::Assembled const directory("prompt", "bert-mlm");
  auto const model = SentenceEmbedding<>::from_directory(directory, context);
  TextEmbedder const embedder(SentenceEmbedding<>::from_directory(directory, context), Context::with_threads(2));
  CHECK(embedder.dimensions() == 32);
  CHECK(embedder.max_length() == 32);
  auto const given = texts();
  auto const expected = model.embed(given, {.role = TextRole::passage}, context);
  auto const found = embedder.embed(given, {.role = TextRole::passage});
  REQUIRE(found.size() == given.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(same_bits(found[i], expected.row(i)));
}
