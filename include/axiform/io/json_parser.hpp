/// @file
/// Text to `Json`: one strict, non-recursive pass. Messages are word for word those of nlohmann/json 3.11, which did this before
/// (docs/decisions/0017-compile-time.md).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <axiform/io/json_value.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// What `parse_json` takes at most.
struct JsonLimits {
  std::size_t depth = 64;                      ///< Arrays and objects that are open at once.
  std::size_t bytes = std::size_t{128} << 20;  ///< Length of the text.
};

/// Parses one JSON document. `name` says in messages where the text comes from.
/// @throws FormatError for anything but one well-formed document: a syntax error, text after its end, invalid UTF-8, a number out of
///         range, a key that an object has twice, or more than the limits allow.
Json parse_json(std::string_view text, std::string const& name, JsonLimits limits = {});

#if AXIFORM_DEFINES(io)

namespace detail {

/// What follows the first byte of a UTF-8 sequence: how many bytes, and within what bounds the first of them is (the others are 80 to BF).
struct Utf8Rest {
  int count;  ///< -1 where no sequence begins with this byte.
  unsigned char least, most;
};

constexpr Utf8Rest utf8_rest(unsigned char first) noexcept {
  if (first < 0x80) return {0, 0, 0};
  if (first < 0xC2 || first > 0xF4) return {-1, 0, 0};
  if (first < 0xE0) return {1, 0x80, 0xBF};
  unsigned char const least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned char const most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  return {first < 0xF0 ? 2 : 3, least, most};
}

inline void append_utf8(std::string& text, std::uint32_t point) {
  auto const rest = [&](unsigned shift) { text += static_cast<char>(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) return void(text += static_cast<char>(point));
  if (point < 0x800) return text += static_cast<char>(0xC0 | point >> 6), rest(0);
  if (point < 0x10000) return text += static_cast<char>(0xE0 | point >> 12), rest(6), rest(0);
  text += static_cast<char>(0xF0 | point >> 18), rest(12), rest(6), rest(0);
}

class JsonParser {
 public:
  JsonParser(std::string_view text, std::string const& name, JsonLimits limits) : text_(text), name_(name), limits_(limits) {}

  Json parse() {
    skip_byte_order_mark();
    next_token();
    do read_value();
    while (to_next_value());
    if (next_token() != Token::end) refuse_token("value", "end of input");
    return std::move(root_);
  }

 private:
  enum class Token : char {
    end = 0,
    begin_array = '[',
    end_array = ']',
    begin_object = '{',
    end_object = '}',
    colon = ':',
    comma = ',',
    string = '"',
    number = '0',
    yes = 't',
    no = 'f',
    null = 'n',
    wrong = '!',
  };

  // ---- values -----------------------------------------------------------------------------------------------------------------

  /// The value that begins with the last token. An array or object is left open unless it is empty.
  void read_value() {
    for (;;) switch (token_) {
        case Token::begin_array:
          open(Json::Type::array);
          if (next_token() != Token::end_array) continue;  // The first element.
          return close();
        case Token::begin_object:
          open(Json::Type::object);
          if (next_token() == Token::end_object) return close();
          read_key();
          continue;
        case Token::string:
          return void(place(Json(std::move(string_))));
        case Token::number:
          return void(place(std::move(number_)));
        case Token::yes:
        case Token::no:
          return void(place(Json(token_ == Token::yes)));
        case Token::null:
          return void(place(Json()));
        case Token::wrong:
          refuse_token("value", "");
        default:
          refuse_token("value", "'[', '{', or a literal");
      }
  }

  /// To the first token of the next value, past whatever ends here; false when the document is complete.
  bool to_next_value() {
    while (!open_.empty()) {
      bool const is_array = open_.back()->is_array();
      if (next_token() == Token::comma) {
        next_token();
        if (!is_array) read_key();
        return true;
      }
      if (token_ != (is_array ? Token::end_array : Token::end_object))
        refuse_token(is_array ? "array" : "object", is_array ? "']'" : "'}'");
      close();
    }
    return false;
  }

  /// The key that is the last token, and on to the first token of its value.
  void read_key() {
    if (token_ != Token::string) refuse_token("object key", "string literal");
    open_.back()->object_->push_back({std::move(string_), Json()});
    if (next_token() != Token::colon) refuse_token("object separator", "':'");
    next_token();
  }

  void open(Json::Type type) {
    if (open_.size() == limits_.depth) throw FormatError(message({name_, ": arrays and objects nest deeper than ", limits_.depth}));
    open_.push_back(place(Json::of_type(type)));
  }

  void close() {
    if (open_.back()->is_object()) put_in_order(*open_.back()->object_);
    open_.pop_back();
  }

  Json* place(Json&& value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Json& container = *open_.back();  // It stays where it is until it is closed.
    if (container.is_array()) return &container.array_->emplace_back(std::move(value));
    return &(container.object_->back().value = std::move(value));
  }

  /// The members in the order of their keys; none where they lie so. @throws FormatError for a key that is there twice: the first in the text.
  std::vector<Json::Member*> key_order(Json::Object& members) const {
    std::vector<Json::Member*> order;
    bool is_sorted = true;
    for (std::size_t i = 1; i < members.size() && is_sorted; ++i) is_sorted = members[i - 1].key < members[i].key;
    if (is_sorted) return order;
    order.reserve(members.size());
    for (Json::Member& member : members) order.push_back(&member);
    std::sort(order.begin(), order.end(), [](Json::Member const* a, Json::Member const* b) {
      int const compared = a->key.compare(b->key);
      return compared < 0 || (compared == 0 && a < b);
    });
    Json::Member const* twice = nullptr;
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i - 1]->key == order[i]->key && (twice == nullptr || order[i] < twice)) twice = order[i];
    if (twice != nullptr) throw FormatError(message({name_, ": the key ", in_quotes(twice->key), " appears twice in one object"}));
    return order;
  }

  /// Sorts the members by their keys. @throws As above.
  void put_in_order(Json::Object& members) const {
    auto const order = key_order(members);
    if (order.empty()) return;
    Json::Object sorted;
    sorted.reserve(members.size());
    for (Json::Member* member : order) sorted.push_back(std::move(*member));
    members = std::move(sorted);
  }

  // ---- tokens -----------------------------------------------------------------------------------------------------------------

  /// The next byte, or -1 at the end, which counts as one more.
  int get() { return read_ < text_.size() ? static_cast<unsigned char>(text_[read_++]) : (read_ = text_.size() + 1, -1); }

  void skip_byte_order_mark() {
    if (!text_.starts_with('\xEF')) return;
    get();
    if (get() != 0xBB || get() != 0xBF) refuse("invalid BOM; must be 0xEF 0xBB 0xBF if given"), refuse_token("value", "");
  }

  Token next_token() {
    int byte;
    do byte = get();
    while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r');
    switch (byte) {
      case -1:
        return token_ = Token::end;
      case '[':
      case ']':
      case '{':
      case '}':
      case ':':
      case ',':
        return token_ = static_cast<Token>(byte);
      case 't':
        return read_literal("rue", Token::yes);
      case 'f':
        return read_literal("alse", Token::no);
      case 'n':
        return read_literal("ull", Token::null);
      case '"':
        token_begin_ = read_ - 1;
        return read_string();
      default:
        if (byte != '-' && !is_digit(byte)) return refuse("invalid literal");
        token_begin_ = read_ - 1;
        return read_number(byte);
    }
  }

  Token read_literal(std::string_view rest, Token token) {
    for (char const c : rest)
      if (get() != c) return refuse("invalid literal");
    return token_ = token;
  }

  Token read_string() {
    string_.clear();
    for (;;) {
      std::size_t const begin = read_;
      while (read_ < text_.size() && is_plain(text_[read_])) ++read_;
      string_.append(text_, begin, read_ - begin);
      switch (int const byte = get()) {
        case -1:
          return refuse("invalid string: missing closing quote");
        case '"':
          return token_ = Token::string;
        case '\\':
          if (!read_escape()) return token_;
          break;
        default:
          if (byte < 0x20) return refuse_control(byte);
          if (!read_sequence(byte)) return refuse("invalid string: ill-formed UTF-8 byte");
      }
    }
  }

  static bool is_plain(char c) noexcept { return c >= 0x20 && c != '"' && c != '\\' && static_cast<unsigned char>(c) < 0x80; }
  static bool is_digit(int c) noexcept { return c >= '0' && c <= '9'; }

  bool read_sequence(int first) {
    auto const [count, least, most] = utf8_rest(static_cast<unsigned char>(first));
    if (count < 0) return false;
    string_ += static_cast<char>(first);
    for (int i = 0; i < count; ++i) {
      int const byte = get();
      if (i == 0 ? byte < least || byte > most : byte < 0x80 || byte > 0xBF) return false;
      string_ += static_cast<char>(byte);
    }
    return true;
  }

  bool read_escape() {
    int const byte = get();
    if (byte == 'u') return read_code_point();
    constexpr std::string_view names = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    auto const index = byte < 0 ? names.npos : names.find(static_cast<char>(byte));
    if (index == names.npos) return refuse("invalid string: forbidden character after backslash"), false;
    string_ += values[index];
    return true;
  }

  bool read_code_point() {
    constexpr char const* digits = "invalid string: '\\u' must be followed by 4 hex digits";
    constexpr char const* alone = "invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF";
    int point = read_four_digits();
    if (point < 0) return refuse(digits), false;
    if (point >= 0xDC00 && point <= 0xDFFF) return refuse("invalid string: surrogate U+DC00..U+DFFF must follow U+D800..U+DBFF"), false;
    if (point >= 0xD800 && point <= 0xDBFF) {
      if (get() != '\\' || get() != 'u') return refuse(alone), false;
      int const low = read_four_digits();
      if (low < 0) return refuse(digits), false;
      if (low < 0xDC00 || low > 0xDFFF) return refuse(alone), false;
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(string_, static_cast<std::uint32_t>(point));
    return true;
  }

  /// The number that four hexadecimal digits write, or -1.
  int read_four_digits() {
    int value = 0;
    for (int i = 0; i < 4; ++i) {
      int const c = get();
      int const digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  Token read_number(int byte) {
    bool const is_negative = byte == '-';
    bool is_whole = true;
    if (is_negative && !is_digit(byte = get())) return refuse("invalid number; expected digit after '-'");
    if (byte != '0') skip_digits();
    if (peek() == '.') {
      is_whole = false;
      get();
      if (!is_digit(get())) return refuse("invalid number; expected digit after '.'");
      skip_digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      is_whole = false;
      get();
      byte = get();
      if (byte == '+' || byte == '-') {
        if (!is_digit(get())) return refuse("invalid number; expected digit after exponent sign");
      } else if (!is_digit(byte)) {
        return refuse("invalid number; expected '+', '-', or digit after exponent");
      }
      skip_digits();
    }
    number_ = number_from(text_.substr(token_begin_, read_ - token_begin_), is_whole, is_negative);
    return token_ = Token::number;
  }

  int peek() const noexcept { return read_ < text_.size() ? text_[read_] : -1; }
  void skip_digits() noexcept {
    while (is_digit(peek())) ++read_;
  }

  /// A whole number where it fits into 64 bits, else the nearest double.
  Json number_from(std::string_view digits, bool is_whole, bool is_negative) const {
    char const *const begin = digits.data(), *const end = begin + digits.size();
    if (is_whole && is_negative) {
      std::int64_t whole;
      if (std::from_chars(begin, end, whole).ec == std::errc()) return whole;
    } else if (is_whole) {
      std::uint64_t whole;
      if (std::from_chars(begin, end, whole).ec == std::errc()) return whole;
    }
    double real = 0;
    if (std::from_chars(begin, end, real).ec == std::errc() && real <= largest && real >= -largest) return real;
    if (!is_below_one(digits)) throw_error(message({"at byte ", read_, ": "}), message({"number overflow parsing '", last_read(), "'"}));
    return is_negative ? -0.0 : 0.0;
  }

  static constexpr double largest = std::numeric_limits<double>::max();

  /// Whether a number is less than one: what `from_chars` finds out of range is then too small, and not too large.
  static bool is_below_one(std::string_view digits) {
    auto const exponent = digits.find_first_of("eE");
    std::string_view const mantissa = digits.substr(0, exponent);
    auto const point = mantissa.find('.'), first = mantissa.find_first_of("123456789");
    if (first == mantissa.npos) return true;
    std::size_t const whole = point == mantissa.npos ? mantissa.size() : point;
    std::int64_t power = 0;  // Of the ten that the first digit counts, plus one.
    if (exponent != digits.npos) {
      std::size_t const sign = digits[exponent + 1] == '-' ? 1 : digits[exponent + 1] == '+' ? 1 : 0;
      for (char const c : digits.substr(exponent + 1 + sign))
        if (power < (std::int64_t{1} << 40)) power = power * 10 + (c - '0');
      if (digits[exponent + 1] == '-') power = -power;
    }
    return power + static_cast<std::int64_t>(whole) - static_cast<std::int64_t>(first) <= 0;
  }

  // ---- what is wrong ------------------------------------------------------------------------------------------------------------

  Token refuse(char const* what) {
    wrong_ = what;
    return token_ = Token::wrong;
  }

  Token refuse_control(int byte) {
    constexpr std::string_view names =
        "NUL SOH STX ETX EOT ENQ ACK BEL BS  HT  LF  VT  FF  CR  SO  SI  DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM  SUB ESC FS  GS  RS  US  ";
    constexpr std::string_view short_forms = "btn fr";  // From U+0008 on.
    std::string_view name = names.substr(static_cast<std::size_t>(byte) * 4, 4);
    while (name.ends_with(' ')) name.remove_suffix(1);
    std::string const number = {'0', '0', "01"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
    control_ = message({"invalid string: control character U+", number, " (", name, ") must be escaped to \\u", number});
    if (byte >= 8 && byte <= 13 && byte != 11) control_ += message({" or \\", short_forms.substr(static_cast<std::size_t>(byte) - 8, 1)});
    return refuse(control_.c_str());
  }

  /// The text since the last string or number began, its control characters spelled out.
  std::string last_read() const {
    std::string result;
    for (char const c : text_.substr(token_begin_, std::min(read_, text_.size()) - token_begin_)) {
      if (static_cast<unsigned char>(c) < 0x20) {
        result += {'<', 'U', '+', '0', '0', "01"[c >> 4], "0123456789ABCDEF"[c & 15], '>'};
      } else {
        result += c;
      }
    }
    return result;
  }

  /// Throws for the last token, where `expected` was expected.
  [[noreturn]] void refuse_token(std::string_view context, std::string_view expected) const {
    std::string what = message({"syntax error while parsing ", context, " - "});
    if (token_ == Token::wrong) {
      what += message({wrong_, "; last read: '", last_read(), "'"});
    } else {
      what += message({"unexpected ", name_of(token_)});
    }
    if (!expected.empty()) what += message({"; expected ", expected});
    std::string_view const before = text_.substr(0, std::min(read_, text_.size()));
    auto const line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
    auto const column = read_ - (before.rfind('\n') + 1);  // npos + 1 is 0.
    throw_error(message({"at line ", line, ", column ", column, ": "}), what);
  }

  static std::string_view name_of(Token const& token) noexcept {
    switch (token) {
      case Token::end:
        return "end of input";
      case Token::string:
        return "string literal";
      case Token::number:
        return "number literal";
      case Token::yes:
        return "true literal";
      case Token::no:
        return "false literal";
      case Token::null:
        return "null literal";
      case Token::begin_array:
        return "'['";
      case Token::end_array:
        return "']'";
      case Token::begin_object:
        return "'{'";
      case Token::end_object:
        return "'}'";
      case Token::colon:
        return "':'";
      default:
        return "','";
    }
  }

  [[noreturn]] void throw_error(std::string_view place, std::string_view what) const {
    for (Json* const container : open_)  // A key that came twice came first. (Nothing moves: what is open lies in what was opened before.)
      if (container->is_object()) key_order(*container->object_);
    throw FormatError(message({name_, ": is not valid JSON: ", place, printable(what, 300)}));
  }

  std::string_view text_;
  std::string const& name_;
  JsonLimits limits_;
  std::size_t read_ = 0;         // Bytes that were read; one more where the end was met.
  std::size_t token_begin_ = 0;  // Where the last string or number begins.
  Token token_ = Token::end;
  std::string string_, control_;
  Json number_;
  char const* wrong_ = "";
  Json root_;
  std::vector<Json*> open_;
};

}  // namespace detail

AXIFORM_INLINE Json parse_json(std::string_view text, std::string const& name, JsonLimits limits) {
  if (text.size() > limits.bytes)
    throw FormatError(detail::message({name, ": has ", text.size(), " bytes of JSON, expected at most ", limits.bytes}));
  if (auto const zero = text.find('\0'); zero != text.npos)
    throw FormatError(detail::message({name, ": is not valid JSON: at byte ", zero + 1, ": a zero byte"}));
  return detail::JsonParser(text, name, limits).parse();
}

#endif

}  // namespace axiform
