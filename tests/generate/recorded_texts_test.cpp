// Texts, probabilities and perplexities of gpt2-tiny against transformers' in float64.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/generate/perplexity.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "support/recorded_generation.hpp"

using namespace axiform;
using recorded::ids;

namespace {

struct TinyGpt2 {
  Context context;
  Gpt2<> model = load<Gpt2<>>(std::filesystem::path(AXIFORM_FIXTURES) / "models" / "gpt2-tiny", context);
};

void check_case(Gpt2<> const& model, Json const& one, Context& context, std::optional<PromptLookup> const& lookup = std::nullopt) {
  CAPTURE(dump_json(one.at("options")));
  auto const prompt = ids(one.at("prompt"));
  auto options = recorded::options(one);
  options.prompt_lookup = lookup;
  auto const found = generate_sequences(model, prompt, options, context);
  Json const& expected = one.at("sequences");
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].ids == ids(expected[i]));
    if (!one.contains("scores")) continue;
    double const score = one.at("scores")[i].get<double>();  // of up to 14 logits, each within 1e-5
    CHECK(std::abs(found[i].beam_score - score) < 2e-5 * std::max(1.0, std::abs(score)));
  }
}

}  // namespace

TEST_CASE("beam search: every beam has transformers' tokens and score, for each ending, penalty, number of beams and processor") {
  TinyGpt2 tiny;
  for (Json const& one : recorded::cases("beam_search.json")) check_case(tiny.model, one, tiny.context);
}

TEST_CASE("beam search: what is told of its steps leads to every result and its score, prompt by prompt, and telling changes nothing") {
  TinyGpt2 tiny;
  std::vector<std::vector<TokenId>> prompts;
  for (Json const& one : recorded::cases("beam_search.json")) {
    CAPTURE(dump_json(one.at("options")));
    auto const prompt = ids(one.at("prompt"));
    if (prompts.size() < 3) prompts.push_back(prompt);
    auto options = recorded::options(one);
    auto const untold = generate_sequences(tiny.model, prompt, options, tiny.context);
    std::vector<std::vector<TokenId>> followed{prompt};
    std::vector<double> scores{0};
    std::vector<GeneratedSequence> ended;
    options.on_beams = [&](BeamStep const& step) {
      CHECK(step.prompt == 0);
      std::vector<std::vector<TokenId>> next;
      std::vector<double> next_scores;
      double before = std::numeric_limits<double>::infinity();
      for (BeamCandidate const& candidate : step.candidates) {
        REQUIRE(candidate.beam < followed.size());
        CHECK(candidate.score == doctest::Approx(scores[candidate.beam] + candidate.log_probability));
        CHECK(candidate.score <= before);
        before = candidate.score;
        auto text = followed[candidate.beam];
        text.push_back(candidate.id);
        if (candidate.fate == BeamFate::ended) ended.push_back({.ids = text, .beam_score = candidate.final_score, .reports = {}});
        if (candidate.fate != BeamFate::followed) continue;
        next.push_back(text);
        next_scores.push_back(candidate.score);
      }
      CHECK(next.size() <= options.num_beams);
      CHECK(step.candidates.size() >= next.size());
      followed = next;
      scores = next_scores;
    };
    auto const found = generate_sequences(tiny.model, prompt, options, tiny.context);
    REQUIRE(found.size() == untold.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].ids == untold[i].ids);
      CHECK(found[i].beam_score == untold[i].beam_score);
      CHECK(std::ranges::any_of(
          ended, [&](GeneratedSequence const& text) { return text.ids == found[i].ids && text.beam_score == found[i].beam_score; }));
    }
  }

  GenerateOptions options{.max_new_tokens = 6, .num_return_sequences = 2, .decoding = Decoding::beam_sample, .num_beams = 3};
  auto const told = [](std::vector<std::vector<BeamStep>>& steps) {
    return [&steps](BeamStep const& step) { steps.at(step.prompt).push_back(step); };
  };
  std::vector<std::vector<BeamStep>> alone(prompts.size(), std::vector<BeamStep>());
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    options.on_beams = [&](BeamStep const& step) { alone[p].push_back(step); };
    generate_sequences(tiny.model, prompts[p], options, tiny.context);
    CHECK(alone[p].size() == 6);
  }
  for (std::size_t const together : {1U, 6U}) {
    std::vector<std::vector<BeamStep>> batch(prompts.size(), std::vector<BeamStep>());
    options.on_beams = told(batch);
    options.batch_size = together;
    generate_batch(tiny.model, prompts, options, tiny.context);
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      REQUIRE(batch[p].size() == alone[p].size());
      for (std::size_t s = 0; s < alone[p].size(); ++s) {
        REQUIRE(batch[p][s].candidates.size() == alone[p][s].candidates.size());
        for (std::size_t c = 0; c < alone[p][s].candidates.size(); ++c) {
          CHECK(batch[p][s].candidates[c].id == alone[p][s].candidates[c].id);
          CHECK(batch[p][s].candidates[c].score == alone[p][s].candidates[c].score);
          CHECK(batch[p][s].candidates[c].fate == alone[p][s].candidates[c].fate);
        }
      }
    }
  }
  CHECK_THROWS_WITH_AS(generate(tiny.model, prompts[0], {.on_beams = [](BeamStep const&) {}}, tiny.context),
                       "on_beams: there are no beams to tell of; choose Decoding::beam_search or Decoding::beam_sample", ArgumentError);
}

TEST_CASE("greedy: tokens are transformers' with each processor, and with prompt lookup") {
  TinyGpt2 tiny;
  for (Json const& one : recorded::cases("greedy.json")) {
    check_case(tiny.model, one, tiny.context);
    check_case(tiny.model, one, tiny.context, PromptLookup{});
  }
}

TEST_CASE("batches: prompts of different lengths give together what each gives alone") {
  TinyGpt2 tiny;
  Context three = Context::with_threads(3);
  std::vector<std::vector<TokenId>> prompts;
  for (char const* file : {"greedy.json", "beam_search.json"})
    for (Json const& one : recorded::cases(file))
      if (prompts.size() < 14) prompts.push_back(ids(one.at("prompt")));
  GenerateOptions const base{.max_new_tokens = 12, .num_return_sequences = 2, .end_of_text = {7, 20, 50, 51, 52}};
  auto const check = [&](GenerateOptions options) {
    options.report = ReportOptions{.alternatives = 2};
    for (std::size_t together : {1, 5, 32}) {
      options.batch_size = together;
      auto const all = generate_batch(tiny.model, prompts, options, three);
      REQUIRE(all.size() == prompts.size());
      for (std::size_t p = 0; p < prompts.size(); ++p) {
        auto const alone = generate_sequences(tiny.model, prompts[p], options, tiny.context);
        REQUIRE(all[p].size() == options.num_return_sequences);
        for (std::size_t r = 0; r < alone.size(); ++r) {
          CHECK(all[p][r].ids == alone[r].ids);
          CHECK(all[p][r].finish == alone[r].finish);
          CHECK(all[p][r].beam_score == alone[r].beam_score);
          REQUIRE(all[p][r].reports.size() == all[p][r].new_ids().size());
          for (std::size_t i = 0; i < alone[r].reports.size(); ++i) {
            CHECK(all[p][r].reports[i].id == all[p][r].new_ids()[i]);
            CHECK(all[p][r].reports[i].log_probability == alone[r].reports[i].log_probability);  // the same bits
          }
        }
      }
    }
  };
  check(base);
  GenerateOptions greedy = base;
  greedy.decoding = Decoding::greedy;
  greedy.num_return_sequences = 1;
  check(greedy);
  GenerateOptions beams = base;
  beams.decoding = Decoding::beam_search;
  beams.num_beams = 3;
  check(beams);
  beams.decoding = Decoding::beam_sample;
  beams.num_return_sequences = 3;
  check(beams);
  CHECK(generate_batch(tiny.model, std::vector<std::vector<TokenId>>{}, base, tiny.context).empty());
  prompts.push_back({});
  CHECK_THROWS_AS(generate_batch(tiny.model, prompts, base, tiny.context), ArgumentError);
}

TEST_CASE("reports: log-probabilities, entropies and alternatives of a text are transformers', and those of new tokens the same bits") {
  TinyGpt2 tiny;
  for (Json const& one : recorded::cases("reports.json")) {
    auto const text = ids(one.at("ids"));
    auto const reports = report_tokens(tiny.model, text, 4, tiny.context);
    REQUIRE(reports.size() == text.size() - 1);
    for (std::size_t i = 0; i < reports.size(); ++i) {
      CHECK(reports[i].id == text[i + 1]);
      CHECK(std::abs(reports[i].log_probability - one.at("log_probabilities")[i].get<double>()) < 1e-4);
      CHECK(std::abs(reports[i].entropy - one.at("entropies")[i].get<double>()) < 1e-4);
      if (i >= one.at("best").size()) continue;
      for (std::size_t k = 0; k < 4; ++k) {
        CHECK(reports[i].alternatives.at(k).id == one.at("best")[i][k].get<TokenId>());
        CHECK(std::abs(reports[i].alternatives[k].probability - one.at("probabilities")[i][k].get<double>()) < 1e-5);
      }
    }
  }
  std::vector<TokenId> const prompt{1, 2, 3};
  GenerateOptions const options{.max_length = 20, .repetition_penalty = 1.5, .report = ReportOptions{}};
  auto const text = generate_sequences(tiny.model, prompt, options, tiny.context)[0];
  auto const again = report_tokens(tiny.model, text.ids, 0, tiny.context);
  REQUIRE(text.reports.size() == 17);
  for (std::size_t i = 0; i < text.reports.size(); ++i) {
    CHECK(text.reports[i].log_probability == again[i + 2].log_probability);
    CHECK(text.reports[i].entropy == again[i + 2].entropy);
  }
}

TEST_CASE("perplexity: windows and strides give what Hugging Face's guide gives") {
  TinyGpt2 tiny;
  for (Json const& one : recorded::cases("perplexity.json")) {
    auto const text = ids(one.at("ids"));
    std::size_t told = 0;
    PerplexityOptions options{.window = one.at("window").get<std::size_t>(), .stride = one.at("stride").get<std::size_t>()};
    options.progress = [&](Progress const& now) {
      CHECK(now.done > told);
      CHECK(now.total == text.size());
      told = now.done;
    };
    auto const found = perplexity(tiny.model, text, options, tiny.context);
    CHECK(found.perplexity == doctest::Approx(one.at("perplexity").get<double>()).epsilon(1e-5));
    CHECK(told == text.size());
    if (options.stride < *options.window || text.size() <= *options.window) CHECK(found.log_probabilities.size() == text.size() - 1);
  }
  std::vector<TokenId> const text(30, 3);
  auto const whole = perplexity(tiny.model, text, {}, tiny.context);
  CHECK(whole.log_probabilities.size() == 29);
  auto const reports = report_tokens(tiny.model, text, 1, tiny.context);
  REQUIRE(whole.most_probable.size() == reports.size());
  for (std::size_t i = 0; i < reports.size(); ++i) CHECK(whole.most_probable[i] == reports[i].alternatives[0].id);
  CHECK(perplexity(tiny.model, text, {.window = 20}, tiny.context).log_probabilities.size() == 28);
  std::stop_source stopped;
  stopped.request_stop();
  CHECK(perplexity(tiny.model, text, {.stop = stopped.get_token()}, tiny.context).log_probabilities.empty());
  auto const refuses = [&](std::vector<TokenId> const& list, PerplexityOptions const& options) {
    CHECK_THROWS_AS(perplexity(tiny.model, list, options, tiny.context), ArgumentError);
  };
  refuses({}, {});
  refuses({1}, {});
  refuses({1, 101}, {});
  refuses(text, {.window = 145});
  refuses(text, {.window = 1, .stride = 1});
  refuses(text, {.window = 20, .stride = 21});
  refuses(text, {.window = 20, .stride = 0});
  CHECK_THROWS_AS(report_tokens(tiny.model, std::vector<TokenId>(145, 1), 0, tiny.context), ArgumentError);
  CHECK_THROWS_AS(report_tokens(tiny.model, std::vector<TokenId>{}, 0, tiny.context), ArgumentError);
}
