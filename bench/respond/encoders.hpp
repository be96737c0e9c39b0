/// @file
/// Encoders over packed batches, and what embeds sentences with them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/models/bert.hpp>
#include <axiform/tasks/sentence_embedding.hpp>

#include "work.hpp"

namespace bench {

/// bert_base/f32/8x128: hidden states of 8 sequences of 128 tokens.
template <class Model>
Work encoder(std::filesystem::path const& folder, std::string const& format, BatchSize size, Context& context) {
  auto const model = loaded<Model>(folder, in_format(format), context);
  auto const states = [model](std::span<TokenId const> ids, BatchSize of, Context& own) {
    return (*model)({.ids = ids, .sequences = equal_sequences(of.sequences, of.tokens)}, own);
  };
  return {repeated([=, source = TokenSource(model->sizes.vocabulary)](Context& own) mutable {
            auto const ids = source.next(size.sequences * size.tokens);
            return seconds([&] { benchmark::DoNotOptimize(states(ids, size, own).data()); });
          }),
          [=](Context& own) {
            auto const ids = read_ids(folder.string() + ".ids.txt");
            auto const hidden = states(ids, {1, ids.size()}, own);
            return std::vector<float>(hidden.data(), hidden.data() + hidden.size());
          }};
}

/// minilm/f32/sentences: all sentences at once, 100 with the larger e5. minilm/f32/one: a sentence by itself, another each time.
inline Work sentences(std::filesystem::path const& directory, std::string const& format, std::string const& task,
                      std::filesystem::path const& file, Context& context) {
  using Embedding = SentenceEmbedding<>;
  auto const model = std::make_shared<Embedding>(Embedding::from_directory(directory, in_format(format), context));
  auto lines = read_lines(file);
  // A model without prompts of its own reads a text as it is; e5 puts "passage: " before it.
  bool const is_e5 = directory.filename() == "e5";
  TextRole const role = is_e5 ? TextRole::passage : TextRole::text;
  if (is_e5 && lines.size() > 100) lines.resize(100);
  Work work;
  work.result = [=](Context& own) {
    std::span const some(lines.data(), std::min<std::size_t>(lines.size(), task == "one" ? 1 : 200));
    auto const rows = model->embed(some, {.role = role}, own);
    return std::vector<float>(rows.data(), rows.data() + rows.size());
  };
  if (task == "one")
    work.run = repeated([=, next = std::size_t{0}](Context& own) mutable {
      std::string const& line = lines[next++ % lines.size()];
      return seconds([&] { benchmark::DoNotOptimize(model->embed(line, {.role = role}, own).data()); });
    });
  else
    work.run =
        repeated([=](Context& own) { return seconds([&] { benchmark::DoNotOptimize(model->embed(lines, {.role = role}, own).data()); }); });
  return work;
}

}  // namespace bench
