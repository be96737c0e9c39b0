/// @file
/// Runs a chat template: statements and expressions as jinja2's immutable sandbox runs them, and the text as it comes, with its origins.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/text/template_parser.hpp>
#include <axiform/text/template_value.hpp>

namespace axiform::detail {

/// Variables that came to be in one body, and where to look for others.
struct TemplateScope {
  TemplateScope* parent = nullptr;
  std::vector<std::pair<std::string_view, TemplateValue>> variables = {};
  bool is_kept = false;  ///< A macro was defined here, and may outlive the body.
};

/// A macro, and the scope that it was defined in.
struct TemplateMacro {
  TemplateStatement const* statement = nullptr;
  TemplateScope* scope = nullptr;
};

/// Arguments of a call, a filter or a test.
struct TemplateArguments {
  TemplateValues positional;
  std::vector<std::pair<std::string_view, TemplateValue>> named;
};

class TemplateInterpreter;

/// The variable `loop`. Takes items when they are needed, so that a condition of the loop sees what its body has done.
struct TemplateLoop {
  TemplateInterpreter* interpreter = nullptr;
  TemplateStatement const* statement = nullptr;
  TemplateScope* scope = nullptr;
  TemplateValues items;
  std::size_t next_item = 0;
  std::optional<std::size_t> length = {};  ///< Where it is known.
  std::optional<TemplateValue> ahead = {};
  TemplateValue previous = {}, current = {};
  std::size_t index = 0;  ///< From 1.
  std::size_t depth = 1;
  std::optional<TemplateValues> last_changed = {};
  bool is_over = false;

  std::optional<TemplateValue> pull();
  bool has_more() {
    if (!ahead) ahead = pull();
    return ahead.has_value();
  }
  /// Goes to the next item; false where there is none.
  bool advance() {
    if (!has_more()) return false;
    previous = std::exchange(current, *std::exchange(ahead, std::nullopt));
    ++index;
    return true;
  }
  std::size_t count() {
    if (!length) {
      TemplateValues rest;
      if (ahead) rest.push_back(*ahead);
      while (auto item = pull()) rest.push_back(std::move(*item));
      length = index + rest.size();
      items = std::move(rest);  // They have passed the condition already.
      next_item = 0;
      statement = nullptr;
      ahead.reset();
    }
    return *length;
  }
};

class TemplateInterpreter {
 public:
  /// What a template is given besides its variables.
  struct Environment {
    std::optional<std::tm> now = {};  ///< The clock's local time where it is empty.
  };

  explicit TemplateInterpreter(Environment const& environment) : environment_(environment), scope_(&root_) {}
  TemplateInterpreter(TemplateInterpreter const&) = delete;
  TemplateInterpreter& operator=(TemplateInterpreter const&) = delete;

  void set_variable(std::string_view name, TemplateValue value) { assign(name, std::move(value)); }

  /// The text of the template.
  /// @throws ArgumentError with the template's own words when it raises an exception, FormatError for what it cannot do.
  MarkedText run(TemplateBody const& body) {
    try {
      execute(body);
    } catch (TemplateFault const& fault) {
      throw_template_error(line_, fault.words);
    }
    return std::move(output_);
  }

 private:
  friend struct TemplateLoop;
  using Expression = TemplateExpression;
  using Statement = TemplateStatement;
  using Value = TemplateValue;
  using Values = TemplateValues;
  using Arguments = TemplateArguments;
  using SequenceKind = TemplateSequence::Kind;

  /// How a body ends.
  enum class Flow { next, leave, skip };

  // Calls of evaluate() and execute() within one another. Each takes some hundred bytes of stack, with sanitizers some thousand.
  static constexpr std::size_t deepest_call = 450;

  class Level {
   public:
    explicit Level(TemplateInterpreter& interpreter) : level_(interpreter.level_) {
      if (level_ >= deepest_call) throw TemplateFault{"calls macros within one another too deeply"};
      ++level_;
    }
    ~Level() { --level_; }
    Level(Level const&) = delete;
    Level& operator=(Level const&) = delete;

   private:
    std::size_t& level_;
  };

  /// A scope while a body runs. One that a macro was defined in is kept until the end.
  class InnerScope {
   public:
    InnerScope(TemplateInterpreter& interpreter, TemplateScope* parent)
        : interpreter_(interpreter), outer_(interpreter.scope_), scope_(std::make_unique<TemplateScope>()) {
      scope_->parent = parent;
      interpreter_.scope_ = scope_.get();
    }
    explicit InnerScope(TemplateInterpreter& interpreter) : InnerScope(interpreter, interpreter.scope_) {}
    ~InnerScope() {
      interpreter_.scope_ = outer_;
      if (scope_->is_kept) interpreter_.kept_.push_back(std::move(scope_));
    }
    InnerScope(InnerScope const&) = delete;
    InnerScope& operator=(InnerScope const&) = delete;

   private:
    TemplateInterpreter& interpreter_;
    TemplateScope* outer_;
    std::unique_ptr<TemplateScope> scope_;
  };

  // ---- variables ----------------------------------------------------------------------------------------------------------------------

  void assign(std::string_view name, Value value) {
    budget_.spend(scope_->variables.size());
    for (auto& [variable, old] : scope_->variables)
      if (variable == name) return void(old = std::move(value));
    scope_->variables.emplace_back(name, std::move(value));
  }

  Value look_up(std::string_view name) {
    for (TemplateScope const* scope = scope_; scope != nullptr; scope = scope->parent) {
      budget_.spend(scope->variables.size());
      for (auto const& [variable, value] : scope->variables)
        if (variable == name) return value;
    }
    constexpr std::pair<std::string_view, TemplateFunction> functions[] = {{"range", TemplateFunction::range},
                                                                           {"namespace", TemplateFunction::name_space},
                                                                           {"dict", TemplateFunction::dict},
                                                                           {"raise_exception", TemplateFunction::raise_exception},
                                                                           {"strftime_now", TemplateFunction::strftime_now}};
    for (auto const& [function_name, function] : functions)
      if (function_name == name) return function;
    return Value::undefined(in_quotes(name) + " is undefined");
  }

  void assign_target(Expression const& target, Value value) {
    if (target.kind == Expression::Kind::name) return assign(target.name, std::move(value));
    if (target.kind == Expression::Kind::attribute) {
      Value const owner = look_up(target.operands[0]->name);
      auto* const* const name_space = owner.as<TemplateNamespace*>();
      if (name_space == nullptr) throw TemplateFault{"cannot assign to an attribute of " + describe(owner) + "; expected a namespace"};
      if (value.depth() >= deepest_value) throw TemplateFault{"keeps a value in a namespace that is nested too deeply, or a loop"};
      return (*name_space)->set(target.name, std::move(value));
    }
    Values const parts = elements_of(value);
    if (parts.size() != target.operands.size())
      throw TemplateFault{message({"cannot assign ", parts.size(), " values to ", target.operands.size(), " names"})};
    for (std::size_t i = 0; i < parts.size(); ++i) assign_target(*target.operands[i], parts[i]);
  }

  // ---- statements ---------------------------------------------------------------------------------------------------------------------

  Flow execute(TemplateBody const& body) {
    Level const level(*this);
    for (Statement const& statement : body) {
      at(statement.line);
      if (Flow const flow = execute(statement); flow != Flow::next) return flow;
    }
    return Flow::next;
  }

  Flow execute(Statement const& statement) {
    switch (statement.kind) {
      case Statement::Kind::text:
        print(statement.text);
        break;
      case Statement::Kind::output:
        print(evaluate(*statement.expressions[0]));
        break;
      case Statement::Kind::branch:
        for (std::size_t i = 0; i < statement.bodies.size(); ++i)
          if (i == statement.expressions.size() || is_true(evaluate(*statement.expressions[i]))) return execute(statement.bodies[i]);
        break;
      case Statement::Kind::loop:
        return execute_loop(statement);
      case Statement::Kind::set:
        assign_target(*statement.target, evaluate(*statement.expressions[0]));
        break;
      case Statement::Kind::set_block: {
        Flow flow = Flow::next;
        Value const text = captured([&] { flow = execute_inner(statement.bodies[0]); });
        if (flow != Flow::next) return flow;
        assign_target(*statement.target, statement.expressions[0] == nullptr ? text : filtered(*statement.expressions[0], text));
        break;
      }
      case Statement::Kind::macro:
        assign(statement.name, make_macro(statement));
        break;
      case Statement::Kind::call:
        print(call_with_caller(statement));
        break;
      case Statement::Kind::filter: {
        Flow flow = Flow::next;
        Value const text = captured([&] { flow = execute_inner(statement.bodies[0]); });
        if (flow != Flow::next) return flow;
        print(filtered(*statement.expressions[0], text));
        break;
      }
      case Statement::Kind::scope:
        return execute_inner(statement.bodies[0]);
      case Statement::Kind::with: {
        Values values;  // All are evaluated outside.
        for (Statement const& set : statement.bodies[0]) values.push_back(evaluate(*set.expressions[0]));
        InnerScope const scope(*this);
        for (std::size_t i = 0; i < values.size(); ++i) assign_target(*statement.bodies[0][i].target, values[i]);
        return execute(statement.bodies[1]);
      }
      case Statement::Kind::leave:
        return Flow::leave;
      case Statement::Kind::skip:
        return Flow::skip;
    }
    return Flow::next;
  }

  Flow execute_inner(TemplateBody const& body) {
    InnerScope const scope(*this);
    return execute(body);
  }

  Flow execute_loop(Statement const& statement) {
    auto const loop = std::make_shared<TemplateLoop>();
    loop->interpreter = this;
    loop->statement = &statement;
    loop->scope = scope_;
    loop->items = elements_of(evaluate(*statement.expressions[0]));
    if (statement.expressions[1] == nullptr) loop->length = loop->items.size();
    struct End {  // Whoever has kept the loop finds it at its end.
      TemplateLoop& loop;
      ~End() { loop.is_over = true; }
    } const end{*loop};
    bool has_ended = false;  // Whether an iteration came to its end: jinja2 counts none that `break` or `continue` cut short.
    while (loop->advance()) {
      budget_.spend(2 * TemplateBudget::step);
      InnerScope const scope(*this);
      assign("loop", loop);
      assign_target(*statement.target, loop->current);
      Flow const flow = execute(statement.bodies[0]);
      if (flow == Flow::leave) break;
      has_ended = has_ended || flow == Flow::next;
    }
    if (has_ended || statement.bodies.size() == 1) return Flow::next;
    return execute_inner(statement.bodies[1]);
  }

  void print(MarkedText const& text) {
    budget_.spend(text.size() * TemplateBudget::byte);
    output_.append(text);
  }
  void print(Value const& value) { value.is_text() ? print(value.text()) : print(to_text(value, budget_)); }

  /// What `run` prints, as a value.
  template <class Run>
  Value captured(Run run) {
    MarkedText outer = std::exchange(output_, {});
    run();
    return std::exchange(output_, std::move(outer));
  }

  // ---- macros -------------------------------------------------------------------------------------------------------------------------

  Value make_macro(Statement const& statement) {
    for (TemplateScope* scope = scope_; scope != nullptr && !scope->is_kept; scope = scope->parent) scope->is_kept = true;
    budget_.spend(TemplateBudget::string);
    return &macros_.emplace_back(TemplateMacro{&statement, scope_});
  }

  Value call_macro(TemplateMacro const& macro, Arguments arguments, Value const* caller = nullptr) {
    Statement const& statement = *macro.statement;
    std::size_t const first_default_expression = statement.kind == Statement::Kind::call ? 1 : 0;
    std::size_t const defaults = statement.expressions.size() - first_default_expression;
    std::size_t const parameters = statement.parameters.size();
    if (arguments.positional.size() > parameters)
      throw TemplateFault{message(
          {"the macro ", in_quotes(statement.name), " takes ", parameters, " arguments, and is given ", arguments.positional.size()})};
    Level const level(*this);
    InnerScope const scope(*this, macro.scope);
    for (auto& [name, value] : arguments.named) {
      auto const place = static_cast<std::size_t>(std::ranges::find(statement.parameters, name) - statement.parameters.begin());
      if (place == parameters || place < arguments.positional.size())
        throw TemplateFault{"the macro " + in_quotes(statement.name) + " takes no argument " + in_quotes(name) + " by name here"};
    }
    if (caller != nullptr) assign("caller", *caller);
    for (std::size_t i = 0; i < parameters; ++i) {
      std::string const& parameter = statement.parameters[i];
      auto const named = std::ranges::find(arguments.named, parameter, &std::pair<std::string_view, Value>::first);
      if (i < arguments.positional.size())
        assign(parameter, arguments.positional[i]);
      else if (named != arguments.named.end())
        assign(parameter, named->second);
      else if (i + defaults >= parameters)
        assign(parameter, evaluate(*statement.expressions[first_default_expression + i + defaults - parameters]));
      else
        assign(parameter, Value::undefined(message({"parameter ", in_quotes(parameter), " was not provided"})));
    }
    return captured([&] { execute(statement.bodies[0]); });
  }

  Value call_with_caller(Statement const& statement) {
    Expression const& call = *statement.expressions[0];
    Value const function = evaluate(*call.operands[0]);
    auto const* const* const macro = function.as<TemplateMacro const*>();
    if (macro == nullptr) throw TemplateFault{"\"call\" needs a macro, and is given " + describe(function)};
    Value const caller = make_macro(statement);
    return call_macro(**macro, evaluate_arguments(call), &caller);
  }

  // ---- expressions --------------------------------------------------------------------------------------------------------------------

  void at(std::size_t line) {
    line_ = line;
    budget_.spend(TemplateBudget::step);
  }

  Value evaluate(Expression const& expression) {
    Level const level(*this);
    at(expression.line);
    switch (expression.kind) {
      case Expression::Kind::constant:
        return expression.value;
      case Expression::Kind::name:
        return look_up(expression.name);
      case Expression::Kind::list:
        return Value::list(evaluate_all(expression, 0));
      case Expression::Kind::tuple:
        return Value::tuple(evaluate_all(expression, 0));
      case Expression::Kind::dict:
        return evaluate_dict(expression);
      case Expression::Kind::attribute:
        return attribute(evaluate(*expression.operands[0]), expression.name);
      case Expression::Kind::item: {
        Value const object = evaluate(*expression.operands[0]);
        return item(object, evaluate(*expression.operands[1]));
      }
      case Expression::Kind::slice:
        return evaluate_slice(expression);
      case Expression::Kind::call:
        return evaluate_call(expression);
      case Expression::Kind::filter:
        return evaluate_filter(expression);
      case Expression::Kind::test: {
        Value const subject = evaluate(*expression.operands[0]);
        return test(expression.name, subject, evaluate_arguments(expression));
      }
      case Expression::Kind::invert:
        return !is_true(evaluate(*expression.operands[0]));
      case Expression::Kind::negative:
      case Expression::Kind::positive:
        return sign(evaluate(*expression.operands[0]), expression.kind == Expression::Kind::negative);
      case Expression::Kind::arithmetic: {
        Value left = evaluate(*expression.operands[0]);
        Value const right = evaluate(*expression.operands[1]);
        line_ = expression.line;
        return arithmetic(expression.words[0], std::move(left), right);
      }
      case Expression::Kind::concatenate: {
        MarkedText text;
        for (auto const& operand : expression.operands) append(text, to_text(evaluate(*operand), budget_));
        return text;
      }
      case Expression::Kind::compare:
        return evaluate_compare(expression);
      case Expression::Kind::both: {
        Value left = evaluate(*expression.operands[0]);
        return is_true(left) ? evaluate(*expression.operands[1]) : left;
      }
      case Expression::Kind::either: {
        Value left = evaluate(*expression.operands[0]);
        return is_true(left) ? left : evaluate(*expression.operands[1]);
      }
      case Expression::Kind::conditional:
        if (is_true(evaluate(*expression.operands[1]))) return evaluate(*expression.operands[0]);
        if (expression.operands[2] != nullptr) return evaluate(*expression.operands[2]);
        return Value::undefined("the inline \"if\" has no \"else\", and its condition is false");
    }
    return {};
  }

  void append(MarkedText& text, MarkedText const& more) {
    budget_.spend(more.size() * TemplateBudget::byte);
    text.append(more);
  }

  /// The values of the operands from `first` on.
  Values evaluate_all(Expression const& expression, std::size_t first) {
    Values values;
    for (std::size_t i = first; i < expression.operands.size(); ++i) values.push_back(evaluate(*expression.operands[i]));
    return values;
  }

  Arguments evaluate_arguments(Expression const& expression) {
    Arguments arguments{evaluate_all(expression, 1), {}};
    std::size_t const first_named = arguments.positional.size() - expression.words.size();
    for (std::size_t i = 0; i < expression.words.size(); ++i)
      arguments.named.emplace_back(expression.words[i], std::move(arguments.positional[first_named + i]));
    arguments.positional.resize(first_named);
    line_ = expression.line;
    return arguments;
  }

  Value evaluate_dict(Expression const& expression) {
    TemplateDict dict;
    for (std::size_t i = 0; i < expression.operands.size(); i += 2) {
      Value key = evaluate(*expression.operands[i]);
      set(dict, std::move(key), evaluate(*expression.operands[i + 1]), budget_);
    }
    return Value::dict(std::move(dict.members));
  }

  Value evaluate_compare(Expression const& expression) {
    Value left = evaluate(*expression.operands[0]);
    for (std::size_t i = 0; i < expression.words.size(); ++i) {
      Value right = evaluate(*expression.operands[i + 1]);
      line_ = expression.line;
      if (!is_related(expression.words[i], left, right)) return false;
      left = std::move(right);
    }
    return true;
  }

  bool is_related(std::string_view relation, Value const& left, Value const& right) {
    if (relation == "==") return equal(left, right, budget_);
    if (relation == "!=") return !equal(left, right, budget_);
    if (relation == "in") return contains(right, left);
    if (relation == "not in") return !contains(right, left);
    auto const order = compare(left, right, budget_);
    if (relation == "<") return order < 0;
    if (relation == "<=") return order <= 0;
    if (relation == ">") return order > 0;
    return order >= 0;
  }

  Value evaluate_slice(Expression const& expression) {
    Value const object = evaluate(*expression.operands[0]);
    std::optional<std::int64_t> bounds[3];
    for (std::size_t i = 0; i < 3; ++i) {
      if (expression.operands[i + 1] == nullptr) continue;
      Value const bound = evaluate(*expression.operands[i + 1]);
      if (bound.is_none()) continue;
      bounds[i] = bound.integer();
      if (!bounds[i]) throw TemplateFault{"slices from or to " + describe(bound) + "; expected whole numbers"};
    }
    line_ = expression.line;
    return slice(object, bounds[0], bounds[1], bounds[2].value_or(1));
  }

  /// `object[begin:end:step]`.
  Value slice(Value const& object, std::optional<std::int64_t> begin, std::optional<std::int64_t> end, std::int64_t step) {
    if (object.is_undefined()) throw_undefined(object);
    object.refuse_safe();
    auto const* const sequence = object.as<Value::Sequence>();
    bool const is_sliceable = sequence != nullptr && ((*sequence)->kind == SequenceKind::list || (*sequence)->kind == SequenceKind::tuple ||
                                                      (*sequence)->kind == SequenceKind::range);
    if (!object.is_text() && !is_sliceable) throw TemplateFault{"cannot slice " + describe(object)};
    if (step == 0) throw TemplateFault{"slices in steps of zero"};
    std::vector<std::size_t> places;
    if (object.is_text()) {
      budget_.spend(object.text().size() * TemplateBudget::byte * 3);
      places = character_places(object.text().text());
    }
    auto const size = static_cast<std::int64_t>(object.is_text() ? places.size() - 1 : (*sequence)->elements.size());
    std::int64_t const lowest = step < 0 ? -1 : 0, highest = step < 0 ? size - 1 : size;
    auto const clamp = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
      if (!bound) return otherwise;
      return std::clamp(*bound < 0 ? (*bound < -size ? lowest : *bound + size) : *bound, lowest, highest);
    };
    std::int64_t const first = clamp(begin, step < 0 ? highest : lowest), last = clamp(end, step < 0 ? lowest : highest);
    MarkedText text;
    Values elements;
    for (std::int64_t i = first; step > 0 ? i < last : i > last;) {
      auto const place = static_cast<std::size_t>(i);
      if (object.is_text()) {
        text.append(object.text(), places[place], places[place + 1]);
      } else {
        budget_.spend(TemplateBudget::element);
        elements.push_back((*sequence)->elements[place]);
      }
      if (step > 0 ? step >= last - i : step <= last - i) break;
      i += step;
    }
    if (object.is_text()) return text;
    return Value::sequence((*sequence)->kind, std::move(elements));
  }

  Value evaluate_call(Expression const& expression) {
    Value const function = evaluate(*expression.operands[0]);
    Arguments arguments = evaluate_arguments(expression);
    if (auto const* const method = function.as<Value::Method>()) return call_method((*method)->object, (*method)->name, arguments);
    if (auto const* const builtin = function.as<TemplateFunction>()) return call_function(*builtin, arguments);
    if (auto const* const* const macro = function.as<TemplateMacro const*>()) return call_macro(**macro, std::move(arguments));
    if (function.is_undefined()) throw_undefined(function);
    throw TemplateFault{"cannot call " + describe(function)};
  }

  Value evaluate_filter(Expression const& expression) {
    // A chain of filters may end in the text of a block.
    Value const subject = expression.operands[0] == nullptr ? block_text_ : evaluate(*expression.operands[0]);
    return filter(expression.name, subject, evaluate_arguments(expression));
  }
  Value filtered(Expression const& filters, Value text) {
    block_text_ = std::move(text);
    return evaluate(filters);
  }

  // ---- operators ----------------------------------------------------------------------------------------------------------------------

  bool is_true(Value const& value) {
    if (auto const* const boolean = value.as<bool>()) return *boolean;
    if (value.is_number()) return value.real() != 0;
    if (value.is_text()) return !value.text().empty();
    if (auto const* const sequence = value.as<Value::Sequence>()) return !(*sequence)->elements.empty();
    if (auto const* const dict = value.as<Value::Dict>()) return !(*dict)->members.empty();
    return !value.is_none() && !value.is_undefined();
  }

  Value sign(Value const& value, bool is_negative) {
    if (value.is_undefined()) throw_undefined(value);
    if (auto const integer = value.integer()) {
      if (is_negative && *integer == std::numeric_limits<std::int64_t>::min())
        throw TemplateFault{"makes a whole number of more than 63 bits"};
      return is_negative ? -*integer : *integer;
    }
    if (auto const* const real = value.as<double>()) return is_negative ? -*real : *real;
    throw TemplateFault{"cannot give " + describe(value) + " a sign"};
  }

  Value arithmetic(std::string_view word, Value left, Value const& right) {
    left.refuse_safe();
    right.refuse_safe();
    if (word == "%" && left.is_text()) throw TemplateFault{"formatting of strings with \"%\" is not supported"};
    if (left.is_undefined()) throw_undefined(left);
    if (right.is_undefined()) throw_undefined(right);
    if (left.is_number() && right.is_number()) {
      auto const a = left.integer(), b = right.integer();
      if (a && b && word != "/") return of_integers(word, *a, *b);
      return of_reals(word, left.real(), right.real());
    }
    if (word == "+" && left.is_text() && right.is_text()) {
      if (MarkedText* const own = left.own_text(); own != nullptr && own != &right.text()) {
        append(*own, right.text());
        return left;
      }
      MarkedText text;
      append(text, left.text());
      append(text, right.text());
      return text;
    }
    auto const *const a = left.as<Value::Sequence>(), *const b = right.as<Value::Sequence>();
    auto const is_summable = [](Value const& value) {
      return value.is_sequence(SequenceKind::list) || value.is_sequence(SequenceKind::tuple);
    };
    if (word == "+" && a != nullptr && b != nullptr && (*a)->kind == (*b)->kind && is_summable(left)) {
      budget_.spend(((*a)->elements.size() + (*b)->elements.size()) * TemplateBudget::element);
      Values elements = (*a)->elements;
      elements.insert(elements.end(), (*b)->elements.begin(), (*b)->elements.end());
      return Value::sequence((*a)->kind, std::move(elements));
    }
    if (word == "*" && (left.integer() || right.integer())) {
      Value const& repeated = left.integer() ? right : left;
      std::int64_t const times = std::max<std::int64_t>(*(left.integer() ? left : right).integer(), 0);
      if (repeated.is_text() || is_summable(repeated)) return repeat(repeated, static_cast<std::size_t>(times));
    }
    throw TemplateFault{message({"cannot calculate ", describe(left), " ", word, " ", describe(right)})};
  }

  Value repeat(Value const& value, std::size_t times) {
    MarkedText text;
    Values elements;
    std::size_t const size = value.is_text() ? value.text().size() : (*value.as<Value::Sequence>())->elements.size();
    for (std::size_t i = 0; i < times && size > 0; ++i) {
      if (value.is_text()) {
        append(text, value.text());
      } else {
        auto const& more = (*value.as<Value::Sequence>())->elements;
        budget_.spend(more.size() * TemplateBudget::element);
        elements.insert(elements.end(), more.begin(), more.end());
      }
      budget_.spend(1);
    }
    if (value.is_text()) return text;
    return Value::sequence((*value.as<Value::Sequence>())->kind, std::move(elements));
  }

  Value of_integers(std::string_view word, std::int64_t a, std::int64_t b) {
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
    auto const check = [](bool fits) {
      if (!fits) throw TemplateFault{"makes a whole number of more than 63 bits"};
    };
    auto const times = [&](std::int64_t x, std::int64_t y) {
      bool const fits = x == 0 || y == 0 || (x > 0 ? (y > 0 ? x <= most / y : y >= least / x) : (y > 0 ? x >= least / y : y >= most / x));
      check(fits);
      return x * y;
    };
    if (word == "+") {
      check(b >= 0 ? a <= most - b : a >= least - b);
      return a + b;
    }
    if (word == "-") {
      check(b >= 0 ? a >= least + b : a <= most + b);
      return a - b;
    }
    if (word == "*") return times(a, b);
    if (word == "**") {
      if (b < 0) return of_reals(word, static_cast<double>(a), static_cast<double>(b));
      std::int64_t result = 1;
      if (a == 0 || a == 1) return b == 0 ? 1 : a;
      if (a == -1) return b % 2 == 0 ? std::int64_t{1} : std::int64_t{-1};
      for (; b > 0; --b) result = times(result, a);
      return result;
    }
    if (b == 0) throw TemplateFault{"divides by zero"};
    check(!(a == least && b == -1));
    std::int64_t const quotient = a / b, remainder = a % b;
    bool const rounds_down = remainder != 0 && (remainder < 0) != (b < 0);  // Python rounds towards minus infinity.
    if (word == "//") return rounds_down ? quotient - 1 : quotient;
    return rounds_down ? remainder + b : remainder;
  }

  Value of_reals(std::string_view word, double a, double b) {
    if (word == "+") return a + b;
    if (word == "-") return a - b;
    if (word == "*") return a * b;
    if (word == "**") {
      if (a == 0 && b < 0) throw TemplateFault{"divides by zero"};
      double const power = std::pow(a, b);
      bool const is_complex = a < 0 && b != std::floor(b);
      if (is_complex || (std::isinf(power) && std::isfinite(a) && std::isfinite(b)))
        throw TemplateFault{"raises a number to a power that is out of range"};
      return power;
    }
    if (b == 0) throw TemplateFault{"divides by zero"};
    if (word == "/") return a / b;
    double remainder = std::fmod(a, b);
    double quotient = (a - remainder) / b;
    if (remainder != 0 && (remainder < 0) != (b < 0)) {
      remainder += b;
      quotient -= 1;
    }
    if (remainder == 0) remainder = std::copysign(0.0, b);
    if (word == "%") return remainder;
    if (quotient == 0) return std::copysign(0.0, a / b);
    double const whole = std::floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
  }

  bool contains(Value const& container, Value const& value) {
    if (container.is_text()) {
      if (!value.is_text()) throw TemplateFault{"looks for " + describe(value) + " in a string"};
      budget_.spend_search(container.text().size(), value.text().size());
      return container.text().text().find(value.text().text()) != std::string_view::npos;
    }
    if (auto const* const dict = container.as<Value::Dict>()) return find(**dict, value, budget_) != nullptr;
    if (auto const* const iterator = container.as<Value::Iterator>()) {
      while ((*iterator)->next < (*iterator)->elements.size())
        if (equal((*iterator)->elements[(*iterator)->next++], value, budget_)) return true;
      return false;
    }
    for (Value const& element : elements_of(container))
      if (equal(element, value, budget_)) return true;
    return false;
  }

  /// What going through a value gives. @throws TemplateFault where it cannot be gone through.
  Values elements_of(Value const& value) {
    Values result;
    auto const take = [&](Value element) {
      budget_.spend(TemplateBudget::element);
      result.push_back(std::move(element));
    };
    if (value.is_text()) {
      budget_.spend(value.text().size() * TemplateBudget::byte);
      for_each_character(value.text().text(), [&](char32_t, std::size_t begin, std::size_t end) {
        budget_.spend(TemplateBudget::string);
        take(value.text().part(begin, end));
      });
    } else if (auto const* const sequence = value.as<Value::Sequence>()) {
      budget_.spend((*sequence)->elements.size() * TemplateBudget::element);
      result = (*sequence)->elements;
    } else if (auto const* const dict = value.as<Value::Dict>()) {
      for (auto const& member : (*dict)->members) take(member.first);
    } else if (auto const* const iterator = value.as<Value::Iterator>()) {
      while ((*iterator)->next < (*iterator)->elements.size()) take((*iterator)->elements[(*iterator)->next++]);
    } else if (!value.is_undefined()) {
      throw TemplateFault{"cannot go through " + describe(value)};
    }
    return result;
  }

  std::size_t length_of(Value const& value) {
    if (value.is_undefined()) return 0;
    if (value.is_text()) {
      budget_.spend(value.text().size() / 8);
      return count_code_points(value.text().text());
    }
    if (auto const* const sequence = value.as<Value::Sequence>()) return (*sequence)->elements.size();
    if (auto const* const dict = value.as<Value::Dict>()) return (*dict)->members.size();
    if (auto const* const loop = value.as<Value::Loop>()) return (*loop)->count();
    throw TemplateFault{describe(value) + " has no length"};
  }

  // ---- attributes and items -----------------------------------------------------------------------------------------------------------

  /// The methods of a value's type.
  static bool has_method(Value const& value, std::string_view name) {
    constexpr std::string_view of_text[] = {
        "capitalize",   "casefold",   "center",    "count",       "encode",    "endswith",     "expandtabs",   "find",
        "format",       "format_map", "index",     "isalnum",     "isalpha",   "isascii",      "isdecimal",    "isdigit",
        "isidentifier", "islower",    "isnumeric", "isprintable", "isspace",   "istitle",      "isupper",      "join",
        "ljust",        "lower",      "lstrip",    "maketrans",   "partition", "removeprefix", "removesuffix", "replace",
        "rfind",        "rindex",     "rjust",     "rpartition",  "rsplit",    "rstrip",       "split",        "splitlines",
        "startswith",   "strip",      "swapcase",  "title",       "translate", "upper",        "zfill"};
    constexpr std::string_view of_dict[] = {"clear", "copy",    "fromkeys",   "get",    "items", "keys",
                                            "pop",   "popitem", "setdefault", "update", "values"};
    constexpr std::string_view of_list[] = {"append", "clear", "copy",   "count",   "extend", "index",
                                            "insert", "pop",   "remove", "reverse", "sort"};
    constexpr std::string_view of_tuple[] = {"count", "index"};
    constexpr std::string_view of_loop[] = {"cycle", "changed"};
    if (value.is_text()) return is_one_of(name, of_text);
    if (value.is<Value::Dict>()) return is_one_of(name, of_dict);
    if (value.is_sequence(SequenceKind::list)) return is_one_of(name, of_list);
    if (value.is_sequence(SequenceKind::tuple) || value.is_sequence(SequenceKind::range)) return is_one_of(name, of_tuple);
    return value.is<Value::Loop>() && is_one_of(name, of_loop);
  }

  /// Python's own attribute, or nothing.
  std::optional<Value> own_attribute(Value const& object, std::string_view name) {
    if (auto* const* const name_space = object.as<TemplateNamespace*>()) {
      Value const* const member = (*name_space)->find(name);
      return member == nullptr ? std::nullopt : std::optional(*member);
    }
    if (auto const* const loop = object.as<Value::Loop>(); loop != nullptr && !has_method(object, name))
      return loop_attribute(**loop, name);
    if (!has_method(object, name)) return std::nullopt;
    constexpr std::string_view changing[] = {"append", "clear",   "extend",     "insert", "pop",   "popitem",
                                             "remove", "reverse", "setdefault", "sort",   "update"};
    if (is_one_of(name, changing))
      return Value::undefined(
          message({"the method ", in_quotes(name), " of ", describe(object), " would change it, which no chat template may"}));
    if (object.depth() + 1 >= deepest_value && !object.is<Value::Loop>())
      throw TemplateFault{"takes a method of a value that is nested too deeply"};
    return Value(std::make_shared<TemplateMethod const>(TemplateMethod{object, std::string(name)}));
  }

  Value no_attribute(Value const& object, std::string_view name) {
    return Value::undefined(message({describe(object), " has no attribute ", in_quotes(name)}));
  }

  /// `object.name`: the attribute, or else the item.
  Value attribute(Value const& object, std::string_view name) {
    if (object.is_undefined()) throw_undefined(object);
    if (auto own = own_attribute(object, name)) return *own;
    if (auto const* const dict = object.as<Value::Dict>())
      if (Value const* const member = find_text(**dict, name)) return *member;
    return no_attribute(object, name);
  }

  Value const* find_text(TemplateDict const& dict, std::string_view name) {
    budget_.spend(dict.members.size());
    for (auto const& [key, value] : dict.members)
      if (key.is_text() && key.text().text() == name) return &value;
    return nullptr;
  }

  /// `object[key]`: the item, or else the attribute.
  Value item(Value const& object, Value const& key) {
    if (object.is_undefined()) throw_undefined(object);
    if (auto const* const dict = object.as<Value::Dict>(); dict != nullptr && is_hashable(key))
      if (Value const* const member = find(**dict, key, budget_)) return *member;
    if (auto const index = key.integer()) {
      if (object.is_text()) {
        std::int64_t const size = static_cast<std::int64_t>(length_of(object));
        if (*index < size && *index >= -size) return slice(object, *index, *index == -1 ? std::nullopt : std::optional(*index + 1), 1);
      }
      auto const* const sequence = object.as<Value::Sequence>();
      if (sequence != nullptr && (*sequence)->kind <= SequenceKind::range) {
        std::int64_t const size = static_cast<std::int64_t>((*sequence)->elements.size());
        if (*index < size && *index >= -size) return (*sequence)->elements[static_cast<std::size_t>(*index < 0 ? *index + size : *index)];
      }
      return Value::undefined(describe(object) + " has no element " + std::to_string(*index));
    }
    if (key.is_text()) {
      if (auto own = own_attribute(object, key.text().text())) return *own;
      return no_attribute(object, key.text().text());
    }
    return Value::undefined(message({describe(object), " has no such element"}));
  }

  std::optional<Value> loop_attribute(TemplateLoop& loop, std::string_view name) {
    auto const index = loop.index;
    if (name == "index") return Value::number(index);
    if (name == "index0") return Value::number(index - 1);
    if (name == "first") return Value(index == 1);
    if (name == "last") return Value(!loop.has_more());
    if (name == "length") return Value::number(loop.count());
    if (name == "revindex") return Value::number(loop.count() - index + 1);
    if (name == "revindex0") return Value::number(loop.count() - index);
    if (name == "previtem") return index == 1 ? Value::undefined("there is no previous item") : loop.previous;
    if (name == "nextitem") return loop.has_more() ? *loop.ahead : Value::undefined("there is no next item");
    if (name == "depth") return Value::number(loop.depth);
    if (name == "depth0") return Value::number(loop.depth - 1);
    return std::nullopt;
  }

  // ---- functions, methods, filters, tests: text/template_functions.hpp ----------------------------------------------------------------

  /// The arguments of a call by the names of parameters; nothing where one is not given.
  /// @throws TemplateFault for too many, too few, and for names that are no parameter's.
  std::vector<std::optional<Value>> bind(std::string_view name, Arguments const& arguments,
                                         std::initializer_list<std::string_view> parameters, std::size_t required = 0);
  Value call_function(TemplateFunction function, Arguments const& arguments);
  Value call_method(Value const& object, std::string_view name, Arguments const& arguments);
  Value call_text_method(Value const& object, std::string_view name, Arguments const& arguments);
  Value call_sequence_method(TemplateSequence const& sequence, std::string_view name, Arguments const& arguments);
  Value call_dict_method(Value const& object, std::string_view name, Arguments const& arguments);
  Value call_loop_method(TemplateLoop& loop, std::string_view name, Arguments const& arguments);
  Value filter(std::string_view name, Value const& value, Arguments const& arguments);
  Value filter_text(std::string_view name, Value const& value, Arguments const& arguments);
  Value filter_elements(std::string_view name, Value const& value, Arguments const& arguments);
  Value filter_number(std::string_view name, Value const& value, Arguments const& arguments);
  Value filter_map(Value const& value, Arguments const& arguments);
  Value filter_select(std::string_view name, Value const& value, Arguments const& arguments);
  Value filter_json(Value const& value, Arguments const& arguments);
  Value filter_indent(Value const& value, Arguments const& arguments);
  bool test(std::string_view name, Value const& value, Arguments const& arguments);
  bool has_case(Value const& value, LetterCase letter_case);
  Value nested_attribute(Value value, Value const& path);
  Value sort_key(Value const& value, Value const* path, bool is_case_sensitive);
  Values sorted(Values values, Values const& keys, bool is_reversed);
  MarkedText joined(Values const& values, MarkedText const& separator);
  MarkedText text_of(Value const& value) { return value.is_text() ? value.text() : to_text(value, budget_); }
  MarkedText formatted_time(MarkedText const& format_text);

  Environment environment_;
  TemplateBudget budget_;
  MarkedText output_;
  Value block_text_;
  std::size_t line_ = 1;
  std::size_t level_ = 0;
  TemplateScope root_;
  TemplateScope* scope_;
  std::vector<std::unique_ptr<TemplateScope>> kept_;  // With the macros and namespaces, alive until the text is there.
  std::deque<TemplateMacro> macros_;
  std::deque<TemplateNamespace> namespaces_;
};

inline std::optional<TemplateValue> TemplateLoop::pull() {
  while (!is_over && next_item < items.size()) {
    TemplateValue item = items[next_item++];
    if (statement == nullptr || statement->expressions[1] == nullptr) return item;
    TemplateInterpreter::InnerScope const inner(*interpreter, scope);
    interpreter->assign_target(*statement->target, item);
    if (interpreter->is_true(interpreter->evaluate(*statement->expressions[1]))) return item;
  }
  return std::nullopt;
}

}  // namespace axiform::detail
