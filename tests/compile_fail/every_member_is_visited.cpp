// A member that `visit` forgets would be neither loaded nor saved: it does not compile.
// expect-error: visit\(\) must name every member of the layer exactly once
#include <axiform/nn/linear.hpp>

using axiform::Const, axiform::Linear;

struct TwoLinear {
  Linear<Const<8>, Const<8>> first;
  Linear<Const<8>, Const<8>> second;

  static constexpr void visit(auto& self, auto&& visitor) {
    visitor("first", self.first);
#ifdef SHOULD_COMPILE
    visitor("second", self.second);
#endif
  }
};

std::size_t count(TwoLinear const& layer) { return axiform::count_parameters(layer); }
