// Which pages of a mapping changed: the mechanisms that find it, behind one face. A page has 4096 bytes, whatever the kernel's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "mapping.h"

namespace rpmem {

inline constexpr size_t kPage = 4096;

// Pages from the first one of the mapping on. In memory the pair that page-runs.ts describes.
struct PageRun {
  uint32_t first;
  uint32_t count;
};

// Behind the last run, or as a part of it.
inline void AppendRun(std::vector<PageRun>& runs, uint32_t first, uint32_t count) {
  if (!runs.empty() && runs.back().first + runs.back().count == first)
    runs.back().count += count;
  else
    runs.push_back({first, count});
}

// Used by one thread at a time, while others store into the memory.
class PageTracker {
 public:
  virtual ~PageTracker() = default;
  // From now on; the pages are clean. They follow those that are watched already.
  virtual bool Watch(uint8_t* begin, uint8_t* end, MemoryError& error) = 0;
  // Appends the pages that changed, ascending, and makes them clean if `take`. 0 or an errno.
  virtual int Collect(bool take, std::vector<PageRun>& runs) = 0;
  // The pages of [begin, end), whole ones, as they are now.
  virtual int Clean(uint8_t* begin, uint8_t* end) = 0;
};

}  // namespace rpmem
