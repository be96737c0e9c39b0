// The steps of a head, recomputed from the layer's parameters, against what transformers and the kernels computed.
#include <doctest/doctest.h>
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>
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
