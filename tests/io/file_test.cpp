#include <axiform/io/file.hpp>

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <array>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

TEST_CASE("file: a positioned read gives the bytes that are there") {
  TemporaryDirectory directory;
  write_bytes(directory / "f", "0123456789");
  File const file = File::open_read(directory / "f");
  CHECK(file.size() == 10);
  std::array<char, 4> four{};
  file.read_at(3, std::as_writable_bytes(std::span(four)));
  CHECK(std::string_view(four.data(), 4) == "3456");
  file.read_at(10, {});
  CHECK(read_file(directory / "f") == "0123456789");
}

TEST_CASE("file: a read beyond the end is an error that names the file") {
  TemporaryDirectory directory;
  write_bytes(directory / "f", "0123456789");
  File const file = File::open_read(directory / "f");
  std::array<std::byte, 4> four{};
  for (std::size_t offset : {std::size_t{7}, std::size_t{10}, std::size_t{1} << 40, ~std::size_t{0}, ~std::size_t{0} >> 1})
    CHECK(contains(message_of<FileError>([&] { file.read_at(offset, four); }), (directory / "f").string()));
}

TEST_CASE("file: a file that shrinks while it is open is an error") {
  TemporaryDirectory directory;
  write_bytes(directory / "f", "0123456789");
  File const file = File::open_read(directory / "f");
  std::filesystem::resize_file(directory / "f", 5);
  std::array<std::byte, 10> ten{};
  CHECK(contains(message_of<FileError>([&] { file.read_at(0, ten); }), "ends at byte 5"));
}

TEST_CASE("file: what is not a regular file is refused without waiting for it") {
  TemporaryDirectory directory;
  CHECK(contains(message_of<FileError>([&] { File::open_read(directory.path()); }), "is a directory"));
  CHECK(contains(message_of<FileError>([&] { File::open_read(directory / "absent"); }), "absent: cannot be opened"));
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  CHECK(contains(message_of<FileError>([&] { File::open_read(directory / "pipe"); }), "not a regular file"));
  // A new file would take the pipe's name, as it would a device's, and the pipe would be gone.
  CHECK(contains(message_of<FileError>([&] { write_file_atomically(directory / "pipe", [](FileWriter&) {}); }), "not a regular file"));
  CHECK(std::filesystem::is_fifo(directory / "pipe"));
}

TEST_CASE("file: a file larger than the limit is refused before it is read") {
  TemporaryDirectory directory;
  write_bytes(directory / "f", "0123456789");
  CHECK(contains(message_of<FormatError>([&] { read_file(directory / "f", 9); }), "has 10 bytes, expected at most 9"));
}

TEST_CASE("file: an atomic write makes the whole file, and keeps the permissions of the one that it replaces") {
  TemporaryDirectory directory;
  auto const path = directory / "f";
  write_file_atomically(path, [](FileWriter& file) {
    file.write("one ");
    file.write(std::string(100'000, 'x'));
  });
  CHECK(read_bytes(path).size() == 100'004);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  write_file_atomically(path, [](FileWriter& file) { file.write("two"); });
  CHECK(read_bytes(path) == "two");
  CHECK(std::filesystem::status(path).permissions() == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(directory.file_count() == 1);
}

TEST_CASE("file: an atomic write that fails leaves the old file and nothing else") {
  TemporaryDirectory directory;
  auto const path = directory / "f";
  write_bytes(path, "old");
  auto const fail = [&] {
    write_file_atomically(path, [](FileWriter& file) {
      file.write("half of the new");
      throw ArgumentError("enough");
    });
  };
  CHECK(message_of<ArgumentError>(fail) == "enough");
  CHECK(read_bytes(path) == "old");
  CHECK(directory.file_count() == 1);
  CHECK(contains(message_of<FileError>([&] { write_file_atomically(directory / "no/f", [](FileWriter&) {}); }), "no/f: cannot be created"));
  std::filesystem::create_directory(directory / "d");
  CHECK(contains(message_of<FileError>([&] { write_file_atomically(directory / "d", [](FileWriter&) {}); }), "d: cannot be replaced"));
  CHECK(directory.file_count() == 2);
}

TEST_CASE("file: a moved file reads on, and assignment closes the one before") {
  TemporaryDirectory directory;
  write_bytes(directory / "a", "a");
  write_bytes(directory / "b", "b");
  File file = File::open_read(directory / "a");
  file = File::open_read(directory / "b");
  File const moved = std::move(file);
  std::array<char, 1> one{};
  moved.read_at(0, std::as_writable_bytes(std::span(one)));
  CHECK(one[0] == 'b');
  CHECK(moved.path() == directory / "b");
}
