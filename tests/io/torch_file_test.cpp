// What torch.save wrote (tests/fixtures/models/make_pickled.py), in the form of zip archives and in the one before.
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/torch_file.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::filesystem::path const pickled = std::filesystem::path(AXIFORM_FIXTURES) / "models" / "pickled";

/// Puts `to` in the place of `from`, which is there and as long.
std::string with(std::string bytes, std::string_view from, std::string_view to) {
  std::size_t const at = bytes.find(from);
  REQUIRE(at != bytes.npos);
  REQUIRE(from.size() == to.size());
  return bytes.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("torch file: tensors and their views have the values that PyTorch gives them") {
  auto const expected = SafetensorsFile::open(pickled / "views" / "expected.safetensors");
  for (char const* name : {"zip.bin", "legacy.bin"}) {
    CAPTURE(name);
    auto const file = TorchFile::open(pickled / "views" / name);
    CHECK(file.tensors().size() == expected.tensors().size());
    for (TensorInfo const& wanted : expected.tensors()) {
      CAPTURE(wanted.name);
      TensorInfo const* const info = file.find(wanted.name);
      REQUIRE(info != nullptr);
      CHECK(info->shape == wanted.shape);
      CHECK(info->element_type == wanted.element_type);
      std::size_t const count = wanted.element_count();
      CHECK(info->element_count() == count);
      if (info->order == ElementOrder::strided) {
        std::vector<float> values(count);
        CHECK(contains(message_of<CheckpointError>([&] { file.read_floats(*info, 0, values); }),
                       wanted.name + ": found a view whose elements do not lie together, expected a contiguous tensor"));
      } else if (is_floating_point(info->element_type)) {
        std::vector<double> found(count), values(count);
        expected.read_doubles(wanted, 0, values);
        for (std::size_t first = 0; first <= count; ++first) {  // Every part of it.
          for (std::size_t size = 0; size <= count - first; ++size) {
            file.read_doubles(*info, first, std::span(found).first(size));
            CHECK(std::equal(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(size),
                             values.begin() + static_cast<std::ptrdiff_t>(first)));
          }
        }
      } else {
        std::vector<std::int64_t> found(count), values(count);
        file.read_integers(*info, 0, found);
        expected.read_integers(wanted, 0, values);
        CHECK(found == values);
      }
    }
    auto const order = [&](char const* tensor) { return file.find(tensor)->order; };
    CHECK(order("matrix") == ElementOrder::rows);
    CHECK(order("offset") == ElementOrder::rows);
    CHECK(order("row") == ElementOrder::rows);
    CHECK(order("ids") == ElementOrder::rows);
    CHECK(order("transposed") == ElementOrder::columns);
    for (char const* tensor : {"every_second", "columns", "expanded"}) CHECK(order(tensor) == ElementOrder::strided);
    CHECK(file.find("matrix")->begin == file.find("matrix.again")->begin);
    std::vector<std::byte> bytes(file.find("transposed")->bytes);
    CHECK_THROWS_AS(file.read(*file.find("transposed"), bytes), CheckpointError);
  }
}

TEST_CASE("torch file: every tensor has the bytes that safetensors has of it") {
  for (char const* model : {"bert-legacy", "bert-f16", "bert-bf16", "gpt2-f16"}) {
    auto const expected = SafetensorsFile::open(pickled.parent_path() / model / "model.safetensors");
    for (char const* name : {"zip.bin", "legacy.bin"}) {
      auto const file = TorchFile::open(pickled / model / name);
      REQUIRE(file.tensors().size() == expected.tensors().size());
      for (std::size_t i = 0; i < file.tensors().size(); ++i) {
        TensorInfo const &found = file.tensors()[i], &wanted = expected.tensors()[i];
        CHECK(found.name == wanted.name);
        CHECK(found.shape == wanted.shape);
        CHECK(found.element_type == wanted.element_type);
        std::vector<std::byte> bytes(found.bytes), values(wanted.bytes);
        file.read(found, bytes);
        expected.read(wanted, values);
        CHECK(bytes == values);
      }
    }
  }
}

TEST_CASE("torch file: what is not a state dict is refused by name") {
  for (char const* name : {"zip.bin", "legacy.bin"}) {
    CAPTURE(name);
    auto const message = [&](char const* fixture) {
      return message_of<CheckpointError>([&] { TorchFile::open(pickled / fixture / name); });
    };
    CHECK(contains(message("no-dict"), std::string(name) + ": found a list of 1, expected a dict of tensors"));
    CHECK(contains(message("no-tensor"), std::string(name) + ": epoch: found the number 3, expected a tensor"));
    CHECK(contains(message("conjugated"), std::string(name) + ": a: found a negated or conjugated view, expected a plain tensor"));
    auto const nested = TorchFile::open(pickled / "nested" / name);
    REQUIRE(nested.tensors().size() == 1);
    CHECK(nested.tensors()[0].name == "a");
  }
}

TEST_CASE("torch file: hostile changes to a file are refused by what they are") {
  TemporaryDirectory directory;
  struct Case {
    std::string from, to, message;
  };
  std::string const zip = read_bytes(pickled / "nested" / "zip.bin"), legacy = read_bytes(pickled / "nested" / "legacy.bin");
  auto const message = [&](std::string const& bytes) {
    write_bytes(directory / "m.bin", bytes);
    return message_of<Error>([&] { TorchFile::open(directory / "m.bin"); });
  };
  for (auto const& [from, to, expected] : std::vector<Case>{
           {"torch\nFloatStorage", "posix\nsystem666666", "found the global posix.system666666"},
           {"torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_tensor_v9", "found the global torch._utils._rebuild_tensor_v9"},
           {"torch\nFloatStorage", "torch\nQInt8Storage", "found the global torch.QInt8Storage"},
           {"storage", "stirage", "found a tuple of"},
           {"epoch", "epo\nh", "no exception"},
       }) {
    for (std::string const* bytes : {&zip, &legacy}) {
      auto const found = message(with(*bytes, from, to));
      CHECK_MESSAGE(contains(found, expected), found);
    }
  }
  CHECK(contains(message(with(zip, "little", "bigbig")), "m.bin: byteorder: found \"bigbig\", expected little"));
  CHECK(contains(message(with(legacy, std::string("little_endianq\2\x88", 16), std::string("little_endianq\2\x89", 16))),
                 "m.bin: little_endian: found False, expected True"));
  CHECK(contains(message("version https://git-lfs.github.com/spec/v1\n"), "is the pointer that Git LFS leaves"));
  CHECK(contains(message(std::string(257, 'x') + "ustar"), "is a tar archive, as PyTorch before 0.2 wrote"));
  CHECK(contains(message(""), "begins with \"\", expected what torch.save writes"));
  CHECK(contains(message("<html>"), "begins with \"<html>\""));
  for (std::string const* bytes : {&zip, &legacy})
    for (std::size_t size = 0; size < bytes->size(); ++size) CHECK(contains(message(bytes->substr(0, size)), "m.bin: "));
  // Shape, strides and offset: the tensor "a" is `K\0 K\2 \x85 q\n K\1 \x85`.
  std::string const tensor("QK\0K\2\x85", 6);
  CHECK(contains(message(with(zip, tensor, std::string("QK\1K\2\x85", 6))), "a: found the shape [2] with the strides [1] from element 1"));
  CHECK(contains(message(with(zip, tensor, std::string("QK\0K\3\x85", 6))), "which is more than the 2 elements of its storage"));
  CHECK(contains(message(with(zip, std::string("K\2tq", 4), std::string("K\xfftq", 4))), "has 8 bytes, expected 1020"));
}
