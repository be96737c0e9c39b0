// SHA-256 against the examples of FIPS 180-4 and NIST's, and against Python's hashlib.
#include <doctest/doctest.h>
#include <axiform/io/sha256.hpp>

#include <span>
#include <string>
#include <string_view>

using namespace axiform;

namespace {

std::string sha256_of(std::string_view text, std::size_t piece) {
  Sha256 hash;
  for (std::size_t begin = 0; begin < text.size(); begin += piece) {
    auto const part = text.substr(begin, piece);
    hash.add(std::as_bytes(std::span(part.data(), part.size())));
  }
  return in_hexadecimal(hash.digest());
}

}  // namespace

TEST_CASE("sha256: the standard's examples, in pieces of any size") {
  for (std::size_t piece : {1, 3, 55, 63, 64, 65, 1000}) {
    CHECK(sha256_of("", piece) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_of("abc", piece) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", piece) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(sha256_of(std::string(1000, 'a'), piece) == "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
  }
  CHECK(sha256_of(std::string(1'000'000, 'a'), 4096) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha256: every length round the end of a block gives what hashlib gives") {
  // hashlib.sha256(b"".join(hashlib.sha256(b"x" * n).digest() for n in range(200))).hexdigest()
  Sha256 all;
  for (std::size_t n = 0; n < 200; ++n) {
    std::string const text(n, 'x');
    Sha256 hash;
    hash.add(std::as_bytes(std::span(text.data(), text.size())));
    all.add(hash.digest());
  }
  CHECK(in_hexadecimal(all.digest()) == "f5e61141898898cdabae3590cb32e1901b40bdc59952302926213a44c105c129");
}
