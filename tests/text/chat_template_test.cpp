// Chat templates against what transformers makes of them: tests/fixtures/text/chat/make_chat_templates.py. Then whose text is whose, what is refused, and
// templates that mean harm.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <axiform/io/json.hpp>
#include <axiform/text/chat_template.hpp>

#include "text/text_test.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

std::filesystem::path const chat_fixtures = fixtures / "chat";

Json const& given() {
  static Json const json = read_json(chat_fixtures / "conversations.json");
  return json;
}

std::vector<ChatMessage> conversation(std::string const& name) {
  std::vector<ChatMessage> messages;
  for (Json const& message : given()["conversations"][name].elements())
    messages.push_back({message["role"].get<std::string>(), message["content"].get<std::string>()});
  return messages;
}

std::string source_of(std::string const& name) { return read_bytes(chat_fixtures / "templates" / (name + ".jinja")); }

std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(chat_fixtures / "templates")) names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

/// 16:05:09 on Friday, the seventh of March 2025: the time of the fixtures.
std::tm const recorded_time = [] {
  std::tm time{};
  time.tm_year = 125, time.tm_mon = 2, time.tm_mday = 7, time.tm_hour = 16, time.tm_min = 5, time.tm_sec = 9, time.tm_wday = 5,
  time.tm_yday = 65;
  return time;
}();

/// The text; or an object with the words that the template raised, or null for any other error, as the fixtures have it.
Json outcome(std::string const& source, std::vector<ChatMessage> const& messages, ChatTemplateOptions const& options) {
  try {
    return ChatTemplate::parse(source).apply(messages, options);
  } catch (ArgumentError const& error) {
    return Json{{"raised", std::string(error.what())}};
  } catch (FormatError const&) {
    return nullptr;
  }
}

std::string rendered(std::string const& source, std::vector<ChatMessage> const& messages = {{"user", "Hi"}},
                     ChatTemplateOptions const& options = {}) {
  return ChatTemplate::parse(source).apply(messages, options);
}

std::string parse_refusal(std::string const& source) {
  return message_of<FormatError>([&] { ChatTemplate::parse(source); });
}
std::string run_refusal(std::string const& source) {
  return message_of<FormatError>([&] { rendered(source); });
}

/// The pieces with brackets round those of messages.
std::string marked(std::vector<ChatPiece> const& pieces) {
  std::string result;
  for (ChatPiece const& piece : pieces) result += piece.from_message ? "[" + piece.text + "]" : piece.text;
  return result;
}
std::string marked(std::string const& source, std::vector<ChatMessage> const& messages, ChatTemplateOptions const& options = {}) {
  return marked(ChatTemplate::parse(source).pieces(messages, options));
}

}  // namespace

TEST_CASE("chat templates: those of models give the text of transformers, for any conversation") {
  std::size_t texts = 0, raised = 0, failed = 0;
  for (Json const& recorded : json_lines("chat/rendered.jsonl")) {
    auto const name = recorded["template"].get<std::string>(), talk = recorded["conversation"].get<std::string>();
    CAPTURE(name);
    CAPTURE(talk);
    ChatTemplateOptions options{.bos_token = "<s>", .eos_token = "</s>", .now = recorded_time};
    if (Json const* const variables = recorded.find("variables")) options.variables = *variables;
    for (bool const prompts : {false, true}) {
      options.add_generation_prompt = prompts;
      Json const& expected = recorded[prompts ? "prompt" : "text"];
      CHECK(dump_json(outcome(source_of(name), conversation(talk), options)) == dump_json(expected));
      ++(expected.is_string() ? texts : expected.is_null() ? failed : raised);
    }
  }
  CHECK(texts > 600);
  CHECK(raised > 20);
  CHECK(failed < texts / 10);
}

TEST_CASE("chat templates: small ones give the text of jinja2, or are errors in both") {
  std::size_t texts = 0, errors = 0, refused = 0;
  ChatTemplateOptions const options{.add_generation_prompt = false, .variables = given()["variables"], .now = recorded_time};
  auto const messages = conversation("turns");
  for (Json const& recorded : json_lines("chat/snippets.jsonl")) {
    auto const source = recorded.elements()[0].get<std::string>();
    Json const& expected = recorded.elements()[1];
    CAPTURE(source);
    ++(expected.is_string() ? texts : errors);
    Json const found = outcome(source, messages, options);
    if (found.is_null() && expected.is_string()) {  // What only Python can do is refused by name.
      auto const message = message_of<FormatError>([&] { ChatTemplate::parse(source).apply(messages, options); });
      CAPTURE(message);
      CHECK((contains(message, "is not supported") || contains(message, "more than 63 bits")));
      ++refused;
    } else {
      CHECK(dump_json(found) == dump_json(expected));
    }
  }
  CHECK(texts > 2000);
  CHECK(errors > 1000);
  CHECK(refused < 25);
}

TEST_CASE("chat templates: those that are built in give the text of their families' own") {
  std::map<std::string_view, std::string> const own = {{"chatml", "chatml"},      {"gemma", "like-gemma2"}, {"llama3", "like-llama3"},
                                                       {"mistral", "mistral-v1"}, {"qwen", "qwen2.5"},      {"zephyr", "zephyr"}};
  REQUIRE(ChatTemplate::names().size() == own.size());
  for (std::string_view const name : ChatTemplate::names()) {
    auto const chat = ChatTemplate::named(name);
    REQUIRE(own.contains(name));
    auto const reference = ChatTemplate::parse(source_of(own.at(name)));
    for (auto const& [talk, messages] : given()["conversations"].items()) {
      CAPTURE(name);
      CAPTURE(talk);
      for (bool const prompts : {false, true}) {
        ChatTemplateOptions const options{.add_generation_prompt = prompts, .bos_token = "<s>", .eos_token = "</s>"};
        auto const text_of = [&](ChatTemplate const& which) -> std::string {
          try {
            return which.apply(conversation(talk), options);
          } catch (ArgumentError const&) {
            return "raised";
          }
        };
        // Two differ by their nature: Qwen's leaves a message of unknown role out, Zephyr's has the prompt within the loop.
        if (name == "qwen" && (talk == "unknown role" || talk == "tool's answer")) continue;
        CHECK(text_of(chat) == text_of(reference));
      }
    }
  }
  CHECK(ChatTemplate::named("llama3").apply({{"user", "Hi"}}).starts_with("<|begin_of_text|><|start_header_id|>user"));
  CHECK(ChatTemplate::named("mistral").apply({{"user", "Hi"}, {"assistant", "Yes"}}) == "<s>[INST] Hi [/INST]Yes</s>");
  auto const message = message_of<ArgumentError>([] { ChatTemplate::named("vicuna"); });
  CHECK(message == "chat template \"vicuna\" is not known; expected one of chatml, gemma, llama3, mistral, qwen, zephyr");
}

TEST_CASE("chat templates: text of a message is told from the template's, whatever is done to it") {
  std::vector<ChatMessage> const talk = {{"user", " a<|im_end|>b "}};
  auto const of_content = [&](std::string const& expression) {
    return marked("{% set c = messages[0].content %}{{ " + expression + " }}", talk);
  };
  CHECK(marked(source_of("chatml"), talk) == "<|im_start|>user\n[ a<|im_end|>b ]<|im_end|>\n<|im_start|>assistant\n");
  CHECK(of_content("'x' + c + 'y'") == "x[ a<|im_end|>b ]y");
  CHECK(of_content("'x' ~ c ~ 1") == "x[ a<|im_end|>b ]1");
  CHECK(of_content("c | trim") == "[a<|im_end|>b]");
  CHECK(of_content("c.strip() * 2 + 'z'") == "[a<|im_end|>ba<|im_end|>b]z");
  CHECK(of_content("c.split('|')") == "['[ a<]', '[im_end]', '[>b ]']");
  CHECK(of_content("c.split('|') | join('|')") == "[ a<]|[im_end]|[>b ]");
  CHECK(of_content("c[1:4] ~ c[0] ~ c[-2]") == "[a<| b]");
  CHECK(of_content("(c | upper) ~ (c | title) ~ (c | capitalize)") == "[ A<|IM_END|>B  A<|im_end|>b  a<|im_end|>b ]");
  CHECK(of_content("c | replace('a', '<s>')") == "[ ]<s>[<|im_end|>b ]");
  CHECK(of_content("'-a-' | replace('a', c)") == "-[ a<|im_end|>b ]-");
  CHECK(of_content("c | indent(2, true)") == "  [ a<|im_end|>b ]");
  CHECK(of_content("c | list | last ~ (c | first) ~ (c | reverse)") == "[   b>|dne_mi|<a ]");
  CHECK(of_content("{'k': [c]}") == "{'k': ['[ a<|im_end|>b ]']}");
  CHECK(of_content("{'k': c} | tojson") == "{\"k\": \"[ a<|im_end|>b ]\"}");
  CHECK(of_content("messages | map(attribute='content') | map('trim') | join(',')") == "[a<|im_end|>b]");
  CHECK(of_content("c.partition('<|im_end|>') | join") == "[ a<|im_end|>b ]");
  CHECK(of_content("strftime_now(c.strip())") == "[a<|im_end|>b]");
  CHECK(of_content("[1, 2] | tojson(separators=(c, c))") == "[1[ a<|im_end|>b ]2]");
  CHECK(of_content("c | default('x') | string | safe") == "[ a<|im_end|>b ]");
  CHECK(of_content("c | length") == "14");
  CHECK(of_content("namespace(x=c).x.lstrip()") == "[a<|im_end|>b ]");
  CHECK(marked("{% macro f(x) %}<{{ x }}>{% endmacro %}{% set y %}-{{ f(messages[0].content) }}{% endset %}{{ y | trim('-') }}", talk) ==
        "<[ a<|im_end|>b ]>");
  CHECK(marked("{% for c in messages[0].content %}{{ c }}.{% endfor %}", {{"user", "é<"}}) == "[é].[<].");
  CHECK(marked("{% filter upper %}x{{ messages[0].content }}{% endfilter %}", {{"user", "y"}}) == "X[Y]");
  CHECK(marked("{{ messages[0].content }}{{ bos_token }}", {{"user", "y"}}, {.bos_token = "<s>"}) == "[y]<s>");
  // A role that is in use is the template's; another is a message's, as are variables.
  CHECK(marked("<|{{ messages[0].role }}|>", {{"user", ""}}) == "<|user|>");
  CHECK(marked("<|{{ messages[0].role }}|>", {{"im_end", ""}}) == "<|[im_end]|>");
  CHECK(marked("{{ x.y }}|{{ x | tojson }}", {{"user", ""}}, {.variables = {{"x", {{"y", "<s>"}}}}}) == "[<s>]|{\"[y]\": \"[<s>]\"}");
}

TEST_CASE("chat templates: the pieces of a prompt are its text, and no control token stands in a message's") {
  for (std::string const& name : template_names()) {
    auto const chat = ChatTemplate::parse(source_of(name));
    ChatTemplateOptions const options{.bos_token = "<s>", .eos_token = "</s>", .now = recorded_time};
    for (char const* const talk : {"one", "turns", "control tokens", "unicode", "thoughts"}) {
      CAPTURE(name);
      CAPTURE(talk);
      std::vector<ChatMessage> messages = conversation(talk);
      try {
        std::string all;
        bool was_message = false, is_first = true;
        for (ChatPiece const& piece : chat.pieces(messages, options)) {
          all += piece.text;
          CHECK(!piece.text.empty());
          CHECK((is_first || piece.from_message != was_message));
          was_message = piece.from_message, is_first = false;
        }
        CHECK(all == chat.apply(messages, options));
      } catch (ArgumentError const&) {  // A template that has no system.
      }
    }
    // What only a message has is never the template's: here are bytes that no template has.
    auto const pieces = chat.pieces({{"user", " \x07<|im_end|>\x07 "}}, options);
    CHECK(std::ranges::any_of(pieces,
                              [](ChatPiece const& piece) { return piece.from_message && contains(piece.text, "\x07<|im_end|>\x07"); }));
  }
}

TEST_CASE("chat templates: what is not supported is refused by name and line when the template is parsed") {
  CHECK(parse_refusal("a\n{% include 'x' %}") ==
        "chat template, line 2: the statement \"include\" is not supported; expected if, for, set, macro, call, with, filter, generation, "
        "break, continue or raw");
  CHECK(contains(parse_refusal("{% frob %}"), "line 1: the statement \"frob\" is not known"));
  CHECK(parse_refusal("\n\n{{ x | xmlattr }}") == "chat template, line 3: the filter \"xmlattr\" is not supported");
  CHECK(parse_refusal("{% if x %}\n{{ x is frob }}{% endif %}") == "chat template, line 2: the test \"frob\" is not supported");
  CHECK(parse_refusal("{{ joiner() }}") == "chat template, line 1: \"joiner\" is not supported");
  CHECK(contains(parse_refusal("{{ f(*x) }}"), "arguments with \"*\" are not supported"));
  CHECK(contains(parse_refusal("{% for x in y recursive %}{% endfor %}"), "\"recursive\" loops are not supported"));
  CHECK(parse_refusal("{% if x %}\na") ==
        "chat template, line 2: found the end of the template, expected \"{% elif %}\" or \"{% else %}\" or \"{% endif %}\"");
  CHECK(contains(parse_refusal("{{ 'a"), "the string does not end"));
  CHECK(contains(parse_refusal("{{ a"), "the output does not end"));
  CHECK(contains(parse_refusal("{# a"), "the comment does not end"));
  CHECK(contains(parse_refusal("{{ 1 + }}"), "found \"}}\", expected an expression"));
  CHECK(contains(parse_refusal("{{ x $ y }}"), "found \"$\", which no expression has"));
  CHECK(contains(parse_refusal("{{ 99999999999999999999 }}"), "is out of range"));
  CHECK(contains(parse_refusal("\xFF"), "valid UTF-8"));
  CHECK(contains(parse_refusal(std::string(2 << 20, 'x')), "expected at most 1048576"));
}

TEST_CASE("chat templates: what goes wrong in one is said with its line, and what it raises in its own words") {
  CHECK(run_refusal("\n{{ x.y }}") == "chat template, line 2: \"x\" is undefined");
  CHECK(run_refusal("{{ messages[0].zz.y }}") == "chat template, line 1: a dict has no attribute \"zz\"");
  CHECK(run_refusal("{{ 1 + 'a' }}") == "chat template, line 1: cannot calculate an integer + a string");
  CHECK(run_refusal("{{ none.x() }}") == "chat template, line 1: none has no attribute \"x\"");
  CHECK(run_refusal("{{ 'x'.format(1) }}") == "chat template, line 1: the method \"format\" of a string is not supported");
  CHECK(run_refusal("{{ [].append(1) }}") ==
        "chat template, line 1: the method \"append\" of a list would change it, which no chat template may");
  CHECK(contains(run_refusal("{% set x = 'a' | safe %}{{ x ~ 'b<' }}{{ x + '<' }}"), "goes on with text of the filter \"safe\""));
  CHECK(rendered("{% set x = '<' | safe %}{{ x ~ '<' }}{{ x == '<' }}{{ [x] | join }}{{ x | string }}{{ x | tojson | safe }}") ==
        "<<True<<\"<\"");
  CHECK(run_refusal("{{ range }}") == "chat template, line 1: cannot write a function as text");
  CHECK(message_of<ArgumentError>([] { rendered("{{ raise_exception('Only ' ~ 'Grüße') }}"); }) == "Only Grüße");
  CHECK(message_of<ArgumentError>([] { ChatTemplate::named("gemma").apply({{"system", "x"}, {"user", "y"}}); }) ==
        "System role not supported");
  CHECK(
      contains(message_of<ArgumentError>([] { ChatTemplate::named("chatml").apply(std::vector<ChatMessage>{}); }), "at least one message"));
  CHECK(contains(message_of<ArgumentError>([] { rendered("", {{"user", ""}}, {.variables = {{"messages", 1}}}); }), "found \"messages\""));
  CHECK(contains(message_of<ArgumentError>([] { rendered("", {{"user", ""}}, {.variables = 3}); }), "expected one"));
}

TEST_CASE("chat templates: invalid UTF-8 of a message becomes U+FFFD") {
  CHECK(rendered("{{ messages[0].content }}", {{"user", "a\xFF\xE4\xB8z"}}) == "a\uFFFD\uFFFDz");
  CHECK(rendered("{{ x }}", {{"user", ""}}, {.variables = {{"x", "\xC0"}}}) == "\uFFFD");
}

TEST_CASE("chat templates: one that would run for ever, fill the memory or overflow the stack is an error, and soon") {
  auto const begin = std::chrono::steady_clock::now();
  std::string const r = "range(100000)";
  std::string deep_list = "{% set ns = namespace(x=[]) %}{% for i in " + r + " %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}";
  std::vector<std::string> const hostile = {
      "{% for a in " + r + " %}{% for b in " + r + " %}{% for c in " + r + " %}{% endfor %}{% endfor %}{% endfor %}",
      "{% for a in " + r + " %}{% for b in " + r + " if false %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(x='x') %}{% for a in " + r + " %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for a in " + r + " %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% for a in " + r + " %}{{ 'x' * 100000 }}{% endfor %}",
      "{{ 'x' * 10 ** 18 }}",
      "{{ [1] * 10 ** 18 }}",
      "{{ ('x' * 100) | replace('x', 'y' * 1000000) }}",
      "{{ (('x' * 1000000) | replace('', 'y' * 100)) }}",
      "{{ ('x ' * 3000000).split() }}",
      "{{ ('x' * 3000000) | list }}",
      "{% for i in " + r + " %}{{ ('a' * 100000 ~ 'b') in ('a' * 1000000) }}{% endfor %}",
      "{% for i in " + r + " %}{{ ('\u03A3' * 1000000) | lower | length }}{% endfor %}",
      deep_list,
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f(x) %}{{ f([x]) }}{{ f([x]) }}{% endmacro %}{{ f(1) }}",
      "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
      "{% set ns = namespace(x=[1, 2]) %}{% for a in range(80) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      "{% set ns = namespace(x=[1, 2]) %}{% for a in range(80) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x }}",
      "{% set ns = namespace(x=[1, 2]) %}{% for a in range(80) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson | length }}",
      "{% for i in [1] %}{% set x = [loop] %}{% endfor %}",
      "{% for i in [1] %}{{ loop.changed(loop) }}{% endfor %}",
      "{{ [1, 2] | tojson(indent=10 ** 15) }}",
      "{{ 'a\nb' | indent(10 ** 15) }}",
      "{{ 2 ** 10 ** 18 }}",
      std::string(5000, '(') + "1" + std::string(5000, ')'),
      "{{ " + std::string(5000, '(') + "1" + std::string(5000, ')') + " }}",
      "{{ " + std::string(5000, '[') + std::string(5000, ']') + " }}",
      "{{ " + std::string(5000, '-') + "1 }}"};
  for (std::string const& source : hostile) {
    CAPTURE(source.substr(0, 100));
    if (!source.starts_with('(')) CHECK_THROWS_AS(rendered(source), FormatError);
  }
  for (auto const& [open, close] : std::vector<std::pair<std::string, std::string>>{{"{% if 1 %}", "{% endif %}"},
                                                                                    {"{% for i in x %}", "{% endfor %}"},
                                                                                    {"{% set x %}", "{% endset %}"},
                                                                                    {"{% macro f() %}", "{% endmacro %}"},
                                                                                    {"{{ not ", "}}"},
                                                                                    {"{{ {1: ", "}}"}}) {
    std::string source;
    for (int i = 0; i < 3000; ++i) source += open;
    for (int i = 0; i < 3000; ++i) source += close;
    CHECK_THROWS_AS(ChatTemplate::parse(source), FormatError);
  }
  std::string sum = "{{ 1", filters = "{{ 1", attributes = "{{ x", conditions = "{{ 1", elifs = "{% if x %}";
  for (int i = 0; i < 3000; ++i) sum += "+1", filters += "|int", attributes += ".x", conditions += " if 1 else 1", elifs += "{% elif x %}";
  std::string arguments = "{{ f(x", parameters = "{% macro f(x";
  for (int i = 0; i < 3000; ++i) arguments += ",a" + std::to_string(i) + "=1", parameters += ",a" + std::to_string(i);
  CHECK_THROWS_AS(ChatTemplate::parse(arguments + ") }}"), FormatError);
  CHECK_THROWS_AS(ChatTemplate::parse(parameters + ") %}{% endmacro %}"), FormatError);
  for (std::string const& source : {sum, filters, attributes, conditions})
    CHECK_THROWS_AS(ChatTemplate::parse(source + " }}"), FormatError);
  CHECK_NOTHROW(ChatTemplate::parse(elifs + "{% endif %}"));
  CHECK(rendered("{{ '' * 10 ** 18 }}").empty());
  // Most of these spend the whole of a template's budget, a second or so; sanitizers and busy machines are slower by ten times.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(300));
}

TEST_CASE("chat templates: a namespace or a loop that holds itself leaves nothing behind") {
  CHECK(rendered("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.list = [ns] %}{% macro f() %}{% endmacro %}{% set ns.f = f %}{{ "
                 "ns.me.me == ns }}") == "True");
  CHECK(rendered("{% set ns = namespace() %}{% for i in [1, 2] %}{% macro f() %}{{ i }}{% endmacro %}{% set ns.f = f %}{% endfor %}{{ "
                 "ns.f() }}") == "2");
}

TEST_CASE("chat templates: any truncation and any mutation of a template renders or is an error") {
  std::mt19937 random(24);
  auto const messages = conversation("system and turns");
  std::size_t texts = 0, errors = 0;
  auto const check = [&](std::string const& source) {
    try {
      auto const chat = ChatTemplate::parse(source);
      static_cast<void>(chat.apply(messages, {.variables = {{"tools", nullptr}}}));
      ++texts;
    } catch (Error const&) {
      ++errors;
    }
  };
  constexpr std::string_view bytes = "{}%#-+'\"|.,:()[]\\ \n0aeix_=<>*~/";
  for (std::string const& name : template_names()) {
    std::string const source = source_of(name);
    std::size_t const step = std::max<std::size_t>(1, source.size() / 150);
    for (std::size_t size = 0; size <= source.size(); size += step) check(source.substr(0, size));
    for (int i = 0; i < 150; ++i) {
      std::string changed = source;
      changed[random() % changed.size()] = bytes[random() % bytes.size()];
      check(changed);
      changed.erase(random() % changed.size(), random() % 9);
      check(changed);
    }
  }
  CHECK(texts > 500);
  CHECK(errors > 1000);
}

TEST_CASE("chat templates: threads share one, and a copy is the same") {
  auto const chat = ChatTemplate::parse(source_of("qwen3"));
  auto const copy = chat;
  CHECK(&copy.source() == &chat.source());
  std::string const expected = chat.apply(conversation("thoughts"));
  std::vector<std::string> results(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& result : results)
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) result = copy.apply(conversation("thoughts"));
      });
  }
  for (std::string const& result : results) CHECK(result == expected);
}
