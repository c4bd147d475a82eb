// The changed pages of one mapping, stored to, marked, looked at and taken by many threads while it grows: no change is missed.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include "mapping.h"
#include "page-tracking.h"

namespace {

using namespace rpmem;

constexpr size_t kFirst = 64;
constexpr size_t kMost = 256;
constexpr size_t kWriters = 2;

void Require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "not true: %s\n", claim);
  std::_Exit(2);
}

std::shared_ptr<Mapping> MapPrivately(int fd, TrackingMethod method) {
  FilePiece piece{fd, 0, kFirst * kPage};
  MemoryError error;
  auto memory = Mapping::Map({&piece, 1}, kMost * kPage, Sharing::kPrivate, error);
  Require(memory != nullptr, "the file is mapped");
  Require(memory->Track(method, error), error.what.c_str());
  return memory;
}

void Grow(Mapping& memory, int fd) {
  while (memory.size() < kMost * kPage) {
    FilePiece piece{fd, memory.size(), 16 * kPage};
    MemoryError error;
    Require(memory.Extend({&piece, 1}, error), "it grows");
  }
}

// Each writer says in the byte of a page how often it has stored there; what was taken last must say the same in the end.
void Track(TrackingMethod method, uint32_t seed, int rounds) {
  int fd = memfd_create("arena", MFD_CLOEXEC);
  Require(fd >= 0 && ftruncate(fd, kMost * kPage) == 0, "a file is made");
  auto memory = MapPrivately(fd, method);
  std::atomic<bool> ended{false};
  std::vector<std::atomic<bool>> stored(kMost), taken(kMost);
  auto take = [&] {
    std::vector<PageRun> runs;
    Require(memory->tracking()->Collect(true, runs) == 0, "pages are taken");
    for (const PageRun& run : runs)
      for (uint32_t page = run.first; page < run.first + run.count; ++page) taken[page] = true;
  };
  std::vector<std::thread> writers;
  for (size_t writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([&, writer] {
      std::mt19937 random(seed + static_cast<uint32_t>(writer));
      for (int round = 0; round < rounds; ++round) {
        size_t page = random() % (memory->size() / kPage);
        auto byte = static_cast<uint8_t>(1 + random() % 255);
        Require(memory->CopyIn(page * kPage + writer, &byte, 1, {false, false}) == 0, "a byte is stored");
        if (method == TrackingMethod::kMarking) memory->tracking()->Mark(page * kPage, 1);
        stored[page] = true;
      }
    });
  std::thread looking([&] {
    while (!ended) {
      std::vector<PageRun> runs;
      Require(memory->tracking()->Collect(false, runs) == 0, "pages are looked at");
    }
  });
  std::thread taking([&] {
    while (!ended) take();
  });
  Grow(*memory, fd);
  for (auto& writer : writers) writer.join();
  ended = true;
  looking.join();
  taking.join();
  take();
  for (size_t page = 0; page < kMost; ++page) Require(!stored[page] || taken[page], "what was stored is found");
  close(fd);
}

}  // namespace

// changed-pages SEED ROUNDS; the last line is the number of operations.
int main(int argc, char** argv) {
  uint32_t seed = argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1;
  int rounds = argc > 2 ? std::atoi(argv[2]) : 20;
  for (auto method : {TrackingMethod::kWriteProtect, TrackingMethod::kPrivateMapping, TrackingMethod::kMarking})
    Track(method, seed, rounds);
  std::printf("ok - three ways of tracking\n%zu\n", 3 * kWriters * static_cast<size_t>(rounds));
  return 0;
}
