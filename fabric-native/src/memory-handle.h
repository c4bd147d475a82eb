// The memory as one JavaScript environment holds it, behind an external that only this addon can make.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "memory-view.h"
#include "shared-memory.h"

namespace rpmem {

// Used on its environment's thread only.
class MemoryHandle {
 public:
  // The owner's close closes for all who share the memory.
  MemoryHandle(std::shared_ptr<SharedMemory> shared, bool owner) : shared_(std::move(shared)), owner_(owner) {}

  static Napi::Value New(Napi::Env env, std::shared_ptr<SharedMemory> shared, bool owner);
  // Null if `value` is not a handle of this thread.
  static MemoryHandle* Of(napi_env env, napi_value value);

  bool usable() const { return shared_ != nullptr && !shared_->closed; }
  // Null after Close.
  const std::shared_ptr<SharedMemory>& shared() const { return shared_; }
  // Only while usable.
  const std::shared_ptr<Mapping>& mapping() const { return shared_->mapping; }

  void Remember(const std::shared_ptr<MemoryView>& view);
  // Idempotent; `transfer` as for MemoryView::Detach.
  void Close(Napi::Env env, Napi::Value transfer);

 private:
  std::shared_ptr<SharedMemory> shared_;
  bool owner_;
  std::vector<std::weak_ptr<MemoryView>> views_;
  size_t forget_views_at_ = 64;
};

}  // namespace rpmem
