#include "lane-calls.h"

#include <cmath>
#include <optional>

#include "background.h"
#include "monotonic.h"

namespace rpmem {
namespace {

// Of an asynchronous read, whose bytes wait here to be taken; native-lanes.ts cuts longer ones.
constexpr uint64_t kLongestRead = 8 << 20;

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
  // Empty if it is no string.
  std::string Text(size_t index) const {
    size_t length = 0;
    if (index >= count_ || napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &length) != napi_ok) return {};
    std::string text(length, '\0');
    napi_get_value_string_utf8(env_, values_[index], text.data(), length + 1, &length);
    return text;
  }
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

napi_value OnShare(napi_env env, napi_callback_info info) {
  Call call(env, info);
  call.face().Share(call.Text(0));
  return nullptr;
}

napi_value OnLose(napi_env env, napi_callback_info info) {
  Call call(env, info);
  call.face().Lose(call.Text(0));
  return nullptr;
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

void BindLaneCalls(Napi::Env env, Napi::Object object, const std::shared_ptr<LanesFace>& face) {
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
  Bind(env, object, "share", OnShare, face);
  Bind(env, object, "lose", OnLose, face);
  object.Set("failure", Napi::Function::New(env, [face](const Napi::CallbackInfo& info) -> Napi::Value {
               FabricError failure = face->engine().failure();
               return failure ? Napi::Value(ErrorOf(info.Env(), failure).Value()) : info.Env().Undefined();
             }));
  object.Set("close", Napi::Function::New(env, [face](const Napi::CallbackInfo& info) { return face->Close(info.Env()); }));
}

}  // namespace rpmem
