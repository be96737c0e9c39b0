// Which of these texts mean the same? BERT turns each into a vector, and the cosine of two vectors says how close they are. Pooling and
// normalisation are those that the model's directory names, as in sentence-transformers.
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/tasks/sentence_embedding.hpp>

#include "command_line.hpp"

using namespace axiform;

// A text as the label of a row: on one line, and not too long.
std::string label(std::string const& text) {
  std::string line = replace_invalid_utf8(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  if (line.size() <= 100) return line;
  return line.substr(0, scan_utf8(std::string_view(line).substr(0, 97)).valid) + "…";
}

template <TensorLike T>
void print_similarities(std::span<std::string const> texts, T const& embeddings) {
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
void print_json(T const& embeddings) {
  std::cout << "{\"embeddings\":[";
  for (std::size_t i = 0; i < embeddings.rows(); ++i) std::cout << (i ? "," : "") << Json(embeddings.row(i));
  std::cout << "],\"dimensions\":" << embeddings.columns() << "}\n";
}

int main(int argc, char** argv) {
  CommandLine command("bert_embed", "Embeds texts, and says how similar they are.");
  EmbedOptions options;
  bool jsonl = false;
  command.add_bert_option();
  auto* const given = command.add_texts("Texts to embed");
  command.add_flag("--jsonl", jsonl, "Texts from stdin, a JSON string a line; implies --json");
  command.add_number("--batch", options.batch_size, "Texts that run together; results do not depend on it");

  return command.run(argc, argv, [&](Context& context) {
    if (!*given + !jsonl != 1) throw CLI::ValidationError("expected one of: texts, --jsonl");
    auto const bert = SentenceEmbedding<>::from_directory(command.model(), context);
    std::vector<std::string> texts = command.texts();
    if (jsonl) for_each_json_line(std::cin, [&](std::string text) { texts.push_back(std::move(text)); });

    auto const embeddings = bert.embed(texts, options, context);
    if (command.json() || jsonl) {
      print_json(embeddings);
    } else {
      print_similarities(texts, embeddings);
    }
  });
}
