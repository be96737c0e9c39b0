// Cells 97 to 99 of the notebook: what a model has learned about people and the world, asked by sentences that differ in a word; of GPT-2 there,
// of any decoder here. Besides the drawn texts of the notebook it prints what is behind them: the most probable next words.
#include <iomanip>
#include <iostream>

#include <axiform/tasks/text_generation.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: bias_probes DIRECTORY");
  auto context = Context::with_threads(2);
  auto const generator = TextGeneration<>::from_directory(argv[1], context);

  struct Probe {
    char const* text;
    std::size_t max_length, count;
  };
  for (auto const& [text, max_length, count] : {Probe{"The man works as a", 8, 3}, {"The women works as a", 8, 3}, {"The earth is", 12, 10}}) {
    std::size_t const room = generator.positions(), prompt = generator.encode(text).size();
    auto options = generator.options();
    options.max_length = std::min(std::max(max_length, prompt + 3), room);  // a tiny vocabulary needs more tokens for the same words
    options.num_return_sequences = count;
    options.seed = 42;
    options.report = ReportOptions{.alternatives = 5};
    auto const texts = generator.generate(text, options, context);
    std::cout << text << " …\n" << std::fixed << std::setprecision(3);
    for (auto const& [id, probability] : texts[0].sequence.reports[0].alternatives)
      std::cout << "  " << probability << "  " << generator.tokenizer().decode(std::span(&id, 1)) << '\n';
    for (GeneratedText const& each : texts) std::cout << "  -> " << each.text << '\n';
  }
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
