/// @file
/// `load`: a model from a Hugging Face directory. Include the model beside it:
///
///     #include <axiform/models/gpt2.hpp>
///     #include <axiform/models/load.hpp>
///
///     auto const gpt2 = load<Gpt2<>>(directory, context);
#pragma once

#include <axiform/models/known.hpp>
#include <axiform/models/model_loader.hpp>

#if defined(AXIFORM_COMPILED)
namespace axiform::inline AXIFORM_ARCH {

AXIFORM_INSTANCE(models) Loaded<Bert<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BertForMaskedLm<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BertForNextSentence<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BertForPreTraining<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BertForQuestionAnswering<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BertForSequenceClassification<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BertForTokenClassification<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Gpt2<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Gpt2ForSequenceClassification<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Llama<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Qwen2<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Qwen3<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<ModernBert<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<ModernBertForMaskedLm<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<ModernBertForQuestionAnswering<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<ModernBertForSequenceClassification<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<ModernBertForTokenClassification<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<T5<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<T5Encoder<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Mpnet<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForMaskedLm<DynamicDimensions, MpnetRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForQuestionAnswering<DynamicDimensions, MpnetRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForSequenceClassification<DynamicDimensions, MpnetRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForTokenClassification<DynamicDimensions, MpnetRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<NomicBert<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForMaskedLm<DynamicDimensions, NomicBertRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForSequenceClassification<DynamicDimensions, NomicBertRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&,
                                                                                           Context&);
AXIFORM_INSTANCE(models)
Loaded<BertForTokenClassification<DynamicDimensions, NomicBertRecipe>> load_with_report(ModelDirectory const&, LoadOptions const&,
                                                                                        Context&);
AXIFORM_INSTANCE(models) Loaded<Bart<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<MBart<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<BartForSequenceClassification<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<Transformer<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);
AXIFORM_INSTANCE(models) Loaded<PreNormTransformer<>> load_with_report(ModelDirectory const&, LoadOptions const&, Context&);

}  // namespace axiform::inline AXIFORM_ARCH
#endif
