// A lock that its own thread passes without waiting, at the price of two plain stores, and that others close for a while.
// They have to be rare: closing makes the kernel put a barrier into every running thread of the process (membarrier(2)).
#pragma once

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace rpmem::heap {

class Gate {
 public:
  // By the owner. False while somebody has closed it: then wait for the lock that every closer holds, and try again.
  bool Enter() {
    if (Symmetric()) {
      inside_.exchange(true, std::memory_order_seq_cst);
    } else {
      inside_.store(true, std::memory_order_relaxed);
      // The compiler must keep the order; the processor is made to by the closer's barrier.
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    if (!closed_.load(std::memory_order_acquire)) [[likely]] return true;
    Leave();
    return false;
  }
  void Leave() { inside_.store(false, std::memory_order_release); }

  // By others, one at a time: first Shut all, then one Barrier, then Await all.
  void Shut() { closed_.store(true, std::memory_order_seq_cst); }
  static void Barrier() {
    if (!Symmetric()) syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
  }
  void Await() const {
    while (inside_.load(std::memory_order_acquire)) sched_yield();
  }
  void Open() { closed_.store(false, std::memory_order_release); }

 private:
  // ThreadSanitizer does not know membarrier, and a container may forbid it: then each entry pays for a barrier.
  static bool Symmetric() {
#ifdef __SANITIZE_THREAD__
    return true;
#else
    return symmetric_;
#endif
  }

  inline static const bool symmetric_ = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) != 0;

  std::atomic<bool> inside_{false};
  std::atomic<bool> closed_{false};
};

}  // namespace rpmem::heap
