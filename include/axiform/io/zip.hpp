/// @file
/// Zip archives whose records are stored as they are, as PyTorch and NumPy write them: where the bytes of each record lie.
///
///     File const file = File::open_read("pytorch_model.bin");
///     for (auto const& [name, record] : read_zip_directory(file)) std::cout << name << ": " << record.bytes << " bytes\n";
///
/// Nothing is unpacked, so that no record can be larger than its file. Source: PKWARE's APPNOTE.TXT 6.3, sections 4.3 to 4.5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <axiform/io/file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// Where a record of an archive lies in its file.
struct ZipRecord {
  std::size_t begin = 0;       ///< Of its first byte, from the beginning of the file.
  std::size_t bytes = 0;       ///< Its size.
  std::uint32_t checksum = 0;  ///< The CRC-32 of its bytes, as the directory says it. Who reads them may compare (io/crc32.hpp).
};

/// The records of an archive, by name.
using ZipDirectory = std::map<std::string, ZipRecord, std::less<>>;

/// Reads the central directory of an archive, with 32-bit or 64-bit sizes, and checks it against the file: every record lies within the
/// file, in front of the directory, and none overlaps another.
///
/// @param hint Added to the message about a compressed record: what writes records as they are.
/// @throws FormatError, naming the file and the record, when the archive is not what the format allows, or a record is compressed or
///         encrypted; FileError when reading fails.
ZipDirectory read_zip_directory(File const& file, std::string_view hint = {});

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr std::size_t largest_zip_directory = std::size_t{1} << 25;  // 300 000 records of PyTorch's.

/// Little-endian numbers of a piece of a file. A read beyond its end gives zeros and makes `is_whole` false.
class LittleEndian {
 public:
  explicit LittleEndian(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t size) {
    std::string_view const bytes = text(size);
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }
  std::string_view text(std::size_t size) {
    if (size > bytes_.size()) {
      is_whole_ = false;
      bytes_ = {};
      return {};
    }
    std::string_view const result = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return result;
  }
  void skip(std::size_t size) { text(size); }
  bool is_whole() const noexcept { return is_whole_; }
  bool is_empty() const noexcept { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool is_whole_ = true;
};

class ZipReader {
 public:
  ZipReader(File const& file, std::string_view hint) : file_(file), hint_(hint) {}

  ZipDirectory read() {
    find_directory();
    std::string const bytes = read_text(begin_, size_);
    LittleEndian entries(bytes);
    while (!entries.is_empty()) read_entry(entries);
    if (records_.size() != count_) refuse(message({"says that it has ", count_, " records, and its directory has ", records_.size()}));
    check_overlap();
    return std::move(records_);
  }

 private:
  [[noreturn]] void refuse(std::string const& what) const { throw FormatError(message({file_.name(), ": ", what})); }
  [[noreturn]] void refuse(std::string_view record, std::string const& what) const {
    throw FormatError(message({file_.name(), ": the record ", in_quotes(record), " ", what}));
  }

  std::string read_text(std::size_t begin, std::size_t size) const {
    std::string text(size, '\0');
    file_.read_at(begin, std::as_writable_bytes(std::span(text.data(), text.size())));
    return text;
  }

  /// The end of the directory is the last thing in the file but for a comment of at most 64 KiB.
  void find_directory() {
    constexpr std::size_t end_size = 22, locator_size = 20, end64_size = 56;
    std::size_t const tail_size = std::min<std::size_t>(file_.size(), end_size + 0xffff);
    std::string const tail = read_text(file_.size() - tail_size, tail_size);
    std::size_t place = tail.size() < end_size ? tail.npos : tail.rfind("PK\5\6", tail.size() - end_size);
    auto const ends_with_comment = [&] {  // Or the four bytes are those of a comment.
      return LittleEndian(std::string_view(tail).substr(place + end_size - 2)).number(2) == tail.size() - place - end_size;
    };
    while (place != tail.npos && !ends_with_comment()) place = place == 0 ? tail.npos : tail.rfind("PK\5\6", place - 1);
    if (place == tail.npos) refuse("has no directory at its end, expected that of a zip archive (is the file truncated?)");
    std::size_t end = file_.size() - tail.size() + place;
    LittleEndian fields(std::string_view(tail).substr(place + 4));
    std::uint64_t const disks = fields.number(2) | fields.number(2);
    fields.skip(2);
    count_ = fields.number(2);
    std::uint64_t size = fields.number(4), begin = fields.number(4);
    if (disks != 0 && disks != 0xffff) refuse("is one part of an archive of several, expected a whole archive");
    if (end >= locator_size && (count_ == 0xffff || size == 0xffffffff || begin == 0xffffffff)) {
      std::string const locator_bytes = read_text(end - locator_size, locator_size);
      if (locator_bytes.starts_with("PK\6\7")) {
        LittleEndian locator(std::string_view(locator_bytes).substr(8));
        std::uint64_t const at = locator.number(8);
        if (end < locator_size + end64_size || at > end - locator_size - end64_size) refuse_directory();
        end = static_cast<std::size_t>(at);
        std::string const end64_bytes = read_text(end, end64_size);
        if (!end64_bytes.starts_with("PK\6\6")) refuse_directory();
        LittleEndian end64(std::string_view(end64_bytes).substr(32));
        count_ = end64.number(8);
        size = end64.number(8);
        begin = end64.number(8);
      }
    }
    if (begin > end || size > end - begin) refuse_directory();
    if (size > largest_zip_directory) refuse(message({"has a directory of ", size, " bytes, expected at most ", largest_zip_directory}));
    begin_ = static_cast<std::size_t>(begin);
    size_ = static_cast<std::size_t>(size);
  }
  [[noreturn]] void refuse_directory() const { refuse("has a zip directory that does not lie in front of its end"); }

  void read_entry(LittleEndian& entries) {
    if (entries.text(4) != "PK\1\2") refuse("has a malformed zip directory");
    entries.skip(4);
    std::uint64_t const flags = entries.number(2), method = entries.number(2);
    entries.skip(4);  // Time, date.
    auto const checksum = static_cast<std::uint32_t>(entries.number(4));
    std::uint64_t packed = entries.number(4), size = entries.number(4);
    std::uint64_t const name_size = entries.number(2), extra_size = entries.number(2), comment_size = entries.number(2);
    entries.skip(8);  // Disk, attributes.
    std::uint64_t header = entries.number(4);
    std::string_view const name = entries.text(name_size);
    LittleEndian extra(entries.text(extra_size));
    entries.skip(comment_size);
    if (!entries.is_whole()) refuse("has a malformed zip directory");
    read_large_sizes(extra, {&size, &packed, &header});
    if (flags & 1) refuse(name, "is encrypted");
    if (method != 0) refuse(name, message({"is compressed (method ", method, "), expected one that is stored as it is", hint_}));
    if (packed != size) refuse(name, message({"has ", packed, " bytes that are to become ", size}));
    std::size_t const begin = data_begin(name, header);
    if (size > begin_ - begin)
      refuse(name, message({"has ", size, " bytes, expected at most the ", begin_ - begin, " before the directory"}));
    if (!records_.try_emplace(std::string(name), ZipRecord{begin, static_cast<std::size_t>(size), checksum}).second)
      refuse(name, "is there twice");
    extents_.emplace_back(static_cast<std::size_t>(header), begin + static_cast<std::size_t>(size));
  }

  /// Sizes that do not fit 32 bits stand in a field of their own, those alone, in this order.
  static void read_large_sizes(LittleEndian extra, std::array<std::uint64_t*, 3> numbers) {
    while (extra.is_whole() && !extra.is_empty()) {
      std::uint64_t const id = extra.number(2);
      LittleEndian field(extra.text(extra.number(2)));
      if (id != 1) continue;
      for (std::uint64_t* const number : numbers)
        if (*number == 0xffffffff) *number = field.number(8);
      return;
    }
  }

  /// Behind the record's own header, which has a name and padding whose lengths only it knows.
  std::size_t data_begin(std::string_view name, std::uint64_t header) const {
    constexpr std::size_t header_size = 30;
    if (begin_ < header_size || header > begin_ - header_size)
      refuse(name, message({"begins at byte ", header, ", which is behind the records"}));
    std::string const bytes = read_text(static_cast<std::size_t>(header), header_size);
    if (!bytes.starts_with("PK\3\4")) refuse(name, message({"has no header at byte ", header}));
    LittleEndian fields(std::string_view(bytes).substr(26));
    std::uint64_t const lengths = fields.number(2) + fields.number(2);
    std::uint64_t const begin = header + header_size + lengths;
    if (begin > begin_) refuse(name, message({"has a header that ends at byte ", begin, ", behind the records"}));
    return static_cast<std::size_t>(begin);
  }

  void check_overlap() {
    std::ranges::sort(extents_);
    for (std::size_t i = 1; i < extents_.size(); ++i)
      if (extents_[i].first < extents_[i - 1].second) refuse(message({"has two records that overlap at byte ", extents_[i].first}));
  }

  File const& file_;
  std::string_view hint_;
  std::size_t begin_ = 0;  // Of the directory.
  std::size_t size_ = 0;
  std::uint64_t count_ = 0;
  ZipDirectory records_;
  std::vector<std::pair<std::size_t, std::size_t>> extents_;  // Of each record, its header included.
};

}  // namespace detail

AXIFORM_INLINE ZipDirectory read_zip_directory(File const& file, std::string_view hint) { return detail::ZipReader(file, hint).read(); }

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
