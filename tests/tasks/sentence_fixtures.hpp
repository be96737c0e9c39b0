// The sentence models of tests/fixtures/sentences (see README.md there), each put together with its transformer in a folder of its own.
#pragma once

#include <filesystem>
#include <string>

#include <axiform/io/file.hpp>
#include <axiform/io/json.hpp>

#include "models/goldens.hpp"

namespace sentences {

inline std::filesystem::path const directory = std::filesystem::path(AXIFORM_FIXTURES) / "sentences";

// A temporary copy of the transformer `model` with the folder `name` over it, gone with this object.
class Assembled {
 public:
  Assembled(std::string const& name, std::string const& model)
      : path_(std::filesystem::temp_directory_path() / ("axiform_sentences_" + name)) {
    using enum std::filesystem::copy_options;
    std::filesystem::remove_all(path_);
    std::filesystem::copy(goldens::models / model, path_, recursive);
    if (std::filesystem::exists(directory / name)) std::filesystem::copy(directory / name, path_, recursive | overwrite_existing);
  }
  ~Assembled() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Assembled(Assembled const&) = delete;
  Assembled& operator=(Assembled const&) = delete;

  operator std::filesystem::path const&() const { return path_; }
  void write(char const* name, std::string const& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    axiform::write_file_atomically(path_ / name, [&](auto& file) { file.write(text); });
  }
  void remove(char const* name) const { std::filesystem::remove_all(path_ / name); }

 private:
  std::filesystem::path path_;
};

}  // namespace sentences
