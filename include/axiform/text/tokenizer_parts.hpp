/// @file
/// `TokenizerParts`: what a tokenizer is made of, for programs that put one together themselves.
///
///     TokenizerParts parts;
///     parts.vocabulary = Vocabulary({"[UNK]", "[CLS]", "[SEP]", "a", "##b"}, "mine");
///     parts.model = WordPieceOptions{};
///     Tokenizer const tokenizer(std::move(parts));
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <axiform/text/added_tokens.hpp>
#include <axiform/text/bpe_merges.hpp>
#include <axiform/text/byte_bpe.hpp>
#include <axiform/text/character_bpe.hpp>
#include <axiform/text/decoder.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/normalizer.hpp>
#include <axiform/text/padding.hpp>
#include <axiform/text/post_processor.hpp>
#include <axiform/text/pre_tokenizer.hpp>
#include <axiform/text/special_tokens.hpp>
#include <axiform/text/unigram.hpp>
#include <axiform/text/vocabulary.hpp>
#include <axiform/text/whole_text_model.hpp>
#include <axiform/text/word_piece.hpp>

namespace axiform {

/// What a tokenizer is made of. The loaders of text/tokenizer_files.hpp fill it; a program may do so itself.
struct TokenizerParts {
  Vocabulary vocabulary;  ///< The model's tokens, then added tokens that the model does not have.
  /// How words become tokens; or a model that takes texts as they are, and needs neither normalizer nor pre-tokenizer.
  std::variant<WordPieceOptions, ByteBpeOptions, CharacterBpeOptions, UnigramOptions, std::shared_ptr<detail::WholeTextModel const>> model;
  detail::BpeMerges merges;                     ///< Of BPE, by rank.
  std::vector<NormalizerStep> normalizer;       ///< In place of the model's own, when there are any.
  std::vector<PreTokenizerStep> pre_tokenizer;  ///< The same; of byte-level BPE, with `bytes` among them.
  std::vector<AddedToken> added_tokens;         ///< Found in the text before the model splits it.
  PostProcessor post_processor;                 ///< What goes round the texts.
  DecoderOptions decoder;                       ///< How tokens become text again.
  SpecialTokens special_tokens;                 ///< Those that have a part to play.
  std::optional<std::size_t> model_max_length;  ///< From tokenizer_config.json; encoding does not heed it.
  EncodeOptions options;                        ///< What the files say of truncation; encoding does not heed it.
  PaddingOptions padding;                       ///< What they say of padding.
  std::vector<std::string> notes;               ///< What of the files was passed over, a sentence each.
};

}  // namespace axiform
