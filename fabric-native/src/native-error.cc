#include "native-error.h"

namespace rpmem {

Napi::Error NativeError(Napi::Env env, int code, const std::string& syscall, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::Number::New(env, code));
  error.Set("syscall", Napi::String::New(env, syscall));
  return error;
}

}  // namespace rpmem
