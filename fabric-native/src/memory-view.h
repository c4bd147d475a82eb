// An ArrayBuffer over mapped memory, and what keeps the memory there as long as JavaScript can reach it.
#pragma once

#include <napi.h>

#include <memory>

#include "mapping.h"

namespace rpmem {

class MappedRange;

// Makes an external ArrayBuffer empty; false if it cannot be. `transfer` is ArrayBuffer.prototype.transfer, or undefined.
bool DetachBuffer(Napi::Env env, Napi::Value buffer, Napi::Value transfer);

// Held by the memory handle that made the view (weakly), by the ArrayBuffer object and by its backing store: the last two
// part ways when the buffer is detached or, in newer engines, transferred.
class MemoryView : public std::enable_shared_from_this<MemoryView> {
 public:
  // Null and a pending JavaScript exception if the engine refuses.
  static std::shared_ptr<MemoryView> New(Napi::Env env, std::shared_ptr<Mapping> mapping, size_t offset, size_t length,
                                         Napi::Value& buffer);
  ~MemoryView();

  // Makes the buffer empty for JavaScript and lets go of the files. The addresses stay reserved until the buffer is
  // collected: native code of others (zlib, crypto) may be working on them in another thread. A buffer that somebody has
  // made undetachable keeps its files until then. `transfer` is ArrayBuffer.prototype.transfer, or undefined.
  void Detach(Napi::Env env, Napi::Value transfer);

 private:
  explicit MemoryView(std::shared_ptr<Mapping> mapping);
  static void Release(node_api_basic_env, void* data, void* hint);

  std::shared_ptr<Mapping> mapping_;
  std::shared_ptr<MappedRange> range_;
  Napi::Reference<Napi::Value> buffer_;
};

}  // namespace rpmem
