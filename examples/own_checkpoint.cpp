// How do I fix the shape of a checkpoint in my program? Write its dimensions down once. The compiler then checks every product against them,
// and a directory of another shape is refused, with every difference by name. Here they are MiniLM-L6's; put yours.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>

#include <axiform/models/facts.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "command_line.hpp"

using namespace axiform;

struct MyBert : Dimensions<Const<384>, Const<12>, Const<32>, Const<1536>> {  // hidden, heads, size of a head, feed-forward
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 30522, .positions = 512, .token_types = 2};
};

static_assert(parameter_count<Bert<MyBert>> == 22'713'216);

int main(int argc, char** argv) {
  CommandLine command("own_checkpoint", "Loads a checkpoint of the dimensions written in the program, and runs it.");
  std::string text = "A man is eating food.";
  command.add_bert_option();
  command.add_text("text", text, "The text to run; a sentence unless given");

  return command.run(argc, argv, [&](Context& context) {
    auto const [bert, report] = load_with_report<Bert<MyBert>>(command.model(), context);
    auto const encoding = Tokenizer::from_directory(command.model()).encode(text);
    Tensor<float, axes::Tokens, Const<384>> const states = bert(encoding.ids, context);

    if (command.json()) {
      Json ignored = Json::array();
      for (auto const& tensor : report.ignored) ignored.push_back(tensor.name);
      std::cout << dump_json(
                       {{"ids", encoding.ids}, {"hidden_states", rows_to_json(states)}, {"loaded", report.loaded}, {"ignored", ignored}})
                << '\n';
      return;
    }
    std::cout << "Loaded " << report.loaded.size() << " tensors, " << parameter_count<Bert<MyBert>> << " parameters.\n"
              << "The last hidden state of [CLS] begins with" << std::fixed << std::setprecision(4);
    for (float const value : states.row(0).first(8)) std::cout << ' ' << value;
    std::cout << '\n';
  });
}
