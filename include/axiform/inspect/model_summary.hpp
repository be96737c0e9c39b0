/// @file
/// A model's parts as a table: parameters, memory and operations of each.
///
///     print_model_summary(std::cout, module_costs(bert, {.tokens = 128}));   // inspect/costs.hpp
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/inspect/module_cost.hpp>
#include <axiform/inspect/folded_tree.hpp>

namespace axiform {

/// Whether equal layers of a list are one line.
enum class EqualLayers {
  folded,  ///< One line for all of them, with what they cost together.
  listed   ///< A line each.
};

/// What a summary shows.
struct SummaryOptions {
  std::size_t depth = std::numeric_limits<std::size_t>::max();  ///< Levels below the model; 0 shows the model alone.
  EqualLayers equal_layers = EqualLayers::folded;               ///< What becomes of 12 layers that cost the same.
};

namespace detail {

/// "109 482 240"
inline std::string grouped_digits(std::size_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, " ");
  return text;
}

/// Four significant digits and a unit: "417.6 MiB" with steps of 1024, "22.35 G" with steps of 1000.
inline std::string with_unit(std::size_t number, double step, std::array<char const*, 6> const& units) {
  auto value = static_cast<double>(number);
  std::size_t unit = 0;
  for (; value >= 0.99995 * step && unit + 1 < units.size(); ++unit) value /= step;
  std::array<char, 40> text;
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f%s" : "%.4g%s", value, units[unit]);
  return text.data();
}
inline std::string bytes_text(std::size_t bytes) {
  return bytes == 0 ? std::string() : with_unit(bytes, 1024, {" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}
inline std::string flops_text(std::size_t flops) {
  return flops == 0 ? std::string() : with_unit(flops, 1000, {"", " k", " M", " G", " T", " P"});
}

inline void multiply_cost(ModuleCost& cost, std::size_t factor) {
  for (std::size_t* number : {&cost.parameters, &cost.weight_bytes, &cost.flops, &cost.result_bytes, &cost.cache_bytes}) *number *= factor;
  for (ModuleCost& child : cost.children) multiply_cost(child, factor);
}

/// Equal neighbours of a list as one: "0-11", of kind "12 x EncoderLayer".
inline ModuleCost fold_equal_costs(ModuleCost const& node) {
  ModuleCost folded = node;
  folded.children.clear();
  for_each_equal_run(node.children, equal_costs, [&](std::size_t first, std::size_t last) {
    ModuleCost child = fold_equal_costs(node.children[first]);
    if (last > first) {
      child.name += "-" + node.children[last].name;
      child.kind.insert(0, std::to_string(last - first + 1) + " x ");
      multiply_cost(child, last - first + 1);
    }
    folded.children.push_back(std::move(child));
  });
  return folded;
}

using SummaryLine = std::array<std::string, 6>;

inline void add_summary_lines(ModuleCost const& node, std::size_t level, std::size_t depth, std::vector<SummaryLine>& lines) {
  std::string label(2 * level, ' ');
  label += node.name;
  if (!node.kind.empty()) label += node.name.empty() ? node.kind : " (" + node.kind + ")";
  lines.push_back({std::move(label), grouped_digits(node.parameters), bytes_text(node.weight_bytes), flops_text(node.flops),
                   bytes_text(node.result_bytes), bytes_text(node.cache_bytes)});
  if (level == depth) return;
  for (ModuleCost const& child : node.children) add_summary_lines(child, level + 1, depth, lines);
}

inline void write_cost_json(std::ostream& out, ModuleCost const& node, std::string const& path) {
  out << R"({"module":")" << path << R"(","kind":")" << node.kind << R"(","parameters":)" << node.parameters << R"(,"weight_bytes":)"
      << node.weight_bytes << R"(,"flops":)" << node.flops << R"(,"result_bytes":)" << node.result_bytes << R"(,"cache_bytes":)"
      << node.cache_bytes << "}\n";
  for (ModuleCost const& child : node.children) write_cost_json(out, child, path.empty() ? child.name : path + "." + child.name);
}

}  // namespace detail

/// Writes a line for each module, indented below its parent; a line's numbers are those of all that is below it:
///
///     module                              parameters    weights    FLOPs    results
///     Bert                                22 713 216  86.64 MiB  2.869 G  13.88 MiB
///       embeddings (BertEmbeddings)       11 918 592  45.47 MiB             384 KiB
///         words (Embedding)               11 720 448  44.71 MiB             192 KiB
///     …
///           attention (SelfAttention)      3 548 160  13.54 MiB  1.057 G  5.625 MiB
///     …
///
/// There is a column for the key-value cache where a model has one.
void print_model_summary(std::ostream& out, ModuleCost const& cost, SummaryOptions const& options = {});

/// Writes a JSON object a line for every module, none of them folded: `module` ("encoder.layers.0.attention"; empty for the model), `kind`,
/// `parameters`, `weight_bytes`, `flops`, `result_bytes`, `cache_bytes`.
void write_model_summary_json(std::ostream& out, ModuleCost const& cost);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

AXIFORM_INLINE void print_model_summary(std::ostream& out, ModuleCost const& cost, SummaryOptions const& options) {
  std::vector<detail::SummaryLine> lines{{"module", "parameters", "weights", "FLOPs", "results", "cache"}};
  detail::add_summary_lines(options.equal_layers == EqualLayers::folded ? detail::fold_equal_costs(cost) : cost, 0, options.depth, lines);
  std::size_t const columns = cost.cache_bytes == 0 ? 5 : 6;
  std::array<std::size_t, 6> widths{};
  for (auto const& line : lines)
    for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], line[i].size());
  for (auto const& line : lines) {
    std::string text = line[0] + std::string(widths[0] - line[0].size(), ' ');
    for (std::size_t i = 1; i < columns; ++i) text += "  " + std::string(widths[i] - line[i].size(), ' ') + line[i];
    text.erase(text.find_last_not_of(' ') + 1);
    out << text << '\n';
  }
}

AXIFORM_INLINE void write_model_summary_json(std::ostream& out, ModuleCost const& cost) { detail::write_cost_json(out, cost, {}); }

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
