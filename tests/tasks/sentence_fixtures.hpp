// The sentence models of tests/fixtures/sentences (see README.md there), each put together with its transformer in a folder of its own.
#pragma once

#include <filesystem>
#include <string>

#include <axiform/io/json.hpp>

#include "support/goldens.hpp"

namespace sentences {

inline std::filesystem::path const directory = std::filesystem::path(AXIFORM_FIXTURES) / "sentences";

// A temporary copy of the transformer `model` with the folder `name` over it, gone with this object.
class Assembled : public axiform::test::TemporaryDirectory {
 public:
  Assembled(std::string const& name, std::string const& model) {
    using enum std::filesystem::copy_options;
    std::filesystem::copy(goldens::models / model, path(), recursive);
    if (std::filesystem::exists(directory / name)) std::filesystem::copy(directory / name, path(), recursive | overwrite_existing);
  }

  void write(char const* name, std::string const& text) const {
    std::filesystem::create_directories((*this / name).parent_path());
    axiform::test::write_bytes(*this / name, text);
  }
  void remove(char const* name) const { std::filesystem::remove_all(*this / name); }
};

}  // namespace sentences
