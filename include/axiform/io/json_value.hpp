/// @file
/// `Json`: a JSON value, as small to compile as to read. The parser is in io/json.hpp.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>

namespace axiform {

class Json;

namespace detail {

class JsonParser;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

template <class T>
concept JsonScalar = std::same_as<T, bool> || std::same_as<T, std::string> || std::floating_point<T> ||
                     (std::integral<T> && !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                      !std::same_as<T, char16_t> && !std::same_as<T, char32_t>);

template <class T>
struct IsJsonReadable : std::bool_constant<JsonScalar<T>> {};
template <class T>
struct IsJsonReadable<std::vector<T>> : IsJsonReadable<T> {};

template <class T>
concept JsonRange = !std::convertible_to<T const&, std::string_view> && requires(T const& range) {
  range.begin();
  range.end();
};

}  // namespace detail

/// What a JSON value is read as: a bool, a string, a number, or vectors of these.
template <class T>
concept JsonReadable = detail::IsJsonReadable<T>::value;

/// A JSON value: null, a bool, a number, a string, an array, or an object, whose members are in the order of their keys.
///
///     Json const document = {{"name", "bert"}, {"layers", 12}, {"shape", {2, 3}}};
///
/// A list of pairs that begin with a string is an object, any other list an array. Numbers keep what they were written as: whole numbers are
/// exact from -2^63 to 2^64 - 1.
class Json {
 public:
  /// What a value is.
  enum class Type : unsigned char { null, boolean, integer, natural, real, string, array, object };
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;  ///< In the order of the keys, each of which is there once.

  Json() noexcept = default;
  Json(std::nullptr_t) noexcept {}
  template <class T>
    requires std::is_arithmetic_v<T>
  Json(T value) noexcept {
    if constexpr (std::same_as<T, bool>) {
      type_ = Type::boolean;
      boolean_ = value;
    } else if constexpr (std::floating_point<T>) {
      type_ = Type::real;
      real_ = value;
    } else if constexpr (std::is_signed_v<T>) {
      type_ = Type::integer;
      integer_ = value;
    } else {
      type_ = Type::natural;
      natural_ = value;
    }
  }
  template <class Text>
    requires std::convertible_to<Text const&, std::string_view>
  Json(Text const& text) : Json(std::string(std::string_view(text))) {}
  Json(std::string&& text) : type_(Type::string), string_(new std::string(std::move(text))) {}
  /// An array of the range's elements; an object of a map's.
  template <detail::JsonRange Range>
  Json(Range const& range) : Json(Type::array) {
    if constexpr (requires { typename Range::mapped_type; }) {
      *this = object();
      for (auto const& [key, value] : range) (*this)[key] = value;
    } else {
      for (auto const& element : range) push_back(element);
    }
  }
  /// An object where each of `list` is an array of two that begins with a string; else an array.
  Json(std::initializer_list<Json> list);

  Json(Json const& other);
  Json(Json&& other) noexcept : type_(std::exchange(other.type_, Type::null)), natural_(other.natural_) {}
  Json& operator=(Json other) noexcept {
    swap(other);
    return *this;
  }
  ~Json() {
    if (type_ >= Type::string) destroy();
  }
  void swap(Json& other) noexcept {
    std::swap(type_, other.type_);
    std::swap(natural_, other.natural_);
  }

  static Json array(std::initializer_list<Json> list = {});  ///< An array, also of what could be an object.
  static Json object() { return Json(Type::object); }        ///< An object without members.
  static Json of_type(Type type) { return Json(type); }      ///< An empty array, object or string; zero; false; null.

  Type type() const noexcept { return type_; }
  bool is_null() const noexcept { return type_ == Type::null; }
  bool is_boolean() const noexcept { return type_ == Type::boolean; }
  bool is_number() const noexcept { return type_ >= Type::integer && type_ <= Type::real; }
  bool is_string() const noexcept { return type_ == Type::string; }
  bool is_array() const noexcept { return type_ == Type::array; }
  bool is_object() const noexcept { return type_ == Type::object; }

  // What it holds. @throws FormatError when it holds something else.
  bool boolean() const { return need(Type::boolean).boolean_; }                ///< The bool.
  std::int64_t integer() const { return need(Type::integer).integer_; }        ///< The negative number, or what was a signed integer.
  std::uint64_t natural() const { return need(Type::natural).natural_; }       ///< The whole number that is not negative.
  double real() const { return need(Type::real).real_; }                       ///< The number in floating-point form.
  std::string const& text() const { return *need(Type::string).string_; }      ///< The string.
  Array const& elements() const { return *need(Type::array).array_; }          ///< The array's.
  Array& elements() { return *const_cast<Array*>(need(Type::array).array_); }  ///< The array's.
  Object const& items() const { return *need(Type::object).object_; }          ///< The object's members, as `[key, value]`.

  /// The value as a bool, string, number, or vector of these. A whole number in floating-point form is an integer too.
  /// @throws FormatError when it is of another type or out of the type's range.
  template <JsonReadable T>
  T get() const;
  template <JsonReadable T>
  operator T() const {
    return get<T>();
  }

  std::size_t size() const noexcept;                    ///< Elements or members; of null 0, of anything else 1.
  bool empty() const noexcept { return size() == 0; }   ///< Whether there are none.
  Json const* begin() const { return range().data(); }  ///< Of an array, or of null, which has no elements.
  Json const* end() const { return begin() + range().size(); }
  Json* begin() { return const_cast<Json*>(range().data()); }
  Json* end() { return begin() + range().size(); }

  /// The value of a key, or null where it is absent or this is no object.
  Json const* find(std::string_view key) const noexcept;
  bool contains(std::string_view key) const noexcept { return find(key) != nullptr; }
  /// The value of a key. @throws FormatError when this is not an object that has it.
  Json const& at(std::string_view key) const;
  /// An element. @throws FormatError when this is not an array that long.
  Json const& at(std::size_t index) const;
  Json const& operator[](std::string_view key) const { return at(key); }
  Json const& operator[](char const* key) const { return at(key); }
  Json const& operator[](std::size_t index) const { return at(index); }
  Json const& operator[](int index) const { return at(static_cast<std::size_t>(index)); }

  /// The value of a key, which becomes null where it was absent; null becomes an object. Adding a key moves the values of others.
  Json& operator[](std::string_view key);
  Json& operator[](char const* key) { return (*this)[std::string_view(key)]; }
  Json& operator[](std::size_t index) { return const_cast<Json&>(std::as_const(*this).at(index)); }
  Json& operator[](int index) { return (*this)[static_cast<std::size_t>(index)]; }

  /// Adds an element; null becomes an array.
  void push_back(Json element);
  /// Puts every member of another object into this one, in place of its own of that key.
  void update(Json const& other);
  /// Removes a member, if it is there.
  void erase(std::string_view key);

  /// Numbers are equal when their values are, however they were written.
  friend bool operator==(Json const& a, Json const& b) noexcept { return a.equals(b); }
  template <class T>
    requires std::is_arithmetic_v<T>
  friend bool operator==(Json const& a, T b) noexcept {
    return a.equals(Json(b));
  }
  template <class Text>
    requires std::convertible_to<Text const&, std::string_view>
  friend bool operator==(Json const& a, Text const& b) noexcept {
    return a.is_string() && *a.string_ == std::string_view(b);
  }

 private:
  friend class detail::JsonParser;

  explicit Json(Type type);

  Json const& need(Type type) const {
    if (type_ != type) refuse(type);
    return *this;
  }
  [[noreturn]] void refuse(Type expected) const;
  std::span<Json const> range() const;
  bool equals(Json const& other) const noexcept;
  void destroy() noexcept;

  Type type_ = Type::null;
  union {  // Copied and moved as `natural_`, whichever it is: GCC and Clang define that.
    bool boolean_;
    std::int64_t integer_;
    std::uint64_t natural_ = 0;
    double real_;
    std::string* string_;
    Array* array_;
    Object* object_;
  };
};

/// A member of an object.
struct Json::Member {
  std::string key;
  Json value;
};

/// A value as messages say it: `the number -3`, `the string "gelu"`, `an array of 2`.
std::string describe_json(Json const& value);

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

[[noreturn]] void throw_json_type(Json const& value, std::string_view what, std::string_view expected, std::string_view file);

/// The number, when it is whole and within the bounds. Up to 2^53 a whole number in floating-point form is the one that was written.
std::optional<std::uint64_t> whole_number(Json const& value, std::int64_t least, std::uint64_t most);

/// The number, when it is one and no greater than `most`.
std::optional<double> real_number(Json const& value, double most);

/// A value that is not an array, or nothing when it has another type or range.
template <class Value>
std::optional<Value> scalar_from(Json const& value) {
  if constexpr (std::same_as<Value, bool>) {
    if (value.is_boolean()) return value.boolean();
  } else if constexpr (std::same_as<Value, std::string>) {
    if (value.is_string()) return value.text();
  } else if constexpr (std::integral<Value>) {
    using Limits = std::numeric_limits<Value>;
    if (auto const found = whole_number(value, Limits::min(), Limits::max())) return static_cast<Value>(*found);
  } else {
    static_assert(std::floating_point<Value>, "a JSON value is read as bool, std::string, a number, or a std::vector of these");
    if (auto const found = real_number(value, static_cast<double>(std::numeric_limits<Value>::max()))) return static_cast<Value>(*found);
  }
  return std::nullopt;
}

/// What `scalar_from` expects: "an integer from 0 to 255".
template <class Value>
std::string expected_scalar(Json const& found) {
  if constexpr (std::same_as<Value, bool>) {
    return "true or false";
  } else if constexpr (std::same_as<Value, std::string>) {
    return "a string";
  } else if constexpr (std::floating_point<Value>) {
    return found.is_number() ? "a number within the range of float" : "a number";
  } else {
    using Limits = std::numeric_limits<Value>;
    return message({"an integer from ", std::to_string(Limits::min()), " to ", std::to_string(Limits::max())});
  }
}

template <class Value>
Value json_as(Json const& value, std::string_view what, std::string_view file) {
  if constexpr (is_vector<Value>) {
    if (!value.is_array()) throw_json_type(value, what, "an array", file);
    Value result;
    result.reserve(value.size());
    for (Json const& element : value) {
      using Element = typename Value::value_type;
      if constexpr (JsonScalar<Element>) {
        if (auto found = scalar_from<Element>(element)) {
          result.push_back(*std::move(found));
          continue;
        }
      }
      result.push_back(json_as<Element>(element, message({what, "[", result.size(), "]"}), file));
    }
    return result;
  } else {
    auto found = scalar_from<Value>(value);
    if (!found) throw_json_type(value, what, expected_scalar<Value>(value), file);
    return *std::move(found);
  }
}

}  // namespace detail

template <JsonReadable T>
T Json::get() const {
  return detail::json_as<T>(*this, "a value", "JSON");
}

#if AXIFORM_DEFINES(io)

namespace detail {

AXIFORM_COLD AXIFORM_INLINE void throw_json_type(Json const& value, std::string_view what, std::string_view expected,
                                                 std::string_view file) {
  throw FormatError(detail::message({file, ": ", what, ": found ", describe_json(value), ", expected ", expected}));
}

AXIFORM_INLINE std::optional<std::uint64_t> whole_number(Json const& value, std::int64_t least, std::uint64_t most) {
  std::uint64_t bits;
  switch (value.type()) {
    case Json::Type::natural:
      bits = value.natural();
      return bits <= most ? std::optional(bits) : std::nullopt;
    case Json::Type::integer:
      bits = static_cast<std::uint64_t>(value.integer());
      break;
    case Json::Type::real: {
      double const number = value.real();
      if (!(number >= -0x1p53 && number <= 0x1p53)) return std::nullopt;
      auto const whole = static_cast<std::int64_t>(number);
      if (static_cast<double>(whole) != number) return std::nullopt;
      bits = static_cast<std::uint64_t>(whole);
      break;
    }
    default:
      return std::nullopt;
  }
  auto const number = static_cast<std::int64_t>(bits);
  bool const fits = number < 0 ? number >= least : bits <= most;
  return fits ? std::optional(bits) : std::nullopt;
}

AXIFORM_INLINE std::optional<double> real_number(Json const& value, double most) {
  double number;
  switch (value.type()) {
    case Json::Type::natural:
      number = static_cast<double>(value.natural());
      break;
    case Json::Type::integer:
      number = static_cast<double>(value.integer());
      break;
    case Json::Type::real:
      number = value.real();
      break;
    default:
      return std::nullopt;
  }
  return number > most || number < -most ? std::nullopt : std::optional(number);
}

}  // namespace detail

AXIFORM_INLINE Json::Json(Type type) : type_(type) {
  if (type == Type::string) string_ = new std::string;
  if (type == Type::array) array_ = new Array;
  if (type == Type::object) object_ = new Object;
}

AXIFORM_INLINE Json::Json(Json const& other) : type_(other.type_), natural_(other.natural_) {
  if (type_ == Type::string) string_ = new std::string(*other.string_);
  if (type_ == Type::array) array_ = new Array(*other.array_);
  if (type_ == Type::object) object_ = new Object(*other.object_);
}

AXIFORM_INLINE Json::Json(std::initializer_list<Json> list) : Json(Type::array) {
  bool is_object = true;
  for (Json const& each : list) is_object = is_object && each.is_array() && each.size() == 2 && each[0].is_string();
  if (!is_object) {
    array_->assign(list.begin(), list.end());
    return;
  }
  *this = object();
  for (Json const& each : list)
    if (!contains(each[0].text())) (*this)[each[0].text()] = each[1];
}

AXIFORM_INLINE Json Json::array(std::initializer_list<Json> list) {
  Json result(Type::array);
  result.array_->assign(list.begin(), list.end());
  return result;
}

AXIFORM_INLINE void Json::destroy() noexcept {
  if (type_ == Type::string) delete string_;
  if (type_ == Type::array) delete array_;
  if (type_ == Type::object) delete object_;
}

AXIFORM_INLINE std::size_t Json::size() const noexcept {
  if (type_ == Type::array) return array_->size();
  if (type_ == Type::object) return object_->size();
  return is_null() ? 0 : 1;
}

AXIFORM_INLINE std::span<Json const> Json::range() const {
  if (is_null()) return {};
  return elements();
}

AXIFORM_INLINE Json const* Json::find(std::string_view key) const noexcept {
  if (!is_object()) return nullptr;
  std::size_t begin = 0, end = object_->size();
  while (begin < end) {
    std::size_t const middle = (begin + end) / 2;
    Member const& member = (*object_)[middle];
    int const order = key.compare(member.key);
    if (order == 0) return &member.value;
    (order < 0 ? end : begin) = order < 0 ? middle : middle + 1;
  }
  return nullptr;
}

AXIFORM_INLINE Json const& Json::at(std::string_view key) const {
  need(Type::object);
  if (Json const* const found = find(key)) return *found;
  throw FormatError(detail::message({"JSON: the key ", detail::in_quotes(key), " is missing"}));
}

AXIFORM_INLINE Json const& Json::at(std::size_t index) const {
  if (index < elements().size()) return (*array_)[index];
  throw FormatError(detail::message({"JSON: element ", index, " of ", describe_json(*this), " does not exist"}));
}

AXIFORM_INLINE Json& Json::operator[](std::string_view key) {
  if (is_null()) *this = object();
  need(Type::object);
  if (Json const* const found = find(key)) return *const_cast<Json*>(found);
  std::size_t place = object_->size();
  while (place > 0 && key < (*object_)[place - 1].key) --place;
  return object_->insert(object_->begin() + static_cast<std::ptrdiff_t>(place), Member{std::string(key), Json()})->value;
}

AXIFORM_INLINE void Json::push_back(Json element) {
  if (is_null()) *this = array();
  elements().push_back(std::move(element));
}

AXIFORM_INLINE void Json::update(Json const& other) {
  for (Member const& member : other.items()) (*this)[member.key] = member.value;
}

AXIFORM_INLINE void Json::erase(std::string_view key) {
  need(Type::object);
  for (std::size_t i = 0; i < object_->size(); ++i)
    if ((*object_)[i].key == key) return void(object_->erase(object_->begin() + static_cast<std::ptrdiff_t>(i)));
}

AXIFORM_INLINE bool Json::equals(Json const& other) const noexcept {
  if (is_number() && other.is_number()) {
    auto const as_real = [](Json const& number) { return *detail::real_number(number, std::numeric_limits<double>::infinity()); };
    if (type_ == Type::real || other.type_ == Type::real) return as_real(*this) == as_real(other);
    return natural_ == other.natural_ && (type_ == other.type_ || integer_ >= 0);
  }
  if (type_ != other.type_) return false;
  if (type_ == Type::boolean) return boolean_ == other.boolean_;
  if (type_ == Type::string) return *string_ == *other.string_;
  if (size() != other.size()) return false;
  for (std::size_t i = 0; i < size(); ++i) {
    if (type_ == Type::array && !(*array_)[i].equals((*other.array_)[i])) return false;
    if (type_ == Type::array) continue;
    if ((*object_)[i].key != (*other.object_)[i].key || !(*object_)[i].value.equals((*other.object_)[i].value)) return false;
  }
  return true;
}

AXIFORM_COLD AXIFORM_INLINE std::string describe_json(Json const& value) {
  switch (value.type()) {
    case Json::Type::null:
      return "null";
    case Json::Type::boolean:
      return value.boolean() ? "true" : "false";
    case Json::Type::string:
      return detail::message({"the string ", detail::in_quotes(value.text())});
    case Json::Type::natural:
      return detail::message({"the number ", value.natural()});
    case Json::Type::integer:
      return detail::message({"the number ", std::to_string(value.integer())});
    case Json::Type::real: {
      char digits[32];
      auto const end = std::to_chars(digits, digits + sizeof digits, value.real()).ptr;
      return detail::message({"the number ", std::string_view(digits, end)});
    }
    case Json::Type::array:
      return detail::message({"an array of ", value.size()});
    default:
      return detail::message({"an object of ", value.size(), " keys"});
  }
}

AXIFORM_COLD AXIFORM_INLINE void Json::refuse(Type expected) const {
  constexpr char const* names[] = {"null",     "true or false", "a signed integer", "a whole number",
                                   "a number", "a string",      "an array",         "an object"};
  detail::throw_json_type(*this, "a value", names[static_cast<std::size_t>(expected)], "JSON");
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
