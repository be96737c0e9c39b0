// What the subcommands of `axiform` have in common beside examples/command_line.hpp: where texts come from (arguments, files, JSON lines),
// how results go out (readable, one JSON document, JSON lines), progress on a terminal, and Ctrl-C.
#pragma once

#include <atomic>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <unistd.h>

#include <axiform/core/progress.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/models/load_options.hpp>

#include "../command_line.hpp"

// While there is work that can be stopped, Ctrl-C asks it to, and a second one ends the program; at other times the first one does, as if
// nobody had asked. To be made before any other thread, which then leaves the signal to this one.
class Interrupt {
 public:
  Interrupt() {
    struct sigaction before;
    if (sigaction(SIGINT, nullptr, &before) != 0 || before.sa_handler == SIG_IGN) return;  // as in the background of a script
    sigset_t const signals = interrupt();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    thread_ = std::thread([this] { wait(); });
  }
  ~Interrupt() {
    if (!thread_.joinable()) return;
    ends_.store(true);
    pthread_kill(thread_.native_handle(), SIGINT);
    thread_.join();
  }
  Interrupt(Interrupt const&) = delete;
  Interrupt& operator=(Interrupt const&) = delete;

  std::stop_token token() const {
    std::lock_guard const lock(mutex_);
    return source_.get_token();
  }
  void work_can_stop(bool can) { can_stop_.store(can); }
  // For other work: what was asked to stop is forgotten.
  void renew() {
    std::lock_guard const lock(mutex_);
    source_ = std::stop_source();
  }

 private:
  static sigset_t interrupt() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    return signals;
  }
  void wait() {
    sigset_t const signals = interrupt();
    for (int signal = 0; sigwait(&signals, &signal) == 0 && !ends_.load();) {
      std::lock_guard const lock(mutex_);
      if (source_.stop_requested() || !can_stop_.load()) {
        std::signal(SIGINT, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        std::raise(SIGINT);
      }
      source_.request_stop();
    }
  }

  mutable std::mutex mutex_;
  std::stop_source source_;
  std::atomic<bool> ends_{false}, can_stop_{false};
  std::thread thread_;
};

class Command : public CommandLine {
 public:
  Command(std::string const& name, std::string const& purpose) : CommandLine("axiform " + name, purpose) {}

  // --weights: what the model's weights are kept in.
  CLI::Option* add_weights_option() {
    return add_option("--weights", weights_, "What matrices and tables are kept in; unless given f32, or what the file has them in")
        ->check(CLI::IsMember(format_names()));
  }
  // --weights: several formats of weights.
  void add_formats_option(std::vector<std::string>& formats, std::string const& description) {
    add_option("--weights", formats, description)->delimiter(',')->check(CLI::IsMember(format_names()));
  }
  // --cache: what a decoder's key-value caches are kept in.
  void add_cache_option() {
    std::vector<std::string> names;
    for (axiform::CacheFormat const format : axiform::cache_formats) names.emplace_back(axiform::name_of(format));
    add_option("--cache", cache_, "What the key-value cache is kept in; unless given f32")->check(CLI::IsMember(names));
  }
  axiform::LoadOptions loading() const {
    return {.weights = axiform::weight_format_named(weights_),
            .cache = axiform::cache_format_named(cache_).value_or(axiform::CacheFormat::f32)};
  }

  enum class Needed { yes, no };
  // TEXT…, --file FILE (a text a line) or --jsonl. `run` wants exactly one of them; where something else may stand for them, the command
  // checks `input_count()` itself.
  void add_inputs(std::string const& description, Needed needed = Needed::yes, TextKeys keys = single_text_keys) {
    needs_input_ = needed == Needed::yes;
    given_ = add_texts(description);
    given_file_ = add_text("--file", file_, "Texts from a file, one a line, but for blank lines; - is stdin")->type_name("FILE");
    std::vector<std::string> shown;
    for (auto const& entry : keys) shown.push_back(in_words(entry, "and"));
    add_json_lines("A JSON string a line on stdin, or an object with " + in_words(shown, "or"), std::move(keys));
  }
  // --jsonl: a JSON value a line on stdin, an answer a line on stdout.
  void add_json_lines(std::string const& description, TextKeys keys) {
    keys_ = std::move(keys);
    add_flag("--jsonl", json_lines_, description + "; a JSON value a line on stdout");
  }
  bool json_lines() const { return json_lines_; }
  bool reads_stdin() const { return json_lines_ || file_ == "-"; }
  // How many of the three were given; one is right.
  int input_count() const { return (*given_ ? 1 : 0) + (*given_file_ ? 1 : 0) + (json_lines_ ? 1 : 0); }

  // Calls `use` with all texts; with --jsonl as they come, as many as there are and at most `most` at once. Commands that print as they go
  // take one at a time; the others need not compute again what was good when a line is not.
  void for_each_block(std::function<void(std::vector<std::string> const&)> const& use, std::size_t most = 64) {
    for_each_input_block(
        [&](std::vector<InputText> const& block) {
          std::vector<std::string> texts;
          for (InputText const& input : block) texts.push_back(input.text);
          use(texts);
        },
        most);
  }
  // The same for commands that take pairs, from JSON lines.
  void for_each_input_block(std::function<void(std::vector<InputText> const&)> const& use, std::size_t most = 64) {
    if (!json_lines_) {
      auto const inputs = *given_file_ ? read_lines(file_) : given_inputs();
      return work([&] { use(inputs); });
    }
    std::vector<InputText> block;
    auto const use_block = [&] {
      if (!block.empty()) work([&] { use_lines(block, use); });
      std::cout.flush();
      block.clear();
    };
    try {
      auto const use_line = [&](InputText input) {
        block.push_back(std::move(input));
        if (block.size() == most) use_block();
      };
      for_each_json_line(std::cin, keys_, use_line, use_block);
    } catch (axiform::FormatError const&) {
      use_block();  // what came before a wrong line is answered
      throw;
    }
    use_block();
  }

  // Runs what heeds `stop()`, and gives what it gives: Ctrl-C ends it, not the program.
  template <class Run>
  std::invoke_result_t<Run const&> work(Run const& run) {
    auto const finish = [&] {
      interrupt_->work_can_stop(false);
      if (heeds_stop_ && interrupt_->token().stop_requested()) throw axiform::StoppedError("stopped");
    };
    interrupt_->work_can_stop(heeds_stop_);
    if constexpr (std::is_void_v<std::invoke_result_t<Run const&>>) {
      run();
      finish();
    } else {
      auto result = run();
      finish();
      return result;
    }
  }

  // Runs `run(token)`, which heeds the token, and gives what it gives: Ctrl-C ends it alone, and the program goes on.
  template <class Run>
  auto work_in_turn(Run const& run) {
    interrupt_->renew();
    interrupt_->work_can_stop(true);
    try {
      auto result = run(interrupt_->token());
      interrupt_->work_can_stop(false);
      return result;
    } catch (...) {
      interrupt_->work_can_stop(false);
      throw;
    }
  }

  // The next line of stdin, if there is one.
  static std::optional<std::string> read_line() {
    std::string line;
    if (std::getline(std::cin, line)) return line;
    if (std::cin.bad()) throw axiform::FileError("standard input: cannot be read");
    return std::nullopt;
  }

  // The texts of a file, or of stdin, that has one a line. A blank line is none.
  static std::vector<InputText> read_lines(std::string const& name) {
    std::vector<InputText> lines;
    std::string const text = read_text(name);
    for (std::size_t begin = 0, number = 1; begin < text.size(); ++number) {
      std::size_t const end = std::min(text.find('\n', begin), text.size());
      std::string line = text.substr(begin, end - begin);
      if (line.ends_with('\r')) line.pop_back();
      if (!axiform::is_blank(line)) lines.push_back({number, std::move(line)});
      begin = end + 1;
    }
    return lines;
  }
  // A whole file, or all of stdin, but for a byte order mark.
  static std::string read_text(std::string const& name) {
    std::string const shown = name == "-" ? "standard input" : name;
    std::ifstream file;
    if (name != "-") file.open(name, std::ios::binary);
    std::istream& in = name == "-" ? std::cin : file;
    try {
      if (name != "-" && !file) throw axiform::FileError(shown + ": cannot be read");
      std::string const text{std::istreambuf_iterator<char>(in), {}};
      if (in.bad()) throw axiform::FileError(shown + ": cannot be read");
      return std::string(without_byte_order_mark(text));
    } catch (std::ios_base::failure const&) {  // a directory
      throw axiform::FileError(shown + ": cannot be read");
    }
  }

  // For options of long calls, which then run within `work`.
  std::stop_token stop() {
    heeds_stop_ = true;
    return interrupt_->token();
  }

  // Draws a line on a terminal, and nothing anywhere else.
  axiform::ProgressCallback progress() const {
    if (isatty(STDERR_FILENO) == 0) return {};
    return [](axiform::Progress const& progress) {
      std::cerr << '\r' << progress.done << " of " << progress.total << (progress.done == progress.total ? "\r\x1b[K" : "") << std::flush;
    };
  }

  // As CommandLine::run; 130 when Ctrl-C ended the work.
  int run(int argc, char** argv, std::function<void(axiform::Context&)> const& body) {
    interrupt_.emplace();
    bool was_stopped = false;
    int const status = CommandLine::run(argc, argv, [&](axiform::Context& context) {
      try {
        if (needs_input_ && input_count() != 1) throw CLI::ValidationError("expected one of: texts, --file, --jsonl");
        body(context);
      } catch (axiform::StoppedError const&) {
        was_stopped = true;
      }
    });
    if (!was_stopped) return status;
    std::cerr << get_name() << ": stopped\n";
    return 130;
  }

 private:
  std::vector<InputText> given_inputs() const {
    std::vector<InputText> inputs;
    for (std::string const& text : texts()) inputs.push_back({inputs.size() + 1, text});
    return inputs;
  }

  // When one text of several is refused, those before it are answered, and its line is named.
  static void use_lines(std::vector<InputText> const& block, std::function<void(std::vector<InputText> const&)> const& use) {
    try {
      if (block.size() > 1) return use(block);
    } catch (axiform::StoppedError const&) {
      throw;
    } catch (axiform::ArgumentError const&) {
    }
    for (InputText const& input : block) {
      try {
        use({input});
      } catch (axiform::ArgumentError const& error) {
        throw axiform::ArgumentError("standard input: line " + std::to_string(input.line) + ": " + error.what());
      }
    }
  }

  static std::vector<std::string> format_names() {
    std::vector<std::string> names;
    for (axiform::WeightFormat const format : axiform::weight_formats) names.emplace_back(axiform::name_of(format));
    return names;
  }

  std::string weights_;
  std::string cache_;
  std::string file_;
  TextKeys keys_;
  CLI::Option* given_ = nullptr;
  CLI::Option* given_file_ = nullptr;
  bool json_lines_ = false, needs_input_ = false, heeds_stop_ = false;
  std::optional<Interrupt> interrupt_;
};

// Results as JSON: an array, or with --jsonl one value a line. Nothing when results are to be read by people.
class JsonResults {
 public:
  explicit JsonResults(Command const& command) : lines_(command.json_lines()), array_(command.json() && !lines_) {}
  bool wanted() const { return lines_ || array_; }
  void add(axiform::Json const& value) {
    if (array_) std::cout << (count_++ ? "," : "[");
    std::cout << axiform::dump_json(value) << (lines_ ? "\n" : "");
  }
  void finish() const {
    if (array_) std::cout << (count_ ? "]\n" : "[]\n");
  }

 private:
  bool lines_, array_;
  std::size_t count_ = 0;
};

// A text on one line, and not too long.
inline std::string label(std::string_view text, std::size_t longest = 100) {
  std::string line = axiform::replace_invalid_utf8(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  if (line.size() <= longest) return line;
  return line.substr(0, axiform::scan_utf8(std::string_view(line).substr(0, longest - 3)).valid) + "…";
}
