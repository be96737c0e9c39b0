// I trained an nn.Transformer in PyTorch. How do I run it here? A directory has what torch wrote,
//
//     torch.save(model.state_dict(), "mine/pytorch_model.bin")      (or safetensors' save_model(model, "mine/model.safetensors"))
//
// and beside it mine/config.json with the constructor's arguments under their own names (include/axiform/models/families/transformer.hpp lists them).
// What the file calls its tensors, its prefix and the names of embeddings and output, may be as in PyTorch's tutorial on translation; anything that has
// no place in the model is an error that names it.
#include <iostream>
#include <string>
#include <vector>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/inspect/attention_table.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/one_of.hpp>
#include <axiform/tasks/generation_config.hpp>

#include "command_line.hpp"

using namespace axiform;

using Model = OneOf<Transformer<>, PreNormTransformer<>>;  // config.json's `norm_first` says which

int main(int argc, char** argv) {
  CommandLine command("torch_transformer", "Runs a model around PyTorch's nn.Transformer on ids.");
  std::string source_text = "5,6,7";
  std::size_t beams = 1, texts = 1, max_length = 24;
  command.add_model_option("a model around nn.Transformer");
  command.add_option("--ids", source_text, "The source")->type_name("1,2,3");
  command.add_number("--beams", beams, "Texts that are followed side by side; 1 is greedy");
  command.add_number("--texts", texts, "Texts that are written, of several beams");
  command.add_number("--max-length", max_length, "Tokens of a text, with the one that begins it");

  return command.run(argc, argv, [&](Context& context) {
    ModelDirectory const directory = command.model();
    auto const [model, report] = load_with_report<Model>(directory, context);
    auto const source_ids = parse_ids(source_text);
    // What begins and ends a text, its files say; how it is written, the command line, whatever they ask for.
    auto options = read_generation_config(directory, {});
    options.decoding = beams > 1 ? Decoding::beam_search : Decoding::greedy;
    options.num_beams = beams;
    options.max_length = max_length;
    options.max_new_tokens.reset();
    options.num_return_sequences = texts;
    auto const written = generate_sequences(model, source_ids, options, context);

    if (command.json()) {
      Json document = {{"parameters", count_parameters(model)}, {"texts", Json::array()}};
      for (auto const& text : written) document["texts"].push_back({{"ids", text.ids}, {"score", text.beam_score}});
      std::cout << dump_json(document) << '\n';
      return;
    }
    std::cout << count_parameters(model) << " parameters\n" << report.to_string();
    for (auto const& text : written) {
      std::cout << "target:";
      for (TokenId const id : text.ids) std::cout << ' ' << id;
      if (beams > 1) std::cout << "   score " << text.beam_score;
      std::cout << '\n';
    }

    // The first text once more, to see what each of its tokens attends to in the source: what torch gives with need_weights=True.
    Capture capture;
    BesideSources const beside(model, source_ids, context);
    auto const& ids = written.front().ids;
    auto cache = beside.make_cache(1, ids.size());
    context.observe(&capture);
    beside.all_logits(ids, SequenceOffsets<axes::Tokens>::single(ids.size()), cache, context);
    auto const label = [](auto const& tokens) {
      std::vector<std::string> labels;
      for (TokenId const id : tokens) labels.push_back(std::to_string(id));
      return labels;
    };
    std::cout << "\nCross-attention of the last layer, mean over heads: the target's tokens by the source's\n";
    print_attention_table(std::cout, mean_over_heads(capture.cross_attention(capture.layers() - 1)), label(ids), label(source_ids));
  });
}
