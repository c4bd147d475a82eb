#include "mapping.h"

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "bus-guard.h"
#include "mapped-range.h"
#include "page-sync.h"
#include "page-tracking.h"
#include "pmem2-error.h"
#include "store.h"

namespace rpmem {

struct Mapping::Impl {
  explicit Impl(std::shared_ptr<MappedRange> mapped) : range(std::move(mapped)), pages(*range) {}

  std::shared_ptr<MappedRange> range;
  PageSync pages;
  std::vector<BusGuard> guards;
  // Held by whoever adds pieces or begins to track.
  std::mutex extending;
  std::unique_ptr<PageTracking> tracking;
  std::atomic<PageTracking*> started{nullptr};
  // Set where one set of libpmem2's functions serves the whole range.
  bool all_dax = false;
  StoreFunctions store{};
};

namespace {

// Flushing of one piece of DAX memory; the fence comes with the drain.
int FlushCaches(const MappedPiece& piece, uint8_t* first, uint8_t* last) {
  pmem2_get_flush_fn(piece.map)(first, static_cast<size_t>(last - first));
  return 0;
}

bool UniformDax(const std::span<const MappedPiece> pieces) {
  return std::all_of(pieces.begin(), pieces.end(), [&](const MappedPiece& piece) {
    return piece.method == DurabilityMethod::kDax &&
           pmem2_map_get_store_granularity(piece.map) == pmem2_map_get_store_granularity(pieces.front().map);
  });
}

DurabilityMethod Weakest(const std::span<const MappedPiece> pieces) {
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
  mapping->base_ = range->base();
  mapping->size_ = range->size();
  mapping->method_ = Weakest(range->pieces());
  mapping->impl_ = std::make_unique<Impl>(range);
  mapping->impl_->all_dax = UniformDax(range->pieces());
  mapping->impl_->store =
      mapping->impl_->all_dax ? StoreFunctions::Of(range->pieces().front().map) : StoreFunctions::Plain();
  mapping->Guard(range->pieces());
  return mapping;
}

void Mapping::Guard(std::span<const MappedPiece> pieces) {
  auto base = reinterpret_cast<uintptr_t>(base_);
  for (const MappedPiece& piece : pieces)
    impl_->guards.emplace_back(base + piece.begin, base + piece.end, piece.unit, &failure_);
}

std::shared_ptr<Mapping> Mapping::Map(std::span<const FilePiece> pieces, size_t reservation, Sharing sharing,
                                      MemoryError& error) {
  return Over(MappedRange::Map(pieces, reservation, sharing, error), error);
}

std::shared_ptr<Mapping> Mapping::Anonymous(size_t size, MemoryError& error) {
  return Over(MappedRange::Anonymous(size, error), error);
}

Mapping::~Mapping() {
  // Others than this mapping own the range only where a view of it has not been collected yet.
  if (impl_->range.use_count() > 1) impl_->range->ReleaseFiles();
}

// The method, and with it how bytes are stored, was told to whoever uses the mapping: it never gets weaker.
bool Mapping::Suits(std::span<const MappedPiece> pieces) const {
  if (Weakest(pieces) > method_) return false;
  if (!impl_->all_dax) return true;
  return UniformDax(pieces) && pmem2_map_get_store_granularity(pieces.front().map) ==
                                   pmem2_map_get_store_granularity(impl_->range->pieces().front().map);
}

bool Mapping::Extend(std::span<const FilePiece> pieces, MemoryError& error) {
  std::lock_guard lock(impl_->extending);
  std::vector<MappedPiece> mapped = impl_->range->MapBehind(pieces, error);
  if (mapped.empty()) return error.code == 0;
  if (!Suits(mapped)) {
    MappedRange::Discard(mapped);
    error = {EINVAL, "the piece is made durable in another way than those before it"};
    return false;
  }
  if (PageTracking* tracking = impl_->tracking.get(); tracking != nullptr && !tracking->Extend(mapped.back().end, error)) {
    MappedRange::Discard(mapped);
    return false;
  }
  Guard(mapped);
  impl_->range->Add(mapped);
  size_ = impl_->range->size();
  return true;
}

bool Mapping::Track(TrackingMethod method, MemoryError& error) {
  std::lock_guard lock(impl_->extending);
  if (impl_->tracking != nullptr) return error = {EBUSY, "the memory is tracked already"}, false;
  impl_->tracking = PageTracking::Start(method, base_, size(), impl_->range->reserved(), error);
  impl_->started = impl_->tracking.get();
  return impl_->tracking != nullptr;
}

PageTracking* Mapping::tracking() const { return impl_->started; }

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
  return Settle(impl_->range->ForEachPiece(offset, length, [&](const MappedPiece& piece, uint8_t* first, uint8_t* last) {
    if (piece.method == DurabilityMethod::kDax) return FlushCaches(piece, first, last);
    if (piece.method == DurabilityMethod::kMsync) impl_->pages.Remember(first, last);
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
  return Settle(impl_->pages.clean() ? 0 : impl_->pages.SyncRemembered());
}

int Mapping::Persist(size_t offset, size_t length) {
  if (int rc = failure(); rc != 0) return rc;
  // Persist is flush and drain: it includes what was flushed before. Without that, the pages go the direct way, on which
  // threads do not wait for one another.
  bool direct = impl_->pages.clean();
  int rc = impl_->range->ForEachPiece(offset, length, [&](const MappedPiece& piece, uint8_t* first, uint8_t* last) {
    if (piece.method == DurabilityMethod::kDax) return FlushCaches(piece, first, last);
    if (piece.method == DurabilityMethod::kVolatile) return 0;
    if (direct) return PageSync::Sync(first, last);
    impl_->pages.Remember(first, last);
    return 0;
  });
  return rc != 0 ? Settle(rc) : Drain();
}

int Mapping::DeepPersist(size_t offset, size_t length) {
  if (int rc = Persist(offset, length); rc != 0) return rc;
  return Settle(impl_->range->ForEachPiece(offset, length, [](const MappedPiece& piece, uint8_t* first, uint8_t* last) {
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
