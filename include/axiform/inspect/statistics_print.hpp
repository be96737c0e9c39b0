/// @file
/// Statistics as a table for people, and as JSON lines for programs.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <axiform/inspect/statistics.hpp>

namespace axiform {

/// Writes a table, a line for each record:
///
///     name                                shape       mean        std       min      max      sum  checksum
///     hidden_states.0                    7 x 40  0.0123457   0.998764  -2.71828  3.14159  3.45679  -12.3456
void print_statistics(std::ostream& out, std::span<StatisticsRecord const> records);

/// Writes a JSON object a line: `name`, `sequence` where there is one, `shape`, `mean`, `std`, `min`, `max`, `sum`, `checksum`,
/// `not_finite` and `bits`, 16 hexadecimal digits.
void write_statistics_json(std::ostream& out, std::span<StatisticsRecord const> records);

// ---------------------------------------------------------------------------------------------------------------------

#if AXIFORM_DEFINES(inspect)

namespace detail {

/// The shortest digits that give this number back; what JSON cannot write is null.
inline std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

/// Six significant digits.
inline std::string short_number(double value) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::general, 6).ptr};
}

inline std::string join_lengths(std::vector<std::size_t> const& lengths, std::string_view separator) {
  std::string result;
  for (std::size_t i = 0; i < lengths.size(); ++i) result.append(i == 0 ? "" : separator).append(std::to_string(lengths[i]));
  return result;
}

inline std::string hexadecimal(std::uint64_t value) {
  std::array<char, 17> digits;
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(value));
  return digits.data();
}

}  // namespace detail

AXIFORM_INLINE void print_statistics(std::ostream& out, std::span<StatisticsRecord const> records) {
  std::vector<std::array<std::string, 9>> lines{{"name", "shape", "mean", "std", "min", "max", "sum", "checksum", "not finite"}};
  bool all_finite = true;
  for (StatisticsRecord const& record : records) {
    TensorStatistics const& s = record.statistics;
    std::string name = record.name;
    if (record.sequence) name += " of sequence " + std::to_string(*record.sequence);
    using detail::short_number;
    lines.push_back({std::move(name), detail::join_lengths(s.shape, " x "), short_number(s.mean), short_number(s.standard_deviation),
                     short_number(s.minimum), short_number(s.maximum), short_number(s.sum), short_number(s.checksum),
                     std::to_string(s.not_finite)});
    all_finite = all_finite && s.not_finite == 0;
  }
  std::size_t const columns = all_finite ? 8 : 9;  // The last column is there when there is something to see.
  std::array<std::size_t, 9> widths{};
  for (auto const& line : lines)
    for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], line[i].size());
  for (auto const& line : lines) {
    out << line[0] << std::string(widths[0] - line[0].size(), ' ');
    for (std::size_t i = 1; i < columns; ++i) out << "  " << std::string(widths[i] - line[i].size(), ' ') << line[i];
    out << '\n';
  }
}

AXIFORM_INLINE void write_statistics_json(std::ostream& out, std::span<StatisticsRecord const> records) {
  for (StatisticsRecord const& record : records) {
    TensorStatistics const& s = record.statistics;
    out << R"({"name":")" << record.name << '"';
    if (record.sequence) out << R"(,"sequence":)" << *record.sequence;
    out << R"(,"shape":[)" << detail::join_lengths(s.shape, ",") << ']';
    for (auto const& [name, value] : {std::pair("mean", s.mean), std::pair("std", s.standard_deviation), std::pair("min", s.minimum),
                                      std::pair("max", s.maximum), std::pair("sum", s.sum), std::pair("checksum", s.checksum)})
      out << ",\"" << name << "\":" << detail::json_number(value);
    out << R"(,"not_finite":)" << s.not_finite << R"(,"bits":")" << detail::hexadecimal(s.bits) << "\"}\n";
  }
}

#endif  // AXIFORM_DEFINES(inspect)

}  // namespace axiform
