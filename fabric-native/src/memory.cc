#include "memory.h"

#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "memory-view.h"
#include "native-error.h"
#include "shared-memory.h"

namespace rpmem {
namespace {

// Outcomes of the frequent operations, as numbers, because an exception costs more than the operation. A positive one is
// the errno of a fresh failure. binding.ts holds the same table.
enum Status : int32_t {
  kDone = 0,
  kNotAMemory = -1,
  kClosed = -2,
  kOutside = -3,
  kNotANumber = -4,
  kNotBytes = -5,
  kPoisoned = -6,
  kTruncated = -7,
  kSourceFailed = -8,
};

constexpr double kMaxSafe = 9007199254740991.0;

// An integer that JavaScript holds exactly; the cast is tried only where it is defined.
bool IsCount(double number) {
  return number >= 0 && number <= kMaxSafe && static_cast<double>(static_cast<uint64_t>(number)) == number;
}

// The memory as one JavaScript environment holds it; used on that environment's thread only.
struct MemoryHandle {
  std::shared_ptr<SharedMemory> shared;
  bool owner;
  bool closed = false;
  std::vector<std::weak_ptr<MemoryView>> views{};
  size_t forget_views_at = 64;

  bool usable() const { return !closed && !shared->closed; }

  void Remember(const std::shared_ptr<MemoryView>& view) {
    if (views.size() >= forget_views_at) {
      std::erase_if(views, [](const auto& entry) { return entry.expired(); });
      forget_views_at = std::max<size_t>(64, views.size() * 2);
    }
    views.push_back(view);
  }

  void Close(Napi::Env env, Napi::Value transfer) {
    if (closed) return;
    closed = true;
    if (owner) shared->closed = true;
    for (const auto& entry : std::exchange(views, {})) {
      if (auto view = entry.lock()) view->Detach(env, transfer);
    }
    shared.reset();
  }
};

// The handles of this thread. A look into this set costs a third of napi_check_object_type_tag and is as safe: only our
// externals carry our addresses.
thread_local std::unordered_set<const void*> live_handles;

void DeleteHandle(node_api_basic_env, void* data, void*) {
  live_handles.erase(data);
  delete static_cast<MemoryHandle*>(data);
}

MemoryHandle* HandleOf(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok || !live_handles.contains(data)) return nullptr;
  return static_cast<MemoryHandle*>(data);
}

Napi::Value NewHandle(Napi::Env env, std::shared_ptr<SharedMemory> shared, bool owner) {
  auto handle = std::make_unique<MemoryHandle>(MemoryHandle{std::move(shared), owner});
  napi_value value;
  NAPI_THROW_IF_FAILED(env, napi_create_external(env, handle.get(), DeleteHandle, nullptr, &value), env.Undefined());
  live_handles.insert(handle.release());
  return Napi::Value(env, value);
}

// The arguments of a frequent call: (handle, number, ...). Each getter notes the first thing that is wrong.
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
    handle_ = HandleOf(env, values_[0]);
    if (handle_ == nullptr)
      status_ = kNotAMemory;
    else if (!handle_->usable())
      status_ = kClosed;
    else if (int failure = mapping().failure(); failure != 0)
      status_ = Remembered(failure);
  }

  bool ok() const { return status_ == kDone; }
  Mapping& mapping() const { return *handle_->shared->mapping; }

  uint64_t Number(size_t index) {
    double number = -1;
    if (napi_get_value_double(env_, values_[index], &number) == napi_ok && IsCount(number))
      return static_cast<uint64_t>(number);
    Refuse(kNotANumber);
    return 0;
  }

  std::span<uint8_t> Bytes(size_t index) {
    bool is_typed_array = false;
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    napi_is_typedarray(env_, values_[index], &is_typed_array);
    if (is_typed_array && napi_get_typedarray_info(env_, values_[index], &type, &length, &data, nullptr, nullptr) == napi_ok &&
        type == napi_uint8_array)
      return {static_cast<uint8_t*>(data), data == nullptr ? 0 : length};
    Refuse(kNotBytes);
    return {};
  }

  Mapping* Other(size_t index) {
    MemoryHandle* other = HandleOf(env_, values_[index]);
    if (other != nullptr && other->usable()) return other->shared->mapping.get();
    Refuse(other == nullptr ? kNotAMemory : kClosed);
    return nullptr;
  }

  CopyMode Mode(size_t index) {
    uint64_t flags = Number(index);
    return {(flags & 1) == 0, (flags & 2) == 0};
  }

  void RequireInside(uint64_t offset, uint64_t length) {
    if (ok() && !mapping().Contains(offset, length)) Refuse(kOutside);
  }

  void Refuse(Status status) {
    if (ok()) status_ = status;
  }
  void Settle(int rc) { status_ = rc == EFAULT ? static_cast<int32_t>(kTruncated) : rc; }

  napi_value Result() const {
    napi_value value = nullptr;
    napi_create_int32(env_, status_, &value);
    return value;
  }

 private:
  static Status Remembered(int failure) { return failure == EFAULT ? kTruncated : kPoisoned; }

  napi_env env_;
  static constexpr size_t kMaxArguments = 5;
  size_t count_ = kMaxArguments;
  napi_value values_[kMaxArguments];
  MemoryHandle* handle_;
  int32_t status_ = kDone;
};

template <int (Mapping::*Operation)(size_t, size_t)>
napi_value OnRange(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint64_t offset = call.Number(1);
  uint64_t length = call.Number(2);
  call.RequireInside(offset, length);
  if (call.ok()) call.Settle((call.mapping().*Operation)(offset, length));
  return call.Result();
}

napi_value Drain(napi_env env, napi_callback_info info) {
  Call call(env, info);
  if (call.ok()) call.Settle(call.mapping().Drain());
  return call.Result();
}

napi_value Read(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint64_t offset = call.Number(1);
  std::span<uint8_t> into = call.Bytes(2);
  call.RequireInside(offset, into.size());
  if (!call.ok()) return call.Result();
  if (!into.empty()) std::memmove(into.data(), call.mapping().base() + offset, into.size());
  call.Settle(call.mapping().failure());
  return call.Result();
}

napi_value CopyIn(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint64_t offset = call.Number(1);
  std::span<uint8_t> source = call.Bytes(2);
  CopyMode mode = call.Mode(3);
  call.RequireInside(offset, source.size());
  if (call.ok()) call.Settle(call.mapping().CopyIn(offset, source.data(), source.size(), mode));
  return call.Result();
}

napi_value Move(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint64_t to = call.Number(1);
  uint64_t from = call.Number(2);
  uint64_t length = call.Number(3);
  CopyMode mode = call.Mode(4);
  call.RequireInside(to, length);
  call.RequireInside(from, length);
  if (call.ok()) call.Settle(call.mapping().Move(to, from, length, mode));
  return call.Result();
}

napi_value Fill(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint64_t offset = call.Number(1);
  uint64_t byte = call.Number(2);
  uint64_t length = call.Number(3);
  CopyMode mode = call.Mode(4);
  if (byte > 255) call.Refuse(kNotANumber);
  call.RequireInside(offset, length);
  if (call.ok()) call.Settle(call.mapping().Fill(offset, static_cast<uint8_t>(byte), length, mode));
  return call.Result();
}

napi_value CopyFrom(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Mapping* other = call.Other(1);
  uint64_t offset = call.Number(2);
  uint64_t length = call.Number(3);
  CopyMode mode = call.Mode(4);
  call.RequireInside(offset, length);
  if (other != nullptr && !other->Contains(offset, length)) call.Refuse(kOutside);
  // What a failed source holds must not pass for its content.
  if (other != nullptr && other->failure() != 0) call.Refuse(kSourceFailed);
  if (!call.ok()) return call.Result();
  call.Settle(call.mapping().CopyIn(offset, other->base() + offset, length, mode));
  if (other->failure() != 0) call.Refuse(kSourceFailed);
  return call.Result();
}

// The remaining functions are rare and throw. Their messages are for the cause of an error that TypeScript words.

MemoryHandle& RequireHandle(const Napi::CallbackInfo& info) {
  MemoryHandle* handle = HandleOf(info.Env(), info[0]);
  if (handle == nullptr) throw NativeError(info.Env(), EINVAL, "memory", "not a handle of mapped memory");
  return *handle;
}

MemoryHandle& RequireOpen(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireHandle(info);
  if (!handle.usable()) throw NativeError(info.Env(), EBADF, "memory", "the memory was closed");
  return handle;
}

uint64_t RequireNumber(const Napi::Value& value) {
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!IsCount(number))
    throw NativeError(value.Env(), EINVAL, "memory", "a number of bytes must be an integer from 0 to 2^53 - 1");
  return static_cast<uint64_t>(number);
}

FilePiece RequirePiece(const Napi::Value& value) {
  if (!value.IsObject()) throw NativeError(value.Env(), EINVAL, "mmap", "a piece must be an object");
  Napi::Object piece = value.As<Napi::Object>();
  uint64_t fd = RequireNumber(piece.Get("fd"));
  if (fd > std::numeric_limits<int>::max()) throw NativeError(value.Env(), EBADF, "mmap", "not a file descriptor");
  return {static_cast<int>(fd), RequireNumber(piece.Get("offset")), RequireNumber(piece.Get("length"))};
}

Napi::Value OpenMapping(Napi::Env env, std::shared_ptr<Mapping> mapping, const MemoryError& error) {
  if (mapping == nullptr) throw NativeError(env, error.code, "mmap", error.what);
  return NewHandle(env, std::make_shared<SharedMemory>(std::move(mapping)), true);
}

Napi::Value MapFiles(const Napi::CallbackInfo& info) {
  if (!info[0].IsArray()) throw NativeError(info.Env(), EINVAL, "mmap", "the pieces must be an array");
  Napi::Array list = info[0].As<Napi::Array>();
  std::vector<FilePiece> pieces;
  for (uint32_t index = 0; index < list.Length(); index++) pieces.push_back(RequirePiece(list.Get(index)));
  MemoryError error;
  return OpenMapping(info.Env(), Mapping::Map(pieces, error), error);
}

Napi::Value MapAnonymous(const Napi::CallbackInfo& info) {
  MemoryError error;
  return OpenMapping(info.Env(), Mapping::Anonymous(RequireNumber(info[0]), error), error);
}

Napi::Value DescribeMemory(const Napi::CallbackInfo& info) {
  static const char* const names[] = {"dax", "msync", "volatile"};
  const Mapping& mapping = *RequireOpen(info).shared->mapping;
  Napi::Object description = Napi::Object::New(info.Env());
  description.Set("size", static_cast<double>(mapping.size()));
  description.Set("method", names[static_cast<int>(mapping.method())]);
  return description;
}

// 0, EIO or EFAULT; also of a memory that its owner closed.
Napi::Value FailureOfMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireHandle(info);
  return Napi::Number::New(info.Env(), handle.closed ? 0 : handle.shared->mapping->failure());
}

Napi::Value IsClosed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !RequireHandle(info).usable());
}

Napi::Value ViewMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireOpen(info);
  uint64_t offset = RequireNumber(info[1]);
  uint64_t length = RequireNumber(info[2]);
  const std::shared_ptr<Mapping>& mapping = handle.shared->mapping;
  if (!mapping->Contains(offset, length)) throw NativeError(info.Env(), ERANGE, "memory", "the view leaves the memory");
  Napi::Value buffer;
  if (auto view = MemoryView::New(info.Env(), mapping, offset, length, buffer)) handle.Remember(view);
  return buffer;
}

void CloseMemory(const Napi::CallbackInfo& info) { RequireHandle(info).Close(info.Env(), info[1]); }

void ShareMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireOpen(info);
  SharedMemory::Publish(info[1].ToString(), handle.shared);
}

Napi::Value AttachMemory(const Napi::CallbackInfo& info) {
  auto shared = info[0].IsString() ? SharedMemory::Find(info[0].As<Napi::String>()) : nullptr;
  if (shared == nullptr) throw NativeError(info.Env(), ENOENT, "memory", "no open memory was shared under this token");
  return NewHandle(info.Env(), std::move(shared), false);
}

// Frequent functions bypass node-addon-api: its wrapper costs more than they do.
void Export(Napi::Env env, Napi::Object exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  NAPI_THROW_IF_FAILED_VOID(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
  exports.Set(name, function);
}

}  // namespace

std::shared_ptr<Mapping> MappingOf(Napi::Env env, Napi::Value value) {
  MemoryHandle* handle = value.IsEmpty() ? nullptr : HandleOf(env, value);
  return handle != nullptr && handle->usable() ? handle->shared->mapping : nullptr;
}

void InitMemory(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "flush", OnRange<&Mapping::Flush>);
  Export(env, exports, "persist", OnRange<&Mapping::Persist>);
  Export(env, exports, "deepPersist", OnRange<&Mapping::DeepPersist>);
  Export(env, exports, "drain", Drain);
  Export(env, exports, "read", Read);
  Export(env, exports, "copyIn", CopyIn);
  Export(env, exports, "move", Move);
  Export(env, exports, "fill", Fill);
  Export(env, exports, "copyFrom", CopyFrom);
  exports.Set("mapFiles", Napi::Function::New<MapFiles>(env, "mapFiles"));
  exports.Set("mapAnonymous", Napi::Function::New<MapAnonymous>(env, "mapAnonymous"));
  exports.Set("describeMemory", Napi::Function::New<DescribeMemory>(env, "describeMemory"));
  exports.Set("memoryFailure", Napi::Function::New<FailureOfMemory>(env, "memoryFailure"));
  exports.Set("memoryClosed", Napi::Function::New<IsClosed>(env, "memoryClosed"));
  exports.Set("viewMemory", Napi::Function::New<ViewMemory>(env, "viewMemory"));
  exports.Set("closeMemory", Napi::Function::New<CloseMemory>(env, "closeMemory"));
  exports.Set("shareMemory", Napi::Function::New<ShareMemory>(env, "shareMemory"));
  exports.Set("attachMemory", Napi::Function::New<AttachMemory>(env, "attachMemory"));
}

}  // namespace rpmem
