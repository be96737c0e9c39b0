/// @file
/// `Json` to text.
#pragma once

#include <string>

#include <axiform/io/json_value.hpp>

#if AXIFORM_DEFINES(io)
#include <charconv>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/json_parser.hpp>
#endif

namespace axiform {

/// The document as text, on one line or with an indent. Invalid UTF-8 becomes U+FFFD. Numbers that JSON cannot write become null.
std::string dump_json(Json const& json, int indent = -1);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

namespace detail {

/// What becomes of a string that is not UTF-8.
enum class InvalidUtf8 { replaced, refused };

class JsonWriter {
 public:
  JsonWriter(int indent, InvalidUtf8 invalid) : indent_(indent), invalid_(invalid) {}

  std::string write(Json const& json) && {
    add(json, 0);
    return std::move(text_);
  }

 private:
  void add(Json const& json, int depth) {
    switch (json.type()) {
      case Json::Type::null:
        text_ += "null";
        break;
      case Json::Type::boolean:
        text_ += json.boolean() ? "true" : "false";
        break;
      case Json::Type::integer:
        text_ += std::to_string(json.integer());
        break;
      case Json::Type::natural:
        text_ += std::to_string(json.natural());
        break;
      case Json::Type::real:
        add_real(json.real());
        break;
      case Json::Type::string:
        add_string(json.text());
        break;
      case Json::Type::array:
      case Json::Type::object:
        add_container(json, depth);
    }
  }

  void add_container(Json const& json, int depth) {
    bool const is_array = json.is_array();
    text_ += is_array ? '[' : '{';
    for (std::size_t i = 0; i < json.size(); ++i) {
      if (i > 0) text_ += ',';
      begin_line(depth + 1);
      if (!is_array) {
        add_string(json.items()[i].key);
        text_ += indent_ < 0 ? ":" : ": ";
      }
      add(is_array ? json[i] : json.items()[i].value, depth + 1);
    }
    if (!json.empty()) begin_line(depth);
    text_ += is_array ? ']' : '}';
  }

  void begin_line(int depth) {
    if (indent_ >= 0) text_.append(1, '\n').append(static_cast<std::size_t>(indent_ * depth), ' ');
  }

  void add_string(std::string_view text) {
    constexpr std::string_view escaped = "\"\\\b\f\n\r\t", names = "\"\\bfnrt";
    text_ += '"';
    for (std::size_t i = 0; i < text.size(); ++i) {
      char const c = text[i];
      if (auto const name = escaped.find(c); name != escaped.npos) {
        text_.append(1, '\\').append(1, names[name]);
      } else if (c >= 0 && c < 0x20) {
        text_.append("\\u00").append(1, "01"[c >> 4]).append(1, "0123456789abcdef"[c & 15]);
      } else {
        i += add_sequence(text.substr(i)) - 1;
      }
    }
    text_ += '"';
  }

  /// Adds the character that `text` begins with. @return The bytes that it takes, or those of a beginning that is no character.
  std::size_t add_sequence(std::string_view text) {
    auto const [count, least, most] = utf8_rest(static_cast<unsigned char>(text[0]));
    std::size_t length = 1;
    for (int i = 0; i < count && length < text.size(); ++i, ++length) {
      auto const byte = static_cast<unsigned char>(text[length]);
      if (i == 0 ? byte < least || byte > most : byte < 0x80 || byte > 0xBF) break;
    }
    if (static_cast<int>(length) == count + 1) {
      text_ += text.substr(0, length);
    } else {
      if (invalid_ == InvalidUtf8::refused) throw FormatError("JSON: a string is not UTF-8");
      text_ += "\xEF\xBF\xBD";
    }
    return length;
  }

  /// The shortest digits that are read as the same double; from 1e15 on and below 1e-4 with an exponent, else with a point.
  void add_real(double value) {
    if (!(value <= std::numeric_limits<double>::max() && value >= std::numeric_limits<double>::lowest())) return void(text_ += "null");
    char buffer[40];
    std::string_view written(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr);
    if (written.starts_with('-')) text_ += '-', written.remove_prefix(1);
    auto const e = written.find('e');
    int exponent = 0;
    for (char const c : written.substr(e + 2)) exponent = exponent * 10 + (c - '0');
    if (written[e + 1] == '-') exponent = -exponent;
    std::string digits(1, written[0]);
    if (e > 2) digits += written.substr(2, e - 2);
    int const count = static_cast<int>(digits.size());
    if (exponent >= 0 && exponent < 15) {
      if (count <= exponent + 1) digits.append(static_cast<std::size_t>(exponent + 1 - count), '0') += ".0";
      if (count > exponent + 1) digits.insert(static_cast<std::size_t>(exponent) + 1, 1, '.');
      text_ += digits;
    } else if (exponent < 0 && exponent >= -4) {
      text_.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0') += digits;
    } else {
      text_ += written;
    }
  }

  int indent_;
  InvalidUtf8 invalid_;
  std::string text_;
};

}  // namespace detail

AXIFORM_INLINE std::string dump_json(Json const& json, int indent) {
  return detail::JsonWriter(indent, detail::InvalidUtf8::replaced).write(json);
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
