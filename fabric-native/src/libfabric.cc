#include "libfabric.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "kernel-symbols.h"

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

// Libraries that stand beside the addon; see psm-absent.h.
class PsmAbsent {
 public:
  PsmAbsent() {
    Dl_info addon{};
    if (dladdr(reinterpret_cast<void*>(&ResolveAll), &addon) == 0) return;
    std::string path(addon.dli_fname);
    std::string folder = path.substr(0, path.rfind('/') + 1);
    for (const char* name : {"libpsm_infinipath.so.1", "libpsm2.so.2"}) {
      libraries_.push_back(dlopen((folder + name).c_str(), RTLD_NOW | RTLD_LOCAL));
    }
  }
  // Gives way to the real ones: a libfabric that asks more of them than we know of.
  void Unload() {
    for (void* library : libraries_) {
      if (library != nullptr) dlclose(library);
    }
    libraries_.clear();
  }

 private:
  std::vector<void*> libraries_;
};

void* OpenLibrary() {
  PsmAbsent absent;
  void* library = dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  absent.Unload();
  return dlopen("libfabric.so.1", RTLD_NOW | RTLD_LOCAL);
}

// The first fi_getinfo initialises every provider; this one asks for none.
void Initialise(const LibFabric& library) {
  WithoutKernelSymbols([&library] {
    fi_info* hints = library.dupinfo(nullptr);
    if (hints == nullptr) return;
    hints->fabric_attr->prov_name = strdup("none");
    fi_info* found = nullptr;
    if (library.getinfo(FI_VERSION(1, 4), nullptr, nullptr, 0, hints, &found) == 0) library.freeinfo(found);
    library.freeinfo(hints);
  });
}

std::string LastError() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error of the dynamic linker" : text;
}

}  // namespace

void LibFabric::PrepareEnvironment() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("HFI_NO_BACKTRACE", "1", 0);
    setenv("IPATH_NO_BACKTRACE", "1", 0);
    setenv("FI_MR_CACHE_MONITOR", "disabled", 0);
  });
}

const LibFabric* LibFabric::Load(std::string& reason) {
  static std::mutex mutex;
  static LibFabric table;
  static bool loaded = false;
  std::lock_guard lock(mutex);
  if (loaded) return &table;
  void* library = OpenLibrary();
  if (library != nullptr) loaded = ResolveAll(library, table);
  if (loaded) Initialise(table);
  else reason = LastError();
  return loaded ? &table : nullptr;
}

}  // namespace rpmem
