// ELECTRA and ALBERT, BERT with embeddings of another width and layers that run more than once, against transformers in float64.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/inspect/costs.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/head_goldens.hpp"

using namespace axiform;
using goldens::ChangedFixture;
using goldens::Goldens;
using goldens::head_tolerance;
using goldens::largest_difference;

namespace {

BertConfig config_of(std::string const& text) { return read_bert_config(parse_json(text, "config.json"), "config.json"); }

// The encoder that a config is of, in weights of zero, which take no memory.
std::size_t parameters_of(std::string const& text, Pooler pooler) {
  auto const config = config_of(text);
  return count_parameters(
      Bert<>::create(config.dimensions, config.sizes, {.pooler = pooler, .embedded = config.embedded, .order = config.order}));
}

std::string refusal_of(auto const& load_model) {
  return test::message_of<CheckpointError>([&] { load_model(); });
}

}  // namespace

TEST_CASE("electra, albert: hidden states and pooler output are transformers', narrow embeddings or wide, one group of layers or several") {
  for (char const* const fixture : {"electra", "electra-wide", "albert", "albert-inner"})
    goldens::check_cases<Bert<>>(fixture, [&](Goldens const& golden, std::string const& name, auto const& states, auto const& bert,
                                              auto const& sequences, Context& context) {
      CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < head_tolerance);
      CHECK(bert.projection.has_value() == (fixture != std::string("electra-wide")));
      REQUIRE(bert.pooler.has_value() == golden.has(name + ".pooler_output"));
      if (bert.pooler)
        CHECK(largest_difference(bert.pool(states, sequences, context), golden.reals(name + ".pooler_output")) < head_tolerance);
    });
}

TEST_CASE("electra, albert: hidden states and attentions of every step are transformers', also where a layer runs again") {
  for (auto const& [fixture, steps, layers] : {std::tuple{"electra", 2, 2}, {"albert", 5, 2}, {"albert-inner", 8, 6}}) {
    CAPTURE(fixture);
    Context context;
    auto const model = load<Bert<>>(goldens::models / fixture, context);
    CHECK(model.encoder.steps() == static_cast<std::size_t>(steps));
    CHECK(model.encoder.layers.size() == static_cast<std::size_t>(layers));
    Goldens const golden(goldens::models / fixture / "steps.safetensors");
    for (std::string const name : {"case0", "case1"}) {
      Capture capture;
      context.observe(&capture);
      model(golden.ids(name + ".ids"), context);
      context.observe(nullptr);
      CHECK(golden.has(name + ".hidden_states." + std::to_string(steps)));
      CHECK(golden.has(name + ".attentions." + std::to_string(steps - 1)));
      goldens::check_captured(capture, golden, name, static_cast<std::size_t>(steps), head_tolerance);
    }
  }
}

TEST_CASE("electra, albert: logits of every head are transformers', tied and untied") {
  goldens::check_logits<BertForMaskedLm<>>({"electra-mlm", "electra-mlm-untied", "albert-mlm", "albert-mlm-untied"});
  goldens::check_logits<BertForSequenceClassification<>>({"electra-classifier", "albert-classifier"});
  goldens::check_logits<BertForTokenClassification<>>({"electra-tokens", "albert-tokens"});
  goldens::check_answers<BertForQuestionAnswering<>>({"electra-qa", "albert-qa"});
  goldens::check_cases<BertForPreTraining<>>(
      "albert-pretraining", [](Goldens const& golden, std::string const& name, auto const& logits, auto const&...) {
        CHECK(largest_difference(logits.tokens.elements(), golden.reals(name + ".prediction_logits")) < head_tolerance);
        CHECK(largest_difference(logits.next_sentence.elements(), golden.reals(name + ".sop_logits")) < head_tolerance);
      });
}

TEST_CASE("electra, albert: a sequence has the same bits alone and in a batch, on any number of threads") {
  for (char const* const fixture : {"electra", "albert"}) {
    CAPTURE(fixture);
    Context one;
    Context three = Context::with_threads(3);
    auto const model = load<Bert<>>(goldens::models / fixture, one);
    Goldens const golden(goldens::models / fixture / "goldens.safetensors");
    auto const ids = golden.ids("batch.ids");
    auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("batch.offsets"));
    auto const together = model({.ids = ids, .sequences = sequences}, three);
    for (std::size_t s = 0; s < sequences.count(); ++s) {
      auto const alone = model(std::vector<TokenId>(ids.begin() + static_cast<std::ptrdiff_t>(sequences.offset(s)),
                                                    ids.begin() + static_cast<std::ptrdiff_t>(sequences.offset(s + 1))),
                               one);
      for (std::size_t row = 0; row < alone.rows(); ++row)
        CHECK(std::ranges::equal(alone.row(row), together.row(sequences.offset(s) + row)));
    }
  }
}

TEST_CASE("electra, albert: the configs of published models give their sizes, and the parameters that they have") {
  // From the files beside the weights; counts are those of transformers' models.
  char const* const small = R"({"model_type": "electra", "architectures": ["ElectraForPreTraining"], "attention_probs_dropout_prob": 0.1,
      "embedding_size": 128, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 256, "initializer_range": 0.02,
      "intermediate_size": 1024, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "num_attention_heads": 4,
      "num_hidden_layers": 12, "pad_token_id": 0, "position_embedding_type": "absolute", "summary_activation": "gelu",
      "summary_last_dropout": 0.1, "summary_type": "first", "summary_use_proj": true, "type_vocab_size": 2, "vocab_size": 30522})";
  CHECK(config_of(small).embedded == 128);
  CHECK(config_of(small).dimensions.head_size == 64);
  CHECK(parameters_of(small, Pooler::absent) == 13'483'008);
  char const* const base = R"({"model_type": "electra", "architectures": ["ElectraForPreTraining"], "embedding_size": 768,
      "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "vocab_size": 30522})";
  CHECK_FALSE(config_of(base).embedded.has_value());
  CHECK(parameters_of(base, Pooler::absent) == 108'891'648);
  char const* const large = R"({"model_type": "electra", "embedding_size": 1024, "hidden_size": 1024, "intermediate_size": 4096,
      "num_attention_heads": 16, "num_hidden_layers": 24})";
  CHECK(parameters_of(large, Pooler::absent) == 334'092'288);
  char const* const generator = R"({"model_type": "electra", "architectures": ["ElectraForMaskedLM"], "embedding_size": 768,
      "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4, "num_hidden_layers": 12})";  // of electra-base
  CHECK(config_of(generator).embedded == 768);
  CHECK(config_of(generator).masked_lm_activation == Activation::gelu);

  char const* const albert = R"({"model_type": "albert", "architectures": ["AlbertForMaskedLM"], "attention_probs_dropout_prob": 0,
      "bos_token_id": 2, "classifier_dropout_prob": 0.1, "down_scale_factor": 1, "embedding_size": 128, "eos_token_id": 3, "gap_size": 0,
      "hidden_act": "gelu_new", "hidden_dropout_prob": 0, "hidden_size": 768, "initializer_range": 0.02, "inner_group_num": 1,
      "intermediate_size": 3072, "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "net_structure_type": 0,
      "num_attention_heads": 12, "num_hidden_groups": 1, "num_hidden_layers": 12, "num_memory_blocks": 0, "pad_token_id": 0,
      "type_vocab_size": 2, "vocab_size": 30000})";
  auto const read = config_of(albert);
  CHECK(read.activation == Activation::gelu_tanh);
  CHECK(read.sizes.layers == 12);
  CHECK(read.order.layers == 1);
  CHECK(read.order.of_step == std::vector<std::size_t>(12, 0));
  CHECK(read.printed.hidden_dropout == "0");
  CHECK(read.printed.classifier_dropout == "0.1");
  CHECK(parameters_of(albert, Pooler::present) == 11'683'584);
  CHECK(parameters_of(R"({"model_type": "albert", "hidden_size": 4096, "intermediate_size": 16384, "num_attention_heads": 64,
      "hidden_act": "gelu"})",
                      Pooler::present) == 222'595'584);  // albert-xxlarge-v2
  CHECK(parameters_of(R"({"model_type": "albert", "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
      "num_hidden_layers": 6})",
                      Pooler::present) == 11'683'584);  // paraphrase-albert-small-v2: as many, in half the steps
}

TEST_CASE("albert: steps share layers by groups, as transformers divides them") {
  auto const steps = [](std::size_t layers, std::size_t groups, std::size_t inner) {
    auto const text = R"({"model_type": "albert", "num_hidden_layers": )" + std::to_string(layers) + R"(, "num_hidden_groups": )" +
                      std::to_string(groups) + R"(, "inner_group_num": )" + std::to_string(inner) + "}";
    return config_of(text).order.of_step;
  };
  CHECK(steps(4, 4, 1) == std::vector<std::size_t>{0, 1, 2, 3});
  CHECK(steps(5, 2, 1) == std::vector<std::size_t>{0, 0, 0, 1, 1});
  CHECK(steps(4, 3, 2) == std::vector<std::size_t>{0, 1, 0, 1, 2, 3, 4, 5});
  CHECK(steps(2, 3, 1) == std::vector<std::size_t>{0, 1});  // the third group never runs
  CHECK(test::contains(test::message_of<FormatError>([&] { steps(4096, 1, 2); }),
                       "config.json: found 4096 layers in 1 groups of 2, expected at most 4096 in all"));
}

TEST_CASE("albert: a layer that runs five times is loaded and counted once, and its operations five times") {
  Context context;
  auto const [model, report] = load_with_report<Bert<>>(goldens::models / "albert", context);
  CHECK(std::ranges::count(report.loaded, "encoder.layers.0.mlp.up.weight") == 1);
  std::size_t const block = count_parameters(model.encoder.layers[0]);
  CHECK(count_parameters(model.encoder) == 2 * block);
  CHECK(model.encoder.runs_of(0) == 3);
  CHECK(model.encoder.runs_of(1) == 2);
  auto const costs = module_costs(model, {.tokens = 7});
  CHECK(costs.parameters == count_parameters(model));
  auto const encoder = std::ranges::find(costs.children, "encoder", &ModuleCost::name);
  REQUIRE(encoder != costs.children.end());
  CHECK(encoder->flops == 7 * Bert<>::flops_per_token(model.dimensions, model.sizes, 7));
  auto const& layers = encoder->children.at(0).children;
  CHECK(layers.at(0).flops * 2 == layers.at(1).flops * 3);
  CHECK(layers.at(0).parameters == layers.at(1).parameters);
  CHECK(layers.at(0).flops + layers.at(1).flops == encoder->flops);
}

TEST_CASE("electra, albert: what does not fit is refused by name, and a discriminator loads as the encoder that it is") {
  Context context;
  CHECK(test::contains(refusal_of([&] { load<BertForMaskedLm<>>(goldens::models / "electra-tokens", context); }),
                       "generator_predictions.dense.weight"));
  CHECK(test::contains(refusal_of([&] { load<BertForTokenClassification<>>(goldens::models / "albert-mlm", context); }),
                       "classifier.weight"));
  ChangedFixture const more("albert", {{"num_hidden_groups", 3}});
  CHECK(test::contains(refusal_of([&] { load<Bert<>>(more.directory(), context); }),
                       "encoder.albert_layer_groups.2.albert_layers.0.ffn.weight"));
  ChangedFixture const fewer("albert-inner", {{"inner_group_num", 1}});
  CHECK(test::contains(refusal_of([&] { load<Bert<>>(fewer.directory(), context); }),
                       "encoder.albert_layer_groups.0.albert_layers.1.ffn.weight"));
  ChangedFixture const wide("bert-tiny", {{"embedding_size", 7}});
  CHECK(test::contains(refusal_of([&] { load<Bert<>>(wide.directory(), context); }), "embedding_size: found 7, which is not supported"));

  ChangedFixture const discriminator("electra", {{"architectures", {"ElectraForPreTraining"}}});
  CHECK(test::contains(refusal_of([&] { load_any(discriminator.directory(), context); }),
                       "architectures: found \"ElectraForPreTraining\", which is not supported; expected one of …Model, …ForMaskedLM"));
  CHECK(count_parameters(load<AnyEncoder>(discriminator.directory(), context)) ==
        count_parameters(load<Bert<>>(goldens::models / "electra", context)));
  CHECK(std::holds_alternative<BertForPreTraining<>>(load_any(goldens::models / "albert-pretraining", context)));
}

TEST_CASE("electra: embeddings of a width of their own are no BERT whose hidden width the type has") {
  using Narrow = Dimensions<Const<16>, Const<2>, Const<8>, Const<20>>;
  CHECK_THROWS_AS((Bert<Narrow>::create({}, {.layers = 1, .vocabulary = 3, .positions = 2, .token_types = 2}, {.embedded = 8})),
                  ShapeError);
  Context context;
  CHECK(load<Bert<Narrow>>(goldens::models / "electra-wide", context).projection.has_value() == false);
}
