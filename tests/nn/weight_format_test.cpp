// Weights in each format: what is written comes back rounded, however it was written, and layers compute as with floats of the same values, as
// nearly as products that round their rows do.
#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/core/weight_blocks.hpp>
#include <axiform/inspect/costs.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/encoder.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/nn/parameter.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>
#include <axiform/ops/packed_matrix.hpp>
#include <axiform/ops/weight_table.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "support/distance.hpp"
#include "support/random_floats.hpp"
#include "support/rounded_weights.hpp"

using namespace axiform;
using test::random_floats;

namespace {

struct Rows : DynamicAxis {};
struct Width : DynamicAxis {};

std::vector<float> rounded(WeightFormat format, std::vector<float> values, std::size_t columns) {
  test::round_weights(format, values, columns);
  return values;
}

// The least that a part of a row is written in.
std::size_t part_of(WeightFormat format, std::size_t usual) { return is_in_blocks(format) ? weights_of_block(format) : usual; }

bool same_bits(std::vector<float> const& a, std::vector<float> const& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// [out, in], row by row.
std::vector<float> outputs_of(PackedMatrix const& matrix) {
  std::vector<float> values(matrix.outputs() * matrix.inputs());
  for (std::size_t output = 0; output < matrix.outputs(); ++output) matrix.read_output(output, values.data() + output * matrix.inputs());
  return values;
}

// Writes seeded values to every parameter; of matrices and tables those that `format` keeps.
template <Layer L>
void fill(L& layer, WeightFormat format) {
  unsigned seed = 1;
  for_each_parameter(layer, [&](std::string_view, ParameterRef const& parameter) {
    auto const values = random_floats(parameter.size(), seed++);
    parameter.write_rows(0, parameter.shape().size() < 2 ? values : rounded(format, values, parameter.columns()));
  });
}

template <class T>
std::vector<float> values_of(T const& tensor) {
  std::vector<float> values;
  for (std::size_t row = 0; row < tensor.rows(); ++row)
    values.insert(values.end(), tensor.row(row).data(), tensor.row(row).data() + tensor.columns());
  return values;
}

}  // namespace

TEST_CASE("packed matrix: outputs and inputs come back rounded to the format, whichever of the two was written, in any parts") {
  for (WeightFormat format : weight_formats)
    for (std::size_t outputs : {std::size_t{1}, std::size_t{7}, kernels::panel_width, 2 * kernels::panel_width + 3})
      for (std::size_t inputs : {std::size_t{1}, std::size_t{5}, std::size_t{64}, std::size_t{131}, std::size_t{160}, std::size_t{512}}) {
        auto const values = random_floats(outputs * inputs, 1);
        PackedMatrix by_rows(inputs, outputs), by_columns(inputs, outputs);
        by_rows.set_format(format);
        by_columns.set_format(format);
        CHECK(by_rows.format() == format_of_rows(format, inputs));
        std::size_t const part = part_of(by_rows.format(), 3);
        for (std::size_t first = 0; first < outputs; first += 5)
          by_rows.write_outputs(first, std::min<std::size_t>(5, outputs - first), values.data() + first * inputs);
        std::vector<float> turned(values.size());
        for (std::size_t o = 0; o < outputs; ++o)
          for (std::size_t i = 0; i < inputs; ++i) turned[i * outputs + o] = values[o * inputs + i];
        for (std::size_t first = 0; first < inputs; first += part)
          by_columns.write_inputs(first, std::min(part, inputs - first), 0, outputs, turned.data() + first * outputs, outputs);
        auto const expected = rounded(format, values, inputs);
        CHECK(same_bits(outputs_of(by_rows), expected));
        CHECK(same_bits(outputs_of(by_columns), expected));
        std::vector<float> sum(inputs, 1.0f), wanted(expected.end() - static_cast<std::ptrdiff_t>(inputs), expected.end());
        by_rows.add_output(outputs - 1, sum.data());
        for (float& value : wanted) value = 1.0f + value;
        CHECK(same_bits(sum, wanted));
      }
}

TEST_CASE("packed matrix: a filled one is converted to any other format, an empty one stays zeros") {
  std::size_t const outputs = 2 * kernels::panel_width + 1;
  for (std::size_t inputs : {std::size_t{37}, std::size_t{64}, std::size_t{256}}) {
    auto const values = random_floats(outputs * inputs, 2);
    for (WeightFormat from : weight_formats)
      for (WeightFormat to : weight_formats) {
        PackedMatrix matrix(inputs, outputs), empty(inputs, outputs);
        matrix.set_format(from);
        matrix.write_outputs(0, outputs, values.data());
        matrix.set_format(to);
        empty.set_format(from);
        empty.set_format(to);
        auto const expected = rounded(to, rounded(from, values, inputs), inputs);
        CHECK(matrix.format() == format_of_rows(to, inputs));
        CHECK(same_bits(outputs_of(matrix), expected));
        CHECK(outputs_of(empty) == std::vector<float>(outputs * inputs, 0.0f));  // or -0
        PackedMatrix moved(std::move(matrix));
        CHECK(moved.format() == format_of_rows(to, inputs));
        empty = std::move(moved);
        CHECK(same_bits(outputs_of(empty), expected));
      }
  }
}

TEST_CASE("packed matrix: blocks are taken as they are, and inputs that are no whole blocks refused") {
  std::size_t const outputs = kernels::panel_width + 5;
  for (WeightFormat format : {WeightFormat::q8_0, WeightFormat::q4_0, WeightFormat::q4_1, WeightFormat::q4_k}) {
    std::size_t const block = weights_of_block(format), inputs = 3 * block;
    // What is not the rounding of any floats: a scale that is too large for the numbers.
    auto const values = random_floats(outputs * inputs, 7);
    std::vector<std::byte> blocks(bytes_of(format, values.size()));
    write_blocks(format, values.data(), values.size(), blocks.data());
    for (std::size_t i = 0; i < blocks.size(); i += bytes_of(format, block)) blocks[i + 1] ^= std::byte{4};
    std::vector<float> expected(values.size()), row(inputs), sum(inputs, 1.0f);
    read_blocks(format, blocks.data(), values.size(), expected.data());
    PackedMatrix matrix(inputs, outputs);
    WeightTable table(outputs, inputs);
    matrix.set_format(format);
    table.set_format(format);
    std::size_t const some = 3 * bytes_of(format, inputs);
    for (auto const write : {0, 1}) {
      auto const part = write == 0 ? std::span<std::byte const>(blocks).first(some) : std::span<std::byte const>(blocks).subspan(some);
      matrix.write_blocks(write == 0 ? 0 : 3, part);
      table.write_blocks(write == 0 ? 0 : 3, part);
    }
    CHECK(same_bits(outputs_of(matrix), expected));
    for (std::size_t i = 0; i < outputs; ++i) {
      table.read_row(i, row.data());
      CHECK(std::memcmp(row.data(), expected.data() + i * inputs, inputs * sizeof(float)) == 0);
    }
    table.add_row(2, sum.data());
    for (std::size_t i = 0; i < inputs; ++i) CHECK(sum[i] == 1.0f + expected[2 * inputs + i]);
    CHECK_THROWS_AS(matrix.write_inputs(8, block, 0, outputs, values.data(), outputs), ArgumentError);
    CHECK_THROWS_AS(matrix.write_inputs(block, 8, 0, outputs, values.data(), outputs), ArgumentError);
    CHECK_THROWS_AS(table.write(0, 8, values.data(), block), ArgumentError);
  }
}

TEST_CASE("weight table: rows come back rounded to the format and are added with that value, and sizes beyond memory are refused") {
  std::size_t const rows = 6;
  for (std::size_t columns : {std::size_t{19}, std::size_t{64}, std::size_t{512}}) {
    auto const values = random_floats(rows * columns, 3);
    for (WeightFormat format : weight_formats) {
      WeightTable table(rows, columns);
      table.set_format(format);
      CHECK(table.format() == format_of_rows(format, columns));
      table.write(0, 0, values.data(), 4 * columns);
      std::size_t const part = part_of(table.format(), 1);
      for (std::size_t column = 0; column < columns; column += part)
        for (std::size_t row = 4; row < rows; ++row) table.write(row, column, values.data() + row * columns + column, part);
      WeightTable converted(rows, columns);
      converted.write(0, 0, values.data(), rows * columns);
      converted.set_format(format);
      auto const expected = rounded(format, values, columns);
      for (std::size_t row = 0; row < rows; ++row) {
        std::vector<float> found(columns), other(columns), sum(columns, 1.0f),
            wanted(expected.begin() + std::ptrdiff_t(row * columns), expected.begin() + std::ptrdiff_t((row + 1) * columns));
        table.read_row(row, found.data());
        converted.read_row(row, other.data());
        table.add_row(row, sum.data());
        CHECK(same_bits(found, wanted));
        CHECK(same_bits(other, wanted));
        for (float& value : wanted) value = 1.0f + value;
        CHECK(same_bits(sum, wanted));
      }
      converted.set_format(WeightFormat::f32);
      std::vector<float> last(columns), wanted(expected.end() - std::ptrdiff_t(columns), expected.end());
      converted.read_row(rows - 1, last.data());
      CHECK(same_bits(last, wanted));
    }
  }
  std::size_t const most = std::numeric_limits<std::size_t>::max();
  CHECK_THROWS_AS(WeightTable(most / 2, 3), ShapeError);
  CHECK_THROWS_AS(WeightTable(3, most / 4), ShapeError);
}

TEST_CASE("embeddings: tables in each format look up, add and multiply as tables of floats with the same values, tied or not") {
  std::vector<TokenId> const ids{0, 40, 3, 3, 88};
  auto const three = SequenceOffsets<axes::Tokens>::single(5);
  Context context;
  for (std::size_t width : {std::size_t{21}, std::size_t{64}, std::size_t{256}}) {
    for (HeadWeights head : {HeadWeights::own, HeadWeights::tied})
      for (WeightFormat format : weight_formats) {
        TokenEmbedding<Rows, Width> floats({89}, {width}, head), weights({89}, {width}, head);
        set_weight_format(weights, format);
        fill(floats, format);
        fill(weights, WeightFormat::f32);
        auto const look_up = [&](TokenEmbedding<Rows, Width> const& table) {
          Tensor<float, axes::Tokens, Width> rows(std::size_t{5}, width);
          table.write_rows(ids, rows.view(), "id");
          table.add_rows(std::vector<TokenId>{1, 2, 1, 0, 88}, rows.view(), "id");
          return values_of(rows);
        };
        CHECK(same_bits(look_up(floats), look_up(weights)));
        if (head != HeadWeights::tied) continue;
        Tensor<float, axes::Tokens, Width> x(std::size_t{5}, width);
        floats.write_rows(ids, x.view(), "id");
        auto const expected = values_of(floats.tied().product(x, context)), found = values_of(weights.tied().product(x, context));
        if (test::multiplies_floats(format_of_rows(format, width))) {
          CHECK(same_bits(expected, found));
        } else {
          CHECK(test::relative_distance(found, expected) < 0.01);
        }
      }
    for (WeightFormat format : weight_formats) {
      Embedding<Rows, Width> floats({9}, {width}), weights({9}, {width});
      set_weight_format(weights, format);
      fill(floats, format);
      fill(weights, WeightFormat::f32);
      auto const positions = [&](Embedding<Rows, Width> const& table) {
        Tensor<float, axes::Tokens, Width> rows(std::size_t{5}, width);
        table.add_row(7, rows.view());
        table.add_positions(three, rows.view(), std::vector<std::size_t>{4});
        return values_of(rows);
      };
      CHECK(same_bits(positions(floats), positions(weights)));
    }
  }
}

namespace {

// Values that a layer of one's own reads as they lie in memory.
class Plain {
 public:
  static constexpr void visit(auto& self, auto&& visitor) { visitor("values", self.values_.ref()); }

 private:
  Parameter<Rows, Width> values_{Shape<Rows, Width>::of({2, 3})};
};

// A layer of one's own, which knows nothing of formats.
struct Scorer {
  Embedding<Rows, Width> table{{40}, {256}};
  Linear<Width, Width> mix{{256}, {256}};
  VocabularyHead<Width, Rows> head{{256}, {70}, HeadWeights::own, Bias::present};
  Plain plain;

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("table", self.table);
    visitor("mix", self.mix);
    visitor("head", self.head);
    visitor("plain", self.plain);
  }
};

}  // namespace

TEST_CASE("set_weight_format: every matrix and table of a layer of one's own is kept in the format, vectors and plain values stay floats") {
  for (WeightFormat format : weight_formats) {
    Scorer made, converted;
    set_weight_format(made, format);
    fill(made, WeightFormat::f32);
    fill(converted, WeightFormat::f32);
    set_weight_format(converted, format);
    std::size_t index = 0;
    std::vector<ConstParameterRef> of_made;
    for_each_parameter(std::as_const(made), [&](std::string_view, ConstParameterRef const& parameter) { of_made.push_back(parameter); });
    for_each_parameter(std::as_const(converted), [&](std::string_view name, ConstParameterRef const& parameter) {
      CAPTURE(name);
      bool const narrowed = parameter.shape().size() == 2 && name != "plain.values";
      CHECK(parameter.format() == (narrowed ? format : WeightFormat::f32));
      CHECK(of_made[index].format() == parameter.format());
      auto const values = random_floats(parameter.size(), unsigned(index + 1));
      auto const expected = narrowed ? rounded(format, values, parameter.columns()) : values;
      for (std::size_t row = 0; row < parameter.rows(); ++row) {
        std::vector<float> found(parameter.columns()), other(parameter.columns());
        parameter.read_row(row, found);
        of_made[index].read_row(row, other);
        auto const from = expected.begin() + std::ptrdiff_t(row * parameter.columns());
        CHECK(same_bits(found, {from, from + std::ptrdiff_t(parameter.columns())}));
        CHECK(same_bits(other, found));
      }
      ++index;
    });
    CHECK(index == 6);
    std::size_t const narrow = (40 + 256 + 70) * 256, wide = 256 + 70 + 2 * 3;
    CHECK(module_costs(converted).weight_bytes == bytes_of(format, narrow) + wide * 4);
  }
}

TEST_CASE("bf16: an encoder's layer has the same bits whether or not somebody watches") {
  std::vector<std::size_t> const lengths{5, 1, 40, 17};
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths(lengths);
  auto const values = random_floats(63 * 64, 3);
  // Heads that fill the chunks of rounded rows, and heads that do not.
  for (DynamicDimensions const d : {DynamicDimensions{64, 2, 32, 100}, DynamicDimensions{64, 4, 16, 64}})
    for (std::size_t window : {0, 3})
      for (Activation activation : {Activation::gelu, Activation::none}) {
        Context context = Context::with_threads(2);
        auto layer = EncoderLayer<DynamicDimensions, NormPlacement::after>::create(d, {.activation = activation, .window = window});
        initialize(layer, {.standard_deviation = 0.2}, context);
        set_weight_format(layer, WeightFormat::bf16);
        Tensor<float, axes::Tokens, axes::Hidden> x(std::size_t{63}, std::size_t{64});
        std::ranges::copy(values, x.elements().begin());
        auto const alone = layer(x, {.sequences = sequences}, context);
        Observer observer;
        context.observe(&observer);
        auto const watched = layer(x, {.sequences = sequences}, context);
        CHECK(std::ranges::equal(watched.elements(), alone.elements()));
      }
}

TEST_CASE("bf16: a map hands on rounded rows to one in bf16 alone, with the bits of floats") {
  Context context;
  Linear<Width, Rows> up({70}, {40});
  Linear<Rows, Width> down({40}, {70});
  fill(up, WeightFormat::bf16);
  fill(down, WeightFormat::bf16);
  Tensor<float, axes::Tokens, Width> x(std::size_t{9}, std::size_t{70});
  std::ranges::copy(random_floats(9 * 70, 5), x.elements().begin());
  CHECK_THROWS_WITH_AS(up.rounded(x, context), "Linear: found rounded rows and weights in f32, expected bf16 and products by tiles",
                       ArgumentError);
  set_weight_format(up, WeightFormat::bf16);
  if (!can_round_results(up.format())) return;
  auto const rounded = up.rounded(x, context, gelu);
  CHECK_THROWS_AS(down(rounded, context), ArgumentError);
  set_weight_format(down, WeightFormat::bf16);
  auto const found = down(rounded, context, add_residual(x)), expected = down(up(x, context, gelu), context, add_residual(x));
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
  Linear<Rows, Width> const narrow({30}, {70});
  CHECK_THROWS_WITH_AS(narrow(rounded, context), "Linear<Rows, Width>: found a tensor [9, 40], expected [Tokens, 30]", ShapeError);
}

#if defined(__linux__)
namespace {

// Bytes of memory that this process has from the system.
std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

}  // namespace

TEST_CASE("set_weight_format: a large layer that was just made takes no memory, before and after") {
  std::size_t const before = resident_bytes();
  Linear<Width, Rows> layer({4096}, {16384});  // 256 MiB of floats
  set_weight_format(layer, WeightFormat::bf16);
  CHECK(resident_bytes() < before + (std::size_t{32} << 20));
}
#endif
