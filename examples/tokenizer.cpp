// How many tokens has a text, and which words take most of them? A program that needs the tokenizer alone:
//
//     tokenizer models/minilm-l6 < README.md
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <axiform/core/thread_pool.hpp>
#include <axiform/text/tokenizer.hpp>

using namespace axiform;

int main(int argc, char** argv) try {
  auto const tokenizer = Tokenizer::from_directory(argc > 1 ? argv[1] : "models/minilm-l6");
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(std::move(line));

  ThreadPool threads(std::max(1u, std::thread::hardware_concurrency()));
  auto const encodings = tokenizer.encode_batch(lines, {.add_special_tokens = false}, threads);

  std::size_t tokens = 0, words = 0;
  std::map<std::string, std::size_t> split;  // Words of several tokens, and of how many.
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto const& places = encodings[i].byte_offsets;
    auto const word_of = tokenizer.word_ids(encodings[i]);
    for (std::size_t first = 0, last; first < places.size(); first = last) {
      for (last = first + 1; last < places.size() && word_of[last] == word_of[first];) ++last;
      ++words;
      if (last - first > 1) split[lines[i].substr(places[first].begin, places[last - 1].end - places[first].begin)] = last - first;
    }
    tokens += places.size();
  }
  std::vector<std::pair<std::string, std::size_t>> most(split.begin(), split.end());
  std::sort(most.begin(), most.end(),
            [](auto const& a, auto const& b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
  most.resize(std::min<std::size_t>(most.size(), 5));

  std::cout << lines.size() << " lines, " << words << " words, " << tokens << " tokens\n";
  for (auto const& [word, count] : most) std::cout << count << "  " << word << '\n';
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
