// What one end opens once and all its lanes share: fabric, domain, event queue, completion queues, registered memory.
#pragma once

#include <cstddef>
#include <memory>

#include "provider.h"

namespace rpmem {

class Adapter {
 public:
  static std::unique_ptr<Adapter> Open(ProviderName provider, const FabricAddress& address, QueueSizes sizes,
                                       FabricError& error);

  const LibFabric& library() const { return *library_; }
  const fi_info& info() const { return *info_; }
  fid_fabric* fabric() const { return fabric_.get(); }
  fid_eq* events() const { return events_.get(); }
  ProviderName provider() const { return provider_; }
  // TCP has sent a message when its answer is here; other providers keep queue entries until a completion was read.
  bool wants_send_completions() const { return provider_ != ProviderName::kTcp; }

  Owned<fid_mr> Register(void* memory, size_t size, uint64_t access, FabricError& error) const;
  Owned<fid_cq> OpenQueue(size_t entries, FabricError& error) const;
  // Bound to the event queue and to `queue`, and enabled.
  Owned<fid_ep> OpenEndpoint(fi_info* info, fid_cq* queue, void* context, FabricError& error) const;

 private:
  Adapter(const LibFabric* library, ProviderName provider, OwnedInfo info)
      : library_(library), provider_(provider), info_(std::move(info)) {}

  FabricFailure WhyUnregistered(int code) const;

  const LibFabric* library_;
  ProviderName provider_;
  OwnedInfo info_;
  Owned<fid_fabric> fabric_;
  Owned<fid_eq> events_;
  Owned<fid_domain> domain_;
};

}  // namespace rpmem
