/// @file
/// Loads the parameters of a model from a checkpoint: every name, shape and type is checked first, then rows are read in parallel and
/// handed to whoever stores or packs them. No tensor is ever in memory as a whole beside its packed form.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/executor.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/io/block_format.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/names.hpp>
#include <axiform/io/tensor_file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <axiform/core/block_panels.hpp>
#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/stored_weights.hpp>
#endif

namespace axiform {

/// Whether a checkpoint may lack a parameter.
enum class Presence { required, optional };

/// A parameter to load. Rows and shape are canonical: [out, in] for a matrix, [rows, width] for a table, [length] for a vector, which is
/// one row. The functions are called from several threads at once, each time with values that no other call has.
struct ParameterRequest {
  std::string name = {};                   ///< Canonical; the `NameTable` says what it is called in the file.
  std::vector<std::size_t> shape = {};     ///< Canonical.
  Presence presence = Presence::required;  ///< Whether the file must have it.

  /// Takes whole rows from `first_row` on: [n, columns].
  std::function<void(std::size_t first_row, std::span<float const> rows)> write_rows = {};

  /// Takes columns from `first_column` on, in transposed form: `values` points at [count, rows] with `stride` between its rows. Needed only
  /// where the table says that the file has the matrix transposed. Both are multiples of 32, and of what a block of `block_format` has, but at the end of the rows.
  std::function<void(std::size_t first_column, std::size_t count, float const* values, std::size_t stride)> write_transposed = {};

  /// What the parameter is kept in where it takes the blocks of a tensor of that very format as they are.
  std::optional<WeightFormat> block_format = {};

  /// Takes the blocks of whole rows from `first_row` on, in place of `write_rows`.
  std::function<void(std::size_t first_row, std::span<std::byte const> blocks)> write_blocks = {};

  /// Where the parameter is kept, the same of all parts of a fused matrix; its first row there, and how many rows are there.
  void const* storage = nullptr;
  std::size_t storage_row = 0;   ///< The first of its rows.
  std::size_t storage_rows = 0;  ///< Of all parts.
  /// Whether that is a matrix for products, whose blocks lie in panels, or a table, whose blocks lie in rows.
  bool is_in_panels = false;
  /// Takes the memory of all that is kept there, where a file has it as it is kept. It stays for as long as `owner` does.
  std::function<void(std::span<std::byte const> bytes, std::shared_ptr<void const> owner)> share = {};
};

/// Where a checkpoint has a parameter.
struct ParameterPlace {
  std::size_t request = 0;   ///< Its index.
  TensorRef tensor = {};     ///< The tensor that it is, or is a part of.
  NameCandidate place = {};  ///< Which part, and how it is arranged.
};

/// Where a checkpoint has each of `requests` that it has, in the order of the tensors in the files.
/// @throws As `load_parameters`, which would read them there.
std::vector<ParameterPlace> place_parameters(Checkpoint const& checkpoint, NameTable const& table,
                                             std::span<ParameterRequest const> requests);

/// What became of every name when a checkpoint was loaded.
struct LoadReport {
  /// A tensor that is there and does not fit.
  struct Mismatch {
    std::string name;      ///< In the file.
    std::string found;     ///< "shape [768, 3071]", "element type I64".
    std::string expected;  ///< "shape [768, 3072]".
  };

  /// A tensor that is there, and of which the model has no use.
  struct Ignored {
    std::string name;  ///< In the file.
    std::string why;   ///< "a buffer", "span.weight, which this model does not have".
  };

  std::filesystem::path weights;        ///< The file that was read, or the index of several.
  std::vector<std::string> loaded;      ///< Canonical names.
  std::vector<Ignored> ignored;         ///< Tensors of other heads, buffers, and what is stored a second time.
  std::vector<std::string> missing;     ///< Canonical names that the file lacks.
  std::vector<Mismatch> mismatched;     ///< Tensors of another shape or type.
  std::vector<std::string> unexpected;  ///< Names in the file that belong to the model itself, yet nobody asked for.
  std::vector<std::string> ambiguous;   ///< Canonical names that the file has twice, and the names that it has them under.
  std::vector<std::string> notes;       ///< What else is worth knowing, a line each.

  /// How many parameters were loaded from where, and a line for each list that is not empty, with at most 20 names.
  std::string to_string() const;
};

/// Loads `requests` from `checkpoint`, on all threads of `executor`.
///
/// @return What was loaded and what was not; `missing` then holds optional parameters only.
/// @throws CheckpointError, before anything is read, listing every required parameter that is missing, every tensor of another shape or
///         type, every name that is ambiguous or unexpected; ArgumentError for a request that lacks the function it needs; FileError when
///         reading fails.
LoadReport load_parameters(Checkpoint const& checkpoint, NameTable const& table, std::span<ParameterRequest const> requests,
                           Executor& executor);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

inline constexpr std::size_t load_chunk_floats = std::size_t{1} << 18;  // 1 MiB a thread.
inline constexpr std::size_t most_listed = 20;

/// "a, b, c, and 7 more". Names are bounded each; 400 bytes leave room for the longest problem with the longest name.
inline std::string join_names(std::vector<std::string> const& names, std::string const& separator) {
  std::string result;
  for (std::size_t i = 0; i < std::min(names.size(), most_listed); ++i) result += (i ? separator : "") + printable(names[i], 400);
  if (names.size() > most_listed) result += message({separator, "and ", names.size() - most_listed, " more"});
  return result;
}

/// A request and the tensor that it was found in.
struct FoundParameter {
  ParameterRequest const* request;
  NameCandidate place;
};

/// All requests that one tensor of the file answers: one, or the parts of a fused one, or tied ones. The tensor is seen as [rows, columns].
struct LoadGroup {
  TensorRef tensor;
  std::size_t rows;
  std::size_t columns;
  std::vector<FoundParameter> parameters;
};

inline std::size_t row_count(std::vector<std::size_t> const& shape) { return shape.size() < 2 ? 1 : shape[0]; }

inline std::size_t element_count(std::vector<std::size_t> const& shape) {
  std::size_t count = 1;
  for (std::size_t length : shape) count *= length;
  return count;
}

inline bool is_transposed(FoundParameter const& found) {
  return found.place.arrangement == Arrangement::transposed && found.request->shape.size() == 2;
}

inline bool is_interleaved(FoundParameter const& found) {
  return found.place.arrangement == Arrangement::interleaved && found.request->shape.size() == 2;
}

/// The row of a matrix that is row `row` of the file, where the halves of each head's rows stand in turns.
inline std::size_t row_of_interleaved(std::size_t row, std::size_t rows_of_head) {
  std::size_t const place = row % rows_of_head;
  return row - place + place % 2 * (rows_of_head / 2) + place / 2;
}

/// The shape that the file must have for a request: the parts lie along the outputs, which come first, or last when transposed.
inline std::vector<std::size_t> shape_in_file(FoundParameter const& found) {
  auto shape = found.request->shape;
  if (!shape.empty()) shape[0] *= found.place.parts;
  if (is_transposed(found)) std::swap(shape[0], shape[1]);
  return shape;
}

/// Whether a parameter takes the blocks of its tensor as they are.
inline bool takes_blocks(FoundParameter const& found, TensorInfo const& tensor) {
  return tensor.block_format && found.request->write_blocks && found.request->block_format &&
         found.request->block_format == weight_format_of(*tensor.block_format) && !is_transposed(found);
}

/// Finds every request in the checkpoint and writes down what does not fit.
class LoadPlan {
 public:
  LoadPlan(Checkpoint const& checkpoint, NameTable const& table) : checkpoint_(checkpoint), table_(table) {}

  void find(ParameterRequest const& request);
  void report_the_rest();
  std::string why_ignored(std::string const& name, std::set<std::string> const& loaded) const;
  void throw_unless_complete() const;

  std::vector<LoadGroup> take_groups();
  LoadReport take_report() { return std::move(report_); }

 private:
  Checkpoint const& checkpoint_;
  NameTable const& table_;
  LoadReport report_;
  std::vector<std::string> problems_;
  // By tensor and columns, in the order of the files, which is how the page cache and the disk like it.
  // Views of one storage may begin at the same byte.
  std::map<std::tuple<TensorFile const*, std::size_t, TensorInfo const*, std::size_t>, LoadGroup> groups_;
  std::set<TensorInfo const*> used_;
};

inline void LoadPlan::find(ParameterRequest const& request) {
  std::optional<TensorRef> tensor;
  FoundParameter found{&request, {}};
  std::vector<std::string> names;
  for (auto candidates : {&name_candidates, &name_candidates_otherwise}) {
    if (tensor) break;
    for (NameCandidate& candidate : candidates(table_, request.name)) {
      auto const match = checkpoint_.find(candidate.name);
      if (!match) continue;
      used_.insert(match->info);
      names.push_back(candidate.name);
      tensor = match;
      found.place = std::move(candidate);
    }
  }
  if (names.size() > 1) {
    report_.ambiguous.push_back(message({request.name, " (", join_names(names, " and "), ")"}));
    problems_.push_back(message({request.name, ": found more than once, as ", join_names(names, " and ")}));
    return;
  }
  if (!tensor) {
    report_.missing.push_back(request.name);
    if (request.presence == Presence::required) {
      auto const usual = name_candidates(table_, request.name);
      std::string const in_file =
          usual.empty() || usual.front().name == request.name ? "" : message({" (in the file ", usual.front().name, ")"});
      problems_.push_back(message({request.name, in_file, ": missing"}));
    }
    return;
  }
  if (tensor->info->is_canonical) found.place.arrangement = Arrangement::as_is;
  if (found.place.part >= found.place.parts || (found.place.parts > 1 && request.shape.empty()))
    throw ArgumentError(detail::message({request.name, ": the name table makes it part ", found.place.part, " of ", found.place.parts}));
  if (is_interleaved(found) && (found.place.heads == 0 || request.shape[0] % (2 * found.place.heads) != 0))
    throw ArgumentError(detail::message({request.name, ": the name table has ", found.place.heads, " heads of halves in its ",
                                         request.shape[0], " rows, expected heads of an even number of rows"}));
  TensorInfo const& info = *tensor->info;
  auto const mismatch = [&](std::string_view what, std::string_view is, std::string_view expected) {
    report_.mismatched.push_back({info.name, message({what, " ", is}), message({what, " ", expected})});
    problems_.push_back(message({printable(info.name), ": found ", what, " ", is, ", expected ", expected}));
  };
  auto const expected = shape_in_file(found);
  bool const shape_fits =
      found.place.arrangement == Arrangement::reshaped ? element_count(info.shape) == element_count(expected) : info.shape == expected;
  if (!shape_fits) mismatch("shape", shape_to_string(info.shape), shape_to_string(expected));
  bool const type_fits = info.has_floats();
  if (!type_fits) mismatch("element type", info.type_name(), "F32, F16, BF16 or F64");
  bool const order_fits = info.order != ElementOrder::strided;
  if (!order_fits) mismatch("a view", "whose elements do not lie together", "a contiguous tensor");
  if (!shape_fits || !type_fits || !order_fits) return;
  if (!takes_blocks(found, info) && (is_transposed(found) ? !request.write_transposed : !request.write_rows))
    throw ArgumentError(detail::message({request.name, ": the request has no function that takes the ",
                                         (is_transposed(found) ? "transposed" : "rows"), " of ", printable(info.name)}));
  report_.loaded.push_back(request.name);
  std::size_t const elements = element_count(expected);
  if (elements == 0) return;
  std::size_t const rows = expected.size() < 2 ? found.place.parts : expected[0];
  LoadGroup& group =
      groups_.try_emplace({tensor->file, info.begin, &info, elements / rows}, LoadGroup{*tensor, rows, elements / rows, {}}).first->second;
  group.parameters.push_back(std::move(found));
}

inline void LoadPlan::report_the_rest() {
  report_.weights = checkpoint_.weights();
  std::set<std::string> const loaded(report_.loaded.begin(), report_.loaded.end());
  for (TensorRef const& tensor : checkpoint_.tensors()) {
    if (used_.contains(tensor.info)) continue;
    std::string const& name = tensor.info->name;
    if (leftover(table_, name) != Leftover::body) {
      report_.ignored.push_back({name, why_ignored(name, loaded)});
    } else {
      report_.unexpected.push_back(name);
      problems_.push_back(message({printable(name), ": not part of this model"}));
    }
  }
}

inline std::string LoadPlan::why_ignored(std::string const& name, std::set<std::string> const& loaded) const {
  auto const parameter = canonical_name(table_, name);
  if (parameter && loaded.contains(*parameter)) return message({*parameter, ", which was read under another name"});
  if (leftover(table_, name) == Leftover::buffer) return "a buffer, which holds nothing learned";
  if (!parameter) return message({"not a part that a ", table_.family, " is known to have"});
  return message({*parameter, ", which this model does not have"});
}

inline void LoadPlan::throw_unless_complete() const {
  if (problems_.empty()) return;
  std::string const count = problems_.size() == 1 ? "1 tensor does" : message({problems_.size(), " tensors do"});
  // One line, because programs print it as one.
  throw CheckpointError(
      detail::message({checkpoint_.directory().string(), ": ", count, " not fit this ", table_.family, ": ", join_names(problems_, "; ")}));
}

inline std::vector<LoadGroup> LoadPlan::take_groups() {
  std::vector<LoadGroup> groups;
  for (auto& [key, group] : groups_) groups.push_back(std::move(group));
  return groups;
}

/// Rows of a matrix or a table that a mapped file has as they are kept.
struct StoredRows {
  TensorFile const* file;
  std::size_t first, count;               // In the matrix.
  std::size_t begin, bytes;               // Of the numbers, or of rows of blocks, in the file.
  std::size_t scales_begin, scale_bytes;  // Of panels.
  ParameterRequest const* request;
};

/// The rows of a parameter that can be used where they lie, if they can.
inline std::optional<StoredRows> stored_rows(FoundParameter const& found, LoadGroup const& group) {
  TensorInfo const& info = *group.tensor.info;
  ParameterRequest const& request = *found.request;
  bool const is_in_panels = info.scales_begin != 0;
  if (!info.is_canonical || !request.share || request.storage == nullptr || !takes_blocks(found, info)) return std::nullopt;
  if (group.tensor.file->mapping() == nullptr || request.is_in_panels != is_in_panels) return std::nullopt;
  std::size_t const rows = row_count(request.shape), before = found.place.part * rows;
  StoredRows result{group.tensor.file, request.storage_row, rows, info.begin, 0, 0, 0, &request};
  std::size_t const row_bytes = info.bytes / group.rows;
  if (!is_in_panels) {
    result.begin += before * row_bytes;
    result.bytes = rows * row_bytes;
    return result;
  }
  // Whole panels, but at the end.
  constexpr std::size_t width = stored_panel_outputs;
  if (before % width != 0 || (rows % width != 0 && before + rows != group.rows)) return std::nullopt;
  auto const format = *weight_format_of(*info.block_format);
  std::size_t const scales = group.columns / weights_of_block(format) * parts_of_block(format).scale_bytes();  // of a row
  std::size_t const packed = (rows + width - 1) / width * width;
  result.begin += before * (row_bytes - scales);
  result.bytes = packed * (row_bytes - scales);
  result.scales_begin = info.scales_begin + before * scales;
  result.scale_bytes = packed * scales;
  return result;
}

/// Whether these rows, in their order, are all of what they are kept in, as it is kept.
inline bool lie_as_kept(std::span<StoredRows const> all) {
  StoredRows const &front = all.front(), &back = all.back();
  for (std::size_t i = 0, row = 0; i < all.size(); row += all[i].count, ++i)
    if (all[i].first != row || all[i].file != front.file) return false;
  for (std::size_t i = 1; i < all.size(); ++i)
    if (all[i].begin != all[i - 1].begin + all[i - 1].bytes || all[i].scales_begin != all[i - 1].scales_begin + all[i - 1].scale_bytes)
      return false;
  bool const is_whole = back.first + back.count == front.request->storage_rows;
  return is_whole && (front.scale_bytes == 0 || front.scales_begin == back.begin + back.bytes);
}

/// Lets what a mapped file has as it is kept be used where it lies: those groups are done then. A matrix whose numbers are not at a multiple of 64 bytes
/// is read as any other.
inline void share_stored(std::vector<LoadGroup>& groups) {
  std::map<void const*, std::vector<StoredRows>> kept;
  for (LoadGroup const& group : groups)
    for (FoundParameter const& found : group.parameters)
      if (auto const rows = stored_rows(found, group)) kept[found.request->storage].push_back(*rows);
  std::set<ParameterRequest const*> done;
  for (auto& [storage, all] : kept) {
    std::ranges::sort(all, {}, &StoredRows::first);
    if (!lie_as_kept(all)) continue;
    StoredRows const &front = all.front(), &back = all.back();
    std::size_t const end = front.scale_bytes != 0 ? back.scales_begin + back.scale_bytes : back.begin + back.bytes;
    auto const bytes = front.file->mapping()->bytes().subspan(front.begin, end - front.begin);
    if (front.scale_bytes != 0 && reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 != 0) continue;
    front.request->share(bytes, front.file->mapping());
    for (StoredRows const& rows : all) done.insert(rows.request);
  }
  for (LoadGroup& group : groups)
    std::erase_if(group.parameters, [&](FoundParameter const& found) { return done.contains(found.request); });
  std::erase_if(groups, [](LoadGroup const& group) { return group.parameters.empty(); });
}

/// Some rows of a group's tensor.
struct LoadChunk {
  LoadGroup const* group;
  std::size_t first;
  std::size_t rows;
};

/// Rows in chunks of about 1 MiB; their number is a multiple of 64 where it can be, so that one call fills whole panels of a packed matrix. What is there
/// transposed comes in multiples of what a block has, so that one call fills whole blocks of a matrix that is kept in them.
inline std::vector<LoadChunk> chunks_of(std::span<LoadGroup const> groups) {
  std::vector<LoadChunk> chunks;
  for (LoadGroup const& group : groups) {
    std::size_t rows = std::max<std::size_t>(load_chunk_floats / group.columns, 1);
    if (rows > 64) rows -= rows % 64;
    std::size_t block = 1;  // the longest: shorter ones go into it
    for (FoundParameter const& found : group.parameters)
      if (is_transposed(found)) {
        auto const format = found.request->block_format;
        block = std::max(block, format ? weights_of_block(*format) : weights_of_group);
      }
    rows = std::max(rows - rows % block, block);
    for (std::size_t first = 0; first < group.rows; first += rows) chunks.push_back({&group, first, std::min(rows, group.rows - first)});
  }
  return chunks;
}

/// Hands the rows of a chunk to every parameter that has a share in them: as floats, or as blocks.
inline void deliver(LoadChunk const& chunk, std::span<float const> values, std::span<std::byte const> blocks) {
  std::size_t const columns = chunk.group->columns, row_bytes = blocks.size() / chunk.rows;
  for (FoundParameter const& found : chunk.group->parameters) {
    std::size_t const rows = row_count(found.request->shape);
    std::size_t const offset = found.place.part * rows;
    if (is_transposed(found)) {
      found.request->write_transposed(chunk.first, chunk.rows, values.data() + offset, columns);
      continue;
    }
    // Writes `count` rows, the first of which is row `to` of the parameter, and row `from` of the chunk.
    auto const write = [&](std::size_t to, std::size_t from, std::size_t count) {
      if (takes_blocks(found, *chunk.group->tensor.info)) {
        found.request->write_blocks(to, blocks.subspan(from * row_bytes, count * row_bytes));
      } else {
        found.request->write_rows(to, values.subspan(from * columns, count * columns));
      }
    };
    std::size_t const begin = std::max(chunk.first, offset);
    std::size_t const end = std::min(chunk.first + chunk.rows, offset + rows);
    if (is_interleaved(found)) {
      for (std::size_t row = begin; row < end; ++row)
        write(row_of_interleaved(row - offset, rows / found.place.heads), row - chunk.first, 1);
    } else if (begin < end) {
      write(begin - offset, begin - chunk.first, end - begin);
    }
  }
}

/// What a thread reads a chunk into.
class ChunkReader {
 public:
  explicit ChunkReader(std::size_t largest) : largest_(largest) {}

  void operator()(LoadChunk const& chunk) {
    auto const& [tensor, rows, columns, parameters] = *chunk.group;
    auto const as_blocks =
        std::ranges::count_if(parameters, [&](FoundParameter const& found) { return takes_blocks(found, *tensor.info); });
    std::span<float> values;
    std::span<std::byte> blocks;
    if (as_blocks < std::ssize(parameters)) {
      if (floats_.empty()) floats_.resize(largest_);
      values = std::span(floats_).first(chunk.rows * columns);
      tensor.file->read_floats(*tensor.info, chunk.first * columns, values);
    }
    if (as_blocks > 0) {
      std::size_t const row_bytes = tensor.info->bytes / rows;
      bytes_.resize(chunk.rows * row_bytes);
      blocks = bytes_;
      tensor.file->read(*tensor.info, chunk.first * row_bytes, blocks);
    }
    deliver(chunk, values, blocks);
  }

 private:
  std::size_t largest_;
  std::vector<float> floats_;
  std::vector<std::byte> bytes_;
};

/// Reads all chunks. Threads take the next one when they are done with one; each has a buffer of its own.
inline void read_chunks(std::span<LoadChunk const> chunks, Executor& executor) {
  std::size_t largest = 0;
  for (LoadChunk const& chunk : chunks) largest = std::max(largest, chunk.rows * chunk.group->columns);
  std::atomic<std::size_t> next{0};
  executor.parallel_for(std::min(executor.concurrency(), chunks.size()), [&](std::size_t) {
    ChunkReader read(largest);
    for (std::size_t i; (i = next.fetch_add(1)) < chunks.size();) {
      try {
        read(chunks[i]);
      } catch (...) {
        next = chunks.size();  // The others need not go on.
        throw;
      }
    }
  });
}

}  // namespace detail

AXIFORM_INLINE std::string LoadReport::to_string() const {
  std::string result = detail::message({"loaded: ", loaded.size(), " parameters", weights.empty() ? "" : " from ", weights.string(), "\n"});
  auto const list = [&](char const* title, std::vector<std::string> const& names) {
    if (!names.empty()) result += detail::message({title, ": ", detail::join_names(names, ", "), "\n"});
  };
  std::vector<std::string> lines;
  for (auto const& [name, why] : ignored) lines.push_back(detail::message({detail::printable(name), " (", why, ")"}));
  list("ignored", lines);
  list("missing", missing);
  lines.clear();
  for (Mismatch const& mismatch : mismatched)
    lines.push_back(detail::message({detail::printable(mismatch.name), " (found ", mismatch.found, ", expected ", mismatch.expected, ")"}));
  list("mismatched", lines);
  list("unexpected", unexpected);
  list("ambiguous", ambiguous);
  for (std::string const& note : notes) result += detail::message({"note: ", detail::printable(note, 400), "\n"});
  return result;
}

AXIFORM_INLINE LoadReport load_parameters(Checkpoint const& checkpoint, NameTable const& table, std::span<ParameterRequest const> requests,
                                          Executor& executor) {
  detail::LoadPlan plan(checkpoint, table);
  for (ParameterRequest const& request : requests) plan.find(request);
  plan.report_the_rest();
  plan.throw_unless_complete();
  auto groups = plan.take_groups();
  detail::share_stored(groups);
  auto const chunks = detail::chunks_of(groups);
  detail::read_chunks(chunks, executor);
  return plan.take_report();
}

AXIFORM_INLINE std::vector<ParameterPlace> place_parameters(Checkpoint const& checkpoint, NameTable const& table,
                                                            std::span<ParameterRequest const> requests) {
  detail::LoadPlan plan(checkpoint, table);
  for (ParameterRequest const& request : requests) plan.find(request);
  plan.report_the_rest();
  plan.throw_unless_complete();
  std::vector<ParameterPlace> places;
  for (detail::LoadGroup& group : plan.take_groups())
    for (detail::FoundParameter& found : group.parameters)
      places.push_back({static_cast<std::size_t>(found.request - requests.data()), group.tensor, std::move(found.place)});
  return places;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
