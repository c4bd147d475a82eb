// What the lanes hold of one JavaScript environment: its operations, and the way to tell it of their ends. Lives as long as an
// operation of it is under way, even if the environment has ended.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "operation-table.h"

namespace rpmem {

class Mailbox {
 public:
  // `on_done` is called on any thread when TakeDone has something to give, once until it was taken; `on_down` once.
  Mailbox(uint32_t lanes, std::function<void()> on_done, std::function<void()> on_down)
      : flush_status(lanes, kDone), on_done_(std::move(on_done)), on_down_(std::move(on_down)) {}

  // JavaScript thread only.
  OperationTable operations;
  // Under the wheel only, by lane: how flushes ended that were sent before their drain.
  std::vector<int32_t> flush_status;

  void Put(Operation& operation);
  void TakeDone(std::vector<Operation*>& done);
  void TellDown();
  // Nothing is called back afterwards. Idempotent.
  void Close();

 private:
  std::mutex done_mutex_;
  std::vector<Operation*> done_;

  // Another one, since whoever is called takes what is done at once.
  std::mutex call_mutex_;
  std::function<void()> on_done_;
  std::function<void()> on_down_;
};

}  // namespace rpmem
