// How does this text go on? GPT-2 continues a prompt token by token, and prints the text as it comes. The same seed gives the same text,
// on any machine and any number of threads. With --logits it prints what the next token is chosen from.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <axiform/generate/generate.hpp>
#include <axiform/io/config.hpp>
#include <axiform/models/load.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "command_line.hpp"

using namespace axiform;

// With ids alone a directory needs no tokenizer.
std::optional<Tokenizer> find_tokenizer(std::filesystem::path const& directory) {
  auto const has = [&](char const* name) { return std::filesystem::exists(directory / name); };
  if (!has("tokenizer.json") && !has("vocab.json")) return std::nullopt;
  return Tokenizer::from_directory(directory);
}

void print_logits(CommandLine const& command, std::vector<TokenId> const& ids, std::span<float const> logits, Tokenizer const* tokenizer) {
  if (command.json()) {
    std::cout << Json{{"ids", ids}, {"logits", std::vector<float>(logits.begin(), logits.end())}} << '\n';
    return;
  }
  std::vector<TokenId> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::size_t const shown = std::min<std::size_t>(order.size(), 20);
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(shown), std::ranges::greater(),
                            [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; });
  std::cout << "The " << shown << " greatest of " << logits.size() << " logits:\n" << std::fixed << std::setprecision(4);
  for (TokenId const id : std::span(order).first(shown))
    std::cout << std::setw(10) << logits[static_cast<std::size_t>(id)] << std::setw(8) << id << "  "
              << (tokenizer ? tokenizer->id_to_token(id) : "") << '\n';
}

int main(int argc, char** argv) {
  CommandLine command("gpt2_generate", "Continues a text with a GPT-2.");
  std::string prompt, ids_text;
  bool logits = false;
  GenerateOptions options;
  command.add_gpt2_option();
  auto* const given_prompt = command.add_text("--prompt", prompt, "The text to continue");
  auto* const given_ids = command.add_option("--ids", ids_text, "Token ids instead of a prompt; needs no tokenizer")->type_name("1,2,3");
  auto* const max_length = command.add_number("--max-length", options.max_length, "Tokens in all, the prompt included; 50 unless given");
  command.add_number("--max-new-tokens", options.max_new_tokens, "Tokens behind the prompt, instead of --max-length");
  command.add_number("--num-return-sequences", options.num_return_sequences, "How many continuations");
  command.add_option("--temperature", options.sampling.temperature, "Below 1 more predictable, above 1 more surprising")->type_name("X");
  command.add_number("--top-k", options.sampling.top_k, "Draw among the N most probable tokens; 0 for all");
  command.add_option("--top-p", options.sampling.top_p, "Draw among the fewest tokens whose probabilities reach X")->type_name("X");
  command.add_flag_callback(
      "--greedy", [&] { options.decoding = Decoding::greedy; }, "Take the most probable token instead of drawing");
  command.add_number("--seed", options.seed, "Equal seeds give equal texts");
  command.add_flag("--logits", logits, "Print the logits behind the prompt instead of continuing it");

  return command.run(argc, argv, [&](Context& context) {
    if (!*given_prompt + !*given_ids != 1) throw CLI::ValidationError("expected one of: --prompt, --ids");
    auto const tokenizer = *given_prompt ? Tokenizer::from_directory(command.model()) : find_tokenizer(command.model());
    for (auto id : read_gpt2_config(command.model()).end_of_text_ids) options.end_of_text.push_back(static_cast<TokenId>(id));
    std::vector<TokenId> ids = *given_ids ? parse_ids(ids_text) : tokenizer->encode(prompt).ids;
    if (ids.empty() && !options.end_of_text.empty()) ids.push_back(options.end_of_text[0]);  // no prompt: a text from its beginning
    auto const gpt2 = load<Gpt2<>>(command.model(), context);
    if (!*max_length) options.max_length = std::min(options.max_length, gpt2.positions());

    if (logits) {
      auto const states = gpt2(ids, context);
      print_logits(command, ids, gpt2.logits(states, context).row(ids.size() - 1), tokenizer ? &*tokenizer : nullptr);
      return;
    }
    auto const text_of = [&](std::vector<TokenId> const& sequence) { return tokenizer->decode(sequence, {.skip_special_tokens = true}); };
    if (command.json()) {
      auto document = Json::array();
      for (auto const& sequence : generate(gpt2, ids, options, context))
        document.push_back({{"generated_text", tokenizer ? Json(text_of(sequence)) : Json()}, {"ids", sequence}});
      std::cout << dump_json(document) << '\n';
      return;
    }
    if (tokenizer && options.num_return_sequences == 1) {
      StreamingDecoder decoder(*tokenizer, {.skip_special_tokens = true});
      options.on_token = [&](GeneratedToken token) { std::cout << decoder.push(token.id) << std::flush; };
      options.checked_length(ids.size(), gpt2.positions());
      for (TokenId const id : ids) std::cout << decoder.push(id);
      generate(gpt2, ids, options, context);
      std::cout << decoder.finish() << '\n';
      return;
    }
    for (auto const& sequence : generate(gpt2, ids, options, context)) {
      if (tokenizer) {
        std::cout << text_of(sequence) << "\n\n";
      } else {
        for (TokenId const id : sequence) std::cout << id << ' ';
        std::cout << '\n';
      }
    }
  });
}
