// The main function of every test program: doctest's own, and two things that doctest lets pass.
//
// A run in which no test case was selected fails: a filter that matches nothing must not look like success.
// A test whose name has a `;` fails: CMake takes the name for a list, and a ctest entry made from it runs nothing and passes.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

namespace {

struct Checks : doctest::IReporter {
  static inline int problems = 0;

  explicit Checks(doctest::ContextOptions const&) {}

  void test_case_start(doctest::TestCaseData const& test) override {
    if (std::strchr(test.m_name, ';') != nullptr) {
      std::cout << test.m_file.c_str() << "(" << test.m_line << "): the name of this test has a ';': " << test.m_name << "\n";
      ++problems;
    }
  }
  void test_run_end(doctest::TestRunStats const& run) override {
    if (run.numTestCasesPassingFilters == 0) {
      std::cout << "no test case was selected\n";
      ++problems;
    }
  }

  void report_query(doctest::QueryData const&) override {}
  void test_run_start() override {}
  void test_case_reenter(doctest::TestCaseData const&) override {}
  void test_case_end(doctest::CurrentTestCaseStats const&) override {}
  void test_case_exception(doctest::TestCaseException const&) override {}
  void subcase_start(doctest::SubcaseSignature const&) override {}
  void subcase_end() override {}
  void log_assert(doctest::AssertData const&) override {}
  void log_message(doctest::MessageData const&) override {}
  void test_case_skipped(doctest::TestCaseData const&) override {}
};

}  // namespace

REGISTER_LISTENER("checks", 1, Checks);

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  int const result = context.run();
  if (context.shouldExit()) return result;  // --help, --list-test-cases, …
  return result != 0 || Checks::problems > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
