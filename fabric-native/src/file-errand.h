// Calls to the file system that a thread of the pool makes and that JavaScript can still wait for in place.
#pragma once

#include <napi.h>

namespace rpmem {

void InitFileErrand(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
