#include <iostream>
#include <string>
#include <vector>

#include <axiform/search/bm25.hpp>

int main() {
  std::vector<std::string> const passages{"The Eiffel Tower is 330 metres tall.", "A tall man met a taller one.",
                                          "Paris has a tower, too."};
  axiform::Bm25 const bm25(passages);
  for (axiform::SearchHit const& hit : bm25.search("How tall is the tower?", {.top_k = 2}))
    std::cout << hit.score << " " << passages[hit.index] << "\n";
}

// Prints:
// 1.26449 The Eiffel Tower is 330 metres tall.
// 0.233771 Paris has a tower, too.
