/// @file
/// A chat template's tokens as a tree of statements and expressions, with jinja2's grammar as far as chat templates use it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/text/template_lexer.hpp>
#include <axiform/text/template_value.hpp>

namespace axiform::detail {

/// An expression.
struct TemplateExpression {
  enum class Kind {
    constant,     ///< `value`.
    name,         ///< The variable `name`.
    list,         ///< Of the operands.
    tuple,        ///< Of the operands.
    dict,         ///< Of keys and values, in turn.
    attribute,    ///< `name` of the operand.
    item,         ///< The first operand's, by the second.
    slice,        ///< The first operand's, from the second to the third in steps of the fourth; these may be null.
    call,         ///< Of the first operand, with the others as arguments.
    filter,       ///< `name` of the first operand, with the others as arguments; null stands for the text of a block.
    test,         ///< Whether the first operand `is` `name`, with the others as arguments.
    invert,       ///< `not`.
    negative,     ///< `-`.
    positive,     ///< `+`.
    arithmetic,   ///< `words[0]` of two operands: + - * / // % **.
    concatenate,  ///< `~`, of all operands.
    compare,      ///< The operands, with `words` between: == != < <= > >= in "not in".
    both,         ///< `and`.
    either,       ///< `or`.
    conditional   ///< The first operand if the second, else the third, which may be null.
  };
  Kind kind = Kind::constant;
  std::size_t line = 1;
  std::size_t depth = 1;                ///< Expressions within one another.
  std::string name = {};                ///< See `kind`.
  TemplateValue value = {};             ///< See `kind`.
  std::vector<std::string> words = {};  ///< Operators; or the names of the last arguments, which are given by name.
  std::vector<std::unique_ptr<TemplateExpression>> operands = {};
};
using TemplateExpressionPointer = std::unique_ptr<TemplateExpression>;

/// A statement.
struct TemplateStatement {
  enum class Kind {
    text,       ///< `text`, as it is.
    output,     ///< `{{ expression }}`.
    branch,     ///< `if`: a body for each condition, and perhaps one more.
    loop,       ///< `for`: the first expression's items as `target`, if the second, which may be null; a body, and one for no items.
    set,        ///< `target` becomes the first expression's value.
    set_block,  ///< `target` becomes the body's text, through the filters of the first expression, which may be null.
    macro,      ///< `name`, with `parameters`; the expressions are defaults of the last of them.
    call,       ///< `call`: the first expression, with a macro `caller` made of the rest.
    filter,     ///< The body's text, through the filters of the first expression.
    scope,      ///< The body, with variables of its own: `generation`.
    with,       ///< The same, after a `set` for each of the first body's statements.
    leave,      ///< `break`.
    skip        ///< `continue`.
  };
  Kind kind = Kind::text;
  std::size_t line = 1;
  std::size_t depth = 1;  ///< Statements and expressions within one another.
  std::string name = {};
  MarkedText text = {};
  TemplateExpressionPointer target = {};
  std::vector<std::string> parameters = {};
  std::vector<TemplateExpressionPointer> expressions = {};
  std::vector<std::vector<TemplateStatement>> bodies = {};
};
using TemplateBody = std::vector<TemplateStatement>;

/// Nodes within one another. jinja2 gives up at about a hundred; more would overflow the stack.
inline constexpr std::size_t deepest_template = 200;

/// Parameters of a macro, and arguments of a call: as many as Python had long allowed.
inline constexpr std::size_t most_arguments = 255;

/// What is known by name. Others are refused when the template is parsed.
inline constexpr std::string_view template_filters[] = {
    "abs",  "capitalize", "count",      "d",     "default", "dictsort", "first", "float",  "indent",     "int",     "items",   "join",
    "last", "length",     "list",       "lower", "map",     "max",      "min",   "reject", "rejectattr", "replace", "reverse", "round",
    "safe", "select",     "selectattr", "sort",  "string",  "sum",      "title", "tojson", "trim",       "unique",  "upper"};
inline constexpr std::string_view template_tests[] = {
    "!=",   "<",       "<=",    "==",   ">",           ">=",  "boolean", "callable", "defined",  "divisibleby", "eq",        "equalto",
    "even", "false",   "float", "ge",   "greaterthan", "gt",  "in",      "integer",  "iterable", "le",          "lessthan",  "lower",
    "lt",   "mapping", "ne",    "none", "number",      "odd", "sameas",  "sequence", "string",   "true",        "undefined", "upper"};

inline bool is_one_of(std::string_view word, auto const& words) { return std::ranges::find(words, word) != std::end(words); }

class TemplateParser {
 public:
  explicit TemplateParser(std::vector<TemplateToken> tokens) : tokens_(std::move(tokens)) {}

  /// @throws FormatError for what is no template, and for what is not supported, by name and line.
  TemplateBody run() && { return parse_body({}); }

 private:
  using Kind = TemplateToken::Kind;
  using Expression = TemplateExpression;
  using Pointer = TemplateExpressionPointer;
  using Statement = TemplateStatement;
  using Names = std::initializer_list<std::string_view>;

  /// Counts how deep parsing is.
  class Level {
   public:
    explicit Level(TemplateParser& parser) : level_(parser.level_) {
      if (++level_ > deepest_template) parser.fail_depth();
    }
    ~Level() { --level_; }
    Level(Level const&) = delete;
    Level& operator=(Level const&) = delete;

   private:
    std::size_t& level_;
  };

  TemplateToken const& now() const { return tokens_[place_]; }
  TemplateToken const& next() const { return tokens_[std::min(place_ + 1, tokens_.size() - 1)]; }
  TemplateToken const& advance() {
    TemplateToken const& token = tokens_[place_];
    if (place_ + 1 < tokens_.size()) ++place_;
    return token;
  }
  bool skip_symbol(std::string_view symbol) {
    if (!now().is_symbol(symbol)) return false;
    advance();
    return true;
  }
  bool skip_name(std::string_view name) {
    if (!now().is_name(name)) return false;
    advance();
    return true;
  }

  [[noreturn]] void fail(std::string_view words) const { throw_template_error(now().line, words); }
  [[noreturn]] void fail_depth() const { fail("is nested too deeply"); }
  [[noreturn]] void fail_expected(std::string_view expected) const { fail(message({"found ", found(), ", expected ", expected})); }

  std::string found() const {
    switch (now().kind) {
      case Kind::data:
      case Kind::string:
        return "the text " + in_quotes(now().text);
      case Kind::output_begin:
        return "\"{{\"";
      case Kind::output_end:
        return "\"}}\"";
      case Kind::block_begin:
        return "\"{%\"";
      case Kind::block_end:
        return "\"%}\"";
      case Kind::integer:
      case Kind::real:
        return "a number";
      case Kind::end:
        return "the end of the template";
      case Kind::name:
      case Kind::symbol:
        break;
    }
    return in_quotes(now().text);
  }

  void expect_symbol(std::string_view symbol) {
    if (!skip_symbol(symbol)) fail_expected(in_quotes(symbol));
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_expected(in_quotes(name));
  }
  std::string expect_any_name(std::string_view what) {
    if (now().kind != Kind::name) fail_expected(what);
    return advance().text;
  }
  void expect(Kind kind, std::string_view mark) {
    if (now().kind != kind) fail_expected(in_quotes(mark));
    advance();
  }

  // ---- statements ---------------------------------------------------------------------------------------------------------------------

  /// Statements up to one of `ends`, which is left as the token that comes next; or to the end of the template.
  TemplateBody parse_body(Names ends) {
    Level const level(*this);
    TemplateBody body;
    while (true) {
      switch (now().kind) {
        case Kind::data:
          body.push_back(make(Statement::Kind::text));
          body.back().text = MarkedText(advance().text, TextOrigin::from_template);
          break;
        case Kind::output_begin:
          advance();
          body.push_back(make(Statement::Kind::output));
          body.back().expressions.push_back(parse_tuple(true));
          measure(body.back());
          expect(Kind::output_end, "}}");
          break;
        case Kind::block_begin:
          advance();
          if (now().kind == Kind::name && is_one_of(now().text, ends)) return body;
          body.push_back(parse_statement());
          measure(body.back());
          expect(Kind::block_end, "%}");
          break;
        default:  // The end: the lexer begins all else with one of the above.
          if (ends.size() != 0) {
            std::string expected;
            for (std::string_view const end : ends) expected += (expected.empty() ? "\"{% " : " or \"{% ") + std::string(end) + " %}\"";
            fail_expected(expected);
          }
          return body;
      }
    }
  }
  /// `parse_body` after the end of a statement's tag.
  TemplateBody parse_inner(Names ends) {
    skip_symbol(":");
    expect(Kind::block_end, "%}");
    return parse_body(ends);
  }

  Statement make(Statement::Kind kind) const { return {.kind = kind, .line = now().line}; }

  void measure(Statement& statement) const {
    std::size_t depth = statement.target == nullptr ? 0 : statement.target->depth;
    for (Pointer const& expression : statement.expressions)
      if (expression != nullptr) depth = std::max(depth, expression->depth);
    for (TemplateBody const& body : statement.bodies)
      for (Statement const& inner : body) depth = std::max(depth, inner.depth);
    statement.depth = depth + 1;
    if (statement.depth > deepest_template) throw_template_error(statement.line, "is nested too deeply");
  }

  Statement parse_statement() {
    if (now().kind != Kind::name) fail_expected("a statement");
    std::string const name = now().text;
    Statement statement = make(Statement::Kind::text);
    advance();
    if (name == "if") return parse_if(std::move(statement));
    if (name == "for") return parse_for(std::move(statement));
    if (name == "set") return parse_set(std::move(statement));
    if (name == "macro") return parse_macro(std::move(statement));
    if (name == "call") return parse_call_block(std::move(statement));
    if (name == "with") return parse_with(std::move(statement));
    if (name == "filter") {
      statement.kind = Statement::Kind::filter;
      statement.expressions.push_back(parse_filter(nullptr));
      while (now().is_symbol("|")) {
        advance();
        statement.expressions.back() = parse_filter(std::move(statement.expressions.back()));
      }
      return parse_last_body(std::move(statement), "endfilter");
    }
    if (name == "generation") {
      statement.kind = Statement::Kind::scope;
      return parse_last_body(std::move(statement), "endgeneration");
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) throw_template_error(statement.line, message({in_quotes(name), " stands outside of a loop"}));
      statement.kind = name == "break" ? Statement::Kind::leave : Statement::Kind::skip;
      return statement;
    }
    constexpr std::string_view others[] = {"autoescape", "block", "do", "extends", "from", "import", "include", "print", "trans"};
    throw_template_error(statement.line,
                         message({"the statement ", in_quotes(name), is_one_of(name, others) ? " is not supported" : " is not known",
                                  "; expected if, for, set, macro, call, with, filter, generation, break, continue or raw"}));
  }

  Statement parse_last_body(Statement statement, std::string_view end) {
    statement.bodies.push_back(parse_inner({end}));
    advance();
    return statement;
  }

  Statement parse_if(Statement statement) {
    statement.kind = Statement::Kind::branch;
    while (true) {
      statement.expressions.push_back(parse_tuple(false));
      statement.bodies.push_back(parse_inner({"elif", "else", "endif"}));
      std::string const end = advance().text;
      if (end == "endif") return statement;
      if (end == "else") return parse_last_body(std::move(statement), "endif");
    }
  }

  Statement parse_for(Statement statement) {
    statement.kind = Statement::Kind::loop;
    statement.target = parse_target(false);
    expect_name("in");
    statement.expressions.push_back(parse_tuple(false));
    statement.expressions.push_back(skip_name("if") ? parse_expression() : nullptr);
    if (now().is_name("recursive")) fail("\"recursive\" loops are not supported");
    ++loops_;
    statement.bodies.push_back(parse_inner({"else", "endfor"}));
    --loops_;
    if (advance().text == "endfor") return statement;
    return parse_last_body(std::move(statement), "endfor");
  }

  Statement parse_set(Statement statement) {
    statement.target = parse_target(true);
    if (skip_symbol("=")) {
      statement.kind = Statement::Kind::set;
      statement.expressions.push_back(parse_tuple(true));
      return statement;
    }
    statement.kind = Statement::Kind::set_block;
    statement.expressions.push_back(nullptr);
    while (skip_symbol("|")) statement.expressions[0] = parse_filter(std::move(statement.expressions[0]));
    return parse_last_body(std::move(statement), "endset");
  }

  Statement parse_with(Statement statement) {
    statement.kind = Statement::Kind::with;
    auto& sets = statement.bodies.emplace_back();
    while (now().kind != Kind::block_end) {
      if (!sets.empty()) expect_symbol(",");
      Statement& set = sets.emplace_back(make(Statement::Kind::set));
      set.target = parse_target(false);
      expect_symbol("=");
      set.expressions.push_back(parse_expression());
      measure(set);
    }
    return parse_last_body(std::move(statement), "endwith");
  }

  void parse_parameters(Statement& statement) {
    expect_symbol("(");
    while (!now().is_symbol(")")) {
      if (!statement.parameters.empty()) expect_symbol(",");
      if (now().is_name("caller")) fail("a parameter called \"caller\" is not supported");
      if (statement.parameters.size() == most_arguments) fail("the macro has more than 255 parameters");
      if (now().kind == Kind::name && is_one_of(now().text, statement.parameters))
        fail("the parameter " + in_quotes(now().text) + " is there twice");
      statement.parameters.push_back(parse_target_name());
      if (skip_symbol("="))
        statement.expressions.push_back(parse_expression());
      else if (statement.expressions.size() > (statement.kind == Statement::Kind::call ? 1u : 0u))
        fail("a parameter without a default follows one that has a default");
    }
    advance();
  }

  /// The body of a macro, where the loops outside are out of reach.
  Statement parse_macro_body(Statement statement, std::string_view end) {
    std::size_t const loops = std::exchange(loops_, 0);
    statement = parse_last_body(std::move(statement), end);
    loops_ = loops;
    return statement;
  }

  Statement parse_macro(Statement statement) {
    statement.kind = Statement::Kind::macro;
    statement.name = parse_target_name();
    parse_parameters(statement);
    return parse_macro_body(std::move(statement), "endmacro");
  }

  Statement parse_call_block(Statement statement) {
    statement.kind = Statement::Kind::call;
    statement.name = "caller";
    statement.expressions.push_back(nullptr);
    if (now().is_symbol("(")) parse_parameters(statement);
    statement.expressions[0] = parse_expression();
    if (statement.expressions[0]->kind != Expression::Kind::call) throw_template_error(statement.line, "\"call\" needs a call");
    return parse_macro_body(std::move(statement), "endcall");
  }

  // ---- targets of assignments ---------------------------------------------------------------------------------------------------------

  std::string parse_target_name() {
    constexpr std::string_view constants[] = {"true", "false", "none", "True", "False", "None", "loop"};
    if (now().kind == Kind::name && is_one_of(now().text, constants)) fail("cannot assign to " + in_quotes(now().text));
    return expect_any_name("a name to assign to");
  }

  Pointer parse_target_element(bool takes_namespaces) {
    if (skip_symbol("(")) {
      Pointer target = parse_target(takes_namespaces, ")");
      expect_symbol(")");
      return target;
    }
    Pointer target = make_expression(Expression::Kind::name);
    target->name = parse_target_name();
    if (!takes_namespaces || !skip_symbol(".")) return target;
    return finish(make_attribute(std::move(target), expect_any_name("the name of an attribute")));
  }

  /// A name, an attribute of a namespace, or a tuple of these.
  Pointer parse_target(bool takes_namespaces, std::string_view close = "") {
    Level const level(*this);
    Pointer tuple = make_expression(Expression::Kind::tuple);
    bool is_tuple = false;
    while (!(close.empty() ? now().kind == Kind::block_end : now().is_symbol(close))) {
      tuple->operands.push_back(parse_target_element(takes_namespaces));
      if (!skip_symbol(",")) break;
      is_tuple = true;
    }
    if (tuple->operands.empty()) fail_expected("a name to assign to");
    return is_tuple ? finish(std::move(tuple)) : std::move(tuple->operands[0]);
  }

  // ---- expressions --------------------------------------------------------------------------------------------------------------------

  Pointer make_expression(Expression::Kind kind) const {
    auto expression = std::make_unique<Expression>();
    expression->kind = kind;
    expression->line = now().line;
    return expression;
  }
  template <class... Operands>
  Pointer make_expression(Expression::Kind kind, std::size_t line, Operands... operands) const {
    auto expression = std::make_unique<Expression>();
    expression->kind = kind;
    expression->line = line;
    (expression->operands.push_back(std::move(operands)), ...);
    return finish(std::move(expression));
  }
  Pointer make_attribute(Pointer object, std::string name) const {
    std::size_t const line = object->line;
    Pointer attribute = make_expression(Expression::Kind::attribute, line, std::move(object));
    attribute->name = std::move(name);
    return attribute;
  }

  /// The expression, once its operands are there.
  Pointer finish(Pointer expression) const {
    std::size_t depth = 0;
    for (Pointer const& operand : expression->operands)
      if (operand != nullptr) depth = std::max(depth, operand->depth);
    expression->depth = depth + 1;
    if (expression->depth > deepest_template) throw_template_error(expression->line, "is nested too deeply");
    return expression;
  }

  Pointer parse_expression() {
    Level const level(*this);
    std::size_t const line = now().line;
    Pointer expression = parse_or();
    while (skip_name("if")) {
      Pointer condition = parse_or();
      Pointer otherwise = skip_name("else") ? parse_expression() : nullptr;
      expression = make_expression(Expression::Kind::conditional, line, std::move(expression), std::move(condition), std::move(otherwise));
    }
    return expression;
  }

  /// An expression, or a tuple without parentheses.
  Pointer parse_tuple(bool takes_condition, bool in_parentheses = false) {
    Level const level(*this);
    Pointer tuple = make_expression(Expression::Kind::tuple);
    bool is_tuple = false;
    while (now().kind != Kind::output_end && now().kind != Kind::block_end && !now().is_symbol(")")) {
      tuple->operands.push_back(takes_condition ? parse_expression() : parse_or());
      if (!skip_symbol(",")) break;
      is_tuple = true;
    }
    if (!is_tuple && !tuple->operands.empty()) return std::move(tuple->operands[0]);
    if (!is_tuple && !in_parentheses) fail_expected("an expression");
    return finish(std::move(tuple));
  }

  Pointer parse_or() {
    std::size_t const line = now().line;
    Pointer left = parse_and();
    while (skip_name("or")) left = make_expression(Expression::Kind::either, line, std::move(left), parse_and());
    return left;
  }
  Pointer parse_and() {
    std::size_t const line = now().line;
    Pointer left = parse_not();
    while (skip_name("and")) left = make_expression(Expression::Kind::both, line, std::move(left), parse_not());
    return left;
  }
  Pointer parse_not() {
    Level const level(*this);
    std::size_t const line = now().line;
    if (skip_name("not")) return make_expression(Expression::Kind::invert, line, parse_not());
    return parse_compare();
  }

  Pointer parse_compare() {
    constexpr std::string_view operators[] = {"==", "!=", "<", "<=", ">", ">="};
    Pointer first = parse_sum();
    Pointer compare = make_expression(Expression::Kind::compare);
    compare->operands.push_back(std::move(first));
    while (true) {
      if (now().kind == Kind::symbol && is_one_of(now().text, operators)) {
        compare->words.push_back(advance().text);
      } else if (skip_name("in")) {
        compare->words.push_back("in");
      } else if (now().is_name("not") && next().is_name("in")) {
        advance(), advance();
        compare->words.push_back("not in");
      } else {
        break;
      }
      compare->operands.push_back(parse_sum());
    }
    return compare->words.empty() ? std::move(compare->operands[0]) : finish(std::move(compare));
  }

  Pointer parse_arithmetic(std::initializer_list<std::string_view> operators, Pointer (TemplateParser::*operand)()) {
    std::size_t const line = now().line;
    Pointer left = (this->*operand)();
    while (now().kind == Kind::symbol && is_one_of(now().text, operators)) {
      std::string word = advance().text;
      left = make_expression(Expression::Kind::arithmetic, line, std::move(left), (this->*operand)());
      left->words.push_back(std::move(word));
    }
    return left;
  }
  Pointer parse_sum() { return parse_arithmetic({"+", "-"}, &TemplateParser::parse_concatenation); }
  Pointer parse_concatenation() {
    Pointer first = parse_product();
    if (!now().is_symbol("~")) return first;
    Pointer concatenation = make_expression(Expression::Kind::concatenate);
    concatenation->operands.push_back(std::move(first));
    while (skip_symbol("~")) concatenation->operands.push_back(parse_product());
    return finish(std::move(concatenation));
  }
  Pointer parse_product() { return parse_arithmetic({"*", "/", "//", "%"}, &TemplateParser::parse_power); }
  Pointer parse_power() { return parse_arithmetic({"**"}, &TemplateParser::parse_filtered); }
  Pointer parse_filtered() { return parse_unary(true); }

  Pointer parse_unary(bool takes_filters) {
    Level const level(*this);
    std::size_t const line = now().line;
    Pointer operand;
    if (skip_symbol("-"))
      operand = make_expression(Expression::Kind::negative, line, parse_unary(false));
    else if (skip_symbol("+"))
      operand = make_expression(Expression::Kind::positive, line, parse_unary(false));
    else
      operand = parse_primary();
    operand = parse_postfix(std::move(operand));
    while (takes_filters) {
      if (skip_symbol("|"))
        operand = parse_filter(std::move(operand));
      else if (skip_name("is"))
        operand = parse_test(std::move(operand));
      else if (now().is_symbol("("))
        operand = parse_call(std::move(operand));
      else
        break;
    }
    return operand;
  }

  Pointer make_constant(TemplateValue value) {
    Pointer constant = make_expression(Expression::Kind::constant);
    constant->value = std::move(value);
    advance();
    return constant;
  }

  Pointer parse_primary() {
    switch (now().kind) {
      case Kind::name: {
        std::string const& name = now().text;
        if (name == "true" || name == "True") return make_constant(true);
        if (name == "false" || name == "False") return make_constant(false);
        if (name == "none" || name == "None") return make_constant({});
        Pointer variable = make_expression(Expression::Kind::name);
        variable->name = advance().text;
        constexpr std::string_view unsupported[] = {"cycler", "joiner", "lipsum", "self", "super", "kwargs", "varargs"};
        if (is_one_of(variable->name, unsupported)) throw_template_error(variable->line, in_quotes(variable->name) + " is not supported");
        return variable;
      }
      case Kind::string: {  // Strings that follow one another are one.
        Pointer constant = make_expression(Expression::Kind::constant);
        std::string text;
        while (now().kind == Kind::string) text += advance().text;
        constant->value = TemplateValue::text(text);
        return constant;
      }
      case Kind::integer:
        return make_constant(now().integer);
      case Kind::real:
        return make_constant(now().real);
      case Kind::symbol:
        if (skip_symbol("(")) {
          Pointer tuple = parse_tuple(true, true);
          expect_symbol(")");
          return tuple;
        }
        if (now().is_symbol("[")) return parse_list();
        if (now().is_symbol("{")) return parse_dict();
        break;
      default:
        break;
    }
    fail_expected("an expression");
  }

  Pointer parse_list() {
    Pointer list = make_expression(Expression::Kind::list);
    advance();
    while (!now().is_symbol("]")) {
      list->operands.push_back(parse_expression());
      if (!now().is_symbol("]")) expect_symbol(",");
    }
    advance();
    return finish(std::move(list));
  }

  Pointer parse_dict() {
    Pointer dict = make_expression(Expression::Kind::dict);
    advance();
    while (!now().is_symbol("}")) {
      dict->operands.push_back(parse_expression());
      expect_symbol(":");
      dict->operands.push_back(parse_expression());
      if (!now().is_symbol("}")) expect_symbol(",");
    }
    advance();
    return finish(std::move(dict));
  }

  Pointer parse_postfix(Pointer operand) {
    while (true) {
      if (now().is_symbol("("))
        operand = parse_call(std::move(operand));
      else if (skip_symbol("."))
        operand = parse_attribute(std::move(operand));
      else if (now().is_symbol("["))
        operand = parse_item(std::move(operand));
      else
        return operand;
    }
  }

  Pointer parse_attribute(Pointer object) {
    std::size_t const line = now().line;
    if (now().kind == Kind::integer) return make_expression(Expression::Kind::item, line, std::move(object), make_constant(now().integer));
    return make_attribute(std::move(object), expect_any_name("the name of an attribute"));
  }

  Pointer parse_item(Pointer object) {
    std::size_t const line = advance().line;
    auto const part = [this]() -> Pointer { return now().is_symbol(":") || now().is_symbol("]") ? nullptr : parse_expression(); };
    if (now().is_symbol("]")) fail_expected("an index");
    Pointer begin = part();
    Pointer item;
    if (skip_symbol(":")) {
      Pointer end = part();
      Pointer step = skip_symbol(":") ? part() : nullptr;
      item = make_expression(Expression::Kind::slice, line, std::move(object), std::move(begin), std::move(end), std::move(step));
    } else {
      item = make_expression(Expression::Kind::item, line, std::move(object), std::move(begin));
    }
    if (now().is_symbol(",")) fail("an index of several parts is not supported");
    expect_symbol("]");
    return item;
  }

  /// Arguments in parentheses, added to the operands.
  void parse_arguments(Expression& expression) {
    expect_symbol("(");
    while (!now().is_symbol(")")) {
      if (expression.operands.size() > most_arguments) fail("a call with more than 255 arguments");
      if (now().is_symbol("*") || now().is_symbol("**")) fail("arguments with \"*\" are not supported");
      if (now().kind == Kind::name && next().is_symbol("=")) {
        if (is_one_of(now().text, expression.words)) fail("the argument " + in_quotes(now().text) + " is given twice");
        expression.words.push_back(advance().text);
        advance();
      } else if (!expression.words.empty()) {
        fail("an argument without a name follows one that has a name");
      }
      expression.operands.push_back(parse_expression());
      if (!now().is_symbol(")")) expect_symbol(",");
    }
    advance();
  }

  Pointer parse_call(Pointer function) {
    Pointer call = make_expression(Expression::Kind::call);
    call->operands.push_back(std::move(function));
    parse_arguments(*call);
    return finish(std::move(call));
  }

  /// A name with dots: none that is known has any.
  std::string parse_dotted_name(std::string_view what) {
    std::string name = expect_any_name(what);
    while (skip_symbol(".")) name += '.' + expect_any_name(what);
    return name;
  }

  Pointer parse_filter(Pointer operand) {
    Pointer filter = make_expression(Expression::Kind::filter);
    filter->name = parse_dotted_name("the name of a filter");
    if (!is_one_of(filter->name, template_filters))
      throw_template_error(filter->line, "the filter " + in_quotes(filter->name) + " is not supported");
    filter->operands.push_back(std::move(operand));
    if (now().is_symbol("(")) parse_arguments(*filter);
    return finish(std::move(filter));
  }

  Pointer parse_test(Pointer operand) {
    bool const is_inverted = skip_name("not");
    Pointer test = make_expression(Expression::Kind::test);
    test->name = parse_dotted_name("the name of a test");
    if (!is_one_of(test->name, template_tests)) throw_template_error(test->line, "the test " + in_quotes(test->name) + " is not supported");
    test->operands.push_back(std::move(operand));
    constexpr std::string_view words[] = {"else", "or", "and"};
    bool const begins_argument = now().kind == Kind::string || now().kind == Kind::integer || now().kind == Kind::real ||
                                 now().is_symbol("[") || now().is_symbol("{") ||
                                 (now().kind == Kind::name && !is_one_of(now().text, words));
    if (now().is_symbol("(")) {
      parse_arguments(*test);
    } else if (begins_argument) {
      if (now().is_name("is")) fail("tests cannot follow one another");
      test->operands.push_back(parse_postfix(parse_primary()));
    }
    test = finish(std::move(test));
    if (!is_inverted) return test;
    std::size_t const line = test->line;
    return make_expression(Expression::Kind::invert, line, std::move(test));
  }

  std::vector<TemplateToken> tokens_;
  std::size_t place_ = 0;
  std::size_t level_ = 0;
  std::size_t loops_ = 0;  // Those that `break` may leave here.
};

}  // namespace axiform::detail
