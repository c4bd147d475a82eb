// A mapping as several threads of one process hold it: the owner closes it for all, and each keeps it mapped for itself.
#pragma once

#include <atomic>
#include <memory>

#include "mapping.h"

namespace rpmem {

class SharedMemory {
 public:
  explicit SharedMemory(std::shared_ptr<Mapping> mapping) : mapping(std::move(mapping)) {}

  const std::shared_ptr<Mapping> mapping;
  std::atomic<bool> closed{false};
};

}  // namespace rpmem
