/// @file
/// Visiting: how loading, saving, counting and printing see a layer.
///
/// A layer is members, a call operator, and `visit`, which names every member once:
///
///     template <class In, class Out>
///     struct TwoLinear {
///       Linear<In, axes::Inner> first;
///       Linear<axes::Inner, Out> second;
///
///       static constexpr void visit(auto& self, auto&& visitor) {
///         visitor("first", self.first);
///         visitor("second", self.second);
///       }
///     };
///
/// A member is a layer, a `Parameter`, a list or an optional of these, or a setting, which most visitors pass over.
///
/// An aggregate whose members are not all visited, by their number, is a compile-time error. A member that is visited under the empty name lends its own members'
/// names: `visitor("", self.bert)` makes "embeddings.words.weight", as the encoder alone has it, not "bert.embeddings.words.weight".
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/weight_format.hpp>
#include <axiform/ops/packed_matrix.hpp>
#include <axiform/ops/weight_table.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// Refers to one parameter of a model, whatever its layout and format: plain floats, a table, or a range of the outputs of a packed matrix. What is
/// written and read are floats.
/// Rows and shape are canonical: [out, in] for a matrix, [rows, width] for a table, [length] for a vector.
template <class Float>
  requires std::same_as<std::remove_const_t<Float>, float>
class BasicParameterRef {
 public:
  /// The packed matrix that it may lie in.
  using Matrix = std::conditional_t<std::is_const_v<Float>, PackedMatrix const, PackedMatrix>;
  /// The table that it may be.
  using Table = std::conditional_t<std::is_const_v<Float>, WeightTable const, WeightTable>;

  /// Plain values of that shape, row-major.
  constexpr BasicParameterRef(std::vector<std::size_t> shape, Float* values) : shape_(std::move(shape)), values_(values) {}
  /// Outputs [first_output, first_output + outputs) of a packed matrix.
  constexpr BasicParameterRef(Matrix& matrix, std::size_t first_output, std::size_t outputs)
      : shape_{outputs, matrix.inputs()}, matrix_(&matrix), first_output_(first_output) {}
  /// A whole packed matrix.
  constexpr BasicParameterRef(Matrix& matrix) : BasicParameterRef(matrix, 0, matrix.outputs()) {}
  /// A whole table.
  constexpr BasicParameterRef(Table& table) : shape_{table.rows(), table.columns()}, table_(&table) {}

  /// The canonical lengths.
  constexpr std::vector<std::size_t> const& shape() const noexcept { return shape_; }
  /// Whether it lies in a packed matrix.
  constexpr bool is_matrix() const noexcept { return matrix_ != nullptr; }
  /// What it is kept in; plain floats are f32.
  WeightFormat format() const noexcept { return matrix_ ? matrix_->format() : table_ ? table_->format() : WeightFormat::f32; }
  /// Keeps the table, or the whole matrix that it lies in, in another format, rounded to it; plain floats stay what they are. A format of blocks is
  /// that of `format_of_rows`. Where nothing was written yet no memory is touched.
  void set_format(WeightFormat format) const
    requires(!std::is_const_v<Float>)
  {
    if (matrix_) matrix_->set_format(format);
    if (table_) table_->set_format(format);
  }
  /// The matrix that it lies in, or null.
  constexpr Matrix* matrix() const noexcept { return matrix_; }
  /// The table that it is, or null.
  constexpr Table* table() const noexcept { return table_; }
  /// The first of its outputs in the matrix.
  constexpr std::size_t first_output() const noexcept { return first_output_; }
  /// The rows of what it lies in: of all parts of the matrix.
  constexpr std::size_t storage_rows() const noexcept { return matrix_ ? matrix_->outputs() : rows(); }
  /// Lets all of what it lies in be memory of somebody else. @throws As `PackedMatrix::share`.
  void share(std::span<std::byte const> bytes, std::shared_ptr<void const> owner) const requires(!std::is_const_v<Float>) {
    if (matrix_) matrix_->share(bytes, std::move(owner));
    if (table_) table_->share(bytes, std::move(owner));
  }
  /// What it lies in, the same of all parts of a matrix.
  constexpr void const* storage() const noexcept {
    if (matrix_) return matrix_;
    if (table_) return table_;
    return values_;
  }
  /// Rows of the canonical form; a vector is one row.
  constexpr std::size_t rows() const noexcept { return shape_.size() == 1 ? 1 : shape_[0]; }
  constexpr std::size_t columns() const noexcept { return shape_.back(); }    ///< The last canonical length.
  constexpr std::size_t size() const noexcept { return rows() * columns(); }  ///< The number of values.

  /// Writes canonical rows from `first` on: `values` is [n, columns].
  void write_rows(std::size_t first, std::span<float const> values) const
    requires(!std::is_const_v<Float>)
  {
    if (matrix_) {
      matrix_->write_outputs(first_output_ + first, values.size() / columns(), values.data());
    } else if (table_) {
      table_->write(first, 0, values.data(), values.size());
    } else {
      std::copy(values.begin(), values.end(), values_ + first * columns());
    }
  }
  /// Writes canonical rows from `first` on as the blocks that they are, of whole rows, as core/weight_blocks.hpp has them: nothing is rounded.
  /// @pre The format is one of blocks.
  void write_blocks(std::size_t first, std::span<std::byte const> blocks) const
    requires(!std::is_const_v<Float>)
  {
    if (matrix_) {
      matrix_->write_blocks(first_output_ + first, blocks);
    } else if (table_) {
      table_->write_blocks(first, blocks);
    }
  }
  /// Writes columns from `first` on, given the transposed form: `values` points at [count, rows] with `stride` between its rows.
  /// @throws ArgumentError when the format is one of blocks, and `first` or `count` no multiple of `weights_of_block(format())`.
  void write_transposed(std::size_t first, std::size_t count, float const* values, std::size_t stride) const
    requires(!std::is_const_v<Float>)
  {
    if (matrix_) {
      matrix_->write_inputs(first, count, first_output_, rows(), values, stride);
    } else if (table_ && is_in_blocks(table_->format())) {
      std::vector<float> part(count);
      for (std::size_t row = 0; row < rows(); ++row) {
        for (std::size_t i = 0; i < count; ++i) part[i] = values[i * stride + row];
        table_->write(row, first, part.data(), count);
      }
    } else {
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t row = 0; row < rows(); ++row) {
          float const* const value = values + i * stride + row;
          if (table_)
            table_->write(row, first + i, value, 1);
          else
            values_[row * columns() + first + i] = *value;
        }
    }
  }
  /// Reads canonical row `row` as the blocks that it is. @pre The format is one of blocks.
  void read_blocks(std::size_t row, std::byte* blocks) const noexcept {
    if (matrix_) matrix_->read_blocks_of(first_output_ + row, blocks);
    if (table_) table_->read_blocks_of(row, blocks);
  }
  /// Reads canonical row `row` into `values`, [columns].
  void read_row(std::size_t row, std::span<float> values) const {
    if (matrix_) {
      matrix_->read_output(first_output_ + row, values.data());
    } else if (table_) {
      table_->read_row(row, values.data());
    } else {
      std::copy_n(values_ + row * columns(), columns(), values.data());
    }
  }

 private:
  std::vector<std::size_t> shape_;
  Float* values_ = nullptr;
  Matrix* matrix_ = nullptr;
  Table* table_ = nullptr;
  std::size_t first_output_ = 0;
};

using ParameterRef = BasicParameterRef<float>;             ///< A parameter that may be written.
using ConstParameterRef = BasicParameterRef<float const>;  ///< A parameter that may be read.

/// A whole matrix or table, for `visit`.
template <class Weights>
  requires(std::same_as<std::remove_const_t<Weights>, PackedMatrix> || std::same_as<std::remove_const_t<Weights>, WeightTable>)
constexpr auto parameter_ref(Weights& weights) {
  return BasicParameterRef<std::conditional_t<std::is_const_v<Weights>, float const, float>>(weights);
}

namespace internal {

struct IgnoreMember {
  constexpr void operator()(std::string_view, auto const&) const noexcept {}
};

template <class T>
inline constexpr bool is_parameter_ref = std::is_same_v<T, ParameterRef> || std::is_same_v<T, ConstParameterRef>;

template <class T>
struct Declared {
  T value;
};
// Never defined: it is named, not read. (As Boost.PFR finds the members of an aggregate.)
template <class T>
extern Declared<T> declared;

struct AnyMember {
  template <class T>
  operator T() const;
};

template <class T, std::size_t... Index>
constexpr bool takes_members(std::index_sequence<Index...>) {
  return requires { T{(static_cast<void>(Index), AnyMember{})...}; };
}

// Whether T has `count` members: it takes so many initialisers and no more.
template <class T, std::size_t count>
inline constexpr bool has_members = takes_members<T>(std::make_index_sequence<count>{}) && !takes_members<T>(std::make_index_sequence<count + 1>{});

struct CountMembers {
  std::size_t& count;
  constexpr void operator()(std::string_view, auto const&) const noexcept { ++count; }
};

// Clang warns wherever `declared` is named and no definition is seen.
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#endif
template <class T>
constexpr std::size_t count_visited() {
  std::size_t count = 0;
  T::visit(declared<T>.value, CountMembers{count});
  return count;
}
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

}  // namespace internal

/// A type with a `visit` of its own.
template <class T>
concept Layer = requires(T& layer) { std::remove_cvref_t<T>::visit(layer, internal::IgnoreMember{}); };

/// Visits the members of a layer.
template <Layer L>
constexpr void visit_members(L& layer, auto&& visitor) {
  using T = std::remove_cvref_t<L>;
  if constexpr (std::is_aggregate_v<T>) {
    static_assert(internal::has_members<T, internal::count_visited<T>()>, "visit() must name every member of the layer exactly once");
  }
  T::visit(layer, visitor);
}

namespace internal {

// Visits what is below a member: `each(name, member)` for a list's elements and a layer's members, `leaf(member)` for a parameter.
template <class T, class Each, class Leaf>
constexpr void walk_member(T& member, Each const& each, Leaf const& leaf) {
  if constexpr (is_parameter_ref<std::remove_cvref_t<T>>) {
    leaf(member);
  } else if constexpr (requires { member.ref(); }) {
    auto parameter = member.ref();
    leaf(parameter);
  } else if constexpr (Layer<T>) {
    visit_members(member, each);
  } else if constexpr (requires { member.has_value(); }) {
    if (member.has_value()) walk_member(*member, each, leaf);
  } else if constexpr (requires { member.begin(); }) {
    std::size_t index = 0;
    for (auto& element : member) each(index++, element);
  }
  // What is left are settings: numbers and enumerations.
}

inline std::string_view name_of_member(std::string_view name, std::string&) { return name; }
inline std::string_view name_of_member(std::size_t index, std::string& text) { return text = std::to_string(index); }

template <class Ref>
struct ParameterWalk {
  std::string& path;
  FunctionRef<void(std::string_view, Ref const&)> function;

  void operator()(auto const& name, auto& member) const {
    std::size_t const length = path.size();
    std::string index;
    std::string_view const text = name_of_member(name, index);
    if (!path.empty() && !text.empty()) path += '.';
    path += text;
    walk_member(member, *this, [this](Ref const& parameter) { function(path, parameter); });
    path.resize(length);
  }
  void operator()(auto const& name, auto const&& member) const { (*this)(name, member); }
};

// What a walk over a layer gives.
template <class L>
using RefOf = std::conditional_t<std::is_const_v<L>, ConstParameterRef, ParameterRef>;

struct ParameterCount {
  std::size_t& all;
  std::size_t& of_products;

  constexpr void operator()(auto const&, auto& member) const {
    walk_member(member, *this, [this](auto const& parameter) {
      all += parameter.size();
      if (parameter.is_matrix()) of_products += parameter.size();
    });
  }
  constexpr void operator()(auto const& name, auto const&& member) const { (*this)(name, member); }
};

}  // namespace internal

/// Calls `function(path, parameter)` for every parameter of a layer, in order; the path is canonical: "layers.3.attention.query.weight".
/// The parameter is a `ParameterRef`, or a `ConstParameterRef` when the layer is const.
template <Layer L>
void for_each_parameter(L& layer, FunctionRef<void(std::string_view, internal::RefOf<L> const&)> function) {
  std::string path;
  visit_members(layer, internal::ParameterWalk<internal::RefOf<L>>{path, function});
}

/// The number of parameters of a layer; tied ones are there once. In a constant expression too, of a layer that is made there:
/// `parameter_count<Model>`.
template <Layer L>
constexpr std::size_t count_parameters(L const& layer) {
  std::size_t all = 0, of_products = 0;
  visit_members(layer, internal::ParameterCount{all, of_products});
  return all;
}

/// The weights of a layer's products, counted likewise: what a row is multiplied with.
template <Layer L>
constexpr std::size_t count_product_weights(L const& layer) {
  std::size_t all = 0, of_products = 0;
  visit_members(layer, internal::ParameterCount{all, of_products});
  return of_products;
}

/// Keeps every matrix and every table of a layer in `format`, rounded to it (a format of blocks is bf16 where rows are no multiple of 32 long); norms, biases and plain `Parameter`s stay
/// floats. What arithmetic does with a format says docs/models.md.
///
/// On a layer just made, whose weights are zeros yet, this touches no memory: a model that is loaded afterwards takes what its format takes.
template <Layer L>
void set_weight_format(L& layer, WeightFormat format) {
  for_each_parameter(layer, [format](std::string_view, ParameterRef const& parameter) { parameter.set_format(format); });
}

}  // namespace axiform::inline AXIFORM_ARCH
