/// @file
/// Unicode's normal forms, with the place that each code point came from: decomposition in canonical order, and composition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <axiform/core/stable_sort.hpp>
#include <axiform/text/unicode.hpp>

namespace axiform::detail {

/// A code point of the normalised text and the bytes [begin, end) of the original text that it stands for.
struct NormalizedCodePoint {
  char32_t value;
  std::uint32_t begin;
  std::uint32_t end;
};

/// Writes what becomes of `input`, in order, with the places of what it came from. As in the crate, what comes out takes its place from the
/// next that went in, whatever stands there: where marks have changed places, places have not.
class Realigner {
 public:
  Realigner(std::vector<NormalizedCodePoint> const& input, std::vector<NormalizedCodePoint>& output) : input_(input), output_(output) {
    output_.clear();
  }

  /// Appends `c`, for which `taken` of the input go; for none, it shares the place of the last that went.
  void put(char32_t c, std::uint32_t taken) {
    NormalizedCodePoint const& place = input_[taken == 0 && taken_ > 0 ? taken_ - 1 : taken_];
    output_.push_back({c, place.begin, place.end});
    taken_ += taken;
  }
  /// Leaves out what the next of the input became.
  void skip(std::uint32_t taken) { taken_ += taken; }

 private:
  std::vector<NormalizedCodePoint> const& input_;
  std::vector<NormalizedCodePoint>& output_;
  std::size_t taken_ = 0;
};

enum class Decomposition : bool { canonical, compatible };

/// Decomposes and brings marks into canonical order; owns the buffer for it.
class Decomposer {
 public:
  /// Calls `emit(c, taken)` for what `points` decompose to; `taken` is 1 for the first of what one code point becomes, 0 for the rest.
  template <class Emit>
  void decompose_all(std::vector<NormalizedCodePoint> const& points, Decomposition kind, Emit emit) {
    pending_.clear();
    auto const flush = [&] {
      order_marks();
      for (Pending const& p : pending_) emit(p.value, p.taken);
      pending_.clear();
    };
    auto const put = [&](char32_t c, std::uint32_t taken) {
      if (properties_of(c).is_combining()) {
        pending_.push_back({combining_class(c), taken, c});
      } else {
        if (!pending_.empty()) flush();
        emit(c, taken);
      }
    };
    for (NormalizedCodePoint const& point : points) {
      std::uint32_t taken = 1;
      auto const put_part = [&](char32_t c) {
        put(c, taken);
        taken = 0;
      };
      auto const properties = properties_of(point.value);
      if (kind == Decomposition::compatible && properties.is_compatible())
        decompose_compatibly(point.value, put_part);
      else if (properties.decomposes())
        decompose(point.value, put_part);
      else
        put(point.value, 1);
    }
    flush();
  }

 private:
  struct Pending {
    std::uint8_t combining_class;
    std::uint32_t taken;
    char32_t value;
  };
  /// Sorts the marks by their classes; of equal ones, what came first stays first. There are one or two, unless somebody wants to know.
  void order_marks() {
    if (pending_.size() > 16)
      return stable_sort(pending_, [](Pending const& a, Pending const& b) { return a.combining_class < b.combining_class; });
    for (std::size_t i = 1; i < pending_.size(); ++i)
      for (std::size_t k = i; k > 0 && pending_[k].combining_class < pending_[k - 1].combining_class; --k)
        std::swap(pending_[k], pending_[k - 1]);
  }
  std::vector<Pending> pending_;
};

/// Composes what `put` is given in canonical order; owns the buffer for it.
class Composer {
 public:
  /// Calls `emit(c, taken)` for what is composed.
  template <class Emit>
  void put(char32_t c, std::uint32_t taken, Emit emit) {
    std::uint8_t const combining = properties_of(c).is_combining() ? combining_class(c) : 0;
    if (!starter_) {
      if (combining == 0)
        starter_ = {c, taken};
      else
        emit(c, taken);
      return;
    }
    bool const is_blocked = !marks_.empty() && last_class_ >= combining;
    if (auto const composite = is_blocked ? std::nullopt : compose(starter_->value, c)) {
      starter_ = {*composite, starter_->taken + taken};
    } else if (combining == 0) {
      finish(emit);
      starter_ = {c, taken};
    } else {
      marks_.push_back({c, taken});
      last_class_ = combining;
    }
  }
  /// The same for what is left.
  template <class Emit>
  void finish(Emit emit) {
    if (starter_) emit(starter_->value, starter_->taken);
    for (Part const& mark : marks_) emit(mark.value, mark.taken);
    starter_.reset();
    marks_.clear();
  }

 private:
  struct Part {
    char32_t value;
    std::uint32_t taken;
  };
  std::optional<Part> starter_;
  std::vector<Part> marks_;  // Between the starter and what comes next, none of which composed.
  std::uint8_t last_class_ = 0;
};

}  // namespace axiform::detail
