// How do I build a model of my own? The encoder-decoder of "Attention is all you need" (Vaswani et al. 2017), put together from the library's
// layers, with dimensions fixed below and random weights. It is run greedily on a source of ids; what comes out means nothing.
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/inspect/attention_table.hpp>
#include <axiform/inspect/describe.hpp>
#include <axiform/inspect/folded_tree.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/nn/decoder.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/sinusoids.hpp>
#include <axiform/ops/select_rows.hpp>

#include "command_line.hpp"

using namespace axiform;

using Own = Dimensions<Const<64>, Const<4>, Const<16>, Const<256>>;  // hidden, heads, size of a head, feed-forward
constexpr std::size_t layers = 2, entries = 100, longest = 64;
constexpr TokenId begin_of_text = 0, end_of_text = 1;

// A model is members, functions, and `visit`, which names the members for all who walk them: seeding, counting, printing, loading. With the seven
// functions from `positions` to `all_logits` it is a `SequenceToSequenceModel`: what `generate` asks for.
struct OwnModel {
  using Source = std::shared_ptr<ProjectedSource const>;
  using Cache = DecoderCache;

  TiedEmbedding<axes::VocabularyEntries, Own::Hidden> tokens;  // of source and target, and the output layer (section 3.4)
  Sinusoids<Own::Hidden> places;
  Encoder<Own, NormPlacement::after> encoder;
  Decoder<Own, NormPlacement::after> decoder;

  static OwnModel create() {
    LayerSettings const settings{.activation = Activation::relu};
    return {{entries, {}},
            {longest, {}, SinusoidLayout::interleaved},
            Encoder<Own, NormPlacement::after>::create({}, layers, settings),
            Decoder<Own, NormPlacement::after>::create({}, layers, settings)};
  }

  // Embeddings times the root of their width, plus sines and cosines of the positions behind the past of each sequence (section 3.5).
  template <Axis Rows>
  Tensor<float, Rows, Own::Hidden> embed(std::span<TokenId const> ids, SequenceOffsets<Rows> const& sequences,
                                         std::span<std::size_t const> past, Context& context) const {
    auto x = make_tensor<float>(context, Shape<Rows, Own::Hidden>(ids.size()));
    tokens.write_rows(ids, x.view(), "token id");
    for (float& value : x.elements()) value *= std::sqrt(static_cast<float>(x.columns()));
    places.add_positions(sequences, x.view(), past);
    return x;
  }

  auto encode(std::span<TokenId const> ids, SequenceOffsets<axes::SourceTokens> const& sequences, Context& context) const {
    return encoder(embed(ids, sequences, {}, context), sequences, context);
  }
  auto decode(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const {
    auto const x = embed(ids, sequences, cache.lengths(), context);
    return decoder(x, {.sequences = sequences, .source = cache, .cache = &cache.past()}, context);
  }

  std::size_t positions() const { return longest; }
  std::size_t source_positions() const { return longest; }
  std::size_t vocabulary() const { return tokens.rows(); }
  // The encoder runs once, and each layer of the decoder projects its keys and values once, however many tokens, beams and texts come of it.
  Source project_source(std::span<TokenId const> ids, SequenceOffsets<axes::SourceTokens> const& sequences, Context& context) const {
    auto const encoded = encode(ids, sequences, context);
    return std::make_shared<ProjectedSource const>(decoder.project_source(EncoderOutput<Own>(encoded, sequences), context));
  }
  Cache make_cache(Source const& source, std::span<std::size_t const> source_of, std::size_t capacity) const {
    return Cache(decoder.cache_widths(), source_of, capacity, source);
  }
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const {
    auto const states = decode(ids, sequences, cache, context);
    return tokens.product(select_rows(states, sequences, SequenceRow::last_or_zeros, context), context);
  }
  Tensor<float, axes::Tokens, axes::VocabularyEntries> all_logits(std::span<TokenId const> ids,
                                                                  SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                  Context& context) const {
    return tokens.product(decode(ids, sequences, cache, context), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("tokens", self.tokens);
    visitor("places", self.places);
    visitor("encoder", self.encoder);
    visitor("decoder", self.decoder);
  }
};

int main(int argc, char** argv) {
  CommandLine command("own_model", "Builds a small encoder-decoder with random weights, and runs it.");
  std::string source_text = "17,42,5,88,23";
  std::uint64_t seed = 0;
  GenerateOptions options{.max_length = 12, .decoding = Decoding::greedy, .decoder_start = begin_of_text, .end_of_text = {end_of_text}};
  command.add_option("--ids", source_text, "The source: ids from 0 to 99")->type_name("1,2,3");
  command.add_number("--max-length", options.max_length, "Tokens of the target, with the one that begins it");
  command.add_number("--seed", seed, "Seed of the weights");

  return command.run(argc, argv, [&](Context& context) {
    auto const source_ids = parse_ids(source_text);
    auto model = OwnModel::create();
    initialize(model, {.seed = seed, .standard_deviation = 0.25}, context);

    auto const target_ids = generate(model, source_ids, options, context)[0];

    if (command.json()) {
      std::cout << dump_json({{"source", source_ids}, {"target", target_ids}, {"parameters", count_parameters(model)}}) << '\n';
      return;
    }
    print_module_tree(std::cout, fold_equal_modules(describe_modules(model)));
    std::cout << "\n\n" << count_parameters(model) << " parameters\n\nsource:";
    for (TokenId const id : source_ids) std::cout << ' ' << id;
    std::cout << "\ntarget:";
    for (TokenId const id : target_ids) std::cout << ' ' << id;

    // The whole target once more, to see what each of its tokens attends to in the source.
    Capture capture;
    BesideSources const beside(model, source_ids, context);
    auto cache = beside.make_cache(1, target_ids.size());
    context.observe(&capture);
    beside.all_logits(target_ids, SequenceOffsets<axes::Tokens>::single(target_ids.size()), cache, context);
    auto const label = [](auto const& ids) {
      std::vector<std::string> labels;
      for (TokenId const id : ids) labels.push_back(std::to_string(id));
      return labels;
    };
    std::cout << "\n\nCross-attention of the last layer, mean over heads: the target's tokens by the source's\n";
    print_attention_table(std::cout, mean_over_heads(capture.cross_attention(layers - 1)), label(target_ids), label(source_ids));
  });
}
