// What can tensors do? A tour of the algebra: small enough to read from top to bottom. docs/tensors.md is the guide.
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <vector>

#include <axiform/algebra/contract.hpp>
#include <axiform/algebra/create.hpp>
#include <axiform/algebra/dense.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/gather.hpp>
#include <axiform/algebra/normalize.hpp>
#include <axiform/algebra/order.hpp>
#include <axiform/algebra/rearrange.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/reshape.hpp>
#include <axiform/io/npy.hpp>

using namespace axiform;

// Axes are types: a name, a length, or both.
struct Days : DynamicAxis {};
struct Cities : Const<3> {};
struct Weeks : DynamicAxis {};
struct Weekdays : Const<7> {};
struct Warmest : DynamicAxis {};
struct Visits : DynamicAxis {};
struct Neighbours : Const<3> {};

// A small tensor of a fixed shape lies where it is declared, and computes in constant expressions.
constexpr InlineTensor<int, Cities> heights{4, 520, 1565};
static_assert(sum(heights) == 2089 && max(heights) == 1565);

int main() try {
  // Temperatures of two weeks in three cities: a trend, what a city is warmer than another, and noise.
  auto const noise = normal<float, Days, Cities>(Philox(1), 14);
  auto const trend = linspace<float, Days>(10, 17, 14);
  auto const warmth = from_list<float, Cities>({3, 0, -6});
  auto const degrees = broadcast<Cities>(trend) + warmth + noise * 0.5F;  // [Cities, Days]: matched by name, whatever the order
  std::cout << "Degrees: " << degrees << "\n\n";

  // Reductions name the axes that go.
  std::cout << "Means of the cities: " << mean<Days>(degrees) << "\n";
  std::cout << "The warmest city of each day: " << argmax<Cities>(degrees) << "\n";
  std::cout << "Warmer than 12 degrees on " << sum<Days>(convert<int>(degrees > 12)) << " days\n\n";

  // Views: nothing is copied, and what is written through them is the tensor's.
  auto const by_week = split<Days, Weeks, Weekdays>(degrees);  // [Cities, Weeks, Weekdays]
  std::cout << "Means of the weeks: " << mean<Weekdays>(by_week) << "\n";
  std::cout << "Sundays: " << dense(at<Weekdays>(by_week, 6)) << "\n";
  auto corrected = degrees.copy();
  slice<Days>(corrected, 0, 7) += 0.1F;  // the first week
  for (auto city : along<Cities>(corrected)) city -= mean(city);
  std::cout << "Deviations: " << corrected << "\n\n";

  // Parts by place, sorted, put together.
  auto const [hot, days] = top_k<Days, Warmest>(degrees, 2);
  std::cout << "The two warmest days: " << hot << ", days " << days << "\n";
  std::vector<std::int64_t> const places{2, 0, 0};  // memory of one's own is looked at, not copied
  auto const visited = gather<Cities>(heights, view_of<Visits>(places, 3));
  std::cout << "Heights on the way: " << visited << "\n";
  std::cout << "Three weeks: " << concat<Days>(degrees, slice<Days>(degrees, 0, 7)).shape().to_string_with_names() << "\n\n";

  // Products sum over the axes that are named; others are matched or stay.
  auto const centred = degrees - mean<Days>(degrees);
  auto const covariance = contract<Days>(centred, relabel<Cities, Neighbours>(centred)) / 14;
  std::cout << "Covariance: " << covariance << "\n";
  std::cout << "Softmax: " << softmax<Cities>(at<Days>(degrees, 13)) << "\n";

  // Files of NumPy's, a temporary name and a rename behind them.
  auto const file = std::filesystem::temp_directory_path() / "degrees.npy";
  write_npy(file, degrees);
  std::cout << "Read again: " << all(read_npy<float, Cities, Days>(file) == degrees) << "\n";
  std::filesystem::remove(file);
} catch (std::exception const& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
