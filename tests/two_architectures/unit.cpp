// Compiled once for each instruction set, into one program: the function has the set's name, and what it computes goes through the library.
#include <axiform/core/config.hpp>
#include <axiform/core/executor.hpp>

#include "unit.hpp"

namespace {

struct Squares {
  std::vector<float> operator()() const {
    std::vector<float> result(37);
    axiform::SerialExecutor serial;
    serial.parallel_for(result.size(), [&](std::size_t i) { result[i] = static_cast<float>(i * i); });
    return result;
  }
};

}  // namespace

std::vector<float> AXIFORM_TEST_UNIT() { return Squares{}(); }
