/// @file
/// A Marian that translates.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/models/encoder_decoder.hpp>

#include "work.hpp"

namespace bench {

/// marian/f32/16x64/24/beam4 writes 24 tokens for each of 16 sources of 64 tokens with four beams, …/greedy without. No text may end before: so both
/// sides do the same work. The result are the tokens behind the start of all texts.
inline Work translation(std::filesystem::path const& folder, std::vector<std::string> const& parts, Context& context) {
  using Model = EncoderDecoder<DynamicDimensions, PostNormRecipe>;
  if (parts.size() != 5) throw ArgumentError("work: expected marian/FORMAT/SOURCESxTOKENS/TOKENS/greedy or …/beamN");
  auto const size = batch_size(parts[2]);
  std::size_t const target = number(parts[3]), beams = parts[4] == "greedy" ? 1 : number(parts[4].substr(4));
  auto const model = loaded<Model>(folder, in_format(parts[1]), context);
  std::vector<std::vector<TokenId>> sources;
  for (auto const& line : read_lines(folder.string() + "-sources.txt")) {
    std::istringstream ids(line);
    auto& source = sources.emplace_back();
    for (TokenId id = 0; ids >> id;) source.push_back(id);
    if (source.empty()) throw ArgumentError("marian-sources.txt: found a source without tokens, expected at least one");
  }
  if (sources.empty()) throw ArgumentError("marian-sources.txt: found no source");

  // The sources from `first` on, cut to their length: their last token ends them.
  auto const some = [=](std::size_t first) {
    std::vector<std::vector<TokenId>> chosen;
    for (std::size_t i = 0; i < size.sequences; ++i) {
      auto const& whole = sources[(first + i) % sources.size()];
      auto& source = chosen.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(std::min(size.tokens, whole.size())));
      source.back() = whole.back();
    }
    return chosen;
  };
  auto const write = [=](std::vector<std::vector<TokenId>> const& from, Context& own) {
    auto const padding = static_cast<TokenId>(model->vocabulary() - 1);
    return generate_batch(*model, from,
                          {.max_new_tokens = target,
                           .decoding = beams > 1 ? Decoding::beam_search : Decoding::greedy,
                           .num_beams = beams,
                           .bad_words = {{padding}},
                           .min_new_tokens = target,
                           .decoder_start = padding,
                           .end_of_text = {0},
                           .batch_size = size.sequences * beams},
                          own);
  };
  return {repeated([=, next = std::size_t{0}](Context& own) mutable {
            auto const from = some(next);
            next += size.sequences;
            return seconds([&] { benchmark::DoNotOptimize(write(from, own).data()); });
          }),
          [=](Context& own) {
            std::vector<float> tokens;
            for (auto const& texts : write(some(0), own))
              for (TokenId const id : std::span(texts[0].ids).subspan(texts[0].prompt_length)) tokens.push_back(static_cast<float>(id));
            return tokens;
          }};
}

}  // namespace bench
