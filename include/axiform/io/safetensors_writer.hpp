/// @file
/// Writes safetensors files, whole or not at all.
///
///     write_safetensors("model.safetensors", {{tensor_data("wte.weight", {2, 3}, floats)}}, {{"format", "pt"}});
///     write_safetensors("points.safetensors", {{tensor_data("points", points), tensor_data("labels", labels)}});  // typed tensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/element_type.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <string_view>

#include <axiform/core/stable_sort.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/safetensors.hpp>
#endif

namespace axiform {

/// A tensor to write: its bytes in row-major order, little-endian. Refers to them, does not own them.
struct TensorData {
  std::string name;                             ///< In the file.
  ElementType element_type = ElementType::f32;  ///< What it is made of.
  std::vector<std::size_t> shape;               ///< Empty for a scalar.
  std::span<std::byte const> bytes;             ///< As many as the shape and the type take.
};

/// An F32 tensor of values that stay where they are until it is written.
inline TensorData tensor_data(std::string name, std::vector<std::size_t> shape, std::span<float const> values) {
  return {std::move(name), ElementType::f32, std::move(shape), std::as_bytes(values)};
}

/// A typed tensor, or a view of one, whose elements stay where they are until it is written.
/// @throws ArgumentError when the rows of a view do not follow one another without gaps.
template <TensorLike T>
  requires(FileElement<std::remove_const_t<typename std::remove_cvref_t<T>::element_type>>)
TensorData tensor_data(std::string name, T&& tensor) {
  auto const view = as_view(std::forward<T>(tensor));
  if (view.rows() > 1 && view.row_stride() != view.columns())
    throw ArgumentError("a view " + view.shape().to_string() + " whose rows are " + std::to_string(view.row_stride()) +
                        " elements apart: expected rows that lie together, as a tensor's");
  return {std::move(name),
          element_type_of<std::remove_const_t<typename std::remove_cvref_t<T>::element_type>>,
          {view.lengths().begin(), view.lengths().end()},
          std::as_bytes(std::span(view.data(), view.size()))};
}

/// How tensors follow one another in a file.
enum class TensorOrder {
  by_width,  ///< Wider elements come first, so that every tensor is aligned to its element.
  given      ///< As they are given.
};

/// Writes a safetensors file atomically (see `write_file_atomically`). The first tensor begins at a multiple of 64 bytes.
/// @throws ArgumentError when a name is used twice, is `__metadata__` or is not UTF-8, or when a shape and its bytes disagree; FileError
///         when writing fails.
void write_safetensors(std::filesystem::path const& path, std::span<TensorData const> tensors,
                       std::map<std::string, std::string> const& metadata = {}, TensorOrder order = TensorOrder::by_width);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE void write_safetensors(std::filesystem::path const& path, std::span<TensorData const> tensors,
                                      std::map<std::string, std::string> const& metadata, TensorOrder given_order) {
  std::set<std::string_view> names;
  std::vector<TensorData const*> order;
  for (TensorData const& tensor : tensors) {
    std::string const name = detail::printable(tensor.name);
    if (tensor.name == "__metadata__") throw ArgumentError(detail::message({name, ": a tensor cannot have this name"}));
    if (!names.insert(tensor.name).second) throw ArgumentError(detail::message({name, ": two tensors have this name"}));
    auto const bits = detail::bits_of_shape(tensor.shape, tensor.element_type);
    if (tensor.shape.size() > detail::largest_rank || !bits || *bits % 8 != 0 || *bits / 8 != tensor.bytes.size())
      throw ArgumentError(detail::message({name, ": found ", tensor.bytes.size(), " bytes for the shape ", shape_to_string(tensor.shape),
                                           " of ", name_of(tensor.element_type)}));
    order.push_back(&tensor);
  }
  if (given_order == TensorOrder::by_width)
    detail::stable_sort(order, std::ranges::greater{}, [](TensorData const* tensor) { return bits_of(tensor->element_type); });

  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (TensorData const* tensor : order) {
    std::size_t const end = offset + tensor->bytes.size();
    header[tensor->name] = {{"dtype", name_of(tensor->element_type)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = detail::JsonWriter(-1, detail::InvalidUtf8::refused).write(header);
  } catch (FormatError const&) {
    throw ArgumentError(
        detail::message({path.string(), ": a tensor's name or the metadata is not UTF-8, as a safetensors header must be"}));
  }
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');
  if (text.size() > detail::largest_safetensors_header)
    throw ArgumentError(detail::message({path.string(), ": the header would be too large to read again"}));

  auto const length = std::bit_cast<std::array<std::byte, 8>>(static_cast<std::uint64_t>(text.size()));
  write_file_atomically(path, [&](FileWriter& file) {
    file.write(length);
    file.write(text);
    for (TensorData const* tensor : order) file.write(tensor->bytes);
  });
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
