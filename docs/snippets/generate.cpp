#include <iostream>

#include <axiform/generate/generate.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

using axiform::Context, axiform::generate, axiform::Gpt2, axiform::Gpt2Small, axiform::load, axiform::Tokenizer;

int main(int, char** arguments) {
  auto context = Context::with_threads(2);
  auto const tokenizer = Tokenizer::from_directory(arguments[1]);
  auto const gpt2 = load<Gpt2<>>(arguments[1], context);  // any dimensions; load<Gpt2<Gpt2Small>> takes no others
  auto const prompt = tokenizer.encode("It was").ids;
  auto const texts = generate(gpt2, prompt, {.max_new_tokens = 8, .num_return_sequences = 2, .seed = 42}, context);
  for (auto const& ids : texts) std::cout << ids.size() << ": " << tokenizer.decode(ids) << "\n";
}

// Needs: tests/fixtures/models/gpt2-prefixed
// Prints:
// 13: It waswY��f䤡
// 13: It wass椈7�Ӛ
