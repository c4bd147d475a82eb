#include "service-thread.h"

#include <sched.h>

#include "monotonic.h"

namespace rpmem {
namespace {

constexpr size_t kBatch = 16;
// Not longer, because libfabric 1.17 can lose the signal that ends a sleep.
constexpr int kSleepSliceMs = 100;

}  // namespace

void ServiceThread::Stop() {
  closing_.store(true);
  if (!thread_.joinable()) return;
  fi_cq_signal(queue_.get());
  thread_.join();
}

void ServiceThread::Run() {
  fi_cq_msg_entry entries[kBatch];
  uint64_t idle_since = 0;
  for (uint32_t idle_rounds = 0; !closing_.load(std::memory_order_relaxed) && !failed_.load(std::memory_order_relaxed);) {
    if (Handle(entries, fi_cq_read(queue_.get(), entries, kBatch))) {
      idle_rounds = 0;
      continue;
    }
    if (spin_ns_ == 0) {
      Sleep();
      continue;
    }
    if (++idle_rounds % 2 == 0) sched_yield();
    if (idle_rounds % 16 != 0) continue;
    uint64_t now = NowNs();
    if (idle_rounds == 16) idle_since = now;
    if (now - idle_since < spin_ns_) continue;
    Sleep();
    idle_rounds = 0;
  }
}

void ServiceThread::Sleep() {
  fi_cq_msg_entry entries[kBatch];
  while (!closing_.load() && !failed_.load()) {
    if (Handle(entries, fi_cq_sread(queue_.get(), entries, kBatch, nullptr, kSleepSliceMs))) return;
  }
}

bool ServiceThread::Handle(const fi_cq_msg_entry* entries, ssize_t count) {
  if (count == -FI_EAVAIL) {
    fi_cq_err_entry failed{};
    if (fi_cq_readerr(queue_.get(), &failed, 0) <= 0 || failed.op_context == nullptr) return true;
    static_cast<const LaneServer::Completion*>(failed.op_context)->lane->OnError();
    return true;
  }
  // Ours or the system's signal, or nothing to do; anything else would come back at once and for ever.
  if (count < 0 && count != -FI_EAGAIN && count != -FI_EINTR && count != -FI_ECANCELED) failed_.store(true);
  for (ssize_t n = 0; n < count; ++n) {
    const auto* completion = static_cast<const LaneServer::Completion*>(entries[n].op_context);
    if (completion != nullptr) completion->lane->OnCompletion(*completion, entries[n].len);
  }
  return count > 0;
}

}  // namespace rpmem
