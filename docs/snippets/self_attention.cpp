#include <iostream>

#include <axiform/models/bert.hpp>
#include <axiform/models/load.hpp>
#include <axiform/tasks/explain_attention.hpp>
#include <axiform/text/tokenizer_files.hpp>

using axiform::Bert, axiform::Context, axiform::load, axiform::Tokenizer;

int main() {
  auto context = Context::with_threads(2);
  auto const tokenizer = Tokenizer::from_directory("models/minilm-l6");
  auto const bert = load<Bert<>>("models/minilm-l6", context);
  auto const encoding = tokenizer.encode("Istanbul is a great city");

  auto const steps = explain_attention(bert, encoding.ids, {.layer = 1, .head = 8}, context);
  print_attention_steps(std::cout, steps, tokenizer.tokens(encoding), {.query = 4, .numbers = 2});
}

// Needs: models/minilm-l6
// Prints:
// Layer 1, head 8: what "great" (token 4) looks at.
//
// 1. Each token comes as 384 numbers. Three matrices of the head make 32 numbers of them each: a query (what it
//    looks for), a key (what it offers) and a value (what it gives). The first 2 are shown.
//    The query of great:   2.741  -1.236  …
// 2. Its score for a token is its query times that token's key, number by number, added up.
// 3. Scores are divided by the root of 32, which is 5.657, so that they do not grow with the head's size.
// 4. Nothing is hidden: each token may look at all others.
// 5. Softmax makes shares that sum to 1: e to the power of each score, divided by the sum of them all.
//
//    token          key                score    scaled    masked     share       value
//    [CLS]        1.831   0.317  …    24.629     4.354     4.354     0.068      -0.035   0.010  …
//    istanbul     3.028  -0.426  …    -0.262    -0.046    -0.046     0.001      -0.524   0.176  …
//    is           1.532   0.133  …   -19.790    -3.498    -3.498     0.000       0.798   0.143  …
//    a            0.234   1.779  …    -5.042    -0.891    -0.891     0.000       0.620   0.630  …
//    great       -0.624  -0.194  …    19.526     3.452     3.452     0.028      -1.039   0.441  …
//    city         1.273  -1.704  …    39.194     6.929     6.929     0.899      -0.462  -0.705  …
//    [SEP]        1.368  -0.269  …     8.134     1.438     1.438     0.004      -0.003  -0.055  …
//
// 6. The output is the sum of the values, each times its share:
//      -0.447  -0.621  …
