// A heap as the threads of a process share it, and as one JavaScript environment holds it.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "heap.h"
#include "mapping.h"

namespace rpmem {

// The heap together with the memory that it lies in and the file that its holes are punched into.
struct SharedHeap {
  SharedHeap(std::shared_ptr<heap::Heap> heap, std::shared_ptr<Mapping> mapping, int fd)
      : heap(std::move(heap)), mapping(std::move(mapping)), fd(fd) {}
  SharedHeap(const SharedHeap&) = delete;
  SharedHeap& operator=(const SharedHeap&) = delete;
  ~SharedHeap() {
    heap.reset();
    if (fd >= 0) close(fd);
  }

  // As for SharedMemory: findable under a secret of this process as long as somebody has it open.
  static void Publish(const std::string& token, const std::shared_ptr<SharedHeap>& heap);
  static std::shared_ptr<SharedHeap> Find(const std::string& token);

  std::shared_ptr<heap::Heap> heap;
  std::shared_ptr<Mapping> mapping;
  const int fd;
};

// Where the frequent calls of a thread take their arguments from and leave their results. JavaScript has this as an
// ArrayBuffer: to read arguments and to make results through Node-API would cost more than most calls.
struct HeapRegisters {
  double first;
  double second;
  double result;
  uint32_t seat;
  // For what fits into 31 bits, which JavaScript reckons without conversions. A refusal always does.
  uint32_t short_first;
  int32_t short_result;
};

// Sends the reader to `result`.
inline constexpr int32_t kLongResult = INT32_MIN;

class HeapDesk {
 public:
  // This thread's; the initial-exec model reads it with one instruction.
  static HeapDesk* Here() { return here_; }
  static HeapDesk& Open();

  // A heap as this thread has it; nulls where nobody sits, or nobody any more.
  struct Seat {
    heap::Heap* heap;
    heap::HeapThread* thread;
  };

  uint32_t Take(Seat seat);
  // The seat stays taken, for whoever still names it, until Vacate.
  void Empty(uint32_t at) { seats_[at] = {}; }
  void Vacate(uint32_t at);
  Seat At(uint32_t at) const { return at < seats_.size() ? seats_[at] : Seat{}; }

  HeapRegisters registers{};

 private:
  static constinit thread_local HeapDesk* here_ __attribute__((tls_model("initial-exec")));

  std::vector<Seat> seats_;
  std::vector<uint32_t> vacant_;
};

// Used on its environment's thread only.
class HeapHandle {
 public:
  HeapHandle(std::shared_ptr<SharedHeap> shared, bool owner)
      : shared_(std::move(shared)),
        heap_(shared_->heap.get()),
        thread_(heap_->Join()),
        owner_(owner),
        seat_(HeapDesk::Open().Take({heap_, thread_})) {}
  HeapHandle(const HeapHandle&) = delete;
  HeapHandle& operator=(const HeapHandle&) = delete;
  ~HeapHandle() {
    Close();
    HeapDesk::Open().Vacate(seat_);
  }

  // Null after Close.
  heap::Heap* heap() const { return heap_; }
  heap::HeapThread& thread() const { return *thread_; }
  const std::shared_ptr<SharedHeap>& shared() const { return shared_; }
  // Its place at the desk of its thread; nobody else's as long as it lives.
  uint32_t seat() const { return seat_; }

  // For all threads if this is the owner. Idempotent.
  void Close() {
    if (heap_ == nullptr) return;
    if (owner_) heap_->Close();
    heap_->Leave(thread_);
    HeapDesk::Open().Empty(seat_);
    heap_ = nullptr;
    shared_.reset();
  }

 private:
  std::shared_ptr<SharedHeap> shared_;
  heap::Heap* heap_;
  heap::HeapThread* thread_;
  bool owner_;
  uint32_t seat_;
};

}  // namespace rpmem
