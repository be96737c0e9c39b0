// A task opens each file of its directory once, whoever asks for what the file says. Linux counts (inotify).
#include <doctest/doctest.h>
#include <axiform/models/gpt2.hpp>
#include <axiform/tasks/sentence_embedding.hpp>
#include <axiform/tasks/text_generation.hpp>

#if defined(__linux__)

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
namespace fs = std::filesystem;

namespace {

// Counts how often each file of a directory is opened while this lives.
class OpenedFiles {
 public:
  explicit OpenedFiles(fs::path const& directory) : file_(::inotify_init1(IN_NONBLOCK)) {
    // Closing, too: two events that are the same would be one.
    REQUIRE(::inotify_add_watch(file_, directory.c_str(), IN_OPEN | IN_CLOSE) >= 0);
  }
  ~OpenedFiles() { ::close(file_); }
  OpenedFiles(OpenedFiles const&) = delete;
  OpenedFiles& operator=(OpenedFiles const&) = delete;

  std::map<std::string, int> counts() const {
    std::map<std::string, int> result;
    alignas(::inotify_event) std::array<char, 16384> buffer;
    for (::ssize_t size; (size = ::read(file_, buffer.data(), buffer.size())) > 0;) {
      for (::ssize_t at = 0; at < size;) {
        ::inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof(event));
        if (event.len > 0 && (event.mask & IN_OPEN) && !(event.mask & IN_ISDIR)) ++result[buffer.data() + at + sizeof(event)];
        at += static_cast<::ssize_t>(sizeof(event) + event.len);
      }
    }
    return result;
  }

 private:
  int file_;
};

template <class Task>
std::map<std::string, int> opened_by(fs::path const& source) {
  test::TemporaryDirectory copy;
  fs::copy(source, copy.path(), fs::copy_options::recursive);
  OpenedFiles const opened(copy.path());
  Context context;
  Task::from_directory(copy.path(), context);
  return opened.counts();
}

void check_once(std::map<std::string, int> const& counts, std::initializer_list<char const*> expected) {
  for (char const* name : expected) CHECK_MESSAGE(counts.contains(name), name);
  for (auto const& [name, count] : counts) CHECK_MESSAGE(count == 1, name);
}

}  // namespace

TEST_CASE("opened directory: a sentence model's files are opened once each") {
  check_once(opened_by<SentenceEmbedding<>>(fs::path(AXIFORM_MODELS) / "minilm-l6"),
             {"config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "sentence_bert_config.json", "model.safetensors"});
}

TEST_CASE("opened directory: a generating model's files are opened once each") {
  check_once(opened_by<TextGeneration<>>(goldens::models / "gpt2-demo"),
             {"config.json", "vocab.json", "merges.txt", "tokenizer_config.json", "model.safetensors"});
}

TEST_CASE("opened directory: two tasks that are given one directory share what was parsed") {
  test::TemporaryDirectory copy;
  fs::copy(goldens::models / "gpt2-demo", copy.path(), fs::copy_options::recursive);
  ModelDirectory const directory(copy.path());
  OpenedFiles const opened(copy.path());
  Context context;
  auto const task = TextGeneration<>::from_directory(directory, context);
  auto const model = load<Gpt2<>>(directory, context);
  CHECK(opened.counts()["config.json"] == 1);
}

#endif
