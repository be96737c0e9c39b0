/// @file
/// safetensors files: the header is checked in full when a file is opened.
///
///     auto const file = SafetensorsFile::open("model.safetensors");
///     if (TensorInfo const* info = file.find("wte.weight")) file.read_floats(*info, 0, floats);
///
/// The format: eight bytes with the length of the header (little-endian), the header (a JSON object), the bytes of all tensors.
/// Source: the reference implementation, github.com/huggingface/safetensors, whose rules are kept: no overlap, no hole, nothing after the
/// last tensor, no name twice.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/weight_format.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/stored_weights.hpp>
#include <axiform/io/tensor_file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <tuple>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// A safetensors file that is open for reading.
class SafetensorsFile : public TensorFile {
 public:
  /// Opens a file and checks its header against its size: what `tensors()` says then lies within the file.
  /// @throws FileError when it cannot be read; FormatError, naming the file and the tensor, when its header is not what the format allows.
  static SafetensorsFile open(std::filesystem::path const& path);
  /// The same of weights that were prepared in a format of blocks (io/stored_weights.hpp): what a matrix or a table is kept in becomes one tensor in
  /// blocks again, under its own name, and the file is mapped.
  /// @throws As above; FormatError, naming the tensor, when parts are missing, or have another type or shape than the format's.
  static SafetensorsFile open_stored(std::filesystem::path const& path, WeightFormat format);

  /// The header's `__metadata__`.
  std::map<std::string, std::string> const& metadata() const noexcept { return metadata_; }

 private:
  explicit SafetensorsFile(File file) : TensorFile(std::move(file)) {}

  std::string read_header() const;
  TensorInfo checked_info(std::string const& name, Json const& entry, std::size_t data_begin) const;
  void check_layout(std::size_t data_begin) const;
  TensorInfo joined(TensorInfo const& numbers, std::string const& name, WeightFormat format) const;
  TensorInfo rows_in_blocks(TensorInfo const& blocks, std::string const& name, WeightFormat format) const;
  void require_part(TensorInfo const& part, StoredTensor const& expected) const;

  std::map<std::string, std::string> metadata_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr std::size_t largest_safetensors_header = 100'000'000;  // The reference implementation's limit.

}  // namespace detail

AXIFORM_INLINE SafetensorsFile SafetensorsFile::open(std::filesystem::path const& path) {
  static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian, and are read as they are");
  SafetensorsFile result(File::open_read(path));
  std::string const header = result.read_header();
  std::size_t const data_begin = 8 + header.size();
  std::string const name = detail::message({result.file_.name(), ": header"});
  Json const json = parse_json(header, name, {.depth = 8, .bytes = detail::largest_safetensors_header});
  for (auto const& [key, value] : json.items()) {  // In the order of the keys.
    if (key != "__metadata__") {
      result.tensors_.push_back(result.checked_info(key, value, data_begin));
      continue;
    }
    if (!value.is_object()) result.refuse(detail::message({"__metadata__: found ", describe_json(value), ", expected an object"}));
    for (auto const& [entry, text] : value.items())
      result.metadata_.emplace(entry, require<std::string>(value, entry, detail::message({name, ": __metadata__"})));
  }
  result.check_layout(data_begin);
  return result;
}

AXIFORM_INLINE std::string SafetensorsFile::read_header() const {
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
AXIFORM_INLINE TensorInfo SafetensorsFile::checked_info(std::string const& name, Json const& entry, std::size_t data_begin) const {
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
AXIFORM_INLINE void SafetensorsFile::check_layout(std::size_t data_begin) const {
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

AXIFORM_INLINE SafetensorsFile SafetensorsFile::open_stored(std::filesystem::path const& path, WeightFormat format) {
  SafetensorsFile result = open(path);
  std::vector<TensorInfo> tensors;
  for (TensorInfo const& info : result.tensors_) {
    auto const without = [&](std::string_view ending) {  // the name of what it is a part of
      return info.name.ends_with(ending) ? info.name.substr(0, info.name.size() - ending.size()) : std::string();
    };
    auto const expect = [&](std::string const& whole, char const* ending) {
      if (result.find(whole + ending) == nullptr)
        result.refuse(info.name, detail::message({"found no ", detail::in_quotes(whole + ending), " beside it"}));
    };
    if (auto const whole = without(".numbers"); !whole.empty()) {
      for (char const* part : {".scales", ".shape"}) expect(whole, part);
      tensors.push_back(result.joined(info, whole, format));
    } else if (auto const table = without(".blocks"); !table.empty()) {
      tensors.push_back(result.rows_in_blocks(info, table, format));
    } else if (auto const scaled = without(".scales"); !scaled.empty()) {
      expect(scaled, ".numbers");
    } else if (auto const shaped = without(".shape"); !shaped.empty()) {
      expect(shaped, ".numbers");
    } else {
      tensors.push_back(info);
    }
  }
  std::ranges::sort(tensors, {}, &TensorInfo::name);
  auto const twice = std::ranges::adjacent_find(tensors, {}, &TensorInfo::name);
  if (twice != tensors.end()) result.refuse(twice->name, "is there twice, in different formats");
  result.tensors_ = std::move(tensors);
  result.mapping_ = std::make_shared<FileMapping const>(result.file_.map());
  return result;
}

AXIFORM_INLINE void SafetensorsFile::require_part(TensorInfo const& part, StoredTensor const& expected) const {
  if (part.element_type == expected.type && part.shape == expected.shape) return;
  refuse(part.name, detail::message({"found the shape ", shape_to_string(part.shape), " of ", part.type_name(), ", expected ",
                                     shape_to_string(expected.shape), " of ", name_of(expected.type)}));
}

/// A matrix whose blocks lie in panels.
AXIFORM_INLINE TensorInfo SafetensorsFile::joined(TensorInfo const& numbers, std::string const& name, WeightFormat format) const {
  TensorInfo const &scales = *find(name + ".scales"), &shape = *find(name + ".shape");
  require_part(shape, {ElementType::i64, {2}});
  std::array<std::int64_t, 2> lengths;
  read_integers(shape, 0, lengths);
  auto const [outputs, inputs] = lengths;
  constexpr std::int64_t most = std::int64_t{1} << 40;  // so that nothing overflows
  if (outputs <= 0 || outputs > most || inputs <= 0 || inputs > most || inputs % static_cast<std::int64_t>(weights_of_group) != 0)
    refuse(shape.name, detail::message({"found the lengths ", std::to_string(outputs), " and ", std::to_string(inputs),
                                        ", expected outputs, and inputs in whole blocks of ", weights_of_group}));
  auto const rows = static_cast<std::size_t>(outputs), columns = static_cast<std::size_t>(inputs);
  format = format_of_rows(format, columns);
  require_part(numbers, stored_numbers(format, rows, columns));
  require_part(scales, stored_scales(format, rows, columns));
  return {.name = name,
          .shape = {rows, columns},
          .begin = numbers.begin,
          .bytes = bytes_of(format, rows * columns),
          .block_format = block_format_of(format),
          .scales_begin = scales.begin,
          .is_canonical = true};
}

/// A table, row by row.
AXIFORM_INLINE TensorInfo SafetensorsFile::rows_in_blocks(TensorInfo const& blocks, std::string const& name, WeightFormat format) const {
  auto shape = blocks.shape;
  if (format == WeightFormat::q4_k && shape.size() == 3) {
    if (shape[2] == parts_of_block(WeightFormat::q4_1).bytes()) format = WeightFormat::q4_1;
    if (shape[2] == parts_of_block(format).bytes()) shape = {shape[0], shape[1] * shape[2]};
  }
  std::size_t const bytes = parts_of_block(format).bytes();
  if (blocks.element_type != ElementType::u8 || shape.size() != 2 || shape[1] % bytes != 0 || blocks.bytes == 0)
    refuse(blocks.name, detail::message({"found the shape ", shape_to_string(blocks.shape), " of ", blocks.type_name(),
                                         ", expected rows of U8, in blocks of ", bytes, " bytes"}));
  TensorInfo info = blocks;
  info.shape = {shape[0], shape[1] / bytes * weights_of_block(format)};
  info.name = name;
  info.element_type = ElementType::f32;
  info.block_format = block_format_of(format);
  info.is_canonical = true;
  return info;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
