/// @file
/// What SentencePiece writes when it has trained a tokenizer: sentencepiece.bpe.model, spiece.model, tokenizer.model. A protocol buffer
/// (https://github.com/google/sentencepiece, src/sentencepiece_model.proto), of which what tokenizing needs is read.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/io/protobuf.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform::detail {

/// The file's content, under its own names and with its defaults.
struct SentencePieceModel {
  enum class Type : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  enum class Kind : std::int32_t { unigram = 1, bpe = 2, word = 3, character = 4 };
  struct Piece {
    std::string text;
    double score = 0;
    Type type = Type::normal;
  };

  std::vector<Piece> pieces;  // By id.

  Kind model_type = Kind::unigram;
  bool byte_fallback = false;
  std::int32_t unk_id = 0;
  std::int32_t bos_id = 1;
  std::int32_t eos_id = 2;
  std::string unk_piece = "<unk>";
  std::string bos_piece = "<s>";
  std::string eos_piece = "</s>";

  bool treat_whitespace_as_suffix = false;

  std::string precompiled_charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

/// @throws FormatError when `bytes` are no such model, with what is wrong; `name` says in messages where they come from.
inline SentencePieceModel read_sentencepiece_model(std::string_view bytes, std::string const& name) {
  SentencePieceModel model;
  auto const text = [](ProtobufReader const& reader, ProtobufField const& field, char const* what) {
    std::string_view const found = reader.bytes(field);
    if (!is_valid_utf8(found)) throw FormatError(reader.where() + ": " + what + ": found " + in_quotes(found) + ", expected UTF-8");
    return std::string(found);
  };
  ProtobufReader file(bytes, name);
  while (auto const field = file.next()) {
    if (field->number == 1) {
      SentencePieceModel::Piece& piece = model.pieces.emplace_back();
      ProtobufReader reader(file.bytes(*field), name + ": piece " + std::to_string(model.pieces.size() - 1));
      while (auto const part = reader.next()) {
        if (part->number == 1) piece.text = text(reader, *part, "its text");
        if (part->number == 2) piece.score = reader.number(*part);
        if (part->number == 3) piece.type = static_cast<SentencePieceModel::Type>(reader.integer(*part));
      }
      if (!std::isfinite(piece.score)) throw FormatError(reader.where() + ": its score is not a finite number");
    } else if (field->number == 2) {
      ProtobufReader reader(file.bytes(*field), name + ": trainer_spec");
      while (auto const part = reader.next()) {
        if (part->number == 3) model.model_type = static_cast<SentencePieceModel::Kind>(reader.integer(*part));
        if (part->number == 24) model.treat_whitespace_as_suffix = reader.boolean(*part);
        if (part->number == 35) model.byte_fallback = reader.boolean(*part);
        if (part->number == 40) model.unk_id = reader.integer(*part);
        if (part->number == 41) model.bos_id = reader.integer(*part);
        if (part->number == 42) model.eos_id = reader.integer(*part);
        if (part->number == 45) model.unk_piece = text(reader, *part, "unk_piece");
        if (part->number == 46) model.bos_piece = text(reader, *part, "bos_piece");
        if (part->number == 47) model.eos_piece = text(reader, *part, "eos_piece");
      }
    } else if (field->number == 3) {
      ProtobufReader reader(file.bytes(*field), name + ": normalizer_spec");
      while (auto const part = reader.next()) {
        if (part->number == 2) model.precompiled_charsmap = reader.bytes(*part);
        if (part->number == 3) model.add_dummy_prefix = reader.boolean(*part);
        if (part->number == 4) model.remove_extra_whitespaces = reader.boolean(*part);
        if (part->number == 5) model.escape_whitespaces = reader.boolean(*part);
      }
    }
  }
  if (model.pieces.empty()) throw FormatError(name + ": found a SentencePiece model without pieces, expected at least one");
  return model;
}

}  // namespace axiform::detail
