// What `translate`, `summarize` and `text2text` have in common: their options of generation, and how what they write goes out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include <axiform/tasks/generated_text.hpp>

#include "command.hpp"
#include "generation_options.hpp"

enum class TextsOfEach { one, several };

class WritingArguments : OptionArguments {
 public:
  explicit WritingArguments(Command& command, TextsOfEach texts = TextsOfEach::several) {
    using namespace axiform;
    number(command, "--beams",
           "Follow N texts side by side; 1 takes the most probable token each time; unless given, as the checkpoint says, else 4",
           [](GenerateOptions& o, std::size_t n) {
             o.decoding = n == 1 ? Decoding::greedy : Decoding::beam_search;
             o.num_beams = n;
           });
    add_flag(command, "--sample", "Draw tokens instead of following beams", [](GenerateOptions& o) {
      o.decoding = Decoding::sample;
      o.num_beams = 1;
    });
    add_common(command);
    if (texts == TextsOfEach::several) add_number_of_texts(command);
    number(command, "--min-length", "No end before so many tokens in all, with the one that begins the text",
           [](GenerateOptions& o, std::size_t n) {
             o.min_length = n;
             o.min_new_tokens.reset();
           });
  }

  // What was asked for, on top of what the checkpoint says.
  axiform::GenerateOptions options(axiform::GenerateOptions options, Command& command) const {
    apply(options, command);
    return options;
  }
};

using TextsOut = std::vector<std::vector<axiform::WrittenText>>;

// Prints what `write(texts, options)` makes of texts, or, of one that is to be read and comes token by token, what `stream(text, on_text)` tells of it.
inline void print_written(Command& command, JsonResults& results, std::string const& key, std::span<std::string const> texts,
                          axiform::GenerateOptions options,
                          std::function<TextsOut(std::span<std::string const>, axiform::GenerateOptions const&)> const& write,
                          std::function<void(std::string const&, axiform::FunctionRef<void(axiform::TextPiece)>)> const& stream) {
  using namespace axiform;
  auto const check_stop = [&] {
    if (options.stop.stop_requested()) throw StoppedError("stopped");
  };
  if (texts.size() == 1 && !results.wanted() && options.num_return_sequences == 1 && !options.has_beams()) {
    stream(texts[0], [](TextPiece piece) { std::cout << piece.text << std::flush; });
    std::cout << '\n';
    return check_stop();
  }
  constexpr std::size_t together = 64;  // What is done is printed before the rest is.
  if (texts.size() > 1) options.progress = command.progress();
  for (std::size_t first = 0; first < texts.size(); first += together) {
    auto const all = write(texts.subspan(first, std::min(together, texts.size() - first)), options);
    check_stop();
    for (auto const& of_text : all) {
      Json list = Json::array();
      for (WrittenText const& written : of_text) {
        if (!results.wanted()) {
          std::cout << written.text << '\n';
          continue;
        }
        Json value = {{key, written.text}, {"ids", written.sequence.ids}};
        if (options.has_beams()) value["score"] = written.sequence.beam_score;
        list.push_back(std::move(value));
      }
      if (command.json_lines()) {
        results.add(list);
      } else if (results.wanted()) {
        for (Json const& each : list) results.add(each);
      }
    }
    std::cout.flush();
  }
}
