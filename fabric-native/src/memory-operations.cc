#include "memory-operations.h"

#include <cerrno>
#include <cstring>
#include <span>

#include "memory-handle.h"

namespace rpmem {
namespace {

// Outcomes of the frequent operations, as numbers, because an exception costs more than the operation. A positive one is
// the errno of a fresh failure. memory-binding.ts holds the same table.
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

// The arguments of a frequent call: (handle, number, ...). Each getter notes the first thing that is wrong.
class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
    handle_ = MemoryHandle::Of(env, values_[0]);
    if (handle_ == nullptr)
      status_ = kNotAMemory;
    else if (!handle_->usable())
      status_ = kClosed;
    else if (int failure = mapping().failure(); failure != 0)
      status_ = Remembered(failure);
  }

  bool ok() const { return status_ == kDone; }
  Mapping& mapping() const { return *handle_->mapping(); }

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
    MemoryHandle* other = MemoryHandle::Of(env_, values_[index]);
    if (other != nullptr && other->usable()) return other->mapping().get();
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

// Frequent functions bypass node-addon-api: its wrapper costs more than they do.
void Export(Napi::Env env, Napi::Object exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  NAPI_THROW_IF_FAILED_VOID(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
  exports.Set(name, function);
}

}  // namespace

bool IsCount(double number) {
  constexpr double kMaxSafe = 9007199254740991.0;
  // The cast is tried only where it is defined.
  return number >= 0 && number <= kMaxSafe && static_cast<double>(static_cast<uint64_t>(number)) == number;
}

void InitMemoryOperations(Napi::Env env, Napi::Object exports) {
  Export(env, exports, "flush", OnRange<&Mapping::Flush>);
  Export(env, exports, "persist", OnRange<&Mapping::Persist>);
  Export(env, exports, "deepPersist", OnRange<&Mapping::DeepPersist>);
  Export(env, exports, "drain", Drain);
  Export(env, exports, "read", Read);
  Export(env, exports, "copyIn", CopyIn);
  Export(env, exports, "move", Move);
  Export(env, exports, "fill", Fill);
  Export(env, exports, "copyFrom", CopyFrom);
}

}  // namespace rpmem
