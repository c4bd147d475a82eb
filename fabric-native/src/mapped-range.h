// One contiguous range of addresses made of file pieces (libpmem2 with a reservation) or of anonymous memory.
#pragma once

#include <libpmem2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mapping.h"

namespace rpmem {

// A piece in place. Its end is the begin of the next one.
struct MappedPiece {
  size_t begin;
  size_t end;
  DurabilityMethod method;
  // Unit in which the kernel lets the piece be replaced after a fault: the page, or the alignment of a DAX device.
  size_t unit;
  pmem2_map* map;
};

class MappedRange {
 public:
  static std::shared_ptr<MappedRange> Map(std::span<const FilePiece> pieces, MemoryError& error);
  static std::shared_ptr<MappedRange> Anonymous(size_t size, MemoryError& error);
  MappedRange(const MappedRange&) = delete;
  MappedRange& operator=(const MappedRange&) = delete;
  ~MappedRange();

  uint8_t* base() const { return base_; }
  size_t size() const { return size_; }
  const std::vector<MappedPiece>& pieces() const { return pieces_; }

  // Calls visit(piece, first, last) for what lies in each piece, up to the first answer that is not 0, and looks at the last
  // byte of each: a file that shrank loses its end, which msync does not mind, but the look does (see BusGuard).
  template <typename Visit>
  int ForEachPiece(size_t offset, size_t length, Visit visit) const {
    if (length == 0) return 0;
    auto piece = std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                                  [](size_t at, const MappedPiece& candidate) { return at < candidate.end; });
    for (; piece != pieces_.end() && piece->begin < offset + length; ++piece) {
      uint8_t* first = base_ + std::max(offset, piece->begin);
      uint8_t* last = base_ + std::min(offset + length, piece->end);
      if (int rc = visit(*piece, first, last); rc != 0) return rc;
      (void)*static_cast<const volatile uint8_t*>(last - 1);
    }
    return 0;
  }

  // Puts empty memory in the place of the files, in one step, so that the files are released while an address that
  // somebody still holds stays valid. The range itself goes with its last owner.
  void ReleaseFiles();

 private:
  MappedRange() = default;
  bool Reserve(std::span<const FilePiece> pieces, MemoryError& error);
  bool MapPiece(const FilePiece& piece, size_t at, MemoryError& error);

  uint8_t* base_ = nullptr;
  size_t size_ = 0;
  std::vector<MappedPiece> pieces_;
  pmem2_vm_reservation* reservation_ = nullptr;
};

}  // namespace rpmem
