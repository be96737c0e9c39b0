/// @file
/// A file of tensors, whatever its format: what is in it, and reading that by position. A format is a class derived from `TensorFile` whose
/// `open` finds the tensors: io/safetensors.hpp, io/torch_file.hpp, io/gguf.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/io/block_format.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <limits>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// How the elements of a tensor follow one another in its file.
enum class ElementOrder {
  rows,     ///< The last index runs fastest. All of a safetensors file.
  columns,  ///< A matrix with its first index running fastest: what PyTorch saves of a transposed view.
  strided   ///< A view of another form, which is not read.
};

/// Where a tensor is in its file, and what it is.
struct TensorInfo {
  std::string name;                              ///< In the file.
  ElementType element_type = ElementType::f32;   ///< What it is made of; F32, as which it is read, where it is packed in blocks.
  std::vector<std::size_t> shape;                ///< Empty for a scalar.
  std::size_t begin = 0;                         ///< Of its first byte, from the beginning of the file.
  std::size_t bytes = 0;                         ///< Its size.
  ElementOrder order = ElementOrder::rows;       ///< How its elements lie there.
  std::optional<BlockFormat> block_format = {};  ///< What its rows are packed in, if they are: no element has a place of its own then.
  /// Of blocks that lie in panels, as io/stored_weights.hpp says, where in the file their scales begin; `begin` is that of their numbers then. Else 0.
  std::size_t scales_begin = 0;
  /// Whether its rows are the outputs of a model's matrix, however the family's files have that.
  bool is_canonical = false;

  /// The product of the lengths.
  std::size_t element_count() const noexcept;

  /// What its elements are called in messages: "F32", "Q4_0".
  std::string type_name() const;

  /// Whether the elements are of a type, or in a block format, that `TensorFile::read_floats` reads.
  bool has_floats() const noexcept;
};

/// A file of tensors that is open for reading. Reading is const and may be done by any number of threads at once.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  /// The path as it was given.
  std::filesystem::path const& path() const noexcept { return file_.path(); }

  /// All tensors, in the order of their names.
  std::span<TensorInfo const> tensors() const& noexcept { return tensors_; }
  void tensors() const&& = delete;  ///< The span would dangle: give the owner a name.

  /// The tensor of that name, or null. Valid for as long as this object is.
  TensorInfo const* find(std::string_view name) const noexcept;

  /// Fills `out` from the tensor's bytes, as they are in the file.
  /// @throws ArgumentError when `out` has another size than the tensor, FileError when the file has shrunk, CheckpointError when the
  ///         elements do not lie there in the order of rows.
  void read(TensorInfo const& info, std::span<std::byte> out) const;

  /// Fills `out` from the tensor's bytes from `first` on, as they are in the file.
  /// @throws As `read`; ArgumentError for bytes that the tensor does not have.
  void read(TensorInfo const& info, std::size_t first, std::span<std::byte> out) const;

  /// Reads elements [first, first + out.size()), counted in the order of rows, of an F32, F16, BF16 or F64 tensor: exactly, but for F64,
  /// which is rounded to nearest. What is packed in blocks is dequantised (io/block_format.hpp).
  /// @throws CheckpointError for another element type, an unknown block format or a strided view, ArgumentError for elements that the
  ///         tensor does not have, FileError when the file has shrunk.
  void read_floats(TensorInfo const& info, std::size_t first, std::span<float> out) const;

  /// As `read_floats`, exactly for all four types; what is packed in blocks gives the same floats.
  void read_doubles(TensorInfo const& info, std::size_t first, std::span<double> out) const;

  /// Reads elements [first, first + out.size()) of a tensor of any integer type but U64, or BOOL (0 or 1).
  /// @throws As `read_floats`.
  void read_integers(TensorInfo const& info, std::size_t first, std::span<std::int64_t> out) const;

  /// The whole file as memory, where each tensor lies from its `begin` on. @throws As `File::map`, whose warning holds here.
  FileMapping map() const { return file_.map(); }
  /// The same, shared by all who ask: there where the file has weights that may be used where they lie, else null.
  std::shared_ptr<FileMapping const> const& mapping() const noexcept { return mapping_; }

 protected:
  explicit TensorFile(File file) : file_(std::move(file)) {}
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;

  [[noreturn]] void refuse(std::string const& what) const;
  [[noreturn]] void refuse(std::string_view tensor, std::string const& what) const;

  File file_;
  std::vector<TensorInfo> tensors_;  // In the order of their names.
  std::shared_ptr<FileMapping const> mapping_;

 private:
  void check_range(TensorInfo const& info, std::size_t first, std::size_t count) const;
  [[noreturn]] void refuse_order(TensorInfo const& info) const;
  [[noreturn]] void refuse_type(TensorInfo const& info, std::string_view expected) const;
  template <class Target>
  void read_real(TensorInfo const& info, std::size_t first, std::span<Target> out) const;
  template <class Target>
  void read_blocks(TensorInfo const& info, std::size_t first, std::span<Target> out) const;
  void gather_blocks(TensorInfo const& info, std::size_t first, std::span<std::byte> blocks) const;
  template <class Source, class Target, class Convert>
  void read_converted(TensorInfo const& info, std::size_t first, std::span<Target> out, Convert convert) const;
  template <class Source, class Take>
  void read_run(std::size_t offset, std::size_t count, Take take) const;
};

/// A shape as messages say it: `[768, 3072]`.
std::string shape_to_string(std::span<std::size_t const> shape);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE std::string shape_to_string(std::span<std::size_t const> shape) {
  std::string result = "[";
  for (std::size_t length : shape) result += (result.size() > 1 ? ", " : "") + std::to_string(length);
  return result + "]";
}

namespace detail {

inline constexpr std::size_t largest_rank = 64;  // PyTorch's limit.

/// a * b unless it overflows.
constexpr std::optional<std::size_t> checked_product(std::size_t a, std::size_t b) noexcept {
  if (a != 0 && b > std::numeric_limits<std::size_t>::max() / a) return std::nullopt;
  return a * b;
}

/// Bits of a tensor, unless the number overflows. Lengths of zero do not hide that the others overflow.
inline std::optional<std::size_t> bits_of_shape(std::span<std::size_t const> shape, ElementType type) noexcept {
  std::size_t bits = bits_of(type);
  bool is_empty = false;
  for (std::size_t length : shape) {
    is_empty |= length == 0;
    auto const product = checked_product(bits, std::max<std::size_t>(length, 1));
    if (!product) return std::nullopt;
    bits = *product;
  }
  return is_empty ? 0 : bits;
}

}  // namespace detail

AXIFORM_INLINE std::size_t TensorInfo::element_count() const noexcept {
  std::size_t count = 1;
  for (std::size_t const length : shape) count *= length;
  return count;
}

AXIFORM_INLINE std::string TensorInfo::type_name() const {
  return block_format ? name_of(*block_format) : std::string(name_of(element_type));
}

AXIFORM_INLINE bool TensorInfo::has_floats() const noexcept {
  return block_format ? block_size(*block_format).has_value() : is_floating_point(element_type);
}

AXIFORM_INLINE void TensorFile::refuse(std::string const& what) const { throw FormatError(detail::message({file_.name(), ": ", what})); }
AXIFORM_INLINE void TensorFile::refuse(std::string_view tensor, std::string const& what) const {
  throw FormatError(detail::message({file_.name(), ": ", detail::printable(tensor), ": ", what}));
}

AXIFORM_INLINE TensorInfo const* TensorFile::find(std::string_view name) const noexcept {
  auto const place = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](TensorInfo const& info, std::string_view wanted) { return info.name < wanted; });
  return place != tensors_.end() && place->name == name ? &*place : nullptr;
}

AXIFORM_INLINE void TensorFile::refuse_order(TensorInfo const& info) const {
  throw CheckpointError(detail::message({file_.name(), ": ", detail::printable(info.name), ": found a view whose elements do not lie ",
                                         "together, expected a contiguous tensor (PyTorch's `contiguous()` makes one)"}));
}

AXIFORM_INLINE void TensorFile::refuse_type(TensorInfo const& info, std::string_view expected) const {
  throw CheckpointError(detail::message(
      {file_.name(), ": ", detail::printable(info.name), ": found the element type ", info.type_name(), ", expected ", expected}));
}

AXIFORM_INLINE void TensorFile::read(TensorInfo const& info, std::span<std::byte> out) const {
  if (out.size() != info.bytes)
    throw ArgumentError(detail::message({detail::printable(info.name), ": found room for ", out.size(), " bytes, expected ", info.bytes}));
  read(info, 0, out);
}

AXIFORM_INLINE void TensorFile::read(TensorInfo const& info, std::size_t first, std::span<std::byte> out) const {
  if (first > info.bytes || out.size() > info.bytes - first)
    throw ArgumentError(detail::message(
        {detail::printable(info.name), ": asked for ", out.size(), " bytes from ", first, ", expected them within its ", info.bytes}));
  if (info.order != ElementOrder::rows) refuse_order(info);
  if (info.scales_begin == 0) return file_.read_at(info.begin + first, out);
  std::size_t const bytes = block_size(*info.block_format)->bytes;
  if (first % bytes != 0 || out.size() % bytes != 0)
    throw ArgumentError(detail::message(
        {detail::printable(info.name), ": asked for ", out.size(), " bytes from ", first, ", expected whole blocks of ", bytes}));
  gather_blocks(info, first / bytes, out);
}

/// Blocks from `first` on, counted in the order of rows, of a tensor whose blocks lie in panels of 16 rows (core/block_panels.hpp).
AXIFORM_INLINE void TensorFile::gather_blocks(TensorInfo const& info, std::size_t first, std::span<std::byte> blocks) const {
  WeightFormat const format = *weight_format_of(*info.block_format);
  std::size_t const bytes = parts_of_block(format).bytes(), row_blocks = info.shape[1] / weights_of_block(format);
  std::byte const* const file = mapping_->bytes().data();
  for (std::size_t block = first, at = 0; at < blocks.size(); at += bytes, ++block)
    unpack_blocks(format, {file + info.begin, file + info.scales_begin, row_blocks}, block / row_blocks, block % row_blocks, 1,
                  blocks.data() + at);
}

AXIFORM_INLINE void TensorFile::check_range(TensorInfo const& info, std::size_t first, std::size_t count) const {
  if (std::size_t const elements = info.element_count(); first > elements || count > elements - first)
    throw ArgumentError(detail::message(
        {detail::printable(info.name), ": asked for ", count, " elements from ", first, ", expected them within its ", elements}));
  if (info.order == ElementOrder::strided) refuse_order(info);
}

/// `take(i, element)` for each of `count` elements that lie together, through a buffer on the stack that stays in the first-level cache.
template <class Source, class Take>
void TensorFile::read_run(std::size_t offset, std::size_t count, Take take) const {
  std::array<Source, 16384 / sizeof(Source)> buffer;
  for (std::size_t done = 0; done < count;) {
    std::size_t const size = std::min(buffer.size(), count - done);
    file_.read_at(offset + done * sizeof(Source), std::as_writable_bytes(std::span(buffer.data(), size)));
    for (std::size_t i = 0; i < size; ++i) take(done + i, buffer[i]);
    done += size;
  }
}

/// `convert` is a lambda, not a pointer to a function: loops over pointers are not vectorised.
template <class Source, class Target, class Convert>
void TensorFile::read_converted(TensorInfo const& info, std::size_t first, std::span<Target> out, Convert convert) const {
  check_range(info, first, out.size());
  Target* const target = out.data();
  if (info.order == ElementOrder::rows)
    return read_run<Source>(info.begin + first * sizeof(Source), out.size(),
                            [=](std::size_t i, Source x) { target[i] = static_cast<Target>(convert(x)); });
  std::size_t const rows = info.shape[0], columns = info.shape[1];
  // The rows of a column whose elements are among the first `count` of the tensor: those of the range lie together.
  auto const rows_before = [=](std::size_t count, std::size_t column) { return count > column ? (count - column - 1) / columns + 1 : 0; };
  for (std::size_t column = 0; column < columns; ++column) {
    std::size_t const begin = rows_before(first, column), end = rows_before(first + out.size(), column);
    read_run<Source>(info.begin + (column * rows + begin) * sizeof(Source), end - begin,
                     [=](std::size_t i, Source x) { target[(begin + i) * columns + column - first] = static_cast<Target>(convert(x)); });
  }
}

/// Through a buffer, as a range of elements may begin and end within blocks.
template <class Target>
void TensorFile::read_blocks(TensorInfo const& info, std::size_t first, std::span<Target> out) const {
  auto const size = block_size(*info.block_format);
  if (!size) refuse_type(info, detail::message({"F32, F16, BF16, F64 or one of ", detail::names_of_block_formats()}));
  check_range(info, first, out.size());
  std::array<float, 4096> floats;
  std::array<std::byte, 2 * floats.size()> bytes;  // More than any format takes.
  for (std::size_t done = 0; done < out.size();) {
    std::size_t const block = (first + done) / size->elements, skipped = (first + done) % size->elements;
    std::size_t const count = std::min(floats.size() - skipped, out.size() - done);
    std::size_t const blocks = (skipped + count + size->elements - 1) / size->elements;
    auto const packed = std::span(bytes).first(blocks * size->bytes);
    if (info.scales_begin == 0) {
      file_.read_at(info.begin + block * size->bytes, packed);
    } else {
      gather_blocks(info, block, packed);
    }
    dequantize(*info.block_format, packed, std::span(floats).first(blocks * size->elements));
    Target* const target = out.data() + done;
    for (std::size_t i = 0; i < count; ++i) target[i] = static_cast<Target>(floats[skipped + i]);
    done += count;
  }
}

template <class Target>
void TensorFile::read_real(TensorInfo const& info, std::size_t first, std::span<Target> out) const {
  if (info.block_format) return read_blocks(info, first, out);
  auto const identity = [](auto x) { return x; };
  constexpr ElementType same = std::same_as<Target, float> ? ElementType::f32 : ElementType::f64;
  if (info.element_type == same && info.order == ElementOrder::rows) {
    check_range(info, first, out.size());
    return file_.read_at(info.begin + first * sizeof(Target), std::as_writable_bytes(out));
  }
  switch (info.element_type) {
    case ElementType::f64:
      return read_converted<double>(info, first, out, identity);
    case ElementType::f32:
      return read_converted<float>(info, first, out, identity);
    case ElementType::f16:
      return read_converted<std::uint16_t>(info, first, out, [](std::uint16_t x) { return float_from_half(x); });
    case ElementType::bf16:
      return read_converted<std::uint16_t>(info, first, out, [](std::uint16_t x) { return float_from_bfloat16(x); });
    default:
      refuse_type(info, "F32, F16, BF16 or F64");
  }
}

AXIFORM_INLINE void TensorFile::read_floats(TensorInfo const& info, std::size_t first, std::span<float> out) const {
  read_real(info, first, out);
}

AXIFORM_INLINE void TensorFile::read_doubles(TensorInfo const& info, std::size_t first, std::span<double> out) const {
  read_real(info, first, out);
}

AXIFORM_INLINE void TensorFile::read_integers(TensorInfo const& info, std::size_t first, std::span<std::int64_t> out) const {
  auto const identity = [](auto x) { return x; };
  switch (info.element_type) {
    case ElementType::i64:
      return read_converted<std::int64_t>(info, first, out, identity);
    case ElementType::i32:
      return read_converted<std::int32_t>(info, first, out, identity);
    case ElementType::u32:
      return read_converted<std::uint32_t>(info, first, out, identity);
    case ElementType::i16:
      return read_converted<std::int16_t>(info, first, out, identity);
    case ElementType::u16:
      return read_converted<std::uint16_t>(info, first, out, identity);
    case ElementType::i8:
      return read_converted<std::int8_t>(info, first, out, identity);
    case ElementType::u8:
      return read_converted<std::uint8_t>(info, first, out, identity);
    case ElementType::boolean:
      return read_converted<std::uint8_t>(info, first, out, [](std::uint8_t x) { return x != 0; });
    default:
      refuse_type(info, "an integer type or BOOL");
  }
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
