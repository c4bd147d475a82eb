#include "private-pages.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace rpmem {
namespace {

constexpr uint64_t kOfFile = uint64_t{1} << 61;
constexpr uint64_t kSwapped = uint64_t{1} << 62;
constexpr uint64_t kPresent = uint64_t{1} << 63;

bool IsPrivate(uint64_t entry) { return (entry & kOfFile) == 0 && (entry & (kPresent | kSwapped)) != 0; }

}  // namespace

PrivatePages::PrivatePages(OwnedFd pagemap)
    : pagemap_(std::move(pagemap)),
      page_size_(static_cast<size_t>(sysconf(_SC_PAGESIZE))),
      now_(std::make_unique<uint8_t[]>(page_size_)) {}

std::unique_ptr<PrivatePages> PrivatePages::Open(MemoryError& error) {
  OwnedFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (pagemap.open()) return std::unique_ptr<PrivatePages>(new PrivatePages(std::move(pagemap)));
  error = {errno, std::string("/proc/self/pagemap: ") + std::strerror(errno)};
  return nullptr;
}

bool PrivatePages::Watch(uint8_t* begin, uint8_t* end, MemoryError& error) {
  if (begin_ == nullptr) begin_ = begin;
  end_ = end;
  error.code = Clean(begin, end);
  if (error.code != 0) error.what = std::string("/proc/self/pagemap: ") + std::strerror(error.code);
  return error.code == 0;
}

template <typename Visit>
int PrivatePages::ForEachPrivate(uint8_t* begin, uint8_t* end, Visit visit) {
  std::vector<uint64_t> entries(8192);
  for (uint8_t* at = begin; at < end;) {
    size_t count = std::min(entries.size(), static_cast<size_t>(end - at) / page_size_);
    auto position = static_cast<off_t>(reinterpret_cast<uintptr_t>(at) / page_size_ * sizeof(uint64_t));
    ssize_t length = pread(pagemap_.get(), entries.data(), count * sizeof(uint64_t), position);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return length == 0 ? EIO : errno;
    size_t seen = static_cast<size_t>(length) / sizeof(uint64_t);
    for (size_t index = 0; index < seen; ++index, at += page_size_)
      if (IsPrivate(entries[index])) visit(at);
  }
  return 0;
}

bool PrivatePages::Differs(const uint8_t* page) const {
  auto taken = taken_.find(page);
  return taken == taken_.end() || std::memcmp(now_.get(), taken->second.get(), page_size_) != 0;
}

void PrivatePages::Take(const uint8_t* page) {
  std::unique_ptr<uint8_t[]>& image = taken_[page];
  if (image == nullptr) image = std::make_unique<uint8_t[]>(page_size_);
  std::memcpy(image.get(), now_.get(), page_size_);
}

int PrivatePages::Collect(bool take, std::vector<PageRun>& runs) {
  return ForEachPrivate(begin_, end_, [&](const uint8_t* page) {
    // Of what is compared and kept it is the same copy, so that no store in between is forgotten.
    std::memcpy(now_.get(), page, page_size_);
    if (!Differs(page)) return;
    AppendRun(runs, static_cast<uint32_t>((page - begin_) / kPage), static_cast<uint32_t>(page_size_ / kPage));
    if (take) Take(page);
  });
}

int PrivatePages::Clean(uint8_t* begin, uint8_t* end) {
  return ForEachPrivate(begin, end, [&](const uint8_t* page) {
    std::memcpy(now_.get(), page, page_size_);
    Take(page);
  });
}

}  // namespace rpmem
