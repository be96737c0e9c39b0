#include <axiform/io/zip.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;
using namespace std::string_literals;

namespace {

std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i & 0xff);
  return bytes;
}

/// A record of an archive, and what its entry in the directory says of it.
struct Record {
  std::string name, bytes;
  std::uint64_t flags = 0, method = 0;
  std::uint64_t size_offset = 0;    // Added to the size that the directory says.
  std::uint64_t header_offset = 0;  // Added to the place that the directory says.
};

enum class Sizes { of_32_bits, of_64_bits };

/// An archive of stored records.
std::string archive(std::vector<Record> const& records, Sizes sizes = Sizes::of_32_bits, std::string const& comment = "") {
  bool const is_large = sizes == Sizes::of_64_bits;
  std::string file, directory;
  for (Record const& record : records) {
    std::uint64_t const header = file.size() + record.header_offset, size = record.bytes.size() + record.size_offset;
    std::string const padding(5, '\0');  // Only the record's own header has it, as PyTorch writes it to align the bytes.
    file +=
        "PK\3\4" + std::string(22, '\0') + little(record.name.size(), 2) + little(padding.size(), 2) + record.name + padding + record.bytes;
    std::string const large = is_large ? little(1, 2) + little(24, 2) + little(size, 8) + little(size, 8) + little(header, 8) : "";
    auto const number = [&](std::uint64_t value) { return little(is_large ? 0xffffffff : value, 4); };
    directory += "PK\1\2" + std::string(4, '\0') + little(record.flags, 2) + little(record.method, 2) + std::string(8, '\0') +
                 number(size) + number(size) + little(record.name.size(), 2) + little(large.size(), 2) + std::string(10, '\0') +
                 number(header) + record.name + large;
  }
  std::uint64_t const begin = file.size(), end = begin + directory.size();
  file += directory;
  if (is_large) {
    file += "PK\6\6" + little(44, 8) + std::string(12, '\0') + little(records.size(), 8) + little(records.size(), 8) +
            little(directory.size(), 8) + little(begin, 8);
    file += "PK\6\7" + std::string(4, '\0') + little(end, 8) + little(1, 4);
  }
  auto const number = [&](std::uint64_t value, std::size_t size) { return little(is_large ? ~std::uint64_t{0} : value, size); };
  return file + "PK\5\6" + std::string(4, '\0') + number(records.size(), 2) + number(records.size(), 2) + number(directory.size(), 4) +
         number(begin, 4) + little(comment.size(), 2) + comment;
}

ZipDirectory read(TemporaryDirectory const& directory, std::string const& bytes) {
  write_bytes(directory / "a.zip", bytes);
  return read_zip_directory(File::open_read(directory / "a.zip"));
}

}  // namespace

TEST_CASE("zip: stored records are found, with sizes of 32 and 64 bits, and behind a comment") {
  TemporaryDirectory directory;
  for (Sizes sizes : {Sizes::of_32_bits, Sizes::of_64_bits}) {
    for (std::string const& comment : {""s, "PK\5\6 is how a directory ends"s, std::string(65535, 'x')}) {
      std::string const bytes = archive({{"a/b", "hello"}, {"a/empty", ""}, {"c", "!"}}, sizes, comment);
      auto const records = read(directory, bytes);
      REQUIRE(records.size() == 3);
      CHECK(bytes.substr(records.at("a/b").begin, records.at("a/b").bytes) == "hello");
      CHECK(records.at("a/empty").bytes == 0);
      CHECK(bytes.substr(records.at("c").begin, records.at("c").bytes) == "!");
    }
  }
  CHECK(read(directory, archive({})).empty());
}

TEST_CASE("zip: what cannot be read in place, or lies about its sizes, is refused by name") {
  TemporaryDirectory directory;
  struct Case {
    std::vector<Record> records;
    std::string message;
  };
  Record const plain{"a", "hello"};
  for (Sizes sizes : {Sizes::of_32_bits, Sizes::of_64_bits}) {
    std::uint64_t const minus = sizes == Sizes::of_64_bits ? ~std::uint64_t{0} - 100 : 0xfffffff0;
    for (auto const& [records, message] : std::vector<Case>{
             {{{"b", "x", 0, 8}}, "the record \"b\" is compressed (method 8), expected one that is stored as it is"},
             {{{"b", "x", 1}}, "the record \"b\" is encrypted"},
             {{plain, {"b", "x", 0, 0, 1}}, "the record \"b\" has 2 bytes, expected at most the 1 before the directory"},
             {{{"b", "x", 0, 0, minus}}, "expected at most the 1 before the directory"},
             {{{"b", "x", 0, 0, 0, 1}}, "the record \"b\" has no header at byte 1"},
             {{{"b", "x", 0, 0, 0, 1000}}, "the record \"b\" begins at byte 1000, which is behind the records"},
             {{{"b", "x", 0, 0, 0, minus}}, "which is behind the records"},
             {{{"b", "x", 0, 0, 10}, plain}, "has two records that overlap at byte 37"},
             {{plain, plain}, "the record \"a\" is there twice"},
         }) {
      CAPTURE(message);
      auto const found = message_of<FormatError>([&] { read(directory, archive(records, sizes)); });
      CHECK_MESSAGE(contains(found, message), found);
      CHECK(contains(found, "a.zip: "));
    }
  }
  std::string const whole = archive({plain, {"b", "there"}}), large = archive({plain, {"b", "there"}}, Sizes::of_64_bits);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(contains(message_of<FormatError>([&] { read(directory, whole.substr(0, size)); }), "has no directory at its end"));
  for (std::size_t size = 0; size < large.size(); ++size)
    CHECK(contains(message_of<FormatError>([&] { read(directory, large.substr(0, size)); }), "has no directory at its end"));
  std::string bytes = whole;
  bytes[whole.size() - 12] = 1;  // Entries.
  CHECK(contains(message_of<FormatError>([&] { read(directory, bytes); }), "says that it has 1 records, and its directory has 2"));
  bytes = whole;
  bytes[whole.size() - 7] = 1;  // The directory's size.
  CHECK(contains(message_of<FormatError>([&] { read(directory, bytes); }), "has a zip directory that does not lie in front of its end"));
}
