#include "lane-engine.h"

#include <algorithm>

#include "monotonic.h"

namespace rpmem {
namespace {

// How long a synchronous call, or the thread with work under way, polls before it sleeps in the kernel. The sockets provider
// has threads of its own, which spin for milliseconds: polling would keep them from their work, and yielding would give them
// the processor for a whole time slice. There nobody polls or yields, but sleeps at once.
constexpr uint64_t SpinOf(ProviderName provider) { return provider == ProviderName::kSockets ? 0 : 200'000; }
// How long a caller polls for the wheel: a few times as long as another needs for a short persist.
constexpr uint64_t kSeekNs = 50'000;
// A signal to whoever sleeps on the queue can be lost; the wheel loses none.
constexpr auto kRouseAgain = std::chrono::milliseconds(1);
constexpr auto kNap = std::chrono::milliseconds(20);

}  // namespace

// A JavaScript thread in a blocking call. It has precedence over the engine's thread, which goes on when the last is gone.
class LaneEngine::Caller {
 public:
  explicit Caller(LaneEngine& engine) : engine_(engine) { engine_.callers_.fetch_add(1); }
  ~Caller() {
    engine_.callers_.fetch_sub(1);
    if (engine_.watched_.load() > 0) engine_.WakeThread();
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

 private:
  LaneEngine& engine_;
};

// Whoever may take the wheel of closed lanes, or wants it in vain, leaves nothing behind in the inbox: no thread looks after it.
class LaneEngine::Sweeper {
 public:
  explicit Sweeper(LaneEngine& engine) : engine_(engine) {}
  ~Sweeper() {
    if (engine_.closing_.load()) engine_.Sweep();
  }
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

 private:
  LaneEngine& engine_;
};

LaneEngine::LaneEngine(ConnectTerms terms)
    : terms_(std::move(terms)), caller_vigil_(SpinOf(terms_.provider)), thread_vigil_(SpinOf(terms_.provider)) {}

LaneEngine::~LaneEngine() { Close(); }

void LaneEngine::Close() {
  std::lock_guard once(close_mutex_);
  if (closed_) return;
  closed_ = true;
  closing_.store(true);
  End({FabricFailure::kClosed, "", 0, "the lanes were closed"});
  if (thread_.joinable()) thread_.join();
  Sweeper sweeper(*this);
  Caller caller(*this);
  // Never ends, so that there is no way out of the search but with the wheel.
  Operation none;
  Seek(none);
  Grip grip(wheel_);
  Obey();
  // Lanes that were down already did not fail anew, and calls may have come in since.
  DrainInbox();
  // The sockets provider takes descriptor 0 for the connection of an endpoint that has none, and closes it.
  for (auto& lane : lanes_)
    if (lane->connected()) fi_shutdown(lane->endpoint(), 0);
  lanes_.clear();
  region_.reset();
  {
    std::lock_guard rousing(rouse_mutex_);
    queue_.reset();
  }
  adapter_.reset();
  terms_.memory.reset();
}

void LaneEngine::End(FabricError reason) {
  {
    std::lock_guard lock(failure_mutex_);
    if (!end_) end_ = std::move(reason);
    ending_.store(true);
  }
  Rouse();
  std::lock_guard lock(thread_mutex_);
  thread_wakes_.notify_all();
}

FabricError LaneEngine::failure() {
  std::lock_guard lock(failure_mutex_);
  return failure_;
}

uint32_t LaneEngine::Join(const std::shared_ptr<Mailbox>& mailbox) {
  std::vector<uint32_t> uses(lane_count(), 0);
  uint32_t lane = 0;
  {
    std::lock_guard lock(tenants_mutex_);
    for (const Tenant& tenant : tenants_) ++uses[tenant.lane];
    lane = static_cast<uint32_t>(std::min_element(uses.begin(), uses.end()) - uses.begin());
    tenants_.push_back({mailbox, lane});
  }
  // Whoever comes late is told as well.
  if (state() == kDown) mailbox->TellDown();
  return lane;
}

void LaneEngine::Leave(const std::shared_ptr<Mailbox>& mailbox) {
  {
    std::lock_guard lock(tenants_mutex_);
    std::erase_if(tenants_, [&](const Tenant& tenant) { return tenant.mailbox == mailbox; });
  }
  mailbox->Close();
  // Nobody will redeem what was started, and a range that is sent by halves must not lose the target for the others.
  mailbox->operations.EachInUse([&](Operation& operation) { Watch(operation); });
}

void LaneEngine::RunSync(Operation& operation) {
  Sweeper sweeper(*this);
  Caller caller(*this);
  if (wheel_.TryTake()) {
    DrainInbox();
    Admit(operation);
  } else {
    Submit(operation);
    if (!Seek(operation)) return;
    DrainInbox();
  }
  Grip grip(wheel_);
  DriveUntil(operation);
}

void LaneEngine::FinishSync(Operation& operation) {
  if (operation.finished()) return;
  Sweeper sweeper(*this);
  Caller caller(*this);
  if (!Seek(operation)) return;
  Grip grip(wheel_);
  DrainInbox();
  DriveUntil(operation);
}

void LaneEngine::Begin(Operation& operation, bool carry) {
  Sweeper sweeper(*this);
  if (!wheel_.TryTake()) {
    if (carry) Carry(operation);
    Submit(operation);
  } else {
    Grip grip(wheel_);
    DrainInbox();
    bool internal = operation.internal;
    Admit(operation);
    Pump();
    // Nobody watches what flushes send, so whoever flushes takes the answers that make room for more.
    if (internal && Poll() > 0) Pump();
    if (!carry || operation.finished() || operation.sent()) return;
    Carry(operation);
  }
  if (carry && thread_asleep_.load()) WakeThread();
}

void LaneEngine::Carry(Operation& operation) {
  operation.carried = true;
  watched_.fetch_add(1);
}

void LaneEngine::Submit(Operation& operation) {
  {
    std::lock_guard lock(inbox_mutex_);
    inbox_.push_back(&operation);
    inbox_filled_.store(true);
  }
  Rouse();
}

void LaneEngine::Sweep() {
  while (inbox_filled_.load() && wheel_.TryTake()) {
    Grip grip(wheel_);
    if (!down()) return;
    DrainInbox();
  }
}

bool LaneEngine::Seek(Operation& operation) {
  Vigil vigil(std::min(kSeekNs, SpinOf(terms_.provider)));
  for (;;) {
    // The engine's thread lets go of the wheel when it is awake.
    bool unheard = inbox_filled_.load() || asleep_.load() == Asleep::kThread;
    if (unheard) Rouse();
    do {
      if (operation.finished()) return wheel_.PassOn(), false;
      if (wheel_.TryTake()) return true;
    } while (!vigil.Tires());
    wheel_.Sleep(operation, unheard ? kRouseAgain : kNap);
  }
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

void LaneEngine::Complete(Operation& operation) {
  if (operation.internal) {
    delete &operation;
    return;
  }
  if (operation.carried) watched_.fetch_sub(1);
  auto mailbox = std::move(operation.mailbox);
  // From here on it may be gone, unless it is to be told.
  switch (operation.watch.exchange(Operation::kFinished, std::memory_order_acq_rel)) {
    case Operation::kWatched:
      watched_.fetch_sub(1);
      mailbox->Put(operation);
      break;
    case Operation::kAwaited:
      wheel_.Wake(&operation);
      break;
    default:
      break;
  }
}

void LaneEngine::WakeThread() {
  std::lock_guard lock(thread_mutex_);
  thread_wakes_.notify_one();
}

void LaneEngine::Rouse() {
  if (asleep_.load() == Asleep::kNobody) return;
  std::lock_guard lock(rouse_mutex_);
  if (queue_) fi_cq_signal(queue_.get());
}

void LaneEngine::Obey() {
  if (!must_end()) return;
  FabricError reason;
  {
    std::lock_guard lock(failure_mutex_);
    reason = end_;
  }
  Fail(std::move(reason));
}

void LaneEngine::Fail(FabricError error) {
  if (down()) return;
  bool closed = false;
  {
    std::lock_guard lock(failure_mutex_);
    failure_ = end_ ? end_ : std::move(error);
    closed = failure_.failure == FabricFailure::kClosed;
  }
  state_.store(closed ? kClosed : kDown, std::memory_order_release);
  for (auto& lane : lanes_) lane->Abandon(state());
  DrainInbox();
  // Nobody has to be told what was asked for.
  if (!closed) TellDown();
}

void LaneEngine::TellDown() {
  std::vector<Tenant> tenants;
  {
    std::lock_guard lock(tenants_mutex_);
    tenants = tenants_;
  }
  for (const Tenant& tenant : tenants) tenant.mailbox->TellDown();
}

}  // namespace rpmem
