// What does each token look at? Runs a text through a model and prints the attention of a layer: row by row, how much of its attention each
// token gives to each other one. They are the numbers that the model computed with, not computed again. In a GPT-2 each token sees only
// itself and those before it: the upper triangle is zero. Of an encoder-decoder it is the attention of the target's tokens to the source's, or that of
// either side to itself.
#include <string>
#include <vector>

#include <axiform/inspect/statistics.hpp>
#include <axiform/inspect/statistics_print.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/capture_attention.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/explain_attention.hpp>
#include <axiform/text/tokenizer_files.hpp>

#include "attention_options.hpp"
#include "commands.hpp"
#include "encoder_decoder_texts.hpp"

using namespace axiform;

namespace {

std::size_t head_to_explain(AttentionChoice const& choice) {
  if (!choice.head) throw ArgumentError("head: found the mean, expected one head to explain, from 0");
  return *choice.head;
}

// What of an encoder-decoder is asked for.
struct EncoderDecoderRequest {
  std::optional<std::string> text, target;          // one of either kind
  std::optional<std::string> ids_text, target_ids;  // numbers instead
  EncoderDecoderAttention which = EncoderDecoderAttention::cross;
  std::optional<std::size_t> explained;
  bool statistics = false;
};

void attend_to_source(Command const& command, LanguageArguments const& languages, AttentionMapOptions const& options,
                      EncoderDecoderRequest const& request, Context& context) {
  EncoderDecoderTexts texts(command, languages, context);
  auto const source = request.text ? texts.read(*request.text) : parse_ids(*request.ids_text);
  auto const target = request.target       ? texts.target(*request.target)
                      : request.target_ids ? parse_ids(*request.target_ids)
                                           : texts.write(source, context);
  auto const source_tokens = texts.source_tokens(source), target_tokens = texts.target_tokens(target);
  bool const is_encoder = request.which == EncoderDecoderAttention::encoder;
  auto const& queries = is_encoder ? source_tokens : target_tokens;
  auto const& keys = request.which == EncoderDecoderAttention::decoder ? target_tokens : source_tokens;
  auto choice = options.choice();
  if (request.explained) {
    auto const steps = texts.model().visit_model([&](auto const& model) {
      return explain_attention(model, request.which, source, target, {.layer = choice.layer, .head = head_to_explain(choice)}, context);
    });
    return print_attention_steps(std::cout, steps, queries, keys, {.query = *request.explained});
  }
  if (request.statistics) {
    Statistics observer;
    run_observed(texts.model(), source, target, is_encoder ? &observer : nullptr, is_encoder ? nullptr : &observer, context);
    return command.json() ? write_statistics_json(std::cout, observer.records()) : print_statistics(std::cout, observer.records());
  }
  auto const seen = capture_attention(texts.model(), source, target, context);
  choice.kind = request.which == EncoderDecoderAttention::cross ? AttentionKind::cross : AttentionKind::self;
  options.print(seen.side(request.which), choice, queries, keys,
                {{"source", {{"tokens", source_tokens}, {"ids", source}}}, {"target", {{"tokens", target_tokens}, {"ids", target}}}});
}

}  // namespace

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
  std::string target, target_ids, kind = "cross";
  auto* const given_target = command.add_text("--target", target,
                                              "Of an encoder-decoder: what it wrote; unless given, what it writes, the most "
                                              "probable token each time");
  auto* const given_target_ids =
      command.add_option("--target-ids", target_ids, "Token ids instead of that, from the one on with which the decoder begins")
          ->type_name("1,2,3");
  auto* const given_kind =
      command
          .add_option("--kind", kind,
                      "Of an encoder-decoder: the attention within the source (encoder), within the target (decoder), or "
                      "from the target to the source (cross)")
          ->check(CLI::IsMember({"encoder", "decoder", "cross"}));
  LanguageArguments const languages(command);
  AttentionMapOptions options(command);
  std::optional<std::size_t> explained;
  bool statistics = false;
  command.add_number("--explain", explained, "Tell step by step, with the numbers, what token N looks at in one layer and --head");
  command.add_flag("--statistics", statistics, "Print mean, deviation, extremes and a checksum of every step, to compare with another program");

  return command.run(argc, argv, [&](Context& context) {
    if (!*given + !*given_ids != 1) throw CLI::ValidationError("expected one of: a text, --ids");
    if (*pair && !*given) throw CLI::ValidationError("--pair", "needs a first text");
    if (*given_target && *given_target_ids) throw CLI::ValidationError("expected one of: --target, --target-ids");
    if (is_encoder_decoder(command.model())) {
      if (*pair || *given_types)
        throw ArgumentError("an encoder-decoder reads one text of one segment: leave out --pair and --token-types");
      auto const if_given = [](CLI::Option const* option, std::string const& value) {
        return *option ? std::optional(value) : std::nullopt;
      };
      return attend_to_source(command, languages, options,
                              {.text = if_given(given, text),
                               .target = if_given(given_target, target),
                               .ids_text = if_given(given_ids, ids_text),
                               .target_ids = if_given(given_target_ids, target_ids),
                               .which = kind == "encoder"   ? EncoderDecoderAttention::encoder
                                        : kind == "decoder" ? EncoderDecoderAttention::decoder
                                                            : EncoderDecoderAttention::cross,
                               .explained = explained,
                               .statistics = statistics},
                              context);
    }
    if (*given_target || *given_target_ids || *given_kind || languages.given())
      throw ArgumentError("--target, --target-ids, --kind, --from and --to are an encoder-decoder's, which this model is not");
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
      std::size_t const head = head_to_explain(choice);
      auto const steps = model.visit_model([&](auto const& body) -> AttentionSteps {
        if constexpr (requires { explain_attention(body, batch, {}, context); }) {
          return explain_attention(body, batch, {.layer = choice.layer, .head = head}, context);
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
