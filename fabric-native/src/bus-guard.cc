#include "bus-guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

namespace rpmem {

// One watched range. `version` is odd while the fields change: the handler must not take a lock, so it reads them between
// two looks at the same even version.
struct BusGuard::Slot {
  std::atomic<uint32_t> version{0};
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<size_t> unit{0};
  std::atomic<std::atomic<int>*> failure{nullptr};
  std::atomic<uint32_t> faults{0};

  void Set(uintptr_t new_begin, uintptr_t new_end, size_t new_unit, std::atomic<int>* new_failure) {
    version.fetch_add(1);
    begin.store(new_begin);
    end.store(new_end);
    unit.store(new_unit);
    failure.store(new_failure);
    faults.store(0);
    version.fetch_add(1);
  }
};

namespace {

// All slots, in blocks that are added and never freed, so that the handler can walk them at any moment.
struct Block {
  std::array<BusGuard::Slot, 64> slots;
  std::atomic<Block*> next{nullptr};
};

struct Watched {
  uintptr_t begin;
  uintptr_t end;
  size_t unit;
  std::atomic<int>* failure;
  std::atomic<uint32_t>* faults;
};

Block first;
std::mutex registry_mutex;
struct sigaction previous {};
bool installed = false;

BusGuard::Slot* FreeSlot() {
  for (Block* block = &first;; block = block->next) {
    for (BusGuard::Slot& slot : block->slots) {
      if (slot.failure == nullptr) return &slot;
    }
    if (block->next == nullptr) block->next = new Block();
  }
}

// Async-signal-safe.
bool Find(uintptr_t address, Watched& found) {
  for (Block* block = &first; block != nullptr; block = block->next) {
    for (BusGuard::Slot& slot : block->slots) {
      uint32_t version = slot.version;
      found = {slot.begin, slot.end, slot.unit, slot.failure, &slot.faults};
      bool stable = version % 2 == 0 && version == slot.version;
      if (stable && found.failure != nullptr && address >= found.begin && address < found.end) return true;
    }
  }
  return false;
}

// The raw system call: a sanitizer's wrapper around mmap is not safe in a handler.
bool PutEmptyMemory(uintptr_t begin, uintptr_t end) {
  long rc = syscall(SYS_mmap, begin, end - begin, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return rc != -1;
}

// Async-signal-safe. Replaces the unit that failed, and ever more of what follows it as faults repeat: a program that walks
// through a file that is gone must neither take forever nor exhaust the mappings that the kernel allows a process.
bool Rescue(uintptr_t address) {
  Watched watched;
  if (!Find(address, watched)) return false;
  int healthy = 0;
  watched.failure->compare_exchange_strong(healthy, EFAULT);
  uint32_t doublings = std::min(watched.faults->fetch_add(1) / 64, 30u);
  uintptr_t begin = watched.begin + (address - watched.begin) / watched.unit * watched.unit;
  uintptr_t length = static_cast<uintptr_t>(watched.unit) << doublings;
  return PutEmptyMemory(begin, begin + std::min(length, watched.end - begin));
}

void Chain(int signal, siginfo_t* info, void* context) {
  if ((previous.sa_flags & SA_SIGINFO) != 0) return previous.sa_sigaction(signal, info, context);
  bool sent = info->si_code <= 0;
  if (previous.sa_handler == SIG_IGN && sent) return;
  if (previous.sa_handler != SIG_IGN && previous.sa_handler != SIG_DFL) return previous.sa_handler(signal);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
  // A fault repeats itself on return; a signal that was sent must be sent again.
  if (sent) raise(signal);
}

void OnBusError(int signal, siginfo_t* info, void* context) {
  int saved_errno = errno;
  bool fault = info->si_code > 0;
  if (!fault || !Rescue(reinterpret_cast<uintptr_t>(info->si_addr))) Chain(signal, info, context);
  errno = saved_errno;
}

void Install() {
  if (installed) return;
  struct sigaction action {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  installed = sigaction(SIGBUS, &action, &previous) == 0;
}
}  // namespace

BusGuard::BusGuard(uintptr_t begin, uintptr_t end, size_t unit, std::atomic<int>* failure) {
  std::lock_guard lock(registry_mutex);
  Install();
  slot_ = FreeSlot();
  slot_->Set(begin, end, unit, failure);
}

BusGuard::~BusGuard() {
  if (slot_ == nullptr) return;
  std::lock_guard lock(registry_mutex);
  slot_->Set(0, 0, 0, nullptr);
}

}  // namespace rpmem
