// Which attention map is asked for, and how it is printed.
#pragma once

#include <charconv>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/inspect/attention_table.hpp>
#include <axiform/inspect/chosen_attention.hpp>

#include "command.hpp"

class AttentionMapOptions {
 public:
  explicit AttentionMapOptions(Command& command) : command_(command) {
    command.add_option("--layer", choice_.layer, "Layer, from 0; negative ones count from the last, -1")->type_name("N");
    command.add_option("--head", head_, "A head, from 0, or the mean over all heads")->type_name("mean|N");
    command.add_flag("--hidden-states", hidden_states_, "Print the hidden states too");
  }

  // Which map was asked for.
  axiform::AttentionChoice choice() const {
    auto choice = choice_;
    if (head_ != "mean") choice.head = parse_head();
    return choice;
  }

  // The map that was asked for, out of what `capture` saw; tokens label its rows and columns.
  void print(axiform::Capture const& capture, std::vector<std::string> const& tokens, std::vector<axiform::TokenId> const& ids) const {
    print(capture, choice(), tokens, tokens, {{"tokens", tokens}, {"ids", ids}});
  }
  // The same with other labels of the columns. `document` is what JSON has besides.
  void print(axiform::Capture const& capture, axiform::AttentionChoice const& choice, std::vector<std::string> const& queries,
             std::vector<std::string> const& keys, axiform::Json document) const {
    auto const attention = axiform::chosen_attention(capture, choice);
    if (!command_.json()) {
      axiform::print_attention_table(std::cout, attention, queries, keys);
      if (hidden_states_) print_hidden_states(capture, queries);
      return;
    }
    document["attention"] = rows_to_json(attention);
    if (hidden_states_)
      for (auto const& states : capture.all_hidden_states()) document["hidden_states"].push_back(rows_to_json(states));
    std::cout << axiform::dump_json(document) << '\n';
  }

 private:
  std::size_t parse_head() const {
    std::size_t head = 0;
    auto const [end, error] = std::from_chars(head_.data(), head_.data() + head_.size(), head);
    if (error != std::errc() || end != head_.data() + head_.size())
      throw axiform::ArgumentError("head: found \"" + head_ + "\", expected mean or a number from 0");
    return head;
  }

  // The beginning of each token's state behind each layer.
  static void print_hidden_states(axiform::Capture const& capture, std::vector<std::string> const& tokens) {
    std::cout << std::fixed << std::setprecision(3);
    for (std::size_t stage = 0; stage < capture.all_hidden_states().size(); ++stage) {
      auto const& states = capture.all_hidden_states()[stage];
      std::cout << "\nHidden states " << (stage == 0 ? "before the first layer" : "after layer " + std::to_string(stage - 1)) << ", "
                << states.shape().to_string() << ":\n";
      for (std::size_t i = 0; i < states.rows(); ++i) {
        for (float const value : states.row(i).first(std::min<std::size_t>(states.columns(), 8))) std::cout << std::setw(8) << value;
        std::cout << (states.columns() > 8 ? "  …" : "") << "  " << tokens[i] << '\n';
      }
    }
  }

  Command& command_;
  axiform::AttentionChoice choice_;
  std::string head_ = "mean";
  bool hidden_states_ = false;
};
