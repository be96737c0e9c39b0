// What is in a GPT-2? The whole forward pass written in tensor algebra, from the checkpoint's tensors to the logits, as one would write it in NumPy, but with
// names for axes; and how near it comes to the library's model.
#include <cmath>
#include <cstdint>
#include <iostream>
#include <limits>
#include <string>

#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/order.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/read_tensor.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/load.hpp>

#include "command_line.hpp"

using namespace axiform;
using axes::Tokens, axes::Queries, axes::Keys, axes::Positions, axes::Hidden, axes::Heads, axes::HeadSize, axes::Inner;

struct Vocabulary : DynamicAxis {};
struct Mixed : DynamicAxis {};     // what a projection gives, before it is one of the others
struct Projections : Const<3> {};  // queries, keys and values, side by side
struct Width : DynamicAxis {};     // all heads side by side

// GPT-2 (Radford et al. 2019), from the tensors of its file. A token is a row of Hidden.
class Gpt2ByHand {
 public:
  Gpt2ByHand(std::filesystem::path const& directory, std::size_t heads, double epsilon)
      : file_(SafetensorsFile::open(directory / "model.safetensors")),
        prefix_(file_.find("wte.weight") != nullptr ? "" : "transformer."),  // of a checkpoint with a head
        heads_(heads),
        epsilon_(epsilon) {}

  // [Tokens, Vocabulary]: how probable each entry is behind each token, as a logarithm plus a constant.
  auto operator()(Tensor<std::int64_t, Tokens> const& ids) const {
    auto const words = read<Vocabulary, Hidden>("wte.weight");
    auto const positions = read<Positions, Hidden>("wpe.weight");
    auto x = gather<Vocabulary>(words, ids) +
             gather<Positions>(positions, arange<std::int64_t, Tokens>(0, static_cast<std::int64_t>(ids.size())));
    for (std::size_t i = 0; file_.find(prefix_ + block(i) + "ln_1.weight") != nullptr; ++i) {
      x += attend(norm(x, block(i) + "ln_1"), block(i) + "attn.");
      x += widen(norm(x, block(i) + "ln_2"), block(i) + "mlp.");
    }
    return contract<Hidden>(norm(x, "ln_f"), words);
  }

 private:
  using States = Tensor<float, Tokens, Hidden>;

  static std::string block(std::size_t i) { return "h." + std::to_string(i) + "."; }

  template <Axis... Axes>
  Tensor<float, Axes...> read(std::string const& name) const {
    return read_tensor<float, Axes...>(file_, prefix_ + name);
  }

  // x, normalised, times a weight and plus a bias.
  States norm(States const& x, std::string const& name) const {
    return layer_norm<Hidden>(x, epsilon_) * read<Hidden>(name + ".weight") + read<Hidden>(name + ".bias");
  }

  // GPT-2 keeps weights as [In, Out].
  template <Axis In, Axis Out, class X>
  auto project(X const& x, std::string const& name) const {
    return contract<In>(x, read<In, Out>(name + ".weight")) + read<Out>(name + ".bias");
  }

  // Causal self-attention of several heads (Vaswani et al. 2017).
  States attend(States const& x, std::string const& name) const {
    auto const mixed = project<Hidden, Mixed>(x, name + "c_attn");             // [Tokens, 3 * Width]
    auto const parts = split<Mixed, Projections, Width>(mixed);                // [Tokens, Projections, Width]
    auto const by_head = split<Width, Heads, HeadSize>(parts, heads_);         // [Tokens, Projections, Heads, HeadSize]
    auto const query = relabel<Tokens, Queries>(at<Projections>(by_head, 0));  // [Queries, Heads, HeadSize]
    auto const key = relabel<Tokens, Keys>(at<Projections>(by_head, 1));
    auto const value = relabel<Tokens, Keys>(at<Projections>(by_head, 2));

    std::size_t const tokens = x.rows();
    float const scale = 1 / std::sqrt(static_cast<float>(query.shape().columns()));
    auto const scores = contract<HeadSize>(query, key) * scale;  // [Queries, Heads, Keys]
    auto const seen = where(lower_triangle<Queries, Keys>(tokens, tokens), scores, -std::numeric_limits<float>::infinity());
    auto const mean = contract<Keys>(softmax<Keys>(seen), value);  // [Queries, Heads, HeadSize]

    auto const width = relabel<Queries, Tokens>(merge<Heads, HeadSize, Width>(mean));  // [Tokens, Width]
    return project<Width, Hidden>(width, name + "c_proj");
  }

  // The feed-forward block: wider, an activation, and back.
  States widen(States const& x, std::string const& name) const {
    return project<Inner, Hidden>(gelu_tanh(project<Hidden, Inner>(x, name + "c_fc")), name + "c_proj");
  }

  SafetensorsFile file_;
  std::string prefix_;
  std::size_t heads_;
  double epsilon_;
};

int main(int argc, char** argv) {
  CommandLine command("gpt2_by_hand", "Runs a GPT-2 written in tensor algebra, and compares it with the library's model.");
  std::string ids_text = "1,2,3,4,5";
  command.add_gpt2_option();
  command.add_option("--ids", ids_text, "The tokens")->type_name("1,2,3");

  return command.run(argc, argv, [&](Context& context) {
    auto const ids = parse_ids(ids_text);
    auto const gpt2 = load<Gpt2<>>(command.model(), context);
    auto const by_library = relabel<axes::VocabularyEntries, Vocabulary>(gpt2.logits(gpt2(ids, context), context));

    Json const config = read_json(command.model() / "config.json");
    Gpt2ByHand const by_hand(command.model(), gpt2.dimensions.heads, config["layer_norm_epsilon"].real());
    auto const logits = by_hand(from_function<std::int64_t, Tokens>([&](std::size_t i) { return ids[i]; }, ids.size()));
    float const difference = max(abs(logits - by_library));
    auto const next = argmax<Vocabulary>(logits);

    if (command.json()) {
      std::cout << dump_json(
                       {{"difference", difference}, {"next", std::vector<std::int64_t>(next.elements().begin(), next.elements().end())}})
                << "\n";
    } else {
      std::cout << "Logits:        " << logits.shape().to_string_with_names() << "\nMost probable: " << next
                << "\nDifference:    " << difference << " at most\n";
    }
  });
}
