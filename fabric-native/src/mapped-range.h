// One contiguous range of addresses made of file pieces (libpmem2 with a reservation) or of anonymous memory.
#pragma once

#include <libpmem2.h>

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
