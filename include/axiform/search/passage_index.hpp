/// @file
/// `PassageIndex`: the passages of many files, with their embeddings and an index of their words, saved in one file and reopened in no time.
///
///     auto const index = PassageIndex::open("docs.index");
///     for (SearchHit const& hit : index.words().search("huge pages", {.top_k = 3})) {
///       IndexedPassage const passage = index.passage(hit.index);
///       std::cout << passage.file << ":" << passage.line << "  " << passage.text << "\n";
///     }
///
/// The file is a safetensors file, whose tensors are mapped and whose metadata has a small manifest. `update_index` (search/update_index.hpp) makes
/// it, and brings it up to date.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/axis.hpp>
#include <axiform/core/config.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/view.hpp>
#include <axiform/io/sha256.hpp>
#include <axiform/search/bm25.hpp>
#include <axiform/search/model_identity.hpp>
#include <axiform/search/passages.hpp>

#if AXIFORM_DEFINES(search)
#include <algorithm>
#include <type_traits>
#include <utility>

#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/safetensors_writer.hpp>
#endif

namespace axiform {

/// An index does not fit what it is asked for: it is another model's, another corpus's, or has no embeddings.
class IndexError : public Error {
 public:
  using Error::Error;
};

/// How an index was made.
struct IndexManifest {
  ModelIdentity model = {};                       ///< What embedded the passages; without a hash there are no embeddings.
  std::size_t dimensions = 0;                     ///< Numbers of an embedding; 0 where there are none.
  PassageSplit split = PassageSplit::paragraphs;  ///< Where texts were cut.
  std::size_t length = 0;                         ///< Tokens of a passage at most.
  std::size_t overlap = 0;                        ///< Tokens that parts of a longer paragraph have in common.
};

/// A file as it was when its passages were taken. Names and hashes lie in the index.
struct IndexedFile {
  std::string_view name;                ///< Its path within the corpus, with slashes.
  std::uint64_t size = 0;               ///< In bytes.
  std::int64_t modified = 0;            ///< When it was changed last, in nanoseconds from 1970; 0 when it was too fresh to tell.
  std::span<std::byte const, 32> hash;  ///< SHA-256 of its bytes.
  std::size_t first_passage = 0;        ///< The first of its passages.
  std::size_t passage_count = 0;        ///< How many there are; none of a file that is empty, or no text.
};

/// A passage, and where it stood. File and text lie in the index.
struct IndexedPassage {
  std::string_view file;  ///< As `IndexedFile::name`.
  std::size_t begin = 0;  ///< Its first byte in the file.
  std::size_t end = 0;    ///< Behind its last.
  std::size_t line = 0;   ///< That it begins in, from 1.
  std::string_view text;  ///< Its bytes as they were embedded, also where the file has changed since.
};

/// What a `PassageIndex` is made of, as flat arrays; those of a saved one lie in its file.
struct IndexArrays {
  std::span<char const> file_names;                  ///< One behind another, in the order of their bytes.
  std::span<std::uint64_t const> file_name_ends;     ///< Where each ends.
  std::span<std::uint64_t const> file_sizes;         ///< In bytes.
  std::span<std::int64_t const> file_times;          ///< As `IndexedFile::modified`.
  std::span<std::byte const> file_hashes;            ///< 32 bytes each.
  std::span<std::uint64_t const> file_passage_ends;  ///< Where each file's passages end.
  std::span<char const> texts;                       ///< Of all passages, one behind another.
  std::span<std::uint64_t const> text_ends;          ///< Where each ends.
  std::span<std::uint64_t const> begins;             ///< First byte of each passage in its file.
  std::span<std::uint64_t const> ends;               ///< Behind the last.
  std::span<std::uint64_t const> lines;              ///< Of the first byte, from 1.
  std::span<float const> embeddings;                 ///< [passages, dimensions].
  Bm25Arrays words;                                  ///< Of all passages.
};

/// Passages of files, to be searched. Copies share what they hold; any number of threads may use one.
class PassageIndex {
 public:
  /// Of nothing.
  PassageIndex() = default;
  /// Of arrays that `owner` keeps.
  /// @param name What they are in messages: a file.
  /// @throws FormatError when they do not fit together.
  PassageIndex(IndexManifest manifest, IndexArrays const& arrays, std::shared_ptr<void const> owner, std::string const& name);

  /// Maps a saved one: passages, embeddings and words stay in the file until they are looked at. It is this index as long as it lives, also when the file
  /// is replaced; but a file that is cut short in place takes the program with it (`File::map`).
  /// @throws FileError when the file cannot be read; FormatError, naming what is wrong, when it is no index, one of another version, or damaged.
  static PassageIndex open(std::filesystem::path const& path);

  /// Writes it to a file, whole or not at all (`write_file_atomically`). @throws FileError when writing fails.
  void save(std::filesystem::path const& path) const;

  /// @throws IndexError, naming both, when the embeddings are not this model's, or there are none.
  void check_model(ModelIdentity const& model) const;

  IndexManifest const& manifest() const noexcept { return manifest_; }               ///< How it was made.
  std::size_t size() const noexcept { return arrays_.text_ends.size(); }             ///< Passages.
  std::size_t file_count() const noexcept { return arrays_.file_name_ends.size(); }  ///< Files.
  /// @throws ArgumentError when there is no such file.
  IndexedFile file(std::size_t index) const;
  /// @throws ArgumentError when there is no such passage.
  IndexedPassage passage(std::size_t index) const;
  Bm25 const& words() const noexcept { return words_; }  ///< The search by words; its texts are the passages.
  /// [passages, dimensions]; of no length where there are none. It lasts as long as this object or a copy.
  View<axes::Sequences, axes::Hidden> embeddings() const {
    return {arrays_.embeddings.data(), Shape<axes::Sequences, axes::Hidden>(manifest_.dimensions == 0 ? 0 : size(), manifest_.dimensions)};
  }

 private:
  [[noreturn]] void refuse(std::string const& what) const;

  IndexManifest manifest_;
  IndexArrays arrays_;
  Bm25 words_;
  std::shared_ptr<void const> owner_;
  std::string name_ = "index";
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

inline constexpr char index_key[] = "axiform_index";
inline constexpr std::uint64_t index_version = 1;

/// Calls `use(name, array)` for each array of an index, by its name in the file.
void for_each_index_array(auto& arrays, auto const& use) {
  use("files.names", arrays.file_names);
  use("files.name_ends", arrays.file_name_ends);
  use("files.sizes", arrays.file_sizes);
  use("files.times", arrays.file_times);
  use("files.hashes", arrays.file_hashes);
  use("files.passage_ends", arrays.file_passage_ends);
  use("passages.texts", arrays.texts);
  use("passages.text_ends", arrays.text_ends);
  use("passages.begins", arrays.begins);
  use("passages.ends", arrays.ends);
  use("passages.lines", arrays.lines);
  use("words.words", arrays.words.words);
  use("words.word_ends", arrays.words.word_ends);
  use("words.posting_ends", arrays.words.posting_ends);
  use("words.passages", arrays.words.texts);
  use("words.counts", arrays.words.counts);
  use("words.lengths", arrays.words.lengths);
}

template <class T>
inline constexpr ElementType index_element = std::is_same_v<T, std::uint64_t>   ? ElementType::u64
                                             : std::is_same_v<T, std::int64_t>  ? ElementType::i64
                                             : std::is_same_v<T, std::uint32_t> ? ElementType::u32
                                             : std::is_same_v<T, float>         ? ElementType::f32
                                                                                : ElementType::u8;

constexpr std::string_view name_of_split(PassageSplit split) { return split == PassageSplit::lines ? "lines" : "paragraphs"; }

inline Json json_of(IndexManifest const& manifest) {
  Json model = nullptr;
  if (!manifest.model.hash.empty())
    model = {{"name", manifest.model.name},
             {"hash", manifest.model.hash},
             {"weights", manifest.model.weights},
             {"pooling", manifest.model.pooling},
             {"dimensions", manifest.dimensions}};
  Json const passages = {{"split", name_of_split(manifest.split)}, {"length", manifest.length}, {"overlap", manifest.overlap}};
  return {{"version", index_version}, {"model", model}, {"passages", passages}};
}

inline IndexManifest index_manifest_of(Json const& json, std::string const& where) {
  IndexManifest manifest;
  if (auto const version = require<std::uint64_t>(json, "version", where); version != index_version)
    throw FormatError(message({where, ": version: found ", version, ", expected ", index_version, " (make the index anew)"}));
  if (Json const* const model = find_member(json, "model", where); model != nullptr && !model->is_null()) {
    manifest.model = {.name = require<std::string>(*model, "name", where),
                      .hash = require<std::string>(*model, "hash", where),
                      .weights = require<std::string>(*model, "weights", where),
                      .pooling = require<std::vector<std::string>>(*model, "pooling", where)};
    manifest.dimensions = require<std::size_t>(*model, "dimensions", where);
    if (manifest.model.hash.empty() || manifest.dimensions == 0)
      throw FormatError(message({where, ": model: found no hash or no dimensions, expected both"}));
  }
  Json const& passages = require_object(json, "passages", where);
  auto const split = require<std::string>(passages, "split", where);
  if (split != name_of_split(PassageSplit::lines) && split != name_of_split(PassageSplit::paragraphs))
    throw FormatError(message({where, ": split: found ", in_quotes(split), ", expected \"paragraphs\" or \"lines\""}));
  manifest.split = split == name_of_split(PassageSplit::lines) ? PassageSplit::lines : PassageSplit::paragraphs;
  manifest.length = require<std::size_t>(passages, "length", where);
  manifest.overlap = require<std::size_t>(passages, "overlap", where);
  return manifest;
}

/// A tensor's elements where they lie in a mapped file.
template <class T>
std::span<T const> mapped_elements(SafetensorsFile const& file, FileMapping const& mapping, std::string const& name, std::size_t rank) {
  auto const refuse = [&](std::string const& what) { throw FormatError(message({file.path().string(), ": ", name, ": ", what})); };
  TensorInfo const* const info = file.find(name);
  if (info == nullptr) refuse("is missing: this is no index, or one of another version");
  if (info->element_type != index_element<T>)
    refuse(message({"found the element type ", info->type_name(), ", expected ", name_of(index_element<T>)}));
  if (info->shape.size() != rank) refuse(message({"found the shape ", shape_to_string(info->shape), ", expected ", rank, " axes"}));
  if (info->begin % alignof(T) != 0) refuse("does not lie at a multiple of its elements' size");
  if (info->bytes == 0) return {};
  auto const bytes = mapping.bytes().subspan(info->begin, info->bytes);
  return {reinterpret_cast<T const*>(bytes.data()), bytes.size() / sizeof(T)};
}

/// What stands from one end to the next.
template <class T>
std::span<T const> part_of(std::span<T const> all, std::span<std::uint64_t const> ends, std::size_t index) {
  std::size_t const begin = index == 0 ? 0 : ends[index - 1];
  return all.subspan(begin, ends[index] - begin);
}
inline std::string_view text_of(std::span<char const> characters) { return {characters.data(), characters.size()}; }

}  // namespace detail

AXIFORM_INLINE void PassageIndex::refuse(std::string const& what) const { throw FormatError(detail::message({name_, ": ", what})); }

AXIFORM_INLINE PassageIndex::PassageIndex(IndexManifest manifest, IndexArrays const& arrays, std::shared_ptr<void const> owner,
                                          std::string const& name)
    : manifest_(std::move(manifest)), arrays_(arrays), words_(arrays.words, owner, name), owner_(std::move(owner)), name_(name) {
  auto const check_count = [&](std::string_view what, std::size_t found, std::size_t expected) {
    if (found != expected) refuse(detail::message({what, ": found ", found, ", expected ", expected}));
  };
  auto const check_ends = [&](std::string_view what, std::span<std::uint64_t const> ends, std::size_t total) {
    if (!detail::are_ends(ends, total)) refuse(detail::message({what, ": found places that are not in order up to ", total}));
  };
  check_ends("files.name_ends", arrays_.file_name_ends, arrays_.file_names.size());
  check_count("files.sizes", arrays_.file_sizes.size(), file_count());
  check_count("files.times", arrays_.file_times.size(), file_count());
  if (arrays_.file_hashes.size() % 32 != 0) refuse("files.hashes: found a part of a hash");
  check_count("files.hashes", arrays_.file_hashes.size() / 32, file_count());
  check_count("files.passage_ends", arrays_.file_passage_ends.size(), file_count());
  check_ends("files.passage_ends", arrays_.file_passage_ends, size());
  for (std::size_t i = 1; i < file_count(); ++i)
    if (file(i - 1).name >= file(i).name)
      refuse(detail::message({"files.names: found ", detail::in_quotes(file(i).name), " behind ", detail::in_quotes(file(i - 1).name)}));
  check_ends("passages.text_ends", arrays_.text_ends, arrays_.texts.size());
  check_count("passages.begins", arrays_.begins.size(), size());
  check_count("passages.ends", arrays_.ends.size(), size());
  check_count("passages.lines", arrays_.lines.size(), size());
  check_count("words.lengths", words_.size(), size());
  std::size_t const rows = manifest_.dimensions == 0 ? 0 : arrays_.embeddings.size() / manifest_.dimensions;
  check_count("embeddings", rows, manifest_.dimensions == 0 ? 0 : size());
  if (rows * manifest_.dimensions != arrays_.embeddings.size()) refuse("embeddings: found a part of a row");
}

AXIFORM_INLINE IndexedFile PassageIndex::file(std::size_t index) const {
  if (index >= file_count()) throw ArgumentError(detail::message({name_, ": found the file ", index, ", expected one of ", file_count()}));
  std::size_t const first = index == 0 ? 0 : arrays_.file_passage_ends[index - 1];
  return {.name = detail::text_of(detail::part_of(arrays_.file_names, arrays_.file_name_ends, index)),
          .size = arrays_.file_sizes[index],
          .modified = arrays_.file_times[index],
          .hash = arrays_.file_hashes.subspan(32 * index).first<32>(),
          .first_passage = first,
          .passage_count = arrays_.file_passage_ends[index] - first};
}

AXIFORM_INLINE IndexedPassage PassageIndex::passage(std::size_t index) const {
  if (index >= size()) throw ArgumentError(detail::message({name_, ": found the passage ", index, ", expected one of ", size()}));
  auto const& ends = arrays_.file_passage_ends;  // the first file whose passages end behind it has it
  auto const place = static_cast<std::size_t>(std::ranges::upper_bound(ends, index) - ends.begin());
  return {.file = file(place).name,
          .begin = arrays_.begins[index],
          .end = arrays_.ends[index],
          .line = arrays_.lines[index],
          .text = detail::text_of(detail::part_of(arrays_.texts, arrays_.text_ends, index))};
}

AXIFORM_INLINE void PassageIndex::check_model(ModelIdentity const& model) const {
  if (manifest_.model.hash.empty())
    throw IndexError(detail::message({name_, ": found an index of words alone, expected one with the embeddings of ", model.name}));
  if (manifest_.model.is_same_as(model)) return;
  auto const described = [](ModelIdentity const& each) {
    std::string const weights = each.weights.empty() ? "" : " in " + detail::printable(each.weights);
    return detail::message({detail::printable(each.name), weights, " (", detail::printable(each.hash.substr(0, 12)), ")"});
  };
  throw IndexError(
      detail::message({name_, ": found embeddings of the model ", described(manifest_.model), ", expected those of ", described(model)}));
}

AXIFORM_INLINE PassageIndex PassageIndex::open(std::filesystem::path const& path) {
  auto const file = SafetensorsFile::open(path);
  auto const entry = file.metadata().find(detail::index_key);
  std::string const where = detail::message({path.string(), ": ", detail::index_key});
  if (entry == file.metadata().end())
    throw FormatError(detail::message({path.string(), ": found no \"", detail::index_key, "\" in the metadata: this is no index"}));
  auto manifest = detail::index_manifest_of(parse_json(entry->second, where), where);
  auto const mapping = std::make_shared<FileMapping const>(file.map());
  IndexArrays arrays;
  detail::for_each_index_array(
      arrays, [&]<class T>(char const* name, std::span<T const>& array) { array = detail::mapped_elements<T>(file, *mapping, name, 1); });
  arrays.embeddings = detail::mapped_elements<float>(file, *mapping, "embeddings", 2);
  if (auto const& shape = file.find("embeddings")->shape; shape[1] != manifest.dimensions)
    throw FormatError(detail::message(
        {path.string(), ": embeddings: found the shape ", shape_to_string(shape), ", expected ", manifest.dimensions, " columns"}));
  return {std::move(manifest), arrays, mapping, path.string()};
}

AXIFORM_INLINE void PassageIndex::save(std::filesystem::path const& path) const {
  std::vector<TensorData> tensors;
  detail::for_each_index_array(arrays_, [&]<class T>(char const* name, std::span<T const> array) {
    tensors.push_back({name, detail::index_element<T>, {array.size()}, std::as_bytes(array)});
  });
  auto const vectors = embeddings();
  tensors.push_back({"embeddings", ElementType::f32, {vectors.rows(), vectors.columns()}, std::as_bytes(arrays_.embeddings)});
  write_safetensors(path, tensors, {{detail::index_key, dump_json(detail::json_of(manifest_))}});
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
