#include "heap-handle.h"

#include <mutex>
#include <unordered_map>

namespace rpmem {
namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<SharedHeap>> heaps;
};

// Never destroyed: worker threads may still look while the process ends.
Registry& TheRegistry() {
  static Registry* registry = new Registry();
  return *registry;
}

}  // namespace

void SharedHeap::Publish(const std::string& token, const std::shared_ptr<SharedHeap>& heap) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  std::erase_if(registry.heaps, [](const auto& entry) { return entry.second.expired(); });
  registry.heaps[token] = heap;
}

std::shared_ptr<SharedHeap> SharedHeap::Find(const std::string& token) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  auto entry = registry.heaps.find(token);
  std::shared_ptr<SharedHeap> heap = entry == registry.heaps.end() ? nullptr : entry->second.lock();
  return heap == nullptr || heap->heap->closed() ? nullptr : heap;
}

constinit thread_local HeapDesk* HeapDesk::here_ = nullptr;

HeapDesk& HeapDesk::Open() {
  thread_local std::unique_ptr<HeapDesk> desk;
  if (desk == nullptr) desk = std::make_unique<HeapDesk>();
  here_ = desk.get();
  return *desk;
}

uint32_t HeapDesk::Take(Seat seat) {
  if (vacant_.empty()) {
    seats_.push_back(seat);
    return static_cast<uint32_t>(seats_.size() - 1);
  }
  uint32_t at = vacant_.back();
  vacant_.pop_back();
  seats_[at] = seat;
  return at;
}

void HeapDesk::Vacate(uint32_t at) {
  Empty(at);
  vacant_.push_back(at);
}

}  // namespace rpmem
