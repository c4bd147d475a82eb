// Makes pages durable with msync: flushes are remembered, a drain syncs the union of their pages.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "dirty-pages.h"

namespace rpmem {

class MappedRange;

// All methods are callable on any thread and return 0 or an errno.
class PageSync {
 public:
  explicit PageSync(const MappedRange& range) : range_(range) {}

  // The pages of [first, last), now. Threads do not wait for one another.
  static int Sync(const uint8_t* first, const uint8_t* last);
  void Remember(const uint8_t* first, const uint8_t* last);
  // True if everything that was remembered before this call is durable.
  bool clean() const { return !pending_.load(); }
  // Returns when all that was remembered before is durable, even if another thread had begun to sync it.
  int SyncRemembered();

 private:
  const MappedRange& range_;
  // Held only to look at `dirty_`.
  std::mutex dirty_mutex_;
  DirtyPages dirty_;
  // Held while pages are synced: whoever drains next waits until what an earlier drain took is durable.
  std::mutex sync_mutex_;
  // What the first sync that failed said, and all after it say: the pages that it took belong to others as well.
  int failure_ = 0;
  std::atomic<bool> pending_{false};
};

}  // namespace rpmem
