/// @file
/// `Chat`: conversations with a model that was trained for them.
///
///     auto context = Context::with_threads(2);
///     auto const chat = Chat<>::from_directory("models/smollm2-135m-instruct", context);
///     auto conversation = chat.conversation({.system = "Answer in one sentence."});
///     std::cout << conversation.ask("What is the capital of France?", chat.options(), context).text << "\n";
///     std::cout << conversation.ask("And of Italy?", chat.options(), context).text << "\n";   // what was said before is not read again
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/context.hpp>
#include <axiform/core/error.hpp>
#include <axiform/core/function_ref.hpp>
#include <axiform/core/token_id.hpp>
#include <axiform/generate/session.hpp>
#include <axiform/models/any.hpp>
#include <axiform/tasks/text_generation.hpp>
#include <axiform/text/chat_template.hpp>
#include <axiform/text/chat_template_files.hpp>
#include <axiform/text/encoding.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// What happens when a conversation no longer fits what the model reads at once.
enum class FullChat {
  forget_oldest,  ///< The oldest question and its answer are left out, and the next ones, until the rest fits; the system's message stays.
  refuse          ///< An error, and the conversation is as it was.
};

/// How a conversation is held.
struct ChatOptions {
  std::string system = {};  ///< What the system says first; where it is empty, the template may have words of its own.
  std::optional<std::size_t> context_length =
      {};                                        ///< Tokens of the whole conversation; 4096 unless given, or the model's positions if less.
  FullChat when_full = FullChat::forget_oldest;  ///< What happens when they are used up.
  std::string bos_token = {};                    ///< The template's variable, where it is not the tokenizer's.
  std::string eos_token = {};                    ///< The same.
  Json variables = Json::object();               ///< More variables of the template: `{{"enable_thinking", false}}`.
};

/// An answer of the model.
struct ChatAnswer {
  std::string text;            ///< The answer, without control tokens.
  GeneratedSequence sequence;  ///< The tokens of the conversation up to here, and why the answer ended.
  std::size_t read = 0;        ///< Tokens of the conversation that had to be read for it: those that the cache did not have.
  std::size_t forgotten = 0;   ///< Messages that were left out to make room.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

template <CausalTextModel Model>
class Conversation;

/// A model, its tokenizer and its chat template. Constant once made: one object serves any number of threads and conversations.
template <CausalTextModel ModelType = AnyCausalModel>
class Chat {
 public:
  using Model = ModelType;  ///< What answers.

  /// From its parts. Generation ends with the checkpoint's end of text, and with the token that the template puts behind an answer.
  Chat(TextGeneration<Model> generation, ChatTemplate chat_template)
      : generation_(std::move(generation)), template_(std::move(chat_template)), ends_(find_ends()) {}

  /// From a Hugging Face directory or a GGUF file, with its own chat template.
  /// @throws As `TextGeneration::from_directory` and `read_chat_template`.
  static Chat from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    return from_directory(directory, read_chat_template(directory), loading, context);  // the template first: it costs nothing
  }
  /// The same with weights as they come.
  static Chat from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, LoadOptions{}, context);
  }
  /// The same with another chat template: `ChatTemplate::named("chatml")`.
  static Chat from_directory(ModelDirectory const& directory, ChatTemplate chat_template, LoadOptions const& loading, Context& context) {
    return {TextGeneration<Model>::from_directory(directory, loading, context), std::move(chat_template)};
  }

  /// A conversation in which nothing has been said but the system's message. This object must outlive it.
  /// @throws ArgumentError when it is to have more tokens than the model has positions.
  Conversation<Model> conversation(ChatOptions options = {}) const { return Conversation<Model>(*this, std::move(options)); }

  /// How answers are generated: 256 tokens at most, drawn at a temperature of 0.7 among the 50 most probable, with the checkpoint's own settings on top.
  GenerateOptions options() const {
    GenerateOptions options = generation_.options(GenerationProfile::transformers_5);
    options.end_of_text = ends_;
    return options;
  }

  TextGeneration<Model> const& generation() const noexcept { return generation_; }  ///< What continues the text of a conversation.
  Tokenizer const& tokenizer() const noexcept { return generation_.tokenizer(); }   ///< What cuts it.
  Model const& model() const noexcept { return generation_.model(); }               ///< What answers.
  ChatTemplate const& chat_template() const noexcept { return template_; }          ///< How a conversation is written.
  std::span<TokenId const> ends() const& noexcept { return ends_; }                 ///< The tokens that end an answer.
  void ends() const&& = delete;                                                     ///< The span would dangle: give the owner a name.

 private:
  friend class Conversation<Model>;

  // The checkpoint's, and what stands behind the assistant's message: of instruction-tuned models whose files name the base model's end.
  std::vector<TokenId> find_ends() const {
    std::vector<TokenId> ends = generation_.options().end_of_text;
    try {
      auto const pieces = template_.pieces({{"user", "a"}, {"assistant", "b"}}, template_options({}, false));
      if (pieces.empty() || pieces.back().from_message) return ends;
      auto const ids = tokenizer().encode(pieces.back().text, {.add_special_tokens = false}).ids;
      if (!ids.empty() && tokenizer().is_special(ids[0]) && std::ranges::find(ends, ids[0]) == ends.end()) ends.push_back(ids[0]);
    } catch (Error const&) {  // a template that wants other messages says so when it is given them
    }
    return ends;
  }

  ChatTemplateOptions template_options(ChatOptions const& options, bool add_generation_prompt) const {
    auto const spelled = [&](std::string const& given, std::optional<TokenId> id) {
      return given.empty() && id ? tokenizer().id_to_token(*id) : given;
    };
    auto const& special = tokenizer().special_tokens();
    return {.add_generation_prompt = add_generation_prompt,
            .bos_token = spelled(options.bos_token, special.bos),
            .eos_token = spelled(options.eos_token, special.eos),
            .variables = options.variables};
  }

  TextGeneration<Model> generation_;
  ChatTemplate template_;
  std::vector<TokenId> ends_;
};

/// A conversation with a model, turn by turn: what has been read stays in the key-value cache. Made by `Chat::conversation`, which must outlive it.
template <CausalTextModel Model>
class Conversation {
 public:
  /// One in which nothing has been said. @throws As `Chat::conversation`.
  Conversation(Chat<Model> const& chat, ChatOptions options)
      : chat_(&chat),
        options_(std::move(options)),
        session_(chat.model(), options_.context_length.value_or(std::min<std::size_t>(chat.model().positions(), 4096))) {
    if (!options_.system.empty()) messages_.push_back({"system", options_.system});
  }

  /// Asks, and gives the answer. Where the options ask for no number of new tokens, the answer may fill what room there is.
  /// @throws ArgumentError when the message does not fit the context, as `generate`, and with the template's own words when it refuses the
  ///         messages; the conversation is as before then.
  ChatAnswer ask(std::string_view text, GenerateOptions const& options, Context& context) {
    return stream(
        text, options, [](TextPiece) {}, context);
  }
  /// The same, and tells the answer piece by piece, in whole characters. @throws As `ask`.
  ChatAnswer stream(std::string_view text, GenerateOptions const& options, FunctionRef<void(TextPiece)> on_text, Context& context) {
    Saved const before{messages_, rendered_, {session_.ids().begin(), session_.ids().end()}};
    try {
      ChatAnswer answer;
      messages_.push_back({"user", replace_invalid_utf8(text)});
      GenerateOptions how = options;
      if (how.end_of_text.empty()) how.end_of_text = chat_->ends_;
      Prompt const prompt = read(how, answer.forgotten);
      std::size_t const cached = session_.cached(), size = session_.size();
      answer.read = size - std::min(cached, size);
      how.max_new_tokens = std::min(how.max_new_tokens.value_or(session_.capacity()), session_.capacity() - size);
      answer.sequence = chat_->generation_.stream_with([&](GenerateOptions const& all) { return session_.generate(all, context); },
                                                       session_.ids(), how, on_text);
      auto const& tokenizer = chat_->tokenizer();
      auto const ids = answer.sequence.new_ids();
      auto const prompt_ids = std::span(answer.sequence.ids).first(answer.sequence.prompt_length);
      answer.text = tokenizer.decode_after(prompt_ids, ids, {.skip_special_tokens = true, .clean_up_tokenization_spaces = CleanUp::no});
      rendered_ = prompt.text + tokenizer.decode_after(prompt_ids, ids, {.clean_up_tokenization_spaces = CleanUp::no});
      messages_.push_back({"assistant", answer.text});
      turns_.push_back(before);
      return answer;
    } catch (...) {
      restore(before);
      throw;
    }
  }

  /// Takes back the last question and its answer: the cache goes back too.
  /// @return The question. @throws ArgumentError when there is none.
  std::string undo() {
    if (turns_.empty()) throw ArgumentError("chat: found no turn to take back");
    std::string question = messages_[messages_.size() - 2].content;
    restore(turns_.back());
    turns_.pop_back();
    return question;
  }

  std::span<ChatMessage const> messages() const& noexcept { return messages_; }  ///< What has been said, and is not forgotten.
  void messages() const&& = delete;                                              ///< The span would dangle: give the owner a name.
  std::span<TokenId const> ids() const& noexcept { return session_.ids(); }      ///< The tokens of the conversation.
  void ids() const&& = delete;                                                   ///< The span would dangle: give the owner a name.
  std::size_t capacity() const noexcept { return session_.capacity(); }          ///< Tokens that it may have.

 private:
  // What a turn changes. Messages are short beside what a model is.
  struct Saved {
    std::vector<ChatMessage> messages;
    std::string rendered;
    std::vector<TokenId> ids;
  };
  // A conversation as the template writes it. In what messages say, added tokens are text.
  struct Prompt {
    std::string text;
    std::vector<Offset> plain_parts;
  };

  Prompt render() const {
    Prompt prompt;
    for (ChatPiece const& piece : chat_->template_.pieces(messages_, chat_->template_options(options_, true))) {
      std::size_t const begin = prompt.text.size();
      prompt.text += piece.text;
      if (piece.from_message)
        prompt.plain_parts.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(prompt.text.size())});
    }
    return prompt;
  }

  // Brings the session to the prompt of all messages, and makes room for the answer.
  Prompt read(GenerateOptions const& options, std::size_t& forgotten) {
    // Room that an answer of any length has at least.
    std::size_t const wanted = std::min(options.max_new_tokens.value_or(256), std::max<std::size_t>(session_.capacity() / 2, 1));
    for (;;) {
      Prompt prompt = render();
      auto const [kept, ids] = tokens_behind(prompt);
      if (kept + ids.size() + wanted <= session_.capacity()) {
        session_.roll_back(kept);
        session_.append(ids);
        return prompt;
      }
      std::size_t const first = !messages_.empty() && messages_[0].role == "system" ? 1 : 0;
      bool const has_more = messages_.size() > first + 2;
      if (options_.when_full == FullChat::refuse || !has_more)
        throw ArgumentError("chat: the conversation has " + std::to_string(kept + ids.size()) + " tokens, expected at most " +
                            std::to_string(session_.capacity() - wanted) + ", which leaves " + std::to_string(wanted) +
                            " of the context's " + std::to_string(session_.capacity()) + " for the answer");
      messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(first), messages_.begin() + static_cast<std::ptrdiff_t>(first + 2));
      forgotten += 2;
    }
  }

  // How many tokens of the session a prompt begins with, and those that follow. Where it goes on as the last turn ended, its answer's own tokens stay,
  // which the tokenizer may have cut otherwise.
  std::pair<std::size_t, std::vector<TokenId>> tokens_behind(Prompt const& prompt) const {
    auto const& tokenizer = chat_->tokenizer();
    if (!rendered_.empty() && prompt.text.starts_with(rendered_)) {
      auto const shift = static_cast<std::uint32_t>(rendered_.size());
      std::vector<Offset> parts;
      for (Offset const part : prompt.plain_parts)
        if (part.end > shift) parts.push_back({std::max(part.begin, shift) - shift, part.end - shift});
      auto const before = chat_->generation_.end_of(session_.ids());
      std::string_view const rest = std::string_view(prompt.text).substr(shift);
      return {session_.size(), tokenizer.encode(rest, {.add_special_tokens = false, .plain_parts = parts, .before = before}).ids};
    }
    auto ids = tokenizer.encode(prompt.text, {.add_special_tokens = false, .plain_parts = prompt.plain_parts}).ids;
    std::size_t const common = common_with(ids);
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(common));
    return {common, std::move(ids)};
  }

  std::size_t common_with(std::span<TokenId const> ids) const {
    auto const known = session_.ids();
    return static_cast<std::size_t>(std::ranges::mismatch(ids, known).in1 - ids.begin());
  }

  // To what was there before a turn. What had to be forgotten for it is read again when it is needed.
  void restore(Saved const& before) {
    messages_ = before.messages;
    std::size_t const common = common_with(before.ids);
    session_.roll_back(common);
    rendered_ = common == before.ids.size() ? before.rendered : std::string();
  }

  Chat<Model> const* chat_;
  ChatOptions options_;
  GenerationSession<Model> session_;
  std::vector<ChatMessage> messages_;
  std::string rendered_;  // The text of the session's tokens.
  std::vector<Saved> turns_;
};

}  // namespace axiform::inline AXIFORM_ARCH
