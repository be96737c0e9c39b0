// Cell 100 of the notebook: two examples in the prompt teach a model a task that it was never trained for. The notebook asked GPT-2; any decoder
// can be. top_k 2 and a temperature of 0.1 let it say little but the most probable.
#include <iostream>

#include <axiform/tasks/text_generation.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  if (argc < 2) throw ArgumentError("usage: few_shot DIRECTORY");
  auto context = Context::with_threads(2);
  auto const generator = TextGeneration<>::from_directory(argv[1], context);

  char const* const prompt = R"( Sentiment Analysis
Text:  hate it when my phone battery dies.
Sentiment: Negative
###
Text: My day has been really great!
Sentiment: Positive
###
Text: This new music video was so good
Sentiment:)";
  auto options = generator.options();
  options.max_new_tokens = 2;  // the notebook's max_length of 55 is GPT-2's prompt of 53 tokens and two more
  options.sampling = {.temperature = 0.1, .top_k = 2};
  std::cout << generator.generate(prompt, options, context).front().text << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
