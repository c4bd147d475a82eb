#include "lanes-face.h"

#include <cmath>
#include <cstring>
#include <optional>

#include "background.h"
#include "monotonic.h"

namespace rpmem {
namespace {

// More negative results of the calls below than OperationStatus has; native-fabric.ts holds the same table.
constexpr int32_t kWrongArgument = -10;

// Of an asynchronous read, whose bytes wait here to be taken; native-lanes.ts cuts longer ones.
constexpr uint64_t kLongestRead = 8 << 20;

void* const kDownEvent = reinterpret_cast<void*>(1);

// Tickets of this JavaScript thread that `start` has given out and nobody has redeemed.
thread_local uint32_t open_tickets = 0;

// Flags of a range in the calls below; native-fabric.ts holds the same table.
constexpr uint32_t kRelaxedFlag = 1;
constexpr uint32_t kDeepFlag = 2;

// The arguments of a frequent call. A wrong one becomes a number that no check lets through.
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    void* data = nullptr;
    napi_get_cb_info(env, info, &count_, values_, nullptr, &data);
    face_ = static_cast<std::shared_ptr<LanesFace>*>(data)->get();
  }

  LanesFace& face() const { return *face_; }

  uint64_t Number(size_t index) const {
    double number = -1;
    if (index >= count_ || napi_get_value_double(env_, values_[index], &number) != napi_ok) return UINT64_MAX;
    if (!(number >= 0 && number <= 9007199254740991.0) || number != std::floor(number)) return UINT64_MAX;
    return static_cast<uint64_t>(number);
  }
  uint32_t Small(size_t index) const {
    uint64_t number = Number(index);
    return number > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(number);
  }
  Range RangeAt(size_t index) const {
    uint32_t flags = Small(index + 2);
    return {Number(index), Number(index + 1), (flags & kRelaxedFlag) != 0, (flags & kDeepFlag) != 0};
  }
  // In milliseconds.
  uint64_t Patience(size_t index) const { return Small(index) * kNsPerMs; }
  std::optional<std::pair<uint8_t*, uint64_t>> Bytes(size_t index) const {
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    bool is_array = false;
    if (index >= count_ || napi_is_typedarray(env_, values_[index], &is_array) != napi_ok || !is_array) return std::nullopt;
    napi_get_typedarray_info(env_, values_[index], &type, &length, &data, nullptr, nullptr);
    if (type != napi_uint8_array) return std::nullopt;
    return std::pair{static_cast<uint8_t*>(data), uint64_t{length}};
  }
  napi_value Result(int32_t number) const {
    napi_value value = nullptr;
    napi_create_int32(env_, number, &value);
    return value;
  }

 private:
  static constexpr size_t kMaxArguments = 5;
  napi_env env_;
  size_t count_ = kMaxArguments;
  napi_value values_[kMaxArguments];
  LanesFace* face_;
};

template <int32_t (LanesFace::*Method)(uint32_t, const Range&, uint64_t)>
napi_value OnRange(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.face().closed()) return call.Result(kClosed);
  uint32_t lane = call.Small(0);
  Range range = call.RangeAt(1);
  if (!call.face().Holds(lane, range)) return call.Result(kWrongArgument);
  return call.Result((call.face().*Method)(lane, range, call.Patience(4)));
}

napi_value OnFlush(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.face().closed()) return call.Result(kClosed);
  uint32_t lane = call.Small(0);
  Range range = call.RangeAt(1);
  if (!call.face().Holds(lane, range)) return call.Result(kWrongArgument);
  return call.Result(call.face().Flush(lane, range));
}

template <int32_t (LanesFace::*Method)(uint32_t, uint64_t)>
napi_value OnLane(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.face().closed()) return call.Result(kClosed);
  uint32_t lane = call.Small(0);
  if (!call.face().Holds(lane, {})) return call.Result(kWrongArgument);
  return call.Result((call.face().*Method)(lane, call.Patience(1)));
}

// Tickets are redeemed after close as well.
template <int32_t (LanesFace::*Method)(uint32_t)>
napi_value OnTicket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  return call.Result((call.face().*Method)(call.Small(0)));
}

napi_value OnReadSync(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.face().closed()) return call.Result(kClosed);
  uint32_t lane = call.Small(0);
  uint64_t offset = call.Number(1);
  auto bytes = call.Bytes(2);
  if (!bytes) return call.Result(kWrongArgument);
  auto [into, length] = *bytes;
  if (!call.face().Holds(lane, {offset, length})) return call.Result(kWrongArgument);
  if (length == 0) return call.Result(kDone);
  return call.Result(call.face().ReadSync(lane, offset, into, length, call.Patience(3)));
}

napi_value OnRead(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.face().closed()) return call.Result(kClosed);
  uint32_t lane = call.Small(0);
  Range range{call.Number(1), call.Number(2)};
  if (!call.face().Holds(lane, range) || range.length > kLongestRead) return call.Result(kWrongArgument);
  return call.Result(call.face().Read(lane, range.offset, range.length, call.Patience(3)));
}

napi_value OnTakeRead(napi_env env, napi_callback_info info) {
  Call call(env, info);
  auto bytes = call.Bytes(1);
  if (!bytes) return call.Result(kWrongArgument);
  auto [into, length] = *bytes;
  return call.Result(call.face().TakeRead(call.Small(0), into, length));
}

void Bind(Napi::Env env, Napi::Object object, const char* name, napi_callback callback,
          const std::shared_ptr<LanesFace>& face) {
  auto* data = new std::shared_ptr<LanesFace>(face);
  napi_value function = nullptr;
  NAPI_THROW_IF_FAILED_VOID(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function));
  auto finalize = [](node_api_basic_env, void* data, void*) { delete static_cast<std::shared_ptr<LanesFace>*>(data); };
  NAPI_THROW_IF_FAILED_VOID(env, napi_add_finalizer(env, function, data, finalize, nullptr, nullptr));
  object.Set(name, function);
}

}  // namespace

LanesFace::~LanesFace() { open_tickets -= started_; }

LanesFace::LanesFace(std::shared_ptr<LaneEngine> engine)
    : engine_(std::move(engine)), flushed_(engine_->lane_count()), flush_limit_(engine_->flush_limit()) {}

Napi::Object LanesFace::New(Napi::Env env, std::shared_ptr<LaneEngine> engine, Napi::Function on_event,
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
                       Napi::Object());
  napi_unref_threadsafe_function(env, face->events_);
  face->teardown_ = Teardown<LaneEngine>::Register(env, face->engine_);

  napi_threadsafe_function events = face->events_;
  try {
    face->engine_->Start([events] { napi_call_threadsafe_function(events, nullptr, napi_tsfn_nonblocking); },
                         [events] { napi_call_threadsafe_function(events, kDownEvent, napi_tsfn_nonblocking); });
  } catch (const std::system_error&) {
    std::exchange(face->teardown_, nullptr)->Unregister();
    face->engine_->Close();
    napi_release_threadsafe_function(events, napi_tsfn_release);
    throw;
  }

  Napi::Object object = Napi::Object::New(env);
  Bind(env, object, "persistSync", OnRange<&LanesFace::PersistSync>, face);
  Bind(env, object, "persist", OnRange<&LanesFace::Persist>, face);
  Bind(env, object, "start", OnRange<&LanesFace::Start>, face);
  Bind(env, object, "finishSync", OnTicket<&LanesFace::FinishSync>, face);
  Bind(env, object, "watch", OnTicket<&LanesFace::Watch>, face);
  Bind(env, object, "flush", OnFlush, face);
  Bind(env, object, "drainSync", OnLane<&LanesFace::DrainSync>, face);
  Bind(env, object, "drain", OnLane<&LanesFace::Drain>, face);
  Bind(env, object, "readSync", OnReadSync, face);
  Bind(env, object, "read", OnRead, face);
  Bind(env, object, "takeRead", OnTakeRead, face);
  object.Set("failure", Napi::Function::New(env, [face](const Napi::CallbackInfo& info) -> Napi::Value {
               FabricError failure = face->engine().failure();
               return failure ? Napi::Value(ErrorOf(info.Env(), failure).Value()) : info.Env().Undefined();
             }));
  object.Set("close", Napi::Function::New(env, [face](const Napi::CallbackInfo& info) { return face->Close(info.Env()); }));
  return object;
}

// Also called while the environment ends and no JavaScript runs any more, so what fails is passed over.
void LanesFace::OnCall(napi_env env, napi_value callback, void* context, void* data) {
  if (env == nullptr) return;
  auto face = *static_cast<std::shared_ptr<LanesFace>*>(context);
  face->Deliver(callback);
  if (data == kDownEvent) face->Tell(callback, -1);
}

void LanesFace::Deliver(napi_value on_event) {
  std::vector<Operation*> done;
  engine_->TakeDone(done);
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
        face->engine_->Close();
        return FabricError{};
      },
      [face](Napi::Env env) -> Napi::Value {
        if (auto* teardown = std::exchange(face->teardown_, nullptr)) {
          teardown->Unregister();
          // What is still to be told is in the queue before this release.
          napi_release_threadsafe_function(face->events_, napi_tsfn_release);
        }
        return env.Undefined();
      });
}

Operation& LanesFace::NewOperation(OperationKind kind, uint32_t lane, uint64_t patience_ns) {
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(operations_.size()));
    operations_.emplace_back();
    in_use_.push_back(false);
  }
  uint32_t ticket = free_.back();
  free_.pop_back();
  in_use_[ticket] = true;
  Operation& operation = operations_[ticket];
  operation.kind = kind;
  operation.lane = lane;
  operation.ticket = ticket;
  operation.patience_ns = patience_ns;
  operation.ranges.clear();
  operation.range = 0;
  operation.range_done = 0;
  operation.unanswered = 0;
  operation.fenced = false;
  operation.status = kDone;
  operation.told = false;
  operation.carried = false;
  operation.begun_ns = NowNs();
  operation.watch.store(Operation::kUnwatched, std::memory_order_relaxed);
  return operation;
}

int32_t LanesFace::Release(Operation& operation) {
  int32_t status = operation.status;
  if (operation.bytes.capacity() > 0) operation.bytes = {};
  in_use_[operation.ticket] = false;
  free_.push_back(operation.ticket);
  return status;
}

Operation* LanesFace::OperationOf(uint32_t ticket) {
  return ticket < operations_.size() && in_use_[ticket] ? &operations_[ticket] : nullptr;
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
  Operation* operation = OperationOf(ticket);
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
  Operation* operation = OperationOf(ticket);
  if (operation == nullptr || operation->told || operation->kind == OperationKind::kRead) return kWrongArgument;
  if (!engine_->Watch(*operation)) return 0;
  operation->told = true;
  Redeemed();
  Hold();
  return 1;
}

int32_t LanesFace::Flush(uint32_t lane, const Range& range) {
  if (engine_->down()) return kDown;
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
    return Release(operation);
  }
  operation.into = operation.bytes.data();
  return Watched(operation);
}

int32_t LanesFace::TakeRead(uint32_t ticket, uint8_t* into, uint64_t length) {
  Operation* operation = OperationOf(ticket);
  if (operation == nullptr || operation->kind != OperationKind::kRead || operation->told) return kWrongArgument;
  if (into != nullptr) std::memcpy(into, operation->bytes.data(), std::min<uint64_t>(length, operation->bytes.size()));
  return Release(*operation);
}

}  // namespace rpmem
