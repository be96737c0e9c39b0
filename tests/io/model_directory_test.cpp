#include <axiform/io/gguf.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>

#include <doctest/doctest.h>

#include <string>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::string const commit = "0123456789abcdef0123456789abcdef01234567", other = "ffffffffffffffffffffffffffffffffffffffff";

/// A model of a cache, with these snapshots.
std::filesystem::path make_model(std::filesystem::path const& root, std::initializer_list<std::string> snapshots) {
  for (std::string const& snapshot : snapshots) {
    std::filesystem::create_directories(root / "snapshots" / snapshot);
    write_bytes(root / "snapshots" / snapshot / "config.json", "{}");
  }
  std::filesystem::create_directories(root / "refs");
  return root;
}

std::string message(std::filesystem::path const& path) {
  return message_of<FileError>([&] { (void)ModelDirectory(path); });
}

}  // namespace

TEST_CASE("model directory: a directory of files is itself, also an empty one and one that is not there") {
  TemporaryDirectory directory;
  CHECK(ModelDirectory(directory.path()).path() == directory.path());
  CHECK(ModelDirectory(directory / "absent").path() == directory / "absent");
  CHECK(ModelDirectory("relative").path() == "relative");
  CHECK(ModelDirectory(std::string("relative")).string() == "relative");
  write_bytes(directory / "config.json", "{}");
  make_model(directory.path(), {commit});  // A model whose author keeps snapshots of his own.
  CHECK(ModelDirectory(directory.path()).path() == directory.path());
  CHECK(ModelDirectory(directory.path()) / "config.json" == directory / "config.json");
}

TEST_CASE("model directory: a file that is no GGUF file is refused as what it is") {
  TemporaryDirectory directory;
  write_bytes(directory / "model.safetensors", "{}");
  ModelDirectory const file(directory / "model.safetensors");
  CHECK(message_of<FileError>([&] { (void)file.json("config.json"); }) ==
        file.string() + ": is a file, expected a model's directory, or a GGUF file, whose name ends in .gguf");
}

TEST_CASE("model directory: a model of a cache is the snapshot that refs/main names, or the only one") {
  TemporaryDirectory directory;
  auto const root = make_model(directory / "models--a--b", {commit});
  CHECK(ModelDirectory(root).path() == root / "snapshots" / commit);
  make_model(root, {other});
  CHECK(contains(message(root),
                 "models--a--b/snapshots: found the snapshots " + commit + ", " + other + ", and no refs/main that says which"));
  write_bytes(root / "refs" / "main", other);
  CHECK(ModelDirectory(root).path() == root / "snapshots" / other);
  write_bytes(root / "refs" / "main", commit + "\n");
  CHECK(ModelDirectory(root).path() == root / "snapshots" / commit);
  CHECK(ModelDirectory(root / "snapshots" / other).path() == root / "snapshots" / other);
  CHECK(ModelDirectory(ModelDirectory(root)).path() == root / "snapshots" / commit);
}

TEST_CASE("model directory: a cache stands for its model when it has exactly one") {
  TemporaryDirectory directory;
  auto const root = make_model(directory / "models--a--b", {commit});
  std::filesystem::create_directories(directory / "datasets--c--d");
  write_bytes(directory / "version.txt", "1");
  CHECK(ModelDirectory(directory.path()).path() == root / "snapshots" / commit);
  make_model(directory / "models--e--f", {commit});
  CHECK(contains(message(directory.path()), "is a cache of several models (models--a--b, models--e--f); give the directory of one"));
}

TEST_CASE("model directory: a cache that does not say which snapshot is refused by what was found") {
  TemporaryDirectory directory;
  auto const root = directory / "models--a--b";
  std::filesystem::create_directories(root / "snapshots");
  CHECK(contains(message(root), "models--a--b/snapshots: has no snapshot of the model"));
  make_model(root, {commit});
  for (char const* name : {"", "..", "../../x", "/etc", "a/b"}) {
    write_bytes(root / "refs" / "main", name);
    CHECK(contains(message(root), "refs/main: found \"" + std::string(name) + "\", expected the name of a snapshot"));
  }
  write_bytes(root / "refs" / "main", other);
  CHECK(contains(message(root), "refs/main: names the snapshot " + other + ", which is not there; found " + commit + " in "));
}

TEST_CASE("model directory: a GGUF file is one, and so is the only one of a directory or of a snapshot without a config") {
  auto const gguf = std::filesystem::path(AXIFORM_FIXTURES) / "models/gguf/llama-tiny.gguf";
  ModelDirectory const file(gguf);
  CHECK(file.path() == gguf);
  REQUIRE(file.gguf() != nullptr);
  ModelDirectory const copy(file);
  CHECK(copy.gguf() == file.gguf());  // opened once
  CHECK(file.has("config.json"));
  CHECK_FALSE(file.has("generation_config.json"));
  CHECK(file.json("config.json")["num_hidden_layers"] == 2);

  TemporaryDirectory directory;
  std::filesystem::copy(gguf, directory / "a.gguf");
  CHECK(ModelDirectory(directory.path()).path() == directory / "a.gguf");
  std::filesystem::create_directories(directory / "hub/models--a--b/snapshots" / commit);
  std::filesystem::copy(gguf, directory / "hub/models--a--b/snapshots" / commit / "b.gguf");
  CHECK(ModelDirectory(directory / "hub").path() == directory / "hub/models--a--b/snapshots" / commit / "b.gguf");
  CHECK(ModelDirectory(directory / "hub/models--a--b").path() == directory / "hub/models--a--b/snapshots" / commit / "b.gguf");
  std::filesystem::copy(gguf, directory / "c.gguf");
  CHECK(contains(message(directory.path()), "has several models (a.gguf, c.gguf); give one of the files"));
  write_bytes(directory / "config.json", "{}");
  CHECK(ModelDirectory(directory.path()).path() == directory.path());
  ModelDirectory const plain(directory.path());
  CHECK(plain.gguf() == nullptr);
  write_bytes(directory / "d.gguf", "no model");
  ModelDirectory const wrong(directory / "d.gguf");
  CHECK(message_of<FormatError>([&] { (void)wrong.json("config.json"); }) != "");
}
