/// @file
/// NumPy's `.npy` files: one array each, read as a tensor whose axes are in the type, and written as `np.save` writes it.
///
///     auto const points = read_npy<float, axes::Tokens, Const<64>>("points.npy");   // np.save("points.npy", points)
///     write_npy("doubled.npy", points * 2.0f);                                      // np.load("doubled.npy")
///
/// The format: magic and version, the length of the header, the header (a Python dict: type, order and shape), the elements.
/// Source: NumPy's numpy/lib/_format_impl.py, versions 1.0, 2.0 and 3.0.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/function_ref.hpp>
#include <axiform/core/half.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/shape_check.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/tensor_file.hpp>
#endif

namespace axiform {

namespace detail {

/// An array in a file: its header, checked against the bytes that are there, and against what it is to be read as.
struct NpyArray {
  std::string where;  // What messages begin with: the file and, in an archive, the record.
  ElementType element_type = ElementType::f32;
  bool is_big_endian = false;
  bool is_fortran = false;  // The first index runs fastest.
  std::vector<std::size_t> shape;
  std::size_t begin = 0;  // Of its first element in the file.
};

/// Reads the header of the array that the bytes [begin, begin + size) of a file are.
NpyArray find_npy_array(File const& file, std::string where, std::size_t begin, std::size_t size, ElementType wanted);
/// Fills `out`, the memory of a tensor of the array's shape.
void read_npy_elements(File const& file, NpyArray const& array, ElementType wanted, std::span<std::byte> out);

template <class Element>
constexpr void check_npy_element() {
  static_assert(!std::is_same_v<Element, BFloat16>, "NumPy has no bfloat16: use float, which holds each of its values");
  static_assert(FileElement<Element>, "arrays of bool, float, double, std::int32_t, std::int64_t and Float16 are read and written");
}

template <class Element, Axis... Axes>
Tensor<Element, Axes...> read_npy_tensor(File const& file, std::string where, std::size_t begin, std::size_t size) {
  constexpr ElementType wanted = element_type_of<Element>;
  NpyArray const array = find_npy_array(file, std::move(where), begin, size, wanted);
  Tensor<Element, Axes...> result(checked_shape<Axes...>(array.where, array.shape));
  read_npy_elements(file, array, wanted, std::as_writable_bytes(result.elements()));
  return result;
}

/// An array to write: rows of memory. Refers to them, does not own them.
struct NpyData {
  ElementType element_type = ElementType::f32;
  std::vector<std::size_t> shape;
  std::byte const* data = nullptr;
  std::size_t rows = 0;
  std::size_t row_bytes = 0;
  std::size_t row_stride = 0;  // In bytes.
};

template <class Element, Axis... Axes>
NpyData npy_data(TensorView<Element const, Axes...> view) {
  check_npy_element<Element>();
  return {.element_type = element_type_of<Element>,
          .shape = {view.lengths().begin(), view.lengths().end()},
          .data = reinterpret_cast<std::byte const*>(view.data()),
          .rows = view.rows(),
          .row_bytes = view.columns() * sizeof(Element),
          .row_stride = view.row_stride() * sizeof(Element)};
}

/// Gives the bytes of the array's file to `take`, one piece after another.
void for_each_npy_piece(NpyData const& data, FunctionRef<void(std::span<std::byte const>)> take);
void write_npy_data(std::filesystem::path const& path, NpyData const& data);

}  // namespace detail

/// The array in a `.npy` file, in the order of C or of Fortran and with either order of bytes.
///
/// Its type is that of the elements or one whose every value they hold: float16 and float32 for float, those and float64 for double, int8,
/// int16, uint8 and uint16 for int32_t, those, int32 and uint32 for int64_t.
///
/// @throws FileError when the file cannot be read; FormatError when it is not a `.npy` file, ends too early or goes on after the array;
///         CheckpointError when the array has another type; ShapeError, with both shapes and the axis, when it has another shape. All name the file.
template <class Element, Axis... Axes>
Tensor<Element, Axes...> read_npy(std::filesystem::path const& path) {
  detail::check_npy_element<Element>();
  File const file = File::open_read(path);
  return detail::read_npy_tensor<Element, Axes...>(file, file.name(), 0, file.size());
}

/// Writes a tensor, or a view of one, as `np.save` does: version 1.0, the last index running fastest. Atomically: see `write_file_atomically`.
/// @throws FileError when writing fails.
template <TensorLike T>
void write_npy(std::filesystem::path const& path, T const& tensor) {
  detail::write_npy_data(path, detail::npy_data(as_view(tensor)));
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr std::string_view npy_magic = "\x93NUMPY";
inline constexpr std::size_t largest_npy_header = std::size_t{1} << 20;  // Those of arrays of numbers have some 100 bytes.

/// A type of elements as a header says it, but for the order of bytes.
struct NpyType {
  ElementType type;
  std::string_view code;
};
inline constexpr std::array<NpyType, 11> npy_types{{{ElementType::boolean, "b1"},
                                                    {ElementType::i8, "i1"},
                                                    {ElementType::u8, "u1"},
                                                    {ElementType::i16, "i2"},
                                                    {ElementType::u16, "u2"},
                                                    {ElementType::f16, "f2"},
                                                    {ElementType::i32, "i4"},
                                                    {ElementType::u32, "u4"},
                                                    {ElementType::f32, "f4"},
                                                    {ElementType::i64, "i8"},
                                                    {ElementType::f64, "f8"}}};

/// What NumPy calls the type in the order of bytes of this machine: "<f4", "|b1".
inline std::string npy_type_name(ElementType type) {
  auto const& known = *std::ranges::find(npy_types, type, &NpyType::type);
  return message({bits_of(type) == 8 ? "|" : "<", known.code});
}

/// From the type in a file to that in memory.
struct NpyConversion {
  ElementType from, to;
  /// @param step From one element of `target` to the next.
  void (*convert)(std::byte const* source, std::size_t count, std::byte* target, std::size_t step);
};

template <class Source, class Target>
void convert_npy_elements(std::byte const* source, std::size_t count, std::byte* target, std::size_t step) {
  for (std::size_t i = 0; i < count; ++i) {
    Source value;
    std::memcpy(&value, source + i * sizeof(Source), sizeof(Source));
    Target const converted = static_cast<Target>(value);
    std::memcpy(target + i * step * sizeof(Target), &converted, sizeof(Target));
  }
}

/// Each without loss. The type itself comes first; what comes after it is said in messages in this order.
inline constexpr auto npy_conversions = [] {
  using enum ElementType;
  return std::to_array<NpyConversion>({
      {boolean, boolean, &convert_npy_elements<std::uint8_t, bool>},  // Any byte but 0 is true.
      {f16, f16, &convert_npy_elements<std::uint16_t, std::uint16_t>},
      {f32, f32, &convert_npy_elements<std::uint32_t, std::uint32_t>},
      {f16, f32, &convert_npy_elements<Float16, float>},
      {f64, f64, &convert_npy_elements<std::uint64_t, std::uint64_t>},
      {f32, f64, &convert_npy_elements<float, double>},
      {f16, f64, &convert_npy_elements<Float16, double>},
      {i32, i32, &convert_npy_elements<std::int32_t, std::int32_t>},
      {i16, i32, &convert_npy_elements<std::int16_t, std::int32_t>},
      {u16, i32, &convert_npy_elements<std::uint16_t, std::int32_t>},
      {i8, i32, &convert_npy_elements<std::int8_t, std::int32_t>},
      {u8, i32, &convert_npy_elements<std::uint8_t, std::int32_t>},
      {i64, i64, &convert_npy_elements<std::int64_t, std::int64_t>},
      {i32, i64, &convert_npy_elements<std::int32_t, std::int64_t>},
      {u32, i64, &convert_npy_elements<std::uint32_t, std::int64_t>},
      {i16, i64, &convert_npy_elements<std::int16_t, std::int64_t>},
      {u16, i64, &convert_npy_elements<std::uint16_t, std::int64_t>},
      {i8, i64, &convert_npy_elements<std::int8_t, std::int64_t>},
      {u8, i64, &convert_npy_elements<std::uint8_t, std::int64_t>},
  });
}();

inline NpyConversion const* npy_conversion(ElementType from, ElementType to) {
  auto const place = std::ranges::find_if(npy_conversions, [&](NpyConversion const& x) { return x.from == from && x.to == to; });
  return place == npy_conversions.end() ? nullptr : &*place;
}

/// Parses the header: a literal of a Python dict with three keys, in any order.
class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view text, std::string const& where, ElementType wanted) : text_(text), where_(where), wanted_(wanted) {}

  NpyArray parse() {
    expect('{');
    bool has_type = false, has_order = false, has_shape = false;
    while (!take('}')) {
      std::size_t const begin = position_;
      std::string_view const key = string();
      expect(':');
      bool& is_there = key == "descr" ? has_type : key == "fortran_order" ? has_order : has_shape;
      if (is_there || (&is_there == &has_shape && key != "shape")) refuse("each of the keys descr, fortran_order and shape once", begin);
      is_there = true;
      if (&is_there == &has_type) {
        read_type();
      } else if (&is_there == &has_order) {
        read_order();
      } else {
        read_shape();
      }
      if (!take(',') && !is_next('}')) refuse("\",\" or \"}\"");
    }
    skip_spaces();
    if (position_ < text_.size()) refuse("nothing after the dict");
    if (!has_type || !has_order || !has_shape)
      throw FormatError(message({where_, ": the header has no key ", !has_type ? "descr" : !has_order ? "fortran_order" : "shape"}));
    array_.where = where_;
    return std::move(array_);
  }

 private:
  [[noreturn]] void refuse(std::string_view expected) const { refuse(expected, position_); }
  [[noreturn]] void refuse(std::string_view expected, std::size_t position) const {
    std::string_view const found = text_.substr(position, 20);
    throw FormatError(message(
        {where_, ": the header has ", found.empty() ? "its end" : in_quotes(found), " at byte ", position, ", expected ", expected}));
  }

  void skip_spaces() { position_ = std::min(text_.find_first_not_of(" \t\r\n", position_), text_.size()); }
  /// Whether `wanted` is the next character that is no space.
  bool is_next(char wanted) {
    skip_spaces();
    return position_ < text_.size() && text_[position_] == wanted;
  }
  bool take(char wanted) {
    if (!is_next(wanted)) return false;
    ++position_;
    return true;
  }
  void expect(char wanted) {
    if (!take(wanted)) refuse(in_quotes(std::string_view(&wanted, 1)));
  }
  bool take_word(std::string_view word) {
    if (!is_next(word[0]) || !text_.substr(position_).starts_with(word)) return false;
    position_ += word.size();
    return true;
  }

  std::string_view string() {
    char const quote = is_next('"') ? '"' : '\'';
    if (!is_next(quote)) refuse("a string");
    std::size_t const end = text_.find_first_of(quote == '"' ? "\"\\\n" : "'\\\n", position_ + 1);
    if (end == text_.npos || text_[end] != quote) refuse("a string without escapes");
    std::string_view const result = text_.substr(position_ + 1, end - position_ - 1);
    position_ = end + 1;
    return result;
  }

  void read_type() {
    if (is_next('[') || is_next('(')) refuse_type("a structured dtype");
    std::string_view const name = string();
    auto const known = std::ranges::find(npy_types, name.substr(std::min<std::size_t>(1, name.size())), &NpyType::code);
    bool const is_known = known != npy_types.end();
    if (!is_known || (name[0] != '<' && name[0] != '>' && !(name[0] == '|' && bits_of(known->type) == 8)) ||
        npy_conversion(known->type, wanted_) == nullptr)
      refuse_type(message({"the dtype ", in_quotes(name), name == "|O" ? " (objects of Python)" : ""}));
    array_.element_type = known->type;
    array_.is_big_endian = name[0] == '>';
  }
  [[noreturn]] void refuse_type(std::string_view found) const {
    std::string expected;
    for (NpyConversion const& conversion : npy_conversions)
      if (conversion.to == wanted_) expected += message({expected.empty() ? "" : " or ", in_quotes(npy_type_name(conversion.from))});
    throw CheckpointError(message({where_, ": found ", found, ", expected ", expected}));
  }

  void read_order() {
    array_.is_fortran = take_word("True");
    if (!array_.is_fortran && !take_word("False")) refuse("True or False");
  }

  void read_shape() {
    expect('(');
    bool has_comma = true;  // A tuple of one length has one.
    while (!take(')')) {
      if (!has_comma) refuse("\",\"");
      if (array_.shape.size() == largest_rank) refuse(message({"at most ", largest_rank, " lengths"}));
      array_.shape.push_back(number());
      has_comma = take(',');
      if (!has_comma && array_.shape.size() == 1) refuse("\",\"");
      if (!has_comma && !is_next(')')) refuse("\",\" or \")\"");
    }
  }
  std::size_t number() {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    skip_spaces();
    std::size_t const begin = position_;
    std::size_t value = 0;
    for (; position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9'; ++position_) {
      auto const digit = static_cast<std::size_t>(text_[position_] - '0');
      if (value > (most - digit) / 10) refuse("a length of 64 bits", begin);
      value = value * 10 + digit;
    }
    if (position_ == begin || (text_[begin] == '0' && position_ - begin > 1)) refuse("a length", begin);
    return value;
  }

  std::string_view text_;
  std::string const& where_;
  ElementType wanted_;
  std::size_t position_ = 0;
  NpyArray array_;
};

AXIFORM_INLINE NpyArray find_npy_array(File const& file, std::string where, std::size_t begin, std::size_t size, ElementType wanted) {
  static_assert(std::endian::native == std::endian::little, "what is not big-endian is read as it is");
  auto const refuse = [&](std::string const& what) { throw FormatError(message({where, ": ", what})); };
  std::array<char, 12> start{};
  std::size_t const start_size = std::min(start.size(), size);
  file.read_at(begin, std::as_writable_bytes(std::span(start).first(start_size)));
  std::string_view const magic(start.data(), std::min(npy_magic.size(), start_size));
  if (magic != npy_magic.substr(0, magic.size())) refuse(message({"begins with ", in_quotes(magic), ", expected ", in_quotes(npy_magic)}));
  auto const byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(start[i])}; };
  std::size_t const version = byte(6);
  std::size_t const header_begin = version == 1 ? 10 : 12;
  if (size >= 8 && (version < 1 || version > 3 || byte(7) != 0))
    refuse(message({"has the version ", version, ".", byte(7), ", expected 1.0, 2.0 or 3.0"}));
  if (size < header_begin)
    refuse(message({"has ", size, " bytes, expected a .npy file, which begins with magic, version and the length of its header (is it ",
                    "truncated?)"}));
  std::size_t const header_size = byte(8) | byte(9) << 8 | (version == 1 ? 0 : byte(10) << 16 | byte(11) << 24);
  if (header_size > size - header_begin)
    refuse(message({"says that its header has ", header_size, " bytes, expected at most the ", size - header_begin,
                    " that follow (is it truncated?)"}));
  if (header_size > largest_npy_header)
    refuse(message({"says that its header has ", header_size, " bytes, expected at most ", largest_npy_header}));
  std::string header(header_size, '\0');
  file.read_at(begin + header_begin, std::as_writable_bytes(std::span(header.data(), header.size())));
  NpyArray array = NpyHeaderParser(header, where, wanted).parse();
  array.begin = begin + header_begin + header_size;
  std::size_t const found = size - header_begin - header_size;
  std::string const described = message({"the shape ", shape_to_string(array.shape), " of ", npy_type_name(array.element_type)});
  auto const bits = bits_of_shape(array.shape, array.element_type);
  if (!bits) refuse(message({"found ", described, ", which is larger than any file"}));
  if (std::size_t const expected = *bits / 8; found != expected)
    refuse(message({"found ", found, " bytes of elements, expected ", expected, " for ", described,
                    found < expected ? " (is it truncated?)" : ", and nothing after them"}));
  return array;
}

AXIFORM_INLINE void read_npy_elements(File const& file, NpyArray const& array, ElementType wanted, std::span<std::byte> out) {
  NpyConversion const& conversion = *npy_conversion(array.element_type, wanted);
  std::size_t const source_size = bits_of(array.element_type) / 8, target_size = bits_of(wanted) / 8;
  std::size_t const count = out.size() / target_size;
  if (count == 0) return;
  if (!array.is_fortran && !array.is_big_endian && array.element_type == wanted && wanted != ElementType::boolean)
    return file.read_at(array.begin, out);
  // The lengths and strides of the axes in the order of the file, the fastest first. In the order of C all are one.
  std::vector<std::size_t> const lengths = array.is_fortran ? array.shape : std::vector{count};
  std::vector<std::size_t> strides(lengths.size(), 1), index(lengths.size(), 0);
  for (std::size_t axis = lengths.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * lengths[axis];
  std::size_t place = 0;  // Of the next element, in `out`.
  auto const advance = [&](std::size_t steps) {
    place += steps * strides[0];
    index[0] += steps;
    for (std::size_t axis = 0; axis + 1 < lengths.size() && index[axis] == lengths[axis]; ++axis) {
      place = place - lengths[axis] * strides[axis] + strides[axis + 1];
      index[axis] = 0;
      ++index[axis + 1];
    }
  };
  std::array<std::byte, 16384> buffer;
  for (std::size_t done = 0; done < count;) {
    std::size_t const size = std::min(buffer.size() / source_size, count - done);
    auto const bytes = std::span(buffer).first(size * source_size);
    file.read_at(array.begin + done * source_size, bytes);
    if (array.is_big_endian)
      for (std::size_t i = 0; i < size; ++i) std::ranges::reverse(bytes.subspan(i * source_size, source_size));
    for (std::size_t used = 0; used < size;) {
      std::size_t const run = std::min(size - used, lengths[0] - index[0]);
      conversion.convert(bytes.data() + used * source_size, run, out.data() + place * target_size, strides[0]);
      advance(run);
      used += run;
    }
    done += size;
  }
}

/// The header as `np.save` writes it: space for a first axis of 21 digits, then as much as aligns the elements to 64 bytes, and a newline.
inline std::string npy_header(NpyData const& data) {
  std::string text = message({"{'descr': '", npy_type_name(data.element_type), "', 'fortran_order': False, 'shape': ("});
  for (std::size_t const length : data.shape) text += std::to_string(length) + ", ";
  if (data.shape.size() > 1) text.pop_back();
  text.back() = ')';
  text += ", }";
  text.append(21 - std::to_string(data.shape[0]).size(), ' ');
  constexpr std::size_t start_size = 10, alignment = 64;
  text.append(alignment - (start_size + text.size() + 1) % alignment, ' ');
  text += '\n';
  return message({npy_magic, std::string_view("\1\0", 2)}) + static_cast<char>(text.size() & 0xff) + static_cast<char>(text.size() >> 8) +
         text;
}

AXIFORM_INLINE void for_each_npy_piece(NpyData const& data, FunctionRef<void(std::span<std::byte const>)> take) {
  std::string const header = npy_header(data);
  take(std::as_bytes(std::span(header)));
  if (data.rows <= 1 || data.row_stride == data.row_bytes) return take({data.data, data.rows * data.row_bytes});
  std::vector<std::byte> buffer;
  for (std::size_t row = 0; row < data.rows; ++row) {
    std::byte const* const begin = data.data + row * data.row_stride;
    buffer.insert(buffer.end(), begin, begin + data.row_bytes);
    if (buffer.size() < 65536 && row + 1 < data.rows) continue;
    take(buffer);
    buffer.clear();
  }
}

AXIFORM_INLINE void write_npy_data(std::filesystem::path const& path, NpyData const& data) {
  write_file_atomically(path,
                        [&](FileWriter& file) { for_each_npy_piece(data, [&](std::span<std::byte const> bytes) { file.write(bytes); }); });
}

}  // namespace detail

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
