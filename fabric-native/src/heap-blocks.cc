// The calls of the heap: small blocks out of runs, large ones out of pages. What is freed is zeroed, up to its first page, so
// that Check can tell who wrote into it.
#include <algorithm>
#include <bit>
#include <cstring>

#include "heap.h"

namespace rpmem::heap {
namespace {

// Pending runs that are looked after by whoever frees, if nobody allocates.
constexpr uint32_t kPendingAllowance = 64;

constexpr uint64_t PagesFor(uint64_t size) { return size == 0 ? 1 : (size + kPageBytes - 1) / kPageBytes; }

}  // namespace

// Enters the thread's gate, waiting for whoever closed it; false if the heap is closed.
bool Heap::Pass(HeapThread& thread) {
  while (!thread.gate.Enter()) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
  }
  return true;
}

int64_t Heap::MallocAny(HeapThread& thread, uint64_t size) {
  return size <= kMaxSmall ? MallocSmall(thread, ClassOf(size)) : MallocLarge(thread, size, kPageBytes, false);
}

int64_t Heap::MallocSmall(HeapThread& thread, uint32_t size_class) {
  CurrentRun& run = thread.current[size_class];
  if (!Pass(thread)) return kClosed;
  int64_t offset = TakeBlock(thread, size_class);
  if (offset == 0 && run.Advance()) offset = TakeBlock(thread, size_class);
  thread.gate.Leave();
  if (offset != 0) return offset;
  // The block is taken before the lock is given up: otherwise two threads could take the last run from each other for ever.
  std::lock_guard lock(mutex_);
  if (closed_) return kClosed;
  return Refill(thread, size_class) ? TakeBlock(thread, size_class) : static_cast<int64_t>(kExhausted);
}

// Inside the gate or under the lock; 0 if the word in hand has no room.
int64_t Heap::TakeBlock(HeapThread& thread, uint32_t size_class) {
  uint64_t offset = thread.current[size_class].Take();
  thread.counts.allocated[size_class] += offset == 0 ? 0 : 1;
  return static_cast<int64_t>(offset);
}

int64_t Heap::MallocLarge(HeapThread& thread, uint64_t size, uint64_t alignment, bool zeroed) {
  if (size > capacity()) return closed_ ? kClosed : kExhausted;
  uint64_t pages = PagesFor(size);
  uint64_t page = 0;
  if (pages <= HeapThread::kMaxCachedPages && alignment <= kPageBytes) {
    if (!Pass(thread)) return kClosed;
    page = TakeCached(thread, pages);
    thread.gate.Leave();
    if (page != 0 && zeroed) std::memset(space_.AddressOf(page), 0, pages * kPageBytes);
  }
  if (page == 0) {
    std::lock_guard lock(mutex_);
    if (closed_) return kClosed;
    page = TakePages(thread, pages, alignment, zeroed);
  }
  return page == 0 ? static_cast<int64_t>(kExhausted) : static_cast<int64_t>(page * kPageBytes);
}

// A block of exactly this many pages that this thread freed; inside its gate.
uint64_t Heap::TakeCached(HeapThread& thread, uint64_t pages) {
  for (CachedBlock& block : thread.cached) {
    if (block.pages != pages) continue;
    uint64_t page = block.page;
    block = {};
    space_.Describe(page, {PageKind::kLarge, 0, 0, pages});
    space_.SetTag(page, {TagKind::kLarge});
    ++thread.counts.large_allocated;
    thread.counts.large_pages += pages;
    return page;
  }
  return 0;
}

uint64_t Heap::TakePages(HeapThread& thread, uint64_t pages, uint64_t alignment, bool zeroed) {
  uint64_t page = space_.Take(pages, alignment);
  if (page == 0) {
    DrainPending();
    page = space_.Take(pages, alignment);
  }
  if (page == 0) {
    Reclaim();
    page = space_.Take(pages, alignment);
  }
  if (page == 0 || !space_.Furnish(page, pages, zeroed)) return 0;
  for (uint64_t at = 1; at < pages; ++at) space_.Describe(page + at, {PageKind::kLargeInside, 0, 0, at});
  space_.Describe(page, {PageKind::kLarge, 0, 0, pages});
  space_.node(page).pages = pages;
  space_.SetTag(page, {TagKind::kLarge});
  ++thread.counts.large_allocated;
  thread.counts.large_pages += pages;
  return page;
}

int64_t Heap::Calloc(HeapThread& thread, uint64_t size) {
  if (size > kMaxSmall) return MallocLarge(thread, size, kPageBytes, true);
  uint32_t size_class = ClassOf(size);
  int64_t offset = MallocSmall(thread, size_class);
  if (offset > 0) ZeroBlock(base_ + offset, kSizeClasses[size_class].size);
  return offset;
}

int64_t Heap::AlignedAlloc(HeapThread& thread, uint64_t alignment, uint64_t size) {
  if (!std::has_single_bit(alignment)) return kWrongArgument;
  uint64_t least = std::max(size, std::min<uint64_t>(alignment, kMaxSmall + 1));
  for (uint32_t index = least <= kMaxSmall ? ClassOf(least) : kClasses; index < kClasses; ++index) {
    if (kSizeClasses[index].alignment >= alignment) return MallocSmall(thread, index);
  }
  return alignment > capacity() ? static_cast<int64_t>(closed_ ? kClosed : kExhausted)
                                : MallocLarge(thread, std::max<uint64_t>(size, 1), std::max<uint64_t>(alignment, kPageBytes), false);
}

std::optional<uint32_t> Heap::BlockAt(uint64_t offset, uint64_t head, uint32_t size_class) const {
  const SizeClass& shape = kSizeClasses[size_class];
  uint64_t distance = offset - head * kPageBytes - shape.first;
  if (distance >= kRunPages * kPageBytes) return std::nullopt;
  uint32_t index = shape.IndexAt(static_cast<uint32_t>(distance));
  if (uint64_t{index} * shape.size != distance) return std::nullopt;
  if (shape.first + distance + shape.size > space_.node(head).pages * kPageBytes) return std::nullopt;
  return index;
}

bool Heap::InUse(uint64_t head, uint32_t index) const {
  uint64_t bit = uint64_t{1} << index % 64;
  if ((WordAt(BitmapOf(head), index / 64).load(std::memory_order_acquire) & bit) == 0) return false;
  return !space_.node(head).freed_elsewhere.load() || (space_.remote(head)[index / 64].load() & bit) == 0;
}

int64_t Heap::FreeAny(HeapThread& thread, uint64_t offset) {
  uint64_t page = offset / kPageBytes;
  if (page < space_.first_page() || page >= space_.end()) return closed_ ? kClosed : kNotABlock;
  Tag tag = space_.tag(page);
  if (tag.kind == TagKind::kRun) [[likely]] return FreeSmall(thread, offset, tag);
  if (closed_) return kClosed;
  if (offset % kPageBytes != 0) return kNotABlock;
  if (tag.kind == TagKind::kLarge) return FreeLarge(thread, page);
  // A free page may have been the begin of a block; which, nobody knows any more.
  return tag.kind == TagKind::kNone ? kNotABlock : kNotInUse;
}

int64_t Heap::FreeSmall(HeapThread& thread, uint64_t offset, Tag tag) {
  if (!Pass(thread)) return kClosed;
  uint64_t head = offset / kPageBytes - tag.distance;
  std::optional<uint32_t> index = BlockAt(offset, head, tag.size_class);
  int64_t status = kNotABlock;
  if (index) status = FreeBlock(thread, head, tag.size_class, *index);
  thread.gate.Leave();
  if (pending_count_.load(std::memory_order_relaxed) > kPendingAllowance) [[unlikely]] {
    std::lock_guard lock(mutex_);
    if (closed_) return status;
    DrainPending();
    if (space_.worth_purging()) space_.Purge();
  }
  return status;
}

int64_t Heap::FreeBlock(HeapThread& thread, uint64_t head, uint32_t size_class, uint32_t index) {
  if (!InUse(head, index)) return kNotInUse;
  const SizeClass& shape = kSizeClasses[size_class];
  ZeroBlock(space_.AddressOf(head) + shape.first + uint64_t{index} * shape.size, shape.size);
  CurrentRun& run = thread.current[size_class];
  if (run.head == head) {
    run.PutBack(index);
  } else {
    uint64_t bit = uint64_t{1} << index % 64;
    if ((space_.remote(head)[index / 64].fetch_or(bit) & bit) != 0) return kNotInUse;
    NotePending(head);
  }
  ++thread.counts.freed[size_class];
  return kDone;
}

int64_t Heap::FreeLarge(HeapThread& thread, uint64_t page) {
  if (!Pass(thread)) return kClosed;
  int64_t status = kDone;
  bool kept = KeepCached(thread, page, status);
  thread.gate.Leave();
  if (kept) return status;
  std::lock_guard lock(mutex_);
  if (closed_) return kClosed;
  if (!space_.Retag(page, {TagKind::kLarge}, {TagKind::kCached})) return kNotInUse;
  ++thread.counts.large_freed;
  thread.counts.large_pages -= space_.node(page).pages;
  std::memset(space_.AddressOf(page), 0, kPageBytes);
  GiveLarge(page);
  if (space_.worth_purging()) space_.Purge();
  return kDone;
}

// Inside the gate; false if the thread has no room for the block.
bool Heap::KeepCached(HeapThread& thread, uint64_t page, int64_t& status) {
  uint64_t pages = space_.node(page).pages;
  auto slot = std::find_if(thread.cached.begin(), thread.cached.end(), [](const CachedBlock& block) { return block.page == 0; });
  if (pages > HeapThread::kMaxCachedPages || slot == thread.cached.end()) return false;
  if (!space_.Retag(page, {TagKind::kLarge}, {TagKind::kCached})) {
    status = kNotInUse;
    return true;
  }
  std::memset(space_.AddressOf(page), 0, kPageBytes);
  space_.Describe(page, {PageKind::kCached, 0, 0, pages});
  *slot = {page, pages};
  ++thread.counts.large_freed;
  thread.counts.large_pages -= pages;
  return true;
}

// A block that is no longer in use, its first page zeroed, becomes free pages.
void Heap::GiveLarge(uint64_t page) {
  space_.SetTag(page, {});
  space_.Give(page, space_.node(page).pages, 1);
}

int64_t Heap::UsableSize(HeapThread& thread, uint64_t offset) {
  if (!Pass(thread)) return kClosed;
  int64_t size = SizeInUse(offset);
  thread.gate.Leave();
  return size;
}

int64_t Heap::SizeInUse(uint64_t offset) const {
  uint64_t page = offset / kPageBytes;
  if (page < space_.first_page() || page >= space_.end()) return kNotABlock;
  Tag tag = space_.tag(page);
  if (tag.kind == TagKind::kRun) {
    std::optional<uint32_t> index = BlockAt(offset, page - tag.distance, tag.size_class);
    if (!index) return kNotABlock;
    return InUse(page - tag.distance, *index) ? int64_t{kSizeClasses[tag.size_class].size} : static_cast<int64_t>(kNotInUse);
  }
  if (offset % kPageBytes != 0 || tag.kind == TagKind::kNone) return kNotABlock;
  return tag.kind == TagKind::kLarge ? static_cast<int64_t>(space_.node(page).pages * kPageBytes) : static_cast<int64_t>(kNotInUse);
}

int64_t Heap::Realloc(HeapThread& thread, uint64_t offset, uint64_t size) {
  if (offset == 0) return Malloc(thread, size);
  int64_t usable = UsableSize(thread, offset);
  if (usable < 0) return usable;
  auto old_size = static_cast<uint64_t>(usable);
  bool was_large = old_size > kMaxSmall;
  if (!was_large && size <= kMaxSmall && kSizeClasses[ClassOf(size)].size == old_size) return static_cast<int64_t>(offset);
  if (was_large && size > kMaxSmall && size <= capacity()) {
    int64_t status = ReallocLarge(thread, offset / kPageBytes, PagesFor(size));
    if (status != kExhausted) return status == kDone ? static_cast<int64_t>(offset) : status;
  }
  int64_t moved = Malloc(thread, size);
  if (moved == kExhausted && size <= old_size) {
    // Less is always to be had: in the same place.
    if (was_large) ReallocLarge(thread, offset / kPageBytes, PagesFor(size));
    return static_cast<int64_t>(offset);
  }
  if (moved < 0) return moved;
  std::memcpy(base_ + moved, base_ + offset, std::min(old_size, size));
  if (int64_t status = Free(thread, offset); status != kDone) {
    Free(thread, static_cast<uint64_t>(moved));
    return status;
  }
  return moved;
}

// In place, into the free pages behind or giving up its last ones; kExhausted if there are none behind.
int64_t Heap::ReallocLarge(HeapThread& thread, uint64_t page, uint64_t pages) {
  std::lock_guard lock(mutex_);
  if (closed_) return kClosed;
  if (space_.tag(page).kind != TagKind::kLarge) return kNotInUse;
  uint64_t old_pages = space_.node(page).pages;
  if (pages > old_pages) {
    uint64_t more = pages - old_pages;
    if (!space_.TakeAt(page + old_pages, more) || !space_.Furnish(page + old_pages, more, false)) return kExhausted;
    for (uint64_t at = old_pages; at < pages; ++at) space_.Describe(page + at, {PageKind::kLargeInside, 0, 0, at});
  }
  space_.node(page).pages = pages;
  space_.Describe(page, {PageKind::kLarge, 0, 0, pages});
  if (pages < old_pages) {
    std::memset(space_.AddressOf(page + pages), 0, kPageBytes);
    space_.Give(page + pages, old_pages - pages, 1);
  }
  thread.counts.large_pages += pages - old_pages;
  if (space_.worth_purging()) space_.Purge();
  return kDone;
}

}  // namespace rpmem::heap
