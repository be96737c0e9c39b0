// Common words stay the program's own: beside `using namespace axiform` it may declare them, and use them, by their bare names.
#include <string>

#include <doctest/doctest.h>

#include <axiform/axiform.hpp>

using namespace axiform;

struct Sequences : DynamicAxis {};
struct Tokens : DynamicAxis {};
struct SourceTokens {};
struct Queries {};
struct Keys {};
struct Hidden : DynamicAxis {};
struct Heads {};
struct HeadSize {};
struct Inner : DynamicAxis {};
struct VocabularyEntries {};
struct Positions {};
struct TokenTypes {};
enum class Labels { good, bad };

template <class T>
T add(T const& a, T const& b) {
  return a + b;
}
template <class T>
T add(T const& a) {
  return a;
}
std::string load(std::string const& file) { return "loaded " + file; }
template <class T>
T load(std::string const& file) {
  return T(file.size());
}

int other_unit();  // two_units/unit.cpp

TEST_CASE("two units that include every header link: nothing is defined twice") { CHECK(other_unit() == 2); }

TEST_CASE("a program has its own Hidden, Labels, add and load beside `using namespace axiform`") {
  Tensor<float, Tokens, Hidden> x(2, 3);
  CHECK(x.shape().to_string() == "[2, 3]");
  CHECK(axis_name<Inner>() == "Inner");
  CHECK(axis_name<axes::Inner>() == "Inner");
  static_assert(!std::is_same_v<Inner, axes::Inner>);
  static_assert(!std::is_convertible_v<View<Tokens, Hidden>, View<axes::Tokens, axes::Hidden>>, "they are other axes than the library's");

  Context context;
  Linear<Hidden, Inner> const up({3}, {4});
  CHECK(up(x, context).shape().to_string() == "[2, 4]");

  CHECK(sizeof(Sequences) + sizeof(SourceTokens) + sizeof(Queries) + sizeof(Keys) + sizeof(Heads) + sizeof(HeadSize) == 6);
  CHECK(sizeof(VocabularyEntries) + sizeof(Positions) + sizeof(TokenTypes) == 3);
  CHECK(Labels::good != Labels::bad);
  CHECK(add(1, 2) == 3);
  CHECK(load("file") == "loaded file");
  CHECK(load<int>("file") == 4);
}
