#include "heap.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "heap-exclusive.h"

namespace rpmem::heap {
namespace {

// The regions of all heaps that are open in this process: none may lie in another.
class Regions {
 public:
  bool Enter(const uint8_t* begin, const uint8_t* end) {
    std::lock_guard lock(mutex_);
    for (const auto& [other_begin, other_end] : regions_) {
      if (begin < other_end && other_begin < end) return false;
    }
    regions_.emplace_back(begin, end);
    return true;
  }

  void Leave(const uint8_t* begin) {
    std::lock_guard lock(mutex_);
    std::erase_if(regions_, [&](const auto& region) { return region.first == begin; });
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<const uint8_t*, const uint8_t*>> regions_;
};

// Never destroyed: a worker thread may still close its heap while the process ends.
Regions& TheRegions() {
  static Regions* regions = new Regions();
  return *regions;
}

constexpr uint64_t TablePages(uint64_t capacity_pages) { return (capacity_pages * 8 + kPageBytes - 1) / kPageBytes; }

uint64_t MappedPages(const Place& place) { return std::max(place.size, place.capacity) / kPageBytes; }

bool HasRightSum(const Header& header, const uint8_t* base) {
  return header.sum == SumOf(header, {reinterpret_cast<const uint64_t*>(base), kPageBytes / 8});
}

}  // namespace

Heap::Heap(const Place& place, const Header& header)
    : base_(place.base),
      capacity_pages_(header.capacity_pages),
      mapped_pages_(MappedPages(place)),
      key_(header.key),
      header_(header),
      zeroed_(place.zeroed),
      space_(place.base, header.capacity_pages, header.key, 1 + header.table_pages, place.storage) {}

std::shared_ptr<Heap> Heap::Over(const Place& place, const Header& header, Refusal& refusal) {
  if (!TheRegions().Enter(place.base, place.base + MappedPages(place) * kPageBytes)) {
    refusal = Refusal::kOverlap;
    return nullptr;
  }
  std::shared_ptr<Heap> heap(new Heap(place, header));
  if (heap->space_.usable()) return heap;
  refusal = Refusal::kNoMemory;
  return nullptr;
}

std::shared_ptr<Heap> Heap::Create(const Place& place, uint64_t key, Refusal& refusal) {
  if (place.size < kLeastBytes) {
    refusal = Refusal::kTooSmall;
    return nullptr;
  }
  uint64_t pages = place.size / kPageBytes;
  uint64_t capacity = MappedPages(place);
  Header header{kMagic, kVersion, key, pages, capacity, TablePages(capacity), 0, 0, 0};
  if (1 + header.table_pages >= pages) {
    refusal = Refusal::kTooSmall;
    return nullptr;
  }
  std::shared_ptr<Heap> heap = Over(place, header, refusal);
  if (heap == nullptr) return nullptr;
  if (!place.zeroed) std::memset(place.base, 0, (1 + header.table_pages) * kPageBytes);
  for (uint64_t at = 0; at < heap->space_.first_page(); ++at) heap->space_.Describe(at, {PageKind::kMetadata, 0, 0, at});
  heap->space_.Add(pages - heap->space_.first_page(), place.zeroed);
  heap->SealHeader(0, 0);
  return heap;
}

std::shared_ptr<Heap> Heap::Open(const Place& place, Refusal& refusal) {
  Header header{};
  refusal = Refusal::kDamaged;
  if (place.size < kLeastBytes) return nullptr;
  std::memcpy(&header, place.base, sizeof header);
  if (header.magic != kMagic || header.version != kVersion || !HasRightSum(header, place.base)) return nullptr;
  bool fits = header.pages <= header.capacity_pages && header.pages <= place.size / kPageBytes &&
              header.capacity_pages <= uint64_t{1} << 38 && header.table_pages == TablePages(header.capacity_pages) &&
              1 + header.table_pages < header.pages;
  if (!fits) return nullptr;
  std::shared_ptr<Heap> heap = Over(place, header, refusal);
  if (heap == nullptr || !heap->Restore()) return nullptr;
  refusal = Refusal::kNone;
  return heap;
}

Heap::~Heap() {
  if (!closed_) TheRegions().Leave(base_);
}

// What is as it was is not written: whoever tracks changes of the region would find one.
void Heap::SealHeader(uint64_t live_blocks, uint64_t live_pages) {
  header_.pages = space_.end();
  header_.live_blocks = live_blocks;
  header_.live_pages = live_pages;
  std::array<uint64_t, kPageBytes / 8> page{};
  std::memcpy(page.data(), &header_, sizeof header_);
  header_.sum = SumOf(header_, page);
  if (std::memcmp(base_, &header_, sizeof header_) != 0) std::memcpy(base_, &header_, sizeof header_);
}

HeapThread* Heap::Join() {
  std::lock_guard lock(mutex_);
  threads_.push_back(std::make_unique<HeapThread>(++last_number_));
  if (closed_) threads_.back()->gate.Shut();
  return threads_.back().get();
}

void Heap::Leave(HeapThread* thread) {
  std::lock_guard lock(mutex_);
  if (!closed_) Relinquish(*thread);
  past_.Add(thread->counts);
  std::erase_if(threads_, [&](const auto& candidate) { return candidate.get() == thread; });
}

void Heap::Close() {
  Exclusive exclusive(*this);
  if (!closed_.exchange(true)) TheRegions().Leave(base_);
}

void Heap::Quiesce() {
  Exclusive exclusive(*this);
  if (closed_) return;
  for (auto& thread : threads_) Relinquish(*thread);
  DrainPending();
  Counts counts = past_;
  for (const auto& thread : threads_) counts.Add(thread->counts);
  uint64_t live_blocks = counts.large_allocated - counts.large_freed;
  for (size_t at = 0; at < kClasses; ++at) live_blocks += counts.allocated[at] - counts.freed[at];
  SealHeader(live_blocks, space_.end() - space_.first_page() - space_.free_pages());
}

uint64_t Heap::Purge() {
  Exclusive exclusive(*this);
  if (closed_) return 0;
  for (auto& thread : threads_) Relinquish(*thread);
  DrainPending();
  return space_.Purge();
}

int Heap::Grow(uint64_t size) {
  Exclusive exclusive(*this);
  uint64_t pages = size / kPageBytes;
  if (closed_ || pages <= space_.end() || size > capacity()) return EINVAL;
  if (int code = space_.Reserve(pages); code != 0) return code;
  space_.Add(pages - space_.end(), zeroed_);
  SealHeader(header_.live_blocks, header_.live_pages);
  return 0;
}

Statistics Heap::Observe() {
  Exclusive exclusive(*this);
  Counts counts = past_;
  Statistics statistics{};
  for (const auto& thread : threads_) {
    counts.Add(thread->counts);
    for (const CachedBlock& block : thread->cached) statistics.cached_pages += block.pages;
  }
  statistics.pages = space_.end();
  statistics.metadata_pages = space_.first_page();
  statistics.free_pages = space_.free_pages();
  statistics.hole_pages = space_.hole_pages();
  statistics.threads = threads_.size();
  space_.ForEachExtent([&](uint64_t, uint64_t pages) {
    statistics.largest_free_pages = std::max(statistics.largest_free_pages, pages);
  });
  statistics.large_allocated = counts.large_allocated;
  statistics.large_freed = counts.large_freed;
  statistics.large_live = counts.large_allocated - counts.large_freed;
  statistics.large_pages = counts.large_pages;
  for (size_t at = 0; at < kClasses; ++at) {
    statistics.classes[at] = {kSizeClasses[at].size, runs_[at],        run_pages_[at], counts.allocated[at],
                              counts.freed[at],      counts.allocated[at] - counts.freed[at]};
  }
  return statistics;
}

}  // namespace rpmem::heap
