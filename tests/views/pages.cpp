// Writes the pages that views_test.py opens in a browser, and the numbers that it must find there: pages FOLDER
// Compresses stdin to stdout, for deflate_test.py: pages --deflate BYTES_A_PIECE
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <axiform/generate/beam_search.hpp>
#include <axiform/inspect/attention_view.hpp>
#include <axiform/inspect/beam_view.hpp>
#include <axiform/inspect/deflate.hpp>
#include <axiform/inspect/generation_view.hpp>
#include <axiform/inspect/html.hpp>

using namespace axiform;

namespace {

std::uint64_t state = 1;
double next_uniform() {  // splitmix64
  std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

// What a model would have given the capture: rows that sum to 1, some sharp, some flat.
void attend(Capture& capture, AttentionKind kind, std::size_t heads, std::size_t queries, std::size_t keys, bool is_causal) {
  float* const map = capture.attention_probabilities(kind, 0, heads, queries, keys);
  std::vector<double> row(keys);
  for (std::size_t i = 0; i < heads * queries; ++i) {
    std::size_t const query = i % queries, head = i / queries;
    double const sharpness = 1 + 2.0 * static_cast<double>(head);
    double sum = 0;
    for (std::size_t key = 0; key < keys; ++key) {
      row[key] = is_causal && key > query ? 0 : std::exp(sharpness * next_uniform() + (key == query && head % 2 ? 2 : 0));
      sum += row[key];
    }
    for (std::size_t key = 0; key < keys; ++key) map[i * keys + key] = static_cast<float>(row[key] / sum);
  }
}

std::string json(Capture::AttentionMap const& map) {
  std::string text = "[";
  for (std::size_t head = 0; head < map.length<0>(); ++head)
    for (std::size_t query = 0; query < map.length<1>(); ++query) {
      text += query ? ",[" : head ? "],[[" : "[[";
      for (std::size_t key = 0; key < map.length<2>(); ++key) text += (key ? "," : "") + detail::script_number(map(head, query, key));
      text += "]";
    }
  return text + "]]";
}

// The numbers beside a page: [part][layer][head][query][key].
void write_numbers(std::filesystem::path const& page, std::vector<std::vector<Capture::AttentionMap const*>> const& parts) {
  std::ofstream file(std::filesystem::path(page).replace_extension(".json"));
  auto const part = [](auto const& layers) { return detail::script_array(layers, [](auto const* map) { return json(*map); }); };
  file << detail::script_array(parts, part);
}

std::vector<Capture::AttentionMap const*> self_maps(Capture const& capture) {
  std::vector<Capture::AttentionMap const*> maps;
  for (std::size_t layer = 0; layer < capture.layers(); ++layer) maps.push_back(&capture.attention(layer));
  return maps;
}

void write_pair(std::filesystem::path const& folder) {
  std::vector<std::string> const tokens{"[CLS]", "the", "cat", "sat", "[SEP]", "she", "purr", "##s", "[SEP]"};
  Capture capture;
  for (std::size_t layer = 0; layer < 3; ++layer) capture.begin_layer(layer), attend(capture, AttentionKind::self, 5, 9, 9, false);
  auto const view = attention_view(capture, tokens, {.title = "The cat sat. She purrs.", .second_text = 5});
  write_attention_view(folder / "pair.html", view, {.layer = -1});
  write_attention_view(folder / "pair-options.html", view,
                       {.view = AttentionViewKind::table, .layer = 2, .heads = {1, 3}, .layers = {0, 2}});
  write_numbers(folder / "pair.html", {self_maps(capture)});
}

void write_causal(std::filesystem::path const& folder) {
  Capture capture;
  for (std::size_t layer = 0; layer < 2; ++layer) capture.begin_layer(layer), attend(capture, AttentionKind::self, 3, 6, 6, true);
  write_attention_view(folder / "causal.html", attention_view(capture, {"It", "Ġwas", "Ġa", " dark", "\n", "Ġnight"}));
  write_numbers(folder / "causal.html", {self_maps(capture)});
}

void write_encoder_decoder(std::filesystem::path const& folder) {
  std::vector<std::string> const source{"the", "cat", "sat", "down", "</s>"}, target{"<s>", "die", "Katze"};
  Capture encoder, decoder;
  for (std::size_t layer = 0; layer < 3; ++layer) encoder.begin_layer(layer), attend(encoder, AttentionKind::self, 4, 5, 5, false);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    decoder.begin_layer(layer), attend(decoder, AttentionKind::self, 6, 3, 3, true);
    attend(decoder, AttentionKind::cross, 6, 3, 5, false);
  }
  write_attention_view(folder / "translation.html", attention_view(encoder, decoder, source, target, {.title = "the cat sat down"}));
  write_numbers(folder / "translation.html",
                {self_maps(encoder), self_maps(decoder), {&decoder.cross_attention(0), &decoder.cross_attention(1)}});
}

// Texts that are after the page.
std::vector<std::string> const hostile{"</script><img src=x onerror=\"document.title='broken'\">",
                                       "<!--<script>",
                                       "\"'&amp;\\u003c]]>",
                                       "\xE2\x80\xAE" "evil",  // turns the direction of what follows
                                       "",
                                       "\xFF\xC3",  // no UTF-8
                                       std::string("a\0b\r\n", 5),
                                       "日本語\xF0\x9F\x98\x80",
                                       "שלום",
                                       std::string(3000, 'x'),
                                       "</script <img src=x onerror=\"document.title='broken'\">"};

void write_hostile(std::filesystem::path const& folder) {
  Capture capture;
  attend(capture, AttentionKind::self, 2, hostile.size(), hostile.size(), false);
  write_attention_view(folder / "hostile.html", attention_view(capture, hostile, {.title = "</title>" + hostile[0]}));
  GenerationView view{.title = "</title>" + hostile[0], .prompt = hostile[0] + "\n" + hostile[1], .steps = {}};
  for (std::string const& token : hostile) view.steps.push_back({token, 0.25, 1, {{token, 0.25}, {hostile[0], 0.1}}});
  write_generation_view(folder / "hostile-generation.html", view);
}

void write_generation(std::filesystem::path const& folder) {
  std::vector<std::string> const vocabulary{" the", " a", " dark", " night", ",", "\n", " stormy", " and", ".", "!"};
  GenerationView view{.title = "It was", .prompt = "It was", .steps = {}};
  std::vector<float> logits(vocabulary.size());
  std::string numbers;
  for (TokenId const chosen : {1, 2, 7, 6, 3, 8, 5, 9}) {
    for (float& logit : logits) logit = static_cast<float>(4 * next_uniform());
    logits[4] = -std::numeric_limits<float>::infinity();
    view.steps.push_back(generation_step(logits, chosen, [&](TokenId id) { return vocabulary[static_cast<std::size_t>(id)]; }, 5));
    logits[4] = -1000;  // JSON has no infinity
    numbers += (numbers.empty() ? "" : ",") + ("{\"chosen\":" + std::to_string(chosen)) + ",\"logits\":" +
               detail::script_array(logits, [](float logit) { return detail::script_number(logit); }) + "}";
  }
  write_generation_view(folder / "generation.html", view);
  write_generation_view(folder / "nothing.html", {});
  auto const words = detail::script_array(vocabulary, [](auto const& token) { return detail::script_string(token); });
  std::ofstream(folder / "generation.json") << "{\"vocabulary\":" << words << ",\"steps\":[" << numbers << "]}";
}

// A search of three beams, with logits that a model would not give.
BeamView searched(std::vector<std::string> const& vocabulary) {
  BeamView view{.title = "It was", .prompt = "It was", .steps = {}, .results = {}, .text_of = [vocabulary](TokenId id) {
                  return vocabulary[static_cast<std::size_t>(id)];
                }};
  GenerateOptions options{.max_length = 7,
                          .num_return_sequences = 3,
                          .decoding = Decoding::beam_search,
                          .num_beams = 3,
                          .early_stopping = EarlyStopping::never,
                          .end_of_text = {8}};
  options.on_beams = [&](BeamStep const& step) { view.steps.push_back(step); };
  Stopping const stopping(options);
  std::vector<TokenId> const prompt{0};
  BeamSearch search(prompt, prompt, options, options.max_length, stopping);
  while (!search.is_done()) {
    std::vector<std::vector<float>> logits(search.beams().size(), std::vector<float>(vocabulary.size()));
    for (auto& row : logits)
      for (float& logit : row) logit = static_cast<float>(4 * next_uniform());
    std::vector<std::span<float>> rows(logits.begin(), logits.end());
    search.step(rows);
  }
  view.results = search.results();
  return view;
}

void write_beams(std::filesystem::path const& folder) {
  std::vector<std::string> const vocabulary{" the", " a", " dark", " night", ",", "\n", " stormy", " and", ".", "!"};
  auto const view = searched(vocabulary);
  write_beam_view(folder / "beams.html", view);
  write_beam_view(folder / "no-beams.html", {.title = "", .prompt = "", .steps = {}, .results = {}, .text_of = view.text_of});
  auto const number = [](double value) { return detail::script_number(value); };
  auto const steps = detail::script_array(view.steps, [&](BeamStep const& step) {
    return detail::script_array(step.candidates, [&](BeamCandidate const& one) {
      return "{\"beam\":" + std::to_string(one.beam) + ",\"token\":" + detail::script_string(view.text_of(one.id)) +
             ",\"logProbability\":" + number(one.log_probability) + ",\"score\":" + number(one.score) +
             ",\"fate\":" + std::to_string(static_cast<int>(one.fate)) + ",\"finalScore\":" + number(one.final_score) + "}";
    });
  });
  auto const results = detail::script_array(view.results, [&](GeneratedSequence const& result) {
    std::string text;
    for (TokenId const id : result.new_ids()) text += view.text_of(id);
    return "{\"text\":" + detail::script_string(text) + ",\"tokens\":" + std::to_string(result.new_ids().size()) +
           ",\"score\":" + number(result.beam_score) + "}";
  });
  std::ofstream(folder / "beams.json") << "{\"steps\":" << steps << ",\"results\":" << results << "}";
  auto strange = searched(hostile);
  strange.title = "</title>" + hostile[0];
  strange.prompt = hostile[0] + "\n" + hostile[1];
  write_beam_view(folder / "hostile-beams.html", strange);
}

// 12 layers of 12 heads and 512 tokens: 37.7 million weights.
void write_large(std::filesystem::path const& folder) {
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < 512; ++i) tokens.push_back("token" + std::to_string(i));
  Capture capture;
  for (std::size_t layer = 0; layer < 12; ++layer) capture.begin_layer(layer), attend(capture, AttentionKind::self, 12, 512, 512, false);
  write_attention_view(folder / "large.html", attention_view(capture, tokens, {.title = "512 tokens"}));
  auto const& map = capture.attention(7);
  std::ofstream numbers(folder / "large.json");  // what one token attends to, a row a head
  numbers << "[";
  for (std::size_t head = 0; head < 12; ++head)
    numbers << (head ? "," : "")
            << detail::script_array(map.row(head * 512 + 100), [](float weight) { return detail::script_number(weight); });
  numbers << "]";
  std::ofstream floats(folder / "large.f32", std::ios::binary);  // a whole head
  floats.write(reinterpret_cast<char const*>(map.row(3 * 512).data()), 512 * 512 * sizeof(float));
}

// Attention with the most entropy that a mean of 1/512 allows: of all maps, these are the largest.
void write_largest(std::filesystem::path const& folder) {
  Capture capture;
  for (std::size_t layer = 0; layer < 12; ++layer) {
    capture.begin_layer(layer);
    float* const map = capture.attention_probabilities(AttentionKind::self, 0, 12, 512, 512);
    for (std::size_t row = 0; row < 12 * 512; ++row) {
      double sum = 0, weights[512];
      for (double& weight : weights) sum += weight = -std::log1p(-next_uniform());
      for (std::size_t key = 0; key < 512; ++key) map[row * 512 + key] = static_cast<float>(weights[key] / sum);
    }
  }
  write_attention_view(folder / "largest.html", attention_view(capture, std::vector<std::string>(512, "token")));
}

// What the pages compress with, as a filter; each piece begins a block.
void deflate(std::size_t piece) {
  std::string const text{std::istreambuf_iterator<char>(std::cin), {}};
  std::vector<std::uint8_t> const bytes(text.begin(), text.end());
  detail::Deflater deflater;
  for (std::size_t begin = 0; begin < bytes.size(); begin += piece)
    deflater.add(std::span(bytes).subspan(begin, std::min(piece, bytes.size() - begin)));
  std::cout << deflater.finish();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return std::cerr << "usage: pages FOLDER, or pages --deflate BYTES\n", 2;
  try {
    if (argc == 3) return deflate(std::stoul(argv[2])), 0;
    std::filesystem::path const folder = argv[1];
    write_pair(folder);
    write_causal(folder);
    write_encoder_decoder(folder);
    write_hostile(folder);
    write_generation(folder);
    write_beams(folder);
    write_large(folder);
    write_largest(folder);
    return 0;
  } catch (std::exception const& error) {
    return std::cerr << error.what() << '\n', 1;
  }
}
