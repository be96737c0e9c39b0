// The steps of a head, recomputed from the layer's parameters, against what transformers and the kernels computed.
#include <doctest/doctest.h>
#include <axiform/inspect/chosen_attention.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/capture_attention.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/t5.hpp>
#include <axiform/tasks/explain_attention.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

// W x + b of a layer's part, in float64, for rows of x.
template <class Attention>
std::vector<double> apply_output(Attention const& attention, std::vector<double> const& x, std::size_t rows) {
  std::size_t const width = x.size() / rows;
  std::vector<double> result;
  std::size_t outputs = 0;
  for_each_parameter(attention, [&](std::string_view path, ConstParameterRef const& parameter) {
    if (path == "output.weight") {
      outputs = parameter.rows();
      result.resize(rows * outputs);
      std::vector<float> weights(width);
      for (std::size_t output = 0; output < outputs; ++output) {
        parameter.read_row(output, weights);
        for (std::size_t row = 0; row < rows; ++row)
          for (std::size_t i = 0; i < width; ++i) result[row * outputs + output] += weights[i] * x[row * width + i];
      }
    } else if (path == "output.bias") {
      std::vector<float> bias(outputs);
      parameter.read_row(0, bias);
      for (std::size_t i = 0; i < result.size(); ++i) result[i] += bias[i % outputs];
    }
  });
  return result;
}

// The outputs of all heads side by side; their probabilities are the golden's.
template <class Model>
std::vector<double> all_heads(Model const& model, Goldens const& golden, TokenBatch const& batch, std::size_t layer, Context& context) {
  std::size_t const tokens = batch.ids.size(), head_size = model.dimensions.head_size, heads = model.dimensions.heads;
  std::vector<double> side_by_side(tokens * heads * head_size);
  auto const expected = golden.reals("case2.attentions." + std::to_string(layer));
  for (std::size_t head = 0; head < heads; ++head) {
    auto const steps = explain_attention(model, batch, {.layer = static_cast<std::ptrdiff_t>(layer), .head = head}, context);
    std::vector<double> const of_head(expected.begin() + static_cast<std::ptrdiff_t>(head * tokens * tokens),
                                      expected.begin() + static_cast<std::ptrdiff_t>((head + 1) * tokens * tokens));
    CHECK(largest_difference(steps.probabilities.elements(), of_head) < 1e-5);
    for (std::size_t token = 0; token < tokens; ++token)
      for (std::size_t i = 0; i < head_size; ++i) side_by_side[(token * heads + head) * head_size + i] = steps.output(token, i);
  }
  return side_by_side;
}

// What is added to the attention's output in a layer, and comes of it: hidden_states[layer + 1].
Tensor<float, axes::Tokens, axes::Hidden> sum_of(View<axes::Tokens, axes::Hidden> states, std::vector<double> const& attended) {
  Tensor<float, axes::Tokens, axes::Hidden> sum(states.rows(), states.columns());
  for (std::size_t i = 0; i < attended.size(); ++i)
    sum.data()[i] = static_cast<float>(states.row(i / states.columns())[i % states.columns()] + attended[i]);
  return sum;
}

}  // namespace

TEST_CASE("explained attention: a BERT's heads have transformers' probabilities, and together make its next hidden states") {
  Context context;
  auto const bert = load<Bert<>>(goldens::models / "bert-tiny", context);
  Goldens const golden(goldens::models / "bert-tiny" / "goldens.safetensors");
  auto const ids = golden.ids("case2.ids"), types = golden.ids("case2.token_types");
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  TokenBatch const batch{.ids = ids, .sequences = sequences, .token_types = types};
  Capture capture;
  context.observe(&capture);
  bert(batch, context);
  for (std::size_t layer = 0; layer < 3; ++layer) {
    auto const& block = bert.encoder.layers[layer];
    auto const attended = apply_output(block.attention, all_heads(bert, golden, batch, layer, context), ids.size());
    auto const h = block.attention_norm(sum_of(capture.all_hidden_states()[layer], attended), context);
    auto const next = block.mlp_norm(block.mlp(h, context, add_residual(h)), context);
    CHECK(largest_difference(next.elements(), golden.reals("case2.hidden_states." + std::to_string(layer + 1))) < 2e-5);
  }
  CHECK(context.observer() == &capture);
  CHECK(capture.all_hidden_states().size() == 4);  // it saw nothing of the explanations
}

TEST_CASE("explained attention: a GPT-2's heads have transformers' probabilities, and together make its next hidden states") {
  Context context;
  auto const gpt2 = load<Gpt2<>>(goldens::models / "gpt2-tiny", context);
  Goldens const golden(goldens::models / "gpt2-tiny" / "goldens.safetensors");
  auto const ids = golden.ids("case2.ids");
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  TokenBatch const batch{.ids = ids, .sequences = sequences};
  Capture capture;
  context.observe(&capture);
  gpt2(batch, context);
  for (std::size_t layer = 0; layer < 2; ++layer) {  // behind the last is the final norm
    auto const& block = gpt2.decoder.layers[layer];
    auto const h = sum_of(capture.all_hidden_states()[layer],
                          apply_output(block.attention, all_heads(gpt2, golden, batch, layer, context), ids.size()));
    auto const next = block.mlp(block.mlp_norm(h, context), context, add_residual(h));
    CHECK(largest_difference(next.elements(), golden.reals("case2.hidden_states." + std::to_string(layer + 1))) < 5e-5);
  }
  auto const steps = explain_attention(gpt2, batch, {.layer = 1, .head = 2}, context);
  for (std::size_t query = 0; query < ids.size(); ++query)
    for (std::size_t key = 0; key < ids.size(); ++key) {
      CHECK(std::isinf(steps.masked(query, key)) == (key > query));
      CHECK(steps.scaled(query, key) == doctest::Approx(steps.scores(query, key) * steps.scale));
    }
}

TEST_CASE("explained attention: a sequence of a batch is explained as the model computed it") {
  Context context;
  auto const bert = load<Bert<>>(goldens::models / "bert-tiny", context);
  std::vector<TokenId> const ids{5, 6, 7, 8, 9, 10};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({2, 0, 4});
  TokenBatch const batch{.ids = ids, .sequences = sequences};
  Capture capture;
  context.observe(&capture);
  bert(batch, context);
  auto const steps = explain_attention(bert, batch, {.layer = -1, .head = 4, .sequence = 2}, context);
  CHECK(steps.layer == 2);
  REQUIRE(steps.query.rows() == 4);
  for (std::size_t query = 0; query < 4; ++query)
    for (std::size_t key = 0; key < 4; ++key)
      CHECK(steps.probabilities(query, key) == doctest::Approx(capture.attention(2, 2)(4, query, key)).epsilon(1e-5));
  CHECK_THROWS_WITH_AS(explain_attention(bert, batch, {.layer = 3}, context), "layer: found 3, expected -3 to 2", ArgumentError);
  CHECK_THROWS_AS(explain_attention(bert, batch, {.layer = -4}, context), ArgumentError);
  CHECK_THROWS_WITH_AS(explain_attention(bert, batch, {.head = 5}, context), "head: found 5, expected 0 to 4", ArgumentError);
  CHECK_THROWS_AS(explain_attention(bert, batch, {.sequence = 3}, context), ArgumentError);
  CHECK_THROWS_AS(explain_attention(bert, batch, {.sequence = 1}, context), ArgumentError);
  CHECK_THROWS_AS(explain_attention(bert, std::vector<TokenId>{99999}, {}, context), ArgumentError);
  CHECK(context.observer() == &capture);
}

TEST_CASE("explained attention: tokens that nothing attends to are hidden, as the model hides them") {
  Context context;
  auto const bert = load<Bert<>>(goldens::models / "bert-tiny", context);
  std::vector<TokenId> const ids{5, 6, 7, 8, 9, 10};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({2, 4});
  std::vector<std::string> const tokens{"one", "two", "three", "four"};
  for (std::size_t const attended : {3U, 0U, 7U}) {
    CAPTURE(attended);
    std::vector<std::size_t> const lengths{1, attended};
    TokenBatch const batch{.ids = ids, .sequences = sequences, .attended = lengths};
    Capture capture;
    context.observe(&capture);
    bert(batch, context);
    context.observe(nullptr);
    auto const steps = explain_attention(bert, batch, {.layer = 1, .head = 2, .sequence = 1}, context);
    CHECK(steps.attended == std::min<std::size_t>(attended, 4));
    for (std::size_t query = 0; query < 4; ++query)
      for (std::size_t key = 0; key < 4; ++key) {
        CHECK(std::isinf(steps.masked(query, key)) == (key >= attended));
        CHECK(steps.probabilities(query, key) == doctest::Approx(capture.attention(1, 1)(2, query, key)).epsilon(1e-5));
      }
    std::ostringstream out;
    print_attention_steps(out, steps, tokens);
    bool const says_so = out.str().find("Tokens from number " + std::to_string(attended) + " on are hidden") != std::string::npos;
    CHECK(says_so == (attended < 4));
  }
  std::vector<std::size_t> const some{1, 2};
  CHECK_THROWS_AS(explain_attention(bert, {.ids = ids, .sequences = sequences, .attended = std::span(some).first(1)}, {}, context),
                  ShapeError);
  auto const gpt2 = load<Gpt2<>>(goldens::models / "gpt2-tiny", context);
  CHECK_THROWS_AS(explain_attention(gpt2, {.ids = ids, .sequences = sequences, .attended = some}, {}, context), ArgumentError);
}

TEST_CASE("explained attention: the text has the numbers of one token, step by step") {
  Context context;
  auto const gpt2 = load<Gpt2<>>(goldens::models / "gpt2-tiny", context);
  auto const steps = explain_attention(gpt2, std::vector<TokenId>{3, 1, 4}, {.layer = 0, .head = 1}, context);
  std::vector<std::string> const tokens{"It", "Ġwas", "é"};
  std::ostringstream out;
  print_attention_steps(out, steps, tokens, {.query = 1, .numbers = 2});
  std::string const text = out.str();
  auto const has = [&](std::string const& part) { return text.find(part) != std::string::npos; };
  auto const number = [](float value) {
    std::ostringstream written;
    written << std::fixed << std::setprecision(3) << value;
    return written.str();
  };
  CHECK(has("Layer 0, head 1: what \"Ġwas\" (token 1) looks at."));
  CHECK(has("The first 2 are shown."));
  CHECK(has("-inf"));
  for (std::size_t key = 0; key < 2; ++key)
    for (float const value : {steps.key(key, 0), steps.key(key, 1), steps.value(key, 1), steps.scores(1, key), steps.scaled(1, key),
                              steps.probabilities(1, key)})
      CHECK(has(" " + number(value)));
  CHECK(has(number(steps.output(1, 0))));
  CHECK_THROWS_AS(print_attention_steps(out, steps, tokens, {.query = 3}), ArgumentError);
  CHECK_THROWS_AS(print_attention_steps(out, steps, std::vector<std::string>{"a"}), ShapeError);
  CHECK_NOTHROW(print_attention_steps(out, steps, tokens, {.numbers = 0}));
  CHECK_NOTHROW(print_attention_steps(out, steps, tokens, {.numbers = static_cast<std::size_t>(-1)}));
}

namespace {

// A source, a target, and a layer's heads side by side, explained one by one; their probabilities are the golden's.
struct ExplainedPair {
  EncoderDecoder<> const& model;
  Goldens const& golden;
  Context& context;
  std::vector<TokenId> source = golden.ids("case1.source"), target = golden.ids("case1.target");

  std::vector<double> heads(EncoderDecoderAttention which, std::string const& name, std::size_t layer) {
    auto const& dimensions = which == EncoderDecoderAttention::encoder ? model.encoder_dimensions : model.dimensions;
    std::size_t const head_size = dimensions.head_size, count = dimensions.heads;
    std::vector<double> side_by_side;
    auto const expected = golden.reals("case1." + name + "_attentions." + std::to_string(layer));
    for (std::size_t head = 0; head < count; ++head) {
      auto const steps =
          explain_attention(model, which, source, target, {.layer = static_cast<std::ptrdiff_t>(layer), .head = head}, context);
      std::size_t const queries = steps.query.rows(), size = queries * steps.key.rows();
      REQUIRE(expected.size() == count * size);
      side_by_side.resize(queries * count * head_size);
      std::vector<double> const of_head(expected.begin() + static_cast<std::ptrdiff_t>(head * size),
                                        expected.begin() + static_cast<std::ptrdiff_t>((head + 1) * size));
      CHECK(largest_difference(steps.probabilities.elements(), of_head) < 1e-5);
      CHECK(steps.layer == layer);
      CHECK((steps.kind == AttentionKind::cross) == (which == EncoderDecoderAttention::cross));
      for (std::size_t query = 0; query < queries; ++query) {
        for (std::size_t key = 0; key < steps.key.rows(); ++key)
          CHECK(std::isinf(steps.masked(query, key)) == (which == EncoderDecoderAttention::decoder && key > query));
        for (std::size_t i = 0; i < head_size; ++i) side_by_side[(query * count + head) * head_size + i] = steps.output(query, i);
      }
    }
    return side_by_side;
  }
};

}  // namespace

TEST_CASE("explained attention: an encoder-decoder's heads have transformers' probabilities, and together make its next hidden states") {
  using enum EncoderDecoderAttention;
  for (std::string const name : {"bart-tiny", "marian-tiny"}) {
    CAPTURE(name);
    Context context;
    auto const model = load<EncoderDecoder<>>(goldens::models / name, context);
    Goldens const golden(goldens::models / name / "goldens.safetensors");
    ExplainedPair pair{model, golden, context};
    auto const seen = capture_attention(model, pair.source, pair.target, context);
    for (std::size_t layer = 0; layer < seen.encoder.layers(); ++layer) {
      auto const& block = model.encoder.stack.layer(layer);
      auto const attended = apply_output(block.attention, pair.heads(encoder, "encoder", layer), pair.source.size());
      auto const h = block.attention_norm(sum_of(seen.encoder.all_hidden_states()[layer], attended), context);
      auto const next = block.mlp_norm(block.mlp(h, context, add_residual(h)), context);
      CHECK(largest_difference(next.elements(), golden.reals("case1.encoder_hidden_states." + std::to_string(layer + 1))) < 2e-5);
    }
    for (std::size_t layer = 0; layer < seen.decoder.layers(); ++layer) {
      auto const& block = model.decoder.stack.layer(layer);
      auto const own = apply_output(block.attention, pair.heads(decoder, "decoder", layer), pair.target.size());
      auto const h = block.attention_norm(sum_of(seen.decoder.all_hidden_states()[layer], own), context);
      auto const of_source = apply_output(block.cross_attention, pair.heads(cross, "cross", layer), pair.target.size());
      View<axes::Tokens, axes::Hidden> const below = h;
      auto const g = block.cross_attention_norm(sum_of(below, of_source), context);
      auto const next = block.mlp_norm(block.mlp(g, context, add_residual(g)), context);
      CHECK(largest_difference(next.elements(), golden.reals("case1.decoder_hidden_states." + std::to_string(layer + 1))) < 2e-5);
    }
  }
}

TEST_CASE("explained attention: a pre-norm encoder-decoder's heads, and a T5's to the source, have transformers' probabilities") {
  Context context;
  auto const mbart = load<EncoderDecoder<DynamicDimensions, PreNormRecipe>>(goldens::models / "mbart-tiny", context);
  auto const t5 = load<T5<>>(goldens::models / "t5-tiny", context);
  auto const check = [&](auto const& model, EncoderDecoderAttention which, std::string const& fixture, std::string const& name) {
    CAPTURE(fixture + "/" + name);
    Goldens const golden(goldens::models / fixture / "goldens.safetensors");
    auto const source = golden.ids("case1.source"), target = golden.ids("case1.target");
    for (std::ptrdiff_t layer = 0; golden.has("case1." + name + "." + std::to_string(layer)); ++layer) {
      auto const shape = golden.shape("case1." + name + "." + std::to_string(layer));
      auto const expected = golden.reals("case1." + name + "." + std::to_string(layer));
      for (std::size_t head = 0; head < shape[0]; ++head) {
        auto const steps = explain_attention(model, which, source, target, {.layer = layer, .head = head}, context);
        auto const begin = expected.begin() + static_cast<std::ptrdiff_t>(head * shape[1] * shape[2]);
        CHECK(largest_difference(steps.probabilities.elements(),
                                 std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(shape[1] * shape[2]))) < 1e-5);
      }
    }
  };
  check(mbart, EncoderDecoderAttention::encoder, "mbart-tiny", "encoder_attentions");
  check(mbart, EncoderDecoderAttention::decoder, "mbart-tiny", "decoder_attentions");
  check(mbart, EncoderDecoderAttention::cross, "mbart-tiny", "cross_attentions");
  check(t5, EncoderDecoderAttention::cross, "t5-tiny", "cross_attentions");
  CHECK_THROWS_WITH_AS(explain_attention(t5, EncoderDecoderAttention::encoder, {3}, {0}, {}, context),
                       "attention: found a bias by distance, which is not explained; expected cross-attention, which has none",
                       ArgumentError);
  CHECK_THROWS_WITH_AS(explain_attention(mbart, EncoderDecoderAttention::cross, {3}, {2}, {.layer = 2}, context),
                       "layer: found 2, expected -2 to 1", ArgumentError);
  CHECK_THROWS_AS(explain_attention(mbart, EncoderDecoderAttention::encoder, {3}, {2}, {.head = 2}, context), ArgumentError);
  CHECK_THROWS_AS(explain_attention(mbart, EncoderDecoderAttention::cross, {3}, {2}, {.sequence = 1}, context), ArgumentError);
  CHECK_THROWS_WITH_AS(explain_attention(mbart, EncoderDecoderAttention::cross, std::vector<TokenId>{}, {2}, {}, context),
                       "source: found no token, expected at least one", ArgumentError);
  CHECK_THROWS_WITH_AS(explain_attention(mbart, EncoderDecoderAttention::cross, {3}, std::vector<TokenId>{}, {}, context),
                       "target: found no token, expected at least one", ArgumentError);

  auto const steps = explain_attention(t5, EncoderDecoderAttention::cross, {3, 1, 4}, {0, 5}, {.layer = 0, .head = 1}, context);
  std::ostringstream out;
  print_attention_steps(out, steps, std::vector<std::string>{"<s>", "Katze"}, std::vector<std::string>{"the", "cat", "</s>"}, {.query = 1});
  for (char const* const part : {"what \"Katze\" (token 1) looks at in the source.", "Nothing is hidden: each token of the target may look",
                                 "\n   the  ", "\n   cat  ", "Scores are not divided"})
    CHECK(out.str().find(part) != std::string::npos);
  CHECK_THROWS_AS(print_attention_steps(out, steps, std::vector<std::string>{"a", "b"}), ShapeError);
}

TEST_CASE("captured attention: both sides of any encoder-decoder, each by itself, and the context's own observer sees nothing") {
  for (std::string const name : {"bart-tiny", "mbart-tiny", "marian-tiny"}) {
    CAPTURE(name);
    Context context;
    Goldens const golden(goldens::models / name / "goldens.safetensors");
    auto const model = load<AnySequenceToSequence>(goldens::models / name, context);
    Capture own;
    context.observe(&own);
    auto const source = golden.ids("case1.source"), target = golden.ids("case1.target");
    auto const seen = capture_attention(model, source, target, context);
    CHECK(context.observer() == &own);
    CHECK(own.layers() == 0);
    auto const check = [&](Capture::AttentionMap const& map, std::string const& kind, std::size_t layer) {
      CHECK(largest_difference(map.elements(), golden.reals("case1." + kind + "_attentions." + std::to_string(layer))) < 1e-5);
    };
    for (std::size_t layer = 0; layer < seen.encoder.layers(); ++layer) check(seen.encoder.attention(layer), "encoder", layer);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      check(seen.decoder.attention(layer), "decoder", layer);
      check(seen.decoder.cross_attention(layer), "cross", layer);
    }
    CHECK(seen.decoder.layers() == 2);
    auto const last = chosen_attention(seen, EncoderDecoderAttention::cross, {.layer = -1, .head = 1});
    CHECK(last(2, 5) == seen.decoder.cross_attention(1)(1, 2, 5));
    CHECK(chosen_attention(seen, EncoderDecoderAttention::decoder, {.layer = -1, .head = 1})(2, 1) == seen.decoder.attention(1)(1, 2, 1));
    CHECK(chosen_attention(seen, EncoderDecoderAttention::encoder, {.layer = 0})(4, 5) == mean_over_heads(seen.encoder.attention(0))(4, 5));
    CHECK_THROWS_AS(chosen_attention(seen, EncoderDecoderAttention::encoder, {.layer = 2}), ArgumentError);
  }
}
