// links: dirty-pages
//
// The set of pages that wait for msync is the union of what was added, as disjoint ranges that do not touch.
//
// Input: pairs of bytes, the first page of a range and how many follow it; a count of 255 takes all ranges out.
#include "dirty-pages.h"

#include <bitset>

namespace {

constexpr uintptr_t kPage = 4096;

bool Same(const rpmem::DirtyPages::Ranges& ranges, const std::bitset<512>& pages) {
  std::bitset<512> found;
  uintptr_t previous_end = 0;
  for (auto [begin, end] : ranges) {
    bool apart = found.none() || begin > previous_end;
    if (!apart || begin >= end || begin % kPage != 0 || end % kPage != 0) return false;
    for (uintptr_t page = begin / kPage; page < end / kPage; ++page) found.set(page);
    previous_end = end;
  }
  return found == pages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  rpmem::DirtyPages dirty;
  std::bitset<512> pages;
  for (size_t at = 0; at + 1 < size; at += 2) {
    if (data[at + 1] == 255) {
      if (!Same(dirty.Take(), pages)) __builtin_trap();
      pages.reset();
      continue;
    }
    uintptr_t first = data[at], last = first + data[at + 1] % 64;
    dirty.Add(first * kPage, (last + 1) * kPage);
    for (uintptr_t page = first; page <= last; ++page) pages.set(page);
  }
  if (dirty.empty() != pages.none() || !Same(dirty.Take(), pages)) __builtin_trap();
  return 0;
}
