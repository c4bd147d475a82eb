// The pieces of a range in the order of their addresses. Pieces are added while other threads read, which takes no lock: they
// see the pieces that there were when they looked, or more.
#pragma once

#include <libpmem2.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
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

class PieceList {
 public:
  std::span<const MappedPiece> view() const {
    // In this order: an array that is seen holds at least as many pieces as a count that was seen before it.
    size_t count = count_.load(std::memory_order_acquire);
    return {array_.load(std::memory_order_acquire), count};
  }

  // Of the last piece; 0 without one.
  size_t end() const { return end_.load(std::memory_order_acquire); }

  // By one thread at a time.
  void Append(std::span<const MappedPiece> pieces) {
    std::span<const MappedPiece> old = view();
    size_t count = old.size() + pieces.size();
    if (count > capacity_) Move(old, std::max(count, 2 * capacity_));
    std::copy(pieces.begin(), pieces.end(), arrays_.back().get() + old.size());
    count_.store(count, std::memory_order_release);
    if (!pieces.empty()) end_.store(pieces.back().end, std::memory_order_release);
  }

 private:
  void Move(std::span<const MappedPiece> old, size_t capacity) {
    arrays_.push_back(std::make_unique<MappedPiece[]>(capacity));
    std::copy(old.begin(), old.end(), arrays_.back().get());
    capacity_ = capacity;
    array_.store(arrays_.back().get(), std::memory_order_release);
  }

  // All that there ever were, since somebody may still read an older one; each has twice the size of the one before.
  std::vector<std::unique_ptr<MappedPiece[]>> arrays_;
  size_t capacity_ = 0;
  std::atomic<const MappedPiece*> array_{nullptr};
  std::atomic<size_t> count_{0};
  std::atomic<size_t> end_{0};
};

}  // namespace rpmem
