#include "mailbox.h"

#include <utility>

namespace rpmem {

// Calls back under the mutex, so that after Close nobody is in there any more.
void Mailbox::Put(Operation& operation) {
  std::lock_guard lock(mutex_);
  if (!on_done_) return;
  done_.push_back(&operation);
  if (done_.size() == 1) on_done_();
}

void Mailbox::TakeDone(std::vector<Operation*>& done) {
  std::lock_guard lock(mutex_);
  done.swap(done_);
}

void Mailbox::TellDown() {
  std::lock_guard lock(mutex_);
  if (auto on_down = std::exchange(on_down_, nullptr)) on_down();
}

void Mailbox::Close() {
  std::lock_guard lock(mutex_);
  on_done_ = nullptr;
  on_down_ = nullptr;
}

}  // namespace rpmem
