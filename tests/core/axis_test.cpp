// Axes, shapes, views and tensors: what the type knows, what is checked, what converts.
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <doctest/doctest.h>

#include <array>
#include <type_traits>

using namespace axiform;

static_assert(FitsAxis<Const<3>, Const<3>>);
static_assert(FitsAxis<Const<3>, axes::Hidden>);
static_assert(!FitsAxis<axes::Hidden, Const<3>>);
static_assert(!FitsAxis<axes::Queries, axes::Keys>);
static_assert(std::is_same_v<Product<Const<12>, Const<64>>, Const<768>>);

// Names and lengths in one.
struct Features : Const<64> {};
struct Channels : Const<64> {};
struct Groups : Const<12> {};
struct Width : Const<768>, axes::Hidden {};  // the hidden width, and how much it is
static_assert(StaticAxis<Features> && Axis<Features> && Features::length == 64);
static_assert(!FitsAxis<Features, Channels>, "names differ, be they equally long");
static_assert(FitsAxis<Features, Const<64>> && FitsAxis<Const<64>, Features>, "a length without a name takes any name of that length");
static_assert(!FitsAxis<Const<63>, Features> && !FitsAxis<Features, Const<63>>);
static_assert(!FitsAxis<Features, axes::Hidden>, "another name");
static_assert(FitsAxis<Width, axes::Hidden> && FitsAxis<Width, Const<768>> && !FitsAxis<axes::Hidden, Width>, "an axis fits its bases");
static_assert(StaticAxis<Product<Groups, Features>> && Product<Groups, Features>::length == 768);
static_assert(FitsAxis<Product<Groups, Features>, Const<768>> && !FitsAxis<Product<Groups, Features>, Product<Groups, Channels>>);
static_assert(Sum<Features, Channels>::length == 128 && !FitsAxis<Sum<Features, Channels>, Sum<Channels, Features>>);
static_assert(sizeof(Length<Features>) == 1 && Length<Groups>{} * Length<Features>{} == 768);
static_assert(Shape<axes::Tokens, Features>(5).size() == 320);
static_assert(std::is_convertible_v<Tensor<float, axes::Tokens, Features>&, View<axes::Tokens, Const<64>>>);
static_assert(!std::is_convertible_v<Tensor<float, axes::Tokens, Features>&, View<axes::Tokens, Channels>>);
static_assert(!StaticAxis<Product<axes::Heads, axes::HeadSize>>);
static_assert(sizeof(Length<Const<768>>) == 1);
static_assert(Length<Const<12>>{} * Length<Const<64>>{} == 768);
static_assert(Shape<Const<3>, Const<4>>().size() == 12);
static_assert(Shape<axes::Tokens, Const<4>>(5).length<1>() == 4);
static_assert(std::is_convertible_v<Tensor<float, axes::Tokens, Const<4>>&, View<axes::Tokens, axes::Hidden>>);
static_assert(!std::is_convertible_v<Tensor<float, axes::Tokens, axes::Hidden>&, View<axes::Tokens, Const<4>>>);
static_assert(!std::is_convertible_v<Tensor<float, axes::Queries, axes::Hidden>&, View<axes::Keys, axes::Hidden>>);
static_assert(!std::is_convertible_v<View<axes::Tokens, axes::Hidden>, TensorView<float, axes::Tokens, axes::Hidden>>,
              "a view of constants stays one");
static_assert(!std::is_copy_constructible_v<Tensor<float, axes::Tokens, axes::Hidden>>);

TEST_CASE("axis: names are those that a message shows") {
  CHECK(axis_name<Const<768>>() == "Const<768>");
  CHECK(axis_name<axes::Tokens>() == "Tokens");
  CHECK(axis_name<Product<axes::Heads, axes::HeadSize>>() == "Heads * HeadSize");
  CHECK(axis_name<Features>() == "Features");
  CHECK(axis_name<Product<Groups, Features>>() == "Groups * Features");
  CHECK(axis_name<Sum<Features, axes::Hidden>>() == "Features + Hidden");
}

TEST_CASE("axis: a length that the type knows refuses another value") {
  CHECK_NOTHROW(Length<Const<4>>(4));
  CHECK_THROWS_WITH_AS(Length<Const<4>>(5), "axis Const<4>: found length 5, expected 4", ShapeError);
  CHECK_THROWS_WITH_AS(Length<Features>(5), "axis Features: found length 5, expected 64", ShapeError);
}

TEST_CASE("shape: lengths of all axes are checked against the type") {
  using S = Shape<axes::Tokens, Const<4>>;
  CHECK(S::of({7, 4}).rows() == 7);
  CHECK(S::of({7, 4}).to_string() == "[7, 4]");
  CHECK_THROWS_AS(S::of({7, 5}), ShapeError);
}

TEST_CASE("tensor: begins with zeros and is indexed by its axes") {
  Tensor<float, axes::Tokens, Const<3>> x(2);
  for (float element : x.elements()) CHECK(element == 0);
  x(1, 2) = 5;
  CHECK(x.row(1)[2] == 5);
  CHECK(x.data()[5] == 5);
  CHECK_THROWS_AS(x(2, 0), ArgumentError);
  CHECK_THROWS_AS(x(0, 3), ArgumentError);
  CHECK_THROWS_AS(x.row(2), ArgumentError);
}

TEST_CASE("tensor: copies are deep, moves leave nothing behind") {
  Tensor<float, axes::Tokens, Const<3>> x(2);
  auto y = x.copy();
  y(0, 0) = 1;
  CHECK(x(0, 0) == 0);
  auto z = std::move(y);
  CHECK(z(0, 0) == 1);
}

TEST_CASE("tensor: what was moved from is empty") {
  Tensor<float, axes::Tokens, Const<3>> x(2), y(5);
  auto z = std::move(x);
  CHECK(x.lengths() == std::array<std::size_t, 2>{0, 3});
  CHECK(x.elements().empty());
  CHECK(x.view().rows() == 0);
  CHECK_THROWS_AS(x.row(0), ArgumentError);
  CHECK_THROWS_AS(x(0, 0), ArgumentError);
  CHECK(x.copy().size() == 0);
  z(1, 2) = 7;
  y = std::move(z);
  CHECK(y.rows() == 2);
  CHECK(y(1, 2) == 7);
  CHECK(z.rows() == 0);
  auto& same = y;
  y = std::move(same);
  CHECK(y(1, 2) == 7);
  x = y.copy();
  CHECK(x(1, 2) == 7);
}

TEST_CASE("tensor: one whose every length is in the type says when it was moved from") {
  Tensor<float, Const<3>> x;
  x(1) = 4;
  auto const y = std::move(x);
  CHECK(y(1) == 4);
  CHECK(x.elements().empty());
  char const* const message = "a tensor of shape [3] was moved from: it has no elements";
  CHECK_THROWS_WITH_AS(x(1), message, ArgumentError);
  CHECK_THROWS_WITH_AS(x.view(), message, ArgumentError);
  CHECK_THROWS_WITH_AS(x.row(0), message, ArgumentError);
  CHECK_THROWS_WITH_AS(x.copy(), message, ArgumentError);
  CHECK_THROWS_WITH_AS(View<Const<3>>(x).size(), message, ArgumentError);
  Tensor<float, Const<0>> none, taken = std::move(none);
  CHECK(none.view().size() == 0);
  static_assert(std::is_nothrow_move_constructible_v<Tensor<float, Const<3>>> &&
                std::is_nothrow_move_assignable_v<Tensor<float, Const<3>>>);
}

TEST_CASE("tensor: a temporary gives values, and moves into what has other axes") {
  auto const make = [] {
    Tensor<float, axes::Tokens, axes::Hidden> x(2, 3);
    x(1, 2) = 5;
    return x;
  };
  CHECK(make()(1, 2) == 5);
  auto const& shape = make().shape();
  CHECK(shape.to_string() == "[2, 3]");
  for (std::size_t length : make().lengths()) CHECK(length > 1);
  Tensor<float, axes::Queries, axes::Hidden> const relabelled = relabel<axes::Tokens, axes::Queries>(make());
  CHECK(relabelled(1, 2) == 5);
  Tensor<float, axes::Tokens, Const<3>> const fixed = fix<axes::Tokens, Const<3>>(make());
  CHECK(fixed(1, 2) == 5);
  CHECK_THROWS_AS((fix<axes::Tokens, Const<4>>(make())), ShapeError);
  static_assert(!std::is_convertible_v<Tensor<float, axes::Tokens>, View<axes::Tokens>>);
}

TEST_CASE("tensor: a size beyond the address space is a shape error") {
  CHECK_THROWS_AS((Tensor<float, axes::Tokens, axes::Hidden>(std::size_t{1} << 40, std::size_t{1} << 40)), ShapeError);
}

TEST_CASE("view: a range of columns keeps the stride of its tensor") {
  Tensor<float, axes::Tokens, Const<6>> x(3);
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
  View<axes::Tokens, Const<2>> middle(x.data() + 2, {3}, x.row_stride());
  CHECK(middle(1, 0) == 8);
  CHECK(middle(2, 1) == 15);
}

TEST_CASE("fix: free lengths become lengths of the type, checked") {
  Tensor<float, axes::Tokens, axes::Hidden> x(2, 768);
  CHECK(fix<axes::Tokens, Const<768>>(x).length<1>() == 768);
  CHECK_THROWS_AS((fix<axes::Tokens, Const<512>>(x)), ShapeError);
}

TEST_CASE("relabel: the same elements under another name") {
  Tensor<float, axes::Tokens, Const<2>> x(3);
  x(2, 1) = 4;
  View<axes::Keys, Const<2>> keys = relabel<axes::Tokens, axes::Keys>(x);
  CHECK(keys(2, 1) == 4);
}

TEST_CASE("sequences: what was moved from holds none, and may be filled again") {
  auto x = SequenceOffsets<axes::Tokens>::of_lengths({2, 3});
  auto const y = std::move(x);
  CHECK(y.total() == 5);
  CHECK(x.count() == 0);
  CHECK(x.total() == 0);
  CHECK(x.offset(0) == 0);
  CHECK(x.data()[0] == 0);
  x.append(4);
  CHECK(x.count() == 1);
  CHECK(x.total() == 4);
}

TEST_CASE("sequences: offsets of a packed batch, empty sequences included") {
  auto const sequences = SequenceOffsets<axes::Tokens>::of_lengths({3, 0, 2});
  CHECK(sequences.count() == 3);
  CHECK(sequences.total() == 5);
  CHECK(sequences.offset(2) == 3);
  CHECK(sequences.length(1) == 0);
  CHECK_NOTHROW(sequences.check_rows(5, "test"));
  CHECK_THROWS_WITH_AS(sequences.check_rows(6, "attention"), "attention: the sequences hold 5 rows, the tensor 6", ShapeError);
}

TEST_CASE("sequences: what is not there, and more rows than can be counted, are refused") {
  auto sequences = SequenceOffsets<axes::Tokens>::of_lengths({3, 0});
  std::size_t const most = static_cast<std::size_t>(-1);
  CHECK_THROWS_AS(sequences.offset(3), ArgumentError);
  CHECK_THROWS_AS(sequences.length(2), ArgumentError);
  CHECK_THROWS_AS(sequences.length(most), ArgumentError);
  CHECK_THROWS_AS(sequences.append(most - 2), ShapeError);
  CHECK(sequences.total() == 3);
}
