// What threads of one process share under unguessable tokens. It stays alive by whoever uses it, and not by being listed.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace rpmem {

template <typename Shared>
class TokenRegistry {
 public:
  static void Publish(const std::string& token, const std::shared_ptr<Shared>& shared) {
    TokenRegistry& registry = Instance();
    std::lock_guard lock(registry.mutex_);
    std::erase_if(registry.entries_, [](const auto& entry) { return entry.second.expired(); });
    registry.entries_[token] = shared;
  }

  // Null if nothing was published under that token, or nobody uses it any more.
  static std::shared_ptr<Shared> Find(const std::string& token) {
    TokenRegistry& registry = Instance();
    std::lock_guard lock(registry.mutex_);
    auto entry = registry.entries_.find(token);
    return entry == registry.entries_.end() ? nullptr : entry->second.lock();
  }

 private:
  // Never destroyed: worker threads may still look while the process ends.
  static TokenRegistry& Instance() {
    static TokenRegistry* registry = new TokenRegistry();
    return *registry;
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<Shared>> entries_;
};

}  // namespace rpmem
