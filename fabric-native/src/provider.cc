#include "provider.h"

#include <algorithm>
#include <cstring>

namespace rpmem {
namespace {

constexpr uint32_t kApiVersion = FI_VERSION(1, 4);

OwnedInfo Hints(const LibFabric& library, const char* name, QueueSizes sizes) {
  OwnedInfo hints(library.dupinfo(nullptr), FreeInfo{&library});
  if (!hints) return hints;
  hints->caps = FI_MSG | FI_RMA;
  hints->mode = FI_CONTEXT | FI_LOCAL_MR | FI_RX_CQ_DATA;
  hints->addr_format = FI_SOCKADDR;
  hints->ep_attr->type = FI_EP_MSG;
  hints->domain_attr->mr_mode = FI_MR_BASIC;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  hints->tx_attr->msg_order = FI_ORDER_RAW | FI_ORDER_SAW;
  hints->tx_attr->size = sizes.transmit;
  hints->rx_attr->size = sizes.receive;
  hints->fabric_attr->prov_name = strdup(name);
  return hints;
}

// libfabric lists RDMA devices once for a process, and goes on offering one that has gone.
bool Opens(const LibFabric& library, fi_info& info, FabricError& error) {
  fid_fabric* raw_fabric = nullptr;
  int result = library.fabric(info.fabric_attr, &raw_fabric, nullptr);
  if (result != 0) return error = CallError(library, "fi_fabric", result), false;
  Owned<fid_fabric> fabric(raw_fabric);
  fid_domain* domain = nullptr;
  result = fi_domain(raw_fabric, &info, &domain, nullptr);
  if (result != 0) return error = CallError(library, "fi_domain", result), false;
  Owned<fid_domain> opened(domain);
  return true;
}

}  // namespace

FabricError CallError(const LibFabric& library, const char* call, ssize_t result, FabricFailure failure) {
  int code = static_cast<int>(result < 0 ? -result : result);
  return {failure, call, code, library.strerror(code)};
}

const char* FabricNameOf(const LibFabric& library, ProviderName provider) {
  if (provider == ProviderName::kVerbs) return "verbs";
  if (provider == ProviderName::kSockets) return "sockets";
  return FI_VERSION_LT(library.version(), FI_VERSION(1, 18)) ? "net" : "tcp";
}

OwnedInfo FindInfo(const LibFabric& library, ProviderName provider, const FabricAddress& address, QueueSizes sizes,
                   FabricError& error) {
  OwnedInfo hints = Hints(library, FabricNameOf(library, provider), sizes);
  fi_info* found = nullptr;
  const char* node = address.node.empty() ? nullptr : address.node.c_str();
  const char* service = address.service.empty() ? nullptr : address.service.c_str();
  uint64_t flags = address.source && node != nullptr ? FI_SOURCE : 0;
  int result = hints ? library.getinfo(kApiVersion, node, service, flags, hints.get(), &found) : -FI_ENOMEM;
  if (result != 0) error = CallError(library, "fi_getinfo", result);
  return OwnedInfo(result == 0 ? found : nullptr, FreeInfo{&library});
}

size_t MaxLanes(const fi_info& info) {
  const fi_domain_attr& domain = *info.domain_attr;
  return std::min({domain.tx_ctx_cnt, domain.rx_ctx_cnt, domain.cq_cnt});
}

ProviderReport Probe(ProviderName provider, const FabricAddress& address) {
  ProviderReport report{.provider = provider};
  const LibFabric* library = LibFabric::Load(report.reason);
  if (library == nullptr) return report;
  FabricError error;
  OwnedInfo info = FindInfo(*library, provider, address, {}, error);
  if (!info) {
    report.reason = "libfabric: " + error.text;
    report.code = error.code;
    return report;
  }
  if (provider == ProviderName::kVerbs && !Opens(*library, *info, error)) {
    report.reason = "the RDMA device cannot be opened (libfabric: " + error.call + ": " + error.text + ")";
    return report;
  }
  report.available = true;
  report.offer = {info->fabric_attr->prov_name, info->ep_attr->protocol, info->ep_attr->protocol_version,
                  MaxLanes(*info), info->ep_attr->max_msg_size};
  return report;
}

}  // namespace rpmem
