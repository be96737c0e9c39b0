#include <axiform/io/checkpoint.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/io/torch_file.hpp>

#include <doctest/doctest.h>

#include "support/files.hpp"

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

/// What torch.save wrote of one vector, "a".
std::filesystem::path const nested = std::filesystem::path(AXIFORM_FIXTURES) / "models" / "pickled" / "nested" / "zip.bin";

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

TEST_CASE("checkpoint: shards of pytorch_model.bin are one, in whichever form each is") {
  TemporaryDirectory directory;
  auto const views = nested.parent_path().parent_path() / "views" / "legacy.bin";
  std::filesystem::copy(nested, directory / "pytorch_model-00001-of-00002.bin");
  std::filesystem::copy(views, directory / "pytorch_model-00002-of-00002.bin");
  std::string index = R"({"weight_map":{"a":"pytorch_model-00001-of-00002.bin")";
  auto const second = TorchFile::open(views);
  for (TensorInfo const& info : second.tensors()) index += ",\"" + info.name + R"(":"pytorch_model-00002-of-00002.bin")";
  write_bytes(directory / "pytorch_model.bin.index.json", index + "}}");
  auto const checkpoint = Checkpoint::open(directory.path());
  CHECK(first_of(checkpoint, "a") == 1);
  CHECK(first_of(checkpoint, "scalar") == 2.5f);
  CHECK(checkpoint.find("scalar")->file->path().filename() == "pytorch_model-00002-of-00002.bin");
  std::filesystem::remove(directory / "pytorch_model-00002-of-00002.bin");
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory.path()); }), "pytorch_model-00002-of-00002.bin: no such file"));
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

TEST_CASE("checkpoint: safetensors come before pytorch_model.bin, one file before shards, and the usual names before variants") {
  TemporaryDirectory directory;
  auto const opened = [&] { return Checkpoint::open(directory.path()).weights().filename().string(); };
  auto const write = [&](std::string const& name) {
    std::string const shard = name.find(".safetensors") != name.npos ? "s.safetensors" : "s.bin";
    if (name.ends_with(".json")) return write_bytes(directory / name, R"({"weight_map":{"a":")" + shard + "\"}}");
    if (name.ends_with(".safetensors")) return write_vectors(directory / name, {{"a", 1}});
    write_bytes(directory / name, read_bytes(nested));
  };
  for (char const* shard : {"s.safetensors", "s.bin"}) write(shard);
  for (char const* name :
       {"pytorch_model.bin.index.fp16.json", "pytorch_model.fp16.bin", "model.safetensors.index.fp16.json", "model.fp16.safetensors",
        "pytorch_model.bin.index.json", "pytorch_model.bin", "model.safetensors.index.json", "model.safetensors"}) {
    CAPTURE(name);
    write(name);
    CHECK(opened() == name);
    CHECK(Checkpoint::open(directory.path()).names() == std::vector<std::string>{"a"});
  }
}

TEST_CASE("checkpoint: of several variants and no usual file none is taken, and the message lists them") {
  TemporaryDirectory directory;
  for (char const* name : {"model.fp16.safetensors", "model.bf16.safetensors", "model.fp16-00001-of-00002.safetensors"})
    write_vectors(directory / name, {{"a", 1}});
  CHECK(contains(
      message_of<CheckpointError>([&] { Checkpoint::open(directory.path()); }),
      directory.path().string() + ": found the weights in the variants bf16, fp16, expected model.safetensors or one variant alone"));
  std::filesystem::remove(directory / "model.bf16.safetensors");
  CHECK(Checkpoint::open(directory.path()).weights() == directory / "model.fp16.safetensors");
}

TEST_CASE("checkpoint: a directory without weights says what it has instead") {
  TemporaryDirectory directory;
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory / "absent"); }), "absent: no such directory"));
  CHECK(contains(message_of<FileError>([&] { Checkpoint::open(directory.path()); }),
                 "found no weights, expected model.safetensors or pytorch_model.bin"));
  write_bytes(directory / "tf_model.h5", "x");
  CHECK(contains(message_of<CheckpointError>([&] { Checkpoint::open(directory.path()); }),
                 "found tf_model.h5, which cannot be read, expected model.safetensors or pytorch_model.bin"));
  write_bytes(directory / "pytorch_model.bin", "x");
  CHECK(contains(message_of<FormatError>([&] { Checkpoint::open(directory.path()); }), "pytorch_model.bin: begins with \"x\""));
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
