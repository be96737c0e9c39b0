/// @file
/// tokenizer.json, the file that Hugging Face's tokenizers write, into `TokenizerParts`.
///
/// Every setting is honoured or refused by name; what is ignored in silence would be wrong ids in silence. `truncation` and `padding` are kept
/// for callers who ask for them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/base64.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_token_list.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/json_section.hpp>
#include <axiform/text/normalizer.hpp>
#include <axiform/text/padding.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/split_expression.hpp>
#include <axiform/text/tokenizer_parts.hpp>

namespace axiform::detail {

/// The tokens of an object of tokens and ids; ids that none has are holes.
inline Vocabulary vocabulary_from(Json const& object, std::string const& name) {
  if (!object.is_object()) throw_format_error({name, ": found ", describe_json(object), ", expected an object of tokens and their ids"});
  if (object.empty()) throw_format_error({name, ": has no tokens"});
  std::vector<std::pair<TokenId, std::string const*>> by_id;
  by_id.reserve(object.size());
  for (auto const& [token, value] : object.items()) {
    auto const id = scalar_from<TokenId>(value);
    if (!id || *id < 0) throw_format_error({name, ": token ", in_quotes(token), ": found ", describe_json(value), ", expected an id"});
    by_id.emplace_back(*id, &token);
  }
  stable_sort(by_id, [](auto const& a, auto const& b) { return a.first < b.first; });
  Vocabulary vocabulary;
  for (auto const& [id, token] : by_id) {
    if (vocabulary.has(id))
      throw_format_error(
          {name, ": the tokens ", in_quotes(vocabulary.token(id)), " and ", in_quotes(*token), " have one id, ", std::to_string(id)});
    vocabulary.put(*token, id, name);
  }
  return vocabulary;
}

/// `"left right"`, or an array of both.
inline std::pair<std::string, std::string> merge_from(Json const& json, std::string const& where) {
  if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string())
    return {json[0].get<std::string>(), json[1].get<std::string>()};
  if (json.is_string()) {
    auto const& text = json.text();
    if (auto const space = text.find(' '); space != text.npos && text.find(' ', space + 1) == text.npos)
      return {text.substr(0, space), text.substr(space + 1)};
  }
  throw_format_error({where, ": found ", describe_json(json), ", expected two tokens"});
}

/// `{"String": …}` or `{"Regex": …}`.
struct Pattern {
  std::string text;
  bool is_expression;
};
AXIFORM_COLD inline Pattern pattern_from(Section const& piece) {
  Json const* const value = find_member(piece.json(), "pattern", piece.where());
  if (value != nullptr && value->is_object() && value->size() == 1 && (value->contains("String") || value->contains("Regex"))) {
    Section const pattern = piece.section("pattern");
    bool const is_expression = value->contains("Regex");
    auto text = pattern.require<std::string>(is_expression ? "Regex" : "String");
    if (!is_valid_utf8(text)) throw_format_error({pattern.where(), ": found ", in_quotes(text), ", expected UTF-8"});
    if (text.empty()) throw_format_error({pattern.where(), ": found the empty text, which would match everywhere"});
    return {std::move(text), is_expression};
  }
  throw_format_error({piece.where(), ": pattern: expected an object with \"String\" or \"Regex\""});
}

/// A text that stands in for others.
AXIFORM_COLD inline std::string content_from(Section const& piece, std::string_view key) {
  auto content = piece.require<std::string>(key);
  if (!is_valid_utf8(content))
    throw_format_error({piece.where(), ": ", printable(key), ": found ", in_quotes(content), ", expected UTF-8"});
  return content;
}

AXIFORM_COLD inline BertNormalizerOptions bert_normalizer_from(Section const& normalizer) {
  normalizer.allow({"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"});
  return {.clean_text = normalizer.require<bool>("clean_text"),
          .handle_chinese_chars = normalizer.require<bool>("handle_chinese_chars"),
          .strip_accents = normalizer.get<bool>("strip_accents"),
          .lowercase = normalizer.require<bool>("lowercase")};
}

/// The members of a `Sequence`, those of one within it included, or the piece itself.
AXIFORM_COLD inline void flatten(Section const& piece, std::string_view key, std::vector<Section>& result, int depth = 0) {
  if (piece.get_or<std::string>("type", "") != "Sequence") {
    result.push_back(piece);
    if (result.size() > 64) throw_checkpoint_error({piece.where(), ": more than 64 steps are not supported"});
    return;
  }
  piece.allow({"type", key});
  if (depth == 8) throw_checkpoint_error({piece.where(), ": more than 8 sequences one in another are not supported"});
  for (Section const& member : piece.sections(key)) flatten(member, key, result, depth + 1);
}

/// The regular expressions that converters of SentencePiece's models replace by: no others are known.
AXIFORM_COLD inline void add_replaced_expression(Section const& piece, std::string const& expression, std::string content,
                                                 std::vector<NormalizerStep>& steps) {
  using enum NormalizerStep::Kind;
  if (expression == " {2,}")
    steps.push_back({replace_runs, {}, std::move(content)});
  else if (expression == "\\A +| +\\z" && content.empty())
    steps.push_back({strip_spaces});
  else if (expression == "\\A\u2581")
    steps.push_back({replace_begin, std::string(space_mark), std::move(content)});
  else
    throw_checkpoint_error({piece.where(), ": replacing the regular expression ", in_quotes(expression), " is not supported"});
}

AXIFORM_COLD inline void add_normalizer_steps(Section const& piece, std::vector<NormalizerStep>& steps) {
  using enum NormalizerStep::Kind;
  static constexpr std::pair<std::string_view, NormalizerStep::Kind> plain[] = {
      {"NFC", nfc}, {"NFD", nfd}, {"NFKC", nfkc}, {"NFKD", nfkd}, {"Nmt", nmt}, {"Lowercase", lowercase}, {"StripAccents", strip_accents}};
  auto const type = piece.type(
      {"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "StripAccents", "Precompiled", "Replace", "Prepend", "Strip"});
  if (type == "BertNormalizer") {
    auto const bert = steps_of(bert_normalizer_from(piece));
    steps.insert(steps.end(), bert.begin(), bert.end());
  } else if (type == "Replace") {
    piece.allow({"type", "pattern", "content"});
    auto pattern = pattern_from(piece);
    if (pattern.is_expression)
      add_replaced_expression(piece, pattern.text, content_from(piece, "content"), steps);
    else
      steps.push_back({replace, std::move(pattern.text), content_from(piece, "content")});
  } else if (type == "Precompiled") {
    piece.allow({"type", "precompiled_charsmap"});
    auto bytes = decode_base64(piece.require<std::string>("precompiled_charsmap"));
    if (!bytes) throw_format_error({piece.where(), ": precompiled_charsmap: expected bytes in base64"});
    steps.push_back({precompiled, {}, std::move(*bytes)});
  } else if (type == "Prepend") {
    piece.allow({"type", "prepend"});
    steps.push_back({prepend, {}, content_from(piece, "prepend")});
    if (steps.back().content.empty()) piece.refuse("prepend", piece.json()["prepend"]);
  } else if (type == "Strip") {
    piece.allow({"type", "strip_left", "strip_right"});
    if (piece.require<bool>("strip_left")) steps.push_back({strip_left});
    if (piece.require<bool>("strip_right")) steps.push_back({strip_right});
  } else {
    piece.allow({"type"});
    for (auto const& [name, kind] : plain)
      if (name == type) steps.push_back({kind});
  }
}

AXIFORM_COLD inline SplitBehavior behavior_from(Section const& piece, std::string_view otherwise) {
  static constexpr std::pair<std::string_view, SplitBehavior> behaviors[] = {{"Isolated", SplitBehavior::isolated},
                                                                             {"Removed", SplitBehavior::removed},
                                                                             {"MergedWithPrevious", SplitBehavior::merged_with_previous},
                                                                             {"MergedWithNext", SplitBehavior::merged_with_next},
                                                                             {"Contiguous", SplitBehavior::contiguous}};
  auto const name =
      otherwise.empty() ? piece.require<std::string>("behavior") : piece.get_or<std::string>("behavior", std::string(otherwise));
  for (auto const& [known, behavior] : behaviors)
    if (known == name) return behavior;
  throw_checkpoint_error({piece.where(), ": the behavior ", in_quotes(name), " is not supported"});
}

AXIFORM_COLD inline bool has_bytes(std::vector<PreTokenizerStep> const& steps) {
  for (PreTokenizerStep const& step : steps)
    if (step.kind == PreTokenizerStep::Kind::bytes) return true;
  return false;
}

/// What a `Metaspace` says, be it pre-tokenizer or decoder.
struct Metaspace {
  std::string mark;
  PrependScheme prepend;
};
AXIFORM_COLD inline Metaspace metaspace_from(Section const& piece) {
  static constexpr std::pair<std::string_view, PrependScheme> schemes[] = {
      {"always", PrependScheme::always}, {"first", PrependScheme::first}, {"never", PrependScheme::never}};
  // `str_rep`, which old files have, says what `replacement` says.
  piece.allow({"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
  auto const mark = piece.require<std::string>("replacement");
  if (!is_valid_utf8(mark) || count_code_points(mark) != 1 || mark == " ")
    throw_format_error({piece.where(), ": replacement: found ", in_quotes(mark), ", expected one character that is not a space"});
  auto const name = piece.get_or<std::string>("prepend_scheme", "always");
  auto const* const scheme = std::find_if(std::begin(schemes), std::end(schemes), [&](auto const& each) { return each.first == name; });
  if (scheme == std::end(schemes))
    throw_checkpoint_error({piece.where(), ": the prepend_scheme ", in_quotes(name), " is not supported, expected always, first or never"});
  bool const prepends = piece.get_or<bool>("add_prefix_space", true);  // Old files have this in the place of the scheme.
  PrependScheme const prepend = prepends ? scheme->second : PrependScheme::never;
  if (!prepends && find_member(piece.json(), "prepend_scheme", piece.where()) != nullptr && scheme->second != PrependScheme::never)
    throw_format_error(
        {piece.where(), ": found the prepend_scheme ", in_quotes(name), " and no add_prefix_space, expected that they agree"});
  return {mark, prepend};
}

AXIFORM_COLD inline void add_metaspace_steps(Section const& piece, std::vector<PreTokenizerStep>& steps) {
  auto const [mark, prepend] = metaspace_from(piece);
  auto more = marked_words(prepend, mark);
  if (!piece.get_or<bool>("split", true)) more.pop_back();
  steps.insert(steps.end(), more.begin(), more.end());
}

AXIFORM_COLD inline void add_pre_tokenizer_steps(Section const& piece, std::vector<PreTokenizerStep>& steps) {
  using enum PreTokenizerStep::Kind;
  bool const sees_bytes = has_bytes(steps);
  auto const type =
      piece.type({"BertPreTokenizer", "ByteLevel", "Split", "Digits", "Punctuation", "Whitespace", "WhitespaceSplit", "Metaspace"});
  auto const insert = [&](std::vector<PreTokenizerStep> const& more) { steps.insert(steps.end(), more.begin(), more.end()); };
  if (type == "ByteLevel") {
    piece.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    if (sees_bytes) throw_checkpoint_error({piece.where(), ": ByteLevel twice is not supported"});
    insert(byte_level_steps(piece.require<bool>("add_prefix_space"), piece.get_or<bool>("use_regex", true)));
  } else if (type == "Split") {
    piece.allow({"type", "pattern", "behavior", "invert"});
    auto pattern = pattern_from(piece);
    if (sees_bytes && !pattern.is_expression)
      throw_checkpoint_error({piece.where(), ": splitting at a text after ByteLevel is not supported"});
    auto const kind = pattern.is_expression ? expression : literal;
    if (pattern.is_expression) SplitExpression(pattern.text, piece.where());  // Which throws for one that is not known.
    steps.push_back({kind, std::move(pattern.text), behavior_from(piece, ""), piece.require<bool>("invert")});
  } else if (type == "Digits") {
    piece.allow({"type", "individual_digits"});
    bool const is_individual = piece.require<bool>("individual_digits");
    steps.push_back({.kind = digits, .behavior = is_individual ? SplitBehavior::isolated : SplitBehavior::contiguous});
  } else if (type == "Metaspace") {
    if (sees_bytes) throw_checkpoint_error({piece.where(), ": Metaspace after ByteLevel is not supported"});
    add_metaspace_steps(piece, steps);
  } else if (type == "Punctuation") {
    piece.allow({"type", "behavior"});
    steps.push_back({.kind = punctuation, .behavior = behavior_from(piece, "Isolated")});
  } else {
    piece.allow({"type"});
    if (type == "BertPreTokenizer") insert(bert_steps());
    if (type == "Whitespace") steps.push_back({.kind = words, .behavior = SplitBehavior::removed, .invert = true});
    if (type == "WhitespaceSplit") steps.push_back({.kind = whitespace, .behavior = SplitBehavior::removed});
  }
}

/// What the file says of normalization, one piece after another.
AXIFORM_COLD inline std::vector<Section> normalizers_of(Section const& file) {
  std::vector<Section> pieces;
  if (auto const normalizer = file.optional_section("normalizer")) flatten(*normalizer, "normalizers", pieces);
  return pieces;
}
AXIFORM_COLD inline std::vector<Section> pre_tokenizers_of(Section const& file) {
  std::vector<Section> pieces;
  if (auto const pre_tokenizer = file.optional_section("pre_tokenizer")) flatten(*pre_tokenizer, "pretokenizers", pieces);
  return pieces;
}
AXIFORM_COLD inline bool is_only(std::vector<Section> const& pieces, std::string_view type) {
  return pieces.size() == 1 && pieces.front().get_or<std::string>("type", "") == type;
}

AXIFORM_COLD inline void read_word_piece(Section const& file, Section const& model, TokenizerParts& parts) {
  model.allow({"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
  WordPieceOptions options;
  options.unk_token = model.require<std::string>("unk_token");
  options.continuing_subword_prefix = model.get_or<std::string>("continuing_subword_prefix", "##");
  options.max_input_chars_per_word = model.get_or<std::size_t>("max_input_chars_per_word", 100);
  options.normalizer = {.clean_text = false, .handle_chinese_chars = false, .strip_accents = false, .lowercase = false};
  auto const normalizers = normalizers_of(file);
  if (is_only(normalizers, "BertNormalizer"))
    options.normalizer = bert_normalizer_from(normalizers.front());
  else
    for (Section const& piece : normalizers) add_normalizer_steps(piece, parts.normalizer);
  auto const pre_tokenizers = pre_tokenizers_of(file);
  for (Section const& piece : pre_tokenizers) add_pre_tokenizer_steps(piece, parts.pre_tokenizer);
  if (has_bytes(parts.pre_tokenizer)) throw_checkpoint_error({file.where(), ": pre_tokenizer: ByteLevel is not supported with WordPiece"});
  if (parts.pre_tokenizer.empty()) throw_checkpoint_error({file.where(), ": pre_tokenizer: WordPiece without any is not supported"});
  if (is_only(pre_tokenizers, "BertPreTokenizer")) parts.pre_tokenizer.clear();  // The model's own.
  parts.model = std::move(options);
}

AXIFORM_COLD inline void read_bpe(Section const& file, Section const& model, TokenizerParts& parts) {
  model.allow({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
               "ignore_merges", "vocab", "merges"});
  for (std::string_view const key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) model.expect_unset(key);
  for (Section const& piece : normalizers_of(file)) add_normalizer_steps(piece, parts.normalizer);
  auto const pre_tokenizers = pre_tokenizers_of(file);
  for (Section const& piece : pre_tokenizers) add_pre_tokenizer_steps(piece, parts.pre_tokenizer);
  bool const ignore_merges = model.get_or<bool>("ignore_merges", false);
  bool const fuse_unk = model.get_or<bool>("fuse_unk", false);
  auto unk_token = model.get_or<std::string>("unk_token", "");
  if (has_bytes(parts.pre_tokenizer)) {
    model.expect_unset("byte_fallback");
    ByteBpeOptions options{.ignore_merges = ignore_merges, .fuse_unk = fuse_unk, .unk_token = std::move(unk_token)};
    if (is_only(pre_tokenizers, "ByteLevel")) {  // The model's own.
      options.add_prefix_space = pre_tokenizers.front().require<bool>("add_prefix_space");
      options.use_regex = pre_tokenizers.front().get_or<bool>("use_regex", true);
      parts.pre_tokenizer.clear();
    }
    parts.model = std::move(options);
  } else {
    parts.model = CharacterBpeOptions{.byte_fallback = model.get_or<bool>("byte_fallback", false),
                                      .ignore_merges = ignore_merges,
                                      .fuse_unk = fuse_unk,
                                      .unk_token = std::move(unk_token)};
  }
  Json const& merges = require_array(model.json(), "merges", model.where());
  parts.merges.reserve(merges.size());
  for (Json const& merge : merges)
    parts.merges.push_back(merge_from(merge, model.where() + ": merges[" + std::to_string(parts.merges.size()) + "]"));
}

/// Its vocabulary is an array of tokens with their scores.
AXIFORM_COLD inline void read_unigram(Section const& file, Section const& model, TokenizerParts& parts) {
  model.allow({"type", "unk_id", "vocab", "byte_fallback"});
  UnigramOptions options{.unk_id = model.get<TokenId>("unk_id"), .byte_fallback = model.get_or<bool>("byte_fallback", false)};
  Json const& vocabulary = require_array(model.json(), "vocab", model.where());
  std::vector<std::string> tokens;
  tokens.reserve(vocabulary.size());
  options.scores.reserve(vocabulary.size());
  for (Json const& entry : vocabulary) {
    auto const score = entry.is_array() && entry.size() == 2 && entry[0].is_string() ? scalar_from<double>(entry[1]) : std::nullopt;
    if (!score)
      throw_format_error({model.where(), ": vocab[", std::to_string(tokens.size()), "]: found ", describe_json(entry),
                          ", expected a token and its score"});
    tokens.push_back(entry[0].text());
    options.scores.push_back(*score);
  }
  if (tokens.empty()) throw_format_error({model.where(), ": vocab: has no tokens"});
  parts.vocabulary = Vocabulary(tokens, model.where() + ": vocab");
  for (Section const& piece : normalizers_of(file)) add_normalizer_steps(piece, parts.normalizer);
  for (Section const& piece : pre_tokenizers_of(file)) add_pre_tokenizer_steps(piece, parts.pre_tokenizer);
  if (has_bytes(parts.pre_tokenizer)) throw_checkpoint_error({file.where(), ": pre_tokenizer: ByteLevel is not supported with Unigram"});
  parts.model = std::move(options);
}

AXIFORM_COLD inline AddedToken added_token_from(Section const& token, TokenId id) {
  token.allow({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special", "__type"});
  AddedToken result;
  result.id = id;
  result.content = token.require<std::string>("content");
  result.single_word = token.get_or<bool>("single_word", false);
  result.lstrip = token.get_or<bool>("lstrip", false);
  result.rstrip = token.get_or<bool>("rstrip", false);
  result.special = token.get_or<bool>("special", false);
  result.normalized = token.get_or<bool>("normalized", !result.special);
  return result;
}

AXIFORM_COLD inline std::vector<TemplatePart> template_from(Section const& processor, std::string_view key) {
  std::vector<TemplatePart> result;
  Section const special_tokens = processor.section("special_tokens");
  for (Section const& piece : processor.sections(key)) {
    piece.allow({"Sequence", "SpecialToken"});
    TemplatePart part;
    if (auto const text = piece.optional_section("Sequence")) {
      auto const id = text->require<std::string>("id");
      if (id != "A" && id != "B") throw_format_error({text->where(), ": id: found ", in_quotes(id), ", expected \"A\" or \"B\""});
      part.kind = id == "A" ? TemplatePart::Kind::first_text : TemplatePart::Kind::second_text;
      part.type_id = text->require<TokenId>("type_id");
    } else {
      Section const token = piece.section("SpecialToken");
      part.kind = TemplatePart::Kind::special;
      part.type_id = token.require<TokenId>("type_id");
      part.ids = special_tokens.section(token.require<std::string>("id")).require<std::vector<TokenId>>("ids");
    }
    result.push_back(std::move(part));
  }
  return result;
}

/// `["[SEP]", 102]`.
AXIFORM_COLD inline TokenId token_of_pair(Section const& processor, std::string_view key) {
  Json const& pair = require_array(processor.json(), key, processor.where());
  auto const id = pair.size() == 2 && pair[0].is_string() ? scalar_from<TokenId>(pair[1]) : std::nullopt;
  if (!id) throw_format_error({processor.where(), ": ", printable(key), ": expected a token and its id"});
  return *id;
}

/// Adds what `processor` says to `result`; what `ByteLevel` says of offsets may come before what another says of special tokens.
AXIFORM_COLD inline void read_post_processor(Section const& processor, PostProcessor& result) {
  auto const type = processor.type({"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"});
  if (type == "Sequence") {
    processor.allow({"type", "processors"});
    auto const processors = processor.sections("processors");
    bool const is_known =
        processors.size() == 1 || (processors.size() == 2 && processors[0].get_or<std::string>("type", "") == "ByteLevel");
    if (!is_known) processor.refuse("processors", processor.json()["processors"]);
    for (Section const& one : processors) {
      one.type({"TemplateProcessing", "BertProcessing", "ByteLevel"});
      read_post_processor(one, result);
    }
  } else if (type == "ByteLevel") {
    processor.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    result.trim_offsets = processor.require<bool>("trim_offsets");
    result.add_prefix_space = processor.require<bool>("add_prefix_space");
  } else if (type == "TemplateProcessing") {
    processor.allow({"type", "single", "pair", "special_tokens", "add_prefix_space", "trim_offsets", "use_regex"});  // The last three mean nothing here.
    result.single = template_from(processor, "single");
    result.pair = template_from(processor, "pair");
  } else {
    bool const is_bert = type == "BertProcessing";
    auto const cls = token_of_pair(processor, "cls");
    auto const sep = token_of_pair(processor, "sep");
    auto trimmed = is_bert ? PostProcessor::bert(cls, sep) : PostProcessor::roberta(cls, sep);
    result.single = std::move(trimmed.single);
    result.pair = std::move(trimmed.pair);
    if (is_bert) {
      processor.allow({"type", "sep", "cls"});
    } else {
      processor.allow({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
      result.trim_offsets = processor.require<bool>("trim_offsets");
      result.add_prefix_space = processor.require<bool>("add_prefix_space");
    }
  }
}

/// Spaces for marks, and what may come after them, in this order: bytes of byte tokens, all in one, a space less at the begin.
AXIFORM_COLD inline std::optional<DecoderOptions> mark_decoder_from(std::span<Section const> decoders) {
  DecoderOptions options{.kind = DecoderOptions::Kind::marks};
  auto next = decoders.begin();
  auto const is_next = [&](std::string_view type) { return next != decoders.end() && next->require<std::string>("type") == type; };
  if (!is_next("Replace")) return std::nullopt;
  next->allow({"type", "pattern", "content"});
  auto const [pattern, is_expression] = pattern_from(*next);
  if (is_expression || pattern != space_mark || content_from(*next, "content") != " ") return std::nullopt;
  ++next;
  if (is_next("ByteFallback")) {
    (next++)->allow({"type"});
    options.byte_fallback = true;
  }
  if (is_next("Fuse")) {
    (next++)->allow({"type"});
    if (is_next("Strip")) {
      next->allow({"type", "content", "start", "stop"});
      if (content_from(*next, "content") != " " || next->require<std::size_t>("stop") != 0) return std::nullopt;
      options.strip_left = (next++)->require<std::size_t>("start");
    }
  }
  return next == decoders.end() ? std::optional(options) : std::nullopt;
}

AXIFORM_COLD inline DecoderOptions decoder_from(Section const& decoder) {
  DecoderOptions options;
  auto const type = decoder.type({"WordPiece", "ByteLevel", "Metaspace", "Sequence"});
  if (type == "Sequence") {
    std::vector<Section> decoders;
    flatten(decoder, "decoders", decoders);
    if (auto const marks = mark_decoder_from(decoders)) return *marks;
    if (decoders.size() != 1) decoder.refuse("decoders", decoder.json()["decoders"]);
    return decoder_from(decoders.front());
  }
  if (type == "Metaspace") {
    auto const [mark, prepend] = metaspace_from(decoder);
    options.kind = DecoderOptions::Kind::marks;
    options.mark = mark;
    options.drops_first = prepend != PrependScheme::never;
  } else if (type == "WordPiece") {
    decoder.allow({"type", "prefix", "cleanup"});
    options.kind = DecoderOptions::Kind::word_piece;
    options.prefix = decoder.require<std::string>("prefix");
    options.cleanup = decoder.require<bool>("cleanup");
  } else {
    decoder.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});  // None of which changes what decoding gives.
    options.kind = DecoderOptions::Kind::byte_level;
  }
  return options;
}

/// What the usual names stand for, where the vocabulary has them.
AXIFORM_COLD inline SpecialTokens usual_special_tokens(TokenizerParts const& parts, AddedTokenList const& added_tokens) {
  auto const find = [&](std::initializer_list<std::string_view> names) -> std::optional<TokenId> {
    for (std::string_view const name : names)
      if (auto const id = added_tokens.id_of(name)) return id;
    return std::nullopt;
  };
  SpecialTokens result{.cls = find({"[CLS]", "<s>"}),
                       .sep = find({"[SEP]", "</s>"}),
                       .pad = find({"[PAD]", "<pad>"}),
                       .mask = find({"[MASK]", "<mask>"}),
                       .unk = find({"[UNK]", "<unk>", "<|endoftext|>"}),
                       .bos = find({"<s>", "<|endoftext|>"}),
                       .eos = find({"</s>", "<|endoftext|>"})};
  if (auto const* const unigram = std::get_if<UnigramOptions>(&parts.model)) {
    result.unk = unigram->unk_id;
  } else if (auto const* const word_piece = std::get_if<WordPieceOptions>(&parts.model)) {
    result.unk = find({word_piece->unk_token});
  } else {
    auto const* const bytes = std::get_if<ByteBpeOptions>(&parts.model);
    std::string const& unk = bytes != nullptr ? bytes->unk_token : std::get<CharacterBpeOptions>(parts.model).unk_token;
    if (!unk.empty()) result.unk = find({unk});
  }
  return result;
}

/// `truncation`, into options of encoding.
AXIFORM_COLD inline EncodeOptions truncation_from(Section const& truncation) {
  truncation.allow({"direction", "max_length", "strategy", "stride"});
  EncodeOptions options;
  options.max_length = truncation.require<std::size_t>("max_length");
  options.stride = truncation.get_or<std::size_t>("stride", 0);
  auto const strategy = truncation.get_or<std::string>("strategy", "LongestFirst");
  if (strategy == "OnlyFirst")
    options.truncation = Truncation::only_first;
  else if (strategy == "OnlySecond")
    options.truncation = Truncation::only_second;
  else if (strategy != "LongestFirst")
    truncation.refuse("strategy", truncation.json()["strategy"]);
  if (truncation.is_left("direction")) options.truncation_side = TruncationSide::left;
  return options;
}

/// `padding`.
AXIFORM_COLD inline PaddingOptions padding_from(Section const& padding) {
  padding.allow({"direction", "pad_id", "pad_to_multiple_of", "pad_token", "pad_type_id", "strategy"});
  PaddingOptions options;
  Json const* const strategy = find_member(padding.json(), "strategy", padding.where());
  if (strategy != nullptr && strategy->is_object())
    options.length = padding.section("strategy").require<std::size_t>("Fixed");
  else if (strategy != nullptr && *strategy != "BatchLongest")
    padding.refuse("strategy", *strategy);
  options.multiple_of = std::max<std::size_t>(padding.get_or<std::size_t>("pad_to_multiple_of", 1), 1);  // The crate takes 0 for none.
  options.side = padding.is_left("direction") ? PaddingSide::left : PaddingSide::right;
  options.id = padding.get<TokenId>("pad_id");
  options.type_id = padding.get_or<TokenId>("pad_type_id", 0);
  return options;
}

/// The parts that a tokenizer.json describes. `name` says in messages where it comes from.
AXIFORM_COLD inline TokenizerParts parts_from_tokenizer_json(Json const& json, std::string const& name) {
  Section const file(json, name);
  file.allow({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"});
  if (auto const version = file.get_or<std::string>("version", "1.0"); version != "1.0")
    throw_checkpoint_error({name, ": version: found ", in_quotes(version), ", expected \"1.0\""});
  TokenizerParts parts;
  Section const model = file.section("model");
  auto type = model.get<std::string>("type");
  Json const* const vocabulary = find_member(model.json(), "vocab", model.where());
  if (!type)  // Files of before 2020 leave the type out.
    type = vocabulary != nullptr && vocabulary->is_array()                 ? "Unigram"
           : find_member(model.json(), "merges", model.where()) != nullptr ? "BPE"
                                                                           : "WordPiece";
  else
    model.type({"WordPiece", "BPE", "Unigram"});
  if (type == "Unigram") {
    read_unigram(file, model, parts);
  } else {
    parts.vocabulary = vocabulary_from(require_object(model.json(), "vocab", model.where()), model.where() + ": vocab");
    type == "BPE" ? read_bpe(file, model, parts) : read_word_piece(file, model, parts);
  }
  AddedTokenList added_tokens(parts);
  Json const* const added = find_member(json, "added_tokens", name);
  if (added != nullptr && !added->is_null())
    for (Section const& token : file.sections("added_tokens"))
      added_tokens.add(added_token_from(token, token.require<TokenId>("id")), name);
  if (auto const truncation = file.optional_section("truncation")) parts.options = truncation_from(*truncation);
  if (auto const padding = file.optional_section("padding")) parts.padding = padding_from(*padding);
  if (auto const processor = file.optional_section("post_processor")) read_post_processor(*processor, parts.post_processor);
  if (auto const decoder = file.optional_section("decoder")) parts.decoder = decoder_from(*decoder);
  parts.special_tokens = usual_special_tokens(parts, added_tokens);
  return parts;
}

}  // namespace axiform::detail
