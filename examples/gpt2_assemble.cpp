// What is in a GPT-2, and how fast is it here? Assembles the 124 million parameters with random weights, prints the module tree and what
// the type knows about the model at compile time, and generates some tokens to show the speed. They mean nothing: nobody trained it.
#include <chrono>
#include <iomanip>
#include <iostream>
#include <string>

#include <axiform/generate/generate.hpp>
#include <axiform/inspect/folded_tree.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/facts.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/nn/initialize.hpp>

#include "command_line.hpp"

using namespace axiform;
using Model = Gpt2<Gpt2Small>;

static_assert(parameter_count<Model> == 124'439'808);

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int main(int argc, char** argv) {
  CommandLine command("gpt2_assemble", "Assembles GPT-2 (124M) with random weights, prints it, and measures how fast it generates.");
  std::string tree = "folded", prompt_text = "464,3290,318";
  std::uint64_t seed = 0;
  GenerateOptions options{.max_new_tokens = 40};
  command.add_option("--tree", tree, "The module tree: equal blocks as one, every block, or none")
      ->check(CLI::IsMember({"folded", "full", "none"}))
      ->type_name("folded|full|none");
  command.add_option("--ids", prompt_text, "The prompt")->type_name("1,2,3");
  command.add_number("--max-new-tokens", options.max_new_tokens, "Tokens to generate");
  command.add_number("--seed", seed, "Seed of the weights");

  return command.run(argc, argv, [&](Context& context) {
    auto const prompt = parse_ids(prompt_text);
    auto gpt2 = Model::create();
    if (!command.json()) {
      if (tree != "none") print_module_tree(std::cout, tree == "full" ? hugging_face_modules(gpt2) : fold_equal_modules(hugging_face_modules(gpt2)));
      if (tree != "none") std::cout << "\n\n";
      std::cout << "Parameters:        " << grouped(parameter_count<Model>)
                << "\nKey-value cache:   " << grouped(key_value_bytes_per_token<Model>)
                << " bytes a token\nWork:              " << grouped(flops_per_token<Model, 512>)
                << " floating-point operations a token, behind 512\n"
                << std::flush;
    }
    auto start = std::chrono::steady_clock::now();
    initialize(gpt2, {.seed = seed}, context);
    double const seconds_to_fill = seconds_since(start);
    start = std::chrono::steady_clock::now();
    auto const ids = generate(gpt2, prompt, options, context)[0];
    double const tokens_per_second = static_cast<double>(ids.size() - prompt.size()) / seconds_since(start);

    if (command.json()) {
      std::cout << dump_json({{"parameters", parameter_count<Model>},
                              {"key_value_bytes_per_token", key_value_bytes_per_token<Model>},
                              {"flops_per_token", flops_per_token<Model, 512>},
                              {"module_tree", module_tree(gpt2)},
                              {"ids", ids},
                              {"tokens_per_second", tokens_per_second}})
                << '\n';
      return;
    }
    std::cout << std::fixed << std::setprecision(1) << "Random weights:    " << seconds_to_fill
              << " s\nGeneration:        " << tokens_per_second << " tokens/s on " << context.executor().concurrency()
              << " threads, float32\nIds:              ";
    for (TokenId const id : ids) std::cout << ' ' << id;
    std::cout << '\n';
  });
}
