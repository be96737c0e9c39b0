/// @file
/// What a checkpoint that was prepared (`axiform quantize`) says of the format of its weights, in its config.json.
///
/// Of blocks: `"quantization_config": {"quant_method": "axiform", "weights": "q8_0", "group_size": 32, "panel_outputs": 16}`. Their `model.q8_0.safetensors` has
/// instead of a matrix `X` the tensors `X.numbers`, `X.scales` and `X.shape`, as a product streams them (core/block_panels.hpp), or, of a table whose rows
/// are looked up, `X.blocks`, rows as GGUF files have them (core/weight_blocks.hpp). A file in q4_k has rows that do not
/// come out even in q4_1; there `X.blocks` is [rows, blocks, bytes of a block], which says in what a table is. Of bf16 and f16, which are tensors like any: `"axiform_weights": "bf16"`.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/json_value.hpp>
#include <axiform/io/model_directory.hpp>

#if AXIFORM_DEFINES(io)
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// Outputs of a panel in such a file, on every machine.
inline constexpr std::size_t stored_panel_outputs = block_panel_rows;

/// What a tensor of such a file is: its elements and their shape.
struct StoredTensor {
  ElementType type;                ///< Of its elements.
  std::vector<std::size_t> shape;  ///< The last is `stored_panel_outputs`.
};

/// The numbers of a matrix [outputs, inputs]: U32 `[panels, groups, words, 16]`. @pre The format is one of blocks, and inputs come out even.
StoredTensor stored_numbers(WeightFormat format, std::size_t outputs, std::size_t inputs);
/// Its scales: F16 `[panels, groups, 16]`, of q4_1 `[panels, groups, 2, 16]` with the minima. Of q4_k U32 `[panels, blocks, 4, 16]`: the first 16 words are 32
/// halves, as core/block_panels.hpp has them.
StoredTensor stored_scales(WeightFormat format, std::size_t outputs, std::size_t inputs);

/// The format that the weights of a directory were prepared in; nothing where config.json says none, or is not there.
/// @throws FormatError or CheckpointError when it says so in a way that is not understood: another size of groups, an unknown format.
std::optional<WeightFormat> stored_weight_format(ModelDirectory const& directory);

/// Adds to a config what `stored_weight_format` reads, and takes out what it says of another format.
void set_stored_weight_format(Json& config, WeightFormat format);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr char const *stored_blocks_key = "quantization_config", *stored_method = "axiform", *stored_floats_key = "axiform_weights";

/// Whether a `quantization_config` is of this library.
inline bool is_stored_note(Json const& note) {
  Json const* const method = note.is_object() ? note.find("quant_method") : nullptr;
  return method != nullptr && method->is_string() && method->text() == stored_method;
}

inline WeightFormat require_stored_format(Json const& config, char const* key, bool in_blocks, std::string const& where) {
  auto const name = require<std::string>(config, key, where);
  auto const format = weight_format_named(name);
  if (!format || is_in_blocks(*format) != in_blocks)
    throw CheckpointError(message(
        {where, ": ", key, ": found ", in_quotes(name), ", expected ", in_blocks ? "q8_0, q4_0, q4_1 or q4_k" : "f32, bf16 or f16"}));
  return *format;
}

}  // namespace detail

AXIFORM_INLINE StoredTensor stored_numbers(WeightFormat format, std::size_t outputs, std::size_t inputs) {
  std::size_t const panels = (outputs + stored_panel_outputs - 1) / stored_panel_outputs, groups = inputs / weights_of_group;
  std::size_t const words = parts_of_block(format).number_words * weights_of_group / weights_of_block(format);
  return {ElementType::u32, {panels, groups, words, stored_panel_outputs}};
}

AXIFORM_INLINE StoredTensor stored_scales(WeightFormat format, std::size_t outputs, std::size_t inputs) {
  std::size_t const panels = (outputs + stored_panel_outputs - 1) / stored_panel_outputs, blocks = inputs / weights_of_block(format);
  BlockParts const parts = parts_of_block(format);
  if (parts.scale_words != 0) return {ElementType::u32, {panels, blocks, parts.halves / 2 + parts.scale_words, stored_panel_outputs}};
  if (parts.halves == 1) return {ElementType::f16, {panels, blocks, stored_panel_outputs}};
  return {ElementType::f16, {panels, blocks, parts.halves, stored_panel_outputs}};
}

AXIFORM_INLINE std::optional<WeightFormat> stored_weight_format(ModelDirectory const& directory) {
  if (!directory.has("config.json")) return std::nullopt;
  std::string const file = (directory / "config.json").string();
  Json const& config = directory.json("config.json");
  if (!config.is_object()) return std::nullopt;  // whoever reads the sizes refuses it
  if (config.contains(detail::stored_floats_key)) return detail::require_stored_format(config, detail::stored_floats_key, false, file);
  Json const* const found_note = config.find(detail::stored_blocks_key);
  if (found_note == nullptr || !detail::is_stored_note(*found_note)) return std::nullopt;
  Json const& note = *found_note;
  std::string const where = detail::message({file, ": ", detail::stored_blocks_key});
  auto const expect = [&](char const* key, std::size_t expected) {
    auto const found = require<std::size_t>(note, key, where);
    if (found != expected) throw CheckpointError(detail::message({where, ": ", key, ": found ", found, ", expected ", expected}));
  };
  expect("group_size", weights_of_group);
  expect("panel_outputs", stored_panel_outputs);
  return detail::require_stored_format(note, "weights", true, where);
}

AXIFORM_INLINE void set_stored_weight_format(Json& config, WeightFormat format) {
  for (char const* key : {detail::stored_blocks_key, detail::stored_floats_key, "dtype", "torch_dtype"})
    if (config.contains(key)) config.erase(key);
  if (is_in_blocks(format)) {
    config[detail::stored_blocks_key] = {{"quant_method", detail::stored_method},
                                         {"weights", std::string(name_of(format))},
                                         {"group_size", weights_of_group},
                                         {"panel_outputs", stored_panel_outputs}};
    return;
  }
  config[detail::stored_floats_key] = std::string(name_of(format));
  config["torch_dtype"] = format == WeightFormat::bf16 ? "bfloat16" : format == WeightFormat::f16 ? "float16" : "float32";
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
