/// @file
/// A chat template's source as tokens: jinja2's lexer with `trim_blocks` and `lstrip_blocks`, as transformers sets it up.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/marked_text.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// @throws FormatError that names the line.
[[noreturn]] inline void throw_template_error(std::size_t line, std::string_view words) {
  throw FormatError(message({"chat template, line ", line, ": ", words}));
}

/// A token of the source.
struct TemplateToken {
  enum class Kind { data, output_begin, output_end, block_begin, block_end, name, string, integer, real, symbol, end };
  Kind kind = Kind::end;
  std::size_t line = 1;
  std::string text = {};  ///< Of data, names, strings (without quotes and escapes) and symbols.
  std::int64_t integer = 0;
  double real = 0;

  bool is_symbol(std::string_view symbol) const noexcept { return kind == Kind::symbol && text == symbol; }
  bool is_name(std::string_view name) const noexcept { return kind == Kind::name && text == name; }
};

class TemplateLexer {
 public:
  /// `source` is valid UTF-8.
  explicit TemplateLexer(std::string_view source) {
    for (std::size_t i = 0; i < source.size(); ++i) {  // Line ends are "\n", and one at the end is dropped.
      if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
      source_ += source[i] == '\r' ? '\n' : source[i];
    }
    if (source_.ends_with('\n')) source_.pop_back();
  }

  /// @throws FormatError for what is no template.
  std::vector<TemplateToken> run() && {
    while (place_ < source_.size()) read_data();
    add(Kind::end);
    return std::move(tokens_);
  }

 private:
  using Kind = TemplateToken::Kind;

  std::string_view rest() const { return std::string_view(source_).substr(place_); }
  char at(std::size_t place) const { return place < source_.size() ? source_[place] : '\0'; }

  [[noreturn]] void fail(std::string_view words) const { throw_template_error(line_, words); }

  /// Goes on to `place`, counting lines.
  void go_to(std::size_t place) {
    for (; place_ < place; ++place_) line_ += source_[place_] == '\n';
  }
  TemplateToken& add(Kind kind) {
    tokens_.push_back({.kind = kind, .line = line_});
    return tokens_.back();
  }
  std::size_t after_spaces(std::size_t place) const {
    while (place < source_.size()) {
      auto const [c, length] = decode_valid_utf8(source_.data() + place);
      if (!is_python_space(c)) break;
      place += length;
    }
    return place;
  }
  /// The place after `{% raw %}` whose `{%` is at `place`, or 0.
  std::size_t after_raw(std::size_t place) const {
    place += 2;
    if (at(place) == '-' || at(place) == '+') ++place;
    place = after_spaces(place);
    if (std::string_view(source_).substr(place, 3) != "raw") return 0;
    place = after_spaces(place + 3);
    if (std::string_view(source_).substr(place, 3) == "-%}") return after_spaces(place + 3);
    return std::string_view(source_).substr(place, 2) == "%}" ? place + 2 : 0;
  }

  /// Text up to the next tag, which `sign` may tell to take the space before it along, and the tag's beginning.
  void add_data(std::size_t begin, std::size_t tag, char sign, bool is_output) {
    std::string_view text = std::string_view(source_).substr(begin, tag - begin);
    if (sign == '-') {
      std::size_t end = 0;
      for_each_character(text, [&end](char32_t c, std::size_t, std::size_t next) {
        if (!is_python_space(c)) end = next;
      });
      text = text.substr(0, end);
    } else if (sign != '+' && !is_output) {  // What is alone on its line takes the space before it along.
      std::size_t const last = text.rfind('\n');
      std::size_t const line = last == std::string_view::npos ? 0 : last + 1;
      if ((line > 0 || begins_line_) && line < text.size() && after_spaces(begin + line) >= tag) text = text.substr(0, line);
    }
    if (!text.empty()) add(Kind::data).text = text;
    go_to(tag);
  }

  void read_data() {
    std::size_t const begin = place_;
    std::size_t tag = begin;
    while (tag < source_.size() && !(source_[tag] == '{' && (at(tag + 1) == '{' || at(tag + 1) == '%' || at(tag + 1) == '#'))) ++tag;
    if (tag == source_.size()) {
      add(Kind::data).text = rest();
      return go_to(tag);
    }
    char const kind = source_[tag + 1];
    char const sign = at(tag + 2) == '-' || at(tag + 2) == '+' ? source_[tag + 2] : '\0';
    add_data(begin, tag, sign, kind == '{');
    std::size_t const after = tag + (sign == '\0' ? 2 : 3);
    if (kind == '#') return read_comment(after);
    if (std::size_t const raw = kind == '%' ? after_raw(tag) : 0; raw != 0) return read_raw(raw);
    add(kind == '{' ? Kind::output_begin : Kind::block_begin);
    go_to(after);
    read_tag(kind == '{');
  }

  /// Where a tag ends that may end at `place` in `+%}`, `-%}` or `%}`; 0 where it does not.
  std::size_t tag_end(std::size_t place, std::string_view mark) const {
    std::string_view const text = std::string_view(source_).substr(place);
    if (text.starts_with('-') && text.substr(1).starts_with(mark)) return after_spaces(place + 3);
    if (mark == "}}") return text.starts_with(mark) ? place + 2 : 0;
    if (text.starts_with('+') && text.substr(1).starts_with(mark)) return place + 3;
    if (text.starts_with(mark)) return place + 2 + (at(place + 2) == '\n' ? 1 : 0);
    return 0;
  }
  void end_tag(std::size_t end) {
    begins_line_ = source_[end - 1] == '\n';
    go_to(end);
  }

  void read_comment(std::size_t place) {
    for (; place < source_.size(); ++place)
      if (std::size_t const end = tag_end(place, "#}")) return end_tag(end);
    fail("the comment does not end; expected \"#}\"");
  }

  void read_raw(std::size_t begin) {
    std::size_t const line = line_;
    for (std::size_t place = begin; place < source_.size(); ++place) {
      if (source_[place] != '{' || at(place + 1) != '%') continue;
      char const sign = at(place + 2) == '-' || at(place + 2) == '+' ? source_[place + 2] : '\0';
      std::size_t name = after_spaces(place + (sign == '\0' ? 2 : 3));
      if (std::string_view(source_).substr(name, 6) != "endraw") continue;
      if (std::size_t const end = tag_end(after_spaces(name + 6), "%}")) {
        begins_line_ = source_[begin - 1] == '\n';
        go_to(begin);
        add_data(begin, place, sign, false);
        return end_tag(end);
      }
    }
    throw_template_error(line, "the statement \"raw\" does not end; expected \"{% endraw %}\"");
  }

  void read_tag(bool is_output) {
    std::size_t const line = line_;
    std::string brackets;  // The closing ones that are awaited.
    while (place_ < source_.size()) {
      if (std::size_t const end = brackets.empty() ? tag_end(place_, is_output ? "}}" : "%}") : 0) {
        add(is_output ? Kind::output_end : Kind::block_end);
        return end_tag(end);
      }
      if (std::size_t const end = after_spaces(place_); end != place_) {
        go_to(end);
        continue;
      }
      char const c = source_[place_];
      if (is_digit(c))
        read_number();
      else if (is_name_character(c))
        read_name();
      else if (c == '\'' || c == '"')
        read_string();
      else
        read_symbol(brackets);
    }
    throw_template_error(line, is_output ? "the output does not end; expected \"}}\"" : "the statement does not end; expected \"%}\"");
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_name_character(char c) { return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  void read_name() {
    std::size_t end = place_;
    while (end < source_.size() && is_name_character(source_[end])) ++end;
    add(Kind::name).text = rest().substr(0, end - place_);
    go_to(end);
  }

  /// Digits, with single underscores between; returns the place after them, or `place`.
  std::size_t after_digits(std::size_t place) const {
    while (is_digit(at(place)) || (at(place) == '_' && is_digit(at(place + 1)) && is_digit(at(place - 1)))) ++place;
    return place;
  }

  void read_number() {
    std::size_t const whole = after_digits(place_);
    std::size_t end = whole;
    bool const may_be_real = place_ == 0 || source_[place_ - 1] != '.';
    if (may_be_real && at(whole) == '.' && is_digit(at(whole + 1))) end = after_digits(whole + 1);
    if (may_be_real && (at(end) == 'e' || at(end) == 'E')) {
      std::size_t const digits = end + (at(end + 1) == '+' || at(end + 1) == '-' ? 2 : 1);
      if (is_digit(at(digits))) end = after_digits(digits);
    }
    bool const is_real = end != whole;
    int base = 10;
    std::size_t begin = place_;
    if (!is_real && source_[place_] == '0') {
      char const letter = static_cast<char>(at(place_ + 1) | 0x20);
      base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
      auto const is_base_digit = [base](char c) {
        char const low = static_cast<char>(c | 0x20);
        return base == 16 ? is_digit(c) || (low >= 'a' && low <= 'f') : c >= '0' && c < '0' + base;
      };
      if (base != 10) {
        std::size_t place = place_ + 2;
        if (at(place) == '_') ++place;
        if (is_base_digit(at(place))) {
          while (is_base_digit(at(place)) || (at(place) == '_' && is_base_digit(at(place + 1)))) ++place;
          begin = place_ + 2;
          end = place;
        } else {
          base = 10;
        }
      }
      if (base == 10) {  // Zeros alone.
        end = place_ + 1;
        while (at(end) == '0' || (at(end) == '_' && at(end + 1) == '0')) ++end;
      }
    }
    std::string digits;
    for (char const c : std::string_view(source_).substr(begin, end - begin))
      if (c != '_') digits += c;
    TemplateToken& token = add(is_real ? Kind::real : Kind::integer);
    auto const result = is_real ? std::from_chars(digits.data(), digits.data() + digits.size(), token.real)
                                : std::from_chars(digits.data(), digits.data() + digits.size(), token.integer, base);
    if (result.ec != std::errc{}) fail("the number " + in_quotes(digits) + " is out of range");
    go_to(end);
  }

  void read_string() {
    char const quote = source_[place_];
    std::size_t end = place_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2u : 1u;
    if (end >= source_.size()) fail("the string does not end");
    std::string text = unescape(rest().substr(1, end - place_ - 1));
    add(Kind::string).text = std::move(text);
    go_to(end + 1);
  }

  /// What Python's codec "unicode-escape" makes of what is between quotes.
  std::string unescape(std::string_view text) const {
    std::string result;
    for (std::size_t i = 0; i < text.size();) {
      if (text[i] != '\\') {
        result += text[i++];
        continue;
      }
      char const c = text[i + 1];  // There is one: a backslash took the quote along.
      i += 2;
      constexpr std::string_view letters = "\\'\"abfnrtv", values = "\\'\"\a\b\f\n\r\t\v";
      if (std::size_t const place = letters.find(c); place != std::string_view::npos) {
        result += values[place];
      } else if (c == '\n') {
      } else if (c >= '0' && c <= '7') {
        char32_t value = 0;
        --i;
        for (int digits = 0; digits < 3 && i < text.size() && text[i] >= '0' && text[i] <= '7'; ++digits, ++i)
          value = value * 8 + static_cast<char32_t>(text[i] - '0');
        append_utf8(result, value);
      } else if (c == 'x' || c == 'u' || c == 'U') {
        std::size_t const digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        std::uint32_t value = 0;
        std::string_view const code = text.substr(i, digits);
        auto const [end, error] = std::from_chars(code.data(), code.data() + code.size(), value, 16);
        if (code.size() < digits || error != std::errc{} || end != code.data() + code.size())
          fail(message({"the escape \\", std::string_view(&c, 1), " has fewer digits than it needs"}));
        if (value > 0x10FFFF || (value >> 11) == 0x1B) fail(message({"the escape \\", std::string_view(&c, 1), code, " is no character"}));
        append_utf8(result, value);
        i += digits;
      } else if (c == 'N') {
        fail("the escape \\N is not supported");
      } else if (static_cast<unsigned char>(c) >=
                 0x80) {  // jinja2 escapes what is not ASCII first, and its backslash is then escaped by this.
        auto const [value, length] = decode_valid_utf8(text.data() + i - 1);
        std::string code;
        int const digits = value < 0x100 ? 2 : value < 0x10000 ? 4 : 8;
        for (int digit = digits - 1; digit >= 0; --digit) code += "0123456789abcdef"[value >> static_cast<unsigned>(4 * digit) & 15];
        result += '\\';
        result += digits == 2 ? 'x' : digits == 4 ? 'u' : 'U';
        result += code;
        i += length - 1;
      } else {
        result += '\\';
        result += c;
      }
    }
    return result;
  }

  void read_symbol(std::string& brackets) {
    constexpr std::string_view doubles[] = {"//", "**", "==", "!=", ">=", "<="};
    std::string_view symbol = rest().substr(0, 1);
    for (std::string_view const two : doubles)
      if (rest().starts_with(two)) symbol = two;
    if (symbol.size() == 1 && std::string_view("+-/*%~[](){}><=.:|,;").find(symbol) == std::string_view::npos) {
      auto const length = decode_valid_utf8(source_.data() + place_).length;
      fail("found " + in_quotes(rest().substr(0, length)) + ", which no expression has");
    }
    if (std::size_t const open = std::string_view("([{").find(symbol); open != std::string_view::npos) {
      brackets += ")]}"[open];
    } else if (std::string_view(")]}").find(symbol) != std::string_view::npos) {
      if (brackets.empty() || brackets.back() != symbol[0]) fail(message({"found \"", symbol, "\", which closes nothing that is open"}));
      brackets.pop_back();
    }
    add(Kind::symbol).text = symbol;
    go_to(place_ + symbol.size());
  }

  std::string source_;
  std::size_t place_ = 0;
  std::size_t line_ = 1;
  bool begins_line_ = true;
  std::vector<TemplateToken> tokens_;
};

}  // namespace axiform::detail
