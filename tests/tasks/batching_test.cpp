// What tasks share: batches of many items, windows of a long text, probabilities.
#include <doctest/doctest.h>
#include <axiform/core/greatest.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/windows.hpp>

#include <limits>
#include <string>
#include <vector>

using namespace axiform;

namespace {

std::vector<std::size_t> lengths_of(std::size_t count) {
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(i * 7 % 13);
  return lengths;
}

}  // namespace

TEST_CASE("batching: every item runs once, the longest first, in batches of the size asked for, and progress ends at all of them") {
  for (std::size_t threads : {1, 3}) {
    Context context = Context::with_threads(threads);
    for (std::size_t count : {0, 1, 7, 50}) {
      auto const lengths = lengths_of(count);
      std::vector<int> runs(count);
      std::size_t last = 0;
      internal::for_each_batch(lengths,
                               {.what = "x",
                                .batch_size = 4,
                                .progress =
                                    [&](Progress const& progress) {
                                      CHECK(progress.total == count);
                                      CHECK(progress.done > last);
                                      last = progress.done;
                                    }},
                               context, [&](std::span<std::size_t const> batch, Context&) {
                                 bool is_ordered = batch.size() <= 4;
                                 for (std::size_t i = 1; i < batch.size(); ++i) is_ordered &= lengths[batch[i - 1]] >= lengths[batch[i]];
                                 for (std::size_t const i : batch) runs[i] += is_ordered ? 1 : 2;
                               });
      CHECK(runs == std::vector<int>(count, 1));
      CHECK(last == count);
    }
  }
}

TEST_CASE("batching: what a batch or the callback throws ends the call, as a stop does, on any number of threads") {
  for (std::size_t threads : {1, 3}) {
    Context context = Context::with_threads(threads);
    auto const lengths = lengths_of(50);
    auto const nothing = [](std::span<std::size_t const>, Context&) {};
    auto const fails = [](std::span<std::size_t const>, Context&) { throw ArgumentError("no"); };
    CHECK_THROWS_WITH_AS(internal::for_each_batch(lengths, {.what = "x"}, context, fails), "no", ArgumentError);
    CHECK_THROWS_WITH_AS(
        internal::for_each_batch(lengths, {.what = "x", .progress = [](Progress const&) { throw FileError("full"); }}, context, nothing),
        "full", FileError);
    std::stop_source stop;
    stop.request_stop();
    CHECK_THROWS_WITH_AS(internal::for_each_batch(lengths, {.what = "x", .stop = stop.get_token()}, context, nothing),
                         "x: was stopped after 0 of 50", StoppedError);
    CHECK_THROWS_WITH_AS(internal::for_each_batch(lengths, {.what = "x", .batch_size = 0}, context, nothing),
                         "batch_size: found 0, expected at least 1", ArgumentError);
  }
}

TEST_CASE("batching: probabilities neither overflow nor vanish, and what is not a number is never the greatest") {
  auto const two = internal::softmax(std::vector<float>{1000, 1000 + 1.0F});
  CHECK(two[1] == doctest::Approx(0.7310585786));
  CHECK(two[0] + two[1] == doctest::Approx(1));
  CHECK(internal::softmax(std::vector<float>{}).empty());
  CHECK(internal::sigmoid(0) == 0.5);
  CHECK(internal::sigmoid(-1000) == 0);
  CHECK(internal::sigmoid(1000) == 1);
  double const nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(detail::greatest_indices(std::vector<double>{nan, 1, 3, 3, nan, 2}, 4) == std::vector<std::size_t>{2, 3, 5, 1});
  CHECK(detail::greatest_indices(std::vector<double>{1, nan}, 9) == std::vector<std::size_t>{0, 1});
}

TEST_CASE("windows: they cover the body with the overlap asked for, and what stands round it stands round each") {
  Encoding encoding;
  for (TokenId id = 0; id < 14; ++id) encoding.ids.push_back(id), encoding.type_ids.push_back(id >= 3);
  detail::WindowedEncoding const windowed(encoding, 3, 13, 8, 1);  // 0 1 2 | 3 … 12 | 13: four of the body a window
  CHECK(windowed.lengths() == std::vector<std::size_t>{8, 8, 8});
  CHECK(windowed.ids(0) == std::vector<TokenId>{0, 1, 2, 3, 4, 5, 6, 13});
  CHECK(windowed.ids(1) == std::vector<TokenId>{0, 1, 2, 6, 7, 8, 9, 13});
  CHECK(windowed.ids(2) == std::vector<TokenId>{0, 1, 2, 9, 10, 11, 12, 13});
  CHECK(windowed.type_ids(2) == std::vector<TokenId>{0, 0, 0, 1, 1, 1, 1, 1});
  CHECK(detail::WindowedEncoding(encoding, 3, 13, 8, 0).lengths() == std::vector<std::size_t>{8, 8, 6});
  CHECK(detail::WindowedEncoding(encoding, 3, 13, 14, 99).ids(0) == encoding.ids);
  CHECK(detail::WindowedEncoding({}, 0, 0, 8, 0).lengths() == std::vector<std::size_t>{0});
  for (std::size_t length : {0, 4, 5}) CHECK_THROWS_AS(detail::WindowedEncoding(encoding, 3, 13, length, 1), ArgumentError);
}
