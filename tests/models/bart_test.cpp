// BART, mBART and Marian against transformers in float64: both sides, attentions, logits, the classifier; their bits, their configs, and what does not fit.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/generate/sequence_to_sequence.hpp>
#include <axiform/inspect/module_tree.hpp>
#include <axiform/models/any.hpp>
#include <axiform/models/dimensions.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/text/tokenizer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/head_goldens.hpp"

using namespace axiform;
using goldens::ChangedFixture;
using goldens::Goldens;
using goldens::largest_difference;
using test::contains;
using test::message_of;

namespace {

constexpr double bart_tolerance = 2e-5;  // the end-to-end bound, for states and logits of magnitude 1 to 10

// A batch of sources and of targets, as the goldens have them.
struct Pairs {
  std::vector<TokenId> sources, targets;
  SequenceOffsets<axes::SourceTokens> of_sources;
  SequenceOffsets<axes::Tokens> of_targets;

  Pairs(Goldens const& golden, std::string const& name) : sources(golden.ids(name + ".source")), targets(golden.ids(name + ".target")) {
    bool const is_batch = golden.has(name + ".source_offsets");
    of_sources = is_batch ? SequenceOffsets<axes::SourceTokens>::of_lengths(golden.lengths(name + ".source_offsets"))
                          : SequenceOffsets<axes::SourceTokens>::single(sources.size());
    of_targets = is_batch ? SequenceOffsets<axes::Tokens>::of_lengths(golden.lengths(name + ".target_offsets"))
                          : SequenceOffsets<axes::Tokens>::single(targets.size());
  }
};

// What the observer saw of one side: hidden states are the stack's own, attentions those of a kind.
void check_side(Capture const& capture, Goldens const& golden, std::string const& side, AttentionKind kind, std::string const& attentions) {
  for (std::size_t i = 0; golden.has(side + std::to_string(i)); ++i)
    CHECK(largest_difference(capture.all_hidden_states().at(i).elements(), golden.reals(side + std::to_string(i))) < bart_tolerance);
  std::size_t layers = 0;
  for (; golden.has(attentions + std::to_string(layers)); ++layers)
    CHECK(largest_difference((kind == AttentionKind::self ? capture.attention(layers) : capture.cross_attention(layers)).elements(),
                             golden.reals(attentions + std::to_string(layers))) < bart_tolerance);
  CHECK(layers >= 1);
}

template <class Model>
void check_sequence_to_sequence(std::string const& fixture, bool has_head) {
  CAPTURE(fixture);
  Context context = Context::with_threads(2);
  auto const model = load<Model>(goldens::models / fixture, context);
  Goldens const golden(goldens::models / fixture / "goldens.safetensors");
  for (std::string const name : {"case0", "case1", "case2", "batch"}) {
    CAPTURE(name);
    Pairs const pairs(golden, name);
    Capture encoder, decoder;
    context.observe(&encoder);
    auto const encoded = model.encode({pairs.sources, pairs.of_sources}, context);
    context.observe(&decoder);
    auto const states = model({.ids = pairs.targets, .sequences = pairs.of_targets}, {encoded, pairs.of_sources}, context);
    context.observe(nullptr);
    auto const logits = model.logits(states, context);
    CHECK(largest_difference(has_head ? logits.elements() : states.elements(), golden.reals(name + ".output")) < bart_tolerance);
    if (golden.has(name + ".encoder_last_hidden_state"))
      CHECK(largest_difference(encoded.elements(), golden.reals(name + ".encoder_last_hidden_state")) < bart_tolerance);
    if (name != "case1") continue;
    auto const at = [&](char const* part) { return name + "." + part + "."; };
    check_side(encoder, golden, at("encoder_hidden_states"), AttentionKind::self, at("encoder_attentions"));
    check_side(decoder, golden, at("decoder_hidden_states"), AttentionKind::self, at("decoder_attentions"));
    check_side(decoder, golden, at("decoder_hidden_states"), AttentionKind::cross, at("cross_attentions"));
  }
}

// The greedy tokens behind the first, with which the decoder begins; one id is never chosen.
void check_greedy(std::string const& fixture, TokenId never) {
  CAPTURE(fixture);
  Context context;
  auto const model = load<AnySequenceToSequence>(goldens::models / fixture, context);
  Goldens const golden(goldens::models / fixture / "goldens.safetensors");
  for (std::string const name : {"greedy0", "greedy1"}) {
    auto const expected = golden.ids(name + ".ids");
    GenerateOptions options{.max_length = expected.size(), .decoding = Decoding::greedy};
    options.bad_words = {{never}};
    options.decoder_start = expected.front();
    CHECK(generate(model, golden.ids(name + ".source"), options, context)[0] == expected);
  }
}

using SmallMarian = Dimensions<Const<20>, Const<2>, Const<10>, Const<24>>;

BartConfig read_bart(std::string const& text) { return read_bart_config(parse_json(text, "config.json"), "config.json"); }

StackSettings bart_side(ModelSizes const& sizes, PositionRows rows) {
  bool const is_learned = rows == PositionRows::learned;
  return {.layers = sizes.layers,
          .embedding = {.rows = rows,
                        .positions = sizes.positions,
                        .first_row = is_learned ? 2U : 0U,
                        .norm = is_learned ? EmbeddingNorm::present : EmbeddingNorm::absent}};
}

}  // namespace

TEST_CASE("BART, mBART and Marian: states, attentions of both sides and logits are transformers'") {
  check_sequence_to_sequence<Bart<>>("bart-tiny", true);
  check_sequence_to_sequence<Bart<>>("bart-bare", false);
  check_sequence_to_sequence<Bart<>>("bart-untied", true);
  check_sequence_to_sequence<MBart<>>("mbart-tiny", true);
  check_sequence_to_sequence<Marian<>>("marian-tiny", true);
  check_sequence_to_sequence<Marian<>>("marian-separate", true);
}

TEST_CASE("BART, mBART and Marian: greedy tokens are transformers', from the cache") {
  check_greedy("bart-tiny", 1);
  check_greedy("bart-untied", 1);
  check_greedy("mbart-tiny", 1);
  check_greedy("marian-tiny", 36);
  check_greedy("marian-separate", 30);
}

TEST_CASE("BART, mBART and Marian: the same bits alone, in any batch, with any number of threads, and token by token") {
  for (char const* const fixture : {"bart-tiny", "mbart-tiny", "marian-tiny", "marian-separate"}) {
    CAPTURE(fixture);
    Context alone;
    auto const model = load<AnySequenceToSequence>(goldens::models / fixture, alone);
    Goldens const golden(goldens::models / fixture / "goldens.safetensors");
    Pairs const pairs(golden, "batch");
    std::vector<std::size_t> source_of(pairs.of_sources.count());
    for (std::size_t s = 0; s < source_of.size(); ++s) source_of[s] = s;
    auto const whole = [&](Context& context) {
      auto cache = model.make_cache(model.project_source(pairs.sources, pairs.of_sources, context), source_of, 24);
      return model.all_logits(pairs.targets, pairs.of_targets, cache, context);
    };
    auto const expected = whole(alone);
    CHECK(largest_difference(expected.elements(), golden.reals("batch.output")) < bart_tolerance);
    for (std::size_t const threads : {2U, 3U}) {
      Context context = Context::with_threads(threads);
      auto const found = whole(context);
      CHECK(std::ranges::equal(found.elements(), expected.elements()));
    }
    for (std::size_t s = 0; s < source_of.size(); ++s) {
      auto const source = std::span(pairs.sources).subspan(pairs.of_sources.offset(s), pairs.of_sources.length(s));
      std::vector<std::size_t> const first{0};
      auto cache =
          model.make_cache(model.project_source(source, SequenceOffsets<axes::SourceTokens>::single(source.size()), alone), first, 24);
      for (std::size_t i = pairs.of_targets.offset(s); i < pairs.of_targets.offset(s + 1); ++i) {
        auto const last = model.last_logits(std::span(pairs.targets).subspan(i, 1), SequenceOffsets<axes::Tokens>::single(1), cache, alone);
        REQUIRE(std::ranges::equal(last.elements(), expected.row(i)));
      }
    }
  }
}

TEST_CASE("Marian: lengths in the type give the bits of free ones, and other lengths are refused by name") {
  Context context;
  auto const file = goldens::models / "marian-tiny";
  CHECK(contains(message_of<CheckpointError>([&] { load<Marian<SmallMarian>>(file, context); }),
                 "found heads 4 instead of 2, head size 5 instead of 10, inner size 28 instead of 24"));
  auto const side = bart_side({.layers = 2, .positions = 24}, PositionRows::halved_sinusoids);
  EncoderDecoderSettings const settings{.encoder = side, .decoder = side, .vocabulary = 37};
  auto const logits = [&](auto model) {
    initialize(model, {.seed = 3, .standard_deviation = 0.3}, context);
    std::vector<std::size_t> const first{0};
    std::vector<TokenId> const source{4, 5, 6}, target{1, 2};
    auto cache = model.make_cache(model.project_source(source, SequenceOffsets<axes::SourceTokens>::single(3), context), first, 2);
    return model.all_logits(target, SequenceOffsets<axes::Tokens>::single(2), cache, context);
  };
  auto const fixed = logits(Marian<SmallMarian>::create({}, {}, settings));
  auto const free = logits(Marian<>::create({20, 2, 10, 24}, {20, 2, 10, 24}, settings));
  CHECK(std::ranges::equal(fixed.elements(), free.elements()));
}

TEST_CASE("BART: its classifier's logits are transformers', of ids and of texts and pairs as its tokenizer cuts them") {
  goldens::check_logits<BartForSequenceClassification<>>({"bart-classifier"});
  Context context = Context::with_threads(2);
  auto const directory = goldens::models / "bart-classifier";
  auto const model = load<AnyModelWith<ModelHead::sequence_classification>>(directory, context);
  CHECK(model.positions() == 64);
  CHECK(model.labels() == 3);
  auto const tokenizer = Tokenizer::from_directory(directory);
  std::ifstream lines(directory / "texts.jsonl");
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    Json const json = parse_json(line, "texts.jsonl");
    auto const text = json.at("text").get<std::string>();
    auto const encoding =
        json.at("pair").is_null() ? tokenizer.encode(text) : tokenizer.encode_pair(text, json.at("pair").get<std::string>());
    CHECK(encoding.ids == json.at("ids").get<std::vector<TokenId>>());
    auto const sequences = SequenceOffsets<axes::Tokens>::single(encoding.ids.size());
    auto const logits = model({.ids = encoding.ids, .sequences = sequences}, context);
    CHECK(largest_difference(logits.elements(), json.at("logits").get<std::vector<double>>()) < bart_tolerance);
  }
  CHECK(count == 6);
  std::vector<TokenId> const endless{0, 5, 7};
  auto const sequences = SequenceOffsets<axes::Tokens>::single(3);
  CHECK_THROWS_WITH_AS(model({.ids = endless, .sequences = sequences}, context),
                       "sequence 0: found no token 2, expected at least one, for it ends the text", ArgumentError);
}

TEST_CASE("BART, mBART and Marian: every tensor of a file is read, or is a copy of one, or is said to be of no use") {
  Context context;
  auto const ignored = [&]<class Model>(char const* fixture) {
    auto const report = load_with_report<Model>(goldens::models / fixture, context).report;
    CHECK(report.missing.empty());
    std::string names;
    for (auto const& [name, why] : report.ignored) names += name + " (" + why + ") ";
    return names;
  };
  std::string const copy = " (tokens.weight, which was read under another name) ", buffer = " (a buffer, which holds nothing learned) ";
  CHECK(ignored.operator()<Bart<>>("bart-tiny").empty());
  CHECK(ignored.operator()<MBart<>>("mbart-tiny").empty());
  CHECK(ignored.operator()<Marian<>>("marian-separate").empty());
  CHECK(ignored.operator()<BartForSequenceClassification<>>("bart-classifier").empty());
  CHECK(ignored.operator()<Bart<>>("bart-bare") == "decoder.embed_tokens.weight" + copy + "decoder.version" + buffer +
                                                       "encoder.embed_tokens.weight" + copy + "encoder.version" + buffer);
  CHECK(ignored.operator()<Bart<>>("bart-untied") == "model.shared.weight" + copy);
  CHECK(ignored.operator()<Marian<>>("marian-tiny") ==
        "lm_head.weight" + copy + "model.decoder.embed_positions.weight" + buffer + "model.decoder.embed_tokens.weight" + copy +
            "model.encoder.embed_positions.weight" + buffer + "model.encoder.embed_tokens.weight" + copy);
  auto const untied = load<Bart<>>(goldens::models / "bart-untied", context);
  CHECK(untied.source_tokens.has_value());
  CHECK(untied.lm_head.weights() == HeadWeights::own);
  auto const separate = load<Marian<>>(goldens::models / "marian-separate", context);
  CHECK(separate.source_vocabulary() == 37);
  CHECK(separate.vocabulary() == 31);
  CHECK(separate.lm_head.weights() == HeadWeights::tied);
  auto const shared = load<Marian<>>(goldens::models / "marian-tiny", context);
  CHECK_FALSE(shared.source_tokens.has_value());
  CHECK(shared.lm_head.bias() == Bias::present);
}

TEST_CASE(
    "BART: which of its four names a table of tokens has in a file, and whether they are one table, is decided as transformers does") {
  // A file with these tables: encoder, decoder and head of the shared one are the same where they have the same letter; '-' is not there.
  struct File {
    char const* shared_encoder_decoder_head;
    char const* decoder;
    char const* encoder;  // null: the decoder's
    char const* head;     // likewise
  };
  char const *const shared = "shared.weight", *const encoder = "encoder.embed_tokens.weight",
                    *const decoder = "decoder.embed_tokens.weight", *const head = "lm_head.weight";
  BartConfig const tied;
  for (auto const& [letters, of_decoder, of_encoder, of_head] : {File{"aaaa", shared, nullptr, nullptr},
                                                                 {"a---", shared, nullptr, nullptr},
                                                                 {"-a--", encoder, nullptr, nullptr},
                                                                 {"--a-", decoder, nullptr, nullptr},
                                                                 {"---a", head, nullptr, nullptr},
                                                                 {"-aa-", decoder, nullptr, nullptr},
                                                                 {"abcd", decoder, encoder, head},
                                                                 {"abc-", decoder, encoder, shared},
                                                                 {"a--b", shared, nullptr, head},
                                                                 {"ab--", shared, encoder, nullptr},
                                                                 {"-abb", decoder, encoder, nullptr}}) {
    CAPTURE(std::string(letters));
    test::TemporaryDirectory const directory;
    std::string header, data;
    for (std::size_t i = 0; i < 4; ++i) {
      if (letters[i] == '-') continue;
      std::string const begin = std::to_string(data.size());
      data += std::string(8, letters[i]);
      header += (header.empty() ? "{" : ",") + std::string("\"model.") + std::array{shared, encoder, decoder, head}[i] +
                R"(":{"dtype":"F32","shape":[1,2],"data_offsets":[)" + begin + "," + std::to_string(data.size()) + "]}";
    }
    std::string file = test::raw_safetensors(header + "}", 0) + data;
    test::write_bytes(directory / "model.safetensors", file);
    auto const tables = internal::find_bart_tables(Checkpoint::open(directory.path()), bart_names("BART"), tied);
    auto const or_null = [](char const* name) { return name == nullptr ? std::nullopt : std::optional<std::string>(name); };
    CHECK(tables.decoder == of_decoder);
    CHECK(tables.encoder == or_null(of_encoder));
    CHECK(tables.head == or_null(of_head));
  }
}

TEST_CASE("BART, mBART and Marian: the numbers of parameters of published models are transformers'") {
  // With `final_logits_bias`, which PyTorch has for a buffer; sines, which it has for parameters, do not count.
  auto const count = []<class D>(D, PositionRows rows, Bias bias, auto recipe) {
    auto const side = bart_side(D::sizes, rows);
    return count_parameters(EncoderDecoder<D, decltype(recipe)>::create(
        {}, {}, {.encoder = side, .decoder = side, .vocabulary = D::sizes.vocabulary, .head_bias = bias}));
  };
  using enum PositionRows;
  CHECK(count(OpusMtEnDe{}, halved_sinusoids, Bias::present, PostNormRecipe{}) == 73'886'208 + 58'101);
  CHECK(count(BartBase{}, learned, Bias::absent, PostNormRecipe{}) == 139'420'416);
  CHECK(count(BartLarge{}, learned, Bias::present, PostNormRecipe{}) == 406'291'456 + 50'265);
  CHECK(count(BartLargeCnn{}, learned, Bias::present, PostNormRecipe{}) == 406'290'432 + 50'264);
  CHECK(count(MBartLarge50{}, learned, Bias::present, PreNormRecipe{}) == 610'879'488 + 250'054);
}

TEST_CASE("BART, mBART and Marian: weights that were saved in F16 are kept so in half the memory, and give the same bits") {
  Context context;
  std::vector<TokenId> const source{5, 6, 7}, target{2, 4};
  std::vector<std::size_t> const first{0};
  for (char const* const fixture : {"bart-untied", "mbart-tiny", "marian-separate"}) {
    CAPTURE(std::string(fixture));
    auto const run = [&](LoadOptions const& options) {
      auto const model = load<AnySequenceToSequence>(goldens::models / fixture, options, context);
      auto cache = model.make_cache(model.project_source(source, SequenceOffsets<axes::SourceTokens>::single(3), context), first, 4);
      return std::pair(model.last_logits(target, SequenceOffsets<axes::Tokens>::single(2), cache, context), weight_bytes(model));
    };
    auto const [floats, bytes] = run({});
    auto const [halves, fewer_bytes] = run({.weights = WeightFormat::f16});
    CHECK(std::ranges::equal(halves.elements(), floats.elements()));
    CHECK(fewer_bytes < bytes * 6 / 10);  // biases and norms stay floats
  }
}

TEST_CASE("BART, mBART and Marian: architectures picks the type, and a config without them means the model alone") {
  Context context;
  CHECK(std::holds_alternative<MBart<>>(load_any(goldens::models / "mbart-tiny", context)));
  auto const bare = load_any(goldens::models / "bart-bare", context);
  CHECK(hugging_face_modules(std::get<Bart<>>(bare), ModelHead::encoder_and_decoder).description == "BartModel");
  // Without the name of a class it is the model alone.
  ChangedFixture const nameless("bart-bare", {{"architectures", Json::array()}});
  CHECK(std::holds_alternative<Bart<>>(load_any(nameless.directory(), context)));
}

TEST_CASE("BART, mBART and Marian: the configs of published models are read") {
  auto const opus = read_bart(R"({"_name_or_path": "/tmp/Helsinki-NLP/opus-mt-en-de", "_num_labels": 3, "activation_dropout": 0.0,
      "activation_function": "swish", "add_bias_logits": false, "add_final_layer_norm": false, "architectures": ["MarianMTModel"],
      "attention_dropout": 0.0, "bad_words_ids": [[58100]], "bos_token_id": 0, "classif_dropout": 0.0, "classifier_dropout": 0.0, "d_model": 512,
      "decoder_attention_heads": 8, "decoder_ffn_dim": 2048, "decoder_layerdrop": 0.0, "decoder_layers": 6, "decoder_start_token_id": 58100,
      "decoder_vocab_size": 58101, "dropout": 0.1, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048, "encoder_layerdrop": 0.0,
      "encoder_layers": 6, "eos_token_id": 0, "extra_pos_embeddings": 58101, "force_bos_token_to_be_generated": false, "forced_eos_token_id": 0,
      "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, "init_std": 0.02, "is_encoder_decoder": true,
      "label2id": {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, "max_length": 512, "max_position_embeddings": 512, "model_type": "marian",
      "normalize_before": false, "normalize_embedding": false, "num_beams": 4, "num_hidden_layers": 6, "pad_token_id": 58100,
      "scale_embedding": true, "share_encoder_decoder_embeddings": true, "static_position_embeddings": true,
      "transformers_version": "4.22.0.dev0", "use_cache": true, "vocab_size": 58101})");
  CHECK(opus.encoder_sizes == OpusMtEnDe::sizes);
  CHECK(opus.decoder_sizes == OpusMtEnDe::sizes);
  CHECK(opus.encoder.hidden == 512);
  CHECK(opus.decoder.inner == 2048);
  CHECK(opus.activation == Activation::silu);
  CHECK(opus.embedding.scale == std::sqrt(512.0f));
  CHECK(opus.embedding.rows == PositionRows::halved_sinusoids);
  CHECK(opus.embedding.norm == EmbeddingNorm::absent);
  CHECK_FALSE(opus.has_separate_tables);
  CHECK(opus.end_of_text_ids == std::vector<std::size_t>{0});
  CHECK(opus.decoder_start == 58100);
  CHECK(opus.printed.class_prefix == "Marian");

  auto const base =
      read_bart(R"({"_name_or_path": "bart-base", "activation_dropout": 0.1, "activation_function": "gelu", "add_bias_logits": false,
      "add_final_layer_norm": false, "architectures": ["BartModel"], "attention_dropout": 0.1, "bos_token_id": 0, "classif_dropout": 0.1,
      "classifier_dropout": 0.0, "d_model": 768, "decoder_attention_heads": 12, "decoder_ffn_dim": 3072, "decoder_layerdrop": 0.0,
      "decoder_layers": 6, "decoder_start_token_id": 2, "dropout": 0.1, "early_stopping": true, "encoder_attention_heads": 12,
      "encoder_ffn_dim": 3072, "encoder_layerdrop": 0.0, "encoder_layers": 6, "eos_token_id": 2, "forced_bos_token_id": 0,
      "forced_eos_token_id": 2, "gradient_checkpointing": false, "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, "init_std": 0.02,
      "is_encoder_decoder": true, "label2id": {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}, "max_position_embeddings": 1024, "model_type": "bart",
      "no_repeat_ngram_size": 3, "normalize_before": false, "normalize_embedding": true, "num_beams": 4, "num_hidden_layers": 6,
      "pad_token_id": 1, "scale_embedding": false, "task_specific_params": {"summarization": {"length_penalty": 1.0, "max_length": 128,
      "min_length": 12, "num_beams": 4}}, "torch_dtype": "float32", "transformers_version": "4.12.0.dev0", "use_cache": true,
      "vocab_size": 50265})");
  CHECK(base.encoder_sizes == BartBase::sizes);
  CHECK(base.decoder_sizes == BartBase::sizes);
  CHECK(base.decoder.head_size == 64);
  CHECK(base.embedding.scale == 1.0f);
  CHECK(base.embedding.first_row == 2);
  CHECK(base.embedding.norm == EmbeddingNorm::present);
  CHECK(base.head_weights == HeadWeights::tied);

  auto const mnli =
      parse_json(R"({"_num_labels": 3, "activation_dropout": 0.0, "activation_function": "gelu", "add_final_layer_norm": false,
      "architectures": ["BartForSequenceClassification"], "attention_dropout": 0.0, "bos_token_id": 0, "classif_dropout": 0.0,
      "classifier_dropout": 0.0, "d_model": 1024, "decoder_attention_heads": 16, "decoder_ffn_dim": 4096, "decoder_layerdrop": 0.0,
      "decoder_layers": 12, "decoder_start_token_id": 2, "dropout": 0.1, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096,
      "encoder_layerdrop": 0.0, "encoder_layers": 12, "eos_token_id": 2, "forced_eos_token_id": 2, "gradient_checkpointing": false,
      "id2label": {"0": "contradiction", "1": "neutral", "2": "entailment"}, "init_std": 0.02, "is_encoder_decoder": true,
      "label2id": {"contradiction": 0, "entailment": 2, "neutral": 1}, "max_position_embeddings": 1024, "model_type": "bart",
      "normalize_before": false, "num_hidden_layers": 12, "output_past": false, "pad_token_id": 1, "scale_embedding": false,
      "transformers_version": "4.7.0.dev0", "use_cache": true, "vocab_size": 50265})",
                 "config.json");
  CHECK(model_head(mnli, "config.json") == ModelHead::sequence_classification);
  CHECK(read_bart_config(mnli, "config.json").encoder_sizes == BartLarge::sizes);
  CHECK(read_label_config(mnli, "config.json").labels == std::vector<std::string>{"contradiction", "neutral", "entailment"});

  auto const cnn = read_bart(R"({"_num_labels": 3, "activation_dropout": 0.0, "activation_function": "gelu", "add_final_layer_norm": false,
      "architectures": ["BartForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": 0, "classif_dropout": 0.0, "d_model": 1024,
      "decoder_attention_heads": 16, "decoder_ffn_dim": 4096, "decoder_layerdrop": 0.0, "decoder_layers": 12, "decoder_start_token_id": 2,
      "dropout": 0.1, "early_stopping": true, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "encoder_layerdrop": 0.0,
      "encoder_layers": 12, "eos_token_id": 2, "force_bos_token_to_be_generated": true, "forced_bos_token_id": 0, "forced_eos_token_id": 2,
      "id2label": {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}, "init_std": 0.02, "is_encoder_decoder": true, "length_penalty": 2.0,
      "max_length": 142, "max_position_embeddings": 1024, "min_length": 56, "model_type": "bart", "no_repeat_ngram_size": 3,
      "normalize_before": false, "num_beams": 4, "num_hidden_layers": 12, "output_past": true, "pad_token_id": 1, "prefix": " ",
      "scale_embedding": false, "task_specific_params": {"summarization": {"early_stopping": true}}, "vocab_size": 50264})");
  CHECK(cnn.encoder_sizes == BartLargeCnn::sizes);

  auto const mbart = read_mbart_config(parse_json(R"({"_num_labels": 3, "activation_dropout": 0.0, "activation_function": "relu",
      "add_bias_logits": false, "add_final_layer_norm": true, "architectures": ["MBartForConditionalGeneration"], "attention_dropout": 0.0,
      "bos_token_id": 0, "classif_dropout": 0.0, "classifier_dropout": 0.0, "d_model": 1024, "decoder_attention_heads": 16,
      "decoder_ffn_dim": 4096, "decoder_layerdrop": 0.0, "decoder_layers": 12, "decoder_start_token_id": 2, "dropout": 0.1,
      "early_stopping": true, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "encoder_layerdrop": 0.0, "encoder_layers": 12,
      "eos_token_id": 2, "forced_eos_token_id": 2, "gradient_checkpointing": false, "id2label": {"0": "LABEL_0", "1": "LABEL_1",
      "2": "LABEL_2"}, "init_std": 0.02, "is_encoder_decoder": true, "max_length": 200, "max_position_embeddings": 1024, "model_type": "mbart",
      "normalize_before": true, "normalize_embedding": true, "num_beams": 5, "num_hidden_layers": 12, "output_past": true, "pad_token_id": 1,
      "scale_embedding": true, "static_position_embeddings": false, "transformers_version": "4.4.0.dev0", "use_cache": true,
      "vocab_size": 250054, "tokenizer_class": "MBart50Tokenizer"})",
                                                  "config.json"),
                                       "config.json");
  CHECK(mbart.decoder_sizes == MBartLarge50::sizes);
  CHECK(mbart.activation == Activation::relu);
  CHECK(mbart.embedding.scale == 32.0f);
  CHECK(mbart.printed.class_prefix == "MBart");
}

TEST_CASE("BART, mBART and Marian: what a config leaves out has transformers' defaults, and what is not supported is refused by name") {
  auto const least = read_bart(R"({"model_type":"bart"})");
  CHECK(least.encoder_sizes == BartLarge::sizes);
  CHECK(least.encoder.inner == 4096);
  CHECK(least.activation == Activation::gelu);
  CHECK(least.decoder_start == 2);
  CHECK(least.printed.padding_id == 1);
  CHECK(read_bart(R"({"model_type":"bart","decoder_start_token_id":null})").decoder_start == std::nullopt);
  auto const marian = read_bart(R"({"model_type":"marian","share_encoder_decoder_embeddings":false,"decoder_vocab_size":9})");
  CHECK(marian.has_separate_tables);
  CHECK(marian.encoder_sizes.vocabulary == 58101);
  CHECK(marian.decoder_sizes.vocabulary == 9);
  struct Refused {
    char const* config;
    char const* message;
  };
  for (auto const& [config, message] : std::initializer_list<Refused>{
           {R"({"model_type":"bart","activation_function":"quick_gelu"})", "activation_function: found the activation \"quick_gelu\""},
           {R"({"model_type":"bart","normalize_before":true})", "normalize_before: found true"},
           {R"({"model_type":"bart","add_final_layer_norm":true})", "add_final_layer_norm: found true"},
           {R"({"model_type":"bart","is_encoder_decoder":false})", "is_encoder_decoder: found false"},
           {R"({"model_type":"bart","is_decoder":true})", "is_decoder: found true"},
           {R"({"model_type":"marian","static_position_embeddings":false})", "static_position_embeddings: found false"},
           {R"({"model_type":"marian","vocab_size":10,"decoder_vocab_size":9})",
            "decoder_vocab_size: found 9, which is not supported; expected the vocab_size, 10, of the table that is shared"},
           {R"({"model_type":"mbart"})", "model_type: found an mBART, which is not supported; expected a BART or Marian"}})
    CHECK(contains(message_of<CheckpointError>([&, text = config] { read_bart(text); }), message));
  for (auto const& [config, message] :
       std::initializer_list<Refused>{{R"({"model_type":"bart","d_model":20,"encoder_attention_heads":2,"decoder_attention_heads":3})",
                                       "found a hidden size of 20 and 3 heads"},
                                      {R"({"model_type":"bart","encoder_layers":0})", "encoder_layers: found 0"},
                                      {R"({"model_type":"bart","eos_token_id":4294967298})", "eos_token_id: found 4294967298"},
                                      // A table of sines is computed whole, and no tensor contradicts its length.
                                      {R"({"model_type":"marian","max_position_embeddings":4194304})", "max_position_embeddings: found 4194304"}})
    CHECK(contains(message_of<FormatError>([&, text = config] { read_bart(text); }), message));
}

TEST_CASE("BART, mBART and Marian: files that do not fit their config, and sources that are too long, are said once") {
  Context context;
  ChangedFixture const vocabulary("bart-bare", {{"vocab_size", 36}});
  CHECK(contains(message_of<CheckpointError>([&] { load<Bart<>>(vocabulary.directory(), context); }),
                 "1 tensor does not fit this BART: shared.weight: found shape [37, 20], expected [36, 20]"));
  ChangedFixture const layers("bart-bare", {{"encoder_layers", 1}});
  CHECK(contains(message_of<CheckpointError>([&] { load<Bart<>>(layers.directory(), context); }),
                 "encoder.layers.1.fc1.bias: not part of this model"));
  ChangedFixture const labels("bart-classifier", {{"id2label", {{"0", "no"}, {"1", "yes"}}}});
  CHECK(contains(message_of<CheckpointError>([&] { load<BartForSequenceClassification<>>(labels.directory(), context); }),
                 "classification_head.out_proj.weight: found shape [3, 16], expected [2, 16]"));
  CHECK(
      contains(message_of<CheckpointError>([&] { load<Bart<>>(goldens::models / "mbart-tiny", context); }), "model_type: found an mBART"));
  CHECK(contains(message_of<CheckpointError>([&] { load<AnyCausalModel>(goldens::models / "bart-tiny", context); }),
                 "model_type: found a BART"));
  CHECK(contains(message_of<CheckpointError>([&] { load<AnySequenceToSequence>(goldens::models / "gpt2-tiny", context); }),
                 "model_type: found a GPT-2, which is not supported; expected a"));
  auto const model = load<Marian<>>(goldens::models / "marian-tiny", context);
  std::vector<TokenId> const ids(25, 3);
  auto const sequences = SequenceOffsets<axes::SourceTokens>::single(25);
  CHECK_THROWS_WITH_AS(model.project_source(ids, sequences, context),
                       "source 0: found 25 tokens, expected at most the model's 24 positions", ArgumentError);
}
