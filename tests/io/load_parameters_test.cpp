#include <axiform/io/gguf.hpp>
#include <axiform/io/load_parameters.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/models/known.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// Runs every task on a thread of its own.
class ThreadForEach final : public Executor {
 public:
  std::size_t concurrency() const noexcept override { return 4; }
  void parallel_for(std::size_t count, FunctionRef<void(std::size_t)> task) override {
    std::vector<std::thread> threads;
    std::exception_ptr error;
    for (std::size_t i = 0; i < count; ++i)
      threads.emplace_back([&, i] {
        try {
          task(i);
        } catch (...) {
          if (i == 0) error = std::current_exception();
        }
      });
    for (auto& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
  }
};

using Lengths = std::vector<std::size_t>;

/// Element i of tensor number `seed`; exact in F16 and BF16.
float value_of(std::size_t seed, std::size_t i) { return static_cast<float>((seed * 37 + i) % 251) - 125; }

/// A checkpoint in a directory of its own; the values of its tensors are `value_of(their number, element)`.
class TestCheckpoint {
 public:
  TestCheckpoint& add(std::string name, Lengths shape, ElementType type = ElementType::f32) {
    std::size_t count = 1;
    for (std::size_t length : shape) count *= length;
    std::vector<std::byte> bytes(count * bits_of(type) / 8);
    for (std::size_t i = 0; i < count && is_floating_point(type); ++i) {
      float const value = value_of(tensors_.size(), i);
      if (type == ElementType::f32) std::memcpy(&bytes[4 * i], &value, 4);
      if (type == ElementType::bf16) std::memcpy(&bytes[2 * i], reinterpret_cast<std::byte const*>(&value) + 2, 2);
    }
    storage_.push_back(std::move(bytes));
    tensors_.push_back({std::move(name), type, std::move(shape), storage_.back()});
    return *this;
  }
  Checkpoint open() const {
    write_safetensors(directory_ / "model.safetensors", tensors_);
    return Checkpoint::open(directory_.path());
  }
  std::filesystem::path file() const { return directory_ / "model.safetensors"; }

 private:
  TemporaryDirectory directory_;
  std::vector<std::vector<std::byte>> storage_ = [] {
    std::vector<std::vector<std::byte>> storage;
    storage.reserve(1000);  // The tensors refer to the buffers.
    return storage;
  }();
  std::vector<TensorData> tensors_;
};

/// Parameters to load, and what came: canonical rows, and how often each element was written.
class Target {
 public:
  Target& want(std::string name, Lengths shape, Presence presence = Presence::required) {
    auto& slot = *slots_.emplace_back(std::make_unique<Slot>());
    slot.columns = shape.empty() ? 1 : shape.back();
    slot.rows = shape.size() == 2 ? shape[0] : 1;
    slot.values.assign(slot.rows * slot.columns, 0);
    slot.writes.assign(slot.values.size(), 0);
    requests.push_back({
        .name = std::move(name),
        .shape = std::move(shape),
        .presence = presence,
        .write_rows =
            [&slot](std::size_t first, std::span<float const> rows) {
              for (std::size_t i = 0; i < rows.size(); ++i) slot.write(first * slot.columns + i, rows[i]);
            },
        .write_transposed =
            [&slot](std::size_t first, std::size_t count, float const* values, std::size_t stride) {
              for (std::size_t c = 0; c < count; ++c)
                for (std::size_t r = 0; r < slot.rows; ++r) slot.write(r * slot.columns + first + c, values[c * stride + r]);
            },
    });
    return *this;
  }

  /// Every element was written once, and is what `expected(row, column)` says.
  bool came(std::size_t index, auto&& expected) const {
    Slot const& slot = *slots_[index];
    bool right = true;
    for (std::size_t i = 0; i < slot.values.size(); ++i)
      right &= slot.writes[i] == 1 && slot.values[i] == expected(i / slot.columns, i % slot.columns);
    return right;
  }
  bool is_untouched() const {
    for (auto const& slot : slots_)
      for (int writes : slot->writes)
        if (writes != 0) return false;
    return true;
  }

  std::vector<ParameterRequest> requests;

 private:
  struct Slot {
    std::size_t rows = 0, columns = 0;
    std::vector<float> values;
    std::vector<int> writes;
    void write(std::size_t i, float value) {
      values.at(i) = value;
      ++writes.at(i);
    }
  };
  std::vector<std::unique_ptr<Slot>> slots_;
};

NameTable plain_names() { return {.family = "test", .prefixes = {""}, .rules = {}, .spellings = {}, .body = {"**"}, .buffers = {}}; }

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("names: wildcards match one part, or any text") {
  auto const matched = [](char const* pattern, char const* name) {
    std::string result = "no";
    if (auto const texts = match_pattern(pattern, name)) {
      result = "";
      for (auto text : *texts) result += "<" + std::string(text) + ">";
    }
    return result;
  };
  CHECK(matched("a.b", "a.b") == "");
  CHECK(matched("a.b", "a.bc") == "no");
  CHECK(matched("h.*.w", "h.12.w") == "<12>");
  CHECK(matched("h.*.w", "h.1.2.w") == "no");
  CHECK(matched("h.*", "h.1") == "<1>");
  CHECK(matched("h.*", "h.1.2") == "no");
  CHECK(matched("h.**", "h.1.2") == "<1.2>");
  CHECK(matched("**x.*", "a.b.x.c") == "<a.b.><c>");
  CHECK(matched("**x.*", "x.c") == "<><c>");
  CHECK(matched("*.*.*", "a.b.c") == "<a><b><c>");
  CHECK(matched("**a**b", "aab") == "<><a>");
  CHECK(matched("", "") == "");
  CHECK(matched("*", "") == "<>");
  CHECK(fill_pattern("x.*.y.**", {"1", "2.3"}) == "x.1.y.2.3");
  CHECK(contains(message_of<ArgumentError>([] { fill_pattern("x.*", {}); }), "x.*: found 1 wildcards, expected 0"));
}

TEST_CASE("names: BERT's and GPT-2's parameters have Hugging Face's names, with and without prefix, legacy ones too") {
  auto const names = [](NameTable const& table, char const* canonical) {
    Names result;
    for (auto const& candidate : name_candidates(table, canonical)) result.push_back(candidate.name);
    return result;
  };
  CHECK(names(bert_names(), "embeddings.words.weight") ==
        Names{"embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight"});
  CHECK(names(bert_names(), "encoder.layers.11.attention.query.bias").front() == "encoder.layer.11.attention.self.query.bias");
  CHECK(names(bert_names(), "encoder.layers.0.attention.output.weight").front() == "encoder.layer.0.attention.output.dense.weight");
  CHECK(names(bert_names(), "encoder.layers.3.mlp_norm.weight") ==
        Names{"encoder.layer.3.output.LayerNorm.weight", "encoder.layer.3.output.LayerNorm.gamma",
              "bert.encoder.layer.3.output.LayerNorm.weight", "bert.encoder.layer.3.output.LayerNorm.gamma"});
  CHECK(names(bert_names(), "embeddings.norm.bias")[1] == "embeddings.LayerNorm.beta");
  CHECK(names(bert_names(), "pooler.weight").front() == "pooler.dense.weight");
  CHECK(names(bert_names(HeadWeights::own), "mlm.decoder.weight").front() == "cls.predictions.decoder.weight");
  CHECK(names(roberta_names(), "head.output.bias") == Names{"classifier.out_proj.bias", "roberta.classifier.out_proj.bias"});
  CHECK(names(distilbert_names(), "encoder.layers.2.mlp.up.bias").front() == "transformer.layer.2.ffn.lin1.bias");
  // What counts when the first is not there.
  CHECK(names(bert_names(), "mlm.decoder.bias").front() == "cls.predictions.bias");
  CHECK(name_candidates_otherwise(bert_names(), "mlm.decoder.bias").front().name == "cls.predictions.decoder.bias");
  CHECK(name_candidates_otherwise(bert_names(), "embeddings.words.weight").front().name == "cls.predictions.decoder.weight");
  CHECK(name_candidates_otherwise(bert_names(HeadWeights::own), "embeddings.words.weight").empty());
  CHECK(name_candidates_otherwise(gpt2_names(), "tokens.weight").front().name == "lm_head.weight");
  CHECK(name_candidates_otherwise(gpt2_names(HeadWeights::own), "tokens.weight").empty());
  CHECK(name_candidates_otherwise(bert_names(), "pooler.weight").empty());
  CHECK(names(gpt2_names(), "tokens.weight") == Names{"wte.weight", "transformer.wte.weight"});
  CHECK(names(gpt2_names(), "final_norm.bias").front() == "ln_f.bias");
  auto const key = name_candidates(gpt2_names(), "layers.7.attention.key.weight").front();
  CHECK(key.name == "h.7.attn.c_attn.weight");
  CHECK(key.arrangement == Arrangement::transposed);
  CHECK(key.part == 1);
  CHECK(key.parts == 3);
}

TEST_CASE("names: what no parameter asks for is a buffer, another head's, or a sign of another model") {
  for (char const* name : {"cls.predictions.bias", "pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight"})
    CHECK_MESSAGE(leftover(bert_names(), name) == Leftover::head, name);
  for (char const* name : {"embeddings.position_ids", "bert.embeddings.position_ids"})
    CHECK_MESSAGE(leftover(bert_names(), name) == Leftover::buffer, name);
  for (char const* name : {"encoder.layer.12.output.dense.weight", "bert.encoder.layer.12.output.dense.weight", "embeddings.extra"})
    CHECK_MESSAGE(leftover(bert_names(), name) == Leftover::body, name);
  for (char const* name : {"lm_head.weight", "score.weight"}) CHECK_MESSAGE(leftover(gpt2_names(), name) == Leftover::head, name);
  for (char const* name : {"h.0.attn.bias", "transformer.h.11.attn.masked_bias"})
    CHECK_MESSAGE(leftover(gpt2_names(), name) == Leftover::buffer, name);
  for (char const* name : {"h.12.ln_1.weight", "transformer.h.0.crossattention.bias", "wte.bias"})
    CHECK_MESSAGE(leftover(gpt2_names(), name) == Leftover::body, name);
}

TEST_CASE("names: a name in a file leads back to the parameter, whatever its prefix and spelling") {
  CHECK(canonical_name(bert_names(), "bert.encoder.layer.3.output.LayerNorm.gamma") == "encoder.layers.3.mlp_norm.weight");
  CHECK(canonical_name(bert_names(), "qa_outputs.bias") == "span.bias");
  CHECK(canonical_name(bert_names(), "cls.predictions.decoder.bias") == "mlm.decoder.bias");
  CHECK(canonical_name(gpt2_names(), "lm_head.weight") == "tokens.weight");
  CHECK_FALSE(canonical_name(gpt2_names(), "score.weight").has_value());
}

TEST_CASE("load: rows of every size arrive once and whole, for any executor and element type") {
  for (ElementType type : {ElementType::f32, ElementType::bf16}) {
    TestCheckpoint files;
    std::vector<Lengths> const shapes{{1}, {5}, {3, 4}, {1, 7}, {7, 1}, {2000, 300}, {3, 300'000}, {600'000}, {0, 5}, {0}, {}};
    Target target, again;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      files.add("t" + std::to_string(i), shapes[i], type);
      target.want("t" + std::to_string(i), shapes[i]);
      again.want("t" + std::to_string(i), shapes[i]);
    }
    auto const checkpoint = files.open();
    SerialExecutor serial;
    ThreadForEach parallel;
    auto const report = load_parameters(checkpoint, plain_names(), target.requests, serial);
    load_parameters(checkpoint, plain_names(), again.requests, parallel);
    CHECK(report.loaded.size() == shapes.size());
    CHECK(report.ignored.empty());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      std::size_t const columns = shapes[i].empty() ? 1 : shapes[i].back();
      auto const expected = [&](std::size_t row, std::size_t column) { return value_of(i, row * columns + column); };
      CHECK(target.came(i, expected));
      CHECK(again.came(i, expected));
    }
  }
}

TEST_CASE("load: fused and transposed tensors reach each of their parameters") {
  std::size_t const in = 700, out = 200;  // More than one chunk of rows.
  NameTable table = plain_names();
  for (std::size_t part = 0; part < 3; ++part) {
    std::string const name(1, "qkv"[part]);
    table.rules.push_back({name + ".*", "conv.*", Arrangement::transposed, part, 3});
    table.rules.push_back({name + "2.*", "rows.*", Arrangement::as_is, part, 3});
  }
  table.rules.push_back({"single", "flat", Arrangement::transposed});
  TestCheckpoint files;
  files.add("conv.weight", {in, 3 * out}).add("conv.bias", {3 * out}).add("rows.weight", {3 * out, in}).add("rows.bias", {3 * out});
  files.add("flat", {in, out});
  auto const checkpoint = files.open();
  Target target;
  for (char const* name : {"q", "k", "v"}) target.want(std::string(name) + ".weight", {out, in}).want(std::string(name) + ".bias", {out});
  for (char const* name : {"q2", "k2", "v2"})
    target.want(std::string(name) + ".weight", {out, in}).want(std::string(name) + ".bias", {out});
  target.want("single", {out, in});
  ThreadForEach executor;
  load_parameters(checkpoint, table, target.requests, executor);
  for (std::size_t part = 0; part < 3; ++part) {
    std::size_t const first = part * out;
    CHECK(target.came(2 * part, [&](std::size_t r, std::size_t c) { return value_of(0, c * 3 * out + first + r); }));
    CHECK(target.came(2 * part + 1, [&](std::size_t, std::size_t c) { return value_of(1, first + c); }));
    CHECK(target.came(6 + 2 * part, [&](std::size_t r, std::size_t c) { return value_of(2, (first + r) * in + c); }));
    CHECK(target.came(6 + 2 * part + 1, [&](std::size_t, std::size_t c) { return value_of(3, first + c); }));
  }
  CHECK(target.came(12, [&](std::size_t r, std::size_t c) { return value_of(4, c * out + r); }));
}

TEST_CASE("load: a tensor on other axes reaches its parameter where the table says so, if it has as many values") {
  NameTable table = plain_names();
  table.rules = {{"patches", "convolution", Arrangement::reshaped}, {"token", "class_token", Arrangement::reshaped}};
  TestCheckpoint files;
  files.add("convolution", {5, 3, 4, 2}).add("class_token", {1, 1, 7});
  auto const checkpoint = files.open();
  SerialExecutor executor;
  Target target;
  target.want("patches", {5, 24}).want("token", {7});
  load_parameters(checkpoint, table, target.requests, executor);
  CHECK(target.came(0, [&](std::size_t r, std::size_t c) { return value_of(0, r * 24 + c); }));
  CHECK(target.came(1, [&](std::size_t, std::size_t c) { return value_of(1, c); }));
  Target other;
  other.want("patches", {5, 25}).want("token", {7});
  CHECK(contains(message_of<CheckpointError>([&] { load_parameters(checkpoint, table, other.requests, executor); }),
                 "convolution: found shape [5, 3, 4, 2], expected [5, 25]"));
  table.rules = {};
  Target plain;
  plain.want("convolution", {5, 24}).want("class_token", {7});
  CHECK(contains(message_of<CheckpointError>([&] { load_parameters(checkpoint, table, plain.requests, executor); }), "expected [5, 24]"));
}

TEST_CASE("load: a BERT comes out of its file, whatever the prefix and the spelling, and its heads are reported as ignored") {
  for (std::string prefix : {"", "bert."}) {
    for (std::string weight : {"weight", "gamma"}) {
      TestCheckpoint files;
      files.add(prefix + "embeddings.word_embeddings.weight", {10, 4}).add(prefix + "embeddings.LayerNorm." + weight, {4});
      files.add(prefix + "encoder.layer.0.attention.self.query.weight", {4, 4})
          .add(prefix + "embeddings.position_ids", {1, 8}, ElementType::i64);
      files.add("cls.predictions.bias", {10}).add(prefix + "pooler.dense.weight", {4, 4});
      Target target;
      target.want("embeddings.words.weight", {10, 4})
          .want("embeddings.norm.weight", {4})
          .want("encoder.layers.0.attention.query.weight", {4, 4});
      target.want("absent.but.optional", {3}, Presence::optional);
      SerialExecutor executor;
      auto const report = load_parameters(files.open(), bert_names(), target.requests, executor);
      CHECK(report.loaded == Names{"embeddings.words.weight", "embeddings.norm.weight", "encoder.layers.0.attention.query.weight"});
      CHECK(report.missing == Names{"absent.but.optional"});
      REQUIRE(report.ignored.size() == 3);
      auto const why = [&](std::string const& name) {
        for (auto const& ignored : report.ignored)
          if (ignored.name == name) return ignored.why;
        return std::string("not ignored");
      };
      CHECK(why("cls.predictions.bias") == "mlm.decoder.bias, which this model does not have");
      CHECK(why(prefix + "pooler.dense.weight") == "pooler.weight, which this model does not have");
      CHECK(why(prefix + "embeddings.position_ids") == "a buffer, which holds nothing learned");
      CHECK(report.weights.filename() == "model.safetensors");
      CHECK(contains(report.to_string(), "ignored: "));
      CHECK(contains(report.to_string(), "embeddings.position_ids (a buffer, which holds nothing learned)"));
      CHECK(contains(report.to_string(), "missing: absent.but.optional"));
      CHECK(target.came(0, [](std::size_t r, std::size_t c) { return value_of(0, 4 * r + c); }));
      CHECK(target.came(1, [](std::size_t, std::size_t c) { return value_of(1, c); }));
    }
  }
}

TEST_CASE("load: views of one storage that begin at the same byte each arrive whole, and a strided one is refused by name") {
  TemporaryDirectory directory;
  NameTable table = plain_names();
  table.body.clear();  // The other views are none of its business.
  for (char const* form : {"zip.bin", "legacy.bin"}) {
    std::filesystem::copy(std::filesystem::path(AXIFORM_FIXTURES) / "models" / "pickled" / "views" / form, directory / "pytorch_model.bin",
                          std::filesystem::copy_options::overwrite_existing);
    auto const checkpoint = Checkpoint::open(directory.path());
    Target target;
    target.want("matrix.top", {2, 6}).want("matrix", {4, 6}).want("matrix.again", {4, 6}).want("transposed", {6, 4}).want("offset", {3, 4});
    SerialExecutor executor;
    auto const report = load_parameters(checkpoint, table, target.requests, executor);
    CHECK(report.loaded.size() == 5);
    for (std::size_t i : {0, 1, 2}) CHECK(target.came(i, [](std::size_t r, std::size_t c) { return static_cast<float>(6 * r + c); }));
    CHECK(target.came(3, [](std::size_t r, std::size_t c) { return static_cast<float>(6 * c + r); }));
    CHECK(target.came(4, [](std::size_t r, std::size_t c) { return static_cast<float>(6 + 4 * r + c); }));
    target.want("columns", {4, 2});
    CHECK(contains(message_of<CheckpointError>([&] { load_parameters(checkpoint, table, target.requests, executor); }),
                   "columns: found a view whose elements do not lie together, expected a contiguous tensor"));
  }
}

TEST_CASE("load: everything that does not fit is listed by name in one line, and nothing is written") {
  TestCheckpoint files;
  files.add("bert.embeddings.word_embeddings.weight", {10, 4}).add("bert.embeddings.LayerNorm.weight", {5});
  files.add("bert.embeddings.LayerNorm.bias", {4}, ElementType::i64).add("bert.encoder.layer.6.output.dense.bias", {4});
  files.add("pooler.dense.weight", {4, 4}).add("bert.pooler.dense.weight", {4, 4});
  Target target;
  target.want("embeddings.words.weight", {10, 4}).want("embeddings.norm.weight", {4}).want("embeddings.norm.bias", {4});
  target.want("encoder.layers.0.mlp.up.weight", {16, 4}).want("pooler.weight", {4, 4});
  SerialExecutor executor;
  auto const checkpoint = files.open();
  auto const found = message_of<CheckpointError>([&] { load_parameters(checkpoint, bert_names(), target.requests, executor); });
  for (char const* part : {"5 tensors do not fit this BERT: ", "bert.embeddings.LayerNorm.weight: found shape [5], expected [4]",
                           "bert.embeddings.LayerNorm.bias: found element type I64, expected F32, F16, BF16 or F64",
                           "encoder.layers.0.mlp.up.weight (in the file encoder.layer.0.intermediate.dense.weight): missing",
                           "pooler.weight: found more than once, as pooler.dense.weight and bert.pooler.dense.weight",
                           "bert.encoder.layer.6.output.dense.bias: not part of this model"})
    CHECK_MESSAGE(contains(found, part), found);
  CHECK_FALSE(contains(found, "\n"));
  CHECK(target.is_untouched());
}

TEST_CASE("load: the message lists twenty faults and counts the rest") {
  TestCheckpoint files;
  files.add("head", {1});
  NameTable table = plain_names();
  table.body = {};
  Target target;
  for (int i = 0; i < 30; ++i) target.want("p" + std::to_string(i), {2});
  SerialExecutor executor;
  auto const found = message_of<CheckpointError>([&] { load_parameters(files.open(), table, target.requests, executor); });
  CHECK(contains(found, "30 tensors do not fit this test: p0: missing; p1: missing; "));
  CHECK(contains(found, "p19: missing; and 10 more"));
  CHECK_FALSE(contains(found, "p20"));
}

TEST_CASE("load: a file that shrinks after it was opened is an error on every executor") {
  TestCheckpoint files;
  files.add("a", {1000, 1000});
  auto const checkpoint = files.open();
  std::filesystem::resize_file(files.file(), 2'000'000);
  Target target;
  target.want("a", {1000, 1000});
  SerialExecutor executor;
  CHECK(contains(message_of<FileError>([&] { load_parameters(checkpoint, plain_names(), target.requests, executor); }),
                 "ends at byte 2000000"));
}

TEST_CASE("load: a request or a table that cannot work is the caller's error") {
  TestCheckpoint files;
  files.add("a", {2, 2}).add("s", {});
  auto const checkpoint = files.open();
  SerialExecutor executor;
  auto const refused = [&](ParameterRequest const& request, NameRule const& rule) {
    NameTable table = plain_names();
    table.rules = {rule};
    table.body = {};
    return message_of<ArgumentError>([&] { load_parameters(checkpoint, table, {&request, 1}, executor); });
  };
  CHECK(contains(refused({.name = "a", .shape = {2, 2}}, {}), "a: the request has no function that takes the rows of a"));
  CHECK(contains(refused({.name = "t", .shape = {2, 2}}, {"t", "a", Arrangement::transposed}), "takes the transposed of a"));
  CHECK(contains(refused({.name = "t", .shape = {2, 2}}, {"t", "a", Arrangement::as_is, 2, 2}), "part 2 of 2"));
  CHECK(contains(refused({.name = "t", .shape = {}}, {"t", "s", Arrangement::as_is, 0, 2}), "part 0 of 2"));
}

TEST_CASE("load_parameters: blocks are handed over as they are to who keeps them, all others get floats, of whole matrices and of parts") {
  std::filesystem::path const path = std::filesystem::path(AXIFORM_FIXTURES) / "io/gguf/tensors.gguf";
  GgufFile const file = GgufFile::open(path);
  auto const checkpoint = Checkpoint::open(path);
  for (auto const& [name, format] : {std::pair{"Q8_0.bits", WeightFormat::q8_0}, std::pair{"Q4_0.bits", WeightFormat::q4_0},
                                     std::pair{"Q4_1.bits", WeightFormat::q4_1}, std::pair{"Q4_K.bits", WeightFormat::q4_k}}) {
    TensorInfo const& tensor = *file.find(name);
    std::size_t const columns = 2 * weights_of_block(format);
    REQUIRE(tensor.shape == Lengths{3, columns});
    std::vector<std::byte> bytes(tensor.bytes);
    file.read(tensor, bytes);
    std::vector<float> floats(3 * columns);
    file.read_floats(tensor, 0, floats);
    std::size_t const row = bytes.size() / 3;
    CHECK_THROWS_AS(file.read(tensor, 2 * row, std::span(bytes).first(row + 1)), ArgumentError);

    std::vector<std::byte> whole_blocks(bytes.size());
    std::vector<float> whole_floats(floats.size()), other_floats(floats.size());
    std::vector<std::vector<std::byte>> parts(3);
    auto const request = [columns](std::size_t rows, std::optional<WeightFormat> kept, std::vector<float>* to,
                                   std::vector<std::byte>* blocks) {
      ParameterRequest result{.shape = {rows, columns}, .block_format = kept};
      if (to)
        result.write_rows = [to, columns](std::size_t first, std::span<float const> values) {
          std::copy(values.begin(), values.end(), to->begin() + std::ptrdiff_t(first * columns));
        };
      if (blocks)
        result.write_blocks = [blocks, rows](std::size_t first, std::span<std::byte const> values) {
          CHECK(first == 0);
          CHECK(values.size() / rows * rows == values.size());
          blocks->assign(values.begin(), values.end());
        };
      return result;
    };
    std::vector<ParameterRequest> requests{
        request(3, format, nullptr, &whole_blocks), request(3, std::nullopt, &whole_floats, nullptr),
        request(3, format == WeightFormat::q8_0 ? WeightFormat::q4_0 : WeightFormat::q8_0, &other_floats, nullptr)};
    for (auto& part : parts) requests.push_back(request(1, format, nullptr, &part));
    NameTable table{.family = "test", .prefixes = {""}};
    for (std::size_t i = 0; i < requests.size(); ++i) {
      requests[i].name = "request " + std::to_string(i);
      table.rules.push_back(
          {.canonical = requests[i].name, .in_file = name, .part = i < 3 ? 0 : i - 3, .parts = i < 3 ? std::size_t{1} : std::size_t{3}});
    }
    SerialExecutor executor;
    CHECK(load_parameters(checkpoint, table, requests, executor).loaded.size() == requests.size());
    CHECK(whole_blocks == bytes);
    CHECK(whole_floats == floats);
    CHECK(other_floats == floats);
    for (std::size_t i = 0; i < 3; ++i) CHECK(std::ranges::equal(parts[i], std::span(bytes).subspan(i * row, row)));
  }
}

TEST_CASE("load_parameters: what is transposed comes in multiples of 32 columns, or of whole blocks, however wide it is") {
  TestCheckpoint files;
  files.add("a", {270, 9000});
  auto const checkpoint = files.open();
  std::vector<std::size_t> counts;
  ParameterRequest request{.name = "a",
                           .shape = {9000, 270},
                           .write_transposed = [&](std::size_t, std::size_t count, float const*, std::size_t) { counts.push_back(count); }};
  NameTable table = plain_names();
  table.rules = {{.canonical = "a", .in_file = "a", .arrangement = Arrangement::transposed}};
  SerialExecutor executor;
  load_parameters(checkpoint, table, {&request, 1}, executor);
  CHECK(counts == std::vector<std::size_t>{32, 32, 32, 32, 32, 32, 32, 32, 14});
  counts.clear();
  request.block_format = WeightFormat::q4_k;
  load_parameters(checkpoint, table, {&request, 1}, executor);
  CHECK(counts == std::vector<std::size_t>{256, 14});
}
