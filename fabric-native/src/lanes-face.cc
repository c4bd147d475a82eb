#include "lanes-face.h"

#include <cstring>

#include "background.h"
#include "lane-calls.h"
#include "token-registry.h"

namespace rpmem {
namespace {

using Registry = TokenRegistry<LaneEngine>;

void* const kDownEvent = reinterpret_cast<void*>(1);

// Tickets of this JavaScript thread that `start` has given out and nobody has redeemed.
thread_local uint32_t open_tickets = 0;

}  // namespace

LanesFace::LanesFace(std::shared_ptr<LaneEngine> engine)
    : engine_(std::move(engine)), flushed_(engine_->lane_count()), flush_limit_(engine_->flush_limit()) {}

LanesFace::~LanesFace() { open_tickets -= started_; }

Napi::Value LanesFace::New(Napi::Env env, std::shared_ptr<LaneEngine> engine, bool owner, Napi::Function on_event,
                           Napi::Int32Array results) {
  std::shared_ptr<LanesFace> face(new LanesFace(std::move(engine)));
  face->env_ = env;
  face->results_ = Napi::Persistent(results);
  auto* context = new std::shared_ptr<LanesFace>(face);
  auto finalize = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<LanesFace>*>(data); };
  napi_value name = Napi::String::New(env, "rpmem lanes");
  NAPI_THROW_IF_FAILED(env,
                       napi_create_threadsafe_function(env, on_event, nullptr, name, 0, 1, context, finalize, context,
                                                       OnCall, &face->events_),
                       env.Undefined());
  napi_unref_threadsafe_function(env, face->events_);
  face->Enter(owner);

  Napi::Object object = Napi::Object::New(env);
  object.Set("count", static_cast<double>(face->engine_->lane_count()));
  object.Set("size", static_cast<double>(face->engine_->size()));
  object.Set("lane", static_cast<double>(face->lane_));
  object.Set("address", face->engine_->address());
  object.Set("port", face->engine_->port());
  BindLaneCalls(env, object, face);
  return object;
}

Napi::Value LanesFace::Attach(Napi::Env env, const std::string& token, Napi::Function on_event, Napi::Int32Array results) {
  auto engine = Registry::Find(token);
  if (engine != nullptr && !engine->closed()) return New(env, std::move(engine), false, on_event, results);
  throw ErrorOf(env, {FabricFailure::kClosed, "", 0, "no open lanes were shared under this token"});
}

// Registered after the callback's own end in this environment, and so run before it.
void LanesFace::Enter(bool owner) {
  napi_threadsafe_function events = events_;
  mailbox_ = std::make_shared<Mailbox>(
      engine_->lane_count(), [events] { napi_call_threadsafe_function(events, nullptr, napi_tsfn_nonblocking); },
      [events] { napi_call_threadsafe_function(events, kDownEvent, napi_tsfn_nonblocking); });
  auto tenancy = std::make_shared<Tenancy>(engine_, mailbox_, owner);
  lane_ = engine_->Join(mailbox_);
  teardown_ = Teardown<Tenancy>::Register(env_, tenancy);
  tenancy_ = tenancy;
  if (!owner) return;
  try {
    engine_->Start();
  } catch (const std::system_error&) {
    std::exchange(teardown_, nullptr)->Unregister();
    tenancy->Close();
    napi_release_threadsafe_function(events, napi_tsfn_release);
    throw;
  }
}

void LanesFace::Tenancy::Close() {
  if (owner) engine->Close();
  engine->Leave(mailbox);
}

void LanesFace::Share(const std::string& token) { Registry::Publish(token, engine_); }

void LanesFace::Lose(const std::string& text) { engine_->Lose({FabricFailure::kLost, "", 0, text}); }

// Also called while the environment ends and no JavaScript runs any more, so what fails is passed over.
void LanesFace::OnCall(napi_env env, napi_value callback, void* context, void* data) {
  if (env == nullptr) return;
  auto face = *static_cast<std::shared_ptr<LanesFace>*>(context);
  face->Deliver(callback);
  if (data == kDownEvent) face->Tell(callback, -1);
}

void LanesFace::Deliver(napi_value on_event) {
  std::vector<Operation*> done;
  mailbox_->TakeDone(done);
  napi_value array = nullptr;
  size_t elements = 0;
  void* data = nullptr;
  if (done.empty() || napi_get_reference_value(env_, results_, &array) != napi_ok || array == nullptr) return;
  if (napi_get_typedarray_info(env_, array, nullptr, &elements, &data, nullptr, nullptr) != napi_ok) return;
  auto* results = static_cast<int32_t*>(data);
  size_t room = elements / 2;
  for (size_t first = 0; first < done.size() && room > 0; first += room) {
    size_t count = std::min(room, done.size() - first);
    for (size_t n = 0; n < count; ++n) {
      Operation& operation = *done[first + n];
      results[2 * n] = static_cast<int32_t>(operation.ticket);
      results[2 * n + 1] = operation.status;
      operation.told = false;
      if (operation.kind != OperationKind::kRead || operation.status != kDone) Release(operation);
      LetGo();
    }
    Tell(on_event, static_cast<int32_t>(count));
  }
}

void LanesFace::Tell(napi_value on_event, int32_t count) {
  napi_value undefined = nullptr;
  napi_value argument = nullptr;
  napi_get_undefined(env_, &undefined);
  napi_create_int32(env_, count, &argument);
  napi_call_function(env_, undefined, on_event, 1, &argument, nullptr);
}

// The event loop stays alive as long as somebody waits for a promise.
void LanesFace::Hold() {
  if (held_++ == 0) napi_ref_threadsafe_function(env_, events_);
}

void LanesFace::LetGo() {
  if (--held_ == 0) napi_unref_threadsafe_function(env_, events_);
}

Napi::Promise LanesFace::Close(Napi::Env env) {
  closed_ = true;
  auto face = shared_from_this();
  return Background::Run(
      env,
      [face] {
        if (face->tenancy_->owner) face->engine_->Close();
        return FabricError{};
      },
      [face](Napi::Env env) -> Napi::Value {
        if (auto* teardown = std::exchange(face->teardown_, nullptr)) {
          teardown->Unregister();
          face->tenancy_->Close();
          // What is still to be told is in the queue before this release.
          napi_release_threadsafe_function(face->events_, napi_tsfn_release);
        }
        return env.Undefined();
      });
}

Operation& LanesFace::NewOperation(OperationKind kind, uint32_t lane, uint64_t patience_ns) {
  Operation& operation = mailbox_->operations.Take(kind, lane, patience_ns);
  operation.mailbox = mailbox_;
  return operation;
}

int32_t LanesFace::Release(Operation& operation) {
  int32_t status = operation.status;
  mailbox_->operations.GiveBack(operation);
  return status;
}

int32_t LanesFace::PersistSync(uint32_t lane, const Range& range, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kPersist, lane, patience_ns);
  operation.ranges.push_back(range);
  engine_->RunSync(operation);
  return Release(operation);
}

int32_t LanesFace::Start(uint32_t lane, const Range& range, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kPersist, lane, patience_ns);
  operation.ranges.push_back(range);
  // With tickets of other lanes open, the caller will wait for those while nobody drives these.
  bool carry = open_tickets > started_;
  ++started_;
  ++open_tickets;
  engine_->Begin(operation, carry);
  return static_cast<int32_t>(operation.ticket);
}

int32_t LanesFace::Watched(Operation& operation) {
  auto ticket = static_cast<int32_t>(operation.ticket);
  Hold();
  operation.told = true;
  engine_->Watch(operation);
  engine_->Begin(operation);
  return ticket;
}

int32_t LanesFace::Persist(uint32_t lane, const Range& range, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kPersist, lane, patience_ns);
  operation.ranges.push_back(range);
  return Watched(operation);
}

int32_t LanesFace::FinishSync(uint32_t ticket) {
  Operation* operation = mailbox_->operations.Of(ticket);
  if (operation == nullptr || operation->told || operation->kind == OperationKind::kRead) return kWrongArgument;
  engine_->FinishSync(*operation);
  Redeemed();
  return Release(*operation);
}

void LanesFace::Redeemed() {
  --started_;
  --open_tickets;
}

// 1 if the end will be told, 0 if it is already there to be taken by finishSync.
int32_t LanesFace::Watch(uint32_t ticket) {
  Operation* operation = mailbox_->operations.Of(ticket);
  if (operation == nullptr || operation->told || operation->kind == OperationKind::kRead) return kWrongArgument;
  if (!engine_->Watch(*operation)) return 0;
  operation->told = true;
  Redeemed();
  Hold();
  return 1;
}

int32_t LanesFace::Flush(uint32_t lane, const Range& range) {
  if (int32_t state = engine_->state(); state != kDone) return state;
  Flushed& flushed = flushed_[lane];
  Range* last = flushed.ranges.empty() ? nullptr : &flushed.ranges.back();
  if (last != nullptr && last->offset + last->length == range.offset && last->relaxed == range.relaxed &&
      last->deep == range.deep) {
    last->length += range.length;
    flushed.bytes += range.length;
  } else {
    flushed.ranges.push_back(range);
    flushed.ranges.back().flushed = true;
    flushed.bytes += range.length + layout::kLaneEntryBytes;
  }
  if (flushed.bytes >= flush_limit_) SendFlushed(lane);
  return kDone;
}

// Without a deadline: the drain that will wait for it has one.
void LanesFace::SendFlushed(uint32_t lane) {
  auto* operation = new Operation;
  operation->lane = lane;
  operation->internal = true;
  operation->mailbox = mailbox_;
  operation->ranges.swap(flushed_[lane].ranges);
  flushed_[lane].bytes = 0;
  engine_->Begin(*operation);
}

int32_t LanesFace::DrainSync(uint32_t lane, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kDrain, lane, patience_ns);
  operation.ranges.swap(flushed_[lane].ranges);
  flushed_[lane].bytes = 0;
  engine_->RunSync(operation);
  return Release(operation);
}

int32_t LanesFace::Drain(uint32_t lane, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kDrain, lane, patience_ns);
  operation.ranges.swap(flushed_[lane].ranges);
  flushed_[lane].bytes = 0;
  return Watched(operation);
}

int32_t LanesFace::ReadSync(uint32_t lane, uint64_t offset, uint8_t* into, uint64_t length, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kRead, lane, patience_ns);
  operation.ranges.push_back({offset, length});
  operation.into = into;
  engine_->RunSync(operation);
  return Release(operation);
}

int32_t LanesFace::Read(uint32_t lane, uint64_t offset, uint64_t length, uint64_t patience_ns) {
  Operation& operation = NewOperation(OperationKind::kRead, lane, patience_ns);
  operation.ranges.push_back({offset, length});
  try {
    operation.bytes.resize(length);
  } catch (const std::bad_alloc&) {
    operation.status = kLocalMemory;
    operation.mailbox.reset();
    return Release(operation);
  }
  operation.into = operation.bytes.data();
  return Watched(operation);
}

int32_t LanesFace::TakeRead(uint32_t ticket, uint8_t* into, uint64_t length) {
  Operation* operation = mailbox_->operations.Of(ticket);
  if (operation == nullptr || operation->kind != OperationKind::kRead || operation->told) return kWrongArgument;
  if (into != nullptr) std::memcpy(into, operation->bytes.data(), std::min<uint64_t>(length, operation->bytes.size()));
  return Release(*operation);
}

}  // namespace rpmem
