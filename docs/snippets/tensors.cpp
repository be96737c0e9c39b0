#include <iostream>

#include <axiform/algebra/create.hpp>
#include <axiform/algebra/functions.hpp>
#include <axiform/algebra/reduce.hpp>
#include <axiform/algebra/views.hpp>
#include <axiform/core/context.hpp>

using axiform::Const, axiform::Context, axiform::DynamicAxis, axiform::Tensor;

struct Students : DynamicAxis {};   // a name; how many there are is known when the program runs
struct Subjects : Const<3> {};      // a name and a length

int main() {
  auto marks = axiform::from_list<float, Students, Subjects>({{3, 5, 4}, {1, 2, 6}});

  auto const average = axiform::mean<Students>(marks);      // [Subjects]
  auto const above = marks - average;                       // [Students, Subjects]: matched by name
  auto const best = axiform::max<Subjects>(marks);          // [Students]
  std::cout << average << "\n" << above << "\n" << best << "\n";
  std::cout << axiform::sum(axiform::where(above > 0, above, 0)) << "\n";

  marks *= axiform::full<float, Subjects>(2);               // in place
  axiform::at<Students>(marks, 1) -= 1;                     // of one student
  std::cout << marks << "\n" << axiform::permute<Subjects, Students>(marks) << "\n";

  auto context = Context::with_threads(2);
  auto const square = [](float x) { return x * x; };
  std::cout << axiform::elementwise(context, square, average) << "\n";  // on its threads, in its memory
}

// Prints:
// [2.0000 3.5000 5.0000] [Subjects: 3]
// [[ 1.0000  1.5000 -1.0000]
//  [-1.0000 -1.5000  1.0000]] [Students: 2, Subjects: 3]
// [5 6] [Students: 2]
// 3.5
// [[ 6 10  8]
//  [ 1  3 11]] [Students: 2, Subjects: 3]
// [[ 6  1]
//  [10  3]
//  [ 8 11]] [Subjects: 3, Students: 2]
// [ 4.0000 12.2500 25.0000] [Subjects: 3]
