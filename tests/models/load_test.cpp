// A model is the same, bit for bit, whatever form its directory has: safetensors or what torch.save wrote, a directory or a cache.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/distance.hpp"
#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
using namespace axiform::test;
namespace fs = std::filesystem;

namespace {

std::vector<TokenId> const some_ids{1, 7, 3, 28, 0, 5};

template <class Model>
std::vector<float> result_of(fs::path const& directory, LoadOptions const& options = {}) {
  Context context = Context::with_threads(2);
  auto const model = load<Model>(directory, options, context);
  auto const result = model(some_ids, context);
  return {result.elements().begin(), result.elements().end()};
}

bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

template <class Model>
void check_pickled(char const* name) {
  CAPTURE(name);
  auto const expected = result_of<Model>(goldens::models / name);
  for (char const* form : {"zip.bin", "legacy.bin"}) {
    TemporaryDirectory directory;
    fs::copy(goldens::models / name / "config.json", directory / "config.json");
    fs::copy(goldens::models / "pickled" / name / form, directory / "pytorch_model.bin");
    CHECK(same_bits(result_of<Model>(directory.path()), expected));
  }
}

}  // namespace

TEST_CASE("load: pytorch_model.bin of either form gives the bits of model.safetensors, in F32, F16 and BF16") {
  check_pickled<Bert<>>("bert-legacy");
  check_pickled<Bert<>>("bert-f16");
  check_pickled<Bert<>>("bert-bf16");
  check_pickled<Gpt2<>>("gpt2-f16");
}

TEST_CASE(
    "load: BF16 and F16 checkpoints give the same bits in their own format as in f32 where rows are floats, and others are rounded to the "
    "format") {
  constexpr bool floats_in_bf16 = !simd::has_bfloat16_products;  // else products round their rows
  fs::path const bert_bf16 = goldens::models / "bert-bf16", bert_f16 = goldens::models / "bert-f16";
  CHECK(same_bits(result_of<Bert<>>(bert_bf16, {.weights = WeightFormat::bf16}), result_of<Bert<>>(bert_bf16)) == floats_in_bf16);
  CHECK(same_bits(result_of<Bert<>>(bert_f16, {.weights = WeightFormat::f16}), result_of<Bert<>>(bert_f16)));
  for (auto const& [name, format] : {std::pair{"gpt2-bf16", WeightFormat::bf16}, std::pair{"gpt2-f16", WeightFormat::f16}}) {
    auto const found = result_of<Gpt2<>>(goldens::models / name, {.weights = format}), floats = result_of<Gpt2<>>(goldens::models / name);
    CHECK(same_bits(found, floats) == (format == WeightFormat::f16 || floats_in_bf16));
    CHECK(test::relative_distance(found, floats) < 0.02);
  }
  Context context;
  for (WeightFormat format : weight_formats) {
    auto rounded = load<Bert<>>(goldens::models / "bert-tiny", context);
    set_weight_format(rounded, format);
    auto const expected = rounded(some_ids, context);
    auto const found = result_of<Bert<>>(goldens::models / "bert-tiny", {.weights = format});
    CHECK(same_bits(found, {expected.elements().begin(), expected.elements().end()}));
    CHECK(same_bits(found, result_of<Bert<>>(goldens::models / "bert-tiny")) == (format == WeightFormat::f32));
    auto const any = load_any(goldens::models / "bert-tiny", {.weights = format}, context);
    for_each_parameter(std::get<Bert<>>(any), [&](std::string_view, ConstParameterRef const& parameter) {
      CHECK(parameter.format() == (parameter.shape().size() == 2 ? format_of_rows(format, parameter.columns()) : WeightFormat::f32));
    });
  }
}

TEST_CASE("load: a model of a Hugging Face cache, and one whose only weights are a variant, give the same bits") {
  fs::path const source = goldens::models / "bert-f16";
  auto const expected = result_of<Bert<>>(source);
  TemporaryDirectory cache;
  fs::path const root = cache / "models--someone--bert", snapshot = root / "snapshots" / "0123abcd";
  fs::create_directories(snapshot);
  fs::create_directories(root / "blobs");
  fs::create_directories(root / "refs");
  write_bytes(root / "refs" / "main", "0123abcd");
  fs::copy(source / "config.json", root / "blobs" / "1");
  fs::copy(source / "model.safetensors", root / "blobs" / "2");
  fs::create_symlink("../../blobs/1", snapshot / "config.json");
  fs::create_symlink("../../blobs/2", snapshot / "model.fp16.safetensors");
  for (fs::path const& directory : {cache.path(), root, snapshot}) {
    CHECK(same_bits(result_of<Bert<>>(directory), expected));
    Context context;
    auto const [model, report] = load_any_with_report(directory, context);
    CHECK(std::holds_alternative<Bert<>>(model));
    CHECK(report.weights == snapshot / "model.fp16.safetensors");
    CHECK(contains(report.to_string(), "from " + report.weights.string()));
  }
}

TEST_CASE("load: what of a checkpoint is not part of the model is reported, each tensor with its reason") {
  Context context;
  auto const report = load_with_report<Bert<>>(goldens::models / "bert-legacy", context).report;
  auto const why = [&](std::string const& name) {
    auto const place = std::ranges::find(report.ignored, name, &LoadReport::Ignored::name);
    return place == report.ignored.end() ? "is not ignored" : place->why;
  };
  CHECK(why("bert.embeddings.position_ids") == "a buffer, which holds nothing learned");
  CHECK(why("cls.predictions.transform.LayerNorm.gamma") == "mlm.norm.weight, which this model does not have");
  CHECK(why("cls.seq_relationship.bias") == "next_sentence.bias, which this model does not have");
  CHECK(why("cls.predictions.decoder.weight") == "embeddings.words.weight, which was read under another name");
  auto const checkpoint = Checkpoint::open(goldens::models / "bert-legacy");
  CHECK(report.loaded.size() + report.ignored.size() == checkpoint.tensors().size());
  auto const whole = load_with_report<BertForPreTraining<>>(goldens::models / "bert-legacy", context).report;
  CHECK(whole.ignored.size() == 3);  // The buffer, and the tied decoder and its bias once more.
  auto const gpt2 = load_with_report<Gpt2<>>(goldens::models / "gpt2-prefixed", context).report;
  CHECK(gpt2.ignored.size() == 5);
}

TEST_CASE("load: a decoder's caches are kept in what was asked for, whatever the type that it is loaded as") {
  Context context;
  for (CacheFormat const format : cache_formats) {
    CAPTURE(name_of(format));
    LoadOptions const options{.cache = format};
    CHECK(load<Gpt2<>>(goldens::models / "gpt2-tiny", options, context).make_cache(1, 4).format() == format);
    for (char const* name : {"gpt2-tiny", "llama-tiny", "qwen2-tiny", "qwen3-tiny"})
      CHECK(load<AnyCausalModel>(goldens::models / name, options, context).make_cache(1, 4).format() == format);
    for (char const* name : {"bart-tiny", "t5-tiny", "marian-tiny"})
      load<AnySequenceToSequence>(goldens::models / name, options, context).visit_model([&](auto const& model) {
        CHECK(model.decoder.stack.cache_format == format);
      });
    std::visit(
        [&](auto const& model) {
          if constexpr (requires { model.make_cache(1, 4); }) CHECK(model.make_cache(1, 4).format() == format);
        },
        load_any(goldens::models / "gpt2-tiny", options, context));
  }
}
