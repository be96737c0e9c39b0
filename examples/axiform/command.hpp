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
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <axiform/tasks/progress.hpp>

#include "../command_line.hpp"

// Ctrl-C asks the work to stop; a second one, or one while the program waits for input, ends it as if nobody had asked. To be made before any
// other thread, which then leaves the signal to this one.
class Interrupt {
 public:
  Interrupt() {
    sigset_t const signals = interrupt();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    thread_ = std::thread([this] { wait(); });
  }
  ~Interrupt() {
    ends_.store(true);
    pthread_kill(thread_.native_handle(), SIGINT);
    thread_.join();
  }
  Interrupt(Interrupt const&) = delete;
  Interrupt& operator=(Interrupt const&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  void waits_for_input(bool waits) { waits_.store(waits); }

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
      if (source_.stop_requested() || waits_.load()) {
        std::signal(SIGINT, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
        std::raise(SIGINT);
      }
      source_.request_stop();
    }
  }

  std::stop_source source_;
  std::atomic<bool> ends_{false}, waits_{false};
  std::thread thread_;
};

class Command : public CommandLine {
 public:
  Command(std::string const& name, std::string const& purpose) : CommandLine("axiform " + name, purpose) {}

  enum class Needed { yes, no };
  // TEXT…, --file FILE (a text a line) or --jsonl (a JSON string a line on stdin, a JSON object a line on stdout).
  // `run` wants exactly one of them; where something else may stand for them, the command checks `input_count()` itself.
  void add_inputs(std::string const& description, Needed needed = Needed::yes) {
    needs_input_ = needed == Needed::yes;
    given_ = add_texts(description);
    add_option("--file", file_, "Texts from a file, one a line; - is stdin")->type_name("FILE");
    add_flag("--jsonl", json_lines_, "A JSON string a line on stdin, a JSON object a line on stdout");
  }
  bool json_lines() const { return json_lines_; }
  // How many of the three were given; one is right.
  int input_count() const { return (*given_ ? 1 : 0) + (file_ ? 1 : 0) + (json_lines_ ? 1 : 0); }

  // Calls `use` with all texts; with --jsonl as they come, as many as there are and at most 1 024 at once.
  void for_each_block(std::function<void(std::vector<std::string> const&)> const& use) {
    if (!json_lines_) return use(file_ ? read_lines(*file_) : texts());
    std::vector<std::string> block;
    auto const use_block = [&] {
      interrupt_->waits_for_input(false);
      if (!block.empty()) use(block);
      block.clear();
      if (stop().stop_requested()) throw axiform::StoppedError("stopped");
      interrupt_->waits_for_input(true);
    };
    interrupt_->waits_for_input(true);
    try {
      for_each_json_line(std::cin, [&](std::string text) {
        block.push_back(std::move(text));
        if (block.size() == 1024 || std::cin.rdbuf()->in_avail() <= 0) use_block();
      });
    } catch (axiform::FormatError const&) {
      use_block();  // what came before a wrong line is answered
      throw;
    }
    use_block();
  }
  // The next line of stdin, if there is one.
  std::optional<std::string> read_line() {
    interrupt_->waits_for_input(true);
    std::string line;
    bool const found = static_cast<bool>(std::getline(std::cin, line));
    interrupt_->waits_for_input(false);
    if (!found) return std::nullopt;
    return line;
  }

  // All lines of a file, or of stdin.
  static std::vector<std::string> read_lines(std::string const& name) {
    std::vector<std::string> lines;
    std::string const text = read_text(name);
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t const end = std::min(text.find('\n', begin), text.size());
      lines.push_back(text.substr(begin, end - begin));
      if (lines.back().ends_with('\r')) lines.back().pop_back();
      begin = end + 1;
    }
    return lines;
  }
  // A whole file, or all of stdin.
  static std::string read_text(std::string const& name) {
    std::ifstream file;
    if (name != "-") {
      file.open(name, std::ios::binary);
      if (!file || std::filesystem::is_directory(name)) throw axiform::FileError(name + ": cannot be read");
    }
    std::istream& in = name == "-" ? std::cin : file;
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (in.bad()) throw axiform::FileError(name + ": cannot be read");
    return text;
  }

  std::stop_token stop() const { return interrupt_->token(); }

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
  std::optional<std::string> file_;
  CLI::Option* given_ = nullptr;
  bool json_lines_ = false, needs_input_ = false;
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
