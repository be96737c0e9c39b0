// The encoder-decoder as a model: from ids to logits against torch in float64; caches, batches, tables of its own, and what it refuses.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/nn/initialize.hpp>

#include <cmath>
#include <limits>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

DynamicDimensions const paper_width{20, 2, 10, 28};

EncoderDecoderSettings paper_settings(std::size_t positions = 64) {
  StackSettings const side{.layers = 2,
                           .layer = {.activation = Activation::relu, .layer_norm_epsilon = 1e-5f},
                           .embedding = {.rows = PositionRows::interleaved_sinusoids, .positions = positions, .scale = std::sqrt(20.0f)}};
  return {.encoder = side, .decoder = side, .vocabulary = 23};
}

// The name of a parameter in the fixture, which has torch's, and the part of a fused product that it is.
std::pair<std::string, std::size_t> paper_name(std::string name) {
  if (name == "tokens.weight") return {"vaswani.weights.embedding", 0};
  bool const is_encoder = name.starts_with("encoder");
  auto const replace = [&](std::string const& from, std::string const& to) {
    if (auto const at = name.find(from); at != name.npos) name.replace(at, from.size(), to);
  };
  std::size_t const part = name.find(".key.") != name.npos ? 1 : name.find(".value.") != name.npos ? 2 : 0;
  for (std::string const of : {"query.", "key.", "value."}) replace("attention." + of, "attention.in_proj_");
  replace("attention.output.", "attention.out_proj.");
  replace("cross_attention_norm", "norm2");
  replace("attention_norm", "norm1");
  replace("mlp_norm", is_encoder ? "norm2" : "norm3");
  replace("cross_attention.", "multihead_attn.");
  replace(".attention.", ".self_attn.");
  replace("mlp.up", "linear1");
  replace("mlp.down", "linear2");
  return {"transformer.weights." + name, part};
}

template <class Model>
void load_paper(Model& model, Goldens const& golden) {
  for_each_parameter(model, [&](std::string_view name, ParameterRef const& parameter) {
    auto const [in_file, part] = paper_name(std::string(name));
    auto const values = golden.reals(in_file);
    std::vector<float> floats(values.begin() + static_cast<std::ptrdiff_t>(part * parameter.size()),
                              values.begin() + static_cast<std::ptrdiff_t>((part + 1) * parameter.size()));
    parameter.write_rows(0, floats);
  });
}

EncoderDecoder<> random_model(EncoderDecoderSettings const& settings, Context& context) {
  auto model = EncoderDecoder<>::create(paper_width, paper_width, settings);
  initialize(model, {.seed = 7, .standard_deviation = 0.2}, context);
  return model;
}

}  // namespace

TEST_CASE("encoder-decoder: the paper's model gives torch's states and logits, from ids, and the same bits token by token") {
  Goldens const golden(goldens::models / "transformer.safetensors");
  Context context = Context::with_threads(2);
  auto model = EncoderDecoder<>::create(paper_width, paper_width, paper_settings());
  load_paper(model, golden);
  auto const source_ids = golden.ids("vaswani.source_ids"), target_ids = golden.ids("vaswani.target_ids");
  auto const sources = SequenceOffsets<axes::SourceTokens>::of_lengths(golden.lengths("source_offsets"));
  auto const targets = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths("target_offsets"));

  auto const encoded = model.encode({source_ids, sources}, context);
  auto const states = model({.ids = target_ids, .sequences = targets}, {encoded, sources}, context);
  auto const logits = model.logits(states, context);
  CHECK(largest_difference(states.elements(), golden.reals("vaswani.output")) < 2e-5);
  CHECK(largest_difference(logits.elements(), golden.reals("vaswani.logits")) < 2e-5);

  auto const source = model.project_source(source_ids, sources, context);
  std::vector<std::size_t> source_of(targets.count());
  std::size_t longest = 0;
  for (std::size_t s = 0; s < targets.count(); ++s) source_of[s] = s, longest = std::max(longest, targets.length(s));
  auto cache = model.make_cache(source, source_of, longest);
  for (std::size_t step = 0; step < longest; ++step) {
    std::vector<TokenId> added;
    SequenceOffsets<axes::Tokens> offsets;
    for (std::size_t s = 0; s < targets.count(); ++s) {
      bool const grows = step < targets.length(s);
      if (grows) added.push_back(target_ids[targets.offset(s) + step]);
      offsets.append(grows ? 1 : 0);
    }
    auto const last = model.last_logits(added, offsets, cache, context);
    for (std::size_t s = 0; s < targets.count(); ++s)
      if (offsets.length(s) != 0) CHECK(std::ranges::equal(last.row(s), logits.row(targets.offset(s) + step)));
  }
}

TEST_CASE("encoder-decoder: each sequence of a batch has the bits that it has alone, whatever its source's place") {
  Context context = Context::with_threads(2);
  auto settings = paper_settings();
  settings.tables = TokenTables::separate;
  settings.source_vocabulary = 31;
  settings.head_bias = Bias::present;
  settings.head_weights = HeadWeights::own;
  auto const model = random_model(settings, context);
  CHECK(model.source_vocabulary() == 31);
  std::vector<TokenId> const sources{30, 1, 2, 3, 4, 5, 6}, targets{0, 5, 7, 0, 9};
  auto const of_sources = SequenceOffsets<axes::SourceTokens>::of_lengths({3, 4});
  auto const source = model.project_source(sources, of_sources, context);
  std::vector<std::size_t> const crossed{1, 0};
  auto cache = model.make_cache(source, crossed, 8);
  auto const together = model.last_logits(targets, SequenceOffsets<axes::Tokens>::of_lengths({3, 2}), cache, context);
  for (std::size_t s = 0; s < 2; ++s) {
    std::span<TokenId const> const own(sources.data() + of_sources.offset(crossed[s]), of_sources.length(crossed[s]));
    auto const single = SequenceOffsets<axes::SourceTokens>::single(own.size());
    std::vector<std::size_t> const zero{0};
    auto alone_cache = model.make_cache(model.project_source(own, single, context), zero, 8);
    std::span<TokenId const> const target(targets.data() + 3 * s, s == 0 ? 3 : 2);
    auto const alone = model.last_logits(target, SequenceOffsets<axes::Tokens>::single(target.size()), alone_cache, context);
    CHECK(std::ranges::equal(alone.row(0), together.row(s)));
  }
}

TEST_CASE("encoder-decoder: learned positions begin at their first row, embeddings are normalised, and the head's scale counts") {
  Context context;
  auto settings = paper_settings();
  for (StackSettings* side : {&settings.encoder, &settings.decoder})
    side->embedding = {.rows = PositionRows::learned, .positions = 6, .first_row = 2, .norm = EmbeddingNorm::present};
  settings.head_scale = 0.5f;
  auto const model = random_model(settings, context);
  CHECK(model.positions() == 6);
  std::vector<TokenId> const ids{4, 5};
  auto const offsets = SequenceOffsets<axes::Tokens>::single(2);
  auto const embedded = model.decoder.embedding(ids, offsets, {}, model.tokens, context);
  Tensor<float, axes::Tokens, axes::Hidden> expected(std::size_t{2}, std::size_t{20});
  model.tokens.write_rows(ids, expected.view(), "token id");
  model.decoder.embedding.positions->add_row(
      2, TensorView<float, axes::Tokens, axes::Hidden>(expected.row(0).data(), Shape<axes::Tokens, axes::Hidden>(1, 20)));
  model.decoder.embedding.positions->add_row(
      3, TensorView<float, axes::Tokens, axes::Hidden>(expected.row(1).data(), Shape<axes::Tokens, axes::Hidden>(1, 20)));
  auto const normalised = (*model.decoder.embedding.norm)(expected, context);
  CHECK(std::ranges::equal(normalised.elements(), embedded.elements()));
  auto const logits = model.logits(embedded, context);
  auto const unscaled = model.lm_head(embedded, model.tokens, context);
  for (std::size_t i = 0; i < logits.elements().size(); ++i)
    CHECK(logits.elements()[i] == doctest::Approx(0.5 * unscaled.elements()[i]).epsilon(1e-5));
}

TEST_CASE("encoder-decoder: what does not fit is refused by name") {
  Context context;
  auto const model = random_model(paper_settings(5), context);
  std::vector<TokenId> const six{1, 2, 3, 4, 5, 6}, unknown{23};
  auto const one = SequenceOffsets<axes::SourceTokens>::single(1);
  CHECK_THROWS_WITH_AS(model.encode({six, SequenceOffsets<axes::SourceTokens>::single(6)}, context),
                       "source 0: found 6 tokens, expected at most the model's 5 positions", ArgumentError);
  CHECK_THROWS_WITH_AS(model.encode({unknown, one}, context), doctest::Contains("token id"), ArgumentError);
  CHECK_THROWS_AS(model.encode({six, one}, context), ShapeError);
  auto const source = model.project_source(std::span(six).first(1), one, context);
  std::vector<std::size_t> const second{1};
  CHECK_THROWS_WITH_AS(model.make_cache(source, second, 4), "decoder cache: found source 1, expected one of 1", ArgumentError);
  CHECK_THROWS_WITH_AS(EncoderDecoder<>::create({16, 2, 8, 28}, paper_width, paper_settings()),
                       "encoder-decoder: found an encoder of width 16 and a decoder of width 20, expected the same", ShapeError);
}

TEST_CASE("encoder-decoder: parameters are counted in a constant expression where the type has every width") {
  using Small = Dimensions<Const<16>, Const<2>, Const<8>, Const<32>>;
  constexpr auto count = [] {
    StackSettings const side{.layers = 1, .embedding = {.rows = PositionRows::learned, .positions = 4, .first_row = 2}};
    return count_parameters(EncoderDecoder<Small>::create({}, {}, {.encoder = side, .decoder = side, .vocabulary = 10}));
  };
  constexpr std::size_t attention = 4 * (16 * 16 + 16), mlp = 2 * 16 * 32 + 32 + 16, norm = 2 * 16;
  static_assert(count() == 10 * 16 + 2 * 6 * 16 + (attention + mlp + 2 * norm) + (2 * attention + mlp + 3 * norm));
}
