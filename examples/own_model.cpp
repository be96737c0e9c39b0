// How do I build a model of my own? The encoder-decoder of "Attention is all you need" (Vaswani et al. 2017), put together from the library's
// layers, with dimensions fixed below and random weights. It is run on sources of ids, all in one batch, greedily or with beams; what comes out means nothing.
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
  std::vector<std::string> source_texts;
  std::uint64_t seed = 0;
  GenerateOptions options{.max_length = 12, .decoding = Decoding::greedy, .decoder_start = begin_of_text, .end_of_text = {end_of_text}};
  command.add_option("--ids", source_texts, "A source: ids from 0 to 99; several times for a batch")->type_name("1,2,3");
  command.add_number("--max-length", options.max_length, "Tokens of a target, with the one that begins it");
  command.add_number("--beams", options.num_beams, "Texts that are followed side by side for each source; 1 is greedy");
  command.add_number("--texts", options.num_return_sequences, "Texts that are written for each source, of several beams");
  command.add_number("--seed", seed, "Seed of the weights");

  return command.run(argc, argv, [&](Context& context) {
    if (source_texts.empty()) source_texts = {"17,42,5,88,23"};
    std::vector<std::vector<TokenId>> sources;
    for (std::string const& text : source_texts) sources.push_back(parse_ids(text));
    if (options.num_beams > 1) options.decoding = Decoding::beam_search;
    auto model = OwnModel::create();
    initialize(model, {.seed = seed, .standard_deviation = 0.25}, context);

    // Every source runs once through the encoder, whatever its beams and texts; each text is the same, bit for bit, as alone.
    auto const texts = generate_batch(model, sources, options, context);

    if (command.json()) {
      Json document = {{"parameters", count_parameters(model)}, {"sources", Json::array()}};
      for (std::size_t s = 0; s < sources.size(); ++s) {
        Json targets = Json::array();
        for (auto const& text : texts[s]) targets.push_back({{"ids", text.ids}, {"score", text.beam_score}});
        document["sources"].push_back({{"ids", sources[s]}, {"targets", targets}});
      }
      std::cout << dump_json(document) << '\n';
      return;
    }
    print_module_tree(std::cout, fold_equal_modules(describe_modules(model)));
    std::cout << "\n\n" << count_parameters(model) << " parameters\n";
    auto const print_ids = [](char const* what, auto const& ids) {
      std::cout << what;
      for (TokenId const id : ids) std::cout << ' ' << id;
    };
    for (std::size_t s = 0; s < sources.size(); ++s) {
      print_ids("\nsource:", sources[s]);
      for (auto const& text : texts[s]) {
        print_ids("\ntarget:", text.ids);
        if (options.num_beams > 1) std::cout << "   score " << text.beam_score;
      }
      std::cout << '\n';
    }

    // The first target once more, whole, to see what each of its tokens attends to in the source.
    auto const& source_ids = sources[0];
    auto const& target_ids = texts[0][0].ids;
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
    std::cout << "\nCross-attention of the last layer, mean over heads: the first target's tokens by the source's\n";
    print_attention_table(std::cout, mean_over_heads(capture.cross_attention(layers - 1)), label(target_ids), label(source_ids));
  });
}
