/// @file
/// safetensors files: the header checked in full when a file is opened, tensors read from it by position.
///
///     auto const file = SafetensorsFile::open("model.safetensors");
///     if (TensorInfo const* info = file.find("wte.weight")) file.read_floats(*info, 0, floats);
///
/// The format: eight bytes with the length of the header (little-endian), the header (a JSON object), the bytes of all tensors.
/// Source: the reference implementation, github.com/huggingface/safetensors, whose rules are kept: no overlap, no hole, nothing after the
/// last tensor, no name twice.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>

namespace axiform {

/// Where a tensor is in its file, and what it is.
struct TensorInfo {
  std::string name;                             ///< In the file.
  ElementType element_type = ElementType::f32;  ///< What it is made of.
  std::vector<std::size_t> shape;               ///< Empty for a scalar.
  std::size_t begin = 0;                        ///< Of its first byte, from the beginning of the file.
  std::size_t bytes = 0;                        ///< Its size.

  /// The product of the lengths.
  std::size_t element_count() const noexcept { return bytes * 8 / bits_of(element_type); }
};

/// A safetensors file that is open for reading. Reading is const and may be done by any number of threads at once.
class SafetensorsFile {
 public:
  /// Opens a file and checks its header against its size: what `tensors()` says then lies within the file.
  /// @throws FileError when it cannot be read; FormatError, naming the file and the tensor, when its header is not what the format allows.
  static SafetensorsFile open(std::filesystem::path const& path);

  /// The path as it was given.
  std::filesystem::path const& path() const noexcept { return file_.path(); }

  /// All tensors, in the order of their names.
  std::span<TensorInfo const> tensors() const& noexcept { return tensors_; }
  void tensors() const&& = delete;  ///< The span would dangle: give the owner a name.

  /// The tensor of that name, or null. Valid for as long as this object is.
  TensorInfo const* find(std::string_view name) const noexcept;

  /// The header's `__metadata__`.
  std::map<std::string, std::string> const& metadata() const noexcept { return metadata_; }

  /// Fills `out` from the tensor's bytes, as they are in the file.
  /// @throws ArgumentError when `out` has another size than the tensor, FileError when the file has shrunk.
  void read(TensorInfo const& info, std::span<std::byte> out) const;

  /// Reads elements [first, first + out.size()) of an F32, F16, BF16 or F64 tensor: exactly, but for F64, which is rounded to nearest.
  /// @throws CheckpointError for another element type, ArgumentError for elements that the tensor does not have, FileError when the file
  ///         has shrunk.
  void read_floats(TensorInfo const& info, std::size_t first, std::span<float> out) const;

  /// As `read_floats`, exactly for all four types.
  void read_doubles(TensorInfo const& info, std::size_t first, std::span<double> out) const;

  /// Reads elements [first, first + out.size()) of a tensor of any integer type but U64, or BOOL (0 or 1).
  /// @throws As `read_floats`.
  void read_integers(TensorInfo const& info, std::size_t first, std::span<std::int64_t> out) const;

 private:
  explicit SafetensorsFile(File file) : file_(std::move(file)) {}

  [[noreturn]] void refuse(std::string const& what) const { throw FormatError(detail::message({file_.name(), ": ", what})); }
  [[noreturn]] void refuse(std::string const& tensor, std::string const& what) const {
    throw FormatError(detail::message({file_.name(), ": ", detail::printable(tensor), ": ", what}));
  }
  std::string read_header() const;
  TensorInfo checked_info(std::string const& name, Json const& entry, std::size_t data_begin) const;
  void check_layout(std::size_t data_begin) const;
  void check_range(TensorInfo const& info, std::size_t first, std::size_t count) const;
  template <class Target>
  void read_real(TensorInfo const& info, std::size_t first, std::span<Target> out) const;
  template <class Source, class Target, class Convert>
  void read_converted(TensorInfo const& info, std::size_t first, std::span<Target> out, Convert convert) const;

  File file_;
  std::vector<TensorInfo> tensors_;  // In the order of their names.
  std::map<std::string, std::string> metadata_;
};

/// A shape as messages say it: `[768, 3072]`.
inline std::string shape_to_string(std::span<std::size_t const> shape) {
  std::string result = "[";
  for (std::size_t length : shape) result += (result.size() > 1 ? ", " : "") + std::to_string(length);
  return result + "]";
}

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

inline constexpr std::size_t largest_safetensors_header = 100'000'000;  // The reference implementation's limit.
inline constexpr std::size_t largest_rank = 64;                         // PyTorch's limit.

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

inline SafetensorsFile SafetensorsFile::open(std::filesystem::path const& path) {
  static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian, and are read as they are");
  SafetensorsFile result(File::open_read(path));
  std::string const header = result.read_header();
  std::size_t const data_begin = 8 + header.size();
  std::string const name = detail::message({result.file_.name(), ": header"});
  Json const json = parse_json(header, name, {.depth = 8, .bytes = detail::largest_safetensors_header});
  for (auto const& [key, value] : json.get_ref<Json::object_t const&>()) {  // In the order of the keys.
    if (key != "__metadata__") {
      result.tensors_.push_back(result.checked_info(key, value, data_begin));
      continue;
    }
    if (!value.is_object()) result.refuse(detail::message({"__metadata__: found ", describe_json(value), ", expected an object"}));
    for (auto const& [entry, text] : value.get_ref<Json::object_t const&>())
      result.metadata_.emplace(entry, require<std::string>(value, entry, detail::message({name, ": __metadata__"})));
  }
  result.check_layout(data_begin);
  return result;
}

inline std::string SafetensorsFile::read_header() const {
  std::size_t const size = file_.size();
  if (size < 8) refuse(detail::message({"has ", size, " bytes, expected a safetensors file, which begins with 8 bytes of length"}));
  std::array<char, 8> first;
  file_.read_at(0, std::as_writable_bytes(std::span(first)));
  if (std::string_view(first.data(), first.size()) == "version ")
    refuse("is the pointer that Git LFS leaves when the file itself was not fetched, expected a safetensors file");
  auto const length = std::bit_cast<std::uint64_t>(first);
  if (length > size - 8)
    refuse(detail::message({"says that its header has ", length, " bytes, expected at most the ", size - 8,
                            " bytes that follow (the file is truncated, or is not a safetensors file)"}));
  if (length > detail::largest_safetensors_header)
    refuse(detail::message({"says that its header has ", length, " bytes, expected at most ", detail::largest_safetensors_header}));
  std::string header(static_cast<std::size_t>(length), '\0');
  file_.read_at(8, std::as_writable_bytes(std::span(header.data(), header.size())));
  if (!header.starts_with('{'))
    refuse(detail::message({"has a header that begins with ", detail::in_quotes(header.substr(0, 1)), ", expected \"{\""}));
  return header;
}

/// One tensor's entry, checked by itself: its type, its shape, and that its bytes lie in the file and are as many as the shape asks for.
inline TensorInfo SafetensorsFile::checked_info(std::string const& name, Json const& entry, std::size_t data_begin) const {
  std::string const where = detail::message({file_.name(), ": ", detail::printable(name)});
  auto const type_name = require<std::string>(entry, "dtype", where);
  auto const type = element_type_named(type_name);
  if (!type) refuse(name, detail::message({"found the element type ", detail::in_quotes(type_name), ", which safetensors does not have"}));
  if (std::size_t const rank = require_array(entry, "shape", where).size(); rank > detail::largest_rank)
    refuse(name, detail::message({"found a shape of ", rank, " lengths, expected at most ", detail::largest_rank}));
  TensorInfo info{.name = name, .element_type = *type, .shape = require<std::vector<std::size_t>>(entry, "shape", where)};
  if (std::size_t const count = require_array(entry, "data_offsets", where).size(); count != 2)
    refuse(name, detail::message({"data_offsets: found ", count, " numbers, expected 2"}));
  auto const offsets = require<std::vector<std::size_t>>(entry, "data_offsets", where);
  std::size_t const data_bytes = file_.size() - data_begin;
  std::string const range = detail::message({"[", offsets[0], ", ", offsets[1], ")"});
  if (offsets[0] > offsets[1]) refuse(name, detail::message({"found the bytes ", range, ", which end before they begin"}));
  if (offsets[1] > data_bytes)
    refuse(name, detail::message({"found the bytes ", range, ", expected them within the ", data_bytes,
                                  " bytes of data that the file has (is it truncated?)"}));
  info.begin = data_begin + offsets[0];
  info.bytes = offsets[1] - offsets[0];
  std::string const described = detail::message({"the shape ", shape_to_string(info.shape), " of ", type_name});
  auto const bits = detail::bits_of_shape(info.shape, *type);
  if (!bits) refuse(name, detail::message({"found ", described, ", which is larger than any file"}));
  if (*bits % 8 != 0) refuse(name, detail::message({"found ", described, ", which does not fill whole bytes"}));
  if (*bits / 8 != info.bytes) refuse(name, detail::message({"found ", info.bytes, " bytes, expected ", *bits / 8, " for ", described}));
  return info;
}

/// The tensors, in the order of their bytes, must follow one another without overlap or hole, from the header to the end of the file.
inline void SafetensorsFile::check_layout(std::size_t data_begin) const {
  std::size_t end = data_begin;
  std::string previous = "the header";
  std::vector<TensorInfo const*> order;
  for (TensorInfo const& info : tensors_) order.push_back(&info);
  std::sort(order.begin(), order.end(),
            [](TensorInfo const* a, TensorInfo const* b) { return std::tie(a->begin, a->bytes, a) < std::tie(b->begin, b->bytes, b); });
  for (TensorInfo const* const tensor : order) {
    TensorInfo const& info = *tensor;
    if (info.begin < end) refuse(info.name, detail::message({"its bytes overlap those of ", previous}));
    if (info.begin > end) refuse(info.name, detail::message({"its bytes leave a hole of ", info.begin - end, " after ", previous}));
    end = info.begin + info.bytes;
    previous = detail::printable(info.name);
  }
  if (end != file_.size()) refuse(detail::message({"has ", file_.size() - end, " bytes after ", previous, ", expected none"}));
}

inline TensorInfo const* SafetensorsFile::find(std::string_view name) const noexcept {
  auto const place = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                      [](TensorInfo const& info, std::string_view wanted) { return info.name < wanted; });
  return place != tensors_.end() && place->name == name ? &*place : nullptr;
}

inline void SafetensorsFile::read(TensorInfo const& info, std::span<std::byte> out) const {
  if (out.size() != info.bytes)
    throw ArgumentError(detail::message({detail::printable(info.name), ": found room for ", out.size(), " bytes, expected ", info.bytes}));
  file_.read_at(info.begin, out);
}

inline void SafetensorsFile::check_range(TensorInfo const& info, std::size_t first, std::size_t count) const {
  if (std::size_t const elements = info.element_count(); first > elements || count > elements - first)
    throw ArgumentError(detail::message(
        {detail::printable(info.name), ": asked for ", count, " elements from ", first, ", expected them within its ", elements}));
}

/// Through a buffer on the stack that stays in the first-level cache. `convert` is a lambda, not a pointer to a function: loops over
/// pointers are not vectorised.
template <class Source, class Target, class Convert>
void SafetensorsFile::read_converted(TensorInfo const& info, std::size_t first, std::span<Target> out, Convert convert) const {
  check_range(info, first, out.size());
  std::array<Source, 16384 / sizeof(Source)> buffer;
  for (std::size_t done = 0; done < out.size();) {
    std::size_t const count = std::min(buffer.size(), out.size() - done);
    file_.read_at(info.begin + (first + done) * sizeof(Source), std::as_writable_bytes(std::span(buffer.data(), count)));
    Target* const target = out.data() + done;
    for (std::size_t i = 0; i < count; ++i) target[i] = static_cast<Target>(convert(buffer[i]));
    done += count;
  }
}

template <class Target>
void SafetensorsFile::read_real(TensorInfo const& info, std::size_t first, std::span<Target> out) const {
  auto const identity = [](auto x) { return x; };
  constexpr ElementType same = std::same_as<Target, float> ? ElementType::f32 : ElementType::f64;
  if (info.element_type == same) {
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
      throw CheckpointError(detail::message({file_.name(), ": ", detail::printable(info.name), ": found the element type ",
                                             name_of(info.element_type), ", expected F32, F16, BF16 or F64"}));
  }
}

inline void SafetensorsFile::read_floats(TensorInfo const& info, std::size_t first, std::span<float> out) const {
  read_real(info, first, out);
}

inline void SafetensorsFile::read_doubles(TensorInfo const& info, std::size_t first, std::span<double> out) const {
  read_real(info, first, out);
}

inline void SafetensorsFile::read_integers(TensorInfo const& info, std::size_t first, std::span<std::int64_t> out) const {
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
      throw CheckpointError(detail::message({file_.name(), ": ", detail::printable(info.name), ": found the element type ",
                                             name_of(info.element_type), ", expected an integer type or BOOL"}));
  }
}

}  // namespace axiform
