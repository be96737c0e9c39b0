// modules.json and what it names, in the layouts of sentence-transformers 2 to 6: read, or refused by name.
#include <doctest/doctest.h>
#include <axiform/io/reranker_config.hpp>
#include <axiform/io/sentence_config.hpp>

#include <filesystem>
#include <string>

#include "support/files.hpp"

using namespace axiform;

namespace {

std::string const modules_begin = R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                                      {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"})";

struct Folder : test::TemporaryDirectory {
  void write(char const* name, std::string const& text) const {
    std::filesystem::create_directories((*this / name).parent_path());
    test::write_bytes(*this / name, text);
  }
  std::string file(char const* name) const { return (*this / name).string(); }
};

std::vector<Pooling> poolings(Folder const& folder, std::string const& config) {
  folder.write("1_Pooling/config.json", config);
  return read_sentence_config(folder).pooling;
}

}  // namespace

TEST_CASE("sentence config: poolings of the old and the new layout, one or several") {
  Folder const folder{};
  folder.write("modules.json", modules_begin + "]");
  using enum Pooling;
  CHECK(poolings(folder, R"({"pooling_mode_cls_token": true})") == std::vector{first_token});
  CHECK(poolings(folder, R"({"pooling_mode_lasttoken": true, "pooling_mode_cls_token": true, "pooling_mode_max_tokens": false})") ==
        std::vector{first_token, last_token});
  CHECK(poolings(folder, R"({"pooling_mode_weightedmean_tokens": true, "pooling_mode_mean_sqrt_len_tokens": true})") ==
        std::vector{mean_sqrt_length, weighted_mean});
  CHECK(poolings(folder, R"({"pooling_mode": "max"})") == std::vector{maximum});
  CHECK(poolings(folder, R"({"pooling_mode": ["lasttoken", "mean", "cls"], "pooling_mode_max_tokens": true})") ==
        std::vector{last_token, mean, first_token});
  CHECK(poolings(folder, R"({"pooling_mode_cls_token": false})") == std::vector{mean});
  CHECK(poolings(folder, "{}") == std::vector{mean});
  CHECK_THROWS_WITH_AS(poolings(folder, R"({"pooling_mode": "median"})"),
                       (folder.file("1_Pooling/config.json") +
                        ": pooling_mode: found \"median\", expected cls, max, mean, mean_sqrt_len_tokens, weightedmean or lasttoken")
                           .c_str(),
                       CheckpointError);
  CHECK_THROWS_AS(poolings(folder, R"({"pooling_mode_median_tokens": true})"), CheckpointError);
  CHECK_THROWS_AS(poolings(folder, R"({"pooling_mode": 3})"), FormatError);
  CHECK_THROWS_AS(poolings(folder, R"({"pooling_mode_cls_token": 3})"), FormatError);
}

TEST_CASE("sentence config: modules, prompts and lengths are read") {
  Folder const folder{};
  folder.write("modules.json", R"([{"type": "sentence_transformers.base.modules.transformer.Transformer", "path": "0_Transformer"},
    {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
    {"type": "sentence_transformers.models.Dense", "path": "2_Dense"},
    {"type": "sentence_transformers.models.Normalize", "path": "3_Normalize"}])");
  folder.write("1_Pooling/config.json", R"({"word_embedding_dimension": 768, "pooling_mode_mean_tokens": true, "include_prompt": false})");
  folder.write("2_Dense/config.json", R"({"in_features": 768, "out_features": 512, "bias": false,
                                          "activation_function": "torch.nn.modules.linear.Identity"})");
  folder.write("0_Transformer/sentence_distilbert_config.json", R"({"max_seq_length": 128, "do_lower_case": true})");
  folder.write("config_sentence_transformers.json", R"({"prompts": {"query": "q: ", "none": null}, "default_prompt_name": "query",
                                                        "similarity_fn_name": "dot"})");
  auto const config = read_sentence_config(folder);
  CHECK(config.transformer == std::filesystem::path(folder) / "0_Transformer");
  CHECK(config.pooling_width == 768);
  CHECK(config.prompt_pooling == PromptPooling::excluded);
  REQUIRE(config.modules.size() == 2);
  auto const& dense = std::get<DenseConfig>(config.modules[0]);
  CHECK(dense.directory == std::filesystem::path(folder) / "2_Dense");
  CHECK(dense.inputs == 768);
  CHECK(dense.outputs == 512);
  CHECK(dense.bias == DensePart::absent);
  CHECK(dense.residual == DensePart::absent);
  CHECK(dense.activation == Activation::none);
  CHECK(std::get<Normalization>(config.modules[1]) == Normalization::unit_length);
  CHECK(config.max_sequence_length == 128);
  CHECK(config.lower_case == LowerCase::required);
  CHECK(config.settings == folder.file("0_Transformer/sentence_distilbert_config.json"));
  CHECK(config.prompts == std::map<std::string, std::string>{{"none", ""}, {"query", "q: "}});
  CHECK(config.default_prompt_name == "query");
  CHECK(config.score == ScoreFunction::dot);
}

TEST_CASE("sentence config: a directory that is a transformer alone has the mean of its tokens") {
  Folder const folder{};
  folder.write("config.json", "{}");
  auto const config = read_sentence_config(folder);
  CHECK(config.pooling == std::vector{Pooling::mean});
  CHECK(config.modules.empty());
  CHECK(config.transformer == std::filesystem::path(folder));
}

TEST_CASE("sentence config: what is not supported is refused by name") {
  Folder const folder{};
  folder.write("1_Pooling/config.json", "{}");
  auto const refused = [&](std::string const& modules) {
    folder.write("modules.json", modules);
    CHECK_THROWS_AS(read_sentence_config(folder), CheckpointError);
  };
  folder.write("modules.json", modules_begin + R"(, {"type": "sentence_transformers.models.CNN", "path": "2_CNN"}])");
  CHECK_THROWS_WITH_AS(read_sentence_config(folder),
                       (folder.file("modules.json") + ": found the module sentence_transformers.models.CNN, expected Transformer, Pooling, "
                                                      "Dense, Normalize or Dropout")
                           .c_str(),
                       CheckpointError);
  refused(modules_begin + R"(, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}])");
  refused(R"([{"type": "x.Pooling", "path": "1_Pooling"}])");
  refused(R"([{"type": "x.Transformer", "path": ""}])");
  refused(R"([{"type": "x.Transformer", "path": ""}, {"type": "x.Normalize", "path": ""}, {"type": "x.Pooling", "path": "1_Pooling"}])");
  folder.write("modules.json", "{}");
  CHECK_THROWS_AS(read_sentence_config(folder), FormatError);
  for (char const* path : {"/etc", "../elsewhere", "a/../../b"}) {
    folder.write("modules.json", std::string(R"([{"type": "x.Transformer", "path": ")") + path + "\"}]");
    CHECK_THROWS_AS(read_sentence_config(folder), FormatError);
  }

  folder.write("modules.json", modules_begin + R"(, {"type": "x.Dense", "path": "2_Dense"}])");
  auto const dense = [&](std::string const& config) {
    folder.write("2_Dense/config.json", config);
    read_sentence_config(folder);
  };
  CHECK_NOTHROW(dense(R"({"in_features": 3, "out_features": 4})"));
  CHECK_THROWS_AS(dense(R"({"in_features": 3, "out_features": 4, "activation_function": "torch.nn.modules.activation.PReLU"})"),
                  CheckpointError);
  CHECK_THROWS_AS(dense(R"({"in_features": 3, "out_features": 4, "activation_function": "my.Tanh"})"), CheckpointError);
  CHECK_THROWS_AS(dense(R"({"in_features": 3, "out_features": 4, "module_input_name": "token_embeddings"})"), CheckpointError);
  CHECK_THROWS_AS(dense(R"({"in_features": 0, "out_features": 4})"), FormatError);
  CHECK_THROWS_AS(dense(R"({"in_features": 3})"), FormatError);

  folder.write("modules.json", modules_begin + "]");
  folder.write("sentence_bert_config.json", R"({"transformer_task": "fill-mask"})");
  CHECK_THROWS_AS(read_sentence_config(folder), CheckpointError);
  folder.write("sentence_bert_config.json", "{}");
  folder.write("config_sentence_transformers.json", R"({"model_type": "SparseEncoder"})");
  CHECK_THROWS_AS(read_sentence_config(folder), CheckpointError);
  folder.write("config_sentence_transformers.json", R"({"prompts": {"query": "q"}, "default_prompt_name": "passage"})");
  CHECK_THROWS_AS(read_sentence_config(folder), CheckpointError);
  folder.write("config_sentence_transformers.json", R"({"prompts": ["query"]})");
  CHECK_THROWS_AS(read_sentence_config(folder), FormatError);
}

TEST_CASE("reranker config: the activation is where any version of sentence-transformers put it, and a sigmoid otherwise") {
  Folder const folder{};
  folder.write("config.json", "{}");
  CHECK(read_score_activation(folder) == ScoreActivation::sigmoid);
  folder.write("config.json", R"({"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"})");
  CHECK(read_score_activation(folder) == ScoreActivation::none);
  folder.write("config.json", R"({"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "4.0"},
                                  "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"})");
  CHECK(read_score_activation(folder) == ScoreActivation::sigmoid);
  folder.write("config_sentence_transformers.json",
               R"({"activation_fn": "torch.nn.modules.linear.Identity", "default_prompt_name": null})");
  CHECK(read_score_activation(folder) == ScoreActivation::none);
  folder.write("config_sentence_transformers.json", R"({"activation_fn": "torch.nn.modules.activation.Tanh"})");
  CHECK_THROWS_AS(read_score_activation(folder), CheckpointError);
  folder.write("config_sentence_transformers.json", R"({"prompts": {"a": "b"}, "default_prompt_name": "a"})");
  CHECK_THROWS_AS(read_score_activation(folder), CheckpointError);
  folder.write("config_sentence_transformers.json", "{}");
  folder.write("modules.json", R"([{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "1_Dense"}])");
  CHECK_THROWS_AS(read_score_activation(folder), CheckpointError);
}

TEST_CASE("sentence config: a GGUF file says how to pool, and its embeddings are of unit length") {
  std::filesystem::path const models = std::filesystem::path(AXIFORM_FIXTURES) / "models/gguf";
  auto const bert = read_sentence_config(models / "bert-tiny.gguf");
  CHECK(bert.pooling == std::vector<Pooling>{Pooling::first_token});
  REQUIRE(bert.modules.size() == 1);
  CHECK(std::get<Normalization>(bert.modules[0]) == Normalization::unit_length);
  CHECK(read_sentence_config(models / "llama-tiny.gguf").pooling == std::vector<Pooling>{Pooling::mean});
}
