// Which pages were flushed but not yet synced: a union of disjoint ranges, so that flushes of one page cost one msync.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

namespace rpmem {

class DirtyPages {
 public:
  // begin -> end, multiples of the page size, disjoint and never adjacent.
  using Ranges = std::map<uintptr_t, uintptr_t>;

  void Add(uintptr_t begin, uintptr_t end);
  Ranges Take() { return std::exchange(ranges_, {}); }
  bool empty() const { return ranges_.empty(); }

 private:
  Ranges ranges_;
};

}  // namespace rpmem
