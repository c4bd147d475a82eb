// Work that takes milliseconds or more, off the JavaScript thread, with a promise for its result.
#pragma once

#include <napi.h>

#include <functional>

#include "fabric-error.h"

namespace rpmem {

inline Napi::Error ErrorOf(Napi::Env env, const FabricError& failure) {
  Napi::Error error = Napi::Error::New(env, failure.text);
  error.Set("failure", static_cast<double>(failure.failure));
  error.Set("call", failure.call);
  error.Set("code", static_cast<double>(failure.code));
  return error;
}

class Background : public Napi::AsyncWorker {
 public:
  using Work = std::function<FabricError()>;
  using Result = std::function<Napi::Value(Napi::Env)>;

  static Napi::Promise Run(Napi::Env env, Work work, Result result) {
    auto* background = new Background(env, std::move(work), std::move(result));
    Napi::Promise promise = background->deferred_.Promise();
    background->Queue();
    return promise;
  }

 private:
  Background(Napi::Env env, Work work, Result result)
      : Napi::AsyncWorker(env, "rpmem"),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        result_(std::move(result)) {}

  void Execute() override { error_ = work_(); }

  // What Napi::Error throws beyond this, in an environment that runs no JavaScript any more, ends in AsyncWorker.
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (error_) return deferred_.Reject(ErrorOf(Env(), error_).Value());
    try {
      deferred_.Resolve(result_(Env()));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    } catch (const std::exception& error) {
      deferred_.Reject(Napi::Error::New(Env(), error.what()).Value());
    }
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  Napi::Promise::Deferred deferred_;
  Work work_;
  Result result_;
  FabricError error_;
};

}  // namespace rpmem
