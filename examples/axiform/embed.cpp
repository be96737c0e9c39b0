// Which of these texts mean the same? Each text becomes a vector, and the cosine of two vectors says how close they are. Pooling and
// normalisation are those that the model's directory names, as in sentence-transformers. With --jsonl it embeds a stream, a line each.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/models/any.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

template <TensorLike T>
void print_similarities(std::vector<std::string> const& texts, T const& embeddings) {
  auto const similarities = cos_sim(embeddings, embeddings);
  std::cout << std::fixed << std::setprecision(3) << std::string(3, ' ');
  for (std::size_t j = 0; j < texts.size(); ++j) std::cout << std::setw(8) << j + 1;
  std::cout << '\n';
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::cout << std::setw(3) << i + 1;
    for (float const similarity : similarities.row(i)) std::cout << std::setw(8) << similarity;
    std::cout << "   " << label(texts[i]) << '\n';
  }
}

// Row by row: a document of all rows would be many times larger than the embeddings.
template <TensorLike T>
void print_document(T const& embeddings) {
  std::cout << "{\"embeddings\":[";
  for (std::size_t i = 0; i < embeddings.rows(); ++i) std::cout << (i ? "," : "") << dump_json(embeddings.row(i));
  std::cout << "],\"dimensions\":" << embeddings.columns() << "}\n";
}

}  // namespace

int embed(int argc, char** argv) {
  Command command("embed", "Turns texts into vectors, and says how similar they are.");
  EmbedOptions options;
  std::string prompt;
  command.add_bert_option();
  command.add_weights_option();
  command.add_inputs("Texts to embed");
  command.add_number("--batch", options.batch_size, "Texts that run together; results do not depend on it");
  command.add_flag_callback(
      "--query", [&] { options.role = TextRole::query; }, "The texts are what is searched for: the model's prompt for it");
  command.add_flag_callback("--passage", [&] { options.role = TextRole::passage; }, "The texts are what is searched in");
  auto* const given_prompt = command.add_text("--prompt", prompt, "Put before each text, instead of the model's prompts");

  return command.run(argc, argv, [&](Context& context) {
    if (*given_prompt) options.prompt = prompt;
    options.stop = command.stop();
    options.progress = command.progress();
    auto const model = SentenceEmbedding<AnyEncoder>::from_directory(command.model(), command.loading(), context);
    command.for_each_block([&](std::vector<std::string> const& texts) {
      auto const embeddings = model.embed(texts, options, context);
      if (command.json_lines()) {
        for (std::size_t i = 0; i < embeddings.rows(); ++i) std::cout << "{\"embedding\":" << dump_json(embeddings.row(i)) << "}\n";
      } else if (command.json()) {
        print_document(embeddings);
      } else {
        print_similarities(texts, embeddings);
      }
    });
  });
}
