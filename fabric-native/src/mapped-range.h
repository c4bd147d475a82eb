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
#include "piece-list.h"

namespace rpmem {

class MappedRange {
 public:
  // `reservation`: addresses to be kept free for pieces that come later, those of `pieces` included; 0 for none.
  static std::shared_ptr<MappedRange> Map(std::span<const FilePiece> pieces, size_t reservation, Sharing sharing,
                                          MemoryError& error);
  static std::shared_ptr<MappedRange> Anonymous(size_t size, MemoryError& error);
  MappedRange(const MappedRange&) = delete;
  MappedRange& operator=(const MappedRange&) = delete;
  ~MappedRange();

  uint8_t* base() const { return base_; }
  // Grows when pieces are added; what lies below a size that was once seen stays as it is.
  size_t size() const { return pieces_.end(); }
  // Up to where it may grow; at least size().
  size_t reserved() const { return reserved_; }
  std::span<const MappedPiece> pieces() const { return pieces_.view(); }

  // Maps pieces behind the last one, where only addresses were kept so far: all or, after an error, none. They count from Add
  // on; by one thread at a time.
  std::vector<MappedPiece> MapBehind(std::span<const FilePiece> pieces, MemoryError& error);
  void Add(std::span<const MappedPiece> pieces) { pieces_.Append(pieces); }
  static void Discard(std::span<MappedPiece> pieces);

  // Calls visit(piece, first, last) for what lies in each piece, up to the first answer that is not 0, and looks at the last
  // byte of each: a file that shrank loses its end, which msync does not mind, but the look does (see BusGuard).
  template <typename Visit>
  int ForEachPiece(size_t offset, size_t length, Visit visit) const {
    if (length == 0) return 0;
    std::span<const MappedPiece> pieces = pieces_.view();
    auto piece = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                  [](size_t at, const MappedPiece& candidate) { return at < candidate.end; });
    for (; piece != pieces.end() && piece->begin < offset + length; ++piece) {
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
  bool Reserve(std::span<const FilePiece> pieces, size_t reservation, MemoryError& error);
  bool MapPiece(const FilePiece& piece, size_t at, std::vector<MappedPiece>& mapped, MemoryError& error);
  bool MapPrivately(const FilePiece& piece, size_t at, std::vector<MappedPiece>& mapped, MemoryError& error);

  uint8_t* base_ = nullptr;
  Sharing sharing_ = Sharing::kShared;
  // Bytes of address space; at least size().
  size_t reserved_ = 0;
  PieceList pieces_;
  pmem2_vm_reservation* reservation_ = nullptr;
};

}  // namespace rpmem
