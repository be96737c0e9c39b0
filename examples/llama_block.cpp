// How do I build a Llama? A recipe says what its block is made of, and the library's layers are the rest. Its dimensions are fixed below; the
// weights are random, or those of a checkpoint of these dimensions as Hugging Face keeps it (tests/fixtures/models/llama-tiny is one).
#include <iostream>
#include <string>
#include <vector>

#include <axiform/generate/generate.hpp>
#include <axiform/inspect/describe.hpp>
#include <axiform/inspect/folded_tree.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/rms_norm.hpp>
#include <axiform/ops/select_rows.hpp>

#include "command_line.hpp"

using namespace axiform;

using Own = Dimensions<Const<32>, Const<4>, Const<8>, Const<88>, Const<2>>;  // hidden, heads, size of a head, feed-forward, heads of keys
constexpr ModelSizes sizes{.layers = 2, .vocabulary = 96, .positions = 64};

// Touvron et al. 2023: pre-norm with RMS norm, rotary positions, a gated feed-forward block, and no bias anywhere.
struct OwnRecipe : BlockRecipe {
  static constexpr char const* name = "LlamaBlock";
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

// Members, what `generate` asks of a language model, and `visit`, which names the members for seeding, counting, printing and loading.
struct OwnLlama {
  using Cache = KeyValueCache;
  Embedding<axes::VocabularyEntries, Own::Hidden> tokens;
  Stack<Own, OwnRecipe> decoder;  // the blocks, and the norm behind the last
  Linear<Own::Hidden, axes::VocabularyEntries, Bias::absent> head;

  static OwnLlama create() {
    LayerSettings const settings{.activation = Activation::silu, .layer_norm_epsilon = 1e-5F, .position = {.rotary_base = 10000}};
    return {{sizes.vocabulary, {}}, Stack<Own, OwnRecipe>::create({}, sizes.layers, settings), {{}, sizes.vocabulary}};
  }

  std::size_t positions() const { return sizes.positions; }
  std::size_t vocabulary() const { return sizes.vocabulary; }
  Cache make_cache(std::size_t sequences, std::size_t capacity) const { return Cache(decoder.cache_widths(), sequences, capacity); }
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const {
    auto x = make_tensor<float>(context, Shape<axes::Tokens, Own::Hidden>(ids.size()));
    tokens.write_rows(ids, x.view(), "token id");
    auto const states = decoder(x, {.sequences = sequences, .cache = &cache}, context);
    return head(select_rows(states, sequences, SequenceRow::last_or_zeros, context), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("tokens", self.tokens);
    visitor("", self.decoder);
    visitor("head", self.head);
  }
};

// What Hugging Face calls the parameters.
NameTable llama_names() {
  return {.family = "Llama",
          .prefixes = {"", "model."},
          .rules = {{"tokens.*", "embed_tokens.*"},
                    {"layers.*.attention.query.*", "layers.*.self_attn.q_proj.*"},
                    {"layers.*.attention.key.*", "layers.*.self_attn.k_proj.*"},
                    {"layers.*.attention.value.*", "layers.*.self_attn.v_proj.*"},
                    {"layers.*.attention.output.*", "layers.*.self_attn.o_proj.*"},
                    {"layers.*.attention_norm.*", "layers.*.input_layernorm.*"},
                    {"layers.*.mlp_norm.*", "layers.*.post_attention_layernorm.*"},
                    {"layers.*.mlp.*.*", "layers.*.mlp.*_proj.*"},
                    {"final_norm.*", "norm.*"},
                    {"head.*", "lm_head.*"}},
          .body = {"embed_tokens.**", "layers.**", "norm.**"}};
}

int main(int argc, char** argv) {
  CommandLine command("llama_block", "Builds a small Llama with random weights, or those of a checkpoint, and lets it go on from ids.");
  std::string directory, prompt_text = "17,42,5";
  std::uint64_t seed = 0;
  GenerateOptions options{.max_new_tokens = 12, .decoding = Decoding::greedy};
  command.add_text("--model", directory, "Directory of a checkpoint of these dimensions; random weights unless given")->type_name("DIR");
  command.add_option("--ids", prompt_text, "The prompt: ids from 0 to 95")->type_name("1,2,3");
  command.add_number("--max-new-tokens", options.max_new_tokens, "Tokens to generate");
  command.add_number("--seed", seed, "Seed of random weights");

  return command.run(argc, argv, [&](Context& context) {
    auto const prompt = parse_ids(prompt_text);
    auto llama = OwnLlama::create();
    if (directory.empty()) {
      initialize(llama, {.seed = seed, .standard_deviation = 0.25}, context);
    } else {
      load_parameters(llama, Checkpoint::open(directory), llama_names(), context);
    }
    auto const ids = generate(llama, prompt, options, context)[0];

    if (command.json()) {
      auto cache = llama.make_cache(1, prompt.size());
      auto const logits = llama.last_logits(prompt, SequenceOffsets<axes::Tokens>::single(prompt.size()), cache, context);
      std::cout << dump_json({{"ids", ids}, {"logits", rows_to_json(logits)[0]}, {"parameters", count_parameters(llama)}}) << '\n';
      return;
    }
    print_module_tree(std::cout, fold_equal_modules(describe_modules(llama)));
    std::cout << "\n\n" << count_parameters(llama) << " parameters\n\nids:";
    for (TokenId const id : ids) std::cout << ' ' << id;
    std::cout << '\n';
  });
}
