// The HTML pages as text: what is refused, what is escaped, how weights are written. tests/views opens them in a browser.
#include <doctest/doctest.h>
#include <axiform/inspect/attention_view.hpp>
#include <axiform/inspect/attention_view_numbers.hpp>
#include <axiform/inspect/generation_view.hpp>
#include <axiform/inspect/html.hpp>
#include <axiform/io/file.hpp>
#include <axiform/text/utf8.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "support/files.hpp"

using namespace axiform;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity(), no_number = std::numeric_limits<float>::quiet_NaN();

Capture seen(std::size_t heads, std::size_t queries, std::size_t keys, float weight) {
  Capture capture;
  std::fill_n(capture.attention_probabilities(AttentionKind::self, 0, heads, queries, keys), heads * queries * keys, weight);
  return capture;
}

std::size_t count(std::string const& text, std::string const& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string base64(std::string_view bytes) {
  std::string text;
  detail::append_base64(text, bytes);
  return text;
}

}  // namespace

TEST_CASE("attention view: weights are whole parts of 1, compressed, in base64") {
  CHECK(base64({}) == "");
  CHECK(base64("\xFF") == "/w==");
  CHECK(base64("\xFF\x01") == "/wE=");
  CHECK(base64("\xFF\x01\x02") == "/wEC");
  CHECK(detail::fixed_point(0) == 0);
  CHECK(detail::fixed_point(1.0001f) == 60000);
  CHECK(detail::fixed_point(-0.0001f) == 0);
  CHECK(detail::fixed_point(0.5f) == 30000);
  auto const capture = seen(2, 2, 2, 0.5f);
  auto const page = attention_html(attention_view(capture, {"a", "b"}));
  for (std::string const id : {"w0-0-0", "w0-0-1", "m0-0"}) CHECK(count(page, "<script type=\"text/plain\" id=\"" + id + "\">") == 1);
}

TEST_CASE("attention view: at every scale a weight's number tells its three decimals, at some its four") {
  for (std::uint32_t const scale : detail::weight_scales)
    for (int part = 0; part < 400'000; ++part) {
      auto const weight = static_cast<float>((part + 0.3) / 400'000);
      std::uint32_t const number = detail::fixed_point(weight) / (detail::finest_scale / scale);
      double const shown = number > 0 ? (number + 0.5) / scale : 0;
      REQUIRE(std::lround(1e3 * shown) == std::lround(1e3 * double{weight}));
      if (scale % 20'000 == 0) REQUIRE(std::lround(1e4 * shown) == std::lround(1e4 * double{weight}));
    }
}

TEST_CASE("attention view: the finest scale at which a page stays small is taken") {
  std::vector<std::uint16_t> numbers(100'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint16_t>(i * 7919 % 60'000);
  detail::WeightEntropy entropy;
  entropy.add(numbers);
  for (std::size_t s = 1; s < detail::weight_scales.size(); ++s) CHECK(entropy.bytes(s) < entropy.bytes(s - 1));
  CHECK(entropy.bytes(0) == doctest::Approx(100'000 * (std::log2(60'000)) / 6).epsilon(0.02));
  CHECK(entropy.finest_within(1e9) == 0);
  CHECK(entropy.finest_within(entropy.bytes(2)) == 2);
  CHECK(entropy.finest_within(0) == detail::weight_scales.size() - 1);
}

TEST_CASE("attention view: whatever is in a text, the page has its own elements alone") {
  std::string const text = "</script></title><img src=x onerror=alert(1)>\"'&\xFF\xE2\x80\xA8";
  auto const capture = seen(1, 2, 2, 0.5f);
  auto const plain = attention_html(attention_view(capture, {"a", "b"}, {.title = "c"}));
  auto const page = attention_html(attention_view(capture, {text, "<!--<script>"}, {.title = text}));
  for (std::string const part : {"<script", "</script", "</title", "<img", "<!--"}) CHECK(count(page, part) == count(plain, part));
  CHECK(count(page, "&lt;/script&gt;&lt;/title&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\xEF\xBF\xBD") == 1);
  CHECK(is_valid_utf8(page));
  CHECK(detail::script_string(std::string_view("a\0\n\"\\<\xFF", 7)) == "\"a\\u0000\\u000a\\\"\\\\\\u003c\xEF\xBF\xBD\"");
  CHECK(count(plain, "http://") + count(plain, "https://") + count(plain, " src=") == 0);
}

TEST_CASE("attention view: what does not fit together is refused by name") {
  auto const capture = seen(2, 2, 2, 0.5f);
  std::vector<std::string> const two{"a", "b"};
  auto const html = [&](std::vector<std::string> const& tokens, AttentionViewOptions const& options = {},
                        AttentionViewText const& text = {}) {
    return attention_html(attention_view(capture, tokens, text), options);
  };
  CHECK_NOTHROW(html(two, {.layer = -1, .heads = {0, 1}, .layers = {0}}, {.second_text = 1}));
  CHECK_THROWS_WITH_AS(html({"a"}), "attention view: layer 0: found a map [2, 2, 2], expected [2, 1, 1]: heads, and the numbers of tokens",
                       ShapeError);
  CHECK_THROWS_WITH_AS(html({}), "attention view: found 0 and 0 tokens and 2 heads, expected at least one of each", ArgumentError);
  CHECK_THROWS_WITH_AS(html(two, {.layer = 1}), "attention view: layer: found 1, which is none of those shown, 0 to 0 or fewer",
                       ArgumentError);
  CHECK_THROWS_AS(html(two, {.layer = -2}), ArgumentError);
  CHECK_THROWS_AS(html(two, {.layer = std::numeric_limits<std::ptrdiff_t>::min()}), ArgumentError);
  CHECK_THROWS_WITH_AS(html(two, {.heads = {2}}), "attention view: head: found 2, expected 0 to 1", ArgumentError);
  CHECK_THROWS_WITH_AS(html(two, {.layers = {0, 3}}), "attention view: layers: found 3, and there are 1", ArgumentError);
  CHECK_THROWS_AS(html(two, {.view = static_cast<AttentionViewKind>(9)}), ArgumentError);
  for (std::size_t const second_text : {std::size_t{0}, std::size_t{2}, ~std::size_t{0}})
    CHECK_THROWS_AS(html(two, {}, {.second_text = second_text}), ArgumentError);
  CHECK_THROWS_AS(html(two, {}, {.sequence = 1}), ArgumentError);
  CHECK_THROWS_WITH_AS(html(two, {.max_bytes = 7}),
                       "attention view: the weights would take 0 MiB, expected at most 0; "
                       "show fewer layers or tokens, or allow more (max_bytes)",
                       ArgumentError);
  CHECK_THROWS_AS(attention_html({}), ArgumentError);
  CHECK_THROWS_AS(attention_html(attention_view(Capture(), two)), ArgumentError);
  CHECK_THROWS_AS(attention_html({.title = "", .parts = {{"Encoder", two, two, {}}}}), ArgumentError);
  for (float const wrong : {no_number, infinity, -infinity, 1.1f, -0.1f}) {
    auto const broken = seen(1, 1, 2, wrong);
    AttentionView view{"", {{"", {"a"}, two, {broken.attention(0).view()}}}};
    CHECK_THROWS_AS(attention_html(view), ArgumentError);
  }
}

TEST_CASE("attention view: the file is written whole or not at all") {
  test::TemporaryDirectory const folder;
  auto const path = folder / "attention.html";
  auto const capture = seen(1, 2, 2, 0.5f);
  auto const view = attention_view(capture, {"a", "b"});
  write_attention_view(path, view);
  CHECK(read_file(path) == attention_html(view));
  CHECK_THROWS_AS(write_attention_view(path, view, {.heads = {5}}), ArgumentError);
  CHECK(read_file(path) == attention_html(view));
  CHECK(folder.file_count() == 1);
  CHECK_THROWS_AS(write_attention_view(folder / "nowhere" / "attention.html", view), FileError);
}

TEST_CASE("attention view: the second text begins where the type ids do") {
  Encoding encoding;
  encoding.type_ids = {0, 0, 0};
  CHECK(!second_text_begin(encoding));
  encoding.type_ids = {0, 0, 1, 1};
  CHECK(second_text_begin(encoding) == 2);
}

TEST_CASE("generation view: a step has the probabilities and the entropy of its logits") {
  auto const text = [](TokenId id) { return "t" + std::to_string(id); };
  std::vector<float> const logits{1, 3, -infinity, 3};
  auto const step = generation_step(logits, 0, text, 3);
  double const sum = std::exp(-2.0) + 2, rare = std::exp(-2.0) / sum, common = 1 / sum;
  CHECK(step.token == "t0");
  CHECK(step.probability == doctest::Approx(rare).epsilon(1e-12));
  CHECK(step.entropy == doctest::Approx(-rare * std::log(rare) - 2 * common * std::log(common)).epsilon(1e-12));
  REQUIRE(step.alternatives.size() == 3);
  CHECK(step.alternatives[0].token == "t1");
  CHECK(step.alternatives[1].token == "t3");
  CHECK(step.alternatives[2].token == "t0");
  CHECK(step.alternatives[1].probability == doctest::Approx(common).epsilon(1e-12));
  CHECK(generation_step(logits, 1, text, 99).alternatives.size() == 4);
  CHECK(generation_step(std::vector<float>{7}, 0, text).entropy == 0);
  CHECK(generation_step(std::vector<float>{1e38f, -1e38f}, 0, text).probability == 1);
  CHECK_THROWS_AS(generation_step(logits, 4, text), ArgumentError);
  CHECK_THROWS_AS(generation_step(logits, -1, text), ArgumentError);
  CHECK_THROWS_AS(generation_step({}, 0, text), ArgumentError);
  for (float const wrong : {infinity, -infinity, no_number})
    CHECK_THROWS_AS(generation_step(std::vector<float>{wrong, wrong}, 0, text), ArgumentError);
  CHECK_THROWS_AS(generation_step(std::vector<float>{1, no_number}, 0, text), ArgumentError);
}

TEST_CASE("generation view: what is no probability is refused") {
  CHECK_NOTHROW(generation_html({"", "", {{"a", 1, 0, {}}}}));
  for (double const wrong : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK_THROWS_AS(generation_html({"", "", {{"a", wrong, 0, {}}}}), ArgumentError);
    CHECK_THROWS_AS(generation_html({"", "", {{"a", 1, 0, {{"b", wrong}}}}}), ArgumentError);
    if (!(wrong > 1)) CHECK_THROWS_AS(generation_html({"", "", {{"a", 1, wrong, {}}}}), ArgumentError);
  }
}
