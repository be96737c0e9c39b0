#include <filesystem>
#include <iostream>
#include <vector>

#include <axiform/io/safetensors_writer.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/initialize.hpp>

using namespace axiform;

struct Labels : DynamicAxis {};

/// A BERT that says to which class each text belongs (Hugging Face's BertForSequenceClassification).
template <DimensionsLike D = DynamicDimensions>
struct Classifier {
  Bert<D> bert;
  Linear<typename D::Hidden, Labels> head;

  static Classifier create(D const& d, ModelSizes const& sizes, std::size_t labels) {
    return {Bert<D>::create(d, sizes), {d.hidden, labels}};
  }

  /// @return [Sequences, Labels].
  Tensor<float, Sequences, Labels> operator()(TokenBatch const& batch, Context& context) const {
    Context::Pass const pass(context);
    return head(bert.pool(bert(batch, context), batch.sequences, context), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("bert", self.bert);
    visitor("head", self.head);
  }
};

/// How its checkpoints name its tensors: BERT's as BERT does, the head's by another name.
NameTable classifier_names() {
  NameTable names = bert_names();
  for (NameRule& rule : names.rules) rule.canonical = "bert." + rule.canonical;
  names.rules.push_back({"head.*", "classifier.*"});
  return names;
}

/// Writes every parameter under the first name that checkpoints have for it.
template <Layer L>
void save(L const& model, NameTable const& names, std::filesystem::path const& file) {
  std::vector<std::vector<float>> values;
  std::vector<TensorData> tensors;
  for_each_parameter(model, [&](std::string_view name, ConstParameterRef const& parameter) {
    values.emplace_back(parameter.size());
    for (std::size_t row = 0; row < parameter.rows(); ++row)
      parameter.read_row(row, std::span(values.back()).subspan(row * parameter.columns(), parameter.columns()));
    tensors.push_back(tensor_data(name_candidates(names, std::string(name)).front().name, parameter.shape(), values.back()));
  });
  write_safetensors(file, tensors);
}

int main() {
  Context context;
  auto const directory = std::filesystem::temp_directory_path() / "axiform_own_model";
  std::filesystem::create_directories(directory);
  DynamicDimensions const dimensions{64, 4, 16, 128};
  ModelSizes const sizes{.layers = 2, .vocabulary = 100, .positions = 32, .token_types = 2};
  auto made = Classifier<>::create(dimensions, sizes, 3);
  initialize(made, {.seed = 1}, context);
  save(made, classifier_names(), directory / "model.safetensors");

  auto model = Classifier<>::create(dimensions, sizes, 3);
  auto const report = load_parameters(model, Checkpoint::open(directory), classifier_names(), context);
  std::vector<TokenId> const ids{2, 17, 5, 3, 2, 40, 3};
  auto const sequences = SequenceOffsets<Tokens>::of_lengths({4, 3});
  auto const before = made({.ids = ids, .sequences = sequences}, context);
  auto const after = model({.ids = ids, .sequences = sequences}, context);
  std::cout << report.loaded.size() << " loaded, " << after.shape().to_string() << ", "
            << (std::ranges::equal(before.elements(), after.elements()) ? "the same bits" : "other bits") << "\n";
}

// Prints:
// 41 loaded, [2, 3], the same bits
