/// @file
/// `Tokenizer`: text to token ids and back, with Hugging Face's ids and offsets. The whole of it, loading included, is in this header.
///
///     auto const tokenizer = Tokenizer::from_directory("models/minilm-l6");
///     Encoding const encoding = tokenizer.encode("A man is eating food.");
///     std::string const text = tokenizer.decode(encoding.ids, {.skip_special_tokens = true});
///
/// docs/tokenizers.md is its guide.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/padding.hpp>
#include <axiform/text/special_tokens.hpp>

namespace axiform {

class ModelDirectory;  // axiform/io/model_directory.hpp

namespace detail {

class TokenDecoder;  // axiform/text/decoder.hpp

/// What `begin` and `end` give texts of: a vector of strings, an array of string views, a list of literals.
template <class Range>
concept RangeOfTexts = std::convertible_to<decltype(*std::begin(std::declval<Range const&>())), std::string_view>;

}  // namespace detail

/// How text becomes tokens when only vocab.txt is there: BERT's tokenizer, under the names of tokenizer_config.json.
struct BertTokenizerOptions {
  bool do_lower_case = true;                         ///< Each character by itself.
  std::optional<bool> strip_accents = std::nullopt;  ///< As `do_lower_case` says when not given.
  bool tokenize_chinese_chars = true;                ///< Makes each ideograph a word.
  std::string unk_token = "[UNK]";                   ///< What a word that is in no token becomes.
  std::string sep_token = "[SEP]";                   ///< Ends a text.
  std::string pad_token = "[PAD]";                   ///< Fills up batches (`Tokenizer::pad`).
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

struct PostProcessor;   // axiform/text/post_processor.hpp
struct TokenizerParts;  // axiform/text/tokenizer_parts.hpp

/// Text to token ids and back. Immutable and cheap to copy; all methods may be called by any number of threads at once.
///
/// Text may hold anything: invalid UTF-8 is replaced as Python's `errors="replace"` does, and empty text gives the special tokens alone.
class Tokenizer {
 public:
  /// From a directory as Hugging Face writes it, or the root of a model in its cache: tokenizer.json, else vocab.txt (BERT), or vocab.json and
  /// merges.txt (GPT-2, RoBERTa) under these names or GPT-2's first ones (encoder.json, vocab.bpe), or a SentencePiece model
  /// (sentencepiece.bpe.model, spiece.model, tokenizer.model: XLM-R, ALBERT, T5, Pegasus, Llama, mBART, NLLB, or by its own rules), or one with a
  /// vocab.json (source.spm: Marian; M2M100), with what tokenizer_config.json, special_tokens_map.json and added_tokens.json say. Of tokenizers with two sides
  /// it is the source's (text/sequence_to_sequence_tokenizers.hpp). Which of them it is follows tokenizer.json, then the `tokenizer_class` of
  /// tokenizer_config.json, then config.json's `tokenizer_class`, `model_type` or first architecture, and only then the files' names. Or from the
  /// metadata of a GGUF file: byte-level BPE, WordPiece, and what SentencePiece trained.
  /// From headers alone, GGUF files and SentencePiece models want <axiform/text/tokenizer_files.hpp> and a `ModelDirectory`; others are spared their code.
  /// @throws FileError, FormatError for a file that is not what it should be, CheckpointError for a setting that is not supported, by name.
  template <std::convertible_to<std::filesystem::path> Path>
  static Tokenizer from_directory(Path const& path) {
    return from_path(path);
  }
  /// The same of a directory that others read, too: what it has parsed is not parsed again. Include <axiform/text/tokenizer_files.hpp>.
  static Tokenizer from_directory(ModelDirectory const& directory);
  /// From one tokenizer.json. Its `truncation` and `padding` are left to the caller (`configured_options`, `configured_padding`). Throws as
  /// `from_directory`.
  static Tokenizer from_tokenizer_json(std::filesystem::path const& file);
  /// BERT's tokenizer from its vocabulary, one token a line. Throws as `from_directory`.
  static Tokenizer from_vocab_txt(std::filesystem::path const& vocabulary, BertTokenizerOptions const& options = {});
  /// GPT-2's tokenizer from its vocabulary and merges. Throws as `from_directory`.
  static Tokenizer from_vocab_and_merges(std::filesystem::path const& vocabulary, std::filesystem::path const& merges,
                                         Gpt2TokenizerOptions const& options = {});

  /// From a model that SentencePiece has trained, Unigram or BPE, by the rules that it carries, without anything round a text. Throws as
  /// `from_directory`. Include <axiform/text/tokenizer_files.hpp>.
  static Tokenizer from_sentencepiece_model(std::filesystem::path const& file);

  /// From parts. `name` says in messages where they come from. @throws FormatError when they do not fit together.
  explicit Tokenizer(TokenizerParts parts, std::string const& name = "tokenizer");

  /// The same tokenizer with other tokens round its texts, such as the code of another language; the copy shares all else, and costs nothing. How
  /// offsets are trimmed stays as it is. @throws FormatError when an id is outside of the vocabulary, or a template lacks a text.
  Tokenizer with_post_processor(PostProcessor post_processor) const;
  /// What goes round the texts.
  PostProcessor const& post_processor() const noexcept;

  /// The tokens of `text`.
  /// @throws ArgumentError when `max_length` leaves no room for the special tokens, or the text is 4 GiB or more.
  Encoding encode(std::string_view text, EncodeOptions const& options = {}) const;

  /// The tokens of two texts, with the type ids that tell them apart.
  /// @throws ArgumentError as `encode`, and when the truncation asked for cannot reach `max_length`.
  Encoding encode_pair(std::string_view first, std::string_view second, EncodeOptions const& options = {}) const;

  /// The whole text in windows of `max_length` tokens, special ones included, each of which begins with the last `stride` tokens of the one
  /// before: the first is what `encode` gives, the others are Hugging Face's `overflowing`, in its order (from the end where
  /// `truncation_side` is left). Offsets are those in the whole text.
  /// @throws ArgumentError as `encode`, and when `stride` is not below the number of the text's tokens in a window.
  std::vector<Encoding> encode_windows(std::string_view text, EncodeOptions const& options) const;

  /// The same of two texts, of which one, as `truncation` says, goes on from window to window; the other stands in each.
  /// @throws ArgumentError as `encode_pair` and `encode_windows`, and when both would be cut.
  std::vector<Encoding> encode_pair_windows(std::string_view first, std::string_view second, EncodeOptions const& options) const;

  /// The tokens of a text that has been split into words before: a range of strings or string views. Each word is encoded by itself; offsets are
  /// those in the word, and `word_ids` gives the word's index. (Hugging Face's `is_pretokenized` and `is_split_into_words`.) Throws as `encode`.
  template <detail::RangeOfTexts Words>
  Encoding encode_words(Words const& words, EncodeOptions const& options = {}) const {
    return encode_word_views(std::vector<std::string_view>(std::begin(words), std::end(words)), options);
  }
  /// The same of a list.
  Encoding encode_words(std::initializer_list<std::string_view> words, EncodeOptions const& options = {}) const {
    return encode_word_views(std::span(words.begin(), words.size()), options);
  }

  /// The tokens of each text: a range of strings or string views. With an executor, its threads share the work.
  template <detail::RangeOfTexts Texts>
  std::vector<Encoding> encode_batch(Texts const& texts, EncodeOptions const& options = {}) const {
    SerialExecutor executor;
    return encode_batch(texts, options, executor);
  }
  /// The same on the threads of `executor`.
  template <detail::RangeOfTexts Texts>
  std::vector<Encoding> encode_batch(Texts const& texts, EncodeOptions const& options, Executor& executor) const {
    return encode_views(std::vector<std::string_view>(std::begin(texts), std::end(texts)), options, executor);
  }
  /// The same of a list.
  std::vector<Encoding> encode_batch(std::initializer_list<std::string_view> texts, EncodeOptions const& options = {}) const {
    SerialExecutor executor;
    return encode_views(std::span(texts.begin(), texts.size()), options, executor);
  }

  /// The tokens of pairs: of each text of `firsts` with the one of `seconds` in its place.
  /// @throws ArgumentError as `encode_pair`, and when they are not as many.
  template <detail::RangeOfTexts Firsts, detail::RangeOfTexts Seconds>
  std::vector<Encoding> encode_pair_batch(Firsts const& firsts, Seconds const& seconds, EncodeOptions const& options = {}) const {
    SerialExecutor executor;
    return encode_pair_batch(firsts, seconds, options, executor);
  }
  /// The same on the threads of `executor`.
  template <detail::RangeOfTexts Firsts, detail::RangeOfTexts Seconds>
  std::vector<Encoding> encode_pair_batch(Firsts const& firsts, Seconds const& seconds, EncodeOptions const& options,
                                          Executor& executor) const {
    return encode_pair_views(std::vector<std::string_view>(std::begin(firsts), std::end(firsts)),
                             std::vector<std::string_view>(std::begin(seconds), std::end(seconds)), options, executor);
  }

  /// Encodings as rows of one length, filled up with the padding token: `auto const batch = tokenizer.pad(encodings, {.multiple_of = 8});`
  /// The token `i` of an encoding is in column `i` of its row, or, with padding on the left, in column `length - size() + i`.
  /// @throws ArgumentError when an encoding is longer than the length asked for, or the tokenizer has no padding token and `options` name none.
  template <class Integer = std::int64_t>
  PaddedBatch<Integer> pad(std::span<Encoding const> encodings, PaddingOptions const& options = {}) const {
    return detail::pad_to<Integer>(padding_of(encodings, options), encodings);
  }

  /// The text that `ids` stand for; a hole in the vocabulary stands for none. Bytes that are not UTF-8 together become U+FFFD.
  /// @throws ArgumentError for an id that the vocabulary lacks.
  std::string decode(TokenIds const& ids, DecodeOptions const& options = {}) const;

  /// The text that `ids` add to that of the tokens before them. By themselves the tokens of Llama 2 lose the space that they begin with.
  /// @throws ArgumentError for an id that the vocabulary lacks.
  std::string decode_after(TokenIds const& before, TokenIds const& ids, DecodeOptions const& options = {}) const;

  /// The text of tokens as the vocabulary writes them (Hugging Face's `convert_tokens_to_string`); they need not be in it.
  std::string decode_tokens(std::span<std::string const> tokens) const;

  /// Each token of an encoding as Hugging Face writes it.
  std::vector<std::string> tokens(Encoding const& encoding) const;

  /// The word that each token is a part of, counted from 0 on (over both texts of a pair); none for tokens that the tokenizer added. A word
  /// is what the model splits: what lies between whitespace and punctuation in WordPiece, one match of the expression in byte-level BPE, one
  /// piece of another pre-tokenizer (all text between added tokens in Llama 2, which has none); an added token is a word.
  /// @throws ArgumentError for an id that the vocabulary lacks.
  std::vector<std::optional<std::uint32_t>> word_ids(Encoding const& encoding) const;
  /// Whether tokens that continue a word are marked as such (WordPiece's `##`), so that those without a mark begin one.
  bool marks_continuations() const noexcept;

  /// The id of a token as the vocabulary writes it, if it is there.
  std::optional<TokenId> token_to_id(std::string_view token) const noexcept;
  /// The token of an id, empty where a hole in the vocabulary has none. @throws ArgumentError when `id` is not below `vocabulary_size()`.
  std::string const& id_to_token(TokenId id) const;
  /// One more than the greatest id, added tokens included: the number of tokens where the vocabulary has no holes.
  std::size_t vocabulary_size() const noexcept;
  /// The ids of `[CLS]`, `[SEP]` and the like.
  SpecialTokens const& special_tokens() const noexcept;
  /// Whether decoding with `skip_special_tokens` leaves `id` out. @throws ArgumentError when there is no such id.
  bool is_special(TokenId id) const;
  /// Whether `id` is a token that is found in the text itself, before the model splits it. @throws ArgumentError when there is no such id.
  bool is_added(TokenId id) const;
  /// Special tokens that `encode` (`encode_pair`) adds.
  std::size_t added_to_text() const noexcept;
  /// Special tokens that `encode_pair` adds.
  std::size_t added_to_pair() const noexcept;
  /// tokenizer_config.json's `model_max_length`, where it is a number of tokens.
  std::optional<std::size_t> model_max_length() const noexcept;
  /// What the files say of truncation, to be handed to `encode` and its kin by who wants it: `max_length`, strategy, side and stride of
  /// tokenizer.json's `truncation`, and the side that tokenizer_config.json names (`truncation_side`). The defaults where they say nothing.
  EncodeOptions const& configured_options() const noexcept;
  /// What they say of padding, to be handed to `pad`: tokenizer.json's `padding`, and the side that tokenizer_config.json names (`padding_side`).
  PaddingOptions const& configured_padding() const noexcept;
  /// What of the files was passed over when they were read, a sentence each: settings that are not known, ids that could not be kept.
  std::vector<std::string> const& notes() const noexcept;

 private:
  friend class StreamingDecoder;
  struct State;    // What it is made of, and how it works: text/tokenizer_impl.hpp.
  struct Scratch;  // What encoding needs of memory, from text to text.

  static Tokenizer from_path(std::filesystem::path const& path);
  std::vector<Encoding> encode_views(std::span<std::string_view const> texts, EncodeOptions const& options, Executor& executor) const;
  std::vector<Encoding> encode_pair_views(std::span<std::string_view const> firsts, std::span<std::string_view const> seconds,
                                          EncodeOptions const& options, Executor& executor) const;
  Encoding encode_word_views(std::span<std::string_view const> words, EncodeOptions const& options) const;
  detail::Padding padding_of(std::span<Encoding const> encodings, PaddingOptions const& options) const;
  void append_decoded(TokenId id, DecodeOptions const& options, detail::TokenDecoder& decoder, std::string& text) const;
  detail::TokenDecoder decoder_after(TokenIds const& before, DecodeOptions const& options) const;
  std::string decode_with(detail::TokenDecoder decoder, TokenIds const& ids, DecodeOptions const& options) const;

  std::shared_ptr<PostProcessor const> around_;  // Apart, so that tokenizers of several languages share the rest.
  std::shared_ptr<State const> state_;
};

}  // namespace axiform

#if AXIFORM_DEFINES(text)
#include <axiform/text/tokenizer_impl.hpp>

#include <axiform/text/tokenizer_loading.hpp>
#endif
