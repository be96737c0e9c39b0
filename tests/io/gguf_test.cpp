// Against files that the Python package gguf wrote, and the floats that it reads: fixtures/io/make_gguf.py.
#include <axiform/io/gguf.hpp>
#include <axiform/io/read_tensor.hpp>
#include <axiform/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;
using namespace std::string_literals;

namespace {

std::filesystem::path fixture(std::string const& name) { return std::filesystem::path(AXIFORM_FIXTURES) / "io/gguf" / name; }

std::vector<float> floats_of(TensorFile const& file, TensorInfo const& info) {
  std::vector<float> floats(info.element_count());
  file.read_floats(info, 0, floats);
  return floats;
}

bool same_bits(std::span<float const> a, std::span<float const> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

template <class T>
std::string bytes_of(T number) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &number, sizeof(T));
  return bytes;
}
std::string u32(std::uint32_t number) { return bytes_of(number); }
std::string u64(std::uint64_t number) { return bytes_of(number); }
std::string text(std::string const& string) { return u64(string.size()) + string; }

enum : std::uint32_t { type_u8 = 0, type_u32 = 4, type_bool = 7, type_string = 8, type_array = 9, type_u64 = 10 };

std::string key(std::string const& name, std::uint32_t type, std::string const& value) { return text(name) + u32(type) + value; }
std::string array(std::uint32_t type, std::uint64_t count, std::string const& elements) { return u32(type) + u64(count) + elements; }

/// @param lengths In the order of the file.
std::string tensor(std::string const& name, std::vector<std::uint64_t> const& lengths, std::uint32_t type, std::uint64_t offset) {
  std::string bytes = text(name) + u32(static_cast<std::uint32_t>(lengths.size()));
  for (std::uint64_t const length : lengths) bytes += u64(length);
  return bytes + u32(type) + u64(offset);
}

std::string gguf(std::vector<std::string> const& keys, std::vector<std::string> const& tensors, std::string const& data = "") {
  std::string bytes = "GGUF" + u32(3) + u64(tensors.size()) + u64(keys.size());
  for (std::string const& key : keys) bytes += key;
  for (std::string const& tensor : tensors) bytes += tensor;
  bytes.resize((bytes.size() + 31) / 32 * 32);
  return bytes + data;
}

/// The message that opening these bytes gives.
template <class Expected = FormatError>
std::string refusal(std::string const& bytes) {
  TemporaryDirectory directory;
  write_bytes(directory / "m.gguf", bytes);
  auto const message = message_of<Expected>([&] { GgufFile::open(directory / "m.gguf"); });
  CHECK(contains(message, (directory / "m.gguf").string() + ": "));
  CHECK(message.size() < 1000);
  return message;
}

}  // namespace

TEST_CASE("gguf: every block format and floating-point type gives the floats of the gguf package, bit for bit") {
  auto const file = GgufFile::open(fixture("tensors.gguf"));
  auto const expected = SafetensorsFile::open(fixture("tensors.safetensors"));
  CHECK(file.version() == 3);
  CHECK(expected.tensors().size() == 21);
  CHECK(file.tensors().size() == 25);
  for (TensorInfo const& wanted : expected.tensors()) {
    CAPTURE(wanted.name);
    TensorInfo const* const info = file.find(wanted.name);
    REQUIRE(info != nullptr);
    CHECK(info->shape == wanted.shape);
    CHECK(info->has_floats());
    if (wanted.name.find('.') != wanted.name.npos) CHECK(wanted.name.starts_with(info->type_name() + "."));
    CHECK(same_bits(floats_of(file, *info), floats_of(expected, wanted)));
  }
  CHECK(file.find("rank_3")->block_format == BlockFormat::q8_0);
  CHECK_FALSE(file.find("BF16")->block_format.has_value());
  CHECK(file.find("BF16")->element_type == ElementType::bf16);
}

TEST_CASE("gguf: blocks are read from any element to any other, as floats and as doubles") {
  std::mt19937 random(1);
  for (BlockFormat const format : {BlockFormat::q4_0, BlockFormat::q5_1, BlockFormat::q8_0, BlockFormat::q4_k, BlockFormat::q6_k}) {
    CAPTURE(name_of(format));
    auto const [elements, bytes] = *block_size(format);
    std::size_t const rows = 3, row = 4096 + elements;  // More than a reader's buffer.
    std::string packed(rows * row / elements * bytes, '\0');
    for (char& byte : packed) byte = static_cast<char>(random() % 60);  // No scale is infinite.
    std::vector<float> whole(rows * row);
    dequantize(format, std::as_bytes(std::span(packed)), whole);
    TemporaryDirectory directory;
    write_bytes(directory / "m", gguf({}, {tensor("t", {row, rows}, static_cast<std::uint32_t>(format), 0)}, packed));
    auto const file = GgufFile::open(directory / "m");
    TensorInfo const& info = *file.find("t");
    CHECK(info.shape == std::vector<std::size_t>{rows, row});
    CHECK(same_bits(floats_of(file, info), whole));
    for (auto const& [first, count] : {std::pair<std::size_t, std::size_t>{row, row},
                                       {2 * row, row},
                                       {0, 1},
                                       {7, 5000},
                                       {row - 1, 2},
                                       {5, 0},
                                       {rows * row - 1, 1},
                                       {elements, 4096},
                                       {elements - 1, 4096}}) {
      CAPTURE(first);
      std::vector<float> floats(count);
      file.read_floats(info, first, floats);
      CHECK(same_bits(floats, std::span(whole).subspan(first, count)));
      std::vector<double> doubles(count);
      file.read_doubles(info, first, doubles);
      CHECK(std::equal(doubles.begin(), doubles.end(), floats.begin()));
    }
    std::vector<float> two(2);
    CHECK(contains(message_of<ArgumentError>([&] { file.read_floats(info, rows * row - 1, two); }), "t: asked for 2 elements"));
    std::vector<std::byte> raw(packed.size());
    file.read(info, raw);
    CHECK(std::memcmp(raw.data(), packed.data(), raw.size()) == 0);
  }
}

TEST_CASE("gguf: integers are read as they are, and what is asked for in another type is refused by the name in the file") {
  auto const file = GgufFile::open(fixture("tensors.gguf"));
  std::vector<std::int64_t> integers(6);
  auto const check = [&](char const* name, std::int64_t least, std::int64_t greatest) {
    CHECK(file.find(name)->shape == std::vector<std::size_t>{2, 3});
    file.read_integers(*file.find(name), 0, integers);
    CHECK(integers == std::vector<std::int64_t>{least, greatest, 0, 1, 2, -3});
  };
  check("I8", -128, 127);
  check("I16", -32768, 32767);
  check("I32", -2147483648ll, 2147483647ll);
  check("I64", std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  std::vector<float> floats(6);
  CHECK(contains(message_of<CheckpointError>([&] { file.read_floats(*file.find("I8"), 0, floats); }), "I8: found the element type I8"));
  CHECK(contains(message_of<CheckpointError>([&] { file.read_integers(*file.find("Q4_K.bits"), 0, integers); }),
                 "Q4_K.bits: found the element type Q4_K, expected an integer type"));
  auto const tensor = read_tensor<float, Const<2>, Const<3>, Const<32>>(file, "rank_3");
  CHECK(tensor.size() == 192);
  CHECK(contains(message_of<CheckpointError>([&] { read_tensor<Float16, Const<2>, Const<3>, Const<32>>(file, "rank_3"); }),
                 "rank_3: found the element type Q8_0, expected F16"));
}

TEST_CASE("gguf: a tensor of an unknown type is there, and is refused by name when it is read") {
  TemporaryDirectory directory;
  for (auto const& [type, name] : {std::pair(99u, "type 99"), std::pair(20u, "IQ4_NL"), std::pair(4u, "type 4")}) {
    write_bytes(directory / "m", gguf({}, {tensor("odd", {32, 2}, type, 0), tensor("even", {2}, 0, 64)}, std::string(72, '\1')));
    auto const file = GgufFile::open(directory / "m");
    TensorInfo const& info = *file.find("odd");
    CHECK(info.shape == std::vector<std::size_t>{2, 32});
    CHECK(info.element_count() == 64);
    CHECK(info.bytes == 64);
    CHECK_FALSE(info.has_floats());
    CHECK(floats_of(file, *file.find("even")).size() == 2);
    auto const message = message_of<CheckpointError>([&] { floats_of(file, info); });
    CHECK(contains(message, "odd: found the element type "s + name + ", expected F32, F16, BF16, F64 or one of Q4_0, Q4_1, "));
    CHECK(contains(message, "Q6_K"));
  }
}

TEST_CASE("gguf: the bytes of whole blocks alone are dequantised") {
  std::vector<std::byte> bytes(36);
  std::vector<float> floats(64);
  CHECK_NOTHROW(dequantize(BlockFormat::q4_0, bytes, floats));
  auto const refusal = [&](BlockFormat format, std::size_t byte_count, std::size_t count) {
    return message_of<ArgumentError>([&] { dequantize(format, std::span(bytes).first(byte_count), std::span(floats).first(count)); });
  };
  CHECK(contains(refusal(BlockFormat::q4_0, 36, 32),
                 "Q4_0: found 36 bytes and room for 32 elements, expected a number of blocks of 18 bytes"));
  CHECK(contains(refusal(BlockFormat::q4_0, 18, 33), "Q4_0: found 18 bytes and room for 33 elements"));
  CHECK(contains(refusal(BlockFormat::q4_0, 19, 32), "Q4_0: found 19 bytes"));
  CHECK(contains(refusal(BlockFormat{99}, 18, 32), "found the block format type 99, which is not read"));
}

TEST_CASE("gguf: metadata of every type is read, as any type that holds the value") {
  auto file = GgufFile::open(fixture("metadata.gguf"));
  CHECK(file.tensors().empty());
  CHECK(file.keys().size() == 39);
  CHECK(std::ranges::is_sorted(file.keys()));
  auto const value = [&](std::string const& key) { return file.metadata(key); };
  CHECK(value("general.architecture").as<std::string>() == "llama");
  CHECK(value("general.alignment").as<std::size_t>() == 64);
  auto const check = [&]<class T>(std::string const& name, T) {
    constexpr T least = std::numeric_limits<T>::min(), greatest = std::numeric_limits<T>::max();
    CHECK(value(name + ".least").template as<T>() == least);
    CHECK(value(name + ".greatest").template as<T>() == greatest);
    CHECK(value(name + ".array").template as<std::vector<T>>() == std::vector<T>{least, 1, greatest});
    if constexpr (sizeof(T) < 8) {
      CHECK(value(name + ".array").template as<std::vector<std::int64_t>>() == std::vector<std::int64_t>{least, 1, greatest});
      CHECK(value(name + ".least").template as<std::int64_t>() == least);
    }
    CHECK(value(name + ".greatest").template as<std::uint64_t>() == static_cast<std::uint64_t>(greatest));
  };
  check("u8", std::uint8_t{});
  check("i8", std::int8_t{});
  check("u16", std::uint16_t{});
  check("i16", std::int16_t{});
  check("u32", std::uint32_t{});
  check("i32", std::int32_t{});
  check("u64", std::uint64_t{});
  check("i64", std::int64_t{});
  CHECK(value("f32").as<float>() == 0.1f);
  CHECK(value("f32").as<double>() == double{0.1f});
  CHECK(value("f64").as<double>() == 0.1);
  CHECK(value("f64").as<float>() == 0.1f);
  CHECK(value("f32.array").as<std::vector<float>>() == std::vector<float>{0.5f, -1.5f});
  CHECK(value("f64.array").as<std::vector<double>>() == std::vector<double>{0.5, 1e300});
  CHECK(value("true").as<bool>());
  CHECK_FALSE(value("false").as<bool>());
  CHECK(value("bool.array").as<std::vector<bool>>() == std::vector<bool>{true, false, true});
  CHECK(value("string").as<std::string>() ==
        "gr\xc3\xb6\xc3\x9f"
        "e");
  CHECK(value("string.empty").as<std::string_view>().empty());
  CHECK(value("string.bytes").as<std::string_view>() == "\xff\0a"s);
  auto const strings = value("string.array").as<std::vector<std::string_view>>();
  CHECK(strings == std::vector<std::string_view>{"a", "", "bc", "\xe2\x96\x81the"});
  CHECK(value("string.array").size() == 4);
  CHECK(value("string.array").element_type() == GgufType::string);
  CHECK(value("nested").as<std::vector<std::vector<int>>>() == std::vector<std::vector<int>>{{1, 2}, {3}, {4, 5, 6}});
  CHECK(value("nested.strings").as<std::vector<std::vector<std::vector<std::string>>>>() ==
        std::vector<std::vector<std::vector<std::string>>>{{{"a", "bc"}}, {{"d"}, {"", "e"}}});
  CHECK_FALSE(file.find_metadata("absent").has_value());
  CHECK_FALSE(file.find_metadata("").has_value());
  CHECK(file.find_metadata("f32")->type() == GgufType::f32);
  auto const moved = std::move(file);
  CHECK(strings[3] == "\xe2\x96\x81the");
  CHECK(moved.metadata("string.array").as<std::vector<std::string>>()[2] == "bc");
}

TEST_CASE("gguf: metadata of another type or range is refused with the file, the key, what was found and what was expected") {
  auto const file = GgufFile::open(fixture("metadata.gguf"));
  auto const refusal = [&]<class T>(char const* key, T) {
    auto const message = message_of<CheckpointError>([&] { file.metadata(key).as<T>(); });
    CHECK(contains(message, file.path().string() + ": "));
    return message.substr(std::min(message.size(), file.path().string().size() + 2));
  };
  CHECK(refusal("absent", 0) == R"(has no key "absent")");
  CHECK(refusal("string", 0) ==
        R"(string: found the string "gr\xc3\xb6\xc3\x9fe", expected a whole number from -2147483648 to 2147483647)");
  CHECK(refusal("u16.greatest", std::uint8_t{}) == "u16.greatest: found the number 65535 (U16), expected a whole number from 0 to 255");
  CHECK(refusal("i8.least", std::size_t{}) ==
        "i8.least: found the number -128 (I8), expected a whole number from 0 to 18446744073709551615");
  CHECK(refusal("i64.least", int{}) ==
        "i64.least: found the number -9223372036854775808 (I64), expected a whole number from -2147483648 to 2147483647");
  CHECK(refusal("u64.greatest", std::int64_t{}) ==
        "u64.greatest: found the number 18446744073709551615 (U64), expected a whole number from -9223372036854775808 to "
        "9223372036854775807");
  CHECK(refusal("f32", 0) == "f32: found the number 0.1 (F32), expected a whole number from -2147483648 to 2147483647");
  CHECK(refusal("u8.least", 0.0f) == "u8.least: found the number 0 (U8), expected a floating-point number");
  CHECK(refusal("u8.least", true) == "u8.least: found the number 0 (U8), expected a bool");
  CHECK(refusal("true", 0) == "true: found the bool true, expected a whole number from -2147483648 to 2147483647");
  CHECK(refusal("f64", ""s) == "f64: found the number 0.1 (F64), expected a string");
  CHECK(refusal("string", std::vector<std::string>()) == R"(string: found the string "gr\xc3\xb6\xc3\x9fe", expected an array)");
  CHECK(refusal("string.array", ""s) == "string.array: found an array of 4 (STRING), expected a string");
  CHECK(refusal("u8.array", std::vector<std::int8_t>()) ==
        "u8.array[2]: found the number 255 (U8), expected a whole number from -128 to 127");
  CHECK(refusal("nested.strings", std::vector<std::vector<std::vector<float>>>()) ==
        "nested.strings[0][0][0]: found the string \"a\", expected a floating-point number");
  CHECK(refusal("nested", std::vector<int>()) ==
        "nested[0]: found an array of 2 (I32), expected a whole number from -2147483648 to 2147483647");
  CHECK(contains(message_of<CheckpointError>([&] { file.metadata("f32").size(); }), "f32: found the number 0.1 (F32), expected an array"));
}

TEST_CASE("gguf: version 2 is the same format, and other versions and orders of bytes are refused") {
  std::string bytes = read_bytes(fixture("metadata.gguf"));
  bytes[4] = 2;
  TemporaryDirectory directory;
  write_bytes(directory / "m", bytes);
  auto const file = GgufFile::open(directory / "m");
  CHECK(file.version() == 2);
  CHECK(file.metadata("u8.greatest").as<int>() == 255);
  bytes[4] = 1;
  CHECK(contains(refusal<CheckpointError>(bytes), ": has the version 1, expected 2 or 3"));
  bytes[4] = 4;
  CHECK(contains(refusal<CheckpointError>(bytes), ": has the version 4, expected 2 or 3"));
  bytes.replace(4, 4, "\0\0\0\3"s);
  CHECK(contains(refusal<CheckpointError>(bytes), ": is big-endian, expected a little-endian GGUF file"));
}

TEST_CASE("gguf: tensors may lie in any order, with holes, at the alignment of the file, and lengths and arrays may be zero") {
  TemporaryDirectory directory;
  std::string const alignment = key("general.alignment", type_u32, u32(8));
  std::string const none = key("none", type_array, array(type_string, 0, ""));
  write_bytes(
      directory / "m",
      gguf({alignment, none}, {tensor("b", {2}, 0, 24), tensor("a", {1}, 0, 8), tensor("scalar", {}, 0, 0), tensor("z", {0, 5}, 2, 8)},
           std::string(40, '\0')));
  auto const file = GgufFile::open(directory / "m");
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.find("b")->begin == file.find("scalar")->begin + 24);
  CHECK(file.find("scalar")->element_count() == 1);
  CHECK(file.find("z")->shape == std::vector<std::size_t>{5, 0});
  CHECK(floats_of(file, *file.find("z")).empty());
  CHECK(file.metadata("none").as<std::vector<std::string>>().empty());
  write_bytes(directory / "empty", gguf({}, {}).substr(0, 24));
  auto const empty = GgufFile::open(directory / "empty");
  CHECK(empty.tensors().empty());
  CHECK(empty.keys().empty());
}

TEST_CASE("gguf: a header that lies is refused, and the message names the file, the key or the tensor, and the place") {
  constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  std::string deep = array(type_u8, 0, "");
  for (int i = 0; i < 8; ++i) deep = array(type_array, 1, deep);
  struct Case {
    std::string bytes;
    std::string message;
  };
  std::string const data(64, '\0');
  for (auto const& [bytes, message] : std::vector<Case>{
           {"", "m.gguf: begins with \"\", expected a GGUF file"},
           {"GGU", "begins with \"GGU\", expected a GGUF file"},
           {"ggml\3\0\0\0"s, "begins with \"ggml\\x03\\x00\\x00\\x00\", expected a GGUF file"},
           {"version https://git-lfs.github.com/spec/v1", "is the pointer that Git LFS leaves"},
           {"GGUF", "header: byte 4: found the end of the file after 0 bytes, expected 4 (is the file truncated?)"},
           {"GGUF" + u32(3) + u64(huge) + u64(0),
            "header: byte 8: found a number of 18446744073709551615 tensors, expected at most 0, as 8 bytes"},
           {"GGUF" + u32(3) + u64(0) + u64(huge), "header: byte 16: found a number of 18446744073709551615 keys, expected at most 0"},
           {gguf({u64(huge) + "a"}, {}),
            "key 0: byte 24: found a string of 18446744073709551615 bytes, expected at most the 32 that follow"},
           {gguf({key("k", 13, "")}, {}), "k: byte 33: found the type of value 13, expected 0 to 12"},
           {gguf({key("k", type_bool, "\2")}, {}), "k: byte 37: found a BOOL of 2, expected 0 or 1"},
           {gguf({key("k", type_array, array(type_bool, 2, "\1\xff"))}, {}), "k: byte 50: found a BOOL of 255, expected 0 or 1"},
           {gguf({key("k", type_string, u64(huge - 7))}, {}), "k: byte 37: found a string of 18446744073709551608 bytes"},
           {gguf({key("k", type_array, array(type_u64, huge / 8 + 2, ""))}, {}),
            "k: byte 41: found a number of 2305843009213693953 elements"},
           {gguf({key("k", type_array, array(type_string, 1000, ""))}, {}),
            "k: byte 41: found a number of 1000 elements, expected at most 1"},
           {gguf({key("k", type_array, array(type_array, 1000, ""))}, {}),
            "k: byte 41: found a number of 1000 elements, expected at most 1"},
           {gguf({key("k", type_array, deep)}, {}), "k: byte 133: found arrays that nest deeper than 8"},
           {gguf({key("k", type_u8, "\1"), key("a", type_u8, "\1"), key("k", type_u8, "\2")}, {}), "k: byte 60: the key is there twice"},
           {gguf({key("general.alignment", type_u32, u32(0))}, {}), "general.alignment: found 0, expected a power of two"},
           {gguf({key("general.alignment", type_u32, u32(24))}, {}), "general.alignment: found 24, expected a power of two"},
           {gguf({}, {tensor("t", std::vector<std::uint64_t>(65, 1), 0, 0)}),
            "t: byte 33: found a shape of 65 lengths, expected at most 64"},
           {gguf({}, {tensor("t", {1ull << 32, 1ull << 32}, 0, 0)}, data),
            "t: byte 53: found the shape [4294967296, 4294967296] of F32, which is larger"},
           {gguf({}, {tensor("t", {1ull << 32, 0, 1ull << 32}, 0, 0)}, data), "which is larger than any file"},
           {gguf({}, {tensor("t", {huge, 2}, 2, 0)}, data), "which is larger than any file"},
           {gguf({}, {tensor("t", {huge, 2}, 99, 0)}, data), "of type 99, which is larger than any file"},
           {gguf({}, {tensor("t", {33}, 2, 0)}, data), "t: byte 45: found the shape [33] of Q4_0, expected rows of whole blocks of 32"},
           {gguf({}, {tensor("t", {32}, 12, 0)}, data), "found the shape [32] of Q4_K, expected rows of whole blocks of 256"},
           {gguf({}, {tensor("t", {}, 8, 0)}, data), "found the shape [] of Q8_0, expected rows of whole blocks of 32"},
           {gguf({}, {tensor("t", {17}, 0, 0)}, data), "t: found 68 bytes at the offset 0, expected them within the 64 bytes of data"},
           {gguf({}, {tensor("t", {1}, 0, 64)}, data), "t: found 4 bytes at the offset 64, expected them within the 64 bytes"},
           {gguf({}, {tensor("t", {1}, 0, huge - 31)}, data), "t: found 4 bytes at the offset 18446744073709551584, expected them within"},
           {gguf({}, {tensor("t", {1}, 99, 96)}, data), "t: found 0 bytes at the offset 96, expected them within the 64 bytes"},
           {gguf({}, {tensor("t", {1}, 0, 4)}, data), "t: found the offset 4, expected a multiple of the alignment 32"},
           {gguf({}, {tensor("t", {9}, 0, 0), tensor("u", {1}, 0, 32)}, data), "u: its bytes overlap those of t"},
           {gguf({}, {tensor("t", {1}, 0, 0), tensor("u", {1}, 0, 0)}, data), ": its bytes overlap those of "},
           {gguf({}, {tensor("t", {1}, 0, 0), tensor("t", {1}, 0, 32)}, data), "t: the tensor is there twice"},
       }) {
    auto const found = refusal(bytes);
    CHECK_MESSAGE(contains(found, message), found);
  }
  CHECK(contains(refusal<CheckpointError>(gguf({key("general.alignment", type_string, text("x"))}, {})),
                 "general.alignment: found the string \"x\", expected a whole number from 0 to 4294967295"));
}

TEST_CASE("gguf: a file that was truncated, at any byte, is refused") {
  TemporaryDirectory directory;
  for (std::string const name : {"tensors.gguf", "metadata.gguf"}) {
    CAPTURE(name);
    std::string const bytes = read_bytes(fixture(name));
    auto const whole = GgufFile::open(fixture(name));
    std::size_t end = name == "metadata.gguf" ? bytes.find_last_not_of('\0') + 1 : 0;  // Padding may be missing.
    for (TensorInfo const& info : whole.tensors()) end = std::max(end, info.begin + info.bytes);
    write_bytes(directory / "m", bytes);
    std::size_t wrong = 0;
    for (std::size_t size = end; size-- > 0;) {
      std::filesystem::resize_file(directory / "m", size);
      wrong += message_of<FormatError>([&] { GgufFile::open(directory / "m"); }).find((directory / "m").string() + ": ") != 0;
    }
    CHECK(wrong == 0);
    write_bytes(directory / "m", bytes.substr(0, end));
    CHECK_NOTHROW(GgufFile::open(directory / "m"));
  }
}

TEST_CASE("gguf: a file with any one bit of its header flipped is read or refused") {
  TemporaryDirectory directory;
  for (std::string const name : {"tensors.gguf", "metadata.gguf"}) {
    CAPTURE(name);
    std::string const bytes = read_bytes(fixture(name));
    write_bytes(directory / "m", bytes);
    std::fstream changed(directory / "m", std::ios::binary | std::ios::in | std::ios::out);
    auto const put = [&](std::size_t place, int byte) {
      changed.seekp(static_cast<std::streamoff>(place)).put(static_cast<char>(byte)).flush();
    };
    auto const whole = GgufFile::open(fixture(name));
    std::size_t header = bytes.size();
    for (TensorInfo const& info : whole.tensors()) header = std::min(header, info.begin);
    std::size_t taken = 0, refused = 0;
    for (std::size_t bit = 0; bit < 8 * header; ++bit) {
      put(bit / 8, bytes[bit / 8] ^ (1 << bit % 8));
      try {
        auto const file = GgufFile::open(directory / "m");
        ++taken;
        for (auto const key : file.keys()) file.metadata(key).describe();
        for (TensorInfo const& info : file.tensors()) {
          REQUIRE(info.bytes <= bytes.size());
          if (info.has_floats()) floats_of(file, info);
        }
      } catch (Error const& error) {
        if (std::strlen(error.what()) > 2000) FAIL_CHECK("a message of " << std::strlen(error.what()) << " bytes");
        ++refused;
      } catch (std::exception const& error) {
        FAIL_CHECK("bit " << bit << " gave another exception: " << error.what());
      }
      put(bit / 8, bytes[bit / 8]);
    }
    CHECK(taken > 1000);
    CHECK(refused > 1000);
  }
}
