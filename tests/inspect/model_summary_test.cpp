// What models cost, part by part: against the counts that their types know, and as a table.
#include <doctest/doctest.h>
#include <axiform/inspect/costs.hpp>
#include <axiform/inspect/model_summary.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/modernbert_heads.hpp>
#include <axiform/nn/decoder.hpp>

#include <sstream>
#include <string>

using namespace axiform;

namespace {

struct TinyBert : Dimensions<Const<16>, Const<2>, Const<8>, Const<32>> {
  static constexpr ModelSizes sizes{.layers = 3, .vocabulary = 100, .positions = 64, .token_types = 2};
};
struct TinyGpt2 : Dimensions<Const<12>, Const<3>, Const<4>, Const<20>> {
  static constexpr ModelSizes sizes{.layers = 2, .vocabulary = 50, .positions = 32};
};

struct TinyModernBert : Dimensions<Const<16>, Const<2>, Const<8>, Const<24>> {
  static constexpr ModelSizes sizes{.layers = 4, .vocabulary = 30, .positions = 200};
};

ModuleCost const& child(ModuleCost const& node, std::string const& name) {
  for (ModuleCost const& each : node.children)
    if (each.name == name) return each;
  throw ArgumentError("there is no " + name);
}

std::string summary(ModuleCost const& cost, SummaryOptions const& options = {}) {
  std::ostringstream out;
  print_model_summary(out, cost, options);
  return out.str();
}

}  // namespace

TEST_CASE("model summary: a BERT's parameters and operations are those that its type knows") {
  constexpr std::size_t tokens = 20;
  auto const bert = Bert<TinyBert>::create();
  auto const cost = module_costs(bert, {.tokens = tokens});
  CHECK(cost.parameters == parameter_count<Bert<TinyBert>>);
  CHECK(cost.weight_bytes == 4 * cost.parameters);
  std::size_t const pooler = 2 * 16 * 16;  // for the first token alone
  CHECK(cost.flops == tokens * flops_per_token<Bert<TinyBert>, tokens> + pooler);
  CHECK(cost.cache_bytes == 0);
  CHECK(child(cost, "pooler").flops == pooler);
  CHECK(child(cost, "embeddings").flops == 0);
  CHECK(child(cost, "embeddings").result_bytes == 4 * 2 * tokens * 16);  // the sum and its norm

  auto const& layer = child(child(child(cost, "encoder"), "layers"), "2");
  auto const& attention = child(layer, "attention");
  CHECK(attention.parameters == 4 * (16 * 16 + 16));
  CHECK(attention.flops == 8 * tokens * 16 * 16 + 4 * tokens * tokens * 16);
  CHECK(attention.result_bytes == 4 * tokens * 5 * 16);  // queries, keys, values, heads, output
  CHECK(child(attention, "query").kind == "Linear");
  CHECK(child(attention, "query").flops == 2 * tokens * 16 * 16);
  CHECK(child(layer, "mlp").flops == 4 * tokens * 16 * 32);
  CHECK(child(layer, "mlp_norm").flops == 0);
}

TEST_CASE("model summary: layers of a ModernBERT that see a window attend to as many keys as that leaves") {
  constexpr std::size_t tokens = 150;
  auto const cost = module_costs(ModernBert<TinyModernBert>::create(), {.tokens = tokens});
  CHECK(cost.parameters == parameter_count<ModernBert<TinyModernBert>>);
  CHECK(cost.flops == tokens * flops_per_token<ModernBert<TinyModernBert>, tokens>);
  auto const& layers = child(child(cost, "encoder"), "layers");
  CHECK(child(layers, "0").flops - child(layers, "1").flops == tokens * 4 * (tokens - 129) * 16);
  auto const classifier = ModernBertForSequenceClassification<TinyModernBert>::create({}, TinyModernBert::sizes, 3);
  CHECK(child(module_costs(classifier, {.tokens = tokens}), "head").flops == 2 * (16 * 16 + 16 * 3));  // once a sequence
}

TEST_CASE("model summary: a GPT-2's operations and cache are those that its type knows") {
  constexpr std::size_t tokens = 9;
  auto const cost = module_costs(Gpt2<TinyGpt2>::create(), {.tokens = tokens});
  CHECK(cost.parameters == parameter_count<Gpt2<TinyGpt2>>);
  CHECK(cost.flops == tokens * flops_per_token<Gpt2<TinyGpt2>, tokens>);
  CHECK(cost.cache_bytes == tokens * key_value_bytes_per_token<Gpt2<TinyGpt2>>);
  auto const untied = module_costs(Gpt2<TinyGpt2>::create({.head_weights = HeadWeights::own}), {.tokens = tokens});
  CHECK(untied.parameters == Gpt2<TinyGpt2>::parameter_count({}, TinyGpt2::sizes, HeadWeights::own));
  CHECK(untied.parameters == cost.parameters + 50 * 12);
  CHECK(untied.flops == cost.flops);
  CHECK(untied.result_bytes == cost.result_bytes);
  CHECK(child(untied, "lm_head").flops == child(cost, "lm_head").flops);
}

TEST_CASE("model summary: a masked-LM head costs the same tied and with a matrix of its own, but for its parameters") {
  auto const cost = [](HeadWeights weights) {
    BertForMaskedLm<TinyBert> const model{
        Bert<TinyBert>::create({.pooler = Pooler::absent, .head_weights = weights}),
        MaskedLmHead<TinyBert>::create({}, TinyBert::sizes.vocabulary, Activation::gelu, 1e-12f, weights)};
    return module_costs(model, {.tokens = 7});
  };
  auto const tied = cost(HeadWeights::tied), own = cost(HeadWeights::own);
  CHECK(tied.parameters == BertForMaskedLm<TinyBert>::parameter_count({}, TinyBert::sizes));
  CHECK(own.parameters == BertForMaskedLm<TinyBert>::parameter_count({}, TinyBert::sizes, HeadWeights::own));
  CHECK(own.parameters == tied.parameters + 100 * 16);
  CHECK(tied.flops == own.flops);
  CHECK(tied.result_bytes == own.result_bytes);
  auto const& decoder = child(child(tied, "mlm"), "decoder");
  CHECK(decoder.parameters == 100);  // the bias
  CHECK(decoder.flops == 7 * 2 * 100 * 16);
  CHECK(decoder.result_bytes == 7 * 4 * 100);
  CHECK(child(tied, "embeddings").flops == 0);
}

TEST_CASE("model summary: a head stands beside the parts of its encoder") {
  BertForNextSentence<TinyBert> const model{Bert<TinyBert>::create(), {{}, {}}};
  auto const cost = module_costs(model, {.tokens = 7});
  CHECK(cost.kind == "BertForNextSentence");
  CHECK(cost.parameters == BertForNextSentence<TinyBert>::parameter_count({}, TinyBert::sizes));
  CHECK(child(cost, "encoder").flops == 7 * flops_per_token<Bert<TinyBert>, 7>);
  CHECK(child(cost, "next_sentence").flops == 2 * 16 * 2);  // once a sequence
  CHECK(child(module_costs(model, {.tokens = 7, .once_a_sequence = {}}), "next_sentence").flops == 7 * 2 * 16 * 2);
  CHECK(module_costs(model, {.tokens = 0}).flops == 0);
}

TEST_CASE("model summary: cross-attention attends to the tokens of the other side") {
  TinyGpt2 const d;
  auto const layer = DecoderLayer<TinyGpt2, NormPlacement::before>::create(d, {});
  auto const same = module_costs(layer, {.tokens = 5}), longer = module_costs(layer, {.tokens = 5, .source_tokens = 8});
  CHECK(child(longer, "cross_attention").flops - child(same, "cross_attention").flops == 4 * 5 * 3 * 12 + 2 * 2 * 3 * 12 * 12);
  CHECK(child(longer, "attention").flops == child(same, "attention").flops);
  CHECK(same.cache_bytes == 2 * 4 * 5 * 12);
}

TEST_CASE("model summary: the table folds equal layers, and its lines add up") {
  auto const cost = module_costs(Gpt2<TinyGpt2>::create(), {.tokens = 9});
  std::string const expected =
      "module                                 parameters    weights    FLOPs    results      cache\n"
      "Gpt2                                        3 376  13.19 KiB  56.59 k  10.76 KiB  1.688 KiB\n"
      "  tokens (TokenEmbedding)                     600  2.344 KiB               432 B\n"
      "  positions (Embedding)                       384    1.5 KiB\n"
      "  layers                                    2 368   9.25 KiB  45.79 k  8.156 KiB  1.688 KiB\n"
      "    0-1 (2 x Gpt2Block)                     2 368   9.25 KiB  45.79 k  8.156 KiB  1.688 KiB\n"
      "      attention_norm (LayerNorm)               48      192 B               864 B\n"
      "      attention (CausalSelfAttention)       1 248  4.875 KiB  28.51 k  4.219 KiB  1.688 KiB\n"
      "        query (Linear)                        312  1.219 KiB  5.184 k      864 B\n"
      "        key (Linear)                          312  1.219 KiB  5.184 k      864 B\n"
      "        value (Linear)                        312  1.219 KiB  5.184 k      864 B\n"
      "        output (Linear)                       312  1.219 KiB  5.184 k      864 B\n"
      "      mlp_norm (LayerNorm)                     48      192 B               864 B\n"
      "      mlp (Mlp)                             1 024      4 KiB  17.28 k   2.25 KiB\n"
      "        up (Linear)                           520  2.031 KiB   8.64 k  1.406 KiB\n"
      "        down (Linear)                         504  1.969 KiB   8.64 k      864 B\n"
      "  final_norm (LayerNorm)                       24       96 B               432 B\n"
      "  lm_head (VocabularyHead)                      0              10.8 k  1.758 KiB\n";
  CHECK(summary(cost) == expected);
  auto const lines = [](std::string const& text) { return std::ranges::count(text, '\n'); };
  CHECK(lines(summary(cost, {.depth = 0})) == 2);
  CHECK(lines(summary(cost, {.depth = 1})) == 2 + 5);
  CHECK(lines(summary(cost, {.equal_layers = EqualLayers::listed})) == lines(summary(cost)) + 11);
  CHECK(summary({.name = {}, .kind = "Empty"}) == "module  parameters  weights  FLOPs  results\nEmpty            0\n");
}

TEST_CASE("model summary: units change where they should") {
  CHECK(detail::bytes_text(1023) == "1023 B");
  CHECK(detail::bytes_text(1024) == "1 KiB");
  CHECK(detail::bytes_text(std::size_t{1} << 30) == "1 GiB");
  CHECK(detail::flops_text(999) == "999");
  CHECK(detail::flops_text(999'999) == "1 M");
  CHECK(detail::flops_text(22'353'000'000) == "22.35 G");
  CHECK(detail::grouped_digits(109'482'240) == "109 482 240");
}

TEST_CASE("model summary: JSON lines name every module by its path") {
  auto const cost = module_costs(Gpt2<TinyGpt2>::create(), {.tokens = 9});
  std::ostringstream out;
  write_model_summary_json(out, cost);
  CHECK(out.str().starts_with(R"({"module":"","kind":"Gpt2","parameters":)" + std::to_string(cost.parameters) + ","));
  CHECK(
      out.str().find(
          R"({"module":"layers.1.mlp.up","kind":"Linear","parameters":260,"weight_bytes":1040,"flops":4320,"result_bytes":720,"cache_bytes":0})") !=
      std::string::npos);
}
