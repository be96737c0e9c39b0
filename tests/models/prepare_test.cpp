// A prepared directory loads as it is, into the very weights that its original has in the format, and what is wrong with one is said by name.
#include <unistd.h>

#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/io/stored_weights.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/prepare.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
using namespace axiform::test;
namespace fs = std::filesystem;

namespace {

struct Weights {
  WeightFormat format;
  std::vector<float> values;
  bool is_shared;
};

std::map<std::string, Weights> weights_of(AnyModel const& any) {
  std::map<std::string, Weights> result;
  std::visit(
      [&](auto const& model) {
        for_each_parameter(model, [&](std::string_view name, ConstParameterRef const& parameter) {
          bool const is_shared = parameter.matrix() ? parameter.matrix()->is_shared() : parameter.table() && parameter.table()->is_shared();
          Weights weights{parameter.format(), std::vector<float>(parameter.size()), is_shared};
          for (std::size_t row = 0; row < parameter.rows() && parameter.size() != 0; ++row)
            parameter.read_row(row, std::span(weights.values).subspan(row * parameter.columns(), parameter.columns()));
          result.emplace(name, std::move(weights));
        });
      },
      any);
  return result;
}

bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Prepares, loads both, compares; gives the names of the parameters that lie in the mapped file.
std::set<std::string> check_prepared(fs::path const& source, WeightFormat format) {
  CAPTURE(source.filename().string());
  CAPTURE(name_of(format));
  TemporaryDirectory folder;
  Context context = Context::with_threads(2);
  prepare_model(source, folder / "prepared", format, context);
  CHECK(folder.file_count() == 1);  // nothing of a temporary name
  auto const expected = weights_of(load_any(source, {.weights = format}, context));
  auto const found = weights_of(load_any(folder / "prepared", context));
  REQUIRE(found.size() == expected.size());
  std::set<std::string> shared;
  for (auto const& [name, weights] : expected) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name).format == weights.format);
    CHECK(same_bits(found.at(name).values, weights.values));
    CHECK(found.at(name).is_shared <= is_in_blocks(weights.format));
    if (found.at(name).is_shared) shared.insert(name);
  }
  return shared;
}

// A GPT-2 whose rows are blocks: its matrices are transposed, and query, key and value are one.
void write_gpt2(fs::path const& directory, std::size_t width = 32) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, 0.1F);
  std::deque<std::vector<float>> values;
  std::vector<TensorData> tensors;
  auto const add = [&](char const* name, std::vector<std::size_t> shape) {
    std::size_t count = 1;
    for (std::size_t const length : shape) count *= length;
    auto& of_tensor = values.emplace_back(count);
    for (float& value : of_tensor) value = normal(generator);
    tensors.push_back(tensor_data(name, std::move(shape), of_tensor));
  };
  add("wte.weight", {50, width});
  add("wpe.weight", {16, width});
  add("h.0.attn.c_attn.weight", {width, 3 * width});
  add("h.0.attn.c_proj.weight", {width, width});
  add("h.0.mlp.c_fc.weight", {width, 4 * width});
  add("h.0.mlp.c_proj.weight", {4 * width, width});
  add("h.0.attn.c_attn.bias", {3 * width});
  add("h.0.mlp.c_fc.bias", {4 * width});
  for (char const* name : {"h.0.ln_1.weight", "h.0.ln_1.bias", "h.0.attn.c_proj.bias", "h.0.ln_2.weight", "h.0.ln_2.bias",
                           "h.0.mlp.c_proj.bias", "ln_f.weight", "ln_f.bias"})
    add(name, {width});
  write_safetensors(directory / "model.safetensors", tensors);
  write_bytes(
      directory / "config.json",
      R"({"model_type":"gpt2","architectures":["GPT2LMHeadModel"],"n_head":2,"n_layer":1,"vocab_size":50,"n_positions":16,"n_embd":)" +
          std::to_string(width) + "}");
}

// A directory prepared in q8_0, or another format, and ways to spoil it.
struct Prepared {
  explicit Prepared(WeightFormat format = WeightFormat::q8_0) {
    TemporaryDirectory original;
    write_gpt2(original, weights_of_block(format));
    prepare_model(original, path, format, context);
    weights = path / ("model." + std::string(name_of(format)) + ".safetensors");
  }

  // Changes the tensors of the file.
  void change(std::function<void(std::vector<TensorData>&)> const& how) const {
    auto const file = SafetensorsFile::open(weights);
    std::deque<std::vector<std::byte>> bytes;
    std::vector<TensorData> tensors;
    for (TensorInfo const& info : file.tensors()) {
      auto& of_tensor = bytes.emplace_back(info.bytes);
      file.read(info, of_tensor);
      tensors.push_back({info.name, info.element_type, info.shape, of_tensor});
    }
    how(tensors);
    write_safetensors(weights, tensors);
  }
  void set_note(char const* key, Json value) const {
    Json config = read_json(path / "config.json");
    config["quantization_config"][key] = std::move(value);
    write_bytes(path / "config.json", dump_json(config));
  }
  template <class Expected>
  std::string message() {
    return message_of<Expected>([&] { load_any(path, context); });
  }

  TemporaryDirectory folder;
  fs::path path = folder / "prepared";
  fs::path weights;  // a variant, which other programs do not take for the model
  Context context;
};

TensorData& named(std::vector<TensorData>& tensors, std::string_view name) {
  auto const place = std::ranges::find(tensors, name, &TensorData::name);
  REQUIRE(place != tensors.end());
  return *place;
}

constexpr char const* some_matrix = "h.0.mlp.c_fc.weight";

}  // namespace

TEST_CASE("prepare: a prepared model has the weights of the original in the format, bit for bit, in every family and format") {
  for (WeightFormat const format : weight_formats)
    for (char const* name : {"bert-tiny", "albert", "mpnet-tiny", "modernbert-tiny", "nomic-tiny", "gpt2-tiny", "gpt2-untied", "llama-tiny",
                             "llama-tied", "bart-tiny", "t5-tiny", "bert-sharded", "bert-mlm", "gguf/llama-blocks.gguf",
                             "gguf/llama-mixed.gguf", "gguf/llama-q4_k.gguf", "gguf/bert-tiny.gguf"}) {
      check_prepared(goldens::models / name, format);
    }
}

TEST_CASE("prepare: matrices and tables in blocks lie in the mapped file, fused and transposed ones and a GGUF file's too") {
  TemporaryDirectory gpt2, wide;
  write_gpt2(gpt2);
  write_gpt2(wide, 256);
  for (WeightFormat const format : {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k}) {
    CHECK(check_prepared(gpt2, format).size() == 8);  // two tables; query, key, value, output; up, down
    CHECK(check_prepared(wide, format).size() == 8);
    for (char const* name : {"mpnet-tiny", "llama-tiny", "gguf/llama-blocks.gguf", "gguf/llama-q4_k.gguf"}) {
      auto const shared = check_prepared(goldens::models / name, format);
      CHECK_MESSAGE(std::ranges::any_of(shared, [](std::string const& one) { return one.ends_with("query.weight"); }), name);
    }
  }
  CHECK(check_prepared(gpt2, WeightFormat::bf16).empty());
}

TEST_CASE("prepare: a mapped model computes the bits of one in memory, and writing to it changes neither the file nor another model") {
  Prepared const prepared;
  TemporaryDirectory original;
  write_gpt2(original);
  Context context = Context::with_threads(2);
  std::vector<TokenId> const ids{1, 7, 3, 28, 0, 5};
  auto const in_memory = load<Gpt2<>>(original, {.weights = WeightFormat::q8_0}, context);
  auto mapped = load<Gpt2<>>(prepared.path, context), other = load<Gpt2<>>(prepared.path, context);
  auto const expected = in_memory.logits(in_memory(ids, context), context);
  auto const same = [&](Gpt2<> const& model) {
    auto const found = model.logits(model(ids, context), context);
    return std::ranges::equal(found.elements(), expected.elements());
  };
  CHECK(same(mapped));
  std::string const file = read_bytes(prepared.weights);
  for_each_parameter(mapped, [&](std::string_view, ParameterRef const& parameter) {
    std::vector<float> const ones(parameter.columns(), 1.0F);
    context.executor().parallel_for(parameter.rows(), [&](std::size_t row) { parameter.write_rows(row, ones); });
    std::vector<float> row(parameter.columns());
    parameter.read_row(parameter.rows() - 1, row);
    CHECK(std::ranges::all_of(row, [](float value) { return std::abs(value - 1) < 0.001F; }));
  });
  CHECK(!same(mapped));
  CHECK(same(other));
  CHECK(read_bytes(prepared.weights) == file);
  fs::remove_all(prepared.path);
  CHECK(same(other));  // a mapping outlives the name of its file
  set_weight_format(other, WeightFormat::f32);
  CHECK(weights_of(AnyModel(std::move(other))).begin()->second.format == WeightFormat::f32);
}

TEST_CASE("prepare: another format may be asked for when a prepared model is loaded") {
  Prepared prepared;
  auto const blocks = weights_of(load_any(prepared.path, prepared.context));
  auto const floats = weights_of(load_any(prepared.path, {.weights = WeightFormat::f32}, prepared.context));
  for (auto const& [name, weights] : blocks) {
    CHECK(floats.at(name).format == WeightFormat::f32);
    CHECK(same_bits(floats.at(name).values, weights.values));
  }
}

TEST_CASE("prepare: what is beside the weights is copied, bf16 is what any program reads, a GGUF file keeps its tokenizer") {
  TemporaryDirectory folder;
  Context context;
  prepare_model(goldens::models / "bert-demo", folder / "bert", WeightFormat::bf16, context);
  CHECK(read_bytes(folder / "bert/vocab.txt") == read_bytes(goldens::models / "bert-demo/vocab.txt"));
  CHECK(read_json(folder / "bert/config.json").at("torch_dtype") == "bfloat16");
  auto const file = SafetensorsFile::open(folder / "bert/model.safetensors");
  auto const original = SafetensorsFile::open(goldens::models / "bert-demo/model.safetensors");
  for (TensorInfo const& info : file.tensors()) {
    REQUIRE(original.find(info.name) != nullptr);
    CHECK(original.find(info.name)->shape == info.shape);
    CHECK(info.element_type == (info.shape.size() == 2 ? ElementType::bf16 : ElementType::f32));
  }
  fs::path const chat = goldens::models / "gguf" / "chat-tiny.gguf";
  prepare_model(chat, folder / "chat", WeightFormat::q8_0, context);
  CHECK(Tokenizer::from_directory(ModelDirectory(folder / "chat")).encode("Hello there").ids ==
        Tokenizer::from_directory(ModelDirectory(chat)).encode("Hello there").ids);
  CHECK_THROWS_AS(prepare_model(folder / "chat", folder / "again", WeightFormat::bf16, context), ArgumentError);  // rounded twice
}

TEST_CASE("prepare: a directory that is there is left alone, and nothing is left of one that could not be made") {
  TemporaryDirectory folder;
  Context context;
  fs::create_directory(folder / "there");
  CHECK(message_of<ArgumentError>([&] {
          prepare_model(goldens::models / "bert-tiny", folder / "there", WeightFormat::q8_0, context);
        }).find("is there already") != std::string::npos);
  CHECK(message_of<ArgumentError>([&] { prepare_model(goldens::models / "bert-tiny", "", WeightFormat::q8_0, context); }) ==
        "prepared model: found an empty name, expected that of a new directory");
  fs::copy(goldens::models / "bert-tiny", folder / "model");
  CHECK(message_of<ArgumentError>([&] {
          prepare_model(folder / "model", folder / "model/small", WeightFormat::q8_0, context);
        }).find("is within") != std::string::npos);
  fs::create_directory(folder / ("small.tmp-" + std::to_string(::getpid())));  // what a process left that died
  prepare_model(folder / "model", folder / "small/", WeightFormat::q8_0, context);
  CHECK(fs::exists(folder / "small/model.q8_0.safetensors"));
  CHECK(!fs::exists(folder / "small/model.safetensors"));
  CHECK_THROWS_AS(prepare_model(folder / "nowhere", folder / "target", WeightFormat::q8_0, context), Error);
  CHECK_THROWS_AS(prepare_model(goldens::models / "bert-tiny", "/proc/nowhere/target", WeightFormat::q8_0, context), FileError);
  CHECK(folder.file_count() == 4);
}

TEST_CASE("prepare: a note that is not understood is refused by name") {
  auto const refused = [](char const* key, Json value, char const* expected) {
    Prepared prepared;
    prepared.set_note(key, std::move(value));
    std::string const message = prepared.message<CheckpointError>();
    CHECK_MESSAGE(message.find(expected) != std::string::npos, message);
  };
  refused("group_size", 64, "group_size: found 64, expected 32");
  refused("panel_outputs", 64, "panel_outputs: found 64, expected 16");
  refused("weights", "q3_k", "weights: found \"q3_k\", expected q8_0, q4_0, q4_1 or q4_k");
  refused("weights", "bf16", "weights: found \"bf16\"");
  Prepared prepared;
  prepared.set_note("weights", "q4_0");  // and the file has eight bits
  CHECK(prepared.message<FormatError>().find("expected [") != std::string::npos);
  prepared.set_note("quant_method", "another");
  CHECK(prepared.message<CheckpointError>().find("quantization_config: found an object") != std::string::npos);
}

TEST_CASE("prepare: parts that are missing, or of another type or shape, are refused by name") {
  std::string const numbers = std::string(some_matrix) + ".numbers", scales = std::string(some_matrix) + ".scales",
                    shape = std::string(some_matrix) + ".shape";
  auto const refused = [](std::function<void(std::vector<TensorData>&)> const& how, std::string const& expected) {
    Prepared prepared;
    prepared.change(how);
    std::string const message = prepared.message<FormatError>();
    CHECK_MESSAGE(message.find(expected) != std::string::npos, message, " lacks ", expected);
  };
  for (std::string const& part : {numbers, scales, shape})
    refused([&](auto& tensors) { std::erase_if(tensors, [&](TensorData const& tensor) { return tensor.name == part; }); }, part);
  refused([&](auto& tensors) { named(tensors, numbers).element_type = ElementType::f32; },
          numbers + ": found the shape [8, 1, 8, 16] of F32, expected");
  refused([&](auto& tensors) { named(tensors, numbers).shape = {8, 1, 16, 8}; }, numbers);
  refused([&](auto& tensors) { named(tensors, scales).shape = {8, 16}; }, scales);
  refused([&](auto& tensors) { named(tensors, shape).element_type = ElementType::f64; }, shape);
  for (std::int64_t const outputs : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{112}, std::int64_t{129}, std::int64_t{1} << 62}) {
    std::int64_t const lengths[]{outputs, 32};
    refused([&](auto& tensors) { named(tensors, shape).bytes = std::as_bytes(std::span(lengths)); }, some_matrix);
  }
  std::vector<float> const floats(std::size_t{128} * 32);
  refused([&](auto& tensors) { tensors.push_back(tensor_data(some_matrix, {128, 32}, floats)); }, "is there twice");
  refused([&](auto& tensors) { named(tensors, "wpe.weight.blocks").shape = {32, 17}; }, "wpe.weight.blocks");
  auto const refused_in_q4_k = [](std::string const& name, std::vector<std::size_t> wrong, char const* expected) {
    Prepared in_q4_k(WeightFormat::q4_k);
    in_q4_k.change([&](auto& tensors) { named(tensors, name).shape = std::move(wrong); });
    std::string const message = in_q4_k.message<FormatError>();
    CHECK_MESSAGE(message.find(name + expected) != std::string::npos, message);
  };
  refused_in_q4_k(scales, {64, 1, 64}, ": found the shape [64, 1, 64] of U32, expected [64, 1, 4, 16] of U32");
  refused_in_q4_k(numbers, {64, 1, 32, 16}, ": found the shape [64, 1, 32, 16] of U32, expected [64, 8, 4, 16] of U32");
  refused_in_q4_k("wpe.weight.blocks", {16, 2, 72}, ": found the shape [16, 2, 72] of U8, expected rows of U8, in blocks of 144 bytes");
  // Fewer outputs in the last panel: whole, but another model's.
  Prepared prepared;
  std::int64_t const lengths[]{127, 32};
  prepared.change([&](auto& tensors) { named(tensors, shape).bytes = std::as_bytes(std::span(lengths)); });
  CHECK(prepared.message<CheckpointError>().find("found shape [127, 32], expected [128, 32]") != std::string::npos);
}

namespace {

void spoil(WeightFormat format) {
  Prepared prepared(format);
  fs::path const file = prepared.weights;
  std::string const whole = read_bytes(file);
  for (std::size_t const length : {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_bytes(file, whole.substr(0, length));
    CHECK(prepared.message<FormatError>().find(file.filename().string()) != std::string::npos);
  }
  std::uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof header);
  std::mt19937 generator(3);
  std::size_t loaded = 0;
  for (int mutation = 0; mutation < 600; ++mutation) {
    std::string changed = whole;
    for (std::size_t i = 0; i < 1 + mutation % 3u; ++i) {
      std::size_t const place = generator() % (8 + header + 64);
      changed[place] = static_cast<char>(mutation % 2 ? generator() % 256 : "0123456789[],\"{}.Fsn"[generator() % 20]);
    }
    write_bytes(file, changed);
    try {
      auto const model = load<Gpt2<>>(prepared.path, prepared.context);
      static_cast<void>(model(std::vector<TokenId>{1, 2, 3}, prepared.context));
      ++loaded;
    } catch (Error const&) {
    }
  }
  CHECK(loaded < 600);
}

}  // namespace

TEST_CASE("prepare: whatever happens to a file, it is refused or it loads") {
  spoil(WeightFormat::q4_1);
  spoil(WeightFormat::q4_k);
}
