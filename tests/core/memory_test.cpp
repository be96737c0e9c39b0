// The memory pool: blocks freed in any order are reused, and a steady state takes nothing from the system.
#include <axiform/core/context.hpp>
#include <axiform/core/memory.hpp>
#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <random>
#include <thread>
#include <vector>

using namespace axiform;

namespace {

bool aligned(void const* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % memory_alignment == 0; }

// The blocks of a pass as a transformer has them: results outlive what they were computed from.
void pass(std::shared_ptr<MemoryPool> const& pool) {
  pool->begin_pass();
  std::optional<Buffer> states;
  for (int layer = 0; layer < 12; ++layer) {
    Buffer wide(9000, pool);
    Buffer attended(3000, pool);
    Buffer next(3000, pool);
    states.emplace(std::move(next));
  }
}

}  // namespace

TEST_CASE("pool: blocks are aligned, distinct and as large as asked for") {
  auto const pool = std::make_shared<MemoryPool>();
  std::vector<Buffer> buffers;
  for (std::size_t bytes : {1, 63, 64, 65, 1000, 0}) buffers.emplace_back(bytes, pool);
  for (Buffer& buffer : buffers) {
    CHECK(aligned(buffer.data()));
    std::memset(buffer.data(), 0xAB, buffer.bytes());
  }
}

TEST_CASE("pool: passes of one shape stop growing it") {
  auto const pool = std::make_shared<MemoryPool>();
  for (int i = 0; i < 3; ++i) pass(pool);
  std::size_t const growths = pool->growths();
  for (int i = 0; i < 100; ++i) pass(pool);
  CHECK(pool->growths() == growths);
}

TEST_CASE("pool: memory does not creep with depth") {
  auto const pool = std::make_shared<MemoryPool>();
  for (int i = 0; i < 10; ++i) pass(pool);
  CHECK(pool->capacity() < 3 * (9000 + 3000 + 3000));
}

TEST_CASE("pool: random blocks freed in random order never overlap") {
  auto const pool = std::make_shared<MemoryPool>();
  std::mt19937 random(1);
  std::vector<Buffer> live;
  for (int step = 0; step < 5000; ++step) {
    if (live.size() < 40 && random() % 2) {
      Buffer buffer(random() % 5000 + 1, pool);
      std::memset(buffer.data(), static_cast<int>(live.size()), buffer.bytes());
      std::uint8_t const mark = static_cast<std::uint8_t>(random());
      static_cast<std::uint8_t*>(buffer.data())[0] = mark;
      static_cast<std::uint8_t*>(buffer.data())[buffer.bytes() - 1] = mark;
      live.push_back(std::move(buffer));
    } else if (!live.empty()) {
      std::size_t const index = random() % live.size();
      auto const* bytes = static_cast<std::uint8_t const*>(live[index].data());
      REQUIRE(bytes[0] == bytes[live[index].bytes() - 1]);
      std::swap(live[index], live.back());
      live.pop_back();
    }
  }
}

TEST_CASE("pool: a tensor keeps its pool alive") {
  std::optional<Tensor<float, axes::Tokens, Const<4>>> kept;
  {
    Context context;
    kept.emplace(make_tensor<float>(context, Shape<axes::Tokens, Const<4>>(3)));
  }
  (*kept)(2, 3) = 1;
  CHECK((*kept)(2, 3) == 1);
}

TEST_CASE("pool: a tensor may be given back by another thread") {
  Context context;
  for (int i = 0; i < 100; ++i) {
    auto tensor = make_tensor<float>(context, Shape<axes::Tokens, Const<4>>(3));
    std::thread([moved = std::move(tensor)]() mutable { auto gone = std::move(moved); }).join();
  }
  CHECK(context.memory()->growths() == 1);
}

TEST_CASE("pool: an absurd size is std::bad_alloc") {
  auto const pool = std::make_shared<MemoryPool>();
  CHECK_THROWS_AS(Buffer(static_cast<std::size_t>(-1), pool), std::bad_alloc);
}
