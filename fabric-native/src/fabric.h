// The JavaScript face of the fabric: probe, lanes of an initiator, service of a target.
#pragma once

#include <napi.h>

namespace rpmem {

void InitFabric(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
