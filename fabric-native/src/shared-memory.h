// A mapping as several threads of one process hold it: the owner closes it for all, and each keeps it mapped for itself.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "mapping.h"

namespace rpmem {

class SharedMemory {
 public:
  explicit SharedMemory(std::shared_ptr<Mapping> mapping) : mapping(std::move(mapping)) {}

  const std::shared_ptr<Mapping> mapping;
  std::atomic<bool> closed{false};

  // Makes the memory findable under `token` as long as it is open; the token is a secret of this process.
  static void Publish(const std::string& token, const std::shared_ptr<SharedMemory>& memory);
  // Null if no open memory was published under that token.
  static std::shared_ptr<SharedMemory> Find(const std::string& token);
};

}  // namespace rpmem
