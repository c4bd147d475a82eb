// The initiator's lanes of one connection and the thread that looks after them. Whoever holds the wheel drives all lanes:
// the JavaScript thread during a synchronous call, else the engine's own thread while somebody waits for a promise. While
// nothing is under way the thread sleeps and looks up a few times a second whether the target is still there.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "lane.h"
#include "vigil.h"

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

  // `on_done` is called on any thread when TakeDone has something to give, once until it was taken; `on_down` once.
  void Start(std::function<void()> on_done, std::function<void()> on_down);
  // Idempotent; blocks until the thread has ended. Nothing is called back afterwards.
  void Close();

  uint64_t size() const { return terms_.size; }
  uint32_t lane_count() const { return static_cast<uint32_t>(lanes_.size()); }
  // From so many flushed bytes on they are sent before their drain.
  uint64_t flush_limit() const { return MessageCapacity(terms_.dialect, terms_.inline_size) * 4; }
  bool down() const { return down_.load(std::memory_order_acquire); }
  FabricError failure();

  // JavaScript thread only. An operation is owned by the engine from its submission until it is finished.
  void RunSync(Operation& operation);
  // Begins at once if the wheel is free. Nobody looks after it until Watch or FinishSync, unless `carry` asks the engine's
  // thread to send what could not be sent at once.
  void Begin(Operation& operation, bool carry = false);
  void FinishSync(Operation& operation);
  // From now on its end is told through TakeDone. False if it has ended already.
  bool Watch(Operation& operation);
  void TakeDone(std::vector<Operation*>& done);

  // For lanes, under the wheel.
  void Complete(Operation& operation);
  int MakeRoom();
  // Whether the last message was part of a batch.
  void NoteMessage(bool patient) { batching_ = patient; }

 private:
  explicit LaneEngine(ConnectTerms terms);
  class Wheel;

  bool Open(FabricError& error);
  bool ConnectLanes(FabricError& error);
  bool RequestLane(uint32_t lane, FabricError& error);
  bool AwaitLanes(uint64_t deadline_ns, uint32_t wanted, FabricError& error);

  void Run();
  void RunIdle();
  void RunActive();
  void WakeThread();
  // Ends the sleep of whoever sleeps on the queue.
  void Rouse();

  // Under the wheel.
  void Admit(Operation& operation);
  void DrainInbox();
  void Pump();
  int Poll();
  int Handle(const fi_cq_msg_entry* entries, ssize_t count);
  void Sleep(bool for_thread);
  void CheckEvents();
  // The clock and the events, whatever else there is to do. Not while a lane is sending.
  void LookUp(uint64_t now);
  void CheckDeadlines(uint64_t now);
  void DriveUntil(Operation& operation);
  void Fail(FabricError error);
  void FailClosed();
  void FailCall(const char* call, int code);

  ConnectTerms terms_;
  LaneTerms lane_terms_{};
  std::unique_ptr<Adapter> adapter_;
  Owned<fid_cq> queue_;
  Owned<fid_mr> region_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  uint32_t connected_ = 0;

  std::function<void()> on_done_;
  std::function<void()> on_down_;

  std::timed_mutex wheel_;
  std::atomic<int> wheel_seekers_{0};
  std::atomic<bool> asleep_on_queue_{false};
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

  std::mutex done_mutex_;
  std::vector<Operation*> done_;

  std::mutex failure_mutex_;
  FabricError failure_;
  std::atomic<bool> down_{false};

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
