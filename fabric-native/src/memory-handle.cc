#include "memory-handle.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace rpmem {
namespace {

// The handles of this thread. A look into this set costs a third of napi_check_object_type_tag and is as safe: only our
// externals carry our addresses.
thread_local std::unordered_set<const void*> live_handles;

void DeleteHandle(node_api_basic_env, void* data, void*) {
  live_handles.erase(data);
  delete static_cast<MemoryHandle*>(data);
}

}  // namespace

Napi::Value MemoryHandle::New(Napi::Env env, std::shared_ptr<SharedMemory> shared, bool owner) {
  auto handle = std::make_unique<MemoryHandle>(std::move(shared), owner);
  napi_value value;
  NAPI_THROW_IF_FAILED(env, napi_create_external(env, handle.get(), DeleteHandle, nullptr, &value), env.Undefined());
  live_handles.insert(handle.release());
  return Napi::Value(env, value);
}

MemoryHandle* MemoryHandle::Of(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok || !live_handles.contains(data)) return nullptr;
  return static_cast<MemoryHandle*>(data);
}

void MemoryHandle::Remember(const std::shared_ptr<MemoryView>& view) {
  if (views_.size() >= forget_views_at_) {
    std::erase_if(views_, [](const auto& entry) { return entry.expired(); });
    forget_views_at_ = std::max<size_t>(64, views_.size() * 2);
  }
  views_.push_back(view);
}

void MemoryHandle::Close(Napi::Env env, Napi::Value transfer) {
  auto shared = std::exchange(shared_, nullptr);
  if (shared == nullptr) return;
  if (owner_) shared->closed = true;
  for (const auto& entry : std::exchange(views_, {})) {
    if (auto view = entry.lock()) view->Detach(env, transfer);
  }
}

}  // namespace rpmem
