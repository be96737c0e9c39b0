/// @file
/// `Tokenizer`: text to token ids and back, with Hugging Face's ids and offsets.
///
///     auto const tokenizer = Tokenizer::from_directory("models/minilm-l6");   // declared here, defined in text/tokenizer_files.hpp
///     Encoding const encoding = tokenizer.encode("A man is eating food.");
///     std::string const text = tokenizer.decode(encoding.ids, {.skip_special_tokens = true});
///
/// Programs that load a tokenizer from files include <axiform/text/tokenizer_files.hpp>; this header needs no JSON and compiles quickly.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/text/added_tokens.hpp>
#include <axiform/text/byte_bpe.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/normalizer.hpp>
#include <axiform/text/post_processor.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/utf8.hpp>
#include <axiform/text/vocabulary.hpp>
#include <axiform/text/word_piece.hpp>

namespace axiform {

class ModelDirectory;  // axiform/io/model_directory.hpp

/// The ids of tokens that have a part to play; those that a vocabulary lacks are empty.
struct SpecialTokens {
  std::optional<TokenId> cls = {};   ///< Begins an encoding.
  std::optional<TokenId> sep = {};   ///< Ends a text.
  std::optional<TokenId> pad = {};   ///< Fills up batches elsewhere; nothing is padded here.
  std::optional<TokenId> mask = {};  ///< Stands for a word to be guessed.
  std::optional<TokenId> unk = {};   ///< What a word that is in no token becomes.
  std::optional<TokenId> bos = {};   ///< Begins a document.
  std::optional<TokenId> eos = {};   ///< Ends one.
};

/// How text becomes tokens when only vocab.txt is there: BERT's tokenizer, under the names of tokenizer_config.json.
struct BertTokenizerOptions {
  bool do_lower_case = true;                         ///< Each character by itself.
  std::optional<bool> strip_accents = std::nullopt;  ///< As `do_lower_case` says when not given.
  bool tokenize_chinese_chars = true;                ///< Makes each ideograph a word.
  std::string unk_token = "[UNK]";                   ///< What a word that is in no token becomes.
  std::string sep_token = "[SEP]";                   ///< Ends a text.
  std::string pad_token = "[PAD]";                   ///< Fills up batches elsewhere; here nothing is padded.
  std::string cls_token = "[CLS]";                   ///< Begins an encoding.
  std::string mask_token = "[MASK]";                 ///< Stands for a word to be guessed.
};

/// How text becomes tokens when only vocab.json and merges.txt are there: GPT-2's tokenizer.
struct Gpt2TokenizerOptions {
  bool add_prefix_space = false;            ///< Puts a space before the text.
  std::string unk_token = "<|endoftext|>";  ///< Never produced: every byte has a token.
  std::string bos_token = "<|endoftext|>";  ///< Begins a document.
  std::string eos_token = "<|endoftext|>";  ///< Ends one.
  std::string pad_token = {};               ///< None when empty.
};

/// What a tokenizer is made of. The loaders of text/tokenizer_files.hpp fill it; a program may do so itself.
struct TokenizerParts {
  Vocabulary vocabulary;                                 ///< The model's tokens, then added tokens that the model does not have.
  std::variant<WordPieceOptions, ByteBpeOptions> model;  ///< How words become tokens.
  detail::ByteBpe::Merges merges;                        ///< Of byte-level BPE, by rank.
  std::vector<NormalizerStep> normalizer;                ///< In place of the model's own, when there are any.
  std::vector<PreTokenizerStep> pre_tokenizer;           ///< The same; of byte-level BPE, with `bytes` among them.
  std::vector<AddedToken> added_tokens;                  ///< Found in the text before the model splits it.
  PostProcessor post_processor;                          ///< What goes round the texts.
  DecoderOptions decoder;                                ///< How tokens become text again.
  SpecialTokens special_tokens;                          ///< Those that have a part to play.
  std::optional<std::size_t> model_max_length;           ///< From tokenizer_config.json; encoding does not heed it.
  std::vector<std::string> notes;                        ///< What of the files was passed over, a sentence each.
};

/// Text to token ids and back. Immutable and cheap to copy; all methods may be called by any number of threads at once.
///
/// Text may hold anything: invalid UTF-8 is replaced as Python's `errors="replace"` does, and empty text gives the special tokens alone.
class Tokenizer {
 public:
  /// From a directory as Hugging Face writes it: tokenizer.json, else vocab.txt (BERT), or vocab.json and merges.txt (GPT-2, RoBERTa) under
  /// these names or GPT-2's first ones (encoder.json, vocab.bpe), with what tokenizer_config.json, special_tokens_map.json and
  /// added_tokens.json say. Which of them it is follows tokenizer.json, then the `tokenizer_class` of tokenizer_config.json, then config.json's
  /// `tokenizer_class`, `model_type` or first architecture, and only then the files' names. Include <axiform/text/tokenizer_files.hpp>.
  /// @throws FileError, FormatError for a file that is not what it should be, CheckpointError for a setting that is not supported, by name.
  static Tokenizer from_directory(ModelDirectory const& directory);
  /// From one tokenizer.json. Its `truncation` and `padding` are left to the caller. Throws as `from_directory`.
  static Tokenizer from_tokenizer_json(std::filesystem::path const& file);
  /// BERT's tokenizer from its vocabulary, one token a line. Throws as `from_directory`.
  static Tokenizer from_vocab_txt(std::filesystem::path const& vocabulary, BertTokenizerOptions const& options = {});
  /// GPT-2's tokenizer from its vocabulary and merges. Throws as `from_directory`.
  static Tokenizer from_vocab_and_merges(std::filesystem::path const& vocabulary, std::filesystem::path const& merges,
                                         Gpt2TokenizerOptions const& options = {});

  /// From parts. `name` says in messages where they come from. @throws FormatError when they do not fit together.
  explicit Tokenizer(TokenizerParts parts, std::string const& name = "tokenizer")
      : state_(std::make_shared<State const>(std::move(parts), name)) {}

  /// The tokens of `text`.
  /// @throws ArgumentError when `max_length` leaves no room for the special tokens, or the text is 4 GiB or more.
  Encoding encode(std::string_view text, EncodeOptions const& options = {}) const {
    Scratch scratch(*state_);
    return encode(text, options, scratch);
  }

  /// The tokens of two texts, with the type ids that tell them apart.
  /// @throws ArgumentError as `encode`, and when the truncation asked for cannot reach `max_length`.
  Encoding encode_pair(std::string_view first, std::string_view second, EncodeOptions const& options = {}) const {
    Scratch scratch(*state_);
    encode_text(first, scratch, scratch.first);
    encode_text(second, scratch, scratch.second);
    return finish(scratch.first, &scratch.second, options);
  }

  /// The tokens of each text: a range of strings or string views. With an executor, its threads share the work.
  template <class Texts>
    requires std::convertible_to<std::ranges::range_reference_t<Texts const&>, std::string_view> std::vector<Encoding> encode_batch(
        Texts const& texts, EncodeOptions const& options = {})
  const {
    SerialExecutor executor;
    return encode_batch(texts, options, executor);
  }
  /// The same on the threads of `executor`.
  template <class Texts>
    requires std::convertible_to<std::ranges::range_reference_t<Texts const&>, std::string_view> std::vector<Encoding> encode_batch(
        Texts const& texts, EncodeOptions const& options, Executor& executor)
  const {
    std::vector<std::string_view> views(std::ranges::begin(texts), std::ranges::end(texts));
    return encode_views(views, options, executor);
  }

  /// The same of a list.
  std::vector<Encoding> encode_batch(std::initializer_list<std::string_view> texts, EncodeOptions const& options = {}) const {
    SerialExecutor executor;
    return encode_views(std::span(texts.begin(), texts.size()), options, executor);
  }

  /// The text that `ids` stand for; a hole in the vocabulary stands for none. Bytes that are not UTF-8 together become U+FFFD.
  /// @throws ArgumentError for an id that the vocabulary lacks.
  std::string decode(TokenIds const& ids, DecodeOptions const& options = {}) const {
    std::string text;
    bool is_first = true;
    for (TokenId const id : ids.span()) is_first &= !append_decoded(id, is_first, options, text);
    if (state_->decoder.kind == DecoderOptions::Kind::byte_level && !is_valid_utf8(text)) text = replace_invalid_utf8(text);
    if (cleans_up(options)) detail::clean_up_spaces(text, false);
    return text;
  }

  /// The text of tokens as the vocabulary writes them (Hugging Face's `convert_tokens_to_string`); they need not be in it.
  std::string decode_tokens(std::span<std::string const> tokens) const {
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i) detail::decode_token(state_->decoder, replace_invalid_utf8(tokens[i]), i == 0, text);
    return replace_invalid_utf8(text);
  }

  /// Each token of an encoding as Hugging Face writes it.
  std::vector<std::string> tokens(Encoding const& encoding) const {
    std::vector<std::string> result;
    result.reserve(encoding.ids.size());
    for (TokenId const id : encoding.ids) result.push_back(id_to_token(id));
    for (auto const& [index, text] : encoding.spellings) result.at(index) = text;
    return result;
  }

  /// The word that each token is a part of, counted from 0 on (over both texts of a pair); none for tokens that the tokenizer added. A word
  /// is what the model splits: what lies between whitespace and punctuation in WordPiece, one match of the expression in byte-level BPE, one
  /// piece of another pre-tokenizer; an added token is a word.
  /// @throws ArgumentError for an id that the vocabulary lacks.
  std::vector<std::optional<std::uint32_t>> word_ids(Encoding const& encoding) const;
  /// Whether tokens that continue a word are marked as such (WordPiece's `##`), so that those without a mark begin one.
  bool marks_continuations() const noexcept {
    auto const* const word_piece = std::get_if<detail::WordPiece>(&state_->model);
    return word_piece != nullptr && !word_piece->options().continuing_subword_prefix.empty();
  }

  /// The id of a token as the vocabulary writes it, if it is there.
  std::optional<TokenId> token_to_id(std::string_view token) const noexcept { return state_->vocabulary.find(token); }
  /// The token of an id, empty where a hole in the vocabulary has none. @throws ArgumentError when `id` is not below `vocabulary_size()`.
  std::string const& id_to_token(TokenId id) const {
    auto const normal = state_->normal_forms.find(id);
    return normal != state_->normal_forms.end() ? normal->second : state_->vocabulary.token(id);
  }
  /// One more than the greatest id, added tokens included: the number of tokens where the vocabulary has no holes.
  std::size_t vocabulary_size() const noexcept { return state_->vocabulary.size(); }
  /// The ids of `[CLS]`, `[SEP]` and the like.
  SpecialTokens const& special_tokens() const noexcept { return state_->special_tokens; }
  /// Whether decoding with `skip_special_tokens` leaves `id` out. @throws ArgumentError when there is no such id.
  bool is_special(TokenId id) const { return state_->vocabulary.token(id), state_->is_special[static_cast<std::size_t>(id)]; }
  /// Special tokens that `encode` (`encode_pair`) adds.
  std::size_t added_to_text() const noexcept { return PostProcessor::count_special(state_->post_processor.single); }
  /// Special tokens that `encode_pair` adds.
  std::size_t added_to_pair() const noexcept { return PostProcessor::count_special(state_->post_processor.pair); }
  /// tokenizer_config.json's `model_max_length`, where it is a number of tokens.
  std::optional<std::size_t> model_max_length() const noexcept { return state_->model_max_length; }
  /// What of the files was passed over when they were read, a sentence each: settings that are not known, ids that could not be kept.
  std::vector<std::string> const& notes() const noexcept { return state_->notes; }

 private:
  friend class StreamingDecoder;
  using Model = std::variant<detail::WordPiece, detail::ByteBpe>;

  struct State {
    State(TokenizerParts parts, std::string const& name);
    void add_tokens(std::vector<AddedToken> const& tokens, std::string const& name);

    /// What an added token is found by in the normalised text.
    std::string normal_form(std::string const& content) const;

    Vocabulary vocabulary;
    Model model;
    detail::Normalizer normalizer;
    detail::PreTokenizer pre_tokenizer;           // Empty where the model splits by itself, on its fast path.
    detail::AddedTokenMatcher raw_tokens;         // Found in the text.
    detail::AddedTokenMatcher normalized_tokens;  // Found in the normalised text.
    std::map<TokenId, std::string> normal_forms;  // Of added tokens whose normal form is another.
    std::vector<bool> is_special;
    std::vector<bool> is_added;
    std::vector<detail::SpaceCounts> spaces;  // By id, where offsets are trimmed.
    PostProcessor post_processor;             ///< What goes round the texts.
    DecoderOptions decoder;                   ///< How tokens become text again.
    SpecialTokens special_tokens;             ///< Those that have a part to play.
    std::optional<std::size_t> model_max_length;
    std::vector<std::string> notes;
  };

  using ModelScratch = std::variant<detail::WordPiece::Scratch, detail::ByteBpe::Scratch>;

  /// A text as it is encoded: valid, and the way back to the bytes that were given.
  struct Text {
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
    detail::EncodedText encoded;
  };

  struct StepBuffers {
    detail::Normalizer::Scratch normalizer;
    detail::AlignedText normalized;
    std::vector<detail::Piece> pieces;
    std::vector<detail::Piece> next_pieces;
  };

  struct Scratch {
    explicit Scratch(State const& state)
        : model(std::visit([](auto const& m) -> ModelScratch { return typename std::remove_cvref_t<decltype(m)>::Scratch(m); },
                           state.model)) {}
    ModelScratch model;
    std::unique_ptr<StepBuffers> steps;  // Made by the first text that needs them.
    Text first;
    Text second;
  };

  Encoding encode(std::string_view text, EncodeOptions const& options, Scratch& scratch) const {
    encode_text(text, scratch, scratch.first);
    return finish(scratch.first, nullptr, options);
  }
  std::vector<Encoding> encode_views(std::span<std::string_view const> texts, EncodeOptions const& options, Executor& executor) const;
  static Model make_model(Vocabulary const& vocabulary, TokenizerParts& parts, std::string const& name);
  static void complete_steps(TokenizerParts& parts);
  static void repair(std::string_view text, Text& result);
  static void add_matched(std::string_view text, std::size_t base, detail::AddedTokenMatcher::Match const& match, detail::TokenSink& sink) {
    if (match.is_widened) sink.spellings.push_back({sink.ids.size(), std::string(text.substr(match.begin, match.end - match.begin))});
    sink.add(match.id, base + match.begin, base + match.end);
  }
  static void restore_places(Text const& text, std::vector<Offset>& places);
  void encode_text(std::string_view text, Scratch& scratch, Text& result) const;
  void encode_by_steps(std::string_view text, std::size_t base, Scratch& scratch, detail::TokenSink& sink) const;
  void finish_text(Text& text) const;
  Encoding finish(Text& first, Text* second, EncodeOptions const& options) const;
  std::uint32_t number_byte_level_words(std::span<TokenId const> run, std::uint32_t first,
                                        std::span<std::optional<std::uint32_t>> words) const;
  bool append_decoded(TokenId id, bool is_first, DecodeOptions const& options, std::string& text) const;
  bool cleans_up(DecodeOptions const& options) const noexcept {
    return options.clean_up_tokenization_spaces == CleanUp::as_configured ? state_->decoder.clean_up_tokenization_spaces
                                                                          : options.clean_up_tokenization_spaces == CleanUp::yes;
  }

  std::shared_ptr<State const> state_;
};

}  // namespace axiform

#include <axiform/text/tokenizer_impl.hpp>
