// T5, T5 1.1 and mT5 against transformers in float64, from tiny checkpoints: the whole model, its encoder alone, and GGUF files of the same weights.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/io/json.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/models/load.hpp>
#include <axiform/models/t5.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "support/goldens.hpp"

using namespace axiform;
using goldens::Goldens;
using goldens::largest_difference;

namespace {

constexpr double t5_tolerance = 2e-5;  // the end-to-end bound, for states and logits of magnitude 1 to 4

// One source and one target, or several, packed.
struct T5Case {
  T5Case(Goldens const& golden, std::string const& name) : source(golden.ids(name + ".source")), target(golden.ids(name + ".target")) {
    if (golden.has(name + ".source_offsets")) {
      sources = SequenceOffsets<axes::SourceTokens>::of_lengths(golden.lengths(name + ".source_offsets"));
      targets = SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths(name + ".target_offsets"));
    } else {
      sources = SequenceOffsets<axes::SourceTokens>::single(source.size());
      targets = SequenceOffsets<axes::Tokens>::single(target.size());
    }
  }

  std::vector<TokenId> source, target;
  SequenceOffsets<axes::SourceTokens> sources;
  SequenceOffsets<axes::Tokens> targets;
};

// What an observer saw of one side, against what the goldens have of it.
void check_t5_side(Capture const& capture, Goldens const& golden, std::string const& prefix, std::string const& side) {
  for (std::size_t i = 0; i < capture.all_hidden_states().size(); ++i)
    if (std::string const name = prefix + side + "hidden_states." + std::to_string(i); golden.has(name))
      CHECK(largest_difference(capture.all_hidden_states()[i].elements(), golden.reals(name)) < t5_tolerance);
  for (std::size_t i = 0; i < capture.layers(); ++i)
    for (bool const is_cross : {false, true}) {
      std::string const name = prefix + (is_cross ? "cross_attentions." : side + "attentions.") + std::to_string(i);
      if (is_cross && side == "encoder.") continue;
      auto const& map = is_cross ? capture.cross_attention(i) : capture.attention(i);
      if (golden.has(name)) CHECK(largest_difference(map.elements(), golden.reals(name)) < t5_tolerance);
      if (!golden.has(name + ".last_query")) continue;
      auto const expected = golden.reals(name + ".last_query");
      auto const [heads, queries, keys] = map.lengths();
      REQUIRE(expected.size() == heads * keys);
      double largest = 0;
      for (std::size_t head = 0; head < heads; ++head)
        for (std::size_t key = 0; key < keys; ++key)
          largest = std::max(largest, std::abs(static_cast<double>(map(head, queries - 1, key)) - expected[head * keys + key]));
      CHECK(largest < t5_tolerance);
    }
}

template <class Model>
void check_t5(std::string const& fixture) {
  CAPTURE(fixture);
  Context context = Context::with_threads(2);
  auto const model = load<Model>(goldens::models / fixture, context);
  Goldens const golden(goldens::models / fixture / "goldens.safetensors");
  for (std::string const name : {"case0", "case1", "case2", "batch"}) {
    if (!golden.has(name + ".source")) continue;
    CAPTURE(name);
    T5Case const one(golden, name);
    Capture of_encoder, of_decoder;
    context.observe(&of_encoder);
    auto const encoded = model.encode({one.source, one.sources}, context);
    context.observe(&of_decoder);
    auto const states = model({.ids = one.target, .sequences = one.targets}, {encoded, one.sources}, context);
    context.observe(nullptr);
    CHECK(largest_difference(encoded.elements(), golden.reals(name + ".encoder")) < t5_tolerance);
    if (golden.has(name + ".decoder")) CHECK(largest_difference(states.elements(), golden.reals(name + ".decoder")) < t5_tolerance);
    CHECK(largest_difference(model.logits(states, context), golden.reals(name + ".logits")) < t5_tolerance);
    if (name == "batch") continue;
    check_t5_side(of_encoder, golden, name + ".", "encoder.");
    check_t5_side(of_decoder, golden, name + ".", "decoder.");
  }
}

Json t5_config_json(char const* text) { return parse_json(text, "config.json"); }
T5Config t5_config(char const* text) { return read_t5_config(t5_config_json(text), "config.json"); }

// A whole model of such sizes, of zeros.
template <class D>
std::size_t count_t5(std::size_t decoder_layers, MlpGate gate, HeadWeights head) {
  EncoderDecoderSettings settings;
  settings.encoder.layers = D::sizes.layers;
  settings.decoder.layers = decoder_layers;
  settings.encoder.layer.gate = settings.decoder.layer.gate = gate;
  settings.encoder.embedding.rows = settings.decoder.embedding.rows = PositionRows::none;
  settings.vocabulary = D::sizes.vocabulary;
  settings.head_weights = head;
  return count_parameters(T5<D>::create(D{}, D{}, settings));
}

}  // namespace

TEST_CASE("t5: states, attentions of all three kinds and logits are transformers'") {
  check_t5<T5<>>("t5-tiny");
  check_t5<T5<>>("t5-v1_1");
  check_t5<T5<>>("mt5-tiny");
  check_t5<T5<>>("umt5-tiny");
}

TEST_CASE("t5: a pair of a batch has the bits that it has alone, on any number of threads") {
  Context context, threads = Context::with_threads(3);
  auto const model = load<T5<>>(goldens::models / "t5-v1_1", context);
  T5Case const batch(Goldens(goldens::models / "t5-v1_1/goldens.safetensors"), "batch");
  auto const encoded = model.encode({batch.source, batch.sources}, threads);
  auto const logits = model.logits(model({.ids = batch.target, .sequences = batch.targets}, {encoded, batch.sources}, threads), threads);
  for (std::size_t s = 0; s < batch.sources.count(); ++s) {
    auto const source = std::span(batch.source).subspan(batch.sources.offset(s), batch.sources.length(s));
    auto const target = std::span(batch.target).subspan(batch.targets.offset(s), batch.targets.length(s));
    auto const sources = SequenceOffsets<axes::SourceTokens>::single(source.size());
    auto const targets = SequenceOffsets<axes::Tokens>::single(target.size());
    auto const own = model.encode({source, sources}, context);
    auto const alone = model.logits(model({.ids = target, .sequences = targets}, {own, sources}, context), context);
    for (std::size_t i = 0; i < target.size(); ++i) CHECK(std::ranges::equal(alone.row(i), logits.row(batch.targets.offset(s) + i)));
  }
}

TEST_CASE("t5: with a cache, token by token and in parts, a target has the bits that it has whole") {
  Context context = Context::with_threads(2);
  auto const model = load<T5<>>(goldens::models / "t5-tiny", context);
  T5Case const one(Goldens(goldens::models / "t5-tiny/goldens.safetensors"), "case2");
  auto const encoded = model.encode({one.source, one.sources}, context);
  auto const whole = model.logits(model({.ids = one.target, .sequences = one.targets}, {encoded, one.sources}, context), context);
  auto const source = model.project_source(one.source, one.sources, context);
  std::vector<std::size_t> const source_of{0};
  for (std::vector<std::size_t> const& lengths :
       {std::vector<std::size_t>(one.target.size(), 1), std::vector<std::size_t>{1, 7, 25}, std::vector<std::size_t>{20, 13}}) {
    auto cache = model.make_cache(source, source_of, one.target.size());
    std::size_t begin = 0;
    for (std::size_t const length : lengths) {
      auto const part =
          model.all_logits(std::span(one.target).subspan(begin, length), SequenceOffsets<axes::Tokens>::single(length), cache, context);
      for (std::size_t i = 0; i < length; ++i) CHECK(std::ranges::equal(part.row(i), whole.row(begin + i)));
      begin += length;
    }
    REQUIRE(begin == one.target.size());
  }
}

TEST_CASE("t5: generate writes the tokens that transformers writes, greedily and with beams") {
  Context context;
  for (std::string const fixture : {"t5-tiny", "t5-v1_1", "mt5-tiny", "umt5-tiny"}) {
    CAPTURE(fixture);
    auto const model = load<AnySequenceToSequence>(goldens::models / fixture, context);
    Goldens const golden(goldens::models / fixture / "goldens.safetensors");
    for (std::string const number : {"0", "1"}) {
      auto const source = golden.ids("greedy" + number + ".source");
      auto const greedy = golden.ids("greedy" + number + ".ids"), beams = golden.ids("beams" + number + ".ids");
      GenerateOptions options{.max_new_tokens = 12, .decoding = Decoding::greedy, .decoder_start = 0};
      CHECK(generate(model, source, options, context).front() == greedy);
      options.max_new_tokens = 10;
      options.decoding = Decoding::beam_search;
      options.num_beams = 4;
      options.end_of_text = {1};
      CHECK(generate(model, source, options, context).front() == beams);
    }
  }
}

TEST_CASE("t5: the encoder alone gives transformers' states and attentions, and from a whole checkpoint the bits that it has there") {
  Context context = Context::with_threads(2);
  auto const encoder = load<T5Encoder<>>(goldens::models / "t5-encoder", context);
  Goldens const golden(goldens::models / "t5-encoder/goldens.safetensors");
  for (std::string const name : {"case0", "case1", "case2"}) {
    CAPTURE(name);
    auto const ids = golden.ids(name + ".ids");
    Capture capture;
    context.observe(&capture);
    auto const states = encoder(ids, context);
    context.observe(nullptr);
    CHECK(largest_difference(states.elements(), golden.reals(name + ".last_hidden_state")) < t5_tolerance);
    goldens::check_captured(capture, golden, name, 2, t5_tolerance);
  }
  auto const whole = load<T5<>>(goldens::models / "t5-tiny", context);
  auto const loaded = load_with_report<T5Encoder<>>(goldens::models / "t5-tiny", context);
  std::vector<TokenId> const ids{4, 5, 6, 7, 8, 9, 11, 1};
  auto const sources = SequenceOffsets<axes::SourceTokens>::single(ids.size());
  auto const found = loaded.model(ids, context);
  auto const expected = whole.encode({ids, sources}, context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
  CHECK(loaded.report.missing.empty());
  CHECK(load<AnyEncoder>(goldens::models / "t5-encoder", context).hidden_size() == 16);
  CHECK(std::holds_alternative<T5Encoder<>>(load_any(goldens::models / "t5-encoder", context)));
  CHECK(std::holds_alternative<T5<>>(load_any(goldens::models / "mt5-tiny", context)));
}

TEST_CASE("t5: configs of published checkpoints are read") {
  // google-t5/t5-small.
  auto const small =
      t5_config(R"({"architectures":["T5ForConditionalGeneration"],"d_ff":2048,"d_kv":64,"d_model":512,"decoder_start_token_id":0,
      "dropout_rate":0.1,"eos_token_id":1,"initializer_factor":1.0,"is_encoder_decoder":true,"layer_norm_epsilon":1e-06,"model_type":"t5",
      "n_positions":512,"num_heads":8,"num_layers":6,"output_past":true,"pad_token_id":0,"relative_attention_num_buckets":32,
      "task_specific_params":{"translation_en_to_de":{"early_stopping":true,"max_length":300,"num_beams":4,
      "prefix":"translate English to German: "}},"vocab_size":32128})");
  CHECK(small.dimensions.hidden == 512);
  CHECK(small.dimensions.heads == 8);
  CHECK(small.dimensions.head_size == 64);
  CHECK(small.dimensions.inner == 2048);
  CHECK(small.sizes == T5Small::sizes);
  CHECK(small.decoder_layers == 6);
  CHECK(small.norm_epsilon == 1e-6);
  CHECK(small.activation == Activation::relu);
  CHECK(small.gate == MlpGate::absent);
  CHECK(small.head_scale == HeadScale::root_of_width);
  CHECK(small.position.buckets == 32);
  CHECK(small.position.most_distance == 128);
  CHECK(small.printed.class_prefix == "T5");
  // google/flan-t5-small.
  auto const flan =
      t5_config(R"({"architectures":["T5ForConditionalGeneration"],"d_ff":1024,"d_kv":64,"d_model":512,"decoder_start_token_id":0,
      "dropout_rate":0.1,"eos_token_id":1,"feed_forward_proj":"gated-gelu","initializer_factor":1.0,"is_encoder_decoder":true,
      "layer_norm_epsilon":1e-06,"model_type":"t5","n_positions":512,"num_decoder_layers":8,"num_heads":6,"num_layers":8,"output_past":true,
      "pad_token_id":0,"relative_attention_max_distance":128,"relative_attention_num_buckets":32,"tie_word_embeddings":false,
      "transformers_version":"4.23.1","use_cache":true,"vocab_size":32128})");
  CHECK(flan.dimensions.heads == 6);
  CHECK(flan.dimensions.width() == 384);
  CHECK(flan.sizes == FlanT5Small::sizes);
  CHECK(flan.activation == Activation::gelu_tanh);
  CHECK(flan.gate == MlpGate::present);
  CHECK(flan.head_scale == HeadScale::none);
  // google/mt5-small.
  auto const mt5 =
      t5_config(R"({"architectures":["MT5ForConditionalGeneration"],"d_ff":1024,"d_kv":64,"d_model":512,"decoder_start_token_id":0,
      "dropout_rate":0.1,"eos_token_id":1,"feed_forward_proj":"gated-gelu","initializer_factor":1.0,"is_encoder_decoder":true,
      "layer_norm_epsilon":1e-06,"model_type":"mt5","num_decoder_layers":8,"num_heads":6,"num_layers":8,"pad_token_id":0,
      "relative_attention_num_buckets":32,"tie_word_embeddings":false,"tokenizer_class":"T5Tokenizer","vocab_size":250112})");
  CHECK(mt5.sizes == Mt5Small::sizes);
  CHECK(mt5.head_scale == HeadScale::none);
  CHECK(mt5.printed.class_prefix == "MT5");
  // What transformers 5 has where nothing is said, and what it writes.
  CHECK(t5_config(R"({"model_type":"t5"})").sizes == T5Small::sizes);
  auto const usual = t5_config(R"({"model_type":"mt5","num_layers":3})");
  CHECK(usual.sizes.layers == 3);
  CHECK(usual.decoder_layers == 3);
  CHECK(usual.dimensions.heads == 6);
  CHECK(usual.dimensions.inner == 1024);
  CHECK(usual.gate == MlpGate::present);
  // google/umt5-small.
  auto const umt5 =
      t5_config(R"({"architectures":["UMT5ForConditionalGeneration"],"classifier_dropout":0.0,"d_ff":1024,"d_kv":64,"d_model":512,
      "decoder_start_token_id":0,"dense_act_fn":"gelu_new","dropout_rate":0.1,"eos_token_id":1,"feed_forward_proj":"gated-gelu",
      "initializer_factor":1.0,"is_encoder_decoder":true,"is_gated_act":true,"layer_norm_epsilon":1e-06,"model_type":"umt5",
      "num_decoder_layers":8,"num_heads":6,"num_layers":8,"output_past":true,"pad_token_id":0,"relative_attention_max_distance":128,
      "relative_attention_num_buckets":32,"scalable_attention":true,"tie_word_embeddings":false,"tokenizer_class":"T5Tokenizer",
      "torch_dtype":"float32","transformers_version":"4.31.0.dev0","use_cache":true,"vocab_size":256384})");
  CHECK(umt5.position.bias_tables == BiasTables::by_layer);
  CHECK(umt5.head_scale == HeadScale::none);
  CHECK(umt5.printed.class_prefix == "UMT5");
  CHECK(small.position.bias_tables == BiasTables::shared);
  auto const saved = t5_config(R"({"model_type":"t5","feed_forward_proj":"gated-gelu","dense_act_fn":"gelu_new","is_gated_act":true,
      "scale_decoder_outputs":false,"tie_word_embeddings":true})");
  CHECK(saved.head_scale == HeadScale::none);
  CHECK(saved.gate == MlpGate::present);
  CHECK(t5_config(R"({"model_type":"t5","feed_forward_proj":"gated-silu"})").activation == Activation::silu);
  CHECK(t5_config(R"({"model_type":"t5","feed_forward_proj":"gelu"})").activation == Activation::gelu);
  CHECK(model_head(t5_config_json(R"({"model_type":"t5","architectures":["T5WithLMHeadModel"]})"), "config.json") ==
        ModelHead::conditional_generation);
}

TEST_CASE("t5: what the library does not have is refused by name") {
  auto const refusal = [](char const* text) {
    try {
      t5_config(text);
    } catch (Error const& error) {
      return std::string(error.what());
    }
    return std::string("read");
  };
  CHECK(refusal(R"({"model_type":"t5","feed_forward_proj":"gated-mish"})")
            .starts_with("config.json: feed_forward_proj: found the activation \"mish\", which is not supported"));
  CHECK(refusal(R"({"model_type":"t5","dense_act_fn":"mish"})").starts_with("config.json: dense_act_fn: found the activation \"mish\""));
  CHECK(refusal(R"({"model_type":"t5","is_decoder":true})") ==
        "config.json: is_decoder: found true, which is not supported; expected false");
  CHECK(refusal(R"({"model_type":"t5","num_heads":0})") == "config.json: num_heads: found 0, expected 1 to 262144");
  CHECK(refusal(R"({"model_type":"t5","relative_attention_num_buckets":3})")
            .ends_with("expected at least 4, and distances of more than half of them"));
  CHECK(refusal(R"({"model_type":"t5","relative_attention_max_distance":16})")
            .starts_with("config.json: relative_attention_num_buckets: found 32 buckets for distances up to 16"));
  CHECK(refusal(R"({"model_type":"bert"})") == "config.json: model_type: found a BERT, which is not supported; expected a T5");
  CHECK_THROWS_WITH_AS(model_head(t5_config_json(R"({"model_type":"t5","architectures":["T5ForSequenceClassification"]})"), "config.json"),
                       doctest::Contains("found \"T5ForSequenceClassification\", which is not supported"), CheckpointError);
}

TEST_CASE("t5: a checkpoint of other layers, of another feed-forward block or of several token tables is refused by its tensors") {
  Context context;
  auto const refusal = [&](goldens::ChangedFixture const& fixture) {
    try {
      load<T5<>>(fixture.directory(), context);
    } catch (CheckpointError const& error) {
      return std::string(error.what());
    }
    return std::string("loaded");
  };
  CHECK(refusal({"t5-tiny", {{"num_decoder_layers", 2}}}).find("decoder.block.2.layer.0.SelfAttention.k.weight: not part of this model") !=
        std::string::npos);
  CHECK(refusal({"t5-tiny", {{"feed_forward_proj", "gated-gelu"}}}).find("encoder.block.0.layer.1.DenseReluDense.wi_0.weight") !=
        std::string::npos);
  goldens::ChangedFixture const several("mt5-tiny", Json::object());
  auto const path = several.directory() / "model.safetensors";
  auto const file = SafetensorsFile::open(goldens::models / "mt5-tiny/model.safetensors");
  std::vector<std::vector<float>> values;
  std::vector<TensorData> tensors;
  for (TensorInfo const& tensor : file.tensors()) {
    file.read_floats(tensor, 0, values.emplace_back(tensor.element_count()));
    if (tensor.name == "decoder.embed_tokens.weight") values.back().back() += 1;
    tensors.push_back(tensor_data(tensor.name, tensor.shape, values.back()));
  }
  CHECK(refusal(several) == "loaded");  // copies
  write_safetensors(path, tensors);
  CHECK(
      refusal(several).ends_with("model.safetensors: decoder.embed_tokens.weight: found a token table of its own, which is not supported; "
                                 "expected a copy of shared.weight"));
  CHECK(load<T5Encoder<>>(several.directory(), context).vocabulary() == 31);  // it does not read the decoder's
}

TEST_CASE("t5: a GGUF file of the same weights gives the same bits, the encoder's alone too") {
  Context context;
  // The files have no greatest distance: it is 128.
  for (std::string const fixture : {"t5-tiny", "t5-v1_1", "umt5-tiny"}) {
    CAPTURE(fixture);
    goldens::ChangedFixture const directory(fixture, {{"relative_attention_max_distance", 128}});
    T5Case const one(Goldens(goldens::models / fixture / "goldens.safetensors"), "batch");
    auto const logits_of = [&](std::filesystem::path const& path) {
      auto const model = load<T5<>>(path, context);
      auto const encoded = model.encode({one.source, one.sources}, context);
      return model.logits(model({.ids = one.target, .sequences = one.targets}, {encoded, one.sources}, context), context);
    };
    auto const found = logits_of(goldens::models / "gguf" / (fixture + ".gguf")), expected = logits_of(directory.directory());
    CHECK(std::ranges::equal(found.elements(), expected.elements()));
  }
  goldens::ChangedFixture const directory("t5-encoder", {{"relative_attention_max_distance", 128}});
  std::vector<TokenId> const ids{4, 5, 6, 7, 8, 9, 11, 1};
  auto const found = load<T5Encoder<>>(goldens::models / "gguf/t5-encoder.gguf", context)(ids, context);
  auto const expected = load<T5Encoder<>>(directory.directory(), context)(ids, context);
  CHECK(std::ranges::equal(found.elements(), expected.elements()));
}

TEST_CASE("t5: the usual sizes have as many parameters as transformers counts") {
  CHECK(count_t5<T5Small>(6, MlpGate::absent, HeadWeights::tied) == 60'506'624);
  CHECK(count_t5<T5Base>(12, MlpGate::absent, HeadWeights::tied) == 222'903'552);
  CHECK(count_t5<FlanT5Small>(8, MlpGate::present, HeadWeights::own) == 76'961'152);
  CHECK(count_t5<FlanT5Base>(12, MlpGate::present, HeadWeights::own) == 247'577'856);
  CHECK(count_t5<Mt5Small>(8, MlpGate::present, HeadWeights::own) == 300'176'768);
  Context context;
  CHECK_THROWS_WITH_AS(load<T5<T5Small>>(goldens::models / "t5-tiny", context), doctest::Contains("hidden size 16 instead of 512"),
                       CheckpointError);
}
