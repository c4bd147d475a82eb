// The messages of a lane as bytes. Fields are little-endian, as is every machine that PMDK runs on.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "layout.gen.h"

namespace rpmem {

static_assert(std::endian::native == std::endian::little, "in-band messages are written in host order");

template <typename Number>
void Put(uint8_t* base, size_t at, Number value) {
  std::memcpy(base + at, &value, sizeof(value));
}

template <typename Number>
Number Get(const uint8_t* base, size_t at) {
  Number value;
  std::memcpy(&value, base + at, sizeof(value));
  return value;
}

enum class Dialect { kRpmem, kPmdk };

constexpr size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

constexpr size_t kEntryAlignment = 8;

// Bytes of a message besides the data of its one range.
constexpr size_t MessageOverhead(Dialect dialect) {
  return dialect == Dialect::kPmdk ? layout::kPersistMessageBytes
                                   : layout::kLaneMessageBytes + layout::kLaneEntryBytes;
}

// What a receive buffer of the target holds.
constexpr size_t MessageCapacity(Dialect dialect, size_t inline_size) {
  return RoundUp(MessageOverhead(dialect) + inline_size, 64);
}

constexpr size_t AnswerBytes(Dialect dialect) {
  return dialect == Dialect::kPmdk ? layout::kPersistResponseBytes : layout::kLaneAnswerBytes;
}

// Messages of a lane that may be under way at once: so many receives the target posts. Large ones need fewer to keep both
// ends busy, and their buffers are to stay in the caches.
constexpr size_t Window(Dialect dialect, size_t inline_size) {
  if (dialect == Dialect::kPmdk) return 1;
  return inline_size > 64 * 1024 ? 4 : 8;
}

}  // namespace rpmem
