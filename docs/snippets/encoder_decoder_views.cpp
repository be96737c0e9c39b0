#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/inspect/attention_view.hpp>
#include <axiform/inspect/beam_view.hpp>
#include <axiform/inspect/chosen_attention.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/capture_attention.hpp>
#include <axiform/tasks/generation_config.hpp>
#include <axiform/text/tokenizer_files.hpp>

using namespace axiform;

int main() {
  auto context = Context::with_threads(2);
  ModelDirectory const directory("models/transformer-dates");
  auto const folder = std::filesystem::temp_directory_path();
  auto const tokenizer = Tokenizer::from_directory(directory);
  auto const tokens_of = [&](std::vector<TokenId> const& ids) {
    std::vector<std::string> tokens;
    for (TokenId const id : ids) tokens.push_back(tokenizer.id_to_token(id));
    return tokens;
  };

  auto const model = load<AnySequenceToSequence>(directory, context);
  auto const source = tokenizer.encode("March 23rd, 1994").ids;
  auto options = read_generation_config(directory, {});
  options.decoding = Decoding::beam_search;
  options.num_beams = options.num_return_sequences = 3;

  // Which texts beam search followed, where they forked, which ended, and the scores.
  BeamView beams{.title = "March 23rd, 1994", .prompt = "", .steps = {}, .results = {}, .text_of = [&](TokenId id) {
                   return tokenizer.decode_after({id}, {id});
                 }};
  options.on_beams = [&](BeamStep const& step) { beams.steps.push_back(step); };
  beams.results = generate_sequences(model, source, options, context);
  write_beam_view(folder / "beams.html", beams);

  // What the best text looked at while it was written: within the source, within itself, and in the source.
  auto const target = beams.results.front().ids;
  auto const seen = capture_attention(model, source, target, context);
  write_attention_view(folder / "translation.html", attention_view(seen.encoder, seen.decoder, tokens_of(source), tokens_of(target)));
  auto const in_source = chosen_attention(seen, EncoderDecoderAttention::cross, {.layer = 0, .head = 3});  // [Queries, Keys]

  std::cout << tokenizer.decode(target, {.skip_special_tokens = true}) << " after " << beams.steps.size() << " steps\n";
  std::cout << in_source.rows() << " tokens look at " << in_source.columns() << "\n";
}

// Prints:
// 1994-03-23 after 11 steps
// 12 tokens look at 12
