// `axiform`: every task of the library on any checkpoint directory, from the command line.
#include <cstring>
#include <iomanip>
#include <iostream>

#include <axiform/core/build_info.hpp>
#include <axiform/version.hpp>

#include "commands.hpp"

namespace {

struct Entry {
  char const* name;
  char const* purpose;
  int (*run)(int argc, char** argv);
};

constexpr Entry entries[] = {
    {"tokenize", "Cut texts into tokens", tokenize},
    {"embed", "Turn texts into vectors, and say how similar they are", embed},
    {"similarity", "Say how close in meaning two texts are, or all pairs of many", similarity},
    {"search", "Find the lines of a file, or passages of a folder, that are closest to a question", search},
    {"rerank", "Order passages by how well they answer a question", rerank},
    {"fill-mask", "Guess masked words", fill_mask},
    {"next-sentence", "Say whether one sentence follows another", next_sentence},
    {"answer", "Find the answer to a question in a text", answer},
    {"classify", "Label texts, or their tokens", classify},
    {"zero-shot", "Say which of any labels fits a text", zero_shot},
    {"translate", "Translate texts", translate},
    {"summarize", "Say what texts say, in fewer words", summarize},
    {"text2text", "Write about texts what an encoder-decoder was trained to", text2text},
    {"generate", "Continue a text", generate_text},
    {"chat", "Continue a text, turn by turn", chat},
    {"attention", "Print what each token looks at", attention},
    {"view", "Write a page that shows attention, or how a text was generated", view},
    {"perplexity", "Say how surprised a model is by a text", perplexity},
    {"evaluate", "Say what formats of weights cost in quality, and what they save", evaluate},
    {"quantize", "Write a copy of a model in a smaller format, which loads at once", quantize},
    {"inspect", "Say what a checkpoint is made of", inspect},
};

void print_help(std::ostream& out) {
  out << "axiform " << axiform::version << ": transformers from the command line\n\nUsage: axiform COMMAND --model DIR [ARGUMENTS]\n\n";
  for (Entry const& entry : entries) out << "  " << std::left << std::setw(15) << entry.name << entry.purpose << '\n';
  out << "\nDIR is a directory as Hugging Face has it. `axiform COMMAND --help` says more.\n"
         "Exit status: 0 done, 1 an error, 2 wrong usage, 130 stopped by Ctrl-C.\n";
}

}  // namespace

int main(int argc, char** argv) {
  char const* const name = argc > 1 ? argv[1] : "";
  for (Entry const& entry : entries)
    if (std::strcmp(name, entry.name) == 0) return entry.run(argc - 1, argv + 1);
  if (std::strcmp(name, "--help") == 0 || std::strcmp(name, "-h") == 0) return print_help(std::cout), std::cout.flush() ? 0 : 1;
  if (std::strcmp(name, "--version") == 0) {
    auto const build = axiform::build_info();
    std::cout << axiform::version << " (" << axiform::describe(build) << ")\n";
    for (auto const& advice : axiform::advice_for(build)) std::cout << advice << '\n';
    return std::cout.flush() ? 0 : 1;
  }
  if (*name == '\0') return print_help(std::cerr), 2;
  std::cerr << "axiform: " << std::quoted(name) << " is not a command (axiform --help lists them)\n";
  return 2;
}
