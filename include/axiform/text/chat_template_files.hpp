/// @file
/// `read_chat_template`: the chat template of a model's directory, or of its GGUF file.
#pragma once

#include <axiform/io/model_directory.hpp>
#include <axiform/text/chat_template.hpp>

#if AXIFORM_DEFINES(text)
#include <cstddef>
#include <string>
#include <string_view>

#include <axiform/core/error.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// The template of chat_template.jinja, else of `chat_template` in tokenizer_config.json (of several, the one named "default"), else of the metadata of a
/// GGUF file.
/// @throws CheckpointError when the model has none; FormatError, naming the file, when it is not valid or not supported. Both say that one may be named.
ChatTemplate read_chat_template(ModelDirectory const& directory);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(text)

namespace detail {

inline std::string way_round_template() {
  std::string names;
  for (std::string_view const name : ChatTemplate::names()) names += message({names.empty() ? "" : ", ", name});
  return message({"; a template can be named: ", names});
}

/// A member of tokenizer_config.json: a text, or a list of named ones.
inline std::string const& chat_template_from(Json const& value, std::string const& file) {
  if (value.is_string()) return value.text();
  if (value.is_array())
    for (Json const& each : value)
      if (each.is_object() && get_or<std::string>(each, "name", "", file) == "default" && each.contains("template") &&
          each["template"].is_string())
        return each["template"].text();
  throw FormatError(
      message({file, ": chat_template: found ", describe_json(value), ", expected a text, or a list with one named \"default\""}));
}

}  // namespace detail

AXIFORM_INLINE ChatTemplate read_chat_template(ModelDirectory const& directory) {
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  auto const parse = [](std::string_view source, std::string const& where) {
    try {
      return ChatTemplate::parse(source);
    } catch (FormatError const& error) {
      throw FormatError(detail::message({where, ": ", error.what(), detail::way_round_template()}));
    }
  };
  if (directory.gguf() == nullptr && directory.has("chat_template.jinja")) {
    auto const path = directory / "chat_template.jinja";
    return parse(read_file(path, most_bytes), path.string());
  }
  if (directory.has("tokenizer_config.json")) {
    std::string const file = (directory / "tokenizer_config.json").string();
    Json const* const value = find_member(directory.json("tokenizer_config.json"), "chat_template", file);
    if (value != nullptr && !value->is_null())
      return parse(detail::chat_template_from(*value, file), detail::message({file, ": chat_template"}));
  }
  throw CheckpointError(
      detail::message({directory.string(), ": has no chat template: the model was not trained to converse, or its files do not say how",
                       detail::way_round_template()}));
}

#endif  // AXIFORM_DEFINES(text)

}  // namespace axiform
