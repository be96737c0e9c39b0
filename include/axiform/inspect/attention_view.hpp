/// @file
/// Attention made visible: one HTML page that shows who attends to whom, in every layer and head.
///
/// The page needs no network and nothing beside it. It has three views of the same numbers: lines between two columns of tokens (after
/// bertviz's head view, Vig 2019), a grid of all layers and heads (its model view), and a heat map with the table behind it. It is used
/// with a mouse, a keyboard or a screen reader. What it shows of one head, or of the mean over all heads, is right to three decimals: weights
/// are kept to 1/60000, in a page that would be larger than 25 MB to 1/2000 at the least, the mean over all heads to 1/60000 always. They are
/// compressed, and the browser unpacks a head when it is first looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/observer.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/text/encoding.hpp>

#if AXIFORM_DEFINES(inspect)
#include <algorithm>
#include <array>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/inspect/attention_view_grid.hpp>
#include <axiform/inspect/attention_view_lines.hpp>
#include <axiform/inspect/attention_view_numbers.hpp>
#include <axiform/inspect/attention_view_page.hpp>
#include <axiform/inspect/attention_view_table.hpp>
#include <axiform/inspect/html.hpp>
#endif

namespace axiform {

/// The attention of one stack of layers.
struct AttentionMaps {
  std::string name;                                ///< What the page calls it where there are several: "Encoder", "Cross-attention".
  std::vector<std::string> queries;                ///< The tokens that attend.
  std::vector<std::string> keys;                   ///< The tokens that are attended to.
  /// The maps, first layer first. Not copied: whoever owns them must keep them.
  std::vector<View<axes::Heads, axes::Queries, axes::Keys>> layers;
  std::optional<std::size_t> second_text = {};     ///< Where the second text of a pair begins, in both columns; the page then has filters.
};

/// What a page shows.
struct AttentionView {
  std::string title;                 ///< The heading: the text, for one.
  std::vector<AttentionMaps> parts;  ///< One, or encoder, decoder and cross-attention.
};

/// The view that a page opens with; the reader can change to each other one.
enum class AttentionViewKind : std::uint8_t {
  heads,  ///< Lines between the tokens, one layer, any heads.
  model,  ///< All layers and heads, small.
  table   ///< A heat map of one layer: a head, or the mean over heads.
};

/// How a page is written, and what it shows first.
struct AttentionViewOptions {
  AttentionViewKind view = AttentionViewKind::heads;  ///< The view.
  std::ptrdiff_t layer = 0;                           ///< From 0; negative ones count from the last.
  std::vector<std::size_t> heads = {};                ///< From 0; all when empty.
  std::vector<std::size_t> layers = {};               ///< The layers that the page has at all; all when empty.
  std::size_t max_bytes = std::size_t{256} << 20;     ///< Of weights in the page, at most, about: what a browser still opens at ease.
};

/// What a capture does not know about the sequence that it saw.
struct AttentionViewText {
  std::string title = {};                       ///< The page's heading.
  std::size_t sequence = 0;                     ///< Of the batch.
  std::optional<std::size_t> second_text = {};  ///< As in `AttentionMaps`.
};

/// Where the second text of a pair begins, by the type ids of its tokens; nothing for a single text.
std::optional<std::size_t> second_text_begin(Encoding const& encoding);

/// A view of what a capture saw of one sequence.
///
///     Capture capture;
///     context.observe(&capture);
///     bert(encoding.ids, context);
///     auto const view = attention_view(capture, tokenizer.tokens(encoding), {.title = text});
///     write_attention_view("attention.html", view, {.layer = -1});
///
/// @param capture It is referred to, not copied: it must live, and must not be cleared, until the page is written.
/// @param tokens  One a row of the maps.
/// @throws ArgumentError when the sequence was not seen.
AttentionView attention_view(Capture const& capture, std::vector<std::string> tokens, AttentionViewText const& text = {});

/// A view of an encoder-decoder: the encoder's own attention, the decoder's own, and the decoder's to the encoder.
///
/// @param encoder,decoder What two captures saw, one of each side's pass. They must live until the page is written.
/// @param source,target   The tokens of either side.
/// @throws ArgumentError when the sequence was not seen.
AttentionView attention_view(Capture const& encoder, Capture const& decoder, std::vector<std::string> const& source,
                             std::vector<std::string> const& target, AttentionViewText const& text = {});

/// The page as one string.
/// @throws ShapeError when a map has other heads, queries or keys than its part; ArgumentError when there is nothing to show, a layer or
///         head is not there, a weight is not from 0 to 1, or the weights would take more than `options.max_bytes`.
std::string attention_html(AttentionView const& view, AttentionViewOptions const& options = {});

/// Writes the page to a file: all of it, or, when anything throws, what the file held before.
/// @throws As `attention_html`; FileError when the file cannot be written.
void write_attention_view(std::filesystem::path const& path, AttentionView const& view, AttentionViewOptions const& options = {});

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

namespace detail {

template <class GetMap>
AttentionMaps captured_maps(std::string name, std::vector<std::string> queries, std::vector<std::string> keys, std::size_t layers,
                            GetMap const& get_map) {
  AttentionMaps maps{std::move(name), std::move(queries), std::move(keys), {}};
  for (std::size_t layer = 0; layer < layers; ++layer) maps.layers.push_back(get_map(layer).view());
  return maps;
}

}  // namespace detail

namespace detail {

inline std::string attention_part_name(AttentionMaps const& part) {
  return "attention view: " + (part.name.empty() ? "" : part.name + ": ");
}

/// The layers of a part that the page has.
inline std::vector<std::size_t> shown_layers(AttentionMaps const& part, AttentionViewOptions const& options) {
  std::vector<std::size_t> layers = options.layers;
  if (layers.empty())
    for (std::size_t layer = 0; layer < part.layers.size(); ++layer) layers.push_back(layer);
  for (std::size_t const layer : layers)
    if (layer >= part.layers.size())
      throw ArgumentError(attention_part_name(part) + "layers: found " + std::to_string(layer) + ", and there are " +
                          std::to_string(part.layers.size()));
  return layers;
}

/// What the page says of a part besides its weights.
struct AttentionPartSummary {
  std::vector<std::size_t> layers;  ///< Those that are shown, by their numbers.
  std::size_t heads = 0;
  bool is_causal = false;  ///< No weight lies above the diagonal: only the triangle is written.
};

/// Looks at every weight once: shapes, ranges, the triangle.
inline AttentionPartSummary summarize_attention(AttentionMaps const& part, AttentionViewOptions const& options) {
  std::string const name = attention_part_name(part);
  if (part.layers.empty()) throw ArgumentError(name + "found no layer, expected at least one");
  AttentionPartSummary summary{shown_layers(part, options), part.layers.front().length<0>(), part.queries.size() == part.keys.size()};
  if (part.queries.empty() || part.keys.empty() || summary.heads == 0)
    throw ArgumentError(name + "found " + std::to_string(part.queries.size()) + " and " + std::to_string(part.keys.size()) +
                        " tokens and " + std::to_string(summary.heads) + " heads, expected at least one of each");
  if (part.second_text && (*part.second_text == 0 || *part.second_text >= std::min(part.queries.size(), part.keys.size())))
    throw ArgumentError(name + "second_text: found " + std::to_string(*part.second_text) +
                        ", expected at least one token of either text, of " +
                        std::to_string(std::min(part.queries.size(), part.keys.size())));
  auto const expected = Shape<axes::Heads, axes::Queries, axes::Keys>(summary.heads, part.queries.size(), part.keys.size());
  for (std::size_t const layer : summary.layers) {
    auto const& map = part.layers[layer];
    if (map.shape() != expected)
      throw ShapeError(name + "layer " + std::to_string(layer) + ": found a map " + map.shape().to_string() + ", expected " +
                       expected.to_string() + ": heads, and the numbers of tokens");
    for (std::size_t row = 0; row < map.rows(); ++row) {
      auto const weights = map.row(row);
      std::size_t const query = row % part.queries.size();
      for (std::size_t key = 0; key < weights.size(); ++key) {
        if (!(weights[key] >= -1e-3f && weights[key] <= 1.001f))
          throw ArgumentError(name + "layer " + std::to_string(layer) + ", head " + std::to_string(row / part.queries.size()) + ", [" +
                              std::to_string(query) + ", " + std::to_string(key) + "]: found " + std::to_string(weights[key]) +
                              ", expected a weight from 0 to 1");
        if (key > query && weights[key] != 0) summary.is_causal = false;
      }
    }
  }
  return summary;
}

inline std::string attention_part_data(AttentionMaps const& part, AttentionPartSummary const& summary) {
  auto const number = [](std::size_t value) { return std::to_string(value); };
  auto const token = [](std::string const& text) { return script_string(text); };
  return "{\"name\":" + script_string(part.name) + ",\"queries\":" + script_array(part.queries, token) +
         ",\"keys\":" + script_array(part.keys, token) + ",\"layers\":" + script_array(summary.layers, number) +
         ",\"heads\":" + number(summary.heads) + ",\"causal\":" + (summary.is_causal ? "true" : "false") +
         ",\"secondText\":" + (part.second_text ? number(*part.second_text) : "null") + "}";
}

/// The rows of a head that are written: whole, or up to the diagonal. Calls `use(index, weight)` with each weight, in the page's order.
template <class Use>
void for_each_weight(AttentionMaps const& part, AttentionPartSummary const& summary, std::size_t layer, std::size_t head, Use const& use) {
  std::size_t const queries = part.queries.size(), keys = part.keys.size();
  for (std::size_t query = 0, index = 0; query < queries; ++query) {
    auto const row = part.layers[layer].row(head * queries + query);
    for (float const weight : row.first(summary.is_causal ? query + 1 : keys)) use(index++, weight);
  }
}

/// Weights of a head that are written.
inline std::size_t weights_of_head(AttentionMaps const& part, AttentionPartSummary const& summary) {
  std::size_t const queries = part.queries.size();
  return summary.is_causal ? queries * (queries + 1) / 2 : queries * part.keys.size();
}

/// Looks at every weight once more: what a page of them weighs.
inline void add_entropy(WeightEntropy& entropy, AttentionMaps const& part, AttentionPartSummary const& summary) {
  std::vector<std::uint16_t> numbers(weights_of_head(part, summary));
  for (std::size_t const layer : summary.layers)
    for (std::size_t head = 0; head < summary.heads; ++head) {
      for_each_weight(part, summary, layer, head, [&](std::size_t i, float weight) { numbers[i] = fixed_point(weight); });
      entropy.add(numbers);
    }
}

/// One element a head, `w0-5-11` for part 0, layer 5, head 11, and one a layer, `m0-5`, for the mean over its heads.
inline void write_attention_weights(AttentionMaps const& part, AttentionPartSummary const& summary, std::size_t index, std::uint32_t scale,
                                    PageSink sink) {
  std::vector<std::uint16_t> numbers(weights_of_head(part, summary));
  for (std::size_t const layer : summary.layers) {
    std::string const place = std::to_string(index) + "-" + std::to_string(layer);
    LayerMean mean(numbers.size(), summary.heads, scale);
    for (std::size_t head = 0; head < summary.heads; ++head) {
      for_each_weight(part, summary, layer, head, [&](std::size_t i, float weight) {
        numbers[i] = static_cast<std::uint16_t>(fixed_point(weight) / (finest_scale / scale));
        mean.add(i, std::clamp(weight, 0.0f, 1.0f), numbers[i]);
      });
      sink(numbers_element("w" + place + "-" + std::to_string(head), numbers));
    }
    sink(numbers_element("m" + place, mean.differences()));
  }
}

inline void write_attention_page(AttentionView const& view, AttentionViewOptions const& options, PageSink sink) {
  if (view.parts.empty()) throw ArgumentError("attention view: found no part, expected at least one");
  std::vector<AttentionPartSummary> summaries;
  WeightEntropy entropy;
  for (AttentionMaps const& part : view.parts) add_entropy(entropy, part, summaries.emplace_back(summarize_attention(part, options)));
  constexpr double most_heads = 22e6;  // with the means over heads, 2 MB at most, and all else the page has less than 25 MB
  std::size_t const chosen = entropy.finest_within(std::min(most_heads, static_cast<double>(options.max_bytes)));
  std::uint32_t const scale = weight_scales[chosen];
  if (entropy.bytes(chosen) > static_cast<double>(options.max_bytes))
    throw ArgumentError("attention view: the weights would take " + std::to_string(static_cast<std::size_t>(entropy.bytes(chosen)) >> 20) +
                        " MiB, expected at most " + std::to_string(options.max_bytes >> 20) +
                        "; show fewer layers or tokens, or allow more (max_bytes)");

  auto const& shown = summaries.front();
  auto const layers = static_cast<std::ptrdiff_t>(view.parts.front().layers.size());
  std::ptrdiff_t const layer = options.layer < 0 ? options.layer + layers : options.layer;
  bool const is_shown = std::ranges::find(shown.layers, static_cast<std::size_t>(layer)) != shown.layers.end();
  if (layer < 0 || layer >= layers || (!is_shown && options.layer != 0))
    throw ArgumentError("attention view: layer: found " + std::to_string(options.layer) + ", which is none of those shown, 0 to " +
                        std::to_string(layers - 1) + " or fewer");
  for (std::size_t const head : options.heads)
    if (head >= shown.heads)
      throw ArgumentError("attention view: head: found " + std::to_string(head) + ", expected 0 to " + std::to_string(shown.heads - 1));

  constexpr std::array<std::string_view, 3> names{"heads", "model", "table"};
  auto const kind = static_cast<std::size_t>(options.view);
  if (kind >= names.size()) throw ArgumentError("attention view: view: found " + std::to_string(kind) + ", which is none");
  auto const number = [](std::size_t value) { return std::to_string(value); };
  std::string data = "{\"title\":" + script_string(view.title) + ",\"view\":\"" + std::string(names[kind]) +
                     "\",\"layer\":" + number(is_shown ? static_cast<std::size_t>(layer) : shown.layers.front()) +
                     ",\"chosenHeads\":" + script_array(options.heads, number) + ",\"scale\":" + number(scale) + ",\"parts\":[";
  for (std::size_t i = 0; i < summaries.size(); ++i) data += (i ? "," : "") + attention_part_data(view.parts[i], summaries[i]);
  data += "]}";

  PageParts const page{view.title.empty() ? std::string_view("Attention") : std::string_view(view.title), attention_page_style,
                       attention_page_body, std::move(data),
                       {attention_lines_script, attention_grid_script, attention_table_script, attention_page_script}};
  write_page(page, sink, [&](PageSink more) {
    for (std::size_t i = 0; i < summaries.size(); ++i) write_attention_weights(view.parts[i], summaries[i], i, scale, more);
  });
}

}  // namespace detail

AXIFORM_INLINE std::optional<std::size_t> second_text_begin(Encoding const& encoding) {
  auto const first = std::ranges::find(encoding.type_ids, TokenId{1});
  if (first == encoding.type_ids.end()) return std::nullopt;
  return static_cast<std::size_t>(first - encoding.type_ids.begin());
}

AXIFORM_INLINE AttentionView attention_view(Capture const& capture, std::vector<std::string> tokens, AttentionViewText const& text) {
  auto maps = detail::captured_maps({}, tokens, tokens, capture.layers(), [&](std::size_t layer) -> Capture::AttentionMap const& {
    return capture.attention(layer, text.sequence);
  });
  maps.second_text = text.second_text;
  AttentionView view{text.title, {}};
  view.parts.push_back(std::move(maps));
  return view;
}

AXIFORM_INLINE AttentionView attention_view(Capture const& encoder, Capture const& decoder, std::vector<std::string> const& source,
                                            std::vector<std::string> const& target, AttentionViewText const& text) {
  using Map = Capture::AttentionMap;
  AttentionView view{text.title, {}};
  view.parts.push_back(detail::captured_maps("Encoder", source, source, encoder.layers(),
                                             [&](std::size_t layer) -> Map const& { return encoder.attention(layer, text.sequence); }));
  view.parts.push_back(detail::captured_maps("Decoder", target, target, decoder.layers(),
                                             [&](std::size_t layer) -> Map const& { return decoder.attention(layer, text.sequence); }));
  view.parts.push_back(detail::captured_maps("Cross-attention", target, source, decoder.layers(), [&](std::size_t layer) -> Map const& {
    return decoder.cross_attention(layer, text.sequence);
  }));
  return view;
}

AXIFORM_INLINE std::string attention_html(AttentionView const& view, AttentionViewOptions const& options) {
  return detail::page_text([&](detail::PageSink sink) { detail::write_attention_page(view, options, sink); });
}

AXIFORM_INLINE void write_attention_view(std::filesystem::path const& path, AttentionView const& view,
                                         AttentionViewOptions const& options) {
  detail::write_page_file(path, [&](detail::PageSink sink) { detail::write_attention_page(view, options, sink); });
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
