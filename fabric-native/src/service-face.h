// The service of a target as JavaScript holds it.
#pragma once

#include <napi.h>

#include <memory>

#include "service.h"
#include "teardown.h"

namespace rpmem {

class ServiceFace : public std::enable_shared_from_this<ServiceFace> {
 public:
  // `on_connected` is called once, with nothing or with the failure.
  static Napi::Object New(Napi::Env env, std::shared_ptr<Service> service, Napi::Function on_connected);

 private:
  explicit ServiceFace(std::shared_ptr<Service> service) : service_(std::move(service)) {}
  static void OnCall(napi_env env, napi_value callback, void* context, void* data);
  Napi::Value Counters(Napi::Env env) const;
  Napi::Promise Close(Napi::Env env);

  std::shared_ptr<Service> service_;
  // Null once closed.
  Teardown<Service>* teardown_ = nullptr;
};

}  // namespace rpmem
