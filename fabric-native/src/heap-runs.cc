// Runs of small blocks: from free pages to a thread, back among those that have room, and back to free pages. All of it under
// the lock of the heap.
#include <bit>
#include <cstring>

#include "heap-exclusive.h"
#include "heap.h"

namespace rpmem::heap {

void Heap::List(uint64_t head, uint32_t size_class) {
  PageNode& node = space_.node(head);
  if (node.listed) return;
  node.listed = true;
  node.prev = 0;
  node.next = available_[size_class];
  if (node.next != 0) space_.node(node.next).prev = head;
  available_[size_class] = head;
}

void Heap::Unlist(uint64_t head, uint32_t size_class) {
  PageNode& node = space_.node(head);
  if (!node.listed) return;
  node.listed = false;
  if (node.next != 0) space_.node(node.next).prev = node.prev;
  if (node.prev != 0) space_.node(node.prev).next = node.next;
  if (node.prev == 0) available_[size_class] = node.next;
}

// Makes what others freed free. Only while the run has no owner, or for its owner.
void Heap::Fold(uint64_t head) {
  PageNode& node = space_.node(head);
  if (!node.freed_elsewhere.exchange(false)) return;
  const SizeClass& size_class = kSizeClasses[space_.tag(head).size_class];
  std::atomic<uint64_t>* remote = space_.remote(head);
  uint64_t* words = BitmapOf(head);
  for (uint32_t at = 0; at < BitmapWords(size_class.BlocksIn(node.pages)); ++at) {
    if (remote[at].load() == 0) continue;
    uint64_t freed = remote[at].exchange(0);
    auto bits = WordAt(words, at);
    bits.store(bits.load(std::memory_order_relaxed) & ~freed, std::memory_order_relaxed);
  }
}

// Where a run without an owner belongs.
void Heap::Settle(uint64_t head) {
  uint32_t size_class = space_.tag(head).size_class;
  uint32_t blocks = kSizeClasses[size_class].BlocksIn(space_.node(head).pages);
  CurrentRun run{.head = head, .words = BitmapOf(head), .blocks = blocks};
  uint32_t free = 0;
  for (uint32_t at = 0; at < BitmapWords(blocks); ++at) free += static_cast<uint32_t>(std::popcount(run.FreeIn(at)));
  if (free == blocks) {
    Unlist(head, size_class);
    Retire(head);
  } else if (free > 0) {
    List(head, size_class);
  }
}

// Its free blocks are zeros, so that without its bitmap the whole run is.
void Heap::Retire(uint64_t head) {
  uint32_t size_class = space_.tag(head).size_class;
  uint64_t pages = space_.node(head).pages;
  std::memset(space_.AddressOf(head), 0, kSizeClasses[size_class].first);
  for (uint64_t at = head; at < head + pages; ++at) space_.SetTag(at, {});
  --runs_[size_class];
  run_pages_[size_class] -= pages;
  space_.Give(head, pages, pages);
}

void Heap::Abandon(CurrentRun& run) {
  uint64_t head = run.head;
  run = {};
  if (head == 0) return;
  // First without an owner, then fold: who frees from now on reports it for the next to drain.
  space_.node(head).owner = 0;
  Fold(head);
  Settle(head);
}

void Heap::TakeUp(HeapThread& thread, uint32_t size_class, uint64_t head) {
  const SizeClass& shape = kSizeClasses[size_class];
  PageNode& node = space_.node(head);
  node.owner = thread.number;
  CurrentRun& run = thread.current[size_class];
  uint32_t blocks = shape.BlocksIn(node.pages);
  run = {.head = head,
         .words = BitmapOf(head),
         .first = head * kPageBytes + shape.first,
         .span = uint64_t{blocks} * shape.size,
         .size = shape.size,
         .inverse = shape.inverse,
         .blocks = blocks,
         .freed_elsewhere = &node.freed_elsewhere};
  if (run.FreeIn(0) == 0) run.Advance();
}

bool Heap::Adopt(HeapThread& thread, uint32_t size_class) {
  uint64_t head = available_[size_class];
  if (head == 0) return false;
  Unlist(head, size_class);
  TakeUp(thread, size_class, head);
  return true;
}

bool Heap::Carve(HeapThread& thread, uint32_t size_class, uint64_t pages) {
  uint64_t head = space_.Take(pages);
  if (head == 0 || !space_.Furnish(head, pages, true)) return false;
  uint32_t blocks = kSizeClasses[size_class].BlocksIn(pages);
  uint32_t words = BitmapWords(blocks);
  if (blocks % 64 != 0) WordAt(BitmapOf(head), words - 1).store(~uint64_t{0} << blocks % 64);
  for (uint32_t at = 0; at < words; ++at) space_.remote(head)[at].store(0, std::memory_order_relaxed);
  for (uint64_t at = 0; at < pages; ++at) {
    space_.Describe(head + at, {at == 0 ? PageKind::kRun : PageKind::kRunInside, 0, size_class, at == 0 ? pages : at});
  }
  space_.node(head).pages = pages;
  for (uint32_t at = 0; at < pages; ++at) space_.SetTag(head + at, {TagKind::kRun, size_class, at});
  ++runs_[size_class];
  run_pages_[size_class] += pages;
  TakeUp(thread, size_class, head);
  return true;
}

// Gives the thread a run with room; false if there is none to be had.
bool Heap::Refill(HeapThread& thread, uint32_t size_class) {
  CurrentRun& run = thread.current[size_class];
  if (run.head != 0) {
    Fold(run.head);
    if (run.Advance()) return true;
    Abandon(run);
  }
  DrainPending();
  if (Adopt(thread, size_class) || Carve(thread, size_class, kRunPages)) return true;
  Reclaim();
  if (Adopt(thread, size_class)) return true;
  for (uint64_t pages = kRunPages; pages > 0; pages /= 2) {
    if (Carve(thread, size_class, pages)) return true;
  }
  return false;
}

// Runs with an owner are passed over: the owner folds before it looks elsewhere.
void Heap::DrainPending() {
  pending_count_ = 0;
  for (uint64_t head = pending_head_.exchange(0); head != 0;) {
    PageNode& node = space_.node(head);
    uint64_t next = node.pending_next;
    node.pending = false;
    // Meanwhile it may have become free, or something else.
    Tag tag = space_.tag(head);
    if (tag.kind == TagKind::kRun && tag.distance == 0 && node.owner == 0) {
      Fold(head);
      Settle(head);
    }
    head = next;
  }
}

void Heap::NotePending(uint64_t head) {
  PageNode& node = space_.node(head);
  if (!node.freed_elsewhere.load()) node.freed_elsewhere = true;
  if (node.pending.load() || node.pending.exchange(true)) return;
  uint64_t next = pending_head_.load();
  do node.pending_next = next;
  while (!pending_head_.compare_exchange_weak(next, head));
  ++pending_count_;
}

// Everything that the thread holds, its gate closed or itself calling.
void Heap::Relinquish(HeapThread& thread) {
  for (CurrentRun& run : thread.current) Abandon(run);
  for (CachedBlock& block : thread.cached) {
    if (block.page != 0) GiveLarge(block.page);
    block = {};
  }
}

// Before memory is said to be exhausted: what others hold without using it.
void Heap::Reclaim() {
  Exclusive::Shut(*this);
  for (auto& thread : threads_) Relinquish(*thread);
  DrainPending();
  Exclusive::Open(*this);
}

}  // namespace rpmem::heap
