#include "page-sync.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "mapped-range.h"

namespace rpmem {
namespace {

const uintptr_t kPageMask = ~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);

uintptr_t PageBegin(const uint8_t* first) { return reinterpret_cast<uintptr_t>(first) & kPageMask; }
uintptr_t PageEnd(const uint8_t* last) { return (reinterpret_cast<uintptr_t>(last) + ~kPageMask) & kPageMask; }

}  // namespace

int PageSync::Sync(const uint8_t* first, const uint8_t* last) {
  uintptr_t begin = PageBegin(first);
  while (msync(reinterpret_cast<void*>(begin), PageEnd(last) - begin, MS_SYNC) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

void PageSync::Remember(const uint8_t* first, const uint8_t* last) {
  std::lock_guard lock(dirty_mutex_);
  dirty_.Add(PageBegin(first), PageEnd(last));
  pending_.store(true);
}

int PageSync::SyncRemembered() {
  std::lock_guard sync_lock(sync_mutex_);
  if (failure_ != 0) return failure_;
  DirtyPages::Ranges ranges;
  {
    std::lock_guard lock(dirty_mutex_);
    ranges = dirty_.Take();
  }
  auto base = reinterpret_cast<uintptr_t>(range_.base());
  for (auto [begin, end] : ranges) {
    // By piece, so that the end of each file is looked at.
    int rc = range_.ForEachPiece(begin - base, end - begin, [](const MappedPiece&, uint8_t* first, uint8_t* last) {
      return Sync(first, last);
    });
    if (rc != 0) return failure_ = rc;
  }
  std::lock_guard lock(dirty_mutex_);
  if (dirty_.empty()) pending_.store(false);
  return 0;
}

}  // namespace rpmem
