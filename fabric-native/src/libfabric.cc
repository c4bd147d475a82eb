#include "libfabric.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

namespace rpmem {
namespace {

template <typename Function>
bool Resolve(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool ResolveAll(void* library, LibFabric& table) {
  return Resolve(library, "fi_getinfo", table.getinfo) && Resolve(library, "fi_freeinfo", table.freeinfo) &&
         Resolve(library, "fi_dupinfo", table.dupinfo) && Resolve(library, "fi_fabric", table.fabric) &&
         Resolve(library, "fi_strerror", table.strerror) && Resolve(library, "fi_version", table.version);
}

std::string LastError() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error of the dynamic linker" : text;
}

}  // namespace

void LibFabric::KeepSignals() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("HFI_NO_BACKTRACE", "1", 0);
    setenv("IPATH_NO_BACKTRACE", "1", 0);
  });
}

const LibFabric* LibFabric::Load(std::string& reason) {
  static std::mutex mutex;
  static LibFabric table;
  static bool loaded = false;
  std::lock_guard lock(mutex);
  if (loaded) return &table;
  void* library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) loaded = ResolveAll(library, table);
  if (!loaded) reason = LastError();
  return loaded ? &table : nullptr;
}

}  // namespace rpmem
