#include "memory.h"

#include <cerrno>
#include <limits>
#include <string>
#include <vector>

#include "memory-handle.h"
#include "memory-operations.h"
#include "memory-view.h"
#include "native-error.h"
#include "token-registry.h"

namespace rpmem {
namespace {

using Registry = TokenRegistry<SharedMemory>;

// These functions are rare and throw. Their messages are for the cause of an error that TypeScript words.

MemoryHandle& RequireHandle(const Napi::CallbackInfo& info) {
  MemoryHandle* handle = MemoryHandle::Of(info.Env(), info[0]);
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
  return MemoryHandle::New(env, std::make_shared<SharedMemory>(std::move(mapping)), true);
}

std::vector<FilePiece> RequirePieces(const Napi::Value& value) {
  if (!value.IsArray()) throw NativeError(value.Env(), EINVAL, "mmap", "the pieces must be an array");
  Napi::Array list = value.As<Napi::Array>();
  std::vector<FilePiece> pieces;
  for (uint32_t index = 0; index < list.Length(); index++) pieces.push_back(RequirePiece(list.Get(index)));
  return pieces;
}

Napi::Value MapFiles(const Napi::CallbackInfo& info) {
  std::vector<FilePiece> pieces = RequirePieces(info[0]);
  MemoryError error;
  Sharing sharing = info[2].ToBoolean() ? Sharing::kPrivate : Sharing::kShared;
  return OpenMapping(info.Env(), Mapping::Map(pieces, RequireNumber(info[1]), sharing, error), error);
}

void ExtendMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireOpen(info);
  std::vector<FilePiece> pieces = RequirePieces(info[1]);
  MemoryError error;
  if (!handle.mapping()->Extend(pieces, error)) throw NativeError(info.Env(), error.code, "mmap", error.what);
}

Napi::Value MapAnonymous(const Napi::CallbackInfo& info) {
  MemoryError error;
  return OpenMapping(info.Env(), Mapping::Anonymous(RequireNumber(info[0]), error), error);
}

Napi::Value DescribeMemory(const Napi::CallbackInfo& info) {
  static const char* const names[] = {"dax", "msync", "volatile"};
  const Mapping& mapping = *RequireOpen(info).mapping();
  Napi::Object description = Napi::Object::New(info.Env());
  description.Set("size", static_cast<double>(mapping.size()));
  description.Set("method", names[static_cast<int>(mapping.method())]);
  return description;
}

// 0, EIO or EFAULT; also of a memory that its owner closed.
Napi::Value FailureOfMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireHandle(info);
  return Napi::Number::New(info.Env(), handle.shared() == nullptr ? 0 : handle.mapping()->failure());
}

Napi::Value IsClosed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), !RequireHandle(info).usable());
}

Napi::Value ViewMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireOpen(info);
  uint64_t offset = RequireNumber(info[1]);
  uint64_t length = RequireNumber(info[2]);
  const std::shared_ptr<Mapping>& mapping = handle.mapping();
  if (!mapping->Contains(offset, length)) throw NativeError(info.Env(), ERANGE, "memory", "the view leaves the memory");
  Napi::Value buffer;
  if (auto view = MemoryView::New(info.Env(), mapping, offset, length, buffer)) handle.Remember(view);
  return buffer;
}

// Of a view that its holder is through with: nobody can use the buffer from now on.
Napi::Value DetachView(const Napi::CallbackInfo& info) {
  RequireHandle(info);
  return Napi::Boolean::New(info.Env(), info[1].IsArrayBuffer() && DetachBuffer(info.Env(), info[1], info[2]));
}

void CloseMemory(const Napi::CallbackInfo& info) { RequireHandle(info).Close(info.Env(), info[1]); }

void ShareMemory(const Napi::CallbackInfo& info) {
  MemoryHandle& handle = RequireOpen(info);
  Registry::Publish(info[1].ToString(), handle.shared());
}

Napi::Value AttachMemory(const Napi::CallbackInfo& info) {
  auto shared = info[0].IsString() ? Registry::Find(info[0].As<Napi::String>()) : nullptr;
  if (shared == nullptr || shared->closed) throw NativeError(info.Env(), ENOENT, "memory", "no open memory was shared under this token");
  return MemoryHandle::New(info.Env(), std::move(shared), false);
}

}  // namespace

std::shared_ptr<Mapping> MappingOf(Napi::Env env, Napi::Value value) {
  MemoryHandle* handle = value.IsEmpty() ? nullptr : MemoryHandle::Of(env, value);
  return handle != nullptr && handle->usable() ? handle->mapping() : nullptr;
}

void InitMemory(Napi::Env env, Napi::Object exports) {
  InitMemoryOperations(env, exports);
  exports.Set("mapFiles", Napi::Function::New<MapFiles>(env, "mapFiles"));
  exports.Set("extendMemory", Napi::Function::New<ExtendMemory>(env, "extendMemory"));
  exports.Set("mapAnonymous", Napi::Function::New<MapAnonymous>(env, "mapAnonymous"));
  exports.Set("describeMemory", Napi::Function::New<DescribeMemory>(env, "describeMemory"));
  exports.Set("memoryFailure", Napi::Function::New<FailureOfMemory>(env, "memoryFailure"));
  exports.Set("memoryClosed", Napi::Function::New<IsClosed>(env, "memoryClosed"));
  exports.Set("viewMemory", Napi::Function::New<ViewMemory>(env, "viewMemory"));
  exports.Set("detachView", Napi::Function::New<DetachView>(env, "detachView"));
  exports.Set("closeMemory", Napi::Function::New<CloseMemory>(env, "closeMemory"));
  exports.Set("shareMemory", Napi::Function::New<ShareMemory>(env, "shareMemory"));
  exports.Set("attachMemory", Napi::Function::New<AttachMemory>(env, "attachMemory"));
}

}  // namespace rpmem
