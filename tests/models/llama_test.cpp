// Llama, Qwen2, Qwen3 and Mistral against what transformers computes in float64 from tiny checkpoints (tests/fixtures/models); from GGUF files of
// the same weights they have the same bits.
#include <doctest/doctest.h>
#include <axiform/core/available_memory.hpp>
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/speculative.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/llama.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double tolerance = 2e-5;

template <class Model>
void check_states(Model const& model, Goldens const& golden, Context& context) {
  for (int i = 0; golden.has("case" + std::to_string(i) + ".ids"); ++i) {
    std::string const name = "case" + std::to_string(i);
    CAPTURE(name);
    auto const ids = golden.ids(name + ".ids");
    Capture capture;
    context.observe(&capture);
    auto const states = model(ids, context);
    context.observe(nullptr);
    CHECK(largest_difference(states, golden.reals(name + ".last_hidden_state")) < tolerance);
    goldens::check_captured(capture, golden, name, model.sizes.layers, tolerance);
    auto const logits = model.logits(states, context);
    if (golden.has(name + ".logits")) CHECK(largest_difference(logits, golden.reals(name + ".logits")) < tolerance);
    if (golden.has(name + ".last_logits"))
      CHECK(largest_difference(logits.row(ids.size() - 1), golden.reals(name + ".last_logits")) < tolerance);
  }
  if (!golden.has("batch.ids")) return;
  auto const ids = golden.ids("batch.ids");
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"));
  auto cache = model.make_cache(sequences.count(), 21);
  CHECK(largest_difference(model({.ids = ids, .sequences = sequences}, context), golden.reals("batch.last_hidden_state")) < tolerance);
  CHECK(largest_difference(model.last_logits(ids, sequences, cache, context), golden.reals("batch.last_logits")) < tolerance);
}

template <class Model>
void check_greedy(Model const& model, Goldens const& golden, Context& context) {
  for (std::string const name : {"greedy0", "greedy1", "greedy2"}) {
    CAPTURE(name);
    auto expected = golden.ids(name + ".prompt");
    auto const prompt = expected, new_ids = golden.ids(name + ".ids");
    expected.insert(expected.end(), new_ids.begin(), new_ids.end());
    CHECK(generate(model, prompt, {.max_new_tokens = new_ids.size(), .decoding = Decoding::greedy}, context)[0] == expected);
  }
}

// Whole sequences, and the same tokens in parts through a cache that two other sequences share, have the same bits on any number of threads.
template <class Model>
void check_bits(Model const& model, std::vector<TokenId> const& ids) {
  Context one;
  auto const whole = model(ids, one);
  for (std::size_t threads : {1, 2, 3}) {
    Context context = Context::with_threads(threads);
    auto const again = model(ids, context);
    CHECK(std::ranges::equal(again.elements(), whole.elements()));
    for (std::size_t step : {1, 3, 8, 64}) {
      CAPTURE(threads);
      CAPTURE(step);
      auto cache = model.make_cache(3, ids.size());
      // Sequence 0 is elsewhere; sequence 1 takes a wrong turn at token 2, and sequence 2 goes on from there with the right one.
      std::vector<TokenId> const elsewhere(5, 7);
      auto const two = SequenceOffsets<axes::Tokens>::of_lengths({3, 2});
      model({.ids = elsewhere, .sequences = two}, cache, context);
      cache.truncate(1, 0);
      std::size_t const begun = std::min<std::size_t>(2, ids.size());
      auto const second = SequenceOffsets<axes::Tokens>::of_lengths({0, begun});
      model({.ids = std::span(ids).first(begun), .sequences = second}, cache, context);
      cache.fork(1, 2);
      for (std::size_t first = cache.lengths()[2]; first < ids.size(); first += step) {
        auto const part = std::span(ids).subspan(first, std::min(step, ids.size() - first));
        std::vector<TokenId> together{5};  // one token of sequence 1 before them
        together.insert(together.end(), part.begin(), part.end());
        auto const three = SequenceOffsets<axes::Tokens>::of_lengths({0, 1, part.size()});
        auto const states = model({.ids = together, .sequences = three}, cache, context);
        for (std::size_t i = 0; i < part.size(); ++i) REQUIRE(std::ranges::equal(states.row(1 + i), whole.row(first + i)));
      }
    }
  }
}

template <class Model>
void check_model(std::string const& fixture) {
  CAPTURE(fixture);
  auto const directory = goldens::models / fixture;
  Goldens const golden(directory / "goldens.safetensors");
  std::size_t values_in_file = 0;
  auto const file = SafetensorsFile::open(directory / "model.safetensors");
  for (TensorInfo const& tensor : file.tensors()) values_in_file += tensor.element_count();
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    auto const model = load<Model>(directory, context);
    CHECK(count_parameters(model) == values_in_file);
    check_states(model, golden, context);
    check_greedy(model, golden, context);
    if (threads == 1) check_bits(model, golden.ids(golden.has("case4.ids") ? "case4.ids" : "case2.ids"));
  }
}

}  // namespace

TEST_CASE("Llama: Llama's hidden states, attentions, logits and greedy tokens are transformers', and its bits do not depend on the cache") {
  check_model<Llama<>>("llama-tiny");
  check_model<Llama<>>("llama-tied");
}

TEST_CASE("Llama: so are Qwen2's, with biases of queries, keys and values") { check_model<Qwen2<>>("qwen2-tiny"); }

TEST_CASE("Llama: so are Qwen3's, with a norm of each head of queries and keys") { check_model<Qwen3<>>("qwen3-tiny"); }

TEST_CASE("Llama: so are Mistral's, with a window of five keys") { check_model<Llama<>>("mistral-tiny"); }

TEST_CASE("Llama: low frequencies are lowered as Llama 3's config says, or all of them alike") {
  check_model<Llama<>>("llama-3-tiny");
  check_model<Llama<>>("llama-linear");
}

TEST_CASE("Llama: Qwen2's windows are those of its layers") { check_model<Qwen2<>>("qwen2-windows"); }

TEST_CASE("Llama: a checkpoint of another recipe is refused") {
  Context context;
  CHECK_THROWS_WITH_AS(load<Llama<>>(goldens::models / "qwen3-tiny", context), doctest::Contains("found a Qwen3"), CheckpointError);
  // As an older program may have written it: the tensors tell.
  goldens::ChangedFixture const lies("qwen2-tiny", {{"model_type", "llama"}, {"architectures", {"LlamaForCausalLM"}}});
  CHECK_THROWS_WITH_AS(load<Llama<>>(lies.directory(), context), doctest::Contains("k_proj.bias: not part of this model"), CheckpointError);
}

TEST_CASE("Llama: tokens that nothing attends to are refused") {
  Context context;
  auto const llama = load<Llama<>>(goldens::models / "llama-tiny", context);
  std::vector<TokenId> const ids{5, 1, 7};
  std::vector<std::size_t> const attended{2};
  CHECK_THROWS_WITH_AS(llama({.ids = ids, .sequences = SequenceOffsets<axes::Tokens>::single(3), .attended = attended}, context),
                       "token batch: found attended tokens, expected none: each token attends to all before it", ArgumentError);
}

namespace {

// States of a few tokens.
template <class Model>
auto states_of(std::filesystem::path const& path, Context& context) {
  std::vector<TokenId> const ids{5, 1, 7, 7, 39, 0, 12};
  return load<Model>(path, context)(ids, context);
}

template <class Model>
void check_gguf(std::string const& name) {
  CAPTURE(name);
  Context context;
  auto const expected = states_of<Model>(goldens::models / name, context);
  auto const found = states_of<Model>(goldens::models / "gguf" / (name + ".gguf"), context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
}

}  // namespace

TEST_CASE("Llama: a GGUF file of the same weights gives the same bits, and so does a GPT-2's and a BERT's") {
  check_gguf<Llama<>>("llama-tiny");
  check_gguf<Qwen2<>>("qwen2-tiny");
  check_gguf<Qwen3<>>("qwen3-tiny");
  check_gguf<Gpt2<>>("gpt2-tiny");
  check_gguf<Bert<>>("bert-tiny");
}

TEST_CASE("Llama: a GGUF file divides frequencies where a config scales positions") {
  Context context;
  Goldens const golden(goldens::models / "llama-3-tiny/goldens.safetensors");
  auto const model = load<Llama<>>(goldens::models / "gguf/llama-3-tiny.gguf", context);
  check_states(model, golden, context);
}

TEST_CASE("Llama: any of them is loaded by what its config, or its GGUF file, says") {
  Context context;
  CHECK(std::holds_alternative<Llama<>>(load_any(goldens::models / "mistral-tiny", context)));
  CHECK(std::holds_alternative<Qwen2<>>(load_any(goldens::models / "gguf/qwen2-tiny.gguf", context)));
  auto const qwen = load<AnyCausalModel>(goldens::models / "gguf/qwen3-tiny.gguf", context);
  CHECK(std::holds_alternative<Qwen3<>>(qwen.variant()));
  std::vector<TokenId> const prompt{3, 1, 4};
  CHECK(generate(qwen, prompt, {.max_new_tokens = 5, .seed = 9}, context) ==
        generate(load<Qwen3<>>(goldens::models / "qwen3-tiny", context), prompt, {.max_new_tokens = 5, .seed = 9}, context));
}

TEST_CASE("Llama: beams, batches, samples and a small model's guesses are the same however they run together") {
  auto context = Context::with_threads(2);
  auto const model = load<AnyCausalModel>(goldens::models / "qwen3-tiny", context);
  std::vector<std::vector<TokenId>> const prompts{{3, 1, 4}, {1}, {5, 9, 2, 6, 5, 3, 5}};
  for (GenerateOptions options : {GenerateOptions{.max_new_tokens = 9, .decoding = Decoding::beam_search, .num_beams = 3},
                                  GenerateOptions{.max_new_tokens = 9, .num_return_sequences = 2, .seed = 4}}) {
    auto const together = generate_batch(model, prompts, options, context);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      auto const alone = generate_sequences(model, prompts[i], options, context);
      REQUIRE(alone.size() == together[i].size());
      for (std::size_t k = 0; k < alone.size(); ++k) CHECK(alone[k].ids == together[i][k].ids);
    }
  }
  // A draft of another family with the same vocabulary changes no greedy token.
  auto const draft = load<AnyCausalModel>(goldens::models / "qwen2-tiny", context);
  GenerateOptions const greedy{.max_new_tokens = 20, .decoding = Decoding::greedy};
  for (auto const& prompt : prompts)
    CHECK(generate_speculatively(model, draft, prompt, greedy, {.tokens = 3}, context).sequence.ids ==
          generate(model, prompt, greedy, context)[0]);
}

TEST_CASE("Llama: settings that the library does not have are refused by name") {
  auto const refusal = [](Json const& setting) -> std::string {
    Json config = read_json(goldens::models / "llama-tiny/config.json");
    config.update(setting);
    try {
      read_llama_config(config, "config.json");
    } catch (Error const& error) {
      return error.what();
    }
    return {};
  };
  CHECK(refusal({{"attention_bias", true}}) == "config.json: attention_bias: found true, which is not supported; expected false");
  CHECK(refusal({{"mlp_bias", true}}).find("mlp_bias") != std::string::npos);
  CHECK(refusal({{"num_local_experts", 8}}).find("num_local_experts: found 8") != std::string::npos);
  CHECK(refusal({{"rope_parameters", {{"rope_type", "yarn"}, {"factor", 4}}}}) ==
        "config.json: rope_parameters: rope_type: found \"yarn\", which is not supported; expected \"default\", \"linear\" or \"llama3\"");
  CHECK(refusal({{"rope_parameters", {{"rope_type", "linear"}}}}).find("factor") != std::string::npos);
  CHECK(refusal({{"rope_parameters", {{"rope_type", "linear"}, {"factor", -1}}}}).find("factor") != std::string::npos);
  CHECK(refusal({{"num_key_value_heads", 3}}).find("heads of keys") != std::string::npos);
  CHECK(refusal({{"layer_types", {"full_attention"}}}).find("layer_types: found 1") != std::string::npos);
  CHECK(refusal({{"layer_types", {"full_attention", "linear_attention"}}}).find("linear_attention") != std::string::npos);
  CHECK(refusal({{"head_dim", 7}}).find("columns of a head") != std::string::npos);
  CHECK(refusal({{"hidden_size", 0}}).find("hidden_size") != std::string::npos);
  CHECK(refusal(Json::object()).empty());
}

TEST_CASE("Llama: a GGUF file with any byte of its description changed loads, or is refused with an error of the library") {
  Context context;
  std::string const bytes = test::read_bytes(goldens::models / "gguf/qwen2-tiny.gguf");
  std::size_t first_tensor = bytes.size();
  auto const file = GgufFile::open(goldens::models / "gguf/qwen2-tiny.gguf");
  for (TensorInfo const& tensor : file.tensors()) first_tensor = std::min(first_tensor, tensor.begin);
  test::TemporaryDirectory const directory;
  auto const path = directory / "changed.gguf";
  std::size_t refused = 0, loaded = 0;
  for (std::size_t at = 4; at < first_tensor; ++at) {
    for (unsigned const change : {0x01u, 0x80u, 0xFFu}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ change);
      test::write_bytes(path, changed);
      try {
        load<AnyCausalModel>(path, context);
        ++loaded;
      } catch (Error const&) {
        ++refused;
      }
    }
  }
  CHECK(refused > loaded);  // names, types, shapes and places of tensors, and sizes of the model; what is not read may be anything
  for (std::size_t size : {std::size_t{0}, std::size_t{3}, std::size_t{100}, first_tensor, bytes.size() - 1}) {
    test::write_bytes(path, bytes.substr(0, size));
    CHECK_THROWS_AS(load<AnyCausalModel>(path, context), Error);
  }
  CHECK_THROWS_AS(load<AnyCausalModel>(directory / "absent.gguf", context), FileError);
}

TEST_CASE("Llama: weights that memory cannot hold are refused before it is taken") {
  if (!available_memory()) return;
  auto const config = [](std::size_t inner) -> Json { return {{"intermediate_size", inner}, {"num_hidden_layers", 4096}}; };
  Context context;
  // 4 096 layers of 3 * 32 * 2^20 weights: 1.6 TB.
  goldens::ChangedFixture const huge("llama-tiny", config(std::size_t{1} << 20));
  CHECK_THROWS_WITH_AS(load<Llama<>>(huge.directory(), context), doctest::Contains("MiB of memory are available"), MemoryError);
}
