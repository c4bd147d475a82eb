// Copying into mapped memory by libpmem2's functions, so that an aligned 8-byte word is never torn.
#pragma once

#include <libpmem2.h>

#include <cstddef>
#include <cstdint>

namespace rpmem {

struct StoreFunctions {
  pmem2_memmove_fn move;
  pmem2_memset_fn set;

  // Flags are PMEM2_F_MEM_*. Overlap is allowed. Bytes outside of whole aligned words are stored apart from them, because
  // libpmem2 keeps words whole only where the range itself is aligned.
  void Move(uint8_t* to, const uint8_t* from, size_t length, unsigned flags) const;
  void Fill(uint8_t* to, uint8_t byte, size_t length, unsigned flags) const;

  static StoreFunctions Of(pmem2_map* map);
  // For memory that no cache flush makes durable: plain stores only. Null functions if libpmem2 cannot map one page.
  static const StoreFunctions& Plain();
};

}  // namespace rpmem
