#include <napi.h>

#include "checksum.h"
#include "fabric.h"
#include "file-errand.h"
#include "file.h"
#include "heap-face.h"
#include "memory.h"
#include "tracking-face.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  rpmem::InitMemory(env, exports);
  rpmem::InitFile(env, exports);
  rpmem::InitFileErrand(env, exports);
  rpmem::InitChecksum(env, exports);
  rpmem::InitFabric(env, exports);
  rpmem::InitHeap(env, exports);
  rpmem::InitTracking(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(fabric_native, Init)
