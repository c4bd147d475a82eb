// Ownership of libfabric's objects. Members of a class are destroyed last to first, so declare parents first.
#pragma once

#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_rma.h>

#include <memory>

#include "libfabric.h"

namespace rpmem {

struct CloseFid {
  template <typename Object>
  void operator()(Object* object) const {
    fi_close(&object->fid);
  }
};

template <typename Object>
using Owned = std::unique_ptr<Object, CloseFid>;

struct FreeInfo {
  const LibFabric* library;
  void operator()(fi_info* info) const { library->freeinfo(info); }
};

using OwnedInfo = std::unique_ptr<fi_info, FreeInfo>;

}  // namespace rpmem
