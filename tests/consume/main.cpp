// The program of someone who uses the library: it includes, computes and prints.
#include <cmath>
#include <iostream>

#include <axiform/core/context.hpp>
#include <axiform/nn/initialize.hpp>
#include <axiform/nn/linear.hpp>
#include <axiform/version.hpp>

int main() {
  auto context = axiform::Context::with_threads(2);
  axiform::Linear<axiform::Const<8>, axiform::Const<4>> linear;
  axiform::initialize(linear, {.seed = 1}, context);

  axiform::Tensor<float, axiform::axes::Tokens, axiform::Const<8>> x(3);
  x(2, 5) = 1;
  auto const y = linear(x, context);
  std::cout << "axiform " << axiform::version << ": " << y.shape().to_string() << ", " << y(2, 0) << "\n";
  return y(0, 0) == 0 && y(2, 0) != 0 && std::isfinite(y(2, 0)) ? 0 : 1;
}
