// The module trees of models with heads, against what PyTorch prints for them.
#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/any.hpp>
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include "support/files.hpp"
#include "support/goldens.hpp"

using namespace axiform;
using goldens::ChangedFixture;
using goldens::models;

namespace {

// Heading to tree: the name of a fixture, and what its config says otherwise.
std::map<std::string, std::string> expected_trees(char const* name) {
  std::map<std::string, std::string> trees;
  std::ifstream file(models / "expected" / name);
  std::string* tree = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# ")) {
      tree = &trees[line.substr(2)];
    } else {
      REQUIRE(tree);
      *tree += (tree->empty() ? "" : "\n") + line;
    }
  }
  return trees;
}

// In the words of the class that the config names, which may lack the head that the library's model has.
std::string tree_of(AnyModel const& model, std::filesystem::path const& directory) {
  std::string const file = (directory / "config.json").string();
  ModelHead const head = model_head(read_json(file), file);
  std::ostringstream out;
  print_module_tree(out, std::visit([&](auto const& each) { return hugging_face_modules(each, head); }, model));
  return std::move(out).str();
}

}  // namespace

TEST_CASE("any model: architectures picks the type, and its tree is what PyTorch prints") {
  Context context;
  auto const trees = expected_trees("heads.txt");
  CHECK(trees.size() >= 20);
  for (auto const& [name, expected] : trees) {
    CAPTURE(name);
    CHECK(tree_of(load_any(models / name, context), models / name) == expected);
  }
}

TEST_CASE("any model: the tree shows the config's dropouts, padding, activation and family as PyTorch prints them") {
  Context context;
  auto const trees = expected_trees("settings.txt");
  CHECK(trees.size() >= 20);
  for (auto const& [heading, expected] : trees) {
    CAPTURE(heading);
    std::size_t const space = heading.find(' ');
    ChangedFixture const fixture(heading.substr(0, space), parse_json(heading.substr(space + 1), "settings.txt"));
    CHECK(tree_of(load_any(fixture.directory(), context), fixture.directory()) == expected);
  }
}

TEST_CASE("any model: an encoder-decoder around nn.Transformer is one, and its tree is what PyTorch prints") {
  Context context;
  for (char const* const name : {"transformer-tiny", "transformer-pre-norm", "transformer-renamed"}) {
    CAPTURE(name);
    auto const model = load_any(models / name, context);
    CHECK(std::visit([](auto const& each) { return module_tree(each); }, model) + "\n" ==
          axiform::test::read_bytes(models / name / "tree.txt"));
  }
}

TEST_CASE("any model: the bits are those of the type that is named") {
  Context context;
  std::vector<TokenId> const ids{2, 7, 5, 3};
  auto const sequences = SequenceOffsets<axes::Tokens>::single(ids.size());
  TokenBatch const batch{.ids = ids, .sequences = sequences};
  auto const any = load_any(models / "bert-mlm", context);
  auto const found = std::get<BertForMaskedLm<>>(any)(batch, context);
  auto const expected = load<BertForMaskedLm<>>(models / "bert-mlm", context)(batch, context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
}

// Counts as transformers has them, for the dimensions of bert-base-uncased and roberta-base.
static_assert(BertForMaskedLm<BertBase>::parameter_count({}, BertBase::sizes) == 109'514'298);
static_assert(BertForMaskedLm<BertBase>::parameter_count({}, BertBase::sizes, HeadWeights::own) == 109'514'298 + 30'522 * 768);
static_assert(BertForPreTraining<BertBase>::parameter_count({}, BertBase::sizes) == 110'106'428);
static_assert(BertForNextSentence<BertBase>::parameter_count({}, BertBase::sizes) == 109'483'778);
static_assert(BertForQuestionAnswering<BertBase>::parameter_count({}, BertBase::sizes) == 108'893'186);
static_assert(BertForMaskedLm<RobertaBase>::parameter_count({}, RobertaBase::sizes) == 124'697'433);
static_assert(BertForQuestionAnswering<RobertaBase>::parameter_count({}, RobertaBase::sizes) == 124'056'578);
