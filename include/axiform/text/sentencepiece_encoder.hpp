/// @file
/// Texts cut by a SentencePiece model as SentencePiece itself does it, for tokenizers whose vocabulary is another file: Marian's and M2M100's. The crate
/// `tokenizers`, which is what other families are compared with, maps characters and adds scores in its own way.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/text/charsmap.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/sentencepiece_model.hpp>
#include <axiform/text/string_table.hpp>
#include <axiform/text/unigram_trie.hpp>
#include <axiform/text/utf8.hpp>
#include <axiform/text/vocabulary.hpp>
#include <axiform/text/whole_text_model.hpp>

namespace axiform::detail {

/// What a text may begin with.
enum class LanguageCodesInText : bool { no, yes };

/// Normalises, cuts into pieces (Unigram or BPE), and gives each piece the id that the vocabulary has for it, else that of the unknown token. Sources:
/// normalizer.cc, unigram_model.cc (`EncodeOptimized`), bpe_model.cc and sentencepiece_processor.cc of https://github.com/google/sentencepiece 0.2.
class SentencePieceEncoder final : public WholeTextModel {
 public:
  /// `codes` says whether a code between `>>` and `<<` at the begin of a text is a token of its own, as Marian's models have it.
  /// @throws FormatError for a model that SentencePiece would not load; CheckpointError for one that is neither Unigram nor BPE.
  SentencePieceEncoder(SentencePieceModel const& model, Vocabulary const& vocabulary, TokenId unknown, LanguageCodesInText codes,
                       std::string const& name)
      : unknown_(unknown), codes_(codes == LanguageCodesInText::yes) {
    using Type = SentencePieceModel::Type;
    is_bpe_ = model.model_type == SentencePieceModel::Kind::bpe;
    if (!is_bpe_ && model.model_type != SentencePieceModel::Kind::unigram)
      throw CheckpointError(name + ": found a SentencePiece model of the kind " + std::to_string(static_cast<int>(model.model_type)) +
                            ", expected one of Unigram or BPE");
    byte_fallback_ = model.byte_fallback;
    add_dummy_prefix_ = model.add_dummy_prefix;
    whitespace_is_suffix_ = model.treat_whitespace_as_suffix;
    remove_extra_whitespaces_ = model.remove_extra_whitespaces;
    space_ = model.escape_whitespaces ? std::string(space_mark) : " ";
    if (!model.precompiled_charsmap.empty()) charsmap_.emplace(model.precompiled_charsmap, name);

    float least = std::numeric_limits<float>::max(), greatest = std::numeric_limits<float>::min();  // As there: the least positive.
    for (auto const& piece : model.pieces)
      if (piece.type == Type::normal) {
        least = std::min(least, static_cast<float>(piece.score));
        greatest = std::max(greatest, static_cast<float>(piece.score));
      }
    unknown_score_ = least - 10.0f;

    StringTable seen(model.pieces.size());
    std::vector<UnigramTrie::Entry> entries, user_defined;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      auto const& piece = model.pieces[i];
      auto const refuse = [&](std::string const& what) { throw FormatError(name + ": piece " + std::to_string(i) + what); };
      if (piece.text.empty()) refuse(" is empty");
      if (seen.find(piece.text) != StringTable::absent) refuse(": found " + in_quotes(piece.text) + " twice");
      seen.insert(piece.text, static_cast<TokenId>(i));
      ids_.push_back(vocabulary.find(piece.text).value_or(unknown_));
      is_unused_.push_back(piece.type == Type::unused);
      auto const index = static_cast<TokenId>(i);
      if (piece.type == Type::unknown) {
        if (unknown_piece_ != StringTable::absent) refuse(" is a second unknown one, expected one");
        unknown_piece_ = index;
      } else if (piece.type == Type::user_defined) {
        // The sum is of two kinds of numbers in SentencePiece, too.
        double const always_chosen = static_cast<double>(static_cast<float>(piece.text.size()) * greatest) - 0.1;
        entries.push_back({piece.text, index, is_bpe_ ? piece.score : always_chosen});
        user_defined.push_back({piece.text, index, 0});
      } else if (piece.type == Type::normal || (piece.type == Type::unused && is_bpe_)) {
        entries.push_back({piece.text, index, piece.score});
      }
    }
    if (unknown_piece_ == StringTable::absent) throw FormatError(name + ": no piece is the unknown one, expected one");
    if (entries.empty()) throw FormatError(name + ": no piece can stand for text");
    has_user_defined_ = !user_defined.empty();
    user_defined_ = UnigramTrie(std::move(user_defined));
    pieces_ = UnigramTrie(std::move(entries));
  }

  void encode(std::string_view text, std::size_t base, Vocabulary const& vocabulary, TokenSink& sink) const override {
    if (codes_ && text.starts_with(">>"))
      if (auto const end = text.find("<<"); end != text.npos) {
        add(text.substr(0, end + 2), std::nullopt, base, base + end + 2, vocabulary, sink);
        sink.end_word();
        text.remove_prefix(end + 2);
        base += end + 2;
      }
    Normalized const normalized = normalize(text);
    if (normalized.text.empty()) return;
    add_pieces(normalized, is_bpe_ ? merge(normalized.text) : find_best(normalized.text), base, vocabulary, sink);
  }

 private:
  /// A text that pieces are looked up in, and where each of its bytes, and its end, were before.
  struct Normalized {
    std::string text;
    std::vector<std::uint32_t> places;
  };
  /// The piece that the bytes up to `end` are, from where the last one ends.
  struct Found {
    std::uint32_t end;
    TokenId piece;
  };

  /// What a text begins with, normalised.
  Charsmap::Rule normalize_prefix(std::string_view text) const noexcept {
    if (has_user_defined_)
      if (std::size_t const length = longest_user_defined(text)) return {length, text.substr(0, length)};
    if (charsmap_)
      if (auto const rule = charsmap_->find_longest(text); rule.length != 0) return rule;
    if (!begins_character(text.front())) return {1, "\xEF\xBF\xBD"};  // The map has a rule for a part of a character.
    std::size_t const length = decode_valid_utf8(text.data()).length;
    return {length, text.substr(0, length)};
  }

  std::size_t longest_user_defined(std::string_view text) const noexcept {
    std::size_t longest = 0;
    UnigramTrie::Node node = UnigramTrie::root;
    for (std::size_t i = 0; i < text.size(); ++i) {
      node = user_defined_.child(node, text[i]);
      if (node == UnigramTrie::none) break;
      if (user_defined_.id(node) != StringTable::absent) longest = i + 1;
    }
    return longest;
  }

  Normalized normalize(std::string_view text) const {
    Normalized result;
    // Places are 32 bits wide.
    std::size_t const limit = std::min<std::size_t>((std::size_t{1} << 16) + 64 * text.size(), std::numeric_limits<std::uint32_t>::max());
    std::size_t consumed = 0;
    auto const append = [&](std::string_view added) {
      result.text.append(added);
      result.places.insert(result.places.end(), added.size(), static_cast<std::uint32_t>(consumed));
    };
    if (remove_extra_whitespaces_)
      while (consumed < text.size()) {
        auto const [length, prefix] = normalize_prefix(text.substr(consumed));
        if (prefix != " ") break;
        consumed += length;
      }
    if (consumed == text.size()) return result;
    if (!whitespace_is_suffix_ && add_dummy_prefix_) append(space_);
    bool was_space = remove_extra_whitespaces_;
    while (consumed < text.size()) {
      auto [length, prefix] = normalize_prefix(text.substr(consumed));
      if (was_space) prefix.remove_prefix(std::min(prefix.find_first_not_of(' '), prefix.size()));
      if (!prefix.empty()) {
        if (result.text.size() + prefix.size() > limit)
          throw_argument_error({"the tokenizer's character map makes more than ", std::to_string(limit), " bytes of the text"});
        was_space = remove_extra_whitespaces_ && prefix.ends_with(' ');
        for (std::size_t i = 0; i < prefix.size(); ++i) append(prefix[i] == ' ' ? std::string_view(space_) : prefix.substr(i, 1));
      }
      consumed += length;
    }
    if (remove_extra_whitespaces_)
      while (result.text.ends_with(space_)) {
        consumed = result.places[result.text.size() - space_.size()];
        result.text.resize(result.text.size() - space_.size());
        result.places.resize(result.text.size());
      }
    if (whitespace_is_suffix_ && add_dummy_prefix_) append(space_);
    result.places.push_back(static_cast<std::uint32_t>(consumed));
    return result;
  }

  /// Unigram: the pieces whose scores have the greatest sum. Sums are kept as floats and compared as doubles, so that ties fall as they do there.
  std::vector<Found> find_best(std::string_view text) const {
    struct Step {
      float score = 0;
      std::uint32_t begin = std::numeric_limits<std::uint32_t>::max();
      TokenId piece = 0;
    };
    std::vector<Step> best(text.size() + 1);
    auto const reach = [&](std::size_t place, double score, std::size_t begin, TokenId piece) {
      Step& step = best[place];
      if (step.begin == std::numeric_limits<std::uint32_t>::max() || score > static_cast<double>(step.score))
        step = {static_cast<float>(score), static_cast<std::uint32_t>(begin), piece};
    };
    for (std::size_t begin = 0; begin < text.size();) {
      float const so_far = best[begin].score;
      std::size_t const character = decode_valid_utf8(text.data() + begin).length;
      bool is_known = false;
      UnigramTrie::Node node = UnigramTrie::root;
      for (std::size_t place = begin; place < text.size();) {
        node = pieces_.child(node, text[place++]);
        if (node == UnigramTrie::none) break;
        double const score = pieces_.score(node);
        if (score != score) continue;  // No piece ends here.
        reach(place, score + static_cast<double>(so_far), begin, pieces_.id(node));
        is_known |= place == begin + character;
      }
      if (!is_known) reach(begin + character, static_cast<double>(unknown_score_ + so_far), begin, unknown_piece_);
      begin += character;
    }
    std::vector<Found> found;
    for (std::size_t end = text.size(); end > 0; end = best[end].begin) found.push_back({static_cast<std::uint32_t>(end), best[end].piece});
    std::reverse(found.begin(), found.end());
    return found;
  }

  /// BPE: neighbours whose text together is a piece are joined, those of the best score first, the leftmost of equals. A piece that is not used falls into
  /// what it was joined of.
  std::vector<Found> merge(std::string_view text) const {
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    struct Symbol {
      std::uint32_t begin, size;  // No bytes: it was joined to the one before.
      std::uint32_t previous, next;
      bool is_frozen;
    };
    struct Pair {
      double score;
      std::uint32_t left, right, size;
      bool operator<(Pair const& other) const noexcept { return score < other.score || (score == other.score && left > other.left); }
    };
    std::vector<Symbol> symbols;
    for (std::uint32_t begin = 0; begin < text.size();) {
      std::size_t const frozen = has_user_defined_ ? longest_user_defined(text.substr(begin)) : 0;
      auto const size = static_cast<std::uint32_t>(frozen != 0 ? frozen : decode_valid_utf8(text.data() + begin).length);
      auto const index = static_cast<std::uint32_t>(symbols.size());
      symbols.push_back({begin, size, index == 0 ? none : index - 1, begin + size == text.size() ? none : index + 1, frozen != 0});
      begin += size;
    }
    std::priority_queue<Pair> pairs;
    auto const text_of = [&](Symbol const& symbol) { return text.substr(symbol.begin, symbol.size); };
    StringTable halves;  // Of pieces that are not used: how many bytes the left one has.
    auto const look_up = [&](std::uint32_t left, std::uint32_t right) {
      if (left == none || right == none || symbols[left].is_frozen || symbols[right].is_frozen) return;
      std::string_view const both = text.substr(symbols[left].begin, symbols[left].size + symbols[right].size);
      UnigramTrie::Node const node = pieces_.walk(both);
      if (node == UnigramTrie::none || pieces_.id(node) == StringTable::absent) return;
      pairs.push({pieces_.score(node), left, right, static_cast<std::uint32_t>(both.size())});
      if (is_unused_[static_cast<std::size_t>(pieces_.id(node))]) halves.put(both, static_cast<TokenId>(symbols[left].size));
    };
    for (std::uint32_t i = 1; i < symbols.size(); ++i) look_up(i - 1, i);
    while (!pairs.empty()) {
      Pair const best = pairs.top();
      pairs.pop();
      Symbol& left = symbols[best.left];
      Symbol& right = symbols[best.right];
      if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
      left.size += right.size;
      left.next = right.next;
      if (right.next != none) symbols[right.next].previous = best.left;
      right.size = 0;
      look_up(left.previous, best.left);
      look_up(best.left, left.next);
    }
    std::vector<Found> found;
    std::vector<std::string_view> open;  // What is still to be looked at, the first last.
    for (std::uint32_t i = 0; i != none; i = symbols[i].next) {
      open.push_back(text_of(symbols[i]));
      while (!open.empty()) {
        std::string_view const piece = open.back();
        open.pop_back();
        TokenId const id = pieces_.find(piece);
        TokenId const half =
            id != StringTable::absent && is_unused_[static_cast<std::size_t>(id)] ? halves.find(piece) : StringTable::absent;
        if (half != StringTable::absent) {
          open.push_back(piece.substr(static_cast<std::size_t>(half)));
          open.push_back(piece.substr(0, static_cast<std::size_t>(half)));
        } else {
          found.push_back(
              {static_cast<std::uint32_t>(piece.data() + piece.size() - text.data()), id == StringTable::absent ? unknown_piece_ : id});
        }
      }
    }
    return found;
  }

  void add_pieces(Normalized const& normalized, std::vector<Found> const& found, std::size_t base, Vocabulary const& vocabulary,
                  TokenSink& sink) const {
    std::size_t begin = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      bool const is_unknown = found[i].piece == unknown_piece_;
      if (is_unknown && !byte_fallback_)  // A run of them is one token, which the vocabulary may have all the same.
        while (i + 1 < found.size() && found[i + 1].piece == unknown_piece_) ++i;
      std::size_t const end = found[i].end;
      std::string_view const piece = std::string_view(normalized.text).substr(begin, end - begin);
      std::size_t const first = base + normalized.places[begin], last = base + normalized.places[end];
      if (begin != 0 && piece.starts_with(space_)) sink.end_word();
      if (is_unknown && byte_fallback_)
        for (char const byte : piece) add(byte_token(static_cast<unsigned char>(byte)), std::nullopt, first, last, vocabulary, sink);
      else
        add(piece, is_unknown ? std::nullopt : std::optional(ids_[static_cast<std::size_t>(found[i].piece)]), first, last, vocabulary,
            sink);
      begin = end;
    }
    sink.end_word();
  }

  /// Adds the token that is written `piece`; of the unknown one, what it stands for is noted.
  void add(std::string_view piece, std::optional<TokenId> id, std::size_t begin, std::size_t end, Vocabulary const& vocabulary,
           TokenSink& sink) const {
    TokenId const token = id ? *id : vocabulary.find(piece).value_or(unknown_);
    if (token == unknown_) sink.spellings.push_back({sink.ids.size(), std::string(piece)});
    sink.add(token, begin, end);
  }

  TokenId unknown_;
  bool codes_;
  bool is_bpe_ = false;
  bool byte_fallback_ = false;
  bool add_dummy_prefix_ = true;
  bool whitespace_is_suffix_ = false;
  bool remove_extra_whitespaces_ = true;
  std::string space_;
  std::optional<Charsmap> charsmap_;
  float unknown_score_ = 0;
  TokenId unknown_piece_ = StringTable::absent;  // By its place in the model, as all pieces are.
  std::vector<TokenId> ids_;                     // Of each piece, the vocabulary's.
  std::vector<bool> is_unused_;
  UnigramTrie pieces_;
  bool has_user_defined_ = false;
  UnigramTrie user_defined_;
};

}  // namespace axiform::detail
