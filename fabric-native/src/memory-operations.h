// The frequent operations of a memory: plain functions that answer with a number (see Status), a few tens of nanoseconds.
#pragma once

#include <napi.h>

namespace rpmem {

// True for an integer from 0 to 2^53 - 1.
bool IsCount(double number);

void InitMemoryOperations(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
