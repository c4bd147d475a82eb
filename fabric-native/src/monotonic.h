#pragma once

#include <time.h>

#include <cstdint>

namespace rpmem {

constexpr uint64_t kNsPerMs = 1'000'000;

inline uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace rpmem
