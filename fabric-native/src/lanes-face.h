// The lanes of an initiator as one JavaScript environment holds them: an object of functions, each bound to the lanes, so
// that no handle is passed and none can be forged. Used on the thread of that environment only.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "lane-engine.h"
#include "mailbox.h"
#include "teardown.h"

namespace rpmem {

class LanesFace : public std::enable_shared_from_this<LanesFace> {
 public:
  // `results` receives pairs of ticket and status; `on_event` is called with their number, or with -1 when the lanes are
  // down. The owner's close ends the lanes for all who share them.
  static Napi::Value New(Napi::Env env, std::shared_ptr<LaneEngine> engine, bool owner, Napi::Function on_event,
                         Napi::Int32Array results);
  // Throws if no open lanes were shared under this token.
  static Napi::Value Attach(Napi::Env env, const std::string& token, Napi::Function on_event, Napi::Int32Array results);
  ~LanesFace();

  // Hot paths; each answers with a ticket (0 or more) or a status.
  int32_t PersistSync(uint32_t lane, const Range& range, uint64_t patience_ns);
  int32_t Start(uint32_t lane, const Range& range, uint64_t patience_ns);
  int32_t Persist(uint32_t lane, const Range& range, uint64_t patience_ns);
  int32_t FinishSync(uint32_t ticket);
  int32_t Watch(uint32_t ticket);
  int32_t Flush(uint32_t lane, const Range& range);
  int32_t DrainSync(uint32_t lane, uint64_t patience_ns);
  int32_t Drain(uint32_t lane, uint64_t patience_ns);
  int32_t ReadSync(uint32_t lane, uint64_t offset, uint8_t* into, uint64_t length, uint64_t patience_ns);
  int32_t Read(uint32_t lane, uint64_t offset, uint64_t length, uint64_t patience_ns);
  int32_t TakeRead(uint32_t ticket, uint8_t* into, uint64_t length);

  bool Holds(uint32_t lane, const Range& range) const {
    uint64_t size = engine_->size();
    return lane < flushed_.size() && range.offset <= size && range.length <= size - range.offset;
  }
  LaneEngine& engine() { return *engine_; }
  bool closed() const { return closed_; }
  // The token is a secret of this process.
  void Share(const std::string& token);
  // For a loss that JavaScript has found out.
  void Lose(const std::string& text);
  Napi::Promise Close(Napi::Env env);

 private:
  struct Flushed {
    std::vector<Range> ranges;
    uint64_t bytes = 0;
  };

  // What this environment holds of the lanes, to be given back when it closes them or ends.
  struct Tenancy {
    std::shared_ptr<LaneEngine> engine;
    std::shared_ptr<Mailbox> mailbox;
    bool owner;

    void Close();
  };

  explicit LanesFace(std::shared_ptr<LaneEngine> engine);
  void Enter(bool owner);
  static void OnCall(napi_env env, napi_value callback, void* context, void* data);
  void Deliver(napi_value on_event);
  void Tell(napi_value on_event, int32_t count);
  void Hold();
  void LetGo();

  Operation& NewOperation(OperationKind kind, uint32_t lane, uint64_t patience_ns);
  int32_t Watched(Operation& operation);
  int32_t Release(Operation& operation);
  void SendFlushed(uint32_t lane);
  void Redeemed();

  std::shared_ptr<LaneEngine> engine_;
  napi_env env_ = nullptr;
  Napi::Reference<Napi::Int32Array> results_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<Tenancy> tenancy_;
  // Null once closed.
  Teardown<Tenancy>* teardown_ = nullptr;
  napi_threadsafe_function events_ = nullptr;
  uint32_t lane_ = 0;
  std::vector<Flushed> flushed_;
  uint64_t flush_limit_;
  uint32_t held_ = 0;
  // Tickets given out by Start and not redeemed yet.
  uint32_t started_ = 0;
  bool closed_ = false;
};

}  // namespace rpmem
