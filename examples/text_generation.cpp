// Cell 79 of the notebook: three ways on from a sentence, drawn with the pipeline's defaults of its time (sampling, top-k 50). The notebook asked
// GPT-2; any decoder continues it in its own words.
#include <iostream>

#include <axiform/tasks/text_generation.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: text_generation DIRECTORY");
  auto context = Context::with_threads(2);
  auto const generator = TextGeneration<>::from_directory(argv[1], context);

  auto options = generator.options(GenerationProfile::notebook);
  options.max_length = 30;
  options.num_return_sequences = 3;
  options.seed = 42;
  for (GeneratedText const& text : generator.generate("Hello, I am a computer engineer and I", options, context))
    std::cout << text.text << "\n\n";
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
