// The heap for JavaScript: openHeap and attachHeap make an object of the rare functions; the frequent ones serve all heaps of
// a thread.
#pragma once

#include <napi.h>

namespace rpmem {

void InitHeap(Napi::Env env, Napi::Object exports);

}  // namespace rpmem
