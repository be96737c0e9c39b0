// Text generation against transformers' pipeline, with streaming, stop strings, sessions, and the face that hides the model.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/tasks/text_generation.hpp>
#include <axiform/tasks/text_generator.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/recorded_generation.hpp"

using namespace axiform;

namespace {

std::filesystem::path const directory = std::filesystem::path(AXIFORM_FIXTURES) / "models" / "gpt2-prefixed";

struct SmallGpt2 {
  Context context = Context::with_threads(2);
  TextGeneration<> task = TextGeneration<>::from_directory(directory, context);
};

}  // namespace

TEST_CASE("text generation: texts are those of transformers' pipeline") {
  SmallGpt2 gpt2;
  for (Json const& one : recorded::cases("pipeline.json")) {
    CAPTURE(dump_json(one));
    auto const prompt = one.at("prompt").get<std::string>();
    auto const texts = gpt2.task.generate(prompt, recorded::options(one), gpt2.context);
    REQUIRE(texts.size() == one.at("texts").size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CHECK(texts[i].text == one.at("texts")[i].get<std::string>());
      CHECK(texts[i].text == prompt + texts[i].continuation);
    }
  }
}

TEST_CASE("stop strings: the same tokens end a text as in transformers") {
  auto const tokenizer = Tokenizer::from_directory(directory);
  for (Json const& one : recorded::cases("stop_strings.json")) {
    CAPTURE(dump_json(one));
    auto const decode = [&](std::span<TokenId const> tokens) { return tokenizer.decode(tokens); };
    StopStrings const stop(one.at("strings").get<std::vector<std::string>>(), decode);
    auto const ids = recorded::ids(one.at("ids"));
    CHECK(tokenizer.decode(ids) == one.at("text").get<std::string>());
    CHECK(stop(ids) == one.at("stops").get<bool>());
  }
}

TEST_CASE("text generation: the pieces of a stream are the continuation, of every sequence, and a stop ends it") {
  SmallGpt2 gpt2;
  GenerateOptions options{.max_length = 16, .num_return_sequences = 3, .seed = 5};
  std::vector<std::string> streamed(3);
  std::size_t tokens = 0;
  options.on_token = [&](GeneratedToken) { ++tokens; };
  auto const texts = gpt2.task.stream("the in", options, [&](TextPiece piece) { streamed[piece.sequence] += piece.text; }, gpt2.context);
  for (std::size_t s = 0; s < 3; ++s) CHECK(streamed[s] == texts[s].continuation);
  CHECK(tokens == texts[0].sequence.new_ids().size() + texts[1].sequence.new_ids().size() + texts[2].sequence.new_ids().size());
  CHECK(gpt2.task.generate("the in", {.max_length = 16, .num_return_sequences = 3, .seed = 5}, gpt2.context)[2].text == texts[2].text);

  std::stop_source stop;
  options = {.max_length = 16, .decoding = Decoding::greedy, .stop = stop.get_token()};
  auto const stopped = gpt2.task.stream("the in", options, [&](TextPiece) { stop.request_stop(); }, gpt2.context);
  CHECK(stopped[0].sequence.finish == FinishReason::stopped);
  CHECK(stopped[0].sequence.ids.size() < 16);
}

TEST_CASE("text generation: each text of several is continued as alone, with its reports") {
  SmallGpt2 gpt2;
  GenerateOptions options{.max_new_tokens = 4, .num_return_sequences = 2, .seed = 3, .batch_size = 4};
  options.report = ReportOptions{.alternatives = 3};
  std::size_t done = 0;
  options.progress = [&](Progress const& now) {
    CHECK(now.done > done);
    CHECK(now.total == 5);
    done = now.done;
  };
  std::vector<std::string> const prompts{"the", "in the end it is", "", "1", "the"};
  auto const texts = gpt2.task.generate(prompts, options, gpt2.context);
  CHECK(done == 5);
  options.progress = {};
  REQUIRE(texts.size() == 5);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    auto const alone = gpt2.task.generate(prompts[i], options, gpt2.context);
    for (std::size_t r = 0; r < 2; ++r) {
      CHECK(texts[i][r].text == alone[r].text);
      CHECK(texts[i][r].sequence.reports.size() == texts[i][r].sequence.new_ids().size());
      CHECK(texts[i][r].sequence.reports[0].alternatives.size() == 3);
    }
  }
  CHECK(texts[0][0].text == texts[4][0].text);
  CHECK(gpt2.task.generate({"the", "1"}, options, gpt2.context)[1][0].text == texts[3][0].text);
}

TEST_CASE("text generation: bad words are not generated, with or without a space before them") {
  SmallGpt2 gpt2;
  GenerateOptions options{.max_length = 12, .decoding = Decoding::greedy};
  CHECK(gpt2.task.generate("the", options, gpt2.context)[0].continuation.find('7') != std::string::npos);
  options.bad_words = gpt2.task.bad_words({"7"});
  CHECK(options.bad_words.size() == 2);
  CHECK(gpt2.task.generate("the", options, gpt2.context)[0].continuation.find('7') == std::string::npos);
  CHECK_THROWS_AS(gpt2.task.bad_words({""}), ArgumentError);
}

TEST_CASE("text generation: perplexity, reports and logits agree with each other") {
  SmallGpt2 gpt2;
  std::string const text = "in the end";
  auto const reports = gpt2.task.report(text, 2, gpt2.context);
  auto const perplexity = gpt2.task.perplexity(text, {}, gpt2.context);
  auto const logits = gpt2.task.logits(text, gpt2.context);
  REQUIRE(logits.rows() == reports.size() + 1);
  double sum = 0;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    CHECK(reports[i].log_probability == report_token(logits.row(i), reports[i].id, 0).log_probability);
    CHECK(reports[i].log_probability == doctest::Approx(perplexity.log_probabilities[i]).epsilon(1e-12));
    sum += reports[i].log_probability;
  }
  CHECK(perplexity.perplexity == doctest::Approx(std::exp(-sum / static_cast<double>(reports.size()))));
  std::string longer;
  for (int i = 0; i < 20; ++i) longer += "in the end ";
  CHECK(gpt2.task.perplexity(longer, {.stride = 4}, gpt2.context).perplexity > 1);
  CHECK_THROWS_AS(gpt2.task.report(longer, 0, gpt2.context), ArgumentError);
  CHECK_THROWS_AS(gpt2.task.logits(longer, gpt2.context), ArgumentError);
  CHECK_THROWS_AS(gpt2.task.perplexity("", {}, gpt2.context), ArgumentError);
}

TEST_CASE("text generation: a session goes on, forks and goes back, with the texts of whole prompts") {
  SmallGpt2 gpt2;
  GenerateOptions const options{.max_new_tokens = 3, .decoding = Decoding::greedy};
  auto session = gpt2.task.session();
  session.append("the");
  CHECK(session.generate(options, gpt2.context).text == gpt2.task.generate("the", options, gpt2.context)[0].text);
  session.append(" in");
  std::size_t const size = session.size();
  auto fork = session.fork();
  std::string streamed;
  auto const answer = session.stream(options, [&](TextPiece piece) { streamed += piece.text; }, gpt2.context);
  CHECK(streamed == answer.continuation);
  CHECK(answer.text == session.text());
  CHECK(session.size() == size + 3);
  CHECK(session.room() == 16 - size - 3);
  CHECK(fork.size() == size);
  CHECK(fork.generate(options, gpt2.context).text == answer.text);
  fork.roll_back(size);
  CHECK(fork.text() + answer.continuation == answer.text);
  CHECK(fork.generate(options, gpt2.context).continuation == answer.continuation);
  CHECK_THROWS_AS(session.append("a text that does not fit any more"), ArgumentError);
  CHECK(session.text() == answer.text);
}

TEST_CASE("text generation: profiles are the notebook's and transformers', and the checkpoint's own settings come on top") {
  SmallGpt2 gpt2;
  auto const notebook = gpt2.task.options();
  CHECK(notebook.max_length == 50);
  CHECK(notebook.decoding == Decoding::sample);
  CHECK(notebook.sampling.top_k == 50);
  CHECK(notebook.sampling.temperature == 1.0);
  CHECK(notebook.end_of_text == std::vector<TokenId>{299});
  auto const current = gpt2.task.options(GenerationProfile::transformers_5);
  CHECK(current.max_new_tokens == 256);
  CHECK(current.sampling.temperature == 0.7);
  CHECK(current.sampling.top_k == 50);

  axiform::test::TemporaryDirectory const copy;
  std::filesystem::copy(directory, copy.path());
  auto const write = [&](char const* text) { std::ofstream(copy / "generation_config.json") << text; };
  write(R"({"eos_token_id": [299, 7], "do_sample": false, "max_length": 9, "repetition_penalty": 1.5})");
  auto const own = TextGeneration<>::from_directory(copy, gpt2.context);
  CHECK(own.options(GenerationProfile::transformers_5).decoding == Decoding::greedy);
  CHECK(!own.options(GenerationProfile::transformers_5).max_new_tokens);
  CHECK(own.options().end_of_text.size() == 2);
  GenerateOptions const same{.max_length = 9, .decoding = Decoding::greedy, .repetition_penalty = 1.5, .end_of_text = {299, 7}};
  CHECK(own.generate("the", gpt2.context)[0].text == gpt2.task.generate("the", same, gpt2.context)[0].text);
  write(R"({"suppress_tokens": [1]})");
  CHECK_THROWS_AS(TextGeneration<>::from_directory(copy, gpt2.context), CheckpointError);
  write("[]");
  CHECK_THROWS_AS(TextGeneration<>::from_directory(copy, gpt2.context), FormatError);
}

TEST_CASE("text generation: hostile and overlong texts are continued or refused, and never more") {
  SmallGpt2 gpt2;
  GenerateOptions const options{.max_new_tokens = 1, .decoding = Decoding::greedy};
  std::string const zero(1, '\0');
  for (std::string const& text : {std::string("\xFF\xC3\xE2\x82"), zero, std::string("<|endoftext|>"), std::string("\n \t")})
    CHECK(gpt2.task.generate(text, options, gpt2.context)[0].sequence.new_ids().size() == 1);
  std::string const huge(100'000, 'x');
  CHECK_THROWS_AS(gpt2.task.generate(huge, options, gpt2.context), ArgumentError);
  CHECK_THROWS_AS(gpt2.task.generate("the", {.max_length = 50}, gpt2.context), ArgumentError);
  CHECK_THROWS_AS(gpt2.task.generate("in the", {.max_length = 1}, gpt2.context), ArgumentError);
  GenerateOptions const beams{.max_length = 9, .decoding = Decoding::beam_search, .num_beams = 2};
  CHECK_THROWS_AS(gpt2.task.stream("the", beams, [](TextPiece) {}, gpt2.context), ArgumentError);
  GenerateOptions const many{.max_length = 9, .num_return_sequences = static_cast<std::size_t>(-1)};
  CHECK_THROWS_AS(gpt2.task.stream("the", many, [](TextPiece) {}, gpt2.context), ArgumentError);
}

TEST_CASE("text generation: with prompt lookup texts, pieces of streams, stop strings and sessions are as they are without it") {
  SmallGpt2 gpt2;
  std::size_t accepted = 0;
  for (Decoding decoding : {Decoding::greedy, Decoding::sample})
    for (std::string const& stop : {std::string(), std::string("the"), std::string(" ")})
      for (std::uint64_t seed = 0; seed < 6; ++seed) {
        GenerateOptions plain{.max_length = 16, .decoding = decoding, .sampling = {.top_k = 3}, .seed = seed};
        if (!stop.empty()) plain.stop_strings = {stop};
        auto lookup = plain;
        lookup.prompt_lookup = PromptLookup{.tokens = 5, .ngram = 2};
        for (std::string const prompt : {"the", "in the in the", ""}) {
          auto const expected = gpt2.task.generate(prompt, plain, gpt2.context)[0];
          std::string streamed;
          auto const found = gpt2.task.stream(prompt, lookup, [&](TextPiece piece) { streamed += piece.text; }, gpt2.context)[0];
          CHECK(found.text == expected.text);
          CHECK(streamed == expected.continuation);
          CHECK(found.sequence.finish == expected.sequence.finish);
          accepted += found.sequence.accepted;
        }
        lookup.max_new_tokens = 4;
        plain.max_new_tokens = 4;
        auto with = gpt2.task.session(), without = gpt2.task.session();
        for (std::string const text : {"the in", " the"}) {
          with.append(text), without.append(text);
          CHECK(with.generate(lookup, gpt2.context).text == without.generate(plain, gpt2.context).text);
        }
      }
  CHECK(accepted > 20);
}

TEST_CASE("text generation: a small model helps, and the text stays") {
  SmallGpt2 gpt2;
  GenerateOptions const options{.max_length = 14, .decoding = Decoding::greedy, .repetition_penalty = 1.2};
  auto const found = gpt2.task.generate_speculatively("in the", gpt2.task, options, {.tokens = 3}, gpt2.context);
  CHECK(found.text.text == gpt2.task.generate("in the", options, gpt2.context)[0].text);
  CHECK(found.accepted == found.proposed);
}

TEST_CASE("text generator: it answers as the model that it hides, and its copies share it") {
  SmallGpt2 gpt2;
  TextGenerator const generator(TextGeneration<>::from_directory(directory, gpt2.context), Context());
  TextGenerator const copy = generator;
  GenerateOptions const options{.max_length = 14, .num_return_sequences = 2, .seed = 1};
  auto const expected = gpt2.task.generate("in the", options, gpt2.context);
  CHECK(copy.generate("in the", options)[1].text == expected[1].text);
  CHECK(generator.generate({"the", "in the"}, options)[1][0].text == expected[0].text);
  CHECK(generator.generate(std::vector<std::string>{"in the"}, options)[0][0].text == expected[0].text);
  std::string streamed;
  generator.stream("in the", {.max_length = 14, .seed = 1}, [&](TextPiece piece) { streamed += piece.text; });
  CHECK(streamed == expected[0].continuation);
  CHECK(generator.perplexity("in the").perplexity == gpt2.task.perplexity("in the", {}, gpt2.context).perplexity);
  CHECK(generator.report("in the", 1).size() == gpt2.task.report("in the", 1, gpt2.context).size());
  CHECK(generator.bad_words({"7"}) == gpt2.task.bad_words({"7"}));
  CHECK(generator.decode(gpt2.task.encode("in the")) == "in the");
  CHECK(generator.options().end_of_text == std::vector<TokenId>{299});
  CHECK(generator.positions() == 16);
}
