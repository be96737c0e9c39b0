/// @file
/// The tokenizer that a GGUF file describes, into `TokenizerParts`: the ids of the tokenizer.json that the file was made from.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_token_list.hpp>
#include <axiform/text/derived_merges.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/split_expression.hpp>
#include <axiform/text/tokenizer_parts.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// What llama.cpp calls a pre-tokenizer (`tokenizer.ggml.pre`), and what the tokenizer.json of the models that it names has.
struct GgufPreTokenizer {
  std::string_view name;
  std::string_view expression;
  bool splits_digits = false;   // Digits one by one, before the expression.
  bool ignores_merges = false;  // A word that is a token is that token.
  bool is_nfc = false;          // Text is put in normal form C first.
  bool begins_texts = false;    // With the token that begins documents, where the file does not say.
};

inline constexpr GgufPreTokenizer gguf_pre_tokenizers[] = {
    {.name = "gpt-2", .expression = gpt2_expression},
    {.name = "smollm", .expression = gpt2_expression, .splits_digits = true},
    {.name = "starcoder", .expression = gpt2_expression, .splits_digits = true},
    {.name = "refact", .expression = gpt2_expression, .splits_digits = true},
    {.name = "llama-bpe", .expression = llama3_expression, .ignores_merges = true, .begins_texts = true},
    {.name = "qwen2", .expression = qwen2_expression, .is_nfc = true},
    {.name = "deepseek-r1-qwen", .expression = qwen2_expression, .is_nfc = true},
    {.name = "tekken", .expression = tekken_expression, .ignores_merges = true, .begins_texts = true},
};

/// What a token is, as the file numbers it.
enum class GgufTokenType : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// The metadata of a tokenizer, key by key.
class GgufTokenizerReader {
 public:
  explicit GgufTokenizerReader(GgufFile const& file) : file_(file) {}

  TokenizerParts read() const {
    auto const model = file_.metadata("tokenizer.ggml.model").as<std::string_view>();
    if (model == "gpt2") return byte_bpe();
    if (model == "bert") return word_piece();
    if (model == "llama") return character_bpe();
    if (model == "t5") return unigram();
    refuse("model", model, "\"gpt2\" (byte-level BPE), \"llama\" (BPE as SentencePiece has it), \"t5\" (Unigram) or \"bert\" (WordPiece)");
  }

 private:
  std::string where() const { return file_.path().string(); }
  [[noreturn]] void refuse(std::string_view key, std::string_view found, std::string_view expected) const {
    throw CheckpointError(
        message({where(), ": tokenizer.ggml.", key, ": found ", in_quotes(found), ", which is not supported; expected ", expected}));
  }
  std::optional<GgufValue> find(std::string_view key) const { return file_.find_metadata(message({"tokenizer.ggml.", key})); }
  std::optional<TokenId> id(std::string_view key, std::size_t tokens) const {
    auto const value = find(key);
    if (!value) return std::nullopt;
    auto const id = value->as<std::size_t>();
    if (id >= tokens)
      throw FormatError(message({where(), ": tokenizer.ggml.", key, ": found ", id, ", expected the id of one of ", tokens, " tokens"}));
    return static_cast<TokenId>(id);
  }
  bool flag(std::string_view key, bool otherwise) const {
    auto const value = find(key);
    return value ? value->as<bool>() : otherwise;
  }

  std::vector<std::string> tokens() const {
    auto tokens = file_.metadata("tokenizer.ggml.tokens").as<std::vector<std::string>>();
    if (tokens.empty()) throw FormatError(message({where(), ": tokenizer.ggml.tokens: found no token, expected at least one"}));
    return tokens;
  }
  // The types of the tokens; all are normal where the file does not say.
  std::vector<std::int32_t> types(std::size_t tokens) const {
    auto const value = find("token_type");
    if (!value) return std::vector<std::int32_t>(tokens, static_cast<std::int32_t>(GgufTokenType::normal));
    auto types = value->as<std::vector<std::int32_t>>();
    if (types.size() != tokens)
      throw FormatError(
          message({where(), ": tokenizer.ggml.token_type: found ", types.size(), ", expected one for each of ", tokens, " tokens"}));
    return types;
  }

  // Tokens that are found in the text itself, and those that have a part to play.
  void add_tokens(std::vector<std::int32_t> const& types, TokenizerParts& parts) const {
    std::size_t const count = types.size();
    AddedTokenList list(parts);
    for (std::size_t i = 0; i < count; ++i) {
      bool const is_control = types[i] == static_cast<std::int32_t>(GgufTokenType::control);
      if (!is_control && types[i] != static_cast<std::int32_t>(GgufTokenType::user_defined)) continue;
      auto const token_id = static_cast<TokenId>(i);
      list.add({.content = parts.vocabulary.token(token_id), .id = token_id, .special = is_control}, where());
    }
    parts.special_tokens = {.cls = id("cls_token_id", count),
                            .sep = id("seperator_token_id", count),  // so spelled in the files
                            .pad = id("padding_token_id", count),
                            .mask = id("mask_token_id", count),
                            .unk = id("unknown_token_id", count),
                            .bos = id("bos_token_id", count),
                            .eos = id("eos_token_id", count)};
  }

  GgufPreTokenizer const& pre_tokenizer() const {
    auto const value = find("pre");
    // Files from before the key had GPT-2's, or were read wrongly.
    bool const is_gpt2 = file_.metadata("general.architecture").as<std::string_view>() == "gpt2";
    auto const name = value ? value->as<std::string_view>() : std::string_view(is_gpt2 ? "gpt-2" : "");
    std::string expected;
    for (GgufPreTokenizer const& each : gguf_pre_tokenizers) {
      if (each.name == name) return each;
      expected += message({expected.empty() ? "" : ", ", in_quotes(each.name)});
    }
    refuse("pre", name, expected);
  }

  // The token that begins a text, or ends one, where the file has it there.
  std::vector<TokenId> ends(std::string_view key, bool otherwise, std::optional<TokenId> token) const {
    if (!flag(key, otherwise) || !token) return {};
    return {*token};
  }

  void read_merges(TokenizerParts& parts) const {
    for (auto const merge : file_.metadata("tokenizer.ggml.merges").as<std::vector<std::string_view>>()) {
      auto const space = merge.find(' ');
      if (space == merge.npos || merge.find(' ', space + 1) != merge.npos)
        throw FormatError(
            message({where(), ": tokenizer.ggml.merges: found ", in_quotes(merge), ", expected two tokens with one space between"}));
      parts.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
    }
  }

  TokenizerParts byte_bpe() const {
    GgufPreTokenizer const& pre = pre_tokenizer();
    TokenizerParts parts;
    parts.vocabulary = Vocabulary(tokens(), where());
    read_merges(parts);
    ByteBpeOptions options;
    options.add_prefix_space = flag("add_space_prefix", false);
    options.ignore_merges = pre.ignores_merges;
    if (pre.splits_digits || pre.expression != gpt2_expression) {
      using enum PreTokenizerStep::Kind;
      if (options.add_prefix_space) parts.pre_tokenizer.push_back({.kind = prefix_space});
      if (pre.splits_digits) parts.pre_tokenizer.push_back({.kind = digits});
      parts.pre_tokenizer.push_back({.kind = expression, .pattern = std::string(pre.expression)});
      parts.pre_tokenizer.push_back({.kind = bytes});
    }
    parts.model = std::move(options);
    if (pre.is_nfc) parts.normalizer.push_back({NormalizerStep::Kind::nfc});
    parts.decoder.kind = DecoderOptions::Kind::byte_level;
    add_tokens(types(parts.vocabulary.size()), parts);
    auto const& special = parts.special_tokens;
    parts.post_processor =
        PostProcessor::between(ends("add_bos_token", pre.begins_texts, special.bos), ends("add_eos_token", false, special.eos));
    return parts;
  }

  // The file has scores in the place of merges. Hugging Face derives the merges of tokenizer.json from the same scores, or where there are none from
  // the order of the tokens: each way to make a token of two others is one, and ranks where the token does (transformers' `generate_merges`).
  BpeMerges merges_by_score(Vocabulary const& vocabulary, std::vector<std::int32_t> const& types) const {
    std::vector<float> scores;
    if (auto const value = find("scores")) scores = value->as<std::vector<float>>();
    if (!scores.empty() && scores.size() != vocabulary.size())
      throw FormatError(message(
          {where(), ": tokenizer.ggml.scores: found ", scores.size(), ", expected one for each of ", vocabulary.size(), " tokens"}));
    std::vector<float> normal;
    for (std::size_t id = 0; id < scores.size(); ++id) {
      if (std::isnan(scores[id]))
        throw FormatError(message({where(), ": tokenizer.ggml.scores: the score of token ", id, " is no number"}));
      if (types[id] == static_cast<std::int32_t>(GgufTokenType::normal)) normal.push_back(scores[id]);
    }
    bool const says_nothing = std::ranges::adjacent_find(normal, std::ranges::not_equal_to{}) == normal.end();
    // The best score first, and of equal ones the longest left token; the first token first, and of that the shortest left one.
    return derive_merges(
        vocabulary, message({where(), ": tokenizer.ggml.tokens"}), [](std::size_t) { return true; },
        [&](DerivedMerge const& a, DerivedMerge const& b) {
          if (says_nothing) return std::tie(a.id, a.left, a.right) < std::tie(b.id, b.left, b.right);
          return std::tie(scores[b.id], b.left, b.right) < std::tie(scores[a.id], a.left, a.right);
        });
  }

  // Llama 2's, Mistral's, Phi-3's and Gemma's, with what llama.cpp takes for granted.
  TokenizerParts character_bpe() const {
    TokenizerParts parts;
    parts.vocabulary = Vocabulary(tokens(), where());
    std::size_t const count = parts.vocabulary.size();
    auto kinds = types(count);
    if (find("merges"))
      read_merges(parts);
    else
      parts.merges = merges_by_score(parts.vocabulary, kinds);
    for (std::int32_t& kind : kinds)  // tokenizer.json has the unknown token among those that are found in text.
      if (kind == static_cast<std::int32_t>(GgufTokenType::unknown)) kind = static_cast<std::int32_t>(GgufTokenType::control);
    add_tokens(kinds, parts);
    auto& special = parts.special_tokens;
    auto const usual = [&](std::optional<TokenId>& id, TokenId otherwise) {
      if (!id && static_cast<std::size_t>(otherwise) < count) id = otherwise;
    };
    usual(special.unk, 0);
    usual(special.bos, 1);
    usual(special.eos, 2);
    CharacterBpeOptions options{.byte_fallback = true, .fuse_unk = true};
    if (special.unk) options.unk_token = parts.vocabulary.token(*special.unk);
    parts.model = std::move(options);
    bool const has_space = flag("add_space_prefix", true);
    if (has_space) parts.normalizer.push_back({NormalizerStep::Kind::prepend, {}, std::string(space_mark)});
    parts.normalizer.push_back({NormalizerStep::Kind::replace, " ", std::string(space_mark)});
    parts.decoder = {.kind = DecoderOptions::Kind::marks, .byte_fallback = true, .strip_left = has_space ? std::size_t{1} : 0};
    parts.post_processor = PostProcessor::between(ends("add_bos_token", true, special.bos), ends("add_eos_token", false, special.eos));
    return parts;
  }

  // XLM-R's and T5's, whose tokenizer.json has what transformers' converter of SentencePiece's models writes.
  TokenizerParts unigram() const {
    auto pieces = tokens();
    auto kinds = types(pieces.size());
    name_extra_ids(pieces, kinds);
    TokenizerParts parts;
    parts.vocabulary = Vocabulary(pieces, where());
    UnigramOptions options{.unk_id = id("unknown_token_id", pieces.size())};
    auto const scores = file_.metadata("tokenizer.ggml.scores").as<std::vector<float>>();
    options.scores.assign(scores.begin(), scores.end());
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      if (kinds[i] != static_cast<std::int32_t>(GgufTokenType::unknown)) continue;
      if (!options.unk_id) options.unk_id = static_cast<TokenId>(i);
      kinds[i] = static_cast<std::int32_t>(GgufTokenType::control);
    }
    add_tokens(kinds, parts);
    auto const& special = parts.special_tokens;
    parts.special_tokens.unk = options.unk_id;
    parts.model = std::move(options);
    if (auto const value = find("precompiled_charsmap")) {
      std::string map;  // Files have bytes with and without a sign.
      for (std::int32_t const byte : value->as<std::vector<std::int32_t>>()) map.push_back(static_cast<char>(byte));
      if (!map.empty()) parts.normalizer.push_back({NormalizerStep::Kind::precompiled, {}, std::move(map)});
    }
    std::string const mark(space_mark);
    bool const has_space = flag("add_space_prefix", true);
    parts.normalizer.push_back({NormalizerStep::Kind::strip_right});
    parts.normalizer.push_back({NormalizerStep::Kind::replace_runs, {}, mark});
    parts.pre_tokenizer = marked_words(has_space ? PrependScheme::always : PrependScheme::never);
    parts.decoder = {.kind = DecoderOptions::Kind::marks, .drops_first = has_space};
    auto const bos = ends("add_bos_token", false, special.bos);
    auto const eos = ends("add_eos_token", true, special.eos);
    bool const is_fairseq = !bos.empty() && !eos.empty();
    parts.post_processor = is_fairseq ? PostProcessor::roberta(bos.front(), eos.front()) : PostProcessor::between(bos, eos);
    return parts;
  }

  // The files of T5 call its extra ids [PAD32000] and so on; the first hundred are those that it has, the last of them first.
  void name_extra_ids(std::vector<std::string>& pieces, std::vector<std::int32_t>& kinds) const {
    if (!file_.metadata("general.architecture").as<std::string_view>().starts_with("t5")) return;
    std::size_t rest = 100;
    for (std::size_t i = 0; i < pieces.size() && rest > 0; ++i) {
      std::string_view const piece = pieces[i];
      if (!piece.starts_with("[PAD") || !piece.ends_with("]") || piece.size() == 5) continue;
      if (piece.substr(4, piece.size() - 5).find_first_not_of("0123456789") != piece.npos) continue;
      pieces[i] = "<extra_id_" + std::to_string(--rest) + ">";
      kinds[i] = static_cast<std::int32_t>(GgufTokenType::control);
    }
  }

  // GGUF marks tokens that begin a word, vocab.txt those that continue one. llama.cpp lower-cases always; the files do not say.
  TokenizerParts word_piece() const {
    constexpr std::string_view begins_word = "\u2581";
    auto pieces = tokens();
    auto const kinds = types(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (kinds[i] == static_cast<std::int32_t>(GgufTokenType::normal))
        pieces[i] = pieces[i].starts_with(begins_word) ? pieces[i].substr(begins_word.size()) : "##" + pieces[i];
    }
    TokenizerParts parts;
    parts.vocabulary = Vocabulary(pieces, where());
    add_tokens(kinds, parts);
    auto& special = parts.special_tokens;
    if (!special.cls) special.cls = special.bos;
    if (!special.sep) special.sep = special.eos;
    if (!special.cls || !special.sep || !special.unk)
      throw CheckpointError(message({where(), ": found no ",
                                     !special.unk   ? "unknown_token_id"
                                     : !special.cls ? "cls_token_id"
                                                    : "seperator_token_id",
                                     ", expected the tokens that WordPiece cannot do without"}));
    WordPieceOptions options;
    options.unk_token = parts.vocabulary.token(*special.unk);
    parts.model = std::move(options);
    parts.decoder.kind = DecoderOptions::Kind::word_piece;
    parts.post_processor = PostProcessor::bert(*special.cls, *special.sep);
    return parts;
  }

  GgufFile const& file_;
};

/// The parts that the metadata of a GGUF file describes.
/// @throws CheckpointError, by name, for a tokenizer that the library does not have, or a key that is missing; FormatError when the metadata
///         contradict themselves.
inline TokenizerParts parts_from_gguf(GgufFile const& file) { return GgufTokenizerReader(file).read(); }

}  // namespace axiform::detail
