/// @file
/// `OneOf`: one of several models that do the same, whichever a directory holds.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <axiform/core/cache_format.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/sequences.hpp>
#include <axiform/core/token_ids.hpp>
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/config.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/family.hpp>
#include <axiform/models/known.hpp>
#include <axiform/models/model_loader.hpp>
#include <axiform/nn/token_batch.hpp>
#include <axiform/nn/visit.hpp>

namespace axiform::inline AXIFORM_ARCH {

namespace internal {

// The type of cache of models that have one, and the same.
template <class First, class... Others>
struct SharedCache {};
template <class First, class... Others>
  requires(requires { typename First::Cache; } && (std::same_as<typename First::Cache, typename Others::Cache> && ...))
struct SharedCache<First, Others...> {
  using Cache = typename First::Cache;
};
// Whether a model is an encoder-decoder.
template <class Model>
inline constexpr bool takes_sources = requires { typename Model::Source; };
// Likewise what encoder-decoders keep of a source.
template <class First, class... Others>
struct SharedSource {};
template <class First, class... Others>
  requires(takes_sources<First> && (std::same_as<typename First::Source, typename Others::Source> && ...))
struct SharedSource<First, Others...> {
  using Source = typename First::Source;
};

}  // namespace internal

/// One of several models of different families that take and give the same. It has those of their functions that tasks call.
///
///     using Classifier = OneOf<BertForSequenceClassification<>, Gpt2ForSequenceClassification<>>;
///     auto const model = load<Classifier>(directory, context);   // config.json says which
template <class... Models>
class OneOf : public internal::SharedCache<Models...>, public internal::SharedSource<Models...> {
 public:
  /// Whether all of them take `TokenBatch::attended`.
  static constexpr bool heeds_attended = (axiform::heeds_attended<Models> && ...);

  /// Takes over a model.
  template <class Model>
    requires(std::same_as<Model, Models> || ...)
  OneOf(Model model) : model_(std::move(model)) {}

  /// What the model gives.
  auto operator()(TokenBatch const& batch, Context& context) const {
    return visit_model([&](auto const& model) { return model(batch, context); });
  }
  /// The hidden states below its head.
  auto hidden_states(TokenBatch const& batch, Context& context) const {
    return visit_model([&](auto const& model) { return model.hidden_states(batch, context); });
  }
  /// What its head makes of chosen rows of the hidden states.
  template <class X>
  auto logits(X const& hidden_states, Context& context) const {
    return visit_model([&](auto const& model) { return model.logits(hidden_states, context); });
  }

  /// The hidden states of one sequence.
  auto operator()(TokenIds const& ids, Context& context) const {
    return visit_model([&](auto const& model) { return model(ids, context); });
  }
  /// The logits behind the last of the new tokens of each sequence, and a cache that grows by them; see generate/causal_model.hpp.
  template <class Cache>
  auto last_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const {
    return visit_model([&](auto const& model) { return model.last_logits(ids, sequences, cache, context); });
  }
  /// The same behind every new token.
  template <class Cache>
  auto all_logits(std::span<TokenId const> ids, SequenceOffsets<axes::Tokens> const& sequences, Cache& cache, Context& context) const {
    return visit_model([&](auto const& model) { return model.all_logits(ids, sequences, cache, context); });
  }
  /// What its caches are kept in from now on, where the model has any.
  void keep_caches_in(CacheFormat format) noexcept {
    std::visit(
        [&](auto& model) {
          if constexpr (requires { model.keep_caches_in(format); }) model.keep_caches_in(format);
        },
        model_);
  }
  /// An empty cache for `sequences` sequences of up to `capacity` tokens each.
  auto make_cache(std::size_t sequences, std::size_t capacity) const
    requires(!internal::takes_sources<Models> && ...)
  {
    return visit_model([&](auto const& model) { return model.make_cache(sequences, capacity); });
  }

  /// Encoded sources, of an encoder-decoder; see generate/sequence_to_sequence.hpp.
  auto project_source(std::span<TokenId const> ids, SequenceOffsets<axes::SourceTokens> const& sequences, Context& context) const
    requires(internal::takes_sources<Models> && ...)
  {
    return visit_model([&](auto const& model) { return model.project_source(ids, sequences, context); });
  }
  /// An empty cache beside encoded sources.
  template <class Source>
    requires(internal::takes_sources<Models> && ...)
  auto make_cache(Source const& source, std::span<std::size_t const> source_of, std::size_t capacity) const {
    return visit_model([&](auto const& model) { return model.make_cache(source, source_of, capacity); });
  }

  /// Tokens of the longest sequence.
  std::size_t positions() const noexcept {
    return visit_model([](auto const& model) -> std::size_t { return model.positions(); });
  }
  /// Tokens of the longest source.
  std::size_t source_positions() const noexcept requires(internal::takes_sources<Models>&&...) {
    return visit_model([](auto const& model) -> std::size_t { return model.source_positions(); });
  }
  /// Tokens that its encoder knows.
  std::size_t source_vocabulary() const noexcept
    requires(internal::takes_sources<Models> && ...)
  {
    return visit_model([](auto const& model) -> std::size_t { return model.source_vocabulary(); });
  }
  /// Rows of its table of segments; 0 where it has none.
  std::size_t token_types() const noexcept {
    return visit_model([](auto const& model) -> std::size_t { return model.token_types(); });
  }
  /// Width of the hidden states.
  std::size_t hidden_size() const noexcept {
    return visit_model([](auto const& model) -> std::size_t { return model.hidden_size(); });
  }
  /// Tokens that it knows.
  std::size_t vocabulary() const noexcept {
    return visit_model([](auto const& model) -> std::size_t { return model.vocabulary(); });
  }
  /// Labels that it gives.
  std::size_t labels() const noexcept {
    return visit_model([](auto const& model) -> std::size_t { return model.labels(); });
  }

  /// `use(model)` with the model that it is.
  template <class Use>
  decltype(auto) visit_model(Use&& use) const {
    return std::visit(std::forward<Use>(use), model_);
  }
  std::variant<Models...> const& variant() const noexcept { return model_; }  ///< The model that it is.

  /// Names every member of the model that it is; see nn/visit.hpp.
  static constexpr void visit(auto& self, auto&& visitor) {
    std::visit([&](auto& model) { visit_members(model, visitor); }, self.model_);
  }

 private:
  std::variant<Models...> model_;
};

/// Loads whichever of the models the directory's family has.
/// @throws CheckpointError when it is of another family; else as the model's own loader.
template <class... Models>
struct ModelLoader<OneOf<Models...>> {
  /// The model of the config's sizes, and the names of its parameters.
  static Unloaded<OneOf<Models...>> create(ModelDirectory const& directory, Checkpoint const& checkpoint) {
    std::string const file = (directory / "config.json").string();
    Json const& config = directory.json("config.json");
    Family const* const family = model_family(config, file).family;
    std::optional<Unloaded<OneOf<Models...>>> result;
    std::vector<Family const*> expected;
    KnownFamilies::for_each([&]<class F>() {
      bool serves = false;
      (try_model<F, Models>(family, directory, checkpoint, serves, result), ...);
      if (serves) expected.push_back(&F::family);
    });
    if (!result) ConfigReader{config, file}.refuse("model_type", detail::family_names({&family, 1}), detail::family_names(expected));
    return std::move(*result);
  }

 private:
  template <class F, class Model>
  static void try_model(Family const* family, ModelDirectory const& directory, Checkpoint const& checkpoint, bool& serves,
                        std::optional<Unloaded<OneOf<Models...>>>& result) {
    if constexpr (has_head<F>(Model::kind)) {
      if constexpr (std::is_same_v<typename F::template Model<Model::kind, typename Model::DimensionsType>, Model>) {
        serves = true;
        if (family != &F::family) return;
        auto [model, names] = ModelLoader<Model>::create(directory, checkpoint);
        result.emplace(Unloaded<OneOf<Models...>>{std::move(model), std::move(names)});
      }
    }
  }
};

}  // namespace axiform::inline AXIFORM_ARCH
