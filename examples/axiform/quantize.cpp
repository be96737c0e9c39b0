// Prepares a model once, so that it starts at once ever after: its weights in a smaller format, laid out as they are used, and all else beside them.
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <string>

#include <axiform/models/prepare.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

int quantize(int argc, char** argv) {
  Command command("quantize", "Writes a copy of a model whose weights are in a smaller format, and which loads without work.");
  std::string output;
  command.add_model_option("any model; a GGUF file");
  command.add_weights_option()->required();
  command.add_text("--output", output, "The directory to make")->type_name("DIR")->required();

  return command.run(argc, argv, [&](Context& context) {
    prepare_model(command.model(), output, *command.loading().weights, context);
    std::uintmax_t bytes = 0;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(output))
      if (entry.is_regular_file()) bytes += entry.file_size();
    if (command.json()) {
      std::cout << dump_json({{"directory", output}, {"weights", std::string(name_of(*command.loading().weights))}, {"bytes", bytes}})
                << '\n';
    } else {
      std::cout << output << ": " << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / 1e6 << " MB\n";
    }
  });
}
