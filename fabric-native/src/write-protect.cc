#include "write-protect.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>

namespace rpmem {
namespace {

// Headers older than 6.7 lack what follows. Source: Documentation/admin-guide/mm/userfaultfd.rst and pagemap.rst of Linux.
constexpr uint64_t kProtectUnpopulated = 1u << 13;
constexpr uint64_t kProtectAsynchronously = 1u << 15;
constexpr unsigned long kNewUserfaultfd = _IO(0xAA, 0x00);

struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};

struct ScanArguments {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t regions;
  uint64_t region_count;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};
static_assert(sizeof(ScanArguments) == 96);

constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArguments);
constexpr uint64_t kProtectMatching = 1u << 0;
// Without it memory that is not registered would pass for written.
constexpr uint64_t kRequireRegistered = 1u << 1;
constexpr uint64_t kWritten = 1u << 1;

uint64_t AddressOf(const uint8_t* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

bool Fail(MemoryError& error, const char* call) {
  error.code = errno;
  error.what = std::string(call) + ": " + std::strerror(error.code);
  return false;
}

// The kernel's own writes are followed in either mode; the flag only says that no fault of its own would wait for us.
OwnedFd OpenUserfaultfd() {
  for (int mode : {UFFD_USER_MODE_ONLY, 0}) {
    OwnedFd fd(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | mode)));
    if (fd.open()) return fd;
  }
  int refusal = errno;
  OwnedFd device(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
  OwnedFd fd(device.open() ? ioctl(device.get(), kNewUserfaultfd, O_CLOEXEC | O_NONBLOCK) : -1);
  if (!fd.open()) errno = refusal;
  return fd;
}

}  // namespace

std::unique_ptr<WriteProtect> WriteProtect::Open(MemoryError& error) {
  OwnedFd faults = OpenUserfaultfd();
  if (!faults.open()) return Fail(error, "userfaultfd"), nullptr;
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | kProtectUnpopulated | kProtectAsynchronously;
  if (ioctl(faults.get(), UFFDIO_API, &api) != 0) return Fail(error, "UFFD_FEATURE_WP_ASYNC"), nullptr;
  OwnedFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap.open()) return Fail(error, "/proc/self/pagemap"), nullptr;
  return std::unique_ptr<WriteProtect>(new WriteProtect(std::move(faults), std::move(pagemap)));
}

bool WriteProtect::Watch(uint8_t* begin, uint8_t* end, MemoryError& error) {
  auto length = static_cast<uint64_t>(end - begin);
  // Of a huge page a store anywhere would count for all of it. A kernel without huge pages refuses, and has none.
  (void)madvise(begin, length, MADV_NOHUGEPAGE);
  uffdio_register range{};
  range.range = {AddressOf(begin), length};
  range.mode = UFFDIO_REGISTER_MODE_WP;
  if (ioctl(faults_.get(), UFFDIO_REGISTER, &range) != 0) return Fail(error, "UFFDIO_REGISTER");
  if (int code = Clean(begin, end); code != 0) return errno = code, Fail(error, "UFFDIO_WRITEPROTECT");
  if (begin_ == nullptr) begin_ = begin;
  uint8_t* before = std::exchange(end_, end);
  std::vector<PageRun> none;
  if (int code = Collect(false, none); code != 0) return end_ = before, errno = code, Fail(error, "PAGEMAP_SCAN");
  return true;
}

int WriteProtect::Collect(bool take, std::vector<PageRun>& runs) {
  std::array<PageRegion, 1024> regions;
  ScanArguments scan{};
  scan.size = sizeof scan;
  scan.flags = kRequireRegistered | (take ? kProtectMatching : 0);
  scan.end = AddressOf(end_);
  scan.regions = reinterpret_cast<uintptr_t>(regions.data());
  scan.region_count = regions.size();
  scan.category_mask = kWritten;
  scan.return_mask = kWritten;
  scan.start = AddressOf(begin_);
  for (size_t found = regions.size(); found == regions.size();) {
    int rc = ioctl(pagemap_.get(), kPagemapScan, &scan);
    if (rc < 0) return errno;
    found = static_cast<size_t>(rc);
    for (const PageRegion& region : std::span(regions.data(), found))
      AppendRun(runs, PageAt(region.start), static_cast<uint32_t>((region.end - region.start) / kPage));
    // Not where the kernel says that it stopped: after more than 512 regions that can lie before the last ones.
    if (found > 0) scan.start = regions[found - 1].end;
  }
  return 0;
}

int WriteProtect::Clean(uint8_t* begin, uint8_t* end) {
  uffdio_writeprotect protect{};
  protect.range = {AddressOf(begin), static_cast<uint64_t>(end - begin)};
  protect.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  int rc;
  do rc = ioctl(faults_.get(), UFFDIO_WRITEPROTECT, &protect);
  while (rc != 0 && (errno == EINTR || errno == EAGAIN));
  return rc == 0 ? 0 : errno;
}

}  // namespace rpmem
