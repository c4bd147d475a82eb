// Changed pages by asynchronous write protection: the kernel lets the first store to a protected page through and remembers
// it; PAGEMAP_SCAN collects such pages and protects them again in one step. Linux 6.7; userfaultfd(2), ioctl_userfaultfd(2).
#pragma once

#include <memory>

#include "owned-fd.h"
#include "page-tracker.h"

namespace rpmem {

class WriteProtect : public PageTracker {
 public:
  // Null and an error where the kernel does not have it or does not allow it.
  static std::unique_ptr<WriteProtect> Open(MemoryError& error);

  bool Watch(uint8_t* begin, uint8_t* end, MemoryError& error) override;
  int Collect(bool take, std::vector<PageRun>& runs) override;
  int Clean(uint8_t* begin, uint8_t* end) override;

 private:
  WriteProtect(OwnedFd faults, OwnedFd pagemap) : faults_(std::move(faults)), pagemap_(std::move(pagemap)) {}

  uint32_t PageAt(uint64_t address) const {
    return static_cast<uint32_t>((address - reinterpret_cast<uintptr_t>(begin_)) / kPage);
  }

  // The protection ends when this one is closed.
  OwnedFd faults_;
  OwnedFd pagemap_;
  uint8_t* begin_ = nullptr;
  uint8_t* end_ = nullptr;
};

}  // namespace rpmem
