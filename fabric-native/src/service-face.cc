#include "service-face.h"

#include "background.h"

namespace rpmem {
namespace {

napi_value Undefined(napi_env env) {
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  return undefined;
}

}  // namespace

Napi::Object ServiceFace::New(Napi::Env env, std::shared_ptr<Service> service, Napi::Function on_connected) {
  std::shared_ptr<ServiceFace> face(new ServiceFace(std::move(service)));
  napi_threadsafe_function settled = nullptr;
  napi_value name = Napi::String::New(env, "rpmem service");
  NAPI_THROW_IF_FAILED(env,
                       napi_create_threadsafe_function(env, on_connected, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                                       OnCall, &settled),
                       Napi::Object());
  face->teardown_ = Teardown<Service>::Register(env, face->service_);
  try {
    face->service_->Start([settled](const FabricError& error) {
      napi_call_threadsafe_function(settled, new FabricError(error), napi_tsfn_nonblocking);
      napi_release_threadsafe_function(settled, napi_tsfn_release);
    });
  } catch (const std::system_error&) {
    std::exchange(face->teardown_, nullptr)->Unregister();
    face->service_->Close();
    throw;
  }

  Napi::Object object = Napi::Object::New(env);
  object.Set("port", static_cast<double>(face->service_->port()));
  object.Set("rkey", Napi::BigInt::New(env, face->service_->rkey()));
  object.Set("raddr", Napi::BigInt::New(env, face->service_->raddr()));
  object.Set("lanes", static_cast<double>(face->service_->lanes()));
  object.Set("counters",
             Napi::Function::New(env, [face](const Napi::CallbackInfo& info) { return face->Counters(info.Env()); }));
  object.Set("close", Napi::Function::New(env, [face](const Napi::CallbackInfo& info) { return face->Close(info.Env()); }));
  return object;
}

void ServiceFace::OnCall(napi_env env, napi_value callback, void*, void* data) {
  std::unique_ptr<FabricError> error(static_cast<FabricError*>(data));
  if (env == nullptr) return;
  Napi::HandleScope scope(env);
  try {
    napi_value failure = *error ? ErrorOf(env, *error).Value() : Napi::Value();
    napi_call_function(env, Undefined(env), callback, *error ? 1 : 0, &failure, nullptr);
  } catch (const Napi::Error&) {
    // The environment ends and runs no JavaScript any more: nobody is left to hear it.
  }
}

Napi::Value ServiceFace::Counters(Napi::Env env) const {
  const ServiceCounters& counters = service_->counters();
  Napi::Object object = Napi::Object::New(env);
  object.Set("messages", static_cast<double>(counters.messages.load()));
  object.Set("bytes", static_cast<double>(counters.bytes.load()));
  object.Set("rejectedConnections", static_cast<double>(counters.rejected.load()));
  object.Set("activeLanes", static_cast<double>(counters.active_lanes.load()));
  return object;
}

Napi::Promise ServiceFace::Close(Napi::Env env) {
  auto face = shared_from_this();
  return Background::Run(
      env,
      [face] {
        face->service_->Close();
        return FabricError{};
      },
      [face](Napi::Env env) -> Napi::Value {
        if (auto* teardown = std::exchange(face->teardown_, nullptr)) teardown->Unregister();
        return env.Undefined();
      });
}

}  // namespace rpmem
