// Ids as an argument: lists, vectors, arrays and spans, of ids and of other integers.
#include <doctest/doctest.h>
#include <axiform/core/token_ids.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

using namespace axiform;

namespace {

std::vector<TokenId> taken(TokenIds const& ids) {
  std::span<TokenId const> const span = ids;
  return {span.begin(), span.end()};
}

}  // namespace

static_assert(!std::is_convertible_v<std::string, TokenIds> && !std::is_convertible_v<std::vector<float>, TokenIds> &&
              !std::is_convertible_v<std::vector<bool>, TokenIds> && !std::is_convertible_v<int, TokenIds>);

TEST_CASE("token ids: lists, vectors, arrays and spans are taken as they are") {
  std::vector<TokenId> const ids{101, 7592, 102};
  CHECK(taken({101, 7592, 102}) == ids);
  CHECK(taken(ids) == ids);
  CHECK(taken(std::array<TokenId, 3>{101, 7592, 102}) == ids);
  CHECK(taken(std::span(ids).first(2)) == std::vector<TokenId>{101, 7592});
  CHECK(taken({}).empty());
  CHECK(TokenIds(ids).span().data() == ids.data());
}

TEST_CASE("token ids: integers of another type are converted, and one that is no id is refused by its place") {
  CHECK(taken(std::vector<std::int64_t>{101, -1}) == std::vector<TokenId>{101, -1});
  CHECK(taken(std::vector<std::uint16_t>{101, 65535}) == std::vector<TokenId>{101, 65535});
  CHECK_THROWS_WITH_AS(taken(std::vector<std::int64_t>{101, std::int64_t{1} << 31}),
                       "id 2147483648 at position 1: expected 0 to 2147483647", ArgumentError);
  CHECK_THROWS_AS(taken(std::vector<std::size_t>{static_cast<std::size_t>(-1)}), ArgumentError);
}
