// The sizes of small blocks, four to a doubling, and how blocks of a size lie in a run of pages:
//
//   bitmap of the blocks in use | zeros up to the alignment of the size | block | block | … | zeros
//
// The place of the first block is that of a full run, so that a shorter run of the same size differs only in its count.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace rpmem::heap {

inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kRunPages = 16;
inline constexpr size_t kClasses = 28;
inline constexpr size_t kMaxSmall = 3584;

struct SizeClass {
  uint32_t size;
  // Offset of the first block in its run.
  uint32_t first;
  // A power of two that divides every address of such a block.
  uint32_t alignment;
  // Ceiling of 2^32 / size: exact for distances below 2^16.
  uint32_t inverse;

  constexpr uint32_t BlocksIn(size_t pages) const { return static_cast<uint32_t>((pages * kPageBytes - first) / size); }
  // Of a distance from the first block; a distance inside a block is told by `index * size != distance`.
  constexpr uint32_t IndexAt(uint32_t distance) const { return static_cast<uint32_t>((uint64_t{distance} * inverse) >> 32); }
};

constexpr uint32_t BitmapWords(uint32_t blocks) { return (blocks + 63) / 64; }

constexpr SizeClass MakeSizeClass(uint32_t size) {
  uint32_t alignment = size & (~size + 1);
  uint32_t first = 0;
  for (uint32_t blocks = kRunPages * kPageBytes / size; blocks > 0; --blocks) {
    first = (BitmapWords(blocks) * 8 + alignment - 1) / alignment * alignment;
    if (first + blocks * size <= kRunPages * kPageBytes) break;
  }
  return {size, first, alignment, static_cast<uint32_t>(((uint64_t{1} << 32) + size - 1) / size)};
}

constexpr std::array<SizeClass, kClasses> MakeSizeClasses() {
  std::array<SizeClass, kClasses> classes{};
  size_t at = 0;
  for (uint32_t size : {8, 16, 32, 48, 64}) classes[at++] = MakeSizeClass(size);
  for (uint32_t step = 16; at < kClasses; step *= 2) {
    for (uint32_t quarter = 5; quarter <= 8 && at < kClasses; ++quarter) classes[at++] = MakeSizeClass(quarter * step);
  }
  return classes;
}

inline constexpr std::array<SizeClass, kClasses> kSizeClasses = MakeSizeClasses();
static_assert(kSizeClasses.back().size == kMaxSmall);

constexpr std::array<uint8_t, kMaxSmall / 8 + 1> MakeClassOf() {
  std::array<uint8_t, kMaxSmall / 8 + 1> table{};
  uint8_t index = 0;
  for (size_t eighth = 0; eighth < table.size(); ++eighth) {
    if (eighth * 8 > kSizeClasses[index].size) ++index;
    table[eighth] = index;
  }
  return table;
}

inline constexpr std::array<uint8_t, kMaxSmall / 8 + 1> kClassOf = MakeClassOf();

// The smallest class whose blocks hold `size`, at most kMaxSmall, bytes.
inline uint32_t ClassOf(size_t size) { return kClassOf[(size + 7) / 8]; }

}  // namespace rpmem::heap
