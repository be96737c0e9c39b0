/// @file
/// How `Tokenizer` works. Include text/tokenizer.hpp, which includes this header wherever the definitions belong.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/executor.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/added_tokens.hpp>
#include <axiform/text/byte_bpe.hpp>
#include <axiform/text/character_bpe.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/normalizer.hpp>
#include <axiform/text/padding.hpp>
#include <axiform/text/post_processor.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/tokenizer_parts.hpp>
#include <axiform/text/unigram.hpp>
#include <axiform/text/utf8.hpp>
#include <axiform/text/vocabulary.hpp>
#include <axiform/text/whole_text_model.hpp>
#include <axiform/text/word_piece.hpp>

namespace axiform {

namespace detail {

/// A text as it is encoded: valid, and the way back to the bytes that were given.
struct TokenizedText {
  std::string repaired;  // When it was invalid.
  std::string_view valid;
  bool is_ascii = false;
  /// A stretch of bytes that was not UTF-8, and what stands for it.
  struct Replacement {
    std::size_t valid_begin;      ///< Where it is in `valid`.
    std::size_t original_begin;   ///< Where it was in what was given.
    std::size_t original_length;  ///< Bytes that it had there.
  };
  std::vector<Replacement> replacements;
  EncodedText encoded;
};

inline void add_matched(std::string_view text, std::size_t base, AddedTokenMatcher::Match const& match, TokenSink& sink) {
  if (match.is_widened) sink.spellings.push_back({sink.ids.size(), std::string(text.substr(match.begin, match.end - match.begin))});
  sink.add(match.id, base + match.begin, base + match.end);
}

inline void repair(std::string_view text, TokenizedText& result) {
  result.replacements.clear();
  result.repaired.clear();
  for (std::size_t done = 0; done < text.size();) {
    auto const [valid, invalid] = scan_utf8(text.substr(done));
    result.repaired.append(text.substr(done, valid));
    done += valid;
    if (invalid == 0) break;
    result.replacements.push_back({result.repaired.size(), done, invalid});
    result.repaired.append("\xEF\xBF\xBD");
    done += invalid;
  }
  result.valid = result.repaired;
}

inline void restore_places(TokenizedText const& text, std::vector<Offset>& places) {
  auto const original = [&](std::uint32_t place) {
    auto const after = std::lower_bound(text.replacements.begin(), text.replacements.end(), std::size_t{place},
                                        [](TokenizedText::Replacement const& one, std::size_t begin) { return one.valid_begin < begin; });
    if (after == text.replacements.begin()) return place;
    auto const& last = *std::prev(after);
    return static_cast<std::uint32_t>(last.original_begin + last.original_length + (place - last.valid_begin - 3));
  };
  for (Offset& place : places) place = {original(place.begin), original(place.end)};
}

}  // namespace detail

struct Tokenizer::State {
  /// One of them; a std::variant asks more of a compiler.
  struct Model {
    std::unique_ptr<detail::WordPiece const> word_piece = nullptr;
    std::unique_ptr<detail::ByteBpe const> byte_bpe = nullptr;
    std::unique_ptr<detail::CharacterBpe const> character_bpe = nullptr;
    std::unique_ptr<detail::Unigram const> unigram = nullptr;
    std::shared_ptr<detail::WholeTextModel const> whole_text = nullptr;
  };

  State(TokenizerParts parts, std::string const& name);

  Encoding encode(std::string_view text, EncodeOptions const& options, PostProcessor const& around, Scratch& scratch) const;
  void encode_text(std::string_view text, Scratch& scratch, detail::TokenizedText& result) const;
  void encode_by_steps(std::string_view text, std::size_t base, Scratch& scratch, detail::TokenSink& sink) const;
  Encoding encode_words(std::span<std::string_view const> words, EncodeOptions const& options, PostProcessor const& around) const;
  std::vector<Encoding> windows(detail::TokenizedText& first, detail::TokenizedText* second, EncodeOptions const& options,
                                PostProcessor const& around) const;
  static detail::KeptTokens kept_tokens(detail::TokenizedText const& first, detail::TokenizedText const* second,
                                        EncodeOptions const& options, PostProcessor const& around);
  Encoding finish(detail::TokenizedText& first, detail::TokenizedText* second, EncodeOptions const& options,
                  PostProcessor const& around) const;
  void count_offsets(detail::TokenizedText& text, OffsetUnit unit) const;
  void finish_text(detail::TokenizedText const& text, OffsetUnit unit, detail::EncodedText& encoded) const;
  static Encoding assemble(detail::EncodedText& first, detail::EncodedText* second, EncodeOptions const& options,
                           PostProcessor const& around);
  void check_id(TokenId id, std::string const& name) const;
  void check(PostProcessor const& around, std::string const& name) const;
  std::string const& id_to_token(TokenId id) const;
  std::string const* find_normal_form(TokenId id) const noexcept {
    if (normal_forms.empty() || id < 0) return nullptr;
    auto const found = std::lower_bound(normal_forms.begin(), normal_forms.end(), static_cast<std::size_t>(id),
                                        [](Encoding::Spelling const& form, std::size_t wanted) { return form.index < wanted; });
    return found != normal_forms.end() && found->index == static_cast<std::size_t>(id) ? &found->text : nullptr;
  }
  std::uint32_t number_byte_level_words(std::span<TokenId const> run, std::uint32_t first,
                                        std::span<std::optional<std::uint32_t>> words) const;
  bool cleans_up(DecodeOptions const& options) const noexcept {
    return options.clean_up_tokenization_spaces == CleanUp::as_configured ? decoder.clean_up_tokenization_spaces
                                                                          : options.clean_up_tokenization_spaces == CleanUp::yes;
  }

  Vocabulary vocabulary;
  Model model;
  detail::Normalizer normalizer;
  detail::PreTokenizer pre_tokenizer;
  bool runs_steps = false;                      // Not where the model normalises and splits by itself, on its fast path.
  detail::AddedTokenMatcher raw_tokens;         // Found in the text.
  detail::AddedTokenMatcher normalized_tokens;  // Found in the normalised text.
  std::vector<Encoding::Spelling> normal_forms;  // Of added tokens whose normal form is another, by id.
  std::vector<bool> is_special;
  std::vector<bool> is_added;
  std::vector<detail::SpaceCounts> spaces;  // By id, where offsets are trimmed.
  bool trims_offsets = false;               // Of the post-processor, which the tokenizer has.
  bool adds_prefix_space = false;
  DecoderOptions decoder;                   ///< How tokens become text again.
  SpecialTokens special_tokens;             ///< Those that have a part to play.
  std::optional<std::size_t> model_max_length;
  EncodeOptions configured_options;
  PaddingOptions configured_padding;
  std::vector<std::string> notes;

 private:
  static Model make_model(Vocabulary const& vocabulary, TokenizerParts& parts, std::string const& name);
  static void complete_steps(TokenizerParts& parts);
  void add_tokens(std::vector<AddedToken> const& tokens, std::string const& name);
  std::string normal_form(std::string const& content) const;  // What an added token is found by in the normalised text.
};

struct Tokenizer::Scratch {
  /// The model's.
  struct Model {
    std::unique_ptr<detail::WordPiece::Scratch> word_piece = nullptr;
    std::unique_ptr<detail::ByteBpe::Scratch> byte_bpe = nullptr;
    std::unique_ptr<detail::CharacterBpe::Scratch> character_bpe = nullptr;
    std::unique_ptr<detail::Unigram::Scratch> unigram = nullptr;
  };

  struct Steps {
    detail::Normalizer::Scratch normalizer;
    detail::AlignedText normalized;
    std::vector<detail::Piece> pieces;
    std::vector<detail::Piece> next_pieces;
  };

  explicit Scratch(State const& state) {
    State::Model const& of = state.model;
    if (of.word_piece) model.word_piece = std::make_unique<detail::WordPiece::Scratch>(*of.word_piece);
    if (of.byte_bpe) model.byte_bpe = std::make_unique<detail::ByteBpe::Scratch>(*of.byte_bpe);
    if (of.character_bpe) model.character_bpe = std::make_unique<detail::CharacterBpe::Scratch>(*of.character_bpe);
    if (of.unigram) model.unigram = std::make_unique<detail::Unigram::Scratch>(*of.unigram);
  }

  /// Whether an added token may stand there: not in a part that is plain text.
  bool may_be_token(std::size_t begin, std::size_t end) const noexcept {
    if (plain_parts.empty()) return true;
    auto const next = std::upper_bound(plain_parts.begin(), plain_parts.end(), begin,
                                       [](std::size_t place, Offset const& part) { return place < part.end; });
    return next == plain_parts.end() || next->begin >= end;
  }

  Model model;
  std::unique_ptr<Steps> steps;  // Made by the first text that needs them.
  std::span<Offset const> plain_parts;
  TextBefore before = TextBefore::nothing;
  detail::TokenizedText first;
  detail::TokenizedText second;
};

AXIFORM_COLD inline Tokenizer::State::Model Tokenizer::State::make_model(Vocabulary const& vocabulary, TokenizerParts& parts,
                                                                         std::string const& name) {
  Model model;
  if (auto* const byte_bpe = std::get_if<ByteBpeOptions>(&parts.model)) {
    model.byte_bpe = std::make_unique<detail::ByteBpe const>(vocabulary, parts.merges, std::move(*byte_bpe), name);
  } else if (auto* const character_bpe = std::get_if<CharacterBpeOptions>(&parts.model)) {
    model.character_bpe = std::make_unique<detail::CharacterBpe const>(vocabulary, parts.merges, std::move(*character_bpe), name);
  } else if (auto* const unigram = std::get_if<UnigramOptions>(&parts.model)) {
    model.unigram = std::make_unique<detail::Unigram const>(vocabulary, std::move(*unigram), name);
  } else if (auto* const whole_text = std::get_if<std::shared_ptr<detail::WholeTextModel const>>(&parts.model)) {
    model.whole_text = std::move(*whole_text);
  } else {
    auto& word_piece = std::get<WordPieceOptions>(parts.model);
    auto unknown = vocabulary.find(word_piece.unk_token);
    for (AddedToken const& added : parts.added_tokens)
      if (!unknown && added.content == word_piece.unk_token) unknown = added.id;
    if (!unknown)
      detail::throw_format_error({name, ": the unknown token ", detail::in_quotes(word_piece.unk_token), " is not in the vocabulary"});
    model.word_piece = std::make_unique<detail::WordPiece const>(vocabulary, std::move(word_piece), *unknown);
  }
  return model;
}

/// Gives the vocabulary the added tokens that the model does not have, and makes the matchers.
AXIFORM_COLD inline void Tokenizer::State::add_tokens(std::vector<AddedToken> const& tokens, std::string const& name) {
  std::vector<detail::AddedTokenMatcher::Entry> raw, normalized;
  detail::StringTable patterns;
  auto const add_pattern = [&](std::string const& pattern) {
    bool const is_new = patterns.find(pattern) == detail::StringTable::absent;
    patterns.insert(pattern, 0);
    return is_new;
  };
  std::vector<std::string_view> unfound;
  for (AddedToken const& token : tokens) {
    if (token.content.empty()) continue;  // As Hugging Face has it.
    auto const known = vocabulary.find(token.content);
    if (known ? *known != token.id : token.id < 0 || vocabulary.has(token.id))
      detail::throw_format_error(
          {name, ": added token ", detail::in_quotes(token.content), ": found id ", std::to_string(token.id),
           (known ? ", expected " + std::to_string(*known) + ", its id in the vocabulary" : ", expected one that is free")});
    if (!known) vocabulary.put(token.content, token.id, name);
    std::string pattern = token.normalized ? normal_form(token.content) : token.content;
    if (pattern != token.content) normal_forms.push_back({static_cast<std::size_t>(token.id), pattern});
    if (pattern.empty() || (token.normalized && !add_pattern(pattern))) {
      unfound.push_back(token.content);
      continue;
    }
    (token.normalized ? normalized : raw).push_back({std::move(pattern), token.id, token.single_word, token.lstrip, token.rstrip});
  }
  detail::stable_sort(normal_forms, [](Encoding::Spelling const& a, Encoding::Spelling const& b) { return a.index < b.index; });
  raw_tokens = detail::AddedTokenMatcher(std::move(raw));
  normalized_tokens = detail::AddedTokenMatcher(std::move(normalized));
  if (!unfound.empty())
    notes.push_back("the added token " + detail::in_quotes(unfound.front()) +
                    (unfound.size() > 1 ? " and " + std::to_string(unfound.size() - 1) + " more are" : " is") +
                    " never found: once normalised, nothing is left or another reads the same");
  is_special.resize(vocabulary.size());
  is_added.resize(vocabulary.size());
  for (AddedToken const& token : tokens) {
    if (token.content.empty()) continue;
    is_added[static_cast<std::size_t>(token.id)] = true;
    // The crate compares the written forms, so a special token whose normal form is another is never left out.
    if (token.special) is_special[static_cast<std::size_t>(token.id)] = find_normal_form(token.id) == nullptr;
  }
}

/// Text goes through steps when the parts have any: then the model's own normalizer and pre-tokenizer are steps, too, where nothing replaces
/// them.
AXIFORM_COLD inline void Tokenizer::State::complete_steps(TokenizerParts& parts) {
  if ((parts.normalizer.empty() && parts.pre_tokenizer.empty()) || std::holds_alternative<CharacterBpeOptions>(parts.model) ||
      std::holds_alternative<UnigramOptions>(parts.model))
    return;
  auto const* const word_piece = std::get_if<WordPieceOptions>(&parts.model);
  if (word_piece != nullptr && parts.normalizer.empty()) parts.normalizer = detail::steps_of(word_piece->normalizer);
  if (!parts.pre_tokenizer.empty()) return;
  if (word_piece != nullptr) {
    parts.pre_tokenizer = detail::bert_steps();
  } else {
    auto const& bpe = std::get<ByteBpeOptions>(parts.model);
    parts.pre_tokenizer = detail::byte_level_steps(bpe.add_prefix_space, bpe.use_regex);
  }
}

AXIFORM_COLD inline std::string Tokenizer::State::normal_form(std::string const& content) const {
  auto const text_of = [](std::vector<detail::NormalizedCodePoint> const& points) {
    std::string text;
    for (auto const& point : points) append_utf8(text, point.value);
    return text;
  };
  if (runs_steps) {
    detail::Normalizer::Scratch scratch;
    normalizer.normalize(content, 0, TextBefore::nothing, scratch);
    return text_of(scratch.points);
  }
  auto const* const word_piece = model.word_piece.get();
  return word_piece == nullptr ? content : text_of(detail::BertNormalizer(word_piece->options().normalizer).normalize(content, 0));
}

AXIFORM_COLD inline void Tokenizer::State::check_id(TokenId id, std::string const& name) const {
  if (id < 0 || static_cast<std::size_t>(id) >= vocabulary.size())
    detail::throw_format_error(
        {name, ": special token id ", std::to_string(id), " is outside of the vocabulary of ", std::to_string(vocabulary.size())});
}

AXIFORM_COLD inline void Tokenizer::State::check(PostProcessor const& around, std::string const& name) const {
  for (auto const* const parts : {&around.single, &around.pair})
    for (TemplatePart const& part : *parts)
      for (TokenId const id : part.ids) check_id(id, name);
  if (!detail::is_template(around.single, 0) || !detail::is_template(around.pair, 1))
    detail::throw_format_error(
        {name, ": post_processor: expected a template with the first text once, and one with the second text once after it"});
}

AXIFORM_COLD inline Tokenizer::State::State(TokenizerParts parts, std::string const& name)
    : vocabulary((complete_steps(parts), std::move(parts.vocabulary))),
      model(make_model(vocabulary, parts, name)),
      normalizer(parts.normalizer, name),
      pre_tokenizer(std::move(parts.pre_tokenizer), name),
      runs_steps(!pre_tokenizer.empty() || model.character_bpe != nullptr || model.unigram != nullptr || model.whole_text != nullptr),
      trims_offsets(parts.post_processor.trim_offsets),
      adds_prefix_space(parts.post_processor.add_prefix_space),
      decoder(std::move(parts.decoder)),
      special_tokens(parts.special_tokens),
      model_max_length(parts.model_max_length),
      configured_options(parts.options),
      configured_padding(parts.padding),
      notes(std::move(parts.notes)) {
  add_tokens(parts.added_tokens, name);
  for (auto const& id : {special_tokens.cls, special_tokens.sep, special_tokens.pad, special_tokens.mask, special_tokens.unk,
                         special_tokens.bos, special_tokens.eos})
    if (id) check_id(*id, name);
  if (configured_padding.id) check_id(*configured_padding.id, name);
  if (!trims_offsets) return;
  spaces.reserve(vocabulary.size());
  for (std::string const& token : vocabulary.tokens()) spaces.push_back(detail::count_spaces(token));
}

inline void Tokenizer::State::encode_text(std::string_view text, Scratch& scratch, detail::TokenizedText& result) const {
  if (text.size() > std::numeric_limits<std::uint32_t>::max() / 3)
    detail::throw_argument_error(
        {"a text of ", std::to_string(text.size()), " bytes is too long to tokenize at once: offsets are 32-bit numbers"});
  result.valid = text;
  result.replacements.clear();
  result.is_ascii = is_ascii(text);
  if (!result.is_ascii && !is_valid_utf8(text)) detail::repair(text, result);
  detail::TokenSink& sink = result.encoded.tokens;
  sink.clear();
  sink.reserve(text.size() / 3 + 8);
  raw_tokens.split(
      result.valid,
      [&](std::size_t begin, std::size_t end) {
        std::string_view const part = result.valid.substr(begin, end - begin);
        if (runs_steps) {
          encode_by_steps(part, begin, scratch, sink);
          return;
        }
        if (auto const* const word_piece = model.word_piece.get()) {
          word_piece->encode(part, begin, normalized_tokens, *scratch.model.word_piece, sink);
          return;
        }
        auto const& bpe = *model.byte_bpe;
        auto& bpe_scratch = *scratch.model.byte_bpe;
        normalized_tokens.split(  // There is no normaliser: these come second, that is all.
            part,
            [&](std::size_t b, std::size_t e) {
              auto const before = begin + b == 0 ? scratch.before : TextBefore::added_token;
              bpe.encode(part.substr(b, e - b), begin + b, before, bpe_scratch, sink);
            },
            [&](detail::AddedTokenMatcher::Match const& match) { detail::add_matched(part, begin, match, sink); },
            [&](std::size_t b, std::size_t e) { return scratch.may_be_token(begin + b, begin + e); });
      },
      [&](detail::AddedTokenMatcher::Match const& match) {
        detail::add_matched(result.valid, 0, match, sink);
        if (runs_steps) sink.end_word();
      },
      [&](std::size_t begin, std::size_t end) { return scratch.may_be_token(begin, end); });
}

// Normalises a part of a text, finds added tokens, splits the rest, and gives each piece to the model.
inline void Tokenizer::State::encode_by_steps(std::string_view text, std::size_t base, Scratch& scratch, detail::TokenSink& sink) const {
  if (model.whole_text != nullptr) {
    model.whole_text->encode(text, base, vocabulary, sink);
    return;
  }
  if (scratch.steps == nullptr) scratch.steps = std::make_unique<Scratch::Steps>();
  auto& [buffers, normalized, own_pieces, next_pieces] = *scratch.steps;
  auto& pieces = own_pieces;  // Captured below: Clang 19 warns of a binding that a lambda captures under its own name.
  if (normalizer.keeps(text)) {
    normalized.keep(text, static_cast<std::uint32_t>(base));
  } else {
    auto const before = base == 0 ? scratch.before : TextBefore::added_token;
    normalizer.normalize(text, static_cast<std::uint32_t>(base), before, buffers);
    normalized.assign(buffers.points);
  }
  auto const* const unigram = model.unigram.get();
  if (unigram != nullptr && pre_tokenizer.marked_words() != detail::MarkedWords::no && normalized_tokens.empty() &&
      scratch.before != TextBefore::text && unigram->encode_words(normalized, pre_tokenizer.marked_words(), *scratch.model.unigram, sink))
    return;
  auto const piece = [](std::size_t begin, std::size_t end) {
    return detail::Piece{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  };
  pieces.clear();
  normalized_tokens.split(
      normalized.text, [&](std::size_t begin, std::size_t end) { pieces.push_back(piece(begin, end)); },
      [&](detail::AddedTokenMatcher::Match const& match) {
        if (match.begin == match.end) return;
        pieces.push_back(piece(match.begin, match.end));
        pieces.back().added = match.id;
      },
      [&](std::size_t begin, std::size_t end) {
        auto const [first, last] = normalized.place(begin, end);
        return scratch.may_be_token(first, last);
      });
  pre_tokenizer.split(normalized, scratch.before, pieces, next_pieces);
  for (auto const& [begin, end, added] : pieces) {
    if (added) {
      std::string_view const spelling = normalized.text.substr(begin, end - begin);
      if (spelling != id_to_token(*added)) sink.spellings.push_back({sink.ids.size(), std::string(spelling)});
      auto const [first, last] = normalized.place(begin, end);
      sink.add(*added, first, last);
    } else if (auto const* const word_piece = model.word_piece.get()) {
      word_piece->encode_word(normalized, begin, end, *scratch.model.word_piece, sink);
    } else if (auto const* const bytes = model.byte_bpe.get()) {
      bytes->encode_word(normalized, begin, end, *scratch.model.byte_bpe, sink);
    } else if (auto const* const characters = model.character_bpe.get()) {
      characters->encode_word(normalized, begin, end, *scratch.model.character_bpe, sink);
    } else {
      unigram->encode_word(normalized, begin, end, *scratch.model.unigram, sink);
    }
    sink.end_word();
  }
}

inline void Tokenizer::State::count_offsets(detail::TokenizedText& text, OffsetUnit unit) const {
  if (text.is_ascii)
    text.encoded.offsets = text.encoded.tokens.places;
  else
    detail::count_offsets(text.valid, unit, text.encoded);
}

/// Makes of places and counted offsets what a user gets. `encoded` is all of the text, or a window.
inline void Tokenizer::State::finish_text(detail::TokenizedText const& text, OffsetUnit unit, detail::EncodedText& encoded) const {
  if (trims_offsets) {
    auto spelling = encoded.tokens.spellings.begin();
    auto const spaces_of = [&](std::size_t i) {
      if (spelling == encoded.tokens.spellings.end() || spelling->index != i)
        return spaces[static_cast<std::size_t>(encoded.tokens.ids[i])];
      return detail::count_spaces((spelling++)->text);
    };
    detail::trim_offsets(text.valid, adds_prefix_space, unit, spaces_of, encoded);
  }
  if (!text.replacements.empty()) detail::restore_places(text, encoded.tokens.places);
}

inline Encoding Tokenizer::State::assemble(detail::EncodedText& first, detail::EncodedText* second, EncodeOptions const& options,
                                           PostProcessor const& around) {
  return detail::assemble(second == nullptr ? around.single : around.pair, first, second, options.add_special_tokens);
}

inline detail::KeptTokens Tokenizer::State::kept_tokens(detail::TokenizedText const& first, detail::TokenizedText const* second,
                                                        EncodeOptions const& options, PostProcessor const& around) {
  auto const& parts = second == nullptr ? around.single : around.pair;
  std::size_t const added = options.add_special_tokens ? PostProcessor::count_special(parts) : 0;
  if (options.max_length < added)
    detail::throw_argument_error(
        {"max_length: found ", std::to_string(options.max_length), ", and the special tokens alone are ", std::to_string(added)});
  return detail::kept_tokens(first.encoded.tokens.ids.size(), second != nullptr, second == nullptr ? 0 : second->encoded.tokens.ids.size(),
                             options.max_length - added, options.truncation);
}

inline Encoding Tokenizer::State::finish(detail::TokenizedText& first, detail::TokenizedText* second, EncodeOptions const& options,
                                         PostProcessor const& around) const {
  auto const kept = kept_tokens(first, second, options, around);
  auto const finish_one = [&](detail::TokenizedText& text, std::size_t length) {
    detail::truncate(text.encoded, length, options.truncation_side);
    count_offsets(text, options.offset_unit);
    finish_text(text, options.offset_unit, text.encoded);
  };
  finish_one(first, kept.first);
  if (second != nullptr) finish_one(*second, kept.second);
  return assemble(first.encoded, second == nullptr ? nullptr : &second->encoded, options, around);
}

inline std::vector<Encoding> Tokenizer::State::windows(detail::TokenizedText& first, detail::TokenizedText* second,
                                                       EncodeOptions const& options, PostProcessor const& around) const {
  auto const kept = kept_tokens(first, second, options, around);
  std::size_t const first_size = first.encoded.tokens.ids.size(), second_size = second == nullptr ? 0 : second->encoded.tokens.ids.size();
  bool const cuts_first = kept.first < first_size, cuts_second = kept.second < second_size;
  if (!cuts_first && !cuts_second) {
    std::vector<Encoding> whole;
    whole.push_back(finish(first, second, options, around));
    return whole;
  }
  if (cuts_first && cuts_second)
    detail::throw_argument_error(
        {"max_length: found ", std::to_string(options.max_length),
         ", and both texts would be cut; expected Truncation::only_first or only_second, to say which goes on in windows"});
  std::size_t const length = cuts_first ? kept.first : kept.second;
  if (options.stride >= length)
    detail::throw_argument_error({"stride: found ", std::to_string(options.stride), ", expected fewer than the ", std::to_string(length),
                                  " tokens of the text that a window has room for"});
  count_offsets(first, options.offset_unit);  // Once: windows are cut from what has been counted.
  if (second != nullptr) count_offsets(*second, options.offset_unit);
  std::vector<Encoding> result;
  for (auto const& [begin, end] :
       detail::windows_over(cuts_first ? first_size : second_size, length, options.stride, options.truncation_side)) {
    auto one = cuts_first ? detail::tokens_between(first.encoded, begin, end) : first.encoded;
    finish_text(first, options.offset_unit, one);
    detail::EncodedText two;
    if (second != nullptr) {
      two = cuts_second ? detail::tokens_between(second->encoded, begin, end) : second->encoded;
      finish_text(*second, options.offset_unit, two);
    }
    result.push_back(assemble(one, second == nullptr ? nullptr : &two, options, around));
  }
  return result;
}

inline Encoding Tokenizer::State::encode_words(std::span<std::string_view const> words, EncodeOptions const& options,
                                               PostProcessor const& around) const {
  Scratch scratch(*this);
  detail::TokenizedText all;
  detail::EncodedText& joined = all.encoded;
  for (std::size_t word = 0; word < words.size(); ++word) {
    encode_text(words[word], scratch, scratch.first);
    count_offsets(scratch.first, options.offset_unit);
    finish_text(scratch.first, options.offset_unit, scratch.first.encoded);
    detail::TokenSink const& sink = scratch.first.encoded.tokens;
    for (Encoding::Spelling const& spelling : sink.spellings)
      joined.tokens.spellings.push_back({joined.tokens.ids.size() + spelling.index, spelling.text});
    joined.tokens.ids.insert(joined.tokens.ids.end(), sink.ids.begin(), sink.ids.end());
    joined.tokens.places.insert(joined.tokens.places.end(), sink.places.begin(), sink.places.end());
    joined.offsets.insert(joined.offsets.end(), scratch.first.encoded.offsets.begin(), scratch.first.encoded.offsets.end());
    joined.tokens.words.resize(joined.tokens.ids.size(), static_cast<std::uint32_t>(word));
  }
  detail::truncate(joined, kept_tokens(all, nullptr, options, around).first, options.truncation_side);
  return assemble(joined, nullptr, options, around);
}

inline Encoding Tokenizer::State::encode(std::string_view text, EncodeOptions const& options, PostProcessor const& around,
                                         Scratch& scratch) const {
  scratch.plain_parts = options.plain_parts;
  scratch.before = options.before;
  encode_text(text, scratch, scratch.first);
  return finish(scratch.first, nullptr, options, around);
}

inline std::string const& Tokenizer::State::id_to_token(TokenId id) const {
  std::string const* const normal = find_normal_form(id);
  return normal != nullptr ? *normal : vocabulary.token(id);
}

// Numbers the words of a run of byte-level tokens, none of them added, from `first` on; gives the number that comes next. The run's bytes are
// split again as they were before their merges.
inline std::uint32_t Tokenizer::State::number_byte_level_words(std::span<TokenId const> run, std::uint32_t first,
                                                               std::span<std::optional<std::uint32_t>> words) const {
  std::string bytes;
  std::vector<std::size_t> begins;
  for (TokenId const id : run) {
    begins.push_back(bytes.size());
    bytes += detail::bytes_of_token(vocabulary.token(id));
  }
  for (std::size_t done = 0; done < bytes.size();) {  // A cut encoding may begin or end within a character.
    auto const [valid, invalid] = scan_utf8(std::string_view(bytes).substr(done));
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(done + valid), invalid, '\x01');
    done += valid + invalid;
  }
  bool const splits = model.byte_bpe->options().use_regex;
  char const* const text = bytes.data();
  char const* const end = text + bytes.size();
  char const* piece_end = text;
  std::uint32_t next = first;
  for (std::size_t i = 0; i < run.size(); ++i) {
    for (; piece_end != end && piece_end <= text + begins[i]; ++next) piece_end = splits ? detail::end_of_piece(piece_end, end) : end;
    words[i] = next == first ? first : next - 1;
  }
  return std::max(next, first + 1);
}

AXIFORM_INLINE Tokenizer::Tokenizer(TokenizerParts parts, std::string const& name)
    : around_(std::make_shared<PostProcessor const>(parts.post_processor)), state_(std::make_shared<State const>(std::move(parts), name)) {
  state_->check(*around_, name);
}

AXIFORM_COLD AXIFORM_INLINE Tokenizer Tokenizer::with_post_processor(PostProcessor post_processor) const {
  state_->check(post_processor, "with_post_processor");
  Tokenizer result = *this;
  result.around_ = std::make_shared<PostProcessor const>(std::move(post_processor));
  return result;
}
AXIFORM_INLINE PostProcessor const& Tokenizer::post_processor() const noexcept { return *around_; }

AXIFORM_INLINE Encoding Tokenizer::encode(std::string_view text, EncodeOptions const& options) const {
  Scratch scratch(*state_);
  return state_->encode(text, options, *around_, scratch);
}

AXIFORM_INLINE Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second, EncodeOptions const& options) const {
  Scratch scratch(*state_);
  state_->encode_text(first, scratch, scratch.first);
  state_->encode_text(second, scratch, scratch.second);
  return state_->finish(scratch.first, &scratch.second, options, *around_);
}

AXIFORM_INLINE std::vector<Encoding> Tokenizer::encode_windows(std::string_view text, EncodeOptions const& options) const {
  Scratch scratch(*state_);
  scratch.plain_parts = options.plain_parts;
  scratch.before = options.before;
  state_->encode_text(text, scratch, scratch.first);
  return state_->windows(scratch.first, nullptr, options, *around_);
}

AXIFORM_INLINE std::vector<Encoding> Tokenizer::encode_pair_windows(std::string_view first, std::string_view second,
                                                                    EncodeOptions const& options) const {
  Scratch scratch(*state_);
  state_->encode_text(first, scratch, scratch.first);
  state_->encode_text(second, scratch, scratch.second);
  return state_->windows(scratch.first, &scratch.second, options, *around_);
}

AXIFORM_INLINE Encoding Tokenizer::encode_word_views(std::span<std::string_view const> words, EncodeOptions const& options) const {
  return state_->encode_words(words, options, *around_);
}

AXIFORM_INLINE std::vector<Encoding> Tokenizer::encode_pair_views(std::span<std::string_view const> firsts,
                                                                  std::span<std::string_view const> seconds, EncodeOptions const& options,
                                                                  Executor& executor) const {
  if (firsts.size() != seconds.size())
    detail::throw_argument_error({"encode_pair_batch: found ", std::to_string(firsts.size()), " first texts and ",
                                  std::to_string(seconds.size()), " second ones, expected as many"});
  std::vector<Encoding> result(firsts.size());
  std::size_t const shares = std::min(firsts.size(), 8 * executor.concurrency());
  executor.parallel_for(shares, [&](std::size_t share) {
    Scratch scratch(*state_);
    for (std::size_t i = firsts.size() * share / shares; i < firsts.size() * (share + 1) / shares; ++i) {
      state_->encode_text(firsts[i], scratch, scratch.first);
      state_->encode_text(seconds[i], scratch, scratch.second);
      result[i] = state_->finish(scratch.first, &scratch.second, options, *around_);
    }
  });
  return result;
}

AXIFORM_INLINE detail::Padding Tokenizer::padding_of(std::span<Encoding const> encodings, PaddingOptions const& options) const {
  return detail::padding_of(encodings, options, state_->configured_padding, state_->special_tokens.pad);
}

AXIFORM_INLINE EncodeOptions const& Tokenizer::configured_options() const noexcept { return state_->configured_options; }
AXIFORM_INLINE PaddingOptions const& Tokenizer::configured_padding() const noexcept { return state_->configured_padding; }

AXIFORM_INLINE std::vector<Encoding> Tokenizer::encode_views(std::span<std::string_view const> texts, EncodeOptions const& options,
                                                             Executor& executor) const {
  std::vector<Encoding> result(texts.size());
  std::size_t const shares = std::min(texts.size(), 8 * executor.concurrency());
  executor.parallel_for(shares, [&](std::size_t share) {
    Scratch scratch(*state_);
    for (std::size_t i = texts.size() * share / shares; i < texts.size() * (share + 1) / shares; ++i)
      result[i] = state_->encode(texts[i], options, *around_, scratch);
  });
  return result;
}

AXIFORM_INLINE std::string Tokenizer::decode(TokenIds const& ids, DecodeOptions const& options) const {
  return decode_with(detail::TokenDecoder(state_->decoder), ids, options);
}

AXIFORM_INLINE std::string Tokenizer::decode_after(TokenIds const& before, TokenIds const& ids, DecodeOptions const& options) const {
  return decode_with(decoder_after(before, options), ids, options);
}

AXIFORM_INLINE detail::TokenDecoder Tokenizer::decoder_after(TokenIds const& before, DecodeOptions const& options) const {
  detail::TokenDecoder decoder(state_->decoder);
  std::string text;
  for (TokenId const id : before.span()) {
    if (decoder.is_under_way()) break;
    append_decoded(id, options, decoder, text);
    text.clear();
  }
  decoder.finish(text);
  return decoder;
}

AXIFORM_INLINE std::string Tokenizer::decode_with(detail::TokenDecoder decoder, TokenIds const& ids, DecodeOptions const& options) const {
  std::string text;
  for (TokenId const id : ids.span()) append_decoded(id, options, decoder, text);
  decoder.finish(text);
  if (state_->decoder.kind == DecoderOptions::Kind::byte_level && !is_valid_utf8(text)) text = replace_invalid_utf8(text);
  if (state_->cleans_up(options)) detail::clean_up_spaces(text, false);
  return text;
}

AXIFORM_INLINE std::string Tokenizer::decode_tokens(std::span<std::string const> tokens) const {
  detail::TokenDecoder decoder(state_->decoder);
  std::string text;
  for (std::string const& token : tokens) {
    auto const id = token_to_id(token);
    decoder.add(state_->decoder, replace_invalid_utf8(token), id && is_special(*id), text);
  }
  decoder.finish(text);
  return replace_invalid_utf8(text);
}

AXIFORM_INLINE std::vector<std::string> Tokenizer::tokens(Encoding const& encoding) const {
  std::vector<std::string> result;
  result.reserve(encoding.ids.size());
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {  // What the tokenizer has put there is no match of a normal form.
    bool const is_put = i < encoding.special_tokens_mask.size() && encoding.special_tokens_mask[i] != 0;
    result.push_back(is_put ? state_->vocabulary.token(encoding.ids[i]) : id_to_token(encoding.ids[i]));
  }
  for (auto const& [index, text] : encoding.spellings) result.at(index) = text;
  return result;
}

AXIFORM_INLINE std::vector<std::optional<std::uint32_t>> Tokenizer::word_ids(Encoding const& encoding) const {
  std::vector<std::optional<std::uint32_t>> words(encoding.ids.size());
  auto const is_word = [&](std::size_t i) { return i >= encoding.special_tokens_mask.size() || encoding.special_tokens_mask[i] == 0; };
  auto const is_added = [&](std::size_t i) {
    return this->is_added(encoding.ids[i]);  // Which throws where there is none.
  };
  if (encoding.words.size() == words.size()) {
    for (std::size_t i = 0; i < words.size(); ++i)
      if (is_word(i)) words[i] = encoding.words[i];
    return words;
  }
  auto const* const word_piece = state_->model.word_piece.get();
  std::uint32_t next = 0;
  bool continues = false;  // Whether the token before is one that another can continue.
  for (std::size_t i = 0; i < words.size();) {
    if (!is_word(i) || is_added(i)) {
      continues = is_word(i);  // What is marked as a continuation continues a word of the text that is an added token, too.
      if (continues) words[i] = next++;
      ++i;
    } else if (word_piece != nullptr) {
      continues = continues && marks_continuations() &&
                  state_->vocabulary.token(encoding.ids[i]).starts_with(word_piece->options().continuing_subword_prefix);
      words[i++] = continues ? next - 1 : next++;
      continues = true;
    } else {
      std::size_t last = i + 1;
      while (last < words.size() && is_word(last) && !is_added(last)) ++last;
      if (state_->model.byte_bpe == nullptr) {  // An encoding that somebody else has put together: the text is one word.
        for (; i < last; ++i) words[i] = next;
        ++next;
        continue;
      }
      next = state_->number_byte_level_words(std::span(encoding.ids).subspan(i, last - i), next, std::span(words).subspan(i, last - i));
      i = last;
    }
  }
  return words;
}

AXIFORM_INLINE void Tokenizer::append_decoded(TokenId id, DecodeOptions const& options, detail::TokenDecoder& decoder,
                                              std::string& text) const {
  bool const is_special = this->is_special(id);
  if ((is_special && options.skip_special_tokens) || !state_->vocabulary.has(id)) return;
  decoder.add(state_->decoder, id_to_token(id), is_special, text);
}

AXIFORM_INLINE bool Tokenizer::marks_continuations() const noexcept {
  auto const* const word_piece = state_->model.word_piece.get();
  return word_piece != nullptr && !word_piece->options().continuing_subword_prefix.empty();
}

AXIFORM_INLINE std::optional<TokenId> Tokenizer::token_to_id(std::string_view token) const noexcept {
  return state_->vocabulary.find(token);
}
AXIFORM_INLINE std::string const& Tokenizer::id_to_token(TokenId id) const { return state_->id_to_token(id); }
AXIFORM_INLINE std::size_t Tokenizer::vocabulary_size() const noexcept { return state_->vocabulary.size(); }
AXIFORM_INLINE SpecialTokens const& Tokenizer::special_tokens() const noexcept { return state_->special_tokens; }
AXIFORM_INLINE bool Tokenizer::is_special(TokenId id) const {
  return state_->vocabulary.token(id), state_->is_special[static_cast<std::size_t>(id)];
}
AXIFORM_INLINE bool Tokenizer::is_added(TokenId id) const {
  return state_->vocabulary.token(id), state_->is_added[static_cast<std::size_t>(id)];
}
AXIFORM_INLINE std::size_t Tokenizer::added_to_text() const noexcept { return PostProcessor::count_special(around_->single); }
AXIFORM_INLINE std::size_t Tokenizer::added_to_pair() const noexcept { return PostProcessor::count_special(around_->pair); }
AXIFORM_INLINE std::optional<std::size_t> Tokenizer::model_max_length() const noexcept { return state_->model_max_length; }
AXIFORM_INLINE std::vector<std::string> const& Tokenizer::notes() const noexcept { return state_->notes; }

}  // namespace axiform
