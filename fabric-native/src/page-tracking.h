// What a mapping knows of its changed pages: those that a tracker finds and those that were marked.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "page-marks.h"
#include "page-tracker.h"

namespace rpmem {

enum class TrackingMethod { kWriteProtect, kPrivateMapping, kMarking };

// All methods are callable on any thread. Ranges must lie inside, offsets count bytes.
class PageTracking {
 public:
  // Of [base, base + size), which may grow to `capacity` bytes. Null and an error if the machine does not have this method.
  static std::unique_ptr<PageTracking> Start(TrackingMethod method, uint8_t* base, size_t size, size_t capacity,
                                             MemoryError& error);

  // Ascending, never adjacent; what is stored while they are taken is found now or next time. 0 or an errno.
  int Collect(bool take, std::vector<PageRun>& runs);
  void Mark(size_t offset, size_t length);
  // All pages that the range touches.
  int Clean(size_t offset, size_t length);
  bool Extend(size_t size, MemoryError& error);

 private:
  PageTracking(uint8_t* base, size_t capacity) : base_(base), marks_(capacity / kPage) {}

  uint8_t* const base_;
  size_t size_ = 0;
  PageMarks marks_;
  std::mutex mutex_;
  // Null if pages are only marked.
  std::unique_ptr<PageTracker> tracker_;
};

}  // namespace rpmem
