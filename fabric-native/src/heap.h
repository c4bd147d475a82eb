// An allocator inside a mapped region: malloc and its kin, with offsets from the begin of the region for addresses. Several
// threads of a process use it at once, each through a HeapThread of its own. The region alone, after Quiesce, is enough to open
// it again. Nothing that is written into the region makes it step outside of it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "heap-layout.h"
#include "heap-pages.h"
#include "heap-thread.h"

namespace rpmem::heap {

// What a call answers instead of an offset. heap-binding.ts holds the same table.
enum Status : int64_t {
  kDone = 0,
  kExhausted = -1,
  // Not the begin of a block.
  kNotABlock = -2,
  // A block, but not in use: freed before, or never handed out.
  kNotInUse = -3,
  kClosed = -4,
  kWrongArgument = -5,
};

// Why a heap could not be made or opened.
enum class Refusal { kNone, kTooSmall, kOverlap, kDamaged, kNoMemory };

struct Place {
  uint8_t* base;
  uint64_t size;
  // Up to which size Grow may go; 0 for `size`. The addresses must be there, and mapped before Grow goes that far.
  uint64_t capacity = 0;
  // The region holds nothing but zeros.
  bool zeroed = false;
  Storage storage{};
};

struct Finding {
  uint64_t offset;
  const char* what;
};

struct ClassStatistics {
  uint64_t size;
  uint64_t runs;
  uint64_t run_pages;
  uint64_t allocated;
  uint64_t freed;
  uint64_t live;
};

struct Statistics {
  uint64_t pages;
  uint64_t metadata_pages;
  uint64_t free_pages;
  uint64_t hole_pages;
  uint64_t cached_pages;
  uint64_t largest_free_pages;
  uint64_t threads;
  uint64_t large_allocated;
  uint64_t large_freed;
  uint64_t large_live;
  uint64_t large_pages;
  std::array<ClassStatistics, kClasses> classes;
};

inline constexpr uint64_t kLeastBytes = 1024 * 1024;
// What user addresses can hold.
inline constexpr uint64_t kMaxCapacity = uint64_t{1} << 47;

class Heap {
 public:
  // Makes a heap; what the region held is lost. Null with the reason.
  static std::shared_ptr<Heap> Create(const Place& place, uint64_t key, Refusal& refusal);
  // Opens what Quiesce left. `place.size` may be larger than before, so that the heap can grow.
  static std::shared_ptr<Heap> Open(const Place& place, Refusal& refusal);
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap();

  // A thread's share; Leave gives back what it held. Any thread may call Leave, the share's own thread must be through with it.
  HeapThread* Join();
  void Leave(HeapThread* thread);
  // Every call from now on answers kClosed.
  void Close();

  // The frequent cases, of runs that the thread has in hand; 0 or false for the long way. They are put into the functions that
  // JavaScript calls, whose every instruction counts.
  [[gnu::always_inline]] uint64_t TryMalloc(HeapThread& thread, uint64_t size) {
    if (size > kMaxSmall || !thread.gate.Enter()) [[unlikely]] return 0;
    uint32_t size_class = ClassOf(size);
    CurrentRun& run = thread.current[size_class];
    uint64_t offset = run.Take();
    if (offset != 0) [[likely]] {
      thread.last = &run;
      ++thread.counts.allocated[size_class];
    }
    thread.gate.Leave();
    return offset;
  }
  [[gnu::always_inline]] bool TryFree(HeapThread& thread, uint64_t offset) {
    if (!thread.gate.Enter()) [[unlikely]] return false;
    CurrentRun* run = thread.last;
    if (offset - run->first >= run->span) run = &RunInHand(thread, offset);
    bool done = FreeOwn(*run, offset);
    if (done) [[likely]] {
      thread.last = run;
      ++thread.counts.freed[static_cast<size_t>(run - thread.current.data())];
    }
    thread.gate.Leave();
    return done;
  }

  // Offsets of blocks, or a Status. Sizes up to 2^53.
  int64_t Malloc(HeapThread& thread, uint64_t size) {
    uint64_t offset = TryMalloc(thread, size);
    return offset != 0 ? static_cast<int64_t>(offset) : MallocAny(thread, size);
  }
  int64_t Calloc(HeapThread& thread, uint64_t size);
  // `offset` 0 for a new block. The old block is untouched if it fails, and shrinking does not fail.
  int64_t Realloc(HeapThread& thread, uint64_t offset, uint64_t size);
  // `alignment` is a power of two, of the address.
  int64_t AlignedAlloc(HeapThread& thread, uint64_t alignment, uint64_t size);
  int64_t Free(HeapThread& thread, uint64_t offset) { return TryFree(thread, offset) ? int64_t{kDone} : FreeAny(thread, offset); }
  int64_t UsableSize(HeapThread& thread, uint64_t offset);

  // Looks at everything and changes nothing; up to `most` findings.
  std::vector<Finding> Check(size_t most);
  Statistics Observe();
  // Moves all that threads hold back into the region, after which it says all that Open needs.
  void Quiesce();
  // Gives storage of free pages back to the file system; returns bytes.
  uint64_t Purge();
  // 0 or an errno: EINVAL beyond the capacity or if not larger, else why the file has no space. The new part must hold zeros
  // if the region of Create did.
  int Grow(uint64_t size);

  bool closed() const { return closed_; }
  uint64_t size() const { return space_.end() * kPageBytes; }
  // Up to which size it can grow.
  uint64_t capacity() const { return std::min(capacity_pages_, mapped_pages_) * kPageBytes; }
  uint8_t* base() const { return base_; }
  uint64_t metadata_bytes() const { return space_.first_page() * kPageBytes; }

 private:
  class Exclusive;
  class Examination;

  Heap(const Place& place, const Header& header);
  static std::shared_ptr<Heap> Over(const Place& place, const Header& header, Refusal& refusal);
  bool Restore();
  uint64_t RestoreRun(uint64_t page, const Descriptor& descriptor);
  uint64_t RestoreLarge(uint64_t page, const Descriptor& descriptor);
  uint64_t RestoreFree(uint64_t page);
  bool InsideMatches(uint64_t head, uint64_t pages, PageKind kind) const;
  void SealHeader(uint64_t live_blocks, uint64_t live_pages);
  const Header* header() const { return reinterpret_cast<const Header*>(base_); }

  uint64_t* BitmapOf(uint64_t head) const { return reinterpret_cast<uint64_t*>(base_ + head * kPageBytes); }
  bool Refill(HeapThread& thread, uint32_t size_class);
  bool Adopt(HeapThread& thread, uint32_t size_class);
  bool Carve(HeapThread& thread, uint32_t size_class, uint64_t pages);
  void TakeUp(HeapThread& thread, uint32_t size_class, uint64_t head);
  void Abandon(CurrentRun& run);
  void Fold(uint64_t head);
  void Settle(uint64_t head);
  void Retire(uint64_t head);
  void List(uint64_t head, uint32_t size_class);
  void Unlist(uint64_t head, uint32_t size_class);
  void DrainPending();
  void Reclaim();
  void Relinquish(HeapThread& thread);

  bool Pass(HeapThread& thread);
  int64_t MallocAny(HeapThread& thread, uint64_t size);
  int64_t MallocSmall(HeapThread& thread, uint32_t size_class);
  int64_t TakeBlock(HeapThread& thread, uint32_t size_class);
  int64_t MallocLarge(HeapThread& thread, uint64_t size, uint64_t alignment, bool zeroed);
  uint64_t TakeCached(HeapThread& thread, uint64_t pages);
  uint64_t TakePages(HeapThread& thread, uint64_t pages, uint64_t alignment, bool zeroed);
  int64_t FreeAny(HeapThread& thread, uint64_t offset);
  int64_t FreeSmall(HeapThread& thread, uint64_t offset, Tag tag);
  // The thread's run of the class that the block would have; it may lie in another run.
  CurrentRun& RunInHand(HeapThread& thread, uint64_t offset) const {
    uint64_t page = offset / kPageBytes;
    return thread.current[page < space_.end() ? space_.tag(page).size_class : 0];
  }
  // Inside the gate: a block in use of the thread's own run.
  [[gnu::always_inline]] bool FreeOwn(CurrentRun& run, uint64_t offset) {
    uint64_t distance = offset - run.first;
    if (distance >= run.span) [[unlikely]] return false;
    auto index = static_cast<uint32_t>((distance * run.inverse) >> 32);
    if (uint64_t{index} * run.size != distance || run.freed_elsewhere->load(std::memory_order_acquire)) [[unlikely]] return false;
    if (!run.PutBack(index)) [[unlikely]] return false;
    ZeroBlock(base_ + offset, run.size);
    return true;
  }
  int64_t FreeBlock(HeapThread& thread, uint64_t head, uint32_t size_class, uint32_t index);
  int64_t FreeLarge(HeapThread& thread, uint64_t page);
  bool KeepCached(HeapThread& thread, uint64_t page, int64_t& status);
  void GiveLarge(uint64_t page);
  int64_t ReallocLarge(HeapThread& thread, uint64_t page, uint64_t pages);
  // The index of the block that begins there, if one does.
  std::optional<uint32_t> BlockAt(uint64_t offset, uint64_t head, uint32_t size_class) const;
  int64_t SizeInUse(uint64_t offset) const;
  bool InUse(uint64_t head, uint32_t index) const;
  void NotePending(uint64_t head);

  uint8_t* base_;
  uint64_t capacity_pages_;
  uint64_t mapped_pages_;
  uint64_t key_;
  // What the region should begin with.
  Header header_;
  bool zeroed_;
  std::atomic<bool> closed_{false};
  std::mutex mutex_;
  PageSpace space_;
  // Runs without an owner that have room, by class.
  std::array<uint64_t, kClasses> available_{};
  std::array<uint64_t, kClasses> runs_{};
  std::array<uint64_t, kClasses> run_pages_{};
  std::vector<std::unique_ptr<HeapThread>> threads_;
  uint32_t last_number_ = 0;
  // Of threads that have left, and of the time before Open.
  Counts past_{};
  std::atomic<uint64_t> pending_head_{0};
  std::atomic<uint32_t> pending_count_{0};
};

}  // namespace rpmem::heap
