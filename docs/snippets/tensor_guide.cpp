#include <cmath>
#include <cstdint>
#include <iostream>
#include <vector>

#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/mdspan.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/order.hpp>
#include <axiform/algebra/rearrange.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>
#include <axiform/core/context.hpp>

using namespace axiform;
using axes::Tokens;

struct Width : Const<6> {};
struct Heads : Const<2> {};
struct Features : Const<3> {};
struct Words : DynamicAxis {};
struct Best : DynamicAxis {};
struct Rows : Const<2> {};
struct Columns : Const<3> {};

constexpr InlineTensor<int, Rows, Columns> small{{1, 2, 3}, {4, 5, 6}};
static_assert(sum(small) == 21);
static_assert(all(sum<Rows>(small) == InlineTensor<int, Columns>{5, 7, 9}));

int main() {
  std::cout << "-- create\n";
  auto const list = from_list<float, Tokens, Features>({{1, 2, 3}, {4, 5, 6}});
  auto const table = from_function<float, Tokens, Width>([](auto i, auto j) { return 10 * i + j; }, 2);
  auto const noise = normal<float, Tokens, Features>(Philox(7), 2);  // the same numbers on every system
  std::cout << list << "\n" << arange<int, Tokens>(0, 10, 3) << " " << (max(abs(noise)) < 5) << "\n";

  std::cout << "-- views\n";
  auto const heads = split<Width, Heads, Features>(table);          // [Tokens, Heads, Features]
  auto const second = at<Heads>(heads, 1);                          // [Tokens, Features]
  auto const turned = permute<Features, Tokens>(second);            // [Features, Tokens]
  std::cout << second << "\n" << dense(turned) << "\n";
  auto copy = list.copy();
  for (auto row : along<Tokens>(copy)) row -= mean(row);            // a row is a view: copy changes
  slice<Tokens>(copy, 1, 2) *= 10;
  std::cout << copy << "\n";

  std::cout << "-- places\n";
  auto const ids = from_list<std::int64_t, Words>({1, 1, 0});
  auto const [values, places] = top_k<Features, Best>(list, 2);
  std::cout << gather<Tokens>(list, ids) << "\n" << values << "\n" << concat<Tokens>(list, list).shape().to_string_with_names() << "\n";

  std::cout << "-- memory of others\n";
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  auto view = view_of<Tokens, Features>(numbers, 2);
  view += 1;                                                        // numbers[0] is 2
  auto const span = to_mdspan(view);                                // span(1, 2), span.extent(0), as a std::mdspan has it
  std::cout << numbers[0] << " " << span(1, 2) << "\n";

  std::cout << "-- halves\n";
  auto const half = convert<Float16>(list * 0.1F);                  // two bytes each; arithmetic is in float
  std::cout << sum<Features>(half) << "\n";

  std::cout << "-- context\n";
  auto context = Context::with_threads(2);
  {
    Context::Pass const pass(context);
    auto const normalised = layer_norm<Features>(list, 1e-5F, context);
    std::cout << contract<Features>(normalised, noise, context).shape().to_string_with_names() << "\n";
  }
}

// Prints:
// -- create
// [[1 2 3]
//  [4 5 6]] [Tokens: 2, Features: 3]
// [0 3 6 9] [Tokens: 4] 1
// -- views
// [[ 3  4  5]
//  [13 14 15]] [Tokens: 2, Features: 3]
// [[ 3 13]
//  [ 4 14]
//  [ 5 15]] [Features: 3, Tokens: 2]
// [[ -1   0   1]
//  [-10   0  10]] [Tokens: 2, Features: 3]
// -- places
// [[4 5 6]
//  [4 5 6]
//  [1 2 3]] [Words: 3, Features: 3]
// [[3 2]
//  [6 5]] [Tokens: 2, Best: 2]
// [Tokens: 4, Features: 3]
// -- memory of others
// 2 7
// -- halves
// [0.6000 1.5000] [Tokens: 2]
// -- context
// [Tokens: 2]
