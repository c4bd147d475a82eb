// File operations that Node.js lacks.
#pragma once

#include <napi.h>

namespace rpmem {

void InitFile(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
