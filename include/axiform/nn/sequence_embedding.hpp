/// @file
/// `SequenceEmbedding`: what tokens are before the first block of an encoder or a decoder, whose token table they may share.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <span>

#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/tensor.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/kernels/elementwise.hpp>
#include <axiform/nn/embedding.hpp>
#include <axiform/nn/layer_norm.hpp>
#include <axiform/nn/sinusoids.hpp>
#include <axiform/nn/token_embedding.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

/// What is added to the rows of tokens for where they stand.
enum class PositionRows {
  none,                   ///< Nothing: attention sees where tokens stand (T5).
  learned,                ///< A row of a learned table (BART).
  interleaved_sinusoids,  ///< Sines in the even columns, cosines in the odd ones (Vaswani et al. 2017, section 3.5).
  halved_sinusoids        ///< All sines, then all cosines (Marian).
};

/// Whether embeddings are normalised before the first block.
enum class EmbeddingNorm { absent, present };

/// How tokens become what enters a stack.
struct SequenceEmbeddingSettings {
  PositionRows rows = PositionRows::learned;   ///< What is added for positions.
  std::size_t positions = 0;                   ///< The longest sequence; not heeded where there are no rows of positions.
  std::size_t first_row = 0;                   ///< The row of position 0 in a learned table (BART: 2).
  float scale = 1;                             ///< Rows of tokens are multiplied by it (the root of the width in Vaswani et al. 2017).
  EmbeddingNorm norm = EmbeddingNorm::absent;  ///< Of the sum.
  float layer_norm_epsilon = 1e-5f;            ///< Of that norm.
};

/// Rows of a token table times a factor, plus rows of positions, normalised where the model does. The token table is the caller's.
template <Axis Hidden>
struct SequenceEmbedding {
  std::optional<Embedding<axes::Positions, Hidden>> positions;  ///< Learned rows.
  std::optional<Sinusoids<Hidden>> sinusoids;                   ///< Or those of a formula.
  std::optional<LayerNorm<Hidden>> norm;                        ///< Of the sum.
  std::size_t first_row;                                        ///< The learned row of position 0.
  float scale;                                                  ///< Of the tokens' rows.

  /// Zeros where rows are learned, to be loaded or initialised.
  static constexpr SequenceEmbedding create(Length<Hidden> width, SequenceEmbeddingSettings const& settings) {
    SequenceEmbedding embedding{{}, {}, {}, settings.first_row, settings.scale};
    switch (settings.rows) {
      case PositionRows::none:
        break;
      case PositionRows::learned:
        embedding.positions.emplace(settings.positions + settings.first_row, width);
        break;
      case PositionRows::interleaved_sinusoids:
        embedding.sinusoids.emplace(settings.positions, width, SinusoidLayout::interleaved);
        break;
      case PositionRows::halved_sinusoids:
        embedding.sinusoids.emplace(settings.positions, width, SinusoidLayout::halves);
        break;
    }
    if (settings.norm == EmbeddingNorm::present) embedding.norm.emplace(width, settings.layer_norm_epsilon);
    return embedding;
  }

  /// The longest sequence, in tokens; of any length where there are no rows of positions.
  constexpr std::size_t longest() const noexcept {
    if (sinusoids) return sinusoids->rows();
    return positions ? positions->rows() - first_row : std::numeric_limits<std::size_t>::max();
  }

  /// @param past Tokens of each sequence that came before; empty for whole sequences.
  /// @return     [Rows, Hidden].
  /// @throws ArgumentError when an id or a position has no row.
  template <Axis Rows>
  Tensor<float, Rows, Hidden> operator()(std::span<TokenId const> ids, SequenceOffsets<Rows> const& sequences,
                                         std::span<std::size_t const> past, TokenEmbedding<axes::VocabularyEntries, Hidden> const& tokens,
                                         Context& context) const {
    auto sum = make_tensor<float>(context, Shape<Rows, Hidden>::of({ids.size(), tokens.columns()}));
    tokens.write_rows(ids, sum.view(), "token id");
    if (scale != 1)
      for (std::size_t row = 0; row < sum.rows(); ++row) kernels::scale_row(sum.row(row).data(), sum.columns(), scale);
    if (positions) positions->add_positions(sequences, sum.view(), past, first_row);
    if (sinusoids) sinusoids->add_positions(sequences, sum.view(), past);
    if (!norm) return sum;
    return (*norm)(sum, context);
  }

  /// Names every member to `visitor`; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("positions", self.positions);
    visitor("sinusoids", self.sinusoids);
    visitor("embedding_norm", self.norm);
    visitor("first_row", self.first_row);
    visitor("scale", self.scale);
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
