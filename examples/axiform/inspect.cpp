// What is a checkpoint made of? Its family and head, its parameters, what was read of its files and what was not, and its module tree as
// PyTorch prints it.
#include <iostream>
#include <sstream>
#include <string>

#include <axiform/core/build_info.hpp>
#include <axiform/inspect/folded_tree.hpp>
#include <axiform/inspect/model_summary.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/any.hpp>
#include <axiform/inspect/costs.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "command.hpp"
#include "commands.hpp"

using namespace axiform;

namespace {

std::string tree_text(ModuleNode const& tree, std::string const& form) {
  std::ostringstream out;
  if (form == "folded") print_module_tree(out, fold_equal_modules(tree));
  if (form == "full") print_module_tree(out, tree);
  return std::move(out).str();
}

// What the tokenizer's files say that was passed over, or why there is no tokenizer.
void add_tokenizer_notes(ModelDirectory const& directory, LoadReport& report) {
  try {
    auto const tokenizer = Tokenizer::from_directory(directory);
    report.notes.insert(report.notes.end(), tokenizer.notes().begin(), tokenizer.notes().end());
  } catch (Error const& error) {
    report.notes.push_back(std::string("without a tokenizer: ") + error.what());
  }
}

}  // namespace

int inspect(int argc, char** argv) {
  Command command("inspect", "Says what a checkpoint is made of.");
  std::string form = "folded";
  command.add_bert_option();
  command.add_weights_option();
  std::size_t summary_tokens = 0;
  command.add_number("--summary", summary_tokens, "Parameters, memory and operations of each part, for a sequence of N tokens");
  command.add_option("--tree", form, "The module tree: equal layers as one, all, or none")->check(CLI::IsMember({"folded", "full", "none"}));

  return command.run(argc, argv, [&](Context& context) {
    ModelDirectory const directory = command.model();
    std::string const file = (directory / "config.json").string();
    Json const& config = directory.json("config.json");
    auto const architectures = get_or<std::vector<std::string>>(config, "architectures", {}, file);
    auto const family = get_or<std::string>(config, "model_type", "", file);
    std::string const architecture = architectures.empty() ? "" : architectures.front();
    auto [model, report] = load_any_with_report(directory, command.loading(), context);
    add_tokenizer_notes(directory, report);
    std::size_t const parameters = std::visit([](auto const& m) { return count_parameters(m); }, model);
    // Without a name the model's own head: a GPT-2 has its language model's, which is the token table.
    auto const tree_of = [&](auto const& m) { return hugging_face_modules(m, architecture.empty() ? m.kind : model_head(config, file)); };
    std::string const tree = tree_text(std::visit(tree_of, model), form);
    std::ostringstream summary;
    if (summary_tokens > 0) {
      auto const costs = std::visit([&](auto const& m) { return module_costs(m, {.tokens = summary_tokens}); }, model);
      command.json() ? write_model_summary_json(summary, costs) : print_model_summary(summary, costs);
    }
    if (command.json()) {
      Json document = {{"architecture", architecture}, {"family", family}, {"parameters", parameters}};
      document["weights"] = report.weights.string();
      document["loaded"] = report.loaded;
      document["ignored"] = Json::array();
      for (auto const& [name, why] : report.ignored) document["ignored"].push_back({{"name", name}, {"why", why}});
      document["missing"] = report.missing;
      document["notes"] = report.notes;
      if (form != "none") document["tree"] = tree;
      document["build"] = describe(build_info());
      std::string line;
      for (std::istringstream lines(summary.str()); std::getline(lines, line);) document["summary"].push_back(parse_json(line, "summary"));
      std::cout << dump_json(document) << '\n';
      return;
    }
    std::cout << architecture << (architecture.empty() ? "" : ", ") << grouped(parameters) << " parameters\n" << report.to_string();
    if (summary_tokens > 0) std::cout << '\n' << summary.str();
    if (form != "none") std::cout << '\n' << tree << "\n\nComputed with " << describe(build_info()) << ".\n";
    for (auto const& advice : advice_for(build_info())) std::cerr << "axiform: " << advice << '\n';
  });
}
