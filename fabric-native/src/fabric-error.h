// Why something of the fabric failed, for TypeScript to put into words.
#pragma once

#include <rdma/fi_errno.h>

#include <string>

namespace rpmem {

// native-fabric.ts holds the same table.
enum class FabricFailure {
  kNone,
  kLibraryMissing,
  kCall,
  kLockedMemory,
  kUnpinnableMemory,
  kUnreachable,
  kRefused,
  kLost,
  kDeadline,
  kClosed,
  kProtocol,
  kMemory,
};

struct FabricError {
  FabricFailure failure = FabricFailure::kNone;
  // The function of libfabric that failed, if one did.
  std::string call{};
  // Positive fi_errno, or an errno of the system.
  int code = 0;
  std::string text{};

  explicit operator bool() const { return failure != FabricFailure::kNone; }
};

}  // namespace rpmem
