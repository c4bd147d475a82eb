// What the heap keeps inside its region, and nowhere else, so that the region alone is enough to open it again:
//
//   page 0            the header
//   page 1 …          the page table: a descriptor for each page, up to the largest size the heap may grow to
//   the pages         runs of small blocks (size-class.h), large blocks, free pages
//
// Everything is counted from the begin of the region. All of it is little-endian and protected by sums: the header by one,
// each descriptor by sixteen bits of its own, bitmaps by the counts that belong to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "size-class.h"

namespace rpmem::heap {

struct Header {
  uint64_t magic;
  uint64_t version;
  // Random, part of every sum: what another heap left behind does not pass for this one's.
  uint64_t key;
  uint64_t pages;
  uint64_t capacity_pages;
  uint64_t table_pages;
  // As Quiesce found them; Open compares.
  uint64_t live_blocks;
  uint64_t live_pages;
  uint64_t sum;
};

inline constexpr uint64_t kMagic = 0x5041454d454d5052;  // "RPMEMEAP"
inline constexpr uint64_t kVersion = 1;
static_assert(sizeof(Header) <= kPageBytes);

enum class PageKind : uint8_t {
  kFree = 0,
  kMetadata = 1,
  kRun = 2,
  kRunInside = 3,
  kLarge = 4,
  kLargeInside = 5,
  // A large block that was freed and waits for the next of its size.
  kCached = 6,
};

// Properties of a free page. Without any, it is known to hold zeros and to own its storage.
inline constexpr uint64_t kSoiled = 1;
// Its storage was given back to the file system; it reads as zeros.
inline constexpr uint64_t kHole = 2;

// bits 0–2 kind, 3–4 properties, 5–9 size class, 10–47 number, 48–63 sum. `number`: pages from a head on, or the distance to
// the head. A free page without properties is 0, so that a new file needs no table written.
struct Descriptor {
  PageKind kind = PageKind::kFree;
  uint64_t properties = 0;
  uint32_t size_class = 0;
  uint64_t number = 0;

  constexpr uint64_t Value() const {
    return static_cast<uint64_t>(kind) | properties << 3 | uint64_t{size_class} << 5 | number << 10;
  }
  static constexpr Descriptor Of(uint64_t value) {
    return {static_cast<PageKind>(value & 7), value >> 3 & 3, static_cast<uint32_t>(value >> 5 & 31),
            value >> 10 & ((uint64_t{1} << 38) - 1)};
  }
  bool operator==(const Descriptor&) const = default;
};

constexpr uint64_t Mix(uint64_t word) {
  word ^= word >> 32;
  word *= 0xd6e8feb86659fd93;
  return word ^ word >> 32;
}

constexpr uint64_t Seal(Descriptor descriptor, uint64_t page, uint64_t key) {
  uint64_t value = descriptor.Value();
  return value == 0 ? 0 : value | (Mix((value ^ key) + page * 0x9e3779b97f4a7c15) >> 48) << 48;
}

// Of the first page without its field `sum`.
inline uint64_t SumOf(const Header& header, std::span<const uint64_t> first_page) {
  uint64_t sum = header.key;
  for (size_t at = 0; at < first_page.size(); ++at) {
    if (at != offsetof(Header, sum) / 8) sum = Mix(sum + first_page[at] + at);
  }
  return sum;
}

}  // namespace rpmem::heap
