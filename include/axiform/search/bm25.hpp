/// @file
/// `Bm25`: which texts have the words of a query, the rarer the better. It finds names, numbers and spellings that embeddings blur, and needs no
/// model; `reciprocal_rank_fusion` joins the two.
///
///     Bm25 const bm25(passages);
///     for (SearchHit const& hit : bm25.search("Eiffel tower height", {.top_k = 3})) std::cout << passages[hit.index] << "\n";
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>
#include <axiform/tasks/semantic_search.hpp>
#include <axiform/tasks/text_range.hpp>

#if AXIFORM_DEFINES(search)
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <axiform/core/checks.hpp>
#include <axiform/core/error.hpp>
#include <axiform/io/printable.hpp>
#include <axiform/search/best_hits.hpp>
#include <axiform/search/words.hpp>
#endif

namespace axiform {

/// What is found, and how words count.
struct Bm25Options {
  std::size_t top_k = 10;  ///< Hits at most.
  double k1 = 1.2;         ///< How soon repetitions of a word count no more: 0 at once.
  double b = 0.75;         ///< How much a text's length counts: 0 not at all, 1 in full.
};

/// An inverted index as flat arrays, which may lie in a file: words in the order of their bytes, and for each word the texts that have it.
struct Bm25Arrays {
  std::span<char const> words;                  ///< All words, one behind another.
  std::span<std::uint64_t const> word_ends;     ///< Where each word ends in `words`.
  std::span<std::uint64_t const> posting_ends;  ///< Where each word's postings end in the next two.
  std::span<std::uint32_t const> texts;         ///< The texts that have the word, in order.
  std::span<std::uint32_t const> counts;        ///< How often each has it.
  std::span<std::uint32_t const> lengths;       ///< Words of each text.
};

/// Texts to be searched by their words. Copies share the index; any number of threads may search at once.
class Bm25 {
 public:
  /// Of no text.
  Bm25() = default;
  /// Of texts, whose words `for_each_word` says.
  template <TextRange Texts>
  explicit Bm25(Texts const& texts);
  /// Of arrays that `owner` keeps.
  /// @param name What they are in messages: a file.
  /// @throws FormatError when they do not fit together.
  Bm25(Bm25Arrays const& arrays, std::shared_ptr<void const> owner, std::string const& name);

  /// The texts that have a word of the query, by the sum over its words of idf * f / (f + k1 * (1 - b + b * length / mean length)), where f is how
  /// often the text has the word and idf = log(1 + (texts - those with it + 0.5) / (those with it + 0.5)). This is Lucene's BM25 (Robertson et al.
  /// 1994; Kamphuis et al. 2020 compare the variants), with exact lengths. A word that the query has twice counts twice.
  ///
  /// @return The `top_k` best, best first, equals by index. Texts that have none of the words are not found.
  /// @throws ArgumentError when `top_k` is 0, `k1` is negative or `b` is not in [0, 1]; FormatError when postings lead out of the texts.
  std::vector<SearchHit> search(std::string_view query, Bm25Options const& options = {}) const;

  std::size_t size() const noexcept { return arrays_.lengths.size(); }          ///< Texts.
  std::size_t word_count() const noexcept { return arrays_.word_ends.size(); }  ///< Different words.
  Bm25Arrays const& arrays() const noexcept { return arrays_; }                 ///< The index, for as long as this object or a copy lives.

 private:
  friend class Bm25Builder;
  std::size_t find(std::string_view word) const;  // its place, or word_count()
  std::string_view word(std::size_t index) const;

  Bm25Arrays arrays_;
  std::shared_ptr<void const> owner_;
  std::string name_;
  double mean_length_ = 0;
};

/// Makes a `Bm25` of texts in any order, and of the texts of another.
class Bm25Builder {
 public:
  static constexpr std::uint32_t left_out = ~std::uint32_t{0};  ///< In the place of a text that does not come along.

  /// Adds a text as number `index`, which is added once.
  void add(std::size_t index, std::string_view text);
  /// Adds what `other` knows of its texts: text i becomes number `places[i]`. It has not to be read again.
  /// @throws ArgumentError when there is not a place for each; FormatError when postings lead out of the texts.
  void add(Bm25 const& other, std::span<std::uint32_t const> places);
  /// The index of texts 0 to `size` - 1; those that were not added have no words.
  Bm25 finish(std::size_t size) &&;

 private:
  struct Posting {
    std::uint32_t text;
    std::uint32_t count;
  };
  std::uint32_t& length_of(std::size_t index);

  std::unordered_map<std::string, std::vector<Posting>> postings_;
  std::vector<std::uint32_t> lengths_;
  std::unordered_map<std::string, std::uint32_t> counts_;  // of the text that is being added
};

template <TextRange Texts>
Bm25::Bm25(Texts const& texts) {
  Bm25Builder builder;
  std::size_t count = 0;
  for (std::string_view const text : texts) builder.add(count++, text);
  *this = std::move(builder).finish(count);
}

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(search)

namespace detail {

/// Whether places of ends are in order and the last is `total`; with no end there is nothing.
inline bool are_ends(std::span<std::uint64_t const> ends, std::size_t total) {
  return std::ranges::is_sorted(ends) && (ends.empty() ? 0 : ends.back()) == total;
}

/// Arrays that a `Bm25` owns.
struct OwnBm25Arrays {
  std::string words;
  std::vector<std::uint64_t> word_ends, posting_ends;
  std::vector<std::uint32_t> texts, counts, lengths;
};

}  // namespace detail

AXIFORM_INLINE Bm25::Bm25(Bm25Arrays const& arrays, std::shared_ptr<void const> owner, std::string const& name)
    : arrays_(arrays), owner_(std::move(owner)), name_(name) {
  auto const refuse = [&](std::string const& what) { throw FormatError(detail::message({name_, ": words: ", what})); };
  if (!detail::are_ends(arrays_.word_ends, arrays_.words.size())) refuse("found ends that are not in order within the words' bytes");
  for (std::size_t i = 1; i < word_count(); ++i)
    if (word(i - 1) >= word(i)) refuse(detail::message({"found ", detail::in_quotes(word(i)), " behind ", detail::in_quotes(word(i - 1))}));
  if (arrays_.posting_ends.size() != word_count())
    refuse(detail::message({"found the postings of ", arrays_.posting_ends.size(), ", expected ", word_count()}));
  if (arrays_.texts.size() != arrays_.counts.size() || !detail::are_ends(arrays_.posting_ends, arrays_.texts.size()))
    refuse("found ends that are not in order within the postings");
  if (size() > Bm25Builder::left_out) refuse(detail::message({"found ", size(), " texts, which are too many"}));
  double const total = std::accumulate(arrays_.lengths.begin(), arrays_.lengths.end(), 0.0);
  mean_length_ = size() == 0 ? 0 : total / static_cast<double>(size());
}

AXIFORM_INLINE std::string_view Bm25::word(std::size_t index) const {
  std::size_t const begin = index == 0 ? 0 : arrays_.word_ends[index - 1];
  return {arrays_.words.data() + begin, arrays_.word_ends[index] - begin};
}

AXIFORM_INLINE std::size_t Bm25::find(std::string_view wanted) const {
  auto const places = std::views::iota(std::size_t{0}, word_count());
  auto const place = std::ranges::lower_bound(places, wanted, {}, [this](std::size_t index) { return word(index); });
  return place == places.end() || word(*place) != wanted ? word_count() : *place;
}

AXIFORM_INLINE std::vector<SearchHit> Bm25::search(std::string_view query, Bm25Options const& options) const {
  detail::check_positive(options.top_k, "top_k");
  if (!(options.k1 >= 0 && options.k1 <= std::numeric_limits<float>::max()))
    throw ArgumentError("k1: found " + std::to_string(options.k1) + ", expected a number from 0");
  if (!(options.b >= 0 && options.b <= 1)) throw ArgumentError("b: found " + std::to_string(options.b) + ", expected a number from 0 to 1");

  std::vector<std::pair<std::size_t, double>> wanted;  // word, how often; in the query's order, which is the order of the sums
  for_each_word(query, [&](std::string_view word) {
    std::size_t const place = find(word);
    if (place == word_count()) return;
    auto const same = std::ranges::find(wanted, place, [](auto const& entry) { return entry.first; });
    if (same == wanted.end())
      wanted.emplace_back(place, 1.0);
    else
      ++same->second;
  });

  std::vector<double> scores(wanted.empty() ? 0 : size());
  std::vector<std::uint32_t> found;
  for (auto const& [place, times] : wanted) {
    std::size_t const begin = place == 0 ? 0 : arrays_.posting_ends[place - 1], end = arrays_.posting_ends[place];
    double const with = static_cast<double>(end - begin), all = static_cast<double>(size());
    double const idf = times * std::log(1 + std::max(0.0, all - with + 0.5) / (with + 0.5));
    if (!(idf > 0)) continue;  // more postings than texts, as no builder makes them
    for (std::size_t i = begin; i < end; ++i) {
      std::uint32_t const text = arrays_.texts[i];
      if (text >= size())
        throw FormatError(detail::message({name_, ": words: found the text ", text, " among the postings of ",
                                           detail::in_quotes(word(place)), ", expected one of ", size()}));
      double const count = arrays_.counts[i];
      if (count == 0) continue;
      if (scores[text] == 0) found.push_back(text);
      double const length = mean_length_ > 0 ? arrays_.lengths[text] / mean_length_ : 0;
      scores[text] += idf * count / (count + options.k1 * (1 - options.b + options.b * length));
    }
  }
  std::vector<SearchHit> hits;
  hits.reserve(found.size());
  for (std::uint32_t const text : found) hits.push_back({.index = text, .score = static_cast<float>(scores[text])});
  detail::keep_best(hits, options.top_k);
  return hits;
}

AXIFORM_INLINE std::uint32_t& Bm25Builder::length_of(std::size_t index) {
  if (index >= left_out) throw ArgumentError(detail::message({"BM25: found the text ", index, ", expected fewer"}));
  if (index >= lengths_.size()) lengths_.resize(index + 1);
  return lengths_[index];
}

AXIFORM_INLINE void Bm25Builder::add(std::size_t index, std::string_view text) {
  std::uint32_t& length = length_of(index);
  counts_.clear();
  for_each_word(text, [&](std::string_view word) {
    ++counts_[std::string(word)];
    ++length;
  });
  for (auto const& [word, count] : counts_) postings_[word].push_back({static_cast<std::uint32_t>(index), count});
}

AXIFORM_INLINE void Bm25Builder::add(Bm25 const& other, std::span<std::uint32_t const> places) {
  if (places.size() != other.size())
    throw ArgumentError(detail::message({"BM25: found ", places.size(), " places, expected ", other.size()}));
  Bm25Arrays const& arrays = other.arrays();
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i] != left_out) length_of(places[i]) = arrays.lengths[i];
  for (std::size_t word = 0, i = 0; word < other.word_count(); ++word) {
    std::vector<Posting>* postings = nullptr;  // a word that no text has any more is not kept
    for (; i < arrays.posting_ends[word]; ++i) {
      if (arrays.texts[i] >= places.size())
        throw FormatError(detail::message({other.name_, ": words: found the text ", arrays.texts[i], ", expected one of ", places.size()}));
      std::uint32_t const place = places[arrays.texts[i]];
      if (place == left_out) continue;
      if (postings == nullptr) postings = &postings_[std::string(other.word(word))];
      postings->push_back({place, arrays.counts[i]});
    }
  }
}

AXIFORM_INLINE Bm25 Bm25Builder::finish(std::size_t size) && {
  if (size < lengths_.size()) throw ArgumentError(detail::message({"BM25: found ", lengths_.size(), " texts, expected at most ", size}));
  if (size > 0) length_of(size - 1);
  std::vector<std::pair<std::string_view, std::vector<Posting>*>> words;
  words.reserve(postings_.size());
  for (auto& [word, postings] : postings_) words.emplace_back(word, &postings);
  std::ranges::sort(words, {}, [](auto const& entry) { return entry.first; });
  auto own = std::make_shared<detail::OwnBm25Arrays>();
  for (auto const& [word, postings] : words) {
    auto const text_of = [](Posting const& posting) { return posting.text; };
    if (!std::ranges::is_sorted(*postings, {}, text_of)) std::ranges::sort(*postings, {}, text_of);
    for (auto const& [text, count] : *postings) {
      own->texts.push_back(text);
      own->counts.push_back(count);
    }
    own->words += word;
    own->word_ends.push_back(own->words.size());
    own->posting_ends.push_back(own->texts.size());
  }
  own->lengths = std::move(lengths_);
  Bm25Arrays const arrays{.words = own->words,
                          .word_ends = own->word_ends,
                          .posting_ends = own->posting_ends,
                          .texts = own->texts,
                          .counts = own->counts,
                          .lengths = own->lengths};
  return Bm25(arrays, std::move(own), "BM25");
}

#endif  // AXIFORM_DEFINES(search)

}  // namespace axiform
