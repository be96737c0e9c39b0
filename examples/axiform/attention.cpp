// What does each token look at? Runs a text through a model and prints the attention of a layer: row by row, how much of its attention each
// token gives to each other one. They are the numbers that the model computed with, not computed again. In a GPT-2 each token sees only
// itself and those before it: the upper triangle is zero.
#include <string>
#include <vector>

#include <axiform/inspect/statistics.hpp>
#include <axiform/inspect/statistics_print.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/explain_attention.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "attention_options.hpp"
#include "commands.hpp"

using namespace axiform;

int attention(int argc, char** argv) {
  Command command("attention", "Prints what each token of a text, or of a pair of texts, attends to.");
  std::string text, second, ids_text, types_text;
  command.add_bert_option();
  command.add_weights_option();
  auto* const given = command.add_text("text", text, "The text");
  auto* const pair = command.add_text("--pair", second, "A second text, behind the first");
  auto* const given_ids = command.add_option("--ids", ids_text, "Token ids instead of a text; needs no tokenizer")->type_name("1,2,3");
  auto* const given_types = command.add_option("--token-types", types_text, "The segment of each token, instead of the tokenizer's; to "
                                                                            "GPT-2 each adds that row of its token table")->type_name("0,0,1");
  AttentionMapOptions options(command);
  std::optional<std::size_t> explained;
  bool statistics = false;
  command.add_number("--explain", explained, "Tell step by step, with the numbers, what token N looks at in one layer and --head");
  command.add_flag("--statistics", statistics, "Print mean, deviation, extremes and a checksum of every step, to compare with another program");

  return command.run(argc, argv, [&](Context& context) {
    if (!*given + !*given_ids != 1) throw CLI::ValidationError("expected one of: a text, --ids");
    if (*pair && !*given) throw CLI::ValidationError("--pair", "needs a first text");
    std::vector<TokenId> ids, types;
    std::vector<std::string> tokens;
    if (*given_ids) {
      ids = parse_ids(ids_text);
      for (TokenId const id : ids) tokens.push_back(std::to_string(id));
    } else {
      auto const tokenizer = Tokenizer::from_directory(command.model());
      auto const encoding = *pair ? tokenizer.encode_pair(text, second) : tokenizer.encode(text);
      ids = encoding.ids;
      if (*pair) types = encoding.type_ids;
      tokens = tokenizer.tokens(encoding);
      if (ids.empty()) throw ArgumentError("the text has no tokens");
    }
    auto const model = load<AnyBody>(command.model(), command.loading(), context);
    if (*given_types) {
      types = parse_ids(types_text);
    } else if (model.token_types() < 2) {
      types.clear();
    }

    auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
    TokenBatch const batch{.ids = ids, .sequences = sequences, .token_types = types};
    if (explained) {
      auto const choice = options.choice();
      if (!choice.head) throw ArgumentError("head: found the mean, expected one head to explain, from 0");
      auto const steps = model.visit_model([&](auto const& body) -> AttentionSteps {
        if constexpr (requires { explain_attention(body, batch, {}, context); }) {
          return explain_attention(body, batch, {.layer = choice.layer, .head = *choice.head}, context);
        } else {
          throw ArgumentError(
              "explain: found a model whose attention turns queries and keys, or has a bias by distance: neither is explained");
        }
      });
      return print_attention_steps(std::cout, steps, tokens, {.query = *explained});
    }
    auto const run_observed = [&](Observer& observer) {
      context.observe(&observer);
      model(batch, context);
    };
    if (statistics) {
      Statistics observer;
      run_observed(observer);
      return command.json() ? write_statistics_json(std::cout, observer.records()) : print_statistics(std::cout, observer.records());
    }
    Capture capture;
    run_observed(capture);
    options.print(capture, tokens, ids);
  });
}
