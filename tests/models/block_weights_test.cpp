// Models whose files have weights in blocks: the blocks stay what they are, and the model computes what one of floats with the same values does, but for what
// its products round.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/names.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/models/llama.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/visit.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/distance.hpp"
#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::vector<TokenId> counted_ids(std::size_t count) {
  std::vector<TokenId> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<TokenId>(i * 37 % 47);
  return result;
}

template <Layer Model>
std::map<std::string, WeightFormat> formats_of(Model const& model) {
  std::map<std::string, WeightFormat> formats;
  for_each_parameter(model, [&](std::string_view name, ConstParameterRef const& parameter) {
    if (parameter.shape().size() == 2) formats[std::string(name)] = parameter.format();
  });
  return formats;
}

// Whether two models have the same logits, bit for bit, for whole texts and in parts through a cache.
template <class Model>
void check_same(Model const& a, Model const& b) {
  auto const ids = counted_ids(40);
  for (std::size_t threads : {1u, 2u, 3u}) {
    Context context = Context::with_threads(threads);
    auto const expected = b.logits(b(ids, context), context), found = a.logits(a(ids, context), context);
    CHECK(std::ranges::equal(found.elements(), expected.elements()));
    for (std::size_t step : {1u, 3u, 16u}) {
      auto cache = a.make_cache(1, ids.size());
      for (std::size_t first = 0; first < ids.size(); first += step) {
        auto const part = std::span(ids).subspan(first, std::min(step, ids.size() - first));
        auto const last = a.last_logits(part, SequenceOffsets<axes::Tokens>::single(part.size()), cache, context);
        REQUIRE(std::ranges::equal(last.row(0), expected.row(first + part.size() - 1)));
      }
    }
  }
}

// Whether a model of blocks has the logits of one of floats, up to what rounding rows to 8 bits in groups of 32 does.
template <class Model>
void check_near(Model const& blocks, Model const& floats) {
  auto const ids = counted_ids(40);
  Context context;
  auto const found = blocks.logits(blocks(ids, context), context), expected = floats.logits(floats(ids, context), context);
  CHECK(relative_distance(found.elements(), expected.elements()) < 0.04);
}

struct Width : DynamicAxis {};
struct Outputs : DynamicAxis {};

// A layer of one's own, whose file has its matrix transposed.
struct Map {
  Linear<Width, Outputs> map{{512}, {1100}};

  static constexpr void visit(auto& self, auto&& visitor) { visitor("map", self.map); }
};

}  // namespace

TEST_CASE("block weights: a matrix that the file has transposed is rounded to the same blocks") {
  Context context = Context::with_threads(2);
  TemporaryDirectory directory;
  std::vector<float> weight(512 * 1100), bias(1100);
  for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i * 2654435761u % 65537) / 65536 - 0.5f;
  std::vector<TensorData> const tensors{{"map.weight", ElementType::f32, {512, 1100}, std::as_bytes(std::span(weight))},
                                        {"map.bias", ElementType::f32, {1100}, std::as_bytes(std::span(bias))}};
  write_safetensors(directory / "model.safetensors", tensors);
  NameTable names{.family = "Map", .prefixes = {""}, .rules = {{"map.weight", "map.weight", Arrangement::transposed}}, .body = {"**"}};
  for (WeightFormat format : {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k}) {
    Map direct, converted;
    set_weight_format(direct, format);
    load_parameters(direct, Checkpoint::open(directory.path()), names, context);
    load_parameters(converted, Checkpoint::open(directory.path()), names, context);
    std::vector<float> a(512), b(512);
    for_each_parameter(converted, [&](std::string_view, ParameterRef const& parameter) {
      if (!parameter.is_matrix()) return;
      parameter.read_row(1043, a);
      for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == weight[i * 1100 + 1043]);
    });
    set_weight_format(converted, format);
    std::vector<std::vector<float>> rows[2];
    for (Map* layer : {&direct, &converted})
      for_each_parameter(*layer, [&](std::string_view, ParameterRef const& parameter) {
        if (!parameter.is_matrix()) return;
        CHECK(parameter.format() == format);
        for (std::size_t row = 0; row < parameter.rows(); ++row) {
          parameter.read_row(row, b);
          rows[layer == &direct].push_back(b);
        }
      });
    CHECK(rows[0] == rows[1]);
  }
}

TEST_CASE("block weights: a file as llama.cpp quantises it keeps its blocks, and computes nearly what its floats compute") {
  Context context;
  auto const file = goldens::models / "gguf/llama-blocks.gguf";
  auto const model = load<Llama<>>(file, context);
  for (auto const& [name, format] : formats_of(model)) {
    CAPTURE(name);
    CHECK(format == (name == "tokens.weight" ? WeightFormat::q8_0 : WeightFormat::q4_1));
  }
  auto const floats = load<Llama<>>(file, {.weights = WeightFormat::f32}, context);
  for (auto const& [name, format] : formats_of(floats)) CHECK(format == WeightFormat::f32);
  check_near(model, floats);
  check_same(model, model);
}

TEST_CASE(
    "block weights: each matrix keeps the blocks that it has, and what has none of the library's is in q8_0, or in f32 where it was "
    "floats") {
  using enum WeightFormat;
  Context context;
  auto const file = goldens::models / "gguf/llama-mixed.gguf";
  auto const model = load<Llama<>>(file, context);
  CHECK(formats_of(model) == std::map<std::string, WeightFormat>{
                                 {"tokens.weight", q4_0},
                                 {"layers.0.attention.query.weight", q8_0},  // Q4_0 beside a value in Q8_0
                                 {"layers.0.attention.key.weight", q8_0},
                                 {"layers.0.attention.value.weight", q8_0},
                                 {"layers.0.attention.output.weight", q8_0},  // Q5_1
                                 {"layers.0.mlp.gate.weight", f32},           // Q4_1 beside F16
                                 {"layers.0.mlp.up.weight", f32},
                                 {"layers.0.mlp.down.weight", q8_0},
                                 {"layers.1.attention.query.weight", q4_0},
                                 {"layers.1.attention.key.weight", q4_0},
                                 {"layers.1.attention.value.weight", q4_0},
                                 {"layers.1.attention.output.weight", q4_1},
                                 {"layers.1.mlp.gate.weight", q8_0},  // Q5_0
                                 {"layers.1.mlp.up.weight", q8_0},
                                 {"layers.1.mlp.down.weight", f32},  // F16
                             });
  // The same values in floats; those in q8_0 are rounded.
  auto floats = load<Llama<>>(file, {.weights = f32}, context);
  auto const formats = formats_of(model);
  for_each_parameter(floats, [&](std::string_view name, ParameterRef const& parameter) {
    auto const found = formats.find(std::string(name));
    if (found == formats.end() || found->second != q8_0) return;
    parameter.set_format(q8_0);
    parameter.set_format(f32);
  });
  check_near(model, floats);
  check_same(model, model);
}

TEST_CASE("block weights: a file as llama.cpp makes Q4_K_M keeps Q4_K, in matrices and in the table that is the head too") {
  using enum WeightFormat;
  Context context;
  auto const file = goldens::models / "gguf/llama-q4_k.gguf";
  auto const model = load<Llama<>>(file, context);
  CHECK(formats_of(model) == std::map<std::string, WeightFormat>{
                                 {"tokens.weight", q4_k},
                                 {"layers.0.attention.query.weight", q4_k},
                                 {"layers.0.attention.key.weight", q4_k},
                                 {"layers.0.attention.value.weight", q4_k},
                                 {"layers.0.attention.output.weight", q8_0},  // 32 columns
                                 {"layers.0.mlp.gate.weight", q4_k},
                                 {"layers.0.mlp.up.weight", q4_k},
                                 {"layers.0.mlp.down.weight", q8_0},         // Q5_0: 96 columns
                                 {"layers.1.attention.query.weight", q8_0},  // beside a value in Q6_K
                                 {"layers.1.attention.key.weight", q8_0},
                                 {"layers.1.attention.value.weight", q8_0},
                                 {"layers.1.attention.output.weight", q8_0},
                                 {"layers.1.mlp.gate.weight", q4_k},
                                 {"layers.1.mlp.up.weight", q4_k},
                                 {"layers.1.mlp.down.weight", q8_0},
                             });
  auto floats = load<Llama<>>(file, {.weights = f32}, context);
  auto const formats = formats_of(model);
  std::map<std::string, ConstParameterRef> of_model;
  for_each_parameter(model, [&](std::string_view name, ConstParameterRef const& parameter) { of_model.emplace(name, parameter); });
  for_each_parameter(floats, [&](std::string_view name, ParameterRef const& parameter) {
    CAPTURE(name);
    auto const found = formats.find(std::string(name));
    if (found == formats.end()) return;
    if (found->second == q8_0) {
      parameter.set_format(q8_0);
      parameter.set_format(f32);
    }
    std::vector<float> row(parameter.columns()), expected(parameter.columns());
    for (std::size_t i = 0; i < parameter.rows(); ++i) {
      parameter.read_row(i, expected);
      of_model.at(std::string(name)).read_row(i, row);
      REQUIRE(row == expected);
    }
  });
  check_near(model, floats);
  check_same(model, model);
}

TEST_CASE("block weights: floats of a file are rounded to blocks as those of a model are") {
  Context context;
  for (WeightFormat format : {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k}) {
    auto llama = load<Llama<>>(goldens::models / "llama-tiny", context);
    set_weight_format(llama, format);
    auto const formats = formats_of(llama);
    CHECK(formats.at("layers.0.attention.query.weight") == format_of_rows(format, 64));
    CHECK(formats.at("layers.0.mlp.down.weight") == WeightFormat::bf16);  // 88 columns
    check_same(load<Llama<>>(goldens::models / "llama-tiny", {.weights = format}, context), llama);
    // From other blocks, too.
    auto blocks = load<Llama<>>(goldens::models / "gguf/llama-blocks.gguf", context);
    set_weight_format(blocks, format);
    check_same(load<Llama<>>(goldens::models / "gguf/llama-blocks.gguf", {.weights = format}, context), blocks);
    auto large = load<Llama<>>(goldens::models / "gguf/llama-q4_k.gguf", {.weights = WeightFormat::f32}, context);
    set_weight_format(large, format);
    CHECK(formats_of(large).at("layers.1.attention.query.weight") == format);
    auto const loaded = load<Llama<>>(goldens::models / "gguf/llama-q4_k.gguf", {.weights = format}, context);
    if (format != WeightFormat::q4_k) check_same(loaded, large);  // what is in Q4_K is taken as it is
  }
}
