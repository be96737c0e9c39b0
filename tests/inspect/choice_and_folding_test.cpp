// Which attention map is looked at, and module trees with equal blocks as one.
#include <doctest/doctest.h>
#include <axiform/inspect/chosen_attention.hpp>
#include <axiform/inspect/folded_tree.hpp>
#include <axiform/inspect/module_tree.hpp>

#include <sstream>

using namespace axiform;

TEST_CASE("chosen attention: layers count from either end, and without a head the mean is taken") {
  Capture capture;
  for (std::size_t layer = 0; layer < 3; ++layer) {
    capture.begin_layer(layer);
    float* const map = capture.attention_probabilities(AttentionKind::self, 0, 2, 1, 1);
    map[0] = static_cast<float>(layer);
    map[1] = static_cast<float>(layer + 10);
  }
  CHECK(chosen_attention(capture, {})(0, 0) == 7);
  CHECK(chosen_attention(capture, {.layer = 0, .head = 0})(0, 0) == 0);
  CHECK(chosen_attention(capture, {.layer = -3, .head = 1})(0, 0) == 10);
  CHECK(chosen_attention(capture, {.layer = 2, .head = 1})(0, 0) == 12);
  CHECK_THROWS_WITH_AS(chosen_attention(capture, {.layer = 3}), "layer: found 3, expected -3 to 2", ArgumentError);
  CHECK_THROWS_WITH_AS(chosen_attention(capture, {.layer = -4}), "layer: found -4, expected -3 to 2", ArgumentError);
  CHECK_THROWS_WITH_AS(chosen_attention(capture, {.layer = 0, .head = 2}), "head: found 2, expected 0 to 1", ArgumentError);
  CHECK_THROWS_AS(chosen_attention(capture, {}, 1), ArgumentError);
}

TEST_CASE("chosen attention: a pass that was not seen has no layers") {
  CHECK_THROWS_AS(chosen_attention(Capture(), {}), ArgumentError);
  CHECK_THROWS_AS(chosen_attention(Capture(), {.layer = 0}), ArgumentError);
}

TEST_CASE("folded tree: equal neighbours of a list become one, and nothing else does") {
  ModuleNode const block = ModuleNode{{}, "Block", {}}.add("norm", module_leaf("Norm()")).add("linear", module_leaf("Linear()"));
  ModuleNode const other = ModuleNode{{}, "Block", {}}.add("norm", module_leaf("Norm()"));
  ModuleNode list{{}, "ModuleList", {}};
  list.add("0", block).add("1", block).add("2", other).add("3", block);
  ModuleNode const model =
      ModuleNode{{}, "Model", {}}.add("layers", list).add("first", module_leaf("Norm()")).add("second", module_leaf("Norm()"));
  std::ostringstream out;
  print_module_tree(out, fold_equal_modules(model));
  CHECK(out.str() ==
        "Model(\n"
        "  (layers): ModuleList(\n"
        "    (0-1): 2 x Block(\n"
        "      (norm): Norm()\n"
        "      (linear): Linear()\n"
        "    )\n"
        "    (2): Block(\n"
        "      (norm): Norm()\n"
        "    )\n"
        "    (3): Block(\n"
        "      (norm): Norm()\n"
        "      (linear): Linear()\n"
        "    )\n"
        "  )\n"
        "  (first): Norm()\n"
        "  (second): Norm()\n"
        ")");
}
