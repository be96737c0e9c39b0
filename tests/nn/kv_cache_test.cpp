// Key-value caches in every format, below a stack of two layers.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/core/observer.hpp>
#include <axiform/nn/block.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/kv_cache.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;

// A decoder's block.
struct CachedRecipe : BlockRecipe {
  static constexpr char const* name = "CachedBlock";
  static constexpr char const* stack_name = "CachedStack";
  static constexpr auto placement = NormPlacement::before;
  static constexpr auto mask = AttentionMask::causal;
};

namespace {

using CachedStack = Stack<DynamicDimensions, CachedRecipe>;

constexpr std::size_t cached_width = 24, text_length = 30;

CachedStack cached_stack(CacheFormat format, Context& context) {
  auto stack = CachedStack::create({.hidden = cached_width, .heads = 3, .head_size = 8, .inner = 40}, 2, {.activation = Activation::gelu});
  initialize(stack, {.seed = 3, .standard_deviation = 0.3}, context);
  stack.cache_format = format;
  return stack;
}

// The states of tokens [first, end) of one text, given what the cache's first sequence has.
std::vector<float> read_tokens(CachedStack const& stack, KeyValueCache& cache, std::size_t first, std::size_t end, Context& context) {
  Tensor<float, axes::Tokens, axes::Hidden> x(end - first, cached_width);
  for (std::size_t i = 0; i < (end - first) * cached_width; ++i)
    x.data()[i] = static_cast<float>((first * cached_width + i) * 37 % 101) / 50 - 1;
  auto const sequences = SequenceOffsets<axes::Tokens>::single(end - first);
  auto const states = stack(x, {.sequences = sequences, .cache = &cache}, context);
  return {states.elements().begin(), states.elements().end()};
}

}  // namespace

TEST_CASE("cache: in every format a text has the same bits at once, in parts, behind a past that was forked, copied and cut back") {
  Context context = Context::with_threads(2);
  std::vector<float> floats;
  for (CacheFormat format : cache_formats) {
    CAPTURE(name_of(format));
    auto const stack = cached_stack(format, context);
    CHECK(stack.cache_widths().format == format);
    KeyValueCache cache(stack.cache_widths(), 3, text_length);
    CHECK(cache.format() == format);
    auto const whole = read_tokens(stack, cache, 0, text_length, context);
    auto const rest = [&](std::size_t first) {
      return std::vector<float>(whole.begin() + std::ptrdiff_t(first * cached_width), whole.end());
    };

    cache.truncate(0, 11);
    for (std::size_t token = 11; token < 13; ++token) {
      auto const row = read_tokens(stack, cache, token, token + 1, context);
      CHECK(std::ranges::equal(row, std::span(whole).subspan(token * cached_width, cached_width)));
    }
    cache.fork(0, 2);
    cache.truncate(0, 5);
    CHECK(read_tokens(stack, cache, 5, text_length, context) == rest(5));
    cache.fork(2, 0, 5);  // back to 13 tokens
    CHECK(read_tokens(stack, cache, 13, text_length, context) == rest(13));
    KeyValueCache larger(stack.cache_widths(), 1, 100 + text_length);
    larger.copy(cache, 2, 0);
    CHECK(larger.lengths()[0] == 13);
    CHECK(read_tokens(stack, larger, 13, text_length, context) == rest(13));

    // Rounded, and near to what floats give: states of about 1 behind two layers.
    if (format == CacheFormat::f32) floats = whole;
    double worst = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) worst = std::max(worst, std::fabs(double(whole[i]) - double(floats[i])));
    CHECK((worst > 0) == (format != CacheFormat::f32));
    CHECK(worst < 0.03);
  }
}

TEST_CASE(
    "cache: in every format what is attended to can be seen: weights over the past and the present, near to those of floats, and no bit "
    "changes") {
  Context context = Context::with_threads(2);
  constexpr std::size_t past = 20, heads = 3;
  std::vector<float> floats;
  for (CacheFormat format : cache_formats) {
    CAPTURE(name_of(format));
    auto const stack = cached_stack(format, context);
    KeyValueCache cache(stack.cache_widths(), 1, text_length);
    read_tokens(stack, cache, 0, past, context);
    auto const unseen = read_tokens(stack, cache, past, text_length, context);
    cache.truncate(0, past);
    Capture capture;
    context.observe(&capture);
    CHECK(read_tokens(stack, cache, past, text_length, context) == unseen);
    context.observe(nullptr);
    std::vector<float> weights;
    for (std::size_t layer = 0; layer < 2; ++layer)
      for (std::size_t head = 0; head < heads; ++head)
        for (std::size_t query = 0; query < text_length - past; ++query) {
          double sum = 0;
          for (std::size_t key = 0; key < text_length; ++key) {
            float const weight = capture.attention(layer)(head, query, key);
            if (key > past + query) CHECK(weight == 0.0F);
            weights.push_back(weight);
            sum += double(weight);
          }
          CHECK(sum == doctest::Approx(1).epsilon(1e-6));
        }
    if (format == CacheFormat::f32) floats = weights;
    double worst = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) worst = std::max(worst, std::fabs(double(weights[i]) - double(floats[i])));
    CHECK((worst > 0) == (format != CacheFormat::f32));
    CHECK(worst < 0.02);  // 0.003 in bf16 and 0.009 in int8: scores of some size, of keys rounded to 1 part in 256 and in 250
  }
}

TEST_CASE("cache: a narrow one takes less memory, and gives nothing to one of another format") {
  auto const made = [](CacheFormat format) { return KeyValueCache({.layers = 2, .heads = 3, .head_size = 64, .format = format}, 1, 1024); };
  auto floats = made(CacheFormat::f32);
  auto const halves = made(CacheFormat::bf16), bytes = made(CacheFormat::int8);
  CHECK(halves.bytes() * 2 == floats.bytes());
  CHECK(bytes.bytes() * 64 == floats.bytes() * 17);  // for 64 numbers a scale of four bytes
  CHECK(test::message_of<ShapeError>([&] { floats.copy(halves, 0, 0); }) ==
        "cache: found one of 2 layers of 3 heads of 64 in bf16, expected 2 layers of 3 heads of 64 in f32");
}
