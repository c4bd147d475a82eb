// What one thread keeps of a heap for itself: the run it allocates from in each class, a few large blocks that it freed last,
// and its share of the counts. Guarded by its gate: the thread passes it, whoever closed it may look and take.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>

#include "heap-gate.h"
#include "heap-layout.h"

namespace rpmem::heap {

// `size` is that of a class: 8 or a multiple of 16. A call of memset costs more than most blocks are worth.
inline void ZeroBlock(uint8_t* block, uint32_t size) {
  if (size > 256) {
    std::memset(block, 0, size);
    return;
  }
  if (size == 8) {
    std::memset(block, 0, 8);
    return;
  }
  for (uint8_t* end = block + size; block < end; block += 16) {
    std::memset(block, 0, 16);
    // Lest the compiler make a call of memset of the loop.
    asm volatile("" : "+r"(block));
  }
}

// A word of a bitmap in the region. Only the owner of a run writes it; others look.
inline std::atomic_ref<uint64_t> WordAt(uint64_t* words, uint32_t at) { return std::atomic_ref<uint64_t>(words[at]); }

// The run that a thread allocates from. Empty without a head.
struct alignas(64) CurrentRun {
  uint64_t head = 0;
  uint64_t* words = nullptr;
  // Offset of the first block in the region.
  uint64_t first = 0;
  uint32_t size = 0;
  // Of the size class.
  uint32_t inverse = 0;
  uint32_t blocks = 0;
  // The word in hand, and which of its blocks are free.
  uint32_t word = 0;
  uint64_t free = 0;

  // Bits beyond the last block are no blocks, whatever the region says.
  uint64_t FreeIn(uint32_t at) const {
    uint64_t free_bits = ~WordAt(words, at).load(std::memory_order_relaxed);
    uint32_t rest = blocks - at * 64;
    return rest >= 64 ? free_bits : free_bits & ((uint64_t{1} << rest) - 1);
  }

  void TurnTo(uint32_t at) {
    word = at;
    free = FreeIn(at);
  }

  // To the next word with a free block; false if the run is full.
  bool Advance() {
    uint32_t count = BitmapWords(blocks);
    for (uint32_t step = 1, from = word; step <= count; ++step) {
      TurnTo((from + step) % count);
      if (free != 0) return true;
    }
    return false;
  }

  // Offset of a free block, which is in use from now on. Only where `free` is not 0.
  uint64_t Take() {
    auto bit = static_cast<uint32_t>(std::countr_zero(free));
    auto bits = WordAt(words, word);
    bits.store(bits.load(std::memory_order_relaxed) | uint64_t{1} << bit, std::memory_order_relaxed);
    free &= free - 1;
    return first + uint64_t{word * 64 + bit} * size;
  }

  bool Has(uint32_t index) const {
    return (WordAt(words, index / 64).load(std::memory_order_relaxed) >> index % 64 & 1) != 0;
  }

  // The next block taken is the one put back last: it is warm.
  void PutBack(uint32_t index) {
    auto bits = WordAt(words, index / 64);
    bits.store(bits.load(std::memory_order_relaxed) & ~(uint64_t{1} << index % 64), std::memory_order_relaxed);
    if (index / 64 == word) {
      free |= uint64_t{1} << index % 64;
    } else {
      TurnTo(index / 64);
    }
  }
};

struct CachedBlock {
  uint64_t page = 0;
  uint64_t pages = 0;
};

struct Counts {
  std::array<uint64_t, kClasses> allocated{};
  std::array<uint64_t, kClasses> freed{};
  uint64_t large_allocated = 0;
  uint64_t large_freed = 0;
  // May wrap below 0 in one thread; the sum over all does not.
  uint64_t large_pages = 0;

  void Add(const Counts& other) {
    for (size_t at = 0; at < kClasses; ++at) {
      allocated[at] += other.allocated[at];
      freed[at] += other.freed[at];
    }
    large_allocated += other.large_allocated;
    large_freed += other.large_freed;
    large_pages += other.large_pages;
  }
};

struct alignas(64) HeapThread {
  explicit HeapThread(uint32_t number) : number(number) {}

  static constexpr size_t kCachedBlocks = 8;
  static constexpr uint64_t kMaxCachedPages = 256;

  Gate gate;
  const uint32_t number;
  std::array<CurrentRun, kClasses> current{};
  std::array<CachedBlock, kCachedBlocks> cached{};
  Counts counts{};
};

}  // namespace rpmem::heap
