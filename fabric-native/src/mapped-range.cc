#include "mapped-range.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <limits>

#include "pmem2-error.h"

namespace rpmem {
namespace {

struct SourceDeleter {
  void operator()(pmem2_source* source) const { pmem2_source_delete(&source); }
};
struct ConfigDeleter {
  void operator()(pmem2_config* config) const { pmem2_config_delete(&config); }
};
using Source = std::unique_ptr<pmem2_source, SourceDeleter>;
using Config = std::unique_ptr<pmem2_config, ConfigDeleter>;

size_t PageSize() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

// libpmem2 knows conditions that have no errno of their own; its text tells them apart.
bool Fail(MemoryError& error, int pmem2_code) {
  error.code = ErrnoOfPmem2(pmem2_code);
  error.what = pmem2_errormsg();
  return false;
}

bool FailErrno(MemoryError& error, int code, const char* what) {
  error.code = code;
  error.what = what;
  return false;
}

bool IsMemoryFileSystem(int fd) {
  struct statfs status;
  if (fstatfs(fd, &status) != 0) return false;
  return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC || status.f_type == HUGETLBFS_MAGIC;
}

// A granularity that was forced (PMEM2_FORCE_GRANULARITY, honoured by libpmem2) counts as forced on tmpfs too.
DurabilityMethod MethodOf(pmem2_map* map, int fd) {
  if (pmem2_map_get_store_granularity(map) != PMEM2_GRANULARITY_PAGE) return DurabilityMethod::kDax;
  if (std::getenv("PMEM2_FORCE_GRANULARITY") != nullptr) return DurabilityMethod::kMsync;
  return IsMemoryFileSystem(fd) ? DurabilityMethod::kVolatile : DurabilityMethod::kMsync;
}

}  // namespace

std::shared_ptr<MappedRange> MappedRange::Map(std::span<const FilePiece> pieces, size_t reservation, Sharing sharing,
                                              MemoryError& error) {
  std::shared_ptr<MappedRange> range(new MappedRange());
  range->sharing_ = sharing;
  if (!range->Reserve(pieces, reservation, error)) return nullptr;
  std::vector<MappedPiece> mapped = range->MapBehind(pieces, error);
  if (mapped.empty()) return nullptr;
  range->Add(mapped);
  return range;
}

bool MappedRange::Reserve(std::span<const FilePiece> pieces, size_t reservation, MemoryError& error) {
  constexpr size_t kMost = std::numeric_limits<ptrdiff_t>::max();
  size_t total = 0;
  for (const FilePiece& piece : pieces) {
    if (piece.length > kMost - total) return FailErrno(error, ENOMEM, "the pieces exceed the address space");
    total += piece.length;
  }
  if (total == 0) return FailErrno(error, EINVAL, "there is no piece to map");
  if (reservation > kMost - PageSize()) return FailErrno(error, ENOMEM, "the reservation exceeds the address space");
  total = std::max(total, (reservation + PageSize() - 1) / PageSize() * PageSize());
  if (total % PageSize() != 0) return FailErrno(error, EINVAL, "a piece must end on a page");
  if (int rc = pmem2_vm_reservation_new(&reservation_, nullptr, total); rc != 0) return Fail(error, rc);
  base_ = static_cast<uint8_t*>(pmem2_vm_reservation_get_address(reservation_));
  reserved_ = total;
  return true;
}

std::vector<MappedPiece> MappedRange::MapBehind(std::span<const FilePiece> pieces, MemoryError& error) {
  std::vector<MappedPiece> mapped;
  size_t at = size();
  for (const FilePiece& piece : pieces) {
    // libpmem2 would take a length of 0 for "up to the end of the file".
    bool whole = piece.length != 0 && piece.length % PageSize() == 0 && piece.offset % PageSize() == 0;
    if (!whole) FailErrno(error, EINVAL, "a piece must begin and end on a page and must not be empty");
    if (whole && piece.length > reserved_ - at) FailErrno(error, ENOMEM, "the piece exceeds the reserved addresses");
    bool done = error.code == 0 && (sharing_ == Sharing::kShared ? MapPiece(piece, at, mapped, error)
                                                                 : MapPrivately(piece, at, mapped, error));
    if (!done) {
      Discard(mapped);
      return {};
    }
    at += piece.length;
  }
  return mapped;
}

void MappedRange::Discard(std::span<MappedPiece> pieces) {
  // What libpmem2 did not map goes with the reservation, or gives way to what is mapped there next.
  for (MappedPiece& piece : pieces)
    if (piece.map != nullptr) pmem2_map_delete(&piece.map);
}

bool MappedRange::MapPiece(const FilePiece& piece, size_t at, std::vector<MappedPiece>& mapped, MemoryError& error) {
  pmem2_source* raw_source = nullptr;
  if (int rc = pmem2_source_from_fd(&raw_source, piece.fd); rc != 0) return Fail(error, rc);
  Source source(raw_source);
  pmem2_config* raw_config = nullptr;
  if (int rc = pmem2_config_new(&raw_config); rc != 0) return Fail(error, rc);
  Config config(raw_config);

  size_t alignment = PageSize();
  if (int rc = pmem2_source_alignment(source.get(), &alignment); rc != 0) return Fail(error, rc);
  pmem2_config_set_vm_reservation(config.get(), reservation_, at);
  for (int rc : {pmem2_config_set_required_store_granularity(config.get(), PMEM2_GRANULARITY_PAGE),
                 pmem2_config_set_offset(config.get(), piece.offset),
                 pmem2_config_set_length(config.get(), piece.length)}) {
    if (rc != 0) return Fail(error, rc);
  }
  pmem2_map* map = nullptr;
  if (int rc = pmem2_map_new(&map, config.get(), source.get()); rc != 0) return Fail(error, rc);
  mapped.push_back({at, at + piece.length, MethodOf(map, piece.fd), alignment, map});
  return true;
}

bool MappedRange::MapPrivately(const FilePiece& piece, size_t at, std::vector<MappedPiece>& mapped, MemoryError& error) {
  void* address = mmap(base_ + at, piece.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, piece.fd,
                       static_cast<off_t>(piece.offset));
  if (address == MAP_FAILED) return FailErrno(error, errno, "mmap of a private image of the file");
  mapped.push_back({at, at + piece.length, DurabilityMethod::kVolatile, PageSize(), nullptr});
  return true;
}

std::shared_ptr<MappedRange> MappedRange::Anonymous(size_t size, MemoryError& error) {
  void* address = size == 0 || size > std::numeric_limits<ptrdiff_t>::max()
                      ? (errno = EINVAL, MAP_FAILED)
                      : mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    FailErrno(error, errno, "mmap of anonymous memory");
    return nullptr;
  }
  std::shared_ptr<MappedRange> range(new MappedRange());
  range->base_ = static_cast<uint8_t*>(address);
  range->reserved_ = size;
  const MappedPiece whole{0, size, DurabilityMethod::kVolatile, PageSize(), nullptr};
  range->Add({&whole, 1});
  return range;
}

void MappedRange::ReleaseFiles() {
  // Should the kernel refuse, the files stay mapped a little longer, which harms nobody.
  if (reservation_ != nullptr)
    (void)mmap(base_, size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
}

MappedRange::~MappedRange() {
  if (reservation_ == nullptr) {
    if (base_ != nullptr) munmap(base_, reserved_);
    return;
  }
  for (MappedPiece piece : pieces()) Discard({&piece, 1});
  pmem2_vm_reservation_delete(&reservation_);
}

}  // namespace rpmem
