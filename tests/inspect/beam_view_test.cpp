// The page of a beam search as text: what it holds, what is refused and escaped. tests/views opens it in a browser.
#include <doctest/doctest.h>
#include <axiform/generate/beam_search.hpp>
#include <axiform/inspect/beam_view.hpp>
#include <axiform/io/file.hpp>
#include <axiform/text/utf8.hpp>

#include <limits>
#include <string>
#include <vector>

#include "support/files.hpp"

using namespace axiform;

namespace {

// Three steps of two beams, of which some end.
BeamView searched() {
  BeamView view{
      .title = "a search", .prompt = "It", .steps = {}, .results = {}, .text_of = [](TokenId id) { return " t" + std::to_string(id); }};
  GenerateOptions options{
      .max_length = 4, .num_return_sequences = 2, .decoding = Decoding::beam_search, .num_beams = 2, .end_of_text = {3}};
  options.on_beams = [&](BeamStep const& step) { view.steps.push_back(step); };
  Stopping const stopping(options);
  std::vector<TokenId> const prompt{0};
  BeamSearch search(prompt, prompt, options, 4, stopping);
  while (!search.is_done()) {
    std::vector<std::vector<float>> logits;
    for (BeamSearch::Beam const& beam : search.beams())
      logits.push_back(beam.ids.back() == 1 ? std::vector<float>{1, 0, 2, 2.5f} : std::vector<float>{1, 2, 1.5f, 0.5f});
    std::vector<std::span<float>> rows(logits.begin(), logits.end());
    search.step(rows);
  }
  view.results = search.results();
  return view;
}

bool holds(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("beam view: the page has each step's texts by the places of those that they continue, and where each result ends") {
  auto const view = searched();
  REQUIRE(view.steps.size() == 3);
  auto const page = beam_html(view);
  CHECK(holds(page, "\"beams\":2,"));
  // The first step follows tokens 1 and 2; of the four best continuations, that of token 1 by the end ends and has a result.
  REQUIRE(view.steps[1].candidates.size() >= 3);
  CHECK(view.steps[1].candidates[0].id == 3);
  CHECK(view.steps[1].candidates[0].fate == BeamFate::ended);
  CHECK(holds(page, "[0,\" t3\","));
  CHECK(view.results[0].ids == std::vector<TokenId>{0, 1, 3});
  CHECK(view.results[0].beam_score == view.steps[1].candidates[0].final_score);
  CHECK(holds(page, "\"results\":[{\"at\":1,\"place\":0,"));
  CHECK(beam_html({.title = "", .prompt = "", .steps = {}, .results = {}, .text_of = view.text_of}).size() > 1000);
}

TEST_CASE("beam view: what is no record of one search is refused by name") {
  auto const refuses = [](auto const& change, std::string const& message) {
    auto view = searched();
    change(view);
    CHECK_THROWS_WITH_AS(beam_html(view), message.c_str(), ArgumentError);
  };
  CHECK_NOTHROW(beam_html(searched()));
  refuses([](BeamView& view) { view.text_of = {}; }, "beam view: found no `text_of`, expected one: the page shows tokens by their texts");
  refuses([](BeamView& view) { view.steps[1].candidates[0].beam = 2; },
          "beam view: step 1: beam: found 2, expected less than 2, the texts that the step before followed");
  refuses([](BeamView& view) { view.steps[0].candidates[0].beam = 1; },
          "beam view: step 0: beam: found 1, expected less than 1, the texts that the step before followed");
  refuses([](BeamView& view) { view.steps[2].prompt = 1; },
          "beam view: step 2: prompt: found 1, expected 0, as in the first; a page shows one search");
  refuses([](BeamView& view) { view.steps[2].candidates[0].score = std::numeric_limits<double>::quiet_NaN(); },
          "beam view: step 2: found a score of nan, expected a finite number");
  refuses([](BeamView& view) { view.results[1].beam_score = std::numeric_limits<double>::infinity(); },
          "beam view: result 1: found a score of inf, expected a finite number");
  refuses(
      [](BeamView& view) {
        view.results[0].ids = {0, 2, 3};
      },
      "beam view: result 0: found a text of 2 new tokens that none of the steps ends or follows");
  refuses([](BeamView& view) { view.results[0].ids = {0, 1, 1, 1, 1, 1}; },
          "beam view: result 0: found a text of 5 new tokens that none of the steps ends or follows");
  refuses([](BeamView& view) { view.steps[2].candidates.resize(BeamView::most_candidates); },
          "beam view: found 10008 texts in 3 steps, expected at most 10000; show fewer beams or steps");
}

TEST_CASE("beam view: whatever is in a text, the page has its own elements alone, and the file is written whole or not at all") {
  auto view = searched();
  auto const count = [](std::string const& text, std::string const& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  };
  auto const plain = beam_html(view);
  std::string const text = "</script></title><img src=x onerror=alert(1)><!--\"'&\xFF";
  view.title = view.prompt = text;
  view.text_of = [&](TokenId) { return text; };
  auto const page = beam_html(view);
  for (std::string const part : {"<script", "</script", "</title", "<img", "<!--"}) CHECK(count(page, part) == count(plain, part));
  CHECK(is_valid_utf8(page));

  test::TemporaryDirectory const folder;
  write_beam_view(folder / "beams.html", view);
  CHECK(read_file(folder / "beams.html") == page);
  view.text_of = {};
  CHECK_THROWS_AS(write_beam_view(folder / "beams.html", view), ArgumentError);
  CHECK(read_file(folder / "beams.html") == page);
  CHECK(folder.file_count() == 1);
}
