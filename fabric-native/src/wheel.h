// Who drives the lanes: one thread at a time holds the wheel, and carries out the operations of all the others meanwhile.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "operation.h"

namespace rpmem {

class Wheel {
 public:
  bool TryTake() { return !taken_.exchange(true); }
  // Calls the thread that has slept longest for it.
  void Release();

  // Until the operation has ended, or the wheel is free, or `longest` is over.
  void Sleep(Operation& operation, std::chrono::nanoseconds longest);
  // For a thread that needs the wheel no more: whoever was called instead of another passes the call on.
  void PassOn() {
    if (sleeping_.load() > 0 && !taken_.load()) Call();
  }
  // The operation that a thread sleeps for has ended. It is not looked at: it may be another by now.
  void Wake(const Operation* operation);

 private:
  struct Sleeper {
    const Operation* operation;
    std::condition_variable wakes{};
    bool called = false;
  };
  void Call();

  // Both are written before the other is read, so that either the sleeper sees a free wheel or it is called.
  std::atomic<bool> taken_{false};
  std::atomic<size_t> sleeping_{0};

  std::mutex mutex_;
  std::vector<Sleeper*> sleepers_;
};

// Holds a wheel that was taken.
class Grip {
 public:
  explicit Grip(Wheel& wheel) : wheel_(wheel) {}
  ~Grip() { wheel_.Release(); }
  Grip(const Grip&) = delete;
  Grip& operator=(const Grip&) = delete;

 private:
  Wheel& wheel_;
};

}  // namespace rpmem
