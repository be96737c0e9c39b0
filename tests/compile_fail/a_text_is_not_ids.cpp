// A text is not ids: a tokenizer makes ids of it. Ids are a list, a vector or a span of integers of any size.
// expect-first-error: (no match|conver|invalid)
#include <cstdint>
#include <string>
#include <vector>

#include <axiform/core/token_ids.hpp>

void model(axiform::TokenIds const&) {}

void use(std::string const& text, std::vector<std::int64_t> const& ids) {
#ifdef SHOULD_COMPILE
  model(ids);
  model({1, 2, 3});
  (void)text;
#else
  model(text);
  (void)ids;
#endif
}
