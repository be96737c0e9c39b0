#include <iostream>

#include <axiform/tasks/chat.hpp>

int main(int, char** arguments) {
  auto context = axiform::Context::with_threads(2);
  auto const chat = axiform::Chat<>::from_directory(arguments[1], {.weights = axiform::WeightFormat::f32}, context);
  auto options = chat.options();
  options.decoding = axiform::Decoding::greedy;
  options.max_new_tokens = 40;
  auto conversation = chat.conversation();
  for (char const* question : {"What is the capital of France?", "And of Italy?"})
    std::cout << conversation.ask(question, options, context).text << "\n";
}

// Needs: tests/fixtures/models/gguf/chat-tiny.gguf
// Prints:
// !dFabdmIx<=L?dzQ""&b?xIUpababdxyFep0"ea]h
// `Peddxzkez=(1abj
// jFU
// t
