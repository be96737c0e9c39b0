// Valid files, changed at random (the same way in every run): each either still loads or gives an axiform::Error, and nothing else.
#include <axiform/io/checkpoint.hpp>
#include <axiform/io/gguf.hpp>
#include <axiform/io/safetensors.hpp>
#include <axiform/io/safetensors_writer.hpp>
#include <axiform/io/torch_file.hpp>
#include <axiform/models/known.hpp>

#include <doctest/doctest.h>

#include <array>
#include <random>

#include "support/files.hpp"

using namespace axiform;
using namespace axiform::test;

namespace {

/// Changes bytes, and, because most of what matters is in numbers and punctuation, puts tokens in their place.
class Mutator {
 public:
  explicit Mutator(std::uint32_t seed) : random_(seed) {}

  std::string operator()(std::string text) {
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(text);
    return text;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }  // Not a distribution: those differ between libraries.

  void change(std::string& text) {
    static constexpr std::array<std::string_view, 22> tokens{"0",
                                                             "-1",
                                                             "18446744073709551615",
                                                             "18446744073709551616",
                                                             "9223372036854775808",
                                                             "4294967296",
                                                             "1e308",
                                                             "1e-400",
                                                             "0.5",
                                                             "{",
                                                             "}",
                                                             "[",
                                                             "]",
                                                             "\"",
                                                             ",",
                                                             ":",
                                                             "null",
                                                             "\"F16\"",
                                                             "\"\"",
                                                             "\\u0000",
                                                             "\xff",
                                                             "true"};
    std::size_t const at = text.empty() ? 0 : below(text.size());
    std::size_t const length = std::min(text.size() - at, 1 + below(8));
    switch (below(7)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 1:
        if (!text.empty()) text[at] = static_cast<char>(below(256));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(below(text.size() + 1), 1 + below(40)));
        break;
      case 4:
        text.resize(at);
        break;
      default: {  // A number or a byte becomes a token.
        std::size_t const digit = text.find_first_of("0123456789", at);
        std::size_t const begin = digit == text.npos || below(2) ? at : digit;
        std::size_t end = begin;
        while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
        text.replace(begin, std::max<std::size_t>(end - begin, begin < text.size()), tokens[below(tokens.size())]);
      }
    }
  }

  std::mt19937 random_;
};

struct Outcomes {
  std::size_t taken = 0, refused = 0;
};

/// Runs `action` on mutations of `valid`. An exception that is not an axiform::Error ends the test.
Outcomes mutate(std::string const& valid, std::uint32_t seed, std::size_t count, auto&& action) {
  Mutator mutator(seed);
  Outcomes outcomes;
  for (std::size_t i = 0; i < count; ++i) {
    std::string const mutated = mutator(valid);
    try {
      action(mutated);
      ++outcomes.taken;
    } catch (Error const& error) {
      if (std::strlen(error.what()) > 2000) FAIL_CHECK("a message of " << std::strlen(error.what()) << " bytes");
      ++outcomes.refused;
    } catch (std::exception const& error) {
      FAIL_CHECK("mutation " << i << " gave another exception: " << error.what());
    }
  }
  return outcomes;
}

void read_all(TensorFile const& file) {
  for (TensorInfo const& info : file.tensors()) {
    CHECK(file.find(info.name) == &info);
    if (info.order == ElementOrder::strided) continue;  // An expanded view is as large as it likes, and is not read.
    REQUIRE(info.bytes < 10'000);
    std::vector<std::byte> bytes(info.bytes);
    if (info.order == ElementOrder::rows) file.read(info, bytes);
    std::vector<float> floats(info.element_count());
    if (info.has_floats()) file.read_floats(info, 0, floats);
  }
}

std::string valid_safetensors(TemporaryDirectory const& directory) {
  std::array<float, 6> const floats{1, 2, 3, 4, 5, 6};
  std::array<std::uint16_t, 4> const halves{1, 2, 3, 4};
  std::vector<TensorData> const tensors{tensor_data("a.weight", {2, 3}, floats),
                                        {"b", ElementType::f16, {4}, std::as_bytes(std::span(halves))},
                                        tensor_data("empty", {0}, {})};
  write_safetensors(directory / "valid", tensors, {{"format", "pt"}});
  return read_bytes(directory / "valid");
}

}  // namespace

TEST_CASE("hostile input: mutated safetensors files load or are refused") {
  TemporaryDirectory directory;
  std::string const valid = valid_safetensors(directory);
  auto const outcomes = mutate(valid, 1, 4000, [&](std::string const& bytes) {
    write_bytes(directory / "m", bytes);
    read_all(SafetensorsFile::open(directory / "m"));
  });
  CHECK(outcomes.taken > 20);
  CHECK(outcomes.refused > 2000);
}

TEST_CASE("hostile input: mutated safetensors headers of the right length load or are refused") {
  TemporaryDirectory directory;
  std::string const valid = valid_safetensors(directory);
  std::string const header = valid.substr(8, valid.size() - 8 - 32);
  auto const outcomes = mutate(header, 2, 4000, [&](std::string const& mutated) {
    write_bytes(directory / "m", raw_safetensors(mutated, 32));
    read_all(SafetensorsFile::open(directory / "m"));
  });
  CHECK(outcomes.taken > 20);
  CHECK(outcomes.refused > 2000);
}

TEST_CASE("hostile input: mutated GGUF files load or are refused") {
  TemporaryDirectory directory;
  std::uint32_t seed = 12;
  for (std::string const name : {"metadata.gguf", "tensors.gguf"}) {
    CAPTURE(name);
    std::string const valid = read_bytes(std::filesystem::path(AXIFORM_FIXTURES) / "io" / "gguf" / name);
    std::size_t const header = std::min<std::size_t>(valid.size(), 1500);  // Elsewhere, changes mean little.
    auto const outcomes = mutate(valid.substr(0, header), seed++, 4000, [&](std::string const& mutated) {
      write_bytes(directory / "m", mutated + valid.substr(header));
      auto const file = GgufFile::open(directory / "m");
      for (auto const key : file.keys()) CHECK(file.metadata(key).describe() != "");
      read_all(file);
    });
    CHECK(outcomes.taken > 20);
    CHECK(outcomes.refused > 1000);
  }
}

TEST_CASE("hostile input: mutated pickles of tensors load or are refused, in archives and without") {
  TemporaryDirectory directory;
  std::uint32_t seed = 7;
  for (char const* name : {"views/zip.bin", "views/legacy.bin", "nested/zip.bin", "nested/legacy.bin"}) {
    CAPTURE(name);
    std::string const valid = read_bytes(std::filesystem::path(AXIFORM_FIXTURES) / "models" / "pickled" / name);
    auto const outcomes = mutate(valid, seed++, 4000, [&](std::string const& bytes) {
      write_bytes(directory / "m", bytes);
      read_all(TorchFile::open(directory / "m"));
    });
    CHECK(outcomes.taken > 20);
    CHECK(outcomes.refused > 1000);
  }
}

TEST_CASE("hostile input: mutated pickles in archives that are whole load or are refused") {
  TemporaryDirectory directory;
  std::string const valid = read_bytes(std::filesystem::path(AXIFORM_FIXTURES) / "models" / "pickled" / "views" / "zip.bin");
  std::size_t const begin = valid.find("\x80\x02}"), end = valid.find("PK", begin);
  REQUIRE(end != valid.npos);
  std::string const pickle = valid.substr(begin, end - begin);
  auto const outcomes = mutate(pickle, 11, 8000, [&](std::string mutated) {
    mutated.resize(pickle.size(), '.');
    write_bytes(directory / "m", valid.substr(0, begin) + mutated + valid.substr(end));
    read_all(TorchFile::open(directory / "m"));
  });
  CHECK(outcomes.taken > 20);
  CHECK(outcomes.refused > 2000);
}

TEST_CASE("hostile input: mutated JSON is parsed or refused, and what is parsed survives being written") {
  std::string const valid = R"({"a":[1,2.5,-3,{"b":null,"c":[true,false]}],"text":"\u00e9\ud83d\ude00 \"x\"","e":{},"n":1e10})";
  auto const outcomes = mutate(valid, 3, 20'000, [](std::string const& text) {
    Json const json = parse_json(text, "t");
    Json const again = parse_json(dump_json(json), "t");
    CHECK(again == json);
  });
  CHECK(outcomes.taken > 500);
  CHECK(outcomes.refused > 5000);
}

TEST_CASE("hostile input: mutated configs are read or refused, and what is read is sane") {
  std::string const bert = R"({"model_type":"bert","architectures":["BertModel"],"vocab_size":30522,"hidden_size":384,"num_hidden_layers":6,
      "num_attention_heads":12,"intermediate_size":1536,"hidden_act":"gelu","max_position_embeddings":512,"type_vocab_size":2,
      "layer_norm_eps":1e-12,"pad_token_id":0,"is_decoder":false})";
  auto const berts = mutate(bert, 4, 5000, [](std::string const& text) {
    auto const config = read_bert_config(parse_json(text, "config.json"), "config.json");
    auto const& [hidden, heads, head_size, inner, key_heads] = config.dimensions;
    CHECK((head_size > 0 && head_size * heads == hidden && config.sizes.layers > 0 && config.sizes.vocabulary > 0));
    CHECK((config.layer_norm_epsilon >= 0 && config.layer_norm_epsilon < 1));
  });
  CHECK(berts.taken > 300);
  CHECK(berts.refused > 2000);
  std::string const gpt2 = R"({"model_type":"gpt2","n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"n_ctx":1024,"n_inner":null,
      "vocab_size":50257,"activation_function":"gelu_new","layer_norm_epsilon":1e-05,"eos_token_id":50256,"scale_attn_weights":true})";
  auto const gpt2s = mutate(gpt2, 5, 5000, [](std::string const& text) {
    auto const config = read_gpt2_config(parse_json(text, "config.json"), "config.json");
    auto const& [hidden, heads, head_size, inner, key_heads] = config.dimensions;
    CHECK((head_size > 0 && head_size * heads == hidden && inner > 0));
  });
  CHECK(gpt2s.taken > 300);
  CHECK(gpt2s.refused > 2000);
}

TEST_CASE("hostile input: mutated indexes of shards open or are refused") {
  TemporaryDirectory directory;
  std::array<float, 2> const values{1, 2};
  auto const a = tensor_data("a", {2}, values), b = tensor_data("b", {2}, values);
  write_safetensors(directory / "s1.safetensors", {&a, 1});
  write_safetensors(directory / "s2.safetensors", {&b, 1});
  std::string const valid = R"({"metadata":{"total_size":16},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}})";
  auto const outcomes = mutate(valid, 6, 3000, [&](std::string const& text) {
    write_bytes(directory / "model.safetensors.index.json", text);
    auto const checkpoint = Checkpoint::open(directory.path());
    CHECK(checkpoint.tensors().size() <= 2);
  });
  CHECK(outcomes.taken > 100);
  CHECK(outcomes.refused > 1000);
}
