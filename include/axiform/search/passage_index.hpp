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
#include <axiform/tasks/quantized_embeddings.hpp>

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
  std::span<std::int8_t const> codes = {};           ///< The same in a byte a number, as `Int8View`; empty where nobody asked for it.
  std::span<float const> code_ranges = {};           ///< [2, dimensions], of these codes.
  std::span<std::uint8_t const> bits = {};           ///< The same in a bit a number, as `BinaryView`; empty where nobody asked for it.
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

  /// Checks whose the embeddings are. @throws IndexError, naming both, when the embeddings are not this model's, or there are none.
  void check_model(ModelIdentity const& model) const;
  /// Checks how texts were cut. @throws IndexError, naming both, when what `options` give is something else.
  void check_passages(PassageOptions const& options) const;

  IndexManifest const& manifest() const noexcept { return manifest_; }               ///< How it was made.
  std::size_t size() const noexcept { return arrays_.text_ends.size(); }             ///< Passages.
  std::size_t file_count() const noexcept { return arrays_.file_name_ends.size(); }  ///< Files.
  /// File `index`, in the order of names. @throws ArgumentError when there is no such file.
  IndexedFile file(std::size_t index) const;
  /// Passage `index`, in the order of files and within them. @throws ArgumentError when there is no such passage.
  IndexedPassage passage(std::size_t index) const;
  Bm25 const& words() const noexcept { return words_; }  ///< The search by words; its texts are the passages.
  /// [passages, dimensions]; of no length where there are none. It lasts as long as this object or a copy.
  View<axes::Sequences, axes::Hidden> embeddings() const {
    return matrix<axes::Sequences, axes::Hidden>(arrays_.embeddings, manifest_.dimensions);
  }
  /// The embeddings in a byte a number; of no length unless `with_codes` (search/index_codes.hpp) made them.
  Int8View<axes::Hidden> int8_embeddings() const {
    return {matrix<axes::Sequences, axes::Hidden>(arrays_.codes, manifest_.dimensions),
            {arrays_.code_ranges.data(), Shape<Const<2>, axes::Hidden>::of({2, arrays_.codes.empty() ? 0 : manifest_.dimensions})}};
  }
  /// The embeddings in a bit a number; of no length unless `with_codes` made them.
  BinaryView<axes::Hidden> binary_embeddings() const {
    return {matrix<axes::Sequences, axes::PackedBits>(arrays_.bits, (manifest_.dimensions + 7) / 8), manifest_.dimensions};
  }
  IndexArrays const& arrays() const noexcept { return arrays_; }  ///< All there is, for as long as this object or a copy lives.

 private:
  [[noreturn]] void refuse(std::string const& what) const;
  template <Axis Rows, Axis Columns, class T>
  TensorView<T const, Rows, Columns> matrix(std::span<T const> elements, std::size_t columns) const {
    return {elements.data(), Shape<Rows, Columns>(elements.empty() ? std::size_t{0} : size(), columns)};
  }

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

/// Calls `use(name, array, columns)` for each array of an index, by its name in the file; with no columns it is a vector there, else a matrix.
void for_each_index_array(auto& arrays, std::size_t dimensions, auto const& use) {
  use("files.names", arrays.file_names, std::size_t{0});
  use("files.name_ends", arrays.file_name_ends, std::size_t{0});
  use("files.sizes", arrays.file_sizes, std::size_t{0});
  use("files.times", arrays.file_times, std::size_t{0});
  use("files.hashes", arrays.file_hashes, sizeof(Sha256Digest));
  use("files.passage_ends", arrays.file_passage_ends, std::size_t{0});
  use("passages.texts", arrays.texts, std::size_t{0});
  use("passages.text_ends", arrays.text_ends, std::size_t{0});
  use("passages.begins", arrays.begins, std::size_t{0});
  use("passages.ends", arrays.ends, std::size_t{0});
  use("passages.lines", arrays.lines, std::size_t{0});
  use("embeddings.floats", arrays.embeddings, dimensions);
  use("embeddings.codes", arrays.codes, dimensions);
  use("embeddings.code_ranges", arrays.code_ranges, dimensions);
  use("embeddings.bits", arrays.bits, dimensions / 8 + (dimensions % 8 != 0));
  use("words.words", arrays.words.words, std::size_t{0});
  use("words.word_ends", arrays.words.word_ends, std::size_t{0});
  use("words.posting_ends", arrays.words.posting_ends, std::size_t{0});
  use("words.passages", arrays.words.texts, std::size_t{0});
  use("words.counts", arrays.words.counts, std::size_t{0});
  use("words.lengths", arrays.words.lengths, std::size_t{0});
}

template <class T>
inline constexpr ElementType index_element = std::is_same_v<T, std::uint64_t>   ? ElementType::u64
                                             : std::is_same_v<T, std::int64_t>  ? ElementType::i64
                                             : std::is_same_v<T, std::uint32_t> ? ElementType::u32
                                             : std::is_same_v<T, float>         ? ElementType::f32
                                             : std::is_same_v<T, std::int8_t>   ? ElementType::i8
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
std::span<T const> mapped_elements(SafetensorsFile const& file, FileMapping const& mapping, std::string const& name, std::size_t columns) {
  auto const refuse = [&](std::string const& what) { throw FormatError(message({file.path().string(), ": ", name, ": ", what})); };
  TensorInfo const* const info = file.find(name);
  if (info == nullptr) refuse("is missing: this is no index, or one of another version");
  if (info->element_type != index_element<T>)
    refuse(message({"found the element type ", info->type_name(), ", expected ", name_of(index_element<T>)}));
  if (info->shape.size() != (columns == 0 ? 1 : 2) || (columns != 0 && info->shape[1] != columns))
    refuse(message({"found the shape ", shape_to_string(info->shape), ", expected ", columns == 0 ? "one axis" : "rows of ",
                    columns == 0 ? "" : std::to_string(columns)}));
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
  std::size_t const width = manifest_.dimensions;
  auto const check_rows = [&](std::string_view what, std::size_t elements, std::size_t columns, std::size_t expected) {
    if (elements % std::max<std::size_t>(columns, 1) != 0) refuse(detail::message({what, ": found a part of a row"}));
    check_count(what, elements / std::max<std::size_t>(columns, 1), expected);
  };
  check_rows("embeddings.floats", arrays_.embeddings.size(), width, width == 0 ? 0 : size());
  if (!arrays_.codes.empty()) check_rows("embeddings.codes", arrays_.codes.size(), width, size());
  check_rows("embeddings.code_ranges", arrays_.code_ranges.size(), width, arrays_.codes.empty() ? 0 : 2);
  if (!arrays_.bits.empty()) check_rows("embeddings.bits", arrays_.bits.size(), width / 8 + (width % 8 != 0), size());
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

AXIFORM_INLINE void PassageIndex::check_passages(PassageOptions const& options) const {
  auto const described = [](PassageSplit split, std::size_t length, std::size_t overlap) {
    return detail::message({detail::name_of_split(split), " of ", length, " tokens that overlap by ", overlap});
  };
  auto const& [length, overlap] = options.chunks;
  std::string const found = described(manifest_.split, manifest_.length, manifest_.overlap);
  std::string const expected = described(options.split, length.value_or(manifest_.length), overlap.value_or(manifest_.overlap));
  if (found != expected) throw IndexError(detail::message({name_, ": found an index of ", found, ", expected one of ", expected}));
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
  detail::for_each_index_array(arrays, manifest.dimensions, [&]<class T>(char const* name, std::span<T const>& array, std::size_t columns) {
    array = detail::mapped_elements<T>(file, *mapping, name, columns);
  });
  return {std::move(manifest), arrays, mapping, path.string()};
}

AXIFORM_INLINE void PassageIndex::save(std::filesystem::path const& path) const {
  std::vector<TensorData> tensors;
  detail::for_each_index_array(arrays_, manifest_.dimensions,
                               [&]<class T>(char const* name, std::span<T const> array, std::size_t columns) {
                                 std::vector<std::size_t> shape{array.size()};
                                 if (columns != 0) shape = {array.size() / columns, columns};
                                 tensors.push_back({name, detail::index_element<T>, shape, std::as_bytes(array)});
                               });
  write_safetensors(path, tensors, {{detail::index_key, dump_json(detail::json_of(manifest_))}});
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
