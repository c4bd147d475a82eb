// Errors on their way to JavaScript: a plain Error with `errno`, `syscall` and a message. TypeScript gives them a meaning.
#pragma once

#include <napi.h>

#include <string>

namespace rpmem {

Napi::Error NativeError(Napi::Env env, int code, const std::string& syscall, const std::string& message);

}  // namespace rpmem
