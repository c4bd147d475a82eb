// The PSM libraries, absent. libfabric of Debian is linked against them, and as they are loaded each of them measures the
// processor's clock by sleeping for 100 ms, whether or not the machine has their hardware. None of our providers uses
// them, so libraries of their names that only say "no device" are loaded first, and the dynamic linker is content.
#pragma once

namespace psm_absent {

// PSM_EP_NO_DEVICE of psm.h, PSM2_EP_NO_DEVICE of psm2.h.
inline constexpr int kNoDevice = 23;

}  // namespace psm_absent

#define PSM_EXPORT extern "C" __attribute__((visibility("default")))
#define PSM_NO_DEVICE(name) \
  PSM_EXPORT int name() { return psm_absent::kNoDevice; }
#define PSM_NOTHING(name) \
  PSM_EXPORT void* name() { return nullptr; }
#define PSM_TEXT(name) \
  PSM_EXPORT const char* name() { return "PSM is not used by rpmem"; }
