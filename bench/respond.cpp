// Axiform's side of compare/: reads a request a line, answers with a line of JSON.
//
//     respond THREADS FOLDER             where compare/make_models.py has written
//
//     run WORK REPETITIONS               a list of nanoseconds, of each repetition; of limit/fma, …/bf16, …/int8 operations a second, of limit/read bytes
//     result WORK FILE                   writes floats to the file, to be compared with the reference, and answers how many
//
// compare/works.py lists the works.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "respond/decoders.hpp"
#include "respond/encoders.hpp"
#include "respond/tokenizing.hpp"
#include "respond/translation.hpp"

namespace {

using namespace axiform;

bench::Work limit(std::string const& name) {
  auto const measure = name == "fma"    ? bench::fma_peak
                       : name == "bf16" ? bench::bf16_peak
                       : name == "int8" ? bench::int8_peak
                       : name == "read" ? bench::streaming_read
                                        : nullptr;
  if (measure == nullptr) throw ArgumentError("work: found no limit \"" + name + "\"");
  return {bench::repeated([=](Context& context) { return measure(context.executor()); }), [](Context&) { return std::vector<float>(); }};
}

bench::Work make(std::string const& name, std::filesystem::path const& folder, Context& context) {
  auto const parts = bench::parts_of(name);
  std::string const& model = parts[0];
  auto const is = [&](char const* what, std::size_t count) { return model == what && parts.size() == count; };
  if (is("limit", 2)) return limit(parts[1]);
  if (is("bert_base", 3)) return bench::encoder<Bert<>>(folder / model, parts[1], bench::batch_size(parts[2]), context);
  if (is("mpnet", 3)) return bench::encoder<Mpnet<>>(folder / model, parts[1], bench::batch_size(parts[2]), context);
  if (is("minilm", 3) || is("e5", 3)) return bench::sentences(folder / model, parts[1], parts[2], folder / "sentences.txt", context);
  // gpt2 in a format is its directory's floats, made into that format; smollm2 a file of that format.
  if (is("gpt2", 4))
    return bench::causal(bench::loaded<Gpt2<>>(folder / "gpt2", bench::in_format(parts[1]), context), parts[2], bench::number(parts[3]),
                         folder / "gpt2.ids.txt", context);
  if (is("smollm2", 4)) {
    LoadOptions const loading = parts[1] == "f32" || parts[1] == "bf16" ? bench::in_format(parts[1]) : LoadOptions{};
    return bench::causal(bench::loaded<Llama<>>(folder / ("smollm2-" + parts[1] + ".gguf"), loading, context), parts[2],
                         bench::number(parts[3]), folder / "smollm2.ids.txt", context);
  }
  if (model == "marian") return bench::translation(folder / "marian", parts, context);
  auto const tokenizer = folder / "tokenizers" / (parts.size() > 1 ? parts[1] + ".json" : "");
  if (is("tokenizer", 3) && parts[2] == "load") return bench::loading_tokenizer(tokenizer);
  if (is("tokenizer", 4)) return bench::tokenizing(tokenizer, folder / "texts" / (parts[2] + ".txt"), parts[3] == "cold");
  throw ArgumentError("work: found no \"" + name + "\"");
}

void answer(std::string const& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

void serve(std::filesystem::path const& folder, Context& context) {
  std::map<std::string, bench::Work> works;
  auto const find = [&](std::string const& name) -> bench::Work& {
    auto found = works.find(name);
    if (found == works.end()) found = works.emplace(name, make(name, folder, context)).first;
    return found->second;
  };
  answer("\"ready\"");
  for (std::string request, name; std::cin >> request;) {
    if (request == "run") {
      std::size_t repetitions = 0;
      std::cin >> name >> repetitions;
      std::string list = "[";
      for (double const taken : find(name).run(repetitions, context)) list += (list.size() > 1 ? ", " : "") + std::to_string(taken * 1e9);
      answer(list + "]");
    } else if (request == "result") {
      std::string file;
      std::cin >> name >> file;
      auto const values = find(name).result(context);
      std::ofstream(file, std::ios::binary)
          .write(reinterpret_cast<char const*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
      answer(std::to_string(values.size()));
    } else {
      throw ArgumentError("found a request \"" + request + "\", expected run or result");
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw ArgumentError("usage: respond THREADS FOLDER");
  auto context = Context::with_threads(std::strtoul(argv[1], nullptr, 10));
  serve(argv[2], context);
  return 0;
} catch (std::exception const& error) {
  std::fprintf(stderr, "respond: %s\n", error.what());
  return 1;
}
