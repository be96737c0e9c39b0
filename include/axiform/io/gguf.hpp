/// @file
/// GGUF files, in which llama.cpp keeps a model: its tensors, often packed in blocks, and metadata that says what the model is and how its
/// tokens are spelled.
///
///     auto const file = GgufFile::open("model.gguf");
///     auto const layers = file.metadata("llama.block_count").as<std::size_t>();
///     auto const tokens = file.metadata("tokenizer.ggml.tokens").as<std::vector<std::string_view>>();
///     if (TensorInfo const* info = file.find("token_embd.weight")) file.read_floats(*info, 0, floats);
///
/// The format, little-endian: magic, version, the numbers of tensors and of keys; the keys and their values; names, shapes, types and places
/// of the tensors; their bytes, each tensor's from a multiple of the alignment on. Source: ggml's docs/gguf.md, versions 2 and 3.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/io/file.hpp>
#include <axiform/io/tensor_file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <span>

#include <axiform/core/error.hpp>
#include <axiform/io/block_format.hpp>
#include <axiform/io/element_type.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// What a value of the metadata is. The order is that of the numbers in files.
enum class GgufType : std::uint8_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// As messages say it: "U32", "BOOL", "ARRAY".
std::string_view name_of(GgufType type) noexcept;

namespace detail {

template <class T>
struct IsGgufReadable : std::bool_constant<std::floating_point<T> || (std::integral<T> && !std::same_as<T, char>) ||
                                           std::same_as<T, std::string> || std::same_as<T, std::string_view>> {};
template <class T>
struct IsGgufReadable<std::vector<T>> : IsGgufReadable<T> {};

/// The metadata of a file: its bytes, and where in them the keys and their values are.
struct GgufMetadata {
  struct Entry {
    std::size_t key_begin = 0;
    std::size_t key_size = 0;
    GgufType type = GgufType::u8;
    std::size_t begin = 0;  // Of the value.
  };

  std::string_view key(Entry const& entry) const noexcept { return std::string_view(bytes).substr(entry.key_begin, entry.key_size); }

  std::string file;            // As messages name it.
  std::string bytes;           // The beginning of the file.
  std::size_t end = 0;         // Of the last value.
  std::vector<Entry> entries;  // In the order of the keys.
};

}  // namespace detail

/// What a value of the metadata is read as: a bool, a string (whose bytes may be any), a number, or vectors of these.
template <class T>
concept GgufReadable = detail::IsGgufReadable<T>::value;

/// A value of the metadata of a GGUF file. Valid for as long as the file is, as is every `std::string_view` that it is read as.
class GgufValue {
 public:
  GgufType type() const noexcept { return type_; }  ///< What it is.

  /// How many elements an array has.
  /// @throws CheckpointError when it is no array.
  std::size_t size() const { return elements().count; }

  /// What the elements of an array are.
  /// @throws CheckpointError when it is no array.
  GgufType element_type() const { return elements().type; }

  /// The value. A whole number may be of any type of whole numbers, and must lie within the limits of T; a floating-point number is rounded
  /// to nearest where T is the narrower type.
  /// @throws CheckpointError, which names the file, the key, what was found and what was expected, when it is something else.
  template <GgufReadable T>
  T as() const;

  /// As messages say it: `the string "llama"`, `the number 30 (U32)`, `an array of 49152 (STRING)`.
  std::string describe() const;

 private:
  friend class GgufFile;

  struct Elements {
    GgufType type;
    std::size_t count;
    std::size_t begin;  // Of the first.
  };

  GgufValue(detail::GgufMetadata const& metadata, detail::GgufMetadata::Entry const& entry)
      : metadata_(&metadata), entry_(&entry), type_(entry.type), begin_(entry.begin) {}
  /// An element of the array `outer`, which lives on while this is used.
  GgufValue(GgufValue const& outer, Elements const& elements)
      : metadata_(outer.metadata_), entry_(outer.entry_), outer_(&outer), type_(elements.type), begin_(elements.begin) {}

  bool boolean() const;
  std::string_view text() const;
  std::uint64_t whole_number(std::int64_t least, std::uint64_t most) const;  // Two's complement, where it is negative.
  double real() const;
  Elements elements() const;

  void step();  // From an element to the next.
  std::size_t end() const;
  template <class T>
  T load(std::size_t begin) const;
  std::string place() const;
  [[noreturn]] void refuse(std::string_view expected) const;

  detail::GgufMetadata const* metadata_;
  detail::GgufMetadata::Entry const* entry_;
  GgufValue const* outer_ = nullptr;  // The array that it is an element of, and which.
  std::size_t index_ = 0;
  GgufType type_;
  std::size_t begin_;  // In the bytes.
};

/// A GGUF file that is open for reading.
///
/// Names are those in the file; shapes are in the order of every other `TensorFile`, the rows' length last, which GGUF has first. A tensor of
/// a type that is not known is there, with the bytes up to the next one, and refused when its elements are read.
class GgufFile : public TensorFile {
 public:
  /// Opens a file and checks what it says against its size: what `tensors()` says then lies within the file.
  /// @throws FileError when it cannot be read; FormatError, naming the file and the key or the tensor, when it is not what the format
  ///         allows; CheckpointError when it is of another version or big-endian.
  static GgufFile open(std::filesystem::path const& path);

  /// Of the format: 2 or 3.
  std::size_t version() const noexcept { return version_; }

  /// The value of that key.
  /// @throws CheckpointError when the file has no such key.
  GgufValue metadata(std::string_view key) const&;
  void metadata(std::string_view key) const&& = delete;  ///< The value would dangle: give the owner a name.

  /// The value of that key, or nothing.
  std::optional<GgufValue> find_metadata(std::string_view key) const& noexcept;
  void find_metadata(std::string_view key) const&& = delete;  ///< The value would dangle: give the owner a name.

  /// The bytes of a GGUF file that has this one's metadata and no tensors.
  std::string metadata_alone() const;

  /// All keys, in order.
  std::vector<std::string_view> keys() const&;
  void keys() const&& = delete;  ///< The keys would dangle: give the owner a name.

 private:
  explicit GgufFile(File file) : TensorFile(std::move(file)) {}

  void place_tensors(std::size_t data_begin, std::size_t alignment);
  std::size_t alignment() const;

  std::size_t version_ = 0;
  std::unique_ptr<detail::GgufMetadata const> metadata_;  // Where it is stays when the file is moved.
};

template <GgufReadable T>
T GgufValue::as() const {
  if constexpr (std::same_as<T, bool>) {
    return boolean();
  } else if constexpr (std::integral<T>) {
    return static_cast<T>(whole_number(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::floating_point<T>) {
    return static_cast<T>(real());
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, std::string_view>) {
    return T(text());
  } else {
    Elements const found = elements();
    T result;
    result.reserve(found.count);
    for (GgufValue element(*this, found); element.index_ < found.count; element.step())
      result.push_back(element.as<typename T::value_type>());
    return result;
  }
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr std::string_view gguf_magic = "GGUF";
inline constexpr std::size_t largest_gguf_header = std::size_t{1} << 28;  // Tokens and merges of a vocabulary of 256 000 take some 10 MB.
inline constexpr std::size_t deepest_gguf_array = 8;

struct GgufTypeFacts {
  std::string_view name;
  std::size_t bytes;  // Of a value, or the least that it takes.
};

/// In the order of the enumeration.
inline constexpr std::array<GgufTypeFacts, 13> gguf_types{{{"U8", 1},
                                                           {"I8", 1},
                                                           {"U16", 2},
                                                           {"I16", 2},
                                                           {"U32", 4},
                                                           {"I32", 4},
                                                           {"F32", 4},
                                                           {"BOOL", 1},
                                                           {"STRING", 8},
                                                           {"ARRAY", 12},
                                                           {"U64", 8},
                                                           {"I64", 8},
                                                           {"F64", 8}}};
static_assert(gguf_types[static_cast<std::size_t>(GgufType::f64)].name == "F64");

inline GgufTypeFacts const& facts_of(GgufType type) noexcept { return gguf_types[static_cast<std::size_t>(type)]; }

/// A tensor's type in the numbering of GGUF, when its elements lie there one by one.
inline std::optional<ElementType> gguf_element_type(std::uint32_t number) noexcept {
  using enum ElementType;
  switch (number) {
    case 0:
      return f32;
    case 1:
      return f16;
    case 24:
      return i8;
    case 25:
      return i16;
    case 26:
      return i32;
    case 27:
      return i64;
    case 28:
      return f64;
    case 30:
      return bf16;
    default:
      return std::nullopt;
  }
}

/// Reads the beginning of a file, number by number, as much of it as turns out to be needed. What it gives has been checked against the
/// file's size.
class GgufReader {
 public:
  explicit GgufReader(File const& file) : file_(file) {}

  /// What messages say is being read.
  void set_subject(std::string subject) { subject_ = std::move(subject); }

  std::size_t position() const noexcept { return position_; }
  std::size_t rest() const noexcept { return file_.size() - position_; }

  template <class T>
  T number() {
    need(sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  /// A string. Valid until something else is read.
  std::string_view text() {
    auto const size = number<std::uint64_t>();
    if (size > rest())
      refuse(message({"found a string of ", size, " bytes, expected at most the ", rest(), " that follow", is_truncated}), 8);
    need(static_cast<std::size_t>(size));
    position_ += static_cast<std::size_t>(size);
    return std::string_view(bytes_).substr(position_ - static_cast<std::size_t>(size), static_cast<std::size_t>(size));
  }

  /// A number of things that take at least `least` bytes each.
  std::size_t number_of(std::string_view things, std::size_t least) {
    auto const found = number<std::uint64_t>();
    if (found > rest() / least)
      refuse(message({"found a number of ", found, " ", things, ", expected at most ", rest() / least, ", as ", rest(), " bytes follow",
                      is_truncated}),
             8);
    return static_cast<std::size_t>(found);
  }

  GgufType value_type() {
    auto const found = number<std::uint32_t>();
    if (found >= gguf_types.size()) refuse(message({"found the type of value ", found, ", expected 0 to ", gguf_types.size() - 1}), 4);
    return static_cast<GgufType>(found);
  }

  /// Passes over a value, which is checked.
  void pass(GgufType type) { pass(type, 1, 0); }

  /// Up to here, the bytes that were read.
  std::string take_bytes() {
    bytes_.resize(position_);
    bytes_.shrink_to_fit();
    return std::move(bytes_);
  }
  std::string_view bytes() const noexcept { return bytes_; }

  /// @param back How many bytes before the position the thing is that is refused.
  [[noreturn]] void refuse(std::string const& what, std::size_t back = 0) const {
    throw FormatError(message({file_.name(), ": ", printable(subject_), ": byte ", position_ - back, ": ", what}));
  }

 private:
  static constexpr std::string_view is_truncated = " (is the file truncated?)";

  /// Makes the next bytes be there.
  void need(std::size_t size) {
    if (size > bytes_.size() - position_) fetch(size);
  }
  void fetch(std::size_t size) {
    if (size > rest()) refuse(message({"found the end of the file after ", rest(), " bytes, expected ", size, is_truncated}));
    if (size > largest_gguf_header - position_)
      refuse(message({"the metadata and the names of tensors go on, expected at most ", largest_gguf_header, " bytes"}));
    std::size_t const have = bytes_.size();
    std::size_t const wanted =
        std::min(std::max({position_ + size, 2 * have, std::size_t{1} << 16}), std::min(file_.size(), largest_gguf_header));
    bytes_.resize(wanted);
    file_.read_at(have, std::as_writable_bytes(std::span(bytes_).subspan(have)));
  }

  void pass(GgufType type, std::size_t count, std::size_t depth) {
    if (type == GgufType::string) {
      for (std::size_t i = 0; i < count; ++i) text();
    } else if (type == GgufType::array) {
      if (depth == deepest_gguf_array) refuse(message({"found arrays that nest deeper than ", deepest_gguf_array}));
      for (std::size_t i = 0; i < count; ++i) {
        GgufType const elements = value_type();
        pass(elements, number_of("elements", facts_of(elements).bytes), depth + 1);
      }
    } else {
      std::size_t const size = count * facts_of(type).bytes;
      need(size);
      if (type == GgufType::boolean)
        for (char const byte : std::string_view(bytes_).substr(position_, size)) {
          if (byte != 0 && byte != 1) refuse(message({"found a BOOL of ", static_cast<unsigned char>(byte), ", expected 0 or 1"}));
          ++position_;
        }
      else
        position_ += size;
    }
  }

  File const& file_;
  std::string subject_ = "header";
  std::string bytes_;  // The beginning of the file.
  std::size_t position_ = 0;
};

/// The keys, sorted, and where their values are. The bytes stay with the reader.
inline GgufMetadata read_gguf_metadata(GgufReader& reader, std::size_t count) {
  GgufMetadata metadata;
  for (std::size_t i = 0; i < count; ++i) {
    reader.set_subject(message({"key ", i}));
    std::string_view const key = reader.text();
    GgufMetadata::Entry entry{.key_begin = reader.position() - key.size(), .key_size = key.size()};
    reader.set_subject(std::string(key));
    entry.type = reader.value_type();
    entry.begin = reader.position();
    reader.pass(entry.type);
    metadata.entries.push_back(entry);
  }
  metadata.end = reader.position();
  auto const key_of = [&](GgufMetadata::Entry const& entry) { return reader.bytes().substr(entry.key_begin, entry.key_size); };
  std::ranges::sort(metadata.entries, {}, key_of);
  auto const twice = std::ranges::adjacent_find(metadata.entries, {}, key_of);
  if (twice != metadata.entries.end()) {
    reader.set_subject(std::string(key_of(*twice)));
    reader.refuse("the key is there twice", reader.position() - std::max(twice->key_begin, std::next(twice)->key_begin));
  }
  return metadata;
}

/// A tensor as the file says it: `begin` is its offset in the data. Where the type is not known, its size is not either.
inline TensorInfo read_gguf_tensor(GgufReader& reader) {
  TensorInfo info;
  info.name = std::string(reader.text());
  reader.set_subject(info.name);
  auto const rank = reader.number<std::uint32_t>();
  if (rank > largest_rank) reader.refuse(message({"found a shape of ", rank, " lengths, expected at most ", largest_rank}), 4);
  for (std::size_t axis = 0; axis < rank; ++axis) info.shape.push_back(static_cast<std::size_t>(reader.number<std::uint64_t>()));
  std::ranges::reverse(info.shape);
  auto const type = reader.number<std::uint32_t>();
  if (auto const plain = gguf_element_type(type)) {
    info.element_type = *plain;
  } else {
    info.block_format = static_cast<BlockFormat>(type);
  }
  info.begin = static_cast<std::size_t>(reader.number<std::uint64_t>());
  auto const refuse_shape = [&](std::string const& why) {
    reader.refuse(message({"found the shape ", shape_to_string(info.shape), " of ", info.type_name(), ", ", why}), 12);
  };
  std::size_t const row = info.shape.empty() ? 1 : info.shape.back();
  auto const bits = bits_of_shape(info.shape, info.element_type);
  if (!bits) refuse_shape("which is larger than any file");
  BlockSize block{.elements = 1, .bytes = bits_of(info.element_type) / 8};
  if (info.block_format) block = block_size(*info.block_format).value_or(BlockSize{.elements = 1, .bytes = 0});
  if (row % block.elements != 0) refuse_shape(message({"expected rows of whole blocks of ", block.elements}));
  info.bytes = *bits / bits_of(info.element_type) / block.elements * block.bytes;  // Blocks take less than floats.
  return info;
}

}  // namespace detail

AXIFORM_INLINE std::string_view name_of(GgufType type) noexcept { return detail::facts_of(type).name; }

// ---- values ----

template <class T>
T GgufValue::load(std::size_t begin) const {
  T value;
  std::memcpy(&value, metadata_->bytes.data() + begin, sizeof(T));
  return value;
}

AXIFORM_INLINE bool GgufValue::boolean() const {
  if (type_ != GgufType::boolean) refuse("a bool");
  return load<std::uint8_t>(begin_) != 0;
}

AXIFORM_INLINE std::string_view GgufValue::text() const {
  if (type_ != GgufType::string) refuse("a string");
  return std::string_view(metadata_->bytes).substr(begin_ + 8, static_cast<std::size_t>(load<std::uint64_t>(begin_)));
}

AXIFORM_INLINE std::uint64_t GgufValue::whole_number(std::int64_t least, std::uint64_t most) const {
  auto const refuse_number = [&] {
    std::uint64_t const magnitude = least < 0 ? 0 - static_cast<std::uint64_t>(least) : 0;
    refuse(detail::message({"a whole number from ", least < 0 ? "-" : "", magnitude, " to ", most}));
  };
  auto const natural = [&](std::uint64_t number) {
    if (number > most) refuse_number();
    return number;
  };
  auto const integer = [&](std::int64_t number) {
    auto const bits = static_cast<std::uint64_t>(number);
    if (number < 0 ? number < least : bits > most) refuse_number();
    return bits;
  };
  switch (type_) {
    case GgufType::u8:
      return natural(load<std::uint8_t>(begin_));
    case GgufType::u16:
      return natural(load<std::uint16_t>(begin_));
    case GgufType::u32:
      return natural(load<std::uint32_t>(begin_));
    case GgufType::u64:
      return natural(load<std::uint64_t>(begin_));
    case GgufType::i8:
      return integer(load<std::int8_t>(begin_));
    case GgufType::i16:
      return integer(load<std::int16_t>(begin_));
    case GgufType::i32:
      return integer(load<std::int32_t>(begin_));
    case GgufType::i64:
      return integer(load<std::int64_t>(begin_));
    default:
      refuse_number();
      return 0;
  }
}

AXIFORM_INLINE double GgufValue::real() const {
  if (type_ == GgufType::f32) return load<float>(begin_);
  if (type_ != GgufType::f64) refuse("a floating-point number");
  return load<double>(begin_);
}

AXIFORM_INLINE GgufValue::Elements GgufValue::elements() const {
  if (type_ != GgufType::array) refuse("an array");
  return {static_cast<GgufType>(load<std::uint32_t>(begin_)), static_cast<std::size_t>(load<std::uint64_t>(begin_ + 4)), begin_ + 12};
}

AXIFORM_INLINE void GgufValue::step() {
  begin_ = end();
  ++index_;
}

AXIFORM_INLINE std::size_t GgufValue::end() const {
  if (type_ == GgufType::string) return begin_ + 8 + text().size();
  if (type_ != GgufType::array) return begin_ + detail::facts_of(type_).bytes;
  Elements const found = elements();
  if (found.type != GgufType::string && found.type != GgufType::array)
    return found.begin + found.count * detail::facts_of(found.type).bytes;
  GgufValue element(*this, found);
  while (element.index_ < found.count) element.step();
  return element.begin_;
}

AXIFORM_INLINE std::string GgufValue::describe() const {
  auto const number = [&](auto value) {
    std::array<char, 32> digits;
    auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return detail::message(
        {"the number ", std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())), " (", name_of(type_), ")"});
  };
  constexpr auto any = std::numeric_limits<std::uint64_t>::max();
  switch (type_) {
    case GgufType::boolean:
      return boolean() ? "the bool true" : "the bool false";
    case GgufType::string:
      return "the string " + detail::in_quotes(text());
    case GgufType::array:
      return detail::message({"an array of ", elements().count, " (", name_of(elements().type), ")"});
    case GgufType::f32:
      return number(load<float>(begin_));
    case GgufType::f64:
      return number(load<double>(begin_));
    case GgufType::u64:
      return number(load<std::uint64_t>(begin_));
    default:
      return number(static_cast<std::int64_t>(whole_number(std::numeric_limits<std::int64_t>::min(), any)));
  }
}

/// "key", "key[3]", "key[3][0]".
AXIFORM_INLINE std::string GgufValue::place() const {
  if (outer_ == nullptr) return detail::printable(metadata_->key(*entry_));
  return detail::message({outer_->place(), "[", index_, "]"});
}

AXIFORM_INLINE void GgufValue::refuse(std::string_view expected) const {
  throw CheckpointError(detail::message({metadata_->file, ": ", place(), ": found ", describe(), ", expected ", expected}));
}

// ---- files ----

AXIFORM_INLINE GgufFile GgufFile::open(std::filesystem::path const& path) {
  static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian, and are read as they are");
  GgufFile result(File::open_read(path));
  File const& file = result.file_;
  std::string start(std::min<std::size_t>(file.size(), 8), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(start)));
  if (start == "version ") result.refuse("is the pointer that Git LFS leaves when the file itself was not fetched, expected a GGUF file");
  if (!start.starts_with(detail::gguf_magic))
    result.refuse(detail::message({"begins with ", detail::in_quotes(start), ", expected a GGUF file, which begins with \"GGUF\""}));
  detail::GgufReader reader(file);
  reader.number<std::uint32_t>();  // The magic.
  auto const version = reader.number<std::uint32_t>();
  if (version != 0 && (version & 0xffff) == 0)
    throw CheckpointError(detail::message({file.name(), ": is big-endian, expected a little-endian GGUF file"}));
  if (version != 2 && version != 3)
    throw CheckpointError(detail::message({file.name(), ": has the version ", version, ", expected 2 or 3"}));
  result.version_ = version;
  std::size_t const tensors = reader.number_of("tensors", 24), keys = reader.number_of("keys", 13);
  auto metadata = std::make_unique<detail::GgufMetadata>(detail::read_gguf_metadata(reader, keys));
  for (std::size_t i = 0; i < tensors; ++i) {
    reader.set_subject(detail::message({"tensor ", i}));
    result.tensors_.push_back(detail::read_gguf_tensor(reader));
  }
  std::size_t const header_end = reader.position();
  metadata->file = file.name();
  metadata->bytes = reader.take_bytes();
  result.metadata_ = std::move(metadata);
  std::size_t const alignment = result.alignment();
  result.place_tensors((header_end + alignment - 1) / alignment * alignment, alignment);
  return result;
}

AXIFORM_INLINE std::size_t GgufFile::alignment() const {
  auto const value = find_metadata("general.alignment");
  std::size_t const alignment = value ? value->as<std::uint32_t>() : 32;
  if (!std::has_single_bit(alignment)) refuse(detail::message({"general.alignment: found ", alignment, ", expected a power of two"}));
  return alignment;
}

/// Turns offsets into places in the file, and checks that each tensor lies there and overlaps no other.
AXIFORM_INLINE void GgufFile::place_tensors(std::size_t data_begin, std::size_t alignment) {
  std::size_t const data_bytes = file_.size() - std::min(file_.size(), data_begin);
  for (TensorInfo& info : tensors_) {
    std::size_t const offset = info.begin;
    if (offset % alignment != 0)
      refuse(info.name, detail::message({"found the offset ", offset, ", expected a multiple of the alignment ", alignment}));
    if (offset > data_bytes || info.bytes > data_bytes - offset)
      refuse(info.name, detail::message({"found ", info.bytes, " bytes at the offset ", offset, ", expected them within the ", data_bytes,
                                         " bytes of data that the file has (is it truncated?)"}));
    info.begin = data_begin + offset;
  }
  std::ranges::sort(tensors_,
                    [](TensorInfo const& a, TensorInfo const& b) { return std::pair(a.begin, a.bytes) < std::pair(b.begin, b.bytes); });
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    TensorInfo& info = tensors_[i];
    std::size_t const next = i + 1 < tensors_.size() ? tensors_[i + 1].begin : data_begin + data_bytes;
    if (info.block_format && !info.has_floats()) info.bytes = next - info.begin;
    if (info.bytes > next - info.begin)
      refuse(tensors_[i + 1].name, detail::message({"its bytes overlap those of ", detail::printable(info.name)}));
  }
  std::ranges::sort(tensors_, {}, &TensorInfo::name);
  auto const twice = std::ranges::adjacent_find(tensors_, {}, &TensorInfo::name);
  if (twice != tensors_.end()) refuse(twice->name, "the tensor is there twice");
}

AXIFORM_INLINE std::optional<GgufValue> GgufFile::find_metadata(std::string_view key) const& noexcept {
  auto const key_of = [&](detail::GgufMetadata::Entry const& entry) { return metadata_->key(entry); };
  auto const place = std::ranges::lower_bound(metadata_->entries, key, {}, key_of);
  if (place == metadata_->entries.end() || key_of(*place) != key) return std::nullopt;
  return GgufValue(*metadata_, *place);
}

AXIFORM_INLINE GgufValue GgufFile::metadata(std::string_view key) const& {
  auto const value = find_metadata(key);
  if (!value) throw CheckpointError(detail::message({file_.name(), ": has no key ", detail::in_quotes(key)}));
  return *value;
}

AXIFORM_INLINE std::string GgufFile::metadata_alone() const {
  std::string bytes = metadata_->bytes.substr(0, metadata_->end);
  std::fill_n(bytes.begin() + 8, 8, '\0');  // behind magic and version: how many tensors there are
  bytes.append((alignment() - bytes.size() % alignment()) % alignment(), '\0');
  return bytes;
}

AXIFORM_INLINE std::vector<std::string_view> GgufFile::keys() const& {
  std::vector<std::string_view> keys;
  for (auto const& entry : metadata_->entries) keys.push_back(metadata_->key(entry));
  return keys;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
