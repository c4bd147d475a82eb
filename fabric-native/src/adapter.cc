#include "adapter.h"

#include <cerrno>

namespace rpmem {

std::unique_ptr<Adapter> Adapter::Open(ProviderName provider, const FabricAddress& address, QueueSizes sizes,
                                       FabricError& error) {
  const LibFabric* library = LibFabric::Load(error.text);
  if (library == nullptr) {
    error.failure = FabricFailure::kLibraryMissing;
    return nullptr;
  }
  OwnedInfo info = FindInfo(*library, provider, address, sizes, error);
  if (!info) return nullptr;
  std::unique_ptr<Adapter> adapter(new Adapter(library, provider, std::move(info)));

  fid_fabric* fabric = nullptr;
  int result = library->fabric(adapter->info_->fabric_attr, &fabric, nullptr);
  adapter->fabric_.reset(fabric);
  if (result != 0) return error = CallError(*library, "fi_fabric", result), nullptr;

  // Without a wait object: a thread asleep on this queue would be woken by every message of the `net` provider.
  fi_eq_attr attributes{};
  attributes.wait_obj = FI_WAIT_NONE;
  fid_eq* events = nullptr;
  result = fi_eq_open(fabric, &attributes, &events, nullptr);
  adapter->events_.reset(events);
  if (result != 0) return error = CallError(*library, "fi_eq_open", result), nullptr;

  fid_domain* domain = nullptr;
  result = fi_domain(fabric, adapter->info_.get(), &domain, nullptr);
  adapter->domain_.reset(domain);
  if (result != 0) return error = CallError(*library, "fi_domain", result), nullptr;
  return adapter;
}

// An adapter pins the pages that it works on (get_user_pages of the kernel, ibv_reg_mr(3)).
FabricFailure Adapter::WhyUnregistered(int code) const {
  if (provider_ != ProviderName::kVerbs) return FabricFailure::kCall;
  if (code == ENOMEM || code == EAGAIN || code == EPERM) return FabricFailure::kLockedMemory;
  // A file system with DAX; and, since Linux 6.5, a file on a disk.
  if (code == EOPNOTSUPP || code == EFAULT) return FabricFailure::kUnpinnableMemory;
  return FabricFailure::kCall;
}

Owned<fid_mr> Adapter::Register(void* memory, size_t size, uint64_t access, FabricError& error) const {
  fid_mr* region = nullptr;
  int result = fi_mr_reg(domain_.get(), memory, size, access, 0, 0, 0, &region, nullptr);
  if (result == 0) return Owned<fid_mr>(region);
  error = CallError(*library_, "fi_mr_reg", result, WhyUnregistered(-result));
  return nullptr;
}

Owned<fid_cq> Adapter::OpenQueue(size_t entries, FabricError& error) const {
  fi_cq_attr attributes{};
  attributes.size = entries;
  attributes.format = FI_CQ_FORMAT_MSG;
  attributes.wait_obj = FI_WAIT_UNSPEC;
  attributes.wait_cond = FI_CQ_COND_NONE;
  fid_cq* queue = nullptr;
  int result = fi_cq_open(domain_.get(), &attributes, &queue, nullptr);
  if (result != 0) error = CallError(*library_, "fi_cq_open", result);
  return Owned<fid_cq>(result == 0 ? queue : nullptr);
}

Owned<fid_ep> Adapter::OpenEndpoint(fi_info* info, fid_cq* queue, void* context, FabricError& error) const {
  fid_ep* raw = nullptr;
  int result = fi_endpoint(domain_.get(), info, &raw, context);
  if (result != 0) return error = CallError(*library_, "fi_endpoint", result), nullptr;
  Owned<fid_ep> endpoint(raw);
  result = fi_ep_bind(raw, &events_->fid, 0);
  if (result != 0) return error = CallError(*library_, "fi_ep_bind", result), nullptr;
  result = fi_ep_bind(raw, &queue->fid, FI_RECV | FI_TRANSMIT | FI_SELECTIVE_COMPLETION);
  if (result != 0) return error = CallError(*library_, "fi_ep_bind", result), nullptr;
  result = fi_enable(raw);
  if (result != 0) return error = CallError(*library_, "fi_enable", result), nullptr;
  return endpoint;
}

}  // namespace rpmem
