// Threads that allocate, free, resize and hand blocks to one another in a small heap, which is examined meanwhile. Compiled
// and run by heap-stress-run.ts, with and without sanitizers. Arguments: threads, rounds a thread, seed, MiB.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>

#include "../../fabric-native/src/heap.h"

namespace {

using rpmem::heap::Finding;
using rpmem::heap::Heap;
using rpmem::heap::HeapThread;

struct Block {
  uint64_t offset;
  uint64_t size;
  uint8_t mark;
};

[[noreturn]] void Fail(const char* what, uint64_t offset) {
  std::printf("not ok: %s at %llu\n", what, static_cast<unsigned long long>(offset));
  std::fflush(stdout);
  std::_Exit(1);
}

// Where threads leave blocks for others to free.
class Exchange {
 public:
  void Put(Block block) {
    std::lock_guard lock(mutex_);
    blocks_.push_back(block);
  }
  bool Take(Block& block) {
    std::lock_guard lock(mutex_);
    if (blocks_.empty()) return false;
    block = blocks_.back();
    blocks_.pop_back();
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<Block> blocks_;
};

class Worker {
 public:
  Worker(Heap& heap, Exchange& exchange, uint64_t seed) : heap_(heap), exchange_(exchange), random_(seed) {}

  void Run(int rounds) {
    thread_ = heap_.Join();
    for (int round = 0; round < rounds; ++round) Step();
    for (Block& block : own_) Release(block);
    for (Block block{}; exchange_.Take(block);) Release(block);
    heap_.Leave(thread_);
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }

  uint64_t SomeSize() {
    switch (Below(16)) {
      case 0: return Below(100000);
      case 1: return Below(10000);
      default: return Below(uint64_t{1} << Below(11));
    }
  }

  void Step() {
    uint64_t dice = Below(100);
    // More is asked for than freed: the heap is full most of the time.
    if (dice < 58) return Allocate();
    if (dice < 66) return Resize();
    if (own_.empty()) return;
    size_t at = Below(own_.size());
    std::swap(own_[at], own_.back());
    Block block = own_.back();
    own_.pop_back();
    if (dice < 88) return Release(block);
    exchange_.Put(block);
    if (exchange_.Take(block)) Release(block);
  }

  void Allocate() {
    uint64_t size = SomeSize();
    uint64_t alignment = uint64_t{1} << Below(15);
    bool zeroed = Below(4) == 0;
    bool aligned = !zeroed && Below(8) == 0;
    int64_t offset = zeroed    ? heap_.Calloc(*thread_, size)
                     : aligned ? heap_.AlignedAlloc(*thread_, alignment, size)
                               : heap_.Malloc(*thread_, size);
    if (offset == rpmem::heap::kExhausted) return;
    if (offset <= 0) Fail("a wrong answer of malloc", static_cast<uint64_t>(-offset));
    Block block{static_cast<uint64_t>(offset), size, static_cast<uint8_t>(1 + Below(255))};
    uint8_t* bytes = heap_.base() + offset;
    if (aligned && reinterpret_cast<uintptr_t>(bytes) % alignment != 0) Fail("a block is not aligned", block.offset);
    for (uint64_t at = 0; zeroed && at < size; ++at) {
      if (bytes[at] != 0) Fail("calloc is not zero", block.offset);
    }
    std::memset(bytes, block.mark, size);
    own_.push_back(block);
  }

  void Resize() {
    if (own_.empty()) return;
    Block& block = own_[Below(own_.size())];
    uint64_t size = SomeSize();
    int64_t moved = heap_.Realloc(*thread_, block.offset, size);
    if (moved == rpmem::heap::kExhausted) return;
    if (moved <= 0) Fail("a wrong answer of realloc", block.offset);
    Inspect({static_cast<uint64_t>(moved), std::min(size, block.size), block.mark});
    block.offset = static_cast<uint64_t>(moved);
    block.size = size;
    std::memset(heap_.base() + moved, block.mark, size);
  }

  void Inspect(const Block& block) {
    const uint8_t* bytes = heap_.base() + block.offset;
    for (uint64_t at = 0; at < block.size; ++at) {
      if (bytes[at] != block.mark) Fail("a block was disturbed", block.offset);
    }
  }

  void Release(const Block& block) {
    Inspect(block);
    if (heap_.Free(*thread_, block.offset) != rpmem::heap::kDone) Fail("free was refused", block.offset);
  }

  Heap& heap_;
  Exchange& exchange_;
  std::mt19937_64 random_;
  HeapThread* thread_ = nullptr;
  std::vector<Block> own_;
};

void Examine(Heap& heap) {
  for (const Finding& finding : heap.Check(1)) Fail(finding.what, finding.offset);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return 2;
  int threads = std::atoi(arguments[1]);
  int rounds = std::atoi(arguments[2]);
  uint64_t seed = std::strtoull(arguments[3], nullptr, 10);
  size_t size = std::strtoull(arguments[4], nullptr, 10) * 1024 * 1024;
  auto* base = static_cast<uint8_t*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  rpmem::heap::Refusal refusal{};
  auto heap = Heap::Create({.base = base, .size = size, .zeroed = true}, seed, refusal);
  if (heap == nullptr) Fail("there is no heap", 0);
  Exchange exchange;
  std::vector<std::thread> running;
  for (int at = 0; at < threads; ++at) {
    running.emplace_back([&, at] { Worker(*heap, exchange, seed + static_cast<uint64_t>(at)).Run(rounds); });
  }
  for (int at = 0; at < 20; ++at) {
    Examine(*heap);
    if (at % 5 == 0) heap->Quiesce();
  }
  for (std::thread& thread : running) thread.join();
  HeapThread* last = heap->Join();
  for (Block block{}; exchange.Take(block);) heap->Free(*last, block.offset);
  Examine(*heap);
  heap->Quiesce();
  uint64_t free_pages = heap->Observe().free_pages;
  if (free_pages * 4096 + heap->metadata_bytes() != heap->size()) Fail("pages were lost", free_pages);
  heap.reset();
  heap = Heap::Open({.base = base, .size = size}, refusal);
  if (heap == nullptr) Fail("what Quiesce left cannot be opened", 0);
  Examine(*heap);
  std::printf("ok\n");
}
