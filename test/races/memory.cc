// One mapping used by many threads at once, as pools with worker threads use it, for ThreadSanitizer: copies, flushes, drains,
// persists, faults of files that shrink, and mappings that come and go.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "../fuzz/native/stand-in/memory-file.h"

namespace {

using namespace rpmem;

constexpr size_t kThreads = 4;
constexpr size_t kShare = 16 * 4096;

void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "not true: %s\n", claim);
  std::_Exit(2);
}

template <typename Body>
void InThreads(Body body) {
  std::vector<std::thread> threads;
  for (size_t thread = 0; thread < kThreads; ++thread) threads.emplace_back([=] { body(thread); });
  for (auto& thread : threads) thread.join();
}

// Each thread writes to its own share; pages of all are flushed and drained by everybody.
void Share(const char* granularity, uint32_t seed, int rounds) {
  auto memory = stand_in::MapMemoryFile(kThreads * kShare, granularity);
  InThreads([=](size_t thread) {
    std::mt19937 random(seed + static_cast<uint32_t>(thread));
    char bytes[5000] = {};
    for (int round = 0; round < rounds; ++round) {
      size_t length = random() % sizeof(bytes), at = thread * kShare + random() % (kShare - length);
      bool flush = random() % 4 != 0, drain = random() % 4 == 0;
      Require(memory->CopyIn(at, bytes, length, {flush, drain}) == 0, "a copy is made");
      if (random() % 2 == 0) Require(memory->Flush(at, length) == 0, "a flush is done");
      if (random() % 4 == 0) Require(memory->Fill(at, 7, length, {true, false}) == 0, "memory is filled");
      Require((random() % 2 == 0 ? memory->Drain() : memory->Persist(at, length)) == 0, "it is durable");
      if (random() % 16 == 0) Require(memory->DeepPersist(at, length) == 0, "it is deeply durable");
    }
  });
}

// While some threads work, others map and unmap, which the handler of SIGBUS must not trip over.
void ComeAndGo(int rounds) {
  InThreads([=](size_t thread) {
    for (int round = 0; round < rounds; ++round) {
      int fd = memfd_create("pool", MFD_CLOEXEC);
      Require(fd >= 0 && ftruncate(fd, kShare) == 0, "a file is made");
      FilePiece piece{fd, 0, kShare};
      MemoryError error;
      auto memory = Mapping::Map({&piece, 1}, kShare, Sharing::kShared, error);
      Require(memory != nullptr, "it is mapped");
      bool shrinks = (static_cast<size_t>(round) + thread) % 2 == 0;
      Require(!shrinks || ftruncate(fd, 4096) == 0, "it shrinks");
      int rc = memory->Persist(kShare / 2, 100);
      Require(rc == (shrinks ? EFAULT : 0), "what is gone is noticed, and only that");
      close(fd);
    }
  });
}

}  // namespace

// memory SEED ROUNDS; the last line is the number of operations.
int main(int argc, char** argv) {
  uint32_t seed = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1;
  int rounds = argc > 2 ? std::atoi(argv[2]) : 20;
  for (const char* granularity : {"PAGE", "CACHE_LINE"}) {
    Share(granularity, seed, rounds);
    std::printf("ok - %s\n", granularity);
  }
  ComeAndGo(rounds);
  std::printf("ok - mappings come and go\n%zu\n", 3 * kThreads * static_cast<size_t>(rounds));
  return 0;
}
