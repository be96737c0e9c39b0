/// @file
/// Tokenizers on one thread, with ids, offsets and special tokens, a line at a time.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <axiform/text/tokenizer_files.hpp>

#include "work.hpp"

namespace bench {

/// tokenizer/byte_bpe/prose/warm, …/cold: with a tokenizer that has seen nothing. tokenizer/byte_bpe/load: from its file.
inline Work tokenizing(std::filesystem::path const& file, std::filesystem::path const& text, bool cold) {
  auto const lines = read_lines(text);
  return {repeated([=, kept = std::optional<Tokenizer>()](Context&) mutable {
            if (cold || !kept) kept = Tokenizer::from_tokenizer_json(file);
            return seconds([&] {
              for (auto const& line : lines) benchmark::DoNotOptimize(kept->encode(line).size());
            });
          }),
          [=](Context&) {
            Tokenizer const tokenizer = Tokenizer::from_tokenizer_json(file);
            std::vector<float> ids;
            for (std::size_t i = 0; i < std::min<std::size_t>(lines.size(), 500); ++i)
              for (TokenId const id : tokenizer.encode(lines[i]).ids) ids.push_back(static_cast<float>(id));
            return ids;
          }};
}

inline Work loading_tokenizer(std::filesystem::path const& file) {
  return {repeated(
              [=](Context&) { return seconds([&] { benchmark::DoNotOptimize(Tokenizer::from_tokenizer_json(file).vocabulary_size()); }); }),
          [](Context&) { return std::vector<float>(); }};
}

}  // namespace bench
