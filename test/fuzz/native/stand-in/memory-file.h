// Pool memory for tests without Node.js: a file without a name, mapped as a part is.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "mapping.h"

namespace rpmem::stand_in {

// `granularity` as libpmem2 reads it from PMEM2_FORCE_GRANULARITY: PAGE, CACHE_LINE or BYTE.
inline std::shared_ptr<Mapping> MapMemoryFile(size_t size, const char* granularity) {
  setenv("PMEM2_FORCE_GRANULARITY", granularity, 1);
  int fd = memfd_create("pool", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0) abort();
  FilePiece piece{fd, 0, size};
  MemoryError error;
  auto mapping = Mapping::Map({&piece, 1}, size, Sharing::kShared, error);
  close(fd);
  if (!mapping) abort();
  return mapping;
}

}  // namespace rpmem::stand_in
