/// @file
/// `EmbedOptions`: how texts are embedded. It needs no model, so that whoever only asks for embeddings can include it.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>

#include <axiform/io/pooling.hpp>
#include <axiform/core/progress.hpp>

namespace axiform {

/// What a text is, for models that have a prompt for each.
enum class TextRole {
  text,    ///< Just a text: the model's default prompt, where it has one.
  query,   ///< What is searched for: the prompt "query".
  passage  ///< What is searched in: the prompt "document", "passage" or "corpus", the first that is there and not empty.
};

/// How texts are embedded.
struct EmbedOptions {
  std::size_t batch_size = 32;                   ///< Texts that run together. It changes speed and memory, never a bit of the result.
  TextRole role = TextRole::text;                ///< Chooses the prompt.
  std::optional<std::string> prompt{};           ///< What is put before each text, whatever its role; "" for nothing.
  std::optional<Normalization> normalization{};  ///< In the place of what the model's files say: `unit_length` is done last.
  /// The first numbers of each embedding alone, for models that are trained so that these say most (Matryoshka). Of a model that gives unit length they are
  /// scaled to it again. When not given, it is what the model's files say (`truncate_dim`), or all.
  std::optional<std::size_t> dimensions{};
  std::stop_token stop{};                        ///< Ends the call with a `StoppedError`.
  ProgressCallback progress{};                   ///< Is told how many texts are done.
};

}  // namespace axiform
