// Logits processors and the sampler, each alone and all together, against transformers on given logits.
#include <doctest/doctest.h>
#include <axiform/generate/beam_search.hpp>
#include <axiform/core/greatest.hpp>
#include <axiform/generate/logits_processors.hpp>
#include <axiform/generate/sampler.hpp>
#include <axiform/generate/stopping.hpp>
#include <axiform/generate/token_chooser.hpp>

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "support/files.hpp"
#include "support/recorded_generation.hpp"

using namespace axiform;

TEST_CASE("processors: each alone, and in chains, gives transformers' scores") {
  Json const all = recorded::cases("processors.json");
  Json const& rows = all[0].at("rows");
  std::set<std::string> seen;
  for (std::size_t i = 1; i < all.size(); ++i) {
    Json const& one = all[i];
    CAPTURE(dump_json(one.at("options")));
    CAPTURE(dump_json(one.at("ids")));
    for (auto const& [name, value] : one.at("options").items()) seen.insert(name);
    GenerateOptions const options = recorded::options(one);
    auto const ids = recorded::ids(one.at("ids"));
    auto scores = recorded::scores<float>(rows.at(one.at("row").get<std::size_t>()));
    auto const expected = recorded::scores<double>(one.at("scores"));
    options.check(scores.size());
    LogitsProcessors const process(options, ids, one.at("prompt_length").get<std::size_t>(), options.max_length);
    process(ids, scores);
    if (options.decoding == Decoding::greedy) {
      for (std::size_t id = 0; id < scores.size(); ++id) {
        CAPTURE(id);
        CHECK(std::isinf(scores[id]) == std::isinf(expected[id]));
        if (!std::isinf(expected[id])) CHECK(std::abs(scores[id] - expected[id]) < 2e-6);  // scores are floats, below 10
      }
      continue;
    }
    Sampler sampler;
    sampler.distribution(scores, options.sampling);
    double sum = 0;
    for (double score : expected) sum += std::exp(score);
    std::vector<double> found(expected.size());
    for (auto const& candidate : sampler.candidates()) {
      found[static_cast<std::size_t>(candidate.id)] = candidate.probability;
      CHECK(std::abs(candidate.score - expected[static_cast<std::size_t>(candidate.id)]) < 5e-6);
    }
    for (std::size_t id = 0; id < found.size(); ++id) {
      CAPTURE(id);
      CHECK(std::abs(found[id] - std::exp(expected[id]) / sum) < 1e-6);
      CHECK((found[id] == 0) == std::isinf(expected[id]));
    }
  }
  CHECK(seen.size() == 15);  // the settings, each in some case
}

TEST_CASE("processors: texts and scores of any length are taken as they are") {
  std::vector<float> scores{1.0f, 2.0f};
  std::vector<TokenId> const beyond{5, 1, -1, 5};
  RepetitionPenalty{2.0}(beyond, scores);
  CHECK(scores == std::vector<float>{1.0f, 1.0f});
  for (std::size_t size : {0, 1, 2, 9}) NoRepeatNgram{size}(std::vector<TokenId>{}, scores);
  NoRepeatNgram{0}(beyond, scores);
  NoRepeatNgram{1}(std::vector<TokenId>{7}, scores);
  CHECK(scores == std::vector<float>{1.0f, 1.0f});
  std::vector<std::vector<TokenId>> const words{{}, {9}, {1, 0}};
  NoBadWords{words, {}}(std::vector<TokenId>{}, scores);
  CHECK(scores == std::vector<float>{1.0f, 1.0f});
  SourceRepetitionPenalty{beyond, 2.0}(std::vector<TokenId>{}, scores);
  CHECK(scores == std::vector<float>{1.0f, 2.0f});
  for (std::size_t size : {0, 2, 4, 9}) NoNgramOfSource{beyond, size}(std::vector<TokenId>{0}, scores);
  NoNgramOfSource{std::vector<TokenId>{}, 1}(beyond, scores);
  CHECK(scores == std::vector<float>{1.0f, 2.0f});
  NoNgramOfSource{beyond, 2}(std::vector<TokenId>{5}, scores);
  CHECK(scores == std::vector<float>{1.0f, impossible});
}

TEST_CASE("beam search: renormalized scores are of what is possible, and a beam that nothing may continue is left behind") {
  std::vector<TokenId> const prompt{2};
  GenerateOptions options{
      .max_length = 4, .num_return_sequences = 2, .decoding = Decoding::beam_search, .num_beams = 2, .bad_words = {{2}}};
  options.bad_words.insert(options.bad_words.end(), {{0, 0}, {0, 1}});  // nothing behind 0
  auto const best = [&] {
    Stopping const stopping(options);
    BeamSearch search(prompt, prompt, options, 4, stopping);
    while (!search.is_done()) {
      std::vector<std::vector<float>> logits(search.beams().size(), {0.0f, 1.0f, 2.0f});
      std::vector<std::span<float>> rows(logits.begin(), logits.end());
      search.step(rows);
    }
    return search.results()[0];
  };
  double const one = 1, e = std::exp(1.0);
  auto found = best();
  CHECK(found.ids == std::vector<TokenId>{2, 1, 1, 1});
  CHECK(found.beam_score == doctest::Approx(std::log(e / (one + e + e * e))));
  options.processed_scores = ProcessedScores::renormalized;
  found = best();
  CHECK(found.ids == std::vector<TokenId>{2, 1, 1, 1});
  CHECK(found.beam_score == doctest::Approx(std::log(e / (one + e))));
}

TEST_CASE("greatest: the k greatest come in order, the first of equals stay, and none is kept of none") {
  Greatest<int> greatest(3);
  for (int value : {4, 1, 9, 2, 9, 0, 7}) greatest.offer(value);
  CHECK(greatest.least() == 7);
  CHECK(greatest.take() == std::vector<int>{9, 9, 7});
  greatest.restart(0);
  greatest.offer(1);
  CHECK(greatest.take().empty());
}

TEST_CASE("chooser: a row without a possible token is refused, and reports can be of what the model says or of what was drawn from") {
  GenerateOptions options{.decoding = Decoding::greedy, .bad_words = {{0}, {1}}};
  std::vector<TokenId> const ids{2};
  std::vector<float> logits{1.0f, 2.0f};
  CHECK_THROWS_AS(TokenChooser(options, ids, 1, 9).read(logits, ids), ArgumentError);

  options = {.repetition_penalty = 2.0, .sampling = {.top_k = 2}, .report = ReportOptions{.alternatives = 3}};
  auto const read = [&](TokenChooser& chooser) {
    logits = {2.0f, 1.0f, 2.0f, -1.0f};
    chooser.read(logits, ids);
    return *chooser.report(2);
  };
  TokenChooser of_model(options, ids, 1, 9);
  double const sum = 2 * std::exp(2.0) + std::exp(1.0) + std::exp(-1.0);
  TokenReport report = read(of_model);
  CHECK(report.id == 2);
  CHECK(report.log_probability == doctest::Approx(2 - std::log(sum)));
  REQUIRE(report.alternatives.size() == 3);
  CHECK(report.alternatives[0].id == 0);
  CHECK(report.alternatives[1].id == 2);
  CHECK(report.alternatives[2].probability == doctest::Approx(std::exp(1.0) / sum));
  options.report->distribution = ReportedDistribution::processed;
  TokenChooser of_drawn(options, ids, 1, 9);
  report = read(of_drawn);  // scores 2, 1, 1, -1: ties with the second stay
  CHECK(report.alternatives.size() == 3);
  CHECK(report.log_probability == doctest::Approx(1 - std::log(std::exp(2.0) + 2 * std::exp(1.0))));
  CHECK(report.entropy > 0);
}

TEST_CASE("options: absurd values and contradictions are refused by name") {
  auto const refuses = [](GenerateOptions const& options, char const* message) {
    CHECK_THROWS_WITH_AS(options.check(100), message, ArgumentError);
  };
  double const nan = std::nan("");
  refuses({.repetition_penalty = 0}, "repetition_penalty: found 0.000000, expected a number above 0");
  refuses({.encoder_repetition_penalty = -1}, "encoder_repetition_penalty: found -1.000000, expected a number above 0");
  refuses({.repetition_penalty = nan}, "repetition_penalty: found nan, expected a number above 0");
  refuses({.length_penalty = nan}, "length_penalty: found nan, expected a finite number");
  refuses({.max_time = std::chrono::seconds(-1)}, "max_time: found -1.000000 seconds, expected 0 or more");
  refuses({.bad_words = {{1}, {}}}, "bad_words: found a word without tokens, expected at least one token");
  refuses({.bad_words = {{1, 100}}}, "bad_words: found token id 100, expected 0 to 99");
  refuses({.forced_bos = -1}, "forced_bos: found token id -1, expected 0 to 99");
  refuses({.forced_eos = {3, 100}}, "forced_eos: found token id 100, expected 0 to 99");
  refuses({.sampling = {.min_p = 1.5}}, "min_p: found 1.500000, expected a number in [0, 1]");
  refuses({.sampling = {.typical_p = 0}}, "typical_p: found 0.000000, expected a number in (0, 1]");
  refuses({.sampling = {.top_p = 1.5}}, "top_p: found 1.500000, expected a number in (0, 1]");
  refuses({.stop_strings = {""}}, "stop_strings: found an empty string, expected at least one character");
  refuses({.stop_strings = {"x"}}, "stop_strings: need `decode`, which turns tokens into text");
  refuses({.batch_size = 0}, "batch_size: found 0, expected at least 1");
  refuses({.num_beams = 4}, "num_beams: found 4 without beam search, expected 1; or choose Decoding::beam_search");
  refuses({.decoding = Decoding::beam_search}, "num_beams: found 1, expected 2 to 4096 for beam search");
  refuses({.num_return_sequences = 5, .decoding = Decoding::beam_sample, .num_beams = 4},
          "num_return_sequences: found 5, expected at most the 4 beams");
  refuses({.decoding = Decoding::beam_search, .num_beams = 2, .on_token = [](GeneratedToken) {}},
          "on_token: beam search has no token to tell before it ends; sample, or decode greedily");
  refuses({.decoding = Decoding::beam_search, .num_beams = 2, .report = ReportOptions{.distribution = ReportedDistribution::processed}},
          "report: beam search reports what the model says only, ReportedDistribution::model");
  auto const too_short = [](GenerateOptions const& options, char const* message) {
    CHECK_THROWS_WITH_AS(options.checked_length(10, 100), message, ArgumentError);
  };
  too_short({.max_length = 20, .min_length = 21}, "min_length: found 21, expected at most the 20 tokens that there may be");
  too_short({.max_new_tokens = 5, .min_new_tokens = 6}, "min_new_tokens: found 6, expected at most the 5 tokens that there may be");
}

TEST_CASE("generation config: values are read under Hugging Face's names, and what is not supported is refused by name") {
  auto const read = [](char const* text, GenerateOptions const& defaults = {}) {
    return read_generation_config(parse_json(text, "config"), defaults, "config");
  };
  auto const options = read(R"({"_from_model_config": true, "bos_token_id": 5, "eos_token_id": 5, "transformers_version": "4.26.0.dev0"})");
  CHECK(options.end_of_text == std::vector<TokenId>{5});
  CHECK(options.decoding == Decoding::sample);
  CHECK(options.max_length == 50);
  auto const beams =
      read(R"({"num_beams": 4, "do_sample": false, "early_stopping": "never", "max_length": 30, "temperature": 0.5, "max_time": 2,
                              "stop_strings": "end", "forced_eos_token_id": null, "suppress_tokens": [], "epsilon_cutoff": 0.0})",
           {.max_new_tokens = 256});
  CHECK(beams.decoding == Decoding::beam_search);
  CHECK(beams.early_stopping == EarlyStopping::never);
  CHECK(!beams.max_new_tokens);
  CHECK(beams.max_time->count() == 2);
  CHECK(beams.stop_strings == std::vector<std::string>{"end"});
  auto const opus = read(
      R"({"bad_words_ids": [[58100]], "renormalize_logits": true, "encoder_repetition_penalty": 1.5, "encoder_no_repeat_ngram_size": 3})");
  CHECK(opus.processed_scores == ProcessedScores::renormalized);
  CHECK(opus.encoder_repetition_penalty == 1.5);
  CHECK(opus.encoder_no_repeat_ngram_size == 3);
  CHECK(read("{}", opus).processed_scores == ProcessedScores::renormalized);
  CHECK(read(R"({"renormalize_logits": false})", opus).processed_scores == ProcessedScores::as_they_are);
  CHECK_THROWS_WITH_AS(read(R"({"suppress_tokens": [1]})"), "config: suppress_tokens: found an array of 1, which is not supported",
                       CheckpointError);
  CHECK_THROWS_WITH_AS(read(R"({"diversity_penalty": 0.5})"), "config: diversity_penalty: found the number 0.5, which is not supported",
                       CheckpointError);
  CHECK_THROWS_AS(read(R"({"max_length": "long"})"), FormatError);
  CHECK(!beams.prompt_lookup);
  CHECK(read(R"({"prompt_lookup_num_tokens": 12})").prompt_lookup->tokens == 12);
  CHECK(read(R"({"prompt_lookup_num_tokens": 12})").prompt_lookup->ngram == PromptLookup{}.ngram);
  CHECK(read(R"({"prompt_lookup_num_tokens": 5, "max_matching_ngram_size": 2})").prompt_lookup->ngram == 2);
  CHECK(read(R"({"prompt_lookup_num_tokens": null})", {.prompt_lookup = PromptLookup{.tokens = 3}}).prompt_lookup->tokens == 3);
  CHECK(!read(R"({"prompt_lookup_num_tokens": 0})", {.prompt_lookup = PromptLookup{}}).prompt_lookup);
  CHECK(!read(R"({"max_matching_ngram_size": 2})").prompt_lookup);
  CHECK_THROWS_AS(read(R"({"prompt_lookup_num_tokens": -1})"), FormatError);
  CHECK_THROWS_AS(read(R"({"bad_words_ids": [[1], 2]})"), FormatError);
}

TEST_CASE("generation config: how an encoder-decoder begins and ends is read, also where config.json alone says it") {
  auto const read = [](char const* text, GenerateOptions const& defaults = {}) {
    return read_generation_config(parse_json(text, "config"), defaults, "config");
  };
  auto const bart = read(R"({"bos_token_id": 0, "decoder_start_token_id": 2, "forced_bos_token_id": 0, "forced_eos_token_id": 2})");
  CHECK(bart.decoder_start == 2);
  CHECK(bart.forced_bos == 0);
  CHECK(bart.forced_eos == std::vector<TokenId>{2});
  CHECK(read(R"({"bos_token_id": 7})").decoder_start == 7);  // as transformers, where there is no other
  CHECK(read(R"({"bos_token_id": 7, "decoder_start_token_id": null})").decoder_start == 7);
  CHECK(read(R"({"bos_token_id": 7})", {.decoder_start = 3}).decoder_start == 3);
  CHECK(!read("{}").decoder_start);
  CHECK(read(R"({"bos_token_id": 7, "force_bos_token_to_be_generated": true})").forced_bos == 7);
  CHECK_THROWS_AS(read(R"({"decoder_start_token_id": [1, 2]})"), FormatError);  // one for each text of a batch

  test::TemporaryDirectory const directory;
  CHECK(read_generation_config(directory.path(), {.decoder_start = 9}).decoder_start == 9);
  test::write_bytes(directory / "config.json",
                    R"({"model_type": "bart", "d_model": 16, "num_beams": 4, "early_stopping": true, "max_length": 142,
    "min_length": 56, "no_repeat_ngram_size": 3, "length_penalty": 2.0, "decoder_start_token_id": 2, "num_return_sequences": null})");
  auto const old = read_generation_config(directory.path(), {.decoding = Decoding::greedy});
  CHECK(old.decoding == Decoding::beam_search);
  CHECK(old.num_beams == 4);
  CHECK(old.early_stopping == EarlyStopping::when_full);
  CHECK(old.max_length == 142);
  CHECK(old.min_length == 56);
  CHECK(old.no_repeat_ngram_size == 3);
  CHECK(old.length_penalty == 2.0);
  CHECK(old.decoder_start == 2);
  test::write_bytes(directory / "generation_config.json", R"({"decoder_start_token_id": 5, "max_length": 60})");
  auto const own = read_generation_config(directory.path(), {.decoding = Decoding::greedy});
  CHECK(own.decoder_start == 5);
  CHECK(own.max_length == 60);
  CHECK(own.num_beams == 1);
}

TEST_CASE("stop strings: a text is found with the token that completes it, also across characters cut in two") {
  // Tokens are pieces of text; 8 and 9 are the two bytes of "é".
  std::vector<std::string> const pieces{"a", "st", "op", "s", "top", "stopped", " ", "-", "\xC3", "\xA9"};
  auto const decode = [&](std::span<TokenId const> ids) {
    std::string text;
    for (TokenId const id : ids) text += pieces[static_cast<std::size_t>(id)];
    std::string whole;  // as a tokenizer does, U+FFFD for what is no character
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\xC3' && i + 1 < text.size() && text[i + 1] == '\xA9') {
        whole += "é", ++i;
      } else {
        whole += static_cast<unsigned char>(text[i]) < 128 ? std::string(1, text[i]) : "\xEF\xBF\xBD";
      }
    }
    return whole;
  };
  using Ids = std::vector<TokenId>;
  StopStrings const stop({"stop"}, decode);
  CHECK(stop(Ids{1, 2}));
  CHECK(stop(Ids{0, 3, 4}));
  CHECK(stop(Ids{5}));
  CHECK(stop(Ids{0, 5}));
  CHECK(!stop(Ids{1, 2, 0}));  // completed before
  CHECK(!stop(Ids{1, 0, 2}));
  CHECK(!stop(Ids{}));
  CHECK(StopStrings({"é"}, decode)(Ids{0, 8, 9}));
  CHECK(!StopStrings({"é"}, decode)(Ids{0, 8}));
  CHECK(StopStrings({"x", "aé "}, decode)(Ids{0, 8, 9, 6}));
  CHECK(!StopStrings({}, decode)(Ids{1, 2}));
  Ids many(300, 6);
  many.insert(many.end(), {1, 2});
  CHECK(stop(many));
  std::string const spaces(290, ' ');
  CHECK(StopStrings({spaces + "stop"}, decode)(many));
  CHECK(!StopStrings({spaces + std::string(20, ' ') + "stop"}, decode)(many));
}

TEST_CASE("beam search: rows that do not fit the beams are refused, and results can be had again") {
  std::vector<TokenId> const prompt{1};
  GenerateOptions const options{.max_length = 3, .num_return_sequences = 2, .decoding = Decoding::beam_search, .num_beams = 2};
  Stopping const stopping(options);
  BeamSearch search(prompt, prompt, options, 3, stopping);
  CHECK_THROWS_AS(search.step({}), ArgumentError);
  auto const step = [&] {
    std::vector<std::vector<float>> logits(search.beams().size(), {1.0f, 2.0f, 0.5f});
    std::vector<std::span<float>> rows(logits.begin(), logits.end());
    search.step(rows);
  };
  step();
  REQUIRE(search.beams().size() == 2);
  CHECK(search.beams()[0].ids == std::vector<TokenId>{1, 1});
  CHECK(search.beams()[1].ids == std::vector<TokenId>{1, 0});
  step();
  CHECK(search.is_done());
  CHECK_THROWS_AS(step(), ArgumentError);
  auto const texts = search.results();
  REQUIRE(texts.size() == 2);
  CHECK(texts[0].ids == std::vector<TokenId>{1, 1, 1});
  CHECK(search.results()[0].ids == texts[0].ids);
}
