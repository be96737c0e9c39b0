// What does a smaller format of weights cost, and what does it save? For each format: memory, time to load, speed, and how far the results are from
// those of floats: cosines of embeddings and nearest neighbours, or perplexity and the most probable tokens of a language model.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <limits>
#include <optional>
#include <span>
#include <sstream>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <axiform/generate/generate.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/models/any.hpp>
#include <axiform/tasks/agreement.hpp>
#include <axiform/tasks/sentence_embedding.hpp>
#include <axiform/tasks/text_generation.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

struct Evaluation {
  std::vector<WeightFormat> formats;  // f32, the reference, is the first
  std::vector<std::string> texts;
  std::size_t neighbours = 10, passes = 3;
  std::stop_token stop = {};
};

// The first load reads from the disk, and is dearer for the format that comes first.
constexpr std::size_t loads = 2;

// Seconds of the fastest of some passes.
template <class Run>
double least_seconds(std::size_t passes, Run const& run) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t pass = 0; pass < std::max<std::size_t>(passes, 1); ++pass) {
    auto const start = std::chrono::steady_clock::now();
    run();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return least;
}

// A line of the table: what all models have, then columns of their own.
class Table {
 public:
  Table(Command const& command, std::vector<std::string> titles) : results_(command), titles_(std::move(titles)) {}
  // `shown` are the columns' texts, `values` their numbers for JSON.
  void add(WeightFormat format, std::size_t bytes, double load_seconds, std::vector<std::string> const& shown, Json values) {
    if (results_.wanted()) {
      values["weights"] = std::string(name_of(format));
      values["weight_bytes"] = bytes;
      values["load_seconds"] = load_seconds;
      return results_.add(values);
    }
    if (!titles_.empty()) {  // behind the first model, for it may not load
      std::cout << std::left << std::setw(8) << "weights" << std::right << std::setw(12) << "memory" << std::setw(10) << "load";
      for (std::string const& title : std::exchange(titles_, {})) std::cout << std::setw(18) << title;
      std::cout << '\n';
    }
    std::cout << std::left << std::setw(8) << name_of(format) << std::right << std::setw(9)
              << in_figures(static_cast<double>(bytes) / 1e6, 1) << " MB" << std::setw(8) << in_figures(load_seconds, 3) << " s";
    for (std::string const& text : shown) std::cout << std::setw(18) << text;
    std::cout << '\n' << std::flush;
  }
  void finish() const { results_.finish(); }

  static std::string in_figures(double number, int places) {
    std::ostringstream text;
    text << std::fixed << std::setprecision(places) << number;
    return std::move(text).str();
  }

 private:
  JsonResults results_;
  std::vector<std::string> titles_;
};

void evaluate_embeddings(Command const& command, ModelDirectory const& directory, Evaluation const& evaluation, Context& context) {
  using Embedder = SentenceEmbedding<AnyEncoder>;
  Table table(command, {"tokens a second", "mean cosine", "least cosine", "neighbours kept"});
  std::optional<Embedder::Embeddings> reference;
  for (WeightFormat const format : evaluation.formats) {
    std::optional<Embedder> model;
    double const load = least_seconds(loads, [&] { model.emplace(Embedder::from_directory(directory, {.weights = format}, context)); });
    std::size_t tokens = 0;
    for (Encoding const& encoding :
         model->tokenizer().encode_batch(evaluation.texts, {.max_length = model->max_length()}, context.executor()))
      tokens += encoding.size();
    std::optional<Embedder::Embeddings> embeddings;
    double const seconds =
        least_seconds(evaluation.passes, [&] { embeddings.emplace(model->embed(evaluation.texts, {.stop = evaluation.stop}, context)); });
    bool const is_reference = !reference;
    if (is_reference) reference.emplace(std::move(*embeddings));
    auto const agreement = compare_embeddings(is_reference ? *reference : *embeddings, *reference, evaluation.neighbours, context);
    double const speed = static_cast<double>(tokens) / seconds;
    table.add(format, weight_bytes(model->model()), load,
              {Table::in_figures(speed, 0), Table::in_figures(agreement.mean_cosine, 6), Table::in_figures(agreement.least_cosine, 6),
               agreement.neighbours == 0 ? "-" : Table::in_figures(100 * agreement.neighbours_kept, 1) + " %"},
              {{"tokens_per_second", speed},
               {"mean_cosine", agreement.mean_cosine},
               {"least_cosine", agreement.least_cosine},
               {"neighbours_kept", agreement.neighbours_kept},
               {"neighbours", agreement.neighbours}});
  }
  table.finish();
}

// Of texts that are predicted one by one.
struct Predictions {
  double log_probability = 0;  // a mean over tokens
  std::vector<TokenId> most_probable = {};
};

template <class Generator>
Predictions predict(Generator const& generator, std::vector<std::string> const& texts, std::stop_token const& stop, Context& context) {
  Predictions result;
  for (std::string const& text : texts) {
    auto const found = generator.perplexity(text, {.stop = stop}, context);
    result.log_probability += found.mean_log_probability * static_cast<double>(found.most_probable.size());
    result.most_probable.insert(result.most_probable.end(), found.most_probable.begin(), found.most_probable.end());
  }
  result.log_probability /= static_cast<double>(result.most_probable.size());
  return result;
}

// Names the text of which nothing can be predicted.
void check_lengths(Tokenizer const& tokenizer, std::vector<std::string> const& texts) {
  for (std::string const& text : texts)
    if (tokenizer.encode(text).size() < 2)
      throw ArgumentError("texts: found " + detail::in_quotes(text) + ", expected texts of at least 2 tokens");
}

void evaluate_predictions(Command const& command, ModelDirectory const& directory, Evaluation const& evaluation, Context& context) {
  using Generator = TextGeneration<>;
  Table table(command, {"tokens read/s", "written/s", "perplexity", "same token"});
  std::optional<Predictions> reference;
  for (WeightFormat const format : evaluation.formats) {
    std::optional<Generator> generator;
    double const load =
        least_seconds(loads, [&] { generator.emplace(Generator::from_directory(directory, {.weights = format}, context)); });
    if (!reference) check_lengths(generator->tokenizer(), evaluation.texts);
    Predictions found;
    double const seconds =
        least_seconds(evaluation.passes, [&] { found = predict(*generator, evaluation.texts, evaluation.stop, context); });
    if (evaluation.stop.stop_requested()) return;
    if (!reference) reference = found;
    auto const first = generator->tokenizer().encode(evaluation.texts.front()).ids;
    auto const prompt = std::span(first).first(std::min<std::size_t>(first.size(), 8));
    constexpr std::size_t written = 32;
    GenerateOptions const options{.max_new_tokens = written, .min_new_tokens = written, .stop = evaluation.stop};
    double const writing = least_seconds(evaluation.passes, [&] { generate(generator->model(), prompt, options, context); });
    double const perplexity = std::exp(-found.log_probability), speed = static_cast<double>(found.most_probable.size()) / seconds,
                 writing_speed = written / writing, agreement = agreement_of_tokens(found.most_probable, reference->most_probable);
    table.add(format, weight_bytes(generator->model()), load,
              {Table::in_figures(speed, 0), Table::in_figures(writing_speed, 0), Table::in_figures(perplexity, 3),
               Table::in_figures(100 * agreement, 1) + " %"},
              {{"tokens_read_per_second", speed},
               {"tokens_written_per_second", writing_speed},
               {"perplexity", perplexity},
               {"same_token", agreement},
               {"tokens", found.most_probable.size()}});
  }
  table.finish();
}

// Whether it is a language model: a GGUF file does not name its head.
bool predicts_tokens(ModelDirectory const& directory) {
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  ModelHead const head = model_head(config, file);
  auto const heads = model_family(config, file).family->heads;
  auto const has = [&](ModelHead wanted) { return std::ranges::find(heads, wanted, &FamilyHead::head) != heads.end(); };
  return head == ModelHead::causal_lm || (head == ModelHead::none && has(ModelHead::causal_lm) && !has(ModelHead::masked_lm));
}

}  // namespace

int evaluate(int argc, char** argv) {
  Command command("evaluate", "Says what formats of weights cost in quality, and what they save.");
  Evaluation evaluation;
  std::vector<std::string> formats;
  std::string document_name;
  command.add_bert_option();
  command.add_formats_option(
      formats, "Formats to compare with f32 (of a file in blocks: what they stand for, as floats), separated by commas; all unless given");
  command.add_inputs("Texts", Command::Needed::no);
  auto* const document = command.add_text("--document", document_name, "A whole file as one text; - is stdin")->type_name("FILE");
  command.add_number("--neighbours", evaluation.neighbours, "Of each text, so many of the nearest are looked for again; 10 unless given");
  command.add_number("--passes", evaluation.passes, "The fastest of so many passes counts; 3 unless given");

  return command.run(argc, argv, [&](Context& context) {
    if (command.input_count() + !!*document != 1) throw CLI::ValidationError("expected one of: texts, --document, --file, --jsonl");
    evaluation.stop = command.stop();
    evaluation.formats = {WeightFormat::f32};
    for (std::string const& name : formats)
      if (auto const format = weight_format_named(name); std::ranges::find(evaluation.formats, *format) == evaluation.formats.end())
        evaluation.formats.push_back(*format);
    if (formats.empty()) evaluation.formats.assign(weight_formats.begin(), weight_formats.end());
    if (*document) {
      evaluation.texts = {Command::read_text(document_name)};
    } else {
      command.for_each_block([&](auto const& some) { evaluation.texts.insert(evaluation.texts.end(), some.begin(), some.end()); });
    }
    if (evaluation.texts.empty()) throw ArgumentError("texts: found none, expected at least one");
    ModelDirectory const directory = command.model();
    command.work(
        [&] { (predicts_tokens(directory) ? evaluate_predictions : evaluate_embeddings)(command, directory, evaluation, context); });
  });
}
