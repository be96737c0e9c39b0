/// @file
/// `KnownFamilies`: the families whose checkpoints load. A line here adds one to `load`, `load_any`, the tasks' checks and the command line.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/json.hpp>
#include <axiform/models/families/albert.hpp>
#include <axiform/models/families/bart.hpp>
#include <axiform/models/families/bert.hpp>
#include <axiform/models/families/distilbert.hpp>
#include <axiform/models/families/electra.hpp>
#include <axiform/models/families/gpt2.hpp>
#include <axiform/models/families/llama.hpp>
#include <axiform/models/families/marian.hpp>
#include <axiform/models/families/modernbert.hpp>
#include <axiform/models/families/mpnet.hpp>
#include <axiform/models/families/nomic_bert.hpp>
#include <axiform/models/families/roberta.hpp>
#include <axiform/models/families/t5.hpp>
#include <axiform/models/families/transformer.hpp>
#include <axiform/models/family.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// In the order in which messages list them.
using KnownFamilies = FamilyList<BertFamily,        //
                                 RobertaFamily,     //
                                 DistilBertFamily,  //
                                 ElectraFamily,     //
                                 AlbertFamily,      //
                                 MpnetFamily,       //
                                 ModernBertFamily,  //
                                 NomicBertFamily,   //
                                 Gpt2Family,        //
                                 LlamaFamily,       //
                                 Qwen2Family,       //
                                 Qwen3Family,       //
                                 BartFamily,        //
                                 MBartFamily,       //
                                 MarianFamily,      //
                                 T5Family,          //
                                 PreNormFamily,     //
                                 TransformerFamily>;

/// The family that `model_type` names, or, in old files without it, the first architecture.
/// @throws FormatError when the config is not an object; CheckpointError when the model is of no known family.
FoundFamily model_family(Json const& config, std::string const& file);

/// The head that the first of `architectures` names; none when there is no architecture.
/// @throws FormatError when the list is malformed; CheckpointError, by name, when the library does not have it.
ModelHead model_head(Json const& config, std::string const& file);

namespace internal {

template <class Family>
auto name_table_of(ConfigReader const& reader, TensorNames names) -> NameTable (*)(HeadWeights) {
  if (names == TensorNames::hugging_face) return &Family::names;
  if constexpr (requires { &Family::gguf_names; }) {
    return &Family::gguf_names;
  } else {
    reader.refuse("general.architecture", detail::family_names(std::array{&Family::family}),
                  "a GGUF file of an architecture that llama.cpp has");
  }
}

}  // namespace internal

template <class Model, class Config>
FamilyConfig<Config> read_family_config(Json const& config, std::string const& file, TensorNames names) {
  FoundFamily const found = model_family(config, file);
  ConfigReader const reader{config, file};
  std::optional<FamilyConfig<Config>> result;
  std::vector<Family const*> expected;
  KnownFamilies::for_each([&]<class F>() {
    if constexpr (std::is_same_v<typename F::template Model<ModelHead::none>, Model>) {
      expected.push_back(&F::family);
      if (found.family == &F::family) result = FamilyConfig<Config>{F::read_config(reader), internal::name_table_of<F>(reader, names)};
    }
  });
  if (!result) reader.refuse("model_type", detail::family_names({&found.family, 1}), detail::family_names(expected));
  result->config.printed.class_prefix = std::string(found.named->prefix);
  return std::move(*result);
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(models)

AXIFORM_INLINE FoundFamily model_family(Json const& config, std::string const& file) {
  return detail::find_family(KnownFamilies::families, config, file);
}

AXIFORM_INLINE ModelHead model_head(Json const& config, std::string const& file) {
  return detail::find_head(KnownFamilies::families, config, file);
}

#endif  // AXIFORM_DEFINES(models)

}  // namespace axiform::inline AXIFORM_ARCH
