// Changed pages of a private mapping without help of the kernel's: a page that was ever stored into is no longer the file's, by
// /proc/self/pagemap, and stays so; it changed if it differs from the image that was last taken of it. Costs a second copy of
// every such page. Source: Documentation/admin-guide/mm/pagemap.rst of Linux.
#pragma once

#include <memory>
#include <unordered_map>

#include "owned-fd.h"
#include "page-tracker.h"

namespace rpmem {

class PrivatePages : public PageTracker {
 public:
  static std::unique_ptr<PrivatePages> Open(MemoryError& error);

  bool Watch(uint8_t* begin, uint8_t* end, MemoryError& error) override;
  int Collect(bool take, std::vector<PageRun>& runs) override;
  int Clean(uint8_t* begin, uint8_t* end) override;

 private:
  explicit PrivatePages(OwnedFd pagemap);
  // Calls visit(page) for each private page of the kernel's size in [begin, end).
  template <typename Visit>
  int ForEachPrivate(uint8_t* begin, uint8_t* end, Visit visit);
  bool Differs(const uint8_t* page) const;
  void Take(const uint8_t* page);

  OwnedFd pagemap_;
  // The kernel's, bytes.
  const size_t page_size_;
  uint8_t* begin_ = nullptr;
  uint8_t* end_ = nullptr;
  // What a page holds while it is compared: others may be storing into it.
  std::unique_ptr<uint8_t[]> now_;
  std::unordered_map<const uint8_t*, std::unique_ptr<uint8_t[]>> taken_;
};

}  // namespace rpmem
