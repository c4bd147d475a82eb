#include "page-tracking.h"

#include <algorithm>

#include "private-pages.h"
#include "write-protect.h"

namespace rpmem {
namespace {

size_t PagesOf(size_t offset, size_t length) {
  return length == 0 ? 0 : (offset + length + kPage - 1) / kPage - offset / kPage;
}

// Of two ascending lists.
std::vector<PageRun> Union(const std::vector<PageRun>& left, const std::vector<PageRun>& right) {
  std::vector<PageRun> sorted(left.size() + right.size());
  std::merge(left.begin(), left.end(), right.begin(), right.end(), sorted.begin(),
             [](const PageRun& one, const PageRun& other) { return one.first < other.first; });
  std::vector<PageRun> result;
  for (const PageRun& run : sorted) {
    if (result.empty() || run.first > result.back().first + result.back().count) {
      result.push_back(run);
      continue;
    }
    PageRun& last = result.back();
    last.count = std::max(last.first + last.count, run.first + run.count) - last.first;
  }
  return result;
}

std::unique_ptr<PageTracker> OpenTracker(TrackingMethod method, MemoryError& error) {
  if (method == TrackingMethod::kWriteProtect) return WriteProtect::Open(error);
  if (method == TrackingMethod::kPrivateMapping) return PrivatePages::Open(error);
  return nullptr;
}

}  // namespace

std::unique_ptr<PageTracking> PageTracking::Start(TrackingMethod method, uint8_t* base, size_t size, size_t capacity,
                                                  MemoryError& error) {
  std::unique_ptr<PageTracking> tracking(new PageTracking(base, capacity));
  tracking->tracker_ = OpenTracker(method, error);
  bool started = error.code == 0 && tracking->Extend(size, error);
  return started ? std::move(tracking) : nullptr;
}

int PageTracking::Collect(bool take, std::vector<PageRun>& runs) {
  std::lock_guard lock(mutex_);
  std::vector<PageRun> marked;
  marks_.Collect(size_ / kPage, take, marked);
  if (int rc = tracker_ == nullptr ? 0 : tracker_->Collect(take, runs); rc != 0) {
    for (const PageRun& run : marked) marks_.Set(run.first, run.count);
    return rc;
  }
  if (!marked.empty()) runs = runs.empty() ? std::move(marked) : Union(runs, marked);
  return 0;
}

void PageTracking::Mark(size_t offset, size_t length) { marks_.Set(offset / kPage, PagesOf(offset, length)); }

int PageTracking::Clean(size_t offset, size_t length) {
  if (length == 0) return 0;
  std::lock_guard lock(mutex_);
  marks_.Clear(offset / kPage, PagesOf(offset, length));
  uint8_t* begin = base_ + offset / kPage * kPage;
  return tracker_ == nullptr ? 0 : tracker_->Clean(begin, begin + PagesOf(offset, length) * kPage);
}

bool PageTracking::Extend(size_t size, MemoryError& error) {
  std::lock_guard lock(mutex_);
  if (tracker_ != nullptr && !tracker_->Watch(base_ + size_, base_ + size, error)) return false;
  size_ = size;
  return true;
}

}  // namespace rpmem
