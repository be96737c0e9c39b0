/// @file
/// What a family of checkpoints is to the library: a struct of data, of a reader of its config and of its table of names. models/families/ has
/// one file for each; models/known.hpp lists them.
///
///     struct DistilBertFamily {
///       using Config = BertConfig;                                      // what read_config gives
///       template <ModelHead head, DimensionsLike D = DynamicDimensions>
///       using Model = BertModel<head, D>;                               // the model with that head
///
///       static constexpr FamilyClass classes[] = {{"distilbert", "DistilBert"}};
///       static constexpr FamilyHead heads[] = {{ModelHead::none, "Model"}, {ModelHead::masked_lm, "ForMaskedLM"}, …};
///       static constexpr Family family{.name = "DistilBERT", .classes = classes, .heads = heads};
///
///       static BertConfig read_config(ConfigReader const& reader);
///       static NameTable names(HeadWeights weights);
///       static NameTable gguf_names(HeadWeights weights);               // where llama.cpp has the architecture
///
///       static constexpr ModuleWords words[] = {…};                     // the trees that PyTorch prints, for inspect/
///     };
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/head_weights.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/io/names.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/models/model_head.hpp>

namespace axiform {

/// One `model_type` of a family, and how the names of its classes begin: {"xlm-roberta", "XLMRoberta"}.
struct FamilyClass {
  std::string_view model_type;  ///< In config.json.
  std::string_view prefix;      ///< Of its classes.
  std::string_view flag = {};   ///< What the config sets to true where several families have one model type; empty for any config.
};

/// A head that a family has, and how the names of its classes end: {ModelHead::masked_lm, "ForMaskedLM"}.
struct FamilyHead {
  ModelHead head;           ///< The head.
  std::string_view suffix;  ///< Of its class.
};

/// How a family's configs are recognised, and what it is called.
struct Family {
  std::string_view name;                          ///< As messages say it: "RoBERTa".
  std::string_view article = "a";                 ///< Before the name.
  std::span<FamilyClass const> classes;           ///< Its model types.
  std::span<FamilyHead const> heads;              ///< Its heads.
  std::span<std::size_t const> end_of_text = {};  ///< What ends a text where a config does not say: `eos_token_id`.
};

/// Whether a family, a struct as above, has a head.
template <class Family>
constexpr bool has_head(ModelHead head) {
  for (FamilyHead const& each : Family::heads)
    if (each.head == head) return true;
  return false;
}

/// A part of the tree that PyTorch prints for a family's models; inspect/module_tree.hpp says how it is written.
struct ModuleWords {
  std::string_view part;  ///< "layer", or one of the heads' suffixes: "ForMaskedLM".
  std::string_view text;  ///< The tree.
};

/// A config as its family reads it, and that family's table of names.
template <class Config>
struct FamilyConfig {
  Config config;                            ///< What the file says.
  NameTable (*names)(HeadWeights weights);  ///< What its checkpoints call their parameters.
};

/// The family of a config, and which of its classes.
struct FoundFamily {
  Family const* family;      ///< The family.
  FamilyClass const* named;  ///< The class that the config names.
};

/// Families, each a struct as above.
template <class... Families>
struct FamilyList {
  static constexpr std::array<Family const*, sizeof...(Families)> families{&Families::family...};  ///< In order.

  /// Calls `use.template operator()<F>()` for each.
  template <class Use>
  static void for_each(Use&& use) {
    (use.template operator()<Families>(), ...);
  }
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Reads a config by whichever of the known families that have `Model` for a body it is of; models/known.hpp defines it.
/// @throws CheckpointError when it is of none of them; as the family's `read_config`.
/// @param names Whose names the weights have. A family without GGUF's is refused where they are asked for.
template <class Model, class Config>
FamilyConfig<Config> read_family_config(Json const& config, std::string const& file, TensorNames names = TensorNames::hugging_face);

/// The same for a directory's config.json. @throws FileError when it is missing, else as above.
template <class Model, class Config>
FamilyConfig<Config> read_family_config(ModelDirectory const& directory) {
  return read_family_config<Model, Config>(directory.json("config.json"), (directory / "config.json").string(),
                                           directory.gguf() != nullptr ? TensorNames::gguf : TensorNames::hugging_face);
}

}  // namespace axiform::inline AXIFORM_ARCH

namespace axiform::detail {

/// "a, b or c".
std::string joined_by_or(std::vector<std::string> const& names);

/// "a BERT, RoBERTa or DistilBERT"
std::string family_names(std::span<Family const* const> families);

/// The family among `known` that `model_type` names, or, in old files without it, the first architecture.
/// @throws FormatError when the config is not an object; CheckpointError when the model is of another family.
FoundFamily find_family(std::span<Family const* const> known, Json const& config, std::string const& file);

/// The head that the first of `architectures` names; none when there is no architecture.
/// @throws FormatError when the list is malformed; CheckpointError, by name, when the family does not have it.
ModelHead find_head(std::span<Family const* const> known, Json const& config, std::string const& file);

}  // namespace axiform::detail

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

namespace axiform::detail {

AXIFORM_INLINE std::string joined_by_or(std::vector<std::string> const& names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) result += message({i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i]});
  return result;
}

AXIFORM_INLINE std::string family_names(std::span<Family const* const> families) {
  std::vector<std::string> names;
  for (Family const* family : families) names.emplace_back(family->name);
  return message({families.empty() ? "" : families.front()->article, " ", joined_by_or(names)});
}

AXIFORM_INLINE FoundFamily find_family(std::span<Family const* const> known, Json const& config, std::string const& file) {
  auto const type = get_optional<std::string>(config, "model_type", file);
  auto const architectures = get_or<std::vector<std::string>>(config, "architectures", {}, file);
  std::string const architecture = architectures.empty() ? "" : architectures.front();
  std::string types;
  for (Family const* family : known) {
    for (FamilyClass const& each : family->classes) {
      bool const is_named = type ? *type == each.model_type : architecture.starts_with(each.prefix);
      if (is_named && (each.flag.empty() || get_or<bool>(config, each.flag, false, file))) return {family, &each};
      if (!each.flag.empty()) continue;  // another family lists the type
      types += message({types.empty() ? "" : ", ", in_quotes(each.model_type)});
    }
  }
  std::string const found = type                   ? message({"the model_type ", in_quotes(*type)})
                            : architecture.empty() ? "no model_type"
                                                   : message({"the architecture ", in_quotes(architecture)});
  throw CheckpointError(message({file, ": found ", found, ", expected ", family_names(known), " (", types, ")"}));
}

AXIFORM_INLINE ModelHead find_head(std::span<Family const* const> known, Json const& config, std::string const& file) {
  auto const architectures = get_or<std::vector<std::string>>(config, "architectures", {}, file);
  if (architectures.empty()) return ModelHead::none;
  Family const& family = *find_family(known, config, file).family;
  std::string_view const name = architectures.front();
  for (Family const* other : known)  // some configs say one family and the class of another
    for (FamilyClass const& each : other->classes)
      for (FamilyHead const& head : family.heads)
        if (name.starts_with(each.prefix) && name.substr(each.prefix.size()) == head.suffix) return head.head;
  std::string expected;
  for (FamilyHead const& head : family.heads) expected += message({expected.empty() ? "" : ", ", "…", head.suffix});
  throw CheckpointError(
      message({file, ": architectures: found ", in_quotes(name), ", which is not supported; expected one of ", expected}));
}

}  // namespace axiform::detail

#endif  // AXIFORM_DEFINES(models)
