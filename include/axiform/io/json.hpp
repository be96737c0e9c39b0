/// @file
/// JSON from files that are not trusted: parsed strictly, and read by key with errors that name the file, the key and the fault.
///
///     Json const config = read_json(directory / "config.json");
///     auto const hidden = require<std::size_t>(config, "hidden_size", "config.json");
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/json_parser.hpp>
#include <axiform/io/json_value.hpp>
#include <axiform/io/json_writer.hpp>
#include <axiform/io/printable.hpp>

#if AXIFORM_DEFINES(io)
#include <axiform/io/file.hpp>
#endif

namespace axiform {

/// `parse_json` of a file's content.
/// @throws FileError when the file cannot be read, FormatError as `parse_json`.
Json read_json(std::filesystem::path const& path, JsonLimits limits = {});

/// The value of `key`: a bool, a string, an integer or floating-point number, or a `std::vector` of these. A whole number in
/// floating-point form (`1e3`) is an integer too.
/// @throws FormatError when `object` is not an object, the key is absent, or its value is of another type or out of the type's range.
template <class Value>
Value require(Json const& object, std::string_view key, std::string const& file);

/// `require`, or nothing when the key is absent or null.
/// @throws FormatError when the value is of another type or out of the type's range.
template <class Value>
std::optional<Value> get_optional(Json const& object, std::string_view key, std::string const& file);

/// `require`, or `otherwise` when the key is absent or null.
/// @throws FormatError when the value is of another type or out of the type's range.
template <class Value>
Value get_or(Json const& object, std::string_view key, std::type_identity_t<Value> otherwise, std::string const& file);

/// The object that `key` holds. @throws FormatError when it is absent or is not one.
Json const& require_object(Json const& object, std::string_view key, std::string const& file);

/// The array that `key` holds. @throws FormatError when it is absent or is not one.
Json const& require_array(Json const& object, std::string_view key, std::string const& file);

/// The value of `key`, or null when it is absent. @throws FormatError when `object` is not an object.
Json const* find_member(Json const& object, std::string_view key, std::string const& file);

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

/// The value of `key`. @throws FormatError when it is absent.
Json const& require_member(Json const& object, std::string_view key, std::string const& file);

/// The value of `key`, or nothing when it is absent or null.
Json const* find_set_member(Json const& object, std::string_view key, std::string const& file);

}  // namespace detail

template <class Value>
Value require(Json const& object, std::string_view key, std::string const& file) {
  return detail::json_as<Value>(detail::require_member(object, key, file), detail::printable(key), file);
}

template <class Value>
std::optional<Value> get_optional(Json const& object, std::string_view key, std::string const& file) {
  Json const* const member = detail::find_set_member(object, key, file);
  if (member == nullptr) return std::nullopt;
  return detail::json_as<Value>(*member, detail::printable(key), file);
}

template <class Value>
Value get_or(Json const& object, std::string_view key, std::type_identity_t<Value> otherwise, std::string const& file) {
  Json const* const member = detail::find_set_member(object, key, file);
  if (member == nullptr) return otherwise;
  return detail::json_as<Value>(*member, detail::printable(key), file);
}

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE Json read_json(std::filesystem::path const& path, JsonLimits limits) {
  return parse_json(read_file(path, limits.bytes), path.string(), limits);
}

AXIFORM_INLINE Json const* find_member(Json const& object, std::string_view key, std::string const& file) {
  if (!object.is_object())
    throw FormatError(
        detail::message({file, ": found ", describe_json(object), ", expected an object with the key ", detail::in_quotes(key)}));
  return object.find(key);
}

namespace detail {

AXIFORM_INLINE Json const& require_member(Json const& object, std::string_view key, std::string const& file) {
  Json const* const member = find_member(object, key, file);
  if (member == nullptr) throw FormatError(detail::message({file, ": the key ", in_quotes(key), " is missing"}));
  return *member;
}

AXIFORM_INLINE Json const* find_set_member(Json const& object, std::string_view key, std::string const& file) {
  Json const* const member = find_member(object, key, file);
  return member == nullptr || member->is_null() ? nullptr : member;
}

}  // namespace detail

AXIFORM_INLINE Json const& require_object(Json const& object, std::string_view key, std::string const& file) {
  Json const& member = detail::require_member(object, key, file);
  if (!member.is_object()) detail::throw_json_type(member, detail::printable(key), "an object", file);
  return member;
}

AXIFORM_INLINE Json const& require_array(Json const& object, std::string_view key, std::string const& file) {
  Json const& member = detail::require_member(object, key, file);
  if (!member.is_array()) detail::throw_json_type(member, detail::printable(key), "an array", file);
  return member;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
