#include "operation-table.h"

#include "monotonic.h"

namespace rpmem {

Operation& OperationTable::Take(OperationKind kind, uint32_t lane, uint64_t patience_ns) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(operations_.size()));
    operations_.emplace_back();
    in_use_.push_back(false);
    operations_.back().ticket = free_.back();
  }
  Operation& operation = operations_[free_.back()];
  free_.pop_back();
  in_use_[operation.ticket] = true;
  operation.kind = kind;
  operation.lane = lane;
  operation.patience_ns = patience_ns;
  operation.ranges.clear();
  operation.range = 0;
  operation.range_done = 0;
  operation.unanswered = 0;
  operation.fenced = false;
  operation.status = kDone;
  operation.told = false;
  operation.carried = false;
  operation.begun_ns = NowNs();
  operation.watch.store(Operation::kUnwatched, std::memory_order_relaxed);
  return operation;
}

void OperationTable::GiveBack(Operation& operation) {
  if (operation.bytes.capacity() > 0) operation.bytes = {};
  in_use_[operation.ticket] = false;
  free_.push_back(operation.ticket);
}

}  // namespace rpmem
