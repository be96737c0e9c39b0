// The 2017 Transformer from the library's layers, against torch in float64: attention, layers of both norm placements, a whole
// encoder-decoder.
#include <axiform/core/context.hpp>
#include <axiform/io/names.hpp>
#include <axiform/nn/decoder.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/attention.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double tolerance = 2e-5;

DynamicDimensions const width20{20, 2, 10, 28};

// torch's names of what our layers call otherwise.
NameTable const torch_names{
    .family = "torch.nn.Transformer",
    .prefixes = {""},
    .rules = {{"**attention.query.*", "**self_attn.in_proj_*", Arrangement::as_is, 0, 3},
              {"**attention.key.*", "**self_attn.in_proj_*", Arrangement::as_is, 1, 3},
              {"**attention.value.*", "**self_attn.in_proj_*", Arrangement::as_is, 2, 3},
              {"**attention.output.*", "**self_attn.out_proj.*"},
              {"**attention_norm.*", "**norm1.*"},
              {"**mlp.up.*", "**linear1.*"},
              {"**mlp.down.*", "**linear2.*"},
              {"**final_norm.*", "**norm.*"}}};

// Rules for the decoder's own parts come first, because the first that matches counts.
NameTable decoder_names() {
  NameTable names = torch_names;
  std::vector<NameRule> rules{{"**cross_attention.query.*", "**multihead_attn.in_proj_*", Arrangement::as_is, 0, 3},
                              {"**cross_attention.key.*", "**multihead_attn.in_proj_*", Arrangement::as_is, 1, 3},
                              {"**cross_attention.value.*", "**multihead_attn.in_proj_*", Arrangement::as_is, 2, 3},
                              {"**cross_attention.output.*", "**multihead_attn.out_proj.*"},
                              {"**cross_attention_norm.*", "**norm2.*"},
                              {"**mlp_norm.*", "**norm3.*"}};
  rules.insert(rules.end(), names.rules.begin(), names.rules.end());
  names.rules = std::move(rules);
  return names;
}
NameTable encoder_names() {
  NameTable names = torch_names;
  names.rules.insert(names.rules.begin(), NameRule{"**mlp_norm.*", "**norm2.*"});
  return names;
}

template <class L>
void load_from(L& layer, Goldens const& golden, std::string const& prefix, NameTable const& names) {
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    auto const place = name_candidates(names, name).at(0);
    auto const values = golden.reals(prefix + place.name);
    REQUIRE(values.size() == parameter.size() * place.parts);
    std::vector<float> floats(values.begin() + static_cast<std::ptrdiff_t>(place.part * parameter.size()),
                              values.begin() + static_cast<std::ptrdiff_t>((place.part + 1) * parameter.size()));
    parameter.write_rows(0, floats);
  });
}

LayerSettings settings(Activation activation) { return {.activation = activation, .layer_norm_epsilon = 1e-5f}; }

template <NormPlacement placement>
void check_layers(std::string const& placement_name, Activation activation, std::string const& activation_name) {
  Goldens const golden(goldens::models / "transformer.safetensors");
  Context context = Context::with_threads(2);
  auto const source = golden.tensor<axes::SourceTokens, axes::Hidden>("source");
  auto const target = golden.tensor<axes::Tokens, axes::Hidden>("target");
  auto const source_sequences = SequenceOffsets<axes::SourceTokens>::of_lengths(golden.lengths("source_offsets"));
  auto const target_sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("target_offsets"));
  std::string const output = "." + placement_name + "." + activation_name + ".output";

  auto encoder = EncoderLayer<DynamicDimensions, placement>::create(width20, settings(activation));
  load_from(encoder, golden, "encoder_layer.weights.", encoder_names());
  CHECK(largest_difference(encoder(source, source_sequences, context), golden.reals("encoder_layer" + output)) < tolerance);

  auto decoder = DecoderLayer<DynamicDimensions, placement>::create(width20, settings(activation));
  load_from(decoder, golden, "decoder_layer.weights.", decoder_names());
  EncoderOutput<DynamicDimensions> const memory{source, source_sequences};
  CHECK(largest_difference(decoder(target, {.sequences = target_sequences, .source = memory}, context), golden.reals("decoder_layer" + output)) < tolerance);
}

template <NormPlacement placement>
void check_transformer(std::string const& name, Activation activation) {
  Goldens const golden(goldens::models / "transformer.safetensors");
  Context context = Context::with_threads(2);
  auto const source = golden.tensor<axes::SourceTokens, axes::Hidden>("transformer.source");
  auto const target = golden.tensor<axes::Tokens, axes::Hidden>("transformer.target");
  auto const source_sequences = SequenceOffsets<axes::SourceTokens>::of_lengths(golden.lengths("source_offsets"));
  auto const target_sequences = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("target_offsets"));
  auto encoder = Encoder<DynamicDimensions, placement>::create(width20, 2, settings(activation));
  auto decoder = Decoder<DynamicDimensions, placement>::create(width20, 2, settings(activation));
  encoder.final_norm.emplace(width20.hidden, 1e-5f);
  decoder.final_norm.emplace(width20.hidden, 1e-5f);
  load_from(encoder, golden, "transformer.weights.encoder.", encoder_names());
  load_from(decoder, golden, "transformer.weights.decoder.", decoder_names());

  auto const encoded = encoder(source, source_sequences, context);
  CHECK(largest_difference(encoded.elements(), golden.reals("transformer." + name + ".memory")) < tolerance);
  EncoderOutput<DynamicDimensions> const memory{encoded, source_sequences};
  auto const decoded = decoder(target, {.sequences = target_sequences, .source = memory}, context);
  CHECK(largest_difference(decoded.elements(), golden.reals("transformer." + name + ".output")) < tolerance);

  // Token by token through the cache: the same bits.
  std::size_t longest = 0;
  for (std::size_t s = 0; s < target_sequences.count(); ++s) longest = std::max(longest, target_sequences.length(s));
  KeyValueCache cache({.layers = 2, .heads = 2, .head_size = 10}, target_sequences.count(), longest);
  std::vector<std::size_t> source_of(target_sequences.count());
  std::iota(source_of.begin(), source_of.end(), std::size_t{0});
  DecoderCache projected({.layers = 2, .heads = 2, .head_size = 10}, source_of, longest, decoder.project_source(memory, context));
  for (std::size_t step = 0; step < longest; ++step) {
    SequenceOffsets<axes::Tokens> added;
    std::vector<std::size_t> rows;
    for (std::size_t s = 0; s < target_sequences.count(); ++s) {
      bool const grows = step < target_sequences.length(s);
      added.append(grows ? 1 : 0);
      if (grows) rows.push_back(target_sequences.offset(s) + step);
    }
    Tensor<float, axes::Tokens, axes::Hidden> tokens(rows.size(), std::size_t{20});
    for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(target.row(rows[i]), tokens.row(i).begin());
    auto const states = decoder(tokens, {.sequences = added, .source = memory, .cache = &cache}, context);
    for (std::size_t i = 0; i < rows.size(); ++i) CHECK(std::ranges::equal(states.row(i), decoded.row(rows[i])));
    auto const beside = decoder(tokens, {.sequences = added, .source = projected, .cache = &projected.past()}, context);
    CHECK(std::ranges::equal(beside.elements(), states.elements()));
  }
}

}  // namespace

TEST_CASE("attention: ragged cross-attention and causal attention give torch's outputs and probabilities") {
  Goldens const golden(goldens::models / "cross_attention.safetensors");
  Context context = Context::with_threads(2);
  for (std::string const name : {"small", "head8", "head64", "head1", "causal"}) {
    CAPTURE(name);
    std::string const prefix = "attention." + name + ".";
    auto const query = golden.tensor<axes::Queries, axes::Hidden>(prefix + "query");
    auto const key = golden.tensor<axes::Keys, axes::Hidden>(prefix + "key");
    auto const value = golden.tensor<axes::Keys, axes::Hidden>(prefix + "value");
    auto const queries = SequenceOffsets<axes::Queries>::of_lengths(golden.lengths(prefix + "query_offsets"));
    auto const keys = SequenceOffsets<axes::Keys>::of_lengths(golden.lengths(prefix + "key_offsets"));
    Capture capture;
    context.observe(&capture);
    auto const output = attention(query.view(), key.view(), value.view(), golden.number(prefix + "heads"), queries, keys,
                                  AttentionKind::cross, {.mask = name == "causal" ? AttentionMask::causal : AttentionMask::none}, context);
    context.observe(nullptr);
    CHECK(largest_difference(output.elements(), golden.reals(prefix + "output")) < tolerance);
    for (std::size_t s = 0; s < queries.count(); ++s) {
      std::string const probabilities = prefix + "probabilities." + std::to_string(s);
      if (golden.has(probabilities)) CHECK(largest_difference(capture.cross_attention(0, s), golden.reals(probabilities)) < 1e-6);
    }
  }
}

TEST_CASE("layers: encoder and decoder layers give torch's outputs in both norm placements and with both activations") {
  check_layers<NormPlacement::after>("post_norm", Activation::relu, "relu");
  check_layers<NormPlacement::after>("post_norm", Activation::gelu, "gelu");
  check_layers<NormPlacement::before>("pre_norm", Activation::relu, "relu");
  check_layers<NormPlacement::before>("pre_norm", Activation::gelu, "gelu");
}

TEST_CASE("transformer: a whole encoder-decoder gives torch's output, and the same bits token by token") {
  check_transformer<NormPlacement::after>("post_norm.relu", Activation::relu);
  check_transformer<NormPlacement::after>("post_norm.gelu", Activation::gelu);
  check_transformer<NormPlacement::before>("pre_norm.relu", Activation::relu);
}

TEST_CASE("attention: takes tensors, views of constants, mutable views and temporaries alike") {
  Context context;
  Tensor<float, axes::Queries, axes::Hidden> query(3, 8);
  Tensor<float, axes::Keys, axes::Hidden> key(4, 8), value(4, 8);
  for (std::size_t i = 0; i < query.size(); ++i) query.data()[i] = std::sin(static_cast<float>(i));
  for (std::size_t i = 0; i < key.size(); ++i) key.data()[i] = std::cos(static_cast<float>(i)), value.data()[i] = static_cast<float>(i);
  auto const queries = SequenceOffsets<axes::Queries>::single(3);
  auto const keys = SequenceOffsets<axes::Keys>::single(4);
  auto const attend = [&](auto const& q, auto const& k, auto const& v) {
    return attention(q, k, v, 2, queries, keys, AttentionKind::cross, {}, context);
  };
  auto const expected = attend(as_view(query), as_view(key), as_view(value));
  auto const same = [&](auto const& found) { return std::ranges::equal(found.elements(), expected.elements()); };
  CHECK(same(attend(query, key, value)));
  CHECK(same(attend(query.view(), key.view(), value)));
  CHECK(same(attend(query.copy(), key, value.copy())));
}

TEST_CASE("attention: sequences that do not fit together are refused") {
  Context context;
  Tensor<float, axes::Queries, axes::Hidden> const query(std::size_t{3}, std::size_t{8});
  Tensor<float, axes::Keys, axes::Hidden> const key(std::size_t{4}, std::size_t{8});
  auto const run = [&](SequenceOffsets<axes::Queries> const& queries, SequenceOffsets<axes::Keys> const& keys, std::size_t heads) {
    attention(query.view(), key.view(), key.view(), heads, queries, keys, AttentionKind::cross, {}, context);
  };
  auto const queries = SequenceOffsets<axes::Queries>::single(3);
  auto const keys = SequenceOffsets<axes::Keys>::single(4);
  CHECK_NOTHROW(run(queries, keys, 2));
  CHECK_THROWS_AS(run(queries, SequenceOffsets<axes::Keys>::of_lengths({2, 2}), 2), ShapeError);
  CHECK_THROWS_AS(run(SequenceOffsets<axes::Queries>::single(2), keys, 2), ShapeError);
  CHECK_THROWS_AS(run(queries, SequenceOffsets<axes::Keys>::single(5), 2), ShapeError);
  CHECK_THROWS_AS(run(queries, keys, 3), ShapeError);
  CHECK_THROWS_AS(run(queries, keys, 0), ShapeError);
}
