/// @file
/// Files: positioned reads that many threads may make at once, and writes that leave either the old file or the new one.
///
/// Files are read, not mapped: one that shrinks while it is read is an error here, and is a fatal signal with a mapping. `File::map` is for files
/// that nobody changes in place, as those that `write_file_atomically` makes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/core/config.hpp>
#include <axiform/core/function_ref.hpp>

#if AXIFORM_DEFINES(io)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <limits>
#include <system_error>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// The bytes of a file as memory: pages come from the disk when they are looked at, and nothing is copied. It stays what it is when another file
/// takes the file's name.
class FileMapping {
 public:
  /// Of nothing.
  FileMapping() noexcept = default;
  /// Takes over; `other` is of nothing then.
  FileMapping(FileMapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  /// Exchanges the two.
  FileMapping& operator=(FileMapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~FileMapping();

  std::span<std::byte const> bytes() const& noexcept { return bytes_; }  ///< All of the file, as long as this object lives.
  void bytes() const&& = delete;                                         ///< The span would dangle: give the owner a name.

 private:
  friend class File;
  explicit FileMapping(std::span<std::byte const> bytes) noexcept : bytes_(bytes) {}
  std::span<std::byte const> bytes_;
};

/// A regular file that is open for reading. `read_at` is const and may be called by any number of threads at once.
class File {
 public:
  /// @throws FileError when the file is absent, may not be read, or is not a regular file.
  static File open_read(std::filesystem::path const& path);

  /// Takes over; `other` has no file then.
  File(File&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  /// Exchanges the two.
  File& operator=(File&& other) noexcept {
    path_.swap(other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~File();

  std::filesystem::path const& path() const noexcept { return path_; }  ///< The path as it was given.
  std::string name() const { return path_.string(); }                   ///< The path, as messages say it.
  std::size_t size() const noexcept { return size_; }                   ///< Bytes in the file when it was opened.

  /// Fills `out` from the bytes at `offset`.
  /// @throws FileError when the file ends before `out` is full, also when it has shrunk since it was opened.
  void read_at(std::size_t offset, std::span<std::byte> out) const;

  /// All of it as memory. Whoever looks at bytes that the file has lost since gets a fatal signal.
  /// @throws FileError when the system cannot map it.
  FileMapping map() const;

 private:
  File(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::filesystem::path path_;
  int descriptor_;
  std::size_t size_ = 0;
};

/// The whole of a file, as bytes.
/// @throws FileError when it cannot be read, FormatError when it is larger than `largest` bytes (checked before anything is allocated).
std::string read_file(std::filesystem::path const& path, std::size_t largest = std::size_t{1} << 28);

/// Appends to a file that `write_file_atomically` is making.
class FileWriter {
 public:
  /// @throws FileError when the bytes cannot be written: no space, for one.
  void write(std::span<std::byte const> bytes);
  /// The same for text.
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

 private:
  friend void write_file_atomically(std::filesystem::path const&, FunctionRef<void(FileWriter&)>);
  FileWriter(int descriptor, std::filesystem::path const& path) : descriptor_(descriptor), path_(path) {}
  int descriptor_;
  std::filesystem::path const& path_;
};

/// Makes `path` hold what `writer` writes: all of it, or, when anything throws, what it held before.
///
/// The bytes go to a temporary file beside `path`, reach the disk, and then take its name. A file that was there keeps its permissions.
/// @throws FileError when a step fails or `path` is a device, a pipe or a socket, and whatever `writer` throws; the temporary file is then removed.
void write_file_atomically(std::filesystem::path const& path, FunctionRef<void(FileWriter&)> writer);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

[[noreturn]] inline void throw_file_error(std::filesystem::path const& path, std::string const& what, int error) {
  throw FileError(detail::message({path.string(), ": ", what, ": ", std::generic_category().message(error)}));
}

}  // namespace detail

AXIFORM_INLINE File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

AXIFORM_INLINE File File::open_read(std::filesystem::path const& path) {
  int descriptor = -1;
  do {  // Not blocking, or opening a pipe would wait for its writer before we can see that it is one.
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) detail::throw_file_error(path, "cannot be opened", errno);
  File file(path, descriptor);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) detail::throw_file_error(path, "cannot be examined", errno);
  if (S_ISDIR(status.st_mode)) throw FileError(detail::message({path.string(), ": is a directory, expected a file"}));
  if (!S_ISREG(status.st_mode)) throw FileError(detail::message({path.string(), ": is not a regular file"}));
  file.size_ = static_cast<std::size_t>(status.st_size);
  return file;
}

AXIFORM_INLINE void File::read_at(std::size_t offset, std::span<std::byte> out) const {
  constexpr auto last_offset = static_cast<std::size_t>(std::numeric_limits<off_t>::max());
  if (offset > last_offset || out.size() > last_offset - offset)
    throw FileError(detail::message({name(), ": a read of ", out.size(), " bytes at ", offset, " is beyond any file"}));
  std::size_t done = 0;
  while (done < out.size()) {
    auto const count = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) detail::throw_file_error(path_, "cannot be read", errno);
    if (count == 0)
      throw FileError(detail::message({name(), ": ends at byte ", offset + done, ", expected ", out.size(), " bytes at ", offset,
                                       " (it had ", size_, " bytes when it was opened)"}));
    done += static_cast<std::size_t>(count);
  }
}

AXIFORM_INLINE FileMapping File::map() const {
  if (size_ == 0) return {};
  void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_, 0);
  if (mapped == MAP_FAILED) detail::throw_file_error(path_, "cannot be mapped", errno);
  return FileMapping({static_cast<std::byte const*>(mapped), size_});
}

AXIFORM_INLINE FileMapping::~FileMapping() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

AXIFORM_INLINE std::string read_file(std::filesystem::path const& path, std::size_t largest) {
  File const file = File::open_read(path);
  if (file.size() > largest)
    throw FormatError(detail::message({path.string(), ": has ", file.size(), " bytes, expected at most ", largest}));
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

AXIFORM_INLINE void FileWriter::write(std::span<std::byte const> bytes) {
  while (!bytes.empty()) {
    auto const count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) detail::throw_file_error(path_, "cannot be written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

namespace detail {

/// A new file beside a path, removed again unless it was given the path's name.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::filesystem::path const& target) {
    struct stat status {};
    if (::stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))  // Its name would go to the new file.
      throw FileError(message({target.string(), ": is not a regular file"}));
    static std::atomic<unsigned> next{0};  // Only tells threads of one process apart; O_EXCL tells processes apart.
    for (int attempt = 0; attempt < 100; ++attempt) {
      path_ = target;
      path_ += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(next.fetch_add(1));
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ >= 0) return;
      if (errno != EEXIST && errno != EINTR) break;
    }
    throw_file_error(target, "cannot be created", errno);
  }
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(TemporaryFile const&) = delete;
  TemporaryFile& operator=(TemporaryFile const&) = delete;

  int descriptor() const noexcept { return descriptor_; }

  void become(std::filesystem::path const& target) {
    struct stat status {};
    if (::stat(target.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::fchmod(descriptor_, status.st_mode & 07777) != 0)
      throw_file_error(target, "cannot keep its permissions", errno);
    if (::fsync(descriptor_) != 0) throw_file_error(target, "cannot be written to the disk", errno);
    if (::close(std::exchange(descriptor_, -1)) != 0) throw_file_error(target, "cannot be closed", errno);
    if (::rename(path_.c_str(), target.c_str()) != 0) throw_file_error(target, "cannot be replaced", errno);
    path_.clear();
  }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace detail

AXIFORM_INLINE void write_file_atomically(std::filesystem::path const& path, FunctionRef<void(FileWriter&)> writer) {
  detail::TemporaryFile temporary(path);
  FileWriter file(temporary.descriptor(), path);
  writer(file);
  temporary.become(path);
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
