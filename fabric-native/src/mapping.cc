#include "mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "bus-guard.h"
#include "dirty-pages.h"
#include "mapped-range.h"
#include "pmem2-error.h"
#include "store.h"

namespace rpmem {
namespace {

int SyncPages(uintptr_t begin, uintptr_t end) {
  while (msync(reinterpret_cast<void*>(begin), end - begin, MS_SYNC) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

// A file that shrank loses its end, which msync does not mind: a look at the last byte does (see BusGuard).
void Touch(const uint8_t* byte) { (void)*static_cast<const volatile uint8_t*>(byte); }

}  // namespace

struct Mapping::Impl {
  std::shared_ptr<MappedRange> range;
  std::vector<BusGuard> guards;
  // Set where one set of libpmem2's functions serves the whole range.
  bool all_dax = false;
  StoreFunctions store{};

  // Held only to look at `dirty`.
  std::mutex dirty_mutex;
  DirtyPages dirty;
  // Held while pages are synced: whoever drains next waits until what an earlier drain took is durable.
  std::mutex sync_mutex;
  // False only if everything that was flushed is durable.
  std::atomic<bool> unsynced{false};

  uintptr_t page_mask = ~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);

  template <typename Visit>
  int ForEachPiece(size_t offset, size_t length, Visit visit) const {
    if (length == 0) return 0;
    const auto& pieces = range->pieces();
    auto piece = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                  [](size_t at, const MappedPiece& candidate) { return at < candidate.end; });
    size_t end = offset + length;
    for (; piece != pieces.end() && piece->begin < end; ++piece) {
      uint8_t* first = range->base() + std::max(offset, piece->begin);
      uint8_t* last = range->base() + std::min(end, piece->end);
      if (int rc = visit(*piece, first, last); rc != 0) return rc;
      Touch(last - 1);
    }
    return 0;
  }

  int Sync(const uint8_t* first, const uint8_t* last) const {
    return SyncPages(reinterpret_cast<uintptr_t>(first) & page_mask, PageEnd(last));
  }

  void MarkDirty(const uint8_t* first, const uint8_t* last) {
    std::lock_guard lock(dirty_mutex);
    dirty.Add(reinterpret_cast<uintptr_t>(first) & page_mask, PageEnd(last));
    unsynced.store(true);
  }

  int SyncDirty() {
    std::lock_guard sync_lock(sync_mutex);
    DirtyPages::Ranges ranges;
    {
      std::lock_guard lock(dirty_mutex);
      ranges = dirty.Take();
    }
    auto base = reinterpret_cast<uintptr_t>(range->base());
    for (auto [begin, end] : ranges) {
      int rc = ForEachPiece(begin - base, end - begin, [&](const MappedPiece&, uint8_t* first, uint8_t* last) {
        return Sync(first, last);
      });
      if (rc != 0) return rc;
    }
    std::lock_guard lock(dirty_mutex);
    if (dirty.empty()) unsynced.store(false);
    return 0;
  }

 private:
  uintptr_t PageEnd(const uint8_t* last) const { return (reinterpret_cast<uintptr_t>(last) + ~page_mask) & page_mask; }
};

namespace {

// Flushing of one piece of DAX memory; the fence comes with the drain.
int FlushCaches(const MappedPiece& piece, uint8_t* first, uint8_t* last) {
  pmem2_get_flush_fn(piece.map)(first, static_cast<size_t>(last - first));
  return 0;
}

bool UniformDax(const std::vector<MappedPiece>& pieces) {
  return std::all_of(pieces.begin(), pieces.end(), [&](const MappedPiece& piece) {
    return piece.method == DurabilityMethod::kDax &&
           pmem2_map_get_store_granularity(piece.map) == pmem2_map_get_store_granularity(pieces.front().map);
  });
}

DurabilityMethod Weakest(const std::vector<MappedPiece>& pieces) {
  DurabilityMethod weakest = DurabilityMethod::kDax;
  for (const MappedPiece& piece : pieces) weakest = std::max(weakest, piece.method);
  return weakest;
}

}  // namespace

std::shared_ptr<Mapping> Mapping::Over(std::shared_ptr<MappedRange> range, MemoryError& error) {
  if (range == nullptr) return nullptr;
  if (StoreFunctions::Plain().move == nullptr) {
    error = {ENOMEM, "libpmem2 could not map the page that its copying functions come from"};
    return nullptr;
  }
  std::shared_ptr<Mapping> mapping(new Mapping());
  mapping->impl_ = std::make_unique<Impl>();
  mapping->base_ = range->base();
  mapping->size_ = range->size();
  mapping->method_ = Weakest(range->pieces());
  mapping->impl_->all_dax = UniformDax(range->pieces());
  mapping->impl_->store =
      mapping->impl_->all_dax ? StoreFunctions::Of(range->pieces().front().map) : StoreFunctions::Plain();
  auto base = reinterpret_cast<uintptr_t>(range->base());
  for (const MappedPiece& piece : range->pieces())
    mapping->impl_->guards.emplace_back(base + piece.begin, base + piece.end, piece.unit, &mapping->failure_);
  mapping->impl_->range = std::move(range);
  return mapping;
}

std::shared_ptr<Mapping> Mapping::Map(std::span<const FilePiece> pieces, MemoryError& error) {
  return Over(MappedRange::Map(pieces, error), error);
}

std::shared_ptr<Mapping> Mapping::Anonymous(size_t size, MemoryError& error) {
  return Over(MappedRange::Anonymous(size, error), error);
}

Mapping::~Mapping() {
  // Others than this mapping own the range only where a view of it has not been collected yet.
  if (impl_ != nullptr && impl_->range.use_count() > 1) impl_->range->ReleaseFiles();
}

std::shared_ptr<MappedRange> Mapping::range() const { return impl_->range; }

// Remembers a fresh error; tells of an older one or of a fault during the operation otherwise.
int Mapping::Settle(int rc) {
  if (rc != 0) {
    int healthy = 0;
    failure_.compare_exchange_strong(healthy, EIO);
    return rc;
  }
  return failure();
}

int Mapping::Flush(size_t offset, size_t length) {
  if (int rc = failure(); rc != 0) return rc;
  return Settle(impl_->ForEachPiece(offset, length, [&](const MappedPiece& piece, uint8_t* first, uint8_t* last) {
    if (piece.method == DurabilityMethod::kDax) return FlushCaches(piece, first, last);
    if (piece.method == DurabilityMethod::kMsync) impl_->MarkDirty(first, last);
    return 0;
  }));
}

int Mapping::Drain() {
  if (int rc = failure(); rc != 0) return rc;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  for (const MappedPiece& piece : impl_->range->pieces()) {
    if (piece.method != DurabilityMethod::kDax) continue;
    pmem2_get_drain_fn(piece.map)();
    break;
  }
  return Settle(impl_->unsynced.load() ? impl_->SyncDirty() : 0);
}

int Mapping::Persist(size_t offset, size_t length) {
  if (int rc = failure(); rc != 0) return rc;
  // Persist is flush and drain: it includes what was flushed before. Without that, the pages go the direct way, on which
  // threads do not wait for one another.
  bool direct = !impl_->unsynced.load();
  int rc = impl_->ForEachPiece(offset, length, [&](const MappedPiece& piece, uint8_t* first, uint8_t* last) {
    if (piece.method == DurabilityMethod::kDax) return FlushCaches(piece, first, last);
    if (piece.method == DurabilityMethod::kVolatile) return 0;
    if (direct) return impl_->Sync(first, last);
    impl_->MarkDirty(first, last);
    return 0;
  });
  return rc != 0 ? Settle(rc) : Drain();
}

int Mapping::DeepPersist(size_t offset, size_t length) {
  if (int rc = Persist(offset, length); rc != 0) return rc;
  return Settle(impl_->ForEachPiece(offset, length, [](const MappedPiece& piece, uint8_t* first, uint8_t* last) {
    if (piece.method != DurabilityMethod::kDax) return 0;
    int rc = pmem2_deep_flush(piece.map, first, static_cast<size_t>(last - first));
    return rc == 0 ? 0 : ErrnoOfPmem2(rc);
  }));
}

// After plain stores: the rest of what the mode asks for.
int Mapping::Complete(size_t offset, size_t length, CopyMode mode) {
  if (!mode.flush) return failure();
  return mode.drain ? Persist(offset, length) : Flush(offset, length);
}

int Mapping::CompleteDax(CopyMode mode) { return mode.flush && mode.drain ? Drain() : failure(); }

unsigned Mapping::StoreFlags(CopyMode mode) const {
  return impl_->all_dax && mode.flush ? PMEM2_F_MEM_NODRAIN : PMEM2_F_MEM_NOFLUSH;
}

int Mapping::CopyIn(size_t offset, const void* source, size_t length, CopyMode mode) {
  if (int rc = failure(); rc != 0) return rc;
  impl_->store.Move(base_ + offset, static_cast<const uint8_t*>(source), length, StoreFlags(mode));
  return impl_->all_dax ? CompleteDax(mode) : Complete(offset, length, mode);
}

int Mapping::Move(size_t to, size_t from, size_t length, CopyMode mode) {
  return CopyIn(to, base_ + from, length, mode);
}

int Mapping::Fill(size_t offset, uint8_t byte, size_t length, CopyMode mode) {
  if (int rc = failure(); rc != 0) return rc;
  impl_->store.Fill(base_ + offset, byte, length, StoreFlags(mode));
  return impl_->all_dax ? CompleteDax(mode) : Complete(offset, length, mode);
}

}  // namespace rpmem
