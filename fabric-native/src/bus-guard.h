// Turns SIGBUS in a mapped range (a file that shrank, a hole that cannot be filled, a broken memory module) into a failure
// of that mapping: the handler puts empty memory where the access failed and lets the program go on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace rpmem {

// Watches [begin, end) as long as it lives. The first watch of a process installs the handler for good, in front of the one
// that was there, which keeps receiving every other SIGBUS.
class BusGuard {
 public:
  // `unit`: what the kernel lets us replace. `failure` becomes EFAULT, if it is 0, when an access fails.
  BusGuard(uintptr_t begin, uintptr_t end, size_t unit, std::atomic<int>* failure);
  ~BusGuard();
  BusGuard(BusGuard&& other) noexcept : slot_(other.slot_) { other.slot_ = nullptr; }
  BusGuard(const BusGuard&) = delete;
  BusGuard& operator=(const BusGuard&) = delete;

  struct Slot;

 private:
  Slot* slot_;
};

}  // namespace rpmem
