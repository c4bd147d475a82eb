// The heap for oneself alone: its lock, and every gate closed, for as long as this lives.
#pragma once

#include "heap.h"

namespace rpmem::heap {

class Heap::Exclusive {
 public:
  explicit Exclusive(Heap& heap) : lock_(heap.mutex_), heap_(heap) { Shut(heap); }
  ~Exclusive() {
    if (!heap_.closed_) Open(heap_);
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

  // For whoever holds the lock already.
  static void Shut(Heap& heap) {
    for (auto& thread : heap.threads_) thread->gate.Shut();
    Gate::Barrier();
    for (auto& thread : heap.threads_) thread->gate.Await();
  }
  static void Open(Heap& heap) {
    for (auto& thread : heap.threads_) thread->gate.Open();
  }

 private:
  std::lock_guard<std::mutex> lock_;
  Heap& heap_;
};

}  // namespace rpmem::heap
