#include <filesystem>
#include <iostream>
#include <span>
#include <vector>

#include <axiform/generate/generate.hpp>
#include <axiform/io/config.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/rms_norm.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/ops/select_rows.hpp>

namespace axes = axiform::axes;
using namespace axiform;

/// The block: what Llama's does otherwise than the block of 2017.
struct SmallRecipe : BlockRecipe {
  static constexpr char const* name = "SmallBlock";
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

/// The model: a table of tokens, the blocks, a head. What `generate` asks of it are the five functions below.
template <DimensionsLike D = DynamicGroupedDimensions>
struct SmallDecoder {
  using Cache = KeyValueCache;

  D dimensions;
  ModelSizes sizes;
  TokenEmbedding<axes::VocabularyEntries, typename D::Hidden> tokens;
  Stack<D, SmallRecipe> decoder;
  VocabularyHead<typename D::Hidden, axes::VocabularyEntries> lm_head;

  static SmallDecoder create(D const& d, ModelSizes const& sizes, LayerSettings const& settings, HeadWeights head) {
    return {d,
            sizes,
            {sizes.vocabulary, d.hidden, head},
            Stack<D, SmallRecipe>::create(d, sizes.layers, settings),
            {d.hidden, sizes.vocabulary, head, Bias::absent}};
  }

  std::size_t positions() const { return sizes.positions; }
  std::size_t vocabulary() const { return sizes.vocabulary; }
  Cache make_cache(std::size_t sequences, std::size_t capacity) const {
    return Cache({.layers = sizes.layers, .heads = dimensions.key_heads, .head_size = dimensions.head_size}, sequences, capacity);
  }
  Tensor<float, axes::Tokens, axes::VocabularyEntries> all_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences,
                                                                  Cache& cache, Context& context) const {
    return lm_head(run(ids, sequences, cache, context), tokens, context);
  }
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const {
    auto const states = run(ids, sequences, cache, context);
    return lm_head(select_rows(states, sequences, SequenceRow::last_or_zeros, context), tokens, context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("dimensions", self.dimensions);
    visitor("sizes", self.sizes);
    visitor("tokens", self.tokens);
    visitor("", self.decoder);
    visitor("lm_head", self.lm_head);
  }

 private:
  auto run(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const {
    Context::Pass const pass(context);
    auto x = make_tensor<float>(context, Shape<axes::Tokens, typename D::Hidden>::of({ids.size(), tokens.columns()}));
    tokens.write_rows(ids, x.view(), "token id");
    return decoder(x, {.sequences = sequences, .cache = &cache}, context);
  }
};

/// What its checkpoints call its parameters, on the right.
NameTable small_names() {
  return {.family = "SmallDecoder",
          .prefixes = {"", "model."},
          .rules = {{"tokens.weight", "embed_tokens.weight"},
                    {"layers.*.attention_norm.*", "layers.*.input_layernorm.*"},
                    {"layers.*.attention.query.*", "layers.*.self_attn.q_proj.*"},
                    {"layers.*.attention.key.*", "layers.*.self_attn.k_proj.*"},
                    {"layers.*.attention.value.*", "layers.*.self_attn.v_proj.*"},
                    {"layers.*.attention.output.*", "layers.*.self_attn.o_proj.*"},
                    {"layers.*.mlp_norm.*", "layers.*.post_attention_layernorm.*"},
                    {"layers.*.mlp.*.*", "layers.*.mlp.*_proj.*"},
                    {"final_norm.*", "norm.*"}},
          .spellings = {},
          .body = {"embed_tokens.**", "layers.**", "norm.**"},
          .buffers = {}};
}

/// How its config is read: sizes and settings by key, each with what it may be.
template <DimensionsLike D>
struct axiform::ModelLoader<SmallDecoder<D>> {
  static Unloaded<SmallDecoder<D>> create(ModelDirectory const& directory, Checkpoint const&) {
    ConfigReader const config{directory.json("config.json"), (directory / "config.json").string()};
    std::size_t const hidden = config.size({"hidden_size"}, 4096, largest_width);
    std::size_t const heads = config.size({"num_attention_heads"}, 32, largest_width);
    DynamicGroupedDimensions const d{.hidden = hidden,
                                     .heads = heads,
                                     .head_size = config.size({"head_dim"}, hidden / heads, largest_width),
                                     .inner = config.size({"intermediate_size"}, 11008, largest_width),
                                     .key_heads = config.size({"num_key_value_heads"}, heads, largest_width)};
    ModelSizes const sizes{.layers = config.size({"num_hidden_layers"}, 32, largest_depth),
                           .vocabulary = config.size({"vocab_size"}, 32000, largest_table),
                           .positions = config.size({"max_position_embeddings"}, 2048, largest_table)};
    LayerSettings const settings{.activation = Activation::silu,
                                 .layer_norm_epsilon = static_cast<float>(config.epsilon("rms_norm_eps", 1e-6))};
    return {SmallDecoder<D>::create(d, sizes, settings, config.head_weights()), small_names()};
  }
};

int main(int, char** arguments) {
  auto context = Context::with_threads(2);
  auto const model = load<SmallDecoder<>>(arguments[1], context);
  std::cout << count_parameters(model) << " parameters\n";
  auto const texts = generate(model, std::vector<TokenId>{28, 61, 19, 25}, {.max_new_tokens = 8, .decoding = Decoding::greedy}, context);
  for (TokenId const id : texts[0]) std::cout << id << ' ';
  std::cout << '\n';
}

// Needs: tests/fixtures/models/llama-tiny
// Prints:
// 29344 parameters
// 28 61 19 25 20 31 21 36 86 67 8 60
