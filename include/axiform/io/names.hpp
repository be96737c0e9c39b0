/// @file
/// How the names of a checkpoint's tensors become those of a model's parameters, and what is transposed or fused on the way.
///
/// A `NameTable` is data, one for each family of models:
///
///     NameTable distilbert{
///         .family = "DistilBERT",
///         .prefixes = {"", "distilbert."},
///         .rules = {{"encoder.layers.*.attention.query.*", "transformer.layer.*.attention.q_lin.*"}, ...},
///         .body = {"embeddings.**", "transformer.**"},
///     };
///
/// Patterns: `*` stands for one part of a name between dots, `**` for any text, dots included; what they matched is put where the same
/// wildcards stand, in order, in the other name. A parameter that no rule matches has the same name in the file.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/config.hpp>

#if AXIFORM_DEFINES(io)
#include <algorithm>
#include <utility>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#endif

namespace axiform {

/// How a file keeps a matrix, compared with the canonical [out, in].
enum class Arrangement {
  as_is,
  transposed,  ///< [in, out], as GPT-2's Conv1D.
  reshaped,  ///< The same values in the same order on other axes: a convolution's [out, in, height, width], a class token's [1, 1, width].
  interleaved  ///< The two halves of each head's rows in turns, row 0, row n / 2, row 1, …: queries and keys of a Llama in a GGUF file.
};

/// Whose names the tensors of a file have.
enum class TensorNames {
  hugging_face,  ///< The family's own.
  gguf           ///< llama.cpp's, which are alike for all architectures.
};

/// Where a parameter is in a file: the name, and which part of that tensor it is.
struct NameRule {
  std::string canonical;                         ///< Pattern of the parameter's name in the model.
  std::string in_file;                           ///< Pattern of the tensor's name in the file, without prefix.
  Arrangement arrangement = Arrangement::as_is;  ///< Of matrices; vectors are as they are.
  std::size_t part = 0;        ///< The file fuses `parts` parameters of equal shape, one after another along the outputs; this is the one.
  std::size_t parts = 1;       ///< Parameters that the tensor holds.
  std::string otherwise = {};  ///< Pattern of the name in files that lack the first; it needs the same wildcards.
  std::size_t heads = 1;       ///< Heads that the rows of an `interleaved` matrix are shared among.
  std::size_t otherwise_parts = 0;  ///< Parameters that the tensor under the other name holds: 1 where only this one; 0 for as many.
};

/// Another spelling of names in files, tried beside the first.
struct Spelling {
  std::string usual;  ///< Pattern.
  std::string other;  ///< Pattern.
};

/// How a family of checkpoints names its tensors.
struct NameTable {
  std::string family;                      ///< As messages say it.
  std::vector<std::string> prefixes = {};  ///< What may stand before every name; "" when nothing may.
  std::vector<NameRule> rules = {};        ///< The first that matches counts.
  std::vector<Spelling> spellings = {};    ///< Legacy names.
  /// Names in the file, without prefix, that belong to the model itself. One that no parameter asks for means that the checkpoint is
  /// another model (more layers, say) and is an error. Everything else that nobody asks for is a head, and is ignored.
  std::vector<std::string> body = {};
  std::vector<std::string> buffers = {};  ///< Names within `body` that hold nothing learned, and are ignored.
};

/// A name that a parameter may have in a file, and how it is kept there.
struct NameCandidate {
  std::string name;                              ///< In the file.
  Arrangement arrangement = Arrangement::as_is;  ///< How the file keeps it.
  std::size_t part = 0;                          ///< Which of `parts` it is.
  std::size_t parts = 1;                         ///< Parameters that the tensor holds.
  std::size_t heads = 1;                         ///< Of an `interleaved` matrix.
};

/// What the wildcards of `pattern` match in `name`, in order, or nothing when it does not match.
std::optional<std::vector<std::string_view>> match_pattern(std::string_view pattern, std::string_view name);

/// `pattern` with its wildcards replaced by `texts`, in order.
/// @throws ArgumentError when their numbers differ.
std::string fill_pattern(std::string_view pattern, std::vector<std::string_view> const& texts);

/// Every name that a canonical one may have in a file: with each prefix, in each spelling.
std::vector<NameCandidate> name_candidates(NameTable const& table, std::string_view canonical);

/// The same for the name that counts when the file has none of those: empty where the rule gives no other.
std::vector<NameCandidate> name_candidates_otherwise(NameTable const& table, std::string_view canonical);

/// What a tensor that no parameter asks for is to a model.
enum class Leftover {
  buffer,  ///< It holds nothing learned.
  head,    ///< It is not of the model's body: another head's, or the program's that saved it.
  body     ///< It is of the body: the checkpoint is another model's.
};

/// What a tensor that no parameter asks for is, by its name.
Leftover leftover(NameTable const& table, std::string_view name_in_file);

/// The parameter that a rule of the table has under that name in files, or nothing.
std::optional<std::string> canonical_name(NameTable const& table, std::string_view name_in_file);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(io)

AXIFORM_INLINE std::optional<std::vector<std::string_view>> match_pattern(std::string_view pattern, std::string_view name) {
  std::size_t const star = pattern.find('*');
  if (star == pattern.npos) return pattern == name ? std::optional(std::vector<std::string_view>{}) : std::nullopt;
  if (name.substr(0, star) != pattern.substr(0, star)) return std::nullopt;
  bool const any = pattern.substr(star).starts_with("**");
  std::string_view const rest = pattern.substr(star + (any ? 2 : 1));
  std::string_view const tail = name.substr(star);
  std::size_t const longest = any ? tail.size() : std::min(tail.find('.'), tail.size());
  if (rest.empty()) {
    if (longest != tail.size()) return std::nullopt;
    return std::vector<std::string_view>{tail};
  }
  for (std::size_t length = any ? 0 : longest; length <= longest; ++length) {
    if (auto found = match_pattern(rest, tail.substr(length))) {
      found->insert(found->begin(), tail.substr(0, length));
      return found;
    }
  }
  return std::nullopt;
}

AXIFORM_INLINE std::string fill_pattern(std::string_view pattern, std::vector<std::string_view> const& texts) {
  std::string result;
  std::size_t used = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '*') {
      result += pattern[i];
      continue;
    }
    if (i + 1 < pattern.size() && pattern[i + 1] == '*') ++i;
    if (used < texts.size()) result += texts[used];
    ++used;
  }
  if (used != texts.size())
    throw ArgumentError(detail::message(
        {"the name pattern ", pattern, ": found ", used, " wildcards, expected ", texts.size(), " as in the pattern that it goes with"}));
  return result;
}

namespace detail {

/// `usual` with each prefix, in each spelling.
inline std::vector<NameCandidate> spelled_out(NameTable const& table, NameCandidate const& usual) {
  std::vector<std::string> spellings{usual.name};
  for (Spelling const& spelling : table.spellings)
    if (auto const texts = match_pattern(spelling.usual, usual.name)) spellings.push_back(fill_pattern(spelling.other, *texts));
  std::vector<NameCandidate> candidates;
  for (std::string const& prefix : table.prefixes) {
    for (std::string const& spelling : spellings) {
      candidates.push_back(usual);
      candidates.back().name = prefix + spelling;
    }
  }
  return candidates;
}

}  // namespace detail

AXIFORM_INLINE std::vector<NameCandidate> name_candidates(NameTable const& table, std::string_view canonical) {
  for (NameRule const& rule : table.rules)
    if (auto const texts = match_pattern(rule.canonical, canonical))
      return detail::spelled_out(table, {fill_pattern(rule.in_file, *texts), rule.arrangement, rule.part, rule.parts, rule.heads});
  return detail::spelled_out(table, {.name = std::string(canonical)});
}

AXIFORM_INLINE std::vector<NameCandidate> name_candidates_otherwise(NameTable const& table, std::string_view canonical) {
  for (NameRule const& rule : table.rules) {
    auto const texts = match_pattern(rule.canonical, canonical);
    if (!texts) continue;
    if (rule.otherwise.empty()) return {};
    bool const is_alone = rule.otherwise_parts == 1;
    return detail::spelled_out(
        table, {fill_pattern(rule.otherwise, *texts), rule.arrangement, is_alone ? 0 : rule.part, is_alone ? 1 : rule.parts, rule.heads});
  }
  return {};
}

AXIFORM_INLINE Leftover leftover(NameTable const& table, std::string_view name_in_file) {
  auto const matches_one = [](std::vector<std::string> const& patterns, std::string_view name) {
    for (std::string const& pattern : patterns)
      if (match_pattern(pattern, name)) return true;
    return false;
  };
  Leftover result = Leftover::head;
  for (std::string const& prefix : table.prefixes) {
    if (!name_in_file.starts_with(prefix)) continue;
    std::string_view const name = name_in_file.substr(prefix.size());
    if (matches_one(table.buffers, name)) {
      result = Leftover::buffer;
    } else if (matches_one(table.body, name)) {
      return Leftover::body;
    }
  }
  return result;
}

AXIFORM_INLINE std::optional<std::string> canonical_name(NameTable const& table, std::string_view name_in_file) {
  for (std::string const& prefix : table.prefixes) {
    if (!name_in_file.starts_with(prefix)) continue;
    std::string usual(name_in_file.substr(prefix.size()));
    for (Spelling const& spelling : table.spellings)
      if (auto const texts = match_pattern(spelling.other, usual)) usual = fill_pattern(spelling.usual, *texts);
    for (NameRule const& rule : table.rules)
      for (std::string const& in_file : {rule.in_file, rule.otherwise})
        if (auto const texts = match_pattern(in_file, usual)) return fill_pattern(rule.canonical, *texts);
  }
  return std::nullopt;
}

#endif  // AXIFORM_DEFINES(io)

}  // namespace axiform
