// Models around PyTorch's nn.Transformer: state dicts and configs against what torch computes in float64 (tests/fixtures/models/transformer-*).
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/one_of.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
using goldens::ChangedFixture;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double transformer_tolerance = 2e-5;

std::vector<TokenId> greedy_target(auto const& model, std::span<TokenId const> source_ids, TokenId start, TokenId end, std::size_t longest,
                                   Context& context) {
  std::vector<std::size_t> const first{0};
  auto const source = model.project_source(source_ids, SequenceOffsets<axes::SourceTokens>::single(source_ids.size()), context);
  auto cache = model.make_cache(source, first, longest);
  std::vector<TokenId> ids{start};
  while (ids.size() < longest && ids.back() != end) {
    auto const logits = model.last_logits(std::span(ids).last(1), SequenceOffsets<axes::Tokens>::single(1), cache, context);
    ids.push_back(static_cast<TokenId>(std::ranges::max_element(logits.row(0)) - logits.row(0).begin()));
  }
  return ids;
}

// Every case alone, then all of them in one batch, which must have the same bits.
template <class Model>
void check_transformer(Model const& model, std::string const& name) {
  CAPTURE(name);
  Goldens const golden(goldens::models / name / "goldens.safetensors");
  Context context = Context::with_threads(2);
  std::vector<TokenId> all_sources, all_targets;
  std::vector<std::size_t> source_lengths, target_lengths;
  std::vector<float> states_alone;
  for (int i = 0; golden.has("case" + std::to_string(i) + ".source_ids"); ++i) {
    std::string const at = "case" + std::to_string(i);
    CAPTURE(at);
    auto const source_ids = golden.ids(at + ".source_ids"), target_ids = golden.ids(at + ".target_ids");
    auto const source = SequenceOffsets<axes::SourceTokens>::single(source_ids.size());
    auto const encoded = model.encode({source_ids, source}, context);
    CHECK(largest_difference(encoded, golden.reals(at + ".encoder_states")) < transformer_tolerance);
    Capture capture;
    context.observe(&capture);
    auto const target = SequenceOffsets<axes::Tokens>::single(target_ids.size());
    auto const states = model({.ids = target_ids, .sequences = target}, {encoded, source}, context);
    context.observe(nullptr);
    CHECK(largest_difference(states, golden.reals(at + ".decoder_states")) < transformer_tolerance);
    auto const logits = golden.reals(at + ".logits");
    double const greatest = std::abs(*std::ranges::max_element(logits, {}, [](double logit) { return std::abs(logit); }));
    CHECK(largest_difference(model.logits(states, context), logits) <
          transformer_tolerance * std::max(greatest, 1.0));  // a head of large weights
    for (std::size_t layer = 0; layer < model.decoder.stack.layers.size(); ++layer)
      CHECK(largest_difference(capture.cross_attention(layer), golden.reals(at + ".cross_attentions." + std::to_string(layer))) <
            transformer_tolerance);
    CHECK(greedy_target(model, source_ids, 1, 2, 12, context) == golden.ids(at + ".greedy"));
    all_sources.insert(all_sources.end(), source_ids.begin(), source_ids.end());
    all_targets.insert(all_targets.end(), target_ids.begin(), target_ids.end());
    source_lengths.push_back(source_ids.size());
    target_lengths.push_back(target_ids.size());
    states_alone.insert(states_alone.end(), states.elements().begin(), states.elements().end());
  }
  REQUIRE(source_lengths.size() == 3);
  auto const sources = SequenceOffsets<axes::SourceTokens>::of_lengths(source_lengths);
  auto const targets = SequenceOffsets<axes::Tokens>::of_lengths(target_lengths);
  auto const encoded = model.encode({all_sources, sources}, context);
  auto const states = model({.ids = all_targets, .sequences = targets}, {encoded, sources}, context);
  CHECK(std::ranges::equal(states.elements(), states_alone));
}

std::string refusal_of_transformer(std::filesystem::path const& directory) {
  Context context;
  try {
    load<Transformer<>>(directory, context);
  } catch (Error const& error) {
    return error.what();
  }
  return "loaded";
}

}  // namespace

TEST_CASE("transformer: post-norm, one table for source, target and head, under the tutorial's names") {
  Context context;
  auto const [model, report] = load_with_report<Transformer<>>(goldens::models / "transformer-tiny", context);
  CHECK(model.lm_head.weights() == HeadWeights::tied);
  CHECK(model.lm_head.bias() == Bias::present);
  CHECK_FALSE(model.source_tokens.has_value());
  CHECK(model.positions() == 40);
  CHECK(report.missing.empty());
  REQUIRE(report.ignored.size() == 1);
  CHECK(report.ignored[0].name == "positional_encoding.pos_embedding");
  check_transformer(model, "transformer-tiny");
}

TEST_CASE("transformer: norm_first, two vocabularies, a head of its own") {
  Context context;
  auto const model = load<PreNormTransformer<>>(goldens::models / "transformer-pre-norm", context);
  CHECK(model.source_vocabulary() == 31);
  CHECK(model.vocabulary() == 23);
  CHECK(model.lm_head.weights() == HeadWeights::own);
  check_transformer(model, "transformer-pre-norm");
}

TEST_CASE("transformer: what torch.save wrote, under other common names, a head that is the target's table, embeddings as they are") {
  Context context;
  auto const [model, report] = load_with_report<Transformer<>>(goldens::models / "transformer-renamed", context);
  CHECK(model.lm_head.weights() == HeadWeights::tied);
  CHECK(model.lm_head.bias() == Bias::absent);
  CHECK(model.encoder.embedding.scale == 1);
  CHECK(report.weights.filename() == "pytorch_model.bin");
  CHECK(report.ignored.size() == 2);
  for (auto const& [name, why] : report.ignored)
    CHECK(why ==
          (name == "model.fc_out.weight" ? "tokens.weight, which was read under another name" : "a buffer, which holds nothing learned"));
  check_transformer(model, "transformer-renamed");
  test::TemporaryDirectory const directory;
  std::filesystem::copy(goldens::models / "transformer-renamed", directory.path());
  std::filesystem::rename(directory / "pytorch_model.bin", directory / "model.pt");
  CHECK(load_with_report<Transformer<>>(directory.path(), context).report.loaded.size() == report.loaded.size());
}

TEST_CASE("transformer: norm_first decides which of the two models a config is, and one of them takes either") {
  using Either = OneOf<Transformer<>, PreNormTransformer<>>;
  Context context;
  CHECK(std::holds_alternative<Transformer<>>(load<Either>(goldens::models / "transformer-tiny", context).variant()));
  CHECK(std::holds_alternative<PreNormTransformer<>>(load<Either>(goldens::models / "transformer-pre-norm", context).variant()));
  CHECK(refusal_of_transformer(goldens::models / "transformer-pre-norm")
            .ends_with("config.json: model_type: found a pre-norm Transformer, which is not supported; expected a Transformer"));
}

TEST_CASE("transformer: module trees are what PyTorch prints") {
  Context context;
  CHECK(module_tree(load<Transformer<>>(goldens::models / "transformer-tiny", context)) + "\n" ==
        test::read_bytes(goldens::models / "transformer-tiny" / "tree.txt"));
  CHECK(module_tree(load<PreNormTransformer<>>(goldens::models / "transformer-pre-norm", context)) + "\n" ==
        test::read_bytes(goldens::models / "transformer-pre-norm" / "tree.txt"));
  CHECK(module_tree(load<Transformer<>>(goldens::models / "transformer-renamed", context)) + "\n" ==
        test::read_bytes(goldens::models / "transformer-renamed" / "tree.txt"));
}

TEST_CASE("transformer: what a config leaves out is as nn.Transformer and its tutorial have it") {
  auto const config = TransformerFamily::read_config({parse_json(R"({"vocab_size": 11})", "f"), "f"});
  CHECK(config.dimensions.hidden == 512);
  CHECK(config.dimensions.heads == 8);
  CHECK(config.dimensions.head_size == 64);
  CHECK(config.dimensions.inner == 2048);
  CHECK(config.encoder.layers == 6);
  CHECK(config.decoder.layers == 6);
  CHECK(config.decoder.layer.activation == Activation::relu);
  CHECK(config.decoder.layer.layer_norm_epsilon == 1e-5f);
  CHECK(config.decoder.final_norm == FinalNorm::present);
  CHECK(config.encoder.embedding.rows == PositionRows::interleaved_sinusoids);
  CHECK(config.encoder.embedding.positions == 5000);
  CHECK(config.encoder.embedding.scale == doctest::Approx(22.627417));
  CHECK(config.source_vocabulary == 11);
  CHECK(config.tables == TokenTables::separate);
  CHECK(config.head_weights == HeadWeights::own);
}

TEST_CASE("transformer: stacks that end without a norm") {
  ChangedFixture const fixture("transformer-tiny", parse_json(R"({"final_norm": false})", "changes"));
  CHECK(test::contains(refusal_of_transformer(fixture.directory()), "transformer.encoder.norm.bias: not part of this model"));
  auto const checkpoint = Checkpoint::open(goldens::models / "transformer-tiny");
  std::vector<std::vector<float>> values;
  std::vector<TensorData> tensors;
  for (TensorRef const& tensor : checkpoint.tensors()) {
    if (tensor.info->name.find("coder.norm.") != std::string::npos) continue;
    auto& floats = values.emplace_back(tensor.info->element_count());
    checkpoint.read_floats(tensor, 0, floats);
    tensors.push_back(tensor_data(tensor.info->name, tensor.info->shape, floats));
  }
  write_safetensors(fixture.directory() / "model.safetensors", tensors);
  Context context;
  auto const model = load<Transformer<>>(fixture.directory(), context);
  CHECK_FALSE(model.encoder.stack.final_norm.has_value());
  CHECK_FALSE(model.decoder.stack.final_norm.has_value());
  CHECK_THROWS_WITH_AS(
      TransformerFamily::read_config({parse_json(R"({"vocab_size": 11, "norm_first": true, "final_norm": false})", "f"), "f"}),
      "f: final_norm: found false, which is not supported; expected true", CheckpointError);
}

TEST_CASE("transformer: a config that cannot be is refused by key") {
  auto const refusal = [](char const* changes) {
    ChangedFixture const fixture("transformer-tiny", parse_json(changes, "changes"));
    std::string const message = refusal_of_transformer(fixture.directory());
    return message.substr(message.find("config.json: ") == message.npos ? 0 : message.find("config.json: ") + 13);
  };
  CHECK(refusal(R"({"vocab_size": null})") == "vocab_size: missing, expected the number of tokens");
  CHECK(refusal(R"({"src_vocab_size": 24})") == "found a shared table of tokens and vocabularies of 24 and 23, expected the same");
  CHECK(refusal(R"({"nhead": 3})") == "found a hidden size of 16 and 3 heads, expected the size to be a multiple of the heads");
  CHECK(refusal(R"({"is_encoder_decoder": false})") == "is_encoder_decoder: found false, which is not supported; expected true");
  CHECK(refusal(R"({"activation": "tanh"})").starts_with("activation: found the activation \"tanh\", which is not supported"));
}

TEST_CASE("transformer: a tensor that has no place is named, and so are two tables where one is said to be shared, and other positions") {
  test::TemporaryDirectory const directory;
  std::filesystem::copy(goldens::models / "transformer-tiny", directory.path());
  Context context;
  auto const checkpoint = Checkpoint::open(goldens::models / "transformer-tiny");
  auto const write_with = [&](std::string const& name, std::vector<std::size_t> const& shape, float value) {
    std::vector<std::vector<float>> values;
    std::vector<TensorData> tensors;
    for (TensorRef const& tensor : checkpoint.tensors()) {
      auto& floats = values.emplace_back(tensor.info->element_count());
      checkpoint.read_floats(tensor, 0, floats);
      tensors.push_back(tensor_data(tensor.info->name, tensor.info->shape, floats));
    }
    std::vector<float> const more(shape[0] * shape[1], value);
    tensors.push_back(tensor_data(name, shape, more));
    write_safetensors(directory / "model.safetensors", tensors);
  };
  write_with("pos_embedding.weight", {40, 16}, 1.0f);
  CHECK(refusal_of_transformer(directory.path())
            .ends_with("1 tensor does not fit this Transformer: pos_embedding.weight: not part of this "
                       "model (config.json: the checkpoint was saved from "
                       "TransformerForConditionalGeneration)"));
  write_with("tgt_tok_emb.embedding.weight", {23, 16}, 1.0f);
  CHECK(test::contains(refusal_of_transformer(directory.path()),
                       "config.json: share_encoder_decoder_embeddings: found true, and two tables"));
  write_with("pos_encoder.pe", {40, 16}, 0.5f);
  CHECK(refusal_of_transformer(directory.path())
            .ends_with(
                "model.safetensors: pos_encoder.pe: found other values than sines and cosines of positions in turns, 16 to a row, which "
                "are not supported"));
  // A head of its own, though the config ties it, counts.
  write_with("generator.weight", {23, 16}, 1.0f);
  CHECK(load<Transformer<>>(directory.path(), context).lm_head.weights() == HeadWeights::own);
}
