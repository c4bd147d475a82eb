// The operations of one JavaScript environment by their tickets. Used on its thread only; what stands in the table may be
// under way on another.
#pragma once

#include <deque>
#include <vector>

#include "operation.h"

namespace rpmem {

class OperationTable {
 public:
  Operation& Take(OperationKind kind, uint32_t lane, uint64_t patience_ns);
  void GiveBack(Operation& operation);
  // Null if there is no such operation.
  Operation* Of(uint32_t ticket) { return ticket < operations_.size() && in_use_[ticket] ? &operations_[ticket] : nullptr; }

  template <typename Visit>
  void EachInUse(Visit visit) {
    for (Operation& operation : operations_) {
      if (in_use_[operation.ticket]) visit(operation);
    }
  }

 private:
  // A deque, because operations stay where they are.
  std::deque<Operation> operations_;
  std::vector<uint32_t> free_;
  std::vector<bool> in_use_;
};

}  // namespace rpmem
