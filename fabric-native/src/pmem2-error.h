// libpmem2's codes as errno; its header declares a function for that which the library of 1.12 does not export.
#pragma once

#include <libpmem2.h>

#include <cerrno>

namespace rpmem {

inline int ErrnoOfPmem2(int code) {
  if (code > PMEM2_E_UNKNOWN) return -code;
  switch (code) {
    case PMEM2_E_NO_ACCESS:
      return EACCES;
    case PMEM2_E_NOSUPP:
    case PMEM2_E_GRANULARITY_NOT_SUPPORTED:
    case PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED:
      return ENOTSUP;
    case PMEM2_E_INVALID_FILE_TYPE:
      return ENODEV;
    case PMEM2_E_IO_FAIL:
      return EIO;
    default:
      return EINVAL;
  }
}

}  // namespace rpmem
