#include <axiform/io/json.hpp>

#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// The bytes that a text's code points, all below 256, stand for.
std::string bytes_of(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto const byte = static_cast<unsigned char>(text[i]);
    bytes += static_cast<char>(byte < 0x80 ? byte : (byte & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F));
  }
  return bytes;
}

}  // namespace

TEST_CASE("json: documents come out as they went in") {
  for (std::string text : {"null", "true", "[]", "{}", "-1", "18446744073709551615", "1.5", "\"a\\u0000b\xf0\x9f\x98\x80\"",
                           "[1,[2,{\"a\":[]}],{}]", "{\"a\":{\"b\":1},\"c\":{\"b\":2}}", "{\"\":1}"}) {
    CAPTURE(text);
    CHECK(dump_json(parse_json(text, "t")) == text);
  }
  CHECK(dump_json(parse_json(" [ 1 , 2 ] \n", "t")) == "[1,2]");
}

TEST_CASE("json: values and messages are those of nlohmann/json") {
  std::ifstream file(std::filesystem::path(AXIFORM_FIXTURES) / "io/json.jsonl");
  std::size_t right = 0, wrong = 0;
  for (std::string line; std::getline(file, line);) {
    Json const recorded = parse_json(line, "json.jsonl");
    std::string const text = bytes_of(recorded[0].get<std::string>());
    CAPTURE(recorded[0].text());
    if (recorded[1].is_string()) {
      Json const value = parse_json(text, "t");
      std::string const found = dump_json(value), expected = recorded[1].text();
      if (!value.is_number()) CHECK(found == expected);
      CHECK(parse_json(found, "t") ==
            parse_json(expected, "t"));  // Of the digits that say the same double theirs are not always the nearest.
      CHECK(found.size() <= expected.size());
      ++right;
    } else {
      std::string const expected = "t: is not valid JSON: " + detail::printable(recorded[2].text(), 300);
      std::string const found = message_of<FormatError>([&] { parse_json(text, "t"); });
      // Bytes that are not UTF-8 were recorded as U+FFFD.
      if (recorded[2].text().find("\xef\xbf\xbd") == std::string::npos) CHECK(found == expected);
      CHECK(found.substr(0, found.find(';')) == expected.substr(0, expected.find(';')));
      ++wrong;
    }
  }
  CHECK(right > 100);
  CHECK(wrong > 300);
}

TEST_CASE("json: values are made, changed and compared") {
  Json json = {{"a", 1}, {"list", {1, 2.5, "x", nullptr, true}}, {"object", {{"b", -1}}}};
  CHECK(dump_json(json) == R"({"a":1,"list":[1,2.5,"x",null,true],"object":{"b":-1}})");
  json["list"].push_back(Json::object());
  json["object"]["a"] = std::vector<int>{1, 2};
  json["new"] = std::map<std::string, std::string>{{"k", "v"}};
  json.erase("a");
  CHECK(dump_json(json) == R"({"list":[1,2.5,"x",null,true,{}],"new":{"k":"v"},"object":{"a":[1,2],"b":-1}})");
  Json const copy = json;
  json["list"][0] = 1.0;
  CHECK(copy == json);  // Numbers are equal by value.
  CHECK(Json(-1) != Json(std::numeric_limits<std::uint64_t>::max()));
  json["list"][1] = "2.5";
  CHECK(copy != json);
  CHECK(copy["list"][0] == 1);
  CHECK(copy["list"][2] == "x");
  CHECK(copy["object"]["a"].get<std::vector<int>>() == std::vector{1, 2});
  CHECK(contains(message_of<FormatError>([&] { copy.at("absent"); }), "the key \"absent\" is missing"));
  CHECK(contains(message_of<FormatError>([&] { copy["list"].at(6); }), "element 6 of an array of 6 does not exist"));
  CHECK(contains(message_of<FormatError>([&] { copy["list"].get<std::string>(); }), "found an array of 6, expected a string"));
  CHECK(contains(message_of<FormatError>([&] { copy.elements(); }), "found an object of 3 keys, expected an array"));
}

TEST_CASE("json: what is not one well-formed document is a FormatError that names the file and says where") {
  struct Case {
    std::string text, message;
  };
  std::string const deep = std::string(65, '[') + std::string(65, ']');
  for (auto const& [text, message] : std::vector<Case>{
           {"", "unexpected end of input"},
           {"{", "line 1, column 2"},
           {"[1,2", "unexpected end of input"},
           {"[1,]", "syntax error"},
           {"{\"a\" 1}", "syntax error"},
           {"1 2", "unexpected number literal"},
           {"{} x", "invalid literal"},
           {"nul", "invalid literal"},
           {"NaN", "invalid literal"},
           {"[1e999]", "number overflow"},
           {"\"\xff\"", "ill-formed UTF-8"},
           {"\"\xc0\x80\"", "ill-formed UTF-8"},
           {"\"\xed\xa0\x80\"", "ill-formed UTF-8"},
           {"\"\\ud800\"", "surrogate"},
           {"\"\x01\"", "control character"},
           {std::string("{}\0{", 4), "at byte 3: a zero byte"},
           {"[\n\n!]", "line 3, column 1"},
           {"{\"a\":1,\"a\":1}", "the key \"a\" appears twice"},
           {"{\"x\":[{\"k\":1,\"l\":2,\"k\":3}]}", "the key \"k\" appears twice"},
           {"{\"a\":1,\"\\u0061\":1}", "the key \"a\" appears twice"},
           {deep, "nest deeper than 64"},
           {std::string(1'000'000, '['), "nest deeper than 64"},
       }) {
    CAPTURE(text.substr(0, 40));
    auto const found = message_of<FormatError>([&] { parse_json(text, "the file"); });
    CHECK(found.starts_with("the file: "));
    CHECK_MESSAGE(contains(found, message), found);
    CHECK(found.size() < 1200);
  }
}

TEST_CASE("json: the limits are the caller's, and what is just within them is taken") {
  CHECK_NOTHROW(parse_json(std::string(64, '[') + std::string(64, ']'), "t"));
  CHECK_NOTHROW(parse_json("[[1]]", "t", {.depth = 2}));
  CHECK(contains(message_of<FormatError>([] { parse_json("[[[1]]]", "t", {.depth = 2}); }), "deeper than 2"));
  CHECK_NOTHROW(parse_json("[12]", "t", {.bytes = 4}));
  CHECK(contains(message_of<FormatError>([] { parse_json("[123]", "t", {.bytes = 4}); }), "has 5 bytes of JSON, expected at most 4"));
}

TEST_CASE("json: a message quotes hostile text on one line, bounded, in ASCII") {
  std::string key = "line\nbreak \x7f \xc3\xa9";
  key += std::string(1'000'000, 'x');
  Json json = Json::object();
  json[key] = "no number";
  auto const message = message_of<FormatError>([&] { require<int>(json, key, "f"); });
  CHECK(message.size() < 600);
  for (char c : message) CHECK((c >= ' ' && c <= '~'));
  CHECK(contains(message, "line\\x0abreak \\x7f \\xc3\\xa9"));
}

TEST_CASE("json: numbers are taken only where their type and range fit") {
  Json const json = parse_json(R"({"minus":-1,"half":1.5,"thousand":1e3,"byte":255,"more":256,"huge":1e300,"max":18446744073709551615,
                                   "over":18446744073709551616,"least":-9223372036854775808,"word":"7","yes":true,"none":null})",
                               "f");
  CHECK(require<std::size_t>(json, "thousand", "f") == 1000);
  CHECK(require<std::size_t>(json, "max", "f") == std::numeric_limits<std::size_t>::max());
  CHECK(require<std::int64_t>(json, "least", "f") == std::numeric_limits<std::int64_t>::min());
  CHECK(require<std::uint8_t>(json, "byte", "f") == 255);
  CHECK(require<int>(json, "minus", "f") == -1);
  CHECK(require<double>(json, "huge", "f") == 1e300);
  CHECK(require<float>(json, "half", "f") == 1.5f);
  CHECK(require<float>(json, "minus", "f") == -1.0f);
  CHECK(require<bool>(json, "yes", "f"));
  CHECK(require<std::string>(json, "word", "f") == "7");
  CHECK(message_of<FormatError>([&] { require<std::size_t>(json, "minus", "f"); }) ==
        "f: minus: found the number -1, expected an integer from 0 to 18446744073709551615");
  CHECK(message_of<FormatError>([&] { require<std::size_t>(json, "half", "f"); }) ==
        "f: half: found the number 1.5, expected an integer from 0 to 18446744073709551615");
  CHECK(contains(message_of<FormatError>([&] { require<std::uint8_t>(json, "more", "f"); }), "from 0 to 255"));
  CHECK(contains(message_of<FormatError>([&] { require<int>(json, "max", "f"); }), "18446744073709551615"));
  CHECK(contains(message_of<FormatError>([&] { require<std::size_t>(json, "over", "f"); }), "over: found the number 18446744"));
  CHECK(contains(message_of<FormatError>([&] { require<float>(json, "huge", "f"); }), "within the range of float"));
  CHECK(contains(message_of<FormatError>([&] { require<int>(json, "word", "f"); }), "found the string \"7\""));
  CHECK(contains(message_of<FormatError>([&] { require<int>(json, "yes", "f"); }), "found true"));
  CHECK(contains(message_of<FormatError>([&] { require<bool>(json, "byte", "f"); }), "expected true or false"));
  CHECK(contains(message_of<FormatError>([&] { require<double>(json, "none", "f"); }), "found null, expected a number"));
}

TEST_CASE("json: a key that is absent or null has its default where there is one, and is named where there is none") {
  Json const json = parse_json(R"({"a":1,"n":null,"list":[1,2,3],"names":["x","y"],"object":{"b":2}})", "f");
  CHECK(get_or<int>(json, "a", 5, "f") == 1);
  CHECK(get_or<int>(json, "z", 5, "f") == 5);
  CHECK(get_or<int>(json, "n", 5, "f") == 5);
  CHECK_FALSE(get_optional<std::string>(json, "n", "f").has_value());
  CHECK(get_optional<std::string>(json["object"], "c", "f") == std::nullopt);
  CHECK(require<std::vector<std::size_t>>(json, "list", "f") == std::vector<std::size_t>{1, 2, 3});
  CHECK(require<std::vector<std::string>>(json, "names", "f") == std::vector<std::string>{"x", "y"});
  CHECK(require<int>(require_object(json, "object", "f"), "b", "f") == 2);
  CHECK(require_array(json, "list", "f").size() == 3);
  CHECK(message_of<FormatError>([&] { require<int>(json, "z", "f"); }) == "f: the key \"z\" is missing");
  CHECK(contains(message_of<FormatError>([&] { require<std::vector<int>>(json, "names", "f"); }), "names[0]: found the string \"x\""));
  CHECK(contains(message_of<FormatError>([&] { require<std::vector<int>>(json, "a", "f"); }), "expected an array"));
  CHECK(contains(message_of<FormatError>([&] { require_object(json, "list", "f"); }), "found an array of 3, expected an object"));
  CHECK(contains(message_of<FormatError>([&] { require_array(json, "object", "f"); }), "expected an array"));
  CHECK(contains(message_of<FormatError>([&] { require<int>(json["list"], "k", "f"); }),
                 "found an array of 3, expected an object with the key"));
}

TEST_CASE("json: a file is read, and its path is in every message") {
  TemporaryDirectory directory;
  write_bytes(directory / "a.json", "{\"a\": [1, 2]}");
  CHECK(read_json(directory / "a.json")["a"][1] == 2);
  write_bytes(directory / "b.json", "{\"a\": [1, 2}");
  CHECK(message_of<FormatError>([&] {
          read_json(directory / "b.json");
        }).starts_with((directory / "b.json").string() + ": is not valid JSON: at line 1"));
  CHECK(contains(message_of<FileError>([&] { read_json(directory / "c.json"); }), "c.json: cannot be opened"));
}

TEST_CASE("json: writing replaces what is not UTF-8 and never throws") {
  Json json = {{"a", "x\xffy"}, {"b", {1, 2.5}}};
  CHECK(dump_json(json) == "{\"a\":\"x\xef\xbf\xbdy\",\"b\":[1,2.5]}");
  CHECK(dump_json(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(contains(dump_json(json, 2), "\n  \"b\""));
}
