// Speculative decoding against the large model alone, and sessions against texts made at once.
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/perplexity.hpp>
#include <axiform/generate/session.hpp>
#include <axiform/generate/speculative.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/initialize.hpp>
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <vector>

using namespace axiform;

namespace {

Gpt2<> seeded_gpt2(std::size_t layers, std::uint64_t seed, double deviation, std::size_t vocabulary = 50, std::size_t positions = 60) {
  Context context;
  auto gpt2 = Gpt2<>::create({16, 2, 8, 32}, {.layers = layers, .vocabulary = vocabulary, .positions = positions});
  initialize(gpt2, {.seed = seed, .standard_deviation = deviation}, context);
  return gpt2;
}

std::vector<TokenId> const prompt{7, 8, 9};

// How far drawn counts are from what is expected: the sum of (drawn - expected)^2 / expected, and the number of terms less one. Cells that
// expect less than 5 are joined.
struct ChiSquared {
  double value = 0;
  double degrees = -1;
};
ChiSquared chi_squared(std::map<std::vector<TokenId>, double> const& probabilities,
                       std::map<std::vector<TokenId>, std::size_t> const& drawn, double draws) {
  ChiSquared result;
  double rest_expected = 0, rest_drawn = 0;
  auto const add = [&](double expected, double found) {
    result.value += (found - expected) * (found - expected) / expected;
    ++result.degrees;
  };
  for (auto const& [tokens, probability] : probabilities) {
    auto const found = drawn.find(tokens);
    double const count = found == drawn.end() ? 0.0 : static_cast<double>(found->second);
    if (probability * draws >= 5) {
      add(probability * draws, count);
    } else {
      rest_expected += probability * draws, rest_drawn += count;
    }
  }
  if (rest_expected >= 5) add(rest_expected, rest_drawn);
  return result;
}
// A value that chi-squared exceeds once in 10 000 (Wilson and Hilferty 1931).
double critical(double degrees) { return degrees * std::pow(1 - 2 / (9 * degrees) + 3.719 * std::sqrt(2 / (9 * degrees)), 3); }

// The probability of every continuation of so many tokens.
void all_continuations(Gpt2<> const& model, GenerateOptions const& options, std::vector<TokenId> const& so_far, std::size_t more,
                       double probability, std::map<std::vector<TokenId>, double>& result, Context& context) {
  if (more == 0) {
    result[so_far] = probability;
    return;
  }
  auto logits = model.logits(model(so_far, context), context);
  TokenChooser chooser(options, prompt, prompt.size(), 40);
  chooser.read(logits.row(so_far.size() - 1), so_far);
  for (auto const& candidate : chooser.candidates()) {
    auto next = so_far;
    next.push_back(candidate.id);
    all_continuations(model, options, next, more - 1, probability * candidate.probability, result, context);
  }
}

}  // namespace

TEST_CASE("speculative decoding: greedily the tokens are those of the large model alone, whatever the small one proposes") {
  auto const large = seeded_gpt2(3, 1, 0.3);
  Context context = Context::with_threads(2);
  Context one;
  for (auto const& small : {seeded_gpt2(1, 2, 0.3), seeded_gpt2(3, 1, 0.3), seeded_gpt2(1, 1, 0.2, 50, 20)})
    for (std::size_t tokens : {1, 3, 7})
      for (GenerateOptions options : {GenerateOptions{.max_new_tokens = 40},
                                      GenerateOptions{.repetition_penalty = 1.3, .no_repeat_ngram_size = 2},
                                      GenerateOptions{.max_new_tokens = 40, .min_new_tokens = 5, .end_of_text = {3, 4, 5, 6, 30, 31, 32}},
                                      GenerateOptions{.max_new_tokens = 1}}) {
        options.decoding = Decoding::greedy;
        options.report = ReportOptions{.alternatives = 2};
        auto const expected = generate_sequences(large, prompt, options, one)[0];
        auto const found = generate_speculatively(large, small, prompt, options, {.tokens = tokens}, context);
        CHECK(found.sequence.ids == expected.ids);
        CHECK(found.sequence.finish == expected.finish);
        CHECK(found.sequence.prompt_length == 3);
        REQUIRE(found.sequence.reports.size() == expected.reports.size());
        for (std::size_t i = 0; i < expected.reports.size(); ++i)
          CHECK(found.sequence.reports[i].log_probability == expected.reports[i].log_probability);
        CHECK(found.accepted <= found.proposed);
      }
}

TEST_CASE("speculative decoding: a model that proposes to itself is always accepted, and one token of prompt is enough") {
  auto const model = seeded_gpt2(2, 1, 0.3);
  Context context;
  for (Decoding decoding : {Decoding::greedy, Decoding::sample}) {
    auto const found = generate_speculatively(model, model, std::vector<TokenId>{5}, {.max_length = 31, .decoding = decoding, .seed = 4},
                                              {.tokens = 4}, context);
    CHECK(found.sequence.ids.size() == 31);
    CHECK(found.proposed == 24);
    CHECK(found.accepted == 24);
  }
}

TEST_CASE("speculative decoding: drawn texts have the distribution of the large model alone (chi-squared)") {
  auto const large = seeded_gpt2(2, 5, 0.25, 6);
  auto const small = seeded_gpt2(1, 6, 0.25, 6);
  Context context;
  for (SamplingOptions const& sampling : {SamplingOptions{}, SamplingOptions{.temperature = 0.7, .top_k = 4, .top_p = 0.95}}) {
    GenerateOptions options{.max_new_tokens = 3, .repetition_penalty = 1.1, .sampling = sampling};
    std::vector<TokenId> const start{1, 2, 3};
    std::map<std::vector<TokenId>, double> expected;
    all_continuations(large, options, start, 3, 1.0, expected, context);
    std::map<std::vector<TokenId>, std::size_t> drawn, drawn_alone;
    std::size_t const draws = 4000;
    std::size_t proposed = 0, accepted = 0;
    for (std::size_t i = 0; i < draws; ++i) {
      options.seed = i;
      auto const text = generate_speculatively(large, small, start, options, {.tokens = 2}, context);
      proposed += text.proposed, accepted += text.accepted;
      ++drawn[text.sequence.ids];
      ++drawn_alone[generate(large, start, options, context)[0]];
    }
    CHECK(accepted > proposed / 4);
    CHECK(accepted < proposed);
    for (auto const& counts : {drawn, drawn_alone}) {
      for (auto const& [tokens, count] : counts) CHECK(expected.contains(tokens));
      auto const found = chi_squared(expected, counts, draws);
      CAPTURE(found.degrees);
      CHECK(found.degrees > 20);
      CHECK(found.value < critical(found.degrees));  // the seeds are fixed: it passes or fails for good
    }
  }
}

TEST_CASE("speculative decoding: misuse is refused by name") {
  auto const model = seeded_gpt2(1, 1, 0.3);
  auto const other = seeded_gpt2(1, 1, 0.3, 51);
  Context context;
  CHECK_THROWS_WITH_AS(generate_speculatively(model, other, prompt, {}, {}, context),
                       "speculative decoding: found a small model of 51 tokens and a large one of 50, expected one vocabulary", ArgumentError);
  CHECK_THROWS_AS(generate_speculatively(model, model, prompt, {.num_return_sequences = 2}, {}, context), ArgumentError);
  GenerateOptions const beams{.decoding = Decoding::beam_search, .num_beams = 2};
  CHECK_THROWS_AS(generate_speculatively(model, model, prompt, beams, {}, context), ArgumentError);
  CHECK_THROWS_AS(generate_speculatively(model, model, prompt, {}, {.tokens = 0}, context), ArgumentError);
  CHECK_THROWS_AS(generate_speculatively(model, model, {}, {}, {}, context), ArgumentError);
}

TEST_CASE("beam sampling: the first tokens of the beams are drawn without replacement (chi-squared)") {
  auto const model = seeded_gpt2(2, 5, 0.25, 6);
  Context context;
  std::vector<TokenId> const start{1, 2};
  GenerateOptions options{.max_new_tokens = 1, .num_return_sequences = 2, .decoding = Decoding::beam_sample, .num_beams = 2};
  options.sampling.top_k = 5;
  std::map<std::vector<TokenId>, double> one;
  all_continuations(model, options, start, 1, 1.0, one, context);
  // Two beams keep four candidates, drawn one after another, and of these return the two best.
  std::map<std::vector<TokenId>, double> expected;
  std::vector<std::pair<double, TokenId>> tokens;
  for (auto const& [text, probability] : one) tokens.push_back({probability, text.back()});
  std::ranges::sort(tokens, std::greater());
  REQUIRE(tokens.size() == 5);
  std::vector<char> used(5, 0);
  auto const draw = [&](auto const& self, std::size_t depth, double left, double probability) -> void {
    if (depth == 4) {
      std::vector<TokenId> best;
      for (std::size_t i = 0; i < 5 && best.size() < 2; ++i)
        if (used[i]) best.push_back(tokens[i].second);
      expected[best] += probability;
      return;
    }
    for (std::size_t i = 0; i < 5; ++i) {
      if (used[i]) continue;
      used[i] = 1;
      self(self, depth + 1, left - tokens[i].first, probability * tokens[i].first / left);
      used[i] = 0;
    }
  };
  draw(draw, 0, 1.0, 1.0);
  std::map<std::vector<TokenId>, std::size_t> drawn;
  for (std::size_t i = 0; i < 6000; ++i) {
    options.seed = i;
    auto const texts = generate(model, start, options, context);
    ++drawn[{texts[0].back(), texts[1].back()}];
  }
  auto const found = chi_squared(expected, drawn, 6000);
  CHECK(found.degrees >= 2);
  CHECK(found.value < critical(found.degrees));
}

TEST_CASE("session: turn by turn, after going back and in a fork, texts and logits have the bits of a text made at once") {
  auto const gpt2 = seeded_gpt2(2, 1, 0.3);
  Context context = Context::with_threads(2);
  Context one;
  GenerationSession session(gpt2);
  session.append(prompt);
  GenerateOptions options{.max_new_tokens = 8, .seed = 3, .report = ReportOptions{}};
  auto const first = session.generate(options, context);
  CHECK(first.ids == generate(gpt2, prompt, options, one)[0]);
  CHECK(first.prompt_length == 3);
  CHECK(session.cached() == 10);
  auto const second = session.generate(options, context);  // the two halves are the whole
  CHECK(second.prompt_length == 11);
  auto whole = options;
  whole.max_new_tokens = 16;
  CHECK(second.ids == generate(gpt2, prompt, whole, one)[0]);

  session.append(std::vector<TokenId>{4, 5});
  auto fork = session.fork();
  auto const from_scratch = [&](GenerationSession<Gpt2<>>& text, GenerateOptions const& how) {
    std::vector<TokenId> const before(text.ids().begin(), text.ids().end());
    auto const expected = generate_sequences(gpt2, before, how, one)[0];
    auto const found = text.generate(how, context);
    CHECK(found.ids == expected.ids);
    REQUIRE(found.reports.size() == expected.reports.size());
    for (std::size_t i = 0; i < found.reports.size(); ++i) CHECK(found.reports[i].log_probability == expected.reports[i].log_probability);
  };
  options.seed = 9;
  from_scratch(session, options);
  options.decoding = Decoding::greedy;
  from_scratch(fork, options);
  CHECK(session.size() == fork.size());
  fork.roll_back(5);
  CHECK(std::vector(fork.ids().begin(), fork.ids().end()) == std::vector(first.ids.begin(), first.ids.begin() + 5));
  auto const logits = fork.next_logits(context);
  auto const expected = gpt2.logits(gpt2(fork.ids(), one), one);
  CHECK(std::ranges::equal(logits, expected.row(4)));
  CHECK(fork.next_logits(one) == logits);
  from_scratch(fork, options);
  fork.roll_back(0);
  fork.append(prompt);
  from_scratch(fork, options);
}

TEST_CASE("session: misuse is refused, and the text is as before") {
  auto const gpt2 = seeded_gpt2(1, 1, 0.3);
  Context context;
  GenerationSession session(gpt2, 12);
  CHECK_THROWS_AS(session.generate({}, context), ArgumentError);
  CHECK_THROWS_AS(session.next_logits(context), ArgumentError);
  session.append(prompt);
  CHECK_THROWS_AS(session.append(std::vector<TokenId>{1, 50}), ArgumentError);
  CHECK_THROWS_AS(session.append(std::vector<TokenId>(10, 1)), ArgumentError);
  CHECK_THROWS_AS(session.generate({.max_new_tokens = 10}, context), ArgumentError);
  CHECK_THROWS_AS(session.generate({.max_new_tokens = 2, .num_return_sequences = 2}, context), ArgumentError);
  CHECK_THROWS_AS(session.generate({.max_new_tokens = 2, .decoding = Decoding::beam_search, .num_beams = 2}, context), ArgumentError);
  CHECK_THROWS_AS(session.roll_back(4), ArgumentError);
  CHECK(session.size() == 3);
  GenerateOptions interrupted{.max_new_tokens = 9};
  interrupted.on_token = [](GeneratedToken) { throw ArgumentError("enough"); };
  CHECK_THROWS_AS(session.generate(interrupted, context), ArgumentError);
  CHECK(session.size() == 3);
  CHECK(session.generate({.max_new_tokens = 9}, context).ids == generate(gpt2, prompt, {.max_new_tokens = 9}, context)[0]);
  CHECK_THROWS_AS(GenerationSession(gpt2, 61), ArgumentError);
  CHECK_THROWS_AS(GenerationSession(gpt2, 0), ArgumentError);
}

TEST_CASE("cache: forking and copying carry the past over, and what does not fit is refused") {
  auto const gpt2 = seeded_gpt2(2, 1, 0.3);
  Context context;
  std::vector<TokenId> ids;
  for (TokenId i = 0; i < 45; ++i) ids.push_back(i * 7 % 50);
  auto const run = [&](KeyValueCache& cache, std::size_t sequence, std::vector<TokenId> const& tokens) {
    SequenceOffsets<axes::Tokens> offsets;
    for (std::size_t s = 0; s < cache.sequences(); ++s) offsets.append(s == sequence ? tokens.size() : 0);
    auto const logits = gpt2.last_logits(tokens, offsets, cache, context);
    auto const row = logits.row(sequence);
    return std::vector<float>(row.begin(), row.end());
  };
  for (std::size_t common : {0, 1, 15, 16, 17, 31, 33, 44}) {
    auto cache = gpt2.make_cache(2, 60);
    auto other = ids;
    for (std::size_t i = common; i < other.size(); ++i) other[i] = (other[i] + 1) % 50;
    run(cache, 0, ids);
    run(cache, 1, other);
    cache.fork(0, 1, common);
    auto wide = gpt2.make_cache(3, 50);
    wide.copy(cache, 1, 2);
    auto const expected = run(cache, 0, {3, 4});
    CHECK(run(cache, 1, {3, 4}) == expected);
    CHECK(run(wide, 2, {3, 4}) == expected);
  }
  auto cache = gpt2.make_cache(2, 60);
  run(cache, 0, ids);
  CHECK_THROWS_AS(cache.fork(0, 1, 1), ArgumentError);
  CHECK_THROWS_AS(cache.fork(0, 2), ArgumentError);
  auto small = gpt2.make_cache(1, 44);
  CHECK_THROWS_AS(small.copy(cache, 0, 0), ArgumentError);
  CHECK_THROWS_AS(small.copy(cache, 2, 0), ArgumentError);
  auto deep = seeded_gpt2(3, 1, 0.3).make_cache(1, 60);
  CHECK_THROWS_AS(deep.copy(cache, 0, 0), ShapeError);
}
