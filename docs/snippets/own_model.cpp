#include <filesystem>
#include <iostream>
#include <vector>

#include <axiform/io/safetensors_writer.hpp>
#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/initialize.hpp>

namespace axes = axiform::axes;
using axiform::Bert, axiform::Checkpoint, axiform::Const, axiform::ConstParameterRef, axiform::Context, axiform::DimensionsLike,
    axiform::DynamicAxis, axiform::DynamicDimensions, axiform::Layer, axiform::Linear, axiform::ModelSizes, axiform::NameTable,
    axiform::SequenceOffsets, axiform::Tensor, axiform::TensorData, axiform::TokenBatch, axiform::TokenId, axiform::bert_names,
    axiform::tensor_data;

struct Topics : DynamicAxis {};

/// A BERT that scores each text on topics. (What Hugging Face has of heads is in models/bert_heads.hpp; this is one of your own.)
template <DimensionsLike D = DynamicDimensions>
struct TopicModel {
  Bert<D> bert;
  Linear<typename D::Hidden, Topics> topics;

  static TopicModel create(D const& d, ModelSizes const& sizes, std::size_t topics) {
    return {Bert<D>::create(d, sizes), {d.hidden, topics}};
  }

  /// @return [Sequences, Topics].
  Tensor<float, axes::Sequences, Topics> operator()(TokenBatch const& batch, Context& context) const {
    Context::Pass const pass(context);
    return topics(bert.pool(bert(batch, context), batch.sequences, context), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("", self.bert);  // under no name of its own: "encoder.layers.0.…", as BERT alone has it
    visitor("topics", self.topics);
  }
};

/// How its checkpoints name its tensors: BERT's as BERT does, the head's by another name.
NameTable topic_model_names() {
  NameTable names = bert_names();
  names.rules.push_back({"topics.*", "topic_head.*"});
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
  auto made = TopicModel<>::create(dimensions, sizes, 3);
  initialize(made, {.seed = 1}, context);
  save(made, topic_model_names(), directory / "model.safetensors");

  auto model = TopicModel<>::create(dimensions, sizes, 3);
  auto const report = load_parameters(model, Checkpoint::open(directory), topic_model_names(), context);
  std::vector<TokenId> const ids{2, 17, 5, 3, 2, 40, 3};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({4, 3});
  auto const before = made({.ids = ids, .sequences = sequences}, context);
  auto const after = model({.ids = ids, .sequences = sequences}, context);
  std::cout << report.loaded.size() << " loaded, " << after.shape().to_string() << ", "
            << (std::ranges::equal(before.elements(), after.elements()) ? "the same bits" : "other bits") << "\n";
}

// Prints:
// 41 loaded, [2, 3], the same bits
