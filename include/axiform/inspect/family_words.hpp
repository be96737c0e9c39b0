/// @file
/// Module trees from the words of a family (`ModuleWords`): the text that PyTorch prints, with places for what differs from model to model.
///
///     @ForTokenClassification(                               @: how the family's classes begin
///       (bert): <Model>                                      the part of that name
///       <pooler> where pooler.weight                         its lines, where the model has that parameter; unless: where it has not
///       (layer): ModuleList(
///         (*): @Layer(                                       once for each layer, but for those that stand before it: (0); (*groups): as often as the value says
///           (dense): Linear(in_features={hidden}, …)         a value of the model
///       …
///       (classifier): Linear(…, out_features={classifier.weight}, bias=True)     the rows of that parameter
///     )
///
/// Values: encoder_layers and decoder_layers (of an encoder-decoder's sides), hidden, heads, width, key_width, fused_width (those of queries, keys and
/// values), head_size, inner, fused_inner (twice that), vocabulary, positions, token_types, norm (the line of a norm), epsilon (its), activation and
/// head_activation (the lines of activations), padding (", padding_idx=1" or nothing), the rates of `PrintedSettings`, hidden_dropout and the like, and attention_dropout_or_identity (the line of a module).
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/inspect/module_node.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/models/family.hpp>

namespace axiform {

/// What a model fills the words of its family with.
struct ModelValues {
  std::string class_prefix = {};                                ///< For `@`.
  std::size_t layers = 0;                                       ///< How often `(*)` stands.
  std::map<std::string, std::string, std::less<>> values = {};  ///< For `{…}`, by name; parameters by their paths.
};

/// The tree that the part `part` of a family's words says.
/// @throws ArgumentError when there is no such part, or it names a value that the model does not have.
ModuleNode fill_words(std::span<ModuleWords const> words, std::string_view part, ModelValues const& values);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

namespace detail {

/// The lines of a part, one after another, without their indents and the newline that it begins with.
class WordLines {
 public:
  explicit WordLines(std::string_view text) : rest_(text) { skip_space(); }

  bool empty() const { return rest_.empty(); }
  /// The next line; at the end one that closes whatever is open.
  std::string_view next() {
    if (rest_.empty()) return ")";
    std::string_view const line = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(line.size());
    skip_space();
    return line;
  }

 private:
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }

  std::string_view rest_;
};

class WordFiller {
 public:
  WordFiller(std::span<ModuleWords const> words, ModelValues const& values) : words_(words), values_(values) {}

  ModuleNode part(std::string_view name) const {
    WordLines lines(text_of(name));
    std::string_view const first = lines.next();
    return node(first, lines);
  }

 private:
  std::string_view text_of(std::string_view name) const {
    for (ModuleWords const& each : words_)
      if (each.part == name) return each.text;
    throw ArgumentError(message({"module tree: found no words for ", in_quotes(name)}));
  }

  // What `description` opens, or the leaf that it is.
  ModuleNode node(std::string_view description, WordLines& lines) const {
    if (description.starts_with('<')) return part(description.substr(1, description.size() - 2));
    if (!description.ends_with('(')) return module_leaf(filled(description));
    ModuleNode result = module_leaf(filled(description.substr(0, description.size() - 1)));
    for (std::string_view line = lines.next(); line != ")"; line = lines.next()) add(line, lines, result);
    return result;
  }

  void add(std::string_view line, WordLines& lines, ModuleNode& parent) const {
    if (line.starts_with('<')) {
      std::size_t const end = line.find('>');
      constexpr std::string_view where = " where ", unless = " unless ";
      std::string_view const condition = line.substr(end + 1);
      if (condition.starts_with(where) && !values_.values.contains(condition.substr(where.size()))) return;
      if (condition.starts_with(unless) && values_.values.contains(condition.substr(unless.size()))) return;
      for (WordLines part(text_of(line.substr(1, end - 1))); !part.empty();) {
        std::string_view const first = part.next();
        add(first, part, parent);
      }
      return;
    }
    std::size_t const end = line.find("): ");
    std::string_view const name = line.substr(1, end - 1);
    ModuleNode const child = node(line.substr(end + 3), lines);
    if (!name.starts_with('*')) {
      parent.add(std::string(name), child);
    } else {
      std::size_t const count = name.size() == 1 ? values_.layers : std::stoul(value_of(name.substr(1)));
      for (std::size_t i = parent.children.size(); i < count; ++i) parent.add(std::to_string(i), child);
    }
  }

  std::string const& value_of(std::string_view name) const {
    auto const value = values_.values.find(name);
    if (value == values_.values.end())
      throw ArgumentError(message({"module tree: the words name ", in_quotes(name), ", which the model does not have"}));
    return value->second;
  }

  std::string filled(std::string_view text) const {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '@') {
        result += values_.class_prefix;
      } else if (text[i] == '{') {
        std::size_t const end = text.find('}', i);
        result += value_of(text.substr(i + 1, end - i - 1));
        i = end;
      } else {
        result += text[i];
      }
    }
    return result;
  }

  std::span<ModuleWords const> words_;
  ModelValues const& values_;
};

}  // namespace detail

AXIFORM_INLINE ModuleNode fill_words(std::span<ModuleWords const> words, std::string_view part, ModelValues const& values) {
  return detail::WordFiller(words, values).part(part);
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
