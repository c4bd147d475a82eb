// Opening a heap that Quiesce left: everything that this process has to know is found in the page table and the bitmaps. What
// contradicts itself is refused.
#include <bit>

#include "heap.h"

namespace rpmem::heap {

// False if the region is damaged.
bool Heap::Restore() {
  for (uint64_t at = 0; at < space_.first_page(); ++at) {
    if (!space_.Describes(at, {PageKind::kMetadata, 0, 0, at})) return false;
  }
  uint64_t end = header_.pages;
  space_.Extend(end);
  for (uint64_t page = space_.first_page(); page < end;) {
    Descriptor descriptor = Descriptor::Of(space_.RawDescriptor(page));
    if (!space_.Describes(page, descriptor)) return false;
    uint64_t pages = descriptor.kind == PageKind::kFree   ? RestoreFree(page)
                     : descriptor.kind == PageKind::kRun  ? RestoreRun(page, descriptor)
                     : descriptor.kind == PageKind::kLarge ? RestoreLarge(page, descriptor)
                                                           : 0;
    if (pages == 0) return false;
    page += pages;
  }
  uint64_t live_blocks = past_.large_allocated;
  for (uint64_t allocated : past_.allocated) live_blocks += allocated;
  return live_blocks == header_.live_blocks && end - space_.first_page() - space_.free_pages() == header_.live_pages;
}

bool Heap::InsideMatches(uint64_t head, uint64_t pages, PageKind kind) const {
  uint32_t size_class = Descriptor::Of(space_.RawDescriptor(head)).size_class;
  for (uint64_t at = 1; at < pages; ++at) {
    if (!space_.Describes(head + at, {kind, 0, size_class, at})) return false;
  }
  return true;
}

// Each returns the pages that it went through, or 0.
uint64_t Heap::RestoreFree(uint64_t page) {
  uint64_t end = page;
  while (end < space_.end() && Descriptor::Of(space_.RawDescriptor(end)).kind == PageKind::kFree) {
    if (!space_.Describes(end, Descriptor::Of(space_.RawDescriptor(end)))) return 0;
    ++end;
  }
  space_.GiveDescribed(page, end - page);
  return end - page;
}

uint64_t Heap::RestoreLarge(uint64_t page, const Descriptor& descriptor) {
  uint64_t pages = descriptor.number;
  if (pages == 0 || pages > space_.end() - page || !InsideMatches(page, pages, PageKind::kLargeInside)) return 0;
  space_.node(page).pages = pages;
  space_.SetTag(page, {TagKind::kLarge});
  ++past_.large_allocated;
  past_.large_pages += pages;
  return pages;
}

uint64_t Heap::RestoreRun(uint64_t page, const Descriptor& descriptor) {
  uint64_t pages = descriptor.number;
  uint32_t size_class = descriptor.size_class;
  if (size_class >= kClasses || !std::has_single_bit(pages) || pages > kRunPages || pages > space_.end() - page) return 0;
  if (!InsideMatches(page, pages, PageKind::kRunInside)) return 0;
  uint32_t blocks = kSizeClasses[size_class].BlocksIn(pages);
  CurrentRun run{.head = page, .words = BitmapOf(page), .blocks = blocks};
  uint64_t live = blocks;
  for (uint32_t at = 0; at < BitmapWords(blocks); ++at) live -= static_cast<uint64_t>(std::popcount(run.FreeIn(at)));
  space_.node(page).pages = pages;
  for (uint32_t at = 0; at < pages; ++at) space_.SetTag(page + at, {TagKind::kRun, size_class, at});
  past_.allocated[size_class] += live;
  ++runs_[size_class];
  run_pages_[size_class] += pages;
  if (live < blocks) List(page, size_class);
  return pages;
}

}  // namespace rpmem::heap
