// Prompt lookup against plain decoding: the same tokens, reports and ends, whatever is proposed; and fewer passes where a text repeats itself.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/prompt_lookup.hpp>
#include <axiform/generate/session.hpp>
#include <axiform/generate/speculative.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/initialize.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace axiform;

namespace {

Gpt2<> seeded_gpt2(std::size_t vocabulary, double deviation = 0.3) {
  Context context;
  auto gpt2 = Gpt2<>::create({16, 2, 8, 32}, {.layers = 2, .vocabulary = vocabulary, .positions = 60});
  initialize(gpt2, {.seed = 1, .standard_deviation = deviation}, context);
  return gpt2;
}

// The definition, read out: for each n-gram from the longest, each place from the last.
std::pair<std::size_t, std::size_t> place_by_definition(std::vector<TokenId> const& ids, std::size_t longest) {
  for (std::size_t n = std::min(longest, ids.size()); n > 0; --n)
    for (std::size_t end = ids.size() - 1; end >= n; --end)
      if (std::equal(ids.end() - static_cast<std::ptrdiff_t>(n), ids.end(), ids.begin() + static_cast<std::ptrdiff_t>(end - n)))
        return {n, end};
  return {0, 0};
}
std::pair<std::size_t, std::size_t> place(std::vector<TokenId> const& ids, std::size_t longest) {
  auto const found = find_earlier_ngram(ids, longest);
  return found ? std::pair(found->length, found->end) : std::pair<std::size_t, std::size_t>(0, 0);
}

void check_same(GeneratedSequence const& found, GeneratedSequence const& expected) {
  CHECK(found.ids == expected.ids);
  CHECK(found.prompt_length == expected.prompt_length);
  CHECK(found.finish == expected.finish);
  REQUIRE(found.reports.size() == expected.reports.size());
  for (std::size_t i = 0; i < expected.reports.size(); ++i) {
    TokenReport const &one = found.reports[i], &other = expected.reports[i];
    CHECK(one.id == other.id);
    CHECK(one.log_probability == other.log_probability);
    CHECK(one.entropy == other.entropy);
    REQUIRE(one.alternatives.size() == other.alternatives.size());
    for (std::size_t a = 0; a < other.alternatives.size(); ++a) {
      CHECK(one.alternatives[a].id == other.alternatives[a].id);
      CHECK(one.alternatives[a].probability == other.alternatives[a].probability);
    }
  }
  CHECK(found.accepted <= found.proposed);
  CHECK(found.accepted <= found.new_ids().size());
  CHECK(expected.proposed == 0);
}

struct Guesses {
  std::size_t proposed = 0;
  std::size_t accepted = 0;
};

// With and without prompt lookup, for long and short proposals and n-grams.
template <class Model>
Guesses check_options(Model const& model, std::vector<std::vector<TokenId>> const& prompts, GenerateOptions options, Context& context) {
  Guesses guesses;
  options.report = ReportOptions{.alternatives = 2};
  auto const expected = generate_batch(model, prompts, options, context);
  for (PromptLookup const& lookup : {PromptLookup{}, PromptLookup{.tokens = 1, .ngram = 1}, PromptLookup{.tokens = 4, .ngram = 2},
                                     PromptLookup{.tokens = static_cast<std::size_t>(-1), .ngram = static_cast<std::size_t>(-1)}}) {
    options.prompt_lookup = lookup;
    auto const found = generate_batch(model, prompts, options, context);
    REQUIRE(found.size() == expected.size());
    for (std::size_t p = 0; p < expected.size(); ++p) {
      REQUIRE(found[p].size() == expected[p].size());
      for (std::size_t r = 0; r < expected[p].size(); ++r) {
        check_same(found[p][r], expected[p][r]);
        guesses.proposed += found[p][r].proposed, guesses.accepted += found[p][r].accepted;
      }
    }
  }
  return guesses;
}

// Every token tells the next from all that came before: with `period` 0 by a hash of it, else as the one `period` tokens ago. It counts what
// it is asked, and a cache that holds other tokens than those of the text gives another text.
struct Parrot {
  struct Cache {
    std::vector<std::vector<TokenId>> texts;
    std::vector<std::size_t> sizes;

    std::span<std::size_t const> lengths() const { return sizes; }
    void append(std::size_t s, TokenId id) { texts[s].push_back(id), sizes[s] = texts[s].size(); }
    void fork(std::size_t from, std::size_t to, std::size_t) { copy(*this, from, to); }
    void truncate(std::size_t s, std::size_t length) { texts[s].resize(length), sizes[s] = length; }
    void copy(Cache const& other, std::size_t from, std::size_t to) {
      auto text = other.texts[from];
      texts[to] = std::move(text), sizes[to] = texts[to].size();
    }
  };

  std::size_t period = 0;
  mutable std::size_t passes = 0;
  mutable std::vector<std::size_t> rows = {};  // of each call of `all_logits`

  std::size_t positions() const { return 200; }
  std::size_t vocabulary() const { return 23; }
  Cache make_cache(std::size_t sequences, std::size_t) const {
    return {std::vector<std::vector<TokenId>>(sequences), std::vector<std::size_t>(sequences, 0)};
  }
  void write(std::vector<TokenId> const& text, std::span<float> row) const {
    std::uint32_t hash = 0;
    for (TokenId const id : text) hash = (hash ^ static_cast<std::uint32_t>(id)) * 16777619u;
    std::size_t next = hash % vocabulary();
    if (period != 0 && text.size() >= period) next = static_cast<std::size_t>(text[text.size() - period]);
    for (float& logit : row) logit = 0;
    row[next] = 3;
  }
  Tensor<float, axes::Sequences, axes::VocabularyEntries> last_logits(std::span<TokenId const> ids,
                                                                      SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                      Context& context) const {
    ++passes;
    auto logits = make_tensor<float>(context, Shape<axes::Sequences, axes::VocabularyEntries>::of({sequences.count(), vocabulary()}));
    for (std::size_t s = 0; s < sequences.count(); ++s) {
      for (std::size_t i = sequences.offset(s); i < sequences.offset(s + 1); ++i) cache.append(s, ids[i]);
      write(cache.texts[s], logits.row(s));
    }
    return logits;
  }
  Tensor<float, axes::Tokens, axes::VocabularyEntries> all_logits(std::span<TokenId const> ids,
                                                                  SequenceOffsets<axes::Tokens> const& sequences, Cache& cache,
                                                                  Context& context) const {
    ++passes;
    rows.push_back(ids.size());
    auto logits = make_tensor<float>(context, Shape<axes::Tokens, axes::VocabularyEntries>::of({ids.size(), vocabulary()}));
    for (std::size_t s = 0; s < sequences.count(); ++s)
      for (std::size_t i = sequences.offset(s); i < sequences.offset(s + 1); ++i) {
        cache.append(s, ids[i]);
        write(cache.texts[s], logits.row(i));
      }
    return logits;
  }
};

}  // namespace

TEST_CASE("prompt lookup: the place is that of the longest n-gram, and of its places the last") {
  using Place = std::pair<std::size_t, std::size_t>;  // length, end
  std::vector<TokenId> const text{1, 2, 3, 4, 2, 3, 5, 3, 6, 1, 2, 3};
  CHECK(place(text, 1) == Place(1, 8));
  CHECK(place(text, 2) == Place(2, 6));
  CHECK(place(text, 3) == Place(3, 3));
  CHECK(place(text, 100) == Place(3, 3));
  CHECK(place({7, 7, 7, 7}, 3) == Place(3, 3));
  CHECK(place({7, 7, 7, 7}, 9) == Place(3, 3));
  CHECK(place({7, 7}, 3) == Place(1, 1));
  for (std::vector<TokenId> const& none : {std::vector<TokenId>{1, 2, 3}, {1}, {}}) CHECK(!find_earlier_ngram(none, 3));
  Philox const random(1);
  for (std::uint64_t i = 0; i < 3000; ++i) {
    std::vector<TokenId> ids(random(i, 0)[0] % 24);
    for (std::size_t j = 0; j < ids.size(); ++j) ids[j] = static_cast<TokenId>(random(i, j)[1] % (2 + i % 4));
    for (std::size_t longest : {1, 2, 3, 5, 30}) CHECK(place(ids, longest) == place_by_definition(ids, longest));
  }
}

TEST_CASE("prompt lookup: tokens, reports and ends are those without it, greedily and drawn, with each processor") {
  auto const words = [](std::span<TokenId const> ids) {
    std::string text;
    for (TokenId const id : ids) text += "x" + std::to_string(id) + "y";
    return text;
  };
  std::vector<GenerateOptions> all{
      {.max_length = 50},
      {.max_new_tokens = 1},
      {.max_new_tokens = 2},
      {.max_length = 60},  // to the last position
      {.max_length = 50, .repetition_penalty = 1.3},
      {.max_length = 50, .no_repeat_ngram_size = 3},
      {.max_length = 50, .bad_words = {{3}, {4, 5}, {1, 2, 0}}},
      {.max_length = 50, .min_length = 30, .end_of_text = {1, 5}},
      {.max_length = 50, .min_new_tokens = 9, .forced_eos = {2}, .end_of_text = {1}},
      {.max_length = 50, .end_of_text = {3, 5}},
      {.max_length = 50, .forced_bos = 4, .stop_strings = {"y"}, .decode = words},
      {.max_length = 50, .stop_strings = {"1yx2", "0yx0y", "y5"}, .decode = words},
      {.max_length = 50, .stop_when = [](std::size_t s, std::span<TokenId const> ids) { return ids.size() > 20 + s && ids.back() == 2; }}};
  std::vector<SamplingOptions> const samplings{{},
                                               {.temperature = 0.3},
                                               {.temperature = 1.7, .top_k = 0},
                                               {.top_k = 1},
                                               {.top_k = 3},
                                               {.top_p = 0.7},
                                               {.min_p = 0.2},
                                               {.temperature = 0.6, .typical_p = 0.6}};
  Context context = Context::with_threads(2);
  Guesses greedy, drawn;
  auto const add = [](Guesses& sum, Guesses const& more) { sum.proposed += more.proposed, sum.accepted += more.accepted; };
  for (std::size_t vocabulary : {6, 30}) {
    auto const model = seeded_gpt2(vocabulary);
    std::vector<std::vector<TokenId>> const prompts{{1, 2, 3, 4, 1, 2, 3}};
    for (GenerateOptions options : all) {
      options.decoding = Decoding::greedy;
      add(greedy, check_options(model, prompts, options, context));
      add(greedy, check_options(model, {{5}}, options, context));
      options.decoding = Decoding::sample;
      options.seed = 7;
      for (SamplingOptions const& sampling : samplings) {
        options.sampling = sampling;
        add(drawn, check_options(model, prompts, options, context));
      }
    }
  }
  for (Guesses const& guesses : {greedy, drawn}) {  // both were tried often: proposals that were right, and that were not
    CHECK(guesses.accepted > 500);
    CHECK(guesses.proposed > guesses.accepted + 500);
  }
}

TEST_CASE("prompt lookup: reports of what tokens were chosen from are those without it") {
  auto const model = seeded_gpt2(6);
  Context context;
  for (Decoding decoding : {Decoding::greedy, Decoding::sample}) {
    GenerateOptions options{.max_length = 40, .decoding = decoding, .repetition_penalty = 1.1, .sampling = {.top_k = 4}};
    options.report = ReportOptions{.alternatives = 3, .distribution = ReportedDistribution::processed};
    auto const expected = generate_sequences(model, std::vector<TokenId>{1, 2, 1}, options, context)[0];
    options.prompt_lookup = PromptLookup{};
    auto const found = generate_sequences(model, std::vector<TokenId>{1, 2, 1}, options, context)[0];
    check_same(found, expected);
    CHECK(found.accepted > 0);
  }
}

TEST_CASE("prompt lookup: batches and several sequences of a prompt are what they are without it, and on_token sees each text in order") {
  auto const model = seeded_gpt2(8);
  std::vector<std::vector<TokenId>> const prompts{{1, 2, 3, 1, 2, 3}, {4}, {5, 5, 5, 5, 5, 5, 5, 5, 5, 5}, {6, 1}, {7, 0, 7, 0, 7}};
  for (std::size_t threads : {1, 3}) {
    Context context = Context::with_threads(threads);
    for (std::size_t batch_size : {1, 5, 32}) {
      GenerateOptions const options{.max_length = 44,
                                    .num_return_sequences = 3,
                                    .sampling = {.temperature = 0.4},
                                    .seed = 4,
                                    .end_of_text = {2},
                                    .batch_size = batch_size};
      auto const guesses = check_options(model, prompts, options, context);
      CHECK(guesses.accepted > 100);
    }
  }
  Context context;
  GenerateOptions options{.max_length = 44, .num_return_sequences = 2, .seed = 4, .end_of_text = {2}, .prompt_lookup = PromptLookup{}};
  std::vector<std::vector<TokenId>> seen(10);
  for (std::size_t s = 0; s < 10; ++s) seen[s] = prompts[s / 2];
  options.on_token = [&](GeneratedToken token) { seen[token.sequence].push_back(token.id); };
  auto const texts = generate_batch(model, prompts, options, context);
  for (std::size_t s = 0; s < 10; ++s) CHECK(texts[s / 2][s % 2].ids == seen[s]);
}

TEST_CASE("prompt lookup: a stop or the end of the time between two tokens of one pass ends the text there") {
  Parrot const parrot{.period = 3};
  Context context;
  std::vector<TokenId> const prompt{1, 2, 3, 1, 2, 3};
  std::vector<TokenId> const repeated{1, 2, 3, 1, 2, 3, 1, 2, 3, 1};
  std::stop_source stop;
  std::size_t tokens = 0;
  GenerateOptions options{.max_length = 40, .decoding = Decoding::greedy, .prompt_lookup = PromptLookup{}};
  auto timed = options;
  options.stop = stop.get_token();
  options.on_token = [&](GeneratedToken) {
    if (++tokens == 4) stop.request_stop();
  };
  auto const stopped = generate_sequences(parrot, prompt, options, context)[0];
  CHECK(stopped.finish == FinishReason::stopped);
  CHECK(stopped.ids == repeated);
  CHECK(parrot.passes == 2);

  tokens = 0;
  timed.max_time = std::chrono::milliseconds(400);
  timed.on_token = [&](GeneratedToken) {
    if (++tokens == 4) std::this_thread::sleep_for(std::chrono::milliseconds(410));
  };
  auto const late = generate_sequences(parrot, prompt, timed, context)[0];
  CHECK(late.finish == FinishReason::time);
  CHECK(late.ids == repeated);
}

TEST_CASE("prompt lookup: a text that repeats itself takes few passes, the prompt runs once, and nothing is proposed that would not fit") {
  Context context;
  std::vector<TokenId> const prompt{1, 2, 3, 4, 5, 1, 2, 3, 4, 5};
  GenerateOptions options{.max_length = 60, .decoding = Decoding::greedy, .prompt_lookup = PromptLookup{.tokens = 10, .ngram = 3}};
  Parrot const parrot{.period = 5};
  auto const text = generate_sequences(parrot, prompt, options, context)[0];
  CHECK(text.ids == generate(Parrot{.period = 5}, prompt, {.max_length = 60, .decoding = Decoding::greedy}, context)[0]);
  CHECK(text.accepted == text.proposed);
  // One token by the prompt's pass, then 11 by each: 10 proposed and one of its own; at the end 4 and one.
  CHECK(parrot.rows == std::vector<std::size_t>{11, 11, 11, 11, 5});
  CHECK(parrot.passes == 6);
  CHECK(text.accepted == 44);

  Parrot const trusting{.period = 5};  // of an n-gram of 20 only 6 are there at first: 3 of 10 tokens are proposed, later more
  options.prompt_lookup = PromptLookup{.tokens = 10, .ngram = 20};
  CHECK(generate(trusting, prompt, options, context)[0] == text.ids);
  CHECK(trusting.rows == std::vector<std::size_t>{4, 6, 9, 11, 11, 8});

  Parrot const several{.period = 5};  // 11 rows for three sequences, then for two
  options = {.decoding = Decoding::greedy, .prompt_lookup = PromptLookup{.tokens = 10, .ngram = 3}};
  options.max_length = 34;
  options.stop_when = [](std::size_t s, std::span<TokenId const> ids) { return s == 1 && ids.size() == 15; };
  generate_batch(several, std::vector{prompt, prompt, prompt}, options, context);
  CHECK(several.rows == std::vector<std::size_t>{9, 9, 10, 10, 10, 4});
  Parrot const crowd{.period = 5};
  options.prompt_lookup->tokens = 2;
  options.stop_when = {};
  generate_batch(crowd, std::vector{prompt, prompt}, options, context);  // no row is left for proposals
  CHECK(crowd.rows.empty());
  CHECK(crowd.passes == 24);

  Parrot const hashing;  // what it proposes is hardly ever right, and what was run in vain must leave nothing behind
  for (std::size_t tokens : {1, 3, 20}) {
    options.prompt_lookup = PromptLookup{.tokens = tokens, .ngram = 1};
    options.max_length = 200;
    auto const found = generate_sequences(hashing, prompt, options, context)[0];
    CHECK(found.ids == generate(Parrot{}, prompt, {.max_length = 200, .decoding = Decoding::greedy}, context)[0]);
    CHECK(found.proposed > 100);
  }
  for (TokenId end : {4, 5}) {  // nothing is proposed from an end-of-text on
    Parrot const ending{.period = 5};
    options = {.max_length = 60, .decoding = Decoding::greedy, .end_of_text = {end}, .prompt_lookup = PromptLookup{}};
    auto const found = generate_sequences(ending, prompt, options, context)[0];
    CHECK(found.finish == FinishReason::end_of_text);
    CHECK(found.new_ids().size() == static_cast<std::size_t>(end));
    CHECK(ending.rows == std::vector<std::size_t>{static_cast<std::size_t>(end) - 1});
  }
}

TEST_CASE(
    "prompt lookup: in a session earlier turns are looked in too, and texts are those without it, forked, rolled back and interrupted") {
  auto const gpt2 = seeded_gpt2(8);
  Context context = Context::with_threads(2);
  for (Decoding decoding : {Decoding::greedy, Decoding::sample}) {
    GenerateOptions plain{.max_new_tokens = 9, .decoding = decoding, .seed = 3, .end_of_text = {6}};
    plain.report = ReportOptions{.alternatives = 1};
    auto lookup = plain;
    lookup.prompt_lookup = PromptLookup{.tokens = 6, .ngram = 2};
    GenerationSession expected(gpt2), found(gpt2);
    auto const both = [&](auto&& act) { act(expected), act(found); };
    auto const check = [&] {
      check_same(found.generate(lookup, context), expected.generate(plain, context));
      CHECK(std::ranges::equal(found.ids(), expected.ids()));
      CHECK(found.cached() == expected.cached());
      CHECK(found.next_logits(context) == expected.next_logits(context));
    };
    both([](auto& session) { session.append(std::vector<TokenId>{1, 2, 3}); });
    check();
    both([](auto& session) { session.append(std::vector<TokenId>{1, 2}); });
    check();
    auto fork = found.fork();
    auto interrupted = lookup;
    std::size_t tokens = 0;
    interrupted.on_token = [&](GeneratedToken) {
      if (++tokens == 5) throw ArgumentError("enough");
    };
    interrupted.end_of_text = {};
    CHECK_THROWS_AS(found.generate(interrupted, context), ArgumentError);
    check();
    both([](auto& session) { session.roll_back(8); });
    check();
    check();
    both([](auto& session) { session.roll_back(2); });
    check();
    CHECK(fork.generate(lookup, context).ids.size() > 5);
  }

  Parrot const parrot{.period = 8};
  GenerationSession session(parrot);
  session.append(std::vector<TokenId>{1, 2, 3, 4, 5, 6, 7, 8});
  GenerateOptions options{.max_new_tokens = 8, .decoding = Decoding::greedy, .prompt_lookup = PromptLookup{}};
  CHECK(session.generate(options, context).accepted == 5);  // 2 behind an n-gram of one token, then what fits
  session.append(std::vector<TokenId>{1, 2, 3, 4});
  parrot.passes = 0;
  CHECK(session.generate(options, context).accepted == 6);
  CHECK(parrot.passes == 2);
}

TEST_CASE("prompt lookup: what it cannot be used with is refused by name") {
  auto const model = seeded_gpt2(8);
  Context context;
  std::vector<TokenId> const prompt{1, 2};
  CHECK_THROWS_WITH_AS(generate(model, prompt, {.prompt_lookup = PromptLookup{.tokens = 0}}, context),
                       "prompt_lookup.tokens: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(generate(model, prompt, {.prompt_lookup = PromptLookup{.ngram = 0}}, context),
                       "prompt_lookup.ngram: found 0, expected at least 1", ArgumentError);
  CHECK_THROWS_WITH_AS(
      generate(model, prompt, {.decoding = Decoding::beam_search, .num_beams = 2, .prompt_lookup = PromptLookup{}}, context),
      "prompt_lookup: beams have no one text to look in; sample, decode greedily, or leave it out", ArgumentError);
  CHECK_THROWS_WITH_AS(generate_speculatively(model, model, prompt, {.prompt_lookup = PromptLookup{}}, {}, context),
                       "speculative decoding: the small model proposes the tokens, expected no prompt_lookup", ArgumentError);

  struct Onward : Parrot {
    struct Cache : Parrot::Cache {
      void truncate(std::size_t, std::size_t) = delete;
    };
    Cache make_cache(std::size_t sequences, std::size_t capacity) const { return {Parrot::make_cache(sequences, capacity)}; }
  };
  static_assert(CausalLanguageModel<Onward> && !RewindableLanguageModel<Onward>);
  CHECK(generate(Onward{}, prompt, {.max_length = 9}, context)[0].size() == 9);
  CHECK_THROWS_WITH_AS(generate(Onward{}, prompt, {.prompt_lookup = PromptLookup{}}, context),
                       "prompt_lookup: needs a model whose cache can go back (RewindableLanguageModel), which this one's cannot",
                       ArgumentError);
}
