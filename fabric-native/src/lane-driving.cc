// Lanes in motion: what the engine's own thread does, and what whoever holds the wheel does.
#include <sched.h>

#include <algorithm>
#include <cerrno>

#include "lane-engine.h"
#include "monotonic.h"

namespace rpmem {
namespace {

// How long the thread polls for more work before it goes to sleep: the time a JavaScript thread needs for its next call.
constexpr uint64_t kLingerNs = 50'000;
constexpr auto kIdleCheck = std::chrono::milliseconds(200);
// Not longer, because libfabric 1.17 can lose the signal that ends a sleep.
constexpr int kSleepSliceMs = 20;
// How often the clock is read while there is work, and how often somebody asks whether the connection still stands.
constexpr uint32_t kLookUpRounds = 64;
constexpr uint64_t kEventsNs = 10 * kNsPerMs;
constexpr size_t kBatch = 16;

}  // namespace

void LaneEngine::Run() {
  while (!closing_.load()) {
    if (must_end())
      RunOut();
    else if (watched_.load() > 0)
      RunActive();
    else
      RunIdle();
  }
}

void LaneEngine::RunOut() {
  if (!wheel_.TryTake()) return static_cast<void>(sched_yield());
  Grip grip(wheel_);
  Obey();
}

void LaneEngine::RunIdle() {
  uint64_t start = NowNs();
  while (thread_vigil_.polls() && NowNs() - start < kLingerNs) {
    if (called()) return;
    sched_yield();
  }
  {
    std::unique_lock lock(thread_mutex_);
    thread_asleep_.store(true);
    bool woken = thread_wakes_.wait_for(lock, kIdleCheck, [this] { return called(); });
    thread_asleep_.store(false);
    if (woken) return;
  }
  if (down() || !wheel_.TryTake()) return;
  Grip grip(wheel_);
  DrainInbox();
  Pump();
  Poll();
  LookUp(NowNs());
}

void LaneEngine::RunActive() {
  if (callers_.load() > 0) {
    // The call may complete all that is watched, and then the next Watch has to wake this sleep as well.
    std::unique_lock lock(thread_mutex_);
    thread_asleep_.store(true);
    thread_wakes_.wait_for(lock, kIdleCheck, [this] { return closing_.load() || callers_.load() == 0; });
    thread_asleep_.store(false);
    return;
  }
  if (!wheel_.TryTake()) {
    sched_yield();
    return;
  }
  Grip grip(wheel_);
  thread_vigil_.Refresh(batching_);
  for (uint32_t round = 1; watched_.load() > 0 && callers_.load() == 0 && !ending_.load(); ++round) {
    if (round % kLookUpRounds == 0) LookUp(NowNs());
    DrainInbox();
    Pump();
    if (Poll() > 0) {
      thread_vigil_.Refresh(batching_);
    } else if (thread_vigil_.Tires()) {
      Sleep(Asleep::kThread);
      thread_vigil_.Refresh(batching_);
    }
  }
}

void LaneEngine::DriveUntil(Operation& operation) {
  caller_vigil_.Refresh(false);
  for (uint32_t round = 1;; ++round) {
    if (round % kLookUpRounds == 0) LookUp(NowNs());
    Obey();
    DrainInbox();
    Pump();
    if (operation.finished()) return;
    if (Poll() > 0) {
      caller_vigil_.Refresh(false);
      continue;
    }
    if (operation.finished()) return;
    if (!caller_vigil_.Tires()) continue;
    Sleep(Asleep::kCaller);
    caller_vigil_.Refresh(false);
  }
}

void LaneEngine::Admit(Operation& operation) {
  if (down()) {
    operation.Settle(state());
    Complete(operation);
    return;
  }
  if (operation.patience_ns != kNoDeadline)
    next_deadline_ns_ = std::min(next_deadline_ns_, operation.begun_ns + operation.patience_ns);
  lanes_[operation.lane]->Enqueue(operation);
}

void LaneEngine::DrainInbox() {
  if (!inbox_filled_.load(std::memory_order_relaxed)) return;
  {
    std::lock_guard lock(inbox_mutex_);
    admitted_.swap(inbox_);
    inbox_filled_.store(false);
  }
  for (Operation* operation : admitted_) Admit(*operation);
  admitted_.clear();
}

void LaneEngine::Pump() {
  if (down()) return;
  for (auto& lane : lanes_) {
    if (!lane->waiting()) continue;
    if (int rc = lane->Pump(); rc < 0) return FailCall("fi_sendmsg", -rc);
  }
}

int LaneEngine::MakeRoom() {
  Obey();
  if (Poll() == 0) {
    sched_yield();
    CheckDeadlines(NowNs());
  }
  return down() ? -FI_ECANCELED : 0;
}

int LaneEngine::Poll() {
  if (down()) return 0;
  fi_cq_msg_entry entries[kBatch];
  return Handle(entries, fi_cq_read(queue_.get(), entries, kBatch));
}

int LaneEngine::Handle(const fi_cq_msg_entry* entries, ssize_t count) {
  if (count == -FI_EAGAIN) return 0;
  if (count == -FI_EAVAIL) {
    fi_cq_err_entry failed{};
    fi_cq_readerr(queue_.get(), &failed, 0);
    FailCall("fi_cq_read", failed.err);
    return 0;
  }
  if (count < 0) {
    // Of a sleep: a signal of the system, or ours (the sockets provider says it this way).
    if (count != -FI_EINTR && count != -FI_ECANCELED) FailCall("fi_cq_read", static_cast<int>(-count));
    return 0;
  }
  for (ssize_t n = 0; n < count && !down(); ++n) {
    const auto* completion = static_cast<const Lane::Completion*>(entries[n].op_context);
    if (completion == nullptr) continue;
    if (int rc = completion->lane->OnCompletion(*completion, entries[n].len); rc < 0) FailCall("fi_recvmsg", -rc);
  }
  return static_cast<int>(count);
}

void LaneEngine::Sleep(Asleep who) {
  if (down()) return;
  uint64_t now = NowNs();
  int timeout = kSleepSliceMs;
  if (next_deadline_ns_ != kNoDeadline) {
    uint64_t left = next_deadline_ns_ > now ? (next_deadline_ns_ - now + kNsPerMs - 1) / kNsPerMs : 1;
    timeout = static_cast<int>(std::min<uint64_t>(left, kSleepSliceMs));
  }
  fi_cq_msg_entry entries[kBatch];
  ssize_t count = -FI_EAGAIN;
  asleep_.store(who);
  bool wanted = inbox_filled_.load() || ending_.load() || (who == Asleep::kThread && callers_.load() > 0);
  if (!wanted) count = fi_cq_sread(queue_.get(), entries, kBatch, nullptr, timeout);
  asleep_.store(Asleep::kNobody);
  Handle(entries, count);
  CheckEvents();
  LookUp(NowNs());
}

void LaneEngine::LookUp(uint64_t now) {
  if (now - looked_ns_ >= kEventsNs) {
    looked_ns_ = now;
    CheckEvents();
  }
  if (now < next_deadline_ns_) return;
  // After a pause of this process the answers are here already: silence is what they do not break.
  while (Poll() > 0) Pump();
  CheckDeadlines(NowNs());
}

void LaneEngine::CheckEvents() {
  if (down()) return;
  alignas(fi_eq_cm_entry) uint8_t buffer[sizeof(fi_eq_cm_entry) + 256];
  uint32_t event = 0;
  ssize_t rc = fi_eq_read(adapter_->events(), &event, buffer, sizeof(buffer), 0);
  if (rc == -FI_EAVAIL) {
    fi_eq_err_entry failed{};
    fi_eq_readerr(adapter_->events(), &failed, 0);
    FailCall("fi_eq_read", failed.err);
  } else if (rc >= 0 && event == FI_SHUTDOWN) {
    Fail({FabricFailure::kLost, "FI_SHUTDOWN", FI_ECONNRESET, "the target closed the connection"});
  }
}

void LaneEngine::CheckDeadlines(uint64_t now) {
  if (now < next_deadline_ns_ || down()) return;
  uint64_t next = kNoDeadline;
  for (const auto& lane : lanes_) next = std::min(next, lane->DeadlineNs());
  next_deadline_ns_ = next;
  if (now >= next) Fail({FabricFailure::kDeadline, "", FI_ETIMEDOUT, "the target did not answer in time"});
}

void LaneEngine::FailCall(const char* call, int code) {
  if (code == EFAULT) return Fail({FabricFailure::kMemory, call, code, "the local memory cannot be read"});
  // What a broken connection leaves in the queue.
  if (code == FI_ECANCELED) return Fail({FabricFailure::kLost, call, FI_ECONNRESET, "the connection was closed"});
  Fail(CallError(adapter_->library(), call, code, FabricFailure::kLost));
}

}  // namespace rpmem
