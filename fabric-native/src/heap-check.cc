// The examination of a whole heap: what the region says is compared with what this process knows, and free memory that is
// known to be zero with zero.
#include <algorithm>
#include <bit>
#include <cstring>

#include "heap-exclusive.h"
#include "heap.h"

namespace rpmem::heap {

class Heap::Examination {
 public:
  Examination(Heap& heap, size_t most) : heap_(heap), space_(heap.space_), most_(most) {}

  std::vector<Finding> Run() {
    ExamineHeader();
    for (uint64_t page = space_.first_page(); page < space_.end();) page += ExaminePages(page);
    for (uint64_t page = space_.end(); page < heap_.capacity_pages_; ++page) {
      Expect(space_.RawDescriptor(page) == 0, TableOffset(page), "the table describes a page beyond the heap");
    }
    ExamineCounts();
    return std::move(findings_);
  }

 private:
  void Expect(bool holds, uint64_t offset, const char* what) {
    if (!holds && findings_.size() < most_) findings_.push_back({offset, what});
  }

  static uint64_t TableOffset(uint64_t page) { return kPageBytes + page * 8; }

  void ExamineHeader() {
    const Header& header = *heap_.header();
    std::span<const uint64_t> first_page{reinterpret_cast<const uint64_t*>(heap_.base_), kPageBytes / 8};
    bool ours = header.magic == kMagic && header.version == kVersion && header.key == heap_.key_;
    Expect(ours, 0, "the header is not that of this heap");
    bool unchanged = std::memcmp(&header, &heap_.header_, sizeof header) == 0;
    Expect(unchanged && header.sum == SumOf(header, first_page), 0, "the header was changed");
    for (uint64_t at = 0; at < space_.first_page(); ++at) {
      Expect(space_.Describes(at, {PageKind::kMetadata, 0, 0, at}), TableOffset(at), "the table lost a page of metadata");
    }
    uint64_t table_end = kPageBytes + heap_.capacity_pages_ * 8;
    ExpectZeros(table_end, space_.first_page() * kPageBytes - table_end, "the end of the table was written");
  }

  // Returns how many pages it went through.
  uint64_t ExaminePages(uint64_t page) {
    Tag tag = space_.tag(page);
    uint64_t pages = std::clamp<uint64_t>(space_.node(page).pages, 1, space_.end() - page);
    switch (tag.kind) {
      case TagKind::kFreeEdge:
        ExamineFree(page, pages);
        return pages;
      case TagKind::kRun:
        ExamineRun(page, pages, tag.size_class);
        return pages;
      case TagKind::kLarge:
      case TagKind::kCached:
        ExamineLarge(page, pages, tag.kind);
        return pages;
      case TagKind::kNone:
        break;
    }
    Expect(false, page * kPageBytes, "a page belongs to nothing");
    return 1;
  }

  void ExamineFree(uint64_t page, uint64_t pages) {
    free_pages_ += pages;
    for (uint64_t at = page; at < page + pages; ++at) {
      Descriptor descriptor = Descriptor::Of(space_.RawDescriptor(at));
      bool legible = descriptor.kind == PageKind::kFree && descriptor.size_class == 0 && descriptor.number == 0;
      Expect(legible && space_.Describes(at, descriptor), TableOffset(at), "the table does not know a free page");
      if ((descriptor.properties & kSoiled) == 0) ExpectZeros(at * kPageBytes, kPageBytes, "a free page was written");
    }
  }

  void ExamineLarge(uint64_t page, uint64_t pages, TagKind kind) {
    bool in_use = kind == TagKind::kLarge;
    Descriptor head{in_use ? PageKind::kLarge : PageKind::kCached, 0, 0, pages};
    Expect(space_.Describes(page, head), TableOffset(page), "the table does not know a large block");
    for (uint64_t at = 1; at < pages; ++at) {
      bool known = space_.Describes(page + at, {PageKind::kLargeInside, 0, 0, at});
      Expect(known, TableOffset(page + at), "the table does not know a page of a large block");
    }
    if (!in_use) ExpectZeros(page * kPageBytes, kPageBytes, "a freed block was written");
    large_ += in_use ? 1 : 0;
    large_pages_ += in_use ? pages : 0;
  }

  void ExamineRun(uint64_t head, uint64_t pages, uint32_t size_class) {
    for (uint64_t at = 0; at < pages; ++at) {
      Descriptor expected{at == 0 ? PageKind::kRun : PageKind::kRunInside, 0, size_class, at == 0 ? pages : at};
      Expect(space_.Describes(head + at, expected), TableOffset(head + at), "the table does not know a run");
    }
    const SizeClass& shape = kSizeClasses[size_class];
    uint32_t blocks = shape.BlocksIn(pages);
    uint64_t begin = head * kPageBytes;
    for (uint32_t at = 0; at < BitmapWords(blocks); ++at) ExamineWord(head, at, size_class, blocks);
    uint64_t bitmap = BitmapWords(blocks) * 8;
    ExpectZeros(begin + bitmap, shape.first - bitmap, "the end of a bitmap was written");
    uint64_t blocks_end = shape.first + uint64_t{blocks} * shape.size;
    ExpectZeros(begin + blocks_end, pages * kPageBytes - blocks_end, "the end of a run was written");
  }

  void ExamineWord(uint64_t head, uint32_t at, uint32_t size_class, uint32_t blocks) {
    const SizeClass& shape = kSizeClasses[size_class];
    uint64_t offset = head * kPageBytes + at * 8;
    uint64_t bits = WordAt(heap_.BitmapOf(head), at).load();
    uint64_t freed = space_.remote(head)[at].load();
    uint32_t rest = std::min(64u, blocks - at * 64);
    uint64_t real = rest == 64 ? ~uint64_t{0} : (uint64_t{1} << rest) - 1;
    Expect((bits | real) == ~uint64_t{0}, offset, "a bitmap has room for blocks that do not exist");
    Expect((freed & ~bits) == 0, offset, "a bitmap lost a block that another thread freed");
    uint64_t in_use = bits & ~freed & real;
    live_[size_class] += static_cast<uint64_t>(std::popcount(in_use));
    for (uint64_t idle = ~in_use & real; idle != 0; idle &= idle - 1) {
      uint64_t index = at * 64 + static_cast<uint64_t>(std::countr_zero(idle));
      ExpectZeros(head * kPageBytes + shape.first + index * shape.size, shape.size, "a free block was written, or one in use is marked free");
    }
  }

  void ExamineCounts() {
    Counts counts = heap_.past_;
    for (const auto& thread : heap_.threads_) counts.Add(thread->counts);
    for (size_t at = 0; at < kClasses; ++at) {
      Expect(live_[at] == counts.allocated[at] - counts.freed[at], 0, "the bitmaps do not hold as many blocks as are in use");
    }
    Expect(large_ == counts.large_allocated - counts.large_freed && large_pages_ == counts.large_pages, 0,
           "there are not as many large blocks as are in use");
    Expect(free_pages_ == space_.free_pages(), 0, "there are not as many free pages as there should be");
  }

  void ExpectZeros(uint64_t offset, uint64_t length, const char* what) {
    const uint8_t* bytes = heap_.base_ + offset;
    // Each byte equals the one before, and the first is 0: faster than any loop of ours.
    if (length == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, length - 1) == 0)) return;
    const uint8_t* end = bytes + length;
    const uint8_t* found = std::find_if(bytes, end, [](uint8_t byte) { return byte != 0; });
    Expect(false, static_cast<uint64_t>(found - heap_.base_), what);
  }

  Heap& heap_;
  const PageSpace& space_;
  size_t most_;
  std::vector<Finding> findings_;
  std::array<uint64_t, kClasses> live_{};
  uint64_t large_ = 0;
  uint64_t large_pages_ = 0;
  uint64_t free_pages_ = 0;
};

std::vector<Finding> Heap::Check(size_t most) {
  Exclusive exclusive(*this);
  return Examination(*this, most).Run();
}

}  // namespace rpmem::heap
