// An encoder-decoder beside sources that are projected once: beams, samples and batches of prompts give what recomputing everything for every
// token gives, to the bit, and decoding allocates nothing.
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/nn/decoder.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/sinusoids.hpp>
#include <axiform/ops/select_rows.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "support/allocations.hpp"

using namespace axiform;

namespace {

using D = DynamicDimensions;
using Logits = Tensor<float, axes::Sequences, axes::VocabularyEntries>;

D const d{20, 2, 10, 28};
constexpr std::size_t layers = 2, vocabulary_size = 30, longest = 64;
CacheWidths const widths{.layers = layers, .heads = 2, .head_size = 10};

// Vaswani et al. 2017 with random weights, as examples/own_model.cpp has it.
struct EncoderDecoder {
  TiedEmbedding<axes::VocabularyEntries, axes::Hidden> tokens{{vocabulary_size}, {20}};
  Sinusoids<axes::Hidden> positions{longest, {20}, SinusoidLayout::interleaved};
  Encoder<D, NormPlacement::after> encoder = Encoder<D, NormPlacement::after>::create(d, layers, {.activation = Activation::relu});
  Decoder<D, NormPlacement::after> decoder = Decoder<D, NormPlacement::after>::create(d, layers, {.activation = Activation::relu});

  template <Axis Rows>
  Tensor<float, Rows, axes::Hidden> embed(std::span<TokenId const> ids, SequenceOffsets<Rows> const& sequences,
                                          std::span<std::size_t const> past, Context& context) const {
    auto x = make_tensor<float>(context, Shape<Rows, axes::Hidden>(ids.size(), tokens.columns()));
    tokens.write_rows(ids, x.view(), "token id");
    for (float& value : x.elements()) value *= std::sqrt(20.0F);
    positions.add_positions(sequences, x.view(), past);
    return x;
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("tokens", self.tokens);
    visitor("positions", self.positions);
    visitor("encoder", self.encoder);
    visitor("decoder", self.decoder);
  }
};

EncoderDecoder seeded() {
  Context context;
  EncoderDecoder model;
  initialize(model, {.seed = 5, .standard_deviation = 0.4}, context);
  return model;
}

// Encoded sources, packed.
struct Sources {
  SequenceOffsets<axes::SourceTokens> sequences;
  Tensor<float, axes::SourceTokens, axes::Hidden> states;

  Sources(EncoderDecoder const& model, std::vector<std::vector<TokenId>> const& sources, Context& context) : states(0, 0) {
    std::vector<TokenId> ids;
    for (auto const& source : sources) {
      ids.insert(ids.end(), source.begin(), source.end());
      sequences.append(source.size());
    }
    states = model.encoder(model.embed(ids, sequences, {}, context), sequences, context);
  }
  EncoderOutput<D> output() const { return {states, sequences}; }
};

// The decoder beside projected sources, one for each prompt.
struct Translation {
  using Cache = DecoderCache;
  EncoderDecoder const& model;
  std::shared_ptr<ProjectedSource const> source;

  std::size_t positions() const { return longest; }
  std::size_t vocabulary() const { return vocabulary_size; }
  Cache make_cache(std::size_t sequences, std::size_t capacity) const {
    return Cache(model.decoder.cache_widths(), sequences, capacity, source);
  }
  Cache make_cache(PromptRange prompts, std::size_t sequences, std::size_t capacity) const {
    return Cache(model.decoder.cache_widths(), sequences, capacity, source, {prompts.first, prompts.count});
  }
  Logits last_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const {
    auto const x = model.embed(ids, sequences, cache.lengths(), context);
    auto const states = model.decoder(x, {.sequences = sequences, .source = cache, .cache = &cache.past()}, context);
    return model.tokens.product(select_rows(states, sequences, SequenceRow::last_or_zeros, context), context);
  }
};

// The same without any cache: whole texts run for every token, each by itself beside its own source, whose keys and values are made again.
struct Recomputed {
  struct Cache {
    std::vector<std::vector<TokenId>> ids;
    std::vector<std::size_t> source_of, counts;

    std::span<std::size_t const> lengths() const { return counts; }
    void fork(std::size_t from, std::size_t to, std::size_t common) {
      REQUIRE(source_of[from] == source_of[to]);
      REQUIRE(std::equal(ids[from].begin(), ids[from].begin() + static_cast<std::ptrdiff_t>(common), ids[to].begin()));
      ids[to] = ids[from];
      counts[to] = counts[from];
    }
  };
  EncoderDecoder const& model;
  Sources const& sources;

  std::size_t positions() const { return longest; }
  std::size_t vocabulary() const { return vocabulary_size; }
  Cache make_cache(std::size_t sequences, std::size_t capacity) const {
    return make_cache({.first = 0, .count = sources.sequences.count()}, sequences, capacity);
  }
  Cache make_cache(PromptRange prompts, std::size_t sequences, std::size_t) const {
    Cache cache{std::vector<std::vector<TokenId>>(sequences), {}, std::vector<std::size_t>(sequences)};
    for (std::size_t s = 0; s < sequences; ++s) cache.source_of.push_back(prompts.first + s * prompts.count / sequences);
    return cache;
  }
  Logits last_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const {
    auto result = make_tensor<float>(context, Shape<axes::Sequences, axes::VocabularyEntries>(sequences.count(), vocabulary_size));
    for (std::size_t s = 0; s < sequences.count(); ++s) {
      auto const added = ids.subspan(sequences.offset(s), sequences.length(s));
      auto& text = cache.ids[s];
      text.insert(text.end(), added.begin(), added.end());
      cache.counts[s] = text.size();
      if (added.empty()) continue;
      std::size_t const first = sources.sequences.offset(cache.source_of[s]), count = sources.sequences.length(cache.source_of[s]);
      auto const one_source = SequenceOffsets<axes::SourceTokens>::single(count);
      View<axes::SourceTokens, axes::Hidden> const states(sources.states.row(first).data(),
                                                          Shape<axes::SourceTokens, axes::Hidden>(count, std::size_t{20}));
      auto const whole = SequenceOffsets<axes::Tokens>::single(text.size());
      auto const x = model.decoder(model.embed(text, whole, {}, context),
                                   {.sequences = whole, .source = EncoderOutput<D>(states, one_source)}, context);
      auto const logits = model.tokens.product(select_rows(x, whole, SequenceRow::last_or_zeros, context), context);
      std::ranges::copy(logits.row(0), result.row(s).begin());
    }
    return result;
  }
};

std::vector<std::vector<TokenId>> const source_ids{{17, 4, 5, 28, 23}, {9, 2, 2, 14, 29, 3, 7, 11, 20}, {12}};

struct Named {
  char const* name;
  GenerateOptions options;
};
std::vector<Named> const ways{
    {"greedy", {.max_new_tokens = 9, .decoding = Decoding::greedy}},
    {"beams", {.max_new_tokens = 9, .num_return_sequences = 3, .decoding = Decoding::beam_search, .num_beams = 4, .end_of_text = {1}}},
    {"long beams",
     {.max_new_tokens = 20,
      .num_return_sequences = 2,
      .decoding = Decoding::beam_search,
      .num_beams = 5,
      .length_penalty = 2.0,
      .end_of_text = {1, 3}}},
    {"beams that sample", {.max_new_tokens = 9, .num_return_sequences = 3, .decoding = Decoding::beam_sample, .num_beams = 3, .seed = 7}},
    {"samples", {.max_new_tokens = 9, .num_return_sequences = 5, .seed = 11}},
};

void check_equal(std::vector<GeneratedSequence> const& found, std::vector<GeneratedSequence> const& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].ids == expected[i].ids);
    CHECK(found[i].beam_score == expected[i].beam_score);
    CHECK(found[i].finish == expected[i].finish);
  }
}

}  // namespace

TEST_CASE("encoder-decoder: greedy texts, beams and samples are those of a model that recomputes everything, with their scores") {
  auto const model = seeded();
  std::vector<TokenId> const prompt{0};
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    Sources const sources(model, {source_ids[0]}, context);
    Translation const cached{model, std::make_shared<ProjectedSource const>(model.decoder.project_source(sources.output(), context))};
    Recomputed const recomputed{model, sources};
    for (auto const& [name, options] : ways) {
      CAPTURE(name);
      auto const found = generate_sequences(cached, prompt, options, context);
      check_equal(found, generate_sequences(recomputed, prompt, options, context));
      if (options.num_return_sequences > 1) CHECK(found[0].ids != found[1].ids);
    }
  }
}

TEST_CASE("encoder-decoder: several sources with several texts each run together, or in parts, as each source alone") {
  auto const model = seeded();
  std::vector<std::vector<TokenId>> const prompts{{0}, {0, 8, 3}, {0}};
  Context context = Context::with_threads(2);
  Sources const sources(model, source_ids, context);
  Translation const cached{model, std::make_shared<ProjectedSource const>(model.decoder.project_source(sources.output(), context))};
  Recomputed const recomputed{model, sources};
  for (auto [name, options] : ways) {
    CAPTURE(name);
    auto const expected = generate_batch(recomputed, prompts, options, context);
    CHECK(expected[0][0].ids != expected[2][0].ids);  // the same prompt beside another source
    for (std::size_t batch_size : {1, 10, 64}) {
      CAPTURE(batch_size);
      options.batch_size = batch_size;
      auto const found = generate_batch(cached, prompts, options, context);
      for (std::size_t p = 0; p < prompts.size(); ++p) check_equal(found[p], expected[p]);
    }
    if (options.decoding == Decoding::beam_sample || options.decoding == Decoding::sample) continue;  // other random numbers
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      Sources const one(model, {source_ids[p]}, context);
      Translation const alone{model, std::make_shared<ProjectedSource const>(model.decoder.project_source(one.output(), context))};
      check_equal(generate_sequences(alone, prompts[p], options, context), expected[p]);
    }
  }
}

TEST_CASE("decoder cache: a fork has the source of the sequence that it comes from, to the bit") {
  auto const model = seeded();
  Context context;
  Sources const sources(model, {source_ids[0], source_ids[1]}, context);
  auto const projected = std::make_shared<ProjectedSource const>(model.decoder.project_source(sources.output(), context));
  Translation const translation{model, projected};
  auto cache = translation.make_cache(4, 10);
  CHECK(std::ranges::equal(cache.source_of(), std::vector<std::size_t>{0, 0, 1, 1}));
  std::vector<TokenId> const ids{0, 5, 0, 5, 0, 5, 0, 5};
  auto const two_each = SequenceOffsets<axes::Tokens>::of_lengths({2, 2, 2, 2});
  auto const first = translation.last_logits(ids, two_each, cache, context);
  CHECK(std::ranges::equal(first.row(0), first.row(1)));
  CHECK_FALSE(std::ranges::equal(first.row(0), first.row(2)));
  cache.fork(2, 0, 2);  // the same tokens, beside another source: nothing is common
  CHECK(std::ranges::equal(cache.source_of(), std::vector<std::size_t>{1, 0, 1, 1}));
  std::vector<TokenId> const next{7, 7, 7, 7};
  auto const second = translation.last_logits(next, SequenceOffsets<axes::Tokens>::of_lengths({1, 1, 1, 1}), cache, context);
  CHECK(std::ranges::equal(second.row(0), second.row(2)));
  CHECK_FALSE(std::ranges::equal(second.row(0), second.row(1)));

  auto other = translation.make_cache(2, 10);
  other.copy(cache, 1, 1);
  CHECK(std::ranges::equal(other.source_of(), std::vector<std::size_t>{0, 0}));
  CHECK(other.lengths()[1] == 3);
  DecoderCache stranger(widths, 2, 10, model.decoder.project_source(sources.output(), context));
  CHECK_THROWS_AS(stranger.copy(cache, 0, 0), ArgumentError);
}

TEST_CASE("decoder cache: sequences that sources do not divide, and sources that are not there, are refused") {
  auto const model = seeded();
  Context context;
  Sources const sources(model, {source_ids[0], source_ids[1]}, context);
  auto const projected = std::make_shared<ProjectedSource const>(model.decoder.project_source(sources.output(), context));
  CHECK_THROWS_WITH_AS(DecoderCache(widths, 3, 10, projected), "decoder cache: found 3 sequences for 2 sources, expected as many for each",
                       ArgumentError);
  CHECK_THROWS_AS(DecoderCache(widths, 2, 10, std::shared_ptr<ProjectedSource const>()), ArgumentError);
  DecoderCache const second(widths, 3, 10, projected, {.first = 1, .count = 1});
  CHECK(std::ranges::equal(second.source_of(), std::vector<std::size_t>{1, 1, 1}));
  CHECK_THROWS_WITH_AS(DecoderCache(widths, 2, 10, projected, {.first = 1, .count = 2}),
                       "decoder cache: found sources 1 to 3, expected some of 2", ArgumentError);
  CHECK_THROWS_AS(DecoderCache(widths, 2, 10, projected, {.first = 3, .count = 0}), ArgumentError);
  CHECK_THROWS_AS(projected->keys(layers, 0), ArgumentError);
  CHECK_THROWS_AS(projected->keys(0, 2), ArgumentError);
}

TEST_CASE("encoder-decoder: a source is projected into memory that is allocated once, and decoding beside it allocates nothing") {
  auto const model = seeded();
  Context context = Context::with_threads(2);
  Sources const sources(model, source_ids, context);
  model.decoder.project_source(sources.output(), context);
  std::size_t before = test::allocations;
  ProjectedSource projected = model.decoder.project_source(sources.output(), context);
  CHECK(test::allocations - before == 2);  // the keys and values, and where each source has its own

  Translation const translation{model, std::make_shared<ProjectedSource const>(std::move(projected))};
  auto cache = translation.make_cache(6, longest);
  std::vector<TokenId> const ids{0, 1, 2, 3, 4, 5};
  auto const one_each = SequenceOffsets<axes::Tokens>::of_lengths({1, 1, 1, 1, 1, 1});
  auto const decode = [&](std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) {
      translation.last_logits(ids, one_each, cache, context);
      cache.fork(i % 2, 1 - i % 2, 0);
    }
  };
  decode(50);
  for (std::size_t s = 0; s < 6; ++s) cache.truncate(s, 10);
  before = test::allocations;
  decode(40);
  CHECK(test::allocations == before);
}
