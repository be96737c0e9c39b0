#include <axiform/io/pickle.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;
using namespace std::string_literals;

namespace {

constexpr std::array<std::string_view, 2> globals{"torch.FloatStorage", "torch._utils._rebuild"};

Pickle read(std::string const& bytes) { return Pickle::read(bytes, globals, "p"); }

/// A pickle of protocol 2 with these opcodes.
std::string pickle(std::string const& opcodes) { return "\x80\x02" + opcodes + "."; }

}  // namespace

TEST_CASE("pickle: numbers, texts, tuples, lists and dicts come out") {
  std::string const bytes = pickle(
      "}q\0"s                                        // A dict, remembered as 0,
      "(X\3\0\0\0one" "K\1"                         // one: 1
      "U\3two" "M\xe8\x03"                          // two: 1000, the key as Python 2 writes it
      "X\5\0\0\0three" "J\xff\xff\xff\xff"          // three: -1
      "X\4\0\0\0long" "\x8a\5\0\0\0\0\1"            // long: 2^32
      "X\3\0\0\0neg" "\x8a\1\x80"                   // neg: -128
      "X\4\0\0\0real" "G\x3f\xf8\0\0\0\0\0\0"       // real: 1.5
      "X\4\0\0\0list" "](N\x88\x89" "e"             // list: [None, True, False]
      "X\5\0\0\0tuple" "(K\1K\2\x86K\3t"            // tuple: ((1, 2), 3)
      "X\4\0\0\0self" "h\0" "u"s);                  // self: the dict itself
  Pickle const p = read(bytes);
  auto const items = p.dict(p.root());
  REQUIRE(items.size() == 9);
  CHECK(p.text(items[0].first) == "one");
  CHECK(p.text(items[1].first) == "two");
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < 5; ++i) numbers.push_back(items[i].second.number);
  CHECK(numbers == std::vector<std::int64_t>{1, 1000, -1, std::int64_t{1} << 32, -128});
  CHECK(items[5].second.kind == PickleKind::real);
  CHECK(p.values(items[6].second).size() == 3);
  CHECK(p.values(items[6].second)[1].number == 1);
  CHECK(p.values(p.values(items[7].second)[0])[1].number == 2);
  CHECK(p.dict(items[8].second).data() == items.data());
  CHECK(p.bytes() == bytes.size());
}

TEST_CASE("pickle: a call is written down and not made, and attributes of a dict are dropped") {
  std::string const bytes = pickle("ccollections\nOrderedDict\n)RX\1\0\0\0k"s + "ctorch._utils\n_rebuild\n" + "ctorch\nFloatStorage\n\x85QK\7\x86Rs" +
                                   "}X\4\0\0\0attrK\1sb"s);
  Pickle const p = read(bytes);
  REQUIRE(p.dict(p.root()).size() == 1);
  auto const value = p.dict(p.root())[0].second;
  REQUIRE(value.kind == PickleKind::call);
  CHECK(p.call(value).global == 1);
  auto const arguments = p.values(p.call(value).arguments);
  REQUIRE(arguments.size() == 2);
  CHECK(arguments[0].kind == PickleKind::persistent);
  CHECK(p.values(arguments[0])[0].number == 0);
  CHECK(p.persistent_ids().size() == 1);
  CHECK(p.describe(value) == "the result of torch._utils._rebuild");
}

TEST_CASE("pickle: Python 2 counts what it remembers from 1 on, and makes an OrderedDict of a list of items") {
  std::string const bytes = pickle("ccollections\nOrderedDict\nq\1](](U\1aq\2K\1e](U\1bh\2ee\x85Rq\3}U\4attrh\3sb"s);
  Pickle const p = read(bytes);
  auto const items = p.dict(p.root());
  REQUIRE(items.size() == 2);
  CHECK(p.text(items[0].first) == "a");
  CHECK(items[0].second.number == 1);
  CHECK(p.text(items[1].first) == "b");
  CHECK(p.text(items[1].second) == "a");
}

TEST_CASE("pickle: globals and opcodes that tensors do not need are refused by name and place") {
  struct Case {
    std::string opcodes, message;
  };
  for (auto const& [opcodes, message] : std::vector<Case>{
           {"cos\nsystem\nX\2\0\0\0ls\x85R"s, "p: byte 2: found the global os.system, which is not one of those"},
           {"Ncposix\nsystem\n", "byte 3: found the global posix.system"},
           {"cbuiltins\neval\n", "builtins.eval"},
           {"c__builtin__\ngetattr\n", "__builtin__.getattr"},
           {"ctorch\nFloatStorage.__class__\n", "torch.FloatStorage.__class__"},
           {"ctorch._utils\n_rebuild_v9\n", "torch._utils._rebuild_v9"},
           {"cos\n\xffx\n", "os.\\xffx"},
           {"(ios\nsystem\n", "byte 3: found the opcode \"i\""},                      // INST
           {"(cos\nsystem\no", "os.system"},                                          // OBJ
           {"X\2\0\0\0osX\6\0\0\0system\x93"s, "the opcode \"\\x93\""},               // STACK_GLOBAL
           {"N\x81", "the opcode \"\\x81\""},                                         // NEWOBJ
           {"\x82\1", "the opcode \"\\x82\""},                                        // EXT1
           {"P1\n", "the opcode \"P\""},                                              // PERSID
           {"V1\n", "the opcode \"V\""},                                              // UNICODE, of protocol 0
           {"N0", "the opcode \"0\""},                                                // POP
           {"N2", "the opcode \"2\""},                                                // DUP
           {"\x94", "the opcode \"\\x94\""},                                          // MEMOIZE
           {"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", "the opcode \"\\x8e\""},          // BINBYTES8
           {"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "the opcode \"\\x95\""},          // FRAME
       }) {
    CAPTURE(message);
    auto const found = message_of<CheckpointError>([&] { read(pickle(opcodes)); });
    CHECK_MESSAGE(contains(found, message), found);
  }
  CHECK(contains(message_of<CheckpointError>([] { read("\x80\x04N."); }), "found a pickle of protocol 4, expected 2"));
}

TEST_CASE("pickle: malformed and hostile pickles are refused, whatever they say of their sizes") {
  struct Case {
    std::string bytes, message;
  };
  std::string const nested = pickle(std::string(1'000'000, '(') + std::string(900'000, 't'));
  std::string const deep = pickle("N" + std::string(1'000'000, '\x85'));
  std::string items, dicts;  // A long list of items, of which many dicts are made.
  for (int i = 0; i < 10'000; ++i) items += "NN\x86", dicts += "ccollections\nOrderedDict\nh\0\x85R"s;
  for (auto const& [bytes, message] : std::vector<Case>{
           {"", "found no protocol"},
           {"N.", "found no protocol"},
           {"\x80", "byte 0: the pickle ends in the middle"},
           {"\x80\x02", "the pickle ends in the middle"},
           {"\x80\x02N", "the pickle ends in the middle"},
           {pickle(""), "found no value on the stack"},
           {pickle("NN"), "found 1 values left on the stack"},
           {pickle("(N"), "expected none"},
           {pickle("X\xff\xff\xff\xff"), "the pickle ends in the middle"},
           {pickle("U\xff"), "the pickle ends in the middle"},
           {pickle("\x8a\xff"), "found a number of 255 bytes, expected at most 8"},
           {pickle("Nr\xff\xff\xff\xff"), "byte 3: found the memo number 4294967295, expected at most 1"},
           {pickle("Nr\0\0\0\x40"s), "found the memo number 1073741824"},
           {pickle("h\0"s), "found the memo number 0, of 0 that there are"},
           {pickle("j\xff\xff\xff\xff"), "found the memo number 4294967295, of 0"},
           {pickle("q\0"s), "found no value on the stack"},
           {pickle("N(q\0"s), "found no value on the stack"},
           {pickle("\x85"), "too few values on the stack for a tuple"},
           {pickle("N(N\x86"), "too few values on the stack for a tuple"},
           {pickle("t"), "found no mark"},
           {pickle("e"), "found no mark"},
           {pickle("(e"), "too few values"},
           {pickle("u"), "found no mark"},
           {pickle("}(NNNu"), "found a key without a value"},
           {pickle("N(NNu"), "found items for None, expected a dict"},
           {pickle("]NNs"), "found items for a list of 0, expected a dict"},
           {pickle("}Na"), "found values for a dict of 0, expected a list"},
           {pickle("N)R"), "found a call of None, expected a global"},
           {pickle("ctorch\nFloatStorage\nNR"), "found a call with None, expected a tuple"},
           {pickle("ccollections\nOrderedDict\nK\1\x85R"), "found an OrderedDict of a tuple of 1, expected one of nothing or of a list of items"},
           {pickle("ccollections\nOrderedDict\n]]\x86R"), "found an OrderedDict of a tuple of 2"},
           {pickle("ccollections\nOrderedDict\n](NNe\x85R"), "found None in a list of the items of an OrderedDict"},
           {pickle("](" + items + "eq\0("s + dicts + "t"), "found more than 2097152 opcodes"},
           {pickle("NQ"), "found None as a persistent id, expected a tuple"},
           {pickle("]}b"), "found a dict of 0 as the attributes of a list of 0"},
           {pickle("}Nb"), "found None as the attributes of a dict of 0"},
           {pickle("c" + std::string(300, 'x') + "\ny\n"), "found no end of a name within 256 bytes"},
           {pickle("cos"), "found no end of a name"},
           {nested, "left on the stack, expected none"},
           {pickle(std::string(3'000'000, '}')), "found more than 2097152 opcodes"},
           {pickle(std::string(3'000'000, '(')), "found more than 2097152 opcodes"},
       }) {
    CAPTURE(message);
    auto const found = message_of<FormatError>([&] { read(bytes); });
    CHECK_MESSAGE(contains(found, message), found);
    CHECK(found.size() < 500);
  }
  CHECK(read(deep).root().count == 1);  // No recursion anywhere: depth is no danger.
}
