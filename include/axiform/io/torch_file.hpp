/// @file
/// What PyTorch's `torch.save` writes of a state dict (`pytorch_model.bin`): a pickle that names the tensors, and their bytes.
///
///     auto const file = TorchFile::open("pytorch_model.bin");
///     if (TensorInfo const* info = file.find("wte.weight")) file.read_floats(*info, 0, floats);
///
/// Two forms: since PyTorch 1.6 a zip archive with the pickle and a record for each storage; before, pickles one after another (magic number,
/// version, system, state dict, keys of the storages), and behind them the storages. Several tensors may be views of one storage.
/// No code of a file is run (io/pickle.hpp). Source: PyTorch's torch/serialization.py and torch/_utils.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/io/element_type.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/pickle.hpp>
#include <axiform/io/tensor_file.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/zip.hpp>
#endif

namespace axiform {

/// A state dict that `torch.save` wrote, open for reading.
class TorchFile : public TensorFile {
 public:
  /// Opens a file and checks what it says against its size: what `tensors()` says then lies within the file. The state dict is what was
  /// saved, or its entry `state_dict`.
  /// @throws FileError when it cannot be read; FormatError, naming the file and the tensor, when it is malformed; CheckpointError, by name,
  ///         when it holds something else than tensors, or was written by a big-endian machine.
  static TorchFile open(std::filesystem::path const& path);

 private:
  /// A piece of memory that tensors are views of.
  struct Storage {
    ElementType type = ElementType::u8;  // Bytes, when it has no type of its own.
    std::size_t count = 0;               // Elements.
    std::size_t begin = 0;               // Of its first byte in the file.
  };

  explicit TorchFile(File file) : TensorFile(std::move(file)) {}

  void open_zip();
  void open_legacy();
  void read_storages(Pickle const& pickle);
  void read_state_dict(Pickle const& pickle);
  TensorInfo read_tensor(Pickle const& pickle, std::string_view name, PickleValue value) const;
  std::vector<std::size_t> read_sizes(Pickle const& pickle, PickleValue const& value, std::string_view name, char const* what) const;
  std::size_t read_size(Pickle const& pickle, PickleValue const& value, std::string_view name, char const* what) const;
  std::string_view storage_key(Pickle const& pickle, PickleValue id) const;

  std::map<std::string, Storage, std::less<>> storages_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// The globals of a pickled state dict, and what they stand for.
struct TorchGlobal {
  enum class Role { rebuild, rebuild_typed, parameter, storage, element_type };
  std::string_view name;
  Role role;
  ElementType type = ElementType::u8;
};

inline constexpr auto torch_globals = [] {
  using enum ElementType;
  using enum TorchGlobal::Role;
  return std::to_array<TorchGlobal>({
      {"torch._utils._rebuild_tensor_v2", rebuild},
      {"torch._utils._rebuild_tensor", rebuild},
      {"torch._utils._rebuild_tensor_v3", rebuild_typed},
      {"torch._utils._rebuild_parameter", parameter},
      {"torch._utils._rebuild_parameter_with_state", parameter},
      {"torch.FloatStorage", storage, f32},
      {"torch.HalfStorage", storage, f16},
      {"torch.BFloat16Storage", storage, bf16},
      {"torch.DoubleStorage", storage, f64},
      {"torch.LongStorage", storage, i64},
      {"torch.IntStorage", storage, i32},
      {"torch.ShortStorage", storage, i16},
      {"torch.CharStorage", storage, i8},
      {"torch.ByteStorage", storage, u8},
      {"torch.BoolStorage", storage, boolean},
      {"torch.ComplexFloatStorage", storage, c64},
      {"torch.storage.UntypedStorage", storage, u8},
      {"torch.uint16", element_type, u16},
      {"torch.uint32", element_type, u32},
      {"torch.uint64", element_type, u64},
      {"torch.float8_e4m3fn", element_type, f8_e4m3},
      {"torch.float8_e5m2", element_type, f8_e5m2},
      {"torch.float8_e4m3fnuz", element_type, f8_e4m3fnuz},
      {"torch.float8_e5m2fnuz", element_type, f8_e5m2fnuz},
      {"torch.float8_e8m0fnu", element_type, f8_e8m0},
  });
}();

inline constexpr auto torch_global_names = [] {
  std::array<std::string_view, torch_globals.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = torch_globals[i].name;
  return names;
}();

/// The known global of that role that a value is, or null.
inline TorchGlobal const* torch_global(PickleValue const& value, TorchGlobal::Role role) {
  auto const index = static_cast<std::size_t>(value.number);
  if (value.kind != PickleKind::global || index >= torch_globals.size() || torch_globals[index].role != role) return nullptr;
  return &torch_globals[index];
}

/// The pickle of the number that files of the older form begin with.
inline constexpr std::string_view torch_magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

/// How the elements of a view with these strides lie. An axis of length 1 may have any stride.
inline ElementOrder order_of(std::span<std::size_t const> shape, std::span<std::size_t const> strides) {
  if (std::ranges::find(shape, std::size_t{0}) != shape.end()) return ElementOrder::rows;
  std::size_t expected = 1;
  bool is_rows = true;
  for (std::size_t i = shape.size(); i-- > 0;) {
    is_rows &= shape[i] == 1 || strides[i] == expected;
    expected *= shape[i];
  }
  if (is_rows) return ElementOrder::rows;
  bool const is_columns = shape.size() == 2 && strides[0] == 1 && strides[1] == shape[0];
  return is_columns ? ElementOrder::columns : ElementOrder::strided;
}

/// One more than the largest index that a view reaches, unless it overflows.
inline std::optional<std::size_t> reach_of(std::size_t offset, std::span<std::size_t const> shape, std::span<std::size_t const> strides) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  std::size_t last = offset;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return offset;
    auto const step = checked_product(shape[i] - 1, strides[i]);
    if (!step || *step > most - last) return std::nullopt;
    last += *step;
  }
  return last < most ? std::optional(last + 1) : std::nullopt;
}

}  // namespace detail

AXIFORM_INLINE TorchFile TorchFile::open(std::filesystem::path const& path) {
  TorchFile result(File::open_read(path));
  std::array<char, 512> buffer{};
  std::string_view const start(buffer.data(), std::min(buffer.size(), result.file_.size()));
  result.file_.read_at(0, std::as_writable_bytes(std::span(buffer.data(), start.size())));
  if (start.starts_with("PK\3\4")) {
    result.open_zip();
  } else if (start.starts_with(detail::torch_magic)) {
    result.open_legacy();
  } else if (start.starts_with("version ")) {
    result.refuse("is the pointer that Git LFS leaves when the file itself was not fetched, expected what torch.save writes");
  } else if (start.substr(std::min<std::size_t>(257, start.size())).starts_with("ustar")) {
    throw CheckpointError(
        detail::message({result.file_.name(), ": is a tar archive, as PyTorch before 0.2 wrote, which is not supported"}));
  } else {
    result.refuse(detail::message(
        {"begins with ", detail::in_quotes(start.substr(0, 8)), ", expected what torch.save writes: a zip archive or its own pickles"}));
  }
  return result;
}

AXIFORM_INLINE void TorchFile::open_zip() {
  ZipDirectory const records = read_zip_directory(file_);
  auto const read_text = [&](ZipRecord const& record) {
    std::string text(record.bytes, '\0');
    file_.read_at(record.begin, std::as_writable_bytes(std::span(text.data(), text.size())));
    return text;
  };
  std::string folder;  // "archive/", or the file's own name at the time.
  auto const table = std::ranges::find_if(
      records, [](auto const& record) { return record.first.ends_with("/data.pkl") && record.first.find('/') == record.first.size() - 9; });
  if (table == records.end()) refuse("is a zip archive without a record data.pkl in its folder, expected what torch.save writes");
  folder = table->first.substr(0, table->first.size() - 8);
  if (auto const order = records.find(folder + "byteorder"); order != records.end() && order->second.bytes < 16)
    if (std::string const found = read_text(order->second); found != "little")
      throw CheckpointError(detail::message({file_.name(), ": byteorder: found ", detail::in_quotes(found), ", expected little"}));
  std::string const where = detail::message({file_.name(), ": data.pkl"});
  if (table->second.bytes > detail::largest_pickle)
    throw FormatError(detail::message({where, ": has ", table->second.bytes, " bytes, expected at most ", detail::largest_pickle}));
  std::string const bytes = read_text(table->second);
  Pickle const pickle = Pickle::read(bytes, detail::torch_global_names, where);
  read_storages(pickle);
  for (auto& [key, storage] : storages_) {
    auto const record = records.find(detail::message({folder, "data/", key}));
    std::size_t const size = storage.count * bits_of(storage.type) / 8;
    if (record == records.end()) refuse(detail::message({"has no record ", folder, "data/", detail::printable(key)}));
    if (record->second.bytes < size)
      refuse(detail::message(
          {"the record ", folder, "data/", detail::printable(key), " has ", record->second.bytes, " bytes, expected ", size}));
    storage.begin = record->second.begin;
  }
  read_state_dict(pickle);
}

AXIFORM_INLINE void TorchFile::open_legacy() {
  // The pickles come first. How long they are, only reading them tells.
  std::string bytes(std::min(file_.size(), detail::largest_pickle), '\0');
  file_.read_at(0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  std::size_t position = detail::torch_magic.size();
  auto const next = [&](char const* name) {
    auto const pickle = Pickle::read(std::string_view(bytes).substr(position), detail::torch_global_names,
                                     detail::message({file_.name(), ": ", name, " at byte ", position}));
    position += pickle.bytes();
    return pickle;
  };
  Pickle const version = next("the version");
  if (version.root().kind != PickleKind::integer || version.root().number != 1001)
    throw CheckpointError(detail::message({file_.name(), ": found ", version.describe(version.root()), " as the version, expected 1001"}));
  Pickle const system = next("the system");
  for (auto const& [key, value] : system.dict(system.root()))
    if (system.text(key) == "little_endian" && value.number == 0)
      throw CheckpointError(detail::message({file_.name(), ": little_endian: found ", system.describe(value), ", expected True"}));
  Pickle const pickle = next("the state dict");
  Pickle const keys = next("the keys of the storages");
  read_storages(pickle);
  std::size_t placed = 0;
  for (PickleValue const& key : keys.values(keys.root())) {
    auto const place = storages_.find(keys.text(key));
    if (place == storages_.end()) refuse(detail::message({"found the storage ", keys.describe(key), ", which no tensor has"}));
    Storage& storage = place->second;
    if (storage.begin != 0) refuse(detail::message({"found the storage ", keys.describe(key), " twice"}));
    std::size_t const size = storage.count * bits_of(storage.type) / 8;
    std::uint64_t count = 0;  // The storage's length stands before it.
    if (file_.size() - position < sizeof count || file_.size() - position - sizeof count < size)
      refuse(detail::message({"ends within the storage ", detail::printable(place->first), ", which has ", size, " bytes at ", position}));
    file_.read_at(position, std::as_writable_bytes(std::span(&count, 1)));
    if (count != storage.count)
      refuse(
          detail::message({"found ", count, " elements in the storage ", detail::printable(place->first), ", expected ", storage.count}));
    storage.begin = position + sizeof count;
    position = storage.begin + size;
    ++placed;
  }
  if (placed != storages_.size())
    refuse(detail::message({"found ", placed, " storages, expected the ", storages_.size(), " that tensors have"}));
  read_state_dict(pickle);
}

/// ("storage", type, key, device, elements), and in the older form one more: None, or the part of a storage that is meant.
AXIFORM_INLINE std::string_view TorchFile::storage_key(Pickle const& pickle, PickleValue id) const {
  auto const parts = pickle.values(id);
  bool const is_storage = (parts.size() == 5 || (parts.size() == 6 && parts[5].kind == PickleKind::none)) &&
                          pickle.text(parts[0]) == "storage" && parts[2].kind == PickleKind::text &&
                          detail::torch_global(parts[1], detail::TorchGlobal::Role::storage) != nullptr;
  id.kind = PickleKind::tuple;
  if (!is_storage)
    throw CheckpointError(detail::message({file_.name(), ": found ", pickle.describe(id),
                                           " as a persistent id, expected that of a storage: its type, key, device and length"}));
  return pickle.text(parts[2]);
}

AXIFORM_INLINE void TorchFile::read_storages(Pickle const& pickle) {
  for (PickleValue const& id : pickle.persistent_ids()) {
    std::string_view const key = storage_key(pickle, id);
    auto const parts = pickle.values(id);
    Storage storage{.type = detail::torch_global(parts[1], detail::TorchGlobal::Role::storage)->type,
                    .count = read_size(pickle, parts[4], key, "elements of a storage")};
    if (storage.count > file_.size() / (bits_of(storage.type) / 8))
      refuse(detail::message({"found a storage of ", storage.count, " elements in a file of ", file_.size(), " bytes"}));
    auto const [place, is_new] = storages_.try_emplace(std::string(key), storage);
    if (!is_new && (place->second.type != storage.type || place->second.count != storage.count))
      refuse(detail::message({"found the storage ", detail::printable(key), " with two types or lengths"}));
  }
}

AXIFORM_INLINE std::size_t TorchFile::read_size(Pickle const& pickle, PickleValue const& value, std::string_view name,
                                                char const* what) const {
  if (value.kind != PickleKind::integer || value.number < 0)
    refuse(name, detail::message({"found ", pickle.describe(value), ", expected a number of ", what}));
  return static_cast<std::size_t>(value.number);
}

AXIFORM_INLINE std::vector<std::size_t> TorchFile::read_sizes(Pickle const& pickle, PickleValue const& value, std::string_view name,
                                                              char const* what) const {
  if (value.kind != PickleKind::tuple || value.count > detail::largest_rank)
    refuse(name, detail::message({"found ", pickle.describe(value), ", expected a tuple of ", what, ", at most ", detail::largest_rank}));
  std::vector<std::size_t> sizes;
  for (PickleValue const& size : pickle.values(value)) sizes.push_back(read_size(pickle, size, name, what));
  return sizes;
}

AXIFORM_INLINE void TorchFile::read_state_dict(Pickle const& pickle) {
  PickleValue state = pickle.root();
  for (auto const& [key, value] : pickle.dict(state))
    if (pickle.text(key) == "state_dict" && value.kind == PickleKind::dict) state = value;
  if (state.kind != PickleKind::dict)
    throw CheckpointError(detail::message({file_.name(), ": found ", pickle.describe(state), ", expected a dict of tensors"}));
  for (auto const& [key, value] : pickle.dict(state)) {
    if (key.kind != PickleKind::text)
      throw CheckpointError(detail::message({file_.name(), ": found ", pickle.describe(key), " as a key, expected the name of a tensor"}));
    tensors_.push_back(read_tensor(pickle, pickle.text(key), value));
  }
  std::ranges::sort(tensors_, {}, &TensorInfo::name);
  auto const twice = std::ranges::adjacent_find(tensors_, {}, &TensorInfo::name);
  if (twice != tensors_.end()) refuse(twice->name, "is there twice");
}

AXIFORM_INLINE TensorInfo TorchFile::read_tensor(Pickle const& pickle, std::string_view name, PickleValue value) const {
  using Role = detail::TorchGlobal::Role;
  auto const expect = [&](bool is_so) {
    if (!is_so)
      throw CheckpointError(
          detail::message({file_.name(), ": ", detail::printable(name), ": found ", pickle.describe(value), ", expected a tensor"}));
  };
  auto const role_is = [&](Role role) {
    std::size_t const global = pickle.call(value).global;
    return global < detail::torch_globals.size() && detail::torch_globals[global].role == role;
  };
  if (role_is(Role::parameter)) {
    auto const parts = pickle.values(pickle.call(value).arguments);
    expect(!parts.empty());
    value = parts[0];
  }
  bool const has_type = role_is(Role::rebuild_typed);
  expect(has_type || role_is(Role::rebuild));
  auto const parts = pickle.values(pickle.call(value).arguments);
  expect(parts.size() >= (has_type ? 7u : 4u) && parts[0].kind == PickleKind::persistent);
  Storage const& storage = storages_.find(storage_key(pickle, parts[0]))->second;
  std::size_t offset = read_size(pickle, parts[1], name, "elements before its first");
  TensorInfo info{.name = std::string(name), .element_type = storage.type, .shape = read_sizes(pickle, parts[2], name, "lengths")};
  auto const strides = read_sizes(pickle, parts[3], name, "strides");
  if (has_type) {
    auto const* const type = detail::torch_global(parts[6], Role::element_type);
    expect(type != nullptr);
    info.element_type = type->type;
  }
  // Behind those two more, hooks and who wants a gradient, stand the type and, in newer files, what a lazy view has yet to do.
  std::size_t const lazy = has_type ? 7 : 6;
  if (parts.size() > lazy && (parts[lazy].kind != PickleKind::none && !pickle.dict(parts[lazy]).empty()))
    throw CheckpointError(
        detail::message({file_.name(), ": ", detail::printable(name), ": found a negated or conjugated view, expected a plain tensor"}));
  if (strides.size() != info.shape.size())
    refuse(name, detail::message({"found ", strides.size(), " strides for the shape ", shape_to_string(info.shape)}));
  std::size_t const element_bytes = bits_of(info.element_type) / 8;
  std::size_t const elements = storage.count * (bits_of(storage.type) / 8) / element_bytes;
  auto const reach = detail::reach_of(offset, info.shape, strides);
  auto const bits = detail::bits_of_shape(info.shape, info.element_type);
  if (!reach || !bits || *reach > elements)
    refuse(name, detail::message({"found the shape ", shape_to_string(info.shape), " with the strides ", shape_to_string(strides),
                                  " from element ", offset, ", which is more than the ", elements, " elements of its storage"}));
  info.order = detail::order_of(info.shape, strides);
  info.begin = storage.begin + offset * element_bytes;
  info.bytes = *bits / 8;
  return info;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
