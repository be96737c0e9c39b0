/// @file
/// A SentencePiece model into `TokenizerParts`: ids, scores, normalisation and the tokens that have a part to play, as the converters of transformers
/// 5.24 have them for each family; docs/decisions/0027 says where AutoTokenizer differs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/derived_merges.hpp>
#include <axiform/text/json_section.hpp>
#include <axiform/text/language_codes.hpp>
#include <axiform/text/normalizer.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/sentencepiece_model.hpp>
#include <axiform/text/tokenizer_config.hpp>
#include <axiform/text/tokenizer_family.hpp>
#include <axiform/text/tokenizer_parts.hpp>

namespace axiform::detail {

/// Makes a tokenizer of a model.
class SentencePieceConverter {
 public:
  /// `settings` are those of tokenizer_config.json; `name` says in messages where the model comes from.
  SentencePieceConverter(SentencePieceModel const& model, Section const& settings, std::string name)
      : model_(model), settings_(settings), name_(std::move(name)) {}

  /// All but the tokens that files name and what goes round a text. @throws CheckpointError for a model of a kind that the family does not have.
  TokenizerParts parts(TokenizerFamily family) const {
    switch (family) {
      case TokenizerFamily::xlm_roberta:
      case TokenizerFamily::mbart:
      case TokenizerFamily::mbart50:
        return fairseq_unigram(family);
      case TokenizerFamily::nllb:
        return nllb();
      case TokenizerFamily::albert:
        return albert();
      case TokenizerFamily::t5:
        return t5();
      case TokenizerFamily::pegasus:
        return pegasus();
      case TokenizerFamily::llama:
        return llama();
      default:
        return by_its_own_rules();
    }
  }

  /// The tokens that the family has where no file names one.
  NamedTokens defaults(TokenizerFamily family) const {
    NamedTokens tokens;
    auto const set = [&tokens](std::string_view key, std::string const& content) {
      tokens.set(key, {.content = content, .id = -1, .special = true});
    };
    bool const is_fairseq = numbers_as_fairseq(family);
    if (is_fairseq || family == TokenizerFamily::llama) {
      set("bos_token", "<s>");
      set("eos_token", "</s>");
      set("unk_token", "<unk>");
    }
    if (is_fairseq) {
      set("sep_token", "</s>");
      set("pad_token", "<pad>");
      set("cls_token", "<s>");
      bool const takes_space = family != TokenizerFamily::xlm_roberta;
      tokens.set("mask_token", {.content = "<mask>", .id = -1, .lstrip = takes_space, .normalized = takes_space, .special = true});
      for (std::string& code : language_codes(family)) tokens.others.push_back({.content = std::move(code), .id = -1, .special = true});
    } else if (family == TokenizerFamily::albert) {
      set("bos_token", "[CLS]");
      set("eos_token", "[SEP]");
      set("unk_token", "<unk>");
      set("sep_token", "[SEP]");
      set("pad_token", "<pad>");
      set("cls_token", "[CLS]");
      set("mask_token", "[MASK]");
    } else if (family == TokenizerFamily::t5) {
      set("eos_token", "</s>");
      set("unk_token", "<unk>");
      set("pad_token", "<pad>");
      for (std::size_t i = extra_ids(); i > 0; --i) tokens.others.push_back({.content = extra_id(i - 1), .id = -1, .special = true});
    } else if (family == TokenizerFamily::pegasus) {
      set("eos_token", "</s>");
      set("unk_token", "<unk>");
      set("pad_token", "<pad>");
      set("mask_token", "<mask_2>");
      for (Piece const& piece : pegasus_pieces())
        if (piece.text != "<pad>" && piece.text != "</s>" && piece.text != "<mask_2>")
          tokens.others.push_back({.content = piece.text, .id = -1, .special = true});
    } else if (family == TokenizerFamily::sentencepiece) {
      if (model_.bos_id >= 0) set("bos_token", model_.bos_piece.empty() ? "<s>" : model_.bos_piece);
      if (model_.eos_id >= 0) set("eos_token", model_.eos_piece.empty() ? "</s>" : model_.eos_piece);
      if (model_.unk_id >= 0) set("unk_token", model_.unk_piece.empty() ? "<unk>" : model_.unk_piece);
    }
    return tokens;
  }

  /// Puts round a text what the family has there; the tokens must be in the vocabulary.
  void put_round_text(TokenizerFamily family, TokenizerParts& parts) const {
    auto const id = [&](std::string_view token) {
      if (auto const found = parts.vocabulary.find(token)) return *found;
      throw FormatError(name_ + ": the token " + in_quotes(token) + " is missing");
    };
    if (family == TokenizerFamily::xlm_roberta) {
      parts.post_processor = PostProcessor::roberta(id("<s>"), id("</s>"));
    } else if (family == TokenizerFamily::pegasus) {
      parts.post_processor = round_texts({}, {id("</s>")});
    } else if (numbers_as_fairseq(family)) {
      return;  // The languages', which the tokenizer is told when it is there.
    } else if (family == TokenizerFamily::albert) {
      parts.post_processor = PostProcessor::bert(id("[CLS]"), id("[SEP]"));
    } else if (family == TokenizerFamily::t5) {
      using enum TemplatePart::Kind;
      TemplatePart const end{special, {id("</s>")}, 0};
      parts.post_processor.single = {{first_text, {}, 0}, end};
      parts.post_processor.pair = {{first_text, {}, 0}, end, {second_text, {}, 0}, end};
    } else {
      put_ends_round_text(settings_, parts);
    }
  }

 private:
  using Piece = SentencePieceModel::Piece;
  using Pieces = std::vector<Piece>;

  static std::string extra_id(std::size_t number) { return "<extra_id_" + std::to_string(number) + ">"; }
  std::size_t extra_ids() const { return count_of("extra_ids", 100); }
  std::size_t count_of(std::string const& key, std::size_t otherwise) const {
    auto const count = settings_.get_or<std::size_t>(key, otherwise);
    if (count > 100'000)
      throw FormatError(settings_.where() + ": " + key + ": found " + std::to_string(count) + ", expected at most 100000");
    return count;
  }
  bool has_prefix_space() const { return settings_.get<bool>("add_prefix_space").value_or(true); }

  void require(SentencePieceModel::Kind kind, char const* expected) const {
    if (model_.model_type == kind) return;
    auto const found = static_cast<int>(model_.model_type);
    static constexpr std::string_view names[] = {"Unigram", "BPE", "words", "characters"};
    throw CheckpointError(name_ + ": found a SentencePiece model of " +
                          (found >= 1 && found <= 4 ? std::string(names[found - 1]) : "the kind " + std::to_string(found)) +
                          ", expected one of " + expected);
  }

  /// The first of the pieces are the family's own in another order: there must be that many.
  Pieces pieces_from(std::size_t first) const {
    if (model_.pieces.size() < first)
      throw FormatError(name_ + ": found " + std::to_string(model_.pieces.size()) + " pieces, expected at least " + std::to_string(first));
    return {model_.pieces.begin() + static_cast<std::ptrdiff_t>(first), model_.pieces.end()};
  }

  TokenizerParts unigram(Pieces const& pieces, std::int32_t unk_id, bool byte_fallback) const {
    TokenizerParts parts;
    UnigramOptions options{.unk_id = unk_id, .byte_fallback = byte_fallback};
    for (Piece const& piece : pieces) options.scores.push_back(piece.score);
    parts.vocabulary = Vocabulary(texts_of(pieces), name_);
    parts.model = std::move(options);
    return parts;
  }
  static std::vector<std::string> texts_of(Pieces const& pieces) {
    std::vector<std::string> texts;
    for (Piece const& piece : pieces) texts.push_back(piece.text);
    return texts;
  }

  /// Pieces that are found in the text itself: control pieces, which are special, and those that a user defined.
  void add_found_pieces(TokenizerParts& parts, bool adds_user_defined) const {
    AddedTokenList list(parts);
    for (Piece const& piece : model_.pieces) {
      bool const is_control = piece.type == SentencePieceModel::Type::control;
      if (is_control || (adds_user_defined && piece.type == SentencePieceModel::Type::user_defined))
        list.add({.content = piece.text, .id = -1, .special = is_control}, name_);
    }
  }

  void add_charsmap(TokenizerParts& parts) const {
    if (!model_.precompiled_charsmap.empty())
      parts.normalizer.push_back({NormalizerStep::Kind::precompiled, {}, model_.precompiled_charsmap});
  }
  /// Words with a mark before each: `Metaspace`, which also decodes.
  void split_at_marks(TokenizerParts& parts) const {
    parts.pre_tokenizer = marked_words(has_prefix_space() ? PrependScheme::always : PrependScheme::never);
    parts.decoder.kind = DecoderOptions::Kind::marks;
    parts.decoder.drops_first = has_prefix_space();
  }
  TokenizerParts finish_unigram(TokenizerParts parts) const {
    add_found_pieces(parts, true);
    add_charsmap(parts);
    parts.normalizer.push_back({NormalizerStep::Kind::strip_right});
    parts.normalizer.push_back({NormalizerStep::Kind::replace_runs, {}, std::string(space_mark)});
    split_at_marks(parts);
    return parts;
  }

  static bool numbers_as_fairseq(TokenizerFamily family) noexcept {
    using enum TokenizerFamily;
    return family == xlm_roberta || family == mbart || family == mbart50 || family == nllb;
  }

  /// Ids are those that fairseq gave: four tokens first, the pieces' ids one up, the languages behind them.
  Pieces fairseq_pieces(TokenizerFamily family) const {
    Pieces pieces{{"<s>"}, {"<pad>"}, {"</s>"}, {"<unk>"}};
    Pieces const rest = pieces_from(3);
    pieces.insert(pieces.end(), rest.begin(), rest.end());
    for (std::string& code : language_codes(family)) pieces.push_back({std::move(code)});
    pieces.push_back({"<mask>"});
    return pieces;
  }

  TokenizerParts fairseq_unigram(TokenizerFamily family) const {
    require(SentencePieceModel::Kind::unigram, "Unigram");
    return finish_unigram(unigram(fairseq_pieces(family), 3, false));
  }

  TokenizerParts nllb() const {
    require(SentencePieceModel::Kind::bpe, "BPE");
    TokenizerParts parts;
    parts.vocabulary = Vocabulary(texts_of(fairseq_pieces(TokenizerFamily::nllb)), name_);
    std::size_t const end = model_.pieces.size() + 1;  // Of the pieces, which are joined; languages are not.
    parts.merges = derive_merges(
        parts.vocabulary, name_, [end](std::size_t id) { return id >= 4 && id < end; }, in_order_of_ids);
    add_found_pieces(parts, true);
    parts.model = CharacterBpeOptions{.fuse_unk = true, .unk_token = "<unk>"};
    add_charsmap(parts);
    if (!parts.normalizer.empty()) parts.normalizer.push_back({NormalizerStep::Kind::replace_runs, {}, " "});
    split_at_marks(parts);
    return parts;
  }

  static bool in_order_of_ids(DerivedMerge const& a, DerivedMerge const& b) noexcept {
    return std::tie(a.id, a.left, a.right) < std::tie(b.id, b.left, b.right);
  }

  TokenizerParts t5() const {
    require(SentencePieceModel::Kind::unigram, "Unigram");
    Pieces pieces = model_.pieces;
    for (std::size_t i = extra_ids(); i > 0; --i) pieces.push_back({extra_id(i - 1)});
    return finish_unigram(unigram(pieces, model_.unk_id, false));
  }

  /// The tokens that stand before the pieces: what pads and ends, masks of sentences and words, and as many more as make `offset` of them.
  Pieces pegasus_pieces() const {
    std::size_t const offset = count_of("offset", 103);
    Pieces pieces{{"<pad>"}, {"</s>"}};
    Json const* const sentences = find_member(settings_.json(), "mask_token_sent", settings_.where());
    if (sentences == nullptr || !sentences->is_null()) pieces.push_back({"<mask_1>"});  // BigBird's has none.
    if (offset > 0) pieces.push_back({"<mask_2>"});
    for (std::size_t i = 2; i < offset; ++i) pieces.push_back({"<unk_" + std::to_string(i) + ">", -100});
    return pieces;
  }

  TokenizerParts pegasus() const {
    require(SentencePieceModel::Kind::unigram, "Unigram");
    Pieces pieces = pegasus_pieces();
    Pieces const rest = pieces_from(2);
    if (model_.unk_id < 2 || static_cast<std::size_t>(model_.unk_id) >= model_.pieces.size())
      throw FormatError(name_ + ": unk_id: found " + std::to_string(model_.unk_id) + ", expected a piece from the third on");
    auto const unknown = static_cast<std::int32_t>(pieces.size()) + model_.unk_id - 2;
    pieces.insert(pieces.end(), rest.begin(), rest.end());
    TokenizerParts parts = finish_unigram(unigram(pieces, unknown, false));
    parts.pre_tokenizer.insert(parts.pre_tokenizer.begin(),
                               {.kind = PreTokenizerStep::Kind::whitespace, .behavior = SplitBehavior::removed});
    return parts;
  }

  TokenizerParts albert() const {
    require(SentencePieceModel::Kind::unigram, "Unigram");
    Pieces pieces = model_.pieces;
    for (Piece& piece : pieces)  // A number and a comma are two tokens.
      if (ends_with_digit_and_comma(piece.text)) piece.score -= 100;
    TokenizerParts parts = unigram(pieces, model_.unk_id, false);
    add_found_pieces(parts, true);
    using enum NormalizerStep::Kind;
    parts.normalizer = {{replace, "``", "\""}, {replace, "''", "\""}};
    if (!settings_.get<bool>("keep_accents").value_or(false)) parts.normalizer.insert(parts.normalizer.end(), {{nfkd}, {strip_accents}});
    if (settings_.get<bool>("do_lower_case").value_or(true)) parts.normalizer.push_back({lowercase});
    add_charsmap(parts);
    parts.normalizer.push_back({replace_runs, {}, " "});
    split_at_marks(parts);
    return parts;
  }
  static bool ends_with_digit_and_comma(std::string_view text) {
    if (count_code_points(text) < 2 || text.back() != ',') return false;
    std::size_t begin = text.size() - 2;
    while (!begins_character(text[begin])) --begin;
    auto const properties = properties_of(decode_valid_utf8(text.data() + begin).value);
    return (1u << properties.general_class() & general_classes::digit) != 0;
  }

  TokenizerParts llama() const {
    require(SentencePieceModel::Kind::bpe, "BPE");
    TokenizerParts parts;
    parts.vocabulary = Vocabulary(texts_of(model_.pieces), name_);
    parts.merges = derive_merges(
        parts.vocabulary, name_, [](std::size_t) { return true; }, in_order_of_ids);
    add_found_pieces(parts, true);
    parts.model = CharacterBpeOptions{.byte_fallback = true, .fuse_unk = true};
    bool const is_legacy = settings_.get<bool>("legacy").value_or(false);
    auto const prepend = !has_prefix_space() ? PrependScheme::never : is_legacy ? PrependScheme::always : PrependScheme::first;
    parts.pre_tokenizer = {{.kind = PreTokenizerStep::Kind::marks, .pattern = std::string(space_mark), .prepend = prepend}};
    parts.decoder = {.kind = DecoderOptions::Kind::marks, .byte_fallback = true, .strip_left = has_prefix_space() ? std::size_t{1} : 0};
    return parts;
  }

  /// What the model says of itself, which is what `SentencePieceProcessor` does (transformers' `build_tokenizer_from_spm_proto`).
  TokenizerParts by_its_own_rules() const {
    bool const is_bpe = model_.model_type == SentencePieceModel::Kind::bpe;
    if (!is_bpe) require(SentencePieceModel::Kind::unigram, "Unigram or BPE");
    std::vector<std::string> user_defined;
    for (Piece const& piece : model_.pieces)
      if (piece.type == SentencePieceModel::Type::user_defined && !piece.text.empty()) user_defined.push_back(piece.text);
    TokenizerParts parts;
    if (is_bpe) {
      parts.vocabulary = Vocabulary(texts_of(model_.pieces), name_);
      parts.merges = derive_merges(
          parts.vocabulary, name_, [&](std::size_t id) { return model_.pieces[id].type == SentencePieceModel::Type::normal; },
          [&](DerivedMerge const& a, DerivedMerge const& b) {
            double const left = model_.pieces[a.id].score, right = model_.pieces[b.id].score;
            return left != right ? left > right : a.id != b.id ? a.id < b.id : a.split < b.split;
          });
      parts.model = CharacterBpeOptions{
          .byte_fallback = model_.byte_fallback, .ignore_merges = !user_defined.empty(), .fuse_unk = true, .unk_token = model_.unk_piece};
    } else {
      parts = unigram(model_.pieces, model_.unk_id, model_.byte_fallback);
    }
    add_found_pieces(parts, false);
    std::string const mark(space_mark);
    bool const is_legacy = settings_.get<bool>("legacy").value_or(true);
    add_charsmap(parts);
    using enum NormalizerStep::Kind;
    if (model_.remove_extra_whitespaces) parts.normalizer.insert(parts.normalizer.end(), {{strip_spaces}, {replace_runs, {}, " "}});
    if (model_.escape_whitespaces) parts.normalizer.push_back({replace, " ", mark});
    if (model_.add_dummy_prefix && is_legacy) parts.normalizer.push_back({replace_begin, mark, mark + mark});
    if (model_.add_dummy_prefix)
      parts.pre_tokenizer.push_back(
          {.kind = PreTokenizerStep::Kind::marks, .pattern = mark, .prepend = is_legacy ? PrependScheme::always : PrependScheme::first});
    if (!user_defined.empty()) parts.pre_tokenizer.push_back({.kind = PreTokenizerStep::Kind::any_of, .patterns = std::move(user_defined)});
    parts.decoder = {.kind = DecoderOptions::Kind::marks,
                     .byte_fallback = model_.byte_fallback,
                     .strip_left = model_.add_dummy_prefix ? std::size_t{1} : 0};
    return parts;
  }

  SentencePieceModel const& model_;
  Section const& settings_;
  std::string name_;
};

}  // namespace axiform::detail
