// A neighbour that holds the caches and the memory both: reads and writes 256 MB, over and over, for as many seconds as it is told (10 without).
// What a shared machine costs is measured beside it: `taskset -c 1 build/release/bench/neighbour 30 &`, then a benchmark on core 0, or on both.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int count, char** arguments) {
  using Clock = std::chrono::steady_clock;
  std::chrono::duration<double> const seconds(count > 1 ? std::atof(arguments[1]) : 10.0);
  std::vector<std::uint64_t> words(std::size_t{256} << 17);
  auto const begin = Clock::now();
  std::size_t passes = 0;
  for (; Clock::now() - begin < seconds; ++passes)
    for (std::uint64_t& word : words) word += passes;
  std::chrono::duration<double> const taken = Clock::now() - begin;
  std::printf("neighbour: %.1f GB/s read, as much written\n",
              static_cast<double>(passes * words.size() * sizeof(std::uint64_t)) / taken.count() * 1e-9);
}
