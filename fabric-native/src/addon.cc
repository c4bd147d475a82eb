#include <napi.h>

#include "fabric.h"
#include "file.h"
#include "heap-face.h"
#include "memory.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  rpmem::InitMemory(env, exports);
  rpmem::InitFile(env, exports);
  rpmem::InitFabric(env, exports);
  rpmem::InitHeap(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(fabric_native, Init)
