/// @file
/// Pickles as data: a machine that understands the few opcodes of protocol 2 that tables of tensors are written with, and runs nothing.
///
///     constexpr std::array<std::string_view, 1> names{"torch.FloatStorage"};
///     auto const pickle = Pickle::read(bytes, names, "data.pkl");
///     for (auto const& [key, value] : pickle.dict(pickle.root())) std::cout << pickle.text(key) << "\n";
///
/// Where Python would call a function, the result here is a `PickleKind::call`: which function, and its arguments, for the reader to
/// understand or to refuse. Names of functions and classes that the reader did not list are refused, as is every other opcode.
/// Source: CPython's Lib/pickletools.py.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>

namespace axiform {

/// What a value of a pickle is.
enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,
  real,
  text,        ///< A string; its bytes stay in the pickle.
  tuple,       ///< Values that nothing can be added to.
  list,        ///< Values.
  dict,        ///< Pairs of values; also an OrderedDict.
  global,      ///< A function or class, by its number in the list of known ones.
  call,        ///< What a call of a global would give.
  persistent,  ///< What the program that wrote the pickle keeps beside it, by a tuple that says which.
};

/// A value of a pickle. What it refers to is in the `Pickle` that gave it.
struct PickleValue {
  PickleKind kind = PickleKind::none;  ///< What it is.
  std::int64_t number = 0;             ///< Of a boolean or an integer; of a global, its place in the list of known ones.
  std::uint32_t first = 0;             ///< Where the bytes or the values are that it refers to.
  std::uint32_t count = 0;             ///< How many.
};

/// A call that a pickle asks for.
struct PickleCall {
  std::size_t global = 0;   ///< Of what: its place in the list of known ones.
  PickleValue arguments{};  ///< A tuple.
};

/// A pickle that has been read. It refers to the bytes that it was read from.
class Pickle {
 public:
  /// A key and its value.
  using Item = std::pair<PickleValue, PickleValue>;

  /// Reads the pickle at the front of `bytes`, in time and memory proportional to its length.
  /// @param globals Names that it may mention, as "module.name". `collections.OrderedDict` is always known, and is a dict.
  /// @param where What messages begin with.
  /// @throws FormatError, with the place of the byte, when the pickle is malformed or too large; CheckpointError, by name, for an opcode or a
  ///         global that is not known.
  static Pickle read(std::string_view bytes, std::span<std::string_view const> globals, std::string const& where);

  PickleValue root() const noexcept { return root_; }       ///< What was pickled.
  std::size_t bytes() const noexcept { return position_; }  ///< How long the pickle is: where the next one may begin.

  /// All persistent ids, in the order in which they were met.
  std::span<PickleValue const> persistent_ids() const noexcept { return persistent_; }

  /// The bytes of a text, the values of a tuple, a persistent id or a list, the items of a dict, a call: each empty for a value of another
  /// kind.
  std::string_view text(PickleValue const& value) const noexcept;
  std::span<PickleValue const> values(PickleValue const& value) const noexcept;  ///< See `text`.
  std::span<Item const> dict(PickleValue const& value) const noexcept;           ///< See `text`.
  PickleCall call(PickleValue const& value) const noexcept;                      ///< See `text`.

  /// A value as messages say it: `the text "abc"`, `a dict`.
  std::string describe(PickleValue const& value) const;

 private:
  Pickle(std::string_view bytes, std::span<std::string_view const> globals, std::string const& where)
      : bytes_(bytes), globals_(globals), where_(where) {}

  void run();
  bool step(unsigned char opcode);
  void read_global();
  void reduce();
  void build();
  void add_items(std::size_t count);
  void add_values(std::size_t count);

  [[noreturn]] void refuse(std::string const& what) const;
  std::string_view take(std::size_t size);
  std::string_view take_line();
  std::uint64_t take_number(std::size_t size);
  void push(PickleValue const& value);
  void push_integer(std::int64_t value) { push({.kind = PickleKind::integer, .number = value}); }
  void push_text(std::string_view text);
  void push_tuple(std::size_t count);
  void push_container(PickleKind kind, std::size_t index) { push({.kind = kind, .first = static_cast<std::uint32_t>(index)}); }
  PickleValue pop();
  PickleValue& top();
  std::size_t since_mark() const noexcept { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  std::size_t pop_mark();
  void remember(std::uint64_t index);
  void recall(std::uint64_t index);

  std::string_view bytes_;
  std::span<std::string_view const> globals_;
  std::string where_;
  std::size_t position_ = 0;
  std::size_t opcode_at_ = 0;  // Where the opcode is that is being run.
  std::size_t steps_ = 0;
  PickleValue root_;
  std::vector<PickleValue> stack_;
  std::vector<std::size_t> marks_;  // How high the stack was.
  std::vector<PickleValue> memo_;
  std::vector<PickleValue> tuples_;  // The values of all tuples, one tuple after another.
  std::vector<std::vector<PickleValue>> lists_;
  std::vector<std::vector<Item>> dicts_;
  std::vector<PickleCall> calls_;
  std::vector<PickleValue> persistent_;
};

// ---------------------------------------------------------------------------------------------------------------------

namespace detail {

inline constexpr std::size_t largest_pickle = std::size_t{1} << 25;          // A tensor takes about 150 bytes, and the longest name.
inline constexpr std::size_t most_pickle_steps = std::size_t{1} << 21;       // A tensor takes about 40; a step at most 100 bytes of memory.
inline constexpr std::string_view ordered_dict = "collections.OrderedDict";  // Its number is that behind the known globals.

}  // namespace detail

inline Pickle Pickle::read(std::string_view bytes, std::span<std::string_view const> globals, std::string const& where) {
  Pickle pickle(bytes.substr(0, detail::largest_pickle), globals, where);
  pickle.run();
  return pickle;
}

inline std::string_view Pickle::text(PickleValue const& value) const noexcept {
  return value.kind == PickleKind::text ? bytes_.substr(value.first, value.count) : std::string_view();
}

inline std::span<PickleValue const> Pickle::values(PickleValue const& value) const noexcept {
  if (value.kind == PickleKind::list) return lists_[value.first];
  if (value.kind == PickleKind::tuple || value.kind == PickleKind::persistent) return std::span(tuples_).subspan(value.first, value.count);
  return {};
}

inline std::span<Pickle::Item const> Pickle::dict(PickleValue const& value) const noexcept {
  if (value.kind == PickleKind::dict) return dicts_[value.first];
  return {};
}

inline PickleCall Pickle::call(PickleValue const& value) const noexcept {
  return value.kind == PickleKind::call ? calls_[value.first] : PickleCall{globals_.size(), {}};
}

inline std::string Pickle::describe(PickleValue const& value) const {
  auto const global_name = [&](std::size_t index) { return index < globals_.size() ? globals_[index] : detail::ordered_dict; };
  switch (value.kind) {
    case PickleKind::none: return "None";
    case PickleKind::boolean: return value.number ? "True" : "False";
    case PickleKind::integer: return "the number " + std::to_string(value.number);
    case PickleKind::real: return "a number with a fraction";
    case PickleKind::text: return "the text " + detail::in_quotes(text(value));
    case PickleKind::tuple: return detail::message({"a tuple of ", values(value).size()});
    case PickleKind::list: return detail::message({"a list of ", values(value).size()});
    case PickleKind::dict: return detail::message({"a dict of ", dict(value).size()});
    case PickleKind::global: return detail::message({"the name ", global_name(static_cast<std::size_t>(value.number))});
    case PickleKind::call: return detail::message({"the result of ", global_name(call(value).global)});
    case PickleKind::persistent: return "a storage";
  }
  return {};
}

inline void Pickle::refuse(std::string const& what) const {
  throw FormatError(detail::message({where_, ": byte ", opcode_at_, ": ", what}));
}

inline std::string_view Pickle::take(std::size_t size) {
  if (size > bytes_.size() - position_)
    refuse(bytes_.size() == detail::largest_pickle
               ? detail::message({"the pickle goes on, expected at most ", detail::largest_pickle, " bytes"})
               : "the pickle ends in the middle (is the file truncated?)");
  std::string_view const result = bytes_.substr(position_, size);
  position_ += size;
  return result;
}

inline std::string_view Pickle::take_line() {
  std::size_t const length = bytes_.substr(position_, 256).find('\n');
  if (length == bytes_.npos) refuse("found no end of a name within 256 bytes");
  std::string_view const line = take(length);
  take(1);
  return line;
}

/// Little-endian.
inline std::uint64_t Pickle::take_number(std::size_t size) {
  std::string_view const bytes = take(size);
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

inline void Pickle::push(PickleValue const& value) { stack_.push_back(value); }

inline void Pickle::push_text(std::string_view text) {
  push({.kind = PickleKind::text,
        .first = static_cast<std::uint32_t>(text.data() - bytes_.data()),
        .count = static_cast<std::uint32_t>(text.size())});
}

/// Of the uppermost values.
inline void Pickle::push_tuple(std::size_t count) {
  if (since_mark() < count) refuse("found too few values on the stack for a tuple");
  PickleValue const tuple{
      .kind = PickleKind::tuple, .first = static_cast<std::uint32_t>(tuples_.size()), .count = static_cast<std::uint32_t>(count)};
  tuples_.insert(tuples_.end(), stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  push(tuple);
}

inline PickleValue& Pickle::top() {
  if (since_mark() == 0) refuse("found no value on the stack");
  return stack_.back();
}

inline PickleValue Pickle::pop() {
  PickleValue const value = top();
  stack_.pop_back();
  return value;
}

/// @return How many values stand above the mark.
inline std::size_t Pickle::pop_mark() {
  if (marks_.empty()) refuse("found no mark on the stack");
  std::size_t const count = since_mark();
  marks_.pop_back();
  return count;
}

/// Python numbers what it remembers from 0 on (Python 2 from 1 on), without a gap.
inline void Pickle::remember(std::uint64_t index) {
  std::size_t const next = std::max<std::size_t>(memo_.size(), 1);
  if (index > next) refuse(detail::message({"found the memo number ", index, ", expected at most ", next}));
  PickleValue const value = top();
  if (index >= memo_.size()) memo_.resize(index + 1);
  memo_[index] = value;
}

inline void Pickle::recall(std::uint64_t index) {
  if (index >= memo_.size()) refuse(detail::message({"found the memo number ", index, ", of ", memo_.size(), " that there are"}));
  push(memo_[index]);
}

inline void Pickle::read_global() {
  std::string_view const module = take_line(), name = take_line();
  std::string const full = detail::message({module, ".", name});
  std::size_t index = 0;
  while (index < globals_.size() && globals_[index] != full) ++index;
  if (index == globals_.size() && full != detail::ordered_dict)
    throw CheckpointError(detail::message({where_, ": byte ", opcode_at_, ": found the global ", detail::printable(full),
                                           ", which is not one of those that tensors need; no code of a file is run"}));
  push({.kind = PickleKind::global, .number = static_cast<std::int64_t>(index)});
}

inline void Pickle::reduce() {
  PickleValue const arguments = pop(), function = pop();
  if (function.kind != PickleKind::global) refuse(detail::message({"found a call of ", describe(function), ", expected a global"}));
  if (arguments.kind != PickleKind::tuple) refuse(detail::message({"found a call with ", describe(arguments), ", expected a tuple"}));
  auto const global = static_cast<std::size_t>(function.number);
  if (global < globals_.size()) {
    calls_.push_back({global, arguments});
    return push_container(PickleKind::call, calls_.size() - 1);
  }
  std::vector<Item> items;
  if (arguments.count != 0) {  // Python 2 hands over a list of its items.
    PickleValue const list = values(arguments)[0];
    if (arguments.count != 1 || list.kind != PickleKind::list)
      refuse(detail::message({"found an OrderedDict of ", describe(arguments), ", expected one of nothing or of a list of items"}));
    for (PickleValue const& item : values(list)) {
      if (values(item).size() != 2) refuse(detail::message({"found ", describe(item), " in a list of the items of an OrderedDict"}));
      items.emplace_back(values(item)[0], values(item)[1]);
    }
    steps_ += items.size();  // The list may be there for the next one too.
  }
  dicts_.push_back(std::move(items));
  push_container(PickleKind::dict, dicts_.size() - 1);
}

/// Attributes of an OrderedDict (a state dict's `_metadata`) are dropped; nothing else here has any.
inline void Pickle::build() {
  PickleValue const state = pop();
  if (state.kind != PickleKind::dict || top().kind != PickleKind::dict)
    refuse(detail::message({"found ", describe(state), " as the attributes of ", describe(top()), ", expected those of a dict"}));
}

inline void Pickle::add_items(std::size_t count) {
  if (count % 2 != 0) refuse("found a key without a value");
  if (since_mark() < count + 1) refuse("found too few values on the stack for the items of a dict");
  auto const items = stack_.end() - static_cast<std::ptrdiff_t>(count);
  PickleValue const& target = *(items - 1);
  if (target.kind != PickleKind::dict) refuse(detail::message({"found items for ", describe(target), ", expected a dict"}));
  for (auto item = items; item != stack_.end(); item += 2) dicts_[target.first].emplace_back(item[0], item[1]);
  stack_.resize(stack_.size() - count);
}

inline void Pickle::add_values(std::size_t count) {
  if (since_mark() < count + 1) refuse("found too few values on the stack for those of a list");
  auto const values = stack_.end() - static_cast<std::ptrdiff_t>(count);
  PickleValue const& target = *(values - 1);
  if (target.kind != PickleKind::list) refuse(detail::message({"found values for ", describe(target), ", expected a list"}));
  auto& list = lists_[target.first];
  list.insert(list.end(), values, stack_.end());
  stack_.resize(stack_.size() - count);
}

inline void Pickle::run() {
  if (bytes_.substr(0, 1) != "\x80") refuse("found no protocol, expected a pickle of protocol 2");
  do {
    if (++steps_ > detail::most_pickle_steps) refuse(detail::message({"found more than ", detail::most_pickle_steps, " opcodes"}));
    opcode_at_ = position_;
  } while (step(static_cast<unsigned char>(take(1).front())));
  root_ = pop();
  if (!stack_.empty() || !marks_.empty()) refuse(detail::message({"found ", stack_.size(), " values left on the stack, expected none"}));
  stack_ = {};
  memo_ = {};
}

/// @return Whether the pickle goes on.
inline bool Pickle::step(unsigned char opcode) {
  switch (opcode) {
    case 0x80:  // PROTO
      if (std::uint64_t const protocol = take_number(1); protocol != 2)
        throw CheckpointError(detail::message({where_, ": found a pickle of protocol ", protocol, ", expected 2 (torch.save's own choice)"}));
      break;
    case '.': return false;                                                                               // STOP
    case '(': marks_.push_back(stack_.size()); break;                                                      // MARK
    case 'N': push({}); break;                                                                             // NONE
    case 0x88: push({.kind = PickleKind::boolean, .number = 1}); break;                                    // NEWTRUE
    case 0x89: push({.kind = PickleKind::boolean, .number = 0}); break;                                    // NEWFALSE
    case 'K': push_integer(static_cast<std::int64_t>(take_number(1))); break;                              // BININT1
    case 'M': push_integer(static_cast<std::int64_t>(take_number(2))); break;                              // BININT2
    case 'J': push_integer(static_cast<std::int32_t>(static_cast<std::uint32_t>(take_number(4)))); break;  // BININT
    case 0x8a: {                                                                                           // LONG1
      std::size_t const size = take_number(1);
      if (size > 8) refuse(detail::message({"found a number of ", size, " bytes, expected at most 8"}));
      std::uint64_t number = take_number(size);
      if (size > 0 && size < 8 && number >> (8 * size - 1) != 0) number |= ~std::uint64_t{0} << 8 * size;
      push_integer(static_cast<std::int64_t>(number));
      break;
    }
    case 'G':  // BINFLOAT
      take(8);
      push({.kind = PickleKind::real});
      break;
    case 'X': push_text(take(take_number(4))); break;  // BINUNICODE
    case 'U': push_text(take(take_number(1))); break;  // SHORT_BINSTRING, of Python 2
    case ')': push_tuple(0); break;                    // EMPTY_TUPLE
    case 0x85: push_tuple(1); break;                   // TUPLE1
    case 0x86: push_tuple(2); break;                   // TUPLE2
    case 0x87: push_tuple(3); break;                   // TUPLE3
    case 't': push_tuple(pop_mark()); break;     // TUPLE
    case ']':                                          // EMPTY_LIST
      lists_.emplace_back();
      push_container(PickleKind::list, lists_.size() - 1);
      break;
    case '}':  // EMPTY_DICT
      dicts_.emplace_back();
      push_container(PickleKind::dict, dicts_.size() - 1);
      break;
    case 'a': add_values(1); break;           // APPEND
    case 'e': add_values(pop_mark()); break;  // APPENDS
    case 's': add_items(2); break;            // SETITEM
    case 'u': add_items(pop_mark()); break;   // SETITEMS
    case 'q': remember(take_number(1)); break;  // BINPUT
    case 'r': remember(take_number(4)); break;  // LONG_BINPUT
    case 'h': recall(take_number(1)); break;    // BINGET
    case 'j': recall(take_number(4)); break;    // LONG_BINGET
    case 'c': read_global(); break;             // GLOBAL
    case 'R': reduce(); break;                  // REDUCE
    case 'b': build(); break;                   // BUILD
    case 'Q': {                                 // BINPERSID
      PickleValue id = pop();
      if (id.kind != PickleKind::tuple) refuse(detail::message({"found ", describe(id), " as a persistent id, expected a tuple"}));
      id.kind = PickleKind::persistent;
      persistent_.push_back(id);
      push(id);
      break;
    }
    default:
      throw CheckpointError(
          detail::message({where_, ": byte ", opcode_at_, ": found the opcode ", detail::in_quotes(bytes_.substr(opcode_at_, 1)),
                           ", which is not one of those that tensors need"}));
  }
  return true;
}

}  // namespace axiform
