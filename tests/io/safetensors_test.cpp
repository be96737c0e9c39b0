#include <axiform/core/weight_format.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/safetensors_writer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <deque>
#include <thread>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// Tensors to write, with their bytes.
class Tensors {
 public:
  template <class T>
  Tensors& add(std::string name, ElementType type, std::vector<std::size_t> shape, std::vector<T> const& values) {
    auto const bytes = std::as_bytes(std::span(values));
    auto const& kept = bytes_.emplace_back(bytes.begin(), bytes.end());
    tensors_.push_back({std::move(name), type, std::move(shape), kept});
    return *this;
  }
  template <class T>
  Tensors& add(std::string name, ElementType type, std::vector<T> const& values) {
    return add(std::move(name), type, {values.size()}, values);
  }
  operator std::span<TensorData const>() const { return tensors_; }

 private:
  std::deque<std::vector<std::byte>> bytes_;
  std::vector<TensorData> tensors_;
};

std::string entry(std::string const& name, std::string const& type, std::string const& shape, std::string const& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

/// The message that opening these bytes gives.
std::string refusal(std::string_view bytes) {
  TemporaryDirectory directory;
  write_bytes(directory / "m.safetensors", bytes);
  auto const message = message_of<FormatError>([&] { SafetensorsFile::open(directory / "m.safetensors"); });
  CHECK(contains(message, (directory / "m.safetensors").string()));
  CHECK(message.size() < 1000);
  return message;
}

}  // namespace

TEST_CASE("safetensors: what is written is read again") {
  TemporaryDirectory directory;
  std::vector<float> const matrix{1, -2, 3.5f, 4, 5, 6};
  Tensors tensors;
  tensors.add<std::uint8_t>("bytes", ElementType::u8, {1, 2, 255});
  tensors.add("matrix", ElementType::f32, {2, 3}, matrix);
  tensors.add<float>("empty", ElementType::f32, {0, 768}, {});
  tensors.add<float>("scalar", ElementType::f32, {}, {7});
  write_safetensors(directory / "m", tensors, {{"format", "pt"}, {"note", "\"quoted\""}});
  auto const file = SafetensorsFile::open(directory / "m");
  CHECK(file.tensors().size() == 4);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}, {"note", "\"quoted\""}});
  CHECK(file.find("absent") == nullptr);
  CHECK(file.find("") == nullptr);
  TensorInfo const* const info = file.find("matrix");
  REQUIRE(info != nullptr);
  CHECK(info->shape == std::vector<std::size_t>{2, 3});
  CHECK(info->element_type == ElementType::f32);
  CHECK(info->element_count() == 6);
  CHECK(info->begin % 4 == 0);
  std::vector<float> all(6), middle(3), one(1), none;
  file.read_floats(*info, 0, all);
  CHECK(all == matrix);
  file.read_floats(*info, 2, middle);
  CHECK(middle == std::vector<float>{3.5f, 4, 5});
  file.read_floats(*info, 6, none);
  file.read_floats(*file.find("scalar"), 0, one);
  CHECK(one[0] == 7);
  CHECK(file.find("empty")->element_count() == 0);
  std::vector<std::byte> bytes(3);
  file.read(*file.find("bytes"), bytes);
  CHECK(bytes[2] == std::byte{255});
  CHECK(directory.file_count() == 1);
}

TEST_CASE("safetensors: an empty file of no tensors is a file") {
  TemporaryDirectory directory;
  write_safetensors(directory / "m", {});
  auto const empty = SafetensorsFile::open(directory / "m");
  CHECK(empty.tensors().empty());
}

TEST_CASE("safetensors: halves, bfloat16 and doubles of every bit pattern convert as one by one, in any range") {
  TemporaryDirectory directory;
  std::vector<std::uint16_t> bits(65536);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);
  std::vector<double> const doubles{0.1, -1e300, 5e-324, 1.0 / 3.0, std::numeric_limits<double>::infinity()};
  Tensors tensors;
  tensors.add("half", ElementType::f16, bits).add("bf", ElementType::bf16, bits).add("double", ElementType::f64, doubles);
  write_safetensors(directory / "m", tensors);
  auto const file = SafetensorsFile::open(directory / "m");
  for (auto [first, count] : {std::pair<std::size_t, std::size_t>{0, 65536}, {1, 65535}, {40000, 8193}, {65535, 1}, {31743, 3}}) {
    std::vector<float> half(count), bf(count);
    std::vector<double> wide(count);
    file.read_floats(*file.find("half"), first, half);
    file.read_floats(*file.find("bf"), first, bf);
    file.read_doubles(*file.find("half"), first, wide);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
      auto const same_bits = [](float a, float b) { return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); };
      float const expected = float_from_half(bits[first + i]);
      wrong += !same_bits(half[i], expected) + !same_bits(bf[i], float_from_bfloat16(bits[first + i]));
      wrong += std::isnan(expected) ? !std::isnan(wide[i]) : wide[i] != static_cast<double>(expected);
    }
    CHECK(wrong == 0);
  }
  std::vector<double> exact(5);
  file.read_doubles(*file.find("double"), 0, exact);
  CHECK(exact == doubles);
  std::vector<float> rounded(2);
  file.read_floats(*file.find("double"), 3, rounded);
  CHECK(rounded == std::vector<float>{1.0f / 3.0f, std::numeric_limits<float>::infinity()});
}

TEST_CASE("safetensors: integers of every width convert, and other types are refused by name") {
  TemporaryDirectory directory;
  Tensors tensors;
  tensors.add<std::int64_t>("i64", ElementType::i64, {-1, std::numeric_limits<std::int64_t>::min()});
  tensors.add<std::int32_t>("i32", ElementType::i32, {-1, 7});
  tensors.add<std::uint32_t>("u32", ElementType::u32, {4294967295u, 7});
  tensors.add<std::int16_t>("i16", ElementType::i16, {-1, 7});
  tensors.add<std::uint16_t>("u16", ElementType::u16, {65535, 7});
  tensors.add<std::int8_t>("i8", ElementType::i8, {-1, 7});
  tensors.add<std::uint8_t>("u8", ElementType::u8, {255, 7});
  tensors.add<std::uint8_t>("bool", ElementType::boolean, {0, 2});
  tensors.add<std::uint64_t>("u64", ElementType::u64, {1, 2});
  tensors.add<float>("f32", ElementType::f32, {1, 2});
  write_safetensors(directory / "m", tensors);
  auto const file = SafetensorsFile::open(directory / "m");
  auto const integers = [&](char const* name) {
    std::vector<std::int64_t> values(2);
    file.read_integers(*file.find(name), 0, values);
    return std::pair(values[0], values[1]);
  };
  using Pair = std::pair<std::int64_t, std::int64_t>;
  CHECK(integers("i64") == Pair{-1, std::numeric_limits<std::int64_t>::min()});
  CHECK(integers("i32") == Pair{-1, 7});
  CHECK(integers("u32") == Pair{4294967295, 7});
  CHECK(integers("i16") == Pair{-1, 7});
  CHECK(integers("u16") == Pair{65535, 7});
  CHECK(integers("i8") == Pair{-1, 7});
  CHECK(integers("u8") == Pair{255, 7});
  CHECK(integers("bool") == Pair{0, 1});
  CHECK(contains(message_of<CheckpointError>([&] { integers("u64"); }), "u64: found the element type U64"));
  CHECK(contains(message_of<CheckpointError>([&] { integers("f32"); }), "f32: found the element type F32"));
  std::vector<float> two(2);
  CHECK(contains(message_of<CheckpointError>([&] { file.read_floats(*file.find("i64"), 0, two); }),
                 "i64: found the element type I64, expected F32, F16, BF16 or F64"));
}

TEST_CASE("safetensors: elements that a tensor does not have are refused") {
  TemporaryDirectory directory;
  Tensors tensors;
  tensors.add<float>("a", ElementType::f32, {1, 2}).add<std::uint16_t>("b", ElementType::f16, {1, 2});
  write_safetensors(directory / "m", tensors);
  auto const file = SafetensorsFile::open(directory / "m");
  std::vector<float> two(2);
  for (char const* name : {"a", "b"})
    for (std::size_t first : {std::size_t{1}, std::size_t{3}, ~std::size_t{0}})
      CHECK(contains(message_of<ArgumentError>([&] { file.read_floats(*file.find(name), first, two); }), "asked for 2 elements"));
  std::vector<std::byte> bytes(7);
  CHECK(contains(message_of<ArgumentError>([&] { file.read(*file.find("a"), bytes); }), "expected 8"));
  std::filesystem::resize_file(directory / "m", std::filesystem::file_size(directory / "m") - 1);
  CHECK_NOTHROW(file.read_floats(*file.find("a"), 0, two));
  CHECK(contains(message_of<FileError>([&] { file.read_floats(*file.find("b"), 0, two); }), "ends at byte"));
}

TEST_CASE("safetensors: many threads read one file at once") {
  TemporaryDirectory directory;
  std::vector<float> values(100'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  std::vector<TensorData> const tensors{tensor_data("v", {100, 1000}, values)};
  write_safetensors(directory / "m", tensors);
  auto const file = SafetensorsFile::open(directory / "m");
  std::vector<float> read(values.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] { file.read_floats(*file.find("v"), t * 25'000, std::span(read).subspan(t * 25'000, 25'000)); });
  for (auto& thread : threads) thread.join();
  CHECK(read == values);
}

TEST_CASE("safetensors: a header that lies is refused, and the message names the file and the tensor") {
  struct Case {
    std::string header;
    std::size_t data_bytes;
    std::string message;
  };
  std::string const ok = entry("a", "F32", "[2]", "[0,8]");
  std::string many_lengths = "[1";
  for (int i = 0; i < 64; ++i) many_lengths += ",1";
  many_lengths += "]";
  for (auto const& [header, data_bytes, message] : std::vector<Case>{
           {"[]", 0, "a header that begins with \"[\", expected \"{\""},
           {" {}", 0, "a header that begins with \" \""},
           {"", 0, "a header that begins with \"\""},
           {"{", 0, "header: is not valid JSON"},
           {"{}", 1, "has 1 bytes after the header, expected none"},
           {"{} x", 0, "header: is not valid JSON"},
           {"{}" + std::string(1, '\0'), 0, "header: is not valid JSON"},
           {"{\"a\":1}", 0, "a: found the number 1, expected an object"},
           {"{\"a\":{}}", 0, "a: the key \"dtype\" is missing"},
           {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}", 0, "a: the key \"shape\" is missing"},
           {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0]}}", 0, "a: the key \"data_offsets\" is missing"},
           {"{" + entry("a", "F31", "[2]", "[0,8]") + "}", 8, "a: found the element type \"F31\""},
           {"{" + entry("a", "F32", "2", "[0,8]") + "}", 8, "a: shape: found the number 2, expected an array"},
           {"{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8, "a: shape[0]: found the number -2"},
           {"{" + entry("a", "F32", "[1.5]", "[0,8]") + "}", 8, "a: shape[0]: found the number 1.5"},
           {"{" + entry("a", "F32", "[\"2\"]", "[0,8]") + "}", 8, "a: shape[0]: found the string \"2\""},
           {"{" + entry("a", "F32", many_lengths, "[0,4]") + "}", 4, "a: found a shape of 65 lengths, expected at most 64"},
           {"{" + entry("a", "F32", "[2]", "[0]") + "}", 8, "a: data_offsets: found 1 numbers, expected 2"},
           {"{" + entry("a", "F32", "[2]", "[0,8,8]") + "}", 8, "a: data_offsets: found 3 numbers, expected 2"},
           {"{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8, "a: found the bytes [8, 0), which end before they begin"},
           {"{" + entry("a", "F32", "[2]", "[0,8]") + "}", 7, "a: found the bytes [0, 8), expected them within the 7 bytes"},
           {"{" + entry("a", "F32", "[2]", "[0,18446744073709551615]") + "}", 8, "expected them within the 8 bytes"},
           {"{" + entry("a", "F32", "[2]", "[18446744073709551608,18446744073709551615]") + "}", 8, "expected them within the 8 bytes"},
           {"{" + entry("a", "F32", "[2]", "[0,1e30]") + "}", 8, "a: data_offsets[1]: found the number 1e+30"},
           {"{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8, "a: found 8 bytes, expected 12 for the shape [3] of F32"},
           {"{" + entry("a", "F64", "[2]", "[0,8]") + "}", 8, "a: found 8 bytes, expected 16 for the shape [2] of F64"},
           {"{" + entry("a", "F32", "[4294967296,4294967296]", "[0,8]") + "}", 8, "which is larger than any file"},
           {"{" + entry("a", "F32", "[0,4294967296,4294967296]", "[0,0]") + "}", 0, "which is larger than any file"},
           {"{" + entry("a", "F32", "[2305843009213693954]", "[0,8]") + "}", 8, "which is larger than any file"},
           {"{" + entry("a", "F4", "[3]", "[0,2]") + "}", 2, "a: found the shape [3] of F4, which does not fill whole bytes"},
           {"{" + ok + "," + entry("b", "F32", "[2]", "[4,12]") + "}", 12, "b: its bytes overlap those of a"},
           {"{" + ok + "," + entry("b", "F32", "[2]", "[0,8]") + "}", 8, "b: its bytes overlap those of a"},
           {"{" + ok + "," + entry("b", "F32", "[2]", "[9,17]") + "}", 17, "b: its bytes leave a hole of 1 after a"},
           {"{" + entry("a", "F32", "[1]", "[4,8]") + "}", 8, "a: its bytes leave a hole of 4 after the header"},
           {"{" + ok + "}", 9, "has 1 bytes after a, expected none"},
           {"{" + ok + "," + ok + "}", 8, "the key \"a\" appears twice"},
           {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "the key \"dtype\" appears twice"},
           {"{\"a\":" + std::string(20, '[') + std::string(20, ']') + "}", 0, "nest deeper than 8"},
           {"{\"__metadata__\":[]}", 0, "__metadata__: found an array of 0, expected an object"},
           {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: a: found the number 1, expected a string"},
           {"{\"\xff\":{}}", 0, "ill-formed UTF-8"},
       }) {
    CAPTURE(header);
    auto const found = refusal(raw_safetensors(header, data_bytes));
    CHECK_MESSAGE(contains(found, message), found);
  }
}

TEST_CASE("safetensors: a length of the header that lies is refused before anything is allocated") {
  auto const with_length = [](std::uint64_t length) {
    std::string file = raw_safetensors("{}", 0);
    std::memcpy(file.data(), &length, 8);
    return file;
  };
  CHECK(contains(refusal(""), "has 0 bytes, expected a safetensors file"));
  CHECK(contains(refusal("1234567"), "has 7 bytes, expected a safetensors file"));
  CHECK(contains(refusal(with_length(0)), "a header that begins with \"\""));
  CHECK(contains(refusal(with_length(3)), "its header has 3 bytes, expected at most the 2 bytes that follow"));
  CHECK(contains(refusal(with_length(~std::uint64_t{0})), "its header has 18446744073709551615 bytes"));
  CHECK(contains(refusal(with_length(std::uint64_t{1} << 63)), "its header has 9223372036854775808 bytes"));
  CHECK(contains(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "Git LFS"));
  TemporaryDirectory directory;  // A sparse file that is as long as it says: only the limit refuses it.
  write_bytes(directory / "m", with_length(100'000'001));
  std::filesystem::resize_file(directory / "m", 100'000'100);
  CHECK(contains(message_of<FormatError>([&] { SafetensorsFile::open(directory / "m"); }), "expected at most 100000000"));
}

TEST_CASE("safetensors: a file that is cut at any byte, or has one more, is refused") {
  TemporaryDirectory directory;
  std::vector<float> const values{1, 2, 3};
  Tensors tensors;
  tensors.add("a", ElementType::f32, values).add<std::uint8_t>("b", ElementType::u8, {1});
  write_safetensors(directory / "m", tensors);
  std::string const whole = read_bytes(directory / "m");
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK(refusal(whole.substr(0, length)) != "no exception");
  refusal(whole + '\0');
}

TEST_CASE("safetensors: tensors of no bytes may lie where others meet, and packed types smaller than a byte are counted in bits") {
  TemporaryDirectory directory;
  std::string const header = "{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("e", "F32", "[0]", "[8,8]") + "," +
                             entry("d", "F16", "[7,0]", "[0,0]") + "," + entry("p", "F4", "[2,3]", "[8,11]") + "}   ";
  write_bytes(directory / "m", raw_safetensors(header, 11));
  auto const file = SafetensorsFile::open(directory / "m");
  CHECK(file.tensors().size() == 4);
  CHECK(file.find("p")->element_count() == 6);
  CHECK(file.find("d")->element_count() == 0);
}

TEST_CASE("safetensors: the writer refuses what it could not read again, and leaves the file that was there") {
  TemporaryDirectory directory;
  std::vector<float> const values{1, 2};
  auto const good = tensor_data("a", {2}, values);
  write_safetensors(directory / "m", {&good, 1});
  std::string const before = read_bytes(directory / "m");
  auto const refused = [&](std::vector<TensorData> const& tensors) {
    return message_of<ArgumentError>([&] { write_safetensors(directory / "m", tensors); });
  };
  CHECK(contains(refused({good, good}), "a: two tensors have this name"));
  CHECK(contains(refused({tensor_data("__metadata__", {2}, values)}), "cannot have this name"));
  CHECK(contains(refused({tensor_data("a", {3}, values)}), "a: found 8 bytes for the shape [3] of F32"));
  CHECK(contains(refused({tensor_data("a", {~std::size_t{0}, 2}, values)}), "found 8 bytes"));
  CHECK(contains(refused({tensor_data("\xff", {2}, values)}), "not UTF-8"));
  CHECK(read_bytes(directory / "m") == before);
  CHECK(directory.file_count() == 1);
}
