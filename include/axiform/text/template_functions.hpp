/// @file
/// What chat templates can call: functions, methods of strings, lists and dicts, filters and tests, with the results that Python and jinja2 have.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/text/template_interpreter.hpp>

namespace axiform::detail {

inline std::vector<std::optional<TemplateValue>> TemplateInterpreter::bind(std::string_view name, Arguments const& arguments,
                                                                           std::initializer_list<std::string_view> parameters,
                                                                           std::size_t required) {
  std::vector<std::optional<Value>> bound(parameters.size());
  if (arguments.positional.size() > parameters.size())
    throw TemplateFault{
        message({in_quotes(name), " takes at most ", parameters.size(), " arguments here, and is given ", arguments.positional.size()})};
  std::ranges::copy(arguments.positional, bound.begin());
  for (auto const& [parameter, value] : arguments.named) {
    auto const place = static_cast<std::size_t>(std::ranges::find(parameters, parameter) - parameters.begin());
    if (place == parameters.size() || bound[place])
      throw TemplateFault{message({in_quotes(name), " takes no argument ", in_quotes(parameter), " by name here"})};
    bound[place] = value;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (!bound[i]) throw TemplateFault{message({in_quotes(name), " needs the argument ", in_quotes(parameters.begin()[i])})};
  return bound;
}

// ---- functions ------------------------------------------------------------------------------------------------------------------------

inline TemplateValue TemplateInterpreter::call_function(TemplateFunction function, Arguments const& arguments) {
  auto const add_members = [&](auto add) {  // As the constructor of Python's dict takes them.
    if (arguments.positional.size() > 1) throw TemplateFault{"\"dict\" or \"namespace\" takes one argument without a name"};
    for (Value const& source : arguments.positional) {
      if (auto const* const dict = source.as<Value::Dict>()) {
        for (auto const& [key, value] : (*dict)->members) add(key, value);
        continue;
      }
      if (source.is_undefined()) throw_undefined(source);
      for (Value const& pair : elements_of(source)) {
        Values const parts = elements_of(pair);
        if (parts.size() != 2) throw TemplateFault{"\"dict\" or \"namespace\" needs pairs"};
        add(parts[0], parts[1]);
      }
    }
    for (auto const& [name, value] : arguments.named) add(Value::text(name), value);
  };
  switch (function) {
    case TemplateFunction::range: {
      std::array<std::int64_t, 3> bounds{0, 0, 1};
      std::size_t const count = arguments.positional.size();
      if (count < 1 || count > 3 || !arguments.named.empty()) throw TemplateFault{"\"range\" takes one to three arguments"};
      for (std::size_t i = 0; i < count; ++i) {
        if (arguments.positional[i].is_undefined()) throw_undefined(arguments.positional[i]);
        auto const bound = arguments.positional[i].integer();
        if (!bound) throw TemplateFault{"\"range\" needs whole numbers, and is given " + describe(arguments.positional[i])};
        bounds[count == 1 ? 1 : i] = *bound;
      }
      auto const [begin, end, step] = bounds;
      if (step == 0) throw TemplateFault{"\"range\" in steps of zero"};
      Values elements;
      for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
        if (elements.size() == 100'000) throw TemplateFault{"\"range\" of more than 100000 numbers"};
        budget_.spend(TemplateBudget::element);
        elements.emplace_back(i);
        if (step > 0 ? i > std::numeric_limits<std::int64_t>::max() - step : i < std::numeric_limits<std::int64_t>::min() - step) break;
      }
      return Value::sequence(SequenceKind::range, std::move(elements));
    }
    case TemplateFunction::name_space: {
      budget_.spend(TemplateBudget::string);
      TemplateNamespace& made = namespaces_.emplace_back();
      add_members([&](Value const& key, Value const& value) {
        budget_.spend(TemplateBudget::element + made.members.size());
        if (!key.is_text()) throw TemplateFault{"\"namespace\" needs strings as names, and is given " + describe(key)};
        if (value.depth() >= deepest_value) throw TemplateFault{"keeps a value in a namespace that is nested too deeply, or a loop"};
        made.set(key.text().text(), value);
      });
      return &made;
    }
    case TemplateFunction::dict: {
      TemplateDict dict;
      add_members([&](Value const& key, Value const& value) { set(dict, key, value, budget_); });
      return Value::dict(std::move(dict.members));
    }
    case TemplateFunction::raise_exception: {
      auto const bound = bind("raise_exception", arguments, {"message"}, 1);
      throw ArgumentError(std::string(text_of(*bound[0]).text()));
    }
    case TemplateFunction::strftime_now: {
      auto const bound = bind("strftime_now", arguments, {"format"}, 1);
      if (!bound[0]->is_text()) throw TemplateFault{"\"strftime_now\" needs a string, and is given " + describe(*bound[0])};
      return formatted_time(bound[0]->text());
    }
  }
  return {};
}

/// `strftime` in English, which is what templates mean by it.
inline MarkedText TemplateInterpreter::formatted_time(MarkedText const& format_text) {
  std::string_view const format = format_text.text();
  constexpr std::string_view months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
  constexpr std::string_view days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  std::tm now = {};
  if (environment_.now) {
    now = *environment_.now;
  } else {
    std::time_t const seconds = std::time(nullptr);
#ifdef _WIN32
    localtime_s(&now, &seconds);
#else
    localtime_r(&seconds, &now);
#endif
  }
  auto const padded = [](int value, int width, char fill = '0') {
    std::string const digits = std::to_string(value);
    return std::string(static_cast<std::size_t>(std::max(0, width - static_cast<int>(digits.size()))), fill) + digits;
  };
  auto const month = months[static_cast<std::size_t>(std::clamp(now.tm_mon, 0, 11))],
             day = days[static_cast<std::size_t>(std::clamp(now.tm_wday, 0, 6))];
  std::string result;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      result += format[i];
      continue;
    }
    bool const is_bare = i + 1 < format.size() && format[i + 1] == '-';
    i += is_bare ? 2 : 1;
    char const letter = i < format.size() ? format[i] : '\0';
    auto const number = [&](int value, int width, char fill = '0') { result += padded(value, is_bare ? 0 : width, fill); };
    switch (letter) {
      case 'Y':
        number(now.tm_year + 1900, 4);
        break;
      case 'y':
        number(now.tm_year % 100, 2);
        break;
      case 'm':
        number(now.tm_mon + 1, 2);
        break;
      case 'd':
        number(now.tm_mday, 2);
        break;
      case 'e':
        number(now.tm_mday, 2, ' ');
        break;
      case 'H':
        number(now.tm_hour, 2);
        break;
      case 'I':
        number((now.tm_hour + 11) % 12 + 1, 2);
        break;
      case 'M':
        number(now.tm_min, 2);
        break;
      case 'S':
        number(now.tm_sec, 2);
        break;
      case 'j':
        number(now.tm_yday + 1, 3);
        break;
      case 'B':
        result += month;
        break;
      case 'b':
        result += month.substr(0, 3);
        break;
      case 'A':
        result += day;
        break;
      case 'a':
        result += day.substr(0, 3);
        break;
      case 'p':
        result += now.tm_hour < 12 ? "AM" : "PM";
        break;
      case 'F':
        result += padded(now.tm_year + 1900, 4) + '-' + padded(now.tm_mon + 1, 2) + '-' + padded(now.tm_mday, 2);
        break;
      case 'T':
        result += padded(now.tm_hour, 2) + ':' + padded(now.tm_min, 2) + ':' + padded(now.tm_sec, 2);
        break;
      case '%':
        result += '%';
        break;
      default:
        throw TemplateFault{"\"strftime_now\" does not support \"%" + printable(format.substr(std::min(i, format.size()), 1)) + "\""};
    }
  }
  return {std::move(result), format_text.has_message() ? TextOrigin::from_message : TextOrigin::from_template};
}

// ---- methods --------------------------------------------------------------------------------------------------------------------------

inline TemplateValue TemplateInterpreter::call_method(Value const& object, std::string_view name, Arguments const& arguments) {
  object.refuse_safe();
  if (object.is_text()) {
    budget_.spend(object.text().size() * TemplateBudget::byte);
    return call_text_method(object, name, arguments);
  }
  if (object.is<Value::Dict>()) return call_dict_method(object, name, arguments);
  if (auto const* const loop = object.as<Value::Loop>()) return call_loop_method(**loop, name, arguments);
  if (name == "copy") return bind(name, arguments, {}), object;
  return call_sequence_method(**object.as<Value::Sequence>(), name, arguments);
}

inline TemplateValue TemplateInterpreter::call_text_method(Value const& object, std::string_view name, Arguments const& arguments) {
  MarkedText const& text = object.text();
  std::string_view const all = text.text();
  auto const need_text = [&](Value const& value) -> MarkedText const& {
    if (value.is_undefined()) throw_undefined(value);
    if (!value.is_text())
      throw TemplateFault{message({"the method ", in_quotes(name), " of a string needs a string, and is given ", describe(value)})};
    return value.text();
  };
  auto const one_text = [&]() -> MarkedText {
    if (!arguments.named.empty()) throw TemplateFault{message({"the method ", in_quotes(name), " takes no arguments by name"})};
    return need_text(*bind(name, arguments, {"text"}, 1)[0]);
  };
  auto const limit_of = [&](std::optional<Value> const& value) {
    if (!value) return no_limit;
    auto const limit = value->integer();
    if (!limit) throw TemplateFault{message({"the method ", in_quotes(name), " needs a whole number, and is given ", describe(*value)})};
    return *limit < 0 ? no_limit : static_cast<std::size_t>(*limit);
  };
  auto const texts = [&](std::vector<MarkedText> parts) {
    Values values;
    for (MarkedText& part : parts) values.emplace_back(std::move(part));
    return values;
  };
  auto const place_of = [&](std::size_t place) -> std::int64_t {
    return place == std::string_view::npos ? -1 : static_cast<std::int64_t>(count_code_points(all.substr(0, place)));
  };

  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    auto const bound = bind(name, arguments, {"chars"});
    TextEnds const ends = name == "strip" ? TextEnds::both : name == "lstrip" ? TextEnds::left : TextEnds::right;
    if (!bound[0] || bound[0]->is_none()) return strip(text, ends, nullptr, budget_);
    std::string_view const characters = need_text(*bound[0]).text();
    return strip(text, ends, &characters, budget_);
  }
  if (name == "split" || name == "rsplit") {
    auto const bound = bind(name, arguments, {"sep", "maxsplit"});
    std::size_t const most = limit_of(bound[1]);
    TextEnds const from = name == "split" ? TextEnds::left : TextEnds::right;
    if (!bound[0] || bound[0]->is_none()) return Value::list(texts(split(text, nullptr, most, from, budget_)));
    std::string_view const separator = need_text(*bound[0]).text();
    return Value::list(texts(split(text, &separator, most, from, budget_)));
  }
  if (name == "splitlines") {
    auto const bound = bind(name, arguments, {"keepends"});
    return Value::list(texts(split_lines(text, bound[0] && is_true(*bound[0]) ? LineEnds::kept : LineEnds::dropped, budget_)));
  }
  if (name == "partition" || name == "rpartition") {
    MarkedText const separator = one_text();
    if (separator.empty()) throw TemplateFault{"splits a text at an empty separator"};
    budget_.spend_search(all.size(), separator.size());
    bool const is_right = name == "rpartition";
    std::size_t const place = is_right ? all.rfind(separator.text()) : all.find(separator.text());
    if (place == std::string_view::npos)
      return is_right ? Value::tuple({MarkedText(), MarkedText(), text}) : Value::tuple({text, MarkedText(), MarkedText()});
    std::size_t const after = place + separator.size();
    return Value::tuple({text.part(0, place), text.part(place, after),
                         text.part(after, all.size())});  // What was found, not what was looked for: its origin may be another.
  }
  if (name == "startswith" || name == "endswith") {
    auto const bound = bind(name, arguments, {"prefix"}, 1);
    if (!arguments.named.empty()) throw TemplateFault{message({"the method ", in_quotes(name), " takes no arguments by name"})};
    auto const fits = [&](Value const& part) {
      std::string_view const affix = need_text(part).text();
      return name == "startswith" ? all.starts_with(affix) : all.ends_with(affix);
    };
    if (!bound[0]->is_sequence(SequenceKind::tuple)) return fits(*bound[0]);
    for (Value const& part : elements_of(*bound[0]))
      if (fits(part)) return true;
    return false;
  }
  if (name == "removeprefix" || name == "removesuffix") {
    MarkedText const affix = one_text();
    bool const fits = name == "removeprefix" ? all.starts_with(affix.text()) : all.ends_with(affix.text());
    if (!fits) return object;
    return name == "removeprefix" ? text.part(affix.size(), all.size()) : text.part(0, all.size() - affix.size());
  }
  if (name == "replace") {
    if (!arguments.named.empty()) throw TemplateFault{"the method \"replace\" takes no arguments by name"};
    auto const bound = bind(name, arguments, {"old", "new", "count"}, 2);
    return replace(text, need_text(*bound[0]), need_text(*bound[1]), limit_of(bound[2]), budget_);
  }
  if (name == "find" || name == "rfind" || name == "index" || name == "rindex" || name == "count") {
    MarkedText const part = one_text();
    budget_.spend_search(all.size(), part.size());
    if (name == "count") {
      if (part.empty()) return Value::number(count_code_points(all) + 1);
      std::int64_t count = 0;
      for (std::size_t place = 0; (place = all.find(part.text(), place)) != std::string_view::npos; place += part.size()) ++count;
      return count;
    }
    std::int64_t const place = place_of(name.starts_with('r') ? all.rfind(part.text()) : all.find(part.text()));
    if (place < 0 && name.ends_with("index")) throw TemplateFault{"looks for a text that is not there"};
    return place;
  }
  if (name == "join") {
    auto const bound = bind(name, arguments, {"iterable"}, 1);
    Values const values = elements_of(*bound[0]);
    for (Value const& value : values) need_text(value);
    return joined(values, text);
  }
  using Case = LetterCase;
  constexpr std::pair<std::string_view, Case> cases[] = {
      {"lower", Case::lower}, {"upper", Case::upper}, {"title", Case::title}, {"capitalize", Case::capitalized}};
  for (auto const& [word, letter_case] : cases)
    if (name == word) return bind(name, arguments, {}), change_case(text, letter_case);
  if (name == "islower" || name == "isupper")
    return bind(name, arguments, {}), has_case(object, name == "islower" ? Case::lower : Case::upper);
  if (name == "isspace" || name == "isalpha" || name == "isdigit") {
    bind(name, arguments, {});
    bool are_all = !all.empty();
    for_each_character(all, [&](char32_t c, std::size_t, std::size_t) {
      bool const is_digit = is_of_class(c, general_classes::digit);
      if (name == "isdigit" && is_of_class(c, general_classes::other_number))
        throw TemplateFault{"\"isdigit\" of a character that is a number and no digit is not supported"};
      are_all = are_all && (name == "isspace"   ? is_python_space(c)
                            : name == "isalpha" ? is_of_class(c, general_classes::letter)
                                                : is_digit);
    });
    return are_all;
  }
  throw TemplateFault{message({"the method ", in_quotes(name), " of a string is not supported"})};
}

inline TemplateValue TemplateInterpreter::call_sequence_method(TemplateSequence const& sequence, std::string_view name,
                                                               Arguments const& arguments) {
  auto const bound = bind(name, arguments, {"value"}, 1);
  std::int64_t count = 0;
  for (std::size_t i = 0; i < sequence.elements.size(); ++i) {
    if (!equal(sequence.elements[i], *bound[0], budget_)) continue;
    if (name == "index") return Value::number(i);
    ++count;
  }
  if (name == "index") throw TemplateFault{"looks for a value that is not there"};
  if (name == "count") return count;
  throw TemplateFault{message({"the method ", in_quotes(name), " of a list is not supported"})};
}

inline TemplateValue TemplateInterpreter::call_dict_method(Value const& object, std::string_view name, Arguments const& arguments) {
  TemplateDict const& dict = **object.as<Value::Dict>();
  if (name == "get") {
    if (!arguments.named.empty()) throw TemplateFault{"the method \"get\" takes no arguments by name"};
    auto const bound = bind(name, arguments, {"key", "default"}, 1);
    if (Value const* const member = find(dict, *bound[0], budget_)) return *member;
    return bound[1].value_or(Value());
  }
  if (name == "fromkeys") throw TemplateFault{"the method \"fromkeys\" of a dict is not supported"};
  bind(name, arguments, {});
  if (name == "copy") return object;
  Values elements;
  for (auto const& [key, value] : dict.members) {
    budget_.spend(TemplateBudget::element + (name == "items" ? TemplateBudget::string : 0));
    elements.push_back(name == "keys" ? key : name == "values" ? value : Value::tuple({key, value}));
  }
  return Value::sequence(name == "keys"     ? SequenceKind::keys
                         : name == "values" ? SequenceKind::values
                                            : SequenceKind::items,
                         std::move(elements));
}

inline TemplateValue TemplateInterpreter::call_loop_method(TemplateLoop& loop, std::string_view name, Arguments const& arguments) {
  if (!arguments.named.empty()) throw TemplateFault{message({"the method ", in_quotes(name), " takes no arguments by name"})};
  if (name == "cycle") {
    if (arguments.positional.empty()) throw TemplateFault{"the method \"cycle\" needs something to choose from"};
    return arguments.positional[(loop.index - 1) % arguments.positional.size()];
  }
  depth_above(arguments.positional);  // A loop that keeps itself would never go.
  bool is_same = loop.last_changed && loop.last_changed->size() == arguments.positional.size();
  for (std::size_t i = 0; is_same && i < arguments.positional.size(); ++i)
    is_same = equal((*loop.last_changed)[i], arguments.positional[i], budget_);
  loop.last_changed = arguments.positional;
  return !is_same;
}

// ---- filters --------------------------------------------------------------------------------------------------------------------------

inline TemplateValue TemplateInterpreter::filter(std::string_view name, Value const& value, Arguments const& arguments) {
  constexpr std::string_view of_safe[] = {"count", "d", "default", "length", "list", "replace", "safe", "string", "tojson"};
  if (!is_one_of(name, of_safe)) value.refuse_safe();
  if (name == "default" || name == "d") {
    auto const bound = bind(name, arguments, {"default_value", "boolean"});
    bool const is_missing = value.is_undefined() || (bound[1] && is_true(*bound[1]) && !is_true(value));
    return is_missing ? bound[0].value_or(MarkedText()) : value;
  }
  if (name == "length" || name == "count") return bind(name, arguments, {}), Value::number(length_of(value));
  if (name == "tojson") return filter_json(value, arguments);
  if (name == "map") return filter_map(value, arguments);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") return filter_select(name, value, arguments);
  if (name == "abs" || name == "int" || name == "float" || name == "round") return filter_number(name, value, arguments);
  constexpr std::string_view of_text[] = {"capitalize", "indent", "lower", "replace", "safe", "string", "title", "trim", "upper"};
  if (is_one_of(name, of_text)) return filter_text(name, value, arguments);
  if (is_one_of(name, template_filters)) return filter_elements(name, value, arguments);
  throw TemplateFault{"the filter " + in_quotes(name) + " is not supported"};
}

inline TemplateValue TemplateInterpreter::filter_text(std::string_view name, Value const& value, Arguments const& arguments) {
  if (name == "indent") return filter_indent(value, arguments);
  MarkedText const text = text_of(value);
  budget_.spend(text.size() * TemplateBudget::byte);
  if (name == "trim") {
    auto const bound = bind(name, arguments, {"chars"});
    if (!bound[0] || bound[0]->is_none()) return strip(text, TextEnds::both, nullptr, budget_);
    if (bound[0]->is_undefined() || !bound[0]->is_text())
      throw TemplateFault{"the filter \"trim\" needs a string, and is given " + describe(*bound[0])};
    std::string_view const characters = bound[0]->text().text();
    return strip(text, TextEnds::both, &characters, budget_);
  }
  if (name == "replace") {
    auto const bound = bind(name, arguments, {"old", "new", "count"}, 2);
    std::size_t count = no_limit;
    if (bound[2] && !bound[2]->is_none()) {
      auto const limit = bound[2]->integer();
      if (!limit) throw TemplateFault{"the filter \"replace\" needs a whole number, and is given " + describe(*bound[2])};
      if (*limit >= 0) count = static_cast<std::size_t>(*limit);
    }
    return detail::replace(text, text_of(*bound[0]), text_of(*bound[1]), count, budget_);
  }
  bind(name, arguments, {});
  if (name == "lower") return change_case(text, LetterCase::lower);
  if (name == "upper") return change_case(text, LetterCase::upper);
  if (name == "capitalize") return change_case(text, LetterCase::capitalized);
  if (name == "title") {  // jinja2's own: words begin after spaces, hyphens and opening brackets.
    MarkedText result;
    std::size_t begin = 0;
    auto const add_word = [&](std::size_t end) {
      if (end > begin) result.append(change_case(text.part(begin, end), LetterCase::capitalized));
      begin = end;
    };
    bool follows_separator = false;
    for_each_character(text.text(), [&](char32_t c, std::size_t place, std::size_t) {
      bool const separates = is_python_space(c) || c == U'-' || c == U'(' || c == U'{' || c == U'[' || c == U'<';
      if (separates != follows_separator) add_word(place);
      follows_separator = separates;
    });
    add_word(text.size());
    return result;
  }
  return name == "safe" ? text.as_safe() : text;  // Or `string`.
}

inline TemplateValue TemplateInterpreter::filter_indent(Value const& value, Arguments const& arguments) {
  auto const bound = bind("indent", arguments, {"width", "first", "blank"});
  if (value.is_undefined()) throw_undefined(value);
  if (!value.is_text()) throw TemplateFault{"the filter \"indent\" needs a string, and is given " + describe(value)};
  MarkedText indent("    ", TextOrigin::from_template);
  if (bound[0] && bound[0]->is_text()) {
    indent = bound[0]->text();
  } else if (bound[0]) {
    auto const width = bound[0]->integer();
    if (!width) throw TemplateFault{"the filter \"indent\" needs a number or a string, and is given " + describe(*bound[0])};
    indent = repeat(Value::text(" "), static_cast<std::size_t>(std::max<std::int64_t>(*width, 0))).text();
  }
  bool const indents_first = bound[1] && is_true(*bound[1]), indents_blank = bound[2] && is_true(*bound[2]);
  MarkedText with_end = value.text();
  with_end.append("\n", TextOrigin::from_template);
  MarkedText result;
  if (indents_first) append(result, indent);
  for (bool is_first = true; MarkedText const& line : split_lines(with_end, LineEnds::dropped, budget_)) {
    if (!is_first) result.append("\n", TextOrigin::from_template);
    if (!is_first && (indents_blank || !line.empty())) append(result, indent);
    append(result, line);
    is_first = false;
  }
  return result;
}

inline TemplateValue TemplateInterpreter::filter_number(std::string_view name, Value const& value, Arguments const& arguments) {
  if (value.is_undefined()) throw_undefined(value);
  auto const as_real = [&]() -> std::optional<double> {  // What Python's float() makes of it.
    if (value.is_number()) return value.real();
    if (!value.is_text()) return std::nullopt;
    MarkedText const stripped = strip(value.text(), TextEnds::both, nullptr, budget_);
    std::string_view text = stripped.text();
    bool const is_negative = text.starts_with('-');
    if (is_negative || text.starts_with('+')) text.remove_prefix(1);
    std::string digits;
    auto const is_digit = [&](std::size_t place) { return place < text.size() && text[place] >= '0' && text[place] <= '9'; };
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '_' && i > 0 && is_digit(i - 1) && is_digit(i + 1)) continue;
      digits += text[i];
    }
    double real = 0;
    auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
    if (digits.find('(') != std::string::npos || digits.starts_with('-') || end != digits.data() + digits.size()) return std::nullopt;
    if (error == std::errc::result_out_of_range) throw TemplateFault{"reads a number that is out of range"};
    if (error != std::errc{}) return std::nullopt;
    return is_negative ? -real : real;
  };
  if (value.is_text())
    for_each_character(value.text().text(), [](char32_t c, std::size_t, std::size_t) {
      if (c >= 0x80 && is_of_class(c, general_classes::number))
        throw TemplateFault{"reads a number in other digits than 0 to 9, which is not supported"};
    });
  if (name == "float") {
    auto const bound = bind(name, arguments, {"default"});
    if (auto const real = as_real()) return *real;
    return bound[0].value_or(Value(0.0));
  }
  if (name == "int") {
    auto const bound = bind(name, arguments, {"default", "base"});
    if (bound[1] && bound[1]->integer() != 10) throw TemplateFault{"the filter \"int\" with another base than ten is not supported"};
    if (auto const integer = value.integer()) return *integer;
    if (value.is_text()) {
      MarkedText const stripped = strip(value.text(), TextEnds::both, nullptr, budget_);
      std::string digits;
      std::string_view const text = stripped.text();
      bool is_integer = !text.empty();
      for (std::size_t i = 0; i < text.size(); ++i) {
        bool const is_digit = text[i] >= '0' && text[i] <= '9';
        bool const follows_digit = i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9';
        if (is_digit || (i == 0 && (text[i] == '-' || text[i] == '+')))
          digits += text[i];
        else if (text[i] != '_' || !follows_digit || i + 1 == text.size())
          is_integer = false;
      }
      if (digits.starts_with('+')) digits.erase(0, 1);
      std::int64_t integer = 0;
      auto const [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), integer);
      if (is_integer && error == std::errc::result_out_of_range) throw TemplateFault{"makes a whole number of more than 63 bits"};
      if (is_integer && error == std::errc{} && end == digits.data() + digits.size()) return integer;
    }
    auto const real = as_real();
    if (value.is<double>() && std::isinf(*real)) throw TemplateFault{"makes a whole number of infinity"};
    if (!real || !std::isfinite(*real)) return bound[0].value_or(Value(std::int64_t{0}));
    if (std::abs(*real) >= 9.2e18) throw TemplateFault{"makes a whole number of more than 63 bits"};
    return static_cast<std::int64_t>(*real);
  }
  if (!value.is_number()) throw TemplateFault{message({"the filter ", in_quotes(name), " needs a number, and is given ", describe(value)})};
  if (name == "abs") {
    bind(name, arguments, {});
    if (auto const integer = value.integer()) return *integer < 0 ? sign(*integer, true) : Value(*integer);
    return std::abs(value.real());
  }
  auto const bound = bind(name, arguments, {"precision", "method"});
  auto const precision = bound[0] ? bound[0]->integer() : std::optional<std::int64_t>(0);
  std::string_view const method = bound[1] && bound[1]->is_text() ? bound[1]->text().text() : bound[1] ? "" : "common";
  if (!precision || *precision < 0 || *precision > 100) throw TemplateFault{"the filter \"round\" needs a precision from 0 to 100"};
  if (method == "common") {
    if (auto const integer = value.integer()) return *integer;
    if (!std::isfinite(value.real())) return value.real();
    char buffer[512];
    std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(*precision), value.real());
    double rounded = 0;
    std::from_chars(buffer, buffer + std::string_view(buffer).size(), rounded);
    return rounded;
  }
  if (method != "ceil" && method != "floor") throw TemplateFault{"the filter \"round\" needs the method common, ceil or floor"};
  double const scale = std::pow(10.0, static_cast<double>(*precision));
  double const scaled = value.real() * scale;
  return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
}

/// The attribute at a path such as "function.name" or "0.name".
inline TemplateValue TemplateInterpreter::nested_attribute(Value value, Value const& path) {
  if (path.is_none()) return value;
  if (!path.is_text()) return item(value, path);
  for (std::string_view rest = path.text().text();;) {
    std::size_t const dot = rest.find('.');
    std::string_view const part = rest.substr(0, dot);
    std::int64_t index = 0;
    bool const is_number = !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos &&
                           std::from_chars(part.data(), part.data() + part.size(), index).ec == std::errc{};
    value = item(value, is_number ? Value(index) : Value::text(part));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

/// What a value is sorted and compared by.
inline TemplateValue TemplateInterpreter::sort_key(Value const& value, Value const* path, bool is_case_sensitive) {
  Value key = path == nullptr ? value : nested_attribute(value, *path);
  if (!is_case_sensitive && key.is_text()) return change_case(key.text(), LetterCase::lower);
  return key;
}

/// The values in the order of their keys.
inline TemplateValues TemplateInterpreter::sorted(Values values, Values const& keys, bool is_reversed) {
  budget_.spend(values.size() * TemplateBudget::element);
  auto const order = merge_order(values.size(), [&](std::size_t a, std::size_t b) {
    return is_reversed ? compare(keys[b], keys[a], budget_) < 0 : compare(keys[a], keys[b], budget_) < 0;
  });
  Values result;
  for (std::size_t const place : order) result.push_back(values[place]);
  return result;
}

inline MarkedText TemplateInterpreter::joined(Values const& values, MarkedText const& separator) {
  MarkedText result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i > 0) append(result, separator);
    values[i].is_text() ? append(result, values[i].text()) : append(result, to_text(values[i], budget_));
  }
  return result;
}

inline TemplateValue TemplateInterpreter::filter_elements(std::string_view name, Value const& value, Arguments const& arguments) {
  auto const flag = [this](std::optional<Value> const& argument) { return argument && is_true(*argument); };
  auto const path = [](std::optional<Value> const& argument) { return argument && !argument->is_none() ? &*argument : nullptr; };
  if (name == "first" || name == "last") {
    bind(name, arguments, {});
    if (name == "last" && value.is<Value::Iterator>()) throw TemplateFault{"the filter \"last\" cannot take a generator"};
    if (auto const* const iterator = value.as<Value::Iterator>()) {
      if ((*iterator)->next < (*iterator)->elements.size()) return (*iterator)->elements[(*iterator)->next++];
      return Value::undefined("there is no first item");
    }
    Values const elements = elements_of(value);
    if (elements.empty()) return Value::undefined(message({"there is no ", name, " item"}));
    return name == "first" ? elements.front() : elements.back();
  }
  if (name == "list") return bind(name, arguments, {}), Value::list(elements_of(value));
  if (name == "items") {
    bind(name, arguments, {});
    Values pairs;
    if (value.is_undefined()) return Value::iterator(std::move(pairs));
    auto const* const dict = value.as<Value::Dict>();
    if (dict == nullptr) throw TemplateFault{"the filter \"items\" needs a dict, and is given " + describe(value)};
    for (auto const& [key, member] : (*dict)->members) {
      budget_.spend(TemplateBudget::string);
      pairs.push_back(Value::tuple({key, member}));
    }
    return Value::iterator(std::move(pairs));
  }
  if (name == "reverse") {
    bind(name, arguments, {});
    if (value.is_text()) return slice(value, std::nullopt, std::nullopt, -1);
    Values elements = elements_of(value);
    std::ranges::reverse(elements);
    return value.is<Value::Iterator>() ? Value::list(std::move(elements)) : Value::iterator(std::move(elements));
  }
  if (name == "join") {
    auto const bound = bind(name, arguments, {"d", "attribute"});
    Values elements = elements_of(value);
    if (Value const* const attribute = path(bound[1]))
      for (Value& element : elements) element = nested_attribute(element, *attribute);
    return joined(elements, bound[0] ? text_of(*bound[0]) : MarkedText());
  }
  if (name == "sum") {
    auto const bound = bind(name, arguments, {"attribute", "start"});
    Value sum = bound[1].value_or(Value(std::int64_t{0}));
    if (sum.is_text()) throw TemplateFault{"the filter \"sum\" cannot add strings"};
    for (Value const& element : elements_of(value)) {
      Value const* const attribute = path(bound[0]);
      sum = arithmetic("+", std::move(sum), attribute == nullptr ? element : nested_attribute(element, *attribute));
    }
    return sum;
  }
  if (name == "dictsort") {
    auto const bound = bind(name, arguments, {"case_sensitive", "by", "reverse"});
    auto const* const dict = value.as<Value::Dict>();
    if (value.is_undefined()) throw_undefined(value);
    if (dict == nullptr) throw TemplateFault{"the filter \"dictsort\" needs a dict, and is given " + describe(value)};
    std::string_view const by = !bound[1] ? "key" : bound[1]->is_text() ? bound[1]->text().text() : "";
    if (by != "key" && by != "value") throw TemplateFault{"the filter \"dictsort\" sorts by \"key\" or \"value\""};
    Values pairs, keys;
    for (auto const& [key, member] : (*dict)->members) {
      budget_.spend(TemplateBudget::string);
      pairs.push_back(Value::tuple({key, member}));
      keys.push_back(sort_key(by == "key" ? key : member, nullptr, flag(bound[0])));
    }
    return Value::list(sorted(std::move(pairs), keys, flag(bound[2])));
  }
  if (name == "sort") {
    auto const bound = bind(name, arguments, {"reverse", "case_sensitive", "attribute"});
    Values elements = elements_of(value), keys;
    Value const* const attribute = path(bound[2]);
    for (Value const& element : elements) {
      Values parts;
      if (attribute != nullptr && attribute->is_text()) {
        std::string_view const comma = ",";
        for (MarkedText& part : split(attribute->text(), &comma, no_limit, TextEnds::left, budget_)) {
          Value const one = std::move(part);
          parts.push_back(sort_key(element, &one, flag(bound[1])));
        }
      } else {
        parts.push_back(sort_key(element, attribute, flag(bound[1])));
      }
      keys.push_back(Value::list(std::move(parts)));
    }
    return Value::list(sorted(std::move(elements), keys, flag(bound[0])));
  }
  auto const bound = bind(name, arguments, {"case_sensitive", "attribute"});  // `min`, `max`, `unique`.
  Values const elements = elements_of(value);
  Values chosen, keys;
  for (Value const& element : elements) {
    Value key = sort_key(element, path(bound[1]), flag(bound[0]));
    if (name == "unique") {
      if (!is_hashable(key)) throw TemplateFault{"the filter \"unique\" cannot compare " + describe(key)};
      if (std::ranges::any_of(keys, [&](Value const& other) { return equal(other, key, budget_); })) continue;
    } else if (!chosen.empty()) {
      bool const is_better = name == "min" ? compare(key, keys[0], budget_) < 0 : compare(key, keys[0], budget_) > 0;
      if (!is_better) continue;
      chosen.clear(), keys.clear();
    }
    chosen.push_back(element);
    keys.push_back(std::move(key));
  }
  if (name == "unique") return Value::iterator(std::move(chosen));
  return chosen.empty() ? Value::undefined("there is no item to choose") : chosen[0];
}

inline TemplateValue TemplateInterpreter::filter_map(Value const& value, Arguments const& arguments) {
  Values results;
  if (!is_true(value)) return Value::iterator({});
  if (arguments.positional.empty()) {
    auto const bound = bind("map", arguments, {"attribute", "default"}, 1);
    for (Value const& element : elements_of(value)) {
      Value result = element;
      if (bound[1] && !bound[1]->is_none() && bound[0]->is_text()) {  // What is missing on the way is the default at once.
        std::string_view const dot = ".";
        for (MarkedText& part : split(bound[0]->text(), &dot, no_limit, TextEnds::left, budget_)) {
          result = nested_attribute(result, std::move(part));
          if (result.is_undefined()) result = *bound[1];
        }
      } else {
        result = nested_attribute(result, *bound[0]);
        if (result.is_undefined() && bound[1] && !bound[1]->is_none()) result = *bound[1];
      }
      results.push_back(std::move(result));
    }
    return Value::iterator(std::move(results));
  }
  Value const& name = arguments.positional[0];
  if (!name.is_text()) throw TemplateFault{"the filter \"map\" needs the name of a filter, and is given " + describe(name)};
  Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()}, arguments.named};
  Level const level(*this);
  for (Value const& element : elements_of(value)) {
    budget_.spend(TemplateBudget::step);
    results.push_back(filter(name.text().text(), element, rest));
  }
  return Value::iterator(std::move(results));
}

inline TemplateValue TemplateInterpreter::filter_select(std::string_view name, Value const& value, Arguments const& arguments) {
  if (!is_true(value)) return Value::iterator({});
  bool const by_attribute = name.ends_with("attr"), keeps_true = name.starts_with("select");
  std::size_t const first = by_attribute ? 1 : 0;
  if (arguments.positional.size() < first)
    throw TemplateFault{message({"the filter ", in_quotes(name), " needs the name of an attribute"})};
  std::optional<std::string> test_name;
  Arguments rest;
  if (arguments.positional.size() > first) {
    Value const& given = arguments.positional[first];
    if (!given.is_text())
      throw TemplateFault{message({"the filter ", in_quotes(name), " needs the name of a test, and is given ", describe(given)})};
    test_name = given.text().text();
    rest = {{arguments.positional.begin() + static_cast<std::ptrdiff_t>(first) + 1, arguments.positional.end()}, arguments.named};
  }
  Values chosen;
  for (Value const& element : elements_of(value)) {
    budget_.spend(TemplateBudget::step);
    Value const subject = by_attribute ? nested_attribute(element, arguments.positional[0]) : element;
    if ((test_name ? test(*test_name, subject, rest) : is_true(subject)) == keeps_true) chosen.push_back(element);
  }
  return Value::iterator(std::move(chosen));
}

inline TemplateValue TemplateInterpreter::filter_json(Value const& value, Arguments const& arguments) {
  auto const bound = bind("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  TemplateWriter::JsonStyle style;
  style.is_ascii = bound[0] && is_true(*bound[0]);
  style.sorts_keys = bound[3] && is_true(*bound[3]);
  if (bound[1] && !bound[1]->is_none()) {
    style.item_separator = MarkedText(",", TextOrigin::from_template);
    if (bound[1]->is_text()) {
      style.indent = bound[1]->text();
    } else {
      auto const width = bound[1]->integer();
      if (!width) throw TemplateFault{"the filter \"tojson\" needs a number or a string as indent, and is given " + describe(*bound[1])};
      style.indent = repeat(Value::text(" "), static_cast<std::size_t>(std::max<std::int64_t>(*width, 0))).text();
    }
  }
  if (bound[2] && !bound[2]->is_none()) {
    Values const separators = elements_of(*bound[2]);
    if (separators.size() != 2 || !separators[0].is_text() || !separators[1].is_text())
      throw TemplateFault{"the filter \"tojson\" needs two strings as separators"};
    style.item_separator = separators[0].text();
    style.key_separator = separators[1].text();
  }
  TemplateWriter writer(budget_);
  writer.json(value, style);
  return std::move(writer).take();
}

// ---- tests ----------------------------------------------------------------------------------------------------------------------------

/// `str.islower` or `str.isupper`.
inline bool TemplateInterpreter::has_case(Value const& value, LetterCase letter_case) {
  bool is_there = false, are_all = true;
  MarkedText const text = text_of(value);
  for_each_character(text.text(), [&](char32_t c, std::size_t, std::size_t) {
    if (!is_cased(c)) return;
    is_there = true;
    are_all = are_all && is_of_class(c, letter_case == LetterCase::lower ? general_classes::lower : general_classes::upper);
  });
  return is_there && are_all;
}

inline bool TemplateInterpreter::test(std::string_view name, Value const& value, Arguments const& arguments) {
  constexpr std::pair<std::string_view, std::string_view> relations[] = {
      {"==", "=="}, {"eq", "=="}, {"equalto", "=="}, {"!=", "!="}, {"ne", "!="},         {"<", "<"},   {"lt", "<"},  {"lessthan", "<"},
      {"<=", "<="}, {"le", "<="}, {">", ">"},        {"gt", ">"},  {"greaterthan", ">"}, {">=", ">="}, {"ge", ">="}, {"in", "in"}};
  for (auto const& [word, relation] : relations)
    if (name == word) return is_related(relation, value, *bind(name, arguments, {"other"}, 1)[0]);
  if (name == "divisibleby") return equal(arithmetic("%", value, *bind(name, arguments, {"num"}, 1)[0]), std::int64_t{0}, budget_);
  if (name == "sameas") {
    Value const other = *bind(name, arguments, {"other"}, 1)[0];
    if (value.is<bool>() && other.is<bool>()) return *value.as<bool>() == *other.as<bool>();
    if (value.is_none() && other.is_none()) return true;
    if (value.is<bool>() || other.is<bool>() || value.is_none() || other.is_none()) return false;
    throw TemplateFault{"the test \"sameas\" is supported for true, false and none only"};
  }
  bind(name, arguments, {});
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "boolean") return value.is<bool>();
  if (name == "true") return value.is<bool>() && *value.as<bool>();
  if (name == "false") return value.is<bool>() && !*value.as<bool>();
  if (name == "integer") return value.is<std::int64_t>();
  if (name == "float") return value.is<double>();
  if (name == "number") return value.is_number();
  if (name == "string") return value.is_text();
  if (name == "mapping") return value.is<Value::Dict>();
  if (name == "odd" || name == "even") return equal(arithmetic("%", value, std::int64_t{2}), std::int64_t{name == "odd" ? 1 : 0}, budget_);
  if (name == "lower") return has_case(value, LetterCase::lower);
  if (name == "upper") return has_case(value, LetterCase::upper);
  bool const is_indexed = value.is_text() || value.is<Value::Dict>() || value.is_undefined() || value.is_sequence(SequenceKind::list) ||
                          value.is_sequence(SequenceKind::tuple) || value.is_sequence(SequenceKind::range);
  if (name == "sequence") return is_indexed;
  if (name == "iterable") return is_indexed || value.is<Value::Sequence>() || value.is<Value::Iterator>() || value.is<Value::Loop>();
  if (name == "callable")
    return value.is<TemplateFunction>() || value.is<TemplateMacro const*>() || value.is<Value::Method>() || value.is<Value::Loop>() ||
           value.is_undefined();
  throw TemplateFault{"the test " + in_quotes(name) + " is not supported"};
}

}  // namespace axiform::detail
