#include "lane-engine.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>

#include "monotonic.h"

namespace rpmem {
namespace {

// How long a synchronous call, or the thread with work under way, polls before it sleeps in the kernel. The sockets provider
// has threads of its own, which spin for milliseconds: polling would keep them from their work, and yielding would give them
// the processor for a whole time slice. There nobody polls or yields, but sleeps at once.
constexpr uint64_t SpinOf(ProviderName provider) { return provider == ProviderName::kSockets ? 0 : 200'000; }
// How long the thread polls for more work before it goes to sleep: the time a JavaScript thread needs for its next call.
constexpr uint64_t kLingerNs = 50'000;
constexpr auto kIdleCheck = std::chrono::milliseconds(200);
// Not longer, because libfabric 1.17 can lose the signal that ends a sleep.
constexpr int kSleepSliceMs = 20;
constexpr auto kRouseAgain = std::chrono::milliseconds(1);
// How often the clock is read while there is work, and how often somebody asks whether the connection still stands.
constexpr uint32_t kLookUpRounds = 64;
constexpr uint64_t kEventsNs = 10 * kNsPerMs;
constexpr size_t kBatch = 16;

}  // namespace

// Holds the wheel for the JavaScript thread, which has precedence over the engine's thread.
class LaneEngine::Wheel {
 public:
  explicit Wheel(LaneEngine& engine) : engine_(engine) {
    engine_.wheel_seekers_.fetch_add(1);
    if (engine_.wheel_.try_lock()) return;
    do engine_.Rouse();
    while (!engine_.wheel_.try_lock_for(kRouseAgain));
  }
  ~Wheel() {
    engine_.wheel_.unlock();
    engine_.wheel_seekers_.fetch_sub(1);
    if (engine_.watched_.load() > 0) engine_.WakeThread();
  }
  Wheel(const Wheel&) = delete;
  Wheel& operator=(const Wheel&) = delete;

 private:
  LaneEngine& engine_;
};

LaneEngine::LaneEngine(ConnectTerms terms)
    : terms_(std::move(terms)), caller_vigil_(SpinOf(terms_.provider)), thread_vigil_(SpinOf(terms_.provider)) {}

LaneEngine::~LaneEngine() { Close(); }

void LaneEngine::Start(std::function<void()> on_done, std::function<void()> on_down) {
  on_done_ = std::move(on_done);
  on_down_ = std::move(on_down);
  thread_ = std::thread([this] { Run(); });
}

void LaneEngine::Close() {
  std::lock_guard once(close_mutex_);
  if (closed_) return;
  closed_ = true;
  closing_.store(true);
  Rouse();
  {
    std::lock_guard lock(thread_mutex_);
    thread_wakes_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  std::lock_guard lock(wheel_);
  FailClosed();
  // Lanes that were down already did not fail anew, and calls may have come in since.
  DrainInbox();
  on_done_ = nullptr;
  for (auto& lane : lanes_) fi_shutdown(lane->endpoint(), 0);
  lanes_.clear();
  region_.reset();
  {
    std::lock_guard rousing(rouse_mutex_);
    queue_.reset();
  }
  adapter_.reset();
  terms_.memory.reset();
}

FabricError LaneEngine::failure() {
  std::lock_guard lock(failure_mutex_);
  return failure_;
}

void LaneEngine::RunSync(Operation& operation) {
  Wheel wheel(*this);
  DrainInbox();
  Admit(operation);
  DriveUntil(operation);
}

void LaneEngine::Begin(Operation& operation, bool carry) {
  if (wheel_.try_lock()) {
    DrainInbox();
    bool internal = operation.internal;
    Admit(operation);
    Pump();
    // Nobody watches what flushes send, so whoever flushes takes the answers that make room for more.
    if (internal && Poll() > 0) Pump();
    if (carry && !operation.finished() && !operation.sent()) {
      operation.carried = true;
      watched_.fetch_add(1);
    }
    wheel_.unlock();
    if (carry && operation.carried && thread_asleep_.load()) WakeThread();
    return;
  }
  {
    std::lock_guard lock(inbox_mutex_);
    inbox_.push_back(&operation);
    inbox_filled_.store(true);
  }
  Rouse();
}

void LaneEngine::FinishSync(Operation& operation) {
  if (operation.finished()) return;
  Wheel wheel(*this);
  DrainInbox();
  DriveUntil(operation);
}

bool LaneEngine::Watch(Operation& operation) {
  watched_.fetch_add(1);
  uint8_t expected = Operation::kUnwatched;
  if (!operation.watch.compare_exchange_strong(expected, Operation::kWatched)) {
    watched_.fetch_sub(1);
    return false;
  }
  if (thread_asleep_.load()) WakeThread();
  return true;
}

void LaneEngine::TakeDone(std::vector<Operation*>& done) {
  std::lock_guard lock(done_mutex_);
  done.swap(done_);
}

void LaneEngine::Complete(Operation& operation) {
  if (operation.internal) {
    delete &operation;
    return;
  }
  if (operation.carried) watched_.fetch_sub(1);
  if (operation.watch.exchange(Operation::kFinished, std::memory_order_acq_rel) != Operation::kWatched) return;
  watched_.fetch_sub(1);
  bool first = false;
  {
    std::lock_guard lock(done_mutex_);
    first = done_.empty();
    done_.push_back(&operation);
  }
  if (first && on_done_) on_done_();
}

void LaneEngine::WakeThread() {
  std::lock_guard lock(thread_mutex_);
  thread_wakes_.notify_one();
}

void LaneEngine::Rouse() {
  if (!asleep_on_queue_.load()) return;
  std::lock_guard lock(rouse_mutex_);
  if (queue_) fi_cq_signal(queue_.get());
}

void LaneEngine::Run() {
  while (!closing_.load()) {
    if (watched_.load() > 0)
      RunActive();
    else
      RunIdle();
  }
}

void LaneEngine::RunIdle() {
  uint64_t start = NowNs();
  while (thread_vigil_.polls() && NowNs() - start < kLingerNs) {
    if (watched_.load() > 0 || closing_.load()) return;
    sched_yield();
  }
  {
    std::unique_lock lock(thread_mutex_);
    thread_asleep_.store(true);
    bool woken = thread_wakes_.wait_for(lock, kIdleCheck, [this] { return closing_.load() || watched_.load() > 0; });
    thread_asleep_.store(false);
    if (woken) return;
  }
  if (down() || !wheel_.try_lock()) return;
  DrainInbox();
  Pump();
  Poll();
  LookUp(NowNs());
  wheel_.unlock();
}

void LaneEngine::RunActive() {
  if (wheel_seekers_.load() > 0) {
    // The call may complete all that is watched, and then the next Watch has to wake this sleep as well.
    std::unique_lock lock(thread_mutex_);
    thread_asleep_.store(true);
    thread_wakes_.wait_for(lock, kIdleCheck, [this] { return closing_.load() || wheel_seekers_.load() == 0; });
    thread_asleep_.store(false);
    return;
  }
  if (!wheel_.try_lock()) {
    sched_yield();
    return;
  }
  thread_vigil_.Refresh(batching_);
  for (uint32_t round = 1; watched_.load() > 0 && wheel_seekers_.load() == 0 && !closing_.load(); ++round) {
    if (round % kLookUpRounds == 0) LookUp(NowNs());
    DrainInbox();
    Pump();
    if (Poll() > 0) {
      thread_vigil_.Refresh(batching_);
    } else if (thread_vigil_.Tires()) {
      Sleep(true);
      thread_vigil_.Refresh(batching_);
    }
  }
  wheel_.unlock();
}

void LaneEngine::DriveUntil(Operation& operation) {
  caller_vigil_.Refresh(false);
  for (uint32_t round = 1;; ++round) {
    if (round % kLookUpRounds == 0) LookUp(NowNs());
    if (closing_.load(std::memory_order_relaxed)) FailClosed();
    Pump();
    if (operation.finished()) return;
    if (Poll() > 0) {
      caller_vigil_.Refresh(false);
      continue;
    }
    if (operation.finished()) return;
    if (!caller_vigil_.Tires()) continue;
    Sleep(false);
    caller_vigil_.Refresh(false);
  }
}

void LaneEngine::Admit(Operation& operation) {
  if (down()) {
    operation.Settle(closing_.load() ? kClosed : kDown);
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
  if (closing_.load()) FailClosed();
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

void LaneEngine::Sleep(bool for_thread) {
  if (down()) return;
  uint64_t now = NowNs();
  int timeout = kSleepSliceMs;
  if (next_deadline_ns_ != kNoDeadline) {
    uint64_t left = next_deadline_ns_ > now ? (next_deadline_ns_ - now + kNsPerMs - 1) / kNsPerMs : 1;
    timeout = static_cast<int>(std::min<uint64_t>(left, kSleepSliceMs));
  }
  fi_cq_msg_entry entries[kBatch];
  ssize_t count = -FI_EAGAIN;
  asleep_on_queue_.store(true);
  bool wanted = inbox_filled_.load() || closing_.load() || (for_thread && wheel_seekers_.load() > 0);
  if (!wanted) count = fi_cq_sread(queue_.get(), entries, kBatch, nullptr, timeout);
  asleep_on_queue_.store(false);
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

// Nobody has to be told what was asked for.
void LaneEngine::FailClosed() {
  if (down()) return;
  on_down_ = nullptr;
  Fail({FabricFailure::kClosed, "", 0, "the lanes were closed"});
}

void LaneEngine::Fail(FabricError error) {
  if (down()) return;
  {
    std::lock_guard lock(failure_mutex_);
    failure_ = std::move(error);
  }
  down_.store(true, std::memory_order_release);
  int32_t status = closing_.load() ? kClosed : kDown;
  for (auto& lane : lanes_) lane->Abandon(status);
  DrainInbox();
  if (on_down_) on_down_();
}

}  // namespace rpmem
