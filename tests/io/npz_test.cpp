// Against files that NumPy wrote: fixtures/io/make_npy.py.
#include <axiform/io/crc32.hpp>
#include <axiform/io/npz.hpp>
#include <axiform/io/zip_writer.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;
using axes::Keys, axes::Tokens;

namespace {

std::filesystem::path fixture(std::string const& name) { return std::filesystem::path(AXIFORM_FIXTURES) / "io/npy" / name; }

template <class Element, Axis... Axes>
std::vector<Element> elements_of(Tensor<Element, Axes...> const& tensor) {
  return {tensor.elements().begin(), tensor.elements().end()};
}

std::uint32_t checksum_of(std::string_view text) {
  Crc32 checksum;
  checksum.add(std::as_bytes(std::span(text)));
  return checksum.value();
}

}  // namespace

TEST_CASE("crc32: the checksum is the standard's, in one piece or in many") {
  CHECK(checksum_of("123456789") == 0xcbf43926);  // The check value of the catalogue of parametrised CRC algorithms.
  CHECK(checksum_of("") == 0);
  std::string text;
  for (int i = 0; i < 100; ++i) text += static_cast<char>(i * i);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Crc32 checksum;
    checksum.add(std::as_bytes(std::span(text)).first(cut));
    checksum.add(std::as_bytes(std::span(text)).subspan(cut));
    CHECK(checksum.value() == checksum_of(text));
  }
}

TEST_CASE("npz: arrays that np.savez wrote are read by name") {
  auto const file = NpzFile::open(fixture("stored.npz"));
  CHECK(file.names() == std::vector<std::string>{"größe", "labels", "x"});
  CHECK(file.contains("x"));
  CHECK(file.contains("x.npy"));
  CHECK_FALSE(file.contains("y"));
  CHECK_FALSE(file.contains("x.npy.npy"));
  CHECK(elements_of(file.read<float, Tokens, Const<3>>("x")) == std::vector<float>{-1, -0.5, 0, 0.5, 1, 1.5});
  CHECK(elements_of(file.read<double, Tokens, Const<3>>("x.npy")) == std::vector<double>{-1, -0.5, 0, 0.5, 1, 1.5});
  CHECK(elements_of(file.read<std::int64_t, Tokens>("labels")) == std::vector<std::int64_t>{3, -1});
  CHECK(elements_of(file.read<double, Const<4>>("größe")) == std::vector<double>{-1, -0.5, 0, 0.5});
  auto const name = fixture("stored.npz").string();
  CHECK(message_of<CheckpointError>([&] { file.read<float, Tokens>("y"); }) ==
        name + R"(: has no array "y", but "gr\xc3\xb6\xc3\x9fe, labels, x")");
  CHECK(message_of<CheckpointError>([&] { file.read<float, Tokens>("labels"); }) ==
        name + R"(: labels.npy: found the dtype "<i8", expected "<f4" or "<f2")");
  CHECK(message_of<ShapeError>([&] { file.read<float, Tokens, Keys, Const<3>>("x"); }) ==
        name + ": x.npy: found the shape [2, 3], expected [Tokens, Keys, Const<3>]");
}

TEST_CASE("npz: what np.savez_compressed wrote is refused with what to use instead") {
  auto const message = message_of<FormatError>([&] { NpzFile::open(fixture("compressed.npz")); });
  CHECK(contains(message, fixture("compressed.npz").string() + ": the record \""));
  CHECK(contains(message, "is compressed (method 8), expected one that is stored as it is: use np.savez, not np.savez_compressed"));
}

TEST_CASE("npz: what is written is read again, in whatever order it was written") {
  TemporaryDirectory directory;
  Tensor<float, Tokens, Const<3>> x(2);
  x(1, 2) = 5;
  Tensor<std::int32_t, Keys> labels(3);
  labels(0) = -7;
  TensorView<float const, Tokens, Const<2>> const part(x.data() + 1, {2}, 3);
  write_npz(directory / "a.npz", {npz_entry("x", x), npz_entry("größe", labels), npz_entry("part", part), npz_entry("x.npy", labels)});
  auto const file = NpzFile::open(directory / "a.npz");
  CHECK(file.names() == std::vector<std::string>{"größe", "part", "x", "x.npy"});
  CHECK(elements_of(file.read<float, Tokens, Const<3>>("x")) == elements_of(x));
  CHECK(elements_of(file.read<std::int32_t, Keys>("größe")) == std::vector<std::int32_t>{-7, 0, 0});
  CHECK(elements_of(file.read<float, Tokens, Keys>("part")) == std::vector<float>{0, 0, 0, 5});
  CHECK(elements_of(file.read<float, Tokens, Keys>("x.npy")) == elements_of(x));  // As NumPy: a name with .npy is first a record's.
  CHECK(elements_of(file.read<std::int32_t, Keys>("x.npy.npy")) == elements_of(labels));
  write_npz(directory / "a.npz", std::span<NpzEntry const>());
  CHECK(NpzFile::open(directory / "a.npz").names().empty());
  CHECK(contains(message_of<CheckpointError>([&] { NpzFile::open(directory / "a.npz").read<float, Tokens>("x"); }),
                 "has no array \"x\", nor any other"));
  CHECK(contains(message_of<ArgumentError>([&] { write_npz(directory / "a.npz", {npz_entry("x", x), npz_entry("x", x)}); }),
                 "x.npy: two zip records have this name"));
  CHECK(NpzFile::open(directory / "a.npz").names().empty());
  CHECK(directory.file_count() == 1);
}

TEST_CASE("npz: names that are too long are refused") {
  TemporaryDirectory directory;
  Tensor<float, Tokens> const x(2);
  CHECK(contains(message_of<ArgumentError>([&] { write_npz(directory / "a.npz", {npz_entry(std::string(65532, 'x'), x)}); }),
                 "a zip record's name has 65536 bytes, expected at most 65535"));
  write_npz(directory / "a.npz", {npz_entry(std::string(65531, 'x'), x)});
  CHECK(NpzFile::open(directory / "a.npz").contains(std::string(65531, 'x')));
}

TEST_CASE("npz: a file that was cut off anywhere, or has any byte changed, is refused or gives what was written") {
  TemporaryDirectory directory;
  std::string const whole = read_bytes(fixture("stored.npz"));
  std::size_t taken = 0, refused = 0;
  auto const read = [&](std::string const& bytes) {
    write_bytes(directory / "a.npz", bytes);
    try {
      auto const file = NpzFile::open(directory / "a.npz");
      for (std::string const& name : file.names()) CHECK(file.contains(name));
      auto const elements = elements_of(file.read<float, Tokens, Const<3>>("x"));  // CHECK would take its exceptions.
      CHECK(elements == std::vector<float>{-1, -0.5, 0, 0.5, 1, 1.5});
      ++taken;
    } catch (Error const& error) {
      CHECK(std::string_view(error.what()).size() < 1000);
      ++refused;
    }
  };
  for (std::size_t size = 0; size < whole.size(); ++size) read(whole.substr(0, size));
  CHECK(taken == 0);
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (int const change : {0x01, 0x04, 0x20, 0xff}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(bytes[i] ^ change);
      read(bytes);
    }
  CHECK(taken > 100);  // Dates, what other arrays hold, …
  CHECK(refused > whole.size() + 300);
}

TEST_CASE("npz: an array with a byte changed is refused for its checksum") {
  TemporaryDirectory directory;
  std::string bytes = read_bytes(fixture("stored.npz"));
  std::size_t const at = bytes.find("(2, 3)");
  REQUIRE(at != bytes.npos);
  bytes[at + 1] = '3';
  write_bytes(directory / "a.npz", bytes);
  auto const file = NpzFile::open(directory / "a.npz");
  CHECK(contains(message_of<FormatError>([&] { file.read<float, Tokens, Const<3>>("x"); }), "a.npz: x.npy: its bytes have the CRC-32 "));
  CHECK_NOTHROW(file.read<std::int64_t, Tokens>("labels"));
}
