#include "dirty-pages.h"

#include <algorithm>
#include <iterator>

namespace rpmem {

void DirtyPages::Add(uintptr_t begin, uintptr_t end) {
  auto next = ranges_.upper_bound(begin);
  if (next != ranges_.begin()) {
    auto previous = std::prev(next);
    if (previous->second >= end) return;
    if (previous->second >= begin) {
      begin = previous->first;
      next = previous;
    }
  }
  while (next != ranges_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, begin, end);
}

}  // namespace rpmem
