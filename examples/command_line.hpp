// What the main of every example has in common, so that the examples hold only what they show: --model, --threads and --json, one line
// for an error, and the exit status (0 done, 1 an error, 2 wrong usage).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <iostream>
#include <istream>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/text/blank.hpp>
#include <axiform/text/utf8.hpp>

class CommandLine : public CLI::App {
 public:
  CommandLine(std::string const& name, std::string const& purpose) : App(purpose, name) {
    add_number("--threads", threads_, "Threads that work at once; all cores unless given");
    add_flag("--json", json_, "Print one JSON document");
  }

  // --model. MiniLM-L6 is there for everyone (scripts/fetch-model); other models the user names.
  void add_bert_option() { add_text("--model", model_, "Directory of a BERT; MiniLM-L6 unless given")->type_name("DIR"); }
  void add_gpt2_option() { add_model_option("a GPT-2"); }
  void add_model_option(std::string const& what) { add_text("--model", model_, "Directory of " + what)->type_name("DIR")->required(); }

  // A whole number from 0. (CLI11 by itself would take -1 for 18446744073709551615, and 010 for 8.)
  template <class Number>
  CLI::Option* add_number(std::string const& name, Number& value, std::string const& description) {
    auto const parse = [&value, name](CLI::results_t const& given) {
      std::string const& text = given.at(0);
      std::size_t number = 0;
      auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size())
        throw CLI::ValidationError(name, "found \"" + text + "\", expected a whole number from 0");
      value = number;
      return true;
    };
    return add_option(name, parse, description)->type_name("N");
  }

  // One text, or any number of them: as they were given, whatever is in them.
  CLI::Option* add_text(std::string const& name, std::string& text, std::string const& description) {
    auto const keep = [&text](CLI::results_t const& given) { return text = unguarded(given.at(0)), true; };
    return add_option(name, keep, description)->type_name("TEXT");
  }
  CLI::Option* add_texts(std::string const& name, std::vector<std::string>& texts, std::string const& description) {
    auto const keep = [this, name, &texts](CLI::results_t const&) {
      for (std::string const& text : get_option(name)->results()) texts.push_back(unguarded(text));
      return true;
    };
    return add_option(name, keep, description)->type_name("TEXT")->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
  }
  CLI::Option* add_texts(std::string const& description) { return add_texts("text", texts_, description); }
  std::vector<std::string> const& texts() const { return texts_; }

  axiform::ModelDirectory model() const { return model_.empty() ? find_minilm() : std::filesystem::path(model_); }
  bool json() const { return json_; }

  // Parses the arguments, runs `body` with a context of --threads, and turns what goes wrong into one line on stderr and an exit status.
  int run(int argc, char** argv, std::function<void(axiform::Context&)> const& body) {
    std::ios::sync_with_stdio(false);
    std::cin.tie(nullptr);
    try {
      try {
        std::vector<std::string> arguments;  // the last one first, as CLI11 wants them
        for (int i = argc - 1; i > 0; --i) arguments.push_back(guarded(argv[i]));
        parse(std::move(arguments));
        auto context = axiform::Context::with_threads(threads_);
        body(context);
      } catch (CLI::CallForHelp const&) {
        std::cout << help();
      }
      if (!std::cout.flush()) throw axiform::FileError("standard output: cannot be written");
      return 0;
    } catch (CLI::ParseError const& error) {
      return fail(2, std::string(error.what()) + " (" + get_name() + " --help says more)");
    } catch (std::bad_alloc const&) {
      return fail(1, "out of memory");
    } catch (std::exception const& error) {
      return fail(1, error.what());
    }
  }

 private:
  // CLI11 takes what is in square brackets for a list: "[MASK]", and "--stop=[MASK]", go through it with a byte behind.
  static std::string guarded(std::string text) {
    bool const is_value = text.starts_with("--") && text.find("=[") != text.npos && text.find("=[") == text.find('=');
    return text.starts_with('[') || is_value ? text + '\x01' : text;
  }
  static std::string unguarded(std::string text) {
    if (text.starts_with('[') && text.ends_with('\x01')) text.pop_back();
    return text;
  }

  int fail(int status, std::string message) const {
    std::erase(message, '\x01');
    std::ranges::replace(message, '\n', ' ');
    std::cerr << get_name() << ": " << axiform::replace_invalid_utf8(message) << '\n';
    return status;
  }

  // models/minilm-l6 here, or in a folder above the program: the repository that it was built in.
  static std::filesystem::path find_minilm() {
    std::filesystem::path const minilm = "models/minilm-l6";
    std::error_code error;
    if (std::filesystem::exists(minilm, error)) return minilm;
    auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    for (; folder.has_relative_path(); folder = folder.parent_path())
      if (std::filesystem::exists(folder / minilm, error)) return folder / minilm;
    throw axiform::FileError(minilm.string() + ": not found; scripts/fetch-model fetches it, and --model DIR names another");
  }

  std::string model_;
  std::vector<std::string> texts_;
  std::size_t threads_ = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 1024);
  bool json_ = false;
};

// A text of an input, and the line of its file that it stood in, from 1.
struct InputText {
  std::size_t line;
  std::string text;
  std::optional<std::string> pair = {};  // the second text, where an object of JSON lines has two
};

// Under which keys an object of JSON lines has its text, or its two: the first entry whose keys are all there counts. A bare string is taken
// where an entry has one key.
using TextKeys = std::vector<std::vector<std::string>>;
inline TextKeys const single_text_keys{{"text"}, {"sentence"}};
inline TextKeys const text_pair_keys{{"text", "text_pair"}, {"sentence1", "sentence2"}, {"premise", "hypothesis"}};

// "text" or "sentence"; "text" and "text_pair".
inline std::string in_words(std::vector<std::string> const& names, std::string const& last_word) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) result += (i == 0 ? "" : i + 1 == names.size() ? " " + last_word + " " : ", ") + names[i];
  return result;
}

// What a line of JSON lines says: `"a text"`, `{"text": "a text"}`, `{"text": "a text", "text_pair": "another"}`. Other keys of an object,
// such as a label, say nothing here; a second text that would go unread is an error.
inline InputText read_input_line(std::string_view json, std::size_t line, TextKeys const& keys) {
  std::string const name = "standard input: line " + std::to_string(line);
  auto const quoted = [](auto const& names) {
    std::vector<std::string> result;
    for (std::string const& each : names) result.push_back(axiform::dump_json(each));
    return result;
  };
  auto const value = axiform::parse_json(axiform::replace_invalid_utf8(json), name);
  bool const takes_one = std::ranges::any_of(keys, [](auto const& entry) { return entry.size() == 1; });
  if (value.is_string() && takes_one) return {line, value.get<std::string>()};
  auto const has = [&](std::string const& key) { return value.contains(key) && !value[key].is_null(); };
  for (auto const& entry : keys) {
    if (!value.is_object() || !std::ranges::all_of(entry, has)) continue;
    InputText input{line, axiform::require<std::string>(value, entry[0], name)};
    if (entry.size() > 1) input.pair = axiform::require<std::string>(value, entry[1], name);
    if (!input.pair && has("text_pair"))
      throw axiform::FormatError(name + ": found \"text_pair\", expected one text: this command does not read pairs");
    return input;
  }
  std::vector<std::string> found, expected;
  if (value.is_object())
    for (auto const& member : value.items()) found.push_back(member.key);
  for (auto const& entry : keys) expected.push_back(in_words(quoted(entry), "and"));
  throw axiform::FormatError(name + ": found " +
                             (found.empty() ? axiform::describe_json(value) : "an object with " + in_words(quoted(found), "and")) +
                             ", expected " + (takes_one ? "a string or " : "") + "an object with " + in_words(expected, "or"));
}

// Without the byte order mark that some editors put at the start of a file.
inline std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

// Calls `use` with each text of a stream of JSON lines; blank lines are none. `before_wait` is called whenever the next line is not there
// yet, so that another program can write a line and wait for the answer.
inline void for_each_json_line(std::istream& in, TextKeys const& keys, std::function<void(InputText)> const& use,
                               std::function<void()> const& before_wait) {
  std::string line;
  for (std::size_t number = 1;; ++number) {
    if (in.rdbuf()->in_avail() <= 0) before_wait();
    if (!std::getline(in, line)) break;
    std::string_view const json = number == 1 ? without_byte_order_mark(line) : line;
    if (!axiform::is_blank(json)) use(read_input_line(json, number, keys));
  }
  if (in.bad()) throw axiform::FileError("standard input: cannot be read");
}

// 124439808 as 124 439 808.
inline std::string grouped(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, 1, ' ');
  return digits;
}

// "1,2,3".
inline std::vector<axiform::TokenId> parse_ids(std::string_view text) {
  std::vector<axiform::TokenId> ids;
  for (std::size_t begin = 0, end; begin <= text.size(); begin = end + 1) {
    end = std::min(text.find(',', begin), text.size());
    std::string_view number = text.substr(begin, end - begin);
    while (number.starts_with(' ')) number.remove_prefix(1);
    while (number.ends_with(' ')) number.remove_suffix(1);
    auto const [stop, error] = std::from_chars(number.data(), number.data() + number.size(), ids.emplace_back());
    if (error == std::errc::result_out_of_range)
      throw axiform::ArgumentError("--ids: found " + std::string(number) + ", no vocabulary has so many");
    if (error != std::errc() || stop != number.data() + number.size())
      throw CLI::ValidationError("--ids", "found \"" + std::string(number) + "\", expected numbers with commas between them");
  }
  return ids;
}

// The rows of a tensor, every number in full.
template <axiform::TensorLike T>
axiform::Json rows_to_json(T const& tensor) {
  auto rows = axiform::Json::array();
  for (std::size_t i = 0; i < tensor.rows(); ++i) rows.push_back(std::vector<float>(tensor.row(i).begin(), tensor.row(i).end()));
  return rows;
}
