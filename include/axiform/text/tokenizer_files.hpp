/// @file
/// Tokenizers from files: vocab.txt.
#pragma once
#include <axiform/io/file.hpp>
#include <axiform/text/tokenizer.hpp>
#include <axiform/text/streaming_decoder.hpp>
namespace axiform {
inline Tokenizer Tokenizer::from_vocab_txt(std::filesystem::path const& path, BertTokenizerOptions const& options) {
  std::string const name = path.string();
  std::string const text = read_file(path);
  std::vector<std::string> tokens;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t const end = std::min(text.find('\n', begin), text.size());
    std::string_view line(text.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    tokens.emplace_back(line);
    begin = end + 1;
  }
  TokenizerParts parts;
  parts.vocabulary = Vocabulary(std::move(tokens), name);
  auto const id = [&](std::string const& t) {
    if (auto f = parts.vocabulary.find(t)) return *f;
    throw FormatError(name + ": the token " + detail::in_quotes(t) + " is missing");
  };
  auto& special = parts.special_tokens;
  special = {.cls = id(options.cls_token), .sep = id(options.sep_token), .pad = id(options.pad_token), .mask = id(options.mask_token), .unk = id(options.unk_token), .bos={}, .eos={}};
  for (auto const& t : {options.pad_token, options.unk_token, options.cls_token, options.sep_token, options.mask_token})
    parts.added_tokens.push_back({.content = t, .id = id(t), .special = true});
  parts.model = WordPieceOptions{.normalizer = {.clean_text = true, .handle_chinese_chars = options.tokenize_chinese_chars, .strip_accents = options.strip_accents, .lowercase = options.do_lower_case}, .unk_token = options.unk_token};
  parts.post_processor = PostProcessor::bert(*special.cls, *special.sep);
  parts.decoder = {.kind = DecoderOptions::Kind::word_piece};
  return Tokenizer(std::move(parts), name);
}
inline Tokenizer Tokenizer::from_directory(std::filesystem::path const& directory) { return from_vocab_txt(directory / "vocab.txt"); }
}
