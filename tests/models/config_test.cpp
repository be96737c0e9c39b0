#include <axiform/models/bert.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/known.hpp>
#include <axiform/models/modernbert.hpp>

#include <doctest/doctest.h>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

BertConfig bert(std::string const& text) { return read_bert_config(parse_json(text, "config.json"), "config.json"); }
ModernBertConfig modernbert(std::string const& text) { return read_modernbert_config(parse_json(text, "config.json"), "config.json"); }
BertConfig nomic_bert(std::string const& text) {
  return read_family_config<NomicBert<>, BertConfig>(parse_json(text, "config.json"), "config.json").config;
}
Gpt2Config gpt2(std::string const& text) { return read_gpt2_config(parse_json(text, "config.json"), "config.json"); }

}  // namespace

TEST_CASE("config: absent keys have transformers' defaults") {
  auto const b = bert(R"({"model_type":"bert"})");
  CHECK(b.sizes.vocabulary == 30522);
  CHECK(b.dimensions.hidden == 768);
  CHECK(b.sizes.layers == 12);
  CHECK(b.dimensions.heads == 12);
  CHECK(b.dimensions.head_size == 64);
  CHECK(b.dimensions.inner == 3072);
  CHECK(b.sizes.positions == 512);
  CHECK(b.sizes.token_types == 2);
  CHECK(b.layer_norm_epsilon == 1e-12);
  CHECK(b.activation == Activation::gelu);
  CHECK(b.padding_id == 0);
  auto const g = gpt2(R"({"model_type":"gpt2"})");
  CHECK(g.sizes.vocabulary == 50257);
  CHECK(g.dimensions.hidden == 768);
  CHECK(g.sizes.layers == 12);
  CHECK(g.dimensions.heads == 12);
  CHECK(g.dimensions.head_size == 64);
  CHECK(g.dimensions.inner == 3072);
  CHECK(g.sizes.positions == 1024);
  CHECK(g.layer_norm_epsilon == 1e-5);
  CHECK(g.activation == Activation::gelu_tanh);
  CHECK(g.end_of_text_ids == std::vector<std::size_t>{50256});
}

TEST_CASE("config: what is said is read") {
  auto const b = bert(R"({"model_type":"bert","architectures":["BertForMaskedLM"],"vocab_size":100,"hidden_size":48,"num_hidden_layers":3,
      "num_attention_heads":4,"intermediate_size":96,"hidden_act":"gelu_pytorch_tanh","max_position_embeddings":40,"type_vocab_size":1,
      "layer_norm_eps":1e-7,"pad_token_id":null,"position_embedding_type":"absolute","is_decoder":false,"embedding_size":48,
      "pruned_heads":{},"transformers_version":"5.24","an_unknown_key":[1]})");
  CHECK(b.architectures == std::vector<std::string>{"BertForMaskedLM"});
  CHECK(b.sizes.vocabulary == 100);
  CHECK(b.dimensions.hidden == 48);
  CHECK(b.sizes.layers == 3);
  CHECK(b.dimensions.heads == 4);
  CHECK(b.dimensions.head_size == 12);
  CHECK(b.dimensions.inner == 96);
  CHECK(b.sizes.positions == 40);
  CHECK(b.sizes.token_types == 1);
  CHECK(b.layer_norm_epsilon == 1e-7);
  CHECK(b.activation == Activation::gelu_tanh);
  CHECK_FALSE(b.padding_id.has_value());
  auto const g = gpt2(R"({"model_type":"gpt2","vocab_size":100,"n_embd":48,"n_layer":3,"n_head":4,"n_inner":null,"n_ctx":30,
      "activation_function":"relu","layer_norm_epsilon":1e-6,"eos_token_id":[3,4],"reorder_and_upcast_attn":true,
      "scale_attn_weights":true,"scale_attn_by_inverse_layer_idx":false,"tie_word_embeddings":true})");
  CHECK(g.dimensions.hidden == 48);
  CHECK(g.dimensions.inner == 192);
  CHECK(g.sizes.positions == 30);
  CHECK(g.dimensions.head_size == 12);
  CHECK(g.activation == Activation::relu);
  CHECK(g.end_of_text_ids == std::vector<std::size_t>{3, 4});
  CHECK(gpt2(R"({"model_type":"gpt2","n_inner":7})").dimensions.inner == 7);
  CHECK(gpt2(R"({"model_type":"gpt2","n_positions":7,"n_ctx":9})").sizes.positions == 7);
  CHECK(gpt2(R"({"model_type":"gpt2","eos_token_id":null})").end_of_text_ids.empty());
  CHECK(gpt2(R"({"model_type":"gpt2","hidden_size":24,"num_attention_heads":2})").dimensions.head_size == 12);
}

TEST_CASE("config: the family is named by model_type, or by the architecture where it is absent") {
  auto const family = [](char const* text) { return model_family(parse_json(text, "f"), "f").named->model_type; };
  CHECK(family(R"({"model_type":"bert"})") == "bert");
  CHECK(family(R"({"model_type":"gpt2"})") == "gpt2");
  CHECK(family(R"({"architectures":["GPT2LMHeadModel"]})") == "gpt2");
  CHECK(family(R"({"architectures":["BertModel"]})") == "bert");
  CHECK(family(R"({"architectures":["XLMRobertaForMaskedLM"]})") == "xlm-roberta");
  CHECK(family(R"({"model_type":"xlm-roberta"})") == "xlm-roberta");
  CHECK(family(R"({"model_type":"roberta","architectures":["BertModel"]})") == "roberta");
  CHECK(family(R"({"model_type":"camembert"})") == "camembert");
  CHECK(family(R"({"model_type":"distilbert"})") == "distilbert");
}

TEST_CASE("config: RoBERTa and DistilBERT have their own names and defaults") {
  auto const roberta = bert(R"({"model_type":"roberta","max_position_embeddings":514,"type_vocab_size":1,"layer_norm_eps":1e-5})");
  CHECK(roberta.sizes.vocabulary == 50265);
  CHECK(roberta.padding_id == 1);
  CHECK(roberta.sizes.token_types == 1);
  CHECK(roberta.head_weights == HeadWeights::tied);
  auto const distilbert = bert(R"({"model_type":"distilbert","dim":48,"n_layers":3,"n_heads":4,"hidden_dim":60,"activation":"relu",
      "sinusoidal_pos_embds":true,"tie_word_embeddings":false})");
  CHECK(distilbert.dimensions.hidden == 48);
  CHECK(distilbert.sizes.layers == 3);
  CHECK(distilbert.dimensions.head_size == 12);
  CHECK(distilbert.dimensions.inner == 60);
  CHECK(distilbert.sizes.token_types == 0);
  CHECK(distilbert.activation == Activation::relu);
  CHECK(distilbert.head_weights == HeadWeights::own);
  CHECK(bert(R"({"model_type":"distilbert"})").sizes.layers == 6);
  CHECK(bert(R"({"model_type":"camembert"})").sizes.vocabulary == 30522);
  CHECK(contains(message_of<CheckpointError>([] { bert(R"({"model_type":"roberta","pad_token_id":null})"); }), "pad_token_id: found none"));
  CHECK(contains(message_of<FormatError>([] { bert(R"({"model_type":"roberta","pad_token_id":18446744073709551615})"); }), "pad_token_id: found"));
  CHECK(contains(message_of<FormatError>([] { bert(R"({"model_type":"roberta","pad_token_id":9,"max_position_embeddings":10})"); }),
                 "max_position_embeddings: found 10, expected more than pad_token_id + 1, 10"));
}

TEST_CASE("config: the configs of published multilingual encoders give their sizes and usable positions") {
  struct Published {
    char const* config;
    std::size_t hidden, layers, vocabulary, usable_positions, parameters;
  };
  Published const published[] = {
      // xlm-roberta-base, multilingual-e5-base; multilingual-e5-large; bge-m3
      {R"({"architectures": ["XLMRobertaModel"], "attention_probs_dropout_prob": 0.1, "bos_token_id": 0, "classifier_dropout": null,
           "eos_token_id": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768, "initializer_range": 0.02,
           "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 514, "model_type": "xlm-roberta",
           "num_attention_heads": 12, "num_hidden_layers": 12, "output_past": true, "pad_token_id": 1, "position_embedding_type": "absolute",
           "torch_dtype": "float32", "transformers_version": "4.26.0.dev0", "type_vocab_size": 1, "use_cache": true, "vocab_size": 250002})",
       768, 12, 250002, 512, 278'043'648},
      {R"({"architectures": ["XLMRobertaModel"], "hidden_size": 1024, "intermediate_size": 4096, "layer_norm_eps": 1e-05,
           "max_position_embeddings": 514, "model_type": "xlm-roberta", "num_attention_heads": 16, "num_hidden_layers": 24,
           "output_past": true, "pad_token_id": 1, "type_vocab_size": 1, "vocab_size": 250002})",
       1024, 24, 250002, 512, 559'890'432},
      {R"({"architectures": ["XLMRobertaModel"], "hidden_size": 1024, "intermediate_size": 4096, "layer_norm_eps": 1e-05,
           "max_position_embeddings": 8194, "model_type": "xlm-roberta", "num_attention_heads": 16, "num_hidden_layers": 24,
           "pad_token_id": 1, "type_vocab_size": 1, "vocab_size": 250002})",
       1024, 24, 250002, 8192, 567'754'752},
      // multilingual-e5-small and paraphrase-multilingual-MiniLM-L12-v2 are BERTs with XLM-R's vocabulary
      {R"({"architectures": ["BertModel"], "hidden_size": 384, "intermediate_size": 1536, "max_position_embeddings": 512,
           "model_type": "bert", "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 0, "tokenizer_class": "XLMRobertaTokenizer",
           "type_vocab_size": 2, "vocab_size": 250037})",
       384, 12, 250037, 512, 117'653'760}};
  for (Published const& each : published) {
    CAPTURE(each.parameters);
    auto const config = bert(each.config);
    CHECK(config.dimensions.hidden == each.hidden);
    CHECK(config.sizes.layers == each.layers);
    CHECK(config.sizes.vocabulary == each.vocabulary);
    std::size_t const before = config.position_start == PositionStart::behind_padding ? *config.padding_id + 1 : 0;
    CHECK(config.sizes.positions - before == each.usable_positions);
    CHECK(Bert<>::parameter_count(config.dimensions, config.sizes) == each.parameters);
  }
}

TEST_CASE(
    "config: ModernBERT's as transformers 4 wrote it, of ModernBERT-base, -large and gte-modernbert-base, and as transformers 5 writes "
    "it") {
  auto const published = [](char const* architecture, std::size_t hidden, std::size_t inner, std::size_t heads, std::size_t layers,
                            char const* more) {
    return modernbert(R"({"architectures":[")" + std::string(architecture) +
                      R"("],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":50281,"classifier_activation":"gelu",
      "classifier_bias":false,"classifier_dropout":0.0,"classifier_pooling":"mean","cls_token_id":50281,"decoder_bias":true,
      "deterministic_flash_attn":false,"embedding_dropout":0.0,"eos_token_id":50282,"global_attn_every_n_layers":3,
      "global_rope_theta":160000.0,"gradient_checkpointing":false,"hidden_activation":"gelu","hidden_size":)" +
                      std::to_string(hidden) + R"(,"initializer_cutoff_factor":2.0,"initializer_range":0.02,"intermediate_size":)" +
                      std::to_string(inner) + R"(,"layer_norm_eps":1e-05,"local_attention":128,"local_rope_theta":10000.0,
      "max_position_embeddings":8192,"mlp_bias":false,"mlp_dropout":0.0,"model_type":"modernbert","norm_bias":false,"norm_eps":1e-05,
      "num_attention_heads":)" +
                      std::to_string(heads) + R"(,"num_hidden_layers":)" + std::to_string(layers) + R"(,"pad_token_id":50283,
      "position_embedding_type":"absolute",)" +
                      more + R"("sep_token_id":50282,"tie_word_embeddings":true,"torch_dtype":"float32",
      "transformers_version":"4.47.0.dev0","vocab_size":50368})");
  };
  auto const base = published("ModernBertForMaskedLM", 768, 1152, 12, 22, "");
  CHECK(base.dimensions.head_size == 64);
  CHECK(base.sizes == ModernBertBase::sizes);
  CHECK(base.classifier_pooling == ClassifierPooling::mean);
  CHECK(base.global_position.rotary_base == 160000);
  CHECK(base.local_position.rotary_base == 10000);
  CHECK(base.windows == modernbert_windows(22));
  CHECK(base.norm_epsilon == 1e-5);
  CHECK(base.printed.padding_id == 50283);
  auto const large = published("ModernBertForMaskedLM", 1024, 2624, 16, 28, "");
  CHECK(large.sizes == ModernBertLarge::sizes);
  CHECK(large.dimensions.inner == 2624);
  auto const gte =
      published("ModernBertModel", 768, 1152, 12, 22,
                R"("reference_compile":false,"repad_logits_with_grad":false,"sparse_pred_ignore_index":-100,"sparse_prediction":false,)");
  CHECK(gte.sizes == ModernBertBase::sizes);

  auto const absent = modernbert(R"({"model_type":"modernbert"})");
  CHECK(absent.sizes == base.sizes);
  CHECK(absent.windows == base.windows);
  CHECK(absent.classifier_pooling == ClassifierPooling::first_token);
  CHECK(absent.head_weights == HeadWeights::tied);
  auto const later = modernbert(R"({"model_type":"modernbert","num_hidden_layers":3,"local_attention":7,
      "layer_types":["sliding_attention","full_attention","full_attention"],
      "rope_parameters":{"full_attention":{"rope_theta":5e5,"rope_type":"default"},"sliding_attention":{"rope_theta":2e4,"rope_type":"linear","factor":2}}})");
  CHECK(later.windows == std::vector<std::size_t>{4, 0, 0});
  CHECK(later.global_position.rotary_base == 5e5);
  CHECK(later.local_position.rotary_base == 2e4);
  CHECK(later.local_position.rotary_scaling == RotaryScaling{.kind = RotaryScaling::Kind::linear, .factor = 2});
  CHECK(modernbert(R"({"model_type":"modernbert","num_hidden_layers":3,"global_attn_every_n_layers":1})").windows ==
        std::vector<std::size_t>{0, 0, 0});
  for (char const* bias : {"attention_bias", "mlp_bias", "norm_bias", "classifier_bias"})
    CHECK(contains(message_of<CheckpointError>([&] { modernbert(R"({"model_type":"modernbert",")" + std::string(bias) + R"(":true})"); }),
                   std::string(bias) + ": found true, which is not supported; expected false"));
  auto const refusal = [](char const* settings) {
    return message_of<CheckpointError>([&] { modernbert(R"({"model_type":"modernbert",)" + std::string(settings) + "}"); });
  };
  CHECK(contains(refusal(R"("decoder_bias":false)"), "decoder_bias: found false"));
  for (std::string const base_of : {"local_rope_theta", "global_rope_theta"})
    CHECK(contains(refusal(("\"" + base_of + "\":null").c_str()), base_of + ": found null, expected a number"));
  CHECK(contains(refusal(R"("classifier_pooling":"max")"),
                 "classifier_pooling: found \"max\", which is not supported; expected \"cls\" or \"mean\""));
  CHECK(contains(refusal(R"("rope_parameters":{"full_attention":{"rope_type":"yarn","factor":4}})"),
                 "config.json: rope_parameters: full_attention: rope_type: found \"yarn\""));
  CHECK(contains(refusal(R"("num_hidden_layers":1,"layer_types":["chunked_attention"])"), "layer_types: found \"chunked_attention\""));
  CHECK(contains(message_of<FormatError>([] { modernbert(R"({"model_type":"modernbert","num_attention_heads":256})"); }),
                 "found heads of 3 columns, expected an even number"));
}

TEST_CASE("config: nomic-bert's of nomic-embed-text-v1.5, as transformers 5 writes it, and what is refused") {
  std::string const published = R"({"activation_function":"swiglu","architectures":["NomicBertModel"],"attn_pdrop":0.0,
      "auto_map":{"AutoConfig":"nomic-ai/nomic-bert-2048--configuration_hf_nomic_bert.NomicBertConfig"},"bos_token_id":null,"causal":false,
      "dense_seq_output":true,"embd_pdrop":0.0,"eos_token_id":null,"fused_bias_fc":true,"fused_dropout_add_ln":true,"initializer_range":0.02,
      "layer_norm_epsilon":1e-12,"max_trained_positions":2048,"mlp_fc1_bias":false,"mlp_fc2_bias":false,"model_type":"nomic_bert","n_embd":768,
      "n_head":12,"n_inner":3072,"n_layer":12,"n_positions":8192,"pad_vocab_size_multiple":64,"parallel_block":false,
      "parallel_block_tied_norm":false,"prenorm":false,"qkv_proj_bias":false,"reorder_and_upcast_attn":false,"resid_pdrop":0.0,
      "rotary_emb_base":1000,"rotary_emb_fraction":1.0,"rotary_emb_interleaved":false,"rotary_emb_scale_base":null,
      "rotary_scaling_factor":null,"scale_attn_by_inverse_layer_idx":false,"scale_attn_weights":true,"summary_activation":null,
      "summary_first_dropout":0.0,"summary_proj_to_labels":true,"summary_type":"cls_index","summary_use_proj":true,"torch_dtype":"float32",
      "transformers_version":"4.37.2","type_vocab_size":2,"use_cache":true,"use_flash_attn":true,"use_rms_norm":false,"use_xentropy":true,
      "vocab_size":30528})";
  auto const nomic = nomic_bert(published);
  CHECK(nomic.sizes == NomicEmbed::sizes);
  CHECK(nomic.dimensions.hidden == 768);
  CHECK(nomic.dimensions.inner == 3072);
  CHECK(nomic.dimensions.head_size == 64);
  CHECK(nomic.layer_norm_epsilon == 1e-12);
  CHECK(nomic.activation == Activation::silu);
  CHECK(nomic.position.rotary_base == 1000);
  CHECK(nomic.position.rotary_columns == 64);
  auto const with = [&](char const* changes) {
    auto config = parse_json(published, "config.json");
    config.update(parse_json(changes, "changes"));
    return dump_json(config);
  };
  CHECK(nomic_bert(with(R"({"rotary_emb_fraction":0.5,"activation_function":"geglu"})")).position.rotary_columns == 32);
  CHECK(nomic_bert(with(R"({"activation_function":"geglu"})")).activation == Activation::gelu);

  auto const native = nomic_bert(R"({"model_type":"nomic_bert","hidden_size":48,"num_attention_heads":4,"head_dim":8,"num_hidden_layers":3,
      "intermediate_size":60,"max_position_embeddings":99,"hidden_act":"gelu","layer_norm_eps":1e-5,"hidden_dropout_prob":0.25,
      "rope_parameters":{"rope_theta":2000.0,"rope_type":"default"}})");
  CHECK(native.dimensions.head_size == 8);
  CHECK(native.sizes == ModelSizes{.layers = 3, .vocabulary = 30528, .positions = 99, .token_types = 2});
  CHECK(native.activation == Activation::gelu);
  CHECK(native.position.rotary_base == 2000);
  CHECK(native.printed.hidden_dropout == "0.25");
  CHECK(native.printed.attention_dropout == "0.0");
  CHECK(nomic_bert(R"({"model_type":"nomic_bert"})").position.rotary_base == 1000);
  CHECK(nomic_bert(R"({"model_type":"nomic_bert"})").sizes.positions == 2048);
  struct Case {
    char const *changes, *message;
  };
  for (auto const& [changes, message] :
       {Case{R"({"num_experts":8,"moe_every_n_layers":2})", "num_experts: found 8, which is not supported; expected none"},
        Case{R"({"qkv_proj_bias":true})", "qkv_proj_bias: found true"}, Case{R"({"mlp_fc1_bias":true})", "mlp_fc1_bias: found true"},
        Case{R"({"prenorm":true})", "prenorm: found true"}, Case{R"({"use_rms_norm":true})", "use_rms_norm: found true"},
        Case{R"({"activation_function":"gelu"})",
             "activation_function: found \"gelu\", which is not supported; expected \"swiglu\" or \"geglu\""},
        Case{R"({"rotary_emb_interleaved":true})", "rotary_emb_interleaved: found true"},
        Case{R"({"rotary_scaling_factor":2})", "rotary_scaling_factor: found 2"},
        Case{R"({"rotary_emb_fraction":0.0})", "rotary_emb_fraction: found 0"}}) {
    CAPTURE(changes);
    CHECK(contains(message_of<CheckpointError>([&] { nomic_bert(with(changes)); }), message));
  }
}

TEST_CASE("config: rates of dropout are kept as they are written, and each has its default") {
  auto const b = bert(R"({"model_type":"bert","hidden_dropout_prob":0,"attention_probs_dropout_prob":0.0,"pad_token_id":4})").printed;
  CHECK(b.embedding_dropout == "0");
  CHECK(b.hidden_dropout == "0");
  CHECK(b.attention_dropout == "0.0");
  CHECK(b.classifier_dropout == "0");
  CHECK(b.token_classifier_dropout == "0");
  CHECK(b.padding_id == 4);
  CHECK(b.activation == "GELUActivation()");
  CHECK(bert(R"({"model_type":"bert","classifier_dropout":0.3})").printed.classifier_dropout == "0.3");
  CHECK(bert(R"({"model_type":"bert","classifier_dropout":null})").printed.classifier_dropout == "0.1");
  CHECK(bert(R"({"model_type":"bert","hidden_act":"gelu_fast"})").printed.activation == "FastGELUActivation()");
  auto const d = bert(R"({"model_type":"distilbert","dropout":0.5,"attention_dropout":0.25,"qa_dropout":1e-5})").printed;
  CHECK(d.hidden_dropout == "0.5");
  CHECK(d.attention_dropout == "0.25");
  CHECK(d.token_classifier_dropout == "0.5");
  CHECK(d.classifier_dropout == "0.2");
  CHECK(d.answer_dropout == "1e-05");
  auto const g = gpt2(R"({"model_type":"gpt2","embd_pdrop":0.2,"resid_pdrop":0.3,"attn_pdrop":1,"tie_word_embeddings":false})");
  CHECK(g.printed.embedding_dropout == "0.2");
  CHECK(g.printed.hidden_dropout == "0.3");
  CHECK(g.printed.attention_dropout == "1");
  CHECK(g.head_weights == HeadWeights::own);
  for (char const* wrong : {"1.5", "-0.1", "\"0.1\"", "true", "[0.1]"})
    CHECK(contains(message_of<FormatError>([&] { gpt2(R"({"model_type":"gpt2","attn_pdrop":)" + std::string(wrong) + "}"); }),
                   "config.json: attn_pdrop: found "));
}

TEST_CASE("config: the architecture names the head") {
  auto const head = [](std::string const& name) { return model_head(parse_json(R"({"architectures":[")" + name + R"("]})", "f"), "f"); };
  CHECK(model_head(parse_json("{}", "f"), "f") == ModelHead::none);
  CHECK(head("BertModel") == ModelHead::none);
  CHECK(head("GPT2LMHeadModel") == ModelHead::causal_lm);
  CHECK(head("RobertaForMaskedLM") == ModelHead::masked_lm);
  CHECK(head("BertForNextSentencePrediction") == ModelHead::next_sentence);
  CHECK(head("BertForPreTraining") == ModelHead::pre_training);
  CHECK(head("DistilBertForQuestionAnswering") == ModelHead::question_answering);
  CHECK(head("GPT2ForSequenceClassification") == ModelHead::sequence_classification);
  CHECK(head("XLMRobertaForTokenClassification") == ModelHead::token_classification);
  for (char const* other : {"BertForMultipleChoice", "GPT2DoubleHeadsModel", "GPT2ForTokenClassification", "BertLMHeadModel", "RobertaForPreTraining"})
    CHECK(contains(message_of<CheckpointError>([&] { head(other); }), "architectures: found \"" + std::string(other) + "\""));
}

TEST_CASE("config: labels come by id, and ids have no gaps") {
  auto const labels = [](char const* text) { return read_label_config(parse_json(text, "config.json"), "config.json"); };
  CHECK(labels("{}").labels == std::vector<std::string>{"LABEL_0", "LABEL_1"});
  CHECK(labels(R"({"num_labels":1})").labels == std::vector<std::string>{"LABEL_0"});
  auto const several = labels(R"({"id2label":{"1":"good","0":"bad","2":"so-so"},"problem_type":"multi_label_classification"})");
  CHECK(several.labels == std::vector<std::string>{"bad", "good", "so-so"});
  CHECK(several.problem_type == ProblemType::multi_label);
  CHECK(labels(R"({"id2label":{"0":0,"1":1}})").labels == std::vector<std::string>{"0", "1"});
  CHECK(labels(R"({"problem_type":null})").problem_type == ProblemType::unspecified);
  CHECK(contains(message_of<FormatError>([&] { labels(R"({"id2label":{"0":"a","2":"b"}})"); }), "id2label: found no label 1 among 2"));
  CHECK(contains(message_of<FormatError>([&] { labels(R"({"num_labels":0})"); }), "num_labels: found 0"));
  CHECK(contains(message_of<CheckpointError>([&] { labels(R"({"problem_type":"ranking"})"); }), "problem_type: found \"ranking\""));
}

TEST_CASE("config: what the library does not have is refused by name") {
  struct Case {
    std::string text, message;
  };
  for (auto const& [text, message] : std::vector<Case>{
           {R"({"model_type":"whisper"})",
            "found the model_type \"whisper\", expected a BERT, RoBERTa, DistilBERT, ELECTRA, ALBERT, MPNet, ModernBERT, nomic-bert, GPT-2, "
            "Llama, Qwen2, Qwen3, "},
           {R"({"architectures":["WhisperForConditionalGeneration"]})", "found the architecture \"WhisperForConditionalGeneration\""},
           {R"({"model_type":"llama"})", "model_type: found a Llama, which is not supported; expected a BERT"},
           {R"({})", "found no model_type"},
           {R"({"model_type":"gpt2"})", "model_type: found a GPT-2, which is not supported; expected a BERT"},
           {R"({"model_type":"bert","position_embedding_type":"relative_key"})", "position_embedding_type: found \"relative_key\""},
           {R"({"model_type":"bert","hidden_act":"quick_gelu"})", "hidden_act: found the activation \"quick_gelu\""},
           {R"({"model_type":"bert","is_decoder":true})", "is_decoder: found true, which is not supported; expected false"},
           {R"({"model_type":"bert","add_cross_attention":true})", "add_cross_attention: found true"},
           {R"({"model_type":"bert","is_encoder_decoder":true})", "is_encoder_decoder: found true"},
           {R"({"model_type":"bert","embedding_size":128})", "embedding_size: found 128"},
           {R"({"model_type":"bert","pruned_heads":{"0":[1]}})", "pruned_heads: found an object of 1 keys"},
           {R"({"model_type":"bert","quantization_config":{"bits":4}})", "quantization_config: found an object of 1 keys"},
       }) {
    CAPTURE(text);
    auto const found = message_of<CheckpointError>([&] { bert(text); });
    CHECK_MESSAGE(found.starts_with("config.json: "), found);
    CHECK_MESSAGE(contains(found, message), found);
  }
  for (auto const& [text, message] : std::vector<Case>{
           {R"({"model_type":"bert"})", "model_type: found a BERT, which is not supported; expected a GPT-2"},
           {R"({"model_type":"gpt2","scale_attn_by_inverse_layer_idx":true})", "scale_attn_by_inverse_layer_idx: found true"},
           {R"({"model_type":"gpt2","scale_attn_weights":false})",
            "scale_attn_weights: found false, which is not supported; expected true"},
           {R"({"model_type":"gpt2","add_cross_attention":true})", "add_cross_attention: found true"},
           {R"({"model_type":"gpt2","activation_function":"selu"})", "activation_function: found the activation \"selu\""},
       }) {
    CAPTURE(text);
    auto const found = message_of<CheckpointError>([&] { gpt2(text); });
    CHECK_MESSAGE(contains(found, message), found);
  }
}

TEST_CASE("config: sizes that are zero, absurd, of another type, or do not fit together are refused by name") {
  struct Case {
    std::string settings, message;
  };
  for (auto const& [settings, message] : std::vector<Case>{
           {R"("hidden_size":0)", "hidden_size: found 0, expected 1 to "},
           {R"("hidden_size":-768)", "hidden_size: found the number -768, expected an integer from 0"},
           {R"("hidden_size":768.5)", "hidden_size: found the number 768.5"},
           {R"("hidden_size":"768")", "hidden_size: found the string \"768\""},
           {R"("hidden_size":18446744073709551615)", "hidden_size: found 18446744073709551615, expected 1 to "},
           {R"("hidden_size":1e40)", "hidden_size: found the number 1e+40"},
           {R"("hidden_size":[768])", "hidden_size: found an array of 1"},
           {R"("hidden_size":770)", "found a hidden size of 770 and 12 heads, expected the size to be a multiple of the heads"},
           {R"("num_attention_heads":0)", "num_attention_heads: found 0"},
           {R"("num_hidden_layers":0)", "num_hidden_layers: found 0"},
           {R"("num_hidden_layers":100000000)", "num_hidden_layers: found 100000000"},
           {R"("vocab_size":0)", "vocab_size: found 0"},
           {R"("vocab_size":1e15)", "vocab_size: found 1000000000000000"},
           {R"("max_position_embeddings":0)", "max_position_embeddings: found 0"},
           {R"("type_vocab_size":0)", "type_vocab_size: found 0"},
           {R"("intermediate_size":0)", "intermediate_size: found 0"},
           {R"("layer_norm_eps":-1e-12)", "layer_norm_eps: found the number -1e-12, expected at least 0 and less than 1"},
           {R"("layer_norm_eps":1)", "layer_norm_eps: found the number 1"},
           {R"("layer_norm_eps":"1e-12")", "layer_norm_eps: found the string \"1e-12\", expected a number"},
           {R"("is_decoder":0)", "is_decoder: found the number 0, expected true or false"},
           {R"("hidden_act":3)", "hidden_act: found the number 3, expected a string"},
           {R"("architectures":"BertModel")", "architectures: found the string \"BertModel\", expected an array"},
           {R"("pad_token_id":-1)", "pad_token_id: found the number -1"},
       }) {
    CAPTURE(settings);
    auto const found = message_of<FormatError>([&] { bert("{\"model_type\":\"bert\"," + settings + "}"); });
    CHECK_MESSAGE(contains(found, "config.json: " + message), found);
  }
  CHECK(contains(message_of<FormatError>([] { bert("[]"); }), "found an array of 0, expected an object"));
  CHECK(contains(message_of<FormatError>([] { gpt2(R"({"model_type":"gpt2","n_head":5})"); }), "a hidden size of 768 and 5 heads"));
  CHECK(contains(message_of<FormatError>([] { gpt2(R"({"model_type":"gpt2","n_inner":0})"); }), "n_inner: found 0"));
  CHECK(contains(message_of<FormatError>([] { gpt2(R"({"model_type":"gpt2","eos_token_id":-1})"); }), "eos_token_id: found the number -1"));
}

TEST_CASE("config: a directory's config.json is read, and its absence is named") {
  TemporaryDirectory directory;
  CHECK(contains(message_of<FileError>([&] { read_bert_config(directory.path()); }), "config.json: cannot be opened"));
  write_bytes(directory / "config.json", R"({"model_type":"bert","hidden_size":24})");
  CHECK(read_bert_config(directory.path()).dimensions.head_size == 2);
  CHECK(contains(message_of<CheckpointError>([&] { read_gpt2_config(directory.path()); }), (directory / "config.json").string()));
}
