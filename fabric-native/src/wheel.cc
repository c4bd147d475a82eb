#include "wheel.h"

#include <algorithm>

namespace rpmem {

void Wheel::Release() {
  taken_.store(false);
  if (sleeping_.load() > 0) Call();
}

void Wheel::Sleep(Operation& operation, std::chrono::nanoseconds longest) {
  // Fails if the end is told in another way; then it is found at the end of the nap.
  uint8_t expected = Operation::kUnwatched;
  operation.watch.compare_exchange_strong(expected, Operation::kAwaited);
  Sleeper sleeper{&operation};
  std::unique_lock lock(mutex_);
  sleepers_.push_back(&sleeper);
  sleeping_.store(sleepers_.size());
  if (taken_.load() && !operation.finished()) sleeper.wakes.wait_for(lock, longest, [&] { return sleeper.called; });
  std::erase(sleepers_, &sleeper);
  sleeping_.store(sleepers_.size());
}

// One at a time: whoever was called and is on its way takes the wheel, or passes the call on.
void Wheel::Call() {
  std::lock_guard lock(mutex_);
  if (sleepers_.empty() || std::any_of(sleepers_.begin(), sleepers_.end(), [](const Sleeper* s) { return s->called; }))
    return;
  sleepers_.front()->called = true;
  sleepers_.front()->wakes.notify_one();
}

void Wheel::Wake(const Operation* operation) {
  std::lock_guard lock(mutex_);
  for (Sleeper* sleeper : sleepers_) {
    if (sleeper->operation != operation) continue;
    sleeper->called = true;
    sleeper->wakes.notify_one();
  }
}

}  // namespace rpmem
