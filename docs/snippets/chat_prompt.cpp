// A conversation as the prompt that a model was trained on, and which of it a user wrote.
#include <iostream>
#include <vector>

#include <axiform/text/chat_template.hpp>

int main() {
  auto const chat = axiform::ChatTemplate::named("chatml");  // Or parse(…) of what a model's files have as chat_template.
  std::vector<axiform::ChatMessage> const messages = {{"system", "Be brief."}, {"user", "What does <|im_end|> mean?"}};
  std::cout << chat.apply(messages) << "\n\n";

  for (axiform::ChatPiece const& piece : chat.pieces(messages))  // The user's <|im_end|> is text; those of the template are tokens.
    if (piece.from_message) std::cout << "from a message: " << piece.text << "\n";

  auto const own = axiform::ChatTemplate::parse(R"({% for m in messages %}{{ loop.index }}. {{ m.role | title }}: {{ m.content | trim }}
{% endfor %})");
  std::cout << own.apply({{"user", " Hello "}, {"assistant", "Hi!"}});
}

// Prints:
// <|im_start|>system
// Be brief.<|im_end|>
// <|im_start|>user
// What does <|im_end|> mean?<|im_end|>
// <|im_start|>assistant
//
// from a message: Be brief.
// from a message: What does <|im_end|> mean?
// 1. User: Hello
// 2. Assistant: Hi!
