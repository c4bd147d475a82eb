#include "data-port.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

namespace rpmem {
namespace {

// Of those who sent a complete greeting that promises more than it holds.
constexpr timeval kRestOfGreeting{0, 1000};
constexpr uint32_t kPatienceMs = 1000;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

template <typename Visit>
void ForEachDescriptor(Visit visit) {
  std::unique_ptr<DIR, CloseDirectory> directory(opendir("/proc/self/fd"));
  if (!directory) return;
  int own = dirfd(directory.get());
  while (const dirent* entry = readdir(directory.get())) {
    int fd = std::atoi(entry->d_name);
    if (fd > 2 && fd != own) visit(fd);
  }
}

bool SameEnd(const sockaddr_storage& left, const sockaddr_storage& right) {
  if (left.ss_family != right.ss_family) return false;
  if (left.ss_family == AF_INET) {
    const auto& a = reinterpret_cast<const sockaddr_in&>(left);
    const auto& b = reinterpret_cast<const sockaddr_in&>(right);
    return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
  }
  const auto& a = reinterpret_cast<const sockaddr_in6&>(left);
  const auto& b = reinterpret_cast<const sockaddr_in6&>(right);
  return a.sin6_port == b.sin6_port && std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof(a.sin6_addr)) == 0;
}

bool LiesAt(int fd, const sockaddr_storage& address) {
  sockaddr_storage own{};
  socklen_t length = sizeof(own);
  return getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length) == 0 && SameEnd(own, address);
}

bool Listens(int fd) {
  int listening = 0;
  socklen_t length = sizeof(listening);
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0;
}

void HearFrom(int fd, int bytes) { setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)); }

}  // namespace

void DataPort::Guard(const sockaddr_storage& address, size_t greeting, bool read_by_caller) {
  read_by_caller_ = read_by_caller;
  address_ = address;
  greeting_ = static_cast<int>(greeting);
  ForEachDescriptor([this](int fd) {
    if (LiesAt(fd, address_) && Listens(fd)) listener_ = fd;
  });
  if (listener_ < 0) return;
  HearFrom(listener_, greeting_);
  setsockopt(listener_, SOL_SOCKET, SO_RCVTIMEO, &kRestOfGreeting, sizeof(kRestOfGreeting));
}

template <typename Visit>
void DataPort::ForEachConnection(Visit visit) const {
  if (greeting_ == 0) return;
  ForEachDescriptor([this, &visit](int fd) {
    if (fd == listener_ || !LiesAt(fd, address_)) return;
    tcp_info info{};
    socklen_t length = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) visit(fd, info);
  });
}

void DataPort::Release() const {
  ForEachConnection([this](int fd, const tcp_info& info) {
    if (info.tcpi_bytes_received >= static_cast<uint64_t>(greeting_)) HearFrom(fd, 1);
  });
}

void DataPort::TurnAway(bool all) const {
  ForEachConnection([this, all](int fd, const tcp_info& info) {
    if (info.tcpi_bytes_received >= static_cast<uint64_t>(greeting_)) return;
    if (!all && info.tcpi_last_data_recv < kPatienceMs) return;
    // A thread of the provider may be about to read: it finds the end, and closes.
    if (read_by_caller_) close(fd);
    else shutdown(fd, SHUT_RDWR);
  });
}

void DataPort::Close() {
  if (listener_ < 0 || closed_) return;
  closed_ = true;
  int deaf = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int old = dup(listener_);
  if (deaf >= 0 && old >= 0) dup3(deaf, listener_, O_CLOEXEC);
  // Somebody may still be waiting on it.
  if (old >= 0) shutdown(old, SHUT_RDWR);
  if (old >= 0) close(old);
  if (deaf >= 0) close(deaf);
}

}  // namespace rpmem
