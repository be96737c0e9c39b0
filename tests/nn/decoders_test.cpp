// Llama, Qwen2, Qwen3 and Mistral, each a recipe and a table of names over the library's layers, against what transformers computes in
// float64 from tiny checkpoints (tests/fixtures/models).
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/names.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/kv_cache.hpp>
#include <axiform/nn/mlp.hpp>
#include <axiform/nn/position.hpp>
#include <axiform/nn/rms_norm.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/ops/select_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double tolerance = 2e-5;

// Touvron et al. 2023; Mistral is the same with a window.
struct LlamaRecipe : BlockRecipe {
  template <Axis Columns>
  using Norm = RmsNorm<Columns>;
  template <DimensionsLike D>
  using FeedForward = GatedMlp<D>;
  template <DimensionsLike D>
  using Position = Rotary<D>;
  static constexpr auto placement = NormPlacement::before;
  static constexpr auto mask = AttentionMask::causal;
  static constexpr auto biases = no_attention_biases;
};
struct Qwen2Recipe : LlamaRecipe {
  static constexpr AttentionBiases biases{.output = Bias::absent};
};
struct Qwen3Recipe : LlamaRecipe {
  static constexpr auto query_key_norm = QueryKeyNorm::by_head;
};

// What Hugging Face calls the parameters of all four.
NameTable const names{.family = "Llama",
                      .prefixes = {"model.", ""},
                      .rules = {{"tokens.*", "embed_tokens.*"},
                                {"layers.*.attention_norm.*", "layers.*.input_layernorm.*"},
                                {"layers.*.attention.query.*", "layers.*.self_attn.q_proj.*"},
                                {"layers.*.attention.key.*", "layers.*.self_attn.k_proj.*"},
                                {"layers.*.attention.value.*", "layers.*.self_attn.v_proj.*"},
                                {"layers.*.attention.output.*", "layers.*.self_attn.o_proj.*"},
                                {"layers.*.attention.query_norm.*", "layers.*.self_attn.q_norm.*"},
                                {"layers.*.attention.key_norm.*", "layers.*.self_attn.k_norm.*"},
                                {"layers.*.mlp_norm.*", "layers.*.post_attention_layernorm.*"},
                                {"layers.*.mlp.*.*", "layers.*.mlp.*_proj.*"},
                                {"final_norm.*", "norm.*"}},
                      .body = {"embed_tokens.**", "layers.**", "norm.**"}};

using D = DynamicGroupedDimensions;

// A causal language model of any recipe.
template <RecipeLike Recipe>
struct LanguageModel {
  using Cache = KeyValueCache;

  D dimensions;
  ModelSizes sizes;
  TokenEmbedding<axes::VocabularyEntries, axes::Hidden> tokens;
  Stack<D, Recipe> stack;
  VocabularyHead<axes::Hidden, axes::VocabularyEntries> lm_head;

  static LanguageModel load(std::filesystem::path const& directory, Context& context) {
    Json const config = read_json(directory / "config.json");
    auto const number = [&](char const* key) { return config.at(key).get<std::size_t>(); };
    std::size_t const hidden = number("hidden_size"), heads = number("num_attention_heads"), vocabulary = number("vocab_size");
    D const d{hidden, heads, get_or<std::size_t>(config, "head_dim", hidden / heads, "config.json"), number("intermediate_size"),
              number("num_key_value_heads")};
    ModelSizes const sizes{.layers = number("num_hidden_layers"), .vocabulary = vocabulary, .positions = number("max_position_embeddings")};
    Json const& rotary = config.contains("rope_parameters") ? config["rope_parameters"] : config;
    bool const has_window = config.contains("sliding_window") && !config["sliding_window"].is_null();
    LayerSettings const settings{.activation = Activation::silu,
                                 .layer_norm_epsilon = config.at("rms_norm_eps").get<float>(),
                                 .window = has_window ? number("sliding_window") : 0,
                                 .position = {.rotary_base = rotary.at("rope_theta").get<double>()}};
    HeadWeights const head = config.at("tie_word_embeddings").get<bool>() ? HeadWeights::tied : HeadWeights::own;
    LanguageModel model{d,
                        sizes,
                        {vocabulary, hidden, head},
                        Stack<D, Recipe>::create(d, sizes.layers, settings),
                        {hidden, vocabulary, head, Bias::absent}};
    load_parameters(model, Checkpoint::open(directory), names, context);
    return model;
  }

  // Hidden states behind the final norm; with a cache, of the tokens behind those that it has.
  Tensor<float, axes::Tokens, axes::Hidden> operator()(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences,
                                                       Cache* cache, Context& context) const {
    auto x = make_tensor<float>(context, Shape<axes::Tokens, axes::Hidden>(ids.size(), tokens.columns()));
    tokens.write_rows(ids, x.view(), "token id");
    return stack(x, {.sequences = sequences, .cache = cache}, context);
  }
  template <class States>
  auto logits(States const& states, Context& context) const {
    return lm_head(states, tokens, context);
  }

  std::size_t positions() const { return sizes.positions; }
  std::size_t vocabulary() const { return sizes.vocabulary; }
  Cache make_cache(std::size_t sequences, std::size_t capacity) const { return Cache(stack.cache_widths(), sequences, capacity); }
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const {
    return logits(select_rows((*this)(ids, sequences, &cache, context), sequences, SequenceRow::last_or_zeros, context), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("tokens", self.tokens);
    visitor("", self.stack);
    visitor("lm_head", self.lm_head);
  }
};

template <class Model>
void check_states(Model const& model, Goldens const& golden, Context& context) {
  for (int i = 0; golden.has("case" + std::to_string(i) + ".ids"); ++i) {
    std::string const name = "case" + std::to_string(i);
    CAPTURE(name);
    auto const ids = golden.ids(name + ".ids");
    Capture capture;
    context.observe(&capture);
    auto const states = model(ids, SequenceOffsets<axes::Tokens>::single(ids.size()), nullptr, context);
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
  CHECK(largest_difference(model(ids, sequences, nullptr, context), golden.reals("batch.last_hidden_state")) < tolerance);
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
  auto const whole = model(ids, SequenceOffsets<axes::Tokens>::single(ids.size()), nullptr, one);
  for (std::size_t threads : {1, 2, 3}) {
    Context context = Context::with_threads(threads);
    auto const again = model(ids, SequenceOffsets<axes::Tokens>::single(ids.size()), nullptr, context);
    CHECK(std::ranges::equal(again.elements(), whole.elements()));
    for (std::size_t step : {1, 3, 8, 64}) {
      CAPTURE(threads);
      CAPTURE(step);
      auto cache = model.make_cache(3, ids.size());
      // Sequence 0 is elsewhere; sequence 1 takes a wrong turn at token 2, and sequence 2 goes on from there with the right one.
      std::vector<TokenId> const elsewhere(5, 7);
      model(elsewhere, SequenceOffsets<axes::Tokens>::of_lengths({3, 2}), &cache, context);
      cache.truncate(1, 0);
      model(std::span(ids).first(std::min<std::size_t>(2, ids.size())),
            SequenceOffsets<axes::Tokens>::of_lengths({0, std::min<std::size_t>(2, ids.size())}), &cache, context);
      cache.fork(1, 2);
      for (std::size_t first = cache.lengths()[2]; first < ids.size(); first += step) {
        auto const part = std::span(ids).subspan(first, std::min(step, ids.size() - first));
        std::vector<TokenId> together{5};  // one token of sequence 1 before them
        together.insert(together.end(), part.begin(), part.end());
        auto const states = model(together, SequenceOffsets<axes::Tokens>::of_lengths({0, 1, part.size()}), &cache, context);
        for (std::size_t i = 0; i < part.size(); ++i) REQUIRE(std::ranges::equal(states.row(1 + i), whole.row(first + i)));
      }
    }
  }
}

template <RecipeLike Recipe>
void check_model(std::string const& fixture) {
  CAPTURE(fixture);
  auto const directory = goldens::models / fixture;
  Goldens const golden(directory / "goldens.safetensors");
  std::size_t values_in_file = 0;
  auto const file = SafetensorsFile::open(directory / "model.safetensors");
  for (TensorInfo const& tensor : file.tensors()) values_in_file += tensor.element_count();
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    auto const model = LanguageModel<Recipe>::load(directory, context);
    CHECK(count_parameters(model) == values_in_file);
    check_states(model, golden, context);
    check_greedy(model, golden, context);
    if (threads == 1) check_bits(model, golden.ids(golden.has("case4.ids") ? "case4.ids" : "case2.ids"));
  }
}

}  // namespace

TEST_CASE(
    "decoders: Llama's hidden states, attentions, logits and greedy tokens are transformers', and its bits do not depend on the cache") {
  check_model<LlamaRecipe>("llama-tiny");
  check_model<LlamaRecipe>("llama-tied");
}

TEST_CASE("decoders: so are Qwen2's, with biases of queries, keys and values") { check_model<Qwen2Recipe>("qwen2-tiny"); }

TEST_CASE("decoders: so are Qwen3's, with a norm of each head of queries and keys") { check_model<Qwen3Recipe>("qwen3-tiny"); }

TEST_CASE("decoders: so are Mistral's, with a window of five keys") { check_model<LlamaRecipe>("mistral-tiny"); }

TEST_CASE("decoders: a checkpoint of another recipe is refused, every tensor by name") {
  Context context;
  CHECK_THROWS_WITH_AS(LanguageModel<LlamaRecipe>::load(goldens::models / "qwen3-tiny", context),
                       doctest::Contains("k_norm.weight: not part of this model"), CheckpointError);
  CHECK_THROWS_WITH_AS(LanguageModel<Qwen2Recipe>::load(goldens::models / "llama-tiny", context),
                       doctest::Contains("layers.0.attention.key.bias (in the file model.layers.0.self_attn.k_proj.bias): missing"),
                       CheckpointError);
}
