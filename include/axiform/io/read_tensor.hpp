/// @file
/// Reads one tensor of a file as a tensor whose axes are in the type.
///
///     auto const file = SafetensorsFile::open("model.safetensors");
///     auto const embeddings = read_tensor<float, axes::VocabularyEntries, Const<768>>(file, "wte.weight");
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <axiform/core/half.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/shape_check.hpp>
#include <axiform/io/tensor_file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

namespace detail {

/// @throws CheckpointError when the file has no tensor of that name.
TensorInfo const& required_tensor(TensorFile const& file, std::string_view name);
/// Where the messages of a tensor say that it is.
std::string where_of(TensorFile const& file, TensorInfo const& info);

// The first elements of a tensor. Into no room they read none, and refuse what cannot be read.
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<float> out);
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<double> out);
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<std::int64_t> out);
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<std::int32_t> out);
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<bool> out);
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<Float16> out);
void read_elements(TensorFile const& file, TensorInfo const& info, std::span<BFloat16> out);

}  // namespace detail

/// The tensor of that name in a safetensors file, or another `TensorFile`.
///
/// Its elements are converted where a float, a double or an int64_t is read (as `read_floats`, `read_doubles` and `read_integers` do), or an
/// int32_t of narrower integers; otherwise they have the type that is asked for.
/// @throws CheckpointError when there is no such tensor, or its elements have another type or do not lie together; ShapeError, with the
///         file, both shapes and the axis, when it has other axes; FileError when the file has shrunk.
template <FileElement Element, Axis... Axes>
Tensor<Element, Axes...> read_tensor(TensorFile const& file, std::string_view name) {
  TensorInfo const& info = detail::required_tensor(file, name);
  auto const shape = detail::checked_shape<Axes...>(detail::where_of(file, info), info.shape);
  detail::read_elements(file, info, std::span<Element>());  // Memory is taken for what can be read.
  Tensor<Element, Axes...> result(shape);
  detail::read_elements(file, info, result.elements());
  return result;
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

AXIFORM_INLINE TensorInfo const& required_tensor(TensorFile const& file, std::string_view name) {
  TensorInfo const* const info = file.find(name);
  if (info == nullptr) throw CheckpointError(message({file.path().string(), ": has no tensor ", in_quotes(name)}));
  return *info;
}

AXIFORM_INLINE std::string where_of(TensorFile const& file, TensorInfo const& info) {
  return message({file.path().string(), ": ", printable(info.name)});
}

/// @throws CheckpointError when the tensor's elements have none of these types.
inline void require_type(TensorFile const& file, TensorInfo const& info, std::initializer_list<ElementType> types) {
  if (!info.block_format && std::ranges::find(types, info.element_type) != types.end()) return;
  std::string expected;
  for (ElementType const type : types) expected += message({expected.empty() ? "" : " or ", name_of(type)});
  throw CheckpointError(message({where_of(file, info), ": found the element type ", info.type_name(), ", expected ", expected}));
}

/// Integers whose type says that they fit `Target`.
template <class Target>
void read_narrow(TensorFile const& file, TensorInfo const& info, std::span<Target> out) {
  std::array<std::int64_t, 1024> buffer;
  std::size_t done = 0;
  do {  // Once for no room, too.
    auto const part = std::span(buffer).first(std::min(buffer.size(), out.size() - done));
    file.read_integers(info, done, part);
    std::ranges::transform(part, out.begin() + static_cast<std::ptrdiff_t>(done), [](std::int64_t x) { return static_cast<Target>(x); });
    done += part.size();
  } while (done < out.size());
}

/// Two bytes as they are in the file, which must lie in the order of rows.
template <class Half>
void read_halves(TensorFile const& file, TensorInfo const& info, std::span<Half> out) {
  require_type(file, info, {element_type_of<Half>});
  if (!out.empty() || info.bytes == 0) return file.read(info, std::as_writable_bytes(out));
  file.read_floats(info, 0, {});  // Refuses a strided view.
}

AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<float> out) { file.read_floats(info, 0, out); }
AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<double> out) {
  file.read_doubles(info, 0, out);
}
AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<std::int64_t> out) {
  file.read_integers(info, 0, out);
}
AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<std::int32_t> out) {
  using enum ElementType;
  require_type(file, info, {i32, i16, i8, u16, u8});
  read_narrow(file, info, out);
}
AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<bool> out) {
  require_type(file, info, {ElementType::boolean});
  read_narrow(file, info, out);
}
AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<Float16> out) { read_halves(file, info, out); }
AXIFORM_INLINE void read_elements(TensorFile const& file, TensorInfo const& info, std::span<BFloat16> out) { read_halves(file, info, out); }

}  // namespace detail

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
