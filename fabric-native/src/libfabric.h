// libfabric, opened at run time: its absence is an answer, not a failed import. Everything but these six functions is
// reached through the operation tables of its objects.
#pragma once

#include <rdma/fabric.h>

#include <string>

namespace rpmem {

struct LibFabric {
  decltype(&fi_getinfo) getinfo;
  decltype(&fi_freeinfo) freeinfo;
  decltype(&fi_dupinfo) dupinfo;
  decltype(&fi_fabric) fabric;
  decltype(&fi_strerror) strerror;
  decltype(&fi_version) version;

  // The PSM libraries, which libfabric of Debian links, take SIGINT, SIGTERM, SIGBUS and others away from the process as
  // they are loaded, and exit(1) on them. libfabric itself rewrites munmap and its kin while other threads are inside them, so
  // that its cache of registrations hears of them (ADR 25). These variables forbid both. To be called while no other thread
  // reads the environment: as the addon is loaded.
  static void PrepareEnvironment();

  // Null, with the reason, if it cannot be opened;
  // it is tried again at the next call. Never unloaded: its threads and exit handlers outlive any user.
  static const LibFabric* Load(std::string& reason);
};

}  // namespace rpmem
