/// @file
/// `PackedSources`: the texts that an encoder reads, one behind the other, each once however often it is there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <axiform/core/axis.hpp>
#include <axiform/core/checks.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_id.hpp>

namespace axiform {

/// Sources as an encoder runs them: packed, without padding, and equal ones once.
///
///     PackedSources const packed(sources);
///     auto const encoded = model.project_source(packed.ids, packed.sequences, context);
struct PackedSources {
  std::vector<TokenId> ids;                       ///< The different sources, one behind the other, in the order of their first places.
  SequenceOffsets<axes::SourceTokens> sequences;  ///< Where each of them begins.
  std::vector<std::size_t> source_of;             ///< Which of them each source is.

  /// @param sources Their ids.
  explicit PackedSources(std::span<std::span<TokenId const> const> sources);

  /// @param sources    Those of a batch, by whose numbers messages name them.
  /// @param positions  Tokens that a source may have.
  /// @param vocabulary Entries of the encoder's vocabulary.
  /// @throws ArgumentError when a source is empty, has more tokens, or one that is not in the vocabulary.
  static void check(std::span<std::span<TokenId const> const> sources, std::size_t positions, std::size_t vocabulary);
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE PackedSources::PackedSources(std::span<std::span<TokenId const> const> sources) {
  auto const precedes = [](std::span<TokenId const> a, std::span<TokenId const> b) { return std::ranges::lexicographical_compare(a, b); };
  std::map<std::span<TokenId const>, std::size_t, decltype(precedes)> known(precedes);
  source_of.reserve(sources.size());
  for (auto const source : sources) {
    auto const [place, is_new] = known.try_emplace(source, known.size());
    source_of.push_back(place->second);
    if (!is_new) continue;
    ids.insert(ids.end(), source.begin(), source.end());
    sequences.append(source.size());
  }
}

AXIFORM_INLINE void PackedSources::check(std::span<std::span<TokenId const> const> sources, std::size_t positions, std::size_t vocabulary) {
  for (std::size_t s = 0; s < sources.size(); ++s) {
    std::string const name = sources.size() == 1 ? "source" : "source " + std::to_string(s);
    if (sources[s].empty()) throw ArgumentError(name + ": found no token, expected at least one");
    if (sources[s].size() > positions)
      throw ArgumentError(name + ": found " + std::to_string(sources[s].size()) + " tokens, expected at most the encoder's " +
                          std::to_string(positions) + " positions");
    check_ids(sources[s], vocabulary, (name + ": token id").c_str());
  }
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
