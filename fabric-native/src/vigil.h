// Whoever waits for the fabric chooses between polling, which answers within microseconds, and sleeping, which leaves the
// processor to others. Polling gives way to other threads now and then; it pays as long as somebody at the other end waits
// for nothing else. Of a batch nobody does, and the threads that prepare and digest it need the processor.
#pragma once

#include <sched.h>

#include "monotonic.h"

namespace rpmem {

class Vigil {
 public:
  explicit Vigil(uint64_t spin_ns) : spin_ns_(spin_ns) {}

  bool polls() const { return spin_ns_ > 0 && !patient_; }

  // Something has arrived or was sent; `patient` if it is part of a batch.
  void Refresh(bool patient) {
    patient_ = patient;
    rounds_ = 0;
  }

  // After a look that brought nothing. True when it is time to sleep.
  bool Tires() {
    if (!polls()) return true;
    ++rounds_;
    if (rounds_ % kLooksPerYield == 0) sched_yield();
    if (rounds_ % kLooksPerClock != 0) return false;
    uint64_t now = NowNs();
    if (rounds_ == kLooksPerClock) since_ns_ = now;
    return now - since_ns_ >= spin_ns_;
  }

 private:
  static constexpr uint32_t kLooksPerYield = 2;
  static constexpr uint32_t kLooksPerClock = 16;

  const uint64_t spin_ns_;
  uint32_t rounds_ = 0;
  uint64_t since_ns_ = 0;
  bool patient_ = false;
};

}  // namespace rpmem
