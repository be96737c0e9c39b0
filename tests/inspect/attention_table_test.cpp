// The attention table and the module trees.
#include <axiform/inspect/attention_table.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/gpt2.hpp>
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace axiform;

namespace {

std::string expected_text(char const* name) {
  std::ifstream file(std::filesystem::path(AXIFORM_FIXTURES) / "models" / "expected" / name);
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  std::string result = text.str();
  while (!result.empty() && result.back() == '\n') result.pop_back();
  return result;
}

}  // namespace

TEST_CASE("attention table: labels, rounding and widths") {
  Tensor<float, axes::Queries, axes::Keys> map(2, 2);
  map(0, 0) = 1;
  map(1, 0) = 0.8366f;
  map(1, 1) = 0.1634f;
  std::vector<std::string> const labels{"[CLS]", "friendship"};
  std::ostringstream out;
  print_attention_table(out, map, labels, labels);
  CHECK(out.str() ==
        "           [CLS] friendship\n"
        "     [CLS] 1.000      0.000\n"
        "friendship 0.837      0.163\n");
}

TEST_CASE("attention table: the mean over heads, one head, and what is not there") {
  Tensor<float, axes::Heads, axes::Queries, axes::Keys> map(2, 1, 2);
  map(0, 0, 0) = 1;
  map(1, 0, 1) = 1;
  auto const mean = mean_over_heads(map);
  CHECK(mean(0, 0) == 0.5f);
  CHECK(mean(0, 1) == 0.5f);
  CHECK(attention_of_head(map, 1)(0, 1) == 1);
  CHECK_THROWS_WITH_AS(attention_of_head(map, 2), "head: found 2, expected 0 to 1", ArgumentError);
  std::vector<std::string> const one{"a"};
  std::ostringstream out;
  CHECK_THROWS_AS(print_attention_table(out, mean, one, one), ShapeError);
}

TEST_CASE("module tree: GPT-2 and BERT print as PyTorch printed them in the notebook's time, to the letter") {
  CHECK(module_tree(Gpt2<Gpt2Small>::create()) == expected_text("gpt2_small_notebook.txt"));
  CHECK(module_tree(Bert<BertBase>::create()) == expected_text("bert_base_notebook.txt"));
}
