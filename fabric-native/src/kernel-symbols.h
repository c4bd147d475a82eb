// The verbs provider of libfabric 1.17 reads /proc/kallsyms from beginning to end, twice, as it is initialised: to learn whether
// adapters could reach the memory of graphics cards, which no pool lies in. The kernel takes 40 ms for each.
#pragma once

#include <functional>

namespace rpmem {

// Runs `initialise` in a thread to which that file is closed, and waits for its end. Where the kernel cannot do that (no
// Landlock, landlock(7)) it runs there all the same. Where there is an RDMA device it runs here, and the file is read.
void WithoutKernelSymbols(const std::function<void()>& initialise);

}  // namespace rpmem
