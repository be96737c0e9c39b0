/// @file
/// The files of a folder that are searched, and which of them an index knows already.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/io/sha256.hpp>
#include <axiform/search/passage_index.hpp>

#if AXIFORM_DEFINES(search)
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/utf8.hpp>
#endif

namespace axiform {

/// Which files are searched.
struct CorpusOptions {
  /// As the shell has them: `*.md` for names, `docs/*` for paths within the folder. All files where there is none.
  std::vector<std::string> patterns = {};
  std::filesystem::path left_out = {};  ///< A file that is none of them, and what is beside it under its name and a dot: the index itself.
  std::size_t largest = std::size_t{1} << 28;  ///< Bytes of a file at most.
};

/// A file, as it was read.
struct CorpusFile {
  std::string name = {};                  ///< Its path within the folder, with slashes.
  std::uint64_t size = 0;                 ///< Of what was read.
  std::int64_t modified = 0;              ///< As `IndexedFile::modified`.
  Sha256Digest hash = {};                 ///< Of the bytes that were read.
  std::optional<std::size_t> known = {};  ///< The file of the index that has the same bytes; its passages are kept.
  std::string text = {};                  ///< Its bytes, where the index does not have them; empty where they are no text.
};

/// What was not as expected of a file; the rest goes on.
struct CorpusNote {
  std::string file;  ///< Its name.
  std::string what;  ///< What is the matter, and what becomes of it.
};

/// The files that are to be searched, and how they differ from those of an index.
struct Corpus {
  std::vector<CorpusFile> files = {};  ///< In the order of their names.
  std::vector<CorpusNote> notes = {};  ///< In the order of the files.
  std::size_t added = 0;               ///< Files that the index does not have.
  std::size_t changed = 0;             ///< Files whose bytes are others.
  std::size_t touched = 0;             ///< Files with the same bytes and another time.
  std::size_t removed = 0;             ///< Files of the index that are not there any more, or cannot be read.

  /// Whether the index has all that there is.
  bool is_as_indexed() const noexcept { return added + changed + touched + removed == 0; }
};

/// Reads a folder, or one file. Files below the folder are taken, but those that are hidden (and what is in hidden folders); links to folders are not
/// followed. A file is read when its size or its time is not that of the index; hashes are those of the bytes that were read, whoever writes meanwhile.
/// Files that are no text (they have a zero byte), too large, unreadable or gone by then are left out with a note, and so are folders that cannot be read; what is not UTF-8 is noted.
///
/// @param known What to compare with; an empty one for a new index.
/// @throws FileError when there is nothing at `path`; as `read_file` when it is one file that cannot be read; IndexError when the index has files and none
///         of them is there: it is another corpus's.
Corpus read_corpus(std::filesystem::path const& path, PassageIndex const& known, CorpusOptions const& options, Executor& executor);

/// A corpus of one text that is not in a file.
Corpus corpus_of_text(std::string name, std::string text);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

/// Hashes of files as keys.
inline std::string_view key_of(std::span<std::byte const, 32> hash) { return {reinterpret_cast<char const*>(hash.data()), hash.size()}; }

class CorpusReader {
 public:
  CorpusReader(std::filesystem::path const& path, PassageIndex const& known, CorpusOptions const& options)
      : path_(path), known_(known), options_(options) {
    for (std::size_t i = 0; i < known.file_count(); ++i) names_.emplace(known.file(i).name, i);
  }

  Corpus read(Executor& executor) {
    list();
    std::ranges::sort(found_, {}, [](Found const& each) -> std::string const& { return each.file.name; });
    now_ = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    executor.parallel_for(found_.size(), [&](std::size_t i) { read_one(found_[i]); });
    match();
    return gather();
  }

 private:
  struct Found {
    std::filesystem::path path;
    CorpusFile file = {};
    std::string note = {};
    bool is_there = true, was_read = false, is_binary = false;
  };

  void list() {
    std::error_code error;
    auto const status = std::filesystem::status(path_, error);
    if (!std::filesystem::exists(status)) throw FileError(message({path_.string(), ": cannot be read: there is nothing"}));
    is_folder_ = std::filesystem::is_directory(status);
    if (!is_folder_) return add(path_, path_.filename().generic_string());
    auto const can_be_listed = [](std::filesystem::path const& folder) { return ::access(folder.c_str(), R_OK | X_OK) == 0; };
    if (!can_be_listed(path_)) throw FileError(message({path_.string(), ": the folder cannot be read"}));
    using Iterator = std::filesystem::recursive_directory_iterator;
    Iterator entry(path_, std::filesystem::directory_options::skip_permission_denied, error);
    for (Iterator const end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (entry->path().filename().string().starts_with('.')) {
        entry.disable_recursion_pending();
      } else if (entry->is_directory(ignored) && !can_be_listed(entry->path())) {
        entry.disable_recursion_pending();
        found_.push_back({.path = entry->path(),
                          .file = {.name = entry->path().lexically_relative(path_).generic_string()},
                          .note = "the folder cannot be read; left out",
                          .is_there = false});
      } else if (entry->is_regular_file(ignored)) {
        add(entry->path(), entry->path().lexically_relative(path_).generic_string());
      }
    }
    if (error) throw FileError(message({path_.string(), ": cannot be listed: ", error.message()}));
  }

  void add(std::filesystem::path const& path, std::string name) {
    std::error_code ignored;
    if (!options_.left_out.empty()) {
      auto const folder = options_.left_out.parent_path();
      bool const is_beside = path.filename().string().starts_with(options_.left_out.filename().string() + ".") &&
                             std::filesystem::equivalent(path.parent_path(), folder.empty() ? "." : folder, ignored);
      if (is_beside || std::filesystem::equivalent(path, options_.left_out, ignored)) return;
    }
    auto const matches = [&](std::string const& pattern) {
      std::string const tail = path.filename().string();
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0 || ::fnmatch(pattern.c_str(), tail.c_str(), 0) == 0;
    };
    if (options_.patterns.empty() || std::ranges::any_of(options_.patterns, matches))
      found_.push_back({.path = path, .file = {.name = std::move(name)}});
  }

  // A file that was written less than two seconds ago may be written again without its time showing it.
  std::int64_t time_of(struct stat const& status) const {
    constexpr std::int64_t second = 1'000'000'000;
    constexpr std::int64_t latest = 9'000'000'000;  // the year 2255
    std::int64_t const time = std::clamp<std::int64_t>(status.st_mtim.tv_sec, -latest, latest) * second + status.st_mtim.tv_nsec;
    return time < now_ - 2 * second ? time : 0;
  }

  void read_one(Found& found) const {
    if (!found.is_there) return;
    auto const leave_out = [&](std::string const& why) {
      found.is_there = false;
      found.note = why + "; left out";
    };
    CorpusFile& file = found.file;
    struct stat status {};
    if (::stat(found.path.c_str(), &status) != 0) return leave_out("is gone since the folder was listed");
    file.size = static_cast<std::uint64_t>(status.st_size);
    file.modified = time_of(status);
    if (auto const known = names_.find(file.name); known != names_.end()) {
      IndexedFile const before = known_.file(known->second);
      if (file.modified != 0 && before.modified == file.modified && before.size == file.size) {
        std::ranges::copy(before.hash, file.hash.begin());
        file.known = known->second;
        return;
      }
    }
    try {
      file.text = read_file(found.path, options_.largest);
    } catch (Error const& error) {
      if (!is_folder_) throw;
      return leave_out(error.what());
    }
    found.was_read = true;
    file.size = file.text.size();
    Sha256 hash;
    hash.add(std::as_bytes(std::span(file.text.data(), file.text.size())));
    file.hash = hash.digest();
    if (file.text.find('\0') != file.text.npos) {  // what is no text is not kept
      found.is_binary = true;
      file.text = {};
    }
    struct stat after {};
    if (::stat(found.path.c_str(), &after) != 0 || after.st_mtim.tv_sec != status.st_mtim.tv_sec ||
        after.st_mtim.tv_nsec != status.st_mtim.tv_nsec) {
      found.note = "has changed while it was read; taken as it was then";
      file.modified = 0;
    }
  }

  // A file with the bytes of one that the index has keeps its passages: of its own name, or else of one that is not there any more or has changed.
  void match() {
    std::unordered_map<std::string_view, std::vector<std::size_t>> hashes;
    for (std::size_t i = known_.file_count(); i-- > 0;) hashes[key_of(known_.file(i).hash)].push_back(i);
    std::vector<char> is_taken(known_.file_count());
    auto const take = [&](Found& found, std::size_t index) {
      found.file.known = index;
      found.file.text.clear();
      is_taken[index] = 1;
    };
    for (Found& found : found_)
      if (auto const same = names_.find(found.file.name); found.is_there && same != names_.end()) {
        bool const has_bytes = std::ranges::equal(known_.file(same->second).hash, found.file.hash);
        if (has_bytes) take(found, same->second);
      }
    for (Found& found : found_) {
      if (!found.is_there || found.file.known) continue;
      auto const same = hashes.find(key_of(found.file.hash));
      if (same == hashes.end()) continue;
      while (!same->second.empty() && is_taken[same->second.back()] != 0) same->second.pop_back();
      if (!same->second.empty()) take(found, same->second.back());
    }
  }

  Corpus gather() {
    Corpus corpus;
    std::size_t common = 0, kept = 0;
    for (Found& found : found_) {
      CorpusFile& file = found.file;
      if (found.is_there && found.was_read && !file.known) check_text(found);
      if (!found.note.empty()) corpus.notes.push_back({file.name, found.note});
      if (!found.is_there) continue;
      auto const same = names_.find(file.name);
      if (same == names_.end()) {
        ++corpus.added;
      } else {
        ++common;
        if (!file.known || *file.known != same->second) {
          ++corpus.changed;
        } else if (known_.file(*file.known).modified != file.modified) {
          ++corpus.touched;
        }
      }
      if (file.known) ++kept;
      corpus.files.push_back(std::move(file));
    }
    corpus.removed = known_.file_count() - common;
    if (known_.file_count() != 0 && common == 0 && kept == 0)
      throw IndexError(message({path_.string(), ": found none of the ", known_.file_count(), " files of the index, the first of which is ",
                                in_quotes(known_.file(0).name), ": is it another corpus's? (Remove the index to make it anew.)"}));
    return corpus;
  }

  static void check_text(Found& found) {
    auto const note = [&](std::string const& what) { found.note += (found.note.empty() ? "" : "; ") + what; };
    if (found.is_binary) {
      note("is no text: it has a zero byte; left out");
    } else if (!is_valid_utf8(found.file.text)) {
      note("has bytes that are not UTF-8; they are read as U+FFFD");
    }
  }

  std::filesystem::path const& path_;
  PassageIndex const& known_;
  CorpusOptions const& options_;
  std::unordered_map<std::string_view, std::size_t> names_;  // of the files that are known
  std::vector<Found> found_;
  bool is_folder_ = true;
  std::int64_t now_ = 0;
};

}  // namespace detail

AXIFORM_INLINE Corpus read_corpus(std::filesystem::path const& path, PassageIndex const& known, CorpusOptions const& options,
                                  Executor& executor) {
  return detail::CorpusReader(path, known, options).read(executor);
}

AXIFORM_INLINE Corpus corpus_of_text(std::string name, std::string text) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(text.data(), text.size())));
  CorpusFile file{.name = std::move(name), .size = text.size(), .hash = hash.digest()};
  file.text = std::move(text);
  Corpus corpus{.added = 1};
  corpus.files.push_back(std::move(file));
  return corpus;
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
