/// @file
/// NumPy's `.npz` files: archives of arrays by name, read one by one, and written as `np.savez` does.
///
///     auto const file = NpzFile::open("points.npz");                                // np.savez("points.npz", x=x, labels=labels)
///     auto const x = file.read<float, axes::Tokens, Const<64>>("x");
///     auto const labels = file.read<std::int64_t, axes::Tokens>("labels");
///     write_npz("copy.npz", {npz_entry("x", x), npz_entry("labels", labels)});      // np.load("copy.npz")["x"]
///
/// Arrays are stored as they are. What `np.savez_compressed` writes is refused.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/tensor.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/npy.hpp>
#include <axiform/io/zip.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <cstddef>

#include <axiform/core/error.hpp>
#include <axiform/io/crc32.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/zip_writer.hpp>
#endif

namespace axiform {

/// A `.npz` file that is open for reading. Reading is const and may be done by any number of threads at once.
class NpzFile {
 public:
  /// Opens an archive and checks its directory.
  /// @throws FileError when it cannot be read; FormatError, naming the file and the array, when it is not an archive, or an array is compressed.
  static NpzFile open(std::filesystem::path const& path);

  /// The names of its arrays, in their order as text, without `.npy`.
  std::vector<std::string> names() const;
  /// Whether it has an array of that name, with or without `.npy`.
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The array of that name, with or without `.npy`, as `read_npy` reads it. Its checksum is compared first.
  /// @throws CheckpointError when there is no such array, FormatError when its bytes are not those that were written, and as `read_npy`.
  template <class Element, Axis... Axes>
  Tensor<Element, Axes...> read(std::string_view name) const {
    detail::check_npy_element<Element>();
    auto const& [record_name, record] = checked_record(name);
    return detail::read_npy_tensor<Element, Axes...>(file_, where(record_name), record.begin, record.bytes);
  }

 private:
  explicit NpzFile(File file) : file_(std::move(file)) {}

  ZipDirectory::value_type const* find(std::string_view name) const;
  ZipDirectory::value_type const& checked_record(std::string_view name) const;
  std::string where(std::string_view record) const;

  File file_;
  ZipDirectory records_;
};

/// An array to write: `npz_entry` makes it. Refers to the elements, does not own them.
struct NpzEntry {
  std::string name;      ///< In the file, without `.npy`.
  detail::NpyData data;  ///< Its type, its shape and where its elements are.
};

/// A tensor, or a view of one, whose elements stay where they are until it is written as the array `name` (UTF-8).
template <TensorLike T>
NpzEntry npz_entry(std::string name, T&& tensor) {
  return {std::move(name), detail::npy_data(as_view(std::forward<T>(tensor)))};
}

/// Writes arrays atomically (see `write_file_atomically`), in this order, none compressed. A file has less than 4 GiB.
/// @throws ArgumentError when two have the same name, or the file would be larger; FileError when writing fails.
void write_npz(std::filesystem::path const& path, std::span<NpzEntry const> entries);
/// The same of entries that are listed.
inline void write_npz(std::filesystem::path const& path, std::initializer_list<NpzEntry> entries) {
  write_npz(path, std::span(entries.begin(), entries.size()));
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE NpzFile NpzFile::open(std::filesystem::path const& path) {
  NpzFile result(File::open_read(path));
  result.records_ = read_zip_directory(result.file_, ": use np.savez, not np.savez_compressed");
  return result;
}

AXIFORM_INLINE std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (auto const& [name, record] : records_)
    if (name.ends_with(".npy")) names.push_back(name.substr(0, name.size() - 4));
  std::ranges::sort(names);  // "a" comes before "a b", but "a b.npy" before "a.npy".
  return names;
}

AXIFORM_INLINE ZipDirectory::value_type const* NpzFile::find(std::string_view name) const {
  for (std::string_view const extension : {"", ".npy"}) {
    auto const place = records_.find(detail::message({name, extension}));
    if (place != records_.end() && place->first.ends_with(".npy")) return &*place;
  }
  return nullptr;
}

AXIFORM_INLINE std::string NpzFile::where(std::string_view record) const {
  return detail::message({file_.name(), ": ", detail::printable(record)});
}

AXIFORM_INLINE ZipDirectory::value_type const& NpzFile::checked_record(std::string_view name) const {
  auto const* const found = find(name);
  if (found == nullptr) {
    std::string list;
    for (std::string const& other : names()) list += (list.empty() ? "" : ", ") + other;
    throw CheckpointError(detail::message(
        {file_.name(), ": has no array ", detail::in_quotes(name), list.empty() ? ", nor any other" : ", but " + detail::in_quotes(list)}));
  }
  ZipRecord const& record = found->second;
  Crc32 checksum;
  std::array<std::byte, 65536> buffer;
  for (std::size_t done = 0; done < record.bytes;) {
    auto const part = std::span(buffer).first(std::min(buffer.size(), record.bytes - done));
    file_.read_at(record.begin + done, part);
    checksum.add(part);
    done += part.size();
  }
  if (checksum.value() != record.checksum)
    throw FormatError(detail::message({where(found->first), ": its bytes have the CRC-32 ", checksum.value(), ", expected ",
                                       record.checksum, " (is the file damaged?)"}));
  return *found;
}

AXIFORM_INLINE void write_npz(std::filesystem::path const& path, std::span<NpzEntry const> entries) {
  write_file_atomically(path, [&](FileWriter& file) {
    ZipWriter archive(file);
    for (NpzEntry const& entry : entries)
      archive.add(entry.name + ".npy", [&](ZipWriter::Take take) { detail::for_each_npy_piece(entry.data, take); });
    archive.finish();
  });
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
