#include "memory-view.h"

#include <utility>

#include "mapped-range.h"

namespace rpmem {
// napi_detach_arraybuffer ends the process if the buffer was given a detach key, as markAsUntransferable does in newer
// versions of Node.js; the method of the language, which those versions have, throws instead.
bool DetachBuffer(Napi::Env env, Napi::Value buffer, Napi::Value transfer) {
  if (transfer.IsFunction()) {
    napi_value zero = Napi::Number::New(env, 0);
    napi_value emptied = nullptr;
    if (napi_call_function(env, buffer, transfer, 1, &zero, &emptied) == napi_pending_exception)
      napi_get_and_clear_last_exception(env, &emptied);
  } else {
    napi_detach_arraybuffer(env, buffer);
  }
  bool detached = false;
  return napi_is_detached_arraybuffer(env, buffer, &detached) == napi_ok && detached;
}

MemoryView::MemoryView(std::shared_ptr<Mapping> mapping) : mapping_(std::move(mapping)), range_(mapping_->range()) {}

MemoryView::~MemoryView() = default;

void MemoryView::Release(node_api_basic_env, void*, void* hint) { delete static_cast<std::shared_ptr<MemoryView>*>(hint); }

std::shared_ptr<MemoryView> MemoryView::New(Napi::Env env, std::shared_ptr<Mapping> mapping, size_t offset,
                                            size_t length, Napi::Value& buffer) {
  uint8_t* first = mapping->base() + offset;
  std::shared_ptr<MemoryView> view(new MemoryView(std::move(mapping)));
  auto* of_store = new std::shared_ptr<MemoryView>(view);
  napi_value value = nullptr;
  napi_status status = napi_create_external_arraybuffer(env, first, length, Release, of_store, &value);
  if (status != napi_ok) {
    delete of_store;
    NAPI_THROW_IF_FAILED(env, status, nullptr);
  }
  auto* of_object = new std::shared_ptr<MemoryView>(view);
  status = napi_add_finalizer(env, value, of_object, Release, of_object, nullptr);
  if (status != napi_ok) {
    delete of_object;
    NAPI_THROW_IF_FAILED(env, status, nullptr);
  }
  napi_ref weak = nullptr;
  NAPI_THROW_IF_FAILED(env, napi_create_reference(env, value, 0, &weak), nullptr);
  view->buffer_ = Napi::Reference<Napi::Value>(env, weak);
  buffer = Napi::Value(env, value);
  return view;
}

void MemoryView::Detach(Napi::Env env, Napi::Value transfer) {
  Napi::HandleScope scope(env);
  Napi::Value buffer = buffer_.Value();
  if (!buffer.IsEmpty() && !DetachBuffer(env, buffer, transfer)) return;
  mapping_.reset();
}

}  // namespace rpmem
