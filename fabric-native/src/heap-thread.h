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
[[gnu::always_inline]] inline void ZeroBlock(uint8_t* block, uint32_t size) {
  if (size > 256) [[unlikely]] {
    std::memset(block, 0, size);
    return;
  }
  for (; size >= 64; size -= 64, block += 64) {
    std::memset(block, 0, 64);
    // Lest the compiler make a call of memset of the loop.
    asm volatile("" : "+r"(block));
  }
  if ((size & 32) != 0) std::memset(block, 0, 32);
  block += size & 32;
  if ((size & 16) != 0) std::memset(block, 0, 16);
  if ((size & 8) != 0) std::memset(block, 0, 8);
}

// A word of a bitmap in the region. Only the owner of a run writes it; others look.
inline std::atomic_ref<uint64_t> WordAt(uint64_t* words, uint32_t at) { return std::atomic_ref<uint64_t>(words[at]); }

// The run that a thread allocates from. Without a head it is empty: no block lies in it, and its only word has no room.
struct alignas(64) CurrentRun {
  uint64_t head = 0;
  uint64_t* words = &full_word;
  // Offset of the first block in the region, and how far from there the last one ends.
  uint64_t first = 0;
  uint64_t span = 0;
  uint32_t size = 0;
  // Of the size class.
  uint32_t inverse = 0;
  uint32_t blocks = 0;
  // The word in hand.
  uint32_t word = 0;
  // Of its PageNode.
  const std::atomic<bool>* freed_elsewhere = nullptr;

  inline static uint64_t full_word = ~uint64_t{0};

  // Bits beyond the last block are no blocks, whatever the region says.
  uint64_t FreeIn(uint32_t at) const {
    uint64_t free_bits = ~WordAt(words, at).load(std::memory_order_relaxed);
    uint32_t rest = blocks - at * 64;
    return rest >= 64 ? free_bits : free_bits & ((uint64_t{1} << rest) - 1);
  }

  // To the next word with a free block; false if the run is full.
  bool Advance() {
    uint32_t count = BitmapWords(blocks);
    for (uint32_t step = 1, from = word; step <= count; ++step) {
      word = (from + step) % count;
      if (FreeIn(word) != 0) return true;
    }
    return false;
  }

  // Offset of a free block of the word in hand, which is in use from now on; 0 if there is none.
  uint64_t Take() {
    auto bits = WordAt(words, word);
    uint64_t used = bits.load(std::memory_order_relaxed);
    uint32_t index = word * 64 + static_cast<uint32_t>(std::countr_one(used));
    if (used == ~uint64_t{0} || index >= blocks) [[unlikely]] return 0;
    bits.store(used | (used + 1), std::memory_order_relaxed);
    return first + uint64_t{index} * size;
  }

  // Makes a block free if it is in use, after which its word is the one in hand: it is warm.
  bool PutBack(uint32_t index) {
    auto bits = WordAt(words, index / 64);
    uint64_t used = bits.load(std::memory_order_relaxed);
    uint64_t bit = uint64_t{1} << index % 64;
    if ((used & bit) == 0) [[unlikely]] return false;
    bits.store(used & ~bit, std::memory_order_relaxed);
    word = index / 64;
    return true;
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
  // The one used last.
  CurrentRun* last = current.data();
  std::array<CachedBlock, kCachedBlocks> cached{};
  Counts counts{};
};

}  // namespace rpmem::heap
