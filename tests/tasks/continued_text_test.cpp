// Texts that go on, with tokenizers that put a space before a text and take it away when they decode: Llama 2's, and its later form.
#include <doctest/doctest.h>
#include <axiform/core/context.hpp>
#include <axiform/tasks/chat.hpp>
#include <axiform/tasks/text_generation.hpp>
#include <axiform/text/tokenizer_parts.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace axiform;

namespace {

std::filesystem::path const llama_directory = std::filesystem::path(AXIFORM_FIXTURES) / "models/llama-tiny";

/// Where a tokenizer puts its space: before each text between added tokens, or before what begins a text.
enum class Form { llama_2, metaspace };

/// As many tokens as the model has: special ones, bytes, letters, letters behind a space, and two of one letter.
Tokenizer tokenizer_of(Form form) {
  std::string const mark = "\u2581";
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "<0x0A>", "<0xC3>", "<0xA9>", "<0xE2>", "<0x82>", "<0xAC>", "[", "]", mark};
  TokenizerParts parts;
  for (char c = 'a'; c <= 'z'; ++c) tokens.emplace_back(1, c);
  for (char c = 'a'; c <= 'z'; ++c) {
    tokens.push_back(mark + c);
    parts.merges.emplace_back(mark, std::string(1, c));
  }
  for (char c = 'a'; c <= 'z'; ++c) {
    tokens.emplace_back(2, c);
    parts.merges.emplace_back(std::string(1, c), std::string(1, c));
  }
  for (char c = 'A'; tokens.size() < 96; ++c) tokens.emplace_back(1, c);
  parts.vocabulary = Vocabulary(tokens, "test");
  parts.model = CharacterBpeOptions{.byte_fallback = true, .fuse_unk = true, .unk_token = "<unk>"};
  parts.decoder = {.kind = DecoderOptions::Kind::marks, .byte_fallback = true, .strip_left = 1};
  for (TokenId id = 0; id < 3; ++id)
    parts.added_tokens.push_back({.content = tokens[static_cast<std::size_t>(id)], .id = id, .special = true});
  parts.special_tokens = {.unk = 0, .bos = 1, .eos = 2};
  parts.post_processor = PostProcessor::between({1}, {});
  if (form == Form::llama_2)
    parts.normalizer = {{NormalizerStep::Kind::prepend, {}, mark}, {NormalizerStep::Kind::replace, " ", mark}};
  else
    parts.pre_tokenizer = {{.kind = PreTokenizerStep::Kind::marks, .pattern = mark, .prepend = PrependScheme::first}};
  return Tokenizer(std::move(parts));
}

struct SmallLlama {
  explicit SmallLlama(Form form)
      : task(tokenizer_of(form), load<AnyCausalModel>(llama_directory, LoadOptions{}, context), {{"eos_token_id", 2}}) {}

  Context context = Context::with_threads(2);
  TextGeneration<> task;
};

std::vector<TokenId> ids_from(std::span<TokenId const> ids, std::size_t begin) {
  return {ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end()};
}

}  // namespace

TEST_CASE("continued text: a continuation is what the tokens of the whole text have more than those of the prompt, and so are its pieces") {
  for (Form const form : {Form::llama_2, Form::metaspace}) {
    SmallLlama llama(form);
    auto const& tokenizer = llama.task.tokenizer();
    DecodeOptions const skip{.skip_special_tokens = true};
    std::size_t spaced = 0, bare = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed)
      for (std::string const prompt : {"the", "the ", "", "x"}) {
        CAPTURE(seed);
        CAPTURE(prompt);
        GenerateOptions const options{.max_new_tokens = 8, .seed = seed};
        std::string streamed;
        auto const text = llama.task.stream(
            prompt, options, [&](TextPiece piece) { streamed += piece.text; }, llama.context)[0];
        auto const before = std::span(text.sequence.ids).first(text.sequence.prompt_length);
        CHECK(tokenizer.decode(before, skip) == prompt);
        CHECK(text.text == tokenizer.decode(text.sequence.ids, skip));
        CHECK(text.text == prompt + text.continuation);
        CHECK(streamed == text.continuation);
        if (prompt == "the") ++(text.continuation.starts_with(' ') ? spaced : bare);
      }
    CHECK(spaced > 2);
    CHECK(bare > 2);
  }
}

TEST_CASE("continued text: a session has the token that begins texts once, and text that is added has no space before it") {
  for (Form const form : {Form::llama_2, Form::metaspace}) {
    SmallLlama llama(form);
    auto const& tokenizer = llama.task.tokenizer();
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      CAPTURE(seed);
      auto session = llama.task.session();
      session.append("the");
      CHECK(ids_from(session.ids(), 0) == tokenizer.encode("the").ids);
      std::size_t size = session.size();
      session.append("in and");
      CHECK(ids_from(session.ids(), size) == ids_from(tokenizer.encode("]in and").ids, 3));  // behind <s>, the mark and ]
      session.generate({.max_new_tokens = 6, .seed = seed}, llama.context);
      bool const has_ended = session.ids().back() == 2;
      size = session.size();
      session.append("out");
      bool const is_spaced = has_ended && form == Form::llama_2;
      CHECK(ids_from(session.ids(), size) == ids_from(tokenizer.encode(is_spaced ? "</s>out" : "]out").ids, is_spaced ? 2 : 3));
      CHECK(std::ranges::count(ids_from(session.ids(), size), 1) == 0);
      if (form == Form::metaspace) CHECK(session.text() == tokenizer.decode(session.ids(), {.skip_special_tokens = true}));
    }
  }
}

TEST_CASE("continued text: words to be avoided are found where text goes on, with a space before them and without") {
  SmallLlama llama(Form::metaspace);
  auto const& tokenizer = llama.task.tokenizer();
  auto const words = llama.task.bad_words({"ab"});
  REQUIRE(words.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) CHECK(tokenizer.decode_after(tokenizer.encode("x").ids, words[i]) == (i == 0 ? "ab" : " ab"));
  CHECK(words[0].size() == 2);
  CHECK(words[1].size() == 2);
}

TEST_CASE("continued text: the pieces of an answer are the answer, and a conversation's tokens are its text, with nothing read twice") {
  for (Form const form : {Form::llama_2, Form::metaspace}) {
    SmallLlama llama(form);
    auto const written = ChatTemplate::parse(
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[ {{ m.content }} ]"
        "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}");
    Chat<> const chat(std::move(llama.task), written);
    auto const& tokenizer = chat.tokenizer();
    std::size_t ended = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      CAPTURE(seed);
      auto conversation = chat.conversation();
      GenerateOptions options = chat.options();
      options.max_new_tokens = 6;
      options.seed = seed;
      options.bad_words = {{0}, {1}};  // which are no part of an answer's text
      std::string text = "<s>";
      std::size_t size = 0;
      for (std::string const question : {"abc", "d"}) {
        std::string streamed;
        auto const answer = conversation.stream(
            question, options, [&](TextPiece piece) { streamed += piece.text; }, llama.context);
        CHECK(streamed == answer.text);
        CHECK(answer.read == answer.sequence.prompt_length - (size == 0 ? 0 : size - 1));  // the last token of an answer has not been read
        size = conversation.ids().size();
        bool const has_ended = conversation.ids().back() == 2;
        ended += has_ended;
        text += "[ " + question + " ]" + answer.text + (has_ended ? "</s>" : "");
        auto const found = tokenizer.decode(conversation.ids());
        if (form == Form::metaspace) CHECK(found == text);
        if (!has_ended) text += "</s>";
      }
      if (form == Form::llama_2) {  // A space stands behind each token that was added.
        auto const found = tokenizer.decode(conversation.ids());
        CHECK(found.find("<s> [ abc ]") == 0);
        CHECK(found.find("</s> [ d ]") != found.npos);
      }
    }
    CHECK(ended > 0);
  }
}
