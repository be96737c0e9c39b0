// Text2Text, Translation and Summarization against the recorded answers of transformers' pipelines, and what they refuse.
#include <doctest/doctest.h>
#include <axiform/tasks/generation_config.hpp>
#include <axiform/tasks/summarization.hpp>
#include <axiform/tasks/text2text.hpp>
#include <axiform/tasks/text_chunks.hpp>
#include <axiform/tasks/translation.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recorded.hpp"
#include "support/files.hpp"

using namespace axiform;

namespace {

// A checkpoint with other settings in some of its JSON files; null takes one away.
class Changed {
 public:
  Changed(std::string const& model, Json const& changes) {
    std::filesystem::copy(recorded::models / model, directory_.path());
    for (auto const& [file, values] : changes.items()) {
      Json content = read_json(directory_ / file);
      for (auto const& [name, value] : values.items()) content[name] = value;
      test::write_bytes(directory_ / file, dump_json(content));
    }
  }
  operator std::filesystem::path const&() const { return directory_; }

 private:
  test::TemporaryDirectory directory_;
};

Json t5_tasks() {
  auto const cases = recorded::cases("text_tasks");
  for (Json const& one : cases.at("t5-tiny"))
    if (one.contains("changes")) return one["changes"];
  throw FormatError("text_tasks: no changes of a T5");
}

LanguagePair languages_of(Json const& one) {
  if (one["languages"].is_null()) return {};
  return {one["languages"][0].get<std::string>(), one["languages"][1].get<std::string>()};
}

void check_texts(std::vector<WrittenText> const& found, Json const& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].text == expected[i].get<std::string>());
    if (i > 0) CHECK(found[i - 1].sequence.beam_score >= found[i].sequence.beam_score);
  }
}

// A checkpoint as all three tasks have it.
struct TextTasks {
  TextTasks(std::filesystem::path const& directory, Context& context)
      : text2text(Text2Text<>::from_directory(directory, context)),
        translation(Translation<>::from_directory(directory, context)),
        summarization(Summarization<>::from_directory(directory, context)) {}

  std::vector<WrittenText> run(Json const& one, Context& context) const {
    auto const task = one["task"].get<std::string>();
    auto const text = one["text"].get<std::string>();
    auto const on_top = [&](GenerateOptions const& own) { return read_generation_config(one["options"], own, "case"); };
    auto const long_text = one["options"].contains("truncation") ? LongText::cut : LongText::refuse;
    if (task == "translation") {
      auto const languages = languages_of(one);
      return translation.translate(
          text, {.languages = languages, .generation = on_top(translation.options(languages)), .long_text = long_text}, context);
    }
    if (task == "text2text-generation")
      return text2text.generate(text, {.generation = on_top(text2text.options()), .long_text = long_text}, context);
    auto const options = on_top(summarization.options());
    auto const long_document = long_text == LongText::cut ? LongDocument::cut : LongDocument::in_parts;
    return {{summarization.summarize(text, {.generation = options, .long_document = long_document}, context).text, {}}};
  }

  Text2Text<> text2text;
  Translation<> translation;
  Summarization<> summarization;
};

Json of_beams(std::size_t beams, std::size_t tokens) { return {{"num_beams", beams}, {"max_new_tokens", tokens}}; }

}  // namespace

TEST_CASE("text to text, translation and summarization: texts are those of transformers' pipelines on a T5, a BART, a Marian and mBARTs") {
  Context context = Context::with_threads(2);
  std::size_t compared = 0;
  for (auto const& [model, cases] : recorded::cases("text_tasks")) {
    std::optional<TextTasks> tasks;
    for (Json const& one : cases) {
      CAPTURE(dump_json(one));
      if (one.contains("changes")) tasks.emplace(Changed(model, one["changes"]), context);
      check_texts(tasks->run(one, context), one["result"]);
      ++compared;
    }
  }
  CHECK(compared == 80);
}

TEST_CASE("text tasks: many texts are written about as each alone, and callbacks are told of sequences as the caller counts them") {
  Context one;
  Context three = Context::with_threads(3);
  auto const model = Text2Text<>::from_directory(recorded::models / "bart-writer", one);
  std::vector<std::string> const texts{"man", "the man is eating food in Paris", "", "it is so", "the man is"};
  GenerateOptions options{.max_new_tokens = 6, .num_return_sequences = 2, .decoding = Decoding::sample, .seed = 3, .batch_size = 4};
  std::vector<std::vector<TokenId>> told(10);
  options.on_token = [&](GeneratedToken token) { told[token.sequence].push_back(token.id); };
  options.stop_when = [&](std::size_t sequence, std::span<TokenId const> ids) { return sequence == 3 && ids.size() == 4; };
  auto const found = model.generate(texts, {.generation = options}, three);
  options.on_token = {};
  options.stop_when = {};
  REQUIRE(found.size() == 5);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const alone = model.generate(texts[i], {.generation = options}, one);
    for (std::size_t r = 0; r < 2; ++r) {
      CHECK(std::ranges::equal(told[2 * i + r], found[i][r].sequence.new_ids()));
      if (i == 1 && r == 1) {
        CHECK(found[i][r].sequence.finish == FinishReason::stop_when);
        CHECK(std::ranges::equal(found[i][r].sequence.ids, std::span(alone[r].sequence.ids).first(4)));
      } else {
        CHECK(found[i][r].sequence.ids == alone[r].sequence.ids);
        CHECK(found[i][r].text == alone[r].text);
      }
    }
  }
  CHECK(model.generate(std::vector<std::string>{}, {}, one).empty());
  CHECK(model.generate({"man", "food"}, {}, one).size() == 2);

  GenerateOptions beams{.max_new_tokens = 4, .decoding = Decoding::beam_search, .num_beams = 2, .batch_size = 4};
  std::vector<std::vector<BeamStep>> steps(texts.size());
  beams.on_beams = [&](BeamStep const& step) { steps[step.prompt].push_back(step); };
  model.generate(texts, {.generation = beams}, three);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::vector<BeamStep> alone;
    beams.on_beams = [&](BeamStep const& step) { alone.push_back(step); };
    model.generate(texts[i], {.generation = beams}, one);
    REQUIRE(steps[i].size() == alone.size());
    for (std::size_t s = 0; s < alone.size(); ++s) CHECK(steps[i][s].candidates[0].score == alone[s].candidates[0].score);
  }
}

TEST_CASE("text tasks: the pieces of a stream are the text, also behind a language's code") {
  Context context;
  auto const stream = [&](auto const& task, auto const& options) {
    std::string streamed;
    auto const texts = task.stream(
        "the man is eating food.", options, [&](TextPiece piece) { streamed += piece.text; }, context);
    CHECK(streamed == texts.front().text);
    CHECK(texts.front().sequence.ids.size() > 4);
    return streamed;
  };
  GenerateOptions const greedy{.max_new_tokens = 9, .decoding = Decoding::greedy};
  auto const bart = Text2Text<>::from_directory(recorded::models / "bart-writer", context);
  CHECK(stream(bart, Text2TextOptions{.generation = greedy}) ==
        bart.generate("the man is eating food.", {.generation = greedy}, context)[0].text);
  CHECK_THROWS_AS(bart.stream(
                      "a", {}, [](TextPiece) {}, context),
                  ArgumentError);  // beams
  auto const mbart = Translation<>::from_directory(recorded::models / "mbart-writer", context);
  CHECK(stream(mbart, TranslationOptions{.languages = {"en_XX", "ro_RO"}, .generation = greedy}) !=
        stream(mbart, TranslationOptions{.languages = {"en_XX", "sl_SI"}, .generation = greedy}));
  auto const marian = Translation<>::from_directory(recorded::models / "marian-writer", context);
  stream(marian, TranslationOptions{.languages = {"", "fra"}, .generation = greedy});
}

TEST_CASE("text tasks: what the checkpoint cannot do without counts where options say nothing of it, and else the options") {
  Context context;
  auto const model = Text2Text<>::from_directory(recorded::models / "marian-writer", context);
  auto const pad = *model.options().decoder_start;
  CHECK(model.options().num_beams == 3);
  CHECK(model.options().max_length == 18);
  CHECK_FALSE(model.options().max_new_tokens);
  auto const written = model.generate("the man", {.generation = GenerateOptions{.max_new_tokens = 40, .seed = 1}}, context)[0].sequence.ids;
  CHECK(written.front() == pad);
  CHECK(std::ranges::count(written, pad) == 1);
  auto const other =
      model.generate("the man", {.generation = GenerateOptions{.max_new_tokens = 4, .decoder_start = 5, .end_of_text = {7}}}, context);
  CHECK(other[0].sequence.ids.front() == 5);
  GenerateOptions stopped{.max_new_tokens = 40, .decoding = Decoding::greedy};
  auto const whole = model.generate("the man", {.generation = stopped}, context)[0];
  REQUIRE(whole.text.size() > 6);
  stopped.stop_strings = {whole.text.substr(2, 3)};
  CHECK(model.generate("the man", {.generation = stopped}, context)[0].sequence.finish == FinishReason::stop_string);
  // Lengths that no model has are cut to those that this one has.
  CHECK(Text2Text<>::from_directory(Changed("bart-writer", {{"config.json", {{"max_length", 1000}}}}), context).options().max_length == 64);
  auto const mbart = Changed("mbart-writer", {{"config.json", {{"max_length", nullptr}}}});
  CHECK(Text2Text<>::from_directory(mbart, context).options().max_new_tokens == 63);
}

TEST_CASE("translation: languages that the checkpoint does not have are refused, and those that are there are named") {
  Context context;
  auto const message = [&](Translation<> const& model, LanguagePair const& languages) {
    return test::message_of<ArgumentError>([&] { model.translate("man", {.languages = languages}, context); });
  };
  auto const mbart = Translation<>::from_directory(recorded::models / "mbart-writer", context);
  CHECK(message(mbart, {}).starts_with("translation: found no target language, expected one of \"ar_AR\", \"cs_CZ\", "));
  CHECK(test::contains(message(mbart, {"en_XX", "de"}), "\"de\""));
  CHECK(test::contains(message(mbart, {"English", "de_DE"}), "\"English\""));
  CHECK(mbart.translate("man", {.languages = {"", "de_DE"}}, context)[0].text ==
        mbart.translate("man", {.languages = {"en_XX", "de_DE"}}, context)[0].text);
  auto const marian = Translation<>::from_directory(recorded::models / "marian-writer", context);
  CHECK(test::contains(message(marian, {"en", "spa"}), "\"spa\""));
  CHECK(message(marian, {"nonsense", "fra"}) == "translation: found from \"nonsense\" to \"fra\", expected from \"en\", the model's own");
  auto const silent = Changed("marian-writer", {{"tokenizer_config.json", {{"source_lang", nullptr}}}});
  CHECK(test::contains(message(Translation<>::from_directory(silent, context), {"en", "fra"}), "does not say from which it translates"));
  auto const task = Json{{"translation", {{"max_length", 9}}}};
  auto const own = Translation<>::from_directory(Changed("marian-writer", {{"config.json", {{"task_specific_params", task}}}}), context);
  CHECK(own.options({"en", "fra"}).max_length == 9);
  CHECK(marian.translate(">>fra<< man", context)[0].text == marian.translate("man", {.languages = {"", "fra"}}, context)[0].text);
  auto const bart = Translation<>::from_directory(recorded::models / "bart-writer", context);
  CHECK(message(bart, {"en", "de"}) ==
        "translation: found from \"en\" to \"de\", expected none: the model does not say between which it translates");
  auto const t5 = Translation<>::from_directory(Changed("t5-tiny", t5_tasks()), context);
  CHECK(message(t5, {"en", "it"}) == "translation: found from \"en\" to \"it\", expected from \"en\" to \"de\"; or from \"en\" to \"fr\"");
  CHECK(message(t5, {}) == "translation: found no languages, expected from \"en\" to \"de\"; or from \"en\" to \"fr\"");
  CHECK(t5.translate("man", {.languages = {"", "fr"}}, context)[0].text ==
        t5.translate("man", {.languages = {"en", "fr"}}, context)[0].text);
}

TEST_CASE("summarization: a long document is read in parts that end with sentences, and their summaries again while they are too long") {
  Context context = Context::with_threads(2);
  auto const model = Summarization<>::from_directory(Changed("t5-tiny", t5_tasks()), context);
  auto const writer = Text2Text<>::from_directory(recorded::models / "t5-tiny", context);
  std::string document;
  for (int i = 0; i < 12; ++i)
    document += i % 3 == 0 ? "the man is eating food. " : i % 3 == 1 ? "is it the man?\n" : "the food is in it! ";
  auto options = read_generation_config(of_beams(2, 8), model.options(), "case");
  options.min_length = 0;
  auto const summary = model.summarize(document, {.generation = options}, context);
  ChunkedText const chunked(model.tokenizers().source(), "in: ", document, {.overlap = 0}, 64, ChunkEnds::sentences);
  CHECK(summary.parts == chunked.chunks().size());
  CHECK(summary.parts > 1);
  CHECK(summary.rounds == 1);
  std::string joined;
  for (TextChunk const& chunk : chunked.chunks()) {
    auto const part = document.substr(chunk.bytes.begin, chunk.bytes.end - chunk.bytes.begin);
    CAPTURE(part);
    CHECK(std::string_view(".?!").find(part[part.find_last_not_of(" \n")]) != std::string_view::npos);
    joined += (joined.empty() ? "" : " ") + model.summarize(part, {.generation = options}, context).text;
  }
  CHECK(summary.text == joined);

  // Of many documents each has the summary that it has alone; one that fits is the pipeline's.
  std::vector<std::string> const all{"the man is eating food.", document, ""};
  auto const found = model.summarize(all, {.generation = options}, context);
  REQUIRE(found.size() == 3);
  CHECK(found[1].text == summary.text);
  CHECK(found[0].parts == 1);
  CHECK(found[0].text == model.summarize(all[0], {.generation = options}, context).text);

  // Smaller parts, whose summaries are too long for one together.
  options.min_length = 6;
  auto const again = model.summarize(document, {.generation = options, .part_length = 16}, context);
  CHECK(again.rounds > 1);
  CHECK(again.parts > summary.parts);
  CHECK(again.text.size() < document.size());
}

TEST_CASE("text tasks: misuse is an error that says what was found and what was expected") {
  Context context;
  auto const bart = Text2Text<>::from_directory(recorded::models / "bart-writer", context);
  std::string const text(100'000, '!');
  CHECK_THROWS_WITH_AS(bart.generate({"man", text}, {}, context),
                       "text to text: text 1: found 100003 tokens, expected at most the model's 64", ArgumentError);
  CHECK(bart.generate(text, {.long_text = LongText::cut}, context).size() == 1);
  CHECK(bart.generate("\xFF\xF0\x9F", context).size() == 1);
  CHECK_THROWS_AS(bart.generate("man", {.generation = GenerateOptions{.num_beams = 3}}, context), ArgumentError);
  CHECK_THROWS_AS(bart.generate("man", {.generation = GenerateOptions{.max_new_tokens = 64}}, context), ArgumentError);
  auto const summaries = Summarization<>::from_directory(recorded::models / "bart-writer", context);
  CHECK_THROWS_WITH_AS(summaries.summarize("man", {.generation = GenerateOptions{.num_return_sequences = 2}}, context),
                       "summarization: num_return_sequences: found 2, expected 1", ArgumentError);
  CHECK_THROWS_AS(summaries.summarize(text, {.long_document = LongDocument::refuse}, context), ArgumentError);
  CHECK_THROWS_AS(summaries.summarize("man", {.part_length = 65}, context), ArgumentError);
  CHECK_THROWS_AS(summaries.summarize("man", {.part_length = 2}, context), ArgumentError);
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(summaries.summarize("man", {.generation = GenerateOptions{.stop = stop.get_token()}}, context), StoppedError);
  for (char const* other : {"bert-mlm", "gpt2-classifier", "bart-classifier", "bart-bare"}) {
    CAPTURE(other);
    CHECK(test::contains(test::message_of<CheckpointError>([&] { Translation<>::from_directory(recorded::models / other, context); }),
                         "expected a model for translation"));
  }
  Changed const strange("bart-writer", {{"config.json", {{"task_specific_params", {{"summarization", {{"max_length", "long"}}}}}}}});
  CHECK(test::contains(test::message_of<FormatError>([&] { Summarization<>::from_directory(strange, context); }),
                       "config.json: task_specific_params: summarization: max_length"));
  CHECK_NOTHROW(Translation<>::from_directory(strange, context).translate("man", context));
}

TEST_CASE("text tasks: settings that are not supported stop the task that has them, and no other") {
  Context context;
  Json changes = t5_tasks();
  Json& params = changes["config.json"]["task_specific_params"];
  params["summarization"]["num_beam_groups"] = 2;
  params["translation_en_to_de"]["num_beam_groups"] = 2;
  Changed const directory("t5-tiny", changes);
  auto const message = [](auto const& run) { return test::message_of<CheckpointError>(run); };
  CHECK(test::contains(message([&] { Summarization<>::from_directory(directory, context); }), "summarization: num_beam_groups: found "));
  auto const translation = Translation<>::from_directory(directory, context);
  CHECK_NOTHROW(translation.options({"en", "fr"}));
  CHECK(test::contains(message([&] { translation.options({"en", "de"}); }), "translation_en_to_de: num_beam_groups: found "));
  CHECK(test::contains(test::message_of<ArgumentError>([&] { translation.options({"en", "it"}); }), "from \"en\" to \"de\""));
  CHECK_NOTHROW(Text2Text<>::from_directory(directory, context).generate("man", context));
}
