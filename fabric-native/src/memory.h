// The JavaScript face of Mapping.
#pragma once

#include <napi.h>

#include <memory>

#include "mapping.h"

namespace rpmem {

void InitMemory(Napi::Env env, Napi::Object exports);

// The mapping behind a memory handle, or null (no exception pending) if `value` is none of ours or closed.
std::shared_ptr<Mapping> MappingOf(Napi::Env env, Napi::Value value);

}  // namespace rpmem
