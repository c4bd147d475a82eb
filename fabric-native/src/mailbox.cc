#include "mailbox.h"

#include <utility>

namespace rpmem {

void Mailbox::Put(Operation& operation) {
  bool first = false;
  {
    std::lock_guard lock(done_mutex_);
    first = done_.empty();
    done_.push_back(&operation);
  }
  if (!first) return;
  std::lock_guard lock(call_mutex_);
  if (on_done_) on_done_();
}

void Mailbox::TakeDone(std::vector<Operation*>& done) {
  std::lock_guard lock(done_mutex_);
  done.swap(done_);
}

void Mailbox::TellDown() {
  std::lock_guard lock(call_mutex_);
  if (auto on_down = std::exchange(on_down_, nullptr)) on_down();
}

// After it nobody is inside of a call any more.
void Mailbox::Close() {
  std::lock_guard lock(call_mutex_);
  on_done_ = nullptr;
  on_down_ = nullptr;
}

}  // namespace rpmem
