// A model that reads one text and writes another: beams, samples and batches beside sources that are projected once give what recomputing everything
// for every token gives, to the bit, equal sources are encoded once, and decoding projects nothing of a source and allocates nothing.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/perplexity.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/generate/session.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/ops/select_rows.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "support/allocations.hpp"

using namespace axiform;

namespace {

using D = DynamicDimensions;
using Logits = Tensor<float, axes::Sequences, axes::VocabularyEntries>;

D const d{20, 2, 10, 28};
constexpr std::size_t layers = 2, vocabulary_size = 30, longest = 64, longest_source = 40;
CacheWidths const widths{.layers = layers, .heads = 2, .head_size = 10};

using Translator = EncoderDecoder<>;
static_assert(SequenceToSequenceModel<Translator>);
static_assert(!CausalLanguageModel<Translator>);
static_assert(RewindableLanguageModel<BesideSources<Translator>>);

// Vaswani et al. 2017 with random weights.
EncoderDecoderSettings settings() {
  StackSettings side{.layers = layers,
                     .layer = {.activation = Activation::relu},
                     .embedding = {.rows = PositionRows::interleaved_sinusoids, .positions = longest, .scale = std::sqrt(20.0F)}};
  EncoderDecoderSettings settings{.encoder = side, .decoder = side, .vocabulary = vocabulary_size};
  settings.encoder.embedding.positions = longest_source;
  return settings;
}

Translator seeded(EncoderDecoderSettings const& settings = ::settings()) {
  Context context;
  auto model = Translator::create(d, d, settings);
  initialize(model, {.seed = 5, .standard_deviation = 0.4}, context);
  return model;
}

// Encoded sources, packed.
struct Sources {
  SequenceOffsets<axes::SourceTokens> sequences;
  std::vector<TokenId> ids;
  Tensor<float, axes::SourceTokens, axes::Hidden> states;

  Sources(Translator const& model, std::vector<std::vector<TokenId>> const& sources, Context& context) : states(0, 0) {
    for (auto const& source : sources) {
      ids.insert(ids.end(), source.begin(), source.end());
      sequences.append(source.size());
    }
    states = model.encode({ids, sequences}, context);
  }
  EncoderOutput<D> output() const { return {states, sequences}; }
};

// The decoder without any cache: whole texts run for every token, each by itself beside its own source, whose keys and values are made again.
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
  Translator const& model;
  Sources const& sources;

  std::size_t positions() const { return longest; }
  std::size_t vocabulary() const { return vocabulary_size; }
  std::span<TokenId const> source(std::size_t s) const {
    return std::span(sources.ids).subspan(sources.sequences.offset(s), sources.sequences.length(s));
  }
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
      auto const x = model({.ids = text, .sequences = whole}, EncoderOutput<D>(states, one_source), context);
      auto const logits = model.logits(select_rows(x, whole, SequenceRow::last_or_zeros, context), context);
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
    {"greedy", {.max_new_tokens = 9, .decoding = Decoding::greedy, .decoder_start = 0}},
    {"beams",
     {.max_new_tokens = 9,
      .num_return_sequences = 3,
      .decoding = Decoding::beam_search,
      .num_beams = 4,
      .decoder_start = 0,
      .end_of_text = {1}}},
    {"long beams",
     {.max_new_tokens = 20,
      .num_return_sequences = 2,
      .decoding = Decoding::beam_search,
      .num_beams = 5,
      .length_penalty = 2.0,
      .decoder_start = 0,
      .end_of_text = {1, 3}}},
    {"beams that sample",
     {.max_new_tokens = 9, .num_return_sequences = 3, .decoding = Decoding::beam_sample, .num_beams = 3, .seed = 7, .decoder_start = 0}},
    {"beams that heed the source",
     {.max_new_tokens = 9,
      .num_return_sequences = 2,
      .decoding = Decoding::beam_search,
      .num_beams = 3,
      .encoder_repetition_penalty = 2.0,
      .encoder_no_repeat_ngram_size = 2,
      .processed_scores = ProcessedScores::renormalized,
      .decoder_start = 0}},
    {"samples", {.max_new_tokens = 9, .num_return_sequences = 5, .seed = 11, .decoder_start = 0}},
    {"samples without the source's tokens",
     {.max_new_tokens = 9, .num_return_sequences = 2, .encoder_no_repeat_ngram_size = 1, .seed = 11, .decoder_start = 0}},
};

void check_equal(std::vector<GeneratedSequence> const& found, std::vector<GeneratedSequence> const& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].ids == expected[i].ids);
    CHECK(found[i].beam_score == expected[i].beam_score);
    CHECK(found[i].finish == expected[i].finish);
  }
}

// What is computed of self-attention and of cross-attention, in rows.
class CountedRows final : public Observer {
 public:
  void operation(LayerOperation operation, View<axes::Tokens, axes::Hidden> seen) override {
    if (operation == LayerOperation::query) ++queries;
    if (operation == LayerOperation::cross_query) ++cross_queries;
    if (operation == LayerOperation::cross_key) keys.push_back(seen.rows());
    if (operation == LayerOperation::cross_value) values.push_back(seen.rows());
  }
  std::size_t queries = 0, cross_queries = 0;
  std::vector<std::size_t> keys, values;  // rows of each projection of a source
};

}  // namespace

TEST_CASE("sequence to sequence: greedy texts, beams and samples are those of a model that recomputes everything, with their scores") {
  auto const model = seeded();
  std::vector<TokenId> const prompt{0};
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    Sources const sources(model, {source_ids[0]}, context);
    Recomputed const recomputed{model, sources};
    for (auto const& [name, options] : ways) {
      CAPTURE(name);
      auto const found = generate_sequences(model, source_ids[0], options, context);
      check_equal(found, generate_sequences(recomputed, prompt, options, context));
      CHECK(found[0].ids.front() == 0);
      CHECK(found[0].prompt_length == 1);
      CHECK(generate(model, source_ids[0], options, context)[0] == found[0].ids);
      if (options.num_return_sequences > 1) CHECK(found[0].ids != found[1].ids);
    }
  }
}

TEST_CASE("sequence to sequence: sources run together, in parts, in another order and beside equal ones as each source alone") {
  auto const model = seeded();
  std::vector<std::vector<TokenId>> const several{source_ids[0], source_ids[1], source_ids[0], source_ids[2], source_ids[1], source_ids[0]};
  std::vector<std::vector<TokenId>> const reversed(several.rbegin(), several.rend());
  for (std::size_t threads : {1, 2}) {
    Context context = Context::with_threads(threads);
    for (auto [name, options] : ways) {
      CAPTURE(name);
      std::vector<std::vector<GeneratedSequence>> alone;
      for (auto const& source : several) alone.push_back(generate_sequences(model, source, options, context));
      CHECK(alone[0][0].ids != alone[1][0].ids);
      for (std::size_t batch_size : {1, 10, 64}) {
        CAPTURE(batch_size);
        options.batch_size = batch_size;
        auto const found = generate_batch(model, several, options, context);
        auto const backwards = generate_batch(model, reversed, options, context);
        REQUIRE(found.size() == several.size());
        for (std::size_t p = 0; p < several.size(); ++p) {
          check_equal(found[p], alone[p]);
          check_equal(backwards[several.size() - 1 - p], alone[p]);
        }
      }
    }
  }
  Context context;
  CHECK(generate_batch(model, std::vector<std::vector<TokenId>>{}, ways[0].options, context).empty());
}

TEST_CASE(
    "sequence to sequence: beside sources that were read once, beginnings of targets go on as a model that recomputes everything has "
    "them") {
  auto const model = seeded();
  std::vector<std::vector<TokenId>> const prompts{{0}, {0, 8, 3}, {0}};
  Context context = Context::with_threads(2);
  Sources const sources(model, source_ids, context);
  BesideSources const beside(model, source_ids, context);
  Recomputed const recomputed{model, sources};
  for (auto [name, options] : ways) {
    CAPTURE(name);
    auto const expected = generate_batch(recomputed, prompts, options, context);
    CHECK(expected[0][0].ids != expected[2][0].ids);  // the same prompt beside another source
    for (std::size_t batch_size : {1, 10, 64}) {
      CAPTURE(batch_size);
      options.batch_size = batch_size;
      auto const found = generate_batch(beside, prompts, options, context);
      for (std::size_t p = 0; p < prompts.size(); ++p) check_equal(found[p], expected[p]);
    }
  }
  CHECK_THROWS_WITH_AS(generate_batch(beside, std::vector(4, prompts[0]), ways[0].options, context),
                       "sources: found prompts 0 to 4, expected some of 3", ArgumentError);
  CHECK(std::ranges::equal(beside.source(1), source_ids[1]));
  CHECK_THROWS_WITH_AS(beside.source(3), "sources: found source 3, expected one of 3", ArgumentError);
  CHECK_THROWS_WITH_AS(beside.make_cache(4, 9), "sources: found 4 sequences beside 3 sources, expected as many for each", ArgumentError);
}

TEST_CASE("sequence to sequence: a source is projected once for each layer, equal ones share it, and a decoding step projects nothing") {
  auto const model = seeded();
  Context context;
  for (auto const& [name, options] : ways) {
    CAPTURE(name);
    CountedRows seen;
    context.observe(&seen);
    generate(model, source_ids[0], options, context);
    CHECK(seen.keys == std::vector<std::size_t>(layers, source_ids[0].size()));
    CHECK(seen.values == seen.keys);
    CHECK(seen.cross_queries >= layers * 2);             // passes of the decoder
    CHECK(seen.queries == seen.cross_queries + layers);  // and one of the encoder
  }
  GenerateOptions options = ways[0].options;
  std::vector<std::vector<TokenId>> const several{source_ids[0], source_ids[1], source_ids[0], source_ids[1]};
  std::size_t const both = source_ids[0].size() + source_ids[1].size();
  CountedRows together;
  context.observe(&together);
  generate_batch(model, several, options, context);
  CHECK(together.keys == std::vector<std::size_t>(layers, both));
  CHECK(together.queries == together.cross_queries + layers);
  options.batch_size = 2;
  CountedRows in_parts;
  context.observe(&in_parts);
  generate_batch(model, several, options, context);
  CHECK(in_parts.keys == std::vector<std::size_t>(2 * layers, both));

  CountedRows before, steps;
  context.observe(&before);
  BesideSources const beside(model, several, context);
  CHECK(before.keys == std::vector<std::size_t>(layers, both));
  auto cache = beside.make_cache(4, 9);
  context.observe(&steps);
  std::vector<TokenId> const ids{0, 0, 0, 0};
  auto const one_each = SequenceOffsets<axes::Tokens>::of_lengths({1, 1, 1, 1});
  for (int i = 0; i < 3; ++i) beside.last_logits(ids, one_each, cache, context);
  CHECK(steps.cross_queries == 3 * layers);
  CHECK(steps.keys.empty());
  CHECK(steps.values.empty());
  context.observe(nullptr);
}

TEST_CASE("sequence to sequence: a whole target beside its source has the log-probabilities of generation's reports, and sessions go on") {
  auto const model = seeded();
  Context context;
  GenerateOptions options = ways[0].options;
  options.report = ReportOptions{};
  auto const text = generate_sequences(model, source_ids[1], options, context)[0];
  BesideSources const beside(model, source_ids[1], context);
  auto const reports = report_tokens(beside, text.ids, 0, context);
  REQUIRE(reports.size() == text.reports.size());
  double sum = 0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    CHECK(reports[i].log_probability == text.reports[i].log_probability);
    sum += reports[i].log_probability;
  }
  CHECK(perplexity(beside, text.ids, {}, context).mean_log_probability == doctest::Approx(sum / static_cast<double>(reports.size())));

  GenerationSession session(beside);
  session.append({0});
  CHECK(session.generate({.max_new_tokens = 4, .decoding = Decoding::greedy}, context).ids ==
        std::vector(text.ids.begin(), text.ids.begin() + 5));
  CHECK(session.fork().generate({.max_new_tokens = 5, .decoding = Decoding::greedy}, context).ids == text.ids);

  options.prompt_lookup = PromptLookup{.tokens = 4, .ngram = 1};
  auto const looked_up = generate_sequences(model, source_ids[1], options, context)[0];
  CHECK(looked_up.ids == text.ids);
}

TEST_CASE("sequence to sequence: what is told while texts are written counts sources, and a stop before the encoder runs leaves it out") {
  auto const model = seeded();
  Context context;
  GenerateOptions options{.max_length = 5, .num_return_sequences = 2, .seed = 3, .decoder_start = 4};
  std::vector<std::vector<TokenId>> told(6, {4});
  std::vector<std::size_t> done;
  options.batch_size = 4;
  options.on_token = [&](GeneratedToken token) { told.at(token.sequence).push_back(token.id); };
  options.progress = [&](Progress progress) {
    CHECK(progress.total == 3);
    done.push_back(progress.done);
  };
  auto const texts = generate_batch(model, source_ids, options, context);
  for (std::size_t s = 0; s < 6; ++s) CHECK(told[s] == texts[s / 2][s % 2].ids);
  CHECK(done == std::vector<std::size_t>{2, 3});

  std::stop_source stop;
  stop.request_stop();
  options.stop = stop.get_token();
  CountedRows seen;
  context.observe(&seen);
  for (auto const& of_source : generate_batch(model, source_ids, options, context))
    for (auto const& text : of_source) {
      CHECK(text.ids == std::vector<TokenId>{4});
      CHECK(text.prompt_length == 1);
      CHECK(text.finish == FinishReason::stopped);
    }
  CHECK(seen.queries == 0);
  context.observe(nullptr);
}

TEST_CASE("sequence to sequence: what cannot be read or begun is refused by name, before anything runs") {
  auto const model = seeded();
  Context context;
  GenerateOptions const options = ways[0].options;
  auto const refuses = [&](std::vector<std::vector<TokenId>> const& sources, GenerateOptions const& how, char const* message) {
    CountedRows seen;
    context.observe(&seen);
    CHECK_THROWS_WITH_AS(generate_batch(model, sources, how, context), message, ArgumentError);
    CHECK(seen.queries == 0);
    context.observe(nullptr);
  };
  auto with = [&](auto change) {
    GenerateOptions changed = options;
    change(changed);
    return changed;
  };
  refuses({{}}, options, "source: found no token, expected at least one");
  refuses({{3}, {}}, options, "source 1: found no token, expected at least one");
  refuses({std::vector<TokenId>(41, 3)}, options, "source: found 41 tokens, expected at most the encoder's 40 positions");
  refuses({{3}, {5, 30}}, options, "source 1: token id 30 at position 1: expected 0 to 29");
  refuses({{-1}}, options, "source: token id -1 at position 0: expected 0 to 29");
  refuses({{3}}, with([](auto& o) { o.decoder_start.reset(); }),
          "decoder_start: found none, expected the token with which the decoder begins (decoder_start_token_id of the checkpoint)");
  refuses({{3}}, with([](auto& o) { o.decoder_start = 30; }), "decoder_start: found token id 30, expected 0 to 29");
  refuses({{3}}, with([](auto& o) { o.max_new_tokens = 64; }),
          "max_new_tokens: 64 tokens behind a prompt of 1 do not fit the model's 64 positions");
  CHECK_THROWS_WITH_AS(generate(model, {}, options, context), "source: found no token, expected at least one", ArgumentError);
  CHECK_THROWS_WITH_AS(BesideSources(model, {30}, context), "source: token id 30 at position 0: expected 0 to 29", ArgumentError);
  CHECK(generate(model, std::vector<TokenId>(40, 3), options, context)[0].size() == 10);

  EncoderDecoderSettings two_tables = settings();
  two_tables.tables = TokenTables::separate;
  two_tables.source_vocabulary = 35;
  auto const separate = seeded(two_tables);
  CHECK(generate(separate, {34}, options, context)[0].size() == 10);
  CHECK_THROWS_WITH_AS(generate(separate, {35}, options, context), "source: token id 35 at position 0: expected 0 to 34", ArgumentError);
}

TEST_CASE("decoder cache: a fork has the source of the sequence that it comes from, to the bit") {
  auto const model = seeded();
  Context context;
  Sources const sources(model, {source_ids[0], source_ids[1]}, context);
  auto const projected = std::make_shared<ProjectedSource const>(model.decoder.stack.project_source(sources.output(), context));
  std::vector<std::size_t> const two_of_each{0, 0, 1, 1}, two_of_the_first{0, 0};
  auto cache = model.make_cache(projected, two_of_each, 10);
  CHECK(std::ranges::equal(cache.source_of(), two_of_each));
  std::vector<TokenId> const ids{0, 5, 0, 5, 0, 5, 0, 5};
  auto const two_each = SequenceOffsets<axes::Tokens>::of_lengths({2, 2, 2, 2});
  auto const first = model.last_logits(ids, two_each, cache, context);
  CHECK(std::ranges::equal(first.row(0), first.row(1)));
  CHECK_FALSE(std::ranges::equal(first.row(0), first.row(2)));
  cache.fork(2, 0, 2);  // the same tokens, beside another source: nothing is common
  CHECK(std::ranges::equal(cache.source_of(), std::vector<std::size_t>{1, 0, 1, 1}));
  std::vector<TokenId> const next{7, 7, 7, 7};
  auto const second = model.last_logits(next, SequenceOffsets<axes::Tokens>::of_lengths({1, 1, 1, 1}), cache, context);
  CHECK(std::ranges::equal(second.row(0), second.row(2)));
  CHECK_FALSE(std::ranges::equal(second.row(0), second.row(1)));

  auto other = model.make_cache(projected, two_of_the_first, 10);
  other.copy(cache, 1, 1);
  CHECK(std::ranges::equal(other.source_of(), std::vector<std::size_t>{0, 0}));
  CHECK(other.lengths()[1] == 3);
  DecoderCache stranger(widths, two_of_the_first, 10, model.decoder.stack.project_source(sources.output(), context));
  CHECK_THROWS_AS(stranger.copy(cache, 0, 0), ArgumentError);
}

TEST_CASE("decoder cache: sources that are not there are refused") {
  auto const model = seeded();
  Context context;
  Sources const sources(model, {source_ids[0], source_ids[1]}, context);
  auto const projected = std::make_shared<ProjectedSource const>(model.decoder.stack.project_source(sources.output(), context));
  std::vector<std::size_t> const beyond{1, 2}, first{0};
  CHECK_THROWS_WITH_AS(DecoderCache(widths, beyond, 10, projected), "decoder cache: found source 2, expected one of 2", ArgumentError);
  CHECK_THROWS_WITH_AS(DecoderCache(widths, first, 10, std::shared_ptr<ProjectedSource const>()),
                       "decoder cache: found source 0, expected one of 0", ArgumentError);
  CHECK_THROWS_AS(projected->keys(layers, 0), ArgumentError);
  CHECK_THROWS_AS(projected->keys(0, 2), ArgumentError);
}

TEST_CASE("sequence to sequence: a source is projected into memory that is allocated once, and decoding beside it allocates nothing") {
  auto const model = seeded();
  Context context = Context::with_threads(2);
  Sources const sources(model, source_ids, context);
  model.decoder.stack.project_source(sources.output(), context);
  std::size_t before = test::allocations;
  ProjectedSource projected = model.decoder.stack.project_source(sources.output(), context);
  CHECK(test::allocations - before == 2);  // the keys and values, and where each source has its own

  std::vector<std::size_t> const two_of_each{0, 0, 1, 1, 2, 2};
  DecoderCache cache(widths, two_of_each, longest, std::move(projected));
  std::vector<TokenId> const ids{0, 1, 2, 3, 4, 5};
  auto const one_each = SequenceOffsets<axes::Tokens>::of_lengths({1, 1, 1, 1, 1, 1});
  auto const decode = [&](std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) {
      model.last_logits(ids, one_each, cache, context);
      cache.fork(i % 2, 1 - i % 2, 0);
    }
  };
  decode(50);
  for (std::size_t s = 0; s < 6; ++s) cache.truncate(s, 10);
  before = test::allocations;
  decode(40);
  CHECK(test::allocations == before);
}
