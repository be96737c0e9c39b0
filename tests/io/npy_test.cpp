// Against files that NumPy wrote: fixtures/io/make_npy.py.
#include <axiform/io/npy.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;
using namespace std::string_literals;
using axes::Keys, axes::Queries, axes::Sequences, axes::Tokens;

namespace {

struct Features : Const<3> {};

std::filesystem::path fixture(std::string const& name) { return std::filesystem::path(AXIFORM_FIXTURES) / "io/npy" / (name + ".npy"); }

/// The elements of a fixture [2, 3], as bits: NaN and -0 count.
template <class Element>
std::vector<std::byte> elements_of(std::string const& name) {
  auto const tensor = read_npy<Element, Tokens, Const<3>>(fixture(name));
  REQUIRE(tensor.lengths() == std::array<std::size_t, 2>{2, 3});
  auto const bytes = std::as_bytes(tensor.elements());
  return {bytes.begin(), bytes.end()};
}

template <class Element>
std::vector<std::byte> bytes_of(std::vector<Element> const& values) {
  auto const bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

/// That a tensor holds k / 2 - 1 for k = 0, 1, …
template <class Tensor>
void check_counted(Tensor const& tensor, std::array<std::size_t, Tensor::rank> const& lengths) {
  CHECK(tensor.lengths() == lengths);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < tensor.size(); ++i) wrong += static_cast<double>(tensor.elements()[i]) != static_cast<double>(i) / 2 - 1;
  CHECK(wrong == 0);
}

std::string npy(std::string const& header, std::string const& elements, int version = 1) {
  std::string const length{static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  return "\x93NUMPY"s + static_cast<char>(version) + '\0' + length + (version == 1 ? ""s : "\0\0"s) + header + elements;
}

std::string header(std::string const& shape, std::string const& type = "<f4") {
  return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("npy: arrays of every type are read as the elements they have, and as any that hold them all") {
  constexpr auto infinity = std::numeric_limits<double>::infinity();
  constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
  auto const halves = [](std::vector<std::uint16_t> const& bits) { return bytes_of(bits); };
  CHECK(elements_of<bool>("b1") == bytes_of<std::uint8_t>({1, 0, 0, 1, 1, 0}));
  CHECK(elements_of<Float16>("f2") == halves({0xfc00, 0x7bff, 0x8000, 1, 0xbe00, 0x7e00}));
  for (auto const& [name, greatest, least] :
       {std::tuple("f2", 65504.0, 0x1p-24), std::tuple("f4", double{std::numeric_limits<float>::max()}, 0x1p-149),
        std::tuple("f8", std::numeric_limits<double>::max(), 0x1p-1074)}) {
    std::vector<double> const values{-infinity, greatest, -0.0, least, -1.5, nan};
    CHECK(elements_of<double>(name) == bytes_of(values));
    if (name != "f8"s) CHECK(elements_of<float>(name) == bytes_of(std::vector<float>(values.begin(), values.end())));
  }
  for (auto const& [name, least, greatest] :
       {std::tuple("i1", -128ll, 127ll), std::tuple("i2", -32768ll, 32767ll), std::tuple("i4", -2147483648ll, 2147483647ll),
        std::tuple("i8", std::numeric_limits<long long>::min(), std::numeric_limits<long long>::max()), std::tuple("u1", 0ll, 255ll),
        std::tuple("u2", 0ll, 65535ll), std::tuple("u4", 0ll, 4294967295ll)}) {
    std::vector<std::int64_t> const values{least, greatest, 0, 1, 2, least / 2};
    CHECK(elements_of<std::int64_t>(name) == bytes_of(values));
    if (name != "i8"s && name != "u4"s)
      CHECK(elements_of<std::int32_t>(name) == bytes_of(std::vector<std::int32_t>(values.begin(), values.end())));
  }
}

TEST_CASE("npy: a type that the elements do not hold is refused by name") {
  auto const refusal = [](auto element, std::string const& name) {
    auto const message = message_of<CheckpointError>([&] { read_npy<decltype(element), Tokens, Const<3>>(fixture(name)); });
    CHECK(contains(message, fixture(name).string()));
    return message;
  };
  CHECK(contains(refusal(0.0f, "f8"), R"(: found the dtype "<f8", expected "<f4" or "<f2")"));
  CHECK(contains(refusal(Float16(), "f4"), R"(: found the dtype "<f4", expected "<f2")"));
  CHECK(contains(refusal(true, "u1"), R"(: found the dtype "|u1", expected "|b1")"));
  CHECK(contains(refusal(std::int32_t{}, "u4"), R"(found the dtype "<u4", expected "<i4" or "<i2" or "<u2" or "|i1" or "|u1")"));
  CHECK(contains(refusal(std::int64_t{}, "u8"), R"(found the dtype "<u8", expected "<i8" or "<i4" or "<u4" or)"));
  CHECK(contains(refusal(0.0f, "i4"), R"(found the dtype "<i4")"));
  CHECK(contains(refusal(std::int64_t{}, "f4"), R"(found the dtype "<f4")"));
  CHECK(contains(refusal(0.0, "c8"), R"(found the dtype "<c8")"));
  CHECK(contains(refusal(0.0, "b1"), R"(found the dtype "|b1")"));
  CHECK(contains(refusal(0.0f, "text"), R"(found the dtype "<U2")"));
  CHECK(contains(refusal(0.0f, "object"), R"(found the dtype "|O" (objects of Python), expected "<f4" or "<f2")"));
  CHECK(contains(refusal(0.0f, "structured"), R"(found a structured dtype, expected "<f4" or "<f2")"));
}

TEST_CASE("npy: both orders of bytes and of indices give the same tensor, of any number of axes") {
  check_counted(read_npy<float, Const<5>>(fixture("rank_1")), {5});
  check_counted(read_npy<float, Tokens, Features>(fixture("rank_2")), {2, 3});
  check_counted(read_npy<double, Tokens, Features, Const<4>>(fixture("rank_3")), {2, 3, 4});
  check_counted(read_npy<float, Sequences, Tokens, Queries, Keys>(fixture("rank_4")), {2, 3, 2, 2});
  check_counted(read_npy<Float16, Tokens, Features>(fixture("big_f2")), {2, 3});
  check_counted(read_npy<float, Tokens, Features>(fixture("big_f2")), {2, 3});
  check_counted(read_npy<float, Tokens, Features>(fixture("big_f4")), {2, 3});
  check_counted(read_npy<double, Tokens, Features>(fixture("big_f8")), {2, 3});
  check_counted(read_npy<float, Const<3>, Tokens>(fixture("fortran_2")), {3, 4});
  check_counted(read_npy<double, Const<3>, Tokens>(fixture("fortran_long")), {3, 1900});
  check_counted(read_npy<float, Tokens, Const<3>, Const<4>>(fixture("fortran_3")), {2, 3, 4});
  check_counted(read_npy<double, Sequences, Tokens, Queries, Keys>(fixture("fortran_4")), {2, 3, 4, 5});
  check_counted(read_npy<float, Tokens, Const<3>>(fixture("version_2")), {2, 3});
  check_counted(read_npy<float, Tokens, Const<3>>(fixture("version_3")), {2, 3});
  check_counted(read_npy<float, Tokens, Const<3>>(fixture("empty_0_3")), {0, 3});
  check_counted(read_npy<double, Tokens, Keys, Const<3>>(fixture("empty_2_0_3")), {2, 0, 3});
  auto const integers = read_npy<std::int64_t, Tokens>(fixture("big_i8"));
  CHECK(std::vector(integers.elements().begin(), integers.elements().end()) == std::vector<std::int64_t>{-2, std::int64_t{1} << 40, 3});
}

TEST_CASE("npy: other axes are refused with the file, both shapes and the axis") {
  auto const refusal = [](auto read, std::string const& name) {
    auto const message = message_of<ShapeError>([&] { read(fixture(name)); });
    CHECK(contains(message, fixture(name).string() + ": found the shape ["));
    return message;
  };
  CHECK(contains(refusal(&read_npy<float, Tokens, Const<64>>, "rank_2"),
                 "found the shape [2, 3], expected [Tokens, Const<64>]: axis Const<64> has the length 3, expected 64"));
  CHECK(contains(refusal(&read_npy<float, Features, Tokens>, "rank_2"),
                 "found the shape [2, 3], expected [Features, Tokens]: axis Features has the length 2, expected 3"));
  CHECK(contains(refusal(&read_npy<float, Tokens>, "rank_2"), "found the shape [2, 3], expected [Tokens]"));
  CHECK(
      contains(refusal(&read_npy<float, Tokens, Keys>, "scalar"), "found the shape [] of a number without axes, expected [Tokens, Keys]"));
}

TEST_CASE("npy: headers are read in any order and spacing, and nothing else passes for one") {
  TemporaryDirectory directory;
  auto const read = [&](std::string const& header) {
    write_bytes(directory / "a.npy", npy(header, std::string(8, '\0')));
    return read_npy<float, Tokens>(directory / "a.npy").size();
  };
  CHECK(read("{'descr':'<f4','fortran_order':True,'shape':(2,)}") == 2);
  CHECK(read(R"( { "shape" : ( 2 , ) ,"fortran_order":False, "descr":"<f4" , }  )"s + "\n") == 2);
  for (auto const& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"", R"(the header has its end at byte 0, expected "{")"},
           {"[]", R"(the header has "[]" at byte 0, expected "{")"},
           {"{}", "the header has no key descr"},
           {"{'descr': '<f4', 'shape': (2,)}", "the header has no key fortran_order"},
           {"{'descr': '<f4', 'fortran_order': False}", "the header has no key shape"},
           {"{'descr': '<f4', 'descr': '<f4'}", "at byte 17, expected each of the keys descr, fortran_order and shape once"},
           {"{'type': '<f4'}", R"(has "'type': '<f4'}" at byte 1, expected each of the keys)"},
           {"{'descr' '<f4'}", R"(expected ":")"},
           {"{'descr': '<f4' 'shape': (2,)}", R"(expected "," or "}")"},
           {"{'descr': '<f4',, }", "expected a string"},
           {"{'descr': '<f4", "expected a string without escapes"},
           {"{'descr': '\\x3cf4'", "expected a string without escapes"},
           {"{descr: '<f4'}", "expected a string"},
           {"{'fortran_order': 0}", "expected True or False"},
           {"{'shape': [2]}", R"(expected "(")"},
           {"{'shape': (2)}", R"(has ")}" at byte 12, expected ",")"},
           {"{'shape': (2 3)}", R"(expected ",")"},
           {"{'shape': (,)}", "expected a length"},
           {"{'shape': (2,,)}", "expected a length"},
           {"{'shape': (02,)}", "expected a length"},
           {"{'shape': (-2,)}", "expected a length"},
           {"{'shape': (2.0,)}", R"(expected ",")"},
           {"{'shape': (18446744073709551616,)}", "expected a length of 64 bits"},
           {"{'shape': (1,", "expected a length"},
           {header("(2,)") + "x", "expected nothing after the dict"},
           {header("(2,)") + '\0', "expected nothing after the dict"},
       }) {
    CAPTURE(text);
    auto const found = message_of<FormatError>([&] { read(text); });
    CHECK_MESSAGE(contains(found, message), found);
    CHECK(contains(found, (directory / "a.npy").string() + ": the header has "));
  }
  std::string lengths;
  for (int i = 0; i < 65; ++i) lengths += "1,";
  CHECK(contains(message_of<FormatError>([&] { read(header("(" + lengths + ")")); }), "expected at most 64 lengths"));
  for (std::string const type : {"f4", "=f4", "|f4", "<", "", "<f3", "<f44"})
    CHECK(contains(message_of<CheckpointError>([&] { read(header("(2,)", type)); }), "found the dtype \"" + type + '"'));
}

TEST_CASE("npy: files that lie about their size are refused before memory is taken") {
  TemporaryDirectory directory;
  auto const refusal = [&](std::string const& bytes) {
    write_bytes(directory / "a.npy", bytes);
    auto const message = message_of<FormatError>([&] { read_npy<float, Tokens, Keys>(directory / "a.npy"); });
    CHECK(contains(message, (directory / "a.npy").string() + ": "));
    return message;
  };
  std::string const eight(8, '\0');
  CHECK(contains(refusal(npy(header("(2, 2)"), eight)),
                 "found 8 bytes of elements, expected 16 for the shape [2, 2] of <f4 (is it truncated?)"));
  CHECK(contains(refusal(npy(header("(1, 1)"), eight)),
                 "found 8 bytes of elements, expected 4 for the shape [1, 1] of <f4, and nothing after them"));
  CHECK(contains(refusal(npy(header("(9223372036854775807, 2)"), eight)), "which is larger than any file"));
  CHECK(contains(refusal(npy(header("(4294967296, 4294967296)"), eight)), "which is larger than any file"));
  CHECK(contains(refusal(npy(header("(18446744073709551615, 0)"), "")), "which is larger than any file"));
  CHECK(contains(refusal(npy(header("(1000000000000, 1000)"), eight)), "found 8 bytes of elements, expected 4000000000000000"));
  CHECK(contains(refusal("\x93NUMPY\x01\x00\xff\xff{}"s), "says that its header has 65535 bytes, expected at most the 2 that follow"));
  CHECK(contains(refusal("\x93NUMPY\x02\x00\xff\xff\xff\xff{}"s), "says that its header has 4294967295 bytes, expected at most the 2"));
  CHECK(contains(refusal("\x93NUMPY\x02\x00\x01\x00\x10\x00"s + std::string(0x100001, ' ')),
                 "says that its header has 1048577 bytes, expected at most 1048576"));
  CHECK(contains(refusal("\x93NUMPY\x04\x00\x02\x00{}  "s), "has the version 4.0, expected 1.0, 2.0 or 3.0"));
  CHECK(contains(refusal("\x93NUMPY\x01\x01\x02\x00{}  "s), "has the version 1.1"));
  CHECK(contains(refusal("PK\3\4 and so on"), R"(begins with "PK\x03\x04 a", expected "\x93NUMPY")"));
  CHECK(contains(message_of<FileError>([&] { read_npy<float, Tokens>(directory / "absent.npy"); }), "absent.npy: cannot be opened"));
}

TEST_CASE("npy: a file that was cut off anywhere, or goes on, is refused") {
  TemporaryDirectory directory;
  for (char const* name : {"rank_2", "big_f4", "fortran_2", "version_2"}) {
    std::string const whole = read_bytes(fixture(name));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      write_bytes(directory / "a.npy", whole.substr(0, size));
      auto const message = message_of<FormatError>([&] { read_npy<float, Tokens, Keys>(directory / "a.npy"); });
      CHECK_MESSAGE(contains(message, "truncated?"), message);
    }
    write_bytes(directory / "a.npy", whole + '\n');
    CHECK(contains(message_of<FormatError>([&] { read_npy<float, Tokens, Keys>(directory / "a.npy"); }), "and nothing after them"));
  }
}

TEST_CASE("npy: a file with any byte changed is read or refused") {
  TemporaryDirectory directory;
  std::size_t taken = 0, refused = 0;
  for (char const* name : {"rank_2", "fortran_2", "version_2"}) {
    std::string const whole = read_bytes(fixture(name));
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (int const change : {0x01, 0x02, 0x04, 0x10, 0x20, 0x80, 0xff}) {
        std::string bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ change);
        write_bytes(directory / "a.npy", bytes);
        try {
          auto const tensor = read_npy<float, Tokens, Keys>(directory / "a.npy");
          CHECK(tensor.size() * 4 <= whole.size());
          ++taken;
        } catch (Error const& error) {
          CHECK(std::string_view(error.what()).size() < 1000);
          ++refused;
        }
      }
  }
  CHECK(taken > 100);
  CHECK(refused > 100);
}

TEST_CASE("npy: what is written has the bytes that np.save writes") {
  TemporaryDirectory directory;
  auto const check_written = [&](auto const& tensor, std::string const& name) {
    CAPTURE(name);
    write_npy(directory / "a.npy", tensor);
    CHECK(read_bytes(directory / "a.npy") == read_bytes(fixture(name)));
  };
  check_written(read_npy<bool, Tokens, Const<3>>(fixture("b1")), "b1");
  check_written(read_npy<Float16, Tokens, Const<3>>(fixture("f2")), "f2");
  check_written(read_npy<float, Tokens, Const<3>>(fixture("f4")), "f4");
  check_written(read_npy<double, Tokens, Const<3>>(fixture("f8")), "f8");
  check_written(read_npy<std::int32_t, Tokens, Const<3>>(fixture("i4")), "i4");
  check_written(read_npy<std::int64_t, Tokens, Const<3>>(fixture("i8")), "i8");
  check_written(read_npy<float, Tokens>(fixture("rank_1")), "rank_1");
  check_written(read_npy<float, Tokens, Features, Const<4>>(fixture("rank_3")), "rank_3");
  check_written(read_npy<float, Sequences, Tokens, Queries, Keys>(fixture("rank_4")), "rank_4");
  check_written(read_npy<float, Tokens, Const<3>>(fixture("empty_0_3")), "empty_0_3");
  check_written(read_npy<float, Tokens, Keys, Const<3>>(fixture("empty_2_0_3")), "empty_2_0_3");
}

TEST_CASE("npy: of a view the rows are written, and a file is replaced as a whole") {
  TemporaryDirectory directory;
  Tensor<float, Tokens, Const<500>> wide(90);
  for (std::size_t i = 0; i < wide.size(); ++i) wide.data()[i] = static_cast<float>(i);
  TensorView<float, Tokens, Const<300>> const part(wide.data() + 100, {90}, 500);
  write_npy(directory / "a.npy", part);
  auto const again = read_npy<float, Tokens, Const<300>>(directory / "a.npy");
  std::size_t wrong = 0;
  for (std::size_t row = 0; row < 90; ++row)
    for (std::size_t column = 0; column < 300; ++column) wrong += again(row, column) != wide(row, column + 100);
  CHECK(wrong == 0);
  write_npy(directory / "a.npy", read_npy<float, Tokens, Features>(fixture("rank_2")));
  check_counted(read_npy<float, Tokens, Features>(directory / "a.npy"), {2, 3});
  Tensor<float, Const<2>> gone;
  auto const taken = std::move(gone);
  CHECK(contains(message_of<ArgumentError>([&] { write_npy(directory / "a.npy", gone); }), "was moved from"));
  CHECK(directory.file_count() == 1);
}

TEST_CASE("npy: a byte of a bool other than 0 is true") {
  TemporaryDirectory directory;
  write_bytes(directory / "a.npy", npy(header("(3,)", "|b1"), "\x02\x00\xff"s));
  auto const values = read_npy<bool, Tokens>(directory / "a.npy");
  CHECK(std::vector(values.elements().begin(), values.elements().end()) == std::vector{true, false, true});
}
