/// @file
/// How configs say where tokens stand and how far they see, in families that turn queries and keys: `rope_parameters`, `rope_theta`,
/// `rope_scaling`, `layer_types`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/nn/position.hpp>

namespace axiform::inline AXIFORM_ARCH::internal {

// `rope_theta`, and `rope_type` with what belongs to it, from an object that has them.
void read_rotary_kind(ConfigReader const& reader, PositionSettings& settings);

// Positions, from `rope_parameters` (transformers 5), or `rope_theta` and `rope_scaling`. `settings` has the family's base.
PositionSettings read_rotary_settings(ConfigReader const& reader, std::size_t head_size, PositionSettings settings = {});

// How far each layer sees: by `layer_types`; else in the layers from `first` on by `window`. `key` is what the config calls that.
std::vector<std::size_t> read_windows(ConfigReader const& reader, std::size_t layers, std::optional<std::size_t> window, std::size_t first,
                                      char const* key = "sliding_window");

}  // namespace axiform::inline AXIFORM_ARCH::internal

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform::inline AXIFORM_ARCH::internal {

AXIFORM_INLINE void read_rotary_kind(ConfigReader const& reader, PositionSettings& settings) {
  settings.rotary_base = get_or<double>(reader.config, "rope_theta", settings.rotary_base, reader.file);
  if (!(settings.rotary_base > 0)) throw FormatError(detail::message({reader.file, ": rope_theta: expected a number above 0"}));
  auto const type = reader.text("rope_type", reader.text("type", "default"));
  auto const number = [&](char const* key) {
    double const value = require<double>(reader.config, key, reader.file);
    if (!(value > 0)) throw FormatError(detail::message({reader.file, ": ", key, ": expected a number above 0"}));
    return value;
  };
  RotaryScaling& rotary = settings.rotary_scaling;
  if (type == "linear") {
    rotary = {.kind = RotaryScaling::Kind::linear, .factor = number("factor")};
  } else if (type == "llama3") {
    rotary = {.kind = RotaryScaling::Kind::llama3,
              .factor = number("factor"),
              .low_frequency_factor = number("low_freq_factor"),
              .high_frequency_factor = number("high_freq_factor"),
              .original_positions = reader.size({"original_max_position_embeddings"}, rotary.original_positions, largest_table)};
  } else if (type != "default") {
    reader.refuse("rope_type", detail::in_quotes(type), "\"default\", \"linear\" or \"llama3\"");
  }
}

AXIFORM_INLINE PositionSettings read_rotary_settings(ConfigReader const& reader, std::size_t head_size, PositionSettings settings) {
  Json const* const parameters = find_member(reader.config, "rope_parameters", reader.file);
  Json const* const scaling = parameters != nullptr ? parameters : find_member(reader.config, "rope_scaling", reader.file);
  auto const share_of = [&](ConfigReader const& from, double otherwise) {
    return get_or<double>(from.config, "partial_rotary_factor", otherwise, from.file);
  };
  settings.rotary_base = get_or<double>(reader.config, "rope_theta", settings.rotary_base, reader.file);
  if (!(settings.rotary_base > 0)) throw FormatError(detail::message({reader.file, ": rope_theta: expected a number above 0"}));
  double share = share_of(reader, 1);
  if (scaling != nullptr && !scaling->is_null()) {
    std::string const name = parameters != nullptr ? "rope_parameters" : "rope_scaling";
    ConfigReader const of_scaling{*scaling, detail::message({reader.file, ": ", name})};
    read_rotary_kind(of_scaling, settings);
    share = share_of(of_scaling, share);
  }
  if (!(share > 0 && share <= 1))
    throw FormatError(detail::message({reader.file, ": partial_rotary_factor: expected a number above 0, at most 1"}));
  settings.rotary_columns = reader.size({"rotary_dim"}, static_cast<std::size_t>(static_cast<double>(head_size) * share), largest_width);
  if (settings.rotary_columns % 2 != 0 || settings.rotary_columns > head_size)
    throw FormatError(detail::message({reader.file, ": found ", settings.rotary_columns,
                                       " columns of a head to turn, expected an even number, at most ", "the head's ", head_size}));
  return settings;
}

AXIFORM_INLINE std::vector<std::size_t> read_windows(ConfigReader const& reader, std::size_t layers, std::optional<std::size_t> window,
                                                     std::size_t first, char const* key) {
  auto const types = get_or<std::vector<std::string>>(reader.config, "layer_types", {}, reader.file);
  if (types.empty() && (!window || first >= layers)) return {};
  std::vector<std::size_t> windows(layers, 0);
  if (types.empty()) {
    for (std::size_t i = first; i < layers; ++i) windows[i] = *window;
    return windows;
  }
  if (types.size() != layers)
    throw FormatError(
        detail::message({reader.file, ": layer_types: found ", types.size(), ", expected one for each of ", layers, " layers"}));
  for (std::size_t i = 0; i < layers; ++i) {
    if (types[i] == "full_attention") continue;
    if (types[i] != "sliding_attention")
      reader.refuse("layer_types", detail::in_quotes(types[i]), "\"full_attention\" or \"sliding_attention\"");
    if (!window) reader.refuse(key, "null", "a number, which layer_types asks for");
    windows[i] = *window;
  }
  return windows;
}

}  // namespace axiform::inline AXIFORM_ARCH::internal

#endif  // AXIFORM_DEFINES(models)
