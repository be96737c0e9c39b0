/// @file
/// Named sets of options: what a program of another time or library would do.
#pragma once

#include <axiform/generate/options.hpp>

namespace axiform {

/// Whose defaults.
enum class GenerationProfile {
  notebook,      ///< The text-generation pipeline of transformers 4 with GPT-2: sampling, top-k 50, temperature 1, 50 tokens in all.
  transformers_5  ///< That of transformers 5.24: sampling, top-k 50, temperature 0.7, 256 new tokens.
};

/// The options of a profile.
///
///     auto options = options_of(GenerationProfile::transformers_5);
///     options.max_new_tokens = 20;
GenerateOptions options_of(GenerationProfile profile);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(generate)

AXIFORM_INLINE GenerateOptions options_of(GenerationProfile profile) {
  switch (profile) {
    case GenerationProfile::notebook: return {.max_length = 50, .sampling = {.temperature = 1.0, .top_k = 50}};
    case GenerationProfile::transformers_5: return {.max_new_tokens = 256, .sampling = {.temperature = 0.7, .top_k = 50}};
  }
  return {};
}

#endif  // AXIFORM_DEFINES(generate)

}  // namespace axiform
