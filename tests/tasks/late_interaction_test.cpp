// Late interaction against the formulas of colbert-ai and PyLate in float64 (tests/fixtures/retrieval/make_colbert.py).
#include <doctest/doctest.h>
#include <axiform/models/any.hpp>
#include <axiform/tasks/late_interaction.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <axiform/io/json.hpp>

#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/random_floats.hpp"

using namespace axiform;

namespace {

std::filesystem::path const retrieval = std::filesystem::path(AXIFORM_FIXTURES) / "retrieval";

std::vector<std::string> colbert_texts(char const* kind) {
  return read_json(retrieval / "colbert.json")[kind].get<std::vector<std::string>>();
}

MultiVectors random_multi_vectors(std::vector<std::size_t> const& lengths, std::size_t width, unsigned seed) {
  MultiVectors result;
  result.texts = SequenceOffsets<axes::Tokens>::of_lengths(lengths);
  result.vectors = Tensor<float, axes::Tokens, axes::Hidden>(result.texts.total(), width);
  std::ranges::copy(axiform::test::random_floats(result.vectors.size(), seed), result.vectors.data());
  return result;
}

// A copy of a fixture, in which files can be changed.
struct Copied {
  explicit Copied(char const* name) { std::filesystem::copy(retrieval / name, directory.path(), std::filesystem::copy_options::recursive); }
  void change(char const* file, std::string const& before, std::string const& after) const {
    std::string text = dump_json(read_json(directory / file));
    std::size_t const place = text.find(before);
    REQUIRE(place != std::string::npos);
    axiform::test::write_bytes(directory / file, text.replace(place, before.size(), after));
  }
  axiform::test::TemporaryDirectory directory;
};

// An encoder that knows nothing of tokens that are not attended to.
struct PlainEncoder {
  Bert<> bert;
  Tensor<float, axes::Tokens, axes::Hidden> operator()(TokenBatch const& batch, Context& context) const { return bert(batch, context); }
  std::size_t positions() const { return bert.positions(); }
  std::size_t token_types() const { return bert.token_types(); }
  std::size_t hidden_size() const { return bert.hidden_size(); }
};

}  // namespace

TEST_CASE("late interaction: tokens, vectors and scores are those of colbert-ai and PyLate, in both formats") {
  auto context = Context::with_threads(2);
  goldens::Goldens const golden(retrieval / "colbert.safetensors");
  auto const queries = colbert_texts("queries"), documents = colbert_texts("documents");
  for (std::string const name : {"colbert", "pylate"}) {
    CAPTURE(name);
    auto const model = LateInteraction<>::from_directory(retrieval / name, context);
    for (std::size_t i = 0; i < queries.size(); ++i)
      CHECK(model.tokens().query(queries[i]).ids == golden.ids(name + ".query" + std::to_string(i) + ".ids"));
    for (std::size_t i = 0; i < documents.size(); ++i) {
      auto const tokens = model.tokens().document(documents[i]);
      CHECK(tokens.ids == golden.ids(name + ".document" + std::to_string(i) + ".ids"));
      CHECK(std::ranges::equal(tokens.kept, golden.ids(name + ".document" + std::to_string(i) + ".kept"), std::equal_to<std::int64_t>()));
    }
    auto const asked = model.embed_queries(queries, {.batch_size = 3}, context), found = model.embed_documents(documents, {}, context);
    CHECK(goldens::largest_difference(asked.vectors, golden.reals(name + ".queries")) < 2e-5);
    CHECK(goldens::largest_difference(found.vectors, golden.reals(name + ".documents")) < 2e-5);
    auto const scores = max_sim(asked, found, context);
    CHECK(goldens::largest_difference(scores, golden.reals(name + ".scores")) < 1e-4);  // sums of 14 or 16
    // Alone, and on one thread, the same bits.
    Context alone;
    auto const one = model.embed_queries({queries[1]}, {}, alone);
    CHECK(std::memcmp(one.vectors.data(), asked.text(1).data(), one.vectors.size() * sizeof(float)) == 0);
    auto const hits = model.rank(queries[2], documents, {.top_k = 3}, context);
    REQUIRE(hits.size() == 3);
    for (SearchHit const& hit : hits) CHECK(hit.score == scores(2, hit.index));
    CHECK(hits[0].score == *std::ranges::max_element(scores.row(2)));
    CHECK(model.rank(queries[2], documents, context).size() == documents.size());
  }
}

TEST_CASE("late interaction: an encoder of any family is loaded, and its windows end where nothing attends any more") {
  Context context;
  goldens::Goldens const golden(retrieval / "colbert.safetensors");
  using enum std::filesystem::copy_options;
  axiform::test::TemporaryDirectory const directory;
  std::filesystem::copy(goldens::models / "modernbert-mlm", directory.path(), recursive);
  std::filesystem::copy(retrieval / "pylate-modernbert", directory.path(), recursive | overwrite_existing);
  auto const model = LateInteraction<AnyEncoder>::from_directory(directory.path(), context);
  CHECK(model.config().expansion == QueryExpansion::unattended);
  auto const asked = model.embed_queries(colbert_texts("queries"), {}, context);
  auto const found = model.embed_documents(colbert_texts("documents"), {}, context);
  CHECK(goldens::largest_difference(asked.vectors, golden.reals("pylate-modernbert.queries")) < 2e-5);
  CHECK(goldens::largest_difference(found.vectors, golden.reals("pylate-modernbert.documents")) < 2e-5);
}

TEST_CASE("late interaction: tokens that nothing attends to change no bit of the others, and have a probability of 0") {
  auto context = Context::with_threads(2);
  auto const bert = load<Bert<>>(retrieval / "colbert", context);
  std::vector<TokenId> const ids{4, 1, 9, 12, 5, 6, 6, 6, 4, 2, 20, 21, 22, 5};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({8, 6});
  std::vector<std::size_t> const attended{5, 6};
  auto const states = bert({.ids = ids, .sequences = sequences, .attended = attended}, context);
  std::vector<TokenId> const seen{4, 1, 9, 12, 5, 4, 2, 20, 21, 22, 5};
  auto const seen_sequences = SequenceOffsets<axes::Tokens>::of_lengths({5, 6});
  auto const alone = bert({.ids = seen, .sequences = seen_sequences}, context);
  CHECK(std::memcmp(states.data(), alone.data(), 5 * 16 * sizeof(float)) == 0);
  CHECK(std::memcmp(states.row(8).data(), alone.row(5).data(), 6 * 16 * sizeof(float)) == 0);
  // Any number of them is seen by none of them, either.
  std::vector<TokenId> const fewer(ids.begin(), ids.begin() + 6);
  auto const one = SequenceOffsets<axes::Tokens>::single(6);
  auto const shorter = bert({.ids = fewer, .sequences = one, .attended = std::span(attended).first(1)}, context);
  CHECK(std::memcmp(states.data(), shorter.data(), 6 * 16 * sizeof(float)) == 0);
  Capture capture;
  Context observed;
  observed.observe(&capture);
  bert({.ids = std::span(ids).first(8), .sequences = SequenceOffsets<axes::Tokens>::single(8), .attended = std::span(attended).first(1)},
       observed);
  auto const& probabilities = capture.attention(0);
  REQUIRE(probabilities.elements().size() == 2 * 8 * 8);
  for (std::size_t row = 0; row < 16; ++row) {
    double sum = 0;
    for (std::size_t key = 0; key < 8; ++key) {
      float const p = probabilities.elements()[row * 8 + key];
      CHECK((key < 5 ? p > 0 : p == 0));
      sum += static_cast<double>(p);
    }
    CHECK(std::abs(sum - 1) < 1e-6);
  }
  CHECK_THROWS_WITH_AS(bert({.ids = ids, .sequences = sequences, .attended = std::span(attended).first(1)}, context),
                       "token batch: found 1 numbers of attended tokens for 2 sequences", ShapeError);
}

TEST_CASE("late interaction: without expansion a query has its own tokens, and without words to skip a document has all") {
  Context context;
  Copied const pylate("pylate");
  pylate.change("config_sentence_transformers.json", "\"do_query_expansion\":true", "\"do_query_expansion\":false,\"x\":0");
  pylate.change("config_sentence_transformers.json", "[\".\",\"!\",\"paris\"]", "[]");
  pylate.change("config_sentence_transformers.json", "\"document_prefix\":\"[D] \"", "\"document_prefix\":\"\"");
  auto const model = LateInteraction<>::from_directory(pylate.directory.path(), context);
  auto const& tokenizer = model.tokens().tokenizer();
  auto const query = model.tokens().query("paris.");
  CHECK(query.ids.size() == 5);  // [CLS] [Q] paris . [SEP]
  CHECK(query.ids[1] == tokenizer.token_to_id("[Q] "));
  CHECK(query.attended == 5);
  CHECK(model.tokens().document("paris.").ids == tokenizer.encode("paris.").ids);
  CHECK(model.embed_documents({"paris.", "in paris"}, {}, context).texts.length(0) == 4);
}

TEST_CASE("late interaction: directories that are something else are refused by name") {
  Context context;
  CHECK_THROWS_WITH_AS(read_late_interaction_config(goldens::models / "bert-mlm"),
                       ((goldens::models / "bert-mlm" / "config.json").string() +
                        ": architectures: found \"BertForMaskedLM\", expected \"HF_ColBERT\", or PyLate's modules.json beside it")
                           .c_str(),
                       CheckpointError);
  Copied const no_marker("pylate");
  no_marker.change("config_sentence_transformers.json", "[Q] ", "[query]");
  CHECK_THROWS_WITH_AS(LateInteraction<>::from_directory(no_marker.directory.path(), context),
                       "late interaction: the tokenizer has no token \"[query]\", which marks queries or documents", CheckpointError);
  Copied const pooled("pylate");
  pooled.change("modules.json", "pylate.models.Dense.Dense", "sentence_transformers.models.Pooling");
  CHECK_THROWS_AS(read_late_interaction_config(pooled.directory.path()), CheckpointError);
  Copied const wide("pylate");
  wide.change("2_Dense/config.json", "\"in_features\":12", "\"in_features\":13");
  CHECK_THROWS_WITH_AS(LateInteraction<>::from_directory(wide.directory.path(), context),
                       "late interaction: the module Dense takes vectors of 13, expected 12", CheckpointError);
  for (auto const& [dimensions, what] :
       {std::pair("0", ": dim: found 0, expected 1 to 1048576"), std::pair("1048577", ": dim: found 1048577, expected 1 to 1048576")}) {
    Copied const absurd("colbert");
    absurd.change("artifact.metadata", "\"dim\":8", std::string("\"dim\":") + dimensions);
    CHECK_THROWS_WITH_AS(read_late_interaction_config(absurd.directory.path()),
                         ((absurd.directory / "artifact.metadata").string() + what).c_str(), FormatError);
  }
  Copied const narrow("colbert");
  narrow.change("artifact.metadata", "\"dim\":8", "\"dim\":7");
  CHECK_THROWS_AS(LateInteraction<>::from_directory(narrow.directory.path(), context), CheckpointError);
  Copied const other("colbert");
  other.change("artifact.metadata", "\"similarity\":\"cosine\"", "\"similarity\":\"l2\"");
  CHECK_THROWS_AS(read_late_interaction_config(other.directory.path()), CheckpointError);
  auto config = read_late_interaction_config(retrieval / "colbert");
  CHECK_THROWS_WITH_AS(LateInteraction<PlainEncoder>(Tokenizer::from_directory(retrieval / "colbert"),
                                                     PlainEncoder{load<Bert<>>(retrieval / "colbert", context)}, config, context),
                       "late interaction: found queries with tokens that nothing attends to, which this encoder does not have",
                       CheckpointError);
  std::stop_source source;
  source.request_stop();
  auto const model = LateInteraction<>::from_directory(retrieval / "colbert", context);
  CHECK_THROWS_AS(model.embed_documents({"a", "b"}, {.stop = source.get_token()}, context), StoppedError);
}

TEST_CASE("late interaction: lengths that have no room for a marker between the special tokens are refused") {
  auto const tokenizer = Tokenizer::from_directory(retrieval / "colbert");
  auto config = read_late_interaction_config(retrieval / "colbert");
  config.query_length = config.document_length = 3;
  LateInteractionTokens const shortest(tokenizer, config, 32);
  CHECK(shortest.query("paris").ids.size() == 3);
  CHECK(shortest.document("in paris").ids.size() == 3);
  auto const refused = [&](std::size_t queries, std::size_t documents, std::size_t positions, char const* what) {
    config.query_length = queries;
    config.document_length = documents;
    CHECK_THROWS_WITH_AS(LateInteractionTokens(tokenizer, config, positions), what, ArgumentError);
  };
  refused(2, 9, 32, "late interaction: found queries of 2 tokens and documents of 9, expected at least 3 of either");
  refused(9, 0, 32, "late interaction: found queries of 9 tokens and documents of 0, expected at least 3 of either");
  refused(9, 9, 2, "late interaction: found queries of 2 tokens and documents of 2, expected at least 3 of either");
}

TEST_CASE(
    "multi vectors: scores are those of a float64 loop for every remainder, and search finds the best of them on any number of threads") {
  Context context;
  auto threads = Context::with_threads(3);
  auto const queries = random_multi_vectors({3, 0, 1, 7, 32}, 19, 1);
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < 60; ++i) lengths.push_back(1 + i * 7 % 41);
  lengths[4] = 0;
  auto const documents = random_multi_vectors(lengths, 19, 2);
  for (auto const score : {MaxSim::sum, MaxSim::mean}) {
    auto const found = max_sim(queries, documents, score, context);
    for (std::size_t q = 0; q < queries.count(); ++q)
      for (std::size_t d = 0; d < documents.count(); ++d) {
        double sum = 0;
        auto const a = queries.text(q), b = documents.text(d);
        for (std::size_t i = 0; i < a.rows(); ++i) {
          double greatest = -std::numeric_limits<double>::infinity();
          for (std::size_t j = 0; j < b.rows(); ++j) {
            double product = 0;
            for (std::size_t k = 0; k < 19; ++k) product += static_cast<double>(a(i, k)) * static_cast<double>(b(j, k));
            greatest = std::max(greatest, product);
          }
          sum += greatest;
        }
        if (score == MaxSim::mean && a.rows() != 0) sum /= static_cast<double>(a.rows());
        if (b.rows() == 0 && a.rows() != 0) {
          CHECK(found(q, d) == -std::numeric_limits<float>::infinity());
        } else {
          CHECK(std::abs(static_cast<double>(found(q, d)) - sum) < 2e-5);
        }
      }
    auto const again = max_sim(queries, documents, score, threads);
    CHECK(std::memcmp(found.data(), again.data(), found.size() * sizeof(float)) == 0);
    for (Context* const own : {&context, &threads}) {
      auto const hits = multi_vector_search(queries, documents, {.top_k = 9, .score = score}, *own);
      REQUIRE(hits.size() == queries.count());
      for (std::size_t q = 0; q < hits.size(); ++q) {
        std::vector<float> sorted(found.row(q).begin(), found.row(q).end());
        std::ranges::sort(sorted, std::greater<>());
        for (std::size_t i = 0; i < 9; ++i) {
          CHECK(hits[q][i].score == sorted[i]);
          CHECK(found(q, hits[q][i].index) == sorted[i]);
        }
      }
    }
  }
  CHECK_THROWS_WITH_AS(max_sim(queries, random_multi_vectors({2}, 18, 3), context), "max_sim: found rows of 19 and of 18", ShapeError);
  CHECK(multi_vector_search(queries, {}, {}, context)[0].empty());
  auto broken = random_multi_vectors({2, 3}, 19, 4);
  broken.texts.append(1);
  CHECK_THROWS_WITH_AS(max_sim(queries, broken, context), "max_sim: found 5 vectors, expected the 6 of its texts", ShapeError);
  CHECK_THROWS_WITH_AS(max_sim(broken, documents, context), "max_sim: found 5 vectors, expected the 6 of its texts", ShapeError);
  CHECK_THROWS_WITH_AS(multi_vector_search(queries, broken, {}, context),
                       "multi_vector_search: found 5 vectors, expected the 6 of its texts", ShapeError);
}
