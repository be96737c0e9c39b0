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

// Calls `use` with each text of a stream that has one JSON string a line. Output is flushed whenever the next line is not there yet, so that
// another program can write a line and wait for the answer.
inline void for_each_json_line(std::istream& in, std::function<void(std::string)> const& use) {
  std::string line;
  for (std::size_t number = 1;; ++number) {
    if (in.rdbuf()->in_avail() <= 0) std::cout.flush();
    if (!std::getline(in, line)) break;
    std::string const name = "standard input: line " + std::to_string(number);
    auto const value = axiform::parse_json(axiform::replace_invalid_utf8(line), name);
    if (!value.is_string()) throw axiform::FormatError(name + ": found " + axiform::describe_json(value) + ", expected a string");
    use(value.get<std::string>());
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
