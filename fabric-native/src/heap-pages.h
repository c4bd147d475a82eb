// The pages of a heap: which are free, and what the page table in the region says of each. Decisions rest on what this process
// remembers and never on what it reads in the region, so that a damaged region is noticed (Heap::Check) but not followed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "heap-layout.h"

namespace rpmem::heap {

// What a page is to whoever frees: read without a lock.
enum class TagKind : uint32_t { kNone, kRun, kLarge, kCached, kFreeEdge };

struct Tag {
  TagKind kind = TagKind::kNone;
  uint32_t size_class = 0;
  // Pages to the head of the run.
  uint32_t distance = 0;

  constexpr uint32_t Value() const { return static_cast<uint32_t>(kind) | size_class << 3 | distance << 8; }
  static constexpr Tag Of(uint32_t value) { return {static_cast<TagKind>(value & 7), value >> 3 & 31, value >> 8}; }
};

// Of the head of a run or large block, or of either end of a free extent.
struct PageNode {
  uint64_t pages;
  // List of free extents of a size, or of runs of a class that have room.
  uint64_t next;
  uint64_t prev;
  bool listed;
  // Of a run: the number of the thread that allocates from it, or 0.
  std::atomic<uint32_t> owner;
  // Of a run: somebody else than its owner freed a block.
  std::atomic<bool> freed_elsewhere;
  // It waits in the list of such runs.
  std::atomic<bool> pending;
  std::atomic<uint64_t> pending_next;
};

// Zeros that cost memory only where they are touched.
template <typename Element>
class LazyArray {
 public:
  explicit LazyArray(uint64_t count) : bytes_(count * sizeof(Element)), first_(static_cast<Element*>(Map(bytes_))) {}
  LazyArray(const LazyArray&) = delete;
  LazyArray& operator=(const LazyArray&) = delete;
  ~LazyArray() { Unmap(first_, bytes_); }

  Element& operator[](uint64_t at) const { return first_[at]; }
  explicit operator bool() const { return first_ != nullptr; }

 private:
  static void* Map(size_t bytes);
  static void Unmap(void* first, size_t bytes);

  size_t bytes_;
  Element* first_;
};

extern template class LazyArray<std::atomic<uint32_t>>;
extern template class LazyArray<std::atomic<uint64_t>>;
extern template class LazyArray<PageNode>;

// Where holes can be made and filled again; without a file there are none.
struct Storage {
  int fd = -1;
  uint64_t offset = 0;
};

// Everything but `tag` is used under the lock of the heap.
class PageSpace {
 public:
  PageSpace(uint8_t* base, uint64_t capacity_pages, uint64_t key, uint64_t first_page, Storage storage);

  bool usable() const { return tags_ && nodes_ && remote_; }
  uint64_t first_page() const { return first_page_; }
  uint64_t end() const { return end_.load(std::memory_order_relaxed); }
  uint64_t free_pages() const { return free_pages_; }
  uint64_t hole_pages() const { return hole_pages_; }
  uint8_t* AddressOf(uint64_t page) const { return base_ + page * kPageBytes; }

  Tag tag(uint64_t page) const { return Tag::Of(tags_[page].load(std::memory_order_acquire)); }
  void SetTag(uint64_t page, Tag tag) { tags_[page].store(tag.Value(), std::memory_order_release); }
  // True for one caller only.
  bool Retag(uint64_t page, Tag from, Tag to) {
    uint32_t expected = from.Value();
    return tags_[page].compare_exchange_strong(expected, to.Value(), std::memory_order_acq_rel);
  }
  PageNode& node(uint64_t page) const { return nodes_[page]; }
  // Blocks of a run that others than its owner freed: one bit a block.
  std::atomic<uint64_t>* remote(uint64_t page) const { return &remote_[page * (kPageBytes / 8 / 64)]; }

  uint64_t Sealed(uint64_t page, Descriptor descriptor) const { return Seal(descriptor, page, key_); }
  uint64_t RawDescriptor(uint64_t page) const { return table()[page]; }
  bool Describes(uint64_t page, Descriptor expected) const { return table()[page] == Sealed(page, expected); }
  void Describe(uint64_t page, Descriptor descriptor) { table()[page] = Sealed(page, descriptor); }

  // Storage for the pages up to `end`, if there is a file; 0 or an errno.
  int Reserve(uint64_t end);
  // More pages at the end, free. `clean`: their descriptors are 0 and they hold zeros.
  void Add(uint64_t pages, bool clean);
  // First of `pages` pages whose address is a multiple of `alignment`, or 0. Their descriptors still call them free.
  uint64_t Take(uint64_t pages, uint64_t alignment = kPageBytes);
  // Exactly the pages that follow; false if they are not free.
  bool TakeAt(uint64_t page, uint64_t pages);
  // Gives taken pages their storage, and zeros where asked; false if the file system is full, and then they are free again.
  bool Furnish(uint64_t page, uint64_t pages, bool zeroed);
  // `clean`: the first so many hold zeros.
  void Give(uint64_t page, uint64_t pages, uint64_t clean);
  // While opening: pages up to here belong to the heap, as described.
  void Extend(uint64_t end) {
    end_.store(end, std::memory_order_relaxed);
    untouched_ = end;
  }
  // While opening: pages whose descriptors are in order already.
  void GiveDescribed(uint64_t page, uint64_t pages);

  // Gives the storage of free pages back to the file system; returns the bytes.
  uint64_t Purge();
  bool worth_purging() const;

  void ForEachExtent(const std::function<void(uint64_t page, uint64_t pages)>& visit) const;

 private:
  static constexpr size_t kExactBins = 32;
  static constexpr size_t kBins = kExactBins + 8 * 34;

  uint64_t* table() const { return reinterpret_cast<uint64_t*>(base_ + kPageBytes); }
  static size_t BinOf(uint64_t pages);
  void Link(uint64_t page, uint64_t pages);
  void Unlink(uint64_t page);
  uint64_t Place(uint64_t extent, uint64_t pages, uint64_t alignment) const;
  uint64_t Search(size_t bin, uint64_t pages, uint64_t alignment, size_t tries) const;
  uint64_t Find(uint64_t pages, uint64_t alignment) const;
  void Cut(uint64_t extent, uint64_t page, uint64_t pages);
  void Insert(uint64_t page, uint64_t pages);
  uint64_t PropertiesOf(uint64_t page) const;
  bool FillHoles(uint64_t page, uint64_t pages);
  uint64_t Punch(uint64_t page, uint64_t end);

  uint8_t* base_;
  uint64_t key_;
  uint64_t first_page_;
  std::atomic<uint64_t> end_;
  Storage storage_;
  LazyArray<std::atomic<uint32_t>> tags_;
  LazyArray<PageNode> nodes_;
  LazyArray<std::atomic<uint64_t>> remote_;
  std::array<uint64_t, kBins> bins_{};
  std::array<uint64_t, (kBins + 63) / 64> filled_{};
  uint64_t free_pages_ = 0;
  uint64_t hole_pages_ = 0;
  // Free pages that were in use before and keep their storage.
  uint64_t idle_pages_ = 0;
  // From here on no page was ever in use: its storage stays reserved.
  uint64_t untouched_;
};

}  // namespace rpmem::heap
