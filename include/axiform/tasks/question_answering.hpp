/// @file
/// `QuestionAnswering`: the part of a text that answers a question.
///
///     auto const model = QuestionAnswering<>::from_directory("models/roberta-base-squad2", context);
///     for (Answer const& answer : model.answer("Where is it?", text, {.top_k = 3}, context))
///       std::cout << answer.score << "  " << answer.answer << "  at " << answer.start << "\n";
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/core/checks.hpp>
#include <axiform/core/context.hpp>
#include <axiform/core/stable_sort.hpp>
#include <axiform/io/model_directory.hpp>
#include <axiform/models/bert_heads.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/answer_spans.hpp>
#include <axiform/tasks/batching.hpp>
#include <axiform/tasks/checks.hpp>
#include <axiform/core/progress.hpp>
#include <axiform/tasks/task_models.hpp>
#include <axiform/tasks/windows.hpp>
#include <axiform/text/tokenizer_files.hpp>
#include <axiform/text/utf8.hpp>

namespace axiform {

/// A part of the context that may be the answer.
struct Answer {
  double score;                ///< The product of the probabilities of its first and its last token.
  std::size_t start = 0;       ///< Its first code point in the context.
  std::size_t end = 0;         ///< Behind its last code point.
  std::size_t byte_start = 0;  ///< Its first byte in the context.
  std::size_t byte_end = 0;    ///< Behind its last byte.
  std::string answer = {};     ///< Its text; empty when the context does not answer the question.
};

/// Whether the context may fail to answer the question.
enum class ImpossibleAnswers {
  left_out,  ///< There is an answer.
  reported   ///< The empty answer is among the others, with the least score that any window gives it (`handle_impossible_answer`).
};

/// Where answers may begin and end.
enum class AnswerBounds {
  words,  ///< Answers are widened to whole words (`align_to_words`).
  tokens  ///< Where the tokens do.
};

/// What becomes of answers that read the same.
enum class EqualAnswers {
  apart,  ///< Each by itself, as in transformers up to 4.49.
  added   ///< Those that differ in capitals alone are one, with the sum of their scores, as in transformers 4.57: a score may pass 1.
};

/// How answers are looked for, with the names and defaults of transformers.
struct QuestionAnsweringOptions {
  std::size_t top_k = 1;                        ///< Answers at most, best first.
  std::optional<std::size_t> doc_stride = {};   ///< Tokens that windows share; half a window, at most 128, when not given.
  std::size_t max_answer_len = 15;              ///< Tokens of an answer at most.
  std::optional<std::size_t> max_seq_len = {};  ///< Tokens of a window with the question; 384, if the model reads so many.
  /// Tokens of the question at most; it is cut. (transformers heeds it with its slow tokenizers alone, where it is 64.)
  std::optional<std::size_t> max_question_len = {};
  ImpossibleAnswers impossible_answers = ImpossibleAnswers::left_out;  ///< Whether there may be none.
  AnswerBounds bounds = AnswerBounds::words;                           ///< Where answers may begin and end.
  EqualAnswers equal_answers = EqualAnswers::apart;                    ///< What becomes of answers that read the same.
  std::size_t batch_size = 8;      ///< Windows that run together. It changes speed and memory, never a bit of the result.
  std::stop_token stop = {};       ///< Ends the call with a `StoppedError`.
  ProgressCallback progress = {};  ///< Is told how many windows are done.
};

}  // namespace axiform

namespace axiform::inline AXIFORM_ARCH {

/// Finds answers as transformers' `question-answering` pipeline (4.49) does, with a BERT, RoBERTa or DistilBERT for question answering.
/// A long context is read in overlapping windows, which run as packed batches. Constant once made: one object serves any number of threads,
/// each with a context of its own.
///
/// It differs from the pipeline where that gives what is no answer: spans of score 0, or that end before they begin, are left out.
template <AnswerModel ModelType = BertForQuestionAnswering<>>
class QuestionAnswering {
 public:
  using Model = ModelType;  ///< What reads question and context.

  /// From its parts.
  QuestionAnswering(Tokenizer tokenizer, Model model) : tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}

  /// From a Hugging Face directory.
  /// @throws FileError, FormatError or CheckpointError when a file is missing, malformed, or not that of such a model.
  static QuestionAnswering from_directory(ModelDirectory const& directory, LoadOptions const& loading, Context& context) {
    detail::expect_head(directory, {ModelHead::question_answering}, "question answering");
    return {Tokenizer::from_directory(directory), load<Model>(directory, loading, context)};
  }
  /// The same with weights in f32.
  static QuestionAnswering from_directory(ModelDirectory const& directory, Context& context) {
    return from_directory(directory, {}, context);
  }

  /// The best answers to `question` in `text`, best first; fewer than `top_k` where there are no more.
  /// @throws ArgumentError when question or text are empty, the question leaves no room for the text, or options are absurd or contradict
  ///         each other; StoppedError; what the callback throws.
  std::vector<Answer> answer(std::string_view question, std::string_view text, QuestionAnsweringOptions const& options,
                             Context& context) const {
    std::size_t const length = check(question, text, options);
    auto const windowed = windows_of(question, text, length, options);
    auto const lengths = windowed.lengths();
    std::vector<Candidates> windows(lengths.size());
    internal::for_each_batch(
        lengths, {.what = "question answering", .batch_size = options.batch_size, .stop = options.stop, .progress = options.progress},
        context, [&](std::span<std::size_t const> batch, Context& own) { run(windowed, batch, options, windows, own); });
    return best_answers(windowed, windows, text, options);
  }
  /// The same with the defaults of all options.
  std::vector<Answer> answer(std::string_view question, std::string_view text, Context& context) const {
    return answer(question, text, {}, context);
  }

  Tokenizer const& tokenizer() const noexcept { return tokenizer_; }  ///< What cuts the texts.
  Model const& model() const noexcept { return model_; }              ///< What reads them.
  /// Tokens of the longest window, question and special tokens included.
  std::size_t max_length() const noexcept { return detail::longest_text(tokenizer_, model_.positions()); }

 private:
  // What a window has to say.
  struct Candidates {
    std::vector<detail::AnswerSpan> spans;  // Tokens of the whole encoding.
    double impossible = 0;
  };

  // Gives the length of a window.
  std::size_t check(std::string_view question, std::string_view text, QuestionAnsweringOptions const& options) const {
    if (question.empty()) throw ArgumentError("question answering: the question is empty");
    if (text.empty()) throw ArgumentError("question answering: the text to look in is empty");
    detail::check_positive(options.top_k, "top_k");
    detail::check_positive(options.max_answer_len, "max_answer_len");
    if (options.max_question_len) detail::check_positive(*options.max_question_len, "max_question_len");
    std::size_t const length = options.max_seq_len.value_or(std::min<std::size_t>(max_length(), 384));
    if (length > max_length())
      throw ArgumentError("max_seq_len: found " + std::to_string(length) + ", expected at most the model's " +
                          std::to_string(max_length()));
    if (options.doc_stride && *options.doc_stride > length)
      throw ArgumentError("doc_stride: found " + std::to_string(*options.doc_stride) + ", expected less than max_seq_len, " +
                          std::to_string(length));
    return length;
  }

  detail::WindowedEncoding windows_of(std::string_view question, std::string_view text, std::size_t length,
                                      QuestionAnsweringOptions const& options) const {
    auto const alone = tokenizer_.encode(question, {.add_special_tokens = false});
    std::size_t asked = alone.size();
    if (options.max_question_len && asked > *options.max_question_len) {
      question = question.substr(0, alone.byte_offsets[*options.max_question_len - 1].end);
      asked = tokenizer_.encode(question, {.add_special_tokens = false}).size();
    }
    Encoding encoding = tokenizer_.encode_pair(question, text);
    auto const& is_special = encoding.special_tokens_mask;
    auto const own = static_cast<std::size_t>(std::ranges::count(is_special, 0));
    if (own <= asked) throw ArgumentError("question answering: the text to look in has no token");
    std::size_t end = encoding.size();
    while (is_special[end - 1] != 0) --end;
    std::size_t const around = encoding.size() - (own - asked);
    if (encoding.size() > length && around >= length)
      throw ArgumentError("question answering: found a question of " + std::to_string(asked) +
                          " tokens, which leaves no room in windows of " + std::to_string(length));
    std::size_t overlap = options.doc_stride.value_or(std::min<std::size_t>(length / 2, 128));
    // Where a long question leaves little room, the pipeline breaks down; half of it is an overlap that works.
    if (!options.doc_stride && around < length && length - around <= overlap) overlap = (length - around) / 2;
    return {std::move(encoding), end - (own - asked), end, length, overlap};
  }

  void run(detail::WindowedEncoding const& windowed, std::span<std::size_t const> batch, QuestionAnsweringOptions const& options,
           std::vector<Candidates>& windows, Context& context) const {
    internal::PackedEncodings packed(model_.token_types());
    for (std::size_t const window : batch) packed.append(windowed.ids(window), windowed.type_ids(window));
    auto const logits = model_(packed.batch(), context);
    bool const adds = options.equal_answers == EqualAnswers::added && options.bounds == AnswerBounds::words;
    std::size_t const count = adds && options.top_k < max_spans / 2 - 10 ? 2 * options.top_k + 10 : options.top_k;
    for (std::size_t b = 0; b < batch.size(); ++b) {
      auto const [begin, end] = windowed.windows()[batch[b]];
      std::size_t const first = windowed.before();
      std::size_t const last = first + (end - begin);
      std::size_t const row = packed.sequences().offset(b);
      auto const ids = packed.batch().ids.subspan(row, packed.sequences().length(b));
      auto start = probabilities(logits, row, ids, 0, first, last);
      auto stop = probabilities(logits, row, ids, 1, first, last);
      Candidates& found = windows[batch[b]];
      found.impossible = start[0] * stop[0];
      start[0] = stop[0] = 0;
      found.spans = detail::best_spans(start, stop, first, last, options.max_answer_len, count);
      for (auto& span : found.spans) span.first += begin - first, span.last += begin - first;
    }
  }
  static constexpr std::size_t max_spans = static_cast<std::size_t>(-1);

  // Of each token of a window to begin or end the answer. Tokens of the question, and special ones but the first kind, have none.
  template <class Logits>
  std::vector<double> probabilities(Logits const& logits, std::size_t row, std::span<TokenId const> ids, std::size_t column,
                                    std::size_t first, std::size_t last) const {
    std::vector<float> masked(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      bool const may_be = (i >= first && i < last) || ids[i] == tokenizer_.special_tokens().cls;
      masked[i] = may_be ? logits(row + i, column) : -10000.0F;
    }
    return internal::softmax(masked);
  }

  std::vector<Answer> best_answers(detail::WindowedEncoding const& windowed, std::span<Candidates const> windows, std::string_view text,
                                   QuestionAnsweringOptions const& options) const {
    auto const words =
        options.bounds == AnswerBounds::words ? tokenizer_.word_ids(windowed.encoding()) : std::vector<std::optional<std::uint32_t>>{};
    std::vector<Answer> answers;
    std::vector<std::string> lowered;
    double impossible = 1;
    for (std::size_t window = 0; window < windows.size(); ++window) {
      auto const [begin, end] = windowed.windows()[window];
      impossible = std::min(impossible, windows[window].impossible);
      for (auto [first, last, score] : windows[window].spans) {
        if (!words.empty()) {
          while (first > begin && words[first - 1] == words[first]) --first;
          while (last + 1 < end && words[last + 1] == words[last]) ++last;
        }
        Answer answer = make_answer(windowed.encoding(), first, last, score, text);
        if (options.equal_answers == EqualAnswers::added) {
          std::string lower = detail::lower_cased(answer.answer);
          auto const same = std::ranges::find(lowered, lower);
          if (same != lowered.end()) {
            answers[static_cast<std::size_t>(same - lowered.begin())].score += score;
            continue;
          }
          lowered.push_back(std::move(lower));
        }
        answers.push_back(std::move(answer));
      }
    }
    if (options.impossible_answers == ImpossibleAnswers::reported) answers.push_back({.score = impossible});
    detail::stable_sort(answers, std::ranges::greater{}, &Answer::score);
    answers.resize(std::min(answers.size(), options.top_k));
    return answers;
  }

  static Answer make_answer(Encoding const& encoding, std::size_t first, std::size_t last, double score, std::string_view text) {
    Answer answer{.score = score,
                  .start = encoding.offsets[first].begin,
                  .end = encoding.offsets[last].end,
                  .byte_start = encoding.byte_offsets[first].begin,
                  .byte_end = encoding.byte_offsets[last].end};
    answer.answer = replace_invalid_utf8(text.substr(answer.byte_start, answer.byte_end - std::min(answer.byte_start, answer.byte_end)));
    return answer;
  }

  Tokenizer tokenizer_;
  Model model_;
};

}  // namespace axiform::inline AXIFORM_ARCH
