#include "heap-face.h"

#include <fcntl.h>

#include <cerrno>

#include "arguments.h"
#include "heap-handle.h"
#include "native-error.h"

namespace rpmem {
namespace {

using heap::Heap;
using heap::HeapThread;
using Handle = std::shared_ptr<HeapHandle>;

// By way of a signed number: the processor has no instruction for unsigned ones.
bool ToCount(double number, uint64_t& count) {
  constexpr double kMaxSafe = 9007199254740991.0;
  if (!(number >= 0 && number <= kMaxSafe)) return false;
  auto whole = static_cast<int64_t>(number);
  count = static_cast<uint64_t>(whole);
  return static_cast<double>(whole) == number;
}

// The frequent calls: no arguments, no result, nothing of Node-API.

template <typename Operation>
int64_t AtSeat(const HeapDesk& desk, Operation operation) {
  HeapDesk::Seat seat = desk.At(desk.registers.seat);
  return seat.heap == nullptr ? static_cast<int64_t>(heap::kClosed) : operation(seat);
}

void LeaveResult(HeapDesk& desk, int64_t result) {
  desk.registers.short_result = result <= INT32_MAX ? static_cast<int32_t>(result) : kLongResult;
  desk.registers.result = static_cast<double>(result);
}

[[gnu::noinline]] napi_value MallocLong(HeapDesk& desk) {
  LeaveResult(desk, AtSeat(desk, [&](HeapDesk::Seat seat) { return seat.heap->Malloc(*seat.thread, desk.registers.short_first); }));
  return nullptr;
}

napi_value MallocShort(napi_env, napi_callback_info) {
  HeapDesk* desk = HeapDesk::Here();
  if (desk == nullptr) [[unlikely]] return nullptr;
  HeapDesk::Seat seat = desk->At(desk->registers.seat);
  if (seat.heap == nullptr) [[unlikely]] return MallocLong(*desk);
  uint64_t offset = seat.heap->TryMalloc(*seat.thread, desk->registers.short_first);
  if (offset == 0) [[unlikely]] return MallocLong(*desk);
  desk->registers.short_result = static_cast<int32_t>(offset);
  if (offset > INT32_MAX) [[unlikely]] LeaveResult(*desk, static_cast<int64_t>(offset));
  return nullptr;
}

[[gnu::noinline]] napi_value FreeLong(HeapDesk& desk) {
  LeaveResult(desk, AtSeat(desk, [&](HeapDesk::Seat seat) { return seat.heap->Free(*seat.thread, desk.registers.short_first); }));
  return nullptr;
}

napi_value FreeShort(napi_env, napi_callback_info) {
  HeapDesk* desk = HeapDesk::Here();
  if (desk == nullptr) [[unlikely]] return nullptr;
  HeapDesk::Seat seat = desk->At(desk->registers.seat);
  if (seat.heap == nullptr || !seat.heap->TryFree(*seat.thread, desk->registers.short_first)) [[unlikely]] return FreeLong(*desk);
  desk->registers.short_result = heap::kDone;
  return nullptr;
}

template <typename Operation>
napi_value AtDesk(Operation operation) {
  HeapDesk* desk = HeapDesk::Here();
  if (desk == nullptr) return nullptr;
  LeaveResult(*desk, AtSeat(*desk, [&](HeapDesk::Seat seat) { return operation(desk->registers, seat); }));
  return nullptr;
}

template <int64_t (Heap::*Operation)(HeapThread&, uint64_t)>
napi_value OfOne(napi_env, napi_callback_info) {
  return AtDesk([](const HeapRegisters& registers, HeapDesk::Seat seat) -> int64_t {
    uint64_t first = 0;
    if (!ToCount(registers.first, first)) return heap::kWrongArgument;
    return (seat.heap->*Operation)(*seat.thread, first);
  });
}

template <int64_t (Heap::*Operation)(HeapThread&, uint64_t, uint64_t)>
napi_value OfTwo(napi_env, napi_callback_info) {
  return AtDesk([](const HeapRegisters& registers, HeapDesk::Seat seat) -> int64_t {
    uint64_t first = 0;
    uint64_t second = 0;
    if (!ToCount(registers.first, first) || !ToCount(registers.second, second)) return heap::kWrongArgument;
    return (seat.heap->*Operation)(*seat.thread, first, second);
  });
}

// Measures what a call costs before it does anything.
napi_value Nothing(napi_env, napi_callback_info) { return nullptr; }

// The rare functions throw; their messages are for the cause of an error that TypeScript words.

HeapHandle& RequireOpen(const Napi::CallbackInfo& info) {
  auto& handle = *static_cast<HeapHandle*>(info.Data());
  if (handle.heap() == nullptr || handle.heap()->closed()) throw NativeError(info.Env(), EBADF, "heap", "the heap was closed");
  return handle;
}

Napi::Value Describe(const Napi::CallbackInfo& info) {
  const Heap& heap = *RequireOpen(info).heap();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("size", static_cast<double>(heap.size()));
  result.Set("capacity", static_cast<double>(heap.capacity()));
  result.Set("metadata", static_cast<double>(heap.metadata_bytes()));
  result.Set("skew", static_cast<double>(reinterpret_cast<uintptr_t>(heap.base()) % (4 * 1024 * 1024)));
  return result;
}

Napi::Value Check(const Napi::CallbackInfo& info) {
  std::vector<heap::Finding> findings = RequireOpen(info).heap()->Check(100);
  Napi::Array result = Napi::Array::New(info.Env(), findings.size());
  for (uint32_t at = 0; at < findings.size(); ++at) {
    Napi::Object finding = Napi::Object::New(info.Env());
    finding.Set("offset", static_cast<double>(findings[at].offset));
    finding.Set("what", findings[at].what);
    result.Set(at, finding);
  }
  return result;
}

Napi::Object Named(Napi::Env env, std::initializer_list<std::pair<const char*, uint64_t>> fields) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, value] : fields) object.Set(name, static_cast<double>(value));
  return object;
}

Napi::Value Observe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  heap::Statistics seen = RequireOpen(info).heap()->Observe();
  constexpr uint64_t kPage = heap::kPageBytes;
  Napi::Object result = Named(env, {{"size", seen.pages * kPage},
                                    {"metadata", seen.metadata_pages * kPage},
                                    {"free", (seen.free_pages + seen.cached_pages) * kPage},
                                    {"holes", seen.hole_pages * kPage},
                                    {"cached", seen.cached_pages * kPage},
                                    {"largestFree", seen.largest_free_pages * kPage},
                                    {"threads", seen.threads}});
  result.Set("large", Named(env, {{"allocated", seen.large_allocated},
                                  {"freed", seen.large_freed},
                                  {"live", seen.large_live},
                                  {"bytes", seen.large_pages * kPage}}));
  Napi::Array classes = Napi::Array::New(env, heap::kClasses);
  for (uint32_t at = 0; at < heap::kClasses; ++at) {
    const heap::ClassStatistics& each = seen.classes[at];
    classes.Set(at, Named(env, {{"size", each.size},
                                {"runs", each.runs},
                                {"runBytes", each.run_pages * kPage},
                                {"allocated", each.allocated},
                                {"freed", each.freed},
                                {"live", each.live}}));
  }
  result.Set("classes", classes);
  return result;
}

void Quiesce(const Napi::CallbackInfo& info) { RequireOpen(info).heap()->Quiesce(); }

Napi::Value Purge(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(RequireOpen(info).heap()->Purge()));
}

// The memory may have been extended since the heap was opened, or still have to be.
int GrowInMemory(const HeapHandle& handle, uint64_t size) {
  const Mapping& mapping = *handle.shared()->mapping;
  auto offset = static_cast<uint64_t>(handle.heap()->base() - mapping.base());
  return mapping.Contains(offset, size) ? handle.heap()->Grow(size) : EINVAL;
}

void Grow(const Napi::CallbackInfo& info) {
  uint64_t size = 0;
  bool right = info[0].IsNumber() && ToCount(info[0].As<Napi::Number>().DoubleValue(), size);
  int code = right ? GrowInMemory(RequireOpen(info), size) : EINVAL;
  if (code != 0) throw NativeError(info.Env(), code, "heap", "the heap cannot grow");
}

void Share(const Napi::CallbackInfo& info) { SharedHeap::Publish(info[0].ToString(), RequireOpen(info).shared()); }

Napi::Value IsClosed(const Napi::CallbackInfo& info) {
  const auto& handle = *static_cast<HeapHandle*>(info.Data());
  return Napi::Boolean::New(info.Env(), handle.heap() == nullptr || handle.heap()->closed());
}

void Close(const Napi::CallbackInfo& info) { static_cast<HeapHandle*>(info.Data())->Close(); }

void ReleaseHandle(node_api_basic_env, void*, void* hint) { delete static_cast<Handle*>(hint); }

// Each value that JavaScript has of the heap keeps it alive.
void KeepAlive(Napi::Env env, napi_value value, const Handle& handle) {
  auto* kept = new Handle(handle);
  napi_status status = napi_add_finalizer(env, value, kept, ReleaseHandle, kept, nullptr);
  if (status == napi_ok) return;
  delete kept;
  NAPI_THROW_IF_FAILED_VOID(env, status);
}

template <auto callback>
void Bind(Napi::Object into, const char* name, const Handle& handle) {
  Napi::Function function = Napi::Function::New<callback>(into.Env(), name, handle.get());
  KeepAlive(into.Env(), function, handle);
  into.Set(name, function);
}

Napi::Value FaceOf(Napi::Env env, std::shared_ptr<SharedHeap> shared, bool owner) {
  Handle handle = std::make_shared<HeapHandle>(std::move(shared), owner);
  Napi::Object face = Napi::Object::New(env);
  face.Set("seat", handle->seat());
  Bind<Describe>(face, "describe", handle);
  Bind<Check>(face, "check", handle);
  Bind<Observe>(face, "statistics", handle);
  Bind<Quiesce>(face, "quiesce", handle);
  Bind<Purge>(face, "purge", handle);
  Bind<Grow>(face, "grow", handle);
  Bind<Share>(face, "share", handle);
  Bind<IsClosed>(face, "closed", handle);
  Bind<Close>(face, "close", handle);
  return face;
}

Napi::Error Refused(Napi::Env env, heap::Refusal refusal) {
  switch (refusal) {
    case heap::Refusal::kTooSmall:
      return NativeError(env, EINVAL, "heap", "the region is too small for a heap");
    case heap::Refusal::kOverlap:
      return NativeError(env, EBUSY, "heap", "another open heap lies in this region");
    case heap::Refusal::kNoMemory:
      return NativeError(env, ENOMEM, "heap", "there is no address space for the tables of the heap");
    default:
      return NativeError(env, EILSEQ, "heap", "the region does not hold a heap that was left in order");
  }
}

// `fd` is read where `punching` is set: the file that the memory maps from its begin on.
Napi::Value OpenHeap(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  Arguments arguments(info[0]);
  std::shared_ptr<Mapping> mapping = arguments.Memory("memory");
  uint64_t offset = arguments.Number("offset", 0, mapping->size());
  uint64_t size = arguments.Number("size", 0, mapping->size() - offset);
  uint64_t capacity = arguments.Number("capacity", size, heap::kMaxCapacity);
  if (reinterpret_cast<uintptr_t>(mapping->base() + offset) % heap::kPageBytes != 0)
    throw NativeError(env, EINVAL, "heap", "the region does not begin on a page");
  int fd = -1;
  if (arguments.Flag("punching")) {
    fd = fcntl(static_cast<int>(arguments.Number("fd", 0, INT32_MAX)), F_DUPFD_CLOEXEC, 0);
    if (fd < 0) throw NativeError(env, errno, "fcntl", "the file of the heap cannot be kept open");
  }
  heap::Place place{mapping->base() + offset, size, capacity, arguments.Flag("zeroed"), {fd, offset}};
  heap::Refusal refusal{};
  auto opened = arguments.Flag("existing") ? Heap::Open(place, refusal) : Heap::Create(place, arguments.Word("key"), refusal);
  if (opened == nullptr && fd >= 0) close(fd);
  if (opened == nullptr) throw Refused(env, refusal);
  return FaceOf(env, std::make_shared<SharedHeap>(std::move(opened), std::move(mapping), fd), true);
}

Napi::Value AttachHeap(const Napi::CallbackInfo& info) {
  auto shared = info[0].IsString() ? SharedHeap::Find(info[0].As<Napi::String>()) : nullptr;
  if (shared == nullptr) throw NativeError(info.Env(), ENOENT, "heap", "no open heap was shared under this token");
  return FaceOf(info.Env(), std::move(shared), false);
}

// The registers of this thread, which outlive its environment.
Napi::Value RegistersOfThread(const Napi::CallbackInfo& info) {
  return Napi::ArrayBuffer::New(info.Env(), &HeapDesk::Open().registers, sizeof(HeapRegisters));
}

void ExportFrequent(Napi::Env env, Napi::Object exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  NAPI_THROW_IF_FAILED_VOID(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
  exports.Set(name, function);
}

}  // namespace

void InitHeap(Napi::Env env, Napi::Object exports) {
  exports.Set("openHeap", Napi::Function::New<OpenHeap>(env, "openHeap"));
  exports.Set("attachHeap", Napi::Function::New<AttachHeap>(env, "attachHeap"));
  exports.Set("heapRegisters", Napi::Function::New<RegistersOfThread>(env, "heapRegisters"));
  ExportFrequent(env, exports, "heapMalloc", OfOne<&Heap::Malloc>);
  ExportFrequent(env, exports, "heapMallocShort", MallocShort);
  ExportFrequent(env, exports, "heapFreeShort", FreeShort);
  ExportFrequent(env, exports, "heapCalloc", OfOne<&Heap::Calloc>);
  ExportFrequent(env, exports, "heapRealloc", OfTwo<&Heap::Realloc>);
  ExportFrequent(env, exports, "heapAlignedAlloc", OfTwo<&Heap::AlignedAlloc>);
  ExportFrequent(env, exports, "heapFree", OfOne<&Heap::Free>);
  ExportFrequent(env, exports, "heapUsableSize", OfOne<&Heap::UsableSize>);
  ExportFrequent(env, exports, "heapNothing", Nothing);
}

}  // namespace rpmem
