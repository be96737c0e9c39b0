// visit: names in order, shapes canonical, parts of fused maps, and a layer of the user's own.
#include <axiform/core/context.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/inspect/describe.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/visit.hpp>
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace axiform;

namespace {

// What a user writes: members, a call operator, visit.
template <Axis In, Axis Out>
struct Bottleneck {
  Linear<In, Const<3>> narrow;
  Linear<Const<3>, Out> wide;
  Activation activation = Activation::gelu;

  template <RowsOf<In> X>
  auto operator()(X const& x, Context& context) const {
    return wide(narrow(x, context, activate(activation)), context);
  }

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("narrow", self.narrow);
    visitor("wide", self.wide);
    visitor("activation", self.activation);
  }
};

struct Scaled {
  Linear<Const<4>, Const<4>> inner;
  Parameter<Const<4>> scale;

  static constexpr Scaled create() { return {{}, Parameter<Const<4>>({})}; }
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("inner", self.inner);
    visitor("scale", self.scale);
  }
};

template <class L>
std::vector<std::string> names_of(L& layer) {
  std::vector<std::string> names;
  for_each_parameter(layer, [&](std::string_view name, auto const& parameter) {
    std::string text(name);
    for (std::size_t length : parameter.shape()) text += " " + std::to_string(length);
    names.push_back(text);
  });
  return names;
}

}  // namespace

TEST_CASE("visit: a layer of one's own has its parameters named, shaped and counted") {
  Bottleneck<Const<8>, Const<5>> layer;
  CHECK(names_of(layer) == std::vector<std::string>{"narrow.weight 3 8", "narrow.bias 3", "wide.weight 5 3", "wide.bias 5"});
  CHECK(count_parameters(layer) == 3 * 8 + 3 + 5 * 3 + 5);
  Context context;
  CHECK(layer(Tensor<float, axes::Tokens, Const<8>>(2), context).columns() == 5);
}

TEST_CASE("visit: a parameter of a layer of one's own is named as it is, in constant expressions too") {
  auto scaled = Scaled::create();
  CHECK(names_of(scaled) == std::vector<std::string>{"inner.weight 4 4", "inner.bias 4", "scale 4"});
  CHECK(names_of(std::as_const(scaled)) == names_of(scaled));
  static_assert(count_parameters(Scaled::create()) == 4 * 4 + 4 + 4);
  for_each_parameter(scaled, [](std::string_view name, ParameterRef const& parameter) {
    if (name == "scale") parameter.write_rows(0, std::vector<float>{1, 2, 3, 4});
  });
  CHECK(scaled.scale.data()[3] == 4);
}

TEST_CASE("visit: query, key and value of a fused map are named one by one") {
  auto layer = EncoderLayer<DynamicDimensions, NormPlacement::after>::create({8, 2, 4, 12}, {});
  CHECK(names_of(layer) == std::vector<std::string>{"attention.query.weight 8 8", "attention.query.bias 8", "attention.key.weight 8 8",
                                                    "attention.key.bias 8", "attention.value.weight 8 8", "attention.value.bias 8",
                                                    "attention.output.weight 8 8", "attention.output.bias 8", "attention_norm.weight 8",
                                                    "attention_norm.bias 8", "mlp.up.weight 12 8", "mlp.up.bias 12", "mlp.down.weight 8 12",
                                                    "mlp.down.bias 8", "mlp_norm.weight 8", "mlp_norm.bias 8"});
  CHECK(count_parameters(layer) == 4 * (8 + 1) * 8 + (8 + 1) * 12 + (12 + 1) * 8 + 4 * 8);
}

TEST_CASE("visit: rows written through a part come back, by rows and transposed, and leave the other parts alone") {
  Attention<DynamicDimensions> layer(DynamicDimensions{5, 1, 7, 1});
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    if (name == "key.weight") {
      std::vector<float> values(35);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
      parameter.write_rows(0, values);
    } else if (name == "value.weight") {
      // [in, out] as Conv1D has it: element (in, out) is 100 * out + in.
      std::vector<float> values(35);
      for (std::size_t in = 0; in < 5; ++in)
        for (std::size_t out = 0; out < 7; ++out) values[in * 7 + out] = static_cast<float>(100 * out + in);
      parameter.write_transposed(0, 5, values.data(), 7);
    }
  });
  for_each_parameter(layer, [&](std::string_view name, ParameterRef const& parameter) {
    if (parameter.shape().size() != 2) return;
    std::vector<float> row(parameter.columns());
    for (std::size_t r = 0; r < parameter.rows(); ++r) {
      parameter.read_row(r, row);
      for (std::size_t c = 0; c < row.size(); ++c) {
        float const expected = name == "key.weight" ? static_cast<float>(r * 5 + c + 1) : name == "value.weight" ? static_cast<float>(100 * r + c) : 0.0f;
        REQUIRE(row[c] == expected);
      }
    }
  });
}

TEST_CASE("module tree: any layer prints from its type and visit") {
  Bottleneck<Const<8>, Const<5>> const layer;
  std::ostringstream out;
  print_module_tree(out, describe_modules(layer));
  CHECK(out.str() ==
        "Bottleneck(\n"
        "  (narrow): Linear(in_features=8, out_features=3, bias=True)\n"
        "  (wide): Linear(in_features=3, out_features=5, bias=True)\n"
        "  (activation): GELUActivation()\n"
        ")");
}
