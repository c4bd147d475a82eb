#include "tracking-face.h"

#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "memory.h"
#include "memory-operations.h"
#include "native-error.h"
#include "page-tracking.h"

namespace rpmem {
namespace {

// These functions are rare and throw. Their messages are for the cause of an error that TypeScript words.

std::shared_ptr<Mapping> RequireMemory(const Napi::CallbackInfo& info) {
  std::shared_ptr<Mapping> mapping = MappingOf(info.Env(), info[0]);
  if (mapping == nullptr) throw NativeError(info.Env(), EBADF, "memory", "the memory was closed");
  return mapping;
}

// After what touched the memory or asked the kernel about it: a file that shrank explains any other failure.
void RequireWhole(Napi::Env env, const Mapping& mapping, int rc, const char* call) {
  if (mapping.failure() != 0) throw NativeError(env, mapping.failure(), call, "the memory has failed");
  if (rc != 0) throw NativeError(env, rc, call, std::strerror(rc));
}

PageTracking& RequireTracking(Napi::Env env, const Mapping& mapping) {
  if (mapping.tracking() == nullptr) throw NativeError(env, EINVAL, "memory", "the memory is not tracked");
  return *mapping.tracking();
}

struct Range {
  size_t offset;
  size_t length;
};

Range RequireRange(const Napi::CallbackInfo& info, const Mapping& mapping) {
  double offset = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
  double length = info[2].IsNumber() ? info[2].As<Napi::Number>().DoubleValue() : -1;
  if (!IsCount(offset) || !IsCount(length) || !mapping.Contains(static_cast<uint64_t>(offset), static_cast<uint64_t>(length)))
    throw NativeError(info.Env(), ERANGE, "memory", "the range leaves the memory");
  return {static_cast<size_t>(offset), static_cast<size_t>(length)};
}

template <typename Element>
std::span<Element> RequireArray(const Napi::Value& value, napi_typedarray_type type) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type)
    throw NativeError(value.Env(), EINVAL, "memory", "a typed array of another kind was expected");
  auto array = value.As<Napi::TypedArrayOf<Element>>();
  return {array.Data(), array.ElementLength()};
}

void TrackPages(const Napi::CallbackInfo& info) {
  std::shared_ptr<Mapping> mapping = RequireMemory(info);
  uint32_t method = info[1].IsNumber() ? info[1].As<Napi::Number>().Uint32Value() : UINT32_MAX;
  if (method > static_cast<uint32_t>(TrackingMethod::kMarking))
    throw NativeError(info.Env(), EINVAL, "memory", "there is no such tracking");
  MemoryError error;
  if (!mapping->Track(static_cast<TrackingMethod>(method), error))
    throw NativeError(info.Env(), error.code, "track", error.what);
}

Napi::Value CollectPages(const Napi::CallbackInfo& info) {
  std::shared_ptr<Mapping> mapping = RequireMemory(info);
  std::vector<PageRun> runs;
  int rc = RequireTracking(info.Env(), *mapping).Collect(info[1].ToBoolean(), runs);
  RequireWhole(info.Env(), *mapping, rc, "PAGEMAP_SCAN");
  auto result = Napi::Uint32Array::New(info.Env(), runs.size() * 2);
  if (!runs.empty()) std::memcpy(result.Data(), runs.data(), runs.size() * sizeof(PageRun));
  return result;
}

void MarkPages(const Napi::CallbackInfo& info) {
  std::shared_ptr<Mapping> mapping = RequireMemory(info);
  Range range = RequireRange(info, *mapping);
  RequireTracking(info.Env(), *mapping).Mark(range.offset, range.length);
}

void CleanPages(const Napi::CallbackInfo& info) {
  std::shared_ptr<Mapping> mapping = RequireMemory(info);
  Range range = RequireRange(info, *mapping);
  int rc = RequireTracking(info.Env(), *mapping).Clean(range.offset, range.length);
  RequireWhole(info.Env(), *mapping, rc, "UFFDIO_WRITEPROTECT");
}

// Into an array that has exactly their size.
void CopyPages(const Napi::CallbackInfo& info) {
  std::shared_ptr<Mapping> mapping = RequireMemory(info);
  auto runs = RequireArray<uint32_t>(info[1], napi_uint32_array);
  auto into = RequireArray<uint8_t>(info[2], napi_uint8_array);
  for (size_t at = 0; at + 1 < runs.size(); at += 2) {
    size_t offset = runs[at] * kPage, length = runs[at + 1] * kPage;
    if (!mapping->Contains(offset, length) || length > into.size())
      throw NativeError(info.Env(), ERANGE, "memory", "the pages leave the memory or the copy");
    if (length > 0) std::memcpy(into.data(), mapping->base() + offset, length);
    into = into.subspan(length);
  }
  RequireWhole(info.Env(), *mapping, 0, "copy");
}

}  // namespace

void InitTracking(Napi::Env env, Napi::Object exports) {
  exports.Set("trackPages", Napi::Function::New<TrackPages>(env, "trackPages"));
  exports.Set("collectPages", Napi::Function::New<CollectPages>(env, "collectPages"));
  exports.Set("markPages", Napi::Function::New<MarkPages>(env, "markPages"));
  exports.Set("cleanPages", Napi::Function::New<CleanPages>(env, "cleanPages"));
  exports.Set("copyPages", Napi::Function::New<CopyPages>(env, "copyPages"));
}

}  // namespace rpmem
