// The JavaScript face of PageTracking, through the handles of memory.h.
#pragma once

#include <napi.h>

namespace rpmem {

void InitTracking(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
