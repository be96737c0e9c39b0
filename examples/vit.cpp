// How do I build a model that sees? A vision transformer (Dosovitskiy et al. 2021): the patches of an image are tokens of an encoder, and one
// token more gathers what the image shows. The dimensions are fixed below; the weights are random, or those of a checkpoint of these dimensions
// as Hugging Face keeps it (tests/fixtures/models/vit-tiny is one).
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

#include <axiform/inspect/attention_table.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/models/load.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/ops/select_rows.hpp>

#include "command_line.hpp"

using namespace axiform;

using Own = Dimensions<Const<32>, Const<4>, Const<8>, Const<48>>;  // hidden, heads, size of a head, feed-forward
constexpr std::size_t layers = 2, labels = 3, channels = 3, side = 16, patch = 4;
constexpr std::size_t grid = side / patch, patches = grid * grid;

struct Images : DynamicAxis {};
struct Patches : DynamicAxis {};  // of all images, one image after another
using Pixels = Const<channels * patch * patch>;
using ImageBatch = Tensor<float, Images, Const<channels>, Const<side>, Const<side>>;

// The patches of each image from left to right and from top to bottom, each as a row of its pixels, channel by channel.
Tensor<float, Patches, Pixels> cut(ImageBatch const& images, Context& context) {
  auto result = make_tensor<float>(context, Shape<Patches, Pixels>(images.length<0>() * patches));
  for (std::size_t row = 0; row < result.rows(); ++row) {
    std::size_t const top = row % patches / grid * patch, left = row % grid * patch;
    for (std::size_t i = 0; i < result.columns(); ++i)
      result(row, i) = images(row / patches, i / (patch * patch), top + i / patch % patch, left + i % patch);
  }
  return result;
}

struct VisionTransformer {
  Linear<Pixels, Own::Hidden> embed_patch;  // a convolution whose steps are as long as its kernel
  Parameter<Own::Hidden> class_token;
  Embedding<axes::Positions, Own::Hidden> positions;
  Encoder<Own, NormPlacement::before> encoder;  // and the norm behind it
  Linear<Own::Hidden, axes::Labels> classifier;

  static VisionTransformer create() {
    LayerSettings const settings{.activation = Activation::gelu, .layer_norm_epsilon = 1e-12F};
    return {
        {}, Parameter<Own::Hidden>({}), {1 + patches, {}}, Encoder<Own, NormPlacement::before>::create({}, layers, settings), {{}, labels}};
  }

  // @return [Sequences, Labels]: the logits of each image.
  Tensor<float, axes::Sequences, axes::Labels> operator()(ImageBatch const& images, Context& context) const {
    auto const embedded = embed_patch(cut(images, context), context);
    auto x = make_tensor<float>(context, Shape<axes::Tokens, Own::Hidden>(images.length<0>() * (1 + patches)));
    SequenceOffsets<axes::Tokens> sequences;
    for (std::size_t image = 0; image < images.length<0>(); ++image) {
      std::copy_n(class_token.data(), x.columns(), x.row(sequences.total()).data());
      std::copy_n(embedded.row(image * patches).data(), patches * x.columns(), x.row(sequences.total() + 1).data());
      sequences.append(1 + patches);
    }
    positions.add_positions(sequences, x.view());
    return classifier(select_rows(encoder(x, sequences, context), sequences, SequenceRow::first, context), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("embed_patch", self.embed_patch);
    visitor("class_token", self.class_token);
    visitor("positions", self.positions);
    visitor("encoder", self.encoder);
    visitor("classifier", self.classifier);
  }
};

// What Hugging Face calls the parameters. The first three have other axes in the file.
NameTable vit_names() {
  return {.family = "vision transformer",
          .prefixes = {"", "vit."},
          .rules = {{"embed_patch.weight", "embeddings.patch_embeddings.projection.weight", Arrangement::reshaped},
                    {"class_token", "embeddings.cls_token", Arrangement::reshaped},
                    {"positions.weight", "embeddings.position_embeddings", Arrangement::reshaped},
                    {"embed_patch.bias", "embeddings.patch_embeddings.projection.bias"},
                    {"encoder.layers.*.attention.output.*", "encoder.layer.*.attention.output.dense.*"},
                    {"encoder.layers.*.attention.*.*", "encoder.layer.*.attention.attention.*.*"},
                    {"encoder.layers.*.attention_norm.*", "encoder.layer.*.layernorm_before.*"},
                    {"encoder.layers.*.mlp_norm.*", "encoder.layer.*.layernorm_after.*"},
                    {"encoder.layers.*.mlp.up.*", "encoder.layer.*.intermediate.dense.*"},
                    {"encoder.layers.*.mlp.down.*", "encoder.layer.*.output.dense.*"},
                    {"encoder.final_norm.*", "layernorm.*"}},
          .body = {"embeddings.**", "encoder.**", "layernorm.**"}};
}

// The tensor "images" of a safetensors file; a picture of stripes where there is no file.
ImageBatch read_images(std::string const& path) {
  if (path.empty()) {
    ImageBatch stripes(1);
    for (std::size_t i = 0; i < stripes.size(); ++i) stripes.data()[i] = std::sin(static_cast<float>(i % side));
    return stripes;
  }
  auto const file = SafetensorsFile::open(path);
  TensorInfo const* const info = file.find("images");
  if (info == nullptr || info->shape.size() != 4 || info->shape != std::vector{info->shape[0], channels, side, side})
    throw FormatError(path + ": expected a tensor \"images\" of the shape [images, 3, 16, 16]");
  ImageBatch images(info->shape[0]);
  file.read_floats(*info, 0, images.elements());
  return images;
}

int main(int argc, char** argv) {
  CommandLine command("vit", "Builds a small vision transformer with random weights, or those of a checkpoint, and shows it images.");
  std::string directory, images_path;
  std::uint64_t seed = 0;
  command.add_text("--model", directory, "Directory of a checkpoint of these dimensions; random weights unless given")->type_name("DIR");
  command.add_text("--images", images_path, "A safetensors file with \"images\", [images, 3, 16, 16]; stripes unless given")
      ->type_name("FILE");
  command.add_number("--seed", seed, "Seed of random weights");

  return command.run(argc, argv, [&](Context& context) {
    auto model = VisionTransformer::create();
    if (directory.empty()) {
      initialize(model, {.seed = seed, .standard_deviation = 0.25}, context);
    } else {
      load_parameters(model, Checkpoint::open(directory), vit_names(), context);
    }
    Capture capture;
    context.observe(&capture);
    auto const logits = model(read_images(images_path), context);

    if (command.json()) {
      Json attention;
      for (std::size_t i = 0; i < logits.rows(); ++i) attention.push_back(rows_to_json(mean_over_heads(capture.attention(layers - 1, i))));
      std::cout << dump_json({{"logits", rows_to_json(logits)}, {"attention", attention}, {"parameters", count_parameters(model)}}) << '\n';
      return;
    }
    std::cout << count_parameters(model) << " parameters\n" << std::fixed << std::setprecision(3);
    for (std::size_t i = 0; i < logits.rows(); ++i) {
      std::cout << "\nimage " << i << ", logits:";
      for (float const logit : logits.row(i)) std::cout << ' ' << logit;
      std::cout << "\nwhat the class token looks at, patch by patch:\n";
      auto const attention = mean_over_heads(capture.attention(layers - 1, i));
      for (std::size_t p = 0; p < patches; ++p) std::cout << ' ' << attention(0, 1 + p) << ((p + 1) % grid == 0 ? "\n" : "");
    }
  });
}
