// "Attention is all you need" (Vaswani et al. 2017), equation by equation: what docs/transformer.md quotes. Everything is written by hand in tensor
// algebra, and then compared with the library's own model of the same weights.
#include <cmath>
#include <cstddef>
#include <iostream>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>
#include <axiform/core/context.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/nn/initialize.hpp>

using namespace axiform;
using axes::Queries, axes::Keys, axes::Tokens, axes::SourceTokens;

// The widths of the paper's table 3: of a row, N layers of width d_model, h heads of d_k numbers, d_ff inside the feed-forward block.
using Base = Dimensions<Const<512>, Const<8>, Const<64>, Const<2048>>;
using Big = Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>>;

EncoderDecoderSettings paper_settings(std::size_t layers, std::size_t width, std::size_t vocabulary) {
  StackSettings const side{
      .layers = layers,
      .layer = {.activation = Activation::relu, .layer_norm_epsilon = 1e-6f},
      .embedding = {.rows = PositionRows::interleaved_sinusoids, .positions = 512, .scale = std::sqrt(static_cast<float>(width))}};
  return {.encoder = side, .decoder = side, .vocabulary = vocabulary};
}

// 37 000 pieces are shared by English and German (section 5.1); the paper says 65 and 213 million.
template <DimensionsLike D>
constexpr std::size_t parameters_of_the_paper() {
  StackSettings const side{.layers = 6, .embedding = {.rows = PositionRows::interleaved_sinusoids}};
  return count_parameters(EncoderDecoder<D>::create({}, {}, {.encoder = side, .decoder = side, .vocabulary = 37000}));
}
static_assert(parameters_of_the_paper<Base>() == 63'082'496);
static_assert(parameters_of_the_paper<Big>() == 214'245'376);

// A smaller one for the rest of the page: 2 layers of width 32, 4 heads of 8.
struct Hidden : Const<32> {};
struct Heads : Const<4> {};
struct Features : Const<8> {};
struct Inner : Const<64> {};
struct Vocabulary : DynamicAxis {};
struct Width : Const<32> {};  // all heads side by side
using Small = Dimensions<Const<32>, Const<4>, Const<8>, Const<64>>;
constexpr std::size_t layers = 2, vocabulary = 50;

// Equation 1: what a query finds is the mean of the values, each weighted by how well its key answers. `sees` is false where a query may not look.
template <class Query, class Key, class Value, class Mask>
auto scaled_dot_product_attention(Query const& query, Key const& key, Value const& value, Mask const& sees) {
  auto const scores = contract<Features>(query, key) / std::sqrt(8.0F);  // Q Kᵀ / sqrt(d_k)
  auto const seen = where(sees, scores, -std::numeric_limits<float>::infinity());
  return contract<Keys>(softmax<Keys>(seen), value);  // softmax(…) V
}

// The parameters of the library's model under their canonical names: "encoder.layers.0.attention.query.weight".
class Weights {
 public:
  template <Layer L>
  explicit Weights(L const& model) {
    for_each_parameter(model, [&](std::string_view name, ConstParameterRef const& parameter) {
      auto& values = values_[std::string(name)];
      values.resize(parameter.size());
      for (std::size_t row = 0; row < parameter.rows(); ++row)
        parameter.read_row(row, std::span(values).subspan(row * parameter.columns(), parameter.columns()));
    });
  }
  template <Axis Columns>
  Tensor<float, Columns> vector(std::string const& name) const {
    auto const& values = values_.at(name);
    return from_function<float, Columns>([&](std::size_t i) { return values[i]; });
  }
  template <Axis Rows, StaticAxis Columns>
  auto matrix(std::string const& name) const {
    auto const& values = values_.at(name);
    auto const element = [&](std::size_t row, std::size_t column) { return values[row * Columns::length + column]; };
    if constexpr (StaticAxis<Rows>) {
      return from_function<float, Rows, Columns>(element);
    } else {
      return from_function<float, Rows, Columns>(element, values.size() / Columns::length);
    }
  }

 private:
  std::map<std::string, std::vector<float>> values_;
};

// A linear map: x W + b. Weights are kept as [Out, In].
template <StaticAxis In, StaticAxis Out, class X>
auto project(X const& x, Weights const& weights, std::string const& name) {
  return contract<In>(x, weights.matrix<Out, In>(name + ".weight")) + weights.vector<Out>(name + ".bias");
}

// Section 3.2.2: h heads attend beside each other, each on its own projections of d_k numbers; side by side, what they find is projected once more.
template <Axis To, Axis From, class X, class Y, class Mask>
auto multi_head_attention(X const& x, Y const& memory, Mask const& sees, Weights const& weights, std::string const& name) {
  auto const queries = project<Hidden, Width>(x, weights, name + ".query");
  auto const keys = project<Hidden, Width>(memory, weights, name + ".key");
  auto const values = project<Hidden, Width>(memory, weights, name + ".value");
  auto const found = scaled_dot_product_attention(
      relabel<To, Queries>(split<Width, Heads, Features>(queries)), relabel<From, Keys>(split<Width, Heads, Features>(keys)),
      relabel<From, Keys>(split<Width, Heads, Features>(values)), sees);  // [Queries, Heads, Features]
  auto const concatenated = relabel<Queries, To>(merge<Heads, Features, Width>(found));
  return project<Width, Hidden>(concatenated, weights, name + ".output");
}

// Equation 2: two linear maps with a ReLU between them, at each position by itself.
template <class X>
auto feed_forward(X const& x, Weights const& weights, std::string const& name) {
  return project<Inner, Hidden>(relu(project<Hidden, Inner>(x, weights, name + ".up")), weights, name + ".down");
}

// Section 3.1: around every part stands a residual connection, and behind it layer normalisation.
template <class X, class Part>
auto add_and_norm(X const& x, Part const& part, Weights const& weights, std::string const& name) {
  return layer_norm<Hidden>(x + part, 1e-6F) * weights.vector<Hidden>(name + ".weight") + weights.vector<Hidden>(name + ".bias");
}

// Section 3.5: sine and cosine of the position, in wavelengths from 2π to 10 000 times that.
template <Axis Rows>
Tensor<float, Rows, Hidden> positional_encoding(std::size_t length) {
  return from_function<float, Rows, Hidden>(
      [](std::size_t position, std::size_t column) {
        double const angle = static_cast<double>(position) / std::pow(10000.0, static_cast<double>(column / 2 * 2) / 32);
        return static_cast<float>(column % 2 == 0 ? std::sin(angle) : std::cos(angle));
      },
      length);
}

// Section 3.4: rows of one table, times the root of their width.
template <Axis Rows>
Tensor<float, Rows, Hidden> embed(std::vector<TokenId> const& ids, Weights const& weights) {
  auto const table = weights.matrix<Vocabulary, Hidden>("tokens.weight");
  auto const rows = from_function<std::int64_t, Rows>([&](std::size_t i) { return std::int64_t{ids[i]}; }, ids.size());
  return gather<Vocabulary>(table, rows) * std::sqrt(32.0F) + positional_encoding<Rows>(ids.size());
}

// Figure 1, left.
Tensor<float, SourceTokens, Hidden> encode(std::vector<TokenId> const& source, Weights const& weights) {
  auto x = embed<SourceTokens>(source, weights);
  auto const all = full<bool, Queries, Keys>(true, source.size(), source.size());
  for (std::size_t i = 0; i < layers; ++i) {
    std::string const layer = "encoder.layers." + std::to_string(i);
    auto const attended = multi_head_attention<SourceTokens, SourceTokens>(x, x, all, weights, layer + ".attention");
    x = add_and_norm(x, attended, weights, layer + ".attention_norm");
    x = add_and_norm(x, feed_forward(x, weights, layer + ".mlp"), weights, layer + ".mlp_norm");
  }
  return x;
}

// Figure 1, right: masked self-attention, attention to what the encoder made, the feed-forward block.
Tensor<float, Tokens, Hidden> decode(std::vector<TokenId> const& target, Tensor<float, SourceTokens, Hidden> const& memory,
                                     Weights const& weights) {
  auto x = embed<Tokens>(target, weights);
  auto const past = lower_triangle<Queries, Keys>(target.size(), target.size());
  auto const all = full<bool, Queries, Keys>(true, target.size(), memory.rows());
  for (std::size_t i = 0; i < layers; ++i) {
    std::string const layer = "decoder.layers." + std::to_string(i);
    auto const to_itself = multi_head_attention<Tokens, Tokens>(x, x, past, weights, layer + ".attention");
    x = add_and_norm(x, to_itself, weights, layer + ".attention_norm");
    auto const to_source = multi_head_attention<Tokens, SourceTokens>(x, memory, all, weights, layer + ".cross_attention");
    x = add_and_norm(x, to_source, weights, layer + ".cross_attention_norm");
    x = add_and_norm(x, feed_forward(x, weights, layer + ".mlp"), weights, layer + ".mlp_norm");
  }
  return x;
}

int main() {
  Context context;
  auto model = EncoderDecoder<Small>::create({}, {}, paper_settings(layers, 32, vocabulary));
  initialize(model, {.seed = 1, .standard_deviation = 0.2}, context);
  std::vector<TokenId> const source{17, 42, 5, 8, 23, 1}, target{0, 9, 30, 12};

  // By hand.
  Weights const weights(model);
  auto const memory = encode(source, weights);
  auto const states = decode(target, memory, weights);
  auto const scores = contract<Hidden>(states, weights.matrix<Vocabulary, Hidden>("tokens.weight"));  // the table again (section 3.4)
  auto const probabilities = softmax<Vocabulary>(scores);                                             // of each next token
  std::cout << "sums " << sum<Vocabulary>(probabilities) << "\n";

  // By the library.
  auto const source_sequence = SequenceOffsets<SourceTokens>::single(source.size());
  auto const target_sequence = SequenceOffsets<Tokens>::single(target.size());
  auto const encoded = model.encode({source, source_sequence}, context);
  auto const decoded = model({.ids = target, .sequences = target_sequence}, {encoded, source_sequence}, context);
  auto const logits = model.logits(decoded, context);

  auto const difference = [](auto const& a, auto const& b) { return max(abs(a - b)) < 1e-4F ? "the same" : "another"; };
  std::cout << "memory " << memory.shape().to_string() << ": " << difference(memory, relabel<Const<32>, Hidden>(encoded.view())) << "\n";
  std::cout << "logits " << scores.shape().to_string() << ": "
            << difference(scores, relabel<axes::VocabularyEntries, Vocabulary>(logits.view())) << "\n";
  std::cout << count_parameters(model) << " parameters\n";

  // Section 6.1: "a beam size of 4 and length penalty α = 0.6". The encoder runs once, and the beams share what it made.
  auto const translations = generate(model, source,
                                     {.max_new_tokens = 8,
                                      .num_return_sequences = 4,
                                      .decoding = Decoding::beam_search,
                                      .num_beams = 4,
                                      .length_penalty = 0.6,
                                      .decoder_start = 0,
                                      .end_of_text = {1}},
                                     context);
  std::cout << translations.size() << " translations, best first\n";
}

// Prints:
// sums [1 1 1 1] [Tokens: 4]
// memory [6, 32]: the same
// logits [4, 50]: the same
// 44352 parameters
// 4 translations, best first
