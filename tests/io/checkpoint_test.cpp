#include <axiform/io/checkpoint.hpp>
#include <axiform/io/safetensors_writer.hpp>

#include <doctest/doctest.h>

#include "io/io_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// A file of F32 vectors of length 2: [value, value + 0.5].
void write_vectors(std::filesystem::path const& path, std::vector<std::pair<std::string, float>> const& vectors) {
  std::vector<std::array<float, 2>> values;
  for (auto const& [name, value] : vectors) values.push_back({value, value + 0.5f});
  std::vector<TensorData> tensors;
  for (std::size_t i = 0; i < vectors.size(); ++i) tensors.push_back(tensor_data(vectors[i].first, {2}, values[i]));
  write_safetensors(path, tensors);
}

float first_of(Checkpoint const& checkpoint, std::string_view name) {
  float value = 0;
  checkpoint.read_floats(checkpoint.find(name).value(), 0, {&value, 1});
  return value;
}

constexpr char const* index_name = "model.safetensors.index.json";

}  // namespace

TEST_CASE("checkpoint: one file") {
  TemporaryDirectory directory;
  write_vectors(directory / "model.safetensors", {{"b", 1}, {"a", 2}});
  auto const checkpoint = Checkpoint::open(directory.path());
  CHECK(checkpoint.names() == std::vector<std::string>{"a", "b"});
  CHECK(first_of(checkpoint, "a") == 2);
  CHECK(first_of(checkpoint, "b") == 1);
  CHECK_FALSE(checkpoint.find("c").has_value());
  CHECK(checkpoint.directory() == directory.path());
}

TEST_CASE("checkpoint: shards are one, also after the checkpoint has moved") {
  TemporaryDirectory directory;
  write_vectors(directory / "model-00001-of-00002.safetensors", {{"a", 1}, {"c", 2}});
  write_vectors(directory / "model-00002-of-00002.safetensors", {{"b", 3}});
  write_bytes(directory / index_name, R"({"metadata":{"total_size":24},"weight_map":{"a":"model-00001-of-00002.safetensors",
      "b":"model-00002-of-00002.safetensors","c":"model-00001-of-00002.safetensors"}})");
  auto opened = Checkpoint::open(directory.path());
  auto const checkpoint = std::move(opened);
  CHECK(checkpoint.names() == std::vector<std::string>{"a", "b", "c"});
  CHECK(first_of(checkpoint, "a") == 1);
  CHECK(first_of(checkpoint, "b") == 3);
  CHECK(first_of(checkpoint, "c") == 2);
  CHECK(checkpoint.find("b")->file->path().filename() == "model-00002-of-00002.safetensors");
}

TEST_CASE("checkpoint: shards and an index that disagree are refused by name") {
  struct Case {
    std::string index, message;
  };
  for (auto const& [index, message] : std::vector<Case>{
           {R"({"weight_map":{"a":"s1","b":"s1","c":"s3"}})", "s3: no such file, which "},
           {R"({"weight_map":{"a":"s1","b":"s1","z":"s2"}})", "z: is not in "},
           {R"({"weight_map":{"a":"s1","c":"s2"}})", "b: is not in this file according to "},
           {R"({"weight_map":{"a":"s1","b":"s2","c":"s2"}})", "b: is not in "},
           {R"({"weight_map":{"a":"../s1"}})", "a: found \"../s1\", expected the name of a file in the same directory"},
           {R"({"weight_map":{"a":"/etc/passwd"}})", "a: found \"/etc/passwd\""},
           {R"({"weight_map":{"a":".."}})", "a: found \"..\""},
           {R"({"weight_map":{"a":"."}})", "a: found \".\""},
           {R"({"weight_map":{"a":""}})", "a: found \"\""},
           {R"({"weight_map":{"a":"x\\s1"}})", "expected the name of a file in the same directory"},
           {R"({"weight_map":{"a":"s1\u0000x"}})", "expected the name of a file in the same directory"},
           {R"({"weight_map":{"a":1}})", "a: found the number 1, expected the name of a file"},
           {R"({"weight_map":[]})", "weight_map: found an array of 0, expected an object"},
           {R"({})", "the key \"weight_map\" is missing"},
           {R"({"weight_map":{"a":"s1","a":"s2"}})", "the key \"a\" appears twice"},
           {R"([)", "is not valid JSON"},
           {R"({"weight_map":{"a":"not"}})", "not: "},
           {R"({"weight_map":{"a":"directory"}})", "directory: is a directory"},
       }) {
    CAPTURE(index);
    TemporaryDirectory directory;
    write_vectors(directory / "s1", {{"a", 1}, {"b", 2}});
    write_vectors(directory / "s2", {{"c", 3}});
    write_bytes(directory / "not", "not a safetensors file");
    std::filesystem::create_directory(directory / "directory");
    write_bytes(directory / index_name, index);
    auto const found = message_of<Error>([&] { Checkpoint::open(directory.path()); });
    CHECK_MESSAGE(contains(found, message), found);
    CHECK(contains(found, directory.path().string()));
  }
}

TEST_CASE("checkpoint: a directory without safetensors says what it has instead") {
  TemporaryDirectory directory;
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory / "absent"); }), "absent: no such directory"));
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory.path()); }),
                 "found neither model.safetensors nor model.safetensors.index.json"));
  write_bytes(directory / "pytorch_model.bin", "x");
  CHECK(contains(message_of<CheckpointError>([&] { Checkpoint::open(directory.path()); }),
                 "found pytorch_model.bin but no model.safetensors; only safetensors can be read"));
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory / "pytorch_model.bin"); }), "is not a directory"));
  std::filesystem::create_directory(directory / "model.safetensors");
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory.path()); }), "model.safetensors: is a directory"));
}

TEST_CASE("checkpoint: MiniLM's directory opens where it has been fetched") {
  std::filesystem::path const directory = std::filesystem::path(AXIFORM_MODELS) / "minilm-l6";
  if (!std::filesystem::exists(directory / "model.safetensors")) {
    MESSAGE("models/minilm-l6 is not there: scripts/demo fetches it");
    return;
  }
  auto const checkpoint = Checkpoint::open(directory);
  CHECK(checkpoint.tensors().size() == 104);
  auto const words = checkpoint.find("embeddings.word_embeddings.weight");
  REQUIRE(words.has_value());
  CHECK(words->info->shape == std::vector<std::size_t>{30522, 384});
  CHECK(checkpoint.find("embeddings.position_ids")->info->element_type == ElementType::i64);
}
