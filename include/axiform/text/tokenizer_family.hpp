/// @file
/// Which tokenizer a directory without tokenizer.json holds: its files alone do not tell GPT-2's from RoBERTa's, nor BERT's from the Japanese
/// ones that read the same vocab.txt after another program has cut the text.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/function_ref.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/model_path.hpp>
#include <axiform/io/printable.hpp>

namespace axiform::detail {

/// Tokenizers that vocabulary files describe.
enum class TokenizerFamily {
  bert,     ///< WordPiece, `[CLS] A [SEP]`: vocab.txt.
  gpt2,     ///< Byte-level BPE, nothing round the text: vocab.json and merges.txt.
  roberta,  ///< Byte-level BPE, `<s> A </s>`: vocab.json and merges.txt.
  // The others have a SentencePiece model.
  xlm_roberta,    ///< Unigram with fairseq's ids, `<s> A </s>`.
  albert,         ///< Unigram, `[CLS] A [SEP]`.
  t5,             ///< Unigram with extra ids, `A </s>`.
  pegasus,        ///< Unigram behind the tokens of its pretraining, `A </s>`.
  mbart,          ///< Unigram with fairseq's ids and codes of languages, `A </s> en_XX`.
  mbart50,        ///< The same with more languages, `en_XX A </s>`.
  nllb,           ///< BPE over characters with fairseq's ids and codes of languages, `eng_Latn A </s>`.
  marian,         ///< A model for each side and vocab.json for both, `A </s>`.
  m2m100,         ///< A model and vocab.json, `__en__ A </s>`.
  llama,          ///< BPE over characters, with bytes for what is unknown.
  sentencepiece,  ///< What the model says of itself.
};

AXIFORM_COLD inline bool has_sentencepiece_model(TokenizerFamily family) noexcept { return family >= TokenizerFamily::xlm_roberta; }

struct NamedFamily {
  std::string_view name;
  TokenizerFamily family;
};

/// transformers' classes that are no more than another name of one of these, without "Fast".
inline constexpr NamedFamily tokenizer_classes[] = {{"BertTokenizer", TokenizerFamily::bert},
                                                    {"DistilBertTokenizer", TokenizerFamily::bert},
                                                    {"ElectraTokenizer", TokenizerFamily::bert},
                                                    {"MobileBertTokenizer", TokenizerFamily::bert},
                                                    {"ConvBertTokenizer", TokenizerFamily::bert},
                                                    {"SqueezeBertTokenizer", TokenizerFamily::bert},
                                                    {"RetriBertTokenizer", TokenizerFamily::bert},
                                                    {"LxmertTokenizer", TokenizerFamily::bert},
                                                    {"LayoutLMTokenizer", TokenizerFamily::bert},
                                                    {"DPRContextEncoderTokenizer", TokenizerFamily::bert},
                                                    {"DPRQuestionEncoderTokenizer", TokenizerFamily::bert},
                                                    {"DPRReaderTokenizer", TokenizerFamily::bert},
                                                    {"GPT2Tokenizer", TokenizerFamily::gpt2},
                                                    {"RobertaTokenizer", TokenizerFamily::roberta},
                                                    {"LongformerTokenizer", TokenizerFamily::roberta},
                                                    {"BartTokenizer", TokenizerFamily::roberta},
                                                    {"LEDTokenizer", TokenizerFamily::roberta},
                                                    {"MvpTokenizer", TokenizerFamily::roberta},
                                                    {"XLMRobertaTokenizer", TokenizerFamily::xlm_roberta},
                                                    {"AlbertTokenizer", TokenizerFamily::albert},
                                                    {"T5Tokenizer", TokenizerFamily::t5},
                                                    {"MT5Tokenizer", TokenizerFamily::t5},
                                                    {"PegasusTokenizer", TokenizerFamily::pegasus},
                                                    {"MBartTokenizer", TokenizerFamily::mbart},
                                                    {"MBart50Tokenizer", TokenizerFamily::mbart50},
                                                    {"NllbTokenizer", TokenizerFamily::nllb},
                                                    {"MarianTokenizer", TokenizerFamily::marian},
                                                    {"M2M100Tokenizer", TokenizerFamily::m2m100},
                                                    {"LlamaTokenizer", TokenizerFamily::llama}};

/// The `model_type`s whose tokenizer is one of these, as transformers 5.24 maps them (TOKENIZER_MAPPING_NAMES).
inline constexpr NamedFamily tokenizer_model_types[] = {{"bert", TokenizerFamily::bert},
                                                        {"distilbert", TokenizerFamily::bert},
                                                        {"electra", TokenizerFamily::bert},
                                                        {"mobilebert", TokenizerFamily::bert},
                                                        {"convbert", TokenizerFamily::bert},
                                                        {"squeezebert", TokenizerFamily::bert},
                                                        {"retribert", TokenizerFamily::bert},
                                                        {"lxmert", TokenizerFamily::bert},
                                                        {"layoutlm", TokenizerFamily::bert},
                                                        {"dpr", TokenizerFamily::bert},
                                                        {"megatron-bert", TokenizerFamily::bert},
                                                        {"ernie", TokenizerFamily::bert},
                                                        {"nezha", TokenizerFamily::bert},
                                                        {"visual_bert", TokenizerFamily::bert},
                                                        {"nomic_bert", TokenizerFamily::bert},
                                                        {"qdqbert", TokenizerFamily::bert},
                                                        {"gpt2", TokenizerFamily::gpt2},
                                                        {"gpt_neo", TokenizerFamily::gpt2},
                                                        {"gptj", TokenizerFamily::gpt2},
                                                        {"codegen", TokenizerFamily::gpt2},
                                                        {"roberta", TokenizerFamily::roberta},
                                                        {"bart", TokenizerFamily::roberta},
                                                        {"longformer", TokenizerFamily::roberta},
                                                        {"led", TokenizerFamily::roberta},
                                                        {"data2vec-text", TokenizerFamily::roberta},
                                                        {"ibert", TokenizerFamily::roberta},
                                                        {"mvp", TokenizerFamily::roberta},
                                                        {"roberta-prelayernorm", TokenizerFamily::roberta},
                                                        {"xlm-roberta", TokenizerFamily::xlm_roberta},
                                                        {"xlm-roberta-xl", TokenizerFamily::sentencepiece},
                                                        {"albert", TokenizerFamily::albert},
                                                        {"t5", TokenizerFamily::t5},
                                                        {"mt5", TokenizerFamily::t5},
                                                        {"switch_transformers", TokenizerFamily::t5},
                                                        {"umt5", TokenizerFamily::sentencepiece},
                                                        {"pegasus", TokenizerFamily::pegasus},
                                                        {"mbart", TokenizerFamily::mbart},
                                                        {"mbart50", TokenizerFamily::mbart50},
                                                        {"nllb", TokenizerFamily::nllb},
                                                        {"nllb-moe", TokenizerFamily::nllb},
                                                        {"marian", TokenizerFamily::marian},
                                                        {"m2m_100", TokenizerFamily::m2m100},
                                                        {"llama", TokenizerFamily::llama}};

AXIFORM_COLD inline std::optional<TokenizerFamily> find_family(std::span<NamedFamily const> families, std::string_view name) {
  for (NamedFamily const& each : families)
    if (each.name == name) return each.family;
  return std::nullopt;
}

/// A directory of a tokenizer's files, whoever has opened it.
struct TokenizerDirectory {
  std::filesystem::path const& path;
  FunctionRef<Json(std::string const&)> json;  ///< A file of that name, parsed; null where there is none.

  bool has(std::string_view name) const { return has_file(path, name); }
  std::string name_of(std::string_view name) const { return (path / name).string(); }
};

/// A configuration file and its path, for messages; an empty object where the directory has no such file.
struct ConfigFile {
  std::string name;
  Json json;

  static ConfigFile read(TokenizerDirectory const& directory, std::string const& file) {
    ConfigFile result{directory.name_of(file), directory.json(file)};
    if (result.json.is_null() && !directory.has(file)) result.json = Json::object();
    if (!result.json.is_object()) throw_format_error({result.name, ": found ", describe_json(result.json), ", expected an object"});
    return result;
  }
};

/// What one of the settings says of the tokenizer.
struct FamilyFound {
  TokenizerFamily family;
  std::string where;  ///< "DIRECTORY/config.json: the model_type "roberta"".
};

/// The family that `tokenizer_class` names; nothing where there is none, or one of the names that say no more than "see tokenizer.json".
AXIFORM_COLD inline std::optional<FamilyFound> family_by_class(ConfigFile const& file) {
  auto name = get_or<std::string>(file.json, "tokenizer_class", "", file.name);
  if (name.empty() || name == "PreTrainedTokenizerFast" || name == "PreTrainedTokenizer" || name == "TokenizersBackend")
    return std::nullopt;
  std::string const where = file.name + ": the tokenizer_class " + in_quotes(name);
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (auto const family = find_family(tokenizer_classes, name)) return FamilyFound{*family, where};
  throw_checkpoint_error({where, " is not supported without tokenizer.json"});
}

/// The family of config.json's `model_type` or, in old files without it, of the first architecture.
AXIFORM_COLD inline std::optional<FamilyFound> family_by_model(ConfigFile const& file) {
  auto const type = get_or<std::string>(file.json, "model_type", "", file.name);
  std::string where = file.name + ": the model_type " + in_quotes(type);
  std::optional<TokenizerFamily> family = find_family(tokenizer_model_types, type);
  if (type.empty()) {
    auto const architectures = get_or<std::vector<std::string>>(file.json, "architectures", {}, file.name);
    if (architectures.empty()) return std::nullopt;
    std::string_view model = architectures.front();  // "RobertaForMaskedLM"
    where = file.name + ": the architecture " + in_quotes(model);
    for (std::string_view const rest : {"For", "Model", "LMHead", "DoubleHeads"}) model = model.substr(0, model.find(rest));
    family = find_family(tokenizer_classes, std::string(model) + "Tokenizer");
  }
  if (family) return FamilyFound{*family, where};
  throw_checkpoint_error(
      {where, " has no tokenizer that is supported without tokenizer.json; tokenizer_class in tokenizer_config.json may name one"});
}

}  // namespace axiform::detail
