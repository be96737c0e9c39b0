// Every header, and what programs make of them, for the compilers' warnings to look at. It is compiled and not run.
#include <axiform/axiform.hpp>  // first: it is an entry of headers/ no more

#include <every_header.hpp>
#include <iostream>

// What BERT, GPT-2 and the decoder of 2017 do not have.
struct GroupedRecipe : axiform::BlockRecipe {
  template <axiform::Axis Columns>
  using Norm = axiform::RmsNorm<Columns>;
  template <axiform::DimensionsLike D>
  using FeedForward = axiform::GatedMlp<D>;
  template <axiform::DimensionsLike D>
  using Position = axiform::Rotary<D>;
  static constexpr auto placement = axiform::NormPlacement::before;
  static constexpr auto mask = axiform::AttentionMask::causal;
  static constexpr auto biases = axiform::no_attention_biases;
  static constexpr auto query_key_norm = axiform::QueryKeyNorm::by_head;
};

template struct axiform::Bert<>;
template struct axiform::Gpt2<>;
template struct axiform::Bert<axiform::BertBase>;
template struct axiform::Gpt2<axiform::Gpt2Small>;
template struct axiform::Stack<axiform::DynamicDimensions, axiform::DecoderRecipe<axiform::NormPlacement::after>>;
template struct axiform::Stack<axiform::DynamicGroupedDimensions, GroupedRecipe>;
template struct axiform::Bert<axiform::DynamicDimensions, axiform::MpnetRecipe>;
template struct axiform::Bert<axiform::DynamicDimensions, axiform::NomicBertRecipe>;
template struct axiform::ModernBert<>;
template struct axiform::ModernBert<axiform::ModernBertBase>;
template class axiform::FillMask<>;
template class axiform::NextSentence<>;
template class axiform::QuestionAnswering<>;
template class axiform::Reranker<>;
template class axiform::SentenceEmbedding<>;
template class axiform::TextClassification<>;
template class axiform::TextGeneration<>;
template class axiform::TokenClassification<>;

void load_and_count(char const* directory, axiform::Context& context) {
  auto const model = axiform::load_any(directory, context);
  std::cout << std::visit([](auto const& m) { return axiform::count_parameters(m); }, model);
  std::visit([](auto const& m) { axiform::print_module_tree(std::cout, axiform::fold_equal_modules(axiform::hugging_face_modules(m))); }, model);
}

auto by_hand(axiform::Tensor<float, axiform::axes::Queries, axiform::Const<64>> const& query, axiform::Tensor<float, axiform::axes::Keys, axiform::Const<64>> const& key,
             axiform::Tensor<double, axiform::axes::Keys, axiform::Const<64>> const& value, axiform::Context& context) {
  auto const shares = axiform::softmax<axiform::axes::Keys>(axiform::contract<axiform::Const<64>>(query, key, context));
  auto const doubles = axiform::elementwise([](float share) { return static_cast<double>(share); }, shares);
  return axiform::log_softmax<axiform::Const<64>>(axiform::contract<axiform::axes::Keys>(doubles, value));
}

auto search(axiform::Tensor<float, axiform::axes::Sequences, axiform::Const<384>> const& embeddings) { return axiform::cos_sim(embeddings, embeddings); }

auto algebra(axiform::Tensor<float, axiform::axes::Queries, axiform::axes::Keys> const& scores, axiform::Tensor<double, axiform::axes::Keys>& totals,
             axiform::Tensor<int, axiform::axes::Keys> const& counts, axiform::Context& context) {
  auto const shifted = axiform::exp(scores / 8 - axiform::max<axiform::axes::Keys>(scores));
  totals += axiform::elementwise(context, [](int count) { return static_cast<double>(count); }, counts * 2 + counts);
  return axiform::sum(axiform::where(shifted > 0, shifted, 0)) + axiform::mean<axiform::axes::Queries>(shifted, context)(0) +
         static_cast<float>(axiform::min(counts));
}
