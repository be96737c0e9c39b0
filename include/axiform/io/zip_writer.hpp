/// @file
/// Writes zip archives whose records are stored as they are.
///
///     write_file_atomically("a.zip", [&](FileWriter& file) {
///       ZipWriter archive(file);
///       archive.add("greeting.txt", [](ZipWriter::Take take) { take(std::as_bytes(std::span("hello", 5))); });
///       archive.finish();
///     });
///
/// Source: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include <axiform/core/function_ref.hpp>
#include <axiform/io/file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>

#include <axiform/core/error.hpp>
#include <axiform/io/crc32.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// Appends records to an archive that `write_file_atomically` is making. Sizes and places are of 32 bits: an archive has less than 4 GiB.
class ZipWriter {
 public:
  using Take = FunctionRef<void(std::span<std::byte const>)>;  ///< Is given the bytes of a record, one piece after another.

  /// An archive that begins where `file` does.
  explicit ZipWriter(FileWriter& file) : file_(file) {}

  /// Appends a record.
  /// @param pieces Gives the record's bytes to what it is called with. It is called twice and must give the same bytes: the checksum
  ///               stands before them.
  /// @throws ArgumentError when the name is used twice or is longer than 65535 bytes, or when the archive gets too large; FileError when
  ///         writing fails.
  void add(std::string_view name, FunctionRef<void(Take)> pieces);

  /// Writes the directory of the records, with which an archive ends.
  /// @throws As `add`.
  void finish();

 private:
  FileWriter& file_;
  std::size_t size_ = 0;  // Of what has been written.
  std::string directory_;
  std::set<std::string, std::less<>> names_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr std::size_t largest_zip = 0xfffffffe, most_zip_records = 0xfffe, longest_zip_name = 0xffff;

/// `value` in `size` bytes, the lowest first.
inline std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

}  // namespace detail

AXIFORM_INLINE void ZipWriter::add(std::string_view name, FunctionRef<void(Take)> pieces) {
  using detail::little_endian;
  if (name.size() > detail::longest_zip_name)
    throw ArgumentError(detail::message({"a zip record's name has ", name.size(), " bytes, expected at most ", detail::longest_zip_name}));
  if (!names_.emplace(name).second) throw ArgumentError(detail::message({detail::printable(name), ": two zip records have this name"}));
  std::size_t size = 0;
  Crc32 checksum;
  pieces([&](std::span<std::byte const> bytes) {
    size += bytes.size();
    checksum.add(bytes);
  });
  constexpr std::size_t header_size = 30;
  if (size_ > detail::largest_zip || size > detail::largest_zip - std::min(detail::largest_zip, size_ + header_size + name.size()))
    throw ArgumentError(detail::message({detail::printable(name), ": a zip record of ", size, " bytes from byte ", size_,
                                         ", expected it to end before 4 GiB (write several archives)"}));
  bool const is_ascii = std::ranges::all_of(name, [](char letter) { return static_cast<unsigned char>(letter) < 0x80; });
  // Version 2.0; names that are UTF-8 say so; stored; the first of January 1980, at midnight.
  std::string const facts = little_endian(20, 2) + little_endian(is_ascii ? 0 : 0x800, 2) + little_endian(0, 2) +
                            little_endian(0x210000, 4) + little_endian(checksum.value(), 4) + little_endian(size, 4) +
                            little_endian(size, 4) + little_endian(name.size(), 2) + little_endian(0, 2);
  directory_ += "PK\1\2" + little_endian(20, 2) + facts + std::string(10, '\0') + little_endian(size_, 4);
  directory_ += name;
  file_.write("PK\3\4" + facts);
  file_.write(name);
  pieces([&](std::span<std::byte const> bytes) { file_.write(bytes); });
  size_ += header_size + name.size() + size;
}

AXIFORM_INLINE void ZipWriter::finish() {
  using detail::little_endian;
  if (names_.size() > detail::most_zip_records)
    throw ArgumentError(detail::message({"a zip archive of ", names_.size(), " records, expected at most ", detail::most_zip_records}));
  if (size_ > detail::largest_zip)
    throw ArgumentError(detail::message({"a zip archive of ", size_, " bytes, expected at most ", detail::largest_zip}));
  file_.write(directory_);
  file_.write("PK\5\6" + std::string(4, '\0') + little_endian(names_.size(), 2) + little_endian(names_.size(), 2) +
              little_endian(directory_.size(), 4) + little_endian(size_, 4) + little_endian(0, 2));
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
