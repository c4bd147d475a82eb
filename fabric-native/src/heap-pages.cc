#include "heap-pages.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

namespace rpmem::heap {

template <typename Element>
void* LazyArray<Element>::Map(size_t bytes) {
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

template <typename Element>
void LazyArray<Element>::Unmap(void* first, size_t bytes) {
  if (first != nullptr) munmap(first, bytes);
}

template class LazyArray<std::atomic<uint32_t>>;
template class LazyArray<std::atomic<uint64_t>>;
template class LazyArray<PageNode>;

namespace {

// Smaller free extents keep their storage: a hole of a few pages costs the file system more than it gives.
constexpr uint64_t kLeastHolePages = 16;
constexpr uint64_t kIdleAllowancePages = 16 * 1024 * 1024 / kPageBytes;

}  // namespace

PageSpace::PageSpace(uint8_t* base, uint64_t capacity_pages, uint64_t key, uint64_t first_page, Storage storage)
    : base_(base),
      key_(key),
      first_page_(first_page),
      end_(first_page),
      storage_(storage),
      tags_(capacity_pages + 1),
      nodes_(capacity_pages + 1),
      remote_((capacity_pages + 1) * (kPageBytes / 8 / 64)),
      untouched_(first_page) {}

size_t PageSpace::BinOf(uint64_t pages) {
  if (pages <= kExactBins) return pages - 1;
  auto exponent = static_cast<size_t>(std::bit_width(pages)) - 1;
  return std::min(kExactBins + (exponent - 5) * 8 + (pages >> (exponent - 3) & 7), kBins - 1);
}

void PageSpace::Link(uint64_t page, uint64_t pages) {
  size_t bin = BinOf(pages);
  PageNode& head = node(page);
  head.pages = pages;
  head.prev = 0;
  head.next = bins_[bin];
  if (head.next != 0) node(head.next).prev = page;
  bins_[bin] = page;
  filled_[bin / 64] |= uint64_t{1} << bin % 64;
  node(page + pages - 1).pages = pages;
  SetTag(page, {TagKind::kFreeEdge});
  SetTag(page + pages - 1, {TagKind::kFreeEdge});
}

void PageSpace::Unlink(uint64_t page) {
  PageNode& head = node(page);
  size_t bin = BinOf(head.pages);
  if (head.next != 0) node(head.next).prev = head.prev;
  if (head.prev != 0) node(head.prev).next = head.next;
  if (head.prev == 0) bins_[bin] = head.next;
  if (bins_[bin] == 0) filled_[bin / 64] &= ~(uint64_t{1} << bin % 64);
  SetTag(page + head.pages - 1, {});
  SetTag(page, {});
}

// Joins what is free on either side.
void PageSpace::Insert(uint64_t page, uint64_t pages) {
  free_pages_ += pages;
  if (page > first_page_ && tag(page - 1).kind == TagKind::kFreeEdge) {
    uint64_t before = node(page - 1).pages;
    page -= before;
    pages += before;
    Unlink(page);
  }
  if (page + pages < end() && tag(page + pages).kind == TagKind::kFreeEdge) {
    uint64_t behind = page + pages;
    pages += node(behind).pages;
    Unlink(behind);
  }
  Link(page, pages);
}

// Takes pages out of the middle of a free extent.
void PageSpace::Cut(uint64_t extent, uint64_t page, uint64_t pages) {
  uint64_t end = extent + node(extent).pages;
  Unlink(extent);
  free_pages_ -= pages;
  if (page > extent) Link(extent, page - extent);
  if (page + pages < end) Link(page + pages, end - page - pages);
}

// Where in the extent the pages may lie, or 0.
uint64_t PageSpace::Place(uint64_t extent, uint64_t pages, uint64_t alignment) const {
  auto address = reinterpret_cast<uintptr_t>(AddressOf(extent));
  uint64_t page = extent + ((alignment - address % alignment) % alignment) / kPageBytes;
  return page + pages <= extent + node(extent).pages ? page : 0;
}

uint64_t PageSpace::Search(size_t bin, uint64_t pages, uint64_t alignment, size_t tries) const {
  for (uint64_t extent = bins_[bin]; extent != 0 && tries > 0; extent = node(extent).next, --tries) {
    if (Place(extent, pages, alignment) != 0) return extent;
  }
  return 0;
}

// An extent of about the size, then the smallest that is larger, then whatever is left of about the size.
uint64_t PageSpace::Find(uint64_t pages, uint64_t alignment) const {
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  size_t own = BinOf(pages);
  if (uint64_t extent = Search(own, pages, alignment, 8); extent != 0) return extent;
  for (size_t bin = own + 1; bin < kBins; ++bin) {
    uint64_t rest = filled_[bin / 64] >> bin % 64;
    if (rest == 0) {
      bin = bin / 64 * 64 + 63;
      continue;
    }
    bin += static_cast<size_t>(std::countr_zero(rest));
    if (uint64_t extent = Search(bin, pages, alignment, kAll); extent != 0) return extent;
  }
  return Search(own, pages, alignment, kAll);
}

uint64_t PageSpace::Take(uint64_t pages, uint64_t alignment) {
  if (pages > free_pages_) return 0;
  uint64_t extent = Find(pages, alignment);
  if (extent == 0) return 0;
  uint64_t page = Place(extent, pages, alignment);
  Cut(extent, page, pages);
  return page;
}

bool PageSpace::TakeAt(uint64_t page, uint64_t pages) {
  if (page >= end() || tag(page).kind != TagKind::kFreeEdge) return false;
  // The first page of an extent, because the one before it is taken.
  if (node(page).pages < pages) return false;
  Cut(page, page, pages);
  return true;
}

// Of a free page. What is not legible counts as soiled.
uint64_t PageSpace::PropertiesOf(uint64_t page) const {
  uint64_t value = RawDescriptor(page);
  if (value == 0) return 0;
  Descriptor descriptor = Descriptor::Of(value);
  return descriptor.kind == PageKind::kFree && Describes(page, descriptor) ? descriptor.properties : kSoiled;
}

bool PageSpace::FillHoles(uint64_t page, uint64_t pages) {
  if (hole_pages_ == 0) return true;
  for (uint64_t at = page; at < page + pages;) {
    uint64_t begin = at;
    while (at < page + pages && (PropertiesOf(at) & kHole) != 0) ++at;
    if (at == begin) {
      ++at;
      continue;
    }
    auto offset = static_cast<off_t>(storage_.offset + begin * kPageBytes);
    auto length = static_cast<off_t>((at - begin) * kPageBytes);
    // Without a file they are zeros like others: the image was made of a heap that had one.
    if (storage_.fd >= 0 && fallocate(storage_.fd, FALLOC_FL_KEEP_SIZE, offset, length) != 0) return false;
    for (uint64_t filled = begin; filled < at; ++filled) Describe(filled, {});
    hole_pages_ -= at - begin;
    idle_pages_ += at - begin;
  }
  return true;
}

bool PageSpace::Furnish(uint64_t page, uint64_t pages, bool zeroed) {
  if (!FillHoles(page, pages)) {
    Insert(page, pages);
    return false;
  }
  for (uint64_t at = page; zeroed && at < page + pages; ++at) {
    if ((PropertiesOf(at) & kSoiled) != 0) std::memset(AddressOf(at), 0, kPageBytes);
  }
  uint64_t used_before = std::min(page + pages, untouched_) - std::min(page, untouched_);
  idle_pages_ -= std::min(idle_pages_, used_before);
  untouched_ = std::max(untouched_, page + pages);
  return true;
}

int PageSpace::Reserve(uint64_t end) {
  if (storage_.fd < 0) return 0;
  uint64_t begin = this->end();
  int rc = 0;
  do rc = posix_fallocate(storage_.fd, static_cast<off_t>(storage_.offset + begin * kPageBytes), static_cast<off_t>((end - begin) * kPageBytes));
  while (rc == EINTR);
  return rc;
}

void PageSpace::Add(uint64_t pages, bool clean) {
  uint64_t page = end();
  if (!clean) {
    for (uint64_t at = page; at < page + pages; ++at) Describe(at, {.properties = kSoiled});
  }
  end_.store(page + pages, std::memory_order_relaxed);
  Insert(page, pages);
}

void PageSpace::Give(uint64_t page, uint64_t pages, uint64_t clean) {
  for (uint64_t at = page; at < page + pages; ++at) Describe(at, {.properties = at < page + clean ? 0 : kSoiled});
  idle_pages_ += pages;
  Insert(page, pages);
}

void PageSpace::GiveDescribed(uint64_t page, uint64_t pages) {
  for (uint64_t at = page; at < page + pages; ++at) hole_pages_ += (PropertiesOf(at) & kHole) != 0 ? 1 : 0;
  Insert(page, pages);
}

bool PageSpace::worth_purging() const {
  uint64_t live_pages = end() - first_page_ - free_pages_;
  return storage_.fd >= 0 && idle_pages_ > std::max(kIdleAllowancePages, live_pages / 4);
}

// The pages of [page, end) that have storage; returns how many there were.
uint64_t PageSpace::Punch(uint64_t page, uint64_t end) {
  uint64_t punched = 0;
  for (uint64_t at = page; at < end;) {
    uint64_t begin = at;
    while (at < end && (PropertiesOf(at) & kHole) == 0) ++at;
    if (at == begin) {
      ++at;
      continue;
    }
    auto offset = static_cast<off_t>(storage_.offset + begin * kPageBytes);
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (fallocate(storage_.fd, mode, offset, static_cast<off_t>((at - begin) * kPageBytes)) != 0) {
      // A file system that cannot do it need not be asked again.
      storage_.fd = hole_pages_ == 0 ? -1 : storage_.fd;
      return punched;
    }
    for (uint64_t hole = begin; hole < at; ++hole) Describe(hole, {.properties = kHole});
    hole_pages_ += at - begin;
    punched += at - begin;
  }
  return punched;
}

uint64_t PageSpace::Purge() {
  uint64_t punched = 0;
  ForEachExtent([&](uint64_t page, uint64_t pages) {
    uint64_t end = std::min(page + pages, untouched_);
    if (storage_.fd >= 0 && pages >= kLeastHolePages && end > page) punched += Punch(page, end);
  });
  idle_pages_ -= std::min(idle_pages_, punched);
  return punched * kPageBytes;
}

void PageSpace::ForEachExtent(const std::function<void(uint64_t, uint64_t)>& visit) const {
  for (uint64_t extent : bins_) {
    for (; extent != 0; extent = node(extent).next) visit(extent, node(extent).pages);
  }
}

}  // namespace rpmem::heap
