// The program of someone who uses the library: it includes, computes and prints.
#include <iostream>
#include <vector>

#include <axiform/core/executor.hpp>
#include <axiform/version.hpp>

int main() {
  axiform::SerialExecutor serial;
  std::vector<int> squares(4);
  serial.parallel_for(squares.size(), [&](std::size_t i) { squares[i] = static_cast<int>(i * i); });
  std::cout << "axiform " << axiform::version << ": " << squares.back() << "\n";
  return squares.back() == 9 ? 0 : 1;
}
