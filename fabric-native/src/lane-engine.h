// The initiator's lanes of one connection and the thread that looks after them. Several JavaScript threads may use them, each
// with a mailbox of its own. Whoever holds the wheel drives all lanes: a JavaScript thread during a synchronous call, else the
// engine's own thread while somebody waits for a promise. While nothing is under way the thread sleeps and looks up a few times
// a second whether the target is still there.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lane.h"
#include "mailbox.h"
#include "vigil.h"
#include "wheel.h"

namespace rpmem {

struct ConnectTerms {
  ProviderName provider;
  std::string address;
  std::string port;
  std::shared_ptr<Mapping> memory;
  uint64_t size;
  uint32_t lanes;
  Dialect dialect;
  PersistMethod method;
  uint64_t rkey;
  uint64_t raddr;
  size_t inline_size;
  // One per lane in the rpmem dialect, of 32 bytes each.
  std::vector<std::string> tokens;
  uint32_t connect_timeout_ms;
  size_t work_queue_size;
};

class LaneEngine {
 public:
  // Blocks until every lane is connected; not for the JavaScript thread.
  static std::shared_ptr<LaneEngine> Connect(ConnectTerms terms, FabricError& error);
  ~LaneEngine();

  // Throws std::system_error if there can be no thread.
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  // Idempotent; blocks until the thread has ended. What is under way ends as closed, for all who use the lanes.
  void Close();
  // The connection counts as lost, for this reason, unless it has ended already.
  void Lose(FabricError error) { End(std::move(error)); }

  // One more that uses the lanes. Gives the lane for operations that name none: that which the fewest use so.
  uint32_t Join(const std::shared_ptr<Mailbox>& mailbox);
  // Idempotent. What is under way goes on, and nobody is told of its end.
  void Leave(const std::shared_ptr<Mailbox>& mailbox);

  uint64_t size() const { return terms_.size; }
  uint32_t lane_count() const { return terms_.lanes; }
  const std::string& address() const { return terms_.address; }
  const std::string& port() const { return terms_.port; }
  // From so many flushed bytes on they are sent before their drain.
  uint64_t flush_limit() const { return MessageCapacity(terms_.dialect, terms_.inline_size) * 4; }
  // kDone while they are up, then kDown or kClosed for ever.
  int32_t state() const { return state_.load(std::memory_order_acquire); }
  bool down() const { return state() != kDone; }
  // In order; lanes that were lost stay so.
  bool closed() const { return closing_.load() && state() != kDown; }
  FabricError failure();

  // JavaScript threads only. An operation is owned by the engine from its submission until it is finished.
  void RunSync(Operation& operation);
  // Begins at once if the wheel is free. Nobody looks after it until Watch or FinishSync, unless `carry` asks the engine's
  // thread to send what could not be sent at once.
  void Begin(Operation& operation, bool carry = false);
  void FinishSync(Operation& operation);
  // From now on its end is told through its mailbox. False if it has ended already.
  bool Watch(Operation& operation);

  // For lanes, under the wheel.
  void Complete(Operation& operation);
  int MakeRoom();
  // Whether the last message was part of a batch.
  void NoteMessage(bool patient) { batching_ = patient; }

 private:
  explicit LaneEngine(ConnectTerms terms);
  class Caller;
  class Sweeper;
  struct Tenant {
    std::shared_ptr<Mailbox> mailbox;
    uint32_t lane;
  };
  enum class Asleep : uint8_t { kNobody, kCaller, kThread };

  bool Open(FabricError& error);
  bool ConnectLanes(FabricError& error);
  bool RequestLane(uint32_t lane, FabricError& error);
  void NoteConnected(const fid* endpoint);
  bool AwaitLanes(uint64_t deadline_ns, uint32_t wanted, FabricError& error);

  void Run();
  void RunOut();
  void RunIdle();
  void RunActive();
  void WakeThread();
  // Ends the sleep of whoever sleeps on the queue.
  void Rouse();
  void End(FabricError reason);
  bool must_end() const { return ending_.load() && !down(); }
  // Whether the engine's thread has something to do.
  bool called() const { return closing_.load() || watched_.load() > 0 || must_end(); }

  // Leaves it to whoever holds the wheel, now or next.
  void Submit(Operation& operation);
  // Ends what was left in the inbox of lanes that are closed.
  void Sweep();
  // Lets the engine's thread look after it.
  void Carry(Operation& operation);
  // True: the wheel is taken. False: the operation has ended without.
  bool Seek(Operation& operation);

  // Under the wheel.
  void Admit(Operation& operation);
  void DrainInbox();
  void Pump();
  int Poll();
  int Handle(const fi_cq_msg_entry* entries, ssize_t count);
  void Sleep(Asleep who);
  void CheckEvents();
  // The clock and the events, whatever else there is to do. Not while a lane is sending.
  void LookUp(uint64_t now);
  void CheckDeadlines(uint64_t now);
  void DriveUntil(Operation& operation);
  void Fail(FabricError error);
  void TellDown();
  // If the end was asked for.
  void Obey();
  void FailCall(const char* call, int code);

  ConnectTerms terms_;
  LaneTerms lane_terms_{};
  std::unique_ptr<Adapter> adapter_;
  Owned<fid_cq> queue_;
  Owned<fid_mr> region_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  uint32_t connected_ = 0;

  std::mutex tenants_mutex_;
  std::vector<Tenant> tenants_;

  Wheel wheel_;
  // JavaScript threads that hold the wheel or want it; the engine's own thread stands back.
  std::atomic<int> callers_{0};
  std::atomic<Asleep> asleep_{Asleep::kNobody};
  Vigil caller_vigil_;
  Vigil thread_vigil_;
  bool batching_ = false;
  // Not later than the deadline of any lane.
  uint64_t next_deadline_ns_ = kNoDeadline;
  uint64_t looked_ns_ = 0;

  std::mutex inbox_mutex_;
  std::vector<Operation*> inbox_;
  std::vector<Operation*> admitted_;
  std::atomic<bool> inbox_filled_{false};

  std::mutex failure_mutex_;
  FabricError failure_;
  // Why the end was asked for; the first reason stands.
  FabricError end_;
  std::atomic<bool> ending_{false};
  std::atomic<int32_t> state_{kDone};

  std::thread thread_;
  std::mutex thread_mutex_;
  std::condition_variable thread_wakes_;
  std::atomic<bool> thread_asleep_{false};
  std::atomic<bool> closing_{false};
  std::atomic<int64_t> watched_{0};
  std::mutex rouse_mutex_;
  std::mutex close_mutex_;
  bool closed_ = false;
};

}  // namespace rpmem
