// Closes what is still open when its JavaScript environment ends; keeps it alive until then, so that forgetting an object
// does not close it at a moment that the garbage collector chooses.
#pragma once

#include <node_api.h>

#include <memory>

namespace rpmem {

template <typename Open>
class Teardown {
 public:
  // `open` has a Close() that may be repeated and does not touch JavaScript.
  static Teardown* Register(napi_env env, std::shared_ptr<Open> open) {
    auto* teardown = new Teardown(env, std::move(open));
    napi_add_env_cleanup_hook(env, Run, teardown);
    return teardown;
  }

  // Called when it was closed in order; on the thread of the environment.
  void Unregister() {
    napi_remove_env_cleanup_hook(env_, Run, this);
    delete this;
  }

 private:
  Teardown(napi_env env, std::shared_ptr<Open> open) : env_(env), open_(std::move(open)) {}

  static void Run(void* data) {
    std::unique_ptr<Teardown> teardown(static_cast<Teardown*>(data));
    teardown->open_->Close();
  }

  napi_env env_;
  std::shared_ptr<Open> open_;
};

}  // namespace rpmem
