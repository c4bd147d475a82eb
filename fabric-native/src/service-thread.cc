#include "service-thread.h"

#include "vigil.h"

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
  Vigil vigil(spin_ns_);
  while (!closing_.load(std::memory_order_relaxed) && !failed_.load(std::memory_order_relaxed)) {
    if (Handle(entries, fi_cq_read(queue_.get(), entries, kBatch))) {
      vigil.Refresh(patient_);
    } else if (vigil.Tires()) {
      Sleep();
      vigil.Refresh(patient_);
    }
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
    if (completion == nullptr) continue;
    completion->lane->OnCompletion(*completion, entries[n].len);
    patient_ = completion->lane->patient();
  }
  return count > 0;
}

}  // namespace rpmem
