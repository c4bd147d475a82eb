#include "shared-memory.h"

#include <mutex>
#include <unordered_map>

namespace rpmem {
namespace {

struct Registry {
  std::mutex mutex;
  std::unordered_map<std::string, std::weak_ptr<SharedMemory>> memories;
};

// Never destroyed: worker threads may still look while the process ends.
Registry& TheRegistry() {
  static Registry* registry = new Registry();
  return *registry;
}

}  // namespace

void SharedMemory::Publish(const std::string& token, const std::shared_ptr<SharedMemory>& memory) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  std::erase_if(registry.memories, [](const auto& entry) { return entry.second.expired(); });
  registry.memories[token] = memory;
}

std::shared_ptr<SharedMemory> SharedMemory::Find(const std::string& token) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  auto entry = registry.memories.find(token);
  std::shared_ptr<SharedMemory> memory = entry == registry.memories.end() ? nullptr : entry->second.lock();
  return memory == nullptr || memory->closed ? nullptr : memory;
}

}  // namespace rpmem
