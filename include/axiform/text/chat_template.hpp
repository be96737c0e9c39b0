/// @file
/// `ChatTemplate`: a conversation as the text that a model was trained on, by the template that comes with the model.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <axiform/core/error.hpp>
#include <axiform/io/json_value.hpp>

#if AXIFORM_DEFINES(text)
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

#include <axiform/io/printable.hpp>
#include <axiform/text/known_chat_templates.hpp>
#include <axiform/text/template_functions.hpp>
#include <axiform/text/template_interpreter.hpp>
#include <axiform/text/template_lexer.hpp>
#include <axiform/text/template_parser.hpp>
#include <axiform/text/template_value.hpp>
#include <axiform/text/utf8.hpp>
#endif

namespace axiform {

/// One message of a conversation.
struct ChatMessage {
  std::string role;     ///< Who speaks: "system", "user", "assistant".
  std::string content;  ///< What is said.
};

/// What a template is given besides the messages.
struct ChatTemplateOptions {
  bool add_generation_prompt = true;  ///< Ends with what begins the model's answer.
  std::string bos_token = {};         ///< The variable `bos_token`; not defined where it is empty.
  std::string eos_token = {};         ///< The variable `eos_token`; not defined where it is empty.
  /// More variables, as `{{"enable_thinking", false}}`. Their texts count as a message's. `tools` and `documents` are none unless given here.
  Json variables = Json::object();
  std::optional<std::tm> now = {};  ///< The local time that `strftime_now` writes; the clock's where it is empty.
};

/// A part of a prompt.
///
/// A control token is one only where all of its text is in a part of the template: a tokenizer that looks for added tokens there, and nowhere else,
/// cannot be made to read one by the text of a user.
struct ChatPiece {
  std::string text;           ///< Its text, not empty.
  bool from_message = false;  ///< Whether it is text of a message, or of the template.
};

/// The template of a model's conversations: Jinja, the part of it that templates of published models use.
///
///     auto const chat = ChatTemplate::named("chatml");
///     std::string const prompt = chat.apply({{{"user", "Hello"}}});
///
/// The text is that of transformers' `apply_chat_template`. What is not understood is refused, by name and line. Cheap to copy, and constant: any number
/// of threads may use one. A template is not trusted: it can neither run for ever, nor fill the memory, nor overflow the stack.
class ChatTemplate {
 public:
  /// Parses a template's source, the `chat_template` of a tokenizer_config.json or a GGUF file.
  /// @throws FormatError for what is not valid or not supported, with its line.
  static ChatTemplate parse(std::string_view source);

  /// One of those that are built in: `chatml`, `gemma`, `llama3`, `mistral`, `qwen`, `zephyr`. They know their models' `bos_token` and `eos_token`.
  /// @throws ArgumentError for another name.
  static ChatTemplate named(std::string_view name);

  /// The names that `named` takes.
  static std::vector<std::string_view> names();

  /// The prompt of a conversation. Invalid UTF-8 in it becomes U+FFFD.
  /// @throws ArgumentError where there are no messages, and with the template's own words when it raises an exception (of roles in the wrong order, say);
  ///         FormatError for what it cannot do (use a variable that is not defined), and when it is about to take too long or too much memory.
  std::string apply(std::span<ChatMessage const> messages, ChatTemplateOptions const& options = {}) const;
  /// The same of messages that are written down.
  std::string apply(std::initializer_list<ChatMessage> messages, ChatTemplateOptions const& options = {}) const {
    return apply(std::span(messages.begin(), messages.size()), options);
  }

  /// The same text in parts, each of which is either the template's or a message's. Text of the template that a message stands in (trimmed, cut, joined,
  /// replaced) keeps its origin. A role counts as the template's where it is one of those that are in use: "system", "user", "assistant", "tool",
  /// "developer", "function", "ipython", "model".
  /// @throws as `apply`.
  std::vector<ChatPiece> pieces(std::span<ChatMessage const> messages, ChatTemplateOptions const& options = {}) const;
  /// The same of messages that are written down.
  std::vector<ChatPiece> pieces(std::initializer_list<ChatMessage> messages, ChatTemplateOptions const& options = {}) const {
    return pieces(std::span(messages.begin(), messages.size()), options);
  }

  /// The source.
  std::string const& source() const noexcept;

 private:
  struct Program;
  explicit ChatTemplate(std::shared_ptr<Program const> program) : program_(std::move(program)) {}

  std::shared_ptr<Program const> program_;
};

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(text)

struct ChatTemplate::Program {
  std::string source;
  detail::TemplateBody body;

  /// The prompt, each byte of which knows where it came from.
  detail::MarkedText run(std::span<ChatMessage const> messages, ChatTemplateOptions const& options) const {
    using detail::TemplateValue;
    using detail::TextOrigin;
    if (messages.empty()) throw ArgumentError("a chat template needs at least one message");
    if (!options.variables.is_object()) throw ArgumentError("the variables of a chat template: found no object, expected one");
    constexpr std::string_view roles[] = {"system", "user", "assistant", "tool", "developer", "function", "ipython", "model"};
    detail::TemplateInterpreter interpreter({options.now});
    try {
      detail::TemplateValues list;
      for (ChatMessage const& message : messages) {
        bool const is_known = detail::is_one_of(message.role, roles);
        detail::MarkedText role(replace_invalid_utf8(message.role), is_known ? TextOrigin::from_template : TextOrigin::from_message);
        detail::MarkedText content(replace_invalid_utf8(message.content), TextOrigin::from_message);
        list.push_back(
            TemplateValue::dict({{TemplateValue::text("role"), std::move(role)}, {TemplateValue::text("content"), std::move(content)}}));
      }
      interpreter.set_variable("tools", {});
      interpreter.set_variable("documents", {});
      if (!options.bos_token.empty()) interpreter.set_variable("bos_token", TemplateValue::text(replace_invalid_utf8(options.bos_token)));
      if (!options.eos_token.empty()) interpreter.set_variable("eos_token", TemplateValue::text(replace_invalid_utf8(options.eos_token)));
      for (auto const& [name, value] : options.variables.items()) {
        if (name == "messages" || name == "add_generation_prompt")
          throw ArgumentError("the variables of a chat template: found " + detail::in_quotes(name) + ", which has another place");
        interpreter.set_variable(name, detail::from_json(value, TextOrigin::from_message));
      }
      interpreter.set_variable("messages", TemplateValue::list(std::move(list)));
      interpreter.set_variable("add_generation_prompt", options.add_generation_prompt);
    } catch (detail::TemplateFault const& fault) {
      throw ArgumentError("a chat template " + fault.words);
    }
    return interpreter.run(body);
  }
};

AXIFORM_INLINE ChatTemplate ChatTemplate::parse(std::string_view source) {
  constexpr std::size_t most = std::size_t{1} << 20;
  if (source.size() > most) throw FormatError(detail::message({"a chat template of ", source.size(), " bytes, expected at most ", most}));
  if (!is_valid_utf8(source)) throw FormatError("a chat template that is not valid UTF-8");
  auto program = std::make_shared<Program>();
  program->source = source;
  program->body = detail::TemplateParser(detail::TemplateLexer(source).run()).run();
  return ChatTemplate(std::move(program));
}

AXIFORM_INLINE ChatTemplate ChatTemplate::named(std::string_view name) {
  std::string known;
  for (auto const& [known_name, source] : detail::known_chat_templates) {
    if (name == known_name) return parse(source);
    known += (known.empty() ? "" : ", ") + std::string(known_name);
  }
  throw ArgumentError("chat template " + detail::in_quotes(name) + " is not known; expected one of " + known);
}

AXIFORM_INLINE std::vector<std::string_view> ChatTemplate::names() {
  std::vector<std::string_view> result;
  for (auto const& [name, source] : detail::known_chat_templates) result.push_back(name);
  return result;
}

AXIFORM_INLINE std::string ChatTemplate::apply(std::span<ChatMessage const> messages, ChatTemplateOptions const& options) const {
  return std::string(program_->run(messages, options).text());
}

AXIFORM_INLINE std::vector<ChatPiece> ChatTemplate::pieces(std::span<ChatMessage const> messages,
                                                           ChatTemplateOptions const& options) const {
  detail::MarkedText const text = program_->run(messages, options);
  std::vector<ChatPiece> result;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    while (end < text.size() && text.origin(end) == text.origin(begin)) ++end;
    result.push_back({std::string(text.text().substr(begin, end - begin)), text.origin(begin) == detail::TextOrigin::from_message});
  }
  return result;
}

AXIFORM_INLINE std::string const& ChatTemplate::source() const noexcept { return program_->source; }

#endif  // AXIFORM_DEFINES(text)

}  // namespace axiform
