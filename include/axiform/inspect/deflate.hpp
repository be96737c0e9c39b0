/// @file
/// A small encoder of DEFLATE (RFC 1951), for the numbers in pages: the browser unpacks them.
///
/// Huffman codes of each block's own bytes, and runs of one byte as matches of distance 1; no search for other matches, since numbers that
/// were measured seldom repeat in sequence. See docs/decisions/0015-pages-with-compressed-numbers.md.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <axiform/core/config.hpp>

namespace axiform::detail {

/// The lengths of a Huffman code for symbols that occur so often; 0 for those that do not. No length is above `longest`, and at least two
/// symbols have one, as DEFLATE wants it.
inline std::vector<std::uint8_t> huffman_lengths(std::vector<std::uint32_t> counts, unsigned longest) {
  std::size_t const symbols = counts.size();
  for (std::size_t i = 0; std::ranges::count_if(counts, [](auto count) { return count > 0; }) < 2; ++i) counts[i] = std::max(counts[i], 1u);
  for (;;) {
    // A tree of nodes with two children each: those below `symbols` are leaves, the others are made in the order of their weight.
    using Node = std::pair<std::uint64_t, std::size_t>;  // weight, index
    std::priority_queue<Node, std::vector<Node>, std::greater<>> heap;
    std::vector<std::size_t> parents(2 * symbols, 0);
    for (std::size_t i = 0; i < symbols; ++i)
      if (counts[i] > 0) heap.push({counts[i], i});
    std::size_t next = symbols;
    for (; heap.size() > 1; ++next) {
      std::uint64_t weight = 0;
      for (int child = 0; child < 2; ++child) {
        weight += heap.top().first;
        parents[heap.top().second] = next;
        heap.pop();
      }
      heap.push({weight, next});
    }
    std::vector<std::uint8_t> depths(next, 0);
    std::size_t const root = next - 1;
    for (std::size_t node = root; node-- > 0;)  // a parent has a higher index than its children
      if (parents[node] != 0) depths[node] = static_cast<std::uint8_t>(depths[parents[node]] + 1);
    depths.resize(symbols);
    if (std::ranges::max(depths) <= longest) return depths;
    for (std::uint32_t& count : counts) count = (count + 1) / 2;  // flatter counts make a flatter tree
  }
}

/// A symbol's code as DEFLATE writes it: the bit that is read first is the lowest.
struct HuffmanCode {
  std::uint32_t bits = 0;
  unsigned length = 0;
};

/// The codes that follow from their lengths (RFC 1951, 3.2.2).
inline std::vector<HuffmanCode> huffman_codes(std::span<std::uint8_t const> lengths) {
  std::array<std::uint32_t, 17> next{};
  for (std::uint8_t const length : lengths) next[length + 1u] += length > 0 ? 1 : 0;
  for (std::size_t length = 1; length < next.size(); ++length) next[length] = (next[length] + next[length - 1]) << 1;
  std::vector<HuffmanCode> codes(lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    codes[i].length = lengths[i];
    std::uint32_t const code = lengths[i] > 0 ? next[lengths[i]]++ : 0;
    for (unsigned bit = 0; bit < lengths[i]; ++bit) codes[i].bits |= (code >> bit & 1) << (lengths[i] - 1 - bit);
  }
  return codes;
}

/// Makes a DEFLATE stream of pieces of bytes. Each piece begins a block, so that bytes that are distributed alike share a code.
class Deflater {
 public:
  /// Appends bytes.
  void add(std::span<std::uint8_t const> bytes) {
    constexpr std::size_t block = std::size_t{1} << 16;
    for (std::size_t begin = 0; begin < bytes.size(); begin += block)
      add_block(bytes.subspan(begin, std::min(block, bytes.size() - begin)));
  }

  /// The whole stream; the object is as new then.
  std::string finish() {
    put(0b011, 3);  // the last block, of fixed codes, and in it
    put(0, 7);      // its end alone
    put(0, (8 - held_ % 8) % 8);
    flush();
    return std::exchange(*this, {}).stream_;
  }

 private:
  static constexpr std::size_t end_of_block = 256;
  static constexpr std::size_t shortest_run = 3, longest_run = 258;

  /// How a run's length is written (3.2.5): a symbol, and bits behind it.
  struct RunLength {
    std::size_t symbol;
    HuffmanCode extra;
  };
  static RunLength run_length(std::size_t length) {
    auto const rest = static_cast<std::uint32_t>(length - shortest_run);
    if (length == longest_run) return {285, {}};
    if (rest < 8) return {257 + rest, {}};
    unsigned const bits = static_cast<unsigned>(std::bit_width(rest)) - 3;
    return {257 + 4 * bits + (rest >> bits), {rest & ((1u << bits) - 1), bits}};
  }

  void put(std::uint64_t bits, unsigned count) {
    buffer_ |= bits << held_;
    held_ += count;
    if (held_ >= 32) flush();
  }
  void put(HuffmanCode code) { put(code.bits, code.length); }
  void flush() {
    for (; held_ >= 8; held_ -= 8, buffer_ >>= 8) stream_ += static_cast<char>(buffer_ & 0xFF);
  }

  /// Calls `literal(byte)` and `run(length)` for what the bytes are written as.
  template <class Literal, class Run>
  static void split(std::span<std::uint8_t const> bytes, Literal const& literal, Run const& run) {
    for (std::size_t i = 0; i < bytes.size();) {
      std::uint8_t const byte = bytes[i];
      literal(byte);
      std::size_t end = ++i;
      while (end < bytes.size() && bytes[end] == byte) ++end;
      if (end - i < least_run) continue;
      for (; end - i >= shortest_run; i += std::min(end - i, longest_run)) run(std::min(end - i, longest_run));
    }
  }
  // Shorter runs are cheaper as literals: a byte that comes in runs has a code of a bit or two.
  static constexpr std::size_t least_run = 10;

  void add_block(std::span<std::uint8_t const> bytes) {
    std::vector<std::uint32_t> counts(286);
    bool has_runs = false;
    split(
        bytes, [&](std::uint8_t byte) { ++counts[byte]; },
        [&](std::size_t length) { ++counts[run_length(length).symbol], has_runs = true; });
    counts[end_of_block] = 1;
    auto lengths = huffman_lengths(counts, 15);
    auto const codes = huffman_codes(lengths);
    while (lengths.back() == 0) lengths.pop_back();
    std::size_t const literals = lengths.size();
    lengths.push_back(has_runs ? 1 : 0);  // the one code for distances
    put(0b100, 3);                        // a block of codes of its own, not the last
    put_lengths(lengths, literals);
    split(
        bytes, [&](std::uint8_t byte) { put(codes[byte]); },
        [&](std::size_t length) {
          auto const [symbol, extra] = run_length(length);
          put(codes[symbol]);
          put(extra);
          put(0, 1);  // at distance 1
        });
    put(codes[end_of_block]);
  }

  /// The lengths of both codes, with a code of their own (3.2.7): zeros in runs of 3 to 138.
  void put_lengths(std::span<std::uint8_t const> lengths, std::size_t literals) {
    struct Symbol {
      std::uint8_t symbol;
      HuffmanCode extra;
    };
    std::vector<Symbol> symbols;
    for (std::size_t i = 0; i < lengths.size();) {
      std::size_t zeros = 0;
      while (i + zeros < lengths.size() && lengths[i + zeros] == 0 && zeros < 138) ++zeros;
      if (zeros >= 11)
        symbols.push_back({18, {static_cast<std::uint32_t>(zeros - 11), 7}});
      else if (zeros >= 3)
        symbols.push_back({17, {static_cast<std::uint32_t>(zeros - 3), 3}});
      else
        symbols.push_back({lengths[i], {}});
      i += zeros >= 3 ? zeros : 1;
    }
    std::vector<std::uint32_t> counts(19);
    for (Symbol const& each : symbols) ++counts[each.symbol];
    auto const own_lengths = huffman_lengths(counts, 7);
    auto const codes = huffman_codes(own_lengths);
    constexpr std::array<std::uint8_t, 19> order{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    put(literals - 257, 5);
    put(lengths.size() - literals - 1, 5);
    put(order.size() - 4, 4);
    for (std::uint8_t const symbol : order) put(own_lengths[symbol], 3);
    for (auto const& [symbol, extra] : symbols) put(codes[symbol]), put(extra);
  }

  std::string stream_;
  std::uint64_t buffer_ = 0;
  unsigned held_ = 0;  ///< Bits in `buffer_` that are not in `stream_` yet: fewer than 32 between calls.
};

}  // namespace axiform::detail
