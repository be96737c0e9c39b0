/// @file
/// What a template's expressions evaluate to: Python's values, as far as chat templates have them, with their equality, order, truth and text.
#pragma once

#include <charconv>
#include <cmath>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/io/json_value.hpp>
#include <axiform/text/marked_text.hpp>

namespace axiform::detail {

class TemplateValue;
using TemplateValues = std::vector<TemplateValue>;

/// Jinja's undefined value: empty as text and as a list, and a fault in nearly all else. `words` say how it came about.
struct TemplateUndefined {
  std::shared_ptr<std::string const> words;
};

/// Python's None.
struct TemplateNone {};

/// A list, and what is like one. Constant once made, as all containers are: the environment of chat templates lets none be changed.
struct TemplateSequence {
  enum class Kind { list, tuple, range, keys, values, items };
  Kind kind = Kind::list;
  TemplateValues elements;
  std::size_t depth = 1;  ///< Containers within one another, this one included.
};

/// A dict, in the order in which its members were put there.
struct TemplateDict {
  std::vector<std::pair<TemplateValue, TemplateValue>> members;
  std::size_t depth = 1;
};

/// A generator: what `map`, `select` and their kin give. Can be gone through once.
struct TemplateIterator {
  TemplateValues elements;
  std::size_t next = 0;
  std::size_t depth = 1;
};

struct TemplateNamespace;  // What `namespace()` makes: belongs to the interpreter, since it may hold itself.
struct TemplateMacro;      // Belongs to the interpreter too.
struct TemplateLoop;       // The variable `loop`.
struct TemplateMethod;     // A method of a value that has not been called yet.

/// Functions that every template has.
enum class TemplateFunction { range, name_space, dict, raise_exception, strftime_now };

/// Values within one another. More would let comparing, printing and destroying them overflow the stack.
inline constexpr std::size_t deepest_value = 100;

/// A value.
class TemplateValue {
 public:
  using Text = std::shared_ptr<MarkedText>;
  using Sequence = std::shared_ptr<TemplateSequence const>;
  using Dict = std::shared_ptr<TemplateDict const>;
  using Iterator = std::shared_ptr<TemplateIterator>;
  using Loop = std::shared_ptr<TemplateLoop>;
  using Method = std::shared_ptr<TemplateMethod const>;

  TemplateValue() : value_(TemplateNone{}) {}
  TemplateValue(TemplateUndefined value) : value_(std::move(value)) {}
  TemplateValue(bool value) : value_(value) {}
  TemplateValue(std::int64_t value) : value_(value) {}
  TemplateValue(double value) : value_(value) {}
  TemplateValue(MarkedText text) : value_(std::make_shared<MarkedText>(std::move(text))) {}
  TemplateValue(Iterator value) : value_(std::move(value)) {}
  TemplateValue(TemplateNamespace* value) : value_(value) {}
  TemplateValue(Loop value) : value_(std::move(value)) {}
  TemplateValue(TemplateMacro const* value) : value_(value) {}
  TemplateValue(TemplateFunction value) : value_(value) {}
  TemplateValue(Method value) : value_(std::move(value)) {}

  static TemplateValue undefined(std::string words) { return TemplateUndefined{std::make_shared<std::string const>(std::move(words))}; }
  static TemplateValue number(std::size_t value) { return static_cast<std::int64_t>(value); }
  static TemplateValue text(std::string_view text) { return MarkedText(std::string(text), TextOrigin::from_template); }
  static TemplateValue sequence(TemplateSequence::Kind kind, TemplateValues elements);
  static TemplateValue list(TemplateValues elements) { return sequence(TemplateSequence::Kind::list, std::move(elements)); }
  static TemplateValue tuple(TemplateValues elements) { return sequence(TemplateSequence::Kind::tuple, std::move(elements)); }
  static TemplateValue iterator(TemplateValues elements);
  static TemplateValue dict(std::vector<std::pair<TemplateValue, TemplateValue>> members);

  template <class T>
  bool is() const noexcept {
    return std::holds_alternative<T>(value_);
  }
  /// The T that it holds, or null.
  template <class T>
  T const* as() const noexcept {
    return std::get_if<T>(&value_);
  }
  bool is_undefined() const noexcept { return is<TemplateUndefined>(); }
  bool is_none() const noexcept { return is<TemplateNone>(); }
  bool is_text() const noexcept { return is<Text>(); }
  bool is_number() const noexcept { return is<bool>() || is<std::int64_t>() || is<double>(); }
  bool is_sequence(TemplateSequence::Kind kind) const noexcept {
    auto const* const sequence = as<Sequence>();
    return sequence != nullptr && (*sequence)->kind == kind;
  }
  MarkedText const& text() const { return **as<Text>(); }
  /// Refuses text that the filter `safe` made, for operations that would go on with its HTML.
  void refuse_safe() const {
    if (is_text() && text().is_safe())
      throw TemplateFault{"goes on with text of the filter \"safe\", which is not supported: it can be written and compared"};
  }
  /// The text itself where nobody else has it, to append to; else null.
  MarkedText* own_text() noexcept {
    Text* const text = std::get_if<Text>(&value_);
    return text != nullptr && text->use_count() == 1 ? text->get() : nullptr;
  }

  /// The whole number that it is in arithmetic: a bool is one.
  std::optional<std::int64_t> integer() const noexcept {
    if (auto const* const boolean = as<bool>()) return *boolean ? 1 : 0;
    if (auto const* const integer = as<std::int64_t>()) return *integer;
    return std::nullopt;
  }
  /// The number that it is, which `is_number()`.
  double real() const noexcept {
    if (auto const* const real = as<double>()) return *real;
    return static_cast<double>(*integer());
  }

  std::size_t depth() const noexcept;

 private:
  TemplateValue(Sequence value) : value_(std::move(value)) {}
  TemplateValue(Dict value) : value_(std::move(value)) {}

  std::variant<TemplateUndefined, TemplateNone, bool, std::int64_t, double, Text, Sequence, Dict, Iterator, TemplateNamespace*, Loop,
               TemplateMacro const*, TemplateFunction, Method>
      value_;
};

struct TemplateMethod {
  TemplateValue object;
  std::string name;
};

struct TemplateNamespace {
  std::vector<std::pair<std::string, TemplateValue>> members;

  TemplateValue* find(std::string_view name) noexcept {
    for (auto& [member, value] : members)
      if (member == name) return &value;
    return nullptr;
  }
  /// @throws TemplateFault for a name that begins with an underscore, as transformers has it.
  void set(std::string_view name, TemplateValue value) {
    if (name.starts_with('_')) throw TemplateFault{"cannot keep " + in_quotes(name) + " in a namespace: it begins with an underscore"};
    if (TemplateValue* const member = find(name))
      *member = std::move(value);
    else
      members.emplace_back(name, std::move(value));
  }
};

inline std::size_t TemplateValue::depth() const noexcept {
  if (auto const* const sequence = as<Sequence>()) return (*sequence)->depth;
  if (auto const* const dict = as<Dict>()) return (*dict)->depth;
  if (auto const* const iterator = as<Iterator>()) return (*iterator)->depth;
  if (auto const* const method = as<Method>()) return (*method)->object.depth() + 1;
  return is<Loop>() ? deepest_value : 0;  // No container may hold a loop, whose items are containers themselves.
}

/// The depth of a container of `elements`. @throws TemplateFault when it is too deep.
inline std::size_t depth_above(TemplateValues const& elements) {
  std::size_t depth = 0;
  for (TemplateValue const& element : elements) depth = std::max(depth, element.depth());
  if (depth >= deepest_value) throw TemplateFault{"makes lists or dicts that are nested too deeply, or that hold a loop"};
  return depth + 1;
}

inline TemplateValue TemplateValue::sequence(TemplateSequence::Kind kind, TemplateValues elements) {
  std::size_t const depth = depth_above(elements);
  return TemplateValue(std::make_shared<TemplateSequence const>(TemplateSequence{kind, std::move(elements), depth}));
}

inline TemplateValue TemplateValue::iterator(TemplateValues elements) {
  std::size_t const depth = depth_above(elements);
  return TemplateValue(std::make_shared<TemplateIterator>(TemplateIterator{std::move(elements), 0, depth}));
}

inline TemplateValue TemplateValue::dict(std::vector<std::pair<TemplateValue, TemplateValue>> members) {
  std::size_t depth = 0;
  for (auto const& [key, value] : members) depth = std::max({depth, depth_above({key}), depth_above({value})});
  return TemplateValue(std::make_shared<TemplateDict const>(TemplateDict{std::move(members), std::max<std::size_t>(depth, 1)}));
}

/// What a value is, for messages.
inline std::string describe(TemplateValue const& value) {
  using Kind = TemplateSequence::Kind;
  if (auto const* const undefined = value.as<TemplateUndefined>()) return "an undefined value (" + *undefined->words + ")";
  if (value.is_none()) return "none";
  if (value.is<bool>()) return "a boolean";
  if (value.is<std::int64_t>()) return "an integer";
  if (value.is<double>()) return "a floating-point number";
  if (value.is_text()) return "a string";
  if (value.is<TemplateValue::Dict>()) return "a dict";
  if (value.is_sequence(Kind::list)) return "a list";
  if (value.is_sequence(Kind::tuple)) return "a tuple";
  if (value.is_sequence(Kind::range)) return "a range";
  if (value.is<TemplateValue::Sequence>()) return "a view of a dict";
  if (value.is<TemplateValue::Iterator>()) return "a generator";
  if (value.is<TemplateNamespace*>()) return "a namespace";
  if (value.is<TemplateValue::Loop>()) return "a loop";
  if (value.is<TemplateMacro const*>()) return "a macro";
  if (auto const* const method = value.as<TemplateValue::Method>()) return "the method " + in_quotes((*method)->name);
  return "a function";
}

[[noreturn]] inline void throw_undefined(TemplateValue const& value) { throw TemplateFault{*value.as<TemplateUndefined>()->words}; }

/// `==`.
inline bool equal(TemplateValue const& left, TemplateValue const& right, TemplateBudget& budget) {
  budget.spend(TemplateBudget::step / 4);
  if (left.is_number() && right.is_number()) {
    auto const a = left.integer(), b = right.integer();
    return a && b ? *a == *b : left.real() == right.real();
  }
  if (left.is_text() && right.is_text()) {
    if (left.text().size() != right.text().size()) return false;
    budget.spend(left.text().size() / 8);
    return left.text().text() == right.text().text();
  }
  if (auto const* const a = left.as<TemplateValue::Sequence>()) {
    auto const* const b = right.as<TemplateValue::Sequence>();
    if (b == nullptr || (*a)->kind != (*b)->kind || (*a)->elements.size() != (*b)->elements.size()) return false;
    for (std::size_t i = 0; i < (*a)->elements.size(); ++i)
      if (!equal((*a)->elements[i], (*b)->elements[i], budget)) return false;
    return true;
  }
  if (auto const* const a = left.as<TemplateValue::Dict>()) {
    auto const* const b = right.as<TemplateValue::Dict>();
    if (b == nullptr || (*a)->members.size() != (*b)->members.size()) return false;
    for (auto const& [key, value] : (*a)->members) {
      bool is_there = false;
      for (auto const& [other_key, other] : (*b)->members)
        if (equal(key, other_key, budget)) is_there = equal(value, other, budget);
      if (!is_there) return false;
    }
    return true;
  }
  if (auto const* const a = left.as<TemplateNamespace*>()) return right.is<TemplateNamespace*>() && *a == *right.as<TemplateNamespace*>();
  if (auto const* const a = left.as<TemplateMacro const*>())
    return right.is<TemplateMacro const*>() && *a == *right.as<TemplateMacro const*>();
  if (auto const* const a = left.as<TemplateFunction>()) return right.is<TemplateFunction>() && *a == *right.as<TemplateFunction>();
  if (auto const* const a = left.as<TemplateValue::Iterator>())
    return right.is<TemplateValue::Iterator>() && *a == *right.as<TemplateValue::Iterator>();
  if (auto const* const a = left.as<TemplateValue::Loop>())
    return right.is<TemplateValue::Loop>() && *a == *right.as<TemplateValue::Loop>();
  if (auto const* const a = left.as<TemplateValue::Method>()) {
    auto const* const b = right.as<TemplateValue::Method>();
    return b != nullptr && (*a)->name == (*b)->name && equal((*a)->object, (*b)->object, budget);
  }
  return (left.is_none() && right.is_none()) || (left.is_undefined() && right.is_undefined());
}

/// The order of two values: numbers, strings, lists, tuples. @throws TemplateFault for others.
inline std::partial_ordering compare(TemplateValue const& left, TemplateValue const& right, TemplateBudget& budget) {
  budget.spend(TemplateBudget::step / 4);
  if (left.is_number() && right.is_number()) {
    auto const a = left.integer(), b = right.integer();
    return a && b ? std::partial_ordering(*a <=> *b) : left.real() <=> right.real();
  }
  if (left.is_text() && right.is_text()) {  // Bytes of UTF-8 have the order of code points.
    budget.spend(std::min(left.text().size(), right.text().size()) / 8);
    int const order = left.text().text().compare(right.text().text());
    return order <=> 0;
  }
  auto const *const a = left.as<TemplateValue::Sequence>(), *const b = right.as<TemplateValue::Sequence>();
  using Kind = TemplateSequence::Kind;
  if (a != nullptr && b != nullptr && (*a)->kind == (*b)->kind && ((*a)->kind == Kind::list || (*a)->kind == Kind::tuple)) {
    TemplateValues const &x = (*a)->elements, &y = (*b)->elements;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i], budget)) return compare(x[i], y[i], budget);
    return x.size() <=> y.size();
  }
  if (left.is_undefined()) throw_undefined(left);
  if (right.is_undefined()) throw_undefined(right);
  throw TemplateFault{"cannot order " + describe(left) + " and " + describe(right)};
}

/// The member of a dict, or null. @throws TemplateFault for a key that Python cannot hash.
inline TemplateValue const* find(TemplateDict const& dict, TemplateValue const& key, TemplateBudget& budget);

inline bool is_hashable(TemplateValue const& value) {
  using Kind = TemplateSequence::Kind;
  if (value.is_sequence(Kind::tuple)) {
    for (TemplateValue const& element : (*value.as<TemplateValue::Sequence>())->elements)
      if (!is_hashable(element)) return false;
    return true;
  }
  return !value.is_sequence(Kind::list) && !value.is_sequence(Kind::keys) && !value.is_sequence(Kind::items) &&
         !value.is<TemplateValue::Dict>();
}

inline TemplateValue const* find(TemplateDict const& dict, TemplateValue const& key, TemplateBudget& budget) {
  if (!is_hashable(key)) throw TemplateFault{"cannot use " + describe(key) + " as the key of a dict"};
  for (auto const& [member, value] : dict.members)
    if (equal(member, key, budget)) return &value;
  return nullptr;
}

/// Puts a member where its key is, or at the end.
inline void set(TemplateDict& dict, TemplateValue key, TemplateValue value, TemplateBudget& budget) {
  budget.spend(TemplateBudget::element);
  if (TemplateValue const* const member = find(dict, key, budget))
    const_cast<TemplateValue&>(*member) = std::move(value);
  else
    dict.members.emplace_back(std::move(key), std::move(value));
}

/// The numbers below `count` in the order of `is_less(a, b)`; equal ones keep theirs.
///
/// By merging, which ends whatever `is_less` says: a template may sort NaN, which is less than nothing, and std::sort would run beyond the end.
template <class IsLess>
std::vector<std::size_t> merge_order(std::size_t count, IsLess is_less) {
  std::vector<std::size_t> order(count), merged(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  for (std::size_t width = 1; width < count; width *= 2) {
    for (std::size_t begin = 0; begin < count; begin += 2 * width) {
      std::size_t const middle = std::min(begin + width, count), end = std::min(middle + width, count);
      std::size_t left = begin, right = middle;
      for (std::size_t i = begin; i < end; ++i) {
        bool const takes_right = left == middle || (right < end && is_less(order[right], order[left]));
        merged[i] = order[takes_right ? right++ : left++];
      }
    }
    std::swap(order, merged);
  }
  return order;
}

// ---- numbers as Python writes them ----------------------------------------------------------------------------------------------------

/// `repr` of a float: the shortest digits that read back as it.
inline std::string python_float(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[64];
  auto const end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view const all(buffer, static_cast<std::size_t>(end - buffer));
  std::size_t const e = all.find('e');
  int exponent = 0;
  std::from_chars(all.data() + e + (all[e + 1] == '+' ? 2 : 1), all.data() + all.size(), exponent);
  std::string digits, result;
  for (char const c : all.substr(0, e)) {
    if (c == '-')
      result += c;
    else if (c != '.')
      digits += c;
  }
  if (exponent < -4 || exponent >= 16) {
    result += digits.substr(0, 1);
    if (digits.size() > 1) result += '.' + digits.substr(1);
    result += exponent < 0 ? "e-" : "e+";
    std::string const magnitude = std::to_string(std::abs(exponent));
    return result + (magnitude.size() < 2 ? "0" : "") + magnitude;
  }
  if (exponent < 0) return result + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  auto const whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return result + digits + std::string(whole - digits.size(), '0') + ".0";
  return result + digits.substr(0, whole) + '.' + digits.substr(whole);
}

// ---- text -----------------------------------------------------------------------------------------------------------------------------

/// Writes values as Python's `str`, `repr` and `json.dumps` do.
class TemplateWriter {
 public:
  explicit TemplateWriter(TemplateBudget& budget) : budget_(budget) {}

  MarkedText take() && { return std::move(result_); }

  void str(TemplateValue const& value) {
    if (value.is_undefined()) return;
    if (value.is_text()) return append(value.text());
    repr(value);
  }

  void repr(TemplateValue const& value) {
    budget_.spend(TemplateBudget::step);
    if (value.is_undefined()) return append("Undefined");
    if (value.is_none()) return append("None");
    if (auto const* const boolean = value.as<bool>()) return append(*boolean ? "True" : "False");
    if (auto const* const integer = value.as<std::int64_t>()) return append(std::to_string(*integer));
    if (auto const* const real = value.as<double>()) return append(python_float(*real));
    value.refuse_safe();
    if (value.is_text()) return repr_text(value.text());
    if (auto const* const sequence = value.as<TemplateValue::Sequence>()) return repr_sequence(**sequence, value);
    auto const* const dict = value.as<TemplateValue::Dict>();
    if (dict == nullptr) throw TemplateFault{"cannot write " + describe(value) + " as text"};
    append("{");
    for (std::size_t i = 0; auto const& [key, member] : (*dict)->members) {
      if (i++ > 0) append(", ");
      repr(key);
      append(": ");
      repr(member);
    }
    append("}");
  }

  struct JsonStyle {
    bool is_ascii = false;
    bool sorts_keys = false;
    std::optional<MarkedText> indent;
    MarkedText item_separator{", ", TextOrigin::from_template};
    MarkedText key_separator{": ", TextOrigin::from_template};
  };
  void json(TemplateValue const& value, JsonStyle const& style, std::size_t level = 0);

 private:
  void append(std::string_view text) {
    budget_.spend(text.size() * TemplateBudget::byte);
    result_.append(text, TextOrigin::from_template);
  }
  void append(MarkedText const& text) {
    budget_.spend(text.size() * TemplateBudget::byte);
    result_.append(text);
  }
  void append_hex(std::string_view before, char32_t c, int digits, TextOrigin origin) {
    std::string code(before);
    for (int i = digits - 1; i >= 0; --i) code += "0123456789abcdef"[c >> 4 * i & 15];
    result_.append(code, origin);
  }

  void repr_sequence(TemplateSequence const& sequence, TemplateValue const& value) {
    using Kind = TemplateSequence::Kind;
    if (sequence.kind != Kind::list && sequence.kind != Kind::tuple) throw TemplateFault{"cannot write " + describe(value) + " as text"};
    bool const is_list = sequence.kind == Kind::list;
    append(is_list ? "[" : "(");
    for (std::size_t i = 0; TemplateValue const& element : sequence.elements) {
      if (i++ > 0) append(", ");
      repr(element);
    }
    append(is_list ? "]" : sequence.elements.size() == 1 ? ",)" : ")");
  }

  void repr_text(MarkedText const& text) {
    budget_.spend(text.size() * TemplateBudget::byte * 2);
    bool const has_double = text.text().find('"') != std::string_view::npos;
    bool const has_single = text.text().find('\'') != std::string_view::npos;
    char32_t const quote = has_single && !has_double ? U'"' : U'\'';
    result_.append(quote, TextOrigin::from_template);
    for_each_character(text.text(), [&](char32_t c, std::size_t begin, std::size_t end) {
      TextOrigin const origin = text.origin(begin);
      if (c == quote || c == U'\\') {
        result_.append(U'\\', origin);
        result_.append(c, origin);
      } else if (c == U'\n' || c == U'\r' || c == U'\t') {
        result_.append(c == U'\n' ? "\\n" : c == U'\r' ? "\\r" : "\\t", origin);
      } else if (c < 0x20 || (c >= 0x7F && c < 0x100 && (c <= 0xA0 || c == 0xAD))) {
        append_hex("\\x", c, 2, origin);
      } else if (c >= 0x100 && is_of_class(c, general_classes::other | general_classes::space)) {
        append_hex(c < 0x10000 ? "\\u" : "\\U", c, c < 0x10000 ? 4 : 8, origin);
      } else {
        result_.append(text, begin, end);
      }
    });
    result_.append(quote, TextOrigin::from_template);
  }

  void json_text(MarkedText const& text, bool is_ascii) {
    budget_.spend(text.size() * TemplateBudget::byte * 2);
    append("\"");
    for_each_character(text.text(), [&](char32_t c, std::size_t begin, std::size_t end) {
      TextOrigin const origin = text.origin(begin);
      constexpr std::string_view escaped = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
      std::size_t const place = c < 0x80 ? escaped.find(static_cast<char>(c)) : std::string_view::npos;
      if (place != std::string_view::npos) {
        result_.append(U'\\', origin);
        result_.append(letters.substr(place, 1), origin);
      } else if (c < 0x20 || (is_ascii && c >= 0x7F && c < 0x10000)) {
        append_hex("\\u", c, 4, origin);
      } else if (is_ascii && c >= 0x10000) {
        append_hex("\\u", 0xD800 + ((c - 0x10000) >> 10), 4, origin);
        append_hex("\\u", 0xDC00 + (c & 0x3FF), 4, origin);
      } else {
        result_.append(text, begin, end);
      }
    });
    append("\"");
  }

  void json_break(JsonStyle const& style, std::size_t level) {
    if (!style.indent) return;
    append("\n");
    for (std::size_t i = 0; i < level; ++i) append(*style.indent);
  }

  MarkedText json_key(TemplateValue const& key) {
    if (key.is_text()) return key.text();
    if (key.is_none()) return MarkedText("null", TextOrigin::from_template);
    if (auto const* const boolean = key.as<bool>()) return MarkedText(*boolean ? "true" : "false", TextOrigin::from_template);
    if (!key.is_number()) throw TemplateFault{"cannot write " + describe(key) + " as a key of JSON"};
    TemplateWriter writer(budget_);
    writer.json(key, {});
    return std::move(writer).take();
  }

  TemplateBudget& budget_;
  MarkedText result_;
};

inline void TemplateWriter::json(TemplateValue const& value, JsonStyle const& style, std::size_t level) {
  using Kind = TemplateSequence::Kind;
  budget_.spend(TemplateBudget::step);
  if (value.is_none()) return append("null");
  if (auto const* const boolean = value.as<bool>()) return append(*boolean ? "true" : "false");
  if (auto const* const real = value.as<double>(); real != nullptr && !std::isfinite(*real))
    return append(std::isnan(*real) ? "NaN" : *real < 0 ? "-Infinity" : "Infinity");
  if (value.is_number()) return repr(value);
  if (value.is_text()) return json_text(value.text(), style.is_ascii);
  if (value.is_sequence(Kind::list) || value.is_sequence(Kind::tuple)) {
    TemplateValues const& elements = (*value.as<TemplateValue::Sequence>())->elements;
    if (elements.empty()) return append("[]");
    append("[");
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) append(style.item_separator);
      json_break(style, level + 1);
      json(elements[i], style, level + 1);
    }
    json_break(style, level);
    return append("]");
  }
  auto const* const dict = value.as<TemplateValue::Dict>();
  if (dict == nullptr) throw TemplateFault{"cannot write " + describe(value) + " as JSON"};
  auto const& members = (*dict)->members;
  if (members.empty()) return append("{}");
  budget_.spend(members.size() * TemplateBudget::element);
  auto const order = merge_order(members.size(), [&](std::size_t a, std::size_t b) {
    return style.sorts_keys && compare(members[a].first, members[b].first, budget_) < 0;
  });
  append("{");
  for (std::size_t i = 0; i < members.size(); ++i) {
    auto const& [key, member] = members[order[i]];
    if (i > 0) append(style.item_separator);
    json_break(style, level + 1);
    json_text(json_key(key), style.is_ascii);
    append(style.key_separator);
    json(member, style, level + 1);
  }
  json_break(style, level);
  append("}");
}

/// `str(value)`.
inline MarkedText to_text(TemplateValue const& value, TemplateBudget& budget) {
  TemplateWriter writer(budget);
  writer.str(value);
  return std::move(writer).take();
}

/// A value of JSON, whose strings are all `origin`'s. @throws TemplateFault for what is nested too deeply.
inline TemplateValue from_json(Json const& json, TextOrigin origin, std::size_t level = 0) {
  if (level >= deepest_value) throw TemplateFault{"is given a variable that is nested too deeply"};
  switch (json.type()) {
    case Json::Type::null:
      return {};
    case Json::Type::boolean:
      return json.boolean();
    case Json::Type::integer:
      return json.integer();
    case Json::Type::natural:
      if (json.natural() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        throw TemplateFault{"is given a whole number of more than 63 bits"};
      return static_cast<std::int64_t>(json.natural());
    case Json::Type::real:
      return json.real();
    case Json::Type::string:
      return MarkedText(replace_invalid_utf8(json.text()), origin);
    case Json::Type::array: {
      TemplateValues elements;
      for (Json const& element : json.elements()) elements.push_back(from_json(element, origin, level + 1));
      return TemplateValue::list(std::move(elements));
    }
    case Json::Type::object:
      break;
  }
  std::vector<std::pair<TemplateValue, TemplateValue>> members;
  for (auto const& [key, member] : json.items())
    members.emplace_back(MarkedText(replace_invalid_utf8(key), origin), from_json(member, origin, level + 1));
  return TemplateValue::dict(std::move(members));
}

}  // namespace axiform::detail
