// What peers/compare.py talks to: reads `WORK REPETITIONS` a line, runs it on the given number of threads, answers with a JSON list: seconds, or
// what a limit is. WORK is a benchmark of this folder, smollm2-FORMAT/…, e5/sentences, e5-FORMAT/sentences, marian/…, or limit/fma (GFLOP/s) or
// limit/read (GB/s). tokens/marian/… answers with the tokens that marian/… writes for the first sources, to be compared with a peer's.
//
//     respond THREADS [MINILM_DIRECTORY SENTENCES]        smollm2-FORMAT.gguf, multilingual-e5-small and marian lie beside SENTENCES
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/encoder_decoder.hpp>
#include <axiform/models/gpt2.hpp>
#include <axiform/models/llama.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include "inputs.hpp"
#include "limits.hpp"

namespace {

using namespace axiform;

template <class Model>
std::shared_ptr<Model> seeded(Context& context) {
  auto model = std::make_shared<Model>(Model::create());
  initialize(*model, {.seed = 1}, context);
  return model;
}

// Each returns what runs once and gives seconds.
using Work = std::function<double(Context&)>;

Work bert(std::shared_ptr<Bert<BertBase>> const& model, std::size_t batch, std::size_t tokens) {
  return [=, source = bench::TokenSource(BertBase::sizes.vocabulary)](Context& context) mutable {
    auto const sequences = bench::equal_sequences(batch, tokens);
    auto const ids = source.next(batch * tokens);
    return bench::seconds([&] { benchmark::DoNotOptimize((*model)({.ids = ids, .sequences = sequences}, context).data()); });
  };
}

template <class Model>
Work decode(std::shared_ptr<Model> const& model, std::size_t first, std::size_t last) {
  return [=, source = bench::TokenSource(model->vocabulary())](Context& context) mutable {
    auto cache = model->make_cache(1, last);
    auto const one = bench::equal_sequences(1, 1);
    model->last_logits(source.next(first), bench::equal_sequences(1, first), cache, context);
    auto const ids = source.next(last - first);
    Context::Pass const pass(context);
    return bench::seconds([&] {
      for (std::size_t i = 0; i < ids.size(); ++i)
        benchmark::DoNotOptimize(model->last_logits(ids.subspan(i, 1), one, cache, context).data());
    });
  };
}

template <class Model>
Work prefill(std::shared_ptr<Model> const& model, std::size_t tokens) {
  return [=, source = bench::TokenSource(model->vocabulary())](Context& context) mutable {
    auto cache = model->make_cache(1, tokens);
    auto const sequences = bench::equal_sequences(1, tokens);
    auto const ids = source.next(tokens);
    return bench::seconds([&] { benchmark::DoNotOptimize(model->last_logits(ids, sequences, cache, context).data()); });
  };
}

// smollm2-q4_1/decode/16-80: a file of floats is kept in its own format, a file of blocks in its blocks.
Work smollm2(std::string const& name, std::filesystem::path const& folder, Context& context) {
  std::string const model_name = name.substr(0, name.find('/')), work = name.substr(model_name.size() + 1);
  static std::map<std::string, std::shared_ptr<Llama<>>> models;
  auto& model = models[model_name];
  if (!model) {
    std::string const format = model_name.substr(model_name.find('-') + 1);
    LoadOptions const loading{.weights = format == "f32" || format == "bf16" ? weight_format_named(format) : std::nullopt};
    model = std::make_shared<Llama<>>(load<Llama<>>(folder / (model_name + ".gguf"), loading, context));
  }
  return work == "prefill/256" ? prefill(model, 256) : decode(model, 16, 80);
}

template <class Embedding>
Work sentences(Embedding embedding, TextRole role, std::string const& file) {
  auto const model = std::make_shared<Embedding>(std::move(embedding));
  std::vector<std::string> lines;
  std::ifstream input(file);
  for (std::string line; std::getline(input, line);) lines.push_back(line);
  return [=](Context& own) { return bench::seconds([&] { benchmark::DoNotOptimize(model->embed(lines, {.role = role}, own).data()); }); };
}

// e5/sentences as the directory has it, in floats; e5-q4_0/sentences in blocks, which are those that its floats were made of.
Work multilingual_e5(std::string const& name, std::string const& file, Context& context) {
  std::string const model = name.substr(0, name.find('/'));
  LoadOptions const loading{.weights = model == "e5" ? std::nullopt : weight_format_named(model.substr(3))};
  auto const directory = std::filesystem::path(file).parent_path() / "multilingual-e5-small";
  return sentences(SentenceEmbedding<>::from_directory(directory, loading, context), TextRole::passage, file);
}

// marian/16x64/24/beam4 writes 24 tokens for each of 16 sources of 64 tokens with four beams, marian/…/greedy without. No text may end before: so both
// sides do the same work.
class Marian {
 public:
  using Model = EncoderDecoder<DynamicDimensions, PostNormRecipe>;

  Marian(std::filesystem::path const& folder, Context& context) : model_(load<Model>(folder / "marian", context)) {
    std::ifstream input(folder / "marian-sources.txt");
    for (std::string line; std::getline(input, line);) {
      std::istringstream ids(line);
      auto& source = sources_.emplace_back();
      for (TokenId id = 0; ids >> id;) source.push_back(id);
      if (source.empty()) throw ArgumentError("marian-sources.txt: found a source without tokens, expected at least one");
    }
    if (sources_.empty()) throw ArgumentError("marian-sources.txt: found no source");
  }

  struct Sizes {
    std::size_t batch, source, target, beams;
  };
  static Sizes sizes_of(std::string const& work) {
    Sizes sizes{};
    char kind[8];
    if (std::sscanf(work.c_str(), "marian/%zux%zu/%zu/%7s", &sizes.batch, &sizes.source, &sizes.target, kind) != 4 || sizes.source == 0)
      throw ArgumentError("unknown work: " + work);
    if (std::sscanf(kind, "beam%zu", &sizes.beams) != 1) sizes.beams = 1;
    if (sizes.beams == 0) throw ArgumentError("unknown work: " + work);
    return sizes;
  }

  // The sources from `first` on, cut to their length: their last token ends them.
  std::vector<std::vector<TokenId>> sources(Sizes const& sizes, std::size_t first) const {
    std::vector<std::vector<TokenId>> some;
    for (std::size_t i = 0; i < sizes.batch; ++i) {
      auto const& whole = sources_[(first + i) % sources_.size()];
      auto& source = some.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(std::min(sizes.source, whole.size())));
      source.back() = whole.back();
    }
    return some;
  }

  std::vector<std::vector<GeneratedSequence>> write(Sizes const& sizes, std::vector<std::vector<TokenId>> const& sources,
                                                    Context& context) const {
    auto const padding = static_cast<TokenId>(model_.vocabulary() - 1);
    return generate_batch(model_, sources,
                          {.max_new_tokens = sizes.target,
                           .decoding = sizes.beams > 1 ? Decoding::beam_search : Decoding::greedy,
                           .num_beams = sizes.beams,
                           .bad_words = {{padding}},
                           .min_new_tokens = sizes.target,
                           .decoder_start = padding,
                           .end_of_text = {0},
                           .batch_size = sizes.batch * sizes.beams},
                          context);
  }

 private:
  Model model_;
  std::vector<std::vector<TokenId>> sources_;
};

Marian const& marian(std::filesystem::path const& folder, Context& context) {
  static Marian const model(folder, context);
  return model;
}

Work translation(Marian const& model, std::string const& name) {
  return [&model, sizes = Marian::sizes_of(name), next = std::size_t{0}](Context& context) mutable {
    auto const sources = model.sources(sizes, next);
    next += sizes.batch;
    return bench::seconds([&] { benchmark::DoNotOptimize(model.write(sizes, sources, context).data()); });
  };
}

// The tokens behind the start of all texts, as a list.
std::string tokens_of(Marian const& model, std::string const& name, Context& context) {
  auto const sizes = Marian::sizes_of(name);
  std::string list;
  for (auto const& texts : model.write(sizes, model.sources(sizes, 0), context))
    for (TokenId const id : std::span(texts[0].ids).subspan(texts[0].prompt_length))
      list += (list.empty() ? "" : ", ") + std::to_string(id);
  return "[" + list + "]";
}

}  // namespace

int main(int argc, char** argv) try {
  std::string const directory = argc > 2 ? argv[2] : "", file = argc > 3 ? argv[3] : "";
  auto context = Context::with_threads(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2);
  std::map<std::string, Work> works;
  works["limit/fma"] = [](Context& own) { return bench::fma_peak(own.executor()); };
  works["limit/read"] = [](Context& own) { return bench::streaming_read(own.executor()); };
  std::puts("ready");
  std::fflush(stdout);
  std::string name;
  auto const folder = std::filesystem::path(file).parent_path();
  for (std::size_t repetitions = 0; std::cin >> name >> repetitions;) {
    if (name.starts_with("tokens/marian/")) {
      std::puts(tokens_of(marian(folder, context), name.substr(7), context).c_str());
      std::fflush(stdout);
      continue;
    }
    if (!works.contains(name)) {
      std::size_t batch = 0, tokens = 0;
      if (std::sscanf(name.c_str(), "bert_base/%zux%zu", &batch, &tokens) == 2) {
        static auto const model = seeded<Bert<BertBase>>(context);
        works[name] = bert(model, batch, tokens);
      } else if (name.starts_with("gpt2/")) {
        static auto const model = seeded<Gpt2<Gpt2Small>>(context);
        works[name] = name == "gpt2/prefill/512" ? prefill(model, 512) : decode(model, 16, 80);
      } else if (name.starts_with("smollm2-")) {
        works[name] = smollm2(name, folder, context);
      } else if (name.starts_with("marian/")) {
        works[name] = translation(marian(folder, context), name);
      } else if (name == "minilm/sentences" && !file.empty()) {
        works[name] = sentences(SentenceEmbedding<Bert<MiniLmL6>>::from_directory(directory, context), TextRole::text, file);
      } else if ((name == "e5/sentences" || (name.starts_with("e5-") && name.ends_with("/sentences"))) && !file.empty()) {
        works[name] = multilingual_e5(name, file, context);
      } else {
        throw ArgumentError("unknown work: " + name);
      }
      works[name](context);
    }
    std::string answer = "[";
    for (std::size_t i = 0; i < repetitions; ++i) answer += (i ? ", " : "") + std::to_string(works[name](context));
    std::puts((answer + "]").c_str());
    std::fflush(stdout);
  }
  return 0;
} catch (std::exception const& error) {
  std::fprintf(stderr, "respond: %s\n", error.what());
  return 1;
}
