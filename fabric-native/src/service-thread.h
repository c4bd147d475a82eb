// A native thread that serves some lanes. After a message it polls for a while, yielding the processor, so that the next
// one is answered within microseconds; then it sleeps in the kernel until there is something to do.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "lane-server.h"

namespace rpmem {

class ServiceThread {
 public:
  ServiceThread(Owned<fid_cq> queue, uint64_t spin_ns) : queue_(std::move(queue)), spin_ns_(spin_ns) {}
  ~ServiceThread() { Stop(); }
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;

  fid_cq* queue() const { return queue_.get(); }
  void Start() { thread_ = std::thread([this] { Run(); }); }
  void Stop();
  // Its queue is broken: it serves nobody any more.
  bool failed() const { return failed_.load(); }

 private:
  void Run();
  void Sleep();
  bool Handle(const fi_cq_msg_entry* entries, ssize_t count);

  Owned<fid_cq> queue_;
  const uint64_t spin_ns_;
  std::atomic<bool> closing_{false};
  std::atomic<bool> failed_{false};
  // The last message was part of a batch.
  bool patient_ = false;
  std::thread thread_;
};

}  // namespace rpmem
