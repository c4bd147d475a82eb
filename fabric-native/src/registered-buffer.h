// Memory of our own that the fabric may touch.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "adapter.h"

namespace rpmem {

class RegisteredBuffer {
 public:
  RegisteredBuffer() = default;

  // Zeroed, page-aligned.
  static RegisteredBuffer Of(const Adapter& adapter, size_t size, uint64_t access, FabricError& error) {
    RegisteredBuffer buffer;
    constexpr size_t kPage = 4096;
    size = (size + kPage - 1) / kPage * kPage;
    buffer.memory_.reset(static_cast<uint8_t*>(std::aligned_alloc(kPage, size)));
    if (!buffer.memory_) {
      error = {FabricFailure::kMemory, "aligned_alloc", ENOMEM, "out of memory"};
      return buffer;
    }
    std::memset(buffer.memory_.get(), 0, size);
    buffer.region_ = adapter.Register(buffer.memory_.get(), size, access, error);
    if (!buffer.region_) buffer.memory_.reset();
    return buffer;
  }

  explicit operator bool() const { return memory_ != nullptr; }
  uint8_t* data() const { return memory_.get(); }
  void* descriptor() const { return fi_mr_desc(region_.get()); }

 private:
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Free> memory_;
  Owned<fid_mr> region_;
};

}  // namespace rpmem
