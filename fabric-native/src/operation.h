// One call on the initiator's lanes: a persist of some ranges, a drain or a read. Made on a JavaScript thread, carried out
// by whoever drives the lanes, and given back to the JavaScript thread when it is done.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace rpmem {

struct Range {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool relaxed = false;
  bool deep = false;
  // Asked for by flush and not by persist: PMDK carries the two differently.
  bool flushed = false;
};

enum class OperationKind : uint8_t { kPersist, kDrain, kRead };

// Positive: the errno with which the target's storage refused. native-fabric.ts holds the same table.
enum OperationStatus : int32_t {
  kDone = 0,
  kDown = -1,
  kClosed = -2,
  kLocalMemory = -3,
};

constexpr uint64_t kNoDeadline = UINT64_MAX;

class Mailbox;

struct Operation {
  OperationKind kind = OperationKind::kPersist;
  uint32_t lane = 0;
  uint32_t ticket = 0;
  // Nobody waits for it: flushes that had to be sent before their drain.
  bool internal = false;
  std::vector<Range> ranges{};
  uint64_t begun_ns = 0;
  // How long the target may take, see LaneOperation.deadlineMs.
  uint64_t patience_ns = kNoDeadline;
  // Of a read: where the bytes go.
  uint8_t* into = nullptr;
  std::vector<uint8_t> bytes{};

  // How far it was sent.
  size_t range = 0;
  uint64_t range_done = 0;
  uint32_t unanswered = 0;
  // Its last writes were pushed home by a read.
  bool fenced = false;

  int32_t status = kDone;
  // Of whoever asked for it. Held while it is under way, because the environment may end before.
  std::shared_ptr<Mailbox> mailbox{};
  // JavaScript thread only: its end will be told, so it cannot be redeemed otherwise.
  bool told = false;
  // Looked after by the engine's thread although nobody waits for it yet.
  bool carried = false;

  // Nobody is told of its end, its mailbox is, or a thread that sleeps for it.
  enum Watch : uint8_t { kUnwatched, kWatched, kAwaited, kFinished };
  std::atomic<uint8_t> watch{kUnwatched};

  bool sent() const { return range == ranges.size(); }
  bool finished() const { return watch.load(std::memory_order_acquire) == kFinished; }

  Range rest() const {
    Range rest = ranges[range];
    rest.offset += range_done;
    rest.length -= range_done;
    return rest;
  }

  void Advance(uint64_t length) {
    range_done += length;
    if (range_done < ranges[range].length) return;
    range_done = 0;
    ++range;
  }

  void Settle(int32_t outcome) {
    if (status == kDone) status = outcome;
  }
};

}  // namespace rpmem
