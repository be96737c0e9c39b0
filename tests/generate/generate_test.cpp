// generate: lengths, seeds, ends, callbacks and stops, on a small GPT-2 with seeded weights.
#include <axiform/core/context.hpp>
#include <axiform/generate/generate.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/initialize.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

using namespace axiform;

namespace {

Gpt2<> small_gpt2() {
  Context context;
  auto gpt2 = Gpt2<>::create({16, 2, 8, 32}, {.layers = 2, .vocabulary = 50, .positions = 40});
  initialize(gpt2, {.seed = 1, .standard_deviation = 0.3}, context);
  return gpt2;
}

std::vector<TokenId> const prompt{7, 8, 9};

}  // namespace

TEST_CASE("generate: max_length counts the prompt, max_new_tokens does not and overrides it") {
  auto const gpt2 = small_gpt2();
  Context context;
  CHECK(generate(gpt2, prompt, {.max_length = 10}, context).at(0).size() == 10);
  CHECK(generate(gpt2, prompt, {.max_length = 4, .max_new_tokens = 5}, context).at(0).size() == 8);
  auto const sequence = generate(gpt2, prompt, {.max_length = 10}, context).at(0);
  CHECK(std::equal(prompt.begin(), prompt.end(), sequence.begin()));
}

TEST_CASE("generate: a seed gives the same tokens for any number of threads, and another seed others") {
  auto const gpt2 = small_gpt2();
  Context one;
  Context three = Context::with_threads(3);
  GenerateOptions const options{.max_length = 30, .num_return_sequences = 3, .seed = 42};
  auto const first = generate(gpt2, prompt, options, one);
  REQUIRE(first.size() == 3);
  CHECK(first == generate(gpt2, prompt, options, three));
  CHECK(first[0] != first[1]);
  GenerateOptions other = options;
  other.seed = 43;
  CHECK(first != generate(gpt2, prompt, other, one));
}

TEST_CASE("generate: a sequence does not depend on how many are generated beside it") {
  auto const gpt2 = small_gpt2();
  Context context;
  auto const three = generate(gpt2, prompt, {.max_length = 30, .num_return_sequences = 3, .seed = 5}, context);
  CHECK(generate(gpt2, prompt, {.max_length = 30, .num_return_sequences = 1, .seed = 5}, context).at(0) == three[0]);
  CHECK(generate(gpt2, prompt, {.max_length = 30, .num_return_sequences = 2, .seed = 5}, context).at(1) == three[1]);
}

TEST_CASE("generate: top-k 1 is greedy") {
  auto const gpt2 = small_gpt2();
  Context context;
  CHECK(generate(gpt2, prompt, {.max_length = 30, .sampling = {.top_k = 1}}, context) ==
        generate(gpt2, prompt, {.max_length = 30, .decoding = Decoding::greedy}, context));
}

TEST_CASE("generate: each sequence ends with its own end-of-text") {
  auto const gpt2 = small_gpt2();
  Context context;
  GenerateOptions options{.max_length = 40, .num_return_sequences = 4, .sampling = {.top_k = 0}, .seed = 3};
  auto const whole = generate(gpt2, prompt, options, context);
  options.end_of_text = {whole[0][8], whole[1][5]};
  auto const ended = generate(gpt2, prompt, options, context);
  for (std::size_t s = 0; s < ended.size(); ++s) {
    std::size_t length = prompt.size();
    while (length < whole[s].size() && std::ranges::find(options.end_of_text, whole[s][length]) == options.end_of_text.end()) ++length;
    length = std::min(length + 1, whole[s].size());
    CHECK(ended[s] == std::vector<TokenId>(whole[s].begin(), whole[s].begin() + static_cast<std::ptrdiff_t>(length)));
  }
}

TEST_CASE("generate: the callback sees every token in order, and a stop returns what is there") {
  auto const gpt2 = small_gpt2();
  Context context;
  std::vector<TokenId> seen = prompt;
  std::stop_source stop;
  GenerateOptions options{.max_length = 30, .seed = 2};
  options.on_token = [&](GeneratedToken token) {
    CHECK(token.sequence == 0);
    seen.push_back(token.id);
    if (seen.size() == 12) stop.request_stop();
  };
  options.stop = stop.get_token();
  auto const sequence = generate(gpt2, prompt, options, context).at(0);
  CHECK(sequence == seen);
  CHECK(sequence.size() == 12);
  CHECK(generate(gpt2, prompt, options, context).at(0) == prompt);  // stopped before it began
}

TEST_CASE("generate: texts say why they ended, and end when the caller's criterion or the time says so") {
  auto const gpt2 = small_gpt2();
  Context context;
  auto const text = [&](GenerateOptions const& options) { return generate_sequences(gpt2, prompt, options, context).at(0); };
  auto const whole = text({.max_length = 12});
  CHECK(whole.finish == FinishReason::length);
  CHECK(whole.prompt_length == 3);
  CHECK(std::ranges::equal(whole.new_ids(), std::span(whole.ids).subspan(3)));
  CHECK(whole.reports.empty());
  CHECK(text({.max_length = 12, .end_of_text = {whole.ids.back()}}).finish == FinishReason::end_of_text);

  GenerateOptions options{.max_length = 12};
  options.stop_when = [](std::size_t sequence, std::span<TokenId const> ids) { return sequence == 0 && ids.size() == 7; };
  CHECK(text(options).finish == FinishReason::stop_when);
  CHECK(text(options).ids.size() == 7);
  options = {.max_length = 12, .stop_strings = {"#", "x" + std::to_string(whole.ids[5])}};
  options.decode = [](std::span<TokenId const> ids) {
    std::string decoded;
    for (TokenId const id : ids) decoded += "x" + std::to_string(id) + "y";
    return decoded;
  };
  auto const stopped = text(options);
  CHECK(stopped.finish == FinishReason::stop_string);
  CHECK(stopped.ids.size() <= 6);

  auto const late = text({.max_length = 12, .max_time = std::chrono::seconds(0)});
  CHECK(late.finish == FinishReason::time);
  CHECK(late.ids == prompt);
  CHECK(text({.max_length = 12, .max_time = std::chrono::hours(1)}).ids == whole.ids);
}

TEST_CASE("generate: beams that are stopped give the best texts so far") {
  auto const gpt2 = small_gpt2();
  Context context;
  GenerateOptions options{.max_length = 30, .num_return_sequences = 3, .decoding = Decoding::beam_search, .num_beams = 4};
  std::stop_source stop;
  options.stop = stop.get_token();
  options.stop_when = [&](std::size_t, std::span<TokenId const> ids) {
    if (ids.size() == 8) stop.request_stop();
    return false;
  };
  auto const texts = generate_sequences(gpt2, prompt, options, context);
  REQUIRE(texts.size() == 3);
  for (auto const& text : texts) {
    CHECK(text.ids.size() == 8);
    CHECK(text.finish == FinishReason::stopped);
  }
  CHECK(texts[0].beam_score >= texts[1].beam_score);
  CHECK(texts[1].beam_score >= texts[2].beam_score);
  CHECK(generate(gpt2, prompt, options, context) == std::vector(3, prompt));  // stopped before it began
}

TEST_CASE("generate: a text that is continued in parts is the text made at once, and its seed does not repeat itself") {
  auto const gpt2 = small_gpt2();
  Context context;
  auto const whole = generate(gpt2, prompt, {.max_length = 30, .seed = 8}, context).at(0);
  auto part = prompt;
  for (int i = 0; i < 9; ++i) part = generate(gpt2, part, {.max_new_tokens = 3, .seed = 8}, context).at(0);
  CHECK(part == whole);
}

TEST_CASE("generate: options that contradict each other or the model are refused by name") {
  auto const gpt2 = small_gpt2();
  Context context;
  auto const refuses = [&](GenerateOptions const& options, char const* message, std::vector<TokenId> const& ids = prompt) {
    CHECK_THROWS_WITH_AS(generate(gpt2, ids, options, context), message, ArgumentError);
  };
  refuses({.max_length = 3}, "max_length: found 3, expected more than the prompt's 3 tokens");
  refuses({.max_length = 41}, "max_length: 38 tokens behind a prompt of 3 do not fit the model's 40 positions");
  refuses({.max_new_tokens = 38}, "max_new_tokens: 38 tokens behind a prompt of 3 do not fit the model's 40 positions");
  refuses({.max_new_tokens = 0}, "max_new_tokens: found 0, expected at least 1");
  refuses({.max_new_tokens = static_cast<std::size_t>(-1)},
          "max_new_tokens: 18446744073709551615 tokens behind a prompt of 3 do not fit the model's 40 positions");
  refuses({.num_return_sequences = 0}, "num_return_sequences: found 0, expected 1 to 4096");
  refuses({.num_return_sequences = static_cast<std::size_t>(-1)},
          "num_return_sequences: found 18446744073709551615, expected 1 to 4096");
  refuses({.num_return_sequences = 2, .decoding = Decoding::greedy},
          "num_return_sequences: found 2 with greedy decoding, which has one result; sample, or ask for 1");
  refuses({}, "prompt: found no token, expected at least one", {});
  refuses({.max_length = 10}, "token id 50 at position 1: expected 0 to 49", {1, 50});
  refuses({.max_length = 10, .sampling = {.temperature = 0}}, "temperature: found 0.000000, expected a number above 0");
  refuses({.max_length = 10, .bad_words = {{50}}}, "bad_words: found token id 50, expected 0 to 49");
  refuses({.max_length = 10, .forced_eos = {-1}}, "forced_eos: found token id -1, expected 0 to 49");
  refuses({.max_length = 10, .num_beams = 3}, "num_beams: found 3 without beam search, expected 1; or choose Decoding::beam_search");
  refuses({.max_length = 10, .batch_size = 0}, "batch_size: found 0, expected at least 1");
  refuses({.max_length = 10, .sampling = {.top_p = 0}}, "top_p: found 0.000000, expected a number in (0, 1]");
}
