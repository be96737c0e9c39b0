/// @file
/// JSON from files that are not trusted: parsed strictly, and read by key with errors that name the file, the key and the fault.
///
///     Json const config = read_json(directory / "config.json");
///     auto const hidden = require<std::size_t>(config, "hidden_size", "config.json");
///
/// nlohmann/json keeps the last of two equal keys in silence and nests as deep as memory allows; `parse_json` refuses both.
/// This header costs about three seconds of compile time: only what loads files should include it.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <axiform/core/error.hpp>
#include <axiform/io/file.hpp>
#include <axiform/io/printable.hpp>

namespace axiform {

/// A JSON value.
using Json = nlohmann::json;

/// What `parse_json` takes at most.
struct JsonLimits {
  std::size_t depth = 64;                      ///< Arrays and objects that are open at once.
  std::size_t bytes = std::size_t{128} << 20;  ///< Length of the text.
};

/// Parses one JSON document. `name` says in messages where the text comes from.
/// @throws FormatError for anything but one well-formed document: a syntax error, text after its end, invalid UTF-8, a number out of
///         range, a key that an object has twice, or more than the limits allow.
Json parse_json(std::string_view text, std::string const& name, JsonLimits limits = {});

/// `parse_json` of a file's content.
/// @throws FileError when the file cannot be read, FormatError as `parse_json`.
Json read_json(std::filesystem::path const& path, JsonLimits limits = {});

/// The document as text, on one line or with an indent. Invalid UTF-8 becomes U+FFFD. Numbers that JSON cannot write become null.
std::string dump_json(Json const& json, int indent = -1);

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

/// A value as messages say it: `the number -3`, `the string "gelu"`, `an array of 2`.
std::string describe_json(Json const& value);

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

/// Receives the parser's events and builds the document. nlohmann/json's own builder overwrites equal keys and knows no depth.
class JsonBuilder {
 public:
  JsonBuilder(std::string const& name, JsonLimits limits) : name_(name), limits_(limits) {}

  Json take() { return std::move(root_); }

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(Json::number_integer_t value) { return add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
  bool number_float(Json::number_float_t value, Json::string_t const&) { return add(value); }
  bool string(Json::string_t& value) { return add(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) { return open(Json::value_t::object); }
  bool start_array(std::size_t) { return open(Json::value_t::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(Json::string_t& key) {
    auto [member, is_new] = open_.back()->get_ref<Json::object_t&>().try_emplace(std::move(key), nullptr);
    if (!is_new) throw FormatError(detail::message({name_, ": the key ", in_quotes(member->first), " appears twice in one object"}));
    member_ = &member->second;
    return true;
  }

  bool parse_error(std::size_t position, std::string const&, nlohmann::detail::exception const& error) {
    // The library says "[json.exception.parse_error.101] parse error at line 1, column 5: ..."; not every message has a place.
    std::string_view what = error.what();
    if (auto const end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
    std::string place = detail::message({"at byte ", position, ": "});
    if (constexpr std::string_view prefix = "parse error at "; what.starts_with(prefix)) {
      what.remove_prefix(prefix.size());
      place = "at ";
    }
    throw FormatError(detail::message({name_, ": is not valid JSON: ", place, printable(what, 300)}));
  }

 private:
  template <class Value>
  bool add(Value&& value) {
    place(Json(std::forward<Value>(value)));
    return true;
  }

  bool open(Json::value_t type) {
    if (open_.size() == limits_.depth) throw FormatError(detail::message({name_, ": arrays and objects nest deeper than ", limits_.depth}));
    open_.push_back(place(Json(type)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  Json* place(Json&& value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_array()) return &open_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    return &(*member_ = std::move(value));
  }

  std::string const& name_;
  JsonLimits limits_;
  Json root_;
  std::vector<Json*> open_;  // The containers that are open; a container stays where it is until it is closed.
  Json* member_ = nullptr;   // Where the value of the last key goes.
};

[[noreturn]] inline void throw_json_type(Json const& value, std::string const& what, std::string const& expected, std::string const& file) {
  throw FormatError(detail::message({file, ": ", what, ": found ", describe_json(value), ", expected ", expected}));
}

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// "an integer from 0 to 255".
template <std::integral Value>
std::string integer_range() {
  using Limits = std::numeric_limits<Value>;
  return message({"an integer from ", std::to_string(Limits::min()), " to ", std::to_string(Limits::max())});
}

template <std::integral Value>
std::optional<Value> integer_from(Json const& value) {
  switch (value.type()) {
    case Json::value_t::number_unsigned: {
      auto const number = *value.get_ptr<Json::number_unsigned_t const*>();
      return std::in_range<Value>(number) ? std::optional(static_cast<Value>(number)) : std::nullopt;
    }
    case Json::value_t::number_integer: {
      auto const number = *value.get_ptr<Json::number_integer_t const*>();
      return std::in_range<Value>(number) ? std::optional(static_cast<Value>(number)) : std::nullopt;
    }
    case Json::value_t::number_float: {  // Up to 2^53 a whole number in floating-point form is the one that was written.
      auto const number = *value.get_ptr<Json::number_float_t const*>();
      if (std::trunc(number) != number || std::abs(number) > 0x1p53) return std::nullopt;
      auto const whole = static_cast<std::int64_t>(number);
      return std::in_range<Value>(whole) ? std::optional(static_cast<Value>(whole)) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

template <std::floating_point Value>
std::optional<Value> real_from(Json const& value) {
  double number;
  switch (value.type()) {
    case Json::value_t::number_float:
      number = *value.get_ptr<Json::number_float_t const*>();
      break;
    case Json::value_t::number_unsigned:
      number = static_cast<double>(*value.get_ptr<Json::number_unsigned_t const*>());
      break;
    case Json::value_t::number_integer:
      number = static_cast<double>(*value.get_ptr<Json::number_integer_t const*>());
      break;
    default:
      return std::nullopt;
  }
  if (std::abs(number) > static_cast<double>(std::numeric_limits<Value>::max())) return std::nullopt;
  return static_cast<Value>(number);
}

/// A value that is not an array, or nothing when it has another type or range.
template <class Value>
std::optional<Value> scalar_from(Json const& value) {
  if constexpr (std::same_as<Value, bool>) {
    if (auto const* found = value.get_ptr<bool const*>()) return *found;
    return std::nullopt;
  } else if constexpr (std::same_as<Value, std::string>) {
    if (auto const* found = value.get_ptr<Json::string_t const*>()) return *found;
    return std::nullopt;
  } else if constexpr (std::integral<Value>) {
    return integer_from<Value>(value);
  } else {
    static_assert(std::floating_point<Value>, "a JSON value is read as bool, std::string, a number, or a std::vector of these");
    return real_from<Value>(value);
  }
}

/// What `scalar_from` expects.
template <class Value>
std::string expected_scalar(Json const& found) {
  if constexpr (std::same_as<Value, bool>) return "true or false";
  if constexpr (std::same_as<Value, std::string>) return "a string";
  if constexpr (std::floating_point<Value>) return found.is_number() ? "a number within the range of float" : "a number";
  if constexpr (std::integral<Value> && !std::same_as<Value, bool>) return integer_range<Value>();
}

template <class Value>
Value json_as(Json const& value, std::string const& what, std::string const& file) {
  if constexpr (is_vector<Value>) {
    using Element = typename Value::value_type;
    auto const* const elements = value.get_ptr<Json::array_t const*>();
    if (elements == nullptr) throw_json_type(value, what, "an array", file);
    Value result;
    result.reserve(elements->size());
    for (Json const& element : *elements) {
      auto found = scalar_from<Element>(element);
      if (!found) throw_json_type(element, message({what, "[", result.size(), "]"}), expected_scalar<Element>(element), file);
      result.push_back(*std::move(found));
    }
    return result;
  } else {
    auto found = scalar_from<Value>(value);
    if (!found) throw_json_type(value, what, expected_scalar<Value>(value), file);
    return *std::move(found);
  }
}

inline Json const& require_member(Json const& object, std::string_view key, std::string const& file) {
  Json const* const member = find_member(object, key, file);
  if (member == nullptr) throw FormatError(detail::message({file, ": the key ", in_quotes(key), " is missing"}));
  return *member;
}

}  // namespace detail

inline Json parse_json(std::string_view text, std::string const& name, JsonLimits limits) {
  if (text.size() > limits.bytes)
    throw FormatError(detail::message({name, ": has ", text.size(), " bytes of JSON, expected at most ", limits.bytes}));
  // The parser takes a zero byte for the end of the text, and would not look at what follows.
  if (auto const zero = text.find('\0'); zero != text.npos)
    throw FormatError(detail::message({name, ": is not valid JSON: at byte ", zero + 1, ": a zero byte"}));
  detail::JsonBuilder builder(name, limits);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) throw FormatError(detail::message({name, ": is not valid JSON"}));
  return builder.take();
}

inline Json read_json(std::filesystem::path const& path, JsonLimits limits) {
  return parse_json(read_file(path, limits.bytes), path.string(), limits);
}

inline std::string dump_json(Json const& json, int indent) {
  return json.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

inline std::string describe_json(Json const& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return *value.get_ptr<bool const*>() ? "true" : "false";
    case Json::value_t::string:
      return detail::message({"the string ", detail::in_quotes(*value.get_ptr<Json::string_t const*>())});
    case Json::value_t::number_unsigned:
      return detail::message({"the number ", *value.get_ptr<Json::number_unsigned_t const*>()});
    case Json::value_t::number_integer:
      return detail::message({"the number ", std::to_string(*value.get_ptr<Json::number_integer_t const*>())});
    case Json::value_t::number_float: {
      char digits[32];
      auto const end = std::to_chars(digits, digits + sizeof digits, *value.get_ptr<Json::number_float_t const*>()).ptr;
      return detail::message({"the number ", std::string_view(digits, end)});
    }
    case Json::value_t::array:
      return detail::message({"an array of ", value.size()});
    case Json::value_t::object:
      return detail::message({"an object of ", value.size(), " keys"});
    default:
      return "something that is not JSON";
  }
}

inline Json const* find_member(Json const& object, std::string_view key, std::string const& file) {
  auto const* const members = object.get_ptr<Json::object_t const*>();
  if (members == nullptr)
    throw FormatError(
        detail::message({file, ": found ", describe_json(object), ", expected an object with the key ", detail::in_quotes(key)}));
  auto const member = members->find(key);
  return member == members->end() ? nullptr : &member->second;
}

inline Json const& require_object(Json const& object, std::string_view key, std::string const& file) {
  Json const& member = detail::require_member(object, key, file);
  if (!member.is_object()) detail::throw_json_type(member, detail::printable(key), "an object", file);
  return member;
}

inline Json const& require_array(Json const& object, std::string_view key, std::string const& file) {
  Json const& member = detail::require_member(object, key, file);
  if (!member.is_array()) detail::throw_json_type(member, detail::printable(key), "an array", file);
  return member;
}

template <class Value>
Value require(Json const& object, std::string_view key, std::string const& file) {
  return detail::json_as<Value>(detail::require_member(object, key, file), detail::printable(key), file);
}

template <class Value>
std::optional<Value> get_optional(Json const& object, std::string_view key, std::string const& file) {
  Json const* const member = find_member(object, key, file);
  if (member == nullptr || member->is_null()) return std::nullopt;
  return detail::json_as<Value>(*member, detail::printable(key), file);
}

template <class Value>
Value get_or(Json const& object, std::string_view key, std::type_identity_t<Value> otherwise, std::string const& file) {
  auto found = get_optional<Value>(object, key, file);
  return found ? *std::move(found) : std::move(otherwise);
}

}  // namespace axiform
