// Statistics of what a pass computes, against the same from PyTorch hooks (tests/fixtures/inspect) and against the goldens' own tensors.
#include <doctest/doctest.h>
#include <axiform/inspect/statistics.hpp>
#include <axiform/inspect/statistics_print.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <axiform/io/json.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>

#include "support/goldens.hpp"

using namespace axiform;

namespace {

// The lines of a file of JSON lines.
std::vector<Json> json_lines(std::string const& text) {
  std::vector<Json> result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) result.push_back(parse_json(line, "statistics"));
  return result;
}

// How far two numbers about a tensor may lie apart: float32 against float64, in units of its greatest element.
void check_statistics(Json const& found, Json const& expected, double tolerance) {
  CAPTURE(expected["name"].get<std::string>());
  CHECK(found["name"] == expected["name"]);
  CHECK(found.contains("sequence") == expected.contains("sequence"));
  REQUIRE(found["shape"] == expected["shape"]);
  CHECK(found["not_finite"] == expected["not_finite"]);
  double count = 1;
  for (std::size_t length : found["shape"].get<std::vector<std::size_t>>()) count *= static_cast<double>(length);
  double const size = std::max(std::abs(expected["min"].get<double>()), std::abs(expected["max"].get<double>()));
  for (char const* key : {"mean", "std", "min", "max", "sum", "checksum"}) {
    CAPTURE(key);
    bool const is_sum = std::string(key) == "sum" || std::string(key) == "checksum";
    CHECK(std::abs(found[key].get<double>() - expected[key].get<double>()) < tolerance * size * (is_sum ? std::sqrt(count) : 1));
  }
}

// Runs case 2 of a model's goldens; the observer's records must be those of PyTorch, and of the goldens' own tensors.
template <class Model>
void check_model(char const* name) {
  Context context = Context::with_threads(2);
  auto const model = load<Model>(goldens::models / name, context);
  goldens::Goldens const golden(goldens::models / name / "goldens.safetensors");
  auto const ids = golden.ids("case2.ids");
  auto const types = golden.has("case2.token_types") ? golden.ids("case2.token_types") : std::vector<TokenId>();
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  TokenBatch const batch{.ids = ids, .sequences = sequences, .token_types = types};
  auto const unseen = model(batch, context);

  Statistics statistics;
  context.observe(&statistics);
  auto const seen = model(batch, context);
  CHECK(std::memcmp(seen.data(), unseen.data(), seen.size() * sizeof(float)) == 0);

  std::ostringstream text;
  write_statistics_json(text, statistics.records());
  auto const found = json_lines(text.str());
  auto const expected = json_lines(read_file(std::filesystem::path(AXIFORM_FIXTURES) / "inspect" / (std::string(name) + ".jsonl")));
  REQUIRE(found.size() == expected.size());
  REQUIRE(found.size() == 1 + 3 * 7);
  for (std::size_t i = 0; i < found.size(); ++i) check_statistics(found[i], expected[i], 2e-5);

  for (StatisticsRecord const& record : statistics.records()) {
    std::string own = record.name;
    if (own.starts_with("layers.") && own.ends_with(".attention_probabilities")) own = "attentions." + own.substr(7, 1);
    if (!golden.has("case2." + own)) continue;
    auto const reals = golden.reals("case2." + own);
    Tensor<float, axes::Tokens> values(reals.size());
    std::ranges::transform(reals, values.data(), [](double value) { return static_cast<float>(value); });
    auto const theirs = tensor_statistics(values);
    CAPTURE(own);
    CHECK(record.statistics.sum == doctest::Approx(theirs.sum).epsilon(1e-4));
    CHECK(record.statistics.checksum == doctest::Approx(theirs.checksum).epsilon(1e-4));
    CHECK(record.statistics.standard_deviation == doctest::Approx(theirs.standard_deviation).epsilon(1e-4));
  }

  // One thread, and a second time: the same bits.
  Context one;
  Statistics again;
  one.observe(&again);
  model(batch, one);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(again.records()[i].statistics.bits == statistics.records()[i].statistics.bits);
  again.clear();
  CHECK(again.records().empty());
}

}  // namespace

TEST_CASE("statistics: BERT's and GPT-2's tensors are those that hooks see in PyTorch, and looking changes no bit") {
  check_model<Bert<>>("bert-tiny");
  check_model<Gpt2<>>("gpt2-tiny");
}

TEST_CASE("statistics: attention is told by sequence, all else by batch") {
  Context context;
  auto const model = load<Bert<>>(goldens::models / "bert-tiny", context);
  std::vector<TokenId> const ids{4, 5, 6, 7, 8};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({2, 0, 3});
  Statistics statistics;
  context.observe(&statistics);
  model({.ids = ids, .sequences = sequences}, context);
  auto const& records = statistics.records();
  REQUIRE(records.size() == 1 + 3 * 9);
  CHECK(records[1].name == "layers.0.query");
  CHECK_FALSE(records[1].sequence.has_value());
  CHECK(records[1].statistics.shape == std::vector<std::size_t>{5, 40});
  CHECK(records[6].name == "layers.0.attention_probabilities");
  CHECK(records[8].sequence == 2);
  CHECK(records[8].statistics.shape == std::vector<std::size_t>{5, 3, 3});
  CHECK(records[8].statistics.sum == doctest::Approx(15));  // rows sum to one
  CHECK(records[7].statistics.shape == std::vector<std::size_t>{5, 0, 0});
}

TEST_CASE("statistics: mean, deviation, extremes and checksum of few numbers, some of which are none") {
  Tensor<float, axes::Tokens, axes::Hidden> values(2, 3);
  std::ranges::copy(std::vector<float>{1, 2, 3, 4, -5, 1}, values.data());
  auto const s = tensor_statistics(values);
  CHECK(s.shape == std::vector<std::size_t>{2, 3});
  CHECK(s.mean == 1);
  CHECK(s.standard_deviation == doctest::Approx(std::sqrt(50.0 / 6)));
  CHECK(s.minimum == -5);
  CHECK(s.maximum == 4);
  CHECK(s.sum == 6);
  double checksum = 0;
  for (std::uint64_t i = 0; i < 6; ++i)
    checksum += values.data()[i] * (static_cast<double>(i * 2654435761U % 4294967296U) / 2147483648.0 - 1);
  CHECK(s.checksum == doctest::Approx(checksum));

  // A view with a stride, and the same numbers elsewhere.
  View<axes::Tokens, axes::Hidden> const left(values.data(), Shape<axes::Tokens, axes::Hidden>(std::size_t{2}, std::size_t{2}), 3);
  CHECK(tensor_statistics(left).sum == 2);
  auto moved = values.copy();
  std::swap(moved(0, 0), moved(0, 1));
  CHECK(tensor_statistics(moved).mean == s.mean);
  CHECK(tensor_statistics(moved).checksum != s.checksum);
  CHECK(tensor_statistics(moved).bits != s.bits);
  CHECK(tensor_statistics(values.copy()).bits == s.bits);

  values(0, 0) = std::numeric_limits<float>::quiet_NaN();
  values(1, 1) = std::numeric_limits<float>::infinity();
  auto const some = tensor_statistics(values);
  CHECK(some.not_finite == 2);
  CHECK(some.mean == 2.5);
  CHECK(some.maximum == 4);
  Tensor<float, axes::Tokens, axes::Hidden> const none(0, 3);
  CHECK(tensor_statistics(none).mean == 0);
  CHECK(tensor_statistics(none).minimum == 0);
}

TEST_CASE("statistics: the table lines up, and has a column for what is not finite only when there is something") {
  Tensor<float, axes::Tokens, axes::Hidden> values(1, 2);
  values(0, 0) = 0.5f;
  std::vector<StatisticsRecord> records{{.name = "hidden_states.0", .statistics = tensor_statistics(values)},
                                        {.name = "map", .sequence = 1, .statistics = tensor_statistics(values)}};
  std::ostringstream out;
  print_statistics(out, records);
  CHECK(out.str() ==
        "name               shape  mean   std  min  max  sum  checksum\n"
        "hidden_states.0    1 x 2  0.25  0.25    0  0.5  0.5      -0.5\n"
        "map of sequence 1  1 x 2  0.25  0.25    0  0.5  0.5      -0.5\n");
  values(0, 1) = std::numeric_limits<float>::quiet_NaN();
  records.back().statistics = tensor_statistics(values);
  std::ostringstream more;
  print_statistics(more, records);
  CHECK(more.str().find("not finite") != std::string::npos);
  std::ostringstream json;
  write_statistics_json(json, records);
  auto const lines = json_lines(json.str());
  CHECK(lines[0]["bits"].get<std::string>().size() == 16);
  CHECK(lines[1]["sequence"] == 1);
  CHECK(lines[1]["mean"] == 0.5);
}
