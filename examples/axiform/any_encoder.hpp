// The model without its head, of any directory: what attention is looked at in.
#pragma once

#include <filesystem>
#include <variant>

#include <axiform/io/config.hpp>
#include <axiform/models/load.hpp>

using AnyEncoder = std::variant<axiform::Bert<>, axiform::Gpt2<>>;

inline AnyEncoder load_encoder(std::filesystem::path const& directory, axiform::LoadOptions const& loading, axiform::Context& context) {
  auto const file = directory / "config.json";
  if (axiform::model_family(axiform::read_json(file), file.string()) == axiform::ModelFamily::gpt2) return axiform::load<axiform::Gpt2<>>(directory, loading, context);
  return axiform::load<axiform::Bert<>>(directory, loading, context);
}

// Whether the segments that a tokenizer gives are the model's: GPT-2 and DistilBERT have none, RoBERTa but one.
inline bool has_segments(AnyEncoder const& model) {
  auto const* const bert = std::get_if<axiform::Bert<>>(&model);
  return bert != nullptr && bert->sizes.token_types > 1;
}
