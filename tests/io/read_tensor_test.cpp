#include <axiform/io/read_tensor.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/io/torch_file.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;
using axes::Keys, axes::Tokens;

namespace {

template <class Element>
Tensor<Element, Tokens, Const<3>> counted() {
  Tensor<Element, Tokens, Const<3>> tensor(2);
  for (std::size_t i = 0; i < tensor.size(); ++i) tensor.data()[i] = static_cast<Element>(static_cast<float>(i));
  return tensor;
}

template <class Element>
void check_counted(TensorFile const& file, std::string_view name) {
  CAPTURE(name);
  auto const tensor = read_tensor<Element, Tokens, Const<3>>(file, name);
  REQUIRE(tensor.lengths() == std::array<std::size_t, 2>{2, 3});
  for (std::size_t i = 0; i < tensor.size(); ++i)
    CHECK(static_cast<float>(tensor.elements()[i]) == static_cast<float>(static_cast<Element>(static_cast<float>(i))));
}

}  // namespace

TEST_CASE("read_tensor: a tensor of every element is written and read again") {
  TemporaryDirectory directory;
  auto const f32 = counted<float>();
  auto const f64 = counted<double>();
  auto const i32 = counted<std::int32_t>();
  auto const i64 = counted<std::int64_t>();
  auto const boolean = counted<bool>();
  auto const f16 = counted<Float16>();
  auto const bf16 = counted<BFloat16>();
  write_safetensors(directory / "m", {{tensor_data("f32", f32), tensor_data("f64", f64), tensor_data("i32", i32), tensor_data("i64", i64),
                                       tensor_data("bool", boolean), tensor_data("f16", f16), tensor_data("bf16", bf16.view())}});
  auto const file = SafetensorsFile::open(directory / "m");
  for (char const* name : {"f32", "f64", "f16", "bf16"}) check_counted<float>(file, name), check_counted<double>(file, name);
  for (char const* name : {"i32", "i64"}) check_counted<std::int64_t>(file, name);
  check_counted<std::int32_t>(file, "i32");
  check_counted<bool>(file, "bool");
  check_counted<Float16>(file, "f16");
  check_counted<BFloat16>(file, "bf16");
}

TEST_CASE("read_tensor: another name, type or shape is refused with what was found and expected") {
  TemporaryDirectory directory;
  auto const x = counted<float>();
  auto const wide = counted<std::int64_t>();
  write_safetensors(directory / "m", {{tensor_data("x", x), tensor_data("wide", wide)}});
  auto const file = SafetensorsFile::open(directory / "m");
  std::string const name = (directory / "m").string();
  CHECK(message_of<CheckpointError>([&] { read_tensor<float, Tokens, Keys>(file, "y"); }) == name + ": has no tensor \"y\"");
  CHECK(message_of<ShapeError>([&] { read_tensor<float, Tokens, Const<4>>(file, "x"); }) ==
        name + ": x: found the shape [2, 3], expected [Tokens, Const<4>]: axis Const<4> has the length 3, expected 4");
  CHECK(message_of<ShapeError>([&] { read_tensor<float, Tokens>(file, "x"); }) == name + ": x: found the shape [2, 3], expected [Tokens]");
  CHECK(
      contains(message_of<CheckpointError>([&] { read_tensor<float, Tokens, Keys>(file, "wide"); }), ": wide: found the element type I64"));
  CHECK(message_of<CheckpointError>([&] { read_tensor<std::int32_t, Tokens, Keys>(file, "wide"); }) ==
        name + ": wide: found the element type I64, expected I32 or I16 or I8 or U16 or U8");
  CHECK(message_of<CheckpointError>([&] { read_tensor<BFloat16, Tokens, Keys>(file, "x"); }) ==
        name + ": x: found the element type F32, expected BF16");
  CHECK(contains(message_of<CheckpointError>([&] { read_tensor<bool, Tokens, Keys>(file, "wide"); }), "expected BOOL"));
}

TEST_CASE("read_tensor: integers longer than a buffer are narrowed, and empty tensors are read") {
  TemporaryDirectory directory;
  std::vector<std::int16_t> values(5000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int16_t>(i * 13);
  TensorData const data{"v", ElementType::i16, {5000}, std::as_bytes(std::span(values))};
  Tensor<BFloat16, Tokens, Const<3>> const none(0);
  write_safetensors(directory / "m", {{data, tensor_data("none", none)}});
  auto const file = SafetensorsFile::open(directory / "m");
  auto const read = read_tensor<std::int32_t, Tokens>(file, "v");
  CHECK(std::vector<std::int16_t>(read.elements().begin(), read.elements().end()) == values);
  CHECK(read_tensor<BFloat16, Tokens, Keys>(file, "none").size() == 0);
  CHECK(read_tensor<float, Tokens, Keys>(file, "none").size() == 0);
}

TEST_CASE("read_tensor: of a view the rows must lie together") {
  auto const x = counted<float>();
  TensorView<float const, Tokens, Const<2>> const part(x.data(), {2}, 3);
  CHECK(message_of<ArgumentError>([&] { tensor_data("part", part); }) ==
        "a view [2, 2] whose rows are 3 elements apart: expected rows that lie together, as a tensor's");
  TensorView<float const, Tokens, Const<2>> const row(x.data(), {1}, 3);
  CHECK(tensor_data("row", row).bytes.size() == 8);
}

TEST_CASE("read_tensor: a view that PyTorch saved is read where it is a matrix, and refused before memory is taken where it is not") {
  auto const file = TorchFile::open(std::filesystem::path(AXIFORM_FIXTURES) / "models" / "pickled" / "views" / "zip.bin");
  std::size_t matrices = 0, strided = 0;
  for (TensorInfo const& info : file.tensors()) {
    if (info.shape.size() != 2 || info.element_type != ElementType::f32) continue;
    CAPTURE(info.name);
    if (info.order == ElementOrder::strided) {
      CHECK(contains(message_of<CheckpointError>([&] { read_tensor<float, Tokens, Keys>(file, info.name); }), "do not lie together"));
      ++strided;
      continue;
    }
    auto const tensor = read_tensor<float, Tokens, Keys>(file, info.name);
    std::vector<float> floats(info.element_count());
    file.read_floats(info, 0, floats);
    CHECK(std::vector(tensor.elements().begin(), tensor.elements().end()) == floats);
    ++matrices;
  }
  CHECK(matrices > 0);
  CHECK(strided > 0);
}
