// Providers: which of them works here, and the fi_info with which both ends open one (reference B1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fabric-error.h"
#include "fids.h"

namespace rpmem {

enum class ProviderName { kVerbs, kTcp, kSockets };

// Where the other end is (initiator), or the local address to listen on (target).
struct FabricAddress {
  std::string node;
  std::string service;
  bool source = false;
};

struct ProviderOffer {
  std::string fabric_name;
  uint32_t protocol;
  uint32_t protocol_version;
  size_t max_lanes;
  size_t max_message_size;
};

struct ProviderReport {
  ProviderName provider;
  bool available = false;
  ProviderOffer offer{};
  std::string reason{};
  // Positive fi_errno, if libfabric refused.
  int code = 0;
};

// Asked of the endpoints; 0 leaves the choice to the provider.
struct QueueSizes {
  size_t transmit = 0;
  size_t receive = 0;
};

// The name inside libfabric: TCP is `net` in 1.17, where `tcp` is an older and slower implementation, and `tcp` later.
const char* FabricNameOf(const LibFabric& library, ProviderName provider);

OwnedInfo FindInfo(const LibFabric& library, ProviderName provider, const FabricAddress& address, QueueSizes sizes,
                   FabricError& error);

// One lane takes an endpoint and a completion queue.
size_t MaxLanes(const fi_info& info);

ProviderReport Probe(ProviderName provider, const FabricAddress& address);

FabricError CallError(const LibFabric& library, const char* call, ssize_t result,
                      FabricFailure failure = FabricFailure::kCall);

}  // namespace rpmem
